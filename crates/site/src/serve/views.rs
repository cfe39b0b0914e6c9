//! States of images that tools look at.

use std::collections::BTreeMap;
use std::sync::Arc;

use firebrick_backend::{Fault, FaultKind};
use firebrick_engine::{Changed, Entry, Error, ErrorKind, MapView, NewImage, NewOrigin, Store};
use firebrick_vocabulary::{BLOCK_SIZE, Bytes, ImageId, ImageName, Sequence};

use super::fault::fault;
use super::tools::Cursors;
use crate::admin::{Changes, Run, TRANSFER_MAX, ViewOf};

/// Views that one connection may hold.
const VIEWS_MAX: usize = 16;
/// Blocks of one part of a difference.
const BLOCKS_MAX: usize = TRANSFER_MAX / BLOCK_SIZE as usize;
/// Images with such names exist only while somebody looks at an earlier state.
const TEMPORARY: &str = ".at-";

/// The namespace of the clones of drills, which end with the process.
pub(super) const DRILL: &str = ".drill";

/// Whether it is an image that only stands for an earlier state of another one.
pub(super) fn is_temporary(name: &ImageName) -> bool {
    name.as_str().starts_with(TEMPORARY)
}

/// Whether it is an image that users do not see among theirs.
pub(super) fn is_hidden(name: &ImageName) -> bool {
    is_temporary(name) || name.is_internal()
}

/// The name of an image in a namespace of the site's own.
pub(super) fn internal(namespace: &str, name: &str) -> Result<ImageName, Error> {
    ImageName::new(format!("{namespace}/{name}")).map_err(|error| Error {
        kind: ErrorKind::Invalid,
        doing: "name an image",
        why: error.to_string(),
    })
}

/// Removes the images that a former process left.
pub(super) fn remove_temporary(store: &Store) {
    for image in store.images() {
        let info = image.info();
        if (is_temporary(&info.name) || info.name.namespace() == DRILL)
            && let Err(error) = store.remove_image(info.id)
        {
            tracing::warn!(image = %info.name, %error, "an image that should be gone stays");
        }
    }
}

/// A clone that is gone with this.
pub(super) struct Temporary {
    store: Arc<Store>,
    id: ImageId,
}

impl Temporary {
    /// What `image` was at record `at`, and its size then.
    pub(super) fn at(
        store: &Arc<Store>,
        image: ImageId,
        at: Sequence,
    ) -> Result<(Self, Bytes, MapView), Error> {
        let size = store.size_at(image, at)?;
        let id = ImageId::random();
        let name = ImageName::new(format!("{TEMPORARY}{id}")).map_err(|error| Error {
            kind: ErrorKind::Invalid,
            doing: "look at an earlier state",
            why: error.to_string(),
        })?;
        let origin = NewOrigin {
            image,
            snapshot: None,
            at: Some(at),
        };
        let made = store.create_image(NewImage {
            id,
            name,
            size,
            origin: Some(origin),
            mirrored: false,
        })?;
        let held = Self {
            store: Arc::clone(store),
            id,
        };
        Ok((held, size, made.map()))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Err(error) = self.store.remove_image(self.id) {
            tracing::warn!(image = %self.id, %error, "an image for looking back stays until the next start");
        }
    }
}

/// A state of an image that is held.
pub(super) struct View {
    map: MapView,
    size: Bytes,
    /// Behind the map, so that it goes last.
    _temporary: Option<Temporary>,
}

/// What one connection holds: its views, and where it reads journals.
#[derive(Default)]
pub(super) struct Session {
    views: BTreeMap<u32, Arc<View>>,
    next: u32,
    /// The journals that it reads.
    pub(super) journals: Cursors,
}

impl Session {
    /// Refuses one view too many.
    pub(super) fn room(&self) -> Result<(), Fault> {
        if self.views.len() < VIEWS_MAX {
            return Ok(());
        }
        let why = format!("a connection holds at most {VIEWS_MAX} states");
        Err(Fault::new(FaultKind::Invalid, "hold a state", why))
    }

