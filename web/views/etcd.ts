/** What etcd holds: every key with its provider, a value byte by byte, and a pasted value opened with one's own key. */

import type { Bytes, Inspection, Stored } from "portcullis-wasm";
import { element } from "../dom.ts";
import type { Page, Selection, View, With } from "../view.ts";
import { decode, hex } from "./hex.ts";

/** The key whose value is shown. */
let chosen: string | undefined;
/** Whether the keys are shown that the document did not make. */
let everything = false;
/** What was typed into the form. */
const typed = { dump: "", config: "", key: "" };
let inspected: HTMLElement | undefined;

export const view: View<"etcd"> = {
  needs: "etcd",
  show(place, report, selection, page) {
    const again = () => view.show(place, report, selection, page);
    // The form keeps its focus and what is typed: only what depends on the report is drawn again.
    let [top, form] = [place.querySelector<HTMLElement>(":scope > .stored"), place.querySelector(":scope > .inspect")];
    if (!top || !form) {
      top = element("div", { class: "stored" });
      form = inspectForm(page);
      place.replaceChildren(top, form);
    }
    const focused = (document.activeElement as HTMLElement | null)?.dataset["key"];
    const own = report.etcd.filter((stored) => stored.value !== undefined);
    const rows = everything ? report.etcd : own;
    const shown = rows.find((stored) => stored.key === chosen) ?? writtenBy(report, selection) ?? own.find((stored) => stored.key.startsWith("/registry/secrets/")) ?? own[0];
    top.replaceChildren(
      headline(report),
      keys(rows, shown, (key) => ((chosen = key), again())),
      element(
        "p",
        { class: "controls" },
        element("button", { type: "button", "data-key": "everything", "aria-pressed": String(everything), click: () => ((everything = !everything), again()) }, `All ${report.etcd.length} keys`),
      ),
      ...(shown ? value(shown, report) : []),
    );
    if (focused) place.querySelector<HTMLElement>(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  },
};

/** What the selected request wrote. */
function writtenBy(report: With<"etcd">, selection: Selection): Stored | undefined {
  const writes = report.steps[selection.step]?.exchanges[selection.exchange]?.etcd ?? [];
  return report.etcd.find((stored) => stored.value !== undefined && stored.key === writes.at(-1)?.key);
}

/** What is still readable on the disk, and what rewrites it. */
function headline(report: With<"etcd">): HTMLElement {
  const secrets = report.etcd.filter((stored) => stored.key.startsWith("/registry/secrets/"));
  const plain = secrets.filter((stored) => stored.provider === "identity").length;
  const stale = report.etcd.filter((stored) => stored.stale).length;
  const broken = report.etcd.filter((stored) => stored.error).length;
  const count = plain === 0 ? "No secret is" : plain === 1 ? "1 secret is" : `${plain} secrets are`;
  const sentence = `${count} in plain text.`;
  const notes: string[] = [];
  if (stale > 0) notes.push(`${stale} ${stale === 1 ? "value is" : "values are"} stale: not as a write would store it today. kubectl get secrets --all-namespaces -o json | kubectl replace -f - rewrites them.`);
  if (broken > 0) notes.push(`${broken} cannot be read by the server.`);
  return element(
    "div",
    { class: "headline" },
    element("h2", {}, element("span", { class: plain > 0 ? "denied" : "allowed" }, `${plain > 0 ? "✗" : "✓"} ${sentence}`)),
    ...notes.map((note) => element("p", { class: "dim" }, note)),
  );
}

function keys(rows: Stored[], shown: Stored | undefined, choose: (key: string) => void): HTMLElement {
  const body = rows.map((stored) =>
    element(
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
      element("td", { class: stored.error ? "denied" : stored.stale ? "warned" : "dim" }, stored.error ? "✗ unreadable" : stored.stale ? "! stale" : "current"),
      element("td", { class: "dim" }, `revision ${stored.revision}`),
    ),
  );
  const head = ["Key", "Provider", "State", "Written"].map((name) => element("th", { scope: "col" }, name));
  return element(
    "section",
    { class: "card wide keys", "aria-label": "Keys" },
    element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...body)),
  );
}

function value(stored: Stored, report: With<"etcd">): HTMLElement[] {
  if (stored.value === undefined) return [];
  const error = stored.error ? [element("p", { class: "remark" }, stored.error)] : [];
  const now = element("section", { class: "card", "aria-label": stored.key }, element("h3", {}, stored.key), ...error, ...dumps({ ...stored, value: stored.value }));
  const before = earlier(stored, report);
  return before ? [now, element("details", { class: "card" }, element("summary", {}, "Before that"), ...dumps(before))] : [now];
}

/** The value that the last write to a key replaced, where the document made both. */
function earlier(stored: Stored, report: With<"etcd">): Bytes | undefined {
  const writes = report.steps.flatMap((step) => step.exchanges.flatMap((exchange) => exchange.etcd));
  return writes.filter((write) => write.key === stored.key && write.stored).at(-2)?.stored;
}

function dumps({ value, parts, plain, plainParts }: Bytes): HTMLElement[] {
  const stored = hex("Stored bytes", decode(value), parts);
  if (plain === undefined) return [stored];
  return [stored, element("h4", {}, "Decrypted"), hex("Decrypted bytes", decode(plain), plainParts)];
}

/** A value of one's own cluster. */
function inspectForm(page: Page): HTMLElement {
  const field = (name: "dump" | "config", label: string, hint: string) =>
    element(
      "label",
      {},
      label,
      element("textarea", { rows: "6", spellcheck: "false", placeholder: hint, input: (event) => (typed[name] = (event.target as HTMLTextAreaElement).value) }, typed[name]),
    );
  const answer = element("div", { class: "answer", role: "status" }, inspected);
  const run = async () => {
    inspected = await page.call("inspect", typed.config, typed.key, new TextEncoder().encode(typed.dump)).then(opened, (error: Error) => element("p", { class: "remark" }, error.message));
    answer.replaceChildren(inspected);
  };
  return element(
    "details",
    { class: "card inspect" },
    element("summary", {}, "Open a value of your own cluster"),
    element("p", { class: "dim" }, "Paste what etcdctl get KEY | hexdump -C prints (or xxd, or base64), and the EncryptionConfig with its key. Neither leaves this page."),
    field("dump", "Dump", "00000000  2f 72 65 67 69 73 74 72  79 2f 73 65 63 72 65 74  |/registry/secret|"),
    field("config", "EncryptionConfig", "kind: EncryptionConfig"),
    element(
      "label",
      {},
      "etcd key, if the dump does not begin with it",
      element("input", { type: "text", spellcheck: "false", placeholder: "/registry/secrets/default/name", input: (event) => (typed.key = (event.target as HTMLInputElement).value) }),
    ),
    element("button", { type: "button", click: () => void run() }, "Open it"),
    answer,
  );
}

function opened({ stored, failure, yaml }: Inspection): HTMLElement {
  const why = failure ? [element("p", { class: "remark" }, `${failure.step} failed: ${failure.error}. ${failure.usually}`)] : [];
  return element("div", {}, ...why, element("pre", { tabindex: "0", "aria-label": "The value" }, yaml), ...dumps(stored));
}
