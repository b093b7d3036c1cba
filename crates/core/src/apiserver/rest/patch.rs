//! The three patch formats: JSON patch (RFC 6902), JSON merge patch (RFC 7386), strategic merge patch.
//!
//! Behaviour: `apiserver/pkg/endpoints/handlers/patch.go`, `apimachinery/pkg/util/strategicpatch/patch.go`,
//! `vendor/github.com/evanphx/json-patch`. Errors are the server's texts.

use crate::manifest::{Map, Value};
use crate::request::quote;

/// Applies a JSON merge patch.
pub fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(target) = target else { return };
    for (key, value) in patch {
        if value.is_null() {
            target.shift_remove(key);
        } else {
            merge(target.entry(key.as_str()).or_insert(Value::Null), value);
        }
    }
}

/// Applies a JSON patch.
pub fn json(target: &mut Value, patch: &Value) -> Result<(), String> {
    let Value::Array(operations) = patch else {
        let what = match patch {
            Value::Object(_) => "object",
            Value::String(_) => "string",
            Value::Number(_) => "number",
            Value::Bool(_) => "bool",
            _ => return Ok(()),
        };
        return Err(format!("json: cannot unmarshal {what} into Go value of type jsonpatch.Patch"));
    };
    for operation in operations {
        let text = |key: &str, missing| operation.get(key).map_or(missing, |value| value.as_str().unwrap_or(""));
        let (path, from) = (text("path", "unknown"), text("from", "unknown"));
        let value = || operation.get("value").cloned().unwrap_or(Value::Null);
        let kind = text("op", "unknown");
        // Of RFC 6902 the server knows no `copy`, and `replace` takes members that are not there.
        match kind {
            "add" => add(find(target, path).ok_or_else(|| missing(kind, path))?, value())?,
            "remove" => drop(remove(find(target, path).ok_or_else(|| missing(kind, path))?)?),
            "replace" => put(find(target, path).ok_or_else(|| missing(kind, path))?, value())?,
            "move" => {
                let moved = remove(find(target, from).ok_or_else(|| missing("move from", from))?)?;
                put(find(target, path).ok_or_else(|| missing("move destination", path))?, moved)?;
            }
            "test" => {
                let (parent, key) = find(target, path).ok_or_else(|| missing(kind, path))?;
                let found = match parent {
                    Value::Array(list) => list.get(index(&key)?).ok_or_else(|| invalid("access", &key))?,
                    parent => parent.get(&key).unwrap_or(&Value::Null),
                };
                if *found != value() {
                    return Err(format!("Testing value {path} failed"));
                }
            }
            other => return Err(format!("Unexpected kind: {other}")),
        }
    }
    Ok(())
}

fn missing(what: &str, path: &str) -> String {
    let (operation, what) = match what.split_once(' ') {
        Some((operation, side)) => (operation, format!("doc is missing {side} path")),
        None if what == "test" => (what, "is missing path".to_owned()),
        None => (what, "doc is missing path".to_owned()),
    };
    format!("jsonpatch {operation} operation does not apply: {what}: {path}")
}

/// An object or list, and the key of the part that a path names in it; `None` where there is no such object or list.
type Spot<'a> = (&'a mut Value, String);

fn find<'a>(target: &'a mut Value, path: &str) -> Option<Spot<'a>> {
    let (parents, key) = path.rsplit_once('/')?;
    let unescape = |part: &str| part.replace("~1", "/").replace("~0", "~");
    let mut found = target;
    for part in parents.split('/').skip(1) {
        let part = unescape(part);
        found = match found {
            Value::Array(list) => list.get_mut(part.parse::<usize>().ok()?)?,
            parent => parent.get_mut(&part)?,
        };
    }
    matches!(found, Value::Array(_) | Value::Object(_)).then(|| (found, unescape(key)))
}

fn index(key: &str) -> Result<usize, String> {
    key.parse().map_err(|_| format!("strconv.Atoi: parsing {}: invalid syntax", quote(key)))
}

fn invalid(doing: &str, key: &str) -> String {
    format!("Unable to {doing} invalid index: {key}")
}

fn add((parent, key): Spot<'_>, value: Value) -> Result<(), String> {
    match parent {
        Value::Array(list) if key != "-" => match index(&key)? {
            at if at <= list.len() => list.insert(at, value),
            _ => return Err(invalid("access", &key)),
        },
        _ => return put((parent, key), value),
    }
    Ok(())
}

