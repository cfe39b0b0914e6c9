//! Throwing out versions of leaves that nobody needs any more, some in each commit.
//!
//! Stored: a number of 8 bytes in the order of arrival; what it is (1 byte: 1 for points that went, 2
//! for a branch that went), the branch, and for points the first tag, the end of the tags, and the
//! first leaf of the first tag to look at (8 bytes each, big-endian).

use firebrick_vocabulary::Sequence;
use redb::ReadableTable;

use crate::error::{Damage, Error};
use crate::leaf::Leaf;
use crate::merge::{Leaves, unwritten};
use crate::points::{Batch, Points, Released, Sweep};
use crate::slots::HOLES;
use crate::stored::{LeafKey, Tables, newest, unreadable};
use crate::touched::Touched;
use crate::view::{BranchId, View};

/// How many versions one commit looks at.
pub(crate) const STEPS: usize = 20_000;
/// How many of them are in memory at once.
const CHUNK: usize = 1000;
const SWEEP: u8 = 1;
const DROP: u8 = 2;
const SWEEP_BEHIND: u8 = 3;

/// Which versions a sweep looks at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Side {
    /// Those with such tags.
    Own,
    /// Those right before them.
    Former,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Job {
    Sweep {
        branch: BranchId,
        from: u64,
        to: u64,
        leaf: u64,
        side: Side,
    },
    Drop {
        branch: BranchId,
    },
}

impl Job {
    fn encode(self) -> Vec<u8> {
        let (kind, numbers) = match self {
            Self::Sweep {
                branch,
                from,
                to,
                leaf,
                side,
            } => {
                let kind = match side {
                    Side::Own => SWEEP,
                    Side::Former => SWEEP_BEHIND,
                };
                (kind, vec![branch.0, from, to, leaf])
            }
            Self::Drop { branch } => (DROP, vec![branch.0]),
        };
        let numbers = numbers.into_iter().flat_map(u64::to_be_bytes);
        [kind].into_iter().chain(numbers).collect()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        let (numbers, []) = rest.as_chunks::<8>() else {
            return None;
        };
        let numbers: Vec<u64> = numbers.iter().map(|it| u64::from_be_bytes(*it)).collect();
        match (*kind, &*numbers) {
            (SWEEP | SWEEP_BEHIND, [branch, from, to, leaf]) => Some(Self::Sweep {
                side: if *kind == SWEEP {
                    Side::Own
                } else {
                    Side::Former
                },
                branch: BranchId(*branch),
                from: *from,
                to: *to,
                leaf: *leaf,
            }),
            (DROP, [branch]) => Some(Self::Drop {
                branch: BranchId(*branch),
            }),
            _ => None,
        }
    }
}

/// Takes the work of a batch in, and does some of what there is.
pub(crate) fn work(
    tables: &mut Tables<'_>,
    batch: &Batch,
    points: &dyn Points,
    touched: &mut Touched,
    released: &mut Released,
) -> Result<(), Error> {
    add(tables, batch)?;
    let mut left = STEPS;
    while left > 0 {
        let first = tables.jobs.first().map_err(unreadable)?;
        let Some((id, job)) = first.map(|(id, job)| (id.value(), Job::decode(job.value()))) else {
            break;
        };
        let job = job.ok_or_else(|| Error::damaged(Damage::Job, "reading the index"))?;
        let mut leaves = Leaves {
            versions: &mut tables.leaves,
            by_tag: &mut tables.by_tag,
            touched: &mut *touched,
            released: &mut *released,
        };
        let (looked_at, rest) = match job {
            Job::Sweep {
                branch,
                from,
                to,
                leaf,
                side,
            } => sweep(&mut leaves, points, branch, (from, leaf), (to, side), left)?,
            Job::Drop { branch } => drop_branch(&mut leaves, branch, left)?,
        };
        left -= looked_at.min(left);
        match rest {
            None => tables.jobs.remove(id).map_err(unwritten)?.map(drop),
            Some(rest) => {
                let bytes = rest.encode();
                tables
                    .jobs
                    .insert(id, &*bytes)
                    .map_err(unwritten)?
                    .map(drop)
            }
        };
    }
    Ok(())
}

fn add(tables: &mut Tables<'_>, batch: &Batch) -> Result<(), Error> {
    let last = tables.jobs.last().map_err(unreadable)?;
    let mut id = last.map_or(0, |(id, _)| id.value());
    let sweep = |side| {
        move |sweep: &Sweep| Job::Sweep {
            branch: sweep.branch,
            from: sweep.from.0,
            to: sweep.to.0,
            leaf: 0,
            side,
        }
    };
    let sweeps = batch.sweeps.iter().map(sweep(Side::Own));
    let behind = batch.behind.iter().map(sweep(Side::Former));
    let drops = batch
        .dropped
        .iter()
        .map(|branch| Job::Drop { branch: *branch });
    for job in sweeps.chain(behind).chain(drops) {
        id += 1;
        tables.jobs.insert(id, &*job.encode()).map_err(unwritten)?;
    }
    Ok(())
}

