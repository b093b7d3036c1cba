/** What comes of a worker that falls, hangs, is given up or never runs: what the page shows stays true, and nobody waits for good. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ENDS, complete, ending, engines, fence, inWorkers, openDocument, retype, url, visit } from "./browser.mjs";

const WHOLE = /portcullis_whole_bg[^/]*\.wasm$/;

/** The engine falls at one word, and hangs at another. */
const falling = (more = {}, code) =>
  ending({ answer: '(pointer, length, document) => { while (document.includes("hang")); return document.includes("boom"); }', ...more }, code);

const policy = "kind: Policy\napiVersion: audit.k8s.io/v1alpha1\nrules:\n- level: Metadata";

/** So long that it is always a worker's. */
const document =
  fence("yaml", "cluster.yaml", "kind: Namespace\napiVersion: v1\nmetadata:\n  name: one\n---\nkind: Pod\napiVersion: v1\nmetadata: {name: web, namespace: one}\nspec: {nodeName: n1}") +
  fence("yaml", "policy.yaml", policy) +
  fence("sh", "", "kubectl get nodes --as jane") +
  "prose ".repeat(10_000);

const tab = (place, name) => place.getByRole("tab", { name }).click();
const verdict = (place, name) => place.getByRole("heading", { name }).waitFor();
const stopped = (place, why = "unreachable") => place.getByText(`The engine stopped (${why}) and was started again.`).waitFor();

/** The playgrounds of a host that runs no script. */
async function embedded(page, context, ...titles) {
  const host = new URL("host.html", url).href;
  const frames = titles.map((title) => `<iframe title="${title}" width="1200" height="600" src="./?embed"></iframe>`);
  await context.route(host, (route) => route.fulfill({ contentType: "text/html", body: `<title>Host</title>${frames.join("")}` }));
  await page.goto(host);
  const all = titles.map((title) => page.frameLocator(`[title=${title}]`));
  for (const frame of all) await verdict(frame, /^[✓✗] (Allowed|Denied|Yes|No)\./);
  return all;
}

/** Types into one of several playgrounds. */
const type = (page, frame, text) => retype({ getByRole: (...given) => frame.getByRole(...given), keyboard: page.keyboard }, "Requests", text);

/** A browser that is not patient. */
const impatient = (page) =>
  page.addInitScript(() => {
    const { setTimeout } = window;
    window.setTimeout = (call, time, ...given) => setTimeout(call, time === 20_000 ? 3_000 : time, ...given);
  });

test("the views show what the verdict is about, after another document has felled the engine", () =>
  visit({}, async (page, { context }) => {
    await inWorkers(context, falling());
    await openDocument(page, document);
    await verdict(page, /jane may not list nodes/);
    await retype(page, "Requests", "echo boom");
    await stopped(page);
    await tab(page, "etcd");
    await page.getByRole("button", { name: "/registry/namespaces/one" }).waitFor();
    await tab(page, "Graph");
    await page.getByRole("combobox", { name: "Node" }).waitFor();
    await tab(page, "Audit");
    await page.getByRole("textbox", { name: "Requests that nobody sent" }).fill("kubectl get pod web -n one");
    await page.getByRole("status", { name: "What the policy would say" }).getByText("Metadata").waitFor();
    await tab(page, "Verdict");
    await verdict(page, /jane may not list nodes/);
  }));

test("and so do those of the other playgrounds", () =>
  visit({}, async (page, { context }) => {
    await inWorkers(context, falling());
    const [one, two] = await embedded(page, context, "one", "two");
    await type(page, two, "kubectl create namespace mine");
    await verdict(two, /namespaces/);
    await type(page, one, "echo boom");
    await stopped(one);
    await tab(two, "etcd");
    await two.getByRole("button", { name: "/registry/namespaces/mine" }).waitFor();
  }));

for (const [how, code] of Object.entries(ENDS)) {
  test(`an engine that falls over what a view asks says so there, and the others have theirs: ${how}`, () =>
    visit({}, async (page, { context }) => {
      await inWorkers(context, falling({ graph: "() => true" }, code));
      let workers = 0;
      page.on("worker", () => (workers += 1));
      await openDocument(page, document);
      await verdict(page, /jane may not list nodes/);
      await tab(page, "Graph");
      await page.getByText(/^The engine stopped over this/).waitFor();
      assert.equal(await page.locator("#notice").textContent(), "");
      await tab(page, "etcd");
      await page.getByRole("button", { name: "/registry/namespaces/one" }).waitFor();
      assert.equal(workers, 2);
    }));
}

