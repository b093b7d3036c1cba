//! The programs that pass text on: cat, tee, echo, printf, head, tail, wc, sort, tr, cut, grep, sed.
//!
//! Behaviour: GNU coreutils, grep and sed, as far as documentation uses them.

use portcullis_core::manifest::float;

use super::pattern::{Pattern, Syntax};
use super::{Output, read_inputs, unsupported};
use crate::arguments::{Argument, Arguments};
use crate::budget;
use crate::session::Session;

pub fn cat(arguments: &[String], stdin: &[u8], session: &mut Session) -> Output {
    let mut files = Vec::new();
    for argument in Arguments::new(arguments) {
        match argument {
            Argument::Operand(file) => files.push(file),
            Argument::Short('u') => {}
            other => return unsupported("cat", other),
        }
    }
    let (inputs, mut output) = read_inputs("cat", &files, stdin, session);
    for (_, bytes) in inputs {
        output.print(&bytes);
    }
    output
}

pub fn tee(arguments: &[String], stdin: &[u8], session: &mut Session) -> Output {
    let (mut files, mut append) = (Vec::new(), false);
    for argument in Arguments::new(arguments) {
        match argument {
            Argument::Operand(file) => files.push(file),
            Argument::Short('a') | Argument::Long("append") => append = true,
            other => return unsupported("tee", other),
        }
    }
    for file in files {
        if !append {
            session.truncate(file);
        }
        if let Err(message) = session.append(file, stdin) {
            return Output::failure(1, &format!("tee: {message}"));
        }
    }
    Output { stdout: stdin.to_vec(), ..Output::default() }
}

pub fn echo(arguments: &[String], _: &[u8], _: &mut Session) -> Output {
    let mut words = arguments;
    let (mut newline, mut escapes) = (true, false);
    while let Some((first, rest)) = words.split_first() {
        match first.strip_prefix('-') {
            Some(flags) if !flags.is_empty() && flags.bytes().all(|flag| b"neE".contains(&flag)) => {
                newline &= !flags.contains('n');
                escapes = flags.rfind('e') > flags.rfind('E') || escapes && !flags.contains('E');
                words = rest;
            }
            _ => break,
        }
    }
    let mut text = words.join(" ");
    if escapes {
        text = unescape(&text);
    }
    if newline {
        text.push('\n');
    }
    Output::text(text)
}

/// Columns that printf pads to.
const WIDEST: usize = 1000;

pub fn printf(arguments: &[String], _: &[u8], _: &mut Session) -> Output {
    let arguments = arguments.strip_prefix(&["--".to_owned()]).unwrap_or(arguments);
    let Some((format, mut values)) = arguments.split_first() else {
        return Output::failure(2, "printf: usage: printf format [arguments]");
    };
    let mut output = Output::default();
    loop {
        let before = values.len();
        let mut pieces = format.split('%');
        output.print(unescape(pieces.next().unwrap_or_default()).as_bytes());
        let mut literal = false;
        for piece in pieces {
            if literal {
                literal = false;
                output.print(unescape(piece).as_bytes());
                continue;
            }
            // `-` and `0`, then the width.
            let conversion = piece.trim_start_matches(|char: char| char == '-' || char.is_ascii_digit());
            let flags = piece.get(..piece.len() - conversion.len()).unwrap_or_default();
            let width = flags.trim_start_matches(['-', '0']).parse::<usize>().unwrap_or_default().min(WIDEST);
            let mut rest = conversion.chars();
            let mut next = || {
                let (first, rest) = values.split_first()?;
                values = rest;
                Some(first.as_str())
            };
            let printed = match rest.next() {
                // `%%` leaves an empty piece; what follows it is plain.
                None => {
                    literal = true;
                    "%".to_owned()
                }
                Some('s') => next().unwrap_or_default().to_owned(),
                Some('b') => unescape(next().unwrap_or_default()),
                Some(kind @ ('d' | 'i' | 'u' | 'x' | 'X' | 'o')) => {
                    let value = next().unwrap_or("0");
                    let Ok(number) = value.parse::<i64>() else {
                        return Output::failure(1, &format!("printf: {value}: invalid number"));
                    };
                    match kind {
                        'x' => format!("{number:x}"),
                        'X' => format!("{number:X}"),
                        'o' => format!("{number:o}"),
                        _ => number.to_string(),
                    }
                }
                Some(other) => {
                    let message = format!("printf: %{other} is not supported here: %s, %b, %d, %x and %o are");
                    return Output::failure(1, &message);
                }
            };
            let padded = if flags.starts_with('-') {
                format!("{printed:<width$}")
            } else if flags.starts_with('0') {
                format!("{printed:0>width$}")
            } else {
                format!("{printed:>width$}")
            };
            output.print(padded.as_bytes());
            if !output.print(unescape(rest.as_str()).as_bytes()) {
                return output;
            }
        }
        if values.is_empty() || values.len() == before {
            return output;
        }
    }
}

