/** What a view of the report is, and what the page gives it. Each is a module of its own in `views/`, loaded when first shown. */

import type { Location, Report, ReportFile } from "portcullis-wasm";
import type { Calls } from "./protocol.ts";

/** What is looked at: a step of the report, and one of its exchanges. */
export interface Selection {
  /** Index into the report's steps; -1 where there are none. */
  step: number;
  exchange: number;
}

/** What a view can ask of the page. */
export interface Page {
  /** Selects a step and one of its exchanges. */
  select(selection: Selection): void;
  /** A link to the lines of a location: the only thing in a view that one clicks to leave it. */
  link(location: Location): HTMLElement;
  /** Follows such a link. */
  go(location: Location): void;
  /** Asks the engine for something that the report does not hold. */
  call<Name extends keyof Calls>(name: Name, ...given: Parameters<Calls[Name]>): Promise<ReturnType<Calls[Name]>>;
  /** The document that the newest report is about. */
  document(): string;
  /** The text of one of its files. */
  text(file: ReportFile): string;
  /** The name of an editor's line, `cluster.yaml:6`; `undefined` for what stands in no editor. */
  name(line: number): string | undefined;
}

/** Whether a file is as long as dumps of clusters are: nobody searches it for a configuration whenever something is typed. */
export const isDump = ({ line, endLine }: ReportFile): boolean => endLine - line > 10_000;

/** The parts of a report that are fetched only for the views that draw them. */
export type Part = "graph" | "etcd";

/** A report with these parts. */
export type With<Needed extends Part> = Report & Required<Pick<Report, Needed>>;

export interface View<Needed extends Part = never> {
  needs?: Needed;
  /** Another document is opened: what was chosen in the one before means nothing in it. */
  forget?(): void;
  /** Draws into `place`, which is the view's own and keeps what it drew before. */
  show(place: HTMLElement, report: With<Needed>, selection: Selection, page: Page): void;
}
