//! In which form an object is sent: JSON, YAML or protobuf, for people or for programs.
//!
//! Behaviour: `apiserver/pkg/endpoints/handlers/negotiation`, `goautoneg`, and the routes of `go-restful` in front of them.

use super::partial::Partial;
use super::wire::Reply;
use crate::audit::Written;
use crate::manifest::{Value, float, json, yaml};
use crate::release::Release;
use crate::request::{Request, Url};
use crate::status::Status;
use crate::storage::codec::{self, Nanos};

/// More clauses than anybody writes: the sorting is quadratic.
const MAX_CLAUSES: usize = 100;

/// The forms that the API server sends, in its order.
const MEDIA_TYPES: [&str; 3] = ["application/json", YAML, PROTOBUF];
const YAML: &str = "application/yaml";
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

/// What JSON does not show of an object's times, by its metadata.
pub(super) type Fractions<'a> = &'a dyn Fn(&Value) -> Nanos;

/// How to send an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Encoding {
    media_type: &'static str,
    pretty: bool,
    /// What is sent instead of the object.
    pub(super) partial: Option<Partial>,
}

struct Clause<'a> {
    kind: &'a str,
    subtype: &'a str,
    quality: f64,
    parameters: Vec<(&'a str, &'a str)>,
}

/// What the client wants; `None` where it accepts nothing of what there is.
pub(super) fn negotiate(request: &Request, url: &Url) -> Option<Encoding> {
    let accept = request.header("Accept");
    let human = match url.parameter("pretty") {
        "" => ["curl", "Wget", "Mozilla/5.0"].iter().any(|agent| request.header("User-Agent").starts_with(agent)),
        pretty => matches!(pretty, "1" | "t" | "T" | "true" | "TRUE" | "True"),
    };
    if accept.is_empty() {
        return Some(Encoding { media_type: "application/json", pretty: human, partial: None });
    }
    for clause in clauses(accept) {
        let matching = MEDIA_TYPES.iter().find(|media_type| {
            let (kind, subtype) = media_type.split_once('/').unwrap_or_default();
            (clause.kind == kind && (clause.subtype == subtype || clause.subtype == "*"))
                || (clause.kind == "*" && clause.subtype == "*")
        });
        if let Some(media_type) = matching {
            let mut pretty = human;
            let target = |wanted: &str| {
                let given = clause.parameters.iter().rev().find(|(name, _)| *name == wanted);
                given.map(|(_, value)| *value)
            };
            let target = ["as", "g", "v"].map(target);
            let partial = match target.map(Option::unwrap_or_default) {
                _ if target.iter().all(Option::is_none) => None,
                // The other forms of these have no codec here.
                _ if *media_type == PROTOBUF => return None,
                [kind, group, version] => Some(Partial::parse(kind, group, version)?),
            };
            for (name, value) in clause.parameters {
                match name {
                    "stream" if !value.is_empty() && (value != "watch" || *media_type == YAML) => {
                        return None;
                    }
                    "sv" if !value.is_empty() => return None,
                    "pretty" => pretty |= value == "1",
                    _ => {}
                }
            }
            return Some(Encoding { media_type, pretty, partial });
        }
    }
    None
}

/// The clauses of an `Accept` header, best first.
fn clauses(header: &str) -> Vec<Clause<'_>> {
    let mut clauses: Vec<Clause<'_>> = Vec::new();
    for part in header.split(',').take(MAX_CLAUSES) {
        let mut pieces = part.trim().split(';');
        let range = pieces.next().unwrap_or_default();
        let (kind, subtype) = match range.split_once('/') {
            Some((kind, subtype)) if !subtype.contains('/') => (kind.trim(), subtype.trim()),
            None if range.trim() == "*" => ("*", "*"),
            _ => continue,
        };
        let mut clause = Clause { kind, subtype, quality: 1.0, parameters: Vec::new() };
        for (name, value) in pieces.filter_map(|piece| piece.split_once('=')) {
            match name.trim() {
                "q" => clause.quality = float::parse(value).unwrap_or(0.0),
                name => clause.parameters.push((name, value.trim())),
            }
        }
        // The comparison is no order, so the result depends on the algorithm: Go sorts short lists by insertion.
        let mut at = clauses.len();
        while at > 0 && clauses.get(at - 1).is_some_and(|before| is_before(&clause, before)) {
            at -= 1;
        }
        clauses.insert(at, clause);
    }
    clauses
}

fn is_before(one: &Clause<'_>, other: &Clause<'_>) -> bool {
    one.quality > other.quality
        || (one.kind != "*" && other.kind == "*")
        || (one.subtype != "*" && other.subtype == "*")
}

/// Whether a route lets the request through to its handler: it compares without `q` and knows no `application/*`.
pub(super) fn route_accepts(request: &Request) -> bool {
    let accept = request.header("Accept");
    accept.is_empty()
        || accept.split(',').any(|part| {
            let range = part.split(';').next().unwrap_or_default().trim_matches(' ');
            range == "*/*" || MEDIA_TYPES.contains(&range)
        })
}

/// 406.
pub(super) fn not_acceptable() -> Reply {
    let mut status = Status::not_acceptable(&MEDIA_TYPES.join(", ")).to_value();
    if let Value::Object(status) = &mut status {
        status.shift_remove("kind");
        status.shift_remove("apiVersion");
    }
    write_raw_json(406, &status)
}

