//! Who sends a request: tokens, client certificates, impersonation.
//!
//! Behaviour: <https://kubernetes.io/docs/reference/access-authn-authz/authentication/>; the order of the authenticators
//! is that of `pkg/kubeapiserver/authenticator/config.go`.

use std::rc::Rc;

use base64::Engine;
use chrono::{DateTime, Utc};

use crate::manifest::Object;
use crate::request::Request;
use crate::sort::SortedMap;

mod files;
pub mod impersonation;
pub mod service_account;

pub(crate) const ANONYMOUS: &str = "system:anonymous";
pub(crate) const AUTHENTICATED: &str = "system:authenticated";
pub(crate) const UNAUTHENTICATED: &str = "system:unauthenticated";

/// Finds an object of the core group by resource, namespace and name.
pub type Get<'a> = &'a dyn Fn(&str, &str, &str) -> Option<Rc<Object>>;

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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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

/// The authenticators of a server, as its flags switch them on.
///
/// Client certificates and service account tokens are always accepted: a document has no key files to switch them on with.
#[derive(Clone, Debug)]
pub struct Authenticators {
    passwords: Option<SortedMap<String, (String, User)>>,
    tokens: Option<SortedMap<String, User>>,
    /// `--anonymous-auth`, unless AlwaysAllow forces it off.
    pub anonymous: bool,
    /// `--insecure-allow-any-token`.
    pub any_token: bool,
    /// `--service-account-lookup`.
    pub service_account_lookup: bool,
}

impl Default for Authenticators {
    fn default() -> Self {
        Self { passwords: None, tokens: None, anonymous: true, any_token: false, service_account_lookup: true }
    }
}

impl Authenticators {
    /// Adds the users of a `--basic-auth-file` that stands at `path`.
    pub fn add_basic_auth_file(&mut self, path: &str, text: &str) -> Result<(), String> {
        self.passwords = Some(files::passwords(path, text)?);
        Ok(())
    }

    /// Adds the users of a `--token-auth-file` that stands at `path`.
    pub fn add_token_auth_file(&mut self, path: &str, text: &str) -> Result<(), String> {
        self.tokens = Some(files::tokens(path, text)?);
        Ok(())
    }

    /// Whether a 401 asks for a password.
    pub fn supports_basic_auth(&self) -> bool {
        self.passwords.is_some()
    }

    /// Who sent `request`. The first authenticator that recognises it wins, and one that refuses does not stop those
    /// behind it. Only who brought nothing that was refused is anonymous.
    ///
    /// The error is a 401, with why each of the authenticators refused; empty where anonymous requests are off.
    pub fn authenticate(&self, request: &Request, now: DateTime<Utc>, get: Get<'_>) -> Result<Identity, Vec<String>> {
        if request.insecure {
            let groups = ["system:masters", AUTHENTICATED].map(str::to_owned).into();
            let user = User { name: "system:unsecured".to_owned(), groups, ..User::default() };
            return Ok(Identity { user, authenticator: "insecure port", ..Identity::default() });
        }
        let mut refused = Vec::new();
        let mut notes = Vec::new();
        let found = self
            .password(request, &mut refused)
            .map(|user| (user, "basic"))
            .or_else(|| Some((certificate_user(request, now, &mut refused, &mut notes)?, "x509")))
            .or_else(|| self.token(bearer_token(request)?, now, get, &mut refused, &mut notes));
        let (mut user, authenticator) = match found {
            Some(found) => found,
            None if self.anonymous && refused.is_empty() => {
                let groups = vec![UNAUTHENTICATED.to_owned()];
                (User { name: ANONYMOUS.to_owned(), groups, ..User::default() }, "anonymous")
            }
            None => return Err(refused),
        };
        if user.name != ANONYMOUS && !user.groups.iter().any(|group| group == AUTHENTICATED || group == UNAUTHENTICATED)
        {
            user.groups.push(AUTHENTICATED.to_owned());
        }
        Ok(Identity { user, impersonator: None, authenticator, notes })
    }

    fn password(&self, request: &Request, refused: &mut Vec<String>) -> Option<User> {
        let passwords = self.passwords.as_ref()?;
        let (scheme, encoded) = request.header("Authorization").split_once(' ')?;
        let decoded = service_account::BASE64.decode(encoded).ok().filter(|_| scheme.eq_ignore_ascii_case("Basic"))?;
        let credentials = String::from_utf8(decoded).ok()?;
        let (name, password) = credentials.split_once(':')?;
        let user = passwords.get(name).filter(|(known, _)| known == password).map(|(_, user)| user.clone());
        if user.is_none() {
            refused.push("invalid username/password combination".to_owned());
        }
        user
    }

    fn token(
        &self,
        token: &str,
        now: DateTime<Utc>,
        get: Get<'_>,
        refused: &mut Vec<String>,
        notes: &mut Vec<String>,
    ) -> Option<(User, &'static str)> {
        const INVALID: &str = "invalid bearer token";
        if let Some(tokens) = &self.tokens {
            if let Some(user) = tokens.get(token) {
                return Some((user.clone(), "tokenfile"));
            }
            refused.push(INVALID.to_owned());
        }
        match service_account::authenticate(token, now, self.service_account_lookup.then_some(get)) {
            service_account::Authenticated::Accepted { user, verified } => {
                if !verified {
                    let note = "The token comes from another cluster: its signature was not verified, its claims are taken as they stand.";
                    notes.push(note.to_owned());
                }
                return Some((user, "serviceaccount"));
            }
            service_account::Authenticated::Refused(error) => refused.push(error),
            service_account::Authenticated::NoOpinion => refused.push(INVALID.to_owned()),
        }
        if !self.any_token {
            return None;
        }
        let (name, groups) = token.rsplit_once('/').unwrap_or((token, ""));
        let groups = if groups.is_empty() { Vec::new() } else { groups.split(',').map(str::to_owned).collect() };
        Some((User { name: name.to_owned(), groups, ..User::default() }, "anytoken"))
    }
}

