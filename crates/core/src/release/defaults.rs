//! What the API server fills into objects that it is sent.
//!
//! Behaviour: `defaults.go` of each group version, and the conversions that move what was sent to another member
//! (`pkg/api/v1/conversion.go`, `pkg/apis/rbac/v1alpha1/conversion.go`). A default sees the members of one struct before
//! those of the structs in it, as the generated defaulters call them.

use ::base64::{Engine, engine::general_purpose::STANDARD};

use crate::manifest::json;
use crate::manifest::{Map, Value};

type Members = Map<String, Value>;

const RBAC: &str = "rbac.authorization.k8s.io";

/// The default of a type of a group version.
pub(super) fn of(section: &str, name: &str) -> Option<fn(&mut Members)> {
    Some(match (section, name) {
        ("v1", "ReplicationController") => replication_controller,
        ("v1", "Volume") => |volume| {
            if volume.iter().all(|(member, value)| member == "name" || value.is_null()) {
                volume.insert("emptyDir".into(), json::object([]));
            }
        },
        ("v1", "ContainerPort" | "ServicePort" | "EndpointPort") => port,
        ("v1", "Container") => container,
        ("v1", "ServiceSpec") => |spec| {
            unless_empty(spec, "sessionAffinity", "None");
            unless_empty(spec, "type", "ClusterIP");
        },
        ("v1", "Service") => service,
        ("v1", "Pod") => pod,
        ("v1", "PodTemplateSpec") => init_containers_from_annotations,
        ("v1", "PodSpec") => pod_spec,
        ("v1", "Probe") => |probe| {
            for (member, value) in
                [("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)]
            {
                unless_empty(probe, member, value);
            }
        },
        (
            "v1",
            "SecretVolumeSource" | "ConfigMapVolumeSource" | "DownwardAPIVolumeSource" | "ProjectedVolumeSource",
        ) => |source| unless_set(source, "defaultMode", 0o644),
        ("v1", "Secret") => secret,
        ("v1", "PersistentVolumeSpec") => |spec| unless_empty(spec, "persistentVolumeReclaimPolicy", "Retain"),
        ("v1", "PersistentVolumeStatus" | "PersistentVolumeClaimStatus") => {
            |status| unless_empty(status, "phase", "Pending")
        }
        ("v1", "ISCSIVolumeSource") => |source| unless_empty(source, "iscsiInterface", "default"),
        ("v1", "AzureDiskVolumeSource") => |source| {
            unless_set(source, "cachingMode", "ReadWrite");
            unless_set(source, "kind", "Shared");
            unless_set(source, "fsType", "ext4");
            unless_set(source, "readOnly", false);
        },
        ("v1", "HTTPGetAction") => |action| {
            unless_empty(action, "path", "/");
            unless_empty(action, "scheme", "HTTP");
        },
        ("v1", "NamespaceStatus") => |status| unless_empty(status, "phase", "Active"),
        ("v1", "Node") => |node| {
            let name = at(node, &["metadata", "name"]).cloned().unwrap_or_default();
            if let Some(spec) = child(node, "spec") {
                unless_empty(spec, "externalID", name);
            }
        },
        ("v1", "NodeStatus") => |status| {
            if let Some(capacity) = set(status, "capacity").cloned() {
                unless_set(status, "allocatable", capacity);
            }
        },
        ("v1", "ObjectFieldSelector") => |selector| unless_empty(selector, "apiVersion", "v1"),
        ("v1", "LimitRangeItem") => limit_range_item,
        ("v1", "RBDVolumeSource") => |source| {
            unless_empty(source, "pool", "rbd");
            unless_empty(source, "user", "admin");
            unless_empty(source, "keyring", "/etc/ceph/keyring");
        },
        ("v1", "ScaleIOVolumeSource") => |source| {
            unless_empty(source, "protectionDomain", "default");
            unless_empty(source, "storagePool", "default");
            unless_empty(source, "storageMode", "ThinProvisioned");
            unless_empty(source, "fsType", "xfs");
        },
        ("extensions/v1beta1", "DaemonSet") => |set| {
            labels_of_template(set, true);
            with_spec(set, |spec| {
                update_strategy(spec, "updateStrategy", "OnDelete", &[("maxUnavailable", 1.into())]);
                unless_set(spec, "revisionHistoryLimit", 10);
            });
        },
        ("extensions/v1beta1", "Deployment") => |deployment| {
            labels_of_template(deployment, true);
            with_spec(deployment, |spec| {
                unless_set(spec, "replicas", 1);
                let defaults = [("maxUnavailable", 1.into()), ("maxSurge", 1.into())];
                // Here, unlike in apps, parameters of a rolling update are filled in whatever the type says.
                let given = at(spec, &["strategy", "rollingUpdate"]).filter(|value| value.is_object()).is_some();
                update_strategy(spec, "strategy", "RollingUpdate", &defaults);
                if given && let Some(strategy) = child(spec, "strategy") {
                    rolling_update(strategy, &defaults);
                }
            });
        },
        ("extensions/v1beta1", "ReplicaSet") => |set| {
            labels_of_template(set, true);
            with_spec(set, |spec| unless_set(spec, "replicas", 1));
        },
        ("apps/v1beta1", "StatefulSet") => |set| {
            labels_of_template(set, true);
            with_spec(set, |spec| {
                unless_empty(spec, "podManagementPolicy", "OrderedReady");
                unless_set(spec, "replicas", 1);
                unless_set(spec, "revisionHistoryLimit", 10);
                if let Some(strategy) = child(spec, "updateStrategy") {
                    unless_empty(strategy, "type", "OnDelete");
                    let rolling = strategy.get("type").and_then(Value::as_str) == Some("RollingUpdate");
                    if let Some(parameters) =
                        strategy.get_mut("rollingUpdate").and_then(Value::as_object_mut).filter(|_| rolling)
                    {
                        unless_set(parameters, "partition", 0);
                    }
                }
            });
        },
        ("apps/v1beta1", "Deployment") => |deployment| {
            labels_of_template(deployment, true);
            with_spec(deployment, |spec| {
                unless_set(spec, "replicas", 1);
                let defaults = [("maxUnavailable", "25%".into()), ("maxSurge", "25%".into())];
                update_strategy(spec, "strategy", "RollingUpdate", &defaults);
                unless_set(spec, "revisionHistoryLimit", 2);
                unless_set(spec, "progressDeadlineSeconds", 600);
            });
        },
        ("batch/v1", "Job") => |job| {
            labels_of_template(job, false);
            with_spec(job, |spec| {
                if set(spec, "parallelism").is_none() {
                    unless_set(spec, "completions", 1);
                }
                unless_set(spec, "parallelism", 1);
            });
        },
        ("batch/v2alpha1", "CronJobSpec") => |spec| {
            unless_empty(spec, "concurrencyPolicy", "Allow");
            unless_set(spec, "suspend", false);
        },
        ("autoscaling/v1", "HorizontalPodAutoscalerSpec") => |spec| unless_set(spec, "minReplicas", 1),
        ("autoscaling/v2alpha1", "HorizontalPodAutoscaler") => |autoscaler| {
            with_spec(autoscaler, |spec| {
                unless_set(spec, "minReplicas", 1);
                let cpu = json::object([("name", "cpu".into()), ("targetAverageUtilization", 80.into())]);
                let cpu = json::object([("type", "Resource".into()), ("resource", cpu)]);
                unless_empty(spec, "metrics", vec![cpu]);
            });
        },
        ("rbac.authorization.k8s.io/v1beta1" | "rbac.authorization.k8s.io/v1alpha1", "RoleRef") => {
            |role| unless_empty(role, "apiGroup", RBAC)
        }
        ("rbac.authorization.k8s.io/v1beta1", "Subject") => |subject| {
            if matches!(subject.get("kind").and_then(Value::as_str), Some("User" | "Group")) {
                unless_empty(subject, "apiGroup", RBAC);
            }
        },
        ("rbac.authorization.k8s.io/v1alpha1", "Subject") => alpha_subject,
        ("certificates.k8s.io/v1beta1", "CertificateSigningRequestSpec") => {
            |spec| unless_set(spec, "usages", ["digital signature", "key encipherment"].as_slice())
        }
        // Of the older NetworkPolicy in extensions, 1.7 fills in a copy that it then drops.
        ("networking.k8s.io/v1", "NetworkPolicyPort") => |port| unless_set(port, "protocol", "TCP"),
        ("admissionregistration.k8s.io/v1alpha1", "Initializer" | "ExternalAdmissionHook") => {
            |hook| unless_set(hook, "failurePolicy", "Ignore")
        }
        ("apiextensions.k8s.io/v1beta1", "CustomResourceDefinitionSpec") => |spec| {
            unless_empty(spec, "scope", "Namespaced");
            if let Some(names) = child(spec, "names") {
                let kind = names.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
                unless_empty(names, "singular", kind.to_ascii_lowercase());
                if !kind.is_empty() {
                    unless_empty(names, "listKind", format!("{kind}List"));
                }
            }
        },
        _ => return None,
    })
}

fn set<'a>(members: &'a Members, member: &str) -> Option<&'a Value> {
    members.get(member).filter(|value| !value.is_null())
}

