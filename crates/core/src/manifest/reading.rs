//! A text that is read again and again, each time a little changed: what stands there as before is not read again.
//!
//! What comes out is what [`parse`](super::parse) and [`objects`](super::objects) give. The text is cut where one document
//! ends, and a list as `kubectl get -o yaml` or `-o json` prints it between its items; pieces that are the same from the front or from
//! the back are known. So each known piece stands in one place, and when lines come or go above it, it moves.

use std::cell::{Cell, OnceCell};
use std::ops::Range;
use std::rc::Rc;

use super::read::{document, duplicates, lines, split};
use super::yaml::{self, Read};
use super::{Diagnostic, Document, Object, Origin, Value, json, objects};

/// The last reading of a text.
#[derive(Debug, Default)]
pub struct Reading {
    file: Rc<str>,
    last: Pieces,
    /// Those of before many of them were gone, as what is typed is broken now and then.
    aside: Pieces,
}

#[derive(Clone, Debug, Default)]
struct Pieces {
    text: Rc<str>,
    list: Vec<Piece>,
}

/// A document, or an item of a list.
#[derive(Clone, Debug)]
struct Piece {
    range: Range<usize>,
    form: Form,
    known: Known,
}

/// What a piece of a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Document,
    /// An item of a YAML list, from its dash on.
    Item,
    /// An item of a JSON list, with the comma behind it unless it is the last.
    Element {
        is_last: bool,
    },
}

/// What a piece says.
#[derive(Clone, Debug)]
struct Known {
    /// Empty where the piece cannot be read as it stands.
    manifests: Vec<Rc<Manifest>>,
    diagnostics: Rc<[Diagnostic]>,
    /// The line on which the piece began when it was read.
    line: u32,
    /// Whether an item is one object that needs nothing of the rest of the text.
    sound: bool,
}

/// One document, read once.
#[derive(Debug)]
pub struct Manifest {
    document: Document,
    objects: OnceCell<(Vec<Rc<Object>>, Vec<Diagnostic>)>,
    moved: Rc<Cell<u32>>,
}

impl Manifest {
    fn new(document: Document) -> Rc<Self> {
        let moved = document.origin.moved().clone();
        Rc::new(Self { document, objects: OnceCell::new(), moved })
    }

    /// As written; null for the items of a list, which are objects and nothing else.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The API objects of the document: the same ones each time as long as its text stays the same.
    pub fn objects(&self) -> (&[Rc<Object>], impl Iterator<Item = Diagnostic> + use<'_>) {
        let (objects, diagnostics) = self.objects.get_or_init(|| {
            let (objects, diagnostics) = objects(self.document.clone());
            let back = self.moved.get().wrapping_neg();
            (objects.into_iter().map(Rc::new).collect(), diagnostics.iter().map(|it| moved(it, back)).collect())
        });
        (objects, diagnostics.iter().map(|diagnostic| moved(diagnostic, self.moved.get())))
    }
}

fn moved(diagnostic: &Diagnostic, lines: u32) -> Diagnostic {
    Diagnostic { line: diagnostic.line.wrapping_add(lines), ..diagnostic.clone() }
}

/// Where a piece of a text is.
struct Cut {
    range: Range<usize>,
    line: u32,
    form: Form,
}

/// One document of a text: its pieces, and where it is a list taken apart, the text around its items.
struct Part {
    cuts: Vec<Cut>,
    list: Option<(Cut, String)>,
}

