//! `cargo xtask bench`: the figures of `crates/bench`, of a native build and of wasm, and the page's: wasm and page in Chromium.

use std::path::Path;

use crate::process::{self, command};
use crate::{Result, say, server, settings, site, tools};

/// Measures and prints; nothing is judged, as no two machines agree.
pub fn run(root: &Path) -> Result {
    say("bench: native");
    process::run(&mut command(root, "cargo", &["run", "--quiet", "--profile", "native", "-p", "portcullis-bench"]))?;
    say("bench: wasm in Chromium");
    let settings = settings::read(root)?;
    let tools = tools::for_building(root)?;
    tools::for_browser_tests(root)?;
    let mut bench = tools.browser_test(&settings, "crates/bench", &["--release"], &["--", "--nocapture"])?;
    // It measures for minutes, and says all at its end.
    process::run(bench.env("WASM_BINDGEN_TEST_TIMEOUT", "1800"))?;
    site::build(root)?;
    say("bench: the page in Chromium");
    let url = server::start(&root.join("dist"))?;
    process::run(command(root, "node", &["tests/bench/page.mjs"]).env("PAGE_URL", url))
}
