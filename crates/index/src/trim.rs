//! Forgetting what a branch that ended shows to none of its children.
//!
//! Where every child has a version of a leaf, what the parent has there is seen only as far as they
//! began with it. The rest of the parent's leaf becomes holes, which nobody sees either.

use firebrick_vocabulary::Sequence;

use crate::entry::Entry;
use crate::error::Error;
use crate::fold::versions;
use crate::merge::Leaves;
use crate::points::{Child, Points, Trim};
use crate::slots::{Entries, SLOTS, limit_of};
use crate::stored::{entries_of, next_leaf};
use crate::view::View;

/// Does some of the trims; notes how far each has come.
pub(crate) fn trim(
    leaves: &mut Leaves<'_, '_>,
    points: &dyn Points,
    trims: &[Trim],
) -> Result<(), Error> {
    for trim in trims {
        let below = points.below(trim.branch).unwrap_or_else(|| View::new([]));
        let mut left = trim.at_most;
        let (mut at, mut found) = (Some(trim.from), false);
        while let Some(from) = at.filter(|_| left > 0) {
            at = match common(leaves, &trim.children, from, &mut left)? {
                Common::Leaf(leaf) => {
                    found |= trim_leaf(leaves, points, trim, &below, leaf)?;
                    Some(leaf + 1)
                }
                Common::NotYet(leaf) => Some(leaf),
                Common::None => None,
            };
        }
        leaves.released.trimmed.insert(trim.branch, (at, found));
    }
    Ok(())
}

/// A leaf of which all children have versions.
enum Common {
    Leaf(u64),
    /// There is none before this one.
    NotYet(u64),
    None,
}

/// The first such leaf from `from` on; looks no more often than `left`.
fn common(
    leaves: &Leaves<'_, '_>,
    children: &[Child],
    from: u64,
    left: &mut usize,
) -> Result<Common, Error> {
    let (mut leaf, mut agreed) = (from, 0);
    for child in children.iter().cycle() {
        if agreed == children.len() {
            return Ok(Common::Leaf(leaf));
        }
        if *left == 0 {
            return Ok(Common::NotYet(leaf));
        }
        *left -= 1;
        let next = next_leaf(leaves.versions, child.branch, Sequence(u64::MAX), leaf)?;
        match next {
            None => return Ok(Common::None),
            Some(next) if next == leaf => agreed += 1,
            Some(next) => (leaf, agreed) = (next, 1),
        }
    }
    Ok(Common::None)
}

/// From the newest version to the oldest: what a later point shows, the earlier ones have to show
/// as well, as what is needed is told by the first point behind its birth. Whether anything went.
fn trim_leaf(
    leaves: &mut Leaves<'_, '_>,
    points: &dyn Points,
    trim: &Trim,
    below: &View,
    leaf: u64,
) -> Result<bool, Error> {
    let mut found = false;
    let under = entries_of(&*leaves.versions, below, leaf)?;
    let all = versions(leaves, trim.branch, leaf)?;
    let mut end = u64::MAX;
    let mut later: Option<Entries> = None;
    for (i, (tag, version)) in all.iter().enumerate().rev() {
        let sees = |child: &&Child| *tag < child.before.0 && child.before.0 <= end;
        let viewers: Vec<&Child> = trim.children.iter().filter(sees).collect();
        end = *tag;
        if viewers.is_empty() {
            continue;
        }
        let old = version.entries();
        let mut new = [Entry::NONE; SLOTS];
        if let Some(later) = &later {
            keep(&mut new, &old, later, SLOTS);
        }
        for child in viewers {
            let limit = limit_of(leaf, child.blocks).unwrap_or(SLOTS).min(SLOTS);
            let its = versions(leaves, child.branch, leaf)?;
            let inherits = its.first().is_none_or(|(first, _)| {
                let first = Sequence(*first);
                first > child.tag && points.any(child.branch, child.tag, first)
            });
            if inherits {
                keep(&mut new, &old, &old, limit);
            }
            for (_, version) in its {
                keep(&mut new, &old, &version.entries(), limit);
            }
        }
        if new != old {
            let before = i.checked_sub(1).map(|before| all[before].1.entries());
            leaves.release(&old, &new, before.as_ref().unwrap_or(&under));
            leaves.insert((trim.branch.0, leaf, *tag), &new)?;
            found = true;
        }
        later = Some(new);
    }
    Ok(found)
}

/// Keeps those of the `old` entries up to `limit` that are also `theirs`.
fn keep(new: &mut Entries, old: &Entries, theirs: &Entries, limit: usize) {
    for ((new, old), theirs) in new.iter_mut().zip(old).zip(theirs).take(limit) {
        if old.is_some() && old.at == theirs.at {
            *new = *old;
        }
    }
}
