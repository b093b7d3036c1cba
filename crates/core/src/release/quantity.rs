//! Resource quantities (`100m`, `1.5Gi`, `2e3`) as the API server writes them back.
//!
//! Behaviour: `apimachinery/pkg/api/resource/quantity.go`, `suffix.go`.

pub(super) const WRONG_FORMAT: &str =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const NOT_NUMERIC: &str = "unable to parse numeric part of quantity";
const WRONG_SUFFIX: &str = "unable to parse quantity's suffix";

/// Beyond this many powers of ten nothing is a quantity of anything, and digits would fill the memory.
const MAX_EXPONENT: i32 = 4096;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    DecimalSI,
    DecimalExponent,
    BinarySI,
}

/// `digits` times ten to the `exponent`; the digits have no leading zero, and zero has none at all.
struct Decimal {
    negative: bool,
    digits: Vec<u8>,
    exponent: i32,
}

/// The text in which the server stores and answers the quantity `text`.
///
/// With `milli` it is rounded up to thousandths first, as resource lists are. Errors: the messages of `ParseQuantity`.
pub(super) fn canonical(text: &str, milli: bool) -> Result<String, &'static str> {
    if text.is_empty() {
        return Err(WRONG_FORMAT);
    }
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let digits = |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let rest = rest.trim_start_matches('0');
    let (whole, rest) = rest.split_at_checked(digits(rest)).unwrap_or_default();
    let (fraction, suffix) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at_checked(digits(rest)).unwrap_or_default(),
        None => ("", rest),
    };
    let sign_and_digits = suffix.trim_start_matches(|c| "eEinumkKMGTP".contains(c));
    let last_digits = sign_and_digits.strip_prefix(['+', '-']).unwrap_or(sign_and_digits);
    if !last_digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(WRONG_FORMAT);
    }
    let (power, format) = interpret(suffix).ok_or(WRONG_SUFFIX)?;
    let mantissa = [if whole.is_empty() { "0" } else { whole }, fraction].concat();

    // Numbers that fit 64 bits keep the text they came in where it is canonical enough.
    let small = match format {
        Format::BinarySI => fraction.is_empty() && 14 >= mantissa.len() as i32 + power * 3 / 10,
        _ => mantissa.len() <= 18 && power - fraction.len() as i32 >= -9,
    };
    if small {
        let value: i64 = mantissa.parse().map_err(|_| NOT_NUMERIC)?;
        let scale = power - fraction.len() as i32;
        let kept = match format {
            Format::BinarySI => value & 7 != 0 && value.checked_mul(1 << power).is_some(),
            _ => scale % 3 == 0 && !mantissa.ends_with("000") && !mantissa.starts_with('0'),
        };
        if kept && !(milli && format != Format::BinarySI && scale < -3) {
            return Ok(text.to_owned());
        }
    }
    Ok(match format {
        Format::BinarySI => binary(negative, whole, fraction, power, milli),
        _ if power.abs() > MAX_EXPONENT => return Err(WRONG_SUFFIX),
        _ => {
            let digits = mantissa.trim_start_matches('0').into();
            let mut amount = Decimal { negative, digits, exponent: power - fraction.len() as i32 };
            amount.round_up(if milli { -3 } else { -9 });
            amount.write(format)
        }
    })
}

/// The power of ten, or of two for [`Format::BinarySI`], that a suffix stands for.
fn interpret(suffix: &str) -> Option<(i32, Format)> {
    Some(match suffix {
        "" => (0, Format::DecimalSI),
        "n" => (-9, Format::DecimalSI),
        "u" => (-6, Format::DecimalSI),
        "m" => (-3, Format::DecimalSI),
        "k" => (3, Format::DecimalSI),
        "M" => (6, Format::DecimalSI),
        "G" => (9, Format::DecimalSI),
        "T" => (12, Format::DecimalSI),
        "P" => (15, Format::DecimalSI),
        "E" => (18, Format::DecimalSI),
        "Ki" => (10, Format::BinarySI),
        "Mi" => (20, Format::BinarySI),
        "Gi" => (30, Format::BinarySI),
        "Ti" => (40, Format::BinarySI),
        "Pi" => (50, Format::BinarySI),
        "Ei" => (60, Format::BinarySI),
        _ => (suffix.strip_prefix(['e', 'E'])?.parse().ok()?, Format::DecimalExponent),
    })
}

