//! A map and a set in the order of their keys.
//!
//! They do what `BTreeMap` and `BTreeSet` do, with the same names. Of those each instance is five to ten kilobytes of code;
//! here all instances share the search and the order, which know nothing of keys and values.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::{fmt, vec};

use super::order::{At, Numbers, Order};

/// Values by their keys, which are unique and come in order.
#[derive(Clone)]
pub struct SortedMap<K, V> {
    /// In any order.
    entries: Vec<(K, V)>,
    order: Order,
}

impl<K: Ord, V> SortedMap<K, V> {
    /// A map without keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The value of `key`.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let at = self.search(key).ok()?;
        self.order.get(at).and_then(|number| self.entries.get(number)).map(|(_, value)| value)
    }

    /// The value of `key`, to be changed.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let at = self.search(key).ok()?;
        self.order.get(at).and_then(|number| self.entries.get_mut(number)).map(|(_, value)| value)
    }

    /// Whether there is `key`.
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.search(key).is_ok()
    }

    /// Sets the value of `key` and gives back the one that it had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.search(&key) {
            Ok(at) => {
                let number = self.order.get(at)?;
                self.entries.get_mut(number).map(|(_, old)| std::mem::replace(old, value))
            }
            Err(at) => {
                self.order.insert(at, self.entries.len());
                self.entries.push((key, value));
                None
            }
        }
    }

    /// The value of `key`, the default where there was none.
    pub fn get_or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        self.get_or_insert_with(key, V::default)
    }

    /// The value of `key`: the one that `make` makes where there is none.
    #[expect(clippy::indexing_slicing, reason = "the number of an entry, or of the one pushed right here")]
    pub fn get_or_insert_with(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        let number = match self.search(&key) {
            Ok(at) => self.order.get(at).unwrap_or_default(),
            Err(at) => {
                let number = self.entries.len();
                self.order.insert(at, number);
                self.entries.push((key, make()));
                number
            }
        };
        &mut self.entries[number].1
    }

    /// Removes `key` and gives its value.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let at = self.search(key).ok()?;
        let number = self.order.get(at)?;
        // The last entry is to take the place of the one removed.
        if let Some(last) = self.entries.last().and_then(|(last, _)| self.search(last.borrow()).ok()) {
            self.order.replace(last, number);
        }
        self.order.remove(at);
        Some(self.entries.swap_remove(number).1)
    }

    /// Keys and values, in order.
    pub fn iter(&self) -> Iter<'_, K, V> {
        Iter { entries: &self.entries, numbers: self.order.from((0, 0)) }
    }

    /// Keys and values from `key` on, in order.
    pub fn range_from<Q: Ord + ?Sized>(&self, key: &Q) -> Iter<'_, K, V>
    where
        K: Borrow<Q>,
    {
        let (Ok(at) | Err(at)) = self.search(key);
        Iter { entries: &self.entries, numbers: self.order.from(at) }
    }

    /// The keys, in order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    /// The values, in the order of their keys.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    /// Keys with their values to be changed, in order.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        self.settle();
        self.entries.iter_mut().map(|(key, value)| (&*key, value))
    }

    /// Brings the entries themselves into order.
    fn settle(&mut self) {
        super::arrange(&mut self.entries, self.order.settle());
    }

    fn search<Q: Ord + ?Sized>(&self, key: &Q) -> Result<At, At>
    where
        K: Borrow<Q>,
    {
        self.order.search(&|number| match self.entries.get(number) {
            Some((known, _)) => known.borrow().cmp(key),
            None => Ordering::Greater,
        })
    }
}

impl<K, V> Default for SortedMap<K, V> {
    fn default() -> Self {
        Self { entries: Vec::new(), order: Order::default() }
    }
}

impl<K: Ord + fmt::Debug, V: fmt::Debug> fmt::Debug for SortedMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}

impl<K: Ord, V> Extend<(K, V)> for SortedMap<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        for (key, value) in entries {
            self.insert(key, value);
        }
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for SortedMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = Self::new();
        map.extend(entries);
        map
    }
}

impl<K: Ord, V> IntoIterator for SortedMap<K, V> {
    type Item = (K, V);
    type IntoIter = vec::IntoIter<(K, V)>;

