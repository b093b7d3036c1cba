/**
 * The engine in its worker, as the page sees it: a document goes in, a report comes out.
 *
 * Only the newest document counts. A worker that dies or does not answer is replaced; what is typed is the page's, so
 * nothing is lost with it.
 */

import type { Access, Inspection, Report } from "portcullis-wasm";
import type { Composed } from "./document.ts";
import workerUrl from "./worker.ts?worker&url";

/** What the worker can be asked besides reports: arguments and answer by name. */
export interface Calls {
  /** What in a document is secret, and the document without it. */
  secrets(document: string): { names: string[]; redacted: string };
  /** Who may do what at a document's end. */
  access(document: string, namespace: string, subject: string, resource: string): Access;
  /** What a value of etcd holds. */
  inspect(config: string, key: string, dump: Uint8Array): Inspection;
}

type Call = { [Name in keyof Calls]: { name: Name; given: Parameters<Calls[Name]> } }[keyof Calls];

/** To the worker. */
export type Question = { kind: "report"; id: number; document: string } | ({ kind: "call"; id: number } & Call);

/** From the worker. */
export type Answer =
  | { kind: "ready"; version: string }
  | { kind: "report"; id: number; report: Report; milliseconds: number }
  | { kind: "answer"; id: number; answer: unknown }
  | { kind: "refused"; id: number; message: string }
  | { kind: "failed"; message: string };

/** What the page is told. */
export interface Listener {
  report(report: Report, of: Composed, milliseconds: number): void;
  /** The engine could not answer: why, and what happens now. */
  trouble(message: string): void;
}

/** After this long a worker counts as hanging: the longest honest answer, a dump of 50 MB, stays below. */
const PATIENCE = 20_000;

interface Policy {
  createScriptURL(url: string): string;
}

/** Browsers with Trusted Types start a worker only from an address that a policy has let through. */
const trusted = (
  globalThis as { trustedTypes?: { createPolicy(name: string, rules: Policy): Policy } }
).trustedTypes?.createPolicy("portcullis", {
  createScriptURL(url) {
    if (url !== workerUrl) throw new TypeError("only the page's own worker is started");
    return url;
  },
});

export class Engine {
  readonly #listener: Listener;
  #worker: Worker;
  #ready = false;
  #next = 1;
  #asked: { id: number; document: Composed; timer: number } | undefined;
  #waiting: Composed | undefined;
  #frame: number | undefined;
  readonly #calls = new Map<number, { resolve: (answer: unknown) => void; reject: (why: Error) => void }>();

  constructor(listener: Listener) {
    this.#listener = listener;
    this.#worker = this.#start();
  }

  /** Asks for the report of a document; one that waits is replaced by it. At most one question a frame. */
  evaluate(document: Composed): void {
    this.#waiting = document;
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = undefined;
      this.#send();
    });
  }

  /** Asks for something else than a report. Fails with what is wrong with the arguments, or when the worker dies. */
  call<Name extends keyof Calls>(name: Name, ...given: Parameters<Calls[Name]>): Promise<ReturnType<Calls[Name]>> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { resolve: resolve as (answer: unknown) => void, reject });
      this.#worker.postMessage({ kind: "call", id, name, given } as Question);
    });
  }

  #start(): Worker {
    this.#ready = false;
    const address = trusted?.createScriptURL(workerUrl) ?? workerUrl;
    const worker = new Worker(address, { type: "module", name: "portcullis" });
    worker.onmessage = (event: MessageEvent<Answer>) => this.#hear(event.data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.#fall(event.message || "the engine could not be loaded");
    };
    return worker;
  }

  #send(): void {
    if (!this.#ready || this.#asked || this.#waiting === undefined) return;
    const document = this.#waiting;
    const id = this.#next++;
    this.#waiting = undefined;
    const timer = setTimeout(() => this.#fall(`no answer for ${PATIENCE / 1000} seconds`), PATIENCE);
    this.#asked = { id, document, timer };
    this.#worker.postMessage({ kind: "report", id, document: document.text } satisfies Question);
  }

  #hear(answer: Answer): void {
    if (answer.kind === "failed") {
      this.#fall(answer.message);
      return;
    }
    if (answer.kind === "ready") this.#ready = true;
    else if (answer.kind === "answer" || answer.kind === "refused") {
      const call = this.#calls.get(answer.id);
      this.#calls.delete(answer.id);
      if (answer.kind === "answer") call?.resolve(answer.answer);
      else call?.reject(new Error(answer.message));
    } else if (answer.id === this.#asked?.id) {
      const { document, timer } = this.#asked;
      clearTimeout(timer);
      this.#asked = undefined;
      this.#listener.report(answer.report, document, answer.milliseconds);
    }
    this.#send();
  }

  /** A new worker for the next document. The one that felled this worker is not asked again: it would do the same. */
  #fall(why: string): void {
    this.#worker.terminate();
    for (const { reject } of this.#calls.values()) reject(new Error(why));
    this.#calls.clear();
    const loaded = this.#ready;
    clearTimeout(this.#asked?.timer);
    this.#asked = undefined;
    if (loaded) {
      this.#worker = this.#start();
      this.#listener.trouble(`The engine stopped (${why}) and was started again. Your text is as you left it: change it to go on.`);
    } else {
      this.#listener.trouble(`The engine cannot run here: ${why}. Reload the page to try again; your text is kept.`);
    }
  }
}
