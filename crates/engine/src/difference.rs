//! What somebody lacks who was away for longer than the log was kept: all that this store is primary
//! of, as it is at one position, and which of its blocks may differ from what he has.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use firebrick_index::BranchId;
use firebrick_log::{Applied, ImageOrigin, Taken};
use firebrick_vocabulary::{
    BLOCK_SIZE, Bytes, ImageId, Role, Sequence, SnapshotId, SnapshotName, StoreId,
};

use crate::commit::Core;
use crate::copy::CopyImage;
use crate::ended::EndedImage;
use crate::error::Error;
use crate::keep::Keep;
use crate::state::{ImageState, Snapshot, State};
use crate::store::Store;
use crate::view::MapView;
use crate::window::Kept;

/// The number of the next difference.
static NUMBERS: AtomicU64 = AtomicU64::new(1);
const CATCHING_UP: &str = ", catching up";

/// All that this store is primary of, at one position. As long as this lives, the log behind that
/// position is kept for the reader, or what is needed for the next difference.
pub struct Difference {
    core: Arc<Core>,
    /// Under which name it is kept.
    who: String,
    /// For whom.
    of: String,
    /// The newest record that belongs to it; durable.
    pub position: Sequence,
    /// What the reader gets, parents before their clones.
    pub images: Vec<Served>,
    /// Images that are here, and whose primary is another one.
    pub others: Vec<ImageId>,
    /// Images that ended here, of which the reader has not read.
    pub ended: Vec<EndedImage>,
    /// The checkpoint that is kept for the reader, and what was written behind it and may have
    /// reached him; none where what he has is not known here.
    base: Option<Sequence>,
    keep: Keep,
    /// Which of all it is.
    number: u64,
}

/// An image at the position of a difference.
pub struct Served {
    /// The image.
    pub image: CopyImage,
    /// Whether it was demoted here, and is primary nowhere.
    pub demoted: bool,
    /// Where the last promotion here followed on.
    pub origin: Option<Applied>,
    /// What it started as.
    pub parent: Option<ImageOrigin>,
    /// Its snapshots, oldest first.
    pub snapshots: Vec<ServedSnapshot>,
    branch: BranchId,
    /// The first record that peers get of it.
    since: Sequence,
    /// Where it was made primary the last time.
    promoted: Sequence,
    /// Where its branch began.
    begun: Sequence,
}

/// A snapshot of such an image.
#[derive(Clone, Debug)]
pub struct ServedSnapshot {
    /// Its id.
    pub id: SnapshotId,
    /// Its name.
    pub name: SnapshotName,
    /// The size of the image then.
    pub size: Bytes,
    /// The record that took it.
    pub taken: Option<Taken>,
    branch: BranchId,
    at: Sequence,
}

impl Store {
    /// All that this store is primary of, as it is now, for `who`, who has everything up to record
    /// `has`. Costs as much as there are images and snapshots; nothing that is written later changes it.
    pub fn difference(&self, who: &str, has: Sequence) -> Result<Difference, Error> {
        self.difference_of(who, has, None, &|_, _| false)
    }

    /// The same of one image alone, and what it was cloned from; of all, where none is named. It is not
    /// among them where this store is not primary of it. Of images that follow another store, those are for which
    /// `tells` is true, asked for that store.
    pub fn difference_of(
        &self,
        who: &str,
        has: Sequence,
        only: Option<ImageId>,
        tells: &dyn Fn(StoreId, ImageId) -> bool,
    ) -> Result<Difference, Error> {
        let core = &self.core;
        let name = catching_up(who);
        let mut state = core.lock();
        let position = core.log.head().sequence;
        let keep = core.keep.lock().get(who).cloned().unwrap_or_default();
        let base = known_base(&state, &keep, has);
        core.pin(&mut state, position);
        // From here on, so that no checkpoint in between lets go of it.
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        let own = Keep {
            from: position,
            let_go: None,
            difference: number,
        };
        core.keep.lock().insert(name.clone(), own);
        let mut difference = Difference {
            core: Arc::clone(core),
            who: name,
            of: who.to_owned(),
            position,
            images: Vec::new(),
            others: Vec::new(),
            ended: match only {
                None => state.ended_behind(self.id(), has),
                Some(_) => Vec::new(),
            },
            base,
            keep,
            number,
        };
        let parent = only.and_then(|only| Some(state.cell(only)?.read().meta.parent?.image));
        let wanted = |id: ImageId| only.is_none_or(|only| only == id) || parent == Some(id);
        for (id, cell) in state.images.range(..).filter(|(id, _)| wanted(**id)) {
            let image = cell.read();
            match Served::of(&state, &image, self.id(), tells) {
                Some(served) => difference.images.push(served),
                None if image.meta.role == Role::Secondary => difference.others.push(*id),
                // It is no business of a reader, any more.
                None => {}
            }
        }
        drop(state);
        difference
            .images
            .sort_by_key(|it| (it.since, it.image.image));
        // What a crash could take back must not reach the peer.
        self.flush()?;
        Ok(difference)
    }
}

/// The name under which is kept what, besides his own, somebody needs while he gets a difference.
pub fn catching_up(who: &str) -> String {
    format!("{who}{CATCHING_UP}")
}

/// Whether that name is such a one: who catches up begins anew after a start.
pub(crate) fn is_catching_up(who: &str) -> bool {
    who.ends_with(CATCHING_UP)
}

