//! A site without a disk.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use firebrick_backend::{
    Access, Backend, Capabilities, DRILL_SNAPSHOT, DrillInfo, ExportAddress, ExportInfo, ExportKey,
    Fault, FaultKind, GlobalId, ImageInfo, ImageStatus, MirrorStatus, NewImage, PeerStatus,
    PromoteMode, PromoteOutcome, Reader, Replay, SiteStatus, SnapshotInfo, SpaceStats, ViewOf,
    Writer,
};
use firebrick_vocabulary::{
    Bytes, Epoch, GIB, ImageId, ImageMirrorMode, ImageName, Lag, Limits, MirrorWay, Position, Role,
    Sequence, SnapshotId, SnapshotName, StoreId, SyncState,
};
use parking_lot::Mutex;

use super::bytes::{self, FakeReader, FakeWriter};
use super::images::{Image, Pair, State};
use super::wire::Wire;
use super::{A, B};

/// One of two sites.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) name: &'static str,
    pub(crate) index: usize,
    pub(crate) pair: Arc<Mutex<Pair>>,
    pub(crate) wire: Wire,
}

fn info(id: ImageId, image: &Image) -> ImageInfo {
    ImageInfo {
        id,
        name: image.name.clone(),
        size: image.size,
        used: Bytes::ZERO,
        role: image.role,
        epoch: image.epoch,
        mirrored: image.mirrored,
        sync: SyncState::Consistent,
        limits: image.limits,
    }
}

const fn position(sequence: u64) -> Position {
    Position {
        epoch: Epoch(1),
        sequence: Sequence(sequence),
    }
}

fn global_id(image: &Image) -> Option<GlobalId> {
    let id = GlobalId(image.global_id.to_string());
    image.mirrored.then_some(id)
}

fn missing() -> Fault {
    Fault::new(FaultKind::NotFound, "fake", "there is no such image")
}

fn address(id: ImageId, key: &ExportKey, site: &str) -> ExportAddress {
    ExportAddress {
        protocol: "nbd".to_owned(),
        uri: format!("nbd://{site}/{id}-{}", key.0),
        export: format!("{id}-{}", key.0),
        details: serde_json::Map::new(),
    }
}

fn drill(of: ImageId, site: &str) -> DrillInfo {
    DrillInfo {
        of,
        position: Some(position(1)),
        began: 0,
        address: Some(address(of, &ExportKey("drill".to_owned()), site)),
        clients: 0,
    }
}

impl Site {
    pub(crate) async fn call<T>(
        &self,
        name: &'static str,
        act: impl FnOnce(&mut State) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let act = || {
            let mut pair = self.pair.lock();
            let state = &mut pair.sites[self.index];
            if !state.up {
                return Err(Fault::new(FaultKind::Unreachable, name, "the site is down"));
            }
            let result = act(state);
            pair.mirror();
            result
        };
        self.wire.call(self.name, name, act).await
    }
}

impl Site {
    /// The other one, as this one sees it.
    fn peer(&self) -> PeerStatus {
        let pair = self.pair.lock();
        let met = pair.linked && pair.sites.iter().all(|site| site.up);
        let other = &pair.sites[1 - self.index];
        PeerStatus {
            name: if self.index == 0 { B } else { A }.to_owned(),
            store: Some(other.store),
            reading: met,
            following: met,
            confirmed: position(other.applied),
            applied: position(pair.sites[self.index].applied),
            lag: Lag::NONE,
            received: Bytes::ZERO,
        }
    }
}

#[async_trait]
impl Backend for Site {
    fn name(&self) -> &str {
        self.name
    }

    fn capabilities(&self) -> Capabilities {
        let pair = self.pair.lock();
        let own = &pair.sites[self.index];
        Capabilities {
            storage_protocol: "nbd".to_owned(),
            thin_provisioning: true,
            multiattach: true,
            online_extend: true,
            mirroring: true,
            mirror_modes: vec![ImageMirrorMode::Journal, ImageMirrorMode::Snapshot],
            snapshot_schedules: !own.unscheduled,
            synchronous: true,
            consistent_groups: true,
            active_active: !own.alone,
            earlier_states: !own.forgets,
            drills_of_snapshots: own.drills_of_snapshots,
            leaves_copies: own.leaves_copies,
        }
    }

