use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::*;

fn object(value: Value) -> Rc<Object> {
    Rc::new(Object::new(value, None))
}

/// A pod in namespace `a`.
fn pod(name: &str, node: &str, spec: Value) -> Rc<Object> {
    let mut value =
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "a"}, "spec": spec});
    value["spec"]["nodeName"] = node.into();
    object(value)
}

fn volume(name: &str, spec: Value) -> Rc<Object> {
    object(json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec}))
}

fn secret_volume(secret: &str) -> Value {
    json!({"volumes": [{"name": "v", "secret": {"secretName": secret}}]})
}

fn graph(objects: &[Rc<Object>]) -> Graph {
    let mut graph = Graph::default();
    objects.iter().for_each(|object| graph.upsert(object));
    graph
}

#[test]
fn every_reference_of_a_pod_is_an_edge() {
    let rows = [
        (json!({"imagePullSecrets": [{"name": "x"}]}), "Secret x spec.imagePullSecrets[0].name"),
        (
            json!({"containers": [{}, {"envFrom": [{"secretRef": {"name": "x"}}]}]}),
            "Secret x spec.containers[1].envFrom[0].secretRef.name",
        ),
        (
            json!({"initContainers": [{"envFrom": [{"configMapRef": {"name": "x"}}]}]}),
            "ConfigMap x spec.initContainers[0].envFrom[0].configMapRef.name",
        ),
        (
            json!({"containers": [{"env": [{"valueFrom": {"secretKeyRef": {"name": "x", "key": "k"}}}]}]}),
            "Secret x spec.containers[0].env[0].valueFrom.secretKeyRef.name",
        ),
        (
            json!({"containers": [{"env": [{"valueFrom": {"configMapKeyRef": {"name": "x", "key": "k"}}}]}]}),
            "ConfigMap x spec.containers[0].env[0].valueFrom.configMapKeyRef.name",
        ),
        (json!({"volumes": [{"azureFile": {"secretName": "x"}}]}), "Secret x spec.volumes[0].azureFile.secretName"),
        (json!({"volumes": [{"azureFile": {"secretName": ""}}]}), ""),
        (
            json!({"volumes": [{"cephfs": {"secretRef": {"name": "x"}}}]}),
            "Secret x spec.volumes[0].cephfs.secretRef.name",
        ),
        (
            json!({"volumes": [{"flexVolume": {"secretRef": {"name": "x"}}}]}),
            "Secret x spec.volumes[0].flexVolume.secretRef.name",
        ),
        (json!({"volumes": [{"rbd": {"secretRef": {"name": "x"}}}]}), "Secret x spec.volumes[0].rbd.secretRef.name"),
        (json!({"volumes": [{"rbd": {"secretRef": null}}]}), ""),
        (
            json!({"volumes": [{"scaleIO": {"secretRef": {"name": "x"}}}]}),
            "Secret x spec.volumes[0].scaleIO.secretRef.name",
        ),
        (
            json!({"volumes": [{"iscsi": {"secretRef": {"name": "x"}}}]}),
            "Secret x spec.volumes[0].iscsi.secretRef.name",
        ),
        (
            json!({"volumes": [{"storageos": {"secretRef": {"name": "x"}}}]}),
            "Secret x spec.volumes[0].storageos.secretRef.name",
        ),
        (json!({"volumes": [{"secret": {"secretName": "x"}}]}), "Secret x spec.volumes[0].secret.secretName"),
        (
            json!({"volumes": [{"projected": {"sources": [{"configMap": {"name": "x"}}]}}]}),
            "ConfigMap x spec.volumes[0].projected.sources[0].configMap.name",
        ),
        (
            json!({"volumes": [{"projected": {"sources": [{}, {"secret": {"name": "x"}}]}}]}),
            "Secret x spec.volumes[0].projected.sources[1].secret.name",
        ),
        (json!({"volumes": [{"configMap": {"name": "x"}}]}), "ConfigMap x spec.volumes[0].configMap.name"),
        (
            json!({"volumes": [{"persistentVolumeClaim": {"claimName": "x"}}]}),
            "PersistentVolumeClaim x spec.volumes[0].persistentVolumeClaim.claimName",
        ),
        (json!({"serviceAccountName": "x"}), ""),
        (json!({"volumes": "not a list", "containers": [1, null]}), ""),
    ];
    for (spec, expected) in rows {
        let pod = pod("p", "n", spec);
        let found: Vec<String> = references(&pod)
            .iter()
            .filter(|it| it.kind != Kind::Node)
            .map(|it| format!("{} {} {}", it.kind.name(), it.name, pod.location(&it.path).path))
            .collect();
        assert_eq!(found.join("; "), expected);

        let graph = graph(std::slice::from_ref(&pod));
        let reference = references(&pod).into_iter().find(|it| it.kind != Kind::Node && !it.name.is_empty());
        let Some(reference) = reference else { continue };
        let path = graph.path(reference.kind, "a", "x", "n").unwrap();
        assert_eq!(graph.edge(path[0], path[1]).unwrap().path, expected.rsplit(' ').next().unwrap());
        assert_eq!(graph.edge(path[1], path[2]).unwrap().path, "spec.nodeName");
        assert!(graph.path(reference.kind, "b", "x", "n").is_none(), "another namespace");
        assert!(graph.path(reference.kind, "", "x", "n").is_none(), "no namespace");
        assert!(graph.path(reference.kind, "a", "x", "m").is_none(), "another node");
    }
}

