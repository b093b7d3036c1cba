//! May this user do that: the authorizers and their union.
//!
//! Behaviour: <https://kubernetes.io/docs/reference/access-authn-authz/authorization/> and, in Kubernetes 1.7,
//! `apiserver/pkg/authorization/union/union.go`.

use std::rc::Rc;

use crate::authentication::User;
use crate::graph::Graph;
use crate::manifest::{Location, Object};
use crate::release::Release;
use crate::request::RequestInfo;

pub mod abac;
pub mod node;
pub mod rbac;

#[cfg(test)]
mod recorded;
#[cfg(test)]
mod tests;

/// An entry of `--authorization-mode`.
#[allow(clippy::upper_case_acronyms, reason = "the flag spells them so")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Allows everything.
    AlwaysAllow,
    /// Allows nothing.
    AlwaysDeny,
    /// By the lines of a policy file: [`abac`].
    ABAC,
    /// By asking another server.
    Webhook,
    /// By roles and bindings: [`rbac`].
    RBAC,
    /// For kubelets, by the pods of their node: [`node`].
    Node,
}

impl Mode {
    const ALL: [Self; 6] = [Self::AlwaysAllow, Self::AlwaysDeny, Self::ABAC, Self::Webhook, Self::RBAC, Self::Node];

    /// The mode of this very name; upper and lower case count.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }

    /// As the flag spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::AlwaysAllow => "AlwaysAllow",
            Self::AlwaysDeny => "AlwaysDeny",
            Self::ABAC => "ABAC",
            Self::Webhook => "Webhook",
            Self::RBAC => "RBAC",
            Self::Node => "Node",
        }
    }
}

/// The objects that authorizers look at, kept in step with the store as the server's informers are. A clone costs nothing
/// until one of the two is told of a change.
#[derive(Clone, Debug, Default)]
pub struct Informers {
    rbac: Rc<rbac::RuleResolver>,
    graph: Rc<Graph>,
}

impl Informers {
    /// An object was created or changed. `object` is the stored one, of the version that the store keeps.
    pub fn upsert(&mut self, object: &Rc<Object>) {
        if rbac::RuleResolver::concerns(object) {
            Rc::make_mut(&mut self.rbac).upsert(object);
        }
        if Graph::concerns(object) {
            Rc::make_mut(&mut self.graph).upsert(object);
        }
    }

    /// The objects of a server that starts over what another left: `before` is what that one's informers knew, and the
    /// objects that were or are otherwise, as they were and as they are.
    #[allow(clippy::type_complexity)]
    pub fn list<'a>(
        &mut self,
        objects: impl Iterator<Item = &'a Rc<Object>>,
        before: Option<(&Self, &[[Option<Rc<Object>>; 2]])>,
    ) {
        let Some((before, reread)) = before else { return objects.for_each(|object| self.upsert(object)) };
        self.rbac = before.rbac.clone();
        for [old, new] in reread {
            if let Some(old) = old.as_ref().filter(|object| rbac::RuleResolver::concerns(object)) {
                Rc::make_mut(&mut self.rbac).delete(old);
            }
            if let Some(new) = new.as_ref().filter(|object| rbac::RuleResolver::concerns(object)) {
                Rc::make_mut(&mut self.rbac).upsert(new);
            }
        }
        // The graph's paths follow the order in which it was told.
        for object in objects.filter(|object| Graph::concerns(object)) {
            Rc::make_mut(&mut self.graph).upsert(object);
        }
    }

    /// An object was deleted.
    pub fn delete(&mut self, object: &Object) {
        if rbac::RuleResolver::concerns(object) {
            Rc::make_mut(&mut self.rbac).delete(object);
        }
        if Graph::concerns(object) {
            Rc::make_mut(&mut self.graph).delete(object);
        }
    }

    /// One object, if there was one, is another now, if there is one, as if it had been the other at once. `all` gives every
    /// object with the revision that made it, where the graph must be told anew.
    pub fn exchange(
        &mut self,
        old: Option<&Rc<Object>>,
        new: Option<&Rc<Object>>,
        all: &dyn Fn() -> Vec<(u64, Rc<Object>)>,
    ) {
        if let Some(object) = old.filter(|object| rbac::RuleResolver::concerns(object)) {
            Rc::make_mut(&mut self.rbac).delete(object);
        }
        if let Some(object) = new.filter(|object| rbac::RuleResolver::concerns(object)) {
            Rc::make_mut(&mut self.rbac).upsert(object);
        }
        let concerns = |object: Option<&Rc<Object>>| object.is_some_and(|object| Graph::concerns(object));
        if !concerns(old) && !concerns(new) {
            return;
        }
        if !Rc::make_mut(&mut self.graph).exchange(old, new) {
            let mut all = all();
            all.retain(|(_, object)| Graph::concerns(object));
            crate::sort::by(&mut all, |(one, _), (other, _)| one.cmp(other));
            let mut graph = Graph::default();
            all.iter().for_each(|(_, object)| graph.upsert(object));
            self.graph = Rc::new(graph);
        }
    }

    /// The roles and bindings.
    pub fn rbac(&self) -> &rbac::RuleResolver {
        &self.rbac
    }

    /// Which node reaches which object.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }
}