    async fn status(&self) -> Result<SiteStatus, Fault> {
        let act = |state: &mut State| {
            Ok(SiteStatus {
                name: self.name.to_owned(),
                store: state.store,
                head: position(state.head),
                durable: position(state.head),
                peers: Vec::new(),
            })
        };
        self.call("status", act).await
    }

    async fn space(&self) -> Result<SpaceStats, Fault> {
        let act = |state: &mut State| {
            Ok(SpaceStats {
                total: Bytes(10_000 * GIB),
                free: Bytes(10_000 * GIB),
                provisioned: Bytes(state.images.values().map(|image| image.size.0).sum()),
                used: Bytes::ZERO,
                reclaimable: Bytes::ZERO,
            })
        };
        self.call("space", act).await
    }

    async fn create_image(&self, image: NewImage) -> Result<ImageInfo, Fault> {
        let id = image.id;
        let act = |state: &mut State| Ok(info(id, &state.create(image)?));
        self.call("create_image", act).await
    }

    async fn image(&self, image: ImageId) -> Result<ImageInfo, Fault> {
        let act = |state: &mut State| {
            let found = state.images.get(&image).ok_or_else(missing)?;
            Ok(info(image, found))
        };
        self.call("image", act).await
    }

    async fn images(&self) -> Result<Vec<ImageInfo>, Fault> {
        let all = |state: &mut State| {
            let all = state.images.iter();
            Ok(all.map(|(id, image)| info(*id, image)).collect())
        };
        self.call("images", all).await
    }

    async fn rename_image(&self, image: ImageId, name: ImageName) -> Result<(), Fault> {
        let act = |state: &mut State| {
            state.images.get_mut(&image).ok_or_else(missing)?.name = name;
            Ok(())
        };
        self.call("rename_image", act).await
    }

    async fn extend_image(&self, image: ImageId, size: Bytes) -> Result<(), Fault> {
        self.call("extend_image", |state| state.extend(image, size))
            .await
    }

    async fn set_limits(&self, image: ImageId, limits: Limits) -> Result<(), Fault> {
        self.call("set_limits", |state| state.limit(image, limits))
            .await
    }

    async fn remove_image(&self, image: ImageId) -> Result<(), Fault> {
        self.call("remove_image", |state| state.remove(image)).await
    }

    async fn global_id(&self, image: ImageId) -> Result<Option<GlobalId>, Fault> {
        let act = |state: &mut State| {
            let found = state.images.get(&image).ok_or_else(missing)?;
            Ok(global_id(found))
        };
        self.call("global_id", act).await
    }

    async fn remove_leftover(&self, image: ImageId, known: Option<GlobalId>) -> Result<(), Fault> {
        let act = |state: &mut State| {
            if state.images.get(&image).map(global_id) == Some(known) {
                state.forget(image);
            }
            Ok(())
        };
        self.call("remove_leftover", act).await
    }

    async fn create_snapshot(
        &self,
        image: ImageId,
        name: SnapshotName,
    ) -> Result<SnapshotInfo, Fault> {
        let act = |state: &mut State| {
            state.snapshot(image, name.clone())?;
            Ok(SnapshotInfo {
                id: SnapshotId(1),
                name,
                size: Bytes::ZERO,
            })
        };
        self.call("create_snapshot", act).await
    }

    async fn create_snapshots(
        &self,
        wanted: &[(ImageId, SnapshotName)],
    ) -> Result<Vec<SnapshotInfo>, Fault> {
        let act = |state: &mut State| {
            state.snapshot_together(wanted)?;
            let all = wanted.iter().map(|(_, name)| SnapshotInfo {
                id: SnapshotId(1),
                name: name.clone(),
                size: Bytes::ZERO,
            });
            Ok(all.collect())
        };
        self.call("create_snapshots", act).await
    }