/// `\n`, `\t`, `\\`, `\0101`, `\x41` and the like.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        plain.push_str(before);
        let mut chars = after.chars();
        let escaped = chars.next();
        rest = chars.as_str();
        match escaped {
            Some('n') => plain.push('\n'),
            Some('t') => plain.push('\t'),
            Some('r') => plain.push('\r'),
            Some('a') => plain.push('\x07'),
            Some('e') => plain.push('\x1b'),
            Some('\\') | None => plain.push('\\'),
            Some('x') => plain.extend(code(16, 2, &mut rest)),
            Some('0'..='7') => {
                rest = after;
                plain.extend(code(8, 4, &mut rest));
            }
            Some(other) => plain.extend(['\\', other]),
        }
    }
    plain.push_str(rest);
    plain
}

/// The ASCII character whose code begins `rest`, of at most `most` digits.
fn code(radix: u32, most: usize, rest: &mut &str) -> Option<char> {
    let length = rest.chars().take(most).take_while(|digit| digit.is_digit(radix)).count();
    let (digits, after) = rest.split_at_checked(length)?;
    *rest = after;
    u32::from_str_radix(digits, radix).ok().and_then(char::from_u32).filter(char::is_ascii)
}

/// What `head` and `tail` take.
struct Share {
    bytes: bool,
    /// `+N` of tail, `-N` of head: counted from the other end.
    inverted: bool,
    count: usize,
}

fn share<'a>(name: &str, arguments: &'a [String]) -> Result<(Share, Vec<&'a str>), Output> {
    let mut share = Share { bytes: false, inverted: false, count: 10 };
    let mut files = Vec::new();
    let mut parts = Arguments::new(arguments);
    let mut digits = String::new();
    while let Some(part) = parts.next() {
        let value = match part {
            Argument::Short('n') | Argument::Long("lines") => parts.value(),
            Argument::Short('c') | Argument::Long("bytes") => {
                share.bytes = true;
                parts.value()
            }
            Argument::Short('q') | Argument::Long("quiet") => continue,
            Argument::Short(digit) if digit.is_ascii_digit() => {
                digits.push(digit);
                Some(digits.as_str())
            }
            Argument::Operand(file) => {
                files.push(file);
                continue;
            }
            other => return Err(unsupported(name, other)),
        };
        let value = value.unwrap_or_default();
        let sign = if name == "head" { '-' } else { '+' };
        share.inverted = value.starts_with(sign);
        let number = value.trim_start_matches(['+', '-']);
        let kind = if share.bytes { "bytes" } else { "lines" };
        share.count =
            number.parse().map_err(|_| Output::failure(1, &format!("{name}: invalid number of {kind}: '{value}'")))?;
    }
    Ok((share, files))
}

/// The offset behind the first `count` lines.
fn behind_lines(bytes: &[u8], count: usize) -> usize {
    bytes.split_inclusive(|byte| *byte == b'\n').take(count).map(<[u8]>::len).sum()
}

fn units(bytes: &[u8], share: &Share) -> usize {
    if share.bytes { bytes.len() } else { bytes.split_inclusive(|byte| *byte == b'\n').count() }
}

fn offset(bytes: &[u8], share: &Share, units: usize) -> usize {
    if share.bytes { units.min(bytes.len()) } else { behind_lines(bytes, units) }
}

pub fn head(arguments: &[String], stdin: &[u8], session: &mut Session) -> Output {
    ends("head", arguments, stdin, session, |bytes, share| {
        let count = if share.inverted { units(bytes, share).saturating_sub(share.count) } else { share.count };
        bytes.get(..offset(bytes, share, count)).unwrap_or_default()
    })
}