impl Reading {
    /// Reads `text`, which begins on `first_line` of `file`, and says meanwhile how many bytes of it are read.
    pub fn read(
        &mut self,
        file: &Rc<str>,
        first_line: u32,
        text: &Rc<str>,
        progress: &dyn Fn(usize),
    ) -> (Vec<Rc<Manifest>>, Vec<Diagnostic>) {
        if self.file != *file {
            *self = Self { file: file.clone(), ..Self::default() };
        }
        let parts: Vec<Part> = split(text).into_iter().map(|(line, part)| cut(text, first_line + line, part)).collect();
        let cuts: Vec<&Cut> = parts.iter().flat_map(|part| &part.cuts).collect();
        let mut known = self.known(&cuts, text).into_iter();
        let (mut manifests, mut diagnostics) = (Vec::new(), Vec::new());
        let mut pieces = Vec::with_capacity(cuts.len());
        for part in &parts {
            let start = pieces.len();
            for cut in &part.cuts {
                let known = known.next().flatten().unwrap_or_else(|| {
                    progress(cut.range.start);
                    read(file, cut, text)
                });
                let down = cut.line.wrapping_sub(known.line);
                known.manifests.iter().for_each(|manifest| manifest.moved.set(down));
                pieces.push(Piece { range: cut.range.clone(), form: cut.form, known });
            }
            let own = pieces.get(start..).unwrap_or_default();
            if let Some((whole, around)) = &part.list
                && let unsound = own.iter().zip(&part.cuts).find(|(piece, _)| !piece.known.sound).map(|(_, cut)| cut)
                && let is_list = is_list(file, around)
                && (unsound.is_some() || !is_list)
            {
                let known = read_whole(file, text, whole, unsound.filter(|_| is_list));
                manifests.extend(known.manifests);
                diagnostics.extend(known.diagnostics.iter().cloned());
                continue;
            }
            for (Piece { known, .. }, cut) in own.iter().zip(&part.cuts) {
                manifests.extend(known.manifests.iter().cloned());
                let down = cut.line.wrapping_sub(known.line);
                diagnostics.extend(known.diagnostics.iter().map(|diagnostic| moved(diagnostic, down)));
            }
        }
        drop(cuts);
        self.last = Pieces { text: text.clone(), list: pieces };
        (manifests, diagnostics)
    }

    /// What is known of the pieces of a text.
    fn known(&mut self, cuts: &[&Cut], text: &str) -> Vec<Option<Known>> {
        let last = std::mem::take(&mut self.last);
        let shared = last.shared(cuts, text);
        let of = |(front, back): (usize, usize), all: usize| all - front - back;
        let (gone, new) = (of(shared, last.list.len()), of(shared, cuts.len()));
        let other = if new > 1 { self.aside.shared(cuts, text) } else { (0, 0) };
        let is_back = new > of(other, cuts.len());
        if !is_back && gone <= new.max(1) {
            // A text of one piece may be a list that is broken for a moment.
            if cuts.len() > 1 {
                self.aside = Pieces::default();
            }
            return last.known(shared, cuts.len());
        }
        let (pieces, shared) = if is_back { (&self.aside, other) } else { (&last, shared) };
        let known = pieces.clone().known(shared, cuts.len());
        // One piece that is read anew at each keystroke is not worth its memory.
        if last.list.len() > self.aside.list.len().max(1) {
            self.aside = last;
        }
        known
    }
}

impl Pieces {
    /// How many of the pieces of `text` are the same from the front, and how many of the others from the back.
    fn shared(&self, cuts: &[&Cut], text: &str) -> (usize, usize) {
        let same = |(piece, cut): &(&Piece, &&Cut)| {
            piece.form == cut.form && self.text.get(piece.range.clone()) == text.get(cut.range.clone())
        };
        let front = self.list.iter().zip(cuts).take_while(same).count();
        let rest = self.list.iter().skip(front).rev().zip(cuts.iter().skip(front).rev());
        (front, rest.take_while(same).count())
    }

    /// What is known of `count` pieces that share so many with these.
    fn known(mut self, (front, back): (usize, usize), count: usize) -> Vec<Option<Known>> {
        let rest = self.list.split_off(front);
        let behind = rest.len() - back;
        let mut known: Vec<_> = self.list.into_iter().map(|piece| Some(piece.known)).collect();
        known.resize_with(front.max(count - back), || None);
        known.extend(rest.into_iter().skip(behind).map(|piece| Some(piece.known)));
        known
    }
}

