//! `portcullis audit`: what a policy records of requests that nobody sent.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};

use portcullis_console::audit;

use crate::{Usage, parse, read};

/// One JSON object a line, as the requests come. False where the policy is refused or a line is no request.
pub fn run(words: &[String]) -> Result<bool, Usage> {
    let (files, given) = parse(words, &["policy"])?;
    let Some((_, path)) = given.last() else { return Err(Usage("--policy FILE is missing".to_owned())) };
    let policy = match audit::policy(path, &read(path)?) {
        Ok(policy) => policy,
        Err(error) => {
            eprintln!("loading audit policy file: {error}");
            return Ok(false);
        }
    };
    for warning in policy.warnings() {
        eprintln!("{path}:{}: {}", warning.line, warning.message);
    }
    let input: Box<dyn BufRead> = match files.as_slice() {
        [] | ["-"] => Box::new(io::stdin().lock()),
        [file] => Box::new(BufReader::new(File::open(file).map_err(|error| Usage(format!("{file}: {error}")))?)),
        _ => return Err(Usage("one file of requests at most".to_owned())),
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut good = true;
    for (number, line) in input.lines().enumerate() {
        let line = line.map_err(|error| Usage(error.to_string()))?;
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let written = match audit::answer(&policy, &line) {
            Ok(answer) => {
                serde_json::to_string(&answer).map_err(io::Error::from).and_then(|json| writeln!(out, "{json}"))
            }
            Err(error) => {
                good = false;
                eprintln!("line {}: {error}", number + 1);
                Ok(())
            }
        };
        // Who reads no further has what he wants.
        if written.is_err() {
            return Ok(good);
        }
    }
    Ok(out.flush().map_or(true, |()| good))
}