pub fn tail(arguments: &[String], stdin: &[u8], session: &mut Session) -> Output {
    ends("tail", arguments, stdin, session, |bytes, share| {
        let skipped = if share.inverted {
            share.count.saturating_sub(1)
        } else {
            units(bytes, share).saturating_sub(share.count)
        };
        bytes.get(offset(bytes, share, skipped)..).unwrap_or_default()
    })
}

fn ends(
    name: &str,
    arguments: &[String],
    stdin: &[u8],
    session: &Session,
    take: impl for<'a> Fn(&'a [u8], &Share) -> &'a [u8],
) -> Output {
    let (share, files) = match share(name, arguments) {
        Ok(parts) => parts,
        Err(output) => return output,
    };
    let (inputs, mut output) = read_inputs(name, &files, stdin, session);
    for (at, (file, bytes)) in inputs.iter().enumerate() {
        if files.len() > 1 {
            let gap = if at > 0 { "\n" } else { "" };
            output.stdout.extend(format!("{gap}==> {file} <==\n").into_bytes());
        }
        output.stdout.extend(take(bytes, &share));
    }
    output
}

pub fn wc(arguments: &[String], stdin: &[u8], session: &mut Session) -> Output {
    let mut files = Vec::new();
    let (mut lines, mut words, mut bytes, mut chars) = (false, false, false, false);
    for argument in Arguments::new(arguments) {
        match argument {
            Argument::Short('l') | Argument::Long("lines") => lines = true,
            Argument::Short('w') | Argument::Long("words") => words = true,
            Argument::Short('c') | Argument::Long("bytes") => bytes = true,
            Argument::Short('m') | Argument::Long("chars") => chars = true,
            Argument::Operand(file) => files.push(file),
            other => return unsupported("wc", other),
        }
    }
    if !(lines || words || bytes || chars) {
        (lines, words, bytes) = (true, true, true);
    }
    let (inputs, mut output) = read_inputs("wc", &files, stdin, session);
    let mut rows: Vec<(Vec<usize>, &str)> = Vec::new();
    for (file, input) in &inputs {
        let text = String::from_utf8_lossy(input);
        let counts = [
            (lines, input.iter().filter(|byte| **byte == b'\n').count()),
            (words, text.split_whitespace().count()),
            (chars, text.chars().count()),
            (bytes, input.len()),
        ];
        rows.push((counts.into_iter().filter(|(wanted, _)| *wanted).map(|(_, count)| count).collect(), file));
    }
    if files.len() > 1 {
        let columns = rows.first().map_or(0, |(counts, _)| counts.len());
        let total = (0..columns).map(|at| rows.iter().filter_map(|(counts, _)| counts.get(at)).sum()).collect();
        rows.push((total, "total"));
    }
    // GNU aligns to the width of all sizes together, to seven where it cannot know them before it reads.
    let sizes: usize = inputs.iter().map(|(_, input)| input.len()).sum();
    let width = match (rows.first().map_or(0, |(counts, _)| counts.len()), files.is_empty()) {
        (1, _) if files.len() < 2 => 1,
        (_, true) => 7,
        _ => sizes.to_string().len(),
    };
    for (counts, file) in rows {
        let counts: Vec<String> = counts.iter().map(|count| format!("{count:>width$}")).collect();
        let name = if files.is_empty() { String::new() } else { format!(" {file}") };
        output.stdout.extend(format!("{}{name}\n", counts.join(" ")).into_bytes());
    }
    output
}

