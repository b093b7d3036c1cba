//! Objects as protobuf messages, byte for byte as gogo-protobuf writes them, and its errors when it reads.
//!
//! Which fields are written although empty follows from the Go type: a plain field always, a pointer, list or map only
//! where there is something. Fields stand by number, maps by key.
//! Behaviour: `generated.proto` and `generated.pb.go` of each group version, by way of `tools/schema`;
//! `quantity_proto.go`, `time_proto.go`.

use ::base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};

use crate::manifest::{Object, base64, json};
use crate::release::schema::{Field, Leaf, Schema, Shape, Type, Wrap};
use crate::world::time;

/// A range of bytes, and what they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// First byte.
    pub from: usize,
    /// Behind the last byte.
    pub to: usize,
    /// `metadata.name (field 1)` for a field's head, `metadata.name: "a"` for its value.
    pub what: String,
}

impl From<crate::encryption::Part> for Part {
    fn from(part: crate::encryption::Part) -> Self {
        Self { from: part.from, to: part.to, what: part.what.to_owned() }
    }
}

/// The fraction of a second of `metadata.creationTimestamp` and `metadata.deletionTimestamp`, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Nanos {
    creation: u32,
    deletion: u32,
}

impl From<&Object> for Nanos {
    fn from(object: &Object) -> Self {
        Self { creation: object.creation_nanos, deletion: object.deletion_nanos }
    }
}

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;

/// Who reads a message.
#[derive(Clone, Copy)]
pub(super) enum Audience<'a> {
    /// etcd, where the revision stands beside the value.
    Etcd(Nanos),
    /// A client, who may be sent many objects: by its metadata the function knows the nanoseconds of each.
    Client(&'a dyn Fn(&Value) -> Nanos),
}

/// Writes `value`, a canonical object of the type `of`.
pub(super) fn encode(schema: &Schema, of: &Type, value: &Value, audience: Audience<'_>) -> Vec<u8> {
    let mut encoder = Encoder { schema, audience, out: Vec::new() };
    encoder.message(of, value, 0);
    encoder.out
}

struct Encoder<'a> {
    schema: &'a Schema,
    audience: Audience<'a>,
    out: Vec<u8>,
}

