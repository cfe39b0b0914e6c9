//! The images of two sites that mirror to each other at once, as long as both are up and linked.

use std::collections::{BTreeMap, BTreeSet};

use firebrick_backend::{
    DRILL_SNAPSHOT, ExportKey, Fault, FaultKind, Loss, NewImage, PromoteMode, Reason,
};
use firebrick_vocabulary::{
    BLOCK_SIZE, Bytes, Epoch, ImageId, ImageName, Limits, MirrorWay, Role, SnapshotName, StoreId,
};
use uuid::Uuid;

/// Blocks that are no holes, by their number.
pub(crate) type Blocks = BTreeMap<u64, Vec<u8>>;

/// One site's copy of an image.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) name: ImageName,
    pub(crate) size: Bytes,
    pub(crate) role: Role,
    pub(crate) epoch: Epoch,
    pub(crate) mirrored: bool,
    /// By what both sites know it, where it is mirrored.
    pub(crate) global_id: Uuid,
    pub(crate) limits: Limits,
    pub(crate) way: MirrorWay,
    pub(crate) snapshots: Vec<(SnapshotName, Bytes)>,
    pub(crate) blocks: Blocks,
    /// What its snapshots hold.
    pub(crate) kept: BTreeMap<SnapshotName, Blocks>,
    /// The other site is primary, as far as this one has heard.
    primary_elsewhere: bool,
}

/// One site.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) up: bool,
    pub(crate) store: StoreId,
    pub(crate) images: BTreeMap<ImageId, Image>,
    pub(crate) exports: BTreeSet<(ImageId, ExportKey)>,
    pub(crate) head: u64,
    /// Up to where this site has the other one's log.
    pub(crate) applied: u64,
    removed: BTreeSet<ImageId>,
    /// Its driver is for one service at a time.
    pub(crate) alone: bool,
    /// It has no states between snapshots.
    pub(crate) forgets: bool,
    /// It takes no mirror snapshots by itself.
    pub(crate) unscheduled: bool,
    /// Its drills are of snapshots.
    pub(crate) drills_of_snapshots: bool,
    /// What was sent to it has not arrived.
    pub(crate) lags: bool,
    /// It never hears that images were removed at the other one.
    pub(crate) leaves_copies: bool,
    /// Promotions of these fail.
    pub(crate) inconsistent: BTreeSet<ImageId>,
    /// Exports at which somebody is.
    pub(crate) connected: BTreeSet<ExportKey>,
    /// What a promotion here would lose, as the primary last said.
    pub(crate) loss: Option<Loss>,
    /// Of which images there are drills.
    pub(crate) drills: BTreeSet<ImageId>,
    /// What images can be had as that is no snapshot.
    pub(crate) past: BTreeMap<ImageId, Blocks>,
}

/// Both.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) sites: [State; 2],
    pub(crate) linked: bool,
}

fn fault<T>(kind: FaultKind, why: &str) -> Result<T, Fault> {
    Err(Fault::new(kind, "fake", why))
}

impl Pair {
    pub(crate) fn new() -> Self {
        let site = || State {
            up: true,
            store: StoreId::random(),
            images: BTreeMap::new(),
            exports: BTreeSet::new(),
            head: 0,
            applied: 0,
            removed: BTreeSet::new(),
            alone: false,
            forgets: false,
            unscheduled: false,
            drills_of_snapshots: false,
            lags: false,
            leaves_copies: false,
            inconsistent: BTreeSet::new(),
            connected: BTreeSet::new(),
            loss: None,
            drills: BTreeSet::new(),
            past: BTreeMap::new(),
        };
        Self {
            sites: [site(), site()],
            linked: true,
        }
    }

    /// Both sites learn what the other has, where they can.
    pub(crate) fn mirror(&mut self) {
        if !self.linked || self.sites.iter().any(|site| !site.up) {
            return;
        }
        let [a, b] = &mut self.sites;
        a.applied = b.head;
        b.applied = a.head;
        for id in std::mem::take(&mut a.removed) {
            b.hear_of_removal(id);
        }
        for id in std::mem::take(&mut b.removed) {
            a.hear_of_removal(id);
        }
        let all: BTreeSet<ImageId> = a.images.keys().chain(b.images.keys()).copied().collect();
        for id in all {
            let of = |site: &State| site.images.get(&id).filter(|image| image.mirrored).cloned();
            let (here, there) = (of(a), of(b));
            if let (Some(one), Some(other)) = (&here, &there)
                && (one.role, other.role) == (Role::Secondary, Role::Secondary)
            {
                // Each hears that the other is not primary (any more).
                for site in [&mut *a, &mut *b] {
                    if let Some(image) = site.images.get_mut(&id) {
                        image.primary_elsewhere = false;
                    }
                }
            }
            let of = |site: &State| site.images.get(&id).filter(|image| image.mirrored).cloned();
            let (here, there) = (of(a), of(b));
            let rank = |image: &Option<Image>| {
                image
                    .as_ref()
                    .map(|image| (image.role == Role::Primary, image.epoch))
            };
            let (from, to) = if rank(&here) >= rank(&there) {
                (here, &mut *b)
            } else {
                (there, &mut *a)
            };
            let Some(mut copy) = from else { continue };
            // What is left there has its name.
            let other = |it: &Image| !it.mirrored || it.global_id != copy.global_id;
            if to.leaves_copies && to.images.get(&id).is_some_and(other) {
                continue;
            }
            copy.primary_elsewhere = copy.role == Role::Primary;
            copy.role = Role::Secondary;
            to.images.insert(id, copy);
        }
    }
}

