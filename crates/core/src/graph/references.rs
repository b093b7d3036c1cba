//! What a pod or a volume refers to, and on which line: `pkg/api/pod/util.go` and `pkg/api/persistentvolume/util.go`.

use super::Kind;
use crate::manifest::{Object, PathStep, Value};

/// A reference of a pod or a volume to another object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference<'a> {
    /// What it names.
    pub kind: Kind,
    /// The named object's namespace; `""` for a node.
    pub namespace: &'a str,
    /// Its name; may be empty, as in `secretRef: {}`.
    pub name: &'a str,
    /// Where the object that refers says so.
    pub path: Vec<PathStep<'a>>,
}

/// The kinds of volume that may need a secret, and the member that names it. Of several in one volume the server looks
/// at the first of this list. A projected volume has a list of its own.
const SECRET_SOURCES: [(&str, &str); 9] = [
    ("azureFile", "secretName"),
    ("cephfs", "secretRef"),
    ("flexVolume", "secretRef"),
    ("projected", ""),
    ("rbd", "secretRef"),
    ("secret", "secretName"),
    ("scaleIO", "secretRef"),
    ("iscsi", "secretRef"),
    ("storageos", "secretRef"),
];

/// All references of a Pod (its node first) or a PersistentVolume (its claim first), in the order of the server; none for
/// another object.
pub fn references(object: &Object) -> Vec<Reference<'_>> {
    let mut collector = Collector { namespace: object.namespace(), found: Vec::new() };
    if let Some(spec) = object.value.get("spec") {
        match object.kind() {
            "Pod" => collector.pod(spec),
            "PersistentVolume" => collector.volume(spec),
            _ => {}
        }
    }
    collector.found
}

type Path<'a> = Vec<PathStep<'a>>;

struct Collector<'a> {
    /// Of what is named.
    namespace: &'a str,
    found: Vec<Reference<'a>>,
}

impl<'a> Collector<'a> {
    fn pod(&mut self, spec: &'a Value) {
        let path = vec![PathStep::Key("spec")];
        if let Some(name) = spec.get("nodeName").and_then(Value::as_str).filter(|name| !name.is_empty()) {
            self.found.push(Reference { kind: Kind::Node, namespace: "", name, path: join(&path, "nodeName") });
        }
        for (path, secret) in list(spec, &path, "imagePullSecrets") {
            self.add(Kind::Secret, secret, path, "name");
        }
        for containers in ["initContainers", "containers"] {
            for (path, container) in list(spec, &path, containers) {
                self.container(container, &path);
            }
        }
        for (path, volume) in list(spec, &path, "volumes") {
            self.pod_volume(volume, &path);
        }
    }

    fn container(&mut self, container: &'a Value, path: &Path<'a>) {
        for (path, source) in list(container, path, "envFrom") {
            self.named(Kind::Secret, source, &path, "secretRef");
            self.named(Kind::ConfigMap, source, &path, "configMapRef");
        }
        for (path, variable) in list(container, path, "env") {
            if let Some(source) = variable.get("valueFrom") {
                let path = join(&path, "valueFrom");
                self.named(Kind::Secret, source, &path, "secretKeyRef");
                self.named(Kind::ConfigMap, source, &path, "configMapKeyRef");
            }
        }
    }

    fn pod_volume(&mut self, volume: &'a Value, path: &Path<'a>) {
        self.secret_source(volume, path);
        if let Some(projected) = mapping(volume, "projected") {
            for (path, source) in list(projected, &join(path, "projected"), "sources") {
                self.named(Kind::Secret, source, &path, "secret");
                self.named(Kind::ConfigMap, source, &path, "configMap");
            }
        } else {
            self.named(Kind::ConfigMap, volume, path, "configMap");
        }
        if let Some(claim) = mapping(volume, "persistentVolumeClaim") {
            self.add(Kind::PersistentVolumeClaim, claim, join(path, "persistentVolumeClaim"), "claimName");
        }
    }

    /// A volume without claim refers to nothing. Its secret is in the claim's namespace, unless it names one (StorageOS).
    fn volume(&mut self, spec: &'a Value) {
        let path = vec![PathStep::Key("spec")];
        let Some(claim) = mapping(spec, "claimRef") else { return };
        self.namespace = text(claim, "namespace");
        self.add(Kind::PersistentVolumeClaim, claim, join(&path, "claimRef"), "name");
        if let Some(("storageos", volume)) = secret_source(spec).map(|(key, _, volume)| (key, volume)) {
            self.namespace = mapping(volume, "secretRef").map_or("", |secret| text(secret, "namespace"));
        }
        self.secret_source(spec, &path);
    }

    fn secret_source(&mut self, volume: &'a Value, path: &Path<'a>) {
        match secret_source(volume) {
            Some((key, "secretRef", source)) => self.named(Kind::Secret, source, &join(path, key), "secretRef"),
            Some(("azureFile", member, source)) if text(source, member).is_empty() => {}
            Some((key, member @ "secretName", source)) => self.add(Kind::Secret, source, join(path, key), member),
            _ => {}
        }
    }

    /// What the mapping under `key` names, if it is there.
    fn named(&mut self, kind: Kind, value: &'a Value, path: &Path<'a>, key: &'static str) {
        if let Some(reference) = mapping(value, key) {
            self.add(kind, reference, join(path, key), "name");
        }
    }

    fn add(&mut self, kind: Kind, reference: &'a Value, path: Path<'a>, member: &'static str) {
        let reference =
            Reference { kind, namespace: self.namespace, name: text(reference, member), path: join(&path, member) };
        self.found.push(reference);
    }
}

fn secret_source(volume: &Value) -> Option<(&'static str, &'static str, &Value)> {
    SECRET_SOURCES.iter().find_map(|(key, member)| Some((*key, *member, mapping(volume, key)?)))
}

fn join<'a>(path: &[PathStep<'a>], key: &'static str) -> Path<'a> {
    [path, &[PathStep::Key(key)]].concat()
}

fn mapping<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    value.get(key).filter(|value| value.is_object())
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or("")
}

/// The elements of the list under `key`, each with its path.
fn list<'a>(
    value: &'a Value,
    path: &[PathStep<'a>],
    key: &'static str,
) -> impl Iterator<Item = (Path<'a>, &'a Value)> + use<'a> {
    let path = join(path, key);
    let elements = value.get(key).and_then(Value::as_array).into_iter().flatten().enumerate();
    elements.map(move |(at, element)| ([&path, [PathStep::Index(at)].as_slice()].concat(), element))
}
