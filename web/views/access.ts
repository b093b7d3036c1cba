/** Who may do what: a table of verbs against subjects or resources, each cell with the lines that grant it. */

import type { Access, AccessRow, Cell, Report } from "portcullis-wasm";
import { element } from "../dom.ts";
import type { Page, View } from "../view.ts";

/** What the table is about at first. */
const FIRST = { subject: "", verb: "", resource: "pods", namespace: "*" };
/** What it is about. */
let asked = { ...FIRST };
/** The cell that stands open: row and column. */
let opened: { row: string; verb: string } | undefined;
/** How many rows are drawn. */
let most = 100;
/** The newest question: only its answer is drawn. */
let newest: { report: Report; namespace: string; subject: string; resource: string } | undefined;
/** Settles when the engine has answered the one before. */
let answered: Promise<unknown> = Promise.resolve();

const signs: Record<string, [string, string]> = {
  yes: ["✓", "yes"],
  namespaces: ["◑", "in some namespaces"],
  some: ["◐", "some names"],
  no: ["–", "no"],
};

export const view: View = {
  forget() {
    asked = { ...FIRST };
    opened = undefined;
    most = 100;
  },
  show(place, report, _selection, page) {
    void ask(place, report, page);
  },
};

async function ask(place: HTMLElement, report: Report, page: Page): Promise<void> {
  const { namespace, subject, resource } = asked;
  const known = newest;
  // Another request that is looked at is no other question.
  if (known?.report === report && known.namespace === namespace && known.subject === subject && known.resource === resource) return;
  const question = { report, namespace, subject, resource };
  newest = question;
  // Each is sent the document and runs it: one at a time, and none that another has taken the place of.
  await answered;
  if (newest !== question) return;
  const answer = page.call("access", page.document(), namespace, subject, resource);
  answered = answer.catch(() => undefined);
  try {
    const access = await answer;
    if (newest === question) draw(place, access, report, page);
  } catch (error) {
    if (newest !== question) return;
    newest = undefined;
    place.replaceChildren(element("p", { class: "empty" }, (error as Error).message));
  }
}