impl Encoder<'_> {
    fn message(&mut self, of: &Type, value: &Value, depth: u32) {
        let is_metadata = of.name == "ObjectMeta";
        let stored = is_metadata && depth == 1 && matches!(self.audience, Audience::Etcd(_));
        let nanos = match self.audience {
            Audience::Etcd(nanos) if stored => nanos,
            Audience::Client(nanos) if is_metadata => nanos(value),
            _ => Nanos::default(),
        };
        for field in of.by_number() {
            let value = match field.json {
                "." | "=" => value,
                "resourceVersion" if stored => &Value::Null,
                name => value.get(name).unwrap_or(&Value::Null),
            };
            let nanos = match field.json {
                "creationTimestamp" => nanos.creation,
                "deletionTimestamp" => nanos.deletion,
                _ => 0,
            };
            self.field(field, value, nanos, depth);
        }
    }

    fn field(&mut self, field: &Field, value: &Value, nanos: u32, depth: u32) {
        let Field { number, shape: Shape { wrap, leaf }, .. } = *field;
        match (wrap, value) {
            (Wrap::None, Value::Null) if leaf == Leaf::Bytes => {}
            (Wrap::None, Value::String(text)) if leaf == Leaf::Bytes && text.is_empty() && field.omit_empty => {}
            (Wrap::Pointer, Value::Null) => {}
            (Wrap::None | Wrap::Pointer, value) => self.leaf(number, leaf, value, nanos, depth),
            (Wrap::List, value) => {
                value.as_array().into_iter().flatten().for_each(|item| self.leaf(number, leaf, item, 0, depth));
            }
            (Wrap::Map, value) => {
                let mut entries: Vec<_> = value.as_object().into_iter().flatten().collect();
                crate::sort::by_text(&mut entries, |(key, _)| key);
                for (key, value) in entries {
                    self.nested(number, |encoder| {
                        encoder.bytes(1, key.as_bytes());
                        if !(leaf == Leaf::Bytes && value.is_null()) {
                            encoder.leaf(2, leaf, value, 0, depth);
                        }
                    });
                }
            }
        }
    }

    fn leaf(&mut self, number: u32, leaf: Leaf, value: &Value, nanos: u32, depth: u32) {
        let text = value.as_str().unwrap_or_default();
        match leaf {
            Leaf::String => self.bytes(number, text.as_bytes()),
            Leaf::Bool => self.varint_field(number, u64::from(value == &Value::Bool(true))),
            Leaf::Int32 | Leaf::Int64 => self.varint_field(number, value.as_i64().unwrap_or(0) as u64),
            Leaf::Float => {
                self.varint(u64::from(number) << 3 | FIXED64);
                self.out.extend(value.as_f64().unwrap_or(0.0).to_le_bytes());
            }
            Leaf::Bytes => self.bytes(number, &base64::decode(text.as_bytes()).unwrap_or_default()),
            Leaf::Quantity => self.nested(number, |encoder| encoder.bytes(1, text.as_bytes())),
            Leaf::IntOrString => self.nested(number, |encoder| {
                encoder.varint_field(1, u64::from(value.is_string()));
                encoder.varint_field(2, value.as_i64().unwrap_or(0) as u64);
                encoder.bytes(3, text.as_bytes());
            }),
            Leaf::Time => self.nested(number, |encoder| {
                if let Ok((seconds, own)) = time::parse(text) {
                    encoder.varint_field(1, seconds as u64);
                    encoder.varint_field(2, u64::from(own.max(nanos)));
                }
            }),
            Leaf::Raw => self.nested(number, |encoder| {
                if !value.is_null() {
                    encoder.bytes(1, json::to_string(value).as_bytes());
                }
            }),
            Leaf::Type(at) => {
                let schema = self.schema;
                if let Some(of) = schema.get(at) {
                    self.nested(number, |encoder| encoder.message(of, value, depth + 1));
                }
            }
        }
    }

    fn nested(&mut self, number: u32, write: impl FnOnce(&mut Self)) {
        let outer = std::mem::take(&mut self.out);
        write(self);
        let inner = std::mem::replace(&mut self.out, outer);
        self.bytes(number, &inner);
    }

    fn bytes(&mut self, number: u32, bytes: &[u8]) {
        self.varint(u64::from(number) << 3 | BYTES);
        self.varint(bytes.len() as u64);
        self.out.extend_from_slice(bytes);
    }

    fn varint_field(&mut self, number: u32, value: u64) {
        self.varint(u64::from(number) << 3 | VARINT);
        self.varint(value);
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.out.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.out.push(value as u8);
    }
}

/// One event of a watch, `metav1.WatchEvent`, in its frame: the length, most significant byte first, and the message.
pub(crate) fn event(kind: &str, object: &[u8]) -> Vec<u8> {
    let schema = Schema::default();
    let mut encoder = Encoder { schema: &schema, audience: Audience::Etcd(Nanos::default()), out: Vec::new() };
    encoder.bytes(1, kind.as_bytes());
    encoder.nested(2, |encoder| encoder.bytes(1, object));
    [&(encoder.out.len() as u32).to_be_bytes(), &*encoder.out].concat()
}

/// The envelope around every stored message: `runtime.Unknown`.
pub(super) fn envelope(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
    let schema = Schema::default();
    let audience = Audience::Etcd(Nanos::default());
    let mut encoder = Encoder { schema: &schema, audience, out: Vec::with_capacity(raw.len() + 64) };
    encoder.nested(1, |encoder| {
        encoder.bytes(1, api_version.as_bytes());
        encoder.bytes(2, kind.as_bytes());
    });
    encoder.bytes(2, raw);
    encoder.bytes(3, b"");
    encoder.bytes(4, b"");
    encoder.out
}

