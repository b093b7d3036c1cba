//! The functions of a module in an order of which gzip makes the most: it looks back 32 kB, so that what is alike must be near.

use std::collections::HashMap;
use std::convert::Infallible;

use wasm_encoder::reencode::{Error, Reencode};
use wasm_encoder::{CodeSection, FunctionSection};
use wasmparser::{CodeSectionReader, FunctionSectionReader, Parser, Payload, TypeRef};

use super::module::text;
use crate::Result;

/// So many bytes in a row count as alike.
const WINDOW: usize = 6;

/// What stands in more functions than this tells none from the others.
const COMMON: usize = 100;

/// So many functions before the next are looked at.
const NEAR: usize = 6;

/// The module with each function behind one that it has much in common with.
pub fn alike_together(wasm: &[u8]) -> Result<Vec<u8>> {
    let (mut imported, mut bodies) = (0, Vec::new());
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.map_err(text)? {
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    imported += u32::from(matches!(import.map_err(text)?.ty, TypeRef::Func(_)));
                }
            }
            Payload::CodeSectionEntry(body) => bodies.push(body.as_bytes()),
            _ => {}
        }
    }
    let order = order(&bodies);
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

/// From the first function on, always to the one most alike the last few.
fn order(bodies: &[&[u8]]) -> Vec<usize> {
    let mut pieces: Vec<Vec<&[u8]>> = bodies.iter().map(|body| body.windows(WINDOW).collect()).collect();
    let mut holders: HashMap<&[u8], Vec<usize>> = HashMap::new();
    for (function, pieces) in pieces.iter_mut().enumerate() {
        pieces.sort_unstable();
        pieces.dedup();
        for piece in pieces {
            holders.entry(piece).or_default().push(function);
        }
    }
    holders.retain(|_, holders| (2..=COMMON).contains(&holders.len()));
    let mut left = vec![true; bodies.len()];
    let mut in_common = vec![0_u32; bodies.len()];
    let mut order: Vec<usize> = Vec::new();
    let mut unplaced = 0;
    let mut next = (!bodies.is_empty()).then_some(0);
    while let Some(function) = next {
        order.push(function);
        if let Some(left) = left.get_mut(function) {
            *left = false;
        }
        let mut found = Vec::new();
        for (back, near) in order.iter().rev().take(NEAR).enumerate() {
            let weight = if back == 0 { 3 } else { 1 };
            let pieces = pieces.get(*near).into_iter().flatten();
            for holder in pieces.filter_map(|piece| holders.get(piece)).flatten() {
                if let (Some(true), Some(count)) = (left.get(*holder), in_common.get_mut(*holder)) {
                    if *count == 0 {
                        found.push(*holder);
                    }
                    *count += weight;
                }
            }
        }
        // By the share of it that is alike; a few bytes in a tiny one are no likeness.
        let share = |function: &usize| {
            let (count, pieces) = (in_common.get(*function).unwrap_or(&0), pieces.get(*function).map_or(0, Vec::len));
            f64::from(*count) / (pieces as f64 + 30.0)
        };
        next = found.iter().copied().max_by(|one, other| share(one).total_cmp(&share(other)).then(other.cmp(one)));
        for function in found {
            if let Some(count) = in_common.get_mut(function) {
                *count = 0;
            }
        }
        while next.is_none() && unplaced < left.len() {
            next = left.get(unplaced).is_some_and(|left| *left).then_some(unplaced);
            unplaced += 1;
        }
    }
    order
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
