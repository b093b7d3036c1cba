import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { docs } from "./docs/site.ts";

const root = fileURLToPath(new URL(".", import.meta.url));

/** The engine as `cargo xtask build` makes it for the page: the first part of its wasm, and the whole. */
const engine = (name: string) => fileURLToPath(new URL(`target/wasm-page/${name}.js`, import.meta.url));

export default defineConfig({
  // Every address in the site is relative: it works from any path of any host.
  base: "./",
  resolve: { alias: { "portcullis-wasm": engine("portcullis_wasm"), "portcullis-whole": engine("portcullis_whole") } },
  plugins: [docs(root)],
  build: {
    target: "es2023",
    // The first that know `light-dark()`: what stands in for it would follow the system alone, and no button.
    cssTarget: ["chrome123", "edge123", "firefox120", "safari17.5"],
    rollupOptions: {
      input: { index: "index.html", embed: "web/embed.ts" },
      // Other people's pages name this file: it keeps its name.
      output: { entryFileNames: ({ name }) => (name === "embed" ? "embed.js" : "assets/[name]-[hash].js") },
    },
    // No data: addresses, which the page's policy forbids, and no inline script that preloads modules.
    assetsInlineLimit: 0,
    modulePreload: false,
  },
  worker: { format: "es" },
});
