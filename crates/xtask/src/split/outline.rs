//! Functions of a module without the code in them that did not run: such code becomes a function of its own.
//!
//! What never ran within a block is all that follows some point in it, up to the block's end: nobody enters it halfway. Where
//! nothing lies on the stack there, it can be called instead: it takes the locals that it reads, and gives back those that it
//! changes and, where it can be left in several ways, by which. One of these is its result, the others are in globals when it
//! returns: V8 of the year 2023 loses results where there are several (Node 20 does, when code is not yet optimised).

use std::collections::{HashMap, HashSet};

use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{BlockType, Instruction, ValType};
use wasmparser::{FuncToValidate, FuncValidatorAllocations, FunctionBody, Operator, Parser, ValidPayload, Validator};
use wasmparser::{ValidatorResources, WasmFeatures};

use super::module::{Module, Type, text};
use crate::Result;

/// A function to be written.
pub struct Function<'a> {
    pub name: String,
    /// Which of the types it has.
    pub signature: u32,
    /// Its locals behind its parameters.
    pub locals: Vec<ValType>,
    pub code: Vec<Instruction<'a>>,
    pub ran: bool,
}

/// A way out of code that is cut out.
#[derive(Clone, Copy, PartialEq)]
enum Exit {
    /// To the label so many blocks up, the code's own being 0.
    Label(u32),
    /// Out of the function.
    Return,
}

/// Whether there are two ways behind it, so that what follows may not run where it ran.
pub fn is_fork(operator: &Operator) -> bool {
    matches!(operator, Operator::If { .. } | Operator::Else | Operator::End | Operator::BrIf { .. })
}

/// The module's own functions by their indices, and behind them those that were cut out; types that these need are added.
/// `ran` has the stretches between forks that ran, counted through the module.
pub fn functions<'a>(bound: &'a [u8], module: &mut Module<'a>, ran: &HashSet<u32>) -> Result<Vec<Function<'a>>> {
    let mut functions = Vec::new();
    let mut cut_out = Vec::new();
    let mut validator = Validator::new_with_features(WasmFeatures::default());
    let mut stretch = 0;
    let names: HashMap<u32, &str> = module.names.iter().copied().collect();
    let first_cut = module.signatures.len() as u32;
    for payload in Parser::new(0).parse_all(bound) {
        let payload = payload.map_err(text)?;
        let ValidPayload::Func(function, body) = validator.payload(&payload).map_err(text)? else {
            continue;
        };
        let index = module.imported + functions.len() as u32;
        let name = names.get(&index).copied().unwrap_or_default();
        let signature = module.signature(index)?;
        let mut cutting = Cutting::read(module, function, &body, signature, ran, &mut stretch)?;
        if cutting.steps.first().is_some_and(|step| step.ran) {
            let next = first_cut + cut_out.len() as u32;
            cutting.cut(name, next)?;
        }
        let Cutting { steps, parameters, mut locals, code, cut, .. } = cutting;
        let ran = steps.first().is_some_and(|step| step.ran);
        let code = if ran { code } else { steps.into_iter().map(|step| step.instruction).collect() };
        let locals = locals.split_off(parameters);
        functions.push(Function { name: name.to_owned(), signature, locals, code, ran });
        cut_out.extend(cut);
    }
    functions.extend(cut_out);
    Ok(functions)
}

/// An instruction in its place.
struct Step<'a> {
    instruction: Instruction<'a>,
    /// Where it stands in the file.
    at: u64,
    ran: bool,
    /// Whether it can be reached with nothing on the stack that its block put there.
    is_base: bool,
    is_reachable: bool,
    /// For what opens a block or an arm of one: the instruction that ends it.
    end: usize,
}

/// A block around the instruction at hand.
struct Frame {
    /// What it leaves on the stack.
    results: Vec<ValType>,
    /// What a branch to it takes with it: nothing, or more.
    takes: bool,
    end: usize,
}

/// A function, and what is cut out of it.
struct Cutting<'a, 'm> {
    module: &'m mut Module<'a>,
    steps: Vec<Step<'a>>,
    parameters: usize,
    /// The types of all locals, the parameters among them.
    locals: Vec<ValType>,
    results: Vec<ValType>,
    /// How often each local is read.
    gets: Vec<u32>,
    /// Where the way out of code that was cut out is kept, and what the function then returns.
    way: Option<u32>,
    returned: Option<u32>,
    code: Vec<Instruction<'a>>,
    cut: Vec<Function<'a>>,
}

