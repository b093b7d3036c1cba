/**
 * The engine as the page sees it: a document goes in, a report comes out.
 *
 * It runs in a worker. A message to a worker and back takes a browser longer than a short document takes the engine. So the page's own
 * thread has an engine too, made of what the worker has loaded, and a document that takes no time worth a message is run there, within
 * the key that changed it. One that takes longer is given up and goes to the worker, as do its next versions while they take as long.
 */

import type { Report } from "portcullis-wasm";
import type { Composed } from "./document.ts";
import { type Calls, OF_NEWEST, type Parts } from "./protocol.ts";
import { type Listener, Remote } from "./remote.ts";
import { type Runtime, isRefusal, start } from "./runtime.ts";

/** How long the page's own thread may be held up, in milliseconds: browsers call a task long from here on. */
const SHORT = 50;

/** Documents of more characters are the worker's. */
const SMALL = 50_000;

/** Safari has no word for it. */
const whenIdle = (globalThis as { requestIdleCallback?: (call: () => void) => void }).requestIdleCallback ?? setTimeout;

export class Engine {
  readonly #listener: Listener;
  readonly #far: Remote;
  /** The engine in the page's own thread: none before all is loaded, none when it is dead, and never one in an embedded page. */
  #near: Runtime | undefined;
  /** Whether there may be one: the page has the script of one only, once. */
  #mayHaveNear: boolean;
  #newest: Composed | undefined;
  /** Whether the near one has run the newest document and was quick. */
  #quick = false;
  /** What the worker has run last, and how long it took, in milliseconds. */
  #ran: { document: Composed; took: number } | undefined;

  constructor(listener: Listener, embedded: boolean) {
    this.#listener = listener;
    this.#mayHaveNear = !embedded;
    const report: Listener["report"] = (report, document, took) => {
      listener.report(report, document, took);
      this.#ran = { document, took };
      this.#prepare();
    };
    this.#far = new Remote({ ...listener, report, complete: (parts) => void this.#complete(parts) }, embedded);
  }

  /** Asks for the report of a document, which may be there at once; one that waits is replaced by it. */
  evaluate(document: Composed): void {
    this.#newest = document;
    if (this.#quick) {
      const start = performance.now();
      const report = this.#attempt(document);
      if (report) {
        this.#listener.report(report, document, performance.now() - start);
        return;
      }
    }
    this.#ask(document);
  }

  /** Gives up on the document at hand. */
  cancel(): void {
    this.#far.cancel();
  }

  /** Asks for something else than a report. Fails with what is wrong with the arguments, or as `Unanswered`. */
  call<Name extends keyof Calls>(name: Name, ...given: Parameters<Calls[Name]>): Promise<ReturnType<Calls[Name]>> {
    if (this.#near && this.#quick && this.#newest && OF_NEWEST.includes(name)) {
      const call = this.#near.calls[name] as (...given: Parameters<Calls[Name]>) => ReturnType<Calls[Name]>;
      try {
        return Promise.resolve(call(...given));
      } catch (error) {
        if (isRefusal(error)) return Promise.reject(error);
        // It is dead, and the worker has not heard of the document yet.
        this.#near = undefined;
        this.#ask(this.#newest);
      }
    }
    return this.#far.call(name, ...given);
  }

  #ask(document: Composed): void {
    this.#quick = false;
    this.#far.evaluate(document);
  }

  /** Runs a document in the page's own thread: nothing comes of one that is large or takes too long. */
  #attempt(document: Composed): Report | undefined {
    if (document.length > SMALL) return undefined;
    try {
      return this.#near?.report(document.text, performance.now() + SHORT);
    } catch {
      // It is dead. The worker will say what there is to say.
      this.#near = undefined;
      return undefined;
    }
  }

  /** Has the page's own engine run what the worker was quick with, while nobody waits: then it knows all but what is typed next. */
  #prepare(): void {
    const ran = this.#ran;
    if (!this.#near || this.#quick || !ran || ran.took > SHORT) return;
    whenIdle(() => {
      if (ran.document === this.#newest) this.#quick = this.#attempt(ran.document) !== undefined;
    });
  }

  async #complete(parts?: Parts): Promise<void> {
    if (parts && this.#mayHaveNear) {
      this.#mayHaveNear = false;
      try {
        this.#near = await start(await import("portcullis-whole"), parts);
        this.#prepare();
      } catch {
        // The page does without.
      }
    }
    this.#listener.complete();
  }
}
