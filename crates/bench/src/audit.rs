//! Audit policies of 10, 100 and 1,000 rules, the search for rules that nothing reaches, and events on their way out.

use std::cell::RefCell;

use portcullis_core::audit::{Auditor, Policy, Written, shadows};
use portcullis_core::authentication::User;
use portcullis_core::request::{Request, RequestInfo, Url};
use portcullis_core::world::World;

use crate::dice::Dice;
use crate::{Clock, Figure, best, figure, rate};

const SIZES: [usize; 3] = [10, 100, 1_000];

pub fn run(clock: Clock<'_>, report: &mut dyn FnMut(Figure)) {
    let questions = questions();
    let mut rates = Vec::new();
    for size in SIZES {
        let Ok(policy) = Policy::parse("policy.yaml", &"policy.yaml".into(), 1, &policy(size)) else { continue };
        let decisions = rate(clock, &questions, |(user, info)| policy.level(user, info));
        report(figure(format!("audit decisions, {size} rules"), decisions, "/s"));
        let (time, found) = best(clock, || shadows(&policy));
        report(figure(format!("unreachable rules of {size}"), found.len() as f64, ""));
        report(figure(format!("search for unreachable rules, {size} rules"), time, "ms"));
        rates.push(decisions);
    }
    if let [few, .., many] = rates.as_slice() {
        report(figure("audit cost of a decision, 1000 rules to 10", few / many, "x"));
    }
    report(figure("audit events written, level RequestResponse", 2.0 * requests(clock), "/s"));
}

/// Each rule for one of 50 users and a few resources; the last one takes what is left.
fn policy(size: usize) -> String {
    let mut dice = Dice::new();
    let mut text = String::from("rules:\n");
    for _ in 1..size {
        let (user, one, other) = (dice.roll(50), dice.roll(40), dice.roll(40));
        text.push_str(&format!(
            "- {{level: Metadata, users: [user-{user}], verbs: [get, list], resources: [{{group: '', resources: \
             [kind-{one}, kind-{other}]}}]}}\n"
        ));
    }
    text + "- level: Request\n"
}

fn questions() -> Vec<(User, RequestInfo)> {
    let mut dice = Dice::new();
    let question = |_| {
        let groups = vec!["dev".to_owned(), "system:authenticated".to_owned()];
        let user = User { name: format!("user-{}", dice.roll(50)), groups, ..User::default() };
        let info = RequestInfo {
            is_resource_request: true,
            verb: if dice.roll(2) == 0 { "get" } else { "delete" }.to_owned(),
            resource: format!("kind-{}", dice.roll(40)),
            namespace: "default".to_owned(),
            ..RequestInfo::default()
        };
        (user, info)
    };
    (0..1_000).map(question).collect()
}

/// Requests a second from the first event to the last, into the log and a blocking webhook.
fn requests(clock: Clock<'_>) -> f64 {
    let world = RefCell::new(World::new(Default::default(), "bench"));
    let mut auditor = Auditor::new(true);
    let hook = "clusters: [{name: c, cluster: {server: 'http://bench/'}}]\n\
                contexts: [{name: x, context: {cluster: c}}]\ncurrent-context: x\n";
    let now = world.borrow().now;
    let ready = auditor.set_policy("p", Some((&"p".into(), 1, "rules: [{level: RequestResponse}]")));
    auditor.set_log("audit.log");
    if ready.and_then(|()| auditor.set_webhook("h", Some(hook), "blocking", now)).is_err() {
        return 0.0;
    }
    let auditor = RefCell::new(auditor);
    let uri = "/api/v1/namespaces/default/configmaps";
    let request =
        Request { method: "POST".into(), uri: uri.into(), source_ip: "127.0.0.1".into(), ..Request::default() };
    let Some(url) = Url::parse(uri) else { return 0.0 };
    let Ok(info) = RequestInfo::parse("POST", &url) else { return 0.0 };
    let object = serde_json::json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "a"}, "data": {"k": "v".repeat(500)}});
    let user = User { name: "alice".into(), groups: vec!["system:authenticated".into()], ..User::default() };
    rate(clock, &[()], |()| {
        let (mut world, mut auditor) = (world.borrow_mut(), auditor.borrow_mut());
        let mut trail = auditor.received(&request, &url, &info, &user, &mut world);
        trail.request_object(&object, "");
        trail.response_object(&mut object.clone(), 201);
        auditor.responded(trail, 201, Written::Object, &world);
        auditor.take()
    })
}
