//! The shell: just enough of POSIX sh for the commands that documentation holds.
//!
//! Words, quotes, `$VAR`, `$(...)`, backticks, pipes, `;`, `&&`, `||`, `!`, assignments, redirections, here-documents and
//! comments. What it does not know (loops, functions, background jobs, globs) it refuses with one line.
//! Behaviour: POSIX.1-2017, volume Shell & Utilities, chapter 2.

use std::ops::Range;

mod parse;
mod run;

pub use parse::read;
pub use run::run;

/// A command line, read and not yet run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    list: Vec<Item>,
    /// Bodies of here-documents, which stand behind the line that names them.
    bodies: Vec<Word>,
    /// Where these stand in the text that was read.
    places: Vec<Range<usize>>,
}

/// A word as typed: its text, with NUL for what only a run puts in, and where it stands in the text that was read.
pub(crate) type Typed = (String, Range<usize>);

impl Script {
    /// Whether a command of it is `name`, as far as the text says.
    pub(crate) fn calls(&self, name: &str) -> bool {
        self.commands().iter().any(|words| program(words).0 == name)
    }

    /// The words of each command, those within words too, for a reader who runs nothing. Assignments come first, as
    /// `NAME=value`.
    pub(crate) fn commands(&self) -> Vec<Vec<Typed>> {
        let mut commands = Vec::new();
        typed_list(&self.list, &mut commands);
        for body in &self.bodies {
            typed(body, &mut commands);
        }
        commands
    }

    /// Where the bodies of here-documents stand in the text that was read.
    pub(crate) fn here_documents(&self) -> &[Range<usize>] {
        &self.places
    }

    /// The command of these words, with `text` as its standard input.
    pub(crate) fn with_input(words: &[&str], text: &str) -> Self {
        let word = |text: &str| vec![Part::Text { text: text.to_owned(), quoted: true }];
        let command = Command {
            words: words.iter().copied().map(word).collect(),
            redirections: vec![Redirection::HereDocument(0)],
            ..Command::default()
        };
        Self {
            list: vec![Item { when: When::Always, pipeline: vec![command], negated: false }],
            bodies: vec![word(text)],
            places: Vec::new(),
        }
    }
}

/// The program that a command calls, found as `commands::run` finds it, and its words from there on.
pub(crate) fn program(words: &[Typed]) -> (&str, &[Typed]) {
    let is_before = |(word, _): &Typed| word == "sudo" || word.contains('=');
    let before = words.iter().take_while(|word| is_before(word)).count();
    let words = words.get(before..).unwrap_or_default();
    (words.first().and_then(|(word, _)| word.rsplit('/').next()).unwrap_or_default(), words)
}

fn typed_list(list: &[Item], commands: &mut Vec<Vec<Typed>>) {
    for command in list.iter().flat_map(|item| &item.pipeline) {
        let mut words = Vec::new();
        let assignments = command.assignments.iter().map(|(name, value)| (format!("{name}="), value));
        let all = assignments.chain(command.words.iter().map(|word| (String::new(), word)));
        for ((mut text, word), place) in all.zip(&command.places) {
            text.push_str(&typed(word, commands));
            words.push((text, place.clone()));
        }
        commands.push(words);
    }
}

fn typed(word: &Word, commands: &mut Vec<Vec<Typed>>) -> String {
    let mut typed = String::new();
    for part in word {
        match part {
            Part::Text { text, .. } => typed.push_str(text),
            Part::Variable { .. } => typed.push('\0'),
            Part::Substitution { list, .. } => {
                typed_list(list, commands);
                typed.push('\0');
            }
        }
    }
    typed
}

/// What is wrong with a command line, and at which byte of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// Offset into the text that was read.
    pub offset: usize,
    /// One sentence.
    pub message: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Item {
    when: When,
    pipeline: Vec<Command>,
    negated: bool,
}

/// On what the status before must be for an item to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Always,
    Succeeded,
    Failed,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Command {
    assignments: Vec<(String, Word)>,
    words: Vec<Word>,
    redirections: Vec<Redirection>,
    /// Where each assignment, and behind them each word, stands in the text that was read.
    places: Vec<Range<usize>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Redirection {
    Read(Word),
    HereString(Word),
    /// Index into [`Script::bodies`].
    HereDocument(usize),
    Write {
        stream: Stream,
        file: Word,
        append: bool,
    },
    Join {
        from: Stream,
        to: Stream,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stream {
    Output,
    Error,
}

type Word = Vec<Part>;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text {
        text: String,
        quoted: bool,
    },
    Variable {
        name: String,
        quoted: bool,
    },
    /// Split into words unless quoted, as a variable is.
    Substitution {
        list: Vec<Item>,
        quoted: bool,
    },
}
