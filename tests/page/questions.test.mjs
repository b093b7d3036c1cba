/** The ten questions of `questions.md`, each answered in the page by visible names alone. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fence, openDocument, retype, url, visit } from "./browser.mjs";

const questions = readFileSync("tests/page/questions.md", "utf8").match(/(?<=^\d+\. ).*$/gm);
const answered = new Set();

/** A test named after its question. */
function answer(number, script) {
  answered.add(number);
  test(`${number}. ${questions[number - 1]}`, () => visit({}, script));
}

const blank = fence("yaml", "cluster.yaml", "") + fence("sh", "", "");

const role = `kind: Role
apiVersion: rbac.authorization.k8s.io/v1
metadata: {namespace: shop, name: developer}
rules:
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, delete]
- apiGroups: [""]
  resources: [secret]
  verbs: [get]
---
kind: RoleBinding
apiVersion: rbac.authorization.k8s.io/v1
metadata: {namespace: shop, name: developers}
subjects: [{kind: User, name: jane}]
roleRef: {kind: Role, name: developer}`;

const policy = `apiVersion: audit.k8s.io/v1alpha1
kind: Policy
rules:
- level: Metadata
  resources:
  - group: ""
    resources: [secrets]
- level: Request
  verbs: [get, list, watch]
- level: None
  verbs: [watch]
  users: [kube-dns]`;

const heading = (page, name) => page.getByRole("heading", { name }).waitFor();

/** Pastes into the empty page, as a newcomer would. */
async function paste(page, requests) {
  await openDocument(page, blank);
  await heading(page, "Ask something.");
  await retype(page, "cluster.yaml", role);
  await retype(page, "Requests", requests);
}

answer(1, async (page) => {
  await paste(page, "kubectl auth can-i list pods -n shop --as jane");
  await heading(page, "✓ Yes. jane may list pods in namespace shop.");
  await page.getByRole("row", { name: /Rule 1 of Role shop\/developer grants get, list, delete on pods/ }).getByRole("button", { name: "cluster.yaml:5" }).click();
  await page.getByRole("textbox", { name: "cluster.yaml" }).getByText("allows it").waitFor();
});

answer(2, async (page) => {
  await paste(page, "kubectl get secrets -n shop --as jane");
  await heading(page, "✗ Denied. jane may not list secrets in namespace shop.");
  await heading(page, /Why not/);
  await page.getByRole("row", { name: /^resource RoleBinding shop\/developers.*secrets is not among them.*cluster\.yaml:5/ }).waitFor();
  await page.getByRole("textbox", { name: "cluster.yaml" }).getByText("nearest miss: resource").waitFor();
});

answer(3, async (page) => {
  await paste(page, "kubectl auth can-i list pods -n shop --as jane");
  const problem = page.getByRole("list", { name: "Problems" }).getByRole("listitem").filter({ hasText: '"secret" is no resource. Write "secrets".' });
  await problem.getByRole("button", { name: "cluster.yaml:9" }).waitFor();
  await retype(page, "cluster.yaml", role.replace("[secret]", "[secrets]"));
  await problem.waitFor({ state: "detached" });
  await page.getByRole("textbox", { name: "cluster.yaml" }).getByText("never used").waitFor();
});

answer(4, async (page) => {
  await paste(
    page,
    "apiVersion: authorization.k8s.io/v1\nkind: SubjectAccessReview\nspec:\n  user: jane\n  resourceAttributes: {verb: delete, resource: pods, namespace: shop}\n\nGET /api/v1/namespaces/shop/pods HTTP/1.1\nAuthorization: Bearer nobody-knows-this",
  );
  await heading(page, /^✗ Unauthorized\./);
  await page.getByLabel("Output", { exact: true }).getByText("HTTP/1.1 401 Unauthorized").waitFor();
  await page.getByRole("button", { name: "Previous request" }).click();
  await heading(page, "✓ Yes. jane may delete pods in namespace shop.");
  await page.getByText("verb delete · group \"\" · resource pods · namespace shop").waitFor();
  await page.getByLabel("Output", { exact: true }).getByText("allowed: true").waitFor();
});

