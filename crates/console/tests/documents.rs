//! What a document is made of: which manifests are objects, which configure the server, and in which order things happen.

use portcullis_console::report::Report;
use portcullis_console::run;

fn outputs(report: &Report) -> Vec<&str> {
    report.steps.iter().map(|step| step.output.trim_end()).collect()
}

fn messages(report: &Report) -> Vec<(u32, &str)> {
    report.diagnostics.iter().map(|found| (found.line, found.message.as_str())).collect()
}

const ASK: &str = "```console\n$ curl -sk -H 'Impersonate-User: jane' --cert a.crt https://apiserver:6443/api/v1/pods -o /dev/null \
                   -w '%{http_code}'\n```\n```text title=\"a.crt\"\nSubject: O=system:masters, CN=a\n```\n";

#[test]
fn a_static_pod_gives_the_flags() {
    let pod = |extra: &str| {
        format!(
            "```yaml\napiVersion: v1\nkind: Pod\nmetadata:\n  name: kube-apiserver\n  namespace: kube-system\n{extra}spec:\n  \
             containers:\n  - name: kube-apiserver\n    image: k8s.gcr.io/kube-apiserver:v1.7.0\n    command:\n    - kube-apiserver\n    \
             - --authorization-mode=ABAC\n    - --authorization-policy-file=/etc/kubernetes/abac.jsonl\n```\n\
             ```text title=\"abac.jsonl\"\n{{\"user\": \"jane\", \"resource\": \"pods\", \"namespace\": \"*\"}}\n```\n"
        )
    };
    let report = run("a.md", &format!("{}{ASK}", pod("")), None);
    assert_eq!((outputs(&report), messages(&report)), (vec!["200"], vec![]));
    // The API server's picture of it, as `kubectl get -o yaml` shows it, is an object like others.
    let mirror = pod("  annotations:\n    kubernetes.io/config.mirror: abc\n");
    let report = run("a.md", &format!("{mirror}{ASK}"), None);
    assert_eq!(outputs(&report), ["403"]);
}

#[test]
fn configuration_works_without_flags() {
    let policy = "```yaml\nrules:\n- level: Metadata\n```\n";
    let report = run(
        "a.md",
        &format!("{policy}```console\n$ kubectl get pods\n$ grep -c AUDIT /var/log/audit.log\n```\n"),
        None,
    );
    assert_eq!(outputs(&report), ["No resources found.", "2"]);
    let encryption = "```yaml\nkind: EncryptionConfig\napiVersion: v1\nresources:\n- resources: [secrets]\n  providers:\n  - aescbc:\n      \
                      keys: [{name: k, secret: MDEyMzQ1Njc4OWFiY2RlZg==}]\n```\n";
    let report = run(
        "a.md",
        &format!(
            "{encryption}```console\n$ kubectl create secret generic s --from-literal=a=b\n$ etcdctl get /registry/secrets/default/s \
             | grep -a -o 'k8s:enc:aescbc:v1:k:'\n```\n"
        ),
        None,
    );
    assert_eq!(outputs(&report), ["secret \"s\" created", "k8s:enc:aescbc:v1:k:"]);
}

#[test]
fn configuration_that_is_refused_hides_nothing() {
    let broken = "```yaml\nkind: EncryptionConfig\napiVersion: v1\nresources:\n- resources: [secrets]\n  providers:\n  - nosuch: {}\n```\n";
    let report = run("a.md", &format!("{broken}{ASK}"), None);
    assert_eq!(outputs(&report), ["403"]);
    let [(2, message)] = messages(&report)[..] else { panic!("{:?}", messages(&report)) };
    assert!(message.starts_with("The API server does not start with this configuration: "), "{message}");
    // A step that starts the server tells it by itself.
    for program in
        ["kube-apiserver", "sudo /usr/local/bin/kube-apiserver", "A=1 kube-apiserver", "true && kube-apiserver"]
    {
        let restart = format!("```console\n$ {program} --experimental-encryption-provider-config=nosuch.yaml\n```\n");
        let report = run("a.md", &format!("{broken}{restart}"), None);
        assert_eq!(messages(&report), [], "{program}");
        assert!(outputs(&report)[0].contains("nosuch.yaml"), "{:?}", outputs(&report));
    }
}

