// A dump of a real cluster: dropped on the page or opened, loaded with a bar, cancelled, refused.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fence, openDocument, retype, visit } from "./browser.mjs";

const directory = mkdtempSync(join(tmpdir(), "portcullis-dump-"));
after(() => rmSync(directory, { recursive: true }));

function file(name, text) {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

/** As `kubectl get clusterroles,rolebindings --all-namespaces -o yaml` prints them; the last of the users is jane. */
function dump(bindings) {
  const role =
    '- apiVersion: rbac.authorization.k8s.io/v1beta1\n  kind: ClusterRole\n  metadata:\n    name: reader\n  rules:\n  - apiGroups:\n    - ""\n' +
    "    resources:\n    - pods\n    verbs:\n    - list\n";
  const binding = (at) =>
    `- apiVersion: rbac.authorization.k8s.io/v1beta1\n  kind: RoleBinding\n  metadata:\n    name: binding-${at}\n    namespace: ns-${at}\n` +
    "  roleRef:\n    apiGroup: rbac.authorization.k8s.io\n    kind: ClusterRole\n    name: reader\n  subjects:\n" +
    `  - apiGroup: rbac.authorization.k8s.io\n    kind: User\n    name: ${at === bindings - 1 ? "jane" : `user-${at}`}\n`;
  return `apiVersion: v1\nitems:\n${role}${Array.from({ length: bindings }, (_, at) => binding(at)).join("")}kind: List\nmetadata: {}\n`;
}

const asked = fence("yaml", "cluster.yaml", "kind: Namespace\napiVersion: v1\nmetadata: {name: ns-1999}") + fence("sh", "", "kubectl auth can-i list pods -n ns-1999 --as jane");

const yes = (page) => page.getByRole("heading", { name: /^✓ Yes\. jane may list pods/ }).waitFor({ timeout: 60_000 });
const no = (page) => page.getByRole("heading", { name: /^✗ No\. jane may not list pods/ }).waitFor({ timeout: 60_000 });

test("a dump that is opened answers the requests at hand, and an edit of it too", () =>
  visit({}, async (page) => {
    await openDocument(page, asked);
    await no(page);
    await page.locator("#file").setInputFiles(file("dump.yaml", dump(2_000)));
    await yes(page);
    await page.getByRole("tab", { name: "dump.yaml" }).waitFor();
    assert.equal(await page.getByRole("progressbar").count(), 0);
    await page.getByRole("textbox", { name: "dump.yaml" }).click();
    await page.keyboard.press("ControlOrMeta+End");
    for (let up = 0; up < 3; up += 1) await page.keyboard.press("ArrowUp");
    await page.keyboard.press("End");
    await page.keyboard.insertText("t");
    await no(page);
    await page.keyboard.press("Backspace");
    await yes(page);
    await page.getByRole("button", { name: "Put back what was there" }).click();
    await no(page);
  }));

test("a file that is dropped is opened, and where it may be dropped shows", () =>
  visit({}, async (page) => {
    await openDocument(page, asked);
    await no(page);
    const files = await page.evaluateHandle((text) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([text], "cluster-dump", { type: "text/plain" }));
      return transfer;
    }, dump(2_000));
    await page.dispatchEvent("main", "dragenter", { dataTransfer: files });
    await page.getByText(/^Drop a document, a manifest or a dump/).waitFor();
    await page.dispatchEvent("main", "drop", { dataTransfer: files });
    await yes(page);
    assert.equal(await page.getByText(/^Drop a document/).isVisible(), false);
  }));

test("what is being loaded can be cancelled, and what was there comes back", () =>
  visit({}, async (page) => {
    await openDocument(page, asked);
    await no(page);
    await page.locator("#file").setInputFiles(file("large.yaml", dump(40_000)));
    const bar = page.getByRole("progressbar", { name: /^large\.yaml/ });
    await bar.waitFor();
    await page.waitForFunction(() => document.querySelector("progress")?.value > 0.1);
    // What is asked meanwhile waits, and goes with the engine.
    await page.getByRole("tab", { name: "Graph" }).click();
    await page.getByRole("button", { name: "Cancel" }).click();
    await bar.waitFor({ state: "detached" });
    await page.getByRole("heading", { name: "Nothing to draw." }).waitFor();
    await page.getByRole("tab", { name: "Verdict" }).click();
    await page.getByRole("tab", { name: "cluster.yaml" }).waitFor();
    assert.equal(await page.getByRole("tab", { name: "large.yaml" }).count(), 0);
    assert.equal(await page.locator("#notice").textContent(), "", "nothing says that it is open");
    // The engine is a new one, and answers.
    await retype(page, "Requests", "kubectl auth can-i list secrets -n ns-1999 --as jane");
    await page.getByRole("heading", { name: /^✗ No\. jane may not list secrets/ }).waitFor();
  }));

