/**
 * The engine in its worker, as the page sees it: a document goes in, a report comes out.
 *
 * Only the newest document counts, and of it the worker is told what changed. A worker that dies or does not answer is
 * replaced; what is typed is the page's, so nothing is lost with it. One that lacks the wasm for a document is replaced by one
 * that has it all, and nobody notices: that one is asked the same again.
 */

import { Text } from "@codemirror/state";
import type { Access, Asked, Graph, Inspection, Report, Stored } from "portcullis-wasm";
import { type Difference, difference } from "./difference.ts";
import type { Composed } from "./document.ts";
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
  /** Nothing waits any more: all of the wasm may be loaded. */
  | { kind: "rest" }
  | ({ kind: "call"; id: number } & Call);

/** What a worker is called, which tells it whether it is to have all of the wasm before it is ready. */
export type WorkerName = "portcullis" | "portcullis, whole";

/** From the worker. */
export type Answer =
  | { kind: "ready"; version: string }
  /** All of the wasm is there: from now on no network is needed. */
  | { kind: "complete" }
  /** What was asked needs wasm that could not be loaded. */
  | { kind: "incomplete"; id: number }
  /** A document needed wasm that was not there yet, and the worker has ended. */
  | { kind: "lacking" }
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
  /** Whether a document has needed all of the wasm: then it is loaded before anything is answered. */
  #whole = false;
  #ready = false;
  /** Whether the worker has been told to load the rest. */
  #loading = false;
  /** Whether no worker is there, as the network failed. */
  #none = false;
  #next = 1;
  #asked: { id: number; document: Composed; timer: number } | undefined;
  #waiting: Composed | undefined;
  #newest: Composed | undefined;
  /** The pieces that the worker has. */
  #told: readonly (string | Text)[] = [];
  readonly #calls = new Map<number, { question: Question; resolve: (answer: unknown) => void; reject: (why: Error) => void }>();

  constructor(listener: Listener, shared: boolean) {
    this.#listener = listener;
    this.#shared = shared && "SharedWorker" in globalThis;
    this.#worker = this.#start();
  }

  /** Asks for the report of a document; one that waits is replaced by it. */
  evaluate(document: Composed): void {
    this.#waiting = document;
    this.#retry();
    void this.#send();
  }

  /** Gives up on the question at hand. */
  cancel(): void {
    this.#restart("cancelled");
    void this.#send();
  }

  /** Asks for something else than a report. Fails with what is wrong with the arguments, or when the worker dies. */
  call<Name extends keyof Calls>(name: Name, ...given: Parameters<Calls[Name]>): Promise<ReturnType<Calls[Name]>> {
    const id = this.#next++;
    const question = { kind: "call", id, name, given } as Question;
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { question, resolve: resolve as (answer: unknown) => void, reject });
      this.#retry();
      if (this.#ready) this.#worker.postMessage(question);
    });
  }

  /** Asks for a worker again where none could be loaded before. */
  #retry(): void {
    if (!this.#none) return;
    this.#waiting ??= this.#newest;
    this.#worker = this.#start();
  }

  #start(): Link {
    this.#ready = false;
    this.#loading = false;
    this.#none = false;
    const address = trusted?.createScriptURL(workerUrl) ?? workerUrl;
    const hear = (event: MessageEvent<Answer>) => this.#hear(event.data);
    const fail = (event: ErrorEvent) => {
      event.preventDefault();
      this.#fall(event.message || "the engine could not be loaded");
    };
    const name: WorkerName = this.#whole ? "portcullis, whole" : "portcullis";
    if (this.#shared) {
      const worker = new SharedWorker(address, { type: "module", name });
      const { port } = worker;
      worker.onerror = fail as (event: Event) => void;
      port.onmessage = hear;
      return { postMessage: (question) => port.postMessage(question), end: () => port.close() };
    }
    const worker = new Worker(address, { type: "module", name });
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
    if (answer.kind === "lacking") {
      // Some of the calls are about the newest document, whether or not it has its report.
      this.#waiting ??= this.#newest;
      this.#whole = true;
      this.#leave();
      this.#worker = this.#start();
      return;
    }
    if (answer.kind === "ready") {
      this.#ready = true;
      const calls = [...this.#calls.values()];
      void this.#send().then(() => calls.forEach(({ question }) => this.#worker.postMessage(question)));
      return;
    }
    if (answer.kind === "complete") {
      this.#listener.complete();
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
      if (answer.kind === "report") {
        this.#listener.report(answer.report, document, answer.milliseconds);
        // When it is drawn.
        if (!this.#loading) setTimeout(() => this.#worker.postMessage({ kind: "rest" }));
        this.#loading = true;
      } else this.#listener.trouble(new Incomplete().message);
    }
    void this.#send();
  }

  /** A new worker for the next document. The one that felled this worker is not asked again: it would do the same. */
  #fall(why: string): void {
    if (this.#restart(why)) {
      this.#listener.trouble(`The engine stopped (${why}) and was started again. Your text is as you left it: change it to go on.`);
    } else if (this.#whole) {
      // It ran with the first part: what is missing is the network.
      this.#none = true;
      this.#listener.trouble(new Incomplete().message);
    } else {
      this.#listener.trouble(`The engine cannot run here: ${why}. Reload the page to try again; your text is kept.`);
    }
  }

  /** False where the worker never was ready: the next one would not be either. */
  #restart(why: string): boolean {
    for (const { reject } of this.#calls.values()) reject(this.#ready ? new Error(why) : new Incomplete());
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
