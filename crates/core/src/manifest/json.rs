//! JSON as Go's `encoding/json` reads and writes it: its error texts, its escapes, its indentation.

use std::fmt::Write as _;
use std::rc::Rc;

use serde_json::Number;

use super::{Map, OriginBuilder, PathStep, Value, float};

/// Deeper texts are refused: no Kubernetes object comes near it, and reading is recursive.
pub(super) const MAX_DEPTH: usize = 256;

/// Why a text is no JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// In the words of `encoding/json`: `invalid character '}' looking for beginning of value`.
    pub message: String,
    /// Byte offset in the text.
    pub offset: usize,
}

/// Reads a text that is one JSON value. Of two members of one name the last counts.
pub fn parse(text: &str) -> Result<Value, Error> {
    let mut reader = Reader::new(text, 1);
    let value = reader.value(PathStep::Index(0), 0)?;
    reader.space();
    match reader.peek() {
        None => Ok(value),
        Some(_) => Err(reader.unexpected("after top-level value")),
    }
}

/// An object of these members.
pub fn object<const N: usize>(mut members: [(&str, Value); N]) -> Value {
    take(&mut members)
}

/// One for all lengths.
fn take(members: &mut [(&str, Value)]) -> Value {
    members.iter_mut().map(|(name, value)| ((*name).to_owned(), value.take())).collect()
}

/// Compact JSON. `<`, `>`, `&` and the line separators are escaped, as Go does for HTML's sake.
pub fn to_string(value: &Value) -> String {
    let mut out = String::new();
    write(&mut out, value, None, 0);
    out
}

/// JSON with each level indented by `indent`; empty collections stay on one line.
pub fn to_string_pretty(value: &Value, indent: &str) -> String {
    let mut out = String::new();
    write(&mut out, value, Some(indent), 0);
    out
}

fn write(out: &mut String, value: &Value, indent: Option<&str>, depth: usize) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => {
            let _ = write!(out, "{number}");
        }
        Value::String(text) => write_string(out, text),
        Value::Array(items) if items.is_empty() => out.push_str("[]"),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                separate(out, index, indent, depth + 1);
                write(out, item, indent, depth + 1);
            }
            new_line(out, indent, depth);
            out.push(']');
        }
        Value::Object(members) if members.is_empty() => out.push_str("{}"),
        Value::Object(members) => {
            out.push('{');
            for (index, (key, member)) in members.iter().enumerate() {
                separate(out, index, indent, depth + 1);
                write_string(out, key);
                out.push_str(if indent.is_some() { ": " } else { ":" });
                write(out, member, indent, depth + 1);
            }
            new_line(out, indent, depth);
            out.push('}');
        }
    }
}

fn separate(out: &mut String, index: usize, indent: Option<&str>, depth: usize) {
    if index > 0 {
        out.push(',');
    }
    new_line(out, indent, depth);
}

fn new_line(out: &mut String, indent: Option<&str>, depth: usize) {
    if let Some(indent) = indent {
        out.push('\n');
        (0..depth).for_each(|_| out.push_str(indent));
    }
}

/// Appends `text` as a JSON string with Go's escapes.
pub(crate) fn write_string(out: &mut String, text: &str) {
    out.push('"');
    // Most texts have nothing to escape: they are copied in runs.
    let mut copied = 0;
    for (at, char) in text.char_indices() {
        let escape = match char {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\x1f' => "",
            _ => continue,
        };
        out.push_str(text.get(copied..at).unwrap_or_default());
        out.push_str(escape);
        if escape.is_empty() {
            let _ = write!(out, "\\u{:04x}", u32::from(char));
        }
        copied = at + char.len_utf8();
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    out.push('"');
}

/// Reads values one after another and keeps the lines of the last one.
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
    line: u32,
    pub(super) origin: OriginBuilder,
}

impl<'a> Reader<'a> {
    /// A reader of `text`, whose first line is `first_line`.
    pub(super) fn new(text: &'a str, first_line: u32) -> Self {
        Self { text, at: 0, line: first_line, origin: OriginBuilder::default() }
    }

