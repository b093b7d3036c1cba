//! The default RBAC policy as objects.

use crate::manifest::Value;
use crate::manifest::json::object;

const API_VERSION: &str = "rbac.authorization.k8s.io/v1beta1";
const GROUP: &str = "rbac.authorization.k8s.io";

/// The default objects, in the order of their creation.
#[derive(Debug)]
pub(super) struct Policy {
    objects: Vec<Value>,
    /// The place of the one that is another where `Node` is among the modes, and that other.
    node_mode: (usize, Value),
}

impl Policy {
    /// Reads `text`, whose own first lines explain it.
    pub(super) fn parse(text: &str) -> Self {
        let objects = objects(text);
        let is_node = |object: &Value| object.pointer("/metadata/name").is_some_and(|name| name == "system:node");
        let at = objects.iter().rposition(is_node).unwrap_or_default();
        let mut unbound = objects.get(at).cloned().unwrap_or_default();
        unbound.as_object_mut().and_then(|unbound| unbound.insert("subjects".into(), Value::Array(Vec::new())));
        Self { objects, node_mode: (at, unbound) }
    }

    /// The objects of a server with or without the mode `Node`. But for one they are the very same.
    pub(super) fn objects(&self, node_mode: bool) -> impl Iterator<Item = &Value> {
        let (at, unbound) = &self.node_mode;
        self.objects.iter().enumerate().map(
            move |(number, object)| {
                if node_mode && number == *at { unbound } else { object }
            },
        )
    }
}

fn objects(text: &str) -> Vec<Value> {
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
        let mut metadata = object([("name", name.into())]);
        if let (Some(namespace), Some(metadata)) = (namespace, metadata.as_object_mut()) {
            metadata.insert("namespace".into(), namespace.into());
        }
        if let Some(metadata) = metadata.as_object_mut() {
            metadata.insert("creationTimestamp".into(), Value::Null);
            metadata.insert("labels".into(), object([("kubernetes.io/bootstrapping", "rbac-defaults".into())]));
            metadata
                .insert("annotations".into(), object([("rbac.authorization.kubernetes.io/autoupdate", "true".into())]));
        }
        let mut new = object([("kind", kind.into()), ("apiVersion", API_VERSION.into()), ("metadata", metadata)]);
        let mut set = |member: &str, value: Value| new.as_object_mut().and_then(|new| new.insert(member.into(), value));
        match kind.strip_suffix("Binding") {
            None => {
                set("rules", Value::Array(Vec::new()));
            }
            Some(role) => {
                let subjects: Vec<Value> = words.map(subject).collect();
                set("subjects", subjects.into());
                set("roleRef", of_group(role, name));
            }
        }
        objects.push(new);
    }
    objects
}

fn rule(line: &str) -> Value {
    let list = |text: &str| -> Value { text.split(',').map(|word| if word == "\"\"" { "" } else { word }).collect() };
    let mut parts = line.split(" | ");
    let mut part = || parts.next().map(list);
    match line.strip_prefix("url ").and_then(|line| line.split_once(" | ")) {
        Some((urls, verbs)) => object([("verbs", list(verbs)), ("nonResourceURLs", list(urls))]),
        None => {
            let (groups, resources, verbs, names) = (part(), part(), part(), part());
            let [groups, resources, verbs] = [groups, resources, verbs].map(Option::unwrap_or_default);
            let mut rule = object([("verbs", verbs), ("apiGroups", groups), ("resources", resources)]);
            if let (Some(names), Some(rule)) = (names, rule.as_object_mut()) {
                rule.insert("resourceNames".into(), names);
            }
            rule
        }
    }
}

/// A role, a user or a group as bindings refer to it.
fn of_group(kind: &str, name: &str) -> Value {
    object([("apiGroup", GROUP.into()), ("kind", kind.into()), ("name", name.into())])
}

