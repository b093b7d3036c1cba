//! RBAC: roles, bindings and the rules that they grant.
//!
//! Behaviour: <https://kubernetes.io/docs/reference/access-authn-authz/rbac/>; in Kubernetes 1.7
//! `plugin/pkg/auth/authorizer/rbac/rbac.go` and `pkg/registry/rbac/validation/rule.go`.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

use super::{Attributes, Because, Failed, Verdict, aggregate};
use crate::authentication::User;
use crate::manifest::{Map, Object, Value};
use crate::request::{RequestInfo, quote};
use crate::sort::SortedMap;

mod access;
mod explain;
mod faults;
mod reconcile;
#[cfg(test)]
mod tests;

pub use access::Grant;
pub(super) use explain::nearest;
pub use reconcile::{Reconciled, reconcile_binding, reconcile_role};

const GROUP: &str = "rbac.authorization.k8s.io";

/// A rule of a Role or ClusterRole. Printed as escalation errors show it:
/// `PolicyRule{Resources:["pods"], APIGroups:[""], Verbs:["list"]}`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// `*` for every verb.
    pub verbs: Vec<String>,
    /// `""` for core, `*` for every group.
    pub api_groups: Vec<String>,
    /// `pods`, `pods/log`; `*` for every resource and subresource.
    pub resources: Vec<String>,
    /// Empty for every name.
    pub resource_names: Vec<String>,
    /// `/healthz`, `/api/*`.
    pub non_resource_urls: Vec<String>,
}

impl Rule {
    /// A rule from its JSON. What is missing or of another type is empty.
    pub fn new(value: &Value) -> Self {
        Self {
            verbs: strings(value, "verbs"),
            api_groups: strings(value, "apiGroups"),
            resources: strings(value, "resources"),
            resource_names: strings(value, "resourceNames"),
            non_resource_urls: strings(value, "nonResourceURLs"),
        }
    }

    /// The rule as JSON, members in the API's order.
    pub fn to_value(&self) -> Value {
        let mut map = Map::new();
        for (key, list) in [
            ("verbs", &self.verbs),
            ("apiGroups", &self.api_groups),
            ("resources", &self.resources),
            ("resourceNames", &self.resource_names),
            ("nonResourceURLs", &self.non_resource_urls),
        ] {
            if key == "verbs" || !list.is_empty() {
                map.insert(key.to_owned(), Value::from(list.clone()));
            }
        }
        Value::Object(map)
    }

    /// Whether the rule allows `request`.
    pub fn allows(&self, request: &RequestInfo) -> bool {
        self.failures(request).first.is_none()
    }

    /// What stands in the way of `request`, in the order in which it is tested.
    fn failures(&self, request: &RequestInfo) -> Failures {
        let mut failures = Failures::default();
        failures.note(Failed::Verb, has(&self.verbs, &request.verb));
        if request.is_resource_request {
            failures.distance += if self.resources.is_empty() { OTHER_KIND } else { 0 };
            failures.note(Failed::ApiGroup, has(&self.api_groups, &request.api_group));
            if !self.covers_resource(&request.resource, &request.subresource) {
                let related = self.resources.iter().any(|it| base(it) == request.resource);
                failures.note(if related { Failed::Subresource } else { Failed::Resource }, false);
            }
            let names = &self.resource_names;
            failures.note(Failed::ResourceName, names.is_empty() || names.contains(&request.name));
        } else {
            failures.distance += if self.non_resource_urls.is_empty() { OTHER_KIND } else { 0 };
            failures.note(Failed::Resource, self.non_resource_urls.iter().any(|url| url_covers(url, &request.path)));
        }
        failures
    }

    fn covers_resource(&self, resource: &str, subresource: &str) -> bool {
        self.resources.iter().any(|it| {
            it == "*"
                || match it.strip_prefix(resource) {
                    Some("") => subresource.is_empty(),
                    Some(rest) => !subresource.is_empty() && rest.strip_prefix('/') == Some(subresource),
                    None => false,
                }
        })
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PolicyRule{")?;
        let mut separator = "";
        for (name, list) in [
            ("Resources", &self.resources),
            ("NonResourceURLs", &self.non_resource_urls),
            ("ResourceNames", &self.resource_names),
            ("APIGroups", &self.api_groups),
            ("Verbs", &self.verbs),
        ] {
            if !list.is_empty() {
                let quoted: Vec<String> = list.iter().map(|it| quote(it)).collect();
                write!(f, "{separator}{name}:[{}]", quoted.join(" "))?;
                separator = ", ";
            }
        }
        f.write_str("}")
    }
}

/// The parts of a rule that do not match a request: the first one tested, and how far they put the rule away from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Failures {
    first: Option<Failed>,
    distance: u8,
}

