//! The wasm in two parts, so that a page's first verdict waits for no more of it than it needs: the first part has the
//! functions that ran when a document was evaluated, the rest has the others and is loaded behind the verdict.
//!
//! The parts share the memory and the table of functions. A call from one to the other goes through the table. Until the rest
//! is there its slots are empty, and a call of one traps: `call_indirect` does so by the core specification. The rest brings
//! its functions and its constants when it is instantiated with the first part's exports as its module `first`.

mod constants;
mod module;

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::ops::Range;

use wasm_encoder::reencode::{self, Reencode, RoundtripReencoder};
use wasm_encoder::{
    CodeSection, ConstExpr, CustomSection, DataSection, ElementSection, Elements, EntityType, ExportKind,
    ExportSection, Function, FunctionSection, GlobalSection, GlobalType, ImportSection, Instruction, MemArg,
    MemArgTarget, MemorySection, MemoryType, NameMap, NameSection, StartSection, TableSection, TableType, TypeSection,
};
use wasmparser::{FunctionBody, Operator, Parser};

use crate::Result;
use module::{Module, text};

/// The name under which the rest imports what the first part exports.
const FIRST: &str = "first";

/// A module that remembers which of its functions ran.
pub struct Probed {
    pub wasm: Vec<u8>,
    /// Where its memory has a byte for each of its functions: 1 if it ran.
    pub address: u64,
    pub functions: u32,
}

/// Lets each function of `bound`, a module that wasm-bindgen wrote, note that it ran.
pub fn probe(bound: &[u8]) -> Result<Probed> {
    let module = Module::read(bound)?;
    let memory = module.memory.ok_or("a module without memory")?;
    // Behind the memory that it starts with: what it asks for later comes behind ours.
    let address = memory.initial << 16;
    let functions = module.own().len() as u32;
    let mut wasm = wasm_encoder::Module::new();
    let mut probe = Probe { next: address as i32, pages: u64::from(functions.div_ceil(1 << 16)) };
    probe.parse_core_module(&mut wasm, Parser::new(0), bound).map_err(text)?;
    Ok(Probed { wasm: wasm.finish(), address, functions })
}

/// `bound` without what the linker tells of itself.
pub fn whole(bound: &[u8]) -> Result<Vec<u8>> {
    let mut wasm = wasm_encoder::Module::new();
    Whole.parse_core_module(&mut wasm, Parser::new(0), bound).map_err(text)?;
    Ok(wasm.finish())
}

struct Whole;

impl Reencode for Whole {
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
    /// Where the next function notes that it ran.
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
        function.instruction(&Instruction::I32Const(self.next));
        function.instruction(&Instruction::I32Const(1));
        function.instruction(&Instruction::I32Store8(MemArg {
            offset: 0,
            align: 0,
            target: MemArgTarget::Memory(0),
            ordering: None,
        }));
        self.next += 1;
        for operator in body.get_operators_reader()? {
            function.instruction(&self.instruction(operator?)?);
        }
        code.function(&function);
        Ok(())
    }
}

/// The two parts of `bound`, a module that wasm-bindgen wrote from what the linker wrote in `linked`. The first has the
/// functions of `ran`, which counts the module's own functions from zero.
pub fn split(bound: &[u8], linked: &[u8], ran: &HashSet<u32>) -> Result<(Vec<u8>, Vec<u8>)> {
    let module = Module::read(bound)?;
    let first = |function: u32| function < module.imported || ran.contains(&(function - module.imported));
    let others = module.names.iter().filter(|(function, _)| !first(*function)).map(|(_, name)| *name).collect();
    let split = Split::new(&module, first, constants::of_others(linked, &others)?)?;
    Ok((split.first()?, split.rest()?))
}

struct Split<'a> {
    module: &'a Module<'a>,
    first: Vec<u32>,
    rest: Vec<u32>,
    /// Functions of the rest that the world calls by name.
    doors: Vec<(&'a str, u32)>,
    /// The table's slot of each function that has one.
    slots: HashMap<u32, u32>,
    tables: Vec<TableType>,
    /// The addresses of constants that only the rest can reach.
    constants: Vec<Range<u32>>,
}

