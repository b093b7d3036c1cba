//! The registry against recorded writes: what was posted, and what a GET showed right after.

use std::collections::HashMap;
use std::fs;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::*;
use crate::authorization::{Authorizers, Mode};
use crate::encryption::Config;
use crate::vectors::vectors;

use crate::release::Release;
use crate::storage::{Format, Store, codec};

fn world() -> World {
    World::new(DateTime::parse_from_rfc3339("2026-11-23T06:35:53Z").unwrap().with_timezone(&Utc), "seed")
}

fn cluster(world: &mut World) -> Cluster {
    let release = Release::find("1.7").unwrap();
    let authorizers = Authorizers::new(release, &[Mode::AlwaysAllow], None);
    let settings = crate::apiserver::start::settings(&Default::default()).unwrap();
    Cluster::new(release, settings, Store::default(), format(world, "identity: {}"), authorizers, Vec::new(), world)
}

/// How a server writes whose secrets have the one `provider`.
fn format(world: &mut World, provider: &str) -> Format {
    let config =
        format!("{{kind: EncryptionConfig, resources: [{{resources: [secrets], providers: [{{{provider}}}]}}]}}");
    Format::new(Release::find("1.7").unwrap(), &Config::parse(&config).unwrap(), world)
}

fn admin() -> User {
    User { name: "admin".into(), groups: vec!["system:masters".into()], ..User::default() }
}

/// Sends one request to `api_version` `resource`, as the router would.
fn send(
    cluster: &mut Cluster,
    world: &mut World,
    user: &User,
    method: &str,
    target: (&ResourceType, &str, &str, &str),
    content_type: &str,
    body: &Value,
) -> Answer {
    send_query(cluster, world, user, method, target, &[], content_type, body)
}

/// The same with a query.
#[allow(clippy::too_many_arguments)]
fn send_query(
    cluster: &mut Cluster,
    world: &mut World,
    user: &User,
    method: &str,
    target: (&ResourceType, &str, &str, &str),
    query: &[(String, String)],
    content_type: &str,
    body: &Value,
) -> Answer {
    let (resource, namespace, name, subresource) = target;
    let info = RequestInfo {
        is_resource_request: true,
        api_group: resource.group.into(),
        api_version: resource.version.into(),
        namespace: namespace.into(),
        resource: resource.resource.into(),
        subresource: subresource.into(),
        name: name.into(),
        ..RequestInfo::default()
    };
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let call = Call { resource, info: &info, method, user, query, content_type, body: &body, origin: None };
    handle(cluster, world, &call)
}

/// Takes out what another run would show otherwise.
fn comparable(mut object: Value) -> Value {
    for key in ["uid", "resourceVersion", "creationTimestamp", "deletionTimestamp"] {
        if let Some(value) = object["metadata"].get_mut(key) {
            *value = json!("*");
        }
    }
    if object["kind"] == "Job" {
        for labels in ["/spec/selector/matchLabels", "/spec/template/metadata/labels"] {
            object.pointer_mut(labels).unwrap()["controller-uid"] = json!("*");
        }
    }
    if object["kind"] == "Service" && object["spec"]["clusterIP"] != "None" {
        object["spec"].as_object_mut().unwrap().shift_remove("clusterIP");
        for port in object["spec"]["ports"].as_array_mut().into_iter().flatten() {
            port.as_object_mut().unwrap().shift_remove("nodePort");
        }
    }
    object
}

#[test]
fn every_recorded_write_leaves_what_was_recorded() {
    let vectors = fs::read_to_string(vectors("etcd/values.jsonl")).unwrap();
    let mut world = world();
    let mut cluster = cluster(&mut world);
    let release = cluster.release;
    let mut differences = Vec::new();
    let mut keys: HashMap<String, Value> = HashMap::new();
    for (line, vector) in vectors.lines().enumerate() {
        let vector: Value = serde_json::from_str(vector).unwrap();
        let (how, recorded, key) =
            (vector["how"].as_str().unwrap(), &vector["object"], vector["key"].as_str().unwrap());
        let resource =
            release.resource_of(recorded["apiVersion"].as_str().unwrap(), recorded["kind"].as_str().unwrap()).unwrap();
        let (namespace, name) = (text(recorded, "metadata.namespace"), text(recorded, "metadata.name"));
        let mut posted = vector["posted"].clone();
        if let Some(current) = keys.get(key) {
            for member in ["uid", "resourceVersion"] {
                if posted["metadata"].get(member).is_some() {
                    posted["metadata"][member] = current["metadata"][member].clone();
                }
            }
        }
        let (method, subresource, content_type) = match how {
            "create" => ("POST", "", "application/json"),
            "update" => ("PUT", "", "application/json"),
            "update status" => ("PUT", "status", "application/json"),
            "merge patch" => ("PATCH", "", "application/merge-patch+json"),
            _ => ("DELETE", "", ""),
        };
        let target = (resource, namespace, if how == "create" { "" } else { name }, subresource);
        let answer = send(&mut cluster, &mut world, &admin(), method, target, content_type, &posted);
        if let Err(status) = &answer.result {
            differences.push(format!("line {}: {how} {key}: {}", line + 1, status.message));
            continue;
        }
        // A generated name is not the recorded one.
        let (_, written) = answer.result.unwrap();
        let name = match how {
            "create" => text(&written, "metadata.name").to_owned(),
            _ => name.to_owned(),
        };
        let read = send(&mut cluster, &mut world, &admin(), "GET", (resource, namespace, &name, ""), "", &Value::Null);
        let (_, read) = read.result.unwrap();
        keys.insert(key.to_owned(), read.clone());
        // What is stored is not all of what is read: a selfLink is stored where a client sent one, a default may be missing.
        let stored = |bytes: &[u8]| comparable(codec::decode(release, key, bytes).unwrap().value).to_string();
        let hub = release.stored_at(key).unwrap();
        let bytes = cluster.store.bytes(&hub.key(namespace, &name), &cluster.format).unwrap();
        let value = crate::manifest::base64::decode(vector["value"].as_str().unwrap().as_bytes()).unwrap();
        let answered = (comparable(read).to_string(), comparable(recorded.clone()).to_string());
        for (one, other) in [answered, (stored(&bytes), stored(&value))] {
            if one == other {
                continue;
            }
            let at = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
            let show = |text: &str| text.chars().skip(at.saturating_sub(60)).take(160).collect::<String>();
            differences.push(format!("line {}: {how} {key}\n  {}\n  {}", line + 1, show(&one), show(&other)));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// JSON of `v1` objects, loaded as found.
fn load(cluster: &mut Cluster, world: &mut World, objects: &[Value]) -> Vec<String> {
    let objects = objects.iter().map(|value| Object::new(value.clone(), None)).collect();
    cluster.load(objects, world).into_iter().map(|diagnostic| diagnostic.message).collect()
}

fn pod(name: &str, node: Option<&str>) -> Value {
    let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "n"},
        "spec": {"containers": [{"name": "c", "image": "i"}]}});
    if let Some(node) = node {
        pod["spec"]["nodeName"] = node.into();
    }
    pod
}

