//! Service accounts: their user names and groups, and the tokens that prove them.
//!
//! Behaviour: `apiserver/pkg/authentication/serviceaccount/util.go`, `pkg/serviceaccount/jwt.go`.

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use super::{Get, User};
use crate::manifest::{Value, json};
use crate::request::quote;

const PREFIX: &str = "system:serviceaccount:";
const ISSUER: &str = "kubernetes/serviceaccount";
const CONFIG: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_encode_padding(false)
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, CONFIG);
pub(super) const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, CONFIG);

/// The user of a service account, without `system:authenticated`.
pub fn user(namespace: &str, name: &str, uid: &str) -> User {
    User {
        name: format!("{PREFIX}{namespace}:{name}"),
        uid: uid.to_owned(),
        groups: vec!["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{namespace}")],
        extra: Vec::new(),
    }
}

/// Namespace and name of the service account that a user name stands for; `None` where it stands for none.
pub fn split_user_name(user_name: &str) -> Option<(&str, &str)> {
    let (namespace, name) = user_name.strip_prefix(PREFIX)?.split_once(':')?;
    let is_label = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && !text.is_empty()
            && !text.starts_with('-')
            && !text.ends_with('-')
    };
    let valid = namespace.len() <= 63 && is_label(namespace) && name.len() <= 253 && name.split('.').all(is_label);
    valid.then_some((namespace, name))
}