/// Lists are made long enough.
fn put((parent, key): Spot<'_>, value: Value) -> Result<(), String> {
    match parent {
        Value::Array(list) if key == "-" => list.push(value),
        Value::Array(list) => {
            let at = index(&key)?;
            if at > MOST_ELEMENTS {
                return Err(invalid("access", &key));
            }
            if at >= list.len() {
                list.resize(at + 1, Value::Null);
            }
            list.splice(at..=at, [value]);
        }
        Value::Object(map) => drop(map.insert(key, value)),
        _ => {}
    }
    Ok(())
}

/// No list is made longer than this, whatever index a patch names.
const MOST_ELEMENTS: usize = 10_000;

fn remove((parent, key): Spot<'_>) -> Result<Value, String> {
    match parent {
        Value::Array(list) => match index(&key)? {
            at if at < list.len() => Some(list.remove(at)),
            _ => return Err(invalid("remove", &key)),
        },
        Value::Object(map) => map.shift_remove(&key),
        _ => None,
    }
    .ok_or_else(|| format!("Unable to remove nonexistent key: {key}"))
}

/// How the list `field` of an object within `parent` is merged in `kind`: by a key of its elements, `Some("")` for a list
/// of scalars, `None` where a patch replaces it. `parent` is the name of the nearest field around, `""` at the root.
///
/// The `patchStrategy` tags of the types of release 1.7.
pub fn merge_key(kind: &str, parent: &str, field: &str) -> Option<&'static str> {
    match (parent, field) {
        ("metadata", "ownerReferences") => Some("uid"),
        ("metadata", "finalizers") => Some(""),
        ("spec", "containers" | "initContainers" | "volumes" | "imagePullSecrets") => Some("name"),
        ("spec", "hostAliases") => Some("ip"),
        ("spec", "ports") if kind == "Service" => Some("port"),
        ("containers" | "initContainers", "ports") => Some("containerPort"),
        ("containers" | "initContainers", "env") => Some("name"),
        ("containers" | "initContainers", "volumeMounts") => Some("mountPath"),
        ("", "secrets") if kind == "ServiceAccount" => Some("name"),
        ("", "conditions") if kind == "ComponentStatus" => Some("type"),
        ("status", "addresses") if kind == "Node" => Some("type"),
        ("status", "conditions") => {
            matches!(kind, "Pod" | "ReplicationController" | "Node" | "Deployment" | "Job" | "ReplicaSet")
                .then_some("type")
        }
        _ => None,
    }
}

const DIRECTIVE: &str = "$patch";
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";
const ORDER: &str = "$setElementOrder/";
const RETAIN: &str = "$retainKeys";

/// Applies a strategic merge patch to an object of `kind`.
pub fn strategic(kind: &str, target: &mut Value, patch: &Value) -> Result<(), String> {
    let (Value::Object(target), Value::Object(patch)) = (target, patch) else {
        return Err("json: cannot unmarshal into Go value of type map[string]interface {}".into());
    };
    merge_map(kind, "", target, patch)
}

fn merge_map(
    kind: &str,
    parent: &str,
    target: &mut Map<String, Value>,
    patch: &Map<String, Value>,
) -> Result<(), String> {
    match patch.get(DIRECTIVE) {
        None => {}
        Some(Value::String(directive)) if directive == "replace" => {
            *target = patch.clone();
            target.shift_remove(DIRECTIVE);
            return Ok(());
        }
        Some(Value::String(directive)) if directive == "delete" => {
            target.clear();
            return Ok(());
        }
        Some(other) => return Err(format!("Unknown patch type: {other} in map: {}", Value::Object(patch.clone()))),
    }
    if let Some(retained) = patch.get(RETAIN) {
        let Value::Array(retained) = retained else { return Err("invalid patch format of retainKeys".into()) };
        target.retain(|key, _| retained.iter().any(|kept| kept == key.as_str()));
    }
    for (key, value) in patch {
        if key == RETAIN || key.starts_with(ORDER) {
            continue;
        }
        if let Some(list) = key.strip_prefix(DELETE_FROM) {
            if let (Some(Value::Array(kept)), Value::Array(deleted)) = (target.get_mut(list), value) {
                kept.retain(|element| !deleted.contains(element));
            }
            continue;
        }
        match (target.get_mut(key), value) {
            (_, Value::Null) => drop(target.shift_remove(key)),
            (Some(Value::Object(old)), Value::Object(new)) => merge_map(kind, key, old, new)?,
            (Some(Value::Array(old)), Value::Array(new)) => match merge_key(kind, parent, key) {
                Some("") => {
                    old.extend(new.iter().cloned());
                    let mut seen: Vec<Value> = Vec::new();
                    old.retain(|element| {
                        !seen.contains(element) && {
                            seen.push(element.clone());
                            true
                        }
                    });
                    order(old, patch.get(&format!("{ORDER}{key}")), new, "");
                }
                Some(by) => {
                    merge_list(kind, key, by, old, new)?;
                    order(old, patch.get(&format!("{ORDER}{key}")), new, by);
                }
                None => old.clone_from(new),
            },
            (_, value) => drop(target.insert(key.clone(), value.clone())),
        }
    }
    // An order that comes without elements of its own still orders what is there.
    for (key, value) in patch {
        let Some(list) = key.strip_prefix(ORDER).filter(|list| !patch.contains_key(*list)) else { continue };
        if let (Some(Value::Array(old)), Some(by)) = (target.get_mut(list), merge_key(kind, parent, list)) {
            order(old, Some(value), &[], by);
        }
    }
    Ok(())
}

