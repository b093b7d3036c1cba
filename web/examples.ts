/** The documents that the page offers: all of `examples/`, grouped by the question that their front matter names. */

import { Document } from "./document.ts";

export interface Example {
  title: string;
  question: string;
  text: string;
}

const texts = import.meta.glob<string>("../examples/*.md", { query: "?raw", import: "default", eager: true });

export const examples: Example[] = Object.values(texts).map((text) => {
  const document = new Document(text);
  return { title: document.setting("title"), question: document.setting("question") || "Examples", text };
});

/** An empty document with a place for everything. */
export const blank = '```yaml title="cluster.yaml"\n```\n\n```sh\n```\n';
