/**
 * The engine in a worker, which no document can make the page wait for.
 *
 * Only the newest document counts, and of it the worker is told what changed. A worker that dies or does not answer is replaced. The
 * next one hears again what the page still counts on: the document that its views are about, and what they wait for. What the worker
 * fell over is not asked again, as it would fell the next one too.
 */

import { Text } from "@codemirror/state";
import type { Report } from "portcullis-wasm";
import { difference } from "./difference.ts";
import type { Composed } from "./document.ts";
import { type Answer, type Call, type Calls, Incomplete, OF_NEWEST, type Parts, type Piece, type Progress, type Question, Unanswered } from "./protocol.ts";
import workerUrl from "./worker.ts?worker&url";

/** What the page is told. */
export interface Listener {
  progress(progress: Progress): void;
  report(report: Report, of: Composed, milliseconds: number): void;
  /** The engine is there as a whole: it needs no network from here on. */
  complete(parts?: Parts): void;
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

/** One worker, or one's line to a shared one, as long as it lives. */
class Link {
  ready = false;
  /** Whether it has been told to load the whole. */
  whole = false;
  /** Whether a document is on its way to it. */
  sending = false;
  /** The pieces that it has; none where it has had no document. */
  told: readonly (string | Text)[] | undefined;
  /** What it was asked and has not answered, in order. */
  readonly asked = new Set<number>();
  /** What of that waits for the network. */
  readonly #held = new Set<number>();
  readonly #hear: (answer: Answer) => unknown;
  readonly #fall: (why: string) => unknown;
  readonly #post: (question: Question) => void;
  readonly #end: () => void;
  #timer: number | undefined;

  constructor(shared: boolean, hear: (answer: Answer) => unknown, fall: (why: string) => unknown) {
    this.#hear = hear;
    this.#fall = fall;
    const address = trusted?.createScriptURL(workerUrl) ?? workerUrl;
    const worker = shared ? new SharedWorker(address, { type: "module" }) : new Worker(address, { type: "module" });
    const port = worker instanceof Worker ? worker : worker.port;
    port.onmessage = (event: MessageEvent<Answer>) => this.#heard(event.data);
    (worker as AbstractWorker).onerror = (event) => {
      event.preventDefault();
      this.#fall(event.message || "the engine could not be loaded");
    };
    this.#post = (question) => port.postMessage(question);
    this.#end = () => (port instanceof MessagePort ? port.close() : port.terminate());
  }

  post(question: Question): void {
    if ("id" in question) {
      this.asked.add(question.id);
      this.#timer ??= this.#patience();
    }
    this.#post(question);
  }

  /** What it is at. */
  get at(): number | undefined {
    return [...this.asked].find((id) => !this.#held.has(id));
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#end();
  }

  #heard(answer: Answer): void {
    if (answer.kind === "loading") this.#held.add(answer.id);
    if (answer.kind === "complete") this.#held.clear();
    if (answer.kind === "report" || answer.kind === "answer" || answer.kind === "refused" || answer.kind === "incomplete") {
      this.asked.delete(answer.id);
      this.#held.delete(answer.id);
    }
    clearTimeout(this.#timer);
    this.#timer = this.#patience();
    this.#hear(answer);
  }

  /** For what it is at; the network takes as long as it takes. */
  #patience(): number | undefined {
    if (this.at === undefined) return undefined;
    return setTimeout(() => this.#fall(`no answer for ${PATIENCE / 1000} seconds`), PATIENCE);
  }
}

/** A call, and whoever waits for its answer. */
interface Waiting {
  call: Call;
  resolve(answer: unknown): void;
  reject(why: Error): void;
}

export class Remote {
  readonly #listener: Listener;
  /** Whether the playgrounds of a page share one worker. What falls out with the others goes on alone. */
  #shared: boolean;
  #link: Link;
  /** Why no worker runs here. */
  #never: Unanswered | undefined;
  #next = 1;
  #asked: { id: number; document: Composed } | undefined;
  #waiting: Composed | undefined;
  /** What the newest report is about. */
  #reported: Composed | undefined;
  /** What had no report, as the network failed. */
  #lacking: Composed | undefined;
  readonly #calls = new Map<number, Waiting>();

  constructor(listener: Listener, shared: boolean) {
    this.#listener = listener;
    this.#shared = shared && "SharedWorker" in globalThis;
    this.#link = this.#start();
    // A worker that stays lets go of what it knows of a page that goes. One that its reader comes back to begins anew.
    addEventListener("pagehide", () => this.#shared && this.#link.post({ kind: "bye" }));
    addEventListener("pageshow", ({ persisted }) => persisted && this.#shared && this.#restart());
  }

  /** Asks for the report of a document; one that waits is replaced by it. */
  evaluate(document: Composed): void {
    this.#waiting = document;
    void this.#send();
  }

  /** Gives up on the document at hand. */
  cancel(): void {
    this.#waiting = undefined;
    if (!this.#asked) return;
    this.#asked = undefined;
    this.#restart();
  }

  /** Asks for something else. Fails with what is wrong with the arguments, or as `Unanswered`. */
  call<Name extends keyof Calls>(name: Name, ...given: Parameters<Calls[Name]>): Promise<ReturnType<Calls[Name]>> {
    if (this.#never) return Promise.reject(this.#never);
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { call: { kind: "call", id, name, given } as Call, resolve: resolve as (answer: unknown) => void, reject });
      void this.#send();
    });
  }

  #start(): Link {
    const link: Link = new Link(
      this.#shared,
      (answer) => link === this.#link && this.#hear(answer),
      (why) => link === this.#link && this.#fall(why),
    );
    return link;
  }

