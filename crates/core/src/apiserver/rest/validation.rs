//! What the server refuses in an object. The 422 collects all of it.
//!
//! Behaviour: `apimachinery/pkg/api/validation/objectmeta.go`, `pkg/api/validation/validation.go`, `pkg/apis/rbac/validation/validation.go`.
//! Metadata, RBAC and what tells users apart from nodes are complete. Of pods, services and volumes the shape is checked
//! (names, images, ports, variables, mounts) and not each source of a volume; of workloads the selector and the template; of
//! certificate requests what they are, and not what they say.

use super::Settings;
use super::names::{self, Rule};
use super::selector::label_selector_matches;
use super::{list, member, text};
use crate::manifest::{Value, base64};
use crate::request::quote;
use crate::sort::SortedSet;
use crate::status::FieldError;

const RBAC: &str = "rbac.authorization.k8s.io";

/// How names of a kind are validated.
pub fn name_rule(kind: &str) -> Rule {
    match kind {
        "Namespace" => Rule::Label,
        "Service" => Rule::Label1035,
        "Role"
        | "ClusterRole"
        | "RoleBinding"
        | "ClusterRoleBinding"
        | "Event"
        | "APIService"
        | "CertificateSigningRequest" => Rule::Path,
        _ => Rule::Subdomain,
    }
}

/// All that is wrong with a new object.
pub fn create(settings: &Settings, kind: &str, namespaced: bool, object: &Value) -> Vec<FieldError> {
    let mut errors = metadata(object, namespaced, name_rule(kind));
    body(settings, kind, object, &mut errors);
    errors
}

/// All that is wrong with `new` in place of `old`; `repair` has run.
pub fn update(
    settings: &Settings,
    kind: &str,
    subresource: &str,
    namespaced: bool,
    new: &Value,
    old: &Value,
) -> Vec<FieldError> {
    let mut errors = metadata(new, namespaced, Rule::Path);
    errors.extend(metadata_update(new, old));
    match (kind, subresource) {
        ("Pod", "status") => errors.extend(metadata_update(new, old)),
        ("Namespace", "status") => {
            errors.extend(metadata_update(new, old));
            let (phase, wanted, condition) = match member(new, "metadata.deletionTimestamp") {
                None => (text(new, "status.phase"), "Active", "is empty"),
                Some(_) => (text(new, "status.phase"), "Terminating", "is not empty"),
            };
            if phase != wanted {
                let detail = format!("may only be '{wanted}' if `deletionTimestamp` {condition}");
                errors.push(FieldError::invalid("status.Phase", phase, &detail));
            }
        }
        ("Secret", _) => {
            errors.extend(metadata_update(new, old));
            immutable(text(new, "type"), text(old, "type"), "type", &mut errors);
            errors.extend(create(settings, kind, namespaced, new));
        }
        ("ConfigMap" | "ServiceAccount", _) => {
            errors.extend(metadata_update(new, old));
            errors.extend(create(settings, kind, namespaced, new));
        }
        _ => {
            errors.extend(create(settings, kind, namespaced, new));
            errors.extend(metadata_update(new, old));
            match kind {
                "Pod" => pod_update(new, old, &mut errors),
                "Service" if !text(old, "spec.clusterIP").is_empty() && text(old, "spec.type") != "ExternalName" => {
                    immutable(text(new, "spec.clusterIP"), text(old, "spec.clusterIP"), "spec.clusterIP", &mut errors);
                }
                "RoleBinding" | "ClusterRoleBinding" if member(new, "roleRef") != member(old, "roleRef") => {
                    let part = |key: &str| quote(text(new, key));
                    let value = format!(
                        "rbac.RoleRef{{APIGroup:{}, Kind:{}, Name:{}}}",
                        part("roleRef.apiGroup"),
                        part("roleRef.kind"),
                        part("roleRef.name")
                    );
                    errors.push(FieldError::invalid_value("roleRef", &value, "cannot change roleRef"));
                }
                _ => {}
            }
        }
    }
    errors
}

fn reasons(field: &str, value: &str, reasons: Vec<String>, errors: &mut Vec<FieldError>) {
    errors.extend(reasons.iter().map(|reason| FieldError::invalid(field, value, reason)));
}

fn immutable(new: &str, old: &str, field: &str, errors: &mut Vec<FieldError>) {
    if new != old {
        errors.push(FieldError::invalid(field, new, "field is immutable"));
    }
}