impl State {
    pub(super) fn forget(&mut self, id: ImageId) {
        self.images.remove(&id);
        self.exports.retain(|export| export.0 != id);
    }

    fn hear_of_removal(&mut self, id: ImageId) {
        if !self.leaves_copies {
            self.forget(id);
        }
    }

    /// Mirroring begins, or ends.
    pub(super) fn set_mirroring(&mut self, id: ImageId, enabled: bool) -> Result<(), Fault> {
        let Some(image) = self.images.get_mut(&id) else {
            return fault(FaultKind::NotFound, "there is no such image");
        };
        if enabled && !image.mirrored {
            image.global_id = Uuid::new_v4();
        }
        image.mirrored = enabled;
        if !enabled {
            image.way = MirrorWay::Journal;
            self.removed.insert(id);
        }
        Ok(())
    }

    /// The image, to be written.
    pub(crate) fn primary(&mut self, id: ImageId) -> Result<&mut Image, Fault> {
        match self.images.get_mut(&id) {
            None => fault(FaultKind::NotFound, "there is no such image"),
            Some(image) if image.role == Role::Secondary => {
                fault(FaultKind::NotPrimary, "it is secondary here")
            }
            Some(image) => Ok(image),
        }
    }

    pub(crate) fn create(&mut self, new: NewImage) -> Result<Image, Fault> {
        let mut blocks = Blocks::new();
        if let Some(origin) = &new.origin {
            let Some(source) = self.images.get(&origin.image) else {
                return fault(FaultKind::NotFound, "there is no such origin");
            };
            let has = |name: &SnapshotName| source.snapshots.iter().any(|(it, _)| it == name);
            if !origin.snapshot.as_ref().is_none_or(has) {
                return fault(FaultKind::NotFound, "there is no such snapshot");
            }
            blocks = match &origin.snapshot {
                Some(name) => source.kept[name].clone(),
                None => source.blocks.clone(),
            };
            blocks.split_off(&new.size.0.div_ceil(BLOCK_SIZE));
        }
        if let Some(there) = self.images.get(&new.id) {
            let same = there.name == new.name && there.size == new.size;
            // As real sites do: whatever its role is.
            return if same {
                Ok(there.clone())
            } else {
                fault(FaultKind::Exists, "another one is there")
            };
        }
        self.head += 1;
        let image = Image {
            name: new.name,
            size: new.size,
            role: Role::Primary,
            epoch: Epoch(1),
            mirrored: new.mirrored,
            global_id: Uuid::new_v4(),
            limits: Limits::default(),
            way: MirrorWay::Journal,
            snapshots: Vec::new(),
            blocks,
            kept: BTreeMap::new(),
            primary_elsewhere: false,
        };
        self.images.insert(new.id, image.clone());
        Ok(image)
    }

    pub(crate) fn extend(&mut self, id: ImageId, size: Bytes) -> Result<(), Fault> {
        let image = self.primary(id)?;
        if size < image.size {
            return fault(FaultKind::Invalid, "images do not shrink");
        }
        image.size = size;
        self.head += 1;
        Ok(())
    }

    pub(crate) fn limit(&mut self, id: ImageId, limits: Limits) -> Result<(), Fault> {
        self.primary(id)?.limits = limits;
        self.head += 1;
        Ok(())
    }

    pub(crate) fn remove(&mut self, id: ImageId) -> Result<(), Fault> {
        if !self.images.contains_key(&id) {
            return Ok(());
        }
        let exported = self.exports.iter().any(|export| export.0 == id);
        let image = self.primary(id)?;
        let held = |name: &SnapshotName| !name.as_str().starts_with(DRILL_SNAPSHOT);
        if exported || image.snapshots.iter().any(|(name, _)| held(name)) {
            return fault(FaultKind::Busy, "it is exported or has snapshots");
        }
        self.images.remove(&id);
        self.removed.insert(id);
        self.head += 1;
        Ok(())
    }