    pub(super) fn add(&mut self, view: View) -> (u32, Bytes) {
        self.next += 1;
        let size = view.size;
        self.views.insert(self.next, Arc::new(view));
        (self.next, size)
    }

    pub(super) fn remove(&mut self, number: u32) -> Option<Arc<View>> {
        self.views.remove(&number)
    }

    pub(super) fn get(&self, number: u32) -> Result<Arc<View>, Fault> {
        let view = self.views.get(&number).map(Arc::clone);
        view.ok_or_else(|| {
            let why = format!("there is no state {number} on this connection");
            Fault::new(FaultKind::NotFound, "look at a state", why)
        })
    }
}

impl View {
    /// Holds a state.
    pub(super) fn open(store: &Arc<Store>, image: ImageId, of: &ViewOf) -> Result<Self, Fault> {
        let view = match of {
            ViewOf::Head => store.image(image).map(|image| Self::of_map(image.map())),
            ViewOf::Snapshot(name) => store.snapshot_map(image, name).map(Self::of_map),
            ViewOf::At(at) => {
                let past = Temporary::at(store, image, *at);
                past.map(|(temporary, size, map)| Self {
                    map,
                    size,
                    _temporary: Some(temporary),
                })
            }
        };
        view.map_err(|error| fault(&error))
    }

    fn of_map(map: MapView) -> Self {
        Self {
            size: Bytes(map.blocks() * BLOCK_SIZE),
            map,
            _temporary: None,
        }
    }

    pub(super) const fn size(&self) -> Bytes {
        self.size
    }

    /// The data in this view that `older` does not have.
    pub(super) fn used(&self, older: Option<&Self>) -> Result<Bytes, Error> {
        let Some(older) = older else {
            return Ok(Bytes(self.map.mapped()? * BLOCK_SIZE));
        };
        let mut blocks = 0;
        let mut from = 0;
        loop {
            let changed = self.map.changed_since(Some(&older.map), from, BLOCKS_MAX)?;
            blocks += changed.iter().filter(|block| block.entry.is_some()).count() as u64;
            match changed.last() {
                Some(last) if changed.len() == BLOCKS_MAX => from = last.block + 1,
                Some(_) | None => return Ok(Bytes(blocks * BLOCK_SIZE)),
            }
        }
    }

    /// A part of what differs from `older`, with its bytes if they are wanted.
    pub(super) fn changes(
        &self,
        older: Option<&Self>,
        from: u64,
        data: bool,
    ) -> Result<(Changes, Vec<u8>), Error> {
        let older = older.map(|older| &older.map);
        changes(&self.map, older, from, data)
    }
}

/// A part of what differs between two maps from block `from` on.
pub(super) fn changes(
    map: &MapView,
    older: Option<&MapView>,
    from: u64,
    data: bool,
) -> Result<(Changes, Vec<u8>), Error> {
    let changed = map.changed_since(older, from, BLOCKS_MAX)?;
    let next = changed.last().filter(|_| changed.len() == BLOCKS_MAX);
    let mut part = Changes {
        next: next.map(|last| last.block + 1),
        ..Changes::default()
    };
    let mut bytes = Vec::new();
    let alike = |one: &Changed, next: &Changed| {
        one.block + 1 == next.block && one.entry.is_some() == next.entry.is_some()
    };
    for run in changed.chunk_by(alike) {
        let Some(first) = run.first() else { continue };
        part.runs.push(Run {
            block: first.block,
            blocks: run.len() as u64,
            data: first.entry.is_some(),
        });
        if data && first.entry.is_some() {
            let entries: Vec<Entry> = run.iter().filter_map(|block| block.entry).collect();
            let start = bytes.len();
            bytes.resize(start + run.len() * BLOCK_SIZE as usize, 0);
            map.read(&entries, &mut bytes[start..])?;
        }
    }
    part.bytes = bytes.len();
    Ok((part, bytes))
}