fn metadata(object: &Value, namespaced: bool, rule: Rule) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let (name, generate_name, namespace) =
        (text(object, "metadata.name"), text(object, "metadata.generateName"), text(object, "metadata.namespace"));
    if !generate_name.is_empty() {
        reasons("metadata.generateName", generate_name, names::check(rule, generate_name, true), &mut errors);
    }
    if name.is_empty() {
        errors.push(FieldError::required("metadata.name", "name or generateName is required"));
    } else {
        reasons("metadata.name", name, names::check(rule, name, false), &mut errors);
    }
    if !namespaced {
        if !namespace.is_empty() {
            errors.push(FieldError::forbidden("metadata.namespace", "not allowed on this type"));
        }
    } else if namespace.is_empty() {
        errors.push(FieldError::required("metadata.namespace", ""));
    } else {
        reasons("metadata.namespace", namespace, names::label(namespace), &mut errors);
    }
    labels_and_annotations(object, &mut errors);
    owner_references(object, &mut errors);
    let finalizers = list(object, "metadata.finalizers");
    for finalizer in finalizers.iter().filter_map(Value::as_str) {
        reasons("metadata.finalizers", finalizer, names::qualified(finalizer), &mut errors);
    }
    let has = |name: &str| finalizers.iter().any(|finalizer| finalizer == name);
    if has("orphan") && has("foregroundDeletion") {
        let detail = "finalizer orphan and foregroundDeletion cannot be both set";
        errors.push(FieldError::invalid_value("metadata.finalizers", &go_strings(finalizers), detail));
    }
    errors
}

fn labels_and_annotations(object: &Value, errors: &mut Vec<FieldError>) {
    for (key, value) in entries(object, "metadata.labels") {
        reasons("metadata.labels", key, names::qualified(key), errors);
        reasons("metadata.labels", value, names::label_value(value), errors);
    }
    let mut size = 0;
    for (key, value) in entries(object, "metadata.annotations") {
        reasons("metadata.annotations", key, names::qualified(&key.to_ascii_lowercase()), errors);
        size += key.len() + value.len();
    }
    if size > 256 << 10 {
        errors.push(FieldError::too_long("metadata.annotations", 256 << 10));
    }
}

fn owner_references(object: &Value, errors: &mut Vec<FieldError>) {
    for reference in list(object, "metadata.ownerReferences") {
        let mut check = |key: &str, bad: bool, what: &str| {
            if bad {
                let field = format!("metadata.ownerReferences.{key}");
                errors.push(FieldError::invalid(field, text(reference, key), &format!("{what} must not be empty")));
            }
        };
        let version = text(reference, "apiVersion");
        check("apiVersion", version.rsplit('/').next().unwrap_or("").is_empty(), "version");
        for key in ["kind", "name", "uid"] {
            check(key, text(reference, key).is_empty(), key);
        }
    }
}

fn metadata_update(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if member(new, "metadata.deletionTimestamp") != member(old, "metadata.deletionTimestamp") {
        let detail = "field is immutable; may only be changed via deletion";
        errors.push(FieldError::invalid_value(
            "metadata.deletionTimestamp",
            text(new, "metadata.deletionTimestamp"),
            detail,
        ));
    }
    if member(old, "metadata.deletionTimestamp").is_some() {
        let before: SortedSet<&str> = list(old, "metadata.finalizers").iter().filter_map(Value::as_str).collect();
        let after: SortedSet<&str> = list(new, "metadata.finalizers").iter().filter_map(Value::as_str).collect();
        let added: Vec<String> =
            after.iter().filter(|it| !before.contains(*it)).map(|finalizer| quote(finalizer)).collect();
        if !added.is_empty() {
            let detail = format!(
                "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
                added.join(", ")
            );
            errors.push(FieldError::forbidden("metadata.finalizers", &detail));
        }
    }
    for key in ["name", "namespace", "uid"] {
        let field = format!("metadata.{key}");
        immutable(text(new, &field), text(old, &field), &field, &mut errors);
    }
    labels_and_annotations(new, &mut errors);
    owner_references(new, &mut errors);
    errors
}

fn entries<'a>(object: &'a Value, path: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let map = member(object, path).and_then(Value::as_object);
    map.into_iter().flatten().map(|(key, value)| (key.as_str(), value.as_str().unwrap_or("")))
}

/// `[]string{"/a", "/b"}`
fn go_strings(values: &[Value]) -> String {
    let quoted: Vec<String> = values.iter().filter_map(Value::as_str).map(quote).collect();
    format!("[]string{{{}}}", quoted.join(", "))
}

