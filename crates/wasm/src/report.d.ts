/** All that a document gave. The interface of `crates/console/src/report`; a test holds the two in agreement. */
export interface Report {
  /** Changes when a reader of the previous one would misread. */
  version: number;
  /** Front matter's `title`, or `""`. */
  title: string;
  /** The release emulated: `1.7`. */
  release: string;
  /** The files that the document holds, in order. */
  files: ReportFile[];
  /** Its commands, in order. */
  steps: Step[];
  /** The rules of its roles and audit policies, by line. In a large cluster those of roles are left out. */
  rules: Rule[];
  /** How many of them are left out. */
  unlistedRules: number;
  /** Which node reaches which object, at the document's end; absent where it is asked for apart. */
  graph?: Graph;
  /** What its requests left in the audit backends. */
  audit: AuditTrail;
  /** How many Secrets of the document stand in etcd in plain text while others, or those written next, are encrypted. */
  plainSecrets: number;
  /** What etcd holds at the document's end, by key; absent where it is asked for apart. */
  etcd?: Stored[];
  /** What is wrong with it. */
  diagnostics: Diagnostic[];
}

/** A rule that the document's text holds. */
export interface Rule {
  location: Location;
  /** How many of the document's requests it decided. Without the rules that decided none, every verdict would be the same. */
  requests: number;
  /** Why it can decide none, where that is certain. */
  never?: string;
}

/** The graph that the Node authorizer asks. */
export interface Graph {
  /** By kind, namespace and name. */
  vertices: Vertex[];
  /** From what is read to who reads it: an object to the pod, the pod to its node. */
  edges: Edge[];
  /** How many vertices were left out, because there are too many. */
  hidden: number;
}

/** An object, or the name of one. */
export interface Vertex {
  /** `Secret`, `ConfigMap`, `PersistentVolume`, `PersistentVolumeClaim`, `Pod` or `Node`. */
  kind: string;
  /** `""` for none. */
  namespace: string;
  name: string;
  /** False for what is only referred to. */
  exists: boolean;
  /** The object's lines. */
  location: Location;
}

/** A reference. */
export interface Edge {
  /** Index of a vertex. */
  from: number;
  /** Index of a vertex. */
  to: number;
  /** The line that made it. A `Because` of a path has the same location. */
  location: Location;
}

/** A file fence. */
export interface ReportFile {
  /** Its `title`, or `""`. */
  name: string;
  /** The document's line on which its text begins, from 1. */
  line: number;
  endLine: number;
}

/** One command of a document. */
export interface Step {
  /** As typed, continuation lines included. */
  command: string;
  line: number;
  endLine: number;
  /** What it printed, standard error included. */
  output: string;
  /** Its exit status. */
  status: number;
  /** What the document says it prints. */
  expected?: string;
  /** Whether `output` is as expected. */
  matched?: boolean;
  /** The requests that it sent. */
  exchanges: Exchange[];
}

/** One request through the server. */
export interface Exchange {
  request: Request;
  /** One sentence: `Denied. kube-dns may not list pods in all namespaces.` */
  summary: string;
  /** Absent where the URL could not be read. */
  attributes?: Attributes;
  /** Absent where nobody was recognised. */
  user?: User;
  /** What let the sender impersonate `user`, one answer for the name and one for each group. */
  impersonation: Authorization[];
  /** Absent where the authorizers were not reached. */
  authorization?: Authorization;
  /** What it asked about, where it is an access review. */
  review?: Review;
  /** The admission plugins asked. */
  admission: Admission[];
  response: Response;
  /** What it wrote to etcd. */
  etcd: Write[];
  /** The events made of it, in order. */
  audit: AuditEvent[];
  /** What decided that; absent where nothing audits. */
  audited?: Audited;
}

/** One audit event. */
export interface AuditEvent {
  /** `RequestReceived`, `ResponseStarted`, `ResponseComplete` or `Panic`. */
  stage: string;
  /** As the webhook gets it: JSON. */
  event: string;
}

/** The audit policy's answer. */
export interface Audited {
  /** `None` for the basic log, which knows no levels. */
  level: "None" | "Metadata" | "Request" | "RequestResponse";
  /** The rule that says so; absent where none matches. */
  rule?: Location;
  /** The lines that the request left in the log. */
  log: string[];
}

/** What the audit backends hold at the end. */
export interface AuditTrail {
  /** The lines of the log, whatever its path, in the order written. */
  log: string[];
  /** What the webhook's server received, oldest first. */
  deliveries: Delivery[];
}

/** A request to the webhook's server. */
export interface Delivery {
  method: string;
  url: string;
  /** Name and value, in wire order. */
  headers: [string, string][];
  /** An EventList as JSON. */
  body: string;
}

/** The request line, headers and body. */
export interface Request {
  method: string;
  uri: string;
  headers: [string, string][];
  body: string;
}

/** What the server read from the request. */
export interface Attributes {
  verb: string;
  /** False for `/healthz` and the like: then only `verb` and `path` count. */
  resourceRequest: boolean;
  path: string;
  apiGroup: string;
  apiVersion: string;
  namespace: string;
  resource: string;
  subresource: string;
  name: string;
}

/** The question of an access review, and the authorizers' answer. */
export interface Review {
  /** Who would do it. */
  user: string;
  groups: string[];
  attributes: Attributes;
  authorization: Authorization;
}

/** Who the request came from. */
export interface User {
  name: string;
  uid: string;
  groups: string[];
  extra: [string, string[]][];
  /** `x509`, `serviceaccount`, ... */
  authenticator: string;
  /** The name of who sent it, where `name` is impersonated. */
  impersonatedBy?: string;
  /** What a reader must know. */
  notes: string[];
}

export type Verdict = "Allow" | "Deny" | "NoOpinion";