test("what a view waits for comes, after a file was given up", () =>
  visit({}, async (page, { context }) => {
    await inWorkers(context, falling());
    await openDocument(page, document);
    await verdict(page, /jane may not list nodes/);
    await complete(page);
    const opened = async () => {
      await page.locator("#file").setInputFiles({ name: "own.yaml", mimeType: "text/yaml", buffer: Buffer.from(`# hang\n${"# long\n".repeat(10_000)}`) });
      await page.getByText(/^own\.yaml: reading the manifests/).waitFor();
    };
    const cancel = () => page.getByRole("button", { name: "Cancel" }).click();
    await opened();
    await tab(page, "etcd");
    await cancel();
    await page.getByRole("button", { name: "/registry/namespaces/one" }).waitFor();
    await tab(page, "Inspect");
    await opened();
    await page.getByRole("textbox", { name: "Dump", exact: true }).fill("aGVsbG8=");
    await cancel();
    await page.getByRole("heading", { name: /^✗ Not opened\. Decoding failed/ }).waitFor();
  }));

test("where no engine runs, whoever asks one is told", () =>
  visit({}, async (page, { complaints }) => {
    await page.route(/portcullis_wasm_bg[^/]*\.wasm$/, (route) => route.fulfill({ status: 404 }));
    await page.goto(url);
    const notice = page.locator("#notice").getByText("The engine cannot run here: its code came with status 404.");
    await notice.waitFor();
    await page.getByRole("button", { name: "Dismiss" }).click();
    await page.getByRole("button", { name: "Share" }).click();
    await notice.waitFor();
    for (const complaint of complaints.splice(0)) assert.match(complaint, /Failed to load resource/);
  }));

test("an engine that hangs when its whole is there is given up too", () =>
  visit({}, async (page, { context }) => {
    // The first part traps, and the whole is held up a little.
    await inWorkers(context, `let tries = 0; ${ending({ answer: '(pointer, length, document) => { if (document.includes("hang")) for (tries += 1; tries > 1;); return tries === 1; }' })}`);
    await impatient(page);
    let late = false;
    await page.route(WHOLE, async (route) => {
      // Longer than the page is patient.
      await new Promise((resolve) => setTimeout(resolve, 4_000));
      late = true;
      await route.continue();
    });
    await openDocument(page, fence("sh", "", "echo hang"));
    await stopped(page, "no answer for 20 seconds");
    assert.ok(late, "the network takes what it takes");
  }));

test("an engine that hangs over what a view asks is given up, and the document is asked again", () =>
  visit({}, async (page, { context }) => {
    await inWorkers(context, falling({ graph: "() => { for (;;); }" }));
    await impatient(page);
    await openDocument(page, document);
    await verdict(page, /jane may not list nodes/);
    await complete(page);
    await tab(page, "Graph");
    await retype(page, "Requests", "kubectl get nodes --as joe");
    await page.getByText(/^The engine stopped over this/).waitFor();
    await tab(page, "Verdict");
    await verdict(page, /joe may not list nodes/);
  }));

test("a playground that is gone leaves nothing in the engine, and is at home there when it comes back", () =>
  visit({}, async (page, { context }) => {
    // Says to whom it says that it is gone.
    const telling = `
      const { postMessage } = MessagePort.prototype;
      const told = new BroadcastChannel("told");
      MessagePort.prototype.postMessage = function (answer) {
        if (/gone|failed/.test(answer.kind)) told.postMessage(answer.kind);
        return postMessage.call(this, answer);
      };
    `;
    await inWorkers(context, telling + falling());
    const [one, two] = await embedded(page, context, "one", "two", "three");
    await page.evaluate(() => {
      window.told = [];
      new BroadcastChannel("told").onmessage = ({ data }) => window.told.push(data);
      window.document.querySelector("[title=three]").remove();
    });
    // As a browser has it that keeps a page for whoever goes back.
    const again = page.frames().find((frame) => frame.url().includes("?embed") && frame !== page.mainFrame());
    await again.evaluate(() => {
      dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true }));
      dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }));
    });
    await type(page, one, "kubectl create namespace back");
    await verdict(one, /namespaces/);
    await engines(context, 1);
    await type(page, two, "echo boom");
    await stopped(two);
    await tab(one, "etcd");
    await one.getByRole("button", { name: "/registry/namespaces/back" }).waitFor();
    assert.deepEqual((await page.evaluate(() => window.told)).sort(), ["failed", "gone"]);
  }));
