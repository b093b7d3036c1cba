//! Regular expressions as `grep` knows them: POSIX basic and extended, leftmost longest.
//!
//! One search takes time linear in the text and in the pattern. The longest of its matches may take a look at all that
//! follows, though, and so may each search behind it: a pattern has so many [`STEPS`] and gives up behind them.
//!
//! Behaviour: POSIX.1-2017, Base Definitions, chapter 9, with GNU's `\+`, `\?` and `\|` in basic expressions. Back
//! references are refused, and what a search ignores is the case of ASCII's letters.

use std::cell::Cell;
use std::rc::Rc;

/// Parts of a pattern, those of what is repeated each time: `a{255}{255}` must not fill the memory, nor `(){255}{255}` go on
/// for ever.
const LONGEST: usize = 20_000;
/// Looks at a character by an instruction, in all searches for a pattern.
const STEPS: usize = 200_000_000;
const TOO_BIG: &str = "Regular expression too big";
/// Groups in each other.
const DEPTH: usize = 50;

/// A compiled pattern.
#[derive(Clone, Debug)]
pub struct Pattern {
    code: Vec<Code>,
    /// Parts that there is still room for.
    room: usize,
    steps: Cell<usize>,
    ignore_case: bool,
    /// With what every match begins.
    head: String,
    /// Whether that is all.
    literal: bool,
}

/// How a pattern is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// Nothing is special.
    Fixed,
    /// `\(`, `\|`, `\{` are special.
    Basic,
    /// `(`, `|`, `{`, `+`, `?` are special.
    Extended,
}

#[derive(Clone, Debug)]
enum Code {
    Char(char),
    Any,
    Set {
        negated: bool,
        ranges: Rc<[(char, char)]>,
    },
    /// Goes on at both.
    Split(usize, usize),
    Start,
    End,
    Found,
}

#[derive(Clone, Debug)]
enum Node {
    One(Code),
    Sequence(Vec<Node>),
    Either(Vec<Node>),
    Repeat { node: Box<Node>, least: usize, most: Option<usize> },
}

