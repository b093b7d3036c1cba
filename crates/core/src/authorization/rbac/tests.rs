use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::json;

use super::*;

fn user(name: &str, groups: &[&str]) -> User {
    User { name: name.to_owned(), groups: groups.iter().map(|it| (*it).to_owned()).collect(), ..User::default() }
}

/// `VERB [GROUP:]RESOURCE[/SUBRESOURCE] [NAME] [in NAMESPACE]`, or `VERB /PATH`.
fn request(text: &str) -> RequestInfo {
    let (text, namespace) = text.split_once(" in ").unwrap_or((text, ""));
    let mut words = text.split(' ');
    let (verb, what) = (words.next().unwrap().to_owned(), words.next().unwrap());
    if what.starts_with('/') {
        return RequestInfo { verb, path: what.to_owned(), ..RequestInfo::default() };
    }
    let (group, what) = what.split_once(':').unwrap_or(("", what));
    let (resource, subresource) = what.split_once('/').unwrap_or((what, ""));
    RequestInfo {
        is_resource_request: true,
        verb,
        api_group: group.to_owned(),
        resource: resource.to_owned(),
        subresource: subresource.to_owned(),
        name: words.next().unwrap_or("").to_owned(),
        namespace: namespace.to_owned(),
        ..RequestInfo::default()
    }
}

fn role(kind: &str, namespace: &str, name: &str, rules: Value) -> Rc<Object> {
    object(json!({"apiVersion": "rbac.authorization.k8s.io/v1beta1", "kind": kind,
        "metadata": {"name": name, "namespace": namespace}, "rules": rules}))
}

