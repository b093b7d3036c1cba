/** In which order examples are offered, in the page and in the documentation. */

/** The story that opens first, and those that follow; what else is in `examples/` comes last, by name. */
const STORIES = ["rbac", "node", "encryption", "rotation", "audit"];

/** Compares two examples, by their names in `examples/`. */
export function inOrder(a: string, b: string): number {
  const [first, second] = [a, b].map((name) => STORIES.indexOf(name) + 1 || Infinity) as [number, number];
  return first === second ? (a < b ? -1 : 1) : first - second;
}