#[test]
fn each_configuration_that_is_refused_is_told_where_it_stands() {
    let document = "```yaml\nkind: EncryptionConfig\nresources: [{resources: [a], providers: [{kms: {}}]}]\n```\n\
        ```yaml\nkind: Policy\napiVersion: audit.k8s.io/v1alpha1\nrules:\n- level: Metadata\n```\n\
        ```yaml\nkind: Config\napiVersion: v1\ncurrent-context: nosuch\n```\n\
        ```yaml\nkind: Pod\napiVersion: v1\nspec:\n  containers:\n  - command: [kube-apiserver, --enable-admission-plugins=X]\n```\n\
        ```console\n$ kubectl get pods\n$ grep -c AUDIT /var/log/audit.log\n```\n";
    let report = run("a.md", document, None);
    let found = messages(&report);
    assert_eq!(found.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 12, 17], "{found:?}");
    assert!(found[2].1.ends_with("unknown flag: --enable-admission-plugins"), "{found:?}");
    // The policy is none of them, and is in force.
    assert_eq!(outputs(&report), ["No resources found.", "2"]);
}

/// What nobody told a program to read.
#[test]
fn a_request_that_is_a_manifest_of_a_later_version_is_read_as_a_file_is() {
    let role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: r}\nrules: []\n";
    let report = run("a.md", &format!("```sh\n\n{role}---\nkubectl get role r -o name\n```\n"), None);
    assert_eq!(outputs(&report)[1], "roles/r");
    let version = "rbac.authorization.k8s.io/v1";
    let told = format!("Kubernetes 1.7 has no {version}. It is read as {version}beta1 instead.");
    assert_eq!(messages(&report), [(3, told.as_str())]);
    let report = run("a.md", &format!("```sh\nkubectl create -f - <<E\n{role}E\n```\n"), None);
    assert!(outputs(&report)[0].contains("no matches for"), "{:?}", outputs(&report));
    let told = "This kubectl knows Role as rbac.authorization.k8s.io/v1beta1, not yet as rbac.authorization.k8s.io/v1. \
        A file of the document is read in either.";
    assert!(messages(&report).contains(&(2, told)), "{:?}", messages(&report));
}

#[test]
fn a_name_that_is_a_subresource_s_is_told() {
    let report =
        run("a.md", "```console\n$ kubectl auth can-i create pods/exec\n$ kubectl auth can-i get pods/a\n```\n", None);
    let told = "pods/exec is the object \"exec\" here. The subresource is asked for with --subresource=exec.";
    assert_eq!(messages(&report), [(2, told)]);
}

#[test]
fn configuration_in_the_form_of_a_later_release_is_read_in_that_of_this_one() {
    let files = "```yaml title=\"enc.yaml\"\napiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n\
        - resources: [secrets]\n  providers: [{aescbc: {keys: [{name: mine, secret: HON5ISH9XMfFB6dnm25U0vXtWXpcHdNRDWjMJgi9MxI=}]}}]\n```\n\
        ```yaml title=\"policy.yaml\"\napiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n- level: Metadata\n```\n";
    let ask = "```console\n$ kubectl create secret generic s\n$ ETCDCTL_API=3 etcdctl get /registry/secrets/default/s | grep -c aescbc\n$ grep -c AUDIT /var/log/audit.log\n```\n";
    let report = run("a.md", &format!("{files}{ask}"), None);
    assert_eq!(outputs(&report)[1..], ["1", "2"]);
    assert_eq!(
        messages(&report),
        [
            (3, "Kubernetes 1.7 has no EncryptionConfiguration. It is read as EncryptionConfig instead."),
            (9, "Kubernetes 1.7 has no audit.k8s.io/v1. It is read as audit.k8s.io/v1alpha1 instead."),
            (11, "audit.k8s.io/v1alpha1 has no field omitStages here, and the server ignores it."),
        ]
    );
    // A server that is told to read it refuses it.
    let start = "```console\n$ kube-apiserver --experimental-encryption-provider-config=enc.yaml\n```\n";
    let report = run("a.md", &format!("{files}{start}"), None);
    let refused = "invalid configuration kind \"EncryptionConfiguration\" provided";
    assert!(outputs(&report)[0].ends_with(refused), "{:?}", outputs(&report));
    assert!(!messages(&report).iter().any(|(_, message)| message.contains("instead")), "{:?}", messages(&report));
}

