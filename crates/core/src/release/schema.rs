//! The Go types of the API, and how a value becomes what the API server makes of it: unknown members dropped, the
//! order of the Go type, empty members left out or filled in as the type says.
//!
//! Behaviour: the `types.go` of each group version (by way of `tools/schema`), `encoding/json`, and
//! `cmd/libs/go2idl/conversion-gen` for lists that are written although they are empty.

use ::base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};

use super::{defaults, quantity};
use crate::manifest::{PathStep, base64, float};
use crate::world::time;

/// Every type of a release, and which of them are kinds.
#[derive(Debug, Default)]
pub(crate) struct Schema {
    sections: Vec<Section>,
    types: Vec<Type>,
}

#[derive(Debug)]
struct Section {
    /// A group version (`v1`, `apps/v1beta1`), or `meta` for what all of them share.
    name: &'static str,
    /// Where its types begin in [`Schema::types`]; they end where the next section's begin.
    start: usize,
}

/// A Go struct, or a named list.
#[derive(Debug)]
pub(crate) struct Type {
    pub(crate) name: &'static str,
    /// Registered with the scheme: `kind` and `apiVersion` stand before the fields.
    pub(crate) is_kind: bool,
    /// The one field of a named list has the name `=`: the value is the list itself.
    pub(crate) fields: Vec<Field>,
    defaults: Option<fn(&mut Map<String, Value>)>,
    /// Indices of `fields` by number.
    order: Vec<usize>,
    /// A pod or its template: its init containers are repeated in its annotations.
    has_init_containers: bool,
}

/// A field of a Go struct.
#[derive(Debug)]
pub(crate) struct Field {
    /// The member's name; `.` for a struct whose members stand among those around it.
    pub(crate) json: &'static str,
    /// The Go name where it is not the member's name with a capital.
    go_name: Option<&'static str>,
    pub(crate) omit_empty: bool,
    pub(crate) number: u32,
    pub(crate) shape: Shape,
}

/// The type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) wrap: Wrap,
    pub(crate) leaf: Leaf,
}

/// What is around a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrap {
    None,
    Pointer,
    List,
    /// By strings.
    Map,
}

/// What values are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leaf {
    String,
    Bool,
    Int32,
    Int64,
    Float,
    Bytes,
    Quantity,
    IntOrString,
    Time,
    /// `runtime.RawExtension`: any JSON, kept as it is.
    Raw,
    /// A type of the schema.
    Type(usize),
}

impl Schema {
    /// Reads the text form, which `tools/schema` writes and its README explains.
    pub(super) fn parse(text: &'static str) -> Schema {
        let mut schema = Schema { sections: Vec::new(), types: Vec::new() };
        let lines = || text.lines().filter(|line| !line.starts_with('#'));
        // Names first: a field may name a type that stands further down.
        for line in lines() {
            if let Some(name) = line.strip_prefix('@') {
                schema.sections.push(Section { name, start: schema.types.len() });
            } else if !line.starts_with(' ') {
                let (name, is_kind) = line.strip_suffix('!').map_or((line, false), |name| (name, true));
                let section = schema.sections.last().map_or("", |section| section.name);
                let defaults = defaults::of(section, name);
                let has_init_containers = section == "v1" && matches!(name, "Pod" | "PodTemplateSpec");
                schema.types.push(Type {
                    name,
                    is_kind,
                    fields: Vec::new(),
                    order: Vec::new(),
                    defaults,
                    has_init_containers,
                });
            }
        }
        let (mut section, mut current) = (0, 0);
        for line in lines() {
            if line.starts_with('@') {
                section += 1;
            } else if let Some(line) = line.strip_prefix(' ') {
                let last = schema.types.get(current - 1).and_then(|t| t.fields.last()).map_or(0, |field| field.number);
                let field = schema.field(section - 1, last, line);
                if let Some(target) = schema.types.get_mut(current - 1) {
                    target.fields.push(field);
                }
            } else {
                current += 1;
            }
        }
        for described in &mut schema.types {
            let mut order: Vec<_> = described.fields.iter().map(|field| field.number).enumerate().collect();
            crate::sort::by(&mut order, |(_, one), (_, other)| one.cmp(other));
            described.order = order.into_iter().map(|(at, _)| at).collect();
        }
        schema
    }

