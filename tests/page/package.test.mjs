/** The wasm package as somebody else uses it: packed, installed, and called from Node, from a plain script and from a bundle. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, resolve } from "node:path";
import { before, test } from "node:test";
import { build } from "vite";
import { launch } from "./browser.mjs";

const folder = resolve("target/wasm-package/consumer");
const document = "```sh\nkubectl auth can-i list pods --as jane\n```\n";

before(() => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), '{"name": "consumer", "private": true, "type": "module"}');
  const npm = (...words) => execFileSync("npm", [...words, "--offline", "--no-audit", "--no-fund"], { cwd: folder, encoding: "utf8" });
  npm("pack", resolve("target/wasm-package/web"), "--silent");
  const [tarball] = readdirSync(folder).filter((name) => name.endsWith(".tgz"));
  npm("install", `./${tarball}`);
});

test("the package holds its declarations and its README", () => {
  const installed = readdirSync(join(folder, "node_modules/portcullis-wasm"));
  for (const name of ["README.md", "package.json", "portcullis_wasm.d.ts", "portcullis_wasm.js", "portcullis_wasm_bg.wasm"]) {
    assert.ok(installed.includes(name), name);
  }
});

test("the README lists what there is, and what throws", () => {
  const declarations = readFileSync(join(folder, "node_modules/portcullis-wasm/portcullis_wasm.d.ts"), "utf8");
  const readme = readFileSync("crates/wasm/README.md", "utf8");
  // What runs when the module is loaded, and what loads it.
  const own = ["start", "initSync"];
  const names = [...declarations.matchAll(/^export function (\w+)/gm)].map(([, name]) => name).filter((name) => !own.includes(name));
  assert.deepEqual(names.filter((name) => !readme.includes(`\`${name}(`)), []);
  const given = { evaluate: ["a.md", "```yaml\n[\n```"], answer: ["a.md", "```sh\n'"], access: ["a.md", "```yaml\n[\n```", "", "", "x"], inspect: ["[", "", [122]], audit: ["[", 1, "x"], secrets: ["```yaml\n["], redact: ["```yaml\n["] };
  writeFileSync(
    join(folder, "throws.js"),
    `${/## In Node\n\n```js\n(.*?)```/s.exec(readme)[1]}
import * as all from "portcullis-wasm";
const throws = Object.entries(${JSON.stringify(given)}).filter(([name, given]) => {
  try {
    all[name](...given);
  } catch (error) {
    return error.constructor === Error;
  }
});
console.log(throws.map(([name]) => name).join());`,
  );
  assert.equal(execFileSync("node", ["throws.js"], { cwd: folder, encoding: "utf8" }).trim(), "inspect,audit");
  const told = readme.split("\n").filter((row) => row.includes("throws a sentence"));
  assert.deepEqual(told.map((row) => /`(\w+)\(/.exec(row)[1]).sort(), ["audit", "inspect"]);
});

test("Node calls it, as the README says", () => {
  const readme = readFileSync(join(folder, "node_modules/portcullis-wasm/README.md"), "utf8");
  const [, script] = /## In Node\n\n```js\n(.*?)```/s.exec(readme);
  writeFileSync(join(folder, "node.js"), `${script}\nconsole.log(evaluate("a.md", ${JSON.stringify(document)}).steps[0].output);`);
  assert.equal(execFileSync("node", ["node.js"], { cwd: folder, encoding: "utf8" }).trim(), "no");
});

/** What a page prints whose module script is at `path` below `root`. */
async function shown(root, path) {
  const types = { ".js": "text/javascript", ".wasm": "application/wasm" };
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    if (pathname === "/") {
      response.setHeader("content-type", "text/html");
      response.end(`<!doctype html><link rel="icon" href="data:,"><script type="module" src="${path}"></script>`);
      return;
    }
    response.setHeader("content-type", types[extname(pathname)] ?? "application/octet-stream");
    response.end(readFileSync(join(root, pathname)));
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const browser = await launch();
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    await page.waitForFunction(() => window.document.title !== "");
    return await page.title();
  } finally {
    await browser.close();
    server.close();
  }
}

const script = (from) => `import load, { evaluate } from "${from}";\nawait load();\ndocument.title = evaluate("a.md", ${JSON.stringify(document)}).steps[0].output.trim();\n`;

test("a plain module script calls it", async () => {
  writeFileSync(join(folder, "plain.js"), script("./node_modules/portcullis-wasm/portcullis_wasm.js"));
  assert.equal(await shown(folder, "/plain.js"), "no");
});

test("a bundle calls it", async () => {
  writeFileSync(join(folder, "bundled.js"), script("portcullis-wasm"));
  await build({
    root: folder,
    configFile: false,
    logLevel: "error",
    build: { target: "es2023", rollupOptions: { input: join(folder, "bundled.js"), output: { entryFileNames: "bundled.js" } } },
  });
  assert.equal(await shown(join(folder, "dist"), "/bundled.js"), "no");
});