pub fn sort(arguments: &[String], stdin: &[u8], session: &mut Session) -> Output {
    let mut files = Vec::new();
    let (mut reverse, mut unique, mut numeric) = (false, false, false);
    for argument in Arguments::new(arguments) {
        match argument {
            Argument::Short('r') | Argument::Long("reverse") => reverse = true,
            Argument::Short('u') | Argument::Long("unique") => unique = true,
            Argument::Short('n') | Argument::Long("numeric-sort") => numeric = true,
            Argument::Operand(file) => files.push(file),
            other => return unsupported("sort", other),
        }
    }
    let (inputs, mut output) = read_inputs("sort", &files, stdin, session);
    let text: Vec<String> = inputs.iter().map(|(_, input)| String::from_utf8_lossy(input).into_owned()).collect();
    let mut lines = Vec::new();
    let mut room = budget::WORDS;
    for line in text.iter().flat_map(|text| text.lines()) {
        if room.take(1).is_err() {
            return Output::failure(2, "sort: more than 1,000,000 lines are too many for this shell");
        }
        lines.push(line);
    }
    let number = |line: &str| {
        let line = line.trim_start();
        let end = line.find(|char: char| !char.is_ascii_digit() && char != '.' && char != '-').unwrap_or(line.len());
        line.get(..end).and_then(float::parse).unwrap_or_default()
    };
    portcullis_core::sort::by(&mut lines, |one, other| {
        let order = if numeric { number(one).total_cmp(&number(other)) } else { std::cmp::Ordering::Equal };
        let order = order.then_with(|| if numeric && unique { std::cmp::Ordering::Equal } else { one.cmp(other) });
        if reverse { order.reverse() } else { order }
    });
    if unique {
        lines.dedup_by(|one, other| if numeric { number(one) == number(other) } else { one == other });
    }
    output.stdout = lines.into_iter().flat_map(|line| line.bytes().chain([b'\n'])).collect();
    output
}

pub fn tr(arguments: &[String], stdin: &[u8], _: &mut Session) -> Output {
    let (mut delete, mut squeeze) = (false, false);
    let mut sets = Vec::new();
    for argument in Arguments::new(arguments) {
        match argument {
            Argument::Short('d') | Argument::Long("delete") => delete = true,
            Argument::Short('s') | Argument::Long("squeeze-repeats") => squeeze = true,
            Argument::Operand(set) => sets.push(set),
            other => return unsupported("tr", other),
        }
    }
    let sets: Vec<Vec<char>> = sets.into_iter().map(tr_set).collect();
    let (from, to) = match sets.as_slice() {
        [from] if delete || squeeze => (from, from),
        [from, to] if !delete => (from, to),
        _ => return Output::failure(1, "tr: expected SET1 SET2, -d SET1 or -s SET1"),
    };
    let text = String::from_utf8_lossy(stdin);
    let mut translated = String::with_capacity(text.len());
    let mut before = None;
    for char in text.chars() {
        let at = from.iter().position(|from| *from == char);
        if delete && at.is_some() {
            continue;
        }
        let char = at.and_then(|at| to.get(at).or(to.last())).copied().unwrap_or(char);
        if !(squeeze && before == Some(char) && to.contains(&char)) {
            translated.push(char);
        }
        before = Some(char);
    }
    Output::text(translated)
}

/// `a-z`, `\n`, `[:upper:]`.
fn tr_set(text: &str) -> Vec<char> {
    let text = text.replace("[:upper:]", "A-Z").replace("[:lower:]", "a-z").replace("[:digit:]", "0-9");
    let text = unescape(&text.replace("[:space:]", "\\t\\n\\v\\f\\r "));
    let mut set = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(from) = chars.next() {
        let mut ahead = chars.clone();
        match (ahead.next(), ahead.next()) {
            (Some('-'), Some(to)) if from <= to => {
                // A range as wide as Unicode is of no use to anybody.
                set.extend((from..=to).take(256));
                chars = ahead;
            }
            _ => set.push(from),
        }
    }
    set
}

pub fn cut(arguments: &[String], stdin: &[u8], session: &mut Session) -> Output {
    let mut files = Vec::new();
    let (mut delimiter, mut fields, mut chars, mut only) = ('\t', None, None, false);
    let mut parts = Arguments::new(arguments);
    while let Some(part) = parts.next() {
        match part {
            Argument::Short('d') | Argument::Long("delimiter") => {
                let value = parts.value().unwrap_or_default();
                let mut given = value.chars();
                match (given.next(), given.next()) {
                    (Some(one), None) => delimiter = one,
                    _ => return Output::failure(1, "cut: the delimiter must be a single character"),
                }
            }
            Argument::Short('f') | Argument::Long("fields") => fields = Some(ranges(parts.value().unwrap_or_default())),
            Argument::Short('c' | 'b') => chars = Some(ranges(parts.value().unwrap_or_default())),
            Argument::Short('s') => only = true,
            Argument::Operand(file) => files.push(file),
            other => return unsupported("cut", other),
        }
    }
    let ranges = match fields.as_ref().or(chars.as_ref()) {
        Some(Some(ranges)) => ranges,
        Some(None) => return Output::failure(1, "cut: invalid field range"),
        None => return Output::failure(1, "cut: you must specify a list of bytes, characters, or fields"),
    };
    let wanted = |at: usize| ranges.iter().any(|(from, to)| (*from..=*to).contains(&(at + 1)));
    let (inputs, mut output) = read_inputs("cut", &files, stdin, session);
    for (_, input) in inputs {
        for line in String::from_utf8_lossy(&input).lines() {
            let kept: String = if fields.is_none() {
                line.chars().enumerate().filter(|(at, _)| wanted(*at)).map(|(_, char)| char).collect()
            } else if !line.contains(delimiter) {
                if only {
                    continue;
                }
                line.to_owned()
            } else {
                let kept: Vec<&str> =
                    line.split(delimiter).enumerate().filter(|(at, _)| wanted(*at)).map(|(_, field)| field).collect();
                kept.join(delimiter.encode_utf8(&mut [0; 4]))
            };
            output.stdout.extend(kept.bytes().chain([b'\n']));
        }
    }
    output
}

