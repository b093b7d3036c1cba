//! What the rooms of the server say, in the words of the report.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portcullis_core::apiserver;
use portcullis_core::audit;
use portcullis_core::authorization::{self, Decision, Failed, Verdict};
use portcullis_core::graph;
use portcullis_core::manifest::{self, Severity, Standing};
use portcullis_core::release::Release;
use portcullis_core::request::RequestInfo;
use portcullis_core::sort::SortedSet;
use portcullis_core::storage::{self, Format, Store, Unreadable};

use super::summary::summary;
use super::{
    Admission, Attributes, AuditEvent, AuditTrail, Audited, Authorization, Authorizer, Because, Bytes, Delivery,
    Diagnostic, Edge, Exchange, File, Graph, Inspection, InspectionFailure, Location, NearMiss, Part, Request,
    Response, Review, Rule, Step, Stored, User, Vertex, Write,
};
use crate::http;
use crate::inspect;
use crate::transcript::{Block, Document};

/// The files of a document.
pub fn files(document: &Document) -> Vec<File> {
    let files = document.blocks.iter().filter_map(|block| match block {
        Block::File(file) => Some(File { name: file.name.clone(), line: file.line, end_line: file.end_line }),
        Block::Step(_) => None,
    });
    files.collect()
}

/// Diagnostics in the order of the lines, columns counted as editors count.
pub fn diagnostics(mut diagnostics: Vec<manifest::Diagnostic>, document: &Document, text: &str) -> Vec<Diagnostic> {
    portcullis_core::sort::by(&mut diagnostics, |one, other| one.line.cmp(&other.line));
    let mut lines = text.lines().zip(1u32..).peekable();
    let mut blocks = document.blocks.iter().filter_map(|block| match block {
        Block::File(file) => Some(file),
        Block::Step(_) => None,
    });
    let mut block = blocks.next();
    let mut filled = Vec::with_capacity(diagnostics.len());
    for diagnostic in diagnostics {
        let mut column = diagnostic.column;
        if column > 0 {
            while block.is_some_and(|file| file.end_line < diagnostic.line) {
                block = blocks.next();
            }
            // The reader of the file did not see the fence's indentation.
            let indent = block.filter(|file| file.line <= diagnostic.line).map_or(0, |file| file.indent);
            column += indent;
            while lines.peek().is_some_and(|(_, number)| *number < diagnostic.line) {
                lines.next();
            }
            if let Some((line, number)) = lines.peek()
                && *number == diagnostic.line
            {
                let before = column as usize - 1;
                let units: usize = line.chars().take(before).map(char::len_utf16).sum();
                let beyond = before.saturating_sub(line.chars().take(before).count());
                column = (units + beyond) as u32 + 1;
            }
        }
        filled.push(Diagnostic {
            severity: match diagnostic.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            file: diagnostic.file.to_string(),
            line: diagnostic.line,
            column,
            message: diagnostic.message,
        });
    }
    filled
}

/// One exchange.
pub fn exchange(exchange: &apiserver::Exchange, release: &Release, (store, format): (&Store, &Format)) -> Exchange {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Exchange {
        request: Request {
            method: exchange.request.method.clone(),
            uri: exchange.request.uri.clone(),
            headers: exchange.request.headers.clone(),
            body: text(&exchange.request.body),
        },
        summary: summary(exchange, release),
        attributes: exchange.info.as_ref().map(attributes),
        user: exchange.identity.as_ref().map(|identity| User {
            name: identity.user.name.clone(),
            uid: identity.user.uid.clone(),
            groups: identity.user.groups.clone(),
            extra: identity.user.extra.clone(),
            authenticator: identity.authenticator.to_owned(),
            impersonated_by: identity.impersonator.as_ref().map(|user| user.name.clone()),
            notes: identity.notes.clone(),
        }),
        impersonation: exchange.impersonation.iter().map(authorization).collect(),
        authorization: exchange.decision.as_ref().map(authorization),
        review: exchange.review.as_ref().map(|review| Review {
            user: review.user.name.clone(),
            groups: review.user.groups.clone(),
            attributes: attributes(&review.request),
            authorization: authorization(&review.decision),
        }),
        admission: exchange
            .admission
            .iter()
            .map(|step| Admission {
                plugin: step.plugin,
                admitted: step.admitted,
                message: step.message.clone(),
                because: step.because.iter().map(because).collect(),
            })
            .collect(),
        response: Response {
            status: exchange.response.status,
            headers: exchange.response.headers.clone(),
            body: http::body(&exchange.response).into_owned(),
        },
        etcd: exchange
            .etcd
            .iter()
            .map(|write| Write {
                key: write.key.clone(),
                revision: write.revision,
                put: write.put,
                stored: store
                    .get(&write.key)
                    .filter(|entry| entry.revision == write.revision)
                    .and_then(|_| bytes(&store.stored(&write.key, format)?)),
            })
            .collect(),
        audit: exchange
            .audit
            .iter()
            .flat_map(|audited| &audited.events)
            .map(|event| AuditEvent { stage: event.stage.name(), event: event.json.clone() })
            .collect(),
        audited: exchange.audit.as_ref().map(|audited| Audited {
            level: audited.level.name(),
            rule: audited.rule.as_ref().map(location),
            log: audited.log.clone(),
        }),
    }
}

