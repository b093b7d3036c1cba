//! Rules of a policy that no request can reach: an exact proof, not a guess.
//!
//! A request is a point: user, groups, verb, and either namespace and resource or a path. Where rules only compare texts,
//! all texts that no rule names behave alike, so a few representatives stand for all. What a rule matches is a box of
//! such points; the boxes of the rules before it are cut out of it, and if nothing is left nothing reaches it.

use std::cell::Cell;

use super::Policy;
use super::policy::{Rule, path_matches};
use crate::authentication::{ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED};
use crate::manifest::{Diagnostic, Standing};
use crate::sort;

/// A rule that nothing reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shadow {
    /// Its index.
    pub rule: usize,
    /// The rules before it that together take all that it would match, none of which can be left out; empty where it
    /// matches no request at all.
    pub by: Vec<usize>,
}

/// More than this is not looked at: the rule then counts as reachable. Pieces of one rule, words of all regions, and words
/// compared in all.
const MAX_PIECES: usize = 4096;
const MAX_WORDS: usize = 4 << 20;
const MAX_WORK: usize = 64 << 20;

/// Verbs that a resource request can have; the empty one is that of OPTIONS and the like.
const RESOURCE_VERBS: [&str; 11] =
    ["", "create", "delete", "deletecollection", "get", "list", "patch", "proxy", "redirect", "update", "watch"];

/// The rules of `policy` that no request reaches, in order.
pub fn shadows(policy: &Policy) -> Vec<Shadow> {
    let universe = Universe::of(policy.rules());
    let words = universe.words();
    if words.saturating_mul(CASES.len() * policy.rules().len()) > MAX_WORDS {
        return Vec::new();
    }
    let work = Cell::new(MAX_WORK);
    let regions: Vec<Vec<Option<Region>>> =
        policy.rules().iter().map(|rule| CASES.iter().map(|case| universe.region(rule, *case)).collect()).collect();
    let left_of = |rule: usize, earlier: &mut dyn Iterator<Item = usize>| -> Option<(bool, Vec<usize>)> {
        let mut left: Vec<Vec<Piece>> =
            regions.get(rule)?.iter().map(|region| Piece::all_of(region.as_ref())).collect();
        let mut took_part = Vec::new();
        for index in earlier {
            let mut cut = false;
            for (pieces, region) in left.iter_mut().zip(regions.get(index)?) {
                let Some(region) = region else { continue };
                let mut rest = Vec::with_capacity(pieces.len());
                work.set(work.get().checked_sub(pieces.len() * words)?);
                for piece in pieces.drain(..) {
                    cut |= piece.minus(region, &mut rest);
                }
                if rest.len() > MAX_PIECES {
                    return None;
                }
                *pieces = rest;
            }
            if cut {
                took_part.push(index);
            }
            if left.iter().all(Vec::is_empty) {
                break;
            }
        }
        Some((left.iter().all(Vec::is_empty), took_part))
    };
    let mut shadows = Vec::new();
    for rule in 0..regions.len() {
        let Some((true, mut by)) = left_of(rule, &mut (0..rule)) else { continue };
        // The fewest that are needed, the earliest of them first: a later one is left out before an earlier one.
        for index in by.clone().into_iter().rev() {
            let others: Vec<_> = by.iter().copied().filter(|other| *other != index).collect();
            if let Some((true, _)) = left_of(rule, &mut others.iter().copied()) {
                by = others;
            }
        }
        shadows.push(Shadow { rule, by });
    }
    shadows
}

impl Policy {
    /// The rules, each with why nothing reaches it, if that is so.
    pub fn standing(&self) -> Vec<Standing> {
        let rules = (0..self.rules().len()).map(|rule| Standing { location: self.location(rule), never: None });
        let mut standing: Vec<Standing> = rules.collect();
        for Shadow { rule, by } in shadows(self) {
            let names: Vec<_> = by.iter().map(|index| format!("rules[{index}]")).collect();
            let why = match names.split_last() {
                None => "no request has what it asks for".to_owned(),
                Some((last, [])) => format!("{last} before it takes all that it would match"),
                Some((last, names)) => format!("{} and {last} together take all that it would match", names.join(", ")),
            };
            if let Some(it) = standing.get_mut(rule) {
                it.never = Some(format!("Nothing reaches {}: {why}. Move it up, or delete it.", it.location.path));
            }
        }
        standing
    }

