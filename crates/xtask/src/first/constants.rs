//! Which bytes of a module's data no function of a set can reach, by what the linker tells of itself under `--emit-relocs`:
//! a symbol for each constant, and each place of the code and of the data that holds a symbol's address.
//! Specified by [Linking.md](https://github.com/WebAssembly/tool-conventions/blob/main/Linking.md).

use std::collections::{HashMap, HashSet};
use std::mem;
use std::ops::Range;

use wasmparser::{KnownCustom, Linking, Parser, Payload, RelocationEntry, RelocationType, SymbolInfo};

use super::module::{Module, Segment, text};
use crate::Result;

/// What the linker wrote.
pub struct Linked<'a> {
    module: Module<'a>,
    notes: Notes,
}

/// What the linker tells.
#[derive(Default)]
struct Notes {
    /// The addresses of each constant; none for whatever else has a symbol.
    symbols: Vec<Range<u32>>,
    in_code: Vec<Held>,
    in_data: Vec<Held>,
}

/// An address that the module holds.
struct Held {
    /// Where in the file.
    at: u64,
    address: u32,
    symbol: usize,
}

impl<'a> Linked<'a> {
    pub fn read(linked: &'a [u8]) -> Result<Self> {
        let module = Module::read(linked)?;
        let notes = read(linked, &module.data)?;
        Ok(Self { module, notes })
    }

    /// Whether `module` was made from this.
    pub fn has_the_data_of(&self, module: &Module) -> bool {
        let data = |module: &Module| -> Vec<(u32, Vec<u8>)> {
            module.data.iter().map(|segment| (segment.address, segment.bytes.to_vec())).collect()
        };
        data(&self.module) == data(module)
    }

    /// The addresses of all constants that nothing reaches but functions without the numbers that lead there. `numbers` has all
    /// numbers in a function's code, by the function's name; of a function that is not named all is reached. What no symbol covers
    /// is not among the addresses.
    pub fn unreached(&self, numbers: &HashMap<&str, HashSet<u32>>) -> Result<Vec<Range<u32>>> {
        let Self { module, notes } = self;
        let numbers: HashMap<u32, &HashSet<u32>> =
            module.names.iter().filter_map(|(function, name)| Some((*function, numbers.get(name)?))).collect();
        let mut todo = Vec::new();
        for held in &notes.in_code {
            let body = module.bodies.partition_point(|body| body.range().end <= held.at);
            let numbers = numbers.get(&(module.imported + body as u32));
            if numbers.is_none_or(|numbers| numbers.contains(&held.address)) {
                todo.push(held.symbol);
            }
        }
        // By the address at which the address is held.
        let mut held = Vec::new();
        for Held { at, symbol, .. } in &notes.in_data {
            let segment =
                module.data.iter().rfind(|segment| segment.at <= *at).ok_or("a relocation before all data")?;
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
                todo.extend(
                    held.iter().skip(first).take_while(|(at, _)| *at < addresses.end).map(|(_, symbol)| *symbol),
                );
            }
        }
        Ok(without(&notes.symbols, &reached))
    }
}

/// The addresses of the symbols that are not reached, without those that one which is shares with them.
fn without(symbols: &[Range<u32>], reached: &[bool]) -> Vec<Range<u32>> {
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
                            held.push(address(linked, start, &relocation, &notes.symbols)?);
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

/// The address that stands there. It must be the symbol's, as what was read wrongly would take constants from code that needs them.
fn address(linked: &[u8], start: u64, relocation: &RelocationEntry, symbols: &[Range<u32>]) -> Result<Held> {
    let at = start + u64::from(relocation.offset);
    let bytes = linked.get(at as usize..).unwrap_or_default();
    let address = match relocation.ty {
        RelocationType::MemoryAddrI32 => bytes.first_chunk().map(|bytes| u32::from_le_bytes(*bytes)),
        // LEB128, always of five bytes.
        _ => bytes.first_chunk::<5>().map(|bytes| {
            bytes.iter().rev().fold(0_u32, |number, byte| number.wrapping_shl(7) | u32::from(byte & 0x7f))
        }),
    };
    let address = address.ok_or("a relocation behind the file's end")?;
    let symbol = symbols.get(relocation.index as usize).ok_or("a relocation of no symbol")?;
    let known = symbol.start.wrapping_add(relocation.addend as u32);
    if !symbol.is_empty() && address != known {
        return Err(format!("byte {at} should hold the address {known}, and holds {address}"));
    }
    Ok(Held { at, address, symbol: relocation.index as usize })
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
