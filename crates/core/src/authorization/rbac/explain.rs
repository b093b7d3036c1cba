//! Why RBAC allows a request, or what came near where it does not.

use std::rc::Rc;

use super::{Binding, Role, Rule, RuleResolver, Subject, distance};
use crate::authorization::{Attributes, Because, Failed, NearMiss, listed, or_core};
use crate::manifest::{Location, PathStep};
use crate::request::RequestInfo;
use crate::sort::SortedMap;

impl RuleResolver {
    /// The binding and the rule that allow the request: the binding's subject, then the role's rule. Empty where none does.
    pub fn because(&self, attributes: &Attributes<'_>) -> Vec<Because> {
        let request = attributes.request;
        let bindings: SortedMap<_, _> = self
            .applying(attributes.user, &request.namespace)
            .map(|(name, binding)| ((&binding.namespace, name), binding))
            .collect();
        let allowing = bindings.values().copied().find_map(|binding| {
            let role = self.role(binding)?;
            let at = role.rules.iter().position(|rule| rule.allows(request))?;
            let subject = binding.subjects.iter().position(|it| it.applies_to(attributes.user, &binding.namespace))?;
            Some((binding, subject, role, at))
        });
        let Some((binding, subject, role, at)) = allowing else { return Vec::new() };
        let names = binding.subjects.get(subject).map(|it| it.describe(&binding.namespace)).unwrap_or_default();
        let grants = role.rules.get(at).map(Rule::describe).unwrap_or_default();
        vec![
            Because {
                message: format!("{} names {names}.", binding.title()),
                location: binding.object.location(&[PathStep::Key("subjects"), PathStep::Index(subject)]),
                edge: None,
            },
            Because {
                message: format!("Rule {} of {} grants {grants}.", at + 1, binding.role_title()),
                location: role.location(at),
                edge: None,
            },
        ]
    }

    /// Every binding that names the user or one of its groups, with the first thing that failed; nearest first: what
    /// fails in few and small parts.
    pub fn nearest(&self, attributes: &Attributes<'_>) -> Vec<NearMiss> {
        let mut bindings = SortedMap::new();
        for scoped in self.naming(attributes.user) {
            for names in scoped.values() {
                bindings.extend(names.iter().map(|(name, binding)| ((&binding.namespace, name), binding)));
            }
        }
        let mut misses: Vec<(u8, NearMiss)> =
            bindings.values().copied().map(|binding| self.miss(binding, attributes.request)).collect();
        crate::sort::by(&mut misses, |(away, one), (further, other)| (away, one.failed).cmp(&(further, other.failed)));
        misses.into_iter().map(|(_, miss)| miss).collect()
    }

    /// What keeps `binding` from allowing `request`, and how far away that is.
    fn miss(&self, binding: &Rc<Binding>, request: &RequestInfo) -> (u8, NearMiss) {
        let miss = |failed, message, rule| NearMiss { failed, message, location: binding.object.location(&[]), rule };
        let title = binding.title();
        let Some(role) = self.role(binding) else {
            let message = format!("{title} refers to {}, which does not exist.", binding.role_title());
            return (distance(Failed::MissingRole), miss(Failed::MissingRole, message, None));
        };
        let nearest = nearest(&role.rules, request);
        let location = nearest.map(|(at, ..)| role.location(at));
        let away = nearest.map_or(distance(Failed::MissingRole) - 1, |(.., away)| away);
        if !binding.namespace.is_empty() && *binding.namespace != *request.namespace {
            let wanted = match request.namespace.as_str() {
                _ if !request.is_resource_request => "only ClusterRoleBindings grant paths".to_owned(),
                "" => "the request is for the whole cluster".to_owned(),
                namespace => format!("the request is for namespace {namespace}"),
            };
            let message = format!("{title} grants in namespace {} only; {wanted}.", binding.namespace);
            return (away + distance(Failed::Namespace), miss(Failed::Namespace, message, location));
        }
        let Some((at, rule, failed, _)) = nearest else {
            return (away, miss(Failed::Verb, format!("{title}: {} has no rules.", binding.role_title()), None));
        };
        let (number, role) = (at + 1, binding.role_title());
        let (grants, lacks) = (rule.describe(), rule.lacks(failed, request));
        (away, miss(failed, format!("{title}: rule {number} of {role} grants {grants}; {lacks}."), location))
    }
}

