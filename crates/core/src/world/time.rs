//! Times as Go's `time` package reads and writes them: RFC 3339 and RFC 1123.
//!
//! chrono counts the days; its machinery of formats is not called, which would be a fiftieth of the wasm.

use chrono::{DateTime, Datelike, Utc};

/// The names of the days of the week, Monday first.
pub const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// The names of the months.
pub const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The instant that an RFC 3339 text names; small letters or a blank before the time are as good.
pub fn instant(text: &str) -> Option<DateTime<Utc>> {
    let (seconds, nanos) = parse(&text.to_ascii_uppercase().replacen(' ', "T", 1)).ok()?;
    DateTime::from_timestamp(seconds, nanos)
}

/// RFC 3339 in whole seconds: `2017-07-02T18:17:15Z`.
pub fn rfc3339(time: DateTime<Utc>) -> String {
    clock(time.timestamp()) + "Z"
}

/// Go's `time.RFC3339Nano`: a fraction without the zeros at its end, where there is one.
pub fn rfc3339_nanos(time: DateTime<Utc>) -> String {
    let fraction = format!(".{:09}", time.timestamp_subsec_nanos());
    clock(time.timestamp()) + fraction.trim_end_matches('0').trim_end_matches('.') + "Z"
}

/// RFC 1123 without its zone: `Sun, 02 Jul 2017 18:17:15`.
pub fn rfc1123(time: DateTime<Utc>) -> String {
    let day = DAYS.get(time.weekday().num_days_from_monday() as usize).copied().unwrap_or_default();
    let month = MONTHS.get(time.month0() as usize).copied().unwrap_or_default();
    let written = clock(time.timestamp());
    let clock = written.split_once('T').map_or("", |(_, clock)| clock);
    format!("{day}, {:02} {month} {:04} {clock}", time.day(), time.year())
}

/// `metav1.Time`'s text as the API writes it: UTC, whole seconds. `None` for Go's zero time, which is written `null`.
///
/// Errors: the text of `time.Parse`.
pub(crate) fn canonical(text: &str) -> Result<Option<String>, String> {
    Ok(format(parse(text)?.0, 0))
}

/// Seconds since 1970 and nanoseconds.
pub(crate) fn parse(text: &str) -> Result<(i64, u32), String> {
    let quoted = format!("parsing time \"{text}\"");
    let mut rest = text;
    let expected = |rest: &str, element: &str| {
        format!("{quoted} as \"2006-01-02T15:04:05Z07:00\": cannot parse \"{rest}\" as \"{element}\"")
    };
    let number = |rest: &mut &str, digits: usize, element: &str| -> Result<i64, String> {
        let (head, tail) = rest.split_at_checked(digits).ok_or_else(|| expected(rest, element))?;
        if !head.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(expected(rest, element));
        }
        *rest = tail;
        head.parse().map_err(|_| expected(rest, element))
    };
    let literal = |rest: &mut &str, element: &str| -> Result<(), String> {
        *rest = rest.strip_prefix(element).ok_or_else(|| expected(rest, element))?;
        Ok(())
    };
    let within = |number: i64, from: i64, to: i64, what: &str| -> Result<i64, String> {
        (from..=to).contains(&number).then_some(number).ok_or_else(|| format!("{quoted}: {what} out of range"))
    };
    let year = number(&mut rest, 4, "2006")?;
    literal(&mut rest, "-")?;
    let month = within(number(&mut rest, 2, "01")?, 1, 12, "month")?;
    literal(&mut rest, "-")?;
    let day = within(number(&mut rest, 2, "02")?, 1, 31, "day")?;
    literal(&mut rest, "T")?;
    let hour = within(number(&mut rest, 2, "15")?, 0, 23, "hour")?;
    literal(&mut rest, ":")?;
    let minute = within(number(&mut rest, 2, "04")?, 0, 59, "minute")?;
    literal(&mut rest, ":")?;
    let second = within(number(&mut rest, 2, "05")?, 0, 59, "second")?;
    let mut nanos = 0;
    if let Some(fraction) = rest.strip_prefix('.').filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit())) {
        let digits = fraction.len() - fraction.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        for at in 0..9 {
            nanos = nanos * 10
                + fraction.as_bytes().get(at).filter(|_| at < digits).map_or(0, |digit| u32::from(digit - b'0'));
        }
        rest = fraction.split_at_checked(digits).map_or("", |(_, rest)| rest);
    }
    let mut offset = 0;
    if rest == "Z" {
        rest = "";
    } else {
        let zone = rest;
        let sign = match rest.chars().next() {
            Some('+') => 1,
            Some('-') => -1,
            _ => return Err(expected(zone, "Z07:00")),
        };
        rest = rest.trim_start_matches(['+', '-']);
        let wrong = |_| expected(zone, "Z07:00");
        let hours = number(&mut rest, 2, "").map_err(wrong)?;
        literal(&mut rest, ":").map_err(wrong)?;
        offset = sign * (hours * 3600 + number(&mut rest, 2, "").map_err(wrong)? * 60);
    }
    if !rest.is_empty() {
        return Err(format!("{quoted}: extra text: \"{rest}\""));
    }
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    within(day, 1, days, "day")?;
    Ok((days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset, nanos))
}

