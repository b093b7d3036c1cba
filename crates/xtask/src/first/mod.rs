//! The part of the wasm that a page's first verdicts wait for: the code that ran when a document was evaluated, and the
//! constants that such code can reach. Whatever goes where nothing ran traps, and the page turns to the whole.

mod constants;
mod module;
mod order;

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::ops::Range;

use wasm_encoder::reencode::{self, Reencode, RoundtripReencoder};
use wasm_encoder::{
    CodeSection, ConstExpr, CustomSection, DataSection, ElementSection, Elements, ExportKind, ExportSection, Function,
    FunctionSection, GlobalSection, ImportSection, Instruction, MemArg, MemArgTarget, MemorySection, MemoryType,
    NameMap, NameSection, StartSection, TableSection, TypeSection,
};
use wasmparser::{FunctionBody, Operator, Parser, Validator};

use crate::Result;
use module::{Module, text};

pub use order::alike_together;

/// A module that remembers what of it ran.
pub struct Probed {
    pub wasm: Vec<u8>,
    /// Where its memory has a byte for each stretch of code between two forks: 1 if it ran.
    pub address: u64,
    pub stretches: u32,
}

/// Lets each stretch of code of `bound`, a module that wasm-bindgen wrote, note that it ran.
pub fn probe(bound: &[u8]) -> Result<Probed> {
    let module = Module::read(bound)?;
    let memory = module.memory.ok_or("a module without memory")?;
    // Behind the memory that it starts with: what it asks for later comes behind ours.
    let address = memory.initial << 16;
    let mut stretches = 0;
    for body in &module.bodies {
        for operator in body.get_operators_reader().map_err(text)? {
            stretches += u32::from(is_fork(&operator.map_err(text)?));
        }
    }
    let mut wasm = wasm_encoder::Module::new();
    let mut probe = Probe { next: address as i32, pages: u64::from(stretches.div_ceil(1 << 16)) };
    probe.parse_core_module(&mut wasm, Parser::new(0), bound).map_err(text)?;
    Ok(Probed { wasm: wasm.finish(), address, stretches })
}

/// Whether there are two ways behind it, so that what follows may not run where it ran.
fn is_fork(operator: &Operator) -> bool {
    matches!(operator, Operator::If { .. } | Operator::Else | Operator::End | Operator::BrIf { .. })
}

/// `bound` without what the linker tells of itself.
pub fn without_notes(bound: &[u8]) -> Result<Vec<u8>> {
    let mut wasm = wasm_encoder::Module::new();
    WithoutNotes.parse_core_module(&mut wasm, Parser::new(0), bound).map_err(text)?;
    Ok(wasm.finish())
}

struct WithoutNotes;

impl Reencode for WithoutNotes {
    type Error = Infallible;

    fn parse_custom_section(
        &mut self,
        wasm: &mut wasm_encoder::Module,
        section: wasmparser::CustomSectionReader,
    ) -> std::result::Result<(), reencode::Error> {
        if section.name() == "linking" || section.name().starts_with("reloc.") {
            return Ok(());
        }
        reencode::utils::parse_custom_section(self, wasm, section)
    }
}

struct Probe {
    /// Where the next stretch notes that it ran.
    next: i32,
    pages: u64,
}

impl Reencode for Probe {
    type Error = Infallible;

    fn memory_type(&mut self, memory: wasmparser::MemoryType) -> std::result::Result<MemoryType, reencode::Error> {
        RoundtripReencoder.memory_type(wasmparser::MemoryType { initial: memory.initial + self.pages, ..memory })
    }

    fn parse_function_body(
        &mut self,
        code: &mut CodeSection,
        body: FunctionBody,
    ) -> std::result::Result<(), reencode::Error> {
        let mut function = self.new_function_with_parsed_locals(&body)?;
        self.note(&mut function);
        let mut operators = body.get_operators_reader()?;
        while !operators.eof() {
            let operator = operators.read()?;
            let is_fork = is_fork(&operator);
            function.instruction(&self.instruction(operator)?);
            if is_fork {
                self.next += 1;
                // Nothing may follow a function's end.
                if !operators.eof() {
                    self.note(&mut function);
                }
            }
        }
        code.function(&function);
        Ok(())
    }
}

impl Probe {
    fn note(&self, function: &mut Function) {
        let memory = MemArg { offset: 0, align: 0, target: MemArgTarget::Memory(0), ordering: None };
        function.instruction(&Instruction::I32Const(self.next));
        function.instruction(&Instruction::I32Const(1));
        function.instruction(&Instruction::I32Store8(memory));
    }
}

