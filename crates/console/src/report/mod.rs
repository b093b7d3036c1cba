//! The report: all that a document gave, as a published JSON interface.
//!
//! `portcullis run -o json` prints it, the wasm door returns it, the page and the terminal draw from it. `version`
//! changes when a reader of the previous one would misread; new members may come at any time.

mod fill;
mod summary;

use serde::Serialize;

pub use fill::location;
pub(crate) use fill::{audit_trail, diagnostics, etcd, exchange, files, graph, plain_secrets, rules};

/// The interface's version.
pub const VERSION: u32 = 1;

/// All that a document gave.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// [`VERSION`].
    pub version: u32,
    /// Front matter's `title`, or `""`.
    pub title: String,
    /// The release emulated: `1.7`.
    pub release: String,
    /// The files that the document holds, in order.
    pub files: Vec<File>,
    /// Its commands, in order.
    pub steps: Vec<Step>,
    /// The rules of its roles and audit policies, by line. In a large cluster those of roles are left out.
    pub rules: Vec<Rule>,
    /// How many of them are left out.
    pub unlisted_rules: usize,
    /// Which node reaches which object, at the document's end; absent where it is asked for apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub graph: Option<Graph>,
    /// What its requests left in the audit backends.
    pub audit: AuditTrail,
    /// How many Secrets of the document stand in etcd in plain text while others, or those written next, are encrypted.
    pub plain_secrets: usize,
    /// What etcd holds at the document's end, by key; absent where it is asked for apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etcd: Option<Vec<Stored>>,
    /// What is wrong with it.
    pub diagnostics: Vec<Diagnostic>,
}

/// A rule that the document's text holds.
#[derive(Clone, Debug, Serialize)]
pub struct Rule {
    /// Its lines.
    pub location: Location,
    /// How many of the document's requests it decided. Without the rules that decided none, every verdict would be the same.
    pub requests: usize,
    /// Why it can decide none, where that is certain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub never: Option<String>,
}

/// The graph that the Node authorizer asks.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Graph {
    /// By kind, namespace and name.
    pub vertices: Vec<Vertex>,
    /// From what is read to who reads it: an object to the pod, the pod to its node.
    pub edges: Vec<Edge>,
    /// How many vertices were left out, because there are too many.
    pub hidden: usize,
}

/// An object, or the name of one.
#[derive(Clone, Debug, Serialize)]
pub struct Vertex {
    /// `Secret`, `ConfigMap`, `PersistentVolume`, `PersistentVolumeClaim`, `Pod` or `Node`.
    pub kind: &'static str,
    /// `""` for none.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// False for what is only referred to.
    pub exists: bool,
    /// The object's lines.
    pub location: Location,
}

/// A reference.
#[derive(Clone, Debug, Serialize)]
pub struct Edge {
    /// Index in [`Graph::vertices`].
    pub from: usize,
    /// Index in [`Graph::vertices`].
    pub to: usize,
    /// The line that made it. A [`Because`] of a path has the same location.
    pub location: Location,
}

/// What the audit backends hold at the end.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditTrail {
    /// The lines of the log, whatever its path, in the order written.
    pub log: Vec<String>,
    /// What the webhook's server received, oldest first.
    pub deliveries: Vec<Delivery>,
}

/// A request to the webhook's server.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// `POST`.
    pub method: String,
    /// With scheme and host.
    pub url: String,
    /// Name and value, in wire order.
    pub headers: Vec<(String, String)>,
    /// An EventList as JSON.
    pub body: String,
}

/// A file fence.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct File {
    /// Its `title`, or `""`.
    pub name: String,
    /// The document's line on which its text begins, from 1.
    pub line: u32,
    /// Its last line.
    pub end_line: u32,
}

/// One command of a document.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// As typed, continuation lines included.
    pub command: String,
    /// First line in the document.
    pub line: u32,
    /// Last line of the command.
    pub end_line: u32,
    /// What it printed, standard error included.
    pub output: String,
    /// Its exit status.
    pub status: u8,
    /// What the document says it prints.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// Whether `output` is as expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matched: Option<bool>,
    /// The requests that it sent.
    pub exchanges: Vec<Exchange>,
}

