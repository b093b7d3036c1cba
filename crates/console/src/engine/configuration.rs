//! What a document's manifests ask of the server.

use std::rc::Rc;

use portcullis_core::manifest::{Diagnostic, Manifest, Object, Place, Severity, Value};

/// What a document's manifests are, by their kind: objects of the cluster, and files that configure the server.
#[derive(Default)]
pub(super) struct Configuration {
    pub(super) objects: Vec<Rc<Object>>,
    encryption: Vec<(String, u32)>,
    audit: Vec<(String, u32)>,
    kubeconfig: Vec<(String, u32)>,
    /// The flags of a static Pod, and its line.
    pod: Option<(Vec<String>, u32)>,
    /// What is to be said of files in the form of later releases.
    later: Vec<Diagnostic>,
}

/// A part of the configuration.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Encryption,
    Audit,
    Webhook,
    Pod,
}

impl Configuration {
    /// Takes `manifest` for what it is; `file` gives the name of the file that has what stands at a place, and no other
    /// configuration, and what is to be said of its form.
    pub(super) fn sort(
        &mut self,
        manifest: &Manifest,
        file: impl FnOnce(&Place) -> (String, Option<Diagnostic>),
    ) -> Vec<Diagnostic> {
        let document = manifest.document();
        // The items of a list, of which there may be many, are objects and nothing else.
        if document.value.is_null() {
            return self.take(manifest);
        }
        let text = |key: &str| document.value.get(key).and_then(Value::as_str).unwrap_or_default();
        let (group, kind) = (text("apiVersion").split('/').next().unwrap_or_default(), text("kind"));
        let place = document.origin.place(&[]);
        let files = match (group, kind) {
            (_, "EncryptionConfig" | "EncryptionConfiguration") => &mut self.encryption,
            ("audit.k8s.io", "Policy") => &mut self.audit,
            (_, "") if is_audit_policy(&document.value) => &mut self.audit,
            ("v1", "Config") => &mut self.kubeconfig,
            ("v1", "Pod") if let Some(flags) = apiserver_flags(&document.value) => {
                self.pod = Some((flags, place.line));
                return Vec::new();
            }
            _ => return self.take(manifest),
        };
        let (name, later) = file(&place);
        files.push((name, place.line));
        self.later.extend(later);
        Vec::new()
    }

    fn take(&mut self, manifest: &Manifest) -> Vec<Diagnostic> {
        let (objects, diagnostics) = manifest.objects();
        self.objects.extend(objects.iter().cloned());
        diagnostics.collect()
    }

    /// The line of a part.
    pub(super) fn line(&self, part: Part) -> Option<u32> {
        let files = match part {
            Part::Encryption => &self.encryption,
            Part::Audit => &self.audit,
            Part::Webhook => &self.kubeconfig,
            Part::Pod => return self.pod.as_ref().map(|(_, line)| *line),
        };
        files.first().map(|(_, line)| *line)
    }

    /// The first line of configuration.
    pub(super) fn first_line(&self) -> u32 {
        let parts = [Part::Encryption, Part::Audit, Part::Webhook, Part::Pod];
        parts.into_iter().filter_map(|part| self.line(part)).min().unwrap_or_default()
    }

    /// The part that the server refuses with `message`, of those that are not in `without`.
    pub(super) fn blamed(&self, message: &str, without: &[(Part, String)]) -> Option<Part> {
        let part = if self.pod.is_some() && !without.iter().any(|(part, _)| *part == Part::Pod) {
            Part::Pod
        } else if message.contains("encryption provider") {
            Part::Encryption
        } else if message.contains("audit webhook") {
            Part::Webhook
        } else {
            Part::Audit
        };
        self.line(part).filter(|_| !without.iter().any(|(other, _)| *other == part)).map(|_| part)
    }

    /// The flags of the first start, as if the document had none of the parts in `without`.
    pub(super) fn flags(&self, without: &[(Part, String)]) -> Vec<String> {
        let has = |part: Part| !without.iter().any(|(other, _)| *other == part);
        if let Some((flags, _)) = self.pod.as_ref().filter(|_| has(Part::Pod)) {
            return flags.clone();
        }
        let mut flags =
            vec!["--authorization-mode=Node,RBAC".to_owned(), "--admission-control=NodeRestriction".to_owned()];
        if let Some((path, _)) = self.encryption.first().filter(|_| has(Part::Encryption)) {
            flags.push(format!("--experimental-encryption-provider-config={path}"));
        }
        if let Some((path, _)) = self.audit.first().filter(|_| has(Part::Audit)) {
            flags.push("--feature-gates=AdvancedAuditing=true".to_owned());
            flags.push(format!("--audit-policy-file={path}"));
            flags.push("--audit-log-path=/var/log/audit.log".to_owned());
            if let Some((path, _)) = self.kubeconfig.first().filter(|_| has(Part::Webhook)) {
                flags.push(format!("--audit-webhook-config-file={path}"));
                flags.push("--audit-webhook-mode=blocking".to_owned());
            }
        }
        flags
    }

    /// What is to be said of the files where the document lets the server start by itself: of those in the form of later releases,
    /// and of what is there twice and can be used once.
    pub(super) fn remarks(&self, source: &Rc<str>, restarts: bool) -> Vec<Diagnostic> {
        if restarts || self.pod.is_some() {
            return Vec::new();
        }
        let kinds = [("encryption configuration", &self.encryption), ("audit policy", &self.audit)];
        let mut told = self.later.clone();
        for (what, files) in kinds {
            told.extend(files.iter().skip(1).map(|(_, line)| Diagnostic {
                severity: Severity::Warning,
                file: source.clone(),
                line: *line,
                column: 0,
                message: format!(
                    "The server starts with the first {what} of the document: a kube-apiserver step can name another."
                ),
            }));
        }
        told
    }
}

/// People wrote policies without `kind` in 1.7.
fn is_audit_policy(value: &Value) -> bool {
    let rules = value.get("rules").and_then(Value::as_array);
    rules.is_some_and(|rules| rules.iter().any(|rule| rule.get("level").is_some_and(Value::is_string)))
}

/// The flags of a static Pod that runs kube-apiserver. The API server's own picture of such a Pod is an object like others.
fn apiserver_flags(pod: &Value) -> Option<Vec<String>> {
    if pod.pointer("/metadata/annotations/kubernetes.io~1config.mirror").is_some() {
        return None;
    }
    pod.pointer("/spec/containers")?.as_array()?.iter().find_map(|container| {
        let words = ["command", "args"].into_iter().filter_map(|key| container.get(key)?.as_array()).flatten();
        let words: Vec<String> =
            words.filter_map(Value::as_str).flat_map(str::split_whitespace).map(str::to_owned).collect();
        let at = words.iter().position(|word| word.rsplit('/').next() == Some("kube-apiserver"))?;
        Some(words.into_iter().skip(at + 1).collect())
    })
}
