/** What is kept for the next visit, whatever the address says, and what the page says where nothing is. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { fence, retype, url, visit } from "./browser.mjs";

const LINK = "#1.RcsxDoMwDAXQ3af4Ql1dqVMlFo7BGjdYIsXECJuht6869e2PmSlbmo6YV8cuH1iLxOFLTHSqqYSOGB7350DMTFRKqd7DTemG7XppTYNcuaJK5_bvYJbAW7pS91-jLw";

const verdict = (page, name = /^[✓✗]/) => page.getByRole("heading", { name }).first().waitFor();
const choose = (page, title) => page.getByRole("combobox", { name: "Document" }).selectOption(title);
const keeps = (page, text) => page.waitForFunction((text) => localStorage.getItem("portcullis.document")?.includes(text), text);

/** Asks as a user of one's own, and waits until that is kept. */
async function ask(page, user) {
  await retype(page, "Requests", `kubectl get nodes --as ${user}`);
  await verdict(page, new RegExp(`${user} may not list nodes`));
  await keeps(page, user);
}

test("what is typed survives a reload, until it is forgotten", () =>
  visit({}, async (page) => {
    await page.goto(url);
    await verdict(page);
    await ask(page, "kept");
    await page.reload();
    await verdict(page, /kept may not list nodes/);
    await page.getByText("Emulates kube-apiserver").click();
    await page.getByRole("button", { name: "Forget it" }).click();
    assert.equal(await page.evaluate(() => localStorage.getItem("portcullis.document")), null);
  }));

const noClipboard = (page) => page.addInitScript(() => (navigator.clipboard.writeText = () => Promise.reject(new Error("none"))));

async function openLink(page) {
  await page.goto(url + LINK);
  await verdict(page, /jane may not list pods/);
}

// How a link comes into the address, and what is done then.
for (const [name, before, now, after] of [
  ["a link, edited, survives a reload", openLink, (page) => ask(page, "later"), /later may not list nodes/],
  ["an example that is chosen after a link survives a reload", openLink, (page) => choose(page, "Which node reads which secret"), /Secret/],
  [
    "what is typed after it was shared survives a reload",
    async (page) => {
      await noClipboard(page);
      await page.goto(url);
      await verdict(page);
      await choose(page, "Blank document");
      await ask(page, "shared");
      await page.getByRole("button", { name: "Share" }).click();
      await page.getByText(/^The link stands in the address bar/).waitFor();
      // Nothing was typed since: the address holds the same.
      await page.reload();
      await verdict(page, /shared may not list nodes/);
    },
    (page) => ask(page, "later"),
    /later may not list nodes/,
  ],
]) {
  test(name, () =>
    visit({}, async (page) => {
      await before(page);
      assert.match(page.url(), /#1\./);
      await now(page);
      await verdict(page, after);
      await page.reload();
      await verdict(page, after);
    }));
}

test("what was shared without its secrets has them after a reload", () =>
  visit({ permissions: ["clipboard-read", "clipboard-write"] }, async (page) => {
    await page.goto(url);
    await verdict(page);
    await choose(page, "Blank document");
    await retype(page, "cluster.yaml", "kind: Secret\napiVersion: v1\nmetadata: {name: db}\ndata: {password: c2VzYW1l}");
    await keeps(page, "c2VzYW1l");
    await page.getByRole("button", { name: "Share" }).click();
    await page.getByRole("button", { name: "Copy without the secrets" }).click();
    await page.getByText(/^The link is copied/).waitFor();
    assert.match(await page.evaluate(() => navigator.clipboard.readText()), /#1\./);
    await page.reload();
    await page.getByRole("textbox", { name: "cluster.yaml" }).getByText("c2VzYW1l").waitFor();
  }));

test("a link that is pasted into an open page opens there, and what was there can be had back", () =>
  visit({}, async (page) => {
    await page.goto(url);
    await verdict(page);
    await ask(page, "own");
    await openLink(page);
    await page.getByRole("button", { name: "Put back what was there" }).click();
    await verdict(page, /own may not list nodes/);
    await page.goto(`${url}#1.a b`);
    await page.getByText(/^This link is damaged/).waitFor();
    await verdict(page, /own may not list nodes/);
  }));

const noRoom = (page) => page.getByText(/^This browser has no room to keep the document/);

test("a document that is too large to be kept says so, and the one before stays", () =>
  visit({}, async (page) => {
    await page.goto(url);
    await verdict(page);
    await choose(page, "Blank document");
    await ask(page, "yesterday");
    await retype(page, "cluster.yaml", `# ${"large ".repeat(170_000)}`);
    await noRoom(page).waitFor();
    await page.reload();
    await verdict(page, /yesterday may not list nodes/);
  }));

test("where there is no room to keep anything, that is said once", () =>
  visit({}, async (page) => {
    await page.addInitScript(() => {
      window.tries = 0;
      Storage.prototype.setItem = () => {
        window.tries += 1;
        throw new DOMException("no room", "QuotaExceededError");
      };
    });
    await page.goto(url);
    await verdict(page);
    await retype(page, "Requests", "kubectl get nodes --as one");
    await noRoom(page).waitFor();
    await page.getByRole("button", { name: "Dismiss" }).click();
    await retype(page, "Requests", "kubectl get nodes --as two");
    await page.waitForFunction(() => window.tries === 2);
    assert.equal(await noRoom(page).count(), 0);
  }));

test("where a browser forbids the page to keep anything, it works", () =>
  visit({}, async (page) => {
    await page.addInitScript(() =>
      Object.defineProperty(window, "localStorage", {
        get() {
          throw new DOMException("forbidden", "SecurityError");
        },
      }),
    );
    await page.goto(url);
    await verdict(page);
    await retype(page, "Requests", "kubectl get nodes --as one");
    await verdict(page, /one may not list nodes/);
    await noRoom(page).waitFor();
    await page.getByText("Emulates kube-apiserver").click();
    await page.getByRole("button", { name: "Forget it" }).click();
    await page.getByText(/^Forgotten\./).waitFor();
  }));

test("the reader's own document waits while others are looked at, also until the next visit", () =>
  visit({}, async (page) => {
    await page.goto(url);
    await verdict(page);
    const mine = () => verdict(page, /mine may not list nodes/);
    const back = () => page.getByRole("button", { name: "Put back what was there" }).click();
    await ask(page, "mine");
    await choose(page, "Which node reads which secret");
    await choose(page, "What etcd holds, byte by byte");
    await back();
    await mine();
    // In the menu too, and after a reload.
    await choose(page, "Which node reads which secret");
    await page.getByRole("button", { name: "Dismiss" }).click();
    await page.reload();
    await verdict(page, /Secret/);
    await choose(page, "Your document");
    await mine();
    assert.equal(await page.evaluate(() => localStorage.getItem("portcullis.aside")), null);
    // Somebody's link, which is typed in.
    await page.goto("about:blank");
    await page.goto(url + LINK);
    await verdict(page, /jane may not list pods/);
    await page.getByText("Yours is put aside.").waitFor();
    await ask(page, "theirs");
    await back();
    await mine();
  }));

test("what is typed right before the page is left is there again", () =>
  visit({}, async (page) => {
    await page.goto(url);
    await verdict(page);
    await retype(page, "Requests", "kubectl get nodes --as hasty");
    await page.reload();
    await verdict(page, /hasty may not list nodes/);
  }));