/// A binding of the same name as its role; a ClusterRoleBinding where `namespace` is empty.
fn binding(namespace: &str, role: (&str, &str), subjects: Value) -> Rc<Object> {
    let kind = if namespace.is_empty() { "ClusterRoleBinding" } else { "RoleBinding" };
    object(json!({"apiVersion": "rbac.authorization.k8s.io/v1beta1", "kind": kind,
        "metadata": {"name": role.1, "namespace": namespace}, "subjects": subjects,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": role.0, "name": role.1}}))
}

fn object(value: Value) -> Rc<Object> {
    Rc::new(Object::new(value, None))
}

fn resolver(objects: &[Rc<Object>]) -> RuleResolver {
    let mut resolver = RuleResolver::default();
    objects.iter().for_each(|object| resolver.upsert(object));
    resolver
}

#[test]
fn a_rule_matches_as_section_4_1_says() {
    let rule = |value: Value| Rule::new(&value);
    let pods = || rule(json!({"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"]}));
    let named =
        || rule(json!({"verbs": ["*"], "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["a", "b"]}));
    let urls = |url: &str| rule(json!({"verbs": ["get"], "nonResourceURLs": [url]}));
    let any = |resource: &str| rule(json!({"verbs": ["*"], "apiGroups": ["*"], "resources": [resource]}));
    let rows = [
        (pods(), "get pods", None),
        (pods(), "get pods x in a", None),
        (pods(), "delete pods", Some(Failed::Verb)),
        (pods(), "GET pods", Some(Failed::Verb)),
        (pods(), "get apps:pods", Some(Failed::ApiGroup)),
        (pods(), "get pods/log", Some(Failed::Subresource)),
        (pods(), "get secrets", Some(Failed::Resource)),
        (pods(), "get /pods", Some(Failed::Resource)),
        (named(), "get secrets a", None),
        (named(), "get secrets c", Some(Failed::ResourceName)),
        (named(), "list secrets", Some(Failed::ResourceName)),
        (any("*"), "get apps:deployments/scale x", None),
        (any("pods/*"), "get pods/log", Some(Failed::Subresource)),
        (any("*/scale"), "get apps:deployments/scale", Some(Failed::Resource)),
        (any("pods/log"), "get pods/log", None),
        (any("pods/log"), "get pods", Some(Failed::Subresource)),
        (any("*"), "get /healthz", Some(Failed::Resource)),
        (rule(json!({"verbs": ["get"], "resources": ["pods"]})), "get pods", Some(Failed::ApiGroup)),
        (rule(json!({})), "get pods", Some(Failed::Verb)),
        (urls("*"), "get /x/y", None),
        (urls("/api/*"), "get /api/x", None),
        (urls("/api/*"), "get /api", Some(Failed::Resource)),
        (urls("/api**"), "get /apis", None),
        (urls("/a*b"), "get /axb", Some(Failed::Resource)),
        (urls("/api"), "get /api", None),
        (urls("/api"), "list /api", Some(Failed::Verb)),
        (urls("*"), "get pods", Some(Failed::ApiGroup)),
    ];
    for (rule, asked, expected) in rows {
        let info = request(asked);
        assert_eq!(rule.failures(&info).first, expected, "{rule} {asked}");
        assert_eq!(rule.allows(&info), expected.is_none());
    }
}

#[test]
fn a_subject_is_matched_by_kind_name_and_namespace() {
    let sa = "system:serviceaccount:a:sa";
    let rows = [
        ("", json!({"kind": "User", "name": "alice"}), true),
        ("", json!({"kind": "User", "name": "alice", "apiGroup": "other"}), true),
        ("", json!({"kind": "User", "name": "*"}), false),
        ("", json!({"kind": "Group", "name": "dev"}), true),
        ("", json!({"kind": "Group", "name": "alice"}), false),
        ("", json!({"kind": "user", "name": "alice"}), false),
        ("", json!({"kind": "ServiceAccount", "name": "sa", "namespace": "a"}), false),
        ("a", json!({"kind": "User", "name": "alice"}), true),
        ("b", json!({"kind": "User", "name": "alice"}), false),
    ];
    let rules = json!([{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]);
    for (namespace, subject, expected) in rows {
        let resolver = resolver(&[
            role("ClusterRole", "", "r", rules.clone()),
            binding(namespace, ("ClusterRole", "r"), json!([subject])),
        ]);
        let attributes = Attributes { user: &user("alice", &["dev"]), request: &request("get pods in a") };
        assert_eq!(resolver.authorize(&attributes).0 == Verdict::Allow, expected, "{namespace} {subject}");
    }
    let rows = [
        ("", json!({"kind": "ServiceAccount", "name": "sa", "namespace": "a"}), true),
        ("", json!({"kind": "ServiceAccount", "name": "sa"}), false),
        ("", json!({"kind": "User", "name": sa}), true),
        ("a", json!({"kind": "ServiceAccount", "name": "sa"}), true),
        ("a", json!({"kind": "ServiceAccount", "name": "sa", "namespace": "b"}), false),
    ];
    for (namespace, subject, expected) in rows {
        let resolver = resolver(&[
            role("ClusterRole", "", "r", rules.clone()),
            binding(namespace, ("ClusterRole", "r"), json!([subject])),
        ]);
        let attributes = Attributes { user: &user(sa, &[]), request: &request("get pods in a") };
        assert_eq!(resolver.authorize(&attributes).0 == Verdict::Allow, expected, "{namespace} {subject}");
    }
}

#[test]
fn what_cannot_be_resolved_is_the_reason() {
    let alice = json!([{"kind": "User", "name": "alice"}, {"kind": "Group", "name": "dev"}]);
    let named = |name: &str, namespace: &str, role_ref: Value| {
        let mut value = binding(namespace, ("", name), alice.clone()).value.clone();
        value["roleRef"] = role_ref;
        object(value)
    };
    let reference = |kind: &str, name: &str| json!({"apiGroup": GROUP, "kind": kind, "name": name});
    let gone = "clusterrole.rbac.authorization.k8s.io \"x\" not found";
    let role = "role.rbac.authorization.k8s.io \"y\" not found";
    let rows: [(Vec<Rc<Object>>, String); 6] = [
        (vec![], String::new()),
        (vec![named("b", "", reference("ClusterRole", "x"))], gone.to_owned()),
        (
            vec![named("b", "a", reference("Role", "y")), named("c", "", reference("ClusterRole", "x"))],
            format!("[{gone}, {role}]"),
        ),
        (
            vec![named("b", "", reference("ClusterRole", "x")), named("c", "", reference("ClusterRole", "x"))],
            format!("[{gone}, {gone}]"),
        ),
        (vec![named("b", "", reference("Role", "y"))], role.to_owned()),
        (
            vec![named("b", "a", json!({"apiGroup": "g", "kind": "Role", "name": "y"}))],
            "unsupported role reference kind: {\"g\" \"Role\"}".to_owned(),
        ),
    ];
    for (objects, expected) in rows {
        let resolver = resolver(&objects);
        let attributes = Attributes { user: &user("alice", &["dev", "dev"]), request: &request("get pods in a") };
        assert_eq!(resolver.authorize(&attributes), (Verdict::NoOpinion, expected));
    }
}

#[test]
fn rules_are_printed_and_covered_as_escalation_errors_show() {
    let rules = |value: Value| -> Vec<Rule> { value.as_array().unwrap().iter().map(Rule::new).collect() };
    let owner = json!([
        {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods", "configmaps"]},
        {"verbs": ["*"], "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["*"]},
        {"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["a", "b"]},
        {"verbs": ["get"], "nonResourceURLs": ["/api/*", "/healthz"]},
    ]);
    let rows = [
        (json!([]), vec![]),
        (json!([{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]), vec![]),
        (
            json!([{"verbs": ["get", "delete"], "apiGroups": [""], "resources": ["pods"]}]),
            vec![r#"PolicyRule{Resources:["pods"], APIGroups:[""], Verbs:["delete"]}"#],
        ),
        (
            json!([{"verbs": ["list"], "apiGroups": ["", "apps"], "resources": ["pods", "pods/log"]}]),
            vec![
                r#"PolicyRule{Resources:["pods/log"], APIGroups:[""], Verbs:["list"]}"#,
                r#"PolicyRule{Resources:["pods"], APIGroups:["apps"], Verbs:["list"]}"#,
                r#"PolicyRule{Resources:["pods/log"], APIGroups:["apps"], Verbs:["list"]}"#,
            ],
        ),
        (
            json!([{"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"]},
                {"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["a", "c"]}]),
            vec![
                r#"PolicyRule{Resources:["secrets"], APIGroups:[""], Verbs:["get"]}"#,
                r#"PolicyRule{Resources:["secrets"], ResourceNames:["c"], APIGroups:[""], Verbs:["get"]}"#,
            ],
        ),
        (
            json!([{"verbs": ["get"], "nonResourceURLs": ["/api/x", "/healthz", "/healthz/y", "/api/*", "*"]}]),
            vec![
                r#"PolicyRule{NonResourceURLs:["/healthz/y"], Verbs:["get"]}"#,
                r#"PolicyRule{NonResourceURLs:["*"], Verbs:["get"]}"#,
            ],
        ),
        (json!([{"verbs": ["*"], "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["*"]}]), vec![]),
        (
            json!([{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]),
            vec![r#"PolicyRule{Resources:["*"], APIGroups:["*"], Verbs:["*"]}"#],
        ),
    ];
    for (needed, expected) in rows {
        let uncovered: Vec<String> =
            covers(&rules(owner.clone()), &rules(needed.clone())).iter().map(Rule::to_string).collect();
        assert_eq!(uncovered, expected, "{needed}");
    }
    let two = Rule::new(&json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods", "b\"c"]}));
    assert_eq!(two.to_string(), r#"PolicyRule{Resources:["pods" "b\"c"], APIGroups:[""], Verbs:["get"]}"#);
}

#[test]
fn a_rule_that_explodes_into_atoms_is_cut_short() {
    let many: Vec<String> = (0..1_000).map(|at| at.to_string()).collect();
    let rule = json!({"verbs": many, "apiGroups": many, "resources": many, "resourceNames": many});
    assert_eq!(covers(&[], &[Rule::new(&rule)]).len(), 10_000);
}

#[test]
fn rules_come_in_the_order_of_the_registry_and_errors_in_its_words() {
    let alice = json!([{"kind": "User", "name": "alice"}]);
    let rules = |verb: &str| json!([{"verbs": [verb], "apiGroups": [""], "resources": ["pods"]}]);
    let resolver = resolver(&[
        role("Role", "a", "r", rules("third")),
        role("ClusterRole", "", "z", rules("second")),
        role("ClusterRole", "", "y", rules("first")),
        binding("a", ("Role", "r"), alice.clone()),
        binding("a", ("Role", "gone"), alice.clone()),
        binding("b", ("Role", "elsewhere"), alice.clone()),
        binding("", ("ClusterRole", "z"), alice.clone()),
        binding("", ("ClusterRole", "y"), alice),
    ]);
    let verbs = |namespace: &str| {
        let (rules, errors) = resolver.rules_for(&user("alice", &[]), namespace);
        (rules.iter().map(|rule| rule.verbs.concat()).collect::<Vec<_>>().join(" "), errors.join(" "))
    };
    assert_eq!(verbs(""), ("first second".to_owned(), String::new()));
    let gone = "roles.rbac.authorization.k8s.io \"gone\" not found";
    assert_eq!(verbs("a"), ("first second third".to_owned(), gone.to_owned()));

    let reference = |kind: &str, name: &str| json!({"apiGroup": GROUP, "kind": kind, "name": name});
    assert_eq!(resolver.rules_of(&reference("ClusterRole", "z"), "").unwrap().len(), 1);
    assert_eq!(resolver.rules_of(&reference("Role", "r"), "a").unwrap().len(), 1);
    assert_eq!(resolver.rules_of(&reference("Role", "gone"), "a").unwrap_err(), gone);
    let missing = "clusterroles.rbac.authorization.k8s.io \"x\" not found";
    assert_eq!(resolver.rules_of(&reference("ClusterRole", "x"), "").unwrap_err(), missing);
}

#[test]
fn an_allow_names_the_subject_and_the_rule() {
    let resolver = resolver(&[
        role(
            "ClusterRole",
            "",
            "reader",
            json!([{"verbs": ["get"], "nonResourceURLs": ["/healthz"]},
                {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["services", "endpoints"]}]),
        ),
        binding(
            "kube-system",
            ("ClusterRole", "reader"),
            json!([{"kind": "User", "name": "bob"}, {"kind": "ServiceAccount", "name": "dns"}]),
        ),
    ]);
    let dns = user("system:serviceaccount:kube-system:dns", &[]);
    let because = resolver.because(&Attributes { user: &dns, request: &request("list services in kube-system") });
    let found: Vec<_> = because
        .iter()
        .map(|it| (it.message.as_str(), it.location.object.as_str(), it.location.path.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            (
                "RoleBinding kube-system/reader names the service account kube-system/dns.",
                "RoleBinding/kube-system/reader",
                "subjects[1]"
            ),
            ("Rule 2 of ClusterRole reader grants get, list on services, endpoints.", "ClusterRole/reader", "rules[1]"),
        ]
    );
    assert!(resolver.because(&Attributes { user: &dns, request: &request("list services") }).is_empty());
}

#[test]
fn a_denial_lists_what_came_near_nearest_first() {
    let alice = json!([{"kind": "User", "name": "alice"}]);
    let dev = json!([{"kind": "Group", "name": "dev"}]);
    let resolver = resolver(&[
        role(
            "ClusterRole",
            "",
            "reader",
            json!([{"verbs": ["delete"], "apiGroups": ["apps"], "resources": ["deployments"]},
                {"verbs": ["list", "watch"], "apiGroups": [""], "resources": ["services", "endpoints"]}]),
        ),
        role("Role", "b", "pods", json!([{"verbs": ["list"], "apiGroups": [""], "resources": ["pods"]}])),
        role(
            "ClusterRole",
            "",
            "named",
            json!([{"verbs": ["*"], "apiGroups": [""], "resources": ["pods"], "resourceNames": ["x", "y"]}]),
        ),
        role("ClusterRole", "", "empty", json!([])),
        role(
            "ClusterRole",
            "",
            "logs",
            json!([{"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods/log"]}]),
        ),
        role("ClusterRole", "", "urls", json!([{"verbs": ["get"], "nonResourceURLs": ["/api", "/api/*"]}])),
        role("ClusterRole", "", "getter", json!([{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}])),
        role(
            "ClusterRole",
            "",
            "old",
            json!([{"verbs": ["list"], "apiGroups": ["extensions"], "resources": ["pods", "a", "b", "c", "d", "e", "f", "g"]}]),
        ),
        binding("", ("ClusterRole", "reader"), dev.clone()),
        binding("b", ("Role", "pods"), alice.clone()),
        binding(
            "",
            ("ClusterRole", "named"),
            json!([{"kind": "User", "name": "alice"}, {"kind": "Group", "name": "dev"}]),
        ),
        binding("", ("ClusterRole", "empty"), alice.clone()),
        binding("", ("ClusterRole", "logs"), alice.clone()),
        binding("", ("ClusterRole", "urls"), dev),
        binding("", ("ClusterRole", "getter"), alice.clone()),
        binding("", ("ClusterRole", "old"), alice.clone()),
        binding("", ("ClusterRole", "gone"), alice),
        binding("", ("ClusterRole", "others"), json!([{"kind": "User", "name": "bob"}])),
    ]);
    let told = |asked: &str| -> Vec<String> {
        let attributes = Attributes { user: &user("alice", &["dev"]), request: &request(asked) };
        let nearest = resolver.nearest(&attributes);
        let rule = |it: &crate::authorization::NearMiss| it.rule.as_ref().map_or("", |rule| &rule.path).to_owned();
        nearest.iter().map(|it| format!("{:?} {} {}", it.failed, rule(it), it.message)).collect()
    };
    assert_eq!(
        told("list pods"),
        [
            "ResourceName rules[0] ClusterRoleBinding named: rule 1 of ClusterRole named grants * on pods; only those named x, y, and the request has no name.",
            "Subresource rules[0] ClusterRoleBinding logs: rule 1 of ClusterRole logs grants get, list on pods/log; that does not include pods itself.",
            "ApiGroup rules[0] ClusterRoleBinding old: rule 1 of ClusterRole old grants list on pods, a, b, c, d, e and 2 more; that is API group extensions, the request is for core.",
            "Verb rules[0] ClusterRoleBinding getter: rule 1 of ClusterRole getter grants get on pods; list is not among them.",
            "Namespace rules[0] RoleBinding b/pods grants in namespace b only; the request is for the whole cluster.",
            "Resource rules[1] ClusterRoleBinding reader: rule 2 of ClusterRole reader grants list, watch on services, endpoints; pods is not among them.",
            "Verb rules[0] ClusterRoleBinding urls: rule 1 of ClusterRole urls grants get on /api, /api/*; list is not among them.",
            "Verb  ClusterRoleBinding empty: ClusterRole empty has no rules.",
            "MissingRole  ClusterRoleBinding gone refers to ClusterRole gone, which does not exist.",
        ]
    );
    assert_eq!(
        told("delete pods/log x in a")[0],
        "Subresource rules[0] ClusterRoleBinding named: rule 1 of ClusterRole named grants * on pods; pods/log is not among them."
    );
    assert!(told("delete pods z in a")[0].ends_with("only those named x, y, and not z."));
    assert!(told("list pods in a").contains(
        &"Namespace rules[0] RoleBinding b/pods grants in namespace b only; the request is for namespace a.".to_owned()
    ));
    assert_eq!(
        told("get /metrics")[0],
        "Resource rules[0] ClusterRoleBinding urls: rule 1 of ClusterRole urls grants get on /api, /api/*; /metrics is not among them."
    );
}

#[test]
fn a_start_adds_what_is_missing_and_takes_nothing() {
    let expected = json!({"kind": "ClusterRole", "metadata": {"name": "r", "labels": {"l": "1"}, "annotations": {"a": "1"}},
        "rules": [{"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"]}]});
    let own = json!({"kind": "ClusterRole", "metadata": {"name": "r", "labels": {"l": "own", "m": "2"}, "annotations": {"a": "1"}},
        "rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["*"]}]});
    assert_eq!(reconcile_role(&expected, &expected), None);
    let mut updated = own.clone();
    updated["rules"].as_array_mut().unwrap().push(json!({"verbs": ["list"], "apiGroups": [""], "resources": ["pods"]}));
    assert_eq!(reconcile_role(&own, &expected), Some(updated.clone()));
    assert_eq!(reconcile_role(&updated, &expected), None);
    let mut protected = own;
    protected["metadata"]["annotations"] = json!({"rbac.authorization.kubernetes.io/autoupdate": "false"});
    assert_eq!(reconcile_role(&protected, &expected), None);
    // What is missing of the metadata comes where the API prints it.
    let bare = json!({"metadata": {"name": "r", "ownerReferences": []}, "rules": expected["rules"]});
    let printed = reconcile_role(&bare, &expected).unwrap()["metadata"].to_string();
    assert_eq!(printed, r#"{"name":"r","labels":{"l":"1"},"annotations":{"a":"1"},"ownerReferences":[]}"#);

    let subject = |name: &str| json!({"kind": "Group", "apiGroup": GROUP, "name": name});
    let bound = |role: &str, subjects: Value| {
        json!({"metadata": {"name": "b", "labels": {"l": "1"}}, "subjects": subjects,
            "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": role}})
    };
    let rows = [
        (bound("r", json!([subject("x")])), Reconciled::Unchanged),
        (bound("other", json!([subject("x")])), Reconciled::Recreate),
        (bound("r", json!([subject("y")])), Reconciled::Update(bound("r", json!([subject("y"), subject("x")])))),
        (bound("r", json!([subject("y"), subject("x")])), Reconciled::Unchanged),
    ];
    for (existing, reconciled) in rows {
        assert_eq!(
            reconcile_binding(&existing, &bound("r", json!([subject("x"), subject("x")]))),
            reconciled,
            "{existing}"
        );
    }
    // Nothing is expected (system:node in Node mode): the subject that is there stays.
    assert_eq!(reconcile_binding(&bound("r", json!([subject("x")])), &bound("r", json!([]))), Reconciled::Unchanged);
}

/// RBAC as it would be written without an index: every binding is looked at for every request.
#[derive(Default)]
struct Oracle {
    objects: BTreeMap<(String, String, String), Value>,
}

impl Oracle {
    fn key(value: &Value) -> (String, String, String) {
        let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
        (text(&value["kind"]), text(&value["metadata"]["namespace"]), text(&value["metadata"]["name"]))
    }

    fn has(list: &Value, wanted: &str) -> bool {
        list.as_array().is_some_and(|list| list.iter().any(|it| it == "*" || it == wanted))
    }

    fn allows(rule: &Value, request: &RequestInfo) -> bool {
        if !Self::has(&rule["verbs"], &request.verb) {
            return false;
        }
        if !request.is_resource_request {
            return rule["nonResourceURLs"].as_array().into_iter().flatten().any(|url| {
                let url = url.as_str().unwrap();
                url == request.path || (url.ends_with('*') && request.path.starts_with(url.trim_end_matches('*')))
            });
        }
        let resource = match request.subresource.as_str() {
            "" => request.resource.clone(),
            subresource => format!("{}/{subresource}", request.resource),
        };
        let names = rule["resourceNames"].as_array().map_or(&[][..], Vec::as_slice);
        Self::has(&rule["apiGroups"], &request.api_group)
            && Self::has(&rule["resources"], &resource)
            && (names.is_empty() || names.iter().any(|name| *name == request.name.as_str()))
    }

    fn names(binding: &Value, user: &User) -> bool {
        binding["subjects"].as_array().unwrap().iter().any(|subject| {
            let name = subject["name"].as_str().unwrap();
            match subject["kind"].as_str().unwrap() {
                "User" => user.name == name,
                "Group" => user.groups.iter().any(|group| group == name),
                _ => {
                    let own = binding["metadata"]["namespace"].as_str().unwrap_or("");
                    let namespace = subject["namespace"].as_str().unwrap_or(own);
                    !namespace.is_empty() && user.name == format!("system:serviceaccount:{namespace}:{name}")
                }
            }
        })
    }

    /// The verdict, and the errors of the roles that are missing.
    fn authorize(&self, user: &User, request: &RequestInfo) -> (bool, Vec<String>) {
        let mut errors = Vec::new();
        for kind in ["ClusterRoleBinding", "RoleBinding"] {
            for ((_, namespace, _), binding) in self.objects.iter().filter(|((it, ..), _)| it == kind) {
                if (kind == "RoleBinding" && *namespace != request.namespace) || !Self::names(binding, user) {
                    continue;
                }
                let role_kind = binding["roleRef"]["kind"].as_str().unwrap();
                let name = binding["roleRef"]["name"].as_str().unwrap();
                let at = if role_kind == "Role" { namespace.as_str() } else { "" };
                match self.objects.get(&(role_kind.to_owned(), at.to_owned(), name.to_owned())) {
                    Some(role) if role["rules"].as_array().unwrap().iter().any(|rule| Self::allows(rule, request)) => {
                        return (true, Vec::new());
                    }
                    Some(_) => {}
                    None => errors.push(format!("{}.{GROUP} \"{name}\" not found", role_kind.to_lowercase())),
                }
            }
        }
        (false, errors)
    }
}

fn some(all: &'static [&'static str]) -> impl Strategy<Value = Vec<&'static str>> {
    subsequence(all.to_vec(), 0..=all.len().min(3))
}

fn a_rule() -> impl Strategy<Value = Value> {
    let resources = (
        some(&["get", "list", "delete", "*"]),
        some(&["", "apps", "*"]),
        some(&["pods", "pods/log", "secrets", "*"]),
        prop_oneof![3 => Just(vec![]), 1 => some(&["x", "y"])],
    );
    prop_oneof![
        3 => resources.prop_map(|(verbs, groups, resources, names)| {
            json!({"verbs": verbs, "apiGroups": groups, "resources": resources, "resourceNames": names})
        }),
        1 => (some(&["get", "*"]), some(&["/api", "/api/*", "*", "/healthz**"]))
            .prop_map(|(verbs, urls)| json!({"verbs": verbs, "nonResourceURLs": urls})),
    ]
}

fn a_subject() -> impl Strategy<Value = Value> {
    prop_oneof![
        select(vec!["alice", "bob", "system:serviceaccount:a:sa"]).prop_map(|it| json!({"kind": "User", "name": it})),
        select(vec!["dev", "ops", "alice"]).prop_map(|it| json!({"kind": "Group", "name": it})),
        select(vec!["a", "b"]).prop_map(|it| json!({"kind": "ServiceAccount", "name": "sa", "namespace": it})),
        Just(json!({"kind": "ServiceAccount", "name": "sa"})),
    ]
}

fn an_object() -> impl Strategy<Value = Value> {
    let scope = || select(vec!["", "a", "b"]);
    let name = || select(vec!["r1", "r2", "r3"]);
    let role = (scope(), name(), prop::collection::vec(a_rule(), 0..3)).prop_map(|(namespace, name, rules)| {
        let kind = if namespace.is_empty() { "ClusterRole" } else { "Role" };
        role(kind, namespace, name, Value::Array(rules)).value.clone()
    });
    let role_kind = select(vec!["Role", "ClusterRole"]);
    let subjects = prop::collection::vec(a_subject(), 0..3);
    let binding = (scope(), name(), role_kind, name(), subjects).prop_map(|(namespace, own, kind, name, subjects)| {
        let mut value = binding(namespace, (kind, name), Value::Array(subjects)).value.clone();
        value["metadata"]["name"] = own.into();
        value
    });
    prop_oneof![role, binding]
}

fn a_request() -> impl Strategy<Value = (User, RequestInfo)> {
    let who = select(vec!["alice", "bob", "system:serviceaccount:a:sa", "system:serviceaccount:b:sa"]);
    let groups = some(&["dev", "ops", "alice"]);
    let verb = || select(vec!["get", "list", "delete", ""]);
    let what = select(vec!["pods", "pods/log", "secrets x", "apps:secrets", "pods y"]);
    let resource =
        (verb(), what, select(vec!["", " in a", " in b"])).prop_map(|(v, w, n)| request(&format!("{v} {w}{n}")));
    let path = (verb(), select(vec!["/api", "/api/x", "/healthz/y"])).prop_map(|(v, w)| request(&format!("{v} {w}")));
    (who, groups, prop_oneof![4 => resource, 1 => path])
        .prop_map(|(who, groups, request)| (user(who, &groups), request))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_index_agrees_with_a_scan(
        changes in prop::collection::vec((an_object(), prop::bool::weighted(0.75)), 1..40),
        requests in prop::collection::vec(a_request(), 8),
    ) {
        let (mut resolver, mut oracle) = (RuleResolver::default(), Oracle::default());
        for (value, upsert) in changes {
            if upsert {
                resolver.upsert(&object(value.clone()));
                oracle.objects.insert(Oracle::key(&value), value);
            } else {
                resolver.delete(&object(value.clone()));
                oracle.objects.remove(&Oracle::key(&value));
            }
            let bindings = || resolver.bindings.values().flat_map(|names| names.values());
            let wrong = bindings().filter(|it| resolver.role(it).is_none() || it.is_odd()).map(Rc::as_ptr);
            let suspects: Vec<*const Binding> = resolver.suspects().into_iter().map(std::ptr::from_ref).collect();
            prop_assert_eq!(suspects, wrong.collect::<Vec<_>>());
            for role in resolver.cluster_roles.values().chain(resolver.roles.values().flat_map(|it| it.values())) {
                let names = |it: &Rc<Binding>| resolver.role(it).is_some_and(|bound| std::ptr::eq(bound, role));
                prop_assert_eq!(resolver.is_unbound(role), !bindings().any(names));
            }
            for (user, request) in &requests {
                let attributes = Attributes { user, request };
                let (verdict, reason) = resolver.authorize(&attributes);
                let (allowed, errors) = oracle.authorize(user, request);
                prop_assert_eq!(verdict == Verdict::Allow, allowed);
                prop_assert_eq!(reason, aggregate(&errors));
                prop_assert_eq!(resolver.because(&attributes).len(), if allowed { 2 } else { 0 });
                let (rules, unresolved) = resolver.rules_for(user, &request.namespace);
                prop_assert_eq!(rules.iter().any(|rule| rule.allows(request)), allowed);
                prop_assert!(allowed || unresolved.len() == errors.len());
                if !allowed {
                    let nearest = resolver.nearest(&attributes);
                    let listed: BTreeSet<_> = nearest.iter().map(|it| it.location.object.clone()).collect();
                    let naming: BTreeSet<_> = oracle.objects.iter()
                        .filter(|((kind, ..), value)| kind.ends_with("Binding") && Oracle::names(value, user))
                        .map(|(_, value)| object(value.clone()).location(&[]).object)
                        .collect();
                    prop_assert_eq!(listed.len(), nearest.len());
                    prop_assert_eq!(listed, naming);
                }
            }
        }
        for value in oracle.objects.values() {
            resolver.delete(&object(value.clone()));
        }
        prop_assert!(resolver.bindings.is_empty() && resolver.users.is_empty() && resolver.groups.is_empty());
        prop_assert!(resolver.referring.is_empty() && resolver.odd.is_empty());
    }
}

/// Objects of a text, as a user's document has them.
fn written(text: &str) -> RuleResolver {
    let (documents, problems) = crate::manifest::parse(&"a.yaml".into(), 1, text);
    assert_eq!(problems, [], "{text}");
    let objects: Vec<_> = documents.into_iter().flat_map(|it| crate::manifest::objects(it).0).map(Rc::new).collect();
    resolver(&objects)
}

#[test]
fn what_matches_nothing_is_told_and_nothing_else() {
    use crate::release::Release;
    let release = Release::find("1.7").unwrap();
    let role = |kind: &str, rule: &str| {
        let namespace = if kind == "Role" { "namespace: a, " } else { "" };
        format!(
            "kind: {kind}\napiVersion: rbac.authorization.k8s.io/v1beta1\nmetadata: {{{namespace}name: r}}\nrules: [{rule}]\n---\n\
             kind: {kind}Binding\napiVersion: rbac.authorization.k8s.io/v1beta1\nmetadata: {{{namespace}name: b}}\n\
             roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: {kind}, name: r}}\nsubjects: [{{kind: User, name: u}}]\n"
        )
    };
    // The kind, the rule, what is told, and whether nothing of the rule is left.
    for (kind, rule, told, dead) in [
        ("Role", "{apiGroups: [''], resources: [pods, pods/log, '*'], verbs: [get, use, '*']}", vec![], false),
        (
            "Role",
            "{apiGroups: [''], resources: [pod, pods], verbs: [get]}",
            vec!["\"pod\" is no resource. Write \"pods\"."],
            false,
        ),
        (
            "Role",
            "{apiGroups: [''], resources: [Pods], verbs: [get]}",
            vec!["\"Pods\" is no resource. Write \"pods\"."],
            true,
        ),
        (
            "Role",
            "{apiGroups: [''], resources: [po/log], verbs: [get]}",
            vec!["\"po\" is no resource. Write \"pods\"."],
            true,
        ),
        (
            "Role",
            "{apiGroups: [''], resources: [pods/logs], verbs: [get]}",
            vec!["pods/logs does not exist. Write \"pods/log\"."],
            true,
        ),
        // Others may serve these, or ask about them.
        ("Role", "{apiGroups: ['', example.com], resources: [pod], verbs: [get]}", vec![], false),
        ("Role", "{apiGroups: ['*'], resources: [pod], verbs: [get]}", vec![], false),
        ("Role", "{apiGroups: [''], resources: [widgets, nodes/metrics, users], verbs: [frob]}", vec![], false),
        (
            "Role",
            "{apiGroups: [''], resources: [deployments], verbs: [get]}",
            vec!["deployments are not in this rule's apiGroups: they are in \"extensions\", \"apps\"."],
            true,
        ),
        ("Role", "{apiGroups: ['', apps], resources: [deployments, pods], verbs: [get]}", vec![], false),
        (
            "Role",
            "{apiGroups: [v1, apps/v1, app, ''], resources: [pods], verbs: [get]}",
            vec![
                "The group of pods, services and secrets is written \"\" here.",
                "A group is written without its version here: \"apps\".",
                "The API server of 1.7 has no API group \"app\".",
            ],
            false,
        ),
        (
            "Role",
            "{apiGroups: [core], resources: [pods], verbs: [get]}",
            vec!["The group of pods, services and secrets is written \"\" here."],
            true,
        ),
        (
            "Role",
            "{resources: [pods], verbs: [get]}",
            vec!["This rule has no apiGroups and allows nothing. The group of pods and secrets is written \"\"."],
            true,
        ),
        ("Role", "{apiGroups: [''], resources: [pods]}", vec!["This rule has no verbs and allows nothing."], true),
        (
            "Role",
            "{apiGroups: [''], verbs: [get]}",
            vec!["This rule names no resources and no nonResourceURLs and allows nothing."],
            true,
        ),
        (
            "Role",
            "{apiGroups: [''], resources: [pods], verbs: [GET, read, get]}",
            vec![
                "\"GET\" is no verb of a request for a resource. Write get.",
                "\"read\" is no verb of a request for a resource. Write get.",
            ],
            false,
        ),
        (
            "Role",
            "{apiGroups: [''], resources: [pods], verbs: [post]}",
            vec!["\"post\" is no verb of a request for a resource. Write create."],
            true,
        ),
        (
            "Role",
            "{apiGroups: [''], resources: [secrets], resourceNames: [db], verbs: [get, list, watch, create]}",
            vec![
                "list with resourceNames allows nothing: such a request names no object.",
                "create with resourceNames allows nothing: such a request names no object.",
            ],
            false,
        ),
        ("Role", "{apiGroups: [''], resources: [pods/exec], resourceNames: [db], verbs: [create]}", vec![], false),
        (
            "Role",
            "{apiGroups: [''], resources: [nodes, namespaces], verbs: [get]}",
            vec![
                "nodes belong to no namespace, and a Role grants in its own only. Write a ClusterRole and bind it with a ClusterRoleBinding.",
            ],
            false,
        ),
        ("ClusterRole", "{apiGroups: [''], resources: [nodes], verbs: [get]}", vec![], false),
        ("Role", "{apiGroups: [rbac.authorization.k8s.io], resources: [clusterroles], verbs: [bind]}", vec![], false),
        (
            "Role",
            "{nonResourceURLs: [/healthz], verbs: [get]}",
            vec![
                "Paths belong to no namespace, and a Role grants in its own only. Write a ClusterRole and bind it with a ClusterRoleBinding.",
            ],
            true,
        ),
        (
            "ClusterRole",
            "{nonResourceURLs: [/healthz], verbs: [get, list]}",
            vec!["A path has no list: its verbs are the HTTP methods get, post, put, patch and delete."],
            false,
        ),
    ] {
        let rbac = written(&role(kind, rule));
        let found: Vec<_> = rbac.problems(release).into_iter().map(|it| (it.line, it.message)).collect();
        assert_eq!(found, told.iter().map(|it| (4, (*it).to_owned())).collect::<Vec<_>>(), "{rule}");
        let standing = rbac.standing(release, 1).unwrap();
        assert_eq!(standing[0].never.is_some(), dead, "{rule}: {standing:?}");
    }
    assert_eq!(written(&role("Role", "{}, {}")).standing(release, 1), Err(2), "too many are not looked at");
}

#[test]
fn what_is_dead_allows_no_request_that_is_served() {
    use crate::release::Release;
    use crate::request::Url;
    let release = Release::find("1.7").unwrap();
    let lists: [&[&str]; 4] = [
        &["get", "list", "create", "deletecollection", "post", "GET"],
        &["", "apps", "v1", "extensions"],
        &["pods", "pod", "nodes", "deployments", "pods/log", "pods/logs", "namespaces"],
        &["one"],
    ];
    let mut requests = Vec::new();
    for it in release.resources() {
        let root = match it.group {
            "" => format!("/api/{}", it.version),
            group => format!("/apis/{group}/{}", it.version),
        };
        let mut paths = vec![it.resource.to_owned(), format!("{}/one", it.resource)];
        paths.extend(it.subresources.iter().map(|part| format!("{}/one/{}", it.resource, part.name)));
        for path in paths {
            for namespace in if it.namespaced { vec!["namespaces/a/", ""] } else { vec![""] } {
                // Nothing is created at an object's own path.
                let methods = match path.split('/').count() {
                    2 => ["GET", "PUT", "PATCH", "DELETE"],
                    _ => ["GET", "POST", "PUT", "DELETE"],
                };
                for method in methods {
                    let url = Url::parse(&format!("{root}/{namespace}{path}")).unwrap();
                    requests.push(RequestInfo::parse(method, &url).unwrap());
                }
            }
        }
    }
    let asker = user("u", &[]);
    for verb in lists[0] {
        for group in lists[1] {
            for resource in lists[2] {
                for name in [None, Some(lists[3][0])] {
                    let names = name.map_or(String::new(), |name| format!(", resourceNames: [{name}]"));
                    let rbac = written(&format!(
                        "kind: Role\napiVersion: rbac.authorization.k8s.io/v1beta1\nmetadata: {{namespace: a, name: r}}\n\
                         rules: [{{verbs: [{verb}], apiGroups: ['{group}'], resources: ['{resource}']{names}}}]\n---\n\
                         kind: RoleBinding\napiVersion: rbac.authorization.k8s.io/v1beta1\nmetadata: {{namespace: a, name: b}}\n\
                         roleRef: {{kind: Role, name: r}}\nsubjects: [{{kind: User, name: u}}]\n"
                    ));
                    let never = rbac.standing(release, 9).unwrap().remove(0).never;
                    let allows = requests
                        .iter()
                        .find(|request| rbac.authorize(&Attributes { user: &asker, request }).0 == Verdict::Allow);
                    assert!(
                        never.is_none() || allows.is_none(),
                        "{verb} {group} {resource} {name:?}: {never:?} {allows:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn bindings_that_grant_nothing_are_told() {
    use crate::release::Release;
    let release = Release::find("1.7").unwrap();
    let binding = |kind: &str, role: &str, subjects: &str| {
        let rbac = written(&format!(
            "kind: {kind}\napiVersion: rbac.authorization.k8s.io/v1beta1\nmetadata: {{namespace: a, name: b}}\nroleRef: {{{role}}}\nsubjects: [{subjects}]\n"
        ));
        rbac.problems(release)
            .into_iter()
            .map(|it| format!("{}: {}", it.line, it.message))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let jane = "{kind: User, name: jane}";
    for (kind, role, subjects, told) in [
        ("RoleBinding", "kind: Role, name: r", jane, "4: This grants nothing: Role a/r does not exist."),
        ("RoleBinding", "kind: ClusterRole, name: r", jane, "4: This grants nothing: ClusterRole r does not exist."),
        (
            "ClusterRoleBinding",
            "kind: Role, name: r",
            jane,
            "4: This grants nothing: a ClusterRoleBinding binds a ClusterRole, never a Role.",
        ),
        (
            "RoleBinding",
            "kind: role, name: r",
            jane,
            "4: This grants nothing: roleRef is \"role\" of \"rbac.authorization.k8s.io\", not a Role or ClusterRole.",
        ),
        (
            "ClusterRoleBinding",
            "kind: ClusterRole, name: r",
            "{kind: ServiceAccount, name: x}, {kind: user, name: x}",
            "4: This grants nothing: ClusterRole r does not exist. 5: This names nobody: a service account needs its namespace. 5: This names nobody: kind is \"user\", not User, Group or ServiceAccount.",
        ),
    ] {
        assert_eq!(binding(kind, role, subjects), told);
    }
    let roles = written(
        "kind: ClusterRole\napiVersion: rbac.authorization.k8s.io/v1beta1\nmetadata: {name: r}\nrules: [{apiGroups: [''], resources: [pods], verbs: [get]}]\n",
    );
    let standing = roles.standing(release, 9).unwrap();
    assert_eq!(standing[0].never.as_deref(), Some("No binding names ClusterRole r."));
    assert_eq!(
        (standing[0].location.path.as_str(), roles.problems(release).len()),
        ("rules[0]", 0),
        "unbound is no mistake"
    );
}

#[test]
fn the_default_policy_has_no_faults() {
    use crate::release::Release;
    let release = Release::find("1.7").unwrap();
    let texts = release.bootstrap_policy(true).map(crate::manifest::yaml::to_string).collect::<Vec<_>>();
    let policy = written(&texts.join("---\n"));
    assert_eq!(policy.problems(release), []);
    let standing = policy.standing(release, 1000).unwrap();
    let dead: Vec<_> =
        standing.iter().filter_map(|it| it.never.as_deref()).filter(|it| !it.starts_with("No binding")).collect();
    assert!(dead.is_empty() && standing.len() > 100, "{dead:?}");
}
