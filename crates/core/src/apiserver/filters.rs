//! What the handler chain answers before a request reaches a resource: texts, whatever form the client wants.
//!
//! Behaviour: `apiserver/pkg/endpoints/handlers/responsewriters/errors.go`, `apiserver/pkg/endpoints/filters`.

use super::wire::Reply;
use crate::request::{RequestInfo, quote, sanitize};

const HEADERS: [(&str, &str); 2] = [("Content-Type", "text/plain"), ("X-Content-Type-Options", "nosniff")];

/// 400 of Go's server for a request line that it cannot read.
pub(super) fn bad_request() -> Reply {
    let headers = [("Connection", "close"), ("Content-Type", "text/plain; charset=utf-8")];
    Reply::new(400, &headers, "400 Bad Request")
}

/// 401. `asks_for_password`: the server has a `--basic-auth-file`.
pub(super) fn unauthorized(asks_for_password: bool) -> Reply {
    let mut reply = Reply::error(401, "Unauthorized");
    if asks_for_password {
        reply.headers.insert(1, ("Www-Authenticate", "Basic realm=\"kubernetes-master\""));
    }
    reply
}

/// 500 with its error.
pub(super) fn internal_error(uri: &str, error: &str) -> Reply {
    let body = format!("Internal Server Error: {}: {error}", quote(&sanitize(uri)));
    Reply::new(500, &HEADERS, body)
}

/// 403: who may not do what, and the authorizers' reason.
pub(super) fn forbidden(user: &str, request: &RequestInfo, reason: &str) -> Reply {
    let RequestInfo { verb, resource, api_group, subresource, .. } = request;
    let user = quote(user);
    let sentence = if request.is_resource_request {
        let group = if api_group.is_empty() { String::new() } else { format!(".{api_group}") };
        let subresource = if subresource.is_empty() { String::new() } else { format!("/{subresource}") };
        let scope = match request.namespace.as_str() {
            "" => "at the cluster scope".to_owned(),
            namespace => format!("in the namespace {}", quote(namespace)),
        };
        format!("User {user} cannot {verb} {resource}{group}{subresource} {scope}.")
    } else {
        format!("User {user} cannot {verb} path {}.", quote(&request.path))
    };
    let mut body = sanitize(&sentence);
    if !reason.is_empty() {
        body.push_str(": ");
        body.push_str(&quote(reason));
    }
    Reply::new(403, &HEADERS, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_user_verb_and_resource() {
        let pods = RequestInfo {
            is_resource_request: true,
            verb: "list".into(),
            resource: "pods".into(),
            ..Default::default()
        };
        let scale = RequestInfo {
            api_group: "extensions".into(),
            resource: "deployments".into(),
            subresource: "scale".into(),
            namespace: "a&b".into(),
            ..pods.clone()
        };
        let path = RequestInfo { verb: "get".into(), path: "/\"<b>".into(), ..Default::default() };
        for (user, request, reason, expected) in [
            ("bob", &pods, "", "User \"bob\" cannot list pods at the cluster scope."),
            (
                "bob",
                &pods,
                "No \"x\".\n<y>",
                "User \"bob\" cannot list pods at the cluster scope.: \"No \\\"x\\\".\\n<y>\"",
            ),
            ("b<", &scale, "", "User \"b&lt;\" cannot list deployments.extensions/scale in the namespace \"a&amp;b\"."),
            ("bob", &path, "", "User \"bob\" cannot get path \"/\\\"&lt;b&gt;\"."),
        ] {
            assert_eq!(String::from_utf8(forbidden(user, request, reason).body).unwrap(), expected);
        }
    }
}
