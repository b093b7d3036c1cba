//! What differs between Kubernetes releases, as data: the resources that the API server serves, the types of its
//! objects with their defaults, and the default RBAC policy.
//!
//! Everything of a release is parsed once, from the texts beside this file, and lives as long as the program.

use std::sync::LazyLock;

use serde_json::Value;

mod bootstrap;
mod resources;

pub use resources::{ResourceType, Subresource};

/// A Kubernetes release: what its API server serves and how it reads and writes objects.
#[derive(Debug)]
pub struct Release {
    version: &'static str,
    resources: Vec<ResourceType>,
    bootstrap: &'static str,
}

static ALL: LazyLock<[Release; 1]> = LazyLock::new(|| {
    [Release {
        version: "1.7",
        resources: resources::parse(include_str!("v1_7/resources.txt")),
        bootstrap: include_str!("v1_7/bootstrap.txt"),
    }]
});

impl Release {
    /// The release named `version` (`1.7`).
    pub fn find(version: &str) -> Option<&'static Release> {
        ALL.iter().find(|release| release.version == version)
    }

    /// The newest release, for documents that name none.
    pub fn newest() -> &'static Release {
        let [.., newest] = &*ALL;
        newest
    }

    /// Every release, oldest first.
    pub fn all() -> &'static [Release] {
        &*ALL
    }

    /// `1.7`.
    pub fn version(&self) -> &'static str {
        self.version
    }

    /// What is served with default flags, in the order of discovery: the core group, then `/apis` from first to last.
    pub fn resources(&self) -> &[ResourceType] {
        &self.resources
    }

    /// The resource served at `group`, `version`, `plural`; the core group is `""`.
    pub fn resource(&self, group: &str, version: &str, plural: &str) -> Option<&ResourceType> {
        self.resources.iter().find(|r| r.resource == plural && r.version == version && r.group == group)
    }

    /// The resource whose objects have this `apiVersion` and `kind`.
    pub fn resource_of(&self, api_version: &str, kind: &str) -> Option<&ResourceType> {
        self.resources.iter().find(|r| r.kind == kind && r.api_version == api_version)
    }

    /// The default RBAC objects as `rbac.authorization.k8s.io/v1beta1`, in the order of their creation.
    ///
    /// `node_mode`: `Node` is among the authorization modes, so `system:node` is bound to nobody.
    /// Behaviour: `plugin/pkg/auth/authorizer/rbac/bootstrappolicy`, `pkg/registry/rbac/rest/storage_rbac.go`.
    pub fn bootstrap_policy(&self, node_mode: bool) -> Vec<Value> {
        bootstrap::objects(self.bootstrap, node_mode)
    }
}
