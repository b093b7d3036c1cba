/** The page inside somebody else's: `?embed`, by `<portcullis-playground>` or a plain iframe. */

import type { FromPlayground, ToPlayground } from "./embed.ts";

/** How the page is embedded. */
export interface Guest {
  /** The view to begin with. */
  view: string;
  /** Whether a document is about to come, `?embed=element`: until then, nothing else is shown. */
  expects: boolean;
}

/** Whether the page stands in somebody else's. */
export const isEmbedded = (): boolean => new URLSearchParams(location.search).has("embed");

/**
 * Whether the page is embedded, and how. If it is, documents come from the window around it; the first one to send a document
 * stays the only one that may. Where nobody sends one, the address's hash holds it.
 */
export function embedded(open: (document: string) => void): Guest | undefined {
  const query = new URLSearchParams(location.search);
  if (!isEmbedded()) return undefined;
  document.documentElement.classList.add("embedded");
  let host: string | undefined;
  let shown: string | undefined;
  addEventListener("message", ({ data, origin, source }: MessageEvent<ToPlayground>) => {
    if (source !== parent || source === window || data?.portcullis !== 1 || typeof data.document !== "string") return;
    host ??= origin;
    if (origin !== host) return;
    document.documentElement.style.colorScheme = /^(light|dark)$/.test(data.colorScheme) ? data.colorScheme : "";
    // The colours alone have changed, and what the reader has typed stays.
    if (data.document !== shown) open(data.document);
    shown = data.document;
  });
  // Says nothing but that it listens, so that whoever embeds may hear it.
  if (parent !== window) parent.postMessage({ portcullis: 1, ready: true } satisfies FromPlayground, "*");
  return { view: query.get("view") ?? "", expects: query.get("embed") === "element" && parent !== window };
}