#[test]
fn every_reference_of_a_volume_is_an_edge() {
    let claim = json!({"namespace": "a", "name": "c"});
    let secret = json!({"name": "x", "namespace": "s"});
    let rows = [
        (json!({"claimRef": claim, "azureFile": {"secretName": "x"}}), "a"),
        (json!({"claimRef": claim, "cephfs": {"secretRef": secret}}), "a"),
        (json!({"claimRef": claim, "flexVolume": {"secretRef": secret}}), "a"),
        (json!({"claimRef": claim, "rbd": {"secretRef": secret}}), "a"),
        (json!({"claimRef": claim, "scaleIO": {"secretRef": secret}}), "a"),
        (json!({"claimRef": claim, "iscsi": {"secretRef": secret}}), "a"),
        (json!({"claimRef": claim, "storageos": {"secretRef": secret}}), "s"),
        (json!({"azureFile": {"secretName": "x"}}), ""),
    ];
    let user = pod("p", "n", json!({"volumes": [{"persistentVolumeClaim": {"claimName": "c"}}]}));
    for (spec, namespace) in rows {
        let graph = graph(&[volume("v", spec.clone()), user.clone()]);
        let titles = |path: Option<Vec<Vertex>>| -> Vec<String> {
            path.into_iter().flatten().map(|it| title(graph.vertex(it).unwrap())).collect()
        };
        let to_volume = ["PersistentVolume/v", "PersistentVolumeClaim/a/c", "Pod/a/p", "Node/n"];
        let bound = !namespace.is_empty();
        let found = titles(graph.path(Kind::PersistentVolume, "", "v", "n"));
        assert_eq!(found, if bound { &to_volume[..] } else { &[] }, "{spec}");
        let found = titles(graph.path(Kind::Secret, namespace, "x", "n"));
        let to_secret = [format!("Secret/{namespace}/x")].into_iter().chain(to_volume.map(str::to_owned));
        assert_eq!(found, to_secret.take(if bound { 5 } else { 0 }).collect::<Vec<_>>(), "{spec}");
    }
}

#[test]
fn a_pod_is_read_again_only_when_its_node_or_uid_changes() {
    let with = |node: &str, uid: &str, secret: &str| {
        let mut value = pod("p", node, secret_volume(secret)).value.clone();
        value["metadata"]["uid"] = uid.into();
        object(value)
    };
    let mut graph = graph(&[with("n", "1", "x")]);
    let reaches = |graph: &Graph, secret: &str, node: &str| graph.path(Kind::Secret, "a", secret, node).is_some();
    graph.upsert(&with("n", "1", "y"));
    assert!(reaches(&graph, "x", "n") && !reaches(&graph, "y", "n"));
    graph.upsert(&with("n", "2", "y"));
    assert!(!reaches(&graph, "x", "n") && reaches(&graph, "y", "n"));
    graph.upsert(&with("m", "2", "z"));
    assert!(!reaches(&graph, "y", "n") && reaches(&graph, "z", "m"));
    graph.delete(&with("m", "2", "z"));
    assert!(!reaches(&graph, "z", "m"));
    assert!(graph.view(usize::MAX).vertices.is_empty());
}