answer(5, async (page) => {
  await paste(page, "kubectl get pods -n shop");
  await heading(page, /^✓ Allowed/);
  await page.getByRole("tab", { name: "Access" }).click();
  await page.getByRole("combobox", { name: "Where" }).selectOption("shop");
  await page.getByRole("combobox", { name: "With" }).selectOption("pods");
  await page.getByRole("button", { name: "jane: delete: yes" }).click();
  await page.getByText("RoleBinding/shop/developers → Role/shop/developer").waitFor();
});

answer(6, async (page) => {
  await page.goto(url);
  await heading(page, /^[✓✗]/);
  await page.getByRole("combobox", { name: "Document" }).selectOption("Which node reads which secret");
  await retype(page, "Requests", "kubectl get --raw /api/v1/namespaces/shop/secrets/payment --as system:node:lab --as-group system:nodes");
  await heading(page, "✗ Denied. lab may not get Secret payment in namespace shop.");
  await page.getByRole("tab", { name: "Graph" }).click();
  await heading(page, /^✗ No path\. lab/);
  await page.getByRole("combobox", { name: "Node" }).selectOption("back");
  await page.getByText(/Secret shop\/payment/).first().waitFor();
});

answer(7, async (page) => {
  const config = `kind: EncryptionConfig
apiVersion: v1
resources:
- resources: [secrets]
  providers:
  - aescbc:
      keys:
      - {name: mykey, secret: HON5ISH9XMfFB6dnm25U0vSwxR58n7UrpxKPvmCJLTw=}
  - identity: {}`;
  await openDocument(page, blank);
  await heading(page, "Ask something.");
  await retype(page, "cluster.yaml", config);
  await retype(page, "Requests", "kubectl create secret generic db --from-literal=password=open-sesame");
  await heading(page, /^✓ Allowed/);
  await page.getByRole("tab", { name: "etcd" }).click();
  await page.getByRole("row", { name: /\/registry\/secrets\/default\/db aescbc, mykey current/ }).waitFor();
});

/** Pastes the policy into a file of its own, beside nothing. */
async function pastePolicy(page, requests) {
  await openDocument(page, blank);
  await heading(page, "Ask something.");
  await retype(page, "cluster.yaml", policy);
  await retype(page, "Requests", requests);
}

answer(8, async (page) => {
  await pastePolicy(page, "kubectl get secrets");
  await heading(page, /^✓ Allowed/);
  const way = page.getByRole("list", { name: "The request's way through the server" });
  await way.getByRole("listitem").filter({ hasText: /Audit.*Metadata/ }).getByRole("button", { name: "cluster.yaml:4" }).click();
  await page.getByRole("textbox", { name: "cluster.yaml" }).getByText("Metadata, 1 request").waitFor();
});

answer(9, async (page) => {
  await pastePolicy(page, "kubectl get secrets");
  const problem = page.getByRole("list", { name: "Problems" }).getByRole("listitem").filter({ hasText: "Nothing reaches rules[2]: rules[1] before it takes all that it would match." });
  await problem.getByRole("button", { name: "cluster.yaml:10" }).click();
  await page.getByRole("textbox", { name: "cluster.yaml" }).getByText(/Nothing reaches rules\[2\]/).waitFor();
});

answer(10, async (page) => {
  await pastePolicy(page, "");
  await page.getByRole("tab", { name: /^Audit/ }).click();
  await page.getByRole("textbox", { name: "Requests that nobody sent" }).fill("root DELETE /api/v1/namespaces/default/secrets/db");
  const row = page.getByRole("status", { name: "What the policy would say" }).getByRole("row").filter({ hasText: "root DELETE" });
  await row.getByRole("cell", { name: "Metadata", exact: true }).waitFor();
  await row.getByRole("cell", { name: "RequestReceived, ResponseComplete" }).waitFor();
  await row.getByRole("button", { name: "cluster.yaml:4" }).waitFor();
});

test("every question has its answer", () => assert.deepEqual([...answered], questions.map((_, index) => index + 1)));
