//! What in a document should not be given away with a link: Secret data, encryption keys, credentials. They stand in files, in
//! commands and what these are given to read, and in what commands print, where a value known from elsewhere counts too.
//!
//! Redacting keeps the document's form: every letter and digit of a secret becomes an `A`, so that lines and columns stay,
//! base64 stays base64 and a key keeps its length. Of a JSON Web Token only the signature goes: the claims are what a
//! verdict is made of, and without its signature nobody can use it.

use std::ops::Range;
use std::rc::Rc;

use ::base64::Engine;
use ::base64::engine::general_purpose::STANDARD;
use portcullis_core::manifest::{self, Object, PathStep, Value, base64};
use portcullis_core::sort;

use crate::arguments::{Argument, Arguments};
use crate::shell::{self, Typed};
use crate::transcript::{self, Action, Block, File, Step};

/// A part of a document that is somebody's secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    /// What it is, for a list: `data.password of Secret/default/mysecret`.
    pub what: String,
    /// First line in the document, from 1.
    pub line: u32,
    /// Byte ranges in the document.
    pub ranges: Vec<Range<usize>>,
}

/// The secrets of the document `text`, in the order of their lines.
pub fn find(text: &str) -> Vec<Secret> {
    let mut starts = vec![0];
    starts.extend(text.match_indices('\n').map(|(at, _)| at + 1));
    let mut found = Found { text, starts, typed: false, secrets: Vec::new(), values: Vec::new() };
    let mut printed = Vec::new();
    let users = files_of_users(text);
    for block in transcript::read("", text).blocks {
        match &block {
            Block::File(file) => {
                found.manifests(file.line, &file.text);
                let named = users.iter().any(|name| *name == last_of(&file.name));
                if named || !file.manifest && holds_users(&file.text) {
                    found.users(file);
                }
            }
            Block::Step(step) => {
                found.step(step);
                if let Some(text) = &step.expected {
                    let first = step.end_line + 1;
                    found.printed(first, text);
                    printed.push(found.start(first)..found.start(first + text.matches('\n').count() as u32 + 1));
                }
            }
        }
    }
    found.texts();
    found.again(&printed);
    sort::by(&mut found.secrets, |one, other| one.line.cmp(&other.line));
    found.secrets
}

