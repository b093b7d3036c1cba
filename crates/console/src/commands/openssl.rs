//! `openssl x509` and `openssl rand`, and certificates as the clients read them.
//!
//! A certificate file is PEM, or the line that openssl prints for it: `Subject: O=system:nodes, CN=system:node:node-A`.
//! Behaviour: RFC 5280 section 4.1 and RFC 7468; printed as OpenSSL 3 does.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, NaiveDate, Utc};
use portcullis_core::request::Certificate;

use super::{Output, date};
use crate::session::Session;

/// What is shown of a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Details {
    subject: Vec<(String, String)>,
    /// The rest; absent where only the subject was given.
    rest: Option<Rest>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Rest {
    version: u8,
    serial: Vec<u8>,
    issuer: Vec<(String, String)>,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    /// It has uses, and that of a client is not among them.
    not_for_clients: bool,
}

/// The identity in the certificate file `text`; `None` where it is no certificate.
pub fn certificate(text: &str) -> Option<Certificate> {
    let details = details(text)?;
    let all = |name: &str| {
        details.subject.iter().filter(|(key, _)| key == name).map(|(_, value)| value.clone()).collect::<Vec<_>>()
    };
    Some(Certificate {
        common_name: all("CN").pop().unwrap_or_default(),
        organizations: all("O"),
        validity: details.rest.as_ref().map(|rest| (rest.from, rest.until)),
        not_for_clients: details.rest.as_ref().is_some_and(|rest| rest.not_for_clients),
    })
}

/// `openssl rand -base64 32`: a key for an encryption configuration.
fn rand(arguments: &[String], session: &Session) -> Output {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (form, count) = match words.as_slice() {
        [form @ ("-base64" | "-hex"), count] => (*form, count.parse().ok().filter(|count| *count <= 1 << 16)),
        _ => ("", None),
    };
    let Some(count) = count else {
        return Output::failure(1, "openssl rand: write `openssl rand -base64 32` or `openssl rand -hex 32`");
    };
    let bytes = session.random(count);
    Output::text(match form {
        "-hex" => bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n",
        // Lines of 48 bytes, as PEM has them.
        _ => bytes.chunks(48).map(|line| STANDARD.encode(line) + "\n").collect(),
    })
}