/// The authorizers of `--authorization-mode`, in its order, behind the hidden one that lets `system:masters` do everything.
#[derive(Clone, Debug)]
pub struct Authorizers {
    modes: Vec<Mode>,
    abac: abac::Policies,
    node: node::Rules,
    informers: Informers,
}

impl Authorizers {
    /// The union of `modes`. `abac` is for [`Mode::ABAC`]; without it that mode matches nothing.
    pub fn new(release: &Release, modes: &[Mode], abac: Option<abac::Policies>) -> Self {
        Self {
            modes: modes.to_vec(),
            abac: abac.unwrap_or_default(),
            node: node::Rules::new(release),
            informers: Informers::default(),
        }
    }

    /// The modes, in order.
    pub fn modes(&self) -> &[Mode] {
        &self.modes
    }

    /// What they look at.
    pub fn informers(&self) -> &Informers {
        &self.informers
    }

    /// To be told of every change of the store.
    pub fn informers_mut(&mut self) -> &mut Informers {
        &mut self.informers
    }

    /// The union's answer, without evidence.
    pub fn authorize(&self, attributes: &Attributes<'_>) -> Decision {
        self.decide(attributes, false)
    }

    /// The union's answer, with `because` and `nearest` filled for every authorizer that was asked.
    pub fn explain(&self, attributes: &Attributes<'_>) -> Decision {
        self.decide(attributes, true)
    }

    fn decide(&self, attributes: &Attributes<'_>, explain: bool) -> Decision {
        let mut decision = Decision::default();
        let mut errors = Vec::new();
        let mut step = masters(attributes);
        let mut modes = self.modes.iter();
        loop {
            let verdict = step.verdict;
            if verdict == Verdict::Allow {
                decision.reason = step.reason.clone();
            }
            decision.verdict = verdict;
            decision.steps.push(step);
            let Some(mode) = modes.next().filter(|_| verdict == Verdict::NoOpinion) else { break };
            step = self.ask(*mode, attributes, explain, &mut errors);
        }
        if decision.verdict != Verdict::Allow {
            let reasons: Vec<&str> =
                decision.steps.iter().map(|step| step.reason.as_str()).filter(|reason| !reason.is_empty()).collect();
            decision.reason = reasons.join("\n");
            decision.error = Some(aggregate(&errors)).filter(|error| !error.is_empty());
        }
        decision
    }

    fn ask(&self, mode: Mode, attributes: &Attributes<'_>, explain: bool, errors: &mut Vec<String>) -> Step {
        let mut step = Step { authorizer: mode.name(), ..Step::default() };
        match mode {
            Mode::AlwaysAllow => {
                step.verdict = Verdict::Allow;
                step.because = vec![Because::of_server("The mode AlwaysAllow allows everything.")];
            }
            Mode::AlwaysDeny => step.reason = "Everything is forbidden.".to_owned(),
            Mode::ABAC => {
                (step.verdict, step.reason) = self.abac.authorize(attributes);
                if explain {
                    (step.because, step.nearest) = self.abac.explain(attributes);
                }
            }
            Mode::Webhook => {
                errors.push("the authorization webhook cannot be asked: nothing leaves this page".to_owned())
            }
            Mode::RBAC => {
                let rbac = &self.informers.rbac;
                (step.verdict, step.reason) = rbac.authorize(attributes);
                match step.verdict {
                    _ if !explain => {}
                    Verdict::Allow => step.because = rbac.because(attributes),
                    _ => step.nearest = rbac.nearest(attributes),
                }
            }
            Mode::Node => {
                let graph = &self.informers.graph;
                (step.verdict, step.reason) = self.node.authorize(graph, attributes);
                if explain {
                    (step.because, step.nearest) = self.node.explain(graph, attributes);
                }
            }
        }
        step
    }
}

