//! What every server makes at its start: system namespaces, the service `kubernetes`, the default RBAC policy.
//!
//! Behaviour: `pkg/master/controller.go`, `pkg/registry/rbac/rest/storage_rbac.go`. As there, an object that cannot be
//! written is left out, and the server starts all the same.

use std::rc::Rc;

use super::cluster::{Before, Cluster};
use super::rest::{self, Call};
use crate::authentication::User;
use crate::authorization::Mode;
use crate::authorization::rbac::{Reconciled, reconcile_binding, reconcile_role};
use crate::manifest::json::{self, object};
use crate::manifest::{Object, Value};
use crate::request::RequestInfo;
use crate::storage::Store;
use crate::world::World;

/// By which pods find the API server; address and port are those of its flags.
const SERVICE: &str = r#"{
    "kind": "Service",
    "apiVersion": "v1",
    "metadata": {
        "name": "kubernetes",
        "namespace": "default",
        "labels": {"component": "apiserver", "provider": "kubernetes"}
    },
    "spec": {
        "ports": [{"name": "https", "protocol": "TCP", "port": 443, "targetPort": 0}],
        "clusterIP": "",
        "type": "ClusterIP",
        "sessionAffinity": "ClientIP"
    }
}"#;

/// An object of the default policy, and what stood for it after a start.
#[derive(Clone, Debug)]
pub(super) struct DefaultObject {
    expected: &'static Value,
    key: Rc<str>,
    stored: Option<Rc<Object>>,
}

/// Makes what is missing, and reconciles what is there.
pub(super) fn run(cluster: &mut Cluster, before: Option<&Before>, world: &mut World) {
    for name in ["default", "kube-system", "kube-public"] {
        let metadata = object([("name", name.into())]);
        let namespace = object([("kind", "Namespace".into()), ("apiVersion", "v1".into()), ("metadata", metadata)]);
        create_missing(cluster, world, &namespace);
    }
    let mut service = json::parse(SERVICE).unwrap_or_default();
    let settings = &cluster.settings;
    rest::set(&mut service, &["spec", "clusterIP"], Some(settings.services.first_ip().into()));
    if let Some(port) = service.pointer_mut("/spec/ports/0/targetPort") {
        *port = settings.secure_port.into();
    }
    create_missing(cluster, world, &service);
    let modes = cluster.authorizers.modes();
    if !modes.contains(&Mode::RBAC) {
        return;
    }
    let mut before = before.into_iter().flat_map(|before| &before.defaults);
    let mut defaults = Vec::new();
    for expected in cluster.release.bootstrap_policy(modes.contains(&Mode::Node)) {
        let known = before.next().filter(|known| std::ptr::eq(known.expected, expected));
        // What a start left as it is, the next one does too.
        if let Some(known) = known.filter(|known| known.is_there(&cluster.store)) {
            defaults.push(known.clone());
            continue;
        }
        reconcile(cluster, world, expected);
        let key = key(cluster, expected).unwrap_or_default().into();
        defaults.push(DefaultObject { expected, key, stored: stored_object(cluster, expected).cloned() });
    }
    cluster.defaults = defaults;
}

impl DefaultObject {
    /// Whether that very object is there.
    fn is_there(&self, store: &Store) -> bool {
        let entry = store.get(&self.key).map(|entry| &entry.object);
        matches!((entry, &self.stored), (Some(Ok(there)), Some(stored)) if Rc::ptr_eq(there, stored))
    }
}

fn reconcile(cluster: &mut Cluster, world: &mut World, expected: &Value) {
    let outcome = match stored(cluster, expected) {
        None => return write(cluster, world, "POST", expected),
        Some(existing) if text(expected, "kind").ends_with("Binding") => reconcile_binding(existing, expected),
        Some(existing) => reconcile_role(existing, expected).map_or(Reconciled::Unchanged, Reconciled::Update),
    };
    match outcome {
        Reconciled::Unchanged => {}
        Reconciled::Update(updated) => write(cluster, world, "PUT", &updated),
        Reconciled::Recreate => {
            write(cluster, world, "DELETE", expected);
            write(cluster, world, "POST", expected);
        }
    }
}

fn create_missing(cluster: &mut Cluster, world: &mut World, object: &Value) {
    if stored(cluster, object).is_none() {
        write(cluster, world, "POST", object);
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or("")
}

fn name_of(object: &Value) -> (&str, &str) {
    object.get("metadata").map_or(("", ""), |metadata| (text(metadata, "namespace"), text(metadata, "name")))
}

/// The stored object with the kind and name of `object`.
fn stored<'a>(cluster: &'a Cluster, object: &Value) -> Option<&'a Value> {
    stored_object(cluster, object).map(|object| &object.value)
}

fn stored_object<'a>(cluster: &'a Cluster, object: &Value) -> Option<&'a Rc<Object>> {
    let entry = cluster.store.get(&key(cluster, object)?)?;
    entry.object.as_ref().ok()
}

