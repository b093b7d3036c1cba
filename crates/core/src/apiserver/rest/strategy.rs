//! What the server sets in an object before it stores it, kind by kind.
//!
//! Behaviour: `pkg/registry/*/*/strategy.go`. All here works on the storage version.

use super::{list, member, text};
use crate::authentication::User;
use crate::manifest::{Map, Value};

/// Whether PUT creates what is not there.
pub fn creates_on_update(kind: &str) -> bool {
    matches!(
        kind,
        "Role"
            | "ClusterRole"
            | "RoleBinding"
            | "ClusterRoleBinding"
            | "Endpoints"
            | "Event"
            | "LimitRange"
            | "Service"
    )
}

/// Whether PUT may leave out the resourceVersion.
pub fn updates_unconditionally(kind: &str) -> bool {
    !matches!(
        kind,
        "PodDisruptionBudget" | "InitializerConfiguration" | "ExternalAdmissionHookConfiguration" | "APIService"
    )
}

/// Whether DELETE answers the object instead of a Status.
pub fn returns_deleted(kind: &str) -> bool {
    matches!(
        kind,
        "Pod"
            | "ServiceAccount"
            | "Namespace"
            | "PersistentVolume"
            | "PersistentVolumeClaim"
            | "ResourceQuota"
            | "PodTemplate"
            | "StorageClass"
            | "PodSecurityPolicy"
    )
}

/// Whether DELETE leaves dependents alone unless told otherwise.
pub fn orphans_dependents(kind: &str) -> bool {
    matches!(
        kind,
        "ReplicationController" | "ReplicaSet" | "Deployment" | "DaemonSet" | "StatefulSet" | "Job" | "CronJob"
    )
}

fn has_generation(kind: &str) -> bool {
    matches!(
        kind,
        "ReplicationController"
            | "ReplicaSet"
            | "Deployment"
            | "DaemonSet"
            | "StatefulSet"
            | "Ingress"
            | "NetworkPolicy"
            | "PodDisruptionBudget"
            | "PodPreset"
    )
}

/// Kinds whose status only the status subresource writes.
fn has_status(kind: &str) -> bool {
    has_generation(kind) && !matches!(kind, "NetworkPolicy" | "PodPreset")
        || matches!(
            kind,
            "Pod"
                | "Namespace"
                | "Node"
                | "PersistentVolume"
                | "PersistentVolumeClaim"
                | "ResourceQuota"
                | "Service"
                | "HorizontalPodAutoscaler"
                | "Job"
                | "CronJob"
                | "CertificateSigningRequest"
                | "APIService"
        )
}

/// The one default of a status that the strategies clear: volumes and claims are stored without a phase, and read with
/// this one. An update stores what it read.
pub(super) fn fill_in_phase(kind: &str, object: &mut Value) {
    if matches!(kind, "PersistentVolume" | "PersistentVolumeClaim")
        && let Some(Value::Object(status)) = object.get_mut("status")
        && !status.contains_key("phase")
    {
        status.shift_insert(0, "phase".into(), "Pending".into());
    }
}

fn set(object: &mut Value, key: &str, value: Option<Value>) {
    if let Value::Object(object) = object {
        match value {
            Some(value) => drop(object.insert(key.into(), value)),
            None => drop(object.shift_remove(key)),
        }
    }
}

fn part<'a>(object: &'a mut Value, key: &str) -> &'a mut Value {
    if !object.is_object() {
        *object = Value::Object(Map::new());
    }
    // Just made an object: the index cannot fail.
    match object {
        Value::Object(map) => map.entry(key).or_insert_with(|| Value::Object(Map::new())),
        other => other,
    }
}

