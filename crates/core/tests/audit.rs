//! Recorded audit policies, requests, events and logs: what the server leaves must be equal, line by line.

use std::fmt::Write as _;
use std::fs;

use portcullis_core::apiserver::{File, Files, Server};
use portcullis_core::manifest::{self, Value, json};
use portcullis_core::release::Release;
use portcullis_core::request::Request;
use portcullis_core::storage::Store;
use portcullis_core::world::World;

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors/1.7/audit");

/// What one run of a recorded directory left, placeholders put in: events, and log lines.
fn replay(number: u8, flags: &str) -> (Vec<String>, Vec<String>) {
    let read = |name: &str| fs::read_to_string(format!("{VECTORS}/0{number}/{name}")).unwrap();
    let requests: Vec<Value> = read("requests.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let hook = "clusters: [{name: c, cluster: {server: 'http://127.0.0.1:9/'}}]\n\
                contexts: [{name: x, context: {cluster: c}}]\ncurrent-context: x\n";
    let texts =
        [("policy.yaml", read("policy.yaml")), ("hook.kubeconfig", hook.into()), ("tokens.csv", tokens(&requests))];
    let file = |text: &String| File { source: "vectors".into(), first_line: 1, text: text.as_str().into() };
    let files: Files = texts.iter().map(|(name, text)| ((*name).to_owned(), file(text))).collect();
    let mut flags: Vec<String> = flags.split_whitespace().map(str::to_owned).collect();
    flags.push("--token-auth-file=tokens.csv".into());
    let mut world = World::new("2026-11-23T05:51:50Z".parse().unwrap(), "audit");
    let release = Release::find("1.7").unwrap();
    let mut server = Server::start(release, &flags, &files, Store::default(), &mut world).unwrap();
    let cluster = read("cluster.yaml");
    let (documents, _) = manifest::parse(&"cluster.yaml".into(), 1, &cluster);
    let objects = documents.into_iter().flat_map(|document| manifest::objects(document).0).collect();
    assert_eq!(server.load(objects, &mut world), []);
    server.settle(&mut world);

    let (mut events, mut log) = (Vec::new(), Vec::new());
    for (index, request) in requests.iter().enumerate() {
        let text = |name: &str| request[name].as_str().unwrap_or_default();
        let headers = request["headers"].as_object().unwrap().iter();
        let mut headers: Vec<(String, String)> =
            headers.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect();
        if text("user") != "system:anonymous" {
            headers.push(("Authorization".into(), format!("Bearer {}", text("user"))));
        }
        let exchange = server.handle(
            Request {
                method: text("method").into(),
                uri: text("path").into(),
                headers,
                body: text("body").into(),
                source_ip: "127.0.0.1".into(),
                ..Request::default()
            },
            &mut world,
        );
        server.settle(&mut world);
        let delivered = server.take_audit().deliveries.len();
        assert_eq!(exchange.response.status, request["code"].as_u64().unwrap() as u16, "{number} {request}");
        let audited = exchange.audit.unwrap_or_else(|| panic!("{number} {request} is not audited"));
        for event in &audited.events {
            let value = json::parse(&event.json).unwrap();
            assert_eq!(json::to_string(&value), event.json, "the form is Go's");
            let id = value["auditID"].as_str().unwrap().to_owned();
            let mut text = json::to_string(&placeholders(value));
            for placeholder in ["uid", "rv", "server", "time"] {
                text = text.replace(&format!("\\u003c{placeholder}\\u003e"), &format!("<{placeholder}>"));
            }
            events.push(text.replace(&id, &format!("<uuid-{}>", index + 1)));
        }
        for line in &audited.log {
            let (_, rest) = line.split_once(' ').unwrap();
            let (start, rest) = rest.split_once("id=\"").unwrap();
            let (_, rest) = rest.split_once('"').unwrap();
            log.push(format!("<time> {start}id=\"<uuid-{}>\"{rest}", index + 1));
        }
        if flags.iter().any(|flag| flag.contains("webhook")) {
            assert_eq!(delivered, audited.events.len(), "a blocking webhook gets one event at a time");
        }
    }
    (events, log)
}

/// The token of a user is its name.
fn tokens(requests: &[Value]) -> String {
    let mut lines: Vec<String> = Vec::new();
    for request in requests {
        let groups: Vec<&str> =
            request["groups"].as_array().unwrap().iter().map(|group| group.as_str().unwrap()).collect();
        let user = request["user"].as_str().unwrap();
        lines.push(format!("{user},{user},,\"{}\"\n", groups.join(",")));
    }
    lines.sort();
    lines.dedup();
    lines.concat()
}

/// What differs from run to run, as the recorder replaced it.
fn placeholders(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let replace = |(name, value): (String, Value)| {
                let value = match (name.as_str(), value) {
                    ("uid", Value::String(text)) if !text.is_empty() => "<uid>".into(),
                    ("resourceVersion", Value::String(text)) if !text.is_empty() => "<rv>".into(),
                    ("serverAddress", Value::String(_)) => "<server>".into(),
                    (_, Value::String(text)) if text.parse::<chrono::DateTime<chrono::Utc>>().is_ok() => {
                        "<time>".into()
                    }
                    (_, value) => placeholders(value),
                };
                (name, value)
            };
            Value::Object(members.into_iter().map(replace).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(placeholders).collect()),
        scalar => scalar,
    }
}

fn differences(what: &str, number: u8, actual: &[String], out: &mut String) -> usize {
    let expected = fs::read_to_string(format!("{VECTORS}/0{number}/{what}")).unwrap();
    let expected: Vec<&str> = expected.lines().collect();
    for at in 0..expected.len().max(actual.len()) {
        let (expected, actual) = (expected.get(at).copied(), actual.get(at).map(String::as_str));
        if expected != actual {
            let _ = writeln!(
                out,
                "0{number}/{what}:{}\n  - {}\n  + {}",
                at + 1,
                expected.unwrap_or(""),
                actual.unwrap_or("")
            );
        }
    }
    expected.len()
}

#[test]
fn events_and_logs_are_those_of_the_real_server() {
    if !fs::exists(VECTORS).unwrap() {
        return println!("skipped: no vectors at {VECTORS}");
    }
    let (mut out, mut lines) = (String::new(), 0);
    for number in 1..=8 {
        let flags = fs::read_to_string(format!("{VECTORS}/0{number}/flags.txt")).unwrap();
        let (events, log) = replay(number, &flags);
        lines += differences("events.jsonl", number, &events, &mut out);
        lines += differences("log.txt", number, &log, &mut out);
    }
    for number in [1, 4, 7] {
        let (_, log) = replay(number, "--authorization-mode=RBAC --audit-log-path=audit.log");
        lines += differences("basic.txt", number, &log, &mut out);
    }
    assert!(out.is_empty(), "{} of {lines} lines differ:\n{out}", out.matches("\n  - ").count());
    println!("{lines} lines");
}
