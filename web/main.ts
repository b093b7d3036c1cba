/** The page: editors on the left, what the server would say on the right, the engine between them. */

import type { Location, Report } from "portcullis-wasm";
import { element, byId } from "./dom.ts";
import { type Composed, Document, type Place } from "./document.ts";
import { Opening, dropTarget } from "./open.ts";
import { embedded, isEmbedded } from "./embedded.ts";
import { Editor, type Mark, type Notes, type Problem, type Sign } from "./editor.ts";
import { Engine } from "./engine.ts";
import { blank, examples } from "./examples.ts";
import { forget, keep, keepAside, keepTheme, kept, keptAside, keptTheme } from "./kept.ts";
import { openLink } from "./link.ts";
import { isOffered, menu, pick } from "./menu.ts";
import { notice, silence } from "./notice.ts";
import { Incomplete, Unanswered } from "./protocol.ts";
import { copyMarkdown, download, openWhole, share } from "./share.ts";
import { Tabs } from "./tabs.ts";
import { decisiveExchange, ofStep } from "./verdict.ts";
import type { Page, Part, Selection, View, With } from "./view.ts";
import { view as verdict } from "./views/verdict.ts";

/** What one should know of a view without opening it; `alarming` for what one should look at. */
interface Badge {
  says(report: Report): string;
  alarming: boolean;
}

const plain: Badge = {
  says: ({ plainSecrets }) => (plainSecrets > 0 ? `${plainSecrets} plain` : ""),
  alarming: true,
};

const events: Badge = {
  says({ steps }) {
    const count = steps.flatMap((step) => step.exchanges).reduce((sum, exchange) => sum + exchange.audit.length, 0);
    return count > 0 ? String(count) : "";
  },
  alarming: false,
};

const NO_ROOM = "This browser has no room to keep the document: download it to have it again.";

/** The views, each loaded when it is first shown; the first one is what the page is for. */
const views: { name: string; view?: View<Part>; load: () => Promise<View<Part>>; badge?: Badge }[] = [
  { name: "Verdict", view: verdict, load: () => Promise.resolve(verdict) },
  { name: "Graph", load: async () => (await import("./views/graph.ts")).view },
  { name: "etcd", load: async () => (await import("./views/etcd.ts")).view, badge: plain },
  { name: "Audit", load: async () => (await import("./views/audit.ts")).view, badge: events },
  { name: "Access", load: async () => (await import("./views/access.ts")).view },
  { name: "Inspect", load: async () => (await import("./views/inspect.ts")).view },
];

let doc = new Document("");
/** The documents in which the reader typed, or that came from a file of theirs. */
const typed = new WeakSet<Document>();
/** The reader's own document, while another is open: an example, or somebody's link. */
let aside: Document | undefined;
/** The files' editors, of those that were looked at. */
let fileEditors: (Editor | undefined)[] = [];
let requests: Editor | undefined;
/** The newest report, the text that it is about, and what is wrong with that. */
let latest: { report: Report; of: Composed; found: Found[] } | undefined;
let selection: Selection = { step: -1, exchange: -1 };
/** The location that was clicked last. */
let here: Location | undefined;
/** What the selected request's verdict rests on. */
let deciding: Place | undefined;
/** Whether the selection is still to be made: after a document was opened. */
let fresh = true;
let saving: number | undefined;
/** Whether the browser had room for the document when it was last kept. */
let fits = true;
/** The file that is being opened. */
let opening: Opening | undefined;

const page: Page = {
  select(wanted) {
    select(wanted);
    const step = latest?.report.steps[wanted.step];
    const place = step && placeOf(step.line);
    if (place) requests?.moveTo(place.line);
    glance();
  },
  call: (name, ...given) => engine.call(name, ...given),
  document: () => latest?.of.text ?? "",
  text: ({ line, endLine }) => latest?.of.lines(line, endLine) ?? "",
  name(line) {
    const place = placeOf(line);
    if (!place) return undefined;
    return `${place.editor === "requests" ? "requests" : doc.files[place.editor]?.name}:${place.line}`;
  },
  link(location) {
    const name = location.line > 0 ? page.name(location.line) : undefined;
    const title = [location.object, location.path].filter(Boolean).join(" ");
    if (!name) {
      // What no text holds is the default policy's, or nobody's.
      const where = location.line > 0 ? `line ${location.line}` : /^(Cluster)?Role/.test(location.object) ? "default" : "";
      return element("span", { class: "dim", title }, where);
    }
    const lines = `${location.line}-${location.endLine}`;
    return element("button", { type: "button", class: "location", title, "data-lines": lines, click: () => go(location) }, name);
  },
  go,
};

