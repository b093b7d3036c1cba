//! Objects of files sent to the server: `create -f`, `apply -f`, `replace -f`.
//!
//! Behaviour: `pkg/kubectl/cmd/create.go`, `apply.go` and `replace.go`, and the three-way merge of
//! `apimachinery/pkg/util/strategicpatch` of release 1.7.

use portcullis_core::apiserver::rest::patch::merge_key;
use portcullis_core::manifest::{Map, Value, json, yaml};
use portcullis_core::request::quote;

use super::Run;
use super::client::Error;
use super::create::LAST_APPLIED;
use super::delete::{delete_options, stop};
use super::resources::{Fetch, Found, Info, Query, find_objects, get, wire};
use super::value::{at, metadata_map, set_metadata, text};

const CHANGE_CAUSE: &str = "kubernetes.io/change-cause";

/// How often `apply` sends a patch anew that met another version of the object.
const RETRIES: usize = 5;

/// The objects of `-f`.
fn of_files(run: &mut Run<'_>, command: &str) -> Result<Found, Error> {
    if !run.flags.arguments.is_empty() {
        return Err(Error::usage(command, &format!("Unexpected args: [{}]", run.flags.arguments.join(" "))));
    }
    let query = Query {
        arguments: &[],
        validate: run.flags.is_not_off("validate"),
        ..Query::new(run.flags, run.stdin, Fetch::Missing)
    };
    find_objects(&mut run.client, query)
}

/// The annotation of an object, or `""`.
fn annotation<'a>(object: &'a Value, key: &str) -> &'a str {
    at(object, "metadata.annotations").get(key).and_then(Value::as_str).unwrap_or("")
}

fn annotate(object: &mut Value, key: &str, value: String) {
    if let Some(annotations) = metadata_map(object, "annotations") {
        annotations.insert(key.to_owned(), value.into());
    }
}

/// What `apply` remembers of an object: the object without that memory.
fn remembered(object: &Value) -> String {
    let mut object = object.clone();
    if let Some(annotations) = metadata_map(&mut object, "annotations") {
        annotations.shift_remove(LAST_APPLIED);
    }
    wire(&object)
}

/// Writes down what kubectl keeps in annotations: the configuration where it is kept already or `--save-config` asks for
/// it, and the command with `--record`.
fn keep(run: &Run<'_>, info: &mut Info) {
    if run.flags.is("save-config") || !annotation(&info.object, LAST_APPLIED).is_empty() {
        let sent = remembered(&info.object);
        annotate(&mut info.object, LAST_APPLIED, sent);
    }
    let has_cause = !annotation(&info.object, CHANGE_CAUSE).is_empty();
    if run.flags.is("record") || (has_cause && !run.flags.given("record")) {
        annotate(&mut info.object, CHANGE_CAUSE, run.command());
    }
}

fn post(run: &mut Run<'_>, info: &mut Info) -> Result<(), Error> {
    if !text(&info.object, "metadata.resourceVersion").is_empty() {
        set_metadata(&mut info.object, "resourceVersion", "".into());
    }
    info.object = run.client.create(info.kind, &info.namespace, &info.body(), info.origin.clone())?;
    info.name = text(&info.object, "metadata.name").to_owned();
    Ok(())
}

