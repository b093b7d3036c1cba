//! What a start of the server changes in the default roles and bindings: `pkg/registry/rbac/reconciliation`.

use super::{Rule, covers, text};
use crate::manifest::{Map, Value};

/// What to do with an existing binding.
#[derive(Clone, Debug, PartialEq)]
pub enum Reconciled {
    /// It is as expected, or protected.
    Unchanged,
    /// Write this.
    Update(Value),
    /// It refers to another role: delete it, then create the expected one.
    Recreate,
}

/// The role to write so that `existing` grants all that `expected` does; `None` where nothing is to do. What it grants
/// beyond that stays, and so do its own labels and annotations.
pub fn reconcile_role(existing: &Value, expected: &Value) -> Option<Value> {
    if protected(existing) {
        return None;
    }
    let missing = match elements(existing, "rules") == elements(expected, "rules") {
        // Most often: what covers itself lacks nothing.
        true => Vec::new(),
        false => {
            let rules = |role: &Value| -> Vec<Rule> { elements(role, "rules").iter().map(Rule::new).collect() };
            covers(&rules(existing), &rules(expected))
        }
    };
    if missing.is_empty() && !lacks_metadata(existing, expected) {
        return None;
    }
    let mut updated = existing.clone();
    merge_metadata(&mut updated, expected);
    append(&mut updated, "rules", missing.iter().map(Rule::to_value).collect());
    (updated != *existing).then_some(updated)
}

/// What to do with the binding `existing` so that it binds all that `expected` does.
pub fn reconcile_binding(existing: &Value, expected: &Value) -> Reconciled {
    if protected(existing) {
        return Reconciled::Unchanged;
    }
    let role = |binding| {
        let role_ref = Value::get(binding, "roleRef").unwrap_or(&Value::Null);
        ["apiGroup", "kind", "name"].map(|key| text(role_ref, key))
    };
    if role(existing) != role(expected) {
        return Reconciled::Recreate;
    }
    let identity = |subject| ["kind", "apiGroup", "name", "namespace"].map(|key| text(subject, key));
    let mut known: Vec<_> = elements(existing, "subjects").iter().map(identity).collect();
    let mut missing = Vec::new();
    for subject in elements(expected, "subjects") {
        if !known.contains(&identity(subject)) {
            known.push(identity(subject));
            missing.push(subject.clone());
        }
    }
    if missing.is_empty() && !lacks_metadata(existing, expected) {
        return Reconciled::Unchanged;
    }
    let mut updated = existing.clone();
    merge_metadata(&mut updated, expected);
    append(&mut updated, "subjects", missing);
    if updated == *existing { Reconciled::Unchanged } else { Reconciled::Update(updated) }
}

fn protected(existing: &Value) -> bool {
    let annotations = existing.pointer("/metadata/annotations").unwrap_or(&Value::Null);
    text(annotations, "rbac.authorization.kubernetes.io/autoupdate") == "false"
}

fn elements<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Appends to the list under `key`; leaves the object alone where there is nothing to append.
fn append(value: &mut Value, key: &str, more: Vec<Value>) {
    let Some(map) = value.as_object_mut().filter(|_| !more.is_empty()) else { return };
    match map.get_mut(key).and_then(Value::as_array_mut) {
        Some(list) => list.extend(more),
        None => {
            map.insert(key.to_owned(), Value::Array(more));
        }
    }
}

/// Whether `expected` has labels or annotations that `value` has not.
fn lacks_metadata(value: &Value, expected: &Value) -> bool {
    ["labels", "annotations"].into_iter().any(|key| {
        let of = |object| Value::get(object, "metadata")?.get(key)?.as_object();
        let own = of(value);
        of(expected).is_some_and(|wanted| wanted.keys().any(|name| own.is_none_or(|own| !own.contains_key(name))))
    })
}

/// Adds the labels and annotations that `expected` has and `value` lacks, sorted by key as the API prints them.
fn merge_metadata(value: &mut Value, expected: &Value) {
    for key in ["labels", "annotations"] {
        let Some(wanted) = expected.pointer(&format!("/metadata/{key}")).and_then(Value::as_object) else {
            continue;
        };
        let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) else { continue };
        let mut own = metadata.get(key).and_then(Value::as_object).cloned().unwrap_or_default();
        if wanted.keys().all(|name| own.contains_key(name)) {
            continue;
        }
        for (name, content) in wanted {
            own.entry(name.clone()).or_insert_with(|| content.clone());
        }
        own.sort_keys();
        insert_metadata(metadata, key, own);
    }
}

/// Puts `labels` and `annotations` where the API prints them: behind all that comes before, ahead of what comes after.
fn insert_metadata(metadata: &mut Map<String, Value>, key: &str, content: Map<String, Value>) {
    const AFTER_LABELS: [&str; 5] = ["annotations", "ownerReferences", "initializers", "finalizers", "clusterName"];
    if let Some(own) = metadata.get_mut(key) {
        *own = Value::Object(content);
        return;
    }
    let after = if key == "labels" { &AFTER_LABELS[..] } else { AFTER_LABELS.get(1..).unwrap_or(&[]) };
    let at = metadata.keys().position(|name| after.contains(&name.as_str())).unwrap_or(metadata.len());
    metadata.shift_insert(at, key.to_owned(), Value::Object(content));
}
