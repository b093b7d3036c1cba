//! The requests that kubectl sends, and how it words what comes back.
//!
//! Behaviour: `client-go/rest` and `pkg/kubectl/cmd/util/helpers.go` of release 1.7.

use std::fmt::Write as _;
use std::rc::Rc;

use chrono::{DateTime, Utc};
use portcullis_core::apiserver::File;
use portcullis_core::manifest::{Origin, Value, json};
use portcullis_core::release::Release;
use portcullis_core::request::{Certificate, Request, quote};

use super::resources::{Kind, qualified};
use super::value::{list, text};
use crate::session::Session;

/// Why a command ended badly.
#[derive(Clone, Debug, PartialEq)]
pub enum Error {
    /// What the server answered, as a Status.
    Status(Status),
    /// kubectl's own complaint: printed behind `error: `.
    Text(String),
    /// Complete as it stands.
    Line(String),
    /// Several, each on its line.
    Many(Vec<Error>),
    /// Said already.
    Quiet,
}

/// A failure that came from the server.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Status {
    /// `NotFound`; `""` where the server gave none.
    pub reason: String,
    /// For people.
    pub message: String,
    /// `details` as sent.
    pub details: Value,
}

impl From<&str> for Error {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Error {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl Error {
    /// A mistake in how the command was called.
    pub fn usage(command: &str, message: &str) -> Self {
        Self::Text(format!("{message}\nSee 'kubectl {command} -h' for help and examples."))
    }

    /// Whether the server said that there is no such object.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Status(status) if status.reason == "NotFound")
    }

    /// What it says, without who says it.
    pub fn message(&self) -> String {
        match self {
            Self::Status(status) => status.message.clone(),
            other => other.bare(),
        }
    }

    /// `errors` as one, if there are any.
    pub fn collect(mut errors: Vec<Error>) -> Result<(), Self> {
        match errors.len() {
            0 => Ok(()),
            1 => errors.pop().map_or(Ok(()), Err),
            _ => Err(Self::Many(errors)),
        }
    }

    /// The same, said of an object that stands in the file `source`.
    pub fn of_source(self, doing: &str, source: &str) -> Self {
        let with = |message: &str| format!("error when {doing} {}: {message}", quote(source));
        match self {
            _ if source.is_empty() => self,
            Self::Status(status) => Self::Status(Status { message: with(&status.message), ..status }),
            other => Self::Text(with(&other.bare())),
        }
    }

    /// One line of several: without the `error: ` that a single complaint begins with.
    fn bare(&self) -> String {
        match self {
            Self::Status(status) if status.reason == "Unauthorized" => {
                format!("error: You must be logged in to the server ({})", status.message)
            }
            Self::Status(Status { reason, message, .. }) if reason.is_empty() => {
                format!("Error from server: {message}")
            }
            Self::Status(Status { reason, message, .. }) => format!("Error from server ({reason}): {message}"),
            Self::Text(text) | Self::Line(text) => text.clone(),
            Self::Many(errors) => {
                let texts: Vec<String> = errors.iter().map(Self::bare).collect();
                format!("[{}]", texts.join(", "))
            }
            Self::Quiet => String::new(),
        }
    }

    /// What standard error shows.
    pub fn print(&self) -> String {
        let mut out = match self {
            Self::Quiet => return String::new(),
            Self::Status(status) if status.reason == "Invalid" => invalid(&status.details),
            Self::Text(text) if text.starts_with("error: ") => text.clone(),
            Self::Text(text) => format!("error: {text}"),
            Self::Many(errors) => {
                let mut out = String::new();
                for error in errors {
                    let _ = writeln!(out, "{}", error.bare());
                }
                out
            }
            other => other.bare(),
        };
        if !out.ends_with('\n') {
            out.push('\n');
        }
        out
    }
}

/// An object that validation refused: its causes, one a line where there are several.
fn invalid(details: &Value) -> String {
    let head = format!("The {} {} is invalid", text(details, "kind"), quote(text(details, "name")));
    let mut causes: Vec<String> = Vec::new();
    for cause in list(details, "causes") {
        let line = format!("{}: {}", text(cause, "field"), text(cause, "message"));
        if !causes.contains(&line) {
            causes.push(line);
        }
    }
    match causes.as_slice() {
        [] => head,
        [one] => format!("{head}: {one}"),
        several => several.iter().fold(format!("{head}: \n"), |out, cause| out + "* " + cause + "\n"),
    }
}

/// Sends requests for one command.
pub struct Client<'s> {
    session: &'s mut Session,
    headers: Vec<(String, String)>,
    certificate: Option<Certificate>,
}

impl<'s> Client<'s> {
    /// Says to the reader of the document what kubectl would not.
    pub fn note(&mut self, note: String) {
        self.session.note(note);
    }

