/**
 * `<portcullis-playground>`: a live document in somebody else's documentation.
 *
 *     <script type="module" src="https://.../embed.js"></script>
 *     <portcullis-playground src="rbac.md" view="verdicts" height="32rem"></portcullis-playground>
 *
 * As a module from another origin it is loaded only if its server sends `Access-Control-Allow-Origin`.
 *
 * `src` is a document on the host's own site; without it the element's text is the document. Its children, most often the
 * document as the host rendered it with its stored output, stay until the playground is there. That comes in an iframe of
 * the page itself, so that no style leaks in or out, when the element comes near the visible part of the host's page.
 */

/** What the host's page sends into the iframe. */
export type ToPlayground = {
  portcullis: 1;
  /** The Markdown document. */
  document: string;
  /** The view that the host wants shown. */
  view: string;
  /** The host's colour scheme, as CSS spells it. */
  colorScheme: string;
};

/** What the iframe sends back: that it listens. */
export type FromPlayground = { portcullis: 1; ready: true };

const page = new URL("./index.html", import.meta.url);

const dark = matchMedia("(prefers-color-scheme: dark)");

class Playground extends HTMLElement {
  static observedAttributes = ["src", "view"];

  #frame: HTMLIFrameElement | undefined;
  #nearby: IntersectionObserver | undefined;
  #listening = false;
  /** The document of a `src`: asked for once. */
  #loaded: { src: string; text: Promise<string | Error> } | undefined;
  /** The colour scheme that the playground knows. */
  #scheme = "";
  /** A host that changes its colours does so by an attribute of its root, most often. */
  readonly #colours = new MutationObserver(() => {
    if (getComputedStyle(this).colorScheme !== this.#scheme) void this.#send();
  });

  connectedCallback(): void {
    this.style.display ||= "block";
    // A shadow root hides the children without removing them: their text may be the document. Its slot shows them.
    (this.shadowRoot ?? this.attachShadow({ mode: "open" })).replaceChildren(document.createElement("slot"));
    this.#nearby = new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) this.#open();
    }, { rootMargin: "200px" });
    this.#nearby.observe(this);
    window.addEventListener("message", this.#hear);
    dark.addEventListener("change", this.#send);
    for (const root of [document.documentElement, document.body]) this.#colours.observe(root, { attributes: true });
  }

  disconnectedCallback(): void {
    this.#nearby?.disconnect();
    window.removeEventListener("message", this.#hear);
    dark.removeEventListener("change", this.#send);
    this.#colours.disconnect();
    this.shadowRoot?.replaceChildren();
    this.#frame = undefined;
    this.#listening = false;
  }

  attributeChangedCallback(): void {
    if (this.#frame) void this.#send();
  }

  #open(): void {
    this.#nearby?.disconnect();
    if (this.#frame) return;
    const frame = document.createElement("iframe");
    const address = new URL(page);
    address.search = new URLSearchParams({ embed: "element", view: this.#view }).toString();
    frame.src = address.href;
    frame.title = this.getAttribute("title") ?? "Portcullis playground";
    frame.allow = "clipboard-write";
    frame.style.cssText = `width:100%;vertical-align:top;border:0;height:${this.getAttribute("height") ?? "32rem"}`;
    this.#frame = frame;
    this.shadowRoot?.append(frame);
  }

  get #view(): string {
    return this.getAttribute("view") ?? "verdicts";
  }

  #hear = (event: MessageEvent<FromPlayground>): void => {
    if (!this.#frame || event.source !== this.#frame.contentWindow || event.origin !== page.origin) return;
    if (event.data?.portcullis !== 1) return;
    this.#listening = true;
    void this.#send();
  };

  #send = async (): Promise<void> => {
    if (!this.#listening) return;
    const src = this.getAttribute("src");
    if (src && this.#loaded?.src !== src) this.#loaded = { src, text: this.#fetch(src) };
    const text = src && this.#loaded ? await this.#loaded.text : dedent(this.textContent ?? "");
    // Another is wanted meanwhile, and on its way.
    if (src !== this.getAttribute("src") || !this.#frame) return;
    if (text instanceof Error) return this.#fail(text.message);
    this.#present(true);
    this.#scheme = getComputedStyle(this).colorScheme;
    const message: ToPlayground = {
      portcullis: 1,
      document: text,
      view: this.#view,
      colorScheme: this.#scheme,
    };
    this.#frame.contentWindow?.postMessage(message, page.origin);
  };

  /** Without a document there is nothing to play with: what the host rendered stays, or is back. */
  #fail(why: string): void {
    const problem = document.createElement("p");
    problem.role = "status";
    problem.textContent = why;
    this.#present(false, document.createElement("slot"), problem);
  }

  /** Shows the playground or not, and nothing else but this. A frame that is moved begins anew, so it stays where it is. */
  #present(playground: boolean, ...others: HTMLElement[]): void {
    if (this.#frame) this.#frame.hidden = !playground;
    this.shadowRoot?.querySelectorAll("p, slot").forEach((old) => old.remove());
    this.shadowRoot?.prepend(...others);
  }

  async #fetch(src: string): Promise<string | Error> {
    try {
      const response = await fetch(new URL(src, document.baseURI));
      if (response.ok) return await response.text();
      return new Error(`The document ${src} could not be loaded: its server answered ${response.status}.`);
    } catch {
      return new Error(`The document ${src} could not be loaded: its server did not answer.`);
    }
  }
}

/** Inline text without the indentation that HTML around it gave it. */
function dedent(text: string): string {
  const lines = text.replace(/^\s*\n/, "").trimEnd().split("\n");
  const depths = lines.filter((line) => line.trim()).map((line) => line.length - line.trimStart().length);
  const depth = Math.min(...depths, Infinity);
  return `${lines.map((line) => line.slice(Number.isFinite(depth) ? depth : 0)).join("\n")}\n`;
}

if (!customElements.get("portcullis-playground")) customElements.define("portcullis-playground", Playground);
