//! `portcullis check`: is what the documents say true?

use portcullis_console::compare;
use portcullis_console::report::{Diagnostic, Step};

use crate::Usage;

/// Columns of each of the two sides.
const WIDTH: usize = 60;

/// Whether every step of every document printed what the document says, and nothing else is wrong with the documents.
pub fn run(words: &[String]) -> Result<bool, Usage> {
    let (files, given) = crate::parse(words, &["release"])?;
    if files.is_empty() {
        return Err(Usage("check needs a document".to_owned()));
    }
    let texts = files.iter().map(|file| Ok((*file, crate::read(file)?))).collect::<Result<Vec<_>, Usage>>()?;
    let release = crate::release(&given)?;
    let (mut passed, mut failed) = (0, 0);
    for (file, text) in &texts {
        let report = crate::report(file, text, release);
        for diagnostic in &report.diagnostics {
            eprintln!("{}", line(diagnostic));
            // A step that says what it prints speaks for itself.
            let stands_in = |step: &&Step| (step.line..=step.end_line).contains(&diagnostic.line);
            let is_checked = report.steps.iter().find(stands_in).is_some_and(|step| step.matched.is_some());
            failed += usize::from(diagnostic.severity == "error" && !is_checked);
        }
        for step in &report.steps {
            match step.matched {
                Some(true) => passed += 1,
                Some(false) => {
                    failed += 1;
                    print!("{}", difference(file, step));
                }
                None => {}
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    Ok(failed == 0)
}

/// `rbac.md:12:3: error: what is wrong`.
pub fn line(diagnostic: &Diagnostic) -> String {
    let mut place = diagnostic.file.clone();
    for number in [diagnostic.line, diagnostic.column] {
        if number > 0 {
            place.push_str(&format!(":{number}"));
        }
    }
    format!("{place}: {}: {}", diagnostic.severity, diagnostic.message)
}

/// Expected and actual output side by side; what differs is marked.
fn difference(file: &str, step: &Step) -> String {
    let mut text = format!("{file}:{}: $ {}\n", step.line, step.command);
    text.push_str(&format!("    {:<WIDTH$} | actual\n", "expected"));
    for row in compare::align(step.expected.as_deref().unwrap_or_default(), &step.output) {
        let mark = match (row.same, row.expected, row.actual) {
            (true, ..) => ' ',
            (false, Some(_), None) => '-',
            (false, None, Some(_)) => '+',
            (false, ..) => '!',
        };
        let (left, right) = (cells(row.expected), cells(row.actual));
        for at in 0..left.len().max(right.len()) {
            let part = |side: &[String]| side.get(at).cloned().unwrap_or_default();
            let (left, right) = (part(&left), part(&right));
            let line = format!("  {mark} {left}{} | {right}", " ".repeat(WIDTH.saturating_sub(left.chars().count())));
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
    text.push('\n');
    text
}

/// A line in pieces that fit, with its tabs shown.
fn cells(line: Option<&str>) -> Vec<String> {
    let line: Vec<char> = line.unwrap_or_default().replace('\t', "→").chars().collect();
    if line.is_empty() { vec![String::new()] } else { line.chunks(WIDTH).map(|piece| piece.iter().collect()).collect() }
}