fn key(cluster: &Cluster, object: &Value) -> Option<String> {
    let resource = cluster.release.resource_of(text(object, "apiVersion"), text(object, "kind"))?;
    let (namespace, name) = name_of(object);
    Some(resource.key(namespace, name))
}

/// A request of the server to itself.
fn write(cluster: &mut Cluster, world: &mut World, method: &str, object: &Value) {
    let release = cluster.release;
    let Some(resource) = release.resource_of(text(object, "apiVersion"), text(object, "kind")) else { return };
    let (namespace, name) = name_of(object);
    let (verb, name) = match method {
        "POST" => ("create", ""),
        "PUT" => ("update", name),
        _ => ("delete", name),
    };
    let info = RequestInfo {
        is_resource_request: true,
        verb: verb.to_owned(),
        api_group: resource.group.to_owned(),
        api_version: resource.version.to_owned(),
        namespace: namespace.to_owned(),
        resource: resource.resource.to_owned(),
        name: name.to_owned(),
        ..RequestInfo::default()
    };
    let user =
        User { name: "system:apiserver".to_owned(), groups: vec!["system:masters".to_owned()], ..User::default() };
    let body = if method == "DELETE" { Vec::new() } else { object.to_string().into_bytes() };
    let call = Call {
        resource,
        info: &info,
        method,
        user: &user,
        query: &[],
        content_type: "application/json",
        body: &body,
        origin: None,
    };
    rest::handle(cluster, world, &call);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::apiserver::{Earlier, File, Files, Server, Stopped};
    use crate::authorization::Attributes;
    use crate::release::Release;

    const ROLE: &str = "/registry/clusterroles/system:kube-dns";
    const BINDING: &str = "/registry/clusterrolebindings/system:node";

    /// The object under `key` after a server with `modes` started over what one with RBAC left, with `change` in between.
    fn restarted(modes: &str, key: &str, change: impl FnOnce(&mut Value)) -> Option<Value> {
        let mut world = World::new(Default::default(), "bootstrap");
        let mut start = |modes: &str, store| {
            let flags = [format!("--authorization-mode={modes}")];
            Server::start(Release::find("1.7").unwrap(), &flags, &Files::new(), store, &mut world).unwrap()
        };
        let value = |server: &Server| Some(server.cluster().store.get(key)?.object.as_ref().unwrap().value.clone());
        let mut server = start("RBAC", Store::default());
        let mut changed = value(&server).unwrap();
        change(&mut changed);
        let mut world = World::new(Default::default(), "load");
        assert_eq!(server.load(vec![Object::new(changed, None)], &mut world), []);
        let server = start(modes, server.stop());
        value(&server)
    }

    #[test]
    fn a_restart_adds_what_is_missing_and_takes_nothing_away() {
        let rules = |value: Option<Value>| value.unwrap()["rules"].clone();
        let own = json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]});
        let dns = json!({"verbs": ["list", "watch"], "apiGroups": [""], "resources": ["endpoints", "services"]});
        assert_eq!(rules(restarted("RBAC", ROLE, |_| {})), json!([dns]));
        assert_eq!(rules(restarted("RBAC", ROLE, |role| role["rules"] = json!([own, dns]))), json!([own, dns]));
        let added = rules(restarted("RBAC", ROLE, |role| role["rules"] = json!([own])));
        assert_eq!((added.as_array().unwrap().len(), &added[0]), (5, &own));
        let protected = rules(restarted("RBAC", ROLE, |role| {
            role["metadata"]["annotations"] = json!({"rbac.authorization.kubernetes.io/autoupdate": "false"});
            role["rules"] = json!([own]);
        }));
        assert_eq!(protected, json!([own]));
        assert_eq!(rules(restarted("Node", ROLE, |role| role["rules"] = json!([own]))), json!([own]));
    }

    #[test]
    fn a_binding_to_another_role_is_made_anew() {
        let nodes = json!([{"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": "system:nodes"}]);
        let kept = restarted("Node,RBAC", BINDING, |_| {}).unwrap();
        assert_eq!(kept["subjects"], nodes);
        let anew = restarted("Node,RBAC", BINDING, |binding| binding["roleRef"]["name"] = json!("view")).unwrap();
        assert_eq!((&anew["roleRef"]["name"], &anew["subjects"]), (&json!("system:node"), &json!([])));
    }

    #[test]
    fn a_server_that_knows_what_was_before_starts_as_one_that_does_not() {
        let release = Release::find("1.7").unwrap();
        let configuration = |providers: &str| {
            let head = "kind: EncryptionConfig\napiVersion: v1\nresources:\n- resources: [clusterroles.rbac.authorization.k8s.io]\n  providers:\n";
            let text: Rc<str> = format!("{head}{providers}").into();
            Files::from_iter([("e.yaml".to_owned(), File { source: "d.md".into(), first_line: 1, text })])
        };
        let key = |name: &str| format!("  - aescbc: {{keys: [{{name: {name}, secret: AAAAAAAAAAAAAAAAAAAAAA==}}]}}\n");
        let identity = "  - identity: {}\n";
        let dns = User { name: "system:serviceaccount:kube-system:kube-dns".to_owned(), ..User::default() };
        let asked = RequestInfo {
            is_resource_request: true,
            verb: "list".to_owned(),
            resource: "services".to_owned(),
            ..RequestInfo::default()
        };
        let attributes = Attributes { user: &dns, request: &asked };
        let mut world = World::new(Default::default(), "before");
        let mut server: Option<Server> = None;
        // One after another; whether the server can read what the first one wrote.
        for (providers, readable) in [
            (key("a"), true),
            (format!("{}{identity}", key("b")), false),
            (format!("{identity}{}{}", key("a"), key("b")), true),
            (key("c"), false),
            (format!("{}{identity}", key("a")), true),
        ] {
            let flags =
                ["--authorization-mode=RBAC", "--experimental-encryption-provider-config=e.yaml"].map(str::to_owned);
            let files = configuration(&providers);
            let before = server.as_ref().map(|server| server.cluster().before());
            let store = server.take().map(Server::stop).unwrap_or_default();
            let new = Server::start(release, &flags, &files, store.clone(), &mut world.clone()).unwrap();
            let earlier = before.as_ref().map_or(Earlier::Unknown, Earlier::Stopped);
            let kept = Server::start_after(earlier, release, &flags, &files, store, &mut world).unwrap();
            let [new_store, kept_store] = [&new, &kept].map(|server| format!("{:?}", server.cluster().store));
            assert!(new_store == kept_store, "{providers}");
            let [anew, again] = [&new, &kept].map(|server| server.cluster().authorizers.explain(&attributes));
            assert_eq!(anew, again, "{providers}");
            let role = kept.cluster().store.get(ROLE).unwrap();
            assert_eq!(role.object.is_ok(), readable, "{providers}");
            server = Some(kept);
        }
    }

    #[test]
    fn a_first_start_that_is_known_is_as_one_that_is_not() {
        let release = Release::find("1.7").unwrap();
        let roles = "kind: EncryptionConfig\napiVersion: v1\nresources:\n- resources: [clusterroles.rbac.authorization.k8s.io]\n";
        let key = |name: &str| {
            format!("{roles}  providers:\n  - aescbc: {{keys: [{{name: {name}, secret: AAAAAAAAAAAAAAAAAAAAAA==}}]}}\n")
        };
        let none = format!("{roles}  providers: []\n");
        let mut known: Option<Server> = None;
        for (flags, providers, seed) in [
            ("--authorization-mode=RBAC", key("a"), "s"),
            ("--authorization-mode=RBAC --insecure-port=0", key("b"), "s"),
            ("--authorization-mode=RBAC", key("b"), "t"),
            ("--authorization-mode=Node,RBAC", key("b"), "t"),
            ("--authorization-mode=Node,RBAC --admission-control=AlwaysDeny", key("b"), "t"),
            ("--authorization-mode=RBAC --admission-control=AlwaysDeny", key("a"), "t"),
            ("--authorization-mode=RBAC --admission-control=AlwaysDeny", none, "t"),
            ("--authorization-mode=RBAC", key("a"), "t"),
        ] {
            let file = File { source: "d.md".into(), first_line: 1, text: providers.as_str().into() };
            let files = Files::from_iter([("e.yaml".to_owned(), file)]);
            let mut flags: Vec<String> = flags.split(' ').map(str::to_owned).collect();
            flags.push("--experimental-encryption-provider-config=e.yaml".to_owned());
            let mut worlds = [World::new(Default::default(), seed), World::new(Default::default(), seed)];
            let [one, other] = &mut worlds;
            let new = Server::start(release, &flags, &files, Store::default(), one);
            let earlier = known.as_ref().and_then(Server::first_start).map_or(Earlier::Unknown, Earlier::First);
            let again = Server::start_after(earlier, release, &flags, &files, Store::default(), other);
            // With the bytes of all values, which stay where somebody asked for them.
            let all = |server: &Server| {
                let Cluster { store, format, authorizers, .. } = server.cluster();
                let bytes: Vec<_> = store.range("").map(|(key, entry)| entry.bytes(key, format)).collect();
                format!("{store:?} {bytes:?} {authorizers:?}")
            };
            let told = |start: &Result<Server, Stopped>| match start {
                Ok(server) => all(server),
                Err(stopped) => stopped.message.clone(),
            };
            assert!(told(&new) == told(&again), "{flags:?} {providers}");
            assert_eq!(worlds[0], worlds[1], "{flags:?} {providers}");
            known = again.ok().or(known);
        }
    }

    #[test]
    fn without_rbac_there_are_no_roles() {
        let mut world = World::new(Default::default(), "bootstrap");
        let release = Release::find("1.7").unwrap();
        let server = Server::start(release, &[], &Files::new(), Store::default(), &mut world).unwrap();
        let store = &server.cluster().store;
        assert!(store.get(ROLE).is_none());
        for key in ["/registry/namespaces/kube-system", "/registry/services/specs/default/kubernetes"] {
            assert!(store.get(key).is_some(), "{key}");
        }
    }
}