/// Does `each` to every object, and gathers what went wrong.
fn for_each(
    run: &mut Run<'_>,
    found: Found,
    doing: &str,
    each: fn(&mut Run<'_>, &mut Info) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut errors = Vec::new();
    let mut any = false;
    for mut info in found.infos {
        any = true;
        errors.extend(each(run, &mut info).err());
    }
    errors.extend(found.errors);
    if !any && errors.is_empty() {
        return Err(format!("no objects passed to {doing}").into());
    }
    Error::collect(errors)
}

const CREATE_HELP: &str = "Create a resource by filename or stdin.

JSON and YAML formats are accepted.

Usage:
  kubectl create -f FILENAME [options]";

/// `create -f`.
///
/// # Errors
///
/// As the server says, or what is wrong with the command line or the files. So for all of these.
pub fn create(run: &mut Run<'_>) -> Result<(), Error> {
    let words = run.flags.arguments.as_slice();
    match words {
        _ if run.flags.given("filename") => {}
        [] => {
            // Its help, from which examples and options are left out here.
            run.warn(CREATE_HELP);
            return Ok(());
        }
        [word, ..] if word == "secret" || super::contains(super::UNMADE, word) => {
            return Err(format!("kubectl create {word} is not supported here").into());
        }
        words => {
            let words = quote(&words.join(" "));
            return Err(Error::usage("create", &format!("unknown command {words}")));
        }
    }
    if run.flags.is("edit") {
        return Err("--edit is not supported here".into());
    }
    let found = of_files(run, "create")?;
    for_each(run, found, "create", |run, info| {
        keep(run, info);
        if !run.flags.is("dry-run") {
            post(run, info).map_err(|error| error.of_source("creating", &info.source))?;
        }
        if !run.print_object(&info.object, false)? {
            run.done(info.kind, &info.name, "created");
        }
        Ok(())
    })
}

/// `replace -f`.
///
/// # Errors
///
/// See above.
pub fn replace(run: &mut Run<'_>) -> Result<(), Error> {
    check_output(run, "replace")?;
    let force = run.flags.is("force");
    if !force && run.flags.given("grace-period") {
        return Err("--grace-period must have --force specified".into());
    }
    if !force && run.flags.given("timeout") {
        return Err("--timeout must have --force specified".into());
    }
    if !run.flags.given("filename") {
        return Err(Error::usage("replace", "Must specify --filename to replace"));
    }
    let found = of_files(run, "replace")?;
    if force {
        for info in &found.infos {
            match run.client.delete(info.kind, &info.namespace, &info.name, &delete_options(true)) {
                Ok(()) => run.done(info.kind, &info.name, "deleted"),
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error.of_source("deleting", &info.source)),
            }
        }
        // kubectl polls until the garbage collector is done with them.
        run.client.wait();
        return for_each(run, found, "replace", |run, info| {
            keep(run, info);
            post(run, info)?;
            run.done(info.kind, &info.name, "replaced");
            Ok(())
        });
    }
    for_each(run, found, "replace", |run, info| {
        keep(run, info);
        put(run, info).map_err(|error| error.of_source("replacing", &info.source))?;
        run.done(info.kind, &info.name, "replaced");
        Ok(())
    })
}

fn put(run: &mut Run<'_>, info: &mut Info) -> Result<(), Error> {
    if text(&info.object, "metadata.resourceVersion").is_empty()
        && let Ok(current) = run.client.get(info.kind, &info.namespace, &info.name)
    {
        let version = text(&current, "metadata.resourceVersion").to_owned();
        set_metadata(&mut info.object, "resourceVersion", version.into());
    }
    run.client.replace(info.kind, &info.namespace, &info.name, &info.body(), info.origin.clone()).map(|_| ())
}

/// That commands which change objects print nothing but `-o name`.
pub fn check_output(run: &Run<'_>, command: &str) -> Result<(), Error> {
    match run.flags.text("output") {
        "" | "name" => Ok(()),
        mode => {
            let message = format!("Unexpected -o output mode: {mode}. We only support '-o name'.");
            Err(Error::usage(command, &message))
        }
    }
}

