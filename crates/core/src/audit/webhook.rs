//! The webhook backend: events to POST requests, one by one or in batches.
//!
//! Behaviour: `apiserver/plugin/pkg/audit/webhook`; the kubeconfig as `client-go/tools/clientcmd` reads it.

use chrono::{DateTime, TimeDelta, Utc};

use crate::manifest::{Value, yaml};
use crate::request::quote;

/// A request that left for the webhook's server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// `POST`.
    pub method: &'static str,
    /// The server's URL with the path.
    pub url: String,
    /// In the order sent.
    pub headers: Vec<(String, String)>,
    /// An EventList, and the line's end that Go's encoder writes.
    pub body: String,
}

impl Delivery {
    /// The request as its server receives it.
    pub fn to_text(&self) -> String {
        let path = split_url(&self.url).1;
        let mut text = format!("{} {path} HTTP/1.1\n", self.method);
        for (name, value) in &self.headers {
            text.extend([name, ": ", value, "\n"]);
        }
        text.extend(["\n", &self.body]);
        text
    }
}

/// Whether two URLs name one server: scheme, host and port are the same.
pub fn same_server(one: &str, other: &str) -> bool {
    let server = |url: &str| {
        let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme).to_ascii_lowercase();
        let host = split_url(url).0.to_ascii_lowercase();
        let port = if scheme == "https" { ":443" } else { ":80" };
        (host.strip_suffix(port).unwrap_or(&host).to_owned(), scheme)
    };
    server(one) == server(other)
}

/// Host with port, and the path as Go's client sends it.
fn split_url(url: &str) -> (&str, String) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let segments: Vec<_> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    (host, format!("/{}", segments.join("/")))
}

const BATCH_SIZE: usize = 100;
const BATCH_WAIT: TimeDelta = TimeDelta::minutes(1);

#[derive(Clone, Debug)]
pub(super) struct Webhook {
    url: String,
    authorization: Option<String>,
    /// Empty in blocking mode. A loop waits until its batch is full or a minute old.
    loops: Vec<Batch>,
    /// Loops wait for events in turn.
    turn: usize,
}

#[derive(Clone, Debug)]
struct Batch {
    begun: DateTime<Utc>,
    events: Vec<String>,
}

