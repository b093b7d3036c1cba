//! What a plain scalar means: YAML 1.1 as go-yaml v2 resolves it (`resolve.go`).

use serde_json::{Number, Value};

use crate::manifest::{float, json};

/// The value of a plain scalar; `None` for a float that JSON cannot hold (`.inf`, `.nan`).
pub(super) fn resolve(text: &str) -> Option<Value> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Some(Value::Null),
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Some(Value::Bool(true));
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Some(Value::Bool(false));
        }
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf" | "-.Inf"
        | "-.INF" => return None,
        _ => {}
    }
    let number = match text.as_bytes().first() {
        Some(b'.') => float::parse(text).and_then(json::float),
        Some(b'+' | b'-' | b'0'..=b'9') => number(&text.replace('_', "")),
        _ => None,
    };
    Some(number.map_or_else(|| Value::String(text.to_owned()), Value::Number))
}

/// Integers in Go's base-prefix notation, then floats, whose exponent must have a sign.
fn number(text: &str) -> Option<Number> {
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, text.get(1..)?),
        Some(b'+') => (false, text.get(1..)?),
        _ => (false, text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, digits.get(2..)?),
        [b'0', b'b', ..] => (2, digits.get(2..)?),
        [b'0', _, ..] => (8, digits.get(1..)?),
        _ => (10, digits),
    };
    // `from_str_radix` would take a second sign.
    if digits.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && let Ok(whole) = u64::from_str_radix(digits, radix)
    {
        if !negative {
            return Some(Number::from(whole));
        }
        return i64::try_from(-i128::from(whole)).ok().map(Number::from);
    }
    if yaml_float(text) { float::parse(text).and_then(json::float) } else { None }
}

/// `[-+]?[0-9]*\.?[0-9]+([eE][-+][0-9]+)?`
fn yaml_float(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let whole = match mantissa.split_once('.') {
        Some((before, after)) => digits(before) && !after.is_empty() && digits(after),
        None => !mantissa.is_empty() && digits(mantissa),
    };
    whole
        && exponent.is_none_or(|exponent| {
            exponent.strip_prefix(['-', '+']).is_some_and(|rest| !rest.is_empty() && digits(rest))
        })
}

/// Whether a string must be quoted so that it stays a string.
pub(super) fn needs_quotes(text: &str) -> bool {
    !matches!(resolve(text), Some(Value::String(_))) || base_60(text)
}

/// `[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?`: other YAML readers take it for a number.
fn base_60(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (text, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = text.split(':');
    let first = parts.next().unwrap_or_default();
    let underscored = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    let mut sixties = 0;
    for part in parts {
        sixties += 1;
        if !matches!(part.as_bytes(), [b'0'..=b'9'] | [b'0'..=b'5', b'0'..=b'9']) {
            return false;
        }
    }
    sixties > 0 && first.starts_with(|char: char| char.is_ascii_digit()) && underscored(first) && underscored(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_mean_what_go_yaml_takes_them_for() {
        for (text, expected) in [
            ("yes", "true"),
            ("Off", "false"),
            ("y", "true"),
            ("tRue", "\"tRue\""),
            ("~", "null"),
            ("Null", "null"),
            ("0777", "511"),
            ("0o17", "\"0o17\""),
            ("0x1F", "31"),
            ("0b101", "5"),
            ("-0b11", "-3"),
            ("+5", "5"),
            ("1_000", "1000"),
            ("09", "9"),
            ("08.5", "8.5"),
            ("1e3", "\"1e3\""),
            ("1e+3", "1000"),
            ("1.5", "1.5"),
            (".5", "0.5"),
            ("5.", "\"5.\""),
            ("-", "\"-\""),
            ("+", "\"+\""),
            ("12:30", "\"12:30\""),
            ("2017-07-02", "\"2017-07-02\""),
            ("18446744073709551615", "18446744073709551615"),
            ("-9223372036854775808", "-9223372036854775808"),
            ("1.7", "1.7"),
            ("v1", "\"v1\""),
            ("--1", "\"--1\""),
            ("0x", "\"0x\""),
            ("=", "\"=\""),
        ] {
            assert_eq!(resolve(text).unwrap().to_string(), expected, "{text}");
        }
        assert_eq!(resolve(".inf"), None);
    }

    #[test]
    fn strings_that_look_like_something_else_are_quoted() {
        for (text, quoted) in [
            ("yes", true),
            ("1.7", true),
            ("12:30", true),
            ("1:60", false),
            ("1:2:3.5", true),
            ("a", false),
            ("", true),
            ("<<", false),
            ("1e3", false),
        ] {
            assert_eq!(needs_quotes(text), quoted, "{text}");
        }
    }
}
