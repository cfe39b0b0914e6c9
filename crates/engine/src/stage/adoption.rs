//! The changes by which images become what was staged for them.

use firebrick_log::Change;
use firebrick_vocabulary::{ImageId, Role, Sequence, SnapshotId, StoreId};

use super::{DOING, Target, name_of, shared_snapshots, staged};
use crate::copy;
use crate::error::{Error, ErrorKind};
use crate::keys::{self, LOCAL_KEY};
use crate::state::{Cell, ImageState, State};
use crate::tombstone::{Bury, tombstone};

/// What was told of the image may not be so any more: it has ended here meanwhile, or turned to another peer and back.
fn refuse_lacking(image: &ImageState, staged: Option<&Cell>, target: &Target) -> Result<(), Error> {
    let mut here = shared_snapshots(image);
    here.extend(staged.map_or_else(Vec::new, |staged| shared_snapshots(&staged.read())));
    let mut wanted = target.snapshots.iter();
    match wanted.find(|(key, _)| !here.contains(key)) {
        Some((_, name)) => {
            let of = &target.image.name;
            let why = format!("{of} is to have a snapshot {name}, and nothing of it came");
            Err(Error::new(ErrorKind::Invalid, DOING, why))
        }
        None => Ok(()),
    }
}

/// What one frame does. The order matters: names must be free before they are given again.
#[derive(Default)]
pub(super) struct Adoption {
    removed: Vec<Change>,
    adopted: Vec<ImageId>,
    demoted: Vec<ImageId>,
    moved_away: Vec<Change>,
    renamed: Vec<Change>,
    rest: Vec<Change>,
}

impl Adoption {
    /// Keeps what is to stay of an image that goes; `next` is the record of the first change.
    pub(super) fn bury(
        &mut self,
        bury: Option<&Bury>,
        image: &ImageState,
        (own, next): (StoreId, Sequence),
    ) {
        let record = next.plus(self.removed.len() as u64);
        let kept = ImageId::made_by(own, record.0);
        let stays = tombstone(bury, image, std::iter::empty(), kept);
        self.removed.extend(stays);
    }

    pub(super) fn remove(&mut self, image: ImageId, state: &State) {
        if state.cell(staged(image)).is_some() {
            self.removed.push(Change::Remove {
                image: staged(image),
            });
        }
        self.removed.push(Change::Remove { image });
    }

    pub(super) fn add(
        &mut self,
        state: &State,
        peer: StoreId,
        target: &Target,
    ) -> Result<(), Error> {
        let id = target.image.image;
        let Some(cell) = state.cell(id) else {
            let why = format!(
                "{} is to be here, and nothing of it came",
                target.image.name
            );
            return Err(Error::new(ErrorKind::Invalid, DOING, why));
        };
        let image = cell.read();
        // What another peer stages is that one's to end.
        let staged = state.cell(staged(id));
        let staged = staged.filter(|staged| staged.read().meta.upstream == Some(peer));
        if image.meta.role != Role::Secondary || image.meta.upstream != Some(peer) {
            // It was promoted here meanwhile, or follows another peer.
            let staged = staged.map(|staged| staged.read().meta.id);
            self.removed
                .extend(staged.map(|image| Change::Remove { image }));
            return Ok(());
        }
        refuse_lacking(&image, staged, target)?;
        if image.meta.name != target.image.name {
            let name = name_of(id, ".renamed")?;
            self.moved_away.push(Change::Rename { image: id, name });
            let name = target.image.name.clone();
            self.renamed.push(Change::Rename { image: id, name });
        }
        self.metadata(&image, target);
        let mut sizes = vec![image.meta.size];
        if let Some(staged) = staged {
            self.adopted.push(id);
            sizes.push(staged.read().meta.size);
        }
        // Also where what was staged has that size: whoever looks back at what the image was learns from the
        // log what is said of it alone.
        if sizes.iter().any(|size| *size != target.image.size) {
            let (image, size) = (id, target.image.size);
            self.rest.push(Change::Resize { image, size });
        }
        self.snapshots(&image, target);
        // It follows that peer, so the leader that it has is not of this store.
        let reign = target.image.reign(peer);
        if reign != image.meta.reign(peer) && reign.epoch >= image.meta.epoch {
            self.rest.push(copy::follow(id, peer, reign));
        }
        if target.demoted && !image.meta.primary_demoted {
            self.demoted.push(id);
        }
        Ok(())
    }

    fn metadata(&mut self, image: &ImageState, target: &Target) {
        let id = image.meta.id;
        let mut set = |key: &str, value: Option<&String>| {
            self.rest.push(Change::Metadata {
                image: id,
                key: key.to_owned(),
                value: value.cloned(),
            });
        };
        let wanted = &target.image.metadata;
        for (key, value) in wanted {
            if image.meta.metadata.get(key) != Some(value) {
                set(key, Some(value));
            }
        }
        for key in image.meta.metadata.keys() {
            if !wanted.contains_key(key) && !key.starts_with(LOCAL_KEY) {
                set(key, None);
            }
        }
    }

    fn snapshots(&mut self, image: &ImageState, target: &Target) {
        let id = image.meta.id;
        let wanted = |snapshot: SnapshotId| {
            let mut all = target.snapshots.iter();
            all.find(|(wanted, _)| wanted.id == snapshot)
        };
        for snapshot in image.snapshots.iter().filter(|it| !it.meta.divergent) {
            let gone = Change::SnapshotRemove {
                image: id,
                snapshot: snapshot.meta.id,
            };
            match wanted(snapshot.meta.id) {
                None => self.rest.push(gone),
                // Another one has that id: it must be free before what was staged comes.
                Some((key, _)) if key.taken != snapshot.meta.taken => {
                    self.removed.push(gone);
                    self.protect(target, snapshot.meta.id);
                }
                Some((_, name)) if *name != snapshot.meta.name => {
                    self.rest.push(Change::Metadata {
                        image: id,
                        key: keys::snapshot_name(snapshot.meta.id),
                        value: Some(name.to_string()),
                    });
                }
                Some(_) => {}
            }
        }
    }

    /// The protection of a snapshot went with the former one of that id.
    fn protect(&mut self, target: &Target, snapshot: SnapshotId) {
        let key = keys::protected(snapshot);
        let value = target.image.metadata.get(&key).cloned();
        self.rest.extend(value.map(|value| Change::Metadata {
            image: target.image.image,
            key,
            value: Some(value),
        }));
    }

    pub(super) fn changes(self) -> Vec<Change> {
        let mut changes = self.removed;
        if !self.adopted.is_empty() {
            changes.push(Change::Adopt {
                images: self.adopted,
            });
        }
        changes.extend(self.moved_away);
        changes.extend(self.renamed);
        changes.extend(self.rest);
        if !self.demoted.is_empty() {
            changes.push(Change::Demote {
                images: self.demoted,
            });
        }
        changes
    }
}
