//! Rules and bindings that grant nothing: what no request to this server can ever meet.
//!
//! Told is only what is certain. Resources of groups that are not built in, made-up resources and verbs of one's own
//! (`use`, `impersonate`) are somebody's business.

use std::rc::Rc;

use super::{Binding, GROUP, Role, Rule, RuleResolver, Scoped, base, role_key};
use crate::authorization::listed;
use crate::manifest::{Diagnostic, Object, PathStep, Standing};
use crate::release::{Release, ResourceType};
use crate::sort::SortedMap;

/// How many problems are told: a dump of some other cluster may hold thousands.
const TOLD: usize = 20;

/// What is wrong with a part of a rule.
struct Fault {
    /// The member; its element, where it is one.
    part: (&'static str, Option<usize>),
    message: String,
}

/// Built-in resources by their plural, in every group that has them. With a glance at it most rules are done.
type Known<'a> = SortedMap<&'a str, Vec<&'a ResourceType>>;

impl RuleResolver {
    /// Every rule of the roles that the user's text holds.
    ///
    /// # Errors
    ///
    /// How many there are, where that is more than `most`: they are not looked at.
    pub fn standing(&self, release: &Release, most: usize) -> Result<Vec<Standing>, usize> {
        let count = self.own_roles().map(|role| role.rules.len()).sum();
        if count > most {
            return Err(count);
        }
        let known = known(release);
        let all = self.own_roles().flat_map(|role| {
            let unbound = self.is_unbound(role).then(|| format!("No binding names {}.", role.title()));
            let rules = role.rules.iter().enumerate();
            let standing = rules.map(|(at, rule)| {
                let faults = || faults(rule, role.namespace(), &known, release);
                Standing {
                    location: role.location(at),
                    never: faults().and_then(|faults| dead(rule, faults)).or_else(|| unbound.clone()),
                }
            });
            standing.collect::<Vec<_>>()
        });
        Ok(all.collect())
    }

    /// What a person can mend in the rules and bindings of the user's text.
    pub fn problems(&self, release: &Release) -> Vec<Diagnostic> {
        let known = known(release);
        // Maps that hash have no order; lines have.
        let mut problems = Vec::new();
        for role in self.own_roles().filter(|role| !role.sound.get()) {
            let before = problems.len();
            for (at, rule) in role.rules.iter().enumerate() {
                let faults = faults(rule, role.namespace(), &known, release).into_iter().flatten();
                problems.extend(faults.filter_map(|Fault { part: (member, element), message }| {
                    let mut path = vec![PathStep::Key("rules"), PathStep::Index(at), PathStep::Key(member)];
                    path.extend(element.map(PathStep::Index));
                    warning(&role.object, &path, message)
                }));
            }
            role.sound.set(problems.len() == before);
        }
        let bindings = self.suspects().into_iter().filter(|it| it.object.origin.is_some());
        let bindings = bindings.flat_map(|binding| {
            let role = self.unresolvable(binding).map(|message| (vec![PathStep::Key("roleRef")], message));
            let subjects = binding.subjects.iter().enumerate().filter_map(|(at, subject)| {
                let message = match subject.kind.as_str() {
                    "User" | "Group" => return None,
                    "ServiceAccount" if !(subject.namespace.is_empty() && binding.namespace.is_empty()) => return None,
                    "ServiceAccount" => "This names nobody: a service account needs its namespace.".to_owned(),
                    kind => format!("This names nobody: kind is {kind:?}, not User, Group or ServiceAccount."),
                };
                Some((vec![PathStep::Key("subjects"), PathStep::Index(at)], message))
            });
            let mut found = Vec::from_iter(role);
            found.extend(subjects);
            found.into_iter().filter_map(|(path, message)| warning(&binding.object, &path, message))
        });
        crate::sort::by(&mut problems, |one, other| one.line.cmp(&other.line));
        problems.truncate(TOLD);
        problems.extend(bindings.take(TOLD));
        problems
    }

    /// The bindings of which something could be told, by namespace and name.
    pub(super) fn suspects(&self) -> Vec<&Binding> {
        fn all(bindings: &Scoped<Rc<Binding>>) -> impl Iterator<Item = (&Rc<str>, &Rc<Binding>)> {
            bindings.values().flatten()
        }
        let is_missing = |bindings: &&Scoped<Rc<Binding>>| {
            all(bindings).next().is_some_and(|(_, binding)| self.role(binding).is_none())
        };
        let missing = self.referring.values().filter(is_missing).flat_map(all);
        let mut suspects: Vec<(&Rc<str>, &Rc<Binding>)> = all(&self.odd).collect();
        suspects.extend(missing);
        crate::sort::by(&mut suspects, |(one, a), (other, b)| (&a.namespace, one).cmp(&(&b.namespace, other)));
        suspects.dedup_by_key(|(_, binding)| Rc::as_ptr(binding));
        suspects.into_iter().map(|(_, binding)| &**binding).collect()
    }

