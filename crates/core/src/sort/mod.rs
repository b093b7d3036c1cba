//! Sorting, and sorted maps, with one machine for every type.
//!
//! Each `sort` of the standard library on a type of its own is one to three kilobytes of code, each `BTreeMap` five to ten,
//! which every visitor of the page pays for. Here places are sorted instead of things, and the things are moved afterwards.

use std::cmp::Ordering;

mod map;
mod order;

pub use map::{SortedMap, SortedSet};

/// Sorts `items`, equal ones in the order in which they were.
pub fn by<T>(items: &mut [T], compare: impl Fn(&T, &T) -> Ordering) {
    let order = order(items.len(), &|one, other| match (items.get(one), items.get(other)) {
        (Some(one), Some(other)) => compare(one, other),
        _ => Ordering::Equal,
    });
    arrange(items, order);
}

/// Puts at each place what was at the place that `order` has there.
fn arrange<T>(items: &mut [T], order: Vec<usize>) {
    swaps(order, &mut |one, other| items.swap(one, other));
}

/// The swaps that bring things into `order`.
fn swaps(mut order: Vec<usize>, swap: &mut dyn FnMut(usize, usize)) {
    // Around each cycle of the permutation, once.
    for start in 0..order.len() {
        let mut at = start;
        while let Some(place) = order.get_mut(at) {
            let next = std::mem::replace(place, at);
            if next == start || next == at {
                break;
            }
            swap(at, next);
            at = next;
        }
    }
}

/// Sorts `items` by a text of each.
pub fn by_text<T>(items: &mut [T], text: impl Fn(&T) -> &str) {
    by(items, |one, other| text(one).cmp(text(other)));
}

/// The places 0 to `count` in the order of what stands there.
fn order(count: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    #[expect(clippy::disallowed_methods, reason = "the one instance")]
    order.sort_by(|one, other| compare(*one, *other));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_sorts_as_the_standard_library_does() {
        let mut random = 1_u32;
        for length in 0..60 {
            let mut next = || {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                random >> 28
            };
            let items: Vec<(u32, usize)> = (0..length).map(|place| (next(), place)).collect();
            let (mut ours, mut theirs) = (items.clone(), items);
            by(&mut ours, |one, other| one.0.cmp(&other.0));
            theirs.sort_by_key(|item| item.0);
            assert_eq!(ours, theirs);
        }
        let mut words = ["b", "a", "B"];
        by_text(&mut words, |word| word);
        assert_eq!(words, ["B", "a", "b"]);
    }
}
