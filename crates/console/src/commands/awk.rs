//! `awk`, as far as documentation uses it: `[CONDITION] {print ITEM...}` once, over the fields of each line.
//!
//! Behaviour: POSIX awk.

use super::pattern::{Pattern, Syntax};
use super::{Output, read_inputs, unsupported};
use crate::arguments::{Argument, Arguments};
use crate::session::Session;

/// When the program prints.
enum When {
    Always,
    /// `/admin/`
    Matches(Pattern),
    /// `NR>1`
    Line(Compare, usize),
}

type Compare = fn(&usize, &usize) -> bool;

enum Item<'a> {
    /// `$1`; 0 is the line.
    Field(usize),
    /// `$NF`
    Last,
    /// `NR`
    Number,
    Text(&'a str),
    /// A comma.
    Space,
}

pub fn run(arguments: &[String], stdin: &[u8], session: &mut Session) -> Output {
    let (mut separator, mut operands) = ("", Vec::new());
    let mut parts = Arguments::new(arguments);
    while let Some(part) = parts.next() {
        match part {
            Argument::Short('F') => separator = parts.value().unwrap_or_default(),
            Argument::Operand(word) => operands.push(word),
            other => return unsupported("awk", other),
        }
    }
    let Some((program, files)) = operands.split_first() else {
        return Output::failure(2, "awk: it needs a program, such as '{print $1}'");
    };
    let Some((when, items)) = parse(program) else {
        let message =
            format!("awk: {program} is not supported here: [/PATTERN/ or NR>1] {{print $1, \"text\", $NF}} is");
        return Output::failure(2, &message);
    };
    let (inputs, mut output) = read_inputs("awk", files, stdin, session);
    let bytes: Vec<u8> = inputs.into_iter().flat_map(|(_, bytes)| bytes).collect();
    let text = String::from_utf8_lossy(&bytes);
    for (line, number) in text.lines().zip(1..) {
        let prints = match &when {
            When::Always => true,
            When::Matches(pattern) => match pattern.find(line, 0) {
                Ok(found) => found.is_some(),
                Err(message) => return Output::failure(2, &format!("awk: {message}")),
            },
            When::Line(compare, other) => compare(&number, other),
        };
        if !prints {
            continue;
        }
        let fields: Vec<&str> = match separator {
            "" | " " => line.split_whitespace().collect(),
            separator => line.split(separator).collect(),
        };
        let shown = number.to_string();
        for item in &items {
            output.print(match item {
                Item::Field(0) => line.as_bytes(),
                Item::Field(at) => fields.get(at - 1).copied().unwrap_or_default().as_bytes(),
                Item::Last => fields.last().copied().unwrap_or(line).as_bytes(),
                Item::Number => shown.as_bytes(),
                Item::Text(text) => text.as_bytes(),
                Item::Space => b" ",
            });
        }
        if !output.print(b"\n") {
            break;
        }
    }
    output
}

fn parse(program: &str) -> Option<(When, Vec<Item<'_>>)> {
    let program = program.trim();
    let open = program.find('{').unwrap_or(program.len());
    let (condition, action) = program.split_at_checked(open)?;
    let when = match condition.trim() {
        "" => When::Always,
        pattern if pattern.starts_with('/') => {
            let pattern = pattern.strip_prefix('/')?.strip_suffix('/')?;
            When::Matches(Pattern::new(pattern, Syntax::Extended, false).ok()?)
        }
        lines => {
            let rest = lines.strip_prefix("NR")?.trim_start();
            let compare: [(&str, Compare); 6] = [
                ("==", usize::eq),
                ("!=", usize::ne),
                (">=", usize::ge),
                ("<=", usize::le),
                (">", usize::gt),
                ("<", usize::lt),
            ];
            let (compare, number) = compare.into_iter().find_map(|(sign, it)| Some((it, rest.strip_prefix(sign)?)))?;
            When::Line(compare, number.trim().parse().ok()?)
        }
    };
    if action.is_empty() {
        return Some((when, vec![Item::Field(0)]));
    }
    let mut rest =
        action.strip_prefix('{')?.strip_suffix('}')?.trim().trim_end_matches(';').strip_prefix("print")?.trim();
    let mut items = Vec::new();
    while let Some(first) = rest.chars().next() {
        let end;
        match first {
            '"' => {
                let text = rest.get(1..)?;
                let quote = text.find('"')?;
                items.push(Item::Text(text.get(..quote).filter(|text| !text.contains('\\'))?));
                end = quote + 2;
            }
            ',' => {
                items.push(Item::Space);
                end = 1;
            }
            _ => {
                end = rest.find(|char: char| !char.is_ascii_alphanumeric() && char != '$').unwrap_or(rest.len());
                items.push(match rest.get(..end)? {
                    "$NF" => Item::Last,
                    "NR" => Item::Number,
                    field => Item::Field(field.strip_prefix('$')?.parse().ok()?),
                });
            }
        }
        rest = rest.get(end..)?.trim_start();
    }
    if items.is_empty() {
        items.push(Item::Field(0));
    }
    Some((when, items))
}