fn masters(attributes: &Attributes<'_>) -> Step {
    let mut step = Step { authorizer: "system:masters", ..Step::default() };
    if attributes.user.groups.iter().any(|group| group == "system:masters") {
        step.verdict = Verdict::Allow;
        step.because = vec![Because::of_server("The group system:masters may do everything.")];
    }
    step
}

/// Go's `utilerrors.NewAggregate`: one error as it is, several as `[one, two]`, none as `""`.
pub fn aggregate(errors: &[String]) -> String {
    match errors {
        [one] => one.clone(),
        [] => String::new(),
        several => format!("[{}]", several.join(", ")),
    }
}

/// `get, list, watch`, cut where it would be long.
fn listed(items: &[String]) -> String {
    const SHOWN: usize = 6;
    let shown: Vec<&str> = items.iter().take(SHOWN).map(String::as_str).collect();
    match items.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// An API group's name for a sentence.
fn or_core(group: &str) -> &str {
    if group.is_empty() { "core" } else { group }
}

/// What authorizers are asked: `authorizer.Attributes`.
#[derive(Clone, Copy, Debug)]
pub struct Attributes<'a> {
    /// Who asks.
    pub user: &'a User,
    /// What for.
    pub request: &'a RequestInfo,
}

/// An authorizer's answer, in Kubernetes' words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Verdict {
    /// Let through; no further authorizer is asked.
    Allow,
    /// Refused; no further authorizer is asked. No authorizer of 1.7 says so.
    Deny,
    /// Not let through by this one.
    #[default]
    NoOpinion,
}

/// The answer of the union of all authorizers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// `Allow`, or what amounts to a refusal.
    pub verdict: Verdict,
    /// As the server prints it behind a 403 and in a SubjectAccessReview; `""` for none.
    pub reason: String,
    /// An authorizer failed (a webhook that does not answer): a 500 where nobody allowed.
    pub error: Option<String>,
    /// Every authorizer that was asked, in order.
    pub steps: Vec<Step>,
}

impl Decision {
    /// At the insecure port, where no authorizer is asked.
    pub(crate) fn unasked() -> Self {
        let because = vec![Because::of_server("Whoever reaches the insecure port may do everything.")];
        let step = Step { authorizer: "insecure port", verdict: Verdict::Allow, because, ..Step::default() };
        Self { verdict: Verdict::Allow, steps: vec![step], ..Self::default() }
    }
}

/// One authorizer's part of a [`Decision`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// The mode's name as `--authorization-mode` spells it; `system:masters` for the hidden first one.
    pub authorizer: &'static str,
    /// Its answer.
    pub verdict: Verdict,
    /// Its reason; `""` for none.
    pub reason: String,
    /// What let the request through: for RBAC the binding's subject, then the role's rule; for Node the path, vertex by vertex.
    pub because: Vec<Because>,
    /// What came near, nearest first, where it was not let through.
    pub nearest: Vec<NearMiss>,
}

/// One reason for an Allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Because {
    /// One readable sentence without markup.
    pub message: String,
    /// The lines that say so.
    pub location: Location,
    /// A step of a path in the node graph, from what is read to who reads it: `Secret shop/payment`, `Pod shop/till`.
    pub edge: Option<(String, String)>,
}

impl Because {
    /// A reason that no text of the user holds.
    fn of_server(message: &str) -> Self {
        Self {
            message: message.to_owned(),
            location: Location { place: None, object: String::new(), path: String::new() },
            edge: None,
        }
    }
}

/// Something that names the subject (or, for Node, reaches the object) and yet does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NearMiss {
    /// The first thing that failed.
    pub failed: Failed,
    /// One readable sentence without markup.
    pub message: String,
    /// The binding, ABAC line or pod.
    pub location: Location,
    /// The rule that came nearest, where there is one.
    pub rule: Option<Location>,
}

/// What stood in the way, in the order in which a rule is tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failed {
    /// The rule lists other resourceNames.
    ResourceName,
    /// The rule covers the resource without its subresource, or the other way round.
    Subresource,
    /// The rule lists other resources (or non-resource URLs).
    Resource,
    /// The rule lists other API groups.
    ApiGroup,
    /// The rule lists other verbs.
    Verb,
    /// The binding grants in another namespace.
    Namespace,
    /// The binding's role does not exist.
    MissingRole,
    /// Node: no path from the object to the node.
    Path,
    /// Node: the user's name is a node's and the group is missing, or the other way round.
    Identity,
}
