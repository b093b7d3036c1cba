/** Elements with text in them. Text is always text: nothing here or elsewhere in the page parses HTML. */

type Child = Node | string | undefined | false;
type Attributes = Record<string, string | boolean | undefined | ((event: Event) => void)>;

/** An element; functions among the attributes listen to the event of that name, `false` and `undefined` are left out. */
export function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Attributes,
  ...children: Child[]
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(key, value);
    else if (value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== undefined && child !== false));
  return made;
}

/** In characters: a browser lays out a few times that many in a moment, and of what is printed there may be a thousand times as many. */
const LONGEST_SHOWN = 200_000;

/** Text as it was printed; of very long text the beginning, and how much is left out. */
export function printed(label: string, text: string): HTMLElement {
  const shown = text.slice(0, LONGEST_SHOWN).replace(/[\uD800-\uDBFF]$/, "");
  const more = text.length - shown.length;
  return element(
    "pre",
    { tabindex: "0", "aria-label": label },
    shown,
    more > 0 && element("span", { class: "dim" }, `\n… and ${more.toLocaleString("en")} characters more`),
  );
}

/**
 * Lets `place` hold `children`. What is there already stays, with where it is scrolled and what is selected in it, and the
 * browser lays out only what is new. Only buttons may listen to events, and those that look the same must do the same.
 */
export function redraw(place: Node, children: Iterable<Node>): void {
  let at = place.firstChild;
  for (const child of children) {
    const before = at;
    at = before?.nextSibling ?? null;
    if (!before) place.appendChild(child);
    else if (before.isEqualNode(child)) continue;
    else if (child.nodeName !== "BUTTON" && before.cloneNode().isEqualNode(child.cloneNode())) redraw(before, [...child.childNodes]);
    else place.replaceChild(child, before);
  }
  while (at) {
    const next: ChildNode | null = at.nextSibling;
    at.remove();
    at = next;
  }
}

/** The page's own element of an id. */
export function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (!found) throw new Error(`index.html has no #${id}`);
  return found;
}
