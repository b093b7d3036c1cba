//! The programs that show bytes: base64, hexdump, xxd.
//!
//! Behaviour: GNU coreutils, util-linux hexdump, vim's xxd.

use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};

use super::{Output, read_inputs, unsupported};
use crate::arguments::{Argument, Arguments};
use crate::session::Session;

/// What xxd shows in a row at most.
const COLUMNS: usize = 256;

/// Reads what is cut off anywhere.
const UNPADDED: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

pub fn base64(arguments: &[String], stdin: &[u8], session: &mut Session) -> Output {
    let (mut decode, mut ignore, mut wrap) = (false, false, 76);
    let mut files = Vec::new();
    let mut parts = Arguments::new(arguments);
    while let Some(part) = parts.next() {
        match part {
            Argument::Short('d' | 'D') | Argument::Long("decode") => decode = true,
            Argument::Short('i') | Argument::Long("ignore-garbage") => ignore = true,
            Argument::Short('w') | Argument::Long("wrap") => {
                let value = parts.value().unwrap_or_default();
                match value.parse::<usize>() {
                    Ok(columns) => wrap = columns,
                    Err(_) => return Output::failure(1, &format!("base64: invalid wrap size: '{value}'")),
                }
            }
            Argument::Operand(file) => files.push(file),
            other => return unsupported("base64", other),
        }
    }
    let (inputs, mut output) = read_inputs("base64", &files, stdin, session);
    let bytes: Vec<u8> = inputs.into_iter().flat_map(|(_, bytes)| bytes).collect();
    if decode {
        let kept = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
        let text: Vec<u8> = bytes.into_iter().filter(|byte| *byte != b'\n' && (!ignore || kept(byte))).collect();
        // What stands before the first error is printed.
        let good = text.iter().position(|byte| !kept(byte)).unwrap_or(text.len());
        match STANDARD.decode(&text) {
            Ok(plain) => output.stdout = plain,
            Err(_) => {
                let whole = good - usize::from(good % 4 == 1);
                output.stdout = UNPADDED.decode(text.get(..whole).unwrap_or_default()).unwrap_or_default();
                output.stderr.extend(b"base64: invalid input\n");
                output.status = 1;
            }
        }
        return output;
    }
    let text = STANDARD.encode(bytes);
    if wrap == 0 {
        output.stdout = text.into_bytes();
    } else {
        for line in text.as_bytes().chunks(wrap) {
            output.stdout.extend(line.iter().chain(b"\n"));
        }
    }
    output
}

pub fn hexdump(arguments: &[String], stdin: &[u8], session: &mut Session) -> Output {
    let (mut canonical, mut all, mut length, mut skip) = (false, false, usize::MAX, 0);
    let mut files = Vec::new();
    let mut parts = Arguments::new(arguments);
    while let Some(part) = parts.next() {
        match part {
            Argument::Short('C') | Argument::Long("canonical") => canonical = true,
            Argument::Short('v') | Argument::Long("no-squeezing") => all = true,
            Argument::Short(option @ ('n' | 's')) => {
                let Some(count) = parts.value().and_then(number) else {
                    return Output::failure(1, &format!("hexdump: -{option} needs a number"));
                };
                *(if option == 'n' { &mut length } else { &mut skip }) = count;
            }
            Argument::Operand(file) => files.push(file),
            other => return unsupported("hexdump", other),
        }
    }
    if !canonical {
        return Output::failure(1, "hexdump: only the form of hexdump -C is known here");
    }
    let (inputs, mut output) = read_inputs("hexdump", &files, stdin, session);
    let bytes: Vec<u8> = inputs.into_iter().flat_map(|(_, bytes)| bytes).skip(skip).take(length).collect();
    output.stdout = dump(&bytes, all, skip).into_bytes();
    output
}

