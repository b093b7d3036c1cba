//! What the API server says about itself: `/api`, `/apis`, `/version`, `/healthz` and the list of all paths.
//!
//! Behaviour: `apiserver/pkg/endpoints/discovery`, `kube-aggregator/pkg/apiserver/handler_apis.go`,
//! `apiserver/pkg/server/{healthz,routes}`.

use crate::manifest::Value;
use crate::manifest::json::object;
use crate::release::{Release, ResourceType};

/// The health checks of the three servers behind one port, in the order in which they are registered.
const CHECKS: [&str; 14] = [
    "ping",
    "poststarthook/generic-apiserver-start-informers",
    "poststarthook/start-apiextensions-informers",
    "poststarthook/start-apiextensions-controllers",
    "poststarthook/bootstrap-controller",
    "poststarthook/extensions/third-party-resources",
    BOOTSTRAP_ROLES,
    "poststarthook/ca-registration",
    "poststarthook/start-kube-apiserver-informers",
    "poststarthook/start-kube-aggregator-informers",
    "poststarthook/apiservice-registration-controller",
    "poststarthook/apiservice-status-available-controller",
    "poststarthook/kube-apiserver-autoregistration",
    "autoregister-completion",
];
/// Runs only where RBAC is on.
const BOOTSTRAP_ROLES: &str = "poststarthook/rbac/bootstrap-roles";

/// Paths that the real server serves and that nothing here stands in for.
const ELSEWHERE: [&str; 9] = [
    "/logs",
    "/metrics",
    "/swagger-2.0.0.json",
    "/swagger-2.0.0.pb-v1",
    "/swagger-2.0.0.pb-v1.gz",
    "/swagger.json",
    "/swaggerapi",
    "/ui",
    "/ui/",
];

/// `/api`.
pub(super) fn legacy_versions(address: &str) -> Value {
    let address = object([("clientCIDR", "0.0.0.0/0".into()), ("serverAddress", address.into())]);
    object([
        ("kind", "APIVersions".into()),
        ("versions", vec!["v1"].into()),
        ("serverAddressByClientCIDRs", vec![address].into()),
    ])
}

/// `/apis`.
pub(super) fn groups(release: &Release) -> Value {
    let mut names: Vec<&str> = release.resources().iter().map(|resource| resource.group).collect();
    names.retain(|name| !name.is_empty());
    names.dedup();
    let groups: Vec<Value> = names.iter().filter_map(|name| group_members(release, name).map(object)).collect();
    object([("kind", "APIGroupList".into()), ("apiVersion", "v1".into()), ("groups", groups.into())])
}

/// `/apis/GROUP`; `None` where there is no such group.
pub(super) fn group(release: &Release, name: &str) -> Option<Value> {
    let [name, versions, preferred, addresses] = group_members(release, name)?;
    let [kind, api_version] = [("kind", "APIGroup".into()), ("apiVersion", "v1".into())];
    Some(object([kind, api_version, name, versions, preferred, addresses]))
}

