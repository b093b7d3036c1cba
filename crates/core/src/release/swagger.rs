//! What a client that knows the published schema says against an object before it sends it: members that no type has,
//! members that are missing, values of the wrong type.
//!
//! Behaviour: `pkg/api/validation/schema.go`, by which kubectl 1.7 checks files. It walks a Go map, so the order of its
//! complaints is random; here missing members come first and the rest by name.

use serde_json::Value;

use super::Release;
use super::schema::{Field, Leaf, Schema, Shape, Type, Wrap};

impl Release {
    /// The complaints about `object` as an object of `kind`, in kubectl's words; empty for a kind that is not known.
    pub fn complaints(&self, api_version: &str, kind: &str, object: &Value) -> Vec<String> {
        let schema = self.schema();
        let mut complaints = Vec::new();
        if let Some(of) = schema.kind(api_version, kind) {
            let version = api_version.rsplit('/').next().unwrap_or(api_version);
            members(schema, of, &format!("{version}.{kind}"), "", object, &mut complaints);
        }
        complaints
    }
}

/// All fields of a struct, those of inlined ones among them.
fn fields<'s>(schema: &'s Schema, of: &'s Type, all: &mut Vec<&'s Field>) {
    for field in &of.fields {
        match (field.json, field.shape.leaf) {
            (".", Leaf::Type(at)) => schema.get(at).into_iter().for_each(|inlined| fields(schema, inlined, all)),
            _ => all.push(field),
        }
    }
}

fn members(schema: &Schema, of: &Type, type_name: &str, path: &str, value: &Value, complaints: &mut Vec<String>) {
    let Value::Object(given) = value else {
        let actual = match value {
            Value::Array(_) => "[]interface {}",
            other => kind_of(other),
        };
        complaints.push(format!(
            "field {path} for {type_name}: expected object of type map[string]interface{{}}, but the actual type is {actual}"
        ));
        return;
    };
    let mut known = Vec::new();
    fields(schema, of, &mut known);
    let inside = |member: &str| if path.is_empty() { member.to_owned() } else { format!("{path}.{member}") };
    for field in &known {
        if !field.omit_empty && !given.contains_key(field.json) {
            complaints.push(format!("field {} for {type_name} is required", inside(field.json)));
        }
    }
    let mut given: Vec<(&String, &Value)> = given.iter().collect();
    crate::sort::by_text(&mut given, |(member, _)| member);
    for (member, value) in given {
        let field = known.iter().find(|field| field.json == member);
        match field {
            Some(_) if value.is_null() => {}
            Some(field) => check(schema, field.shape, &inside(member), value, complaints),
            None if of.is_kind && matches!(member.as_str(), "kind" | "apiVersion") => {}
            None => complaints.push(format!("found invalid field {member} for {type_name}")),
        }
    }
}

fn check(schema: &Schema, shape: Shape, path: &str, value: &Value, complaints: &mut Vec<String>) {
    match (shape.wrap, value) {
        (Wrap::Map, _) => {}
        (Wrap::List, Value::Array(elements)) => {
            for (at, element) in elements.iter().enumerate() {
                leaf(schema, shape.leaf, &format!("{path}[{at}]"), element, complaints);
            }
        }
        (Wrap::List, other) => complaints.push(mismatch("array", path, other)),
        _ => leaf(schema, shape.leaf, path, value, complaints),
    }
}

fn leaf(schema: &Schema, leaf: Leaf, path: &str, value: &Value, complaints: &mut Vec<String>) {
    let text = matches!(leaf, Leaf::String | Leaf::Bytes | Leaf::Quantity | Leaf::IntOrString | Leaf::Time);
    match (leaf, value) {
        (_, Value::Null) => complaints.push(format!("unexpected nil value for field {path}")),
        (Leaf::Type(at), value) => {
            let Some(of) = schema.get(at) else { return };
            match of.fields.as_slice() {
                [Field { json: "=", shape, .. }] => check(schema, *shape, path, value, complaints),
                _ => members(schema, of, &schema.published_name(at, of), path, value, complaints),
            }
        }
        // Loose about text, for the sake of values that may be numbers.
        (_, Value::String(_) | Value::Number(_)) if text => {}
        (_, other) if text => complaints.push(mismatch("string", path, other)),
        (Leaf::Bool, other) if !other.is_boolean() => complaints.push(mismatch("bool", path, other)),
        (Leaf::Int32 | Leaf::Int64, other) if !other.is_number() => complaints.push(mismatch("int", path, other)),
        _ => {}
    }
}

fn mismatch(expected: &str, path: &str, found: &Value) -> String {
    format!("expected type {expected}, for field {path}, got {}", kind_of(found))
}

/// How Go calls the kind of a decoded value.
fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nil",
        Value::Bool(_) => "bool",
        Value::Number(_) => "float64",
        Value::String(_) => "string",
        Value::Array(_) => "slice",
        Value::Object(_) => "map",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn complaints_are_kubectls() {
        let release = Release::find("1.7").unwrap();
        let rbac = "rbac.authorization.k8s.io/v1beta1";
        let table = [
            (
                "v1",
                json!({"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "a"}, "spec": {"containers": []}}),
                vec![],
            ),
            ("v1", json!({"kind": "Pod", "apiVersion": "v1", "spek": {}}), vec!["found invalid field spek for v1.Pod"]),
            (
                "v1",
                json!({"kind": "Pod", "apiVersion": "v1", "spec": {"containers": [{"name": "a", "imagee": "b", "tty": "x"}]}}),
                vec![
                    "field spec.containers[0].image for v1.Container is required",
                    "found invalid field imagee for v1.Container",
                    "expected type bool, for field spec.containers[0].tty, got string",
                ],
            ),
            (
                "v1",
                json!({"kind": "Pod", "metadata": {"lables": {}}}),
                vec!["found invalid field lables for v1.ObjectMeta"],
            ),
            (
                "v1",
                json!({"kind": "Pod", "spec": "x"}),
                vec![
                    "field spec for v1.PodSpec: expected object of type map[string]interface{}, but the actual type is string",
                ],
            ),
            ("v1", json!({"kind": "ConfigMap", "data": {"a": 1}, "metadata": null}), vec![]),
            (
                rbac,
                json!({"kind": "Role", "rules": {"verbs": []}}),
                vec!["expected type array, for field rules, got map"],
            ),
            (
                rbac,
                json!({"kind": "RoleBinding", "roleRef": {"kind": "Role", "name": "a"}}),
                vec![
                    "field subjects for v1beta1.RoleBinding is required",
                    "field roleRef.apiGroup for v1beta1.RoleRef is required",
                ],
            ),
            ("v1", json!({"kind": "Nothing", "a": 1}), vec![]),
        ];
        for (api_version, object, expected) in table {
            let kind = object.get("kind").and_then(Value::as_str).unwrap();
            assert_eq!(release.complaints(api_version, kind, &object), expected, "{object}");
        }
    }
}
