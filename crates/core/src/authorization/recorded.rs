//! Every SubjectAccessReview that was recorded from the real server gets the same status.

use std::fs;
use std::path::Path;
use std::rc::Rc;

use super::*;
use crate::manifest::{self, Value, json};
use crate::vectors::vectors;

/// The authorizers of the recording in `directory`, with the default policy and the cluster's objects.
fn load(directory: &Path) -> Authorizers {
    let read = |name: &str| fs::read_to_string(directory.join(name)).unwrap();
    let flags = read("flags.txt");
    let flag = |name: &str| flags.split_whitespace().find_map(|flag| flag.strip_prefix(name));
    let modes: Vec<Mode> =
        flag("--authorization-mode=").unwrap().split(',').map(|mode| Mode::parse(mode).unwrap()).collect();
    let abac = flag("--authorization-policy-file=").map(|file| abac::Policies::parse(file, &read(file)).unwrap());
    let release = Release::find("1.7").unwrap();
    let mut authorizers = Authorizers::new(release, &modes, abac);
    let informers = authorizers.informers_mut();
    if modes.contains(&Mode::RBAC) {
        for value in release.bootstrap_policy(modes.contains(&Mode::Node)).cloned() {
            informers.upsert(&Rc::new(Object::new(value, None)));
        }
    }
    let (documents, diagnostics) = manifest::parse(&"cluster.yaml".into(), 1, &read("cluster.yaml"));
    assert_eq!(diagnostics, []);
    for document in documents {
        for object in manifest::objects(document).0 {
            informers.upsert(&Rc::new(object));
        }
    }
    authorizers
}

fn attributes(spec: &Value) -> (User, RequestInfo) {
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or("").to_owned();
    let groups = spec["groups"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
    let user = User { name: text(spec, "user"), groups: groups.collect(), ..User::default() };
    let resource = &spec["resourceAttributes"];
    let non_resource = &spec["nonResourceAttributes"];
    let is_resource_request = resource.is_object();
    let request = RequestInfo {
        is_resource_request,
        path: text(non_resource, "path"),
        verb: text(if is_resource_request { resource } else { non_resource }, "verb"),
        api_group: text(resource, "group"),
        api_version: text(resource, "version"),
        namespace: text(resource, "namespace"),
        resource: text(resource, "resource"),
        subresource: text(resource, "subresource"),
        name: text(resource, "name"),
    };
    (user, request)
}

#[test]
fn recorded_reviews_get_the_recorded_status() {
    for directory in fs::read_dir(vectors("review")).unwrap().map(|entry| entry.unwrap().path()) {
        let mut reviews = 0;
        let authorizers = load(&directory);
        for line in fs::read_to_string(directory.join("reviews.jsonl")).unwrap().lines() {
            let review = json::parse(line).unwrap();
            let (user, request) = attributes(&review["spec"]);
            let attributes = Attributes { user: &user, request: &request };
            let decision = authorizers.authorize(&attributes);
            let status = &review["status"];
            let allowed = decision.verdict == Verdict::Allow;
            assert_eq!(allowed, status["allowed"] == true, "{} {line}", directory.display());
            let reason = decision.reason.as_str();
            let any_of = review["reasonAnyOf"].as_array().map(|any| any.iter().any(|one| one == reason));
            let equal = status["reason"].as_str().unwrap_or("") == reason;
            assert!(any_of.unwrap_or(false) || equal, "{} {line}: {reason:?}", directory.display());

            // The explanation is of the same decision, and says why.
            let explained = authorizers.explain(&attributes);
            assert_eq!((explained.verdict, &explained.reason), (decision.verdict, &decision.reason), "{line}");
            let because = explained.steps.last().map_or(0, |step| step.because.len());
            assert_eq!(because > 0, allowed, "{line}");
            reviews += 1;
        }
        assert!(reviews > 0, "{}", directory.display());
        println!("{}: {reviews} reviews", directory.display());
    }
}