const engine = new Engine({
  progress: (progress) => opening?.loading(progress),
  report(report, of, milliseconds) {
    // Of a document that is no longer open, nobody wants to hear.
    if (of.document !== doc) return;
    latest = { report, of, found: find(report, of) };
    opening?.settled();
    const steps = report.steps.length;
    if (fresh) {
      // A refusal is what people come for; then, the end of the story.
      const denied = report.steps.findIndex((step) => step.exchanges.length > 0 && ofStep(step).kind === "denied");
      const sent = report.steps.findLastIndex((step) => step.exchanges.length > 0);
      const step = report.steps[denied >= 0 ? denied : sent >= 0 ? sent : steps - 1];
      const place = step && placeOf(step.line);
      // Who is at work in it already is where they want to be.
      if (place && !requests?.touched) requests?.moveTo(place.line);
      fresh = false;
    }
    const step = Math.max(stepAt(requests?.line ?? 1), Math.min(0, steps - 1));
    select({ step, exchange: step === selection.step ? selection.exchange : -1 });
    queueMicrotask(() => {
      if (latest?.report !== report) return;
      problems(report, latest.found);
      for (const [index, { badge }] of views.entries()) if (badge) viewTabs.badge(index, badge.says(report), badge.alarming);
      if (byId("release").textContent !== report.release) byId("release").textContent = report.release;
      const sent = report.steps.reduce((sum, step) => sum + step.exchanges.length, 0);
      byId("timing").textContent = `${times(sent)} in ${milliseconds.toFixed(1)} ms`;
    });
  },
  complete() {
    // With the views, which are otherwise loaded when they are first shown.
    void Promise.all(views.map(({ load }) => load())).then(
      () => (byId("complete").textContent = "It works offline now."),
      () => undefined,
    );
  },
  trouble(message) {
    opening?.settled();
    notice(message);
  },
}, isEmbedded());

const fileTabs = new Tabs(byId("file-tabs"), openFile);
const viewTabs = new Tabs(byId("view-tabs"), draw);
const panels = views.map(() => element("div", { class: "view", tabindex: "0" }));
byId("view-panels").append(...panels);
viewTabs.set(views.map(({ name }, index) => ({ name, panel: panels[index] as HTMLElement })));
viewTabs.show(0);

/** Opens a document in all editors. */
function show(document: string | Document): void {
  doc = typeof document === "string" ? new Document(document) : document;
  opening?.shown(doc);
  pick(doc.compose(), aside !== undefined);
  here = undefined;
  deciding = undefined;
  fresh = true;
  selection = { step: -1, exchange: -1 };
  for (const { view } of views) view?.forget?.();
  showFiles(0);
  requests?.destroy();
  const host = element("div", { class: "editor" });
  byId("requests").replaceChildren(host);
  requests = new Editor(host, "Requests", "requests", doc.requests, {
    change(changed) {
      doc.setRequests(changed.toString());
      edited();
    },
    line: follow,
  });
  ask();
}

function showFiles(current: number): void {
  for (const editor of fileEditors) editor?.destroy();
  const hosts = doc.files.map(() => element("div", { class: "panel" }));
  fileEditors = hosts.map(() => undefined);
  byId("file-panels").replaceChildren(...hosts);
  fileTabs.set(doc.files.map(({ name }, index) => ({ name, panel: hosts[index] as HTMLElement })));
  fileTabs.show(Math.min(current, hosts.length - 1));
  for (const id of ["rename", "remove"]) byId(id).hidden = hosts.length === 0;
  if (hosts.length > 0) return;
  const add = element("button", { type: "button", click: addFile }, "Add a file");
  byId("file-panels").append(element("div", { class: "empty" }, element("p", {}, "Roles, bindings and configuration go here. "), add));
}

/** Makes the editor of a file that is shown for the first time: a document may have thousands. */
function openFile(number: number): void {
  const file = doc.files[number];
  if (!file || fileEditors[number]) return;
  const host = element("div", { class: "editor" });
  byId("file-panels").children[number]?.append(host);
  fileEditors[number] = new Editor(host, file.name, file.yaml ? "yaml" : "text", file.text, {
    change(changed) {
      doc.setFile(number, changed);
      edited();
    },
  });
  mark();
}

