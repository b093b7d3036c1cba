//! `kubectl run` and `kubectl scale`.
//!
//! Behaviour: `pkg/kubectl/cmd/run.go`, `pkg/kubectl/run.go`, `pkg/kubectl/cmd/scale.go` of release 1.7.

use portcullis_core::apiserver::rest::{names, patch};
use portcullis_core::manifest::{Map, Value, json};
use portcullis_core::request::quote;
use serde_json::json;

use super::Run;
use super::apply::check_output;
use super::client::Error;
use super::create::finish;
use super::flags::Flags;
use super::resources::{Fetch, Query, find_objects, wire};
use super::value::{number, text};

/// Runs `kubectl run`.
///
/// # Errors
///
/// As the server says, or what is wrong with the command line.
pub fn run(run: &mut Run<'_>) -> Result<(), Error> {
    let flags = run.flags;
    let usage = |message: &str| Err(Error::usage("run", message));
    let Some(name) = flags.arguments.first().filter(|_| flags.dash != Some(0)) else {
        return usage("NAME is required for run");
    };
    let image = flags.text("image");
    if image.is_empty() || image.contains(char::is_whitespace) {
        return Err(format!("Invalid image name {}: invalid reference format", quote(image)).into());
    }
    if flags.is("tty") && !flags.is("stdin") {
        return usage("-i/--stdin is required for containers with -t/--tty=true");
    }
    if flags.is("attach") || flags.is("stdin") || flags.is("rm") {
        return Err("attaching to a pod is not supported here: its containers do not run".into());
    }
    if flags.is("expose") || flags.given("schedule") {
        let flag = if flags.is("expose") { "expose" } else { "schedule" };
        return Err(format!("--{flag} is not supported here").into());
    }
    let restart = match flags.text("restart") {
        "" => "Always",
        restart @ ("Always" | "OnFailure" | "Never") => restart,
        other => return usage(&format!("invalid restart policy: {other}")),
    };
    let replicas = flags.text_or("replicas", "1").parse::<i64>().unwrap_or(1);
    if restart != "Always" && replicas != 1 {
        return usage(&format!("--restart={restart} requires that --replicas=1, found {replicas}"));
    }
    let pull = flags.text("image-pull-policy");
    if !matches!(pull, "" | "Always" | "IfNotPresent" | "Never") {
        return usage(&format!("invalid image pull policy: {pull}"));
    }
    let default = match restart {
        "Always" => "deployment/v1beta1",
        "OnFailure" => "job/v1",
        _ => "run-pod/v1",
    };
    let generator = match flags.text("generator") {
        "" => default,
        given => given,
    };
    let labels = labels(flags, name)?;
    let pod = pod_spec(flags, name, image, pull, if generator == "run-pod/v1" { "IfNotPresent" } else { "" })?;
    let mut object = object(generator, name, &labels, pod, restart, replicas)?;
    let overrides = flags.text("overrides");
    if !overrides.is_empty() {
        let overrides = json::parse(overrides).map_err(|error| Error::Text(error.message))?;
        patch::merge(&mut object, &overrides);
    }
    match object {
        Value::Object(object) => finish(run, name, object),
        _ => Err("Invalid JSON Patch".into()),
    }
}

fn labels(flags: &Flags, name: &str) -> Result<Value, Error> {
    let given = flags.text("labels");
    if given.is_empty() {
        return Ok(json!({"run": name}));
    }
    let mut labels = Map::new();
    for label in given.split(',') {
        let Some((key, value)) = label.split_once('=').filter(|(_, value)| !value.contains('=')) else {
            return Err(format!("unexpected label spec: {label}").into());
        };
        labels.insert(key.to_owned(), value.into());
    }
    Ok(super::value::sorted(&labels.into()))
}

/// A pod of one container, as the generators make it.
fn pod_spec(
    flags: &Flags,
    name: &str,
    image: &str,
    pull: &str,
    default_pull: &str,
) -> Result<Map<String, Value>, Error> {
    let mut container = Map::new();
    container.insert("name".to_owned(), name.into());
    container.insert("image".to_owned(), image.into());
    let words = flags.arguments.get(1..).unwrap_or(&[]);
    if !words.is_empty() {
        let field = if flags.is("command") { "command" } else { "args" };
        container.insert(field.to_owned(), json!(words));
    }
    let port = flags.text("port");
    let host_port = flags.text_or("hostport", "-1").parse::<i64>().unwrap_or(-1);
    if port.is_empty() && host_port > 0 {
        return Err("--hostport requires --port to be specified".into());
    }
    if !port.is_empty() {
        let number =
            port.parse::<i32>().map_err(|_| format!("strconv.Atoi: parsing {}: invalid syntax", quote(port)))?;
        let mut entry = Map::new();
        if host_port > 0 {
            entry.insert("hostPort".to_owned(), host_port.into());
        }
        entry.insert("containerPort".to_owned(), number.into());
        container.insert("ports".to_owned(), json!([entry]));
    }
    let mut env = Vec::new();
    for variable in flags.all("env") {
        match variable.split_once('=') {
            Some((name, value)) if names::c_identifier(name).is_empty() => {
                env.push(if value.is_empty() { json!({"name": name}) } else { json!({"name": name, "value": value}) });
            }
            _ => return Err(format!("invalid env: {variable}").into()),
        }
    }
    if !env.is_empty() {
        container.insert("env".to_owned(), env.into());
    }
    let mut resources = Map::new();
    for field in ["limits", "requests"] {
        let given = flags.text(field);
        if given.is_empty() {
            continue;
        }
        let mut quantities = Map::new();
        for entry in given.split(',') {
            let Some((resource, quantity)) = entry.split_once('=') else {
                return Err(format!("Invalid argument syntax {entry}, expected <resource>=<value>").into());
            };
            quantities.insert(resource.to_owned(), quantity.into());
        }
        resources.insert(field.to_owned(), quantities.into());
    }
    container.insert("resources".to_owned(), resources.into());
    let pull = if pull.is_empty() { default_pull } else { pull };
    if !pull.is_empty() {
        container.insert("imagePullPolicy".to_owned(), pull.into());
    }
    Ok(Map::from_iter([("containers".to_owned(), json!([container]))]))
}

