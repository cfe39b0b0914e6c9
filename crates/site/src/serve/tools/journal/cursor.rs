//! Reading a journal part by part.

use std::collections::BTreeMap;
use std::sync::Arc;

use firebrick_backend::{Fault, FaultKind, TRANSFER_MAX};
use firebrick_engine::{JournalItem, JournalReader, JournalStep, Store};
use firebrick_log::{Checksum, FrameRecord, Location};
use firebrick_vocabulary::{BLOCK_SIZE, Epoch, ImageId, Position, Sequence};
use parking_lot::Mutex;

use super::names::Names;
use super::reset::began;
use crate::admin::{JournalEntry, JournalEvent, JournalPart, JournalReply};
use crate::serve::fault::fault;

/// Cursors that one connection may have.
const CURSORS_MAX: usize = 4;
/// Entries of one part.
const ENTRIES_MAX: usize = 4096;
/// Frames that one part looks at.
const FRAMES_MAX: usize = 16_384;
/// The bytes of one part of a write, and of all that one part of the journal reads.
const PIECE: usize = 1 << 20;
const PART: usize = TRANSFER_MAX - PIECE;
/// What the texts of one part may take, in bytes: a message holds several times that.
const TEXT_MAX: usize = 2 << 20;

/// The cursors of one connection.
#[derive(Default)]
pub(in crate::serve) struct Cursors {
    open: BTreeMap<u32, Arc<Mutex<Cursor>>>,
    last: u32,
}

impl Cursors {
    /// Refuses one cursor too many.
    pub(super) fn room(&self) -> Result<(), Fault> {
        if self.open.len() < CURSORS_MAX {
            return Ok(());
        }
        let why = format!("a connection reads at most {CURSORS_MAX} journals");
        Err(Fault::new(FaultKind::Invalid, "read a journal", why))
    }

    pub(super) fn add(&mut self, cursor: Cursor) -> JournalReply {
        self.last += 1;
        let opened = JournalReply::Opened {
            cursor: self.last,
            from: cursor.reader.at(),
            upto: cursor.reader.upto(),
        };
        self.open.insert(self.last, Arc::new(Mutex::new(cursor)));
        opened
    }

    pub(super) fn get(&self, number: u32) -> Result<Arc<Mutex<Cursor>>, Fault> {
        let cursor = self.open.get(&number).map(Arc::clone);
        cursor.ok_or_else(|| {
            let why = format!("there is no cursor {number} on this connection");
            Fault::new(FaultKind::NotFound, "read a journal", why)
        })
    }

    pub(super) fn remove(&mut self, number: u32) {
        self.open.remove(&number);
    }
}

/// A place in the journal of some images.
pub(super) struct Cursor {
    reader: JournalReader,
    names: Names,
    began: BTreeMap<ImageId, Sequence>,
    /// What is left of a long write.
    rest: Option<Rest>,
}

/// Blocks of a write that have not been read yet.
struct Rest {
    image: ImageId,
    position: Position,
    time: u64,
    block: u64,
    at: Location,
    checksums: Vec<Checksum>,
    continued: bool,
}

/// What is being put together.
#[derive(Default)]
struct Making {
    entries: Vec<JournalEntry>,
    bytes: Vec<u8>,
    read: usize,
    text: usize,
}

impl Making {
    fn is_full(&self) -> bool {
        self.entries.len() >= ENTRIES_MAX || self.read >= PART || self.text >= TEXT_MAX
    }
}

impl Cursor {
    pub(super) fn open(
        store: &Arc<Store>,
        images: &[ImageId],
        from: Option<Sequence>,
    ) -> Result<Self, Fault> {
        let mut begins = BTreeMap::new();
        for id in images {
            let image = store.image(*id).map_err(|error| fault(&error))?;
            begins.insert(*id, began(&image.info()));
        }
        let first = begins.values().min().copied().unwrap_or_default();
        let from = from.unwrap_or_default().max(first);
        let reader = store.journal(images.iter().copied(), from);
        Ok(Self {
            reader: reader.map_err(|error| fault(&error))?,
            names: Names::now(store, images),
            began: begins,
            rest: None,
        })
    }