/// `apply -f`.
///
/// # Errors
///
/// See above.
pub fn apply(run: &mut Run<'_>) -> Result<(), Error> {
    if run.flags.is("prune") {
        return Err("--prune is not supported here: delete what is to go".into());
    }
    let found = of_files(run, "apply")?;
    for_each(run, found, "apply", |run, info| {
        if run.flags.is("record") {
            annotate(&mut info.object, CHANGE_CAUSE, run.command());
        }
        let sent = remembered(&info.object);
        let mut modified = info.object.clone();
        annotate(&mut modified, LAST_APPLIED, sent);
        let current = match get(&mut run.client, info.kind, &info.namespace, &info.name, false) {
            Ok(current) => Some(current),
            Err(error) if error.is_not_found() => None,
            Err(error @ Error::Status(_)) => {
                let shown = go_print(info, &info.object);
                let doing = format!("retrieving current configuration of:\n{shown}\nfrom server for:");
                return Err(error.of_source(&doing, &info.source));
            }
            Err(error) => return Err(error),
        };
        let dry = run.flags.is("dry-run");
        let done = match current {
            None => {
                info.object = modified;
                if !dry {
                    post(run, info).map_err(|error| error.of_source("creating", &info.source))?;
                }
                "created"
            }
            Some(current) => {
                if !dry {
                    info.object = patch(run, info, &current, &modified)?;
                }
                "configured"
            }
        };
        if !run.print_object(&info.object, false)? {
            run.done(info.kind, &info.name, done);
        }
        Ok(())
    })
}

/// What kubectl's errors show of an object: Go's print of a structure that holds it, `newest` in the version that it came in
/// last. Where addresses stand, which are others in every run, one address stands here.
fn go_print(info: &Info, newest: &Value) -> String {
    const AT: &str = "0xc420000000";
    let (namespace, name, source) = (&info.namespace, &info.name, &info.source);
    let version = text(newest, "metadata.resourceVersion");
    format!("&{{{AT} {AT} {namespace} {name} {source} {AT} {AT} {version} false}}")
}

fn patch(run: &mut Run<'_>, info: &Info, current: &Value, modified: &Value) -> Result<Value, Error> {
    if annotation(current, LAST_APPLIED).is_empty() {
        run.warn(
            "Warning: kubectl apply should be used on resource created by either kubectl create --save-config or kubectl apply",
        );
    }
    let said = |error: Error, sent: &str| {
        let doing = format!("applying patch:\n{sent}\nto:\n{}\nfor:", go_print(info, current));
        error.of_source(&doing, &info.source)
    };
    let (mut sent, mut answer) = patch_once(run, info, current, modified);
    for _ in 0..RETRIES {
        if !matches!(&answer, Err(Error::Status(status)) if status.reason == "Conflict") {
            break;
        }
        let newer = run.client.get(info.kind, &info.namespace, &info.name).map_err(|error| said(error, ""))?;
        (sent, answer) = patch_once(run, info, &newer, modified);
    }
    if answer.is_err() && run.flags.is("force") {
        sent = wire(modified);
        answer = recreate(run, info, modified);
    }
    answer.map_err(|error| said(error, &sent))
}

/// Sends a patch; gives it and the answer.
fn patch_once(run: &mut Run<'_>, info: &Info, current: &Value, modified: &Value) -> (String, Result<Value, Error>) {
    let kept = annotation(current, LAST_APPLIED);
    let original = json::parse(kept).unwrap_or(Value::Null);
    let patch = three_way(info.kind.kind, &original, modified, current);
    if !run.flags.is_not_off("overwrite") {
        let theirs = three_way(info.kind.kind, &original, current, &original);
        if in_conflict(info.kind.kind, "", "", &patch, &theirs) {
            let (modified, current) = (wire(modified), wire(current));
            let doing =
                format!("creating patch with:\noriginal:\n{kept}\nmodified:\n{modified}\ncurrent:\n{current}\nfor:");
            let (patch, theirs) = (yaml::to_string(&patch), yaml::to_string(&theirs));
            let text = format!("patch:\n{patch}\nconflicts with changes made from original to current:\n{theirs}\n");
            return (String::new(), Err(Error::Text(text).of_source(&doing, &info.source)));
        }
    }
    let body = wire(&patch);
    let body = body.trim_end();
    let content_type = "application/strategic-merge-patch+json";
    let answer = run.client.patch(info.kind, &info.namespace, &info.name, content_type, body, info.origin.clone());
    (body.to_owned(), answer)
}

