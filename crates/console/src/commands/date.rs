//! `date` and `sleep`: the session's clock, which stands still until somebody moves it.
//!
//! Behaviour: GNU coreutils in the C locale and UTC.

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, TimeDelta, Timelike, Utc};
use portcullis_core::manifest::float;
use portcullis_core::world::time::{self, DAYS, MONTHS};

use super::{Output, unsupported};
use crate::arguments::{Argument, Arguments};
use crate::session::Session;

pub fn run(arguments: &[String], _: &[u8], session: &mut Session) -> Output {
    let mut parts = Arguments::new(arguments);
    let (mut shown, mut format) = (session.now(), "%a %b %e %H:%M:%S UTC %Y".to_owned());
    let mut set = false;
    while let Some(part) = parts.next() {
        match part {
            Argument::Short('s' | 'd') | Argument::Long("set" | "date") => {
                set |= matches!(part, Argument::Short('s') | Argument::Long("set"));
                let text = parts.value().unwrap_or_default();
                match parse(text, session.now()) {
                    Some(time) => shown = time,
                    None => return Output::failure(1, &format!("date: invalid date '{text}'")),
                }
            }
            Argument::Short('u') | Argument::Long("utc" | "universal") => {}
            Argument::Short('R') | Argument::Long("rfc-email") => format = "%a, %d %b %Y %H:%M:%S +0000".to_owned(),
            Argument::Short('I') => {
                format = match parts.value() {
                    Some("s" | "seconds") => "%Y-%m-%dT%H:%M:%S+00:00".to_owned(),
                    _ => "%Y-%m-%d".to_owned(),
                }
            }
            Argument::Operand(word) => match word.strip_prefix('+') {
                Some(given) => format = given.to_owned(),
                None => return Output::failure(1, &format!("date: invalid date '{word}'")),
            },
            other => return unsupported("date", other),
        }
    }
    if set {
        session.set_clock(shown);
    }
    match print(&format, shown) {
        Ok(text) => Output::text(format!("{text}\n")),
        Err(unknown) => Output::failure(1, &format!("date: %{unknown} is not supported here")),
    }
}

/// `sleep`: moves the clock on, and takes no time.
pub fn sleep(arguments: &[String], _: &[u8], session: &mut Session) -> Output {
    let mut moved = TimeDelta::zero();
    for word in arguments {
        let (number, unit) = match word.char_indices().last() {
            Some((at, unit @ ('s' | 'm' | 'h' | 'd'))) => (word.get(..at).unwrap_or_default(), unit),
            _ => (word.as_str(), 's'),
        };
        let seconds = match unit {
            'm' => 60.0,
            'h' => 3600.0,
            'd' => 86_400.0,
            _ => 1.0,
        };
        let millis = float::parse(number).map_or(-1.0, |number| number * seconds * 1000.0);
        // A century is long enough.
        if !(0.0..=3.2e12).contains(&millis) {
            return Output::failure(1, &format!("sleep: invalid time interval '{word}'"));
        }
        moved += TimeDelta::milliseconds(millis as i64);
    }
    match session.now().checked_add_signed(moved) {
        Some(_) if arguments.is_empty() => Output::failure(1, "sleep: missing operand"),
        Some(now) => {
            session.set_clock(now);
            Output::default()
        }
        None => Output::failure(1, "sleep: the clock does not go that far"),
    }
}

/// `time` as `format` says; the error is what is not known of it.
pub(super) fn print(format: &str, time: DateTime<Utc>) -> Result<String, char> {
    let mut text = String::new();
    let mut chars = format.chars();
    while let Some(char) = chars.next() {
        if char != '%' {
            text.push(char);
            continue;
        }
        let name = |names: &[&str], at: u32| names.get(at as usize).copied().unwrap_or_default().to_owned();
        let part = match chars.next() {
            Some('Y') => time.year().to_string(),
            Some('m') => format!("{:02}", time.month()),
            Some('d') => format!("{:02}", time.day()),
            Some('e') => format!("{:2}", time.day()),
            Some('H') => format!("{:02}", time.hour()),
            Some('M') => format!("{:02}", time.minute()),
            Some('S') => format!("{:02}", time.second()),
            Some('N') => format!("{:09}", time.nanosecond()),
            Some('F') => format!("{}-{:02}-{:02}", time.year(), time.month(), time.day()),
            Some('T') => format!("{:02}:{:02}:{:02}", time.hour(), time.minute(), time.second()),
            Some('a') => name(&DAYS, time.weekday().num_days_from_monday()),
            Some('b') => name(&MONTHS, time.month0()),
            Some('s') => time.timestamp().to_string(),
            Some('Z') => "UTC".to_owned(),
            Some('z') => "+0000".to_owned(),
            Some('n') => "\n".to_owned(),
            Some('%') | None => "%".to_owned(),
            Some(other) => return Err(other),
        };
        text.push_str(&part);
    }
    Ok(text)
}