    /// ` name[?][=number] shape [GoName]`.
    fn field(&self, section: usize, last: u32, line: &'static str) -> Field {
        let mut words = line.split(' ');
        let (name, shape) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let (json, number) = match name.split_once('=') {
            Some((name, number)) if !number.is_empty() => (name, number.parse().unwrap_or(0)),
            _ => (name, last + 1),
        };
        let (json, omit_empty) = json.strip_suffix('?').map_or((json, false), |json| (json, true));
        let (wrap, leaf) = None
            .or_else(|| Some((Wrap::Pointer, shape.strip_prefix('*')?)))
            .or_else(|| Some((Wrap::List, shape.strip_prefix("[]")?)))
            .or_else(|| Some((Wrap::Map, shape.strip_prefix("{}")?)))
            .unwrap_or((Wrap::None, shape));
        let leaf = match leaf {
            "s" => Leaf::String,
            "b" => Leaf::Bool,
            "i" => Leaf::Int32,
            "l" => Leaf::Int64,
            "f" => Leaf::Float,
            "y" => Leaf::Bytes,
            "q" => Leaf::Quantity,
            "I" => Leaf::IntOrString,
            "t" => Leaf::Time,
            "R" | "J" => Leaf::Raw,
            name => {
                let found = match name.rsplit_once('.') {
                    Some((section, name)) => self.position(section, name),
                    None => self.sections.get(section).and_then(|section| self.position(section.name, name)),
                };
                found.map_or(Leaf::Raw, Leaf::Type)
            }
        };
        Field { json, go_name: words.next(), omit_empty, number, shape: Shape { wrap, leaf } }
    }

    fn position(&self, section: &str, name: &str) -> Option<usize> {
        let at = self.sections.iter().position(|candidate| candidate.name == section)?;
        let start = self.sections.get(at)?.start;
        let end = self.sections.get(at + 1).map_or(self.types.len(), |next| next.start);
        let found = self.types.get(start..end)?.binary_search_by(|candidate| candidate.name.cmp(name)).ok()?;
        Some(start + found)
    }

    /// The type of a kind. The option kinds (`DeleteOptions`) belong to every group version, `Status` and its kin to `v1`.
    pub(crate) fn kind(&self, api_version: &str, kind: &str) -> Option<&Type> {
        let shared = || {
            let known = self.sections.iter().any(|section| section.name == api_version) && api_version != "meta";
            let everywhere = kind.ends_with("Options");
            self.position("meta", kind).filter(|_| known && (everywhere || api_version == "v1"))
        };
        let found = self.position(api_version, kind).filter(|_| api_version != "meta").or_else(shared)?;
        self.get(found).filter(|found| found.is_kind)
    }

    /// The type that [`Leaf::Type`] names.
    pub(crate) fn get(&self, at: usize) -> Option<&Type> {
        self.types.get(at)
    }

    /// How the published schema calls a type: the version of its package, then its name.
    pub(super) fn published_name(&self, at: usize, of: &Type) -> String {
        let section = self.sections.iter().rfind(|section| section.start <= at).map_or("", |section| section.name);
        let version = if section == "meta" { "v1" } else { section.rsplit('/').next().unwrap_or(section) };
        format!("{version}.{}", of.name)
    }

    /// `value` as an object of `kind`; with `defaults`, what the server would fill in is there.
    pub(super) fn object(
        &self,
        api_version: &str,
        kind: &Type,
        value: Value,
        defaults: bool,
    ) -> Result<Value, WrongType> {
        let mut object = Map::new();
        object.insert("kind".into(), kind.name.into());
        object.insert("apiVersion".into(), api_version.into());
        self.members(kind, kind.name, value, defaults, &mut object)?;
        Ok(Value::Object(object))
    }

