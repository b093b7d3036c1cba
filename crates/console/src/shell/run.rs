//! [`Script`] to output: expansion, redirection, pipes.

use super::{Command, Item, Part, Redirection, Script, Stream, When, Word};
use crate::budget::{self, Budget};
use crate::commands::{self, Output};
use crate::session::Session;

/// What a command line printed at the terminal, and how it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Standard output and standard error as they came.
    pub terminal: Vec<u8>,
    /// The last command's exit status.
    pub status: u8,
}

/// Runs `script`, as long as `go_on`: it is asked before each command, with the bytes that the command is given. `None` where it
/// said no.
pub fn run(script: &Script, session: &mut Session, go_on: &dyn Fn(usize) -> bool) -> Option<Outcome> {
    let (length, words) = (budget::LENGTH, budget::WORDS);
    let bodies = &script.bodies;
    let mut shell =
        Shell { session, bodies, errors: Vec::new(), substituted: false, length, words, go_on, ended: false };
    let mut outcome = Outcome::default();
    for item in &script.list {
        if let Some(mut stdout) = shell.item(item) {
            if let Err(message) = shell.session.keep(stdout.len()) {
                stdout = format!("{message}\n").into_bytes();
                shell.session.status = 1;
            }
            // Within one command a program tells its errors last.
            outcome.terminal.append(&mut shell.before_last(stdout));
        }
    }
    if shell.ended {
        return None;
    }
    outcome.status = session.status;
    Some(outcome)
}

struct Shell<'a> {
    session: &'a mut Session,
    bodies: &'a [Word],
    /// Standard error that is not shown yet: of the commands before the last one of a pipe, then of the last one.
    errors: Vec<Vec<u8>>,
    /// Whether a `$(...)` ran in the command: `A=$(false)` has its status.
    substituted: bool,
    /// What the words of a command may still have, with those of the commands around it.
    length: Budget,
    words: Budget,
    go_on: &'a dyn Fn(usize) -> bool,
    /// Whether `go_on` said no.
    ended: bool,
}

/// What the shell itself says where it cannot run a command.
struct Refused(String);

impl From<&str> for Refused {
    fn from(message: &str) -> Self {
        Self(message.to_owned())
    }
}