/// Looks at up to `left` versions with tags up to, without, `to`, and throws out those that no point
/// needs. How many it looked at, and what is left to do.
fn sweep(
    leaves: &mut Leaves<'_, '_>,
    points: &dyn Points,
    branch: BranchId,
    from: (u64, u64),
    (to, side): (u64, Side),
    left: usize,
) -> Result<(usize, Option<Job>), Error> {
    let (tag, leaf) = from;
    if tag >= to {
        return Ok((1, None));
    }
    let mut keys: Vec<(u64, u64)> = Vec::new();
    let range = (branch.0, tag, leaf)..(branch.0, to, 0);
    for item in leaves
        .by_tag
        .range(range)
        .map_err(unreadable)?
        .take(left.min(CHUNK))
    {
        let (_, tag, leaf) = item.map_err(unreadable)?.0.value();
        keys.push((tag, leaf));
    }
    let Some((last, last_leaf)) = keys.last().copied() else {
        return Ok((1, None));
    };
    let nothing = View::new([]);
    let below = points.below(branch).unwrap_or(nothing);
    for (tag, leaf) in &keys {
        let tag = match side {
            Side::Own => Some(*tag),
            Side::Former => newest(&*leaves.versions, branch, *leaf, *tag)?.map(|(tag, _)| tag),
        };
        if let Some(tag) = tag {
            sweep_version(leaves, points, branch, &below, (branch.0, *leaf, tag))?;
        }
    }
    let rest = Job::Sweep {
        branch,
        from: last,
        to,
        leaf: last_leaf + 1,
        side,
    };
    Ok((keys.len(), Some(rest)))
}

fn sweep_version(
    leaves: &mut Leaves<'_, '_>,
    points: &dyn Points,
    branch: BranchId,
    below: &View,
    key: LeafKey,
) -> Result<(), Error> {
    let (_, leaf, tag) = key;
    let next = next_version(leaves, key)?;
    let upto = next.as_ref().map_or(u64::MAX, |(tag, _)| *tag);
    if points.any(branch, Sequence(tag), Sequence(upto)) {
        return Ok(());
    }
    let Some((found, old)) = newest(&*leaves.versions, branch, leaf, tag + 1)? else {
        return Ok(());
    };
    if found == tag {
        let (_, before) = leaves.before(branch, below, leaf, tag)?;
        let behind = next.map_or(HOLES, |(_, next)| next.entries());
        leaves.release(&old.entries(), &behind, &before);
    }
    leaves.remove(key)
}

/// The version behind that with this key, and its tag.
fn next_version(leaves: &Leaves<'_, '_>, key: LeafKey) -> Result<Option<(u64, Leaf)>, Error> {
    let (branch, leaf, tag) = key;
    let keys = (branch, leaf, tag + 1)..=(branch, leaf, u64::MAX);
    let first = leaves.versions.range(keys).map_err(unreadable)?.next();
    let Some((key, _)) = first.transpose().map_err(unreadable)? else {
        return Ok(None);
    };
    newest(&*leaves.versions, BranchId(branch), leaf, key.value().2 + 1)
}

/// Throws out up to `left` versions of leaves of a branch that is gone.
fn drop_branch(
    leaves: &mut Leaves<'_, '_>,
    branch: BranchId,
    left: usize,
) -> Result<(usize, Option<Job>), Error> {
    let mut keys: Vec<LeafKey> = Vec::new();
    let range = (branch.0, 0, 0)..=(branch.0, u64::MAX, u64::MAX);
    for item in leaves
        .versions
        .range(range)
        .map_err(unreadable)?
        .take(left.min(CHUNK))
    {
        keys.push(item.map_err(unreadable)?.0.value());
    }
    if keys.is_empty() {
        return Ok((1, None));
    }
    for key in &keys {
        let (_, leaf, tag) = *key;
        if let Some((_, old)) = newest(&*leaves.versions, branch, leaf, tag + 1)? {
            // The versions before it are gone, so each block is counted with its last version.
            let next = next_version(leaves, *key)?.map_or(HOLES, |(_, next)| next.entries());
            leaves.release(&old.entries(), &next, &HOLES);
        }
        leaves.remove(*key)?;
    }
    Ok((keys.len(), Some(Job::Drop { branch })))
}
