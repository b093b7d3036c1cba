//! The functions of a module in an order of which gzip makes the most: it looks back 32 kB, so that what is alike must be near.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::convert::Infallible;

use wasm_encoder::reencode::{Error, Reencode};
use wasm_encoder::{CodeSection, FunctionSection};
use wasmparser::{CodeSectionReader, FunctionBody, FunctionSectionReader, Operator, Parser, Payload, TypeRef};

use super::module::text;
use crate::Result;

/// So many bytes in a row count as alike.
const WINDOW: usize = 6;

/// What stands in more functions than this tells none from the others.
const COMMON: usize = 200;

/// So far back gzip looks.
const NEAR: usize = 32 << 10;

/// Functions with a number below this are called in a byte less.
const SHORT: u32 = 128;

/// The module with the functions that most calls go to in front, and each behind those that it has much in common with.
pub fn alike_together(wasm: &[u8]) -> Result<Vec<u8>> {
    let (mut imported, mut bodies) = (0, Vec::new());
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.map_err(text)? {
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    imported += u32::from(matches!(import.map_err(text)?.ty, TypeRef::Func(_)));
                }
            }
            Payload::CodeSectionEntry(body) => bodies.push(body),
            _ => {}
        }
    }
    let mut others = most_called(&bodies, imported)?;
    let mut in_front: Vec<usize> = others.drain(..others.len().min(SHORT.saturating_sub(imported) as usize)).collect();
    in_front.sort_unstable();
    others.sort_unstable();
    let bodies: Vec<&[u8]> = bodies.iter().map(FunctionBody::as_bytes).collect();
    let order = order(&bodies, [in_front, others]);
    let mut numbers = vec![0; order.len()];
    for (number, old) in (imported..).zip(&order) {
        if let Some(place) = numbers.get_mut(*old) {
            *place = number;
        }
    }
    let mut ordered = wasm_encoder::Module::new();
    let mut ordering = Ordering { imported, order, numbers };
    ordering.parse_core_module(&mut ordered, Parser::new(0), wasm).map_err(text)?;
    Ok(ordered.finish())
}

/// The functions by how many calls of them there are.
fn most_called(bodies: &[FunctionBody], imported: u32) -> Result<Vec<usize>> {
    let mut calls = vec![0_u32; bodies.len()];
    for body in bodies {
        for operator in body.get_operators_reader().map_err(text)? {
            let Operator::Call { function_index } = operator.map_err(text)? else { continue };
            let own = function_index.checked_sub(imported).and_then(|own| calls.get_mut(own as usize));
            own.into_iter().for_each(|count| *count += 1);
        }
    }
    let mut functions: Vec<usize> = (0..bodies.len()).collect();
    functions.sort_by_key(|function| Reverse(calls.get(*function)));
    Ok(functions)
}

/// Of each group in its turn, always the function of which the largest share stands in those not far before it.
fn order(bodies: &[&[u8]], groups: [Vec<usize>; 2]) -> Vec<usize> {
    let mut near = Near::new(bodies);
    let length = |function: usize| bodies.get(function).map_or(0, |body| body.len());
    let mut order: Vec<usize> = Vec::new();
    let (mut first_near, mut bytes) = (0, 0);
    for mut left in groups {
        while let Some(place) = near.most_alike(&left) {
            let function = left.remove(place);
            near.comes(function);
            // What stands in the very last one counts twice.
            near.counts(function, 1);
            if let Some(before) = order.last() {
                near.counts(*before, -1);
            }
            order.push(function);
            bytes += length(function);
            while let Some(far) = order.get(first_near).filter(|_| bytes > NEAR && first_near + 1 < order.len()) {
                near.goes(*far);
                bytes -= length(*far);
                first_near += 1;
            }
        }
    }
    order
}

/// What stands in the functions near the end of an order.
struct Near {
    /// The pieces of each function.
    pieces: Vec<Vec<usize>>,
    /// The functions that have a piece, of those that several have.
    holders: Vec<Vec<usize>>,
    /// How many of the functions that are near have it.
    near: Vec<u32>,
    /// How many pieces each function has in common with those that are near.
    in_common: Vec<i32>,
}

