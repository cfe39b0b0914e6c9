//! Taking over a difference: what images are to be is staged beside them, and all become it at once.
//!
//! A reader that was away for too long gets no log but a difference. Until that is complete its images
//! stay what they were: one position of the primary, for all of them (INV-2), from which they may be
//! promoted. So a difference is applied to an image of its own, which starts as the one that it is
//! for and copies nothing. One record then makes all of them what was staged (`Change::Adopt`): after
//! a crash either all are what they were, or all are what the primary was.

mod adoption;

use std::collections::BTreeSet;

use firebrick_log::{Applied, Change, ImageOrigin, Reign, Taken};
use firebrick_vocabulary::{
    BLOCK_SIZE, Bytes, ImageId, ImageName, Role, Sequence, SnapshotId, SnapshotName, StoreId,
    SyncState,
};
use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use crate::apply::{self, NoPast, found};
use crate::copy::{CopyImage, follow};
use crate::difference::is_catching_up;
use crate::ended::EndedImage;
use crate::error::{Error, ErrorKind};
use crate::spans::Spans;
use crate::state::{ImageMeta, ImageState, Snapshot, State};
use crate::store::Store;
use crate::tombstone::tombstone;
use crate::view::MapView;
use adoption::Adoption;

const DOING: &str = "take over a difference";
/// The namespace of what is staged, and of images that begin with a difference.
const NAMESPACE: &str = ".catchup";
/// The end of the name of what is staged.
const NEXT: &str = ".next";
/// How many changed blocks are looked at at once.
const LOOK: usize = 4096;

/// An image that follows a peer, as that has to know it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeldImage {
    /// Its id.
    pub image: ImageId,
    /// Whether it is complete.
    pub consistent: bool,
    /// Its snapshots, without those that only this store has.
    pub snapshots: Vec<SnapshotKey>,
    /// What has been staged for it already differs from it in these runs of blocks at most.
    pub staged: Option<Vec<(u64, u64)>>,
    /// It does not follow that peer, or not any more: nothing of it is wanted.
    #[serde(default)]
    pub elsewhere: bool,
}

/// What an image is to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// The image.
    pub image: CopyImage,
    /// Whether its primary was demoted.
    pub demoted: bool,
    /// Where its last promotion followed on.
    pub origin: Option<Applied>,
    /// Its snapshots, oldest first.
    pub snapshots: Vec<(SnapshotKey, SnapshotName)>,
}

/// Which snapshot it is, at whatever site.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct SnapshotKey {
    /// Its id, by which records name it. Two snapshots may have got the same one.
    pub id: SnapshotId,
    /// The record that took it.
    pub taken: Option<Taken>,
}

/// The image under whose id is staged what `image` is to be.
pub fn staged(image: ImageId) -> ImageId {
    /// Any number that is not 0 will do; ids are random.
    const OTHER: u128 = 0x5f1e_b41c_0000_57a6_ed00_0000_0000_0000;
    ImageId(uuid::Uuid::from_u128(image.0.as_u128() ^ OTHER))
}

fn name_of(image: ImageId, what: &str) -> Result<ImageName, Error> {
    ImageName::new(format!("{NAMESPACE}/{image}{what}"))
        .map_err(|error| Error::new(ErrorKind::Invalid, DOING, error.to_string()))
}

/// Whether an image is what is staged for another one.
pub(crate) fn is_staged(meta: &ImageMeta) -> bool {
    meta.name.namespace() == NAMESPACE && meta.name.as_str().strip_suffix(NEXT).is_some()
}

impl Store {
    /// Lets images of which this store was primary, or follows another one, follow `peer`, where that
    /// is primary in a later epoch. What it lacks of them is kept under a snapshot. Those that were taken over and have
    /// `ended` go, but for those that follow the peer: they go with the others, when the difference is complete.
    pub fn give_way(
        &self,
        peer: StoreId,
        targets: &[Target],
        ended: &[EndedImage],
    ) -> Result<(), Error> {
        let mut state = self.core.lock();
        let changes = self.giving_way(&state, peer, (targets, ended));
        if !changes.is_empty() {
            self.core.commit_of(&mut state, peer, &changes)?;
        }
        Ok(())
    }