    pub(crate) fn snapshot(&mut self, id: ImageId, name: SnapshotName) -> Result<(), Fault> {
        let image = self.primary(id)?;
        if image.snapshots.iter().all(|(it, _)| *it != name) {
            image.snapshots.push((name.clone(), image.size));
            image.kept.insert(name, image.blocks.clone());
            self.head += 1;
        }
        Ok(())
    }

    /// All of them or none.
    pub(crate) fn snapshot_together(
        &mut self,
        wanted: &[(ImageId, SnapshotName)],
    ) -> Result<(), Fault> {
        let mut there = 0;
        for (id, name) in wanted {
            let image = self.primary(*id)?;
            there += usize::from(image.kept.contains_key(name));
        }
        if there != 0 && there != wanted.len() {
            return fault(FaultKind::Exists, "some are there already");
        }
        for (id, name) in wanted {
            self.snapshot(*id, name.clone())?;
        }
        Ok(())
    }

    pub(crate) fn roll_back(&mut self, id: ImageId, name: &SnapshotName) -> Result<(), Fault> {
        let image = self.primary(id)?;
        let Some(kept) = image.kept.get(name) else {
            return fault(FaultKind::NotFound, "there is no such snapshot");
        };
        image.blocks = kept.clone();
        let size = image.snapshots.iter().find(|(it, _)| it == name);
        image.size = size.map_or(image.size, |(_, size)| *size);
        self.head += 1;
        Ok(())
    }

    pub(crate) fn remove_snapshot(
        &mut self,
        id: ImageId,
        name: &SnapshotName,
    ) -> Result<(), Fault> {
        if self.images.contains_key(&id) {
            let image = self.primary(id)?;
            image.snapshots.retain(|(it, _)| it != name);
            image.kept.remove(name);
            self.head += 1;
        }
        Ok(())
    }

    pub(crate) fn export(&mut self, id: ImageId, key: ExportKey) -> Result<(), Fault> {
        self.primary(id)?;
        self.exports.insert((id, key));
        Ok(())
    }

    pub(crate) fn demote(&mut self, images: &[ImageId]) -> Result<(), Fault> {
        for id in images {
            let Some(image) = self.images.get_mut(id) else {
                return fault(FaultKind::NotFound, "there is no such image");
            };
            if image.role == Role::Primary {
                image.role = Role::Secondary;
                image.primary_elsewhere = false;
            }
        }
        self.head += 1;
        Ok(())
    }

    pub(crate) fn promote(&mut self, id: ImageId, mode: PromoteMode) -> Result<Epoch, Reason> {
        if self.inconsistent.contains(&id) {
            return Err(Reason::Inconsistent);
        }
        let image = self.images.get_mut(&id).ok_or(Reason::NotFound)?;
        if image.role == Role::Secondary {
            if mode == PromoteMode::Planned && image.primary_elsewhere {
                return Err(Reason::NotDemoted);
            }
            image.role = Role::Primary;
            image.epoch = image.epoch.next();
            image.primary_elsewhere = false;
            self.head += 1;
        }
        Ok(image.epoch)
    }

    pub(crate) fn begin_drill(&mut self, id: ImageId, past: bool) -> Result<(), Fault> {
        match self.images.get(&id) {
            None => fault(FaultKind::NotFound, "there is no such image"),
            Some(image) if image.role == Role::Primary => {
                fault(FaultKind::Invalid, "it is primary here")
            }
            Some(_) if self.inconsistent.contains(&id) => {
                fault(FaultKind::Inconsistent, "its first copy is not complete")
            }
            Some(_) if past && self.drills.contains(&id) => {
                fault(FaultKind::Exists, "there is a drill of it already")
            }
            Some(_) => {
                self.drills.insert(id);
                Ok(())
            }
        }
    }

    /// Of a snapshot, where that has arrived.
    pub(crate) fn begin_drill_of(
        &mut self,
        id: ImageId,
        name: &SnapshotName,
    ) -> Result<bool, Fault> {
        let image = self.images.get(&id);
        let has = image.is_some_and(|image| image.snapshots.iter().any(|(it, _)| it == name));
        if self.lags || !has {
            return Ok(false);
        }
        self.begin_drill(id, false).map(|()| true)
    }

    pub(crate) fn roll_back_to(&mut self, id: ImageId) -> Result<(), Fault> {
        if self.exports.iter().any(|export| export.0 == id) {
            return fault(FaultKind::Busy, "it is exported");
        }
        let blocks = self.past.get(&id).cloned();
        self.primary(id)?.blocks = blocks.unwrap_or_default();
        self.head += 1;
        Ok(())
    }
}
