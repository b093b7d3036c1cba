/** What was recorded: each request's level, rule and stages, the events, the log, and what the webhook's server received. */

import type { Audited, Delivery, Exchange, Report } from "portcullis-wasm";
import { element, printed } from "../dom.ts";
import { ofExchange } from "../verdict.ts";
import type { Page, Selection, View } from "../view.ts";
import { WhatIf, policies } from "./what-if.ts";

let whatIf: WhatIf | undefined;

export const view: View = {
  show(place, report, selection, page) {
    // What is typed below keeps its focus: only what depends on the report is drawn again.
    if (!whatIf) {
      whatIf = new WhatIf(page);
      place.replaceChildren(element("div", {}), whatIf.element, element("div", {}));
    }
    const [top, , bottom] = place.children;
    if (!top || !bottom) return;
    const rows = report.steps.flatMap((step, at) => step.exchanges.map((exchange, number) => ({ exchange, at, number })));
    const focused = (document.activeElement as HTMLElement | null)?.dataset["key"];
    const exchange = report.steps[selection.step]?.exchanges[selection.exchange];
    const recorded = rows.some(({ exchange }) => exchange.audited);
    whatIf.show(report, exchange);
    if (!recorded) {
      top.replaceChildren(nothing(report, page));
      bottom.replaceChildren();
      return;
    }
    const rules = report.rules.filter(({ location }) => location.object.startsWith("Policy"));
    top.replaceChildren(
      headline(exchange),
      ...(exchange?.audited ? [one(exchange, exchange.audited, page)] : []),
      all(rows, selection, page),
      ...(rules.length > 0 ? [policy(rules, page)] : []),
    );
    bottom.replaceChildren(...events(exchange), ...log(report), ...report.audit.deliveries.map(delivery));
    if (focused) place.querySelector<HTMLElement>(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  },
};

function nothing(report: Report, page: Page): HTMLElement {
  const none = element("h2", {}, "Nothing is recorded.");
  if (policies(report, page).length > 0) return element("div", { class: "empty" }, none, element("p", {}, "No request met the policy yet. Send one, or ask below."));
  return element(
    "div",
    { class: "empty" },
    none,
    element("p", {}, "Add an audit policy to the files, and every request below is answered with its level and rule:"),
    element("pre", {}, 'apiVersion: audit.k8s.io/v1alpha1\nkind: Policy\nrules:\n- level: Metadata\n  resources:\n  - group: ""\n    resources: [secrets]\n- level: Request'),
  );
}

function headline(exchange: Exchange | undefined): HTMLElement {
  const audited = exchange?.audited;
  if (!exchange || !audited) {
    return element("div", { class: "headline" }, element("h2", {}, "The selected command left no record."));
  }
  const what = { None: "Not recorded.", Metadata: "Recorded: who asked for what.", Request: "Recorded, with what was sent.", RequestResponse: "Recorded, with what was sent and answered." };
  const basic = audited.level === "None" && audited.log.length > 0;
  return element(
    "div",
    { class: "headline" },
    element("h2", {}, basic ? "Recorded in the basic log." : what[audited.level]),
    element("p", { class: "dim" }, `${exchange.request.method} ${exchange.request.uri}`),
  );
}

function one({ audit }: Exchange, audited: Audited, page: Page): HTMLElement {
  const rows: [string, Node | string][] = [
    ["level", audited.level],
    ["rule", audited.rule ? element("span", {}, `${audited.rule.path} `, page.link(audited.rule)) : "none matches"],
    ["stages", audit.map(({ stage }) => stage).join(", ") || "none"],
  ];
  const body = rows.map(([name, value]) => element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, value)));
  return element("section", { class: "card", "aria-label": "The selected request" }, element("table", {}, element("tbody", {}, ...body)));
}

/** The rules of the policy: what each took, and which nothing reaches. */
function policy(rules: Report["rules"], page: Page): HTMLElement {
  const rows = rules.map(({ location, requests, never }) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, location.path),
      element("td", { class: never ? "warned" : requests === 0 ? "dim" : undefined }, never ?? (requests === 0 ? "never used" : requests === 1 ? "took 1 request" : `took ${requests} requests`)),
      element("td", { class: "where" }, page.link(location)),
    ),
  );
  return element("section", { class: "card", "aria-label": "Rules of the policy" }, element("h3", {}, "Rules of the policy"), element("table", {}, element("tbody", {}, ...rows)));
}

function events(exchange: Exchange | undefined): HTMLElement[] {
  return (exchange?.audit ?? []).map(({ stage, event }, index, all) =>
    element(
      "details",
      { class: "card", open: index === all.length - 1 },
      element("summary", {}, `Event at ${stage}`),
      printed(`Event at ${stage}`, pretty(event)),
    ),
  );
}

/** Every request with what the policy said of it. */
function all(rows: { exchange: Exchange; at: number; number: number }[], selection: Selection, page: Page): HTMLElement {
  const body = rows.map(({ exchange, at, number }) => {
    const verdict = ofExchange(exchange);
    const current = at === selection.step && number === selection.exchange;
    return element(
      "tr",
      { class: current ? "current" : undefined, "aria-current": current ? "true" : undefined },
      element(
        "th",
        { scope: "row" },
        element(
          "button",
          { type: "button", class: "location", "data-key": `${at}/${number}`, click: () => page.select({ step: at, exchange: number }) },
          `${exchange.request.method} ${exchange.request.uri}`,
        ),
      ),
      element("td", { class: verdict.kind }, `${verdict.sign} ${verdict.word}`),
      element("td", {}, exchange.audited?.level ?? "–"),
      element("td", { class: "stages" }, exchange.audit.map(({ stage }) => stage).join(", ") || "no event"),
      element("td", { class: "where" }, exchange.audited?.rule && page.link(exchange.audited.rule)),
    );
  });
  const head = ["Request", "Answer", "Level", "Stages", "Rule"].map((name) => element("th", { scope: "col" }, name));
  return element(
    "section",
    { class: "card wide", "aria-label": "All requests" },
    element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...body)),
  );
}

function log(report: Report): HTMLElement[] {
  if (report.audit.log.length === 0) return [];
  return [
    element(
      "section",
      { class: "card" },
      element("h3", {}, "Log", element("span", { class: "dim" }, `${report.audit.log.length} lines`)),
      printed("Log", report.audit.log.join("\n")),
    ),
  ];
}

/** A delivery as it arrives. */
function delivery({ method, url, headers, body }: Delivery, index: number): HTMLElement {
  const { pathname, search } = new URL(url, "https://webhook.invalid/");
  const wire = `${method} ${pathname}${search} HTTP/1.1\n${headers.map(([name, value]) => `${name}: ${value}`).join("\n")}\n\n${body}`;
  return element(
    "details",
    { class: "card", open: index === 0 },
    element("summary", {}, `Delivery ${index + 1} to the webhook`),
    printed(`Delivery ${index + 1}`, wire),
  );
}

function pretty(json: string): string {
  try {
    return JSON.stringify(JSON.parse(json), undefined, 2);
  } catch {
    return json;
  }
}
