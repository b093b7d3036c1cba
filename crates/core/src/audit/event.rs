//! One audit event: what is known of a request at a stage, as the webhook gets it and as the log prints it.
//!
//! Behaviour: `apiserver/pkg/audit/request.go` and `format.go`; the form of `audit.k8s.io/v1alpha1`.

use std::net::IpAddr;

use chrono::{DateTime, Utc};

use super::Level;
use crate::authentication::User;
use crate::manifest::{Map, Value, json};
use crate::request::{Request, RequestInfo, Url, quote};
use crate::world::{World, time};

/// When an event is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Before impersonation and authorization.
    RequestReceived,
    /// A long-running request (a watch, a log) got its status.
    ResponseStarted,
    /// The answer is out.
    ResponseComplete,
    /// The server panicked.
    Panic,
}

impl Stage {
    /// As an event spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::RequestReceived => "RequestReceived",
            Self::ResponseStarted => "ResponseStarted",
            Self::ResponseComplete => "ResponseComplete",
            Self::Panic => "Panic",
        }
    }
}

/// An event as it left for the backends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its stage.
    pub stage: Stage,
    /// The event as the webhook's list of items holds it.
    pub json: String,
}

#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) level: Level,
    timestamp: DateTime<Utc>,
    audit_id: String,
    request_uri: String,
    verb: String,
    user: User,
    impersonated_user: Option<User>,
    source_ips: Vec<String>,
    object_ref: Option<ObjectRef>,
    pub(super) response_status: Option<Map<String, Value>>,
    /// JSON text.
    pub(super) request_object: Option<String>,
    /// JSON text.
    pub(super) response_object: Option<String>,
}

#[derive(Clone, Debug, Default)]
struct ObjectRef {
    resource: String,
    namespace: String,
    name: String,
    uid: String,
    api_version: String,
    resource_version: String,
    subresource: String,
}

impl Event {
    pub(super) fn new(
        level: Level,
        request: &Request,
        url: &Url,
        info: &RequestInfo,
        user: &User,
        world: &mut World,
    ) -> Self {
        let object_ref = info.is_resource_request.then(|| ObjectRef {
            resource: info.resource.clone(),
            namespace: info.namespace.clone(),
            name: info.name.clone(),
            api_version: format!("{}/{}", info.api_group, info.api_version),
            subresource: info.subresource.clone(),
            ..ObjectRef::default()
        });
        Self {
            level,
            timestamp: world.now,
            audit_id: uuid(world),
            request_uri: url.to_string(),
            verb: info.verb.clone(),
            user: user.clone(),
            impersonated_user: impersonated_user(request),
            source_ips: source_ips(request),
            object_ref,
            response_status: None,
            request_object: None,
            response_object: None,
        }
    }

    /// The reference, completed from the metadata of the object that was sent.
    pub(super) fn complete_reference(&mut self, object: &Value) {
        let reference = self.object_ref.get_or_insert_default();
        for (field, name) in [
            (&mut reference.namespace, "namespace"),
            (&mut reference.name, "name"),
            (&mut reference.uid, "uid"),
            (&mut reference.resource_version, "resourceVersion"),
        ] {
            let sent = object.get("metadata").and_then(|metadata| metadata.get(name)).and_then(Value::as_str);
            if let Some(sent) = sent.filter(|_| field.is_empty()) {
                *field = sent.into();
            }
        }
    }

    /// Sets the code of the response status, and makes one where there is none.
    pub(super) fn set_code(&mut self, code: u16) {
        let status = self.response_status.get_or_insert_with(|| status(&[]));
        status.insert("code".into(), code.into());
    }