fn at<'a>(members: &'a Members, path: &[&str]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(members.get(*first)?, |value, member| value.get(member))
}

/// For pointers and lists: a value that is there stays, be it empty.
fn unless_set(members: &mut Members, member: &str, value: impl Into<Value>) {
    if set(members, member).is_none() {
        put(members, member, value.into());
    }
}

fn put(members: &mut Members, member: &str, value: Value) {
    members.insert(member.to_owned(), value);
}

/// For plain members, where empty and missing are the same.
fn unless_empty(members: &mut Members, member: &str, value: impl Into<Value>) {
    if is_empty(members.get(member)) {
        put(members, member, value.into());
    }
}

fn is_empty(value: Option<&Value>) -> bool {
    value.is_none_or(|value| match value {
        Value::String(text) => text.is_empty(),
        Value::Number(number) => number.as_i64() == Some(0),
        Value::Array(list) => list.is_empty(),
        Value::Object(members) => members.is_empty(),
        value => value.is_null(),
    })
}

/// A struct in a struct, made where nothing was sent; `None` where something else was.
fn child<'a>(members: &'a mut Members, member: &str) -> Option<&'a mut Members> {
    if set(members, member).is_none() {
        members.insert(member.into(), json::object([]));
    }
    members.get_mut(member).and_then(Value::as_object_mut)
}

