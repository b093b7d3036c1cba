//! `portcullis run`: all that a document gives.

use portcullis_console::report::{Authorizer, Exchange, Location, Report, Rule};

use crate::{Usage, check};

/// Always true: a document that shows a refusal is no failure, and what is wrong with it stands in what is printed.
pub fn run(words: &[String]) -> Result<bool, Usage> {
    let (files, given) = crate::parse(words, &["release", "output"])?;
    let [file] = files.as_slice() else { return Err(Usage("run needs one document".to_owned())) };
    let output = given.iter().rev().find(|(name, _)| *name == "output").map_or("text", |(_, value)| value);
    let text = crate::read(file)?;
    let report = crate::report(file, &text, crate::release(&given)?);
    match output {
        "json" => {
            let json = serde_json::to_string(&report).map_err(|error| Usage(error.to_string()))?;
            println!("{json}");
        }
        "text" => print!("{}", render(&report)),
        other => return Err(Usage(format!("`{other}` is no form of output: json and text are"))),
    }
    Ok(true)
}

fn render(report: &Report) -> String {
    let mut text = String::new();
    for diagnostic in &report.diagnostics {
        text.push_str(&format!("{}\n", check::line(diagnostic)));
    }
    for step in &report.steps {
        text.push_str(&format!("$ {}\n{}", step.command, step.output));
        if !step.output.is_empty() && !step.output.ends_with('\n') {
            text.push('\n');
        }
        for exchange in &step.exchanges {
            text.push_str(&evidence(exchange));
        }
        text.push('\n');
    }
    for Rule { location, requests, never } in &report.rules {
        let Location { file, line, object, path, .. } = location;
        let said = match (never, requests) {
            (Some(never), _) => never.clone(),
            (None, 0) => "never used".to_owned(),
            (None, 1) => "1 request".to_owned(),
            (None, several) => format!("{several} requests"),
        };
        text.push_str(&format!("{file}:{line}: {object} {path}: {said}\n"));
    }
    if report.unlisted_rules > 0 {
        text.push_str(&format!(
            "The {} rules of the roles are too many to be listed one by one.\n",
            report.unlisted_rules
        ));
    }
    text
}

/// The answer in one sentence, and what it rests on.
fn evidence(exchange: &Exchange) -> String {
    let request = &exchange.request;
    let mut text = format!("  {} {}: {}\n", request.method, request.uri, exchange.summary);
    let decision = exchange.review.as_ref().map(|review| &review.authorization).or(exchange.authorization.as_ref());
    for authorizer in decision.iter().flat_map(|decision| &decision.steps) {
        text.push_str(&steps(authorizer));
    }
    text
}

fn steps(authorizer: &Authorizer) -> String {
    let mut text = String::new();
    for because in &authorizer.because {
        text.push_str(&format!("    {}: {}{}\n", authorizer.authorizer, because.message, place(&because.location)));
    }
    for near in &authorizer.nearest {
        text.push_str(&format!("    {}: {}{}\n", authorizer.authorizer, near.message, place(&near.location)));
    }
    text
}

fn place(location: &Location) -> String {
    if location.line == 0 { String::new() } else { format!(" ({}:{})", location.file, location.line) }
}
