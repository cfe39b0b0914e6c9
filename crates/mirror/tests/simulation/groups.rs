//! Images of a group: they return to one mirror snapshot, and are promoted together or not at all.

use std::collections::BTreeMap;

use firebrick_engine::{GROUP_KEY, ImageInfo, MirrorPoint};
use firebrick_vocabulary::{Epoch, ImageId, ImageMirrorMode, ImageName, Role};
use rand::Rng as _;
use uuid::Uuid;

use crate::acts::Story;
use crate::world::{Outcome, World};

const NAMESPACE: &str = ".group";

/// Images that were being promoted together when the power went, and their epochs before.
pub(crate) type Together = Vec<(ImageId, Epoch)>;

fn by_snapshots(info: &ImageInfo) -> bool {
    info.mirrored && info.mode == ImageMirrorMode::Snapshot
}

impl World {
    /// With which images one is always to be of the same mirror snapshot.
    fn set_of(&self, site: usize, info: &ImageInfo) -> ImageId {
        let group = info.metadata.get(GROUP_KEY);
        let group: Option<ImageId> = group.and_then(|id| id.parse().ok());
        let together = |id: &ImageId| self.info(site, *id).is_some_and(|it| by_snapshots(&it));
        group.filter(together).unwrap_or(info.id)
    }

    fn points(&self, site: usize, id: ImageId) -> Vec<MirrorPoint> {
        let taken = self.store(site).and_then(|store| store.snapshots(id).ok());
        let shared = taken.unwrap_or_default().into_iter();
        let shared = shared.filter(|taken| !taken.divergent);
        shared
            .filter_map(|taken| MirrorPoint::of(&taken.name))
            .collect()
    }

    /// To which mirror snapshots a promotion returns these images: the newest that all have which it returns
    /// of a group.
    pub(crate) fn returning(&self, site: usize, ids: &[ImageId]) -> BTreeMap<ImageId, MirrorPoint> {
        let mut sets: BTreeMap<ImageId, Vec<ImageInfo>> = BTreeMap::new();
        for info in ids.iter().filter_map(|id| self.info(site, *id)) {
            // What is being copied is not promoted with them.
            let whole = info.sync.is_consistent();
            if info.role == Role::Secondary && by_snapshots(&info) && whole {
                sets.entry(self.set_of(site, &info)).or_default().push(info);
            }
        }
        let mut returning = BTreeMap::new();
        for images in sets.into_values() {
            if images.iter().all(|info| info.primary_demoted) {
                continue;
            }
            let points = images.iter().map(|info| self.points(site, info.id));
            let points: Vec<Vec<MirrorPoint>> = points.collect();
            let mut newest = points[0].iter().rev();
            let common = newest.find(|point| points.iter().all(|its| its.contains(point)));
            if let Some(common) = common {
                returning.extend(images.iter().map(|info| (info.id, *common)));
            }
        }
        returning
    }

    /// What would change at a site by promoting these images together.
    pub(crate) fn together(&self, site: usize, ids: &[ImageId], forced: bool) -> Together {
        let would = self
            .store(site)
            .map(|store| store.examine_promotion(ids, forced));
        let would = would.unwrap_or_default();
        if would.iter().any(|(_, outcome)| outcome.is_err()) {
            return Together::new();
        }
        let before = |(id, epoch): (ImageId, Result<Epoch, _>)| {
            let before = self.info(site, id)?.epoch;
            (epoch.ok()? > before).then_some((id, before))
        };
        would.into_iter().filter_map(before).collect()
    }

    /// An operation that failed says nothing of what a site has whose power is still there.
    pub(crate) fn forget_half(&mut self, site: usize) {
        if self.sites[site].is_on() {
            self.halves[site].clear();
        }
    }

    /// Of images that were being promoted together when the power of a site went, all are promoted, or none is.
    pub(crate) fn check_together(&mut self, site: usize) -> Outcome {
        let before = std::mem::take(&mut self.halves[site]);
        let is = |(id, epoch): &(ImageId, Epoch)| {
            let info = self.info(site, *id)?;
            Some(info.role == Role::Primary && info.epoch > *epoch)
        };
        let promoted: Vec<bool> = before.iter().filter_map(is).collect();
        if promoted.contains(&true) && promoted.contains(&false) {
            return Err(format!(
                "of {before:?}, which were promoted together at {site}, some are primary after a crash: {promoted:?}"
            ));
        }
        Ok(())
    }
}

impl Story {
    /// The images that are primary at a site become a group in snapshot mode, or get a mirror snapshot as one.
    pub(crate) fn group(&mut self, site: usize) -> Outcome {
        let world = &mut self.world;
        let here: Vec<ImageInfo> = {
            let images = world.images().into_iter();
            let images = images.filter(|id| world.is_primary(site, *id));
            images.filter_map(|id| world.info(site, id)).collect()
        };
        let is_marker = |info: &ImageInfo| info.name.namespace() == NAMESPACE;
        let (markers, members): (Vec<_>, Vec<_>) = here.into_iter().partition(is_marker);
        let store = world.store(site).unwrap();
        let marker = if let Some(marker) = markers.first() {
            marker.id
        } else {
            let id = ImageId(Uuid::from_u128(world.random.random()));
            let name = ImageName::new(format!("{NAMESPACE}/{id}")).unwrap();
            let made = store.alter("make a group", |alteration| {
                alteration.create(id, name, true)?;
                for member in &members {
                    alteration.set(member.id, GROUP_KEY, Some(&id.to_string()))?;
                }
                Ok(())
            });
            world.say(format!("make a group {id} at {site}"));
            if world.may(site, made)?.is_none() {
                return Ok(());
            }
            for image in members.iter().map(|member| member.id).chain([id]) {
                self.changed(site, image)?;
            }
            id
        };
        let world = &mut self.world;
        let of = marker.to_string();
        let infos = members.iter().filter_map(|it| world.info(site, it.id));
        let members = infos.filter(|info| info.metadata.get(GROUP_KEY) == Some(&of));
        let images: Vec<ImageId> = members.map(|info| info.id).chain([marker]).collect();
        let taken = store.alter("take mirror snapshots of a group", |alteration| {
            for image in &images {
                alteration.mirror(*image, ImageMirrorMode::Snapshot)?;
            }
            alteration.take_mirror_snapshots(&images)
        });
        world.say(format!("take mirror snapshots of a group at {site}"));
        if world.may(site, taken)?.is_some() {
            for image in images {
                self.changed(site, image)?;
            }
        }
        Ok(())
    }
}