    /// What its author would want to know before it is live: the members that nothing reads, and the rules that nothing reaches.
    pub fn warnings(&self) -> Vec<Diagnostic> {
        let mut warnings = self.unread();
        warnings.extend(self.standing().iter().filter_map(Standing::warning));
        warnings
    }
}

/// Authenticators give everybody `system:authenticated` but the anonymous user, of whom all is known; and a request
/// is for a resource or not.
#[derive(Clone, Copy)]
struct Case {
    anonymous: bool,
    resource: bool,
}

const CASES: [Case; 4] = [
    Case { anonymous: false, resource: true },
    Case { anonymous: false, resource: false },
    Case { anonymous: true, resource: true },
    Case { anonymous: true, resource: false },
];

/// The texts that stand for all others. A text that no rule names is `FRESH`.
struct Universe<'p> {
    users: Vec<&'p str>,
    groups: Vec<&'p str>,
    resource_verbs: Vec<&'p str>,
    other_verbs: Vec<&'p str>,
    namespaces: Vec<&'p str>,
    resources: Vec<(&'p str, &'p str)>,
    paths: Vec<String>,
}

const FRESH: &str = "\u{1}";

impl<'p> Universe<'p> {
    fn of(rules: &'p [Rule]) -> Self {
        let named = |list: fn(&Rule) -> &[String]| -> Vec<&'p str> {
            let mut texts = vec![FRESH];
            texts.extend(rules.iter().flat_map(list).map(String::as_str));
            distinct(texts)
        };
        // A resource behaves as one that no rule names with its group, if none does. It is one segment of a path:
        // `pods/log` names none.
        let mut resources = vec![(FRESH, FRESH)];
        for entry in rules.iter().flat_map(|rule| &rule.resources) {
            let plurals = entry.resources.iter().map(String::as_str).filter(|plural| !plural.contains('/'));
            resources.extend(plurals.map(|plural| (entry.group.as_str(), plural)));
            resources.push((&entry.group, FRESH));
        }
        // A path behaves as the longest prefix that it goes on from, if no rule names it in full.
        let mut paths = vec![format!("/{FRESH}"), "*".to_owned()];
        for spec in rules.iter().flat_map(|rule| &rule.non_resource_urls) {
            if spec.ends_with('*') {
                let prefix = spec.trim_end_matches('*');
                paths.extend([prefix.to_owned(), format!("{prefix}{FRESH}")]);
            }
            paths.push(spec.clone());
        }
        // Every path begins with a slash, but for that of `POST * HTTP/1.1`.
        paths.retain(|path| path.starts_with('/') || path == "*");
        Self {
            users: named(|rule| &rule.users),
            groups: named(|rule| &rule.user_groups),
            resource_verbs: RESOURCE_VERBS.to_vec(),
            other_verbs: {
                let verbs = named(|rule| &rule.verbs).into_iter();
                verbs.filter(|verb| !verb.is_empty() && !verb.bytes().any(|byte| byte.is_ascii_uppercase())).collect()
            },
            namespaces: named(|rule| &rule.namespaces),
            resources: distinct(resources),
            paths: distinct(paths),
        }
    }

    /// How many words the sets of a region have.
    fn words(&self) -> usize {
        let sizes =
            [self.users.len(), self.groups.len(), self.namespaces.len(), self.resources.len(), self.paths.len()];
        sizes.iter().map(|size| size.div_ceil(64)).sum()
    }

    /// What `rule` matches in `case`; `None` for nothing.
    fn region(&self, rule: &Rule, case: Case) -> Option<Region> {
        let listed = |list: &[String], text: &str| list.is_empty() || list.iter().any(|entry| entry == text);
        let (mut users, mut groups) = (Set::of(&self.users, |user| listed(&rule.users, user)), None);
        if case.anonymous {
            if !listed(&rule.users, ANONYMOUS) || !listed(&rule.user_groups, UNAUTHENTICATED) {
                return None;
            }
            users = Set::of(&self.users, |_| true);
        } else if !listed(&rule.user_groups, AUTHENTICATED) {
            groups = Some(Set::of(&self.groups, |group| listed(&rule.user_groups, group)));
        }
        let for_resources = !rule.resources.is_empty() || !rule.namespaces.is_empty();
        let [verbs, one, other] = if case.resource {
            if !for_resources && !rule.non_resource_urls.is_empty() {
                return None;
            }
            [
                Set::of(&self.resource_verbs, |verb| listed(&rule.verbs, verb)),
                Set::of(&self.namespaces, |namespace| listed(&rule.namespaces, namespace)),
                Set::of(&self.resources, |(group, plural)| {
                    let mut entries = rule.resources.iter();
                    rule.resources.is_empty()
                        || entries.any(|entry| entry.group == *group && listed(&entry.resources, plural))
                }),
            ]
        } else {
            if for_resources {
                return None;
            }
            [
                Set::of(&self.other_verbs, |verb| listed(&rule.verbs, verb)),
                Set::of(&self.paths, |path| {
                    let urls = &rule.non_resource_urls;
                    urls.is_empty() || urls.iter().any(|spec| path_matches(spec, path))
                }),
                Set::of(&[()], |()| true),
            ]
        };
        Some(Region { sets: [users, verbs, one, other], groups })
    }
}