pub fn run(arguments: &[String], stdin: &[u8], session: &mut Session) -> Output {
    let arguments = match arguments.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        Some(("x509", rest)) => rest,
        Some(("rand", rest)) => return rand(rest, session),
        _ => return Output::failure(1, "openssl: only `openssl x509` and `openssl rand` are known here"),
    };
    // openssl's options have one dash and are no clusters.
    let mut words = arguments.iter().map(|word| word.as_str());
    let (mut text, mut noout, mut file) = (false, false, None);
    let mut lines = Vec::new();
    while let Some(word) = words.next() {
        match word.replace("--", "-").as_str() {
            "-text" => text = true,
            "-noout" => noout = true,
            "-in" => file = words.next(),
            "-inform" if words.next() == Some("PEM") => {}
            "-subject" | "-issuer" | "-serial" | "-dates" | "-startdate" | "-enddate" => lines.push(word),
            _ => return Output::failure(1, &format!("openssl x509: the option {word} is not supported here")),
        }
    }
    let input = match file {
        Some(name) => match session.bytes(name) {
            Some(bytes) => bytes,
            None => {
                let message = format!(
                    "Could not open file or uri for loading certificate from {name}: No such file or directory"
                );
                return Output::failure(1, &message);
            }
        },
        None => stdin.to_vec(),
    };
    let input = String::from_utf8_lossy(&input);
    let Some(found) = details(&input) else {
        let from = file.unwrap_or("<stdin>");
        return Output::failure(
            1,
            &format!("Could not find certificate from {from}: neither PEM nor a `Subject:` line"),
        );
    };
    let mut out = Output::default();
    for line in lines {
        let rest = found.rest.clone().unwrap_or_default();
        let shown = match line.trim_start_matches('-') {
            "subject" => format!("subject={}\n", name(&found.subject)),
            "issuer" => format!("issuer={}\n", name(&rest.issuer)),
            "serial" => {
                format!("serial={}\n", rest.serial.iter().map(|byte| format!("{byte:02X}")).collect::<String>())
            }
            "startdate" => format!("notBefore={}\n", time(rest.from)),
            "enddate" => format!("notAfter={}\n", time(rest.until)),
            _ => format!("notBefore={}\nnotAfter={}\n", time(rest.from), time(rest.until)),
        };
        if !out.print(shown.as_bytes()) {
            return out;
        }
    }
    if text {
        out.print(b"Certificate:\n    Data:\n");
        if let Some(rest) = &found.rest {
            let serial: Vec<String> = rest.serial.iter().map(|byte| format!("{byte:02x}")).collect();
            out.print(format!("        Version: {} (0x{:x})\n", rest.version + 1, rest.version).as_bytes());
            out.print(format!("        Serial Number:\n            {}\n", serial.join(":")).as_bytes());
            out.print(format!("        Issuer: {}\n", name(&rest.issuer)).as_bytes());
            out.print(b"        Validity\n");
            let (from, until) = (time(rest.from), time(rest.until));
            out.print(format!("            Not Before: {from}\n            Not After : {until}\n").as_bytes());
        }
        out.print(format!("        Subject: {}\n", name(&found.subject)).as_bytes());
    }
    if !noout && let Some(pem) = pem(&input, "CERTIFICATE") {
        out.print(format!("{pem}\n").as_bytes());
    }
    out
}

/// `O=system:nodes, CN=kubelet`, escaped as RFC 2253 asks.
fn name(parts: &[(String, String)]) -> String {
    let part = |(key, value): &(String, String)| {
        let mut escaped = String::new();
        for char in value.chars() {
            if matches!(char, ',' | '+' | '"' | '\\' | '<' | '>' | ';') {
                escaped.push('\\');
            }
            escaped.push(char);
        }
        format!("{key}={escaped}")
    };
    parts.iter().map(part).collect::<Vec<_>>().join(", ")
}

/// The block of `text` that has this label.
fn pem<'t>(text: &'t str, label: &str) -> Option<&'t str> {
    let last = format!("-----END {label}-----");
    let start = text.find(&format!("-----BEGIN {label}-----"))?;
    let end = text.get(start..)?.find(&last)? + start + last.len();
    text.get(start..end)
}

/// The bytes of a block.
fn der(pem: &str) -> Option<Vec<u8>> {
    let lines = pem.lines().filter(|line| !line.starts_with("-----"));
    STANDARD.decode(lines.flat_map(|line| line.trim().chars()).collect::<String>()).ok()
}

fn details(text: &str) -> Option<Details> {
    if let Some(pem) = pem(text, "CERTIFICATE") {
        return decode(&der(pem)?);
    }
    let line = text.lines().find_map(|line| line.trim_start().strip_prefix("Subject:"))?;
    Some(Details { subject: parse_name(line.trim())?, rest: None })
}

/// `O=a, CN=b` with `\` before what would end a value, or the value in double quotes.
fn parse_name(text: &str) -> Option<Vec<(String, String)>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=')?;
        let mut chars = after.trim_start().chars();
        let mut value = String::new();
        let quoted = chars.as_str().starts_with('"');
        if quoted {
            chars.next();
        }
        loop {
            match chars.next() {
                Some('\\') => value.extend(chars.next()),
                Some('"') if quoted => {
                    let (_, after) = chars.as_str().split_once(',').unwrap_or_default();
                    rest = after;
                    break;
                }
                Some(',') if !quoted => {
                    rest = chars.as_str();
                    break;
                }
                Some(char) => value.push(char),
                None => {
                    rest = "";
                    break;
                }
            }
        }
        let value = if quoted { value } else { value.trim_end().to_owned() };
        parts.push((key.trim().to_owned(), value));
        rest = rest.trim_start();
    }
    Some(parts)
}

