/**
 * The engine in its worker, as the page sees it: a document goes in, a report comes out.
 *
 * Only the newest document counts, and of it the worker is told what changed. A worker that dies or does not answer is
 * replaced; what is typed is the page's, so nothing is lost with it.
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
  | ({ kind: "call"; id: number } & Call);

/** From the worker. */
export type Answer =
  | { kind: "ready"; version: string }
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
  /** The engine could not answer: why, and what happens now. */
  trouble(message: string): void;
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
  #ready = false;
  #next = 1;
  #asked: { id: number; document: Composed; timer: number } | undefined;
  #waiting: Composed | undefined;
  /** The pieces that the worker has. */
  #told: readonly (string | Text)[] = [];
  readonly #calls = new Map<number, { resolve: (answer: unknown) => void; reject: (why: Error) => void }>();

  constructor(listener: Listener, shared: boolean) {
    this.#listener = listener;
    this.#shared = shared && "SharedWorker" in globalThis;
    this.#worker = this.#start();
  }

  /** Asks for the report of a document; one that waits is replaced by it. */
  evaluate(document: Composed): void {
    this.#waiting = document;
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
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { resolve: resolve as (answer: unknown) => void, reject });
      this.#worker.postMessage({ kind: "call", id, name, given } as Question);
    });
  }

  #start(): Link {
    this.#ready = false;
    const address = trusted?.createScriptURL(workerUrl) ?? workerUrl;
    const hear = (event: MessageEvent<Answer>) => this.#hear(event.data);
    const fail = (event: ErrorEvent) => {
      event.preventDefault();
      this.#fall(event.message || "the engine could not be loaded");
    };
    if (this.#shared) {
      const worker = new SharedWorker(address, { type: "module", name: "portcullis" });
      const { port } = worker;
      worker.onerror = fail as (event: Event) => void;
      port.onmessage = hear;
      return { postMessage: (question) => port.postMessage(question), end: () => port.close() };
    }
    const worker = new Worker(address, { type: "module", name: "portcullis" });
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
    if (answer.kind === "ready") this.#ready = true;
    else if (answer.kind === "progress") {
      if (answer.id !== this.#asked?.id) return;
      clearTimeout(this.#asked.timer);
      this.#asked.timer = this.#timer();
      this.#listener.progress(answer.progress);
      return;
    }
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
    this.#worker.end();
    for (const { reject } of this.#calls.values()) reject(new Error(why));
    this.#calls.clear();
    const loaded = this.#ready;
    clearTimeout(this.#asked?.timer);
    this.#asked = undefined;
    this.#told = [];
    const alone = this.#shared;
    this.#shared = false;
    if (loaded || alone) this.#worker = this.#start();
    return loaded || alone;
  }
}