const EOF: &str = "unexpected EOF";
const OVERFLOW: &str = "proto: integer overflow";
const NEGATIVE: &str = "proto: negative length found during unmarshaling";

/// Bytes with a place in the whole value. `parts` collects what they are; `None` where nobody asks.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    base: usize,
}

/// The envelope's contents.
#[derive(Default)]
pub(super) struct Unknown {
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) raw: std::ops::Range<usize>,
}

impl<'a> Reader<'a> {
    /// `base`: where `bytes` begin in the value that parts count from.
    pub(super) fn new(bytes: &'a [u8], base: usize) -> Self {
        Self { bytes, at: 0, base }
    }

    fn is_done(&self) -> bool {
        self.at >= self.bytes.len()
    }

    fn varint(&mut self) -> Result<u64, String> {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            if shift >= 64 {
                return Err(OVERFLOW.to_owned());
            }
            let byte = *self.bytes.get(self.at).ok_or(EOF)?;
            self.at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        Ok(value)
    }

    /// What a length goes before.
    fn delimited(&mut self) -> Result<Reader<'a>, String> {
        let length = self.varint()?;
        if length > i64::MAX as u64 {
            return Err(NEGATIVE.to_owned());
        }
        let from = self.at;
        let to = usize::try_from(length).ok().and_then(|length| from.checked_add(length)).ok_or(EOF)?;
        let bytes = self.bytes.get(from..to).ok_or(EOF)?;
        self.at = to;
        Ok(Reader::new(bytes, self.base + from))
    }

    /// The next field's number and wire type; `name` is the Go type, for errors.
    fn tag(&mut self, name: &str) -> Result<(i32, u64), String> {
        let wire = self.varint()?;
        let (number, kind) = ((wire >> 3) as i32, wire & 7);
        if kind == 4 {
            return Err(format!("proto: {name}: wiretype end group for non-group"));
        }
        if number <= 0 {
            return Err(format!("proto: {name}: illegal tag {number} (wire type {wire})"));
        }
        Ok((number, kind))
    }

    /// Steps over the field that begins at the current place, groups and all.
    fn skip(&mut self) -> Result<(), String> {
        let mut depth = 0usize;
        loop {
            let length = match self.varint()? & 7 {
                0 => {
                    for count in 0.. {
                        let byte = *self.bytes.get(self.at).ok_or(EOF)?;
                        if count == 10 {
                            return Err(OVERFLOW.to_owned());
                        }
                        self.at += 1;
                        if byte < 0x80 {
                            break;
                        }
                    }
                    0
                }
                1 => 8,
                2 => {
                    let length = self.varint()?;
                    if length > i64::MAX as u64 {
                        return Err(NEGATIVE.to_owned());
                    }
                    usize::try_from(length).unwrap_or(usize::MAX)
                }
                3 => {
                    depth += 1;
                    continue;
                }
                4 => {
                    depth = depth.saturating_sub(1);
                    0
                }
                5 => 4,
                other => return Err(format!("proto: illegal wireType {other}")),
            };
            self.at = self.at.saturating_add(length);
            if depth == 0 {
                return if self.at > self.bytes.len() { Err(EOF.to_owned()) } else { Ok(()) };
            }
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(self.bytes).into_owned()
    }

    /// The fields of a message that no schema describes. `fields` are their Go names; one that holds bytes has `true`.
    fn known<'n>(
        mut self,
        name: &str,
        fields: &[(&'n str, bool)],
        mut take: impl FnMut(&'n str, u64, Reader<'a>) -> Result<(), String>,
    ) -> Result<(), String> {
        while !self.is_done() {
            let start = self.at;
            let (number, wire) = self.tag(name)?;
            let Some((field, is_bytes)) = usize::try_from(number - 1).ok().and_then(|at| fields.get(at)) else {
                self.at = start;
                self.skip()?;
                continue;
            };
            if wire != if *is_bytes { BYTES } else { VARINT } {
                return Err(wrong_wire_type(wire, field));
            }
            if *is_bytes {
                let inner = self.delimited()?;
                take(field, 0, inner)?;
            } else {
                let value = self.varint()?;
                take(field, value, Reader::new(&[], 0))?;
            }
        }
        Ok(())
    }
}

fn wrong_wire_type(wire: u64, field: &str) -> String {
    format!("proto: wrong wireType = {wire} for field {field}")
}

/// Reads the envelope, which stands behind the magic bytes.
pub(super) fn unknown(reader: Reader<'_>) -> Result<Unknown, String> {
    let mut unknown = Unknown::default();
    let fields = [("TypeMeta", true), ("Raw", true), ("ContentEncoding", true), ("ContentType", true)];
    reader.known("Unknown", &fields, |field, _, inner| {
        match field {
            "TypeMeta" => inner.known("TypeMeta", &[("APIVersion", true), ("Kind", true)], |field, _, inner| {
                *(if field == "Kind" { &mut unknown.kind } else { &mut unknown.api_version }) = inner.text();
                Ok(())
            })?,
            "Raw" => unknown.raw = inner.base..inner.base + inner.bytes.len(),
            _ => {}
        }
        Ok(())
    })?;
    Ok(unknown)
}

/// The envelope's parts: all but the object in it.
pub(super) fn unknown_parts(mut reader: Reader<'_>, mut object: impl FnMut(Reader<'_>, &mut Parts), parts: &mut Parts) {
    while !reader.is_done() {
        let start = reader.base + reader.at;
        let Ok((number, BYTES)) = reader.tag("Unknown") else { break };
        let Ok(inner) = reader.delimited() else { break };
        match number {
            1 => {
                parts.add(start, inner.base, || "apiVersion and kind (field 1)".to_owned());
                let mut inner = inner;
                while let (start, Ok((number, BYTES))) = (inner.base + inner.at, inner.tag("TypeMeta")) {
                    let Ok(text) = inner.delimited() else { break };
                    let name = if number == 1 { "apiVersion" } else { "kind" };
                    parts.field(start, text.base, text.base + text.bytes.len(), name, number as u32, || text.text());
                }
            }
            2 => {
                parts.add(start, inner.base, || "object (field 2)".to_owned());
                object(inner, parts);
            }
            number => {
                let name = if number == 3 { "contentEncoding" } else { "contentType" };
                parts.field(start, inner.base, inner.base + inner.bytes.len(), name, number as u32, || inner.text());
            }
        }
    }
}

