//! Values as YAML in go-yaml v2's style: `kubectl get -o yaml`, `Accept: application/yaml`.
//!
//! Behaviour: `gopkg.in/yaml.v2` `encode.go`, `sorter.go`, `emitterc.go`: keys sorted, two spaces, sequences not indented
//! below their key, lines folded after column 80.

use std::cmp::Ordering;
use std::fmt::Write as _;

use serde_json::Value;

use super::scalar::needs_quotes;

const BEST_WIDTH: usize = 80;

/// The YAML document of `value`, with a newline at its end.
pub fn to_string(value: &Value) -> String {
    write(value, true)
}

/// As today's writers do: members in the order in which they stand, and quotes around what YAML 1.1 takes for a date.
pub fn to_string_in_order(value: &Value) -> String {
    write(value, false)
}

fn write(value: &Value, sorted: bool) -> String {
    let mut writer = Writer { out: String::new(), column: 0, sorted };
    match value {
        Value::Object(_) | Value::Array(_) => writer.block(value, 0),
        scalar => writer.scalar(scalar, 2, false),
    }
    if writer.column > 0 {
        writer.out.push('\n');
    }
    writer.out
}

/// `2017-07-04`, with or without a time.
fn is_date(text: &str) -> bool {
    let shape = b"0000-00-00".iter();
    text.len() >= 10
        && shape.zip(text.bytes()).all(|(shape, byte)| *shape == if byte.is_ascii_digit() { b'0' } else { byte })
}

struct Writer {
    out: String,
    column: usize,
    sorted: bool,
}

impl Writer {
    fn push(&mut self, char: char) {
        self.out.push(char);
        self.column = if char == '\n' { 0 } else { self.column + 1 };
    }

    fn text(&mut self, text: &str) {
        text.chars().for_each(|char| self.push(char));
    }

    /// A fresh line, indented; nothing where the line at hand is still empty up to there.
    fn line(&mut self, indent: usize) {
        if self.column > indent || (self.column == indent && indent > 0 && !self.out.ends_with(' ')) {
            self.push('\n');
        }
        while self.column < indent {
            self.push(' ');
        }
    }

