/**
 * The engine in the thread that it runs in: a worker's, or the page's own. It runs a document here and now, so whoever asks waits.
 *
 * One that throws anything but a refusal is dead.
 */

import type * as Script from "portcullis-wasm";
import type { Report } from "portcullis-wasm";
import type { Calls, Parts } from "./protocol.ts";

export interface Runtime {
  /** Runs a document. Nothing comes of one that takes longer than `until`, a time of `performance.now()`. */
  report(document: string, until?: number): Report | undefined;
  /** What else can be asked. */
  calls: Calls;
}

/**
 * Whether an error is the engine's own sentence about what a call was given. All else, a trap or a stack that is full, ends a module
 * in the middle of its work.
 */
export const isRefusal = (error: unknown): error is Error => error instanceof Error && error.constructor === Error;

/** An engine; a `script` serves one for good. While it runs a document it calls `tell`. */
export async function start(script: typeof Script, { module, entropy }: Parts, tell?: Parameters<typeof Script.watch>[0]): Promise<Runtime> {
  await script.default({ module_or_path: module });
  if (tell) script.watch(tell);
  script.entropy(entropy);
  return {
    report: (document, until) => script.answer("document.md", document, until),
    calls: {
      secrets: (document) => ({ names: script.secrets(document), redacted: script.redact(document) }),
      access: (document, namespace, subject, resource) => script.access("document.md", document, namespace, subject, resource),
      graph: script.graph,
      etcd: script.etcd,
      inspect: script.inspect,
      audit: script.audit,
    },
  };
}
