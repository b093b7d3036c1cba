//! A text of manifests to documents, and documents to objects.

use std::rc::Rc;

use super::yaml::{self, Failure, Read};
use super::{Diagnostic, Map, Object, Origin, PathStep, Severity, Value, json};

/// One YAML document or JSON value of a text, and where it stands.
#[derive(Clone, Debug)]
pub struct Document {
    /// As written.
    pub value: Value,
    /// The lines of each part.
    pub origin: Rc<Origin>,
}

/// Takes a text apart. Documents that hold nothing are left out; a broken one is a diagnostic and hides no other.
///
/// `first_line` is the line of `file` on which the text begins.
pub fn parse(file: &Rc<str>, first_line: u32, text: &str) -> (Vec<Document>, Vec<Diagnostic>) {
    let (mut documents, mut diagnostics) = (Vec::new(), Vec::new());
    for (line, part) in split(text) {
        document(file, first_line + line, part, &mut documents, &mut diagnostics);
    }
    (documents, diagnostics)
}

/// The text's documents and the number of lines before each. `kubectl` splits before it parses, so one broken document
/// cannot take the next one with it.
pub(super) fn split(text: &str) -> Vec<(u32, &str)> {
    let mut parts = Vec::new();
    let (mut start, mut start_line) = (0, 0);
    for (number, at, line) in lines(text) {
        if line.as_bytes().first() == Some(&b'-')
            && let Some(rest) = line.strip_prefix("---")
            && rest.chars().next().is_none_or(char::is_whitespace)
        {
            parts.push((start_line, text.get(start..at).unwrap_or_default()));
            // What stands behind the dashes belongs to the new document, most often a comment.
            start = at + 3;
            start_line = number;
        }
    }
    parts.push((start_line, text.get(start..).unwrap_or_default()));
    parts
}

/// The lines of a text with their ends; the number of lines and of bytes before each. There may be a million of them at each
/// keystroke.
pub(super) fn lines(text: &str) -> impl Iterator<Item = (u32, usize, &str)> {
    let mut at = 0;
    (0..).map_while(move |number| {
        let rest = text.as_bytes().get(at..).filter(|rest| !rest.is_empty())?;
        let end = rest.iter().position(|byte| *byte == b'\n').map_or(text.len(), |end| at + end + 1);
        let start = std::mem::replace(&mut at, end);
        Some((number, start, text.get(start..end)?))
    })
}

/// Reads one part of what [`split`] gives.
pub(super) fn document(
    file: &Rc<str>,
    line: u32,
    text: &str,
    documents: &mut Vec<Document>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    // Kubernetes takes a brace for the beginning of JSON, and then it must be JSON.
    if text.trim_start().starts_with('{') {
        let mut reader = json::Reader::new(text, line);
        while let Some(next) = reader.next(file) {
            match next {
                Ok((value, origin)) => documents.push(Document { value, origin: Rc::new(origin) }),
                Err(error) => {
                    return diagnostics.push(Diagnostic {
                        severity: Severity::Error,
                        file: file.clone(),
                        line: reader.line(),
                        column: column(text, error.offset),
                        message: format!(
                            "This is no JSON: {}. A document that begins with a brace is read as JSON; it is left out.",
                            error.message
                        ),
                    });
                }
            }
        }
        return;
    }
    match yaml::read(file, line, text) {
        Ok(Read { value: Value::Null, .. }) => {}
        Ok(Read { value, origin, duplicates: found, .. }) => {
            diagnostics.extend(duplicates(file, found));
            documents.push(Document { value, origin: Rc::new(origin) });
        }
        Err(failure) => diagnostics.push(broken(file, text, line, failure)),
    }
}

/// What is to be said of keys that stand twice.
pub(super) fn duplicates(file: &Rc<str>, found: Vec<(String, u32, u32)>) -> impl Iterator<Item = Diagnostic> {
    found.into_iter().map(|(key, line, column)| Diagnostic {
        severity: Severity::Warning,
        file: file.clone(),
        line,
        column,
        message: format!("{key:?} stands twice in this mapping. The last one counts: remove the other."),
    })
}

/// 1-based column, in characters, of a byte offset.
fn column(text: &str, offset: usize) -> u32 {
    let before = text.get(..offset).unwrap_or(text);
    before.rsplit('\n').next().unwrap_or_default().chars().count() as u32 + 1
}

