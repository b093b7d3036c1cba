/**
 * What of the node graph stands in one box: each object alone where they are few, is looked at or was opened; groups of the
 * rest. Nobody reads a thousand boxes, and what a group hides it says.
 */

import type { Exchange, Graph, Location } from "portcullis-wasm";

/** How what is not alone is put together. */
export type Together = "alone" | "node" | "namespace";

/** More objects than this are put together unless somebody wants them alone. */
const MOST = 80;

/** More than this nobody gets alone. */
export const LIMIT = 300;

/** More nodes than this make one group themselves. */
const NODES = 40;

/** So many members of an opened group stand alone; the others stay together. */
const OPENED = 60;

/** The layers, from what is read to who reads. */
const KINDS = ["Secret", "ConfigMap", "PersistentVolume", "PersistentVolumeClaim", "Pod", "Node"];

/** An object, or the name of one. */
export interface Vertex {
  /** `Secret shop/payment` */
  label: string;
  kind: string;
  namespace: string;
  /** With its namespace. */
  name: string;
  exists: boolean;
  /** It was on the path of the selected request, and is there no more. */
  gone: boolean;
  /** Its own lines, or those that refer to it. */
  location: Location | undefined;
}

/** A reference, from what is read to who reads it. */
export interface Edge {
  from: number;
  to: number;
  location: Location;
  /** On the path of the selected request. */
  path: boolean;
}

/** The graph as the selected request sees it. */
export interface Scene {
  vertices: Vertex[];
  edges: Edge[];
  /** The path of the selected request: its edges in order, from the object to the node. */
  path: Edge[];
  /** What the request asked for and did not reach, and the node that it came from. */
  missing: { from: number; to: number } | undefined;
}

export interface Box {
  /** The same for the same content: the focus finds it again. */
  key: string;
  /** `Secret`; of a group `Secrets`. */
  kind: string;
  /** `shop/payment`; of a group what its members have in common. */
  name: string;
  /** Which layer. */
  rank: number;
  members: number[];
}

export interface Line {
  from: number;
  to: number;
  /** Whether any of its references is on the path. */
  path: boolean;
  /** Whether the selected node reaches something over it. */
  lit: boolean;
  /** The reference that would be needed. */
  missing: boolean;
}

const label = (kind: string, namespace: string, name: string) => `${kind} ${namespace && `${namespace}/`}${name}`;

/** The kinds of what a kubelet asks for by name. */
const RESOURCES: Record<string, string> = {
  secrets: "Secret",
  configmaps: "ConfigMap",
  persistentvolumes: "PersistentVolume",
  persistentvolumeclaims: "PersistentVolumeClaim",
};

/** Adds to the graph what it needs to show a request: what has gone since, what was never there. */
export function scene(graph: Graph, exchange: Exchange | undefined): Scene {
  const vertices: Vertex[] = graph.vertices.map(({ kind, namespace, name, exists, location }) => ({
    label: label(kind, namespace, name),
    kind,
    namespace,
    name: `${namespace && `${namespace}/`}${name}`,
    exists,
    gone: false,
    location: location.line > 0 ? location : undefined,
  }));
  const edges: Edge[] = graph.edges.map((edge) => ({ ...edge, path: false }));
  for (const { from, to, location } of edges) {
    // A name that nobody created leads to where it is used.
    for (const end of [from, to]) {
      const vertex = vertices[end];
      if (vertex) vertex.location ??= location.line > 0 ? location : undefined;
    }
  }
  const at = new Map(vertices.map((vertex, index) => [vertex.label, index]));
  const find = (name: string, gone: boolean): number => {
    const known = at.get(name);
    if (known !== undefined) return known;
    const [kind = "", rest = ""] = name.split(/ (.*)/s);
    const [namespace = ""] = rest.includes("/") ? rest.split("/") : [];
    at.set(name, vertices.length);
    vertices.push({ label: name, kind, namespace, name: rest, exists: false, gone, location: undefined });
    return vertices.length - 1;
  };
  const step = exchange?.authorization?.steps.find((each) => each.authorizer === "Node");
  const path = (step?.because ?? []).flatMap(({ edge, location }) => {
    if (!edge) return [];
    const [from, to] = edge.map((name) => find(name, true)) as [number, number];
    const known = edges.find((each) => each.from === from && each.to === to);
    if (known) known.path = true;
    else edges.push({ from, to, location, path: true });
    return [known ?? edges.at(-1)].filter((each) => each !== undefined);
  });
  const asked = exchange?.attributes;
  const node = askedBy(exchange);
  const kind = RESOURCES[asked?.resource ?? ""];
  let missing: Scene["missing"];
  if (step && step.verdict !== "Allow" && node !== undefined && kind && asked && asked.name !== "") {
    missing = { from: find(label(kind, asked.namespace, asked.name), false), to: find(`Node ${node}`, false) };
  }
  return { vertices, edges, path, missing };
}

/** The node whose kubelet sent a request. */
export function askedBy(exchange: Exchange | undefined): string | undefined {
  const { name = "", groups = [] } = exchange?.user ?? {};
  return groups.includes("system:nodes") ? /^system:node:(.+)$/s.exec(name)?.[1] : undefined;
}