    /// The next value and its origin; `None` behind the last one.
    pub(super) fn next(&mut self, file: &Rc<str>) -> Option<Result<(Value, super::Origin), Error>> {
        self.next_below(0, file)
    }

    /// The same of a text that stands so many levels deep.
    pub(super) fn next_below(&mut self, depth: usize, file: &Rc<str>) -> Option<Result<(Value, super::Origin), Error>> {
        self.space();
        self.peek()?;
        self.origin = OriginBuilder::default();
        let value = self.value(PathStep::Index(0), depth);
        Some(value.map(|value| (value, std::mem::take(&mut self.origin).finish(file.clone()))))
    }

    pub(super) fn line(&self) -> u32 {
        self.line
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while let Some(byte @ (b' ' | b'\t' | b'\r' | b'\n')) = self.peek() {
            self.line += u32::from(byte == b'\n');
            self.at += 1;
        }
    }

    fn error(&self, message: String) -> Error {
        Error { message, offset: self.at }
    }

    /// The error for the byte at hand. Go names the byte, not the character.
    fn unexpected(&self, context: &str) -> Error {
        match self.peek() {
            None => self.error("unexpected end of JSON input".into()),
            Some(byte) => {
                let shown = match byte {
                    b'\'' => "\\'".to_owned(),
                    b'\n' => "\\n".to_owned(),
                    b'\r' => "\\r".to_owned(),
                    b'\t' => "\\t".to_owned(),
                    b'\\' => "\\\\".to_owned(),
                    0..0x20 | 0x7f => format!("\\x{byte:02x}"),
                    0x80..=0xa0 | 0xad => format!("\\u{byte:04x}"),
                    _ => char::from(byte).to_string(),
                };
                self.error(format!("invalid character '{shown}' {context}"))
            }
        }
    }

