//! In which form an object is sent: JSON or YAML, for people or for programs.
//!
//! Behaviour: `apiserver/pkg/endpoints/handlers/negotiation`, `goautoneg`, and the routes of `go-restful` in front of them.

use super::wire::Reply;
use crate::audit::Written;
use crate::manifest::{Map, Value, float, json, yaml};
use crate::request::{Request, Url};

/// More clauses than anybody writes: the sorting is quadratic.
const MAX_CLAUSES: usize = 100;

/// The forms that the API server sends, in its order.
const MEDIA_TYPES: [&str; 3] = ["application/json", "application/yaml", PROTOBUF];
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

/// How to send an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Encoding {
    media_type: &'static str,
    pretty: bool,
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
        return Some(Encoding { media_type: "application/json", pretty: human });
    }
    for clause in clauses(accept) {
        let matching = MEDIA_TYPES.iter().find(|media_type| {
            let (kind, subtype) = media_type.split_once('/').unwrap_or_default();
            (clause.kind == kind && (clause.subtype == subtype || clause.subtype == "*"))
                || (clause.kind == "*" && clause.subtype == "*")
        });
        if let Some(media_type) = matching {
            let mut pretty = human;
            for (name, value) in clause.parameters {
                match name {
                    "as" | "g" | "v" => return None,
                    "stream" if !value.is_empty() && (value != "watch" || *media_type == "application/yaml") => {
                        return None;
                    }
                    "sv" if !value.is_empty() => return None,
                    "pretty" => pretty |= value == "1",
                    _ => {}
                }
            }
            return Some(Encoding { media_type, pretty });
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
    let members = [
        ("metadata", Value::Object(Map::new())),
        ("status", "Failure".into()),
        ("message", format!("only the following media types are accepted: {}", MEDIA_TYPES.join(", ")).into()),
        ("reason", "NotAcceptable".into()),
        ("code", 406.into()),
    ];
    let status = members.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
    write_raw_json(406, &Value::Object(status))
}

impl Encoding {
    /// Sends `object`.
    pub(super) fn write(self, status: u16, object: &Value) -> Reply {
        let text = match self {
            Self { media_type: "application/yaml", .. } => yaml::to_string(object),
            Self { pretty: true, .. } => json::to_string_pretty(object, "  "),
            Self { .. } => json::to_string(object) + "\n",
        };
        // Nothing that people type asks for protobuf; JSON is what a client must understand besides.
        let media_type = if self.media_type == PROTOBUF { "application/json" } else { self.media_type };
        Reply { written: Written::Object, ..Reply::new(status, &[("Content-Type", media_type)], text) }
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
            ("application/json;stream=watch", "", "/", "application/json"),
            ("application/yaml;stream=watch", "", "/", "none"),
        ] {
            let headers = [("accept", accept), ("user-agent", agent)];
            let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let request = Request { headers, ..Request::default() };
            let found = match negotiate(&request, &Url::parse(uri).unwrap()) {
                Some(Encoding { media_type, pretty: true }) => format!("{media_type} pretty"),
                Some(Encoding { media_type, .. }) => media_type.to_owned(),
                None => "none".to_owned(),
            };
            assert_eq!(found, expected, "{accept} {agent} {uri}");
            assert_eq!(
                route_accepts(&request),
                expected != "none" && !matches!(accept, "*" | "application/*")
                    || accept.starts_with("application/json;as")
                    || accept.starts_with("application/yaml;s"),
                "{accept}"
            );
        }
    }
}
