//! A Markdown document: front matter, files, and steps with what they print.
//!
//! Fences follow CommonMark 0.31, section 4.5; what a fence means follows from the first word of its info string and its
//! `title`. Everything else in a document is prose.

use std::ops::Range;
use std::rc::Rc;

use chrono::{DateTime, Utc};
use portcullis_core::manifest::{Diagnostic, Severity};
use portcullis_core::world::time;

use crate::shell;

pub mod compare;
mod request;

pub use request::Action;

/// A document, read and not yet run.
#[derive(Clone, Debug, Default)]
pub struct Document {
    /// Front matter's `title`.
    pub title: String,
    /// Front matter's `release`, its line and its column.
    pub release: Option<(String, u32, u32)>,
    /// Front matter's `clock`.
    pub clock: Option<DateTime<Utc>>,
    /// Front matter's `seed`.
    pub seed: String,
    /// Files and steps in their order.
    pub blocks: Vec<Block>,
    /// What is wrong with it.
    pub diagnostics: Vec<Diagnostic>,
}

/// A part of a document that means something.
#[derive(Clone, Debug)]
pub enum Block {
    /// A fence that holds a file.
    File(File),
    /// One command.
    Step(Box<Step>),
}

/// A fence that holds a file.
#[derive(Clone, Debug)]
pub struct File {
    /// Its `title`, or `""`.
    pub name: String,
    /// Whether objects and configuration are looked for in it.
    pub manifest: bool,
    /// The line on which its text begins, from 1.
    pub line: u32,
    /// Its last line.
    pub end_line: u32,
    /// Spaces that CommonMark takes from the start of each line.
    pub indent: u32,
    /// Its text.
    pub text: Rc<str>,
}

impl File {
    /// The file, of the document `source`.
    pub(crate) fn file(&self, source: &Rc<str>) -> portcullis_core::apiserver::File {
        portcullis_core::apiserver::File { source: source.clone(), first_line: self.line, text: self.text.clone() }
    }
}

/// One command and what the document says it prints.
#[derive(Clone, Debug)]
pub struct Step {
    /// As typed, continuation lines included, without the prompt.
    pub command: String,
    /// First line, from 1.
    pub line: u32,
    /// The command's last line.
    pub end_line: u32,
    /// What it does, or where it could not be read.
    pub action: Result<Action, Diagnostic>,
    /// Where manifests may stand in the command: the one of a request, and here-documents.
    pub manifests: Vec<Range<usize>>,
    /// What it prints; `None` where the document does not say.
    pub expected: Option<String>,
    /// Whether it stands in a fence of the kind that says what a command prints.
    pub console: bool,
}

/// The keys of front matter that mean something.
const KEYS: [&str; 4] = ["title", "release", "clock", "seed"];

impl Step {
    /// The first `taken` bytes of `text`, which begins on `line`.
    fn new(text: &str, taken: usize, line: u32, action: Result<Action, Diagnostic>) -> Self {
        let command = text.get(..taken).unwrap_or(text).trim_end().to_owned();
        let end_line = line + command.matches('\n').count() as u32;
        Self { command, line, end_line, action, manifests: Vec::new(), expected: None, console: false }
    }
}

/// How many commands of a script are looked at that cannot be read. To find that one is not closed takes all that is left of
/// the script; behind so many of them each line is a command.
const UNREAD: usize = 50;

/// Reads the document `text`, which is known as `name`.
pub fn read(name: &str, text: &str) -> Document {
    let mut reader = Reader { file: name.into(), document: Document::default() };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = Lines { rest: text, number: 1 };
    if text.lines().next().is_some_and(|line| line.trim_end() == "---") {
        reader.front_matter(&mut lines);
    }
    let mut comment = false;
    let mut items = Items::default();
    while let Some((line, number)) = lines.next() {
        items.pass(line);
        comment = comment || (line.trim_start().starts_with("<!--") && items.opening(line).is_none());
        if comment {
            comment = !line.contains("-->");
        } else if let Some(fence) = items.opening(line) {
            let (content, closed) = lines.held_by(&fence);
            if !closed {
                let message = "The fence is not closed: it goes on to the end of the document or of its list item.";
                reader.diagnose(Severity::Warning, number, 0, message);
            }
            let end_line = lines.number - 1 - u32::from(closed);
            reader.fence(&fence, number + 1, end_line.max(number + 1), content);
        }
    }
    reader.document
}

