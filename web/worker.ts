/**
 * The engine: wasm in a thread of its own, so that no document can hold up the page.
 *
 * Its wasm comes in two parts. Verdicts begin with the first, and the rest is loaded when the page has drawn one. A document
 * that needs the rest before it is there ends the worker, and the next one starts with both.
 */

import load, { access, answer as run, audit, entropy, etcd, graph, inspect, redact, secrets, version, watch } from "portcullis-wasm";
import type { Answer, Calls, Piece, Progress, Question, WorkerName } from "./engine.ts";

/** What a worker of either kind has of its own. */
const scope = globalThis as unknown as { name: WorkerName; onconnect?: ((event: MessageEvent) => void) | null };

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

/** Whether a document needed what is not there. */
let lacking = false;

/** Nobody is served from here on. */
function lack(): void {
  lacking = true;
  for (const client of clients) client.tell({ kind: "lacking" });
  clients.clear();
  // Whoever connects to a worker that is closing never hears of it: for a while, each is told.
  setTimeout(close, 2_000);
}

/** A module that has trapped is dead: whatever goes wrong, whoever asked starts another worker, and so do all who shared it. */
function failed(error: unknown, by?: Client): void {
  const message = error instanceof Error ? error.message : String(error);
  for (const client of clients) client.tell(by && client !== by ? { kind: "gone" } : { kind: "failed", message });
  close();
}

const calls: Calls = {
  secrets: (document) => ({ names: secrets(document), redacted: redact(document) }),
  access: (document, namespace, subject, resource) => access("document.md", document, namespace, subject, resource),
  graph: () => graph(),
  etcd: () => etcd(),
  inspect: (config, key, dump) => inspect(config, key, dump),
  audit: (policy, line, requests) => audit(policy, line, requests),
};

function receive(client: Client, piece: Piece): string {
  if ("text" in piece) return piece.text;
  if ("slices" in piece) return client.slices.splice(0, piece.slices).join("");
  const before = client.pieces[piece.like] ?? "";
  const { from, to, insert } = piece.difference ?? { from: 0, to: 0, insert: "" };
  return before.slice(0, from) + insert + before.slice(to);
}

function report(client: Client) {
  current = client;
  return run("document.md", client.pieces.join(""));
}

/** An error that a call throws is about its arguments; a trap is the module's end. */
function answer(client: Client, { id, name, given }: Extract<Question, { kind: "call" }>): void {
  try {
    // These are about the newest document of whoever asks.
    if ((name === "graph" || name === "etcd" || name === "audit") && current !== client) report(client);
    // And this one runs the document that it is given.
    if (name === "access") current = undefined;
    const call = calls[name] as (...given: unknown[]) => unknown;
    client.tell({ kind: "answer", id, answer: call(...given) });
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError) throw error;
    client.tell({ kind: "refused", id, message: error instanceof Error ? error.message : String(error) });
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

const first = load().then((exports) => {
  watch(progress);
  entropy(crypto.getRandomValues(new Uint8Array(16)));
  return exports as unknown as WebAssembly.ModuleImports;
});

/** Whether the rest is there. */
let complete = false;
let rest: Promise<boolean> | undefined;

/** Loads the rest, once, and says whether it is there. Where the network fails, whatever needs it next tries again. */
function completed(): Promise<boolean> {
  rest ??= (async () => {
    const imports = { first: await first };
    try {
      const response = await fetch(new URL("../target/wasm-page/portcullis_wasm_rest.wasm", import.meta.url));
      if (!response.ok) throw new Error(response.statusText);
      await WebAssembly.instantiate(await response.arrayBuffer(), imports);
      complete = true;
      for (const client of clients) client.tell({ kind: "complete" });
    } catch {
      rest = undefined;
    }
    return complete;
  })();
  return rest;
}

/** Whether a document has needed more than the first part. */
const whole = scope.name === "portcullis, whole";

const ready: Promise<unknown> = whole ? first.then(completed) : first;

async function hear(client: Client, data: Question): Promise<void> {
  try {
    if (data.kind === "slice") {
      client.slices.push(data.text);
      return;
    }
    if (data.kind === "rest") {
      void completed();
      return;
    }
    if (data.kind === "report") client.pieces = data.pieces.map((piece) => receive(client, piece));
    await ready;
    if ((whole || data.kind === "call") && !(await completed())) {
      client.tell({ kind: "incomplete", id: data.id });
      return;
    }
    if (lacking) return;
    if (data.kind === "call") {
      answer(client, data);
      return;
    }
    const start = performance.now();
    asked = { id: data.id, told: start };
    const made = report(client);
    client.tell({ kind: "report", id: data.id, report: made, milliseconds: performance.now() - start });
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError && !complete) lack();
    else failed(error, client);
  }
}

/** Serves whoever is at the other end. */
function serve(port: { postMessage(answer: Answer): void; onmessage: ((event: MessageEvent<Question>) => void) | null }): void {
  const client: Client = { tell: (answer) => port.postMessage(answer), pieces: [], slices: [] };
  if (lacking) {
    client.tell({ kind: "lacking" });
    return;
  }
  clients.add(client);
  port.onmessage = ({ data }) => void hear(client, data);
  ready.then(() => {
    if (lacking) return;
    client.tell({ kind: "ready", version: version() });
    if (complete) client.tell({ kind: "complete" });
  }, failed);
}

if ("onconnect" in scope) {
  scope.onconnect = ({ ports: [port] }) => {
    if (port) serve(port);
  };
} else serve(globalThis as unknown as Parameters<typeof serve>[0]);
