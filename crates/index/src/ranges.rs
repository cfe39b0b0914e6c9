//! Ranges of numbers, as few as possible.

use std::collections::BTreeMap;
use std::ops::Range;

/// A set of numbers, by its ranges: first to end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ranges(BTreeMap<u64, u64>);

impl Ranges {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Range<u64>> {
        self.0.iter().map(|(first, end)| *first..*end)
    }

    pub(crate) fn contains(&self, number: u64) -> bool {
        let before = self.0.range(..=number).next_back();
        before.is_some_and(|(_, end)| number < *end)
    }

    /// Adds a range, which is not empty, and what it touches becomes one with it.
    pub(crate) fn add(&mut self, range: Range<u64>) {
        let (mut first, mut end) = (range.start, range.end);
        if let Some((before, its_end)) = self.0.range(..=first).next_back()
            && *its_end >= first
        {
            first = *before;
            end = end.max(*its_end);
        }
        while let Some((next, its_end)) = self.0.range(first..=end).next() {
            let (next, its_end) = (*next, *its_end);
            end = end.max(its_end);
            self.0.remove(&next);
        }
        self.0.insert(first, end);
    }

    /// What of the first range that does not end before `from` lies from there on.
    pub(crate) fn next(&self, from: u64) -> Option<Range<u64>> {
        let inside = self.0.range(..=from).next_back();
        if let Some((_, end)) = inside
            && from < *end
        {
            return Some(from..*end);
        }
        let (first, end) = self.0.range(from..).next()?;
        Some(*first..*end)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ranges_are_a_set(added in prop::collection::vec((0..60u64, 1..9u64), 0..20)) {
            let mut ranges = Ranges::default();
            let mut model = BTreeSet::new();
            for (first, len) in added {
                ranges.add(first..first + len);
                model.extend(first..first + len);
            }
            for number in 0..70 {
                prop_assert_eq!(ranges.contains(number), model.contains(&number));
                let next = ranges.next(number);
                prop_assert_eq!(next.clone().map(|it| it.start), model.range(number..).next().copied());
                prop_assert!(next.is_none_or(|it| !model.contains(&it.end)));
            }
            let total: u64 = ranges.iter().map(|it| it.end - it.start).sum();
            prop_assert_eq!(total, model.len() as u64);
        }
    }
}
