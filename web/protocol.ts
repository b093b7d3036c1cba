/** What is asked of an engine, in which words it goes to a worker and back, and what comes of it where there is no answer. */

import type { Access, Asked, Graph, Inspection, Report, Stored } from "portcullis-wasm";
import type { Difference } from "./difference.ts";

/** What an engine can be asked besides reports: arguments and answer by name. */
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

/** These are about the document that was run last. */
export const OF_NEWEST: readonly (keyof Calls)[] = ["graph", "etcd", "audit"];

/** What an engine is made of, and one in another thread that is to give the same answers. */
export interface Parts {
  module: WebAssembly.Module;
  /** Where documents with `seed: random` draw from. */
  entropy: Uint8Array;
}

/** A piece of a document: a text, the slices that came before, or a piece of the document before, perhaps with a difference. */
export type Piece = { text: string } | { slices: number } | { like: number; difference?: Difference };

/** One of the calls, to a worker. */
export type Call = { [Name in keyof Calls]: { kind: "call"; id: number; name: Name; given: Parameters<Calls[Name]> } }[keyof Calls];

/** To the worker. */
export type Question =
  | { kind: "slice"; text: string }
  | { kind: "report"; id: number; pieces: Piece[] }
  /** Nothing waits any more: all of the engine may be loaded. */
  | { kind: "whole" }
  | Call
  /** The page that asked is gone, and the worker stays. */
  | { kind: "bye" };

/** From the worker. */
export type Answer =
  | { kind: "ready" }
  /** All of the engine is there: from now on no network is needed. A worker of one's own hands over what it is made of. */
  | { kind: "complete"; parts?: Parts }
  /** What was asked needs more of the engine, which is on its way. */
  | { kind: "loading"; id: number }
  /** What was asked needs more of the engine, which could not be loaded. */
  | { kind: "incomplete"; id: number }
  | { kind: "progress"; id: number; progress: Progress }
  | { kind: "report"; id: number; report: Report; milliseconds: number }
  | { kind: "answer"; id: number; answer: unknown }
  | { kind: "refused"; id: number; message: string }
  /** The worker is no more, and what it fell over, unless it never ran. */
  | { kind: "failed"; id: number | undefined; message: string }
  /** The same, where somebody else asked that. */
  | { kind: "gone" };

/** How far a large document is. */
export interface Progress {
  /** What is done: its bytes are read, then its objects loaded. */
  what: "read" | "load";
  done: number;
  total: number;
}

/** The engine has not answered, which says nothing about what it was asked. */
export class Unanswered extends Error {}

/** What needs more of the engine than the network has brought. */
export class Incomplete extends Unanswered {
  override message = "The page was not loaded completely, and this needs the rest. Your text is kept: try again when you are online.";
}
