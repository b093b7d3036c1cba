import assert from "node:assert/strict";
import { test } from "node:test";
import { chromium } from "playwright-core";

const url = process.env.PAGE_URL;
assert.ok(url, "PAGE_URL names the page: cargo xtask test page");

test("the page loads the wasm and says its version", async () => {
  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
  try {
    const page = await browser.newPage();
    await page.goto(url);
    await page.getByText(/^\d+\.\d+\.\d+$/).waitFor();
  } finally {
    await browser.close();
  }
});