    fn own_roles(&self) -> impl Iterator<Item = &Role> {
        let roles = self.cluster_roles.values().chain(self.roles.values().flat_map(|names| names.values()));
        roles.filter(|role| role.object.origin.is_some())
    }

    /// Newer releases put some roles together from others, which no binding has to name.
    pub(super) fn is_unbound(&self, role: &Role) -> bool {
        let labels = role.object.metadata().and_then(|metadata| metadata.get("labels")?.as_object());
        let is_part = labels.into_iter().flatten().any(|(label, _)| label.starts_with("rbac.authorization.k8s.io/"));
        !is_part && !self.referring.contains_key(&role_key(role.namespace(), role.object.name()))
    }

    fn unresolvable(&self, binding: &Binding) -> Option<String> {
        if self.role(binding).is_some() {
            return None;
        }
        Some(match (binding.role_kind.as_str(), &*binding.namespace) {
            (kind, _) if !matches!(kind, "Role" | "ClusterRole") || binding.role_group != GROUP => {
                format!(
                    "This grants nothing: roleRef is {kind:?} of {:?}, not a Role or ClusterRole.",
                    binding.role_group
                )
            }
            ("Role", "") => "This grants nothing: a ClusterRoleBinding binds a ClusterRole, never a Role.".to_owned(),
            _ => format!("This grants nothing: {} does not exist.", binding.role_title()),
        })
    }
}

impl Role {
    /// `""` for a ClusterRole.
    fn namespace(&self) -> &str {
        if self.object.kind() == "Role" { self.object.namespace() } else { "" }
    }

