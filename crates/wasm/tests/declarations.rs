//! The TypeScript declarations and the report agree, member by member.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::panic, reason = "a test says so when it fails")]

use std::collections::BTreeMap;

use portcullis_console::Engine;
use portcullis_console::report::{
    Admission, Attributes, AuditEvent, AuditTrail, Audited, Authorization, Authorizer, Because, Bytes, Delivery,
    Diagnostic, Edge, Exchange, File, Graph, Inspection, InspectionFailure, Location, NearMiss, Part, Report, Request,
    Response, Review, Rule, Step, Stored, User, VERSION, Vertex, Write,
};
use serde_json::Value;

/// Interface by name, member by name: its type, and whether it may be absent.
type Interfaces = BTreeMap<String, BTreeMap<String, (String, bool)>>;

#[test]
fn every_member_is_declared_with_its_type() {
    let interfaces = interfaces(include_str!("../src/report.d.ts"));
    let report = serde_json::to_value(full()).unwrap();
    let mut seen = Vec::new();
    check(&interfaces, &report, "Report", "Report", &mut seen);
    let inspection = Inspection {
        key: Some("x".to_owned()),
        provider: "x".to_owned(),
        key_name: "x".to_owned(),
        stale: true,
        yaml: "x".to_owned(),
        stored: bytes(),
        failure: Some(InspectionFailure { step: "decrypt", error: "x".to_owned(), usually: "x".to_owned() }),
    };
    let inspection = serde_json::to_value(inspection).unwrap();
    check(&interfaces, &inspection, "Inspection", "Inspection", &mut seen);
    let document = "```sh\nkubectl create role r --verb=get --resource=secrets --resource-name=tls\nkubectl create rolebinding b --role=r --user=u\n```\n";
    let access =
        portcullis_console::access::access(&mut Engine::default(), ("x.md", document), "default", "u", "secrets");
    check(&interfaces, &serde_json::to_value(access).unwrap(), "Access", "Access", &mut seen);
    let asked =
        portcullis_console::audit::answers(
            "rules: [{level: Request}]",
            1,
            "GET /api/v1/pods\nGET",
            &|_| Ok(Vec::new()),
        )
        .unwrap();
    check(&interfaces, &serde_json::to_value(asked).unwrap(), "Asked[]", "Asked", &mut seen);
    // Nothing is declared that the report does not have.
    for (interface, members) in &interfaces {
        for member in members.keys() {
            assert!(seen.contains(&format!("{interface}.{member}")), "{interface}.{member} is in no report");
        }
    }
}

