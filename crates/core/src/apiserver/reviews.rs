//! Objects that are asked and not stored: access reviews and token reviews.
//!
//! Behaviour: `pkg/registry/authorization/*/rest.go`, `pkg/apis/authorization/validation/validation.go`,
//! `pkg/registry/authentication/tokenreview/storage.go`.

use crate::authentication::{Identity, User};
use crate::authorization::{Attributes, Authorizers, Decision, Verdict, aggregate};
use crate::manifest::{Map, Value};
use crate::request::{RequestInfo, quote};
use crate::status::{FieldError, Qualified, Status};

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Review {
    SubjectAccess,
    SelfSubjectAccess,
    LocalSubjectAccess,
    Token,
}

impl Review {
    /// The review that is created at a resource; `None` where objects are stored.
    pub(super) fn of(group: &str, resource: &str) -> Option<Self> {
        match (group, resource) {
            ("authorization.k8s.io", "subjectaccessreviews") => Some(Self::SubjectAccess),
            ("authorization.k8s.io", "selfsubjectaccessreviews") => Some(Self::SelfSubjectAccess),
            ("authorization.k8s.io", "localsubjectaccessreviews") => Some(Self::LocalSubjectAccess),
            ("authentication.k8s.io", "tokenreviews") => Some(Self::Token),
            _ => None,
        }
    }

    /// Whom and what an access review asks about. `object` is the decoded review, `asker` who sent it to `namespace`.
    pub(super) fn subject(self, object: &Value, asker: &User, namespace: &str) -> Result<(User, RequestInfo), Status> {
        let empty = Value::Null;
        let spec = object.get("spec").unwrap_or(&empty);
        let errors = self.errors(object, spec);
        if !errors.is_empty() {
            return Err(Status::invalid(Qualified { group: "authorization.k8s.io", name: "" }, "", &errors));
        }
        if self == Self::LocalSubjectAccess && text(object.get("metadata"), "namespace") != namespace {
            let message = format!("spec.resourceAttributes.namespace must match namespace: {namespace}");
            return Err(Status::bad_request(message));
        }
        let user = if self == Self::SelfSubjectAccess { asker.clone() } else { user(spec) };
        Ok((user, attributes(spec)))
    }

    /// What validation says.
    fn errors(self, object: &Value, spec: &Value) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let resource = given(spec, "resourceAttributes");
        let other = given(spec, "nonResourceAttributes");
        let printed = |other: &Value| {
            let (path, verb) = (quote(text(Some(other), "path")), quote(text(Some(other), "verb")));
            format!("authorization.NonResourceAttributes{{Path:{path}, Verb:{verb}}}")
        };
        match (resource, other) {
            (Some(_), Some(other)) => {
                let detail = "cannot be specified in combination with resourceAttributes";
                errors.push(FieldError::invalid_value("spec.nonResourceAttributes", &printed(other), detail));
            }
            (None, None) => {
                let detail = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
                errors.push(FieldError::invalid("spec.resourceAttributes", "null", detail));
            }
            _ => {}
        }
        if self != Self::SelfSubjectAccess && text(Some(spec), "user").is_empty() && groups(spec).is_empty() {
            errors.push(FieldError::invalid("spec.user", "", "at least one of user or group must be specified"));
        }
        let empty = Map::new();
        let metadata = object.get("metadata").and_then(Value::as_object).unwrap_or(&empty);
        let is_local = self == Self::LocalSubjectAccess;
        if metadata.iter().any(|(name, value)| !(value.is_null() || is_local && name == "namespace")) {
            let detail = if is_local { "must be empty except for namespace" } else { "must be empty" };
            errors.push(FieldError::invalid_value("metadata", &go_object_meta(metadata), detail));
        }
        if is_local {
            let namespace = text(resource, "namespace");
            if resource.is_some() && namespace != text(object.get("metadata"), "namespace") {
                let field = "spec.resourceAttributes.namespace";
                errors.push(FieldError::invalid(field, namespace, "must match metadata.namespace"));
            }
            if let Some(other) = other {
                let detail = "disallowed on this kind of request";
                errors.push(FieldError::invalid_value("spec.nonResourceAttributes", &printed(other), detail));
            }
        }
        errors
    }
}

/// The `status` that answers the `spec` of a SubjectAccessReview of any version, or what is wrong with the spec.
pub(super) fn status_of(spec: &Value, authorizers: &Authorizers) -> Result<Value, String> {
    let errors = Review::SubjectAccess.errors(&Value::Null, spec);
    if !errors.is_empty() {
        return Err(crate::status::aggregate(&errors));
    }
    let (user, request) = (user(spec), attributes(spec));
    Ok(status(&authorizers.authorize(&Attributes { user: &user, request: &request })))
}

/// The `status` of an access review.
pub(super) fn status(decision: &Decision) -> Value {
    let mut status = Map::new();
    status.insert("allowed".into(), (decision.verdict == Verdict::Allow).into());
    if !decision.reason.is_empty() {
        status.insert("reason".into(), decision.reason.as_str().into());
    }
    if let Some(error) = &decision.error {
        status.insert("evaluationError".into(), error.as_str().into());
    }
    Value::Object(status)
}

/// The `status` of a token review.
pub(super) fn token_status(result: Result<Identity, Vec<String>>) -> Value {
    let mut status = Map::new();
    let mut user = Map::new();
    let error = match result {
        Ok(identity) => {
            status.insert("authenticated".into(), true.into());
            for (name, value) in [("username", identity.user.name), ("uid", identity.user.uid)] {
                if !value.is_empty() {
                    user.insert(name.into(), value.into());
                }
            }
            if !identity.user.groups.is_empty() {
                user.insert("groups".into(), identity.user.groups.into());
            }
            String::new()
        }
        Err(errors) => aggregate(&errors),
    };
    status.insert("user".into(), user.into());
    if !error.is_empty() {
        status.insert("error".into(), error.into());
    }
    Value::Object(status)
}