impl<'a> Split<'a> {
    fn new(module: &'a Module<'a>, is_first: impl Fn(u32) -> bool, constants: Vec<Range<u32>>) -> Result<Self> {
        let (first, rest): (Vec<u32>, Vec<u32>) = module.own().partition(|function| is_first(*function));
        let mut doors = Vec::new();
        for export in &module.exports {
            if export.kind == wasmparser::ExternalKind::Func && !is_first(export.index) {
                doors.push((export.name, export.index));
            }
        }
        let mut across: HashSet<u32> = doors.iter().map(|(_, function)| *function).collect();
        for (function, body) in module.own().zip(&module.bodies) {
            for operator in body.get_operators_reader().map_err(text)? {
                if let Operator::Call { function_index: called } = operator.map_err(text)?
                    && is_first(called) != is_first(function)
                {
                    across.insert(called);
                }
            }
        }
        let mut tables = Vec::new();
        for table in &module.tables {
            tables.push(RoundtripReencoder.table_type(*table).map_err(text)?);
        }
        let table = tables.first_mut().ok_or("a module without a table of functions")?;
        let mut slots: HashMap<u32, u32> = module.slots.iter().map(|(slot, function)| (*function, *slot)).collect();
        // Each part's side by side, as what one part puts into the table is told run by run.
        let mut across: Vec<u32> = across.into_iter().filter(|function| !slots.contains_key(function)).collect();
        across.sort_unstable_by_key(|function| (is_first(*function), *function));
        for function in across {
            slots.insert(function, table.minimum as u32);
            table.minimum += 1;
        }
        table.maximum = table.maximum.map(|_| table.minimum);
        Ok(Self { module, first, rest, doors, slots, tables, constants })
    }

