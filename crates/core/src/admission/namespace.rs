//! NamespaceExists and NamespaceLifecycle.
//!
//! Behaviour: `apiserver/pkg/admission/plugin/namespace/lifecycle/admission.go`, `plugin/pkg/admission/namespace/exists/admission.go`.

use super::{Attributes, Operation};
use crate::apiserver::cluster::Cluster;
use crate::apiserver::status::{Qualified, Status};
use crate::manifest::{Object, Value};

const NAMESPACES: Qualified<'_> = Qualified { group: "", name: "namespaces" };

fn concerns_namespace(attributes: &Attributes<'_>) -> bool {
    attributes.resource.group.is_empty() && attributes.resource.name == "namespaces"
}

fn find<'a>(cluster: &'a Cluster, name: &str) -> Result<&'a Object, Status> {
    let resource = cluster.release.resource_of("v1", "Namespace");
    let entry = resource.and_then(|namespaces| cluster.store.get(&namespaces.key("", name)));
    let object = entry.ok_or_else(|| Status::not_found(NAMESPACES, name))?.object.as_ref();
    object.map(AsRef::as_ref).map_err(|error| Status::internal(error.text()))
}

pub(super) fn exists(cluster: &Cluster, attributes: &Attributes<'_>) -> Result<(), Status> {
    if attributes.namespace.is_empty() || concerns_namespace(attributes) {
        return Ok(());
    }
    find(cluster, attributes.namespace).map(|_| ())
}

pub(super) fn lifecycle(cluster: &Cluster, attributes: &Attributes<'_>, object: Option<&Value>) -> Result<(), Status> {
    let immortal = matches!(attributes.name, "default" | "kube-system" | "kube-public");
    if concerns_namespace(attributes) {
        if attributes.operation == Operation::Delete && immortal {
            return Err(Status::forbidden(NAMESPACES, attributes.name, "this namespace may not be deleted"));
        }
        return Ok(());
    }
    if attributes.namespace.is_empty() {
        return Ok(());
    }
    let namespace = find(cluster, attributes.namespace)?;
    if attributes.operation == Operation::Create && namespace.text(&["status", "phase"]) == "Terminating" {
        let name = attributes.namespace;
        let cause = format!("Unable to create new content in namespace {name} because it is being terminated.");
        return Err(attributes.forbidden(object, &cause));
    }
    Ok(())
}
