//! The audit policy: which requests are recorded, and how much of each.
//!
//! Behaviour: Kubernetes' `apiserver/pkg/audit/policy` (reader and checker) and `apiserver/pkg/apis/audit`. 1.7 decodes
//! the file with `ugorji/go`, by way of JSON with sorted members: member names count with their case, and errors name
//! the byte of that JSON.

use std::rc::Rc;

use super::Level;
use crate::authentication::User;
use crate::manifest::{self, Diagnostic, Document, Location, Object, Origin, PathStep, Severity, Value, json, yaml};
use crate::request::{RequestInfo, quote};
use crate::sort::SortedMap;

const API_VERSION: &str = "audit.k8s.io/v1alpha1";

/// The members of a Policy that 1.7 reads.
const POLICY: [&str; 4] = ["kind", "apiVersion", "metadata", "rules"];
/// Those of a rule.
const RULE: [&str; 7] = ["level", "users", "userGroups", "verbs", "resources", "namespaces", "nonResourceURLs"];
/// Those of an entry of `resources`.
const GROUP_RESOURCES: [&str; 2] = ["group", "resources"];

/// An audit Policy: the first rule that matches a request decides; where none does, nothing is recorded.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    rules: Vec<Rule>,
    index: Index,
    object: Option<Object>,
}

/// Which rules to try for a request, so that a decision does not take longer with every rule.
#[derive(Clone, Debug, Default)]
struct Index {
    /// By API group and resource: the rules that name it, in order.
    named: SortedMap<String, SortedMap<String, Vec<usize>>>,
    /// The other rules, in order: every one that is not about resources by name.
    others: Vec<usize>,
}

/// A rule of a [`Policy`]. An empty list is no condition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// How much of a request that matches is recorded.
    pub level: Level,
    /// Names of users, one of which must be the (not impersonated) user's.
    pub users: Vec<String>,
    /// Groups, one of which the user must be in.
    pub user_groups: Vec<String>,
    /// Verbs, one of which must be the request's.
    pub verbs: Vec<String>,
    /// API groups and their resources: only resource requests match.
    pub resources: Vec<GroupResources>,
    /// Namespaces, `""` for cluster scope: only resource requests match.
    pub namespaces: Vec<String>,
    /// Paths, `*` at the end for any rest: only other requests match.
    pub non_resource_urls: Vec<String>,
}

/// Resources of one API group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupResources {
    /// `""` for the core group.
    pub group: String,
    /// Plurals without subresource; empty for all of the group.
    pub resources: Vec<String>,
}

impl Policy {
    /// Reads the file `path` of `--audit-policy-file`, which stands in `source` from `first_line` on. The error is the
    /// server's, as it prints it behind `loading audit policy file: `.
    pub fn parse(path: &str, source: &Rc<str>, first_line: u32, text: &str) -> Result<Self, String> {
        let rules = read(text).map_err(|error| format!("failed decoding file {}: {error}", quote(path)))?;
        let mut errors = Vec::new();
        let mut checked = Vec::with_capacity(rules.len());
        for (index, (level, rule)) in rules.into_iter().enumerate() {
            let known = Level::parse(&level);
            match &known {
                Some(_) => {}
                None if level.is_empty() => errors.push(format!("rules[{index}].level: Required value")),
                None => errors.push(format!(
                    "rules[{index}].level: Unsupported value: {}: supported values: None, Metadata, Request, \
                     RequestResponse",
                    quote(&level)
                )),
            }
            let for_resources = !rule.resources.is_empty() || !rule.namespaces.is_empty();
            if !rule.non_resource_urls.is_empty() && for_resources {
                let urls: Vec<_> = rule.non_resource_urls.iter().map(|url| quote(url)).collect();
                errors.push(format!(
                    "rules[{index}].nonResourceURLs: Invalid value: []string{{{}}}: rules cannot apply to both regular \
                     resources and non-resource URLs",
                    urls.join(", ")
                ));
            }
            checked.push(Rule { level: known.unwrap_or_default(), ..rule });
        }
        match errors.as_slice() {
            [] => {}
            [error] => return Err(error.clone()),
            errors => return Err(format!("[{}]", errors.join(", "))),
        }
        let document = manifest::parse(source, first_line, text).0.into_iter().next();
        let object = document.map(|Document { value, origin }| Object::new(value, Some(origin)));
        Ok(Self { index: Index::of(&checked), rules: checked, object })
    }

