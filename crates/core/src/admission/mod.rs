//! What authorization alone cannot refuse: the admission chain, with NodeRestriction.
//!
//! Behaviour: <https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/>; in Kubernetes 1.7
//! `plugin/pkg/admission/*/admission.go` and `apiserver/pkg/admission`.

use crate::authentication::User;
use crate::authorization::Because;
use crate::manifest::Value;
use crate::release::Release;
use crate::status::{Qualified, Status};
use crate::storage::Store;

mod namespace;
mod node_restriction;
mod service_account;

/// One admission plugin's part of an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// `NodeRestriction`, or `RBAC escalation check` for what the RBAC registry refuses.
    pub plugin: &'static str,
    /// Whether it let the request through.
    pub admitted: bool,
    /// Why not; `""` where admitted.
    pub message: String,
    /// What it let the request through for, where lines of the user's text say so.
    pub because: Vec<Because>,
}

/// A plugin of `--admission-control`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plugin {
    /// Refuses everything.
    AlwaysDeny,
    /// Images are pulled at each start.
    AlwaysPullImages,
    /// Nothing is done in namespaces that do not exist.
    NamespaceExists,
    /// That, and nothing new comes into those that terminate; the system's own stay.
    NamespaceLifecycle,
    /// A kubelet changes its own node and its own pods.
    NodeRestriction,
    /// Pods get a service account and its token.
    ServiceAccount,
    /// A plugin that the server knows and whose work is not done here: it lets everything through.
    NotSimulated(&'static str),
}

/// What the server knows besides those that are [`Plugin`]s of their own.
const OTHERS: [&str; 20] = [
    "AlwaysAdmit",
    "DefaultStorageClass",
    "DefaultTolerationSeconds",
    "DenyEscalatingExec",
    "DenyExecOnPrivileged",
    "GenericAdmissionWebhook",
    "ImagePolicyWebhook",
    "InitialResources",
    "Initializers",
    "LimitPodHardAntiAffinityTopology",
    "LimitRanger",
    "NamespaceAutoProvision",
    "OwnerReferencesPermissionEnforcement",
    "PersistentVolumeLabel",
    "PodNodeSelector",
    "PodPreset",
    "PodSecurityPolicy",
    "PodTolerationRestriction",
    "ResourceQuota",
    "SecurityContextDeny",
];

impl Plugin {
    /// The chain of a flag's value: names with commas between, in this order; the empty name is nothing.
    ///
    /// # Errors
    /// The server's text for a name that it does not know.
    pub fn chain(names: &str) -> Result<Vec<Self>, String> {
        let known = names.split(',').filter(|name| !name.is_empty()).map(|name| {
            let own = [
                Self::AlwaysDeny,
                Self::AlwaysPullImages,
                Self::NamespaceExists,
                Self::NamespaceLifecycle,
                Self::NodeRestriction,
                Self::ServiceAccount,
            ];
            let other = || OTHERS.into_iter().find(|other| *other == name).map(Self::NotSimulated);
            own.into_iter()
                .find(|plugin| plugin.name() == name)
                .or_else(other)
                .ok_or_else(|| format!("Unknown admission plugin: {name}"))
        });
        known.collect()
    }

    /// As the flag spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::AlwaysDeny => "AlwaysDeny",
            Self::AlwaysPullImages => "AlwaysPullImages",
            Self::NamespaceExists => "NamespaceExists",
            Self::NamespaceLifecycle => "NamespaceLifecycle",
            Self::NodeRestriction => "NodeRestriction",
            Self::ServiceAccount => "ServiceAccount",
            Self::NotSimulated(name) => name,
        }
    }
}

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// POST.
    Create,
    /// PUT and PATCH.
    Update,
    /// DELETE, of one object and of a collection.
    Delete,
    /// A connection to a container, or to what stands behind a proxy.
    Connect,
}

impl Operation {
    /// `CREATE`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Connect => "CONNECT",
        }
    }
}