    fn title(&self) -> String {
        match self.namespace() {
            "" => format!("ClusterRole {}", self.object.name()),
            namespace => format!("Role {namespace}/{}", self.object.name()),
        }
    }
}

fn warning(object: &Object, path: &[PathStep<'_>], message: String) -> Option<Diagnostic> {
    Standing { location: object.location(path), never: Some(message) }.warning()
}

fn known(release: &Release) -> Known<'_> {
    let mut known = Known::new();
    for resource in release.resources() {
        known.get_or_default(resource.resource).push(resource);
    }
    known
}

/// The first fault of those that leave nothing of the rule: of the whole of it, or of each element of one member.
fn dead(rule: &Rule, faults: Vec<Fault>) -> Option<String> {
    let of = |member: &str| faults.iter().filter(|fault| fault.part.0 == member && fault.part.1.is_some()).count();
    let alive = |member: &str, list: &[String]| list.is_empty() || of(member) < list.len();
    let is_dead = faults.iter().any(|fault| fault.part.1.is_none())
        || !alive("verbs", &rule.verbs)
        || !alive("apiGroups", &rule.api_groups) && rule.non_resource_urls.is_empty()
        || !alive("resources", &rule.resources) && rule.non_resource_urls.is_empty();
    faults.into_iter().next().filter(|_| is_dead).map(|fault| fault.message)
}

/// What of `rule` matches nothing; `None` for nothing. `namespace` is the Role's.
fn faults(rule: &Rule, namespace: &str, known: &Known<'_>, release: &Release) -> Option<Vec<Fault>> {
    let mut faults = Vec::new();
    let mut add = |member, element: Option<usize>, message: String| {
        faults.push(Fault { part: (member, element), message });
    };
    let (resources, urls) = (!rule.resources.is_empty(), !rule.non_resource_urls.is_empty());
    if rule.verbs.is_empty() {
        add("verbs", None, "This rule has no verbs and allows nothing.".to_owned());
    }
    if !resources && !urls {
        add("resources", None, "This rule names no resources and no nonResourceURLs and allows nothing.".to_owned());
    }
    if resources && !urls && rule.api_groups.is_empty() {
        let message = "This rule has no apiGroups and allows nothing. The group of pods and secrets is written \"\".";
        add("apiGroups", None, message.to_owned());
    }
    if urls && !resources && !namespace.is_empty() {
        let message = "Paths belong to no namespace, and a Role grants in its own only. Write a ClusterRole and bind it with a ClusterRoleBinding.";
        add("nonResourceURLs", None, message.to_owned());
    }
    let is_built_in = |group: &str| {
        matches!(group, "" | "apps" | "extensions") || release.resources().iter().any(|it| it.group == group)
    };
    if resources {
        for (at, group) in rule.api_groups.iter().enumerate() {
            if group == "*" || is_built_in(group) {
                continue;
            }
            let message = match group.split_once('/') {
                _ if matches!(group.as_str(), "core" | "v1" | "v1/") => {
                    "The group of pods, services and secrets is written \"\" here.".to_owned()
                }
                Some((group, _)) => format!("A group is written without its version here: {group:?}."),
                // Groups that others serve have a dot in their name.
                None if !group.contains('.') => {
                    format!("The API server of {} has no API group {group:?}.", release.version())
                }
                None => continue,
            };
            add("apiGroups", Some(at), message);
        }
        let certain = !rule.api_groups.is_empty() && rule.api_groups.iter().all(|group| is_built_in(group));
        for (at, resource) in rule.resources.iter().enumerate() {
            if let Some(message) = resource_fault(resource, rule, namespace, known).filter(|_| certain) {
                add("resources", Some(at), message);
            }
        }
        let whole = rule.resources.iter().all(|resource| resource != "*" && !resource.contains('/'));
        for (at, verb) in rule.verbs.iter().enumerate() {
            if urls {
                break;
            }
            let lower =
                if verb.bytes().all(|byte| byte.is_ascii_lowercase()) { "" } else { &verb.to_ascii_lowercase() };
            let instead = match if lower.is_empty() { verb } else { lower } {
                "post" => "create",
                "put" => "update",
                "head" | "read" => "get",
                "write" => "create, update, patch or delete",
                "get" | "list" | "watch" | "create" | "update" | "patch" | "delete" | "deletecollection"
                    if !lower.is_empty() =>
                {
                    lower
                }
                "list" | "create" | "deletecollection" if whole && !rule.resource_names.is_empty() => {
                    let message = format!("{verb} with resourceNames allows nothing: such a request names no object.");
                    add("verbs", Some(at), message);
                    continue;
                }
                _ => continue,
            };
            add("verbs", Some(at), format!("{verb:?} is no verb of a request for a resource. Write {instead}."));
        }
    } else if urls {
        for (at, verb) in rule.verbs.iter().enumerate() {
            if matches!(verb.as_str(), "list" | "watch" | "create" | "update" | "deletecollection") {
                let message =
                    format!("A path has no {verb}: its verbs are the HTTP methods get, post, put, patch and delete.");
                add("verbs", Some(at), message);
            }
        }
    }
    (!faults.is_empty()).then_some(faults)
}

/// Why no request names `resource` in the groups of `rule`, all of which are built in.
fn resource_fault(resource: &str, rule: &Rule, namespace: &str, known: &Known<'_>) -> Option<String> {
    let (plural, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let Some(types) = known.get(plural) else {
        let lower = plural.to_ascii_lowercase();
        let meant = known.values().flatten().find(|it| {
            it.kind.eq_ignore_ascii_case(&lower) || it.resource == lower || it.short_names.contains(&lower.as_str())
        })?;
        return Some(format!("{plural:?} is no resource. Write {:?}.", meant.resource));
    };
    if !types.iter().any(|it| rule.api_groups.iter().any(|group| group == it.group)) {
        let mut named: Vec<String> = types.iter().map(|it| format!("{:?}", it.group)).collect();
        named.dedup();
        return Some(format!("{plural} are not in this rule's apiGroups: they are in {}.", listed(&named)));
    }
    let known_part = |name: &str| types.iter().any(|it| it.subresource(name).is_some());
    if !subresource.is_empty() && !known_part(subresource) {
        let meant = subresource.trim_end_matches('s');
        return known_part(meant)
            .then(|| format!("{base}/{subresource} does not exist. Write \"{base}/{meant}\".", base = base(resource)));
    }
    // A namespace is in itself; policies are used, and roles bound, in a namespace.
    let is_free = types.iter().all(|it| !it.namespaced)
        && !matches!(plural, "namespaces" | "podsecuritypolicies" | "clusterroles");
    (is_free && !namespace.is_empty()).then(|| {
        format!("{plural} belong to no namespace, and a Role grants in its own only. Write a ClusterRole and bind it with a ClusterRoleBinding.")
    })
}