/// Collects [`Part`]s, or nothing.
pub(super) struct Parts(Option<Vec<Part>>);

impl Parts {
    pub(super) fn none() -> Self {
        Self(None)
    }

    pub(super) fn collect() -> Self {
        Self(Some(Vec::new()))
    }

    pub(super) fn finish(self) -> Vec<Part> {
        self.0.unwrap_or_default()
    }

    pub(super) fn add(&mut self, from: usize, to: usize, what: impl FnOnce() -> String) {
        if let Some(parts) = self.0.as_mut().filter(|_| from < to) {
            parts.push(Part { from, to, what: what() });
        }
    }

    /// A field's head and its value.
    fn field(&mut self, from: usize, value: usize, to: usize, path: &str, number: u32, text: impl FnOnce() -> String) {
        let empty = if value == to { ", empty" } else { "" };
        self.add(from, value, || format!("{path} (field {number}{empty})"));
        self.add(value, to, || format!("{path}: {}", text()));
    }
}

/// Reads a message of the type `of` into members. What they mean to the API (order, empty members) is not decided here;
/// times keep their nanoseconds. Errors: the texts of gogo-protobuf.
pub(super) fn decode(
    schema: &Schema,
    of: &Type,
    mut reader: Reader<'_>,
    path: &str,
    into: &mut Map<String, Value>,
    parts: &mut Parts,
) -> Result<(), String> {
    while !reader.is_done() {
        let start = reader.at;
        let (number, wire) = reader.tag(of.name)?;
        let Some(field) = of.fields.iter().find(|field| i64::from(field.number) == i64::from(number)) else {
            reader.at = start;
            reader.skip()?;
            parts.add(reader.base + start, reader.base + reader.at, || {
                format!("field {number} of {}, which this release does not know", of.name)
            });
            continue;
        };
        let head = reader.base + start;
        let path = match (path, field.json) {
            (path, "." | "=") => path.to_owned(),
            ("", name) => name.to_owned(),
            (path, name) => format!("{path}.{name}"),
        };
        let packed = field.shape.wrap == Wrap::List && wire == BYTES && expected_wire(field.shape) == VARINT;
        if wire != expected_wire(field.shape) && !packed {
            return Err(wrong_wire_type(wire, &field.go_name()));
        }
        let mut step = Step { schema, head, number: field.number, parts };
        match (field.json, field.shape.wrap) {
            (".", _) => {
                if let Leaf::Type(at) = field.shape.leaf
                    && let Some(of) = schema.get(at)
                {
                    let inner = reader.delimited()?;
                    step.parts.add(head, inner.base, || format!("{} (field {})", of.name, field.number));
                    decode(schema, of, inner, &path, into, step.parts)?;
                }
            }
            (name, Wrap::None | Wrap::Pointer) => {
                let before = into.get_mut(name).map(Value::take).unwrap_or_default();
                let value = step.leaf(field.shape.leaf, &mut reader, &path, before)?;
                into.insert(name.into(), value);
            }
            (name, Wrap::List) => {
                let list = into.entry(name).or_insert_with(|| Value::Array(Vec::new()));
                let Value::Array(list) = list else { continue };
                if packed {
                    let mut inner = reader.delimited()?;
                    while !inner.is_done() {
                        list.push(step.leaf(field.shape.leaf, &mut inner, &path, Value::Null)?);
                        step.head = inner.base + inner.at;
                    }
                } else {
                    let path = format!("{path}[{}]", list.len());
                    list.push(step.leaf(field.shape.leaf, &mut reader, &path, Value::Null)?);
                }
            }
            (name, Wrap::Map) => {
                let map = into.entry(name).or_insert_with(|| Value::Object(Map::new()));
                let Value::Object(map) = map else { continue };
                step.entry(field.shape.leaf, &mut reader, &path, map)?;
            }
        }
    }
    Ok(())
}

