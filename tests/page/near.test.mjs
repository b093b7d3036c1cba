/** The engine in the page's own thread: it answers what is quick within the key that changed it, and whatever it cannot is the worker's. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ENDS, complete, ending, fence, inWorkers, openDocument, retype, url, visit } from "./browser.mjs";

/** How many documents the worker is asked about. */
const counted = (page) =>
  page.addInitScript(() => {
    window.asked = 0;
    const { postMessage } = Worker.prototype;
    Worker.prototype.postMessage = function (question, ...more) {
      window.asked += question.kind === "report";
      return postMessage.call(this, question, ...more);
    };
  });

const asked = (page) => page.evaluate(() => window.asked);

/** Types and takes back at the end of the requests, until the page's own engine answers. */
async function near(page) {
  await complete(page);
  await page.getByRole("textbox", { name: "Requests" }).click();
  await page.keyboard.press("ControlOrMeta+End");
  for (let tries = 0; ; tries += 1) {
    const before = await asked(page);
    await page.keyboard.press("x");
    await page.keyboard.press("Backspace");
    if ((await asked(page)) === before) return;
    assert.ok(tries < 50, "the worker is asked");
    await page.waitForTimeout(200);
  }
}

const document = (script) =>
  fence("yaml", "cluster.yaml", "kind: Namespace\napiVersion: v1\nmetadata:\n  name: one") + fence("sh", "", script);

const verdict = (page, name) => page.getByRole("heading", { name }).waitFor();

/** Opens a document that the page's own engine answers; how many the worker was asked about until then. */
async function opened(page) {
  await counted(page);
  await openDocument(page, document("kubectl get nodes --as jane"));
  await verdict(page, /jane may not list nodes/);
  await near(page);
  return asked(page);
}

/** The page's own engine, but not the worker's, ends at a word and when it is asked for the graph. */
const failing = (page, code) =>
  page.addInitScript(ending({ answer: '(pointer, length, document) => document.includes("boom")', graph: "() => true" }, code));

/** Where a document is slow, time goes on while it is run. */
const slow = `{
  let ahead = 0;
  const { performance } = globalThis;
  const now = performance.now.bind(performance);
  performance.now = () => now() + ahead;
  ${ending({ answer: '(pointer, length, document) => { if (document.includes("slow")) ahead += 1_000; }' })}
}
`;

test("what is quick is answered within the key, in all views, and the worker hears nothing of it", () =>
  visit({}, async (page) => {
    const before = await opened(page);
    // What stands there when the key's own task ends.
    await page.evaluate(() => {
      addEventListener("keydown", () => setTimeout(() => (window.seen = window.document.querySelector("#view-panels").textContent)), { once: true });
    });
    await page.keyboard.type("t");
    await verdict(page, /janet may not list nodes/);
    // A browser that is busy ends the key's task after that.
    await page.waitForFunction(() => window.seen !== undefined);
    assert.match(await page.evaluate(() => window.seen), /janet may not list nodes/);
    await page.getByRole("tab", { name: "etcd" }).click();
    await page.getByRole("button", { name: "/registry/namespaces/one" }).waitFor();
    await page.getByRole("textbox", { name: "cluster.yaml" }).click();
    await page.keyboard.press("ControlOrMeta+End");
    await page.keyboard.type("more");
    await page.getByRole("button", { name: "/registry/namespaces/onemore" }).waitFor();
    assert.equal(await asked(page), before);
  }));

test("what takes longer is given up and goes to the worker, until it is quick again", () =>
  visit({}, async (page, { context }) => {
    await page.addInitScript(slow);
    await inWorkers(context, slow);
    const before = await opened(page);
    await retype(page, "Requests", "kubectl get nodes --as slow");
    await verdict(page, /slow may not list nodes/);
    assert.equal(await asked(page), before + 1);
    await page.keyboard.type("er");
    await verdict(page, /slower may not list nodes/);
    assert.ok((await asked(page)) > before + 1);
    await retype(page, "Requests", "kubectl get nodes --as quick");
    await verdict(page, /quick may not list nodes/);
    await near(page);
    await page.keyboard.type("er");
    await verdict(page, /quicker may not list nodes/);
  }));

for (const [how, code] of Object.entries(ENDS)) {
  test(`one that ends leaves its document to the worker, and the page goes on without it: ${how}`, () =>
    visit({}, async (page) => {
      await failing(page, code);
      const before = await opened(page);
      await retype(page, "Requests", "kubectl get nodes --as boom");
      await verdict(page, /boom may not list nodes/);
      assert.equal(await asked(page), before + 1);
      await page.keyboard.type("s");
      await verdict(page, /booms may not list nodes/);
      assert.equal(await page.locator("#notice").textContent(), "");
    }));

  test(`one that ends when it is asked for more leaves that to the worker too: ${how}`, () =>
    visit({}, async (page) => {
      await failing(page, code);
      const before = await opened(page);
      await page.getByRole("tab", { name: "Graph" }).click();
      await verdict(page, "Nothing to draw.");
      assert.equal(await asked(page), before + 1);
    }));
}

test("an embedded page has none, also where its browser has no worker that pages share", () =>
  visit({}, async (page) => {
    await counted(page);
    await page.addInitScript(() => delete window.SharedWorker);
    await page.goto(`${url}?embed`);
    await verdict(page, /^[✓✗] /);
    await complete(page);
    await retype(page, "Requests", "kubectl get nodes --as guest");
    await verdict(page, /guest may not list nodes/);
    for (const name of ["guesth", "guesthe", "guesther", "guesthere"]) {
      const before = await asked(page);
      await page.keyboard.type(name.at(-1));
      await verdict(page, new RegExp(`${name} may not list nodes`));
      assert.equal(await asked(page), before + 1);
      // Where there is one, it is ready by then.
      await page.waitForTimeout(100);
    }
  }));
