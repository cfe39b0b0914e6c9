//! An open store: its life, its flushes, its room.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use firebrick_edge::{Clock, Disk};
use firebrick_log::{Location, Log, LogOptions, Reader};
use firebrick_vocabulary::{Bytes, ImageId, MIB, Position, Role, Sequence, StoreId};
use parking_lot::Mutex;

use crate::apply;
use crate::checkpoint;
use crate::commit::Core;
use crate::error::Error;
use crate::image::Image;
use crate::live;
use crate::past::LogPast;
use crate::state::{Cell, State};

/// How a store is laid out and kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StoreOptions {
    /// The size of a segment file in bytes, fixed when the store is made.
    pub segment_bytes: u64,
    /// How many bytes the log may grow before a checkpoint is due: what recovery may have to read.
    pub checkpoint_bytes: u64,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            segment_bytes: 64 * MIB,
            checkpoint_bytes: 256 * MIB,
        }
    }
}

/// The room of a store.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Space {
    /// Size of the file system.
    pub total: Bytes,
    /// What can still be written to it.
    pub free: Bytes,
    /// Sum of the sizes of all images.
    pub provisioned: Bytes,
    /// What the log takes.
    pub used: Bytes,
}

/// An open store. All methods may be called from any thread and may block.
pub struct Store {
    pub(crate) core: Arc<Core>,
}

impl Store {
    /// Makes an empty store in the folder of `disk`, durably;
    /// [`ErrorKind::Exists`](crate::ErrorKind::Exists) where there is one.
    pub fn create(disk: &Arc<dyn Disk>, id: StoreId, options: &StoreOptions) -> Result<(), Error> {
        checkpoint::prepare(disk)?;
        let options = LogOptions {
            segment_bytes: options.segment_bytes,
        };
        Ok(Log::create(disk, id, options)?)
    }

    /// Opens the store: loads the newest checkpoint and applies the log behind it.
    pub fn open(
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        options: StoreOptions,
    ) -> Result<Arc<Self>, Error> {
        let recovery = Log::open(Arc::clone(&disk), clock)?;
        let mut state = checkpoint::newest(&disk, None)?.unwrap_or_default();
        let from = state.sequence.next();
        let upto = Sequence(u64::MAX);
        let tail = recovery.replay(from, &mut |frame| {
            apply::frame(
                &mut state,
                frame,
                from,
                upto,
                &mut LogPast::new(&disk, &recovery),
            )
        })?;
        let log = recovery.finish(&tail)?;
        let core = Core {
            disk,
            log,
            options,
            fenced: AtomicBool::new(false),
            state: Mutex::new(state),
            keep: Mutex::new(BTreeMap::new()),
            checkpoint: Mutex::new(0),
        };
        Ok(Arc::new(Self {
            core: Arc::new(core),
        }))
    }

    /// The id of the store.
    pub fn id(&self) -> StoreId {
        self.core.log.store()
    }

    /// The newest record.
    pub fn head(&self) -> Position {
        self.core.log.head()
    }

    /// Up to which record everything is durable.
    pub fn durable(&self) -> Position {
        self.core.log.durable()
    }

    /// Makes everything durable that was acknowledged before the call, and says up to where.
    pub fn flush(&self) -> Result<Position, Error> {
        Ok(self.core.log.flush()?)
    }

    /// While fenced, mirrored images that are primary here take no write: after a start it is not
    /// known whether a peer has been promoted meanwhile.
    pub fn set_fenced(&self, fenced: bool) {
        self.core.fenced.store(fenced, Ordering::Release);
    }

    /// Whether an image is mirrored and primary here, so that a fence makes sense.
    pub fn has_mirrored_primaries(&self) -> bool {
        let state = self.core.lock();
        state.images.values().any(|cell| {
            let meta = &cell.read().meta;
            meta.mirrored && meta.role == Role::Primary
        })
    }

