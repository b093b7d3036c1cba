/** The documents that the page offers: all of `examples/`, grouped by the question that their front matter names. */

import { Document } from "./document.ts";
import { inOrder } from "./order.ts";

export interface Example {
  title: string;
  question: string;
  text: string;
}

const texts = import.meta.glob<string>("../examples/*.md", { query: "?raw", import: "default", eager: true });

const nameOf = (path: string): string => path.replace(/^.*\/|\.md$/g, "");

export const examples: Example[] = Object.entries(texts)
  .sort(([a], [b]) => inOrder(nameOf(a), nameOf(b)))
  .map(([, text]) => {
    const document = new Document(text);
    return { title: document.setting("title"), question: document.setting("question") || "Examples", text };
  });

/** An empty document with a place for everything. */
export const blank = '```yaml title="cluster.yaml"\n```\n\n```sh\n```\n';