/// What `hexdump -C` prints. `all`: rows that repeat too. `skip`: how many bytes stand before these.
pub fn dump(bytes: &[u8], all: bool, skip: usize) -> String {
    let mut text = String::with_capacity(bytes.len() * 5);
    let mut before: Option<&[u8]> = None;
    let mut squeezed = false;
    for (row, chunk) in bytes.chunks(16).enumerate() {
        if !all && before == Some(chunk) && chunk.len() == 16 {
            if !squeezed {
                text.push_str("*\n");
            }
            squeezed = true;
            continue;
        }
        squeezed = false;
        before = Some(chunk);
        let mut hex = String::new();
        for (at, byte) in chunk.iter().enumerate() {
            hex.push_str(if at == 8 { "  " } else { " " });
            hex.push_str(&format!("{byte:02x}"));
        }
        text.push_str(&format!("{:08x} {hex:<49}  |{}|\n", skip + row * 16, printable(chunk)));
    }
    if !bytes.is_empty() {
        text.push_str(&format!("{:08x}\n", skip + bytes.len()));
    }
    text
}

pub fn xxd(arguments: &[String], stdin: &[u8], session: &mut Session) -> Output {
    let (mut plain, mut reverse, mut length, mut skip, mut columns) = (false, false, usize::MAX, 0, None);
    let mut files = Vec::new();
    // xxd's options are no clusters: `-ps` and `-plain` are one option each.
    let arguments: Vec<String> = arguments
        .iter()
        .map(|word| if matches!(word.as_str(), "-ps" | "-plain") { "-p".to_owned() } else { word.clone() })
        .collect();
    let mut parts = Arguments::new(&arguments);
    while let Some(part) = parts.next() {
        match part {
            Argument::Short('p') => plain = true,
            Argument::Short('r') => reverse = true,
            Argument::Short(option @ ('l' | 's' | 'c')) => {
                let Some(count) = parts.value().and_then(number) else {
                    return Output::failure(1, &format!("xxd: -{option} needs a number"));
                };
                match option {
                    'l' => length = count,
                    's' => skip = count,
                    _ => columns = Some(count).filter(|count| *count > 0),
                }
            }
            Argument::Operand(file) => files.push(file),
            other => return unsupported("xxd", other),
        }
    }
    let (inputs, mut output) = read_inputs("xxd", &files, stdin, session);
    let bytes: Vec<u8> = inputs.into_iter().flat_map(|(_, bytes)| bytes).skip(skip).take(length).collect();
    let columns = columns.unwrap_or(if plain { 30 } else { 16 });
    if columns > COLUMNS && !plain {
        return Output::failure(1, &format!("xxd: invalid number of columns (max. {COLUMNS})."));
    }
    if reverse {
        output.stdout = undump(&String::from_utf8_lossy(&bytes), plain);
        return output;
    }
    for (row, chunk) in bytes.chunks(columns).enumerate() {
        let line: String = if plain {
            chunk.iter().map(|byte| format!("{byte:02x}")).collect()
        } else {
            let width = columns * 2 + columns.div_ceil(2);
            let hex: String = chunk
                .chunks(2)
                .flat_map(|pair| [" ".to_owned(), pair.iter().map(|byte| format!("{byte:02x}")).collect()])
                .collect();
            format!("{:08x}:{hex:<width$}  {}", skip + row * columns, printable(chunk))
        };
        if !output.print_line(&line) {
            break;
        }
    }
    output
}

/// `xxd -r`: hexadecimal digits back to bytes.
fn undump(text: &str, plain: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in text.lines() {
        let line = if plain { line } else { line.split_once(':').map_or("", |(_, rest)| rest) };
        // Two spaces end the bytes; behind them stands what they look like.
        let hex = if plain { line } else { line.trim_start().split("  ").next().unwrap_or_default() };
        let digits: Vec<u32> = hex.chars().filter_map(|char| char.to_digit(16)).collect();
        bytes.extend(digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, digit| byte * 16 + *digit as u8)));
    }
    bytes
}

fn printable(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| if (b' '..=b'~').contains(byte) { char::from(*byte) } else { '.' }).collect()
}

fn number(text: &str) -> Option<usize> {
    match text.strip_prefix("0x") {
        Some(hex) => usize::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}
