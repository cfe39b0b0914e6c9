//! Folding a branch that nobody but one child looks at into that child, some leaves in each commit.
//!
//! A leaf moves in one transaction: the child gets what it inherited, where it still shows it, and
//! all versions of the parent go. So at any moment, also after a crash, every view through the child
//! shows what it showed; and once the parent has no leaves left, views are the same without it.

use redb::ReadableTable;

use crate::entry::Entry;
use crate::error::Error;
use crate::leaf::Leaf;
use crate::merge::Leaves;
use crate::points::{Fold, Points, Weight};
use crate::slots::{Entries, HOLES, limit_of};
use crate::stored::{LeafKey, Stored, entries_of, newest, unreadable};
use crate::view::{BranchId, View};

/// How many leaves a parent may have for each leaf of its child to be worth moving.
const LARGER: usize = 4;
/// So few are always worth it.
const FEW: usize = 1024;

/// Does some of the folds.
pub(crate) fn fold(
    leaves: &mut Leaves<'_, '_>,
    points: &dyn Points,
    folds: &[Fold],
) -> Result<(), Error> {
    for fold in folds {
        let mut left = fold.at_most;
        let below = points.below(fold.from).unwrap_or_else(|| View::new([]));
        while left > 0
            && let Some((leaf, _)) = first_of(leaves.versions, (fold.from.0, 0, 0), u64::MAX)?
        {
            move_leaf(leaves, points, fold, &below, leaf)?;
            left -= 1;
        }
    }
    Ok(())
}

/// Leaf and tag of the first version behind a key, of the same branch and of leaves up to a last one.
fn first_of(
    leaves: &impl ReadableTable<LeafKey, &'static [u8]>,
    from: LeafKey,
    last: u64,
) -> Result<Option<(u64, u64)>, Error> {
    let keys = from..=(from.0, last, u64::MAX);
    let first = leaves.range(keys).map_err(unreadable)?.next().transpose();
    let found = first.map_err(unreadable)?;
    Ok(found.map(|(key, _)| (key.value().1, key.value().2)))
}

fn move_leaf(
    leaves: &mut Leaves<'_, '_>,
    points: &dyn Points,
    fold: &Fold,
    below: &View,
    leaf: u64,
) -> Result<(), Error> {
    let (from, into) = (fold.from.0, fold.into.0);
    let cut = |entries: Entries| cut(entries, limit_of(leaf, fold.blocks));
    let under = cut(entries_of(&*leaves.versions, below, leaf)?);
    let seen = newest(&*leaves.versions, fold.from, leaf, fold.before.0)?;
    let seen = seen.map(|(_, found)| cut(found.entries()));
    let oldest = first_of(leaves.versions, (into, leaf, 0), leaf)?.map(|(_, tag)| tag);
    let shows = |tag: u64| {
        let tag = firebrick_vocabulary::Sequence(tag);
        tag > fold.tag && points.any(fold.into, fold.tag, tag)
    };
    let inherited = seen.filter(|seen| oldest.is_none_or(shows) && *seen != under);
    if let Some(inherited) = &inherited {
        leaves.insert((into, leaf, fold.tag.0), inherited)?;
    }
    // What the child began with, or what it has made of that.
    let first = match (inherited, oldest) {
        (Some(inherited), _) => inherited,
        (None, Some(tag)) => newest(&*leaves.versions, fold.into, leaf, tag + 1)?
            .map_or(under, |(_, found)| found.entries()),
        (None, None) => under,
    };
    if let Some(seen) = &seen {
        let mut slots = seen.iter().zip(&under).zip(&first);
        if slots.any(|((seen, under), first)| seen != under && seen == first) {
            leaves.released.inherited.insert(fold.from);
        }
    }
    let versions = versions(leaves, fold.from, leaf)?;
    for (i, (tag, old)) in versions.iter().enumerate() {
        // Each block is counted with the last version that has it.
        let next = match versions.get(i + 1) {
            Some((behind, next)) if (*behind < fold.before.0) == (*tag < fold.before.0) => {
                next.entries()
            }
            Some(_) | None => first,
        };
        leaves.release(&old.entries(), &next, &under);
        leaves.remove((from, leaf, *tag))?;
    }
    // Even where the child has got nothing: that it has had no version of its own may be known from
    // before this commit.
    leaves.touched.add((into, leaf, fold.tag.0));
    Ok(())
}

/// All versions of a leaf in a branch, the oldest first.
pub(crate) fn versions(
    leaves: &Leaves<'_, '_>,
    branch: BranchId,
    leaf: u64,
) -> Result<Vec<(u64, Leaf)>, Error> {
    let mut versions = Vec::new();
    let mut from = 0;
    while let Some((_, tag)) = first_of(leaves.versions, (branch.0, leaf, from), leaf)? {
        versions.extend(newest(&*leaves.versions, branch, leaf, tag + 1)?);
        from = tag + 1;
    }
    Ok(versions)
}

/// The entries, holes from the slot `limit` on.
fn cut(mut entries: Entries, limit: Option<usize>) -> Entries {
    let limit = limit.unwrap_or(HOLES.len()).min(HOLES.len());
    entries[limit..].fill(Entry::NONE);
    entries
}

/// Whether it is worth it to fold a branch into another one: to move leaves costs, so the child must
/// have come by some of its own. Looks at no more leaves than there would be to move.
pub(crate) fn weigh(stored: &Stored, from: BranchId, into: BranchId) -> Result<Weight, Error> {
    let of = |branch: BranchId| {
        let keys = (branch.0, 0, 0)..=(branch.0, u64::MAX, u64::MAX);
        stored.leaves.range(keys).map_err(unreadable)
    };
    let (mut own, mut count) = (of(into)?, 0);
    for version in of(from)? {
        version.map_err(unreadable)?;
        count += 1;
        if count > FEW
            && count.is_multiple_of(LARGER)
            && own.next().transpose().map_err(unreadable)?.is_none()
        {
            return Ok(Weight::Heavy);
        }
    }
    Ok(if count == 0 {
        Weight::Empty
    } else {
        Weight::Light
    })
}
