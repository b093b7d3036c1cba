//! RBAC: the same questions of the same users, while the bindings of others grow from 60 to 10,000.

use std::collections::HashMap;
use std::fmt::Write;
use std::rc::Rc;

use portcullis_core::authentication::User;
use portcullis_core::authorization::rbac::{Rule, RuleResolver};
use portcullis_core::authorization::{Attributes, Verdict};
use portcullis_core::manifest::{self, Object, Value};
use portcullis_core::request::RequestInfo;

use crate::dice::Dice;
use crate::{Clock, Figure, REPETITIONS, best, figure, rate};

const SIZES: [usize; 3] = [60, 1_000, 10_000];

/// What is measured of one size.
struct Case {
    bindings: usize,
    dump: String,
    resolver: RuleResolver,
    naive: Naive,
    fast: f64,
    slow: f64,
    load: f64,
}

pub fn run(clock: Clock<'_>, report: &mut dyn FnMut(Figure)) {
    let questions = questions();
    let mut cases = SIZES.map(|bindings| {
        let dump = dump(bindings);
        let objects = load(&dump);
        let (resolver, naive) = (index(&objects), Naive::new(&objects));
        Case { bindings, dump, resolver, naive, fast: 0.0, slow: 0.0, load: f64::INFINITY }
    });
    // The sizes by turns: what else the machine does meets all of them.
    for case in (0..REPETITIONS).flat_map(|_| 0..SIZES.len()) {
        let Some(case) = cases.get_mut(case) else { continue };
        case.fast = case.fast.max(rate(clock, &questions, |it| case.resolver.authorize(&attributes(it))));
        case.slow = case.slow.max(rate(clock, &questions, |it| case.naive.allows(it)));
        case.load = case.load.min(best(clock, || index(&load(&case.dump))).0);
    }
    for Case { bindings, resolver, naive, fast, slow, load, .. } in &cases {
        // A benchmark of wrong answers would be worth nothing.
        let allows = |it| resolver.authorize(&attributes(it)).0 == Verdict::Allow;
        let agreed = questions.iter().filter(|it| allows(it) == naive.allows(it)).count();
        let name = format!("RBAC answers equal to the naive ones, {bindings} bindings, of {}", questions.len());
        report(figure(name, agreed as f64, ""));
        report(figure(format!("RBAC decisions, {bindings} bindings"), *fast, "/s"));
        report(figure(format!("RBAC decisions, naive, {bindings} bindings"), *slow, "/s"));
        report(figure(format!("RBAC decisions, ratio to naive, {bindings} bindings"), fast / slow, "x"));
        report(figure(format!("RBAC load of a dump, {bindings} bindings"), *load, "ms"));
    }
    let [few, middle, many] = &cases;
    report(figure("RBAC cost of a decision, 10000 bindings to 60", few.fast / many.fast, "x"));
    report(figure("RBAC load, growth from 1000 to 10000 bindings", many.load / middle.load, "x"));
}

fn attributes((user, request): &(User, RequestInfo)) -> Attributes<'_> {
    Attributes { user, request }
}

/// Ten users with some bindings of their own ask; about half of the questions are allowed.
fn questions() -> Vec<(User, RequestInfo)> {
    let mut dice = Dice::new();
    let mut pick = |words: &[&str]| words.get(dice.roll(words.len())).copied().unwrap_or("").to_owned();
    (0..1_000)
        .map(|at| {
            let groups = vec![format!("team-{}", at % 5), "developers".to_owned(), "system:authenticated".to_owned()];
            let user = User { name: format!("user-{}", at % 10), groups, ..User::default() };
            let request = RequestInfo {
                is_resource_request: true,
                verb: pick(&["get", "list", "delete"]),
                resource: pick(&["pods", "secrets", "services"]),
                namespace: pick(&["ns-0", "ns-1", "ns-2"]),
                name: "x".to_owned(),
                ..RequestInfo::default()
            };
            (user, request)
        })
        .collect()
}

/// A cluster as `kubectl get -o yaml` dumps it: the first 60 bindings are about the users who ask, all others about
/// others, in the same namespaces.
fn dump(bindings: usize) -> String {
    let mut text = "apiVersion: v1\nkind: List\nitems:\n".to_owned();
    for (role, verbs, resource) in [("viewer", "get, list", "pods"), ("editor", "get, delete", "services")] {
        let _ = write!(
            text,
            "- apiVersion: rbac.authorization.k8s.io/v1beta1\n  kind: ClusterRole\n  metadata:\n    name: {role}\n  rules:\n  \
             - apiGroups: ['']\n    resources: [{resource}, endpoints]\n    verbs: [{verbs}]\n"
        );
    }
    for at in 0..bindings {
        let (kind, name) = match at {
            0..20 => ("User", format!("user-{}", at % 10)),
            20..60 => ("Group", format!("team-{}", at % 20)),
            _ => ("User", format!("other-{at}")),
        };
        let role = if at % 2 == 0 { "viewer" } else { "editor" };
        let namespace = at / 2 % 3;
        let _ = write!(
            text,
            "- apiVersion: rbac.authorization.k8s.io/v1beta1\n  kind: RoleBinding\n  metadata:\n    name: b-{at}\n    \
             namespace: ns-{namespace}\n  roleRef:\n    apiGroup: rbac.authorization.k8s.io\n    kind: ClusterRole\n    \
             name: {role}\n  subjects:\n  - apiGroup: rbac.authorization.k8s.io\n    kind: {kind}\n    name: {name}\n"
        );
    }
    text
}

fn load(dump: &str) -> Vec<Rc<Object>> {
    let (documents, _) = manifest::parse(&"dump.yaml".into(), 1, dump);
    documents.into_iter().flat_map(|document| manifest::objects(document).0).map(Rc::new).collect()
}

fn index(objects: &[Rc<Object>]) -> RuleResolver {
    let mut resolver = RuleResolver::default();
    objects.iter().for_each(|object| resolver.upsert(object));
    resolver
}

/// RBAC without an index, otherwise as well prepared: rules and subjects are read beforehand.
struct Naive {
    roles: HashMap<String, Vec<Rule>>,
    bindings: Vec<Binding>,
}

struct Binding {
    namespace: String,
    role: String,
    subjects: Vec<(String, String)>,
}

impl Naive {
    fn new(objects: &[Rc<Object>]) -> Self {
        let mut naive = Self { roles: HashMap::new(), bindings: Vec::new() };
        for object in objects {
            let list = |key: &str| object.value.get(key).and_then(Value::as_array).into_iter().flatten();
            if object.kind() == "ClusterRole" {
                naive.roles.insert(object.name().to_owned(), list("rules").map(Rule::new).collect());
            } else {
                let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
                naive.bindings.push(Binding {
                    namespace: object.namespace().to_owned(),
                    role: object.text(&["roleRef", "name"]).to_owned(),
                    subjects: list("subjects").map(|it| (text(it, "kind"), text(it, "name"))).collect(),
                });
            }
        }
        naive
    }

    fn allows(&self, (user, request): &(User, RequestInfo)) -> bool {
        let here = self.bindings.iter().filter(|binding| binding.namespace == request.namespace);
        let names = |(kind, name): &(String, String)| match kind.as_str() {
            "User" => *name == user.name,
            _ => user.groups.contains(name),
        };
        let mut applying = here.filter(|binding| binding.subjects.iter().any(names));
        applying.any(|it| self.roles.get(&it.role).is_some_and(|rules| rules.iter().any(|rule| rule.allows(request))))
    }
}