/// The lines that are left, and the number of the first.
#[derive(Clone, Copy)]
struct Lines<'a> {
    rest: &'a str,
    number: u32,
}

impl<'a> Iterator for Lines<'a> {
    type Item = (&'a str, u32);

    fn next(&mut self) -> Option<Self::Item> {
        let line = self.rest.lines().next()?;
        let number = self.number;
        self.pass(self.rest.find('\n').map_or(self.rest.len(), |end| end + 1));
        Some((line, number))
    }
}

impl<'a> Lines<'a> {
    /// Passes over whole lines.
    fn pass(&mut self, length: usize) {
        let passed = self.rest.get(..length).unwrap_or_default();
        self.rest = self.rest.get(length..).unwrap_or_default();
        for byte in passed.as_bytes() {
            self.number += u32::from(*byte == b'\n');
        }
        self.number += u32::from(!passed.is_empty() && !passed.ends_with('\n'));
    }

    /// Passes over the lines that `fence` holds and the one that closes it: the former, and whether there is the latter.
    fn held_by(&mut self, fence: &Fence<'_>) -> (&'a str, bool) {
        let all = self.rest;
        loop {
            // Elsewhere than in a list item only a line with the marker can end it, however many others there are.
            if fence.item == 0 {
                let marked = self.rest.find(fence.marker).and_then(|at| self.rest.get(..at));
                self.pass(marked.map_or(self.rest.len(), |before| before.rfind('\n').map_or(0, |end| end + 1)));
            }
            let before = *self;
            let content = all.get(..all.len() - before.rest.len()).unwrap_or_default();
            match self.next() {
                None => return (content, false),
                // A list item that ends takes its fence with it.
                Some((line, _)) if !line.trim().is_empty() && indent(line) < fence.item => {
                    *self = before;
                    return (content, false);
                }
                Some((line, _)) if fence.closes(line) => return (content, true),
                Some(_) => {}
            }
        }
    }
}

struct Reader {
    file: Rc<str>,
    document: Document,
}

impl Reader {
    fn diagnose(&mut self, severity: Severity, line: u32, column: u32, message: impl Into<String>) {
        let file = self.file.clone();
        self.document.diagnostics.push(Diagnostic { severity, file, line, column, message: message.into() });
    }

