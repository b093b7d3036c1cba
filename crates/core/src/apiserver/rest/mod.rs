//! The generic registry: what every resource of a release does with create, get, list, update, patch and delete.
//!
//! What a path has not got is refused by `routes`. Behaviour: `apiserver/pkg/endpoints/handlers/rest.go`, `apiserver/pkg/registry/generic/registry/store.go`,
//! `apiserver/pkg/registry/rest/{create,update,delete}.go`.

use std::rc::Rc;

use super::cluster::{Cluster, Settings};
use crate::admission;
use crate::authentication::User;
use crate::manifest::{Map, Object, Origin, Value, json};
use crate::release::ResourceType;
use crate::request::RequestInfo;
use crate::status::{Qualified, Status};
use crate::storage::codec::Nanos;
use crate::storage::{Change, Entry, Unreadable, Write};
use crate::world::World;

mod body;
mod convert;
mod delete;
mod escalation;
pub mod names;
pub mod patch;
mod pods;
pub mod selector;
mod services;
mod strategy;
#[cfg(test)]
mod tests;
mod validation;
mod write;

pub(super) use convert::to_hub;
pub(super) use delete::part_from_owners;
pub use services::Ranges;
pub(super) use services::{address_range, allocate, port_range};
pub(super) use strategy::{complete, prepare_for_create};
pub(super) use write::{fill_system_fields, generate_name};

/// Why the server would refuse to create `object`; `None` where it would not.
pub(super) fn validate(settings: &Settings, hub: &ResourceType, object: &Value) -> Option<String> {
    let errors = validation::create(settings, hub.kind, hub.namespaced, object);
    (!errors.is_empty()).then(|| crate::status::aggregate(&errors))
}

/// One request that passed authorization.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// What the URL names.
    pub resource: &'a ResourceType,
    /// The rest of the URL.
    pub info: &'a RequestInfo,
    /// HTTP method, upper case.
    pub method: &'a str,
    /// On whose behalf.
    pub user: &'a User,
    /// The decoded query.
    pub query: &'a [(String, String)],
    /// The header; `""` for none.
    pub content_type: &'a str,
    /// The body as sent.
    pub body: &'a [u8],
    /// The text that a new object comes from.
    pub origin: Option<&'a Rc<Origin>>,
}

/// What a [`Call`] gave.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Code and object, or the error.
    pub result: Result<(u16, Value), Status>,
    /// What the body was read as: decoded, defaulted, in the version of the URL. For audit.
    pub request_object: Option<Value>,
    /// The admission plugins that were asked, in order.
    pub admission: Vec<admission::Step>,
    /// What was written.
    pub writes: Vec<Write>,
}

/// Answers everything but watches.
pub fn handle(cluster: &mut Cluster, world: &mut World, call: &Call<'_>) -> Answer {
    let mut run = Run {
        hub: hub(cluster, call.resource),
        cluster,
        world,
        call: *call,
        request_object: None,
        admission: Vec::new(),
        writes: Vec::new(),
    };
    let result = run.dispatch();
    Answer { result, request_object: run.request_object, admission: run.admission, writes: run.writes }
}

/// The events with which a watch begins: one `ADDED` for each object there is.
///
/// A `resourceVersion` that is not 0 begins after that revision: with what was written since.
pub fn watch(cluster: &Cluster, call: &Call<'_>) -> Result<Vec<Value>, Status> {
    let hub = hub(cluster, call.resource);
    let chosen = Chosen::parse(hub, call)?;
    let since = match query(call.query, "resourceVersion") {
        "" => 0,
        version => parse_uint(version).map_err(|error| {
            let error = crate::status::FieldError::invalid("resourceVersion", version, &error);
            Status::unknown(crate::status::aggregate(&[error]))
        })?,
    };
    let event = |kind: &str, object: Value| json::object([("type", kind.into()), ("object", object)]);
    let shown = |kind: &str, object: &Object| event(kind, render(cluster, hub, call, object));
    if since == 0 {
        return Ok(chosen.objects(cluster)?.into_iter().map(|object| shown("ADDED", object)).collect());
    }
    let all = hub.key("", "");
    let changes = match cluster.store.changes(&all, since) {
        Ok(changes) => changes,
        Err(oldest) => {
            let status = Status::gone(&format!("too old resource version: {since} ({oldest})"));
            return Ok(vec![event("ERROR", status.to_value())]);
        }
    };
    let in_scope = changes.filter(|change| change.key.starts_with(&chosen.prefix));
    let events = in_scope.filter_map(|Change { before, after, .. }| {
        let [before, after] = [before, after].map(|object| object.as_ref().filter(|object| chosen.has(object)));
        match (before, after) {
            (None, Some(object)) => Some(shown("ADDED", object)),
            (Some(_), Some(object)) => Some(shown("MODIFIED", object)),
            // As it was before, in its old resourceVersion.
            (Some(object), None) => Some(shown("DELETED", object)),
            (None, None) => None,
        }
    });
    Ok(events.collect())
}

