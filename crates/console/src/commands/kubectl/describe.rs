//! `kubectl describe`: an object in words.
//!
//! Behaviour: `pkg/printers/internalversion/describe.go` of release 1.7. Where it walks a Go map (data of a ConfigMap, the
//! blocks of a ServiceAccount) the order is random there and fixed here.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use portcullis_core::manifest::{Map, Value, json};
use portcullis_core::request::quote;
use portcullis_core::sort;
use portcullis_core::world::time;

use super::super::openssl;
use super::Run;
use super::client::{Client, Error};
use super::printers::{
    access_modes, addresses, age, controller, csr_condition, event_source, is_default_class, load_balancer, map_text,
    metrics, node_role, reference, selector, storage_class,
};
use super::resources::{Fetch, Kind, Query, VALID_RESOURCES, find_objects, find_resource, kind_of, namespace};
use super::tabwriter::{DESCRIPTION, align};
use super::value::{at, count, fill, list, members, number, plain, text, texts};

/// Runs `kubectl describe`.
///
/// # Errors
///
/// As the server says, or what is wrong with the command line.
pub fn describe(run: &mut Run<'_>) -> Result<(), Error> {
    let flags = run.flags;
    if flags.arguments.is_empty() && !flags.given("filename") {
        run.errors += "You must specify the type of resource to describe. ";
        run.errors += VALID_RESOURCES;
        return Err(Error::usage("describe", "Required resource not specified."));
    }
    let query = Query { all_of_type: true, ..Query::new(flags, run.stdin, Fetch::Missing) };
    let mut found = find_objects(&mut run.client, query)?;
    if let [word, prefix] = flags.arguments.as_slice()
        && found.infos.is_empty()
        && found.errors.iter().any(Error::is_not_found)
    {
        return matching(run, word, prefix, found.errors);
    }
    let events = flags.is_not_off("show-events");
    let mut between = "";
    for info in &found.infos {
        match page(&mut run.client, info.kind, &info.namespace, &info.name, events) {
            Ok(page) => {
                run.print(&format!("{between}{page}"));
                between = "\n\n";
            }
            Err(error) if found.errors.contains(&error) => {}
            Err(error) => found.errors.push(error),
        }
    }
    Error::collect(found.errors)
}

/// The objects whose names begin with `prefix`, where none has that very name.
fn matching(run: &mut Run<'_>, word: &str, prefix: &str, errors: Vec<Error>) -> Result<(), Error> {
    let kind = kind_of(run.client.release(), word)?;
    let namespace = if kind.namespaced { namespace(run.flags) } else { "" };
    let all = run.client.list(kind, namespace, &[])?;
    let mut any = false;
    for name in list(&all, "items").iter().map(|item| text(item, "metadata.name")) {
        if name.starts_with(prefix) {
            any = true;
            let page = page(&mut run.client, kind, namespace, name, run.flags.is_not_off("show-events"))?;
            run.print(&format!("{page}\n"));
        }
    }
    if any { Ok(()) } else { Error::collect(errors) }
}

/// One object, fetched anew as kubectl does, with what belongs to it.
fn page(
    client: &mut Client<'_>,
    kind: &'static Kind,
    namespace: &str,
    name: &str,
    events: bool,
) -> Result<String, Error> {
    let object = client.get(kind, namespace, name)?;
    let mut page = Page { text: String::new(), now: client.now() };
    match kind.kind {
        "Role" | "ClusterRole" => role(&mut page, &object),
        "RoleBinding" | "ClusterRoleBinding" => binding(&mut page, &object),
        "ServiceAccount" => service_account(&mut page, &object, client, namespace),
        "Secret" => secret(&mut page, &object),
        "ConfigMap" => config_map(&mut page, &object),
        "Pod" => pod(&mut page, &object),
        "Node" => node(&mut page, &object, client)?,
        "Namespace" => self::namespace_page(&mut page, &object, client)?,
        "Service" => service(&mut page, &object, client, namespace),
        "Endpoints" => endpoints(&mut page, &object),
        "PersistentVolume" => volume(&mut page, &object),
        "PersistentVolumeClaim" => volume_claim(&mut page, &object),
        "StorageClass" => {
            page.field("Name", text(&object, "metadata.name"));
            page.field("IsDefaultClass", if is_default_class(&object) { "Yes" } else { "No" });
            page.field("Annotations", &map_text(at(&object, "metadata.annotations"), "<none>"));
            page.field("Provisioner", text(&object, "provisioner"));
            page.field("Parameters", &map_text(at(&object, "parameters"), "<none>"));
        }
        "NetworkPolicy" => {
            page.head(&object);
        }
        "ReplicaSet" | "ReplicationController" | "Deployment" | "DaemonSet" | "StatefulSet" | "Job" => {
            workload(&mut page, &object, kind.kind, client, namespace)?;
        }
        "HorizontalPodAutoscaler" => autoscaler(&mut page, &object, client),
        "CertificateSigningRequest" => signing_request(&mut page, &object)?,
        "PodDisruptionBudget" => disruption_budget(&mut page, &object),
        "Ingress" => ingress(&mut page, &object, client),
        "LimitRange" => {
            page.fields(&object, NAMED);
            page.limits(list(&object, "spec.limits"), "");
        }
        "ResourceQuota" => {
            page.fields(&object, NAMED);
            page.line("Resource\tUsed\tHard");
            page.line("--------\t----\t----");
            page.used(&object, "");
        }
        _ => {
            page.head(&object);
            generic(&mut page, &object, "", 0);
        }
    }
    let has_events = !matches!(
        kind.kind,
        "Role"
            | "ClusterRole"
            | "RoleBinding"
            | "ClusterRoleBinding"
            | "ServiceAccount"
            | "Secret"
            | "Namespace"
            | "NetworkPolicy"
            | "LimitRange"
            | "ResourceQuota"
    );
    // 1.7 asks for a claim's events whatever --show-events says.
    if has_events && (events || kind.kind == "PersistentVolumeClaim") {
        match events_of(client, kind, &object, namespace) {
            Err(error) if kind.kind == "ConfigMap" => return Err(error),
            // The others look into the list that was to be filled, which is empty.
            found => page.events(&found.unwrap_or_default()),
        }
    }
    Ok(align(&page.text, &DESCRIPTION))
}

/// The events of an object.
fn events_of(client: &mut Client<'_>, kind: &Kind, object: &Value, namespace: &str) -> Result<Value, Error> {
    let events = find_resource(client.release(), "events", "")?;
    let name = text(object, "metadata.name");
    let mut fields = format!("involvedObject.name={name},involvedObject.namespace={namespace}");
    if kind.kind != "Pod" {
        fields = format!("involvedObject.kind={},{fields}", kind.kind);
    }
    // Kubelets report a node's events under its name.
    let uid = if kind.kind == "Node" { name } else { text(object, "metadata.uid") };
    let _ = write!(fields, ",involvedObject.uid={uid}");
    client.list(events, namespace, &[("fieldSelector", &fields)])
}