/// Sets what a client may not, in a new object.
pub fn prepare_for_create(kind: &str, object: &mut Value, user: &User) {
    if has_status(kind) && kind != "Node" {
        set(object, "status", Some(Value::Object(Map::new())));
    }
    if has_generation(kind) {
        set(part(object, "metadata"), "generation", Some(1.into()));
    }
    match kind {
        "Pod" => {
            let class = qos_class(object);
            let status = part(object, "status");
            set(status, "phase", Some("Pending".into()));
            set(status, "qosClass", Some(class.into()));
        }
        "Namespace" => {
            set(part(object, "status"), "phase", Some("Active".into()));
            let mut finalizers = list(object, "spec.finalizers").to_vec();
            if !finalizers.iter().any(|finalizer| finalizer == "kubernetes") {
                finalizers.push("kubernetes".into());
            }
            set(part(object, "spec"), "finalizers", Some(finalizers.into()));
        }
        "DaemonSet" => {
            let generation = member(object, "spec.templateGeneration").and_then(Value::as_i64).unwrap_or(0);
            set(part(object, "spec"), "templateGeneration", Some(generation.max(1).into()));
        }
        "ServiceAccount" => clean_secret_references(object),
        "CertificateSigningRequest" => {
            let spec = part(object, "spec");
            let text = |text: &str| (!text.is_empty()).then(|| Value::from(text));
            set(spec, "username", text(&user.name));
            set(spec, "uid", text(&user.uid));
            set(spec, "groups", (!user.groups.is_empty()).then(|| user.groups.clone().into()));
            let extra: Map<String, Value> =
                user.extra.iter().map(|(key, values)| (key.clone(), values.clone().into())).collect();
            set(spec, "extra", (!extra.is_empty()).then_some(Value::Object(extra)));
        }
        _ => {}
    }
}

/// Takes from an object that is exported what is this cluster's own.
pub fn export(kind: &str, exact: bool, object: &mut Value, user: &User) {
    let nothing = || Some(Value::Object(Map::new()));
    match kind {
        "LimitRange" | "PodTemplate" => {}
        "Node" if exact => {}
        "Node" => set(object, "status", nothing()),
        "Service" => {
            set(object, "status", nothing());
            if exact {
                return;
            }
            let is_node_port = text(object, "spec.type") == "NodePort";
            let spec = part(object, "spec");
            if text(spec, "clusterIP") != "None" {
                set(spec, "clusterIP", Some("<unknown>".into()));
            }
            if let Some(Value::Array(ports)) = spec.get_mut("ports").filter(|_| is_node_port) {
                ports.iter_mut().for_each(|port| set(port, "nodePort", None));
            }
        }
        _ => prepare_for_create(kind, object, user),
    }
}

/// Sets what follows from the name and UID of a new object: a job selects its own pods by them.
pub fn complete(kind: &str, object: &mut Value) {
    if kind != "Job" || member(object, "spec.manualSelector") == Some(&Value::Bool(true)) {
        return;
    }
    let (name, uid) = (text(object, "metadata.name").to_owned(), text(object, "metadata.uid").to_owned());
    let labels = part(part(part(part(object, "spec"), "template"), "metadata"), "labels");
    for (key, value) in [("job-name", &name), ("controller-uid", &uid)] {
        if labels.get(key).is_none() {
            set(labels, key, Some(value.as_str().into()));
        }
    }
    let selected = part(part(part(object, "spec"), "selector"), "matchLabels");
    if selected.get("controller-uid").is_none() {
        set(selected, "controller-uid", Some(uid.into()));
    }
}

