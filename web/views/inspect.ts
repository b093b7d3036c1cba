/** A value of one's own cluster: pasted as a dump, opened with one's own EncryptionConfig, without either leaving the page. */

import type { Inspection, Report } from "portcullis-wasm";
import { element, printed } from "../dom.ts";
import { Unanswered } from "../protocol.ts";
import { type Page, type View, isDump } from "../view.ts";
import { dumps } from "./hex.ts";

/** What was typed; kept while the page is open, and nowhere else. */
const typed: { dump: string; bytes: Uint8Array | undefined; config: string; key: string } = { dump: "", bytes: undefined, config: "", key: "" };
/** Only the newest answer is drawn. */
let turn = 0;

export const view: View = {
  show(place, report, _selection, page) {
    // The form keeps its focus and what is typed; only what the document offers is drawn again.
    const known = place.querySelector<HTMLElement>(".offers");
    if (known) known.replaceWith(offers(place, report, page));
    else draw(place, report, page);
  },
};

function draw(place: HTMLElement, report: Report, page: Page): void {
  const changed = () => void answer(place, page);
  const area = (name: "dump" | "config", label: string, hint: string) =>
    element(
      "label",
      {},
      label,
      element("textarea", {
        rows: "7",
        spellcheck: "false",
        placeholder: hint,
        "data-field": name,
        input(event) {
          typed[name] = (event.target as HTMLTextAreaElement).value;
          if (name === "dump") typed.bytes = undefined;
          changed();
        },
      }),
    );
  const file = element("input", { type: "file", hidden: true, "aria-label": "A file with the value" });
  file.addEventListener("change", () => {
    const [chosen] = file.files ?? [];
    file.value = "";
    if (!chosen) return;
    void chosen.arrayBuffer().then((buffer) => {
      typed.bytes = new Uint8Array(buffer);
      const dump = place.querySelector<HTMLTextAreaElement>("[data-field=dump]");
      if (dump) dump.value = `(${typed.bytes.length} bytes of ${chosen.name})`;
      changed();
    });
  });
  place.replaceChildren(
    element("div", { class: "result", role: "status" }),
    element(
      "section",
      { class: "inspect", "aria-label": "What is inspected" },
      element(
        "div",
        { class: "field" },
        area("dump", "Dump", "00000000  2f 72 65 67 69 73 74 72  79 2f 73 65 63 72 65 74  |/registry/secret|"),
        element(
          "p",
          { class: "dim" },
          "From hexdump -C, xxd, base64 or etcdctl get -w json. ",
          element("button", { type: "button", click: () => file.click() }, "A file…"),
          file,
        ),
      ),
      element("div", { class: "field" }, area("config", "EncryptionConfig", "kind: EncryptionConfig"), offers(place, report, page)),
      element(
        "label",
        {},
        "etcd key, if the dump does not begin with it",
        element("input", { type: "text", spellcheck: "false", placeholder: "/registry/secrets/default/name", input: (event) => ((typed.key = (event.target as HTMLInputElement).value), changed()) }),
      ),
    ),
    element("div", { class: "bytes" }),
  );
  changed();
}

/** The EncryptionConfigs of the document, to be taken over with a click. */
function offers(place: HTMLElement, report: Report, page: Page): HTMLElement {
  const buttons = report.files.flatMap((file) => {
    if (isDump(file)) return [];
    const text = page.text(file);
    if (!/^\s*kind:\s*["']?Encryption/m.test(text)) return [];
    const take = () => {
      typed.config = text;
      const area = place.querySelector<HTMLTextAreaElement>("[data-field=config]");
      if (area) area.value = text;
      void answer(place, page);
    };
    return [element("button", { type: "button", click: take }, file.name || `line ${file.line}`), " "];
  });
  return element("p", { class: "dim offers" }, buttons.length > 0 ? "Of this document: " : "With the key's secret in it; for a plain value, nothing.", ...buttons);
}

async function answer(place: HTMLElement, page: Page): Promise<void> {
  turn += 1;
  const mine = turn;
  const dump = typed.bytes ?? new TextEncoder().encode(typed.dump);
  const result = place.querySelector(".result");
  const bytes = place.querySelector(".bytes");
  const show = (top: HTMLElement[], below: HTMLElement[]) => {
    if (mine !== turn) return;
    result?.replaceChildren(...top);
    bytes?.replaceChildren(...below);
  };
  if (dump.every((byte) => byte <= 0x20)) {
    show(
      [
        element("h2", {}, "Open a value of your own cluster."),
        element("p", { class: "dim" }, "Paste what etcd holds and the configuration of the API server that wrote it. Neither leaves this page, nor is it kept."),
      ],
      [],
    );
    return;
  }
  try {
    const inspection = await page.call("inspect", typed.config, typed.key, dump);
    show(head(inspection), rest(inspection, place.clientWidth));
  } catch (error) {
    // Which of the two cannot be read shows the dump without the configuration.
    const alone = error instanceof Unanswered ? error : await page.call("inspect", "", typed.key, dump).catch((error: Error) => error);
    if (alone instanceof Unanswered) {
      show([element("p", { class: "remark" }, alone.message)], []);
      return;
    }
    const whole = !(alone instanceof Error);
    const { message } = error as Error;
    const usually = whole
      ? "The server that has this file would not start. Paste it as it is, keys included."
      : "A dump must be whole: every line, from the first byte to the last, as it was printed.";
    show(failed(whole ? "The configuration cannot be read." : "The dump cannot be read.", usually, message), []);
  }
}

function failed(sentence: string, usually: string, error: string): HTMLElement[] {
  return [
    element("h2", {}, element("span", { class: "denied" }, "✗ Not opened."), ` ${sentence}`),
    element("p", { class: "remark" }, usually),
    element("p", { class: "dim" }, error),
  ];
}

function head({ key, provider, keyName, stale, failure, yaml }: Inspection): HTMLElement[] {
  const by = provider === "identity" ? "in plain text" : `encrypted by ${provider} with the key ${keyName}`;
  if (failure) {
    const step = failure.step === "decrypt" ? "Decryption failed:" : "Decoding failed:";
    const value = provider === "identity" ? "read as plain text, the value is no object" : `the value is ${by}`;
    return failed(`${step} ${value}.`, failure.usually, failure.error);
  }
  const kind = /^ {2}kind: (\S+)$/m.exec(yaml)?.[1] ?? "object";
  const notes = [key, stale ? "stale: a write would use another provider or key" : "as a write would store it today"];
  return [
    element("h2", {}, element("span", { class: "allowed" }, "✓ Opened."), ` ${/^[AEIOU]/.test(kind) ? "An" : "A"} ${kind}, ${by}.`),
    element("p", { class: "dim" }, notes.filter(Boolean).join(" · ")),
  ];
}

function rest({ key, stored, failure, yaml }: Inspection, room: number): HTMLElement[] {
  const object = failure ? [] : [element("section", { class: "card", "aria-label": "What is in it" }, element("h3", {}, "What is in it"), printed("The value", yaml))];
  return [...object, element("section", { class: "card", "aria-label": "Its bytes" }, element("h3", {}, "Its bytes"), ...dumps(stored, key, room > 660 ? 16 : 8))];
}
