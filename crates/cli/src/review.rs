//! `portcullis review`: tens of thousands of SubjectAccessReviews, answered one by one as they are read.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::rc::Rc;

use portcullis_core::manifest::{self, Value, json};

use crate::{Usage, cluster};

/// JSON that is spread over lines may be this long.
const LONGEST: usize = 1 << 16;

/// Whether every review could be answered.
pub fn run(words: &[String]) -> Result<bool, Usage> {
    let (operands, given) = crate::parse(words, &["release", "cluster", "flags"])?;
    let Some((input, more)) = operands.split_last() else {
        return Err(Usage("review needs a file of SubjectAccessReviews, or - for standard input".to_owned()));
    };
    let server = cluster::start(&given, more)?;
    let reader: Box<dyn BufRead> = match *input {
        "-" => Box::new(io::stdin().lock()),
        file => Box::new(BufReader::new(File::open(file).map_err(|error| Usage(format!("{file}: {error}")))?)),
    };
    let mut output = BufWriter::new(io::stdout().lock());
    let mut good = true;
    let name: Rc<str> = (*input).into();
    let ended = each(reader, &name, |line, review| {
        let answer = review.and_then(|mut review| {
            let kind = review.get("kind").and_then(Value::as_str).unwrap_or("SubjectAccessReview");
            if kind != "SubjectAccessReview" {
                return Err(format!("a SubjectAccessReview was expected, not a {kind}"));
            }
            let spec = review.get("spec").ok_or("the review has no spec")?;
            let status = server.review(spec)?;
            if let Some(review) = review.as_object_mut() {
                review.insert("status".to_owned(), status);
            }
            Ok(json::to_string(&review))
        });
        match answer {
            Ok(text) => writeln!(output, "{text}"),
            Err(message) => {
                good = false;
                output.flush()?;
                eprintln!("{name}:{line}: {message}");
                Ok(())
            }
        }
    });
    match ended.and_then(|()| output.flush()) {
        // Whoever reads has read enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(good),
        Err(error) => Err(Usage(format!("{name}: {error}"))),
        Ok(()) => Ok(good),
    }
}

/// Calls `answer` with each review of `reader` and its line: JSON, one or more lines each, or YAML documents.
fn each(
    reader: impl BufRead,
    name: &Rc<str>,
    mut answer: impl FnMut(usize, Result<Value, String>) -> io::Result<()>,
) -> io::Result<()> {
    let mut text = String::new();
    let (mut start, mut json) = (1, None);
    let yaml = |start: usize, text: &str, answer: &mut dyn FnMut(usize, Result<Value, String>) -> io::Result<()>| {
        let (documents, problems) = manifest::parse(name, start as u32, text);
        for problem in problems {
            answer(problem.line as usize, Err(problem.message))?;
        }
        documents.into_iter().try_for_each(|document| answer(start, Ok(document.value)))
    };
    for (line, number) in reader.split(b'\n').zip(1..) {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        if json.is_none() && !line.trim().is_empty() {
            json = Some(line.trim_start().starts_with('{'));
        }
        if text.is_empty() {
            start = number;
        }
        if json == Some(true) {
            text.push_str(&line);
            if text.trim().is_empty() {
                text.clear();
                continue;
            }
            if !line.trim_end().ends_with('}') && text.len() < LONGEST {
                text.push('\n');
                continue;
            }
            match json::parse(&text) {
                Ok(value) => answer(start, Ok(value))?,
                // The object may end on a later line.
                Err(error) if error.offset >= text.trim_end().len() && text.len() < LONGEST => {
                    text.push('\n');
                    continue;
                }
                Err(error) => answer(start, Err(error.message.clone()))?,
            }
            text.clear();
        } else if line.trim_end() == "---" {
            yaml(start, &text, &mut answer)?;
            text.clear();
        } else {
            text.push_str(&line);
            text.push('\n');
        }
    }
    if json == Some(true) && !text.trim().is_empty() {
        return answer(start, Err("the last review is not complete".to_owned()));
    }
    yaml(start, &text, &mut answer)
}
