//! ServiceAccount: a pod runs as an account that exists, with that account's token mounted.
//!
//! Behaviour: `plugin/pkg/admission/serviceaccount/admission.go`.

use super::{Attributes, Listers, Operation, is_pod};
use crate::graph::{Kind, references};
use crate::manifest::json::object;
use crate::manifest::{Object, Value};
use crate::status::{Qualified, Status};

const MOUNT_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

pub(super) fn admit(
    listers: Listers<'_>,
    attributes: &Attributes<'_>,
    object: Option<&mut Value>,
) -> Result<(), Status> {
    // Any subresource of pods that carries a Pod: of those that are created, none does but the pod itself.
    if !is_pod(attributes) || attributes.operation != Operation::Create || !attributes.subresource.is_empty() {
        return Ok(());
    }
    let Some(pod) = object else { return Ok(()) };
    let text = |value: &Value, path: &str| value.pointer(path).and_then(Value::as_str).unwrap_or("").to_owned();
    let given = text(pod, "/spec/serviceAccountName");
    if pod.pointer("/metadata/annotations/kubernetes.io~1config.mirror").is_some() {
        let copy = Object::new(pod.clone(), None);
        let cause = if !given.is_empty() {
            "a mirror pod may not reference service accounts"
        } else if references(&copy).iter().any(|reference| reference.kind == Kind::Secret) {
            "a mirror pod may not reference secrets"
        } else {
            return Ok(());
        };
        return Err(attributes.forbidden(Some(pod), cause));
    }
    let name = if given.is_empty() { "default".to_owned() } else { given };
    if let Some(Value::Object(spec)) = pod.get_mut("spec") {
        spec.insert("serviceAccountName".into(), name.as_str().into());
        spec.insert("serviceAccount".into(), name.as_str().into());
    }
    let namespace = attributes.namespace;
    let accounts = listers.release.resource_of("v1", "ServiceAccount");
    let entry = accounts.and_then(|accounts| listers.store.get(&accounts.key(namespace, &name)));
    let account = match entry.map(|entry| entry.object.as_ref()) {
        Some(Ok(account)) => account,
        Some(Err(error)) => {
            let cause = format!("error looking up service account {namespace}/{name}: {}", error.text());
            return Err(attributes.forbidden(Some(pod), &cause));
        }
        None => {
            let cause =
                format!("service account {namespace}/{name} was not found, retry after the service account is created");
            return Err(attributes.forbidden(Some(pod), &cause));
        }
    };
    if let Some(cause) = limit_secrets(account, pod) {
        return Err(attributes.forbidden(Some(pod), &cause));
    }
    let wish = pod.pointer("/spec/automountServiceAccountToken").or(account.value.get("automountServiceAccountToken"));
    if wish.and_then(Value::as_bool).unwrap_or(true) {
        match token_secret(listers, account) {
            Some(secret) => mount(pod, &secret),
            None => {
                let quoted = crate::request::quote(&name);
                let what = Qualified { group: "", name: "serviceaccounts" };
                let mut status = Status::server_timeout(what, "create pod");
                status.message = format!(
                    "No API token found for service account {quoted}, retry after the token is automatically \
                     created and added to the service account"
                );
                if let Some(details) = &mut status.details {
                    details.retry_after_seconds = 1;
                }
                return Err(status);
            }
        }
    }
    let pull = account.value.get("imagePullSecrets");
    if let (Some(pull), Some(Value::Object(spec))) = (pull, pod.get_mut("spec")) {
        let none = spec.get("imagePullSecrets").and_then(Value::as_array).is_none_or(Vec::is_empty);
        if none {
            spec.insert("imagePullSecrets".into(), pull.clone());
        }
    }
    Ok(())
}

fn names(value: Option<&Value>) -> Vec<&str> {
    let elements = value.and_then(Value::as_array).into_iter().flatten();
    elements.filter_map(|element| element.get("name")?.as_str()).collect()
}

fn elements<'a>(value: &'a Value, path: &str) -> impl Iterator<Item = &'a Value> {
    value.pointer(path).and_then(Value::as_array).into_iter().flatten()
}

