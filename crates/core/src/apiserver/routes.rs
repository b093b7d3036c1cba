//! What a request that was let through leads to.
//!
//! Behaviour: `apiserver/pkg/server/handler.go` and `mux/pathrecorder.go` of the three servers in a row (aggregator, API
//! server, custom resources), `apiserver/pkg/endpoints/installer.go`, and `go-restful`'s order of checks: path, method,
//! type of the body, accepted types.

use super::negotiation;
use super::{discovery, wire::Reply};
use crate::manifest::Value;
use crate::release::{Release, ResourceType};
use crate::request::{Request, Url};
use crate::status::Status;

const PATCH_TYPES: [&str; 3] =
    ["application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json"];

/// Where `/ui` sends browsers.
const DASHBOARD: &str = "/api/v1/namespaces/kube-system/services/kubernetes-dashboard/proxy";

/// Where a request ends.
pub(super) enum Route {
    /// At a resource, its objects, or a subresource.
    Resource(&'static ResourceType),
    /// At an object that is made on the spot, sent as the client wants it.
    Document(Value),
    /// At a Status, sent likewise.
    Status(Status),
    /// At an answer that is finished.
    Done(Reply),
}

/// The facts of a server that show in its own documents.
pub(super) struct Facts<'a> {
    pub(super) release: &'static Release,
    /// Whether RBAC is among the authorization modes.
    pub(super) rbac: bool,
    /// `serverAddress` of `/api`.
    pub(super) address: &'a str,
}

/// Finds the end of `request`.
pub(super) fn route(facts: &Facts<'_>, request: &Request, url: &Url) -> Route {
    let release = facts.release;
    let path = url.path.as_str();
    let raw = |status, document| Route::Done(negotiation::write_raw_json(status, &document));
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    if path.starts_with("//") {
        return raw(404, discovery::not_found(release));
    }
    match parts.as_slice() {
        [""] | ["index.html"] if matches!(path, "/" | "/index.html") => raw(200, discovery::index(release, facts.rbac)),
        ["healthz", ..] => {
            match discovery::health(path, url.query.iter().any(|(name, _)| name == "verbose"), facts.rbac) {
                Some(text) => Route::Done(Reply::plain(text)),
                None => raw(404, discovery::not_found(release)),
            }
        }
        ["version"] => match request.method.as_str() {
            "GET" if accepts_json(request) => raw(200, discovery::version(release)),
            "GET" => Route::Status(Status::generic(406)),
            _ => Route::Status(Status::method_not_allowed()),
        },
        ["api"] => own_document(request, || Route::Document(discovery::legacy_versions(facts.address))),
        // The documents of groups come from the aggregator, which asks for no method.
        ["apis"] => Route::Document(discovery::groups(release)),
        ["apis", name] => match discovery::group(release, name) {
            Some(group) => Route::Document(group),
            None => page_not_found(),
        },
        ["api", version, rest @ ..] => below(release, "", version, rest, request),
        ["apis", group, version, rest @ ..] => {
            let is_known = release.resources().iter().any(|resource| resource.group == *group);
            if is_known { below(release, group, version, rest, request) } else { page_not_found() }
        }
        // The files of `/var/log`, of which there are none here.
        ["logs", _, ..] => page_not_found(),
        ["ui", ..] => Route::Done(Reply::redirect(DASHBOARD)),
        // Numbers and specifications: who may read them shows, what they say does not matter here.
        _ if discovery::is_served_elsewhere(path) => {
            Route::Done(Reply::new(200, &[], format!("{path} is not simulated.\n")))
        }
        _ => raw(404, discovery::not_found(release)),
    }
}

fn page_not_found() -> Route {
    Route::Done(Reply::error(404, "404 page not found"))
}

fn own_document(request: &Request, document: impl FnOnce() -> Route) -> Route {
    if request.method != "GET" {
        Route::Status(Status::method_not_allowed())
    } else if !negotiation::route_accepts(request) {
        Route::Status(Status::generic(406))
    } else {
        document()
    }
}

fn accepts_json(request: &Request) -> bool {
    let accept = request.header("Accept");
    accept.is_empty()
        || accept
            .split(',')
            .any(|part| matches!(part.split(';').next().unwrap_or_default().trim(), "*/*" | "application/json"))
}

