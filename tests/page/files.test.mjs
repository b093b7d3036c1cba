import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateRawSync } from "node:zlib";
import { url, visit } from "./browser.mjs";

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
