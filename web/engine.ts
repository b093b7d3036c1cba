/**
 * The engine as the page sees it: a document goes in, a report comes out.
 *
 * It runs in a worker. Only the newest document counts, and of it the worker is told what changed. A worker that dies or does not
 * answer is replaced; what is typed is the page's, so nothing is lost with it.
 *
 * A message to a worker and back takes a browser longer than a short document takes the engine. So the page's own thread has an engine
 * too, made of what the worker has loaded, and a document that takes no time worth a message is run there, within the key that
 * changed it. One that takes longer is given up and goes to the worker, as do its next versions while they take as long.
 */

import { Text } from "@codemirror/state";
import type { Access, Asked, Graph, Inspection, Report, Stored } from "portcullis-wasm";
import { type Difference, difference } from "./difference.ts";
import type { Composed } from "./document.ts";
import { OF_NEWEST, type Parts, type Runtime, start } from "./runtime.ts";
import workerUrl from "./worker.ts?worker&url";

/** What the worker can be asked besides reports: arguments and answer by name. */
export interface Calls {
  /** What in a document is secret, and the document without it. */
  secrets(document: string): { names: string[]; redacted: string };
  /** Who may do what at a document's end. */
  access(document: string, namespace: string, subject: string, resource: string): Access;
  /** The graph at the end of the document of the newest report. */
  graph(): Graph;
  /** What etcd holds there. */
  etcd(): Stored[];
  /** What a value of etcd holds. */
  inspect(config: string, key: string, dump: Uint8Array): Inspection;
  /** What an audit policy, whose text begins on a line, says of requests that nobody sent. */
  audit(policy: string, line: number, requests: string): Asked[];
}

type Call = { [Name in keyof Calls]: { name: Name; given: Parameters<Calls[Name]> } }[keyof Calls];

/** A piece of a document: a text, the slices that came before, or a piece of the document before, perhaps with a difference. */
export type Piece = { text: string } | { slices: number } | { like: number; difference?: Difference };

/** To the worker. */
export type Question =
  | { kind: "slice"; text: string }
  | { kind: "report"; id: number; pieces: Piece[] }
  /** Nothing waits any more: all of the engine may be loaded. */
  | { kind: "whole" }
  | ({ kind: "call"; id: number } & Call);

/** From the worker. */
export type Answer =
  | { kind: "ready" }
  /** All of the engine is there: from now on no network is needed. A worker of one's own hands over what it is made of. */
  | { kind: "complete"; parts?: Parts }
  /** The document needs more of the engine, which is on its way. */
  | { kind: "loading"; id: number }
  /** What was asked needs more of the engine, which could not be loaded. */
  | { kind: "incomplete"; id: number }
  | { kind: "progress"; id: number; progress: Progress }
  | { kind: "report"; id: number; report: Report; milliseconds: number }
  | { kind: "answer"; id: number; answer: unknown }
  | { kind: "refused"; id: number; message: string }
  | { kind: "failed"; message: string }
  | { kind: "gone" };

/** How far a large document is. */
export interface Progress {
  /** What is done: its bytes are read, then its objects loaded. */
  what: "read" | "load";
  done: number;
  total: number;
}

/** What the page is told. */
export interface Listener {
  progress(progress: Progress): void;
  report(report: Report, of: Composed, milliseconds: number): void;
  /** The engine is there as a whole: it needs no network from here on. */
  complete(): void;
  /** The engine could not answer: why, and what happens now. */
  trouble(message: string): void;
}

/** What needs more of the engine than the network has brought. */
export class Incomplete extends Error {
  override message = "The page was not loaded completely, and this needs the rest. Your text is kept: try again when you are online.";
}

/** After this long without a sign a worker counts as hanging. */
const PATIENCE = 20_000;

/** Texts longer than this are sent in slices, so that the page is never busy for long. */
const SLICE = 1_000_000;

/** How long the page's own thread may be held up, in milliseconds: browsers call a task long from here on. */
const SHORT = 50;

/** Documents of more characters are the worker's. */
const SMALL = 50_000;

/** Safari has no word for it. */
const whenIdle = (globalThis as { requestIdleCallback?: (call: () => void) => void }).requestIdleCallback ?? setTimeout;

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

/** A worker of one's own, or one's line to a shared one. */
interface Link {
  postMessage(question: Question): void;
  end(): void;
}

