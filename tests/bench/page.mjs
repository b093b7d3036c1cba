// How fast the page is, in Chromium: `cargo xtask bench` starts this on the built page and shows what it prints.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { complete, url, visit } from "../page/browser.mjs";

const print = (name, value, unit, digits = value >= 100 ? 0 : 2) => console.log(`${name.padEnd(64)} ${value.toFixed(digits).padStart(12)} ${unit}`);
const quantile = (values, share) => values.toSorted((a, b) => a - b)[Math.ceil(values.length * share) - 1];

/** Chromium's clock from a key's own time stamp to the moment at which the verdicts of the new text are in the page. */
const stopwatch = () => {
  let pressed = 0;
  let settle;
  globalThis.bench = {
    longest: 0,
    arm() {
      globalThis.bench.taken = new Promise((resolve) => (settle = resolve));
    },
  };
  addEventListener("keydown", (event) => (pressed = event.timeStamp), true);
  addEventListener("DOMContentLoaded", () => {
    // Called when all is drawn: the page does it in one piece, and this text is its last.
    new MutationObserver(() => settle?.(performance.now() - pressed)).observe(document.querySelector("#timing"), { childList: true, characterData: true, subtree: true });
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) globalThis.bench.longest = Math.max(globalThis.bench.longest, duration);
    }).observe({ type: "longtask" });
  });
};

/** Presses a key, as fast as a person who sees what the last one did; how long the new verdicts took. */
async function press(page, key) {
  await page.evaluate(() => new Promise((painted) => requestAnimationFrame(() => setTimeout(painted))));
  await page.evaluate(() => globalThis.bench.arm());
  await page.keyboard.press(key);
  return page.evaluate(() => globalThis.bench.taken);
}

/** Types a letter at the end of a line and takes it back, as often as `lines` has numbers. */
async function type(page, editor, lines) {
  const taken = [];
  await editor.click();
  for (const line of lines) {
    await page.keyboard.press("ControlOrMeta+Home");
    for (let down = 0; down < line; down += 1) await page.keyboard.press("ArrowDown");
    await page.keyboard.press("End");
    for (const key of ["x", "Backspace"]) taken.push(await press(page, key));
  }
  return taken;
}

const numbers = (count, step) => Array.from({ length: count }, (_, index) => (index * step) % 24);

function dump(objects) {
  const binding = (at) =>
    `- apiVersion: rbac.authorization.k8s.io/v1beta1\n  kind: RoleBinding\n  metadata:\n    name: binding-${at}\n    namespace: ns-${at % 50}\n` +
    `  roleRef:\n    apiGroup: rbac.authorization.k8s.io\n    kind: ClusterRole\n    name: role-${at % 100}\n` +
    `  subjects:\n  - apiGroup: rbac.authorization.k8s.io\n    kind: User\n    name: user-${at}\n`;
  const role = (at) =>
    `- apiVersion: rbac.authorization.k8s.io/v1beta1\n  kind: ClusterRole\n  metadata:\n    name: role-${at}\n  rules:\n  - apiGroups:\n    - ""\n` +
    `    resources:\n    - pods\n    verbs:\n    - get\n    - list\n`;
  const items = Array.from({ length: objects }, (_, at) => (at < 100 ? role(at) : binding(at)));
  return `apiVersion: v1\nitems:\n${items.join("")}kind: List\nmetadata: {}\n`;
}

/** What was asked for before the first verdict was there, and how long a visitor with an empty cache waited for it. */
async function transferred() {
  await visit({}, async (page, { context }) => {
    // The page's own and its worker's.
    const asked = [];
    context.on("request", (request) => asked.push(request));
    await page.addInitScript(() => {
      addEventListener("DOMContentLoaded", () => {
        new MutationObserver(() => (globalThis.firstVerdict ??= performance.now())).observe(document.querySelector("#timing"), { childList: true });
      });
    });
    await page.goto(url);
    await complete(page);
    const told = await page.evaluate(() => performance.timeOrigin + globalThis.firstVerdict);
    const before = asked.filter((request) => request.timing().startTime < told);
    const sizes = await Promise.all(
      before.map(async (request) => [request.url(), gzipSync(await (await request.response()).body(), { level: 9 }).length]),
    );
    const sum = (found) => found.reduce((total, [, size]) => total + size, 0) / 1000;
    print("page: transferred before the first verdict, after gzip", sum(sizes), "kB");
    print("page: of these wasm", sum(sizes.filter(([address]) => address.endsWith(".wasm"))), "kB");
    print("page: from navigation to the first verdict", await page.evaluate(() => globalThis.firstVerdict), "ms");
  });
}

