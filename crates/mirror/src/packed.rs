//! Frames within frames, made smaller by LZ4.
//!
//! A packed frame is the kind of the frame within (a byte), the length of its payload (four bytes, the least one
//! first), and that payload as one block of LZ4. What comes from a peer is held against limits before any memory is
//! taken for it.

use crate::wire::{self, Kind};

/// By this name a reader says that it understands them.
pub(crate) const LZ4: &str = "lz4";
/// What makes more than an eighth of its size good is worth the time.
const WORTH: usize = 8;
/// Shorter payloads are not tried, in bytes: most of these are messages.
const LEAST: usize = 512;
/// The kind and the length of what is within, in bytes.
const HEAD: usize = 5;
/// LZ4 makes nothing more than so many times as small: no block of it means more bytes than that for each of its own.
const RATIO_MAX: usize = 256;

/// A smaller frame in the place of `frame`; `None` where it would not be an eighth smaller at least.
pub(crate) fn pack(frame: &[u8]) -> Option<Vec<u8>> {
    let (head, payload) = frame.split_at_checked(wire::HEAD)?;
    let kind = *head.first()?;
    if payload.len() < LEAST || !is_packable(Kind::of(kind)?) {
        return None;
    }
    let mut packed = wire::begin(Kind::Packed);
    packed.push(kind);
    packed.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    let from = packed.len();
    let room = lz4_flex::block::get_maximum_output_size(payload.len());
    packed.resize(from + room, 0);
    let len = lz4_flex::block::compress_into(payload, packed.get_mut(from..)?).ok()?;
    packed.truncate(from + len);
    let worth = packed.len() <= frame.len() - frame.len() / WORTH;
    worth.then(|| wire::seal(packed))
}

/// The frame within a packed one: its kind and its payload. `None` where it makes no sense.
pub(crate) fn unpack(payload: &[u8]) -> Option<(Kind, Vec<u8>)> {
    let (kind, len) = within(payload)?;
    let packed = payload.get(HEAD..)?;
    let plain = lz4_flex::block::decompress(packed, len).ok()?;
    (plain.len() == len).then_some((kind, plain))
}

/// How many bytes a frame would be if it were not packed.
pub(crate) fn plain_len(frame: &[u8]) -> usize {
    let packed = frame.first() == Some(&(Kind::Packed as u8));
    let payload = frame.get(wire::HEAD..).filter(|_| packed);
    let len = payload.and_then(within).map(|(_, len)| wire::HEAD + len);
    len.unwrap_or(frame.len())
}

/// What is said of the frame within: its kind, and the length of its payload. `None` where no such frame could be in there.
fn within(payload: &[u8]) -> Option<(Kind, usize)> {
    let (head, packed) = payload.split_at_checked(HEAD)?;
    let (kind, len) = head.split_first()?;
    let kind = Kind::of(*kind).filter(|kind| is_packable(*kind))?;
    let len = u32::from_le_bytes(len.try_into().ok()?) as usize;
    let possible = len <= kind.most() && len <= packed.len().saturating_mul(RATIO_MAX);
    possible.then_some((kind, len))
}

/// Whether frames of the kind are packed at all. A block that was asked for is small, and no frame is packed twice.
const fn is_packable(kind: Kind) -> bool {
    match kind {
        Kind::Message | Kind::Batch | Kind::Copy => true,
        Kind::Block | Kind::Packed => false,
    }
}

#[cfg(test)]
mod tests;
