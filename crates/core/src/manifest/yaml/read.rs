//! One YAML document to one value, with the lines of each of its parts.

use std::rc::Rc;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::scalar;
use crate::manifest::json::MAX_DEPTH;
use crate::manifest::{Map, Origin, OriginBuilder, PathStep, Value};

/// What aliases may add to a document, in values and bytes of text, before they count as an explosion.
const ALIAS_BUDGET: usize = 1_000_000;

/// A document that was read.
pub(in crate::manifest) struct Read {
    pub(in crate::manifest) value: Value,
    pub(in crate::manifest) origin: Origin,
    /// Keys that stand twice in one mapping, the later one counts: key, line, column.
    pub(in crate::manifest) duplicates: Vec<(String, u32, u32)>,
    /// Whether aliases repeat parts of it.
    pub(in crate::manifest) aliases: bool,
}

/// Why a document could not be read.
pub(in crate::manifest) struct Failure {
    /// In go-yaml's words where it has any.
    pub(in crate::manifest) message: String,
    /// 1-based line in the user's text.
    pub(in crate::manifest) line: u32,
    /// 1-based, in characters.
    pub(in crate::manifest) column: u32,
    /// 0-based line in the document: what go-yaml prints.
    go_line: u32,
}

impl Failure {
    /// go-yaml prints a line counted from 0, and none for the first.
    pub(super) fn go_yaml(&self) -> String {
        match self.go_line {
            0 => format!("yaml: {}", self.message),
            line => format!("yaml: line {line}: {}", self.message),
        }
    }
}

enum Frame {
    Sequence(Vec<Value>),
    Mapping { members: Map<String, Value>, merged: Vec<Value>, key: Option<Key> },
}

struct Key {
    name: String,
    line: u32,
    merge: bool,
}

struct Reader<'a> {
    first_line: u32,
    frames: Vec<Open>,
    origin: OriginBuilder,
    anchors: Vec<(usize, Value)>,
    budget: usize,
    root: Option<Value>,
    /// Levels around the text that are not in it.
    above: usize,
    duplicates: Vec<(String, u32, u32)>,
    text: &'a str,
    lines: u32,
}

struct Open {
    frame: Frame,
    anchor: usize,
    end_line: u32,
}

/// Reads the first document of `text`, whose first line is `first_line` of `file`.
pub(in crate::manifest) fn read(file: &Rc<str>, first_line: u32, text: &str) -> Result<Read, Failure> {
    read_below(0, file, first_line, text)
}

/// The same of a text that stands `above` levels deep in its document.
pub(in crate::manifest) fn read_below(
    above: usize,
    file: &Rc<str>,
    first_line: u32,
    text: &str,
) -> Result<Read, Failure> {
    let mut reader = Reader {
        first_line,
        frames: Vec::new(),
        origin: OriginBuilder::default(),
        anchors: Vec::new(),
        budget: ALIAS_BUDGET,
        root: None,
        above,
        duplicates: Vec::new(),
        text,
        lines: text.split('\n').count() as u32,
    };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let mark = error.marker();
            if error.info().ends_with("unknown anchor") {
                return reader.unknown_anchor(mark.line(), mark.col());
            }
            reader.failure(go_message(error.info()), mark.line(), mark.col())
        })?;
        if matches!(event, Event::DocumentEnd) {
            break;
        }
        reader.event(event, span)?;
    }
    let value = match reader.root {
        Some(value) => value,
        None => {
            reader.origin.open(PathStep::Index(0), first_line);
            reader.origin.close(first_line);
            Value::Null
        }
    };
    let aliases = reader.budget < ALIAS_BUDGET;
    Ok(Read { value, origin: reader.origin.finish(file.clone()), duplicates: reader.duplicates, aliases })
}

