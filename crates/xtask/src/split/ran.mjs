// What of a probed module runs until a page has its first verdicts: the numbers of the stretches of code, as JSON.
// node ran.mjs PACKAGE WASM ADDRESS STRETCHES DOCUMENT..

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [glue, wasm, address, stretches, ...documents] = process.argv.slice(2);
const portcullis = await import(pathToFileURL(glue));
const { memory } = portcullis.initSync({ module: readFileSync(wasm) });
// As the page's worker does.
portcullis.watch(() => {});
portcullis.entropy(new Uint8Array(16));
portcullis.version();
for (const document of documents) portcullis.answer("document.md", readFileSync(document, "utf8"));
const ran = new Uint8Array(memory.buffer, Number(address), Number(stretches));
console.log(JSON.stringify([...ran.keys()].filter((index) => ran[index])));