/// The checkpoint from which on it is known what may differ from what a reader has.
fn known_base(state: &State, keep: &Keep, has: Sequence) -> Option<Sequence> {
    let base = keep.base(state.kept.iter().map(|kept| kept.at))?;
    // What has reached him behind it was noted; otherwise nobody knows what he has of that.
    let let_go = keep.let_go.as_ref();
    let covered = let_go.is_some_and(|it| it.base == Some(base) && has <= it.reached);
    (base == has || (covered && base < has)).then_some(base)
}

impl Core {
    /// Makes a point of all branches at the newest record.
    fn pin(&self, state: &mut State, now: Sequence) {
        state.pin(Kept {
            at: now,
            time: self.clock.now().0,
            bytes: self.progress.bytes_at_open() + self.log.bytes_appended(),
        });
    }
}

impl Served {
    fn of(
        state: &State,
        image: &ImageState,
        own: StoreId,
        tells: &dyn Fn(StoreId, ImageId) -> bool,
    ) -> Option<Self> {
        let meta = &image.meta;
        let demoted = meta.role == Role::Secondary && meta.primary_demoted;
        let since = match meta.upstream {
            // One that follows another site is that site's to tell of, where the reader hears that.
            Some(upstream) if meta.mirrored && tells(upstream, meta.id) => meta.steady?,
            None if meta.mirrored && (demoted || meta.role == Role::Primary) => meta.window?.since,
            Some(_) | None => return None,
        };
        let shared = image.snapshots.iter().filter(|it| !it.meta.divergent);
        let snapshots = shared.map(|it| ServedSnapshot {
            id: it.meta.id,
            name: it.meta.name.clone(),
            size: it.meta.size,
            taken: it.meta.taken,
            branch: it.branch,
            at: it.at,
        });
        let branch = state.branches.get(image.branch)?;
        Some(Self {
            image: CopyImage::of(meta, own),
            demoted,
            origin: meta.origin.filter(|_| meta.upstream.is_none()),
            parent: meta.parent,
            snapshots: snapshots.collect(),
            branch: image.branch,
            since,
            promoted: meta.promoted,
            begun: branch.since,
        })
    }

    fn blocks(&self) -> u64 {
        self.image.size.0.div_ceil(BLOCK_SIZE)
    }
}

impl ServedSnapshot {
    /// The record that took it.
    pub const fn at(&self) -> Sequence {
        self.at
    }
}

impl Difference {
    /// The image as it is at the position.
    pub fn head(&self, served: &Served) -> MapView {
        self.hold(served.branch, self.position, served.blocks())
    }

    /// A snapshot of it, also where it has been removed since: the log behind the position may return to
    /// it. `None` where the image is gone.
    pub fn snapshot(&self, served: &Served, snapshot: &ServedSnapshot) -> Option<MapView> {
        let blocks = snapshot.size.0.div_ceil(BLOCK_SIZE);
        let mut state = self.core.lock();
        let id = served.image.image;
        let is_it = |it: &Snapshot| it.meta.id == snapshot.id && it.at == snapshot.at;
        let there = state.cell(id).is_some_and(|cell| {
            let image = cell.read();
            image.snapshot(snapshot.id).is_some_and(is_it)
        });
        let mut ghosts = state.ghosts.iter();
        // It stays as long as the position is kept.
        let there = there || ghosts.any(|ghost| ghost.image == id && is_it(&ghost.snapshot));
        let place = (snapshot.branch, snapshot.at);
        there.then(|| MapView::hold(&self.core, &mut state, place, blocks))
    }

    /// What was there of the image at a checkpoint before what a reader has who follows it: of all
    /// other blocks than those of [`Self::loose`] that are the same in `newest`, its head or one of its
    /// snapshots, he has what they are now. `None` where that is not known.
    pub fn base(&self, served: &Served, newest: Option<&ServedSnapshot>) -> Option<MapView> {
        let base = self.base?;
        let (branch, at) = newest.map_or((served.branch, self.position), |it| (it.branch, it.at));
        // A block that it showed before may come back with a branch that began since. Who has read of the
        // last promotion follows; before, he may have passed over what is here, and had something else.
        let follows = served.since <= base && served.promoted <= base;
        let steady = follows && served.begun <= base;
        if !steady || branch != served.branch || at < base {
            return None;
        }
        Some(self.hold(branch, base, served.blocks()))
    }

    /// Blocks that were written behind that checkpoint and may have reached the reader, as runs:
    /// first block and count.
    pub fn loose(&self, served: &Served) -> Vec<(u64, u64)> {
        let let_go = self.keep.let_go.as_ref();
        let_go.map_or_else(Vec::new, |let_go| let_go.loose.runs(served.image.image))
    }

    /// Notes that the reader has all of it: the log behind it is kept for him from here on, or what
    /// is needed for the next difference.
    pub fn complete(self) {
        let mut keep = self.core.keep.lock();
        let own = keep.get(&self.who).cloned().unwrap_or_default();
        let of = Keep {
            from: self.position,
            let_go: own.let_go,
            difference: 0,
        };
        if let Some(known) = keep.get_mut(&self.of) {
            *known = of;
        }
    }

    fn hold(&self, branch: BranchId, at: Sequence, blocks: u64) -> MapView {
        MapView::hold(&self.core, &mut self.core.lock(), (branch, at), blocks)
    }
}

impl Drop for Difference {
    fn drop(&mut self) {
        let mut keep = self.core.keep.lock();
        let own = keep.get(&self.who);
        if own.is_some_and(|own| own.difference == self.number) {
            keep.remove(&self.who);
        }
    }
}