impl Reader<'_> {
    fn failure(&self, message: impl Into<String>, line: usize, column: usize) -> Failure {
        let line = line.max(1);
        let message = message.into();
        // go-yaml says where the text ends, the parser where the quote began.
        let go_line = match message.as_str() {
            "found unexpected end of stream" => self.text.matches('\n').count(),
            _ => line - 1,
        };
        Failure {
            message,
            line: self.line(line),
            column: if line as u32 > self.lines { 0 } else { column as u32 + 1 },
            go_line: go_line as u32,
        }
    }

    fn too_deep(&self, span: &Span) -> Failure {
        self.failure(format!("nested deeper than {MAX_DEPTH} levels"), span.start.line(), span.start.col())
    }

    fn unknown_anchor(&self, line: usize, column: usize) -> Failure {
        let rest = self.text.lines().nth(line.max(1) - 1).unwrap_or_default().chars().skip(column);
        let name: String = rest
            .skip_while(|char| *char == '*')
            .take_while(|char| char.is_alphanumeric() || "-_".contains(*char))
            .collect();
        // go-yaml says no line here.
        Failure { go_line: 0, ..self.failure(format!("unknown anchor '{name}' referenced"), line, column) }
    }

    /// The parser may point one past the last line.
    fn line(&self, line: usize) -> u32 {
        self.first_line + (line as u32).clamp(1, self.lines) - 1
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Failure> {
        let line = self.line(span.start.line());
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                // A block scalar ends where the next token begins.
                let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                let past = block && span.end.line() > span.start.line();
                let end_line = self.line(span.end.line() - usize::from(past));
                if self.expects_key() {
                    let merge = style == ScalarStyle::Plain && text == "<<";
                    let name = match value(&text, style, tag.as_deref()) {
                        Some(Value::String(name)) => name,
                        Some(other) => other.to_string(),
                        None => text.into_owned(),
                    };
                    self.remember(anchor, || Value::String(name.clone()));
                    return self.key(Key { name, line, merge }, &span);
                }
                let value = value(&text, style, tag.as_deref()).ok_or_else(|| {
                    self.failure(format!("{text} is no number that JSON can hold"), span.start.line(), span.start.col())
                })?;
                self.open(line);
                if value.is_boolean() && !matches!(&*text, "true" | "false") {
                    self.origin.spelled(&text);
                }
                self.origin.close(end_line);
                self.remember(anchor, || value.clone());
                self.put(value, end_line);
            }
            Event::SequenceStart(anchor, _) => self.begin(Frame::Sequence(Vec::new()), anchor, line, &span)?,
            Event::MappingStart(anchor, _) => {
                self.begin(Frame::Mapping { members: Map::new(), merged: Vec::new(), key: None }, anchor, line, &span)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(line.min(self.line(span.end.line()))),
            Event::Alias(anchor) => {
                let Some((_, value)) = self.anchors.iter().rev().find(|(id, _)| *id == anchor) else {
                    return Err(self.failure("an anchor's value contains itself", span.start.line(), span.start.col()));
                };
                let (cost, height) = (cost(value), height(value));
                let value = value.clone();
                if self.above + self.frames.len() + height > MAX_DEPTH {
                    return Err(self.too_deep(&span));
                }
                self.budget = self.budget.checked_sub(cost).ok_or_else(|| {
                    self.failure("the document's aliases expand to too much", span.start.line(), span.start.col())
                })?;
                if self.expects_key() {
                    let Value::String(name) = value else {
                        return Err(self.failure("a key must be a string", span.start.line(), span.start.col()));
                    };
                    return self.key(Key { name, line, merge: false }, &span);
                }
                self.open(line);
                self.origin.close(line);
                self.put(value, line);
            }
            _ => {}
        }
        Ok(())
    }

    fn expects_key(&self) -> bool {
        matches!(self.frames.last(), Some(Open { frame: Frame::Mapping { key: None, .. }, .. }))
    }

    fn remember(&mut self, anchor: usize, value: impl FnOnce() -> Value) {
        if anchor > 0 {
            self.anchors.push((anchor, value()));
        }
    }

    fn key(&mut self, new: Key, span: &Span) -> Result<(), Failure> {
        if let Some(Open { frame: Frame::Mapping { members, key, .. }, .. }) = self.frames.last_mut() {
            if !new.merge && members.contains_key(&new.name) {
                let line = self.first_line + span.start.line().max(1) as u32 - 1;
                self.duplicates.push((new.name.clone(), line, span.start.col() as u32 + 1));
            }
            *key = Some(new);
        }
        Ok(())
    }

    /// Opens the node at hand in the origin: a member's lines begin with its key.
    fn open(&mut self, line: u32) {
        match self.frames.last() {
            None => self.origin.open(PathStep::Index(0), line),
            Some(Open { frame: Frame::Sequence(items), .. }) => self.origin.open(PathStep::Index(items.len()), line),
            Some(Open { frame: Frame::Mapping { key: Some(key), .. }, .. }) => {
                self.origin.open(PathStep::Key(&key.name), key.line);
            }
            Some(_) => self.origin.open(PathStep::Key(""), line),
        }
    }

    fn begin(&mut self, frame: Frame, anchor: usize, line: u32, span: &Span) -> Result<(), Failure> {
        if self.above + self.frames.len() >= MAX_DEPTH {
            return Err(self.too_deep(span));
        }
        if self.expects_key() {
            return Err(self.failure("a key must be a string", span.start.line(), span.start.col()));
        }
        self.open(line);
        self.frames.push(Open { frame, anchor, end_line: line });
        Ok(())
    }

    fn end(&mut self, line: u32) {
        let Some(open) = self.frames.pop() else { return };
        let value = match open.frame {
            Frame::Sequence(items) => Value::Array(items),
            Frame::Mapping { mut members, merged, .. } => {
                // The mapping's own members win, then the merge that stands first.
                for (name, member) in merged.into_iter().flat_map(mappings) {
                    if !members.contains_key(&name) {
                        members.insert(name, member);
                    }
                }
                Value::Object(members)
            }
        };
        // A block collection's end event stands at the next token, a flow collection's at its bracket.
        let end_line = if open.end_line == line { line } else { open.end_line };
        self.origin.close(end_line);
        self.remember(open.anchor, || value.clone());
        self.put(value, end_line);
    }

    fn put(&mut self, value: Value, end_line: u32) {
        let Some(open) = self.frames.last_mut() else {
            self.root = Some(value);
            return;
        };
        open.end_line = open.end_line.max(end_line);
        match &mut open.frame {
            Frame::Sequence(items) => items.push(value),
            Frame::Mapping { members, merged, key } => match key.take() {
                Some(Key { merge: true, .. }) => merged.push(value),
                Some(Key { name, .. }) => {
                    members.insert(name, value);
                }
                None => {}
            },
        }
    }
}

