/**
 * A Markdown document, taken apart into what the page edits, and composed again.
 *
 * The page shows files and commands; the engine reads Markdown. Prose, front matter and expected output stay where they
 * are, and what was not touched comes back as it was. What a fence means is decided by the engine, in
 * `crates/console/src/transcript`: this module follows the same rules, and `tests/fences.json` holds both to them.
 */

import { Text } from "@codemirror/state";

/** A line of an editor; `editor` is the number of a file, or the requests. */
export interface Place {
  editor: number | "requests";
  /** From 1. */
  line: number;
  /** How far the editor's columns are behind the document's. */
  indent: number;
}

/** Lines of a document that follow each other in an editor too. */
interface Run {
  /** The first of them in the document, from 1. */
  at: number;
  lines: number;
  place: Place;
}

/** What the engine reads, and where its lines stand in the editors. */
export class Composed {
  readonly document: Document;
  /** The text in order; a file is what its editor holds, so that nothing is copied however large it is. */
  readonly pieces: readonly (string | Text)[];
  readonly #runs: readonly Run[];
  #text: string | undefined;
  #whole: Text | undefined;

  constructor(document: Document, pieces: readonly (string | Text)[], runs: readonly Run[]) {
    this.document = document;
    this.pieces = pieces;
    this.#runs = runs;
  }