/// The rule that comes nearest to allowing `request`, its index, the first thing that fails, and how far away it is.
pub(in crate::authorization) fn nearest<'a>(
    rules: &'a [Rule],
    request: &RequestInfo,
) -> Option<(usize, &'a Rule, Failed, u8)> {
    let tested = rules.iter().enumerate().map(|(at, rule)| (at, rule, rule.failures(request)));
    let (at, rule, failures) = tested.min_by_key(|(_, _, failures)| (failures.distance, failures.first))?;
    Some((at, rule, failures.first.unwrap_or(Failed::Verb), failures.distance))
}

impl Role {
    pub(super) fn location(&self, rule: usize) -> Location {
        self.object.location(&[PathStep::Key("rules"), PathStep::Index(rule)])
    }
}

impl Binding {
    /// `ClusterRoleBinding name`, `RoleBinding namespace/name`.
    fn title(&self) -> String {
        let name = self.object.name();
        match &*self.namespace {
            "" => format!("ClusterRoleBinding {name}"),
            namespace => format!("RoleBinding {namespace}/{name}"),
        }
    }

    pub(super) fn role_title(&self) -> String {
        match self.role_kind.as_str() {
            "Role" => format!("Role {}/{}", self.namespace, self.role_name),
            kind => format!("{kind} {}", self.role_name),
        }
    }
}

impl Subject {
    fn describe(&self, namespace: &str) -> String {
        match self.kind.as_str() {
            "ServiceAccount" => {
                let namespace = if self.namespace.is_empty() { namespace } else { &self.namespace };
                format!("the service account {namespace}/{}", self.name)
            }
            kind => format!("the {} {}", kind.to_ascii_lowercase(), self.name),
        }
    }
}

impl Rule {
    /// `get, list on pods, services`; `get on /healthz`.
    pub(in crate::authorization) fn describe(&self) -> String {
        let what = if self.resources.is_empty() { &self.non_resource_urls } else { &self.resources };
        format!("{} on {}", listed(&self.verbs), listed(what))
    }

    /// What the rule, which is the nearest one, has not: the second half of a sentence.
    pub(in crate::authorization) fn lacks(&self, failed: Failed, request: &RequestInfo) -> String {
        let among = |wanted: &str| format!("{} is not among them", if wanted.is_empty() { "\"\"" } else { wanted });
        match failed {
            Failed::Verb => among(&request.verb),
            Failed::ApiGroup if self.resources.is_empty() => "it is for paths, not for resources".to_owned(),
            Failed::ApiGroup => {
                let own: Vec<String> = self.api_groups.iter().map(|group| or_core(group).to_owned()).collect();
                format!("that is API group {}, the request is for {}", listed(&own), or_core(&request.api_group))
            }
            Failed::Subresource if request.subresource.is_empty() => {
                format!("that does not include {} itself", request.resource)
            }
            Failed::Subresource => among(&format!("{}/{}", request.resource, request.subresource)),
            Failed::ResourceName if request.name.is_empty() => {
                format!("only those named {}, and the request has no name", listed(&self.resource_names))
            }
            Failed::ResourceName => {
                format!("only those named {}, and not {}", listed(&self.resource_names), request.name)
            }
            _ if request.is_resource_request => match request.subresource.as_str() {
                "" => among(&request.resource),
                subresource => among(&format!("{}/{subresource}", request.resource)),
            },
            _ if self.non_resource_urls.is_empty() => "it is for resources, not for paths".to_owned(),
            _ => among(&request.path),
        }
    }
}
