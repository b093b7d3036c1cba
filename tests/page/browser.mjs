/** A real browser on the built page, with an eye on all that it must never do. */

import assert from "node:assert/strict";
import { chromium } from "playwright-core";

export const url = process.env.PAGE_URL;
assert.ok(url, "PAGE_URL names the page: run `cargo xtask test page`");

const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-dev-shm-usage",
];

export const launch = () => chromium.launch({ executablePath: "/usr/bin/chromium", args: flags });

/** `test` gets a fresh page; afterwards no error, no violation of the policy and no request to elsewhere may be left. */
export async function visit(options, test) {
  const browser = await launch();
  try {
    const context = await browser.newContext({ viewport: { width: 1440, height: 820 }, ...options });
    const page = await context.newPage();
    const complaints = [];
    const requests = [];
    page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
    });
    context.on("request", (request) => requests.push(request.url()));
    await page.addInitScript(() => {
      document.addEventListener("securitypolicyviolation", (event) => console.error(`policy: ${event.violatedDirective}`));
    });
    await test(page, { context, requests, complaints });
    assert.deepEqual(complaints, []);
    assert.deepEqual(requests.filter((address) => !address.startsWith(url)), [], "nothing but the page's own files is asked for");
  } finally {
    await browser.close();
  }
}

/** How a module comes to its end, as the code of a function: it traps, or calls itself until its stack is full, which is another error. */
export const ENDS = { trap: [0], overflow: [16, 0] };

/**
 * A script that, run before others, has modules end in what they export: `ends` has the source of a condition on what is given
 * to it, by name.
 */
export const ending = (ends, code = ENDS.trap) => `{
  // A module of one function.
  const body = [0, ${code}, 11];
  const bytes = [0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 7, 5, 1, 1, 116, 0, 0, 10, body.length + 2, 1, body.length, ...body];
  const end = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(bytes))).exports.t;
  const { instantiate } = WebAssembly;
  WebAssembly.instantiate = async (module, imports) => {
    const { exports } = await instantiate(module, imports);
    const instance = { exports: { ...exports } };
    for (const [name, condition] of Object.entries({ ${Object.entries(ends).map(([name, condition]) => `${name}: ${condition}`)} })) {
      instance.exports[name] = (...given) => (condition(...given) ? end() : exports[name](...given));
    }
    return { module, instance };
  };
}
`;

/** Has a script run before a worker's own. */
export const inWorkers = (context, script) =>
  context.route(/\/worker-[^/]*\.js$/, async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: script + (await response.text()) });
  });

/** Waits until the page has all that it will ever load, and says so. */
export const complete = (page) => page.getByText("It works offline now.").waitFor({ state: "attached" });

/** Waits until the playgrounds of a page have no more engines than these: one that fell ends a little later. */
export async function engines(context, count) {
  const session = await context.browser().newBrowserCDPSession();
  for (let tries = 0; ; tries += 1) {
    const { targetInfos } = await session.send("Target.getTargets");
    const left = targetInfos.filter(({ type }) => type === "shared_worker").length;
    if (left === count) return;
    assert.ok(left > count && tries < 300, `${left} engines`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Opens the page with a document of our own. */
export async function openDocument(page, text) {
  // An empty tab has no storage.
  await page.addInitScript((text) => location.protocol === "about:" || localStorage.setItem("portcullis.document", text), text);
  await page.goto(url);
}

/** Replaces an editor's text as a person would: by selecting all and typing. */
export async function retype(page, editor, text) {
  await page.getByRole("textbox", { name: editor }).click();
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.insertText(text);
}

export const fence = (language, title, text) => `\`\`\`${language}${title && ` title="${title}"`}\n${text}\n\`\`\`\n\n`;
