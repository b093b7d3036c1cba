//! `kubectl label`, `annotate` and `patch`.
//!
//! Behaviour: `pkg/kubectl/cmd/label.go`, `annotate.go` and `patch.go` of release 1.7.

use portcullis_core::apiserver::rest::names;
use portcullis_core::manifest::{Map, Value, json, yaml};
use portcullis_core::request::quote;
use portcullis_core::sort::SortedMap;

use super::Run;
use super::client::Error;
use super::resources::{Fetch, Info, Query, find_objects, wire};
use super::value::{at, metadata_map, set_metadata};

/// What a command line changes: the keys that it sets and those that it takes away.
struct Pairs {
    set: SortedMap<String, String>,
    remove: Vec<String>,
}

/// Arguments before the first `KEY=VALUE` or `KEY-` name objects.
fn split(arguments: &[String], what: &str) -> Result<(Vec<String>, Vec<String>), String> {
    let is_pair = |argument: &&String| argument.contains('=') || argument.ends_with('-');
    let count = arguments.iter().take_while(|argument| !is_pair(argument)).count();
    let (objects, pairs) = arguments.split_at(count);
    match pairs.iter().find(|argument| !is_pair(argument)) {
        Some(late) => Err(format!("all resources must be specified before {what} changes: {late}")),
        None => Ok((objects.to_vec(), pairs.to_vec())),
    }
}

/// `label`.
///
/// # Errors
///
/// As the server says, or what is wrong with the command line. So for all of these.
pub fn label(run: &mut Run<'_>) -> Result<(), Error> {
    let parsed = split(&run.flags.arguments, "label").and_then(|(objects, specs)| {
        let mut pairs = Pairs { set: SortedMap::new(), remove: Vec::new() };
        for spec in specs {
            match spec.split_once('=') {
                Some((_, value)) if value.contains('=') => return Err(format!("invalid label spec: {spec}")),
                Some((key, value)) => {
                    let wrong = names::label_value(value);
                    if !wrong.is_empty() {
                        return Err(format!("invalid label value: {}: {}", quote(&spec), wrong.join(";")));
                    }
                    pairs.set.insert(key.to_owned(), value.to_owned());
                }
                None => pairs.remove.push(spec.strip_suffix('-').unwrap_or(&spec).to_owned()),
            }
        }
        if pairs.remove.iter().any(|key| pairs.set.contains_key(key)) {
            return Err("can not both modify and remove a label in the same command".to_owned());
        }
        Ok((objects, pairs))
    });
    change(run, "label", "labels", parsed)
}

/// `annotate`.
///
/// # Errors
///
/// See above.
pub fn annotate(run: &mut Run<'_>) -> Result<(), Error> {
    let parsed = split(&run.flags.arguments, "annotation").and_then(|(objects, specs)| {
        let mut pairs = Pairs { set: SortedMap::new(), remove: Vec::new() };
        for spec in specs {
            match spec.split_once('=') {
                Some((key, value)) => drop(pairs.set.insert(key.to_owned(), value.to_owned())),
                None => pairs.remove.push(spec.strip_suffix('-').unwrap_or(&spec).to_owned()),
            }
        }
        let both: Vec<&str> =
            pairs.remove.iter().filter(|key| pairs.set.contains_key(*key)).map(String::as_str).collect();
        if !both.is_empty() {
            let both = both.join(", ");
            return Err(format!(
                "can not both modify and remove the following annotation(s) in the same command: {both}"
            ));
        }
        Ok((objects, pairs))
    });
    change(run, "annotate", "annotations", parsed)
}

fn change(
    run: &mut Run<'_>,
    command: &str,
    field: &'static str,
    parsed: Result<(Vec<String>, Pairs), String>,
) -> Result<(), Error> {
    let flags = run.flags;
    let (objects, pairs) = parsed.map_err(|message| Error::usage(command, &message))?;
    let what = if field == "labels" { "label" } else { "annotation" };
    if objects.is_empty() && !flags.given("filename") {
        let message = "one or more resources must be specified as <resource> <name> or <resource>/<name>";
        return Err(Error::usage(command, message));
    }
    if pairs.set.is_empty() && pairs.remove.is_empty() {
        return Err(Error::usage(command, &format!("at least one {what} update is required")));
    }
    let local = flags.is("local");
    let query = Query {
        arguments: &objects,
        all_of_type: flags.is("all"),
        ..Query::new(flags, run.stdin, if local { Fetch::Missing } else { Fetch::Latest })
    };
    let found = find_objects(&mut run.client, query)?;
    if !found.single && flags.given("resource-version") {
        return Err("--resource-version may only be used with a single resource".into());
    }
    let mut errors = Vec::new();
    for info in found.infos {
        errors.extend(change_one(run, info, field, &pairs).err());
    }
    errors.extend(found.errors);
    Error::collect(errors)
}