    fn into_iter(mut self) -> Self::IntoIter {
        self.settle();
        self.entries.into_iter()
    }
}

impl<'a, K: Ord, V> IntoIterator for &'a SortedMap<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = Iter<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Keys and values of a [`SortedMap`].
pub struct Iter<'a, K, V> {
    entries: &'a [(K, V)],
    numbers: Numbers<'a>,
}

impl<'a, K, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        self.entries.get(self.numbers.next()?).map(|(key, value)| (key, value))
    }
}

impl<K, V> DoubleEndedIterator for Iter<'_, K, V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.entries.get(self.numbers.next_back()?).map(|(key, value)| (key, value))
    }
}

/// Things that are unique and come in order.
#[derive(Clone)]
pub struct SortedSet<T>(SortedMap<T, ()>);

impl<T: Ord> SortedSet<T> {
    /// A set without things.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `item` is there.
    pub fn contains<Q: Ord + ?Sized>(&self, item: &Q) -> bool
    where
        T: Borrow<Q>,
    {
        self.0.contains_key(item)
    }

    /// Adds `item`: whether it was not there.
    pub fn insert(&mut self, item: T) -> bool {
        self.0.insert(item, ()).is_none()
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.0.keys()
    }
}

impl<T> Default for SortedSet<T> {
    fn default() -> Self {
        Self(SortedMap::default())
    }
}

impl<T: Ord + fmt::Debug> fmt::Debug for SortedSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl<T: Ord> Extend<T> for SortedSet<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, items: I) {
        for item in items {
            self.insert(item);
        }
    }
}

impl<T: Ord> FromIterator<T> for SortedSet<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut set = Self::new();
        set.extend(items);
        set
    }
}

impl<T: Ord> IntoIterator for SortedSet<T> {
    type Item = T;
    type IntoIter = std::iter::Map<vec::IntoIter<(T, ())>, fn((T, ())) -> T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter().map(|(item, ())| item)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Many keys fill several chunks; few are set and removed again and again.
        #[test]
        fn it_does_what_the_standard_library_does(
            keys in prop_oneof![2_u16..9, Just(3000_u16)],
            steps in prop::collection::vec((any::<u16>(), 0_u8..8), 0..4000),
        ) {
            let (mut ours, mut theirs) = (SortedMap::new(), BTreeMap::new());
            for (at, (key, step)) in steps.into_iter().enumerate() {
                let key = key % keys;
                match step {
                    0 | 1 => prop_assert_eq!(ours.remove(&key), theirs.remove(&key)),
                    2 => *ours.get_or_insert_with(key, || at) += 1,
                    _ => prop_assert_eq!(ours.insert(key, at), theirs.insert(key, at)),
                }
                if step == 2 {
                    *theirs.entry(key).or_insert(at) += 1;
                }
            }
            let middle = keys / 2;
            prop_assert_eq!(ours.len(), theirs.len());
            prop_assert_eq!(ours.get(&middle), theirs.get(&middle));
            prop_assert_eq!(ours.get_mut(&middle), theirs.get_mut(&middle));
            prop_assert!(ours.iter().eq(&theirs));
            prop_assert!(ours.iter().rev().eq(theirs.iter().rev()));
            prop_assert!(ours.range_from(&middle).eq(theirs.range(middle..)));
            prop_assert_eq!(format!("{ours:?}"), format!("{theirs:?}"));
            let mut settled = ours.clone();
            prop_assert!(settled.iter_mut().eq(theirs.iter_mut()));
            prop_assert!(settled.iter().eq(&theirs));
            prop_assert!(ours.into_iter().eq(theirs));
        }
    }

    #[test]
    fn both_ends_meet() {
        let map: SortedMap<usize, ()> = (0..2000).rev().map(|key| (key, ())).collect();
        let mut keys = map.keys();
        for key in 0..1000 {
            assert_eq!((keys.next(), keys.next_back()), (Some(&key), Some(&(1999 - key))));
        }
        assert_eq!((keys.next(), keys.next_back()), (None, None));
        let set: SortedSet<&str> = ["b", "a", "b"].into_iter().collect();
        assert!(set.contains("a") && set.iter().eq(&["a", "b"]) && set.into_iter().eq(["a", "b"]));
    }
}
