//! The shell: just enough of POSIX sh for the commands that documentation holds.
//!
//! Words, quotes, `$VAR`, `$(...)`, backticks, pipes, `;`, `&&`, `||`, `!`, assignments, redirections, here-documents and
//! comments. What it does not know (loops, functions, background jobs, globs) it refuses with one line.
//! Behaviour: POSIX.1-2017, volume Shell & Utilities, chapter 2.

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
}

impl Script {
    /// Whether a command of it is `program`, found as `commands::run` finds it, as far as the text says.
    pub(crate) fn calls(&self, program: &str) -> bool {
        let name = |word: &Word| match word.as_slice() {
            [Part::Text { text, .. }] => text.rsplit('/').next().unwrap_or_default().to_owned(),
            _ => String::new(),
        };
        let mut commands = self.list.iter().flat_map(|item| &item.pipeline);
        commands
            .any(|command| command.words.iter().map(name).find(|name| name != "sudo").is_some_and(|it| it == program))
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
        }
    }
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
