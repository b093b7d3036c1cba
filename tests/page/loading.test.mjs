/** How the page loads: verdicts with the first part of the wasm, the whole behind them, and nobody notices which was there. */

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { before, test } from "node:test";
import { deflateRawSync } from "node:zlib";
import { ENDS, complete, ending, engines, fence, inWorkers, openDocument, retype, url, visit } from "./browser.mjs";

const FIRST = /portcullis_wasm_bg[^/]*\.wasm$/;
const WHOLE = /portcullis_whole_bg[^/]*\.wasm$/;

const examples = readdirSync("examples").map((name) => ({ name, text: readFileSync(`examples/${name}`, "utf8") }));
const link = (text) => `#1.${deflateRawSync(text).toString("base64url")}`;

/** How many requests a document holds, by the package. */
let count;
before(async () => {
  const { initSync, answer } = await import("../../target/wasm-package/web/portcullis_wasm.js");
  initSync({ module: readFileSync("target/wasm-package/web/portcullis_wasm_bg.wasm") });
  count = (text) => answer("document.md", text).steps.length;
});

const verdict = (page) => page.getByRole("heading", { name: /^[✓✗] / }).first().waitFor();
const incomplete = (place) => place.getByText(/^The page was not loaded completely/).waitFor();
const choose = (page, title) => page.getByRole("combobox", { name: "Document" }).selectOption(title);

/** Holds requests up; what it gives lets the first one go, when it is there. */
async function holding(page, address) {
  let held;
  await page.route(address, (route) => (held = route));
  return async () => {
    for (let tries = 0; !held; tries += 1) {
      assert.ok(tries < 300, "nobody asks for it");
      await page.waitForTimeout(100);
    }
    await held.continue();
  };
}

/** What the browser says of a request that fails is what the test wants. */
function failed(complaints) {
  for (const complaint of complaints.splice(0)) assert.match(complaint, /Failed to load resource|ERR_FAILED|ERR_INTERNET_DISCONNECTED/);
}

test("nothing is loaded beside what the first verdicts need, and all of it behind them", () =>
  visit({}, async (page, { requests }) => {
    let early;
    await page.route(FIRST, async (route) => {
      await new Promise((resolve) => setTimeout(resolve, 500));
      early = requests.filter((address) => WHOLE.test(address) || /\/(graph|etcd|audit|access|inspect)-/.test(address));
      await route.continue();
    });
    await page.goto(url);
    await verdict(page);
    assert.deepEqual(early, []);
    await complete(page);
    assert.equal(requests.filter((address) => WHOLE.test(address)).length, 1);
  }));

test("without the whole there are verdicts, and what needs it says so until it is there", () =>
  visit({}, async (page, { complaints }) => {
    await page.route(WHOLE, (route) => route.abort());
    await page.goto(url);
    await verdict(page);
    await page.getByRole("tab", { name: "Graph" }).click();
    await incomplete(page.locator("#view-panels"));
    await page.getByRole("button", { name: "Share" }).click();
    await incomplete(page.locator("#notice"));
    await page.getByRole("button", { name: "Dismiss" }).click();
    // A document that needs more, of which the text stays.
    await choose(page, "Which node reads which secret");
    await incomplete(page.locator("#notice"));
    await page.getByRole("textbox", { name: "Requests" }).getByText("kubectl get").first().waitFor();
    await page.unroute(WHOLE);
    await retype(page, "Requests", "kubectl get nodes --as jane");
    await page.getByRole("combobox", { name: "Node" }).waitFor();
    await page.getByRole("tab", { name: "Verdict" }).click();
    await page.getByRole("heading", { name: /^✗ Denied\. jane may not list nodes/ }).waitFor();
    await complete(page);
    failed(complaints);
  }));

test("with the network cut before the whole is there, the engine comes back with it", () =>
  visit({}, async (page, { context, complaints }) => {
    await page.route(WHOLE, (route) => route.abort());
    await page.goto(url);
    await verdict(page);
    await context.setOffline(true);
    await choose(page, "Which node reads which secret");
    await incomplete(page.locator("#notice"));
    await context.setOffline(false);
    await page.unroute(WHOLE);
    await retype(page, "Requests", "kubectl get nodes --as jane");
    await page.getByRole("heading", { name: /^✗ Denied\. jane may not list nodes/ }).waitFor();
    await complete(page);
    failed(complaints);
  }));

