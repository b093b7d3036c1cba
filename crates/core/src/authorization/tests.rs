use serde_json::json;

use super::*;
use crate::manifest;

fn user(name: &str, groups: &[&str]) -> User {
    User { name: name.to_owned(), groups: groups.iter().map(|it| (*it).to_owned()).collect(), ..User::default() }
}

fn resource(verb: &str, api_group: &str, resource: &str, namespace: &str, name: &str) -> RequestInfo {
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    RequestInfo {
        is_resource_request: true,
        verb: verb.to_owned(),
        api_group: api_group.to_owned(),
        resource: resource.to_owned(),
        subresource: subresource.to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        ..RequestInfo::default()
    }
}

fn path(verb: &str, path: &str) -> RequestInfo {
    RequestInfo { verb: verb.to_owned(), path: path.to_owned(), ..RequestInfo::default() }
}

fn authorizers(modes: &[Mode], abac: &str, manifests: &str) -> Authorizers {
    let abac = abac::Policies::parse("abac.jsonl", abac).unwrap();
    let mut authorizers = Authorizers::new(Release::find("1.7").unwrap(), modes, Some(abac));
    let (documents, _) = manifest::parse(&"a.yaml".into(), 1, manifests);
    for object in documents.into_iter().flat_map(|document| manifest::objects(document).0) {
        authorizers.informers_mut().upsert(&Rc::new(object));
    }
    authorizers
}

#[test]
fn a_mode_is_spelled_exactly() {
    for mode in Mode::ALL {
        assert_eq!(Mode::parse(mode.name()), Some(mode));
    }
    assert_eq!(["Rbac", " RBAC", "", "abac"].map(Mode::parse), [None; 4]);
}

#[test]
fn the_union_stops_at_the_first_allow_and_joins_the_reasons() {
    use Mode::{ABAC, AlwaysAllow, AlwaysDeny, Node, RBAC, Webhook};
    const DENIED: &str = "Everything is forbidden.";
    let node = user("system:node:n", &["system:nodes"]);
    let (alice, master) = (user("alice", &[]), user("root", &["system:masters"]));
    type Row<'a> = (&'a [Mode], &'a User, bool, &'a str, &'a [&'a str]);
    let rows: [Row<'_>; 9] = [
        (&[], &alice, false, "", &["system:masters"]),
        (&[AlwaysDeny], &master, true, "", &["system:masters"]),
        (&[AlwaysAllow, AlwaysDeny], &alice, true, "", &["system:masters", "AlwaysAllow"]),
        (&[AlwaysDeny, AlwaysAllow], &alice, true, "", &["system:masters", "AlwaysDeny", "AlwaysAllow"]),
        (&[RBAC], &alice, false, "", &["system:masters", "RBAC"]),
        (
            &[ABAC, RBAC, AlwaysDeny],
            &alice,
            false,
            "No policy matched.\nEverything is forbidden.",
            &["system:masters", "ABAC", "RBAC", "AlwaysDeny"],
        ),
        (
            &[Node, AlwaysDeny],
            &node,
            false,
            "no path found to object\nEverything is forbidden.",
            &["system:masters", "Node", "AlwaysDeny"],
        ),
        (&[AlwaysDeny, Node], &alice, false, DENIED, &["system:masters", "AlwaysDeny", "Node"]),
        (&[Webhook, AlwaysAllow], &alice, true, "", &["system:masters", "Webhook", "AlwaysAllow"]),
    ];
    let request = resource("get", "", "secrets", "default", "x");
    for (modes, user, allowed, reason, asked) in rows {
        let decision = authorizers(modes, "", "").explain(&Attributes { user, request: &request });
        assert_eq!(decision.verdict == Verdict::Allow, allowed, "{modes:?}");
        assert_eq!(decision.reason, reason, "{modes:?}");
        assert_eq!(decision.error, None, "{modes:?}");
        let steps: Vec<&str> = decision.steps.iter().map(|step| step.authorizer).collect();
        assert_eq!(steps, asked);
        assert_eq!(decision.steps.last().is_some_and(|step| !step.because.is_empty()), allowed, "{modes:?}");
    }
    let decision = authorizers(&[Webhook], "", "").authorize(&Attributes { user: &alice, request: &request });
    assert!(decision.verdict == Verdict::NoOpinion && decision.error.is_some());
    assert_eq!(aggregate(&["a".to_owned(), "b".to_owned()]), "[a, b]");
}

