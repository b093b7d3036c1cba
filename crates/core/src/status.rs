//! The error value of the API: `metav1.Status`, and the field errors that a 422 collects.
//!
//! Behaviour: `apimachinery/pkg/api/errors/errors.go` and `apimachinery/pkg/util/validation/field/errors.go`.

use crate::manifest::{Map, Value};
use crate::request::quote;
use crate::sort::SortedSet;

/// What the server answers where it does not answer an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// HTTP status code; 0 is left out of the JSON.
    pub code: u16,
    /// `NotFound`; `""` for none.
    pub reason: &'static str,
    /// A readable sentence; `""` for none.
    pub message: String,
    /// What the sentence is about.
    pub details: Option<Box<Details>>,
    /// True for the answer to a deletion.
    pub success: bool,
}

/// Members that are empty are left out of the JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// The object's name.
    pub name: String,
    /// Its API group.
    pub group: String,
    /// Its resource (`pods`); its kind (`Pod`) where it is invalid.
    pub kind: String,
    /// Its UID.
    pub uid: String,
    /// Reason, message, field.
    pub causes: Vec<(&'static str, String, String)>,
    /// When to try again.
    pub retry_after_seconds: u32,
}

/// A resource or kind with its group, as messages print it: `roles.rbac.authorization.k8s.io`.
#[derive(Clone, Copy, Debug)]
pub struct Qualified<'a> {
    /// `""` for the core group.
    pub group: &'a str,
    /// `roles` or `Role`.
    pub name: &'a str,
}

impl std::fmt::Display for Qualified<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)?;
        if self.group.is_empty() { Ok(()) } else { write!(f, ".{}", self.group) }
    }
}

impl Status {
    fn about(code: u16, reason: &'static str, what: Qualified<'_>, name: &str, message: String) -> Self {
        let details =
            Details { name: name.into(), group: what.group.into(), kind: what.name.into(), ..Details::default() };
        Self { code, reason, message, details: Some(Box::new(details)), success: false }
    }

    fn bare(code: u16, reason: &'static str, message: String) -> Self {
        Self { code, reason, message, ..Self::default() }
    }

    /// 404: no such object.
    pub fn not_found(resource: Qualified<'_>, name: &str) -> Self {
        Self::about(404, "NotFound", resource, name, format!("{resource} {} not found", quote(name)))
    }

    /// 404: no such route.
    pub fn no_route() -> Self {
        let message = "the server could not find the requested resource".to_owned();
        Self { details: Some(Box::default()), ..Self::bare(404, "NotFound", message) }
    }

    /// 405: no such method on this route.
    pub fn method_not_allowed() -> Self {
        let message = "the server does not allow this method on the requested resource".to_owned();
        Self { details: Some(Box::default()), ..Self::bare(405, "MethodNotAllowed", message) }
    }

    /// A code that the router answers before any handler is reached: 406, 415.
    pub fn generic(code: u16) -> Self {
        let message = format!("the server responded with the status code {code} but did not return more information");
        Self { details: Some(Box::default()), ..Self::bare(code, "", message) }
    }

    /// 406, where negotiation fails.
    pub fn not_acceptable(media_types: &str) -> Self {
        Self::bare(406, "NotAcceptable", format!("only the following media types are accepted: {media_types}"))
    }

    /// 409: the name is taken.
    pub fn already_exists(resource: Qualified<'_>, name: &str) -> Self {
        Self::about(409, "AlreadyExists", resource, name, format!("{resource} {} already exists", quote(name)))
    }

    /// 403 with its cause.
    pub fn forbidden(resource: Qualified<'_>, name: &str, cause: &str) -> Self {
        Self::about(403, "Forbidden", resource, name, format!("{resource} {} is forbidden: {cause}", quote(name)))
    }

    /// 409 with its cause.
    pub fn conflict(resource: Qualified<'_>, name: &str, cause: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {resource} {}: {cause}", quote(name));
        Self::about(409, "Conflict", resource, name, message)
    }

    /// 409: somebody else wrote first.
    pub fn modified(resource: Qualified<'_>, name: &str) -> Self {
        let cause = "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(resource, name, cause)
    }

