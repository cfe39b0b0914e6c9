//! Events as a journal of RBD has them: how they are encoded there, and what `inspect` prints of them.
//!
//! An entry is version 5 of `librbd::journal::EventEntry`: version, oldest version that reads it, length; the kind and
//! the fields of the event; version, oldest version, length and the time. Numbers are little-endian.

use std::io;

use crate::cli::rbd::at::stamp;
use crate::cli::rbd::doc::Doc;

const VERSION: u8 = 5;
const NANOS: u64 = 1_000_000_000;

/// An event.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::cli::rbd) enum Event {
    Discard {
        offset: u64,
        length: u64,
    },
    Write {
        offset: u64,
        data: Vec<u8>,
    },
    Flush,
    /// An operation came to its end, with a number below 0 where it failed.
    Finish {
        op: u64,
        result: i32,
    },
    /// An operation on the image begins.
    Op {
        op: u64,
        what: Op,
    },
    DemotePromote,
    WriteSame {
        offset: u64,
        length: u64,
        data: Vec<u8>,
    },
    CompareAndWrite {
        offset: u64,
        compare: Vec<u8>,
        data: Vec<u8>,
    },
    /// One of a later release.
    Unknown {
        kind: u32,
    },
}

/// An operation on an image.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::cli::rbd) enum Op {
    SnapCreate(String),
    SnapRemove(String),
    SnapRename {
        id: u64,
        from: String,
        to: String,
    },
    SnapProtect(String),
    SnapUnprotect(String),
    SnapRollback(String),
    Rename(String),
    Resize(u64),
    Flatten,
    /// The largest number for any number.
    SnapLimit(u64),
    UpdateFeatures {
        features: u64,
        enabled: bool,
    },
    MetadataSet(String, String),
    MetadataRemove(String),
}

impl Op {
    const fn kind(&self) -> (u32, &'static str) {
        match self {
            Self::SnapCreate(_) => (4, "SnapCreate"),
            Self::SnapRemove(_) => (5, "SnapRemove"),
            Self::SnapRename { .. } => (6, "SnapRename"),
            Self::SnapProtect(_) => (7, "SnapProtect"),
            Self::SnapUnprotect(_) => (8, "SnapUnprotect"),
            Self::SnapRollback(_) => (9, "SnapRollback"),
            Self::Rename(_) => (10, "Rename"),
            Self::Resize(_) => (11, "Resize"),
            Self::Flatten => (12, "Flatten"),
            Self::SnapLimit(_) => (14, "SnapLimit"),
            Self::UpdateFeatures { .. } => (15, "UpdateFeatures"),
            Self::MetadataSet(..) => (16, "MetadataSet"),
            Self::MetadataRemove(_) => (17, "MetadataRemove"),
        }
    }

    fn describe(&self, doc: &mut Doc) {
        match self {
            Self::SnapCreate(name)
            | Self::SnapRemove(name)
            | Self::SnapProtect(name)
            | Self::SnapUnprotect(name)
            | Self::SnapRollback(name) => {
                doc.put("snap_name", name);
                doc.put("snapshot_namespace_type", "user");
            }
            Self::SnapRename { id, from, to } => {
                doc.put("src_snap_id", *id);
                doc.put("src_snap_name", from);
                doc.put("dest_snap_name", to);
            }
            Self::Rename(name) => doc.put("image_name", name),
            Self::Resize(size) => doc.put("size", *size),
            Self::Flatten => {}
            Self::SnapLimit(limit) => doc.put("limit", *limit),
            Self::UpdateFeatures { features, enabled } => {
                doc.put("features", *features);
                doc.put("enabled", *enabled);
            }
            Self::MetadataSet(key, value) => {
                doc.put("key", key);
                doc.put("value", value);
            }
            Self::MetadataRemove(key) => doc.put("key", key),
        }
    }
}

impl Event {
    /// Its number in RBD, and its name.
    pub(in crate::cli::rbd) const fn kind(&self) -> (u32, &'static str) {
        match self {
            Self::Discard { .. } => (0, "AioDiscard"),
            Self::Write { .. } => (1, "AioWrite"),
            Self::Flush => (2, "AioFlush"),
            Self::Finish { .. } => (3, "OpFinish"),
            Self::Op { what, .. } => what.kind(),
            Self::DemotePromote => (13, "Demote/Promote"),
            Self::WriteSame { .. } => (18, "AioWriteSame"),
            Self::CompareAndWrite { .. } => (19, "AioCompareAndWrite"),
            Self::Unknown { kind } => (*kind, "Unknown"),
        }
    }

