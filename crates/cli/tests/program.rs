//! The program itself: what it prints and how it ends.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A fresh folder for one test.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn portcullis(folder: &Path, arguments: &[&str]) -> (String, String, i32) {
    let program = Command::new(env!("CARGO_BIN_EXE_portcullis")).args(arguments).current_dir(folder).output();
    let Output { status, stdout, stderr } = program.unwrap();
    (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap(), status.code().unwrap())
}

#[test]
fn check_counts_and_shows_differences() {
    let folder = folder("check");
    std::fs::write(folder.join("good.md"), "```console\n$ echo a\na\n$ echo b\n```\n").unwrap();
    std::fs::write(folder.join("bad.md"), "```console\n$ echo a; echo b\na\nc\n```\n").unwrap();
    let (out, _, status) = portcullis(&folder, &["check", "good.md"]);
    assert_eq!((out.as_str(), status), ("1 passed, 0 failed\n", 0));
    let (out, _, status) = portcullis(&folder, &["check", "good.md", "bad.md"]);
    let lines: Vec<String> = out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        lines,
        ["bad.md:2: $ echo a; echo b", "expected | actual", "a | a", "- c |", "+ | b", "", "1 passed, 1 failed"]
    );
    assert_eq!(status, 1);
}

#[test]
fn bad_usage_is_status_two() {
    let folder = folder("usage");
    for arguments in [
        &[][..],
        &["chek"],
        &["check"],
        &["check", "nosuch.md"],
        &["check", "--nosuch", "a.md"],
        &["run"],
        &["run", "-o"],
    ] {
        let (out, error, status) = portcullis(&folder, arguments);
        assert_eq!((out.as_str(), status), ("", 2), "{arguments:?}");
        assert!(error.starts_with("portcullis: ") && error.contains("usage: "), "{error}");
    }
}

#[test]
fn run_prints_the_published_json() {
    let folder = folder("run");
    std::fs::write(folder.join("a.md"), "---\ntitle: T\n---\n```console\n$ echo a\nb\n```\n").unwrap();
    let (out, _, status) = portcullis(&folder, &["run", "-o", "json", "a.md"]);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(status, 0);
    assert_eq!(report["version"], 1);
    assert_eq!(report["title"], "T");
    let step = &report["steps"][0];
    assert_eq!((step["line"].as_u64(), step["endLine"].as_u64()), (Some(5), Some(5)));
    assert_eq!((step["output"].as_str(), step["expected"].as_str()), (Some("a\n"), Some("b")));
    assert_eq!(step["matched"], false);
    let (out, _, _) = portcullis(&folder, &["run", "a.md"]);
    assert!(out.contains("$ echo a\na\n"), "{out}");
}