    /// The rules, in order.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The level of a request, and the index of the rule that says so. `user` is who sent it, not whom it impersonates.
    pub fn level(&self, user: &User, request: &RequestInfo) -> (Level, Option<usize>) {
        let matches = |index: &usize| self.rules.get(*index).is_some_and(|rule| rule.matches(user, request));
        let named = self.index.named.get(&request.api_group).and_then(|group| group.get(&request.resource));
        let named = named.into_iter().flatten().copied().find(matches);
        let other = self.index.others.iter().copied().take_while(|index| named.is_none_or(|named| *index < named));
        let first = other.into_iter().find(matches).or(named);
        first.and_then(|index| Some((self.rules.get(index)?.level, Some(index)))).unwrap_or_default()
    }

    /// The members that nothing reads, a warning each: what they ask for does not happen.
    pub fn unread(&self) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        if let Some(object) = &self.object {
            unread(object, &object.value, &[], &POLICY, &mut found);
        }
        found
    }

    /// Where rule `index` stands.
    pub fn location(&self, index: usize) -> Location {
        let path = format!("rules[{index}]");
        let Some(object) = &self.object else { return Location { place: None, object: "Policy".into(), path } };
        let name = object.name();
        let place = object
            .origin
            .as_ref()
            .map(|origin: &Rc<Origin>| origin.place(&[PathStep::Key("rules"), PathStep::Index(index)]));
        let object = if name.is_empty() { "Policy".into() } else { format!("Policy/{name}") };
        Location { place, object, path }
    }
}

impl Index {
    fn of(rules: &[Rule]) -> Self {
        let mut index = Self::default();
        for (at, rule) in rules.iter().enumerate() {
            if rule.resources.is_empty() || rule.resources.iter().any(|entry| entry.resources.is_empty()) {
                index.others.push(at);
                continue;
            }
            for entry in &rule.resources {
                let group = index.named.get_or_default(entry.group.clone());
                for resource in &entry.resources {
                    let rules = group.get_or_default(resource.clone());
                    if rules.last() != Some(&at) {
                        rules.push(at);
                    }
                }
            }
        }
        index
    }
}

impl Rule {
    /// Whether every condition holds.
    pub fn matches(&self, user: &User, request: &RequestInfo) -> bool {
        let lists = |list: &[String], text: &str| list.is_empty() || list.iter().any(|entry| entry == text);
        if !lists(&self.users, &user.name) || !lists(&self.verbs, &request.verb) {
            return false;
        }
        if !self.user_groups.is_empty() && !user.groups.iter().any(|group| self.user_groups.contains(group)) {
            return false;
        }
        if !self.namespaces.is_empty() || !self.resources.is_empty() {
            let entry =
                |entry: &GroupResources| entry.group == request.api_group && lists(&entry.resources, &request.resource);
            return request.is_resource_request
                && lists(&self.namespaces, &request.namespace)
                && (self.resources.is_empty() || self.resources.iter().any(entry));
        }
        self.non_resource_urls.is_empty()
            || !request.is_resource_request
                && self.non_resource_urls.iter().any(|spec| path_matches(spec, &request.path))
    }
}

