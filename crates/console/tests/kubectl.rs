//! The requests that kubectl sends, one row a command. What it prints stands in `tests/transcripts/kubectl*.md`.

use portcullis_console::run;

const SETUP: &str = r#"
~~~text title="cm.yaml"
apiVersion: v1
kind: ConfigMap
metadata: {name: c}
data: {k: w}
~~~

~~~sh
kubectl create configmap c --from-literal=k=v
kubectl create namespace dev
kubectl run p --image=i --restart=Never
"#;

/// Method, URL and body of each request of the last command, and the headers that say who asks.
fn requests(command: &str) -> Vec<String> {
    let report = run("test.md", &format!("---\nrelease: \"1.7\"\n---\n{SETUP}{command}\n~~~\n"), None);
    let exchanges = report.steps.last().into_iter().flat_map(|step| &step.exchanges);
    exchanges
        .map(|exchange| {
            let request = &exchange.request;
            let mut line = format!("{} {}", request.method, request.uri);
            for (name, value) in &request.headers {
                if name.starts_with("Impersonate") || name == "Authorization" || value.contains("patch") {
                    line += &format!(" [{name}: {value}]");
                }
            }
            if request.body.is_empty() { line } else { format!("{line} {}", request.body.trim_end()) }
        })
        .collect()
}

