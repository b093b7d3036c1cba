//! Acting as somebody else: the `Impersonate-` headers.
//!
//! Behaviour: `apiserver/pkg/endpoints/filters/impersonation.go`.

use super::service_account;
use super::{ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED, User};
use crate::request::{Request, RequestInfo};

const EXTRA: &str = "impersonate-extra-";

/// A user to become, and what the one who asks must be allowed to `impersonate` for that.
#[derive(Debug, PartialEq, Eq)]
pub struct Impersonation {
    /// The user that the request then has.
    pub user: User,
    /// The permissions to ask the authorizers for, in the server's order.
    pub needed: Vec<RequestInfo>,
}

/// What the headers of `request` ask for, if anything. The error is the server's: a 500.
pub fn requested(request: &Request) -> Result<Option<Impersonation>, String> {
    let name = request.header("Impersonate-User");
    let groups: Vec<&str> = request.header_values("Impersonate-Group").collect();
    let mut extra: Vec<(String, Vec<String>)> = Vec::new();
    for (header, value) in &request.headers {
        let header = header.to_ascii_lowercase();
        let Some(key) = header.strip_prefix(EXTRA) else { continue };
        let value = value.trim().to_owned();
        match extra.iter_mut().find(|(known, _)| known == key) {
            Some((_, values)) => values.push(value),
            None => extra.push((key.to_owned(), vec![value])),
        }
    }
    let extra_values = || extra.iter().flat_map(|(key, values)| values.iter().map(move |value| (key, value)));
    if name.is_empty() {
        if groups.is_empty() && extra.is_empty() {
            return Ok(None);
        }
        let mut references: Vec<String> = groups.iter().map(|group| format!("{{Group  {group}    }}")).collect();
        for (key, value) in extra_values() {
            references.push(format!("{{UserExtra  {value}  authentication.k8s.io/v1  {key}}}"));
        }
        return Err(format!("requested [{}] without impersonating a user", references.join(" ")));
    }

    let needed = |resource: &str, name: &str| RequestInfo {
        is_resource_request: true,
        verb: "impersonate".to_owned(),
        resource: resource.to_owned(),
        name: name.to_owned(),
        ..RequestInfo::default()
    };
    let account = service_account::split_user_name(name);
    let mut all = vec![match account {
        Some((namespace, name)) => RequestInfo { namespace: namespace.to_owned(), ..needed("serviceaccounts", name) },
        None => needed("users", name),
    }];
    all.extend(groups.iter().map(|group| needed("groups", group)));
    all.extend(extra_values().map(|(key, value)| RequestInfo {
        api_group: "authentication.k8s.io".to_owned(),
        subresource: key.clone(),
        ..needed("userextras", value)
    }));

    let mut user = User { name: name.to_owned(), ..User::default() };
    if !groups.is_empty() {
        user.groups = groups.into_iter().map(str::to_owned).collect();
    } else {
        if let Some((namespace, name)) = account {
            user.groups = service_account::user(namespace, name, "").groups;
        }
        if name != ANONYMOUS && !user.groups.iter().any(|group| group == AUTHENTICATED || group == UNAUTHENTICATED) {
            user.groups.push(AUTHENTICATED.to_owned());
        }
    }
    user.extra = extra;
    Ok(Some(Impersonation { user, needed: all }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(headers: &[(&str, &str)]) -> Request {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Request { headers, ..Request::default() }
    }

    #[test]
    fn headers_name_a_user_and_what_it_takes() {
        type Row = (&'static [(&'static str, &'static str)], &'static [&'static str], &'static [&'static str]);
        let rows: [Row; 5] = [
            (&[("impersonate-user", "bob")], &["system:authenticated"], &["users///bob"]),
            (&[("Impersonate-User", "system:anonymous")], &[], &["users///system:anonymous"]),
            (
                &[("Impersonate-User", "bob"), ("Impersonate-Group", "g1"), ("Impersonate-Group", "g2")],
                &["g1", "g2"],
                &["users///bob", "groups///g1", "groups///g2"],
            ),
            (
                &[("Impersonate-User", "system:serviceaccount:a:b"), ("Impersonate-Extra-Scopes", "view")],
                &["system:serviceaccounts", "system:serviceaccounts:a", "system:authenticated"],
                &["serviceaccounts//a/b", "userextras/scopes//view"],
            ),
            (
                &[("Impersonate-User", "system:serviceaccount:bad_ns:b")],
                &["system:authenticated"],
                &["users///system:serviceaccount:bad_ns:b"],
            ),
        ];
        for (headers, groups, needed) in rows {
            let impersonation = requested(&with(headers)).unwrap().unwrap();
            assert_eq!(impersonation.user.groups, groups, "{headers:?}");
            let text =
                |info: &RequestInfo| format!("{}/{}/{}/{}", info.resource, info.subresource, info.namespace, info.name);
            assert_eq!(impersonation.needed.iter().map(text).collect::<Vec<_>>(), needed, "{headers:?}");
        }
    }

    #[test]
    fn a_group_alone_is_an_error() {
        let request = with(&[("Impersonate-Group", "g1"), ("Impersonate-Extra-A", "b"), ("Impersonate-Group", "g2")]);
        let message = "requested [{Group  g1    } {Group  g2    } {UserExtra  b  authentication.k8s.io/v1  a}] without impersonating a user";
        assert_eq!(requested(&request), Err(message.to_owned()));
        assert_eq!(requested(&with(&[("Impersonate-User", "")])), Ok(None));
    }
}