fn object<'a>(cluster: &'a Cluster, key: &str) -> Option<&'a Value> {
    cluster.store.get(key).map(|entry| &entry.object.as_ref().unwrap().value)
}

#[test]
fn a_cluster_is_loaded_as_found() {
    let mut world = world();
    let mut cluster = cluster(&mut world);
    let messages = load(
        &mut cluster,
        &mut world,
        &[
            json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-A"}}),
            json!({"apiVersion": "v1", "kind": "Gadget", "metadata": {"name": "g"}}),
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": 1}}),
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "uid": "u-1"},
                "spec": {"containers": [{"name": "c", "image": "i"}]}, "status": {"phase": "Failed"}}),
            json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"},
                "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}}}),
        ],
    );
    assert_eq!(messages.len(), 3, "{messages:?}");
    assert!(messages[0].starts_with("The API server would refuse Node \"node-A\": metadata.name: Invalid value"));
    assert!(messages[1].starts_with("Kubernetes 1.7 has no kind \"Gadget\""));
    assert!(messages[1].ends_with("Check `apiVersion` and `kind`."));
    assert!(messages[2].starts_with("ConfigMap \"c\" cannot be read"));
    let typed = |version: &str| {
        let version = format!("rbac.authorization.k8s.io/{version}");
        json!({"apiVersion": version, "kind": "Role", "metadata": {"name": "r"}})
    };
    let elsewhere = json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "d"}});
    for (object, hint) in [
        (elsewhere, "It has one in extensions/v1beta1."),
        (json!({"metadata": {"name": "x"}}), "Every object says its `apiVersion` and `kind`."),
        (json!({"kind": "Pod", "metadata": {"name": "x"}}), "Every object says its `apiVersion` and `kind`."),
        (json!({"apiVersion": "v2", "kind": "Pod", "metadata": {"name": "x"}}), "It has one in v1."),
        (json!({"apiVersion": "/v1", "kind": "Pod", "metadata": {"name": "x"}}), "It has one in v1."),
        (typed("v1bta1"), "It has one in rbac.authorization.k8s.io/v1beta1, rbac.authorization.k8s.io/v1alpha1."),
        (typed("v"), "It has one in rbac.authorization.k8s.io/v1beta1, rbac.authorization.k8s.io/v1alpha1."),
        (typed("v1beta"), "It has one in rbac.authorization.k8s.io/v1beta1, rbac.authorization.k8s.io/v1alpha1."),
    ] {
        let messages = load(&mut cluster, &mut world, &[object]);
        assert!(messages[0].ends_with(hint), "{messages:?}");
    }
    assert!(object(&cluster, "/registry/minions/node-A").is_some());
    let pod = object(&cluster, "/registry/pods/default/p").unwrap();
    assert_eq!((text(pod, "status.phase"), text(pod, "metadata.uid")), ("Failed", "u-1"));
    // As found: nobody schedules it.
    cluster.settle(&mut world);
    assert_eq!(text(object(&cluster, "/registry/pods/default/p").unwrap(), "spec.nodeName"), "");
}