/// What is served below a group version.
fn below(release: &'static Release, group: &str, version: &str, rest: &[&str], request: &Request) -> Route {
    if !release.resources().iter().any(|it| it.group == group && it.version == version) {
        return Route::Status(Status::no_route());
    }
    let (prefix, rest) = match rest {
        [] => return own_document(request, || Route::Document(discovery::resources(release, group, version))),
        ["watch", rest @ ..] => (Prefix::Watch, rest),
        ["proxy", rest @ ..] => (Prefix::Proxy, rest),
        rest => (Prefix::None, rest),
    };
    // A namespace is an object of the cluster, and what else stands below `namespaces` is in one.
    let (in_namespace, rest) = match rest {
        ["namespaces", _, resource, inside @ ..] if !matches!(*resource, "status" | "finalize") => {
            (true, (*resource, inside))
        }
        [resource, inside @ ..] => (false, (*resource, inside)),
        [] => return Route::Status(Status::no_route()),
    };
    let (name, inside) = rest;
    let Some(resource) = release.resource(group, version, name) else { return Route::Status(Status::no_route()) };
    let methods = methods(resource, in_namespace, inside, prefix);
    if methods.is_empty() {
        return Route::Status(Status::no_route());
    }
    let method = request.method.as_str();
    if !methods.contains(&method) {
        return Route::Status(Status::method_not_allowed());
    }
    let connects = prefix == Prefix::Proxy || matches!(inside, [_, subresource, ..] if connects(resource, subresource));
    let content_type = request.header("Content-Type").split(';').next().unwrap_or_default().trim();
    if method == "PATCH" && !connects && !PATCH_TYPES.contains(&content_type) {
        return Route::Status(Status::generic(415));
    }
    if !connects && !negotiation::route_accepts(request) {
        return Route::Status(Status::generic(406));
    }
    Route::Resource(resource)
}

/// The word before a resource that says what to do with it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Prefix {
    None,
    Watch,
    Proxy,
}

/// The methods of what is handed on to a kubelet or a pod.
const PROXIED: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

/// Whether a subresource is only connected to: a stream to a kubelet or a pod.
fn connects(resource: &ResourceType, subresource: &str) -> bool {
    resource.subresource(subresource).is_some_and(|it| it.verbs.is_empty() || it.name == "log")
}