/// The token that the stand-in for the token controller puts in the Secret `secret` of a service account.
///
/// Everything but the signature is as in a real cluster. A stand-in has no key to keep secret, so the signature is a
/// digest of what is signed: enough to know its own tokens again.
pub fn token(namespace: &str, name: &str, uid: &str, secret: &str) -> String {
    let claims = [
        ("iss", ISSUER),
        ("kubernetes.io/serviceaccount/namespace", namespace),
        ("kubernetes.io/serviceaccount/secret.name", secret),
        ("kubernetes.io/serviceaccount/service-account.name", name),
        ("kubernetes.io/serviceaccount/service-account.uid", uid),
        ("sub", &format!("{PREFIX}{namespace}:{name}")),
    ];
    let claims: serde_json::Map<_, _> =
        claims.iter().map(|(key, value)| ((*key).to_owned(), (*value).into())).collect();
    let signed = format!(
        "{}.{}",
        BASE64URL.encode(r#"{"alg":"RS256","typ":"JWT"}"#),
        BASE64URL.encode(Value::Object(claims).to_string())
    );
    format!("{signed}.{}", BASE64URL.encode(sign(&signed)))
}

/// As long as a signature of a 2048 bit RSA key.
fn sign(signed: &str) -> [u8; 256] {
    let mut signature = [0; 256];
    for (counter, chunk) in (0_u8..).zip(signature.chunks_mut(32)) {
        chunk.copy_from_slice(&Sha256::new().chain_update([counter]).chain_update(signed).finalize());
    }
    signature
}

/// What a token says.
pub(super) enum Authenticated {
    /// It is no service account token.
    NoOpinion,
    /// It is refused. The client only sees 401, and a TokenReview why.
    Refused(String),
    /// It is this user's. `verified` is false where another cluster signed it: its claims are taken as they are.
    Accepted {
        /// The user that the claims name.
        user: User,
        /// Whether the signature is this server's.
        verified: bool,
    },
}

/// Looks at a bearer token; `lookup` finds the Secret and the service account, and is `None` for `--service-account-lookup=false`.
pub(super) fn authenticate(token: &str, now: DateTime<Utc>, lookup: Option<Get<'_>>) -> Authenticated {
    let mut parts = token.split('.');
    let (Some(header), Some(claims), Some(signature), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Authenticated::NoOpinion;
    };
    let (Some(head), Some(claims_object)) = (object(header), object(claims)) else { return Authenticated::NoOpinion };
    let alg = head.get("alg").and_then(Value::as_str).unwrap_or("");
    let seconds = |claim: &str| claims_object.get(claim).and_then(Value::as_f64);
    let refused = |error: &str| Authenticated::Refused(error.to_owned());
    if !matches!(alg, "RS256" | "RS384" | "RS512" | "ES256" | "ES384" | "ES512") {
        return Authenticated::Refused(format!("Unexpected signing method: {alg}"));
    }
    if seconds("exp").is_some_and(|end| now.timestamp() as f64 > end) {
        return refused("Token is expired");
    }
    if seconds("nbf").is_some_and(|begin| (now.timestamp() as f64) < begin) {
        return refused("Token is not valid yet");
    }
    let signed = format!("{header}.{claims}");
    let verified = BASE64URL.decode(signature).is_ok_and(|signature| signature == sign(&signed));

    let claim = |name: &str| claims_object.get(name).and_then(Value::as_str).unwrap_or("");
    if claim("iss") != ISSUER {
        return Authenticated::NoOpinion;
    }
    let namespace = claim("kubernetes.io/serviceaccount/namespace");
    let name = claim("kubernetes.io/serviceaccount/service-account.name");
    let uid = claim("kubernetes.io/serviceaccount/service-account.uid");
    let needed =
        [("sub", claim("sub")), ("namespace", namespace), ("serviceAccountName", name), ("serviceAccountUID", uid)];
    if let Some((missing, _)) = needed.iter().find(|(_, value)| value.is_empty()) {
        return Authenticated::Refused(format!("{missing} claim is missing"));
    }
    if split_user_name(claim("sub")) != Some((namespace, name)) {
        return refused("sub claim is invalid");
    }
    if let (true, Some(get)) = (verified, lookup) {
        let Some(secret) = get("secrets", namespace, claim("kubernetes.io/serviceaccount/secret.name")) else {
            return refused("Token has been invalidated");
        };
        if BASE64.decode(secret.text(&["data", "token"])).ok().as_deref() != Some(token.as_bytes()) {
            return refused("Token does not match server's copy");
        }
        let Some(account) = get("serviceaccounts", namespace, name) else {
            return Authenticated::Refused(format!("serviceaccounts {} not found", quote(name)));
        };
        if account.uid() != uid {
            let current = account.uid();
            return Authenticated::Refused(format!("ServiceAccount UID ({current}) does not match claim ({uid})"));
        }
    }
    Authenticated::Accepted { user: user(namespace, name, uid), verified }
}

fn object(segment: &str) -> Option<serde_json::Map<String, Value>> {
    let text = String::from_utf8(BASE64URL.decode(segment).ok()?).ok()?;
    match json::parse(&text) {
        Ok(Value::Object(members)) => Some(members),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use serde_json::json;

    use super::*;
    use crate::manifest::Object;

    #[test]
    fn user_names_are_split_where_both_parts_are_valid_names() {
        for (name, parts) in [
            ("system:serviceaccount:kube-system:kube-dns", Some(("kube-system", "kube-dns"))),
            ("system:serviceaccount:a:b.c", Some(("a", "b.c"))),
            ("system:serviceaccount:bad_ns:x", None),
            ("system:serviceaccount:a.b:x", None),
            ("system:serviceaccount:a:b:c", None),
            ("system:serviceaccount:a:", None),
            ("system:serviceaccount:a", None),
            ("bob", None),
        ] {
            assert_eq!(split_user_name(name), parts, "{name}");
        }
    }

    #[test]
    fn a_token_has_the_claims_of_a_real_one() {
        let token = token("kube-system", "kube-dns", "u-1", "kube-dns-token-abcde");
        let claims = object(token.split('.').nth(1).unwrap()).unwrap();
        let expected = concat!(
            r#"{"iss":"kubernetes/serviceaccount","kubernetes.io/serviceaccount/namespace":"kube-system","#,
            r#""kubernetes.io/serviceaccount/secret.name":"kube-dns-token-abcde","#,
            r#""kubernetes.io/serviceaccount/service-account.name":"kube-dns","#,
            r#""kubernetes.io/serviceaccount/service-account.uid":"u-1","sub":"system:serviceaccount:kube-system:kube-dns"}"#
        );
        assert_eq!(Value::Object(claims).to_string(), expected);
        assert!(token.starts_with("eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9."));
    }

    fn with_claims(claims: Value) -> String {
        format!("{}.{}.c2ln", BASE64URL.encode(r#"{"alg":"RS256"}"#), BASE64URL.encode(claims.to_string()))
    }

    #[test]
    fn tokens_are_checked_against_the_store_or_believed() {
        let own = token("ns", "sa", "u", "secret");
        let secret = |data: &str| Rc::new(Object::new(json!({"data": {"token": BASE64.encode(data)}}), None));
        let account = |uid: &str| Rc::new(Object::new(json!({"metadata": {"uid": uid}}), None));
        let foreign = |change: &[(&str, Value)]| {
            let mut claims = json!({
                "iss": ISSUER, "sub": "system:serviceaccount:ns:sa",
                "kubernetes.io/serviceaccount/namespace": "ns",
                "kubernetes.io/serviceaccount/service-account.name": "sa",
                "kubernetes.io/serviceaccount/service-account.uid": "u",
            });
            change.iter().for_each(|(key, value)| claims[*key] = value.clone());
            with_claims(claims)
        };
        let now = DateTime::from_timestamp(1000, 0).unwrap();
        let check = |token: &str, secret: Option<Rc<Object>>, account: Option<Rc<Object>>, lookup: bool| {
            let get = |resource: &str, _: &str, _: &str| match resource {
                "secrets" => secret.clone(),
                _ => account.clone(),
            };
            match authenticate(token, now, lookup.then_some(&get)) {
                Authenticated::NoOpinion => "no opinion".to_owned(),
                Authenticated::Refused(error) => error,
                Authenticated::Accepted { verified: true, .. } => "verified".to_owned(),
                Authenticated::Accepted { verified: false, .. } => "believed".to_owned(),
            }
        };
        for (token, stored, uid, lookup, expected) in [
            (own.clone(), Some(&*own), Some("u"), true, "verified"),
            (own.clone(), None, Some("u"), true, "Token has been invalidated"),
            (own.clone(), Some("other"), Some("u"), true, "Token does not match server's copy"),
            (own.clone(), Some(&*own), None, true, "serviceaccounts \"sa\" not found"),
            (own.clone(), Some(&*own), Some("v"), true, "ServiceAccount UID (v) does not match claim (u)"),
            (own.clone(), None, None, false, "verified"),
            (foreign(&[]), None, None, true, "believed"),
            (foreign(&[("iss", json!("other"))]), None, None, true, "no opinion"),
            (foreign(&[("sub", json!("bob"))]), None, None, true, "sub claim is invalid"),
            (foreign(&[("exp", json!(999))]), None, None, true, "Token is expired"),
            (foreign(&[("exp", json!(1000)), ("nbf", json!(1000))]), None, None, true, "believed"),
            (foreign(&[("nbf", json!(1001))]), None, None, true, "Token is not valid yet"),
            ("bad.jwt.token".to_owned(), None, None, true, "no opinion"),
            ("a.b".to_owned(), None, None, true, "no opinion"),
            (
                format!("{}.e30.", BASE64URL.encode(r#"{"alg":"none"}"#)),
                None,
                None,
                true,
                "Unexpected signing method: none",
            ),
        ] {
            assert_eq!(check(&token, stored.map(secret), uid.map(account), lookup), expected, "{token}");
        }
    }
}
