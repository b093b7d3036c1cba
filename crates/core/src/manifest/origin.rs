//! Where each part of an object stands in the text that it came from.

use std::cell::Cell;
use std::rc::Rc;

use super::Place;

/// One step of a path into a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathStep<'a> {
    /// A member of a mapping.
    Key(&'a str),
    /// An element of a sequence, from 0.
    Index(usize),
}

/// The text of one object: which lines hold it and each of its parts.
///
/// Sixteen bytes a node, in document order, so that 50 MB of manifests keep their places.
#[derive(Debug)]
pub struct Origin {
    file: Rc<str>,
    /// How many lines further down the text stands than where it was read, wrapping. Shared by all that came from one text.
    moved: Rc<Cell<u32>>,
    nodes: Box<[Node]>,
    /// Booleans that the text spells in another way than `true` and `false`, by the index of their node.
    spelled: Box<[(u32, Box<str>)]>,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    /// Hash of the key in a mapping, or the index in a sequence.
    label: u32,
    line: u32,
    end_line: u32,
    /// Index behind the last node of this node's subtree.
    next: u32,
}

impl Origin {
    /// An origin of which only the lines are known: an object that a command made.
    pub fn lines(file: Rc<str>, line: u32, end_line: u32) -> Self {
        let nodes = Box::new([Node { label: 0, line, end_line, next: 1 }]);
        Self { file, moved: Rc::default(), nodes, spelled: Box::default() }
    }

    /// By how many lines its text moves: set it, and the origin and all that were taken from it move along.
    pub(super) fn moved(&self) -> &Rc<Cell<u32>> {
        &self.moved
    }

    /// The text's name, as in [`Place::file`].
    pub fn file(&self) -> &Rc<str> {
        &self.file
    }

    /// The place of the part at `path`; where the text has no such part (a default), the nearest part around it.
    pub fn place(&self, path: &[PathStep<'_>]) -> Place {
        let at = self.nearest(path);
        let moved = self.moved.get();
        let lines = |node: &Node| (node.line.wrapping_add(moved), node.end_line.wrapping_add(moved));
        let (line, end_line) = self.nodes.get(at).map_or((0, 0), lines);
        Place { file: self.file.clone(), line, end_line }
    }

    /// Whether [`Origin::spelling`] has something to say of any part.
    pub fn has_spellings(&self) -> bool {
        !self.spelled.is_empty()
    }

    /// How the text spells the boolean at `path`, where that is neither `true` nor `false`: `n`, `yes`, `Off`.
    pub fn spelling(&self, path: &[PathStep<'_>]) -> Option<&str> {
        let node = path.iter().try_fold(0, |at, step| self.child(at, *step))? as u32;
        let at = self.spelled.binary_search_by_key(&node, |(node, _)| *node).ok()?;
        self.spelled.get(at).map(|(_, text)| &**text)
    }

    /// The origin of the part at `path` as an object of its own; of the nearest part around it where the text has none.
    pub fn part(&self, path: &[PathStep<'_>]) -> Origin {
        self.from(self.nearest(path))
    }

    /// The node with this index and all below it.
    fn from(&self, from: usize) -> Origin {
        let to = self.nodes.get(from).map_or(from, |node| node.next as usize);
        let part = self.nodes.get(from..to).unwrap_or_default();
        let nodes = part.iter().map(|node| Node { next: node.next - from as u32, ..*node }).collect();
        let start = self.spelled.partition_point(|(node, _)| (*node as usize) < from);
        let spelled = self.spelled.iter().skip(start).take_while(|(node, _)| (*node as usize) < to);
        let spelled = spelled.map(|(node, text)| (node - from as u32, text.clone())).collect();
        Self { file: self.file.clone(), moved: self.moved.clone(), nodes, spelled }
    }

    /// The origins of the elements of the sequence at `path`, each with its index; in one pass, however many there are.
    pub fn elements(&self, path: &[PathStep<'_>]) -> impl Iterator<Item = (usize, Origin)> + use<'_> {
        let parent = self.nearest(path);
        let end = self.nodes.get(parent).map_or(0, |node| node.next as usize);
        let mut at = parent + 1;
        std::iter::from_fn(move || {
            let node = self.nodes.get(at).filter(|_| at < end)?;
            let element = (node.label as usize, self.from(at));
            at = node.next as usize;
            Some(element)
        })
    }

    /// The index of the part at `path`, or of the nearest one around it.
    fn nearest(&self, path: &[PathStep<'_>]) -> usize {
        let mut at = 0;
        for step in path {
            match self.child(at, *step) {
                Some(child) => at = child,
                None => break,
            }
        }
        at
    }

    /// Of two members of one name the last one counts, as in the value.
    fn child(&self, parent: usize, step: PathStep<'_>) -> Option<usize> {
        let wanted = label(step);
        let end = self.nodes.get(parent)?.next as usize;
        let (mut at, mut found) = (parent + 1, None);
        while at < end {
            let node = self.nodes.get(at)?;
            if node.label == wanted {
                found = Some(at);
            }
            at = node.next as usize;
        }
        found
    }
}

/// Collects an [`Origin`] while a text is read: `open` on each node in document order, `close` behind its last child.
#[derive(Debug, Default)]
pub struct OriginBuilder {
    nodes: Vec<Node>,
    open: Vec<usize>,
    spelled: Vec<(u32, Box<str>)>,
}

impl OriginBuilder {
    /// A node begins at `line`. The root's step does not matter.
    pub fn open(&mut self, step: PathStep<'_>, line: u32) {
        self.open.push(self.nodes.len());
        self.nodes.push(Node { label: label(step), line, end_line: line, next: 0 });
    }

    /// The node opened last is a boolean that the text spells `text`.
    pub fn spelled(&mut self, text: &str) {
        if let Some(node) = self.open.last() {
            self.spelled.push((*node as u32, text.into()));
        }
    }

    /// The node opened last and not yet closed ends at `end_line`.
    pub fn close(&mut self, end_line: u32) {
        let next = self.nodes.len() as u32;
        if let Some(node) = self.open.pop().and_then(|at| self.nodes.get_mut(at)) {
            node.end_line = end_line.max(node.line);
            node.next = next;
        }
    }

    /// The finished origin of a text named `file`.
    pub fn finish(self, file: Rc<str>) -> Origin {
        Origin { file, moved: Rc::default(), nodes: self.nodes.into(), spelled: self.spelled.into() }
    }
}

/// FNV-1a: two keys of one mapping that collide would only cost a wrong line.
fn label(step: PathStep<'_>) -> u32 {
    match step {
        PathStep::Index(index) => index as u32,
        PathStep::Key(key) => {
            key.bytes().fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_found_and_a_default_falls_back_to_what_is_around_it() {
        let mut builder = OriginBuilder::default();
        builder.open(PathStep::Index(0), 1);
        builder.open(PathStep::Key("rules"), 2);
        builder.open(PathStep::Index(0), 3);
        builder.close(4);
        builder.open(PathStep::Index(1), 5);
        builder.close(7);
        builder.close(7);
        builder.close(7);
        let origin = builder.finish("a.yaml".into());
        let lines = |path: &[PathStep<'_>]| {
            let place = origin.place(path);
            (place.line, place.end_line)
        };
        assert_eq!(lines(&[]), (1, 7));
        assert_eq!(lines(&[PathStep::Key("rules"), PathStep::Index(1)]), (5, 7));
        assert_eq!(lines(&[PathStep::Key("rules"), PathStep::Index(1), PathStep::Key("verbs")]), (5, 7));
        assert_eq!(lines(&[PathStep::Key("subjects")]), (1, 7));
    }
}
