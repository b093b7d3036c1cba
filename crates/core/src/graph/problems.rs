//! What a person can mend in the objects that the graph is made of.

use super::{Graph, Kind, Vertex, references};
use crate::manifest::{Diagnostic, Object, PathStep, Severity, Value};
use crate::sort::SortedMap;

/// How many problems of one sort are told: a dump without its secrets names thousands.
const TOLD: usize = 20;

impl Graph {
    /// What pods and volumes of the user's text need and nobody created, and claims that several volumes are bound to.
    pub fn problems(&self) -> Vec<Diagnostic> {
        let mut problems: Vec<Diagnostic> = self.missing().take(TOLD).collect();
        problems.extend(self.bound_twice().take(TOLD));
        problems
    }

    fn missing(&self) -> impl Iterator<Item = Diagnostic> + use<'_> {
        let kinds = [Kind::Secret, Kind::ConfigMap, Kind::PersistentVolumeClaim];
        let absent = kinds.into_iter().flat_map(|kind| self.sorted(kind)).filter(|it| self.object(*it).is_none());
        absent.flat_map(move |vertex| {
            self.neighbours(vertex).into_iter().filter_map(move |owner| self.need(vertex, owner))
        })
    }

    /// A warning where `owner` cannot do without `absent`. A volume may well outlive its claim.
    fn need(&self, absent: Vertex, owner: Vertex) -> Option<Diagnostic> {
        let (named, object) = (self.vertex(absent)?, self.object(owner)?);
        if (named.0, self.vertex(owner)?.0) == (Kind::PersistentVolumeClaim, Kind::PersistentVolume) {
            return None;
        }
        let all = references(object);
        let mut same = all.iter().filter(|it| (it.kind, it.namespace, it.name) == named);
        let needed = same.find(|it| !is_optional(object, &it.path))?;
        let (kind, namespace, name) = named;
        let kind = kind.name();
        let message = format!("{kind} {namespace}/{name} does not exist. Create it, or correct the name.");
        warning(object, &needed.path, message)
    }

    fn bound_twice(&self) -> impl Iterator<Item = Diagnostic> + use<'_> {
        self.sorted(Kind::PersistentVolumeClaim).filter_map(move |claim| {
            let volumes: Vec<Vertex> = self.ends(&self.backward, claim, None).take(2).collect();
            let [one, two] = volumes.as_slice() else { return None };
            let ((.., first), (_, namespace, name)) = (self.vertex(*one)?, self.vertex(claim)?);
            let message = format!(
                "PersistentVolume {first} is bound to {namespace}/{name} too. A claim has one volume: nodes that use the \
                 claim may read both, and the secrets of both."
            );
            warning(self.object(*two)?, &[PathStep::Key("spec"), PathStep::Key("claimRef")], message)
        })
    }

    /// By namespace and name.
    fn sorted(&self, kind: Kind) -> impl Iterator<Item = Vertex> {
        let names = self.index.get(kind as usize).into_iter().flat_map(SortedMap::values);
        names.flat_map(SortedMap::values).copied()
    }
}

/// Whether a pod starts without what it names at `path`: pull secrets, and what says so itself.
fn is_optional(object: &Object, path: &[PathStep<'_>]) -> bool {
    let around = path.split_last().map_or(path, |(_, around)| around);
    let holder = around.iter().try_fold(&object.value, |value, step| match step {
        PathStep::Key(key) => value.get(key),
        PathStep::Index(index) => value.get(index),
    });
    let says_so = holder.and_then(|holder| holder.get("optional")).and_then(Value::as_bool) == Some(true);
    says_so || path.contains(&PathStep::Key("imagePullSecrets"))
}

/// A warning about a line of the user's text; `None` for an object that no text holds.
fn warning(object: &Object, path: &[PathStep<'_>], message: String) -> Option<Diagnostic> {
    let place = object.origin.as_ref()?.place(path);
    Some(Diagnostic { severity: Severity::Warning, file: place.file, line: place.line, column: 0, message })
}