/// A DER value: its tag, and what it holds.
type Value<'a> = (u8, &'a [u8]);

/// Takes the first value from `bytes`.
fn take<'a>(bytes: &mut &'a [u8]) -> Option<Value<'a>> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, mut rest) = rest.split_first()?;
    let mut length = usize::from(first);
    if first >= 0x80 {
        let (digits, after) =
            rest.split_at_checked(usize::from(first & 0x7f)).filter(|(digits, _)| digits.len() <= 4)?;
        length = digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit));
        rest = after;
    }
    let (value, rest) = rest.split_at_checked(length)?;
    *bytes = rest;
    Some((tag, value))
}

fn decode(der: &[u8]) -> Option<Details> {
    let (_, mut certificate) = take(&mut &*der)?;
    let (_, mut body) = take(&mut certificate)?;
    let mut rest = Rest::default();
    let (mut tag, mut value) = take(&mut body)?;
    if tag == 0xa0 {
        rest.version = take(&mut &*value)?.1.first().copied()?;
        (tag, value) = take(&mut body)?;
    }
    if tag != 0x02 {
        return None;
    }
    rest.serial = value.strip_prefix(&[0]).unwrap_or(value).to_vec();
    take(&mut body)?;
    rest.issuer = decode_name(take(&mut body)?.1)?;
    let (_, mut validity) = take(&mut body)?;
    rest.from = decode_time(take(&mut validity)?)?;
    rest.until = decode_time(take(&mut validity)?)?;
    let subject = decode_name(take(&mut body)?.1)?;
    rest.not_for_clients = uses(body).is_some_and(|uses| !uses.contains(&CLIENT_AUTH) && !uses.contains(&ANY_USE));
    Some(Details { subject, rest: Some(rest) })
}

/// What somebody asks to have signed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct SigningRequest {
    /// `CN` and its like, with their values.
    pub subject: Vec<(String, String)>,
    /// The other names: `DNS Names`, `Email Addresses` or `IP Addresses`, and a name.
    pub names: Vec<(&'static str, String)>,
}

/// The PKCS #10 request in `text`.
///
/// # Errors
///
/// What Go's `crypto/x509` says against it, as far as it is told here.
pub fn request(text: &str) -> Result<SigningRequest, &'static str> {
    let first = text.find("-----BEGIN ").and_then(|start| text.get(start..)).unwrap_or("");
    let pem = pem(text, "CERTIFICATE REQUEST").filter(|pem| first.starts_with(pem));
    let der = pem.and_then(der).ok_or("PEM block type must be CERTIFICATE REQUEST")?;
    decode_request(&der).ok_or("asn1: syntax error: data truncated")
}

/// RFC 2986 section 4.
fn decode_request(der: &[u8]) -> Option<SigningRequest> {
    let (_, mut request) = take(&mut &*der)?;
    let (_, mut body) = take(&mut request)?;
    take(&mut body)?;
    let subject = decode_name(take(&mut body)?.1)?;
    take(&mut body)?;
    let mut attributes = take(&mut body).map_or(&[] as &[u8], |(_, attributes)| attributes);
    let mut names = Vec::new();
    while let Some((_, mut attribute)) = take(&mut attributes) {
        if take(&mut attribute)?.1 != EXTENSION_REQUEST {
            continue;
        }
        let (_, mut values) = take(&mut attribute)?;
        let (_, extensions) = take(&mut values)?;
        let Some(mut found) = extension(extensions, SUBJECT_ALTERNATIVE_NAME) else { continue };
        while let Some((tag, value)) = take(&mut found) {
            let text = || String::from_utf8_lossy(value).into_owned();
            let four = || <[u8; 4]>::try_from(value).map(IpAddr::from);
            let address = || four().or_else(|_| <[u8; 16]>::try_from(value).map(IpAddr::from));
            names.extend(match tag {
                0x81 => Some(("Email Addresses", text())),
                0x82 => Some(("DNS Names", text())),
                0x87 => address().ok().map(|address| ("IP Addresses", address.to_canonical().to_string())),
                _ => None,
            });
        }
    }
    Some(SigningRequest { subject, names })
}

