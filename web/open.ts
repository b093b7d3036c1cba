/**
 * A file of the user's on its way into the page: read in chunks, so that the page goes on meanwhile, with a bar that says how
 * far it is, and a button that puts back what was there.
 */

import { Text } from "@codemirror/state";
import { type Document, closings } from "./document.ts";
import { element } from "./dom.ts";
import type { Progress } from "./protocol.ts";

/** Larger files are refused. */
const LARGEST = 50 * 1024 * 1024;

/** The page goes on after so many milliseconds of reading. */
const BUSY = 8;

export type Opened =
  | { kind: "document"; text: string }
  | { kind: "manifest"; language: "yaml" | "json"; text: Text }
  | { kind: "refused"; why: string }
  | { kind: "cancelled" };

interface Host {
  show(bar: HTMLElement): void;
  hide(bar: HTMLElement): void;
  /** The engine is at work on the file, which is not wanted any more. */
  stop(): void;
  /** The file is in the editor: what was there is wanted again. */
  back(): void;
}

/** What each of the steps is called, and how much of the bar is its part: what it takes of the time, roughly. */
const STEPS = {
  file: { says: "Reading the file", from: 0, part: 0.1 },
  read: { says: "Reading the manifests", from: 0.1, part: 0.45 },
  load: { says: "Loading the cluster", from: 0.55, part: 0.45 },
};

export class Opening {
  readonly #file: File;
  readonly #host: Host;
  readonly #bar = element("progress", { max: "1", value: "0" });
  readonly #says = element("span", {});
  readonly #place: HTMLElement;
  #state: "reading" | "sent" | "over" = "reading";
  /** What the file has become. */
  #document: Document | undefined;

  constructor(file: File, host: Host) {
    this.#file = file;
    this.#host = host;
    const cancel = element("button", { type: "button", click: () => this.cancel() }, "Cancel");
    this.#place = element("div", { class: "opening" }, element("label", {}, this.#says, this.#bar), cancel);
  }

  /** Reads the file. */
  async read(): Promise<Opened> {
    const { name, size } = this.#file;
    if (size > LARGEST) {
      this.done();
      const why = `${name} has ${megabytes(size)}, and ${megabytes(LARGEST)} are the most that the page takes. Dump fewer kinds: kubectl get clusterroles,clusterrolebindings,roles,rolebindings,serviceaccounts --all-namespaces -o yaml`;
      return { kind: "refused", why };
    }
    this.#tell("file", 0, size);
    this.#host.show(this.#place);
    try {
      const text = await this.#collect();
      if (!text) return { kind: "cancelled" };
      const head = text.sliceString(0, 10_000);
      const json = /\.json$/i.test(name) || /^\s*\{/.test(head);
      const manifest = json || /\.ya?ml$/i.test(name) || (!/\.(md|markdown)$/i.test(name) && /^(apiVersion|kind|items):/m.test(head));
      if (manifest) return { kind: "manifest", language: json ? "json" : "yaml", text };
      this.done();
      return { kind: "document", text: text.toString() };
    } catch (error) {
      this.done();
      const why = error instanceof TypeError ? "it is not text in UTF-8. Documents, YAML and JSON can be opened" : String(error);
      return { kind: "refused", why: `${name} cannot be opened: ${why}.` };
    }
  }

  /** The text, put together from chunks; `undefined` where that was cancelled. */
  async #collect(): Promise<Text | undefined> {
    const decoder = new TextDecoder("utf-8", { fatal: true });
    const reader = this.#file.stream().getReader();
    let [text, rest, done, since] = [Text.empty, "", 0, performance.now()];
    for (;;) {
      const { value, done: last } = await reader.read();
      if (this.#state === "over") {
        void reader.cancel();
        return undefined;
      }
      let chunk = rest + (value ? decoder.decode(value, { stream: true }) : decoder.decode());
      if (chunk.includes("\0")) throw new TypeError("not text");
      // A line's end may be cut in two.
      rest = !last && chunk.endsWith("\r") ? "\r" : "";
      if (rest) chunk = chunk.slice(0, -1);
      const part = Text.of(chunk.split(/\r\n?|\n/));
      text = text.append(part);
      // What composing will ask of it, while there is time.
      closings(text);
      if (last) return trimmed(text);
      done += value.length;
      this.#tell("file", done, this.#file.size);
      if (performance.now() - since > BUSY) {
        await new Promise((resolve) => setTimeout(resolve));
        since = performance.now();
      }
    }
  }

  /** The file is a document, about to be shown; what comes now is the engine's. */
  sent(document: Document): void {
    if (this.#state !== "reading") return;
    this.#state = "sent";
    this.#document = document;
    this.#tell("read", 0, 1);
    this.#host.show(this.#place);
  }

  /** The page shows a document: where it is not the file's, that is not wanted any more. */
  shown(document: Document): void {
    if (this.#state === "over" || document === this.#document) return;
    const sent = this.#state === "sent";
    this.done();
    if (sent) this.#host.stop();
  }

  /** How far the engine is. */
  loading({ what, done, total }: Progress): void {
    if (this.#state === "sent") this.#tell(what, done, total);
  }

  /** The engine has answered about what is shown, or cannot. */
  settled(): void {
    if (this.#state === "sent") this.done();
  }

  /** Puts back what was there. */
  cancel(): void {
    if (this.#state === "sent") this.#host.back();
    else this.done();
  }

  /** It is all there, or given up. */
  done(): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#host.hide(this.#place);
  }

  #tell(what: keyof typeof STEPS, done: number, total: number): void {
    const { says, from, part } = STEPS[what];
    const share = total > 0 ? Math.min(done / total, 1) : 1;
    this.#bar.value = from + part * share;
    const counted = what === "load" ? `${done} of ${total} objects` : `${megabytes(share * this.#file.size)} of ${megabytes(this.#file.size)}`;
    this.#says.textContent = `${this.#file.name}: ${says.toLowerCase()}, ${counted}`;
  }
}

/** Without the line ends behind the last line. */
function trimmed(text: Text): Text {
  let end = text.length;
  while (end > 0 && text.sliceString(end - 1, end) === "\n") end -= 1;
  return end < text.length ? text.slice(0, end) : text;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(bytes < 10 * 1024 * 1024 ? 1 : 0)} MB`;
}

/** Takes files that are dropped anywhere on the page; `target` shows that it would. */
export function dropTarget(target: HTMLElement, open: (file: File) => void): void {
  const holdsFile = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
  // Each element under the pointer has its own leave: only the one that leaves the window counts.
  addEventListener("dragenter", (event) => {
    if (holdsFile(event)) target.hidden = false;
  });
  addEventListener("dragover", (event) => {
    if (holdsFile(event)) event.preventDefault();
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) target.hidden = true;
  });
  addEventListener(
    "drop",
    (event) => {
      target.hidden = true;
      const [file] = event.dataTransfer?.files ?? [];
      if (!file) return;
      // The editors would take its text in.
      event.preventDefault();
      event.stopPropagation();
      open(file);
    },
    true,
  );
}
