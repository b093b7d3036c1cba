//! The house as ARCHITECTURE.md tells it: every room is listed, and knows only the rooms listed above it.

#![expect(clippy::unwrap_used, reason = "a test ends where its files are not")]

use std::fs;
use std::path::{Path, PathBuf};

/// The rooms of the core, from the lowest up.
fn rooms() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ARCHITECTURE.md");
    let text = fs::read_to_string(path).unwrap();
    let names = text.lines().filter_map(|line| line.strip_prefix("| `core/")?.split('`').next());
    names.map(str::to_owned).collect()
}

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// What `text` names behind `crate::`, up to its tests, which may look at everything.
fn known(text: &str) -> impl Iterator<Item = &str> {
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let end = |rest: &str| rest.find(|letter: char| !letter.is_ascii_lowercase() && letter != '_');
    text.split("crate::").skip(1).map(move |rest| rest.split_at(end(rest).unwrap_or(rest.len())).0)
}

#[test]
fn every_room_named_is_seen() {
    for (text, rooms) in [
        ("use crate::graph::Graph;\nfn f() { crate::sort::by(); }", &["graph", "sort"][..]),
        ("use crate::{graph, status::Status};", &[""]),
        ("use super::sort;\n#[cfg(test)]\nmod tests {\n    use crate::apiserver;", &[]),
    ] {
        assert_eq!(known(text).collect::<Vec<_>>(), rooms, "{text}");
    }
}

#[test]
fn a_room_knows_the_rooms_above_it_in_the_table() {
    let rooms = rooms();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&source, &mut files);
    let mut wrong = Vec::new();
    for file in files {
        let path = file.strip_prefix(&source).unwrap().to_string_lossy().into_owned();
        let room = path.split(['/', '.']).next().unwrap_or_default();
        // Tests in files of their own.
        let is_test = ["tests.rs", "recorded.rs"].iter().any(|name| path.ends_with(name));
        if room == "lib" || is_test {
            continue;
        }
        let Some(own) = rooms.iter().position(|listed| listed == room) else {
            wrong.push(format!("{path}: ARCHITECTURE.md lists no room core/{room}"));
            continue;
        };
        let text = fs::read_to_string(&file).unwrap();
        let above = |name: &&str| rooms.iter().position(|listed| listed == name).is_some_and(|at| at > own);
        if known(&text).any(str::is_empty) {
            wrong.push(format!("{path}: a `use` of several rooms at once hides which: write one for each"));
        }
        wrong.extend(known(&text).filter(above).map(|name| format!("{path}: core/{room} must not know core/{name}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