    /// Writes the members of a struct, in its order.
    fn members(
        &self,
        of: &Type,
        go_path: &str,
        value: Value,
        defaults: bool,
        into: &mut Map<String, Value>,
    ) -> Result<(), WrongType> {
        let mut given = match value {
            Value::Null => Map::new(),
            Value::Object(members) => members,
            other => return Err(mismatch(&other, go_path, of.name)),
        };
        if defaults && let Some(defaults) = of.defaults {
            given.retain(|member, _| self.has(of, member));
            defaults(&mut given);
        }
        for field in &of.fields {
            if field.json == "." {
                // An inlined struct reads from the same members.
                if let Leaf::Type(at) = field.shape.leaf
                    && let Some(inlined) = self.get(at)
                {
                    let part = given.iter().filter(|(member, _)| self.has(inlined, member));
                    let part = part.map(|(member, value)| (member.clone(), value.clone())).collect();
                    self.members(inlined, go_path, Value::Object(part), defaults, into)?;
                }
                continue;
            }
            let value = given.get_mut(field.json).map(Value::take).unwrap_or_default();
            let path = || format!("{}.{}", of.name, field.json);
            if let Some(value) = self.value(field.shape, &path, value, defaults, field.omit_empty)? {
                into.insert(field.json.into(), value);
            }
        }
        if of.has_init_containers
            && defaults::annotate_init_containers(into)
            && let Some(metadata) = of.fields.iter().find(|field| field.json == "metadata")
            && let Some(changed) = into.get_mut("metadata")
        {
            // Once more, for the order of its members.
            *changed = self.leaf(metadata.shape.leaf, &String::new, changed.take(), false, false)?;
        }
        Ok(())
    }

    fn has(&self, of: &Type, member: &str) -> bool {
        self.shape(of, member.as_bytes()).is_some()
    }

    /// The type of the field that reads `member`.
    pub(super) fn shape(&self, of: &Type, member: &[u8]) -> Option<Shape> {
        of.fields.iter().find_map(|field| match (field.json, field.shape.leaf) {
            (".", Leaf::Type(at)) => self.shape(self.get(at)?, member),
            (json, _) => (json.as_bytes() == member).then_some(field.shape),
        })
    }