#[test]
fn a_disagreement_is_found() {
    let declared = "interface Report {\n  a: number;\n  b?: string[];\n}\n";
    let rows = [
        (r#"{"a": 1}"#, true),
        (r#"{"a": 1, "b": ["x"]}"#, true),
        (r#"{"b": []}"#, false),
        (r#"{"a": "1"}"#, false),
        (r#"{"a": 1, "b": [1]}"#, false),
        (r#"{"a": 1, "c": 1}"#, false),
    ];
    for (json, agrees) in rows {
        let value: Value = serde_json::from_str(json).unwrap();
        let checked = std::panic::catch_unwind(|| {
            check(&interfaces(declared), &value, "Report", "Report", &mut Vec::new());
        });
        assert_eq!(checked.is_ok(), agrees, "{json}");
    }
}

fn interfaces(declarations: &str) -> Interfaces {
    let mut interfaces = Interfaces::new();
    let mut name = String::new();
    for line in declarations.lines() {
        let words = line.trim_start_matches("export ").strip_prefix("interface ");
        if let Some(interface) = words.and_then(|words| words.strip_suffix(" {")) {
            name = interface.to_owned();
        } else if let Some((member, of)) = line.strip_suffix(';').and_then(|line| line.trim().split_once(": ")) {
            let optional = member.ends_with('?');
            let member = member.trim_end_matches('?').to_owned();
            interfaces.entry(name.clone()).or_default().insert(member, (of.to_owned(), optional));
        }
    }
    interfaces
}

fn check(interfaces: &Interfaces, value: &Value, of: &str, path: &str, seen: &mut Vec<String>) {
    if let Some(element) = of.strip_suffix("[]") {
        for value in value.as_array().unwrap_or_else(|| panic!("{path} is no array")) {
            check(interfaces, value, element, path, seen);
        }
    } else if let Some(tuple) = of.strip_prefix('[').and_then(|of| of.strip_suffix(']')) {
        let values = value.as_array().unwrap_or_else(|| panic!("{path} is no tuple"));
        let of: Vec<&str> = tuple.split(", ").collect();
        assert_eq!(values.len(), of.len(), "{path}");
        for (value, of) in values.iter().zip(of) {
            check(interfaces, value, of, path, seen);
        }
    } else if let Some(members) = interfaces.get(of) {
        let object = value.as_object().unwrap_or_else(|| panic!("{path} is no object"));
        for (name, (_, optional)) in members {
            assert!(*optional || object.contains_key(name), "{path}.{name} is declared and absent");
        }
        for (name, value) in object {
            let (member, _) = members.get(name).unwrap_or_else(|| panic!("{path}.{name} is not declared"));
            seen.push(format!("{of}.{name}"));
            check(interfaces, value, member, &format!("{path}.{name}"), seen);
        }
    } else {
        let fits = match of {
            "number" => value.is_number(),
            "boolean" => value.is_boolean(),
            "string" | "Verdict" => value.is_string(),
            _ => value.is_string() && of.split(" | ").any(|literal| *value == *literal.trim_matches('"')),
        };
        assert!(fits, "{path}: {value} is no {of}");
    }
}

fn bytes() -> Bytes {
    let text = || "x".to_owned();
    let parts = || vec![Part { from: 0, to: 1, what: text() }];
    Bytes { value: text(), parts: parts(), plain: Some(text()), plain_parts: parts() }
}

/// A report in which nothing is absent and nothing is empty.
fn full() -> Report {
    let text = || "x".to_owned();
    let location = || Location { file: text(), line: 1, end_line: 2, object: text(), path: text() };
    let pairs = || vec![(text(), text())];
    let authorizer = Authorizer {
        authorizer: "RBAC",
        verdict: "Allow",
        reason: text(),
        because: vec![Because { message: text(), location: location(), edge: Some((text(), text())) }],
        nearest: vec![NearMiss { failed: "verb", message: text(), location: location(), rule: Some(location()) }],
    };
    let attributes = || Attributes {
        verb: text(),
        resource_request: true,
        path: text(),
        api_group: text(),
        api_version: text(),
        namespace: text(),
        resource: text(),
        subresource: text(),
        name: text(),
    };
    let authorization = Authorization { verdict: "Allow", reason: text(), steps: vec![authorizer] };
    let exchange = Exchange {
        request: Request { method: text(), uri: text(), headers: pairs(), body: text() },
        summary: text(),
        attributes: Some(attributes()),
        user: Some(User {
            name: text(),
            uid: text(),
            groups: vec![text()],
            extra: vec![(text(), vec![text()])],
            authenticator: text(),
            impersonated_by: Some(text()),
            notes: vec![text()],
        }),
        review: Some(Review {
            user: text(),
            groups: vec![text()],
            attributes: attributes(),
            authorization: authorization.clone(),
        }),
        impersonation: vec![authorization.clone()],
        authorization: Some(authorization),
        admission: vec![Admission {
            plugin: "NodeRestriction",
            admitted: true,
            message: text(),
            because: vec![Because { message: text(), location: location(), edge: Some((text(), text())) }],
        }],
        response: Response { status: 200, headers: pairs(), body: text() },
        audit: vec![AuditEvent { stage: "ResponseComplete", event: text() }],
        audited: Some(Audited { level: "Metadata", rule: Some(location()), log: vec![text()] }),
        etcd: vec![Write { key: text(), revision: 1, put: true, stored: Some(bytes()) }],
    };
    let step = Step {
        command: text(),
        line: 1,
        end_line: 1,
        output: text(),
        status: 0,
        expected: Some(text()),
        matched: Some(true),
        exchanges: vec![exchange],
    };
    Report {
        version: VERSION,
        title: text(),
        release: text(),
        files: vec![File { name: text(), line: 1, end_line: 1 }],
        steps: vec![step],
        rules: vec![Rule { location: location(), requests: 1, never: Some(text()) }],
        graph: Some(Graph {
            vertices: vec![Vertex { kind: "Pod", namespace: text(), name: text(), exists: true, location: location() }],
            edges: vec![Edge { from: 0, to: 0, location: location() }],
            hidden: 0,
        }),
        audit: AuditTrail {
            log: vec![text()],
            deliveries: vec![Delivery { method: text(), url: text(), headers: pairs(), body: text() }],
        },
        plain_secrets: 1,
        unlisted_rules: 1,
        etcd: Some(vec![Stored {
            key: text(),
            revision: 1,
            provider: text(),
            key_name: text(),
            stale: true,
            error: Some(text()),
            value: Some(text()),
            parts: bytes().parts,
            plain: Some(text()),
            plain_parts: bytes().plain_parts,
        }]),
        diagnostics: vec![Diagnostic { severity: "error", file: text(), line: 1, column: 1, message: text() }],
    }
}
