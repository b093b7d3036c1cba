import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateRawSync } from "node:zlib";
import { fence, openDocument, url, visit } from "./browser.mjs";

const link = (document) => `${url}#1.${deflateRawSync(document).toString("base64url")}`;

const role = "kind: Role\napiVersion: rbac.authorization.k8s.io/v1beta1\nmetadata: {namespace: default, name: reader}\nrules:\n- {apiGroups: [''], resources: [pods], verbs: [get]}";
const binding = "kind: RoleBinding\napiVersion: rbac.authorization.k8s.io/v1beta1\nmetadata: {namespace: default, name: reader}\nsubjects: [{kind: User, name: jane, apiGroup: rbac.authorization.k8s.io}]\nroleRef: {kind: Role, name: reader, apiGroup: rbac.authorization.k8s.io}";

test("of a document's files only those that are looked at have an editor, and what is said of their lines", async () => {
  const files = ["", "", "", role, binding].map((text, number) => `\`\`\`yaml title="${number}.yaml"\n${text}${text && "\n"}\`\`\`\n`);
  const many = "```yaml title=x\n```\n".repeat(1000);
  await visit({}, async (page) => {
    await page.goto(link(`${files.join("")}${many}\`\`\`sh\nkubectl auth can-i get pods --as jane\nkubectl auth can-i list pods --as jane\n\`\`\`\n`));
    await page.getByRole("heading", { name: "No." }).waitFor();
    const editors = page.locator("#file-panels .cm-editor");
    assert.equal(await page.locator("#file-panels > *").count(), 1005);
    // The first, and the one with the line that came nearest.
    await page.getByRole("tab", { name: "3.yaml", selected: true }).waitFor();
    assert.equal(await editors.count(), 2);
    await page.getByRole("button", { name: "Previous request" }).click();
    await page.locator("#file-panels .cm-use").filter({ visible: true }).first().waitFor();
    assert.equal(await editors.count(), 2);
    await page.getByRole("button", { name: "4.yaml:" }).first().click();
    await page.getByRole("tab", { name: "4.yaml", selected: true }).waitFor();
    await page.locator("#file-panels .cm-here").filter({ visible: true }).first().waitFor();
    assert.equal(await editors.count(), 3);
    // One that was left is as it was.
    await page.keyboard.type("# ");
    await page.getByRole("tab", { name: "4.yaml" }).press("End");
    await page.keyboard.press("Home");
    await page.getByRole("tab", { name: "0.yaml", selected: true }).waitFor();
    await page.getByRole("tab", { name: "4.yaml" }).click();
    await page.locator("#file-panels .cm-line").filter({ hasText: /^# \w/, visible: true }).waitFor();
    assert.equal(await editors.count(), 4);
  });
});

test("files are named anew, taken out and had back, and there may be none", () =>
  visit({}, async (page) => {
    const tab = (name) => page.getByRole("tab", { name, selected: true }).waitFor();
    const verdict = (name) => page.getByRole("heading", { name }).waitFor();
    await openDocument(page, fence("yaml", "a.yaml", role) + fence("yaml", "", binding) + fence("sh", "", "kubectl auth can-i get pods --as jane\ncat b.yaml"));
    await page.getByRole("tab", { name: "cluster.yaml" }).click();
    await page.getByRole("button", { name: "Rename the file" }).click();
    const field = page.getByRole("textbox", { name: "New name of cluster.yaml" });
    await field.fill("b.yaml");
    await field.press("Enter");
    await tab("b.yaml");
    await page.getByText("RoleBinding").last().waitFor();
    // Escape leaves the name as it was, and another's is not taken.
    await page.getByRole("button", { name: "Rename the file" }).click();
    await page.getByRole("textbox", { name: "New name of b.yaml" }).fill("c.yaml");
    await page.keyboard.press("Escape");
    await tab("b.yaml");
    await page.getByRole("button", { name: "Rename the file" }).click();
    await page.getByRole("textbox", { name: "New name of b.yaml" }).fill("a.yaml");
    await page.keyboard.press("Enter");
    await tab("a-2.yaml");
    await page.getByRole("textbox", { name: "Requests" }).getByText("can-i").click();
    await verdict("Yes.");
    await page.getByRole("button", { name: "Remove the file" }).click();
    await verdict("No.");
    await tab("a.yaml");
    await page.getByRole("button", { name: "Put it back" }).click();
    await verdict("Yes.");
    await tab("a-2.yaml");
    for (const _ of [1, 2]) await page.getByRole("button", { name: "Remove the file" }).click();
    assert.equal(await page.getByRole("tablist", { name: "Files" }).getByRole("tab").count(), 0);
    await page.locator("#file-panels").getByRole("button", { name: "Add a file" }).click();
    await tab("file.yaml");
  }));

test("a manifest that is opened stands alone, or beside what was there", () =>
  visit({}, async (page) => {
    await openDocument(page, fence("yaml", "a.yaml", role) + fence("sh", "", "kubectl auth can-i get pods --as jane"));
    await page.getByRole("heading", { name: "No." }).waitFor();
    await page.locator("#file").setInputFiles({ name: "a.yaml", mimeType: "text/yaml", buffer: Buffer.from(binding) });
    await page.getByText("a.yaml is open.").waitFor();
    assert.equal(await page.getByRole("tablist", { name: "Files" }).getByRole("tab").count(), 1);
    await page.getByRole("button", { name: "Add it to what was there" }).click();
    await page.getByRole("tab", { name: "a-2.yaml", selected: true }).waitFor();
    await page.getByRole("heading", { name: "Yes." }).waitFor();
  }));