impl Failures {
    fn note(&mut self, part: Failed, matches: bool) {
        if !matches {
            self.first = self.first.or(Some(part));
            self.distance += distance(part);
        }
    }
}

/// How much further away a rule for paths is from a resource than other rules, and a rule for resources from a path.
const OTHER_KIND: u8 = 4;

/// Another name of the same resource is near, another verb on it less so; another resource is something else.
fn distance(part: Failed) -> u8 {
    match part {
        Failed::ResourceName | Failed::Subresource => 1,
        Failed::Verb | Failed::ApiGroup | Failed::Namespace => 2,
        Failed::Resource | Failed::Path | Failed::Identity => 3,
        Failed::MissingRole => 100,
    }
}

/// What `needed` grants that `owner` does not hold: one rule for each combination of group, resource, verb and name, and of
/// URL and verb. Empty where `owner` covers all. Stops at 10,000.
pub fn covers(owner: &[Rule], needed: &[Rule]) -> Vec<Rule> {
    const ENOUGH: usize = 10_000;
    let uncovered = needed.iter().flat_map(atoms).filter(|atom| !owner.iter().any(|rule| atom.covered_by(rule)));
    uncovered.take(ENOUGH).map(|atom| atom.to_rule()).collect()
}

/// A rule with at most one entry in each list.
#[derive(Clone, Copy)]
struct Atom<'a> {
    verb: &'a str,
    /// Group, resource, name.
    resource: Option<(&'a str, &'a str, Option<&'a str>)>,
    url: &'a str,
}

fn atoms(rule: &Rule) -> impl Iterator<Item = Atom<'_>> {
    let names = move || {
        let unnamed = rule.resource_names.is_empty().then_some(None);
        unnamed.into_iter().chain(rule.resource_names.iter().map(|name| Some(name.as_str())))
    };
    let resources = rule.api_groups.iter().flat_map(move |group| {
        rule.resources.iter().flat_map(move |resource| {
            rule.verbs.iter().flat_map(move |verb| {
                names().map(move |name| Atom { verb, resource: Some((group, resource, name)), url: "" })
            })
        })
    });
    let urls = rule
        .non_resource_urls
        .iter()
        .flat_map(move |url| rule.verbs.iter().map(move |verb| Atom { verb, resource: None, url }));
    resources.chain(urls)
}

impl Atom<'_> {
    fn covered_by(&self, owner: &Rule) -> bool {
        let named = |name: Option<&str>| {
            owner.resource_names.is_empty() || name.is_some_and(|name| owner.resource_names.iter().any(|it| it == name))
        };
        has(&owner.verbs, self.verb)
            && match self.resource {
                Some((group, resource, name)) => {
                    has(&owner.api_groups, group) && has(&owner.resources, resource) && named(name)
                }
                None => owner.non_resource_urls.iter().any(|url| url_covers(url, self.url)) && named(None),
            }
    }

    fn to_rule(self) -> Rule {
        let one = |text: &str| vec![text.to_owned()];
        match self.resource {
            Some((group, resource, name)) => Rule {
                verbs: one(self.verb),
                api_groups: one(group),
                resources: one(resource),
                resource_names: name.map(one).unwrap_or_default(),
                ..Rule::default()
            },
            None => Rule { verbs: one(self.verb), non_resource_urls: one(self.url), ..Rule::default() },
        }
    }
}

/// A subject of a binding.
#[derive(Debug)]
struct Subject {
    kind: String,
    name: String,
    namespace: String,
}

impl Subject {
    /// Whom the subject names; `None` for nobody. `namespace` is the binding's.
    fn names(&self, namespace: &str) -> Option<Named> {
        match self.kind.as_str() {
            "User" => Some(Named::User(self.name.as_str().into())),
            "Group" => Some(Named::Group(self.name.as_str().into())),
            "ServiceAccount" => {
                let namespace = if self.namespace.is_empty() { namespace } else { &self.namespace };
                let user = || format!("system:serviceaccount:{namespace}:{}", self.name);
                (!namespace.is_empty()).then(|| Named::User(user().into()))
            }
            _ => None,
        }
    }

    fn applies_to(&self, user: &User, namespace: &str) -> bool {
        match self.names(namespace) {
            Some(Named::User(name)) => *name == user.name,
            Some(Named::Group(name)) => user.groups.iter().any(|group| *name == **group),
            Some(Named::Role(_)) | None => false,
        }
    }
}

