//! What only some resources can: binding, eviction's budgets, scale, and the streams to kubelets, which nobody serves here.
//!
//! Behaviour: `pkg/registry/core/pod/{strategy.go,storage/storage.go,storage/eviction.go}`, `pkg/registry/core/service/rest.go`.

use std::rc::Rc;

use super::selector::label_selector_matches;
use super::{Outcome, Run, list, member, read, set, text};
use crate::admission::Operation;
use crate::manifest::{Map, Object, Value};
use crate::status::{FieldError, Qualified, Status, aggregate};

const PODS: Qualified<'_> = Qualified { group: "", name: "pods" };

impl Run<'_> {
    /// Binds a pod to a node.
    pub(super) fn bind(&mut self, binding: &Value) -> Outcome {
        let mut errors = Vec::new();
        let (kind, node) = (text(binding, "target.kind"), text(binding, "target.name"));
        if !matches!(kind, "" | "Node") {
            errors.push(FieldError::not_supported("target.kind", kind, &["Node", "<empty>"]));
        }
        if node.is_empty() {
            errors.push(FieldError::required("target.name", ""));
        }
        if !errors.is_empty() {
            return Err(Status::unknown(aggregate(&errors)));
        }
        let name = text(binding, "metadata.name");
        let pods = self.cluster.release.resource_of("v1", "Pod").unwrap_or(self.hub);
        let key = pods.key(&self.call.info.namespace, name);
        let old = read(self.cluster.store.get(&key).ok_or_else(|| Status::not_found(PODS, name))?)?;
        let current = text(&old.value, "spec.nodeName");
        let conflict = |cause: String| Status::conflict(Qualified { group: "", name: "pods/binding" }, name, &cause);
        if member(&old.value, "metadata.deletionTimestamp").is_some() {
            return Err(conflict(format!("pod {name} is being deleted, cannot be assigned to a host")));
        }
        if !current.is_empty() {
            let current = crate::request::quote(current);
            return Err(conflict(format!("pod {name} is already assigned to node {current}")));
        }
        let bound = self.cluster.bind(&old, node, member(binding, "metadata.annotations"), self.world);
        self.put(&key, bound);
        let status = Status { success: true, code: 201, ..Status::default() };
        Ok((201, status.to_value()))
    }

    /// Refuses what a PodDisruptionBudget of the namespace forbids.
    pub(super) fn check_disruption(&self, pod: &Object) -> Result<(), Status> {
        let Some(budgets) = self.cluster.release.resource_of("policy/v1beta1", "PodDisruptionBudget") else {
            return Ok(());
        };
        let labels = member(&pod.value, "metadata.labels");
        let covers = |budget: &Rc<Object>| {
            let selector = member(&budget.value, "spec.selector");
            // A budget without terms covers nothing.
            let terms = ["matchLabels", "matchExpressions"];
            let selector = selector.filter(|it| terms.iter().any(|terms| it.get(terms).is_some()));
            selector.is_some_and(|selector| label_selector_matches(selector, labels))
        };
        let prefix = budgets.key(pod.namespace(), "");
        let range = self.cluster.store.range(&prefix);
        let found: Vec<&Rc<Object>> =
            range.filter_map(|(_, entry)| entry.object.as_ref().ok()).filter(|it| covers(it)).collect();
        match found.as_slice() {
            [] => Ok(()),
            [budget] => {
                let number = |path| member(&budget.value, path).and_then(Value::as_i64).unwrap_or(0);
                let seen = number("status.observedGeneration") >= number("metadata.generation");
                if seen && number("status.disruptionsAllowed") > 0 {
                    return Ok(());
                }
                let message = "Cannot evict pod as it would violate the pod's disruption budget.";
                Err(Status { code: 429, ..Status::unknown(message) })
            }
            _ => Err(Status::unknown(
                "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
            )),
        }
    }

    /// Reads or sets how many pods a controller keeps.
    pub(super) fn scale(&mut self, verb: &str) -> Outcome {
        let old = self.existing()?.ok_or_else(|| self.not_found())?;
        let Some(subresource) = self.call.resource.subresource("scale") else { return Err(Status::no_route()) };
        let scale = self.scale_of(&old, subresource.api_version);
        if verb == "get" {
            return Ok((200, scale));
        }
        let mut sent = if verb == "update" {
            self.call.decode(self.cluster.release, subresource.api_version, subresource.kind)?
        } else {
            let mut patched = scale.clone();
            let text = String::from_utf8_lossy(self.call.body);
            let sent = crate::manifest::json::parse(&text).map_err(|error| Status::unknown(error.message))?;
            match super::body::media_type(self.call.content_type) {
                "application/json-patch+json" => super::patch::json(&mut patched, &sent).map_err(Status::unknown)?,
                _ => super::patch::merge(&mut patched, &sent),
            }
            patched
        };
        self.request_object = Some(sent.clone());
        self.admit(Operation::Update, Some(&mut sent), Some(&scale))?;
        let replicas = member(&sent, "spec.replicas").and_then(Value::as_i64).unwrap_or(0);
        if replicas < 0 {
            let detail = "must be greater than or equal to 0";
            let error = FieldError::invalid_value("spec.replicas", &replicas.to_string(), detail);
            let kind = Qualified { group: "extensions", name: "Scale" };
            return Err(Status::invalid(kind, &self.call.info.name, &[error]));
        }
        let version = text(&sent, "metadata.resourceVersion");
        if !version.is_empty() && version != text(&old.value, "metadata.resourceVersion") {
            return Err(Status::modified(self.qualified(), &self.call.info.name));
        }
        let mut value = old.value.clone();
        set(&mut value, &["spec", "replicas"], Some(replicas.into()));
        if value.get("spec") != old.value.get("spec") {
            let generation = member(&value, "metadata.generation").and_then(Value::as_i64).unwrap_or(0);
            set(&mut value, &["metadata", "generation"], Some((generation + 1).into()));
        }
        let key = self.key(&self.call.info.name);
        let updated = self.replace(&key, value, &old);
        Ok((200, self.scale_of(&updated, subresource.api_version)))
    }

    fn scale_of(&self, object: &Rc<Object>, api_version: &str) -> Value {
        let rendered = self.render(object);
        let mut metadata = Map::new();
        for key in ["name", "namespace", "selfLink", "uid", "resourceVersion", "creationTimestamp"] {
            if let Some(value) = member(&rendered, "metadata").and_then(|metadata| metadata.get(key)) {
                metadata.insert(key.into(), value.clone());
            }
        }
        let mut scale = Value::Object(Map::new());
        set(&mut scale, &["kind"], Some("Scale".into()));
        set(&mut scale, &["apiVersion"], Some(api_version.into()));
        set(&mut scale, &["metadata"], Some(Value::Object(metadata)));
        let replicas = member(&object.value, "spec.replicas").cloned().filter(|it| it.as_i64() != Some(0));
        set(&mut scale, &["spec", "replicas"], replicas);
        if scale.get("spec").is_none() {
            set(&mut scale, &["spec"], Some(Value::Object(Map::new())));
        }
        let running = member(&object.value, "status.replicas").cloned().unwrap_or_else(|| 0.into());
        set(&mut scale, &["status", "replicas"], Some(running));
        let selector = member(&object.value, "spec.selector");
        let labels = selector.and_then(|selector| selector.get("matchLabels")).or(selector).and_then(Value::as_object);
        if let Some(labels) = labels.filter(|labels| !labels.is_empty()) {
            let mut terms: Vec<String> =
                labels.iter().map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or(""))).collect();
            crate::sort::by_text(&mut terms, |term| term);
            if api_version == "autoscaling/v1" {
                set(&mut scale, &["status", "selector"], Some(terms.join(",").into()));
            } else {
                set(&mut scale, &["status", "selector"], Some(Value::Object(labels.clone())));
                set(&mut scale, &["status", "targetSelector"], Some(terms.join(",").into()));
            }
        }
        scale
    }

    /// Streams to a kubelet. None answers here, as on a server whose nodes are out of reach.
    pub(super) fn connect(&mut self, subresource: &str) -> Outcome {
        let name = self.call.info.name.clone();
        if self.hub.kind != "Pod" {
            return self.proxy(self.hub.resource);
        }
        let pod = self.existing()?.ok_or_else(|| self.not_found())?;
        if subresource == "proxy" {
            return unreachable(text(&pod.value, "status.podIP"));
        }
        let wanted = super::query(self.call.query, "container");
        let containers = list(&pod.value, "spec.containers");
        let names = || containers.iter().map(|it| text(it, "name")).collect::<Vec<_>>().join(" ");
        match containers {
            _ if subresource == "portforward" => {}
            [_] if wanted.is_empty() => {}
            [] => return Err(Status::bad_request(format!("a container name must be specified for pod {name}"))),
            _ if wanted.is_empty() => {
                let names = names();
                let message = format!("a container name must be specified for pod {name}, choose one of: [{names}]");
                return Err(Status::bad_request(message));
            }
            several => {
                let init = list(&pod.value, "spec.initContainers");
                let has = |all: &[Value]| all.iter().any(|container| text(container, "name") == wanted);
                if !has(several) && !has(init) {
                    return Err(Status::bad_request(format!("container {wanted} is not valid for pod {name}")));
                }
            }
        }
        match text(&pod.value, "spec.nodeName") {
            // A pod that runs nowhere has an empty log.
            "" if subresource == "log" => Ok((204, Value::Null)),
            "" => Err(Status::bad_request(format!("pod {name} does not have a host assigned"))),
            node => self.kubelet(node),
        }
    }

    fn kubelet(&self, name: &str) -> Outcome {
        let nodes = self.cluster.release.resource_of("v1", "Node").unwrap_or(self.hub);
        let not_found = || Status::not_found(Qualified { group: "", name: "nodes" }, name);
        let node = read(self.cluster.store.get(&nodes.key("", name)).ok_or_else(not_found)?)?;
        match list(&node.value, "status.addresses").first() {
            Some(address) => unreachable(text(address, "address")),
            None => Err(Status::unknown("no preferred addresses found; known addresses: []")),
        }
    }

    /// `/proxy/...` and the proxy subresources: as far as there is somebody to ask.
    pub(super) fn proxy(&mut self, resource: &str) -> Outcome {
        let (name, namespace) = (self.call.info.name.clone(), self.call.info.namespace.clone());
        let bare = name.split(':').find(|part| !part.is_empty() && !matches!(*part, "http" | "https")).unwrap_or("");
        let bare = bare.to_owned();
        match resource {
            "nodes" => self.kubelet(&bare),
            "services" => {
                let endpoints = self.cluster.release.resource_of("v1", "Endpoints").unwrap_or(self.hub);
                let not_found = || Status::not_found(Qualified { group: "", name: "endpoints" }, &bare);
                let entry = self.cluster.store.get(&endpoints.key(&namespace, &bare)).ok_or_else(not_found)?;
                let object = read(entry)?;
                let address = list(&object.value, "subsets").iter().flat_map(|subset| list(subset, "addresses")).next();
                match address {
                    Some(address) => unreachable(text(address, "ip")),
                    None => {
                        let quoted = crate::request::quote(&name);
                        let message = format!("no endpoints available for service {quoted}");
                        Err(Status { code: 503, reason: "ServiceUnavailable", ..Status::unknown(message) })
                    }
                }
            }
            _ => {
                let pods = self.cluster.release.resource_of("v1", "Pod").unwrap_or(self.hub);
                let entry = self.cluster.store.get(&pods.key(&namespace, &bare));
                let pod = read(entry.ok_or_else(|| Status::not_found(PODS, &bare))?)?;
                unreachable(text(&pod.value, "status.podIP"))
            }
        }
    }
}

fn unreachable(host: &str) -> Outcome {
    let message = format!("dial tcp {host}: getsockopt: connection refused");
    Err(Status { code: 503, reason: "ServiceUnavailable", ..Status::unknown(message) })
}
