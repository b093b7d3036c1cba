//! Which rules a document's requests were decided by.

use portcullis_console::run;

const DOCUMENT: &str = r#"
```yaml title="cluster.yaml"
kind: ClusterRole
apiVersion: rbac.authorization.k8s.io/v1beta1
metadata: {name: lead}
rules:
- {apiGroups: [""], resources: [users], verbs: [impersonate], resourceNames: [jane]}
- {apiGroups: [rbac.authorization.k8s.io], resources: [roles], verbs: [create]}
- {apiGroups: [""], resources: [pods], verbs: [get, list]}
- {apiGroups: [""], resources: [secrets], verbs: [get]}
- {apiGroups: [""], resources: [pod], verbs: [get]}
---
kind: ClusterRoleBinding
apiVersion: rbac.authorization.k8s.io/v1beta1
metadata: {name: leads}
roleRef: {kind: ClusterRole, name: lead}
subjects: [{kind: User, name: ann}]
---
kind: Role
apiVersion: rbac.authorization.k8s.io/v1beta1
metadata: {name: dev, namespace: default}
rules: [{apiGroups: [""], resources: [pods], verbs: [list]}, {apiGroups: [""], resources: [pods], verbs: [get]}]
---
kind: RoleBinding
apiVersion: rbac.authorization.k8s.io/v1beta1
metadata: {name: devs, namespace: default}
roleRef: {kind: Role, name: dev}
subjects: [{kind: User, name: jane}]
---
kind: Role
apiVersion: rbac.authorization.k8s.io/v1beta1
metadata: {name: idle, namespace: default}
rules: [{apiGroups: [""], resources: [pods], verbs: [list]}]
```
```yaml title="audit.yaml"
kind: Policy
apiVersion: audit.k8s.io/v1alpha1
rules:
- {level: Metadata, resources: [{group: "", resources: [secrets]}]}
- {level: None, verbs: [list]}
- {level: Metadata, verbs: [list], users: [x]}
- {level: Request}
```
```text title="ann.crt"
Subject: CN=ann
```
```text title="role.json"
{"kind": "Role", "apiVersion": "rbac.authorization.k8s.io/v1beta1", "metadata": {"name": "r"}, "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}
```
```sh
curl -k --cert ann.crt --key ann.crt -H 'Impersonate-User: jane' https://apiserver:6443/api/v1/namespaces/default/pods
kubectl auth can-i list pods --as jane
curl -k --cert ann.crt --key ann.crt -H 'Content-Type: application/json' -d @role.json https://apiserver:6443/apis/rbac.authorization.k8s.io/v1beta1/namespaces/default/roles
curl -k --cert ann.crt --key ann.crt https://apiserver:6443/api/v1/secrets
```
"#;

#[test]
fn every_rule_says_how_many_requests_it_decided() {
    let report = run("a.md", DOCUMENT, None);
    let rules: Vec<String> = report
        .rules
        .iter()
        .map(|rule| {
            let never = rule.never.as_deref().unwrap_or_default();
            format!("{} {} {} {} {never}", rule.location.line, rule.location.object, rule.location.path, rule.requests)
        })
        .collect();
    assert_eq!(
        rules,
        [
            "7 ClusterRole/lead rules[0] 1 ",
            "8 ClusterRole/lead rules[1] 1 ",
            "9 ClusterRole/lead rules[2] 1 ",
            "10 ClusterRole/lead rules[3] 0 ",
            "11 ClusterRole/lead rules[4] 0 \"pod\" is no resource. Write \"pods\".",
            "22 Role/default/dev rules[0] 2 ",
            "22 Role/default/dev rules[1] 0 ",
            "33 Role/default/idle rules[0] 0 No binding names Role default/idle.",
            "39 Policy rules[0] 1 ",
            "40 Policy rules[1] 1 ",
            "41 Policy rules[2] 0 Nothing reaches rules[2]: rules[1] before it takes all that it would match. Move it up, or delete it.",
            "42 Policy rules[3] 2 ",
        ]
    );
    let statuses: Vec<u16> = report.steps.iter().map(|step| step.exchanges[0].response.status).collect();
    assert_eq!(statuses, [200, 201, 201, 403]);
}

#[test]
fn a_large_cluster_is_not_listed_and_says_so() {
    let roles: String = (0..501)
        .map(|at| format!("kind: ClusterRole\napiVersion: rbac.authorization.k8s.io/v1beta1\nmetadata: {{name: r{at}}}\nrules: [{{apiGroups: [''], resources: [pods], verbs: [get]}}]\n---\n"))
        .collect();
    let of = |roles: &str| {
        let report = run("a.md", &format!("```yaml\n{roles}```\n"), None);
        (report.rules.len(), report.unlisted_rules)
    };
    assert_eq!(of(&roles), (0, 501));
    assert_eq!(of(roles.split_once("---\n").unwrap().1), (500, 0));
}
