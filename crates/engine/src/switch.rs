//! Who is primary: mirroring on and off, promotion, demotion.

use std::collections::BTreeMap;

use firebrick_log::{Applied, Change, ImageOrigin, Promotion};
use firebrick_vocabulary::{
    Epoch, ImageId, ImageMirrorMode, ImageName, Position, Role, SnapshotId, StoreId, SyncState,
};

use crate::apply::found;
use crate::error::{Error, ErrorKind};
use crate::mirror_snapshots::{Taking, by_snapshots, returns};
use crate::state::{ImageMeta, State};
use crate::store::Store;

/// Why one image could not be promoted.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Refusal {
    /// The store has no such image.
    NotFound,
    /// Its first copy is not complete.
    Inconsistent,
    /// Not forced, and the former primary's demotion has not arrived.
    NotDemoted,
    /// The images of its group, which is in snapshot mode, have no mirror snapshot of one position.
    NoMirrorSnapshot,
}

/// An image of a promotion, and its new epoch or why it has none.
pub type Promoted = (ImageId, Result<Epoch, Refusal>);

impl Store {
    /// Mirrors the image from here on, at every record, or no longer. One that is mirrored already stays so
    /// in its mode.
    pub fn set_mirroring(&self, id: ImageId, enabled: bool) -> Result<(), Error> {
        const DOING: &str = "set mirroring of an image";
        self.alter(DOING, |alteration| {
            let info = alteration.changeable(id)?;
            if enabled {
                alteration.mirror(id, info.mode)
            } else {
                alteration.end_mirroring(id)
            }
        })
    }

    /// Mirrors the image from here on in that mode; one that is mirrored in the other one goes on in this.
    /// The first mirror snapshot is part of the frame with which snapshot mode begins.
    pub fn mirror_image(&self, id: ImageId, mode: ImageMirrorMode) -> Result<(), Error> {
        self.alter("mirror an image", |alteration| {
            let before = alteration.changeable(id)?;
            alteration.mirror(id, mode)?;
            if mode == ImageMirrorMode::Snapshot && !(before.mirrored && before.mode == mode) {
                alteration.take_mirror_snapshots(&[id])?;
            }
            Ok(())
        })
    }

    /// Makes the images secondary here, all at one position, which is returned durable. No write
    /// succeeds after it. Images that are secondary already are left as they are. Of those in snapshot mode a
    /// mirror snapshot is taken with it.
    pub fn demote(&self, ids: &[ImageId]) -> Result<Position, Error> {
        const DOING: &str = "demote images";
        let mut state = self.core.lock();
        let mut images = Vec::new();
        for id in ids {
            let meta = found(&state, DOING, *id)?.read().meta.clone();
            if meta.role == Role::Primary {
                if !meta.mirrored {
                    let why = format!("{} is not mirrored; nobody could follow on", meta.name);
                    return Err(Error::new(ErrorKind::Invalid, DOING, why));
                }
                images.push(*id);
            }
        }
        if !images.is_empty() {
            let mut changes = self.before_demotion(&mut state, &images)?;
            changes.push(Change::Demote { images });
            self.core.commit(&mut state, &changes)?;
        }
        drop(state);
        self.flush()
    }

    /// Makes the images primary here, all at one position, durably. Without `forced`, images that are
    /// primary already are left as they are, and those are refused whose former primary's demotion
    /// has not arrived. With it, mirrored images that are primary get an epoch beyond any that a peer
    /// may have given itself meanwhile: an operator who forces knows of a promotion elsewhere that
    /// this store may not have heard of yet, and must win against.
    ///
    /// A secondary in snapshot mode whose primary was not demoted returns to its newest mirror snapshot, those
    /// of a group to the newest that all of them have, in the same frame; what it was before is kept under a
    /// snapshot. Either way a new mirror snapshot is part of that frame.
    pub fn promote(&self, ids: &[ImageId], forced: bool) -> Result<Vec<Promoted>, Error> {
        let mut state = self.core.lock();
        let (outcomes, plan) = examine(&state, self.id(), ids, forced);
        self.promote_these(&mut state, plan)?;
        drop(state);
        self.flush()?;
        Ok(outcomes)
    }

    /// As [`Self::promote`], but where one of the images is refused, none is promoted: a group goes as
    /// a whole or not at all.
    pub fn promote_together(&self, ids: &[ImageId], forced: bool) -> Result<Vec<Promoted>, Error> {
        let mut state = self.core.lock();
        let (outcomes, plan) = examine(&state, self.id(), ids, forced);
        if outcomes.iter().all(|(_, outcome)| outcome.is_ok()) {
            self.promote_these(&mut state, plan)?;
        }
        drop(state);
        self.flush()?;
        Ok(outcomes)
    }

    /// What [`Self::promote`] would say now. Nothing changes.
    pub fn examine_promotion(&self, ids: &[ImageId], forced: bool) -> Vec<Promoted> {
        examine(&self.core.glance(), self.id(), ids, forced).0
    }

    /// Promotes images that may be, as one frame.
    fn promote_these(&self, state: &mut State, plan: Plan) -> Result<(), Error> {
        const DOING: &str = "promote images";
        let Plan { images, returns } = plan;
        if images.is_empty() {
            return Ok(());
        }
        let ids: Vec<ImageId> = images.iter().map(|promotion| promotion.image).collect();
        let mut taking = Taking::new(&self.core, vec![Change::Promote { images }]);
        for id in ids {
            let image = found(state, DOING, id)?.read();
            if by_snapshots(&image.meta) {
                taking.return_to(state, &image, returns.get(&id).copied())?;
            }
        }
        taking.check(DOING)?;
        self.core.log.raise_epoch();
        self.core.commit(state, &taking.changes).map(drop)
    }