/// A description being written: cells end with tabs.
struct Page {
    text: String,
    now: DateTime<Utc>,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.text += line;
        self.text.push('\n');
    }

    fn field(&mut self, name: &str, value: &str) {
        let _ = writeln!(self.text, "{name}:\t{value}");
    }

    /// Fields of `object`, each as `Title=path` between bars. Behind the path: `#` a number, `!` a boolean that is false where
    /// it is missing, `@` a time; then `?` where the field is left out when it is empty.
    fn fields(&mut self, object: &Value, specs: &str) {
        for spec in specs.split('|') {
            let (title, path) = spec.split_once('=').unwrap_or((spec, ""));
            let (path, optional) = path.strip_suffix('?').map_or((path, false), |path| (path, true));
            let kind = path.chars().next_back().unwrap_or(' ');
            let value = at(object, path.trim_end_matches(['#', '!', '@']));
            if optional && (value.is_null() || value == "") {
                continue;
            }
            match kind {
                '#' => self.field(title, &value.as_i64().unwrap_or(0).to_string()),
                '!' => self.field(title, if value == true { "true" } else { "false" }),
                '@' => self.field(title, &long_time(value.as_str().unwrap_or(""))),
                _ => self.field(title, value.as_str().unwrap_or("")),
            }
        }
    }

    /// A field that is left out where it is empty.
    fn some(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.field(name, value);
        }
    }

    /// Name, namespace, labels, annotations.
    fn head(&mut self, object: &Value) {
        self.fields(object, NAMED);
        self.labels("Labels", at(object, "metadata.labels"));
        self.annotations("Annotations", object, &[]);
    }

    /// `k=v` a line, or `<none>`.
    fn labels(&mut self, title: &str, labels: &Value) {
        let pairs = members(labels, "");
        self.pairs(
            title,
            pairs.iter().map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or(""))),
            "<none>\n",
        );
    }

    /// As [`Page::labels`], long lines cut, without the keys in `skip`. What is left of nothing but skipped ones is not
    /// even a line's end: 1.7 forgets it.
    fn annotations(&mut self, title: &str, object: &Value, skip: &[&str]) {
        let pairs = members(object, "metadata.annotations");
        let none = if pairs.is_empty() { "<none>\n" } else { "" };
        let kept = pairs.iter().filter(|(key, _)| !skip.contains(key));
        let lines = kept.map(|(key, value)| {
            let line = format!("{key}={}", value.as_str().unwrap_or(""));
            // 200 bytes: a character that is cut in two would be broken output.
            let end = (0..=200).rev().find(|end| line.is_char_boundary(*end)).unwrap_or(0);
            if line.len() > 200 { line.get(..end).unwrap_or("").to_owned() + "..." } else { line }
        });
        self.pairs(title, lines, none);
    }

    fn pairs(&mut self, title: &str, lines: impl Iterator<Item = String>, none: &str) {
        let _ = write!(self.text, "{title}:\t");
        let mut any = false;
        for line in lines {
            if any {
                self.text.push('\t');
            }
            any = true;
            self.line(&line);
        }
        if !any {
            self.text += none;
        }
    }

    /// A list below an indented title, one a line; nothing where there is none.
    fn several(&mut self, title: &str, values: &[&str]) {
        if !values.is_empty() {
            self.field(&format!("\t{title}"), &values.join("\n\t\t"));
        }
    }

    fn events(&mut self, events: &Value) {
        let mut items: Vec<&Value> = list(events, "items").iter().collect();
        if items.is_empty() {
            return self.field("Events", "<none>");
        }
        sort::by_text(&mut items, |event| text(event, "lastTimestamp"));
        self.line("Events:");
        self.line("  FirstSeen\tLastSeen\tCount\tFrom\tSubObjectPath\tType\tReason\tMessage");
        self.line("  ---------\t--------\t-----\t----\t-------------\t--------\t------\t-------");
        for event in items {
            let cells = [
                format!("  {}", age(text(event, "firstTimestamp"), self.now)),
                age(text(event, "lastTimestamp"), self.now),
                number(event, "count").to_string(),
                event_source(event),
                text(event, "involvedObject.fieldPath").to_owned(),
                text(event, "type").to_owned(),
                text(event, "reason").to_owned(),
                text(event, "message").to_owned(),
            ];
            self.line(&cells.join("\t"));
        }
    }

    /// The rows of a ResourceQuota.
    fn used(&mut self, quota: &Value, indent: &str) {
        for (resource, hard) in members(quota, "status.hard") {
            let used = at(quota, "status.used").get(resource).and_then(Value::as_str).unwrap_or("0");
            self.line(&format!("{indent}{resource}\t{used}\t{}", hard.as_str().unwrap_or("")));
        }
    }

    /// The table of a LimitRange.
    fn limits(&mut self, limits: &[Value], indent: &str) {
        self.line(&format!(
            "{indent}Type\tResource\tMin\tMax\tDefault Request\tDefault Limit\tMax Limit/Request Ratio"
        ));
        self.line(&format!(
            "{indent}----\t--------\t---\t---\t---------------\t-------------\t-----------------------"
        ));
        self.limit_rows(limits, indent);
    }

    fn limit_rows(&mut self, limits: &[Value], indent: &str) {
        const FIELDS: [&str; 5] = ["min", "max", "defaultRequest", "default", "maxLimitRequestRatio"];
        for limit in limits {
            let mut resources: Vec<&str> =
                FIELDS.iter().flat_map(|field| members(limit, field)).map(|(resource, _)| resource).collect();
            sort::by_text(&mut resources, |resource| resource);
            resources.dedup();
            for resource in resources {
                let mut line = format!("{indent}{}\t{resource}", text(limit, "type"));
                for field in FIELDS {
                    line.push('\t');
                    line += at(limit, field).get(resource).and_then(Value::as_str).unwrap_or("-");
                }
                self.line(&line);
            }
        }
    }
}

/// What most descriptions begin with.
const NAMED: &str = "Name=metadata.name|Namespace=metadata.namespace";

/// A time as RFC 1123 with a numeric zone; Go's zero time where there is none.
fn long_time(time: &str) -> String {
    match time::instant(time) {
        Some(time) => time::rfc1123(time) + " +0000",
        None => "Mon, 01 Jan 0001 00:00:00 +0000".to_owned(),
    }
}

fn head_of_policy(page: &mut Page, object: &Value) {
    page.field("Name", text(object, "metadata.name"));
    page.labels("Labels", at(object, "metadata.labels"));
    page.annotations("Annotations", object, &[]);
}

/// One row: what one group, resource (or URL) and name may be done with.
struct Row<'a> {
    group: Option<&'a str>,
    resource: Option<&'a str>,
    url: Option<&'a str>,
    name: Option<&'a str>,
    verbs: Vec<&'a str>,
}

impl Row<'_> {
    /// The rule as Go prints it, by which rows are sorted.
    fn sort_key(&self) -> String {
        let one = |name: &str, value: Option<&str>| value.map(|value| format!("{name}:[{}]", quote(value)));
        let verbs: Vec<String> = self.verbs.iter().map(|verb| quote(verb)).collect();
        let parts = [
            one("Resources", self.resource),
            one("NonResourceURLs", self.url),
            one("ResourceNames", self.name),
            one("APIGroups", self.group),
            Some(format!("Verbs:[{}]", verbs.join(" "))),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

fn role(page: &mut Page, object: &Value) {
    head_of_policy(page, object);
    page.line("PolicyRule:");
    page.line("  Resources\tNon-Resource URLs\tResource Names\tVerbs");
    page.line("  ---------\t-----------------\t--------------\t-----");
    let mut rows: Vec<Row<'_>> = Vec::new();
    for rule in list(object, "rules") {
        let (verbs, names) = (texts(rule, "verbs"), texts(rule, "resourceNames"));
        for group in texts(rule, "apiGroups") {
            for resource in texts(rule, "resources") {
                for verb in &verbs {
                    let mut add = |name: Option<&'_ str>| {
                        let same = |row: &&mut Row<'_>| {
                            name.is_none()
                                && row.name.is_none()
                                && row.group == Some(group)
                                && row.resource == Some(resource)
                        };
                        match rows.iter_mut().find(same) {
                            Some(row) => row.verbs.push(verb),
                            None => {
                                let name = name.and_then(|name| names.iter().find(|known| **known == name).copied());
                                rows.push(Row {
                                    group: Some(group),
                                    resource: Some(resource),
                                    url: None,
                                    name,
                                    verbs: vec![*verb],
                                });
                            }
                        }
                    };
                    match names.as_slice() {
                        [] => add(None),
                        names => names.iter().for_each(|name| add(Some(name))),
                    }
                }
            }
        }
        for url in texts(rule, "nonResourceURLs") {
            rows.extend(verbs.iter().map(|verb| Row {
                group: None,
                resource: None,
                url: Some(url),
                name: None,
                verbs: vec![*verb],
            }));
        }
    }
    let mut rows: Vec<(String, Row<'_>)> = rows.into_iter().map(|row| (row.sort_key(), row)).collect();
    sort::by_text(&mut rows, |(key, _)| key);
    for (_, row) in rows {
        let (resource, below) =
            row.resource.map_or(("", None), |text| text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b))));
        let mut shown = resource.to_owned();
        if let Some(group) = row.group.filter(|group| !group.is_empty()) {
            shown = format!("{shown}.{group}");
        }
        if let Some(below) = below {
            shown = format!("{shown}/{below}");
        }
        let (url, name) = (row.url.unwrap_or(""), row.name.unwrap_or(""));
        page.line(&format!("  {shown}\t[{url}]\t[{name}]\t[{}]", row.verbs.join(" ")));
    }
}