impl<'a, 'm> Cutting<'a, 'm> {
    fn read(
        module: &'m mut Module<'a>,
        function: FuncToValidate<ValidatorResources>,
        body: &FunctionBody<'a>,
        signature: u32,
        ran: &HashSet<u32>,
        stretch: &mut u32,
    ) -> Result<Self> {
        let mut validator = function.into_validator(FuncValidatorAllocations::default());
        validator.read_locals(&mut body.get_binary_reader()).map_err(text)?;
        let mut locals = Vec::new();
        while let Some(local) = validator.get_local_type(locals.len() as u32) {
            locals.push(RoundtripReencoder.val_type(local).map_err(text)?);
        }
        let mut steps: Vec<Step> = Vec::new();
        let mut open = Vec::new();
        let mut gets = vec![0; locals.len()];
        for operator in body.get_operators_reader().map_err(text)?.into_iter_with_offsets() {
            let (operator, at) = operator.map_err(text)?;
            let frame = validator.get_control_frame(0).ok_or("an instruction behind a function's end")?;
            let is_reachable = !frame.unreachable;
            let is_base = is_reachable && validator.operand_stack_height() as usize == frame.height;
            match operator {
                Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => open.push(steps.len()),
                Operator::Else | Operator::End => {
                    let end = steps.len();
                    if let Some(opening) = open.pop().and_then(|opening: usize| steps.get_mut(opening)) {
                        opening.end = end;
                    }
                    if matches!(operator, Operator::Else) {
                        open.push(end);
                    }
                }
                Operator::LocalGet { local_index } => {
                    if let Some(count) = gets.get_mut(local_index as usize) {
                        *count += 1;
                    }
                }
                _ => {}
            }
            validator.op(at, &operator).map_err(text)?;
            let ran = ran.contains(stretch);
            *stretch += u32::from(is_fork(&operator));
            let instruction = RoundtripReencoder.instruction(operator).map_err(text)?;
            steps.push(Step { instruction, at, ran, is_base, is_reachable, end: 0 });
        }
        let Type { parameters, results } = module.of_type(signature)?.clone();
        let parameters = parameters.len();
        let (code, cut) = (Vec::new(), Vec::new());
        let (way, returned) = (None, None);
        Ok(Self { module, steps, parameters, locals, results, gets, way, returned, code, cut })
    }

    /// Writes the function's own code, and each piece that is cut out of it; the first of these is function `next`.
    fn cut(&mut self, name: &str, next: u32) -> Result {
        let last = self.steps.len() - 1;
        let takes = !self.results.is_empty();
        let mut frames = vec![Frame { results: self.results.clone(), takes, end: last }];
        let mut at = 0;
        while let (Some(step), Some(frame)) = (self.steps.get(at), frames.last()) {
            let end = frame.end;
            let function = next + self.cut.len() as u32;
            if !step.ran && step.is_base && at < end && self.cut_one(at, end, &frames, name, function)? {
                at = end;
                continue;
            }
            let Some(step) = self.steps.get(at) else {
                break;
            };
            match &step.instruction {
                Instruction::Block(kind) | Instruction::Loop(kind) | Instruction::If(kind) => {
                    let Type { parameters, results } = self.module.of_block(*kind)?;
                    let is_loop = matches!(step.instruction, Instruction::Loop(_));
                    let takes = if is_loop { !parameters.is_empty() } else { !results.is_empty() };
                    frames.push(Frame { results, takes, end: step.end });
                }
                Instruction::Else => {
                    if let Some(frame) = frames.last_mut() {
                        frame.end = step.end;
                    }
                }
                Instruction::End => {
                    frames.pop();
                }
                _ => {}
            }
            self.code.push(step.instruction.clone());
            at += 1;
        }
        Ok(())
    }