/// RFC 3339 in UTC, with a fraction where there is one; `None` for Go's zero time and for years that RFC 3339 cannot say.
pub(crate) fn format(seconds: i64, nanos: u32) -> Option<String> {
    if seconds == ZERO || !(ZERO..253_402_300_800).contains(&seconds) {
        return None;
    }
    let fraction = if nanos == 0 { String::new() } else { format!(".{nanos:09}") };
    Some(clock(seconds) + &fraction + "Z")
}

/// Date and time of day, no fraction and no zone.
fn clock(seconds: i64) -> String {
    let (days, second) = (seconds.div_euclid(86400), seconds.rem_euclid(86400));
    let (year, month, day) = civil_from_days(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
}

/// 0001-01-01T00:00:00Z.
const ZERO: i64 = -62_135_596_800;

/// Days since 1970-01-01 of a date of the Gregorian calendar; March is the first month, so that leap days come last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let rows = [
            ("2017-07-04T15:47:20Z", Some("2017-07-04T15:47:20Z")),
            ("2017-07-04T15:47:20.486192604Z", Some("2017-07-04T15:47:20Z")),
            ("2017-07-04T15:47:20+02:00", Some("2017-07-04T13:47:20Z")),
            ("2016-02-29T23:59:59-00:01", Some("2016-03-01T00:00:59Z")),
            ("1969-12-31T23:59:59Z", Some("1969-12-31T23:59:59Z")),
            ("0001-01-01T00:00:00Z", None),
        ];
        for (text, expected) in rows {
            assert_eq!(canonical(text), Ok(expected.map(str::to_owned)), "{text}");
        }
        assert_eq!(parse("2017-07-04T15:47:20.48Z"), Ok((1_499_183_240, 480_000_000)));
    }

    #[test]
    fn instants() {
        let time = instant("2017-07-02T18:17:15.12Z").unwrap();
        assert_eq!(rfc3339(time), "2017-07-02T18:17:15Z");
        assert_eq!(rfc1123(time), "Sun, 02 Jul 2017 18:17:15");
        for text in ["2017-07-02t18:17:15.12z", "2017-07-02 20:17:15.120+02:00"] {
            assert_eq!(instant(text), Some(time), "{text}");
        }
        for text in ["2017-07-02", "18:17:15", "", "2017-07-02T18:17:15"] {
            assert_eq!(instant(text), None, "{text}");
        }
        for (nanos, text) in [(0, ""), (120_000_000, ".12"), (1, ".000000001")] {
            let time = DateTime::from_timestamp(1_499_029_200, nanos).unwrap();
            assert_eq!(rfc3339_nanos(time), format!("2017-07-02T21:00:00{text}Z"));
        }
    }

    #[test]
    fn errors_are_those_of_go() {
        let layout = "2006-01-02T15:04:05Z07:00";
        let rows = [
            ("", format!("parsing time \"\" as \"{layout}\": cannot parse \"\" as \"2006\"")),
            ("2017", format!("parsing time \"2017\" as \"{layout}\": cannot parse \"\" as \"-\"")),
            ("2017-07-04", format!("parsing time \"2017-07-04\" as \"{layout}\": cannot parse \"\" as \"T\"")),
            ("2017-13-04T00:00:00Z", "parsing time \"2017-13-04T00:00:00Z\": month out of range".to_owned()),
            ("2017-02-29T00:00:00Z", "parsing time \"2017-02-29T00:00:00Z\": day out of range".to_owned()),
        ];
        for (text, error) in rows {
            assert_eq!(canonical(text), Err(error));
        }
    }
}
