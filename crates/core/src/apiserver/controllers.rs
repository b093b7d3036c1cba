//! The stand-ins for what runs beside an API server, so that the store looks alive: scheduler, kubelets, and the
//! controllers of namespaces, service accounts, tokens and garbage.
//!
//! They look only at what requests wrote: loaded objects are the cluster as found.
//! Behaviour: `pkg/controller/{namespace,serviceaccount,garbagecollector}`; tokens in `pkg/serviceaccount/jwt.go`.

use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::cluster::{Cluster, set_condition};
use super::rest::{fill_system_fields, generate_name, list, member, part_from_owners, set, text};
use crate::authentication::service_account;
use crate::manifest::{Map, Object, Value, json};
use crate::sort::{SortedMap, SortedSet};
use crate::storage::Entry;
use crate::world::{World, time};

impl Cluster {
    /// Lets everybody react to what was written, until nobody has anything left to do.
    pub fn settle(&mut self, world: &mut World) {
        // Each reaction can cause another: a namespace its account, the account its token. The bound is far above that.
        for _ in 0..16 {
            let touched = self.take_touched();
            if touched.is_empty() {
                return;
            }
            let is_gone = |(key, removed): (&String, &Option<Rc<Object>>)| {
                let removed = removed.as_ref().filter(|_| self.store.get(key).is_none())?;
                Some(removed.uid().to_owned())
            };
            let gone: SortedSet<String> = touched.iter().filter_map(is_gone).collect();
            if !gone.is_empty() {
                part_from_owners(self, &gone, false);
            }
            for (key, removed) in touched {
                match (self.store.get(&key).map(|entry| entry.object.clone()), removed) {
                    (Some(Ok(object)), _) => self.react(&key, &object, world),
                    (None, Some(object)) => self.react_to_removal(&object, world),
                    _ => {}
                }
            }
        }
    }

    fn react(&mut self, key: &str, object: &Rc<Object>, world: &mut World) {
        let deleted = member(&object.value, "metadata.deletionTimestamp").is_some();
        match object.kind() {
            "Namespace" if deleted => self.empty_namespace(key, object),
            "Pod" if deleted && list(&object.value, "metadata.finalizers").is_empty() => drop(self.remove(key)),
            _ if deleted => self.collect(key, object),
            "Namespace" => self.add_default_account(object.name(), world),
            "ServiceAccount" => self.add_token(key, object, world),
            "Secret" if is_token(object) => self.fill_token(key, object),
            "Pod" if text(&object.value, "spec.nodeName").is_empty() => self.schedule(key, object, world),
            _ => {}
        }
    }

