//! Reading JSON values by short paths, and printing them as Go does.

use std::fmt::Write as _;

use portcullis_core::manifest::{Map, Value, json};
use portcullis_core::sort;

/// The part at a dotted path (`metadata.name`), or null. Keys with dots in them are looked up otherwise.
pub fn at<'a>(value: &'a Value, path: &str) -> &'a Value {
    if path.is_empty() {
        return value;
    }
    path.split('.').try_fold(value, |value, key| value.get(key)).unwrap_or(&Value::Null)
}

/// The string at `path`, or `""`.
pub fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    at(value, path).as_str().unwrap_or("")
}

/// The number at `path`, or 0.
pub fn number(value: &Value, path: &str) -> i64 {
    at(value, path).as_i64().unwrap_or(0)
}

/// The list at `path`, or an empty one.
pub fn list<'a>(value: &'a Value, path: &str) -> &'a [Value] {
    at(value, path).as_array().map_or(&[], Vec::as_slice)
}

/// The strings of the list at `path`.
pub fn texts<'a>(value: &'a Value, path: &str) -> Vec<&'a str> {
    list(value, path).iter().filter_map(Value::as_str).collect()
}

/// The members of the mapping at `path`, by key.
pub fn members<'a>(value: &'a Value, path: &str) -> Vec<(&'a str, &'a Value)> {
    let mut members: Vec<_> =
        at(value, path).as_object().into_iter().flatten().map(|(key, value)| (key.as_str(), value)).collect();
    sort::by_text(&mut members, |(key, _)| key);
    members
}

/// How many members or elements there are at `path`.
pub fn count(value: &Value, path: &str) -> usize {
    match at(value, path) {
        Value::Array(elements) => elements.len(),
        Value::Object(members) => members.len(),
        _ => 0,
    }
}

/// `metadata`, made where it is absent.
pub fn metadata(object: &mut Value) -> Option<&mut Map<String, Value>> {
    let metadata = object.as_object_mut()?.entry("metadata").or_insert_with(|| Map::new().into());
    if metadata.is_null() {
        *metadata = Map::new().into();
    }
    metadata.as_object_mut()
}

/// Sets a member of `metadata`.
pub fn set_metadata(object: &mut Value, key: &str, value: Value) {
    if let Some(metadata) = metadata(object) {
        metadata.insert(key.to_owned(), value);
    }
}

/// The string map `metadata.FIELD`, made where it is absent.
pub fn metadata_map<'a>(object: &'a mut Value, field: &str) -> Option<&'a mut Map<String, Value>> {
    let map = metadata(object)?.entry(field).or_insert_with(|| Map::new().into());
    if map.is_null() {
        *map = Map::new().into();
    }
    map.as_object_mut()
}

/// `value` as Go's `%v` prints what `encoding/json` decoded, maps sorted.
pub fn plain(value: &Value) -> String {
    let mut out = String::new();
    print(value, &mut out);
    out
}

fn print(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("<nil>"),
        Value::String(text) => out.push_str(text),
        Value::Bool(_) | Value::Number(_) => {
            let _ = write!(out, "{value}");
        }
        Value::Array(elements) => {
            out.push('[');
            for (at, element) in elements.iter().enumerate() {
                if at > 0 {
                    out.push(' ');
                }
                print(element, out);
            }
            out.push(']');
        }
        Value::Object(_) => {
            out.push_str("map[");
            for (at, (key, member)) in members(value, "").iter().enumerate() {
                if at > 0 {
                    out.push(' ');
                }
                out.push_str(key);
                out.push(':');
                print(member, out);
            }
            out.push(']');
        }
    }
}

/// `value` with every mapping's members sorted, as Go marshals a map.
pub fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(elements) => elements.iter().map(sorted).collect(),
        Value::Object(map) => {
            let mut members: Vec<_> = map.iter().collect();
            sort::by_text(&mut members, |(key, _)| key);
            let map: Map<String, Value> =
                members.into_iter().map(|(key, value)| (key.clone(), sorted(value))).collect();
            map.into()
        }
        other => other.clone(),
    }
}

/// The value that a JSON template makes. A text in it that is `$name` stands for the value of that name, and what holds it
/// is left out where there is none or it is null.
pub fn fill(template: &str, values: &[(&str, Value)]) -> Value {
    let mut value = json::parse(template).unwrap_or_default();
    put(&mut value, values);
    value
}

fn put(value: &mut Value, values: &[(&str, Value)]) -> bool {
    match value {
        Value::String(text) => {
            if let Some(name) = text.strip_prefix('$') {
                let found = values.iter().find(|(known, value)| *known == name && !value.is_null());
                let Some((_, found)) = found else { return false };
                *value = found.clone();
            }
        }
        Value::Array(elements) => elements.retain_mut(|element| put(element, values)),
        Value::Object(members) => members.retain(|_, member| put(member, values)),
        _ => {}
    }
    true
}

/// `text` as a value, or null where it is empty.
pub fn some(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { text.into() }
}

/// A list of texts, or null where it is empty.
pub fn some_list<T: AsRef<str>>(texts: &[T]) -> Value {
    if texts.is_empty() { Value::Null } else { texts.iter().map(|text| Value::from(text.as_ref())).collect() }
}
