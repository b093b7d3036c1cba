//! Documents whose output a real Kubernetes printed, and those that people read: every step must print what they say.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

#[path = "../../../tests/vectors.rs"]
mod vectors;

use std::fs;
use std::path::{Path, PathBuf};

use portcullis_console::compare;
use vectors::vectors;

/// What lies beside the checkout: the documents that the project must pass.
fn shared(path: &str) -> Option<PathBuf> {
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(path);
    if !found.exists() {
        eprintln!("skipped: {} is not there", found.display());
    }
    found.exists().then_some(found)
}

/// Runs every document of `folder`, and panics with all differences.
fn check(folder: &Path) {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "md"));
    files.sort();
    assert!(!files.is_empty(), "no documents in {}", folder.display());
    let mut failures = String::new();
    for file in files {
        failures.push_str(&differences(&file));
    }
    assert!(failures.is_empty(), "{failures}");
}

fn differences(file: &Path) -> String {
    let name = file.file_name().unwrap().to_str().unwrap();
    let report = portcullis_console::run(name, &fs::read_to_string(file).unwrap(), None);
    // What the server would refuse is loaded as found, with a warning.
    let errors = report.diagnostics.iter().filter(|found| found.severity == "error");
    let mut failures: String = errors.map(|found| format!("{name}:{}: {}\n", found.line, found.message)).collect();
    assert!(report.steps.iter().any(|step| step.matched.is_some()), "{name} expects nothing");
    for step in report.steps.iter().filter(|step| step.matched == Some(false)) {
        failures.push_str(&format!("{name}:{}: $ {}\n", step.line, step.command));
        let rows = compare::align(step.expected.as_deref().unwrap_or_default(), &step.output);
        for row in rows.iter().filter(|row| !row.same) {
            let row =
                row.expected.map(|line| format!("  - {line}\n")).or(row.actual.map(|line| format!("  + {line}\n")));
            failures.push_str(&row.unwrap_or_default());
        }
    }
    failures
}

#[test]
fn recorded_http_documents() {
    check(&vectors("http"));
}

#[test]
fn acceptance_rbac() {
    if let Some(file) = shared("acceptance/rbac.md") {
        assert_eq!(differences(&file), "");
    }
}

#[test]
fn acceptance_node() {
    if let Some(file) = shared("acceptance/node.md") {
        assert_eq!(differences(&file), "");
    }
}

#[test]
fn acceptance_encryption() {
    if let Some(file) = shared("acceptance/encryption.md") {
        assert_eq!(differences(&file), "");
    }
}

#[test]
fn acceptance_audit() {
    if let Some(file) = shared("acceptance/audit.md") {
        assert_eq!(differences(&file), "");
    }
}

#[test]
fn examples_and_transcripts() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    check(&root.join("examples"));
    check(&root.join("tests/transcripts"));
    check(&root.join("tests/vectors/1.7/http"));
}