fn distinct<T: Ord>(mut texts: Vec<T>) -> Vec<T> {
    sort::by(&mut texts, T::cmp);
    texts.dedup();
    texts
}

/// The points whose coordinate is in each set, of users that are in one of the groups.
struct Region {
    sets: [Set; 4],
    groups: Option<Set>,
}

/// The points whose coordinate is in each set, of users that are in one group of each of `in_groups` and in none of
/// `not_in`. Never empty.
#[derive(Clone)]
struct Piece {
    sets: [Set; 4],
    in_groups: Vec<Set>,
    not_in: Set,
}

impl Piece {
    fn all_of(region: Option<&Region>) -> Vec<Self> {
        let piece = region.map(|Region { sets, groups }| Self {
            sets: sets.clone(),
            in_groups: groups.iter().cloned().collect(),
            not_in: Set(Vec::new()),
        });
        piece.into_iter().filter(Self::has_points).collect()
    }

    fn has_points(&self) -> bool {
        !self.sets.iter().any(Set::is_empty)
            && self.in_groups.iter().all(|groups| !groups.minus(&self.not_in).is_empty())
    }

    /// Adds what `region` leaves of this piece to `rest`; true if it takes anything.
    fn minus(self, region: &Region, rest: &mut Vec<Self>) -> bool {
        let disjoint = self.sets.iter().zip(&region.sets).any(|(mine, other)| mine.and(other).is_empty())
            || region.groups.as_ref().is_some_and(|groups| groups.minus(&self.not_in).is_empty());
        if disjoint {
            rest.push(self);
            return false;
        }
        let mut inside = self;
        for (at, other) in region.sets.iter().enumerate() {
            let mut outside = inside.clone();
            if let (Some(outer), Some(inner)) = (outside.sets.get_mut(at), inside.sets.get_mut(at)) {
                *outer = inner.minus(other);
                *inner = inner.and(other);
                if !outer.is_empty() {
                    rest.push(outside);
                }
            }
        }
        if let Some(groups) = &region.groups {
            inside.not_in = inside.not_in.or(groups);
            if inside.has_points() {
                rest.push(inside);
            }
        }
        true
    }
}

/// A set of indexes.
#[derive(Clone, Debug)]
struct Set(Vec<u64>);

