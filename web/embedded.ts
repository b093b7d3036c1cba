/** The page inside somebody else's: `?embed`, by `<portcullis-playground>` or a plain iframe. */

import type { FromPlayground, ToPlayground } from "./embed.ts";

/** How the page is embedded. */
export interface Guest {
  /** Whether a document is about to come, `?embed=element`: until then, nothing else is shown. */
  expects: boolean;
}

/** Whether the page stands in somebody else's. */
export const isEmbedded = (): boolean => new URLSearchParams(location.search).has("embed");

/**
 * Whether the page is embedded, and how. If it is, documents and the view to look at come from the window around it; the first one
 * to send a document stays the only one that may. Where nobody sends one, the address's hash holds it.
 */
export function embedded(open: (document: string) => void, look: (view: string) => void): Guest | undefined {
  const query = new URLSearchParams(location.search);
  if (!isEmbedded()) return undefined;
  document.documentElement.classList.add("embedded");
  let host: string | undefined;
  let shown: string | undefined;
  let view = query.get("view") ?? "";
  look(view);
  addEventListener("message", ({ data, origin, source }: MessageEvent<ToPlayground>) => {
    if (source !== parent || source === window || data?.portcullis !== 1 || typeof data.document !== "string") return;
    host ??= origin;
    if (origin !== host) return;
    document.documentElement.style.colorScheme = /^(light|dark)$/.test(data.colorScheme) ? data.colorScheme : "";
    // What has not changed stays as the reader has left it: what is typed, and the view.
    if (data.document !== shown) open(data.document);
    shown = data.document;
    if (data.view !== view) look(data.view);
    view = data.view;
  });
  // Says nothing but that it listens, so that whoever embeds may hear it.
  if (parent !== window) parent.postMessage({ portcullis: 1, ready: true } satisfies FromPlayground, "*");
  return { expects: query.get("embed") === "element" && parent !== window };
}
