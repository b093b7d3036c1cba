//! Follows a request through the server and tells the backends: the audit filter of the handler chain.
//!
//! Behaviour: `apiserver/pkg/endpoints/filters/audit.go` and, where the gate `AdvancedAuditing` is off,
//! `legacy_audit.go`; start errors of `apiserver/pkg/server/options/audit.go`.

use std::rc::Rc;

use chrono::{DateTime, Utc};

use super::event::{Event, compact, quoted_list, source_ips, status, uuid};
use super::webhook::Webhook;
use super::{Delivery, Level, Policy, Recorded, Stage};
use crate::authentication::User;
use crate::manifest::{Diagnostic, Location, Severity, Value, json};
use crate::request::{Request, RequestInfo, Url, quote};
use crate::sort::SortedSet;
use crate::world::{World, time};

/// The audit configuration of one run of the server, and what its batches hold.
#[derive(Clone, Debug, Default)]
pub struct Auditor {
    advanced: bool,
    policy: Option<Policy>,
    log: Option<String>,
    webhook: Option<Webhook>,
    outbox: Outbox,
    /// Rules that were warned of, and for what.
    warned: SortedSet<(usize, &'static str)>,
}

/// What left the server since it was last taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outbox {
    /// Lines for the log file.
    pub log: String,
    /// Requests to the webhook's server, oldest first.
    pub deliveries: Vec<Delivery>,
}

/// How an answer came to its status code: the two filters see different things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// As an API object in JSON: the server writes the status twice, and the basic log shows both.
    Object,
    /// Once.
    Status,
    /// Not at all: a body without a status is a 200.
    Body,
    /// Neither status nor body.
    Nothing,
}

/// What was recorded of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audited {
    /// The level that the policy gives it; `None` without a policy.
    pub level: Level,
    /// The rule that says so.
    pub rule: Option<Location>,
    /// The events, in order. None without a backend.
    pub events: Vec<Recorded>,
    /// The lines that it wrote to the log.
    pub log: Vec<String>,
    /// The rule hands the contents of secrets to the webhook: this request is the first to show it.
    pub warning: Option<Diagnostic>,
}

/// One request on its way through the server.
#[derive(Clone, Debug)]
pub struct Trail {
    filter: Filter,
    audited: Audited,
}

#[derive(Clone, Debug)]
enum Filter {
    Off,
    Basic { id: String },
    Advanced { event: Box<Event>, long_running: bool, secret: Option<Secret> },
}

/// What a rule hands to the webhook if the request's objects have contents.
#[derive(Clone, Debug)]
struct Secret {
    what: &'static str,
    rule: usize,
    shown_by: String,
}

impl Auditor {
    /// An auditor that records nothing yet; `advanced` is the gate `AdvancedAuditing`. The setters are to be called in
    /// their order here, which is that of the server: so is the order of the errors.
    pub fn new(advanced: bool) -> Self {
        Self { advanced, ..Self::default() }
    }

    /// `--audit-policy-file`: its path, and the file's source, first line and text if there is such a file.
    pub fn set_policy(&mut self, path: &str, file: Option<(&Rc<str>, u32, &str)>) -> Result<(), String> {
        self.needs_gate("policy")?;
        let missing = || format!("failed to read file path {}: open {path}: no such file or directory", quote(path));
        let policy = file.ok_or_else(missing).and_then(|(source, line, text)| Policy::parse(path, source, line, text));
        self.policy = Some(policy.map_err(|error| format!("loading audit policy file: {error}"))?);
        Ok(())
    }

    /// `--audit-log-path`; `-` is the server's standard output.
    pub fn set_log(&mut self, path: &str) {
        self.log = Some(path.to_owned());
    }

    /// `--audit-webhook-config-file` with its text if there is such a file, and `--audit-webhook-mode`.
    pub fn set_webhook(
        &mut self,
        path: &str,
        text: Option<&str>,
        mode: &str,
        now: DateTime<Utc>,
    ) -> Result<(), String> {
        self.needs_gate("webhook")?;
        let webhook = Webhook::new(path, text, mode, self.log.is_some(), now);
        self.webhook = Some(webhook.map_err(|error| format!("initializing audit webhook: {error}"))?);
        Ok(())
    }

