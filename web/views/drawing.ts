/**
 * The node graph as a drawing: boxes that are buttons, lines below them. One stop for Tab; arrow keys go along the lines and
 * within a layer.
 */

import { Graph as Layout, layout } from "@dagrejs/dagre";
import { element } from "../dom.ts";
import type { Page } from "../view.ts";
import type { Box, Line, Scene } from "./boxes.ts";

const SVG = "http://www.w3.org/2000/svg";

const HEIGHT = 44;

/** Smaller than this a drawing is not made. */
const SMALLEST = 0.8;

export interface Look {
  /** What the chosen node reaches; `undefined` for all nodes. */
  reached: Set<number> | undefined;
  /** The chosen node, `""` for all. */
  node: string;
  page: Page;
  /** How wide the drawing may be before one has to scroll. */
  room: number;
  /** Opens a group. */
  open(key: string): void;
}

interface Point {
  x: number;
  y: number;
}

interface Place {
  left: number;
  top: number;
  width: number;
}

interface Plan {
  width: number;
  height: number;
  places: Place[];
  /** One for each line. */
  curves: string[];
}

export function drawing(scene: Scene, drawn: { boxes: Box[]; lines: Line[] }, look: Look): HTMLElement {
  const { boxes, lines } = drawn;
  const plan = planned(boxes, lines);
  const says = element("p", { class: "dim says" }, SAYS);
  const buttons = boxes.map((box, index) => button(scene, box, plan.places[index] as Place, lines.filter((line) => line.from === index || line.to === index), look));
  for (const [index, made] of buttons.entries()) {
    const tell = () => says.replaceChildren(...told(scene, boxes, lines, index, look.page));
    made.addEventListener("focus", tell);
    made.addEventListener("pointerenter", tell);
    made.addEventListener("keydown", (event) => {
      const next = neighbour(event.key, index, boxes, lines, plan.places);
      if (next === undefined) return;
      event.preventDefault();
      for (const other of buttons) other.tabIndex = -1;
      const target = buttons[next];
      if (!target) return;
      target.tabIndex = 0;
      target.focus();
    });
  }
  // Tab comes to the path first, or to the chosen node.
  const wanted = boxes.findIndex((box) => box.members.some((member) => scene.path[0]?.from === member || scene.missing?.from === member));
  const chosen = boxes.findIndex((box) => box.key === `Node ${look.node}`);
  const first = buttons[Math.max(wanted, wanted < 0 ? chosen : 0, 0)];
  if (first) first.tabIndex = 0;

  const group = element("div", { class: "graph", role: "group", "aria-label": "Graph. Arrow keys move between boxes." }, svg(plan, lines) as unknown as Node, ...buttons);
  // A little smaller is better than scrolling; too small is not.
  group.style.zoom = String(Math.min(1, Math.max(SMALLEST, look.room / plan.width)));
  group.style.width = `${plan.width}px`;
  group.style.height = `${plan.height}px`;
  return element("figure", { class: "graph-frame" }, element("div", { class: "scroll" }, group), says, legend(scene, lines, look));
}

const SAYS = "Point at a box, or go there with Tab and the arrow keys.";

/** The newest plan: most keystrokes change no box. */
let known: { key: string; plan: Plan } | undefined;

function planned(boxes: Box[], lines: Line[]): Plan {
  const key = JSON.stringify([boxes.map(({ kind, name, rank }) => [kind, name, rank]), lines.map(({ from, to }) => [from, to])]);
  if (known?.key !== key) known = { key, plan: plan(boxes, lines) };
  return known.plan;
}