impl Pattern {
    /// Compiles `text`.
    ///
    /// # Errors
    ///
    /// Brackets that are not closed, back references, patterns that become too large.
    pub fn new(text: &str, syntax: Syntax, ignore_case: bool) -> Result<Self, &'static str> {
        Self::any(&[text], syntax, ignore_case)
    }

    /// Compiles what matches where one of `texts` does.
    ///
    /// # Errors
    ///
    /// As [`Pattern::new`].
    pub fn any(texts: &[&str], syntax: Syntax, ignore_case: bool) -> Result<Self, &'static str> {
        if texts.iter().map(|text| text.len() + 1).sum::<usize>() > LONGEST {
            return Err(TOO_BIG);
        }
        let node = |text: &&str| {
            if syntax == Syntax::Fixed {
                return Ok(Node::Sequence(text.chars().map(|char| Node::One(Code::Char(char))).collect()));
            }
            let mut reader = Reader { rest: text, extended: syntax == Syntax::Extended, depth: 0 };
            let node = reader.either()?;
            if reader.rest.is_empty() { Ok(node) } else { Err("Unmatched ) or \\)") }
        };
        let node = Node::Either(texts.iter().map(node).collect::<Result<_, _>>()?);
        let steps = Cell::new(STEPS);
        let mut pattern =
            Self { code: Vec::new(), room: LONGEST, steps, ignore_case, head: String::new(), literal: false };
        pattern.emit(&node)?;
        pattern.code.push(Code::Found);
        if !ignore_case {
            let literal = |code: &Code| if let Code::Char(char) = code { Some(*char) } else { None };
            pattern.head = pattern.code.iter().map_while(literal).collect();
            pattern.literal = pattern.head.chars().count() + 1 == pattern.code.len();
        }
        Ok(pattern)
    }

    fn emit(&mut self, node: &Node) -> Result<(), &'static str> {
        let parts = if let Node::One(Code::Set { ranges, .. }) = node { 1 + ranges.len() } else { 1 };
        self.room = self.room.checked_sub(parts).ok_or(TOO_BIG)?;
        match node {
            Node::One(code) => self.code.push(code.clone()),
            Node::Sequence(nodes) => nodes.iter().try_for_each(|node| self.emit(node))?,
            Node::Either(nodes) => {
                let mut ends = Vec::new();
                for (at, node) in nodes.iter().enumerate() {
                    let split = self.code.len();
                    if at + 1 < nodes.len() {
                        self.code.push(Code::Split(split + 1, 0));
                    }
                    self.emit(node)?;
                    if at + 1 < nodes.len() {
                        ends.push(self.code.len());
                        self.code.push(Code::Split(0, 0));
                        self.patch(split, split + 1, self.code.len());
                    }
                }
                for end in ends {
                    self.patch(end, self.code.len(), self.code.len());
                }
            }
            Node::Repeat { node, least, most } => {
                for _ in 0..*least {
                    self.emit(node)?;
                }
                match most {
                    None => {
                        let split = self.code.len();
                        self.code.push(Code::Split(0, 0));
                        self.emit(node)?;
                        self.code.push(Code::Split(split, split));
                        self.patch(split, split + 1, self.code.len());
                    }
                    Some(most) => {
                        let mut splits = Vec::new();
                        for _ in *least..*most {
                            splits.push(self.code.len());
                            self.code.push(Code::Split(0, 0));
                            self.emit(node)?;
                        }
                        for split in splits {
                            self.patch(split, split + 1, self.code.len());
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn patch(&mut self, at: usize, one: usize, other: usize) {
        if let Some(code) = self.code.get_mut(at) {
            *code = Code::Split(one, other);
        }
    }

    /// The leftmost longest match in `line` that begins at byte `from` or behind.
    ///
    /// # Errors
    ///
    /// This search and those before it took too long.
    pub fn find(&self, line: &str, from: usize) -> Result<Option<(usize, usize)>, &'static str> {
        let head = line.get(from..).and_then(|rest| rest.find(&self.head));
        let Some((from, text)) = head.and_then(|head| Some((from + head, line.get(from + head..)?))) else {
            return Ok(None);
        };
        if self.literal {
            return Ok(Some((from, from + self.head.len())));
        }
        let mut threads = Threads::new(self.code.len());
        let mut next = Threads::new(self.code.len());
        let mut best: Option<(usize, usize)> = None;
        let ends = [(text.len(), None)];
        for (at, char) in text.char_indices().map(|(at, char)| (at, Some(char))).chain(ends) {
            let at = from + at;
            // Which instructions were seen is forgotten at each character, many at a time.
            let steps = threads.steps + 1 + self.code.len() / 64;
            self.steps.set(self.steps.get().checked_sub(steps).ok_or("This search takes too long for this shell")?);
            threads.steps = 0;
            if best.is_none() {
                self.follow(&mut threads, 0, at, at, line.len());
            }
            if threads.list.is_empty() {
                break;
            }
            for (code, start) in threads.list.drain(..) {
                if best.is_some_and(|(best, _)| start > best) {
                    continue;
                }
                let matches = match (self.code.get(code), char) {
                    (Some(Code::Found), _) => {
                        best = Some((start, at));
                        continue;
                    }
                    (Some(Code::Char(wanted)), Some(char)) => self.fold(*wanted) == self.fold(char),
                    (Some(Code::Any), Some(_)) => true,
                    (Some(Code::Set { negated, ranges }), Some(char)) => {
                        next.steps += ranges.len();
                        let within = |char: char| ranges.iter().any(|(from, to)| (*from..=*to).contains(&char));
                        let found = within(char)
                            || self.ignore_case
                                && (within(char.to_ascii_lowercase()) || within(char.to_ascii_uppercase()));
                        found != *negated
                    }
                    _ => false,
                };
                if matches {
                    let after = at + char.map_or(0, char::len_utf8);
                    self.follow(&mut next, code + 1, start, after, line.len());
                }
            }
            threads.seen.fill(false);
            std::mem::swap(&mut threads, &mut next);
        }
        Ok(best)
    }

    fn fold(&self, char: char) -> char {
        if self.ignore_case { char.to_ascii_lowercase() } else { char }
    }

    /// Adds the instruction at `code` and all that follow from it without reading anything.
    fn follow(&self, threads: &mut Threads, code: usize, start: usize, at: usize, length: usize) {
        let mut open = vec![code];
        while let Some(code) = open.pop() {
            threads.steps += 1;
            match threads.seen.get_mut(code) {
                Some(seen) if !*seen => *seen = true,
                _ => continue,
            }
            match self.code.get(code) {
                Some(Code::Split(one, other)) => open.extend([*other, *one]),
                Some(Code::Start) if at == 0 => open.push(code + 1),
                Some(Code::End) if at == length => open.push(code + 1),
                Some(Code::Start | Code::End) => {}
                _ => threads.list.push((code, start)),
            }
        }
    }
}

/// Where a match may go on, those that began first in front.
struct Threads {
    list: Vec<(usize, usize)>,
    seen: Vec<bool>,
    /// What it took to find them.
    steps: usize,
}

impl Threads {
    fn new(length: usize) -> Self {
        Self { list: Vec::new(), seen: vec![false; length], steps: 0 }
    }
}

struct Reader<'a> {
    rest: &'a str,
    extended: bool,
    depth: usize,
}

impl Reader<'_> {
    /// Eats `operator`, which basic expressions write with a backslash.
    fn operator(&mut self, operator: char) -> bool {
        let rest = if self.extended { Some(self.rest) } else { self.rest.strip_prefix('\\') };
        let rest = rest.and_then(|rest| rest.strip_prefix(operator));
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn either(&mut self) -> Result<Node, &'static str> {
        let mut branches = vec![self.sequence()?];
        while self.operator('|') {
            branches.push(self.sequence()?);
        }
        Ok(Node::Either(branches))
    }

    fn sequence(&mut self) -> Result<Node, &'static str> {
        let mut nodes = Vec::new();
        loop {
            let closes = |rest: &str| rest.starts_with([')', '|']);
            let ends = if self.extended {
                closes(self.rest) && (self.depth > 0 || self.rest.starts_with('|'))
            } else {
                self.rest.strip_prefix('\\').is_some_and(closes)
            };
            if self.rest.is_empty() || ends {
                return Ok(Node::Sequence(nodes));
            }
            let mut node = self.one(nodes.is_empty())?;
            let depth = self.depth;
            loop {
                let (least, most) = if self.rest.starts_with('*') {
                    self.rest = self.rest.get(1..).unwrap_or_default();
                    (0, None)
                } else if self.operator('+') {
                    (1, None)
                } else if self.operator('?') {
                    (0, Some(1))
                } else if self.operator('{') {
                    self.interval()?
                } else {
                    break;
                };
                node = Node::Repeat { node: Box::new(node), least, most };
                self.depth += 1;
                if self.depth > DEPTH {
                    return Err(TOO_BIG);
                }
            }
            self.depth = depth;
            nodes.push(node);
        }
    }

    fn interval(&mut self) -> Result<(usize, Option<usize>), &'static str> {
        const INVALID: &str = "Invalid content of \\{\\}";
        let end = if self.extended { "}" } else { "\\}" };
        let (inside, rest) = self.rest.split_once(end).ok_or("Unmatched { or \\{")?;
        self.rest = rest;
        let number = |text: &str| text.parse::<u8>().map(usize::from).map_err(|_| INVALID);
        match inside.split_once(',') {
            None => number(inside).map(|count| (count, Some(count))),
            Some((least, most)) => {
                let least = if least.is_empty() { 0 } else { number(least)? };
                let most = if most.is_empty() { None } else { Some(number(most)?) };
                if most.is_some_and(|most| most < least) { Err(INVALID) } else { Ok((least, most)) }
            }
        }
    }

    fn one(&mut self, first: bool) -> Result<Node, &'static str> {
        if self.operator('(') {
            self.depth += 1;
            if self.depth > DEPTH {
                return Err(TOO_BIG);
            }
            let depth = self.depth;
            let node = self.either()?;
            self.depth = depth - 1;
            return if self.operator(')') { Ok(node) } else { Err("Unmatched ( or \\(") };
        }
        let mut chars = self.rest.chars();
        let next = chars.next().ok_or("Trailing backslash")?;
        self.rest = chars.as_str();
        Ok(Node::One(match next {
            '.' => Code::Any,
            '^' if first || self.extended => Code::Start,
            '$' if self.extended
                || self.rest.is_empty()
                || self.rest.starts_with("\\)")
                || self.rest.starts_with("\\|") =>
            {
                Code::End
            }
            '[' => return self.set(),
            '\\' => {
                let escaped = chars.next().ok_or("Trailing backslash")?;
                self.rest = chars.as_str();
                match escaped {
                    '1'..='9' => return Err("Back references are not supported here"),
                    's' | 'S' => Code::Set { negated: escaped == 'S', ranges: [(' ', ' '), ('\t', '\r')].into() },
                    'w' | 'W' => {
                        let word = [('a', 'z'), ('A', 'Z'), ('0', '9'), ('_', '_')];
                        Code::Set { negated: escaped == 'W', ranges: word.into() }
                    }
                    'b' | 'B' | '<' | '>' => return Err("Word boundaries are not supported here"),
                    other => Code::Char(other),
                }
            }
            other => Code::Char(other),
        }))
    }

    fn set(&mut self) -> Result<Node, &'static str> {
        const OPEN: &str = "Unmatched [, [^, [:, [., or [=";
        let negated = self.rest.starts_with('^');
        self.rest = self.rest.strip_prefix('^').unwrap_or(self.rest);
        let mut ranges = Vec::new();
        let mut first = true;
        loop {
            if let Some((class, rest)) = self.rest.strip_prefix("[:").and_then(|rest| rest.split_once(":]")) {
                self.rest = rest;
                ranges.extend(match class {
                    "alpha" => vec![('a', 'z'), ('A', 'Z')],
                    "digit" => vec![('0', '9')],
                    "alnum" => vec![('a', 'z'), ('A', 'Z'), ('0', '9')],
                    "upper" => vec![('A', 'Z')],
                    "lower" => vec![('a', 'z')],
                    "space" => vec![(' ', ' '), ('\t', '\r')],
                    "blank" => vec![(' ', ' '), ('\t', '\t')],
                    "punct" => vec![('!', '/'), (':', '@'), ('[', '`'), ('{', '~')],
                    "xdigit" => vec![('0', '9'), ('a', 'f'), ('A', 'F')],
                    _ => return Err("Invalid character class name"),
                });
                first = false;
                continue;
            }
            let mut chars = self.rest.chars();
            let from = chars.next().ok_or(OPEN)?;
            self.rest = chars.as_str();
            if from == ']' && !first {
                return Ok(Node::One(Code::Set { negated, ranges: ranges.into() }));
            }
            first = false;
            let mut to = from;
            if let Some(rest) = self.rest.strip_prefix('-')
                && let Some(end) = rest.chars().next().filter(|end| *end != ']')
            {
                to = end;
                self.rest = rest.get(end.len_utf8()..).unwrap_or_default();
                if to < from {
                    return Err("Invalid range end");
                }
            }
            ranges.push((from, to));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_leftmost_longest() {
        use Syntax::{Basic, Extended, Fixed};
        for (pattern, syntax, line, found) in [
            ("b", Basic, "abc", Some("b")),
            ("b*", Basic, "abbc", Some("")),
            ("ab*", Basic, "xabbc", Some("abb")),
            ("a|ab|abc", Extended, "xabcd", Some("abc")),
            ("a|b", Basic, "a|b", Some("a|b")),
            ("a\\|b", Basic, "cb", Some("b")),
            ("(ab)+c?", Extended, "ababc", Some("ababc")),
            ("^b", Basic, "ab", None),
            ("b$", Basic, "ab", Some("b")),
            ("a$b", Basic, "a$b", Some("a$b")),
            ("[^a-c]+", Extended, "abcdef", Some("def")),
            ("[]x]", Basic, "a]", Some("]")),
            ("[[:digit:]]{2,3}", Extended, "1 1234", Some("123")),
            ("a\\{2\\}", Basic, "aaa", Some("aa")),
            ("\"[^\"]*\"", Basic, "a\"b\"c\"", Some("\"b\"")),
            ("a.c", Fixed, "abc a.c", Some("a.c")),
            ("ä.", Basic, "xäöü", Some("äö")),
            ("*a", Basic, "*a", Some("*a")),
            ("()", Extended, "a", Some("")),
            ("a||b", Extended, "b", Some("b")),
            ("\\.", Basic, "a.b", Some(".")),
            ("aab", Basic, "aaab", Some("aab")),
            ("ab+", Extended, "aacabb", Some("abb")),
            (&"a*".repeat(60), Extended, "aab", Some("aa")),
        ] {
            let pattern = Pattern::new(pattern, syntax, false).unwrap();
            assert_eq!(
                pattern.find(line, 0).unwrap().map(|(from, to)| line.get(from..to).unwrap_or_default()),
                found,
                "{pattern:?} {line}"
            );
        }
        assert!(Pattern::new("AB", Basic, true).unwrap().find("xab", 0).unwrap().is_some());
        assert_eq!(Pattern::new("a", Basic, true).unwrap().find("aba", 1), Ok(Some((2, 3))));
        assert_eq!(Pattern::any(&["b", "a|abc"], Extended, false).unwrap().find("xabcd", 0), Ok(Some((1, 4))));
    }

    #[test]
    fn refuses_what_is_broken_or_too_large() {
        for pattern in [
            "(",
            "a{255}{255}",
            "(){255}{255}{255}{255}{255}",
            "[a",
            "a{2",
            "a{3,2}",
            "\\1",
            &"(".repeat(10_000),
            &format!("a{}", "+".repeat(10_000)),
            &format!("[{}]{{255}}", "a".repeat(1000)),
            &"a".repeat(1 << 20),
        ] {
            assert!(Pattern::new(pattern, Syntax::Extended, false).is_err(), "{pattern:.20}");
        }
        let slow = Pattern::new("(a|aa)*(a|aa)*b", Syntax::Extended, false).unwrap();
        assert_eq!(slow.find(&"a".repeat(20_000), 0), Ok(None));
        // Each of the searches looks at all that is left.
        let greedy = Pattern::new("a(.*b)?", Syntax::Extended, false).unwrap();
        greedy.steps.set(1_000_000);
        let line = "a".repeat(100_000);
        let broken = (0..line.len()).find_map(|at| greedy.find(&line, at).err());
        assert_eq!(broken, Some("This search takes too long for this shell"));
    }
}