fn subject(word: &str) -> Value {
    match word.split_once('=') {
        Some(("user", name)) => of_group("User", name),
        Some(("group", name)) => of_group("Group", name),
        Some((_, path)) => {
            let (namespace, name) = path.split_once('/').unwrap_or(("", path));
            object([("kind", "ServiceAccount".into()), ("name", name.into()), ("namespace", namespace.into())])
        }
        None => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use crate::manifest::yaml;
    use crate::release::Release;

    use super::*;

    fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
        value.as_object().into_iter().flatten()
    }

    /// The reference's short names; its `n` is a boolean to YAML 1.1.
    fn expected_rule(rule: &Value) -> Value {
        let names = [
            ("v", "verbs"),
            ("g", "apiGroups"),
            ("r", "resources"),
            ("false", "resourceNames"),
            ("u", "nonResourceURLs"),
        ];
        names.iter().filter_map(|(short, long)| Some((*long, rule.get(short)?.clone()))).collect()
    }

    fn expected_subject(subject: &Value) -> Value {
        let (word, name) = entries(subject).next().unwrap();
        let name = name.as_str().unwrap();
        match word.as_str() {
            "sa" => {
                let (namespace, name) = name.split_once('/').unwrap();
                object([("kind", "ServiceAccount".into()), ("name", name.into()), ("namespace", namespace.into())])
            }
            "user" => json!({"kind": "User", "apiGroup": GROUP, "name": name}),
            _ => json!({"kind": "Group", "apiGroup": GROUP, "name": name}),
        }
    }

    #[test]
    fn the_policy_is_the_recorded_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/reference/bootstrap-1.7.yaml");
        let Ok(text) = fs::read_to_string(path) else {
            return println!("skipped: no reference");
        };
        let reference = yaml::parse(&text).unwrap();
        let list = |value: &Value, each: fn(&Value) -> Value| -> Value {
            value.as_array().unwrap().iter().map(each).collect()
        };
        let mut expected = Vec::new();
        let mut add = |kind: &str, namespace: Option<&str>, objects: &Value| {
            for (name, body) in entries(objects) {
                expected.push(match kind.strip_suffix("Binding") {
                    None => (
                        kind.to_owned(),
                        namespace.map(str::to_owned),
                        name.clone(),
                        list(body, expected_rule),
                        Value::Null,
                    ),
                    Some(role) => {
                        let role = json!({"apiGroup": GROUP, "kind": role, "name": name});
                        (
                            kind.to_owned(),
                            namespace.map(str::to_owned),
                            name.clone(),
                            list(body, expected_subject),
                            role,
                        )
                    }
                });
            }
        };
        add("ClusterRole", None, &reference["clusterRoles"]);
        add("ClusterRole", None, &reference["controllerClusterRoles"]);
        add("ClusterRoleBinding", None, &reference["clusterRoleBindings"]);
        add("ClusterRoleBinding", None, &reference["controllerClusterRoleBindings"]);
        entries(&reference["namespaceRoles"]).for_each(|(namespace, roles)| add("Role", Some(namespace), roles));
        entries(&reference["namespaceRoleBindings"])
            .for_each(|(namespace, roles)| add("RoleBinding", Some(namespace), roles));
        assert_eq!(expected.len(), 39 + 30 + 7 + 6);

        let release = Release::find("1.7").unwrap();
        let objects: Vec<&Value> = release.bootstrap_policy(false).collect();
        assert_eq!(objects.len(), expected.len());
        for (object, (kind, namespace, name, body, role)) in objects.iter().zip(&expected) {
            assert_eq!(object["kind"].as_str(), Some(kind.as_str()));
            let metadata = &object["metadata"];
            assert_eq!(
                (metadata["namespace"].as_str(), metadata["name"].as_str()),
                (namespace.as_deref(), Some(name.as_str()))
            );
            assert_eq!(&object["roleRef"], role);
            let part = if kind.ends_with("Binding") { "subjects" } else { "rules" };
            assert_eq!(&object[part], body, "{name}");
        }
    }

    #[test]
    fn the_node_authorizer_leaves_nodes_without_a_binding() {
        let release = Release::find("1.7").unwrap();
        for (node_mode, subjects) in [(true, 0), (false, 1)] {
            let binding = release
                .bootstrap_policy(node_mode)
                .find(|o| o["kind"] == "ClusterRoleBinding" && o["metadata"]["name"] == "system:node");
            assert_eq!(binding.unwrap()["subjects"].as_array().unwrap().len(), subjects);
        }
    }
}