pub(super) fn broken(file: &Rc<str>, text: &str, first_line: u32, mut failure: Failure) -> Diagnostic {
    // The parser stumbles over a tab one line early or late.
    let near = failure.line.saturating_sub(first_line + 1) as usize;
    let tab = text
        .lines()
        .enumerate()
        .skip(near)
        .take(3)
        .find(|(_, line)| line.chars().take_while(|char| char.is_whitespace()).any(|char| char == '\t'));
    if let Some((number, _)) = tab {
        (failure.line, failure.column) = (first_line + number as u32, 1);
    }
    let is_command = |line: &str| ["$ ", "kubectl ", "curl "].iter().any(|start| line.starts_with(start));
    let command = text.lines().position(is_command);
    if let Some(number) = command {
        (failure.line, failure.column) = (first_line + number as u32, 1);
    }
    let remedy = if command.is_some() {
        "This line is a command: those stand among the requests, not in a file."
    } else if tab.is_some() {
        "The line is indented with a tab: YAML wants spaces."
    } else if failure.message.contains("mapping values") {
        "A value that holds \": \" needs quotes, or the line above lacks its indentation."
    } else if failure.message.contains("expected ',' or") {
        "A bracket is not closed, or a comma is missing."
    } else if failure.message.contains("end of stream") {
        "A quote is not closed."
    } else if ["deeper", "recursion", "aliases"].iter().any(|word| failure.message.contains(word)) {
        "No Kubernetes object looks like that."
    } else {
        "Check the indentation of this line and the one above."
    };
    Diagnostic {
        severity: Severity::Error,
        file: file.clone(),
        line: failure.line,
        column: failure.column,
        message: format!("This is no YAML: {}. {remedy} The document is left out.", failure.message),
    }
}

/// The API objects of a document: itself, or the items of a list as `kubectl get -o yaml` prints them.
pub fn objects(document: Document) -> (Vec<Object>, Vec<Diagnostic>) {
    let mut objects = Vec::new();
    let mut diagnostics = Vec::new();
    let Document { value, origin } = document;
    let complain = |path: &[PathStep<'_>], message: String| {
        let place = origin.place(path);
        Diagnostic { severity: Severity::Error, file: place.file, line: place.line, column: 0, message }
    };
    match value {
        Value::Object(mut members) => match items(&mut members) {
            Some((items, defaults)) => {
                let mut origins = origin.elements(&[PathStep::Key("items")]).peekable();
                for (index, item) in items.into_iter().enumerate() {
                    let path = [PathStep::Key("items"), PathStep::Index(index)];
                    match item {
                        Value::Object(mut item) => {
                            // Items of a typed list say neither version nor kind.
                            if let Some((api_version, kind)) = &defaults
                                && !item.contains_key("kind")
                            {
                                item.insert("apiVersion".into(), api_version.clone().into());
                                item.insert("kind".into(), kind.clone().into());
                            }
                            let own = origins.next_if(|(at, _)| *at == index).map(|(_, own)| own);
                            let own = own.unwrap_or_else(|| origin.part(&path));
                            objects.push(Object::new(Value::Object(item), Some(Rc::new(own))));
                        }
                        _ => diagnostics.push(complain(&path, "An item of a list must be an object.".into())),
                    }
                }
            }
            None => objects.push(Object::new(Value::Object(members), Some(origin.clone()))),
        },
        Value::Array(_) => diagnostics.push(complain(
            &[],
            "A document must be one object, and this is a sequence. Put the objects into `items` of a `kind: List`."
                .into(),
        )),
        _ => diagnostics.push(complain(
            &[],
            "A document must be an object with apiVersion and kind, and this is a single value.".into(),
        )),
    }
    (objects, diagnostics)
}