    /// What `inspect` prints of it.
    pub(in crate::cli::rbd) fn doc(&self, time: u64) -> Doc {
        let mut doc = Doc::map([("event_type", self.kind().1.into())]);
        let mut range = |offset: u64, length: u64| {
            doc.put("offset", offset);
            doc.put("length", length);
        };
        match self {
            Self::Discard { offset, length } => {
                range(*offset, *length);
                doc.put("discard_granularity_bytes", 0_u64);
            }
            Self::Write { offset, data } | Self::CompareAndWrite { offset, data, .. } => {
                range(*offset, data.len() as u64);
            }
            Self::WriteSame { offset, length, .. } => range(*offset, *length),
            Self::Finish { op, result } => {
                // As librbd has it: twice.
                doc.put("op_tid", *op);
                doc.put("op_tid", *op);
                doc.put("result", Doc::Integer((*result).into()));
            }
            Self::Op { op, what } => {
                doc.put("op_tid", *op);
                what.describe(&mut doc);
            }
            Self::Flush | Self::DemotePromote | Self::Unknown { .. } => {}
        }
        doc.put("timestamp", stamp(time));
        doc
    }

    /// The bytes of the entry.
    pub(super) fn encode(&self, time: u64) -> Vec<u8> {
        let mut fields = self.kind().0.to_le_bytes().to_vec();
        self.put(&mut fields);
        let mut bytes = Vec::with_capacity(fields.len() + 20);
        section(&mut bytes, VERSION, &fields);
        let mut stamp = Vec::with_capacity(8);
        stamp.extend(
            u32::try_from(time / NANOS)
                .unwrap_or(u32::MAX)
                .to_le_bytes(),
        );
        stamp.extend(((time % NANOS) as u32).to_le_bytes());
        section(&mut bytes, 1, &stamp);
        bytes
    }

    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Discard { offset, length } => {
                number(out, *offset);
                number(out, *length);
                // No granularity: all of it.
                out.extend(0_u32.to_le_bytes());
            }
            Self::Write { offset, data } => {
                number(out, *offset);
                number(out, data.len() as u64);
                text(out, data);
            }
            Self::WriteSame {
                offset,
                length,
                data,
            } => {
                number(out, *offset);
                number(out, *length);
                text(out, data);
            }
            Self::CompareAndWrite {
                offset,
                compare,
                data,
            } => {
                number(out, *offset);
                number(out, data.len() as u64);
                text(out, compare);
                text(out, data);
            }
            Self::Finish { op, result } => {
                number(out, *op);
                // As librbd writes it: twice.
                number(out, *op);
                out.extend(result.to_le_bytes());
            }
            Self::Op { op, what } => {
                number(out, *op);
                put_op(out, what);
            }
            Self::Flush | Self::DemotePromote | Self::Unknown { .. } => {}
        }
    }

    /// Reads an entry: the event and its time, in nanoseconds since the Unix epoch.
    pub(in crate::cli::rbd) fn decode(bytes: &[u8]) -> io::Result<(Self, u64)> {
        let mut rest = Bytes(bytes);
        let (version, fields) = rest.section()?;
        let event = Self::take(version, &mut Bytes(fields))?;
        let mut time = 0;
        if version >= 4 {
            let (_, stamp) = rest.section()?;
            let mut stamp = Bytes(stamp);
            let (seconds, nanos) = (stamp.short()?, stamp.short()?);
            time = u64::from(seconds) * NANOS + u64::from(nanos);
        }
        Ok((event, time))
    }

    fn take(version: u8, from: &mut Bytes<'_>) -> io::Result<Self> {
        let kind = from.short()?;
        Ok(match kind {
            0 => Self::Discard {
                offset: from.number()?,
                length: from.number()?,
            },
            1 => {
                let offset = from.number()?;
                from.number()?;
                let data = from.bytes()?.to_vec();
                Self::Write { offset, data }
            }
            2 => Self::Flush,
            3 => {
                let op = from.number()?;
                from.number()?;
                let result = i32::from_le_bytes(from.array()?);
                Self::Finish { op, result }
            }
            13 => Self::DemotePromote,
            18 => Self::WriteSame {
                offset: from.number()?,
                length: from.number()?,
                data: from.bytes()?.to_vec(),
            },
            19 => {
                let offset = from.number()?;
                from.number()?;
                let compare = from.bytes()?.to_vec();
                let data = from.bytes()?.to_vec();
                Self::CompareAndWrite {
                    offset,
                    compare,
                    data,
                }
            }
            4..=17 => {
                let op = from.number()?;
                let what = take_op(kind, version, from)?;
                what.map_or(Self::Unknown { kind }, |what| Self::Op { op, what })
            }
            kind => Self::Unknown { kind },
        })
    }
}

