/** The document on its way to others: as a link, as Markdown on the clipboard, as a file. What is secret goes only after a question. */

import { element } from "./dom.ts";
import type { Composed } from "./document.ts";
import type { Engine } from "./engine.ts";
import { LONGEST_LINK, linkTo } from "./link.ts";
import { notice } from "./notice.ts";

/** In characters: what is longer is a file's. */
const LONGEST_SHARED = 1_000_000;

export async function share(document: Composed, engine: Engine): Promise<void> {
  await guarded("link", "Copy", document, engine, async (text) => {
    const link = await linkTo(text, location.href);
    if (link.length <= LONGEST_LINK) return copy(link);
    notice(`The link has ${link.length} characters, and some programs cut it off. A file is safer.`, {
      "Download the document": () => download([text]),
      "Copy the link": () => void copy(link),
    });
  });
}

/** From another page's frame to the whole page. */
export async function openWhole(document: Composed, engine: Engine): Promise<void> {
  await guarded("link", "Open", document, engine, async (text) => {
    window.open(await linkTo(text, new URL("./", location.href).href), "_blank", "noopener");
  });
}

export async function copyMarkdown(document: Composed, engine: Engine): Promise<void> {
  await guarded("copy", "Copy", document, engine, async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      notice("The document is copied as Markdown. Pasted into an issue or a wiki it reads as it is, and opens here again.");
    } catch {
      notice("The browser gives no access to the clipboard.", { "Download the document": () => download([text]) });
    }
  });
}

export function download(pieces: Composed["pieces"]): void {
  const address = URL.createObjectURL(new Blob(pieces.map(String), { type: "text/markdown" }));
  element("a", { href: address, download: "portcullis.md" }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** Gives the document away, after a question where it holds secrets. */
async function guarded(
  what: string,
  verb: string,
  document: Composed,
  engine: Engine,
  give: (text: string) => Promise<void>,
): Promise<void> {
  if (document.length > LONGEST_SHARED) {
    notice(`The document is too large for a ${what}. A file holds it.`, { "Download the document": () => download(document.pieces) });
    return;
  }
  const { text } = document;
  const found = await engine.call("secrets", text).catch((error: Error) => notice(error.message));
  if (!found) return;
  const { names, redacted } = found;
  if (names.length === 0) return give(text);
  const most = 4;
  const more = names.length > most ? ` and ${names.length - most} more` : "";
  const named = names.slice(0, most).map((name) => name.replace(/\(line (\d+)\)$/, (all, line) => inEditor(document, Number(line)) ?? all));
  notice(`The ${what} would hold ${named.join(", ")}${more}. Whoever has it can read them.`, {
    [`${verb} without the secrets`]: () => void give(redacted),
    [`${verb} it all the same`]: () => void give(text),
  });
}

/** Where a line stands for the reader. */
function inEditor(composed: Composed, line: number): string | undefined {
  const place = composed.place(line);
  if (!place) return undefined;
  const name = place.editor === "requests" ? "requests" : composed.document.files[place.editor]?.name;
  return `(${name}:${place.line})`;
}

/** The address stays the page's own where it can: what a link leaves out would be gone after a reload. */
async function copy(link: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(link);
    notice("The link is copied. It holds the document itself; no server has it.");
  } catch {
    history.replaceState(null, "", link);
    notice("The link stands in the address bar. It holds the document itself; no server has it.");
  }
}
