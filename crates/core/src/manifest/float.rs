//! Decimal text to the nearest float.
//!
//! The standard library's `parse` is faster, by tables and code that are a fiftieth of the wasm; manifests hold few fractions.
//! It is the oracle in the tests here.

/// Words of 32 bits, the lowest first, without zeros at the end.
type Big = Vec<u32>;

/// More digits than these (a number that lies between two floats has at most 767) only say whether anything follows.
const DIGITS: usize = 800;

/// The float nearest to `[+-]digits[.digits][e[+-]digits]`, where digits may be missing on one side of the point; the even one
/// of two that are as near.
pub fn parse(text: &str) -> Option<f64> {
    let (negative, unsigned) = match text.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        all => (false, all),
    };
    let (mut number, mut exponent) = (Big::new(), 0_i64);
    let (mut digits, mut fraction, mut significant) = (0, false, 0);
    let mut rest = unsigned.iter();
    while let Some(byte) = rest.next() {
        match byte {
            b'0'..=b'9' => {
                digits += 1;
                let digit = u32::from(byte - b'0');
                if significant > 0 || digit > 0 {
                    significant += 1;
                }
                match significant {
                    0..=DIGITS => multiply_add(&mut number, 10, digit),
                    _ => {
                        exponent += 1;
                        // Odd is never half way.
                        if let Some(lowest) = number.first_mut().filter(|_| digit > 0) {
                            *lowest |= 1;
                        }
                    }
                }
                exponent -= i64::from(fraction);
            }
            b'.' if !fraction => fraction = true,
            b'e' | b'E' if digits > 0 => {
                exponent = exponent.saturating_add(read_exponent(rest.as_slice())?);
                break;
            }
            _ => return None,
        }
    }
    if digits == 0 {
        return None;
    }
    let magnitude = nearest(number, exponent);
    Some(if negative { -magnitude } else { magnitude })
}

fn read_exponent(text: &[u8]) -> Option<i64> {
    let (sign, digits) = match text {
        [b'-', rest @ ..] => (-1, rest),
        [b'+', rest @ ..] => (1, rest),
        all => (1, all),
    };
    let number = digits.iter().try_fold(0_i64, |number, byte| {
        byte.is_ascii_digit().then(|| number.saturating_mul(10).saturating_add(i64::from(byte - b'0')))
    });
    number.filter(|_| !digits.is_empty()).map(|number| number.saturating_mul(sign))
}

/// The float nearest to `number` times a power of ten.
fn nearest(mut number: Big, exponent: i64) -> f64 {
    // Beyond these, 800 digits or one, the greatest float and half of the smallest are passed.
    if number.is_empty() || exponent < -1_200 {
        return 0.0;
    }
    if exponent > 400 {
        return f64::INFINITY;
    }
    let mut divisor = vec![1];
    for _ in 0..exponent.unsigned_abs() {
        multiply_add(if exponent > 0 { &mut number } else { &mut divisor }, 10, 0);
    }
    // Long division, bit by bit, from the place where both are of one length: 64 bits from the first that is set.
    let mut power = bits(&number) - bits(&divisor);
    shift(if power > 0 { &mut divisor } else { &mut number }, power.unsigned_abs());
    let mut quotient = 0_u64;
    while quotient.leading_zeros() > 0 {
        quotient = quotient << 1 | u64::from(subtract(&mut number, &divisor));
        shift(&mut number, 1);
        power -= 1;
    }
    // The value is quotient · 2^(power + 1), and a little more where something of the number is left.
    let leading = power + 64;
    if leading > 1023 {
        return f64::INFINITY;
    }
    // Below the smallest exponent floats have fewer bits.
    let dropped = 11 + (-1022 - leading).max(0);
    let (kept, half) = match dropped {
        ..64 => (quotient >> dropped, 1_u64 << (dropped - 1)),
        64 => (0, 1 << 63),
        _ => return 0.0,
    };
    let below = if dropped < 64 { quotient & ((1 << dropped) - 1) } else { quotient };
    let up = below > half || below == half && (!number.is_empty() || kept & 1 == 1);
    // A carry into the exponent is what rounding up means there, up to infinity.
    let exponent = if leading < -1022 { 0 } else { (leading + 1022).unsigned_abs() << 52 };
    f64::from_bits(exponent + kept + u64::from(up))
}