/// The first part of `bound`, a module that wasm-bindgen wrote from what the linker wrote in `linked`. It has the stretches of
/// code in `ran`, counted as a probe does, and imports and exports what the whole does.
pub fn first(bound: &[u8], linked: &[u8], ran: &HashSet<u32>) -> Result<Vec<u8>> {
    let module = Module::read(bound)?;
    let names: HashMap<u32, &str> = module.names.iter().copied().collect();
    let mut kept = Vec::new();
    let mut reached: HashMap<&str, HashSet<u32>> = HashMap::new();
    let mut stretch = 0;
    for (function, body) in (module.imported..).zip(&module.bodies) {
        let code = what_ran(body, ran, &mut stretch)?;
        let name = names.get(&function).copied().unwrap_or_default();
        reached.entry(name).or_default().extend(code.iter().flatten().filter_map(number));
        if let Some(code) = code {
            kept.push(Kept { function, name, body, code });
        }
    }
    let linked = constants::Linked::read(linked)?;
    if !linked.has_the_data_of(&module) {
        return Err("wasm-bindgen's module is not of what the linker wrote".to_owned());
    }
    let unreached = linked.unreached(&reached)?;
    First { module: &module, numbers: numbers(&module, &kept), kept, unreached }.write()
}

/// A function without the code in it that did not run.
struct Kept<'a> {
    /// Its index in the whole.
    function: u32,
    name: &'a str,
    body: &'a FunctionBody<'a>,
    code: Vec<Instruction<'a>>,
}

/// Code of fewer bytes is not worth a trap: one more entry in a map of hashes, and it may run.
const SMALL: u64 = 16;

/// A function's code that ran; none where nothing of it did. What did not run within a block is all that follows some point in
/// it, up to the block's end: nobody enters it halfway.
fn what_ran<'a>(
    body: &FunctionBody<'a>,
    ran: &HashSet<u32>,
    stretch: &mut u32,
) -> Result<Option<Vec<Instruction<'a>>>> {
    let entered = ran.contains(stretch);
    let mut code = Vec::new();
    // Code that did not run: where it begins in the file and in `code`, and how deep in it the next instruction is.
    let mut idle: Option<(u64, usize, u32)> = None;
    for operator in body.get_operators_reader().map_err(text)?.into_iter_with_offsets() {
        let (operator, at) = operator.map_err(text)?;
        let did_run = ran.contains(stretch);
        *stretch += u32::from(is_fork(&operator));
        let opens = matches!(operator, Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. });
        let ends = matches!(operator, Operator::Else | Operator::End);
        idle = match idle {
            Some((since, from, 0)) if ends => {
                if at - since >= SMALL {
                    code.truncate(from);
                    code.push(Instruction::Unreachable);
                }
                None
            }
            Some((since, from, depth)) if matches!(operator, Operator::End) => Some((since, from, depth - 1)),
            Some((since, from, depth)) => Some((since, from, depth + u32::from(opens))),
            None if !did_run && !ends => Some((at, code.len(), u32::from(opens))),
            None => None,
        };
        code.push(RoundtripReencoder.instruction(operator).map_err(text)?);
    }
    Ok(entered.then_some(code))
}

/// The number in an instruction that could be an address.
fn number(instruction: &Instruction) -> Option<u32> {
    match instruction {
        Instruction::I32Const(number) => Some(number.cast_unsigned()),
        Instruction::I32Load(place)
        | Instruction::I64Load(place)
        | Instruction::F32Load(place)
        | Instruction::F64Load(place)
        | Instruction::I32Load8S(place)
        | Instruction::I32Load8U(place)
        | Instruction::I32Load16S(place)
        | Instruction::I32Load16U(place)
        | Instruction::I64Load8S(place)
        | Instruction::I64Load8U(place)
        | Instruction::I64Load16S(place)
        | Instruction::I64Load16U(place)
        | Instruction::I64Load32S(place)
        | Instruction::I64Load32U(place)
        | Instruction::I32Store(place)
        | Instruction::I64Store(place)
        | Instruction::F32Store(place)
        | Instruction::F64Store(place)
        | Instruction::I32Store8(place)
        | Instruction::I32Store16(place)
        | Instruction::I64Store8(place)
        | Instruction::I64Store16(place)
        | Instruction::I64Store32(place) => Some(place.offset as u32),
        _ => None,
    }
}

/// The number in the first part of each function that it has.
fn numbers(module: &Module, kept: &[Kept]) -> HashMap<u32, u32> {
    (0..module.imported).chain(kept.iter().map(|kept| kept.function)).zip(0..).collect()
}

struct First<'a> {
    module: &'a Module<'a>,
    kept: Vec<Kept<'a>>,
    numbers: HashMap<u32, u32>,
    /// The addresses of constants that nothing in it can reach.
    unreached: Vec<Range<u32>>,
}