    /// Cuts out all from `at` to the end of the innermost frame, if that pays.
    fn cut_one(&mut self, at: usize, end: usize, frames: &[Frame], name: &str, function: u32) -> Result<bool> {
        let (Some(steps), Some(behind), Some(frame)) = (self.steps.get(at..end), self.steps.get(end), frames.last())
        else {
            return Ok(false);
        };
        let (Some(exits), true) = (exits(steps, frames), self.results.len() < 2 && frame.results.len() < 2) else {
            return Ok(false);
        };
        let falls = behind.is_reachable;
        let comes_back = falls || exits.iter().any(|exit| matches!(exit, Exit::Label(_)));
        let (given, changed, own) = self.locals_of(steps, comes_back);
        let left = frame.results.first().filter(|_| falls).copied();
        let returned = self.results.first().filter(|_| exits.contains(&Exit::Return)).copied();
        let mut cut = Cut { exits, falls, given, changed, own, left, returned, carriers: Vec::new() };
        let bytes = behind.at - steps.first().map_or(behind.at, |step| step.at);
        if bytes < cut.cost() + 16 {
            return Ok(false);
        }
        let parameters = self.types_of(&cut.given)?;
        let mut results: Vec<ValType> = left.into_iter().chain(self.types_of(&cut.changed)?).chain(returned).collect();
        results.extend((cut.ways() > 1).then_some(ValType::I32));
        let carried = results.split_off(results.len().min(1));
        cut.carriers = self.module.carriers(&carried);
        let locals = self.types_of(&cut.own)?.into_iter().chain(returned).collect();
        let code = cut.code(steps, frames);
        let signature = self.module.type_index(Type { parameters, results });
        self.cut.push(Function { name: format!("{name}'"), signature, locals, code, ran: false });

        let way = (cut.ways() > 1).then(|| new_local(&mut self.locals, &mut self.way, ValType::I32));
        let value = returned.map(|kind| new_local(&mut self.locals, &mut self.returned, kind));
        cut.call(function, way, value, &mut self.code);
        Ok(true)
    }

    fn types_of(&self, locals: &[u32]) -> Result<Vec<ValType>> {
        let types = locals.iter().map(|local| self.locals.get(*local as usize).copied());
        types.collect::<Option<_>>().ok_or_else(|| "a local that is none".to_owned())
    }

    /// The locals that code needs from around it, those that it changes for what comes behind it, and those of its own.
    fn locals_of(&self, steps: &[Step], comes_back: bool) -> (Vec<u32>, Vec<u32>, Vec<u32>) {
        let (mut order, mut gets, mut sets) = (Vec::new(), HashMap::new(), HashSet::new());
        for step in steps {
            let local = match step.instruction {
                Instruction::LocalGet(local) => {
                    *gets.entry(local).or_insert(0) += 1;
                    local
                }
                Instruction::LocalSet(local) | Instruction::LocalTee(local) => {
                    sets.insert(local);
                    local
                }
                _ => continue,
            };
            if !order.contains(&local) {
                order.push(local);
            }
        }
        let exposed = exposed(steps);
        let (mut given, mut changed, mut own) = (Vec::new(), Vec::new(), Vec::new());
        for local in order {
            let read = gets.get(&local).copied().unwrap_or_default();
            let read_outside = self.gets.get(local as usize).is_some_and(|all| *all > read);
            // What it reads before it writes may be, in a loop, of the turn before.
            let is_changed = comes_back && sets.contains(&local) && (read_outside || exposed.contains(&local));
            if is_changed {
                changed.push(local);
            }
            // What is not written on every way must come back as it was.
            (if is_changed || exposed.contains(&local) { &mut given } else { &mut own }).push(local);
        }
        (given, changed, own)
    }
}

/// Code that is cut out. What it gives back comes in this order: what it leaves on the stack, the locals that it changed, what
/// the function is to return, and which way it was left; what of it there is.
struct Cut {
    exits: Vec<Exit>,
    /// Whether its end is a way out as well, the last.
    falls: bool,
    given: Vec<u32>,
    changed: Vec<u32>,
    own: Vec<u32>,
    left: Option<ValType>,
    returned: Option<ValType>,
    /// The globals of all that it gives back but the first.
    carriers: Vec<u32>,
}

impl Cut {
    fn ways(&self) -> usize {
        self.exits.len() + usize::from(self.falls)
    }

    /// The bytes that stand in its place, about, and those of a call through the table.
    fn cost(&self) -> u64 {
        let ways = if self.ways() > 1 { 7 * self.ways() } else { 0 };
        (2 * self.given.len() + 4 * self.changed.len() + 8 + ways) as u64
    }