fn object(
    generator: &str,
    name: &str,
    labels: &Value,
    mut pod: Map<String, Value>,
    restart: &str,
    replicas: i64,
) -> Result<Value, Error> {
    let metadata = json!({"name": name, "creationTimestamp": null, "labels": labels});
    let of_pod = json!({"creationTimestamp": null, "labels": labels});
    Ok(match generator {
        "run-pod/v1" => {
            pod.insert("restartPolicy".to_owned(), restart.into());
            pod.insert("dnsPolicy".to_owned(), "ClusterFirst".into());
            json!({"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": pod, "status": {}})
        }
        "job/v1" => {
            pod.insert("restartPolicy".to_owned(), restart.into());
            let spec = json!({"template": {"metadata": of_pod, "spec": pod}});
            json!({"kind": "Job", "apiVersion": "batch/v1", "metadata": metadata, "spec": spec, "status": {}})
        }
        "run/v1" => {
            let template = json!({"metadata": of_pod, "spec": pod});
            let spec = json!({"replicas": replicas, "selector": labels, "template": template});
            let status = json!({"replicas": 0});
            json!({"kind": "ReplicationController", "apiVersion": "v1", "metadata": metadata, "spec": spec, "status": status})
        }
        "deployment/v1beta1" | "deployment/apps.v1beta1" => {
            let api_version = if generator == "deployment/v1beta1" { "extensions/v1beta1" } else { "apps/v1beta1" };
            let template = json!({"metadata": of_pod, "spec": pod});
            let selector = json!({"matchLabels": labels});
            let spec = json!({"replicas": replicas, "selector": selector, "template": template, "strategy": {}});
            json!({"kind": "Deployment", "apiVersion": api_version, "metadata": metadata, "spec": spec, "status": {}})
        }
        _ => return Err(Error::usage("run", &format!("generator {} not found.", quote(generator)))),
    })
}

/// Runs `kubectl scale`.
///
/// # Errors
///
/// As the server says, or what is wrong with the command line.
pub fn scale(run: &mut Run<'_>) -> Result<(), Error> {
    check_output(run, "scale")?;
    let flags = run.flags;
    let query = Query {
        flags,
        arguments: &flags.arguments,
        stdin: run.stdin,
        validate: false,
        all_of_type: false,
        fetch: Fetch::Missing,
    };
    let found = find_objects(&mut run.client, query)?;
    let replicas = flags.text_or("replicas", "-1").parse::<i64>().unwrap_or(-1);
    if replicas < 0 {
        let message = "The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0";
        return Err(Error::usage("scale", message));
    }
    let mut errors = found.errors;
    if found.infos.is_empty() && errors.is_empty() {
        return Err("no objects passed to scale".into());
    }
    for info in found.infos {
        let field = match info.kind.kind {
            "Deployment" | "ReplicaSet" | "ReplicationController" | "StatefulSet" => "replicas",
            "Job" => "parallelism",
            kind => {
                let kind =
                    if info.kind.group.is_empty() { kind.to_owned() } else { format!("{kind}.{}", info.kind.group) };
                errors.push(Error::Text(format!("no scaler has been implemented for {}", quote(&kind))));
                continue;
            }
        };
        let mut object = match run.client.get(info.kind, &info.namespace, &info.name) {
            Ok(object) => object,
            Err(error) => {
                errors.push(error);
                continue;
            }
        };
        let size = number(&object, &format!("spec.{field}"));
        let expected = flags.text_or("current-replicas", "-1").parse::<i64>().unwrap_or(-1);
        if expected != -1 && expected != size {
            errors.push(Error::Text(format!("Expected replicas to be {expected}, was {size}")));
            continue;
        }
        let (wanted, version) = (flags.text("resource-version"), text(&object, "metadata.resourceVersion"));
        if !wanted.is_empty() && wanted != version {
            errors.push(Error::Text(format!("Expected resource version to be {wanted}, was {version}")));
            continue;
        }
        if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
            spec.insert(field.to_owned(), replicas.into());
        }
        match run.client.replace(info.kind, &info.namespace, &info.name, &wire(&object), None) {
            Ok(_) => run.done(info.kind, &info.name, "scaled"),
            Err(error) => errors.push(error),
        }
    }
    Error::collect(errors)
}
