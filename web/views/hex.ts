/**
 * Bytes as `hexdump -C` shows them, coloured by what they are. A byte and its character light up together, with their part;
 * arrow keys go from byte to byte, and each part can be reached from the legend.
 */

import type { Bytes, Part } from "portcullis-wasm";
import { element } from "../dom.ts";

/** The colours of what an encrypted value consists of: the same wherever it stands. */
const NAMED: Record<string, number> = { key: 0, prefix: 1, "key name": 2, IV: 3, nonce: 3, ciphertext: 5, tag: 4, padding: 4 };

/** How many colours the data of a decoded object take turns with. */
const COLOURS = 6;

/** Longer values are shown in part: a screen holds some hundred lines. */
const MOST = 4096;

/** How many bytes of a part are written out. */
const WRITTEN = 24;

function decode(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
}

/** A value as stored, behind its key as `etcdctl get` prints it, and what is behind the encryption. */
export function dumps({ value, parts, plain, plainParts }: Bytes, key: string | undefined, perLine: number): HTMLElement[] {
  const name = new TextEncoder().encode(key ? `${key}\n` : "");
  const bytes = decode(value);
  const all = new Uint8Array(name.length + bytes.length);
  all.set(name);
  all.set(bytes, name.length);
  const moved = parts.map(({ from, to, what }) => ({ from: from + name.length, to: to + name.length, what }));
  const stored = hex("Stored bytes", all, name.length > 0 ? [{ from: 0, to: name.length, what: "key" }, ...moved] : moved, perLine);
  if (plain === undefined) return [stored];
  return [stored, element("h4", {}, "Decrypted"), hex("Decrypted bytes", decode(plain), plainParts, perLine)];
}

const two = (byte: number | undefined) => (byte ?? 0).toString(16).padStart(2, "0");

/** What only says which field follows, beside the data itself. */
const isTag = ({ what }: Part) => /\(field \d+[^)]*\)$/.test(what);

/** A dump with its legend; `label` names it. Eight or sixteen bytes a line. */
function hex(label: string, bytes: Uint8Array, parts: Part[], perLine: number): HTMLElement {
  const layout = laidOut(label, bytes, parts, perLine);
  const { says, tellPart } = telling(layout, bytes, parts);
  return element("div", { class: "dump" }, layout.dump, says, legend(label, parts, layout, tellPart));
}

/** What a part is called, and where it is. */
const range = ({ what, from, to }: Part) => `${what}, ${to - from === 1 ? `byte ${from}` : `bytes ${from} to ${to - 1}`}`;

const character = (byte: number) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : undefined);

/** The bytes as text, and where each of them stands. */
interface Layout {
  dump: HTMLElement;
  /** How many of the bytes are in it. */
  shown: number;
  perLine: number;
  /** The part of each byte, or -1. */
  partOf: Int32Array;
  /** The classes of each part. */
  look: string[];
  /** The texts of each part. */
  runs: Map<number, HTMLElement[]>;
  /** Where the number of a line's byte begins, in characters. */
  column(at: number): number;
  /** Where the line's characters begin. */
  edge: number;
}

function laidOut(label: string, bytes: Uint8Array, parts: Part[], perLine: number): Layout {
  const partOf = new Int32Array(bytes.length).fill(-1);
  for (const [index, part] of parts.entries()) partOf.fill(index, part.from, part.to);
  let turn = 0;
  const look = parts.map((part) => {
    const named = NAMED[part.what];
    if (named !== undefined) return `part part-${named}`;
    return isTag(part) ? "part part-tag" : `part part-${turn++ % COLOURS}`;
  });
  const shown = Math.min(bytes.length, MOST);
  // Short offsets where lines are short.
  const digits = perLine > 8 ? 8 : 4;
  const column = (at: number) => digits + 2 + at * 3 + (at >= 8 ? 1 : 0);
  const edge = column(perLine - 1) + 5;
  const dump = element("pre", {
    class: "hex",
    tabindex: "0",
    role: "application",
    "aria-roledescription": "hex dump",
    "aria-label": `${label}, ${bytes.length} bytes. Arrow keys go from byte to byte.`,
  });
  const runs = new Map<number, HTMLElement[]>();
  /** Text of bytes of one part that stand next to each other. */
  const run = (from: number, text: string) => {
    const part = partOf[from] ?? -1;
    if (part < 0) return text;
    const made = element("span", { class: `${look[part]}${parts[part]?.from === from ? " first" : ""}` }, text);
    const known = runs.get(part);
    if (known) known.push(made);
    else runs.set(part, [made]);
    return made;
  };
  for (let line = 0; line < shown; line += perLine) {
    const end = Math.min(line + perLine, shown);
    dump.append(`${line.toString(16).padStart(digits, "0")}  `);
    const chars: (Node | string)[] = [];
    for (let from = line; from < end; ) {
      let to = from + 1;
      while (to < end && partOf[to] === partOf[from]) to += 1;
      let text = "";
      let characters = "";
      for (let at = from; at < to; at += 1) {
        const byte = bytes[at] ?? 0;
        if (at > from) text += (at - line) % 8 === 0 ? "  " : " ";
        text += two(byte);
        characters += character(byte) ?? ".";
      }
      dump.append(run(from, text), to < end ? ((to - line) % 8 === 0 ? "  " : " ") : "");
      chars.push(run(from, characters));
      from = to;
    }
    dump.append(" ".repeat(edge - column(end - line - 1) - 3), "|", ...chars, "|\n");
  }
  if (shown < bytes.length) dump.append(`… ${bytes.length - shown} more bytes`);
  return { dump, shown, perLine, partOf, look, runs, column, edge };
}