/** All that a node reaches, itself included. */
export function reach({ vertices, edges }: Scene, node: string): Set<number> {
  const into = new Map<number, number[]>();
  for (const { from, to } of edges) {
    const known = into.get(to);
    if (known) known.push(from);
    else into.set(to, [from]);
  }
  const reached = new Set<number>();
  const next = [vertices.findIndex((vertex) => vertex.kind === "Node" && vertex.name === node)];
  for (let at = next.pop(); at !== undefined; at = next.pop()) {
    if (at < 0 || reached.has(at) || vertices[at]?.gone) continue;
    reached.add(at);
    next.push(...(into.get(at) ?? []));
  }
  return reached;
}

/** How the objects of a graph are put together where nobody says so. */
export function usual({ vertices }: Scene): Together {
  if (vertices.length <= MOST) return "alone";
  const nodes = vertices.filter((vertex) => vertex.kind === "Node").length;
  return nodes <= NODES ? "node" : "namespace";
}

/** The boxes, in the order of the vertices, and the lines between them. */
export function boxes(
  scene: Scene,
  { reached, together, opened }: { reached: Set<number> | undefined; together: Together; opened: Set<string> },
): { boxes: Box[]; lines: Line[] } {
  const { vertices, edges, path, missing } = scene;
  const kinds = KINDS.filter((kind) => vertices.some((vertex) => vertex.kind === kind));
  const looked = new Set([...path.flatMap(({ from, to }) => [from, to]), ...(missing ? [missing.from, missing.to] : [])]);
  const nodes = vertices.filter((vertex) => vertex.kind === "Node").length;
  const readers = together === "node" ? readersOf(scene) : [];
  // What the chosen node reaches is what one wants to see, as long as one can.
  const near = reached && together !== "alone" && reached.size <= MOST ? reached : undefined;

  const group = (index: number, vertex: Vertex): string => {
    if (looked.has(index) || near?.has(index)) return "";
    if (together === "alone") return "";
    if (near) return "not reached";
    if (vertex.kind === "Node") return together === "node" && nodes <= NODES ? "" : "in the cluster";
    if (together === "namespace") return vertex.namespace ? `in ${vertex.namespace}` : "in the cluster";
    const reader = readers[index] ?? NOBODY;
    if (reader === NOBODY) return "that no node reads";
    if (reader === SEVERAL) return "of several nodes";
    return `${vertex.kind === "Pod" ? "on" : "of"} ${vertices[reader]?.name}`;
  };

  const list: Box[] = [];
  const of: number[] = [];
  const groups = new Map<string, number>();
  const sizes = new Map<string, number>();
  for (const [index, vertex] of vertices.entries()) {
    const common = group(index, vertex);
    const rank = kinds.indexOf(vertex.kind);
    const key = common && `${vertex.kind}s ${common}`;
    const size = (sizes.get(key) ?? 0) + 1;
    sizes.set(key, size);
    if (!common || (opened.has(key) && size <= OPENED)) {
      of.push(list.length);
      list.push({ key: vertex.label, kind: vertex.kind, name: vertex.name, rank, members: [index] });
      continue;
    }
    let at = groups.get(key);
    if (at === undefined) {
      at = list.length;
      groups.set(key, at);
      list.push({ key, kind: `${vertex.kind}s`, name: common, rank, members: [] });
    }
    list[at]?.members.push(index);
    of.push(at);
  }
  for (const box of list) {
    const [first] = box.members;
    const vertex = vertices[first ?? -1];
    const count = box.members.length;
    if (count > 1) box.name = `${count} ${opened.has(box.key) ? "more " : ""}${box.name}`;
    else if (vertex) Object.assign(box, { key: vertex.label, kind: vertex.kind, name: vertex.name });
  }

  const lines = new Map<string, Line>();
  for (const edge of edges) {
    const [from, to] = [of[edge.from] ?? 0, of[edge.to] ?? 0];
    const key = `${from} ${to}`;
    const line = lines.get(key) ?? { from, to, path: false, lit: false, missing: false };
    line.path ||= edge.path;
    line.lit ||= !reached || (reached.has(edge.from) && reached.has(edge.to));
    lines.set(key, line);
  }
  if (missing) {
    const [from, to] = [of[missing.from] ?? 0, of[missing.to] ?? 0];
    lines.set(`${from} ${to} missing`, { from, to, path: false, lit: true, missing: true });
  }
  return { boxes: list, lines: [...lines.values()] };
}

const NOBODY = -1;
const SEVERAL = -2;

/** For each vertex the one node that reads it, or that several do, or none. */
function readersOf({ vertices, edges }: Scene): number[] {
  const readers = vertices.map(({ kind }, index) => (kind === "Node" ? index : NOBODY));
  // From the nodes back, layer by layer: an edge's end is known before its start. A volume stands before its claim.
  const order = [...edges].sort((a, b) => KINDS.indexOf(vertices[b.from]?.kind ?? "") - KINDS.indexOf(vertices[a.from]?.kind ?? ""));
  for (const { from, to } of order) {
    const [own = NOBODY, other = NOBODY] = [readers[from], readers[to]];
    if (other !== NOBODY) readers[from] = own === NOBODY || own === other ? other : SEVERAL;
  }
  return readers;
}