    /// Calls `each` with the path of every member that no field reads, of `value` as a value of the type `of`.
    pub(crate) fn unread<'a>(
        &self,
        of: &Type,
        value: &'a Value,
        path: &mut Vec<PathStep<'a>>,
        each: &mut dyn FnMut(&[PathStep<'a>]),
    ) {
        if let [Field { json: "=", shape, .. }] = of.fields.as_slice() {
            return self.unread_below(*shape, value, path, each);
        }
        for (member, value) in value.as_object().into_iter().flatten() {
            path.push(PathStep::Key(member));
            match self.shape(of, member.as_bytes()) {
                Some(shape) => self.unread_below(shape, value, path, each),
                None if of.is_kind && matches!(member.as_str(), "kind" | "apiVersion") => {}
                None => each(path),
            }
            path.pop();
        }
    }

    fn unread_below<'a>(
        &self,
        shape: Shape,
        value: &'a Value,
        path: &mut Vec<PathStep<'a>>,
        each: &mut dyn FnMut(&[PathStep<'a>]),
    ) {
        let Leaf::Type(at) = shape.leaf else { return };
        let Some(of) = self.get(at) else { return };
        let mut below = |step, value| {
            path.push(step);
            self.unread(of, value, path, each);
            path.pop();
        };
        match (shape.wrap, value) {
            (Wrap::List, Value::Array(items)) => {
                items.iter().enumerate().for_each(|(index, item)| below(PathStep::Index(index), item));
            }
            (Wrap::Map, Value::Object(members)) => {
                members.iter().for_each(|(key, value)| below(PathStep::Key(key), value));
            }
            _ => self.unread(of, value, path, each),
        }
    }

    /// A field's value as it is written; `None` where it is empty and left out.
    fn value(
        &self,
        shape: Shape,
        path: &dyn Fn() -> String,
        value: Value,
        defaults: bool,
        omit_empty: bool,
    ) -> Result<Option<Value>, WrongType> {
        Ok(match (shape.wrap, value) {
            (Wrap::None, value) => {
                let value = self.leaf(shape.leaf, path, value, defaults, false)?;
                let empty = match &value {
                    // A struct in Go, and those are never empty.
                    _ if shape.leaf == Leaf::IntOrString => false,
                    Value::String(text) => text.is_empty(),
                    Value::Number(number) => number.as_f64() == Some(0.0),
                    Value::Bool(set) => !set,
                    Value::Array(list) => list.is_empty(),
                    _ => false,
                };
                (!(omit_empty && empty)).then_some(value)
            }
            (Wrap::Pointer, Value::Null) => (!omit_empty).then_some(Value::Null),
            (Wrap::Pointer, value) => Some(self.leaf(shape.leaf, path, value, defaults, false)?),
            (Wrap::List, Value::Array(items)) => {
                let each = |item| self.leaf(shape.leaf, path, item, defaults, false);
                let items = items.into_iter().map(each).collect::<Result<Vec<_>, _>>()?;
                (!(omit_empty && items.is_empty())).then_some(Value::Array(items))
            }
            (Wrap::List, Value::Null) => (!omit_empty).then(|| Value::Array(Vec::new())),
            (Wrap::Map, Value::Object(members)) => {
                let mut members: Vec<_> = members.into_iter().collect();
                crate::sort::by_text(&mut members, |(member, _)| member);
                let mut sorted = Map::new();
                for (member, value) in members {
                    sorted.insert(member, self.leaf(shape.leaf, path, value, defaults, true)?);
                }
                (!(omit_empty && sorted.is_empty())).then_some(Value::Object(sorted))
            }
            (Wrap::Map, Value::Null) => (!omit_empty).then_some(Value::Null),
            (Wrap::List, other) => return Err(mismatch(&other, &path(), "[]interface {}")),
            (Wrap::Map, other) => return Err(mismatch(&other, &path(), "map[string]interface {}")),
        })
    }

    fn leaf(
        &self,
        leaf: Leaf,
        path: &dyn Fn() -> String,
        value: Value,
        defaults: bool,
        in_map: bool,
    ) -> Result<Value, WrongType> {
        let wrong = |value: &Value, name: &str| Err(mismatch(value, &path(), name));
        Ok(match (leaf, value) {
            (Leaf::String, Value::Null) => "".into(),
            (Leaf::String, value @ Value::String(_)) => value,
            (Leaf::String, other) => return wrong(&other, "string"),
            (Leaf::Bool, Value::Null) => false.into(),
            (Leaf::Bool, value @ Value::Bool(_)) => value,
            (Leaf::Bool, other) => return wrong(&other, "bool"),
            (Leaf::Int32 | Leaf::Int64 | Leaf::Float, Value::Null) => 0.into(),
            (Leaf::Int32, value) => match integer(&value).and_then(|number| i32::try_from(number).ok()) {
                Some(number) => number.into(),
                None => return wrong(&value, "int32"),
            },
            (Leaf::Int64, value) => match integer(&value) {
                Some(number) => number.into(),
                None => return wrong(&value, "int64"),
            },
            (Leaf::Float, value @ Value::Number(_)) => value,
            (Leaf::Float, other) => return wrong(&other, "float64"),
            // A nil value of a map of bytes is written as null.
            (Leaf::Bytes, Value::Null) if in_map => Value::Null,
            (Leaf::Bytes, Value::Null) => "".into(),
            (Leaf::Bytes, Value::String(text)) if in_map && text.is_empty() => Value::Null,
            (Leaf::Bytes, Value::String(text)) => {
                let decoded = base64::decode(text.as_bytes()).map_err(|error| WrongType {
                    converted: "error decoding from json: ".to_owned() + &error,
                    read: error,
                })?;
                STANDARD.encode(decoded).into()
            }
            (Leaf::Bytes, other) => return wrong(&other, "[]uint8"),
            (Leaf::Quantity, Value::Null) => "0".into(),
            (Leaf::Quantity, value @ (Value::String(_) | Value::Number(_))) => {
                let text = value.as_str().map_or_else(|| value.to_string(), |text| text.trim().to_owned());
                // Every map of quantities is a ResourceList, which its defaults round.
                quantity::canonical(&text, defaults && in_map).map_err(str::to_owned)?.into()
            }
            (Leaf::Quantity, _) => return Err(quantity::WRONG_FORMAT.to_owned().into()),
            (Leaf::IntOrString, Value::Null) => 0.into(),
            (Leaf::IntOrString, value @ Value::String(_)) => value,
            (Leaf::IntOrString, value) => return self.leaf(Leaf::Int32, path, value, defaults, in_map),
            (Leaf::Time, Value::Null) => Value::Null,
            (Leaf::Time, Value::String(text)) => time::canonical(&text)?.map_or(Value::Null, Value::String),
            (Leaf::Time, other) => return wrong(&other, "string"),
            (Leaf::Raw, value) => value,
            (Leaf::Type(at), value) => {
                let Some(of) = self.get(at) else { return Ok(value) };
                if let [Field { json: "=", shape, .. }] = of.fields.as_slice() {
                    return Ok(self.value(*shape, path, value, defaults, false)?.unwrap_or_default());
                }
                let mut members = Map::new();
                self.members(of, &path(), value, defaults, &mut members)?;
                Value::Object(members)
            }
        })
    }
}

impl Type {
    /// The fields in the order in which protobuf writes them.
    pub(crate) fn by_number(&self) -> impl Iterator<Item = &Field> {
        self.order.iter().filter_map(|at| self.fields.get(*at))
    }
}

impl Field {
    /// `ObjectMeta`, `UID`, `Annotations`: what gogo-protobuf's errors call the field.
    pub(crate) fn go_name(&self) -> String {
        match (self.go_name, self.json.split_at_checked(1)) {
            (Some(name), _) => name.to_owned(),
            (None, Some((first, rest))) => first.to_ascii_uppercase() + rest,
            (None, None) => String::new(),
        }
    }
}

const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;

/// An integer as the codec reads it: also in quotes, and with a fraction that is zero.
fn integer(value: &Value) -> Option<i64> {
    // Up to where a number is one too large for the type.
    let fits = |number: f64| number.fract() == 0.0 && (-TWO_TO_63..TWO_TO_63).contains(&number);
    let whole = |number: f64| fits(number).then_some(number as i64);
    match value {
        Value::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
        Value::String(text) => text.parse().ok().or_else(|| whole(float::parse(text)?)),
        _ => None,
    }
}

/// A value that is not of its field's type.
#[derive(Debug)]
pub(super) struct WrongType {
    /// In the words of `encoding/json`, which name the field.
    pub(super) read: String,
    /// In the words of `apimachinery/pkg/conversion/unstructured`, which name the types.
    pub(super) converted: String,
}

impl From<String> for WrongType {
    fn from(error: String) -> Self {
        Self { read: error.clone(), converted: error }
    }
}

fn mismatch(value: &Value, path: &str, go_type: &str) -> WrongType {
    let (found, kind) = match value {
        Value::Null => ("null".to_owned(), ""),
        Value::Bool(_) => ("bool".to_owned(), "bool"),
        Value::Number(number) if !number.is_i64() => (format!("number {number}"), "float64"),
        Value::Number(number) if matches!(go_type, "int32" | "int64") => (format!("number {number}"), "int64"),
        Value::Number(_) => ("number".to_owned(), "int64"),
        Value::String(_) => ("string".to_owned(), "string"),
        Value::Array(_) => ("array".to_owned(), "slice"),
        Value::Object(_) => ("object".to_owned(), "map"),
    };
    let converted = match (go_type, kind) {
        ("string", "int64") | ("int32" | "int64", "float64") => format!("cannot convert {kind} to {go_type}"),
        ("string" | "bool" | "int32" | "int64" | "float64", _) => format!("unrecognized type: {go_type}"),
        (list, _) if list.starts_with("[]") => format!("cannot restore slice from {kind}"),
        (map, _) if map.starts_with("map[") => format!("cannot restore map from {kind}"),
        _ => format!("cannot restore struct from: {kind}"),
    };
    let read = format!("json: cannot unmarshal {found} into Go struct field {path} of type {go_type}");
    WrongType { read, converted }
}
