//! The resources that an API server serves: names, verbs, and where their objects are stored.
//!
//! Behaviour: `pkg/master/master.go` (what is on by default), `pkg/registry/*/rest/storage_*.go`,
//! `apiserver/pkg/endpoints/installer.go` (verbs), `cmd/kube-apiserver/app/aggregator.go` (order of groups),
//! `apiserver/pkg/server/storage/storage_factory.go` (etcd keys).

/// A resource of one group version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceType {
    /// `v1`, `apps/v1beta1`.
    pub api_version: &'static str,
    /// `""` for the core group.
    pub group: &'static str,
    /// `v1beta1`.
    pub version: &'static str,
    /// The plural name of the URL: `deployments`.
    pub resource: &'static str,
    /// `Deployment`.
    pub kind: &'static str,
    /// `singularName` of discovery. 1.7 leaves it empty, and its kubectl takes the kind in lower case.
    pub singular: &'static str,
    /// `deploy`. kubectl 1.7 knows some more by itself (`svc`).
    pub short_names: Vec<&'static str>,
    /// `all`.
    pub categories: Vec<&'static str>,
    /// Whether objects live in a namespace.
    pub namespaced: bool,
    /// The verbs of discovery, sorted.
    pub verbs: Vec<&'static str>,
    /// In the order of discovery, which lists them right behind the resource.
    pub subresources: Vec<Subresource>,
    /// The `apiVersion` in which objects are stored: `extensions/v1beta1` for every Deployment.
    pub storage_version: &'static str,
    /// Whether objects are stored as JSON instead of protobuf.
    pub stored_as_json: bool,
    /// The part of the etcd key between `/registry/` and the namespace: `deployments`, `services/specs`.
    pub key_prefix: &'static str,
}

/// A subresource: `status` of `pods`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subresource {
    /// `status`.
    pub name: &'static str,
    /// The group version of `kind`: `policy/v1beta1` for `pods/eviction`.
    pub api_version: &'static str,
    /// The kind that it takes and answers.
    pub kind: &'static str,
    /// As discovery prints them; empty for those that are only connected to (`exec`, `proxy`).
    pub verbs: Vec<&'static str>,
}

impl ResourceType {
    /// `v1`, `apps/v1beta1`.
    pub fn api_version(&self) -> &'static str {
        self.api_version
    }

    /// The etcd key of an object; `namespace` is left out where the resource has none. An empty `name` gives the
    /// prefix that lists the namespace, both empty the prefix of the whole resource.
    pub fn key(&self, namespace: &str, name: &str) -> String {
        let mut key = format!("/registry/{}/", self.key_prefix);
        if self.namespaced && !namespace.is_empty() {
            key.push_str(namespace);
            key.push('/');
        }
        key.push_str(name);
        key
    }

    /// The subresource `name`.
    pub fn subresource(&self, name: &str) -> Option<&Subresource> {
        self.subresources.iter().find(|subresource| subresource.name == name)
    }
}

/// Reads the text form, which its own first lines explain.
pub(super) fn parse(text: &'static str) -> Vec<ResourceType> {
    let mut resources: Vec<ResourceType> = Vec::new();
    let mut api_version = "";
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some(line) = line.strip_prefix(' ') else {
            api_version = line;
            continue;
        };
        let mut words = line.split(' ');
        let mut word = || words.next().unwrap_or_default();
        let (path, kind, scope, verbs) = (word(), word(), word(), self::verbs(word()));
        if let Some((_, name)) = path.split_once('/') {
            let (api_version, kind) = kind.rsplit_once('.').unwrap_or((api_version, kind));
            if let Some(parent) = resources.last_mut() {
                parent.subresources.push(Subresource { name, api_version, kind, verbs });
            }
            continue;
        }
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let mut resource = ResourceType {
            api_version,
            group,
            version,
            resource: path,
            kind,
            singular: "",
            short_names: Vec::new(),
            categories: Vec::new(),
            namespaced: scope == "n",
            verbs,
            subresources: Vec::new(),
            storage_version: api_version,
            stored_as_json: false,
            key_prefix: path,
        };
        for word in words {
            match word.split_once('=') {
                Some(("s", names)) => resource.short_names = names.split(',').collect(),
                Some(("a", names)) => resource.categories = names.split(',').collect(),
                Some(("k", prefix)) => resource.key_prefix = prefix,
                Some(("v", version)) => resource.storage_version = version,
                _ => resource.stored_as_json = word == "json",
            }
        }
        resources.push(resource);
    }
    resources
}

