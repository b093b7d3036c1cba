/** The two forms of the page's wasm against the package's: the whole, built for speed, does the same, and the first part does it or traps. */

import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

const read = (path) => readFileSync(path, "utf8");
const compiled = (path) => new WebAssembly.Module(readFileSync(path));

let engines = 0;

/** An engine. Each needs its own copy of the script, which holds one module for good. */
async function engine(folder, name, pages = 0) {
  engines += 1;
  const portcullis = await import(`${pathToFileURL(resolve(folder, `${name}.js`))}?${engines}`);
  const exports = portcullis.initSync({ module: compiled(join(folder, `${name}_bg.wasm`)) });
  // What it allocates comes behind these.
  exports.memory.grow(pages);
  portcullis.watch(() => {});
  portcullis.entropy(new Uint8Array(16));
  return portcullis;
}

const packaged = () => engine("target/wasm-package/web", "portcullis_wasm");
const first = (pages) => engine("target/wasm-page", "portcullis_wasm", pages);
const whole = () => engine("target/wasm-page", "portcullis_whole");

/** All recorded answers where they lie beside the checkout, as `tests/vectors.rs` has it. */
const vectors = ["../shared/vectors/1.7", "tests/vectors/1.7"].find(existsSync);
const folders = ["examples", "tests/transcripts", "../shared/acceptance", join(vectors, "http")].filter(existsSync);
const documents = folders.flatMap((folder) =>
  readdirSync(folder).filter((name) => name.endsWith(".md")).map((name) => ({ name: join(folder, name), text: read(join(folder, name)) })),
);

/** Each as it is and cut off in the middle, as it is while somebody types. */
const typed = documents.flatMap(({ name, text }) => [{ name, text }, { name: `half of ${name}`, text: text.slice(0, text.length / 2) }]);

/** What the first part is made for. */
const made = JSON.parse(/^documents = (\[[^\]]*\])/m.exec(read("wasm-pack.toml"))[1]);

/** What `ask` gives, or the sentence that it throws. A module's end is no answer. */
function outcome(ask) {
  try {
    return { answer: ask() };
  } catch (error) {
    if (error.constructor !== Error) throw error;
    return { error: String(error) };
  }
}

/** All that a page may ask about a document. */
const all = (engine, { text }) => ({
  report: engine.answer("document.md", text),
  graph: engine.graph(),
  etcd: engine.etcd(),
  subject: engine.access("document.md", text, "default", "jane", ""),
  resource: engine.access("document.md", text, "", "", "secrets"),
  secrets: engine.secrets(text),
  redacted: engine.redact(text),
});

test("the whole gives the answers of the package", async () => {
  const [page, one] = [await whole(), await packaged()];
  assert.ok(typed.length > 20);
  for (const document of typed) assert.deepEqual(all(page, document), all(one, document), document.name);
});

test("the first part answers what it is made for, wherever in memory things come to lie", async () => {
  const one = await packaged();
  for (const document of made) {
    const text = read(document);
    const report = one.answer("document.md", text);
    // Hashes begin with addresses.
    for (let pages = 0; pages < 40; pages += 1) {
      const alone = await first(pages);
      assert.deepEqual(alone.answer("document.md", text), report, `${document}, behind ${pages} pages`);
    }
  }
});

test("the first part gives the answer of the package, or traps", async () => {
  const one = await packaged();
  for (const { name, text } of typed) {
    const alone = await first();
    let report;
    try {
      report = alone.answer("document.md", text);
    } catch (error) {
      assert.ok(error instanceof WebAssembly.RuntimeError, `${name}: ${error}`);
      assert.match(error.message, /unreachable|null function/, name);
      continue;
    }
    assert.deepEqual(report, one.answer("document.md", text), name);
  }
});

test("the whole opens what the package opens, and says the same of an audit policy", async () => {
  const [page, one] = [await whole(), await packaged()];
  const lines = (path) => read(join(vectors, path)).trim().split("\n").map((line) => JSON.parse(line));
  const values = [...lines("etcd/encrypted.jsonl"), ...lines("etcd/values.jsonl")];
  for (const { config = "", key, value } of values) {
    const dump = new TextEncoder().encode(value);
    assert.deepEqual(outcome(() => page.inspect(config, key, dump)), outcome(() => one.inspect(config, key, dump)), key);
  }
  const policy = read(join(vectors, "audit/01/policy.yaml"));
  const requests = ["root DELETE /api/v1/namespaces/default/secrets/db", "jane GET /api/v1/pods?watch=true", "nobody", ""].join("\n");
  for (const text of [policy, "kind: [", ""]) {
    assert.deepEqual(outcome(() => page.audit(text, 1, requests)), outcome(() => one.audit(text, 1, requests)));
  }
});

test("an engine imports nothing that could connect", () => {
  for (const [folder, name] of [["target/wasm-page", "portcullis_wasm"], ["target/wasm-page", "portcullis_whole"], ["target/wasm-package/web", "portcullis_wasm"]]) {
    const imported = WebAssembly.Module.imports(compiled(join(folder, `${name}_bg.wasm`))).map((each) => each.name);
    assert.ok(imported.length > 0);
    // What the script gives the module by these names, and nothing else of it, is within the module's reach.
    const script = read(join(folder, `${name}.js`));
    const given = script.slice(script.indexOf("function __wbg_get_imports"), script.indexOf("\n}\n", script.indexOf("function __wbg_get_imports")));
    for (const word of imported) assert.ok(given.includes(word), word);
    assert.doesNotMatch(given, /fetch|XMLHttpRequest|WebSocket|WebTransport|EventSource|sendBeacon|importScripts|import\(|Worker|eval|Function\(/);
  }
});