    /// The next part, and its bytes.
    pub(super) fn part(&mut self, data: bool) -> Result<(JournalPart, Vec<u8>), Fault> {
        let mut making = Making::default();
        let mut frames = FRAMES_MAX;
        let mut ended = false;
        while !making.is_full() && frames > 0 {
            if let Some(rest) = self.rest.take() {
                self.rest = self.piece(rest, data, &mut making)?;
                continue;
            }
            frames -= 1;
            match self.reader.step(1).map_err(|error| fault(&error))? {
                JournalStep::Item(item) => self.take(*item, &mut making),
                JournalStep::Pause => {}
                JournalStep::End => {
                    ended = true;
                    break;
                }
            }
        }
        let next = (!ended).then(|| self.reader.at());
        let part = JournalPart {
            entries: making.entries,
            next,
            bytes: making.bytes.len(),
        };
        Ok((part, making.bytes))
    }

    fn take(&mut self, item: JournalItem, making: &mut Making) {
        let (image, position, time, record) = match item {
            JournalItem::Record {
                image,
                position,
                time,
                record,
            } => (image, position, time.0, record),
            JournalItem::Broken {
                from,
                segment,
                offset,
                why,
            } => {
                let fault = format!("segment {segment}, byte {offset}: {why}");
                making.entries.push(unreadable(from, fault));
                return;
            }
        };
        let before = self.began.get(&image);
        if before.is_some_and(|began| position.sequence < *began) {
            return;
        }
        let event = match record {
            FrameRecord::Data {
                block,
                checksums,
                at,
                ..
            } => {
                self.rest = Some(Rest {
                    image,
                    position,
                    time,
                    block,
                    at,
                    checksums,
                    continued: false,
                });
                return;
            }
            FrameRecord::Discard { block, blocks, .. } => JournalEvent::Discard {
                offset: block.saturating_mul(BLOCK_SIZE),
                length: blocks.saturating_mul(BLOCK_SIZE),
            },
            FrameRecord::Change(change) => {
                let Some(event) = self.names.event(image, &change) else {
                    return;
                };
                making.text += text_of(&event);
                event
            }
        };
        making.entries.push(JournalEntry {
            image: Some(image),
            position,
            time,
            event,
            continued: false,
            fault: None,
        });
    }

    /// Reads and checks a piece of a write; what is left of it then.
    fn piece(
        &self,
        mut rest: Rest,
        data: bool,
        making: &mut Making,
    ) -> Result<Option<Rest>, Fault> {
        let blocks = rest.checksums.len().min(PIECE / BLOCK_SIZE as usize);
        let behind = rest.checksums.split_off(blocks);
        let start = making.bytes.len();
        making.bytes.resize(start + blocks * BLOCK_SIZE as usize, 0);
        let read = self.reader.read(
            rest.position,
            rest.at,
            &rest.checksums,
            making.bytes.get_mut(start..).unwrap_or_default(),
        );
        let bad = read.map_err(|error| fault(&error))?;
        making.read += blocks * BLOCK_SIZE as usize;
        if !data || bad.is_some() {
            making.bytes.truncate(start);
        }
        let damaged = |bad: usize| {
            let block = rest.block + bad as u64;
            let segment = rest.at.segment;
            format!("block {block} of the image, in segment {segment}, is not what was written")
        };
        making.entries.push(JournalEntry {
            image: Some(rest.image),
            position: rest.position,
            time: rest.time,
            event: JournalEvent::Write {
                offset: rest.block * BLOCK_SIZE,
                length: blocks as u64 * BLOCK_SIZE,
            },
            continued: rest.continued,
            fault: bad.map(damaged),
        });
        Ok((!behind.is_empty()).then_some(Rest {
            block: rest.block + blocks as u64,
            at: rest.at.plus_blocks(blocks as u32),
            checksums: behind,
            continued: true,
            ..rest
        }))
    }
}

fn unreadable(from: Sequence, fault: String) -> JournalEntry {
    JournalEntry {
        image: None,
        position: Position {
            epoch: Epoch::FIRST,
            sequence: from,
        },
        time: 0,
        event: JournalEvent::Unreadable,
        continued: false,
        fault: Some(fault),
    }
}

/// About how long an event is as text, where it may be long.
fn text_of(event: &JournalEvent) -> usize {
    match event {
        JournalEvent::Metadata { key, value } => key.len() + value.as_deref().map_or(0, str::len),
        JournalEvent::Other { change, .. } => change.to_string().len(),
        _ => 0,
    }
}
