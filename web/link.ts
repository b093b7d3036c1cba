/**
 * A document in a link: everything after the `#`, which browsers do not send to servers.
 *
 * `#1.` and the document, UTF-8, raw deflate, base64url. The number is the format's version: a link made today opens in
 * every later Portcullis, and an older one says that it cannot read a newer link instead of guessing.
 */

const VERSION = "1";

/** Longer links are cut by some mail programs and chats: the page then offers the file. */
export const LONGEST_LINK = 8000;

/** What a link may unpack to, in bytes: a few hundred bytes of deflate can hold gigabytes. */
const LARGEST_DOCUMENT = 4 << 20;

/** The outcome of reading a link. */
export type Opened = { document: string } | { problem: string };

/** The link to `document` on the page at `page`, whatever stood behind that address's `#`. */
export async function linkTo(document: string, page: string): Promise<string> {
  const packed = await pump(new TextEncoder().encode(document), new CompressionStream("deflate-raw"), Infinity);
  const url = new URL(page);
  url.hash = `${VERSION}.${toBase64Url(packed ?? new Uint8Array())}`;
  return url.href;
}

/** The document in an address's hash; `undefined` where the hash holds none. */
export async function openLink(hash: string): Promise<Opened | undefined> {
  // One that was cut off may have nothing behind its version.
  const match = /^#(\d+)(?:\.(.*))?$/s.exec(hash);
  if (!match) return undefined;
  const [, version, text = ""] = match;
  if (version !== VERSION) {
    return { problem: `This link is of version ${version}, and this page reads version ${VERSION}. Open it where it was made.` };
  }
  const packed = fromBase64Url(text);
  if (!packed) return { problem: "This link is damaged: it holds a character that no link holds. Copy it again, whole." };
  try {
    const bytes = await pump(packed, new DecompressionStream("deflate-raw"), LARGEST_DOCUMENT);
    if (!bytes) return { problem: "This link unpacks to more than 4 MB. Ask for the document as a file." };
    return { document: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch {
    return { problem: "This link is damaged: most often its end was cut off. Copy it again, whole." };
  }
}

/** All that `through` makes of `bytes`; `undefined` where it is more than `most`. */
async function pump(
  bytes: Uint8Array<ArrayBuffer>,
  through: CompressionStream | DecompressionStream,
  most: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const reader = new Blob([bytes]).stream().pipeThrough(through).getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > most) {
      await reader.cancel();
      return undefined;
    }
    chunks.push(value);
  }
  const all = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

function toBase64Url(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function fromBase64Url(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
  } catch {
    return undefined;
  }
}