/// `admission.Attributes` without the new object, which plugins may change.
#[derive(Clone, Copy, Debug)]
pub struct Attributes<'a> {
    /// What it does.
    pub operation: Operation,
    /// Who.
    pub user: &'a User,
    /// To which resource of the URL.
    pub resource: Qualified<'a>,
    /// `""` for none.
    pub subresource: &'a str,
    /// `""` at cluster scope.
    pub namespace: &'a str,
    /// `""` where the URL names none.
    pub name: &'a str,
    /// What is there now.
    pub old: Option<&'a Value>,
}

impl Attributes<'_> {
    /// A refusal in the form of `admission.NewForbidden`: an object whose name is not known yet is known by its prefix.
    fn forbidden(&self, object: Option<&Value>, cause: &str) -> Status {
        if self.operation == Operation::Connect {
            // What is asked for has no name, and the original trips over that.
            return Status::internal(&format!("[{cause}, object does not implement the Object interfaces]"));
        }
        let named = |key: &str| {
            let name = object?.get("metadata")?.get(key)?.as_str()?;
            (!name.is_empty()).then_some(name)
        };
        let name = named("name").or_else(|| named("generateName")).unwrap_or("Unknown");
        Status::forbidden(self.resource, name, cause)
    }
}

/// What plugins look up: the informers of a server see what its store holds.
#[derive(Clone, Copy, Debug)]
pub struct Listers<'a> {
    /// Which resources there are.
    pub release: &'static Release,
    /// The objects.
    pub store: &'a Store,
}

/// Asks every plugin of `chain` in turn; the first that refuses ends it.
///
/// # Errors
///
/// The refusal, which is also the last of `steps`.
pub fn admit(
    chain: &[Plugin],
    listers: Listers<'_>,
    attributes: &Attributes<'_>,
    mut object: Option<&mut Value>,
    steps: &mut Vec<Step>,
) -> Result<(), Status> {
    for plugin in chain {
        let shared = object.as_deref();
        let result = match plugin {
            Plugin::NotSimulated(_) => continue,
            Plugin::AlwaysDeny => Err(attributes.forbidden(shared, "Admission control is denying all modifications")),
            _ if attributes.operation == Operation::Connect => continue,
            Plugin::NamespaceExists => namespace::exists(listers, attributes),
            Plugin::NamespaceLifecycle => namespace::lifecycle(listers, attributes, shared),
            Plugin::NodeRestriction => node_restriction::admit(listers, attributes, shared),
            Plugin::AlwaysPullImages => {
                always_pull(attributes, object.as_deref_mut());
                Ok(())
            }
            Plugin::ServiceAccount => service_account::admit(listers, attributes, object.as_deref_mut()),
        };
        let message = result.as_ref().err().map_or_else(String::new, |status| status.message.clone());
        steps.push(Step { plugin: plugin.name(), admitted: result.is_ok(), message, because: Vec::new() });
        result?;
    }
    Ok(())
}

fn is_pod(attributes: &Attributes<'_>) -> bool {
    attributes.resource.group.is_empty() && attributes.resource.name == "pods"
}

fn always_pull(attributes: &Attributes<'_>, object: Option<&mut Value>) {
    let applies = is_pod(attributes) && attributes.subresource.is_empty();
    let Some(pod) = object.filter(|_| applies) else { return };
    for path in ["/spec/initContainers", "/spec/containers"] {
        for container in pod.pointer_mut(path).and_then(Value::as_array_mut).into_iter().flatten() {
            if let Value::Object(container) = container {
                container.insert("imagePullPolicy".into(), "Always".into());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_what_the_flag_says_in_its_order() {
        let chain = Plugin::chain("ResourceQuota,,NodeRestriction,NamespaceLifecycle").unwrap();
        let expected = [Plugin::NotSimulated("ResourceQuota"), Plugin::NodeRestriction, Plugin::NamespaceLifecycle];
        assert_eq!(chain, expected);
        assert_eq!(Plugin::chain("NodeRestrictions").unwrap_err(), "Unknown admission plugin: NodeRestrictions");
    }
}
