import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

/** What `cargo xtask build` let wasm-pack write. */
const wasm = fileURLToPath(new URL("target/wasm-package/web/portcullis_wasm.js", import.meta.url));

export default defineConfig({
  // Every address in the site is relative: it works from any path of any host.
  base: "./",
  resolve: { alias: { "portcullis-wasm": wasm } },
  build: {
    target: "es2023",
    // No data: addresses, which the page's policy forbids, and no inline script that preloads modules.
    assetsInlineLimit: 0,
    modulePreload: false,
  },
  worker: { format: "es" },
});
