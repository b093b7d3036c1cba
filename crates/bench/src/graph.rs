//! The node graph: 30 pods a node, each with two secrets, a config map and a claim.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use portcullis_core::graph::{Graph, Kind, references};
use portcullis_core::manifest::Object;
use serde_json::json;

use crate::dice::Dice;
use crate::{Clock, Figure, best, figure, rate};

const SIZES: [usize; 2] = [500, 5_000];
const PODS: usize = 30;
const FEW: usize = 4;

pub fn run(clock: Clock<'_>, report: &mut dyn FnMut(Figure)) {
    let mut builds = Vec::new();
    let mut rates = Vec::new();
    for nodes in SIZES {
        let objects = cluster(nodes);
        let (build_time, graph) = best(clock, || {
            let mut graph = Graph::default();
            objects.iter().for_each(|object| graph.upsert(object));
            graph
        });
        let questions = questions(nodes);
        let ask = |(secret, node): &(String, String)| graph.path(Kind::Secret, "default", secret, node).is_some();
        // A benchmark of wrong answers would be worth nothing. The naive one takes too long for more than a few.
        let few = questions.get(..FEW).unwrap_or(&questions);
        let start = clock();
        let naive: Vec<bool> = few.iter().map(|it| naive(&objects, it)).collect();
        let slow = few.len() as f64 * 1000.0 / (clock() - start);
        let agreed = few.iter().zip(&naive).filter(|(it, answer)| ask(it) == **answer).count();
        report(figure(format!("graph answers equal to the naive ones, {nodes} nodes, of {FEW}"), agreed as f64, ""));
        let fast = rate(clock, &questions, ask);
        report(figure(format!("graph build, {nodes} nodes, {} pods", nodes * PODS), build_time, "ms"));
        report(figure(format!("graph questions, {nodes} nodes"), fast, "/s"));
        report(figure(format!("graph questions, naive, {nodes} nodes"), slow, "/s"));
        report(figure(format!("graph questions, ratio to naive, {nodes} nodes"), fast / slow, "x"));
        builds.push(build_time);
        rates.push(fast);
    }
    if let ([small, large], [few, many]) = (builds.as_slice(), rates.as_slice()) {
        report(figure("graph build, growth from 500 to 5000 nodes", large / small, "x"));
        report(figure("graph cost of a question, 5000 nodes to 500", few / many, "x"));
    }
}

/// The pods; every tenth claim is bound to a volume, and three volumes need one secret. One of a pod's secrets is shared
/// by all pods.
fn cluster(nodes: usize) -> Vec<Rc<Object>> {
    let object = |value| Rc::new(Object::new(value, None));
    let mut objects = Vec::new();
    for at in 0..nodes * PODS {
        objects.push(object(
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": format!("pod-{at}"), "namespace": "default"},
            "spec": {"nodeName": format!("node-{}", at / PODS), "volumes": [
                {"secret": {"secretName": format!("secret-{at}")}},
                {"secret": {"secretName": "shared"}},
                {"configMap": {"name": format!("config-{at}")}},
                {"persistentVolumeClaim": {"claimName": format!("claim-{at}")}},
            ]}}),
        ));
        if at % 10 == 0 {
            objects.push(object(
                json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": format!("volume-{at}")},
                "spec": {"claimRef": {"namespace": "default", "name": format!("claim-{at}")},
                    "rbd": {"secretRef": {"name": format!("rbd-{}", at % 1_000)}}}}),
            ));
        }
    }
    objects
}

/// Secret and node; about half of them reach.
fn questions(nodes: usize) -> Vec<(String, String)> {
    let mut dice = Dice::new();
    (0..1_000)
        .map(|at| {
            let pod = dice.roll(nodes * PODS);
            let node = if at % 2 == 0 { pod / PODS } else { dice.roll(nodes) };
            let secret = match at % 10 {
                0 | 1 => format!("rbd-{}", pod / 30),
                2 | 3 => "shared".to_owned(),
                _ => format!("secret-{pod}"),
            };
            (secret, format!("node-{node}"))
        })
        .collect()
}

/// Builds all edges anew and walks them, following an edge to a pod only if the pod is on the node.
fn naive(objects: &[Rc<Object>], (secret, node): &(String, String)) -> bool {
    type Name = (&'static str, String);
    let mut edges: HashMap<Name, Vec<(Name, Option<String>)>> = HashMap::new();
    for object in objects {
        let me = if object.kind() == "Pod" {
            ("Pod", object.name().to_owned())
        } else {
            ("PersistentVolume", object.name().to_owned())
        };
        let tag = Some(object.text(&["spec", "nodeName"]).to_owned()).filter(|name| !name.is_empty());
        for reference in references(object) {
            let other = (reference.kind.name(), reference.name.to_owned());
            let onward =
                reference.kind == Kind::Node || (tag.is_none() && reference.kind == Kind::PersistentVolumeClaim);
            let (from, to) = if onward { (me.clone(), other) } else { (other, me.clone()) };
            edges.entry(from).or_default().push((to, tag.clone()));
        }
    }
    let mut seen = HashSet::new();
    let mut stack = vec![("Secret", secret.clone())];
    while let Some(at) = stack.pop() {
        for (to, tag) in edges.get(&at).into_iter().flatten() {
            match tag {
                Some(tag) if tag == node => return true,
                Some(_) => {}
                None if seen.insert(to.clone()) => stack.push(to.clone()),
                None => {}
            }
        }
    }
    false
}