/** A name that no file of a document has. */
function freeName(document: Document, wanted: string): string {
  const taken = new Set(document.files.map(({ name }) => name));
  const [, stem = "", end = ""] = /^(.*?)(\.[^.]*)?$/.exec(wanted) ?? [];
  for (let number = 2, name = wanted; ; number += 1) {
    if (!taken.has(name)) return name;
    name = `${stem}-${number}${end}`;
  }
}

function addFile(): void {
  showFiles(doc.addFile(freeName(doc, "file.yaml")));
  edited();
  fileEditors.at(-1)?.focus();
}

function renameFile(number: number, wanted: string): void {
  const name = wanted.replace(/["\s]+/g, " ").trim();
  if (!name || name === doc.files[number]?.name) return;
  doc.renameFile(number, freeName(doc, name));
  showFiles(number);
  edited();
}

function edited(): void {
  here = undefined;
  typed.add(doc);
  clearTimeout(saving);
  saving = setTimeout(() => {
    const fitted = fits;
    save();
    // An example in which something was typed is one no more.
    pick(doc.compose(), aside !== undefined);
    if (fitted && !fits) notice(NO_ROOM, { "Download the document": () => download(doc.compose().pieces) });
  }, 300);
  unlink();
  ask();
}

/** The document is no longer the one of the address's link, which would be back after a reload. */
function unlink(): void {
  // A host's address is all that a guest has.
  if (!guest && location.hash) history.replaceState(null, "", location.pathname + location.search);
}

/** Keeps the document for the next visit. */
function save(): void {
  clearTimeout(saving);
  saving = undefined;
  // What a host shows its readers is not theirs to find again here.
  if (!guest) fits = keep(doc.compose());
}

function ask(): void {
  engine.evaluate(doc.compose());
}

/** Selects a step; exchange -1 is the one that matters most. */
function select(wanted: Selection): void {
  if (!latest) return;
  const step = latest.report.steps[wanted.step];
  const exchange = step && (wanted.exchange < 0 || wanted.step !== selection.step) ? decisiveExchange(step) : wanted.exchange;
  if (wanted.step !== selection.step) here = undefined;
  selection = { step: wanted.step, exchange: Math.min(exchange, (step?.exchanges.length ?? 0) - 1) };
  mark();
  // The editors have the browser lay out what they change, and with it all that was changed before: they go first, also the one
  // that is about to show what was typed.
  queueMicrotask(() => draw(viewTabs.current));
  announce();
}

/** The cursor's line in the requests editor decides which step is looked at. */
function follow(line: number): void {
  const at = stepAt(line);
  if (at < 0 || at === selection.step) return;
  select({ step: at, exchange: -1 });
  glance();
}

/** Who goes to another request sees the lines that decided it. */
function glance(): void {
  if (typeof deciding?.editor !== "number") return;
  fileTabs.show(deciding.editor);
  fileEditors[deciding.editor]?.glance(deciding.line);
}

/** The step on a line of the requests editor, or the last one above it; -1 for none. */
function stepAt(line: number): number {
  const steps = latest?.report.steps ?? [];
  return steps.findLastIndex((step) => {
    const place = placeOf(step.line);
    return place !== undefined && place.line <= line;
  });
}

/** Draws a view: at once, where all that it needs is there. */
function draw(index: number): void {
  const view = views[index]?.view;
  const panel = panels[index];
  if (latest && panel && view && !view.needs) view.show(panel, latest.report as With<Part>, selection, page);
  else void fetchAndDraw(index);
}

async function fetchAndDraw(index: number): Promise<void> {
  const entry = views[index];
  const panel = panels[index];
  if (!entry || !panel || !latest) return;
  const { report } = latest;
  const drawn = await fetched(entry, report).catch((error: unknown) => (error instanceof Unanswered ? error : Promise.reject(error)));
  // Of a report that is no longer the newest, nobody wants to see anything.
  if (latest.report !== report) return;
  if (drawn instanceof Unanswered) panel.replaceChildren(element("p", { class: "empty" }, drawn.message));
  else drawn.show(panel, report as With<Part>, selection, page);
}

/** A view, with what it needs in the report. Fails where its files are not there, or the engine falls or is given up. */
async function fetched(entry: (typeof views)[number], report: Report): Promise<View<Part>> {
  const view = await entry.load().catch(() => Promise.reject(new Incomplete()));
  entry.view = view;
  if (view.needs === "graph") report.graph ??= await engine.call("graph");
  if (view.needs === "etcd") report.etcd ??= await engine.call("etcd");
  return view;
}

/** Where the editors have a line of the newest report's document: nowhere, where they hold another one by now. */
function placeOf(line: number): Place | undefined {
  return latest?.of.document === doc ? latest.of.place(line) : undefined;
}

/** Shows what the selected request's verdict rests on, and every verdict in the gutter. */
function mark(): void {
  if (latest?.of.document !== doc) return;
  const { report, found } = latest;
  const marks: { editor: Place["editor"]; mark: Mark }[] = [];
  const add = (location: Location | undefined, kind: Mark["kind"], note?: string) => {
    const place = location && placeOf(location.line);
    if (!location || !place) return;
    const endLine = place.line + Math.max(0, location.endLine - location.line);
    marks.push({ editor: place.editor, mark: { line: place.line, endLine, kind, ...(note ? { note } : {}) } });
  };
  const exchange = report.steps[selection.step]?.exchanges[selection.exchange];
  const authorization = exchange?.review?.authorization ?? exchange?.authorization;
  const decided = new Set<number>();
  deciding = undefined;
  const decides = (location: Location, kind: Mark["kind"], note: string) => {
    decided.add(location.line);
    add(location, kind, note);
    if (kind !== "taken") deciding = placeOf(location.line) ?? deciding;
  };
  for (const { location } of exchange?.impersonation.flatMap(({ steps }) => steps).flatMap((step) => step.because) ?? []) {
    decides(location, "use", location.path.startsWith("rules") ? "lets impersonate" : "names who sent it");
  }
  for (const step of authorization?.steps ?? []) {
    for (const { location } of step.because) {
      const note = location.path.startsWith("rules") ? "allows it" : location.path.startsWith("subjects") ? "names who asks" : "on the way";
      decides(location, "use", note);
    }
    const [nearest] = step.nearest;
    if (authorization?.verdict !== "Allow" && nearest) decides(nearest.rule ?? nearest.location, "miss", `nearest miss: ${nearest.failed}`);
  }
  const audited = exchange?.audited;
  if (audited?.rule) {
    const { line, path } = audited.rule;
    const rule = report.rules.find(({ location }) => location.line === line && location.path === path);
    decides(audited.rule, "taken", `${audited.level}, ${times(rule?.requests ?? 0)}`);
  }
  for (const { location, requests, never } of report.rules) {
    if (decided.has(location.line)) continue;
    if (never) add(location, "idle", never);
    else if (requests === 0) add(location, "idle", "never used");
    // Of a policy one wants to know what each rule takes.
    else if (location.object.startsWith("Policy")) add(location, "none", times(requests));
  }
  add(here, "here");
  const signs = report.steps.flatMap((step, index) => {
    const place = placeOf(step.line);
    const { sign, word, kind } = ofStep(step);
    return place ? [{ line: place.line, text: `${sign} ${word}`, kind, current: index === selection.step }] : [];
  });
  const of = (editor: Place["editor"], signs: Sign[]): Notes => ({
    marks: marks.filter((each) => each.editor === editor).map((each) => each.mark),
    problems: problemsOf(found, editor),
    signs,
  });
  for (const [number, editor] of fileEditors.entries()) editor?.annotate(of(number, []));
  requests?.annotate(of("requests", signs));
}

function times(count: number): string {
  return count === 1 ? "1 request" : `${count} requests`;
}

/** Follows a link: the editor scrolls to the lines and marks them. */
function go(location: Location): void {
  const place = placeOf(location.line);
  if (!place) return;
  here = location;
  mark();
  if (typeof place.editor === "number") fileTabs.show(place.editor);
  const editor = place.editor === "requests" ? requests : fileEditors[place.editor];
  editor?.reveal(place.line, place.line + Math.max(0, location.endLine - location.line));
  editor?.focus();
}

/** Something that is wrong with the document, and where that is shown. */
interface Found {
  diagnostic: Report["diagnostics"][number];
  line: number;
  place: Place | undefined;
}

function find(report: Report, of: Composed): Found[] {
  return report.diagnostics.map((diagnostic) => {
    // What ends too early is found behind its last line.
    const line = of.place(diagnostic.line) ? diagnostic.line : diagnostic.line - 1;
    return { diagnostic, line, place: of.place(line) };
  });
}

function problemsOf(found: Found[], editor: Place["editor"]): Problem[] {
  return found.flatMap(({ diagnostic: { severity, message, column }, place }) =>
    place?.editor === editor ? [{ line: place.line, column: Math.max(0, column - place.indent), severity, message }] : [],
  );
}

/** Whether all problems are listed. */
let unfolded = false;

/** What is wrong with the document, as a list for what the gutters cannot show. */
function problems(report: Report, found: Found[]): void {
  const wrong = new Set(found.map(({ diagnostic: { severity }, place }) => severity === "error" && place?.editor));
  for (const number of fileEditors.keys()) fileTabs.badge(number, wrong.has(number) ? "✗" : "", true);
  const few = 3;
  const most = unfolded ? 100 : few;
  const rows = found.slice(0, most).map(({ diagnostic: { severity, message }, line }) => {
    const location = { file: "", line, endLine: line, object: "", path: "" };
    const kind = severity === "error" ? "denied" : "warned";
    return element("li", {}, element("span", { class: kind }, severity), " ", message, " ", line > 0 ? page.link(location) : undefined);
  });
  const fold = () => {
    unfolded = !unfolded;
    problems(report, found);
    byId("problems").querySelector<HTMLElement>("[aria-expanded]")?.focus();
  };
  const more = found.length - few;
  if (more > 0) {
    const says = unfolded ? `hide ${Math.min(more, most - few)}` : `and ${more} more`;
    const last = unfolded && found.length > most ? `${found.length - most} more are not listed. ` : "";
    rows.push(element("li", { class: "dim" }, last, element("button", { type: "button", class: "quiet", "aria-expanded": String(unfolded), click: fold }, says)));
  }
  if (report.unlistedRules > 0) {
    const message = `${report.unlistedRules.toLocaleString("en")} rules of roles are too many to be marked: nothing is said of those that no request needs.`;
    rows.push(element("li", { class: "dim" }, message));
  }
  byId("problems").replaceChildren(...(rows.length > 0 ? [element("ul", { "aria-label": "Problems" }, ...rows)] : []));
}

/** The selected verdict for those who do not see it, when it has settled. */
let speaking: number | undefined;
function announce(): void {
  clearTimeout(speaking);
  speaking = setTimeout(() => {
    const step = latest?.report.steps[selection.step];
    if (!step) return;
    const summary = step.exchanges[selection.exchange]?.summary ?? `Exit status ${step.status}.`;
    const text = `Request ${selection.step + 1}: ${summary}`;
    if (byId("live").textContent !== text) byId("live").textContent = text;
  }, 400);
}

/** Opens another document; the one before, or the reader's own, can be had back. */
function replace(document: string | Document, what: string, more: Record<string, () => void> = {}): void {
  const before = doc;
  if (typed.has(before)) setAside(before);
  const back = isOffered(before.compose()) ? aside : before;
  put(document);
  const actions = { ...(back && { "Put back what was there": () => put(back) }), ...more };
  if (Object.keys(actions).length === 0 && fits) silence();
  else notice(fits ? `${what} is open.` : `${what} is open. ${NO_ROOM}`, actions);
}

/** Remembers the reader's own document while another is open. */
function setAside(document: Document | undefined): void {
  aside = document;
  if (!guest) keepAside(document?.compose());
}

/** The reader's own document of an earlier visit, unless the page offers it as it is. */
function ownFrom(text: string | null): Document | undefined {
  if (text === null) return undefined;
  const document = new Document(text);
  if (isOffered(document.compose())) return undefined;
  typed.add(document);
  return document;
}

/** Shows another document from now on, also at the next visit. */
function put(document: string | Document): void {
  if (document === aside) setAside(undefined);
  show(document);
  unlink();
  save();
}

/** Opens a file of the user's: a document, or a manifest to which the requests at hand are put. */
async function open(file: File): Promise<void> {
  opening?.cancel();
  const before = doc;
  const own = new Opening(file, {
    show: (bar) => byId("opening").replaceChildren(bar),
    hide: (bar) => bar.remove(),
    stop: () => engine.cancel(),
    back() {
      silence();
      put(before);
    },
  });
  opening = own;
  const opened = await own.read();
  if (opened.kind === "refused") notice(opened.why);
  if (opened.kind === "document") replace(opened.text, file.name);
  if (opened.kind === "manifest") {
    const title = file.name.replaceAll('"', "");
    const whole = new Document(`\`\`\`${opened.language} title="${title}"\n\`\`\`\n\n\`\`\`sh\n${before.requests}\n\`\`\`\n`);
    whole.setFile(0, opened.text);
    // First, as the engine may answer at once.
    own.sent(whole);
    const add = () => {
      put(before);
      const number = before.addFile(freeName(before, title));
      before.setFile(number, opened.text);
      showFiles(number);
      edited();
    };
    replace(whole, file.name, { "Add it to what was there": add });
  }
  if (opened.kind !== "refused") typed.add(doc);
}

/** What unfolds over the page closes by Escape, which brings the keyboard back to its button, and by a click elsewhere or on what it offers. */
function unfolding(details: HTMLDetailsElement): void {
  const close = () => {
    const inside = details.contains(document.activeElement);
    details.open = false;
    if (inside) details.querySelector("summary")?.focus();
  };
  details.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && details.open) close();
  });
  details.addEventListener("click", (event) => {
    if (event.target instanceof HTMLButtonElement) close();
  });
  document.addEventListener("pointerdown", (event) => {
    if (!details.contains(event.target as Node)) details.open = false;
  });
}