#[test]
fn a_policy_line_matches_as_section_3_4_says() {
    let v1 = |spec: &str| {
        format!(r#"{{"apiVersion":"abac.authorization.kubernetes.io/v1beta1","kind":"Policy","spec":{spec}}}"#)
    };
    let pods = || resource("list", "", "pods", "a", "");
    let rows = [
        (v1(r#"{"user":"alice","resource":"pods","namespace":"a"}"#), pods(), true),
        (v1(r#"{"user":"alice","resource":"pods","namespace":"a"}"#), resource("get", "", "pods/log", "a", "x"), true),
        (v1(r#"{"user":"alice","resource":"pods","namespace":"a"}"#), resource("list", "apps", "pods", "a", ""), false),
        (v1(r#"{"user":"alice","resource":"pods"}"#), pods(), false),
        (v1(r#"{"user":"alice","resource":"pods"}"#), resource("list", "", "pods", "", ""), true),
        (
            v1(r#"{"user":"alice","resource":"*","namespace":"*","apiGroup":"*"}"#),
            resource("x", "g", "r", "n", ""),
            true,
        ),
        (v1(r#"{"user":"alice","resource":"*","namespace":"*","apiGroup":"*"}"#), path("get", "/"), false),
        (v1(r#"{"user":"bob","resource":"pods","namespace":"a"}"#), pods(), false),
        (v1(r#"{"group":"dev","resource":"pods","namespace":"a"}"#), pods(), true),
        (v1(r#"{"user":"alice","group":"ops","resource":"pods","namespace":"a"}"#), pods(), false),
        (v1(r#"{"resource":"pods","namespace":"a"}"#), pods(), false),
        (v1(r#"{"user":"*","resource":"pods","namespace":"a"}"#), pods(), true),
        (v1(r#"{"user":"bob","group":"*","resource":"pods","namespace":"a"}"#), pods(), true),
        (v1(r#"{"user":"alice","readonly":true,"resource":"pods","namespace":"a"}"#), pods(), true),
        (
            v1(r#"{"user":"alice","readonly":true,"resource":"pods","namespace":"a"}"#),
            resource("delete", "", "pods", "a", "x"),
            false,
        ),
        (v1(r#"{"user":"alice","nonResourcePath":"/api*"}"#), path("post", "/apis/x"), true),
        (v1(r#"{"user":"alice","readonly":true,"nonResourcePath":"/api*"}"#), path("post", "/apis/x"), false),
        (v1(r#"{"user":"alice","nonResourcePath":"/api"}"#), path("get", "/api/x"), false),
        (v1(r#"{"user":"alice","nonResourcePath":"*"}"#), pods(), false),
        (v1("null"), pods(), false),
        ("{}".to_owned(), pods(), true),
        ("{}".to_owned(), path("get", "/x"), true),
        (r#"{"user":"alice"}"#.to_owned(), resource("x", "g", "r", "n", ""), true),
        (r#"{"user":"alice","namespace":"a"}"#.to_owned(), path("get", "/x"), false),
        (r#"{"user":"alice","resource":"pods"}"#.to_owned(), pods(), true),
        (r#"{"user":"alice","resource":"secrets"}"#.to_owned(), pods(), false),
        (r#"{"User":"bob"}"#.to_owned(), pods(), true),
        (r#"{"user":"*","readonly":true}"#.to_owned(), resource("create", "", "pods", "a", ""), false),
        (
            r#"{"apiVersion":"abac.authorization.kubernetes.io/v0","kind":"Policy","user":"alice"}"#.to_owned(),
            pods(),
            true,
        ),
        ("user: alice".to_owned(), pods(), true),
        ("  # user: alice".to_owned(), pods(), false),
    ];
    let alice = user("alice", &["dev", "system:authenticated"]);
    for (line, request, allowed) in rows {
        let policies = abac::Policies::parse("f", &format!("\n{line}\r\n")).unwrap();
        let attributes = Attributes { user: &alice, request: &request };
        assert_eq!(policies.authorize(&attributes).0 == Verdict::Allow, allowed, "{line} {request:?}");
        assert_eq!(policies.explain(&attributes).0.len(), usize::from(allowed), "{line}");
    }
}

#[test]
fn a_policy_line_that_cannot_be_read_is_named() {
    const GROUP: &str = "abac.authorization.kubernetes.io";
    const STRUCT: &str =
        r#"struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }"#;
    let parse = "couldn't get version/kind; json parse error: ";
    let rows = [
        ("not json".to_owned(), format!("{parse}json: cannot unmarshal string into Go value of type {STRUCT}")),
        ("[]".to_owned(), format!("{parse}json: cannot unmarshal array into Go value of type {STRUCT}")),
        ("{user: a}".to_owned(), format!("{parse}invalid character 'u' looking for beginning of object key string")),
        (
            r#"{"kind":1}"#.to_owned(),
            format!("{parse}json: cannot unmarshal number into Go struct field .kind of type string"),
        ),
        (
            format!(r#"{{"apiVersion":"{GROUP}/v1beta1","kind":"Rule"}}"#),
            format!("no kind \"Rule\" is registered for version \"{GROUP}/v1beta1\""),
        ),
        (
            format!(r#"{{"apiVersion":"{GROUP}/v1","kind":"Policy"}}"#),
            format!("no kind \"Policy\" is registered for version \"{GROUP}/v1\""),
        ),
        (
            format!(r#"{{"apiVersion":"{GROUP}/v1beta1"}}"#),
            "converting (v1beta1.Policy) to (v0.Policy): User not present in src".to_owned(),
        ),
        (r#"{"kind":"Rule"}"#.to_owned(), format!("no kind \"Rule\" is registered for version \"{GROUP}/v0\"")),
        (r#"{"apiVersion":"v1"}"#.to_owned(), "no kind \"Policy\" is registered for version \"v1\"".to_owned()),
        (r#"{"apiVersion":"a/b/c"}"#.to_owned(), "unexpected GroupVersion string: a/b/c".to_owned()),
        (r#"{"apiVersion":"a/"}"#.to_owned(), r#"Object 'apiVersion' is missing in '{"apiVersion":"a/"}'"#.to_owned()),
    ];
    for (line, expected) in rows {
        let error = abac::Policies::parse("p", &format!("{{}}\n# c\n{line}\n")).unwrap_err();
        assert_eq!(error, format!("error reading policy file p, line 3: {line}: {expected}"));
    }
    let long = format!("{{}}\n# {}\n", "x".repeat(65_536));
    assert_eq!(
        abac::Policies::parse("p", &long).unwrap_err(),
        "error reading policy file p: bufio.Scanner: token too long"
    );
}

#[test]
fn a_policy_line_says_why() {
    let lines = concat!(
        r#"{"user":"bob"}"#,
        "\n",
        r#"{"user":"alice","readonly":true,"resource":"pods","namespace":"a"}"#,
        "\n",
        r#"{"group":"dev","resource":"pods","namespace":"b"}"#,
        "\n",
        r#"{"apiVersion":"abac.authorization.kubernetes.io/v1beta1","kind":"Policy","spec":{"user":"alice","nonResourcePath":"/api*"}}"#,
        "\n",
        r#"{"user":"carol"}"#,
        "\n",
    );
    let policies = abac::Policies::parse("abac.jsonl", lines).unwrap().placed(&"doc.md".into(), 11);
    let alice = user("alice", &["dev"]);
    let told = |request: &RequestInfo| -> Vec<String> {
        let (because, nearest) = policies.explain(&Attributes { user: &alice, request });
        let line = |location: &Location| location.place.as_ref().map_or(0, |place| place.line);
        let because = because.iter().map(|it| format!("{} {}", line(&it.location), it.message));
        because
            .chain(nearest.iter().map(|it| format!("{} {:?} {}", line(&it.location), it.failed, it.message)))
            .collect()
    };
    assert_eq!(
        told(&resource("get", "", "pods", "a", "x")),
        ["12 This line allows it: the user alice to read pods of every API group in namespace a."]
    );
    assert_eq!(
        told(&resource("delete", "", "pods", "a", "x")),
        [
            "14 Resource This line allows the user alice to do everything with the path /api*; the request is for no path.",
            "12 Verb This line allows the user alice to read pods of every API group in namespace a; delete does more than read.",
            "13 Namespace This line allows the group dev to do everything with pods of every API group in namespace b; the request is for namespace a.",
        ]
    );
    assert_eq!(
        told(&path("get", "/apis"))[0],
        "14 This line allows it: the user alice to do everything with the path /api*."
    );
}

const THREE_NODES: &str = "\
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: default}
spec:
  nodeName: c
  volumes:
  - name: v
    secret: {secretName: tls}
  - name: w
    persistentVolumeClaim:
      claimName: data
---
apiVersion: v1
kind: Pod
metadata: {name: idle, namespace: default}
spec:
  nodeName: a
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: disk}
spec:
  claimRef:
    namespace: default
    name: data
  rbd:
    secretRef: {name: ceph}
";

#[test]
fn a_node_may_what_section_7_says() {
    let authorizers = authorizers(&[Mode::Node], "", THREE_NODES);
    let (no_path, single) = ("no path found to object", "can only get individual resources of this type");
    let rows = [
        ("c", resource("get", "", "secrets", "default", "tls"), true, ""),
        ("c", resource("get", "", "secrets", "default", "ceph"), true, ""),
        ("c", resource("get", "", "persistentvolumes", "", "disk"), true, ""),
        ("c", resource("get", "", "persistentvolumeclaims", "default", "data"), true, ""),
        ("c", resource("get", "", "persistentvolumes", "default", "disk"), false, no_path),
        ("c", resource("get", "", "secrets", "", "tls"), false, no_path),
        ("c", resource("get", "", "configmaps", "default", "tls"), false, no_path),
        ("a", resource("get", "", "secrets", "default", "tls"), false, no_path),
        ("unknown", resource("get", "", "secrets", "default", "tls"), false, no_path),
        ("c", resource("list", "", "secrets", "default", ""), false, single),
        ("c", resource("get", "", "secrets", "default", ""), false, single),
        ("c", resource("update", "", "secrets", "default", "tls"), false, single),
        ("c", resource("list", "", "secrets/x", "default", "tls"), false, single),
        ("c", resource("get", "", "secrets/x", "default", "tls"), false, "cannot get subresource"),
        ("c", resource("get", "apps", "secrets", "default", "tls"), false, ""),
        ("c", resource("watch", "", "services", "", ""), true, ""),
        ("c", resource("update", "", "pods/status", "default", "x"), true, ""),
        ("c", resource("patch", "", "pods/status", "default", "x"), false, ""),
        ("c", resource("create", "", "pods/eviction", "default", "x"), false, ""),
        ("c", resource("deletecollection", "", "pods", "default", ""), false, ""),
        ("c", resource("create", "authorization.k8s.io", "subjectaccessreviews", "", ""), true, ""),
        ("c", path("get", "/healthz"), false, ""),
        ("", resource("get", "", "secrets", "default", "tls"), false, "unknown node for user \"system:node:\""),
    ];
    for (node, request, allowed, reason) in rows {
        let user = user(&format!("system:node:{node}"), &["x", "system:nodes"]);
        let decision = authorizers.authorize(&Attributes { user: &user, request: &request });
        assert_eq!(
            (decision.verdict == Verdict::Allow, decision.reason.as_str()),
            (allowed, reason),
            "{node} {request:?}"
        );
    }
    for (name, groups) in [("system:node:c", &[][..]), ("kubelet", &["system:nodes"]), ("c", &["system:nodes"])] {
        let request = resource("watch", "", "services", "", "");
        let decision = authorizers.authorize(&Attributes { user: &user(name, groups), request: &request });
        assert_eq!((decision.verdict, decision.reason.as_str()), (Verdict::NoOpinion, ""), "{name} is no node");
    }
    for (name, groups, expected) in [
        ("system:node:c", &[][..], "system:node:c is no node without the group system:nodes."),
        ("kubelet", &["system:nodes"], "kubelet is no node: a node's name begins with system:node:."),
        ("system:node:", &["system:nodes"], "The name of the node is missing behind system:node:."),
        ("alice", &[], ""),
    ] {
        let request = resource("watch", "", "services", "", "");
        let decision = authorizers.explain(&Attributes { user: &user(name, groups), request: &request });
        assert_eq!(decision.steps[1].nearest.first().map_or("", |it| &it.message), expected);
    }
}

#[test]
fn a_node_is_told_the_path_or_what_it_would_take() {
    let authorizers = authorizers(&[Mode::Node], "", THREE_NODES);
    let told = |node: &str, request: RequestInfo| -> Vec<String> {
        let user = user(&format!("system:node:{node}"), &["system:nodes"]);
        let decision = authorizers.explain(&Attributes { user: &user, request: &request });
        let step = decision.steps.last().unwrap();
        let line = |location: &Location| location.place.as_ref().map_or(0, |place| place.line);
        let because = step.because.iter().map(|it| format!("{} {}", line(&it.location), it.message));
        let nearest = step.nearest.iter().map(|it| format!("{} {:?} {}", line(&it.location), it.failed, it.message));
        because.chain(nearest).collect()
    };
    assert_eq!(
        told("c", resource("get", "", "secrets", "default", "tls")),
        ["8 Pod default/web refers to Secret default/tls.", "5 Pod default/web runs on c."]
    );
    let request = resource("get", "", "secrets", "default", "tls");
    let node = user("system:node:c", &["system:nodes"]);
    let decision = authorizers.explain(&Attributes { user: &node, request: &request });
    let edges: Vec<_> = decision.steps.iter().flat_map(|step| &step.because).map(|it| it.edge.clone()).collect();
    let edge = |from: &str, to: &str| Some((from.to_owned(), to.to_owned()));
    assert_eq!(edges, [edge("Secret default/tls", "Pod default/web"), edge("Pod default/web", "Node c")]);
    assert_eq!(
        told("c", resource("get", "", "secrets", "default", "ceph")),
        [
            "27 PersistentVolume disk is mounted with Secret default/ceph.",
            "25 PersistentVolume disk is bound to PersistentVolumeClaim default/data.",
            "11 Pod default/web refers to PersistentVolumeClaim default/data.",
            "5 Pod default/web runs on c.",
        ]
    );
    assert_eq!(
        told("a", resource("get", "", "secrets", "default", "tls")),
        [
            "8 Path Pod default/web refers to Secret default/tls; Pod default/web runs on c.",
            "17 Path Pod default/idle runs on a and does not refer to Secret default/tls.",
            "0 Path A pod in namespace default with spec.nodeName a would have to refer to Secret default/tls.",
        ]
    );
    assert_eq!(
        told("x", resource("get", "", "persistentvolumes", "", "none")),
        [
            "0 Path No pod runs on x.",
            "0 Path PersistentVolume none would have to be bound to a claim that a pod with spec.nodeName x uses.",
        ]
    );
    assert_eq!(
        told("c", resource("get", "", "secrets", "", "tls")).last().unwrap(),
        "0 Path secrets are in namespaces, and the request names none."
    );
    assert_eq!(
        told("c", resource("list", "", "secrets", "default", "")),
        ["0 Verb A node may get single secrets by name, and nothing else of them."]
    );
    assert_eq!(
        told("c", resource("get", "", "services", "default", "s")),
        ["0 Every node may: get, list, watch on services."]
    );
    assert_eq!(
        told("c", resource("patch", "", "pods/status", "default", "p")),
        ["0 Verb Every node may: update on pods/status; patch is not among them."]
    );
}

#[test]
fn a_node_with_many_pods_is_told_about_some_and_how_many_more() {
    let mut authorizers = authorizers(&[Mode::Node], "", "");
    for at in 0..50 {
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": format!("p{at}"), "namespace": "d"},
            "spec": {"nodeName": if at % 2 == 0 { "a" } else { "b" }, "volumes":
                if at % 2 == 0 { json!([]) } else { json!([{"secret": {"secretName": "s"}}]) }}});
        authorizers.informers_mut().upsert(&Rc::new(Object::new(pod, None)));
    }
    let request = resource("get", "", "secrets", "d", "s");
    let user = user("system:node:a", &["system:nodes"]);
    let decision = authorizers.explain(&Attributes { user: &user, request: &request });
    let nearest: Vec<&str> = decision.steps[1].nearest.iter().map(|it| it.message.as_str()).collect();
    assert_eq!(nearest.len(), 43);
    assert_eq!((nearest[20], nearest[41]), ("5 more pods refer to Secret d/s.", "5 more pods run on a."));
}