fn with_spec(object: &mut Members, change: impl FnOnce(&mut Members)) {
    if let Some(spec) = child(object, "spec") {
        change(spec);
    }
}

fn each<'a>(members: &'a mut Members, list: &str) -> impl Iterator<Item = &'a mut Members> {
    let items = members.get_mut(list).and_then(Value::as_array_mut).map(|items| items.iter_mut());
    items.into_iter().flatten().filter_map(Value::as_object_mut)
}

/// The pod template's labels become the object's and, as `matchLabels`, its selector's.
fn labels_of_template(object: &mut Members, selector: bool) {
    let Some(labels) =
        at(object, &["spec", "template", "metadata", "labels"]).filter(|labels| labels.is_object()).cloned()
    else {
        return;
    };
    if selector {
        with_spec(object, |spec| unless_set(spec, "selector", json::object([("matchLabels", labels.clone())])));
    }
    if let Some(metadata) = child(object, "metadata") {
        unless_empty(metadata, "labels", labels);
    }
}

fn update_strategy(spec: &mut Members, member: &str, kind: &str, parameters: &[(&str, Value)]) {
    if let Some(strategy) = child(spec, member) {
        unless_empty(strategy, "type", kind);
        if strategy.get("type").and_then(Value::as_str) == Some("RollingUpdate") {
            rolling_update(strategy, parameters);
        }
    }
}

