/** The engine: wasm in a thread of its own, so that no document can hold up the page. */

import load, { access, answer as run, audit, entropy, etcd, graph, inspect, redact, secrets, version, watch } from "portcullis-wasm";
import type { Answer, Calls, Piece, Progress, Question } from "./engine.ts";

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

const loaded = load().then(() => {
  watch(progress);
  entropy(crypto.getRandomValues(new Uint8Array(16)));
});

async function hear(client: Client, data: Question): Promise<void> {
  try {
    await loaded;
    if (data.kind === "call") {
      answer(client, data);
      return;
    }
    if (data.kind === "slice") {
      client.slices.push(data.text);
      return;
    }
    client.pieces = data.pieces.map((piece) => receive(client, piece));
    const start = performance.now();
    asked = { id: data.id, told: start };
    const made = report(client);
    client.tell({ kind: "report", id: data.id, report: made, milliseconds: performance.now() - start });
  } catch (error) {
    failed(error, client);
  }
}

/** Serves whoever is at the other end. */
function serve(port: { postMessage(answer: Answer): void; onmessage: ((event: MessageEvent<Question>) => void) | null }): void {
  const client: Client = { tell: (answer) => port.postMessage(answer), pieces: [], slices: [] };
  clients.add(client);
  port.onmessage = ({ data }) => void hear(client, data);
  loaded.then(() => client.tell({ kind: "ready", version: version() }), failed);
}

const scope = globalThis as unknown as { onconnect?: ((event: MessageEvent) => void) | null };
if ("onconnect" in scope) {
  scope.onconnect = ({ ports: [port] }) => {
    if (port) serve(port);
  };
} else serve(globalThis as unknown as Parameters<typeof serve>[0]);
