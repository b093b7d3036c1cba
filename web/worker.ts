/** The engine: wasm in a thread of its own, so that no document can hold up the page. */

import load, { access, evaluate, inspect, redact, secrets, version } from "portcullis-wasm";
import type { Answer, Calls, Question } from "./engine.ts";

const tell = (answer: Answer) => postMessage(answer);

/** A module that has trapped is dead: whatever goes wrong, the page starts another worker. */
const failed = (error: unknown) => tell({ kind: "failed", message: error instanceof Error ? error.message : String(error) });

const calls: Calls = {
  secrets: (document) => ({ names: secrets(document), redacted: redact(document) }),
  access: (document, namespace, subject, resource) => access("document.md", document, namespace, subject, resource),
  inspect: (config, key, dump) => inspect(config, key, dump),
};

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

const loaded = load();

addEventListener("message", async ({ data }: MessageEvent<Question>) => {
  try {
    await loaded;
    if (data.kind === "call") {
      answer(data);
      return;
    }
    const start = performance.now();
    const report = evaluate("document.md", data.document);
    tell({ kind: "report", id: data.id, report, milliseconds: performance.now() - start });
  } catch (error) {
    failed(error);
  }
});

loaded.then(() => tell({ kind: "ready", version: version() }), failed);
