//! The registry against recorded writes: what was posted, and what a GET showed right after.

use std::collections::HashMap;
use std::fs;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::*;
use crate::authorization::{Authorizers, Mode};
use crate::release::Release;
use crate::storage::Store;

fn world() -> World {
    World::new(DateTime::parse_from_rfc3339("2026-11-23T06:35:53Z").unwrap().with_timezone(&Utc), "seed")
}

fn cluster(world: &mut World) -> Cluster {
    let release = Release::find("1.7").unwrap();
    let authorizers = Authorizers::new(release, &[Mode::AlwaysAllow], None);
    Cluster::new(release, Store::default(), authorizers, Vec::new(), world)
}

fn admin() -> User {
    User { name: "admin".into(), groups: vec!["system:masters".into()], ..User::default() }
}

/// Sends one request to `api_version` `resource`, as the router would.
fn send(
    cluster: &mut Cluster,
    world: &mut World,
    method: &str,
    target: (&ResourceType, &str, &str, &str),
    content_type: &str,
    body: &Value,
) -> Answer {
    let (resource, namespace, name, subresource) = target;
    let info = RequestInfo {
        is_resource_request: true,
        api_group: resource.group.into(),
        api_version: resource.version.into(),
        namespace: namespace.into(),
        resource: resource.resource.into(),
        subresource: subresource.into(),
        name: name.into(),
        ..RequestInfo::default()
    };
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let user = admin();
    let call = Call { resource, info: &info, method, user: &user, query: &[], content_type, body: &body, origin: None };
    handle(cluster, world, &call)
}

/// Takes out what another run would show otherwise.
fn comparable(mut object: Value) -> Value {
    for key in ["uid", "resourceVersion", "creationTimestamp", "deletionTimestamp"] {
        if let Some(value) = object["metadata"].get_mut(key) {
            *value = json!("*");
        }
    }
    if object["kind"] == "Job" {
        for labels in ["/spec/selector/matchLabels", "/spec/template/metadata/labels"] {
            object.pointer_mut(labels).unwrap()["controller-uid"] = json!("*");
        }
    }
    if object["kind"] == "Service" && object["spec"]["clusterIP"] != "None" {
        object["spec"].as_object_mut().unwrap().shift_remove("clusterIP");
        for port in object["spec"]["ports"].as_array_mut().into_iter().flatten() {
            port.as_object_mut().unwrap().shift_remove("nodePort");
        }
    }
    object
}

#[test]
fn every_recorded_write_leaves_what_was_recorded() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors/1.7/etcd/values.jsonl");
    let Ok(vectors) = fs::read_to_string(path) else { return println!("skipped: no vectors") };
    let mut world = world();
    let mut cluster = cluster(&mut world);
    let release = cluster.release;
    let mut differences = Vec::new();
    let mut keys: HashMap<String, Value> = HashMap::new();
    for (line, vector) in vectors.lines().enumerate() {
        let vector: Value = serde_json::from_str(vector).unwrap();
        let (how, recorded, key) =
            (vector["how"].as_str().unwrap(), &vector["object"], vector["key"].as_str().unwrap());
        let resource =
            release.resource_of(recorded["apiVersion"].as_str().unwrap(), recorded["kind"].as_str().unwrap()).unwrap();
        let (namespace, name) = (text(recorded, "metadata.namespace"), text(recorded, "metadata.name"));
        let mut posted = vector["posted"].clone();
        if let Some(current) = keys.get(key) {
            for member in ["uid", "resourceVersion"] {
                if posted["metadata"].get(member).is_some() {
                    posted["metadata"][member] = current["metadata"][member].clone();
                }
            }
        }
        let (method, subresource, content_type) = match how {
            "create" => ("POST", "", "application/json"),
            "update" => ("PUT", "", "application/json"),
            "update status" => ("PUT", "status", "application/json"),
            "merge patch" => ("PATCH", "", "application/merge-patch+json"),
            _ => ("DELETE", "", ""),
        };
        let target = (resource, namespace, if how == "create" { "" } else { name }, subresource);
        let answer = send(&mut cluster, &mut world, method, target, content_type, &posted);
        if let Err(status) = &answer.result {
            differences.push(format!("line {}: {how} {key}: {}", line + 1, status.message));
            continue;
        }
        // A generated name is not the recorded one.
        let (_, written) = answer.result.unwrap();
        let name = match how {
            "create" => text(&written, "metadata.name").to_owned(),
            _ => name.to_owned(),
        };
        let read = send(&mut cluster, &mut world, "GET", (resource, namespace, &name, ""), "", &Value::Null);
        let (_, read) = read.result.unwrap();
        keys.insert(key.to_owned(), read.clone());
        let (one, other) = (comparable(read).to_string(), comparable(recorded.clone()).to_string());
        if one != other {
            let at = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
            let show = |text: &str| text.chars().skip(at.saturating_sub(60)).take(160).collect::<String>();
            differences.push(format!("line {}: {how} {key}\n  {}\n  {}", line + 1, show(&one), show(&other)));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
