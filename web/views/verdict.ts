/** One request: its answer as a sentence, the way it took through the server, and why. */

import type { Attributes, Authorizer, Exchange, Location, Report, Response, Step } from "portcullis-wasm";
import { element, printed, redraw } from "../dom.ts";
import { ofExchange, ofStep } from "../verdict.ts";
import type { Page, Selection, View } from "../view.ts";

/** A stop on a request's way. */
interface Stop {
  name: string;
  sign: string;
  kind: "allowed" | "denied" | "neutral" | "unreached";
  /** In words, below the name. */
  says: string;
  /** The line that decided, where a text holds it. */
  link?: Location | undefined;
  detail?: () => (Node | string)[];
  /** Whether it can let a request through: an authorizer. */
  decides?: boolean;
}

/** The stop whose details are open, by name; `undefined` for the one that decided. */
let open: string | undefined;
/** What `open` belongs to. */
let looked = "";
/** Draws the newest report again. */
let again = () => {};

export const view: View = {
  show(place, report, selection, page) {
    const step = report.steps[selection.step];
    if (!step) {
      place.replaceChildren(empty());
      return;
    }
    const key = `${selection.step}/${selection.exchange}`;
    const focused = (document.activeElement as HTMLElement | null)?.dataset["key"];
    if (key !== looked) {
      open = undefined;
      place.replaceChildren();
    }
    looked = key;
    const exchange = step.exchanges[selection.exchange];
    again = () => view.show(place, report, selection, page);
    redraw(place, [
      walker(report, selection, page),
      ...(exchange ? [headline(exchange)] : [nothingSent(step)]),
      ...requests(step, selection, page),
      ...(exchange ? way(exchange, page) : []),
      ...output(step),
    ]);
    if (focused) place.querySelector<HTMLElement>(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  },
};

function empty(): HTMLElement {
  return element(
    "div",
    { class: "empty" },
    element("h2", {}, "Ask something."),
    element("p", {}, "Paste roles and bindings on the left, and a request below them:"),
    element("pre", {}, "kubectl auth can-i list pods --as jane\ncurl -k https://apiserver:6443/api/v1/pods"),
  );
}

/** Which step this is, and the way to its neighbours. */
function walker(report: Report, selection: Selection, page: Page): HTMLElement {
  const to = (name: string, sign: string, index: number) =>
    element(
      "button",
      {
        type: "button",
        class: "quiet",
        "aria-label": name,
        "data-key": name,
        disabled: !report.steps[index],
        click: () => page.select({ step: index, exchange: -1 }),
      },
      sign,
    );
  return element(
    "div",
    { class: "walker" },
    to("Previous request", "‹", selection.step - 1),
    element("span", {}, `${selection.step + 1} of ${report.steps.length}`),
    to("Next request", "›", selection.step + 1),
    element("code", { class: "dim" }, report.steps[selection.step]?.command.slice(0, 1000).replaceAll(/\s*\\?\n\s*/g, " ")),
  );
}

/** The answer: the largest thing in the view. */
function headline(exchange: Exchange): HTMLElement {
  const verdict = ofExchange(exchange);
  const [word = "", rest = ""] = exchange.summary.split(/(?<=\.)\s+(.*)/s);
  return element(
    "div",
    { class: "headline" },
    element("h2", {}, element("span", { class: verdict.kind }, `${verdict.sign} ${word}`), " ", rest),
    element("p", { class: "dim" }, `${exchange.request.method} ${exchange.request.uri}`, attributes(exchange.review?.attributes ?? exchange.attributes)),
    ...(exchange.user?.notes ?? []).map((note) => element("p", { class: "remark" }, note)),
  );
}

function attributes(read: Attributes | undefined): string | undefined {
  if (!read) return undefined;
  if (!read.resourceRequest) return ` → verb ${read.verb} · path ${read.path}`;
  const parts = [
    `verb ${read.verb}`,
    `group ${read.apiGroup || '""'}`,
    `resource ${read.resource}${read.subresource && `/${read.subresource}`}`,
    read.name && `name ${read.name}`,
    read.namespace ? `namespace ${read.namespace}` : "cluster scope",
  ];
  return ` → ${parts.filter(Boolean).join(" · ")}`;
}

function nothingSent(step: Step): HTMLElement {
  const verdict = ofStep(step);
  const what = step.status === 0 ? "Done." : `Failed with exit status ${step.status}.`;
  return element("div", { class: "headline" }, element("h2", {}, element("span", { class: verdict.kind }, what), " No request was sent."));
}

/** The requests of a command that sent several. */
function requests(step: Step, selection: Selection, page: Page): HTMLElement[] {
  if (step.exchanges.length < 2) return [];
  const rows = step.exchanges.map((exchange, index) => {
    const verdict = ofExchange(exchange);
    return element(
      "button",
      {
        type: "button",
        "aria-pressed": String(index === selection.exchange),
        "data-key": `request ${index}`,
        click: () => page.select({ step: selection.step, exchange: index }),
      },
      element("span", { class: verdict.kind }, `${verdict.sign} ${verdict.word}`),
      ` ${exchange.request.method} ${exchange.request.uri}`,
    );
  });
  return [element("div", { class: "several", role: "group", "aria-label": "Requests of this command" }, ...rows)];
}

/** The stops, and the details of the one that is open. */
function way(exchange: Exchange, page: Page): HTMLElement[] {
  const all = stops(exchange, page);
  const decided = all.find((stop) => stop.kind === "denied") ?? all.find((stop) => stop.decides && stop.kind === "allowed");
  const shown = all.find((stop) => stop.name === open) ?? decided;
  const line = element(
    "ol",
    { class: "way", "aria-label": "The request's way through the server" },
    ...all.map((stop) =>
      element(
        "li",
        { class: stop.kind },
        element("span", { class: "sign", "aria-hidden": "true" }, stop.sign),
        stop.detail
          ? element(
              "button",
              {
                type: "button",
                "data-key": stop.name,
                "aria-expanded": String(stop === shown),
                "aria-controls": "stop",
                click: () => {
                  open = stop.name;
                  again();
                },
              },
              stop.name,
            )
          : element("b", {}, stop.name),
        element("span", { class: "says" }, stop.says),
        stop.link && page.name(stop.link.line) ? page.link(stop.link) : undefined,
      ),
    ),
  );
  if (!shown?.detail) return [line];
  return [line, element("section", { class: "card", id: "stop", "aria-label": shown.name }, ...shown.detail())];
}

function stops(exchange: Exchange, page: Page): Stop[] {
  const { user, review } = exchange;
  // Whoever asks for a review is let through: what they asked about is of interest.
  const authorization = review?.authorization ?? exchange.authorization;
  const unreached = (name: string): Stop => ({ name, sign: "–", kind: "unreached", says: "not reached" });
  const list: Stop[] = [];
  list.push(
    user
      ? { name: "Who", sign: "✓", kind: "allowed", says: review?.user || (user.impersonatedBy ? `${user.name}, sent by ${user.impersonatedBy}` : user.name), detail: () => who(exchange, page) }
      : { name: "Who", sign: "✗", kind: "denied", says: "nobody known" },
  );
  list.push(user ? audited(exchange, page) : unreached("Audit"));
  const asked = authorization?.steps.filter((step) => step.authorizer !== "system:masters" || step.verdict === "Allow") ?? [];
  if (asked.length === 0) list.push(unreached("Authorization"));
  const passed = authorization?.verdict === "Allow";
  for (const step of asked) list.push(authorizer(step, !passed && step === asked.at(-1), page));
  const refused = exchange.admission.find((step) => !step.admitted);
  if (review) return [...list, answer(exchange)];
  if (!passed) list.push(unreached("Admission"));
  else if (exchange.admission.length === 0) list.push({ ...unreached("Admission"), says: "not asked" });
  else {
    list.push({
      name: "Admission",
      sign: refused ? "✗" : "✓",
      kind: refused ? "denied" : "allowed",
      says: refused?.plugin ?? exchange.admission.map((step) => step.plugin).join(", "),
      detail: () => [
        element("h3", {}, "Admission"),
        element(
          "table",
          {},
          element(
            "tbody",
            {},
            ...exchange.admission.flatMap((step) => [
              row(step.admitted ? "✓" : "✗", step.admitted ? "allowed" : "denied", `${step.plugin}${step.message && ": "}${step.message}`, [], page),
              ...step.because.map((each) => row("", "", each.message, [each.location], page)),
            ]),
          ),
        ),
      ],
    });
  }
  if (!passed || refused) list.push(unreached("Storage"));
  else if (exchange.etcd.length === 0) list.push({ ...unreached("Storage"), says: "nothing written" });
  else {
    const count = exchange.etcd.length;
    list.push({
      name: "Storage",
      sign: "✓",
      kind: "allowed",
      says: count === 1 ? "1 write" : `${count} writes`,
      detail: () => [
        element("h3", {}, "Written to etcd"),
        table(exchange.etcd.map((write) => [write.put ? "put" : "delete", `${write.key}, revision ${write.revision}`])),
      ],
    });
  }
  return [...list, answer(exchange)];
}

function answer(exchange: Exchange): Stop {
  const { response } = exchange;
  return {
    name: "Response",
    sign: String(response.status),
    kind: response.status < 400 ? "allowed" : "denied",
    says: isProtobuf(response) ? "protobuf" : `${new TextEncoder().encode(response.body).length} bytes`,
    detail: () => [
      element("h3", {}, "Response"),
      printed("Response", `${response.headers.map(([name, value]) => `${name}: ${value}`).join("\n")}\n\n${response.body}`),
    ],
  };
}

function isProtobuf({ headers }: Response): boolean {
  return headers.some(([name, value]) => name === "Content-Type" && value.startsWith("application/vnd.kubernetes.protobuf"));
}

/** What the audit policy says of it. It was asked before anybody was asked whether this may be. */
function audited({ audit, audited }: Exchange, page: Page): Stop {
  const stop = { name: "Audit", sign: "–", kind: "unreached" as const, says: "no policy" };
  if (!audited) return stop;
  const stages = audit.map(({ stage }) => stage).join(", ");
  const basic = audited.level === "None" && audited.log.length > 0;
  const rows: [string, string][] = [
    ["level", basic ? "basic log, without a policy" : audited.level],
    ["stages", stages || "none"],
    ["log", audited.log.join("\n")],
  ];
  const detail = () => [
    element("h3", {}, "Audit"),
    element(
      "table",
      {},
      element(
        "tbody",
        {},
        ...rows.filter(([, value]) => value !== "").map(([name, value]) => row(name, "", value, [], page)),
        row("rule", "", audited.rule?.path ?? "no rule matches", audited.rule ? [audited.rule] : [], page),
      ),
    ),
  ];
  const link = audited.rule;
  if (audited.level === "None" && !basic) return { ...stop, kind: "neutral", says: "not recorded", link, detail };
  return { ...stop, sign: "✓", kind: "allowed", says: basic ? "basic log" : audited.level, link, detail };
}

function who({ user, review, impersonation }: Exchange, page: Page): Node[] {
  if (!user) return [];
  const rows: [string, string][] = [
    ["asked about", review?.user ?? ""],
    ["their groups", review?.groups.join(", ") ?? ""],
    ["name", user.name],
    ["groups", user.groups.join(", ")],
    ["uid", user.uid],
    ["known by", user.authenticator],
    ["sent by", user.impersonatedBy ?? ""],
    ...user.extra.map(([key, values]): [string, string] => [key, values.join(", ")]),
  ];
  const lines = rows.filter(([, value]) => value !== "").map(([name, value]) => row(name, "", value, [], page));
  const because = impersonation.flatMap(({ steps }) => steps).flatMap((step) => step.because);
  const may = because.map((each, index) => row(index === 0 ? "may act so" : "", "", each.message, [each.location], page));
  return [element("h3", {}, "Who"), element("table", {}, element("tbody", {}, ...lines, ...may))];
}

/** `last` is the authorizer whose missing opinion ended the asking. */
function authorizer(step: Authorizer, last: boolean, page: Page): Stop {
  const [nearest] = step.nearest;
  const link = step.verdict === "Allow" ? step.because.at(-1)?.location : last ? (nearest?.rule ?? nearest?.location) : undefined;
  const stop = { name: step.authorizer, detail: () => why(step, page), decides: true, link };
  if (step.verdict === "Allow") return { ...stop, sign: "✓", kind: "allowed", says: "allows" };
  if (step.verdict === "Deny") return { ...stop, sign: "✗", kind: "denied", says: "denies" };
  if (!last) return { ...stop, sign: "–", kind: "neutral", says: "no opinion" };
  return { ...stop, sign: "✗", kind: "denied", says: step.authorizer === "RBAC" ? "no rule allows it" : "no opinion" };
}

function why(step: Authorizer, page: Page): Node[] {
  const reason = step.reason ? [element("p", { class: "dim" }, `Reason: ${step.reason}`)] : [];
  const because = step.because.map((each) => row("✓", "allowed", each.message, [each.location], page));
  const nearest = step.nearest.map((each) =>
    row(each.failed, "denied", each.message, each.rule ? [each.rule, each.location] : [each.location], page),
  );
  const rows = [...because, ...nearest];
  if (step.verdict === "Allow") {
    return [element("h3", {}, "Why"), ...reason, element("table", {}, element("tbody", {}, ...rows))];
  }
  const count = nearest.length;
  const names = count === 1 ? "1 came near" : `${count} came near, nearest first`;
  const title = element("h3", {}, "Why not", count > 0 && element("span", { class: "dim" }, ` · ${names}`));
  if (rows.length === 0) return [title, ...reason, element("p", { class: "dim" }, "Nothing names this subject.")];
  return [title, ...reason, element("table", {}, element("tbody", {}, ...rows))];
}

function row(word: string, kind: string, message: string, locations: Location[], page: Page): HTMLElement {
  const links = locations.map((location) => element("div", {}, page.link(location)));
  return element(
    "tr",
    {},
    element("th", { scope: "row", class: kind }, word),
    element("td", {}, message),
    element("td", { class: "where" }, ...links),
  );
}

function table(rows: [string, string][]): HTMLElement {
  const body = rows.map(([name, value]) => element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, value)));
  return element("table", {}, element("tbody", {}, ...body));
}

/** What the command printed, and what the document says that it prints. */
function output(step: Step): HTMLElement[] {
  if (step.output === "" && step.matched !== false) return [];
  const agrees = step.matched === undefined ? undefined : step.matched ? "✓ as the document says" : "✗ not what the document says";
  const title = element("h3", {}, "Output", agrees !== undefined && element("span", { class: step.matched ? "allowed" : "denied" }, agrees));
  const output = printed("Output", step.output);
  if (step.matched !== false) return [element("section", { class: "card" }, title, output)];
  return [
    element(
      "section",
      { class: "card" },
      title,
      element("h4", {}, "The document says"),
      printed("Expected output", step.expected ?? ""),
      element("h4", {}, "It printed"),
      output,
    ),
  ];
}