/// What a binding is found by. A service account is the user of its name.
enum Named {
    User(Rc<str>),
    Group(Rc<str>),
    /// See [`role_key`]; whether it exists or not.
    Role(Rc<str>),
}

#[derive(Clone, Debug)]
struct Role {
    object: Rc<Object>,
    rules: Rc<[Rule]>,
    /// Set once its rules were found to be without faults: copies of it need not be looked at again.
    sound: Rc<Cell<bool>>,
}

/// A ClusterRoleBinding (without namespace) or a RoleBinding.
#[derive(Debug)]
struct Binding {
    object: Rc<Object>,
    /// As the map of bindings is keyed, which the object's own text need not be.
    namespace: Rc<str>,
    subjects: Vec<Subject>,
    role_group: String,
    role_kind: String,
    role_name: String,
}

/// By namespace (`""` at cluster scope), then by name.
type Scoped<T> = SortedMap<Rc<str>, SortedMap<Rc<str>, T>>;

/// Bindings by a part of them.
type Found = SortedMap<Rc<str>, Scoped<Rc<Binding>>>;

/// All roles and bindings, and who is named by which: the cost of a decision depends on the bindings that name the user
/// and not on those of others.
#[derive(Clone, Debug, Default)]
pub struct RuleResolver {
    cluster_roles: SortedMap<Rc<str>, Role>,
    roles: SortedMap<Rc<str>, SortedMap<Rc<str>, Role>>,
    bindings: Scoped<Rc<Binding>>,
    users: Found,
    groups: Found,
    /// By the role that they refer to.
    referring: Found,
    /// Those of which a part says nothing, whatever else there is: of these alone problems are told without a look at the others.
    odd: Scoped<Rc<Binding>>,
}

impl RuleResolver {
    /// Whether `object` is a role or a binding.
    pub fn concerns(object: &Object) -> bool {
        kind(object).is_some()
    }

    /// Adds or replaces a role or binding; ignores other objects.
    pub fn upsert(&mut self, object: &Rc<Object>) {
        let Some(kind) = kind(object) else { return };
        let (namespace, name) = key(kind, object);
        match kind {
            "ClusterRole" => {
                self.cluster_roles.insert(name.into(), Role::new(object));
            }
            "Role" => {
                self.roles.get_or_default(namespace.into()).insert(name.into(), Role::new(object));
            }
            _ => {
                self.remove_binding(namespace, name);
                self.insert_binding(Rc::new(Binding::new(object, namespace.into())), name.into());
            }
        }
    }

    /// Deletes a role or binding.
    pub fn delete(&mut self, object: &Object) {
        let Some(kind) = kind(object) else { return };
        let (namespace, name) = key(kind, object);
        match kind {
            "ClusterRole" => {
                self.cluster_roles.remove(name);
            }
            "Role" => {
                if let Some(roles) = self.roles.get_mut(namespace) {
                    roles.remove(name);
                }
            }
            _ => self.remove_binding(namespace, name),
        }
    }

    fn insert_binding(&mut self, binding: Rc<Binding>, name: Rc<str>) {
        for named in binding.names() {
            let (map, key) = self.named(named);
            insert(map.get_or_default(key), &binding, name.clone());
        }
        if binding.is_odd() {
            insert(&mut self.odd, &binding, name.clone());
        }
        insert(&mut self.bindings, &binding, name);
    }

    fn named(&mut self, named: Named) -> (&mut Found, Rc<str>) {
        match named {
            Named::User(user) => (&mut self.users, user),
            Named::Group(group) => (&mut self.groups, group),
            Named::Role(role) => (&mut self.referring, role),
        }
    }

    fn remove_binding(&mut self, namespace: &str, name: &str) {
        let Some(binding) = self.bindings.get(namespace).and_then(|names| names.get(name)).cloned() else { return };
        remove(&mut self.bindings, namespace, name);
        remove(&mut self.odd, namespace, name);
        for named in binding.names() {
            let (map, key) = self.named(named);
            if let Some(bindings) = map.get_mut(&key) {
                remove(bindings, namespace, name);
                if bindings.is_empty() {
                    map.remove(&key);
                }
            }
        }
    }

