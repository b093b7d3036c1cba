//! `portcullis who-can` and `portcullis access`: what RBAC grants, to whom, and by which lines.

use std::io::{self, BufWriter, Write};

use portcullis_core::authorization::rbac::Grant;
use portcullis_core::manifest::{Location, Map, Value, json};
use portcullis_core::request::RequestInfo;

use crate::{Usage, cluster};

const OPTIONS: &[&str] = &["release", "cluster", "flags", "namespace", "subject", "output"];

/// Lists the subjects that may do `VERB` to `RESOURCE`, or to the object `NAME`.
pub fn who_can(words: &[String]) -> Result<bool, Usage> {
    let (operands, mut given) = crate::parse(words, OPTIONS)?;
    let (verb, resource, name) = match operands[..] {
        [verb, resource] => (verb, resource, ""),
        [verb, resource, name] => (verb, resource, name),
        _ => return Err(Usage("who-can needs a verb, a resource (or a path), and may have a name".to_owned())),
    };
    given.insert(0, ("flags", "--authorization-mode=RBAC"));
    let server = cluster::start(&given, &[])?;
    let namespace = last(&given, "namespace").unwrap_or_default();
    let request = if resource.starts_with('/') {
        RequestInfo { verb: verb.to_owned(), path: resource.to_owned(), ..RequestInfo::default() }
    } else {
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let (resource, group) = match resource.split_once('.') {
            Some((resource, group)) => (resource, group),
            // The first group that serves it, as kubectl resolves a plain name.
            None => {
                let served = server.cluster().release.resources().iter().find(|served| served.resource == resource);
                (resource, served.map_or("", |served| served.group))
            }
        };
        RequestInfo {
            is_resource_request: true,
            verb: verb.to_owned(),
            api_group: group.to_owned(),
            resource: resource.to_owned(),
            subresource: subresource.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            ..RequestInfo::default()
        }
    };
    print(server.cluster().authorizers.informers().rbac().who_can(&request), &given)
}

/// Lists what every subject may do, or the one of `--subject`.
pub fn access(words: &[String]) -> Result<bool, Usage> {
    let (files, mut given) = crate::parse(words, OPTIONS)?;
    given.insert(0, ("flags", "--authorization-mode=RBAC"));
    let server = cluster::start(&given, &files)?;
    let namespace = last(&given, "namespace");
    let there = |grant: &Grant<'_>| {
        namespace.is_none_or(|namespace| grant.namespace().is_empty() || grant.namespace() == namespace)
    };
    print(server.cluster().authorizers.informers().rbac().grants().filter(there), &given)
}

fn last<'a>(given: &[(&'static str, &'a str)], wanted: &str) -> Option<&'a str> {
    given.iter().rev().find(|(name, _)| *name == wanted).map(|(_, value)| *value)
}

fn print<'a>(grants: impl Iterator<Item = Grant<'a>>, given: &[(&'static str, &str)]) -> Result<bool, Usage> {
    let subject = last(given, "subject");
    let grants = grants.filter(|grant| subject.is_none_or(|subject| who(grant) == subject || grant.name() == subject));
    let mut output = BufWriter::new(io::stdout().lock());
    let written = match last(given, "output").unwrap_or("table") {
        "json" => grants.map(|grant| row(&grant)).try_for_each(|row| writeln!(output, "{}", json::to_string(&row))),
        "table" => table(&mut output, &grants.collect::<Vec<_>>()),
        other => return Err(Usage(format!("`{other}` is no form of output: table and json are"))),
    };
    match written.and_then(|()| output.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Usage(error.to_string())),
        _ => Ok(true),
    }
}

/// `jane`, `group ops`, `serviceaccount kube-system/kube-dns`.
fn who(grant: &Grant<'_>) -> String {
    match grant.kind() {
        "User" => grant.name().to_owned(),
        "Group" => format!("group {}", grant.name()),
        _ => format!("serviceaccount {}/{}", grant.subject_namespace(), grant.name()),
    }
}

fn table(output: &mut impl Write, grants: &[Grant<'_>]) -> io::Result<()> {
    let head = ["WHO", "WHERE", "VERBS", "WHAT", "BINDING", "RULE"].map(str::to_owned);
    let rows: Vec<[String; 6]> = std::iter::once(head).chain(grants.iter().map(cells)).collect();
    let mut widths = [0; 6];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    for row in &rows {
        let line: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        writeln!(output, "{}", line.join("  ").trim_end())?;
    }
    Ok(())
}

fn cells(grant: &Grant<'_>) -> [String; 6] {
    let rule = grant.granted;
    let mut what = if rule.resources.is_empty() { rule.non_resource_urls.join(",") } else { rule.resources.join(",") };
    let groups: Vec<&str> = rule.api_groups.iter().map(String::as_str).filter(|group| !group.is_empty()).collect();
    if !groups.is_empty() {
        what = format!("{what} ({})", groups.join(","));
    }
    if !rule.resource_names.is_empty() {
        what = format!("{what} named {}", rule.resource_names.join(","));
    }
    let scope = if grant.namespace().is_empty() { "everywhere" } else { grant.namespace() };
    [who(grant), scope.to_owned(), rule.verbs.join(","), what, place(&grant.binding()), place(&grant.rule())]
}

/// `cluster.yaml:12 ClusterRole/reader`; without a place for what the server made itself.
fn place(location: &Location) -> String {
    match &location.place {
        Some(place) => format!("{}:{} {}", place.file, place.line, location.object),
        None => location.object.clone(),
    }
}

fn row(grant: &Grant<'_>) -> Value {
    let mut row = Map::new();
    let mut add = |key: &str, value: Value| row.insert(key.to_owned(), value);
    add("kind", grant.kind().into());
    add("namespace", grant.subject_namespace().into());
    add("name", grant.name().into());
    add("scope", grant.namespace().into());
    add("rule", grant.granted.to_value());
    add("binding", location(&grant.binding()));
    add("role", location(&grant.rule()));
    Value::Object(row)
}

/// As in the report.
fn location(location: &Location) -> Value {
    let place = location.place.as_ref();
    let mut map = Map::new();
    map.insert("file".to_owned(), place.map_or("", |place| &*place.file).into());
    map.insert("line".to_owned(), place.map_or(0, |place| place.line).into());
    map.insert("endLine".to_owned(), place.map_or(0, |place| place.end_line).into());
    map.insert("object".to_owned(), location.object.as_str().into());
    map.insert("path".to_owned(), location.path.as_str().into());
    Value::Object(map)
}