fn expected_wire(shape: Shape) -> u64 {
    match (shape.wrap, shape.leaf) {
        (Wrap::Map, _) => BYTES,
        (_, Leaf::Bool | Leaf::Int32 | Leaf::Int64) => VARINT,
        (_, Leaf::Float) => FIXED64,
        _ => BYTES,
    }
}

/// The reading of one field.
struct Step<'a> {
    schema: &'a Schema,
    /// Where the field begins.
    head: usize,
    number: u32,
    parts: &'a mut Parts,
}

impl Step<'_> {
    /// One value. `before`: what an earlier occurrence of the same field gave; messages are merged into it.
    fn leaf(&mut self, leaf: Leaf, reader: &mut Reader<'_>, path: &str, before: Value) -> Result<Value, String> {
        let scalar = |parts: &mut Parts, from: usize, reader: &Reader<'_>, value: &Value| {
            parts
                .field(self.head, reader.base + from, reader.base + reader.at, path, self.number, || value.to_string());
        };
        let value = match leaf {
            Leaf::Bool | Leaf::Int32 | Leaf::Int64 => {
                let from = reader.at;
                let number = reader.varint()?;
                let value = match leaf {
                    Leaf::Bool => (number != 0).into(),
                    Leaf::Int32 => (number as i32).into(),
                    _ => (number as i64).into(),
                };
                scalar(self.parts, from, reader, &value);
                return Ok(value);
            }
            Leaf::Float => {
                let from = reader.at;
                let bytes = reader.bytes.get(from..from + 8).and_then(|bytes| bytes.try_into().ok()).ok_or(EOF)?;
                reader.at += 8;
                let value = f64::from_le_bytes(bytes).into();
                scalar(self.parts, from, reader, &value);
                return Ok(value);
            }
            Leaf::Type(at) => {
                let inner = reader.delimited()?;
                let Some(of) = self.schema.get(at) else { return Ok(Value::Null) };
                let empty = if inner.is_done() { ", empty" } else { "" };
                self.parts.add(self.head, inner.base, || format!("{path} (field {}{empty})", self.number));
                let mut members = match before {
                    Value::Object(members) => members,
                    _ => Map::new(),
                };
                decode(self.schema, of, inner, path, &mut members, self.parts)?;
                // A named list is a message to protobuf alone.
                return Ok(members.shift_remove("=").unwrap_or(Value::Object(members)));
            }
            Leaf::String | Leaf::Bytes | Leaf::Quantity | Leaf::IntOrString | Leaf::Time | Leaf::Raw => {
                let inner = reader.delimited()?;
                let (from, to) = (inner.base, inner.base + inner.bytes.len());
                if leaf == Leaf::Bytes {
                    // JSON shows base64; these are the bytes themselves.
                    self.parts.field(self.head, from, to, path, self.number, || Value::from(inner.text()).to_string());
                    return Ok(STANDARD.encode(inner.bytes).into());
                }
                let value = if leaf == Leaf::String { inner.text().into() } else { message(leaf, inner)? };
                self.parts.field(self.head, from, to, path, self.number, || value.to_string());
                value
            }
        };
        Ok(value)
    }

    /// One entry of a map. Like the generated code, it looks at the order of key and value and at no tag.
    fn entry(
        &mut self,
        leaf: Leaf,
        reader: &mut Reader<'_>,
        path: &str,
        into: &mut Map<String, Value>,
    ) -> Result<(), String> {
        let mut inner = reader.delimited()?;
        let outer = self.head;
        self.parts.add(outer, inner.base, || format!("{path} (field {}, one entry)", self.number));
        let head = inner.base + inner.at;
        inner.varint()?;
        let key = inner.delimited()?;
        let name = key.text();
        let (from, to) = (key.base, key.base + key.bytes.len());
        self.parts.field(head, from, to, &format!("{path}, key"), 1, || Value::from(name.clone()).to_string());
        let path = format!("{path}[{name}]");
        let value = if inner.is_done() {
            Value::Null
        } else {
            let head = inner.base + inner.at;
            inner.varint()?;
            Step { schema: self.schema, head, number: 2, parts: self.parts }.leaf(
                leaf,
                &mut inner,
                &path,
                Value::Null,
            )?
        };
        into.insert(name, value);
        Ok(())
    }
}