fn rolling_update(strategy: &mut Members, parameters: &[(&str, Value)]) {
    if let Some(update) = child(strategy, "rollingUpdate") {
        parameters.iter().for_each(|(member, value)| unless_set(update, member, value.clone()));
    }
}

fn replication_controller(controller: &mut Members) {
    labels_of_template(controller, false);
    let labels =
        at(controller, &["spec", "template", "metadata", "labels"]).filter(|labels| labels.is_object()).cloned();
    with_spec(controller, |spec| {
        if let Some(labels) = labels {
            unless_empty(spec, "selector", labels);
        }
        unless_set(spec, "replicas", 1);
    });
}

fn port(port: &mut Members) {
    unless_empty(port, "protocol", "TCP");
}

fn container(container: &mut Members) {
    let image = container.get("image").and_then(Value::as_str).unwrap_or_default();
    let policy = if is_latest(image) { "Always" } else { "IfNotPresent" };
    unless_empty(container, "imagePullPolicy", policy);
    unless_empty(container, "terminationMessagePath", "/dev/termination-log");
    unless_empty(container, "terminationMessagePolicy", "File");
}

/// Whether an image's tag is `latest`, said or, without tag and digest, meant. A name that is none has no tag.
///
/// Behaviour: `pkg/util/parsers/parsers.go`.
fn is_latest(image: &str) -> bool {
    let (image, digest) = image.split_once('@').map_or((image, false), |(image, _)| (image, true));
    let (name, tag) = match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (image, None),
    };
    let path = match name.split_once('/') {
        Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => path,
        _ => name,
    };
    let component = |part: &str| {
        let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        part.starts_with(edge) && part.ends_with(edge) && part.chars().all(|c| edge(c) || "._-".contains(c))
    };
    path.split('/').all(component) && tag.map_or(!digest, |tag| tag == "latest")
}

fn service(service: &mut Members) {
    const BETA: &str = "service.beta.kubernetes.io/external-traffic";
    let annotated = at(service, &["metadata", "annotations", BETA]).is_some();
    with_spec(service, |spec| {
        for port in each(spec, "ports") {
            let number = port.get("port").cloned().unwrap_or_else(|| 0.into());
            unless_empty(port, "targetPort", number);
        }
        let exposed = matches!(spec.get("type").and_then(Value::as_str), Some("NodePort" | "LoadBalancer"));
        if exposed && !annotated {
            unless_empty(spec, "externalTrafficPolicy", "Cluster");
        }
    });
}

/// Init containers and their statuses have an annotation beside them, under an alpha and a beta name. On the way in it wins
/// over the field; on the way out it says what the field says.
const INIT: [(&str, &str, [&str; 2]); 2] = [
    ("spec", "initContainers", ["pod.beta.kubernetes.io/init-containers", "pod.alpha.kubernetes.io/init-containers"]),
    (
        "status",
        "initContainerStatuses",
        ["pod.beta.kubernetes.io/init-container-statuses", "pod.alpha.kubernetes.io/init-container-statuses"],
    ),
];

fn init_containers_from_annotations(pod: &mut Members) {
    for (part, list, names) in INIT {
        let Some(annotations) = pod.get_mut("metadata").and_then(|metadata| metadata.get_mut("annotations")) else {
            return;
        };
        let Some(annotations) = annotations.as_object_mut() else { return };
        let [beta, alpha] = names.map(|name| annotations.shift_remove(name));
        let text = beta.or(alpha);
        let text = text.as_ref().and_then(Value::as_str).unwrap_or_default();
        if let (Ok(values @ Value::Array(_)), Some(part)) = (json::parse(text), child(pod, part)) {
            part.insert(list.into(), values);
        }
    }
}

