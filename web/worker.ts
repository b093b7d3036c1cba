/** The engine: wasm in a thread of its own, so that no document can hold up the page. */

import load, { access, answer as run, audit, etcd, graph, inspect, redact, secrets, version, watch } from "portcullis-wasm";
import type { Answer, Calls, Piece, Progress, Question } from "./engine.ts";

const tell = (answer: Answer) => postMessage(answer);

/** A module that has trapped is dead: whatever goes wrong, the page starts another worker. */
const failed = (error: unknown) => tell({ kind: "failed", message: error instanceof Error ? error.message : String(error) });

const calls: Calls = {
  secrets: (document) => ({ names: secrets(document), redacted: redact(document) }),
  access: (document, namespace, subject, resource) => access("document.md", document, namespace, subject, resource),
  graph: () => graph(),
  etcd: () => etcd(),
  inspect: (config, key, dump) => inspect(config, key, dump),
  audit: (policy, line, requests) => audit(policy, line, requests),
};

/** The pieces of the newest document, and what came of the next one. */
let pieces: string[] = [];
let slices: string[] = [];

function receive(piece: Piece): string {
  if ("text" in piece) return piece.text;
  if ("slices" in piece) return slices.splice(0, piece.slices).join("");
  const before = pieces[piece.like] ?? "";
  const { from, to, insert } = piece.difference ?? { from: 0, to: 0, insert: "" };
  return before.slice(0, from) + insert + before.slice(to);
}

/** An error that a call throws is about its arguments; a trap is the module's end. */
function answer({ id, name, given }: Extract<Question, { kind: "call" }>): void {
  try {
    const call = calls[name] as (...given: unknown[]) => unknown;
    tell({ kind: "answer", id, answer: call(...given) });
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError) throw error;
    tell({ kind: "refused", id, message: error instanceof Error ? error.message : String(error) });
  }
}

/** The question at hand, and when the page last heard of it. */
let asked = { id: 0, told: 0 };

function progress(what: Progress["what"], done: number, total: number): void {
  // Only what takes long says how far it is.
  if (performance.now() - asked.told < 50) return;
  asked.told = performance.now();
  tell({ kind: "progress", id: asked.id, progress: { what, done, total } });
}

const loaded = load().then(() => watch(progress));

addEventListener("message", async ({ data }: MessageEvent<Question>) => {
  try {
    await loaded;
    if (data.kind === "call") {
      answer(data);
      return;
    }
    if (data.kind === "slice") {
      slices.push(data.text);
      return;
    }
    pieces = data.pieces.map(receive);
    const start = performance.now();
    asked = { id: data.id, told: start };
    const report = run("document.md", pieces.join(""));
    tell({ kind: "report", id: data.id, report, milliseconds: performance.now() - start });
  } catch (error) {
    failed(error);
  }
});

loaded.then(() => tell({ kind: "ready", version: version() }), failed);