/// One request through the server.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Exchange {
    /// As sent.
    pub request: Request,
    /// One readable sentence: `Denied. kube-dns may not list pods in all namespaces.`
    pub summary: String,
    /// The derived attributes; absent where the URL could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Attributes>,
    /// Absent where nobody was recognised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<User>,
    /// What let the sender impersonate `user`, one answer for the name and one for each group.
    pub impersonation: Vec<Authorization>,
    /// Absent where the authorizers were not reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization: Option<Authorization>,
    /// What it asked about, where it is an access review.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review: Option<Review>,
    /// The admission plugins asked.
    pub admission: Vec<Admission>,
    /// The answer.
    pub response: Response,
    /// What it wrote to etcd.
    pub etcd: Vec<Write>,
    /// The events made of it, in order.
    pub audit: Vec<AuditEvent>,
    /// What decided that; absent where nothing audits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audited: Option<Audited>,
}

/// One audit event.
#[derive(Clone, Debug, Serialize)]
pub struct AuditEvent {
    /// `RequestReceived`, `ResponseStarted`, `ResponseComplete` or `Panic`.
    pub stage: &'static str,
    /// As the webhook gets it: JSON.
    pub event: String,
}

/// The audit policy's answer.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Audited {
    /// `None`, `Metadata`, `Request` or `RequestResponse`; `None` for the basic log, which knows no levels.
    pub level: &'static str,
    /// The rule that says so; absent where none matches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<Location>,
    /// The lines that the request left in the log.
    pub log: Vec<String>,
}

/// The request line, headers and body.
#[derive(Clone, Debug, Serialize)]
pub struct Request {
    /// `GET`.
    pub method: String,
    /// `/api/v1/pods`.
    pub uri: String,
    /// Name and value, in order.
    pub headers: Vec<(String, String)>,
    /// As text; bytes that are no UTF-8 are replaced.
    pub body: String,
}

/// What the server read from the request: the words of `kubectl auth can-i` and of audit policies.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Attributes {
    /// `list`.
    pub verb: String,
    /// False for `/healthz` and the like: then only `verb` and `path` count.
    pub resource_request: bool,
    /// The decoded path.
    pub path: String,
    /// `""` for core.
    pub api_group: String,
    /// `v1`.
    pub api_version: String,
    /// `""` at cluster scope.
    pub namespace: String,
    /// `pods`.
    pub resource: String,
    /// `""` for none.
    pub subresource: String,
    /// `""` for collections.
    pub name: String,
}

/// The question of an access review, and the authorizers' answer.
#[derive(Clone, Debug, Serialize)]
pub struct Review {
    /// Who would do it.
    pub user: String,
    /// In order.
    pub groups: Vec<String>,
    /// What they would do.
    pub attributes: Attributes,
    /// The answer.
    pub authorization: Authorization,
}

/// Who the request came from.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// The name that authorizers are asked about.
    pub name: String,
    /// `""` for none.
    pub uid: String,
    /// In order.
    pub groups: Vec<String>,
    /// In order.
    pub extra: Vec<(String, Vec<String>)>,
    /// `x509`, `serviceaccount`, ...
    pub authenticator: String,
    /// The name of who sent it, where `name` is impersonated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub impersonated_by: Option<String>,
    /// What a reader must know.
    pub notes: Vec<String>,
}

/// The union's answer.
#[derive(Clone, Debug, Serialize)]
pub struct Authorization {
    /// `Allow`, `Deny` or `NoOpinion`.
    pub verdict: &'static str,
    /// As the server prints it.
    pub reason: String,
    /// Every authorizer asked, in order.
    pub steps: Vec<Authorizer>,
}

/// One authorizer's answer.
#[derive(Clone, Debug, Serialize)]
pub struct Authorizer {
    /// `RBAC`, `Node`, ...
    pub authorizer: &'static str,
    /// As in [`Authorization::verdict`].
    pub verdict: &'static str,
    /// `""` for none.
    pub reason: String,
    /// What let the request through.
    pub because: Vec<Because>,
    /// What came near, nearest first.
    pub nearest: Vec<NearMiss>,
}

/// A reason for an Allow.
#[derive(Clone, Debug, Serialize)]
pub struct Because {
    /// One sentence.
    pub message: String,
    /// The lines that say so.
    pub location: Location,
    /// For a step of a path in the node graph, its ends: `Secret shop/payment`, `Pod shop/till`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edge: Option<(String, String)>,
}

