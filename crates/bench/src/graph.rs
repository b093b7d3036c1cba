//! The node graph: 30 pods a node, each with two secrets, a config map and a claim.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use portcullis_core::graph::{Graph, Kind, references};
use portcullis_core::manifest::Object;
use serde_json::json;

use crate::dice::Dice;
use crate::{Clock, Figure, REPETITIONS, best, figure, rate};

const SIZES: [usize; 2] = [500, 5_000];
const PODS: usize = 30;
const FEW: usize = 4;

/// What is measured of one size.
struct Case {
    nodes: usize,
    objects: Vec<Rc<Object>>,
    questions: Vec<Question>,
    graph: Graph,
    fast: f64,
    build: f64,
}

/// A secret and a node.
type Question = (String, String);

pub fn run(clock: Clock<'_>, report: &mut dyn FnMut(Figure)) {
    let mut cases = SIZES.map(|nodes| {
        let objects = cluster(nodes);
        let graph = build(&objects);
        Case { nodes, objects, questions: questions(nodes), graph, fast: 0.0, build: f64::INFINITY }
    });
    // The sizes by turns: what else the machine does meets all of them.
    for case in (0..REPETITIONS).flat_map(|_| 0..SIZES.len()) {
        let Some(case) = cases.get_mut(case) else { continue };
        case.fast = case.fast.max(rate(clock, &case.questions, |it| reaches(&case.graph, it)));
        case.build = case.build.min(best(clock, || build(&case.objects)).0);
    }
    for Case { nodes, objects, questions, graph, fast, build } in &cases {
        // A benchmark of wrong answers would be worth nothing. The naive one takes too long for more than a few.
        let few = questions.get(..FEW).unwrap_or(questions);
        let start = clock();
        let naive: Vec<bool> = few.iter().map(|it| naive(objects, it)).collect();
        let slow = few.len() as f64 * 1000.0 / (clock() - start);
        let agreed = few.iter().zip(&naive).filter(|(it, answer)| reaches(graph, it) == **answer).count();
        report(figure(format!("graph answers equal to the naive ones, {nodes} nodes, of {FEW}"), agreed as f64, ""));
        report(figure(format!("graph build, {nodes} nodes, {} pods", nodes * PODS), *build, "ms"));
        report(figure(format!("graph questions, {nodes} nodes"), *fast, "/s"));
        report(figure(format!("graph questions, naive, {nodes} nodes"), slow, "/s"));
        report(figure(format!("graph questions, ratio to naive, {nodes} nodes"), fast / slow, "x"));
    }
    let [small, large] = &cases;
    report(figure("graph build, growth from 500 to 5000 nodes", large.build / small.build, "x"));
    report(figure("graph cost of a question, 5000 nodes to 500", small.fast / large.fast, "x"));
}

fn build(objects: &[Rc<Object>]) -> Graph {
    let mut graph = Graph::default();
    objects.iter().for_each(|object| graph.upsert(object));
    graph
}

fn reaches(graph: &Graph, (secret, node): &Question) -> bool {
    graph.path(Kind::Secret, "default", secret, node).is_some()
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

/// About half of them reach.
fn questions(nodes: usize) -> Vec<Question> {
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
fn naive(objects: &[Rc<Object>], (secret, node): &Question) -> bool {
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