impl First<'_> {
    fn write(&self) -> Result<Vec<u8>> {
        let Self { module, numbers, .. } = self;
        let mut types = TypeSection::new();
        for found in &module.types {
            types.ty().function(found.parameters.iter().copied(), found.results.iter().copied());
        }
        let mut imports = ImportSection::new();
        for import in &module.imports {
            imports.import(import.module, import.name, RoundtripReencoder.entity_type(import.ty).map_err(text)?);
        }
        let mut signatures = FunctionSection::new();
        let mut code = CodeSection::new();
        for kept in &self.kept {
            signatures.function(module.signature(kept.function)?);
            code.function(&self.function(kept)?);
        }
        let mut exports = ExportSection::new();
        for export in &module.exports {
            let kind = RoundtripReencoder.export_kind(export.kind).map_err(text)?;
            let known = if kind == ExportKind::Func { numbers.get(&export.index).copied() } else { Some(export.index) };
            let index = match known {
                Some(index) => index,
                None => {
                    signatures.function(module.signature(export.index)?);
                    let mut trap = Function::new([]);
                    trap.instruction(&Instruction::Unreachable).instruction(&Instruction::End);
                    code.function(&trap);
                    module.imported + code.len() - 1
                }
            };
            exports.export(export.name, kind, index);
        }
        let mut tables = TableSection::new();
        for table in &module.tables {
            tables.table(RoundtripReencoder.table_type(*table).map_err(text)?);
        }
        let mut memories = MemorySection::new();
        if let Some(memory) = &module.memory {
            memories.memory(RoundtripReencoder.memory_type(*memory).map_err(text)?);
        }
        let mut globals = GlobalSection::new();
        for global in &module.globals {
            let value = RoundtripReencoder.const_expr(global.init_expr.clone()).map_err(text)?;
            globals.global(RoundtripReencoder.global_type(global.ty).map_err(text)?, &value);
        }
        let mut wasm = wasm_encoder::Module::new();
        wasm.section(&types).section(&imports).section(&signatures).section(&tables).section(&memories);
        wasm.section(&globals).section(&exports);
        if let Some(start) = module.start {
            let function_index = *numbers.get(&start).ok_or("the function that starts the module never ran")?;
            wasm.section(&StartSection { function_index });
        }
        wasm.section(&self.elements()).section(&code).section(&self.data()).section(&self.names());
        if let Some(features) = module.features {
            wasm.section(&CustomSection { name: "target_features".into(), data: features.into() });
        }
        let wasm = wasm.finish();
        Validator::new().validate_all(&wasm).map_err(text)?;
        Ok(wasm)
    }

    fn function(&self, kept: &Kept) -> Result<Function> {
        let mut function = RoundtripReencoder.new_function_with_parsed_locals(kept.body).map_err(text)?;
        for instruction in &kept.code {
            match instruction {
                Instruction::Call(called) => function.instruction(&match self.numbers.get(called) {
                    Some(number) => Instruction::Call(*number),
                    None => Instruction::Unreachable,
                }),
                Instruction::ReturnCall(_) | Instruction::RefFunc(_) => {
                    return Err("a function is named by an instruction that is no call".to_owned());
                }
                other => function.instruction(other),
            };
        }
        Ok(function)
    }

    /// What is in the table of functions, run by run. A call of an empty slot traps.
    fn elements(&self) -> ElementSection {
        let mut slots = self.module.slots.clone();
        slots.sort_unstable();
        let kept = slots.into_iter().filter_map(|(slot, function)| Some((slot, *self.numbers.get(&function)?)));
        let mut kept = kept.peekable();
        let mut elements = ElementSection::new();
        while let Some((start, number)) = kept.next() {
            let mut run = vec![number];
            while let Some((_, number)) = kept.next_if(|(slot, _)| *slot == start + run.len() as u32) {
                run.push(number);
            }
            elements.active(None, &ConstExpr::i32_const(start.cast_signed()), Elements::Functions(run.into()));
        }
        elements
    }

    fn data(&self) -> DataSection {
        let mut data = DataSection::new();
        for segment in &self.module.data {
            let mut bytes = segment.bytes.to_vec();
            let (start, end) = (segment.address, segment.address + bytes.len() as u32);
            let inside = self.unreached.iter().map(|it| it.start.max(start)..it.end.min(end));
            for Range { start: from, end: to } in inside.filter(|it| !it.is_empty()) {
                // Nothing there is what memory is at first, and wasm-opt leaves it out.
                if let Some(bytes) = bytes.get_mut((from - start) as usize..(to - start) as usize) {
                    bytes.fill(0);
                }
            }
            data.active(0, &ConstExpr::i32_const(start.cast_signed()), bytes);
        }
        data
    }

    /// The functions' names, by which wasm-opt orders them.
    fn names(&self) -> NameSection {
        let mut functions = NameMap::new();
        for (number, kept) in (self.module.imported..).zip(&self.kept) {
            functions.append(number, kept.name);
        }
        let mut names = NameSection::new();
        names.functions(&functions);
        names
    }
}