/// Something that did not allow, and why not.
#[derive(Clone, Debug, Serialize)]
pub struct NearMiss {
    /// `verb`, `apiGroup`, `resource`, `subresource`, `resourceName`, `namespace`, `missingRole`, `path`, `identity`.
    pub failed: &'static str,
    /// One sentence.
    pub message: String,
    /// The binding.
    pub location: Location,
    /// The rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<Location>,
}

/// A part of an object; `file` is `""` and `line` 0 for what no text of the user holds (bootstrap policy).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Location {
    /// The document's name.
    pub file: String,
    /// First line in it.
    pub line: u32,
    /// Last line.
    pub end_line: u32,
    /// `ClusterRole/dns-reader`.
    pub object: String,
    /// `rules[0]`.
    pub path: String,
}

/// One admission plugin's answer.
#[derive(Clone, Debug, Serialize)]
pub struct Admission {
    /// `NodeRestriction`.
    pub plugin: &'static str,
    /// Whether it let the request through.
    pub admitted: bool,
    /// Why not.
    pub message: String,
    /// The rules that it let the request through for.
    pub because: Vec<Because>,
}

/// Status line, headers and body.
#[derive(Clone, Debug, Serialize)]
pub struct Response {
    /// 403.
    pub status: u16,
    /// Name and value, in wire order.
    pub headers: Vec<(String, String)>,
    /// As text; bytes that are no UTF-8 are replaced. Protobuf is a dump, as `hexdump -C` prints it.
    pub body: String,
}

/// One key of etcd.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stored {
    /// `/registry/...`.
    pub key: String,
    /// The revision of its last write.
    pub revision: u64,
    /// `identity`, `aescbc`, `aesgcm` or `secretbox`.
    pub provider: String,
    /// The name of the key in the configuration; `""` for `identity`.
    pub key_name: String,
    /// Whether a write would use another provider or key: `kubectl get -o json | kubectl replace -f -` rewrites it.
    pub stale: bool,
    /// Why the server cannot read it, in its own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The bytes of what the document made, in base64; absent for the rest (the default policy).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// As in [`Bytes`]; empty where there is no `value`.
    pub parts: Vec<Part>,
    /// As in [`Bytes`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plain: Option<String>,
    /// As in [`Bytes`].
    pub plain_parts: Vec<Part>,
}

/// A stored value.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Bytes {
    /// In base64.
    pub value: String,
    /// What they are, in order and without gaps as far as that is known.
    pub parts: Vec<Part>,
    /// Of an encrypted value that can be read, what is behind the encryption, in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plain: Option<String>,
    /// What those are.
    pub plain_parts: Vec<Part>,
}

/// One stored value, opened with a user's own configuration.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inspection {
    /// Its etcd key, where the dump or the user says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// As in [`Stored`].
    pub provider: String,
    /// As in [`Stored`].
    pub key_name: String,
    /// As in [`Stored`].
    pub stale: bool,
    /// What `portcullis inspect` prints.
    pub yaml: String,
    /// The bytes.
    pub stored: Bytes,
    /// Why there is no object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<InspectionFailure>,
}

/// Which step failed.
#[derive(Clone, Debug, Serialize)]
pub struct InspectionFailure {
    /// `decrypt` or `decode`.
    pub step: &'static str,
    /// The API server's own text.
    pub error: String,
    /// What it usually means.
    pub usually: String,
}

/// A range of bytes.
#[derive(Clone, Debug, Serialize)]
pub struct Part {
    /// First byte.
    pub from: usize,
    /// Behind the last byte.
    pub to: usize,
    /// `IV`, `metadata.name: "a"`.
    pub what: String,
}

/// One write to etcd.
#[derive(Clone, Debug, Serialize)]
pub struct Write {
    /// `/registry/...`.
    pub key: String,
    /// The object's resourceVersion.
    pub revision: u64,
    /// False for a deletion.
    pub put: bool,
    /// What was written, unless the same step wrote the key once more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stored: Option<Bytes>,
}

/// What is wrong, where, and what to do.
#[derive(Clone, Debug, Serialize)]
pub struct Diagnostic {
    /// `error` or `warning`.
    pub severity: &'static str,
    /// The document's name.
    pub file: String,
    /// From 1; 0 for the file as a whole.
    pub line: u32,
    /// From 1, in UTF-16 code units as editors count; 0 for the line as a whole.
    pub column: u32,
    /// One or two sentences.
    pub message: String,
}