#[test]
fn what_another_release_has_in_another_version_is_loaded_with_a_warning() {
    fn role(kind: &str, name: &str, rules: &Value) -> Value {
        let version = "rbac.authorization.k8s.io/v1";
        json!({"apiVersion": version, "kind": kind, "metadata": {"name": name}, "rules": rules})
    }
    let mut world = world();
    let mut cluster = cluster(&mut world);
    let rules = json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]);
    let mut gathering = role("ClusterRole", "all", &json!([]));
    gathering["aggregationRule"] = json!({"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]});
    let mut gathered = gathering.clone();
    (gathered["metadata"]["name"], gathered["rules"]) = (json!("gathered"), rules.clone());
    let messages = load(&mut cluster, &mut world, &[role("Role", "r", &rules), gathering, gathered]);
    assert_eq!(
        messages,
        [
            "Kubernetes 1.7 has no rbac.authorization.k8s.io/v1. 3 objects are read as rbac.authorization.k8s.io/v1beta1 instead.",
            "Kubernetes 1.7 has no field aggregationRule of ClusterRole and ignores it, here and in 1 more.",
        ]
    );
    for key in ["/registry/roles/default/r", "/registry/clusterroles/gathered"] {
        let role = object(&cluster, key).unwrap();
        assert_eq!(
            (text(role, "apiVersion"), &role["rules"][0]["verbs"]),
            ("rbac.authorization.k8s.io/v1beta1", &json!(["get"]))
        );
    }
}

#[test]
fn a_field_that_the_release_has_not_is_told_where_it_stands_first() {
    let text = "apiVersion: rbac.authorization.k8s.io/v1beta1\nkind: Role\nmetadata: {name: a, lables: {}}\n\
        rules:\n- apiGroups: ['']\n  resources: [pods]\n  verbs: [get]\n  resourceName: [x]\n- verb: [get]\n  resourceName: [y]\n---\n\
        apiVersion: v1\nkind: Pod\nmetadata: {name: p, managedFields: []}\nspec:\n  containers:\n  - name: c\n    resources: {limits: {cpu: 1}}\n\
        \x20   securityContext: {seccompProfile: {type: RuntimeDefault}}\nstatus: {hostIPs: []}\n---\n\
        apiVersion: v1\nkind: Pod\nmetadata: {name: q}\nspec:\n  containers:\n  - name: c\n    securityContext: {seccompProfile: {}}\n---\n\
        apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, annotations: {any: thing}}\ndata: {any: thing}\n";
    let (documents, _) = crate::manifest::parse(&"f".into(), 1, text);
    let objects = documents.into_iter().flat_map(|document| crate::manifest::objects(document).0).collect();
    let mut world = world();
    let told = cluster(&mut world).load(objects, &mut world);
    let unknown = told.iter().filter(|it| it.message.contains("has no field"));
    let told: Vec<_> =
        unknown.map(|it| (it.line, it.message.strip_prefix("Kubernetes 1.7 has no field ").unwrap())).collect();
    assert_eq!(
        told,
        [
            (19, "spec.containers.securityContext.seccompProfile of Pod and ignores it, here and in 1 more."),
            (3, "metadata.lables of Role and ignores it."),
            (8, "rules.resourceName of Role and ignores it."),
            (9, "rules.verb of Role and ignores it."),
        ]
    );
}

#[test]
fn what_is_created_comes_to_life() {
    let mut world = world();
    let mut cluster = cluster(&mut world);
    let nodes = ["b", "a"].map(|name| json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}));
    load(&mut cluster, &mut world, &nodes);
    load(&mut cluster, &mut world, &[pod("found", Some("a"))]);
    let release = cluster.release;
    let resource = |kind| release.resource_of("v1", kind).unwrap();
    let mut create = |cluster: &mut Cluster, kind, namespace, body: &Value| {
        let target = (resource(kind), namespace, "", "");
        send(cluster, &mut world, &admin(), "POST", target, "application/json", body).result.unwrap();
        cluster.settle(&mut world);
    };
    create(&mut cluster, "Namespace", "", &json!({"metadata": {"name": "n"}}));
    create(&mut cluster, "Pod", "n", &pod("one", None));
    create(&mut cluster, "Pod", "n", &pod("two", None));
    create(&mut cluster, "Pod", "n", &pod("placed", Some("b")));
    let shown = ["one", "two", "placed"].map(|name| {
        let pod = object(&cluster, &format!("/registry/pods/n/{name}")).unwrap();
        (text(pod, "spec.nodeName").to_owned(), text(pod, "status.phase").to_owned())
    });
    let expected = [("b", "Running"), ("a", "Running"), ("b", "Pending")];
    assert_eq!(shown, expected.map(|(node, phase)| (node.to_owned(), phase.to_owned())));

    let account = object(&cluster, "/registry/serviceaccounts/n/default").unwrap().clone();
    let secret = text(&list(&account, "secrets")[0], "name").to_owned();
    assert!(secret.starts_with("default-token-") && secret.len() == "default-token-".len() + 5, "{secret}");
    let secret = object(&cluster, &format!("/registry/secrets/n/{secret}")).unwrap();
    let decode = |text: &str| {
        use base64::Engine as _;
        String::from_utf8(base64::engine::general_purpose::STANDARD.decode(text).unwrap()).unwrap()
    };
    let token = decode(text(secret, "data.token"));
    let claims = token.split('.').nth(1).unwrap();
    let claims = {
        use base64::Engine as _;
        String::from_utf8(base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
    };
    let uid = text(&account, "metadata.uid");
    assert!(claims.starts_with(r#"{"iss":"kubernetes/serviceaccount","kubernetes.io/serviceaccount/namespace":"n""#));
    assert!(claims.contains(&format!(r#""kubernetes.io/serviceaccount/service-account.uid":"{uid}""#)), "{claims}");
    assert!(claims.ends_with(r#""sub":"system:serviceaccount:n:default"}"#), "{claims}");

    let gone = |cluster: &mut Cluster, world: &mut World, kind, namespace, name| {
        let target = (resource(kind), namespace, name, "");
        let answer = send(cluster, world, &admin(), "DELETE", target, "", &Value::Null).result.unwrap().1;
        let waits = cluster.store.get(&resource(kind).key(namespace, name)).is_some();
        cluster.settle(world);
        (
            waits,
            text(&answer, "metadata.deletionTimestamp").to_owned(),
            cluster.store.get(&resource(kind).key(namespace, name)).is_none(),
        )
    };
    let at = "2026-11-23T06:36:23Z".to_owned();
    assert_eq!(gone(&mut cluster, &mut world, "Pod", "n", "one"), (true, at, true));
    assert_eq!(gone(&mut cluster, &mut world, "Namespace", "", "n"), (true, "2026-11-23T06:35:53Z".into(), true));
    assert_eq!(cluster.store.range("/registry/pods/n/").count(), 0);
}

#[test]
fn uids_are_of_version_one_and_never_twice_the_same() {
    let mut world = world();
    let mut cluster = cluster(&mut world);
    let uids: Vec<String> = (0..1000).map(|_| cluster.new_uid(&world)).collect();
    let distinct: std::collections::BTreeSet<&String> = uids.iter().collect();
    assert_eq!(distinct.len(), uids.len());
    // 2026-11-23T06:35:53Z, 40 ticks later.
    assert!(uids[0].starts_with("21526aa8-e708-11f1-"), "{}", uids[0]);
    assert!(uids[0].split('-').nth(3).unwrap().starts_with(['8', '9', 'a', 'b']), "{}", uids[0]);
}

#[test]
fn ten_thousand_objects_are_all_there() {
    let mut world = world();
    let mut cluster = cluster(&mut world);
    let objects: Vec<Value> = (0..10_000).map(|index| pod(&format!("p-{index}"), Some("a"))).collect();
    assert_eq!(load(&mut cluster, &mut world, &objects), Vec::<String>::new());
    assert_eq!(cluster.store.range("/registry/pods/n/").count(), 10_000);
    assert_eq!(cluster.store.revision(), 10_001);
}

#[test]
fn a_value_that_cannot_be_read_is_an_error_of_its_own() {
    let mut world = world();
    let mut cluster = cluster(&mut world);
    let release = cluster.release;
    let secrets = release.resource_of("v1", "Secret").unwrap();
    cluster.format = format(&mut world, "aescbc: {keys: [{name: k, secret: AAAAAAAAAAAAAAAAAAAAAA==}]}");
    load(&mut cluster, &mut world, &[json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "good"}})]);
    let bad = "/registry/secrets/default/bad";
    cluster.put_bytes(bad, b"{}");
    let mut ask = |cluster: &mut Cluster, method, name| {
        send(cluster, &mut world, &admin(), method, (secrets, "default", name, ""), "", &Value::Null).result
    };
    for method in ["GET", "DELETE"] {
        let status = ask(&mut cluster, method, "bad").unwrap_err();
        assert_eq!((status.code, status.message.as_str()), (500, "Internal error occurred: no matching prefix found"));
    }
    let (_, listed) = ask(&mut cluster, "GET", "").unwrap();
    assert_eq!(list(&listed, "items").iter().map(|item| text(item, "metadata.name")).collect::<Vec<_>>(), ["good"]);
    let mut other = World::new(Default::default(), "other");
    cluster.format = format(&mut other, "identity: {}");
    cluster.put_bytes(bad, b"k8s\0\x0a\x7f");
    let status = ask(&mut cluster, "GET", "").unwrap_err();
    assert_eq!((status.code, status.reason, status.message.as_str()), (500, "", "unexpected EOF"));
}

#[test]
fn a_node_changes_itself_and_its_own_pods() {
    let mut world = world();
    let mut cluster = cluster(&mut world);
    cluster.admission = admission::Plugin::chain("NodeRestriction").unwrap();
    load(&mut cluster, &mut world, &[pod("mine", Some("a")), pod("theirs", Some("b"))]);
    let mirror = |change: &dyn Fn(&mut Value)| {
        let mut pod = pod("m", Some("a"));
        pod["metadata"]["annotations"] = json!({"kubernetes.io/config.mirror": ""});
        change(&mut pod);
        pod
    };
    let node = |name: &str| json!({"metadata": {"name": name}});
    let merge = json!({"metadata": {"labels": {"a": "b"}}});
    let table = [
        (
            "POST",
            "pods",
            "",
            "",
            pod("p", Some("a")),
            Err(
                "pods \"p\" is forbidden: pod does not have \"kubernetes.io/config.mirror\" annotation, node a can only create mirror pods",
            ),
        ),
        (
            "POST",
            "pods",
            "",
            "",
            mirror(&|pod| pod["spec"]["nodeName"] = "b".into()),
            Err("pods \"m\" is forbidden: node a can only create pods with spec.nodeName set to itself"),
        ),
        (
            "POST",
            "pods",
            "",
            "",
            mirror(&|pod| pod["spec"]["serviceAccountName"] = "s".into()),
            Err("pods \"m\" is forbidden: node a can not create pods that reference a service account"),
        ),
        (
            "POST",
            "pods",
            "",
            "",
            mirror(&|pod| pod["spec"]["volumes"] = json!([{"name": "v", "secret": {"secretName": "s"}}])),
            Err("pods \"m\" is forbidden: node a can not create pods that reference secrets"),
        ),
        (
            "POST",
            "pods",
            "",
            "",
            mirror(&|pod| pod["spec"]["volumes"] = json!([{"name": "v", "configMap": {"name": "c"}}])),
            Err("pods \"m\" is forbidden: node a can not create pods that reference configmaps"),
        ),
        (
            "POST",
            "pods",
            "",
            "",
            mirror(&|pod| pod["spec"]["volumes"] = json!([{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}])),
            Err("pods \"m\" is forbidden: node a can not create pods that reference persistentvolumeclaims"),
        ),
        ("POST", "pods", "", "", mirror(&|_| ()), Ok(201)),
        ("PATCH", "pods", "mine", "", merge.clone(), Err("pods \"mine\" is forbidden: unexpected operation UPDATE")),
        (
            "PATCH",
            "pods",
            "theirs",
            "status",
            merge.clone(),
            Err(
                "pods \"theirs\" is forbidden: node a can only update pod status for pods with spec.nodeName set to itself",
            ),
        ),
        ("PATCH", "pods", "mine", "status", merge.clone(), Ok(200)),
        (
            "DELETE",
            "pods",
            "theirs",
            "",
            Value::Null,
            Err("pods \"Unknown\" is forbidden: node a can only delete pods with spec.nodeName set to itself"),
        ),
        ("DELETE", "pods", "absent", "", Value::Null, Err("pods \"Unknown\" is forbidden: pods \"absent\" not found")),
        ("DELETE", "pods", "", "", Value::Null, Err("pods \"Unknown\" is forbidden: resource name may not be empty")),
        ("DELETE", "pods", "mine", "", Value::Null, Ok(200)),
        (
            "POST",
            "pods",
            "mine",
            "binding",
            json!({"metadata": {"name": "mine"}, "target": {"name": "a"}}),
            Err("pods \"mine\" is forbidden: unexpected pod subresource binding"),
        ),
        ("POST", "nodes", "", "", node("b"), Err("nodes \"b\" is forbidden: node a cannot modify node b")),
        (
            "POST",
            "nodes",
            "",
            "",
            json!({"metadata": {"generateName": "a"}}),
            Err("nodes \"a\" is forbidden: node a cannot modify node "),
        ),
        ("POST", "nodes", "", "", node("a"), Ok(201)),
        ("PATCH", "nodes", "a", "status", merge.clone(), Ok(200)),
        ("DELETE", "nodes", "b", "", Value::Null, Err("nodes \"Unknown\" is forbidden: node a cannot modify node b")),
        ("POST", "configmaps", "", "", json!({"metadata": {"name": "free"}}), Ok(201)),
    ];
    let kubelet = User { name: "system:node:a".into(), groups: vec!["system:nodes".into()], ..User::default() };
    let release = cluster.release;
    for (method, resource, name, subresource, body, expected) in &table {
        let resource = release.resource("", "v1", resource).unwrap();
        let namespace = if resource.namespaced { "n" } else { "" };
        let content_type = if *method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        let target = (resource, namespace, *name, *subresource);
        let answer = send(&mut cluster, &mut world, &kubelet, method, target, content_type, body);
        let shown = answer.result.map(|(code, _)| code).map_err(|status| status.message);
        assert_eq!(shown, expected.map_err(str::to_owned), "{method} {} {name} {subresource}", resource.resource);
        assert_eq!(answer.admission.len(), 1);
        assert_eq!(answer.admission[0].admitted, expected.is_ok());
    }
    let nobody = User { name: "system:node:".into(), ..kubelet };
    let nodes = release.resource("", "v1", "nodes").unwrap();
    let answer = send(&mut cluster, &mut world, &nobody, "POST", (nodes, "", "", ""), "", &node("x"));
    let message = "nodes \"x\" is forbidden: could not determine node from user system:node:";
    assert_eq!(answer.result.unwrap_err().message, message);
}

#[test]
fn nobody_grants_what_he_does_not_have() {
    let mut world = world();
    let mut cluster = cluster(&mut world);
    cluster.authorizers = Authorizers::new(cluster.release, &[Mode::RBAC], None);
    let rbac = |kind: &str, name: &str, rest: Value| {
        let mut object =
            json!({"apiVersion": "rbac.authorization.k8s.io/v1beta1", "kind": kind, "metadata": {"name": name}});
        object.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        object
    };
    let rules = |resource: &str, verbs: &[&str]| json!({"rules": [{"apiGroups": [""], "resources": [resource], "verbs": verbs}]});
    let binding = |role: &str| json!({"subjects": [{"kind": "User", "name": "bob"}], "roleRef": {"kind": "ClusterRole", "name": role}});
    let bind = json!({"rules": [{"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["clusterroles"], "verbs": ["bind"], "resourceNames": ["free"]}]});
    load(
        &mut cluster,
        &mut world,
        &[
            rbac("ClusterRole", "reader", rules("pods", &["get", "list"])),
            rbac("ClusterRoleBinding", "reader", binding("reader")),
            rbac("ClusterRole", "binder", bind),
            rbac("ClusterRoleBinding", "binder", binding("binder")),
            rbac("ClusterRole", "free", rules("secrets", &["*"])),
            rbac("ClusterRole", "kept", rules("secrets", &["get"])),
        ],
    );
    let bob =
        User { name: "bob".into(), uid: "u1".into(), groups: vec!["system:authenticated".into()], ..User::default() };
    let owned = "user=&{bob u1 [system:authenticated] map[]} ownerrules=[PolicyRule{Resources:[\"clusterroles\"], \
                 ResourceNames:[\"free\"], APIGroups:[\"rbac.authorization.k8s.io\"], Verbs:[\"bind\"]} \
                 PolicyRule{Resources:[\"pods\"], APIGroups:[\"\"], Verbs:[\"get\" \"list\"]}] ruleResolutionErrors=[]";
    let refused = |what: &str, atoms: &str| {
        Err(format!("{what} is forbidden: attempt to grant extra privileges: [{atoms}] {owned}"))
    };
    let group = "rbac.authorization.k8s.io";
    let table = [
        ("clusterroles", rbac("ClusterRole", "one", rules("pods", &["get"])), Ok(201)),
        (
            "clusterroles",
            rbac("ClusterRole", "two", rules("pods", &["get", "delete"])),
            refused(
                &format!("clusterroles.{group} \"two\""),
                "PolicyRule{Resources:[\"pods\"], APIGroups:[\"\"], Verbs:[\"delete\"]}",
            ),
        ),
        ("clusterrolebindings", rbac("ClusterRoleBinding", "free", binding("free")), Ok(201)),
        ("clusterrolebindings", rbac("ClusterRoleBinding", "same", binding("reader")), Ok(201)),
        (
            "clusterrolebindings",
            rbac("ClusterRoleBinding", "none", binding("none")),
            Err(format!("clusterroles.{group} \"none\" not found")),
        ),
        (
            "clusterrolebindings",
            rbac(
                "ClusterRoleBinding",
                "foreign",
                json!({"roleRef": {"apiGroup": "foo", "kind": "ClusterRole", "name": "reader"}}),
            ),
            Err("unsupported role reference kind: {\"foo\" \"ClusterRole\"}".to_owned()),
        ),
    ];
    let release = cluster.release;
    for (resource, body, expected) in table {
        let resource = release.resource(group, "v1beta1", resource).unwrap();
        let answer = send(&mut cluster, &mut world, &bob, "POST", (resource, "", "", ""), "application/json", &body);
        let shown = answer.result.map(|(code, _)| code).map_err(|status| status.message);
        assert_eq!(shown, expected, "{body}");
        assert_eq!(answer.admission[0].plugin, "RBAC escalation check");
    }
    // `free` was bound, and now its rules are his own.
    let roles = release.resource(group, "v1beta1", "clusterroles").unwrap();
    let role = rbac("ClusterRole", "three", rules("secrets", &["get"]));
    let answer = send(&mut cluster, &mut world, &bob, "POST", (roles, "", "", ""), "application/json", &role);
    assert_eq!(answer.result.unwrap().0, 201);
}

#[test]
fn what_is_refused_is_told_with_its_field() {
    let mut world = world();
    let mut cluster = cluster(&mut world);
    let release = cluster.release;
    let workload = |selector: Value, labels: Value, spec: Value| {
        json!({"metadata": {"name": "w"}, "spec": {"selector": selector,
            "template": {"metadata": {"labels": labels}, "spec": spec}}})
    };
    let certificate = |kind: &str| {
        use base64::Engine as _;
        let text = format!("-----BEGIN {kind}-----\nYW\nI=\n-----END {kind}-----\n");
        base64::engine::general_purpose::STANDARD.encode(text)
    };
    let container = json!({"name": "c", "image": "i"});
    let app = || json!({"matchLabels": {"app": "a"}});
    let table = [
        (
            "v1",
            "Pod",
            json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "C", "image": ""}]}}),
            "Pod \"p\" is invalid: [spec.containers[0].name: Invalid value: \"C\": ",
        ),
        (
            "v1",
            "Pod",
            json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i",
            "volumeMounts": [{"name": "v", "mountPath": "/v"}]}]}}),
            "Pod \"p\" is invalid: spec.containers[0].volumeMounts[0].name: Not found: \"v\"",
        ),
        (
            "v1",
            "Pod",
            json!({"metadata": {"name": "p"}, "spec": {"containers": [container, container]}}),
            "Pod \"p\" is invalid: spec.containers[1].name: Duplicate value: \"c\"",
        ),
        (
            "v1",
            "Pod",
            json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i",
                "securityContext": {"privileged": true, "runAsUser": -1}}]}}),
            "Pod \"p\" is invalid: [spec.containers[0].securityContext.privileged: Forbidden: disallowed by cluster policy, spec.containers[0].securityContext.runAsUser: Invalid value: -1: must be greater than or equal to 0]",
        ),
        (
            "v1",
            "Pod",
            json!({"metadata": {"name": "p"}, "spec": {"containers": [container], "volumes": [
                {"name": "s", "secret": {}}, {"name": "c", "configMap": {}}, {"name": "p", "persistentVolumeClaim": {}}]}}),
            "Pod \"p\" is invalid: [spec.volumes[0].secret.secretName: Required value, spec.volumes[1].configMap.name: Required value, spec.volumes[2].persistentVolumeClaim.claimName: Required value]",
        ),
        (
            "v1",
            "Pod",
            json!({"metadata": {"name": "p"}, "spec": {"hostNetwork": true, "hostAliases": [{"ip": "1.2.3.4"}], "imagePullSecrets": [{}],
                "containers": [{"name": "c", "image": "i", "ports": [{"containerPort": 80, "hostPort": 81}]}]}}),
            "Pod \"p\" is invalid: [spec.containers[0].ports[0].containerPort: Invalid value: 80: must match `hostPort` when `hostNetwork` is true, spec: Forbidden: may not be set when `hostNetwork` is true]",
        ),
        (
            "v1",
            "Service",
            json!({"metadata": {"name": "s"}, "spec": {}}),
            "Service \"s\" is invalid: spec.ports: Required value",
        ),
        (
            "v1",
            "Service",
            json!({"metadata": {"name": "s"}, "spec": {"type": "NodePort", "ports": [{"port": 80, "nodePort": 80}]}}),
            "Service \"s\" is invalid: spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767",
        ),
        (
            "extensions/v1beta1",
            "Deployment",
            workload(app(), json!({"app": "b"}), json!({"containers": [container]})),
            "Deployment.extensions \"w\" is invalid: spec.template.metadata.labels: Invalid value: map[string]string{\"app\":\"b\"}: `selector` does not match template `labels`",
        ),
        (
            "apps/v1beta1",
            "Deployment",
            workload(app(), json!({"app": "a"}), json!({"containers": [], "restartPolicy": "Never"})),
            "Deployment.extensions \"w\" is invalid: [spec.template.spec.containers: Required value, spec.template.spec.restartPolicy: Unsupported value: \"Never\": supported values: Always]",
        ),
        (
            "certificates.k8s.io/v1beta1",
            "CertificateSigningRequest",
            json!({"metadata": {"name": "Any:name"}, "spec": {"request": "YWI=", "usages": []}}),
            "CertificateSigningRequest.certificates.k8s.io \"Any:name\" is invalid: [spec.request: Invalid value: []byte{0x61, 0x62}: PEM block type must be CERTIFICATE REQUEST, spec.usages: Required value: usages must be provided]",
        ),
        (
            "certificates.k8s.io/v1beta1",
            "CertificateSigningRequest",
            json!({"metadata": {"name": "c"}, "spec": {"request": certificate("CERTIFICATE"), "usages": ["any"]}}),
            "CertificateSigningRequest.certificates.k8s.io \"c\" is invalid: spec.request: Invalid value: []byte{0x2d, ",
        ),
        (
            "certificates.k8s.io/v1beta1",
            "CertificateSigningRequest",
            json!({"metadata": {"name": "c"}, "spec": {"request": certificate("CERTIFICATE REQUEST"), "usages": []}}),
            "CertificateSigningRequest.certificates.k8s.io \"c\" is invalid: spec.usages: Required value",
        ),
        (
            "batch/v1",
            "Job",
            json!({"metadata": {"name": "w"}, "spec": {"template": {"spec": {"containers": [container]}}}}),
            "Job.batch \"w\" is invalid: spec.template.spec.restartPolicy: Unsupported value: \"Always\": supported values: OnFailure, Never",
        ),
    ];
    for (api_version, kind, body, message) in table {
        let resource = release.resource_of(api_version, kind).unwrap();
        let answer = send(&mut cluster, &mut world, &admin(), "POST", (resource, "n", "", ""), "", &body);
        let shown = answer.result.unwrap_err().message;
        assert!(shown.starts_with(message), "{shown}");
    }
}