    /// Reads scalars only: what other tools keep in front matter is theirs. `1.10` stays `1.10`, which YAML would make 1.1.
    fn front_matter(&mut self, lines: &mut Lines<'_>) {
        lines.next();
        // How far in the first key stands: what stands deeper is another's.
        let mut top = None;
        let mut seen: Vec<&str> = Vec::new();
        for (line, number) in lines {
            if matches!(line.trim_end(), "---" | "...") {
                return;
            }
            let Some((key, value)) = line.split_once(':').filter(|_| !line.trim_start().starts_with('#')) else {
                continue;
            };
            if indent(line) > *top.get_or_insert(indent(line)) {
                continue;
            }
            let column =
                key.chars().count() as u32 + 2 + (value.chars().take_while(|c| c.is_whitespace()).count() as u32);
            let value = value.split(" #").next().unwrap_or_default().trim();
            let value = ['"', '\'']
                .iter()
                .find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote))
                .unwrap_or(value)
                .to_owned();
            let key = key.trim();
            let Some(known) = KEYS.into_iter().find(|known| known.eq_ignore_ascii_case(key)) else { continue };
            if known != key {
                let message = format!("`{key}` is not read: the key is `{known}`.");
                self.diagnose(Severity::Warning, number, 0, message);
                continue;
            }
            if seen.contains(&known) {
                let message = format!("`{known}` stands twice. The last one counts: remove the other.");
                self.diagnose(Severity::Warning, number, 0, message);
            }
            seen.push(known);
            match known {
                "title" => self.document.title = value,
                "seed" => self.document.seed = value,
                "release" if value.is_empty() => {
                    self.diagnose(Severity::Error, number, column, "`release` names none: write it as 1.7.");
                }
                "release" => self.document.release = Some((value, number, column)),
                "clock" => match time::instant(&value) {
                    Some(clock) => self.document.clock = Some(clock),
                    None => self.diagnose(
                        Severity::Error,
                        number,
                        column,
                        "`clock` is no time: write it as 2017-07-02T18:17:15Z.",
                    ),
                },
                _ => {}
            }
        }
        self.diagnose(
            Severity::Warning,
            1,
            0,
            "The front matter is not closed by `---`: the document has nothing else.",
        );
    }

    fn fence(&mut self, fence: &Fence<'_>, line: u32, end_line: u32, content: &str) {
        let language = fence.info.split([' ', '\t', '?', '{', ',']).next().unwrap_or_default().to_ascii_lowercase();
        let own = |line| fence.own_part(line);
        let lines = || content.lines().map(own).collect::<Vec<_>>();
        match language.as_str() {
            "console" | "shell-session" => self.console(fence, line, &lines()),
            "sh" | "shell" | "bash" if content.lines().any(|line| own(line).starts_with("$ ")) => {
                self.console(fence, line, &lines());
            }
            "sh" | "shell" | "bash" => self.script(fence, line, &lines()),
            _ => {
                let name = attribute(fence.info, "title").unwrap_or_default();
                let yaml = matches!(language.as_str(), "yaml" | "yml");
                if !yaml && name.is_empty() {
                    return;
                }
                // Most often the lines are what the document holds, and there may be a million of them.
                let text = if fence.indent == 0 && !content.contains('\r') && content.ends_with('\n') {
                    content.into()
                } else {
                    content.lines().flat_map(|line| [own(line), "\n"]).collect::<String>().into()
                };
                self.document.blocks.push(Block::File(File {
                    manifest: yaml || language == "json",
                    name,
                    line,
                    end_line,
                    indent: fence.indent as u32,
                    text,
                }));
            }
        }
    }

    /// Lines that begin with `$ ` are steps, what follows each is its output.
    fn console(&mut self, fence: &Fence<'_>, line: u32, content: &[&str]) {
        let mut starts: Vec<usize> =
            content.iter().enumerate().filter(|(_, line)| line.starts_with("$ ")).map(|(at, _)| at).collect();
        if starts.is_empty()
            && let Some(first) = content.iter().position(|line| !line.trim().is_empty())
        {
            let message = "Nothing of this fence is run: commands begin with `$ ` at the start of a line.";
            self.diagnose(Severity::Warning, line + first as u32, 0, message);
        }
        starts.push(content.len());
        for (start, end) in starts.iter().zip(starts.iter().skip(1)) {
            let mut own = content.get(*start..*end).unwrap_or_default();
            if *end < content.len() {
                own = without_comment(own);
            }
            let text = own.join("\n");
            let text = text.get(2..).unwrap_or_default();
            let line = line + *start as u32;
            let indent = fence.indent + 2;
            let (step, taken) = self.step(text, line, indent, true);
            let expected = text.get(taken..).unwrap_or_default();
            let expected = (!expected.trim().is_empty()).then(|| expected.trim_end().to_owned());
            if expected.is_none() && text.starts_with('#') {
                continue;
            }
            self.document.blocks.push(Block::Step(Box::new(Step { expected, ..step })));
        }
    }

    /// Every command is a step that may print what it likes. Behind one that cannot be read, as behind a quote that is not
    /// closed, a shell would run nothing: those steps are there, and say why they are not run.
    fn script(&mut self, fence: &Fence<'_>, line: u32, content: &[&str]) {
        let text = content.join("\n");
        let mut line = line;
        let mut rest = text.as_str();
        let mut stopped: Option<Diagnostic> = None;
        let mut unread = 0;
        while !rest.is_empty() {
            let first = rest.lines().next().unwrap_or_default();
            if first.trim().is_empty() || first.trim_start().starts_with('#') || first.trim_end() == "---" {
                rest = rest.get(first.len()..).unwrap_or_default().trim_start_matches('\r');
                rest = rest.strip_prefix('\n').unwrap_or(rest);
                line += 1;
                continue;
            }
            let (mut step, taken) = match &stopped {
                Some(stopped) if unread >= UNREAD => {
                    let taken = continued(rest);
                    (Step::new(rest, taken, line, Err(stopped.clone())), taken)
                }
                _ => self.step(rest, line, fence.indent, false),
            };
            unread += usize::from(step.action.is_err());
            step.action = match (stopped.clone(), step.action) {
                (Some(stopped), _) => Err(stopped),
                (None, action) => action,
            };
            stopped = step.action.as_ref().err().cloned();
            line += rest.get(..taken).unwrap_or_default().matches('\n').count() as u32;
            rest = rest.get(taken..).unwrap_or_default();
            self.document.blocks.push(Block::Step(Box::new(step)));
        }
    }

    /// The command at the start of `text`, and how many bytes it took.
    fn step(&self, text: &str, line: u32, indent: usize, console: bool) -> (Step, usize) {
        let mut manifests = Vec::new();
        let read = match request::read(text) {
            Some((action, taken, begins)) => {
                manifests.extend(begins.map(|at| at..taken));
                Ok((action, taken))
            }
            None => shell::read(text).map(|(script, taken)| {
                manifests.extend_from_slice(script.here_documents());
                (Action::Script(script), taken)
            }),
        };
        let (action, taken) = match read {
            Ok((action, taken)) => (Ok(action), taken),
            Err(error) => {
                let before = text.get(..error.offset).unwrap_or(text);
                let row = before.matches('\n').count() as u32;
                let start = before.rfind('\n').map_or(0, |at| at + 1);
                let column = before.get(start..).unwrap_or_default().chars().count() as u32 + 1;
                let prompt = if row == 0 { indent } else { indent - 2 * usize::from(console) } as u32;
                let diagnostic = Diagnostic {
                    severity: Severity::Error,
                    file: self.file.clone(),
                    line: line + row,
                    column: column + prompt,
                    message: error.message,
                };
                (Err(diagnostic), continued(text))
            }
        };
        (Step { manifests, console, ..Step::new(text, taken, line, action) }, taken)
    }
}

