//! Which node reaches which object, and through what: the graph that the Node authorizer asks.
//!
//! Edges point from what is read to who reads it: secret, config map or claim to pod, pod to node; volume to the claim
//! that it is bound to; secret to the volume that mounts it. An edge to a pod, or from a pod, is tagged with the pod's
//! node, so that a question about one node never meets the pods of another.
//!
//! Behaviour: `plugin/pkg/auth/authorizer/node/graph.go` and `graph_populator.go` of Kubernetes 1.7.

use std::iter::once;
use std::num::NonZeroU32;
use std::rc::Rc;

use crate::manifest::{Location, Object};
use crate::sort::{self, SortedMap, SortedSet};

mod problems;
mod references;
#[cfg(test)]
mod tests;

pub use references::{Reference, references};

/// What a vertex stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A Secret.
    Secret,
    /// A ConfigMap.
    ConfigMap,
    /// A PersistentVolume; no namespace.
    PersistentVolume,
    /// A PersistentVolumeClaim.
    PersistentVolumeClaim,
    /// A Pod that has a node.
    Pod,
    /// A Node; no namespace.
    Node,
}

impl Kind {
    const ALL: [Self; 6] =
        [Self::Secret, Self::ConfigMap, Self::PersistentVolume, Self::PersistentVolumeClaim, Self::Pod, Self::Node];

    /// The API's `kind`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Secret => "Secret",
            Self::ConfigMap => "ConfigMap",
            Self::PersistentVolume => "PersistentVolume",
            Self::PersistentVolumeClaim => "PersistentVolumeClaim",
            Self::Pod => "Pod",
            Self::Node => "Node",
        }
    }

    fn of(object: &Object) -> Option<Self> {
        let kind = object.kind();
        Self::ALL.into_iter().find(|candidate| candidate.name() == kind && object.api_version() == "v1")
    }

    fn namespace(self, object: &Object) -> &str {
        if matches!(self, Self::Node | Self::PersistentVolume) { "" } else { object.namespace() }
    }
}

/// A vertex's handle: good until the vertex is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vertex(NonZeroU32);

/// One end, the node that the edge is tagged with, the other end. `None`, no tag, sorts first.
type Edge = (Vertex, Option<Vertex>, Vertex);

/// Up to a million, which a B-tree keeps side by side.
#[expect(clippy::disallowed_types, reason = "the one B-tree of all")]
type Edges = std::collections::BTreeSet<Edge>;

type Names = SortedMap<Rc<str>, Vertex>;

/// The graph. An added, changed or deleted object touches its own edges only.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// By kind, namespace and name.
    index: [SortedMap<Rc<str>, Names>; 6],
    /// By handle, from 1.
    entries: Vec<Entry>,
    free: Vec<Vertex>,
    /// `(from, tag, to)`.
    forward: Edges,
    /// `(to, tag, from)`.
    backward: Edges,
}

#[derive(Clone, Debug)]
struct Entry {
    kind: Kind,
    namespace: Rc<str>,
    name: Rc<str>,
    /// The object as it was when its edges were made; `None` for what is only referred to.
    object: Option<Rc<Object>>,
    degree: usize,
}

impl Graph {
    /// Whether `object` has a part in the graph.
    pub fn concerns(object: &Object) -> bool {
        Kind::of(object).is_some()
    }

    /// Adds or replaces `object`. What has no part in the graph is ignored.
    pub fn upsert(&mut self, object: &Rc<Object>) {
        let Some(kind) = Kind::of(object) else { return };
        match kind {
            Kind::Pod => self.upsert_pod(object),
            Kind::PersistentVolume => {
                let volume = self.ensure(kind, "", object.name());
                self.unlink(volume);
                self.set_object(volume, Some(object.clone()));
                self.link_references(kind, volume, None);
            }
            _ => {
                let vertex = self.ensure(kind, kind.namespace(object), object.name());
                self.set_object(vertex, Some(object.clone()));
            }
        }
    }

    /// Deletes `object`, its edges, and every vertex that nothing refers to any more.
    pub fn delete(&mut self, object: &Object) {
        let Some(kind) = Kind::of(object) else { return };
        let Some(vertex) = self.find(kind, kind.namespace(object), object.name()) else { return };
        if matches!(kind, Kind::Pod | Kind::PersistentVolume) {
            self.unlink(vertex);
        }
        self.set_object(vertex, None);
        self.release(vertex);
    }

