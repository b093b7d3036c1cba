//! Create, update and patch.

use std::rc::Rc;

use super::{Outcome, Run, body, convert, list, member, names, patch, services, set, strategy, text, validation};
use crate::admission::Operation;
use crate::manifest::{Object, Value, json};
use crate::status::Status;
use crate::world::{World, time};

/// The letters of generated suffixes.
const ALPHANUMERICS: &[u8] = b"bcdfghjklmnpqrstvwxz0123456789";

/// `base` with five random characters.
pub(in crate::apiserver) fn generate_name(base: &str, world: &mut World) -> String {
    let mut name: String = base.chars().take(58).collect();
    for byte in world.draw::<5>() {
        let at = usize::from(byte) * ALPHANUMERICS.len() / 256;
        name.push(ALPHANUMERICS.get(at).copied().unwrap_or(b'b').into());
    }
    name
}

/// Sets creationTimestamp and UID of a new object; gives the nanoseconds that the timestamp does not show.
pub(in crate::apiserver) fn fill_system_fields(object: &mut Value, uid: String, world: &World) -> u32 {
    set(object, &["metadata", "creationTimestamp"], Some(time::rfc3339(world.now).into()));
    set(object, &["metadata", "uid"], Some(uid.into()));
    set(object, &["metadata", "selfLink"], None);
    world.now.timestamp_subsec_nanos()
}

