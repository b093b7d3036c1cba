import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { url, visit } from "./browser.mjs";

const at = (path) => new URL(path, url).href;
const examples = readdirSync("examples").map((name) => name.replace(/\.md$/, ""));

for (const [name, options] of [
  ["light", { colorScheme: "light" }],
  ["dark", { colorScheme: "dark" }],
  ["phone", { viewport: { width: 390, height: 844 } }],
]) {
  test(`nothing stands in anybody's way in the documentation: ${name}`, () =>
    visit(options, async (page) => {
      const source = readFileSync("node_modules/axe-core/axe.min.js", "utf8");
      const found = [];
      for (const document of ["index", "document", "program", ...examples]) {
        await page.goto(at(`docs/${document}.html`));
        await page.evaluate(source);
        const { violations } = await page.evaluate(() => window.axe.run("nav, main", { iframes: false, resultTypes: ["violations"] }));
        for (const { id, nodes } of violations) found.push(`${document}: ${id} ${nodes.map((node) => node.html).join(" ")}`);
        const wide = await page.evaluate(() => window.document.documentElement.scrollWidth - innerWidth);
        if (wide > 0) found.push(`${document}: stands out ${wide} px at the side`);
      }
      assert.deepEqual(found, []);
    }));
}

test("the documentation begins with all of its stories", () =>
  visit({}, async (page) => {
    await page.goto(at("docs/index.html"));
    const links = await page.locator("main li a").evaluateAll((links) => links.map((link) => link.getAttribute("href")));
    assert.deepEqual(examples.filter((name) => !links.includes(`./${name}.html`)), []);
  }));

test("on a phone the documentation's contents are folded away", () =>
  visit({ viewport: { width: 390, height: 844 } }, async (page) => {
    await page.goto(at("docs/index.html"));
    const link = page.locator("nav").getByRole("link", { name: "The program" });
    assert.ok((await page.locator("nav").boundingBox()).height < 84, "less than a tenth of the screen");
    assert.equal(await link.isVisible(), false);
    await page.getByRole("button", { name: "Contents" }).click();
    await link.click();
    await page.getByRole("heading", { name: "The program", level: 1 }).waitFor();
    await page.setViewportSize({ width: 1440, height: 820 });
    await link.waitFor();
    assert.equal(await page.getByRole("button", { name: "Contents" }).isVisible(), false);
  }));
