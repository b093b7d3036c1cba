//! `cargo xtask bench`: the figures of `crates/bench`, of a native build and of wasm in Node.

use std::path::Path;

use crate::process::{self, command};
use crate::{Result, say, tools};

/// Measures and prints; nothing is judged, as no two machines agree.
pub fn run(root: &Path) -> Result {
    say("bench: native");
    process::run(&mut command(root, "cargo", &["run", "--quiet", "--profile", "native", "-p", "portcullis-bench"]))?;
    say("bench: wasm in Node");
    let tools = tools::for_building(root)?;
    let arguments = ["test", "--node", "--release", "--mode", "no-install", "crates/bench", "--", "--nocapture"];
    process::run(&mut tools.wasm_pack(&arguments)?)
}
