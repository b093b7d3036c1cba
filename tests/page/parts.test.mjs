/** The two parts of the page's wasm against the whole, which the package holds: together they do the same, and the first alone does it or traps. */

import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

const read = (path) => readFileSync(path, "utf8");
const compiled = (path) => new WebAssembly.Module(readFileSync(path));
const part = { first: compiled("target/wasm-page/portcullis_wasm_bg.wasm"), rest: compiled("target/wasm-page/portcullis_wasm_rest.wasm") };
const theWhole = compiled("target/wasm-package/web/portcullis_wasm_bg.wasm");

let engines = 0;

/** An engine as the page's worker starts it. Each needs its own copy of the glue, which holds one module for good. */
async function engine(folder, module, pages = 0) {
  engines += 1;
  const portcullis = await import(`${pathToFileURL(resolve(folder, "portcullis_wasm.js"))}?${engines}`);
  const exports = portcullis.initSync({ module });
  // What it allocates comes behind these.
  exports.memory.grow(pages);
  portcullis.watch(() => {});
  portcullis.entropy(new Uint8Array(16));
  return { ...portcullis, complete: () => new WebAssembly.Instance(part.rest, { first: exports }) };
}

const whole = () => engine("target/wasm-package/web", theWhole);
const first = (pages) => engine("target/wasm-page", part.first, pages);

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

/** What `ask` gives, or the sentence that it throws. A trap is no answer. */
function outcome(ask) {
  try {
    return { answer: ask() };
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError) throw error;
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

test("both parts give the answers of the whole", async () => {
  const [parts, one] = [await first(), await whole()];
  parts.complete();
  assert.ok(typed.length > 20);
  for (const document of typed) assert.deepEqual(all(parts, document), all(one, document), document.name);
});

test("the rest joins a first part that has answered", async () => {
  const [parts, one] = [await first(), await whole()];
  for (const name of made) assert.deepEqual(parts.answer("document.md", read(name)), one.answer("document.md", read(name)), name);
  parts.complete();
  // What was made for one document serves the next.
  for (const document of documents) assert.deepEqual(all(parts, document), all(one, document), document.name);
});

test("the first part answers what it is made for, wherever in memory things come to lie", async () => {
  const one = await whole();
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

test("the first part alone gives the answer of the whole, or traps", async () => {
  const one = await whole();
  for (const { name, text } of typed) {
    const alone = await first();
    let report;
    try {
      report = alone.answer("document.md", text);
    } catch (error) {
      assert.ok(error instanceof WebAssembly.RuntimeError, `${name}: ${error}`);
      assert.match(error.message, /null function/, name);
      continue;
    }
    assert.deepEqual(report, one.answer("document.md", text), name);
  }
});

test("both parts open what the whole opens, and say the same of an audit policy", async () => {
  const [parts, one] = [await first(), await whole()];
  parts.complete();
  const lines = (path) => read(join(vectors, path)).trim().split("\n").map((line) => JSON.parse(line));
  const values = [...lines("etcd/encrypted.jsonl"), ...lines("etcd/values.jsonl")];
  for (const { config = "", key, value } of values) {
    const dump = new TextEncoder().encode(value);
    assert.deepEqual(outcome(() => parts.inspect(config, key, dump)), outcome(() => one.inspect(config, key, dump)), key);
  }
  const policy = read(join(vectors, "audit/01/policy.yaml"));
  const requests = ["root DELETE /api/v1/namespaces/default/secrets/db", "jane GET /api/v1/pods?watch=true", "nobody", ""].join("\n");
  for (const text of [policy, "kind: [", ""]) {
    assert.deepEqual(outcome(() => parts.audit(text, 1, requests)), outcome(() => one.audit(text, 1, requests)));
  }
});
