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
  "```sh\n```\n\n```sh\necho a\n```\n",
  "  ```yaml\n\"",
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

test("whatever stands between fences, an untouched document is composed as it was", () => {
  const lines = ["", "  ", "a: 1", "  b", "      c", "$ ls", "    $ ls '", "# d", "- e", "  1. f", "---", "```", "``` ", "  ```", "   ````", "~~~", "      ```", "```yaml", "  ```yaml", "    ```sh", "```sh", "   ~~~console", "```console", "```text title=x", "<!--", "-->"];
  let seed = 1;
  const any = (count) => {
    seed = (seed * 48271) % 2147483647;
    return seed % count;
  };
  for (let round = 0; round < 20_000; round += 1) {
    const text = Array.from({ length: 1 + any(14) }, () => lines[any(lines.length)]).join("\n");
    const document = new Document(text);
    assert.equal(document.compose().text, text);
    const [from, to] = [1 + any(14), 1 + any(14)];
    assert.equal(document.compose().lines(from, to), text.split("\n").slice(from - 1, to).join("\n"), text);
    const requests = document.requests.split("\n");
    const all = document.compose();
    for (const [index, line] of text.split("\n").entries()) {
      const place = all.place(index + 1);
      if (!place) continue;
      const shown = place.editor === "requests" ? requests[place.line - 1] : document.files[place.editor].text.line(place.line).text;
      assert.equal(line.slice(place.indent), shown, text);
    }
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

test("fences are found as the engine finds them", () => {
  for (const row of JSON.parse(readFileSync("tests/fences.json", "utf8"))) {
    const document = new Document(row.document);
    const composed = document.compose();
    assert.equal(composed.text, row.document.replace("\ufeff", "").replaceAll("\r", ""));
    const { files } = document;
    const last = (text) => text.replace(/\n$/, "");
    assert.deepEqual(
      files.map(({ name, text }) => [name.replace(/^cluster(-\d+)?\.yaml$/, ""), String(text)]),
      row.files.map(({ name, text }) => [name, last(text)]),
      row.document,
    );
    for (const [editor, { lines: [from, to], text }] of row.files.entries()) {
      if (text.trim() === "") continue;
      assert.equal(composed.place(from)?.editor, editor, row.document);
      assert.equal(composed.place(to)?.line, files[editor].text.lines, row.document);
      // An edit stays in its fence, and the engine's rules find it there again.
      document.setFile(editor, Text.of(["edited: true", "```", "~~~"]));
      assert.equal(String(new Document(document.compose().text).files[editor].text), "edited: true\n```\n~~~", row.document);
    }
    assert.equal(document.requests.replaceAll(/\n+/g, "\n"), row.commands.join("\n"), row.document);
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

test("what a step prints stays with it while others are edited", () => {
  const header = "$ GET /x\nHost: a\n$ Accept: b\nrefused\n$ echo c\ncc\n";
  const rows = [
    // the fence, what is typed in the requests, and what the fence then has in its place
    ["$ echo a |\n$ echo b\nbb\n$ echo c\ncc\n", ["echo c", "echo d"], ["$ echo c\ncc\n", "$ echo d\n"]],
    ["$ echo a |\n$ echo b\nbb\n$ echo c\ncc\n", ["echo c", "echo c\nls"], ["cc\n", "cc\n$ ls\n"]],
    ["$ echo a |\n$ echo b\nbb\n$ echo c\ncc\n", ["echo a |", "ls\necho a |"], ["$ echo a |", "$ ls\n$ echo a |"]],
    ["$ echo `\n?\n$ echo b\nbb\n$ echo ` c\ncc\n$ ls\n", ["ls", "ls -l"], ["$ ls", "$ ls -l"]],
    ["$ echo `\n?\n$ echo b\nbb\n$ echo ` c\ncc\n$ ls\n", ["echo b", "echo d"], ["$ echo b\nbb\n", "$ echo d\n"]],
    ["$ echo `\n?\n$ cat <<E\nb\nE\nb\n$ echo ` c\ncc\n", ["cat <<E", "cat -n <<E"], ["$ cat <<E\nb\nE\nb\n", "$ cat -n <<E\nb\nE\n"]],
    [header, ["echo c", "echo d"], ["$ echo c\ncc\n", "$ echo d\n"]],
    [header, ["echo c", ""], ["$ echo c\ncc\n", ""]],
    ["$ \n$ echo c\ncc\n", ["echo c", "echo d"], ["$ echo c\ncc\n", "$ echo d\n"]],
    // A step that cannot be read takes what is typed for it, ...
    ["$ echo a |\n$ echo c\ncc\n", ["echo a |", "echo a |\nwc"], ["$ echo a |", "$ echo a |\nwc"]],
    ["$ echo 'a\n$ echo c\ncc\n", ["'a", "'a\nb'"], ["'a", "'a\nb'"]],
    ["$ GET /x\n$ ls\n", ["GET /x", "GET /x\nHost: a"], ["GET /x", "GET /x\nHost: a"]],
    // ... and lines become one where they say so.
    ["$ echo 'a\n$ echo b\n$ echo c\n", ["echo c", "echo c'"], ["$ echo b\n$ echo c", "echo b\necho c'"]],
    ["$ echo 'a\nb'\n$ echo c\ncc\n", ["b'\n", ""], ["b'\n", ""]],
  ];
  for (const [fence, [from, to], [old, now]] of rows) {
    const text = `\`\`\`console\n${fence}\`\`\`\n`;
    // A blank line at the end is of the editor only.
    for (const end of ["", "\n", "\n  \n"]) {
      const document = new Document(text);
      const requests = document.requests + end;
      document.setRequests(requests);
      assert.equal(document.compose().text, text);
      document.setRequests(requests.replace(from, () => to));
      assert.equal(document.compose().text, text.replace(old, () => now));
    }
  }
});

test("whatever a session prints, an edit of one step leaves the others as they are", () => {
  const lines = ["$ ls", "$ echo a |", "$ echo '", "$ echo `", "$ cat <<E", "$ GET /x", "$ Host: a", "$ {", '$ {"a": [', "$ kind: A", "$ ", "$ a \\", "E", "b '", "`", "]}", "Host: b", "- c", "", "# d"];
  let seed = 1;
  const any = (count) => {
    seed = (seed * 48271) % 2147483647;
    return seed % count;
  };
  for (let round = 0; round < 5_000; round += 1) {
    const steps = () => Array.from({ length: any(8) }, () => `${lines[any(lines.length)]}\n`).join("");
    const [above, below] = [steps(), steps()];
    const text = (step) => `\`\`\`console\n${above}$ true\n\`\`\`\n\n\`\`\`console\n$ ${step}\n\`\`\`\n\n\`\`\`console\n$ true\n${below}\`\`\`\n`;
    const document = new Document(text("edit me"));
    document.setRequests(document.requests.replace("edit me", "edited"));
    assert.equal(document.compose().text, text("edited"));
  }
});

test("the work of reading requests grows with their length, whatever is left open", () => {
  // Characters that are looked at, and lines that are copied.
  const work = (run) => {
    const { charAt } = String.prototype;
    const { slice } = Array.prototype;
    let count = 0;
    String.prototype.charAt = function (at) {
      count += 1;
      return charAt.call(this, at);
    };
    Array.prototype.slice = function (...range) {
      const part = slice.apply(this, range);
      count += part.length;
      return part;
    };
    try {
      run();
    } finally {
      Object.assign(String.prototype, { charAt });
      Object.assign(Array.prototype, { slice });
    }
    return count;
  };
  const repeated = ["true", "echo a |", "echo '", "echo $(", 'echo "$(', "a \\", "a &&\n", "cat <<E", "POST /x\n\n{", '{"a": [', '{"\\"', "kind: A", "# a", "", "echo \"$(a '\n`b |"];
  const rows = [
    ...repeated.map((line) => (count) => `${line}\n`.repeat(count)),
    (count) => `echo '\n${"ls\n".repeat(count)}`,
    (count) => `${"cat <<E |\n".repeat(count)}E\n`,
    (count) => `${"cat <<E $(\n".repeat(count)}E\n${"ls\n".repeat(count)}`,
  ];
  for (const row of rows) {
    const [some, more] = [400, 1600].map((count) =>
      work(() => {
        const document = new Document(`\`\`\`sh\n${row(count)}\`\`\`\n`);
        document.setRequests(`${document.requests}\nls`);
        document.setRequests("");
        document.setRequests(row(count));
      }),
    );
    assert.ok(more < 5 * some, `${row(1)}: ${some} becomes ${more}`);
  }
});

test("a fence may have more lines than a function has arguments", () => {
  const lines = "a\n".repeat(300_000);
  for (const text of [`\`\`\`json\n${lines}\`\`\`\n`, `\`\`\`sh\ncat <<E\n${lines}E\n\`\`\`\n`]) {
    const document = new Document(text);
    document.setRequests(document.requests.replace("a", "b"));
    assert.equal(document.compose().text.length, text.length);
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

test("a prompt that was copied with a command is no part of it", () => {
  for (const [info, prompt] of [["console", "$ "], ["sh", ""]]) {
    const document = new Document(`\`\`\`${info}\n$ ls\n\`\`\`\n`.replace("$ ", prompt));
    document.setRequests("ls\n$ a \\\n b\n$ GET /x\nHost: a\n$ ls");
    const composed = document.compose();
    const lines = ["ls", "a \\\n b", "GET /x\nHost: a", "ls"].map((command) => prompt + command);
    assert.equal(composed.text, `\`\`\`${info}\n${lines.join("\n")}\n\`\`\`\n`);
    // The third column of the engine is the first of `a`, behind the prompt of the editor.
    assert.deepEqual(composed.place(3), { editor: "requests", line: 2, indent: prompt.length - 2 });
    assert.deepEqual(composed.place(4), { editor: "requests", line: 3, indent: 0 });
  }
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
  const script = new Document("~~~sh\nls\n~~~\n");
  script.setRequests("cat <<E\n~~~\nE");
  assert.equal(script.compose().text, "~~~~sh\ncat <<E\n~~~\nE\n~~~~\n");
});

test("files are added", () => {
  const document = new Document("# T\n\n```yaml\na: 1\n```\n");
  assert.equal(document.addFile("audit.yaml"), 1);
  document.setFile(1, Text.of(["kind: Policy"]));
  assert.equal(document.compose().text, '# T\n\n```yaml\na: 1\n```\n\n```yaml title="audit.yaml"\nkind: Policy\n```\n');
});

test("what is added stands outside a fence that was not closed, and inside the list item of its like", () => {
  const open = new Document("```yaml\na: 1\n");
  open.setRequests("ls");
  open.addFile("b.yaml");
  const text = '```yaml\na: 1\n```\n\n```yaml title="b.yaml"\n```\n\n```sh\nls\n```\n';
  assert.equal(open.compose().text, text);
  for (const [left, end] of [["<!--\na", "-->"], ["```\na", "```"], ["- b\n\n  ~~~~\n  a", "  ~~~~"], ["---\na: b", "---"]]) {
    for (const last of ["", "\n"]) {
      const prose = new Document(left + last);
      prose.setRequests("ls");
      prose.addFile("b.yaml");
      assert.equal(prose.compose().text, `${left}\n${end}\n\n\`\`\`yaml title="b.yaml"\n\`\`\`\n\n\`\`\`sh\nls\n\`\`\`\n`);
    }
  }
  const item = new Document("10. a\n\n    ```yaml\n    a: 1\n    ```\n\n    ```sh\n    ls\n    ```\n");
  item.addFile("b.yaml");
  const again = new Document(item.compose().text);
  assert.deepEqual([again.files.map(({ name }) => name), again.requests], [["cluster.yaml", "b.yaml"], "ls"]);
});