const choose = (page, title) => page.getByRole("combobox", { name: "Document" }).selectOption(title);

// While it is loaded: with a bar, or without one as a document of its own.
for (const [name, text, under] of [
  ["large.yaml", dump(40_000), (page) => page.waitForFunction(() => document.querySelector("progress")?.value > 0.1)],
  ["large.md", fence("yaml", "large.yaml", dump(40_000)) + fence("sh", "", "kubectl get nodes"), (page) => page.getByRole("tab", { name: "large.yaml" }).waitFor()],
]) {
  test(`an example that is chosen while ${name} is loaded opens as it always does`, () =>
    visit({}, async (page) => {
      await page.addInitScript(() => {
        window.ended = 0;
        const { terminate } = Worker.prototype;
        Worker.prototype.terminate = function () {
          window.ended += 1;
          terminate.call(this);
        };
      });
      await openDocument(page, asked);
      await no(page);
      await choose(page, "Which node reads which secret");
      await page.getByRole("heading", { name: /^✗ Denied/ }).waitFor();
      const selected = await page.getByText(/^\d+ of \d+$/).textContent();
      await page.getByRole("button", { name: "Put back what was there" }).click();
      await no(page);
      await page.locator("#file").setInputFiles(file(name, text));
      await under(page);
      await choose(page, "Which node reads which secret");
      assert.equal(await page.getByRole("progressbar").count(), 0);
      await page.getByText(selected, { exact: true }).waitFor({ timeout: 60_000 });
      await page.getByRole("heading", { name: /^✗ Denied/ }).waitFor();
      // What is no longer wanted is not loaded to its end.
      if (name === "large.yaml") await page.waitForFunction(() => window.ended === 1);
    }));
}

test("an empty file is opened like any other", () =>
  visit({}, async (page) => {
    await openDocument(page, asked);
    await no(page);
    await page.locator("#file").setInputFiles(file("empty.yaml", ""));
    await page.getByRole("tab", { name: "empty.yaml" }).waitFor();
    await page.getByRole("progressbar").waitFor({ state: "detached" });
  }));

// What one may do with a file before there is an engine to send it to.
for (const [name, act, after] of [
  [
    "edited",
    async (page) => {
      await page.getByRole("textbox", { name: "early.yaml" }).click();
      await page.keyboard.press("ControlOrMeta+Home");
      await page.keyboard.insertText("# edited\n");
    },
    yes,
  ],
  ["cancelled", (page) => page.getByRole("button", { name: "Cancel" }).click(), no],
]) {
  test(`a file that is ${name} before the engine is there`, () =>
    visit({}, async (page) => {
      let held;
      await page.route(/portcullis_wasm_bg[^/]*\.wasm$/, (route) => (held = route));
      await openDocument(page, asked);
      await page.locator("#file").setInputFiles(file("early.yaml", dump(2_000)));
      await page.getByRole("tab", { name: "early.yaml" }).waitFor();
      await act(page);
      while (!held) await page.waitForTimeout(20);
      await held.continue();
      await page.unroute(/portcullis_wasm_bg[^/]*\.wasm$/);
      await after(page);
      await page.getByRole("progressbar").waitFor({ state: "detached" });
    }));
}

test("what is too large or no text is refused with what to do", () =>
  visit({}, async (page) => {
    await openDocument(page, asked);
    await no(page);
    await page.locator("#file").setInputFiles(file("huge.yaml", Buffer.alloc(51 * 1024 * 1024, "a")));
    await page.getByText(/^huge\.yaml has 51 MB, and 50 MB are the most .* kubectl get clusterroles/).waitFor();
    await page.locator("#file").setInputFiles(file("picture.yaml", Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 0, 0xff, 0xfe])));
    await page.getByText(/^picture\.yaml cannot be opened: it is not text/).waitFor();
    await page.getByRole("tab", { name: "cluster.yaml" }).waitFor();
    await no(page);
  }));
