/** What etcd holds: every key with its provider, a value byte by byte, and what it was before it was rewritten. */

import type { Bytes, Stored } from "portcullis-wasm";
import { element } from "../dom.ts";
import type { Page, Selection, View, With } from "../view.ts";
import { dumps } from "./hex.ts";

/** The key whose value is shown. */
let chosen: string | undefined;
/** Whether the keys are shown that the document did not make. */
let everything = false;
/** What the keys shown contain. */
let sought = "";
/** The dumps that are drawn: most keystrokes change none of them. */
let drawn = new Map<string, HTMLElement[]>();
/** Draws what is shown once more. */
let again = () => {};

const search = element("input", {
  type: "search",
  class: "filter",
  placeholder: "secrets/default",
  input: () => ((sought = search.value.trim()), again()),
});
const all = element("button", { type: "button", click: () => ((everything = !everything), again()) });
/** Stays while the rest is drawn, with what is being typed in it. */
const controls = element("p", { class: "controls" }, element("label", {}, "Keys with ", search), all);

/** More rows than this nobody reads. */
const ROWS = 200;

/** One value that a key had. */
interface Version {
  stored: Bytes;
  revision: number;
  /** The command that wrote it; -1 where no request did. */
  step: number;
  exchange: number;
}

export const view: View<"etcd"> = {
  needs: "etcd",
  forget() {
    chosen = undefined;
    everything = false;
    sought = search.value = "";
  },
  show(place, report, selection, page) {
    again = () => view.show(place, report, selection, page);
    if (controls.parentNode !== place) place.replaceChildren(element("div", {}), controls, element("div", {}));
    const [top, , bottom] = place.children;
    const focused = document.activeElement as HTMLElement | null;
    const key = focused?.dataset["key"];
    const own = report.etcd.filter((stored) => stored.value !== undefined);
    const rows = (everything ? report.etcd : own).filter((stored) => stored.key.includes(sought));
    const written = report.steps[selection.step]?.exchanges[selection.exchange]?.etcd.at(-1)?.key;
    const shown =
      own.find((stored) => stored.key === chosen) ??
      own.find((stored) => stored.key === written) ??
      own.find((stored) => stored.stale || stored.error) ??
      own.find((stored) => stored.key.startsWith("/registry/secrets/")) ??
      own[0];
    const kept = drawn;
    drawn = new Map();
    const scrolled = place.querySelector(".keys")?.scrollTop ?? 0;
    all.textContent = `All ${report.etcd.length} keys`;
    all.setAttribute("aria-pressed", String(everything));
    top?.replaceChildren(headline(report));
    bottom?.replaceChildren(
      keys(rows, shown, (key) => ((chosen = key), again())),
      ...(shown ? value(shown, report, selection, page, place.clientWidth, kept) : []),
    );
    const list = place.querySelector(".keys");
    if (list) list.scrollTop = scrolled;
    if (key) place.querySelector<HTMLElement>(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
  },
};

/** What is still readable on the disk or under an old key, and what rewrites it. */
function headline(report: With<"etcd">): HTMLElement {
  const secrets = report.etcd.filter((stored) => stored.key.startsWith("/registry/secrets/"));
  const plain = secrets.filter((stored) => stored.provider === "identity").length;
  const stale = report.etcd.filter((stored) => stored.stale);
  const old = stale.filter((stored) => stored.provider !== "identity").length;
  const broken = report.etcd.filter((stored) => stored.error).length;
  const encrypts = stale.length > 0 || report.etcd.some((stored) => stored.provider !== "identity");
  const are = (count: number, one: string, many: string) => `${count === 0 ? "No" : count} ${count < 2 ? `${one} is` : `${many} are`}`;
  const clauses = [`${are(plain, "secret", "secrets")} in plain text`];
  if (old > 0) clauses.push(`${are(old, "value", "values")} under an old key`);
  if (broken > 0) clauses.push(`${are(broken, "value", "values")} unreadable`);
  const good = plain + old + broken === 0;
  const commands = [...new Set(stale.map(({ key }) => resource(key)))];
  return element(
    "div",
    { class: "headline" },
    element("h2", {}, element("span", { class: good ? "allowed" : "denied" }, `${good ? "✓" : "✗"} ${clauses.join(", ")}.`)),
    !encrypts && element("p", { class: "dim" }, "No EncryptionConfig is in use: whoever has etcd's disk or a backup of it can read them."),
    ...(stale.length > 0
      ? [
          element("p", { class: "dim" }, `${are(stale.length, "value", "values")} stored otherwise than a write would store them today. This rewrites ${stale.length === 1 ? "it" : "them"}:`),
          element("pre", { class: "command" }, commands.map((resource) => `kubectl get ${resource} --all-namespaces -o json | kubectl replace -f -`).join("\n")),
        ]
      : []),
  );
}

/** The resource of a key, as `kubectl` calls it. */
function resource(key: string): string {
  const [, , first = "", second = ""] = key.split("/");
  if (first === "services") return second === "endpoints" ? "endpoints" : "services";
  return { minions: "nodes", controllers: "replicationcontrollers" }[first] ?? first;
}

/** A value's state as a sign and a word. */
function state({ key, provider, stale, error }: Stored): [string, string] {
  if (error) return ["denied", "✗ unreadable"];
  if (provider === "identity" && key.startsWith("/registry/secrets/")) return ["denied", stale ? "✗ plain, stale" : "✗ plain"];
  if (stale) return ["warned", "! stale"];
  return ["dim", provider === "identity" ? "plain" : "current"];
}

function keys(rows: Stored[], shown: Stored | undefined, choose: (key: string) => void): HTMLElement {
  const body = rows.slice(0, ROWS).map((stored) => {
    const [look, word] = state(stored);
    return element(
      "tr",
      { class: stored === shown ? "current" : undefined, "aria-current": stored === shown ? "true" : undefined },
      element(
        "th",
        { scope: "row" },
        stored.value !== undefined
          ? element("button", { type: "button", class: "location", "data-key": stored.key, click: () => choose(stored.key) }, stored.key)
          : stored.key,
      ),
      element("td", {}, stored.provider + (stored.keyName && `, ${stored.keyName}`)),
      element("td", { class: look }, word),
      element("td", { class: "dim" }, `revision ${stored.revision}`),
    );
  });
  const head = ["Key", "Provider", "State", "Written"].map((name) => element("th", { scope: "col" }, name));
  return element(
    "section",
    { class: "card wide keys", "aria-label": "Keys", tabindex: "0" },
    rows.length > 0
      ? element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...body))
      : element("p", { class: "dim" }, sought ? "No key contains this." : "The document stores nothing of its own."),
    rows.length > ROWS && element("p", { class: "dim" }, `and ${rows.length - ROWS} more: say what they contain`),
  );
}