impl Set {
    fn of<T>(all: &[T], holds: impl Fn(&T) -> bool) -> Self {
        let bits = |chunk: &[T]| chunk.iter().rev().fold(0, |bits, item| bits << 1 | u64::from(holds(item)));
        Self(all.chunks(64).map(bits).collect())
    }

    fn is_empty(&self) -> bool {
        self.0.iter().all(|bits| *bits == 0)
    }

    fn and(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(one, other)| one & other).collect())
    }

    fn or(&self, other: &Self) -> Self {
        let size = self.0.len().max(other.0.len());
        let word = |set: &Self, at: usize| set.0.get(at).copied().unwrap_or(0);
        Self((0..size).map(|at| word(self, at) | word(other, at)).collect())
    }

    fn minus(&self, other: &Self) -> Self {
        Self(self.0.iter().enumerate().map(|(at, bits)| bits & !other.0.get(at).copied().unwrap_or(0)).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use proptest::prelude::*;
    use proptest::sample::{Index, subsequence};

    use super::*;
    use crate::authentication::User;
    use crate::manifest::Value;
    use crate::request::RequestInfo;

    fn policy(rules: &Value) -> Policy {
        Policy::parse("p", &"p".into(), 1, &serde_json::json!({ "rules": rules }).to_string()).unwrap()
    }

    /// Every request of a small world that holds all that the random rules name, and more.
    fn requests() -> Vec<(User, RequestInfo)> {
        let mut users = vec![User { name: ANONYMOUS.into(), groups: vec![UNAUTHENTICATED.into()], ..User::default() }];
        for name in ["a", "b", "z", ANONYMOUS] {
            for chosen in 0..8 {
                let mut groups = vec![AUTHENTICATED.to_owned()];
                let all = ["g", "h", UNAUTHENTICATED].into_iter().enumerate();
                groups.extend(all.filter(|(bit, _)| chosen >> bit & 1 == 1).map(|(_, group)| group.to_owned()));
                users.push(User { name: name.into(), groups, ..User::default() });
            }
        }
        let mut infos = Vec::new();
        // The other verbs of resource requests are named by no rule below, and behave as this `create`.
        for verb in ["create", "get", "list"] {
            for namespace in ["", "n", "other"] {
                for group in ["", "x", "*", "other"] {
                    for resource in ["pods", "secrets", "other"] {
                        infos.push(RequestInfo {
                            is_resource_request: true,
                            verb: verb.into(),
                            namespace: namespace.into(),
                            api_group: group.into(),
                            resource: resource.into(),
                            ..RequestInfo::default()
                        });
                    }
                }
            }
        }
        for verb in ["get", "list", "post", "other"] {
            for path in ["/", "/a", "/a/", "/a/b", "/ab", "/b", "/bc", "/c", "*"] {
                infos.push(RequestInfo { verb: verb.into(), path: path.into(), ..RequestInfo::default() });
            }
        }
        users.iter().flat_map(|user| infos.iter().map(|info| (user.clone(), info.clone()))).collect()
    }

    static REQUESTS: OnceLock<Vec<(User, RequestInfo)>> = OnceLock::new();

    fn rule() -> impl Strategy<Value = Value> {
        let some =
            |all: &'static [&'static str]| prop_oneof![3 => Just(vec![]), 4 => subsequence(all, 1..=all.len().min(3))];
        let entry = (prop_oneof![Just(""), Just("x"), Just("*")], some(&["pods", "secrets", "pods/log"]));
        let resources = prop_oneof![3 => Just(vec![]), 2 => proptest::collection::vec(entry, 1..3)];
        (
            some(&["a", "b", ANONYMOUS]),
            some(&["g", "h", AUTHENTICATED, UNAUTHENTICATED]),
            some(&["get", "list", "post", "GET"]),
            resources,
            some(&["", "n"]),
            some(&["/a", "/a/*", "*", "/b*", "/*", "x", "/a*"]),
        )
            .prop_map(|(users, groups, verbs, resources, namespaces, urls)| {
                let urls = if resources.is_empty() && namespaces.is_empty() { urls } else { vec![] };
                let resources: Vec<_> = resources
                    .into_iter()
                    .map(|(group, resources)| serde_json::json!({"group": group, "resources": resources}))
                    .collect();
                serde_json::json!({"level": "Metadata", "users": users, "userGroups": groups, "verbs": verbs,
                    "resources": resources, "namespaces": namespaces, "nonResourceURLs": urls})
            })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(150))]

        #[test]
        fn a_rule_is_unreachable_exactly_when_no_request_reaches_it(
            mut rules in proptest::collection::vec(rule(), 1..7),
            copy in any::<Index>(),
        ) {
            // A copy of a rule is the commonest shadow, and random rules rarely make one.
            rules.push(rules[copy.index(rules.len())].clone());
            let policy = policy(&rules.into());
            let mut reached = vec![false; policy.rules().len()];
            for (user, info) in REQUESTS.get_or_init(requests) {
                let (_, rule) = policy.level(user, info);
                prop_assert_eq!(rule, policy.rules().iter().position(|rule| rule.matches(user, info)));
                if let Some(rule) = rule {
                    reached[rule] = true;
                }
            }
            let expected: Vec<_> = (0..reached.len()).filter(|rule| !reached[*rule]).collect();
            let found: Vec<_> = shadows(&policy).into_iter().map(|shadow| shadow.rule).collect();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_shadow_names_the_rules_that_cast_it() {
        let none: [usize; 0] = [];
        for (rules, rule, by) in [
            (serde_json::json!([{"level": "None"}, {"level": "Metadata", "users": ["a"]}]), 1, &[0][..]),
            (
                serde_json::json!([
                    {"level": "None", "verbs": ["post"]},
                    {"level": "None", "userGroups": [AUTHENTICATED]},
                    {"level": "Metadata", "userGroups": [UNAUTHENTICATED]},
                    {"level": "Request"}
                ]),
                3,
                &[1, 2][..],
            ),
            (
                serde_json::json!([
                    {"level": "None", "namespaces": ["n"], "verbs": ["get", "list"]},
                    {"level": "None", "namespaces": ["n"]},
                    {"level": "Metadata", "namespaces": ["n"], "verbs": ["get"]}
                ]),
                2,
                &[0][..],
            ),
            (serde_json::json!([{"level": "None", "verbs": ["GET"]}]), 0, &none[..]),
            (
                serde_json::json!([{"level": "None", "resources": [{"group": "", "resources": ["pods/log"]}]}]),
                0,
                &none[..],
            ),
        ] {
            let shadows = shadows(&policy(&rules));
            assert_eq!(shadows, [Shadow { rule, by: by.to_vec() }], "{rules}");
        }
        // `POST * HTTP/1.1` is a request, too.
        let all_but_one = serde_json::json!([
            {"level": "None", "nonResourceURLs": ["/*"]},
            {"level": "Metadata", "verbs": ["post"]}
        ]);
        assert_eq!(shadows(&policy(&all_but_one)), []);
        let warnings = policy(&serde_json::json!([{"level": "None"}, {"level": "Request"}])).warnings();
        assert_eq!(
            warnings[0].message,
            "Nothing reaches rules[1]: rules[0] before it takes all that it would match. Move it up, or delete it."
        );
    }

    #[test]
    fn a_thousand_rules_are_looked_at_in_time() {
        let rules: Vec<_> = (0..1000)
            .map(|number| {
                serde_json::json!({"level": "Request", "users": [format!("u{number}")], "verbs": ["get", "list"],
                    "resources": [{"group": "", "resources": ["pods", format!("r{}", number % 30)]}]})
            })
            .collect();
        assert_eq!(shadows(&policy(&rules.into())), []);
    }

    #[test]
    fn a_policy_that_is_too_large_is_not_looked_at() {
        let rule = |number: usize| serde_json::json!({"level": "None", "users": [format!("u{number}")]});
        let rules: Vec<_> = (0..12_000).map(rule).chain([rule(0)]).collect();
        assert_eq!(shadows(&policy(&rules.into())), []);
    }
}