    /// The same of one image, which `peer` leads in that reign, as it says late: with what it sends of it, and not in
    /// its log. Whether the image turns by that: then it waits for a copy.
    pub fn turn(&self, peer: StoreId, image: ImageId, reign: Reign) -> Result<bool, Error> {
        let mut state = self.core.lock();
        let Some(cell) = state.cell(image).cloned() else {
            return Ok(false);
        };
        let change = {
            let image = cell.read();
            let meta = &image.meta;
            let follows = meta.role == Role::Secondary && meta.upstream == Some(peer);
            if follows || !meta.mirrored || reign <= meta.reign(self.id()) {
                return Ok(false);
            }
            warn!(image = %meta.name, "another site took over: what is here is kept under a snapshot");
            let at = self.core.log.next_sequence();
            give_way(
                &image,
                at,
                common_of(&state, &image, None, at),
                (reign, peer),
            )
        };
        self.core
            .commit_of(&mut state, peer, &[change])
            .map(|_| true)
    }

    /// The changes by which images do that, as the first ones of the next frame.
    fn giving_way(
        &self,
        state: &State,
        peer: StoreId,
        (targets, ended): (&[Target], &[EndedImage]),
    ) -> Vec<Change> {
        let (mut changes, next) = (
            self.ending(state, peer, ended),
            self.core.log.next_sequence(),
        );
        for target in targets {
            let Some(cell) = state.cell(target.image.image) else {
                continue;
            };
            let image = cell.read();
            let (meta, reign) = (&image.meta, target.image.reign(peer));
            let follows = meta.role == Role::Secondary && meta.upstream == Some(peer);
            // Of two that took the same epoch, all agree on whose it is (INV-3).
            if follows || reign <= meta.reign(self.id()) {
                continue;
            }
            let origin = target.origin.filter(|origin| origin.peer == self.id());
            let id = meta.id;
            let alone = meta.role == Role::Primary || meta.upstream.is_none();
            let common = origin.filter(|origin| alone && meta.last_own <= origin.sequence);
            if common.is_none() {
                warn!(image = %meta.name, "another site took over: what is here is kept under a snapshot");
                let at = next.plus(changes.len() as u64);
                let common = common_of(state, &image, origin, at);
                changes.push(give_way(&image, at, common, (reign, peer)));
                continue;
            }
            // It is what the peer had where it was promoted, and that is behind what was read of its log: so
            // it is no state of a primary that follows, until the difference is complete (INV-2).
            changes.push(follow(id, peer, reign));
            changes.push(Change::Sync {
                image: id,
                state: SyncState::NOTHING_COPIED,
            });
        }
        changes
    }

    /// The changes by which images end that another site took over, and that ended there.
    fn ending(&self, state: &State, peer: StoreId, ended: &[EndedImage]) -> Vec<Change> {
        let (mut changes, next) = (Vec::new(), self.core.log.next_sequence());
        let bury = self.core.bury.lock().clone();
        for EndedImage { image: id, reign } in ended {
            let Some(cell) = state.cell(*id) else {
                continue;
            };
            let image = cell.read();
            let meta = &image.meta;
            let follows = meta.role == Role::Secondary && meta.upstream == Some(peer);
            // What is not mirrored any more has ended here already.
            if follows || !meta.mirrored || *reign <= meta.reign(self.id()) {
                continue;
            }
            warn!(image = %meta.name, "another site took over, and the image has ended there");
            let kept = ImageId::made_by(self.id(), next.plus(changes.len() as u64).0);
            let none = std::iter::empty();
            changes.extend(tombstone(bury.as_deref(), &image, none, kept));
            // First it is that one's: those who read of the end here must hear whose it was.
            let at = next.plus(changes.len() as u64);
            let common = common_of(state, &image, None, at);
            changes.push(give_way(&image, at, common, (*reign, peer)));
            changes.push(Change::Remove { image: *id });
        }
        changes
    }

    /// The images that follow `peer`, as far as it has to know them for a difference. What was staged
    /// for them of an earlier one is used again where that is possible, and goes otherwise.
    pub fn held(&self, peer: StoreId) -> Result<Vec<HeldImage>, Error> {
        self.held_where(peer, |_| true)
    }