    /// Whether RBAC allows the request, with the reason where it does not: the roles that could not be found.
    pub fn authorize(&self, attributes: &Attributes<'_>) -> (Verdict, String) {
        let mut unresolved = Vec::new();
        for (name, binding) in self.applying(attributes.user, &attributes.request.namespace) {
            match self.role(binding) {
                Some(role) if role.rules.iter().any(|rule| rule.allows(attributes.request)) => {
                    return (Verdict::Allow, String::new());
                }
                Some(_) => {}
                None => unresolved.push((binding, name)),
            }
        }
        // The order of the server is random; ours is by name, cluster bindings first.
        crate::sort::by(&mut unresolved, |(one, a), (other, b)| (&one.namespace, a).cmp(&(&other.namespace, b)));
        unresolved.dedup_by_key(|(binding, _)| Rc::as_ptr(binding));
        let errors: Vec<String> = unresolved.iter().map(|(binding, _)| binding.unresolved(false)).collect();
        (Verdict::NoOpinion, aggregate(&errors))
    }

    /// All rules that apply to `user` in `namespace` (`""` for cluster scope), from cluster bindings by name and then role
    /// bindings by name; and what could not be resolved, worded as the registry does.
    pub fn rules_for(&self, user: &User, namespace: &str) -> (Vec<Rule>, Vec<String>) {
        let mut rules = Vec::new();
        let mut errors = Vec::new();
        let bindings: SortedMap<_, _> =
            self.applying(user, namespace).map(|(name, binding)| ((&binding.namespace, name), binding)).collect();
        for binding in bindings.values() {
            match self.role(binding) {
                Some(role) => rules.extend(role.rules.iter().cloned()),
                None => errors.push(binding.unresolved(true)),
            }
        }
        (rules, errors)
    }

    /// Those rules of `user` in `namespace` that hold a part of `needed`, each with its place.
    pub fn holding(&self, user: &User, namespace: &str, needed: &[Rule]) -> Vec<Because> {
        let atoms: Vec<_> = needed.iter().flat_map(atoms).collect();
        let roles = self.applying(user, namespace).filter_map(|(_, binding)| Some((binding, self.role(binding)?)));
        let rules = roles.flat_map(|(binding, role)| {
            let rules = role.rules.iter().enumerate();
            rules.map(move |(at, rule)| (binding, role, at, rule))
        });
        let holding = rules.filter(|(.., rule)| atoms.iter().any(|atom| atom.covered_by(rule)));
        let because = holding.map(|(binding, role, at, rule)| Because {
            message: format!("Rule {} of {} grants {}.", at + 1, binding.role_title(), rule.describe()),
            location: role.location(at),
            edge: None,
        });
        because.collect()
    }

    /// The rules of the role that a binding in `namespace` (`""` for a ClusterRoleBinding) would refer to with `role_ref`.
    ///
    /// # Errors
    /// The registry's text where there is no such role: `clusterroles.rbac.authorization.k8s.io "x" not found`.
    pub fn rules_of(&self, role_ref: &Value, namespace: &str) -> Result<&[Rule], String> {
        let binding = Binding::with_role(role_ref, namespace.into());
        self.role(&binding).map(|role| &*role.rules).ok_or_else(|| binding.unresolved(true))
    }

    /// The bindings at cluster scope and in `namespace` that name `user`; one that names it twice comes twice.
    fn applying<'a>(
        &'a self,
        user: &'a User,
        namespace: &'a str,
    ) -> impl Iterator<Item = (&'a Rc<str>, &'a Rc<Binding>)> + use<'a> {
        let scopes = ["", namespace].into_iter().take(if namespace.is_empty() { 1 } else { 2 });
        self.naming(user).flat_map(move |bindings| scopes.clone().filter_map(|scope| bindings.get(scope)).flatten())
    }

    /// For the user and for each of its groups, the bindings that name it.
    fn naming<'a>(&'a self, user: &'a User) -> impl Iterator<Item = &'a Scoped<Rc<Binding>>> + use<'a> {
        let groups = user.groups.iter().filter_map(|group| self.groups.get(group.as_str()));
        self.users.get(user.name.as_str()).into_iter().chain(groups)
    }

    fn role(&self, binding: &Binding) -> Option<&Role> {
        match binding.role_scope()? {
            "" => self.cluster_roles.get(binding.role_name.as_str()),
            namespace => self.roles.get(namespace)?.get(binding.role_name.as_str()),
        }
    }
}

impl Role {
    fn new(object: &Rc<Object>) -> Self {
        let rules = object.value.get("rules").and_then(Value::as_array);
        let rules = rules.into_iter().flatten().map(Rule::new).collect();
        Self { object: object.clone(), rules, sound: Rc::default() }
    }
}

