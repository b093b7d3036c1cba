//! What in a document should not be given away with a link: Secret data, encryption keys, credentials.
//!
//! Redacting keeps the document's form: every letter and digit of a secret becomes an `A`, so that lines and columns stay,
//! base64 stays base64 and a key keeps its length. Of a JSON Web Token only the signature goes: the claims are what a
//! verdict is made of, and without its signature nobody can use it.

use std::ops::Range;
use std::rc::Rc;

use portcullis_core::manifest::{self, Object, PathStep, Value};
use portcullis_core::sort;

use crate::transcript::{self, Block};

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
    let starts: Vec<usize> = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
    let mut found = Found { text, starts, secrets: Vec::new() };
    let source: Rc<str> = "".into();
    for block in transcript::read("", text).blocks {
        let (line, text) = match &block {
            Block::File(file) if file.manifest => (file.line, &*file.text),
            Block::Step(step) if let Some((line, text)) = &step.manifest => (*line, text.as_str()),
            _ => continue,
        };
        for document in manifest::parse(&source, line, text).0 {
            for object in manifest::objects(document).0 {
                found.object(&object);
            }
        }
    }
    found.texts();
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
    secrets: Vec<Secret>,
}

impl<'a> Found<'a> {
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
        let lines = self.start(place.line)..self.start(place.end_line + 1);
        let Some(around) = self.text.get(lines.clone()) else { return };
        // The key may hold the secret's words; the value stands behind its colon.
        let from = around.find(':').map_or(0, |colon| colon + 1);
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
        if !ranges.is_empty() {
            self.secrets.push(Secret {
                what: format!("{} of {}", location.path, location.object),
                line: place.line,
                ranges,
            });
        }
    }

    fn start(&self, line: u32) -> usize {
        self.starts.get((line as usize).saturating_sub(1)).copied().unwrap_or(self.text.len())
    }

    fn line(&self, at: usize) -> u32 {
        self.starts.partition_point(|start| *start <= at) as u32
    }

    /// Private keys, tokens and passwords wherever they stand: in files, commands and what commands print.
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
            if let [header, payload, signature] = word.split('.').collect::<Vec<_>>()[..]
                && header.starts_with("eyJ")
                && payload.starts_with("eyJ")
                && !signature.is_empty()
            {
                let end = at + word.len();
                self.add("the signature of a token", end - signature.len()..end);
            }
            at +=
                word.len() + text.get(at + word.len()..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
        }
        for (marker, what) in [("Bearer ", "a bearer token"), ("Basic ", "a password"), ("--token=", "a token")] {
            for (at, _) in text.match_indices(marker) {
                let from = at + marker.len();
                let rest = text.get(from..).unwrap_or_default();
                let length = rest.find(|char: char| char.is_whitespace() || "\"'".contains(char)).unwrap_or(rest.len());
                let token = rest.get(..length).unwrap_or_default();
                // A variable gives nothing away, and a web token has been dealt with.
                if length > 0 && !token.starts_with('$') && token.split('.').count() != 3 {
                    self.add(what, from..from + length);
                }
            }
        }
    }

    fn add(&mut self, what: &str, range: Range<usize>) {
        let line = self.line(range.start);
        self.secrets.push(Secret { what: what.to_owned(), line, ranges: vec![range] });
    }
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
            (20, "resources[0].providers[0].aescbc.keys[0].secret of EncryptionConfig/"),
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
}