    /// Puts `new` in the place of `old`, as if it had been added then; false where more than the object would be another: then
    /// nothing is done.
    pub fn exchange(&mut self, old: Option<&Rc<Object>>, new: Option<&Rc<Object>>) -> bool {
        let part = |object: &&Rc<Object>| {
            let kind = Kind::of(object)?;
            let has_part = kind != Kind::Pod || !object.text(&["spec", "nodeName"]).is_empty();
            has_part.then(|| (kind, kind.namespace(object).to_owned(), object.name().to_owned()))
        };
        let named = |object: &Rc<Object>| -> Vec<(Kind, String, String)> {
            let all = references(object).into_iter();
            all.map(|it| (it.kind, it.namespace.to_owned(), it.name.to_owned())).collect()
        };
        let parts = (old.as_ref().and_then(part), new.as_ref().and_then(part));
        if parts.0 != parts.1 || old.map(named) != new.map(named) {
            return parts == (None, None);
        }
        if let (Some((kind, namespace, name)), Some(new)) = (parts.1, new)
            && let Some(vertex) = self.find(kind, &namespace, &name)
        {
            self.set_object(vertex, Some(new.clone()));
        }
        true
    }

    /// A pod without node has no part in the graph. One that has is read again only when its node or UID changes: all
    /// that it refers to is immutable.
    fn upsert_pod(&mut self, pod: &Rc<Object>) {
        let node = pod.text(&["spec", "nodeName"]);
        if node.is_empty() {
            return;
        }
        let vertex = self.ensure(Kind::Pod, pod.namespace(), pod.name());
        if let Some(known) = self.object(vertex) {
            if known.text(&["spec", "nodeName"]) == node && known.uid() == pod.uid() {
                return;
            }
            self.unlink(vertex);
        }
        self.set_object(vertex, Some(pod.clone()));
        let node = self.ensure(Kind::Node, "", node);
        self.link_references(Kind::Pod, vertex, Some(node));
    }

    /// Links what the pod or volume `owner` refers to. Nobody can ask for an object without a name.
    fn link_references(&mut self, kind: Kind, owner: Vertex, tag: Option<Vertex>) {
        let Some(object) = self.object(owner).cloned() else { return };
        for reference in references(&object) {
            if reference.name.is_empty() {
                continue;
            }
            let other = self.ensure(reference.kind, reference.namespace, reference.name);
            let (from, to) = if leads_on(kind, reference.kind) { (owner, other) } else { (other, owner) };
            if self.forward.insert((from, tag, to)) {
                self.backward.insert((to, tag, from));
                self.add_degree(from, 1);
                self.add_degree(to, 1);
            }
        }
    }

    /// Whether `node` reaches the object: the vertices from the object to the node, both included.
    ///
    /// Costs no more than the smaller of what lies ahead of the object and what lies behind the node; pods of other nodes
    /// are not visited.
    pub fn path(&self, kind: Kind, namespace: &str, name: &str, node: &str) -> Option<Vec<Vertex>> {
        let node = self.find(Kind::Node, "", node)?;
        let object = self.find(kind, namespace, name)?;
        if let Some(pod) = self.reader(object, node) {
            return Some(vec![object, pod, node]);
        }
        match kind {
            Kind::PersistentVolume => self.volume_path(object, node),
            Kind::Secret => {
                let mut path = self.secret_path(object, node)?;
                path.insert(0, object);
                Some(path)
            }
            _ => None,
        }
    }

    /// A pod on `node` that reads `object`.
    fn reader(&self, object: Vertex, node: Vertex) -> Option<Vertex> {
        self.ends(&self.forward, object, Some(node)).next()
    }

    /// From a volume through its claim and a pod to `node`.
    fn volume_path(&self, volume: Vertex, node: Vertex) -> Option<Vec<Vertex>> {
        let claim = self.ends(&self.forward, volume, None).next()?;
        let pod = self.reader(claim, node)?;
        Some(vec![volume, claim, pod, node])
    }