export class Engine {
  readonly #listener: Listener;
  #worker: Link;
  /** Whether the playgrounds of a page share one worker. What falls out with the others goes on alone. */
  #shared: boolean;
  #ready = false;
  /** Whether the worker has been told to load the whole. */
  #loading = false;
  #next = 1;
  #asked: { id: number; document: Composed; timer: number } | undefined;
  #waiting: Composed | undefined;
  #newest: Composed | undefined;
  /** What had no report, as the network failed. */
  #lacking: Composed | undefined;
  /** The engine in the page's own thread: none before all is loaded, and none when it is dead. */
  #near: Runtime | undefined;
  #hadNear = false;
  /** Whether that one has run the newest document and was quick. */
  #quick = false;
  /** How long the worker took for its last document, in milliseconds. */
  #took = 0;
  /** The pieces that the worker has. */
  #told: readonly (string | Text)[] = [];
  readonly #calls = new Map<number, { question: Question; resolve: (answer: unknown) => void; reject: (why: Error) => void }>();

  constructor(listener: Listener, shared: boolean) {
    this.#listener = listener;
    this.#shared = shared && "SharedWorker" in globalThis;
    this.#worker = this.#start();
  }

  /** Asks for the report of a document, which may be there at once; one that waits is replaced by it. */
  evaluate(document: Composed): void {
    if (this.#quick && !this.#asked) {
      const start = performance.now();
      this.#newest = document;
      const report = this.#attempt(document);
      if (report) {
        this.#listener.report(report, document, performance.now() - start);
        return;
      }
    }
    this.#ask(document);
  }

  #ask(document: Composed): void {
    this.#quick = false;
    this.#waiting = document;
    void this.#send();
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
    const document = this.#newest;
    if (!this.#near || this.#quick || this.#took > SHORT || !document) return;
    whenIdle(() => {
      if (!this.#asked && document === this.#newest) this.#quick = this.#attempt(document) !== undefined;
    });
  }

  async #complete(parts?: Parts): Promise<void> {
    if (parts && !this.#hadNear) {
      this.#hadNear = true;
      try {
        this.#near = await start(await import("portcullis-whole"), parts);
        this.#prepare();
      } catch {
        // The page does without.
      }
    }
    this.#listener.complete();
  }

  /** Gives up on the question at hand. */
  cancel(): void {
    this.#restart("cancelled");
    void this.#send();
  }

