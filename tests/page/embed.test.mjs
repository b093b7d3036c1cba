import assert from "node:assert/strict";
import { test } from "node:test";
import { ending, engines, fence, inWorkers, openDocument, retype, url, visit } from "./browser.mjs";

const at = (path) => new URL(path, url).href;

test("the documentation shows its stored output, then the live playground", () =>
  visit({ viewport: { width: 1440, height: 600 } }, async (page, { requests }) => {
    await page.goto(at("docs/document.html"));
    await page.getByRole("heading", { name: "The document", level: 1 }).waitFor();
    assert.ok(!requests.some((address) => address.endsWith(".wasm")), "a page without a playground loads no engine");
    const stories = await page.locator("nav li a").evaluateAll((links) => links.map((link) => link.getAttribute("href")).slice(1, 6));
    assert.deepEqual(stories, ["rbac", "node", "encryption", "rotation", "audit"].map((name) => `./${name}.html`));
    await page.getByRole("link", { name: "Who may do what" }).click();
    await page.getByRole("heading", { name: "Who may do what", level: 1 }).waitFor();
    const frame = page.frameLocator("portcullis-playground iframe");
    await frame.getByRole("heading", { name: /^[✓✗] (Allowed|Denied|Yes|No)\./ }).waitFor();
    await frame.getByRole("button", { name: "Open in Portcullis" }).waitFor();
    // The story stays beside it, with what its commands printed when it was written.
    await page.getByText("Jane's certificate says who she is").waitFor();
    await page.getByText('User "jane" cannot get secrets in the namespace "shop".').first().waitFor();
    assert.equal(await frame.getByRole("button", { name: "Share" }).isVisible(), false);
    // It follows the host's colours when they change, and what the reader has typed stays.
    await frame.getByRole("textbox", { name: "Requests" }).click();
    await page.keyboard.press("ControlOrMeta+a");
    await page.keyboard.insertText("kubectl get nodes --as reader");
    await frame.getByRole("heading", { name: /reader may not list nodes/ }).waitFor();
    const inside = page.frames().at(-1);
    const ground = () => inside.evaluate(() => getComputedStyle(window.document.body).backgroundColor);
    const grounds = [await ground()];
    for (const scheme of ["dark", "light"]) {
      await page.evaluate((scheme) => {
        window.document.documentElement.style.colorScheme = scheme;
      }, scheme);
      await inside.waitForFunction((scheme) => getComputedStyle(window.document.documentElement).colorScheme === scheme, scheme);
      grounds.push(await ground());
    }
    assert.equal(grounds[2], grounds[0]);
    assert.notEqual(grounds[1], grounds[0]);
    await frame.getByRole("heading", { name: /reader may not list nodes/ }).waitFor();
    // The host's styles do not reach in, and the page's do not reach out.
    assert.equal(await page.locator("main h1").evaluate((heading) => getComputedStyle(heading).fontFamily.includes("system-ui")), true);
  }));

test("an embedded playground takes documents from its host only, and keeps none", () =>
  visit({}, async (page) => {
    await page.goto(at("?embed"));
    await page.getByRole("heading", { name: /^[✓✗]/ }).waitFor();
    // Not from the parent: the page is its own.
    await page.evaluate(() => window.postMessage({ portcullis: 1, document: "```sh\nkubectl get nodes\n```\n", colorScheme: "" }, "*"));
    await page.getByText("1 of 1").waitFor({ timeout: 500 }).then(() => assert.fail("a stranger's document was opened"), () => undefined);
    await retype(page, "Requests", "kubectl get nodes --as reader");
    await page.getByRole("heading", { name: /reader may not list nodes/ }).waitFor();
    // A page that keeps what is typed does so after as long.
    await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 300)));
    assert.equal(await page.evaluate(() => localStorage.getItem("portcullis.document")), null);
  }));