    /// A collection whose first line begins at the column at hand (`indent`).
    fn block(&mut self, value: &Value, indent: usize) {
        match value {
            Value::Object(members) if !members.is_empty() => {
                let mut members: Vec<_> = members.iter().collect();
                if self.sorted {
                    crate::sort::by(&mut members, |(a, _), (b, _)| order(a, b));
                }
                for (index, (key, member)) in members.into_iter().enumerate() {
                    if index > 0 {
                        self.line(indent);
                    }
                    self.member(key, member, indent);
                }
            }
            Value::Array(items) if !items.is_empty() => {
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        self.line(indent);
                    }
                    self.text("- ");
                    self.block(item, indent + 2);
                }
            }
            Value::Object(_) => self.text("{}"),
            Value::Array(_) => self.text("[]"),
            scalar => self.scalar(scalar, indent, false),
        }
    }

    fn member(&mut self, key: &str, member: &Value, indent: usize) {
        // A key of more than 128 bytes or several lines cannot stand before a colon.
        if key.len() > 128 || key.contains('\n') {
            self.text("? ");
            self.string(key, indent + 2, false);
            self.line(indent);
            self.text(":");
        } else {
            self.string(key, indent, true);
            self.text(":");
        }
        match member {
            Value::Object(members) if !members.is_empty() => {
                self.line(indent + 2);
                self.block(member, indent + 2);
            }
            Value::Array(items) if !items.is_empty() => {
                self.push('\n');
                self.line(indent);
                self.block(member, indent);
            }
            _ => {
                self.push(' ');
                self.block(member, indent + 2);
            }
        }
    }

    fn scalar(&mut self, value: &Value, indent: usize, key: bool) {
        match value {
            Value::String(text) => self.string(text, indent, key),
            other => {
                let mut text = String::new();
                let _ = write!(text, "{other}");
                self.text(&text);
            }
        }
    }

    fn string(&mut self, text: &str, indent: usize, key: bool) {
        let found = Analysis::of(text);
        if needs_quotes(text) || (key && found.multiline) || (!self.sorted && is_date(text)) {
            self.double_quoted(text, indent, key);
        } else if text.contains('\n') {
            if found.block && !key { self.literal(text, indent) } else { self.double_quoted(text, indent, key) }
        } else if found.plain {
            self.folded(text, indent, key, false);
        } else if found.single_quoted {
            self.push('\'');
            self.folded(text, indent, key, true);
            self.push('\'');
        } else {
            self.double_quoted(text, indent, key);
        }
    }

    /// Plain and single-quoted text: one space past column 80 may become a line break.
    fn folded(&mut self, text: &str, indent: usize, key: bool, quoted: bool) {
        let mut after_space = false;
        let mut chars = text.char_indices().peekable();
        while let Some((at, char)) = chars.next() {
            let next = chars.peek().map(|(_, next)| *next);
            let inside = !quoted || (at > 0 && next.is_some());
            if char == ' ' && !key && !after_space && self.column > BEST_WIDTH && inside && next != Some(' ') {
                self.line(indent);
            } else {
                if quoted && char == '\'' {
                    self.push('\'');
                }
                self.push(char);
            }
            after_space = char == ' ';
        }
    }

    fn double_quoted(&mut self, text: &str, indent: usize, key: bool) {
        self.push('"');
        let mut after_space = false;
        let mut chars = text.char_indices().peekable();
        while let Some((at, char)) = chars.next() {
            let next = chars.peek().map(|(_, next)| *next);
            if char == ' ' && !key && !after_space && self.column > BEST_WIDTH && at > 0 && next.is_some() {
                self.line(indent);
                if next == Some(' ') {
                    self.push('\\');
                }
            } else {
                self.escaped(char);
            }
            after_space = char == ' ';
        }
        self.push('"');
    }

    fn escaped(&mut self, char: char) {
        let short = match char {
            '\0' => '0',
            '\x07' => 'a',
            '\x08' => 'b',
            '\t' => 't',
            '\n' => 'n',
            '\x0b' => 'v',
            '\x0c' => 'f',
            '\r' => 'r',
            '\x1b' => 'e',
            '"' | '\\' => char,
            '\u{85}' => 'N',
            '\u{a0}' if !printable(char) => '_',
            '\u{2028}' => 'L',
            '\u{2029}' => 'P',
            _ if printable(char) => return self.push(char),
            _ => {
                let code = u32::from(char);
                let mut text = String::new();
                let _ = match code {
                    0..=0xff => write!(text, "\\x{code:02X}"),
                    0x100..=0xffff => write!(text, "\\u{code:04X}"),
                    _ => write!(text, "\\U{code:08X}"),
                };
                return self.text(&text);
            }
        };
        self.push('\\');
        self.push(short);
    }

    fn literal(&mut self, text: &str, indent: usize) {
        self.push('|');
        if text.starts_with([' ', '\n']) {
            self.push('2');
        }
        if !text.ends_with('\n') {
            self.push('-');
        } else if text == "\n" || text.ends_with("\n\n") {
            self.push('+');
        }
        self.push('\n');
        let mut fresh = true;
        for char in text.chars() {
            if char == '\n' {
                self.push('\n');
                fresh = true;
                continue;
            }
            if fresh {
                while self.column < indent {
                    self.push(' ');
                }
            }
            fresh = false;
            self.push(char);
        }
    }
}

/// Which styles a string can be written in.
struct Analysis {
    multiline: bool,
    plain: bool,
    single_quoted: bool,
    block: bool,
}