test("each example is answered as the first document, whatever it needs", async () => {
  for (const { name, text } of examples) {
    await visit({}, async (page, { requests }) => {
      // Until somebody asks for the whole, a document that needs it waits.
      let asked;
      await page.route(WHOLE, async (route) => {
        asked ??= await page.locator("#timing").textContent();
        await route.continue();
      });
      await page.goto(`${url}${link(text)}`);
      await page.getByText(new RegExp(`^\\d+ of ${count(text)}$`)).waitFor();
      await page.getByText(/\d+ requests? in [\d.]+ ms/).waitFor();
      await complete(page);
      assert.equal(await page.locator("#notice").textContent(), "", name);
      assert.equal(requests.filter((address) => WHOLE.test(address)).length, 1, name);
      if (name === "encryption.md") assert.equal(asked, "", "it needed more than the first part");
    });
  }
});

test("who is at work in the requests before the first answer keeps the selection", () =>
  visit({}, async (page) => {
    const release = await holding(page, FIRST);
    await page.goto(url);
    await page.getByRole("textbox", { name: "Requests" }).click();
    await page.keyboard.press("ControlOrMeta+a");
    await release();
    await verdict(page);
    await page.keyboard.insertText("kubectl get nodes --as early");
    await page.getByRole("heading", { name: /early may not list nodes/ }).waitFor();
    assert.equal(await page.getByRole("textbox", { name: "Requests" }).textContent(), "kubectl get nodes --as early");
  }));

test("what is asked before the whole is there waits for it", () =>
  visit({}, async (page) => {
    const release = await holding(page, WHOLE);
    await openDocument(page, readFileSync("examples/rbac.md", "utf8"));
    await verdict(page);
    await page.getByRole("tab", { name: "Graph" }).click();
    await page.getByRole("button", { name: "Share" }).click();
    await choose(page, "Which node reads which secret");
    await page.getByRole("textbox", { name: "Requests" }).getByText("kubectl get").first().waitFor();
    await release();
    await page.getByRole("heading", { name: /^[✓✗] (Reached|No path)/ }).waitFor();
    await page.getByText(/^The link would hold .*Secret\/shop\/payment/).waitFor();
  }));

test("a document that fills the first part's stack is the whole's too", () =>
  visit({}, async (page, { context }) => {
    const once = '(pointer, length, document) => document.includes("deep") && (globalThis.runs = (globalThis.runs ?? 0) + 1) === 1';
    await inWorkers(context, ending({ answer: once }, ENDS.overflow));
    await openDocument(page, fence("sh", "", "kubectl get nodes --as deep"));
    await page.getByRole("heading", { name: /deep may not list nodes/ }).waitFor();
    assert.equal(await page.locator("#notice").textContent(), "");
  }));

test("playgrounds that share an engine share the whole too", () =>
  visit({ viewport: { width: 1440, height: 1800 } }, async (page, { context }) => {
    const host = new URL("host.html", url).href;
    const frames = examples.map(({ name, text }) => `<iframe title="${name}" width="700" height="400" src="./?embed${link(text)}"></iframe>`);
    await context.route(host, (route) => route.fulfill({ contentType: "text/html", body: `<title>Host</title>${frames.join("")}` }));
    await page.goto(host);
    for (const { name, text } of examples) {
      const frame = page.frameLocator(`[title="${name}"]`);
      await frame.getByText(new RegExp(`^\\d+ of ${count(text)}$`)).waitFor();
      await complete(frame);
      assert.equal(await frame.locator("#notice").textContent(), "", name);
    }
    await engines(context, 1);
    assert.equal(page.workers().length, 0);
    // Each still has its own document.
    const node = page.frameLocator('[title="node.md"]');
    await node.getByRole("tab", { name: "Graph" }).click();
    await node.getByRole("heading", { name: /^[✓✗] (Reached|No path)/ }).waitFor();
    const encryption = page.frameLocator('[title="encryption.md"]');
    await encryption.getByRole("tab", { name: "etcd" }).click();
    await encryption.getByRole("button", { name: /^\/registry\/secrets/ }).first().waitFor();
  }));
