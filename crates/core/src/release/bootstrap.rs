//! The default RBAC policy as objects.

use serde_json::{Value, json};

const API_VERSION: &str = "rbac.authorization.k8s.io/v1beta1";
const GROUP: &str = "rbac.authorization.k8s.io";

/// The objects of `text` (its own first lines explain it), in its order.
pub(super) fn objects(text: &str, node_mode: bool) -> Vec<Value> {
    let mut objects: Vec<Value> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some(line) = line.strip_prefix(' ') {
            if let Some(rules) = objects.last_mut().and_then(|o| o.get_mut("rules")).and_then(Value::as_array_mut) {
                rules.push(rule(line));
            }
            continue;
        }
        let mut words = line.split(' ');
        let kind = words.next().unwrap_or_default();
        let path = words.next().unwrap_or_default();
        let (namespace, name) = path.split_once('/').map_or((None, path), |(namespace, name)| (Some(namespace), name));
        let mut metadata = json!({ "name": name });
        if let (Some(namespace), Some(metadata)) = (namespace, metadata.as_object_mut()) {
            metadata.insert("namespace".into(), namespace.into());
        }
        if let Some(metadata) = metadata.as_object_mut() {
            metadata.insert("creationTimestamp".into(), Value::Null);
            metadata.insert("labels".into(), json!({"kubernetes.io/bootstrapping": "rbac-defaults"}));
            metadata.insert("annotations".into(), json!({"rbac.authorization.kubernetes.io/autoupdate": "true"}));
        }
        objects.push(match kind.strip_suffix("Binding") {
            None => json!({"kind": kind, "apiVersion": API_VERSION, "metadata": metadata, "rules": []}),
            Some(role) => {
                let nobody = node_mode && path == "system:node";
                let subjects: Vec<Value> = words.filter(|_| !nobody).map(subject).collect();
                let role = json!({"apiGroup": GROUP, "kind": role, "name": name});
                json!({"kind": kind, "apiVersion": API_VERSION, "metadata": metadata, "subjects": subjects,
                    "roleRef": role})
            }
        });
    }
    objects
}

fn rule(line: &str) -> Value {
    let list = |text: &str| -> Value { text.split(',').map(|word| if word == "\"\"" { "" } else { word }).collect() };
    let mut parts = line.split(" | ");
    let mut part = || parts.next().map(list);
    match line.strip_prefix("url ").and_then(|line| line.split_once(" | ")) {
        Some((urls, verbs)) => json!({"verbs": list(verbs), "nonResourceURLs": list(urls)}),
        None => {
            let (groups, resources, verbs, names) = (part(), part(), part(), part());
            let mut rule = json!({"verbs": verbs, "apiGroups": groups, "resources": resources});
            if let (Some(names), Some(rule)) = (names, rule.as_object_mut()) {
                rule.insert("resourceNames".into(), names);
            }
            rule
        }
    }
}

fn subject(word: &str) -> Value {
    match word.split_once('=') {
        Some(("user", name)) => json!({"kind": "User", "apiGroup": GROUP, "name": name}),
        Some(("group", name)) => json!({"kind": "Group", "apiGroup": GROUP, "name": name}),
        Some((_, path)) => {
            let (namespace, name) = path.split_once('/').unwrap_or(("", path));
            json!({"kind": "ServiceAccount", "name": name, "namespace": namespace})
        }
        None => Value::Null,
    }
}
