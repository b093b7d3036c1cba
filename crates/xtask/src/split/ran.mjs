// Which functions of a probed module run until a page has its first verdicts: their numbers, as JSON.
// node ran.mjs PACKAGE WASM ADDRESS FUNCTIONS DOCUMENT..

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [glue, wasm, address, functions, ...documents] = process.argv.slice(2);
const portcullis = await import(pathToFileURL(glue));
const { memory } = portcullis.initSync({ module: readFileSync(wasm) });
// As the page's worker does.
portcullis.watch(() => {});
portcullis.entropy(new Uint8Array(16));
portcullis.version();
for (const document of documents) portcullis.answer("document.md", readFileSync(document, "utf8"));
const ran = new Uint8Array(memory.buffer, Number(address), Number(functions));
console.log(JSON.stringify([...ran.keys()].filter((index) => ran[index])));