    /// From a volume that mounts `secret` to `node`. Steps through the secret's volumes and through what the node's pods
    /// read by turns, and ends with the shorter of both.
    fn secret_path(&self, secret: Vertex, node: Vertex) -> Option<Vec<Vertex>> {
        let mut ahead = self.ends(&self.forward, secret, None);
        let mut behind = self
            .ends(&self.backward, node, Some(node))
            .flat_map(|pod| once(pod).chain(self.ends(&self.backward, pod, Some(node))))
            .flat_map(|read| once(read).chain(self.ends(&self.backward, read, None)));
        loop {
            if let Some(path) = self.volume_path(ahead.next()?, node) {
                return Some(path);
            }
            let volume = behind.next()?;
            if self.forward.contains(&(secret, None, volume)) {
                return self.volume_path(volume, node);
            }
        }
    }

    /// Every pod that reads the object, directly or through a volume: the vertices from the object to the pod's node.
    /// Lazy: who asks decides how many are enough.
    pub fn readers(&self, kind: Kind, namespace: &str, name: &str) -> impl Iterator<Item = Vec<Vertex>> + use<'_> {
        let object = self.find(kind, namespace, name);
        object.into_iter().flat_map(move |object| {
            let own = (kind == Kind::PersistentVolume).then_some(object);
            let mounting = (kind == Kind::Secret).then(|| self.ends(&self.forward, object, None));
            let through = own.into_iter().chain(mounting.into_iter().flatten()).flat_map(move |volume| {
                let claim = self.ends(&self.forward, volume, None).next();
                claim.map(|claim| {
                    (claim, if volume == object { vec![volume, claim] } else { vec![object, volume, claim] })
                })
            });
            once((object, vec![object])).chain(through).flat_map(move |(last, start)| {
                let pods = self
                    .forward
                    .range((last, Some(Vertex::FIRST), Vertex::FIRST)..=(last, Some(Vertex::LAST), Vertex::LAST));
                pods.map(move |(_, node, pod)| [&start, [*pod].as_slice(), node.as_slice()].concat())
            })
        })
    }

    /// The pods of `node`, each with the node's vertex.
    pub fn pods(&self, node: &str) -> impl Iterator<Item = (Vertex, Vertex)> + use<'_> {
        let node = self.find(Kind::Node, "", node);
        node.into_iter().flat_map(|node| self.ends(&self.backward, node, Some(node)).map(move |pod| (pod, node)))
    }

    /// Kind, namespace (`""` for none) and name of `vertex`.
    pub fn vertex(&self, vertex: Vertex) -> Option<(Kind, &str, &str)> {
        self.entry(vertex).map(|entry| (entry.kind, &*entry.namespace, &*entry.name))
    }

    /// The line that made the edge from `from` to `to`.
    pub fn edge(&self, from: Vertex, to: Vertex) -> Option<Location> {
        let (kind, ..) = self.vertex(from)?;
        let (owner, other) = if matches!(kind, Kind::Pod | Kind::PersistentVolume) { (from, to) } else { (to, from) };
        let (object, other) = (self.object(owner)?, self.vertex(other)?);
        let all = references(object);
        let found = all.iter().find(|it| (it.kind, it.namespace, it.name) == other)?;
        Some(object.location(&found.path))
    }

    /// Where the object of `vertex` stands; without a place where it is only referred to.
    pub fn location(&self, vertex: Vertex) -> Option<Location> {
        self.entry(vertex).map(Entry::location)
    }

    /// The graph for a view, at most `limit` vertices of it: whole pods and volumes with what they refer to, by namespace
    /// and name, then the rest. What no edge touches and no text of the user holds is left out.
    pub fn view(&self, limit: usize) -> View {
        let names = self.index.iter().flat_map(SortedMap::values).flat_map(SortedMap::values);
        let worth = |entry: &Entry| {
            let own = entry.object.as_ref().is_some_and(|object| object.origin.is_some());
            entry.degree > 0 || own || entry.kind == Kind::Node
        };
        let entries = names.filter_map(|vertex| Some((*vertex, self.entry(*vertex)?)));
        // In order, as the index is.
        let mut all: Vec<(Vertex, &Entry)> = entries.filter(|(_, entry)| worth(entry)).collect();
        let hidden = all.len().saturating_sub(limit);
        if hidden > 0 {
            let mut shown = SortedSet::new();
            for (vertex, _) in all.iter().filter(|(_, entry)| entry.refers()) {
                let mut group = self.neighbours(*vertex);
                group.push(*vertex);
                if shown.len() + group.iter().filter(|it| !shown.contains(*it)).count() > limit {
                    break;
                }
                shown.extend(group);
            }
            let mut room = limit - shown.len();
            all.retain(|(vertex, _)| {
                let fits = shown.contains(vertex) || room > 0;
                room -= usize::from(fits && !shown.contains(vertex));
                fits
            });
        }
        let position: SortedMap<Vertex, usize> =
            all.iter().enumerate().map(|(at, (vertex, _))| (*vertex, at)).collect();
        let mut edges = Vec::new();
        for (at, (_, entry)) in all.iter().enumerate() {
            let Some(object) = entry.object.as_ref().filter(|_| entry.refers()) else { continue };
            for reference in references(object) {
                let other = self.find(reference.kind, reference.namespace, reference.name);
                let Some(&other) = other.and_then(|other| position.get(&other)) else { continue };
                let (from, to) = if leads_on(entry.kind, reference.kind) { (at, other) } else { (other, at) };
                edges.push(ViewEdge { from, to, location: object.location(&reference.path) });
            }
        }
        sort::by(&mut edges, |one: &ViewEdge, other| (one.from, one.to).cmp(&(other.from, other.to)));
        edges.dedup_by_key(|edge| (edge.from, edge.to));
        let vertices = all.iter().map(|(_, entry)| ViewVertex {
            kind: entry.kind,
            namespace: entry.namespace.to_string(),
            name: entry.name.to_string(),
            exists: entry.object.is_some(),
            location: entry.location(),
        });
        View { vertices: vertices.collect(), edges, hidden }
    }

    /// What an edge joins with `vertex`, whatever its direction and tag.
    fn neighbours(&self, vertex: Vertex) -> Vec<Vertex> {
        let mut neighbours = Vec::new();
        for edges in [&self.forward, &self.backward] {
            let all = (vertex, None, Vertex::FIRST)..=(vertex, Some(Vertex::LAST), Vertex::LAST);
            neighbours.extend(edges.range(all).map(|(.., other)| *other));
        }
        neighbours
    }

    /// The far ends of the edges of `near` with this very tag.
    fn ends<'a>(
        &'a self,
        edges: &'a Edges,
        near: Vertex,
        tag: Option<Vertex>,
    ) -> impl Iterator<Item = Vertex> + use<'a> {
        edges.range((near, tag, Vertex::FIRST)..=(near, tag, Vertex::LAST)).map(|(.., far)| *far)
    }

    fn find(&self, kind: Kind, namespace: &str, name: &str) -> Option<Vertex> {
        self.index.get(kind as usize)?.get(namespace)?.get(name).copied()
    }

    fn entry(&self, vertex: Vertex) -> Option<&Entry> {
        self.entries.get(vertex.at())
    }

    fn object(&self, vertex: Vertex) -> Option<&Rc<Object>> {
        self.entry(vertex)?.object.as_ref()
    }

    fn set_object(&mut self, vertex: Vertex, object: Option<Rc<Object>>) {
        if let Some(entry) = self.entries.get_mut(vertex.at()) {
            entry.object = object;
        }
    }

    fn add_degree(&mut self, vertex: Vertex, change: isize) {
        if let Some(entry) = self.entries.get_mut(vertex.at()) {
            entry.degree = entry.degree.saturating_add_signed(change);
        }
    }

    /// The vertex, made where there is none.
    fn ensure(&mut self, kind: Kind, namespace: &str, name: &str) -> Vertex {
        if let Some(vertex) = self.find(kind, namespace, name) {
            return vertex;
        }
        let (namespace, name): (Rc<str>, Rc<str>) = (namespace.into(), name.into());
        let entry = Entry { kind, namespace: namespace.clone(), name: name.clone(), object: None, degree: 0 };
        let vertex = match self.free.pop() {
            Some(vertex) => {
                if let Some(slot) = self.entries.get_mut(vertex.at()) {
                    *slot = entry;
                }
                vertex
            }
            None => {
                self.entries.push(entry);
                Vertex::new(self.entries.len())
            }
        };
        if let Some(names) = self.index.get_mut(kind as usize) {
            names.get_or_default(namespace).insert(name, vertex);
        }
        vertex
    }

    /// Removes every edge of `vertex`, and the neighbours that only it held.
    fn unlink(&mut self, vertex: Vertex) {
        let range = (vertex, None, Vertex::FIRST)..=(vertex, Some(Vertex::LAST), Vertex::LAST);
        for (_, tag, to) in self.forward.range(range.clone()).copied().collect::<Vec<_>>() {
            self.cut((vertex, tag, to), to);
        }
        for (_, tag, from) in self.backward.range(range).copied().collect::<Vec<_>>() {
            self.cut((from, tag, vertex), from);
        }
        if let Some(entry) = self.entries.get_mut(vertex.at()) {
            entry.degree = 0;
        }
    }

    fn cut(&mut self, (from, tag, to): Edge, neighbour: Vertex) {
        self.forward.remove(&(from, tag, to));
        self.backward.remove(&(to, tag, from));
        self.add_degree(neighbour, -1);
        self.release(neighbour);
    }

    /// Forgets `vertex` if nothing holds it: no edge and no object.
    fn release(&mut self, vertex: Vertex) {
        let Some(entry) = self.entries.get(vertex.at()).filter(|entry| entry.degree == 0 && entry.object.is_none())
        else {
            return;
        };
        if let Some(namespaces) = self.index.get_mut(entry.kind as usize)
            && let Some(names) = namespaces.get_mut(&entry.namespace)
        {
            names.remove(&entry.name);
            if names.is_empty() {
                namespaces.remove(&entry.namespace);
            }
        }
        self.free.push(vertex);
    }
}