#[test]
fn each_command_sends_what_the_real_one_sends() {
    let cm = "/api/v1/namespaces/default/configmaps";
    let pods = "/api/v1/namespaces/default/pods";
    let rbac = "/apis/rbac.authorization.k8s.io/v1beta1";
    let orphans = r#"{"kind":"DeleteOptions","apiVersion":"v1","orphanDependents":false}"#;
    let table: &[(&str, &[&str])] = &[
        ("kubectl get cm", &[&format!("GET {cm}")]),
        ("kubectl get cm c", &[&format!("GET {cm}/c")]),
        (
            "kubectl -n dev get cm,secrets -l a=b",
            &[
                "GET /api/v1/namespaces/dev/configmaps?labelSelector=a%3Db",
                "GET /api/v1/namespaces/dev/secrets?labelSelector=a%3Db",
            ],
        ),
        ("kubectl get po --all-namespaces", &["GET /api/v1/pods"]),
        ("kubectl get cm c --export -o yaml", &[&format!("GET {cm}/c?export=true")]),
        ("kubectl get cm --export -l a=b -o yaml", &[&format!("GET {cm}?export=true&labelSelector=a%3Db")]),
        // An object of a file is fetched as it is.
        ("kubectl get -f cm.yaml --export -o yaml", &[&format!("GET {cm}/c")]),
        ("kubectl get clusterroles", &[&format!("GET {rbac}/clusterroles")]),
        (
            "kubectl get roles.v1alpha1.rbac.authorization.k8s.io",
            &["GET /apis/rbac.authorization.k8s.io/v1alpha1/namespaces/default/roles"],
        ),
        (
            "kubectl get deploy,deployments.apps",
            &[
                "GET /apis/extensions/v1beta1/namespaces/default/deployments",
                "GET /apis/apps/v1beta1/namespaces/default/deployments",
            ],
        ),
        ("kubectl get -n dev cm none", &["GET /api/v1/namespaces/dev/configmaps/none", "GET /api/v1/namespaces/dev"]),
        (
            "kubectl get cm --as=bob --as-group=a --as-group=b",
            &[&format!("GET {cm} [Impersonate-User: bob] [Impersonate-Group: a] [Impersonate-Group: b]")],
        ),
        ("kubectl get cm --token=x", &[&format!("GET {cm} [Authorization: Bearer x]")]),
        ("kubectl get --raw /healthz", &["GET /healthz"]),
        // The describer fetches what the command has found.
        ("kubectl describe cm c --show-events=false", &[&format!("GET {cm}/c"), &format!("GET {cm}/c")]),
        (
            "kubectl create sa s",
            &[
                r#"POST /api/v1/namespaces/default/serviceaccounts {"kind":"ServiceAccount","apiVersion":"v1","metadata":{"name":"s","creationTimestamp":null}}"#,
            ],
        ),
        (
            "kubectl create secret generic s --from-literal=a=b",
            &[
                r#"POST /api/v1/namespaces/default/secrets {"kind":"Secret","apiVersion":"v1","metadata":{"name":"s","creationTimestamp":null},"data":{"a":"Yg=="}}"#,
            ],
        ),
        (
            "kubectl create rolebinding b --role=r --user=u --serviceaccount=dev:x",
            &[&format!(
                "POST {rbac}/namespaces/default/rolebindings {}",
                r#"{"kind":"RoleBinding","apiVersion":"rbac.authorization.k8s.io/v1beta1","metadata":{"name":"b","creationTimestamp":null},"subjects":[{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"u"},{"kind":"ServiceAccount","name":"x","namespace":"dev"}],"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"r"}}"#
            )],
        ),
        (
            "kubectl create clusterrole r --verb=get --resource=pods,deploy --resource-name=a",
            &[&format!(
                "POST {rbac}/clusterroles {}",
                r#"{"kind":"ClusterRole","apiVersion":"rbac.authorization.k8s.io/v1beta1","metadata":{"name":"r","creationTimestamp":null},"rules":[{"verbs":["get"],"apiGroups":[""],"resources":["pods"],"resourceNames":["a"]},{"verbs":["get"],"apiGroups":["extensions"],"resources":["deployments"],"resourceNames":["a"]}]}"#
            )],
        ),
        (
            "kubectl run q --image=i --restart=Never -- a b",
            &[&format!(
                "POST {pods} {}",
                r#"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"q","creationTimestamp":null,"labels":{"run":"q"}},"spec":{"containers":[{"name":"q","image":"i","args":["a","b"],"resources":{},"imagePullPolicy":"IfNotPresent"}],"restartPolicy":"Never","dnsPolicy":"ClusterFirst"},"status":{}}"#
            )],
        ),
        ("kubectl create sa s --dry-run", &[]),
        (
            "kubectl apply -f cm.yaml",
            &[
                &format!("GET {cm}/c"),
                &format!(
                    "PATCH {cm}/c [Content-Type: application/strategic-merge-patch+json] {}",
                    r#"{"data":{"k":"w"},"metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{\"apiVersion\":\"v1\",\"data\":{\"k\":\"w\"},\"kind\":\"ConfigMap\",\"metadata\":{\"annotations\":{},\"name\":\"c\",\"namespace\":\"default\"}}\n"}}}"#
                ),
            ],
        ),
        (
            "kubectl label pod p a=b",
            &[
                &format!("GET {pods}/p"),
                &format!(
                    "PATCH {pods}/p [Content-Type: application/merge-patch+json] {}",
                    r#"{"metadata":{"labels":{"a":"b"}}}"#
                ),
            ],
        ),
        (
            "kubectl patch cm c --type=json -p '[{\"op\":\"remove\",\"path\":\"/data/k\"}]'",
            &[
                &format!("GET {cm}/c"),
                &format!(
                    "PATCH {cm}/c [Content-Type: application/json-patch+json] {}",
                    r#"[{"op":"remove","path":"/data/k"}]"#
                ),
            ],
        ),
        ("kubectl delete cm c", &[&format!("DELETE {cm}/c {orphans}")]),
        // Pods have a reaper of their own, which looks first.
        (
            "kubectl delete pod p --now",
            &[
                &format!("GET {pods}/p"),
                &format!("DELETE {pods}/p {}", r#"{"kind":"DeleteOptions","apiVersion":"v1","gracePeriodSeconds":1}"#),
            ],
        ),
        (
            "kubectl auth can-i get pods/p --subresource=log",
            &[&format!(
                "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews {}",
                r#"{"kind":"SelfSubjectAccessReview","apiVersion":"authorization.k8s.io/v1","metadata":{"creationTimestamp":null},"spec":{"resourceAttributes":{"namespace":"default","verb":"get","resource":"pods","subresource":"log","name":"p"}},"status":{"allowed":false}}"#
            )],
        ),
        ("kubectl get nothings", &[]),
    ];
    for (command, expected) in table {
        assert_eq!(requests(command), *expected, "{command}");
    }
}

#[test]
fn apply_sends_a_patch_again_that_meets_another_version_and_forces_it_in_the_end() {
    let stale = r#"echo '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c","resourceVersion":"1"}}'"#;
    for (flag, last) in [("", ""), (" --force", " DELETE GET POST")] {
        let sent = requests(&format!("{stale} | kubectl apply{flag} -f -"));
        let methods: Vec<&str> = sent.iter().filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(methods.join(" "), ["GET PATCH"; 6].join(" ") + last);
    }
}