fn ranges(text: &str) -> Option<Vec<(usize, usize)>> {
    let number = |text: &str, open| if text.is_empty() { Some(open) } else { text.parse().ok() };
    text.split(',')
        .map(|range| match range.split_once('-') {
            Some((from, to)) if range.len() > 1 => Some((number(from, 1)?, number(to, usize::MAX)?)),
            _ => range.parse().ok().map(|at| (at, at)),
        })
        .collect()
}

#[derive(Default)]
struct Grep {
    invert: bool,
    count: bool,
    number: bool,
    only: bool,
    quiet: bool,
    names: bool,
    no_messages: bool,
    whole_line: bool,
    before: usize,
    after: usize,
}

pub fn grep(arguments: &[String], stdin: &[u8], session: &mut Session) -> Output {
    let mut grep = Grep::default();
    let (mut syntax, mut ignore_case, mut with_name) = (Syntax::Basic, false, None);
    let (mut given, mut files) = (Vec::new(), Vec::new());
    let mut parts = Arguments::new(arguments);
    while let Some(part) = parts.next() {
        let context = |parts: &mut Arguments<'_>| parts.value().and_then(|value| value.parse::<usize>().ok());
        match part {
            Argument::Short('E') | Argument::Long("extended-regexp") => syntax = Syntax::Extended,
            Argument::Short('F') | Argument::Long("fixed-strings") => syntax = Syntax::Fixed,
            Argument::Short('G') => syntax = Syntax::Basic,
            Argument::Short('i') | Argument::Long("ignore-case") => ignore_case = true,
            Argument::Short('v') | Argument::Long("invert-match") => grep.invert = true,
            Argument::Short('c') | Argument::Long("count") => grep.count = true,
            Argument::Short('n') | Argument::Long("line-number") => grep.number = true,
            Argument::Short('o') | Argument::Long("only-matching") => grep.only = true,
            Argument::Short('q') | Argument::Long("quiet" | "silent") => grep.quiet = true,
            Argument::Short('l') | Argument::Long("files-with-matches") => grep.names = true,
            Argument::Short('s') | Argument::Long("no-messages") => grep.no_messages = true,
            Argument::Short('x') | Argument::Long("line-regexp") => grep.whole_line = true,
            Argument::Short('h') => with_name = Some(false),
            Argument::Short('H') => with_name = Some(true),
            Argument::Short('a') => {}
            Argument::Short('e') | Argument::Long("regexp") => given.extend(parts.value()),
            Argument::Short(side @ ('A' | 'B' | 'C')) => match context(&mut parts) {
                Some(lines) => {
                    grep.before = if side == 'A' { grep.before } else { lines };
                    grep.after = if side == 'B' { grep.after } else { lines };
                }
                None => return Output::failure(2, "grep: invalid context length argument"),
            },
            Argument::Operand(word) => files.push(word),
            other => return Output { status: 2, ..unsupported("grep", other) },
        }
    }
    if given.is_empty() {
        if files.is_empty() {
            return Output::failure(2, "grep: usage: grep [OPTION]... PATTERNS [FILE]...");
        }
        given.push(files.remove(0));
    }
    let given: Vec<&str> = given.into_iter().flat_map(|given| given.split('\n')).collect();
    let pattern = match Pattern::any(&given, syntax, ignore_case) {
        Ok(pattern) => pattern,
        Err(message) => return Output::failure(2, &format!("grep: {message}")),
    };
    let (inputs, mut output) = read_inputs("grep", &files, stdin, session);
    if grep.no_messages {
        output.stderr.clear();
    }
    let named = with_name.unwrap_or(files.len() > 1);
    let mut found = false;
    for (file, input) in &inputs {
        let prefix = if named { format!("{file}:") } else { String::new() };
        match grep.file(&pattern, &prefix, file, &String::from_utf8_lossy(input), &mut output) {
            Ok(any) => found |= any,
            Err(message) => return Output::failure(2, &format!("grep: {message}")),
        }
    }
    output.status = match (found, output.status) {
        (true, _) if grep.quiet => 0,
        (_, 1..) => 2,
        (found, 0) => u8::from(!found),
    };
    output
}