function plan(boxes: Box[], lines: Line[]): Plan {
  const graph = new Layout({ directed: true });
  graph.setGraph({ rankdir: "LR", nodesep: 12, ranksep: 28, edgesep: 8, marginx: 2, marginy: 2, ranker: "none" as never });
  graph.setDefaultEdgeLabel(() => ({}));
  const widths: number[] = [];
  for (const { name, kind, rank } of boxes) {
    const wanted = Math.min(220, 34 + Math.max(name.length * 7.2, kind.length * 6.4 + 14));
    widths[rank] = Math.max(widths[rank] ?? 90, Math.ceil(wanted));
  }
  for (const [index, { rank }] of boxes.entries()) {
    // Twice the layer: half of the ranks hold labels of edges, and there are none.
    graph.setNode(String(index), { width: widths[rank] ?? 90, height: HEIGHT, rank: rank * 2 });
  }
  for (const { from, to } of lines) graph.setEdge(String(from), String(to));
  layout(graph);
  const { width = 0, height = 0 } = graph.graph() as { width?: number; height?: number };
  const places = boxes.map((_, index) => {
    const { x, y, width } = graph.node(String(index)) as { x: number; y: number; width: number };
    return { left: x - width / 2, top: y - HEIGHT / 2, width };
  });
  const columns = widths.map((_, layer) => {
    const own = places.filter((_, index) => boxes[index]?.rank === layer);
    return { left: Math.min(...own.map(({ left }) => left)), right: Math.max(...own.map(({ left, width }) => left + width)) };
  });
  const curves = lines.map(({ from, to }) => {
    const { points } = graph.edge(String(from), String(to)) as { points: Point[] };
    const [start, end] = [places[from] as Place, places[to] as Place];
    // Lines leave a box on its right and come in on its left, however steep they are.
    const first = { x: start.left + start.width, y: start.top + HEIGHT / 2 };
    const last = { x: end.left, y: end.top + HEIGHT / 2 };
    // On its way past other layers a line is level, where the layout left room for it.
    const past = columns.slice((boxes[from]?.rank ?? 0) + 1, boxes[to]?.rank ?? 0).flatMap((column) => {
      const at = points.find(({ x }) => x >= column.left && x <= column.right);
      return at ? [{ x: column.left, y: at.y }, { x: column.right, y: at.y }] : [];
    });
    return curve([first, ...past, last]);
  });
  return { width: Math.ceil(width), height: Math.ceil(height), places, curves };
}

/** A line through points from left to right, level in each. */
function curve([first, ...rest]: Point[]): string {
  let d = "";
  let before = first;
  for (const point of rest) {
    if (!before) break;
    const middle = (before.x + point.x) / 2;
    d += `${d ? "" : `M${before.x} ${before.y}`} C${middle} ${before.y} ${middle} ${point.y} ${point.x} ${point.y}`;
    before = point;
  }
  return d;
}

