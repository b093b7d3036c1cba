//! Label and field selectors of list requests.
//!
//! Behaviour: `apimachinery/pkg/labels/selector.go`, `apimachinery/pkg/fields/selector.go`; which fields a kind offers in
//! `pkg/api/v1/conversion.go` and its neighbours.

use super::{list, names, text};
use crate::manifest::Value;
use crate::request::quote;

/// A parsed `labelSelector`: all requirements must hold.
#[derive(Debug, Default)]
pub struct Labels(Vec<Requirement>);

#[derive(Debug)]
struct Requirement {
    key: String,
    operator: Operator,
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
    GreaterThan,
    LessThan,
}

impl Labels {
    /// Parses as the server does; the error is its text.
    pub fn parse(text: &str) -> Result<Self, String> {
        Parser { tokens: tokens(text), at: 0 }.parse().map(Self)
    }

    /// Whether an object with these labels is chosen.
    pub fn matches(&self, labels: Option<&Value>) -> bool {
        self.0.iter().all(|requirement| {
            let label = labels.and_then(|labels| labels.get(&requirement.key)).and_then(Value::as_str);
            requirement.matches(label)
        })
    }
}

impl Requirement {
    fn new(key: &str, operator: Operator, mut values: Vec<String>) -> Result<Self, String> {
        check_key(key)?;
        if matches!(operator, Operator::GreaterThan | Operator::LessThan)
            && values.iter().any(|value| value.parse::<i64>().is_err())
        {
            return Err("for 'Gt', 'Lt' operators, the value must be an integer".into());
        }
        crate::sort::by_text(&mut values, |value| value);
        values.dedup();
        for value in &values {
            let wrong = names::label_value(value);
            if !wrong.is_empty() {
                return Err(format!("invalid label value: {}: {}", quote(value), wrong.join("; ")));
            }
        }
        Ok(Self { key: key.into(), operator, values })
    }

    fn matches(&self, label: Option<&str>) -> bool {
        let among = || label.is_some_and(|label| self.values.iter().any(|value| value == label));
        let numbers = || Some((label?.parse::<i64>().ok()?, self.values.first()?.parse::<i64>().ok()?));
        match self.operator {
            Operator::In => among(),
            Operator::NotIn => !among(),
            Operator::Exists => label.is_some(),
            Operator::DoesNotExist => label.is_none(),
            Operator::GreaterThan => numbers().is_some_and(|(label, value)| label > value),
            Operator::LessThan => numbers().is_some_and(|(label, value)| label < value),
        }
    }
}

fn check_key(key: &str) -> Result<(), String> {
    let wrong = names::qualified(key);
    if wrong.is_empty() { Ok(()) } else { Err(format!("invalid label key {}: {}", quote(key), wrong.join("; "))) }
}

/// Words and operators; the end is the empty token.
fn tokens(text: &str) -> Vec<String> {
    const OPERATORS: [&str; 9] = [")", ",", "!=", "!", "==", "=", ">", "<", "("];
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        let operator = OPERATORS.into_iter().find(|operator| rest.starts_with(operator));
        let token = match operator {
            Some(operator) => operator,
            None => rest.split(['=', '!', '(', ')', ',', '>', '<', ' ', '\t', '\r', '\n']).next().unwrap_or_default(),
        };
        tokens.push(token.to_owned());
        if token.is_empty() {
            return tokens;
        }
        rest = rest.get(token.len()..).unwrap_or_default();
    }
}

struct Parser {
    tokens: Vec<String>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> &str {
        self.tokens.get(self.at).map_or("", String::as_str)
    }

    fn next(&mut self) -> String {
        let token = self.peek().to_owned();
        self.at += 1;
        token
    }