    /// Those of the images that `peer` tells of which do not follow it here: they are primary here, were promoted
    /// elsewhere in a later epoch, or have ended in one.
    pub fn held_elsewhere(&self, peer: StoreId, targets: &[Target]) -> Vec<HeldImage> {
        let state = self.core.lock();
        let elsewhere = targets.iter().filter(|target| {
            let cell = state.cell(target.image.image).map(|cell| cell.read());
            match cell {
                Some(it) => it.meta.role != Role::Secondary || it.meta.upstream != Some(peer),
                None => self.has_ended(&state, peer, target),
            }
        });
        let elsewhere = elsewhere.map(|target| target.image.image);
        let held = |image| HeldImage {
            image,
            consistent: true,
            snapshots: Vec::new(),
            staged: None,
            elsewhere: true,
        };
        elsewhere.map(held).collect()
    }

    /// Whether what a peer tells of was taken over, and has ended here.
    fn has_ended(&self, state: &State, peer: StoreId, target: &Target) -> bool {
        let (image, reign) = (target.image.image, target.image.reign(peer));
        state.cell(image).is_none() && state.has_ended_behind((self.id(), peer), image, reign)
    }

    fn held_where(
        &self,
        peer: StoreId,
        wanted: impl Fn(ImageId) -> bool,
    ) -> Result<Vec<HeldImage>, Error> {
        let images = self.core.lock().images.clone();
        let mut held = Vec::new();
        for (id, cell) in images.range(..).filter(|(id, _)| wanted(**id)) {
            let (follows, consistent, snapshots) = {
                let image = cell.read();
                let meta = &image.meta;
                let follows = meta.role == Role::Secondary && meta.upstream == Some(peer);
                (
                    follows && !is_staged(meta),
                    meta.sync.is_consistent(),
                    shared_snapshots(&image),
                )
            };
            if follows {
                held.push(HeldImage {
                    image: *id,
                    consistent,
                    snapshots,
                    staged: self.staged_runs(*id)?,
                    elsewhere: false,
                });
            }
        }
        Ok(held)
    }

    /// In which blocks what is staged for an image differs from it.
    fn staged_runs(&self, image: ImageId) -> Result<Option<Vec<(u64, u64)>>, Error> {
        let (now, then) = {
            let mut state = self.core.lock();
            let Some(cell) = state.cell(staged(image)).cloned() else {
                return Ok(None);
            };
            // What it was behind one of its snapshots is not known any more.
            if !cell.read().snapshots.is_empty() {
                let gone = Change::Remove {
                    image: staged(image),
                };
                self.core.commit(&mut state, &[gone])?;
                return Ok(None);
            }
            let other = std::sync::Arc::clone(found(&state, DOING, image)?);
            let at = self.core.log.head().sequence;
            let mut hold = |image: &ImageState| {
                MapView::hold(&self.core, &mut state, (image.branch, at), image.blocks())
            };
            let now = hold(&cell.read());
            (now, hold(&other.read()))
        };
        let (mut spans, mut from) = (Spans::default(), 0);
        loop {
            let changed = now.changed_since(Some(&then), from, LOOK)?;
            for block in &changed {
                spans.add(image, block.block, 1);
            }
            match changed.last() {
                Some(last) if changed.len() == LOOK => from = last.block + 1,
                Some(_) | None => return Ok(Some(spans.runs(image))),
            }
        }
    }

    /// Begins to stage what an image is to be, from what it is now, unless that was begun before; what another peer
    /// began that it does not follow any more goes. An image that is not here begins to exist: empty, or as its
    /// parent was, if that is here too.
    pub fn stage(
        &self,
        peer: StoreId,
        image: &CopyImage,
        parent: Option<ImageOrigin>,
    ) -> Result<(), Error> {
        let mut state = self.core.lock();
        let id = image.image;
        let begun = state.cell(staged(id)).map(|cell| cell.read().meta.upstream);
        let known = state.cell(id).map(|cell| cell.read().meta.clone());
        // Of one that has ended here since, it is of no use.
        if begun == Some(Some(peer)) && known.is_some() {
            return Ok(());
        }
        let mut changes = Vec::new();
        if let Some(meta) = &known
            && (meta.role != Role::Secondary || meta.upstream != Some(peer))
        {
            let why = format!("{} does not follow that peer", meta.name);
            return Err(Error::new(ErrorKind::Invalid, DOING, why));
        }
        if begun.is_some() {
            changes.push(Change::Remove { image: staged(id) });
        }
        let parent = parent.map(|it| origin_here(&state, it)).transpose()?;
        // A clone begins as large as its parent: it may be smaller by now, and one of its snapshots not.
        let begins = parent.map_or(image.size, |(_, size)| size);
        if known.is_none() {
            changes.push(Change::Create {
                image: id,
                name: name_of(id, "")?,
                size: begins,
                origin: parent.map(|(origin, _)| origin),
                mirrored: true,
                role: Role::Secondary,
                epoch: image.epoch,
                sync: SyncState::NOTHING_COPIED,
            });
            // The peer must hear that it goes on by way of it, should this not be completed now.
            changes.extend(image.by_way_of(peer));
        }
        let size = known.map_or(begins, |meta| meta.size);
        changes.push(Change::Create {
            image: staged(id),
            name: name_of(id, NEXT)?,
            size,
            origin: Some(ImageOrigin {
                image: id,
                snapshot: None,
                taken: None,
                at: None,
            }),
            mirrored: false,
            role: Role::Secondary,
            epoch: image.epoch,
            sync: SyncState::NOTHING_COPIED,
        });
        self.core.commit_of(&mut state, peer, &changes).map(drop)
    }