/// Takes from `old` what an update of `subresource` (`""` for the object itself) may not change.
pub fn prepare_for_update(kind: &str, subresource: &str, new: &mut Value, old: &Value) {
    let keep = |new: &mut Value, key: &str| set(new, key, old.get(key).cloned());
    match subresource {
        "status" => {
            keep(new, "spec");
            match kind {
                "Pod" => {
                    let metadata = part(new, "metadata");
                    set(metadata, "deletionTimestamp", None);
                    set(metadata, "ownerReferences", member(old, "metadata.ownerReferences").cloned());
                }
                "Deployment" => set(part(new, "metadata"), "labels", member(old, "metadata.labels").cloned()),
                "CertificateSigningRequest" => {
                    set(part(new, "status"), "conditions", member(old, "status.conditions").cloned());
                }
                _ => {}
            }
            return;
        }
        "approval" => {
            let conditions = member(new, "status.conditions").cloned();
            keep(new, "spec");
            keep(new, "status");
            set(part(new, "status"), "conditions", conditions);
            return;
        }
        "finalize" => return keep(new, "status"),
        _ => {}
    }
    if has_status(kind) {
        keep(new, "status");
        fill_in_phase(kind, new);
    }
    match kind {
        "Namespace" => set(part(new, "spec"), "finalizers", member(old, "spec.finalizers").cloned()),
        "CertificateSigningRequest" | "PodPreset" => keep(new, "spec"),
        "ServiceAccount" => clean_secret_references(new),
        "Secret" if text(new, "type").is_empty() => keep(new, "type"),
        "DaemonSet" => {
            let generation = member(old, "spec.templateGeneration").and_then(Value::as_i64).unwrap_or(0);
            let changed = member(new, "spec.template") != member(old, "spec.template");
            let generation = generation + i64::from(changed);
            set(part(new, "spec"), "templateGeneration", Some(generation.into()));
        }
        _ => {}
    }
    let annotations = || member(new, "metadata.annotations") != member(old, "metadata.annotations");
    if has_generation(kind) && (new.get("spec") != old.get("spec") || kind == "Deployment" && annotations()) {
        let generation = member(old, "metadata.generation").and_then(Value::as_i64).unwrap_or(0);
        set(part(new, "metadata"), "generation", Some((generation + 1).into()));
    }
}

/// A service account's secrets are names and nothing else.
fn clean_secret_references(object: &mut Value) {
    if let Some(Value::Array(secrets)) = object.get_mut("secrets") {
        for secret in secrets {
            let name = secret.get("name").cloned();
            *secret = Value::Object(name.into_iter().map(|name| ("name".to_owned(), name)).collect());
        }
    }
}

/// `pkg/api/helper/qos`: the class of a pod's requests and limits.
fn qos_class(pod: &Value) -> &'static str {
    let containers = list(pod, "spec.containers");
    let amount = |container: &Value, path: &str| {
        let value = member(container, path).filter(|value| !value.is_null())?;
        let amount = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        (!amount.trim_start_matches(['+', '-']).starts_with('0') || amount.contains(|c| ('1'..='9').contains(&c)))
            .then_some(amount)
    };
    let mut any = false;
    let mut guaranteed = !containers.is_empty();
    for container in containers {
        for resource in ["cpu", "memory"] {
            let limit = amount(container, &format!("resources.limits.{resource}"));
            let request = amount(container, &format!("resources.requests.{resource}"));
            any |= limit.is_some() || request.is_some();
            guaranteed &= limit.is_some() && limit == request;
        }
    }
    match (any, guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_class_of_a_pod_follows_from_its_containers() {
        let table = [
            (json!([{}]), "BestEffort"),
            (json!([{"resources": {"requests": {"cpu": "1"}}}]), "Burstable"),
            (
                json!([{"resources": {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1", "memory": "1Gi"}}}]),
                "Guaranteed",
            ),
            (
                json!([{"resources": {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1", "memory": "1Gi"}}}, {}]),
                "Burstable",
            ),
            (json!([{"resources": {"requests": {"cpu": "0"}}}]), "BestEffort"),
        ];
        for (containers, class) in table {
            assert_eq!(qos_class(&json!({"spec": {"containers": containers}})), class);
        }
    }

    #[test]
    fn an_update_keeps_what_is_not_its_own() {
        let old = json!({"metadata": {"generation": 1, "labels": {"a": "1"}}, "spec": {"replicas": 1}, "status": {"replicas": 1}});
        let new = json!({"metadata": {"generation": 1}, "spec": {"replicas": 2}, "status": {"replicas": 2}});
        let table = [
            ("", json!({"metadata": {"generation": 2}, "spec": {"replicas": 2}, "status": {"replicas": 1}})),
            (
                "status",
                json!({"metadata": {"generation": 1, "labels": {"a": "1"}}, "spec": {"replicas": 1}, "status": {"replicas": 2}}),
            ),
        ];
        for (subresource, expected) in table {
            let mut updated = new.clone();
            prepare_for_update("Deployment", subresource, &mut updated, &old);
            assert_eq!(updated, expected, "{subresource}");
        }
    }
}