impl Shell<'_> {
    /// Standard output of a pipeline; `None` where it was not its turn.
    fn item(&mut self, item: &Item) -> Option<Vec<u8>> {
        let turn = match item.when {
            When::Always => true,
            When::Succeeded => self.session.status == 0,
            When::Failed => self.session.status != 0,
        };
        if !turn {
            return None;
        }
        let mut passed = Vec::new();
        let mut status = 0;
        for command in &item.pipeline {
            let before = (self.length, self.words);
            let mut output =
                self.command(command, passed).unwrap_or_else(|Refused(message)| Output::failure(1, &message));
            (self.length, self.words) = before;
            if let Err(message) = self.session.keep(output.stderr.len()) {
                output = Output::failure(1, message);
            }
            passed = output.stdout;
            status = output.status;
            self.errors.push(output.stderr);
        }
        self.session.status = if item.negated { u8::from(status == 0) } else { status };
        Some(passed)
    }

    fn before_last(&mut self, mut stdout: Vec<u8>) -> Vec<u8> {
        let last = self.errors.pop().unwrap_or_default();
        let mut shown = std::mem::take(&mut self.errors).concat();
        shown.append(&mut stdout);
        shown.extend(last);
        shown
    }

    fn command(&mut self, command: &Command, stdin: Vec<u8>) -> Result<Output, Refused> {
        let mut words = Vec::new();
        self.substituted = false;
        for word in &command.words {
            self.expand(word, &mut words)?;
        }
        let mut assignments = Vec::new();
        for (name, word) in &command.assignments {
            assignments.push((name.clone(), self.text(word)?));
        }
        let mut stdin = stdin;
        let mut targets = [Target::Shown(Stream::Output), Target::Shown(Stream::Error)];
        for redirection in &command.redirections {
            self.redirect(redirection, &mut stdin, &mut targets)?;
        }
        let given = words.iter().chain(assignments.iter().map(|(_, value)| value)).map(String::len).sum::<usize>();
        self.ended |= !(self.go_on)(given + stdin.len());
        if self.ended {
            return Ok(Output::default());
        }
        let mut output = match words.split_first() {
            None => {
                for (name, value) in assignments {
                    self.session.assign(name, value)?;
                }
                Output { status: if self.substituted { self.session.status } else { 0 }, ..Output::default() }
            }
            Some((name, arguments)) => {
                // Set for this command only.
                let before: Vec<_> = assignments
                    .into_iter()
                    .map(|(name, value)| (self.session.variables.insert(name.clone(), value), name))
                    .collect();
                let output = commands::run(name, arguments, &stdin, self.session);
                self.session.settle();
                for (value, name) in before.into_iter().rev() {
                    match value {
                        Some(value) => self.session.variables.insert(name, value),
                        None => self.session.variables.remove(&name),
                    };
                }
                if output.stdout.len().max(output.stderr.len()) > budget::PRINTED {
                    let most = budget::PRINTED >> 20;
                    return Err(Refused(format!("{name}: a command may not print more than {most} MB")));
                }
                output
            }
        };
        let streams = [std::mem::take(&mut output.stdout), std::mem::take(&mut output.stderr)];
        for (target, bytes) in targets.into_iter().zip(streams) {
            match target {
                Target::Shown(Stream::Output) => output.stdout.extend(bytes),
                Target::Shown(Stream::Error) => output.stderr.extend(bytes),
                Target::File(file) => self.session.append(&file, &bytes)?,
            }
        }
        Ok(output)
    }

    fn redirect(
        &mut self,
        redirection: &Redirection,
        stdin: &mut Vec<u8>,
        targets: &mut [Target; 2],
    ) -> Result<(), Refused> {
        let [output, error] = targets;
        match redirection {
            Redirection::Read(word) => {
                let name = self.text(word)?;
                *stdin = match name.as_str() {
                    "/dev/null" => Vec::new(),
                    _ => self
                        .session
                        .bytes(&name)
                        .ok_or_else(|| Refused(format!("{name}: No such file or directory")))?,
                };
            }
            Redirection::HereString(word) => {
                *stdin = self.text(word)?.into_bytes();
                stdin.push(b'\n');
            }
            Redirection::HereDocument(body) => {
                let body = self.bodies.get(*body).cloned().unwrap_or_default();
                *stdin = self.text(&body)?.into_bytes();
            }
            Redirection::Write { stream, file, append } => {
                let file = self.text(file)?;
                if !append {
                    self.session.truncate(&file);
                }
                *(if *stream == Stream::Output { output } else { error }) = Target::File(file);
            }
            Redirection::Join { from: Stream::Output, to: Stream::Error } => *output = error.clone(),
            Redirection::Join { from: Stream::Error, to: Stream::Output } => *error = output.clone(),
            Redirection::Join { .. } => {}
        }
        Ok(())
    }

    /// A word as one text: assignments and redirections do not split.
    fn text(&mut self, word: &Word) -> Result<String, Refused> {
        let mut text = String::new();
        for part in word {
            let more = self.part(part)?;
            self.grow(&mut text, &more)?;
        }
        Ok(text)
    }

    /// A word as arguments: what comes from an unquoted variable or command is split at white space.
    fn expand(&mut self, word: &Word, words: &mut Vec<String>) -> Result<(), Refused> {
        let mut current: Option<String> = None;
        for part in word {
            let text = self.part(part)?;
            let splits = !matches!(
                part,
                Part::Text { .. } | Part::Variable { quoted: true, .. } | Part::Substitution { quoted: true, .. }
            );
            if !splits {
                self.grow(current.get_or_insert_default(), &text)?;
                continue;
            }
            if text.starts_with(char::is_whitespace) {
                self.end(current.take(), words)?;
            }
            let mut fields = text.split_whitespace().peekable();
            while let Some(field) = fields.next() {
                self.grow(current.get_or_insert_default(), field)?;
                if fields.peek().is_some() || text.ends_with(char::is_whitespace) {
                    self.end(current.take(), words)?;
                }
            }
        }
        self.end(current, words)
    }

    fn grow(&mut self, text: &mut String, more: &str) -> Result<(), Refused> {
        self.length.take(more.len())?;
        text.push_str(more);
        Ok(())
    }

    fn end(&mut self, word: Option<String>, words: &mut Vec<String>) -> Result<(), Refused> {
        self.words.take(usize::from(word.is_some()))?;
        words.extend(word);
        Ok(())
    }

    fn part(&mut self, part: &Part) -> Result<String, Refused> {
        Ok(match part {
            Part::Text { text, .. } => text.clone(),
            Part::Variable { name, .. } if name == "?" => self.session.status.to_string(),
            Part::Variable { name, .. } => self.session.variables.get(name).cloned().unwrap_or_default(),
            Part::Substitution { list, .. } => {
                let mut printed = Vec::new();
                let before = self.length;
                for item in list {
                    let more = self.item(item).unwrap_or_default();
                    self.length.take(more.len())?;
                    printed.extend(more);
                }
                self.length = before;
                self.substituted = true;
                printed.retain(|byte| *byte != 0);
                let mut text = String::from_utf8_lossy(&printed).into_owned();
                text.truncate(text.trim_end_matches('\n').len());
                text
            }
        })
    }
}

#[derive(Clone)]
enum Target {
    Shown(Stream),
    File(String),
}