    /// A reader of the log whose first frame is the one that holds record `from`.
    pub fn reader(&self, from: Sequence) -> Result<Reader, Error> {
        Ok(self.core.log.reader(from)?)
    }

    /// Reads whole blocks from a place of the log. The checksums are the caller's to check.
    pub fn read_log(&self, at: Location, buffer: &mut [u8]) -> Result<(), Error> {
        Ok(self.core.log.read(at, buffer)?)
    }

    /// Waits until the head is beyond `sequence`, at most `timeout`; whether it is.
    pub fn wait_beyond(&self, sequence: Sequence, timeout: Duration) -> bool {
        self.core.log.wait_beyond(sequence, timeout)
    }

    /// Whether record `sequence` of the own log, which is about `image`, is one that peers get:
    /// one of a time in which the image was primary here and mirrored.
    pub fn sends(&self, image: ImageId, sequence: Sequence) -> bool {
        self.core.lock().sends(image, sequence)
    }

    /// Keeps older states reachable from record `sequence` on, for `who`.
    pub fn keep_from(&self, who: &str, sequence: Sequence) {
        self.core.keep.lock().insert(who.to_owned(), sequence);
    }

    /// Whether the log has grown so much that a checkpoint should be taken.
    pub fn checkpoint_due(&self) -> bool {
        let last = *self.core.checkpoint.lock();
        self.core.log.bytes_appended() - last >= self.core.options.checkpoint_bytes
    }

    /// Makes room at the end of the log ahead of its use, so that guests need not wait for it: waits
    /// until there is something to make, at most `timeout`. Whether there was.
    pub fn prepare_segment(&self, timeout: Duration) -> Result<bool, Error> {
        Ok(self.core.log.prepare_segment(timeout)?)
    }

    /// Writes down the whole state as it is now, so that recovery begins there. Guests go on
    /// meanwhile.
    pub fn checkpoint(&self) -> Result<Position, Error> {
        let mut last = self.core.checkpoint.lock();
        let keep = self.core.keep.lock().values().min().copied();
        let (state, position, bytes) = {
            let mut state = self.core.lock();
            if let Some(keep) = keep {
                // Every peer has got the end of these images.
                state
                    .removed
                    .retain(|_, window| window.until.is_none_or(|until| until >= keep));
            }
            (
                state.detached(),
                self.core.log.head(),
                self.core.log.bytes_appended(),
            )
        };
        // Everything that the checkpoint says must be durable before it is: recovery trusts it.
        self.core.log.flush()?;
        checkpoint::save(&self.core.disk, &state)?;
        checkpoint::retire(&self.core.disk, keep)?;
        *last = bytes;
        let live = live::segments(&state);
        self.core
            .log
            .forget_dead(|segment| live.contains(&segment))?;
        Ok(position)
    }

    /// The room of the store.
    pub fn space(&self) -> Result<Space, Error> {
        let disk = self.core.disk.space();
        let disk = disk.map_err(|error| Error::io("look at the room of the store", &error))?;
        let state = self.core.lock();
        let provisioned: u64 = state
            .images
            .values()
            .map(|cell| cell.read().meta.size.0)
            .sum();
        Ok(Space {
            total: Bytes(disk.total),
            free: Bytes(disk.free),
            provisioned: Bytes(provisioned),
            used: Bytes(self.core.log.segment_bytes()),
        })
    }

    /// Takes a checkpoint and lets others open the store. Every later change fails.
    pub fn close(&self) -> Result<(), Error> {
        let checkpoint = self.checkpoint();
        self.core.log.close()?;
        checkpoint.map(drop)
    }

    pub(crate) fn handle(&self, id: ImageId, cell: &Cell) -> Arc<Image> {
        Arc::new(Image {
            core: Arc::clone(&self.core),
            id,
            cell: Arc::clone(cell),
        })
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("sequence", &self.sequence)
            .finish_non_exhaustive()
    }
}
