//! The page: the wasm package by wasm-pack, then the static site by Vite.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::{env, fs, thread};

use crate::process::{command, output, run};
use crate::settings::Settings;
use crate::tools::Tools;
use crate::{Result, first, say, settings, tools};

/// Where cargo leaves what the linker wrote, by profile.
fn linked(profile: &str) -> String {
    format!("target/wasm/wasm32-unknown-unknown/{profile}/portcullis_wasm.wasm")
}

/// Says what of the wasm ran.
const RAN: &str = "crates/xtask/src/first/ran.mjs";

/// The page's own form of the package.
const PAGE: &str = "target/wasm-page";

/// What wasm-bindgen calls its module; in the page's form, the first part.
pub const WASM: &str = "portcullis_wasm_bg.wasm";

/// All of the engine, in the page's form.
pub const WHOLE: &str = "portcullis_whole_bg.wasm";

/// Builds `dist/`, which works from any path of any static server.
pub fn build(root: &Path) -> Result {
    let settings = settings::read(root)?;
    let tools = tools::for_building(root)?;
    // Each of the two spends its time in one thread.
    thread::scope(|scope| {
        let whole = scope.spawn(|| whole(&settings, &tools));
        package(root, &settings, &tools)?;
        whole.join().map_err(|_| "building the page's wasm panicked".to_owned())?
    })?;
    optimise(root, &settings, &tools)?;
    say("the page");
    run(&mut command(root, "node_modules/.bin/tsc", &["--noEmit"]))?;
    run(&mut command(root, "node_modules/.bin/vite", &["build"]))?;
    println!("   dist/ is ready");
    Ok(())
}

fn package(root: &Path, settings: &Settings, tools: &Tools) -> Result {
    say("the wasm package");
    let package = &settings.package;
    let out = root.join(&package.out);
    let out = out.to_string_lossy();
    // "force" leaves out the search for the target below rustc's own sysroot, where ours is not; `tools` has seen to it.
    let mut arguments = vec!["build", &package.path, "--target", &package.target, "--mode", "force"];
    // wasm-opt has its turn when the linker's notes, which it does not know, have been read and left out.
    arguments.extend(["--no-opt", "--out-dir", &out]);
    run(&mut tools.wasm_pack(&arguments)?)
}

/// All of the engine for the page, which is built for speed.
fn whole(settings: &Settings, tools: &Tools) -> Result {
    let manifest = format!("{}/Cargo.toml", settings.package.path);
    let mut arguments = vec!["build", "--quiet", "--lib", "--manifest-path", &manifest];
    arguments.extend(["--profile", &settings.page.profile]);
    run(&mut tools.cargo(&arguments)?)
}

/// Optimises the package's wasm, and makes the page's own form of it: a first part, under the name that wasm-bindgen's script
/// looks for, and a whole that is built for speed.
fn optimise(root: &Path, settings: &Settings, tools: &Tools) -> Result {
    let out = root.join(PAGE);
    let path = |name: &str| out.join(name).to_string_lossy().into_owned();
    let small = out.join("small.wasm");
    let (linked, whole) = (linked("release"), linked(&settings.page.profile));
    let mut made_of: Vec<PathBuf> = [&linked, &whole, "wasm-pack.toml", RAN].map(PathBuf::from).into();
    made_of.push(env::current_exe().unwrap_or_default());
    made_of.extend(settings.first.documents.iter().map(PathBuf::from));
    // Written when all else is.
    let done = out.join("done");
    if !made_of.iter().all(|source| is_newer(&done, &root.join(source))) {
        say("the wasm, optimised (about two minutes)");
        for (name, linked) in [("portcullis_wasm", &linked), ("portcullis_whole", &whole)] {
            let arguments = ["--target", "web", "--no-demangle", "--out-name", name, "--out-dir", &path(""), linked];
            run(&mut tools.wasm_bindgen(&arguments))?;
        }
        let bound = read(&out.join(WASM))?;
        let first = first::first(&bound, &read(&root.join(&linked))?, &ran(root, settings, &bound)?)?;
        let Settings { build, page, .. } = settings;
        let modules = [
            (WASM, first, &build.wasm_opt),
            ("small.wasm", first::without_notes(&bound)?, &build.wasm_opt),
            (WHOLE, read(&out.join(WHOLE))?, &page.wasm_opt),
        ];
        for (name, wasm, wasm_opt) in modules {
            write(&out.join(name), &wasm)?;
            let file = path(name);
            let mut arguments = vec![file.as_str(), "-o", &file];
            arguments.extend(wasm_opt.iter().map(String::as_str));
            run(&mut command(root, "node_modules/.bin/wasm-opt", &arguments))?;
            write(&out.join(name), &first::alike_together(&read(&out.join(name))?)?)?;
        }
        write(&done, b"done")?;
    }
    write(&root.join(&settings.package.out).join(WASM), &read(&small)?)
}

/// The stretches of code in `bound` that run for a page's first verdicts.
fn ran(root: &Path, settings: &Settings, bound: &[u8]) -> Result<HashSet<u32>> {
    let probed = first::probe(bound)?;
    let out = root.join(PAGE);
    let (script, wasm) = (out.join("portcullis_wasm.js"), out.join("probed.wasm"));
    write(&wasm, &probed.wasm)?;
    let mut arguments = vec![RAN.to_owned()];
    arguments.extend([&script, &wasm].map(|path| path.to_string_lossy().into_owned()));
    arguments.extend([probed.address.to_string(), probed.stretches.to_string()]);
    arguments.extend(settings.first.documents.iter().cloned());
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ran = output(&mut command(root, "node", &arguments)).ok_or("the probed wasm did not run")?;
    fs::remove_file(&wasm).map_err(|error| format!("{}: {error}", wasm.display()))?;
    let ran: HashSet<u32> = serde_json::from_str(&ran).map_err(|error| format!("ran.mjs: {error}"))?;
    println!("   {} of {} stretches of code are in the first part", ran.len(), probed.stretches);
    Ok(ran)
}

fn is_newer(made: &Path, source: &Path) -> bool {
    let modified = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    modified(made).is_some_and(|made| modified(source).is_none_or(|source| source < made))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn write(path: &Path, bytes: &[u8]) -> Result {
    fs::write(path, bytes).map_err(|error| format!("{}: {error}", path.display()))
}