fn given<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    value.get(name).filter(|value| !value.is_null())
}

fn text<'a>(value: Option<&'a Value>, name: &str) -> &'a str {
    value.and_then(|value| value.get(name)).and_then(Value::as_str).unwrap_or("")
}

/// `groups`; v1beta1 calls them `group`.
fn groups(spec: &Value) -> &[Value] {
    let list = given(spec, "groups").or_else(|| given(spec, "group"));
    list.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn strings(list: &[Value]) -> Vec<String> {
    list.iter().map(|item| item.as_str().unwrap_or("").to_owned()).collect()
}

fn user(spec: &Value) -> User {
    let extra = spec.get("extra").and_then(Value::as_object);
    let extra = extra.into_iter().flatten().map(|(key, values)| {
        let values = values.as_array().map_or(&[][..], Vec::as_slice);
        (key.clone(), strings(values))
    });
    User {
        name: text(Some(spec), "user").to_owned(),
        uid: text(Some(spec), "uid").to_owned(),
        groups: strings(groups(spec)),
        extra: extra.collect(),
    }
}

fn attributes(spec: &Value) -> RequestInfo {
    let resource = given(spec, "resourceAttributes");
    let from = resource.or_else(|| given(spec, "nonResourceAttributes"));
    let text = |name| text(from, name).to_owned();
    RequestInfo {
        is_resource_request: resource.is_some(),
        path: text("path"),
        verb: text("verb"),
        api_group: text("group"),
        api_version: text("version"),
        namespace: text("namespace"),
        resource: text("resource"),
        subresource: text("subresource"),
        name: text("name"),
    }
}

/// Go's `%#v` of an ObjectMeta, as far as a client sets it.
fn go_object_meta(metadata: &Map<String, Value>) -> String {
    let string = |name: &str| quote(metadata.get(name).and_then(Value::as_str).unwrap_or(""));
    let map = |name: &str| match metadata.get(name).and_then(Value::as_object) {
        Some(entries) => {
            let entries: Vec<String> = entries
                .iter()
                .map(|(key, value)| format!("{}:{}", quote(key), quote(value.as_str().unwrap_or(""))))
                .collect();
            format!("map[string]string{{{}}}", entries.join(", "))
        }
        None => "map[string]string(nil)".to_owned(),
    };
    format!(
        "v1.ObjectMeta{{Name:{}, GenerateName:{}, Namespace:{}, SelfLink:{}, UID:{}, ResourceVersion:{}, Generation:{}, \
         CreationTimestamp:v1.Time{{Time:time.Time{{wall:0x0, ext:0, loc:(*time.Location)(nil)}}}}, \
         DeletionTimestamp:(*v1.Time)(nil), DeletionGracePeriodSeconds:(*int64)(nil), Labels:{}, Annotations:{}, \
         OwnerReferences:[]v1.OwnerReference(nil), Initializers:(*v1.Initializers)(nil), Finalizers:[]string(nil), \
         ClusterName:{}}}",
        string("name"),
        string("generateName"),
        string("namespace"),
        string("selfLink"),
        string("uid"),
        string("resourceVersion"),
        metadata.get("generation").and_then(Value::as_i64).unwrap_or(0),
        map("labels"),
        map("annotations"),
        string("clusterName"),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_spec_must_ask_one_thing_about_somebody() {
        let resource = json!({"verb": "get", "resource": "pods", "namespace": "a"});
        for (review, object, expected) in [
            (Review::SubjectAccess, json!({"spec": {"user": "bob", "resourceAttributes": resource}}), "bob get pods"),
            (Review::SelfSubjectAccess, json!({"spec": {"resourceAttributes": resource}}), "asker get pods"),
            (
                Review::SubjectAccess,
                json!({"spec": {"group": ["g"], "nonResourceAttributes": {"path": "/x", "verb": "get"}}}),
                " get ",
            ),
            (
                Review::SubjectAccess,
                json!({"spec": {}}),
                ".authorization.k8s.io \"\" is invalid: [spec.resourceAttributes: Invalid value: \"null\": exactly one of nonResourceAttributes or resourceAttributes must be specified, spec.user: Invalid value: \"\": at least one of user or group must be specified]",
            ),
            (
                Review::LocalSubjectAccess,
                json!({"metadata": {"namespace": "b"}, "spec": {"user": "bob", "resourceAttributes": resource}}),
                ".authorization.k8s.io \"\" is invalid: spec.resourceAttributes.namespace: Invalid value: \"a\": must match metadata.namespace",
            ),
            (
                Review::LocalSubjectAccess,
                json!({"metadata": {"namespace": "a"}, "spec": {"user": "bob", "resourceAttributes": resource}}),
                "spec.resourceAttributes.namespace must match namespace: ns",
            ),
        ] {
            let asker = User { name: "asker".to_owned(), ..User::default() };
            let found = match review.subject(&object, &asker, "ns") {
                Ok((user, request)) => format!("{} {} {}", user.name, request.verb, request.resource),
                Err(status) => status.message,
            };
            assert_eq!(found, expected);
        }
        let status = Review::SubjectAccess.subject(
            &json!({"metadata": {"name": "x"}, "spec": {"user": "u", "resourceAttributes": resource}}),
            &User::default(),
            "",
        );
        assert!(
            status
                .unwrap_err()
                .message
                .contains("metadata: Invalid value: v1.ObjectMeta{Name:\"x\", GenerateName:\"\"")
        );
    }
}
