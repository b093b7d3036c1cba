//! Nobody grants what he does not have: the checks of the RBAC registry before it stores a role or a binding.
//!
//! Behaviour: `pkg/registry/rbac/*/policybased/storage.go`, `pkg/registry/rbac/escalation_check.go`.

use super::{Run, list, text};
use crate::admission;
use crate::authorization::rbac::{self, Rule};
use crate::authorization::{Attributes, Because, Verdict, aggregate};
use crate::manifest::Value;
use crate::request::RequestInfo;
use crate::status::{Qualified, Status};

const GROUP: &str = "rbac.authorization.k8s.io";

/// What a role or a binding would give away.
enum Granted {
    /// The rules that the role holds or the binding refers to.
    Rules(Vec<Rule>),
    /// A role that the user may bind, and why.
    Bind(Vec<Because>),
}

impl Run<'_> {
    pub(super) fn check_escalation(&mut self, object: &Value) -> Result<(), Status> {
        let binding = match self.hub.kind {
            _ if self.hub.group != GROUP => return Ok(()),
            "Role" | "ClusterRole" => false,
            "RoleBinding" | "ClusterRoleBinding" => true,
            _ => return Ok(()),
        };
        let user = self.call.user;
        if user.groups.iter().any(|group| group == "system:masters") {
            return Ok(());
        }
        let result = self.granted(object, binding).and_then(|granted| match granted {
            Granted::Rules(needed) => self.confirm(object, &needed),
            Granted::Bind(because) => Ok(because),
        });
        self.admission.push(admission::Step {
            plugin: "RBAC escalation check",
            admitted: result.is_ok(),
            message: result.as_ref().err().map_or(String::new(), |status| status.message.clone()),
            because: result.as_deref().map(<[Because]>::to_vec).unwrap_or_default(),
        });
        result.map(drop)
    }

    fn granted(&self, object: &Value, binding: bool) -> Result<Granted, Status> {
        if !binding {
            return Ok(Granted::Rules(list(object, "rules").iter().map(Rule::new).collect()));
        }
        let namespace = self.namespace();
        let role_ref = object.get("roleRef").unwrap_or(&Value::Null);
        let (kind, name) = (text(role_ref, "kind"), text(role_ref, "name"));
        let resource = match kind {
            "ClusterRole" => "clusterroles",
            "Role" => "roles",
            _ => "",
        };
        let bind = RequestInfo {
            is_resource_request: true,
            verb: "bind".into(),
            api_group: text(role_ref, "apiGroup").into(),
            namespace: namespace.into(),
            resource: resource.into(),
            name: name.into(),
            ..RequestInfo::default()
        };
        let asked = Attributes { user: self.call.user, request: &bind };
        if !resource.is_empty() {
            let decision = self.cluster.authorizers.explain(&asked);
            if decision.verdict == Verdict::Allow {
                return Ok(Granted::Bind(decision.steps.into_iter().flat_map(|step| step.because).collect()));
            }
        }
        let rules = self.cluster.authorizers.informers().rbac().rules_of(role_ref, namespace);
        rules.map(|rules| Granted::Rules(rules.to_vec())).map_err(|error| match resource {
            "" => Status::unknown(error),
            _ if bind.api_group != GROUP => Status::unknown(error),
            resource => Status::not_found(Qualified { group: GROUP, name: resource }, name),
        })
    }

    fn namespace(&self) -> &str {
        if self.hub.namespaced { &self.call.info.namespace } else { "" }
    }

    /// Refuses what the user does not hold; else the rules that he holds it by.
    fn confirm(&self, object: &Value, needed: &[Rule]) -> Result<Vec<Because>, Status> {
        let user = self.call.user;
        let (owned, errors) = self.cluster.authorizers.informers().rbac().rules_for(user, self.namespace());
        let missing = rbac::covers(&owned, needed);
        if missing.is_empty() {
            return Ok(self.cluster.authorizers.informers().rbac().holding(user, self.namespace(), needed));
        }
        let join = |rules: &[Rule]| rules.iter().map(Rule::to_string).collect::<Vec<_>>().join(" ");
        let mut extra: Vec<_> =
            user.extra.iter().map(|(key, values)| format!("{key}:[{}]", values.join(" "))).collect();
        crate::sort::by_text(&mut extra, |field| field);
        let cause = format!(
            "attempt to grant extra privileges: [{}] user=&{{{} {} [{}] map[{}]}} ownerrules=[{}] ruleResolutionErrors=[{}]",
            join(&missing),
            user.name,
            user.uid,
            user.groups.join(" "),
            extra.join(" "),
            join(&owned),
            aggregate(&errors)
        );
        let resource = Qualified { group: GROUP, name: self.hub.resource };
        Err(Status::forbidden(resource, text(object, "metadata.name"), &cause))
    }
}
