//! An ordered map whose copies share what neither has changed since.
//!
//! A checkpoint takes a copy of what it needs under the commit lock: so a copy must cost next to
//! nothing however much there is, and the first changes behind it only a little.

use std::collections::BTreeMap;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

/// How many pairs a part has at most: what the first change of it behind a copy copies.
const PART_MAX: usize = 128;

/// The map: parts by a key that is not behind their first one.
#[derive(Clone, Debug)]
pub(crate) struct Shared<K, V>(BTreeMap<K, Arc<BTreeMap<K, V>>>);

impl<K, V> Default for Shared<K, V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Copy + Ord, V: Clone> Shared<K, V> {
    /// The key of the part to which a key belongs; none where it comes before all parts.
    fn part(&self, key: &K) -> Option<K> {
        self.0.range(..=*key).next_back().map(|(part, _)| *part)
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.0.range(..=*key).next_back()?.1.get(key)
    }

    /// The value, to be changed; copies its part where a copy of the map shares it.
    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let (_, part) = self.0.range_mut(..=*key).next_back()?;
        if part.contains_key(key) {
            return Arc::make_mut(part).get_mut(key);
        }
        None
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        let at = self.part(&key).unwrap_or(key);
        let part = Arc::make_mut(self.0.entry(at).or_default());
        part.insert(key, value);
        if part.len() > PART_MAX {
            // What is added at the end, as most is, leaves full parts behind.
            let last = part.last_key_value().map(|(last, _)| *last);
            let middle = part.keys().nth(PART_MAX / 2).copied();
            let from = if last == Some(key) { last } else { middle };
            if let Some(from) = from {
                let behind = part.split_off(&from);
                self.0.insert(from, Arc::new(behind));
            }
        }
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let at = self.part(key)?;
        let part = self.0.get_mut(&at)?;
        if !part.contains_key(key) {
            return None;
        }
        let part = Arc::make_mut(part);
        let gone = part.remove(key);
        if part.is_empty() {
            self.0.remove(&at);
        }
        gone
    }

    /// The pairs of a range, in their order. As that of [`BTreeMap`].
    pub(crate) fn range(
        &self,
        range: impl RangeBounds<K>,
    ) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        let bounds = (range.start_bound().cloned(), range.end_bound().cloned());
        let first = match bounds.0 {
            Bound::Included(key) | Bound::Excluded(key) => self.part(&key),
            Bound::Unbounded => None,
        };
        let parts = (first.map_or(Bound::Unbounded, Bound::Included), bounds.1);
        // Where all lies before the first part its key may be behind the end, and there is nothing.
        let parts = self.0.range(parts);
        parts.flat_map(move |(_, part)| part.range(bounds))
    }

    pub(crate) fn keys(&self) -> impl DoubleEndedIterator<Item = &K> {
        self.0.values().flat_map(|part| part.keys())
    }

    pub(crate) fn values(&self) -> impl DoubleEndedIterator<Item = &V> {
        self.0.values().flat_map(|part| part.values())
    }

    pub(crate) fn last_key_value(&self) -> Option<(&K, &V)> {
        self.0.last_key_value()?.1.last_key_value()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(50))]

        #[test]
        fn it_is_a_map_and_copies_stay_as_they_are(
            steps in prop::collection::vec((0..4u8, 0..1000u32, any::<u8>()), 0..1500),
            probes in prop::collection::vec((0..1000u32, 0..1000u32), 20),
        ) {
            let (mut map, mut model) = (Shared::default(), BTreeMap::new());
            let (mut copy, mut copied) = (map.clone(), model.clone());
            for (n, (kind, key, value)) in (0u32..).zip(steps) {
                match kind {
                    0 => prop_assert_eq!(map.remove(&key), model.remove(&key)),
                    1 => {
                        if let Some(known) = map.get_mut(&key) {
                            *known = value;
                        }
                        if let Some(known) = model.get_mut(&key) {
                            *known = value;
                        }
                    }
                    2 => {
                        map.insert(key, value);
                        model.insert(key, value);
                    }
                    _ => {
                        map.insert(1000 + n, value);
                        model.insert(1000 + n, value);
                    }
                }
                prop_assert_eq!(map.get(&key), model.get(&key));
                if n == 700 {
                    (copy, copied) = (map.clone(), model.clone());
                }
            }
            prop_assert!(map.keys().eq(model.keys()));
            prop_assert!(map.values().rev().eq(model.values().rev()));
            prop_assert!(copy.range(..).eq(copied.range(..)));
            prop_assert_eq!(map.last_key_value(), model.last_key_value());
            for (from, to) in probes {
                prop_assert!(map.range(from..).eq(model.range(from..)));
                prop_assert!(map.range(..from).rev().eq(model.range(..from).rev()));
                let (from, to) = (from.min(to), from.max(to));
                prop_assert!(map.range(from..=to).eq(model.range(from..=to)));
            }
        }
    }

    #[test]
    fn a_copy_shares_what_has_not_changed() {
        let mut map = Shared::default();
        for key in 0..10_000 {
            map.insert(key, ());
        }
        let copy = map.clone();
        map.insert(5000, ());
        let parts = map.0.values().zip(copy.0.values());
        let copied = parts.filter(|(one, other)| !Arc::ptr_eq(one, other));
        assert_eq!(copied.count(), 1);
        assert!(map.0.len() < 200, "{}", map.0.len());
    }
}
