// What of a probed module runs until a page has its first verdicts: the numbers of the stretches of code, as JSON.
// node ran.mjs SCRIPT WASM ADDRESS STRETCHES DOCUMENT..

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [script, wasm, address, stretches, ...documents] = process.argv.slice(2);
const module = new WebAssembly.Module(readFileSync(wasm));
const ran = new Set();
// Hashes and the allocator go by addresses, so each time it allocates somewhere else.
for (let pages = 0; pages < 20; pages += 1) {
  const portcullis = await import(`${pathToFileURL(script)}?${pages}`);
  const { memory } = portcullis.initSync({ module });
  memory.grow(pages);
  // As the page's worker does.
  portcullis.watch(() => {});
  portcullis.entropy(new Uint8Array(16).fill(pages));
  for (const document of documents) portcullis.answer("document.md", readFileSync(document, "utf8"));
  const marks = new Uint8Array(memory.buffer, Number(address), Number(stretches));
  for (const [index, mark] of marks.entries()) if (mark) ran.add(index);
}
console.log(JSON.stringify([...ran]));