/** Lets `test` have a host's page with a playground on it; `answer` serves its documents. */
const hosted = (playground, answer, test) =>
  visit({ viewport: { width: 1440, height: 900 } }, async (page, { context, complaints }) => {
    const host = at("host.html");
    const body = `<!doctype html><title>Host</title><script type="module" src="./embed.js"></script><main>${playground}</main><aside></aside>`;
    await context.route(host, (route) => route.fulfill({ contentType: "text/html", body }));
    await context.route(/\/hosted\/[^/]*$/, (route) => answer(route, new URL(route.request().url()).pathname.split("/").at(-1)));
    await page.goto(host);
    await test(page, page.frameLocator("portcullis-playground iframe"), { context, complaints });
  });

const asking = (who) => `\`\`\`sh\nkubectl get nodes --as ${who}\n\`\`\`\n`;
const set = (page, name, value) => page.locator("portcullis-playground").evaluate((element, [name, value]) => element.setAttribute(name, value), [name, value]);

test("a playground shows the document and the view that were asked for last", () => {
  let release;
  const held = new Promise((resolve) => (release = resolve));
  const answer = async (route, name) => {
    if (name === "slow.md") await held;
    await route.fulfill({ contentType: "text/markdown", body: asking(name.split(".")[0]) });
  };
  return hosted('<portcullis-playground src="hosted/first.md" view="etcd"></portcullis-playground>', answer, async (page, frame) => {
    await frame.getByRole("tab", { name: "etcd", selected: true }).waitFor();
    await set(page, "view", "verdicts");
    await frame.getByRole("heading", { name: /first may not list nodes/ }).waitFor();
    const inside = page.frames().at(-1);
    await inside.evaluate(() => {
      window.heard = [];
      addEventListener("message", ({ data }) => window.heard.push(data.document));
    });
    await set(page, "src", "hosted/slow.md");
    await set(page, "src", "hosted/fast.md");
    await frame.getByRole("heading", { name: /fast may not list nodes/ }).waitFor();
    const came = page.waitForResponse(/slow\.md$/);
    release();
    await (await came).finished();
    // Whatever comes of it comes before this.
    await set(page, "view", "access");
    await frame.getByRole("tab", { name: "Access", selected: true }).waitFor();
    assert.deepEqual([...new Set(await inside.evaluate(() => window.heard))], [asking("fast")]);
    // What the reader looks at stays until the host wants another.
    await frame.getByRole("tab", { name: "Audit" }).click();
    await set(page, "src", "hosted/third.md");
    await frame.getByRole("textbox", { name: "Requests" }).getByText("third").waitFor();
    await frame.getByRole("tab", { name: "Audit", selected: true }).waitFor();
  });
});

test("a document that does not come leaves what the host rendered, and says why", () => {
  const answer = (route, name) => (name === "gone.md" ? route.fulfill({ status: 404 }) : route.fulfill({ contentType: "text/markdown", body: asking("there") }));
  return hosted('<portcullis-playground src="hosted/gone.md"><p>Stored output.</p></portcullis-playground>', answer, async (page, frame, { complaints }) => {
    await page.getByText("could not be loaded: its server answered 404.").waitFor();
    assert.ok(await page.getByText("Stored output.").isVisible());
    assert.equal(await page.locator("portcullis-playground iframe").isVisible(), false);
    await set(page, "src", "hosted/there.md");
    await frame.getByRole("heading", { name: /there may not list nodes/ }).waitFor();
    assert.equal(await page.getByText("Stored output.").isVisible(), false);
    // Chromium itself tells of the status.
    complaints.splice(0, 1);
  });
});