    fn parse(&mut self) -> Result<Vec<Requirement>, String> {
        let mut requirements = Vec::new();
        loop {
            match self.peek() {
                "" => return Ok(requirements),
                token if token != "!" && !is_identifier(token) => {
                    return Err(format!("found '{token}', expected: !, identifier, or 'end of string'"));
                }
                _ => {}
            }
            let requirement = self.requirement().map_err(|error| format!("unable to parse requirement: {error}"))?;
            requirements.push(requirement);
            match self.next().as_str() {
                "" => return Ok(requirements),
                "," if self.peek() != "!" && !is_identifier(self.peek()) => {
                    return Err(format!("found '{}', expected: identifier after ','", self.peek()));
                }
                "," => {}
                other => return Err(format!("found '{other}', expected: ',' or 'end of string'")),
            }
        }
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let mut key = self.next();
        let absent = key == "!";
        if absent {
            key = self.next();
        }
        if !is_identifier(&key) {
            return Err(format!("found '{key}', expected: identifier"));
        }
        check_key(&key)?;
        if absent {
            return Requirement::new(&key, Operator::DoesNotExist, Vec::new());
        }
        if matches!(self.peek(), "" | ",") {
            return Requirement::new(&key, Operator::Exists, Vec::new());
        }
        let (operator, set) = match self.next().as_str() {
            "in" => (Operator::In, true),
            "notin" => (Operator::NotIn, true),
            "=" | "==" => (Operator::In, false),
            "!=" => (Operator::NotIn, false),
            ">" => (Operator::GreaterThan, false),
            "<" => (Operator::LessThan, false),
            other => return Err(format!("found '{other}', expected: '=', '!=', '==', 'in', notin'")),
        };
        let values = if set { self.values()? } else { vec![self.value()?] };
        Requirement::new(&key, operator, values)
    }

    fn value(&mut self) -> Result<String, String> {
        if matches!(self.peek(), "" | ",") {
            return Ok(String::new());
        }
        let token = self.next();
        if is_identifier(&token) { Ok(token) } else { Err(format!("found '{token}', expected: identifier")) }
    }

    fn values(&mut self) -> Result<Vec<String>, String> {
        let open = self.next();
        if open != "(" {
            return Err(format!("found '{open}' expected: '('"));
        }
        let first = self.peek().to_owned();
        if first == ")" {
            self.at += 1;
            return Ok(vec![String::new()]);
        }
        if first != "," && !is_identifier(&first) {
            return Err(format!("found '{first}', expected: ',', ')' or identifier"));
        }
        let mut values = Vec::new();
        loop {
            let token = self.next();
            if is_identifier(&token) {
                values.push(token);
                match self.peek() {
                    "," => {}
                    ")" => break,
                    other => return Err(format!("found '{other}', expected: ',' or ')'")),
                }
            } else if token == "," {
                if values.is_empty() {
                    values.push(String::new());
                }
                match self.peek() {
                    ")" => {
                        values.push(String::new());
                        break;
                    }
                    "," => {
                        self.at += 1;
                        values.push(String::new());
                    }
                    _ => {}
                }
            } else {
                return Err(format!("found '{token}', expected: ',', or identifier"));
            }
        }
        self.at += 1;
        Ok(values)
    }
}

fn is_identifier(token: &str) -> bool {
    !token.is_empty() && !token.starts_with(['=', '!', '(', ')', ',', '>', '<'])
}

/// Whether a `metav1.LabelSelector` chooses these labels; one without terms chooses everything.
pub fn label_selector_matches(selector: &Value, labels: Option<&Value>) -> bool {
    let label = |key: &str| labels.and_then(|labels| labels.get(key));
    let equal = |(key, value): (&String, &Value)| label(key) == Some(value);
    let wanted = selector.get("matchLabels").and_then(Value::as_object);
    let expressed = list(selector, "matchExpressions").iter().all(|expression| {
        let found = label(text(expression, "key"));
        let among = || found.is_some_and(|found| list(expression, "values").contains(found));
        match text(expression, "operator") {
            "In" => among(),
            "NotIn" => !among(),
            "Exists" => found.is_some(),
            _ => found.is_none(),
        }
    });
    expressed && wanted.is_none_or(|wanted| wanted.iter().all(equal))
}

/// A parsed `fieldSelector`: all terms must hold.
#[derive(Debug, Default)]
pub struct Fields(Vec<Term>);

#[derive(Debug)]
struct Term {
    field: String,
    value: String,
    equal: bool,
}