/// What etcd keeps of the times of an answered object and JSON does not show. Of one that the request removed nothing is known.
pub(super) fn fractions(cluster: &Cluster, resource: &ResourceType, metadata: &Value) -> Nanos {
    let text = |name| metadata.get(name).and_then(Value::as_str).unwrap_or_default();
    let entry = cluster.store.get(&hub(cluster, resource).key(text("namespace"), text("name")));
    let object = entry.and_then(|entry| entry.object.as_deref().ok());
    object.filter(|object| object.uid() == text("uid")).map(Nanos::from).unwrap_or_default()
}

/// The resource in the version in which its objects are stored.
fn hub<'a>(cluster: &Cluster, resource: &'a ResourceType) -> &'a ResourceType {
    let stored = cluster.release.resource_of(resource.storage_version, resource.kind);
    stored.unwrap_or(resource)
}

struct Run<'a> {
    cluster: &'a mut Cluster,
    world: &'a mut World,
    call: Call<'a>,
    hub: &'a ResourceType,
    request_object: Option<Value>,
    admission: Vec<admission::Step>,
    writes: Vec<Write>,
}

type Outcome = Result<(u16, Value), Status>;

impl Run<'_> {
    fn dispatch(&mut self) -> Outcome {
        let Call { resource, info, method, .. } = self.call;
        if info.verb == "proxy" {
            return self.proxy(resource.resource);
        }
        // The router has let through nothing but what the resource has.
        let subresource = resource.subresource(&info.subresource);
        if let Some(subresource) = subresource
            && (subresource.verbs.is_empty() || subresource.name == "log")
        {
            if subresource.name != "log" {
                self.admit(admission::Operation::Connect, None, None)?;
            }
            return self.connect(subresource.name);
        }
        let verb = match (method, info.name.is_empty()) {
            ("GET", false) => "get",
            ("GET", true) => "list",
            ("POST", _) => "create",
            ("PUT", false) => "update",
            ("PATCH", false) => "patch",
            ("DELETE", false) => "delete",
            ("DELETE", true) => "deletecollection",
            _ => return Err(Status::method_not_allowed()),
        };
        if subresource.is_some_and(|subresource| subresource.name == "scale") {
            return self.scale(verb);
        }
        match verb {
            "get"
                if switch(self.call.query, "export")
                // The registry of RBAC lets nothing through but what it checks.
                && (subresource.is_some() || resource.group == "rbac.authorization.k8s.io") =>
            {
                let name = crate::request::quote(resource.resource);
                Err(Status::bad_request(format!("export of {name} is not supported")))
            }
            "get" => {
                let export = switch(self.call.query, "export");
                if !export {
                    check_version(self.hub, &self.call)?;
                }
                let object = self.existing()?.ok_or_else(|| self.not_found())?;
                Ok((200, if export { self.export(&object) } else { self.render(&object) }))
            }
            "list" => {
                let objects = list_objects(self.cluster, self.hub, &self.call)?;
                Ok((200, self.render_list(&objects)))
            }
            "create" => self.create(),
            "update" => self.update(),
            "patch" => self.patch(),
            "delete" => self.delete(),
            _ => self.delete_collection(),
        }
    }

    /// The resource as the registry's errors name it. Deployments of apps are those of extensions; network policies of
    /// the two groups have a registry each.
    fn qualified(&self) -> Qualified<'static> {
        qualified_in(self.hub, self.call.resource, |resource| resource.resource)
    }

    /// The kind as the registry's errors name it.
    fn qualified_kind(&self) -> Qualified<'static> {
        qualified_in(self.hub, self.call.resource, |resource| resource.kind)
    }

    fn not_found(&self) -> Status {
        Status::not_found(self.qualified(), &self.call.info.name)
    }

    fn key(&self, name: &str) -> String {
        self.hub.key(&self.call.info.namespace, name)
    }

    /// The object that the URL names.
    fn existing(&self) -> Result<Option<Rc<Object>>, Status> {
        let name = &self.call.info.name;
        let wrong = names::path_segment(name, false);
        if !wrong.is_empty() {
            let reasons = wrong.join(";");
            let message = format!("Name parameter invalid: {}: {reasons}", crate::request::quote(name));
            return Err(Status::bad_request(message));
        }
        self.cluster.store.get(&self.key(name)).map(read).transpose()
    }

    fn put(&mut self, key: &str, object: Object) -> Rc<Object> {
        let object = self.cluster.put(key, object);
        self.writes.push(Write { key: key.to_owned(), revision: self.cluster.store.revision(), put: true });
        object
    }

    fn remove(&mut self, key: &str) {
        if self.cluster.remove(key) {
            self.writes.push(Write { key: key.to_owned(), revision: self.cluster.store.revision(), put: false });
        }
    }

    fn render(&self, object: &Rc<Object>) -> Value {
        render(self.cluster, self.hub, &self.call, object)
    }

    /// The object without what is this cluster's own of it; with all that can be kept where the request is for the `exact` one.
    fn export(&self, object: &Object) -> Value {
        let exact = switch(self.call.query, "exact");
        let mut value = object.value.clone();
        set(&mut value, &["metadata", "creationTimestamp"], Some(Value::Null));
        let is_named_by_us = !text(&value, "metadata.generateName").is_empty();
        for (key, goes) in [
            ("uid", true),
            ("deletionTimestamp", true),
            ("resourceVersion", true),
            ("namespace", !exact),
            ("name", is_named_by_us && !exact),
        ] {
            if goes {
                set(&mut value, &["metadata", key], None);
            }
        }
        strategy::export(self.hub.kind, exact, &mut value, self.call.user);
        let kept = value.clone();
        let value = self.cluster.release.canonical(self.hub.api_version(), self.hub.kind, value).unwrap_or(kept);
        let has_phase = member(&value, "status.phase").is_some();
        let mut shown = self.render(&Rc::new(Object::new(value, None)));
        if !has_phase && shown.get("status").is_some() {
            // It is not read from etcd, and has no defaults.
            set(&mut shown, &["status", "phase"], None);
        }
        shown
    }

    fn render_list(&self, objects: &[Rc<Object>]) -> Value {
        let Call { resource, info, .. } = self.call;
        let items = objects.iter().map(|object| {
            let mut item = self.render(object);
            if let Value::Object(item) = &mut item {
                item.shift_remove("kind");
                item.shift_remove("apiVersion");
            }
            item
        });
        let items: Vec<Value> = items.collect();
        let metadata = json::object([
            ("selfLink", escape(&info.path, b"$&+,/:;=@-_.~!*'()").into()),
            ("resourceVersion", self.cluster.store.revision().to_string().into()),
        ]);
        json::object([
            ("kind", format!("{}List", resource.kind).into()),
            ("apiVersion", resource.api_version().into()),
            ("metadata", metadata),
            ("items", items.into()),
        ])
    }

    /// Asks the admission chain; mutating plugins change `object`.
    fn admit(
        &mut self,
        operation: admission::Operation,
        object: Option<&mut Value>,
        old: Option<&Value>,
    ) -> Result<(), Status> {
        admit(self.cluster, &self.call, operation, object, old, &mut self.admission)
    }
}