fn merge_list(kind: &str, field: &str, by: &str, old: &mut Vec<Value>, new: &[Value]) -> Result<(), String> {
    let no_key = |element: &Value| format!("map: {element} does not contain declared merge key: {by}");
    let directive =
        |element: &Value| element.get(DIRECTIVE).map(|directive| directive.as_str().unwrap_or("").to_owned());
    let mut replace = false;
    for element in new {
        match directive(element).as_deref() {
            None => {}
            Some("delete") => {
                let key = element.get(by).ok_or_else(|| no_key(element))?;
                old.retain(|candidate| candidate.get(by) != Some(key));
            }
            Some("replace") => replace = true,
            Some("merge") => return Err("merging lists cannot yet be specified in the patch".into()),
            Some(other) => return Err(format!("Unknown patch type: {other} in map: {element}")),
        }
    }
    if replace {
        old.clear();
    }
    for element in new.iter().filter(|element| directive(element).is_none()) {
        if replace {
            old.push(element.clone());
            continue;
        }
        let key = element.get(by).ok_or_else(|| no_key(element))?;
        match (old.iter_mut().find(|candidate| candidate.get(by) == Some(key)), element) {
            (Some(Value::Object(candidate)), Value::Object(element)) => merge_map(kind, field, candidate, element)?,
            (Some(candidate), element) => candidate.clone_from(element),
            (None, element) => old.push(element.clone()),
        }
    }
    Ok(())
}

