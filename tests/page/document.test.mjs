import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { createServer } from "vite";

let server;
let Document;
let Text;
before(async () => {
  server = await createServer({ server: { middlewareMode: true }, appType: "custom", logLevel: "error", optimizeDeps: { noDiscovery: true } });
  ({ Document } = await server.ssrLoadModule("/web/document.ts"));
  ({ Text } = await server.ssrLoadModule("@codemirror/state"));
});
after(() => server.close());

const example = `---
title: Example
release: "1.7"
---

Prose.

\`\`\`yaml title="cluster.yaml"
kind: Role
rules: []
\`\`\`

\`\`\`console
$ kubectl get pods
NAME
a

# the next one fails
$ kubectl get \\
    secrets
Error
\`\`\`

  ~~~sh
  T="$(kubectl get sa
    -o name)"

  # a comment
  curl $T
  ~~~

The end.
`;

const documents = () => [
  "",
  "\n",
  "no fence\n",
  "```\nnothing\n",
  "```yaml\n```\n",
  "```yaml\na: 1",
  "````yaml\n```\n````\n",
  "<!--\n```sh\nnot read\n```\n-->\n```sh\nls\n```\n",
  "```console\nno command\n```\n",
  "```sh\necho 'never closed\nls\n```\n",
  "---\nfront: matter\n",
  "``` yaml title=a\na: 1\n```\n",
  example,
  readFileSync("tests/transcripts/requests.md", "utf8"),
  ...readdirSync("examples").map((name) => readFileSync(`examples/${name}`, "utf8")),
];

test("an untouched document is composed as it was", () => {
  for (const text of documents()) {
    const document = new Document(text);
    assert.equal(document.compose().text, text);
    document.setRequests(document.requests);
    for (const [number, file] of document.files.entries()) document.setFile(number, file.text);
    assert.equal(document.compose().text, text);
  }
});

test("every line of an editor is found from its line in the document", () => {
  for (const text of documents()) {
    const document = new Document(text);
    const editors = { requests: document.requests, ...document.files.map((file) => String(file.text)) };
    const all = document.compose();
    const seen = new Set();
    all.text.split("\n").forEach((line, index) => {
      const place = all.place(index + 1);
      if (!place) return;
      seen.add(`${place.editor}:${place.line}`);
      assert.equal(line.slice(place.indent), editors[place.editor].split("\n")[place.line - 1].slice(line === "" ? place.indent : 0));
    });
    for (const [name, editor] of Object.entries(editors)) {
      editor.split("\n").forEach((line, index) => assert.ok(line.trim() === "" || seen.has(`${name}:${index + 1}`), line));
    }
  }
});

test("the requests are the commands, without prompts and outputs", () => {
  assert.equal(
    new Document(example).requests,
    'kubectl get pods\n# the next one fails\nkubectl get \\\n    secrets\n\nT="$(kubectl get sa\n  -o name)"\n\n# a comment\ncurl $T',
  );
});

test("a script is divided into commands as the engine divides it", () => {
  for (const { script, commands } of JSON.parse(readFileSync("tests/commands.json", "utf8"))) {
    // Each command that moves into a fence with prompts gets its own, and the engine finds the same ones there.
    const document = new Document("```console\n$ ls\nout\n```\n");
    document.setRequests(script);
    const { text } = document.compose();
    const prompts = text.split("\n").filter((line) => line.startsWith("$ ") && !line.startsWith("$ #"));
    assert.deepEqual(prompts, commands.map((command) => `$ ${command.split("\n")[0]}`), script);
    const dense = (requests) => requests.replace(/\n+/g, "\n");
    assert.equal(dense(new Document(text).requests), dense(document.requests), script);
  }
});

test("edits of the requests change their own commands only", () => {
  const rows = [
    // what is typed, and what the document then has in its place
    [["kubectl get pods", "kubectl get nodes"], ["$ kubectl get pods\nNAME\na\n\n", "$ kubectl get nodes\n"]],
    [["    secrets", "    secrets\nkubectl version"], ["Error\n", "Error\n$ kubectl version\n"]],
    [["  -o name)\"", "  -o json)\""], ["-o name", "-o json"]],
    [["curl $T", "curl $T\ncurl -k $T"], ["  curl $T\n", "  curl $T\n  curl -k $T\n"]],
    [["\n\n# a comment\ncurl $T", ""], ["\n\n  # a comment\n  curl $T", ""]],
  ];
  for (const [[from, to], [old, now]] of rows) {
    const document = new Document(example);
    const requests = document.requests;
    document.setRequests(requests.replace(from, () => to));
    assert.equal(document.compose().text, example.replace(old, () => now));
    document.setRequests(requests);
    assert.equal(document.compose().text, example, "and back");
  }
});

test("requests that are no commands are taken whole, wherever they stand", () => {
  const http = 'POST /x HTTP/1.1\nHost: a\n\n{"a": "}\\"",\n\n"b": []}';
  const review = "apiVersion: v1\nkind: A\nspec:\n- b\n# c";
  const requests = [http, "ls", review, "---", 'GET /x HTTP/1.1', '{"kind": "C"}', "{\n}", "PUT /x HTTP/1.1\n\nkind: A\n  b", "POST /x HTTP/1.1"];
  const text = `${requests.join("\n")}\n\nkubectl get pods\n\n{"open":\n\nls`;
  const document = new Document(`\`\`\`console\n$ ls\nout\n\`\`\`\n`);
  document.setRequests(text);
  // Between outputs the separator is a comment.
  const composed = document.compose().text;
  const commands = [...requests, "kubectl get pods", '{"open":', "ls"];
  const prompts = composed.split("\n").filter((line) => line.startsWith("$ "));
  assert.deepEqual(prompts, commands.filter((command) => command !== "---").map((command) => `$ ${command.split("\n")[0]}`));
  assert.ok(composed.includes("\n# ---\n$ GET /x HTTP/1.1\n"));
  assert.equal(new Document(composed).compose().text, composed);
  assert.equal(new Document(`\`\`\`sh\n${text}\n\`\`\`\n`).requests, text);
});

test("a comment at the end is no output", () => {
  const document = new Document("```console\n$ ls\nout\n```\n");
  document.setRequests("ls\n# later");
  const { text } = document.compose();
  assert.equal(text, "```console\n$ ls\nout\n$ # later\n```\n");
  assert.equal(new Document(text).requests, "ls\n# later");
  assert.equal(new Document(text).compose().text, text);
});

test("requests find a home in a document that has none", () => {
  const document = new Document("```yaml\na: 1\n```\n");
  document.setRequests("kubectl get pods");
  assert.equal(document.compose().text, "```yaml\na: 1\n```\n\n```sh\nkubectl get pods\n```\n");
});

test("a text with fences in it stays inside its file", () => {
  const document = new Document("```yaml\na: 1\n```\n");
  document.setFile(0, Text.of(["a: |", "```", "b"]));
  const { text } = document.compose();
  assert.equal(text, "````yaml\na: |\n```\nb\n````\n");
  assert.equal(String(new Document(text).files[0].text), "a: |\n```\nb");
});

test("files come and go", () => {
  const document = new Document("# T\n\n```yaml\na: 1\n```\n");
  assert.equal(document.addFile("audit.yaml"), 1);
  document.setFile(1, Text.of(["kind: Policy"]));
  assert.equal(document.compose().text, '# T\n\n```yaml\na: 1\n```\n\n```yaml title="audit.yaml"\nkind: Policy\n```\n');
  document.removeFile(1);
  assert.deepEqual(document.files.map((file) => file.name), ["cluster.yaml"]);
});