/// Cuts one document of `text` into pieces.
fn cut(text: &str, line: u32, part: &str) -> Part {
    let from = part.as_ptr() as usize - text.as_ptr() as usize;
    let whole = Cut { range: from..from + part.len(), line, form: Form::Document };
    let is_json = part.trim_start().starts_with('{');
    match if is_json { elements(part) } else { items(part) } {
        Some((items, around)) => {
            let last = items.len().saturating_sub(1);
            let cut = |(at, (number, range)): (usize, (u32, Range<usize>))| Cut {
                range: from + range.start..from + range.end,
                line: line + number,
                form: if is_json { Form::Element { is_last: at == last } } else { Form::Item },
            };
            Part { cuts: items.into_iter().enumerate().map(cut).collect(), list: Some((whole, around)) }
        }
        None => Part { cuts: vec![whole], list: None },
    }
}

/// Stands for the items in the text around them.
const ITEMS: &str = "cut out";

/// The items of a list in JSON, a line for each bracket of an item; otherwise as [`items`].
#[allow(clippy::type_complexity)]
fn elements(part: &str) -> Option<(Vec<(u32, Range<usize>)>, String)> {
    let mut lines = lines(part);
    let (_, start, line) = lines.by_ref().find(|(.., line)| line.trim() == "\"items\": [")?;
    let head = start + line.len();
    let mut items: Vec<(u32, Range<usize>)> = Vec::new();
    let mut brace = None;
    for (number, start, line) in lines {
        let indent = line.as_bytes().iter().position(|byte| *byte != b' ').unwrap_or_default();
        if brace.is_some_and(|brace| indent > brace) {
            continue;
        }
        match line.trim() {
            "{" if brace.is_none_or(|brace| indent == brace) => {
                brace = Some(indent);
                if let Some((_, last)) = items.last_mut() {
                    last.end = start;
                }
                items.push((number, start..start));
            }
            "]" | "]," => {
                items.last_mut()?.1.end = start;
                return Some((items, format!("{}\"{ITEMS}\"\n{}", part.get(..head)?, part.get(start..)?)));
            }
            // Whatever it is, it is the item's.
            _ => brace.map(drop)?,
        }
    }
    None
}

/// The items of a list in block style, each with the number of lines before it, and the text around them; `None` for what
/// is no such list.
#[allow(clippy::type_complexity)]
fn items(part: &str) -> Option<(Vec<(u32, Range<usize>)>, String)> {
    let mut lines = lines(part);
    let (_, start, line) = lines.by_ref().find(|(.., line)| line.starts_with("items:"))?;
    if line.trim_end() != "items:" {
        return None;
    }
    let head = start + line.len();
    let mut items: Vec<(u32, Range<usize>)> = Vec::new();
    let mut dash = None;
    let mut tail = part.len();
    for (number, start, line) in lines {
        let indent = line.as_bytes().iter().position(|byte| *byte != b' ').unwrap_or_default();
        if dash.is_some_and(|dash| indent > dash) {
            continue;
        }
        let content = line.get(indent..).unwrap_or_default().trim_end();
        if content.is_empty() || content.starts_with('#') {
            // Belongs to the item that it follows.
        } else if (content == "-" || content.starts_with("- ")) && dash.is_none_or(|dash| dash == indent) {
            dash = Some(indent);
            match items.last_mut() {
                Some((_, last)) => {
                    last.end = start;
                    items.push((number, start..part.len()));
                }
                None => items.push((number, start..part.len())),
            }
        } else if dash.is_none_or(|dash| indent <= dash) {
            if indent > 0 || dash.is_none() {
                return None;
            }
            tail = start;
            break;
        }
    }
    let (_, last) = items.last_mut()?;
    last.end = tail;
    // What stands between `items:` and the first dash is not worth a piece of its own.
    let first = items.first()?.1.start;
    let between = part.get(head..first)?;
    let around = [part.get(..head)?, between, part.get(tail..)?].concat();
    Some((items, around))
}

/// Whether the text around items is that of a list of objects of any kind, and nothing else is to be said of it.
fn is_list(file: &Rc<str>, around: &str) -> bool {
    let (value, items) = if around.trim_start().starts_with('{') {
        let mut reader = json::Reader::new(around, 1);
        match (reader.next(file), reader.next(file)) {
            (Some(Ok((value, _))), None) => (value, Value::Array(vec![ITEMS.into()])),
            _ => return false,
        }
    } else {
        match yaml::read(file, 1, around) {
            Ok(Read { value, duplicates, aliases: false, .. }) if duplicates.is_empty() => (value, Value::Null),
            _ => return false,
        }
    };
    value.get("kind").and_then(Value::as_str) == Some("List") && value.get("items") == Some(&items)
}