/// `--force`: what cannot be patched is deleted and made anew.
fn recreate(run: &mut Run<'_>, info: &Info, modified: &Value) -> Result<Value, Error> {
    let grace = run.flags.text_or("grace-period", "-1").parse().unwrap_or(-1);
    if run.flags.is_not_off("cascade") {
        stop(run, info, grace, "")?;
    } else {
        run.client.delete(info.kind, &info.namespace, &info.name, "")?;
    }
    run.client.wait();
    match run.client.get(info.kind, &info.namespace, &info.name) {
        Err(error) if error.is_not_found() => {}
        Err(error) => return Err(error),
        Ok(_) => return Err("timed out waiting for the condition".into()),
    }
    let mut object = modified.clone();
    if !text(&object, "metadata.resourceVersion").is_empty() {
        set_metadata(&mut object, "resourceVersion", "".into());
    }
    run.client.create(info.kind, &info.namespace, &wire(&object), info.origin.clone())
}

/// Whether two patches say different things of one field.
fn in_conflict(kind: &str, parent: &str, field: &str, one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            one.get("$patch") != other.get("$patch")
                || one.iter().any(|(key, value)| {
                    key != "$patch" && other.get(key).is_some_and(|there| in_conflict(kind, field, key, value, there))
                })
        }
        (Value::Array(one), Value::Array(other)) => match merge_key(kind, parent, field) {
            Some("") => false,
            Some(by) => one.iter().any(|element| {
                let same = other.iter().find(|candidate| candidate.get(by) == element.get(by));
                same.is_some_and(|there| in_conflict(kind, parent, field, element, there))
            }),
            None => {
                one.len() != other.len()
                    || one.iter().zip(other).any(|(one, other)| in_conflict(kind, parent, field, one, other))
            }
        },
        _ => one != other,
    }
}

/// The strategic merge patch that makes `current` what `modified` says, and takes away what `original` said and
/// `modified` does not.
fn three_way(kind: &str, original: &Value, modified: &Value, current: &Value) -> Value {
    let mut patch = changes(kind, "", current, modified);
    remove(kind, "", original, modified, &mut patch);
    patch.into()
}

/// What of `modified` is not so in `current`. What only `current` has stays.
fn changes(kind: &str, parent: &str, current: &Value, modified: &Value) -> Map<String, Value> {
    let mut patch = Map::new();
    for (key, wanted) in modified.as_object().into_iter().flatten() {
        let there = current.get(key).unwrap_or(&Value::Null);
        if wanted == there || wanted.is_null() {
            continue;
        }
        match (wanted, there, merge_key(kind, parent, key)) {
            (Value::Object(_), Value::Object(_), _) => {
                let inside = changes(kind, key, there, wanted);
                if !inside.is_empty() {
                    patch.insert(key.clone(), inside.into());
                }
            }
            (Value::Array(wanted), Value::Array(there), Some(by)) => {
                let elements = list_changes(kind, key, by, there, wanted);
                if !elements.is_empty() {
                    patch.insert(key.clone(), elements.into());
                }
            }
            _ => {
                patch.insert(key.clone(), wanted.clone());
            }
        }
    }
    patch
}

/// Elements of a merged list that are new or changed; a changed one comes with its key.
fn list_changes(kind: &str, field: &str, by: &str, there: &[Value], wanted: &[Value]) -> Vec<Value> {
    let mut elements = Vec::new();
    for element in wanted {
        let same = |candidate: &&Value| {
            if by.is_empty() { *candidate == element } else { candidate.get(by) == element.get(by) }
        };
        match there.iter().find(same) {
            None => elements.push(element.clone()),
            Some(_) if by.is_empty() => {}
            Some(old) => {
                let mut inside = changes(kind, field, old, element);
                if !inside.is_empty() {
                    inside.extend(element.get(by).map(|key| (by.to_owned(), key.clone())));
                    elements.push(inside.into());
                }
            }
        }
    }
    elements
}

