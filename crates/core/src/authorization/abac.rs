//! ABAC: the lines of `--authorization-policy-file`.
//!
//! Behaviour: <https://kubernetes.io/docs/reference/access-authn-authz/abac/>; in Kubernetes 1.7
//! `pkg/auth/authorizer/abac/abac.go` and `pkg/apis/abac`.

use std::rc::Rc;

use super::{Attributes, Because, Failed, NearMiss, Verdict, or_core};
use crate::manifest::{Location, Map, Place, Value, json, yaml};
use crate::request::quote;

const GROUP: &str = "abac.authorization.kubernetes.io";
const AUTHENTICATED: &str = "system:authenticated";

/// The policies of a file, in order.
#[derive(Clone, Debug, Default)]
pub struct Policies(Vec<Policy>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Policy {
    place: Option<Place>,
    user: String,
    group: String,
    readonly: bool,
    api_group: String,
    resource: String,
    namespace: String,
    non_resource_path: String,
}

impl Policies {
    /// Reads a file. `path` is how the flag names it; the lines are placed there until [`Policies::placed`] knows better.
    ///
    /// # Errors
    /// As the server prints it: `error reading policy file abac.jsonl, line 3: not json: couldn't get version/kind; ...`.
    pub fn parse(path: &str, text: &str) -> Result<Self, String> {
        let file: Rc<str> = path.into();
        let mut policies = Vec::new();
        for (line, text) in (1..).zip(text.lines()) {
            // Go's `bufio.Scanner` takes no longer line.
            if text.len() >= 64 * 1024 {
                return Err(format!("error reading policy file {path}: bufio.Scanner: token too long"));
            }
            let trimmed = text.trim();
            if trimmed.is_empty() || trimmed.starts_with('#') {
                continue;
            }
            let policy = Policy::parse(text)
                .map_err(|error| format!("error reading policy file {path}, line {line}: {text}: {error}"))?;
            policies.push(Policy { place: Some(Place { file: file.clone(), line, end_line: line }), ..policy });
        }
        Ok(Self(policies))
    }

    /// The same, with its lines in the user's text `source`, where the file begins on `first_line`.
    pub fn placed(mut self, source: &Rc<str>, first_line: u32) -> Self {
        for place in self.0.iter_mut().filter_map(|policy| policy.place.as_mut()) {
            let line = place.line.saturating_add(first_line).saturating_sub(1);
            *place = Place { file: source.clone(), line, end_line: line };
        }
        self
    }

    /// The authorizer's verdict and reason.
    pub fn authorize(&self, attributes: &Attributes<'_>) -> (Verdict, String) {
        match self.0.iter().any(|policy| policy.test(attributes).is_ok()) {
            true => (Verdict::Allow, String::new()),
            false => (Verdict::NoOpinion, "No policy matched.".to_owned()),
        }
    }

    /// The line that matches; where none does, every line that names the user, with the first thing that failed.
    pub fn explain(&self, attributes: &Attributes<'_>) -> (Vec<Because>, Vec<NearMiss>) {
        let mut misses = Vec::new();
        for policy in &self.0 {
            match policy.test(attributes) {
                Ok(()) => {
                    let message = format!("This line allows it: {}.", policy.describe());
                    return (vec![Because { message, location: policy.location(), edge: None }], Vec::new());
                }
                Err(Some((failed, lacks))) => misses.push(NearMiss {
                    failed,
                    message: format!("This line allows {}; {lacks}.", policy.describe()),
                    location: policy.location(),
                    rule: None,
                }),
                Err(None) => {}
            }
        }
        crate::sort::by(&mut misses, |one, other| one.failed.cmp(&other.failed));
        (Vec::new(), misses)
    }
}

impl Policy {
    /// Reads a line. The error is the server's behind `line N: LINE: `.
    fn parse(line: &str) -> Result<Self, String> {
        const TYPE: &str =
            r#"struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }"#;
        // What begins with a brace is JSON; all else is YAML and is turned into JSON.
        let unread = |error: String| format!("couldn't get version/kind; json parse error: {error}");
        let value = if line.trim_start().starts_with('{') {
            json::parse(line).map_err(|error| unread(error.message))?
        } else {
            yaml::parse(line)?
        };
        let none = Map::new();
        let fields = match &value {
            Value::Object(fields) => fields,
            Value::Null => &none,
            other => {
                return Err(unread(format!("json: cannot unmarshal {} into Go value of type {TYPE}", go_name(other))));
            }
        };
        let version = type_member(fields, "apiVersion").map_err(unread)?;
        let kind = type_member(fields, "kind").map_err(unread)?;
        let (group, version) = match version.split_once('/') {
            None => ("", version),
            Some((_, rest)) if rest.contains('/') => return Err(format!("unexpected GroupVersion string: {version}")),
            Some(parts) => parts,
        };
        match (group, version, kind) {
            (GROUP, "v1beta1", "Policy") => Self::v1beta1(fields),
            (GROUP, "v1beta1", "") => {
                Err("converting (v1beta1.Policy) to (v0.Policy): User not present in src".to_owned())
            }
            // A line without version is read as v0.
            ("", "", "" | "Policy") | (GROUP, "" | "v0", "" | "Policy") => Self::v0(fields),
            (group, "", _) if !matches!(group, "" | GROUP) => {
                Err(format!("Object 'apiVersion' is missing in '{line}'"))
            }
            (group, version, kind) => {
                let version = match (group, version) {
                    (_, "") => format!("{GROUP}/v0"),
                    ("", version) => version.to_owned(),
                    (group, version) => format!("{group}/{version}"),
                };
                let kind = if kind.is_empty() { "Policy" } else { kind };
                Err(format!("no kind {} is registered for version {}", quote(kind), quote(&version)))
            }
        }
    }

    fn v0(fields: &Map<String, Value>) -> Result<Self, String> {
        let read = Self {
            user: string(fields, "user")?,
            group: string(fields, "group")?,
            readonly: boolean(fields, "readonly")?,
            resource: string(fields, "resource")?,
            namespace: string(fields, "namespace")?,
            ..Self::default()
        };
        let everyone = read.user.is_empty() && read.group.is_empty();
        let all = |text: &str| if text.is_empty() { "*".to_owned() } else { text.to_owned() };
        let any_path = read.namespace.is_empty() && read.resource.is_empty();
        let policy = Self {
            group: if everyone { AUTHENTICATED.to_owned() } else { read.group.clone() },
            api_group: "*".to_owned(),
            resource: all(&read.resource),
            namespace: all(&read.namespace),
            non_resource_path: if any_path { "*".to_owned() } else { String::new() },
            ..read
        };
        Ok(policy.star())
    }

    fn v1beta1(fields: &Map<String, Value>) -> Result<Self, String> {
        let spec = match fields.get("spec") {
            None | Some(Value::Null | Value::Array(_)) => return Ok(Self::default()),
            Some(Value::Object(spec)) => spec,
            Some(_) => return Err("only encoded map or array can be decoded into a struct".to_owned()),
        };
        let policy = Self {
            place: None,
            user: string(spec, "user")?,
            group: string(spec, "group")?,
            readonly: boolean(spec, "readonly")?,
            api_group: string(spec, "apiGroup")?,
            resource: string(spec, "resource")?,
            namespace: string(spec, "namespace")?,
            non_resource_path: string(spec, "nonResourcePath")?,
        };
        Ok(policy.star())
    }

    /// `*` as user or group means everybody who is authenticated.
    fn star(self) -> Self {
        if self.user == "*" || self.group == "*" {
            Self { user: String::new(), group: AUTHENTICATED.to_owned(), ..self }
        } else {
            self
        }
    }

    /// The first thing that fails, and half a sentence about it; `Err(None)` where the line does not name the user.
    fn test(&self, attributes: &Attributes<'_>) -> Result<(), Option<(Failed, String)>> {
        let Attributes { user, request } = attributes;
        let user_matches = self.user.is_empty() || self.user == user.name;
        let group_matches = self.group.is_empty() || user.groups.contains(&self.group);
        if !user_matches || !group_matches || (self.user.is_empty() && self.group.is_empty()) {
            return Err(None);
        }
        let matches = |own: &str, wanted: &str| own == "*" || own == wanted;
        let fail = |failed, lacks: String| Err(Some((failed, lacks)));
        if self.readonly && !matches!(request.verb.as_str(), "get" | "list" | "watch") {
            return fail(Failed::Verb, format!("{} does more than read", request.verb));
        }
        if !request.is_resource_request {
            let path = &self.non_resource_path;
            let prefix = path.ends_with('*') && request.path.starts_with(path.trim_end_matches('*'));
            return match prefix || *path == request.path {
                true => Ok(()),
                false => fail(Failed::Resource, format!("{} is not among it", request.path)),
            };
        }
        if self.resource.is_empty() && !request.resource.is_empty() {
            return fail(Failed::Resource, "the request is for no path".to_owned());
        }
        if !matches(&self.namespace, &request.namespace) {
            let wanted = match request.namespace.as_str() {
                "" => "the request is for the whole cluster".to_owned(),
                namespace => format!("the request is for namespace {namespace}"),
            };
            return fail(Failed::Namespace, wanted);
        }
        if !matches(&self.resource, &request.resource) {
            return fail(Failed::Resource, format!("the request is for {}", request.resource));
        }
        if !matches(&self.api_group, &request.api_group) {
            return fail(Failed::ApiGroup, format!("the request is for API group {}", or_core(&request.api_group)));
        }
        Ok(())
    }

    /// `the user alice to read pods of API group core in namespace default`.
    fn describe(&self) -> String {
        let who = match (self.user.as_str(), self.group.as_str()) {
            ("", group) => format!("the group {group}"),
            (user, "") => format!("the user {user}"),
            (user, group) => format!("the user {user} in the group {group}"),
        };
        let verb = if self.readonly { "read" } else { "do everything with" };
        let mut what = Vec::new();
        if !self.resource.is_empty() {
            let resource = if self.resource == "*" { "all resources" } else { &self.resource };
            let group = match self.api_group.as_str() {
                "*" => "every API group".to_owned(),
                group => format!("API group {}", or_core(group)),
            };
            let namespace = match self.namespace.as_str() {
                "*" => "everywhere".to_owned(),
                "" => "outside of namespaces".to_owned(),
                namespace => format!("in namespace {namespace}"),
            };
            what.push(format!("{resource} of {group} {namespace}"));
        }
        match self.non_resource_path.as_str() {
            "" => {}
            "*" => what.push("all paths".to_owned()),
            path => what.push(format!("the path {path}")),
        }
        if what.is_empty() {
            what.push("nothing".to_owned());
        }
        format!("{who} to {verb} {}", what.join(" and "))
    }

    fn location(&self) -> Location {
        Location { place: self.place.clone(), object: String::new(), path: String::new() }
    }
}

/// A member that says what the line is. Go's `encoding/json` finds it whatever its case.
fn type_member<'a>(fields: &'a Map<String, Value>, name: &str) -> Result<&'a str, String> {
    let named = fields.iter().filter(|(key, value)| key.eq_ignore_ascii_case(name) && !value.is_null());
    match named.map(|(_, value)| value).next_back() {
        None => Ok(""),
        Some(Value::String(text)) => Ok(text),
        Some(other) => {
            Err(format!("json: cannot unmarshal {} into Go struct field .{name} of type string", go_name(other)))
        }
    }
}

/// What `encoding/json` calls a value in an error.
fn go_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// A string member, found by its very name. The server's decoder also prints where it stopped, which is left out.
fn string(fields: &Map<String, Value>, name: &str) -> Result<String, String> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(other) => Err(format!("json: expect char '\"' but got char '{}'", first_char(other))),
    }
}

fn boolean(fields: &Map<String, Value>, name: &str) -> Result<bool, String> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(value)) => Ok(*value),
        Some(other) => Err(format!("json: decode bool: got first char {}", first_char(other))),
    }
}

fn first_char(value: &Value) -> char {
    json::to_string(value).chars().next().unwrap_or_default()
}