/// The length of the first line with those that `\` continues.
fn continued(text: &str) -> usize {
    let mut length = 0;
    for line in text.split_inclusive('\n') {
        length += line.len();
        if !line.trim_end_matches(['\r', '\n']).ends_with('\\') {
            break;
        }
    }
    length
}

/// Comments that stand right above the next step belong to it, not to the output before.
fn without_comment<'a, 'b>(lines: &'a [&'b str]) -> &'a [&'b str] {
    let output =
        lines.iter().rposition(|line| !line.trim().is_empty() && !line.starts_with('#')).map_or(0, |at| at + 1);
    let own = lines.get(..output.max(1)).unwrap_or_default();
    if lines.get(output..).unwrap_or_default().iter().any(|line| line.starts_with('#')) { own } else { lines }
}

struct Fence<'a> {
    marker: char,
    length: usize,
    /// Spaces before it.
    indent: usize,
    /// Of these, those that belong to the list item around it.
    item: usize,
    info: &'a str,
}

impl Fence<'_> {
    /// The part of a line in it that is not the fence's own indentation.
    fn own_part<'a>(&self, line: &'a str) -> &'a str {
        line.get(indent(line).min(self.indent)..).unwrap_or_default()
    }

    fn closes(&self, line: &str) -> bool {
        let rest = line.trim_start_matches(' ');
        let after = rest.trim_start_matches(self.marker);
        (line.len() - rest.len()).saturating_sub(self.item) <= 3
            && rest.len() - after.len() >= self.length
            && after.trim().is_empty()
    }
}

/// The list items that a line stands in: the columns at which their content begins, outermost first.
#[derive(Default)]
struct Items(Vec<usize>);

impl Items {
    /// Enters and leaves the items that `line` begins and ends.
    fn pass(&mut self, line: &str) {
        if line.trim().is_empty() {
            return;
        }
        let at = indent(line);
        self.0.retain(|column| *column <= at);
        let rest = line.trim_start_matches(' ');
        let digits = rest.trim_start_matches(|char: char| char.is_ascii_digit());
        let number = rest.len() - digits.len();
        let marker = match digits.chars().next() {
            Some('-' | '*' | '+') if number == 0 => 1,
            Some('.' | ')') if (1..10).contains(&number) => number + 1,
            _ => return,
        };
        let content = rest.get(marker..).unwrap_or_default();
        let spaces = indent(content);
        if at - self.column() <= 3 && spaces > 0 && !content.trim().is_empty() {
            self.0.push(at + marker + if spaces > 4 { 1 } else { spaces });
        }
    }

    fn column(&self) -> usize {
        self.0.last().copied().unwrap_or_default()
    }