fn multiply_add(number: &mut Big, factor: u32, add: u32) {
    let mut carry = u64::from(add);
    for word in number.iter_mut() {
        carry += u64::from(*word) * u64::from(factor);
        *word = carry as u32;
        carry >>= 32;
    }
    if carry > 0 {
        number.push(carry as u32);
    }
}

/// How many bits a number has.
fn bits(number: &Big) -> i64 {
    number.last().map_or(0, |word| number.len() as i64 * 32 - i64::from(word.leading_zeros()))
}

/// Times two to the power of `count`.
fn shift(number: &mut Big, count: u64) {
    multiply_add(number, 1 << (count % 32), 0);
    if !number.is_empty() {
        number.splice(0..0, std::iter::repeat_n(0, (count / 32) as usize));
    }
}

/// Subtracts where it can, and says whether it could.
fn subtract(from: &mut Big, number: &Big) -> bool {
    let order = from.len().cmp(&number.len());
    if order.then_with(|| from.iter().rev().cmp(number.iter().rev())).is_lt() {
        return false;
    }
    let mut borrow = 0;
    for (at, word) in from.iter_mut().enumerate() {
        let difference = i64::from(*word) - i64::from(number.get(at).copied().unwrap_or(0)) - borrow;
        *word = difference as u32;
        borrow = i64::from(difference < 0);
    }
    let length = from.iter().rposition(|word| *word != 0).map_or(0, |last| last + 1);
    from.truncate(length);
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str) {
        let expected = text.parse::<f64>().ok().map(f64::to_bits);
        assert_eq!(parse(text).map(f64::to_bits), expected, "{text}");
    }

    #[test]
    fn edges() {
        for text in [
            "0",
            "-0",
            "1",
            "0.5",
            ".5",
            "5.",
            "+1e3",
            "1E-3",
            "9007199254740993",
            "9007199254740992.999999",
            "1.7976931348623157e308",
            "1.7976931348623158e308",
            "1.7976931348623159e308",
            "1e309",
            "1e99999999999999999999",
            "2.2250738585072014e-308",
            "2.2250738585072011e-308",
            "4.9e-324",
            "2.4703282292062328e-324",
            "2.4703282292062327e-324",
            "1e-400",
            "1e-99999999999999999999",
            "0e99999999999999999999",
            "0.000e5",
            "",
            ".",
            "-",
            "+",
            "e5",
            ".e5",
            "1e",
            "1e+",
            "1.2.3",
            "1e5.",
            "--1",
            "0x10",
            "1_0",
            " 1",
            "1 ",
            "nine",
        ] {
            check(text);
        }
        // Exactly half way, and a little more or less far behind the point.
        let half = format!("9007199254740993.{}", "0".repeat(900));
        for end in ["", "1"] {
            check(&format!("{half}{end}"));
        }
        check(&"1234567890".repeat(120));
        check(&format!("0.{}{}", "0".repeat(320), "1234567890".repeat(120)));
        check(&format!("{}e-1100", "987654321".repeat(120)));
    }

    proptest! {
        #[test]
        fn it_reads_as_the_standard_library_does(text in "[+-]?[0-9]{0,25}(\\.[0-9]{0,25})?(e[+-]?[0-9]{1,3})?") {
            check(&text);
        }

        #[test]
        fn every_float_is_read_back(bits: u64) {
            let float = f64::from_bits(bits);
            if float.is_finite() {
                check(&format!("{float:e}"));
                check(&format!("{float}"));
            }
        }
    }
}