    /// Copies secondaries anew from the primaries that they follow: all of them, or none where one is
    /// refused. What is here of each stays readable under the id that is returned for it, an image of its
    /// own that is not mirrored and that the caller removes once the copy is complete; the copies begin
    /// with the next word of the primaries.
    pub fn resync(&self, ids: &[ImageId]) -> Result<Vec<ImageId>, Error> {
        let mut state = self.core.lock();
        let next = self.core.log.next_sequence();
        let (mut kept, mut changes) = (Vec::new(), Vec::new());
        for id in ids {
            let meta = found(&state, RESYNC, *id)?.read().meta.clone();
            refuse_resync(&meta)?;
            // That of the first record about it.
            let record = next.plus(changes.len() as u64);
            let aside = ImageId::made_by(self.id(), record.0);
            changes.extend(resync_changes(&meta, aside)?);
            kept.push(aside);
        }
        if !changes.is_empty() {
            self.core.commit(&mut state, &changes)?;
        }
        drop(state);
        self.flush()?;
        Ok(kept)
    }
}

const RESYNC: &str = "copy a secondary anew";

fn refuse_resync(meta: &ImageMeta) -> Result<(), Error> {
    let refuse = |kind, why: String| Err(Error::new(kind, RESYNC, why));
    if meta.role == Role::Primary {
        let why = format!("{} is primary, and cannot be copied from itself", meta.name);
        return refuse(ErrorKind::Invalid, why);
    }
    if meta.upstream.is_none() || meta.primary_demoted {
        let why = format!(
            "{} follows no primary from which it could be copied",
            meta.name
        );
        return refuse(ErrorKind::Busy, why);
    }
    if !meta.sync.is_consistent() {
        let why = format!("{} is being copied already", meta.name);
        return refuse(ErrorKind::Busy, why);
    }
    Ok(())
}

/// What keeps an image as `kept`, and lets its copy begin.
fn resync_changes(meta: &ImageMeta, kept: ImageId) -> Result<[Change; 3], Error> {
    let name = format!("before-resync-{}", kept.0.simple());
    let name = ImageName::new(name)
        .map_err(|error| Error::new(ErrorKind::Invalid, RESYNC, error.to_string()))?;
    let origin = ImageOrigin {
        image: meta.id,
        snapshot: None,
        taken: None,
        at: None,
    };
    Ok([
        Change::Create {
            image: kept,
            name,
            size: meta.size,
            origin: Some(origin),
            mirrored: false,
            role: Role::Primary,
            epoch: Epoch::FIRST,
            sync: SyncState::Consistent,
        },
        Change::Metadata {
            image: kept,
            key: KEPT_FOR_KEY.to_owned(),
            value: Some(meta.id.to_string()),
        },
        Change::Sync {
            image: meta.id,
            state: SyncState::NOTHING_COPIED,
        },
    ])
}

/// Of an image that keeps what another one was before it was copied anew: the id of that one.
pub const KEPT_FOR_KEY: &str = "local.kept_for";

/// What becomes of images that are promoted.
struct Plan {
    images: Vec<Promotion>,
    /// The mirror snapshots that images return to.
    returns: BTreeMap<ImageId, SnapshotId>,
}

/// Which of the images may be promoted, and how.
fn examine(state: &State, own: StoreId, ids: &[ImageId], forced: bool) -> (Vec<Promoted>, Plan) {
    let mut outcomes = Vec::new();
    let mut images = Vec::new();
    for id in ids {
        let outcome = match state.cell(*id).map(|cell| cell.read().meta.clone()) {
            None => Err(Refusal::NotFound),
            Some(meta) if meta.role == Role::Primary && !(forced && meta.mirrored) => {
                Ok(meta.epoch)
            }
            Some(meta) if !meta.sync.is_consistent() => Err(Refusal::Inconsistent),
            Some(meta) if !forced && !meta.primary_demoted => Err(Refusal::NotDemoted),
            Some(meta) => {
                let promotion = promotion(state, own, &meta, forced);
                images.push(promotion);
                Ok(promotion.epoch)
            }
        };
        outcomes.push((*id, outcome));
    }
    let promoted: Vec<ImageId> = images.iter().map(|promotion| promotion.image).collect();
    let (returns, missing) = returns(state, &promoted);
    images.retain(|promotion| !missing.contains(&promotion.image));
    for (id, outcome) in &mut outcomes {
        if missing.contains(id) {
            *outcome = Err(Refusal::NoMirrorSnapshot);
        }
    }
    (outcomes, Plan { images, returns })
}

fn promotion(state: &State, own: StoreId, meta: &ImageMeta, forced: bool) -> Promotion {
    let origin = meta.upstream.map(|peer| Applied {
        peer,
        sequence: state.applied(peer),
    });
    Promotion {
        image: meta.id,
        epoch: match (meta.role, forced) {
            (_, false) => meta.epoch.next(),
            // A former primary that was demoted in vain, and made primary again, has the next one.
            (Role::Secondary, true) => meta.epoch.next().next(),
            // A peer that followed this image, and was forced, has the one before.
            (Role::Primary, true) => meta.epoch.next().next().next(),
        },
        origin,
        forced,
        after: Some(meta.reign(own)),
    }
}
