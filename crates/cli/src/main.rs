//! The `portcullis` program: what the page does, at the terminal and in a build.

mod access;
mod check;
mod cluster;
mod graph;
mod review;
mod show;

use std::io::{Read, Write};
use std::process::ExitCode;

use portcullis_console::Engine;
use portcullis_console::Output;
use portcullis_console::arguments::{Argument, Arguments};
use portcullis_console::report::Report;
use portcullis_core::release::Release;

const USAGE: &str = "\
Portcullis says what a Kubernetes API server would answer.

usage: portcullis check [--release R] FILE.md...
           replays documents and compares what they print with what they say
       portcullis run [--release R] [-o json|text] FILE.md
           prints all that a document gives
       portcullis review [--release R] --cluster FILE.yaml... [--flags \"...\"] FILE|-
           answers SubjectAccessReviews, YAML documents or JSON, one JSON object a line
       portcullis who-can [--release R] (--cluster FILE.yaml)... [-n NAMESPACE] [-o table|json] VERB RESOURCE [NAME]
           lists whom RBAC lets do it, each with the binding and the rule
       portcullis access [--release R] --cluster FILE.yaml... [-n NAMESPACE] [--subject NAME] [-o table|json]
           lists what everybody may do
       portcullis inspect [--release R] [--config FILE] [--key ETCDKEY] [-o yaml|parts] FILE
           opens one value of etcd: bytes, base64, a hex dump, or what `etcdctl get -w json` prints
       portcullis audit --policy FILE [REQUESTS]
           says of each request, a line each (`USER,GROUP... METHOD URI` or JSON), what the audit policy records
       portcullis graph [--release R] [-o dot|mermaid] FILE.md
           draws which node reaches which object
       portcullis help | version
";

/// What ends a command before it could do its work: a message, and exit status 2.
struct Usage(String);

/// Runs a document, with the system's generator at hand.
fn report(name: &str, text: &str, release: Option<&str>) -> Report {
    let mut engine = Engine::default();
    let mut bytes = [0; 16];
    // Without a generator, what is random is the same each time.
    if getrandom::fill(&mut bytes).is_ok() {
        engine.set_entropy(&bytes);
    }
    engine.report(name, text, release)
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let (command, rest) = match words.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("", words.as_slice()),
    };
    let outcome = match command {
        "audit" => audit(rest),
        "check" => check::run(rest),
        "graph" => graph::run(rest),
        "run" => show::run(rest),
        "review" => review::run(rest),
        "who-can" => access::who_can(rest),
        "access" => access::access(rest),
        "inspect" => inspect(rest),
        "help" | "--help" | "-h" => {
            print!("{USAGE}");
            Ok(true)
        }
        "version" | "--version" | "-V" => {
            println!("portcullis {}", env!("CARGO_PKG_VERSION"));
            Ok(true)
        }
        "" => Err(Usage("a command is missing".to_owned())),
        other => Err(Usage(format!("`{other}` is no command"))),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(Usage(message)) => {
            eprintln!("portcullis: {message}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// `portcullis inspect`, over the files of this machine.
fn inspect(words: &[String]) -> Result<bool, Usage> {
    let mut stdin = Vec::new();
    if words.last().is_some_and(|word| word == "-") {
        stdin = bytes("-").map_err(Usage)?;
    }
    print(portcullis_console::inspect::command(words, &stdin, Release::newest(), &bytes))
}

/// `portcullis audit`, over the files of this machine.
fn audit(words: &[String]) -> Result<bool, Usage> {
    print(portcullis_console::audit::command(words, &bytes))
}

/// What a file holds, or standard input for `-`.
fn bytes(name: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = if name == "-" { std::io::stdin().read_to_end(&mut bytes).map(|_| bytes) } else { std::fs::read(name) };
    read.map_err(|error| format!("{name}: {error}"))
}

/// Prints what a command gave that documents can call too, and ends as it ended.
fn print(output: Result<Output, String>) -> Result<bool, Usage> {
    let output = output.map_err(Usage)?;
    // A reader that went away needs no report.
    drop(std::io::stdout().write_all(&output.stdout));
    drop(std::io::stderr().write_all(&output.stderr));
    Ok(output.status == 0)
}

/// Options with their values, in the order given.
type Given<'a> = Vec<(&'static str, &'a str)>;

/// The files and the options of a command; each of `options` takes a value and may be given again.
fn parse<'a>(words: &'a [String], options: &[&'static str]) -> Result<(Vec<&'a str>, Given<'a>), Usage> {
    let (mut files, mut given) = (Vec::new(), Vec::new());
    let mut parts = Arguments::new(words);
    while let Some(part) = parts.next() {
        let name = match part {
            Argument::Operand(file) => {
                files.push(file);
                continue;
            }
            Argument::Short('o') => "output",
            Argument::Short('n') => "namespace",
            Argument::Long(name) => name,
            Argument::Short(_) | Argument::Excess(_) => "",
        };
        let option = options.iter().find(|option| **option == name);
        let option = *option.ok_or_else(|| Usage(format!("`{part}` is no option of this command")))?;
        let value = parts.value().ok_or_else(|| Usage(format!("`{part}` needs a value")))?;
        given.push((option, value));
    }
    Ok((files, given))
}

/// The release that was asked for.
fn release<'a>(given: &[(&'static str, &'a str)]) -> Result<Option<&'a str>, Usage> {
    match given.iter().rev().find(|(name, _)| *name == "release") {
        Some((_, version)) if Release::find(version).is_none() => {
            let known: Vec<&str> = Release::all().iter().map(Release::version).collect();
            Err(Usage(format!("release {version} is not known; known are: {}", known.join(", "))))
        }
        asked => Ok(asked.map(|(_, version)| *version)),
    }
}

/// The text of a file. Bytes that are none are told on standard error.
fn read(file: &str) -> Result<String, Usage> {
    let bytes = std::fs::read(file).map_err(|error| Usage(format!("{file}: {error}")))?;
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(Usage(format!("{file} is UTF-16: save it as UTF-8")));
    }
    Ok(String::from_utf8(bytes).unwrap_or_else(|error| {
        let (before, _) = error.as_bytes().split_at(error.utf8_error().valid_up_to());
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        eprintln!("{file}:{line}: warning: This is no UTF-8: what cannot be read as such is replaced by U+FFFD.");
        String::from_utf8_lossy(error.as_bytes()).into_owned()
    }))
}
