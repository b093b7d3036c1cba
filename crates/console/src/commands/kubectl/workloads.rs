//! `kubectl run` and `kubectl scale`.
//!
//! Behaviour: `pkg/kubectl/cmd/run.go`, `pkg/kubectl/run.go`, `pkg/kubectl/cmd/scale.go` of release 1.7.

use portcullis_core::apiserver::rest::{names, patch};
use portcullis_core::manifest::{Map, Value, json};
use portcullis_core::request::quote;

use super::Run;
use super::apply::check_output;
use super::client::Error;
use super::create::finish;
use super::flags::Flags;
use super::resources::{Fetch, Query, find_objects, wire};
use super::value::{fill, number, some, some_list, text};

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
    let Some((_, template)) = GENERATORS.iter().find(|(name, _)| *name == generator) else {
        return usage(&format!("generator {} not found.", quote(generator)));
    };
    let labels = labels(flags, name)?;
    let pull = if pull.is_empty() && generator == "run-pod/v1" { "IfNotPresent" } else { pull };
    let metadata = |name: &str| {
        let template = r#"{"name":"$name","creationTimestamp":null,"labels":"$labels"}"#;
        fill(template, &[("name", some(name)), ("labels", labels.clone())])
    };
    let version = if generator == "deployment/v1beta1" { "extensions/v1beta1" } else { "apps/v1beta1" };
    let mut object = fill(
        template,
        &[
            ("metadata", metadata(name)),
            ("pod", metadata("")),
            ("labels", labels.clone()),
            ("container", container(flags, name, image, pull)?),
            ("restart", restart.into()),
            ("replicas", replicas.into()),
            ("version", version.into()),
        ],
    );
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

/// Runs `kubectl create deployment`.
///
/// # Errors
///
/// See above.
pub fn create_deployment(run: &mut Run<'_>) -> Result<(), Error> {
    let flags = run.flags;
    let Some(name) = flags.arguments.first() else {
        return Err(Error::usage("create deployment", "NAME is required"));
    };
    let images = flags.all("image");
    if images.is_empty() {
        return Err("at least one image must be specified".into());
    }
    let version = match flags.text("generator") {
        "" | "deployment-basic/v1beta1" => "extensions/v1beta1",
        "deployment-basic/apps.v1beta1" => "apps/v1beta1",
        other => return Err(Error::usage("create deployment", &format!("Generator: {other} not supported."))),
    };
    let container = |image: &str| {
        // The image's name without registry, tag and digest.
        let last = image.rsplit('/').next().unwrap_or_default();
        let short = last.split(if last.contains(':') { ':' } else { '@' }).next().unwrap_or_default();
        fill(r#"{"name":"$name","image":"$image","resources":{}}"#, &[("name", short.into()), ("image", image.into())])
    };
    let containers: Vec<Value> = images.iter().map(|image| container(image)).collect();
    let object = fill(
        r#"{"kind":"Deployment","apiVersion":"$version",
            "metadata":{"name":"$name","creationTimestamp":null,"labels":{"app":"$name"}},
            "spec":{"replicas":1,"selector":{"matchLabels":{"app":"$name"}},
            "template":{"metadata":{"creationTimestamp":null,"labels":{"app":"$name"}},"spec":{"containers":"$containers"}},
            "strategy":{}},"status":{}}"#,
        &[("version", version.into()), ("name", name.as_str().into()), ("containers", containers.into())],
    );
    match object {
        Value::Object(object) => finish(run, name, object),
        _ => Ok(()),
    }
}

fn labels(flags: &Flags, name: &str) -> Result<Value, Error> {
    let given = flags.text("labels");
    if given.is_empty() {
        return Ok(fill(r#"{"run":"$name"}"#, &[("name", name.into())]));
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

/// The container, as the generators make it.
fn container(flags: &Flags, name: &str, image: &str, pull: &str) -> Result<Value, Error> {
    let words = flags.arguments.get(1..).unwrap_or(&[]);
    let (command, arguments) = if flags.is("command") { (words, &[][..]) } else { (&[][..], words) };
    let port = flags.text("port");
    let host_port = flags.text_or("hostport", "-1").parse::<i64>().unwrap_or(-1);
    if port.is_empty() && host_port > 0 {
        return Err("--hostport requires --port to be specified".into());
    }
    let ports = match port {
        "" => Value::Null,
        port => {
            let wrong = |_| format!("strconv.Atoi: parsing {}: invalid syntax", quote(port));
            let number = port.parse::<i32>().map_err(wrong)?;
            let host = if host_port > 0 { host_port.into() } else { Value::Null };
            fill(r#"[{"hostPort":"$host","containerPort":"$port"}]"#, &[("host", host), ("port", number.into())])
        }
    };
    let mut env = Vec::new();
    for variable in flags.all("env") {
        match variable.split_once('=') {
            Some((name, value)) if names::c_identifier(name).is_empty() => {
                env.push(fill(
                    r#"{"name":"$name","value":"$value"}"#,
                    &[("name", name.into()), ("value", some(value))],
                ));
            }
            _ => return Err(format!("invalid env: {variable}").into()),
        }
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
    Ok(fill(
        r#"{"name":"$name","image":"$image","command":"$command","args":"$args","ports":"$ports","env":"$env",
            "resources":"$resources","imagePullPolicy":"$pull"}"#,
        &[
            ("name", name.into()),
            ("image", image.into()),
            ("command", some_list(command)),
            ("args", some_list(arguments)),
            ("ports", ports),
            ("env", if env.is_empty() { Value::Null } else { env.into() }),
            ("resources", resources.into()),
            ("pull", some(pull)),
        ],
    ))
}

/// What a generator makes. `$metadata` is that of the object, `$pod` the metadata of its pods.
const GENERATORS: &[(&str, &str)] = &[
    (
        "run-pod/v1",
        r#"{"kind":"Pod","apiVersion":"v1","metadata":"$metadata",
            "spec":{"containers":["$container"],"restartPolicy":"$restart","dnsPolicy":"ClusterFirst"},"status":{}}"#,
    ),
    (
        "job/v1",
        r#"{"kind":"Job","apiVersion":"batch/v1","metadata":"$metadata",
            "spec":{"template":{"metadata":"$pod","spec":{"containers":["$container"],"restartPolicy":"$restart"}}},"status":{}}"#,
    ),
    (
        "run/v1",
        r#"{"kind":"ReplicationController","apiVersion":"v1","metadata":"$metadata",
            "spec":{"replicas":"$replicas","selector":"$labels",
            "template":{"metadata":"$pod","spec":{"containers":["$container"]}}},"status":{"replicas":0}}"#,
    ),
    ("deployment/v1beta1", DEPLOYMENT),
    ("deployment/apps.v1beta1", DEPLOYMENT),
];

const DEPLOYMENT: &str = r#"{"kind":"Deployment","apiVersion":"$version","metadata":"$metadata",
    "spec":{"replicas":"$replicas","selector":{"matchLabels":"$labels"},
    "template":{"metadata":"$pod","spec":{"containers":["$container"]}},"strategy":{}},"status":{}}"#;

/// Runs `kubectl scale`.
///
/// # Errors
///
/// As the server says, or what is wrong with the command line.
pub fn scale(run: &mut Run<'_>) -> Result<(), Error> {
    check_output(run, "scale")?;
    let flags = run.flags;
    let query = Query::new(flags, run.stdin, Fetch::Missing);
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