  /** Tells the worker what it has not heard: the newest document, when it is done with the one before, then calls. */
  async #send(): Promise<void> {
    const link = this.#link;
    if (!link.ready || link.sending) return;
    if (this.#waiting && !this.#asked) {
      const document = this.#waiting;
      const id = this.#next++;
      this.#asked = { id, document };
      this.#waiting = undefined;
      this.#lacking = undefined;
      const pieces: Piece[] = [];
      for (const [index, piece] of document.pieces.entries()) {
        const before = link.told?.[index];
        if (piece === before) pieces.push({ like: index });
        else if (typeof piece === "string") pieces.push({ text: piece });
        else if (before instanceof Text) pieces.push({ like: index, difference: difference(before, piece) });
        else if (piece.length <= SLICE) pieces.push({ text: piece.toString() });
        else {
          link.sending = true;
          pieces.push({ slices: Math.ceil(piece.length / SLICE) });
          for (let from = 0; from < piece.length; from += SLICE) {
            link.post({ kind: "slice", text: piece.sliceString(from, Math.min(from + SLICE, piece.length)) });
            await new Promise((resolve) => setTimeout(resolve));
            // Cancelled meanwhile, and the worker is another.
            if (link !== this.#link) return;
          }
        }
      }
      link.sending = false;
      link.told = document.pieces;
      link.post({ kind: "report", id, pieces });
    }
    for (const { call, reject } of this.#calls.values()) {
      if (link.asked.has(call.id)) continue;
      if (link.told || !OF_NEWEST.includes(call.name)) link.post(call);
      else {
        this.#calls.delete(call.id);
        reject(new Unanswered("The engine stopped over this document. Your text is as you left it: change it to go on."));
      }
    }
  }

  #hear(answer: Answer): void {
    switch (answer.kind) {
      case "failed":
        this.#fall(answer.message, answer.id);
        return;
      case "gone":
        // Another playground's document felled the worker: this one goes on where it was.
        this.#shared = false;
        this.#restart();
        return;
      case "ready":
        this.#link.ready = true;
        this.#waiting ??= this.#lacking ?? this.#reported;
        break;
      case "complete":
        this.#waiting ??= this.#lacking;
        this.#listener.complete(answer.parts);
        break;
      case "loading":
        return;
      case "progress":
        if (answer.id === this.#asked?.id) this.#listener.progress(answer.progress);
        return;
      default:
        if (answer.id === this.#asked?.id) this.#reportOf(this.#asked.document, answer);
        else this.#answered(answer);
    }
    void this.#send();
  }

  #reportOf(document: Composed, answer: Answer): void {
    this.#asked = undefined;
    if (answer.kind !== "report") {
      this.#lacking = document;
      this.#listener.trouble(new Incomplete().message);
      return;
    }
    // The page has the report, and only this worker had not run the document.
    const known = document === this.#reported;
    this.#reported = document;
    if (!known) this.#listener.report(answer.report, document, answer.milliseconds);
    const link = this.#link;
    // When it is drawn.
    if (!link.whole) setTimeout(() => link.post({ kind: "whole" }));
    link.whole = true;
  }

  #answered(answer: Extract<Answer, { id: number }>): void {
    const waiting = this.#calls.get(answer.id);
    this.#calls.delete(answer.id);
    if (answer.kind === "answer") waiting?.resolve(answer.answer);
    else waiting?.reject(answer.kind === "refused" ? new Error(answer.message) : new Incomplete());
  }

  /** Goes on without a worker that fell over what it was at. One that never was ready says that the next would not be either. */
  #fall(why: string, over = this.#link.at): void {
    if (!this.#link.ready && !this.#shared) {
      this.#link.end();
      this.#never = new Unanswered(`The engine cannot run here: ${why}. Reload the page to try again; your text is kept.`);
      for (const { reject } of this.#calls.values()) reject(this.#never);
      this.#calls.clear();
      this.#listener.trouble(this.#never.message);
      return;
    }
    const call = over !== undefined && this.#calls.get(over);
    const document = over !== undefined && over === this.#asked?.id && this.#asked.document;
    if (call) {
      this.#calls.delete(call.call.id);
      call.reject(new Unanswered(`The engine stopped over this (${why}) and was started again. Your text is as you left it.`));
    }
    if (document) {
      this.#asked = undefined;
      if (document === this.#reported) this.#reported = undefined;
      this.#listener.trouble(`The engine stopped (${why}) and was started again. Your text is as you left it: change it to go on.`);
    }
    this.#shared = false;
    this.#restart();
  }

  #restart(): void {
    this.#waiting ??= this.#asked?.document;
    this.#asked = undefined;
    this.#link.end();
    this.#link = this.#start();
  }
}
