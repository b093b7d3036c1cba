/** What the browser keeps for the next visit: the newest document that it had room for, and the reader's own while another is open. */

import type { Composed } from "./document.ts";

const OPEN = "portcullis.document";
const ASIDE = "portcullis.aside";
const THEME = "portcullis.theme";

/** In characters: browsers keep about five million for a whole site, and writing them holds up the page. */
const LONGEST_KEPT = 1_000_000;

/** Keeps what is open. False where there is no room for it: what was kept before stays. */
export const keep = (document: Composed): boolean => write(OPEN, document);

export const kept = (): string | null => read(OPEN);

/** Keeps the reader's own document beside the one that is open, as far as there is room; nothing, where that is the open one. */
export function keepAside(document: Composed | undefined): void {
  if (document) write(ASIDE, document);
  else remove(ASIDE);
}

export const keptAside = (): string | null => read(ASIDE);

/** The colours that the reader chose, where they are not the system's. */
export const keptTheme = (): string | null => read(THEME);

export const keepTheme = (theme: string): boolean => put(THEME, theme);

/** Forgets all that was typed. */
export function forget(): void {
  remove(OPEN);
  remove(ASIDE);
}

// A browser may be full, or forbidden to keep anything.

function write(key: string, document: Composed): boolean {
  return document.length <= LONGEST_KEPT && put(key, document.text);
}

function put(key: string, text: string): boolean {
  try {
    localStorage.setItem(key, text);
    return true;
  } catch {
    return false;
  }
}

function read(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function remove(key: string): void {
  try {
    localStorage.removeItem(key);
  } catch {
    // Then there is nothing.
  }
}