#[test]
fn a_view_tells_what_exists_from_what_is_only_named() {
    let graph = graph(&[
        pod("p", "n", json!({"volumes": [{"secret": {"secretName": "x"}}, {"secret": {"secretName": "x"}}]})),
        object(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}})),
        object(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "namespace": "a"}})),
    ]);
    let view = graph.view(usize::MAX);
    let vertices: Vec<_> = view.vertices.iter().map(|it| (it.location.object.as_str(), it.exists)).collect();
    assert_eq!(vertices, [("Secret/a/x", false), ("Pod/a/p", true), ("Node/n", true)]);
    let edges: Vec<_> = view.edges.iter().map(|it| (it.from, it.to, it.location.path.as_str())).collect();
    assert_eq!(edges, [(0, 1, "spec.volumes[0].secret.secretName"), (1, 2, "spec.nodeName")]);
}

#[test]
fn a_view_has_whole_pods_up_to_its_limit() {
    let pods: Vec<_> = (0..10).map(|at| pod(&format!("p{at}"), "n", secret_volume(&format!("s{at}")))).collect();
    let graph = graph(&pods);
    for (limit, pods) in [(0, 0), (1, 0), (3, 1), (4, 1), (7, 3), (21, 10), (22, 10)] {
        let view = graph.view(limit);
        assert!(view.vertices.len() <= limit);
        assert_eq!(view.vertices.len() + view.hidden, 21, "{limit}");
        assert!(view.edges.len() >= 2 * pods, "{limit}");
    }
    let lonely =
        |origin| Rc::new(Object::new(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}}), origin));
    let mut graph = Graph::default();
    graph.upsert(&lonely(None));
    assert_eq!(graph.view(9).vertices.len(), 0, "the server's own");
    graph.upsert(&lonely(Some(Rc::new(crate::manifest::Origin::lines("a.md".into(), 1, 2)))));
    assert_eq!(graph.view(9).vertices.len(), 1);
}

#[test]
fn what_is_named_and_absent_is_a_problem_of_the_text() {
    let text = "\
apiVersion: v1
kind: Pod
metadata: {name: p, namespace: a}
spec:
  nodeName: one
  imagePullSecrets:
  - name: pull
  containers:
  - env:
    - valueFrom:
        configMapKeyRef: {name: m, key: k, optional: true}
    - valueFrom:
        secretKeyRef: {name: there, key: k}
  volumes:
  - secret: {secretName: gone, optional: true}
  - secret:
      secretName: gone
  - persistentVolumeClaim: {claimName: c}
---
apiVersion: v1
kind: Secret
metadata: {name: there, namespace: a}
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: v1}
spec: {claimRef: {namespace: a, name: other}}
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: v2}
spec:
  claimRef: {namespace: a, name: other}
";
    let (documents, _) = crate::manifest::parse(&"a.yaml".into(), 1, text);
    let objects = documents.into_iter().flat_map(|document| crate::manifest::objects(document).0);
    let graph = graph(&objects.map(Rc::new).collect::<Vec<_>>());
    let told: Vec<_> = graph.problems().into_iter().map(|it| (it.line, it.message)).collect();
    let bound = "PersistentVolume v1 is bound to a/other too. A claim has one volume: nodes that use the claim may read \
        both, and the secrets of both.";
    assert_eq!(
        told,
        [
            (17, "Secret a/gone does not exist. Create it, or correct the name.".to_owned()),
            (18, "PersistentVolumeClaim a/c does not exist. Create it, or correct the name.".to_owned()),
            (33, bound.to_owned()),
        ]
    );
    let many: Vec<_> = (0..100).map(|at| pod(&format!("p{at}"), "n", secret_volume("x"))).collect();
    assert_eq!(super::tests::graph(&many).problems(), [], "no text of the user holds them");
}

#[test]
fn bad_input_neither_hangs_nor_misleads() {
    // A claim that two volumes are bound to, both with a secret; a volume that is bound to nothing there.
    let bound = |name: &str, claim: &str| {
        volume(name, json!({"claimRef": {"namespace": "a", "name": claim}, "rbd": {"secretRef": {"name": name}}}))
    };
    let user = pod("p", "n", json!({"volumes": [{"persistentVolumeClaim": {"claimName": "c"}}]}));
    let graph = graph(&[bound("v1", "c"), bound("v2", "c"), bound("v3", "absent"), user]);
    for (secret, expected) in [("v1", true), ("v2", true), ("v3", false), ("v4", false)] {
        assert_eq!(graph.path(Kind::Secret, "a", secret, "n").is_some(), expected, "{secret}");
    }
}

