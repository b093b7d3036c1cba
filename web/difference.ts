/** What differs between two texts of an editor, found without looking at what they share. */

import type { Text } from "@codemirror/state";

/** `insert` stands in the new text where the old one has its characters `from` to `to`. */
export interface Difference {
  from: number;
  to: number;
  insert: string;
}

/** The nodes of both texts that are the very same were not edited: they are told apart by looking at none of their lines. */
export function difference(old: Text, now: Text): Difference {
  const [before, after] = [leaves(old), leaves(now)];
  const most = Math.min(before.length, after.length) - 1;
  let [front, from] = [0, 0];
  for (; front < most && before[front] === after[front]; front += 1) from += length(before[front]);
  let [back, behind] = [0, 0];
  for (; back < most - front && before.at(-1 - back) === after.at(-1 - back); back += 1) behind += length(before.at(-1 - back));
  return { from, to: old.length - behind, insert: now.sliceString(from, now.length - behind) };
}

function leaves(text: Text, into: Text[] = []): Text[] {
  if (!text.children) into.push(text);
  for (const child of text.children ?? []) leaves(child, into);
  return into;
}

/** With the end of its last line. */
function length(leaf: Text | undefined): number {
  return leaf ? leaf.length + 1 : 0;
}
