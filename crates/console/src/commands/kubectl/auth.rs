//! Questions to the server itself: `auth can-i`, `version`, `api-versions`, `cluster-info`.
//!
//! Behaviour: `pkg/kubectl/cmd/auth/cani.go`, `version.go`, `apiversions.go`, `clusterinfo.go` of release 1.7.

use portcullis_core::manifest::{Value, json};
use portcullis_core::sort;

use super::Run;
use super::client::{Call, Error};
use super::resources::{kind_of, namespace};
use super::value::{at, fill, list, some, text, texts};

/// `auth can-i`: a SelfSubjectAccessReview. The status is 0 for `no` too, unless `--quiet` asks for it.
///
/// # Errors
///
/// As the server says, or what is wrong with the command line.
pub fn can_i(run: &mut Run<'_>) -> Result<(), Error> {
    let flags = run.flags;
    if flags.is("list") {
        return Err("release 1.7 has no API that lists what somebody may do: SelfSubjectRulesReview came with 1.8. \
            Ask about one verb and resource at a time"
            .into());
    }
    let [verb, target] = flags.arguments.as_slice() else {
        return Err("you must specify two or three arguments: verb, resource, and optional resourceName".into());
    };
    let subresource = flags.text("subresource");
    let (template, values) = if target.starts_with('/') {
        if !subresource.is_empty() {
            return Err("--subresource can not be used with nonResourceURL".into());
        }
        (
            r#"{"nonResourceAttributes":{"path":"$path","verb":"$verb"}}"#,
            vec![("path", some(target)), ("verb", some(verb))],
        )
    } else {
        let (word, name) = target.split_once('/').unwrap_or((target, ""));
        let (group, resource) = resource(run, word);
        let release = run.client.release();
        let known = release.resources().iter().find(|it| it.group == group && it.resource == resource);
        if known.is_some_and(|it| it.subresource(name).is_some()) {
            run.client.note(format!(
                "{target} is the object {name:?} here. The subresource is asked for with --subresource={name}."
            ));
        }
        let namespace = if flags.is("all-namespaces") { "" } else { namespace(flags) };
        let values = vec![
            ("namespace", some(namespace)),
            ("verb", some(verb)),
            ("group", some(&group)),
            ("resource", some(&resource)),
            ("subresource", some(subresource)),
            ("name", some(name)),
        ];
        (
            r#"{"resourceAttributes":{"namespace":"$namespace","verb":"$verb","group":"$group","resource":"$resource",
                "subresource":"$subresource","name":"$name"}}"#,
            values,
        )
    };
    let Some(kind) = run.client.release().resource("authorization.k8s.io", "v1", "selfsubjectaccessreviews") else {
        return Err("the server has no SelfSubjectAccessReview".into());
    };
    let review = fill(
        r#"{"kind":"SelfSubjectAccessReview","apiVersion":"authorization.k8s.io/v1","metadata":{"creationTimestamp":null},
            "spec":"$spec","status":{"allowed":false}}"#,
        &[("spec", fill(template, &values))],
    );
    let answer = run.client.create(kind, "", &(json::to_string(&review) + "\n"), None)?;
    let allowed = at(&answer, "status.allowed") == true;
    if flags.is("quiet") {
        return if allowed { Ok(()) } else { Err(Error::Quiet) };
    }
    if allowed {
        run.print("yes\n");
        return Ok(());
    }
    let mut line = "no".to_owned();
    for field in ["status.reason", "status.evaluationError"] {
        let said = text(&answer, field);
        if !said.is_empty() {
            line += " - ";
            line += said;
        }
    }
    run.print(&(line + "\n"));
    Ok(())
}

/// Group and resource of a word; one that the server does not have is asked about as it stands, with a warning.
fn resource(run: &mut Run<'_>, word: &str) -> (String, String) {
    if word == "*" {
        return (String::new(), word.to_owned());
    }
    match kind_of(run.client.release(), &word.to_ascii_lowercase()) {
        Ok(kind) => (kind.group.to_owned(), kind.resource.to_owned()),
        Err(_) => {
            let lower = word.to_ascii_lowercase();
            let (name, group) = lower.split_once('.').unwrap_or((&lower, ""));
            let in_group = if group.is_empty() { String::new() } else { format!(" in group '{group}'") };
            run.warn(&format!("Warning: the server doesn't have a resource type '{name}'{in_group}"));
            (String::new(), word.to_owned())
        }
    }
}

/// What kubectl 1.7.0 says of itself, in Go's order.
const CLIENT: &[(&str, &str)] = &[
    ("major", "1"),
    ("minor", "7"),
    ("gitVersion", "v1.7.0"),
    ("gitCommit", "d3ada0119e776222f11ec7945e6d860061339aad"),
    ("gitTreeState", "clean"),
    ("buildDate", "2017-06-29T23:15:59Z"),
    ("goVersion", "go1.8.3"),
    ("compiler", "gc"),
    ("platform", "linux/amd64"),
];

