//! A document that is edited: what an engine kept of it changes no answer.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that cannot go on fails"
)]

use std::cell::Cell;
use std::fmt::Write;
use std::path::Path;

use portcullis_console::{Engine, access, run};
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// A cluster as `kubectl get -o yaml` dumps it, and a document for each further object; with names that stand twice and
/// one that the server brings itself.
fn cluster() -> String {
    let mut text = String::from("# Who may\n\n```yaml title=\"dump.yaml\"\napiVersion: v1\nitems:\n");
    for at in 0..12 {
        let (role, name) = (["viewer", "editor", "nobody"][at % 3], ["a", "b", "b", "c"][at % 4]);
        let _ = write!(
            text,
            "- apiVersion: rbac.authorization.k8s.io/v1beta1\n  kind: RoleBinding\n  metadata:\n    name: {name}\n    \
             namespace: ns-{at}\n  roleRef:\n    apiGroup: rbac.authorization.k8s.io\n    kind: ClusterRole\n    name: {role}\n  \
             subjects:\n  - apiGroup: rbac.authorization.k8s.io\n    kind: User\n    name: jane\n"
        );
    }
    for (name, kind) in
        [("viewer", "ClusterRole"), ("editor", "ClusterRole"), ("system:kube-dns", "ClusterRole"), ("x", "Role")]
    {
        let _ = write!(
            text,
            "- apiVersion: rbac.authorization.k8s.io/v1beta1\n  kind: {kind}\n  metadata:\n    name: {name}\n    uid: u-{name}\n  \
             rules:\n  - apiGroups: ['']\n    resources: [pods, services]\n    verbs: [get, list]\n"
        );
    }
    text + "kind: List\nmetadata: {}\n```\n\n```yaml\nkind: Namespace\napiVersion: v1\nmetadata: {name: ns-1}\n---\n\
        kind: Pod\napiVersion: v1\nmetadata: {name: p, namespace: ns-1}\nspec:\n  nodeName: n\n  containers: [{name: c, image: i}]\n  \
        volumes: [{name: v, secret: {secretName: s}}]\n---\nkind: Service\napiVersion: v1\nmetadata: {name: s, namespace: ns-1}\n\
        spec: {ports: [{port: 80}]}\n```\n\n```sh\nkubectl get pods -n ns-1 --as jane\nkubectl auth can-i list services -n \
        ns-0 --as jane\nkubectl create rolebinding more -n ns-2 --clusterrole=viewer --user=jane\nkubectl delete rolebinding a -n \
        ns-0\nkubectl get rolebindings,services --all-namespaces -o yaml\n```\n"
}

/// Objects of which some depend on others, a value a line: what pods of three nodes read, services that are given their
/// addresses, accounts that are given their tokens.
fn workloads() -> String {
    let mut text = String::from("```yaml\n");
    for (kind, name, namespace) in [
        ("Namespace", "a", ""),
        ("Node", "n1", ""),
        ("Node", "n2", ""),
        ("Secret", "s1", "a"),
        ("ConfigMap", "s1", "a"),
        ("ServiceAccount", "s1", "a"),
        ("ServiceAccount", "default", "default"),
        ("PersistentVolumeClaim", "s1", "a"),
    ] {
        let _ = write!(text, "kind: {kind}\napiVersion: v1\nmetadata:\n  name: {name}\n");
        text += &if namespace.is_empty() { String::new() } else { format!("  namespace: {namespace}\n") };
        text += "---\n";
    }
    text += "kind: Secret\napiVersion: v1\nmetadata:\n  name: token\n  namespace: default\n  annotations:\n    \
        kubernetes.io/service-account.name: default\ntype: kubernetes.io/service-account-token\n---\n";
    for (at, node, secret) in [(1, "n1", "s1"), (2, "n1", "s2"), (3, "n2", "s1"), (4, "", "s2"), (5, "n3", "s3")] {
        let _ = write!(
            text,
            "kind: Pod\napiVersion: v1\nmetadata:\n  name: p{at}\n  namespace: a\nspec:\n  nodeName: {node}\n  containers:\n  - name: c\n    \
             image: i\n    envFrom:\n    - configMapRef:\n        name: {secret}\n  volumes:\n  - name: v\n    secret:\n      \
             secretName: {secret}\n  - name: w\n    persistentVolumeClaim:\n      claimName: s{at}\n---\n"
        );
    }
    for (at, secret) in [(1, "s2"), (2, "s3")] {
        let _ = write!(
            text,
            "kind: PersistentVolume\napiVersion: v1\nmetadata:\n  name: v{at}\nspec:\n  claimRef:\n    name: s{at}\n    namespace: a\n  \
             rbd:\n    secretRef:\n      name: {secret}\n---\n"
        );
    }
    for (name, spec) in [
        ("s1", "  clusterIP: 10.0.0.9\n"),
        ("s2", ""),
        ("s3", "  type: NodePort\n"),
        ("s4", "  clusterIP: 10.0.0.20\n"),
        ("s5", "  type: ExternalName\n  externalName: x\n"),
    ] {
        let _ = write!(
            text,
            "kind: Service\napiVersion: v1\nmetadata:\n  name: {name}\n  namespace: a\nspec:\n{spec}  ports:\n  - port: 80\n---\n"
        );
    }
    text + "kind: Deployment\napiVersion: apps/v1beta1\nmetadata:\n  generateName: d\n---\nkind: Deployment\napiVersion: apps/v1beta1\n\
        metadata:\n  name: d\n```\n\n```sh\nkubectl get secret s1 -n a --as system:node:n1 --as-group system:nodes\nkubectl get secret s2 \
        -n a --as system:node:n1 --as-group system:nodes\nkubectl get secret s3 -n a --as system:node:n2 --as-group system:nodes\nkubectl get \
        pv v1 --as system:node:n1 --as-group system:nodes\nkubectl get configmap s1 -n a --as system:node:n2 --as-group system:nodes\n\
        kubectl create serviceaccount more -n a\nkubectl get all,pv,pvc,nodes,sa,secrets,configmaps,deployments --all-namespaces -o yaml\n```\n"
}

