//! Text to [`Script`].

use std::ops::Range;

use super::{Command, Error, Item, Part, Redirection, Script, Stream, When, Word};

/// `$(...)` inside `$(...)`: more is a mistake, and each costs stack.
const DEPTH: usize = 32;

/// Words that begin what this shell does not know.
const RESERVED: [&str; 14] =
    ["if", "then", "else", "elif", "fi", "for", "while", "until", "do", "done", "case", "esac", "function", "[["];

/// Reads one command line from the start of `text`, with the lines that continue it (behind `\`, in quotes, behind `|`,
/// here-documents), and gives how many bytes of `text` it took.
///
/// # Errors
///
/// Text that is not complete, or holds what this shell does not know.
pub fn read(text: &str) -> Result<(Script, usize), Error> {
    let mut reader = Reader::new(text, 0, None);
    let list = reader.list(None)?;
    reader.closed()?;
    Ok((Script { list, bodies: reader.bodies, places: reader.places }, reader.at))
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    bodies: Vec<Word>,
    /// Where these stand.
    places: Vec<Range<usize>>,
    pending: Vec<Here>,
    /// Where all of the text stands, if it is a part of another that was changed to be read.
    within: Option<Range<usize>>,
}

/// A here-document whose body is still to come.
struct Here {
    body: usize,
    end: String,
    literal: bool,
    tabs: bool,
    offset: usize,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str, depth: usize, within: Option<Range<usize>>) -> Self {
        Self { text, at: 0, depth, bodies: Vec::new(), places: Vec::new(), pending: Vec::new(), within }
    }

    /// Where that which began at `start` and ends here stands in the text that was given.
    fn place(&self, start: usize) -> Range<usize> {
        self.within.clone().unwrap_or(start..self.at)
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek();
        self.at += next.map_or(0, char::len_utf8);
        next
    }

    fn eat(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        self.at += if found { token.len() } else { 0 };
        found
    }

    fn error<T>(&self, offset: usize, message: impl Into<String>) -> Result<T, Error> {
        Err(Error { offset, message: message.into() })
    }

    fn blanks(&mut self) {
        loop {
            if self.eat("\\\r\n") || self.eat("\\\n") {
                continue;
            }
            match self.peek() {
                Some(' ' | '\t' | '\r') => self.next(),
                _ => return,
            };
        }
    }

    fn comment(&mut self) {
        if self.peek() == Some('#') {
            self.at += self.rest().find('\n').unwrap_or(self.rest().len());
        }
    }

    /// Blanks, comments and line ends: what may stand where a command must follow.
    fn blank_lines(&mut self) -> Result<(), Error> {
        loop {
            self.blanks();
            self.comment();
            if !self.line_end()? {
                return Ok(());
            }
        }
    }

    /// Whether every here-document that was named has its body.
    fn closed(&self) -> Result<(), Error> {
        self.pending.first().map_or(Ok(()), |here| self.open_here(here))
    }

    fn open_here<T>(&self, here: &Here) -> Result<T, Error> {
        self.error(here.offset, format!("the here-document is not closed by `{}`", here.end))
    }

    /// A line end, and the bodies of the here-documents that the line named.
    fn line_end(&mut self) -> Result<bool, Error> {
        if !self.eat("\n") {
            return Ok(false);
        }
        for here in std::mem::take(&mut self.pending) {
            let mut body = String::new();
            let start = self.at;
            let mut place = self.place(start);
            loop {
                if self.at >= self.text.len() {
                    return self.open_here(&here);
                }
                let rest = self.rest();
                let line = rest.split_inclusive('\n').next().unwrap_or_default();
                self.at += line.len();
                let line = if here.tabs { line.trim_start_matches('\t') } else { line };
                if line.trim_end_matches(['\n', '\r']) == here.end {
                    break;
                }
                body.push_str(line);
                place = self.place(start);
            }
            let word = if here.literal {
                vec![Part::Text { text: body, quoted: true }]
            } else {
                // What commands in it name are bodies of the script too, numbered behind those before them.
                let bodies = std::mem::take(&mut self.bodies);
                let places = std::mem::take(&mut self.places);
                let mut inner = Reader { bodies, places, ..Reader::new(&body, self.depth, Some(place.clone())) };
                let mut word = Vec::new();
                let read = inner.double_quoted(None, &mut word).and_then(|()| inner.closed());
                read.map_err(|error| Error { offset: here.offset, message: error.message })?;
                (self.bodies, self.places) = (inner.bodies, inner.places);
                word
            };
            if let (Some(body), Some(stands)) = (self.bodies.get_mut(here.body), self.places.get_mut(here.body)) {
                // What stands in another body is told of that one.
                (*body, *stands) = (word, if self.within.is_some() { 0..0 } else { place });
            }
        }
        Ok(true)
    }

    /// Commands up to the end of the line; or, inside `$(...)`, up to `close`, over line ends.
    fn list(&mut self, close: Option<char>) -> Result<Vec<Item>, Error> {
        let mut list = Vec::new();
        let mut when = When::Always;
        loop {
            if close.is_some() {
                self.blank_lines()?;
            } else {
                self.blanks();
                self.comment();
                if self.line_end()? {
                    return Ok(list);
                }
            }
            let start = self.at;
            match self.peek() {
                None if close.is_some() => return self.error(start, "`$(` is not closed by `)`"),
                None => return Ok(list),
                end if end == close => {
                    self.next();
                    return Ok(list);
                }
                Some(')') => return self.error(start, "`)` without `$(`"),
                _ => {}
            }
            let mut negated = false;
            while self.eat("! ") {
                negated = !negated;
                self.blanks();
            }
            let mut pipeline = vec![self.command()?];
            while !self.rest().starts_with("||") && self.eat("|") {
                let pipe = self.at - 1;
                if self.eat("&") {
                    return self.error(self.at - 2, "`|&` is not known to this shell: write `2>&1 |`");
                }
                self.blank_lines()?;
                if self.peek().is_none() {
                    return self.error(pipe, "a command must follow `|`");
                }
                pipeline.push(self.command()?);
            }
            list.push(Item { when, pipeline, negated });
            let end = self.at;
            when = When::Always;
            if self.eat("&&") {
                when = When::Succeeded;
            } else if self.eat("||") {
                when = When::Failed;
            } else if self.eat(";;") {
                return self.error(end, "`;;` outside of `case`");
            } else if self.eat("&") {
                return self.error(end, "`&`: this shell runs nothing in the background");
            } else if !self.eat(";") {
                continue;
            }
            if when != When::Always {
                self.blank_lines()?;
                if self.peek().is_none_or(|next| matches!(next, ';' | '&' | '|' | ')')) {
                    return self.error(end, "a command must follow `&&` and `||`");
                }
            }
        }
    }

    fn command(&mut self) -> Result<Command, Error> {
        let mut command = Command::default();
        let start = self.at;
        loop {
            self.blanks();
            let at = self.at;
            match self.peek() {
                None | Some('\n' | ';' | '&' | '|' | ')') if !self.rest().starts_with("&>") => break,
                Some('#') => {
                    self.comment();
                    break;
                }
                Some('(') => return self.error(at, "`(`: this shell knows no subshells and no functions"),
                _ => {}
            }
            if let Some(redirections) = self.redirection()? {
                command.redirections.extend(redirections);
                continue;
            }
            if command.words.is_empty() {
                if let Some(name) = self.assignment() {
                    let value = self.word()?;
                    command.assignments.push((name, value));
                    command.places.push(self.place(at));
                    continue;
                }
                let raw = self.rest().split([' ', '\t', '\n', ';', '\r']).next().unwrap_or_default();
                if RESERVED.contains(&raw) || matches!(raw, "{" | "}") {
                    return self
                        .error(at, format!("`{raw}`: this shell knows only simple commands, pipes, `&&` and `||`"));
                }
            }
            let word = self.word()?;
            command.words.push(word);
            command.places.push(self.place(at));
        }
        if command.words.is_empty() && command.assignments.is_empty() && command.redirections.is_empty() {
            let found = self.peek().map_or("the end".to_owned(), |found| format!("`{}`", found.escape_default()));
            return self.error(start, format!("a command was expected before {found}"));
        }
        Ok(command)
    }

    /// `NAME=` before a command.
    fn assignment(&mut self) -> Option<String> {
        let rest = self.rest();
        let name = rest.get(..name_length(rest)).filter(|name| is_name(name))?;
        if rest.as_bytes().get(name.len()) != Some(&b'=') {
            return None;
        }
        self.at += name.len() + 1;
        Some(name.to_owned())
    }

    fn redirection(&mut self) -> Result<Option<Vec<Redirection>>, Error> {
        let start = self.at;
        if self.eat("&>") {
            let file = self.target(start)?;
            let write = Redirection::Write { stream: Stream::Output, file, append: false };
            return Ok(Some(vec![write, Redirection::Join { from: Stream::Error, to: Stream::Output }]));
        }
        let rest = self.rest();
        let digits = rest.len() - rest.trim_start_matches(|digit: char| digit.is_ascii_digit()).len();
        let (number, operator) = rest.split_at_checked(digits).unwrap_or_default();
        if !operator.starts_with(['<', '>']) {
            return Ok(None);
        }
        self.at += digits;
        let redirection = if self.eat("<<<") {
            Redirection::HereString(self.target(start)?)
        } else if self.eat("<<") {
            let tabs = self.eat("-");
            self.blanks();
            let word = self.word()?;
            let literal = word.iter().any(|part| matches!(part, Part::Text { quoted: true, .. }));
            let mut end = String::new();
            for part in word {
                match part {
                    Part::Text { text, .. } => end.push_str(&text),
                    _ => return self.error(start, "the word behind `<<` must be plain text"),
                }
            }
            let body = self.bodies.len();
            self.bodies.push(Word::new());
            self.places.push(start..start);
            self.pending.push(Here { body, end, literal, tabs, offset: start });
            Redirection::HereDocument(body)
        } else if self.eat("<") {
            Redirection::Read(self.target(start)?)
        } else {
            let stream = match number {
                "" | "1" => Stream::Output,
                "2" => Stream::Error,
                _ => return self.error(start, format!("`{number}>`: this shell has the streams 1 and 2")),
            };
            self.eat(">");
            if self.eat("&1") {
                Redirection::Join { from: stream, to: Stream::Output }
            } else if self.eat("&2") {
                Redirection::Join { from: stream, to: Stream::Error }
            } else {
                let append = self.eat(">");
                self.eat("|");
                Redirection::Write { stream, file: self.target(start)?, append }
            }
        };
        Ok(Some(vec![redirection]))
    }

    fn target(&mut self, start: usize) -> Result<Word, Error> {
        self.blanks();
        let word = self.word()?;
        if word.is_empty() {
            return self.error(start, "the redirection names no file");
        }
        Ok(word)
    }

    fn word(&mut self) -> Result<Word, Error> {
        let mut word = Word::new();
        loop {
            let start = self.at;
            match self.peek() {
                None | Some(' ' | '\t' | '\n' | '\r' | ';' | '&' | '|' | '<' | '>' | ')') => return Ok(word),
                Some('(') => return self.error(start, "`(` must stand in quotes"),
                Some('\'') => {
                    self.next();
                    let Some((text, _)) = self.rest().split_once('\'') else {
                        return self.error(
                            start,
                            "`'` is not closed: the shell waits for it. Close it, or write `\\'` for the character",
                        );
                    };
                    self.at += text.len() + 1;
                    word.push(Part::Text { text: text.to_owned(), quoted: true });
                }
                Some('"') => {
                    self.next();
                    word.push(Part::Text { text: String::new(), quoted: true });
                    self.double_quoted(Some(start), &mut word)?;
                }
                Some('\\') => {
                    self.next();
                    match self.next() {
                        Some('\n') => {}
                        Some('\r') if self.eat("\n") => {}
                        Some(escaped) => push(&mut word, escaped, true),
                        None => push(&mut word, '\\', true),
                    }
                }
                Some('$' | '`') => self.dollar(false, &mut word)?,
                Some(plain) => {
                    self.next();
                    push(&mut word, plain, false);
                }
            }
        }
    }

    /// The inside of double quotes that opened at `open`, or a here-document's body.
    fn double_quoted(&mut self, open: Option<usize>, word: &mut Word) -> Result<(), Error> {
        loop {
            match self.peek() {
                None => {
                    return match open {
                        Some(start) => self.error(
                            start,
                            "`\"` is not closed: the shell waits for it. Close it, or write `\\\"` for the character",
                        ),
                        None => Ok(()),
                    };
                }
                Some('"') if open.is_some() => {
                    self.next();
                    return Ok(());
                }
                Some('\\') => {
                    self.next();
                    match self.peek() {
                        Some('\n') => {
                            self.next();
                        }
                        Some(escaped @ ('$' | '`' | '\\')) => {
                            self.next();
                            push(word, escaped, true);
                        }
                        Some('"') if open.is_some() => {
                            self.next();
                            push(word, '"', true);
                        }
                        _ => push(word, '\\', true),
                    }
                }
                Some('$' | '`') => self.dollar(true, word)?,
                Some(plain) => {
                    self.next();
                    push(word, plain, true);
                }
            }
        }
    }

    /// What begins with `$` or a backtick.
    fn dollar(&mut self, quoted: bool, word: &mut Word) -> Result<(), Error> {
        let start = self.at;
        if self.eat("`") {
            return self.backticks(start, quoted, word);
        }
        self.next();
        if self.eat("((") {
            return self.error(start, "`$((`: this shell does not calculate");
        }
        if self.eat("(") {
            self.deeper(start)?;
            let pending = std::mem::take(&mut self.pending);
            let list = self.list(Some(')')).map_err(|error| match error.message.starts_with("`$(` is not") {
                true => Error { offset: start, ..error },
                false => error,
            })?;
            self.pending.splice(0..0, pending);
            self.depth -= 1;
            word.push(Part::Substitution { list, quoted });
            return Ok(());
        }
        if self.eat("{") {
            let name = self.rest().split('}').next().unwrap_or_default();
            if name.len() == self.rest().len() {
                return self.error(start, "`${` is not closed by `}`");
            }
            if !is_name(name) && name != "?" {
                let shown: String = name.chars().take(40).collect();
                return self
                    .error(start, format!("`${{{shown}}}`: this shell knows only the name of a variable there"));
            }
            self.at += name.len() + 1;
            word.push(Part::Variable { name: name.to_owned(), quoted });
            return Ok(());
        }
        if self.eat("?") {
            word.push(Part::Variable { name: "?".to_owned(), quoted });
            return Ok(());
        }
        if !quoted && self.rest().starts_with('\'') {
            return self.error(start, "`$'`: this shell does not know C escapes; printf does");
        }
        let rest = self.rest();
        match rest.get(..name_length(rest)).filter(|name| is_name(name)) {
            Some(name) => {
                self.at += name.len();
                word.push(Part::Variable { name: name.to_owned(), quoted });
            }
            None => push(word, '$', quoted),
        }
        Ok(())
    }

    /// The older form of `$(...)`: its text ends at the next backtick without `\` before it.
    fn backticks(&mut self, start: usize, quoted: bool, word: &mut Word) -> Result<(), Error> {
        self.deeper(start)?;
        let mut text = String::new();
        loop {
            match self.next() {
                None => return self.error(start, "the backtick is not closed"),
                Some('`') => break,
                Some('\\') if self.peek().is_some_and(|next| matches!(next, '`' | '\\' | '$')) => {
                    text.extend(self.next());
                }
                Some(other) => text.push(other),
            }
        }
        text.push(')');
        let mut inner = Reader::new(&text, self.depth, Some(self.place(start)));
        let list = inner.list(Some(')')).map_err(|error| Error { offset: start, message: error.message })?;
        if inner.at < text.len() || !inner.bodies.is_empty() {
            return self.error(start, "the command in backticks is too much for this shell: write `$(...)`");
        }
        self.depth -= 1;
        word.push(Part::Substitution { list, quoted });
        Ok(())
    }

    fn deeper(&mut self, start: usize) -> Result<(), Error> {
        self.depth += 1;
        if self.depth > DEPTH { self.error(start, format!("more than {DEPTH} commands in each other")) } else { Ok(()) }
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name_length(name) == name.len() && !name.starts_with(|first: char| first.is_ascii_digit())
}

/// How many bytes at the start of `text` could be a variable's name.
fn name_length(text: &str) -> usize {
    text.len() - text.trim_start_matches(|next: char| next == '_' || next.is_ascii_alphanumeric()).len()
}

fn push(word: &mut Word, plain: char, is_quoted: bool) {
    match word.last_mut() {
        Some(Part::Text { text, quoted }) if *quoted == is_quoted => text.push(plain),
        _ => word.push(Part::Text { text: plain.to_string(), quoted: is_quoted }),
    }
}
