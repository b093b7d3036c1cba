//! Who may do what, read off the bindings: `who can VERB RESOURCE`, and the matrix of all subjects.
//!
//! This is RBAC alone: members of `system:masters` may do everything besides, and nodes what the Node authorizer gives them.

use std::rc::Rc;

use super::{Binding, Failed, Role, Rule, RuleResolver, Subject};
use crate::manifest::{Location, PathStep};
use crate::request::RequestInfo;

/// One rule that one subject of one binding holds.
#[derive(Clone, Copy, Debug)]
pub struct Grant<'a> {
    binding: &'a Rc<Binding>,
    subject: usize,
    role: &'a Role,
    rule: usize,
    named: &'a Subject,
    /// What is granted.
    pub granted: &'a Rule,
}

impl RuleResolver {
    /// Every grant: bindings of the cluster by name, then those of each namespace; subjects and rules in their order. What
    /// names nobody, or a role that does not exist, grants nothing.
    pub fn grants(&self) -> impl Iterator<Item = Grant<'_>> + use<'_> {
        let bindings = self.bindings.values().flat_map(|names| names.values());
        let resolved = bindings.filter_map(|binding| Some((binding, self.role(binding)?)));
        resolved.flat_map(|(binding, role)| {
            let subjects = binding.subjects.iter().enumerate();
            let real = subjects.filter(|(_, named)| named.names(&binding.namespace).is_some());
            real.flat_map(move |(subject, named)| {
                let rules = role.rules.iter().enumerate();
                rules.map(move |(rule, granted)| Grant { binding, subject, role, rule, named, granted })
            })
        })
    }

    /// The grants that allow `request`. Where it asks for no name, those that are limited to some names are among them:
    /// they allow a part of what is asked.
    pub fn who_can<'a>(&'a self, request: &'a RequestInfo) -> impl Iterator<Item = Grant<'a>> + use<'a> {
        self.grants().filter(move |grant| grant.reaches(request).is_some())
    }
}

