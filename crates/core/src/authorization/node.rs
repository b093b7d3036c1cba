//! The Node authorizer: a kubelet reads what the pods of its node refer to, and nothing else of that kind.
//!
//! Behaviour: <https://kubernetes.io/docs/reference/access-authn-authz/node/>; in Kubernetes 1.7
//! `plugin/pkg/auth/authorizer/node/node_authorizer.go` and `pkg/auth/nodeidentifier/default.go`.

use super::rbac::{self, Rule};
use super::{Attributes, Because, Failed, NearMiss, Verdict};
use crate::authentication::User;
use crate::graph::{Graph, Kind, Vertex};
use crate::manifest::{Location, Value};
use crate::release::Release;
use crate::request::{RequestInfo, quote};

/// How many pods an explanation lists before it only counts.
const SHOWN: usize = 20;

/// The node that `user` is: `Some("")` for one without name, `None` for anybody else.
pub fn identity(user: &User) -> Option<&str> {
    let name = user.name.strip_prefix("system:node:")?;
    user.groups.iter().any(|group| group == "system:nodes").then_some(name)
}

/// What every node may do whatever runs on it: the rules of the release's ClusterRole `system:node`, compiled in.
#[derive(Clone, Debug)]
pub struct Rules(Vec<Rule>);

impl Rules {
    /// The rules of `release`.
    pub fn new(release: &Release) -> Self {
        let mut policy = release.bootstrap_policy(true);
        let is = |object: &Value, path: &str, text: &str| object.pointer(path).is_some_and(|value| value == text);
        let role = policy.find(|it| is(it, "/kind", "ClusterRole") && is(it, "/metadata/name", "system:node"));
        let rules = role.and_then(|role| role.get("rules")).and_then(Value::as_array);
        Self(rules.into_iter().flatten().map(Rule::new).collect())
    }

    /// The authorizer's verdict and reason.
    pub fn authorize(&self, graph: &Graph, attributes: &Attributes<'_>) -> (Verdict, String) {
        let (allowed, reason) = match Question::new(attributes) {
            Question::NotNode => (false, String::new()),
            Question::Unknown => (false, format!("unknown node for user {}", quote(&attributes.user.name))),
            Question::NotGet(_) => (false, "can only get individual resources of this type".to_owned()),
            Question::Subresource => (false, "cannot get subresource".to_owned()),
            Question::Path(kind, node) => {
                let RequestInfo { namespace, name, .. } = attributes.request;
                match graph.path(kind, namespace, name, node) {
                    Some(_) => (true, String::new()),
                    None => (false, "no path found to object".to_owned()),
                }
            }
            Question::Static => (self.0.iter().any(|rule| rule.allows(attributes.request)), String::new()),
        };
        (if allowed { Verdict::Allow } else { Verdict::NoOpinion }, reason)
    }

    /// Why: the path, vertex by vertex, or what came near.
    pub fn explain(&self, graph: &Graph, attributes: &Attributes<'_>) -> (Vec<Because>, Vec<NearMiss>) {
        let request = attributes.request;
        match Question::new(attributes) {
            Question::NotNode => (Vec::new(), almost(attributes.user).into_iter().collect()),
            Question::Unknown => {
                (Vec::new(), vec![miss("The name of the node is missing behind system:node:.".to_owned())])
            }
            Question::NotGet(failed) => {
                let message = format!("A node may get single {} by name, and nothing else of them.", request.resource);
                (Vec::new(), vec![static_miss(failed, message, None)])
            }
            Question::Subresource => {
                let message = format!("A node may get {}, but none of their subresources.", request.resource);
                (Vec::new(), vec![static_miss(Failed::Subresource, message, None)])
            }
            Question::Path(kind, node) => match graph.path(kind, &request.namespace, &request.name, node) {
                Some(path) => (explain_path(graph, &path), Vec::new()),
                None => (Vec::new(), explain_no_path(graph, kind, request, node)),
            },
            Question::Static => self.explain_static(request),
        }
    }

    fn explain_static(&self, request: &RequestInfo) -> (Vec<Because>, Vec<NearMiss>) {
        if let Some((at, rule)) = self.0.iter().enumerate().find(|(_, rule)| rule.allows(request)) {
            let message = format!("Every node may: {}.", rule.describe());
            return (vec![Because { message, location: rule_location(at), edge: None }], Vec::new());
        }
        let nearest = rbac::nearest(&self.0, request).map(|(at, rule, failed, _)| {
            let message = format!("Every node may: {}; {}.", rule.describe(), rule.lacks(failed, request));
            static_miss(failed, message, Some(rule_location(at)))
        });
        (Vec::new(), nearest.into_iter().collect())
    }
}

/// What a user lacks who has one half of a node's identity.
fn almost(user: &User) -> Option<NearMiss> {
    let member = user.groups.iter().any(|group| group == "system:nodes");
    match user.name.strip_prefix("system:node:") {
        Some(_) => Some(miss(format!("{} is no node without the group system:nodes.", user.name))),
        None if member => Some(miss(format!("{} is no node: a node's name begins with system:node:.", user.name))),
        None => None,
    }
}

fn miss(message: String) -> NearMiss {
    let location = Location { place: None, object: String::new(), path: String::new() };
    NearMiss { failed: Failed::Identity, message, location, rule: None }
}

