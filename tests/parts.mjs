// Parts of the wasm, wherever it was cut, against the whole: `node tests/parts.mjs FOLDER` with its first.wasm and rest.wasm.

import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [folder] = process.argv.slice(2);
const read = (path) => readFileSync(path, "utf8");
const compiled = (path) => new WebAssembly.Module(readFileSync(path));
const glue = pathToFileURL(resolve("target/wasm-page/portcullis_wasm.js"));

/** An engine, with what completes its module as soon as there is one: here the very start may need the rest. */
async function engine(name, module, complete) {
  const portcullis = await import(`${glue}?${name}`);
  const { Instance } = WebAssembly;
  WebAssembly.Instance = function (module, imports) {
    const instance = new Instance(module, imports);
    complete((rest) => new Instance(rest, { first: instance.exports }));
    return instance;
  };
  portcullis.initSync({ module });
  WebAssembly.Instance = Instance;
  portcullis.watch(() => {});
  portcullis.entropy(new Uint8Array(16));
  return portcullis;
}

const whole = await engine("whole", compiled("target/wasm-page/bound.wasm"), () => undefined);
const rest = compiled(join(folder, "rest.wasm"));
const parts = await engine("parts", compiled(join(folder, "first.wasm")), (instantiate) => instantiate(rest));

const vectors = ["../shared/vectors/1.7/http", "tests/vectors/1.7/http"].find(existsSync);
const folders = ["examples", "tests/transcripts", "../shared/acceptance", vectors].filter(existsSync);
const documents = folders.flatMap((folder) => readdirSync(folder).filter((name) => name.endsWith(".md")).map((name) => join(folder, name)));
assert.ok(documents.length > 10);
for (const document of documents) {
  const text = read(document);
  const all = ({ evaluate, access, secrets, redact }) => [
    evaluate(document, text),
    access(document, text, "default", "", ""),
    secrets(text),
    redact(text),
    evaluate(document, text.slice(0, text.length / 2)),
  ];
  assert.deepEqual(all(parts), all(whole), document);
}
console.log(`   ${documents.length} documents, and half of each: the parts do what the whole does`);