    fn value(&mut self, step: PathStep<'_>, depth: usize) -> Result<Value, Error> {
        self.space();
        if depth > MAX_DEPTH {
            return Err(self.error(format!("nested deeper than {MAX_DEPTH} levels")));
        }
        self.origin.open(step, self.line);
        let value = match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(Value::String),
            Some(b't') => self.literal("true", Value::Bool(true)),
            Some(b'f') => self.literal("false", Value::Bool(false)),
            Some(b'n') => self.literal("null", Value::Null),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.unexpected("looking for beginning of value")),
        }?;
        self.origin.close(self.line);
        Ok(value)
    }

    fn object(&mut self, depth: usize) -> Result<Value, Error> {
        let mut members = Map::new();
        self.at += 1;
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Object(members));
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return Err(self.unexpected("looking for beginning of object key string"));
            }
            let key = self.string()?;
            self.space();
            if self.peek() != Some(b':') {
                return Err(self.unexpected("after object key"));
            }
            self.at += 1;
            let member = self.value(PathStep::Key(&key), depth + 1)?;
            members.insert(key, member);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Value::Object(members));
                }
                _ => return Err(self.unexpected("after object key:value pair")),
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value, Error> {
        let mut items = Vec::new();
        self.at += 1;
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::Array(items));
        }
        loop {
            items.push(self.value(PathStep::Index(items.len()), depth + 1)?);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Value::Array(items));
                }
                _ => return Err(self.unexpected("after array element")),
            }
        }
    }

    fn literal(&mut self, word: &str, value: Value) -> Result<Value, Error> {
        for expected in word.chars() {
            if self.peek().map(char::from) != Some(expected) {
                return Err(self.unexpected(&format!("in literal {word} (expecting '{expected}')")));
            }
            self.at += 1;
        }
        Ok(value)
    }

    fn digits(&mut self, context: &str) -> Result<(), Error> {
        if !self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            return Err(self.unexpected(context));
        }
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<Value, Error> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            _ => self.digits("in numeric literal")?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits("after decimal point in numeric literal")?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits("in exponent of numeric literal")?;
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        match integer(text) {
            Some(number) => Ok(Value::Number(number)),
            None => float::parse(text)
                .and_then(float)
                .map(Value::Number)
                .ok_or_else(|| self.error(format!("number {text} is out of range"))),
        }
    }

    fn string(&mut self) -> Result<String, Error> {
        let mut text = String::new();
        self.at += 1;
        loop {
            let start = self.at;
            while self.peek().is_some_and(|byte| byte != b'"' && byte != b'\\' && byte >= 0x20) {
                self.at += 1;
            }
            text.push_str(self.text.get(start..self.at).unwrap_or_default());
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => {
                    self.at += 1;
                    text.push(self.escape()?);
                }
                _ => return Err(self.unexpected("in string literal")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Error> {
        let char = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                let high = self.hex()?;
                // A surrogate without its other half becomes U+FFFD, and what follows it stays.
                if !(0xd800..0xdc00).contains(&high) || self.text.get(self.at..self.at + 2) != Some("\\u") {
                    return Ok(char::from_u32(high).unwrap_or('\u{fffd}'));
                }
                let back = self.at;
                self.at += 2;
                let low = self.hex()?;
                if (0xdc00..0xe000).contains(&low) {
                    let code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                    return Ok(char::from_u32(code).unwrap_or('\u{fffd}'));
                }
                self.at = back;
                return Ok('\u{fffd}');
            }
            _ => return Err(self.unexpected("in string escape code")),
        };
        self.at += 1;
        Ok(char)
    }

    fn hex(&mut self) -> Result<u32, Error> {
        let mut code = 0;
        for _ in 0..4 {
            let Some(digit) = self.peek().and_then(|byte| char::from(byte).to_digit(16)) else {
                return Err(self.unexpected("in \\u hexadecimal character escape"));
            };
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }
}

fn integer(text: &str) -> Option<Number> {
    text.parse::<i64>().map(Number::from).or_else(|_| text.parse::<u64>().map(Number::from)).ok()
}

/// A float as Go prints it: whole numbers without a fraction.
pub(super) fn float(value: f64) -> Option<Number> {
    let whole = value.fract() == 0.0 && value.abs() < 9e15;
    if whole { Some(Number::from(value as i64)) } else { Number::from_f64(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_those_of_encoding_json() {
        for (text, expected) in [
            ("", "unexpected end of JSON input"),
            ("{", "unexpected end of JSON input"),
            ("not", "invalid character 'o' in literal null (expecting 'u')"),
            ("x", "invalid character 'x' looking for beginning of value"),
            ("{\"user\":\"b\",}", "invalid character '}' looking for beginning of object key string"),
            ("{a:1}", "invalid character 'a' looking for beginning of object key string"),
            ("{\"a\" 1}", "invalid character '1' after object key"),
            ("{\"a\":1 \"b\"}", "invalid character '\"' after object key:value pair"),
            ("[1 2]", "invalid character '2' after array element"),
            ("[1,]", "invalid character ']' looking for beginning of value"),
            ("1 2", "invalid character '2' after top-level value"),
            ("01", "invalid character '1' after top-level value"),
            ("-x", "invalid character 'x' in numeric literal"),
            ("1.x", "invalid character 'x' after decimal point in numeric literal"),
            ("1ex", "invalid character 'x' in exponent of numeric literal"),
            ("\"\n\"", "invalid character '\\n' in string literal"),
            ("\"\\x\"", "invalid character 'x' in string escape code"),
            ("\"\\u00g0\"", "invalid character 'g' in \\u hexadecimal character escape"),
            ("'a'", "invalid character '\\'' looking for beginning of value"),
        ] {
            assert_eq!(parse(text).unwrap_err().message, expected, "{text}");
        }
        assert!(parse(&"[".repeat(100_000)).unwrap_err().message.starts_with("nested deeper"));
    }

    #[test]
    fn what_is_written_is_what_go_writes() {
        let value =
            parse(r#" {"a":[],"b":{},"c":[1,-2.5,1e3,true,null],"d":"<\u00e9\ud83d\ude00\u2028\ud800>\u0001"} "#)
                .unwrap();
        assert_eq!(
            to_string(&value),
            "{\"a\":[],\"b\":{},\"c\":[1,-2.5,1000,true,null],\"d\":\"\\u003cé😀\\u2028\u{fffd}\\u003e\\u0001\"}"
        );
        assert_eq!(
            to_string_pretty(&parse("{\"a\":[1,{}],\"b\":1}").unwrap(), "  "),
            "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": 1\n}"
        );
    }
}