fn binding(page: &mut Page, object: &Value) {
    head_of_policy(page, object);
    page.line("Role:");
    page.fields(object, "  Kind=roleRef.kind|  Name=roleRef.name");
    page.line("Subjects:");
    page.line("  Kind\tName\tNamespace");
    page.line("  ----\t----\t---------");
    for subject in list(object, "subjects") {
        let cells = ["kind", "name", "namespace"].map(|field| text(subject, field));
        page.line(&format!("  {}", cells.join("\t")));
    }
}

fn service_account(page: &mut Page, object: &Value, client: &mut Client<'_>, namespace: &str) {
    page.head(object);
    page.line("");
    let secrets =
        client.release().resource("", "v1", "secrets").and_then(|kind| client.list(kind, namespace, &[]).ok());
    let known = secrets.as_ref().map_or(&[] as &[Value], |secrets| list(secrets, "items"));
    let is_missing =
        |name: &str| secrets.is_some() && !known.iter().any(|secret| text(secret, "metadata.name") == name);
    let is_token = |secret: &&Value| {
        let annotation = |key: &str| at(secret, "metadata.annotations").get(key).and_then(Value::as_str).unwrap_or("");
        text(secret, "type") == "kubernetes.io/service-account-token"
            && annotation("kubernetes.io/service-account.name") == text(object, "metadata.name")
            && annotation("kubernetes.io/service-account.uid") == text(object, "metadata.uid")
    };
    let names = |field: &str| list(object, field).iter().map(|secret| text(secret, "name")).collect::<Vec<_>>();
    let tokens = known.iter().filter(is_token).map(|secret| text(secret, "metadata.name")).collect();
    let blocks = [
        ("Image pull secrets:", names("imagePullSecrets")),
        ("Mountable secrets: ", names("secrets")),
        ("Tokens:            ", tokens),
    ];
    for (header, names) in blocks {
        if names.is_empty() {
            page.line(&format!("{header}\t<none>"));
        }
        for (place, name) in names.iter().enumerate() {
            let header = if place == 0 { header } else { "                   " };
            let note = if is_missing(name) { " (not found)" } else { "" };
            page.line(&format!("{header}\t{name}{note}"));
        }
        page.line("");
    }
}

fn secret(page: &mut Page, object: &Value) {
    page.fields(object, NAMED);
    page.labels("Labels", at(object, "metadata.labels"));
    page.annotations("Annotations", object, &["kubectl.kubernetes.io/last-applied-configuration"]);
    page.line("");
    page.field("Type", text(object, "type"));
    page.line("\nData\n====");
    for (key, value) in members(object, "data") {
        let bytes = STANDARD.decode(value.as_str().unwrap_or("")).unwrap_or_default();
        if key == "token" && text(object, "type") == "kubernetes.io/service-account-token" {
            page.field(key, &String::from_utf8_lossy(&bytes));
        } else {
            page.field(key, &format!("{} bytes", bytes.len()));
        }
    }
}

fn config_map(page: &mut Page, object: &Value) {
    page.head(object);
    page.line("\nData\n====");
    for (key, value) in members(object, "data") {
        page.line(&format!("{key}:\n----"));
        page.line(value.as_str().unwrap_or(""));
    }
}

fn pod(page: &mut Page, object: &Value) {
    page.fields(object, NAMED);
    match text(object, "spec.nodeName") {
        "" => page.field("Node", "<none>"),
        node => page.field("Node", &format!("{node}/{}", text(object, "status.hostIP"))),
    }
    page.fields(object, "Start Time=status.startTime@?");
    page.labels("Labels", at(object, "metadata.labels"));
    page.annotations("Annotations", object, &[]);
    match text(object, "metadata.deletionTimestamp") {
        "" => page.field("Status", text(object, "status.phase")),
        time => {
            page.field("Status", &format!("Terminating (expires {})", long_time(time)));
            let grace = number(object, "metadata.deletionGracePeriodSeconds");
            page.field("Termination Grace Period", &format!("{grace}s"));
        }
    }
    page.fields(object, "Reason=status.reason?|Message=status.message?|IP=status.podIP");
    let created_by = at(object, "metadata.annotations").get("kubernetes.io/created-by").and_then(Value::as_str);
    if let Some(reference) = created_by.and_then(|text| json::parse(text).ok()) {
        page.field(
            "Created By",
            &format!("{}/{}", text(&reference, "reference.kind"), text(&reference, "reference.name")),
        );
    }
    page.some("Controlled By", &controller(object));
    if count(object, "spec.initContainers") > 0 {
        let statuses = list(object, "status.initContainerStatuses");
        containers(page, "Init Containers", list(object, "spec.initContainers"), statuses, object, "");
    }
    let statuses = list(object, "status.containerStatuses");
    containers(page, "Containers", list(object, "spec.containers"), statuses, object, "");
    if count(object, "status.conditions") > 0 {
        page.line("Conditions:\n  Type\tStatus");
        for condition in list(object, "status.conditions") {
            page.line(&format!("  {} \t{} ", text(condition, "type"), text(condition, "status")));
        }
    }
    volumes(page, list(object, "spec.volumes"), "");
    let class = match text(object, "status.qosClass") {
        "" => quality_of_service(object),
        class => class,
    };
    page.field("QoS Class", class);
    page.labels("Node-Selectors", at(object, "spec.nodeSelector"));
    let mut tolerations: Vec<&Value> = list(object, "spec.tolerations").iter().collect();
    sort::by_text(&mut tolerations, |toleration| text(toleration, "key"));
    let lines = tolerations.into_iter().map(|toleration| {
        let mut line = text(toleration, "key").to_owned();
        for (mark, field) in [('=', "value"), (':', "effect")] {
            let value = text(toleration, field);
            if !value.is_empty() {
                line.push(mark);
                line += value;
            }
        }
        if let Some(seconds) = at(toleration, "tolerationSeconds").as_i64() {
            let _ = write!(line, " for {seconds}s");
        }
        line
    });
    page.pairs("Tolerations", lines, "<none>\n");
}

fn quality_of_service(pod: &Value) -> &'static str {
    let all = list(pod, "spec.containers");
    let has = |container: &Value, field: &str| count(container, field) > 0;
    if !all.iter().any(|container| has(container, "resources.requests") || has(container, "resources.limits")) {
        return "BestEffort";
    }
    let guaranteed = all.iter().all(|container| {
        let limits = at(container, "resources.limits");
        ["cpu", "memory"].iter().all(|name| limits.get(name).is_some())
            && members(container, "resources.requests").iter().all(|(name, value)| limits.get(name) == Some(*value))
    });
    if guaranteed { "Guaranteed" } else { "Burstable" }
}