    /// The blocks of what is staged for an image, as they are now.
    pub fn staged_map(&self, image: ImageId) -> Result<MapView, Error> {
        let mut state = self.core.lock();
        let cell = std::sync::Arc::clone(found(&state, DOING, staged(image))?);
        let image = cell.read();
        let at = self.core.log.head().sequence;
        let place = (image.branch, at);
        Ok(MapView::hold(&self.core, &mut state, place, image.blocks()))
    }

    /// Makes all images that follow `peer` what they are to be, at record `upto` of its log, as one
    /// frame: those that are not among `targets` go, unless they are among `others`. What is here of an
    /// image that does not follow it any more stays as it is, unless the peer is primary of it in a later epoch:
    /// its log will not say so again, so the image gives way, and waits for what differs. So it is with those that `ended`.
    pub fn adopt(
        &self,
        peer: StoreId,
        upto: Sequence,
        targets: &[Target],
        (others, ended): (&[ImageId], &[EndedImage]),
    ) -> Result<(), Error> {
        let mut state = self.core.lock();
        let mut adoption = Adoption::default();
        let mut changes = self.giving_way(&state, peer, (targets, ended));
        let next = self.core.log.next_sequence().plus(changes.len() as u64);
        let bury = self.core.bury.lock().clone();
        let wanted: BTreeSet<ImageId> = targets.iter().map(|it| it.image.image).collect();
        let others: BTreeSet<ImageId> = others.iter().copied().collect();
        for (id, cell) in state.images.range(..) {
            let image = cell.read();
            let meta = &image.meta;
            let follows = meta.role == Role::Secondary && meta.upstream == Some(peer);
            let is_wanted = wanted.contains(id) || others.contains(id) || is_staged(meta);
            if follows && !is_wanted {
                adoption.bury(bury.as_deref(), &image, (self.id(), next));
                adoption.remove(*id, &state);
            }
        }
        for target in targets {
            if !self.has_ended(&state, peer, target) {
                adoption.add(&state, peer, target)?;
            }
        }
        changes.extend(adoption.changes());
        let applied = Applied {
            peer,
            sequence: upto.max(state.applied(peer)),
        };
        if changes.is_empty() {
            apply::cursor(&mut state, applied);
            return Ok(());
        }
        self.core
            .commit_as(&mut state, &changes, Some(applied), &mut NoPast)?;
        info!(%upto, images = targets.len(), "a difference is complete");
        Ok(())
    }

    /// Makes one image that follows `peer` and is not complete what was staged for it, which is what the
    /// primary was at record `at`. What its log says of it behind that is still to come. Whether it does follow that:
    /// it may have turned to another one meanwhile. It turns back where the peer is primary in a later epoch, and waits
    /// for a copy.
    pub fn adopt_one(&self, peer: StoreId, target: &Target, at: Sequence) -> Result<bool, Error> {
        let mut state = self.core.lock();
        let image = target.image.image;
        let follows = {
            let meta = &found(&state, DOING, image)?.read().meta;
            meta.role == Role::Secondary && meta.upstream == Some(peer)
        };
        let targets = std::slice::from_ref(target);
        let mut changes = self.giving_way(&state, peer, (targets, &[]));
        let mut adoption = Adoption::default();
        adoption.add(&state, peer, target)?;
        changes.extend(adoption.changes());
        if follows {
            changes.push(Change::Sync {
                image,
                state: SyncState::Copying {
                    next_block: target.image.size.0.div_ceil(BLOCK_SIZE),
                    at,
                },
            });
        }
        if changes.is_empty() {
            return Ok(follows);
        }
        self.core
            .commit_of(&mut state, peer, &changes)
            .map(|_| follows)
    }