/// Levels of a list around each of its items: the mapping. The sequence is in the item's own text.
const ABOVE: usize = 1;

fn read(file: &Rc<str>, cut: &Cut, text: &str) -> Known {
    let text = text.get(cut.range.clone()).unwrap_or_default();
    match cut.form {
        Form::Document => {}
        Form::Item => return read_item(file, cut.line, text),
        Form::Element { is_last } => return read_element(file, cut.line, text, is_last),
    }
    let (mut documents, mut diagnostics) = (Vec::new(), Vec::new());
    document(file, cut.line, text, &mut documents, &mut diagnostics);
    let manifests = documents.into_iter().map(Manifest::new).collect();
    Known { manifests, diagnostics: diagnostics.into(), line: cut.line, sound: true }
}

/// An item that does not stand for itself.
fn unsound(line: u32) -> Known {
    Known { manifests: Vec::new(), diagnostics: Rc::default(), line, sound: false }
}

fn read_element(file: &Rc<str>, line: u32, text: &str, is_last: bool) -> Known {
    let own = if is_last { Some(text) } else { text.trim_end().strip_suffix(',') };
    let mut reader = json::Reader::new(own.unwrap_or_default(), line);
    // It is two levels deep: in the list, and in its items.
    let value = reader.next_below(2, file);
    let (Some(Ok((value @ Value::Object(_), origin))), None) = (value, reader.next(file)) else {
        return unsound(line);
    };
    Known { manifests: vec![item(value, Rc::new(origin))], diagnostics: Rc::default(), line, sound: true }
}

/// What stands in a list is an object and nothing else.
fn item(value: Value, origin: Rc<Origin>) -> Rc<Manifest> {
    Rc::new(Manifest {
        moved: origin.moved().clone(),
        document: Document { value: Value::Null, origin: origin.clone() },
        objects: OnceCell::from((vec![Rc::new(Object::new(value, Some(origin)))], Vec::new())),
    })
}

fn read_item(file: &Rc<str>, line: u32, text: &str) -> Known {
    let Ok(Read { value: Value::Array(items), origin, duplicates: found, aliases: false }) =
        yaml::read_below(ABOVE, file, line, text)
    else {
        return unsound(line);
    };
    if ends_open(text) {
        return unsound(line);
    }
    let Ok([value @ Value::Object(_)]) = <[Value; 1]>::try_from(items) else { return unsound(line) };
    let Some((_, own)) = origin.elements(&[]).next() else { return unsound(line) };
    let diagnostics = duplicates(file, found).collect();
    Known { manifests: vec![item(value, Rc::new(own))], diagnostics, line, sound: true }
}

/// Whether a text ends with the head of an empty block scalar: the parser sees its end in what follows.
fn ends_open(text: &str) -> bool {
    let mut last = text.lines().rev().map(|line| line.split(" #").next().unwrap_or_default().trim());
    let last = last.find(|line| !line.is_empty() && !line.starts_with('#')).unwrap_or_default();
    last.trim_end_matches(|char: char| "+-".contains(char) || char.is_ascii_digit()).ends_with(['|', '>'])
}