/// The document with its secrets made unusable.
pub fn redact(text: &str) -> String {
    let mut hidden: Vec<Range<usize>> = find(text).into_iter().flat_map(|secret| secret.ranges).collect();
    sort::by(&mut hidden, |one, other| one.start.cmp(&other.start));
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for range in hidden {
        out.push_str(text.get(at..range.start).unwrap_or_default());
        let secret = text.get(range.start.max(at)..range.end).unwrap_or_default();
        out.extend(secret.chars().map(|char| if char.is_alphanumeric() || "+/-_".contains(char) { 'A' } else { char }));
        at = at.max(range.end);
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

struct Found<'a> {
    text: &'a str,
    /// Where each line begins.
    starts: Vec<usize>,
    /// Whether a shell puts in its variables where we are.
    typed: bool,
    secrets: Vec<Secret>,
    /// What is known of their values, each with its secret's index.
    values: Vec<(usize, String)>,
}

impl<'a> Found<'a> {
    fn manifests(&mut self, line: u32, text: &str) {
        let source: Rc<str> = "".into();
        for document in manifest::parse(&source, line, text).0 {
            for object in manifest::objects(document).0 {
                self.object(&object);
            }
        }
    }

    /// What a command prints is an object, behind the headers of HTTP if they are asked for; `...` stands for lines.
    fn printed(&mut self, line: u32, text: &str) {
        let begins = |line: &str| line.starts_with('{') || line.starts_with("apiVersion:");
        let before = text.lines().position(begins).unwrap_or_default();
        let mut object = String::new();
        for line in text.lines().skip(before) {
            object.push_str(if line == "..." { "" } else { line });
            object.push('\n');
        }
        self.manifests(line + before as u32, &object);
    }

    fn step(&mut self, step: &Step) {
        let line = |at: usize| step.line + step.command.get(..at).unwrap_or_default().matches('\n').count() as u32;
        let script;
        let commands = match &step.action {
            Ok(Action::Script(script)) => script.commands(),
            Ok(Action::Http(_) | Action::Manifest(..)) => Vec::new(),
            // It may be another's fault that it is not run.
            Err(_) => {
                script = shell::read(&step.command).map(|(script, _)| script).unwrap_or_default();
                script.commands()
            }
        };
        self.typed = true;
        for range in &step.manifests {
            let text = step.command.get(range.start..range.end.min(step.command.len())).unwrap_or_default();
            // `<<-` takes tabs away, and elsewhere YAML allows none.
            let lines: Vec<&str> = text.lines().map(|line| line.trim_start_matches('\t')).collect();
            self.manifests(line(range.start), &lines.join("\n"));
        }
        for (text, place) in commands.iter().flatten().filter(|(text, _)| text.contains(':')) {
            self.manifests(line(place.start), &text.replace('\0', "$"));
        }
        self.typed = false;
        for words in &commands {
            self.command(step, words);
        }
    }

    fn command(&mut self, step: &Step, words: &[Typed]) {
        use Argument::{Long, Short};
        for (text, place) in words.iter().take_while(|(text, _)| text.contains('=')) {
            if let Some((name, value)) = text.split_once('=')
                && let Some(what) = [("TOKEN", "a token"), ("PASSWORD", "a password")]
                    .iter()
                    .find_map(|(end, what)| name.to_ascii_uppercase().ends_with(end).then_some(*what))
            {
                self.word(what, step, place, value);
            }
        }
        let (program, words) = shell::program(words);
        let texts: Vec<String> = words.iter().map(|(text, _)| text.clone()).collect();
        let creates_secret = texts.iter().any(|text| text == "secret");
        let mut parts = Arguments::new(&texts);
        while let Some(part) = parts.next() {
            let what = match (program, part) {
                ("curl", Short('u') | Long("user")) => "a password",
                ("curl", Short('X' | 'H' | 'd' | 'D' | 'o' | 'w' | 'E' | 'A' | 'm')) => "",
                ("kubectl", Long("from-literal")) if creates_secret => "a Secret",
                ("kubectl", Long("password" | "docker-password")) => "a password",
                ("kubectl", Long("token")) | ("curl", Long("oauth2-bearer")) => "a token",
                _ => continue,
            };
            let Some(given) = parts.value() else { return };
            let (what, value) = match part {
                Long("from-literal") => match given.split_once('=') {
                    Some((key, value)) => (format!("{key} of {what}"), value),
                    None => continue,
                },
                Short('u') | Long("user") => (what.to_owned(), given.split_once(':').map_or("", |(_, value)| value)),
                _ => (what.to_owned(), given),
            };
            let at = words.len().checked_sub(parts.left() + 1);
            if !what.is_empty()
                && let Some((_, place)) = at.and_then(|at| words.get(at))
            {
                self.word(&what, step, place, value);
            }
        }
    }

    /// The value that a word ends with.
    fn word(&mut self, what: &str, step: &Step, place: &Range<usize>, value: &str) {
        if is_web_token(value) {
            return;
        }
        let raw = step.command.get(place.clone()).unwrap_or_default();
        let mut ranges = Vec::new();
        // What is put in between them gives nothing away.
        for piece in value.split('\0').filter(|piece| !piece.is_empty()) {
            let (from, to) = match raw.rfind(piece) {
                Some(at) => (at, at + piece.len()),
                // Quotes stand within it.
                None => (raw.find(['=', ':']).map_or(0, |at| at + 1), raw.len()),
            };
            ranges.push(self.typed_at(step, place.start + from)..self.typed_at(step, place.start + to));
        }
        let line = ranges.first().map_or(step.line, |range| self.line(range.start));
        self.push(what, line, ranges, value);
    }

    /// Where in the document the byte `at` of a command stands, whose lines may be indented.
    fn typed_at(&self, step: &Step, at: usize) -> usize {
        let before = step.command.get(..at).unwrap_or_default();
        let row = before.matches('\n').count();
        let length = step.command.split('\n').nth(row).unwrap_or_default().trim_end().len();
        let start = self.start(step.line + row as u32);
        let line = self.text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default().trim_end().len();
        start + line.saturating_sub(length) + before.rsplit('\n').next().unwrap_or_default().len()
    }

    /// The first column of a file that `--token-auth-file` or `--basic-auth-file` reads.
    fn users(&mut self, file: &File) {
        for (line, row) in (file.line..).zip(file.text.lines()) {
            let (secret, rest) = match row.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
                None => row.split_at(row.find(',').unwrap_or(row.len())),
            };
            let user = rest.split(',').nth(1).unwrap_or_default();
            let start = self.start(line);
            let stands = self.text.get(start..).and_then(|rest| rest.lines().next()?.find(secret));
            if !secret.is_empty()
                && !is_web_token(secret)
                && let Some(at) = stands
            {
                let range = start + at..start + at + secret.len();
                self.push(&format!("the token or password of {user}"), line, vec![range], secret);
            }
        }
    }

    fn object(&mut self, object: &Object) {
        use PathStep::{Index, Key};
        match object.kind() {
            "Secret" => {
                for part in ["data", "stringData"] {
                    let members = object.value.get(part).and_then(Value::as_object);
                    for (name, value) in members.into_iter().flatten() {
                        self.value(object, &[Key(part), Key(name)], value);
                    }
                }
                let applied = "kubectl.kubernetes.io/last-applied-configuration";
                if let Some(value) = object.metadata().and_then(|metadata| metadata.get("annotations")?.get(applied)) {
                    self.value(object, &[Key("metadata"), Key("annotations"), Key(applied)], value);
                }
            }
            "EncryptionConfig" | "EncryptionConfiguration" => {
                for (resource, entry) in items(object.value.get("resources")) {
                    for (provider, kinds) in items(entry.get("providers")) {
                        for (kind, configuration) in kinds.as_object().into_iter().flatten() {
                            for (key, entry) in items(configuration.get("keys")) {
                                if let Some(value) = entry.get("secret") {
                                    let path = [
                                        Key("resources"),
                                        Index(resource),
                                        Key("providers"),
                                        Index(provider),
                                        Key(kind),
                                        Key("keys"),
                                        Index(key),
                                        Key("secret"),
                                    ];
                                    self.value(object, &path, value);
                                }
                            }
                        }
                    }
                }
            }
            "Config" => {
                for (user, entry) in items(object.value.get("users")) {
                    for field in ["token", "password", "client-key-data"] {
                        if let Some(value) = entry.get("user").and_then(|user| user.get(field)) {
                            self.value(object, &[Key("users"), Index(user), Key("user"), Key(field)], value);
                        }
                    }
                }
            }
            _ => {}
        }
    }

    /// The words of a value, where they stand in the lines of its place.
    fn value(&mut self, object: &Object, path: &[PathStep<'_>], value: &Value) {
        let location = object.location(path);
        let (Some(place), Some(secret)) = (location.place, value.as_str()) else { return };
        if self.typed && secret.starts_with('$') {
            return;
        }
        let lines = self.start(place.line)..self.start(place.end_line + 1);
        let Some(around) = self.text.get(lines.clone()) else { return };
        // The key, and what else stands in the line, may hold the secret's words.
        let key = path.last().and_then(|step| match step {
            PathStep::Key(key) => behind(around, key),
            PathStep::Index(_) => None,
        });
        let from = key.unwrap_or_else(|| around.find(':').map_or(0, |colon| colon + 1));
        let mut ranges = Vec::new();
        let mut at = from;
        for word in secret.split_whitespace() {
            let Some(found) = around.get(at..).and_then(|rest| rest.find(word)) else {
                // Escapes stand between the value and its text: all of it goes.
                ranges.clear();
                ranges.push(lines.start + from..lines.end);
                break;
            };
            ranges.push(lines.start + at + found..lines.start + at + found + word.len());
            at += found + word.len();
        }
        self.push(
            &format!("{} of {}", location.path, location.object.trim_end_matches('/')),
            place.line,
            ranges,
            secret,
        );
    }

    fn push(&mut self, what: &str, line: u32, ranges: Vec<Range<usize>>, value: &str) {
        if ranges.is_empty() {
            return;
        }
        self.values.push((self.secrets.len(), value.to_owned()));
        self.secrets.push(Secret { what: what.to_owned(), line, ranges });
    }

    /// What of the secrets found is printed in these `places`, as it is or in base64.
    fn again(&mut self, places: &[Range<usize>]) {
        for (index, value) in &self.values {
            let Some(secret) = self.secrets.get_mut(*index) else { continue };
            let decoded = base64::decode(value.as_bytes()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let forms = [Some(value.clone()), Some(STANDARD.encode(value)), decoded];
            // A shorter word is nobody's secret, and many another's part.
            for form in forms.into_iter().flatten().filter(|form| form.len() > 3 && !is_web_token(form)) {
                for place in places {
                    let text = self.text.get(place.clone()).unwrap_or_default();
                    for (at, _) in text.match_indices(&form) {
                        let (before, rest) = text.split_at(at);
                        let behind = rest.get(form.len()..).and_then(|rest| rest.chars().next());
                        if ![before.chars().next_back(), behind].into_iter().flatten().any(char::is_alphanumeric) {
                            secret.ranges.push(place.start + at..place.start + at + form.len());
                        }
                    }
                }
            }
        }
    }

    fn start(&self, line: u32) -> usize {
        self.starts.get((line as usize).saturating_sub(1)).copied().unwrap_or(self.text.len())
    }

    fn line(&self, at: usize) -> u32 {
        self.starts.partition_point(|start| *start <= at) as u32
    }

    /// Private keys, tokens and passwords that are told by their own form, wherever they stand.
    fn texts(&mut self) {
        let text = self.text;
        let mut at = 0;
        while let Some(begin) = text.get(at..).and_then(|rest| rest.find("PRIVATE KEY-----\n")) {
            let from = at + begin + "PRIVATE KEY-----\n".len();
            let to = text.get(from..).and_then(|rest| rest.find("-----END")).map_or(text.len(), |end| from + end);
            self.add("a private key", from..to);
            at = text.get(to..).and_then(|rest| rest.find('\n')).map_or(text.len(), |end| to + end + 1);
        }
        let mut at = 0;
        for word in text.split(|char: char| !(char.is_ascii_alphanumeric() || "-_.".contains(char))) {
            if is_web_token(word) {
                let end = at + word.len();
                let signature = word.rsplit('.').next().unwrap_or_default().len();
                self.add("the signature of a token", end - signature..end);
            }
            at +=
                word.len() + text.get(at + word.len()..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
        }
        // Where no command can be read, as in prose, a flag is told by its `=`, and a header by its colon.
        let lower = text.to_ascii_lowercase();
        for (marker, what) in [
            ("bearer ", "a bearer token"),
            ("basic ", "a password"),
            ("--token=", "a token"),
            ("password=", "a password"),
        ] {
            for (at, _) in lower.match_indices(marker) {
                let before = text.get(..at).unwrap_or_default().trim_end_matches([' ', '"', '\'', '[']);
                let from = at + marker.len();
                let rest = text.get(from..).unwrap_or_default();
                let secret = rest.trim_start_matches(['"', '\'']);
                let from = from + rest.len() - secret.len();
                let ends = |char: char| char.is_whitespace() || "\"'`\\".contains(char);
                let secret = secret.split(ends).next().unwrap_or_default();
                let stands = match marker.ends_with('=') {
                    true => marker.starts_with('-') || before.ends_with("--") || before.ends_with("--docker-"),
                    false => before.ends_with([':', '=']),
                };
                // A variable gives nothing away, and a web token has been dealt with.
                if stands && !secret.starts_with('$') && !is_web_token(secret) {
                    self.add(what, from..from + secret.len());
                }
            }
        }
    }

    /// Adds what is not known yet.
    fn add(&mut self, what: &str, range: Range<usize>) {
        let mut known = self.secrets.iter().flat_map(|secret| &secret.ranges);
        if known.any(|known| known.start < range.end && range.start < known.end) {
            return;
        }
        if let Some(value) = self.text.get(range.clone()).filter(|value| !value.is_empty()) {
            self.push(what, self.line(range.start), vec![range], value);
        }
    }
}

/// The names of the files that hold users, wherever a flag of the API server names them.
fn files_of_users(text: &str) -> Vec<&str> {
    let flags = text.match_indices("-auth-file").filter_map(|(at, flag)| text.get(at + flag.len()..));
    let separators = |char: char| char.is_whitespace() || "=,\"'`]\\".contains(char);
    flags.filter_map(|rest| rest.split(separators).find(|word| !word.is_empty())).map(last_of).collect()
}

/// Whether each line of a text is one of a token or password file, as its columns tell.
fn holds_users(text: &str) -> bool {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty()).peekable();
    let holds_user = |line: &str| !line.contains([' ', '{']) && line.split(',').nth(2).is_some();
    lines.peek().is_some() && lines.all(holds_user)
}

fn is_web_token(word: &str) -> bool {
    let mut parts = word.split('.');
    let mut next = || parts.next().unwrap_or_default();
    next().starts_with("eyJ") && next().starts_with("eyJ") && !next().is_empty() && parts.next().is_none()
}

fn last_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// Where in `text` that begins which stands behind `key` and its colon.
fn behind(text: &str, key: &str) -> Option<usize> {
    text.match_indices(key).find_map(|(at, _)| {
        let rest = text.get(at + key.len()..)?;
        let after = rest.strip_prefix(['"', '\'']).unwrap_or(rest).trim_start().strip_prefix(':')?;
        let begins =
            text.get(..at)?.chars().next_back().is_none_or(|before| !before.is_alphanumeric() && before != '-');
        begins.then_some(text.len() - after.len())
    })
}

fn items(value: Option<&Value>) -> impl Iterator<Item = (usize, &Value)> {
    value.and_then(Value::as_array).into_iter().flatten().enumerate()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = r#"# Keys

```yaml
kind: Secret
metadata: {name: db, namespace: shop}
data:
  cGFz: cGFzcw==
  note: |
    aGVs
    bG8=
stringData: {user: "jo\u0065", cGFz: cGFz}
---
kind: EncryptionConfig
resources:
- resources: [secrets]
  providers:
  - aescbc:
      keys:
      - name: key1
        secret: YWVzY2JjLWtleS0xMjM0NTY3ODkwMTIzNDU2Nzg5MA==
---
kind: ConfigMap
data: {password: shown}
```

```console
$ curl -H "Authorization: Bearer $TOKEN" https://apiserver:6443/api
$ curl -H "Authorization: Bearer sesame" https://apiserver:6443/api
$ curl -H "Authorization: Bearer eyJh.eyJp.c2ln" https://apiserver:6443/api
```

```text title="tls.key"
-----BEGIN RSA PRIVATE KEY-----
MIIE+/x=
-----END RSA PRIVATE KEY-----
```
"#;

    #[test]
    fn what_is_secret_is_named_with_its_line() {
        let found: Vec<_> = find(DOCUMENT).into_iter().map(|secret| (secret.line, secret.what)).collect();
        let expected = [
            (7, "data.cGFz of Secret/shop/db"),
            (8, "data.note of Secret/shop/db"),
            (11, "stringData.user of Secret/shop/db"),
            (11, "stringData.cGFz of Secret/shop/db"),
            (20, "resources[0].providers[0].aescbc.keys[0].secret of EncryptionConfig"),
            (28, "a bearer token"),
            (29, "the signature of a token"),
            (34, "a private key"),
        ];
        assert_eq!(found.iter().map(|(line, what)| (*line, what.as_str())).collect::<Vec<_>>(), expected);
        assert_eq!(find("# Nothing\n\n```yaml\nkind: Secret\n```\n"), []);
    }

    #[test]
    fn a_redacted_document_has_the_same_form_and_no_secrets() {
        let redacted = redact(DOCUMENT);
        assert_eq!(
            redacted.lines().map(str::len).collect::<Vec<_>>(),
            DOCUMENT.lines().map(str::len).collect::<Vec<_>>()
        );
        for (line, expected) in [
            (7, "  cGFz: AAAAAA=="),
            (9, "    AAAA"),
            (10, "    AAA="),
            (20, "        secret: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="),
            (23, "data: {password: shown}"),
            (27, "$ curl -H \"Authorization: Bearer $TOKEN\" https://apiserver:6443/api"),
            (28, "$ curl -H \"Authorization: Bearer AAAAAA\" https://apiserver:6443/api"),
            (29, "$ curl -H \"Authorization: Bearer eyJh.eyJp.AAAA\" https://apiserver:6443/api"),
            (34, "AAAAAAA="),
        ] {
            assert_eq!(redacted.lines().nth(line - 1), Some(expected), "line {line}");
        }
        assert!(!redacted.contains("jo\\u0065"));
        assert_eq!(redact(&redacted), redacted);
    }

    /// Small documents; the secrets of each, and what nobody may read in it afterwards.
    #[test]
    fn secrets_are_found_wherever_people_put_them() {
        const SECRET: &str = "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\ndata:\n  pass: aHVudGVyMg==\n";
        let rows: &[(String, &[&str], &[&str])] = &[
            (
                steps("$ kubectl create secret generic db --from-literal=password=hunter2 --from-literal user='p w'"),
                &["2 password of a Secret", "2 user of a Secret"],
                &["hunter2", "p w"],
            ),
            (
                steps("$ kubectl create secret docker-registry r --docker-password hunter2 --docker-username=jane"),
                &["2 a password"],
                &["hunter2"],
            ),
            (steps("$ kubectl create configmap shown --from-literal=password=shown"), &[], &[]),
            (steps("$ kubectl create rolebinding r --role=r --user=system:node:a"), &[], &[]),
            (steps(&format!("$ cat <<EOF | kubectl create -f -\n{SECRET}EOF")), &["7 data.pass of Secret/db"], &["aHVudG"]),
            (
                steps(&format!("$ kubectl create -f - <<-'EOF' | wc\n\t{}\n\tEOF", SECRET.trim_end().replace('\n', "\n\t"))),
                &["7 data.pass of Secret/db"],
                &["aHVudG"],
            ),
            (
                steps("$ kubectl create -f - <<EOF\nkind: Secret\nstringData: {a: $PASSWORD, b: hunter2}\nEOF"),
                &["4 stringData.b of Secret"],
                &["hunter2"],
            ),
            (
                steps("$ curl -d '{\"kind\": \"Secret\", \"stringData\": {\"a\": \"hunter2\"}}' https://apiserver:6443/"),
                &["2 stringData.a of Secret"],
                &["hunter2"],
            ),
            (steps("$ curl -sku admin:admin https://apiserver:6443/"), &["2 a password"], &[":admin"]),
            (steps("$ sudo curl --user 'admin:$it' https://apiserver:6443/"), &["2 a password"], &["$it"]),
            (steps("$ curl -u admin https://apiserver:6443/ -H'user: shown'"), &[], &[]),
            (steps("$ /usr/bin/curl --oauth2-bearer \\\n    sesame https://apiserver:6443/"), &["3 a token"], &["sesame"]),
            (steps("$ kubectl --token sesame get pods"), &["2 a token"], &["sesame"]),
            (steps("$ kubectl get pods --token=\"se\\\"same\""), &["2 a token"], &["same"]),
            (steps("$ kubectl config set-credentials jane --password=hunter2"), &["2 a password"], &["hunter2"]),
            (steps("$ TOKEN=sesame kubectl --token=$TOKEN get pods --token=\"${TOKEN}\""), &["2 a token"], &["sesame"]),
            (steps("$ echo `kubectl get pods --token=sesame` $(kubectl --token open get pods)"), &["2 a token", "2 a token"], &["sesame", "open"]),
            (steps("$ curl -H 'authorization: bearer sesame' https://apiserver:6443/"), &["2 a bearer token"], &["sesame"]),
            ("It is a bearer token, which Basic authentication is not.\n".to_owned(), &[], &[]),
            ("Jane calls `kubectl --token=sesame get pods`.\n".to_owned(), &["1 a token"], &["sesame"]),
            ("```sh\nfor a in b; do\nkubectl --token=sesame get pods\n```\n".to_owned(), &["3 a token"], &["sesame"]),
            ("```sh\necho 'a\nkubectl get pods --password=hunter2\n```\n".to_owned(), &["3 a password"], &["hunter2"]),
            (
                format!("- Item\n\n  {}", steps("$ kubectl \\\n  --token sesame get pods\nFrom sesame").replace('\n', "\n  ")),
                &["5 a token"],
                &["sesame"],
            ),
            (
                "```text title=\"users\"\nsesame,jane,1\n\"open,now\",joe,2,\"a,b\"\n```\n".to_owned(),
                &["2 the token or password of jane", "3 the token or password of joe"],
                &["sesame", "open", "now"],
            ),
            (
                "```text title=\"t.txt\"\nsesame,jane\n```\n```yaml\nkind: Pod\napiVersion: v1\nspec:\n  containers:\n  \
                 - command: [kube-apiserver, --basic-auth-file=/etc/kubernetes/t.txt]\n```\n"
                    .to_owned(),
                &["2 the token or password of jane"],
                &["sesame"],
            ),
            (
                format!("{}```text title=\"t.txt\"\nsesame\n```\n", steps("$ kube-apiserver --token-auth-file t.txt")),
                &["5 the token or password of "],
                &["sesame"],
            ),
            ("```text title=\"requests\"\njane,dev,ops GET /api\n```\n".to_owned(), &[], &[]),
            ("```text title=\"a.crt\"\nSubject: O=system:nodes, CN=a\n```\n".to_owned(), &[], &[]),
            ("```text title=\"abac.jsonl\"\n{\"a\": 1, \"b\": 2, \"c\": 3}\n```\n".to_owned(), &[], &[]),
            (
                steps(&format!("$ kubectl get secret db -o yaml\n{SECRET}...")),
                &["7 data.pass of Secret/db"],
                &["aHVudG"],
            ),
            (
                steps(&format!("$ kubectl get secrets -o yaml\napiVersion: v1\nitems:\n- {}\nkind: List", SECRET.trim_end().replace('\n', "\n  "))),
                &["9 data.pass of Secret/db"],
                &["aHVudG"],
            ),
            (
                steps("$ curl -i https://apiserver:6443/x\nHTTP/1.1 200 OK\n...\n\n{\n \"kind\": \"Secret\",\n \"data\": {\n  \"a\": \"aHVudGVyMg==\"\n }\n}"),
                &["9 data.a of Secret"],
                &["aHVudG"],
            ),
            (
                steps("$ kubectl create secret generic db --from-literal=password=hunter2\nsecret \"db\" created\n\
                       $ kubectl get secret db -o jsonpath={.data}\nmap[password:aHVudGVyMg==]\n$ etcdctl get | strings\n|..hunter2..|"),
                &["2 password of a Secret"],
                &["hunter2", "aHVudG"],
            ),
            (
                "```json title=\"s.json\"\n{\"kind\": \"Secret\", \"data\": {\"db\": \"db\", \"kind\": \"a2luZA==\"}}\n```\n".to_owned(),
                &["2 data.db of Secret", "2 data.kind of Secret"],
                &["\"db\": \"db\"", "a2luZA"],
            ),
            (
                "```text title=\"s.txt\"\nkind: Secret\nstringData: {a: hunter2}\n```\n".to_owned(),
                &["3 stringData.a of Secret"],
                &["hunter2"],
            ),
        ];
        let mut wrong = Vec::new();
        for (document, expected, gone) in rows {
            let names = |text: &str| -> Vec<String> {
                find(text).iter().map(|secret| format!("{} {}", secret.line, secret.what)).collect()
            };
            let blocks = |text: &str| {
                let read = transcript::read("", text);
                (read.blocks.len(), read.diagnostics.len())
            };
            let redacted = redact(document);
            if names(document) != *expected {
                wrong.push(format!("{document}{:?}", names(document)));
            }
            let readable = names(&redacted) == names(document) && blocks(&redacted) == blocks(document);
            if !readable || redact(&redacted) != redacted || gone.iter().any(|word| redacted.contains(word)) {
                wrong.push(format!("{document}redacted:\n{redacted}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    fn steps(lines: &str) -> String {
        format!("```console\n{lines}\n```\n")
    }
}