#[test]
fn a_hundred_thousand_pods_of_one_secret_are_not_visited() {
    let mut graph = Graph::default();
    for at in 0..100_000 {
        graph.upsert(&pod(&format!("p{at}"), if at == 70_000 { "n" } else { "m" }, secret_volume("x")));
    }
    for _ in 0..100_000 {
        assert_eq!(graph.path(Kind::Secret, "a", "x", "n").map(|path| path.len()), Some(3));
        assert!(graph.path(Kind::Secret, "a", "x", "absent").is_none());
    }
    assert_eq!(graph.pods("m").count(), 99_999);
}

/// The same questions, asked of a graph that is built anew from all objects and walked edge by edge for each.
#[derive(Default)]
struct Oracle {
    /// As the server last read them.
    read: BTreeMap<(String, String, String), Rc<Object>>,
}

type Title = String;

impl Oracle {
    fn key(object: &Object) -> (String, String, String) {
        (object.kind().to_owned(), object.namespace().to_owned(), object.name().to_owned())
    }

    fn upsert(&mut self, object: &Rc<Object>) {
        let node = |object: &Object| object.text(&["spec", "nodeName"]).to_owned();
        if object.kind() == "Pod" {
            let unchanged = |old: &Rc<Object>| node(old) == node(object) && old.uid() == object.uid();
            if node(object).is_empty() || self.read.get(&Self::key(object)).is_some_and(unchanged) {
                return;
            }
        }
        self.read.insert(Self::key(object), object.clone());
    }

    /// From, to, and the node that the edge is tagged with.
    fn edges(&self) -> BTreeSet<(Title, Title, Option<String>)> {
        let mut edges = BTreeSet::new();
        for ((kind, namespace, name), object) in &self.read {
            let spec = &object.value["spec"];
            if kind == "Pod" {
                let node = spec["nodeName"].as_str().unwrap();
                let me = format!("Pod/{namespace}/{name}");
                let mut add = |from: String, to: String| edges.insert((from, to, Some(node.to_owned())));
                add(me.clone(), format!("Node/{node}"));
                for volume in spec["volumes"].as_array().unwrap() {
                    for (kind, pointer) in [
                        ("Secret", "/secret/secretName"),
                        ("ConfigMap", "/configMap/name"),
                        ("PersistentVolumeClaim", "/persistentVolumeClaim/claimName"),
                    ] {
                        if let Some(name) = volume.pointer(pointer) {
                            add(format!("{kind}/{namespace}/{}", name.as_str().unwrap()), me.clone());
                        }
                    }
                }
            } else if let Some(claim) = spec.get("claimRef") {
                let (me, text) = (format!("PersistentVolume/{name}"), |key: &str| claim[key].as_str().unwrap());
                edges.insert((
                    me.clone(),
                    format!("PersistentVolumeClaim/{}/{}", text("namespace"), text("name")),
                    None,
                ));
                if let Some(secret) = spec.pointer("/rbd/secretRef/name") {
                    edges.insert((format!("Secret/{}/{}", text("namespace"), secret.as_str().unwrap()), me, None));
                }
            }
        }
        edges
    }

    fn reaches(&self, object: &str, node: &str) -> bool {
        let edges = self.edges();
        let mut seen = BTreeSet::new();
        let mut stack = vec![object.to_owned()];
        while let Some(at) = stack.pop() {
            if !seen.insert(at.clone()) {
                continue;
            }
            for (_, to, tag) in edges.iter().filter(|(from, ..)| *from == at) {
                match tag {
                    Some(tag) if tag == node => return true,
                    Some(_) => {}
                    None => stack.push(to.clone()),
                }
            }
        }
        false
    }
}

#[derive(Clone, Debug)]
enum Change {
    Upsert(Value),
    Delete(Value),
}

fn name(prefix: &'static str, count: u8) -> impl Strategy<Value = String> {
    (0..count).prop_map(move |at| format!("{prefix}{at}"))
}

