//! `cargo xtask test`: every check, cheapest first.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;
use std::{fs, io};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::process;
use crate::process::command;
use crate::{Result, say, server, settings, site, tools};

type Check = fn(&Path) -> Result;

const CHECKS: &[(&str, Check)] = &[
    ("format", format),
    ("clippy", clippy),
    ("rust", rust),
    ("wasm", wasm),
    ("site", site::build),
    ("size", size),
    ("page", page),
];

/// Runs the checks named, or all.
pub fn run(root: &Path, names: &[&str]) -> Result {
    if let Some(unknown) = names.iter().find(|name| !CHECKS.iter().any(|(check, _)| check == *name)) {
        return Err(format!("there is no check {unknown}"));
    }
    for (name, check) in chosen(names) {
        say(&format!("test {name}"));
        let start = Instant::now();
        check(root).map_err(|error| format!("test {name}: {error}"))?;
        println!("   {name}: {:.0} s", start.elapsed().as_secs_f32());
    }
    Ok(())
}

/// The checks named, or all, in their order. What looks at `dist/` has it built first: whatever is there may be of yesterday.
fn chosen<'a>(names: &'a [&str]) -> impl Iterator<Item = &'static (&'static str, Check)> + use<'a> {
    let builds = names.iter().any(|name| ["size", "page"].contains(name));
    CHECKS.iter().filter(move |(name, _)| names.is_empty() || names.contains(name) || builds && *name == "site")
}

fn format(root: &Path) -> Result {
    run_cargo(root, &["fmt", "--all", "--check"])
}

fn clippy(root: &Path) -> Result {
    run_cargo(root, &["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"])
}

fn rust(root: &Path) -> Result {
    run_cargo(root, &["test", "--workspace", "--quiet"])
}

/// The wasm door's own tests, in a real browser.
fn wasm(root: &Path) -> Result {
    let settings = settings::read(root)?;
    let tools = tools::for_building(root)?;
    tools::for_browser_tests(root)?;
    process::run(&mut tools.browser_test(&settings, &settings.package.path, &[], &[])?)
}

/// What a visitor downloads, file by file, and the budgets of the wasm: of the page's two forms and the package's.
fn size(root: &Path) -> Result {
    let settings = settings::read(root)?;
    let mut files = Vec::new();
    collect(&root.join("dist"), &mut files).map_err(|error| format!("dist/: {error}"))?;
    files.sort();
    for path in &files {
        let (bytes, gzip) = weigh(path)?;
        println!("   {bytes:>9} bytes, {gzip:>8} after gzip  {}", path.display());
    }
    // Vite puts a hash behind the name.
    let wasm = |name: &str| {
        let stem = name.trim_end_matches(".wasm");
        let is_it = |path: &&PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(stem));
        files.iter().find(is_it).ok_or_else(|| format!("dist/ holds no {name}"))
    };
    within("the wasm of a first verdict", weigh(wasm(site::WASM)?)?.1, settings.budget.first_gzip)?;
    within("the wasm behind it", weigh(wasm(site::WHOLE)?)?.1, settings.budget.page_gzip)?;
    let package = root.join(&settings.package.out).join(site::WASM);
    within("the wasm of the package", weigh(&package)?.1, settings.budget.wasm_gzip)
}

fn within(what: &str, bytes: u64, budget: u64) -> Result {
    println!("   {what}: {bytes} of {budget} bytes after gzip");
    if bytes > budget {
        return Err(format!("{what} has {bytes} bytes after gzip, {budget} are allowed (wasm-pack.toml)"));
    }
    Ok(())
}

/// How long a file of the page's tests may take: many times what it does. One that hangs says nothing by itself.
const LONGEST: &str = "--test-timeout=900000";

/// The built page, driven in a real browser.
fn page(root: &Path) -> Result {
    tools::for_browser_tests(root)?;
    let url = server::start(&root.join("dist"))?;
    let mut tests = command(root, "node", &["--test", LONGEST, "tests/page/"]);
    process::run(tests.env("PAGE_URL", url))
}

fn run_cargo(root: &Path, arguments: &[&str]) -> Result {
    process::run(&mut command(root, "cargo", arguments))
}

/// A file's bytes, as they are and after gzip.
fn weigh(path: &Path) -> Result<(u64, u64)> {
    let weighed = fs::read(path).and_then(|bytes| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&bytes)?;
        Ok((bytes.len() as u64, encoder.finish()?.len() as u64))
    });
    weighed.map_err(|error| format!("{}: {error}", path.display()))
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_at_the_page_has_it_built_once() {
        for (names, expected) in [
            (&["page"][..], &["site", "page"][..]),
            (&["page", "size", "site"], &["site", "size", "page"]),
            (&["rust", "format"], &["format", "rust"]),
            (&[], &["format", "clippy", "rust", "wasm", "site", "size", "page"]),
        ] {
            assert_eq!(chosen(names).map(|(name, _)| *name).collect::<Vec<_>>(), expected, "{names:?}");
        }
    }
}