fn body(settings: &Settings, kind: &str, object: &Value, errors: &mut Vec<FieldError>) {
    match kind {
        "Role" | "ClusterRole" => {
            for (index, rule) in list(object, "rules").iter().enumerate() {
                policy_rule(rule, kind == "Role", &format!("rules[{index}]"), errors);
            }
        }
        "RoleBinding" | "ClusterRoleBinding" => binding(object, kind == "RoleBinding", errors),
        "ConfigMap" => {
            for (key, _) in entries(object, "data") {
                reasons(&format!("data[{key}]"), key, names::config_key(key), errors);
            }
            let size: usize = entries(object, "data").map(|(_, value)| value.len()).sum();
            if size > 1 << 20 {
                errors.push(FieldError::too_long("data", 1 << 20));
            }
        }
        "Secret" => secret(object, errors),
        "Namespace" => {
            for finalizer in list(object, "spec.finalizers").iter().filter_map(Value::as_str) {
                reasons("spec.finalizers", finalizer, names::qualified(finalizer), errors);
                if !finalizer.contains('/') && !matches!(finalizer, "kubernetes" | "orphan" | "foregroundDeletion") {
                    let detail = "name is neither a standard finalizer name nor is it fully qualified";
                    errors.push(FieldError::invalid("spec.finalizers", finalizer, detail));
                }
            }
        }
        "Node" if text(object, "spec.externalID").is_empty() => {
            errors.push(FieldError::required("spec.externalID", ""))
        }
        "Pod" => {
            if let Some(spec) = member(object, "spec") {
                pod_spec(settings, spec, "spec", errors);
                for field in ["containers", "initContainers"] {
                    for (index, container) in list(spec, field).iter().enumerate() {
                        let image = text(container, "image");
                        if image.trim() != image {
                            let detail = "must not have leading or trailing whitespace";
                            errors.push(FieldError::invalid(format!("spec.{field}[{index}].image"), image, detail));
                        }
                    }
                }
            }
        }
        "PodTemplate" => template(settings, object, "template", errors),
        "ReplicationController" | "ReplicaSet" | "Deployment" | "DaemonSet" | "StatefulSet" | "Job" => {
            workload(settings, kind, object, errors);
        }
        "CertificateSigningRequest" => {
            let bytes = base64::decode(text(object, "spec.request").as_bytes()).unwrap_or_default();
            if !is_certificate_request(&String::from_utf8_lossy(&bytes)) {
                let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:#x}")).collect();
                let value =
                    if bytes.is_empty() { "[]byte(nil)".to_owned() } else { format!("[]byte{{{}}}", hex.join(", ")) };
                let detail = "PEM block type must be CERTIFICATE REQUEST";
                errors.push(FieldError::invalid_value("spec.request", &value, detail));
            }
            if list(object, "spec.usages").is_empty() {
                errors.push(FieldError::required("spec.usages", "usages must be provided"));
            }
        }
        "Service" => service(object, errors),
        "Event" => {
            let (namespace, involved) = (text(object, "metadata.namespace"), text(object, "involvedObject.namespace"));
            let wrong = if involved.is_empty() { namespace != "default" } else { namespace != involved };
            if wrong {
                errors.push(FieldError::invalid(
                    "involvedObject.namespace",
                    involved,
                    "does not match event.namespace",
                ));
            }
            reasons("namespace", namespace, names::subdomain(namespace), errors);
        }
        _ => {}
    }
}

fn policy_rule(rule: &Value, namespaced: bool, path: &str, errors: &mut Vec<FieldError>) {
    let empty = |key: &str| list(rule, key).is_empty();
    let required = |key: &str, detail: &str| FieldError::required(format!("{path}.{key}"), detail);
    if empty("verbs") {
        errors.push(required("verbs", "verbs must contain at least one value"));
    }
    if !empty("nonResourceURLs") {
        let value = go_strings(list(rule, "nonResourceURLs"));
        let mut refuse =
            |detail: &str| errors.push(FieldError::invalid_value(format!("{path}.nonResourceURLs"), &value, detail));
        if namespaced {
            refuse("namespaced rules cannot apply to non-resource URLs");
        }
        if !empty("apiGroups") || !empty("resources") || !empty("resourceNames") {
            refuse("rules cannot apply to both regular resources and non-resource URLs");
        }
        return;
    }
    if empty("apiGroups") {
        errors.push(required("apiGroups", "resource rules must supply at least one api group"));
    }
    if empty("resources") {
        errors.push(required("resources", "resource rules must supply at least one resource"));
    }
}

