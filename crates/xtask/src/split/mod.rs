//! The wasm in two parts, so that a page's first verdict waits for no more of it than it needs: the first part has the code
//! that ran when a document was evaluated, the rest has all other and is loaded behind the verdict.
//!
//! The parts share the memory and the table of functions. A call from one to the other goes through the table. Until the rest
//! is there its slots are empty, and a call of one traps: `call_indirect` does so by the core specification. The rest brings
//! its functions and its constants when it is instantiated with the first part's exports as its module `first`.

mod constants;
mod module;
mod order;
mod outline;

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::ops::Range;

use wasm_encoder::reencode::{self, Reencode, RoundtripReencoder};
use wasm_encoder::{
    CodeSection, ConstExpr, CustomSection, DataSection, ElementSection, Elements, EntityType, ExportKind,
    ExportSection, Function, FunctionSection, GlobalSection, GlobalType, ImportSection, Instruction, MemArg,
    MemArgTarget, MemorySection, MemoryType, NameMap, NameSection, StartSection, TableSection, TableType, TypeSection,
    ValType,
};
use wasmparser::{FunctionBody, Parser, Validator};

use crate::Result;
use module::{Module, Segment, text};

pub use order::alike_together;

/// The name under which the rest imports what the first part exports.
const FIRST: &str = "first";

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
            stretches += u32::from(outline::is_fork(&operator.map_err(text)?));
        }
    }
    let mut wasm = wasm_encoder::Module::new();
    let mut probe = Probe { next: address as i32, pages: u64::from(stretches.div_ceil(1 << 16)) };
    probe.parse_core_module(&mut wasm, Parser::new(0), bound).map_err(text)?;
    Ok(Probed { wasm: wasm.finish(), address, stretches })
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
            let is_fork = outline::is_fork(&operator);
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