  /** Asks for something else than a report. Fails with what is wrong with the arguments, or when the worker dies. */
  call<Name extends keyof Calls>(name: Name, ...given: Parameters<Calls[Name]>): Promise<ReturnType<Calls[Name]>> {
    if (this.#near && this.#quick && this.#newest && OF_NEWEST.includes(name)) {
      const call = this.#near.calls[name] as (...given: Parameters<Calls[Name]>) => ReturnType<Calls[Name]>;
      try {
        return Promise.resolve(call(...given));
      } catch (error) {
        if (!(error instanceof WebAssembly.RuntimeError)) return Promise.reject(error);
        // It is dead, and the worker has not heard of the document yet.
        this.#near = undefined;
        this.#ask(this.#newest);
      }
    }
    const id = this.#next++;
    const question = { kind: "call", id, name, given } as Question;
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { question, resolve: resolve as (answer: unknown) => void, reject });
      if (this.#ready) this.#worker.postMessage(question);
    });
  }

  #start(): Link {
    this.#ready = false;
    this.#loading = false;
    const address = trusted?.createScriptURL(workerUrl) ?? workerUrl;
    const hear = (event: MessageEvent<Answer>) => this.#hear(event.data);
    const fail = (event: ErrorEvent) => {
      event.preventDefault();
      this.#fall(event.message || "the engine could not be loaded");
    };
    if (this.#shared) {
      const worker = new SharedWorker(address, { type: "module" });
      const { port } = worker;
      worker.onerror = fail as (event: Event) => void;
      port.onmessage = hear;
      return { postMessage: (question) => port.postMessage(question), end: () => port.close() };
    }
    const worker = new Worker(address, { type: "module" });
    worker.onmessage = hear;
    worker.onerror = fail;
    return { postMessage: (question) => worker.postMessage(question), end: () => worker.terminate() };
  }

  #timer(): number {
    return setTimeout(() => this.#fall(`no answer for ${PATIENCE / 1000} seconds`), PATIENCE);
  }

  async #send(): Promise<void> {
    if (!this.#ready || this.#asked || this.#waiting === undefined) return;
    const document = this.#waiting;
    const id = this.#next++;
    this.#waiting = undefined;
    this.#lacking = undefined;
    this.#newest = document;
    this.#asked = { id, document, timer: this.#timer() };
    const ask = (question: Question) => this.#worker.postMessage(question);
    const pieces: Piece[] = [];
    for (const [index, piece] of document.pieces.entries()) {
      const before = this.#told[index];
      if (piece === before) pieces.push({ like: index });
      else if (typeof piece === "string") pieces.push({ text: piece });
      else if (before instanceof Text) pieces.push({ like: index, difference: difference(before, piece) });
      else if (piece.length <= SLICE) pieces.push({ text: piece.toString() });
      else {
        pieces.push({ slices: Math.ceil(piece.length / SLICE) });
        for (let from = 0; from < piece.length; from += SLICE) {
          ask({ kind: "slice", text: piece.sliceString(from, Math.min(from + SLICE, piece.length)) });
          await new Promise((resolve) => setTimeout(resolve));
          // Cancelled meanwhile, and the worker is another.
          if (this.#asked?.id !== id) return;
        }
      }
    }
    this.#told = document.pieces;
    ask({ kind: "report", id, pieces });
  }

  #hear(answer: Answer): void {
    if (answer.kind === "failed") {
      this.#fall(answer.message);
      return;
    }
    if (answer.kind === "gone") {
      // Another playground's document felled the worker: this one goes on where it was.
      this.#waiting ??= this.#asked?.document;
      this.#restart("the engine was started again");
      return;
    }
    if (answer.kind === "ready") {
      this.#ready = true;
      const calls = [...this.#calls.values()];
      void this.#send().then(() => calls.forEach(({ question }) => this.#worker.postMessage(question)));
      return;
    }
    if (answer.kind === "complete") {
      this.#waiting ??= this.#lacking;
      void this.#send();
      void this.#complete(answer.parts);
      return;
    }
    if (answer.kind === "loading") {
      // As long as the network takes.
      if (answer.id === this.#asked?.id) clearTimeout(this.#asked.timer);
      return;
    }
    if (answer.kind === "progress") {
      if (answer.id !== this.#asked?.id) return;
      clearTimeout(this.#asked.timer);
      this.#asked.timer = this.#timer();
      this.#listener.progress(answer.progress);
      return;
    }
    const call = this.#calls.get(answer.id);
    if (call) {
      this.#calls.delete(answer.id);
      if (answer.kind === "answer") call.resolve(answer.answer);
      else call.reject(answer.kind === "refused" ? new Error(answer.message) : new Incomplete());
    } else if (answer.id === this.#asked?.id) {
      const { document, timer } = this.#asked;
      clearTimeout(timer);
      this.#asked = undefined;
      if (answer.kind === "incomplete") this.#lacking = document;
      if (answer.kind === "report") {
        this.#listener.report(answer.report, document, answer.milliseconds);
        // When it is drawn.
        if (!this.#loading) setTimeout(() => this.#worker.postMessage({ kind: "whole" }));
        this.#loading = true;
        this.#took = answer.milliseconds;
        this.#prepare();
      } else this.#listener.trouble(new Incomplete().message);
    }
    void this.#send();
  }

  /** A new worker for the next document. The one that felled this worker is not asked again: it would do the same. */
  #fall(why: string): void {
    if (this.#restart(why)) {
      this.#listener.trouble(`The engine stopped (${why}) and was started again. Your text is as you left it: change it to go on.`);
    } else {
      this.#listener.trouble(`The engine cannot run here: ${why}. Reload the page to try again; your text is kept.`);
    }
  }

  /** False where the worker never was ready: the next one would not be either. */
  #restart(why: string): boolean {
    for (const { reject } of this.#calls.values()) reject(new Error(why));
    this.#calls.clear();
    const loaded = this.#ready;
    const alone = this.#shared;
    this.#shared = false;
    this.#leave();
    if (loaded || alone) this.#worker = this.#start();
    return loaded || alone;
  }

  /** Is done with a worker. */
  #leave(): void {
    this.#worker.end();
    clearTimeout(this.#asked?.timer);
    this.#asked = undefined;
    this.#told = [];
  }
}