    async fn snapshots(&self, image: ImageId) -> Result<Vec<SnapshotInfo>, Fault> {
        let act = |state: &mut State| {
            let found = state.images.get(&image).ok_or_else(missing)?;
            let all = found.snapshots.iter();
            let all = all.filter(|(name, _)| !name.as_str().starts_with(DRILL_SNAPSHOT));
            let all = all.map(|(name, size)| SnapshotInfo {
                id: SnapshotId(1),
                name: name.clone(),
                size: *size,
            });
            Ok(all.collect())
        };
        self.call("snapshots", act).await
    }

    async fn remove_snapshot(&self, image: ImageId, name: SnapshotName) -> Result<(), Fault> {
        let act = |state: &mut State| state.remove_snapshot(image, &name);
        self.call("remove_snapshot", act).await
    }

    async fn roll_back(&self, image: ImageId, name: SnapshotName) -> Result<(), Fault> {
        self.call("roll_back", |state| state.roll_back(image, &name))
            .await
    }

    async fn reader(
        &self,
        image: ImageId,
        of: ViewOf,
        since: Option<ViewOf>,
        from: u64,
    ) -> Result<Box<dyn Reader>, Fault> {
        let open = |state: &mut State| bytes::read(state, image, &of, since.as_ref(), from);
        let (size, extents) = self.call("reader", open).await?;
        let site = self.clone();
        Ok(Box::new(FakeReader {
            site,
            size,
            extents,
        }))
    }

    async fn writer(&self, image: ImageId) -> Result<Box<dyn Writer>, Fault> {
        self.call("writer", |state| state.primary(image).map(drop))
            .await?;
        let site = self.clone();
        Ok(Box::new(FakeWriter { site, image }))
    }

    async fn export(
        &self,
        image: ImageId,
        key: ExportKey,
        _access: Access,
    ) -> Result<ExportAddress, Fault> {
        let act = |state: &mut State| {
            state.export(image, key.clone())?;
            Ok(address(image, &key, self.name))
        };
        self.call("export", act).await
    }

    async fn unexport(&self, image: ImageId, key: ExportKey) -> Result<(), Fault> {
        let act = |state: &mut State| {
            state.exports.remove(&(image, key));
            Ok(())
        };
        self.call("unexport", act).await
    }

    async fn exports(&self) -> Result<Vec<ExportInfo>, Fault> {
        let act = |state: &mut State| {
            let all = state.exports.iter().map(|(image, key)| ExportInfo {
                image: *image,
                key: key.clone(),
                access: Access::ReadWrite,
                address: address(*image, key, self.name),
                clients: u32::from(state.connected.contains(key)),
            });
            Ok(all.collect())
        };
        self.call("exports", act).await
    }

    async fn set_mirroring(&self, image: ImageId, enabled: bool) -> Result<(), Fault> {
        self.call("set_mirroring", |state| state.set_mirroring(image, enabled))
            .await
    }

    async fn set_mirror_way(&self, image: ImageId, way: MirrorWay) -> Result<(), Fault> {
        let act = |state: &mut State| {
            if state.unscheduled && matches!(way, MirrorWay::Snapshot(Some(_))) {
                let why = "schedules are somebody else's";
                return Err(Fault::new(FaultKind::Unsupported, "fake", why));
            }
            let image = state.images.get_mut(&image).ok_or_else(missing)?;
            if !image.mirrored {
                let why = "the image is not mirrored";
                return Err(Fault::new(FaultKind::Invalid, "fake", why));
            }
            image.way = way;
            Ok(())
        };
        self.call("set_mirror_way", act).await
    }

    async fn mirror_status(&self) -> Result<MirrorStatus, Fault> {
        let peer = self.peer();
        let act = |state: &mut State| {
            let mirrored = state.images.iter().filter(|(_, image)| image.mirrored);
            let applied = position(state.applied);
            let replay = |image: &Image| Replay {
                position: applied,
                loss: state.loss.filter(|_| image.role == Role::Secondary),
            };
            let images = mirrored.map(|(id, image)| ImageStatus {
                id: *id,
                name: image.name.clone(),
                role: image.role,
                epoch: image.epoch,
                sync: if state.inconsistent.contains(id) {
                    SyncState::NOTHING_COPIED
                } else {
                    SyncState::Consistent
                },
                peer_consistent: Some(true),
                way: image.way,
                replay: (image.role == Role::Secondary).then(|| replay(image)),
                readers: Vec::new(),
            });
            Ok(MirrorStatus {
                peers: vec![peer],
                images: images.collect(),
            })
        };
        self.call("mirror_status", act).await
    }

