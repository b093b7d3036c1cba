//! NodeRestriction: what a kubelet may change.
//!
//! Behaviour: `plugin/pkg/admission/noderestriction/admission.go`. Exec and attach are CONNECT, which it does not look at.

use super::{Attributes, Listers, Operation};
use crate::authorization::node;
use crate::graph::{Kind, references};
use crate::manifest::{Object, Value};
use crate::status::{Qualified, Status};

const MIRROR: &str = "kubernetes.io/config.mirror";

pub(super) fn admit(listers: Listers<'_>, attributes: &Attributes<'_>, object: Option<&Value>) -> Result<(), Status> {
    let Some(node) = node::identity(attributes.user) else { return Ok(()) };
    let refuse = |cause: &str| Err(attributes.forbidden(object, cause));
    if node.is_empty() {
        return refuse(&format!("could not determine node from user {}", attributes.user.name));
    }
    match (attributes.resource.group, attributes.resource.name, attributes.subresource) {
        ("", "pods", "") => match attributes.operation {
            Operation::Create => match object.and_then(|pod| refused_pod(pod, node)) {
                Some(cause) => refuse(&cause),
                None => Ok(()),
            },
            Operation::Delete => match deleted_pod(listers, attributes) {
                Ok(pod) if node_of(&pod.value) == node => Ok(()),
                Ok(_) => refuse(&format!("node {node} can only delete pods with spec.nodeName set to itself")),
                Err(error) => refuse(&error),
            },
            operation => refuse(&format!("unexpected operation {}", operation.name())),
        },
        ("", "pods", "status") => match attributes.operation {
            Operation::Update if attributes.old.is_some_and(|pod| node_of(pod) == node) => Ok(()),
            Operation::Update => {
                refuse(&format!("node {node} can only update pod status for pods with spec.nodeName set to itself"))
            }
            operation => refuse(&format!("unexpected operation {}", operation.name())),
        },
        ("", "pods", subresource) => refuse(&format!("unexpected pod subresource {subresource}")),
        ("", "nodes", _) => {
            let created = || object?.get("metadata")?.get("name")?.as_str();
            let name = match attributes.name {
                "" if attributes.operation == Operation::Create => created().unwrap_or(""),
                name => name,
            };
            if name == node { Ok(()) } else { refuse(&format!("node {node} cannot modify node {name}")) }
        }
        _ => Ok(()),
    }
}

fn node_of(pod: &Value) -> &str {
    pod.pointer("/spec/nodeName").and_then(Value::as_str).unwrap_or("")
}

/// Why a node may not create this pod.
fn refused_pod(pod: &Value, node: &str) -> Option<String> {
    let annotations = pod.pointer("/metadata/annotations");
    if annotations.and_then(|annotations| annotations.get(MIRROR)).is_none() {
        return Some(format!("pod does not have \"{MIRROR}\" annotation, node {node} can only create mirror pods"));
    }
    if node_of(pod) != node {
        return Some(format!("node {node} can only create pods with spec.nodeName set to itself"));
    }
    let account = pod.pointer("/spec/serviceAccountName").and_then(Value::as_str).unwrap_or("");
    let object = Object::new(pod.clone(), None);
    let named = references(&object);
    let refers = |kind: Kind| named.iter().any(|reference| reference.kind == kind);
    let what = if !account.is_empty() {
        "a service account"
    } else if refers(Kind::Secret) {
        "secrets"
    } else if refers(Kind::ConfigMap) {
        "configmaps"
    } else if refers(Kind::PersistentVolumeClaim) {
        "persistentvolumeclaims"
    } else {
        return None;
    };
    Some(format!("node {node} can not create pods that reference {what}"))
}

/// The pod that a deletion names; the error is that of the plugin's own client.
fn deleted_pod<'a>(listers: Listers<'a>, attributes: &Attributes<'_>) -> Result<&'a Object, String> {
    if attributes.name.is_empty() {
        return Err("resource name may not be empty".into());
    }
    let resource = listers.release.resource_of("v1", "Pod");
    let key = resource.map(|pods| pods.key(attributes.namespace, attributes.name));
    let entry = key.and_then(|key| listers.store.get(&key));
    let not_found = || Status::not_found(Qualified { group: "", name: "pods" }, attributes.name).message;
    let object = entry.ok_or_else(not_found)?.object.as_ref();
    object.map(AsRef::as_ref).map_err(|error| format!("Internal error occurred: {}", error.text()))
}
