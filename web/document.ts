/**
 * A Markdown document, taken apart into what the page edits, and composed again.
 *
 * The page shows files and commands; the engine reads Markdown. Prose, front matter and expected output stay where they
 * are, and what was not touched comes back as it was. What a fence means is decided by the engine, in
 * `crates/console/src/transcript`: this module follows the same rules.
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
  /** The text in order; a file is what its editor holds, so that nothing is copied however large it is. */
  readonly pieces: readonly (string | Text)[];
  readonly #runs: readonly Run[];
  #text: string | undefined;

  constructor(pieces: readonly (string | Text)[], runs: readonly Run[]) {
    this.pieces = pieces;
    this.#runs = runs;
  }

  get text(): string {
    return (this.#text ??= this.pieces.join(""));
  }

  get length(): number {
    return this.pieces.reduce((sum, piece) => sum + piece.length, 0);
  }

  /** The place of a line, from 1; `undefined` for prose, fences and expected output. */
  place(line: number): Place | undefined {
    let [from, to] = [0, this.#runs.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if ((this.#runs[middle]?.at ?? 0) <= line) from = middle + 1;
      else to = middle;
    }
    const run = this.#runs[from - 1];
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
}

interface Fence {
  /** Spaces before the fence, taken from each of its lines. */
  indent: number;
  marker: string;
  info: string;
  closed: boolean;
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

  constructor(text: string) {
    this.#parts = takeApart(text.replaceAll(/\r\n?/g, "\n"));
    let line = 1;
    for (const [index, part] of this.#scripts().entries()) {
      for (const [number, item] of part.items.entries()) {
        if (index > 0 && number === 0) item.gap += 1;
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
      yaml: /^\s*(yaml|yml|json)\b/.test(part.info),
    }));
  }

  /** The commands, as the requests editor shows them. */
  get requests(): string {
    const lines: string[] = [];
    for (const part of this.#scripts()) {
      for (const item of part.items) {
        for (let blank = 0; blank < item.gap; blank += 1) lines.push("");
        lines.push(...item.lines);
      }
    }
    return lines.join("\n");
  }

  setFile(number: number, text: Text): void {
    const file = this.#files()[number];
    if (file) file.text = text;
  }

  /** Adds an empty file behind the others; its number. */
  addFile(title: string): number {
    const files = this.#files();
    const last = files.at(-1) ?? this.#scripts()[0];
    const at = last ? this.#parts.indexOf(last) + (last.kind === "file" ? 1 : 0) : this.#parts.length;
    const file: FilePart = {
      kind: "file",
      title,
      text: Text.empty,
      indent: 0,
      marker: "```",
      info: `yaml title="${title}"`,
      closed: true,
    };
    const blank: Prose = { kind: "prose", lines: [""] };
    this.#parts.splice(at, 0, ...(last?.kind === "script" ? [file, blank] : [blank, file]));
    return files.length;
  }

  removeFile(number: number): void {
    const file = this.#files()[number];
    if (file) this.#parts.splice(this.#parts.indexOf(file), 1);
  }

  /**
   * Takes over what the requests editor holds. A command that stands there unchanged stays in its fence, with its
   * expected output; a new one joins the fence of the one that it replaces or follows.
   */
  setRequests(text: string): void {
    const scripts = this.#scripts();
    const old = scripts.flatMap((part) => part.items.map((item) => ({ item, part, text: item.lines.join("\n") })));
    const now = commands(text.split("\n"));
    if (old.length + now.length === 0) return;
    const pairs = align(
      old.map((each) => each.text),
      now.map((item) => item.lines.join("\n")),
    );
    let home = scripts[0] ?? this.#addScript();
    for (const part of this.#scripts()) part.items = [];
    let before = 0;
    for (const [index, item] of now.entries()) {
      const kept = pairs[index];
      if (kept !== undefined) {
        home = old[kept]?.part ?? home;
        item.output = old[kept]?.item.output ?? [];
        before = kept + 1;
      } else {
        const next = pairs.slice(index).find((pair) => pair !== undefined) ?? old.length;
        if (before < next) home = old[before++]?.part ?? home;
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
    let scripts = 0;
    for (const part of this.#parts) {
      if (part.kind === "prose") {
        for (const line of part.lines) put(line);
        continue;
      }
      const pad = " ".repeat(part.indent);
      const padded = (line: string, place?: Place) => put(line && pad + line, place);
      const marker = part.kind === "file" ? outside(part) : part.marker;
      if (part.kind === "file") {
        file += 1;
        padded(marker + part.info);
        // An empty file is a fence without lines; the editor has one to begin with.
        if (part.text.length > 0 && part.indent === 0) putText(part.text, { editor: file, line: 1, indent: 0 });
        else if (part.text.length > 0) {
          let line = 1;
          for (const text of part.text.iterLines()) padded(text, { editor: file, line: line++, indent: part.indent });
        }
      } else {
        padded(marker + part.info);
        for (const line of part.before) padded(line);
        const last = part.items.findLastIndex((item) => !isComment(item));
        for (const [number, item] of part.items.entries()) {
          // A line `---`, and a comment that no command follows, would be taken for output.
          const command = !isComment(item) || number > last ? "$ " : "";
          const prompt = part.prompt ? command + (item.lines[0]?.startsWith("---") ? "# " : "") : "";
          const gap = item.gap - (number === 0 && scripts > 0 ? 1 : 0);
          for (let blank = 0; blank < gap; blank += 1) put("");
          for (const [index, line] of item.lines.entries()) {
            const sign = index === 0 ? prompt : "";
            padded(sign + line, { editor: "requests", line: item.at + index, indent: part.indent + sign.length });
          }
          for (const line of item.output) padded(line);
        }
        if (part.items.length > 0) scripts += 1;
      }
      if (part.closed) padded(marker);
    }
    pieces.push(written);
    return new Composed(pieces, runs);
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
      marker: "```",
      info: "sh",
      closed: true,
    };
    const last = this.#parts.at(-1);
    if (last?.kind === "prose" && last.lines.at(-1) === "") last.lines.pop();
    this.#parts.push({ kind: "prose", lines: [""] }, script, { kind: "prose", lines: [""] });
    return script;
  }
}

function takeApart(text: string): Part[] {
  const parts: Part[] = [];
  const lines = text.split("\n");
  let prose: string[] = [];
  let comment = false;
  let at = 0;
  if (lines[0]?.trimEnd() === "---") {
    const end = lines.findIndex((line, index) => index > 0 && /^(---|\.\.\.)\s*$/.test(line));
    at = end < 0 ? lines.length : end + 1;
    prose = lines.slice(0, at);
  }
  while (at < lines.length) {
    const line = lines[at++] ?? "";
    const fence = opening(line);
    comment ||= line.trimStart().startsWith("<!--") && !fence;
    const [language = ""] = fence?.info.trim().split(/[ \t?{,]/, 1) ?? [];
    const title = fence ? attribute(fence.info, "title") : "";
    if (comment || !fence) {
      prose.push(line);
      comment &&= !line.includes("-->");
      continue;
    }
    const indent = new RegExp(`^ {0,${fence.indent}}`);
    const content: string[] = [];
    const raw: string[] = [line];
    let closed = false;
    while (at < lines.length && !closed) {
      const next = lines[at++] ?? "";
      raw.push(next);
      closed = closes(fence, next);
      if (!closed) content.push(next.replace(indent, ""));
    }
    // Composing must give the very text again: a closing fence of another form stays prose with all that it closes.
    const plain = !closed || raw.at(-1) === " ".repeat(fence.indent) + fence.marker;
    const console = language === "console" || language === "shell-session";
    const script = console || language === "sh" || language === "shell" || language === "bash";
    const yaml = language === "yaml" || language === "yml";
    if (!plain || !(script || yaml || title)) {
      prose.push(...raw);
      continue;
    }
    if (prose.length > 0) parts.push({ kind: "prose", lines: prose });
    prose = [];
    if (script) {
      const prompt = console || content.some((line) => line.startsWith("$ "));
      const { before, items } = prompt ? session(content) : { before: [], items: commands(content) };
      parts.push({ kind: "script", ...fence, closed, prompt, before, items });
    } else {
      parts.push({ kind: "file", ...fence, closed, title, text: Text.of(content.length > 0 ? content : [""]) });
    }
  }
  if (prose.length > 0) parts.push({ kind: "prose", lines: prose });
  return parts;
}

/** A fence's opening line, by CommonMark 0.31, section 4.5. */
function opening(line: string): Fence | undefined {
  const match = /^( {0,3})(`{3,}|~{3,})(.*)$/.exec(line);
  const [, indent = "", marker = "", info = ""] = match ?? [];
  if (!match || (marker.startsWith("`") && info.includes("`"))) return undefined;
  return { indent: indent.length, marker, info, closed: false };
}

function closes(fence: Fence, line: string): boolean {
  const [, marker = ""] = /^ {0,3}(`{3,}|~{3,})\s*$/.exec(line) ?? [];
  return marker.startsWith(fence.marker);
}

/** The marker of a file's fence, longer than any that its text holds. */
function outside(part: FilePart): string {
  const char = part.marker.charAt(0);
  const longest = closings(part.text)[char === "~" ? "tilde" : "backtick"];
  return longest < part.marker.length ? part.marker : char.repeat(longest + 1);
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

/** `name="value"`, `name='value'` or `name=value` in an info string. */
function attribute(info: string, name: string): string {
  const match = new RegExp(`(?:^|[\\s{,])${name}=(?:"([^"]*)"|'([^']*)'|([^\\s},]*))`).exec(info);
  return match?.[1] ?? match?.[2] ?? match?.[3] ?? "";
}

/** A `console` fence: lines behind `$ ` with their output, and comments right above the next. */
function session(lines: string[]): { before: string[]; items: Item[] } {
  const starts = lines.flatMap((line, index) => (line.startsWith("$ ") ? [index] : []));
  const items: Item[] = [];
  for (const [index, start] of starts.entries()) {
    const end = starts[index + 1] ?? lines.length;
    const own = [lines[start]?.slice(2) ?? "", ...lines.slice(start + 1, end)];
    const length = commandLength(own);
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
  const items: Item[] = [];
  let gap = 0;
  let at = 0;
  while (at < lines.length) {
    if (lines[at]?.trim() === "") {
      gap += 1;
      at += 1;
      continue;
    }
    const length = commandLength(lines.slice(at));
    items.push({ lines: lines.slice(at, at + length), gap, at: at + 1, output: [] });
    at += length;
    gap = 0;
  }
  return items;
}

function isComment(item: Item): boolean {
  return /^(\s*#|---\s*$)/.test(item.lines[0] ?? "");
}

/**
 * How many lines the request at the start takes that is no command, 0 for a command: HTTP as it goes over the wire, or a
 * manifest. The rules are those of `crates/console/src/transcript/request.rs`.
 */
function requestLength(lines: string[]): number {
  const [first = ""] = lines;
  const [method = "", , version = "", ...more] = first.trim().split(/\s+/);
  if (!/^[A-Z]+$/.test(method) || !version.startsWith("HTTP/1.") || more.length > 0) {
    return /^\{\s*("|$)/.test(first) || /^(apiVersion|kind)$/.test(key(first)) ? manifestLength(lines) : 0;
  }
  const headers = lines.slice(1).findIndex((line) => !/^[\w-]+:/.test(line));
  const head = headers < 0 ? lines.length : headers + 1;
  const bodied =
    /^(POST|PUT|PATCH)$/.test(method) || lines.slice(1, head).some((line) => /^content-(type|length):/i.test(line));
  if (!bodied || lines[head]?.trim() !== "") return head;
  const body = lines.slice(head + 1);
  return /^[[{]/.test(body[0] ?? "") || key(body[0] ?? "") ? head + 1 + manifestLength(body) : head;
}

/** JSON ends with the line that closes its first bracket; YAML before a blank line, `---`, or a line of something else. */
function manifestLength(lines: string[]): number {
  const json = /^[[{]/.test(lines[0] ?? "");
  let depth = 0;
  let quoted = false;
  for (const [index, line] of json ? lines.entries() : []) {
    for (let at = 0; at < line.length; at += 1) {
      const char = line.charAt(at);
      if (quoted && char === "\\") at += 1;
      else if (char === '"') quoted = !quoted;
      else if (!quoted && /[[{]/.test(char)) depth += 1;
      else if (!quoted && /[\]}]/.test(char)) {
        depth -= 1;
        if (depth === 0) return index + 1;
      }
    }
  }
  const end = lines.findIndex((line) => line.trim() === "" || (!json && (line.trim() === "---" || !(/^[ #-]/.test(line) || key(line)))));
  return end < 0 ? lines.length : end;
}

/** The name of the member that a line begins with: `kind` of `kind: Role`. */
function key(line: string): string {
  return /^([\w"'$./-]+):(\s|$)/.exec(line)?.[1] ?? "";
}

/**
 * How many lines the command at the start takes: `\`, `|`, `&&` and `||` at a line's end, open quotes, open `$(` and
 * here-documents continue it. The rules are those of `crates/console/src/shell/parse.rs`.
 */
function commandLength(lines: string[]): number {
  if (lines[0]?.trimStart().startsWith("#") || lines[0]?.trimEnd() === "---") return 1;
  const request = requestLength(lines);
  if (request > 0) return request;
  // What is open: a quote, or the parenthesis of a substitution.
  const open: string[] = [];
  // A command must follow: blank lines and comments may stand before it.
  let follows = false;
  for (let index = 0; index < lines.length; index += 1) {
    const line = lines[index] ?? "";
    const heres: { tabs: boolean; end: string }[] = [];
    let continued = false;
    for (let at = 0; at < line.length; at += 1) {
      const char = line.charAt(at);
      const inside = open.at(-1);
      if (inside === "'" || inside === "`") {
        if (char === "\\" && inside === "`") at += 1;
        else if (char === inside) open.pop();
        continue;
      }
      if (inside !== '"' && char === "#" && (at === 0 || /\s/.test(line.charAt(at - 1)))) break;
      if (!/\s/.test(char)) follows = false;
      if (char === "\\") {
        continued = at === line.length - 1;
        at += 1;
      } else if (char === "$" && line.charAt(at + 1) === "(") {
        open.push("(");
        at += 1;
      } else if (char === "`") {
        open.push(char);
      } else if (char === '"') {
        if (inside === '"') open.pop();
        else open.push('"');
      } else if (inside !== '"') {
        const [here, sign, tabs, , end] = /^(<<<|<<)(-?)[ \t]*(["']?)([\w.-]+)\3/.exec(line.slice(at)) ?? [];
        if (char === "'") open.push("'");
        else if (char === ")" && inside === "(") open.pop();
        else if (char === "|" || line.startsWith("&&", at)) {
          follows = true;
          if (line.charAt(at + 1) === char) at += 1;
        } else if (here) {
          if (sign === "<<") heres.push({ tabs: tabs === "-", end: end ?? "" });
          at += here.length - 1;
        }
      }
    }
    for (const { tabs, end } of heres) {
      const ends = (body: string, at: number) => at > index && (tabs ? body.replace(/^\t+/, "") : body).trimEnd() === end;
      const found = lines.findIndex(ends);
      index = found < 0 ? lines.length : found;
    }
    if (index < lines.length && !continued && !follows && open.length === 0) return index + 1;
  }
  // Never closed: the engine says so, and a person who is still typing must not lose the next commands to it.
  const first = lines.findIndex((line) => !line.endsWith("\\"));
  return first < 0 ? lines.length : first + 1;
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