impl Fields {
    /// Parses as the server does for objects of `kind` in `api_version`; the error is its text.
    pub fn parse(text: &str, api_version: &str, kind: &str) -> Result<Self, String> {
        let mut terms = Vec::new();
        let mut parts = split_unescaped(text);
        crate::sort::by_text(&mut parts, |part| part);
        for part in parts.into_iter().filter(|part| !part.is_empty()) {
            let split = part.char_indices().find_map(|(at, _)| {
                let rest = part.get(at..)?;
                let operator = ["!=", "==", "="].into_iter().find(|operator| rest.starts_with(operator))?;
                Some((part.get(..at)?, operator, rest.get(operator.len()..)?))
            });
            let Some((field, operator, value)) = split else {
                return Err(format!("invalid selector: '{text}'; can't understand '{part}'"));
            };
            terms.push(Term { field: field.into(), value: unescape(value)?, equal: operator != "!=" });
        }
        for term in &mut terms {
            term.field = known_field(api_version, kind, &term.field)?;
        }
        Ok(Self(terms))
    }

    /// The one name that is asked for.
    pub fn name(&self) -> Option<&str> {
        let names = |term: &&Term| term.equal && term.field == "metadata.name";
        self.0.iter().find(names).map(|term| term.value.as_str())
    }

    /// Whether `object` is chosen.
    pub fn matches(&self, kind: &str, object: &Value) -> bool {
        self.0.iter().all(|term| (selectable(kind, &term.field, object) == term.value) == term.equal)
    }
}

fn split_unescaped(text: &str) -> Vec<&str> {
    let mut escaped = false;
    text.split(move |c| {
        let separates = !escaped && c == ',';
        escaped = !escaped && c == '\\';
        separates
    })
    .collect()
}

fn unescape(text: &str) -> Result<String, String> {
    let mut value = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(next @ ('\\' | ',' | '=')) => value.push(next),
                next => {
                    let next = next.map_or(String::new(), String::from);
                    return Err(format!("invalid field selector: invalid escape sequence: \\{next}"));
                }
            },
            ',' | '=' => {
                return Err(format!("invalid field selector: unescaped character in value: {}", c as u32));
            }
            c => value.push(c),
        }
    }
    Ok(value)
}

/// The field's internal name where clients may select by it.
fn known_field(api_version: &str, kind: &str, field: &str) -> Result<String, String> {
    let meta = matches!(field, "metadata.name" | "metadata.namespace");
    let plain = || format!("field label not supported: {field}");
    let of_kind = || format!("field label {} not supported for {kind}", quote(field));
    let of_quoted_kind = || format!("field label {} not supported for {}", quote(field), quote(kind));
    let (known, refusal) = match (api_version, kind) {
        (
            "v1",
            "Endpoints" | "ResourceQuota" | "PersistentVolumeClaim" | "Service" | "ServiceAccount" | "ConfigMap",
        )
        | ("extensions/v1beta1", "DaemonSet" | "Deployment" | "Ingress") => (meta, of_quoted_kind()),
        ("v1", "Pod") => match field {
            "spec.host" => return Ok("spec.nodeName".into()),
            "metadata.annotations"
            | "metadata.labels"
            | "spec.nodeName"
            | "spec.restartPolicy"
            | "spec.serviceAccountName"
            | "status.phase"
            | "status.hostIP"
            | "status.podIP" => (true, String::new()),
            _ => (meta, plain()),
        },
        ("v1", "Node") => (matches!(field, "metadata.name" | "spec.unschedulable"), plain()),
        ("v1", "ReplicationController") => (meta || field == "status.replicas", plain()),
        ("v1", "Event") => {
            let members = ["kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath"];
            let object = field.strip_prefix("involvedObject.").is_some_and(|member| members.contains(&member));
            (meta || object || matches!(field, "reason" | "source" | "type"), plain())
        }
        ("v1", "Namespace") => (matches!(field, "metadata.name" | "status.phase"), plain()),
        ("v1", "Secret") => (meta || field == "type", plain()),
        ("v1", "PersistentVolume") | ("certificates.k8s.io/v1beta1", "CertificateSigningRequest") => {
            (field == "metadata.name", plain())
        }
        ("apps/v1beta1", "StatefulSet") => {
            let refusal = format!("field label not supported for StatefulSet: {field}");
            (meta || field == "status.successful", refusal)
        }
        ("apps/v1beta1", "Deployment") => (meta, of_kind()),
        ("batch/v1", "Job") => (meta || field == "status.successful", of_kind()),
        ("v1" | "extensions/v1beta1" | "apps/v1beta1" | "batch/v1" | "certificates.k8s.io/v1beta1", _) => {
            return Err(format!("No field label conversion function found for version {api_version} and kind {kind}"));
        }
        _ => return Err(format!("No field label conversion function found for version: {api_version}")),
    };
    if known { Ok(field.into()) } else { Err(refusal) }
}