fn binding(object: &Value, namespaced: bool, errors: &mut Vec<FieldError>) {
    let (group, kind, name) =
        (text(object, "roleRef.apiGroup"), text(object, "roleRef.kind"), text(object, "roleRef.name"));
    if group != RBAC {
        errors.push(FieldError::not_supported("roleRef.apiGroup", group, &[RBAC]));
    }
    let kinds: &[&str] = if namespaced { &["Role", "ClusterRole"] } else { &["ClusterRole"] };
    if !kinds.contains(&kind) {
        errors.push(FieldError::not_supported("roleRef.kind", kind, kinds));
    }
    if name.is_empty() {
        errors.push(FieldError::required("roleRef.name", ""));
    } else {
        reasons("roleRef.name", name, names::path_segment(name, false), errors);
    }
    for (index, subject) in list(object, "subjects").iter().enumerate() {
        let field = |key: &str| format!("subjects[{index}].{key}");
        let (kind, group, name) = (text(subject, "kind"), text(subject, "apiGroup"), text(subject, "name"));
        if name.is_empty() {
            errors.push(FieldError::required(field("name"), ""));
        }
        match kind {
            "ServiceAccount" => {
                if !name.is_empty() {
                    reasons(&field("name"), name, names::subdomain(name), errors);
                }
                if !group.is_empty() {
                    errors.push(FieldError::not_supported(field("apiGroup"), group, &[""]));
                }
                if !namespaced && text(subject, "namespace").is_empty() {
                    errors.push(FieldError::required(field("namespace"), ""));
                }
            }
            "User" | "Group" => {
                if name.is_empty() {
                    let detail = format!("{} name cannot be empty", kind.to_ascii_lowercase());
                    errors.push(FieldError::invalid(field("name"), name, &detail));
                }
                if group != RBAC {
                    errors.push(FieldError::not_supported(field("apiGroup"), group, &[RBAC]));
                }
            }
            _ => errors.push(FieldError::not_supported(field("kind"), kind, &["ServiceAccount", "User", "Group"])),
        }
    }
}

fn secret(object: &Value, errors: &mut Vec<FieldError>) {
    let data = || entries(object, "data");
    for (key, _) in data() {
        reasons(&format!("data[{key}]"), key, names::config_key(key), errors);
    }
    let size: usize = data().map(|(_, value)| value.trim_end_matches('=').len() * 3 / 4).sum();
    if size > 1 << 20 {
        errors.push(FieldError::too_long("data", 1 << 20));
    }
    let has = |wanted: &str| data().any(|(key, _)| key == wanted);
    let mut require = |key: &str| errors.push(FieldError::required(format!("data[{key}]"), ""));
    match text(object, "type") {
        "kubernetes.io/service-account-token" => {
            let annotation = "kubernetes.io/service-account.name";
            if !entries(object, "metadata.annotations").any(|(key, value)| key == annotation && !value.is_empty()) {
                errors.push(FieldError::required(format!("metadata.annotations[{annotation}]"), ""));
            }
        }
        "kubernetes.io/dockercfg" => docker_config(object, ".dockercfg", errors),
        "kubernetes.io/dockerconfigjson" => docker_config(object, ".dockerconfigjson", errors),
        "kubernetes.io/basic-auth" if !has("username") && !has("password") => {
            // The doubled brackets are the original's.
            errors.push(FieldError::required("data[%s][username]", ""));
            errors.push(FieldError::required("data[%s][password]", ""));
        }
        "kubernetes.io/ssh-auth" if !data().any(|(key, value)| key == "ssh-privatekey" && !value.is_empty()) => {
            errors.push(FieldError::required("data[%s][ssh-privatekey]", ""));
        }
        "kubernetes.io/tls" => {
            for key in ["tls.crt", "tls.key"] {
                if !has(key) {
                    require(key);
                }
            }
        }
        _ => {}
    }
}

/// Whether the first PEM block of `text` is of the right type. What is in it, and its signature, nobody looks at.
fn is_certificate_request(text: &str) -> bool {
    let mut rest = text;
    while let Some((_, begun)) = rest.split_once("-----BEGIN ") {
        rest = begun;
        let Some((kind, body)) = begun.split_once("-----") else { continue };
        let Some((body, _)) = body.split_once(&format!("-----END {kind}-----")) else { continue };
        let body: Vec<u8> = body.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        if base64::decode(&body).is_ok() {
            return kind == "CERTIFICATE REQUEST";
        }
    }
    false
}

