//! The program against what a real Kubernetes answered: every recorded review, and every way not to start.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

#[path = "../../../tests/vectors.rs"]
mod vectors;

use std::fs;
use std::path::Path;
use std::process::Command;

use portcullis_core::apiserver::{File, Files, Server};
use portcullis_core::release::Release;
use portcullis_core::storage::Store;
use portcullis_core::world::World;
use serde_json::Value;
use vectors::vectors;

/// Whether two reasons hold the same resolution errors: 1.7 lists them in random order.
fn is_permutation(one: &str, other: &str) -> bool {
    let parts = |text: &str| {
        let mut parts: Vec<String> =
            text.split(['[', ']', '\n']).flat_map(|part| part.split(", ")).map(str::to_owned).collect();
        parts.sort();
        parts
    };
    one == other || one.len() == other.len() && one.contains('[') && parts(one) == parts(other)
}

#[test]
fn recorded_reviews() {
    let mut count = 0;
    let mut failures = Vec::new();
    for entry in fs::read_dir(vectors("review")).unwrap() {
        let folder = entry.unwrap().path();
        let flags = fs::read_to_string(folder.join("flags.txt")).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_portcullis"))
            .args(["review", "--release", "1.7", "--cluster", "cluster.yaml", "--flags", flags.trim(), "reviews.jsonl"])
            .current_dir(&folder)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}: {}", folder.display(), String::from_utf8_lossy(&output.stderr));
        let recorded = fs::read_to_string(folder.join("reviews.jsonl")).unwrap();
        let answered = String::from_utf8(output.stdout).unwrap();
        assert_eq!(recorded.lines().count(), answered.lines().count(), "{}", folder.display());
        for (line, answer) in recorded.lines().zip(answered.lines()) {
            count += 1;
            let (line, answer): (Value, Value) =
                (serde_json::from_str(line).unwrap(), serde_json::from_str(answer).unwrap());
            let mut expected = line["status"].clone();
            if let Some(variants) = line.get("reasonAnyOf") {
                let reason = answer["status"]["reason"].as_str().unwrap_or_default();
                let mut variants = variants.as_array().unwrap().iter().filter_map(Value::as_str);
                if variants.any(|variant| is_permutation(variant, reason)) {
                    expected["reason"] = reason.into();
                }
            }
            if answer["status"] != expected {
                failures.push(format!(
                    "{}: {}\n  - {expected}\n  + {}",
                    folder.display(),
                    line["spec"],
                    answer["status"]
                ));
            }
        }
    }
    assert!(count > 0);
    let shown = failures.iter().take(20).cloned().collect::<Vec<_>>().join("\n");
    assert!(failures.is_empty(), "{} of {count} differ:\n{shown}", failures.len());
}

#[test]
fn recorded_starts() {
    let mut failures = Vec::new();
    let mut count = 0;
    for line in fs::read_to_string(vectors("config/errors.jsonl")).unwrap().lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        count += 1;
        let flags: Vec<String> =
            case["flags"].as_array().unwrap().iter().map(|flag| flag.as_str().unwrap().to_owned()).collect();
        let files: Files = case["files"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, text)| {
                let text = text.as_str().unwrap().into();
                (name.clone(), File { source: name.as_str().into(), first_line: 1, text })
            })
            .collect();
        let release = Release::find("1.7").unwrap();
        let mut world = World::new(Default::default(), "");
        let (error, exit) = match Server::start(release, &flags, &files, Store::default(), &mut world) {
            Ok(_) => (Value::Null, Value::Null),
            Err(stopped) => (stopped.message.trim_end().into(), stopped.exit.into()),
        };
        if (&error, &exit) != (&case["error"], &case["exit"]) {
            let expected = format!("{} {}", case["error"], case["exit"]);
            failures.push(format!("{flags:?} {}\n  - {expected}\n  + {error} {exit}", case["files"]));
        }
    }
    assert!(count > 0);
    assert!(failures.is_empty(), "{} of {count} differ:\n{}", failures.len(), failures.join("\n"));
}

/// Reviews as people write them, and mistakes in them.
#[test]
fn reviews_of_every_form() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("review");
    fs::create_dir_all(&folder).unwrap();
    let review = |user: &str| {
        format!(
            "apiVersion: authorization.k8s.io/v1\nkind: SubjectAccessReview\nspec:\n  user: {user}\n  groups: [system:masters]\n  \
             nonResourceAttributes: {{path: /, verb: get}}\n"
        )
    };
    let json = "{\"spec\": {\"user\": \"a\",\n \"nonResourceAttributes\": {\"path\": \"/x\", \"verb\": \"get\"}\n}}\n";
    for (text, lines, error) in [
        (format!("{}---\n{}", review("a"), review("b")), 2, ""),
        (format!("# none\n---\n{}", review("a")), 1, ""),
        (json.repeat(3), 3, ""),
        (format!("{json}{{\"spec\": ]}}\n{json}"), 2, "reviews:4: "),
        (
            format!("{json}{{\"kind\": \"Pod\", \"spec\": {{}}}}\n"),
            1,
            "reviews:4: a SubjectAccessReview was expected, not a Pod",
        ),
        (format!("{json}{{\"kind\": "), 1, "reviews:4: the last review is not complete"),
        ("kind: SubjectAccessReview\n".to_owned(), 0, "reviews:1: the review has no spec"),
        (String::new(), 0, ""),
    ] {
        fs::write(folder.join("reviews"), &text).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_portcullis"))
            .args(["review", "--flags", "--authorization-mode=RBAC", "reviews"])
            .current_dir(&folder)
            .output()
            .unwrap();
        let (out, problems) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert_eq!(out.lines().count(), lines, "{text}\n{problems}");
        assert!(out.lines().all(|line| serde_json::from_str::<Value>(line).unwrap()["status"].is_object()), "{out}");
        assert!(problems.starts_with(error) && problems.is_empty() == error.is_empty(), "{text}\n{problems}");
        assert_eq!(output.status.code(), Some(i32::from(!error.is_empty())));
    }
}