/// Longer values are not shown byte by byte.
const LONGEST: usize = 64 << 10;

/// How many values are.
const MOST: usize = 500;

/// What etcd holds. The bytes are those of the keys in `written` and of objects that the user's text holds.
pub fn etcd(store: &Store, format: &Format, written: &SortedSet<String>) -> Vec<Stored> {
    let mut left = MOST;
    let stored = store.range("").map(|(key, entry)| {
        let (provider, key_name) = entry.provider(key, format);
        let own = entry.object.as_ref().map_or(true, |object| object.origin.is_some());
        let shown = left > 0 && (own || written.contains(key));
        left -= usize::from(shown);
        let stored = shown.then(|| store.stored(key, format)).flatten().as_ref().and_then(bytes);
        let made = stored.is_some();
        let Bytes { value, parts, plain, plain_parts } = stored.unwrap_or_default();
        Stored {
            key: key.to_owned(),
            revision: entry.revision,
            provider,
            key_name,
            stale: entry.stale,
            error: entry.object.as_ref().err().map(|error| match error {
                Unreadable::Transform(error) | Unreadable::Decode(error) => error.clone(),
            }),
            value: made.then_some(value),
            parts,
            plain,
            plain_parts,
        }
    });
    stored.collect()
}

/// How many Secrets of the document stand in plain text while others, or those written next, are encrypted.
pub fn plain_secrets(store: &Store, format: &Format, written: &SortedSet<String>) -> usize {
    const SECRETS: &str = "/registry/secrets/";
    let (mut plain, mut encrypted) = (0, !format.writes_plain(SECRETS));
    for (key, entry) in store.range(SECRETS) {
        let own = entry.object.as_ref().map_or(true, |object| object.origin.is_some()) || written.contains(key);
        let is_plain = entry.provider(key, format).0 == "identity";
        plain += usize::from(own && is_plain);
        encrypted |= !is_plain;
    }
    if encrypted { plain } else { 0 }
}

impl From<&inspect::Inspection> for Inspection {
    fn from(inspection: &inspect::Inspection) -> Self {
        let behind = inspection.provider != "identity" && !inspection.plain.is_empty();
        Self {
            key: inspection.key.clone(),
            provider: inspection.provider.clone(),
            key_name: inspection.key_name.clone(),
            stale: inspection.stale,
            yaml: inspection.to_yaml(),
            stored: Bytes {
                value: STANDARD.encode(&inspection.value),
                parts: list(&inspection.parts),
                plain: behind.then(|| STANDARD.encode(&inspection.plain)),
                plain_parts: if behind { list(&inspection.plain_parts) } else { Vec::new() },
            },
            failure: inspection.object.as_ref().err().map(|failure| InspectionFailure {
                step: failure.step,
                error: failure.error.clone(),
                usually: failure.usually.clone(),
            }),
        }
    }
}

fn list(parts: &[storage::Part]) -> Vec<Part> {
    parts.iter().map(|part| Part { from: part.from, to: part.to, what: part.what.clone() }).collect()
}

fn bytes(stored: &storage::Stored) -> Option<Bytes> {
    if stored.bytes.len() > LONGEST {
        return None;
    }
    let behind = stored.plain.as_ref().filter(|(plain, _)| plain.provider != "identity");
    Some(Bytes {
        value: STANDARD.encode(&stored.bytes),
        parts: list(&stored.parts),
        plain: behind.map(|(plain, _)| STANDARD.encode(&plain.bytes)),
        plain_parts: behind.map(|(_, parts)| list(parts)).unwrap_or_default(),
    })
}