    fn needs_gate(&self, what: &str) -> Result<(), String> {
        match self.advanced {
            true => Ok(()),
            false => Err(format!("feature 'AdvancedAuditing' must be enabled to set an audit {what}")),
        }
    }

    /// The policy, if there is one.
    pub fn policy(&self) -> Option<&Policy> {
        self.policy.as_ref()
    }

    /// The path of the log, if there is one.
    pub fn log_path(&self) -> Option<&str> {
        self.log.as_deref()
    }

    /// The URL of the webhook's server, if there is one.
    pub fn webhook_url(&self) -> Option<&str> {
        self.webhook.as_ref().map(Webhook::url)
    }

    /// What left the server since the last call.
    pub fn take(&mut self) -> Outbox {
        std::mem::take(&mut self.outbox)
    }

    /// The clock says `now`: batches that are old enough leave.
    pub fn advance(&mut self, now: DateTime<Utc>) {
        if let Some(webhook) = &mut self.webhook {
            webhook.advance(now, &mut self.outbox.deliveries);
        }
    }

    /// A request came in and was authenticated as `user`; impersonation and authorization are still to come.
    pub fn received(
        &mut self,
        request: &Request,
        url: &Url,
        info: &RequestInfo,
        user: &User,
        world: &mut World,
    ) -> Trail {
        let audited = Audited { level: Level::None, rule: None, events: Vec::new(), log: Vec::new(), warning: None };
        let mut trail = Trail { filter: Filter::Off, audited };
        if !self.advanced {
            if self.log.is_some() {
                let id = uuid(world);
                self.log_line(&mut trail.audited, basic_line(&id, request, url, info, user, world.now));
                trail.filter = Filter::Basic { id };
            }
            return trail;
        }
        let Some(policy) = &self.policy else { return trail };
        let (level, rule) = policy.level(user, info);
        trail.audited.level = level;
        trail.audited.rule = rule.map(|rule| policy.location(rule));
        if level == Level::None || self.log.is_none() && self.webhook.is_none() {
            return trail;
        }
        let event = Event::new(level, request, url, info, user, world);
        self.record(&mut trail.audited, &event, Stage::RequestReceived, world.now);
        // In 1.7 the log holds no bodies.
        let secret = (level >= Level::Request && self.webhook.is_some()).then(|| secrets_of(info)).flatten();
        let secret =
            secret.zip(rule).map(|(what, rule)| Secret { what, rule, shown_by: format!("{} {url}", request.method) });
        trail.filter = Filter::Advanced { event: Box::new(event), long_running: is_long_running(info), secret };
        trail
    }

    /// The answer is out, with status `code`.
    pub fn responded(&mut self, trail: Trail, code: u16, written: Written, world: &World) -> Option<Audited> {
        let Trail { filter, mut audited } = trail;
        match filter {
            Filter::Off => return self.policy.as_ref().map(|_| audited),
            Filter::Basic { id } => {
                let lines = match written {
                    Written::Object => 2,
                    Written::Status => 1,
                    Written::Body | Written::Nothing => 0,
                };
                for _ in 0..lines {
                    let now = time::rfc3339_nanos(world.now);
                    self.log_line(&mut audited, format!("{now} AUDIT: id={} response=\"{code}\"", quote(&id)));
                }
            }
            Filter::Advanced { mut event, long_running, secret } => {
                match written {
                    Written::Nothing => {
                        let early = [("status", "Success"), ("message", "Connection closed early")];
                        event.response_status = Some(status(&early.map(|(name, text)| (name, text.into()))));
                        event.set_code(200);
                    }
                    _ => event.set_code(code),
                }
                if long_running {
                    self.record(&mut audited, &event, Stage::ResponseStarted, world.now);
                }
                self.record(&mut audited, &event, Stage::ResponseComplete, world.now);
                let shown = event.request_object.is_some()
                    || event.response_object.as_ref().is_some_and(|object| !object.starts_with("{\"kind\":\"Status\""));
                let secret = secret.filter(|secret| shown && self.warned.insert((secret.rule, secret.what)));
                audited.warning = secret.and_then(|secret| warning(&audited, &secret));
            }
        }
        Some(audited)
    }