test("a playground can be moved, and hears of the colours once", () => {
  let release;
  const held = new Promise((resolve) => (release = resolve));
  const stored = "<p>Stored output.</p>";
  const answer = (route) => route.fulfill({ contentType: "text/markdown", body: asking("moved") });
  return hosted("", answer, async (page, frame, { context }) => {
    await context.route(/index\.html/, async (route) => {
      await held;
      await route.continue().catch(() => undefined);
    });
    await page.locator("main").evaluate((main, stored) => {
      const playground = document.createElement("portcullis-playground");
      playground.setAttribute("src", "hosted/moved.md");
      playground.append(new DOMParser().parseFromString(stored, "text/html").querySelector("p"));
      main.append(playground);
    }, stored);
    for (const to of ["aside", "main", "aside"]) {
      await page.locator("portcullis-playground iframe").waitFor();
      await page.evaluate((to) => document.querySelector(to).append(document.querySelector("portcullis-playground")), to);
    }
    await page.locator("portcullis-playground iframe").waitFor();
    assert.ok(await page.getByText("Stored output.").isVisible());
    release();
    await frame.getByRole("heading", { name: /moved may not list nodes/ }).waitFor();
    assert.equal(await page.getByText("Stored output.").isVisible(), false);
    const inside = page.frames().at(-1);
    await inside.evaluate(() => {
      window.heard = 0;
      addEventListener("message", () => (window.heard += 1));
    });
    await page.emulateMedia({ colorScheme: "dark" });
    await inside.waitForFunction(() => window.heard > 0);
    await set(page, "view", "access");
    await frame.getByRole("tab", { name: "Access", selected: true }).waitFor();
    assert.equal(await inside.evaluate(() => window.heard), 2);
  });
});