fn decode_name(mut bytes: &[u8]) -> Option<Vec<(String, String)>> {
    let mut parts = Vec::new();
    while !bytes.is_empty() {
        let (_, mut set) = take(&mut bytes)?;
        while !set.is_empty() {
            let (_, mut pair) = take(&mut set)?;
            let (_, identifier) = take(&mut pair)?;
            let (_, value) = take(&mut pair)?;
            let key = match identifier {
                [0x55, 4, 3] => "CN".to_owned(),
                [0x55, 4, 5] => "serialNumber".to_owned(),
                [0x55, 4, 6] => "C".to_owned(),
                [0x55, 4, 7] => "L".to_owned(),
                [0x55, 4, 8] => "ST".to_owned(),
                [0x55, 4, 9] => "street".to_owned(),
                [0x55, 4, 10] => "O".to_owned(),
                [0x55, 4, 11] => "OU".to_owned(),
                [0x55, 4, 17] => "postalCode".to_owned(),
                [0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 9, 1] => "emailAddress".to_owned(),
                other => other.iter().map(|byte| format!("{byte:02x}")).collect(),
            };
            parts.push((key, String::from_utf8_lossy(value).into_owned()));
        }
    }
    Some(parts)
}

const EXTENSION_REQUEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 9, 14];
const SUBJECT_ALTERNATIVE_NAME: &[u8] = &[0x55, 0x1d, 17];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 37];
const CLIENT_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];
const ANY_USE: &[u8] = &[0x55, 0x1d, 37, 0];

/// The extended key usages among what follows the subject; `None` where nothing is said of them.
fn uses(mut body: &[u8]) -> Option<Vec<&[u8]>> {
    let (_, list) = loop {
        let (tag, value) = take(&mut body)?;
        if tag == 0xa3 {
            break take(&mut &*value)?;
        }
    };
    let mut uses = extension(list, EXTENDED_KEY_USAGE)?;
    Some(std::iter::from_fn(|| take(&mut uses)).map(|(_, identifier)| identifier).collect())
}

/// What the list in the extension `wanted` holds.
fn extension<'a>(mut list: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    while let Some((_, mut extension)) = take(&mut list) {
        if take(&mut extension)?.1 == wanted {
            // Behind a boolean, where it is critical.
            let (_, value) = std::iter::from_fn(|| take(&mut extension)).last()?;
            return take(&mut &*value).map(|(_, held)| held);
        }
    }
    None
}

fn decode_time((tag, value): Value<'_>) -> Option<DateTime<Utc>> {
    let text = std::str::from_utf8(value).ok()?;
    // UTCTime has two digits of the year: RFC 5280 puts them between 1950 and 2049.
    let text = match tag {
        0x17 if text < "50" => format!("20{text}"),
        0x17 => format!("19{text}"),
        _ => text.to_owned(),
    };
    let part = |from: usize, to: usize| text.get(from..to)?.parse::<u32>().ok();
    let day = NaiveDate::from_ymd_opt(i32::try_from(part(0, 4)?).ok()?, part(4, 6)?, part(6, 8)?)?;
    Some(day.and_hms_opt(part(8, 10)?, part(10, 12)?, part(12, 14)?)?.and_utc())
}

/// `Jul  2 20:03:40 2017 GMT`.
fn time(time: DateTime<Utc>) -> String {
    date::print("%b %e %H:%M:%S %Y GMT", time).unwrap_or_default()
}