impl Binding {
    fn new(object: &Rc<Object>, namespace: Rc<str>) -> Self {
        let subjects = object.value.get("subjects").and_then(Value::as_array);
        let subject = |value| Subject {
            kind: text(value, "kind").to_owned(),
            name: text(value, "name").to_owned(),
            namespace: text(value, "namespace").to_owned(),
        };
        let role_ref = object.value.get("roleRef").unwrap_or(&Value::Null);
        Self {
            object: object.clone(),
            subjects: subjects.into_iter().flatten().map(subject).collect(),
            ..Self::with_role(role_ref, namespace)
        }
    }

    fn with_role(role_ref: &Value, namespace: Rc<str>) -> Self {
        // An empty group is defaulted on the way in, for the role as for the subjects.
        let group = Some(text(role_ref, "apiGroup")).filter(|group| !group.is_empty()).unwrap_or(GROUP);
        Self {
            object: Rc::new(Object::new(Value::Null, None)),
            namespace,
            subjects: Vec::new(),
            role_group: group.to_owned(),
            role_kind: text(role_ref, "kind").to_owned(),
            role_name: text(role_ref, "name").to_owned(),
        }
    }

    /// The namespace of the role, `""` for a ClusterRole; `None` where there can be no such role.
    fn role_scope(&self) -> Option<&str> {
        match self.role_kind.as_str() {
            _ if self.role_group != GROUP => None,
            "ClusterRole" => Some(""),
            "Role" if !self.namespace.is_empty() => Some(&self.namespace),
            _ => None,
        }
    }

    /// All that it is found by.
    fn names(&self) -> Vec<Named> {
        let subjects = self.subjects.iter().filter_map(|subject| subject.names(&self.namespace));
        let mut names: Vec<Named> = subjects.collect();
        names.extend(self.role_scope().map(|namespace| Named::Role(role_key(namespace, &self.role_name))));
        names
    }

    /// Whether it binds no role that there could be, or a subject of it is nobody.
    fn is_odd(&self) -> bool {
        self.role_scope().is_none() || self.subjects.iter().any(|subject| subject.names(&self.namespace).is_none())
    }

    /// Why the role cannot be found. The authorizer says `clusterrole`, the registry `clusterroles`.
    fn unresolved(&self, plural: bool) -> String {
        let s = if plural { "s" } else { "" };
        match self.role_kind.as_str() {
            kind @ ("Role" | "ClusterRole") if self.role_group == GROUP => {
                format!("{}{s}.{GROUP} {} not found", kind.to_ascii_lowercase(), quote(&self.role_name))
            }
            kind => format!("unsupported role reference kind: {{{} {}}}", quote(&self.role_group), quote(kind)),
        }
    }
}

/// A role in the map of those who refer to it. `namespace` is `""` for a ClusterRole.
fn role_key(namespace: &str, name: &str) -> Rc<str> {
    [namespace, name].join("\0").into()
}

fn insert(bindings: &mut Scoped<Rc<Binding>>, binding: &Rc<Binding>, name: Rc<str>) {
    bindings.get_or_default(binding.namespace.clone()).insert(name, binding.clone());
}

fn remove(bindings: &mut Scoped<Rc<Binding>>, namespace: &str, name: &str) {
    if let Some(names) = bindings.get_mut(namespace) {
        names.remove(name);
        if names.is_empty() {
            bindings.remove(namespace);
        }
    }
}

/// The kind of an RBAC object. Every version is taken: what is stored has been converted. What has no place (a Role
/// without namespace) is no RBAC object.
fn kind(object: &Object) -> Option<&'static str> {
    let kind = object.kind();
    let known = ["ClusterRole", "Role", "ClusterRoleBinding", "RoleBinding"].into_iter().find(|known| *known == kind);
    known.filter(|kind| {
        object.api_version().split_once('/').is_some_and(|(group, _)| group == GROUP)
            && (kind.starts_with("Cluster") || !object.namespace().is_empty())
    })
}

fn key<'a>(kind: &str, object: &'a Object) -> (&'a str, &'a str) {
    (if kind.starts_with("Cluster") { "" } else { object.namespace() }, object.name())
}

/// Whether `list` has `*` or `wanted`.
fn has(list: &[String], wanted: &str) -> bool {
    list.iter().any(|it| it == "*" || it == wanted)
}

/// `/api/*` covers what begins with `/api/`; every trailing `*` counts.
fn url_covers(pattern: &str, path: &str) -> bool {
    pattern == path || (pattern.ends_with('*') && path.starts_with(pattern.trim_end_matches('*')))
}

/// `pods` of `pods/log`.
fn base(resource: &str) -> &str {
    resource.split_once('/').map_or(resource, |(base, _)| base)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or("")
}

fn strings(value: &Value, key: &str) -> Vec<String> {
    let list = value.get(key).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