impl Near {
    fn new(bodies: &[&[u8]]) -> Near {
        let mut numbers: HashMap<&[u8], usize> = HashMap::new();
        let mut holders: Vec<Vec<usize>> = Vec::new();
        let mut pieces = Vec::new();
        for (function, body) in bodies.iter().enumerate() {
            let own: HashSet<&[u8]> = body.windows(WINDOW).collect();
            for piece in &own {
                let number = *numbers.entry(piece).or_insert(holders.len());
                holders.resize(holders.len().max(number + 1), Vec::new());
                holders.get_mut(number).into_iter().for_each(|holders| holders.push(function));
            }
            pieces.push(own.iter().filter_map(|piece| numbers.get(piece).copied()).collect());
        }
        for holders in &mut holders {
            if !(2..=COMMON).contains(&holders.len()) {
                holders.clear();
            }
        }
        Near { near: vec![0; holders.len()], in_common: vec![0; bodies.len()], pieces, holders }
    }

    /// The place in `left` of the function that is most like those that are near.
    fn most_alike(&self, left: &[usize]) -> Option<usize> {
        // By the share of it that is alike; a few bytes in a tiny one are no likeness.
        let share = |function: usize| {
            let in_common = self.in_common.get(function).copied().unwrap_or(0);
            f64::from(in_common) / (self.pieces.get(function).map_or(0, Vec::len) as f64 + 100.0)
        };
        let shares = left.iter().map(|function| share(*function)).enumerate();
        shares.max_by(|one, other| one.1.total_cmp(&other.1).then(other.0.cmp(&one.0))).map(|(place, _)| place)
    }

    fn comes(&mut self, function: usize) {
        for piece in self.pieces.get(function).into_iter().flatten() {
            if let (Some(near), Some(holders)) = (self.near.get_mut(*piece), self.holders.get(*piece)) {
                *near += 1;
                count(&mut self.in_common, holders, i32::from(*near == 1));
            }
        }
    }

    fn goes(&mut self, function: usize) {
        for piece in self.pieces.get(function).into_iter().flatten() {
            if let (Some(near), Some(holders)) = (self.near.get_mut(*piece), self.holders.get(*piece)) {
                *near -= 1;
                count(&mut self.in_common, holders, -i32::from(*near == 0));
            }
        }
    }

    /// Counts what stands in a function, beside that it is near.
    fn counts(&mut self, function: usize, change: i32) {
        for piece in self.pieces.get(function).into_iter().flatten() {
            count(&mut self.in_common, self.holders.get(*piece).map_or(&[], Vec::as_slice), change);
        }
    }
}

fn count(counts: &mut [i32], functions: &[usize], change: i32) {
    if change != 0 {
        for function in functions {
            counts.get_mut(*function).into_iter().for_each(|count| *count += change);
        }
    }
}

struct Ordering {
    imported: u32,
    /// The module's own functions, counted from zero, in their new order.
    order: Vec<usize>,
    /// Their new indices.
    numbers: Vec<u32>,
}

impl Reencode for Ordering {
    type Error = Infallible;

    fn function_index(&mut self, function: u32) -> std::result::Result<u32, Error> {
        let own = function.checked_sub(self.imported).and_then(|own| self.numbers.get(own as usize));
        Ok(own.copied().unwrap_or(function))
    }

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        section: FunctionSectionReader,
    ) -> std::result::Result<(), Error> {
        let signatures = section.into_iter().collect::<std::result::Result<Vec<u32>, _>>()?;
        for signature in self.order.iter().filter_map(|old| signatures.get(*old)) {
            functions.function(*signature);
        }
        Ok(())
    }

    fn parse_code_section(
        &mut self,
        code: &mut CodeSection,
        section: CodeSectionReader,
    ) -> std::result::Result<(), Error> {
        let bodies = section.into_iter().collect::<std::result::Result<Vec<_>, _>>()?;
        for body in self.order.clone().iter().filter_map(|old| bodies.get(*old)) {
            self.parse_function_body(code, body.clone())?;
        }
        Ok(())
    }
}
