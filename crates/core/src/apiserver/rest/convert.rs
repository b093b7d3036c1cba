//! Between the version of a URL and the version in which objects are stored.
//!
//! The versions of a kind that release 1.7 serves differ in their defaults, and in RBAC's subjects:
//! `pkg/apis/rbac/v1alpha1/conversion.go`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::text;
use crate::manifest::{Map, Value};
use crate::release::{Release, ResourceType};

const RBAC: &str = "rbac.authorization.k8s.io";
const ALPHA: &str = "rbac.authorization.k8s.io/v1alpha1";

/// Decoded and defaulted in the URL's version, to the stored version.
pub fn to_hub(release: &Release, resource: &ResourceType, hub: &ResourceType, mut value: Value) -> Value {
    if resource.kind == "Secret" && merge_string_data(&mut value) {
        return reshape(release, hub, value);
    }
    if resource.api_version() == hub.api_version() {
        return value;
    }
    if resource.api_version() == ALPHA {
        each_subject(&mut value, |subject| {
            let (kind, name) = (text(subject, "kind"), text(subject, "name"));
            let group = match kind {
                "ServiceAccount" => "",
                "User" | "Group" => RBAC,
                _ => text(subject, "apiVersion").split_once('/').map_or("", |(group, _)| group),
            };
            // To v1alpha1, the user `*` means everybody who is known.
            let everybody = kind == "User" && name == "*";
            let (kind, name) = if everybody { ("Group", "system:authenticated") } else { (kind, name) };
            [("kind", kind), ("apiGroup", group), ("name", name), ("namespace", text(subject, "namespace"))]
                .map(|(key, value)| (key, value.to_owned()))
        });
    }
    reshape(release, hub, value)
}

/// The stored version, to the URL's.
pub fn from_hub(release: &Release, hub: &ResourceType, resource: &ResourceType, mut value: Value) -> Value {
    if resource.api_version() == hub.api_version() {
        return value;
    }
    if resource.api_version() == ALPHA {
        each_subject(&mut value, |subject| {
            let (kind, group) = (text(subject, "kind"), text(subject, "apiGroup"));
            let version = match (kind, group) {
                ("ServiceAccount", "") => "v1".to_owned(),
                ("User" | "Group", RBAC) => ALPHA.to_owned(),
                (_, "") => String::new(),
                (_, group) => format!("{group}/"),
            };
            let text = |key: &str| text(subject, key).to_owned();
            [("kind", text("kind")), ("apiVersion", version), ("name", text("name")), ("namespace", text("namespace"))]
        });
    }
    reshape(release, resource, value)
}

/// Says another apiVersion, and drops what that one does not have.
fn reshape(release: &Release, to: &ResourceType, mut value: Value) -> Value {
    if let Value::Object(map) = &mut value {
        map.insert("apiVersion".into(), to.api_version().into());
    }
    let kept = value.clone();
    release.canonical(to.api_version(), to.kind, value).unwrap_or(kept)
}

fn each_subject(value: &mut Value, convert: impl Fn(&Value) -> [(&'static str, String); 4]) {
    let Some(Value::Array(subjects)) = value.get_mut("subjects") else { return };
    for subject in subjects {
        let members = convert(subject).into_iter().filter(|(_, value)| !value.is_empty());
        *subject = Value::Object(members.map(|(key, value)| (key.to_owned(), value.into())).collect());
    }
}

/// Moves `stringData` into `data`; it is never stored. False where there is none.
fn merge_string_data(secret: &mut Value) -> bool {
    let Value::Object(map) = secret else { return false };
    let Some(Value::Object(texts)) = map.shift_remove("stringData") else { return false };
    let mut data = match map.get_mut("data").map(Value::take) {
        Some(Value::Object(data)) => data,
        _ => Map::new(),
    };
    for (key, text) in texts {
        data.insert(key, STANDARD.encode(text.as_str().unwrap_or("")).into());
    }
    map.insert("data".into(), Value::Object(data));
    true
}
