//! `cargo xtask fuzz`: the target in `fuzz/`, under libFuzzer.

use std::path::Path;

use crate::process::{command, output, run as run_command};
use crate::{Result, say};

/// What counts which branches a run took, as stable Rust can build it.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 --cfg fuzzing";

/// Fuzzes for `seconds`. What was found new stays in `target`, the corpus as it is.
pub fn run(root: &Path, seconds: &str) -> Result {
    say("fuzz: build");
    let version = output(&mut command(root, "rustc", &["-vV"])).unwrap_or_default();
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("`rustc -vV` names no host")?;
    let folder = root.join("target/fuzz");
    std::fs::create_dir_all(folder.join("found")).map_err(|error| format!("{}: {error}", folder.display()))?;
    // With a target of its own, build scripts stay without instruments.
    let arguments = ["build", "--release", "--manifest-path", "fuzz/Cargo.toml", "--target", host, "--target-dir"];
    run_command(command(root, "cargo", &arguments).arg(&folder).env("RUSTFLAGS", COVERAGE))?;
    say(&format!("fuzz: {seconds} s"));
    let program = folder.join(host).join("release/decode");
    let limits = [&format!("-max_total_time={seconds}"), "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1"];
    let mut fuzzer = command(&folder, program, &limits);
    run_command(fuzzer.arg("-artifact_prefix=failed-").arg("found").arg(root.join("fuzz/corpus")))
}