/// The account may say that its pods mount nothing but its own secrets.
fn limit_secrets(account: &Object, pod: &Value) -> Option<String> {
    let wish = account.value.pointer("/metadata/annotations/kubernetes.io~1enforce-mountable-secrets");
    if !matches!(wish.and_then(Value::as_str), Some("1" | "t" | "T" | "TRUE" | "true" | "True")) {
        return None;
    }
    let mountable = names(account.value.get("secrets"));
    let refusal = format!("is not allowed because service account {} does not reference that", account.name());
    for volume in elements(pod, "/spec/volumes") {
        if let Some(secret) = volume.pointer("/secret/secretName").and_then(Value::as_str)
            && !mountable.contains(&secret)
        {
            return Some(format!("volume with secret.secretName=\"{secret}\" {refusal} secret"));
        }
    }
    for (path, what) in [("/spec/initContainers", "init container"), ("/spec/containers", "container")] {
        for container in elements(pod, path) {
            for variable in elements(container, "/env") {
                if let Some(secret) = variable.pointer("/valueFrom/secretKeyRef/name").and_then(Value::as_str)
                    && !mountable.contains(&secret)
                {
                    let name = |value: &Value| value.get("name").and_then(Value::as_str).unwrap_or("").to_owned();
                    return Some(format!(
                        "{what} {} with envVar {} referencing secret.secretName=\"{secret}\" {refusal} secret",
                        name(container),
                        name(variable)
                    ));
                }
            }
        }
    }
    let pullable = names(account.value.get("imagePullSecrets"));
    let asked = names(pod.pointer("/spec/imagePullSecrets"));
    let wrong = asked.iter().enumerate().find(|(_, name)| !pullable.contains(name));
    wrong.map(|(index, name)| format!("imagePullSecrets[{index}].name=\"{name}\" {refusal} imagePullSecret"))
}

/// The first secret that the account refers to and that holds a token of it.
fn token_secret(listers: Listers<'_>, account: &Object) -> Option<String> {
    let secrets = listers.release.resource_of("v1", "Secret")?;
    let is_token = |name: &&str| {
        let entry = listers.store.get(&secrets.key(account.namespace(), name));
        entry.and_then(|entry| entry.object.as_ref().ok()).is_some_and(|secret| {
            let annotation = |key: &str| secret.text(&["metadata", "annotations", key]);
            secret.text(&["type"]) == "kubernetes.io/service-account-token"
                && annotation("kubernetes.io/service-account.name") == account.name()
                && annotation("kubernetes.io/service-account.uid") == account.uid()
        })
    };
    names(account.value.get("secrets")).into_iter().find(is_token).map(str::to_owned)
}

fn mount(pod: &mut Value, secret: &str) {
    let has = |volume: &&Value| volume.pointer("/secret/secretName").and_then(Value::as_str) == Some(secret);
    let existing = elements(pod, "/spec/volumes").find(has).and_then(|volume| volume.get("name")?.as_str());
    let is_there = existing.is_some();
    let volume = existing.unwrap_or(secret).to_owned();
    let mut needed = false;
    for path in ["/spec/initContainers", "/spec/containers"] {
        for container in pod.pointer_mut(path).and_then(Value::as_array_mut).into_iter().flatten() {
            let taken = |mount: &Value| mount.get("mountPath").and_then(Value::as_str) == Some(MOUNT_PATH);
            if elements(container, "/volumeMounts").any(taken) {
                continue;
            }
            needed = true;
            if let Value::Object(container) = container {
                let mounts = container.entry("volumeMounts").or_insert_with(|| Vec::<Value>::new().into());
                if let Value::Array(mounts) = mounts {
                    let path = MOUNT_PATH.into();
                    mounts.push(object([
                        ("name", volume.as_str().into()),
                        ("readOnly", true.into()),
                        ("mountPath", path),
                    ]));
                }
            }
        }
    }
    if needed
        && !is_there
        && let Some(Value::Object(spec)) = pod.get_mut("spec")
    {
        let volumes = spec.entry("volumes").or_insert_with(|| Vec::<Value>::new().into());
        if let Value::Array(volumes) = volumes {
            let secret = object([("secretName", secret.into()), ("defaultMode", 420.into())]);
            volumes.push(object([("name", volume.into()), ("secret", secret)]));
        }
    }
}
