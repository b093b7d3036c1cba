//! The stand-ins for what runs beside an API server, so that the store looks alive: scheduler, kubelets, and the
//! controllers of namespaces, service accounts, tokens and garbage.
//!
//! They look only at what requests wrote: loaded objects are the cluster as found.
//! Behaviour: `pkg/controller/{namespace,serviceaccount,garbagecollector}`; tokens in `pkg/serviceaccount/jwt.go`.

use std::collections::BTreeMap;
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::cluster::{Cluster, set_condition};
use super::rest::{fill_system_fields, generate_name, list, member, remove_dependents, set, text};
use crate::authentication::service_account;
use crate::manifest::{Map, Object, Value};
use crate::world::World;

impl Cluster {
    /// Lets everybody react to what was written, until nobody has anything left to do.
    pub fn settle(&mut self, world: &mut World) {
        // Each reaction can cause another: a namespace its account, the account its token. The bound is far above that.
        for _ in 0..16 {
            let touched = self.take_touched();
            if touched.is_empty() {
                return;
            }
            for key in touched {
                self.react(&key, world);
            }
        }
    }

    fn react(&mut self, key: &str, world: &mut World) {
        let Some(Ok(object)) = self.store.get(key).map(|entry| entry.object.clone()) else { return };
        let deleted = member(&object.value, "metadata.deletionTimestamp").is_some();
        match object.kind() {
            "Namespace" if deleted => self.empty_namespace(key, &object),
            "Pod" if deleted && list(&object.value, "metadata.finalizers").is_empty() => drop(self.remove(key)),
            _ if deleted => self.collect(key, &object),
            "Namespace" => self.add_default_account(&object, world),
            "ServiceAccount" => self.add_token(key, &object, world),
            "Pod" if text(&object.value, "spec.nodeName").is_empty() => self.schedule(key, &object, world),
            _ => {}
        }
    }

    /// The namespace controller: everything in it goes, then the namespace itself.
    fn empty_namespace(&mut self, key: &str, namespace: &Object) {
        let release = self.release;
        for resource in release.resources().iter().filter(|resource| resource.namespaced) {
            let prefix = resource.key(namespace.name(), "");
            let keys: Vec<String> = self.store.range(&prefix).map(|(key, _)| key.to_owned()).collect();
            for key in keys {
                self.remove(&key);
            }
        }
        if list(&namespace.value, "spec.finalizers").iter().all(|finalizer| finalizer == "kubernetes") {
            self.remove(key);
        }
    }

    /// The garbage collector: takes its own finalizers off, and the object goes when none is left.
    fn collect(&mut self, key: &str, object: &Rc<Object>) {
        let finalizers = list(&object.value, "metadata.finalizers");
        let others: Vec<Value> = finalizers
            .iter()
            .filter(|finalizer| *finalizer != "orphan" && *finalizer != "foregroundDeletion")
            .cloned()
            .collect();
        if others.len() == finalizers.len() {
            return;
        }
        if finalizers.iter().any(|finalizer| finalizer == "foregroundDeletion") {
            remove_dependents(self, object);
        }
        if others.is_empty() {
            self.remove(key);
            return;
        }
        let mut kept = Object::clone(object);
        set(&mut kept.value, &["metadata", "finalizers"], Some(others.into()));
        self.put(key, kept);
    }

    fn create(&mut self, api_version: &str, kind: &str, value: Value, world: &mut World) -> Option<Rc<Object>> {
        let release = self.release;
        let resource = release.resource_of(api_version, kind)?;
        let mut value = release.decode(api_version, kind, value).ok()?;
        let creation_nanos = fill_system_fields(&mut value, self.new_uid(world), world);
        let value = release.canonical(api_version, kind, value).ok()?;
        let key = resource.key(text(&value, "metadata.namespace"), text(&value, "metadata.name"));
        if self.store.get(&key).is_some() {
            return None;
        }
        Some(self.put(&key, Object { creation_nanos, ..Object::new(value, None) }))
    }

    fn add_default_account(&mut self, namespace: &Object, world: &mut World) {
        let value = object("v1", "ServiceAccount", namespace.name(), "default");
        self.create("v1", "ServiceAccount", value, world);
    }

