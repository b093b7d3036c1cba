//! Text to objects: YAML and JSON as Kubernetes reads them, each value with its place in the text.
//!
//! Kubernetes decodes YAML by the rules of YAML 1.1 (go-yaml v2, then JSON): `yes`, `on` and `0777` are not strings.
//! A broken document is a [`Diagnostic`] and hides no other.

use std::rc::Rc;

pub use serde_json::{Map, Value};

pub mod base64;
pub mod float;
pub mod json;
mod object;
mod origin;
mod read;
mod reading;
pub mod yaml;

pub use object::Object;
pub use origin::{Origin, OriginBuilder, PathStep};
pub use read::{Document, objects, parse};
pub use reading::{Manifest, Reading};

/// Where something stands: a text that the user gave, and lines in it (1-based, both ends included).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The name under which the text was given: a document (`rbac.md`), a manifest (`cluster.yaml`).
    pub file: Rc<str>,
    /// First line.
    pub line: u32,
    /// Last line.
    pub end_line: u32,
}

/// A part of an object, and where it stands if a text of the user holds it. What a view links to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// `None` for what no text holds: bootstrap policy, objects that the server made.
    pub place: Option<Place>,
    /// `Kind/name` or `Kind/namespace/name`; empty for what is no object (a line of an ABAC file).
    pub object: String,
    /// Path in the object as field errors print it: `rules[2].verbs`; empty for the whole object.
    pub path: String,
}

/// A rule (of a role, of an audit policy) that the user's text holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its lines.
    pub location: Location,
    /// Why no request can meet it, where that is certain.
    pub never: Option<String>,
}

impl Standing {
    /// What `never` says, as a warning.
    pub fn warning(&self) -> Option<Diagnostic> {
        let (message, place) = (self.never.clone()?, self.location.place.clone()?);
        Some(Diagnostic { severity: Severity::Warning, file: place.file, line: place.line, column: 0, message })
    }
}

/// How bad a [`Diagnostic`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Something was left out: the text does not mean what its author hopes.
    Error,
    /// The text was used, and part of it surprises.
    Warning,
}

/// What is wrong with a text, where, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad.
    pub severity: Severity,
    /// As in [`Place::file`].
    pub file: Rc<str>,
    /// 1-based; 0 where the file as a whole is meant.
    pub line: u32,
    /// 1-based, in characters; 0 where the line as a whole is meant.
    pub column: u32,
    /// What is wrong and what to do, one or two sentences.
    pub message: String,
}
