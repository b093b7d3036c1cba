/**
 * The engine in the thread that it runs in: a worker's, or the page's own. It runs a document here and now, so whoever asks waits.
 *
 * One that has trapped is dead.
 */

import type * as Script from "portcullis-wasm";
import type { Report } from "portcullis-wasm";
import type { Calls } from "./engine.ts";

/** What an engine is made of, and one in another thread that is to give the same answers. */
export interface Parts {
  module: WebAssembly.Module;
  /** Where documents with `seed: random` draw from. */
  entropy: Uint8Array;
}

/** These are about the document that was run last. */
export const OF_NEWEST: readonly (keyof Calls)[] = ["graph", "etcd", "audit"];

export interface Runtime {
  /** Runs a document. Nothing comes of one that takes longer than `until`, a time of `performance.now()`. */
  report(document: string, until?: number): Report | undefined;
  /** What else can be asked. */
  calls: Calls;
}

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
