/** What if: requests that nobody sent, and what the audit policy would say of them. Commands go to a copy of the cluster. */

import type { Asked, Exchange, Report, ReportFile } from "portcullis-wasm";
import { element } from "../dom.ts";
import { type Page, isDump } from "../view.ts";

/** The files of the report's document that look like an audit policy; the engine says whether they are. */
export function policies(report: Report, page: Page): ReportFile[] {
  const used = report.rules.filter(({ location }) => location.object.startsWith("Policy")).map(({ location }) => location.line);
  const looks = (file: ReportFile) => !isDump(file) && /^[^\S\n]*(- *)?\{?level: *(None|Metadata|Request)/m.test(page.text(file));
  return report.files.filter((file) => used.some((line) => line >= file.line && line <= file.endLine) || looks(file));
}

export class WhatIf {
  readonly element: HTMLElement;
  readonly #page: Page;
  readonly #file = element("select", { change: () => this.#ask() });
  readonly #choice = element("label", {}, "Policy ", this.#file);
  readonly #requests = element("textarea", { rows: "2", spellcheck: "false", "aria-describedby": "what-if-form" });
  readonly #answers = element("div", { role: "status", "aria-label": "What the policy would say" });
  #report: Report | undefined;
  /** Whether somebody typed here: until then the selected request stands in the field. */
  #touched = false;
  #asked = 0;

  constructor(page: Page) {
    this.#page = page;
    this.#requests.addEventListener("input", () => {
      this.#touched = true;
      this.#ask();
    });
    this.element = element(
      "section",
      { class: "card what-if", "aria-label": "What if" },
      element("h3", {}, "What if", element("span", { class: "dim" }, "somebody asked this? Nothing of it stays.")),
      element("label", {}, element("span", {}, "Requests that nobody sent"), this.#requests),
      element("p", { class: "dim", id: "what-if-form" }, "A line each: kubectl or curl; or USER,GROUP… METHOD PATH, as in ", element("code", {}, "jane,developers DELETE /api/v1/namespaces/shop/secrets/db")),
      this.#choice,
      this.#answers,
    );
  }

  show(report: Report, selected: Exchange | undefined): void {
    this.#report = report;
    const files = policies(report, this.#page);
    this.element.hidden = files.length === 0;
    if (files.length === 0) return;
    const before = this.#file.value;
    this.#file.replaceChildren(...files.map((file) => element("option", { value: String(file.line) }, file.name || `line ${file.line}`)));
    if (files.some((file) => String(file.line) === before)) this.#file.value = before;
    this.#choice.hidden = files.length < 2;
    if (!this.#touched && selected) {
      const { user, request } = selected;
      const who = user ? [user.impersonatedBy ?? user.name, ...(user.impersonatedBy ? [] : user.groups)].join(",").replaceAll(/\s/g, "") : "";
      this.#requests.value = `${who} ${request.method} ${request.uri}`.trim();
    }
    this.#ask();
  }

  async #ask(): Promise<void> {
    const file = this.#report?.files.find(({ line }) => String(line) === this.#file.value);
    if (!file) return;
    const asked = (this.#asked += 1);
    let shown: HTMLElement;
    try {
      shown = this.#table(await this.#page.call("audit", this.#page.text(file), file.line, this.#requests.value));
    } catch (error) {
      shown = element("p", { class: "remark" }, error instanceof Error ? error.message : String(error));
    }
    // A later question has its own answer.
    if (asked === this.#asked) this.#answers.replaceChildren(shown);
  }

  #table(all: Asked[]): HTMLElement {
    const rows = all.map(({ asked, answer, error }) => {
      const head = element("th", { scope: "row" }, answer ? `${answer.user} ${answer.request}` : asked);
      if (!answer) return element("tr", {}, head, element("td", { class: "denied", colspan: "4" }, `✗ ${error}`));
      const { verb, level, rule, line, stages } = answer;
      const place = line === undefined ? "no rule matches" : this.#page.link({ file: "", line, endLine: line, object: "Policy", path: rule ?? "" });
      return element(
        "tr",
        {},
        head,
        element("td", {}, verb),
        element("td", {}, level),
        element("td", { class: "stages" }, stages.join(", ") || "no event"),
        element("td", { class: "where" }, place),
      );
    });
    const names = ["Request", "Verb", "Level", "Stages", "Rule"].map((name) => element("th", { scope: "col" }, name));
    return element("table", {}, element("thead", {}, element("tr", {}, ...names)), element("tbody", {}, ...rows));
  }
}
