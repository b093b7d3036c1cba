//! Who may do what in a document's cluster, as a table: *who can do this*, *what can this one do*.
//!
//! RBAC alone, at the document's end: `system:masters` may do everything besides, nodes what the Node authorizer gives them.

use portcullis_core::authorization::rbac::Grant;
use portcullis_core::release::Release;
use portcullis_core::request::RequestInfo;
use portcullis_core::sort::{SortedMap, SortedSet};
use serde::Serialize;

use crate::Engine;
use crate::commands::kubectl::kind_of;
use crate::report::{self, Location};

/// The columns of every table: the verbs that people ask about. What rules name besides stands behind them.
const VERBS: [&str; 8] = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];

/// In place of a namespace: each grant where it holds.
const ANYWHERE: &str = "*";

/// The table, and what one may choose from.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Access {
    /// Every subject that is named: `jane`, `group ops`, `serviceaccount kube-system/kube-dns`.
    pub subjects: Vec<String>,
    /// Every namespace that a binding or a service account names.
    pub namespaces: Vec<String>,
    /// Every resource served or granted, with its group and subresource: `pods`, `deployments.extensions/scale`.
    pub resources: Vec<String>,
    /// The columns.
    pub verbs: Vec<String>,
    /// Subjects where a resource was chosen, resources where only a subject was; those that may do nothing are left out.
    pub rows: Vec<AccessRow>,
}

/// One subject, or one resource.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AccessRow {
    /// As in [`Access::subjects`] or [`Access::resources`].
    pub name: String,
    /// One for each of [`Access::verbs`].
    pub cells: Vec<Cell>,
}

/// Whether one may, and why.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cell {
    /// `yes`, `namespaces` (in certain ones only), `some` (objects of certain names only) or `no`.
    pub answer: &'static str,
    /// What grants it: at most eight.
    pub granted: Vec<Granted>,
}

/// A binding and the rule that it brings.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Granted {
    /// The names that the rule is limited to.
    pub names: Vec<String>,
    /// The subject's line in the binding.
    pub binding: Location,
    /// The rule.
    pub rule: Location,
}

/// The table for `namespace` (`""`: the whole cluster; `*`: wherever something is granted). With a `resource`, whoever may do something with it, or the one
/// `subject`; without, what the `subject` may do, and nothing where it is `""` too.
pub fn access(
    engine: &mut Engine,
    (name, text): (&str, &str),
    namespace: &str,
    subject: &str,
    resource: &str,
) -> Access {
    let Some(session) = engine.session(name, text) else { return Access::default() };
    let release = session.release();
    let grants: Vec<Grant<'_>> =
        session.cluster().iter().flat_map(|it| it.authorizers.informers().rbac().grants()).collect();
    let subjects: SortedSet<String> = grants.iter().map(who).collect();
    let named = grants.iter().flat_map(|grant| [grant.namespace(), grant.subject_namespace()]);
    let namespaces: SortedSet<&str> = named.filter(|namespace| !namespace.is_empty()).collect();
    let resources = resources(release, &grants);
    let full = in_full(release, resource);
    let mut rows: SortedMap<String, Vec<Cell>> = SortedMap::new();
    let chosen: Vec<&str> = match resource {
        "" if subject.is_empty() => Vec::new(),
        "" => resources.iter().map(String::as_str).collect(),
        // A rule may name a group that nobody serves, or none.
        one if resources.iter().any(|known| known == one) => vec![one],
        _ => vec![&full],
    };
    let mine: Vec<(String, &Grant<'_>)> = grants
        .iter()
        .filter(|grant| ["", namespace].contains(&grant.namespace()) || namespace == ANYWHERE)
        .map(|grant| (who(grant), grant))
        .filter(|(who, _)| subject.is_empty() || who == subject)
        .collect();
    let asked = |grant: &Grant<'_>, verb: &str, what: &str| {
        let place = if namespace == ANYWHERE { grant.namespace() } else { namespace };
        grant.reaches(&exactly(verb, place, what))
    };
    // `use`, `impersonate`, `bind` and whatever else a rule of this table says.
    let special: SortedSet<&str> = mine
        .iter()
        .flat_map(|(_, grant)| grant.granted.verbs.iter().map(move |verb| (grant, verb.as_str())))
        .filter(|(_, verb)| *verb != "*" && !VERBS.contains(verb))
        .filter(|(grant, verb)| chosen.iter().any(|what| asked(grant, verb, what).is_some()))
        .map(|(_, verb)| verb)
        .collect();
    let mut verbs = VERBS.to_vec();
    verbs.extend(special);
    for what in chosen {
        for (column, verb) in verbs.iter().enumerate() {
            for (who, grant) in &mine {
                let Some(all) = asked(grant, verb, what) else { continue };
                let row = if resource.is_empty() { what } else { who };
                let none = || Cell { answer: "no", granted: Vec::new() };
                let cells = rows.get_or_insert_with(row.to_owned(), || verbs.iter().map(|_| none()).collect());
                let Some(cell) = cells.get_mut(column) else { continue };
                let answer = match all {
                    true if namespace == ANYWHERE && !grant.namespace().is_empty() => "namespaces",
                    true => "yes",
                    false => "some",
                };
                const WORSE_FIRST: [&str; 4] = ["no", "some", "namespaces", "yes"];
                let rank = |answer| WORSE_FIRST.iter().position(|known| *known == answer);
                if rank(answer) > rank(cell.answer) {
                    cell.answer = answer;
                }
                if cell.granted.len() < 8 {
                    cell.granted.push(Granted {
                        names: grant.granted.resource_names.clone(),
                        binding: report::location(&grant.binding()),
                        rule: report::location(&grant.rule()),
                    });
                }
            }
        }
    }
    Access {
        subjects: subjects.into_iter().collect(),
        namespaces: namespaces.into_iter().map(str::to_owned).collect(),
        resources,
        verbs: verbs.into_iter().map(str::to_owned).collect(),
        rows: rows.into_iter().map(|(name, cells)| AccessRow { name, cells }).collect(),
    }
}