fn verbs(letters: &str) -> Vec<&'static str> {
    letters
        .chars()
        .filter_map(|letter| {
            Some(match letter {
                'c' => "create",
                'd' => "delete",
                'D' => "deletecollection",
                'g' => "get",
                'l' => "list",
                'p' => "patch",
                'x' => "proxy",
                'u' => "update",
                'w' => "watch",
                _ => return None,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::{Value, json};

    use super::*;
    use crate::release::Release;
    use crate::vectors::vectors;

    fn entry(resource: &ResourceType, name: String, kind: &str, verbs: &[&str], top: bool) -> Value {
        let mut entry = json!({"name": name, "singularName": resource.singular, "namespaced": resource.namespaced,
            "kind": kind, "verbs": verbs});
        if top && !resource.short_names.is_empty() {
            entry["shortNames"] = json!(resource.short_names);
        }
        if top && !resource.categories.is_empty() {
            entry["categories"] = json!(resource.categories);
        }
        entry
    }

    #[test]
    fn the_core_group_is_what_the_server_lists() {
        let text = fs::read_to_string(vectors("http/01-request-info.md")).unwrap();
        let list = text.split_once("{\n  \"kind\": \"APIResourceList\",").unwrap().1;
        let list = format!("{{{}}}", list.split_once("\n}\n").unwrap().0);
        let recorded: Value = serde_json::from_str(&list).unwrap();
        let mut listed = Vec::new();
        for resource in Release::find("1.7").unwrap().resources().iter().filter(|r| r.api_version == "v1") {
            listed.push(entry(resource, resource.resource.into(), resource.kind, &resource.verbs, true));
            for sub in &resource.subresources {
                let name = format!("{}/{}", resource.resource, sub.name);
                listed.push(entry(resource, name, sub.kind, &sub.verbs, false));
            }
        }
        assert_eq!(recorded["resources"], Value::Array(listed));
    }

    #[test]
    fn keys() {
        let release = Release::find("1.7").unwrap();
        let rows = [
            ("", "v1", "secrets", "default", "a", "/registry/secrets/default/a"),
            ("", "v1", "secrets", "default", "", "/registry/secrets/default/"),
            ("", "v1", "secrets", "", "", "/registry/secrets/"),
            ("", "v1", "nodes", "", "a", "/registry/minions/a"),
            ("", "v1", "namespaces", "a", "a", "/registry/namespaces/a"),
            ("", "v1", "services", "x", "a", "/registry/services/specs/x/a"),
            ("apps", "v1beta1", "deployments", "x", "a", "/registry/deployments/x/a"),
            ("extensions", "v1beta1", "ingresses", "x", "a", "/registry/ingress/x/a"),
            (
                "apiregistration.k8s.io",
                "v1beta1",
                "apiservices",
                "",
                "v1.",
                "/registry/apiregistration.k8s.io/apiservices/v1.",
            ),
        ];
        for (group, version, plural, namespace, name, key) in rows {
            assert_eq!(release.resource(group, version, plural).unwrap().key(namespace, name), key);
        }
    }

    #[test]
    fn an_object_finds_its_resource() {
        let release = Release::find("1.7").unwrap();
        let resource = release.resource_of("apps/v1beta1", "Deployment").unwrap();
        assert_eq!((resource.resource, resource.storage_version), ("deployments", "extensions/v1beta1"));
        assert_eq!(release.resource_of("v1", "Deployment"), None);
        let eviction = release.resource("", "v1", "pods").unwrap().subresource("eviction").unwrap();
        assert_eq!((eviction.api_version, eviction.kind), ("policy/v1beta1", "Eviction"));
    }
}
