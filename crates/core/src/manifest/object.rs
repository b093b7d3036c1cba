//! A Kubernetes object: its value, and the text it came from.

use std::rc::Rc;

use super::{Location, Map, Origin, PathStep, Value};

/// An API object. `value` is what the API server would print as JSON: members in the order of the Go type, maps sorted.
#[derive(Clone, Debug)]
pub struct Object {
    /// The object as JSON.
    pub value: Value,
    /// Nanoseconds of `metadata.creationTimestamp`, which JSON does not show and etcd keeps.
    pub creation_nanos: u32,
    /// The same of `metadata.deletionTimestamp`.
    pub deletion_nanos: u32,
    /// The text it came from; `None` for what the server made itself.
    pub origin: Option<Rc<Origin>>,
}

impl Object {
    /// An object of `value`, read from `origin`.
    pub fn new(value: Value, origin: Option<Rc<Origin>>) -> Self {
        Self { value, creation_nanos: 0, deletion_nanos: 0, origin }
    }

    /// A string at `path`, or `""`.
    pub fn text(&self, path: &[&str]) -> &str {
        path.iter().try_fold(&self.value, |value, key| value.get(key)).and_then(Value::as_str).unwrap_or("")
    }

    /// `apiVersion`, or `""`.
    pub fn api_version(&self) -> &str {
        self.text(&["apiVersion"])
    }

    /// `kind`, or `""`.
    pub fn kind(&self) -> &str {
        self.text(&["kind"])
    }

    /// `metadata.name`, or `""`.
    pub fn name(&self) -> &str {
        self.text(&["metadata", "name"])
    }

    /// `metadata.namespace`, or `""`.
    pub fn namespace(&self) -> &str {
        self.text(&["metadata", "namespace"])
    }

    /// `metadata.uid`, or `""`.
    pub fn uid(&self) -> &str {
        self.text(&["metadata", "uid"])
    }

    /// `metadata`, where it is a mapping.
    pub fn metadata(&self) -> Option<&Map<String, Value>> {
        self.value.get("metadata").and_then(Value::as_object)
    }

    /// Where the part at `path` stands.
    pub fn location(&self, path: &[PathStep<'_>]) -> Location {
        let object = match (self.namespace(), self.name()) {
            ("", name) => format!("{}/{name}", self.kind()),
            (namespace, name) => format!("{}/{namespace}/{name}", self.kind()),
        };
        let mut text = String::new();
        for step in path {
            match step {
                PathStep::Key(key) if text.is_empty() => text.push_str(key),
                PathStep::Key(key) => text.extend([".", key]),
                PathStep::Index(index) => text.push_str(&format!("[{index}]")),
            }
        }
        Location { place: self.origin.as_ref().map(|origin| origin.place(path)), object, path: text }
    }
}