/// Adds to `patch` what takes away the members of `original` that `modified` has no more.
fn remove(kind: &str, parent: &str, original: &Value, modified: &Value, patch: &mut Map<String, Value>) {
    for (key, was) in original.as_object().into_iter().flatten() {
        let Some(wanted) = modified.get(key) else {
            patch.insert(key.clone(), Value::Null);
            continue;
        };
        match (was, wanted, merge_key(kind, parent, key)) {
            (Value::Object(_), Value::Object(_), _) => {
                let mut inside = patch.get(key).and_then(Value::as_object).cloned().unwrap_or_default();
                remove(kind, key, was, wanted, &mut inside);
                if !inside.is_empty() {
                    patch.insert(key.clone(), inside.into());
                }
            }
            (Value::Array(was), Value::Array(wanted), Some(by)) if !by.is_empty() => {
                let mut elements = patch.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
                remove_elements(kind, key, by, was, wanted, &mut elements);
                if !elements.is_empty() {
                    patch.insert(key.clone(), elements.into());
                }
            }
            (Value::Array(was), Value::Array(wanted), Some(_)) => {
                let gone: Vec<Value> = was.iter().filter(|element| !wanted.contains(element)).cloned().collect();
                if !gone.is_empty() {
                    patch.insert(format!("$deleteFromPrimitiveList/{key}"), gone.into());
                }
            }
            _ => {}
        }
    }
}

fn remove_elements(kind: &str, field: &str, by: &str, was: &[Value], wanted: &[Value], elements: &mut Vec<Value>) {
    for old in was {
        let Some(key) = old.get(by) else { continue };
        let same = |candidate: &&Value| candidate.get(by) == Some(key);
        let Some(element) = wanted.iter().find(same) else {
            let gone = [("$patch".to_owned(), Value::from("delete")), (by.to_owned(), key.clone())];
            elements.push(Map::from_iter(gone).into());
            continue;
        };
        let place = elements.iter().position(|candidate| candidate.get(by) == Some(key));
        let mut inside =
            place.and_then(|place| elements.get(place)).and_then(Value::as_object).cloned().unwrap_or_default();
        remove(kind, field, old, element, &mut inside);
        if inside.is_empty() {
            continue;
        }
        inside.insert(by.to_owned(), key.clone());
        match place.and_then(|place| elements.get_mut(place)) {
            Some(element) => *element = inside.into(),
            None => elements.push(inside.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_three_way_patch_changes_and_removes_what_the_file_says_and_no_more() {
        let table = [
            // original, modified, current, patch
            (
                json!({"data": {"a": "1", "b": "2"}}),
                json!({"data": {"a": "1", "c": "3"}}),
                json!({"data": {"a": "1", "b": "2", "by-others": "x"}}),
                json!({"data": {"c": "3", "b": null}}),
            ),
            (
                json!(null),
                json!({"data": {"a": "1"}}),
                json!({"data": {"a": "2", "b": "2"}}),
                json!({"data": {"a": "1"}}),
            ),
            (json!({"rules": [1]}), json!({"rules": [2]}), json!({"rules": [1, 3]}), json!({"rules": [2]})),
            (json!({"x": 1}), json!({}), json!({"x": 1}), json!({"x": null})),
            (json!({"x": 1}), json!({"x": 1}), json!({"x": 1, "y": 2}), json!({})),
            // Lists with a merge key: the changed element with its key, the removed one by its key.
            (
                json!({"spec": {"containers": [{"name": "a", "image": "1"}, {"name": "b"}]}}),
                json!({"spec": {"containers": [{"name": "a", "image": "2"}]}}),
                json!({"spec": {"containers": [{"name": "a", "image": "1", "tty": true}, {"name": "b"}]}}),
                json!({"spec": {"containers": [{"image": "2", "name": "a"}, {"$patch": "delete", "name": "b"}]}}),
            ),
            (
                json!({"metadata": {"finalizers": ["a", "b"]}}),
                json!({"metadata": {"finalizers": ["b", "c"]}}),
                json!({"metadata": {"finalizers": ["a", "b"]}}),
                json!({"metadata": {"finalizers": ["c"], "$deleteFromPrimitiveList/finalizers": ["a"]}}),
            ),
        ];
        for (original, modified, current, patch) in table {
            assert_eq!(three_way("Pod", &original, &modified, &current), patch, "{original} {modified} {current}");
        }
    }
}