/// What a watch answers that cannot be sent as the client wants it.
pub(super) fn no_stream() -> Status {
    Status::not_acceptable("application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch")
}

impl Encoding {
    /// Sends `object`.
    pub(super) fn write(self, status: u16, object: &Value, release: &Release, fractions: Fractions<'_>) -> Reply {
        let body = match self {
            Self { media_type: PROTOBUF, .. } => codec::encode_for_client(release, object, fractions),
            Self { media_type: YAML, .. } => yaml::to_string(object).into_bytes(),
            Self { pretty: true, .. } => json::to_string_pretty(object, "  ").into_bytes(),
            Self { .. } => (json::to_string(object) + "\n").into_bytes(),
        };
        Reply { written: Written::Object, ..Reply::new(status, &[("Content-Type", self.media_type)], body) }
    }

    /// Sends the beginning of a watch, over a connection that would stay open; `None` in a form without streams.
    pub(super) fn stream(self, events: &[Value], release: &Release, fractions: Fractions<'_>) -> Option<Reply> {
        let (media_type, body) = match self.media_type {
            _ if self.partial.is_some() => return None,
            YAML => return None,
            PROTOBUF => {
                let frames = events.iter().map(|event| {
                    let kind = event.get("type").and_then(Value::as_str).unwrap_or_default();
                    let object = event.get("object").unwrap_or(&Value::Null);
                    codec::event(kind, &codec::encode_for_client(release, object, fractions))
                });
                ("application/vnd.kubernetes.protobuf;stream=watch", frames.collect::<Vec<_>>().concat())
            }
            json => (json, events.iter().flat_map(|event| (json::to_string(event) + "\n").into_bytes()).collect()),
        };
        Some(Reply { streams: true, ..Reply::new(200, &[("Content-Type", media_type)], body) })
    }
}

/// Sends `object` as indented JSON, whatever the client wants.
pub(super) fn write_raw_json(status: u16, object: &Value) -> Reply {
    Reply::new(status, &[("Content-Type", "application/json")], json::to_string_pretty(object, "  "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_get_the_form_that_they_ask_for() {
        for (accept, agent, uri, expected) in [
            ("", "curl/7.5", "/", "application/json pretty"),
            ("", "curl/7.5", "/?pretty=0", "application/json"),
            ("", "curl/7.5", "/?pretty=yes", "application/json"),
            ("", "kubectl", "/?pretty=T", "application/json pretty"),
            ("", "kubectl", "/?pretty=", "application/json"),
            ("", "Wget/1.19", "/", "application/json pretty"),
            ("", "Mozilla/5.0", "/", "application/json pretty"),
            ("", "CURL/1", "/", "application/json"),
            ("application/json;pretty=1", "kubectl", "/", "application/json pretty"),
            ("application/json, */*", "kubectl", "/", "application/json"),
            ("*/*;q=0.1, application/yaml", "", "/", "application/yaml"),
            ("application/yaml;q=0.5, application/json;q=0.9", "", "/", "application/json"),
            ("text/html, */*;q=0.1", "", "/", "application/json"),
            ("*", "", "/", "application/json"),
            ("application/*", "", "/", "application/json"),
            ("text/html", "", "/", "none"),
            ("application/json;as=Table;v=v1;g=meta.k8s.io", "", "/", "none"),
            ("application/json;as=Table;v=v1;g=meta.k8s.io, application/json", "", "/", "none"),
            ("application/json;as=Table;v=v1alpha1;g=meta.k8s.io, application/json", "", "/", "Table"),
            ("application/yaml;as=PartialObjectMetadata;v=v1alpha1;g=meta.k8s.io", "", "/", "Metadata"),
            ("application/json;as=PartialObjectMetadataList;v=v1alpha1;g=meta.k8s.io", "", "/", "MetadataList"),
            ("application/json;v=v1alpha1;g=meta.k8s.io", "", "/", "none"),
            ("application/json;stream=watch", "", "/", "application/json"),
            ("application/yaml;stream=watch", "", "/", "none"),
            ("application/vnd.kubernetes.protobuf", "curl/7.5", "/", "application/vnd.kubernetes.protobuf pretty"),
            ("application/vnd.kubernetes.protobuf, */*", "", "/", "application/vnd.kubernetes.protobuf"),
            ("application/json;q=0.1, application/vnd.kubernetes.protobuf;q=0.2", "", "/", PROTOBUF),
            ("application/vnd.kubernetes.protobuf;stream=watch", "", "/", PROTOBUF),
            ("application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io", "", "/", "none"),
        ] {
            let headers = [("accept", accept), ("user-agent", agent)];
            let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let request = Request { headers, ..Request::default() };
            let found = match negotiate(&request, &Url::parse(uri).unwrap()) {
                Some(Encoding { partial: Some(partial), .. }) => format!("{partial:?}"),
                Some(Encoding { media_type, pretty: true, .. }) => format!("{media_type} pretty"),
                Some(Encoding { media_type, .. }) => media_type.to_owned(),
                None => "none".to_owned(),
            };
            assert_eq!(found, expected, "{accept} {agent} {uri}");
            assert_eq!(
                route_accepts(&request),
                expected != "none" && !matches!(accept, "*" | "application/*")
                    || accept.contains(";as=")
                    || accept.contains(";v=")
                    || accept.starts_with("application/yaml;s"),
                "{accept}"
            );
        }
    }
}