/// The value of a selectable field; what a kind lets through its conversion and does not index is empty.
fn selectable(kind: &str, field: &str, object: &Value) -> String {
    let (field, default) = match (kind, field) {
        (
            "Pod",
            "spec.serviceAccountName" | "status.hostIP" | "status.podIP" | "metadata.labels" | "metadata.annotations",
        ) => {
            return String::new();
        }
        ("Node", "spec.unschedulable") => (field, "false"),
        ("Event", "source") => ("source.component", ""),
        ("Job", "status.successful") => ("status.succeeded", "0"),
        ("ReplicationController", "status.replicas") => (field, "0"),
        _ => (field, ""),
    };
    match field.split('.').try_fold(object, |value, key| value.get(key)) {
        Some(Value::String(text)) => text.clone(),
        Some(value @ (Value::Bool(_) | Value::Number(_))) => value.to_string(),
        _ => default.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn labels_choose() {
        let labels = json!({"l": "1", "env": "prod", "n": "5"});
        let table = [
            ("", true),
            ("l=1", true),
            ("l==2", false),
            ("l!=2", true),
            ("absent!=2", true),
            ("l", true),
            ("!l", false),
            ("!absent,l", true),
            ("env in (prod,,test)", true),
            ("env notin (prod)", false),
            ("env in ()", false),
            ("n>4", true),
            ("n < 4", false),
            ("in=x", false),
        ];
        for (text, chosen) in table {
            assert_eq!(Labels::parse(text).unwrap().matches(Some(&labels)), chosen, "{text}");
        }
    }

    #[test]
    fn what_is_no_label_selector_is_refused_in_the_servers_words() {
        let table = [
            ("a b c", "unable to parse requirement: found 'b', expected: '=', '!=', '==', 'in', notin'"),
            ("=a", "found '=', expected: !, identifier, or 'end of string'"),
            ("a,", "found '', expected: identifier after ','"),
            ("a in b", "unable to parse requirement: found 'b' expected: '('"),
            ("n>x", "unable to parse requirement: for 'Gt', 'Lt' operators, the value must be an integer"),
            ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
        ];
        for (text, error) in table {
            assert_eq!(Labels::parse(text).unwrap_err(), error, "{text}");
        }
    }

    #[test]
    fn fields_choose() {
        let pod = json!({"metadata": {"name": "p", "namespace": "n"}, "spec": {"nodeName": "a"}, "status": {"phase": "Running"}});
        let table = [
            ("metadata.name=p", true),
            ("metadata.name!=p", false),
            ("spec.host=a,status.phase==Running", true),
            ("spec.nodeName=", false),
            ("", true),
        ];
        for (text, chosen) in table {
            assert_eq!(Fields::parse(text, "v1", "Pod").unwrap().matches("Pod", &pod), chosen, "{text}");
        }
        let wrong = [
            ("v1", "ConfigMap", "spec.x=1", "field label \"spec.x\" not supported for \"ConfigMap\""),
            ("v1", "Pod", "spec.x=1", "field label not supported: spec.x"),
            ("v1", "Pod", "x", "invalid selector: 'x'; can't understand 'x'"),
            ("v1", "Pod", "metadata.name=a=b", "invalid field selector: unescaped character in value: 61"),
            (
                "rbac.authorization.k8s.io/v1beta1",
                "Role",
                "metadata.name=a",
                "No field label conversion function found for version: rbac.authorization.k8s.io/v1beta1",
            ),
        ];
        for (version, kind, text, error) in wrong {
            assert_eq!(Fields::parse(text, version, kind).unwrap_err(), error, "{text}");
        }
    }
}