/// Asks the admission chain; mutating plugins change `object`.
pub(super) fn admit(
    cluster: &Cluster,
    call: &Call<'_>,
    operation: admission::Operation,
    object: Option<&mut Value>,
    old: Option<&Value>,
    steps: &mut Vec<admission::Step>,
) -> Result<(), Status> {
    let Call { resource, info, user, .. } = *call;
    let name = match operation {
        admission::Operation::Create if info.subresource.is_empty() => "",
        _ => &info.name,
    };
    let attributes = admission::Attributes {
        operation,
        user,
        resource: Qualified { group: resource.group, name: resource.resource },
        subresource: &info.subresource,
        namespace: if resource.namespaced || resource.resource == "namespaces" { &info.namespace } else { "" },
        name,
        old,
    };
    let listers = admission::Listers { release: cluster.release, store: &cluster.store };
    admission::admit(&cluster.admission, listers, &attributes, object, steps)
}

fn qualified_in(
    hub: &ResourceType,
    resource: &ResourceType,
    name: impl Fn(&ResourceType) -> &'static str,
) -> Qualified<'static> {
    let of = if resource.resource == "networkpolicies" { resource } else { hub };
    Qualified { group: of.group, name: name(of) }
}

/// The object of an entry, or the error that a read of it gives.
fn read(entry: &Entry) -> Result<Rc<Object>, Status> {
    entry.object.clone().map_err(|error| match error {
        Unreadable::Transform(error) => Status::internal(&error),
        Unreadable::Decode(error) => Status::unknown(error),
    })
}

