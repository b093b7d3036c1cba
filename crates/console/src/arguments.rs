//! Command lines taken apart as getopt_long does: `-kD -`, `-n5`, `--name=value`, `--`.

use std::fmt;

/// One part of a command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument<'a> {
    /// `-k`, alone or in a cluster.
    Short(char),
    /// `--name`, without its value.
    Long(&'a str),
    /// A value behind `=` that the option before did not want.
    Excess(&'a str),
    /// Anything else; `-` too.
    Operand(&'a str),
}

impl fmt::Display for Argument<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short(option) => write!(formatter, "-{option}"),
            Self::Long(option) => write!(formatter, "--{option}"),
            Self::Excess(value) => write!(formatter, "={value}"),
            Self::Operand(word) => formatter.write_str(word),
        }
    }
}

/// The parts of a command line, one after another.
#[derive(Clone, Debug)]
pub struct Arguments<'a> {
    words: std::slice::Iter<'a, String>,
    cluster: &'a str,
    value: Option<&'a str>,
    operands_only: bool,
}

impl<'a> Arguments<'a> {
    /// Takes `words` apart.
    pub fn new(words: &'a [String]) -> Self {
        Self { words: words.iter(), cluster: "", value: None, operands_only: false }
    }

    /// How many words are still to come.
    pub fn left(&self) -> usize {
        self.words.len()
    }

    /// The value of the option that came last: what stands behind it in the same word, or the next word.
    pub fn value(&mut self) -> Option<&'a str> {
        if let Some(value) = self.value.take() {
            return Some(value);
        }
        match std::mem::take(&mut self.cluster) {
            "" => self.words.next().map(String::as_str),
            rest => Some(rest),
        }
    }
}

impl<'a> Iterator for Arguments<'a> {
    type Item = Argument<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(value) = self.value.take() {
            return Some(Argument::Excess(value));
        }
        let mut rest = self.cluster.chars();
        if let Some(option) = rest.next() {
            self.cluster = rest.as_str();
            return Some(Argument::Short(option));
        }
        let word = self.words.next()?.as_str();
        if self.operands_only || word == "-" || !word.starts_with('-') {
            return Some(Argument::Operand(word));
        }
        if word == "--" {
            self.operands_only = true;
            return self.next();
        }
        match word.strip_prefix("--") {
            Some(long) => match long.split_once('=') {
                Some((name, value)) => {
                    self.value = Some(value);
                    Some(Argument::Long(name))
                }
                None => Some(Argument::Long(long)),
            },
            None => {
                self.cluster = word.get(1..).unwrap_or_default();
                self.next()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_command_lines_apart() {
        let words: Vec<String> =
            ["-kD", "-", "-n5", "--a=b", "--c", "d", "--e=f", "x", "--", "-y"].map(str::to_owned).into();
        let mut arguments = Arguments::new(&words);
        assert_eq!(arguments.next(), Some(Argument::Short('k')));
        assert_eq!(arguments.next(), Some(Argument::Short('D')));
        assert_eq!(arguments.value(), Some("-"));
        assert_eq!(arguments.next(), Some(Argument::Short('n')));
        assert_eq!(arguments.value(), Some("5"));
        assert_eq!(arguments.next(), Some(Argument::Long("a")));
        assert_eq!(arguments.value(), Some("b"));
        assert_eq!(arguments.next(), Some(Argument::Long("c")));
        assert_eq!(arguments.value(), Some("d"));
        assert_eq!(arguments.next(), Some(Argument::Long("e")));
        assert_eq!(arguments.next(), Some(Argument::Excess("f")));
        assert_eq!(arguments.next(), Some(Argument::Operand("x")));
        assert_eq!(arguments.next(), Some(Argument::Operand("-y")));
        assert_eq!(arguments.next(), None);
    }
}
