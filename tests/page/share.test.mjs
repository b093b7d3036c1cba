import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createServer } from "vite";

let server;
let share;
before(async () => {
  server = await createServer({ server: { middlewareMode: true }, appType: "custom", logLevel: "error", optimizeDeps: { noDiscovery: true } });
  share = await server.ssrLoadModule("/web/link.ts");
});
after(() => server.close());

const hash = (link) => new URL(link).hash;

test("a document survives its link", async () => {
  for (const document of ["", "a", "# Rollen\n\n```yaml\nkind: Role\n```\n", "é😀\u2028<script>", "x".repeat(200_000)]) {
    const link = await share.linkTo(document, "https://example.org/docs/portcullis/?embed#old");
    assert.equal(new URL(link).pathname, "/docs/portcullis/");
    assert.deepEqual(await share.openLink(hash(link)), { document });
  }
});

// Links that were made once must open for ever: rows are added here, never changed.
const stored = [
  [
    "#1.RcsxDoMwDAXQ3af4Ql1dqVMlFo7BGjdYIsXECJuht6869e2PmSlbmo6YV8cuH1iLxOFLTHSqqYSOGB7350DMTFRKqd7DTemG7XppTYNcuaJK5_bvYJbAW7pS91-jLw",
    '---\ntitle: Who may list pods?\nrelease: "1.7"\n---\n\n```console\n$ kubectl auth can-i list pods --as jane\nno\n```\n',
  ],
];

test("links of earlier days open", async () => {
  for (const [link, document] of stored) assert.deepEqual(await share.openLink(link), { document });
});

test("what is no link, or a broken one, says so", async () => {
  assert.equal(await share.openLink(""), undefined);
  assert.equal(await share.openLink("#section"), undefined);
  const whole = hash(await share.linkTo("kind: Role\n".repeat(20), "https://example.org/"));
  for (const [link, problem] of [
    ["#2.abc", /version 2/],
    ["#1.a b", /damaged/],
    ["#1.%00", /damaged/],
    [whole.slice(0, -4), /cut off/],
    ["#1.", /cut off/],
    ["#1", /cut off/],
    [hash(await share.linkTo("x".repeat(5 << 20), "https://example.org/")), /more than 4 MB/],
  ]) {
    assert.match((await share.openLink(link)).problem, problem, link.slice(0, 40));
  }
});