    /// 422 with all that is wrong.
    pub fn invalid(kind: Qualified<'_>, name: &str, errors: &[FieldError]) -> Self {
        let message = format!("{kind} {} is invalid: {}", quote(name), aggregate(errors));
        let mut status = Self::about(422, "Invalid", kind, name, message);
        if let Some(details) = &mut status.details {
            details.causes =
                errors.iter().map(|error| (error.reason.0, error.body.clone(), error.field.clone())).collect();
        }
        status
    }

    /// 400.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::bare(400, "BadRequest", message.into())
    }

    /// 410: what is asked for was there.
    pub fn gone(message: &str) -> Self {
        Self::bare(410, "Gone", message.to_owned())
    }

    /// 415: a body in an encoding that the server does not read.
    pub fn unsupported_media_type() -> Self {
        let message = "the body of the request was in an unknown format - accepted media types include: \
                       application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch";
        Self::bare(415, "UnsupportedMediaType", message.to_owned())
    }

    /// 405 of a verb that the resource does not have.
    pub fn not_supported(resource: Qualified<'_>, action: &str) -> Self {
        let message = format!("{action} is not supported on resources of kind {}", quote(&resource.to_string()));
        Self::about(405, "MethodNotAllowed", resource, "", message)
    }

    /// 500: no name could be generated.
    pub fn server_timeout(kind: Qualified<'_>, operation: &str) -> Self {
        let message =
            format!("The {operation} operation against {kind} could not be completed at this time, please try again.");
        Self::about(500, "ServerTimeout", kind, operation, message)
    }

    /// 500 of an error that the server foresees: a value that the transformers refuse.
    pub fn internal(error: &str) -> Self {
        let causes = vec![("", error.to_owned(), String::new())];
        Self {
            details: Some(Box::new(Details { causes, ..Details::default() })),
            ..Self::bare(500, "InternalError", format!("Internal error occurred: {error}"))
        }
    }

    /// 500 of an error that is no Status: nothing but its text.
    pub fn unknown(error: impl Into<String>) -> Self {
        Self::bare(500, "", error.into())
    }

    /// The answer to a finished deletion.
    pub fn deleted(resource: Qualified<'_>, name: &str, uid: &str) -> Self {
        let mut status = Self::about(0, "", resource, name, String::new());
        status.success = true;
        if let Some(details) = &mut status.details {
            details.uid = uid.into();
        }
        status
    }

    /// Its JSON, in the order of the Go type.
    pub fn to_value(&self) -> Value {
        let mut map = Map::new();
        map.insert("kind".into(), "Status".into());
        map.insert("apiVersion".into(), "v1".into());
        map.insert("metadata".into(), Value::Object(Map::new()));
        map.insert("status".into(), if self.success { "Success" } else { "Failure" }.into());
        put(&mut map, "message", &self.message);
        put(&mut map, "reason", self.reason);
        if let Some(details) = &self.details {
            map.insert("details".into(), details.to_value());
        }
        if self.code != 0 {
            map.insert("code".into(), self.code.into());
        }
        Value::Object(map)
    }
}

impl Details {
    fn to_value(&self) -> Value {
        let mut map = Map::new();
        put(&mut map, "name", &self.name);
        put(&mut map, "group", &self.group);
        put(&mut map, "kind", &self.kind);
        put(&mut map, "uid", &self.uid);
        if !self.causes.is_empty() {
            let causes = self.causes.iter().map(|(reason, message, field)| {
                let mut cause = Map::new();
                put(&mut cause, "reason", reason);
                put(&mut cause, "message", message);
                put(&mut cause, "field", field);
                Value::Object(cause)
            });
            map.insert("causes".into(), causes.collect());
        }
        if self.retry_after_seconds != 0 {
            map.insert("retryAfterSeconds".into(), self.retry_after_seconds.into());
        }
        Value::Object(map)
    }
}

fn put(map: &mut Map<String, Value>, key: &str, text: &str) {
    if !text.is_empty() {
        map.insert(key.into(), text.into());
    }
}

/// What is wrong with a field, and how its text begins.
type Reason = (&'static str, &'static str);

const REQUIRED: Reason = ("FieldValueRequired", "Required value");
const INVALID: Reason = ("FieldValueInvalid", "Invalid value");
const DUPLICATE: Reason = ("FieldValueDuplicate", "Duplicate value");
const NOT_FOUND: Reason = ("FieldValueNotFound", "Not found");
const NOT_SUPPORTED: Reason = ("FieldValueNotSupported", "Unsupported value");
const FORBIDDEN: Reason = ("FieldValueForbidden", "Forbidden");
const TOO_LONG: Reason = ("FieldValueTooLong", "Too long");