impl Webhook {
    /// Reads the kubeconfig `path`; `None` where there is no such file. Beside another backend, 1.7 starts the loop of
    /// batches twice.
    pub(super) fn new(
        path: &str,
        text: Option<&str>,
        mode: &str,
        beside_another: bool,
        now: DateTime<Utc>,
    ) -> Result<Self, String> {
        let loops = match mode {
            "blocking" => 0,
            "batch" if beside_another => 2,
            "batch" => 1,
            _ => return Err(format!("webhook mode {} is not in list of known modes (batch,blocking)", quote(mode))),
        };
        let text = text.ok_or_else(|| format!("stat {path}: no such file or directory"))?;
        let (url, authorization) = server(path, text)?;
        Ok(Self { url, authorization, loops: vec![Batch { begun: now, events: Vec::new() }; loops], turn: 0 })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Takes an event; `deliveries` gets what leaves for it.
    pub(super) fn take(&mut self, event: String, now: DateTime<Utc>, deliveries: &mut Vec<Delivery>) {
        self.advance(now, deliveries);
        if self.loops.is_empty() {
            deliveries.push(self.post(&[event]));
            return;
        }
        let turn = self.turn % self.loops.len();
        self.turn = turn + 1;
        if let Some(batch) = self.loops.get_mut(turn) {
            batch.events.push(event);
            if batch.events.len() >= BATCH_SIZE {
                batch.begun = now;
                let events = std::mem::take(&mut batch.events);
                deliveries.push(self.post(&events));
            }
        }
    }

    /// It is `now`: batches that are a minute old leave.
    pub(super) fn advance(&mut self, now: DateTime<Utc>, deliveries: &mut Vec<Delivery>) {
        let mut ready = Vec::new();
        for batch in &mut self.loops {
            let age = now.signed_duration_since(batch.begun);
            if age >= BATCH_WAIT {
                let rounds = TimeDelta::try_minutes(age.num_minutes()).unwrap_or(age);
                batch.begun = batch.begun.checked_add_signed(rounds).unwrap_or(now);
                if !batch.events.is_empty() {
                    ready.push(std::mem::take(&mut batch.events));
                }
            }
        }
        deliveries.extend(ready.iter().map(|events| self.post(events)));
    }

    fn post(&self, events: &[String]) -> Delivery {
        let items = events.join(",");
        let body = format!(
            "{{\"kind\":\"EventList\",\"apiVersion\":\"audit.k8s.io/v1alpha1\",\"metadata\":{{}},\"items\":[{items}]}}\n"
        );
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut headers = vec![
            header("Host", split_url(&self.url).0),
            header("User-Agent", "Go-http-client/1.1"),
            header("Content-Length", &body.len().to_string()),
            header("Accept", "application/json, */*"),
        ];
        headers.extend(self.authorization.as_ref().map(|value| header("Authorization", value)));
        headers.extend([header("Content-Type", "application/json"), header("Accept-Encoding", "gzip")]);
        Delivery { method: "POST", url: self.url.clone(), headers, body }
    }
}

/// The server of a kubeconfig's current context, and the Authorization that its user sends, which Go does over TLS only.
fn server(path: &str, text: &str) -> Result<(String, Option<String>), String> {
    let config = yaml::parse(text).map_err(|error| format!("Error loading config file \"{path}\": {error}"))?;
    let named = |list: &str, name: &str, member: &str| {
        let mut entries = config.get(list).and_then(Value::as_array).into_iter().flatten();
        let found = entries.rfind(|entry| entry.get("name").and_then(Value::as_str) == Some(name));
        found.map(|entry| entry.get(member).cloned().unwrap_or_default())
    };
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let current = text(&config, "current-context");
    let context = named("contexts", &current, "context");
    let mut errors = Vec::new();
    if context.is_none() && !current.is_empty() {
        errors.push(format!("context was not found for specified context: {current}"));
    }
    let context = context.unwrap_or_default();
    let cluster_name = text(&context, "cluster");
    let cluster = named("clusters", &cluster_name, "cluster").unwrap_or_default();
    let url = text(&cluster, "server");
    if cluster.as_object().is_none_or(|members| members.is_empty()) {
        // The only error: there is no configuration at all.
        let what =
            if errors.is_empty() { "no configuration has been provided" } else { "cluster has no server defined" };
        errors.push(what.into());
    } else if url.is_empty() {
        errors.push(format!("no server found for cluster {}", quote(&cluster_name)));
    }
    match errors.as_slice() {
        [] => {}
        [error] => return Err(format!("invalid configuration: {error}")),
        errors => return Err(format!("invalid configuration: [{}]", errors.join(", "))),
    }
    let secure = url.starts_with("https://")
        || ["certificate-authority", "certificate-authority-data"].iter().any(|name| !text(&cluster, name).is_empty());
    let url = match url.contains("://") {
        true => url,
        false => format!("{}://{url}", if secure { "https" } else { "http" }),
    };
    let user = named("users", &text(&context, "user"), "user").unwrap_or_default();
    let token = text(&user, "token");
    let authorization = (secure && !token.is_empty()).then(|| format!("Bearer {token}"));
    Ok((url, authorization))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "clusters: [{name: c, cluster: {server: 'https://bin.example:8443/hook/?x'}}]\n\
                          contexts: [{name: x, context: {cluster: c, user: u}}]\n\
                          users: [{name: u, user: {token: t}}]\ncurrent-context: x\n";

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn kubeconfigs_that_name_no_server_are_refused() {
        for (text, expected) in [
            ("", "invalid configuration: no configuration has been provided"),
            (
                "current-context: x",
                "invalid configuration: [context was not found for specified context: x, cluster has no server defined]",
            ),
            (
                "clusters: [{name: c, cluster: {insecure-skip-tls-verify: true}}]\ncontexts: [{name: x, context: {cluster: c}}]\n\
                 current-context: x",
                "invalid configuration: no server found for cluster \"c\"",
            ),
            ("a: [", "Error loading config file \"hook\": yaml: line 1: did not find expected node content"),
        ] {
            assert_eq!(Webhook::new("hook", Some(text), "batch", false, at(0)).unwrap_err(), expected);
        }
    }

    #[test]
    fn a_batch_leaves_when_it_is_full_or_a_minute_old() {
        let mut webhook = Webhook::new("hook", Some(CONFIG), "batch", false, at(0)).unwrap();
        let mut sent = Vec::new();
        webhook.take("1".into(), at(10), &mut sent);
        webhook.take("2".into(), at(59), &mut sent);
        assert!(sent.is_empty());
        webhook.take("3".into(), at(60), &mut sent);
        webhook.advance(at(119), &mut sent);
        assert_eq!(sent.len(), 1, "the second round began at 60 s");
        webhook.advance(at(1_000_000), &mut sent);
        let items = |sent: &[Delivery]| -> Vec<String> {
            sent.iter()
                .map(|post| post.body.split("\"items\":").nth(1).unwrap().trim_end_matches("}\n").into())
                .collect()
        };
        assert_eq!(items(&sent), ["[1,2]", "[3]"]);
        sent.clear();
        (0..250).for_each(|event| webhook.take(event.to_string(), at(1_000_001), &mut sent));
        assert_eq!(sent.len(), 2, "full batches leave at once");
    }

    #[test]
    fn beside_another_backend_two_loops_take_turns() {
        let mut webhook = Webhook::new("hook", Some(CONFIG), "batch", true, at(0)).unwrap();
        let mut sent = Vec::new();
        (0..5).for_each(|event| webhook.take(event.to_string(), at(1), &mut sent));
        webhook.advance(at(60), &mut sent);
        let bodies: Vec<_> = sent.iter().map(|post| post.body.matches(',').count()).collect();
        assert_eq!(bodies, [5, 4], "three events and two");
    }

    #[test]
    fn a_delivery_reads_as_it_arrives() {
        let mut webhook = Webhook::new("hook", Some(CONFIG), "blocking", true, at(0)).unwrap();
        let mut sent = Vec::new();
        webhook.take("{}".into(), at(1), &mut sent);
        assert_eq!(
            sent[0].to_text(),
            "POST /hook HTTP/1.1\nHost: bin.example:8443\nUser-Agent: Go-http-client/1.1\nContent-Length: 85\nAccept: \
             application/json, */*\nAuthorization: Bearer t\nContent-Type: application/json\nAccept-Encoding: gzip\n\n\
             {\"kind\":\"EventList\",\"apiVersion\":\"audit.k8s.io/v1alpha1\",\"metadata\":{},\"items\":[{}]}\n"
        );
        assert!(same_server(&sent[0].url, "https://BIN.example:8443/"));
        assert!(!same_server(&sent[0].url, "https://bin.example/hook"));
        assert!(same_server("https://bin:443/a", "HTTPS://bin") && !same_server("http://bin:443", "https://bin"));
    }
}
