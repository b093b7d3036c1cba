//! Each answer in one sentence.

use portcullis_console::run;

const DOCUMENT: &str = "```text title=\"jane.crt\"\nSubject: O=dev, CN=jane\n```\n\
    ```text title=\"node.crt\"\nSubject: O=system:nodes, CN=system:node:a\n```\n\
    ```yaml\n{apiVersion: v1, kind: Node, metadata: {name: b}}\n```\n";

#[test]
fn one_sentence_an_answer() {
    for (command, expected) in [
        (
            "curl -k --cert jane.crt https://apiserver:6443/api/v1/pods",
            "Denied. jane may not list pods in all namespaces.",
        ),
        (
            "curl -k --cert jane.crt https://apiserver:6443/api/v1/namespaces/shop/pods/cart/log",
            "Denied. jane may not get log of Pod cart in namespace shop.",
        ),
        (
            "curl -k --cert jane.crt https://apiserver:6443/api/v1/namespaces/shop",
            "Denied. jane may not get Namespace shop.",
        ),
        ("curl -k --cert jane.crt https://apiserver:6443/metrics", "Denied. jane may not get /metrics."),
        (
            "curl -k --cert jane.crt -H 'Impersonate-User: bob' https://apiserver:6443/api/v1/pods",
            "Denied. jane may not impersonate user bob.",
        ),
        (
            "kubectl --as=system:serviceaccount:kube-system:kube-dns get secrets",
            "Denied. kube-dns may not list secrets in namespace default.",
        ),
        ("curl -k https://apiserver:6443/version", "Allowed. system:anonymous may get /version."),
        (
            "curl -k -H 'Authorization: Bearer x' https://apiserver:6443/version",
            "Unauthorized. Nobody is known by these credentials: the bearer token stands in no --token-auth-file, and no \
             service account has it.",
        ),
        (
            "kubectl get secret -o jsonpath='{.items[0].data.token}' | base64 -d > t; kubectl delete secret --all > x; \
             curl -k -H \"Authorization: Bearer $(cat t)\" https://apiserver:6443/version",
            "Unauthorized. Nobody is known by these credentials: the token's Secret is gone, and the token with it.",
        ),
        (
            "kube-apiserver --anonymous-auth=false; curl -k https://apiserver:6443/version",
            "Unauthorized. Nobody is known by these credentials: there are none, and this server knows no anonymous \
             requests.",
        ),
        ("curl -k https://apiserver:6443/api/v1/watch", "Failed. The server can read no attributes from this URL."),
        (
            "curl -k --cert node.crt -X DELETE https://apiserver:6443/api/v1/nodes/b",
            "Refused by NodeRestriction. nodes \"Unknown\" is forbidden: node a cannot modify node b.",
        ),
        (
            "kubectl get pod nosuch",
            "Allowed, then 404. kubernetes-admin may get Pod nosuch in namespace default, but pods \"nosuch\" not found.",
        ),
    ] {
        let report = run("a.md", &format!("{DOCUMENT}```console\n$ {command}\n```\n"), None);
        let exchange = report.steps[0].exchanges.last().expect("an exchange");
        assert_eq!(exchange.summary, expected, "{command}: {}", report.steps[0].output);
    }
}

#[test]
fn a_refused_impersonation_shows_what_was_asked() {
    let command = "curl -k --cert jane.crt -H 'Impersonate-User: bob' https://apiserver:6443/api/v1/pods";
    let report = run("a.md", &format!("{DOCUMENT}```console\n$ {command}\n```\n"), None);
    let attributes = report.steps[0].exchanges[0].attributes.as_ref().expect("attributes");
    assert_eq!(
        (attributes.verb.as_str(), attributes.resource.as_str(), attributes.name.as_str()),
        ("impersonate", "users", "bob")
    );
}
