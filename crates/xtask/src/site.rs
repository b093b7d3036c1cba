//! The page: the wasm package by wasm-pack, then the static site by Vite.

use std::path::Path;

use crate::process::{command, run};
use crate::{Result, say, settings, tools};

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
        arguments.extend(["--out-dir", &out]);
        let features = settings.build.features.join(",");
        if !features.is_empty() {
            arguments.extend(["--", "--features", &features]);
        }
        run(&mut tools.wasm_pack(&arguments)?)?;
    }
    say("the page");
    run(&mut command(root, "node_modules/.bin/tsc", &["--noEmit"]))?;
    run(&mut command(root, "node_modules/.bin/vite", &["build"]))?;
    println!("   dist/ is ready");
    Ok(())
}