/** The least that a browser takes on this machine: a key in a text area, a text in the page; and that with a message to a worker and back. */
async function floor(far) {
  const taken = [];
  await visit({}, async (page) => {
    await page.addInitScript(stopwatch);
    await page.route(`${url}echo.html`, (route) =>
      route.fulfill({ contentType: "text/html", body: '<textarea></textarea><output id="timing"></output>' }),
    );
    await page.goto(`${url}echo.html`);
    await page.evaluate((far) => {
      const show = ({ data }) => document.querySelector("output").replaceChildren(data);
      const worker = new Worker(URL.createObjectURL(new Blob(["onmessage = ({ data }) => postMessage(data)"])));
      worker.onmessage = show;
      document.querySelector("textarea").oninput = ({ target }) => (far ? worker.postMessage(target.value) : show({ data: target.value }));
    }, far);
    await page.locator("textarea").focus();
    for (let pair = 0; pair < 60; pair += 1) for (const key of ["x", "Backspace"]) taken.push(await press(page, key));
  });
  return taken.slice(20);
}

async function examples() {
  const peer = await floor(true);
  for (const [name, taken] of [["an echo", await floor(false)], ["an echo of a worker", peer]]) {
    for (const share of [0.5, 0.95]) print(`page: keystroke to ${name}, p${share * 100}`, quantile(taken, share), "ms");
  }
  await visit({}, async (page) => {
    await page.addInitScript(stopwatch);
    await page.goto(url);
    await complete(page);
    const names = await page.getByRole("combobox", { name: "Document" }).locator("optgroup option").allTextContents();
    assert.ok(names.length > 0);
    for (const name of names) {
      await page.evaluate(() => globalThis.bench.arm());
      await page.getByRole("combobox", { name: "Document" }).selectOption({ label: name });
      await page.evaluate(() => globalThis.bench.taken);
      const file = page.locator("#file-panels").getByRole("textbox").locator("visible=true").first();
      const requests = page.getByRole("textbox", { name: "Requests" });
      // The first keys of a document meet a compiler that has not seen its code yet: a person's do too, once.
      await type(page, file, numbers(20, 5));
      const taken = [...(await type(page, file, numbers(30, 7))), ...(await type(page, requests, numbers(15, 5)))];
      for (const share of [0.5, 0.95]) {
        const found = quantile(taken, share);
        print(`page: keystroke to verdict, p${share * 100}, ${name}`, found, "ms");
        print("  that is", found / quantile(peer, share), "x an echo of a worker");
      }
    }
  });
}

async function dumps() {
  const directory = mkdtempSync(join(tmpdir(), "portcullis-bench-"));
  await visit({}, async (page) => {
    await page.addInitScript(stopwatch);
    await page.goto(url);
    await complete(page);
    const open = async (objects) => {
      const text = dump(objects);
      // A file of the disk, as the driver's own way to hand over bytes would hold up the page.
      const path = join(directory, `dump-${objects}.yaml`);
      writeFileSync(path, text);
      await page.evaluate(() => {
        globalThis.bench.longest = 0;
      });
      const start = performance.now();
      await page.locator("#file").setInputFiles(path);
      await page.getByRole("progressbar").waitFor();
      await page.getByRole("progressbar").waitFor({ state: "detached", timeout: 300_000 });
      const name = `${objects} objects, ${(text.length / 1e6).toFixed(0)} MB`;
      print(`page: a dump opened, ${name}`, performance.now() - start, "ms");
      print(`page: longest task of the page meanwhile, ${name}`, await page.evaluate(() => globalThis.bench.longest), "ms");
    };
    await open(10_000);
    const file = page.locator("#file-panels").getByRole("textbox").locator("visible=true").first();
    const taken = await type(page, file, numbers(10, 7).map((line) => 5 + line));
    await page.keyboard.press("ControlOrMeta+End");
    // From the end upwards: every line of three bindings.
    for (let up = 0; up < 40; up += 1) {
      await page.keyboard.press("ArrowUp");
      await page.keyboard.press("End");
      for (const key of ["x", "Backspace"]) taken.push(await press(page, key));
    }
    print("page: keystroke to verdict, p50, 10000 objects, one edited", quantile(taken, 0.5), "ms");
    print("page: keystroke to verdict, p95, 10000 objects, one edited", quantile(taken, 0.95), "ms");
    await page.reload();
    await complete(page);
    await open(140_000);
  });
  rmSync(directory, { recursive: true });
}

await transferred();
await examples();
await dumps();