impl Run<'_> {
    pub(super) fn create(&mut self) -> Outcome {
        let (api_version, kind) = self.body_kind();
        let sent = self.call.decode(self.cluster.release, api_version, kind)?;
        let subresource = self.call.info.subresource.as_str();
        let (resource, hub) = (self.call.resource, self.hub);
        if !subresource.is_empty() || resource.kind == "Binding" {
            let mut sent = sent;
            self.request_object = Some(sent.clone());
            self.admit(Operation::Create, Some(&mut sent), None)?;
            return match (resource.resource, subresource) {
                ("pods", "binding") | ("bindings", "") => self.bind(&sent),
                ("pods", "eviction") => self.evict(&sent),
                _ => Err(Status::method_not_allowed()),
            };
        }
        let mut object = convert::to_hub(self.cluster.release, resource, hub, sent);
        self.request_object = Some(convert::from_hub(self.cluster.release, hub, resource, object.clone()));
        self.admit(Operation::Create, Some(&mut object), None)?;
        self.check_escalation(&object)?;
        let created = self.create_object(object)?;
        Ok((201, self.render(&created)))
    }

    /// The version and kind that a body is read as.
    fn body_kind(&self) -> (&'static str, &'static str) {
        let resource = self.call.resource;
        match resource.subresource(&self.call.info.subresource) {
            Some(subresource) => (subresource.api_version, subresource.kind),
            None => (resource.api_version(), resource.kind),
        }
    }

    /// Stores a new object (`rest.BeforeCreate`, then etcd).
    fn create_object(&mut self, mut object: Value) -> Result<Rc<Object>, Status> {
        let namespace = self.call.info.namespace.clone();
        let kind = self.hub.kind;
        if self.hub.namespaced {
            self.check_namespace(&mut object, &namespace)?;
        } else {
            set(&mut object, &["metadata", "namespace"], None);
        }
        for key in ["deletionTimestamp", "deletionGracePeriodSeconds", "clusterName"] {
            set(&mut object, &["metadata", key], None);
        }
        strategy::prepare_for_create(kind, &mut object, self.call.user);
        let creation_nanos = fill_system_fields(&mut object, self.cluster.new_uid(self.world), self.world);
        let base = text(&object, "metadata.generateName").to_owned();
        if kind == "LimitRange" && text(&object, "metadata.name").is_empty() {
            // Alone among the kinds, it needs no name of its own.
            let uid = self.cluster.new_uid(self.world);
            set(&mut object, &["metadata", "name"], Some(uid.into()));
        }
        if text(&object, "metadata.name").is_empty() && !base.is_empty() {
            let name = generate_name(&base, self.world);
            set(&mut object, &["metadata", "name"], Some(name.into()));
        }
        strategy::complete(kind, &mut object);
        let name = text(&object, "metadata.name").to_owned();
        let errors = validation::create(&self.cluster.settings, kind, self.hub.namespaced, &object);
        if !errors.is_empty() {
            return Err(Status::invalid(self.qualified_kind(), &name, &errors));
        }
        if kind == "Service" {
            services::allocate(self.cluster, self.hub, &mut object, None, self.world)?;
        }
        if !matches!(text(&object, "metadata.resourceVersion"), "" | "0") {
            return Err(Status::unknown("resourceVersion should not be set on objects to be created"));
        }
        let key = self.hub.key(&namespace, &name);
        if let Some(entry) = self.cluster.store.get(&key) {
            if !base.is_empty() {
                return Err(Status::server_timeout(self.qualified_kind(), "POST"));
            }
            let mut status = Status::already_exists(self.qualified(), &name);
            let deleting = |object: &Rc<Object>| member(&object.value, "metadata.deletionTimestamp").is_some();
            if entry.object.as_ref().is_ok_and(deleting) {
                status.message.insert_str(0, "object is being deleted: ");
            }
            return Err(status);
        }
        let mut object = self.stored(object);
        object.creation_nanos = creation_nanos;
        Ok(self.put(&key, object))
    }

    fn check_namespace(&self, object: &mut Value, namespace: &str) -> Result<(), Status> {
        let given = text(object, "metadata.namespace");
        if given.is_empty() {
            set(object, &["metadata", "namespace"], Some(namespace.into()));
        } else if given != namespace {
            let message = "the namespace of the provided object does not match the namespace sent on the request";
            return Err(Status::bad_request(message));
        }
        Ok(())
    }

    /// The object as it is stored, from the call's text.
    fn stored(&self, value: Value) -> Object {
        let kept = value.clone();
        let value = self.cluster.release.canonical(self.hub.api_version(), self.hub.kind, value).unwrap_or(kept);
        Object::new(value, self.call.origin.cloned())
    }

    pub(super) fn update(&mut self) -> Outcome {
        let (api_version, kind) = self.body_kind();
        let sent = self.call.decode(self.cluster.release, api_version, kind)?;
        let (resource, hub) = (self.call.resource, self.hub);
        let object = convert::to_hub(self.cluster.release, resource, hub, sent);
        self.request_object = Some(convert::from_hub(self.cluster.release, hub, resource, object.clone()));
        self.check_name(&object)?;
        let old = self.existing()?;
        let old_uid = old.as_ref().map_or("", |old| old.uid());
        let uid = text(&object, "metadata.uid");
        if !uid.is_empty() && uid != old_uid {
            let cause = format!(
                "StorageError: invalid object, Code: 4, Key: {}, ResourceVersion: 0, AdditionalErrorMsg: \
                 Precondition failed: UID in precondition: {uid}, UID in object meta: {old_uid}",
                self.key(&self.call.info.name)
            );
            return Err(Status::conflict(self.qualified(), &self.call.info.name, &cause));
        }
        self.finish_update(object, old)
    }

    fn check_name(&self, object: &Value) -> Result<(), Status> {
        let info = self.call.info;
        let (name, namespace) = (text(object, "metadata.name"), text(object, "metadata.namespace"));
        let message = if name.is_empty() {
            format!("the name of the object ({} based on URL) was undeterminable: name must be provided", info.name)
        } else if name != info.name {
            format!("the name of the object ({name}) does not match the name on the URL ({})", info.name)
        } else if !info.namespace.is_empty() && !namespace.is_empty() && namespace != info.namespace {
            let wanted = &info.namespace;
            format!("the namespace of the object ({namespace}) does not match the namespace on the request ({wanted})")
        } else {
            return Ok(());
        };
        Err(Status::bad_request(message))
    }

    /// Puts `object` in place of `old`, or creates it where its kind allows that.
    fn finish_update(&mut self, mut object: Value, old: Option<Rc<Object>>) -> Outcome {
        let kind = self.hub.kind;
        let name = self.call.info.name.clone();
        let nothing = Value::Object(crate::manifest::Map::new());
        let old_value = old.as_ref().map_or(&nothing, |old| &old.value);
        self.admit(Operation::Update, Some(&mut object), Some(old_value))?;
        self.check_escalation(&object)?;
        let version = text(&object, "metadata.resourceVersion").to_owned();
        let version = if version.is_empty() { 0 } else { super::parse_uint(&version).map_err(Status::unknown)? };
        let Some(old) = old else {
            if !strategy::creates_on_update(kind) {
                return Err(self.not_found());
            }
            set(&mut object, &["metadata", "resourceVersion"], None);
            let created = self.create_object(object)?;
            return Ok((201, self.render(&created)));
        };
        let current: u64 = text(&old.value, "metadata.resourceVersion").parse().unwrap_or(0);
        if version == 0 && !strategy::updates_unconditionally(kind) {
            let detail = "must be specified for an update";
            let error = crate::status::FieldError::invalid_value("metadata.resourceVersion", "0x0", detail);
            return Err(Status::invalid(self.qualified(), &name, &[error]));
        }
        if version != 0 && version != current {
            return Err(Status::modified(self.qualified(), &name));
        }
        self.before_update(&mut object, &old)?;
        if kind == "Service" && self.call.info.subresource.is_empty() {
            services::allocate(self.cluster, self.hub, &mut object, Some(&old.value), self.world)?;
        }
        let key = self.key(&name);
        // The last finalizer is gone, and the object was only waiting for that.
        if list(&object, "metadata.finalizers").is_empty()
            && member(&old.value, "metadata.deletionGracePeriodSeconds").and_then(Value::as_i64) == Some(0)
        {
            let object = Rc::new(self.stored(object));
            self.remove(&key);
            return Ok((200, self.render(&object)));
        }
        let updated = self.replace(&key, object, &old);
        Ok((200, self.render(&updated)))
    }

    /// Writes `value` over `old`, unless nothing would change.
    pub(super) fn replace(&mut self, key: &str, mut value: Value, old: &Rc<Object>) -> Rc<Object> {
        set(&mut value, &["metadata", "resourceVersion"], member(&old.value, "metadata.resourceVersion").cloned());
        let mut object = self.stored(value);
        object.creation_nanos = old.creation_nanos;
        object.deletion_nanos = match member(&old.value, "metadata.deletionTimestamp") {
            Some(_) => old.deletion_nanos,
            None if member(&object.value, "metadata.deletionTimestamp").is_some() => {
                self.world.now.timestamp_subsec_nanos()
            }
            None => 0,
        };
        let stale = self.cluster.store.get(key).is_some_and(|entry| entry.stale);
        if object.value == old.value && !stale {
            return old.clone();
        }
        self.put(key, object)
    }

    /// `rest.BeforeUpdate`.
    fn before_update(&mut self, object: &mut Value, old: &Rc<Object>) -> Result<(), Status> {
        if self.hub.namespaced {
            let namespace = self.call.info.namespace.clone();
            self.check_namespace(object, &namespace)?;
        } else {
            set(object, &["metadata", "namespace"], None);
        }
        let old_value = &old.value;
        set(object, &["metadata", "generation"], member(old_value, "metadata.generation").cloned());
        strategy::prepare_for_update(self.hub.kind, &self.call.info.subresource, object, old_value);
        set(object, &["metadata", "clusterName"], None);
        // What a client leaves out or may not change is taken from what is there.
        if text(object, "metadata.uid").is_empty() {
            set(object, &["metadata", "uid"], member(old_value, "metadata.uid").cloned());
        }
        for key in ["creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"] {
            if let Some(kept) = member(old_value, &format!("metadata.{key}")) {
                set(object, &["metadata", key], Some(kept.clone()));
            }
        }
        let (kind, namespaced) = (self.hub.kind, self.hub.namespaced);
        let subresource = &self.call.info.subresource;
        let errors = validation::update(&self.cluster.settings, kind, subresource, namespaced, object, old_value);
        if errors.is_empty() {
            Ok(())
        } else {
            Err(Status::invalid(self.qualified_kind(), text(object, "metadata.name"), &errors))
        }
    }

    pub(super) fn patch(&mut self) -> Outcome {
        let format = body::media_type(self.call.content_type);
        let wrong = names::path_segment(&self.call.info.name, false);
        if !wrong.is_empty() {
            return Err(Status::bad_request(wrong.join(";")));
        }
        let old = self.existing()?.ok_or_else(|| {
            let resource = self.call.resource;
            let what = super::Qualified { group: resource.group, name: resource.resource };
            Status::not_found(what, &self.call.info.name)
        })?;
        let (resource, hub, release) = (self.call.resource, self.hub, self.cluster.release);
        let mut value = convert::from_hub(release, hub, resource, old.value.clone());
        let text = String::from_utf8_lossy(self.call.body);
        let sent = json::parse(&text);
        match (format, sent) {
            ("application/merge-patch+json", Ok(sent @ Value::Object(_))) => patch::merge(&mut value, &sent),
            ("application/merge-patch+json", _) => return Err(Status::unknown("Invalid JSON Patch")),
            (_, Err(error)) => return Err(Status::unknown(error.message)),
            ("application/json-patch+json", Ok(sent)) => {
                patch::json(&mut value, &sent).map_err(Status::unknown)?;
            }
            (_, Ok(sent)) => patch::strategic(resource.kind, &mut value, &sent).map_err(Status::unknown)?,
        }
        let (api_version, kind) = (resource.api_version(), resource.kind);
        let value = match format {
            "application/json-patch+json" | "application/merge-patch+json" => {
                let mut patched = value.clone();
                release.decode(api_version, kind, value).map_err(|error| {
                    patched.sort_all_objects();
                    release.codec_error(api_version, kind, &json::to_string(&patched)).unwrap_or(error)
                })
            }
            _ => release.convert(api_version, kind, value),
        };
        let value = value.map_err(Status::unknown)?;
        let object = convert::to_hub(release, resource, hub, value);
        self.check_name(&object)?;
        self.finish_update(object, Some(old))
    }
}
