/**
 * The engine in a thread of its own, so that no document can hold up the page.
 *
 * Verdicts begin with the first part of its wasm: the code that ran for the page's first example, and traps in all other places.
 * When the page has drawn one, the whole is loaded and takes over; a document that needs it earlier waits for it.
 */

import * as firstScript from "portcullis-wasm";
import * as wholeScript from "portcullis-whole";
import { type Answer, type Call, OF_NEWEST, type Parts, type Piece, type Progress, type Question } from "./protocol.ts";
import { type Runtime, isRefusal, start } from "./runtime.ts";

/** What a shared worker has, and one of the page's own has not. */
const scope = globalThis as { onconnect?: ((event: MessageEvent) => void) | null };
const isShared = "onconnect" in scope;

/** One page that asks: the only one of a worker, or one of the playgrounds that share it. */
interface Client {
  tell(answer: Answer): void;
  /** The pieces of its newest document, and what came of the next one. */
  pieces: string[];
  slices: string[];
}

const clients = new Set<Client>();
/** Whose document was run last. */
let current: Client | undefined;

/** A module that has trapped is dead: whatever goes wrong, whoever asked starts another worker, and so do all who shared it. */
function failed(error: unknown, by?: Client, id?: number): void {
  const message = error instanceof Error ? error.message : String(error);
  for (const client of clients) client.tell(by && client !== by ? { kind: "gone" } : { kind: "failed", id, message });
  close();
}

async function compile(address: URL): Promise<WebAssembly.Module> {
  try {
    return await WebAssembly.compileStreaming(fetch(address));
  } catch {
    // Some hosts do not say that it is wasm.
    const response = await fetch(address);
    if (!response.ok) throw new Error(`its code came with status ${response.status}`);
    return WebAssembly.compile(await response.arrayBuffer());
  }
}

/** The question at hand, and when the page last heard of it. */
let asked = { id: 0, told: 0 };

function progress(what: Progress["what"], done: number, total: number): void {
  // Only what takes long says how far it is.
  if (performance.now() - asked.told < 50) return;
  asked.told = performance.now();
  current?.tell({ kind: "progress", id: asked.id, progress: { what, done, total } });
}

const entropy = crypto.getRandomValues(new Uint8Array(16));

/** The first part, until it traps or the whole is there; then the whole. */
let engine: Runtime | undefined;

const ready = compile(new URL("../target/wasm-page/portcullis_wasm_bg.wasm", import.meta.url)).then(async (module) => {
  engine = await start(firstScript, { module, entropy }, progress);
});

/** What the whole is made of, when it is there. */
let whole: Parts | undefined;
let loading: Promise<boolean> | undefined;

/** Loads the whole, once, and says whether it is there. Where the network fails, whatever needs it next tries again. */
function complete(): Promise<boolean> {
  loading ??= (async () => {
    try {
      const module = await compile(new URL("../target/wasm-page/portcullis_whole_bg.wasm", import.meta.url));
      engine = await start(wholeScript, { module, entropy }, progress);
      // It has not run anybody's document.
      current = undefined;
      whole = { module, entropy };
      for (const client of clients) tellComplete(client);
    } catch {
      loading = undefined;
    }
    return whole !== undefined;
  })();
  return loading;
}

/** No module gets out of a shared worker. */
function tellComplete(client: Client): void {
  client.tell(whole && !isShared ? { kind: "complete", parts: whole } : { kind: "complete" });
}

function receive(client: Client, piece: Piece): string {
  if ("text" in piece) return piece.text;
  if ("slices" in piece) return client.slices.splice(0, piece.slices).join("");
  const before = client.pieces[piece.like] ?? "";
  const { from, to, insert } = piece.difference ?? { from: 0, to: 0, insert: "" };
  return before.slice(0, from) + insert + before.slice(to);
}

/** The report of a client's newest document; none where it needs what is not there. */
function report(client: Client) {
  current = client;
  try {
    return engine?.report(client.pieces.join(""));
  } catch (error) {
    if (whole) throw error;
    engine = undefined;
    return undefined;
  }
}

function answer({ calls }: Runtime, client: Client, { id, name, given }: Call): void {
  try {
    // These are about the newest document of whoever asks.
    if (OF_NEWEST.includes(name) && current !== client) report(client);
    // And this one runs the document that it is given.
    if (name === "access") current = undefined;
    const call = calls[name] as (...given: unknown[]) => unknown;
    client.tell({ kind: "answer", id, answer: call(...given) });
  } catch (error) {
    if (!isRefusal(error)) throw error;
    client.tell({ kind: "refused", id, message: error.message });
  }
}

function run(client: Client, id: number): Answer | undefined {
  const started = performance.now();
  asked = { id, told: started };
  const made = report(client);
  return made && { kind: "report", id, report: made, milliseconds: performance.now() - started };
}

/** The whole, when it is there; none where the network fails. */
async function wholeFor(client: Client, id: number): Promise<Runtime | undefined> {
  if (!whole) client.tell({ kind: "loading", id });
  return (await complete()) ? engine : undefined;
}

async function hear(client: Client, data: Question): Promise<void> {
  try {
    if (data.kind === "slice") {
      client.slices.push(data.text);
      return;
    }
    if (data.kind === "whole") {
      void complete();
      return;
    }
    if (data.kind === "bye") {
      leave(client);
      return;
    }
    if (data.kind === "report") client.pieces = data.pieces.map((piece) => receive(client, piece));
    await ready;
    const { id } = data;
    if (data.kind === "report") {
      const made = run(client, id) ?? ((await wholeFor(client, id)) && run(client, id));
      client.tell(made ?? { kind: "incomplete", id });
      return;
    }
    const engine = await wholeFor(client, id);
    if (engine) answer(engine, client, data);
    else client.tell({ kind: "incomplete", id });
  } catch (error) {
    failed(error, client, "id" in data ? data.id : undefined);
  }
}

/** Nobody is there any more who could ask. */
function leave(client: Client): void {
  clients.delete(client);
  if (current === client) current = undefined;
}

/** Serves whoever is at the other end. */
function serve(port: { postMessage(answer: Answer): void; onmessage: ((event: MessageEvent<Question>) => void) | null }): void {
  const client: Client = { tell: (answer) => port.postMessage(answer), pieces: [], slices: [] };
  clients.add(client);
  port.onmessage = ({ data }) => void hear(client, data);
  ready.then(() => {
    client.tell({ kind: "ready" });
    if (whole) tellComplete(client);
  }, failed);
}

if (isShared) {
  scope.onconnect = ({ ports: [port] }) => {
    if (port) serve(port);
  };
} else serve(globalThis as unknown as Parameters<typeof serve>[0]);