    /// The event at `stage` as JSON.
    pub(super) fn json(&self, stage: Stage) -> String {
        let mut out = String::from(r#"{"metadata":{"creationTimestamp":null}"#);
        for (name, text) in [
            ("level", self.level.name()),
            ("timestamp", &time::rfc3339(self.timestamp)),
            ("auditID", &self.audit_id),
            ("stage", stage.name()),
            ("requestURI", &self.request_uri),
            ("verb", &self.verb),
        ] {
            member(&mut out, name);
            json::write_string(&mut out, text);
        }
        member(&mut out, "user");
        write_user(&mut out, &self.user);
        if let Some(user) = &self.impersonated_user {
            member(&mut out, "impersonatedUser");
            write_user(&mut out, user);
        }
        if !self.source_ips.is_empty() {
            member(&mut out, "sourceIPs");
            write_list(&mut out, &self.source_ips);
        }
        if let Some(reference) = &self.object_ref {
            member(&mut out, "objectRef");
            write_texts(
                &mut out,
                &[
                    ("resource", &reference.resource),
                    ("namespace", &reference.namespace),
                    ("name", &reference.name),
                    ("uid", &reference.uid),
                    ("apiVersion", &reference.api_version),
                    ("resourceVersion", &reference.resource_version),
                    ("subresource", &reference.subresource),
                ],
            );
            out.push('}');
        }
        if let Some(status) = &self.response_status {
            member(&mut out, "responseStatus");
            out.push_str(&json::to_string(&Value::Object(status.clone())));
        }
        for (name, object) in [("requestObject", &self.request_object), ("responseObject", &self.response_object)] {
            if let Some(object) = object {
                member(&mut out, name);
                out.push_str(object);
            }
        }
        out.push('}');
        out
    }

    /// The event at `stage` as the log backend prints it, without the line's end.
    pub(super) fn line(&self, stage: Stage) -> String {
        let (user, groups) = match &self.user {
            User { name, .. } if name.is_empty() => ("<none>", "<none>".into()),
            User { name, groups, .. } if groups.is_empty() => (name.as_str(), "<none>".into()),
            User { name, groups, .. } => (name.as_str(), quoted_list(groups)),
        };
        let (as_user, as_groups) = match &self.impersonated_user {
            None => ("<self>", "<lookup>".into()),
            Some(User { name, groups, .. }) if groups.is_empty() => (name.as_str(), "<lookup>".into()),
            Some(User { name, groups, .. }) => (name.as_str(), quoted_list(groups)),
        };
        let namespace = self.object_ref.as_ref().map_or("", |reference| reference.namespace.as_str());
        let response = match &self.response_status {
            None => "<deferred>".to_owned(),
            Some(status) => status.get("code").map_or_else(|| "0".to_owned(), Value::to_string),
        };
        format!(
            "{} AUDIT: id={} stage={} ip={} method={} user={} groups={} as={} asgroups={} namespace={} uri={} \
             response=\"{response}\"",
            time::rfc3339_nanos(self.timestamp),
            quote(&self.audit_id),
            quote(stage.name()),
            quote(self.source_ips.first().map_or("<unknown>", String::as_str)),
            quote(&self.verb),
            quote(user),
            quote(&groups),
            quote(as_user),
            quote(&as_groups),
            quote(if namespace.is_empty() { "<none>" } else { namespace }),
            quote(&self.request_uri),
        )
    }
}

/// A Status as an event holds it: without kind and apiVersion.
pub(super) fn status(members: &[(&str, Value)]) -> Map<String, Value> {
    let mut status = Map::new();
    status.insert("metadata".to_owned(), Value::Object(Map::new()));
    for (name, value) in members {
        status.insert((*name).to_owned(), value.clone());
    }
    status
}

/// What the two `Impersonate-` headers ask for, allowed or not. Names of extra fields keep the header's case.
fn impersonated_user(request: &Request) -> Option<User> {
    const EXTRA: &str = "Impersonate-Extra-";
    let name = request.header("Impersonate-User");
    if name.is_empty() {
        return None;
    }
    let mut user = User { name: name.into(), ..User::default() };
    user.groups = request.header_values("Impersonate-Group").map(str::to_owned).collect();
    for (header, value) in &request.headers {
        let header = canonical_header(header);
        let Some(key) = header.strip_prefix(EXTRA) else { continue };
        let value = value.trim().to_owned();
        match user.extra.iter_mut().find(|(known, _)| known == key) {
            Some((_, values)) => values.push(value),
            None => user.extra.push((key.to_owned(), vec![value])),
        }
    }
    Some(user)
}

/// Go's `textproto.CanonicalMIMEHeaderKey`: upper case at the beginning and behind hyphens.
fn canonical_header(name: &str) -> String {
    let mut upper = true;
    let change = |char: char| {
        let changed = if upper { char.to_ascii_uppercase() } else { char.to_ascii_lowercase() };
        upper = char == '-';
        changed
    };
    name.chars().map(change).collect()
}

/// Where the request says that it comes from: proxies' headers before the peer.
pub(super) fn source_ips(request: &Request) -> Vec<String> {
    let parse = |text: &str| text.trim().parse::<IpAddr>().ok().map(|ip| ip.to_canonical().to_string());
    let forwarded: Vec<_> = request.header("X-Forwarded-For").split(',').filter_map(parse).collect();
    if !forwarded.is_empty() {
        return forwarded;
    }
    parse(request.header("X-Real-Ip")).or_else(|| parse(&request.source_ip)).into_iter().collect()
}

/// Each text in Go's quotes, joined by commas.
pub(super) fn quoted_list(texts: &[String]) -> String {
    let quoted: Vec<_> = texts.iter().map(|text| quote(text)).collect();
    quoted.join(",")
}

/// A random UUID (version 4).
pub(super) fn uuid(world: &mut World) -> String {
    let random = u128::from_be_bytes(world.draw::<16>());
    let bits = random & !(0xf << 76 | 0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let hex = format!("{bits:032x}");
    let mut text = String::with_capacity(36);
    for (at, digit) in hex.chars().enumerate() {
        if matches!(at, 8 | 12 | 16 | 20) {
            text.push('-');
        }
        text.push(digit);
    }
    text
}

/// JSON text without white space between its parts, with Go's escapes; `None` where it is no JSON, which Go cannot
/// put into an event. Numbers stay as they were written.
pub(super) fn compact(text: &str) -> Option<String> {
    json::parse(text).ok()?;
    let mut out = String::with_capacity(text.len());
    let (mut in_string, mut escaped) = (false, false);
    for char in text.chars() {
        match char {
            ' ' | '\t' | '\r' | '\n' if !in_string => {}
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            _ => out.push(char),
        }
        in_string ^= char == '"' && !escaped;
        escaped = char == '\\' && !escaped;
    }
    Some(out)
}

fn member(out: &mut String, name: &str) {
    if !out.ends_with('{') {
        out.push(',');
    }
    out.extend(["\"", name, "\":"]);
}

/// Opens an object and writes those members that are not empty.
fn write_texts(out: &mut String, members: &[(&str, &str)]) {
    out.push('{');
    for (name, text) in members.iter().filter(|(_, text)| !text.is_empty()) {
        member(out, name);
        json::write_string(out, text);
    }
}

fn write_user(out: &mut String, user: &User) {
    write_texts(out, &[("username", &user.name), ("uid", &user.uid)]);
    if !user.groups.is_empty() {
        member(out, "groups");
        write_list(out, &user.groups);
    }
    if !user.extra.is_empty() {
        member(out, "extra");
        out.push('{');
        let mut extra: Vec<_> = user.extra.iter().collect();
        crate::sort::by_text(&mut extra, |(name, _)| name);
        for (index, (name, values)) in extra.into_iter().enumerate() {
            out.push_str(if index > 0 { "," } else { "" });
            json::write_string(out, name);
            out.push(':');
            write_list(out, values);
        }
        out.push('}');
    }
    out.push('}');
}

fn write_list(out: &mut String, texts: &[String]) {
    out.push('[');
    for (index, text) in texts.iter().enumerate() {
        out.push_str(if index > 0 { "," } else { "" });
        json::write_string(out, text);
    }
    out.push(']');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_has_its_version_and_variant() {
        let mut world = World::new(DateTime::UNIX_EPOCH, "");
        for _ in 0..50 {
            let id = uuid(&mut world);
            let parts: Vec<_> = id.split('-').collect();
            assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
            assert!(parts[2].starts_with('4') && parts[3].starts_with(['8', '9', 'a', 'b']), "{id}");
        }
    }

    #[test]
    fn a_patch_is_compacted_and_no_json_is_none() {
        assert_eq!(compact("{ \"a b\" : [1.0, 1e3 ,\t\"<\\\" \"] }\n").unwrap(), r#"{"a b":[1.0,1e3,"\u003c\" "]}"#);
        assert_eq!(compact("{a: b}"), None);
    }

    #[test]
    fn sources_come_from_proxies_before_the_peer() {
        for (forwarded, real, expected) in [
            ("192.0.2.94, 10.0.0.1, bad", "198.51.100.7", vec!["192.0.2.94", "10.0.0.1"]),
            ("bad", "198.51.100.7", vec!["198.51.100.7"]),
            ("", "", vec!["127.0.0.1"]),
            ("::ffff:10.0.0.1, 2001:DB8::0:1", "", vec!["10.0.0.1", "2001:db8::1"]),
        ] {
            let headers = [("x-forwarded-for", forwarded), ("X-Real-IP", real)];
            let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
            let request = Request { headers, source_ip: "127.0.0.1".into(), ..Request::default() };
            assert_eq!(source_ips(&request), expected);
        }
    }
}