fn docker_config(object: &Value, key: &str, errors: &mut Vec<FieldError>) {
    let field = format!("data[{key}]");
    let Some((_, value)) = entries(object, "data").find(|(candidate, _)| *candidate == key) else {
        errors.push(FieldError::required(field, ""));
        return;
    };
    let bytes = base64::decode(value.as_bytes()).unwrap_or_default();
    let parsed = crate::manifest::json::parse(&String::from_utf8_lossy(&bytes));
    let error = match parsed {
        Ok(Value::Object(_) | Value::Null) => return,
        Ok(_) => "json: cannot unmarshal into Go value of type map[string]interface {}".to_owned(),
        Err(error) => error.message,
    };
    errors.push(FieldError::invalid_value(field, "\"<secret contents redacted>\"", &error));
}

fn service(object: &Value, errors: &mut Vec<FieldError>) {
    let kind = text(object, "spec.type");
    let ports = list(object, "spec.ports");
    let cluster_ip = text(object, "spec.clusterIP");
    if ports.is_empty() && cluster_ip != "None" && kind != "ExternalName" {
        errors.push(FieldError::required("spec.ports", ""));
    }
    let mut seen = SortedSet::new();
    for (index, port) in ports.iter().enumerate() {
        let field = |key: &str| format!("spec.ports[{index}].{key}");
        let name = text(port, "name");
        if name.is_empty() {
            if ports.len() > 1 {
                errors.push(FieldError::required(field("name"), ""));
            }
        } else {
            reasons(&field("name"), name, names::label(name), errors);
            if !seen.insert(name) {
                errors.push(FieldError::duplicate(field("name"), name));
            }
        }
        port_number(port, "port", &field("port"), errors);
        let protocol = text(port, "protocol");
        if !matches!(protocol, "TCP" | "UDP") {
            errors.push(FieldError::not_supported(field("protocol"), protocol, &["TCP", "UDP"]));
        }
    }
    if !matches!(kind, "ClusterIP" | "NodePort" | "LoadBalancer" | "ExternalName") {
        let kinds = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
        errors.push(FieldError::not_supported("spec.type", kind, &kinds));
    }
    for (index, port) in ports.iter().enumerate() {
        let node_port = member(port, "nodePort").and_then(Value::as_i64).unwrap_or(0);
        if kind == "ClusterIP" && node_port != 0 {
            let detail = "may not be used when `type` is 'ClusterIP'";
            let field = format!("spec.ports[{index}].nodePort");
            errors.push(FieldError::invalid_value(field, &node_port.to_string(), detail));
        }
    }
}

fn port_number(object: &Value, key: &str, field: &str, errors: &mut Vec<FieldError>) {
    let number = member(object, key).and_then(Value::as_i64).unwrap_or(0);
    if !(1..=65535).contains(&number) {
        let detail = "must be between 1 and 65535, inclusive";
        errors.push(FieldError::invalid_value(field, &number.to_string(), detail));
    }
}

fn nonnegative(object: &Value, field: &str, errors: &mut Vec<FieldError>) {
    nonnegative_at(object, field, field, errors);
}

fn nonnegative_at(object: &Value, path: &str, field: &str, errors: &mut Vec<FieldError>) {
    let number = member(object, path).and_then(Value::as_i64).unwrap_or(0);
    if number < 0 {
        let detail = "must be greater than or equal to 0";
        errors.push(FieldError::invalid_value(field, &number.to_string(), detail));
    }
}

fn template(settings: &Settings, object: &Value, path: &str, errors: &mut Vec<FieldError>) {
    for (field, value) in [("labels", "metadata.labels"), ("annotations", "metadata.annotations")] {
        for (key, value) in entries(object, &format!("{path}.{value}")) {
            let field = format!("{path}.{field}");
            if field.ends_with("labels") {
                reasons(&field, key, names::qualified(key), errors);
                reasons(&field, value, names::label_value(value), errors);
            } else {
                reasons(&field, key, names::qualified(&key.to_ascii_lowercase()), errors);
            }
        }
    }
    let path = format!("{path}.spec");
    pod_spec(settings, member(object, &path).unwrap_or(&Value::Null), &path, errors);
}

