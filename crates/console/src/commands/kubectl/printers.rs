//! The tables of `kubectl get`: which columns a kind has, and what stands in them.
//!
//! Behaviour: `pkg/printers/internalversion/printers.go` and `pkg/printers/humanreadable.go` of release 1.7.

use chrono::{DateTime, Utc};
use portcullis_core::manifest::{Value, json};
use portcullis_core::request::quote;
use portcullis_core::sort;
use portcullis_core::world::time;

use super::value::{at, count, list, members, number, plain, text, texts};

/// What a table shows besides a kind's own columns.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `-o wide`.
    pub wide: bool,
    /// Without the line of headers.
    pub no_headers: bool,
    /// A first column with the namespace.
    pub namespace: bool,
    /// Put before names with a slash; `""` for nothing.
    pub alias: &'static str,
    /// `-L`: labels with a column of their own.
    pub labels: Vec<String>,
    /// `--show-labels`.
    pub show_labels: bool,
}

/// What stands in a column.
#[derive(Clone, Copy)]
enum Cell {
    /// A string, number or boolean at a path.
    At(&'static str),
    /// How many members or elements there are.
    Count(&'static str),
    /// The age of `metadata.creationTimestamp`.
    Age,
    /// The number at a path.
    Number(&'static str),
    /// Computed; `true` for `-o wide`.
    Of(fn(&Value, bool) -> String),
    /// Computed from the clock too.
    When(fn(&Value, DateTime<Utc>) -> String),
}

/// A header (none for `""`), whether only `-o wide` shows it, and what stands there.
type Column = (&'static str, bool, Cell);

/// A kind's columns behind the name, and what the name column shows.
struct Table {
    kinds: &'static str,
    columns: &'static [Column],
    /// Whether the kind's printer knows labels and namespaces.
    labels: bool,
}

use Cell::{Age, At, Count, Number, Of, When};

const fn table(kinds: &'static str, columns: &'static [Column]) -> Table {
    Table { kinds, columns, labels: true }
}

const NAME: Column = ("NAME", false, At("metadata.name"));
const AGE: Column = ("AGE", false, Age);
const CONTAINERS: Column = ("CONTAINER(S)", true, Of(|object, _| containers(object, "name")));
const IMAGES: Column = ("IMAGE(S)", true, Of(|object, _| containers(object, "image")));
const SELECTOR: Column = ("SELECTOR", true, Of(|object, _| selector(at(object, "spec.selector"), "<none>")));
const DESIRED: Column = ("DESIRED", false, Number("spec.replicas"));
const CURRENT: Column = ("CURRENT", false, Number("status.replicas"));
const READY: Column = ("READY", false, Number("status.readyReplicas"));
const PHASE: Column = ("STATUS", false, At("status.phase"));
const LABELS_SELECTED: Column = ("SELECTOR", true, Of(|object, _| map_text(at(object, "spec.selector"), "<none>")));

const TABLES: &[Table] = &[
    table("Role ClusterRole LimitRange ResourceQuota PodPreset", &[NAME, AGE]),
    table(
        "RoleBinding ClusterRoleBinding",
        &[
            NAME,
            AGE,
            ("ROLE", true, Of(role)),
            ("USERS", true, Of(|binding, _| subjects(binding, "User"))),
            ("GROUPS", true, Of(|binding, _| subjects(binding, "Group"))),
            ("SERVICEACCOUNTS", true, Of(|binding, _| subjects(binding, "ServiceAccount"))),
        ],
    ),
    table(
        "Pod",
        &[
            NAME,
            ("READY", false, Of(|pod, _| pod_state(pod).ready)),
            ("STATUS", false, Of(|pod, _| pod_state(pod).reason)),
            ("RESTARTS", false, Of(|pod, _| pod_state(pod).restarts.to_string())),
            AGE,
            ("IP", true, Of(|pod, _| or(text(pod, "status.podIP"), "<none>"))),
            ("NODE", true, Of(|pod, _| or(text(pod, "spec.nodeName"), "<none>"))),
        ],
    ),
    table("Secret", &[NAME, ("TYPE", false, At("type")), ("DATA", false, Count("data")), AGE]),
    table("ConfigMap", &[NAME, ("DATA", false, Count("data")), AGE]),
    table("ServiceAccount", &[NAME, ("SECRETS", false, Count("secrets")), AGE]),
    table(
        "Node",
        &[
            NAME,
            ("STATUS", false, Of(|node, _| node_status(node))),
            AGE,
            ("VERSION", false, At("status.nodeInfo.kubeletVersion")),
            ("EXTERNAL-IP", true, Of(|node, _| node_address(node))),
            ("OS-IMAGE", true, Of(|node, _| or(text(node, "status.nodeInfo.osImage"), "<unknown>"))),
            ("KERNEL-VERSION", true, Of(|node, _| or(text(node, "status.nodeInfo.kernelVersion"), "<unknown>"))),
        ],
    ),
    table("Namespace", &[NAME, PHASE, AGE]),
    table(
        "Service",
        &[
            NAME,
            ("CLUSTER-IP", false, At("spec.clusterIP")),
            ("EXTERNAL-IP", false, Of(external_ip)),
            ("PORT(S)", false, Of(|service, _| ports(service))),
            AGE,
            LABELS_SELECTED,
        ],
    ),
    table("Endpoints", &[NAME, ("ENDPOINTS", false, Of(|endpoints, _| addresses(endpoints, None))), AGE]),
    table(
        "Ingress",
        &[
            NAME,
            ("HOSTS", false, Of(|ingress, _| hosts(ingress))),
            ("ADDRESS", false, Of(load_balancer)),
            ("PORTS", false, Of(|ingress, _| if count(ingress, "spec.tls") > 0 { "80, 443" } else { "80" }.to_owned())),
            AGE,
        ],
    ),
    table(
        "NetworkPolicy",
        &[NAME, ("POD-SELECTOR", false, Of(|policy, _| selector(at(policy, "spec.podSelector"), "<none>"))), AGE],
    ),
    table("ReplicationController", &[NAME, DESIRED, CURRENT, READY, AGE, CONTAINERS, IMAGES, LABELS_SELECTED]),
    table("ReplicaSet", &[NAME, DESIRED, CURRENT, READY, AGE, CONTAINERS, IMAGES, SELECTOR]),
    table(
        "Deployment",
        &[
            NAME,
            DESIRED,
            CURRENT,
            ("UP-TO-DATE", false, Number("status.updatedReplicas")),
            ("AVAILABLE", false, Number("status.availableReplicas")),
            AGE,
            CONTAINERS,
            IMAGES,
            SELECTOR,
        ],
    ),
    table(
        "StatefulSet",
        &[
            NAME,
            DESIRED,
            CURRENT,
            AGE,
            // 1.7 prints these three without headers.
            ("", true, Of(|object, _| containers(object, "name"))),
            ("", true, Of(|object, _| containers(object, "image"))),
            ("", true, Of(|object, _| selector(at(object, "spec.selector"), "<none>"))),
        ],
    ),
    table(
        "DaemonSet",
        &[
            NAME,
            ("DESIRED", false, Number("status.desiredNumberScheduled")),
            ("CURRENT", false, Number("status.currentNumberScheduled")),
            ("READY", false, Number("status.numberReady")),
            ("UP-TO-DATE", false, Number("status.updatedNumberScheduled")),
            ("AVAILABLE", false, Number("status.numberAvailable")),
            ("NODE-SELECTOR", false, Of(|object, _| map_text(at(object, "spec.template.spec.nodeSelector"), "<none>"))),
            AGE,
            CONTAINERS,
            IMAGES,
            SELECTOR,
        ],
    ),
    table(
        "Job",
        &[
            NAME,
            ("DESIRED", false, Of(|job, _| number_or(job, "spec.completions", "<none>"))),
            ("SUCCESSFUL", false, Number("status.succeeded")),
            AGE,
            CONTAINERS,
            IMAGES,
            SELECTOR,
        ],
    ),
    table(
        "HorizontalPodAutoscaler",
        &[
            NAME,
            ("REFERENCE", false, Of(|object, _| reference(object))),
            ("TARGETS", false, Of(|object, _| targets(object))),
            ("MINPODS", false, Of(|object, _| number_or(object, "spec.minReplicas", "<unset>"))),
            ("MAXPODS", false, Of(|object, _| number(object, "spec.maxReplicas").to_string())),
            ("REPLICAS", false, Of(|object, _| number(object, "status.currentReplicas").to_string())),
            AGE,
        ],
    ),
    table(
        "ControllerRevision",
        &[
            NAME,
            ("CONTROLLER", false, Of(|object, _| or(&controller(object), "<none>"))),
            ("REVISION", false, Of(|object, _| number(object, "revision").to_string())),
            AGE,
        ],
    ),
    table(
        "PodTemplate",
        &[
            ("TEMPLATE", false, At("metadata.name")),
            ("CONTAINER(S)", false, Of(|object, _| each(list(object, "template.spec.containers"), "name"))),
            ("IMAGE(S)", false, Of(|object, _| each(list(object, "template.spec.containers"), "image"))),
            ("PODLABELS", false, Of(|object, _| map_text(at(object, "template.metadata.labels"), "<none>"))),
        ],
    ),
    table(
        "PersistentVolume",
        &[
            NAME,
            ("CAPACITY", false, Of(|volume, _| or(text(volume, "spec.capacity.storage"), "0"))),
            ("ACCESSMODES", false, Of(|volume, _| access_modes(volume, "spec.accessModes"))),
            ("RECLAIMPOLICY", false, At("spec.persistentVolumeReclaimPolicy")),
            PHASE,
            ("CLAIM", false, Of(|volume, _| claim(volume))),
            ("STORAGECLASS", false, Of(|volume, _| storage_class(volume))),
            ("REASON", false, At("status.reason")),
            AGE,
        ],
    ),
    table(
        "PersistentVolumeClaim",
        &[
            NAME,
            PHASE,
            ("VOLUME", false, At("spec.volumeName")),
            ("CAPACITY", false, Of(|claim, _| bound(claim, or(text(claim, "status.capacity.storage"), "0")))),
            ("ACCESSMODES", false, Of(|claim, _| bound(claim, access_modes(claim, "status.accessModes")))),
            ("STORAGECLASS", false, Of(|claim, _| storage_class(claim))),
            AGE,
        ],
    ),
    table(
        "StorageClass",
        &[
            ("NAME", false, Of(|class, _| storage_class_name(class))),
            ("TYPE", false, At("provisioner")),
            // 1.7 ends the type's cell with a tab.
            ("", false, Of(|_, _| String::new())),
        ],
    ),
    table(
        "CertificateSigningRequest",
        &[
            NAME,
            AGE,
            ("REQUESTOR", false, At("spec.username")),
            ("CONDITION", false, Of(|request, _| csr_condition(request))),
        ],
    ),
    table(
        "Event",
        &[
            ("LASTSEEN", false, When(|event, now| age(text(event, "lastTimestamp"), now))),
            ("FIRSTSEEN", false, When(|event, now| age(text(event, "firstTimestamp"), now))),
            ("COUNT", false, Number("count")),
            ("NAME", false, At("involvedObject.name")),
            ("KIND", false, At("involvedObject.kind")),
            ("SUBOBJECT", false, At("involvedObject.fieldPath")),
            ("TYPE", false, At("type")),
            ("REASON", false, At("reason")),
            ("SOURCE", false, Of(|event, _| event_source(event))),
            ("MESSAGE", false, At("message")),
        ],
    ),
    table(
        "ComponentStatus",
        &[
            NAME,
            ("STATUS", false, Of(|component, _| component_status(component))),
            ("MESSAGE", false, Of(|component, _| component_text(component, "message"))),
            ("ERROR", false, Of(|component, _| component_text(component, "error"))),
        ],
    ),
    Table {
        kinds: "PodDisruptionBudget",
        columns: &[
            NAME,
            ("MIN-AVAILABLE", false, Of(|budget, _| number_or(budget, "spec.minAvailable", "N/A"))),
            ("MAX-UNAVAILABLE", false, Of(|budget, _| number_or(budget, "spec.maxUnavailable", "N/A"))),
            ("ALLOWED-DISRUPTIONS", false, Number("status.disruptionsAllowed")),
            AGE,
        ],
        labels: false,
    },
    Table {
        kinds: "ThirdPartyResource",
        columns: &[
            NAME,
            ("DESCRIPTION", false, At("description")),
            ("VERSION(S)", false, Of(|object, _| each(list(object, "versions"), "name"))),
        ],
        labels: false,
    },
    Table {
        kinds: "PodSecurityPolicy",
        columns: &[
            NAME,
            ("PRIV", false, Of(|policy, _| (at(policy, "spec.privileged") == true).to_string())),
            ("CAPS", false, Of(|policy, _| bracketed(policy, "spec.allowedCapabilities"))),
            ("SELINUX", false, At("spec.seLinux.rule")),
            ("RUNASUSER", false, At("spec.runAsUser.rule")),
            ("FSGROUP", false, At("spec.fsGroup.rule")),
            ("SUPGROUP", false, At("spec.supplementalGroups.rule")),
            ("READONLYROOTFS", false, Of(|policy, _| (at(policy, "spec.readOnlyRootFilesystem") == true).to_string())),
            ("VOLUMES", false, Of(|policy, _| bracketed(policy, "spec.volumes"))),
        ],
        labels: false,
    },
];

/// A kind that no printer knows: kubectl 1.7 guesses columns from the fields; name and age serve as well.
const UNKNOWN: Table = table("", &[NAME, AGE]);

fn of_kind(kind: &str) -> &'static Table {
    TABLES.iter().find(|table| table.kinds.split(' ').any(|name| name == kind)).unwrap_or(&UNKNOWN)
}

/// The header line of `kind`, cells between tabs.
pub fn header(kind: &str, options: &Options) -> String {
    let mut cells: Vec<String> = Vec::new();
    if options.namespace {
        cells.push("NAMESPACE".to_owned());
    }
    let shown = of_kind(kind).columns.iter().filter(|(header, wide, _)| !header.is_empty() && (!wide || options.wide));
    cells.extend(shown.map(|(header, ..)| (*header).to_owned()));
    cells.extend(options.labels.iter().map(|label| label.rsplit('/').next().unwrap_or(label).to_ascii_uppercase()));
    if options.show_labels {
        cells.push("LABELS".to_owned());
    }
    cells.join("\t") + "\n"
}

/// The line of one object, cells between tabs.
pub fn row(kind: &str, object: &Value, options: &Options, now: DateTime<Utc>) -> String {
    let table = of_kind(kind);
    let mut cells: Vec<String> = Vec::new();
    if options.namespace {
        cells.push(text(object, "metadata.namespace").to_owned());
    }
    for (header, _, cell) in table.columns.iter().filter(|(_, wide, _)| !wide || options.wide) {
        let shown = match cell {
            At(path) => match at(object, path) {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            },
            Count(path) => count(object, path).to_string(),
            Number(path) => number(object, path).to_string(),
            Age => age(text(object, "metadata.creationTimestamp"), now),
            Of(compute) => compute(object, options.wide),
            When(compute) => compute(object, now),
        };
        let prefix = matches!(*header, "NAME" | "TEMPLATE") && !options.alias.is_empty();
        cells.push(if prefix { format!("{}/{shown}", options.alias) } else { shown });
    }
    if table.labels {
        // The one printer that was written anew in 1.7 leaves a label's cell empty, the others fill it.
        let missing = if kind == "Pod" { "" } else { "<none>" };
        let labels = at(object, "metadata.labels");
        cells.extend(
            options.labels.iter().map(|key| labels.get(key).and_then(Value::as_str).unwrap_or(missing).to_owned()),
        );
        if options.show_labels {
            cells.push(map_text(labels, "<none>"));
        }
    }
    cells.join("\t") + "\n"
}

/// How long ago an RFC 3339 time was, in one unit.
pub fn age(time: &str, now: DateTime<Utc>) -> String {
    let Some(time) = time::instant(time) else { return "<unknown>".to_owned() };
    let seconds = (now - time).num_seconds();
    match seconds {
        ..-1 => "<invalid>".to_owned(),
        -1..0 => "0s".to_owned(),
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        86_400..31_536_000 => format!("{}d", seconds / 86_400),
        _ => format!("{}y", seconds / 31_536_000),
    }
}

/// `k=v,k=v`, or `none` where there is nothing.
pub fn map_text(map: &Value, none: &str) -> String {
    let pairs: Vec<String> =
        members(map, "").iter().map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or(""))).collect();
    if pairs.is_empty() { none.to_owned() } else { pairs.join(",") }
}

/// A LabelSelector (or a plain map of labels) as a selector is written.
pub fn selector(selector: &Value, none: &str) -> String {
    let is_plain = selector.as_object().is_some_and(|members| members.values().all(Value::is_string));
    if is_plain {
        return map_text(selector, none);
    }
    let mut parts: Vec<(String, String)> = members(selector, "matchLabels")
        .iter()
        .map(|(key, value)| ((*key).to_owned(), format!("{key}={}", value.as_str().unwrap_or(""))))
        .collect();
    for expression in list(selector, "matchExpressions") {
        let key = text(expression, "key");
        let mut values = texts(expression, "values");
        sort::by_text(&mut values, |value| value);
        let values = values.join(",");
        let shown = match text(expression, "operator") {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "Exists" => key.to_owned(),
            _ => format!("!{key}"),
        };
        parts.push((key.to_owned(), shown));
    }
    sort::by_text(&mut parts, |(key, _)| key);
    let parts: Vec<String> = parts.into_iter().map(|(_, shown)| shown).collect();
    if parts.is_empty() { none.to_owned() } else { parts.join(",") }
}

fn or(text: &str, default: &str) -> String {
    if text.is_empty() { default.to_owned() } else { text.to_owned() }
}

fn number_or(object: &Value, path: &str, default: &str) -> String {
    match at(object, path) {
        Value::Null => default.to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn bracketed(object: &Value, path: &str) -> String {
    format!("[{}]", texts(object, path).join(" "))
}

fn containers(object: &Value, field: &str) -> String {
    each(list(object, "spec.template.spec.containers"), field)
}

fn each(elements: &[Value], field: &str) -> String {
    elements.iter().map(|element| text(element, field)).collect::<Vec<_>>().join(",")
}

/// `ReplicaSet/web` for the controller among the owners, or `""`.
pub fn controller(object: &Value) -> String {
    let owner = list(object, "metadata.ownerReferences").iter().find(|owner| at(owner, "controller") == true);
    owner.map_or(String::new(), |owner| format!("{}/{}", text(owner, "kind"), text(owner, "name")))
}

/// What an autoscaler scales: `Deployment/web`.
pub fn reference(autoscaler: &Value) -> String {
    let target = at(autoscaler, "spec.scaleTargetRef");
    format!("{}/{}", text(target, "kind"), text(target, "name"))
}

/// One metric of an autoscaler.
pub struct Metric {
    /// As a description names it.
    pub title: String,
    /// What was measured; `<unknown>` where nothing was.
    pub current: String,
    /// The same with the measured value behind a percentage, as a description has it.
    pub detailed: String,
    /// What is wanted.
    pub target: String,
}

/// The metrics of an autoscaler of `autoscaling/v1`. That version has a field for the load of the CPU and annotations for
/// all else; who asks for nothing gets 80% of the CPU.
pub fn metrics(autoscaler: &Value) -> Vec<Metric> {
    let kept = |what: &str| {
        let key = format!("autoscaling.alpha.kubernetes.io/{what}");
        let text = at(autoscaler, "metadata.annotations").get(&key)?.as_str()?;
        json::parse(text).ok()?.as_array().cloned()
    };
    let cpu = |field: &str, percent: &Value| {
        let (name, percent) = (("name", "cpu".into()), (field, percent.clone()));
        json::object([("type", "Resource".into()), ("resource", json::object([name, percent]))])
    };
    let mut specs = kept("metrics").unwrap_or_default();
    match at(autoscaler, "spec.targetCPUUtilizationPercentage") {
        Value::Null if specs.is_empty() => specs.push(cpu("targetAverageUtilization", &80.into())),
        Value::Null => {}
        percent => specs.push(cpu("targetAverageUtilization", percent)),
    }
    let measured = kept("current-metrics").unwrap_or_else(|| {
        let percent = at(autoscaler, "status.currentCPUUtilizationPercentage");
        if percent.is_null() { Vec::new() } else { vec![cpu("currentAverageUtilization", percent)] }
    });
    let metric = |(place, spec): (usize, &Value)| {
        let (part, target, current) = match text(spec, "type") {
            "Pods" => ("pods", "targetAverageValue", "currentAverageValue"),
            "Object" => ("object", "targetValue", "currentValue"),
            _ if at(spec, "resource.targetAverageValue").is_null() => {
                ("resource", "targetAverageUtilization", "currentAverageUtilization")
            }
            _ => ("resource", "targetAverageValue", "currentAverageValue"),
        };
        let (spec, percent) = (at(spec, part), target == "targetAverageUtilization");
        let shown = |holder: &Value, field: &str, none: &str| match at(holder, field) {
            Value::Null => none.to_owned(),
            found if percent => format!("{found}%"),
            found => plain(found),
        };
        let status = measured.get(place).map_or(&Value::Null, |status| at(status, part));
        let now = shown(status, current, if status.is_null() || percent { "<unknown>" } else { "0" });
        let name = quote(text(spec, "metricName"));
        Metric {
            title: match part {
                "pods" => format!("{name} on pods"),
                "object" => format!("{name} on {}/{}", text(spec, "target.kind"), text(spec, "target.name")),
                _ if percent => format!("resource {} on pods  (as a percentage of request)", text(spec, "name")),
                _ => format!("resource {} on pods", text(spec, "name")),
            },
            detailed: match at(status, "currentAverageUtilization") {
                Value::Null => now.clone(),
                _ if percent => format!("{now} ({})", or(text(status, "currentAverageValue"), "0")),
                _ => now.clone(),
            },
            current: now,
            target: shown(spec, target, if percent { "<auto>" } else { "0" }),
        }
    };
    specs.iter().enumerate().map(metric).collect()
}

fn targets(autoscaler: &Value) -> String {
    let shown: Vec<String> =
        metrics(autoscaler).iter().map(|metric| format!("{} / {}", metric.current, metric.target)).collect();
    match shown.get(..2) {
        Some(first) if shown.len() > 2 => format!("{} + {} more...", first.join(", "), shown.len() - 2),
        _ => shown.join(", "),
    }
}

fn role(binding: &Value, _: bool) -> String {
    let name = text(binding, "roleRef.name");
    match text(binding, "metadata.namespace") {
        "" => name.to_owned(),
        _ => format!("{}/{name}", text(binding, "roleRef.kind")),
    }
}

fn subjects(binding: &Value, kind: &str) -> String {
    let named = list(binding, "subjects").iter().filter(|subject| text(subject, "kind") == kind);
    let shown: Vec<String> = named
        .map(|subject| match (kind, text(subject, "name")) {
            ("ServiceAccount", name) => format!("{}/{name}", text(subject, "namespace")),
            (_, name) => name.to_owned(),
        })
        .collect();
    shown.join(", ")
}

struct PodState {
    ready: String,
    reason: String,
    restarts: i64,
}

fn pod_state(pod: &Value) -> PodState {
    let mut reason = or(text(pod, "status.reason"), text(pod, "status.phase"));
    let (mut restarts, mut ready, mut initializing) = (0, 0, false);
    let ended = |state: &Value| match (text(state, "terminated.reason"), number(state, "terminated.signal")) {
        ("", 0) => format!("ExitCode:{}", number(state, "terminated.exitCode")),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    };
    for (at_init, container) in list(pod, "status.initContainerStatuses").iter().enumerate() {
        restarts += number(container, "restartCount");
        let state = at(container, "state");
        let waiting = text(state, "waiting.reason");
        if at(state, "terminated").is_object() {
            if number(state, "terminated.exitCode") == 0 {
                continue;
            }
            reason = format!("Init:{}", ended(state));
        } else if !matches!(waiting, "" | "PodInitializing") {
            reason = format!("Init:{waiting}");
        } else {
            reason = format!("Init:{at_init}/{}", count(pod, "spec.initContainers"));
        }
        initializing = true;
        break;
    }
    if !initializing {
        restarts = 0;
        for container in list(pod, "status.containerStatuses").iter().rev() {
            restarts += number(container, "restartCount");
            let state = at(container, "state");
            let waiting = text(state, "waiting.reason");
            if !waiting.is_empty() {
                reason = waiting.to_owned();
            } else if at(state, "terminated").is_object() {
                reason = ended(state);
            } else if at(container, "ready") == true && at(state, "running").is_object() {
                ready += 1;
            }
        }
    }
    if !at(pod, "metadata.deletionTimestamp").is_null() {
        reason = if text(pod, "status.reason") == "NodeLost" { "Unknown" } else { "Terminating" }.to_owned();
    }
    PodState { ready: format!("{ready}/{}", count(pod, "spec.containers")), reason, restarts }
}

fn node_status(node: &Value) -> String {
    // The last condition of the type counts.
    let ready = list(node, "status.conditions").iter().rfind(|condition| text(condition, "type") == "Ready");
    let mut status = vec![match ready.map(|condition| text(condition, "status")) {
        Some("True") => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    }];
    if at(node, "spec.unschedulable") == true {
        status.push("SchedulingDisabled");
    }
    status.extend(Some(node_role(node)).filter(|role| !role.is_empty()));
    status.join(",")
}

/// The role that kubeadm's label gives a node, or `""`.
pub fn node_role(node: &Value) -> &str {
    at(node, "metadata.labels").get("kubeadm.alpha.kubernetes.io/role").and_then(Value::as_str).unwrap_or("")
}

fn node_address(node: &Value) -> String {
    let external = list(node, "status.addresses").iter().find(|address| text(address, "type") == "ExternalIP");
    external.map_or("<none>", |address| text(address, "address")).to_owned()
}

/// The addresses of a load balancer; clipped where the table is not wide.
pub fn load_balancer(object: &Value, wide: bool) -> String {
    let addresses = list(object, "status.loadBalancer.ingress").iter();
    let addresses = addresses.map(|entry| match (text(entry, "ip"), text(entry, "hostname")) {
        ("", name) => name,
        (ip, _) => ip,
    });
    let shown = addresses.filter(|address| !address.is_empty()).collect::<Vec<_>>().join(",");
    match shown.char_indices().nth(13) {
        Some((end, _)) if !wide && shown.len() > 16 => shown.get(..end).unwrap_or("").to_owned() + "...",
        _ => shown,
    }
}

fn external_ip(service: &Value, wide: bool) -> String {
    let external = texts(service, "spec.externalIPs").join(",");
    match text(service, "spec.type") {
        "ClusterIP" => or(&external, "<none>"),
        "NodePort" => or(&external, "<nodes>"),
        "LoadBalancer" => match (load_balancer(service, wide), external.is_empty()) {
            (addresses, false) => format!("{addresses},{external}"),
            (addresses, true) => or(&addresses, "<pending>"),
        },
        "ExternalName" => text(service, "spec.externalName").to_owned(),
        _ => "<unknown>".to_owned(),
    }
}

fn ports(service: &Value) -> String {
    let shown = list(service, "spec.ports").iter().map(|port| {
        let (number, node, protocol) = (number(port, "port"), number(port, "nodePort"), text(port, "protocol"));
        if node > 0 { format!("{number}:{node}/{protocol}") } else { format!("{number}/{protocol}") }
    });
    shown.collect::<Vec<_>>().join(",")
}

/// The first three addresses of an Endpoints object, for ports of one name where `port` gives it.
pub fn addresses(endpoints: &Value, port: Option<&str>) -> String {
    let subsets = list(endpoints, "subsets");
    if subsets.is_empty() {
        return "<none>".to_owned();
    }
    let mut shown = Vec::new();
    for subset in subsets {
        for candidate in
            list(subset, "ports").iter().filter(|found| port.is_none_or(|name| text(found, "name") == name))
        {
            for address in list(subset, "addresses") {
                let (ip, port) = (text(address, "ip"), number(candidate, "port"));
                shown.push(if ip.contains(':') { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") });
            }
        }
    }
    first_three(&shown)
}

fn first_three(shown: &[String]) -> String {
    match shown.get(..3) {
        Some(first) if shown.len() > 3 => format!("{} + {} more...", first.join(","), shown.len() - 3),
        _ => shown.join(","),
    }
}

fn hosts(ingress: &Value) -> String {
    let rules = list(ingress, "spec.rules");
    let mut shown: Vec<&str> = Vec::new();
    let mut more = false;
    for rule in rules {
        more |= shown.len() == 3;
        if !more && !text(rule, "host").is_empty() {
            shown.push(text(rule, "host"));
        }
    }
    match shown.is_empty() {
        true => "*".to_owned(),
        false if more => format!("{} + {} more...", shown.join(","), rules.len() - 3),
        false => shown.join(","),
    }
}

/// `RWO,ROX,RWX`: each mode once, in this order.
pub fn access_modes(object: &Value, path: &str) -> String {
    let modes = texts(object, path);
    let known = [("ReadWriteOnce", "RWO"), ("ReadOnlyMany", "ROX"), ("ReadWriteMany", "RWX")];
    known.iter().filter(|(mode, _)| modes.contains(mode)).map(|(_, short)| *short).collect::<Vec<_>>().join(",")
}

fn bound(claim: &Value, shown: String) -> String {
    if text(claim, "spec.volumeName").is_empty() { String::new() } else { shown }
}

fn claim(volume: &Value) -> String {
    match at(volume, "spec.claimRef") {
        Value::Null => String::new(),
        reference => format!("{}/{}", text(reference, "namespace"), text(reference, "name")),
    }
}

/// The class of a volume or claim: the beta annotation before the field.
pub fn storage_class(object: &Value) -> String {
    let annotation = at(object, "metadata.annotations").get("volume.beta.kubernetes.io/storage-class");
    annotation.and_then(Value::as_str).unwrap_or(text(object, "spec.storageClassName")).to_owned()
}

/// Whether a storage class is the default one.
pub fn is_default_class(class: &Value) -> bool {
    let annotations = at(class, "metadata.annotations");
    ["storageclass.beta.kubernetes.io/is-default-class", "storageclass.kubernetes.io/is-default-class"]
        .iter()
        .any(|key| annotations.get(key).is_some_and(|value| value == "true"))
}

fn storage_class_name(class: &Value) -> String {
    let name = text(class, "metadata.name");
    if is_default_class(class) { format!("{name} (default)") } else { name.to_owned() }
}

/// How far a signing request has come.
pub fn csr_condition(request: &Value) -> String {
    let has = |kind: &str| list(request, "status.conditions").iter().any(|condition| text(condition, "type") == kind);
    let mut shown = match (has("Denied"), has("Approved")) {
        (true, _) => "Denied",
        (_, true) => "Approved",
        _ => "Pending",
    }
    .to_owned();
    if !text(request, "status.certificate").is_empty() {
        shown += ",Issued";
    }
    shown
}

/// The component of an event's source, and its host if there is one.
pub fn event_source(event: &Value) -> String {
    match (text(event, "source.component"), text(event, "source.host")) {
        (component, "") => component.to_owned(),
        (component, host) => format!("{component}, {host}"),
    }
}

fn component_status(component: &Value) -> String {
    let healthy = list(component, "conditions").iter().find(|condition| text(condition, "type") == "Healthy");
    match healthy.map(|condition| text(condition, "status")) {
        Some("True") => "Healthy",
        Some(_) => "Unhealthy",
        None => "Unknown",
    }
    .to_owned()
}

fn component_text(component: &Value, field: &str) -> String {
    let healthy = list(component, "conditions").iter().find(|condition| text(condition, "type") == "Healthy");
    healthy.map_or("", |condition| text(condition, field)).to_owned()
}