/// What a conversion adds to an object on its way out; true where it changed the metadata.
pub(super) fn annotate_init_containers(pod: &mut Members) -> bool {
    let mut changed = false;
    for (part, list, names) in INIT {
        let values = pod.get(part).and_then(|part| part.get(list)).filter(|values| values.is_array());
        let Some(text) = values.map(json::to_string) else { continue };
        let Some(annotations) = child(pod, "metadata").and_then(|metadata| child(metadata, "annotations")) else {
            continue;
        };
        names.iter().for_each(|name| drop(annotations.insert((*name).into(), text.clone().into())));
        changed = true;
    }
    changed
}

fn pod(pod: &mut Members) {
    init_containers_from_annotations(pod);
    with_spec(pod, |spec| {
        for list in ["containers", "initContainers"] {
            for container in each(spec, list) {
                let Some(resources) = container.get_mut("resources").and_then(Value::as_object_mut) else { continue };
                let Some(Value::Object(limits)) = resources.get("limits").cloned() else { continue };
                if let Some(requests) = child(resources, "requests") {
                    limits.into_iter().for_each(|(name, value)| {
                        requests.entry(name).or_insert(value);
                    });
                }
            }
        }
    });
}

fn pod_spec(spec: &mut Members) {
    unless_empty(spec, "dnsPolicy", "ClusterFirst");
    unless_empty(spec, "restartPolicy", "Always");
    if spec.get("hostNetwork") == Some(&Value::Bool(true)) {
        for list in ["containers", "initContainers"] {
            for container in each(spec, list) {
                for port in each(container, "ports") {
                    let number = port.get("containerPort").cloned().unwrap_or_default();
                    unless_empty(port, "hostPort", number);
                }
            }
        }
    }
    unless_set(spec, "securityContext", json::object([]));
    unless_set(spec, "terminationGracePeriodSeconds", 30);
    unless_empty(spec, "schedulerName", "default-scheduler");
    // The account's old name and its new one always say the same.
    let account = spec.get("serviceAccount").cloned().unwrap_or_default();
    unless_empty(spec, "serviceAccountName", account);
    let account = spec.get("serviceAccountName").cloned().unwrap_or_default();
    spec.insert("serviceAccount".into(), account);
}

/// `stringData` is only ever written: it joins `data`.
fn secret(secret: &mut Members) {
    unless_empty(secret, "type", "Opaque");
    if let Some(Value::Object(texts)) = secret.shift_remove("stringData")
        && let Some(data) = child(secret, "data")
    {
        data.extend(texts.into_iter().map(|(key, text)| {
            let value = text.as_str().map_or(Value::Null, |text| STANDARD.encode(text).into());
            (key, value)
        }));
    }
}

fn limit_range_item(item: &mut Members) {
    if item.get("type").and_then(Value::as_str) != Some("Container") {
        return;
    }
    for (into, from) in [("default", "max"), ("defaultRequest", "default"), ("defaultRequest", "min")] {
        let given = item.get(from).and_then(Value::as_object).cloned().unwrap_or_default();
        if let Some(into) = child(item, into) {
            given.into_iter().for_each(|(name, value)| {
                into.entry(name).or_insert(value);
            });
        }
    }
}

fn alpha_subject(subject: &mut Members) {
    let text = |member: &str| subject.get(member).and_then(Value::as_str).unwrap_or_default();
    // What was "everybody" in v1alpha1 became a group.
    if (text("kind"), text("name")) == ("User", "*") {
        subject.insert("kind".into(), "Group".into());
        subject.insert("name".into(), "system:authenticated".into());
    }
    // The three known kinds have the one version, whatever was sent.
    let version = match subject.get("kind").and_then(Value::as_str) {
        Some("ServiceAccount") => "v1",
        Some("User" | "Group") => "rbac.authorization.k8s.io/v1alpha1",
        _ => return,
    };
    subject.insert("apiVersion".into(), version.into());
}