#[test]
fn what_a_pods_update_may_not_change_is_told() {
    let mut world = world();
    let mut cluster = cluster(&mut world);
    let pods = cluster.release.resource_of("v1", "Pod").unwrap();
    let with = |deadline: Value| {
        let mut pod = pod("p", None);
        pod["spec"]["activeDeadlineSeconds"] = deadline;
        pod
    };
    let field = "Pod \"p\" is invalid: spec.activeDeadlineSeconds: Invalid value:";
    send(&mut cluster, &mut world, &admin(), "POST", (pods, "n", "", ""), "", &with(json!(5))).result.unwrap();
    for (deadline, expected) in [
        (json!(9), Err(format!("{field} 9: must be less than or equal to previous value"))),
        (Value::Null, Err(format!("{field} null: must not update from a positive integer to nil value"))),
        (json!(4), Ok(200)),
    ] {
        let answer = send(&mut cluster, &mut world, &admin(), "PUT", (pods, "n", "p", ""), "", &with(deadline));
        assert_eq!(answer.result.map(|(code, _)| code).map_err(|status| status.message), expected);
    }
}

#[test]
fn parameters_are_read_before_anything_is_done() {
    let mut world = world();
    let mut cluster = cluster(&mut world);
    load(
        &mut cluster,
        &mut world,
        &[json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "n"}})],
    );
    let config_maps = cluster.release.resource_of("v1", "ConfigMap").unwrap();
    let abc = |function: &str| format!("strconv.{function}: parsing \"abc\": invalid syntax");
    let uint = |text: &str, what: &str| Err((500, format!("strconv.ParseUint: parsing \"{text}\": {what}")));
    let both = json!({"orphanDependents": true, "propagationPolicy": "Background"});
    let conversion = "converting (url.Values).[]string.[]string to (v1.DeleteOptions).*v1.DeletionPropagation.v1.DeletionPropagation: \
        couldn't copy '[]string' into 'v1.DeletionPropagation'; didn't understand types";
    let cannot = " \"\" is invalid: : Invalid value: : OrphanDependents and DeletionPropagation cannot be both set";
    let syntax = "invalid syntax";
    let table = [
        ("GET", "", "resourceVersion", "abc", Value::Null, Err((500, abc("ParseUint")))),
        ("GET", "", "resourceVersion", "+1", Value::Null, uint("+1", syntax)),
        (
            "GET",
            "",
            "resourceVersion",
            "99999999999999999999",
            Value::Null,
            uint("99999999999999999999", "value out of range"),
        ),
        ("GET", "", "resourceVersion", "0", Value::Null, Ok(200)),
        ("GET", "", "timeoutSeconds", "abc", Value::Null, Err((400, abc("ParseInt")))),
        (
            "GET",
            "",
            "timeoutSeconds",
            "",
            Value::Null,
            Err((400, "strconv.ParseInt: parsing \"\": invalid syntax".into())),
        ),
        ("GET", "c", "resourceVersion", "abc", Value::Null, Err((500, abc("ParseUint")))),
        ("DELETE", "", "timeoutSeconds", "abc", Value::Null, Err((400, abc("ParseInt")))),
        ("DELETE", "", "resourceVersion", "abc", Value::Null, Err((500, abc("ParseUint")))),
        ("DELETE", "c", "gracePeriodSeconds", "abc", Value::Null, Err((400, abc("ParseInt")))),
        ("DELETE", "c", "propagationPolicy", "Orphan", Value::Null, Err((400, conversion.into()))),
        ("DELETE", "c", "", "", both, Err((422, cannot.into()))),
        ("DELETE", "c", "orphanDependents", "False", Value::Null, Ok(200)),
        ("DELETE", "c", "", "", Value::Null, Err((404, "configmaps \"c\" not found".into()))),
    ];
    for (method, name, parameter, value, body, expected) in table {
        let query = [(parameter.to_owned(), value.to_owned())];
        let target = (config_maps, "n", name, "");
        let answer = send_query(&mut cluster, &mut world, &admin(), method, target, &query, "", &body);
        let shown = answer.result.map(|(code, _)| code).map_err(|status| (status.code, status.message));
        assert_eq!(shown, expected, "{method} {name} {parameter}={value}");
    }
}