fn workload(settings: &Settings, kind: &str, object: &Value, errors: &mut Vec<FieldError>) {
    let selector = member(object, "spec.selector");
    let labels = member(object, "spec.template.metadata.labels");
    let mismatch = |matches: bool, errors: &mut Vec<FieldError>| {
        if !matches {
            let pairs = entries(object, "spec.template.metadata.labels");
            let pairs: Vec<String> = pairs.map(|(key, value)| format!("{}:{}", quote(key), quote(value))).collect();
            let value = match labels {
                Some(_) => format!("map[string]string{{{}}}", pairs.join(", ")),
                None => "map[string]string(nil)".to_owned(),
            };
            let detail = "`selector` does not match template `labels`";
            errors.push(FieldError::invalid_value("spec.template.metadata.labels", &value, detail));
        }
    };
    let restart = |wanted: &[&str], errors: &mut Vec<FieldError>| {
        let policy = text(object, "spec.template.spec.restartPolicy");
        if !wanted.contains(&policy) {
            errors.push(FieldError::not_supported("spec.template.spec.restartPolicy", policy, wanted));
        }
    };
    match kind {
        "Job" => {
            for field in ["spec.parallelism", "spec.completions", "spec.activeDeadlineSeconds"] {
                nonnegative(object, field, errors);
            }
            template(settings, object, "spec.template", errors);
            restart(&["OnFailure", "Never"], errors);
            match selector {
                Some(selector) => mismatch(label_selector_matches(selector, labels), errors),
                None => errors.push(FieldError::required("spec.selector", "")),
            }
            return;
        }
        "ReplicationController" => {
            nonnegative(object, "spec.minReadySeconds", errors);
            let map = selector.and_then(Value::as_object).filter(|map| !map.is_empty());
            if map.is_none() {
                errors.push(FieldError::required("spec.selector", ""));
            }
            nonnegative(object, "spec.replicas", errors);
            let Some(_) = member(object, "spec.template") else {
                errors.push(FieldError::required("spec.template", ""));
                return;
            };
            let equal = |(key, value): (&String, &Value)| labels.and_then(|labels| labels.get(key)) == Some(value);
            mismatch(map.is_none_or(|map| map.iter().all(equal)), errors);
        }
        _ => {
            if kind != "DaemonSet" {
                nonnegative(object, "spec.replicas", errors);
            }
            let is_empty = |selector: &Value| {
                entries(selector, "matchLabels").next().is_none() && list(selector, "matchExpressions").is_empty()
            };
            match selector {
                Some(selector) if is_empty(selector) => {
                    let value = "v1.LabelSelector{MatchLabels:map[string]string(nil), \
                                 MatchExpressions:[]v1.LabelSelectorRequirement(nil)}";
                    let what = match kind {
                        "DaemonSet" => "daemonset",
                        "StatefulSet" => "statefulset",
                        _ => "deployment",
                    };
                    let detail = format!("empty selector is not valid for {what}.");
                    errors.push(FieldError::invalid_value("spec.selector", value, &detail));
                }
                Some(selector) => mismatch(label_selector_matches(selector, labels), errors),
                None if kind == "DaemonSet" => mismatch(false, errors),
                None => errors.push(FieldError::required("spec.selector", "")),
            }
        }
    }
    template(settings, object, "spec.template", errors);
    restart(&["Always"], errors);
}

