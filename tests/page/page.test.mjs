import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { complete, fence, openDocument, retype, url, visit } from "./browser.mjs";

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

test("what a keystroke does not change stays as it is drawn, and its links follow the lines", () =>
  visit({}, async (page) => {
    await openDocument(page, document("get", listPods));
    const link = page.getByRole("row").filter({ hasText: "reader" }).getByRole("button", { name: /^cluster\.yaml:/ }).first();
    await link.waitFor();
    const drawn = await page.locator(".view:visible table").elementHandle();
    const told = (text) => page.getByRole("heading", { name: text }).waitFor();
    // A line below those that decided, and then one above them.
    await retype(page, "cluster.yaml", `${role("get")}\n# and nothing else`);
    await retype(page, "Requests", `${listPods}?limit=1`);
    await page.getByText("/api/v1/pods?limit=1", { exact: false }).last().waitFor();
    await told(/^✗ Denied\./);
    assert.ok(await drawn.evaluate((table) => table.isConnected));
    assert.equal(await link.textContent(), "cluster.yaml:5");
    await retype(page, "cluster.yaml", `# first\n${role("get")}`);
    await link.and(page.getByText("cluster.yaml:6")).click();
    const editor = page.getByRole("textbox", { name: "cluster.yaml" });
    await editor.locator(".cm-here").getByText("nearest miss: verb").waitFor();
    assert.equal(await editor.locator(".cm-here").count(), 3);
    assert.ok(await drawn.evaluate((table) => table.isConnected));
    await retype(page, "cluster.yaml", role("list"));
    await told(/^✓ Allowed\./);
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

test("rules that are too many to be marked are counted", () =>
  visit({}, async (page) => {
    const rules = Array.from({ length: 501 }, (_, at) => `- {apiGroups: [""], resources: [pods], verbs: [get], resourceNames: [a${at}]}`).join("\n");
    const many = `apiVersion: rbac.authorization.k8s.io/v1beta1\nkind: ClusterRole\nmetadata: {name: many}\nrules:\n${rules}`;
    await openDocument(page, fence("yaml", "cluster.yaml", role("get")) + fence("yaml", "many.yaml", many) + fence("sh", "", "kubectl get pods --as jane"));
    await page.getByRole("list", { name: "Problems" }).getByText("502 rules of roles are too many to be marked").waitFor();
    await page.getByRole("tab", { name: "many.yaml" }).click();
    await retype(page, "many.yaml", "");
    await page.getByText("too many to be marked").waitFor({ state: "detached" });
    await page.getByRole("heading", { name: /^✗ Denied\./ }).waitFor();
  }));

test("HTML in a name is text", () =>
  visit({}, async (page) => {
    const name = `<img src=x onerror="document.title='caught'"><b>jane</b>`;
    await openDocument(page, fence("sh", "", `kubectl get pods --as '${name}'\ncurl -k "https://apiserver:6443/api/v1/<b>x</b>"`));
    await page.getByRole("heading", { name: "<b>jane</b>" }).waitFor();
    assert.equal(await page.locator("main img, main b >> text=jane").count(), 0);
    assert.equal(await page.title(), "Portcullis");
  }));

test("the menu names what is open, and gives an example back as it was", () =>
  visit({}, async (page) => {
    await page.goto(url);
    await page.getByRole("heading", { name: /^[✓✗]/ }).waitFor();
    const [menu, example] = [page.getByRole("combobox", { name: "Document" }), "Who may do what"];
    const names = (title) => page.waitForFunction((title) => window.document.querySelector("#examples").selectedOptions[0].text === title, title);
    await names(example);
    const written = await page.getByRole("textbox", { name: "Requests" }).textContent();
    const own = { name: "own.md", mimeType: "text/markdown", buffer: Buffer.from(fence("sh", "", "kubectl get nodes --as own")) };
    for (const change of [() => retype(page, "Requests", "kubectl get nodes --as own"), () => page.locator("#file").setInputFiles(own)]) {
      await change();
      await page.getByRole("heading", { name: /own may not list nodes/ }).waitFor();
      await names("Your document");
      await menu.selectOption(example);
      await page.getByRole("heading", { name: /own may not list nodes/ }).waitFor({ state: "detached" });
      assert.equal(await page.getByRole("textbox", { name: "Requests" }).textContent(), written);
      await names(example);
    }
  }));

test("an engine that dies is replaced, and the text stays", () =>
  visit({}, async (page) => {
    // A worker that dies of one word.
    await page.addInitScript(() => {
      window.Worker = class extends Worker {
        postMessage(question) {
          if (!JSON.stringify(question).includes("boom")) return super.postMessage(question);
          this.dispatchEvent(new ErrorEvent("error", { message: "unreachable", cancelable: true }));
        }
      };
    });
    // So long that it is always a worker's.
    await openDocument(page, document("get", listPods) + "prose ".repeat(10_000));
    await page.getByRole("heading", { name: /^✗ Denied\./ }).waitFor();
    await retype(page, "Requests", "echo boom");
    await page.getByText(/The engine stopped \(unreachable\) and was started again/).waitFor();
    assert.match(await page.getByRole("textbox", { name: "Requests" }).textContent(), /echo boom/);
    await retype(page, "Requests", "kubectl get nodes --as jane");
    await page.getByRole("heading", { name: /jane may not list nodes/ }).waitFor();
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

test("the document is copied as Markdown, and the menu gives the keyboard back", () =>
  visit({ permissions: ["clipboard-read", "clipboard-write"] }, async (page) => {
    const text = document("get", listPods);
    await openDocument(page, text);
    await page.getByRole("heading", { name: /^✗ Denied\./ }).waitFor();
    const menu = page.locator("summary").filter({ hasText: "⋯" });
    await menu.focus();
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Escape");
    assert.ok(await menu.evaluate((summary) => summary === window.document.activeElement && !summary.parentElement.open));
    await menu.click();
    await page.getByRole("button", { name: "Copy as Markdown" }).click();
    await page.getByText(/^The document is copied as Markdown/).waitFor();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), text);
    await page.getByRole("button", { name: "Dismiss" }).click();
    assert.ok(await menu.evaluate((summary) => summary === window.document.activeElement), "focus is back where it was");
  }));

test("a request has a line of stops, and each leads to the line that decided", () =>
  visit({}, async (page) => {
    const policy = fence("yaml", "audit.yaml", "apiVersion: audit.k8s.io/v1alpha1\nkind: Policy\nrules:\n- level: None\n  verbs: [watch]\n- level: Metadata");
    await openDocument(page, policy + document("get", listPods, "kubectl create configmap a"));
    await page.getByRole("heading", { name: /^✗ Denied\./ }).waitFor();
    const way = page.getByRole("list", { name: "The request's way through the server" });
    const stops = async () => (await way.getByRole("listitem").allInnerTexts()).map((text) => text.replaceAll(/\s+/g, " ").trim());
    assert.deepEqual(await stops(), [
      "✓ Who jane",
      "✓ Audit Metadata audit.yaml:6",
      "– Node no opinion",
      "✗ RBAC no rule allows it cluster.yaml:5",
      "– Admission not reached",
      "– Storage not reached",
      "403 Response 50 bytes",
    ]);
    await page.getByRole("button", { name: "Next request" }).click();
    await page.getByText("2 of 2").waitFor();
    assert.deepEqual((await stops()).slice(-3), ["✓ Admission NodeRestriction", "✓ Storage 1 write", "201 Response 249 bytes"]);
    await way.getByRole("button", { name: "audit.yaml:6" }).click();
    await page.getByRole("textbox", { name: "audit.yaml" }).locator(".cm-here").getByText("Metadata, 2 requests").waitFor();
    await page.getByRole("textbox", { name: "audit.yaml" }).locator(".cm-idle").getByText("never used").waitFor();
  }));

test("the page works with the network cut after it has loaded", () =>
  visit({}, async (page, { context }) => {
    await openDocument(page, document("get", listPods));
    await page.getByRole("heading", { name: /^✗ Denied\./ }).waitFor();
    await complete(page);
    await context.setOffline(true);
    await retype(page, "cluster.yaml", role("list"));
    await page.getByRole("heading", { name: /^✓ Allowed\./ }).waitFor();
    await page.getByRole("tab", { name: "Graph" }).click();
    await page.getByRole("heading", { name: "Nothing to draw." }).waitFor();
  }));

test("the graph shows the path of a node's request, and loses it with the pod", () =>
  visit({}, async (page) => {
    const pod = (secret) => `apiVersion: v1
kind: Node
metadata: {name: near}
---
apiVersion: v1
kind: Node
metadata: {name: far}
---
apiVersion: v1
kind: Secret
metadata: {name: db, namespace: default}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: default}
spec:
  nodeName: near
  containers: [{name: web, image: web}]
  volumes:
  - name: db
    secret: {secretName: ${secret}}`;
    const ask = (node) => `curl -k --cert ${node}.crt --key ${node}.crt https://apiserver:6443/api/v1/namespaces/default/secrets/db`;
    await openDocument(
      page,
      fence("yaml", "cluster.yaml", pod("db")) +
        fence("text", "near.crt", "Subject: O=system:nodes, CN=system:node:near") +
        fence("text", "far.crt", "Subject: O=system:nodes, CN=system:node:far") +
        fence("sh", "", `${ask("near")}\n${ask("far")}`),
    );
    await page.getByRole("heading", { name: /^✗ Denied\. far may not get Secret db/ }).waitFor();
    await page.getByRole("tab", { name: "Graph" }).click();
    await page.getByRole("heading", { name: "✗ No path. far does not reach what it asked for." }).waitFor();
    await page.getByRole("button", { name: "Secret default/db, asked for, no path, cluster.yaml:9" }).waitFor();
    await page.getByRole("button", { name: "Pod default/web, not reached, cluster.yaml:13" }).waitFor();
    await page.getByRole("textbox", { name: "Requests" }).getByText("near.crt").first().click();
    await page.getByRole("heading", { name: "✓ Reached. near reads it on this path." }).waitFor();
    await page.getByRole("paragraph").filter({ hasText: "Secret default/db → Pod default/web" }).waitFor();
    for (const box of ["Secret default/db", "Pod default/web", "Node near"]) {
      await page.getByRole("button", { name: new RegExp(`^${box}, on the path, (chosen, )?cluster\\.yaml:`) }).waitFor();
    }
    // Arrow keys go along the path; what is told of a box is its line and its neighbours.
    await page.getByRole("button", { name: /^Secret default\/db/ }).focus();
    await page.getByText("Secret default/db at cluster.yaml:9. Read by Pod default/web.").waitFor();
    await page.keyboard.press("ArrowRight");
    await page.getByText("Pod default/web at cluster.yaml:13. Reads Secret default/db. Runs on Node near.").waitFor();
    await page.keyboard.press("ArrowRight");
    assert.match(await page.evaluate(() => document.activeElement.getAttribute("aria-label")), /^Node near, on the path, chosen/);
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("Enter");
    await page.getByRole("textbox", { name: "cluster.yaml" }).locator(".cm-here").first().waitFor();
    // Another node is another question.
    await page.getByRole("combobox", { name: "Node" }).selectOption("far");
    await page.getByRole("heading", { name: "far reaches nothing." }).waitFor();
    await page.getByRole("button", { name: "Secret default/db, not reached, cluster.yaml:9" }).waitFor();
    await page.getByRole("combobox", { name: "Node" }).selectOption("near");
    await page.getByRole("button", { name: /^Secret default\/db, on the path/ }).waitFor();
    await retype(page, "cluster.yaml", pod("other"));
    await page.getByRole("heading", { name: /^✗ No path\. near/ }).waitFor();
    await page.getByRole("combobox", { name: "Node" }).selectOption("All nodes");
    // A name that nobody created leads to where it is used.
    await page.getByRole("button", { name: "Secret default/other, not there, cluster.yaml:21" }).waitFor();
  }));

test("a graph of 500 pods stands in groups that open, and says what it hides", () =>
  visit({}, async (page) => {
    const objects = [];
    for (let node = 0; node < 20; node += 1) {
      objects.push(`apiVersion: v1\nkind: Node\nmetadata: {name: node-${node}}`);
      for (let pod = 0; pod < 25; pod += 1) {
        const name = `{namespace: ${["shop", "bank"][pod % 2]}, name: web-${node}-${pod}}`;
        objects.push(`apiVersion: v1\nkind: Secret\nmetadata: ${name}`);
        objects.push(
          `apiVersion: v1\nkind: Pod\nmetadata: ${name}\nspec:\n  nodeName: node-${node}\n  containers: [{name: web, image: web}]\n  volumes: [{name: s, secret: {secretName: web-${node}-${pod}}}]`,
        );
      }
    }
    const ask = "curl -k --cert a.crt --key a.crt https://apiserver:6443/api/v1/namespaces/shop/secrets/web-3-4";
    await openDocument(
      page,
      fence("yaml", "cluster.yaml", objects.join("\n---\n")) + fence("text", "a.crt", "Subject: O=system:nodes, CN=system:node:node-3") + fence("sh", "", ask),
    );
    await page.getByRole("heading", { name: /^✓ Allowed\./ }).waitFor();
    await page.getByRole("tab", { name: "Graph" }).click();
    await page.getByRole("button", { name: /^Secret shop\/web-3-4, on the path/ }).waitFor();
    await page.getByRole("button", { name: /^Pod bank\/web-3-5, cluster/ }).waitFor();
    await page.getByRole("button", { name: "Pods 475 not reached, not reached" }).waitFor();
    await page.getByRole("combobox", { name: "Node" }).selectOption("All nodes");
    await page.getByRole("button", { name: "Pods 25 on node-7" }).click();
    await page.getByRole("button", { name: /^Pod bank\/web-7-1, cluster/ }).waitFor();
    await page.getByText(/^\d+ of 1020 objects stand in \d+ groups: a click opens one\./).waitFor();
    await page.getByRole("button", { name: "Close the opened groups" }).click();
    await page.getByRole("button", { name: "Pods 25 on node-7" }).waitFor();
    await page.getByRole("combobox", { name: "Together" }).selectOption("by namespace");
    await page.getByRole("button", { name: "Pods 240 in bank" }).waitFor();
    await page.getByRole("button", { name: /^Pod shop\/web-3-4, on the path/ }).waitFor();
  }));

test("the graph holds on to nothing that is gone", () =>
  visit({}, async (page) => {
    const pods = (node) => fence("yaml", "", `apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {nodeName: ${node}, volumes: [{name: db, secret: {secretName: db}}]}`);
    await openDocument(page, pods("first") + fence("sh", "", "kubectl get pods"));
    await page.getByText("1 of 1").waitFor();
    await page.getByRole("tab", { name: "Graph" }).click();
    const node = page.getByRole("combobox", { name: "Node" });
    await node.selectOption("first");
    await page.getByRole("heading", { name: "first reaches 1 Secret" }).waitFor();
    await retype(page, "cluster.yaml", pods("second").split("\n").slice(1, -3).join("\n"));
    await page.getByRole("heading", { name: "What the pods of all nodes read." }).waitFor();
    assert.equal(await node.inputValue(), "");
    // What is many is put together anew in every document.
    const many = (prefix) => {
      const pod = (index) => `apiVersion: v1\nkind: Pod\nmetadata: {name: ${prefix}-${index}}\nspec: {nodeName: first, volumes: [{name: a, secret: {secretName: s-${index}}}]}`;
      return { name: `${prefix}.yaml`, mimeType: "text/yaml", buffer: Buffer.from(Array.from({ length: 60 }, (_, index) => pod(index)).join("\n---\n")) };
    };
    const together = page.getByRole("combobox", { name: "Together" });
    await page.locator("#file").setInputFiles(many("one"));
    await page.getByRole("button", { name: "Pods 60 on first" }).click();
    await page.getByRole("button", { name: /^Pod default\/one-59/ }).waitFor();
    await page.locator("#file").setInputFiles(many("two"));
    await page.getByRole("button", { name: "Pods 60 on first" }).waitFor();
    await together.selectOption("by namespace");
    await page.getByRole("button", { name: "Pods 60 in default" }).waitFor();
    await page.locator("#file").setInputFiles(many("three"));
    await page.getByRole("button", { name: "Pods 60 on first" }).waitFor();
  }));

test("etcd's bytes are named, and a pasted value is opened", () =>
  visit({}, async (page) => {
    const config = (key) => `kind: EncryptionConfig
apiVersion: v1
resources:
- resources: [secrets]
  providers:
  - aescbc:
      keys:
      - {name: ${key}, secret: HON5ISH9XMfFB6dnm25U0vSwxR58n7UrpxKPvmCJLTw=}
  - identity: {}`;
    await openDocument(
      page,
      fence("yaml", "encryption.yaml", config("mykey")) +
        fence(
          "sh",
          "",
          "kubectl create secret generic db --from-literal=password=open-sesame\nETCDCTL_API=3 etcdctl get /registry/secrets/default/db | hexdump -C",
        ),
    );
    await page.getByText("1 of 2").waitFor();
    await page.getByRole("tab", { name: "etcd" }).click();
    await page.getByRole("button", { name: "/registry/secrets/default/db" }).click();
    await page.getByRole("row", { name: /secrets\/default\/db aescbc, mykey current/ }).waitFor();
    const bytes = page.getByRole("list", { name: "Parts of Stored bytes" });
    const part = bytes.getByRole("button", { name: /^IV, bytes \d+ to \d+$/ });
    await part.focus();
    const [from, to] = (await part.getAttribute("aria-label")).match(/\d+/g).map(Number);
    assert.equal(to - from, 15);
    await page.getByText(new RegExp(`^IV, bytes ${from} to ${to}: ([0-9a-f]{2} ?){16}$`)).waitFor();
    const lit = await page.locator(".hex .lit").allTextContents();
    assert.equal(lit.join(" ").match(/\b[0-9a-f]{2}\b/g).length >= 16, true, "sixteen bytes and their characters are lit");
    // Byte by byte with the keyboard: the key's first, its second, and the one below.
    await page.getByRole("application", { name: /^Stored bytes/ }).focus();
    await page.keyboard.press("ArrowRight");
    await page.getByText('Byte 0: 0x2f, "/", of key, bytes 0 to 28').waitFor();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowDown");
    await page.getByText('Byte 17: 0x2f, "/", of key').waitFor();
    // And with the pointer.
    await page.locator(".hex").first().hover({ position: { x: 124, y: 12 } });
    await page.getByText('Byte 2: 0x65, "e", of key').waitFor();
    await page.getByRole("list", { name: "Parts of Decrypted bytes" }).getByText(/open-sesame/).waitFor();
    // The same value, as somebody with a dump and the key would have it.
    await page.getByRole("tab", { name: "Verdict" }).click();
    await page.getByRole("button", { name: "Next request" }).click();
    await page.getByText("2 of 2").waitFor();
    const dump = await page.getByLabel("Output").textContent();
    await page.getByRole("tab", { name: "Inspect" }).click();
    await page.getByRole("heading", { name: "Open a value of your own cluster." }).waitFor();
    const paste = (text) => page.getByLabel("Dump", { exact: true }).fill(text);
    await paste(dump);
    await page.getByRole("heading", { name: "✗ Not opened. Decoding failed: read as plain text, the value is no object." }).waitFor();
    // The document's own configuration stands ready.
    await page.getByRole("button", { name: "encryption.yaml" }).click();
    await page.getByRole("heading", { name: "✓ Opened. A Secret, encrypted by aescbc with the key mykey." }).waitFor();
    await page.getByLabel("The value").getByText("b3Blbi1zZXNhbWU=").waitFor();
    await page.getByLabel("EncryptionConfig", { exact: true }).fill(config("other"));
    await page.getByText(/another cluster's value/).waitFor();
    await page.getByLabel("EncryptionConfig", { exact: true }).fill(config("mykey").replace("HON5", "AAAA"));
    await page.getByText(/The key has the right name and other bytes/).waitFor();
    await page.getByLabel("EncryptionConfig", { exact: true }).fill("kind: [");
    await page.getByRole("heading", { name: "✗ Not opened. The configuration cannot be read." }).waitFor();
    await page.getByLabel("EncryptionConfig", { exact: true }).fill(config("mykey"));
    const lines = dump.split("\n");
    await paste([...lines.slice(0, 3), "...", ...lines.slice(5)].join("\n"));
    await page.getByText(/^line 4 is no line of a hex dump/).waitFor();
    await page.getByRole("heading", { name: "✗ Not opened. The dump cannot be read." }).waitFor();
    await paste(lines.slice(0, -4).join("\n"));
    await page.getByText(/truncated|other bytes than the one that wrote/).waitFor();
  }));

test("a value of aesgcm that is moved to another etcd key is refused", () =>
  visit({}, async (page) => {
    const config = "kind: EncryptionConfig\napiVersion: v1\nresources:\n- resources: [secrets]\n  providers:\n  - aesgcm:\n      keys: [{name: key1, secret: c2VjcmV0IGlzIHNlY3VyZQ==}]";
    const get = "etcdctl get --print-value-only /registry/secrets/default";
    const commands = [
      "kubectl create secret generic one --from-literal=password=sesame",
      `${get}/one | etcdctl put /registry/secrets/default/two`,
      `${get}/one | base64`,
      "kubectl get secret two",
    ];
    await openDocument(page, fence("yaml", "encryption.yaml", config) + fence("sh", "", commands.join("\n")));
    await page.getByRole("heading", { name: /Allowed, then 500\..*cipher: message authentication failed/ }).waitFor();
    await page.getByRole("tab", { name: "etcd" }).click();
    await page.getByRole("row", { name: /secrets\/default\/one aesgcm, key1 current/ }).waitFor();
    await page.getByRole("button", { name: "/registry/secrets/default/two" }).click();
    await page.getByRole("row", { name: /secrets\/default\/two aesgcm, key1 ✗ unreadable/ }).waitFor();
    await page.getByText("The server cannot read it: cipher: message authentication failed.").waitFor();
    // The same bytes with the one key and with the other.
    await page.getByRole("tab", { name: "Verdict" }).click();
    await page.getByRole("button", { name: "Previous request" }).click();
    const dump = await page.getByLabel("Output").textContent();
    await page.getByRole("tab", { name: "Inspect" }).click();
    await page.getByLabel("Dump", { exact: true }).fill(dump);
    await page.getByRole("button", { name: "encryption.yaml" }).click();
    const key = page.getByRole("textbox", { name: /^etcd key/ });
    await key.fill("/registry/secrets/default/one");
    await page.getByRole("heading", { name: "✓ Opened. A Secret, encrypted by aesgcm with the key key1." }).waitFor();
    await key.fill("/registry/secrets/default/two");
    await page.getByText(/it was copied from another etcd key: aesgcm binds it to its place/).waitFor();
    assert.equal(await page.getByText("c2VzYW1l").count(), 0);
  }));

test("what a new configuration leaves as it was is counted, and stands beside what it became", () =>
  visit({}, async (page) => {
    const config = (keys) =>
      `kind: EncryptionConfig\napiVersion: v1\nresources:\n- resources: [secrets]\n  providers:\n  - aescbc:\n      keys:\n${keys
        .map((key) => `      - {name: ${key}, secret: ${btoa(key.padEnd(32, "."))}}`)
        .join("\n")}\n  - identity: {}`;
    const start = (name) => `kube-apiserver --authorization-mode=RBAC --experimental-encryption-provider-config=${name}`;
    const create = (name) => `kubectl create secret generic ${name} --from-literal=a=b`;
    const rewrite = "kubectl get secrets --all-namespaces -o json | kubectl replace -f -";
    const steps = ["kube-apiserver --authorization-mode=RBAC", create("one"), start("old.yaml"), create("two"), start("new.yaml"), create("three")];
    await openDocument(page, fence("yaml", "old.yaml", config(["first"])) + fence("yaml", "new.yaml", config(["second", "first"])) + fence("sh", "", steps.join("\n")));
    await page.getByText("6 of 6").waitFor();
    await page.getByRole("tab", { name: "etcd" }).click();
    await page.getByRole("heading", { name: "✗ 1 secret is in plain text, 4 values are under an old key." }).waitFor();
    await page.getByText(rewrite).first().waitFor();
    await page.getByRole("row", { name: /secrets\/default\/one identity ✗ plain, stale/ }).waitFor();
    await page.getByRole("row", { name: /secrets\/default\/two aescbc, first ! stale/ }).waitFor();
    await page.getByRole("row", { name: /secrets\/default\/three aescbc, second current/ }).waitFor();
    await retype(page, "Requests", [...steps, rewrite].join("\n"));
    await page.getByRole("heading", { name: "✓ No secret is in plain text." }).waitFor();
    await page.getByRole("button", { name: "/registry/secrets/default/two" }).click();
    const [before, now] = ["Before", "Now"].map((name) => page.getByRole("region", { name: `${name}: /registry/secrets/default/two` }));
    await before.getByRole("list", { name: "Parts of Decrypted bytes" }).waitFor();
    await now.getByRole("button", { name: rewrite }).waitFor();
    assert.match(await before.getByRole("application", { name: /^Stored bytes/ }).textContent(), /first/);
    assert.match(await now.getByRole("application", { name: /^Stored bytes/ }).textContent(), /second/);
    const [left, right] = [await before.boundingBox(), await now.boundingBox()];
    assert.ok(right.x >= left.x + left.width && left.y === right.y, "side by side");
    await page.getByRole("searchbox", { name: "Keys with" }).fill("default/t");
    await page.getByRole("row", { name: /default\/three/ }).waitFor();
    assert.equal(await page.getByRole("row", { name: /default\/one/ }).count(), 0);
    // Typed before what is there, a letter and a space at a time.
    await page.keyboard.press("Home");
    await page.keyboard.type("a b ");
    assert.equal(await page.getByRole("searchbox", { name: "Keys with" }).inputValue(), "a b default/t");
    await page.getByText("No key contains this.").waitFor();
  }));

test("the audit view names level, rule, stages and events", () =>
  visit({}, async (page) => {
    const policy = `apiVersion: audit.k8s.io/v1alpha1
kind: Policy
rules:
- level: Metadata
  resources:
  - group: ""
    resources: [secrets]
- level: None
  verbs: [list]
- level: RequestResponse`;
    const user = "<i>eve</i>";
    await openDocument(
      page,
      fence("yaml", "audit-policy.yaml", policy) +
        fence(
          "sh",
          "",
          `kubectl get --raw /api/v1/namespaces/default/secrets/db --as '${user}'\nkubectl get --raw /api/v1/pods --as '${user}'\nkubectl get --raw /api/v1/nodes/one --as '${user}'`,
        ),
    );
    await page.getByRole("heading", { name: /^✗ Denied\./ }).waitFor();
    await page.getByRole("tab", { name: /^Audit/ }).click();
    const all = page.getByRole("region", { name: "All requests" });
    for (const [path, level, line] of [
      ["secrets/db", "Metadata", 4],
      ["/api/v1/pods", "None", 8],
      ["nodes/one", "RequestResponse", 10],
    ]) {
      const row = all.getByRole("row").filter({ hasText: path });
      await row.getByRole("cell", { name: level, exact: true }).waitFor();
      await row.getByRole("button", { name: `audit-policy.yaml:${line}` }).waitFor();
    }
    await all.getByRole("button", { name: /nodes\/one/ }).click();
    await page.getByText("Event at ResponseComplete").waitFor();
    await page.getByLabel("Event at ResponseComplete").getByText(`"username": "${user}"`).waitFor();
    assert.equal(await page.locator("main i").count(), 0);
    await page.getByRole("region", { name: "Rules of the policy" }).getByRole("row", { name: /rules\[1\] took 1 request/ }).waitFor();
    const whatIf = page.getByRole("region", { name: "What if" });
    // Until somebody types there, it is the selected request.
    assert.match(await whatIf.getByRole("textbox").inputValue(), /GET \/api\/v1\/nodes\/one$/);
    await whatIf.getByRole("textbox").fill("<b>eve</b> PUT /api/v1/namespaces/default/secrets/db\neve,ops GET /api/v1/pods/a/log?follow=1\nkubectl get secrets --as eve\nhm");
    await whatIf.getByRole("row", { name: /<b>eve<\/b> PUT .* update Metadata RequestReceived, ResponseComplete/ }).getByRole("button", { name: "audit-policy.yaml:4" }).waitFor();
    await whatIf.getByRole("row", { name: /^eve GET/ }).waitFor();
    await whatIf.getByRole("row", { name: /^kubernetes-admin GET \/api\/v1\/namespaces\/default\/secrets list Metadata/ }).waitFor();
    await whatIf.getByRole("row", { name: "hm ✗ expected `USER,GROUP... METHOD URI`" }).waitFor();
    await all.getByRole("button", { name: "audit-policy.yaml:10" }).click();
    await page.getByRole("textbox", { name: "audit-policy.yaml" }).locator(".cm-here").waitFor();
  }));

const looks = [
  ["light", { colorScheme: "light" }],
  ["dark", { colorScheme: "dark" }],
  ["phone", { colorScheme: "light", viewport: { width: 390, height: 844 } }],
];

for (const [name, options] of looks) {
  test(`nothing stands in anybody's way, in no view: ${name}`, () =>
    visit(options, async (page) => {
      await page.goto(url);
      await page.getByRole("heading", { name: /^[✓✗]/ }).waitFor();
      const source = readFileSync("node_modules/axe-core/axe.min.js", "utf8");
      await page.evaluate(source);
      const found = [];
      for (const example of await page.locator("#examples optgroup option").evaluateAll((options) => options.map((option) => option.value))) {
        await page.getByRole("combobox", { name: "Document" }).selectOption(example);
        for (const tab of await page.getByRole("tablist", { name: "Views" }).getByRole("tab").all()) {
          await tab.click();
          await page.locator(".view:visible :is(h2, table)").first().waitFor();
          const { violations } = await page.evaluate(() => window.axe.run(window.document, { resultTypes: ["violations"] }));
          const wide = await page.evaluate(() => window.document.documentElement.scrollWidth - innerWidth);
          if (wide > 0) found.push(`${example} ${await tab.textContent()}: stands out ${wide} px at the side`);
          for (const { id, nodes } of violations) found.push(`${example} ${await tab.textContent()}: ${id} ${nodes.map((node) => node.html).join(" ")}`);
        }
        await page.getByRole("tab", { name: "Verdict" }).click();
      }
      assert.deepEqual([...new Set(found)], []);
    }));
}

for (const [name, options] of looks) {
  test(`a picture of the page: ${name}`, () =>
    visit(options, async (page) => {
      await page.goto(url);
      await page.getByRole("heading", { name: /^[✓✗]/ }).waitFor();
      const wide = await page.evaluate(() => window.document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `nothing stands out at the side (${wide} px)`);
      mkdirSync("target/screenshots", { recursive: true });
      await page.screenshot({ path: `target/screenshots/${name}.png`, fullPage: name === "phone" });
      for (const [view, example] of [
        ["Graph", "Which node?"],
        ["etcd", "Is it encrypted?"],
        ["Audit", "What is logged?"],
        ["Access", "Who may?"],
        ["Inspect", "Is it encrypted?"],
      ]) {
        const value = await page.locator(`optgroup[label="${example}"] option`).first().getAttribute("value");
        await page.getByRole("combobox", { name: "Document" }).selectOption(value);
        await page.getByRole("heading", { name: /^[✓✗]/ }).waitFor();
        await page.getByRole("tab", { name: new RegExp(`^${view}`) }).click();
        await page.locator(".view:visible h2").waitFor();
        await page.screenshot({ path: `target/screenshots/${view.toLowerCase()}-${name}.png`, fullPage: name === "phone" });
        await page.getByRole("tab", { name: "Verdict" }).click();
      }
    }));
}

test("the colours that were chosen are the page's, whatever the system's are, and stay", () =>
  visit({ colorScheme: "light" }, async (page) => {
    const grounds = new Set();
    const ground = async () => {
      const color = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      grounds.add(color);
      return color;
    };
    await page.goto(url);
    const light = await ground();
    await page.getByRole("button", { name: "Dark colours" }).click();
    const dark = await ground();
    assert.notEqual(dark, light);
    await page.reload();
    assert.equal(await ground(), dark);
    await page.getByRole("button", { name: "Dark colours", pressed: true }).click();
    assert.equal(await ground(), light);
    await page.emulateMedia({ colorScheme: "dark" });
    assert.equal(await ground(), light);
    assert.equal(grounds.size, 2);
  }));