    fn react_to_removal(&mut self, object: &Object, world: &mut World) {
        match object.kind() {
            "ServiceAccount" => {
                for secret in self.tokens_of(object) {
                    self.remove(&secret);
                }
                let namespace = self.release.resource_of("v1", "Namespace");
                let namespace = namespace.and_then(|resource| self.store.get(&resource.key("", object.namespace())));
                let lives = namespace
                    .and_then(|entry| entry.object.as_ref().ok())
                    .is_some_and(|namespace| member(&namespace.value, "metadata.deletionTimestamp").is_none());
                if lives && object.name() == "default" {
                    self.add_default_account(object.namespace(), world);
                }
            }
            "Secret" if is_token(object) => {
                if let Some((key, account)) = self.account_of(object) {
                    let mut kept = list(&account.value, "secrets").to_vec();
                    kept.retain(|reference| text(reference, "name") != object.name());
                    self.put_account(&key, &account, kept);
                }
            }
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
        let orphan = finalizers.iter().any(|finalizer| finalizer == "orphan");
        part_from_owners(self, &SortedSet::from_iter([object.uid().to_owned()]), orphan);
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

    fn add_default_account(&mut self, namespace: &str, world: &mut World) {
        let value = object("v1", "ServiceAccount", namespace, "default");
        self.create("v1", "ServiceAccount", value, world);
    }

    /// The tokens controller: an account that refers to no token gets a Secret with one.
    fn add_token(&mut self, key: &str, account: &Rc<Object>, world: &mut World) {
        let (namespace, name) = (account.namespace(), account.name());
        let tokens = self.tokens_of(account);
        let mut references = list(&account.value, "secrets").to_vec();
        let is_token = |reference: &Value| {
            let name = text(reference, "name");
            tokens.iter().any(|key| key.rsplit('/').next() == Some(name))
        };
        if references.iter().any(is_token) {
            return;
        }
        let secret = generate_name(&format!("{name}-token-"), world);
        let mut value = object("v1", "Secret", namespace, &secret);
        write_token(&mut value, account, &secret);
        set(&mut value, &["type"], Some(TOKEN.into()));
        self.create("v1", "Secret", value, world);
        references.push(json::object([("name", secret.into())]));
        self.put_account(key, account, references);
    }

    /// A Secret that somebody made for a token gets one, or goes where there is no such account.
    fn fill_token(&mut self, key: &str, secret: &Rc<Object>) {
        let Some((_, account)) = self.account_of(secret) else {
            self.remove(key);
            return;
        };
        if ["data.namespace", "data.token"].iter().all(|path| !text(&secret.value, path).is_empty()) {
            return;
        }
        let mut filled = Object::clone(secret);
        write_token(&mut filled.value, &account, secret.name());
        let value = self.release.canonical("v1", "Secret", filled.value.clone());
        filled.value = value.unwrap_or(filled.value);
        self.put(key, filled);
    }

    fn put_account(&mut self, key: &str, account: &Object, references: Vec<Value>) {
        let mut account = account.clone();
        set(&mut account.value, &["secrets"], Some(references.into()));
        let value = self.release.canonical("v1", "ServiceAccount", account.value.clone());
        account.value = value.unwrap_or(account.value);
        self.put(key, account);
    }

    /// The keys of an account's token Secrets.
    fn tokens_of(&self, account: &Object) -> Vec<String> {
        let Some(secrets) = self.release.resource_of("v1", "Secret") else { return Vec::new() };
        let of_account = |(key, entry): (&str, &Entry)| {
            let secret = entry.object.as_ref().ok()?;
            (is_token(secret) && is_for(secret, account)).then(|| key.to_owned())
        };
        self.store.range(&secrets.key(account.namespace(), "")).filter_map(of_account).collect()
    }

    /// The account that a token Secret is for.
    fn account_of(&self, secret: &Object) -> Option<(String, Rc<Object>)> {
        let accounts = self.release.resource_of("v1", "ServiceAccount")?;
        let key = accounts.key(secret.namespace(), annotation(secret, "kubernetes.io/service-account.name"));
        let account = self.store.get(&key)?.object.clone().ok()?;
        is_for(secret, &account).then_some((key, account))
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
        let mut load: SortedMap<String, usize> = readable(nodes.key("", ""))
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
        let now = time::rfc3339(world.now);
        let containers = running(&bound.value, &now);
        set(&mut bound.value, &["status", "containerStatuses"], Some(containers));
        set(&mut bound.value, &["status", "startTime"], Some(now.into()));
        let value = release.canonical("v1", "Pod", bound.value.clone());
        bound.value = value.unwrap_or(bound.value);
        self.put(key, bound);
    }
}

/// The type of a Secret that holds an account's token.
pub(super) const TOKEN: &str = "kubernetes.io/service-account-token";

fn is_token(secret: &Object) -> bool {
    text(&secret.value, "type") == TOKEN
}

fn annotation<'a>(object: &'a Object, key: &str) -> &'a str {
    member(&object.value, "metadata.annotations").and_then(|all| all.get(key)?.as_str()).unwrap_or("")
}

/// Whether a token Secret names `account`; the UID counts where it is given.
fn is_for(secret: &Object, account: &Object) -> bool {
    let uid = annotation(secret, "kubernetes.io/service-account.uid");
    annotation(secret, "kubernetes.io/service-account.name") == account.name()
        && (uid.is_empty() || uid == account.uid())
}

/// Annotations and data of the token Secret `name`, as far as they are missing.
fn write_token(secret: &mut Value, account: &Object, name: &str) {
    let (namespace, owner, uid) = (account.namespace(), account.name(), account.uid());
    set(secret, &["metadata", "annotations", "kubernetes.io/service-account.name"], Some(owner.into()));
    set(secret, &["metadata", "annotations", "kubernetes.io/service-account.uid"], Some(uid.into()));
    let token = service_account::token(namespace, owner, uid, name);
    for (key, value) in [("namespace", namespace), ("token", token.as_str())] {
        if secret.get("data").and_then(|data| data.get(key)?.as_str()).is_none_or(str::is_empty) {
            set(secret, &["data", key], Some(STANDARD.encode(value).into()));
        }
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