    /// The server panicked with `message` while it handled the request, and ends.
    pub fn panicked(&mut self, trail: Trail, message: &str, world: &World) -> Option<Audited> {
        let Trail { filter, mut audited } = trail;
        if let Filter::Advanced { mut event, .. } = filter {
            event.response_status = Some(status(&[
                ("status", "Failure".into()),
                ("message", format!("APIServer panic'd: {message}").into()),
                ("reason", "InternalError".into()),
            ]));
            event.set_code(500);
            self.record(&mut audited, &event, Stage::Panic, world.now);
        }
        self.policy.as_ref().map(|_| audited)
    }

    fn record(&mut self, audited: &mut Audited, event: &Event, stage: Stage, now: DateTime<Utc>) {
        let json = event.json(stage);
        if self.log.is_some() {
            self.log_line(audited, event.line(stage));
        }
        if let Some(webhook) = &mut self.webhook {
            webhook.take(json.clone(), now, &mut self.outbox.deliveries);
        }
        audited.events.push(Recorded { stage, json });
    }

    fn log_line(&mut self, audited: &mut Audited, line: String) {
        self.outbox.log.extend([&line, "\n"]);
        audited.log.push(line);
    }
}

impl Trail {
    /// The body of a create, update or delete of a resource of `group`, decoded and with defaults, before admission. One of
    /// another group, as an eviction of a pod is, has no form in that of the resource, and is left out.
    pub fn request_object(&mut self, object: &Value, group: &str) {
        let version = object.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
        let has_form = version.rsplit_once('/').map_or("", |(own, _)| own) == group;
        if let Filter::Advanced { event, .. } = &mut self.filter {
            event.complete_reference(object);
            if event.level >= Level::Request && has_form {
                event.request_object = Some(json::to_string(object));
            }
        }
    }

    /// The body of a patch, as sent.
    pub fn patch(&mut self, body: &[u8]) {
        if let Filter::Advanced { event, .. } = &mut self.filter
            && event.level >= Level::Request
        {
            event.request_object = compact(&String::from_utf8_lossy(body));
        }
    }

    /// The API object that the server is about to write with status `code`. A Status without a code gets it: 1.7's audit
    /// filter writes it into the very object that is then sent.
    pub fn response_object(&mut self, object: &mut Value, code: u16) {
        let Filter::Advanced { event, .. } = &mut self.filter else { return };
        if event.level < Level::RequestResponse {
            return;
        }
        event.response_object = Some(json::to_string(object));
        if object.get("kind").is_some_and(|kind| kind == "Status")
            && object.get("apiVersion").is_some_and(|version| version == "v1")
            && let Some(members) = object.as_object_mut()
        {
            members.insert("code".into(), code.into());
            let kept = members.iter().filter(|(name, _)| !matches!(name.as_str(), "kind" | "apiVersion"));
            event.response_status = Some(kept.map(|(name, value)| (name.clone(), value.clone())).collect());
        }
    }
}

/// The stages at which a request of `level` is recorded, unless the server panics.
pub fn stages(level: Level, request: &RequestInfo) -> &'static [Stage] {
    match level {
        Level::None => &[],
        _ if is_long_running(request) => &[Stage::RequestReceived, Stage::ResponseStarted, Stage::ResponseComplete],
        _ => &[Stage::RequestReceived, Stage::ResponseComplete],
    }
}

/// Requests that go on: watches, and what streams from a pod.
fn is_long_running(info: &RequestInfo) -> bool {
    matches!(info.verb.as_str(), "watch" | "proxy")
        || info.is_resource_request
            && matches!(info.subresource.as_str(), "attach" | "exec" | "proxy" | "log" | "portforward")
}

/// What of a request's objects nobody should read in a log.
fn secrets_of(info: &RequestInfo) -> Option<&'static str> {
    match (info.api_group.as_str(), info.resource.as_str(), info.subresource.as_str()) {
        ("", "secrets", _) => Some("secrets"),
        ("", "configmaps", _) => Some("configmaps"),
        ("", "serviceaccounts", "token") => Some("service account tokens"),
        ("authentication.k8s.io", "tokenreviews", _) => Some("tokens"),
        _ => None,
    }
}

