/** What the browser keeps for the next visit: the newest document that it had room for. */

import type { Composed } from "./document.ts";

const KEPT = "portcullis.document";

/** In characters: browsers keep about five million for a whole site, and writing them holds up the page. */
const LONGEST_KEPT = 1_000_000;

/** False where there is no room for the document: what was kept before stays. */
export function keep(document: Composed): boolean {
  if (document.length > LONGEST_KEPT) return false;
  try {
    localStorage.setItem(KEPT, document.text);
    return true;
  } catch {
    // It is full or forbidden.
    return false;
  }
}

export function kept(): string | null {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null;
  }
}

export function forget(): void {
  try {
    localStorage.removeItem(KEPT);
  } catch {
    // Where it is forbidden, nothing is kept.
  }
}