fn documents() -> Vec<String> {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let files = std::fs::read_dir(examples).unwrap().map(|entry| entry.unwrap().path());
    let mut texts: Vec<String> = files.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    texts.sort();
    // Configuration that is refused, and some that takes its place.
    texts.push(
        "```yaml\nkind: Pod\napiVersion: v1\nspec:\n  containers:\n  - command: [kube-apiserver, --authorization-mode=Nod]\n```\n\n\
         ```yaml\nkind: EncryptionConfig\nresources:\n- resources: [secrets]\n  providers: [{identity: {}}]\n```\n\n\
         ```yaml\nrules:\n- level: Metadata\n```\n\n```sh\nkubectl get pods --as jane\ncat /var/log/audit.log\n```\n"
            .to_owned(),
    );
    // The one whose objects matter most, more often than each of the others.
    texts.extend([cluster(), cluster(), cluster(), workloads()]);
    texts
}

const TYPED: [&str; 24] = [
    "",
    "\n",
    "x",
    " ",
    "- ",
    "s",
    "'",
    "*",
    "1",
    ":",
    "kind: Role\n",
    "\n---\n",
    "get, ",
    "n",
    "[",
    "]",
    "{",
    "}",
    "#",
    "jane",
    "view",
    "editor",
    "\n```\n",
    "$ kubectl get roles\n",
];

fn same(engine: &mut Engine, text: &str) -> Result<(), TestCaseError> {
    let mut kept = engine.run("a.md", text, None);
    (kept.graph, kept.etcd) = (Some(engine.graph()), Some(engine.etcd()));
    let fresh = run("a.md", text, None);
    let (kept, fresh) = (serde_json::to_string(&kept).unwrap(), serde_json::to_string(&fresh).unwrap());
    if kept != fresh {
        let at = kept.bytes().zip(fresh.bytes()).take_while(|(one, other)| one == other).count().saturating_sub(150);
        let part = |text: &str| {
            String::from_utf8_lossy(text.as_bytes().get(at..).unwrap_or_default()).chars().take(400).collect::<String>()
        };
        return Err(TestCaseError::fail(format!("kept: {}\n\nfresh: {}\n\n{text}", part(&kept), part(&fresh))));
    }
    Ok(())
}