/// The two parts of `bound`, a module that wasm-bindgen wrote from what the linker wrote in `linked`. The first has the
/// stretches of code in `ran`, counted as a probe does.
pub fn split(bound: &[u8], linked: &[u8], ran: &HashSet<u32>) -> Result<(Vec<u8>, Vec<u8>)> {
    let mut module = Module::read(bound)?;
    let functions = outline::functions(bound, &mut module, ran)?;
    let mut numbers: HashMap<&str, HashSet<u32>> = HashMap::new();
    // What was cut out of a function has another name.
    for function in &functions {
        let numbers = numbers.entry(&function.name).or_default();
        if function.ran {
            numbers.extend(function.code.iter().filter_map(number));
        }
    }
    let linked = constants::Linked::read(linked)?;
    if !linked.has_the_data_of(&module) {
        return Err("wasm-bindgen's module is not of what the linker wrote".to_owned());
    }
    let constants = linked.unreached(&numbers)?;
    let split = Split::new(&module, &functions, constants)?;
    Ok((split.first()?, split.rest()?))
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

struct Split<'a> {
    module: &'a Module<'a>,
    /// The module's own functions, by index.
    functions: &'a [outline::Function<'a>],
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
    fn new(module: &'a Module<'a>, functions: &'a [outline::Function<'a>], constants: Vec<Range<u32>>) -> Result<Self> {
        let own = module.imported..module.imported + functions.len() as u32;
        let is_first = |function: u32| {
            let own = function.checked_sub(module.imported);
            own.is_none_or(|own| functions.get(own as usize).is_some_and(|function| function.ran))
        };
        let (first, rest): (Vec<u32>, Vec<u32>) = own.clone().partition(|function| is_first(*function));
        let mut doors = Vec::new();
        for export in &module.exports {
            if export.kind == wasmparser::ExternalKind::Func && !is_first(export.index) {
                doors.push((export.name, export.index));
            }
        }
        let mut across: HashSet<u32> = doors.iter().map(|(_, function)| *function).collect();
        for (index, function) in own.zip(functions) {
            for instruction in &function.code {
                if let Instruction::Call(called) = instruction
                    && is_first(*called) != is_first(index)
                {
                    across.insert(*called);
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
        Ok(Self { module, functions, first, rest, doors, slots, tables, constants })
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
            for parameter in 0..module.of_type(signature)?.parameters.len() as u32 {
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
        for kind in &module.carriers {
            globals.global(carrier(*kind), &ConstExpr::extended([outline::zero(*kind)]));
        }
        let mut data = DataSection::new();
        for segment in &module.data {
            let mut bytes = segment.bytes.to_vec();
            for constants in self.constants_in(segment) {
                // Nothing there is what memory is at first, and wasm-opt leaves it out.
                if let Some(bytes) = bytes.get_mut(constants) {
                    bytes.fill(0);
                }
            }
            data.active(0, &ConstExpr::i32_const(segment.address.cast_signed()), bytes);
        }

        let mut wasm = wasm_encoder::Module::new();
        wasm.section(&self.types()).section(&imports).section(&signatures).section(&tables).section(&memories);
        wasm.section(&globals).section(&exports);
        if let Some(start) = module.start {
            let function_index = *numbers.get(&start).ok_or("the function that starts the module never ran")?;
            wasm.section(&StartSection { function_index });
        }
        wasm.section(&self.elements(&numbers)).section(&code).section(&data);
        self.finish(wasm, &numbers)
    }

    /// The other part, which imports all that is shared from the first.
    fn rest(&self) -> Result<Vec<u8>> {
        let mut imports = ImportSection::new();
        for (name, _, _, entity) in self.shared()? {
            imports.import(FIRST, &name, entity);
        }
        let numbers = numbers(&self.rest);
        let mut data = DataSection::new();
        for segment in &self.module.data {
            for constants in self.constants_in(segment) {
                let offset = ConstExpr::i32_const((segment.address + constants.start as u32).cast_signed());
                data.active(0, &offset, segment.bytes.get(constants).unwrap_or_default().iter().copied());
            }
        }
        let mut wasm = wasm_encoder::Module::new();
        wasm.section(&self.types()).section(&imports).section(&self.signatures(&self.rest)?);
        wasm.section(&self.elements(&numbers)).section(&self.code(&self.rest, &numbers)?).section(&data);
        self.finish(wasm, &numbers)
    }

    /// Where in a segment constants of the rest are.
    fn constants_in(&self, segment: &Segment<'_>) -> impl Iterator<Item = Range<usize>> {
        let (start, end) = (segment.address, segment.address + segment.bytes.len() as u32);
        let inside = self.constants.iter().map(move |it| it.start.max(start)..it.end.min(end));
        inside.filter(|it| !it.is_empty()).map(move |it| (it.start - start) as usize..(it.end - start) as usize)
    }

    fn types(&self) -> TypeSection {
        let mut types = TypeSection::new();
        for found in &self.module.types {
            types.ty().function(found.parameters.iter().copied(), found.results.iter().copied());
        }
        types
    }

    fn function(&self, function: u32) -> Result<&outline::Function<'a>> {
        let own = function.checked_sub(self.module.imported).and_then(|own| self.functions.get(own as usize));
        own.ok_or_else(|| format!("there is no function {function}"))
    }

    fn signature(&self, function: u32) -> Result<u32> {
        self.module.signature(function).or_else(|_| Ok(self.function(function)?.signature))
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
        let mut globals = Vec::new();
        for global in &self.module.globals {
            globals.push(RoundtripReencoder.global_type(global.ty).map_err(text)?);
        }
        globals.extend(self.module.carriers.iter().copied().map(carrier));
        for (index, global) in (0..).zip(globals) {
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
            let outline::Function { locals, code: instructions, .. } = self.function(*function)?;
            let mut function = Function::new_with_locals_types(locals.iter().copied());
            for instruction in instructions {
                match instruction {
                    Instruction::Call(called) => match numbers.get(called) {
                        Some(number) => {
                            function.instruction(&Instruction::Call(*number));
                        }
                        None => {
                            for instruction in self.through_the_table(*called)? {
                                function.instruction(&instruction);
                            }
                        }
                    },
                    Instruction::ReturnCall(_) | Instruction::RefFunc(_) => {
                        return Err("a function is named by an instruction that is no call".to_owned());
                    }
                    other => {
                        function.instruction(other);
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
    fn finish(&self, mut wasm: wasm_encoder::Module, numbers: &HashMap<u32, u32>) -> Result<Vec<u8>> {
        let mut named: Vec<(u32, &str)> = Vec::new();
        for (function, number) in numbers {
            if let Ok(function) = self.function(*function) {
                named.push((*number, &function.name));
            }
        }
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
        let wasm = wasm.finish();
        Validator::new().validate_all(&wasm).map_err(text)?;
        Ok(wasm)
    }
}

fn carrier(val_type: ValType) -> GlobalType {
    GlobalType { val_type, mutable: true, shared: false }
}

/// The numbers of functions in a part that has them in this order.
fn numbers(functions: &[u32]) -> HashMap<u32, u32> {
    functions.iter().copied().zip(0..).collect()
}