/// `version`.
///
/// # Errors
///
/// As the server says.
pub fn version(run: &mut Run<'_>) -> Result<(), Error> {
    let client: Value = CLIENT.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))).collect();
    let flags = run.flags;
    let server = if flags.is("client") { Ok(None) } else { run.client.call(Call::new("GET", "/version")).map(Some) };
    let (server, failed) = match server {
        Ok(server) => (server, Ok(())),
        Err(error) => (None, Err(error)),
    };
    let mut versions = vec![("Client Version", "clientVersion", client)];
    versions.extend(server.map(|server| ("Server Version", "serverVersion", server)));
    match flags.text("output") {
        "" => {
            for (title, _, info) in versions {
                let shown = if flags.is("short") { text(&info, "gitVersion").to_owned() } else { go_struct(&info) };
                run.print(&format!("{title}: {shown}\n"));
            }
        }
        format @ ("yaml" | "json") => {
            let all: Value = versions.into_iter().map(|(_, key, info)| (key.to_owned(), info)).collect();
            let shown =
                if format == "json" { json::to_string(&all) } else { portcullis_core::manifest::yaml::to_string(&all) };
            run.print(&(shown + "\n"));
        }
        other => return Err(format!("invalid output format: {other}").into()),
    }
    failed
}

/// Go's `%#v` of a `version.Info`.
fn go_struct(info: &Value) -> String {
    let fields: Vec<String> = CLIENT
        .iter()
        .map(|(key, _)| {
            let (first, rest) = key.split_at(1);
            format!("{}{rest}:{}", first.to_ascii_uppercase(), portcullis_core::request::quote(text(info, key)))
        })
        .collect();
    format!("version.Info{{{}}}", fields.join(", "))
}

/// `api-versions`.
///
/// # Errors
///
/// As the server says.
pub fn api_versions(run: &mut Run<'_>) -> Result<(), Error> {
    let core = run.client.call(Call::new("GET", "/api"))?;
    let groups = run.client.call(Call::new("GET", "/apis"))?;
    let mut versions = texts(&core, "versions");
    for group in list(&groups, "groups") {
        versions.extend(list(group, "versions").iter().map(|version| text(version, "groupVersion")));
    }
    sort::by_text(&mut versions, |version| version);
    let lines: String = versions.iter().map(|version| format!("{version}\n")).collect();
    run.print(&lines);
    Ok(())
}

/// `cluster-info`: where the master is, and which services say that they belong to the cluster.
///
/// # Errors
///
/// As the server says.
pub fn cluster_info(run: &mut Run<'_>) -> Result<(), Error> {
    let server = "https://apiserver:6443";
    let services = match run.client.release().resource("", "v1", "services") {
        Some(kind) => {
            run.client.list(kind, "kube-system", &[("labelSelector", "kubernetes.io/cluster-service=true")])?
        }
        None => Value::Null,
    };
    // kubectl prints these words in colours even where nobody looks.
    let mut lines = format!("\u{1b}[0;32mKubernetes master\u{1b}[0m is running at \u{1b}[0;33m{server}\u{1b}[0m\n");
    for service in list(&services, "items") {
        let name = text(service, "metadata.name");
        let title = at(service, "metadata.labels").get("kubernetes.io/name").and_then(Value::as_str).unwrap_or(name);
        let link = format!("{server}/api/v1/namespaces/kube-system/services/{name}/proxy");
        lines += &format!("\u{1b}[0;32m{title}\u{1b}[0m is running at \u{1b}[0;33m{link}\u{1b}[0m\n");
    }
    lines += "\nTo further debug and diagnose cluster problems, use 'kubectl cluster-info dump'.\n";
    run.print(&lines);
    Ok(())
}

/// `config current-context`: the only one there is.
///
/// # Errors
///
/// None.
pub fn current_context(run: &mut Run<'_>) -> Result<(), Error> {
    run.print("kubernetes-admin@kubernetes\n");
    Ok(())
}

/// `config view`: how kubeadm leaves the administrator's kubeconfig.
///
/// # Errors
///
/// What is wrong with the format.
pub fn config_view(run: &mut Run<'_>) -> Result<(), Error> {
    let config = super::value::fill(
        r#"{"apiVersion":"v1",
            "clusters":[{"cluster":{"certificate-authority-data":"REDACTED","server":"https://apiserver:6443"},"name":"kubernetes"}],
            "contexts":[{"context":{"cluster":"kubernetes","user":"kubernetes-admin"},"name":"kubernetes-admin@kubernetes"}],
            "current-context":"kubernetes-admin@kubernetes","kind":"Config","preferences":{},
            "users":[{"name":"kubernetes-admin","user":{"client-certificate-data":"REDACTED","client-key-data":"REDACTED"}}]}"#,
        &[],
    );
    if !run.print_object(&config, false)? {
        run.print(&portcullis_core::manifest::yaml::to_string(&config));
    }
    Ok(())
}