impl Grep {
    fn file(
        &self,
        pattern: &Pattern,
        prefix: &str,
        name: &str,
        text: &str,
        out: &mut Output,
    ) -> Result<bool, &'static str> {
        let name_only = prefix.trim_end_matches(':');
        let mut count = 0;
        let mut recent = std::collections::VecDeque::new();
        let (mut shown, mut owed) = (0, 0);
        let context = self.before + self.after > 0;
        for (line, number) in text.lines().zip(1..) {
            let first = |from: usize| {
                let found = pattern.find(line, from)?;
                Ok(found.filter(|found| !self.whole_line || *found == (0, line.len())))
            };
            let hit = first(0)?;
            if hit.is_some() == self.invert {
                if owed > 0 {
                    owed -= 1;
                    shown = number;
                    self.line(name_only, number, '-', line, out);
                } else if self.before > 0 {
                    recent.push_back((number, line));
                    if recent.len() > self.before {
                        recent.pop_front();
                    }
                }
                continue;
            }
            count += 1;
            if self.quiet || self.count || self.names {
                continue;
            }
            if self.only {
                let mut next = hit;
                while let Some((start, end)) = next {
                    if start < end {
                        self.line(name_only, number, ':', line.get(start..end).unwrap_or_default(), out);
                    }
                    let from = if start < end {
                        Some(end)
                    } else {
                        line.get(end..).and_then(next_char).map(|step| end + step)
                    };
                    next = from.map(first).transpose()?.flatten();
                }
                continue;
            }
            let begin = recent.front().map_or(number, |(number, _)| *number);
            if context && shown > 0 && begin > shown + 1 {
                out.print(b"--\n");
            }
            for (number, line) in recent.drain(..) {
                self.line(name_only, number, '-', line, out);
            }
            self.line(name_only, number, ':', line, out);
            shown = number;
            owed = self.after;
        }
        if !self.quiet {
            if self.names && count > 0 {
                out.print(format!("{name}\n").as_bytes());
            } else if self.count && !self.names {
                out.print(format!("{prefix}{count}\n").as_bytes());
            }
        }
        Ok(count > 0)
    }

    fn line(&self, name: &str, number: u32, mark: char, line: &str, out: &mut Output) {
        if !name.is_empty() {
            out.print(format!("{name}{mark}").as_bytes());
        }
        if self.number {
            out.print(format!("{number}{mark}").as_bytes());
        }
        out.print_line(line);
    }
}

fn next_char(text: &str) -> Option<usize> {
    text.chars().next().map(char::len_utf8)
}

/// Commands of sed, each of which may have a large pattern.
const EDITS: usize = 100;

/// `s/old/new/g`, and `p`, `d` with line numbers or `$` before them.
enum Edit<'a> {
    Substitute { pattern: Pattern, replacement: &'a str, all: bool, print: bool },
    Print,
    Delete,
}

