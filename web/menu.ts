/** The menu of documents: it offers the examples, and names what is open. */

import { byId, element } from "./dom.ts";
import type { Composed } from "./document.ts";
import { blank, examples } from "./examples.ts";

/** What the page offers. */
const offers = [...examples, { title: "Blank document", question: "", text: blank }];

const select = byId("examples") as HTMLSelectElement;

const own = element("option", { value: "own" }, "Your document");

/** Fills the menu; `open` gets what is chosen in it, and `back` is for the reader's own document. */
export function menu(open: (text: string, title: string) => void, back: () => void): void {
  const groups = new Map<string, HTMLElement>();
  for (const [index, { title, question }] of offers.entries()) {
    let group = question ? groups.get(question) : select;
    if (!group) {
      group = element("optgroup", { label: question });
      groups.set(question, group);
      select.append(group);
    }
    group.append(element("option", { value: String(index) }, title));
  }
  select.append(own);
  select.addEventListener("change", () => {
    const offer = offers[Number(select.value)];
    if (offer) open(offer.text, offer.title);
    else back();
  });
}

/** Names what is open; `aside` where a document of the reader's own is not. */
export function pick(document: Composed, aside: boolean): void {
  const index = indexOf(document);
  own.hidden = index >= 0 && !aside;
  select.value = index < 0 ? "own" : String(index);
}

/** Whether it is a document that the page offers, as it offers it. */
export function isOffered(document: Composed): boolean {
  return indexOf(document) >= 0;
}

function indexOf(document: Composed): number {
  // A large text is not put together for this.
  return offers.findIndex(({ text }) => text.length === document.length && text === document.text);
}