/// RFC 3339, RFC 1123, what `date` prints, `2017-07-02 18:19`, `@1499019584`, `18:19`, `+2 minutes`, `1 hour ago`.
fn parse(text: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let text = text.trim();
    if let Some(time) = time::instant(text) {
        return Some(time);
    }
    if let Some(seconds) = text.strip_prefix('@') {
        return DateTime::from_timestamp(seconds.parse().ok()?, 0);
    }
    if text == "now" {
        return Some(now);
    }
    if let Some(delta) = relative(text) {
        return now.checked_add_signed(delta);
    }
    let (mut year, mut month, mut day, mut time, mut offset) = (None, None, None, None, 0);
    // `T` between date and time, and not in the name of a day.
    let mut after_digit = false;
    let separated = |char: char| {
        let separates = char == ',' || char == 'T' && after_digit;
        after_digit = char.is_ascii_digit();
        separates || char.is_whitespace()
    };
    for word in text.split(separated).filter(|word| !word.is_empty()) {
        let named = |names: &[&str]| names.iter().position(|name| word.starts_with(name));
        if word.contains(':') {
            time = clock(word);
            time?;
        } else if let Some(at) = named(&MONTHS) {
            month = Some(at as u32 + 1);
        } else if named(&DAYS).is_some() || matches!(word, "UTC" | "GMT" | "Z") {
            // The day of the week follows from the date, and all times are UTC.
        } else if word.starts_with(['+', '-']) && word.len() == 5 {
            let sign = if word.starts_with('-') { -1 } else { 1 };
            let hours: i64 = word.get(1..3)?.parse().ok()?;
            let minutes: i64 = word.get(3..)?.parse().ok()?;
            offset = sign * (hours * 60 + minutes);
        } else if let Some((first, rest)) = word.split_once('-') {
            let (second, third) = rest.split_once('-')?;
            (year, month, day) = (first.parse().ok(), second.parse().ok(), third.parse().ok());
            year?;
            month?;
            day?;
        } else {
            let number: u32 = word.parse().ok()?;
            if word.len() == 4 { year = Some(number as i32) } else { day = Some(number) }
        }
    }
    let date = match (year, month, day) {
        (None, None, None) => {
            time?;
            now.date_naive()
        }
        (year, Some(month), Some(day)) => NaiveDate::from_ymd_opt(year.unwrap_or(now.year()), month, day)?,
        _ => return None,
    };
    let time = date.and_time(time.unwrap_or_default()).and_utc();
    time.checked_sub_signed(TimeDelta::try_minutes(offset)?)
}

/// `18:19`, `18:19:44`, `18:19:44.5`, with `Z` behind.
fn clock(word: &str) -> Option<NaiveTime> {
    let mut parts = word.trim_end_matches('Z').splitn(3, ':');
    let hour = parts.next()?.parse().ok()?;
    let minute = parts.next()?.parse().ok()?;
    let (seconds, fraction) = match parts.next() {
        Some(seconds) => seconds.split_once('.').unwrap_or((seconds, "")),
        None => ("0", ""),
    };
    let nanos = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    NaiveTime::from_hms_nano_opt(hour, minute, seconds.parse().ok()?, nanos)
}

/// `+2 minutes`, `90 seconds`, `1 day ago`.
fn relative(text: &str) -> Option<TimeDelta> {
    let mut words = text.split_whitespace();
    let count: i64 = words.next()?.parse().ok()?;
    let unit = words.next()?;
    let sign = match words.next() {
        None => 1,
        Some("ago") => -1,
        Some(_) => return None,
    };
    let seconds = match unit.trim_end_matches('s') {
        "sec" | "second" => 1,
        "min" | "minute" => 60,
        "hour" => 3600,
        "day" => 86_400,
        "week" => 604_800,
        _ => return None,
    };
    TimeDelta::try_seconds(count.checked_mul(seconds * sign)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_forms_that_people_write() {
        let now = DateTime::parse_from_rfc3339("2017-07-02T18:17:15Z").unwrap().to_utc();
        for (text, expected) in [
            ("Sun, 02 Jul 2017 18:19:44 GMT", Some("2017-07-02T18:19:44+00:00")),
            ("Tue, 04 Jul 2017 18:19:44 +0200", Some("2017-07-04T16:19:44+00:00")),
            ("Thu Jul  6 18:17:15 UTC 2017", Some("2017-07-06T18:17:15+00:00")),
            ("2017-07-02T21:02:00Z", Some("2017-07-02T21:02:00+00:00")),
            ("2017-07-02 21:02", Some("2017-07-02T21:02:00+00:00")),
            ("2017-07-03", Some("2017-07-03T00:00:00+00:00")),
            ("20:00:01.5", Some("2017-07-02T20:00:01.500+00:00")),
            ("@0", Some("1970-01-01T00:00:00+00:00")),
            ("+2 minutes", Some("2017-07-02T18:19:15+00:00")),
            ("1 hour ago", Some("2017-07-02T17:17:15+00:00")),
            ("yesterdayish", None),
            ("", None),
            ("99999999999 days", None),
            ("2017-13-01", None),
            ("25:00", None),
        ] {
            assert_eq!(parse(text, now).map(|time| time.to_rfc3339()).as_deref(), expected, "{text}");
        }
        assert_eq!(print("%a %b %e %H:%M:%S UTC %Y", now).unwrap(), "Sun Jul  2 18:17:15 UTC 2017");
        assert_eq!(print("%Q", now), Err('Q'));
    }
}
