/**
 * The documentation site: `docs/*.md` and `examples/*.md` to HTML pages beside the page, at build time.
 *
 * An example is shown twice: live in a `<portcullis-playground>` as soon as that is in view, and below it as the story with its
 * stored output. The raw examples are copied, since the playgrounds load them.
 */

import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import MarkdownIt from "markdown-it";
import type { Plugin } from "vite";
import { inOrder } from "../web/order.ts";

const markdown = new MarkdownIt({ html: false, linkify: false });
// What is wider than the page scrolls, and a keyboard must get there.
for (const name of ["fence", "code_block"]) {
  const draw = markdown.renderer.rules[name];
  if (draw) markdown.renderer.rules[name] = (...given) => draw(...given).replace("<pre>", '<pre tabindex="0">');
}

type Text = { name: string; title: string; lead: string; rest: string; source: string };

/** Emits `docs/*.html` with their style and icon, and `examples/*.md`. */
export function docs(root: string): Plugin {
  return {
    name: "portcullis-docs",
    apply: "build",
    generateBundle() {
      const examples = texts(join(root, "examples")).sort((a, b) => inOrder(a.name, b.name));
      const pages = texts(join(root, "docs"));
      const menu = [...pages.filter((page) => page.name === "index"), ...examples, ...pages.filter((page) => page.name !== "index")];
      const emit = (fileName: string, source: string) => this.emitFile({ type: "asset", fileName, source });
      for (const page of pages) emit(`docs/${page.name}.html`, html(page, menu, page.lead + page.rest));
      for (const example of examples) {
        emit(`examples/${example.name}.md`, example.source);
        const live = `<portcullis-playground src="../examples/${example.name}.md" view="verdicts" height="44rem"><p>The story runs here: change a line and watch the answers change.</p></portcullis-playground>\n`;
        emit(`docs/${example.name}.html`, html(example, menu, example.lead + live + example.rest));
      }
      emit("docs/docs.css", readFileSync(join(root, "docs/docs.css"), "utf8"));
      emit("docs/icon.svg", readFileSync(join(root, "web/icon.svg"), "utf8"));
    },
  };
}

/** The Markdown files of a folder, without front matter: heading and first paragraph, then the rest. */
function texts(folder: string): Text[] {
  return readdirSync(folder).filter((file) => file.endsWith(".md")).map((file) => {
    const source = readFileSync(join(folder, file), "utf8");
    const body = source.replace(/^---\n.*?\n---\n/s, "");
    const tokens = markdown.parse(body, {});
    const end = tokens.findIndex((token) => token.type === "paragraph_close") + 1;
    const title = tokens.find((token) => token.type === "inline")?.content ?? file;
    const render = (part: typeof tokens) => markdown.renderer.render(part, markdown.options, {});
    return { name: basename(file, ".md"), title, lead: render(tokens.slice(0, end)), rest: render(tokens.slice(end)), source };
  });
}

function html(page: Text, menu: Text[], body: string): string {
  const item = (entry: Text) =>
    `<li><a href="./${entry.name}.html"${entry === page ? ' aria-current="page"' : ""}>${markdown.utils.escapeHtml(entry.title)}</a></li>`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'">
<title>${markdown.utils.escapeHtml(page.title)} · Portcullis</title>
<link rel="icon" href="./icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="./docs.css">
<script type="module" src="../embed.js"></script>
</head>
<body>
<nav aria-label="Documentation"><a href="../">Portcullis</a><button type="button" popovertarget="menu">Contents</button><ul id="menu" popover>
${menu.map(item).join("\n")}
</ul></nav>
<main>
${body}
</main>
</body>
</html>
`;
}
