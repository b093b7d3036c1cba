//! What differs between Kubernetes releases, as data: the resources that the API server serves, the types of its
//! objects with their defaults, and the default RBAC policy.
//!
//! Everything of a release is parsed once, from the texts beside this file, and lives as long as the program.

use std::sync::LazyLock;

use serde_json::Value;

use crate::manifest::PathStep;

mod bootstrap;
mod codec;
mod defaults;
mod quantity;
mod resources;
pub(crate) mod schema;
mod swagger;

pub use resources::{ResourceType, Subresource};
use schema::{Schema, WrongType};

/// A Kubernetes release: what its API server serves and how it reads and writes objects.
#[derive(Debug)]
pub struct Release {
    version: &'static str,
    resources: Vec<ResourceType>,
    schema: Schema,
    bootstrap: bootstrap::Policy,
}

static ALL: LazyLock<[Release; 1]> = LazyLock::new(|| {
    [Release {
        version: "1.7",
        resources: resources::parse(include_str!("v1_7/resources.txt")),
        schema: Schema::parse(include_str!("v1_7/types.txt")),
        bootstrap: bootstrap::Policy::parse(include_str!("v1_7/bootstrap.txt")),
    }]
});

/// The text of a stored quantity, as the API writes it.
pub(crate) fn quantity(text: &str) -> Result<String, &'static str> {
    quantity::canonical(text, false)
}

impl Release {
    /// The release named `version`: `1.7`, or `v1.7.0`, as people write it too.
    pub fn find(version: &str) -> Option<&'static Release> {
        let mut numbers = version.trim_start_matches('v').splitn(3, '.');
        let short = [numbers.next()?, numbers.next()?].join(".");
        ALL.iter().find(|release| release.version == short)
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

    /// The resource whose objects stand under an etcd key, in the version in which they are stored.
    pub fn stored_at(&self, key: &str) -> Option<&ResourceType> {
        let path = key.strip_prefix("/registry/")?;
        let holds = |r: &&ResourceType| {
            path.strip_prefix(r.key_prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                && r.storage_version == r.api_version
        };
        self.resources.iter().filter(holds).max_by_key(|resource| resource.key_prefix.len())
    }

    /// Whether objects of this `apiVersion` and `kind` can be read, served by default or not.
    pub fn knows_kind(&self, api_version: &str, kind: &str) -> bool {
        self.schema.kind(api_version, kind).is_some()
    }

    /// The version that stands for one which the release does not have: the kind's own of the same group. Other releases moved
    /// kinds from version to version, mostly as they were.
    pub fn served_instead(&self, api_version: &str, kind: &str) -> Option<&'static str> {
        if self.resource_of(api_version, kind).is_some() {
            return None;
        }
        // The core group, which has no name, has had one version only.
        let is_named = |(group, version): &(&str, &str)| !group.is_empty() && is_version(version);
        let (group, _) = api_version.split_once('/').filter(is_named)?;
        let mut known = self.resources().iter().filter(|it| it.kind == kind && it.group == group);
        let newest = known.clone().find(|it| it.api_version == it.storage_version);
        newest.or_else(|| known.next()).map(|it| it.api_version)
    }

    /// The member by which a configuration file says its form, and what it says in this release, where the given form is one of
    /// later releases.
    pub fn configuration_instead(&self, api_version: &str, kind: &str) -> Option<(&'static str, &'static str)> {
        const POLICY: &str = "audit.k8s.io/v1alpha1";
        match (api_version, kind) {
            (_, "EncryptionConfiguration") => Some(("kind", "EncryptionConfig")),
            (later, "Policy") if later.starts_with("audit.k8s.io/v") && later != POLICY => Some(("apiVersion", POLICY)),
            _ => None,
        }
    }

    /// The object that the server makes of `value`, whose own `kind` and `apiVersion` do not count: unknown members are
    /// dropped, the rest stands in the order of the Go type, quantities, times and base64 in their canonical form, and
    /// what the server fills in is there.
    ///
    /// Errors: an unknown kind, or a member of the wrong type, in Go's words.
    pub fn decode(&self, api_version: &str, kind: &str, value: Value) -> Result<Value, String> {
        self.object(api_version, kind, value, true).map_err(|wrong| wrong.read)
    }

