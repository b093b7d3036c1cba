//! Delete and deletecollection: graceful deletion, finalizers, preconditions.

use std::rc::Rc;

use super::{Outcome, Run, list, list_objects, member, number, set, strategy, switch, text};
use crate::admission::Operation;
use crate::apiserver::cluster::Cluster;
use crate::manifest::{Map, Object, Value, json};
use crate::sort::SortedSet;
use crate::status::{FieldError, Qualified, Status};
use crate::storage::Entry;
use crate::world::time;

/// `metav1.DeleteOptions`.
#[derive(Clone, Debug, Default)]
pub(super) struct Options {
    grace_period_seconds: Option<i64>,
    uid: Option<String>,
    orphan_dependents: Option<bool>,
    propagation_policy: Option<String>,
}

impl Options {
    pub(super) fn new(value: &Value) -> Self {
        Self {
            grace_period_seconds: member(value, "gracePeriodSeconds").and_then(Value::as_i64),
            uid: member(value, "preconditions.uid").and_then(Value::as_str).map(str::to_owned),
            orphan_dependents: member(value, "orphanDependents").and_then(Value::as_bool),
            propagation_policy: member(value, "propagationPolicy").and_then(Value::as_str).map(str::to_owned),
        }
    }

    fn from_query(parameters: &[(String, String)]) -> Result<Self, Status> {
        let has = |name| parameters.iter().any(|(key, _)| key == name);
        let options = Self {
            grace_period_seconds: number(parameters, "gracePeriodSeconds")?,
            orphan_dependents: has("orphanDependents").then(|| switch(parameters, "orphanDependents")),
            ..Self::default()
        };
        if has("propagationPolicy") {
            // Go's name for the type is none for which there is a conversion.
            return Err(Status::bad_request(
                "converting (url.Values).[]string.[]string to (v1.DeleteOptions).*v1.DeletionPropagation.v1.DeletionPropagation: \
                 couldn't copy '[]string' into 'v1.DeletionPropagation'; didn't understand types",
            ));
        }
        Ok(options)
    }

    /// As audit shows it.
    fn to_value(&self, api_version: &str) -> Value {
        let mut map = Map::new();
        map.insert("kind".into(), "DeleteOptions".into());
        map.insert("apiVersion".into(), api_version.into());
        if let Some(seconds) = self.grace_period_seconds {
            map.insert("gracePeriodSeconds".into(), seconds.into());
        }
        if let Some(uid) = &self.uid {
            map.insert("preconditions".into(), json::object([("uid", uid.as_str().into())]));
        }
        if let Some(orphan) = self.orphan_dependents {
            map.insert("orphanDependents".into(), orphan.into());
        }
        if let Some(policy) = &self.propagation_policy {
            map.insert("propagationPolicy".into(), policy.as_str().into());
        }
        Value::Object(map)
    }

    /// The finalizers of an object that is deleted so.
    fn finalizers(&self, kind: &str, object: &Value) -> Vec<Value> {
        let present = list(object, "metadata.finalizers");
        let (mut orphan, mut foreground) = (strategy::orphans_dependents(kind), false);
        for finalizer in present.iter().filter_map(Value::as_str) {
            match finalizer {
                "orphan" => (orphan, foreground) = (true, false),
                "foregroundDeletion" => (orphan, foreground) = (false, true),
                _ => {}
            }
        }
        if let Some(explicit) = self.orphan_dependents {
            (orphan, foreground) = (explicit, false);
        }
        match self.propagation_policy.as_deref() {
            Some("Orphan") => (orphan, foreground) = (true, false),
            Some("Background") => (orphan, foreground) = (false, false),
            Some("Foreground") => (orphan, foreground) = (false, true),
            _ => {}
        }
        let mut finalizers = present.to_vec();
        finalizers.retain(|finalizer| finalizer != "orphan" && finalizer != "foregroundDeletion");
        for (wanted, name) in [(orphan, "orphan"), (foreground, "foregroundDeletion")] {
            if wanted {
                finalizers.push(name.into());
            }
        }
        finalizers
    }
}

/// What a deletion left.
enum Deleted {
    /// Waiting for its grace period or its finalizers.
    Kept(Rc<Object>),
    /// Gone.
    Gone(Rc<Object>),
}

