//! `portcullis who-can` and `portcullis access`: what RBAC grants, to whom, and by which lines.

use std::io::{self, BufWriter, Write};

use portcullis_console::{access, report};
use portcullis_core::apiserver::Server;
use portcullis_core::authorization::rbac::Grant;
use portcullis_core::manifest::{Location, Value, json};
use portcullis_core::request::RequestInfo;

use crate::{Usage, cluster};

/// Lists the subjects that may do `VERB` to `RESOURCE`, or to the object `NAME`.
pub fn who_can(words: &[String]) -> Result<bool, Usage> {
    let (operands, given) = crate::parse(words, &["release", "cluster", "namespace", "output"])?;
    let (verb, resource, name) = match operands[..] {
        [verb, resource] => (verb, resource, ""),
        [verb, resource, name] => (verb, resource, name),
        _ => return Err(Usage("who-can needs a verb, a resource (or a path), and may have a name".to_owned())),
    };
    let server = start(&given, &[])?;
    let cluster = server.cluster();
    let namespace = last(&given, "namespace").unwrap_or_default();
    let asked = access::request(cluster.release, verb, namespace, resource);
    let request = RequestInfo { name: name.to_owned(), ..asked };
    print(cluster.authorizers.informers().rbac().who_can(&request), &given)
}

/// Lists what every subject may do, or the one of `--subject`.
pub fn access(words: &[String]) -> Result<bool, Usage> {
    let (files, given) = crate::parse(words, &["release", "cluster", "namespace", "subject", "output"])?;
    let server = start(&given, &files)?;
    let (namespace, subject) = (last(&given, "namespace"), last(&given, "subject"));
    let asked = |grant: &Grant<'_>| {
        namespace.is_none_or(|namespace| grant.namespace().is_empty() || grant.namespace() == namespace)
            && subject.is_none_or(|subject| access::who(grant) == subject || grant.name() == subject)
    };
    print(server.cluster().authorizers.informers().rbac().grants().filter(asked), &given)
}

fn start(given: &[(&'static str, &str)], files: &[&str]) -> Result<Server, Usage> {
    cluster::start(&[given, &[("flags", "--authorization-mode=RBAC")]].concat(), files)
}

fn last<'a>(given: &[(&'static str, &'a str)], wanted: &str) -> Option<&'a str> {
    given.iter().rev().find(|(name, _)| *name == wanted).map(|(_, value)| *value)
}

fn print<'a>(grants: impl Iterator<Item = Grant<'a>>, given: &[(&'static str, &str)]) -> Result<bool, Usage> {
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
        // `format!` pads to 65,535 columns and no further.
        let padded = |(cell, width): (&String, usize)| format!("{cell}{}", " ".repeat(width - cell.chars().count()));
        let line: Vec<String> = row.iter().zip(widths).map(padded).collect();
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
    [access::who(grant), scope.to_owned(), rule.verbs.join(","), what, place(&grant.binding()), place(&grant.rule())]
}

/// `cluster.yaml:12 ClusterRole/reader`; without a place for what the server made itself.
fn place(location: &Location) -> String {
    match &location.place {
        Some(place) => format!("{}:{} {}", place.file, place.line, location.object),
        None => location.object.clone(),
    }
}

fn row(grant: &Grant<'_>) -> Value {
    serde_json::json!({
        "kind": grant.kind(),
        "namespace": grant.subject_namespace(),
        "name": grant.name(),
        "scope": grant.namespace(),
        "rule": grant.granted.to_value(),
        "binding": report::location(&grant.binding()),
        "role": report::location(&grant.rule()),
    })
}