    /// What `peer` has to know of one image; `None` where that does not follow it.
    pub fn held_of(&self, peer: StoreId, image: ImageId) -> Result<Option<HeldImage>, Error> {
        Ok(self.held_where(peer, |id| id == image)?.pop())
    }

    /// Removes what was staged of a difference to `peer` that will not be completed. Of images that still
    /// wait for theirs it stays: what has arrived need not be sent again.
    pub fn abandon_staged(&self, peer: StoreId) -> Result<(), Error> {
        let mut state = self.core.lock();
        let from = format!("{NAMESPACE}/");
        let names = state.names.range::<str, _>((
            std::ops::Bound::Included(from.as_str()),
            std::ops::Bound::Unbounded,
        ));
        let names = names.take_while(|(name, _)| name.namespace() == NAMESPACE);
        let names = names.filter(|(_, id)| {
            let cell = state.cell(**id).map(|cell| cell.read());
            let ours = cell.is_some_and(|it| it.meta.upstream == Some(peer) && is_staged(&it.meta));
            // The same turns it back.
            let of = state.cell(staged(**id)).map(|cell| cell.read());
            ours && of.is_none_or(|of| of.meta.sync.is_consistent())
        });
        let gone: Vec<Change> = names.map(|(_, id)| Change::Remove { image: *id }).collect();
        if !gone.is_empty() {
            self.core.commit(&mut state, &gone)?;
        }
        Ok(())
    }
}

/// Up to which own record the snapshots of an image that gives way with record `at` are those of its new
/// primary: what `origin` says. Where that says nothing, those that a peer may lack were taken here alone, and
/// are kept. Snapshots of other sites that the new primary lacks go later.
pub(crate) fn common_of(
    state: &State,
    image: &ImageState,
    origin: Option<Applied>,
    at: Sequence,
) -> Sequence {
    let alone = image.meta.upstream.is_none();
    let reign = image.meta.window.filter(|_| alone);
    match (origin, reign) {
        (Some(origin), _) => origin.sequence,
        (None, Some(window)) => {
            let keep = state.keep.iter();
            let readers = keep.filter(|(who, _)| !is_catching_up(who));
            let confirmed = readers.map(|(_, keep)| keep.from).min();
            window.since.max(confirmed.unwrap_or_default())
        }
        (None, None) => at,
    }
}

/// The record `at` by which the image of a former primary follows `peer` in that reign.
pub(crate) fn give_way(
    image: &ImageState,
    at: Sequence,
    common: Sequence,
    (reign, peer): (Reign, StoreId),
) -> Change {
    let keep_id = SnapshotId(at.0).apart();
    let name = format!("divergent-epoch-{}-from-{common}-at-{at}", image.meta.epoch);
    Change::Yield {
        image: image.meta.id,
        common,
        keep_id,
        // Letters, digits and dashes, far below the limit.
        keep_name: SnapshotName::new(name).unwrap_or_else(|_| unreachable!()),
        epoch: reign.epoch,
        peer,
        leader: Some(reign.leader).filter(|leader| *leader != peer),
    }
}

fn shared_snapshots(image: &ImageState) -> Vec<SnapshotKey> {
    let shared = image.snapshots.iter().filter(|it| !it.meta.divergent);
    let key = |it: &Snapshot| SnapshotKey {
        id: it.meta.id,
        taken: it.meta.taken,
    };
    shared.map(key).collect()
}

/// From where a clone starts here as it did there, and how large that is; what was staged for its parent
/// counts.
fn origin_here(state: &State, origin: ImageOrigin) -> Result<(ImageOrigin, Bytes), Error> {
    let size_in = |image: ImageId| {
        let cell = state.cell(image)?.read();
        Some(cell.snapshot(origin.snapshot?)?.meta.size)
    };
    // What is staged comes first: another snapshot of that id may have been here.
    let mut places = [staged(origin.image), origin.image].into_iter();
    let found = places.find_map(|image| Some((image, size_in(image)?)));
    let Some((image, size)) = found else {
        let why = format!(
            "what a clone of image {} starts from is not here",
            origin.image
        );
        return Err(Error::new(ErrorKind::Invalid, DOING, why));
    };
    Ok((ImageOrigin { image, ..origin }, size))
}
