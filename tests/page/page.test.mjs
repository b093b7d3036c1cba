import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { test } from "node:test";
import { fence, openDocument, retype, url, visit } from "./browser.mjs";

const role = (verbs) => `apiVersion: rbac.authorization.k8s.io/v1beta1
kind: ClusterRole
metadata: {name: reader}
rules:
- apiGroups: [""]
  resources: [pods]
  verbs: [${verbs}]
---
apiVersion: rbac.authorization.k8s.io/v1beta1
kind: ClusterRoleBinding
metadata: {name: readers}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reader}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: jane}`;

const document = (verbs, ...commands) =>
  fence("yaml", "cluster.yaml", role(verbs)) + fence("text", "jane.crt", "Subject: CN=jane") + fence("sh", "", commands.join("\n"));

const listPods = "curl -k --cert jane.crt --key jane.crt https://apiserver:6443/api/v1/pods";

test("the page opens with an example and its verdicts", () =>
  visit({}, async (page) => {
    await page.goto(url);
    await page.getByRole("heading", { name: /^[✓✗] (Allowed|Denied|Yes|No)\./ }).waitFor();
    assert.ok((await page.getByRole("combobox", { name: "Document" }).locator("option").count()) >= 2);
    await page.getByText(/\d+ requests? in [\d.]+ ms/).waitFor();
  }));

test("a verdict turns when the manifest is edited, and turns back", () =>
  visit({}, async (page) => {
    await openDocument(page, document("get", listPods));
    await page.getByRole("heading", { name: "✗ Denied. jane may not list pods in all namespaces." }).waitFor();
    await page.locator(".cm-signs").getByText("✗ 403").waitFor();
    await retype(page, "cluster.yaml", role("get, list"));
    await page.getByRole("heading", { name: /^✓ Allowed\. jane/ }).waitFor();
    await page.locator(".cm-signs").getByText("✓ 200").waitFor();
    await page.getByRole("status").filter({ hasText: /^Request 1: Allowed\./ }).waitFor({ state: "attached" });
    await retype(page, "cluster.yaml", role("watch"));
    await page.getByRole("heading", { name: /^✗ Denied\./ }).waitFor();
  }));

test("why leads to the line that decided", () =>
  visit({}, async (page) => {
    await openDocument(page, document("get", listPods));
    await page.getByRole("heading", { name: /^✗ Denied\./ }).waitFor();
    const row = page.getByRole("row").filter({ hasText: "verb" }).filter({ hasText: "reader" });
    // Another file is in front: the link brings the right one back.
    await page.getByRole("tab", { name: "jane.crt" }).click();
    await row.getByRole("button", { name: "cluster.yaml:5" }).click();
    const editor = page.getByRole("textbox", { name: "cluster.yaml" });
    await editor.locator(".cm-here").first().waitFor();
    assert.deepEqual(await editor.locator(".cm-here").allTextContents(), ['- apiGroups: [""]nearest miss: verb', "  resources: [pods]", "  verbs: [get]"]);
    assert.equal(await page.evaluate(() => document.activeElement?.shadowRoot?.activeElement?.getAttribute("aria-label")), "cluster.yaml");
  }));

test("each stop of a request opens to what it did", () =>
  visit({}, async (page) => {
    await openDocument(page, document("list", listPods));
    await page.getByRole("heading", { name: /^✓ Allowed\./ }).waitFor();
    await page.getByRole("button", { name: "Who" }).click();
    await page.getByRole("row", { name: /groups.*system:authenticated/ }).waitFor();
    await page.getByRole("button", { name: "RBAC" }).click();
    await page.getByRole("row", { name: /readers/ }).waitFor();
    await page.getByRole("button", { name: "Response" }).click();
    await page.getByText(/"kind":\s*"PodList"/).first().waitFor();
  }));

test("the cursor in the requests chooses what is shown", () =>
  visit({}, async (page) => {
    await openDocument(page, document("get", "kubectl get pods", "kubectl get secrets", "kubectl get configmaps"));
    await page.getByText("3 of 3").waitFor();
    await page.getByRole("textbox", { name: "Requests" }).getByText("secrets").click();
    await page.getByText("2 of 3").waitFor();
    await page.getByRole("button", { name: "Previous request" }).click();
    await page.getByText("1 of 3").waitFor();
    await page.getByRole("button", { name: "Next request" }).click();
    await page.getByText("2 of 3").waitFor();
  }));

test("a newcomer's request has its answer without another control", () =>
  visit({}, async (page) => {
    await openDocument(page, fence("yaml", "cluster.yaml", "") + fence("sh", "", ""));
    await page.getByRole("heading", { name: "Ask something." }).waitFor();
    await retype(page, "cluster.yaml", role("list"));
    await retype(page, "Requests", "kubectl auth can-i list pods --as jane\nkubectl auth can-i delete pods --as jane");
    await page.locator(".cm-signs").getByText("✓ yes").waitFor();
    await page.locator(".cm-signs").getByText("✗ no").waitFor();
    await page.getByRole("heading", { name: "✗ No. jane may not delete pods in namespace default." }).waitFor();
    await page.getByRole("row", { name: /verb.*reader.*cluster\.yaml/ }).waitFor();
  }));