/// The messages behind leaves that JSON writes as one value.
fn message(leaf: Leaf, reader: Reader<'_>) -> Result<Value, String> {
    let (mut first, mut second, mut value) = (0, 0, Value::Null);
    match leaf {
        Leaf::Quantity => reader.known("Quantity", &[("String_", true)], |_, _, inner| {
            value = crate::release::quantity(&inner.text())?.into();
            Ok(())
        })?,
        Leaf::IntOrString => {
            let mut text = String::new();
            let fields = [("Type", false), ("IntVal", false), ("StrVal", true)];
            reader.known("IntOrString", &fields, |field, number, inner| {
                match field {
                    "Type" => first = number,
                    "IntVal" => second = number,
                    _ => text = inner.text(),
                }
                Ok(())
            })?;
            value = if first == 1 { text.into() } else { (second as i32).into() };
        }
        // Go's zero time.
        Leaf::Time if reader.is_done() => {}
        Leaf::Time => {
            reader.known("Timestamp", &[("Seconds", false), ("Nanos", false)], |field, number, _| {
                *(if field == "Seconds" { &mut first } else { &mut second }) = number;
                Ok(())
            })?;
            value = time::format(first as i64, second as u32).into();
        }
        _ => reader.known("RawExtension", &[("Raw", true)], |_, _, inner| {
            value = json::parse(&inner.text()).unwrap_or_default();
            Ok(())
        })?,
    }
    Ok(value)
}