/// What the release serves, and what rules name beyond that: other resources, and paths.
fn resources(release: &Release, grants: &[Grant<'_>]) -> Vec<String> {
    let served = release.resources().iter().map(|served| title(served.resource, served.group));
    let rules = grants.iter().map(|grant| grant.granted);
    let named = rules.flat_map(|rule| {
        let groups = rule.api_groups.iter().filter(|group| *group != "*");
        groups.flat_map(move |group| rule.resources.iter().filter(|it| *it != "*").map(move |it| title(it, group)))
    });
    let paths = grants.iter().flat_map(|grant| &grant.granted.non_resource_urls).filter(|path| *path != "*").cloned();
    let mut all: SortedSet<String> = served.collect();
    all.extend(named);
    all.extend(paths);
    all.into_iter().collect()
}

/// What is asked of RBAC where somebody does `verb` to `what`, a path or a resource as people name it.
pub fn request(release: &'static Release, verb: &str, namespace: &str, what: &str) -> RequestInfo {
    exactly(verb, namespace, &in_full(release, what))
}

/// `what` as in [`Access::resources`]: its group is the one that kubectl finds where none is said, and may stand last.
fn in_full(release: &'static Release, what: &str) -> String {
    if what.starts_with('/') {
        return what.to_owned();
    }
    let (resource, subresource) = what.split_once('/').unwrap_or((what, ""));
    let named = [resource, subresource].into_iter().find_map(|part| part.split_once('.'));
    let plain = |part: &str| part.split('.').next().unwrap_or_default().to_owned();
    let (resource, subresource) = (plain(resource), plain(subresource));
    let (resource, group) = match (named, kind_of(release, &resource)) {
        (Some((_, group)), _) => (resource, group),
        (None, Ok(kind)) => (kind.resource.to_owned(), kind.group),
        (None, Err(_)) => (resource, ""),
    };
    title(&if subresource.is_empty() { resource } else { format!("{resource}/{subresource}") }, group)
}

fn title(resource: &str, group: &str) -> String {
    match (group, resource.split_once('/')) {
        ("", _) => resource.to_owned(),
        (_, Some((resource, subresource))) => format!("{resource}.{group}/{subresource}"),
        _ => format!("{resource}.{group}"),
    }
}

fn exactly(verb: &str, namespace: &str, what: &str) -> RequestInfo {
    if what.starts_with('/') {
        return RequestInfo { verb: verb.to_owned(), path: what.to_owned(), ..RequestInfo::default() };
    }
    let (what, subresource) = what.split_once('/').unwrap_or((what, ""));
    let (resource, group) = what.split_once('.').unwrap_or((what, ""));
    RequestInfo {
        is_resource_request: true,
        verb: verb.to_owned(),
        api_group: group.to_owned(),
        resource: resource.to_owned(),
        subresource: subresource.to_owned(),
        namespace: namespace.to_owned(),
        ..RequestInfo::default()
    }
}

/// `jane`, `group ops`, `serviceaccount kube-system/kube-dns`.
pub fn who(grant: &Grant<'_>) -> String {
    match grant.kind() {
        "User" => grant.name().to_owned(),
        "Group" => format!("group {}", grant.name()),
        _ => format!("serviceaccount {}/{}", grant.subject_namespace(), grant.name()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = r#"```yaml
kind: Role
apiVersion: rbac.authorization.k8s.io/v1beta1
metadata: {namespace: shop, name: developer}
rules:
- {apiGroups: [""], resources: [pods, pods/log], verbs: [get]}
- {apiGroups: [""], resources: [secrets], resourceNames: [tls], verbs: [get, list]}
---
kind: ClusterRole
apiVersion: rbac.authorization.k8s.io/v1beta1
metadata: {name: probe}
rules:
- {nonResourceURLs: [/healthz], verbs: [get]}
- {apiGroups: [""], resources: [users], verbs: [impersonate]}
```

```sh
kubectl -n shop create rolebinding developers --role=developer --user=jane
kubectl create clusterrolebinding probes --clusterrole=probe --user=probe
```
"#;

    fn access_of(namespace: &str, subject: &str, resource: &str) -> Access {
        access(&mut Engine::default(), ("a.md", DOCUMENT), namespace, subject, resource)
    }

    fn table(namespace: &str, subject: &str, resource: &str) -> Vec<String> {
        let access = access_of(namespace, subject, resource);
        let mark = |cell: &Cell| match cell.answer {
            "yes" => "y",
            "some" => "s",
            "namespaces" => "n",
            _ => "-",
        };
        access
            .rows
            .iter()
            .map(|row| format!("{} {}", row.name, row.cells.iter().map(mark).collect::<String>()))
            .collect()
    }

    #[test]
    fn what_one_may_do_and_who_may() {
        assert_eq!(table("shop", "jane", ""), ["pods y-------", "pods/log y-------", "secrets ss------"]);
        assert_eq!(table("shop", "jane", "pods"), ["jane y-------"]);
        assert_eq!(table("", "jane", ""), Vec::<String>::new());
        assert_eq!(table("", "", ""), Vec::<String>::new());
        assert_eq!(table("*", "jane", ""), ["pods n-------", "pods/log n-------", "secrets ss------"]);
        assert_eq!(table("*", "probe", ""), table("", "probe", ""));
        assert!(table("*", "", "pods").contains(&"jane n-------".to_owned()));
        assert!(table("*", "", "pods").contains(&"group system:masters yyyyyyyy".to_owned()));
        assert_eq!(table("", "probe", ""), ["/healthz y--------", "users --------y"]);
        assert_eq!(access_of("", "probe", "").verbs.last().unwrap(), "impersonate");
        assert_eq!(access_of("shop", "", "pods").verbs.len(), 8, "wildcards name no verb");
        let who = table("shop", "", "secrets");
        assert!(
            who.contains(&"jane ss------".to_owned()) && who.contains(&"group system:masters yyyyyyyy".to_owned()),
            "{who:?}"
        );
        let all = access_of("shop", "jane", "pods");
        assert_eq!(all.namespaces, ["kube-public", "kube-system", "shop"]);
        let granted = &all.rows[0].cells[0].granted[0];
        assert_eq!((granted.rule.line, granted.binding.line), (6, 18));
    }

    #[test]
    fn a_resource_is_named_as_kubectl_names_it() {
        let release = Release::find("1.7").unwrap();
        for (what, expected) in [
            ("pods", "pods"),
            ("po", "pods"),
            ("pods/log", "pods/log"),
            ("deployments", "deployments.extensions"),
            ("deployments/scale", "deployments.extensions/scale"),
            ("deployments.apps", "deployments.apps"),
            ("deployments.apps/scale", "deployments.apps/scale"),
            ("deployments/scale.apps", "deployments.apps/scale"),
            ("users", "users"),
            ("widgets/part.example.com", "widgets.example.com/part"),
        ] {
            let asked = request(release, "get", "shop", what);
            assert_eq!(
                title(format!("{}/{}", asked.resource, asked.subresource).trim_end_matches('/'), &asked.api_group),
                expected,
                "{what}"
            );
        }
        let controller = "serviceaccount kube-system/deployment-controller yyy-y---".to_owned();
        for what in ["deployments", "deploy", "deployments.extensions"] {
            assert!(table("", "", what).contains(&controller), "{what}: {:?}", table("", "", what));
        }
        assert_eq!(
            table("shop", "", "deployments/scale.extensions"),
            table("shop", "", "deployments.extensions/scale")
        );
    }
}