function draw(place: HTMLElement, access: Access, report: Report, page: Page): void {
  const again = () => draw(place, access, report, page);
  const focused = (document.activeElement as HTMLElement | null)?.dataset["key"];
  const scrolled = place.querySelector(".scroll")?.scrollLeft ?? 0;
  const chosen = (what: keyof typeof asked, value: string) => {
    asked[what] = value;
    opened = undefined;
    most = 100;
    // The table has all verbs.
    if (what === "verb") again();
    else void ask(place, report, page);
  };
  const choose = (what: keyof typeof asked, label: string, all: string, options: string[], other?: [value: string, name: string]) => {
    const select = element("select", { "data-key": what, change: () => chosen(what, select.value) });
    const known = ["", other?.[0], ...options].includes(asked[what]) ? options : [asked[what], ...options];
    if (other) select.append(element("option", { value: other[0] }, other[1]));
    select.append(element("option", { value: "" }, all), ...known.map((option) => element("option", { value: option }, option)));
    select.value = asked[what];
    return element("label", {}, element("span", {}, label), select);
  };
  // A cluster's dump has thousands of subjects: one types a part of the name.
  const search = (what: keyof typeof asked, label: string, all: string, options: string[]) => {
    const input = element("input", {
      type: "text",
      list: "access-options",
      "data-key": what,
      value: asked[what],
      placeholder: all,
      spellcheck: "false",
      autocapitalize: "off",
      change: () => chosen(what, input.value.trim()),
    });
    const list = element("datalist", { id: "access-options" }, ...options.map((option) => element("option", { value: option })));
    return element("label", {}, element("span", {}, label), input, list);
  };
  const column = access.verbs.indexOf(asked.verb);
  const matching = asked.verb === "" ? access.rows : access.rows.filter((row) => (row.cells[column]?.granted.length ?? 0) > 0);
  // Whom the document binds comes before those of the default policy.
  const rows = [...matching.filter(isOwn), ...matching.filter((row) => !isOwn(row))];
  place.replaceChildren(
    element("div", { class: "headline" }, element("h2", {}, sentence())),
    element(
      "div",
      { class: "choices" },
      search("subject", "Who", "anybody", access.subjects),
      choose("verb", "Does", "anything", access.verbs),
      choose("resource", "With", "anything", access.resources),
      choose("namespace", "Where", "the whole cluster", access.namespaces, ["*", "anywhere"]),
    ),
    ...(rows.length > 0
      ? [
          element("p", { class: "dim" }, `✓ yes${asked.namespace === "*" ? ", in every namespace · ◑ in some namespaces" : ""} · ◐ objects of some names only · – no. A sign opens to the lines that grant it.`),
          table(access, rows.slice(0, most), page, again),
          ...more(rows.length, again),
        ]
      : [element("p", { class: "empty" }, nobody())]),
    element(
      "p",
      { class: "dim" },
      "By RBAC, at the document's end. The group system:masters may do everything besides, and nodes what the Node authorizer gives them.",
    ),
  );
  const scroller = place.querySelector(".scroll");
  if (scroller) scroller.scrollLeft = scrolled;
  if (focused) place.querySelector<HTMLElement>(`[data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

function isOwn({ cells }: AccessRow): boolean {
  return cells.some(({ granted }) => granted.some(({ binding }) => binding.line > 0));
}

/** How many rows are not drawn. */
function more(count: number, again: () => void): HTMLElement[] {
  if (count <= most) return [];
  const show = element("button", { type: "button", "data-key": "more", click: () => ((most += 500), again()) }, "Show more");
  return [element("p", { class: "controls" }, `${most} of ${count} rows. `, show)];
}

function sentence(): string {
  const { subject, verb, resource, namespace } = asked;
  const where = namespace === "*" ? "anywhere" : namespace ? `in namespace ${namespace}` : "in the whole cluster";
  const what = [verb, resource].filter(Boolean).join(" ");
  if (subject === "" && resource === "") return "Choose somebody, or something.";
  if (subject === "") return verb ? `Who may ${what} ${where}?` : `Who may do what with ${resource} ${where}?`;
  if (verb === "") return resource ? `What may ${subject} do with ${resource} ${where}?` : `What may ${subject} do ${where}?`;
  return resource ? `May ${subject} ${what} ${where}?` : `What may ${subject} ${verb} ${where}?`;
}

function nobody(): string {
  const { subject, verb, resource, namespace } = asked;
  if (subject === "" && resource === "") return "Choose who, to see all that they may do, or with what, to see who may do it.";
  const what = verb ? `${verb} ${resource || "anything"}` : `do anything${resource && ` with ${resource}`}`;
  const where = namespace === "*" ? "anywhere" : "here";
  return subject ? `${subject} may not ${what} ${where}.` : `Nobody may ${what} ${where}.`;
}

function table(access: Access, rows: AccessRow[], page: Page, again: () => void): HTMLElement {
  const verbs = access.verbs.map((verb) => element("th", { scope: "col", class: verb === asked.verb ? "current" : undefined }, verb));
  const head = element("tr", {}, element("th", { scope: "col" }, asked.resource ? "Who" : "What"), ...verbs);
  const body = rows.flatMap((row) => {
    const cells = row.cells.map((cell, column) => {
      const verb = access.verbs[column] ?? "";
      const [sign, word] = signs[cell.answer] ?? ["", cell.answer];
      const says = (label: string) => [element("span", { "aria-hidden": "true" }, sign), element("span", { class: "hidden" }, label), element("span", { class: "verb", "aria-hidden": "true" }, verb)];
      if (cell.granted.length === 0) return element("td", { class: "no" }, ...says(word));
      const open = opened?.row === row.name && opened.verb === verb;
      const label = `${row.name}: ${verb}: ${word}`;
      const toggle = () => {
        opened = open ? undefined : { row: row.name, verb };
        again();
      };
      const button = element(
        "button",
        { type: "button", class: `quiet ${cell.answer}`, "aria-expanded": String(open), "data-key": label, click: toggle },
        ...says(label),
      );
      return element("td", {}, button);
    });
    const line = element("tr", {}, element("th", { scope: "row" }, row.name), ...cells);
    const column = opened?.row === row.name ? access.verbs.indexOf(opened.verb) : -1;
    const cell = row.cells[column];
    if (!cell || !opened) return [line];
    const title = asked.resource ? `Why ${row.name} may ${opened.verb} ${asked.resource}` : `Why ${asked.subject} may ${opened.verb} ${row.name}`;
    return [line, element("tr", { class: "why" }, element("td", { colspan: String(access.verbs.length + 1) }, element("b", {}, title), why(cell, page)))];
  });
  return element(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table of access" },
    element("table", { class: "access" }, element("thead", {}, head), element("tbody", {}, ...body)),
  );
}

function why(cell: Cell, page: Page): HTMLElement {
  const rows = cell.granted.map(({ names, binding, rule }) =>
    element("li", {}, `${binding.object} → ${rule.object}`, names.length > 0 ? `, only ${names.join(", ")}` : "", " ", page.link(binding), " ", page.link(rule)),
  );
  return element("ul", { class: "because" }, ...rows);
}