    /// `kubernetes-admin`, of the group that may do everything, with the impersonation headers of `--as` and `--as-group`.
    /// A bearer token takes the certificate's place.
    pub fn new(session: &'s mut Session, user: &str, groups: &[&str], token: &str) -> Self {
        let mut headers = vec![
            ("User-Agent".to_owned(), "kubectl/v1.7.0 (linux/amd64) kubernetes/d3ada01".to_owned()),
            ("Accept".to_owned(), "application/json, */*".to_owned()),
        ];
        if !token.is_empty() {
            headers.push(("Authorization".to_owned(), format!("Bearer {token}")));
        }
        if !user.is_empty() {
            headers.push(("Impersonate-User".to_owned(), user.to_owned()));
        }
        headers.extend(groups.iter().map(|group| ("Impersonate-Group".to_owned(), (*group).to_owned())));
        let admin = Certificate {
            common_name: "kubernetes-admin".to_owned(),
            organizations: vec!["system:masters".to_owned()],
            ..Certificate::default()
        };
        Self { session, headers, certificate: token.is_empty().then_some(admin) }
    }

    /// A file of the document.
    pub fn file(&self, name: &str) -> Option<File> {
        self.session.file(name)
    }

    /// Lets the cluster do what is to be waited for.
    pub fn wait(&mut self) {
        self.session.settle();
    }

    /// The release that the server emulates.
    pub fn release(&self) -> &'static Release {
        self.session.release()
    }

    /// The clock.
    pub fn now(&self) -> DateTime<Utc> {
        self.session.now()
    }

    /// Sends, and gives the answer's body whatever it is.
    ///
    /// # Errors
    ///
    /// As the server or the lack of one says; `of` names the resource and the object asked for in errors that are no
    /// Status.
    pub fn raw(&mut self, call: Call<'_>) -> Result<Vec<u8>, Error> {
        let mut headers = self.headers.clone();
        if !call.body.is_empty() {
            headers.push(("Content-Type".to_owned(), call.content_type.to_owned()));
        }
        let response = self.session.send(Request {
            method: call.method.to_owned(),
            uri: call.uri.to_owned(),
            headers,
            body: call.body.as_bytes().to_vec(),
            certificate: self.certificate.clone(),
            source_ip: "127.0.0.1".to_owned(),
            insecure: false,
            origin: call.origin.clone(),
        });
        let response = response.map_err(|_| {
            let server = "apiserver:6443";
            Error::Line(format!(
                "The connection to the server {server} was refused - did you specify the right host or port?"
            ))
        })?;
        if (200..=206).contains(&response.status) {
            return Ok(response.body);
        }
        let body = String::from_utf8_lossy(&response.body);
        let content_type = response.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        let content_type = content_type.map_or("", |(_, value)| value.as_str());
        if let Ok(value) = json::parse(&body)
            && text(&value, "kind") == "Status"
        {
            return Err(Error::Status(Status {
                reason: text(&value, "reason").to_owned(),
                message: text(&value, "message").to_owned(),
                details: value.get("details").cloned().unwrap_or_default(),
            }));
        }
        let is_text = content_type.is_empty() || content_type.starts_with("text/");
        let said = if is_text { body.trim() } else { "unknown" };
        Err(Error::Status(generic(response.status, said, &call)))
    }

    /// Sends, and reads the answer as JSON.
    ///
    /// # Errors
    ///
    /// As [`Client::raw`].
    pub fn call(&mut self, call: Call<'_>) -> Result<Value, Error> {
        let body = self.raw(call)?;
        json::parse(&String::from_utf8_lossy(&body)).map_err(|error| Error::Text(error.message))
    }

    /// One object.
    ///
    /// # Errors
    ///
    /// As [`Client::raw`].
    pub fn get(&mut self, kind: &Kind, namespace: &str, name: &str) -> Result<Value, Error> {
        self.call(Call { of: Some((kind, name)), ..Call::new("GET", &path(kind, namespace, name)) })
    }

    /// One object without what belongs to its cluster, as `--export` asks for it.
    ///
    /// # Errors
    ///
    /// As [`Client::raw`].
    pub fn export(&mut self, kind: &Kind, namespace: &str, name: &str) -> Result<Value, Error> {
        let uri = path(kind, namespace, name) + "?export=true";
        self.call(Call { of: Some((kind, name)), ..Call::new("GET", &uri) })
    }

    /// The objects of a kind, in all namespaces where `namespace` is empty.
    ///
    /// # Errors
    ///
    /// As [`Client::raw`].
    pub fn list(&mut self, kind: &Kind, namespace: &str, query: &[(&str, &str)]) -> Result<Value, Error> {
        let mut uri = path(kind, namespace, "");
        for (at, (key, value)) in query.iter().filter(|(_, value)| !value.is_empty()).enumerate() {
            let _ = write!(uri, "{}{key}={}", if at == 0 { '?' } else { '&' }, escape(value));
        }
        self.call(Call { of: Some((kind, "")), ..Call::new("GET", &uri) })
    }

    /// POST of an object.
    ///
    /// # Errors
    ///
    /// As [`Client::raw`].
    pub fn create(
        &mut self,
        kind: &Kind,
        namespace: &str,
        body: &str,
        origin: Option<Rc<Origin>>,
    ) -> Result<Value, Error> {
        self.call(Call { body, origin, of: Some((kind, "")), ..Call::new("POST", &path(kind, namespace, "")) })
    }

    /// PUT of an object.
    ///
    /// # Errors
    ///
    /// As [`Client::raw`].
    pub fn replace(
        &mut self,
        kind: &Kind,
        namespace: &str,
        name: &str,
        body: &str,
        origin: Option<Rc<Origin>>,
    ) -> Result<Value, Error> {
        self.call(Call { body, origin, of: Some((kind, name)), ..Call::new("PUT", &path(kind, namespace, name)) })
    }

    /// PATCH of an object; `content_type` says by which rules.
    ///
    /// # Errors
    ///
    /// As [`Client::raw`].
    pub fn patch(
        &mut self,
        kind: &Kind,
        namespace: &str,
        name: &str,
        content_type: &str,
        body: &str,
        origin: Option<Rc<Origin>>,
    ) -> Result<Value, Error> {
        let path = path(kind, namespace, name);
        self.call(Call { body, origin, content_type, of: Some((kind, name)), ..Call::new("PATCH", &path) })
    }

    /// DELETE of an object, with DeleteOptions where `options` is not empty.
    ///
    /// # Errors
    ///
    /// As [`Client::raw`].
    pub fn delete(&mut self, kind: &Kind, namespace: &str, name: &str, options: &str) -> Result<(), Error> {
        let path = path(kind, namespace, name);
        self.raw(Call { body: options, of: Some((kind, name)), ..Call::new("DELETE", &path) }).map(|_| ())
    }
}

