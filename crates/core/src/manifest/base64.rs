//! Base64 as Go's `encoding/base64` decodes it: standard alphabet, padding required, line breaks skipped.
//!
//! Kubernetes prints Go's error text, which names the byte: every reader of base64 that shows an error uses this one.

/// The decoded bytes; or Go's error: `illegal base64 data at input byte 4`.
pub fn decode(text: &[u8]) -> Result<Vec<u8>, String> {
    let corrupt = |at: usize| format!("illegal base64 data at input byte {at}");
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let mut at = 0;
    loop {
        let mut quantum = [0u8; 4];
        let mut filled = 0;
        while filled < 4 {
            let Some(&byte) = text.get(at) else {
                return if filled == 0 { Ok(bytes) } else { Err(corrupt(at - filled)) };
            };
            at += 1;
            match (value(byte), byte) {
                (Some(bits), _) => {
                    if let Some(slot) = quantum.get_mut(filled) {
                        *slot = bits;
                    }
                    filled += 1;
                }
                (None, b'\r' | b'\n') => {}
                (None, b'=') if filled >= 2 => {
                    if filled == 2 {
                        at = skip_breaks(text, at);
                        match text.get(at) {
                            None => return Err(corrupt(text.len())),
                            Some(b'=') => at += 1,
                            Some(_) => return Err(corrupt(at - 1)),
                        }
                    }
                    at = skip_breaks(text, at);
                    if at < text.len() {
                        return Err(corrupt(at));
                    }
                    bytes.extend(join(quantum).into_iter().take(filled - 1));
                    return Ok(bytes);
                }
                (None, _) => return Err(corrupt(at - 1)),
            }
        }
        bytes.extend(join(quantum));
    }
}

fn value(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

fn join([a, b, c, d]: [u8; 4]) -> [u8; 3] {
    [a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d]
}

fn skip_breaks(text: &[u8], from: usize) -> usize {
    let breaks = text.iter().skip(from).take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    from + breaks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_byte_that_go_names() {
        let at = |text: &str| decode(text.as_bytes()).map_err(|error| error.rsplit(' ').next().unwrap().to_string());
        for (text, expected) in [
            ("", Ok("")),
            ("Zm9v", Ok("foo")),
            ("Zm9vYg==", Ok("foob")),
            ("Zm9vYmE=", Ok("fooba")),
            ("Zm9v\r\nYmE=\n", Ok("fooba")),
            ("Zm9vYh==", Ok("foob")),
            ("Zm9v!", Err("4")),
            ("hello", Err("4")),
            ("k8s:en", Err("3")),
            ("\0", Err("0")),
            ("Zm9", Err("0")),
            ("Zm9vYg", Err("4")),
            ("Zm9vYg=", Err("7")),
            ("Zm9vYg=a", Err("6")),
            ("Zm9vYg==a", Err("8")),
            ("=", Err("0")),
            ("Z=", Err("1")),
            ("Zm9_", Err("3")),
        ] {
            let expected = expected.map(|text: &str| text.as_bytes().to_vec()).map_err(str::to_string);
            assert_eq!(at(text), expected, "{text:?}");
        }
    }
}