    /// The same for a value that was never text, such as a patched object. Errors are those of the conversion.
    pub(crate) fn convert(&self, api_version: &str, kind: &str, value: Value) -> Result<Value, String> {
        self.object(api_version, kind, value, true).map_err(|wrong| wrong.converted)
    }

    /// The same without filling in: what reading and writing an object makes of it.
    pub fn canonical(&self, api_version: &str, kind: &str, value: Value) -> Result<Value, String> {
        self.object(api_version, kind, value, false).map_err(|wrong| wrong.read)
    }

    /// Calls `each` with the path of every member of `value`, an object of `kind`, that no field reads. Of a kind that is not
    /// known there are none.
    pub(crate) fn unread<'a>(
        &self,
        api_version: &str,
        kind: &str,
        value: &'a Value,
        each: &mut dyn FnMut(&[PathStep<'a>]),
    ) {
        if let Some(known) = self.schema.kind(api_version, kind) {
            self.schema.unread(known, value, &mut Vec::new(), each);
        }
    }

    fn object(&self, api_version: &str, kind: &str, value: Value, defaults: bool) -> Result<Value, WrongType> {
        let Some(known) = self.schema.kind(api_version, kind) else {
            return Err(format!("no kind \"{kind}\" is registered for version \"{api_version}\"").into());
        };
        self.schema.object(api_version, known, value, defaults)
    }

    /// The types of the release's objects.
    pub(crate) fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The default RBAC objects as `rbac.authorization.k8s.io/v1beta1`, in the order of their creation.
    ///
    /// `node_mode`: `Node` is among the authorization modes, so `system:node` is bound to nobody; all else is the very same.
    /// Behaviour: `plugin/pkg/auth/authorizer/rbac/bootstrappolicy`, `pkg/registry/rbac/rest/storage_rbac.go`.
    pub fn bootstrap_policy(&self, node_mode: bool) -> impl Iterator<Item = &Value> {
        self.bootstrap.objects(node_mode)
    }
}

/// Whether a word has the form `v1`, `v2beta3`.
fn is_version(word: &str) -> bool {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let Some(rest) = word.strip_prefix('v') else { return false };
    let (major, rest) = rest.split_at(digits(rest));
    let level = rest.strip_prefix("alpha").or_else(|| rest.strip_prefix("beta"));
    !major.is_empty()
        && (rest.is_empty() || level.is_some_and(|number| !number.is_empty() && digits(number) == number.len()))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs};

    use super::*;
    use crate::vectors::vectors;