#[test]
fn configuration_stands_anywhere_in_a_file() {
    let document = "```yaml title=\"all.yaml\"\nkind: Namespace\napiVersion: v1\nmetadata:\n  name: shop\n---\n\
        # At rest.\nkind: EncryptionConfig\napiVersion: v1\nresources:\n- resources: [configmaps]\n  providers:\n  - aescbc:\n      keys:\n      \
        - name: mine\n        secret: HON5ISH9XMfFB6dnm25U0vXtWXpcHdNRDWjMJgi9MxI=\n---\n\
        rules:\n- level: Metadata\n---\nkind: ConfigMap\napiVersion: v1\nmetadata: {name: late, namespace: shop}\n```\n\
        ```console\n$ kubectl -n shop get configmap late -o name\n$ ETCDCTL_API=3 etcdctl get /registry/configmaps/shop/late --print-value-only | grep -c k8s:enc:aescbc:v1:mine:\n\
        $ grep -c AUDIT /var/log/audit.log\n```\n";
    let report = run("a.md", document, None);
    assert_eq!(messages(&report), []);
    assert_eq!(outputs(&report), ["configmaps/late", "1", "2"]);
    // What is wrong is told of the line of the document.
    let report = run("a.md", &document.replace("aescbc", "nosuch"), None);
    let [(8, message)] = messages(&report)[..] else { panic!("{:?}", messages(&report)) };
    assert!(message.contains("\"all.yaml:7\""), "{message}");
}

#[test]
fn the_first_of_two_configurations_is_used_and_the_other_is_told() {
    let policy = "```yaml\nkind: Policy\napiVersion: audit.k8s.io/v1alpha1\nrules:\n- level: Metadata\n```\n";
    let report = run("a.md", &format!("{policy}{policy}"), None);
    assert_eq!(messages(&report).iter().map(|(line, _)| *line).collect::<Vec<_>>(), [8]);
    let named = format!("{policy}{policy}```console\n$ kube-apiserver --authorization-mode=RBAC\n```\n");
    assert_eq!(messages(&run("a.md", &named, None)), []);
}

#[test]
fn a_file_is_what_the_last_fence_above_says() {
    let document = "```text title=\"a\"\n1\n```\n```console\n$ cat a b\n$ echo x > a; cat a\n```\n```text title=\"a\"\n2\n```\n\
                    ```text title=\"b\"\n3\n```\n```console\n$ cat a\n```\n";
    assert_eq!(outputs(&run("a.md", document, None)), ["1\n3", "x", "2"]);
}

#[test]
fn releases() {
    for (front, asked, release, told) in [
        ("", None, "newest", false),
        ("release: 1.7", None, "1.7", false),
        ("release: \"v1.7.3\"", None, "1.7", false),
        ("release: 0.9", Some("1.7"), "1.7", false),
        ("release: 0.9", None, "newest", true),
        ("", Some("0.9"), "newest", true),
    ] {
        let report = run("a.md", &format!("---\n{front}\n---\n"), asked);
        let newest = portcullis_core::release::Release::newest().version();
        assert_eq!(report.release, if release == "newest" { newest } else { release }, "{front} {asked:?}");
        assert_eq!(report.diagnostics.iter().any(|found| found.message.starts_with("Release 0.9 is not known")), told);
    }
}

#[test]
fn equal_documents_give_equal_reports() {
    let document = "---\nseed: a\n---\n```console\n$ kubectl create sa x\n$ kubectl get sa x -o yaml\n```\n";
    let first = outputs(&run("a.md", document, None)).join("");
    assert_eq!(first, outputs(&run("a.md", document, None)).join(""));
    assert_ne!(first, outputs(&run("a.md", &document.replace("seed: a", "seed: b"), None)).join(""));
}

#[test]
fn a_command_of_a_script_that_fails_is_told() {
    let report = run("a.md", "```sh\necho fine\ncat nosuch\n```\n", None);
    assert_eq!(messages(&report), [(3, "This command failed with status 1: cat: nosuch: No such file or directory")]);
}

#[test]
fn the_health_of_components_is_said_to_be_unknown() {
    for (command, told) in [
        ("kubectl get cs", true),
        ("kubectl get componentstatuses etcd-0", true),
        ("kubectl get cs --as jane", false),
        ("kubectl get nodes", false),
    ] {
        let report = run("a.md", &format!("```console\n$ {command}\n```\n"), None);
        let said: Vec<_> = report.diagnostics.iter().map(|found| (found.severity, found.line)).collect();
        assert_eq!(said, [("warning", 2)].repeat(usize::from(told)), "{command}");
    }
}