/// A group without kind, as it stands in the list of groups.
fn group_members(release: &Release, name: &str) -> Option<[(&'static str, Value); 4]> {
    let mut versions: Vec<&ResourceType> =
        release.resources().iter().filter(|resource| resource.group == name && !name.is_empty()).collect();
    versions.dedup_by_key(|resource| resource.version);
    let versions: Vec<Value> = versions
        .iter()
        .map(|resource| object([("groupVersion", resource.api_version.into()), ("version", resource.version.into())]))
        .collect();
    let preferred = versions.first()?.clone();
    Some([
        ("name", name.into()),
        ("versions", versions.into()),
        ("preferredVersion", preferred),
        ("serverAddressByClientCIDRs", Value::Null),
    ])
}

/// `/apis/GROUP/VERSION` and `/api/v1`, of a version that is served.
pub(super) fn resources(release: &Release, group: &str, version: &str) -> Value {
    let mut entries: Vec<Value> = Vec::new();
    let mut group_version = "";
    for resource in release.resources().iter().filter(|it| it.group == group && it.version == version) {
        group_version = resource.api_version;
        let mut entry = entry(resource, resource.resource, resource.kind, &resource.verbs);
        for (member, names) in [("shortNames", &resource.short_names), ("categories", &resource.categories)] {
            if let Some(entry) = entry.as_object_mut().filter(|_| !names.is_empty()) {
                entry.insert(member.to_owned(), names.as_slice().into());
            }
        }
        entries.push(entry);
        for subresource in &resource.subresources {
            let name = format!("{}/{}", resource.resource, subresource.name);
            entries.push(self::entry(resource, &name, subresource.kind, &subresource.verbs));
        }
    }
    // Clients of Kubernetes 1.0 did not know the field, so the groups of that time are printed without it.
    let api_version = ("apiVersion", "v1".into());
    let [kind, version] = [("kind", "APIResourceList".into()), ("groupVersion", group_version.into())];
    let resources = ("resources", entries.into());
    match group {
        "" | "extensions" => object([kind, version, resources]),
        _ => object([kind, api_version, version, resources]),
    }
}

fn entry(resource: &ResourceType, name: &str, kind: &str, verbs: &[&str]) -> Value {
    object([
        ("name", name.into()),
        ("singularName", resource.singular.into()),
        ("namespaced", resource.namespaced.into()),
        ("kind", kind.into()),
        ("verbs", verbs.into()),
    ])
}

/// `/version`.
pub(super) fn version(release: &Release) -> Value {
    let (major, minor) = release.version().split_once('.').unwrap_or_default();
    object([
        ("major", major.into()),
        ("minor", minor.into()),
        ("gitVersion", "v1.7.0".into()),
        ("gitCommit", "d3ada0119e776222f11ec7945e6d860061339aad".into()),
        ("gitTreeState", "clean".into()),
        ("buildDate", "2017-06-29T22:55:19Z".into()),
        ("goVersion", "go1.8.3".into()),
        ("compiler", "gc".into()),
        ("platform", "linux/amd64".into()),
    ])
}

fn checks(rbac: bool) -> impl Iterator<Item = &'static str> {
    CHECKS.into_iter().filter(move |check| rbac || *check != BOOTSTRAP_ROLES)
}

/// `/healthz` and what is below it; `None` where there is no such check.
pub(super) fn health(path: &str, verbose: bool, rbac: bool) -> Option<String> {
    let below = path.strip_prefix("/healthz")?;
    if below.is_empty() {
        let lines: String = checks(rbac).map(|check| format!("[+]{check} ok\n")).collect();
        return Some(if verbose { lines + "healthz check passed\n" } else { "ok".to_owned() });
    }
    let name = below.strip_prefix('/')?;
    checks(rbac).any(|check| check == name).then(|| "ok".to_owned())
}

/// Whether the real server has a text at `path` that nothing here stands in for.
pub(super) fn is_served_elsewhere(path: &str) -> bool {
    ELSEWHERE.contains(&path)
        || path == "/logs/"
        || ["/debug/pprof/", "/swaggerapi/"].iter().any(|prefix| path.starts_with(prefix))
}

/// `/`: the paths of all three servers.
pub(super) fn index(release: &Release, rbac: bool) -> Value {
    let own = ["/api", "/apis", "/apis/", "/healthz", "/version"].as_slice();
    let mut paths: Vec<String> = [own, &ELSEWHERE].concat().into_iter().map(str::to_owned).collect();
    for resource in release.resources() {
        if resource.group.is_empty() {
            paths.push(format!("/api/{}", resource.version));
        } else {
            paths.push(format!("/apis/{}", resource.group));
            paths.push(format!("/apis/{}", resource.api_version));
        }
    }
    paths.extend(checks(rbac).map(|check| format!("/healthz/{check}")));
    crate::sort::by_text(&mut paths, |path| path);
    paths.dedup();
    object([("paths", paths.into())])
}

/// A path that nobody serves: the last server in the row, the one of custom resources, says what it has.
pub(super) fn not_found(release: &Release) -> Value {
    let own = release.resources().iter().filter(|resource| resource.group == "apiextensions.k8s.io");
    let mut paths: Vec<String> = ["/apis", "/apis/", "/metrics", "/version"].map(str::to_owned).into();
    for resource in own {
        paths.push(format!("/apis/{}", resource.group));
        paths.push(format!("/apis/{}", resource.api_version));
    }
    crate::sort::by_text(&mut paths, |path| path);
    paths.dedup();
    object([("paths", paths.into())])
}
