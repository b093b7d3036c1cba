//! The page: the wasm package by wasm-pack, then the static site by Vite.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::{env, fs};

use crate::process::{command, output, run};
use crate::settings::Settings;
use crate::tools::Tools;
use crate::{Result, say, settings, split, tools};

/// What the linker wrote, below the directory of wasm-pack's builds.
const LINKED: &str = "target/wasm/wasm32-unknown-unknown/release/portcullis_wasm.wasm";

/// The page's own form of the package.
const PAGE: &str = "target/wasm-page";

/// There: what wasm-bindgen wrote, before it was split.
const BOUND: &str = "bound.wasm";

/// What wasm-bindgen calls its module.
pub const WASM: &str = "portcullis_wasm_bg.wasm";

/// Builds `dist/`, which works from any path of any static server.
pub fn build(root: &Path) -> Result {
    let settings = settings::read(root)?;
    let tools = tools::for_building(root)?;
    for target in &settings.package.targets {
        say(&format!("wasm package for {target}"));
        let out = root.join(&settings.package.out).join(target);
        let out = out.to_string_lossy();
        // "force" leaves out the search for the target below rustc's own sysroot, where ours is not; `tools` has seen to it.
        let mut arguments = vec!["build", &settings.package.path, "--target", target, "--mode", "force"];
        // wasm-opt has its turn when the linker's notes, which it does not know, have been read and left out.
        arguments.extend(["--no-opt", "--out-dir", &out]);
        let features = settings.build.features.join(",");
        if !features.is_empty() {
            arguments.extend(["--", "--features", &features]);
        }
        run(&mut tools.wasm_pack(&arguments)?)?;
    }
    parts(root, &settings, &tools)?;
    say("the page");
    run(&mut command(root, "node_modules/.bin/tsc", &["--noEmit"]))?;
    run(&mut command(root, "node_modules/.bin/vite", &["build"]))?;
    println!("   dist/ is ready");
    Ok(())
}

/// Optimises the package's wasm, and makes the page's own form of it: a first part, under the name that the whole has, and
/// the rest.
fn parts(root: &Path, settings: &Settings, tools: &Tools) -> Result {
    let out = root.join(PAGE);
    let path = |name: &str| out.join(name).to_string_lossy().into_owned();
    let whole = out.join("whole.wasm");
    let mut made_of = vec![PathBuf::from(LINKED), "wasm-pack.toml".into(), env::current_exe().unwrap_or_default()];
    made_of.extend(settings.first.documents.iter().map(PathBuf::from));
    // Written when all else is.
    let done = out.join("done");
    if !made_of.iter().all(|source| is_newer(&done, &root.join(source))) {
        say("the wasm, optimised, and in two parts (about two minutes)");
        run(&mut tools.wasm_bindgen(&["--target", "web", "--no-demangle", "--out-dir", &path(""), LINKED]))?;
        let bound = read(&out.join(WASM))?;
        write(&out.join(BOUND), &bound)?;
        let probed = split::probe(&bound)?;
        let probed_at = out.join("probed.wasm");
        write(&probed_at, &probed.wasm)?;
        let mut arguments = vec!["crates/xtask/src/split/ran.mjs".to_owned()];
        arguments.extend([path("portcullis_wasm.js"), path("probed.wasm")]);
        arguments.extend([probed.address.to_string(), probed.stretches.to_string()]);
        arguments.extend(settings.first.documents.iter().cloned());
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let ran = output(&mut command(root, "node", &arguments)).ok_or("the probed wasm did not run")?;
        let ran: HashSet<u32> = serde_json::from_str(&ran).map_err(|error| format!("ran.mjs: {error}"))?;
        println!("   {} of {} stretches of code are in the first part", ran.len(), probed.stretches);
        let (first, rest) = split::split(&bound, &read(&root.join(LINKED))?, &ran)?;
        for (name, wasm) in [(WASM, first), ("portcullis_wasm_rest.wasm", rest), ("whole.wasm", split::whole(&bound)?)]
        {
            write(&out.join(name), &wasm)?;
            let file = path(name);
            let mut arguments = vec![file.as_str(), "-o", &file];
            arguments.extend(settings.build.wasm_opt.iter().map(String::as_str));
            run(&mut command(root, "node_modules/.bin/wasm-opt", &arguments))?;
            write(&out.join(name), &split::alike_together(&read(&out.join(name))?)?)?;
        }
        fs::remove_file(&probed_at).map_err(|error| format!("{}: {error}", probed_at.display()))?;
        write(&done, b"done")?;
    }
    for target in &settings.package.targets {
        write(&root.join(&settings.package.out).join(target).join(WASM), &read(&whole)?)?;
    }
    Ok(())
}

/// Two parts that are cut anywhere: `percent` of all stretches of code count as what ran. Gives where they are.
pub fn parts_by_chance(root: &Path, percent: u64) -> Result<PathBuf> {
    let bound = read(&root.join(PAGE).join(BOUND))?;
    let mut chance = 0x2545_f491_4f6c_dd1d_u64 ^ percent;
    let ran = (0..split::probe(&bound)?.stretches).filter(|_| {
        // Marsaglia's xorshift: the same at every run.
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        chance % 100 < percent
    });
    let (first, rest) = split::split(&bound, &read(&root.join(LINKED))?, &ran.collect())?;
    let out = root.join("target/wasm-by-chance");
    fs::create_dir_all(&out).map_err(|error| format!("{}: {error}", out.display()))?;
    write(&out.join("first.wasm"), &first)?;
    write(&out.join("rest.wasm"), &rest)?;
    Ok(out)
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
