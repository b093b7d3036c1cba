//! May this user do that: the authorizers and their union.
//!
//! Behaviour: <https://kubernetes.io/docs/reference/access-authn-authz/authorization/> and, in Kubernetes 1.7,
//! `apiserver/pkg/authorization/union/union.go`.

use crate::authentication::User;
use crate::manifest::Location;
use crate::request::RequestInfo;

pub mod abac;
pub mod node;
pub mod rbac;

/// What authorizers are asked: `authorizer.Attributes`.
#[derive(Clone, Copy, Debug)]
pub struct Attributes<'a> {
    /// Who asks.
    pub user: &'a User,
    /// What for.
    pub request: &'a RequestInfo,
}

/// An authorizer's answer, in Kubernetes' words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Verdict {
    /// Let through; no further authorizer is asked.
    Allow,
    /// Refused; no further authorizer is asked. No authorizer of 1.7 says so.
    Deny,
    /// Not let through by this one.
    #[default]
    NoOpinion,
}

/// The answer of the union of all authorizers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// `Allow`, or what amounts to a refusal.
    pub verdict: Verdict,
    /// As the server prints it behind a 403 and in a SubjectAccessReview; `""` for none.
    pub reason: String,
    /// An authorizer failed (a webhook that does not answer): a 500 where nobody allowed.
    pub error: Option<String>,
    /// Every authorizer that was asked, in order.
    pub steps: Vec<Step>,
}

/// One authorizer's part of a [`Decision`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// The mode's name as `--authorization-mode` spells it; `system:masters` for the hidden first one.
    pub authorizer: &'static str,
    /// Its answer.
    pub verdict: Verdict,
    /// Its reason; `""` for none.
    pub reason: String,
    /// What let the request through: for RBAC the binding's subject, then the role's rule; for Node the path, vertex by vertex.
    pub because: Vec<Because>,
    /// What came near, nearest first, where it was not let through.
    pub nearest: Vec<NearMiss>,
}

/// One reason for an Allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Because {
    /// One readable sentence without markup.
    pub message: String,
    /// The lines that say so.
    pub location: Location,
}

/// Something that names the subject (or, for Node, reaches the object) and yet does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NearMiss {
    /// The first thing that failed.
    pub failed: Failed,
    /// One readable sentence without markup.
    pub message: String,
    /// The binding, ABAC line or pod.
    pub location: Location,
    /// The rule that came nearest, where there is one.
    pub rule: Option<Location>,
}

/// What stood in the way, in the order in which a rule is tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failed {
    /// The rule lists other resourceNames.
    ResourceName,
    /// The rule covers the resource without its subresource, or the other way round.
    Subresource,
    /// The rule lists other resources (or non-resource URLs).
    Resource,
    /// The rule lists other API groups.
    ApiGroup,
    /// The rule lists other verbs.
    Verb,
    /// The binding grants in another namespace.
    Namespace,
    /// The binding's role does not exist.
    MissingRole,
    /// Node: no path from the object to the node.
    Path,
}