    /// The part that a page starts with. It imports what the whole does, and exports more than that.
    fn first(&self) -> Result<Vec<u8>> {
        let module = self.module;
        let mut imports = ImportSection::new();
        for import in &module.imports {
            imports.import(import.module, import.name, RoundtripReencoder.entity_type(import.ty).map_err(text)?);
        }
        let functions: Vec<u32> = (0..module.imported).chain(self.first.iter().copied()).collect();
        let numbers = numbers(&functions);
        let mut code = self.code(&self.first, &numbers)?;
        let mut signatures = self.signatures(&self.first)?;
        let mut exports = ExportSection::new();
        for export in &module.exports {
            let kind = RoundtripReencoder.export_kind(export.kind).map_err(text)?;
            if kind != ExportKind::Func {
                exports.export(export.name, kind, export.index);
            } else if let Some(number) = numbers.get(&export.index) {
                exports.export(export.name, kind, *number);
            }
        }
        for (at, (name, function)) in (functions.len() as u32..).zip(&self.doors) {
            let signature = self.signature(*function)?;
            signatures.function(signature);
            let mut door = Function::new([]);
            for parameter in 0..module.parameters(signature)? {
                door.instruction(&Instruction::LocalGet(parameter));
            }
            for instruction in self.through_the_table(*function)? {
                door.instruction(&instruction);
            }
            door.instruction(&Instruction::End);
            code.function(&door);
            exports.export(name, ExportKind::Func, at);
        }
        for (name, kind, index, _) in self.shared()? {
            exports.export(&name, kind, index);
        }
        let mut tables = TableSection::new();
        for table in &self.tables {
            tables.table(*table);
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
        let mut data = DataSection::new();
        for segment in &module.data {
            let mut bytes = segment.bytes.to_vec();
            for constants in &self.constants {
                // Nothing there is what memory is at first, and wasm-opt leaves it out.
                let within =
                    constants.start.saturating_sub(segment.address)..constants.end.saturating_sub(segment.address);
                if let Some(bytes) = bytes.get_mut(within.start as usize..within.end as usize) {
                    bytes.fill(0);
                }
            }
            data.active(0, &ConstExpr::i32_const(segment.address.cast_signed()), bytes);
        }

        let mut wasm = wasm_encoder::Module::new();
        wasm.section(&self.types()?).section(&imports).section(&signatures).section(&tables).section(&memories);
        wasm.section(&globals).section(&exports);
        if let Some(start) = module.start {
            let function_index = *numbers.get(&start).ok_or("the function that starts the module never ran")?;
            wasm.section(&StartSection { function_index });
        }
        wasm.section(&self.elements(&numbers)).section(&code).section(&data);
        Ok(self.finish(wasm, &numbers))
    }

    /// The other part, which imports all that is shared from the first.
    fn rest(&self) -> Result<Vec<u8>> {
        let mut imports = ImportSection::new();
        for (name, _, _, entity) in self.shared()? {
            imports.import(FIRST, &name, entity);
        }
        let numbers = numbers(&self.rest);
        let mut data = DataSection::new();
        for constants in &self.constants {
            for segment in &self.module.data {
                let within = constants.start.wrapping_sub(segment.address)..constants.end.wrapping_sub(segment.address);
                if let Some(bytes) = segment.bytes.get(within.start as usize..within.end as usize) {
                    data.active(0, &ConstExpr::i32_const(constants.start.cast_signed()), bytes.iter().copied());
                }
            }
        }
        let mut wasm = wasm_encoder::Module::new();
        wasm.section(&self.types()?).section(&imports).section(&self.signatures(&self.rest)?);
        wasm.section(&self.elements(&numbers)).section(&self.code(&self.rest, &numbers)?).section(&data);
        Ok(self.finish(wasm, &numbers))
    }

    fn types(&self) -> Result<TypeSection> {
        let mut types = TypeSection::new();
        if let Some(reader) = &self.module.types {
            RoundtripReencoder.parse_type_section(&mut types, reader.clone()).map_err(text)?;
        }
        Ok(types)
    }

    fn signature(&self, function: u32) -> Result<u32> {
        let signature = self.module.signatures.get(function as usize);
        Ok(*signature.ok_or_else(|| format!("there is no function {function}"))?)
    }

    fn signatures(&self, functions: &[u32]) -> Result<FunctionSection> {
        let mut signatures = FunctionSection::new();
        for function in functions {
            signatures.function(self.signature(*function)?);
        }
        Ok(signatures)
    }

    /// What the parts have in common: its name between them, and its kind, index and type.
    fn shared(&self) -> Result<Vec<(String, ExportKind, u32, EntityType)>> {
        let mut shared = Vec::new();
        for (index, table) in (0..).zip(&self.tables) {
            shared.push((format!("t{index}"), ExportKind::Table, index, EntityType::Table(*table)));
        }
        if let Some(memory) = &self.module.memory {
            let memory = RoundtripReencoder.memory_type(*memory).map_err(text)?;
            shared.push(("m".to_owned(), ExportKind::Memory, 0, EntityType::Memory(memory)));
        }
        for (index, global) in (0..).zip(&self.module.globals) {
            let global: GlobalType = RoundtripReencoder.global_type(global.ty).map_err(text)?;
            shared.push((format!("g{index}"), ExportKind::Global, index, EntityType::Global(global)));
        }
        Ok(shared)
    }

    /// What a part puts into the table, run by run.
    fn elements(&self, numbers: &HashMap<u32, u32>) -> ElementSection {
        let added = self.slots.iter().map(|(function, slot)| (*slot, *function));
        let mut slots: Vec<(u32, u32)> = self.module.slots.iter().copied().chain(added).collect();
        slots.sort_unstable();
        slots.dedup();
        let mut slots =
            slots.into_iter().filter_map(|(slot, function)| Some((slot, *numbers.get(&function)?))).peekable();
        let mut elements = ElementSection::new();
        while let Some((start, number)) = slots.next() {
            let mut run = vec![number];
            while let Some((_, number)) = slots.next_if(|(slot, _)| *slot == start + run.len() as u32) {
                run.push(number);
            }
            elements.active(None, &ConstExpr::i32_const(start.cast_signed()), Elements::Functions(run.into()));
        }
        elements
    }

    fn code(&self, functions: &[u32], numbers: &HashMap<u32, u32>) -> Result<CodeSection> {
        let mut code = CodeSection::new();
        for function in functions {
            let body = self.module.bodies.get((function - self.module.imported) as usize);
            let body = body.ok_or_else(|| format!("function {function} has no body"))?;
            let mut function = RoundtripReencoder.new_function_with_parsed_locals(body).map_err(text)?;
            for operator in body.get_operators_reader().map_err(text)? {
                match operator.map_err(text)? {
                    Operator::Call { function_index } => match numbers.get(&function_index) {
                        Some(number) => {
                            function.instruction(&Instruction::Call(*number));
                        }
                        None => {
                            for instruction in self.through_the_table(function_index)? {
                                function.instruction(&instruction);
                            }
                        }
                    },
                    Operator::ReturnCall { .. } | Operator::RefFunc { .. } => {
                        return Err("a function is named by an instruction that is no call".to_owned());
                    }
                    other => {
                        function.instruction(&RoundtripReencoder.instruction(other).map_err(text)?);
                    }
                }
            }
            code.function(&function);
        }
        Ok(code)
    }

    fn through_the_table(&self, function: u32) -> Result<[Instruction<'static>; 2]> {
        let slot = self.slots.get(&function).ok_or_else(|| format!("function {function} has no slot"))?;
        let type_index = self.signature(function)?;
        Ok([Instruction::I32Const(slot.cast_signed()), Instruction::CallIndirect { type_index, table_index: 0 }])
    }

    /// With the functions' names, by which wasm-opt orders them, and what it may use.
    fn finish(&self, mut wasm: wasm_encoder::Module, numbers: &HashMap<u32, u32>) -> Vec<u8> {
        let mut named: Vec<(u32, &str)> =
            self.module.names.iter().filter_map(|(function, name)| Some((*numbers.get(function)?, *name))).collect();
        named.sort_unstable();
        let mut functions = NameMap::new();
        for (number, name) in named {
            functions.append(number, name);
        }
        let mut names = NameSection::new();
        names.functions(&functions);
        wasm.section(&names);
        if let Some(features) = self.module.features {
            wasm.section(&CustomSection { name: "target_features".into(), data: features.into() });
        }
        wasm.finish()
    }
}

/// The numbers of functions in a part that has them in this order.
fn numbers(functions: &[u32]) -> HashMap<u32, u32> {
    functions.iter().copied().zip(0..).collect()
}
