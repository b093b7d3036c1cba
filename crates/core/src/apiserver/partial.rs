//! Objects for clients that know nothing of their kind: their metadata alone, or a table.
//!
//! Behaviour: `transformResponseObject` of `apiserver/pkg/endpoints/handlers/response.go`, `apiserver/pkg/registry/rest/table.go`. The
//! table of pods, which has columns of its own, is not made here.

use super::rest::{member, text};
use crate::manifest::json::object;
use crate::manifest::{Map, Value};
use crate::release::ResourceType;
use crate::request::{RequestInfo, Url};

const VERSION: &str = "meta.k8s.io/v1alpha1";
const NAME: &str = "Name must be unique within a namespace. Is required when creating resources, although some resources may \
    allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation \
    idempotence and configuration definition. Cannot be updated. More info: http://kubernetes.io/docs/user-guide/identifiers#names";
const CREATED: &str = "CreationTimestamp is a timestamp representing the server time when this object was created. It is not \
    guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented \
    in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: \
    https://git.k8s.io/community/contributors/devel/api-conventions.md#metadata";

/// What an object is to be turned into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Partial {
    Metadata,
    MetadataList,
    Table,
}

impl Partial {
    /// The one that the parameters `as`, `g` and `v` of a media type name.
    pub(super) fn parse(kind: &str, group: &str, version: &str) -> Option<Self> {
        match (kind, group, version) {
            ("PartialObjectMetadata", "meta.k8s.io", "v1alpha1") => Some(Self::Metadata),
            ("PartialObjectMetadataList", "meta.k8s.io", "v1alpha1") => Some(Self::MetadataList),
            ("Table", "meta.k8s.io", "v1alpha1") => Some(Self::Table),
            _ => None,
        }
    }

    /// `answer` so; `None` where that cannot be.
    pub(super) fn of(self, answer: &Value, resource: &ResourceType, info: &RequestInfo, url: &Url) -> Option<Value> {
        let items = answer.get("items").and_then(Value::as_array).map(Vec::as_slice);
        let list = |items: Vec<Value>| if items.is_empty() { Value::Null } else { items.into() };
        match (self, items) {
            (Self::Metadata, None) => metadata(answer),
            (Self::MetadataList, Some(items)) => {
                let items = items.iter().map(metadata).collect::<Option<Vec<_>>>()?;
                Some(object([
                    ("kind", "PartialObjectMetadataList".into()),
                    ("apiVersion", VERSION.into()),
                    ("items", list(items)),
                ]))
            }
            (Self::Table, items) => {
                let has_table = !(resource.group.is_empty()
                    && matches!(resource.resource, "pods" | "services" | "namespaces" | "componentstatuses")
                    || resource.group == "rbac.authorization.k8s.io");
                let items = items.unwrap_or(std::slice::from_ref(answer));
                let rows = items.iter().map(|item| row(item, resource, url.parameter("includeObject")));
                let rows = rows.collect::<Option<Vec<_>>>().filter(|_| has_table && info.subresource.is_empty())?;
                let column = |name: &str, kind: &str, description: &str| {
                    object([
                        ("name", name.into()),
                        ("type", kind.into()),
                        ("format", "".into()),
                        ("description", description.into()),
                        ("priority", 0.into()),
                    ])
                };
                let columns = vec![column("Name", "string", NAME), column("Created At", "date", CREATED)];
                Some(object([
                    ("kind", "Table".into()),
                    ("apiVersion", VERSION.into()),
                    ("metadata", Value::Object(Map::new())),
                    ("columnDefinitions", columns.into()),
                    ("rows", list(rows)),
                ]))
            }
            _ => None,
        }
    }
}

/// The metadata of what is an object.
fn metadata(value: &Value) -> Option<Value> {
    let metadata = value.get("metadata").filter(|metadata| metadata.get("creationTimestamp").is_some())?;
    Some(object([
        ("kind", "PartialObjectMetadata".into()),
        ("apiVersion", VERSION.into()),
        ("metadata", metadata.clone()),
    ]))
}

fn row(item: &Value, resource: &ResourceType, include: &str) -> Option<Value> {
    let partial = metadata(item)?;
    let shown = match include {
        "" | "Metadata" => partial,
        "None" => Value::Null,
        "Object" => {
            let mut whole = Map::new();
            whole.insert("kind".into(), resource.kind.into());
            whole.insert("apiVersion".into(), resource.api_version().into());
            let parts = item.as_object()?.iter().filter(|(key, _)| !matches!(key.as_str(), "kind" | "apiVersion"));
            whole.extend(parts.map(|(key, part)| (key.clone(), part.clone())));
            Value::Object(whole)
        }
        _ => return None,
    };
    let created = member(item, "metadata.creationTimestamp").and_then(Value::as_str).unwrap_or("0001-01-01T00:00:00Z");
    let cells: Vec<Value> = vec![text(item, "metadata.name").into(), created.into()];
    Some(object([("cells", cells.into()), ("object", shown)]))
}