    fn opening<'a>(&self, line: &'a str) -> Option<Fence<'a>> {
        let rest = line.trim_start_matches(' ');
        let (indent, item) = (line.len() - rest.len(), self.column());
        let marker = rest.chars().next().filter(|first| matches!(first, '`' | '~'))?;
        let info = rest.trim_start_matches(marker);
        let length = rest.len() - info.len();
        let valid = indent.checked_sub(item)? <= 3 && length >= 3 && !(marker == '`' && info.contains('`'));
        valid.then(|| Fence { marker, length, indent, item, info: info.trim() })
    }
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// `name="value"`, `name='value'` or `name=value` in an info string.
fn attribute(info: &str, name: &str) -> Option<String> {
    let mut from = 0;
    loop {
        let rest = info.get(from..)?;
        let at = rest.find(name)?;
        let before = rest.get(..at)?.chars().next_back().or_else(|| info.get(..from)?.chars().next_back());
        from += at + name.len();
        let Some(value) = info.get(from..)?.strip_prefix('=') else { continue };
        if before.is_some_and(|before| !before.is_whitespace() && !matches!(before, '{' | ',')) {
            continue;
        }
        let quote = value.chars().next().filter(|first| matches!(first, '"' | '\''));
        let value = match quote {
            Some(quote) => value.get(1..)?.split(quote).next(),
            None => value.split([' ', '\t', '}', ',']).next(),
        };
        return value.map(str::to_owned);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A document in one line a block.
    fn outline(text: &str) -> Vec<String> {
        let document = read("a.md", text);
        let blocks = document.blocks.iter().map(|block| match block {
            Block::File(file) => {
                format!("file {:?} {}-{} {:?}", file.name, file.line, file.end_line, &*file.text)
            }
            Block::Step(step) => match &step.action {
                Ok(Action::Http(request)) => {
                    let body = String::from_utf8_lossy(&request.body);
                    format!(
                        "http {}-{} {} {} {body:?} {:?}",
                        step.line, step.end_line, request.method, request.uri, step.expected
                    )
                }
                Ok(Action::Script(_) | Action::Manifest(..)) => {
                    format!("step {}-{} {:?} {:?}", step.line, step.end_line, step.command, step.expected)
                }
                Err(error) => format!(
                    "broken {}:{} {} {:?} {:?}",
                    error.line, error.column, error.message, step.command, step.expected
                ),
            },
        });
        let diagnostics = document.diagnostics.iter().map(|found| format!("{}: {}", found.line, found.message));
        blocks.chain(diagnostics).collect()
    }

    /// The page takes documents apart by the same rows. Files in list items: section 5.2.
    #[test]
    fn reads_fences_as_commonmark_does() {
        let rows = std::fs::read_to_string("../../tests/fences.json").unwrap();
        for row in serde_json::from_str::<Vec<serde_json::Value>>(&rows).unwrap() {
            let document = read("a.md", row["document"].as_str().unwrap());
            let (mut files, mut commands) = (Vec::new(), Vec::new());
            for block in &document.blocks {
                match block {
                    Block::File(File { name, line, end_line, text, .. }) => {
                        files.push(serde_json::json!({"name": name, "lines": [line, end_line], "text": **text}));
                    }
                    Block::Step(step) => commands.push(&step.command),
                }
            }
            let unclosed = "The fence is not closed: it goes on to the end of the document or of its list item.";
            assert!(document.diagnostics.iter().all(|found| found.message == unclosed), "{row}");
            let unclosed: Vec<_> = document.diagnostics.iter().map(|found| found.line).collect();
            let read = serde_json::json!({"files": files, "commands": commands, "unclosed": unclosed, "document": row["document"]});
            assert_eq!(read, row);
        }
    }

    #[test]
    fn reads_steps_and_what_they_print() {
        let quote = r"`'` is not closed: the shell waits for it. Close it, or write `\'` for the character";
        for (text, expected) in [
            ("```console\n$ a\n```", vec![r#"step 2-2 "a" None"#]),
            (
                "```console\n# why\n$ a\nx\n\n$ b \\\n  c\ny\n```",
                vec![r#"step 3-3 "a" Some("x")"#, r#"step 6-7 "b \\\n  c" Some("y")"#],
            ),
            (
                "```console?prompt=$\n$ a\n\nx\n# next\n$ b\n# out\n```",
                vec![r#"step 2-2 "a" Some("\nx")"#, r##"step 6-6 "b" Some("# out")"##],
            ),
            ("```console\n$ a <<E\nx\nE\ny\n```", vec![r#"step 2-4 "a <<E\nx\nE" Some("y")"#]),
            (
                "```sh\n# c\na \\\n b\n\nc \"\nd\"\n```",
                vec![r#"step 3-4 "a \\\n b" None"#, r#"step 6-7 "c \"\nd\"" None"#],
            ),
            ("```sh\n$ a\nx\n```", vec![r#"step 2-2 "a" Some("x")"#]),
            (
                "```console\n\n$a\n```\n```console\n  $ a\n```\n```console\n# a\n```\n```console\n\n```",
                vec![
                    "3: Nothing of this fence is run: commands begin with `$ ` at the start of a line.",
                    "6: Nothing of this fence is run: commands begin with `$ ` at the start of a line.",
                    "9: Nothing of this fence is run: commands begin with `$ ` at the start of a line.",
                ],
            ),
            (
                "  ```console\n  $ ä '\n  x\n  $ b\n  ```",
                vec![&format!(r#"broken 2:7 {quote} "ä '" Some("x")"#), r#"step 4-4 "b" None"#],
            ),
            // Nothing behind an open quote is run, and nothing of it is lost.
            (
                "```sh\na\nb 'x\nc\n# d\ne \\\n f\n```",
                vec![
                    r#"step 2-2 "a" None"#,
                    &format!(r#"broken 3:3 {quote} "b 'x" None"#),
                    &format!(r#"broken 3:3 {quote} "c" None"#),
                    &format!(r#"broken 3:3 {quote} "e \\\n f" None"#),
                ],
            ),
        ] {
            assert_eq!(outline(text), expected, "{text}");
        }
    }

    /// The page divides what is typed by the same rows.
    #[test]
    fn a_script_is_divided_into_commands() {
        let rows = std::fs::read_to_string("../../tests/commands.json").unwrap();
        for row in serde_json::from_str::<Vec<serde_json::Value>>(&rows).unwrap() {
            let document = read("a.md", &format!("```sh\n{}\n```\n", row["script"].as_str().unwrap()));
            let commands: Vec<_> = document
                .blocks
                .iter()
                .map(|block| if let Block::Step(step) = block { step.command.as_str() } else { "" })
                .collect();
            assert_eq!(serde_json::json!(commands), row["commands"], "{row}");
        }
    }

    #[test]
    fn reads_requests_that_are_no_commands() {
        for (text, expected) in [
            (
                "```sh\nGET /api/v1/pods HTTP/1.1\nAuthorization: Bearer x\n\nkubectl get pods\n```",
                vec![r#"http 2-3 GET /api/v1/pods "" None"#, r#"step 5-5 "kubectl get pods" None"#],
            ),
            // One right behind the other, and the whole URL.
            (
                "```sh\nGET https://k8s:6443/api?a=b HTTP/1.1\nGET https://k8s HTTP/1.0\nls\n```",
                vec![r#"http 2-2 GET /api?a=b "" None"#, r#"http 3-3 GET / "" None"#, r#"step 4-4 "ls" None"#],
            ),
            (
                "```sh\nPOST /x HTTP/1.1\nHost: a\n\n{\"a\": \"}\\\"\",\n\n\"b\": []}\nls\n```",
                vec![r#"http 2-7 POST /x "{\"a\": \"}\\\"\",\n\n\"b\": []}" None"#, r#"step 8-8 "ls" None"#],
            ),
            (
                "```sh\nPUT /x HTTP/1.1\n\nkind: Pod\nspec:\n  a:\n- b\n# c\n\nls\n```",
                vec![r##"http 2-8 PUT /x "kind: Pod\nspec:\n  a:\n- b\n# c" None"##, r#"step 10-10 "ls" None"#],
            ),
            ("```sh\nPOST /x HTTP/1.1\n\nls -l\n```", vec![r#"http 2-2 POST /x "" None"#, r#"step 4-4 "ls -l" None"#]),
            // A GET has no body unless it says so.
            (
                "```sh\nGET /x HTTP/1.1\n\nkind: A\n```",
                vec![r#"http 2-2 GET /x "" None"#, r#"step 4-4 "kind: A" None"#],
            ),
            (
                "```sh\nDELETE /x HTTP/1.1\ncontent-type: application/json\n\n{}\n```",
                vec![r#"http 2-5 DELETE /x "{}" None"#],
            ),
            (
                "```sh\napiVersion: v1\nkind: A\nspec:\n  user: a\n---\nkind: B\nls\n{\"kind\": \"C\"}\n{\n\"kind\": \"D\"}\n```",
                vec![
                    r#"step 2-5 "apiVersion: v1\nkind: A\nspec:\n  user: a" None"#,
                    r#"step 7-7 "kind: B" None"#,
                    r#"step 8-8 "ls" None"#,
                    r#"step 9-9 "{\"kind\": \"C\"}" None"#,
                    r#"step 10-11 "{\n\"kind\": \"D\"}" None"#,
                ],
            ),
            // Never closed: up to the blank line.
            ("```sh\n{\"kind\": [\n\nls\n```", vec![r#"step 2-2 "{\"kind\": [" None"#, r#"step 4-4 "ls" None"#]),
            // With what it prints.
            (
                "```console\n$ GET /x HTTP/1.1\nHost: a\n\nHTTP/1.1 200 OK\na: b\n$ kind: A\n\nkind: A\n```",
                vec![
                    r#"http 2-3 GET /x "" Some("\nHTTP/1.1 200 OK\na: b")"#,
                    r#"step 7-7 "kind: A" Some("\nkind: A")"#,
                ],
            ),
            // Commands that look alike.
            (
                "```sh\nGET x\nget /x HTTP/1.1\nGETS /x\nname: x\n```",
                vec![
                    r#"step 2-2 "GET x" None"#,
                    r#"step 3-3 "get /x HTTP/1.1" None"#,
                    r#"step 4-4 "GETS /x" None"#,
                    r#"step 5-5 "name: x" None"#,
                ],
            ),
            // As people write them.
            (
                "```sh\nGET /x\nHost: a\nDELETE /x HTTP/2\nls\n```",
                vec![r#"http 2-3 GET /x "" None"#, r#"http 4-4 DELETE /x "" None"#, r#"step 5-5 "ls" None"#],
            ),
            // A comment behind a prompt is no command.
            ("```console\n$ ls\n$ # so\n$ # ---\n$ ls\n```", vec![r#"step 2-2 "ls" None"#, r#"step 5-5 "ls" None"#]),
        ] {
            assert_eq!(outline(text), expected, "{text}");
        }
    }

    #[test]
    fn reads_front_matter() {
        let document = read(
            "a.md",
            "---\ntitle: \"A: b\"\nrelease: 1.10\nclock: 2017-07-02T18:17:15+02:00 # then\nseed: 'x'\nlayout: post\n---\n```yaml\n```",
        );
        assert_eq!(
            (document.title.as_str(), document.release.clone(), document.seed.as_str(), document.blocks.len()),
            ("A: b", Some(("1.10".to_owned(), 3, 10)), "x", 1)
        );
        assert_eq!(document.clock.map(|clock| clock.to_rfc3339()), Some("2017-07-02T16:17:15+00:00".to_owned()));
        for (front, release, expected) in [
            ("clock: yesterday", None, vec!["2:8: `clock` is no time: write it as 2017-07-02T18:17:15Z."]),
            // As far in as the first key or less; what is nested is another's.
            (
                " layout: post\nrelease: 8\n release: 9",
                Some("9"),
                vec!["4:0: `release` stands twice. The last one counts: remove the other."],
            ),
            ("release : 9", Some("9"), vec![]),
            ("params:\n  release: 9\n# release: 8", None, vec![]),
            ("Release: 9", None, vec!["2:0: `Release` is not read: the key is `release`."]),
            ("release:", None, vec!["2:9: `release` names none: write it as 1.7."]),
            (
                "release: 8\nrelease: 9",
                Some("9"),
                vec!["3:0: `release` stands twice. The last one counts: remove the other."],
            ),
        ] {
            let document = read("a.md", &format!("---\n{front}\n---\n"));
            let told = document.diagnostics.iter();
            let told: Vec<_> =
                told.map(|found| format!("{}:{}: {}", found.line, found.column, found.message)).collect();
            assert_eq!(told, expected, "{front}");
            assert_eq!(document.release.map(|(release, ..)| release).as_deref(), release, "{front}");
        }
    }
}