/// One thing that validation found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    reason: Reason,
    /// `rules[0].verbs`.
    pub field: String,
    /// `Required value: verbs must contain at least one value`.
    pub body: String,
}

impl FieldError {
    fn new(reason: Reason, field: impl Into<String>, value: Option<&str>, detail: &str) -> Self {
        let mut body = reason.1.to_owned();
        for part in [value, Some(detail).filter(|detail| !detail.is_empty())].into_iter().flatten() {
            body.push_str(": ");
            body.push_str(part);
        }
        Self { reason, field: field.into(), body }
    }

    /// The field is empty; `detail` may be.
    pub fn required(field: impl Into<String>, detail: &str) -> Self {
        Self::new(REQUIRED, field, None, detail)
    }

    /// The field's text is malformed.
    pub fn invalid(field: impl Into<String>, value: &str, detail: &str) -> Self {
        Self::new(INVALID, field, Some(&quote(value)), detail)
    }

    /// The field's value, which is no text, is malformed; `value` as Go prints it (`[]string{"/a"}`).
    pub fn invalid_value(field: impl Into<String>, value: &str, detail: &str) -> Self {
        Self::new(INVALID, field, Some(value), detail)
    }

    /// The field's text is there twice.
    pub fn duplicate(field: impl Into<String>, value: &str) -> Self {
        Self::new(DUPLICATE, field, Some(&quote(value)), "")
    }

    /// The field names what is not there.
    pub fn not_found(field: impl Into<String>, value: &str) -> Self {
        Self::new(NOT_FOUND, field, Some(&quote(value)), "")
    }

    /// The field's text is none of `supported`.
    pub fn not_supported(field: impl Into<String>, value: &str, supported: &[&str]) -> Self {
        let detail =
            if supported.is_empty() { String::new() } else { format!("supported values: {}", supported.join(", ")) };
        Self::new(NOT_SUPPORTED, field, Some(&quote(value)), &detail)
    }

    /// The field may not be set here.
    pub fn forbidden(field: impl Into<String>, detail: &str) -> Self {
        Self::new(FORBIDDEN, field, None, detail)
    }

    /// The field is longer than `limit`.
    pub fn too_long(field: impl Into<String>, limit: usize) -> Self {
        Self::new(TOO_LONG, field, None, &format!("must have at most {limit} characters"))
    }
}

impl std::fmt::Display for FieldError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.field, self.body)
    }
}

/// The text of several errors: each once, in brackets where there is more than one (`field.ErrorList.ToAggregate`).
pub fn aggregate(errors: &[FieldError]) -> String {
    let mut seen = SortedSet::new();
    let texts: Vec<String> =
        errors.iter().map(FieldError::to_string).filter(|text| seen.insert(text.clone())).collect();
    match texts.as_slice() {
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLES: Qualified<'_> = Qualified { group: "rbac.authorization.k8s.io", name: "roles" };

    #[test]
    fn a_status_prints_what_is_set_and_in_the_order_of_the_type() {
        let table = [
            (
                Status::not_found(Qualified { group: "", name: "pods" }, "x"),
                r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"pods \"x\" not found","reason":"NotFound","details":{"name":"x","kind":"pods"},"code":404}"#,
            ),
            (
                Status::no_route(),
                r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"the server could not find the requested resource","reason":"NotFound","details":{},"code":404}"#,
            ),
            (
                Status::deleted(ROLES, "r", "u-1"),
                r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Success","details":{"name":"r","group":"rbac.authorization.k8s.io","kind":"roles","uid":"u-1"}}"#,
            ),
            (
                Status::internal("no matching prefix found"),
                r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Internal error occurred: no matching prefix found","reason":"InternalError","details":{"causes":[{"message":"no matching prefix found"}]},"code":500}"#,
            ),
        ];
        for (status, json) in table {
            assert_eq!(status.to_value().to_string(), json);
        }
    }

    #[test]
    fn the_aggregate_names_each_error_once() {
        let one = FieldError::required("a", "");
        let two = FieldError::not_supported("b", "x", &[""]);
        assert_eq!(aggregate(&[one.clone(), one.clone()]), "a: Required value");
        assert_eq!(
            aggregate(&[one.clone(), two, one]),
            "[a: Required value, b: Unsupported value: \"x\": supported values: ]"
        );
    }
}
