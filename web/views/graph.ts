/** What the Node authorizer walks: which object a node reaches, and through which pod. Objects, pods and nodes in layers. */

import type { Exchange, Graph } from "portcullis-wasm";
import { element } from "../dom.ts";
import type { Page, View } from "../view.ts";
import { type Edge, LIMIT, type Scene, type Together, askedBy, boxes, reach, scene, usual } from "./boxes.ts";
import { drawing } from "./drawing.ts";

/** The node looked at: `undefined` for the one of the selected request, `""` for all. */
let chosen: string | undefined;
/** The request that `chosen` was made at. */
let looked = "";
/** How what is many is put together; `undefined` for as is usual for so many. */
let together: Together | undefined;
/** The groups that were opened. */
const opened = new Set<string>();

export const view: View<"graph"> = {
  needs: "graph",
  forget() {
    chosen = together = undefined;
    opened.clear();
  },
  show(place, report, selection, page) {
    const { graph } = report;
    const key = `${selection.step}/${selection.exchange}`;
    if (key !== looked) chosen = undefined;
    looked = key;
    const exchange = report.steps[selection.step]?.exchanges[selection.exchange];
    const whole = scene(graph, exchange);
    if (whole.vertices.length === 0) {
      place.replaceChildren(
        element(
          "div",
          { class: "empty" },
          element("h2", {}, "Nothing to draw."),
          element("p", {}, "The graph grows from pods: what they refer to, and the node that they are on. Add a pod with spec.nodeName to the files."),
        ),
      );
      return;
    }
    const again = () => view.show(place, report, selection, page);
    const asked = askedBy(exchange);
    const nodes = whole.vertices.filter((vertex) => vertex.kind === "Node").map((vertex) => vertex.name);
    const node = [chosen, asked].find((name) => name !== undefined && ["", ...nodes].includes(name)) ?? "";
    // Another node than the request's is a question of its own: the request's path is no part of it.
    const shown = node === "" || node === asked ? whole : scene(graph, undefined);
    const reached = node === "" ? undefined : reach(shown, node);
    const how = (shown.vertices.length > LIMIT && together === "alone" ? undefined : together) ?? usual(shown);
    const drawn = boxes(shown, { reached, together: how, opened });
    const focused = (document.activeElement as HTMLElement | null)?.dataset["key"];
    const scrolled = place.querySelector(".graph-frame > .scroll")?.scrollLeft ?? 0;
    place.replaceChildren(
      headline(shown, node, asked, exchange, reached, page),
      controls(shown, nodes, node, how, again),
      drawing(shown, drawn, {
        reached,
        node,
        page,
        room: place.clientWidth - 60,
        open(key) {
          if (!opened.delete(key)) opened.add(key);
          again();
        },
      }),
      ...hidden(graph, shown, drawn.boxes, again),
      references(shown, reached, page),
    );
    const scroller = place.querySelector(".graph-frame > .scroll");
    if (scroller) scroller.scrollLeft = scrolled;
    if (focused) place.querySelector<HTMLElement>(`[data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  },
};

/** The path of the selected request in words, or that there is none; else what is reached. */
function headline(
  { vertices, path }: Scene,
  node: string,
  asked: string | undefined,
  exchange: Exchange | undefined,
  reached: Set<number> | undefined,
  page: Page,
): HTMLElement {
  const step = exchange?.authorization?.steps.find((each) => each.authorizer === "Node");
  const own = node === "" || node === asked;
  if (path.length > 0) {
    const parts: (Node | string)[] = [vertices[path[0]?.from ?? -1]?.label ?? ""];
    for (const { to, location } of path) {
      parts.push(` → ${vertices[to]?.label} `, element("span", { class: "aside" }, page.link(location)));
    }
    const gone = path.some(({ from, to }) => vertices[from]?.gone || vertices[to]?.gone);
    return element(
      "div",
      { class: "headline" },
      element("h2", {}, element("span", { class: "allowed" }, "✓ Reached."), ` ${asked} reads it on this path.`),
      element("p", { class: "path" }, ...parts),
      gone && element("p", { class: "dim" }, "Part of it is there no more: the graph is drawn as it is at the end."),
    );
  }
  if (own && step && asked !== undefined && step.verdict !== "Allow") {
    const rows = step.nearest.map((near) => element("li", {}, near.message, " ", page.link(near.location)));
    // The nearest, and what it would take, which stands last.
    const between = rows.length > 5 ? rows.splice(3, rows.length - 4) : [];
    const last = rows.pop();
    return element(
      "div",
      { class: "headline" },
      element("h2", {}, element("span", { class: "denied" }, "✗ No path."), ` ${asked} does not reach what it asked for.`),
      step.reason ? element("p", { class: "dim" }, `Reason: ${step.reason}`) : undefined,
      element("ul", {}, ...rows),
      between.length > 0 && element("details", {}, element("summary", {}, `${between.length} more`), element("ul", {}, ...between)),
      last && element("ul", {}, last),
    );
  }
  const count = (kind: string, many: string) => {
    const found = vertices.filter((vertex, index) => vertex.kind === kind && (!reached || reached.has(index))).length;
    return found === 0 ? undefined : `${found} ${found === 1 ? kind : many}`;
  };
  const objects = [
    count("Secret", "Secrets"),
    count("ConfigMap", "ConfigMaps"),
    count("PersistentVolume", "PersistentVolumes"),
    count("PersistentVolumeClaim", "PersistentVolumeClaims"),
  ].filter((each) => each !== undefined);
  const pods = count("Pod", "Pods") ?? "no Pod";
  if (node !== "") {
    const what = objects.length > 0 ? `${node} reaches ${objects.join(", ")}.` : `${node} reaches nothing.`;
    return element("div", { class: "headline" }, element("h2", {}, what), element("p", { class: "dim" }, `Through ${pods} on it.`));
  }
  const total = [...objects, pods, count("Node", "Nodes") ?? "no Node"].join(", ");
  return element(
    "div",
    { class: "headline" },
    element("h2", {}, "What the pods of all nodes read."),
    element("p", { class: "dim" }, `${total}. Choose a node to see what it reaches.`),
  );
}

function controls(shown: Scene, nodes: string[], node: string, how: Together, again: () => void): HTMLElement {
  const option = (value: string, text: string, now: string) => element("option", { value, selected: value === now }, text);
  const choose = (key: string, name: string, options: HTMLElement[], change: (value: string) => void) => {
    const select = element("select", { "data-key": key, change: () => (change(select.value), again()) }, ...options);
    return element("label", {}, `${name} `, select);
  };
  const picks = [choose("node", "Node", ["", ...nodes].map((name) => option(name, name || "All nodes", node)), (value) => (chosen = value))];
  if (usual(shown) !== "alone") {
    const ways: [Together, string][] = [["node", "by node"], ["namespace", "by namespace"]];
    if (shown.vertices.length <= LIMIT) ways.push(["alone", "each alone"]);
    picks.push(choose("together", "Together", ways.map(([value, text]) => option(value, text, how)), (value) => {
      together = value as Together;
      opened.clear();
    }));
  }
  return element("p", { class: "controls" }, ...picks);
}

/** How much one does not see. */
function hidden(graph: Graph, shown: Scene, drawn: { members: number[] }[], again: () => void): HTMLElement[] {
  const groups = drawn.filter((box) => box.members.length > 1);
  if (groups.length === 0 && graph.hidden === 0) return [];
  const inside = groups.reduce((sum, box) => sum + box.members.length, 0);
  const parts: string[] = [];
  if (groups.length > 0) parts.push(`${inside} of ${shown.vertices.length} objects stand in ${groups.length} ${groups.length === 1 ? "group" : "groups"}: a click opens one.`);
  if (graph.hidden > 0) parts.push(`${graph.hidden} more objects are left out: there are too many.`);
  const close = element("button", { type: "button", "data-key": "close", click: () => (opened.clear(), again()) }, "Close the opened groups");
  return [element("p", { class: "dim" }, `${parts.join(" ")} `, opened.size > 0 && close)];
}

/** More rows than this say no more. */
const ROWS = 200;

/** The same in words, for those who do not look at drawings. */
function references({ vertices, edges }: Scene, reached: Set<number> | undefined, page: Page): HTMLElement {
  const near = edges.filter(({ from, to, path }) => path || !reached || (reached.has(from) && reached.has(to)));
  const row = ({ from, to, location, path }: Edge) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, vertices[from]?.label),
      element("td", {}, vertices[to]?.label),
      element("td", {}, path ? "✓ on the path" : ""),
      element("td", { class: "where" }, page.link(location)),
    );
  const head = ["What is read", "By", "", "Line"].map((name) => (name ? element("th", { scope: "col" }, name) : element("td", {})));
  const more = near.length - ROWS;
  const details = element("details", { class: "card wide" }, element("summary", {}, `As a list: ${near.length} ${near.length === 1 ? "reference" : "references"}`));
  // Made when it is opened: nobody waits for rows that nobody sees.
  details.addEventListener("toggle", () => {
    if (!details.open || details.childElementCount > 1) return;
    details.append(
      element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...near.slice(0, ROWS).map(row))),
      more > 0 ? element("p", { class: "dim" }, `and ${more} more`) : "",
    );
  });
  return details;
}
