//! Which bytes of a module's data no function of a set can reach, by what the linker tells of itself under `--emit-relocs`:
//! a symbol for each constant, and each place of the code and of the data that holds a symbol's address.
//! Specified by [Linking.md](https://github.com/WebAssembly/tool-conventions/blob/main/Linking.md).

use std::collections::HashSet;
use std::mem;
use std::ops::Range;

use wasmparser::{KnownCustom, Linking, Parser, Payload, RelocationEntry, RelocationType, SymbolInfo};

use super::module::{Module, Segment, text};
use crate::Result;

/// What the linker tells.
#[derive(Default)]
struct Notes {
    /// The addresses of each constant; none for whatever else has a symbol.
    symbols: Vec<Range<u32>>,
    /// Where in the file an address is held, and of which symbol.
    in_code: Vec<(u64, usize)>,
    in_data: Vec<(u64, usize)>,
}

/// The addresses of all constants that only the functions named in `others` can reach. What no symbol covers is not among them.
pub fn of_others(linked: &[u8], others: &HashSet<&str>) -> Result<Vec<Range<u32>>> {
    let module = Module::read(linked)?;
    let notes = read(linked, &module.data)?;
    let others: HashSet<u32> =
        module.names.iter().filter(|(_, name)| others.contains(name)).map(|(function, _)| *function).collect();
    let mut todo = Vec::new();
    for (at, symbol) in &notes.in_code {
        let body = module.bodies.partition_point(|body| body.range().end <= *at);
        if !others.contains(&(module.imported + body as u32)) {
            todo.push(*symbol);
        }
    }
    // By the address at which the address is held.
    let mut held = Vec::new();
    for (at, symbol) in &notes.in_data {
        let segment = module.data.iter().rfind(|segment| segment.at <= *at).ok_or("a relocation before all data")?;
        held.push((segment.address + (at - segment.at) as u32, *symbol));
    }
    held.sort_unstable();
    let mut reached = vec![false; notes.symbols.len()];
    while let Some(symbol) = todo.pop() {
        let (Some(reached), Some(addresses)) = (reached.get_mut(symbol), notes.symbols.get(symbol)) else {
            return Err("a relocation of no symbol".to_owned());
        };
        if !mem::replace(reached, true) {
            let first = held.partition_point(|(at, _)| *at < addresses.start);
            todo.extend(held.iter().skip(first).take_while(|(at, _)| *at < addresses.end).map(|(_, symbol)| *symbol));
        }
    }
    Ok(unreached(&notes.symbols, &reached))
}

/// The addresses of the symbols that are not reached, without those that one which is shares with them.
fn unreached(symbols: &[Range<u32>], reached: &[bool]) -> Vec<Range<u32>> {
    let mut edges = Vec::new();
    for (symbol, reached) in symbols.iter().zip(reached).filter(|(symbol, _)| !symbol.is_empty()) {
        edges.extend([(symbol.start, *reached, 1), (symbol.end, *reached, -1)]);
    }
    edges.sort_unstable();
    let (mut ours, mut theirs, mut since) = (0, 0, 0);
    let mut found: Vec<Range<u32>> = Vec::new();
    for (at, reached, step) in edges {
        if ours == 0 && theirs > 0 && since < at {
            match found.last_mut().filter(|last| last.end == since) {
                Some(last) => last.end = at,
                None => found.push(since..at),
            }
        }
        *(if reached { &mut ours } else { &mut theirs }) += step;
        since = at;
    }
    found
}

fn read(linked: &[u8], data: &[Segment]) -> Result<Notes> {
    let mut notes = Notes::default();
    let (mut code_start, mut data_start) = (0, 0);
    for payload in Parser::new(0).parse_all(linked) {
        match payload.map_err(text)? {
            Payload::CodeSectionStart { unchecked_range, .. } => code_start = unchecked_range.start,
            Payload::DataSection(data) => data_start = data.range().start,
            Payload::CustomSection(section) => match section.as_known() {
                KnownCustom::Linking(parts) => {
                    for part in parts {
                        if let Linking::SymbolTable(symbols) = part.map_err(text)? {
                            for symbol in symbols {
                                notes.symbols.push(addresses(&symbol.map_err(text)?, data));
                            }
                        }
                    }
                }
                KnownCustom::Reloc(relocations) => {
                    let (start, held) = match section.name() {
                        "reloc.CODE" => (code_start, &mut notes.in_code),
                        "reloc.DATA" => (data_start, &mut notes.in_data),
                        _ => continue,
                    };
                    for relocation in relocations.entries() {
                        let relocation = relocation.map_err(text)?;
                        if is_address(&relocation) {
                            let at = start + u64::from(relocation.offset);
                            held.push((at, relocation.index as usize));
                            agree(linked, at, &relocation, &notes.symbols)?;
                        }
                    }
                }
                _ => {}
            },
            _ => {}
        }
    }
    if notes.symbols.is_empty() || notes.in_code.is_empty() {
        return Err("the linker was not asked for its relocations".to_owned());
    }
    Ok(notes)
}

/// That the address which stands there is the symbol's: what was read wrongly would take constants from functions that need them.
fn agree(linked: &[u8], at: u64, relocation: &RelocationEntry, symbols: &[Range<u32>]) -> Result {
    let bytes = linked.get(at as usize..).unwrap_or_default();
    let stands = match relocation.ty {
        RelocationType::MemoryAddrI32 => bytes.first_chunk().map(|bytes| i32::from_le_bytes(*bytes)),
        // LEB128, always of five bytes.
        _ => bytes.first_chunk::<5>().map(|bytes| {
            bytes.iter().rev().fold(0_i32, |number, byte| number.wrapping_shl(7) | i32::from(byte & 0x7f))
        }),
    };
    let symbol = symbols.get(relocation.index as usize).filter(|symbol| !symbol.is_empty());
    let known = symbol.map(|symbol| symbol.start.cast_signed().wrapping_add(relocation.addend as i32));
    match known {
        Some(known) if stands != Some(known) => Err(format!("byte {at} should hold the address {known}: {stands:?}")),
        _ => Ok(()),
    }
}

fn addresses(symbol: &SymbolInfo, data: &[Segment]) -> Range<u32> {
    let SymbolInfo::Data { symbol: Some(defined), .. } = symbol else {
        return 0..0;
    };
    // What is zero at first may have a symbol without bytes.
    let Some(segment) = data.get(defined.index as usize) else {
        return 0..0;
    };
    let start = segment.address + defined.offset;
    start..(start + defined.size).min(segment.address + segment.bytes.len() as u32)
}

fn is_address(relocation: &RelocationEntry) -> bool {
    matches!(
        relocation.ty,
        RelocationType::MemoryAddrLeb | RelocationType::MemoryAddrSleb | RelocationType::MemoryAddrI32
    )
}
