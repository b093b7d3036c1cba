//! The one door for contributors: `cargo xtask serve`, `build`, `test`, `bench` and `fuzz`.
//!
//! Each command installs what it needs and is not there yet, says what it does, and skips what is done. What cannot be
//! installed is named with the very package and command.

mod bench;
mod checks;
mod first;
mod fuzz;
mod process;
mod server;
mod settings;
mod site;

mod tools;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What went wrong, as a sentence for the person at the terminal.
type Result<T = ()> = std::result::Result<T, String>;

const USAGE: &str = "\
cargo xtask COMMAND

  serve          build the page and serve it on loopback
  build          build the page: a static site in dist/
  test [CHECK..] run all checks, or those named: format, clippy, rust, wasm, site, size, page; the last two build the site
  bench          measure decisions, the node graph, encryption and audit natively and as wasm, and the page in Chromium
  fuzz [SECONDS] look for bytes at which the readers of stored values fail; ten minutes unless told otherwise
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let root = root();
    let done = match words.as_slice() {
        ["serve"] => site::build(&root).and_then(|()| server::serve(&root.join("dist"))),
        ["build"] => site::build(&root),
        ["bench"] => bench::run(&root),
        ["fuzz"] => fuzz::run(&root, "600"),
        ["fuzz", seconds] if seconds.parse::<u32>().is_ok() => fuzz::run(&root, seconds),
        ["test", names @ ..] => checks::run(&root, names),
        [] | ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("\nxtask: {message}");
            ExitCode::FAILURE
        }
    }
}

/// The workspace: cargo runs xtask with its manifest's directory in the environment, wherever it is called from.
fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.ancestors().nth(2).unwrap_or(manifest).to_path_buf()
}

/// A line about what happens next.
fn say(what: &str) {
    println!("\n== {what}");
}