test("what is wrong is marked where it stands, and hides nothing else", () =>
  visit({}, async (page) => {
    await openDocument(page, document("list", listPods));
    await page.getByRole("heading", { name: /^✓ Allowed\./ }).waitFor();
    await retype(page, "cluster.yaml", `${role("list")}\n---\nkind: [`);
    await page.getByRole("list", { name: "Problems" }).getByRole("button", { name: /^cluster\.yaml:1[4-6]$/ }).waitFor();
    await page.getByRole("textbox", { name: "cluster.yaml" }).waitFor();
    await page.locator(".cm-lint-marker-error").first().waitFor();
    await page.getByRole("heading", { name: /^✓ Allowed\./ }).waitFor();
  }));

test("HTML in a name is text", () =>
  visit({}, async (page) => {
    const name = `<img src=x onerror="document.title='caught'"><b>jane</b>`;
    await openDocument(page, fence("sh", "", `kubectl get pods --as '${name}'\ncurl -k "https://apiserver:6443/api/v1/<b>x</b>"`));
    await page.getByRole("heading", { name: "<b>jane</b>" }).waitFor();
    assert.equal(await page.locator("main img, main b >> text=jane").count(), 0);
    assert.equal(await page.title(), "Portcullis");
  }));

test("what is typed survives a reload, until it is forgotten", () =>
  visit({}, async (page) => {
    await page.goto(url);
    await page.getByRole("heading", { name: /^[✓✗]/ }).waitFor();
    await retype(page, "Requests", "kubectl get nodes --as kept");
    await page.getByRole("heading", { name: /kept may not list nodes/ }).waitFor();
    await page.waitForFunction(() => localStorage.getItem("portcullis.document")?.includes("kept"));
    await page.reload();
    await page.getByRole("heading", { name: /kept may not list nodes/ }).waitFor();
    await page.getByText("Emulates kube-apiserver").click();
    await page.getByRole("button", { name: "Forget it" }).click();
    assert.equal(await page.evaluate(() => localStorage.getItem("portcullis.document")), null);
  }));

test("an engine that dies is replaced, and the text stays", () =>
  visit({}, async (page) => {
    // The worker of this page answers nothing and falls at the word "boom".
    await page.route("**/worker-*.js", async (route) => {
      const original = await (await route.fetch()).text();
      const trap = `addEventListener("message", ({ data }) => { if (data.document.includes("boom")) { postMessage({ kind: "failed", message: "unreachable" }); throw 0; } });\n`;
      await route.fulfill({ contentType: "text/javascript", body: original.replace(/;/, () => `;${trap}`) });
    });
    await openDocument(page, document("get", listPods));
    await page.getByRole("heading", { name: /^✗ Denied\./ }).waitFor();
    await retype(page, "Requests", "echo boom");
    await page.getByText(/The engine stopped .* started again/).waitFor();
    assert.match(await page.getByRole("textbox", { name: "Requests" }).textContent(), /echo boom/);
    await retype(page, "Requests", "kubectl get nodes --as jane");
    await page.getByRole("heading", { name: /jane may not list nodes/ }).waitFor();
  }).catch((error) => {
    // The trap's own exception is the only complaint.
    if (!/^error: |Uncaught/m.test(String(error.actual?.join("\n"))) || error.actual.length > 1) throw error;
  }));

test("the keyboard gets in and out of the editors", () =>
  visit({}, async (page) => {
    await openDocument(page, document("get", listPods));
    await page.getByRole("heading", { name: /^✗ Denied\./ }).waitFor();
    await page.getByRole("tab", { name: "cluster.yaml" }).focus();
    await page.keyboard.press("ArrowRight");
    assert.equal(await page.getByRole("tab", { selected: true }).first().textContent(), "jane.crt");
    await page.getByRole("textbox", { name: "jane.crt" }).focus();
    const inside = () => page.evaluate(() => document.activeElement?.shadowRoot?.activeElement?.getAttribute("aria-label") ?? "");
    await page.keyboard.press("Tab");
    assert.equal(await inside(), "jane.crt", "Tab indents");
    await page.keyboard.press("Escape");
    await page.keyboard.press("Tab");
    assert.notEqual(await inside(), "jane.crt", "Escape and Tab leave");
  }));

test("the page works with the network cut after it has loaded", () =>
  visit({}, async (page, { context }) => {
    await openDocument(page, document("get", listPods));
    await page.getByRole("heading", { name: /^✗ Denied\./ }).waitFor();
    await context.setOffline(true);
    await retype(page, "cluster.yaml", role("list"));
    await page.getByRole("heading", { name: /^✓ Allowed\./ }).waitFor();
  }));

for (const [name, options] of [
  ["light", { colorScheme: "light" }],
  ["dark", { colorScheme: "dark" }],
  ["phone", { colorScheme: "light", viewport: { width: 390, height: 844 } }],
]) {
  test(`a picture of the page: ${name}`, () =>
    visit(options, async (page) => {
      await page.goto(url);
      await page.getByRole("heading", { name: /^[✓✗]/ }).waitFor();
      const wide = await page.evaluate(() => window.document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `nothing stands out at the side (${wide} px)`);
      mkdirSync("target/screenshots", { recursive: true });
      await page.screenshot({ path: `target/screenshots/${name}.png`, fullPage: name === "phone" });
    }));
}