#[test]
fn what_is_exported_is_of_no_cluster() {
    let mut world = world();
    let mut cluster = cluster(&mut world);
    let release = cluster.release;
    let named = json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "made-1", "generateName": "made-", "namespace": "n"}});
    let mut service = json!({"kind": "Service", "apiVersion": "v1", "metadata": {"name": "s", "namespace": "n"},
        "spec": {"type": "NodePort", "clusterIP": "10.0.0.9", "ports": [{"port": 80, "nodePort": 30080}]}});
    service["status"] = json!({"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}});
    let claim = json!({"kind": "PersistentVolumeClaim", "apiVersion": "v1", "metadata": {"name": "v", "namespace": "n"},
        "status": {"phase": "Bound"}});
    let running = json!({"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "p", "namespace": "n"},
        "spec": {"containers": [{"name": "c", "image": "i"}]}, "status": {"phase": "Running", "hostIP": "1.2.3.4"}});
    load(&mut cluster, &mut world, &[named, service, claim, running]);
    let link = |rest: &str| format!("/api/v1/namespaces/n/{rest}");
    let metadata = |value: Value| {
        let mut value = value;
        value["creationTimestamp"] = Value::Null;
        value
    };
    for (kind, name, exact, path, expected) in [
        (
            "ConfigMap",
            "made-1",
            "",
            "/metadata",
            metadata(json!({"generateName": "made-", "selfLink": link("configmaps/made-1")})),
        ),
        (
            "ConfigMap",
            "made-1",
            "true",
            "/metadata",
            metadata(
                json!({"name": "made-1", "generateName": "made-", "namespace": "n", "selfLink": link("configmaps/made-1")}),
            ),
        ),
        ("Service", "s", "", "/status", json!({"loadBalancer": {}})),
        ("Service", "s", "", "/spec/clusterIP", json!("<unknown>")),
        ("Service", "s", "", "/spec/ports/0", json!({"protocol": "TCP", "port": 80, "targetPort": 80})),
        ("Service", "s", "1", "/spec/ports/0/nodePort", json!(30080)),
        ("PersistentVolumeClaim", "v", "", "/status", json!({})),
        ("Pod", "p", "", "/status", json!({"phase": "Pending", "qosClass": "BestEffort"})),
    ] {
        let query = [("export", "yes"), ("exact", exact)].map(|(key, value)| (key.to_owned(), value.to_owned()));
        let query = if exact.is_empty() { &query[..1] } else { &query[..] };
        let target = (release.resource_of("v1", kind).unwrap(), "n", name, "");
        let answer = send_query(&mut cluster, &mut world, &admin(), "GET", target, query, "", &Value::Null);
        assert_eq!(answer.result.unwrap().1.pointer(path), Some(&expected), "{kind} {exact} {path}");
    }
    for (api_version, kind, subresource, resource) in
        [("v1", "Pod", "status", "pods"), ("rbac.authorization.k8s.io/v1beta1", "Role", "", "roles")]
    {
        let query = [("export".to_owned(), String::new())];
        let target = (release.resource_of(api_version, kind).unwrap(), "n", "p", subresource);
        let answer = send_query(&mut cluster, &mut world, &admin(), "GET", target, &query, "", &Value::Null);
        assert_eq!(answer.result.unwrap_err().message, format!("export of \"{resource}\" is not supported"));
    }
}

#[test]
fn services_get_an_address_and_ports_of_their_own() {
    let mut world = world();
    let mut cluster = cluster(&mut world);
    let services = cluster.release.resource_of("v1", "Service").unwrap();
    let mut addresses = std::collections::BTreeSet::new();
    let mut ports = std::collections::BTreeSet::new();
    for index in 0..254 {
        let service =
            json!({"metadata": {"name": format!("s-{index}")}, "spec": {"type": "NodePort", "ports": [{"port": 80}]}});
        let answer = send(&mut cluster, &mut world, &admin(), "POST", (services, "n", "", ""), "", &service).result;
        if index == 253 {
            let message = "Internal error occurred: failed to allocate a serviceIP: range is full";
            assert_eq!(answer.unwrap_err().message, message);
            continue;
        }
        let (_, service) = answer.unwrap();
        addresses.insert(text(&service, "spec.clusterIP").to_owned());
        ports.insert(member(&list(&service, "spec.ports")[0], "nodePort").unwrap().as_u64().unwrap());
    }
    assert_eq!((addresses.len(), ports.len()), (253, 253));
    assert!(!addresses.contains("10.0.0.1"));
    assert!(ports.iter().all(|port| (30000..=32767).contains(port)));
}

#[test]
fn words_that_yaml_takes_for_booleans_are_text_where_text_belongs() {
    let mut world = world();
    let mut cluster = cluster(&mut world);
    let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: p, labels: {a: y, b: no, c: \"n\"}}\nspec:\n  hostNetwork: yes\n  \
                containers: [{name: c, image: i}]\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: q, labels: {a: 1}}\n";
    let (documents, _) = crate::manifest::parse(&"a.yaml".into(), 1, text);
    let objects = documents.into_iter().flat_map(|document| crate::manifest::objects(document).0).collect();
    let found = cluster.load(objects, &mut world);
    let messages: Vec<_> =
        found.iter().map(|found| (found.line, found.message.get(..43).unwrap_or_default())).collect();
    assert_eq!(
        messages,
        [
            (3, "Kubernetes reads the bare word `y` as a boo"),
            (3, "Kubernetes reads the bare word `no` as a bo"),
            (8, "Pod \"q\" cannot be read: json: cannot unmars"),
        ]
    );
    let pod =
        cluster.store.get("/registry/pods/default/p").and_then(|entry| entry.object.as_ref().ok()).cloned().unwrap();
    assert_eq!(pod.value["metadata"]["labels"], json!({"a": "y", "b": "no", "c": "n"}));
    assert_eq!(pod.value["spec"]["hostNetwork"], json!(true));
}
