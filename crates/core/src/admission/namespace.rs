//! NamespaceExists and NamespaceLifecycle.
//!
//! Behaviour: `apiserver/pkg/admission/plugin/namespace/lifecycle/admission.go`, `plugin/pkg/admission/namespace/exists/admission.go`.

use super::{Attributes, Listers, Operation};
use crate::manifest::{Object, Value};
use crate::status::{Qualified, Status};

const NAMESPACES: Qualified<'_> = Qualified { group: "", name: "namespaces" };

fn concerns_namespace(attributes: &Attributes<'_>) -> bool {
    attributes.resource.group.is_empty() && attributes.resource.name == "namespaces"
}

fn find<'a>(listers: Listers<'a>, name: &str) -> Result<&'a Object, Status> {
    let resource = listers.release.resource_of("v1", "Namespace");
    let entry = resource.and_then(|namespaces| listers.store.get(&namespaces.key("", name)));
    let object = entry.ok_or_else(|| Status::not_found(NAMESPACES, name))?.object.as_ref();
    object.map(AsRef::as_ref).map_err(|error| Status::internal(error.text()))
}

pub(super) fn exists(listers: Listers<'_>, attributes: &Attributes<'_>) -> Result<(), Status> {
    if attributes.namespace.is_empty() || concerns_namespace(attributes) {
        return Ok(());
    }
    find(listers, attributes.namespace).map(|_| ())
}

pub(super) fn lifecycle(
    listers: Listers<'_>,
    attributes: &Attributes<'_>,
    object: Option<&Value>,
) -> Result<(), Status> {
    let immortal = matches!(attributes.name, "default" | "kube-system" | "kube-public");
    if concerns_namespace(attributes) {
        if attributes.operation == Operation::Delete && immortal {
            return Err(Status::forbidden(NAMESPACES, attributes.name, "this namespace may not be deleted"));
        }
        return Ok(());
    }
    // An access review would tell of the namespace to those who may not know of it.
    let resource = (attributes.resource.group, attributes.resource.name);
    if attributes.namespace.is_empty() || resource == ("authorization.k8s.io", "localsubjectaccessreviews") {
        return Ok(());
    }
    let namespace = find(listers, attributes.namespace)?;
    if attributes.operation == Operation::Create && namespace.text(&["status", "phase"]) == "Terminating" {
        let name = attributes.namespace;
        let cause = format!("unable to create new content in namespace {name} because it is being terminated.");
        return Err(attributes.forbidden(object, &cause));
    }
    Ok(())
}