  get text(): string {
    return (this.#text ??= this.pieces.join(""));
  }

  /** Some of its lines, from 1, without a copy of the others. */
  lines(from: number, to: number): string {
    const text = (piece: string | Text) => (typeof piece === "string" ? Text.of(piece.split("\n")) : piece);
    this.#whole ??= this.pieces.reduce<Text>((whole, piece) => whole.append(text(piece)), Text.empty);
    const last = Math.min(to, this.#whole.lines);
    return from > last ? "" : this.#whole.sliceString(this.#whole.line(from).from, this.#whole.line(last).to);
  }

  get length(): number {
    return this.pieces.reduce((sum, piece) => sum + piece.length, 0);
  }

  /** The place of a line, from 1; `undefined` for prose, fences and expected output. */
  place(line: number): Place | undefined {
    const run = this.#runs[firstAbove(this.#runs, ({ at }) => at, line) - 1];
    if (!run || line >= run.at + run.lines) return undefined;
    return { ...run.place, line: run.place.line + line - run.at };
  }
}

/** A file of the document. */
export interface File {
  /** What the fence calls it, or what the page does. */
  name: string;
  text: Text;
  yaml: boolean;
}

interface Prose {
  kind: "prose";
  lines: string[];
  /** The line that would end what goes on to the document's end: a fence, a comment or the front matter. */
  closing?: string;
}

interface Fence {
  /** Spaces before the fence, taken from each of its lines. */
  indent: number;
  /** Of these, those that belong to the list item around it. */
  item: number;
  marker: string;
  info: string;
  /** The line that closes it, as it stands there. */
  closing: string | undefined;
  /** The lines that were read, where composing them gave others, and what it gave. */
  read?: { lines: string[]; composed: string };
}

/** A line of a fence, and where an editor has it. */
interface Line {
  text: string;
  place?: Place;
}

interface FilePart extends Fence {
  kind: "file";
  title: string;
  text: Text;
}

interface ScriptPart extends Fence {
  kind: "script";
  /** Whether commands stand behind `$ `, with their output below. */
  prompt: boolean;
  /** Lines before the first command of a `prompt` fence, which mean nothing. */
  before: string[];
  items: Item[];
}

/** A command or a comment of a script. */
interface Item {
  lines: string[];
  /** Blank lines above it in the editor. */
  gap: number;
  /** Its first line in the editor, from 1. */
  at: number;
  /** What the document says it prints. */
  output: string[];
}

type Part = Prose | FilePart | ScriptPart;

/** A document that is being edited. */
export class Document {
  readonly #parts: Part[];
  /** The output that commands had: one that is deleted and typed again has it back. */
  readonly #outputs = new Map<string, string[]>();
  /** What the requests editor holds. */
  #shown: Shown | undefined;

  constructor(text: string) {
    this.#parts = takeApart(text.replace(/^\uFEFF/, "").replaceAll(/\r\n?/g, "\n"));
    let line = 1;
    for (const part of this.#scripts()) {
      for (const [number, item] of part.items.entries()) {
        if (line > 1 && number === 0) item.gap += 1;
        item.at = line + item.gap;
        line = item.at + item.lines.length;
        if (item.output.length > 0) this.#outputs.set(item.lines.join("\n"), item.output);
      }
    }
  }

  /** Front matter's value of a key, `""` for none. */
  setting(key: string): string {
    const first = this.#parts[0];
    if (first?.kind !== "prose" || first.lines[0] !== "---") return "";
    for (const line of first.lines.slice(1)) {
      if (line === "---") break;
      if (line.startsWith(`${key}:`)) return line.slice(key.length + 1).trim().replace(/^(["'])(.*)\1$/, "$2");
    }
    return "";
  }

  get files(): File[] {
    let unnamed = 0;
    return this.#files().map((part) => ({
      name: part.title || (unnamed++ === 0 ? "cluster.yaml" : `cluster-${unnamed}.yaml`),
      text: part.text,
      yaml: /^(ya?ml|json)$/.test(languageOf(part.info)),
    }));
  }

  /** The commands, as the requests editor shows them. */
  get requests(): string {
    const items = this.#scripts().flatMap((part) => part.items);
    return items.map(({ gap, lines }) => "\n".repeat(gap) + lines.join("\n")).join("\n");
  }

  setFile(number: number, text: Text): void {
    const file = this.#files()[number];
    if (file) file.text = text;
  }

  /** Takes a file out, with its fence. */
  removeFile(number: number): void {
    const file = this.#files()[number];
    if (file) this.#parts.splice(this.#parts.indexOf(file), 1);
  }

  renameFile(number: number, title: string): void {
    const file = this.#files()[number];
    if (!file) return;
    file.title = title;
    file.info = withTitle(file.info, title);
  }

  /** Adds an empty file behind the others; its number. */
  addFile(title: string): number {
    const files = this.#files();
    const last = files.at(-1) ?? this.#scripts()[0];
    // In the list item that the other is in, which would end here otherwise.
    const { indent, item } = last ?? { indent: 0, item: 0 };
    const end = last?.kind === "script" ? undefined : (last ?? this.#parts.at(-1));
    if (end) close(end);
    const at = last ? this.#parts.indexOf(last) + (last.kind === "file" ? 1 : 0) : this.#parts.length;
    const file: FilePart = {
      kind: "file",
      title,
      text: Text.empty,
      indent,
      item,
      marker: "```",
      info: `yaml title="${title}"`,
      closing: `${" ".repeat(indent)}\`\`\``,
    };
    const blank: Prose = { kind: "prose", lines: [""] };
    this.#parts.splice(at, 0, ...(last?.kind === "script" ? [file, blank] : [blank, file]));
    return files.length;
  }

  /**
   * Takes over what the requests editor holds. A command that stands there unchanged stays in its fence, with its
   * expected output; a new one joins the fence of the one that it replaces or follows.
   */
  setRequests(text: string): void {
    const scripts = this.#scripts();
    const old = scripts.flatMap((part) => part.items.map((item) => ({ item, part, text: item.lines.join("\n") })));
    const before = (this.#shown ??= shown(this.requests));
    const after = shown(text);
    this.#shown = after;
    const had = rolesOf(old.map(({ item }) => item), before.lines.length);
    const now = divided(after.lines, rolesAfter(before, had, after), new Set(old.map((each) => each.text)));
    if (old.length + now.length === 0) return;
    const pairs = align(
      old.map((each) => each.text),
      now.map((item) => item.lines.join("\n")),
    );
    // The next of the old ones that is still there, for each of the new.
    const next: number[] = [];
    for (let index = now.length - 1, kept = old.length; index >= 0; index -= 1) next[index] = kept = pairs[index] ?? kept;
    let home = scripts[0] ?? this.#addScript();
    for (const part of this.#scripts()) part.items = [];
    let passed = 0;
    for (const [index, item] of now.entries()) {
      const kept = pairs[index];
      if (kept !== undefined) {
        home = old[kept]?.part ?? home;
        item.output = old[kept]?.item.output ?? [];
        passed = kept + 1;
      } else {
        if (passed < (next[index] ?? 0)) home = old[passed++]?.part ?? home;
        item.output = this.#outputs.get(item.lines.join("\n")) ?? [];
      }
      home.items.push(item);
    }
  }

  /** The Markdown. */
  compose(): Composed {
    const pieces: (string | Text)[] = [];
    const runs: Run[] = [];
    let [written, lines] = ["", 0];
    const put = (line: string, place?: Place) => {
      written += lines > 0 ? `\n${line}` : line;
      lines += 1;
      if (place) runs.push({ at: lines, lines: 1, place });
    };
    const putText = (text: Text, place: Place) => {
      pieces.push(lines > 0 ? `${written}\n` : written, text);
      runs.push({ at: lines + 1, lines: text.lines, place });
      written = "";
      lines += text.lines;
    };
    let file = -1;
    let follows = false;
    for (const part of this.#parts) {
      if (part.kind === "prose") {
        for (const line of part.lines) put(line);
        continue;
      }
      if (part.kind === "file") file += 1;
      if (part.kind === "file" && part.indent === 0 && part.text.length > 0) {
        const [first, last] = around(part);
        put(first);
        putText(part.text, { editor: file, line: 1, indent: 0 });
        if (last !== undefined) put(last);
        continue;
      }
      for (const { text, place } of asRead(part, part.kind === "file" ? fileLines(part, file) : scriptLines(part, follows))) put(text, place);
      follows ||= part.kind === "script" && part.items.length > 0;
    }
    pieces.push(written);
    return new Composed(this, pieces, runs);
  }

  #files(): FilePart[] {
    return this.#parts.filter((part) => part.kind === "file");
  }

  #scripts(): ScriptPart[] {
    return this.#parts.filter((part) => part.kind === "script");
  }

  #addScript(): ScriptPart {
    const script: ScriptPart = {
      kind: "script",
      prompt: false,
      before: [],
      items: [],
      indent: 0,
      item: 0,
      marker: "```",
      info: "sh",
      closing: "```",
    };
    const open = this.#parts.findLast((part) => part.kind !== "prose");
    if (open) close(open);
    const last = this.#parts.at(-1);
    if (last) close(last);
    if (last?.kind === "prose" && last.lines.at(-1) === "") last.lines.pop();
    this.#parts.push({ kind: "prose", lines: [""] }, script, { kind: "prose", lines: [""] });
    return script;
  }
}

/** A fence's first line and its last, if it has one. The marker is longer than any that it holds. */
function around(part: FilePart | ScriptPart): [string, string | undefined] {
  const pad = " ".repeat(part.indent);
  const char = part.marker.charAt(0);
  const text = part.kind === "file" ? part.text : Text.of(["", ...part.items.flatMap(({ lines }) => lines)]);
  const longest = closings(text)[char === "~" ? "tilde" : "backtick"];
  if (longest < part.marker.length) return [pad + part.marker + part.info, part.closing];
  const marker = pad + char.repeat(longest + 1);
  return [marker + part.info, part.closing === undefined ? undefined : marker];
}

/** A file that is indented, or empty: a fence without lines, though its editor has one to begin with. */
function fileLines(part: FilePart, editor: number): Line[] {
  const [first, last] = around(part);
  const lines: Line[] = [{ text: first }];
  let line = 1;
  for (const text of part.text.length > 0 ? part.text.iterLines() : []) {
    lines.push({ text: text && " ".repeat(part.indent) + text, place: { editor, line: line++, indent: part.indent } });
  }
  if (last !== undefined) lines.push({ text: last });
  return lines;
}

/** A script; `follows` others, from which an editor divides it by a blank line. */
function scriptLines(part: ScriptPart, follows: boolean): Line[] {
  const [first, end] = around(part);
  const lines: Line[] = [{ text: first }];
  const padded = (text: string, place?: Place) => lines.push({ text: text && " ".repeat(part.indent) + text, ...(place && { place }) });
  for (const line of part.before) padded(line);
  const last = part.items.findLastIndex((item) => !isComment(item));
  for (const [number, item] of part.items.entries()) {
    // A line `---`, and a comment that no command follows, would be taken for output.
    const command = !isComment(item) || number > last ? "$ " : "";
    const prompt = part.prompt ? command + (item.lines[0]?.startsWith("---") ? "# " : "") : "";
    const gap = item.gap - (number === 0 && follows ? 1 : 0);
    for (let blank = 0; blank < gap; blank += 1) padded("");
    for (const [index, line] of item.lines.entries()) {
      const sign = index === 0 ? prompt : "";
      const typed = index === 0 ? copied(line) : 0;
      padded(sign + line.slice(typed), { editor: "requests", line: item.at + index, indent: part.indent + sign.length - typed });
    }
    for (const line of item.output) padded(line);
  }
  if (end !== undefined) lines.push({ text: end });
  return lines;
}

/** The lines that were read where these mean the same: white space in blank lines, lines less indented than their fence. */
function asRead({ read }: Fence, lines: Line[]): Line[] {
  if (!read || read.composed !== joined(lines)) return lines;
  return read.lines.map((text, index) => {
    const { text: composed = "", place } = lines[index] ?? {};
    return place ? { text, place: { ...place, indent: text.length - Math.max(0, composed.length - place.indent) } } : { text };
  });
}

const joined = (lines: Line[]): string => lines.map(({ text }) => text).join("\n");

/** Closes what went on to the end of the document or of its list item. */
function close(part: Part): void {
  if (part.kind !== "prose") part.closing ??= closingOf(part);
  else if (part.closing !== undefined) {
    part.lines.splice(part.lines.at(-1) === "" ? part.lines.length - 1 : part.lines.length, 0, part.closing);
    delete part.closing;
  }
}

function closingOf({ indent, marker }: Fence): string {
  return " ".repeat(indent) + marker;
}

function takeApart(text: string): Part[] {
  const parts: Part[] = [];
  const lines = text.split("\n");
  let prose: string[] = [];
  let comment = false;
  let closing: string | undefined;
  let at = 0;
  if (lines[0]?.trimEnd() === "---") {
    const end = lines.findIndex((line, index) => index > 0 && /^(---|\.\.\.)\s*$/.test(line));
    at = end < 0 ? lines.length : end + 1;
    prose = lines.slice(0, at);
    if (end < 0) closing = "---";
  }
  const items = new Items();
  while (at < lines.length) {
    const start = at;
    const line = lines[at++] ?? "";
    items.pass(line);
    const fence = items.opening(line);
    comment ||= line.trimStart().startsWith("<!--") && !fence;
    if (comment || !fence) {
      prose.push(line);
      comment &&= !line.includes("-->");
      continue;
    }
    const indent = new RegExp(`^ {0,${fence.indent}}`);
    const content: string[] = [];
    for (; at < lines.length && fence.closing === undefined; at += 1) {
      const next = lines[at] ?? "";
      // A list item that ends takes its fence with it; behind the last line's end there is no line.
      if (next.trim() === "" ? next === "" && at === lines.length - 1 : fence.item > 0 && depth(next) < fence.item) break;
      if (closes(fence, next)) fence.closing = next;
      else content.push(next.replace(indent, ""));
    }
    const raw = lines.slice(start, at);
    const part = meaning(fence, content);
    if (!part) {
      for (const each of raw) prose.push(each);
      if (fence.closing === undefined && lines.slice(at, at + 2).join("\n") === "") closing = closingOf(fence);
      continue;
    }
    if (prose.length > 0) parts.push({ kind: "prose", lines: prose });
    prose = [];
    parts.push(part);
    // Without indentation the text is what stands there, and there may be a million lines of it.
    if (part.kind === "file" && part.indent === 0 && part.text.length > 0) continue;
    const composed = joined(part.kind === "file" ? fileLines(part, 0) : scriptLines(part, false));
    if (composed !== raw.join("\n")) part.read = { lines: raw, composed };
  }
  if (comment) closing = "-->";
  if (prose.length > 0) parts.push({ kind: "prose", lines: prose, ...(closing && { closing }) });
  return parts;
}

/** What a fence is by the first word of its info string and its title; `undefined` for prose. */
function meaning(fence: Fence, content: string[]): FilePart | ScriptPart | undefined {
  const language = languageOf(fence.info);
  const console = /^(console|shell-session)$/.test(language);
  if (console || /^(sh|shell|bash)$/.test(language)) {
    const prompt = console || content.some((line) => line.startsWith("$ "));
    const { before, items } = prompt ? session(content) : { before: [], items: commands(content) };
    return { kind: "script", ...fence, prompt, before, items };
  }
  const title = titleOf(fence.info);
  if (!title && !/^ya?ml$/.test(language)) return undefined;
  return { kind: "file", ...fence, title, text: Text.of(content.length > 0 ? content : [""]) };
}

/** The first word of an info string; whether in upper or lower case means nothing. */
function languageOf(info: string): string {
  return info.trim().split(/[ \t?{,]/, 1)[0]?.toLowerCase() ?? "";
}

/** The list items that a line stands in: the columns at which their content begins, outermost first. CommonMark 0.31, section 5.2. */
class Items {
  #columns: number[] = [];

  /** Enters and leaves the items that a line begins and ends. */
  pass(line: string): void {
    if (line.trim() === "") return;
    const at = depth(line);
    this.#columns = this.#columns.filter((column) => column <= at);
    const [, marker, spaces] = /^ *([-*+]|\d{1,9}[.)])( +)(?=.*\S)/.exec(line) ?? [];
    if (marker && spaces && at - this.#column <= 3) this.#columns.push(at + marker.length + (spaces.length > 4 ? 1 : spaces.length));
  }

  get #column(): number {
    return this.#columns.at(-1) ?? 0;
  }

  /** A fence's opening line, by section 4.5. */
  opening(line: string): Fence | undefined {
    const match = /^( *)(`{3,}|~{3,})(.*)$/.exec(line);
    const [, { length: indent } = "", marker = "", info = ""] = match ?? [];
    if (!match || indent - this.#column > 3 || (marker.startsWith("`") && info.includes("`"))) return undefined;
    return { indent, item: this.#column, marker, info, closing: undefined };
  }
}

/** How many spaces a line begins with. */
function depth(line: string): number {
  return line.search(/[^ ]|$/);
}

function closes(fence: Fence, line: string): boolean {
  const [, { length: indent } = "", marker = ""] = /^( *)(`{3,}|~{3,})\s*$/.exec(line) ?? [];
  return indent - fence.item <= 3 && marker.startsWith(fence.marker);
}

/** How long the longest line of a text is that could close a fence, by its character. */
interface Closings {
  backtick: number;
  tilde: number;
}

/** An edit makes few of the nodes of a text anew: what is known of the others stays. */
const known = new WeakMap<Text, Closings>();

export function closings(text: Text): Closings {
  let found = known.get(text);
  if (found) return found;
  found = { backtick: 0, tilde: 0 };
  for (const child of text.children ?? []) {
    const { backtick, tilde } = closings(child);
    found = { backtick: Math.max(found.backtick, backtick), tilde: Math.max(found.tilde, tilde) };
  }
  for (const line of text.children ? [] : text.iterLines()) {
    const [, marker = ""] = /^ {0,3}(`{3,}|~{3,})\s*$/.exec(line) ?? [];
    const kind = marker.startsWith("~") ? "tilde" : "backtick";
    found[kind] = Math.max(found[kind], marker.length);
  }
  known.set(text, found);
  return found;
}

/** `title="name"`, `title='name'` or `title=name` in an info string, with the character before it. */
const TITLE = /(^|[\s{,])title=(?:"([^"]*)"?|'([^']*)'?|([^\s},]*))/;

function titleOf(info: string): string {
  const [, , ...ways] = TITLE.exec(info) ?? [];
  return ways.find((way) => way !== undefined) ?? "";
}

/** The info string with another title. */
function withTitle(info: string, title: string): string {
  const named = `title="${title}"`;
  return TITLE.test(info) ? info.replace(TITLE, (_, before: string) => before + named) : `${info} ${named}`;
}

/** A `console` fence: lines behind `$ ` with their output, and comments right above the next. */
function session(lines: string[]): { before: string[]; items: Item[] } {
  const starts = lines.flatMap((line, index) => (line.startsWith("$ ") ? [index] : []));
  const items: Item[] = [];
  for (const [index, start] of starts.entries()) {
    const end = starts[index + 1] ?? lines.length;
    const own = [lines[start]?.slice(2) ?? "", ...lines.slice(start + 1, end)];
    const length = new Reading(own).command(0);
    const output = own.slice(length);
    const comments: string[] = [];
    if (index + 1 < starts.length) while (output.at(-1)?.startsWith("#")) comments.unshift(output.pop() ?? "");
    items.push({ lines: own.slice(0, length), gap: 0, at: 0, output });
    for (const line of comments) items.push({ lines: [line], gap: 0, at: 0, output: [] });
  }
  return { before: lines.slice(0, starts[0] ?? lines.length), items };
}

/** Commands and comments of lines without prompts. */
function commands(lines: string[]): Item[] {
  const reading = new Reading(lines);
  const items: Item[] = [];
  let gap = 0;
  let at = 0;
  while (at < lines.length) {
    if (lines[at]?.trim() === "") {
      gap += 1;
      at += 1;
      continue;
    }
    const end = reading.command(at);
    items.push({ lines: lines.slice(at, end), gap, at: at + 1, output: [] });
    at = end;
    gap = 0;
  }
  return items;
}

/** What a line of the requests editor is to the command that it belongs to. */
type Role = "begins" | "goes on" | "between";

/** What the requests editor holds, and the roles of its lines where nothing but themselves tells them. */
interface Shown {
  lines: string[];
  read: Role[];
}

function shown(text: string): Shown {
  const lines = text.split("\n");
  return { lines, read: rolesOf(commands(lines), lines.length) };
}

function rolesOf(items: Item[], length: number): Role[] {
  const roles: Role[] = Array.from({ length }, () => "between");
  for (const { at, lines } of items) {
    for (let index = 0; index < lines.length; index += 1) roles[at - 1 + index] = index === 0 ? "begins" : "goes on";
  }
  return roles;
}

/**
 * The roles of the lines after an edit. In a document prompts tell where a command ends, also one that cannot be read; an editor has
 * none. So a line keeps the role that it had, until the lines themselves say something else of it than before.
 */
function rolesAfter(before: Shown, had: Role[], after: Shown): Role[] {
  const [old, now] = [before.lines, after.lines];
  const most = Math.min(old.length, now.length);
  let start = 0;
  while (start < most && old[start] === now[start]) start += 1;
  let end = 0;
  while (end < most - start && old[old.length - 1 - end] === now[now.length - 1 - end]) end += 1;
  return after.read.map((read, index) => {
    // What is new goes to the command before it, and is divided from that by its own lines.
    if (index >= most - end && index < now.length - end) return "goes on";
    const was = index < most - end ? index : index - now.length + old.length;
    return before.read[was] === read ? (had[was] ?? read) : read;
  });
}

/** The items that lines with these roles make. One that was not known before may well be several. */
function divided(lines: string[], roles: Role[], known: Set<string>): Item[] {
  const items: Item[] = [];
  for (const [index, line] of lines.entries()) {
    const last = items.at(-1);
    if (last && roles[index] === "goes on" && last.at - 1 + last.lines.length === index) last.lines.push(line);
    // A prompt without a command is an item too.
    else if (line.trim() !== "" || roles[index] === "begins") items.push({ lines: [line], gap: 0, at: index + 1, output: [] });
  }
  const all = items.flatMap((item) => {
    if (item.lines.length === 1 || known.has(item.lines.join("\n"))) return [item];
    return commands(item.lines).map((part) => ({ ...part, at: part.at + item.at - 1 }));
  });
  let line = 1;
  for (const item of all) {
    item.gap = item.at - line;
    line = item.at + item.lines.length;
  }
  return all;
}

/** The length of a prompt that was copied with its command. */
const copied = (line: string): number => (line.startsWith("$ ") ? 2 : 0);

function isComment(item: Item): boolean {
  return /^(\s*#|---\s*$)/.test(item.lines[0] ?? "");
}

/** The name of the member that a line begins with: `kind` of `kind: Role`. */
function key(line: string): string {
  return /^([\w"'$./-]+):(\s|$)/.exec(line)?.[1] ?? "";
}

/** Commands in each other: more is a mistake to the engine. */
const DEPTH = 32;

/** What is open somewhere in a command: quotes and substitutions in each other. One of it for the same ones. */
class Open {
  /** The quote or parenthesis that was opened last. */
  readonly inside: string;
  /** What is open when that is closed. */
  readonly closed: Open;
  /** How many commands stand in each other. */
  readonly depth: number;
  /** Where a command is never closed any more if this is open: twice the number of a line, and one where a command must follow. */
  readonly lost = new Set<number>();
  readonly #with = new Map<string, Open>();

  constructor(inside = "", closed?: Open) {
    this.inside = inside;
    this.closed = closed ?? this;
    this.depth = (closed?.depth ?? 0) + (/[(`]/.test(inside) ? 1 : 0);
  }

  with(char: string): Open {
    const known = this.#with.get(char);
    if (known) return known;
    const more = new Open(char, this);
    this.#with.set(char, more);
    return more;
  }
}

/**
 * Lines, read for where the commands in them end. What turned out to be open at the end of the lines is known from then on: of a
 * thousand commands that are never closed only the first looks through all that follows.
 */
class Reading {
  readonly #lines: string[];
  /** What is open between commands: nothing. */
  readonly #nothing = new Open();
  /** For JSON at the start of a line that goes on to the end: how many brackets are closed there at most, of those open before. */
  readonly #closed = new Map<string, number>();
  /** The lines that could end a here-document, by their text: all, and without the tabs before it. */
  readonly #ends = new Map<boolean, Map<string, number[]>>();

  constructor(lines: string[]) {
    this.#lines = lines;
  }

  /**
   * The line behind the command that begins on line `from`: `\`, `|`, `&&` and `||` at a line's end, open quotes, open `$(` and
   * here-documents continue it. The rules are those of `crates/console/src/shell/parse.rs`.
   */
  command(from: number): number {
    const command = this.#line(from);
    if (command.trimStart().startsWith("#") || command.trimEnd() === "---") return from + 1;
    return this.#request(from) ?? this.#shell(from) ?? this.#continued(from);
  }

  #line(index: number): string {
    return this.#lines[index] ?? "";
  }

  /**
   * The line behind a request that is no command: HTTP as it goes over the wire, or a manifest. The rules are those of
   * `crates/console/src/transcript/request.rs`.
   */
  #request(from: number): number | undefined {
    const line = this.#line(from);
    const first = line.slice(copied(line));
    const [method = "", uri = "", version = "", ...more] = first.trim().split(/\s+/);
    const known = /^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)$/.test(method) && uri.startsWith("/");
    if (!/^[A-Z]+$/.test(method) || !(version ? version.startsWith("HTTP/") : known) || more.length > 0) {
      return /^\{\s*("|$)/.test(first) || /^(apiVersion|kind)$/.test(key(first)) ? this.#manifest(from) : undefined;
    }
    let head = from + 1;
    let bodied = /^(POST|PUT|PATCH)$/.test(method);
    for (; /^[\w-]+:/.test(this.#line(head)); head += 1) bodied ||= /^content-(type|length):/i.test(this.#line(head));
    if (!bodied || this.#lines[head]?.trim() !== "") return head;
    const body = this.#line(head + 1);
    return /^[[{]/.test(body) || key(body) ? this.#manifest(head + 1) : head;
  }

  /** JSON ends with the line that closes its first bracket; YAML before a blank line, `---`, or a line of something else. */
  #manifest(from: number): number {
    const first = this.#line(from);
    const json = /^[[{]/.test(first.slice(copied(first)));
    const closed = json ? this.#json(from) : undefined;
    if (closed !== undefined) return closed;
    const goesOn = (line: string) => line.trim() !== "" && (json || (line.trim() !== "---" && (/^[ #-]/.test(line) || key(line) !== "")));
    let end = from + 1;
    while (end < this.#lines.length && goesOn(this.#line(end))) end += 1;
    return end;
  }

  #json(from: number): number | undefined {
    const passed: { state: string; depth: number; lowest: number }[] = [];
    let [depth, lowest, quoted] = [0, Infinity, false];
    for (let index = from; index < this.#lines.length; index += 1) {
      const state = `${index} ${quoted}`;
      const closed = this.#closed.get(state);
      if (closed !== undefined && closed < depth) {
        lowest = depth - closed;
        break;
      }
      const line = this.#line(index);
      const start = { state, depth, lowest: Infinity };
      passed.push(start);
      for (let at = 0; at < line.length; at += 1) {
        const char = line.charAt(at);
        if (quoted && char === "\\") at += 1;
        else if (char === '"') quoted = !quoted;
        else if (!quoted && /[[{]/.test(char)) depth += 1;
        else if (!quoted && /[\]}]/.test(char)) {
          depth -= 1;
          if (depth === 0) return index + 1;
          start.lowest = Math.min(start.lowest, depth);
        }
      }
    }
    for (const start of passed.reverse()) {
      lowest = Math.min(lowest, start.lowest);
      this.#closed.set(start.state, start.depth - lowest);
    }
    return undefined;
  }

  #shell(from: number): number | undefined {
    let open = this.#nothing;
    // A command must follow: blank lines and comments may stand before it.
    let follows = false;
    const passed: [open: Open, state: number][] = [];
    lines: for (let index = from; index < this.#lines.length; index += 1) {
      const state = 2 * index + (follows ? 1 : 0);
      if (open.lost.has(state)) break;
      if (index > from) passed.push([open, state]);
      const line = this.#line(index);
      const heres: { tabs: boolean; end: string }[] = [];
      let continued = false;
      for (let at = 0; at < line.length; at += 1) {
        const char = line.charAt(at);
        const { inside } = open;
        if (inside === "'" || inside === "`") {
          if (char === "\\" && inside === "`") at += 1;
          else if (char === inside) open = open.closed;
          continue;
        }
        if (inside !== '"' && char === "#" && (at === 0 || /\s/.test(line.charAt(at - 1)))) break;
        if (!/\s/.test(char)) follows = false;
        if (char === "\\") {
          continued = at === line.length - 1;
          at += 1;
        } else if (char === "$" && line.charAt(at + 1) === "(") {
          open = open.with("(");
          at += 1;
        } else if (char === "`") {
          open = open.with(char);
        } else if (char === '"') {
          open = inside === '"' ? open.closed : open.with('"');
        } else if (inside !== '"') {
          if (char === "'") open = open.with("'");
          else if (char === ")" && inside === "(") open = open.closed;
          else if (char === "|" || line.startsWith("&&", at)) {
            follows = true;
            if (line.charAt(at + 1) === char) at += 1;
          } else if (char === "<") {
            const [here, sign, tabs, , end] = /^(<<<|<<)(-?)[ \t]*(["']?)([\w.-]+)\3/.exec(line.slice(at)) ?? [];
            if (sign === "<<") heres.push({ tabs: tabs === "-", end: end ?? "" });
            at += here ? here.length - 1 : 0;
          }
        }
        if (open.depth > DEPTH) break lines;
      }
      for (const { tabs, end } of heres) index = this.#end(end, tabs, index) ?? this.#lines.length;
      if (index < this.#lines.length && !continued && !follows && open === this.#nothing) return index + 1;
    }
    for (const [open, state] of passed) open.lost.add(state);
    return undefined;
  }

  /** The line behind `after` that ends a here-document. */
  #end(end: string, tabs: boolean, after: number): number | undefined {
    let ends = this.#ends.get(tabs);
    if (!ends) {
      ends = new Map<string, number[]>();
      for (const [index, line] of this.#lines.entries()) {
        const text = tabs ? line.replace(/^\t+/, "") : line;
        const same = ends.get(text);
        if (same) same.push(index);
        else ends.set(text, [index]);
      }
      this.#ends.set(tabs, ends);
    }
    const lines = ends.get(end) ?? [];
    return lines[firstAbove(lines, (line) => line, after)];
  }

  /** Never closed: the engine says so, and a person who is still typing must not lose the next commands to it. */
  #continued(from: number): number {
    let last = from;
    while (last < this.#lines.length - 1 && this.#line(last).endsWith("\\")) last += 1;
    return last + 1;
  }
}

/** Where the first stands whose number is above `limit`, of things in the order of their numbers. */
function firstAbove<Thing>(things: readonly Thing[], number: (thing: Thing) => number, limit: number): number {
  let [from, to] = [0, things.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (number(things[middle] as Thing) <= limit) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** For each of `now` the index of its like in `old`, by the longest common subsequence. */
function align(old: string[], now: string[]): (number | undefined)[] {
  const pairs: (number | undefined)[] = now.map(() => undefined);
  let start = 0;
  while (start < old.length && start < now.length && old[start] === now[start]) {
    pairs[start] = start;
    start += 1;
  }
  let oldEnd = old.length;
  let nowEnd = now.length;
  while (oldEnd > start && nowEnd > start && old[oldEnd - 1] === now[nowEnd - 1]) {
    oldEnd -= 1;
    nowEnd -= 1;
    pairs[nowEnd] = oldEnd;
  }
  const rows = oldEnd - start;
  const columns = nowEnd - start;
  // One keystroke leaves a row or two here; a whole text pasted over another is not worth more than this.
  if (rows === 0 || columns === 0 || rows * columns > 1_000_000) return pairs;
  const width = columns + 1;
  const common = new Uint32Array((rows + 1) * width);
  for (let i = rows - 1; i >= 0; i -= 1) {
    for (let j = columns - 1; j >= 0; j -= 1) {
      common[i * width + j] =
        old[start + i] === now[start + j]
          ? 1 + (common[(i + 1) * width + j + 1] ?? 0)
          : Math.max(common[(i + 1) * width + j] ?? 0, common[i * width + j + 1] ?? 0);
    }
  }
  for (let i = 0, j = 0; i < rows && j < columns; ) {
    if (old[start + i] === now[start + j]) {
      pairs[start + j] = start + i;
      i += 1;
      j += 1;
    } else if ((common[(i + 1) * width + j] ?? 0) >= (common[i * width + j + 1] ?? 0)) i += 1;
    else j += 1;
  }
  return pairs;
}
