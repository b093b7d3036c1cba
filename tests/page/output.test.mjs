import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateRawSync } from "node:zlib";
import { url, visit } from "./browser.mjs";

test("of what is very long the page shows the beginning, and says how much more there is", async () => {
  const file = "🙂".repeat(100_000) + "\nkind: Role\n".repeat(20_000);
  const document = `\`\`\`text title="long.txt"\n${file}\`\`\`\n\n\`\`\`console\n$ echo; cat long.txt\n${file}wrong\n\`\`\`\n`;
  await visit({}, async (page) => {
    await page.goto(`${url}#1.${deflateRawSync(document).toString("base64url")}`);
    const output = await page.getByLabel("Output", { exact: true }).textContent();
    const expected = await page.getByLabel("Expected output").textContent();
    // A character of two parts is not divided.
    const shown = `\n${"🙂".repeat(99_999)}`;
    assert.equal(output, `${shown}\n… and ${(file.length + 1 - 199_999).toLocaleString("en")} characters more`);
    assert.match(expected, /🙂\n… and [\d,]+ characters more$/);
  });
});