fn containers(page: &mut Page, label: &str, all: &[Value], statuses: &[Value], pod: &Value, space: &str) {
    let none = if all.is_empty() { " <none>" } else { "" };
    page.line(&format!("{space}{label}:{none}"));
    let indent = if space.is_empty() { "" } else { " " };
    for container in all {
        let name = text(container, "name");
        let status = statuses.iter().find(|status| text(status, "name") == name);
        page.line(&format!("  {indent}{name}:"));
        let nothing = Value::Null;
        let status = status.unwrap_or(&nothing);
        let has_status = status.is_object();
        if has_status {
            page.fields(status, "    Container ID=containerID");
        }
        page.fields(container, "    Image=image");
        if has_status {
            page.fields(status, "    Image ID=imageID");
        }
        let ports = list(container, "ports").iter();
        let ports: Vec<String> =
            ports.map(|port| format!("{}/{}", number(port, "containerPort"), text(port, "protocol"))).collect();
        match ports.as_slice() {
            [] => page.field("    Port", "<none>"),
            [one] => page.field("    Port", one),
            several => page.field("    Ports", &several.join(", ")),
        }
        for (title, field) in [("Command", "command"), ("Args", "args")] {
            let words = texts(container, field);
            if !words.is_empty() {
                page.line(&format!("    {title}:"));
                words.iter().for_each(|word| page.line(&format!("      {word}")));
            }
        }
        if has_status {
            state(page, "State", at(status, "state"));
            if at(status, "lastState.terminated").is_object() {
                state(page, "Last State", at(status, "lastState"));
            }
            page.field("    Ready", if at(status, "ready") == true { "True" } else { "False" });
            page.fields(status, "    Restart Count=restartCount#");
        }
        for (title, field) in [("Limits", "resources.limits"), ("Requests", "resources.requests")] {
            let quantities = members(container, field);
            if !quantities.is_empty() {
                page.line(&format!("    {title}:"));
            }
            for (name, quantity) in quantities {
                page.field(&format!("      {name}"), quantity.as_str().unwrap_or(""));
            }
        }
        for (title, field) in [("Liveness", "livenessProbe"), ("Readiness", "readinessProbe")] {
            if at(container, field).is_object() {
                page.field(&format!("    {title}"), &probe(at(container, field)));
            }
        }
        environment(page, container, pod);
        let mut mounts: Vec<&Value> = list(container, "volumeMounts").iter().collect();
        sort::by_text(&mut mounts, |mount| text(mount, "mountPath"));
        page.line(if mounts.is_empty() { "    Mounts:\t<none>" } else { "    Mounts:" });
        for mount in mounts {
            let mode = if at(mount, "readOnly") == true { "ro" } else { "rw" };
            page.line(&format!("      {} from {} ({mode})", text(mount, "mountPath"), text(mount, "name")));
        }
    }
}

fn state(page: &mut Page, title: &str, state: &Value) {
    let title = format!("    {title}");
    if at(state, "running").is_object() {
        page.field(&title, "Running");
        page.fields(state, "      Started=running.startedAt@");
    } else if at(state, "terminated").is_object() {
        let ended = at(state, "terminated");
        page.field(&title, "Terminated");
        page.fields(ended, "      Reason=reason?|      Message=message?|      Exit Code=exitCode#");
        if number(ended, "signal") > 0 {
            page.fields(ended, "      Signal=signal#");
        }
        page.fields(ended, "      Started=startedAt@|      Finished=finishedAt@");
    } else {
        page.field(&title, "Waiting");
        page.fields(state, "      Reason=waiting.reason?");
    }
}

fn probe(probe: &Value) -> String {
    let tail = format!(
        "delay={}s timeout={}s period={}s #success={} #failure={}",
        number(probe, "initialDelaySeconds"),
        number(probe, "timeoutSeconds"),
        number(probe, "periodSeconds"),
        number(probe, "successThreshold"),
        number(probe, "failureThreshold")
    );
    if at(probe, "exec").is_object() {
        format!("exec [{}] {tail}", texts(probe, "exec.command").join(" "))
    } else if at(probe, "httpGet").is_object() {
        let scheme = text(probe, "httpGet.scheme").to_ascii_lowercase();
        let (host, port) = (text(probe, "httpGet.host"), plain(at(probe, "httpGet.port")));
        format!("http-get {scheme}://{host}:{port}{} {tail}", text(probe, "httpGet.path"))
    } else if at(probe, "tcpSocket").is_object() {
        let (host, port) = (text(probe, "tcpSocket.host"), plain(at(probe, "tcpSocket.port")));
        format!("tcp-socket {host}:{port} {tail}")
    } else {
        format!("unknown {tail}")
    }
}

fn environment(page: &mut Page, container: &Value, pod: &Value) {
    let from = list(container, "envFrom");
    if !from.is_empty() {
        page.line("    Environment Variables from:");
    }
    for source in from {
        let (what, reference) = match at(source, "configMapRef") {
            Value::Null => ("Secret", at(source, "secretRef")),
            reference => ("ConfigMap", reference),
        };
        let prefix = match text(source, "prefix") {
            "" => String::new(),
            prefix => format!(" with prefix '{prefix}'"),
        };
        let optional = at(reference, "optional") == true;
        page.line(&format!("      {}\t{what}{prefix}\tOptional: {optional}", text(reference, "name")));
    }
    let variables = list(container, "env");
    page.line(if variables.is_empty() { "    Environment:\t<none>" } else { "    Environment:" });
    for variable in variables {
        let name = text(variable, "name");
        let source = at(variable, "valueFrom");
        let reference = |field: &str, what: &str| {
            let reference = at(source, field);
            let (key, name) = (text(reference, "key"), text(reference, "name"));
            let optional = at(reference, "optional") == true;
            format!("<set to the key '{key}' {what} '{name}'>\tOptional: {optional}")
        };
        let value = if at(source, "fieldRef").is_object() {
            let path = text(source, "fieldRef.fieldPath");
            format!("{} ({}:{path})", text(pod, path), text(source, "fieldRef.apiVersion"))
        } else if at(source, "resourceFieldRef").is_object() {
            let resource = text(source, "resourceFieldRef.resource");
            let value = text(at(container, "resources"), resource);
            let value = if value.is_empty() && resource.starts_with("limits.") { "node allocatable" } else { value };
            format!("{value} ({resource})")
        } else if at(source, "secretKeyRef").is_object() {
            reference("secretKeyRef", "in secret")
        } else if at(source, "configMapKeyRef").is_object() {
            reference("configMapKeyRef", "of config map")
        } else {
            text(variable, "value").to_owned()
        };
        page.field(&format!("      {name}"), &value);
    }
}

