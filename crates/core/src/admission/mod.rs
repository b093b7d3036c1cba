//! What authorization alone cannot refuse: the admission chain, with NodeRestriction.
//!
//! Behaviour: <https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/>.

/// One admission plugin's part of an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// `NodeRestriction`, or `RBAC escalation check` for what the RBAC registry refuses.
    pub plugin: &'static str,
    /// Whether it let the request through.
    pub admitted: bool,
    /// Why not; `""` where admitted.
    pub message: String,
}