    fn stored_values() -> Vec<Value> {
        let text = fs::read_to_string(vectors("etcd/values.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn type_of(object: &Value) -> (String, String) {
        let text = |member: &str| object[member].as_str().unwrap().to_owned();
        (text("apiVersion"), text("kind"))
    }

    #[test]
    fn what_the_server_answered_is_canonical() {
        let release = Release::find("1.7").unwrap();
        for line in stored_values() {
            let object = &line["object"];
            let (api_version, kind) = type_of(object);
            let canonical = release.canonical(&api_version, &kind, object.clone()).unwrap();
            assert_eq!(canonical.to_string(), object.to_string());
        }
    }

    /// The paths at which two values differ.
    fn differences(one: &Value, other: &Value, path: &str, into: &mut Vec<String>) {
        match (one, other) {
            (Value::Object(a), Value::Object(b)) => {
                let names: BTreeSet<_> = a.keys().chain(b.keys()).collect();
                names.into_iter().for_each(|n| differences(&one[n], &other[n], &format!("{path}.{n}"), into));
            }
            (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
                a.iter().zip(b).for_each(|(a, b)| differences(a, b, &format!("{path}[]"), into));
            }
            _ if one != other => into.push(path.to_owned()),
            _ => {}
        }
    }

    /// What is neither read nor filled in here: the strategies of the registries do it.
    const OTHERS: &[&str] = &[
        ".metadata.creationTimestamp",
        ".metadata.generation",
        ".metadata.resourceVersion",
        ".metadata.selfLink",
        ".metadata.uid",
        "DaemonSet.spec.templateGeneration",
        "Job.spec.selector",
        "Job.spec.template.metadata.labels.",
        "Namespace.spec.finalizers",
        "Pod.status.",
        "Service.spec.clusterIP",
        "ServiceAccount.secrets[].",
    ];

    #[test]
    fn what_was_posted_gets_the_defaults() {
        let release = Release::find("1.7").unwrap();
        for line in stored_values().iter().filter(|line| line["how"] == "create") {
            let (api_version, kind) = type_of(&line["posted"]);
            let decoded = release.decode(&api_version, &kind, line["posted"].clone()).unwrap();
            let mut paths = Vec::new();
            differences(&decoded, &line["object"], &kind, &mut paths);
            paths.retain(|path| !OTHERS.iter().any(|other| path.contains(other)));
            assert_eq!(paths, Vec::<String>::new(), "{}", line["key"]);
        }
    }

    #[test]
    fn members_of_the_wrong_type_are_errors_and_unknown_ones_are_dropped() {
        let release = Release::find("1.7").unwrap();
        let rows = [
            (
                "ConfigMap",
                r#"{"data":{"b":"2","a":"1"},"nope":1}"#,
                Ok(r#","metadata":{"creationTimestamp":null},"data":{"a":"1","b":"2"}}"#),
            ),
            (
                "ConfigMap",
                r#"{"data":[]}"#,
                Err("json: cannot unmarshal array into Go struct field ConfigMap.data of type map[string]interface {}"),
            ),
            (
                "ConfigMap",
                r#"{"data":{"a":1}}"#,
                Err("json: cannot unmarshal number into Go struct field ConfigMap.data of type string"),
            ),
            (
                "ConfigMap",
                r#"[]"#,
                Err("json: cannot unmarshal array into Go struct field ConfigMap of type ConfigMap"),
            ),
            ("Secret", r#"{"data":{"a":"!"}}"#, Err("illegal base64 data at input byte 0")),
            (
                "Secret",
                r#"{"stringData":{"a":"b"}}"#,
                Ok(r#","metadata":{"creationTimestamp":null},"data":{"a":"Yg=="},"type":"Opaque"}"#),
            ),
            (
                "LimitRange",
                r#"{"spec":{"limits":null}}"#,
                Ok(r#","metadata":{"creationTimestamp":null},"spec":{"limits":[]}}"#),
            ),
            ("Nope", "{}", Err("no kind \"Nope\" is registered for version \"v1\"")),
        ];
        for (kind, value, expected) in rows {
            let decoded =
                release.decode("v1", kind, serde_json::from_str(value).unwrap()).map(|object| object.to_string());
            let head = format!(r#"{{"kind":"{kind}","apiVersion":"v1""#);
            assert_eq!(decoded, expected.map(|rest| head + rest).map_err(str::to_owned));
        }
    }

    #[test]
    fn a_port_or_name_is_there_even_where_it_is_empty() {
        let release = Release::find("1.7").unwrap();
        for target in [Value::from(""), Value::from(0), Value::from("http")] {
            let service = serde_json::json!({"spec": {"ports": [{"port": 1, "targetPort": target}]}});
            let canonical = release.canonical("v1", "Service", service).unwrap();
            assert_eq!(canonical["spec"]["ports"][0]["targetPort"], target);
        }
    }

    #[test]
    fn kinds() {
        let release = Release::find("1.7").unwrap();
        let rows = [
            ("v1", "Pod", true),
            ("v1", "PodSpec", false),
            ("v1", "Status", true),
            ("apps/v1beta1", "Status", false),
            ("apps/v1beta1", "DeleteOptions", true),
            ("batch/v2alpha1", "CronJob", true),
            ("meta", "DeleteOptions", false),
            ("nope/v1", "DeleteOptions", false),
        ];
        for (api_version, kind, known) in rows {
            assert_eq!(release.knows_kind(api_version, kind), known, "{api_version} {kind}");
        }
    }
}