fn warning(audited: &Audited, secret: &Secret) -> Option<Diagnostic> {
    let rule = audited.rule.as_ref()?;
    let place = rule.place.as_ref()?;
    let message = format!(
        "{} ({}) hands the contents of {} to the audit webhook, as {} showed. Put a rule with level Metadata for them \
         before it.",
        rule.path,
        audited.level.name(),
        secret.what,
        secret.shown_by
    );
    Some(Diagnostic { severity: Severity::Warning, file: place.file.clone(), line: place.line, column: 0, message })
}

/// The first line of a request in the basic log.
fn basic_line(id: &str, request: &Request, url: &Url, info: &RequestInfo, user: &User, now: DateTime<Utc>) -> String {
    let none = |text: &str, instead: &str| quote(if text.is_empty() { instead } else { text });
    let as_groups: Vec<_> = request.header_values("Impersonate-Group").map(str::to_owned).collect();
    format!(
        "{} AUDIT: id={} ip={} method={} user={} groups={} as={} asgroups={} namespace={} uri={}",
        time::rfc3339_nanos(now),
        quote(id),
        none(source_ips(request).first().map_or("", String::as_str), "<nil>"),
        quote(&request.method),
        quote(&user.name),
        none(&quoted_list(&user.groups), "<none>"),
        none(request.header("Impersonate-User"), "<self>"),
        none(&quoted_list(&as_groups), "<lookup>"),
        none(&info.namespace, "<none>"),
        quote(&url.to_string()),
    )
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::apiserver::flags::Flags;
    use crate::vectors::vectors;

    /// What the flags of a recorded start say about auditing.
    fn start(line: &Value) -> Result<Auditor, String> {
        let words = |list: &Value| -> Vec<String> {
            list.as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
        };
        let flags = Flags::parse(&words(&line["flags"]))?;
        let file = |flag: &str| line["files"][flags.text(flag)].as_str();
        let mut auditor = Auditor::new(flags.gate("AdvancedAuditing"));
        if !flags.text("audit-policy-file").is_empty() {
            let source = "doc.md".into();
            let policy = file("audit-policy-file").map(|text| (&source, 1, text));
            auditor.set_policy(flags.text("audit-policy-file"), policy)?;
        }
        if !flags.text("audit-log-path").is_empty() {
            auditor.set_log(flags.text("audit-log-path"));
        }
        let hook = flags.text("audit-webhook-config-file");
        if !hook.is_empty() {
            auditor.set_webhook(
                hook,
                file("audit-webhook-config-file"),
                flags.text("audit-webhook-mode"),
                DateTime::UNIX_EPOCH,
            )?;
        }
        Ok(auditor)
    }

    #[test]
    fn recorded_starts_are_refused_as_the_server_refused_them() {
        let text = fs::read_to_string(vectors("config/errors.jsonl")).unwrap();
        let mut checked = 0;
        for line in text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
            if line["flags"].to_string().to_lowercase().contains("audit") {
                assert_eq!(start(&line).err().as_deref(), line["error"].as_str(), "{line}");
                checked += 1;
            }
        }
        println!("{checked} starts");
    }

    fn auditor(level: &str) -> Auditor {
        let mut auditor = Auditor::new(true);
        let policy = format!("rules: [{{level: {level}}}]");
        auditor.set_policy("p", Some((&"doc.md".into(), 1, &policy))).unwrap();
        auditor.set_log("audit.log");
        let hook = "clusters: [{name: c, cluster: {server: 'https://bin/'}}]\ncontexts: [{name: x, context: {cluster: c}}]\n\
                    current-context: x\n";
        auditor.set_webhook("h", Some(hook), "blocking", DateTime::UNIX_EPOCH).unwrap();
        auditor
    }

    fn receive(auditor: &mut Auditor, method: &str, uri: &str, world: &mut World) -> Trail {
        let request = Request { method: method.into(), uri: uri.into(), ..Request::default() };
        let url = Url::parse(uri).unwrap();
        let info = RequestInfo::parse(method, &url).unwrap();
        auditor.received(&request, &url, &info, &User { name: "al".into(), ..User::default() }, world)
    }

    #[test]
    fn a_status_gets_its_code_from_the_filter() {
        let mut world = World::new(DateTime::UNIX_EPOCH, "");
        for (level, code) in [("Request", Value::Null), ("RequestResponse", 200.into())] {
            let mut auditor = auditor(level);
            let mut trail = receive(&mut auditor, "DELETE", "/api/v1/namespaces/a/pods/b", &mut world);
            let mut object =
                serde_json::json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"});
            trail.response_object(&mut object, 200);
            assert_eq!(object["code"], code, "{level}");
            let audited = auditor.responded(trail, 200, Written::Object, &world).unwrap();
            let stages: Vec<_> = audited.events.iter().map(|event| event.stage).collect();
            assert_eq!(stages, [Stage::RequestReceived, Stage::ResponseComplete]);
            assert_eq!(auditor.take().deliveries.len(), 2, "blocking: one by one");
        }
    }

    #[test]
    fn an_object_of_another_group_than_its_resource_is_not_recorded() {
        let mut world = World::new(DateTime::UNIX_EPOCH, "");
        for (group, api_version, recorded) in
            [("", "v1", true), ("", "policy/v1beta1", false), ("apps", "apps/v1beta1", true), ("apps", "v1", false)]
        {
            let mut auditor = auditor("Request");
            let mut trail = receive(&mut auditor, "POST", "/api/v1/namespaces/a/pods", &mut world);
            let object = serde_json::json!({"kind": "K", "apiVersion": api_version, "metadata": {"name": "n"}});
            trail.request_object(&object, group);
            let json = auditor.responded(trail, 201, Written::Object, &world).unwrap().events.pop().unwrap().json;
            assert!(json.contains(r#""name":"n""#), "{json}");
            assert_eq!(json.contains("requestObject"), recorded, "{api_version} in {group:?}");
        }
    }

    #[test]
    fn a_watch_has_three_stages_and_a_panic_has_its_own() {
        let mut world = World::new(DateTime::UNIX_EPOCH, "");
        let mut auditor = auditor("Metadata");
        let trail = receive(&mut auditor, "GET", "/api/v1/pods?watch=1", &mut world);
        let audited = auditor.responded(trail, 200, Written::Nothing, &world).unwrap();
        assert_eq!(audited.events[1].stage, Stage::ResponseStarted);
        assert!(audited.events[2].json.contains(r#""message":"Connection closed early","code":200"#));
        let trail = receive(&mut auditor, "GET", "/api/v1/pods", &mut world);
        let audited = auditor.panicked(trail, "boom", &world).unwrap();
        assert!(audited.log[1].contains("stage=\"Panic\"") && audited.log[1].ends_with("response=\"500\""));
        assert!(audited.events[1].json.contains(
            r#""responseStatus":{"metadata":{},"status":"Failure","message":"APIServer panic'd: boom","reason":"InternalError","code":500}"#
        ));
    }

    #[test]
    fn secrets_on_their_way_to_the_webhook_are_a_warning() {
        let mut world = World::new(DateTime::UNIX_EPOCH, "");
        let secret = serde_json::json!({"kind": "Secret", "apiVersion": "v1", "data": {"p": "dw=="}});
        let status = serde_json::json!({"kind": "Status", "apiVersion": "v1", "code": 404});
        for (level, uri, object, warned) in [
            ("RequestResponse", "/api/v1/namespaces/a/secrets/s", &secret, true),
            ("RequestResponse", "/api/v1/namespaces/a/secrets/s", &status, false),
            ("Request", "/api/v1/namespaces/a/secrets/s", &secret, false),
            ("RequestResponse", "/api/v1/namespaces/a/pods/s", &secret, false),
        ] {
            let mut auditor = auditor(level);
            let mut trail = receive(&mut auditor, "GET", uri, &mut world);
            trail.response_object(&mut object.clone(), 200);
            let audited = auditor.responded(trail, 200, Written::Object, &world).unwrap();
            assert_eq!(audited.warning.is_some(), warned, "{level} {uri}");
            if let Some(warning) = audited.warning {
                assert_eq!(
                    warning.message,
                    "rules[0] (RequestResponse) hands the contents of secrets to the audit webhook, as GET \
                     /api/v1/namespaces/a/secrets/s showed. Put a rule with level Metadata for them before it."
                );
            }
        }
    }
}