/** Says what the byte is that one points at or goes to, and lights up its part; `tellPart` does it for a part. */
function telling({ dump, shown, perLine, partOf, runs, column, edge }: Layout, bytes: Uint8Array, parts: Part[]): { says: HTMLElement; tellPart(index: number): void } {
  const says = element("p", { class: "dim says", role: "status" }, "Point at a byte, or go there with Tab and the arrow keys.");
  // The byte itself: a frame about its number and one about its character.
  const frames = [element("span", { class: "byte", hidden: true }), element("span", { class: "byte", hidden: true })] as const;
  dump.append(...frames);
  const place = (frame: HTMLElement, line: number, left: number, wide: number) => {
    frame.hidden = false;
    Object.assign(frame.style, { top: `calc(${line} * 1lh + 4px)`, left: `${left}ch`, width: `${wide}ch` });
  };
  let lit: HTMLElement[] = [];
  const light = (part: number) => {
    for (const each of lit) each.classList.remove("lit");
    lit = runs.get(part) ?? [];
    for (const each of lit) each.classList.add("lit");
  };
  const tellPart = (index: number) => {
    const part = parts[index];
    if (!part) return;
    light(index);
    for (const frame of frames) frame.hidden = true;
    const more = part.to - part.from > WRITTEN ? " …" : "";
    const written = Array.from(bytes.subarray(part.from, Math.min(part.to, part.from + WRITTEN)), two).join(" ");
    says.replaceChildren(element("b", {}, range(part)), ": ", element("code", {}, written + more));
  };
  let current = -1;
  const tellByte = (at: number) => {
    if (at < 0 || at >= shown) return;
    current = at;
    const part = parts[partOf[at] ?? -1];
    light(partOf[at] ?? -1);
    const line = Math.floor(at / perLine);
    place(frames[0], line, column(at % perLine), 2);
    place(frames[1], line, edge + (at % perLine), 1);
    const byte = bytes[at] ?? 0;
    const char = character(byte);
    says.replaceChildren(element("b", {}, `Byte ${at}`), ": ", element("code", {}, `0x${two(byte)}`), char ? `, ${JSON.stringify(char)}` : "", part ? `, of ${range(part)}` : "");
  };
  dump.addEventListener("pointermove", (event) => {
    const box = dump.getBoundingClientRect();
    const style = getComputedStyle(dump);
    const left = (event.clientX - box.left + dump.scrollLeft - Number.parseFloat(style.paddingLeft)) / measure(dump);
    const line = Math.floor((event.clientY - box.top + dump.scrollTop - 4) / Number.parseFloat(style.lineHeight));
    let at = left >= edge ? Math.floor(left - edge) : -1;
    for (let each = 0; at < 0 && each < perLine; each += 1) if (left >= column(each) && left < column(each) + 2.5) at = each;
    if (at >= 0 && at < perLine && line >= 0 && line * perLine + at !== current) tellByte(line * perLine + at);
  });
  dump.addEventListener("keydown", (event) => {
    const start = Math.floor(Math.max(current, 0) / perLine) * perLine;
    const to = {
      ArrowLeft: current - 1,
      ArrowRight: current + 1,
      ArrowUp: current - perLine,
      ArrowDown: current < 0 ? 0 : current + perLine,
      Home: start,
      End: Math.min(start + perLine, shown) - 1,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    tellByte(to);
    frames[0].scrollIntoView({ block: "nearest", inline: "nearest" });
  });
  return { says, tellPart };
}

/** The parts as buttons that say where they are. */
function legend(label: string, parts: Part[], { look, runs }: Layout, tellPart: (index: number) => void): HTMLElement {
  const entries = parts.flatMap((part, index) => {
    // What the fields are called says their data too.
    if (isTag(part) && !/empty\)$/.test(part.what)) return [];
    const tell = () => tellPart(index);
    const click = () => {
      tell();
      runs.get(index)?.[0]?.scrollIntoView({ block: "nearest" });
    };
    const button = element("button", { type: "button", class: look[index], "aria-label": range(part), focus: tell, pointerenter: tell, click }, part.what);
    return [element("li", {}, button)];
  });
  return element("ul", { class: "legend", "aria-label": `Parts of ${label}` }, ...entries);
}

/** The width of a character. */
function measure(dump: HTMLElement): number {
  const probe = element("span", {}, "0".repeat(100));
  probe.style.position = "absolute";
  probe.style.visibility = "hidden";
  dump.append(probe);
  const { width } = probe.getBoundingClientRect();
  probe.remove();
  return width / 100;
}