    /// The code as a function's, whose parameters are the locals that it is given.
    fn code<'a>(&self, steps: &[Step<'a>], frames: &[Frame]) -> Vec<Instruction<'a>> {
        let numbers: HashMap<u32, u32> = self.given.iter().chain(&self.own).copied().zip(0..).collect();
        let value = numbers.len() as u32;
        let mut code = Vec::new();
        for exit in self.exits.iter().rev() {
            let value = self.returned.filter(|_| *exit == Exit::Return);
            code.push(Instruction::Block(value.map_or(BlockType::Empty, BlockType::Result)));
        }
        renumbered(steps, frames, &self.exits, &numbers, &mut code);
        if self.falls {
            // What is left lies on the stack.
            self.leave(None, self.returned.map(zero), self.exits.len(), &numbers, &mut code);
        }
        for (way, exit) in self.exits.iter().enumerate() {
            code.push(Instruction::End);
            let mut returned = self.returned.map(zero);
            if returned.is_some() && *exit == Exit::Return {
                code.push(Instruction::LocalSet(value));
                returned = Some(Instruction::LocalGet(value));
            }
            self.leave(self.left.map(zero), returned, way, &numbers, &mut code);
        }
        code.push(Instruction::End);
        code
    }

    /// One way out of the function.
    fn leave<'a>(
        &self,
        left: Option<Instruction<'a>>,
        returned: Option<Instruction<'a>>,
        way: usize,
        numbers: &HashMap<u32, u32>,
        code: &mut Vec<Instruction<'a>>,
    ) {
        let changed = self.changed.iter().filter_map(|local| numbers.get(local)).map(|it| Instruction::LocalGet(*it));
        let way = (self.ways() > 1).then_some(Instruction::I32Const(way as i32));
        let mut values = changed.chain(returned).chain(way);
        if self.left.is_some() {
            code.extend(left);
        } else {
            code.extend(values.next());
        }
        for (value, carrier) in values.zip(&self.carriers) {
            code.extend([value, Instruction::GlobalSet(*carrier)]);
        }
        code.push(Instruction::Return);
    }

    /// What stands in its place: a call, and the way on. `way` and `value` are locals for what the code gives back for these.
    fn call(&self, function: u32, way: Option<u32>, value: Option<u32>, code: &mut Vec<Instruction>) {
        code.extend(self.given.iter().map(|local| Instruction::LocalGet(*local)));
        code.push(Instruction::Call(function));
        let mut targets = self.changed.iter().copied().chain(value).chain(way);
        if self.left.is_none() {
            code.extend(targets.next().map(Instruction::LocalSet));
        }
        for (target, carrier) in targets.zip(&self.carriers) {
            code.extend([Instruction::GlobalGet(*carrier), Instruction::LocalSet(target)]);
        }
        for (number, exit) in self.exits.iter().enumerate() {
            // The last way is the only one that is left.
            let is_last = !self.falls && number + 1 == self.exits.len();
            let way = way.filter(|_| !is_last);
            if let Some(way) = way {
                let number = Instruction::I32Const(number as i32);
                code.extend([Instruction::LocalGet(way), number, Instruction::I32Eq]);
            }
            match (exit, way) {
                (Exit::Label(label), Some(_)) => code.push(Instruction::BrIf(*label)),
                (Exit::Label(label), None) => code.push(Instruction::Br(*label)),
                (Exit::Return, _) => {
                    code.extend(way.map(|_| Instruction::If(BlockType::Empty)));
                    code.extend(value.map(Instruction::LocalGet));
                    code.push(Instruction::Return);
                    code.extend(way.map(|_| Instruction::End));
                }
            }
        }
        if self.ways() == 0 {
            code.push(Instruction::Unreachable);
        }
    }
}

/// The locals that code may read before it has written them.
fn exposed(steps: &[Step]) -> HashSet<u32> {
    /// The locals that have been written on every way to a place; none where no way leads to it.
    type Written = Option<HashSet<u32>>;
    struct Open {
        /// At its end, by the branches to it.
        at_end: Written,
        /// At the beginning of an arm that the other, or nothing, follows.
        at_start: Written,
        is_loop: bool,
    }
    fn join(one: Written, other: Written) -> Written {
        match (one, other) {
            (Some(one), Some(other)) => Some(one.intersection(&other).copied().collect()),
            (one, other) => one.or(other),
        }
    }
    fn branch(open: &mut [Open], label: u32, written: &Written) {
        if let Some(block) = open.iter_mut().rev().nth(label as usize).filter(|block| !block.is_loop) {
            block.at_end = join(block.at_end.take(), written.clone());
        }
    }
    let mut exposed = HashSet::new();
    let mut open: Vec<Open> = Vec::new();
    let mut written: Written = Some(HashSet::new());
    for step in steps {
        match &step.instruction {
            Instruction::LocalGet(local) if written.as_ref().is_some_and(|written| !written.contains(local)) => {
                exposed.insert(*local);
            }
            Instruction::LocalSet(local) | Instruction::LocalTee(local) => {
                if let Some(written) = &mut written {
                    written.insert(*local);
                }
            }
            Instruction::Block(_) => open.push(Open { at_end: None, at_start: None, is_loop: false }),
            Instruction::Loop(_) => open.push(Open { at_end: None, at_start: None, is_loop: true }),
            Instruction::If(_) => open.push(Open { at_end: None, at_start: written.clone(), is_loop: false }),
            Instruction::Else => {
                if let Some(block) = open.last_mut() {
                    block.at_end = join(block.at_end.take(), written);
                    written = block.at_start.take();
                } else {
                    written = None;
                }
            }
            Instruction::End => {
                if let Some(block) = open.pop() {
                    written = join(written, join(block.at_end, block.at_start));
                }
            }
            Instruction::Br(label) => {
                branch(&mut open, *label, &written);
                written = None;
            }
            Instruction::BrIf(label) => branch(&mut open, *label, &written),
            Instruction::BrTable(labels, other) => {
                for label in labels.iter().chain([other]) {
                    branch(&mut open, *label, &written);
                }
                written = None;
            }
            Instruction::Return | Instruction::Unreachable => written = None,
            _ => {}
        }
    }
    exposed
}

