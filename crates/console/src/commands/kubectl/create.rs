//! `kubectl create TYPE NAME`: objects put together from flags.
//!
//! Behaviour: `pkg/kubectl/cmd/create_*.go` and the generators beside `pkg/kubectl/generate.go` of release 1.7. The bodies
//! are those of typed objects: members in Go's order, `creationTimestamp` null.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_core::apiserver::rest::names;
use portcullis_core::manifest::{Map, Value, json};
use portcullis_core::request::quote;
use portcullis_core::sort;
use portcullis_core::sort::SortedMap;

use super::Run;
use super::client::Error;
use super::resources::{find_resource, namespace as current_namespace};
use super::value::{fill, metadata_map, plain, some, some_list};

const RBAC: &str = "rbac.authorization.k8s.io";
/// Where `apply` remembers what it sent.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The name that the command line gives.
fn name(run: &Run<'_>, command: &str) -> Result<String, Error> {
    run.flags.arguments.first().cloned().ok_or_else(|| Error::usage(command, "NAME is required"))
}

/// An object of `template`, whose name is `$name`.
fn object(template: &str, name: &str, values: &[(&str, Value)]) -> Map<String, Value> {
    let mut values = values.to_vec();
    values.push(("metadata", fill(r#"{"name":"$name","creationTimestamp":null}"#, &[("name", name.into())])));
    match fill(template, &values) {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

/// Sends what a command put together, and says so.
pub fn finish(run: &mut Run<'_>, name: &str, object: Map<String, Value>) -> Result<(), Error> {
    let mut object = Value::Object(object);
    let (api_version, kind) = (super::value::text(&object, "apiVersion"), super::value::text(&object, "kind"));
    let Some(kind) = run.client.release().resource_of(api_version, kind) else {
        return Err(format!("unable to recognize {name}: no matches for {api_version}, Kind={kind}").into());
    };
    if run.flags.is("save-config") {
        // What is remembered has a map of annotations already, if an empty one is left out of it.
        let sent = json::to_string(&object) + "\n";
        metadata_map(&mut object, "annotations")
            .map(|annotations| annotations.insert(LAST_APPLIED.to_owned(), sent.into()));
    }
    if !run.flags.is("dry-run") {
        let body = json::to_string(&object) + "\n";
        let namespace = if kind.namespaced { current_namespace(run.flags) } else { "" };
        object = run.client.create(kind, namespace, &body, None)?;
    }
    if !run.print_object(&object, true)? {
        run.done(kind, name, "created");
    }
    Ok(())
}

/// `create serviceaccount`.
///
/// # Errors
///
/// As the server says, or what is wrong with the command line. So for all of these.
pub fn service_account(run: &mut Run<'_>) -> Result<(), Error> {
    let name = name(run, "create serviceaccount")?;
    let template = r#"{"kind":"ServiceAccount","apiVersion":"v1","metadata":"$metadata"}"#;
    finish(run, &name, object(template, &name, &[]))
}

/// `create namespace`.
///
/// # Errors
///
/// See above.
pub fn namespace(run: &mut Run<'_>) -> Result<(), Error> {
    let name = name(run, "create namespace")?;
    let template = r#"{"kind":"Namespace","apiVersion":"v1","metadata":"$metadata","spec":{},"status":{}}"#;
    finish(run, &name, object(template, &name, &[]))
}

/// `create configmap`.
///
/// # Errors
///
/// See above.
pub fn config_map(run: &mut Run<'_>) -> Result<(), Error> {
    let name = name(run, "create configmap")?;
    let data = data(run, "ConfigMap")?;
    let template = r#"{"kind":"ConfigMap","apiVersion":"v1","metadata":"$metadata","data":"$data"}"#;
    finish(run, &name, object(template, &name, &[("data", map(&data, str::to_owned))]))
}

/// The data as a value, or null where there is none.
fn map(data: &SortedMap<String, String>, encode: fn(&str) -> String) -> Value {
    let map: Map<String, Value> = data.iter().map(|(key, value)| (key.clone(), encode(value).into())).collect();
    if map.is_empty() { Value::Null } else { map.into() }
}

/// `create secret generic`.
///
/// # Errors
///
/// See above.
pub fn secret_generic(run: &mut Run<'_>) -> Result<(), Error> {
    let name = name(run, "create secret generic")?;
    let data = data(run, "Secret")?;
    let kind = run.flags.text("type").to_owned();
    secret(run, &name, data, &kind)
}

fn secret(run: &mut Run<'_>, name: &str, data: SortedMap<String, String>, kind: &str) -> Result<(), Error> {
    let template = r#"{"kind":"Secret","apiVersion":"v1","metadata":"$metadata","data":"$data","type":"$type"}"#;
    let data = map(&data, |value| STANDARD.encode(value));
    finish(run, name, object(template, name, &[("data", data), ("type", some(kind))]))
}

/// `create secret docker-registry`.
///
/// # Errors
///
/// See above.
pub fn secret_docker_registry(run: &mut Run<'_>) -> Result<(), Error> {
    let command = "create secret docker-registry";
    let name = name(run, command)?;
    let server = run.flags.text_or("docker-server", "https://index.docker.io/v1/").to_owned();
    for flag in ["docker-username", "docker-password", "docker-email"] {
        if run.flags.text(flag).is_empty() {
            return Err(Error::usage(command, &format!("flag {flag} is required")));
        }
    }
    if server.is_empty() {
        return Err(Error::usage(command, "flag docker-server is required"));
    }
    let [user, password, email] =
        ["docker-username", "docker-password", "docker-email"].map(|flag| run.flags.text(flag).to_owned());
    let auth = STANDARD.encode(format!("{user}:{password}"));
    let entry = fill(
        r#"{"username":"$user","password":"$password","email":"$email","auth":"$auth"}"#,
        &[("user", user.into()), ("password", password.into()), ("email", email.into()), ("auth", auth.into())],
    );
    let file = json::object([(&server, entry)]);
    let data = SortedMap::from_iter([(".dockercfg".to_owned(), json::to_string(&file))]);
    secret(run, &name, data, "kubernetes.io/dockercfg")
}

/// `create secret tls`. Whether key and certificate belong together is not checked: a certificate of a document may be
/// no more than its subject.
///
/// # Errors
///
/// See above.
pub fn secret_tls(run: &mut Run<'_>) -> Result<(), Error> {
    let command = "create secret tls";
    let name = name(run, command)?;
    let mut data = SortedMap::new();
    for (flag, key) in [("cert", "tls.crt"), ("key", "tls.key")] {
        let path = run.flags.text(flag);
        if path.is_empty() {
            return Err(Error::usage(command, &format!("flag {flag} is required")));
        }
        let file = run.file_reader()(path)
            .ok_or_else(|| format!("failed to load key pair open {path}: no such file or directory"))?;
        data.insert(key.to_owned(), file);
    }
    secret(run, &name, data, "kubernetes.io/tls")
}

/// Keys and values of `--from-file`, `--from-literal` and `--from-env-file`.
fn data(run: &Run<'_>, kind: &str) -> Result<SortedMap<String, String>, Error> {
    let (files, literals) = (run.flags.all("from-file"), run.flags.all("from-literal"));
    let env = run.flags.text("from-env-file");
    if !env.is_empty() && (!files.is_empty() || !literals.is_empty()) {
        return Err("from-env-file cannot be combined with from-file or from-literal".into());
    }
    let file = run.file_reader();
    let read = |path: &str| file(path).ok_or_else(|| format!("error reading {path}: no such file or directory"));
    let mut data = SortedMap::new();
    for source in files {
        let (key, path) = match source.split_once('=') {
            None => (source.rsplit('/').next().unwrap_or(source), source),
            Some(("", path)) if !path.contains('=') => {
                return Err(format!("key name for file path {path} missing.").into());
            }
            Some((key, "")) => return Err(format!("file path for key name {key} missing.").into()),
            Some((_, path)) if path.contains('=') => {
                return Err("Key names or file paths cannot contain '='.".into());
            }
            Some((key, path)) => (key, path),
        };
        add(&mut data, kind, key, read(path)?)?;
    }
    for literal in literals {
        let Some((key, value)) = literal.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            return Err(format!("invalid literal source {literal}, expected key=value").into());
        };
        add(&mut data, kind, key, value.to_owned())?;
    }
    if !env.is_empty() {
        for line in read(env)?.trim_start_matches('\u{feff}').lines().map(str::trim_start) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (key, value) = line.split_once('=').unwrap_or((line, ""));
            let wrong = names::c_identifier(key);
            if !wrong.is_empty() {
                return Err(format!("{} is not a valid key name: {}", quote(key), wrong.join(";")).into());
            }
            add(&mut data, kind, key, value.to_owned())?;
        }
    }
    Ok(data)
}

fn add(data: &mut SortedMap<String, String>, kind: &str, key: &str, value: String) -> Result<(), Error> {
    let wrong = names::config_key(key);
    if !wrong.is_empty() {
        return Err(format!("{} is not a valid key name for a {kind}: {}", quote(key), wrong.join(";")).into());
    }
    if data.contains_key(key) {
        // Go prints a Secret's values as numbers.
        let shown = data.iter().map(|(key, value)| {
            let value = if kind == "Secret" { value.bytes().collect() } else { Value::from(value.as_str()) };
            (key.clone(), value)
        });
        let shown = plain(&Value::Object(shown.collect()));
        return Err(format!("cannot add key {key}, another key by that name already exists: {shown}.").into());
    }
    data.insert(key.to_owned(), value);
    Ok(())
}

/// The values of a flag, each once.
fn once(values: Vec<&str>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for value in values {
        if !kept.iter().any(|known| known == value) {
            kept.push(value.to_owned());
        }
    }
    kept
}

const VERBS: &str = "* get delete list create update patch watch proxy redirect deletecollection use bind impersonate";
const URL_VERBS: &str = "* get post put delete patch head options";
/// Verbs that only some resources have.
const SPECIAL: &[(&str, &str, &str)] = &[
    ("use", "podsecuritypolicies", "extensions"),
    ("bind", "roles", RBAC),
    ("bind", "clusterroles", RBAC),
    ("impersonate", "users", ""),
    ("impersonate", "groups", ""),
    ("impersonate", "userextras", "authentication.k8s.io"),
];

/// `create role`.
///
/// # Errors
///
/// See above.
pub fn role(run: &mut Run<'_>) -> Result<(), Error> {
    policy(run, "create role", "Role")
}

/// `create clusterrole`.
///
/// # Errors
///
/// See above.
pub fn cluster_role(run: &mut Run<'_>) -> Result<(), Error> {
    policy(run, "create clusterrole", "ClusterRole")
}

fn policy(run: &mut Run<'_>, command: &str, kind: &str) -> Result<(), Error> {
    let name = name(run, command)?;
    let mut verbs = once(run.flags.all("verb"));
    if verbs.iter().any(|verb| verb == "*") {
        verbs = vec!["*".to_owned()];
    }
    let (resources, urls) = (run.flags.all("resource"), once(run.flags.all("non-resource-url")));
    if verbs.is_empty() {
        return Err("at least one verb must be specified".into());
    }
    let unknown = |known: &str| verbs.iter().find(|verb| !known.split(' ').any(|name| name == *verb)).cloned();
    if kind == "Role" || !resources.is_empty() {
        if let Some(verb) = unknown(VERBS) {
            return Err(format!("invalid verb: '{verb}'").into());
        }
    } else if urls.is_empty() {
        return Err("one of resource or nonResourceURL must be specified".into());
    }
    if kind == "Role" && resources.is_empty() {
        return Err("at least one resource must be specified".into());
    }
    let names = once(run.flags.all("resource-name"));
    let mut groups: SortedMap<String, Vec<String>> = SortedMap::new();
    for word in resources {
        let (resource, below) = word.split_once('/').map_or((word, None), |(word, below)| (word, Some(below)));
        let (resource, group) = resource.split_once('.').unwrap_or((resource, ""));
        if resource.is_empty() {
            return Err("resource must be specified if apiGroup/subresource specified".into());
        }
        let known = find_resource(run.client.release(), resource, group);
        let (resource, group) = known.as_ref().map_or((resource, group), |kind| (kind.resource, kind.group));
        let mut special = false;
        for verb in &verbs {
            if SPECIAL.iter().any(|(name, ..)| name == verb) {
                if !SPECIAL.contains(&(verb, resource, group)) {
                    return Err(format!("can not perform '{verb}' on '{resource}' in group '{group}'").into());
                }
                special = true;
            }
        }
        if !special {
            known?;
        }
        let resource = below.map_or(resource.to_owned(), |below| format!("{resource}/{below}"));
        let resources = groups.get_or_default(group.to_owned());
        if !resources.contains(&resource) {
            resources.push(resource);
        }
    }
    if !urls.is_empty()
        && let Some(verb) = unknown(URL_VERBS)
    {
        return Err(format!("invalid verb: '{verb}' for nonResourceURL").into());
    }
    let mut rules: Vec<Value> = Vec::new();
    for (group, resources) in groups {
        rules.push(fill(
            r#"{"verbs":"$verbs","apiGroups":["$group"],"resources":"$resources","resourceNames":"$names"}"#,
            &[
                ("verbs", some_list(&verbs)),
                ("group", group.into()),
                ("resources", some_list(&resources)),
                ("names", some_list(&names)),
            ],
        ));
    }
    if !urls.is_empty() {
        let values = [("verbs", some_list(&verbs)), ("urls", some_list(&urls))];
        rules.push(fill(r#"{"verbs":"$verbs","nonResourceURLs":"$urls"}"#, &values));
    }
    let template =
        r#"{"kind":"$kind","apiVersion":"rbac.authorization.k8s.io/v1beta1","metadata":"$metadata","rules":"$rules"}"#;
    finish(run, &name, object(template, &name, &[("kind", kind.into()), ("rules", rules.into())]))
}

/// `create rolebinding`.
///
/// # Errors
///
/// See above.
pub fn role_binding(run: &mut Run<'_>) -> Result<(), Error> {
    binding(run, "create rolebinding", "RoleBinding")
}

/// `create clusterrolebinding`.
///
/// # Errors
///
/// See above.
pub fn cluster_role_binding(run: &mut Run<'_>) -> Result<(), Error> {
    binding(run, "create clusterrolebinding", "ClusterRoleBinding")
}

fn binding(run: &mut Run<'_>, command: &str, kind: &str) -> Result<(), Error> {
    let name = name(run, command)?;
    let (cluster_role, role) = (run.flags.text("clusterrole"), run.flags.text("role"));
    let role_ref = match (kind, cluster_role, role) {
        ("ClusterRoleBinding", "", _) => return Err("clusterrole must be specified".into()),
        ("ClusterRoleBinding", cluster_role, _) => ("ClusterRole", cluster_role),
        (_, "", "") => return Err("exactly one of clusterrole or role must be specified".into()),
        (_, "", role) => ("Role", role),
        (_, cluster_role, "") => ("ClusterRole", cluster_role),
        _ => return Err("exactly one of clusterrole or role must be specified".into()),
    };
    let sorted = |flag: &str| {
        let mut values = once(run.flags.all(flag));
        sort::by_text(&mut values, |value| value);
        values
    };
    let mut subjects: Vec<Value> = Vec::new();
    let mut subject = |kind: &str, group: &str, name: &str, namespace: &str| {
        subjects.push(fill(
            r#"{"kind":"$kind","apiGroup":"$group","name":"$name","namespace":"$namespace"}"#,
            &[("kind", kind.into()), ("group", some(group)), ("name", name.into()), ("namespace", some(namespace))],
        ));
    };
    for (flag, kind) in [("user", "User"), ("group", "Group")] {
        sorted(flag).iter().for_each(|name| subject(kind, RBAC, name, ""));
    }
    for account in sorted("serviceaccount") {
        let (namespace, name) = account.split_once(':').unwrap_or_default();
        if name.is_empty() || name.contains(':') || (namespace.is_empty() && kind == "ClusterRoleBinding") {
            return Err("serviceaccount must be <namespace>:<name>".into());
        }
        subject("ServiceAccount", "", name, namespace);
    }
    let mut object = object(
        r#"{"kind":"$kind","apiVersion":"rbac.authorization.k8s.io/v1beta1","metadata":"$metadata","subjects":null,
            "roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"$of","name":"$role"}}"#,
        &name,
        &[("kind", kind.into()), ("of", role_ref.0.into()), ("role", role_ref.1.into())],
    );
    if !subjects.is_empty() {
        object.insert("subjects".to_owned(), subjects.into());
    }
    finish(run, &name, object)
}