/// The items of a list, and the version and kind that a typed list gives them.
#[allow(clippy::type_complexity)]
fn items(members: &mut Map<String, Value>) -> Option<(Vec<Value>, Option<(String, String)>)> {
    let kind = members.get("kind").and_then(Value::as_str)?.strip_suffix("List")?.to_owned();
    let api_version = members.get("apiVersion").and_then(Value::as_str).unwrap_or_default().to_owned();
    match members.get_mut("items") {
        Some(Value::Array(items)) => {
            let defaults = if kind.is_empty() { None } else { Some((api_version, kind)) };
            Some((std::mem::take(items), defaults))
        }
        Some(Value::Null) | None => Some((Vec::new(), None)),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<Object>, Vec<(u32, u32, String)>) {
        let (documents, mut diagnostics) = parse(&"a.yaml".into(), 10, text);
        let mut all = Vec::new();
        for document in documents {
            let (objects, more) = objects(document);
            all.extend(objects);
            diagnostics.extend(more);
        }
        (all, diagnostics.into_iter().map(|found| (found.line, found.column, found.message)).collect())
    }

    fn lines(object: &Object, path: &[PathStep<'_>]) -> (u32, u32) {
        let place = object.location(path).place.unwrap();
        (place.line, place.end_line)
    }

    #[test]
    fn objects_keep_their_lines() {
        use PathStep::{Index, Key};
        let (objects, diagnostics) = read(
            "kind: Role\nmetadata:\n  name: a\nrules:\n- verbs: [get]\n  resources:\n  - pods\n# end\n--- # next\nkind: ConfigMap\ndata:\n  a: |\n    x\n    y\n  b: {c: 1,\n     d: 2}\nlast: 1\n",
        );
        assert!(diagnostics.is_empty(), "{diagnostics:?}");
        let [role, map] = &objects[..] else { panic!() };
        assert_eq!(lines(role, &[]), (10, 16));
        assert_eq!(lines(role, &[Key("rules"), Index(0)]), (14, 16));
        assert_eq!(lines(role, &[Key("rules"), Index(0), Key("resources")]), (15, 16));
        assert_eq!(lines(map, &[Key("data"), Key("a")]), (21, 23));
        assert_eq!(lines(map, &[Key("data"), Key("b")]), (24, 25));
        assert_eq!(lines(map, &[Key("data")]), (20, 25));
        assert_eq!(map.value["data"]["a"], "x\ny\n");
    }

    #[test]
    fn lists_are_taken_apart() {
        let (objects, _) = read("kind: List\nitems:\n- kind: A\n- kind: B\n  metadata:\n    name: b\n");
        assert_eq!(
            objects.iter().map(|object| (object.kind().to_owned(), lines(object, &[]))).collect::<Vec<_>>(),
            [("A".into(), (12, 12)), ("B".into(), (13, 15))]
        );
        let (objects, _) =
            read("{\"kind\":\"RoleList\",\"apiVersion\":\"r/v1\",\n\"items\":[{\"metadata\":{}},\n{\"a\":\n1}]}");
        assert_eq!(
            objects.iter().map(|object| (object.kind().to_owned(), lines(object, &[]))).collect::<Vec<_>>(),
            [("Role".into(), (11, 11)), ("Role".into(), (12, 13))]
        );
    }

    #[test]
    fn what_is_broken_is_said_with_its_place_and_hides_nothing() {
        let bomb = (1..10).fold("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned(), |text, n| {
            let row = vec![format!("*a{}", n - 1); 10].join(",");
            text + &format!("a{n}: &a{n} [{row}]\n")
        });
        let nested = |levels, inside: &str| format!("{}{inside}{}", "[".repeat(levels), "]".repeat(levels));
        let deep = |levels| format!("a: &a {}\nb: {}\n", nested(200, ""), nested(levels, "*a"));
        assert_eq!(read(&deep(55)).1, read("a: 1\n").1);
        for (text, line, column, message) in [
            ("a: 1\n\tb: 2\n", 11, 0, "tab"),
            ("a: b: c\n", 10, 5, "needs quotes"),
            ("a: 1\n\nkubectl get pods\n", 12, 1, "This line is a command"),
            ("a:\n- b\n$ curl x\nc\n", 12, 1, "This line is a command"),
            ("a: [1, 2\nb: 3\n", 0, 0, "This is no YAML"),
            ("a: 'x\n", 0, 0, "quote is not closed"),
            ("a: 1\na: 2\n", 11, 1, "stands twice"),
            (&"- ".repeat(20_000), 10, 0, "nested deeper"),
            (&"[".repeat(20_000), 10, 0, "This is no YAML"),
            (&"{\"a\":".repeat(20_000), 10, 0, "nested deeper"),
            (&bomb, 0, 0, "aliases expand to too much"),
            (&deep(56), 11, 60, "nested deeper"),
            ("a: &x [*x]\n", 10, 0, "contains itself"),
            ("a: *x\n", 10, 0, "unknown anchor"),
            ("- a\n", 10, 0, "kind: List"),
            ("just text\n", 10, 0, "single value"),
            ("{\"a\": 1,\n \"b\" }", 11, 6, "This is no JSON: invalid character '}' after object key"),
            ("a: .inf\n", 10, 4, "JSON can hold"),
            ("? [a]\n: b\n", 10, 0, "must be a string"),
        ] {
            let (_, found) = read(&format!("{text}\n---\nkind: A\n"));
            let [(found_line, found_column, found_message)] = &found[..] else { panic!("{text:.40}: {found:?}") };
            assert!(found_message.contains(message), "{text:.40}: {found_message}");
            assert!(line == 0 || *found_line == line, "{text:.40}: line {found_line}");
            assert!(column == 0 || *found_column == column, "{text:.40}: column {found_column}");
            assert_eq!(read(&format!("{text}\n---\nkind: A\n")).0.last().unwrap().kind(), "A", "{text:.40}");
        }
    }

    #[test]
    fn yaml_errors_are_go_yamls() {
        for (text, expected) in [
            ("kind: [\n", "yaml: line 1: did not find expected node content"),
            ("kind: EncryptionConfig\nresources: [\n", "yaml: line 2: did not find expected node content"),
            ("kind: EncryptionConfig\nkind2: 'x\n", "yaml: line 2: found unexpected end of stream"),
        ] {
            assert_eq!(yaml::parse(text).unwrap_err(), expected, "{text}");
        }
    }

    #[test]
    fn keys_become_strings_and_merges_merge() {
        let (objects, _) = read("a: &a {x: 1, w: 2, y: 3}\nb:\n  <<: *a\n  w: 3\n1: one\ntrue: yes\n? z\n: 1\n");
        assert_eq!(
            objects[0].value,
            serde_json::json!({"a": {"x": 1, "w": 2, "true": 3}, "b": {"w": 3, "x": 1, "true": 3}, "1": "one", "true": true, "z": 1})
        );
    }
}