fn boundary(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn an_edited_document_is_answered_as_a_new_one(
        document in select(documents()),
        edits in prop::collection::vec((any::<Index>(), 0..12usize, select(&TYPED[..])), 1..6),
    ) {
        let mut engine = Engine::default();
        let mut text = document;
        same(&mut engine, &text)?;
        for (at, cut, typed) in edits {
            let at = boundary(&text, at.index(text.len()));
            let end = boundary(&text, (at + cut / 4).min(text.len()));
            let before = text.clone();
            text.replace_range(at..end.max(at), typed);
            same(&mut engine, &text)?;
            // Some are taken back.
            if cut % 3 == 0 {
                text = before;
                same(&mut engine, &text)?;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Behind `kind`, `name` and the like, one letter leaves an object out, moves it or makes it another's.
    #[test]
    fn a_letter_at_the_end_of_a_line_is_answered_as_a_new_document(
        document in select(vec![cluster(), workloads()]),
        edits in prop::collection::vec((any::<Index>(), select(&["x", "", "s", "1", "2"][..]), any::<bool>()), 1..8),
    ) {
        let mut engine = Engine::default();
        let mut text = document;
        same(&mut engine, &text)?;
        for (at, typed, stays) in edits {
            let ends: Vec<usize> = text.match_indices('\n').map(|(at, _)| at).collect();
            let at = *at.get(&ends);
            let before = text.clone();
            // Without a letter, the last one goes.
            text.replace_range(at - usize::from(typed.is_empty() && !text[..at].ends_with('\n'))..at, typed);
            same(&mut engine, &text)?;
            if !stays {
                text = before;
                same(&mut engine, &text)?;
            }
        }
    }
}

/// Nothing is left of it: what is asked next is about all of the document.
#[test]
fn a_run_ends_before_the_command_at_which_it_is_to_stop() {
    let text = "```sh\nkubectl create namespace one\nA=$(kubectl get namespaces -o name | cat); echo $A\n```\n\
        ```sh\nGET /version HTTP/1.1\n```\n";
    let mut engine = Engine::default();
    for allowed in 0..=6 {
        let asked = Cell::new(0);
        let report = engine.run_while("a.md", text, None, &|_| asked.replace(asked.get() + 1) < allowed);
        assert_eq!(report.map(|report| report.steps.len()), (allowed == 6).then_some(3));
        let access =
            |engine: &mut Engine| format!("{:?}", access::access(engine, ("a.md", text), "one", "", "secrets"));
        assert_eq!(access(&mut engine), access(&mut Engine::default()));
        same(&mut engine, text).unwrap();
    }
    // What a command is given: its words, and what comes through a pipe or from a file.
    let given = Cell::new(0);
    let text = "```sh\nA=$(printf 1234567890); echo $A$A | cat\ngrep x <<< 1234\n```\n";
    engine.run_while("a.md", text, None, &|bytes| {
        given.set(given.get() * 100 + bytes);
        true
    });
    assert_eq!(given.get(), 16_10_24_24_10);
}

/// The token's name is drawn, as every IV is.
#[test]
fn a_random_seed_is_the_systems() {
    let name = |seed: &str, entropy: &[u8]| {
        let mut engine = Engine::default();
        engine.set_entropy(entropy);
        let text = format!("---\nseed: {seed}\n---\n```sh\nkubectl get secrets -o name\n```\n");
        engine.run("a.md", &text, None).steps[0].output.clone()
    };
    assert_ne!(name("random", b"one"), name("random", b"other"));
    assert_eq!(name("random", b"one"), name("random", b"one"));
    assert_eq!(name("x", b"one"), name("x", b"other"));
}

/// Commands are read and sent as those of a document are, and nothing of them stays.
#[test]
fn an_audit_policy_is_asked_about_commands() {
    let policy = "rules:\n- {level: Metadata, users: [jane]}\n- {level: Request, verbs: [create, delete]}\n";
    let text = "```text title=\"jane.crt\"\nSubject: CN=jane\n```\n```sh\nkubectl create configmap here\n```\n";
    let mut engine = Engine::default();
    engine.run("a.md", text, None);
    for (line, expected) in [
        ("ann GET /api/v1/pods", "ann GET /api/v1/pods None"),
        ("kubectl get pods --as ann", "kubernetes-admin GET /api/v1/namespaces/default/pods None"),
        (
            "$ kubectl delete configmap here",
            "kubernetes-admin DELETE /api/v1/namespaces/default/configmaps/here Request",
        ),
        ("curl -k --cert jane.crt --key jane.crt https://apiserver:6443/api", "jane GET /api Metadata"),
        (
            "curl -k --cert ann.crt https://apiserver:6443/api",
            "curl: (58) could not load PEM client certificate from ann.crt",
        ),
        (
            "kubectl label configmap here a=b",
            "kubernetes-admin GET /api/v1/namespaces/default/configmaps/here None; kubernetes-admin PATCH ",
        ),
        ("kubectl get 'pods", "`'` is not closed"),
    ] {
        for _ in 0..2 {
            let said =
                engine.audit(policy, 1, line).unwrap().into_iter().map(|asked| match (asked.answer, asked.error) {
                    (Some(answer), _) => format!("{} {} {}", answer.user, answer.request, answer.level),
                    (None, error) => error.unwrap_or_default(),
                });
            let said = said.collect::<Vec<_>>().join("; ");
            assert!(said.starts_with(expected), "{line}: {said}");
        }
    }
}