    /// The tokens controller: an account that refers to no token gets a Secret with one.
    fn add_token(&mut self, key: &str, account: &Rc<Object>, world: &mut World) {
        if !list(&account.value, "secrets").is_empty() {
            return;
        }
        let (namespace, name, uid) = (account.namespace(), account.name(), account.uid());
        let secret = generate_name(&format!("{name}-token-"), world);
        let token = service_account::token(namespace, name, uid, &secret);
        let mut value = object("v1", "Secret", namespace, &secret);
        set(&mut value, &["metadata", "annotations", "kubernetes.io/service-account.name"], Some(name.into()));
        set(&mut value, &["metadata", "annotations", "kubernetes.io/service-account.uid"], Some(uid.into()));
        for (key, text) in [("namespace", namespace), ("token", token.as_str())] {
            set(&mut value, &["data", key], Some(STANDARD.encode(text).into()));
        }
        set(&mut value, &["type"], Some("kubernetes.io/service-account-token".into()));
        self.create("v1", "Secret", value, world);
        let mut account = Object::clone(account);
        let reference: Map<String, Value> = [("name".to_owned(), Value::from(secret))].into_iter().collect();
        set(&mut account.value, &["secrets"], Some(vec![Value::Object(reference)].into()));
        let value = self.release.canonical("v1", "ServiceAccount", account.value.clone());
        account.value = value.unwrap_or(account.value);
        self.put(key, account);
    }

    /// The scheduler and a kubelet: to the node with the fewest pods, by name among equals, and there it runs.
    fn schedule(&mut self, key: &str, pod: &Rc<Object>, world: &mut World) {
        let release = self.release;
        let (Some(nodes), Some(pods)) = (release.resource_of("v1", "Node"), release.resource_of("v1", "Pod")) else {
            return;
        };
        let readable = |prefix: String| {
            self.store.range(&prefix).filter_map(|(_, entry)| entry.object.as_ref().ok().cloned()).collect::<Vec<_>>()
        };
        let mut load: BTreeMap<String, usize> = readable(nodes.key("", ""))
            .iter()
            .filter(|node| member(&node.value, "spec.unschedulable") != Some(&Value::Bool(true)))
            .map(|node| (node.name().to_owned(), 0))
            .collect();
        for pod in readable(pods.key("", "")) {
            if let Some(count) = load.get_mut(text(&pod.value, "spec.nodeName")) {
                *count += 1;
            }
        }
        let Some((node, _)) = load.into_iter().min_by_key(|(name, count)| (*count, name.clone())) else { return };
        let mut bound = self.bind(pod, &node, None, world);
        set(&mut bound.value, &["status", "phase"], Some("Running".into()));
        for condition in ["Initialized", "Ready"] {
            set_condition(&mut bound.value, condition, world);
        }
        let now = world.now.format("%Y-%m-%dT%H:%M:%SZ").to_string();
        let containers = running(&bound.value, &now);
        set(&mut bound.value, &["status", "containerStatuses"], Some(containers));
        set(&mut bound.value, &["status", "startTime"], Some(now.into()));
        let value = release.canonical("v1", "Pod", bound.value.clone());
        bound.value = value.unwrap_or(bound.value);
        self.put(key, bound);
    }
}

/// The status of a pod's containers that all run since `now`.
fn running(pod: &Value, now: &str) -> Value {
    let containers = member(pod, "spec.containers").and_then(Value::as_array).into_iter().flatten();
    let status = |container: &Value| {
        let mut status = Value::Object(Map::new());
        for field in ["name", "image"] {
            set(&mut status, &[field], container.get(field).cloned());
        }
        set(&mut status, &["state", "running", "startedAt"], Some(now.into()));
        set(&mut status, &["ready"], Some(true.into()));
        status
    };
    containers.map(status).collect()
}

fn object(api_version: &str, kind: &str, namespace: &str, name: &str) -> Value {
    let mut value = Value::Object(Map::new());
    for (path, text) in [
        (&["kind"][..], kind),
        (&["apiVersion"], api_version),
        (&["metadata", "name"], name),
        (&["metadata", "namespace"], namespace),
    ] {
        set(&mut value, path, Some(text.into()));
    }
    value
}