/// The methods of a path; none where there is no such path.
fn methods(resource: &ResourceType, in_namespace: bool, inside: &[&str], prefix: Prefix) -> Vec<&'static str> {
    let mut methods = Vec::new();
    let is_across_namespaces = resource.namespaced && !in_namespace;
    if in_namespace && !resource.namespaced || is_across_namespaces && !inside.is_empty() {
        return methods;
    }
    let mut add = |verbs: &[&str], verb: &str, method: &'static str| {
        if verbs.contains(&verb) {
            methods.push(method);
        }
    };
    match inside {
        _ if prefix == Prefix::Watch => {
            if inside.len() < 2 {
                add(&resource.verbs, "watch", "GET");
            }
        }
        _ if prefix == Prefix::Proxy => {
            if !inside.is_empty() && resource.verbs.contains(&"proxy") {
                methods.extend(PROXIED);
            }
        }
        [] => {
            add(&resource.verbs, "list", "GET");
            if !is_across_namespaces {
                add(&resource.verbs, "create", "POST");
                add(&resource.verbs, "deletecollection", "DELETE");
            }
        }
        [_] => {
            add(&resource.verbs, "get", "GET");
            add(&resource.verbs, "update", "PUT");
            add(&resource.verbs, "patch", "PATCH");
            add(&resource.verbs, "delete", "DELETE");
        }
        [_, name, path @ ..] => match resource.subresource(name) {
            Some(subresource) if !subresource.verbs.is_empty() && path.is_empty() => {
                add(&subresource.verbs, "get", "GET");
                add(&subresource.verbs, "create", "POST");
                add(&subresource.verbs, "update", "PUT");
                add(&subresource.verbs, "patch", "PATCH");
            }
            Some(subresource) if subresource.name == "proxy" => {
                methods.extend(PROXIED);
            }
            Some(subresource) if subresource.verbs.is_empty() && path.is_empty() => methods.extend(["GET", "POST"]),
            _ => {}
        },
    }
    methods
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(method: &str, uri: &str) -> String {
        let release = Release::find("1.7").unwrap();
        let facts = Facts { release, rbac: true, address: "127.0.0.1:6443" };
        let request = Request { method: method.to_owned(), uri: uri.to_owned(), ..Request::default() };
        match route(&facts, &request, &Url::parse(uri).unwrap()) {
            Route::Resource(resource) => resource.resource.to_owned(),
            Route::Status(status) => status.code.to_string(),
            Route::Document(document) => shown(200, document.to_string()),
            Route::Done(reply) => shown(reply.status, String::from_utf8(reply.body).unwrap()),
        }
    }

    fn shown(status: u16, body: String) -> String {
        let mut text: String = body.split_whitespace().collect::<Vec<_>>().join("");
        text.truncate(40);
        format!("{status} {text}")
    }

    #[test]
    fn paths_and_methods_lead_where_the_servers_have_them() {
        for (request, expected) in [
            ("GET /api/v1/pods", "pods"),
            ("GET /api/v1/pods/", "pods"),
            ("POST /api/v1/pods", "405"),
            ("GET /api/v1/pods/p", "404"),
            ("POST /api/v1/namespaces/a/pods", "pods"),
            ("PUT /api/v1/namespaces/a/pods", "405"),
            ("HEAD /api/v1/namespaces/a/pods", "405"),
            ("GET /api/v1/namespaces/a/pods/p", "pods"),
            ("GET /api/v1/namespaces/a/pods/p/status", "pods"),
            ("GET /api/v1/namespaces/a/pods/p/log", "pods"),
            ("POST /api/v1/namespaces/a/pods/p/log", "405"),
            ("GET /api/v1/namespaces/a/pods/p/nope", "404"),
            ("HEAD /api/v1/namespaces/a/pods/p/proxy/x/y", "pods"),
            ("GET /api/v1/namespaces/a/nodes", "404"),
            ("GET /api/v1/namespaces/a", "namespaces"),
            ("DELETE /api/v1/namespaces", "405"),
            ("PUT /api/v1/namespaces/a/finalize", "namespaces"),
            ("GET /api/v1/namespaces/a/finalize", "405"),
            ("GET /api/v1/watch/pods", "pods"),
            ("POST /api/v1/watch/pods", "405"),
            ("GET /api/v1/watch", "404"),
            ("DELETE /api/v1/proxy/namespaces/a/services/s/x/y", "services"),
            ("GET /api/v1/proxy/nodes/n", "nodes"),
            ("GET /api/v1/proxy/nodes", "404"),
            ("GET /api/v1/proxy/namespaces/a/secrets/s", "404"),
            ("GET /api/v1/namespaces/a/widgets", "404"),
            ("GET /api/v2/pods", "404"),
            ("GET /apis/authorization.k8s.io/v1/subjectaccessreviews", "405"),
            ("DELETE /apis/authorization.k8s.io/v1/subjectaccessreviews/x", "404"),
            ("POST /apis/authorization.k8s.io/v1/localsubjectaccessreviews", "404"),
            ("GET /apis/apps/v9/x", "404"),
            ("GET /apis/g/v", "404 404pagenotfound"),
            ("GET /apis/g", "404 404pagenotfound"),
            ("GET //api/v1/pods", "404 {\"paths\":[\"/apis\",\"/apis/\",\"/apis/apiext"),
            ("POST /thing", "404 {\"paths\":[\"/apis\",\"/apis/\",\"/apis/apiext"),
            ("GET /", "200 {\"paths\":[\"/api\",\"/api/v1\",\"/apis\",\"/api"),
            ("POST /api", "405"),
            ("POST /apis", "200 {\"kind\":\"APIGroupList\",\"apiVersion\":\"v1\""),
            ("GET /apis/batch/", "200 {\"kind\":\"APIGroup\",\"apiVersion\":\"v1\",\"na"),
            ("GET /apis/batch/v1", "200 {\"kind\":\"APIResourceList\",\"apiVersion\":\""),
            ("GET /apis/extensions/v1beta1", "200 {\"kind\":\"APIResourceList\",\"groupVersion\""),
            ("GET /version", "200 {\"major\":\"1\",\"minor\":\"7\",\"gitVersion\":\"v"),
            ("GET /healthz", "200 ok"),
            ("GET /healthz/ping?verbose", "200 ok"),
            ("GET /healthz?verbose", "200 [+]pingok[+]poststarthook/generic-apiser"),
            ("GET /healthz/nope", "404 {\"paths\":[\"/apis\",\"/apis/\",\"/apis/apiext"),
        ] {
            let (method, uri) = request.split_once(' ').unwrap();
            assert_eq!(end(method, uri), expected, "{request}");
        }
    }
}
