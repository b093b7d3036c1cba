//! `kubectl delete`.
//!
//! Behaviour: `pkg/kubectl/cmd/delete.go` and `pkg/kubectl/stop.go` of release 1.7, which deletes what a controller made by
//! itself: a Deployment is scaled to nothing, then its ReplicaSets go, then it goes.

use portcullis_core::manifest::Value;

use super::Run;
use super::apply::check_output;
use super::client::Error;
use super::printers::selector;
use super::resources::{Fetch, Info, Query, find_objects, wire};
use super::value::{at, list, set_metadata, text};

/// The options of a deletion that leaves dependents to the server, or orphans them.
pub fn delete_options(orphan: bool) -> String {
    format!(r#"{{"kind":"DeleteOptions","apiVersion":"v1","orphanDependents":{orphan}}}"#)
}

/// Runs `kubectl delete`.
///
/// # Errors
///
/// As the server says, or what is wrong with the command line.
pub fn delete(run: &mut Run<'_>) -> Result<(), Error> {
    check_output(run, "delete")?;
    let flags = run.flags;
    let query = Query::new(flags, run.stdin, Fetch::Never);
    let found = find_objects(&mut run.client, query)?;
    let mut grace = flags.text_or("grace-period", "-1").parse::<i64>().unwrap_or(-1);
    if flags.is("now") {
        if flags.given("grace-period") && grace != -1 {
            return Err(Error::usage("delete", "--now and --grace-period cannot be specified together"));
        }
        grace = 1;
    }
    if grace == 0 && flags.is("force") {
        run.warn(
            "warning: Immediate deletion does not wait for confirmation that the running resource has been terminated. The \
            resource may continue to run on the cluster indefinitely.",
        );
    } else if grace == 0 {
        grace = 1;
    }
    let ignore = if flags.given("ignore-not-found") { flags.is("ignore-not-found") } else { flags.is("all") };
    let mut errors = Vec::new();
    let mut any = false;
    for info in found.infos {
        any = true;
        let ended = if flags.is_not_off("cascade") {
            reap(run, &info, grace)
        } else {
            let options = delete_options(true);
            let ended = run.client.delete(info.kind, &info.namespace, &info.name, &options);
            ended.map_err(|error| error.of_source("deleting", &info.source))
        };
        match ended {
            Ok(()) => run.done(info.kind, &info.name, "deleted"),
            Err(error) if ignore && error.is_not_found() => {}
            Err(error) => errors.push(error),
        }
    }
    errors.extend(found.errors);
    if !any && errors.is_empty() {
        run.print("No resources found\n");
    }
    Error::collect(errors)
}

fn reap(run: &mut Run<'_>, info: &Info, grace: i64) -> Result<(), Error> {
    let doing = if has_reaper(info.kind.kind) { "stopping" } else { "deleting" };
    stop(run, info, grace, &delete_options(false)).map_err(|error| error.of_source(doing, &info.source))
}

/// Whether kubectl itself takes away what belongs to such an object.
fn has_reaper(kind: &str) -> bool {
    matches!(
        kind,
        "Pod" | "Service" | "ReplicationController" | "ReplicaSet" | "DaemonSet" | "Job" | "StatefulSet" | "Deployment"
    )
}

/// Deletes an object with what belongs to it; `options` go with the deletion of one that kubectl leaves to the server.
///
/// # Errors
///
/// As the server says.
pub fn stop(run: &mut Run<'_>, info: &Info, grace: i64, options: &str) -> Result<(), Error> {
    let (kind, namespace, name) = (info.kind, info.namespace.as_str(), info.name.as_str());
    let graceful = match grace {
        ..0 => String::new(),
        _ => format!(r#"{{"kind":"DeleteOptions","apiVersion":"v1","gracePeriodSeconds":{grace}}}"#),
    };
    match kind.kind {
        "Pod" => {
            run.client.get(kind, namespace, name)?;
            run.client.delete(kind, namespace, name, &graceful)
        }
        "Deployment" => deployment(run, info),
        _ if has_reaper(kind.kind) => {
            let object = run.client.get(kind, namespace, name)?;
            empty(run, info, object)
        }
        _ => run.client.delete(kind, namespace, name, options),
    }
}

/// Scales what has replicas to none, then deletes it.
fn empty(run: &mut Run<'_>, info: &Info, mut object: Value) -> Result<(), Error> {
    let field = if info.kind.kind == "Job" { "parallelism" } else { "replicas" };
    let scaled = at(&object, "spec").get(field).and_then(Value::as_i64).is_some_and(|replicas| replicas > 0);
    if scaled && let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
        spec.insert(field.to_owned(), 0.into());
        run.client.replace(info.kind, &info.namespace, &info.name, &wire(&object), None)?;
    }
    run.client.delete(info.kind, &info.namespace, &info.name, &delete_options(false))
}

fn deployment(run: &mut Run<'_>, info: &Info) -> Result<(), Error> {
    let mut object = run.client.get(info.kind, &info.namespace, &info.name)?;
    let chosen = selector(at(&object, "spec.selector"), "");
    let uid = text(&object, "metadata.uid").to_owned();
    if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
        spec.insert("revisionHistoryLimit".to_owned(), 0.into());
        spec.insert("replicas".to_owned(), 0.into());
        spec.insert("paused".to_owned(), true.into());
    }
    run.client.replace(info.kind, &info.namespace, &info.name, &wire(&object), None)?;
    if let Some(kind) = run.client.release().resource("extensions", "v1beta1", "replicasets") {
        let sets = run.client.list(kind, &info.namespace, &[("labelSelector", &chosen)])?;
        for set in list(&sets, "items") {
            let owned = list(set, "metadata.ownerReferences").iter().any(|owner| text(owner, "uid") == uid);
            if !owned {
                continue;
            }
            let mut set = set.clone();
            set_metadata(&mut set, "namespace", info.namespace.as_str().into());
            let name = text(&set, "metadata.name").to_owned();
            let set_info = Info { kind, name, object: Value::Null, ..info.clone() };
            match empty(run, &set_info, set) {
                Err(error) if !error.is_not_found() => return Err(error),
                _ => {}
            }
        }
    }
    run.client.delete(info.kind, &info.namespace, &info.name, &delete_options(false))
}
