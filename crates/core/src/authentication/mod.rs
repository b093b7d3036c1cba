//! Who sends a request: tokens, client certificates, impersonation.
//!
//! Behaviour: <https://kubernetes.io/docs/reference/access-authn-authz/authentication/>.

/// A user as the API server knows it: `user.Info`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct User {
    /// `system:serviceaccount:kube-system:kube-dns`.
    pub name: String,
    /// `""` for none.
    pub uid: String,
    /// In the server's order.
    pub groups: Vec<String>,
    /// Extra fields, in the order given.
    pub extra: Vec<(String, Vec<String>)>,
}

/// The outcome of authentication and, where asked for, of impersonation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Whom the authorizers are asked about.
    pub user: User,
    /// Who sent the request, where `user` is impersonated.
    pub impersonator: Option<User>,
    /// Which authenticator recognised it: `x509`, `serviceaccount`, `tokenfile`, `basic`, `anonymous`, ...
    pub authenticator: &'static str,
    /// What a reader must know: that a foreign token's signature was not verified.
    pub notes: Vec<String>,
}
