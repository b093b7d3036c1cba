/** The engine: wasm in a thread of its own, so that no document can hold up the page. */

import load, { evaluate, redact, secrets, version } from "portcullis-wasm";
import type { Answer, Question } from "./engine.ts";

const tell = (answer: Answer) => postMessage(answer);

/** A module that has trapped is dead: whatever goes wrong, the page starts another worker. */
const failed = (error: unknown) => tell({ kind: "failed", message: error instanceof Error ? error.message : String(error) });

addEventListener("message", ({ data }: MessageEvent<Question>) => {
  try {
    if (data.kind === "secrets") {
      tell({ kind: "secrets", id: data.id, secrets: { names: secrets(data.document), redacted: redact(data.document) } });
      return;
    }
    const start = performance.now();
    const report = evaluate("document.md", data.document);
    tell({ kind: "report", id: data.id, report, milliseconds: performance.now() - start });
  } catch (error) {
    failed(error);
  }
});

load().then(() => tell({ kind: "ready", version: version() }), failed);