function svg({ width, height, curves }: Plan, lines: Line[]): SVGElement {
  const made = draw("svg", { width: String(width), height: String(height), viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
  const head = draw("marker", { id: "head", viewBox: "0 0 8 8", refX: "7", refY: "4", markerWidth: "9", markerHeight: "9", markerUnits: "userSpaceOnUse", orient: "auto" });
  head.append(draw("path", { d: "M0 0 8 4 0 8Z", class: "head" }));
  made.append(head);
  // The path lies above what crosses it.
  const order = lines.map((line, index) => ({ line, index })).sort((a, b) => Number(a.line.path) - Number(b.line.path));
  for (const { line, index } of order) {
    const d = curves[index] ?? "";
    const path = draw("path", { class: line.missing ? "edge none" : line.path ? "edge path" : line.lit ? "edge" : "edge far", d });
    if (line.path) path.setAttribute("marker-end", "url(#head)");
    made.append(path);
    if (line.missing) {
      const { x, y } = (path as SVGPathElement).getPointAtLength((path as SVGPathElement).getTotalLength() / 2);
      const cross = draw("text", { class: "none", x: String(x), y: String(y) });
      cross.textContent = "✗";
      made.append(cross);
    }
  }
  return made;
}

function draw(name: string, attributes: Record<string, string>): SVGElement {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function button(scene: Scene, box: Box, { left, top, width }: Place, lines: Line[], { reached, node, page, open }: Look): HTMLButtonElement {
  const members = box.members.map((member) => scene.vertices[member]).filter((vertex) => vertex !== undefined);
  const [only] = members.length === 1 ? members : [];
  const where = only?.location && page.name(only.location.line);
  const asked = lines.some((line) => line.missing) && only?.kind !== "Node";
  const lit = !reached || box.members.some((member) => reached.has(member));
  const path = lines.some((line) => line.path) && box.members.some((member) => scene.path.some(({ from, to }) => from === member || to === member));
  const chosen = only?.label === `Node ${node}`;
  const state = [
    only?.gone ? "there no more" : only && !only.exists ? "not there" : "",
    path ? "on the path" : asked ? "asked for, no path" : lit ? "" : "not reached",
    chosen ? "chosen" : "",
  ];
  const text = `${box.kind} ${box.name}`;
  const made = element(
    "button",
    {
      type: "button",
      tabindex: "-1",
      class: [
        "box",
        box.kind.replace(/s$/, ""),
        path ? "on" : asked ? "asked" : lit ? "lit" : "far",
        chosen && "chosen",
        only && !only.exists && "missing",
        members.length > 1 && "several",
      ].filter(Boolean).join(" "),
      "aria-label": [text, ...state, where].filter(Boolean).join(", "),
      "aria-expanded": members.length > 1 ? "false" : undefined,
      "aria-disabled": members.length === 1 && !where ? "true" : undefined,
      "data-key": box.key,
      click: () => {
        if (members.length > 1) open(box.key);
        else if (only?.location) page.go(only.location);
      },
    },
    element("span", { class: "kind" }, box.kind),
    " ",
    element("span", {}, box.name),
  );
  Object.assign(made.style, { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${HEIGHT}px` });
  return made;
}

/** A box in words: its name, its line, what it reads and who reads it. */
function told(scene: Scene, boxes: Box[], lines: Line[], index: number, page: Page): (Node | string)[] {
  const box = boxes[index];
  const [only] = box?.members.length === 1 ? box.members.map((member) => scene.vertices[member]) : [];
  const where = only?.location && page.name(only.location.line);
  const names = (ends: (Box | undefined)[]) => {
    const list = ends.slice(0, 4).map((end) => `${end?.kind} ${end?.name}`);
    return `${list.join(", ")}${ends.length > 4 ? ` and ${ends.length - 4} more` : ""}`;
  };
  const there = lines.filter((line) => !line.missing);
  const reads = there.filter((line) => line.to === index).map((line) => boxes[line.from]);
  const readers = there.filter((line) => line.from === index).map((line) => boxes[line.to]);
  return [
    element("b", {}, `${box?.kind} ${box?.name}`),
    where ? ` ${only.exists ? "at" : "named at"} ${where}` : "",
    ". ",
    reads.length > 0 ? `Reads ${names(reads)}. ` : "",
    readers.length > 0 ? `${box?.kind.startsWith("Pod") ? "Runs on" : "Read by"} ${names(readers)}.` : "",
  ];
}

/** The box that a key leads to from another. */
function neighbour(key: string, from: number, boxes: Box[], lines: Line[], places: Place[]): number | undefined {
  const middle = (index: number) => places[index]?.top ?? 0;
  const near = (candidates: number[]) => candidates.sort((a, b) => Math.abs(middle(a) - middle(from)) - Math.abs(middle(b) - middle(from)))[0];
  const rank = boxes[from]?.rank ?? 0;
  const layer = boxes.flatMap((box, index) => (box.rank === rank ? [index] : [])).sort((a, b) => middle(a) - middle(b));
  const at = layer.indexOf(from);
  // Along the path where there are several ways.
  const along = (ends: { line: Line; end: number }[]) => near((ends.some(({ line }) => line.path) ? ends.filter(({ line }) => line.path) : ends).map(({ end }) => end));
  const beside = (step: number) => {
    const ranks = [...new Set(boxes.map((box) => box.rank))].sort((a, b) => a - b);
    const wanted = ranks[ranks.indexOf(rank) + step];
    return near(boxes.flatMap((box, index) => (box.rank === wanted ? [index] : [])));
  };
  switch (key) {
    case "ArrowUp":
      return layer[at - 1];
    case "ArrowDown":
      return layer[at + 1];
    case "Home":
      return layer[0];
    case "End":
      return layer.at(-1);
    case "ArrowRight":
      return along(lines.filter((line) => line.from === from).map((line) => ({ line, end: line.to }))) ?? beside(1);
    case "ArrowLeft":
      return along(lines.filter((line) => line.to === from).map((line) => ({ line, end: line.from }))) ?? beside(-1);
    default:
      return undefined;
  }
}

/** What the looks of boxes and lines mean, as far as they are drawn. */
function legend({ vertices, path }: Scene, lines: Line[], { reached }: Look): HTMLElement {
  const entry = (look: string, text: string) => element("li", {}, element("span", { class: `key ${look}`, "aria-hidden": "true" }), text);
  return element(
    "figcaption",
    {},
    element(
      "ul",
      { class: "keys-of-graph" },
      ...(path.length > 0 ? [entry("on", "the path of the selected request")] : []),
      ...(lines.some((line) => line.missing) ? [entry("none", "the path that is missing")] : []),
      ...(reached ? [entry("lit", "reached"), entry("far", "not reached")] : []),
      ...(vertices.some((vertex) => !vertex.exists) ? [entry("missing", "only referred to")] : []),
    ),
  );
}
