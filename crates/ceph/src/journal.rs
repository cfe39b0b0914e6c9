//! What the journal of an image says of its mirroring, beyond what librbd tells.
//!
//! rbd-mirror finds out from the tags of two journals whether one image follows from the other: each demotion
//! and each promotion is a tag, and the tag of a copy names that of its primary which it came from. librbd drops
//! tags that no registered reader needs. So a copy must not be promoted before the rbd-mirror of its former
//! primary is registered as a reader of the copy's journal, or what links the two is dropped with the first
//! write, and nothing but a new copy of all of it makes the former primary follow.

use std::collections::BTreeMap;

use firebrick_backend::{Fault, FaultKind};

use crate::fault::Doing;
use crate::ffi::{Image, Pool, feature};

/// Who owns the tags of an image that was demoted, and that nobody has promoted since.
const NOBODY: &str = "<orphan>";
/// What the keys of readers and of tags begin with.
const CLIENT: &str = "client_";
const TAG: &str = "tag_";

/// Who an image follows, by its newest tag.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Owner {
    /// Itself: it is primary.
    Own,
    /// Nobody: its demotion, here or at its peer, is the last that is known.
    Nobody,
    /// The cluster of that mirror UUID.
    Peer(String),
}

/// A journal's readers and tags.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Journal {
    owner: Owner,
    /// Nothing has been replayed since the image was made as a copy.
    fresh: bool,
    /// The tag with which the image has become primary; `None` where it is not, or was from its first tag on
    /// that is still there.
    promoted: Option<u64>,
    /// The readers that are not shut out, by their mirror UUIDs, with the newest tag that they have committed.
    readers: BTreeMap<String, Option<u64>>,
}

impl Journal {
    /// That of an image; `None` where it has none.
    pub(crate) fn of(pool: &Pool, image: &Image, doing: &str) -> Result<Option<Self>, Fault> {
        if image.features().doing(doing)? & feature::JOURNALING == 0 {
            return Ok(None);
        }
        let object = format!("journal.{}", image.id().doing(doing)?);
        let clients = pool.keys(&object, CLIENT).doing(doing)?;
        let tags = pool.keys(&object, TAG).doing(doing)?;
        let read = Self::read(&clients, &tags);
        let broken = || Fault::new(FaultKind::Io, doing, format!("{object} cannot be read"));
        read.map(Some).ok_or_else(broken)
    }

    fn read(clients: &BTreeMap<String, Vec<u8>>, tags: &BTreeMap<String, Vec<u8>>) -> Option<Self> {
        let mut readers = BTreeMap::new();
        for (key, value) in clients {
            let id = key.strip_prefix(CLIENT)?;
            let (connected, committed) = reader(value)?;
            // The image itself is one, too.
            if connected && !id.is_empty() {
                readers.insert(id.to_owned(), committed);
            }
        }
        // Their keys are numbers of one length, so they come in the order in which they were made.
        let tags: Option<Vec<_>> = tags.values().map(|value| tag(value)).collect();
        let tags = tags?;
        let newest = tags.last()?.clone();
        let before = tags.iter().rposition(|tag| tag.owner != Owner::Own);
        let promoted = before.and_then(|at| Some(tags.get(at + 1)?.number));
        Some(Self {
            fresh: matches!(newest.owner, Owner::Peer(_)) && newest.first,
            owner: newest.owner,
            promoted,
            readers,
        })
    }

    /// Who the image follows.
    pub(crate) const fn owner(&self) -> &Owner {
        &self.owner
    }

    /// Whether nothing has been replayed since the image was made as a copy, so that it may lack anything.
    pub(crate) const fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// The first of these peers that is not registered, so that it could not follow if this image became primary.
    pub(crate) fn unregistered<'a>(&self, peers: &'a [String]) -> Option<&'a String> {
        peers.iter().find(|peer| !self.readers.contains_key(*peer))
    }

    /// Whether a reader has not read yet that the image has become primary.
    pub(crate) fn has_stragglers(&self) -> bool {
        let behind = |promoted| self.readers.values().any(|at| *at < Some(promoted));
        self.promoted.is_some_and(behind)
    }
}

/// Who an image follows by its newest tag; `None` where its journal has not got so far, or is gone already.
pub(crate) fn newest_owner(
    pool: &Pool,
    image: &Image,
    doing: &str,
) -> Result<Option<Owner>, Fault> {
    let object = format!("journal.{}", image.id().doing(doing)?);
    let tags = pool.keys(&object, TAG).doing(doing)?;
    let Some(newest) = tags.values().next_back() else {
        return Ok(None);
    };
    let broken = || Fault::new(FaultKind::Io, doing, format!("{object} cannot be read"));
    Ok(Some(tag(newest).ok_or_else(broken)?.owner))
}

/// Bytes as Ceph writes them: little endian, texts behind their lengths.
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(crate) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    pub(crate) fn text(&mut self) -> Option<&'a [u8]> {
        let len = self.u32()?;
        self.take(len as usize)
    }

    /// What stands behind a version, the oldest that can read it, and its length.
    pub(crate) fn structure(&mut self) -> Option<Self> {
        self.take(2)?;
        Some(Self(self.text()?))
    }
}

/// `cls::journal::Client`: whether it is connected, and the newest tag that it has committed.
fn reader(value: &[u8]) -> Option<(bool, Option<u64>)> {
    let mut client = Bytes(value).structure()?;
    let (_id, _data) = (client.text()?, client.text()?);
    let mut positions = client.structure()?;
    let mut newest = None;
    for _ in 0..positions.u32()? {
        let mut position = positions.structure()?;
        let (_object, tag) = (position.u64()?, position.u64()?);
        newest = newest.max(Some(tag));
    }
    Some((client.u8()? == 0, newest))
}

/// What a tag says.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Tag {
    number: u64,
    owner: Owner,
    /// Whether the owner of the one before it is this cluster, or there is none.
    first: bool,
}

/// `cls::journal::Tag` with `librbd::journal::TagData`.
fn tag(value: &[u8]) -> Option<Tag> {
    let mut tag = Bytes(value).structure()?;
    let (number, _class) = (tag.u64()?, tag.u64()?);
    let mut data = Bytes(tag.text()?);
    let (owner, before) = (data.text()?, data.text()?);
    let owner = match std::str::from_utf8(owner).ok()? {
        "" => Owner::Own,
        NOBODY => Owner::Nobody,
        peer => Owner::Peer(peer.to_owned()),
    };
    Some(Tag {
        number,
        owner,
        first: before.is_empty(),
    })
}

#[cfg(test)]
mod tests;