/// One request.
pub struct Call<'c> {
    method: &'c str,
    uri: &'c str,
    content_type: &'c str,
    body: &'c str,
    origin: Option<Rc<Origin>>,
    of: Option<(&'c Kind, &'c str)>,
}

impl<'c> Call<'c> {
    /// A request without a body for no resource in particular.
    pub fn new(method: &'c str, uri: &'c str) -> Self {
        Self { method, uri, content_type: "application/json", body: "", origin: None, of: None }
    }
}

/// The path of an object, or of its collection where `name` is empty.
pub fn path(kind: &Kind, namespace: &str, name: &str) -> String {
    let mut path = match kind.group {
        "" => format!("/api/{}", kind.version),
        group => format!("/apis/{group}/{}", kind.version),
    };
    if kind.namespaced && !namespace.is_empty() {
        path += "/namespaces/";
        path += &escape(namespace);
    }
    path += "/";
    path += kind.resource;
    if !name.is_empty() {
        path += "/";
        path += &escape_path(name);
    }
    path
}

/// Percent-encodes as Go's `url.QueryEscape`.
pub fn escape(text: &str) -> String {
    percent(text, "-_.~", true)
}

/// Percent-encodes as Go writes a path.
fn escape_path(text: &str) -> String {
    percent(text, "-_.~$&+,/:;=@", false)
}

fn percent(text: &str, safe: &str, plus: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        let c = char::from(byte);
        if c.is_ascii_alphanumeric() || safe.contains(c) {
            out.push(c);
        } else if plus && c == ' ' {
            out.push('+');
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// What client-go makes of an answer that is no Status.
fn generic(code: u16, said: &str, call: &Call<'_>) -> Status {
    let (reason, message) = match code {
        409 if call.method == "POST" => ("AlreadyExists", "the server reported a conflict"),
        409 => ("Conflict", "the server reported a conflict"),
        404 => ("NotFound", "the server could not find the requested resource"),
        400 => ("BadRequest", "the server rejected our request for an unknown reason"),
        401 => ("Unauthorized", "the server has asked for the client to provide credentials"),
        403 => ("Forbidden", said),
        405 => ("MethodNotAllowed", "the server does not allow this method on the requested resource"),
        422 => ("Invalid", "the server rejected our request due to an error in our request"),
        504 => ("ServerTimeout", "the server cannot complete the requested operation at this time, try again later"),
        429 => ("Timeout", "the server has received too many requests and has asked us to try again later"),
        500.. => ("InternalError", ""),
        _ => ("Unknown", ""),
    };
    let mut message = match (reason, message) {
        ("InternalError", _) => {
            format!("an error on the server ({}) has prevented the request from succeeding", quote(said))
        }
        ("Unknown", _) => {
            format!("the server responded with the status code {code} but did not return more information")
        }
        (_, message) => message.to_owned(),
    };
    let mut details = serde_json::Map::new();
    if let Some((kind, name)) = call.of {
        let _ = write!(message, " ({} {}", call.method.to_ascii_lowercase(), qualified(kind));
        if !name.is_empty() {
            let _ = write!(message, " {name}");
        }
        message.push(')');
        details.insert("kind".to_owned(), kind.resource.into());
        details.insert("name".to_owned(), name.into());
    }
    let cause = json::object([("message", said.into())]);
    details.insert("causes".to_owned(), Value::Array(vec![cause]));
    Status { reason: reason.to_owned(), message, details: details.into() }
}