fn a_volume_of_a_pod() -> impl Strategy<Value = Value> {
    prop_oneof![
        name("s", 3).prop_map(|it| json!({"secret": {"secretName": it}})),
        name("m", 2).prop_map(|it| json!({"configMap": {"name": it}})),
        name("c", 3).prop_map(|it| json!({"persistentVolumeClaim": {"claimName": it}})),
    ]
}

fn an_object() -> impl Strategy<Value = Value> {
    let namespace = || select(vec!["a", "b"]);
    let node = prop_oneof![1 => Just(String::new()), 4 => name("n", 3)];
    let volumes = prop::collection::vec(a_volume_of_a_pod(), 0..4);
    let pod = (namespace(), name("p", 4), 0..2_u8, node, volumes).prop_map(|(namespace, name, uid, node, volumes)| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace, "uid": uid.to_string()},
            "spec": {"nodeName": node, "volumes": volumes}})
    });
    let claim = prop::option::weighted(0.8, (namespace(), name("c", 3)));
    let secret = prop::option::of(name("s", 3));
    let volume = (name("v", 3), claim, secret).prop_map(|(name, claim, secret)| {
        let mut spec = json!({});
        if let Some((namespace, name)) = claim {
            spec["claimRef"] = json!({"namespace": namespace, "name": name});
        }
        if let Some(name) = secret {
            spec["rbd"] = json!({"secretRef": {"name": name}});
        }
        json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec})
    });
    prop_oneof![3 => pod, 2 => volume]
}

fn a_change() -> impl Strategy<Value = Change> {
    prop_oneof![3 => an_object().prop_map(Change::Upsert), 1 => an_object().prop_map(Change::Delete)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_graph_agrees_with_one_built_anew(changes in prop::collection::vec(a_change(), 1..40)) {
        let (mut graph, mut oracle) = (Graph::default(), Oracle::default());
        for change in changes {
            match change {
                Change::Upsert(value) => {
                    let object = object(value);
                    graph.upsert(&object);
                    oracle.upsert(&object);
                }
                Change::Delete(value) => {
                    graph.delete(&object(value.clone()));
                    oracle.read.remove(&Oracle::key(&object(value)));
                }
            }
            let view = graph.view(usize::MAX);
            let title = |at: usize| view.vertices[at].location.object.clone();
            let edges: BTreeSet<_> = view.edges.iter().map(|edge| (title(edge.from), title(edge.to))).collect();
            prop_assert_eq!(&edges, &oracle.edges().into_iter().map(|(from, to, _)| (from, to)).collect());
            for node in ["n0", "n1", "n2", "absent"] {
                for (kind, namespace, name) in [
                    (Kind::Secret, "a", "s0"), (Kind::Secret, "a", "s1"), (Kind::Secret, "b", "s0"), (Kind::Secret, "b", "s2"),
                    (Kind::ConfigMap, "a", "m0"), (Kind::ConfigMap, "b", "m1"),
                    (Kind::PersistentVolumeClaim, "a", "c0"), (Kind::PersistentVolumeClaim, "b", "c1"),
                    (Kind::PersistentVolume, "", "v0"), (Kind::PersistentVolume, "", "v1"), (Kind::Secret, "", "s0"),
                ] {
                    let wanted = super::title((kind, namespace, name));
                    let path = graph.path(kind, namespace, name, node);
                    prop_assert_eq!(path.is_some(), oracle.reaches(&wanted, node), "{} {}", wanted, node);
                    let found = graph.readers(kind, namespace, name).any(|path| {
                        path.last().and_then(|last| graph.vertex(*last)) == Some((Kind::Node, "", node))
                    });
                    prop_assert_eq!(path.is_some(), found, "{} {}", wanted, node);
                    for (from, to) in path.iter().flat_map(|path| path.iter().zip(path.iter().skip(1))) {
                        let pair = [from, to].map(|it| super::title(graph.vertex(*it).unwrap()));
                        prop_assert!(edges.contains(&(pair[0].clone(), pair[1].clone())));
                        prop_assert!(graph.edge(*from, *to).is_some());
                    }
                }
            }
        }
        for object in oracle.read.values() {
            graph.delete(object);
        }
        prop_assert!(graph.forward.is_empty() && graph.backward.is_empty());
        prop_assert_eq!(graph.free.len(), graph.entries.len());
    }
}