impl Grant<'_> {
    /// `User`, `Group` or `ServiceAccount`.
    pub fn kind(&self) -> &str {
        &self.named.kind
    }

    /// The subject's name.
    pub fn name(&self) -> &str {
        &self.named.name
    }

    /// The service account's namespace; `""` for users and groups.
    pub fn subject_namespace(&self) -> &str {
        match self.named.kind.as_str() {
            "ServiceAccount" if self.named.namespace.is_empty() => &self.binding.namespace,
            "ServiceAccount" => &self.named.namespace,
            _ => "",
        }
    }

    /// Where it holds: a namespace, or `""` for all of them and the cluster itself.
    pub fn namespace(&self) -> &str {
        &self.binding.namespace
    }

    /// The line of the binding that names the subject.
    pub fn binding(&self) -> Location {
        self.binding.object.location(&[PathStep::Key("subjects"), PathStep::Index(self.subject)])
    }

    /// The role's rule.
    pub fn rule(&self) -> Location {
        self.role.location(self.rule)
    }

    /// Whether it allows all of `request`, or `Some(false)` where it allows objects of certain names and the request asks for
    /// no name; `None` where it allows nothing of it.
    pub fn reaches(&self, request: &RequestInfo) -> Option<bool> {
        let scope = self.namespace();
        // A path has no namespace, so that only ClusterRoleBindings grant it.
        let there = scope.is_empty() || (request.is_resource_request && scope == request.namespace);
        match self.granted.failures(request).first {
            _ if !there => None,
            None => Some(true),
            // The name is tested last: all else matches.
            Some(Failed::ResourceName) if request.name.is_empty() => Some(false),
            Some(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authentication::User;
    use crate::authorization::{Attributes, Verdict};
    use crate::manifest;
    use crate::release::Release;

    const POLICY: &str = "
kind: ClusterRole
apiVersion: rbac.authorization.k8s.io/v1beta1
metadata: {name: reader}
rules:
- {verbs: [get, list], apiGroups: [''], resources: [pods, pods/log]}
- {verbs: [get], nonResourceURLs: [/healthz]}
- {verbs: ['*'], apiGroups: ['*'], resources: [secrets], resourceNames: [tls]}
---
kind: ClusterRoleBinding
apiVersion: rbac.authorization.k8s.io/v1beta1
metadata: {name: all}
roleRef: {kind: ClusterRole, name: reader}
subjects: [{kind: Group, name: ops}, {kind: ServiceAccount, name: lost}, {kind: Robot, name: r2}]
---
kind: RoleBinding
apiVersion: rbac.authorization.k8s.io/v1beta1
metadata: {name: one, namespace: shop}
roleRef: {kind: ClusterRole, name: reader}
subjects: [{kind: ServiceAccount, name: till}, {kind: User, name: jane}]
---
kind: RoleBinding
apiVersion: rbac.authorization.k8s.io/v1beta1
metadata: {name: none, namespace: shop}
roleRef: {kind: Role, name: absent}
subjects: [{kind: User, name: joe}]
";

    fn resolver() -> RuleResolver {
        let mut resolver = RuleResolver::default();
        let (documents, diagnostics) = manifest::parse(&"policy.yaml".into(), 1, POLICY);
        assert!(diagnostics.is_empty(), "{diagnostics:?}");
        for object in documents.into_iter().flat_map(|document| manifest::objects(document).0) {
            resolver.upsert(&Rc::new(object));
        }
        resolver
    }

    fn request(verb: &str, resource: &str, namespace: &str, name: &str) -> RequestInfo {
        let is_resource_request = !resource.starts_with('/');
        let path = if is_resource_request { String::new() } else { resource.to_owned() };
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let [verb, resource, subresource, namespace, name] =
            [verb, resource, subresource, namespace, name].map(str::to_owned);
        RequestInfo {
            is_resource_request,
            path,
            verb,
            resource,
            subresource,
            namespace,
            name,
            ..RequestInfo::default()
        }
    }

    #[test]
    fn who_can_names_subjects_and_the_lines_that_grant() {
        let resolver = resolver();
        let who = |verb: &str, resource: &str, namespace: &str, name: &str| {
            let request = request(verb, resource, namespace, name);
            let grants = resolver.who_can(&request);
            let row = |grant: Grant<'_>| {
                let line = |location: Location| location.place.unwrap().line;
                let subject = format!("{} {}/{}", grant.kind(), grant.subject_namespace(), grant.name());
                format!("{subject} in {:?}: {} {}", grant.namespace(), line(grant.binding()), line(grant.rule()))
            };
            grants.map(row).collect::<Vec<_>>()
        };
        for (verb, resource, namespace, name, expected) in [
            ("list", "pods", "", "", &["Group /ops in \"\": 14 6"][..]),
            (
                "list",
                "pods",
                "shop",
                "",
                &[
                    "Group /ops in \"\": 14 6",
                    "ServiceAccount shop/till in \"shop\": 20 6",
                    "User /jane in \"shop\": 20 6",
                ],
            ),
            ("get", "pods/log", "bank", "p", &["Group /ops in \"\": 14 6"]),
            ("get", "/healthz", "", "", &["Group /ops in \"\": 14 7"]),
            ("delete", "secrets", "bank", "", &["Group /ops in \"\": 14 8"]),
            ("delete", "secrets", "bank", "tls", &["Group /ops in \"\": 14 8"]),
            ("delete", "secrets", "bank", "other", &[]),
            ("delete", "pods", "shop", "", &[]),
        ] {
            assert_eq!(who(verb, resource, namespace, name), expected, "{verb} {resource} {namespace} {name}");
        }
    }

    #[test]
    fn who_can_and_the_authorizer_agree_on_the_default_policy() {
        let mut resolver = RuleResolver::default();
        for object in Release::newest().bootstrap_policy(false).cloned() {
            resolver.upsert(&Rc::new(manifest::Object::new(object, None)));
        }
        let mut asked = 0;
        for request in ["get", "list", "create", "delete", "impersonate"].into_iter().flat_map(|verb| {
            ["pods", "secrets", "nodes", "services", "events", "/healthz", "/api"]
                .map(|what| request(verb, what, "", "x"))
        }) {
            let mut can: Vec<_> = resolver.who_can(&request).map(|grant| subject(&grant)).collect();
            can.dedup();
            for grant in resolver.grants() {
                let user = subject(&grant);
                let attributes = Attributes { user: &user, request: &request };
                assert_eq!(
                    resolver.authorize(&attributes).0 == Verdict::Allow,
                    can.contains(&user),
                    "{user:?} {request:?}"
                );
                asked += 1;
            }
        }
        assert!(asked > 1000);
    }

    fn subject(grant: &Grant<'_>) -> User {
        match grant.kind() {
            "Group" => User { groups: vec![grant.name().to_owned()], ..User::default() },
            "ServiceAccount" => User {
                name: format!("system:serviceaccount:{}:{}", grant.subject_namespace(), grant.name()),
                ..User::default()
            },
            _ => User { name: grant.name().to_owned(), ..User::default() },
        }
    }
}
