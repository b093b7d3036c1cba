//! What the API server records of a request: policy, events, and the log and webhook backends.
//!
//! Behaviour: <https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/>; in Kubernetes 1.7 `apiserver/pkg/audit`,
//! `apiserver/plugin/pkg/audit` and the two filters in `apiserver/pkg/endpoints/filters`.

mod auditor;
mod event;
mod policy;
mod shadow;
mod webhook;

pub use auditor::{Audited, Auditor, Outbox, Trail, Written, stages};
pub use event::{Recorded, Stage};
pub use policy::{GroupResources, Policy, Rule};
pub use shadow::{Shadow, shadows};
pub use webhook::{Delivery, same_server};

/// How much of a request is recorded. Each level includes the ones before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing.
    #[default]
    None,
    /// Who asked for what, and the answer's code.
    Metadata,
    /// The request's object too.
    Request,
    /// The answer's object too.
    RequestResponse,
}

impl Level {
    /// By the name that a policy gives it; case counts.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::None, Self::Metadata, Self::Request, Self::RequestResponse]
            .into_iter()
            .find(|level| level.name() == name)
    }

    /// As a policy and an event spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Metadata => "Metadata",
            Self::Request => "Request",
            Self::RequestResponse => "RequestResponse",
        }
    }
}
