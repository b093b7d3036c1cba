/** The page inside somebody else's: `?embed`, by `<portcullis-playground>` or a plain iframe. */

import type { FromPlayground, ToPlayground } from "./embed.ts";

/**
 * Whether the page is embedded, and which view it should begin with. If it is, documents come from the window around it; the
 * first one to send a document stays the only one that may.
 */
export function embedded(open: (document: string) => void): { view: string } | undefined {
  const query = new URLSearchParams(location.search);
  if (!query.has("embed")) return undefined;
  document.documentElement.classList.add("embedded");
  let host: string | undefined;
  addEventListener("message", ({ data, origin, source }: MessageEvent<ToPlayground>) => {
    if (source !== parent || source === window || data?.portcullis !== 1 || typeof data.document !== "string") return;
    host ??= origin;
    if (origin !== host) return;
    document.documentElement.style.colorScheme = /^(light|dark)$/.test(data.colorScheme) ? data.colorScheme : "";
    open(data.document);
  });
  // Says nothing but that it listens, so that whoever embeds may hear it.
  if (parent !== window) parent.postMessage({ portcullis: 1, ready: true } satisfies FromPlayground, "*");
  return { view: query.get("view") ?? "" };
}
