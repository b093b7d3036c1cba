/** The documents that the page offers: all of `examples/`, grouped by the question that their front matter names. */

import { Document } from "./document.ts";

export interface Example {
  title: string;
  question: string;
  text: string;
}

const texts = import.meta.glob<string>("../examples/*.md", { query: "?raw", import: "default", eager: true });

/** The story that opens first, and the order of the others; what is new comes last. */
const order = ["rbac", "node", "encryption", "rotation", "audit"];

const rank = (path: string): number => {
  const at = order.findIndex((name) => path.endsWith(`/${name}.md`));
  return at < 0 ? order.length : at;
};

export const examples: Example[] = Object.entries(texts)
  .sort(([a], [b]) => rank(a) - rank(b))
  .map(([, text]) => {
    const document = new Document(text);
    return { title: document.setting("title"), question: document.setting("question") || "Examples", text };
  });

/** An empty document with a place for everything. */
export const blank = '```yaml title="cluster.yaml"\n```\n\n```sh\n```\n';