pub fn sed(arguments: &[String], stdin: &[u8], session: &mut Session) -> Output {
    let (mut quiet, mut syntax) = (false, Syntax::Basic);
    let (mut scripts, mut files) = (Vec::new(), Vec::new());
    let mut parts = Arguments::new(arguments);
    while let Some(part) = parts.next() {
        match part {
            Argument::Short('n') | Argument::Long("quiet") => quiet = true,
            Argument::Short('E' | 'r') | Argument::Long("regexp-extended") => syntax = Syntax::Extended,
            Argument::Short('e') | Argument::Long("expression") => scripts.extend(parts.value()),
            Argument::Operand(word) => files.push(word),
            other => return unsupported("sed", other),
        }
    }
    if scripts.is_empty() && !files.is_empty() {
        scripts.push(files.remove(0));
    }
    if scripts.len() > EDITS {
        return Output::failure(1, &format!("sed: more than {EDITS} commands are too many for this shell"));
    }
    let mut edits = Vec::new();
    for script in &scripts {
        match edit(script.trim(), syntax) {
            Some(edit) => edits.push(edit),
            None => {
                let message =
                    format!("sed: `{script}` is not supported here: s/old/new/, and p and d with line numbers are");
                return Output::failure(1, &message);
            }
        }
    }
    let (inputs, mut output) = read_inputs("sed", &files, stdin, session);
    let text: String = inputs.iter().map(|(_, input)| String::from_utf8_lossy(input)).collect();
    let last = text.lines().count();
    for (line, number) in text.lines().zip(1..) {
        let mut line = line.to_owned();
        let mut deleted = false;
        for (from, to, edit) in &edits {
            if !(*from.min(&last)..=*to).contains(&number) || *from != usize::MAX && number < *from {
                continue;
            }
            match edit {
                Edit::Print => drop(output.print_line(&line)),
                Edit::Delete => {
                    deleted = true;
                    break;
                }
                Edit::Substitute { pattern, replacement, all, print } => {
                    let edited = match substitute(&line, pattern, replacement, *all) {
                        Ok(edited) => edited,
                        Err(message) => return Output::failure(1, &format!("sed: {message}")),
                    };
                    if let Some(edited) = edited {
                        line = edited;
                        if *print {
                            output.print_line(&line);
                        }
                    }
                }
            }
        }
        if !quiet && !deleted && !output.print_line(&line) {
            break;
        }
    }
    output
}

/// First line, last line (`usize::MAX` for `$`), and what to do.
fn edit(script: &str, syntax: Syntax) -> Option<(usize, usize, Edit<'_>)> {
    let line = |text: &str| if text == "$" { Some(usize::MAX) } else { text.parse().ok() };
    let end = script.find(|char: char| !char.is_ascii_digit() && !matches!(char, '$' | ',')).unwrap_or(script.len());
    let (address, command) = script.split_at_checked(end)?;
    let (from, to) = match address.split_once(',') {
        _ if address.is_empty() => (1, usize::MAX),
        Some((from, to)) => (line(from)?, line(to)?),
        None => (line(address)?, line(address)?),
    };
    let edit = match command {
        "p" => Edit::Print,
        "d" => Edit::Delete,
        _ => {
            let rest = command.strip_prefix('s')?;
            let delimiter = rest.chars().next()?;
            let mut parts = rest.split(delimiter).skip(1);
            let (pattern, replacement, flags) = (parts.next()?, parts.next()?, parts.next()?);
            let known =
                flags.bytes().all(|flag| b"gpiI".contains(&flag)) && !rest.contains('\\') && parts.next().is_none();
            let pattern = Pattern::new(pattern, syntax, flags.contains(['i', 'I'])).ok().filter(|_| known)?;
            Edit::Substitute { pattern, replacement, all: flags.contains('g'), print: flags.contains('p') }
        }
    };
    Some((from, to, edit))
}

fn substitute(line: &str, pattern: &Pattern, replacement: &str, all: bool) -> Result<Option<String>, &'static str> {
    let slice = |from, to| line.get(from..to).unwrap_or_default();
    let mut room = budget::LINE;
    let mut edited = String::new();
    let mut at = 0;
    let mut changed = false;
    let mut after_match = false;
    while let Some((start, end)) = pattern.find(line, at)? {
        room.take(start - at)?;
        edited.push_str(slice(at, start));
        // Nothing is no match right behind a match.
        if !(start == end && after_match && start == at) {
            changed = true;
            for (number, piece) in replacement.split('&').enumerate() {
                let found = if number > 0 { slice(start, end) } else { "" };
                room.take(found.len() + piece.len())?;
                edited.extend([found, piece]);
            }
        }
        at = end;
        after_match = start < end;
        if !all {
            break;
        }
        if start == end {
            let Some(step) = line.get(end..).and_then(next_char) else { break };
            room.take(step)?;
            edited.push_str(slice(end, end + step));
            at += step;
        }
    }
    room.take(line.len() - at)?;
    edited.push_str(slice(at, line.len()));
    Ok(changed.then_some(edited))
}