impl Run<'_> {
    pub(super) fn delete(&mut self) -> Outcome {
        // Services take no options.
        let mut options = Options::default();
        if self.hub.kind != "Service" {
            let body = self.call.decode_options()?;
            if body.is_null() {
                options = Options::from_query(self.call.query)?;
            } else {
                options = Options::new(&body);
                self.request_object = Some(options.to_value(self.call.resource.api_version()));
            }
        }
        self.admit(Operation::Delete, None, None)?;
        let name = self.call.info.name.clone();
        let old = self.existing()?.ok_or_else(|| self.not_found())?;
        match self.hub.kind {
            "Namespace" => {
                if let Some(kept) = self.terminate_namespace(&name, &old, &options)? {
                    return Ok((200, self.render(&kept)));
                }
            }
            "Service" => {
                self.remove(&self.key(&name));
                if let Some(endpoints) = self.cluster.release.resource_of("v1", "Endpoints") {
                    self.remove(&endpoints.key(&self.call.info.namespace, &name));
                }
                return Ok((200, Status { success: true, ..Status::default() }.to_value()));
            }
            _ => {}
        }
        let orphans_not = options.orphan_dependents == Some(false);
        match self.delete_object(&name, &old, &mut options)? {
            Deleted::Kept(object) => {
                let code = if orphans_not { 202 } else { 200 };
                Ok((code, self.render(&object)))
            }
            Deleted::Gone(object) if strategy::returns_deleted(self.hub.kind) => Ok((200, self.render(&object))),
            Deleted::Gone(object) => Ok((200, Status::deleted(self.qualified(), &name, object.uid()).to_value())),
        }
    }

    /// Sends a namespace into termination; `None` where it may go at once.
    fn terminate_namespace(
        &mut self,
        name: &str,
        old: &Rc<Object>,
        options: &Options,
    ) -> Result<Option<Rc<Object>>, Status> {
        self.check_precondition(old, options)?;
        if member(&old.value, "metadata.deletionTimestamp").is_none() {
            let mut value = old.value.clone();
            set(&mut value, &["metadata", "deletionTimestamp"], Some(time::rfc3339(self.world.now).into()));
            set(&mut value, &["status", "phase"], Some("Terminating".into()));
            return Ok(Some(self.replace(&self.key(name), value, old)));
        }
        if list(&old.value, "spec.finalizers").is_empty() {
            return Ok(None);
        }
        let cause = "The system is ensuring all content is removed from this namespace.  Upon completion, \
                     this namespace will automatically be purged by the system.";
        Err(Status::conflict(self.qualified(), name, cause))
    }

    fn check_precondition(&self, old: &Object, options: &Options) -> Result<(), Status> {
        let Some(uid) = options.uid.as_deref().filter(|uid| *uid != old.uid()) else { return Ok(()) };
        let cause = format!(
            "the UID in the precondition ({uid}) does not match the UID in record ({}). \
             The object might have been deleted and then recreated",
            old.uid()
        );
        Err(Status::conflict(self.qualified_kind(), old.name(), &cause))
    }

    /// Deletes what is there, at once or by marking it. As in the original, the options learn the grace period.
    fn delete_object(&mut self, name: &str, old: &Rc<Object>, options: &mut Options) -> Result<Deleted, Status> {
        let policy = options.propagation_policy.as_deref();
        let mut errors = Vec::new();
        if policy.is_some() && options.orphan_dependents.is_some() {
            errors.push("OrphanDependents and DeletionPropagation cannot be both set");
        }
        if policy.is_some_and(|policy| !matches!(policy, "Foreground" | "Background" | "Orphan")) {
            errors.push(r#"DeletionPropagation need to be one of "Foreground", "Background", "Orphan" or nil"#);
        }
        if !errors.is_empty() {
            // The value would be the options with the addresses of their parts.
            let errors: Vec<FieldError> =
                errors.into_iter().map(|detail| FieldError::invalid_value("", "", detail)).collect();
            return Err(Status::invalid(Qualified { group: "", name: "" }, "", &errors));
        }
        self.check_precondition(old, options)?;
        let key = self.hub.key(old.namespace(), name);
        let kind = self.hub.kind;
        let mut value = old.value.clone();
        let mut graceful = kind == "Pod";
        if graceful {
            let marked = member(&value, "metadata.deletionTimestamp").is_some();
            let pending = member(&value, "metadata.deletionGracePeriodSeconds").and_then(Value::as_i64).unwrap_or(0);
            match options.grace_period_seconds {
                _ if marked && pending == 0 => graceful = false,
                Some(period) if marked && period < pending => self.mark(&mut value, period),
                _ if marked => return Ok(Deleted::Kept(old.clone())),
                wanted => {
                    let default = || member(&value, "spec.terminationGracePeriodSeconds").and_then(Value::as_i64);
                    let finished = matches!(text(&value, "status.phase"), "Failed" | "Succeeded");
                    let period = match wanted.or_else(default) {
                        Some(period) if !text(&value, "spec.nodeName").is_empty() && !finished => period,
                        _ => 0,
                    };
                    options.grace_period_seconds = Some(period);
                    self.mark(&mut value, period);
                }
            }
        }
        let finalizes = self.cluster.settings.finalizes;
        let finalizers = if finalizes { options.finalizers(kind, &value) } else { Vec::new() };
        let waits = !finalizers.is_empty();
        if finalizes {
            set(&mut value, &["metadata", "finalizers"], waits.then(|| finalizers.into()));
        }
        if waits && !graceful {
            self.mark(&mut value, 0);
        }
        let grace = graceful && options.grace_period_seconds.unwrap_or(0) > 0;
        if waits || grace {
            return Ok(Deleted::Kept(self.replace(&key, value, old)));
        }
        // A pod that goes at once is marked first, and shows it.
        let last = if graceful { self.replace(&key, value, old) } else { old.clone() };
        self.remove(&key);
        Ok(Deleted::Gone(last))
    }

    fn mark(&self, object: &mut Value, seconds: i64) {
        let already = member(object, "metadata.deletionTimestamp").is_some();
        let generation = member(object, "metadata.generation").and_then(Value::as_i64).unwrap_or(0);
        if !already && generation > 0 {
            set(object, &["metadata", "generation"], Some((generation + 1).into()));
        }
        let wait = chrono::TimeDelta::try_seconds(seconds).unwrap_or_default();
        let at = self.world.now.checked_add_signed(wait).unwrap_or(self.world.now);
        set(object, &["metadata", "deletionTimestamp"], Some(time::rfc3339(at).into()));
        set(object, &["metadata", "deletionGracePeriodSeconds"], Some(seconds.into()));
    }

    pub(super) fn delete_collection(&mut self) -> Outcome {
        self.admit(Operation::Delete, None, None)?;
        let objects = list_objects(self.cluster, self.hub, &self.call)?;
        let body = self.call.decode_options()?;
        let mut options = Options::new(&body);
        if !body.is_null() {
            self.request_object = Some(options.to_value(self.call.resource.api_version()));
        }
        let answer = self.render_list(&objects);
        for object in &objects {
            self.delete_object(object.name(), object, &mut options)?;
        }
        Ok((200, answer))
    }

    /// An eviction deletes the pod with the options that it carries.
    pub(super) fn evict(&mut self, eviction: &Value) -> Outcome {
        let name = text(eviction, "metadata.name").to_owned();
        let not_found = || Status::not_found(Qualified { group: "", name: "pods" }, &name);
        let entry = self.cluster.store.get(&self.key(&name)).ok_or_else(not_found)?;
        let pod = super::read(entry)?;
        self.check_disruption(&pod)?;
        let mut options = Options::new(eviction.get("deleteOptions").unwrap_or(&Value::Null));
        if eviction.get("deleteOptions").is_none() {
            options.grace_period_seconds = Some(0);
        }
        self.delete_object(&name, &pod, &mut options)?;
        let status = Status { success: true, code: 201, ..Status::default() };
        Ok((201, status.to_value()))
    }
}

/// The garbage collector's part where owners of these UIDs go: what they own is theirs no longer, and goes with them where it
/// has no other owner, unless it is to stay an orphan.
pub fn part_from_owners(cluster: &mut Cluster, owners: &SortedSet<String>, orphan: bool) {
    let is_gone = |reference: &Value| owners.contains(text(reference, "uid"));
    let owned = |(key, entry): (&str, &Entry)| {
        let object = entry.object.as_ref().ok()?;
        let references = list(&object.value, "metadata.ownerReferences");
        references.iter().any(is_gone).then(|| (key.to_owned(), object.clone()))
    };
    for (key, object) in cluster.store.range("/registry/").filter_map(owned).collect::<Vec<_>>() {
        let mut kept = list(&object.value, "metadata.ownerReferences").to_vec();
        kept.retain(|reference| !is_gone(reference));
        if kept.is_empty() && !orphan {
            cluster.remove(&key);
            continue;
        }
        let kept = (!kept.is_empty()).then(|| kept.into());
        let mut object = Object::clone(&object);
        set(&mut object.value, &["metadata", "ownerReferences"], kept);
        cluster.put(&key, object);
    }
}