    async fn demote(&self, images: &[ImageId]) -> Result<Position, Fault> {
        let act = |state: &mut State| {
            state.demote(images)?;
            Ok(position(state.head))
        };
        self.call("demote", act).await
    }

    async fn wait_ready(
        &self,
        images: &[(ImageId, Epoch)],
        _within: Duration,
    ) -> Result<(), Fault> {
        let act = |state: &mut State| {
            let led = |(id, _): &(ImageId, Epoch)| {
                let image = state.images.get(id);
                image.is_some_and(|image| image.mirrored && image.role == Role::Primary)
            };
            if !images.iter().any(led) {
                return Ok(());
            }
            let why = "it is primary there still";
            Err(Fault::new(FaultKind::TimedOut, "wait", why))
        };
        self.call("wait_ready", act).await
    }

    async fn wait_applied(
        &self,
        _of: StoreId,
        wanted: Position,
        _images: &[ImageId],
        _within: Duration,
    ) -> Result<(), Fault> {
        let act = |state: &mut State| {
            if position(state.applied) >= wanted {
                return Ok(());
            }
            Err(Fault::new(
                FaultKind::TimedOut,
                "wait",
                "it has not arrived",
            ))
        };
        self.call("wait_applied", act).await
    }

    async fn promote(
        &self,
        images: &[ImageId],
        mode: PromoteMode,
    ) -> Result<Vec<PromoteOutcome>, Fault> {
        let act = |state: &mut State| {
            let all = images.iter().map(|image| PromoteOutcome {
                image: *image,
                result: state.promote(*image, mode),
            });
            Ok(all.collect())
        };
        self.call("promote", act).await
    }

    async fn begin_drill(&self, image: ImageId, at: Option<Sequence>) -> Result<DrillInfo, Fault> {
        let act = |state: &mut State| {
            state.begin_drill(image, at.is_some())?;
            Ok(drill(image, self.name))
        };
        self.call("begin_drill", act).await
    }

    async fn begin_drill_of(
        &self,
        image: ImageId,
        snapshot: &SnapshotName,
    ) -> Result<Option<DrillInfo>, Fault> {
        let act = |state: &mut State| {
            let begun = state.begin_drill_of(image, snapshot)?;
            Ok(begun.then(|| drill(image, self.name)))
        };
        self.call("begin_drill_of", act).await
    }

    async fn send(&self, image: ImageId) -> Result<(), Fault> {
        let act = |state: &mut State| state.images.get(&image).ok_or_else(missing).map(drop);
        self.call("send", act).await
    }

    async fn drills(&self) -> Result<Vec<DrillInfo>, Fault> {
        let act = |state: &mut State| {
            let all = state.drills.iter().map(|image| drill(*image, self.name));
            Ok(all.collect())
        };
        self.call("drills", act).await
    }

    async fn end_drill(&self, image: ImageId) -> Result<(), Fault> {
        let act = |state: &mut State| {
            state.drills.remove(&image);
            Ok(())
        };
        self.call("end_drill", act).await
    }

    async fn record_at(&self, image: ImageId, _time: u64) -> Result<Sequence, Fault> {
        let act = |state: &mut State| {
            let known = state.past.contains_key(&image);
            let why = "nothing is kept of it";
            known
                .then_some(Sequence(1))
                .ok_or_else(|| Fault::new(FaultKind::Invalid, "fake", why))
        };
        self.call("record_at", act).await
    }

    async fn roll_back_to(&self, image: ImageId, _at: Sequence) -> Result<(), Fault> {
        self.call("roll_back_to", |state| state.roll_back_to(image))
            .await
    }
}
