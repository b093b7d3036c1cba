//! Recorded requests through the whole server: the audit events and the log lines are the real server's.

use std::fs;
use std::path::Path;
use std::rc::Rc;

use chrono::{TimeZone, Utc};

use super::{File, Files, Server};
use crate::manifest::{self, Value};
use crate::release::Release;
use crate::request::{Certificate, Request};
use crate::storage::Store;
use crate::vectors::vectors;
use crate::world::World;

const KUBECONFIG: &str = "kind: Config\napiVersion: v1\nclusters:\n- name: c\n  cluster: {server: \"http://127.0.0.1:1/\"}\n\
                          contexts:\n- name: x\n  context: {cluster: c}\ncurrent-context: x\n";

/// What a server with `flags` recorded of the requests of a directory: the webhook's items, and the log.
fn replay(directory: &Path, flags: &str) -> (Vec<String>, Vec<String>) {
    let read = |name: &str| fs::read_to_string(directory.join(name)).unwrap();
    let mut files = Files::new();
    for (name, text) in [("policy.yaml", read("policy.yaml")), ("hook.kubeconfig", KUBECONFIG.to_owned())] {
        files.insert(name.to_owned(), File { source: name.into(), first_line: 1, text: text.into() });
    }
    let mut world = World::new(Utc.with_ymd_and_hms(2017, 7, 2, 12, 0, 0).unwrap(), "audit");
    let flags: Vec<String> = flags.split_whitespace().map(str::to_owned).collect();
    let release = Release::find("1.7").unwrap();
    let mut server = Server::start(release, &flags, &files, Store::default(), &mut world).unwrap();
    let cluster: Rc<str> = "cluster.yaml".into();
    let (documents, _) = manifest::parse(&cluster, 1, &read("cluster.yaml"));
    let objects = documents.into_iter().flat_map(|document| manifest::objects(document).0).collect();
    server.load(objects, &mut world);
    server.settle(&mut world);
    server.take_audit();

    let mut log = Vec::new();
    let mut events = Vec::new();
    for (number, line) in (1..).zip(read("requests.jsonl").lines()) {
        let sent: Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| sent[name].as_str().unwrap_or("").to_owned();
        let strings = |value: &Value| {
            let items = value.as_array().into_iter().flatten();
            items.map(|item| item.as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        // The recorder's users came from a token file, where no groups are one without a name.
        let groups = Some(strings(&sent["groups"])).filter(|groups| !groups.is_empty());
        let organizations = groups.unwrap_or_else(|| vec![String::new()]);
        let certificate = Certificate { common_name: text("user"), organizations, ..Certificate::default() };
        let mut headers = Vec::new();
        for (name, value) in sent["headers"].as_object().unwrap() {
            match value {
                Value::Array(_) => headers.extend(strings(value).into_iter().map(|value| (name.clone(), value))),
                value => headers.push((name.clone(), value.as_str().unwrap().to_owned())),
            }
        }
        let request = Request {
            method: text("method"),
            uri: text("path"),
            headers,
            body: text("body").into_bytes(),
            certificate: Some(certificate).filter(|certificate| certificate.common_name != "system:anonymous"),
            source_ip: "127.0.0.1".to_owned(),
            insecure: false,
            origin: None,
        };
        let exchange = server.handle(request, &mut world);
        assert_eq!(
            u64::from(exchange.response.status),
            sent["code"].as_u64().unwrap(),
            "{directory:?} {number}: {line}"
        );
        let uuid = format!("<uuid-{number}>");
        log.extend(server.take_audit().log.lines().map(|line| mask(line, &uuid)));
        for event in exchange.audit.into_iter().flat_map(|audit| audit.events) {
            events.push(mask(&event.json, &uuid));
        }
        server.settle(&mut world);
        server.take_audit();
    }
    (events, log)
}

/// Replaces what differs from one run to the next, as the recorder did.
fn mask(text: &str, uuid: &str) -> String {
    let mut masked = text.to_owned();
    for (before, instead) in [
        ("\"auditID\":\"", uuid),
        ("AUDIT: id=\"", uuid),
        ("\"uid\":\"", "<uid>"),
        ("\"resourceVersion\":\"", "<rv>"),
        ("\"serverAddress\":\"", "<server>"),
    ] {
        let mut parts = masked.split(before);
        let mut joined = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (_, rest) = part.split_once('"').unwrap();
            joined.extend([before, instead, "\"", rest]);
        }
        masked = joined;
    }
    for time in ["2017-07-02T12:00:00.000000000Z", "2017-07-02T12:00:00.000000Z", "2017-07-02T12:00:00Z"] {
        masked = masked.replace(time, "<time>");
    }
    masked
}

/// One line per difference.
fn compare(what: &str, expected: &str, actual: &[String], differences: &mut Vec<String>) {
    let expected: Vec<&str> = expected.lines().collect();
    for (number, (expected, actual)) in expected.iter().zip(actual).enumerate() {
        if expected != actual {
            differences.push(format!("{what}:{}\n  {expected}\n  {actual}", number + 1));
        }
    }
    if expected.len() != actual.len() {
        differences.push(format!("{what}: {} lines instead of {}", actual.len(), expected.len()));
    }
}

#[test]
fn events_and_lines_are_as_recorded() {
    let mut differences = Vec::new();
    for directory in fs::read_dir(vectors("audit")).unwrap() {
        let directory = directory.unwrap().path();
        let name = directory.file_name().unwrap().to_string_lossy().into_owned();
        let read = |file: &str| fs::read_to_string(directory.join(file));
        let (events, log) = replay(&directory, &read("flags.txt").unwrap());
        compare(&format!("{name}/events.jsonl"), &read("events.jsonl").unwrap(), &events, &mut differences);
        compare(&format!("{name}/log.txt"), &read("log.txt").unwrap(), &log, &mut differences);
        if let Ok(basic) = read("basic.txt") {
            let (_, log) = replay(&directory, "--authorization-mode=RBAC --audit-log-path=audit.log");
            compare(&format!("{name}/basic.txt"), &basic, &log, &mut differences);
        }
    }
    assert!(differences.is_empty(), "{} differences\n{}", differences.len(), differences.join("\n"));
}
