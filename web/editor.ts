/**
 * A text editor: CodeMirror in a shadow root of its own, where it can bring its styles without a `style` element, which
 * the page's policy forbids.
 *
 * Tab indents; Escape and then Tab leaves the editor.
 */

import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { HighlightStyle, StreamLanguage, indentService, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { type Diagnostic, forEachDiagnostic, lintGutter, setDiagnostics } from "@codemirror/lint";
import { EditorState, type Extension, RangeSet, StateEffect, StateField, type Text, Transaction, type TransactionSpec } from "@codemirror/state";
import {
  Decoration,
  type DecorationSet,
  EditorView,
  GutterMarker,
  WidgetType,
  gutter,
  highlightActiveLineGutter,
  keymap,
  lineNumbers,
} from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { element } from "./dom.ts";

export type Kind = "yaml" | "text" | "requests";

/** Lines that a verdict rests on. */
export interface Mark {
  line: number;
  endLine: number;
  kind: "use" | "miss" | "here" | "taken" | "idle" | "none";
  /** Shown behind the first of the lines. */
  note?: string;
}

/** A problem; column 0 means the whole line. */
export interface Problem {
  line: number;
  column: number;
  severity: "error" | "warning";
  message: string;
}

/** What stands in the gutter beside a request. */
export interface Sign {
  line: number;
  /** `✓ 200` */
  text: string;
  kind: "allowed" | "denied" | "neutral";
  current: boolean;
}

export interface Listener {
  change?(text: Text): void;
  /** The cursor went to another line, by hand or by key. */
  line?(line: number): void;
}

/** What is shown beside a text. */
export interface Notes {
  marks: Mark[];
  problems: Problem[];
  signs: Sign[];
}

const setMarks = StateEffect.define<DecorationSet>();
const setSigns = StateEffect.define<RangeSet<GutterMarker>>();

const marks = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(set, transaction) {
    set = set.map(transaction.changes);
    for (const effect of transaction.effects) if (effect.is(setMarks)) set = effect.value;
    return set;
  },
  provide: (field) => EditorView.decorations.from(field),
});

function decorate(text: Text, marks: Mark[]): DecorationSet {
  const ranges = [];
  for (const mark of marks) {
    const last = Math.min(mark.endLine, text.lines);
    for (let line = mark.line; line <= last; line += 1) {
      ranges.push(Decoration.line({ class: `cm-${mark.kind}` }).range(text.line(line).from));
    }
    if (mark.note && mark.line <= text.lines) {
      ranges.push(Decoration.widget({ widget: new Note(mark.note), side: 1 }).range(text.line(mark.line).to));
    }
  }
  return Decoration.set(ranges, true);
}

class Note extends WidgetType {
  readonly text: string;
  constructor(text: string) {
    super();
    this.text = text;
  }
  override eq(other: Note) {
    return other.text === this.text;
  }
  override toDOM() {
    return element("span", { class: "cm-note" }, this.text);
  }
}

class SignMarker extends GutterMarker {
  readonly sign: Sign;
  constructor(sign: Sign) {
    super();
    this.sign = sign;
    this.elementClass = sign.current ? "cm-current" : "";
  }
  override eq(other: SignMarker) {
    const [a, b] = [this.sign, other.sign];
    return a.text === b.text && a.kind === b.kind && a.current === b.current;
  }
  override toDOM() {
    return element("span", { class: this.sign.kind }, this.sign.text);
  }
}

const signs = StateField.define<RangeSet<GutterMarker>>({
  create: () => RangeSet.empty,
  update(set, transaction) {
    set = set.map(transaction.changes);
    for (const effect of transaction.effects) if (effect.is(setSigns)) set = effect.value;
    return set;
  },
});

function signed(text: Text, signs: Sign[]): RangeSet<GutterMarker> {
  const within = signs.filter((sign) => sign.line <= text.lines);
  return RangeSet.of(within.map((sign) => new SignMarker(sign).range(text.line(sign.line).from)), true);
}

function diagnosed(text: Text, problems: Problem[]): Diagnostic[] {
  return problems.flatMap(({ line, column, severity, message }) => {
    if (line < 1 || line > text.lines) return [];
    const whole = text.line(line);
    const from = Math.min(whole.from + Math.max(column - 1, 0), whole.to);
    // From the place to the end of the word that stands there.
    const word = /^\S+/.exec(whole.text.slice(from - whole.from))?.[0].length ?? 0;
    return [{ from, to: column === 0 ? whole.to : from + word, severity, message }];
  });
}