fn change_one(run: &mut Run<'_>, mut info: Info, field: &'static str, pairs: &Pairs) -> Result<(), Error> {
    let flags = run.flags;
    let labels = field == "labels";
    let send = !flags.is("dry-run") && !flags.is("local");
    let old = info.object.clone();
    let path = format!("metadata.{field}");
    let existing = at(&old, &path).as_object();
    let has = |key: &String| existing.and_then(|map| map.get(key)).and_then(Value::as_str);
    if labels && send {
        for key in pairs.remove.iter().filter(|key| has(key).is_none()) {
            run.print(&format!("label {} not found.\n", quote(key)));
        }
    }
    if !flags.is("overwrite") {
        let taken: Vec<(&String, &str)> = pairs.set.keys().filter_map(|key| Some((key, has(key)?))).collect();
        if labels {
            let errors = taken.iter().map(|(key, value)| {
                Error::Text(format!("'{key}' already has a value ({value}), and --overwrite is false"))
            });
            Error::collect(errors.collect())?;
        } else if !taken.is_empty() {
            let taken: Vec<String> =
                taken.iter().map(|(key, value)| format!("'{key}' already has a value ({value})")).collect();
            let taken = taken.join("; ");
            return Err(format!("--overwrite is false but found the following declared annotation(s): {taken}").into());
        }
    }
    if let Some(map) = metadata_map(&mut info.object, field) {
        map.extend(pairs.set.iter().map(|(key, value)| (key.clone(), value.as_str().into())));
        for key in &pairs.remove {
            map.shift_remove(key);
        }
        if !labels && flags.is("record") {
            map.insert("kubernetes.io/change-cause".to_owned(), run.command().into());
        }
    }
    if flags.given("resource-version") {
        set_metadata(&mut info.object, "resourceVersion", flags.text("resource-version").into());
    }
    let changed = wire(&old) != wire(&info.object);
    if send {
        let patch = json::to_string(&super::value::sorted(&difference(&old, &info.object).into()));
        let content_type = "application/merge-patch+json";
        info.object =
            run.client.patch(info.kind, &info.namespace, &info.name, content_type, &patch, info.origin.clone())?;
    }
    if !run.print_object(&info.object, false)? {
        let done = match (labels, changed || !send) {
            (true, true) => "labeled",
            (true, false) => "not labeled",
            (false, _) => "annotated",
        };
        run.done(info.kind, &info.name, done);
    }
    Ok(())
}

/// The merge patch from `old` to `new`.
fn difference(old: &Value, new: &Value) -> Map<String, Value> {
    let mut patch = Map::new();
    let empty = Map::new();
    let (old, new) = (old.as_object().unwrap_or(&empty), new.as_object().unwrap_or(&empty));
    for (key, value) in new {
        match (old.get(key), value) {
            (Some(before), after) if before == after => {}
            (Some(before @ Value::Object(_)), after @ Value::Object(_)) => {
                patch.insert(key.clone(), difference(before, after).into());
            }
            (_, after) => drop(patch.insert(key.clone(), after.clone())),
        }
    }
    patch.extend(old.keys().filter(|key| !new.contains_key(*key)).map(|key| (key.clone(), Value::Null)));
    patch
}

/// `patch`.
///
/// # Errors
///
/// See above.
pub fn patch(run: &mut Run<'_>) -> Result<(), Error> {
    let flags = run.flags;
    if flags.is("local") {
        return Err("--local is not supported here".into());
    }
    let kind = flags.text_or("type", "strategic").to_ascii_lowercase();
    let content_type = match kind.as_str() {
        "strategic" => "application/strategic-merge-patch+json",
        "merge" => "application/merge-patch+json",
        "json" => "application/json-patch+json",
        _ => {
            let message = format!("--type must be one of [json merge strategic], not {}", quote(&kind));
            return Err(Error::usage("patch", &message));
        }
    };
    let given = flags.text("patch");
    if given.is_empty() {
        return Err(Error::usage("patch", "Must specify -p to patch"));
    }
    let body = if given.trim_start().starts_with('{') {
        given.to_owned()
    } else {
        let value = yaml::parse(given).map_err(|error| format!("unable to parse {}: {error}", quote(given)))?;
        json::to_string(&value)
    };
    let query = Query::new(flags, run.stdin, Fetch::Missing);
    let found = find_objects(&mut run.client, query)?;
    let mut errors = found.errors;
    if found.infos.is_empty() && errors.is_empty() {
        return Err("no objects passed to patch".into());
    }
    for info in found.infos {
        match run.client.patch(info.kind, &info.namespace, &info.name, content_type, &body, info.origin.clone()) {
            Ok(patched) => {
                if !run.print_object(&patched, false)? {
                    let done = if wire(&patched) == wire(&info.object) { "not patched" } else { "patched" };
                    run.done(info.kind, &info.name, done);
                }
            }
            Err(error) => errors.push(error),
        }
    }
    Error::collect(errors)
}