impl Analysis {
    fn of(text: &str) -> Self {
        let (mut indicator, mut special, mut multiline) =
            (text.starts_with("---") || text.starts_with("..."), false, false);
        let (mut space_then_break, mut break_then_space) = (false, false);
        let mut previous = None;
        let mut chars = text.chars().peekable();
        while let Some(char) = chars.next() {
            let before_blank = chars.peek().is_none_or(|next| matches!(next, ' ' | '\t'));
            indicator |= match (previous, char) {
                (
                    None,
                    '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`',
                ) => true,
                (None, '?' | '-') | (_, ':') => before_blank,
                (Some(before), '#') => matches!(before, ' ' | '\t') || is_break(before),
                _ => false,
            };
            special |= !printable(char);
            multiline |= is_break(char);
            space_then_break |= is_break(char) && previous == Some(' ');
            break_then_space |= char == ' ' && previous.is_some_and(is_break);
            previous = Some(char);
        }
        let blank = |char: Option<char>| char.is_some_and(|char| char == ' ' || is_break(char));
        let edge = blank(text.chars().next()) || blank(previous);
        let quotable = !space_then_break && !special;
        Self {
            multiline,
            plain: !indicator && !edge && !multiline && quotable,
            single_quoted: !break_then_space && quotable,
            block: previous.is_some_and(|last| last != ' ') && quotable,
        }
    }
}

fn is_break(char: char) -> bool {
    matches!(char, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// What libyaml writes as it is; it escapes everything outside the basic plane.
fn printable(char: char) -> bool {
    matches!(char, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}')
}

/// Letters after everything else, runs of digits by their number.
fn order(a: &str, b: &str) -> Ordering {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let Some(at) = a.iter().zip(&b).position(|(a, b)| a != b) else { return a.len().cmp(&b.len()) };
    let (rest_a, rest_b) = (a.get(at..).unwrap_or_default(), b.get(at..).unwrap_or_default());
    let (first_a, first_b) = (rest_a.first(), rest_b.first());
    let letter = |char: Option<&char>| char.is_some_and(|char| char.is_alphabetic());
    match (letter(first_a), letter(first_b)) {
        (true, true) => first_a.cmp(&first_b),
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => {
            let number = |rest: &[char]| {
                let digits = rest.iter().map_while(|char| char.to_digit(10));
                let length = digits.clone().count();
                (digits.fold(0_u64, |sum, digit| sum.wrapping_mul(10).wrapping_add(u64::from(digit))), length)
            };
            number(rest_a).cmp(&number(rest_b)).then(first_a.cmp(&first_b))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_go_yaml_writes_them() {
        let long = "word ".repeat(30);
        let long = long.trim();
        for (json, expected) in [
            (
                r#"{"b":1,"a":[{"x":[],"w":{}},[1,"2"]],"c":{"d":null}}"#,
                "a:\n- w: {}\n  x: []\n- - 1\n  - \"2\"\nb: 1\nc:\n  d: null\n",
            ),
            (
                r#"{"a10":1,"a9":1,"_":1,"B":1,"a-b":1,"a.b":1,"ab":1}"#,
                "_: 1\nB: 1\na-b: 1\na.b: 1\na9: 1\na10: 1\nab: 1\n",
            ),
            (
                r##"["", "yes", "a: b", "a:b", "- a", "-a", "#", "a #b", " a", "it's", "'a'", "*", "/api/*", "a\tb", "é", "😀", "<<"]"##,
                "- \"\"\n- \"yes\"\n- 'a: b'\n- a:b\n- '- a'\n- -a\n- '#'\n- 'a #b'\n- ' a'\n- it's\n- '''a'''\n- '*'\n- /api/*\n- \"a\\tb\"\n- é\n- \"\\U0001F600\"\n- <<\n",
            ),
            (
                r#"{"a":"x\ny\n","b":"x\ny","c":"x\n\n","d":" x\n","e":"\n","f":"x \ny"}"#,
                "a: |\n  x\n  y\nb: |-\n  x\n  y\nc: |+\n  x\n\nd: |2\n   x\ne: |2+\n\nf: \"x \\ny\"\n",
            ),
            (r#""just""#, "just\n"),
            ("[]", "[]\n"),
            ("{}", "{}\n"),
        ] {
            assert_eq!(to_string(&serde_json::from_str(json).unwrap()), expected, "{json}");
        }
        let folded = to_string(&serde_json::json!({"a": {"b": long}}));
        assert!(folded.lines().count() == 2 + 1, "{folded}");
        assert!(folded.lines().nth(2).unwrap().starts_with("    word"), "{folded}");
    }
}