/** Whether these are the diagnostics that an editor shows already, where its text has moved them. */
function diagnoses(state: EditorState, diagnostics: Diagnostic[]): boolean {
  const shown: Diagnostic[] = [];
  forEachDiagnostic(state, (each, from, to) => shown.push({ ...each, from, to }));
  const told = (all: Diagnostic[]) => all.map(({ from, to, severity, message }) => `${from} ${to} ${severity} ${message}`).sort().join("\n");
  return told(shown) === told(diagnostics);
}

/** Words, strings, variables and comments of a command line. */
const shell = StreamLanguage.define<{ quote: string; first: boolean }>({
  startState: () => ({ quote: "", first: true }),
  token(stream, state) {
    if (stream.sol() && !state.quote) state.first = true;
    if (!state.quote && stream.eatSpace()) return null;
    if (state.quote) {
      if (state.quote === '"' && stream.match(/\$(\w+|\{\w+\})/)) return "variableName";
      if (stream.eat(state.quote)) state.quote = "";
      else if (!stream.eatWhile(state.quote === '"' ? /[^"$\\]/ : /[^']/)) {
        if (stream.eat("\\")) stream.next();
        else stream.next();
      }
      return "string";
    }
    const quote = stream.match(/["']/) as RegExpMatchArray | null;
    if (quote) {
      state.quote = quote[0];
      return "string";
    }
    if (stream.match(/\$(\w+|\{\w+\})/)) return "variableName";
    if (stream.match(/#.*/)) return "comment";
    if (stream.match(/[|;&()]+|\$\(/)) {
      state.first = true;
      return "operator";
    }
    if (stream.match(/--?[\w-]+/)) return "attributeName";
    stream.match(/[^\s"'$|;&()]+|./);
    const first = state.first;
    state.first = false;
    return first ? "keyword" : null;
  },
});

/**
 * Keys, strings and comments of YAML, read line by line: of a text with a million lines, no more than what is in view is looked
 * at when one of them changes.
 */
const yaml = StreamLanguage.define<{ quote: string; flow: number; block: number }>({
  languageData: { commentTokens: { line: "#" } },
  // `block` is the column of the key whose lines of text these are, or -1.
  startState: () => ({ quote: "", flow: 0, block: -1 }),
  token(stream, state) {
    if (stream.sol() && stream.indentation() <= state.block) state.block = -1;
    if (state.block >= 0) {
      stream.skipToEnd();
      return null;
    }
    if (state.quote) {
      const rest = state.quote === '"' ? /^(?:[^"\\]|\\.?)*/ : /^(?:[^']|'')*/;
      stream.match(rest);
      if (stream.eat(state.quote)) state.quote = "";
      return "string";
    }
    const start = stream.sol();
    if (stream.eatSpace()) return null;
    if (start && stream.match(/^(?:---|\.\.\.)(?=\s|$)/)) return "meta";
    if (/^(|\s)$/.test(stream.string.charAt(stream.pos - 1)) && stream.match(/^#.*/)) return "comment";
    if (stream.match(/^[|>][-+\d]*(?=\s*(#|$))/)) {
      state.block = mapping(stream.string);
      return "string";
    }
    const quote = stream.match(/^["']/) as RegExpMatchArray | null;
    if (quote) {
      const key = stream.match(quote[0] === '"' ? /^(?:[^"\\]|\\.)*"(?=\s*:(\s|$))/ : /^(?:[^']|'')*'(?=\s*:(\s|$))/);
      if (!key) state.quote = quote[0];
      return key ? "propertyName" : "string";
    }
    if (stream.match(/^[[{]/)) state.flow += 1;
    else if (stream.match(/^[\]}]/)) state.flow = Math.max(0, state.flow - 1);
    else if (stream.match(/^(?:[-?:](?=\s|$)|,)/)) return "separator";
    else if (stream.match(/^[&*][^\s,\]}]+/)) return "labelName";
    else if (stream.match(/^![^\s,\]}]*/)) return "typeName";
    else {
      stream.match(state.flow > 0 ? /^(?:[^\s:,[\]{}]|:(?!\s|$))+/ : /^(?:[^\s:]|:(?!\s|$))+/) || stream.next();
      if (stream.match(/^\s*:(\s|$)/, false)) return "propertyName";
    }
    return null;
  },
});

/** The column at which the mapping of a line begins, behind the dashes of sequences that it is in. */
function mapping(line: string): number {
  return /^ *(?:- +(?=- |\S.*:(?:\s|$)))*/.exec(line)?.[0].length ?? 0;
}

/** A new line begins where the mapping of the one before does, and text of many lines a step deeper. */
const indentation = indentService.of((context, at) => {
  const before = context.lineAt(at, -1).text;
  return mapping(before) + (/ [|>][-+\d]*$/.test(before) ? context.unit : 0);
});

const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.keyword, tags.definition(tags.propertyName)], color: "var(--key)" },
  { tag: [tags.string, tags.attributeValue], color: "var(--string)" },
  { tag: [tags.comment, tags.meta, tags.separator], color: "var(--dim)" },
  { tag: [tags.variableName, tags.labelName, tags.typeName], color: "var(--accent)" },
  { tag: tags.attributeName, color: "var(--string)" },
]);

const theme = EditorView.theme({
  "&": { height: "100%", color: "var(--ink)", backgroundColor: "transparent", fontSize: "var(--code-size)" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.6", overflow: "auto" },
  ".cm-content": { padding: "8px 0 40px", caretColor: "var(--ink)" },
  ".cm-line::selection, .cm-line ::selection": { backgroundColor: "var(--picked)" },
  ".cm-line": { padding: "0 12px 0 8px" },
  ".cm-gutters": { backgroundColor: "transparent", color: "var(--dim)", border: "none" },
  ".cm-lineNumbers .cm-gutterElement": { padding: "0 4px 0 12px", minWidth: "36px" },
  ".cm-activeLineGutter": { backgroundColor: "transparent", color: "var(--ink)" },
  ".cm-gutter-lint": { width: "14px" },
  ".cm-gutter-lint .cm-gutterElement": { padding: "0" },
  ".cm-lint-marker": { width: "10px", height: "10px", margin: "5px 2px", content: "none !important" },
  ".cm-lint-marker-error": { borderRadius: "50%", backgroundColor: "var(--no)" },
  ".cm-lint-marker-warning": { clipPath: "polygon(50% 0, 100% 100%, 0 100%)", backgroundColor: "var(--warn)" },
  ".cm-lintRange-error, .cm-lintRange-warning": {
    backgroundImage: "none !important",
    textDecoration: "underline wavy var(--no) 1px",
    textUnderlineOffset: "3px",
    textDecorationSkipInk: "none",
  },
  ".cm-lintRange-warning": { textDecorationColor: "var(--warn)" },
  ".cm-tooltip": {
    color: "var(--ink)",
    backgroundColor: "var(--pane)",
    border: "1px solid var(--line)",
    borderRadius: "6px",
    maxWidth: "min(60ch, 90vw)",
  },
  ".cm-diagnostic": { padding: "6px 10px", borderLeft: "none", whiteSpace: "pre-wrap", fontFamily: "var(--sans)" },
  ".cm-use": { backgroundColor: "var(--ok-soft)", boxShadow: "inset 3px 0 var(--ok)" },
  ".cm-miss": { backgroundColor: "var(--no-soft)", boxShadow: "inset 3px 0 var(--no)" },
  ".cm-here": { outline: "1.5px solid var(--accent)", outlineOffset: "-1.5px" },
  ".cm-taken": { backgroundColor: "var(--picked)", boxShadow: "inset 3px 0 var(--accent)" },
  // Quiet, and still to be read: never below 4.5 to 1.
  ".cm-idle, .cm-idle *": { color: "var(--dim) !important" },
  ".cm-note": { color: "var(--dim)", fontStyle: "italic", marginLeft: "3ch", fontFamily: "var(--sans)", userSelect: "none" },
  ".cm-signs": { minWidth: "74px" },
  ".cm-signs .cm-gutterElement": { padding: "0 8px 0 12px", fontWeight: "600", fontSize: "0.92em", whiteSpace: "nowrap" },
  ".cm-signs .cm-current": { backgroundColor: "var(--picked)" },
  ".allowed": { color: "var(--ok)" },
  ".denied": { color: "var(--no)" },
  ".neutral": { color: "var(--dim)" },
});

/**
 * Text typed by key. Left to itself, the browser edits its own elements first and the editor reads from them what was typed, which
 * takes several milliseconds; and it carries the look of what was selected over to the new text in a style attribute, of
 * which the page's policy complains.
 */
function type(event: InputEvent, view: EditorView): boolean {
  if (event.inputType !== "insertText" || event.isComposing || event.data === null) return false;
  // What a keyboard on the screen or an accent menu puts in the place of letters before the cursor.
  const replaces = event.getTargetRanges().some((range) => !range.collapsed);
  if (replaces && view.state.selection.ranges.every((range) => range.empty)) return false;
  view.dispatch(view.state.replaceSelection(event.data), { scrollIntoView: true, userEvent: "input.type" });
  event.preventDefault();
  return true;
}

const languages: Record<Kind, Extension> = {
  yaml: [yaml, indentation, lineNumbers(), lintGutter()],
  text: [lineNumbers(), lintGutter(), EditorView.lineWrapping],
  requests: [
    shell,
    signs,
    gutter({ class: "cm-signs", markers: (view) => view.state.field(signs), renderEmptyElements: true }),
    lintGutter(),
    EditorView.lineWrapping,
  ],
};

export class Editor {
  readonly #view: EditorView;
  /** Whether somebody has typed in it or moved its cursor. */
  touched = false;
  /** What is about to be drawn. */
  #coming: Transaction[] = [];

  constructor(host: HTMLElement, label: string, kind: Kind, text: string | Text, listener: Listener) {
    const root = host.attachShadow({ mode: "open" });
    const state = EditorState.create({
      doc: text,
      extensions: [
        languages[kind],
        marks,
        theme,
        syntaxHighlighting(colours),
        history(),
        highlightActiveLineGutter(),
        indentUnit.of("  "),
        EditorState.tabSize.of(8),
        // Tab stops here anyway; said aloud, so that tools which look for a stop in what scrolls find it.
        EditorView.contentAttributes.of({ tabindex: "0", "aria-label": label, spellcheck: "false", autocapitalize: "off" }),
        keymap.of([...defaultKeymap, ...historyKeymap, indentWithTab]),
        EditorView.domEventHandlers({ beforeinput: type }),
        EditorView.updateListener.of((update) => {
          this.touched ||= update.transactions.some((each) => each.annotation(Transaction.userEvent) !== undefined);
          if (update.selectionSet || update.docChanged) {
            const line = update.state.doc.lineAt(update.state.selection.main.head).number;
            if (line !== update.startState.doc.lineAt(update.startState.selection.main.head).number) listener.line?.(line);
          }
        }),
      ],
    });
    this.#view = new EditorView({
      state,
      parent: root,
      root,
      dispatchTransactions: (transactions, view) => {
        const coming = [...transactions];
        this.#coming = coming;
        try {
          // What is said of the text at once is drawn with it.
          if (coming.some(({ docChanged }) => docChanged)) listener.change?.(this.#state.doc);
        } finally {
          this.#coming = [];
          view.update(coming);
        }
      },
    });
  }

  get #state(): EditorState {
    return this.#coming.at(-1)?.state ?? this.#view.state;
  }

  /** The cursor's line. */
  get line(): number {
    return this.#state.doc.lineAt(this.#state.selection.main.head).number;
  }

  /** Shows this instead of what was shown before. What is the same is left alone: an update of the view has the browser lay it out. */
  annotate({ marks: marked, problems, signs: beside }: Notes): void {
    const state = this.#state;
    const changes: TransactionSpec[] = [];
    const decorations = decorate(state.doc, marked);
    if (!RangeSet.eq([state.field(marks)], [decorations])) changes.push({ effects: setMarks.of(decorations) });
    const markers = signed(state.doc, beside);
    const before = state.field(signs, false);
    if (before && !RangeSet.eq([before], [markers])) changes.push({ effects: setSigns.of(markers) });
    const diagnostics = diagnosed(state.doc, problems);
    if (!diagnoses(state, diagnostics)) changes.push(setDiagnostics(state, diagnostics));
    if (changes.length === 0) return;
    if (this.#coming.length > 0) this.#coming.push(state.update(...changes));
    else this.#view.dispatch(...changes);
  }

  /** Brings lines into view, with the cursor at the first of them. */
  reveal(line: number, endLine: number): void {
    const text = this.#view.state.doc;
    const { from } = text.line(Math.max(1, Math.min(line, text.lines)));
    const { to } = text.line(Math.max(1, Math.min(endLine, text.lines)));
    this.#view.dispatch({
      selection: { anchor: from },
      effects: [
        EditorView.scrollIntoView(to, { y: "nearest", yMargin: 40 }),
        EditorView.scrollIntoView(from, { y: "nearest", yMargin: 40 }),
      ],
    });
  }

  /** Brings a line into view and leaves the cursor where it is. */
  glance(line: number): void {
    const text = this.#view.state.doc;
    if (line < 1 || line > text.lines) return;
    this.#view.dispatch({ effects: EditorView.scrollIntoView(text.line(line).from, { y: "nearest", yMargin: 60 }) });
  }

  /** Puts the cursor on a line without anybody having moved it. */
  moveTo(line: number): void {
    if (line !== this.line) this.reveal(line, line);
  }

  focus(): void {
    this.#view.focus();
  }

  destroy(): void {
    this.#view.destroy();
  }
}