impl Vertex {
    const FIRST: Self = Self(NonZeroU32::MIN);
    const LAST: Self = Self(NonZeroU32::MAX);

    /// The handle of the entry that is the `count`th.
    fn new(count: usize) -> Self {
        Self(u32::try_from(count).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MAX))
    }

    fn at(self) -> usize {
        self.0.get() as usize - 1
    }
}

impl Entry {
    fn key(&self) -> (Kind, &str, &str) {
        (self.kind, &self.namespace, &self.name)
    }

    fn refers(&self) -> bool {
        matches!(self.kind, Kind::Pod | Kind::PersistentVolume)
    }

    fn location(&self) -> Location {
        match &self.object {
            Some(object) => object.location(&[]),
            None => Location { place: None, object: title(self.key()), path: String::new() },
        }
    }
}

/// Whether an edge leads from the owner of a reference to what it names (pod to node, volume to claim), and not back.
fn leads_on(owner: Kind, named: Kind) -> bool {
    named == Kind::Node || (owner == Kind::PersistentVolume && named == Kind::PersistentVolumeClaim)
}

/// `Kind/name` or `Kind/namespace/name`, as in [`Location::object`].
fn title((kind, namespace, name): (Kind, &str, &str)) -> String {
    let kind = kind.name();
    if namespace.is_empty() { format!("{kind}/{name}") } else { format!("{kind}/{namespace}/{name}") }
}

/// The graph as plain data.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// By kind, namespace and name.
    pub vertices: Vec<ViewVertex>,
    /// By the vertices that they join.
    pub edges: Vec<ViewEdge>,
    /// How many vertices the limit left out.
    pub hidden: usize,
}

/// A vertex of a [`View`].
#[derive(Clone, Debug)]
pub struct ViewVertex {
    /// What it stands for.
    pub kind: Kind,
    /// `""` for none.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// False for what is only referred to: a secret that a pod names and nobody created.
    pub exists: bool,
    /// The object's lines, where it exists.
    pub location: Location,
}

/// An edge of a [`View`]: from what is read to who reads it.
#[derive(Clone, Debug)]
pub struct ViewEdge {
    /// Index in [`View::vertices`].
    pub from: usize,
    /// Index in [`View::vertices`].
    pub to: usize,
    /// The line that made it.
    pub location: Location,
}