/// The ways out of code but its end; none where one takes a value to a label.
fn exits(steps: &[Step], frames: &[Frame]) -> Option<Vec<Exit>> {
    let mut exits = Vec::new();
    let mut depth = 0;
    for step in steps {
        let labels: &[u32] = match &step.instruction {
            Instruction::Block(_) | Instruction::Loop(_) | Instruction::If(_) => {
                depth += 1;
                &[]
            }
            Instruction::End => {
                depth -= 1;
                &[]
            }
            Instruction::Br(label) | Instruction::BrIf(label) => &[*label],
            Instruction::BrTable(labels, other) => &[labels.as_ref(), &[*other]].concat(),
            Instruction::Return => &[depth + frames.len() as u32 - 1],
            _ => &[],
        };
        for label in labels.iter().filter(|label| **label >= depth) {
            let exit = exit(label - depth, frames);
            let frame = frames.iter().rev().nth((label - depth) as usize)?;
            if matches!(exit, Exit::Label(_)) && frame.takes {
                return None;
            }
            if !exits.contains(&exit) {
                exits.push(exit);
            }
        }
    }
    Some(exits)
}

/// Where a branch so many blocks up goes.
fn exit(up: u32, frames: &[Frame]) -> Exit {
    if up as usize + 1 == frames.len() { Exit::Return } else { Exit::Label(up) }
}

/// The code with its locals' new numbers, within a block for each of its ways out.
fn renumbered<'a>(
    steps: &[Step<'a>],
    frames: &[Frame],
    exits: &[Exit],
    numbers: &HashMap<u32, u32>,
    code: &mut Vec<Instruction<'a>>,
) {
    let mut depth = 0;
    let to = |label: u32, depth: u32| match label.checked_sub(depth) {
        Some(up) => {
            let exit = exit(up, frames);
            depth + exits.iter().position(|known| *known == exit).unwrap_or_default() as u32
        }
        None => label,
    };
    let number = |local: &u32| numbers.get(local).copied().unwrap_or_default();
    for step in steps {
        code.push(match &step.instruction {
            Instruction::LocalGet(local) => Instruction::LocalGet(number(local)),
            Instruction::LocalSet(local) => Instruction::LocalSet(number(local)),
            Instruction::LocalTee(local) => Instruction::LocalTee(number(local)),
            Instruction::Br(label) => Instruction::Br(to(*label, depth)),
            Instruction::BrIf(label) => Instruction::BrIf(to(*label, depth)),
            Instruction::BrTable(labels, other) => {
                let labels: Vec<u32> = labels.iter().map(|label| to(*label, depth)).collect();
                Instruction::BrTable(labels.into(), to(*other, depth))
            }
            Instruction::Return => Instruction::Br(to(depth + frames.len() as u32 - 1, depth)),
            other => {
                match other {
                    Instruction::Block(_) | Instruction::Loop(_) | Instruction::If(_) => depth += 1,
                    Instruction::End => depth -= 1,
                    _ => {}
                }
                other.clone()
            }
        });
    }
}

fn new_local(locals: &mut Vec<ValType>, kept: &mut Option<u32>, kind: ValType) -> u32 {
    *kept.get_or_insert_with(|| {
        locals.push(kind);
        locals.len() as u32 - 1
    })
}

/// The value of a local that was never set.
pub fn zero<'a>(kind: ValType) -> Instruction<'a> {
    match kind {
        ValType::I32 => Instruction::I32Const(0),
        ValType::I64 => Instruction::I64Const(0),
        ValType::F32 => Instruction::F32Const(0.0.into()),
        ValType::F64 => Instruction::F64Const(0.0.into()),
        ValType::V128 => Instruction::V128Const(0),
        ValType::Ref(kind) => Instruction::RefNull(kind.heap_type),
    }
}