/// Reads a list as one document, where its items do not stand for themselves. Most often one of them is being typed and is
/// broken: what stands before the first `unsound` one need not be read once more to say so.
fn read_whole(file: &Rc<str>, text: &str, whole: &Cut, unsound: Option<&Cut>) -> Known {
    // An anchor before it may be what an alias in it means.
    let after = |cut: &Cut| {
        let anchored = text.get(whole.range.start..cut.range.start)?.contains('&');
        text.get(cut.range.start..whole.range.end).filter(|_| !anchored)
    };
    if let Some(cut) = unsound
        && let Some(rest) = after(cut)
    {
        let head = if cut.form == Form::Item { "items:\n" } else { "{\"items\": [\n" };
        let (mut documents, mut diagnostics) = (Vec::new(), Vec::new());
        document(file, cut.line - 1, &[head, rest].concat(), &mut documents, &mut diagnostics);
        if documents.is_empty() {
            return Known { manifests: Vec::new(), diagnostics: diagnostics.into(), line: whole.line, sound: true };
        }
    }
    read(file, whole, text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::manifest::{PathStep, parse};

    const TEXT: &str = "kind: Role\nmetadata: {name: first}\n---\n# a dump\napiVersion: v1\nitems:\n# of\n- kind: Role\n  metadata:\n    \
        name: a\n  rules:\n  - verbs: [get, 'list']\n    resources:\n    - pods\n- kind: ConfigMap\n  data:\n    a: |\n      one\n\n      - \
        two\n    b: \"x\n      y\"\n\n# next\n- kind: RoleBinding\n  subjects: []\n  roleRef: {name: on}\nkind: List\nmetadata: \
        {}\n--- # last\nkind: List\nitems:\n  - kind: Pod\n    spec:\n      nodeName: n\n  - kind: Node\n";

    const JSON: &str = "kind: Role\n---\n{\n    \"apiVersion\": \"v1\",\n    \"items\": [\n        {\n            \"kind\": \"Role\",\n            \
        \"rules\": [\n                {\n                    \"verbs\": [\"get\"]\n                }\n            ]\n        },\n        \
        {\n            \"kind\": \"Pod\"\n        },\n        {\n            \"kind\": \"Node\"\n        }\n    ],\n    \"kind\": \
        \"List\",\n    \"metadata\": {\"a\": 1}\n}\n";

    const TYPED: [&str; 29] = [
        "\n",
        "- ",
        "  ",
        " ",
        "'",
        "\"",
        "x",
        ": ",
        "a: b\n",
        "\n---\n",
        "&x ",
        "*x",
        "\nitems:\n",
        "#",
        "|\n",
        "{",
        "}",
        "]",
        "\n- kind: Pod\n",
        "\n- a\n",
        "\t",
        "%",
        "...\n",
        "kind: List\n",
        ",",
        "\"",
        "        },\n        {\n",
        "\"items\": [\n",
        "\"kind\": 1,\n",
    ];

    type Seen = (Vec<(Value, Vec<(u32, u32)>)>, Vec<Diagnostic>);

    /// Every object with the lines of each of its parts, and every diagnostic.
    fn seen<'a>(objects: impl Iterator<Item = &'a Object>, diagnostics: Vec<Diagnostic>) -> Seen {
        let see = |object: &Object| {
            let mut lines = Vec::new();
            places(object, &object.value, &mut Vec::new(), &mut lines);
            (object.value.clone(), lines)
        };
        (objects.map(see).collect(), diagnostics)
    }

    fn places<'a>(object: &Object, value: &'a Value, path: &mut Vec<PathStep<'a>>, lines: &mut Vec<(u32, u32)>) {
        let place = object.location(path).place.unwrap();
        lines.push((place.line, place.end_line));
        let mut below = |step, part| {
            path.push(step);
            places(object, part, path, lines);
            path.pop();
        };
        match value {
            Value::Object(members) => members.iter().for_each(|(key, part)| below(PathStep::Key(key), part)),
            Value::Array(items) => items.iter().enumerate().for_each(|(at, part)| below(PathStep::Index(at), part)),
            _ => {}
        }
    }

    fn fresh(file: &Rc<str>, line: u32, text: &str) -> Seen {
        let (documents, mut diagnostics) = parse(file, line, text);
        let mut all = Vec::new();
        for document in documents {
            let (objects, more) = objects(document);
            all.extend(objects);
            diagnostics.extend(more);
        }
        seen(all.iter(), diagnostics)
    }

    fn again(reading: &mut Reading, file: &Rc<str>, line: u32, text: &str) -> Seen {
        let (manifests, mut diagnostics) = reading.read(file, line, &text.into(), &|_| ());
        let mut all = Vec::new();
        for manifest in &manifests {
            let (objects, more) = manifest.objects();
            all.extend(objects.iter().cloned());
            diagnostics.extend(more);
        }
        seen(all.iter().map(|object| &**object), diagnostics)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// Whatever is typed where: reading again gives what reading anew does.
        #[test]
        fn nothing_is_read_otherwise(
            text in prop::sample::select(&[TEXT, JSON][..]),
            edits in prop::collection::vec(
                (any::<prop::sample::Index>(), 0..12usize, prop::sample::select(&TYPED[..]), 0..3u32, any::<bool>()), 1..6,
            ),
        ) {
            let file: Rc<str> = "a.yaml".into();
            let mut reading = Reading::default();
            let mut text = text.to_owned();
            prop_assert_eq!(again(&mut reading, &file, 3, &text), fresh(&file, 3, &text));
            for (at, cut, typed, line, stays) in edits {
                let at = at.index(text.len());
                let before = text.clone();
                text.replace_range(at..(at + cut / 4).min(text.len()), typed);
                prop_assert_eq!(again(&mut reading, &file, 3 + line, &text), fresh(&file, 3 + line, &text), "{}", text);
                if !stays {
                    text = before;
                    prop_assert_eq!(again(&mut reading, &file, 3, &text), fresh(&file, 3, &text), "{}", text);
                }
            }
        }
    }

    #[test]
    fn an_alias_finds_its_anchor_before_the_piece() {
        let file: Rc<str> = "a.yaml".into();
        // The anchor of the whole list, of its items, of one of them.
        for before in ["&x\nkind: List\nitems:\n", "kind: List\nitems: &x\n", "kind: List\nitems:\n- &x\n  kind: A\n"] {
            let text = format!("{before}- kind: A\n- kind: B\n  of: *x\n");
            assert_eq!(again(&mut Reading::default(), &file, 1, &text), fresh(&file, 1, &text), "{text}");
        }
    }

    #[test]
    fn an_element_of_json_stays_too() {
        let file: Rc<str> = "a.json".into();
        let mut reading = Reading::default();
        let mut objects = |text: &str| -> Vec<Rc<Object>> {
            let (manifests, _) = reading.read(&file, 1, &text.into(), &|_| ());
            manifests.iter().flat_map(|manifest| manifest.objects().0.to_vec()).collect()
        };
        let before = objects(JSON);
        let after = objects(&JSON.replace("\"Pod\"", "\n\"Pods\""));
        let same: Vec<bool> = before.iter().zip(&after).map(|(one, other)| Rc::ptr_eq(one, other)).collect();
        assert_eq!(same, [true, true, false, true]);
    }

    #[test]
    fn what_did_not_change_stays_and_moves() {
        let file: Rc<str> = "a.yaml".into();
        let mut reading = Reading::default();
        let mut objects = |text: &str| -> Vec<Rc<Object>> {
            let (manifests, _) = reading.read(&file, 1, &text.into(), &|_| ());
            manifests.iter().flat_map(|manifest| manifest.objects().0.to_vec()).collect()
        };
        let before = objects(TEXT);
        let line = |object: &Object| object.location(&[]).place.unwrap().line;
        let lines: Vec<u32> = before.iter().map(|object| line(object)).collect();
        let after = objects(&TEXT.replace("- verbs: [get, 'list']", "- verbs:\n    - get"));
        let same: Vec<bool> = before.iter().zip(&after).map(|(one, other)| Rc::ptr_eq(one, other)).collect();
        assert_eq!(same, [true, false, true, true, true, true]);
        let down: Vec<u32> = after.iter().zip(lines).map(|(object, before)| line(object) - before).collect();
        assert_eq!(down, [0, 0, 1, 1, 1, 1]);
        // So does what was there before the list was none for a moment.
        objects(TEXT);
        let before = objects(TEXT);
        assert_eq!(objects(&TEXT.replace("items:\n#", "items:x\n#")).len(), 3);
        assert!(before.iter().zip(&objects(TEXT)).all(|(one, other)| Rc::ptr_eq(one, other)));
    }
}