/// A number of `Ki`, `Mi`, ...: capped at 2^63-1, in decimal form where it is small or no whole number.
fn binary(negative: bool, whole: &str, fraction: &str, power: i32, milli: bool) -> String {
    const ONE: i128 = 10i128.pow(18);
    let maximum = i128::from(i64::MAX) * ONE;
    // Eighteen digits of the fraction count; whether more follow decides only which way to round.
    let mut digits: String = fraction.chars().take(18).collect();
    let rest = fraction.len() > 18 && fraction.bytes().skip(18).any(|byte| byte != b'0');
    while digits.len() < 18 {
        digits.push('0');
    }
    let part = digits.parse::<i128>().unwrap_or(0) + i128::from(rest);
    let amount = whole.parse::<i128>().ok().or(whole.is_empty().then_some(0));
    let amount = amount.and_then(|whole| whole.checked_mul(ONE)?.checked_add(part)?.checked_mul(1 << power));
    let amount = amount.map_or(maximum, |amount| amount.min(maximum));
    let round = |amount: i128, to: i128| (amount + to - 1) / to * to;
    // What is below one is decimal from here on.
    let mut amount = round(amount, ONE / 1_000_000_000);
    if milli {
        amount = round(amount, ONE / 1000);
    }
    if amount < 1024 * ONE || amount % ONE != 0 {
        let digits = amount.to_string().trim_start_matches('0').into();
        return Decimal { negative, digits, exponent: -18 }.write(Format::DecimalSI);
    }
    let mut amount = amount / ONE;
    let mut suffixes = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"].into_iter();
    let mut suffix = "";
    while amount % 1024 == 0 {
        amount /= 1024;
        suffix = suffixes.next().unwrap_or_default();
    }
    format!("{}{amount}{suffix}", if negative { "-" } else { "" })
}

impl Decimal {
    /// Rounds away from zero to a multiple of ten to the `exponent`.
    fn round_up(&mut self, exponent: i32) {
        let drop = usize::try_from(exponent - self.exponent).unwrap_or(0);
        if drop == 0 || self.digits.is_empty() {
            return;
        }
        let rest = self.digits.split_off(self.digits.len().saturating_sub(drop));
        self.exponent = exponent;
        if rest.iter().all(|digit| *digit == b'0') {
            return;
        }
        for digit in self.digits.iter_mut().rev() {
            if *digit != b'9' {
                *digit += 1;
                return;
            }
            *digit = b'0';
        }
        self.digits.insert(0, b'1');
    }

    /// The number with an exponent that is a multiple of three, and that exponent's suffix.
    fn write(mut self, format: Format) -> String {
        while self.digits.last() == Some(&b'0') {
            self.digits.pop();
            self.exponent += 1;
        }
        if self.digits.is_empty() {
            return "0".to_owned();
        }
        while self.exponent % 3 != 0 {
            self.digits.push(b'0');
            self.exponent -= 1;
        }
        let suffix = match (format, self.exponent) {
            (_, 0) => String::new(),
            (Format::DecimalExponent, exponent) => format!("e{exponent}"),
            (_, exponent) => {
                let at = usize::try_from((exponent + 9) / 3).ok();
                let suffix = at.and_then(|at| ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"].get(at));
                suffix.copied().unwrap_or_default().to_owned()
            }
        };
        let sign = if self.negative { "-" } else { "" };
        format!("{sign}{}{suffix}", String::from_utf8_lossy(&self.digits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_writes_back() {
        // From the tables of quantity_test.go: input and canonical form.
        let rows = [
            ("0", "0"),
            ("0n", "0"),
            ("0Ki", "0"),
            ("-0", "0"),
            ("1", "1"),
            ("+1", "+1"),
            ("0.5", "500m"),
            (".5", "500m"),
            ("1.5", "1500m"),
            ("1000", "1k"),
            ("1000m", "1"),
            ("100m", "100m"),
            ("1024Mi", "1Gi"),
            ("1.5Gi", "1536Mi"),
            ("0.5Mi", "512Ki"),
            ("1Ki", "1Ki"),
            ("8Ki", "8Ki"),
            ("0.5Ki", "512"),
            ("0.001Ki", "1024m"),
            ("2Ei", "2Ei"),
            ("8Ei", "9223372036854775807"),
            ("9999999Ei", "9223372036854775807"),
            ("1e3", "1e3"),
            ("1e4", "10e3"),
            ("10e3", "10e3"),
            ("12E", "12E"),
            ("1.1e-9", "2e-9"),
            ("0.1n", "1n"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("-1.5Gi", "-1536Mi"),
            ("100Gi", "100Gi"),
            ("64Gi", "64Gi"),
            ("1.500", "1.500"),
        ];
        for (text, expected) in rows {
            assert_eq!(canonical(text, false).as_deref(), Ok(expected), "{text}");
            assert_eq!(canonical(expected, false).as_deref(), Ok(expected), "{expected} again");
        }
    }

    #[test]
    fn resource_lists_are_rounded_up_to_thousandths() {
        let rows = [("100u", "1m"), ("1.0001", "1001m"), ("-100n", "-1m"), ("250m", "250m"), ("9.9999", "10")];
        for (text, expected) in rows {
            assert_eq!(canonical(text, true).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_quantity() {
        let rows = [
            ("", WRONG_FORMAT),
            ("abc", WRONG_FORMAT),
            ("1 Gi", WRONG_FORMAT),
            ("1Gib", WRONG_FORMAT),
            ("1i", WRONG_SUFFIX),
            ("1e", WRONG_SUFFIX),
            ("1e99999999999", WRONG_SUFFIX),
        ];
        for (text, error) in rows {
            assert_eq!(canonical(text, false), Err(error), "{text}");
        }
    }
}
