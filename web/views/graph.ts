/** What the Node authorizer walks: which object a node reaches, and through which pod. Objects, pods and nodes in layers. */

import { Graph as Layout, layout } from "@dagrejs/dagre";
import type { Edge, Exchange, Graph, Location, Vertex } from "portcullis-wasm";
import { element } from "../dom.ts";
import type { Page, View } from "../view.ts";

/** More are drawn in groups: nobody reads a thousand boxes. */
const MOST = 120;

const SVG = "http://www.w3.org/2000/svg";

/** The layers, from what is read to who reads. */
const kinds = ["Secret", "ConfigMap", "PersistentVolume", "PersistentVolumeClaim", "Pod", "Node"];

/** Where the layout puts a box: its middle and its size. */
interface Drawn {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** A box of the drawing: a vertex, or several of a kind. */
interface Box {
  /** `Secret`, `12 Pods` */
  kind: string;
  name: string;
  namespace: string;
  exists: boolean;
  location: Location | undefined;
  members: number[];
}

/** The node looked at: `undefined` for the one of the selected request, `""` for all. */
let chosen: string | undefined;
/** The request that `chosen` was made at. */
let looked = "";

export const view: View = {
  show(place, report, selection, page) {
    const { graph } = report;
    const key = `${selection.step}/${selection.exchange}`;
    if (key !== looked) chosen = undefined;
    looked = key;
    if (graph.vertices.length === 0) {
      place.replaceChildren(
        element("div", { class: "empty" }, element("h2", {}, "Nothing to draw."), element("p", {}, "The graph grows from pods: what they refer to, and the node that they are on.")),
      );
      return;
    }
    const exchange = report.steps[selection.step]?.exchanges[selection.exchange];
    const asked = exchange?.user?.name.match(/^system:node:(.+)$/)?.[1];
    const nodes = graph.vertices.filter((vertex) => vertex.kind === "Node").map((vertex) => vertex.name);
    const node = chosen ?? (asked !== undefined && nodes.includes(asked) ? asked : "");
    const path = pathOf(graph, exchange);
    const reached = node === "" ? undefined : reach(graph, node);
    const again = () => view.show(place, report, selection, page);
    const focused = (document.activeElement as HTMLElement | SVGElement | null)?.dataset["key"];
    place.replaceChildren(
      headline(graph, node, path, exchange, asked, page),
      picker(nodes, node, again),
      drawing(graph, reached, path, page),
    );
    if (focused) place.querySelector<HTMLElement | SVGElement>(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  },
};

const label = ({ kind, namespace, name }: { kind: string; namespace: string; name: string }) =>
  `${kind} ${namespace && `${namespace}/`}${name}`;

const same = (a: Location, b: Location) => a.line === b.line && a.endLine === b.endLine && a.path === b.path && a.object === b.object;

/** The edges that the Node authorizer went along for a request. */
function pathOf(graph: Graph, exchange: Exchange | undefined): Set<Edge> {
  const step = exchange?.authorization?.steps.find((each) => each.authorizer === "Node");
  const because = step?.because ?? [];
  return new Set(graph.edges.filter((edge) => because.some((each) => same(each.location, edge.location))));
}

/** All that a node reaches, itself included. */
function reach(graph: Graph, node: string): Set<number> {
  const into = new Map<number, number[]>();
  for (const { from, to } of graph.edges) into.set(to, [...(into.get(to) ?? []), from]);
  const reached = new Set<number>();
  const next = [graph.vertices.findIndex((vertex) => vertex.kind === "Node" && vertex.name === node)];
  for (let at = next.pop(); at !== undefined; at = next.pop()) {
    if (at < 0 || reached.has(at)) continue;
    reached.add(at);
    next.push(...(into.get(at) ?? []));
  }
  return reached;
}

/** The path of the selected request in words, or that there is none. */
function headline(graph: Graph, node: string, path: Set<Edge>, exchange: Exchange | undefined, asked: string | undefined, page: Page): HTMLElement {
  const step = exchange?.authorization?.steps.find((each) => each.authorizer === "Node");
  if (path.size > 0 && asked !== undefined) {
    const edges = [...path];
    const start = edges.find((edge) => !edges.some((other) => other.to === edge.from)) ?? edges[0];
    const parts: Node[] = [];
    const seen = new Set<Edge>();
    for (let edge = start; edge && !seen.has(edge); edge = edges.find((other) => other.from === edge?.to)) {
      seen.add(edge);
      const to = graph.vertices[edge.to];
      const from = graph.vertices[edge.from];
      if (parts.length === 0 && from) parts.push(document.createTextNode(label(from)));
      if (to) parts.push(document.createTextNode(` → ${label(to)} `), element("span", { class: "aside" }, page.link(edge.location)));
    }
    return element(
      "div",
      { class: "headline" },
      element("h2", {}, element("span", { class: "allowed" }, "✓ Reached."), ` ${asked} reads it on this path.`),
      element("p", { class: "path" }, ...parts),
    );
  }
  if (step && asked !== undefined && step.verdict !== "Allow") {
    const rows = step.nearest.map((near) => element("li", {}, near.message, " ", page.link(near.location)));
    return element(
      "div",
      { class: "headline" },
      element("h2", {}, element("span", { class: "denied" }, "✗ No path."), ` ${asked} does not reach what it asked for.`),
      step.reason ? element("p", { class: "dim" }, `Reason: ${step.reason}`) : undefined,
      element("ul", {}, ...rows),
    );
  }
  const pods = graph.vertices.filter((vertex) => vertex.kind === "Pod").length;
  const rest = node === "" ? "of all nodes" : `of ${node}`;
  return element("div", { class: "headline" }, element("h2", {}, `What the pods ${rest} read.`), element("p", { class: "dim" }, `${pods} pods, ${graph.edges.length} references.`));
}

function picker(nodes: string[], node: string, again: () => void): HTMLElement {
  const options = ["", ...nodes].map((name) => element("option", { value: name, selected: name === node }, name || "All nodes"));
  const select = element("select", { "data-key": "node", change: () => ((chosen = select.value), again()) }, ...options);
  return element("p", { class: "controls" }, element("label", {}, "Node ", select));
}

/** What is drawn in one box, and what was left out. */
function boxes(graph: Graph, reached: Set<number> | undefined, path: Set<Edge>): { boxes: Box[]; of: Map<number, number> } {
  const onPath = new Set([...path].flatMap((edge) => [edge.from, edge.to]));
  const group = graph.vertices.length > MOST;
  const nodeOf = new Map<number, number>();
  for (const { from, to } of graph.edges) if (graph.vertices[to]?.kind === "Node") nodeOf.set(from, to);
  const keys = new Map<string, number>();
  const of = new Map<number, number>();
  const list: Box[] = [];
  for (const [index, vertex] of graph.vertices.entries()) {
    const alone = !group || onPath.has(index) || (vertex.kind === "Node" && reached?.has(index));
    const where = vertex.kind === "Pod" ? `${nodeOf.get(index)}` : String(reached?.has(index) ?? "");
    const key = alone ? String(index) : `${vertex.kind}|${vertex.namespace}|${where}`;
    let at = keys.get(key);
    if (at === undefined) {
      at = list.length;
      keys.set(key, at);
      list.push({ kind: vertex.kind, name: vertex.name, namespace: vertex.namespace, exists: vertex.exists, location: vertex.location, members: [] });
    }
    list[at]?.members.push(index);
    of.set(index, at);
  }
  for (const box of list) {
    if (box.members.length < 2) continue;
    box.name = `${box.members.length} ${box.kind}s`;
    box.location = undefined;
    box.exists = true;
  }
  return { boxes: list, of };
}

function drawing(graph: Graph, reached: Set<number> | undefined, path: Set<Edge>, page: Page): HTMLElement {
  const { boxes: list, of } = boxes(graph, reached, path);
  const plan = new Layout({ directed: true });
  plan.setGraph({ rankdir: "LR", nodesep: 12, ranksep: 36, marginx: 4, marginy: 4 });
  plan.setDefaultEdgeLabel(() => ({}));
  const text = (box: Box) => (box.namespace ? `${box.namespace}/` : "") + box.name;
  for (const [index, box] of list.entries()) {
    plan.setNode(String(index), { width: Math.min(260, 24 + Math.max(text(box).length, box.kind.length) * 7.2), height: 44 });
  }
  // Each kind has its layer, reached from an unseen root over as many ranks as there are layers before it.
  const layers = kinds.filter((kind) => list.some((box) => box.kind === kind));
  plan.setNode("root", { width: 0, height: 0 });
  for (const [index, box] of list.entries()) {
    plan.setEdge("root", String(index), { minlen: Math.max(layers.indexOf(box.kind), 0) + 1, weight: 100 });
  }
  const drawn = new Map<string, { edge: Edge; lit: boolean; path: boolean }>();
  for (const edge of graph.edges) {
    const from = of.get(edge.from);
    const to = of.get(edge.to);
    if (from === undefined || to === undefined || from === to) continue;
    const key = `${from} ${to}`;
    const before = drawn.get(key);
    const lit = (reached?.has(edge.from) && reached.has(edge.to)) ?? true;
    drawn.set(key, { edge: before?.edge ?? edge, lit: lit || (before?.lit ?? false), path: path.has(edge) || (before?.path ?? false) });
    plan.setEdge(String(from), String(to));
  }
  layout(plan);
  const { width = 0, height = 0 } = plan.graph() as { width?: number; height?: number };
  const left = Math.min(...list.map((_, index) => plan.node(String(index)) as Drawn).map((box) => box.x - box.width / 2)) - 2;
  const svg = draw("svg", { class: "graph", viewBox: `${left} 0 ${width - left} ${height}`, width: String(width - left), height: String(height), role: "group", "aria-label": "Graph" });
  for (const [key, { edge, lit, path: on }] of drawn) {
    const [from = "", to = ""] = key.split(" ");
    const { points } = plan.edge({ v: from, w: to }) as { points: { x: number; y: number }[] };
    const line = draw("path", { class: on ? "edge path" : lit ? "edge" : "edge far", d: curve(points) });
    line.append(draw("title", {}, `${label(graph.vertices[edge.from] as Vertex)} → ${label(graph.vertices[edge.to] as Vertex)}`));
    svg.append(line);
  }
  const onPath = new Set([...path].flatMap((edge) => [edge.from, edge.to]));
  for (const [index, box] of list.entries()) {
    const { x, y, width: wide, height: tall } = plan.node(String(index)) as Drawn;
    const lit = !reached || box.members.some((member) => reached.has(member));
    const on = box.members.some((member) => onPath.has(member));
    svg.append(boxOf(box, text(box), { x: x - wide / 2, y: y - tall / 2, wide, tall }, on ? "on" : lit ? "lit" : "far", page));
  }
  const hidden = graph.hidden > 0 ? ` ${graph.hidden} more are left out: there are too many.` : "";
  const groups = list.filter((box) => box.members.length > 1).length;
  const remark = groups > 0 ? `${graph.vertices.length} objects in ${list.length} boxes, ${groups} of them groups.` : "";
  return element(
    "figure",
    { class: "graph-frame" },
    element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Graph, scrolls" }, svg as unknown as Node),
    element("figcaption", { class: "dim" }, remark, hidden, " Solid: what is there. Dashed: only referred to. Thick: the path of the selected request."),
  );
}

function boxOf(box: Box, name: string, at: { x: number; y: number; wide: number; tall: number }, look: string, page: Page): SVGElement {
  const where = box.location && box.location.line > 0 ? page.name(box.location.line) : undefined;
  const says = [label(box), box.exists ? "" : "not there", look === "on" ? "on the path" : look === "far" ? "not reached" : "", where].filter(Boolean).join(", ");
  const follow = () => {
    if (box.location) page.go(box.location);
  };
  const group = draw("g", {
    class: `box ${look} ${box.kind}${box.exists ? "" : " missing"}`,
    transform: `translate(${at.x} ${at.y})`,
    tabindex: "0",
    role: where ? "button" : "img",
    "aria-label": says,
    "data-key": label(box),
  });
  const most = Math.floor((at.wide - 20) / 7);
  group.append(
    draw("rect", { width: String(at.wide), height: String(at.tall), rx: "8" }),
    draw("text", { x: "10", y: "18", class: "kind" }, box.kind),
    // The name above begins with what one sees.
    " ",
    draw("text", { x: "10", y: "35" }, name.length > most ? `${name.slice(0, most - 1)}…` : name),
  );
  if (where) {
    group.addEventListener("click", follow);
    group.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      follow();
    });
  }
  return group;
}

/** A smooth line through the points of an edge. */
function curve(points: { x: number; y: number }[]): string {
  const [first, ...rest] = points;
  if (!first) return "";
  let d = `M${first.x} ${first.y}`;
  for (let at = 0; at < rest.length; at += 1) {
    const point = rest[at] ?? first;
    const next = rest[at + 1];
    d += next ? ` Q${point.x} ${point.y} ${(point.x + next.x) / 2} ${(point.y + next.y) / 2}` : ` L${point.x} ${point.y}`;
  }
  return d;
}

function draw(name: string, attributes: Record<string, string>, ...children: (Node | string)[]): SVGElement {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}