/// What a list or a watch is about.
struct Chosen<'a> {
    prefix: String,
    name: &'a str,
    kind: &'static str,
    labels: selector::Labels,
    fields: selector::Fields,
}

impl<'a> Chosen<'a> {
    fn parse(hub: &ResourceType, call: &Call<'a>) -> Result<Self, Status> {
        let Call { resource, info, .. } = *call;
        number(call.query, "timeoutSeconds")?;
        let labels = selector::Labels::parse(query(call.query, "labelSelector")).map_err(Status::bad_request)?;
        let fields = match query(call.query, "fieldSelector") {
            "" => selector::Fields::default(),
            _ if !info.name.is_empty() => {
                let message = "both a name and a field selector provided; please provide one or the other.";
                return Err(Status::bad_request(message));
            }
            text => {
                selector::Fields::parse(text, resource.api_version(), resource.kind).map_err(Status::bad_request)?
            }
        };
        let prefix = hub.key(&info.namespace, "");
        Ok(Self { prefix, name: &info.name, kind: resource.kind, labels, fields })
    }

    /// Whether the object under one of its keys is.
    fn has(&self, object: &Object) -> bool {
        (self.name.is_empty() || object.name() == self.name)
            && self.labels.matches(member(&object.value, "metadata.labels"))
            && self.fields.matches(self.kind, &object.value)
    }

    /// What there is of it.
    fn objects<'c>(&self, cluster: &'c Cluster) -> Result<Vec<&'c Rc<Object>>, Status> {
        let mut objects = Vec::new();
        for (_, entry) in cluster.store.range(&self.prefix) {
            match &entry.object {
                Ok(object) if self.has(object) => objects.push(object),
                // Lists leave out what the transformers refuse, and fail on what is no object.
                Ok(_) | Err(Unreadable::Transform(_)) => {}
                Err(Unreadable::Decode(error)) => return Err(Status::unknown(error.clone())),
            }
        }
        Ok(objects)
    }
}

/// What a list request chooses.
fn list_objects(cluster: &Cluster, hub: &ResourceType, call: &Call<'_>) -> Result<Vec<Rc<Object>>, Status> {
    let chosen = Chosen::parse(hub, call)?;
    check_version(hub, call)?;
    Ok(chosen.objects(cluster)?.into_iter().cloned().collect())
}

/// A read that asks for a `resourceVersion` is answered by the watch cache, which wants a number. Events have none.
fn check_version(hub: &ResourceType, call: &Call<'_>) -> Result<(), Status> {
    match query(call.query, "resourceVersion") {
        "" => Ok(()),
        _ if hub.kind == "Event" => Ok(()),
        version => parse_uint(version).map(drop).map_err(Status::unknown),
    }
}

