/** Who may do what: a table of verbs against subjects or resources, each cell with the lines that grant it. */

import type { Access, Cell } from "portcullis-wasm";
import { element } from "../dom.ts";
import type { Page, View } from "../view.ts";

/** What the table is about; kept while the page is open. */
const asked = { namespace: "", subject: "", resource: "pods" };
/** The cell that stands open: row and column. */
let opened: { row: string; verb: string } | undefined;
/** Only the newest answer is drawn. */
let turn = 0;

const signs: Record<string, [string, string]> = {
  yes: ["✓", "yes"],
  some: ["◐", "some names"],
  no: ["–", "no"],
};

export const view: View = {
  show(place, _report, _selection, page) {
    turn += 1;
    const mine = turn;
    const { namespace, subject, resource } = asked;
    page.call("access", page.document(), namespace, subject, resource).then(
      (access) => {
        if (mine === turn) draw(place, access, page);
      },
      (error: Error) => {
        if (mine === turn) place.replaceChildren(element("p", { class: "empty" }, error.message));
      },
    );
  },
};

function draw(place: HTMLElement, access: Access, page: Page): void {
  const again = () => draw(place, access, page);
  const focused = (document.activeElement as HTMLElement | null)?.dataset["key"];
  const choose = (what: keyof typeof asked, label: string, all: string, options: string[]) => {
    const select = element("select", {
      "data-key": what,
      change(event) {
        asked[what] = (event.target as HTMLSelectElement).value;
        opened = undefined;
        view.show(place, undefined as never, undefined as never, page);
      },
    });
    const known = asked[what] === "" || options.includes(asked[what]) ? options : [asked[what], ...options];
    select.append(element("option", { value: "" }, all), ...known.map((option) => element("option", { value: option }, option)));
    select.value = asked[what];
    return element("label", {}, element("span", {}, label), select);
  };
  place.replaceChildren(
    element("h2", {}, sentence()),
    element(
      "div",
      { class: "choices" },
      choose("subject", "Who", "anybody", access.subjects),
      choose("resource", "What", "anything", access.resources),
      choose("namespace", "Where", "the whole cluster", access.namespaces),
    ),
    access.rows.length > 0 ? table(access, page, again) : element("p", { class: "empty" }, nobody()),
    element("p", { class: "dim" }, "By RBAC, at the document's end. The group system:masters may do everything besides, and nodes what the Node authorizer gives them."),
  );
  if (focused) place.querySelector<HTMLElement>(`[data-key="${CSS.escape(focused)}"]`)?.focus();
}

function sentence(): string {
  const where = asked.namespace ? `in namespace ${asked.namespace}` : "in the whole cluster";
  if (asked.resource === "") return asked.subject ? `What may ${asked.subject} do ${where}?` : "Choose somebody, or something.";
  return asked.subject ? `What may ${asked.subject} do with ${asked.resource} ${where}?` : `Who may do what with ${asked.resource} ${where}?`;
}

function nobody(): string {
  if (asked.subject === "" && asked.resource === "") return "Choose who, to see all that they may do, or what, to see who may do it.";
  return `${asked.subject || "Nobody"}${asked.subject ? " may do nothing" : " may do anything"} ${asked.resource ? `with ${asked.resource} ` : ""}here.`;
}

function table(access: Access, page: Page, again: () => void): HTMLElement {
  const head = element("tr", {}, element("th", { scope: "col" }, asked.resource ? "Who" : "What"), ...access.verbs.map((verb) => element("th", { scope: "col" }, verb)));
  const rows = access.rows.flatMap((row) => {
    const cells = row.cells.map((cell, column) => {
      const verb = access.verbs[column] ?? "";
      const [sign, word] = signs[cell.answer] ?? ["", cell.answer];
      if (cell.granted.length === 0) return element("td", { class: "no" }, element("span", { "aria-label": word }, sign));
      const open = opened?.row === row.name && opened.verb === verb;
      const label = `${row.name}: ${verb}: ${word}`;
      const toggle = () => {
        opened = open ? undefined : { row: row.name, verb };
        again();
      };
      const button = element("button", { type: "button", class: `quiet ${cell.answer}`, "aria-label": label, "aria-expanded": String(open), "data-key": label, click: toggle }, sign);
      return element("td", {}, button);
    });
    const line = element("tr", {}, element("th", { scope: "row" }, row.name), ...cells);
    const column = opened?.row === row.name ? access.verbs.indexOf(opened.verb) : -1;
    const cell = row.cells[column];
    return cell ? [line, element("tr", {}, element("td", { colspan: String(access.verbs.length + 1) }, why(cell, page)))] : [line];
  });
  return element("div", { class: "scroll" }, element("table", { class: "access" }, element("thead", {}, head), element("tbody", {}, ...rows)));
}

function why(cell: Cell, page: Page): HTMLElement {
  const rows = cell.granted.map(({ names, binding, rule }) =>
    element("li", {}, `${binding.object} → ${rule.object}`, names.length > 0 ? `, only ${names.join(", ")}` : "", " ", page.link(binding), " ", page.link(rule)),
  );
  return element("ul", { class: "because" }, ...rows);
}