/// The graph of a cluster.
pub fn graph(view: graph::View) -> Graph {
    let vertices = view.vertices.into_iter().map(|it| Vertex {
        kind: it.kind.name(),
        namespace: it.namespace,
        name: it.name,
        exists: it.exists,
        location: location(&it.location),
    });
    let edges = view.edges.iter().map(|it| Edge { from: it.from, to: it.to, location: location(&it.location) });
    Graph { vertices: vertices.collect(), edges: edges.collect(), hidden: view.hidden }
}

/// Rules with what `steps` showed of them. What a step made has no lines of its own.
pub fn rules(standing: Vec<Standing>, document: &Document, steps: &[Step]) -> Vec<Rule> {
    let files: Vec<File> = files(document);
    let mut rules: Vec<Rule> = standing
        .into_iter()
        .map(|it| Rule { location: location(&it.location), requests: 0, never: it.never })
        .filter(|rule| files.iter().any(|file| (file.line..=file.end_line).contains(&rule.location.line)))
        .collect();
    portcullis_core::sort::by(&mut rules, |one, other| one.location.line.cmp(&other.location.line));
    for exchange in steps.iter().flat_map(|step| &step.exchanges) {
        let mut asked: Vec<&Authorization> = exchange.impersonation.iter().collect();
        asked.extend(&exchange.authorization);
        asked.extend(exchange.review.as_ref().map(|review| &review.authorization));
        let mut because: Vec<&Because> = Vec::new();
        for step in asked.into_iter().flat_map(|it| &it.steps) {
            because.extend(&step.because);
        }
        for step in &exchange.admission {
            because.extend(&step.because);
        }
        let mut decided: Vec<&Location> = because.into_iter().map(|because| &because.location).collect();
        decided.extend(exchange.audited.iter().filter_map(|it| it.rule.as_ref()));
        for rule in &mut rules {
            rule.requests += usize::from(decided.iter().any(|it| **it == rule.location));
        }
    }
    rules
}

/// What the audit backends hold.
pub fn audit_trail(log: &[String], deliveries: &[audit::Delivery]) -> AuditTrail {
    let deliveries = deliveries.iter().map(|delivery| Delivery {
        method: delivery.method.to_owned(),
        url: delivery.url.clone(),
        headers: delivery.headers.clone(),
        body: delivery.body.clone(),
    });
    AuditTrail { log: log.to_vec(), deliveries: deliveries.collect() }
}

fn attributes(info: &RequestInfo) -> Attributes {
    Attributes {
        verb: info.verb.clone(),
        resource_request: info.is_resource_request,
        path: info.path.clone(),
        api_group: info.api_group.clone(),
        api_version: info.api_version.clone(),
        namespace: info.namespace.clone(),
        resource: info.resource.clone(),
        subresource: info.subresource.clone(),
        name: info.name.clone(),
    }
}

fn authorization(decision: &Decision) -> Authorization {
    Authorization {
        verdict: verdict(decision.verdict),
        reason: decision.reason.clone(),
        steps: decision.steps.iter().map(authorizer).collect(),
    }
}

fn authorizer(step: &authorization::Step) -> Authorizer {
    Authorizer {
        authorizer: step.authorizer,
        verdict: verdict(step.verdict),
        reason: step.reason.clone(),
        because: step.because.iter().map(because).collect(),
        nearest: step
            .nearest
            .iter()
            .map(|near| NearMiss {
                failed: failed(near.failed),
                message: near.message.clone(),
                location: location(&near.location),
                rule: near.rule.as_ref().map(location),
            })
            .collect(),
    }
}

fn because(because: &authorization::Because) -> Because {
    Because { message: because.message.clone(), location: location(&because.location), edge: because.edge.clone() }
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Allow => "Allow",
        Verdict::Deny => "Deny",
        Verdict::NoOpinion => "NoOpinion",
    }
}

fn failed(failed: Failed) -> &'static str {
    match failed {
        Failed::ResourceName => "resourceName",
        Failed::Subresource => "subresource",
        Failed::Resource => "resource",
        Failed::ApiGroup => "apiGroup",
        Failed::Verb => "verb",
        Failed::Namespace => "namespace",
        Failed::MissingRole => "missingRole",
        Failed::Path => "path",
        Failed::Identity => "identity",
    }
}

/// As the report says it.
pub fn location(location: &manifest::Location) -> Location {
    let place = location.place.as_ref();
    Location {
        file: place.map(|place| place.file.to_string()).unwrap_or_default(),
        line: place.map_or(0, |place| place.line),
        end_line: place.map_or(0, |place| place.end_line),
        object: location.object.clone(),
        path: location.path.clone(),
    }
}
