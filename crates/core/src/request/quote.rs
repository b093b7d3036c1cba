//! How Go prints a string in an error message: `%q`, and what the API server does to it before it reaches a browser.
//!
//! Behaviour: `strconv.Quote`; `sanitizer` of `apiserver/pkg/endpoints/handlers/responsewriters/errors.go`.

use std::fmt::Write;

/// Go's `%q` of a string.
pub fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for char in text.chars() {
        let escape = match char {
            '"' => Some('"'),
            '\\' => Some('\\'),
            '\x07' => Some('a'),
            '\x08' => Some('b'),
            '\x0c' => Some('f'),
            '\n' => Some('n'),
            '\r' => Some('r'),
            '\t' => Some('t'),
            '\x0b' => Some('v'),
            _ => None,
        };
        match (escape, u32::from(char)) {
            (Some(letter), _) => quoted.extend(['\\', letter]),
            (None, _) if is_print(char) => quoted.push(char),
            // A `String` takes what is written to it.
            (None, code @ (..0x20 | 0x7f)) => drop(write!(quoted, "\\x{code:02x}")),
            (None, code @ ..0x1_0000) => drop(write!(quoted, "\\u{code:04x}")),
            (None, code) => drop(write!(quoted, "\\U{code:08x}")),
        }
    }
    quoted.push('"');
    quoted
}

/// Go's `strconv.IsPrint`: letters, marks, numbers, punctuation, symbols and the ASCII space.
fn is_print(char: char) -> bool {
    // Rust asks the same question when it escapes for `Debug`. It also escapes a combining mark where that would join
    // the quotation mark before it, hence the letter in front.
    char == '\'' || ["a", char.encode_utf8(&mut [0; 4])].concat().escape_debug().nth(1) == Some(char)
}

/// Makes `text` harmless for a browser that takes it for HTML.
pub fn sanitize(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_as_go_does() {
        for (text, quoted) in [
            ("", r#""""#),
            ("bob", r#""bob""#),
            ("bo\"b\\", r#""bo\"b\\""#),
            ("it's", r#""it's""#),
            ("a\nb\tc\r\x07\x08\x0b\x0c", r#""a\nb\tc\r\a\b\v\f""#),
            ("\0\x1b\x7f", r#""\x00\x1b\x7f""#),
            ("ü 😀 e\u{301}\u{301}", "\"ü 😀 e\u{301}\u{301}\""),
            ("\u{ad}\u{a0}\u{2028}\u{feff}", r#""\u00ad\u00a0\u2028\ufeff""#),
            ("\u{e0001}\u{80}", r#""\U000e0001\u0080""#),
        ] {
            assert_eq!(quote(text), quoted);
        }
    }

    #[test]
    fn no_markup_survives() {
        assert_eq!(sanitize(r#"<b>&amp;"'"#), r#"&lt;b&gt;&amp;amp;"'"#);
    }
}