/// The members that a `<<` brings in: of one mapping, or of each in a sequence.
fn mappings(value: Value) -> Vec<(String, Value)> {
    match value {
        Value::Object(members) => members.into_iter().collect(),
        Value::Array(items) => items.into_iter().flat_map(mappings).collect(),
        _ => Vec::new(),
    }
}

fn cost(value: &Value) -> usize {
    1 + match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(cost).sum(),
        Value::Object(members) => members.iter().map(|(key, member)| key.len() + cost(member)).sum(),
        _ => 0,
    }
}

/// The levels of lists and mappings in `value`.
fn height(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(height).max().unwrap_or_default(),
        Value::Object(members) => 1 + members.values().map(height).max().unwrap_or_default(),
        _ => 0,
    }
}

fn value(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Option<Value> {
    match tag.map(|tag| tag.suffix.as_str()) {
        Some("str") => Some(Value::String(text.to_string())),
        Some("binary") => {
            use base64::Engine as _;
            let compact: String = text.split_whitespace().collect();
            let bytes = base64::engine::general_purpose::STANDARD.decode(compact).ok();
            Some(Value::String(
                bytes.map_or_else(|| text.to_string(), |bytes| String::from_utf8_lossy(&bytes).into_owned()),
            ))
        }
        None if style != ScalarStyle::Plain => Some(Value::String(text.to_string())),
        None | Some("bool" | "int" | "float" | "null") => scalar::resolve(text),
        Some(_) => Some(Value::String(text.to_string())),
    }
}

/// go-yaml's words for a problem that the parser puts in its own.
fn go_message(info: &str) -> String {
    let info = match info.split_once(", ") {
        Some((context, rest)) if context.starts_with("while ") => rest,
        _ => info,
    };
    let info = match info {
        "expected ',' or ']'" => "did not find expected ',' or ']'",
        "simple key expected" | "simple key expect ':'" => "could not find expected ':'",
        "misplaced bracket" | "unexpected eof" => "did not find expected node content",
        "invalid indentation" => "did not find expected key",
        _ if info.contains("tab") || info.starts_with("unexpected character") => {
            "found character that cannot start any token"
        }
        _ => info,
    };
    info.to_owned()
}
