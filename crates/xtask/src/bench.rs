//! `cargo xtask bench`: the figures of `crates/bench`, of a native build and of wasm, and the page's: wasm and page in Chromium.

use std::path::Path;

use crate::process::{self, command};
use crate::{Result, say, server, settings, site, tools};

/// Where the page stands: below a path, as it must work from any.
const PREFIX: &str = "/some/where/";

/// Measures and prints; nothing is judged, as no two machines agree.
pub fn run(root: &Path) -> Result {
    say("bench: native");
    process::run(&mut command(root, "cargo", &["run", "--quiet", "--profile", "native", "-p", "portcullis-bench"]))?;
    say("bench: wasm in Chromium");
    let settings = settings::read(root)?;
    let tools = tools::for_building(root)?;
    tools::for_browser_tests(root)?;
    let (browser, driver) = (format!("--{}", settings.test.browser), format!("--{}driver", settings.test.browser));
    let mut arguments = vec!["test", "--headless", &browser, &driver, &settings.test.driver, "--release"];
    arguments.extend(["--mode", "no-install", "crates/bench", "--", "--nocapture"]);
    // It measures for minutes, and says all at its end.
    process::run(tools.wasm_pack(&arguments)?.env("WASM_BINDGEN_TEST_TIMEOUT", "1800"))?;
    site::build(root)?;
    say("bench: the page in Chromium");
    let url = server::start(&root.join("dist"), PREFIX)?;
    process::run(command(root, "node", &["tests/bench/page.mjs"]).env("PAGE_URL", url))
}