/** The union's answer. */
export interface Authorization {
  verdict: Verdict;
  /** As the server prints it. */
  reason: string;
  /** Every authorizer asked, in order. */
  steps: Authorizer[];
}

/** One authorizer's answer. */
export interface Authorizer {
  /** `RBAC`, `Node`, ... */
  authorizer: string;
  verdict: Verdict;
  reason: string;
  /** What let the request through. */
  because: Because[];
  /** What came near, nearest first. */
  nearest: NearMiss[];
}

/** A reason for an Allow. */
export interface Because {
  message: string;
  location: Location;
  /** For a step of a path in the graph, its ends: `Secret shop/payment`, `Pod shop/till`. */
  edge?: [string, string];
}

/** Something that did not allow, and why not. */
export interface NearMiss {
  /** `verb`, `apiGroup`, `resource`, `subresource`, `resourceName`, `namespace`, `missingRole`, `path`, `identity`. */
  failed: string;
  message: string;
  /** The binding. */
  location: Location;
  rule?: Location;
}

/** A part of an object; `file` is `""` and `line` 0 for what no text of the user holds (bootstrap policy). */
export interface Location {
  /** The document's name. */
  file: string;
  line: number;
  endLine: number;
  /** `ClusterRole/dns-reader`. */
  object: string;
  /** `rules[0]`. */
  path: string;
}

/** One admission plugin's answer. */
export interface Admission {
  plugin: string;
  admitted: boolean;
  message: string;
  /** The rules that it let the request through for. */
  because: Because[];
}

/** Status line, headers and body. */
export interface Response {
  status: number;
  headers: [string, string][];
  /** Protobuf as `hexdump -C` prints it. */
  body: string;
}

/** One key of etcd. */
export interface Stored {
  key: string;
  /** The revision of its last write. */
  revision: number;
  /** `identity`, `aescbc`, `aesgcm` or `secretbox`. */
  provider: string;
  /** The name of the key in the configuration; `""` for `identity`. */
  keyName: string;
  /** Whether a write would use another provider or key: `kubectl get -o json | kubectl replace -f -` rewrites it. */
  stale: boolean;
  /** Why the server cannot read it, in its own words. */
  error?: string;
  /** The bytes of what the document made, in base64; absent for the rest (the default policy). */
  value?: string;
  /** As in `Bytes`; empty where there is no `value`. */
  parts: Part[];
  /** As in `Bytes`. */
  plain?: string;
  /** As in `Bytes`. */
  plainParts: Part[];
}

/** A stored value. */
export interface Bytes {
  /** In base64. */
  value: string;
  /** What they are, in order and without gaps as far as that is known. */
  parts: Part[];
  /** Of an encrypted value that can be read, what is behind the encryption, in base64. */
  plain?: string;
  /** What those are. */
  plainParts: Part[];
}

/** A range of bytes. */
export interface Part {
  /** First byte. */
  from: number;
  /** Behind the last byte. */
  to: number;
  /** `IV`, `metadata.name: "a"`. */
  what: string;
}

/** One write to etcd. */
export interface Write {
  key: string;
  revision: number;
  /** False for a deletion. */
  put: boolean;
  /** What was written, unless the same step wrote the key once more. */
  stored?: Bytes;
}

/** What is wrong, where, and what to do. */
export interface Diagnostic {
  severity: "error" | "warning";
  file: string;
  /** From 1; 0 for the file as a whole. */
  line: number;
  /** From 1, in UTF-16 code units; 0 for the line as a whole. */
  column: number;
  message: string;
}

/** One stored value, opened with a user's own configuration. */
export interface Inspection {
  /** Its etcd key, where the dump or the user says it. */
  key?: string;
  provider: string;
  keyName: string;
  stale: boolean;
  /** What `portcullis inspect` prints. */
  yaml: string;
  stored: Bytes;
  /** Why there is no object. */
  failure?: InspectionFailure;
}

/** Which step failed. */
export interface InspectionFailure {
  /** `decrypt` or `decode`. */
  step: string;
  /** The API server's own text. */
  error: string;
  /** What it usually means. */
  usually: string;
}

/** Who may do what, by RBAC: a table, and what one may choose from. */
export interface Access {
  /** `jane`, `group ops`, `serviceaccount kube-system/kube-dns`. */
  subjects: string[];
  /** Every namespace that a binding or a service account names. */
  namespaces: string[];
  /** `pods`, `deployments.extensions/scale`. */
  resources: string[];
  /** The columns. */
  verbs: string[];
  /** Subjects where a resource was chosen, else resources; those that may do nothing are left out. */
  rows: AccessRow[];
}

/** One subject, or one resource. */
export interface AccessRow {
  name: string;
  /** One for each verb. */
  cells: Cell[];
}

/** Whether one may, and why. */
export interface Cell {
  /** `yes`, `namespaces` (in certain ones only), `some` (objects of certain names only) or `no`. */
  answer: string;
  /** At most eight. */
  granted: Granted[];
}

/** A binding and the rule that it brings. */
export interface Granted {
  /** The names that the rule is limited to. */
  names: string[];
  /** The subject's line in the binding. */
  binding: Location;
  rule: Location;
}

/** A request that nobody sent, and what an audit policy says of it. */
export interface Asked {
  /** The line as given. */
  asked: string;
  answer?: AuditAnswer;
  /** Why there is no answer. */
  error?: string;
}

export interface AuditAnswer {
  user: string;
  /** Method and URI. */
  request: string;
  /** As policies compare it: `list`. */
  verb: string;
  level: "None" | "Metadata" | "Request" | "RequestResponse";
  /** `rules[2]`; absent where no rule matches. */
  rule?: string;
  /** The rule's first line. */
  line?: number;
  /** The stages at which an event is made. */
  stages: string[];
}