/// Of `value`, which stands at `path` of the file and has members of these names, and of the structs below it.
fn unread(object: &Object, value: &Value, path: &[PathStep<'_>], names: &[&str], found: &mut Vec<Diagnostic>) {
    for (member, value) in value.as_object().into_iter().flatten() {
        let path = [path, &[PathStep::Key(member)]].concat();
        if !names.contains(&member.as_str()) {
            let Some(place) = object.origin.as_ref().map(|origin| origin.place(&path)) else { continue };
            let message = format!("{API_VERSION} has no field {member} here, and the server ignores it.");
            found.push(Diagnostic {
                severity: Severity::Warning,
                file: place.file,
                line: place.line,
                column: 0,
                message,
            });
        }
        let names: &[&str] = match (names == POLICY, member.as_str()) {
            (true, "rules") => &RULE,
            (false, "resources") => &GROUP_RESOURCES,
            _ => continue,
        };
        for (at, entry) in value.as_array().into_iter().flatten().enumerate() {
            unread(object, entry, &[&path[..], &[PathStep::Index(at)]].concat(), names, found);
        }
    }
}

pub(super) fn path_matches(spec: &str, path: &str) -> bool {
    spec == path || spec.ends_with('*') && path.starts_with(spec.trim_end_matches('*'))
}

/// The rules of the file, each with its level as written.
fn read(text: &str) -> Result<Vec<(String, Rule)>, String> {
    let value = sorted(yaml::parse(text)?);
    let (api_version, kind) = type_meta(&value)?;
    let api_version = if api_version.is_empty() { API_VERSION } else { &api_version };
    let kind = if kind.is_empty() { "Policy" } else { &kind };
    match (api_version, kind) {
        (API_VERSION, "Policy") => {}
        (API_VERSION, "PolicyList" | "Event" | "EventList") => {
            return Err(format!("unable to decode {API_VERSION}, Kind={kind} into *v1alpha1.Policy"));
        }
        _ => return Err(format!("no kind {} is registered for version {}", quote(kind), quote(api_version))),
    }
    let mut rules = Vec::new();
    let top = Node { value: &value, at: 0 };
    for (name, node) in top.members(&POLICY)? {
        if name == "rules" {
            for node in node.structs("[]v1alpha1.PolicyRule")? {
                rules.push(rule(node)?);
            }
        }
    }
    Ok(rules)
}

fn rule(node: Node<'_>) -> Result<(String, Rule), String> {
    let (mut level, mut rule) = (String::new(), Rule::default());
    for (name, node) in node.members(&RULE)? {
        match name {
            "level" => level = node.text()?,
            "users" => rule.users = node.texts()?,
            "userGroups" => rule.user_groups = node.texts()?,
            "verbs" => rule.verbs = node.texts()?,
            "namespaces" => rule.namespaces = node.texts()?,
            "nonResourceURLs" => rule.non_resource_urls = node.texts()?,
            "resources" => {
                for node in node.structs("[]v1alpha1.GroupResources")? {
                    let mut entry = GroupResources::default();
                    for (name, node) in node.members(&GROUP_RESOURCES)? {
                        match name {
                            "group" => entry.group = node.text()?,
                            _ => entry.resources = node.texts()?,
                        }
                    }
                    rule.resources.push(entry);
                }
            }
            _ => {}
        }
    }
    Ok((level, rule))
}

/// `apiVersion` and `kind`, which `encoding/json` reads before the rest: without regard to case.
fn type_meta(value: &Value) -> Result<(String, String), String> {
    let wrong = |found: &Value, what: &str| {
        let found = match found {
            Value::Array(_) => "array",
            Value::Object(_) => "object",
            Value::String(_) => "string",
            Value::Bool(_) => "bool",
            _ => "number",
        };
        format!("couldn't get version/kind; json parse error: json: cannot unmarshal {found} into Go {what}")
    };
    let members = match value {
        Value::Null => return Ok(Default::default()),
        Value::Object(members) => members,
        _ => {
            let tags = r#"APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"""#;
            return Err(wrong(value, &format!("value of type struct {{ {tags} }}")));
        }
    };
    let text = |name: &str| {
        let mut found = members.iter().filter(|(key, value)| key.eq_ignore_ascii_case(name) && !value.is_null());
        match found.next_back() {
            None => Ok(String::new()),
            Some((_, Value::String(text))) => Ok(text.clone()),
            Some((_, other)) => Err(wrong(other, &format!("struct field .{name} of type string"))),
        }
    };
    Ok((text("apiVersion")?, text("kind")?))
}

/// Members in byte order, as `ghodss/yaml` writes them.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(mut members) => {
            members.sort_keys();
            Value::Object(members.into_iter().map(|(key, value)| (key, sorted(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        scalar => scalar,
    }
}

/// A value and the byte of the JSON text at which it begins: what `ugorji/go` decodes, with its leniency and its errors.
#[derive(Clone, Copy)]
struct Node<'v> {
    value: &'v Value,
    at: usize,
}

impl<'v> Node<'v> {
    /// The members of a struct, in the text's order. A list fills the fields in their order.
    fn members(self, names: &[&'static str]) -> Result<Vec<(&'static str, Node<'v>)>, String> {
        let mut at = self.at + 1;
        match self.value {
            Value::Null => Ok(Vec::new()),
            Value::Object(members) => {
                let mut found = Vec::new();
                for (key, value) in members {
                    at += quoted(key) + 1;
                    if let Some(name) = names.iter().find(|name| *name == key) {
                        found.push((*name, Node { value, at }));
                    }
                    at += json::to_string(value).len() + 1;
                }
                Ok(found)
            }
            Value::Array(_) => Ok(names.iter().copied().zip(self.items()).collect()),
            _ => Err("only encoded map or array can be decoded into a struct".into()),
        }
    }

    /// The elements of a list of structs.
    fn structs(self, type_name: &str) -> Result<Vec<Node<'v>>, String> {
        match self.value {
            Value::String(_) => Err(self.error(&format!(
                "bytes or string in the stream must be decoded into a slice or array of bytes, not {type_name}"
            ))),
            // A mapping is read as keys and values in turn, and a key is no struct.
            Value::Object(members) if !members.is_empty() => {
                Err("only encoded map or array can be decoded into a struct".into())
            }
            Value::Bool(_) | Value::Number(_) => Err(self.no_slice(0)),
            _ => Ok(self.items()),
        }
    }

    fn texts(self) -> Result<Vec<String>, String> {
        match self.value {
            Value::String(_) => Err(self.no_slice(6)),
            Value::Bool(_) | Value::Number(_) => Err(self.no_slice(0)),
            Value::Object(members) => {
                let mut texts = Vec::new();
                let mut at = self.at + 1;
                for (key, value) in members {
                    at += quoted(key) + 1;
                    texts.extend([key.clone(), Node { value, at }.text()?]);
                    at += json::to_string(value).len() + 1;
                }
                Ok(texts)
            }
            _ => self.items().into_iter().map(Node::text).collect(),
        }
    }

    fn text(self) -> Result<String, String> {
        match self.value {
            Value::Null => Ok(String::new()),
            Value::String(text) => Ok(text.clone()),
            other => {
                let first = json::to_string(other).chars().next().unwrap_or(' ');
                Err(self.error(&format!("json: expect char '\"' but got char '{first}'")))
            }
        }
    }

    fn items(self) -> Vec<Node<'v>> {
        let mut at = self.at + 1;
        let mut nodes = Vec::new();
        for value in self.value.as_array().into_iter().flatten() {
            nodes.push(Node { value, at });
            at += json::to_string(value).len() + 1;
        }
        nodes
    }

    fn no_slice(self, code: u8) -> String {
        self.error(&format!("only encoded map or array can be decoded into a slice ({code})"))
    }

    fn error(self, text: &str) -> String {
        format!("[pos {}]: {text}", self.at + 1)
    }
}

fn quoted(key: &str) -> usize {
    json::to_string(&Value::from(key)).len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Policy, String> {
        Policy::parse("policy.yaml", &"doc.md".into(), 10, text)
    }

    #[test]
    fn what_nothing_reads_is_told() {
        let policy = parse(
            "apiVersion: audit.k8s.io/v1alpha1\nkind: Policy\nmetadata: {any: thing}\nomitStages: [RequestReceived]\nrules:\n\
             - level: None\n  user: [a]\n  resources:\n  - group: ''\n    resourceNames: [x]\n    resources: [pods]\n\
             - level: Metadata\n  omitStages: []\n",
        );
        let told: Vec<_> = policy.unwrap().unread().into_iter().map(|it| (it.line, it.message)).collect();
        let expected = [(13, "omitStages"), (16, "user"), (19, "resourceNames"), (22, "omitStages")];
        let message = |name| format!("audit.k8s.io/v1alpha1 has no field {name} here, and the server ignores it.");
        assert_eq!(told, expected.map(|(line, name)| (line, message(name))));
    }

    #[test]
    fn a_value_of_the_wrong_type_is_an_error_of_ugorji() {
        let no_struct = "only encoded map or array can be decoded into a struct";
        let bytes = |pos: u32, type_name: &str| {
            format!(
                "[pos {pos}]: bytes or string in the stream must be decoded into a slice or array of bytes, not \
                 []v1alpha1.{type_name}"
            )
        };
        for (text, expected) in [
            ("rules: x", bytes(10, "PolicyRule")),
            ("rules: {a: b}", no_struct.into()),
            ("rules: 1", "[pos 10]: only encoded map or array can be decoded into a slice (0)".into()),
            ("rules: [x]", no_struct.into()),
            ("rules: [{level: 1}]", "[pos 20]: json: expect char '\"' but got char '1'".into()),
            ("rules: [{level: {a: b}}]", "[pos 20]: json: expect char '\"' but got char '{'".into()),
            (
                "rules: [{level: None, users: alice}]",
                "[pos 35]: only encoded map or array can be decoded into a slice (6)".into(),
            ),
            ("rules: [{level: None, users: [1]}]", "[pos 36]: json: expect char '\"' but got char '1'".into()),
            (
                "rules: [{level: None, users: {a: {b: c}}}]",
                "[pos 40]: json: expect char '\"' but got char '{'".into(),
            ),
            ("rules: [{level: None, resources: pods}]", bytes(39, "GroupResources")),
            ("rules: [{level: None, resources: [pods]}]", no_struct.into()),
            (
                "rules: [{resources: [{group: 1}], level: None}]",
                "[pos 49]: json: expect char '\"' but got char '1'".into(),
            ),
            (
                "kind: [a]",
                "couldn't get version/kind; json parse error: json: cannot unmarshal array into Go struct field .kind of \
                 type string"
                    .into(),
            ),
            (
                "kind: EventList",
                "unable to decode audit.k8s.io/v1alpha1, Kind=EventList into *v1alpha1.Policy".to_string(),
            ),
        ] {
            assert_eq!(parse(text).unwrap_err(), format!("failed decoding file \"policy.yaml\": {expected}"), "{text}");
        }
        let users = parse("rules: [{level: None, users: {a: b}}]").unwrap().rules[0].users.clone();
        assert_eq!(users, ["a", "b"], "a mapping is read as a list of keys and values");
        assert_eq!(parse("rules: [[Request, [bob]]]").unwrap().rules[0].level, Level::Request, "fields in order");
        assert_eq!(parse("rules: [{Level: None}]").unwrap_err(), "rules[0].level: Required value", "case counts");
    }

    #[test]
    fn a_rule_knows_its_lines() {
        let policy =
            parse("kind: Policy\nmetadata: {name: p}\nrules:\n- level: None\n  users: [a]\n- level: Request\n");
        let location = policy.unwrap().location(1);
        assert_eq!((location.object.as_str(), location.path.as_str()), ("Policy/p", "rules[1]"));
        let place = location.place.unwrap();
        assert_eq!((place.line, place.end_line), (15, 15));
    }

    #[test]
    fn the_first_rule_whose_conditions_all_hold_decides() {
        let policy = parse(
            "rules:\n- {level: None, users: [bob], verbs: [get]}\n- {level: Request, userGroups: [dev], namespaces: ['']}\n\
             - {level: Metadata, resources: [{group: ''}, {group: apps, resources: [pods/log, deployments]}]}\n\
             - {level: RequestResponse, nonResourceURLs: [/healthz*, /api]}\n",
        )
        .unwrap();
        let resource = |verb: &str, group: &str, resource: &str, namespace: &str| RequestInfo {
            is_resource_request: true,
            verb: verb.into(),
            api_group: group.into(),
            resource: resource.into(),
            namespace: namespace.into(),
            ..RequestInfo::default()
        };
        let path = |path: &str| RequestInfo { path: path.into(), verb: "put".into(), ..RequestInfo::default() };
        for (user, group, request, rule) in [
            ("bob", "dev", resource("get", "", "pods", "a"), Some(0)),
            ("bob", "dev", resource("list", "", "pods", ""), Some(1)),
            ("bob", "dev", resource("list", "", "pods", "a"), Some(2)),
            ("al", "dev", resource("get", "apps", "deployments", "a"), Some(2)),
            ("al", "ops", resource("get", "apps", "pods", "a"), None),
            ("al", "dev", path("/healthz/ping"), Some(3)),
            ("al", "dev", path("/api"), Some(3)),
            ("al", "dev", path("/apis"), None),
        ] {
            let user = User { name: user.into(), groups: vec![group.into()], ..User::default() };
            assert_eq!(policy.level(&user, &request).1, rule, "{user:?} {request:?}");
            let first = policy.rules().iter().position(|rule| rule.matches(&user, &request));
            assert_eq!(first, rule, "the index leaves none out: {user:?} {request:?}");
        }
    }
}
