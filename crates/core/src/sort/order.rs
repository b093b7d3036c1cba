//! Places in the order of what stands there.

use std::cmp::Ordering;
use std::slice;

/// Numbers in an order that only a comparison knows, in chunks: one among 100,000 is put in its place without moving all
/// that come after it.
#[derive(Clone, Default)]
pub(super) struct Order {
    /// None of them is empty.
    chunks: Vec<Vec<usize>>,
}

/// A chunk, and a place in it.
pub(super) type At = (usize, usize);

/// The most that one chunk holds.
const CHUNK: usize = 512;

impl Order {
    /// Where a number is, or where it would be: `compare` tells how what stands at a number compares to what is looked for.
    pub(super) fn search(&self, compare: &dyn Fn(usize) -> Ordering) -> Result<At, At> {
        let is_before = |chunk: &Vec<usize>| chunk.last().is_some_and(|last| compare(*last).is_lt());
        let but_last = self.chunks.split_last().map_or(&[][..], |(_, chunks)| chunks);
        let chunk = but_last.partition_point(is_before);
        let numbers = self.chunks.get(chunk).map_or(&[][..], Vec::as_slice);
        match numbers.binary_search_by(|number| compare(*number)) {
            Ok(at) => Ok((chunk, at)),
            Err(at) => Err((chunk, at)),
        }
    }

    pub(super) fn get(&self, (chunk, at): At) -> Option<usize> {
        self.chunks.get(chunk)?.get(at).copied()
    }

    pub(super) fn insert(&mut self, (chunk, at): At, number: usize) {
        let Some(numbers) = self.chunks.get_mut(chunk) else { return self.chunks.push(vec![number]) };
        numbers.insert(at, number);
        if numbers.len() > CHUNK {
            // What is read in its order fills the chunks.
            let rest = numbers.split_off(if at == CHUNK { CHUNK } else { CHUNK / 2 });
            self.chunks.insert(chunk + 1, rest);
        }
    }

    pub(super) fn replace(&mut self, (chunk, at): At, number: usize) {
        if let Some(old) = self.chunks.get_mut(chunk).and_then(|numbers| numbers.get_mut(at)) {
            *old = number;
        }
    }

    pub(super) fn remove(&mut self, (chunk, at): At) {
        if let Some(numbers) = self.chunks.get_mut(chunk) {
            numbers.remove(at);
            if numbers.is_empty() {
                self.chunks.remove(chunk);
            }
        }
    }

    /// All numbers from `at` on.
    pub(super) fn from(&self, (chunk, at): At) -> Numbers<'_> {
        let mut chunks = self.chunks.get(chunk..).unwrap_or_default().iter();
        let first = chunks.next().and_then(|numbers| numbers.get(at..)).unwrap_or_default();
        Numbers { first: first.iter(), chunks, last: [].iter() }
    }

    /// Takes all numbers out, in order, and leaves the places `0..` in their stead.
    pub(super) fn settle(&mut self) -> Vec<usize> {
        let numbers = self.chunks.iter_mut().flatten();
        numbers.enumerate().map(|(at, number)| std::mem::replace(number, at)).collect()
    }
}

/// The numbers of an [`Order`], from both ends.
pub(super) struct Numbers<'a> {
    first: slice::Iter<'a, usize>,
    chunks: slice::Iter<'a, Vec<usize>>,
    last: slice::Iter<'a, usize>,
}

impl Iterator for Numbers<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        loop {
            if let Some(number) = self.first.next() {
                return Some(*number);
            }
            match self.chunks.next() {
                Some(chunk) => self.first = chunk.iter(),
                None => return self.last.next().copied(),
            }
        }
    }
}

impl DoubleEndedIterator for Numbers<'_> {
    fn next_back(&mut self) -> Option<usize> {
        loop {
            if let Some(number) = self.last.next_back() {
                return Some(*number);
            }
            match self.chunks.next_back() {
                Some(chunk) => self.last = chunk.iter(),
                None => return self.first.next_back().copied(),
            }
        }
    }
}