test("a link says what is secret in it, and can leave it out", () =>
  visit({ permissions: ["clipboard-read", "clipboard-write"] }, async (page) => {
    const secret = "kind: Secret\napiVersion: v1\nmetadata: {name: db}\ndata: {password: c2VzYW1l}";
    await openDocument(page, fence("yaml", "secret.yaml", secret) + fence("sh", "", "kubectl get secret db"));
    await page.getByText("1 of 1").waitFor();
    await page.getByRole("button", { name: "Share" }).click();
    await page.getByText("data.password of Secret/db (secret.yaml:4)").waitFor();
    await page.getByRole("button", { name: "Copy without the secrets" }).click();
    await page.getByText(/^The link is copied/).waitFor();
    const link = await page.evaluate(() => navigator.clipboard.readText());
    assert.match(link, /#1\./);
    await page.evaluate(() => localStorage.clear());
    await page.goto("about:blank");
    await page.goto(link);
    await page.getByRole("textbox", { name: "secret.yaml" }).getByText("AAAAAAAA").waitFor();
  }));

test("access: who may do it, and what one may do", () =>
  visit({}, async (page) => {
    const policy = `kind: Role
apiVersion: rbac.authorization.k8s.io/v1beta1
metadata: {namespace: shop, name: developer}
rules:
- {apiGroups: [""], resources: [pods], verbs: [get, delete]}
---
kind: RoleBinding
apiVersion: rbac.authorization.k8s.io/v1beta1
metadata: {namespace: shop, name: developers}
subjects: [{kind: User, name: jane}]
roleRef: {kind: Role, name: developer}`;
    await page.addInitScript(() => {
      window.asked = 0;
      const { postMessage } = Worker.prototype;
      Worker.prototype.postMessage = function (question, ...more) {
        window.asked += question.name === "access";
        postMessage.call(this, question, ...more);
      };
    });
    await openDocument(page, fence("yaml", "cluster.yaml", policy) + fence("sh", "", "kubectl get nodes\nkubectl get pods"));
    await page.getByText("2 of 2").waitFor();
    await page.getByRole("tab", { name: "Access" }).click();
    // What is granted in one namespace shows before one is chosen, and first.
    await page.getByRole("heading", { name: "Who may do what with pods anywhere?" }).waitFor();
    assert.equal(await page.locator("table.access tbody th").first().textContent(), "jane");
    await page.getByRole("button", { name: "jane: get: in some namespaces" }).click();
    await page.getByText("RoleBinding/shop/developers → Role/shop/developer").waitFor();
    // The engine runs the document for it: not again where nothing else is asked.
    await page.getByRole("textbox", { name: "Requests" }).getByText("nodes").click();
    await page.getByText(/^Request 1: /).waitFor({ state: "attached" });
    await page.getByRole("combobox", { name: "Does" }).selectOption("get");
    await page.getByRole("heading", { name: "Who may get pods anywhere?" }).waitFor();
    await page.getByRole("combobox", { name: "Does" }).selectOption("");
    assert.equal(await page.evaluate(() => window.asked), 1);
    await page.getByRole("combobox", { name: "Where" }).selectOption("the whole cluster");
    await page.getByRole("heading", { name: "Who may do what with pods in the whole cluster?" }).waitFor();
    await page.getByRole("rowheader", { name: "jane" }).waitFor({ state: "detached" });
    await page.getByRole("combobox", { name: "Where" }).selectOption("shop");
    await page.getByRole("button", { name: "jane: delete: yes" }).click();
    await page.getByText("RoleBinding/shop/developers → Role/shop/developer").waitFor();
    await page.getByRole("combobox", { name: "Who" }).fill("jane");
    await page.keyboard.press("Enter");
    await page.getByRole("combobox", { name: "Does" }).selectOption("get");
    await page.getByRole("heading", { name: "May jane get pods in namespace shop?" }).waitFor();
    await page.getByRole("combobox", { name: "Does" }).selectOption("");
    await page.getByRole("combobox", { name: "With" }).selectOption("");
    await page.getByRole("heading", { name: "What may jane do in namespace shop?" }).waitFor();
    await page.getByRole("row", { name: /^pods/ }).waitFor();
    await page.getByRole("button", { name: "jane: delete: yes" }).waitFor({ state: "detached" });
    await page.getByRole("button", { name: "pods: get: yes" }).click();
    await page.getByRole("button", { name: "cluster.yaml:5" }).click();
    await page.getByRole("textbox", { name: "cluster.yaml" }).locator(".cm-here").first().waitFor();
  }));

test("access: a table of 500 subjects", () =>
  visit({}, async (page) => {
    const subjects = Array.from({ length: 500 }, (_, index) => `- {kind: User, name: user-${String(index).padStart(3, "0")}}`);
    const policy = `kind: ClusterRole
apiVersion: rbac.authorization.k8s.io/v1beta1
metadata: {name: runner}
rules:
- {apiGroups: [extensions], resources: [deployments/scale], verbs: [update]}
- {apiGroups: [extensions], resources: [podsecuritypolicies], resourceNames: [strict], verbs: [use]}
---
kind: ClusterRoleBinding
apiVersion: rbac.authorization.k8s.io/v1beta1
metadata: {name: runners}
roleRef: {kind: ClusterRole, name: runner}
subjects:
${subjects.join("\n")}`;
    await openDocument(page, fence("yaml", "cluster.yaml", policy) + fence("sh", "", "kubectl get pods"));
    await page.getByText("1 of 1").waitFor();
    await page.getByRole("tab", { name: "Access" }).click();
    await page.getByRole("combobox", { name: "With" }).selectOption("deployments.extensions/scale");
    await page.getByRole("combobox", { name: "Does" }).selectOption("update");
    await page.getByRole("heading", { name: "Who may update deployments.extensions/scale anywhere?" }).waitFor();
    await page.getByText(/^100 of 50\d rows\./).waitFor();
    await page.getByRole("button", { name: "Show more" }).click();
    await page.getByRole("button", { name: "user-499: update: yes" }).click();
    await page.getByText("Why user-499 may update deployments.extensions/scale").waitFor();
    await page.getByRole("button", { name: "cluster.yaml:512" }).click();
    await page.getByRole("textbox", { name: "cluster.yaml" }).locator(".cm-here").first().waitFor();
    // A verb of its own, and for one name only.
    await page.getByRole("combobox", { name: "Does" }).selectOption("");
    // Of many a part of the name is typed, and the browser offers those that have it.
    const who = page.getByRole("combobox", { name: "Who" });
    assert.ok(await who.evaluate((input) => [...input.list.options].some(({ value }) => value === "user-007")));
    await who.fill("user-007");
    await page.keyboard.press("Tab");
    await page.getByRole("combobox", { name: "With" }).selectOption("");
    await page.getByRole("button", { name: "podsecuritypolicies.extensions: use: some names" }).click();
    await page.getByText(/, only strict/).waitFor();
    // What was chosen means nothing in another document.
    await page.getByRole("combobox", { name: "Document" }).selectOption("Acting as somebody else");
    await page.getByRole("heading", { name: "Who may do what with pods anywhere?" }).waitFor();
    const legend = await page.getByText("◑ in some namespaces").boundingBox();
    assert.ok(legend.y < (await page.locator("table.access").boundingBox()).y);
  }));

for (const [name, options] of [
  ["wide", {}],
  ["narrow", { viewport: { width: 390, height: 844 } }],
]) {
  test(`a plain iframe shows the first example, or the document of its address: ${name}`, () =>
    visit(options, async (page, { context }) => {
      // A host of its own that runs no script.
      const host = at("host.html");
      const link = "#1.RcsxDoMwDAXQ3af4Ql1dqVMlFo7BGjdYIsXECJuht6869e2PmSlbmo6YV8cuH1iLxOFLTHSqqYSOGB7350DMTFRKqd7DTemG7XppTYNcuaJK5_bvYJbAW7pS91-jLw";
      await context.route(host, (route) =>
        route.fulfill({ contentType: "text/html", body: `<title>Host</title><iframe title="one" src="./?embed"></iframe><iframe title="two" src="./?embed${link}"></iframe>` }),
      );
      await page.goto(host);
      await page.frameLocator("[title=one]").getByRole("heading", { name: /^[✓✗] (Allowed|Denied|Yes|No)\./ }).waitFor();
      const two = page.frameLocator("[title=two]");
      await two.getByRole("heading", { name: "✗ No. jane may not list pods in namespace default." }).waitFor();
      // Both have one engine, and each its own document.
      await engines(context, 1);
      assert.equal(page.workers().length, 0);
      await two.getByRole("tab", { name: "Graph" }).click();
      await two.getByRole("heading", { name: "Nothing to draw." }).waitFor();
    }));
}

test("a document that fells the shared engine leaves the other playgrounds alive", () =>
  visit({}, async (page, { context }) => {
    await inWorkers(context, ending({ answer: '(pointer, length, document) => document.includes("boom")' }));
    const host = at("host.html");
    const frames = ["one", "two", "three"];
    const body = `<title>Host</title>${frames.map((title) => `<iframe title="${title}" width="1200" height="600" src="./?embed"></iframe>`).join("")}`;
    await context.route(host, (route) => route.fulfill({ contentType: "text/html", body }));
    await page.goto(host);
    const [one, two, three] = frames.map((title) => page.frameLocator(`[title=${title}]`));
    const type = (frame, text) => retype({ getByRole: (...given) => frame.getByRole(...given), keyboard: page.keyboard }, "Requests", text);
    for (const frame of [one, two, three]) await frame.getByRole("heading", { name: /^[✓✗] (Allowed|Denied|Yes|No)\./ }).waitFor();
    await type(two, "kubectl get nodes --as two");
    await two.getByRole("heading", { name: /two may not list nodes/ }).waitFor();
    await type(one, "echo boom");
    await one.getByText(/The engine stopped \(unreachable\) and was started again/).waitFor();
    assert.match(await one.getByRole("textbox", { name: "Requests" }).textContent(), /echo boom/);
    // The others show what they showed, answer what is asked next, and hear nothing of it.
    await two.getByRole("heading", { name: /two may not list nodes/ }).waitFor();
    await type(three, "kubectl get nodes --as three");
    await three.getByRole("heading", { name: /three may not list nodes/ }).waitFor();
    await type(two, "kubectl get pods --as two");
    await two.getByRole("heading", { name: /two may not list pods/ }).waitFor();
    for (const frame of [two, three]) assert.equal(await frame.getByText(/The engine stopped/).count(), 0);
    // Whoever felled it goes on with the next text.
    await type(one, "kubectl get nodes --as one");
    await one.getByRole("heading", { name: /one may not list nodes/ }).waitFor();
  }));