function theme(): void {
  const button = byId("theme");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let wanted = keptTheme();
  const apply = () => {
    document.documentElement.style.colorScheme = wanted ?? "";
    button.setAttribute("aria-pressed", String(wanted ? wanted === "dark" : dark.matches));
  };
  button.addEventListener("click", () => {
    wanted = (wanted ? wanted === "dark" : dark.matches) ? "light" : "dark";
    keepTheme(wanted);
    apply();
  });
  dark.addEventListener("change", apply);
  apply();
}

menu(replace, () => aside && put(aside));
theme();
byId("share").addEventListener("click", () => void share(doc.compose(), engine));
byId("whole").addEventListener("click", () => void openWhole(doc.compose(), engine));
byId("download").addEventListener("click", () => download(doc.compose().pieces));
byId("markdown").addEventListener("click", () => void copyMarkdown(doc.compose(), engine));
for (const id of ["more", "about"]) unfolding(byId(id) as HTMLDetailsElement);
byId("open").addEventListener("click", () => byId("file").click());
byId("file").addEventListener("change", (event) => {
  const input = event.target as HTMLInputElement;
  const [file] = input.files ?? [];
  input.value = "";
  if (file) void open(file);
});
dropTarget(byId("drop"), (file) => void open(file));
byId("forget").addEventListener("click", () => {
  clearTimeout(saving);
  forget();
  notice("Forgotten. The text is here until you leave the page.");
});
byId("add").addEventListener("click", addFile);
byId("rename").addEventListener("click", () => fileTabs.rename(renameFile));
byId("remove").addEventListener("click", () => {
  const number = fileTabs.current;
  const name = doc.files[number]?.name ?? "";
  const before = doc.compose().text;
  doc.removeFile(number);
  showFiles(number);
  edited();
  const back = () => {
    put(before);
    typed.add(doc);
    fileTabs.show(number);
  };
  notice(`${name} is removed.`, { "Put it back": back });
});

const guest = embedded(show, (wanted) => viewTabs.show(views.findIndex(({ name }) => wanted.toLowerCase().startsWith(name.toLowerCase()))));
const linked = await openLink(location.hash);
if (linked && "problem" in linked) notice(linked.problem);
const given = linked && "document" in linked ? linked.document : undefined;
const first = examples[0]?.text ?? blank;
if (guest) {
  if (!guest.expects) show(given ?? first);
} else {
  const text = kept();
  const before = ownFrom(text);
  aside = ownFrom(keptAside());
  if (given !== undefined) {
    if (before && before.compose().text !== given) setAside(before);
    show(given);
    const back = aside;
    if (back) notice("The link's document is open. Yours is put aside.", { "Put back what was there": () => put(back) });
  } else show(before ?? text ?? first);
}
// What was typed a moment ago.
addEventListener("pagehide", () => saving !== undefined && save());
// A link that is pasted into the open page.
addEventListener("hashchange", () => {
  void openLink(location.hash).then((linked) => {
    if (linked && "problem" in linked) notice(linked.problem);
    else if (linked) replace(linked.document, "The link's document");
  });
});