/// What the authorizer has to find out, in the order in which it looks.
enum Question<'a> {
    NotNode,
    Unknown,
    NotGet(Failed),
    Subresource,
    Path(Kind, &'a str),
    Static,
}

impl<'a> Question<'a> {
    fn new(attributes: &Attributes<'a>) -> Self {
        let request = attributes.request;
        let Some(node) = identity(attributes.user) else { return Self::NotNode };
        if node.is_empty() {
            return Self::Unknown;
        }
        if !request.is_resource_request || !request.api_group.is_empty() {
            return Self::Static;
        }
        let kind = match request.resource.as_str() {
            "secrets" => Kind::Secret,
            "configmaps" => Kind::ConfigMap,
            "persistentvolumeclaims" => Kind::PersistentVolumeClaim,
            "persistentvolumes" => Kind::PersistentVolume,
            _ => return Self::Static,
        };
        if request.verb != "get" {
            return Self::NotGet(Failed::Verb);
        }
        if request.name.is_empty() {
            return Self::NotGet(Failed::ResourceName);
        }
        if request.subresource.is_empty() { Self::Path(kind, node) } else { Self::Subresource }
    }
}

fn explain_path(graph: &Graph, path: &[Vertex]) -> Vec<Because> {
    edges(path)
        .filter_map(|(from, to)| {
            let message = format!("{}.", describe_edge(graph, from, to)?);
            let edge = Some((describe(graph.vertex(from)?), describe(graph.vertex(to)?)));
            Some(Because { message, location: graph.edge(from, to)?, edge })
        })
        .collect()
}

/// Which nodes do reach the object and through which pods, what this node runs instead, and what it would take.
fn explain_no_path(graph: &Graph, kind: Kind, request: &RequestInfo, node: &str) -> Vec<NearMiss> {
    let RequestInfo { namespace, name, .. } = request;
    let object = describe((kind, namespace, name));
    let mut misses = Misses { node, found: Vec::new() };
    let mut readers = graph.readers(kind, namespace, name);
    for path in readers.by_ref().take(SHOWN) {
        let sentences: Vec<String> = edges(&path).filter_map(|(from, to)| describe_edge(graph, from, to)).collect();
        let location = edges(&path).next().and_then(|(from, to)| graph.edge(from, to));
        misses.add(format!("{}.", sentences.join("; ")), location);
    }
    match readers.count() {
        0 => {}
        more => misses.add(format!("{more} more pods refer to {object}."), None),
    }
    let mut pods = graph.pods(node).peekable();
    if pods.peek().is_none() {
        misses.add(format!("No pod runs on {node}."), None);
    }
    for (pod, vertex) in pods.by_ref().take(SHOWN) {
        if let Some(sentence) = describe_edge(graph, pod, vertex) {
            misses.add(format!("{sentence} and does not refer to {object}."), graph.edge(pod, vertex));
        }
    }
    match pods.count() {
        0 => {}
        more => misses.add(format!("{more} more pods run on {node}."), None),
    }
    let needed = match kind {
        Kind::PersistentVolume => {
            format!("{object} would have to be bound to a claim that a pod with spec.nodeName {node} uses.")
        }
        _ if namespace.is_empty() => {
            format!("{} are in namespaces, and the request names none.", request.resource)
        }
        _ => format!("A pod in namespace {namespace} with spec.nodeName {node} would have to refer to {object}."),
    };
    misses.add(needed, None);
    misses.found
}

struct Misses<'a> {
    node: &'a str,
    found: Vec<NearMiss>,
}

impl Misses<'_> {
    /// Adds a near miss; one without lines of its own is about the node.
    fn add(&mut self, message: String, location: Option<Location>) {
        let of_node = || Location { place: None, object: format!("Node/{}", self.node), path: String::new() };
        let location = location.unwrap_or_else(of_node);
        self.found.push(NearMiss { failed: Failed::Path, message, location, rule: None });
    }
}

fn edges(path: &[Vertex]) -> impl Iterator<Item = (Vertex, Vertex)> {
    path.iter().copied().zip(path.iter().copied().skip(1))
}

/// A sentence without its full stop.
fn describe_edge(graph: &Graph, from: Vertex, to: Vertex) -> Option<String> {
    let (one, two) = (graph.vertex(from)?, graph.vertex(to)?);
    Some(match (one.0, two.0) {
        (Kind::Pod, _) => format!("{} runs on {}", describe(one), two.2),
        (Kind::PersistentVolume, _) => format!("{} is bound to {}", describe(one), describe(two)),
        (_, Kind::PersistentVolume) => format!("{} is mounted with {}", describe(two), describe(one)),
        _ => format!("{} refers to {}", describe(two), describe(one)),
    })
}

/// `Secret default/mysecret`.
fn describe((kind, namespace, name): (Kind, &str, &str)) -> String {
    let slash = if namespace.is_empty() { "" } else { "/" };
    format!("{} {namespace}{slash}{name}", kind.name())
}

fn rule_location(at: usize) -> Location {
    Location { place: None, object: "ClusterRole/system:node".to_owned(), path: format!("rules[{at}]") }
}

fn static_miss(failed: Failed, message: String, rule: Option<Location>) -> NearMiss {
    let location = Location { place: None, object: "ClusterRole/system:node".to_owned(), path: String::new() };
    NearMiss { failed, message, location, rule }
}
