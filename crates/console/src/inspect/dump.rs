//! Bytes out of what people paste: a hex dump (`hexdump -C`, `xxd`), base64, what `etcdctl get -w json` prints, or the
//! bytes themselves.
//!
//! A dump with a gap is refused with the line of the gap: bytes that are guessed would decrypt to nonsense.

use portcullis_core::manifest::{Value, base64, json};

/// Key and value in what `etcdctl get -w json` prints; `None` where `input` is something else.
pub(super) fn response(input: &[u8]) -> Option<Result<(String, Vec<u8>), String>> {
    let text = std::str::from_utf8(input).ok().filter(|text| text.trim_start().starts_with('{'))?;
    let response = json::parse(text).ok()?;
    let pairs = response.get("kvs").or(response.get("header").map(|_| &Value::Null))?.as_array();
    let pairs = pairs.map_or(&[][..], Vec::as_slice);
    let [pair] = pairs else {
        return Some(Err(format!("the response holds {} values: get one key at a time", pairs.len())));
    };
    let bytes = |name: &str| {
        let text = pair.get(name).and_then(Value::as_str).unwrap_or_default();
        base64::decode(text.as_bytes()).map_err(|error| format!("{name}: {error}"))
    };
    Some(bytes("key").and_then(|key| Ok((String::from_utf8_lossy(&key).into_owned(), bytes("value")?))))
}

/// The bytes of `input`; the error says what is wrong and where.
pub(super) fn read(input: &[u8]) -> Result<Vec<u8>, String> {
    let Ok(text) = std::str::from_utf8(input) else { return Ok(input.to_vec()) };
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    match offset(first.trim_start()) {
        Some((_, Form::Hexdump | Form::Xxd, _)) => hex(text),
        _ if text.starts_with("/registry/") || text.starts_with("k8s") || first.trim_start().starts_with('{') => {
            Ok(input.to_vec())
        }
        _ => base64::decode(text.trim().as_bytes())
            .map_err(|error| format!("this is no hex dump, and no base64 either: {error}")),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `00000000  2f 72 ...  |/r...|`
    Hexdump,
    /// `00000000: 2f72 ...  /r...`
    Xxd,
    /// The last line of hexdump: an offset alone.
    End,
}

/// The offset that a line begins with, and what follows.
fn offset(line: &str) -> Option<(usize, Form, &str)> {
    let digits = line.len() - line.trim_start_matches(|c: char| c.is_ascii_hexdigit()).len();
    let (number, rest) = line.split_at_checked(digits).filter(|_| digits >= 7)?;
    let number = usize::from_str_radix(number, 16).ok()?;
    if let Some(rest) = rest.strip_prefix(':') {
        return Some((number, Form::Xxd, rest));
    }
    if rest.trim().is_empty() {
        return Some((number, Form::End, ""));
    }
    rest.starts_with(' ').then_some((number, Form::Hexdump, rest))
}

fn hex(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes: Vec<u8> = Vec::new();
    let mut repeated = false;
    for (number, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line.trim())) {
        if line.is_empty() {
            continue;
        }
        if line == "*" {
            repeated = true;
            continue;
        }
        let Some((at, form, rest)) = offset(line) else {
            return Err(format!(
                "line {number} is no line of a hex dump: {line:?}. Bytes that are left out cannot be guessed: paste the whole dump."
            ));
        };
        if std::mem::take(&mut repeated) {
            // hexdump writes one `*` for lines that are equal to the one before.
            let last: Vec<u8> = bytes.iter().rev().take(16).rev().copied().collect();
            // An offset that a person mistyped may be huge.
            while bytes.len() < at && bytes.len() < 64 << 20 && last.len() == 16 {
                bytes.extend(&last);
            }
        }
        if at != bytes.len() {
            return Err(format!(
                "line {number} begins at byte {at}, but {} bytes stand before it: the dump has a gap, or a line twice",
                bytes.len()
            ));
        }
        if form == Form::End {
            break;
        }
        let shown = match form {
            Form::Xxd => rest.trim_start().split("  ").next().unwrap_or_default(),
            _ => rest.split('|').next().unwrap_or_default(),
        };
        for group in shown.split_whitespace() {
            let digits: Option<Vec<u8>> =
                group.chars().map(|digit| digit.to_digit(16).map(|digit| digit as u8)).collect();
            match digits {
                Some(digits) if digits.len() % 2 == 0 => {
                    bytes.extend(
                        digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, digit| byte * 16 + digit)),
                    );
                }
                _ => return Err(format!("line {number}: {group:?} is no byte")),
            }
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        type Row<'a> = (&'a [u8], Result<&'a [u8], &'a str>);
        let rows: [Row<'_>; 13] = [
            (b"00000000  6b 38 73 00                                       |k8s.|\n00000004\n", Ok(b"k8s\0")),
            (b"00000000: 6b38 7300                                k8s.\n", Ok(b"k8s\0")),
            (b"azhzAA==\n", Ok(b"k8s\0")),
            (b"k8s\0\xff", Ok(b"k8s\0\xff")),
            (b"k8s:enc:aescbc:v1:", Ok(b"k8s:enc:aescbc:v1:")),
            (b"{}", Ok(b"{}")),
            (b"/registry/a\nx", Ok(b"/registry/a\nx")),
            (
                b"00000000  61 61 61 61 61 61 61 61  61 61 61 61 61 61 61 61  |aaaaaaaaaaaaaaaa|\n*\n00000030  62 |b|\n00000031\n",
                Ok(b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"),
            ),
            (b"00000000  61 |a|\n...\n00000002", Err("line 2 is no line of a hex dump: \"...\".")),
            (b"00000000  61 |a|\n00000010  62 |b|", Err("line 2 begins at byte 16, but 1 bytes stand before it")),
            (b"00000000  61 6 |a|", Err("line 1: \"6\" is no byte")),
            (b"00000000  61[..] |a|", Err("line 1: \"61[..]\" is no byte")),
            (b"hello", Err("this is no hex dump, and no base64 either: illegal base64 data at input byte 4")),
        ];
        for (input, expected) in rows {
            match (read(input), expected) {
                (Ok(bytes), Ok(expected)) => assert_eq!(bytes, expected),
                (Err(error), Err(start)) => assert!(error.starts_with(start), "{error}"),
                (found, _) => panic!("{input:?}: {found:?}"),
            }
        }
    }
}