fn pod_spec(settings: &Settings, spec: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let mut volumes = SortedSet::new();
    for (index, volume) in list(spec, "volumes").iter().enumerate() {
        let field = format!("{path}.volumes[{index}].name");
        let name = text(volume, "name");
        let before = errors.len();
        for (source, key) in [("secret", "secretName"), ("persistentVolumeClaim", "claimName"), ("configMap", "name")] {
            if volume.get(source).is_some_and(|source| text(source, key).is_empty()) {
                errors.push(FieldError::required(format!("{path}.volumes[{index}].{source}.{key}"), ""));
            }
        }
        if name.is_empty() {
            errors.push(FieldError::required(&*field, ""));
        } else {
            reasons(&field, name, names::label(name), errors);
        }
        if volumes.contains(name) {
            errors.push(FieldError::duplicate(field, name));
        }
        if errors.len() == before {
            volumes.insert(name);
        }
    }
    let mut seen = SortedSet::new();
    if list(spec, "containers").is_empty() {
        errors.push(FieldError::required(format!("{path}.containers"), ""));
    }
    for (index, container) in list(spec, "containers").iter().enumerate() {
        self::container(settings, container, &format!("{path}.containers[{index}]"), &volumes, &mut seen, errors);
    }
    for (index, container) in list(spec, "initContainers").iter().enumerate() {
        self::container(settings, container, &format!("{path}.initContainers[{index}]"), &volumes, &mut seen, errors);
    }
    let restart = text(spec, "restartPolicy");
    if !matches!(restart, "Always" | "OnFailure" | "Never") {
        let supported = ["Always", "OnFailure", "Never"];
        errors.push(match restart {
            "" => FieldError::required(format!("{path}.restartPolicy"), ""),
            other => FieldError::not_supported(format!("{path}.restartPolicy"), other, &supported),
        });
    }
    let dns = text(spec, "dnsPolicy");
    if !matches!(dns, "ClusterFirst" | "ClusterFirstWithHostNet" | "Default") {
        let supported = ["ClusterFirstWithHostNet", "ClusterFirst", "Default"];
        errors.push(match dns {
            "" => FieldError::required(format!("{path}.dnsPolicy"), ""),
            other => FieldError::not_supported(format!("{path}.dnsPolicy"), other, &supported),
        });
    }
    for (key, value) in entries(spec, "nodeSelector") {
        reasons(&format!("{path}.nodeSelector"), key, names::qualified(key), errors);
        reasons(&format!("{path}.nodeSelector"), value, names::label_value(value), errors);
    }
    if member(spec, "hostNetwork") == Some(&Value::Bool(true)) {
        host_network(spec, path, errors);
    }
    for (key, check) in [
        ("serviceAccountName", names::subdomain as fn(&str) -> Vec<String>),
        ("nodeName", names::subdomain),
        ("hostname", names::label),
        ("subdomain", names::label),
    ] {
        let value = text(spec, key);
        if !value.is_empty() {
            reasons(&format!("{path}.{key}"), value, check(value), errors);
        }
        if key == "nodeName"
            && let Some(seconds) = member(spec, "activeDeadlineSeconds").and_then(Value::as_i64)
            && !(1..=i64::from(i32::MAX)).contains(&seconds)
        {
            let detail = "must be between 1 and 2147483647, inclusive";
            errors.push(FieldError::invalid_value(
                format!("{path}.activeDeadlineSeconds"),
                &seconds.to_string(),
                detail,
            ));
        }
    }
}

/// The host's network has no other ports than the containers'.
fn host_network(spec: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let number = |port: &Value, key: &str| member(port, key).and_then(Value::as_i64).unwrap_or(0);
    for (index, container) in list(spec, "containers").iter().enumerate() {
        for (at, port) in list(container, "ports").iter().enumerate() {
            let inside = number(port, "containerPort");
            if inside != number(port, "hostPort") {
                let field = format!("{path}.containers[{index}].ports[{at}].containerPort");
                let detail = "must match `hostPort` when `hostNetwork` is true";
                errors.push(FieldError::invalid_value(field, &inside.to_string(), detail));
            }
        }
    }
    if !list(spec, "hostAliases").is_empty() {
        errors.push(FieldError::forbidden(path, "may not be set when `hostNetwork` is true"));
    }
}

