/**
 * Bytes as `hexdump -C` shows them, coloured by what they are. A byte and its character light up together, and each part can
 * be reached with the keyboard from the legend.
 */

import type { Part } from "portcullis-wasm";
import { element } from "../dom.ts";

/** How many of the many parts of a decoded object have a colour of their own before they repeat. */
const COLOURS = 6;

/** Longer values are shown in part: a screen holds some hundred lines. */
const MOST = 4096;

export function decode(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
}

/** A dump with its legend; `label` names it. */
export function hex(label: string, bytes: Uint8Array, parts: Part[]): HTMLElement {
  const partOf = new Int32Array(bytes.length).fill(-1);
  for (const [index, part] of parts.entries()) partOf.fill(index, part.from, part.to);
  const shown = Math.min(bytes.length, MOST);
  const says = element("p", { class: "dim says", role: "status" }, "Point at a byte, or choose a part.");
  const dump = element("pre", { class: "hex", tabindex: "0", "aria-label": `${label}, ${bytes.length} bytes` });
  const spans = new Map<number, HTMLElement[]>();
  const tint = (at: number, text: string) => {
    const part = partOf[at] ?? -1;
    const span = element("span", { class: part < 0 ? "" : `part-${part % COLOURS}`, "data-at": String(at) }, text);
    if (part >= 0) {
      const known = spans.get(part);
      if (known) known.push(span);
      else spans.set(part, [span]);
    }
    return span;
  };
  for (let line = 0; line < shown; line += 16) {
    const end = Math.min(line + 16, shown);
    dump.append(`${line.toString(16).padStart(8, "0")}  `);
    for (let at = line; at < line + 16; at += 1) {
      if (at < end) dump.append(tint(at, (bytes[at] ?? 0).toString(16).padStart(2, "0")));
      else dump.append("  ");
      const next = at + 1;
      const joined = next < end && at % 8 !== 7 && partOf[at] === partOf[next] && partOf[at] !== -1;
      if (joined) dump.append(tint(at, " "));
      else dump.append(at % 8 === 7 ? "  " : " ");
    }
    dump.append("|");
    for (let at = line; at < end; at += 1) {
      const byte = bytes[at] ?? 0;
      dump.append(tint(at, byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "."));
    }
    dump.append("|\n");
  }
  if (shown < bytes.length) dump.append(`… ${bytes.length - shown} more bytes`);

  let lit: HTMLElement[] = [];
  const light = (part: number, at?: number) => {
    for (const span of lit) span.classList.remove("lit");
    lit = spans.get(part) ?? [];
    for (const span of lit) span.classList.add("lit");
    const range = parts[part];
    if (!range) return;
    const where = at === undefined ? "" : `Byte ${at}, 0x${(bytes[at] ?? 0).toString(16).padStart(2, "0")}: `;
    says.textContent = `${where}${range.what}, bytes ${range.from} to ${range.to - 1}`;
  };
  dump.addEventListener("pointerover", (event) => {
    const at = Number((event.target as HTMLElement).dataset["at"] ?? -1);
    if (at >= 0) light(partOf[at] ?? -1, at);
  });
  const legend = parts.map((part, index) =>
    element(
      "li",
      {},
      element(
        "button",
        {
          type: "button",
          class: `part part-${index % COLOURS}`,
          "aria-label": `${part.what}, bytes ${part.from} to ${part.to - 1}`,
          focus: () => light(index),
          pointerenter: () => light(index),
          click: () => {
            light(index);
            spans.get(index)?.[0]?.scrollIntoView({ block: "nearest" });
          },
        },
        part.what,
      ),
    ),
  );
  return element("div", { class: "dump" }, dump, says, element("ul", { class: "legend", "aria-label": `Parts of ${label}` }, ...legend));
}