/// The token of an `Authorization: Bearer` header.
fn bearer_token(request: &Request) -> Option<&str> {
    let mut parts = request.header("Authorization").split(' ');
    let scheme = parts.next()?;
    parts.next().filter(|token| scheme.eq_ignore_ascii_case("bearer") && !token.is_empty())
}

/// The subject of the client certificate as a user.
///
/// A certificate outside its time is taken with a note: a document's clock stands where its author left it.
fn certificate_user(
    request: &Request,
    now: DateTime<Utc>,
    refused: &mut Vec<String>,
    notes: &mut Vec<String>,
) -> Option<User> {
    let certificate = request.certificate.as_ref()?;
    if certificate.not_for_clients {
        refused.push("x509: certificate specifies an incompatible key usage".to_owned());
        return None;
    }
    let name = Some(&certificate.common_name).filter(|name| !name.is_empty())?;
    if certificate.validity.is_some_and(|(from, until)| now < from || now > until) {
        let note = "The certificate is not valid at the time of the document's clock: a server would refuse it then.";
        notes.push(note.to_owned());
    }
    Some(User { name: name.clone(), groups: certificate.organizations.clone(), ..User::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Certificate;

    fn request(authorization: &str, subject: Option<(&str, &[&str])>) -> Request {
        let certificate = subject.map(|(name, organizations)| Certificate {
            common_name: name.to_owned(),
            organizations: organizations.iter().map(|name| (*name).to_owned()).collect(),
            ..Certificate::default()
        });
        let headers = vec![("authorization".to_owned(), authorization.to_owned())];
        Request { headers, certificate, ..Request::default() }
    }

    fn who(authenticators: &Authenticators, request: &Request) -> String {
        match authenticators.authenticate(request, DateTime::UNIX_EPOCH, &|_, _, _| None) {
            Ok(identity) => {
                let User { name, uid, groups, .. } = identity.user;
                format!("{} {name}|{uid}|{}", identity.authenticator, groups.join(","))
            }
            Err(refused) => format!("401 {}", refused.join(", ")),
        }
    }

    #[test]
    fn a_certificate_is_for_its_uses_and_its_time() {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        let ask = |not_for_clients, until| {
            let validity = Some((at(0), at(until)));
            let certificate =
                Some(Certificate { common_name: "a".into(), validity, not_for_clients, ..Default::default() });
            let request = Request { certificate, ..Request::default() };
            Authenticators::default().authenticate(&request, at(100), &|_, _, _| None)
        };
        assert_eq!(ask(true, 200).unwrap_err(), ["x509: certificate specifies an incompatible key usage"]);
        assert_eq!(ask(false, 100).unwrap().notes, Vec::<String>::new());
        assert!(ask(false, 99).unwrap().notes[0].starts_with("The certificate is not valid"));
    }

    #[test]
    fn the_first_authenticator_that_recognises_a_request_wins() {
        let mut both = Authenticators::default();
        both.add_token_auth_file(
            "t",
            "tok-alice,alice,u1,\"dev,x\"\ntok-un,system:anonymous,,system:unauthenticated\n",
        )
        .unwrap();
        both.add_basic_auth_file("b", "pw1,bob,77,g1").unwrap();
        let tokens = Authenticators { passwords: None, ..both.clone() };
        let alice = Some(("alice", ["dev", "second"].as_slice()));
        let no_name = Some(("", ["dev"].as_slice()));
        let (good, bad) = ("Basic Ym9iOnB3MQ==", "Basic Ym9iOm5v");
        for (authenticators, authorization, subject, expected) in [
            (&both, "", alice, "x509 alice||dev,second,system:authenticated"),
            (&both, "", no_name, "anonymous system:anonymous||system:unauthenticated"),
            (&both, "Bearer tok-alice", None, "tokenfile alice|u1|dev,x,system:authenticated"),
            (&both, "bearer tok-alice extra", None, "tokenfile alice|u1|dev,x,system:authenticated"),
            (&both, "Bearer tok-un", None, "tokenfile system:anonymous||system:unauthenticated"),
            (&both, "Bearer tok-alice", Some(("carol", [].as_slice())), "x509 carol||system:authenticated"),
            (&both, "Bearer wrong", None, "401 invalid bearer token, invalid bearer token"),
            (&both, "Bearer wrong", alice, "x509 alice||dev,second,system:authenticated"),
            (&both, "Bearer", None, "anonymous system:anonymous||system:unauthenticated"),
            (&both, "Bearer  tok-alice", None, "anonymous system:anonymous||system:unauthenticated"),
            (&both, "Token tok-alice", None, "anonymous system:anonymous||system:unauthenticated"),
            (&both, good, alice, "basic bob|77|g1,system:authenticated"),
            (&both, bad, alice, "x509 alice||dev,second,system:authenticated"),
            (&both, bad, None, "401 invalid username/password combination"),
            (&tokens, good, None, "anonymous system:anonymous||system:unauthenticated"),
            (&Authenticators { anonymous: false, ..both.clone() }, "", None, "401 "),
            (
                &Authenticators { any_token: true, ..both.clone() },
                "Bearer u/g,h",
                None,
                "anytoken u||g,h,system:authenticated",
            ),
        ] {
            assert_eq!(who(authenticators, &request(authorization, subject)), expected, "{authorization}");
        }
    }
}