/// An object as the URL's version shows it, with its selfLink.
fn render(cluster: &Cluster, hub: &ResourceType, call: &Call<'_>, object: &Object) -> Value {
    let Call { resource, info, .. } = *call;
    let mut value = convert::from_hub(cluster.release, hub, resource, object.value.clone());
    let namespace = Some(object.namespace()).filter(|namespace| !namespace.is_empty()).unwrap_or(&info.namespace);
    let mut link = if resource.group.is_empty() { "/api/".to_owned() } else { "/apis/".to_owned() };
    link.push_str(resource.api_version());
    if resource.namespaced {
        link.push_str("/namespaces/");
        link.push_str(&query_escape(namespace));
    }
    let name = Some(object.name()).filter(|name| !name.is_empty()).unwrap_or(&info.name);
    for part in [resource.resource, name, &info.subresource] {
        if !part.is_empty() {
            link.push('/');
            link.push_str(&query_escape(part));
        }
    }
    strategy::fill_in_phase(hub.kind, &mut value);
    if let Some(Value::Object(metadata)) = value.get_mut("metadata") {
        metadata.insert("selfLink".into(), link.into());
        order_metadata(metadata);
    }
    value
}

/// Go's `url.QueryEscape`.
fn query_escape(text: &str) -> String {
    escape(text, b"-_.~ ").replace(' ', "+")
}

/// Percent-encodes all but letters, digits and `kept`.
fn escape(text: &str, kept: &[u8]) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || kept.contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

/// The members of ObjectMeta in the order of the Go type.
fn order_metadata(metadata: &mut Map<String, Value>) {
    const ORDER: [&str; 16] = [
        "name",
        "generateName",
        "namespace",
        "selfLink",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "labels",
        "annotations",
        "ownerReferences",
        "initializers",
        "finalizers",
        "clusterName",
    ];
    let mut ordered = Map::new();
    for key in ORDER {
        if let Some(value) = metadata.get_mut(key) {
            ordered.insert(key.into(), value.take());
        }
    }
    *metadata = ordered;
}

/// The first value of a query parameter, or `""`.
fn query<'a>(query: &'a [(String, String)], name: &str) -> &'a str {
    query.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
}

/// A parameter that is a number; the error is that of `strconv.ParseInt`.
fn number(query: &[(String, String)], name: &str) -> Result<Option<i64>, Status> {
    let Some((_, text)) = query.iter().find(|(key, _)| key == name) else { return Ok(None) };
    text.parse().map(Some).map_err(|error| Status::bad_request(not_a_number("ParseInt", text, &error)))
}

/// A parameter that is on unless it says otherwise.
fn switch(query: &[(String, String)], name: &str) -> bool {
    let value = query.iter().find(|(key, _)| key == name);
    value.is_some_and(|(_, value)| value != "0" && !value.eq_ignore_ascii_case("false"))
}

/// `strconv.ParseUint`.
fn parse_uint(text: &str) -> Result<u64, String> {
    let unsigned = if text.starts_with('+') { "" } else { text };
    unsigned.parse().map_err(|error| not_a_number("ParseUint", text, &error))
}

fn not_a_number(function: &str, text: &str, error: &std::num::ParseIntError) -> String {
    use std::num::IntErrorKind::{NegOverflow, PosOverflow};
    let what = if matches!(error.kind(), PosOverflow | NegOverflow) { "value out of range" } else { "invalid syntax" };
    format!("strconv.{function}: parsing {}: {what}", crate::request::quote(text))
}

/// The member at a dotted path.
pub(super) fn member<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |value, key| value.get(key)).filter(|value| !value.is_null())
}

/// The text at a dotted path, or `""`.
pub(super) fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    member(value, path).and_then(Value::as_str).unwrap_or("")
}

/// The elements at a dotted path.
pub(super) fn list<'a>(value: &'a Value, path: &str) -> &'a [Value] {
    member(value, path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Sets the member at `path`, making the objects on the way.
pub(super) fn set(value: &mut Value, path: &[&str], new: Option<Value>) {
    let Some((last, way)) = path.split_last() else { return };
    let mut at = value;
    for key in way {
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        let Value::Object(map) = at else { return };
        at = map.entry(*key).or_insert(Value::Null);
    }
    if at.is_null() {
        *at = Value::Object(Map::new());
    }
    if let Value::Object(map) = at {
        match new {
            Some(new) => drop(map.insert((*last).to_owned(), new)),
            None => drop(map.shift_remove(*last)),
        }
    }
}