/// A volume source: its field, what it is called, and its fields as [`Page::fields`] has them.
type VolumeSource = (&'static str, &'static str, &'static str);

const VOLUMES: &[VolumeSource] = &[
    ("hostPath", "HostPath (bare host directory volume)", "    Path=path"),
    ("emptyDir", "EmptyDir (a temporary directory that shares a pod's lifetime)", "    Medium=medium"),
    (
        "gcePersistentDisk",
        "GCEPersistentDisk (a Persistent Disk resource in Google Compute Engine)",
        "    PDName=pdName|    FSType=fsType|    Partition=partition#|    ReadOnly=readOnly!",
    ),
    (
        "awsElasticBlockStore",
        "AWSElasticBlockStore (a Persistent Disk resource in AWS)",
        "    VolumeID=volumeID|    FSType=fsType|    Partition=partition#|    ReadOnly=readOnly!",
    ),
    (
        "gitRepo",
        "GitRepo (a volume that is pulled from git when the pod is created)",
        "    Repository=repository|    Revision=revision",
    ),
    ("secret", "Secret (a volume populated by a Secret)", "    SecretName=secretName|    Optional=optional!"),
    ("configMap", "ConfigMap (a volume populated by a ConfigMap)", "    Name=name|    Optional=optional!"),
    (
        "nfs",
        "NFS (an NFS mount that lasts the lifetime of a pod)",
        "    Server=server|    Path=path|    ReadOnly=readOnly!",
    ),
    (
        "glusterfs",
        "Glusterfs (a Glusterfs mount on the host that shares a pod's lifetime)",
        "    EndpointsName=endpoints|    Path=path|    ReadOnly=readOnly!",
    ),
    (
        "persistentVolumeClaim",
        "PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)",
        "    ClaimName=claimName|    ReadOnly=readOnly!",
    ),
    (
        "cinder",
        "Cinder (a Persistent Disk resource in OpenStack)",
        "    VolumeID=volumeID|    FSType=fsType|    ReadOnly=readOnly!",
    ),
    ("local", "LocalVolume (a persistent volume backed by local storage on a node)", "    Path=path"),
];

fn volume_source(page: &mut Page, volume: &Value) -> bool {
    let Some((field, title, fields)) = VOLUMES.iter().find(|(field, ..)| at(volume, field).is_object()) else {
        return false;
    };
    page.field("    Type", title);
    page.fields(at(volume, field), fields);
    true
}

fn volumes(page: &mut Page, volumes: &[Value], space: &str) {
    if volumes.is_empty() {
        return page.line(&format!("{space}Volumes:\t<none>"));
    }
    page.line(&format!("{space}Volumes:"));
    let indent = if space.is_empty() { "" } else { " " };
    for volume in volumes {
        page.line(&format!("  {indent}{}:", text(volume, "name")));
        if at(volume, "downwardAPI").is_object() {
            page.field("    Type", "DownwardAPI (a volume populated by information about the pod)");
            page.line("    Items:");
            for item in list(volume, "downwardAPI.items") {
                for path in ["fieldRef.fieldPath", "resourceFieldRef.resource"] {
                    let from = text(item, path);
                    if !from.is_empty() {
                        page.line(&format!("      {from} -> {}", text(item, "path")));
                    }
                }
            }
        } else if !volume_source(page, volume) {
            page.line("  <unknown>");
        }
    }
}

/// A quantity in thousandths; 0 for what is none.
fn quantity(text: &str) -> i128 {
    let end = text.find(|c: char| !matches!(c, '0'..='9' | '.' | '-' | '+')).unwrap_or(text.len());
    let (digits, suffix) = text.split_at(end);
    let scale: i128 = match suffix {
        "m" => 1,
        "k" => 1_000_000,
        "M" => 1_000_000_000,
        "G" => 1_000_000_000_000,
        "T" => 1_000_000_000_000_000,
        "Ki" => 1000 << 10,
        "Mi" => 1000 << 20,
        "Gi" => 1000 << 30,
        "Ti" => 1000 << 40,
        _ => 1000,
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mut value = whole.parse::<i64>().map_or(0, i128::from) * scale;
    let mut unit = scale;
    for digit in fraction.chars().take(9).filter_map(|digit| digit.to_digit(10)) {
        unit /= 10;
        value += i128::from(digit) * unit;
    }
    value
}

/// Thousandths as Kubernetes writes them: in the largest unit of the family of `like` that leaves no fraction.
fn quantity_text(value: i128, like: &str) -> String {
    if value % 1000 != 0 {
        return format!("{value}m");
    }
    let value = value / 1000;
    let units: [(&str, i128); 4] = if like.ends_with('i') {
        [("Ti", 1 << 40), ("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)]
    } else {
        [("T", 1_000_000_000_000), ("G", 1_000_000_000), ("M", 1_000_000), ("k", 1_000)]
    };
    match units.iter().find(|(_, unit)| value != 0 && value % unit == 0) {
        Some((name, unit)) => format!("{}{name}", value / unit),
        None => value.to_string(),
    }
}

/// What a pod's containers ask for together, or the largest of its init containers: thousandths, and a text of the same
/// family of units.
fn requested(pod: &Value, field: &str, resource: &str) -> (i128, String) {
    let of = |container: &Value| {
        at(container, field)
            .get(resource)
            .and_then(Value::as_str)
            .map_or((0, String::new()), |text| (quantity(text), text.to_owned()))
    };
    let mut total = (0, String::new());
    for container in list(pod, "spec.containers") {
        let (value, like) = of(container);
        total = (total.0 + value, if total.1.is_empty() { like } else { total.1 });
    }
    for container in list(pod, "spec.initContainers") {
        let candidate = of(container);
        if candidate.0 > total.0 {
            total = candidate;
        }
    }
    total
}

const REQUESTS: [(&str, &str); 4] = [
    ("resources.requests", "cpu"),
    ("resources.limits", "cpu"),
    ("resources.requests", "memory"),
    ("resources.limits", "memory"),
];

fn node(page: &mut Page, object: &Value, client: &mut Client<'_>) -> Result<(), Error> {
    let name = text(object, "metadata.name");
    let pods = client.release().resource("", "v1", "pods");
    let fields = format!("spec.nodeName={name},status.phase!=Failed,status.phase!=Succeeded");
    let pods = match pods.map(|kind| client.list(kind, "", &[("fieldSelector", &fields)])) {
        Some(Ok(pods)) => Some(pods),
        Some(Err(Error::Status(status))) if status.reason == "Forbidden" => None,
        Some(Err(error)) => return Err(error),
        None => None,
    };
    page.field("Name", name);
    page.field("Role", node_role(object));
    page.labels("Labels", at(object, "metadata.labels"));
    page.annotations("Annotations", object, &[]);
    let mut taints: Vec<(String, String)> = Vec::new();
    for taint in list(object, "spec.taints") {
        let (key, effect) = (text(taint, "key"), text(taint, "effect"));
        let shown = match text(taint, "value") {
            "" => format!("{key}:{effect}"),
            value => format!("{key}={value}:{effect}"),
        };
        taints.push((format!("{effect},{key}"), shown));
    }
    sort::by_text(&mut taints, |(key, _)| key);
    page.pairs("Taints", taints.into_iter().map(|(_, shown)| shown), "<none>\n");
    page.fields(object, "CreationTimestamp=metadata.creationTimestamp@");
    let conditions = list(object, "status.conditions");
    if !conditions.is_empty() {
        page.line("Conditions:");
        page.line("  Type\tStatus\tLastHeartbeatTime\tLastTransitionTime\tReason\tMessage");
        page.line("  ----\t------\t-----------------\t------------------\t------\t-------");
    }
    for condition in conditions {
        let cells = [
            format!("  {}", text(condition, "type")),
            text(condition, "status").to_owned(),
            long_time(text(condition, "lastHeartbeatTime")),
            long_time(text(condition, "lastTransitionTime")),
            text(condition, "reason").to_owned(),
            text(condition, "message").to_owned(),
        ];
        page.line(&cells.join(" \t"));
    }
    page.line("Addresses:");
    for address in list(object, "status.addresses") {
        page.field(&format!("  {}", text(address, "type")), text(address, "address"));
    }
    for (title, path) in [("Capacity:", "status.capacity"), ("Allocatable:", "status.allocatable")] {
        let quantities = members(object, path);
        if !quantities.is_empty() {
            page.line(title);
        }
        for (resource, quantity) in quantities {
            page.field(&format!(" {resource}"), quantity.as_str().unwrap_or(""));
        }
    }
    page.line("System Info:");
    page.fields(
        at(object, "status.nodeInfo"),
        " Machine ID=machineID| System UUID=systemUUID| Boot ID=bootID| Kernel Version=kernelVersion| OS Image=osImage| \
        Operating System=operatingSystem| Architecture=architecture| Container Runtime Version=containerRuntimeVersion| \
        Kubelet Version=kubeletVersion| Kube-Proxy Version=kubeProxyVersion",
    );
    page.fields(object, "PodCIDR=spec.podCIDR?|ExternalID=spec.externalID?");
    match pods {
        Some(pods) => node_pods(page, object, list(&pods, "items")),
        None => page.field("Pods", "not authorized"),
    }
    Ok(())
}

fn node_pods(page: &mut Page, node: &Value, pods: &[Value]) {
    page.field("Non-terminated Pods", &format!("({} in total)", pods.len()));
    page.line("  Namespace\tName\t\tCPU Requests\tCPU Limits\tMemory Requests\tMemory Limits");
    page.line("  ---------\t----\t\t------------\t----------\t---------------\t-------------");
    let allocatable = if count(node, "status.allocatable") > 0 {
        at(node, "status.allocatable")
    } else {
        at(node, "status.capacity")
    };
    let cell = |(value, like): (i128, String), resource: &str| {
        let all = quantity(allocatable.get(resource).and_then(Value::as_str).unwrap_or("0"));
        // Go's integer of 0/0 and of x/0.
        let percent = value.saturating_mul(100).checked_div(all).unwrap_or(i128::from(i64::MIN));
        format!("{} ({percent}%)", quantity_text(value, &like))
    };
    let mut totals: [(i128, String); 4] = Default::default();
    for pod in pods {
        let mut line = format!("  {}\t{}\t", text(pod, "metadata.namespace"), text(pod, "metadata.name"));
        for ((field, resource), total) in REQUESTS.iter().zip(&mut totals) {
            let asked = requested(pod, field, resource);
            *total =
                (total.0 + asked.0, if total.1.is_empty() { asked.1.clone() } else { std::mem::take(&mut total.1) });
            line.push('\t');
            line += &cell(asked, resource);
        }
        page.line(&line);
    }
    page.line("Allocated resources:");
    page.line("  (Total limits may be over 100 percent, i.e., overcommitted.)");
    page.line("  CPU Requests\tCPU Limits\tMemory Requests\tMemory Limits");
    page.line("  ------------\t----------\t---------------\t-------------");
    let cells: Vec<String> = REQUESTS.iter().zip(totals).map(|((_, resource), total)| cell(total, resource)).collect();
    page.line(&format!("  {}", cells.join("\t")));
}

fn namespace_page(page: &mut Page, object: &Value, client: &mut Client<'_>) -> Result<(), Error> {
    let name = text(object, "metadata.name");
    let mut fetch = |resource: &str| match client.release().resource("", "v1", resource) {
        Some(kind) => match client.list(kind, name, &[]) {
            Ok(all) => Ok(Some(all)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        },
        None => Ok(None),
    };
    let (quotas, limits) = (fetch("resourcequotas")?, fetch("limitranges")?);
    page.field("Name", name);
    page.labels("Labels", at(object, "metadata.labels"));
    page.annotations("Annotations", object, &[]);
    page.field("Status", text(object, "status.phase"));
    if let Some(quotas) = quotas {
        page.line("");
        let quotas = list(&quotas, "items");
        page.text += if quotas.is_empty() { "No resource quota.\n" } else { "Resource Quotas" };
        for quota in quotas {
            page.line("");
            page.field(" Name", text(quota, "metadata.name"));
            page.line(" Resource\tUsed\tHard");
            page.line(" --------\t---\t---");
            page.used(quota, " ");
        }
    }
    if let Some(limits) = limits {
        page.line("");
        let limits = list(&limits, "items");
        match limits.split_first() {
            None => page.line("No resource limits."),
            Some((first, rest)) => {
                page.line("Resource Limits");
                page.limits(list(first, "spec.limits"), " ");
                rest.iter().for_each(|range| page.limit_rows(list(range, "spec.limits"), " "));
            }
        }
    }
    Ok(())
}

fn service(page: &mut Page, object: &Value, client: &mut Client<'_>, namespace: &str) {
    let endpoints = client.release().resource("", "v1", "endpoints");
    let endpoints = endpoints.and_then(|kind| client.get(kind, namespace, text(object, "metadata.name")).ok());
    let endpoints = endpoints.unwrap_or_else(|| Map::new().into());
    page.head(object);
    page.field("Selector", &map_text(at(object, "spec.selector"), "<none>"));
    page.fields(object, "Type=spec.type|IP=spec.clusterIP");
    page.some("External IPs", &texts(object, "spec.externalIPs").join(","));
    page.fields(object, "External Name=spec.externalName?");
    let balancer = list(object, "status.loadBalancer.ingress").iter().map(|entry| match text(entry, "ip") {
        "" => text(entry, "hostname"),
        ip => ip,
    });
    page.some("LoadBalancer Ingress", &balancer.collect::<Vec<_>>().join(", "));
    for port in list(object, "spec.ports") {
        let name = text(port, "name");
        let shown = if name.is_empty() { "<unset>" } else { name };
        let protocol = text(port, "protocol");
        page.line(&format!("Port:\t{shown}\t{}/{protocol}", number(port, "port")));
        let node_port = number(port, "nodePort");
        if node_port != 0 {
            page.line(&format!("NodePort:\t{shown}\t{node_port}/{protocol}"));
        }
        page.field("Endpoints", &addresses(&endpoints, Some(name)));
    }
    page.field("Session Affinity", text(object, "spec.sessionAffinity"));
}

fn endpoints(page: &mut Page, object: &Value) {
    page.head(object);
    page.line("Subsets:");
    for subset in list(object, "subsets") {
        for (title, field) in [("Addresses", "addresses"), ("NotReadyAddresses", "notReadyAddresses")] {
            let ips: Vec<&str> = list(subset, field).iter().map(|address| text(address, "ip")).collect();
            page.field(&format!("  {title}"), if ips.is_empty() { "<none>" } else { "" });
            if !ips.is_empty() {
                page.text.pop();
                page.line(&ips.join(","));
            }
        }
        if count(subset, "ports") > 0 {
            page.line("  Ports:\n    Name\tPort\tProtocol\n    ----\t----\t--------");
        }
        for port in list(subset, "ports") {
            let name = text(port, "name");
            let name = if name.is_empty() { "<unset>" } else { name };
            page.line(&format!("    {name}\t{}\t{}", number(port, "port"), text(port, "protocol")));
        }
        page.line("");
    }
}

fn volume(page: &mut Page, object: &Value) {
    head_of_policy(page, object);
    page.field("StorageClass", &storage_class(object));
    page.field("Status", text(object, "status.phase"));
    let claim = at(object, "spec.claimRef");
    let claim =
        if claim.is_object() { format!("{}/{}", text(claim, "namespace"), text(claim, "name")) } else { String::new() };
    page.field("Claim", &claim);
    page.fields(object, "Reclaim Policy=spec.persistentVolumeReclaimPolicy");
    page.field("Access Modes", &access_modes(object, "spec.accessModes"));
    page.fields(object, "Capacity=spec.capacity.storage|Message=status.message");
    page.line("Source:");
    volume_source(page, at(object, "spec"));
}

fn volume_claim(page: &mut Page, object: &Value) {
    let volume = text(object, "spec.volumeName");
    page.fields(object, NAMED);
    page.field("StorageClass", &storage_class(object));
    page.field("Status", text(object, "status.phase"));
    page.field("Volume", volume);
    page.labels("Labels", at(object, "metadata.labels"));
    page.annotations("Annotations", object, &[]);
    page.field("Capacity", if volume.is_empty() { "" } else { text(object, "status.capacity.storage") });
    let modes = if volume.is_empty() { String::new() } else { access_modes(object, "status.accessModes") };
    page.field("Access Modes", &modes);
}

/// What keeps pods: its counts, its template, and what each kind has besides.
fn workload(
    page: &mut Page,
    object: &Value,
    kind: &str,
    client: &mut Client<'_>,
    namespace: &str,
) -> Result<(), Error> {
    let chosen = selector(at(object, "spec.selector"), "");
    let shown = if chosen.is_empty() { "<none>" } else { chosen.as_str() };
    let (spec, status) = (at(object, "spec"), at(object, "status"));
    page.field("Name", text(object, "metadata.name"));
    if kind != "DaemonSet" {
        page.field("Namespace", text(object, "metadata.namespace"));
    }
    if matches!(kind, "Deployment" | "StatefulSet") {
        page.fields(object, "CreationTimestamp=metadata.creationTimestamp@");
    }
    if kind != "Deployment" {
        page.field("Selector", shown);
    }
    if kind == "DaemonSet" {
        page.field("Node-Selector", &map_text(at(spec, "template.spec.nodeSelector"), "<none>"));
    }
    page.labels("Labels", at(object, "metadata.labels"));
    page.annotations("Annotations", object, &[]);
    let (current, desired) = (number(status, "replicas"), number(spec, "replicas"));
    match kind {
        "Deployment" => {
            page.field("Selector", shown);
            let (updated, available) = (number(status, "updatedReplicas"), number(status, "availableReplicas"));
            let unavailable = number(status, "unavailableReplicas");
            page.field(
                "Replicas",
                &format!(
                    "{desired} desired | {updated} updated | {current} total | {available} available | {unavailable} \
                    unavailable"
                ),
            );
            page.fields(spec, "StrategyType=strategy.type|MinReadySeconds=minReadySeconds#");
            let rolling = at(spec, "strategy.rollingUpdate");
            if rolling.is_object() {
                let (down, up) = (plain(at(rolling, "maxUnavailable")), plain(at(rolling, "maxSurge")));
                page.field("RollingUpdateStrategy", &format!("{down} max unavailable, {up} max surge"));
            }
        }
        "DaemonSet" => {
            for (title, field) in [
                ("Desired Number of Nodes Scheduled", "desiredNumberScheduled"),
                ("Current Number of Nodes Scheduled", "currentNumberScheduled"),
                ("Number of Nodes Scheduled with Up-to-date Pods", "updatedNumberScheduled"),
                ("Number of Nodes Scheduled with Available Pods", "numberAvailable"),
                ("Number of Nodes Misscheduled", "numberMisscheduled"),
            ] {
                page.line(&format!("{title}: {}", number(status, field)));
            }
        }
        "StatefulSet" => page.field("Replicas", &format!("{desired} desired | {current} total")),
        "Job" => {
            page.field("Parallelism", &number(spec, "parallelism").to_string());
            let completions = at(spec, "completions").as_i64();
            page.field("Completions", &completions.map_or("<unset>".to_owned(), |count| count.to_string()));
            let started = text(status, "startTime");
            page.some("Start Time", &if started.is_empty() { String::new() } else { long_time(started) });
            let deadline = at(spec, "activeDeadlineSeconds").as_i64();
            page.some("Active Deadline Seconds", &deadline.map_or(String::new(), |seconds| format!("{seconds}s")));
            let (running, succeeded, failed) =
                (number(status, "active"), number(status, "succeeded"), number(status, "failed"));
            page.field("Pods Statuses", &format!("{running} Running / {succeeded} Succeeded / {failed} Failed"));
        }
        _ => {
            page.some("Controlled By", &controller(object));
            page.field("Replicas", &format!("{current} current / {desired} desired"));
        }
    }
    if !matches!(kind, "Deployment" | "Job") {
        let pods = find_resource(client.release(), "pods", "")?;
        let counts = match client.list(pods, namespace, &[("labelSelector", &chosen)]) {
            Ok(pods) => {
                let in_phase =
                    |phase: &str| list(&pods, "items").iter().filter(|pod| text(pod, "status.phase") == phase).count();
                let [running, waiting, succeeded, failed] = ["Running", "Pending", "Succeeded", "Failed"].map(in_phase);
                format!("{running} Running / {waiting} Waiting / {succeeded} Succeeded / {failed} Failed")
            }
            Err(error) if kind == "ReplicaSet" => format!("error in fetching pods: {}", error.message()),
            Err(error) => return Err(error),
        };
        page.field("Pods Status", &counts);
    }
    let template = at(spec, "template");
    page.line("Pod Template:");
    page.labels("  Labels", at(template, "metadata.labels"));
    if count(template, "metadata.annotations") > 0 {
        page.annotations("  Annotations", template, &[]);
    }
    page.some("  Service Account", text(template, "spec.serviceAccountName"));
    if count(template, "spec.initContainers") > 0 {
        containers(page, "Init Containers", list(template, "spec.initContainers"), &[], template, "  ");
    }
    containers(page, "Containers", list(template, "spec.containers"), &[], template, "  ");
    volumes(page, list(template, "spec.volumes"), "  ");
    match kind {
        "StatefulSet" => claims(page, list(spec, "volumeClaimTemplates")),
        "Deployment" | "ReplicaSet" | "ReplicationController" => {
            let conditions = list(status, "conditions");
            if !conditions.is_empty() {
                page.line("Conditions:\n  Type\tStatus\tReason\n  ----\t------\t------");
            }
            for condition in conditions {
                let [kind, status, reason] = ["type", "status", "reason"].map(|field| text(condition, field));
                page.line(&format!("  {kind} \t{status}\t{reason}"));
            }
        }
        _ => {}
    }
    if kind == "Deployment" {
        replica_sets(page, object, &chosen, client, namespace);
    }
    Ok(())
}

/// The ReplicaSets of a Deployment: the one of its template, and those before it that still have pods.
fn replica_sets(page: &mut Page, object: &Value, chosen: &str, client: &mut Client<'_>, namespace: &str) {
    let kind = client.release().resource("extensions", "v1beta1", "replicasets");
    let Some(sets) = kind.and_then(|kind| client.list(kind, namespace, &[("labelSelector", chosen)]).ok()) else {
        return;
    };
    let uid = text(object, "metadata.uid");
    let owned = |set: &&Value| list(set, "metadata.ownerReferences").iter().any(|owner| text(owner, "uid") == uid);
    let is_new = |set: &&Value| {
        let mut template = at(set, "spec.template").clone();
        if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
            labels.shift_remove("pod-template-hash");
        }
        template == *at(object, "spec.template")
    };
    let (new, old): (Vec<&Value>, Vec<&Value>) = list(&sets, "items").iter().filter(owned).partition(is_new);
    let names = |sets: &[&Value]| {
        let shown: Vec<String> = sets
            .iter()
            .map(|set| {
                let (name, created, wanted) =
                    (text(set, "metadata.name"), number(set, "status.replicas"), number(set, "spec.replicas"));
                format!("{name} ({created}/{wanted} replicas created)")
            })
            .collect();
        if shown.is_empty() { "<none>".to_owned() } else { shown.join(", ") }
    };
    let old: Vec<&Value> = old.into_iter().filter(|set| number(set, "status.replicas") > 0).collect();
    page.field("OldReplicaSets", &names(&old));
    page.field("NewReplicaSet", &names(&new));
}

fn claims(page: &mut Page, templates: &[Value]) {
    if templates.is_empty() {
        return page.field("Volume Claims", "<none>");
    }
    page.line("Volume Claims:");
    for claim in templates {
        page.field("  Name", text(claim, "metadata.name"));
        page.field("  StorageClass", &storage_class(claim));
        page.labels("  Labels", at(claim, "metadata.labels"));
        page.annotations("  Annotations", claim, &[]);
        let capacity = text(claim, "spec.resources.requests.storage");
        page.field("  Capacity", if capacity.is_empty() { "<default>" } else { capacity });
        page.field("  Access Modes", &format!("[{}]", texts(claim, "spec.accessModes").join(" ")));
    }
}

/// Annotations in which `autoscaling/v1` keeps what newer versions have fields for: kubectl reads them as such.
const AUTOSCALING: [&str; 3] = [
    "autoscaling.alpha.kubernetes.io/metrics",
    "autoscaling.alpha.kubernetes.io/current-metrics",
    "autoscaling.alpha.kubernetes.io/conditions",
];

fn autoscaler(page: &mut Page, object: &Value, client: &mut Client<'_>) {
    let mut own = object.clone();
    let annotations = own.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut);
    let conditions = annotations.and_then(|annotations| {
        let mut taken = AUTOSCALING.map(|key| annotations.shift_remove(key));
        json::parse(taken.last_mut()?.take()?.as_str()?).ok()
    });
    page.head(&own);
    page.fields(object, "CreationTimestamp=metadata.creationTimestamp@");
    page.field("Reference", &reference(object));
    page.field("Metrics", "( current / target )");
    for metric in metrics(object) {
        page.field(&format!("  {}", metric.title), &format!("{} / {}", metric.detailed, metric.target));
    }
    let least = at(object, "spec.minReplicas").as_i64();
    page.field("Min replicas", &least.map_or("<unset>".to_owned(), |count| count.to_string()));
    page.fields(object, "Max replicas=spec.maxReplicas#");
    let target = at(object, "spec.scaleTargetRef");
    if text(target, "kind").eq_ignore_ascii_case("replicationcontroller") {
        let kind = client.release().resource("", "v1", "replicationcontrollers");
        let found = kind
            .and_then(|kind| client.get(kind, text(object, "metadata.namespace"), text(target, "name")).ok())
            .map(|found| (number(&found, "status.replicas"), number(&found, "spec.replicas")));
        let counts = found.map_or("failed to check Replication Controller".to_owned(), |(current, desired)| {
            format!("{current} current / {desired} desired")
        });
        page.field("ReplicationController pods", &counts);
    }
    let conditions = conditions.as_ref().map_or(&[] as &[Value], |conditions| list(conditions, ""));
    if !conditions.is_empty() {
        page.line("Conditions:\n  Type\tStatus\tReason\tMessage\n  ----\t------\t------\t-------");
    }
    for condition in conditions {
        let cells = ["type", "status", "reason", "message"].map(|field| text(condition, field));
        page.line(&format!("  {}", cells.join("\t")));
    }
}

fn signing_request(page: &mut Page, object: &Value) -> Result<(), Error> {
    let request = STANDARD.decode(text(object, "spec.request")).unwrap_or_default();
    let request =
        openssl::request(&String::from_utf8_lossy(&request)).map_err(|error| format!("Error parsing CSR: {error}"))?;
    page.field("Name", text(object, "metadata.name"));
    page.field("Labels", &map_text(at(object, "metadata.labels"), "<none>"));
    page.field("Annotations", &map_text(at(object, "metadata.annotations"), "<none>"));
    page.fields(object, "CreationTimestamp=metadata.creationTimestamp@|Requesting User=spec.username");
    page.field("Status", &csr_condition(object));
    page.line("Subject:");
    let named = |key: &str| -> Vec<&str> {
        request.subject.iter().filter(|(known, _)| known == key).map(|(_, value)| value.as_str()).collect()
    };
    for (title, key) in [("Common Name", "CN"), ("Serial Number", "serialNumber")] {
        page.field(&format!("\t{title}"), named(key).last().unwrap_or(&""));
    }
    for (title, key) in [
        ("Organization", "O"),
        ("Organizational Unit", "OU"),
        ("Country", "C"),
        ("Locality", "L"),
        ("Province", "ST"),
        ("StreetAddress", "street"),
        ("PostalCode", "postalCode"),
    ] {
        page.several(title, &named(key));
    }
    if !request.names.is_empty() {
        page.line("Subject Alternative Names:");
    }
    for title in ["DNS Names", "Email Addresses", "IP Addresses"] {
        let names = request.names.iter().filter(|(kind, _)| *kind == title).map(|(_, name)| name.as_str());
        page.several(title, &names.collect::<Vec<_>>());
    }
    Ok(())
}

fn disruption_budget(page: &mut Page, object: &Value) {
    page.field("Name", text(object, "metadata.name"));
    let spec = at(object, "spec");
    for (title, field) in [("Min available", "minAvailable"), ("Max unavailable", "maxUnavailable")] {
        if !at(spec, field).is_null() {
            page.field(title, &plain(at(spec, field)));
            break;
        }
    }
    let chosen = at(spec, "selector");
    page.field("Selector", &if chosen.is_null() { "<unset>".to_owned() } else { selector(chosen, "<none>") });
    page.line("Status:");
    page.fields(
        at(object, "status"),
        "    Allowed disruptions=disruptionsAllowed#|    Current=currentHealthy#|    Desired=desiredHealthy#|    \
        Total=expectedPods#",
    );
}

fn ingress(page: &mut Page, object: &Value, client: &mut Client<'_>) {
    page.fields(object, NAMED);
    page.field("Address", &load_balancer(object, true));
    let own = text(object, "metadata.namespace");
    let fallback = fill(r#"{"serviceName":"default-http-backend","servicePort":80}"#, &[]);
    // Without a backend of its own, every service of it is looked for where the default one lives: 1.7 does so.
    let (default, namespace) = match at(object, "spec.backend") {
        Value::Null => (&fallback, "kube-system"),
        backend => (backend, own),
    };
    let mut backend = |backend: &Value| {
        let (name, port) = (text(backend, "serviceName"), at(backend, "servicePort"));
        let mut fetch = |resource: &str| {
            let kind = client.release().resource("", "v1", resource)?;
            client.get(kind, namespace, name).ok()
        };
        let endpoints = fetch("endpoints").unwrap_or_default();
        let service = fetch("services").unwrap_or_default();
        let is_meant =
            |known: &&Value| if port.is_string() { at(known, "name") == port } else { at(known, "port") == port };
        let port_name = list(&service, "spec.ports").iter().rfind(is_meant).map_or("", |port| text(port, "name"));
        format!("{name}:{} ({})", plain(port), addresses(&endpoints, Some(port_name)))
    };
    let shown_default = backend(default);
    page.field("Default backend", &shown_default);
    let tls = list(object, "spec.tls");
    if !tls.is_empty() {
        page.line("TLS:");
    }
    for entry in tls {
        let hosts = texts(entry, "hosts").join(",");
        match text(entry, "secretName") {
            "" => page.line(&format!("  SNI routes {hosts}")),
            secret => page.line(&format!("  {secret} terminates {hosts}")),
        }
    }
    page.line("Rules:\n  Host\tPath\tBackends\n  ----\t----\t--------");
    let rules: Vec<&Value> = list(object, "spec.rules").iter().filter(|rule| at(rule, "http").is_object()).collect();
    for rule in &rules {
        let host = text(rule, "host");
        page.line(&format!("  {}\t", if host.is_empty() { "*" } else { host }));
        for path in list(rule, "http.paths") {
            let line = format!("    \t{} \t{}", text(path, "path"), backend(at(path, "backend")));
            page.line(&line);
        }
    }
    if rules.is_empty() {
        page.line(&format!("  *\t* \t{shown_default}"));
    }
    page.line("Annotations:");
    for (key, value) in members(object, "metadata.annotations") {
        if key.starts_with("ingress") {
            page.field(&format!("  {}", key.rsplit('/').next().unwrap_or(key)), value.as_str().unwrap_or(""));
        }
    }
}

/// A kind without a describer: every field under a title made of its name.
fn generic(page: &mut Page, content: &Value, path: &str, level: usize) {
    const SKIP: [&str; 4] = [".metadata.name", ".metadata.namespace", ".metadata.labels", ".metadata.annotations"];
    let indent = "  ".repeat(level.min(32));
    for (field, value) in members(content, "") {
        let here = format!("{path}.{field}");
        if SKIP.contains(&here.as_str()) {
            continue;
        }
        let title = format!("{indent}{}", title(field));
        match value {
            Value::Object(_) => {
                page.line(&format!("{title}:"));
                generic(page, value, &here, level + 1);
            }
            Value::Array(elements) => {
                page.line(&format!("{title}:"));
                for element in elements {
                    match element {
                        Value::Object(_) => generic(page, element, &here, level + 1),
                        other => page.line(&format!("{indent}  {}", plain(other))),
                    }
                }
            }
            other => page.field(&title, &plain(other)),
        }
    }
}

/// `creationTimestamp` as `Creation Timestamp`, `uid` as `UID`.
fn title(field: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut before = ' ';
    let mut characters = field.chars().peekable();
    while let Some(c) = characters.next() {
        let next_is_lower = characters.peek().is_some_and(char::is_ascii_lowercase);
        let starts = c.is_ascii_uppercase() && (!before.is_ascii_uppercase() || next_is_lower);
        match words.last_mut() {
            Some(word) if !starts => word.push(c),
            _ => words.push(c.to_string()),
        }
        before = c;
    }
    for word in &mut words {
        let upper = word.to_ascii_uppercase();
        let acronym = matches!(upper.as_str(), "API" | "URL" | "UID" | "OSB" | "GUID");
        let mut characters = word.chars();
        *word = match characters.next() {
            _ if acronym => upper,
            Some(first) => first.to_ascii_uppercase().to_string() + characters.as_str(),
            None => upper,
        };
    }
    words.join(" ")
}