/** The value of a key; beside it the one before, where it was rewritten. */
function value(stored: Stored, report: With<"etcd">, selection: Selection, page: Page, room: number, kept: Map<string, HTMLElement[]>): HTMLElement[] {
  if (stored.value === undefined) return [];
  const all = versions({ ...stored, value: stored.value }, report);
  const chosen = all.findLastIndex(({ step, exchange }) => step === selection.step && exchange === selection.exchange);
  const at = chosen >= 0 ? chosen : all.length - 1;
  const [before, after] = [all[at - 1], all[at]];
  if (!after) return [];
  const last = at === all.length - 1;
  const wide = before ? room / 2 : room;
  const column = (name: string, version: Version) => {
    const perLine = wide > 660 ? 16 : 8;
    const key = `${stored.key} ${name} ${perLine} ${version.stored.value} ${JSON.stringify(version.stored.parts)} ${version.stored.plain}`;
    const made = kept.get(key) ?? dumps(version.stored, stored.key, perLine);
    drawn.set(key, made);
    const step = report.steps[version.step];
    return element(
      "section",
      { class: "card", "aria-label": `${name}: ${stored.key}` },
      element("h3", {}, name, element("span", { class: "dim" }, `revision ${version.revision}`)),
      step &&
        element(
          "p",
          { class: "dim cut" },
          "by ",
          element("button", { type: "button", class: "location", "data-key": `by ${name}`, click: () => page.select({ step: version.step, exchange: version.exchange }) }, step.command.replaceAll(/\s*\\?\n\s*/g, " ")),
        ),
      ...made,
    );
  };
  const error = stored.error && last ? [element("p", { class: "remark" }, `The server cannot read it: ${stored.error}.`)] : [];
  const title = element("h3", { class: "of-key" }, stored.key);
  if (!before) return [title, ...error, column(last ? "Now" : "Then", after)];
  return [title, ...error, element("div", { class: "pair" }, column("Before", before), column(last ? "Now" : "After", after))];
}

/** Every value that a key had, oldest first, as far as the report holds them. */
function versions(stored: Stored & Bytes, report: With<"etcd">): Version[] {
  const all: Version[] = [];
  for (const [step, { exchanges }] of report.steps.entries()) {
    for (const [exchange, { etcd }] of exchanges.entries()) {
      for (const write of etcd) {
        if (write.key === stored.key && write.stored) all.push({ stored: write.stored, revision: write.revision, step, exchange });
      }
    }
  }
  // What came into etcd past the server.
  if (all.at(-1)?.stored.value !== stored.value) all.push({ stored, revision: stored.revision, step: -1, exchange: -1 });
  else all.splice(-1, 1, { ...(all.at(-1) as Version), stored });
  return all;
}