fn container<'a>(
    settings: &Settings,
    container: &'a Value,
    path: &str,
    volumes: &SortedSet<&str>,
    seen: &mut SortedSet<&'a str>,
    errors: &mut Vec<FieldError>,
) {
    let field = |key: &str| format!("{path}.{key}");
    let name = text(container, "name");
    if name.is_empty() {
        errors.push(FieldError::required(field("name"), ""));
    } else {
        reasons(&field("name"), name, names::label(name), errors);
    }
    if !seen.insert(name) {
        errors.push(FieldError::duplicate(field("name"), name));
    }
    let image = text(container, "image");
    if image.is_empty() {
        errors.push(FieldError::required(field("image"), ""));
    }
    for (index, port) in list(container, "ports").iter().enumerate() {
        let field = |key: &str| format!("{path}.ports[{index}].{key}");
        let name = text(port, "name");
        if !name.is_empty() {
            reasons(&field("name"), name, names::port(name), errors);
        }
        match member(port, "containerPort").and_then(Value::as_i64).unwrap_or(0) {
            0 => errors.push(FieldError::required(field("containerPort"), "")),
            _ => port_number(port, "containerPort", &field("containerPort"), errors),
        }
        let protocol = text(port, "protocol");
        if protocol.is_empty() {
            errors.push(FieldError::required(field("protocol"), ""));
        } else if !matches!(protocol, "TCP" | "UDP") {
            errors.push(FieldError::not_supported(field("protocol"), protocol, &["TCP", "UDP"]));
        }
    }
    for (index, variable) in list(container, "env").iter().enumerate() {
        let field = format!("{path}.env[{index}].name");
        match text(variable, "name") {
            "" => errors.push(FieldError::required(field, "")),
            name => reasons(&field, name, names::c_identifier(name), errors),
        }
    }
    let mut mounts = SortedSet::new();
    for (index, mount) in list(container, "volumeMounts").iter().enumerate() {
        let field = |key: &str| format!("{path}.volumeMounts[{index}].{key}");
        match text(mount, "name") {
            "" => errors.push(FieldError::required(field("name"), "")),
            name if !volumes.contains(name) => errors.push(FieldError::not_found(field("name"), name)),
            _ => {}
        }
        let at = text(mount, "mountPath");
        if at.is_empty() {
            errors.push(FieldError::required(field("mountPath"), ""));
        }
        if !mounts.insert(at) {
            errors.push(FieldError::invalid(field("mountPath"), at, "must be unique"));
        }
    }
    let policy = text(container, "imagePullPolicy");
    if !matches!(policy, "Always" | "IfNotPresent" | "Never") {
        errors.push(match policy {
            "" => FieldError::required(field("imagePullPolicy"), ""),
            other => FieldError::not_supported(field("imagePullPolicy"), other, &["Always", "IfNotPresent", "Never"]),
        });
    }
    if member(container, "securityContext.privileged") == Some(&Value::Bool(true)) && !settings.allow_privileged {
        errors.push(FieldError::forbidden(field("securityContext.privileged"), "disallowed by cluster policy"));
    }
    nonnegative_at(container, "securityContext.runAsUser", &field("securityContext.runAsUser"), errors);
}

fn pod_update(new: &Value, old: &Value, errors: &mut Vec<FieldError>) {
    for field in ["spec.containers", "spec.initContainers"] {
        if list(new, field).len() != list(old, field).len() {
            errors.push(FieldError::forbidden(field, "pod updates may not add or remove containers"));
            return;
        }
    }
    let deadline = |pod: &Value| member(pod, "spec.activeDeadlineSeconds").and_then(Value::as_i64);
    let (field, largest) = ("spec.activeDeadlineSeconds", i64::from(i32::MAX));
    let refused = match (deadline(old), deadline(new)) {
        (_, Some(new)) if !(0..=largest).contains(&new) => Some((new, "must be between 0 and 2147483647, inclusive")),
        (Some(old), Some(new)) if old < new => Some((new, "must be less than or equal to previous value")),
        _ => None,
    };
    if let Some((new, detail)) = refused {
        errors.push(FieldError::invalid_value(field, &new.to_string(), detail));
        return;
    }
    if deadline(old).is_some() && deadline(new).is_none() {
        let detail = "must not update from a positive integer to nil value";
        errors.push(FieldError::invalid_value(field, "null", detail));
    }
    // What may change is taken from the old one, and then nothing may differ.
    let mut munged = member(new, "spec").cloned().unwrap_or_default();
    for field in ["containers", "initContainers"] {
        let images = list(old, &format!("spec.{field}")).iter().map(|container| container.get("image").cloned());
        if let Some(Value::Array(containers)) = munged.get_mut(field) {
            for (container, image) in containers.iter_mut().zip(images) {
                if let (Value::Object(container), Some(image)) = (container, image) {
                    container.insert("image".into(), image);
                }
            }
        }
    }
    let old_tolerations = list(old, "spec.tolerations");
    if old_tolerations.iter().any(|toleration| !list(new, "spec.tolerations").contains(toleration)) {
        let detail = "existing toleration can not be modified except its tolerationSeconds";
        errors.push(FieldError::forbidden("spec.tolerations", detail));
    }
    if let Value::Object(munged) = &mut munged {
        for field in ["activeDeadlineSeconds", "tolerations"] {
            match member(old, "spec").and_then(|spec| spec.get(field)) {
                Some(value) => drop(munged.insert(field.into(), value.clone())),
                None => drop(munged.shift_remove(field)),
            }
        }
    }
    if Some(&munged) != member(old, "spec") {
        let detail = "pod updates may not change fields other than `spec.containers[*].image`, \
                      `spec.initContainers[*].image`, `spec.activeDeadlineSeconds` or `spec.tolerations` \
                      (only additions to existing tolerations)";
        errors.push(FieldError::forbidden("spec", detail));
    }
}