/// Puts the elements that a patch names into its order, and those that only the server has where they stood before.
fn order(list: &mut Vec<Value>, wanted: Option<&Value>, patched: &[Value], by: &str) {
    let key =
        |element: &Value| if by.is_empty() { element.clone() } else { element.get(by).cloned().unwrap_or(Value::Null) };
    let wanted: Vec<Value> = match wanted {
        Some(Value::Array(wanted)) => wanted.iter().map(key).collect(),
        _ => patched.iter().map(key).collect(),
    };
    let rank = |element: &Value| wanted.iter().position(|candidate| *candidate == key(element));
    let server: Vec<Value> = list.iter().map(key).collect();
    let place = |element: &Value| server.iter().position(|candidate| *candidate == key(element));
    let (mut named, only_server): (Vec<Value>, Vec<Value>) =
        list.drain(..).partition(|element| rank(element).is_some());
    crate::sort::by(&mut named, |one, other| rank(one).cmp(&rank(other)));
    let mut only_server = only_server.into_iter().peekable();
    for element in named {
        while let Some(next) = only_server.next_if(|next| place(next) < place(&element)) {
            list.push(next);
        }
        list.push(element);
    }
    list.extend(only_server);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn merge_patches() {
        let table = [
            (json!({"a": 1, "b": {"c": 1}}), json!({"a": null, "b": {"d": 2}}), json!({"b": {"c": 1, "d": 2}})),
            (json!({"a": [1, 2]}), json!({"a": [3]}), json!({"a": [3]})),
            (json!({"a": 1}), json!({"a": {"b": null}}), json!({"a": {}})),
        ];
        for (mut target, patch, expected) in table {
            merge(&mut target, &patch);
            assert_eq!(target, expected, "{patch}");
        }
    }

    #[test]
    fn json_patches() {
        let table = [
            (json!({"a": 1}), json!([{"op": "add", "path": "/b", "value": 2}]), Ok(json!({"a": 1, "b": 2}))),
            (json!({"a": [1, 3]}), json!([{"op": "add", "path": "/a/1", "value": 2}]), Ok(json!({"a": [1, 2, 3]}))),
            (json!({"a": [1]}), json!([{"op": "add", "path": "/a/-", "value": 2}]), Ok(json!({"a": [1, 2]}))),
            (json!({"a/b": 1}), json!([{"op": "replace", "path": "/a~1b", "value": 2}]), Ok(json!({"a/b": 2}))),
            (json!({"a": 1}), json!([{"op": "move", "from": "/a", "path": "/b"}]), Ok(json!({"b": 1}))),
            (json!({"a": 1}), json!([{"op": "copy", "from": "/a", "path": "/b"}]), Err("Unexpected kind: copy")),
            (json!({}), json!([{"path": "/a", "value": 1}]), Err("Unexpected kind: unknown")),
            (json!({"a": {}}), json!([{"op": "replace", "path": "/a/b", "value": 1}]), Ok(json!({"a": {"b": 1}}))),
            (
                json!({}),
                json!([{"op": "replace", "path": "/a/b", "value": 1}]),
                Err("jsonpatch replace operation does not apply: doc is missing path: /a/b"),
            ),
            (
                json!({"a": "x"}),
                json!([{"op": "add", "path": "/a/b", "value": 1}]),
                Err("jsonpatch add operation does not apply: doc is missing path: /a/b"),
            ),
            (
                json!({"a": 1}),
                json!([{"op": "move", "from": "/a", "path": "/b/c"}]),
                Err("jsonpatch move operation does not apply: doc is missing destination path: /b/c"),
            ),
            (
                json!({}),
                json!([{"op": "test", "path": "b", "value": 1}]),
                Err("jsonpatch test operation does not apply: is missing path: b"),
            ),
            (json!({}), json!([{"op": "test", "path": "/b", "value": null}]), Ok(json!({}))),
            (json!({"a": [1]}), json!([{"op": "remove", "path": "/a/1"}]), Err("Unable to remove invalid index: 1")),
            (json!({"a": [1]}), json!([{"op": "replace", "path": "/a/2", "value": 3}]), Ok(json!({"a": [1, null, 3]}))),
            (
                json!({"a": [1]}),
                json!([{"op": "add", "path": "/a/x", "value": 3}]),
                Err("strconv.Atoi: parsing \"x\": invalid syntax"),
            ),
            (json!({"a": 1}), json!([{"op": "remove", "path": "/b"}]), Err("Unable to remove nonexistent key: b")),
            (json!({"a": 1}), json!([{"op": "test", "path": "/a", "value": 2}]), Err("Testing value /a failed")),
        ];
        for (mut target, patch, expected) in table {
            let result = json(&mut target, &patch).map(|()| target);
            assert_eq!(result, expected.map_err(str::to_owned), "{patch}");
        }
    }

    #[test]
    fn strategic_patches_merge_lists_by_their_key() {
        let pod = json!({"spec": {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}], "tolerations": [{"key": "x"}]}});
        let table = [
            (
                json!({"spec": {"containers": [{"name": "b", "image": "2"}]}}),
                json!([{"name": "a", "image": "1"}, {"name": "b", "image": "2"}]),
            ),
            (
                json!({"spec": {"containers": [{"name": "c", "image": "3"}]}}),
                json!([{"name": "a", "image": "1"}, {"name": "b", "image": "1"}, {"name": "c", "image": "3"}]),
            ),
            (
                json!({"spec": {"containers": [{"name": "a", "$patch": "delete"}]}}),
                json!([{"name": "b", "image": "1"}]),
            ),
            (json!({"spec": {"containers": [{"$patch": "replace"}, {"name": "z"}]}}), json!([{"name": "z"}])),
            (
                json!({"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}}),
                json!([{"name": "b", "image": "1"}, {"name": "a", "image": "1"}]),
            ),
        ];
        for (patch, expected) in table {
            let mut target = pod.clone();
            strategic("Pod", &mut target, &patch).unwrap();
            assert_eq!(target["spec"]["containers"], expected, "{patch}");
        }
        let mut target = pod.clone();
        strategic("Pod", &mut target, &json!({"spec": {"tolerations": [{"key": "y"}]}})).unwrap();
        assert_eq!(target["spec"]["tolerations"], json!([{"key": "y"}]));
        let mut target = json!({"metadata": {"finalizers": ["a", "b"]}});
        strategic(
            "Pod",
            &mut target,
            &json!({"metadata": {"finalizers": ["c"], "$deleteFromPrimitiveList/finalizers": ["a"]}}),
        )
        .unwrap();
        assert_eq!(target["metadata"]["finalizers"], json!(["b", "c"]));
        let error = strategic("Pod", &mut pod.clone(), &json!({"spec": {"containers": [{"image": "2"}]}})).unwrap_err();
        assert_eq!(error, "map: {\"image\":\"2\"} does not contain declared merge key: name");
    }
}