fn put_op(out: &mut Vec<u8>, what: &Op) {
    match what {
        Op::SnapCreate(name)
        | Op::SnapRemove(name)
        | Op::SnapProtect(name)
        | Op::SnapUnprotect(name)
        | Op::SnapRollback(name) => {
            text(out, name.as_bytes());
            // The namespace of snapshots that users take.
            section(out, 1, &0_u32.to_le_bytes());
        }
        Op::SnapRename { id, from, to } => {
            text(out, to.as_bytes());
            number(out, *id);
            text(out, from.as_bytes());
        }
        Op::Rename(name) | Op::MetadataRemove(name) => text(out, name.as_bytes()),
        Op::Resize(size) => number(out, *size),
        Op::Flatten => {}
        Op::SnapLimit(limit) => number(out, *limit),
        Op::UpdateFeatures { features, enabled } => {
            number(out, *features);
            out.push(u8::from(*enabled));
        }
        Op::MetadataSet(key, value) => {
            text(out, key.as_bytes());
            text(out, value.as_bytes());
        }
    }
}

fn take_op(kind: u32, version: u8, from: &mut Bytes<'_>) -> io::Result<Option<Op>> {
    Ok(Some(match kind {
        4 => Op::SnapCreate(from.text()?),
        5 => Op::SnapRemove(from.text()?),
        6 => {
            let to = from.text()?;
            let id = from.number()?;
            let name = if version >= 2 {
                from.text()?
            } else {
                String::new()
            };
            Op::SnapRename { id, from: name, to }
        }
        7 => Op::SnapProtect(from.text()?),
        8 => Op::SnapUnprotect(from.text()?),
        9 => Op::SnapRollback(from.text()?),
        10 => Op::Rename(from.text()?),
        11 => Op::Resize(from.number()?),
        12 => Op::Flatten,
        14 => Op::SnapLimit(from.number()?),
        15 => Op::UpdateFeatures {
            features: from.number()?,
            enabled: from.array::<1>()? != [0],
        },
        16 => Op::MetadataSet(from.text()?, from.text()?),
        17 => Op::MetadataRemove(from.text()?),
        _ => return Ok(None),
    }))
}

fn number(out: &mut Vec<u8>, number: u64) {
    out.extend(number.to_le_bytes());
}

fn text(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend((bytes.len() as u32).to_le_bytes());
    out.extend(bytes);
}

/// Version, oldest version that reads it, length, and the bytes.
fn section(out: &mut Vec<u8>, version: u8, bytes: &[u8]) {
    out.extend([version, 1]);
    text(out, bytes);
}

/// Bytes that are taken one after the other.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, len: usize) -> io::Result<&'a [u8]> {
        let Some((taken, rest)) = self.0.split_at_checked(len) else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the event ends too soon",
            ));
        };
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn short(&mut self) -> io::Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn number(&mut self) -> io::Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn bytes(&mut self) -> io::Result<&'a [u8]> {
        let len = self.short()?;
        self.take(len as usize)
    }

    fn text(&mut self) -> io::Result<String> {
        Ok(String::from_utf8_lossy(self.bytes()?).into_owned())
    }

    fn section(&mut self) -> io::Result<(u8, &'a [u8])> {
        let [version, _] = self.array()?;
        Ok((version, self.bytes()?))
    }
}

#[cfg(test)]
mod tests;
