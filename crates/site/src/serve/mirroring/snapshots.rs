//! Images in snapshot mode: their mirror snapshots, and how old what peers can be promoted at is.

use firebrick_backend::Fault;
use firebrick_engine::{ImageInfo, MirrorPoint, SnapshotInfo};
use firebrick_mirror::ImageReader;
use firebrick_vocabulary::{ImageId, ImageMirrorMode, Lag, Role, Sequence, SnapshotId};

use super::Mirroring;
use super::target::nanos;
use crate::admin::{Loss, MirrorSnapshot};
use crate::serve::fault::fault;

/// Whether an image is mirrored by snapshots.
pub(super) fn by_snapshots(info: &ImageInfo) -> bool {
    info.mirrored && info.mode == ImageMirrorMode::Snapshot
}

/// How long ago a mirror snapshot was taken, in seconds. The clocks of the sites may differ by a little.
fn age(taken: &SnapshotInfo) -> f64 {
    let then = MirrorPoint::of(&taken.name).map_or(taken.time, MirrorPoint::taken);
    nanos().saturating_sub(then.0) as f64 / 1e9
}

/// How far a peer is behind that holds everything up to `confirmed`: the log may be there further than
/// the newest mirror snapshot, at which it would be promoted.
fn behind(lag: Lag, confirmed: Sequence, taken: &[SnapshotInfo], last_change: Sequence) -> Lag {
    let newest = taken.iter().rev().find(|taken| taken.at <= confirmed);
    match newest {
        Some(newest) if newest.at < last_change => Lag {
            seconds: lag.seconds.max(age(newest)),
            ..lag
        },
        Some(_) | None => lag,
    }
}

impl Mirroring {
    /// Mirrors an image in a mode, durably.
    pub(super) fn enable(&self, image: ImageId, mode: ImageMirrorMode) -> Result<(), Fault> {
        let enabled = self.store.mirror_image(image, mode);
        enabled.map_err(|error| fault(&error))?;
        self.store.flush().map_err(|error| fault(&error))?;
        tracing::info!(%image, %mode, "an image is mirrored");
        Ok(())
    }

    /// Takes mirror snapshots of images, all at one position, durably.
    pub(in crate::serve) fn take_snapshots(
        &self,
        images: &[ImageId],
    ) -> Result<Vec<SnapshotId>, Fault> {
        let taken = self.store.take_mirror_snapshots(images);
        let taken = taken.map_err(|error| fault(&error))?;
        self.store.flush().map_err(|error| fault(&error))?;
        Ok(taken.into_iter().map(|taken| taken.id).collect())
    }

    /// The mirror snapshots of an image that all sites share, oldest first.
    fn shared(&self, image: ImageId) -> Vec<SnapshotInfo> {
        let mut taken = self.store.snapshots(image).unwrap_or_default();
        taken.retain(|taken| !taken.divergent && MirrorPoint::of(&taken.name).is_some());
        taken
    }

    /// The peers that read an image from here, and how far each is behind.
    pub(super) fn readers(&self, info: &ImageInfo) -> Vec<ImageReader> {
        let mut readers = self.mirror.readers(info.id);
        if by_snapshots(info) {
            let taken = self.shared(info.id);
            for reader in &mut readers {
                let confirmed = reader.peer.confirmed.sequence;
                reader.lag = behind(reader.lag, confirmed, &taken, info.last_change);
            }
        }
        readers
    }

    /// How old what a secondary would be promoted at is; `None` where all that is here would stay.
    fn returns_behind(&self, info: &ImageInfo, lag: Option<Lag>) -> Option<f64> {
        if !by_snapshots(info) || info.primary_demoted {
            return None;
        }
        let (newest, changed) = self.store.newest_mirror_snapshot(info.id)?;
        let missing = lag.is_none_or(|lag| lag.records > 0);
        (changed || missing).then(|| age(&newest))
    }

    /// How far a secondary is behind, where its log is that far.
    pub(super) fn lag_here(&self, info: &ImageInfo, lag: Option<Lag>) -> Option<Lag> {
        let returns = self.returns_behind(info, lag).unwrap_or_default();
        lag.map(|lag| Lag {
            seconds: lag.seconds.max(returns),
            ..lag
        })
    }

    /// The most that promoting a secondary loses, where `loss` is what is not here at all. What is here behind
    /// the mirror snapshot is kept, so it counts in seconds and not in bytes.
    pub(super) fn loss_here(
        &self,
        info: &ImageInfo,
        lag: Option<Lag>,
        loss: Option<Loss>,
    ) -> Option<Loss> {
        let returns = self.returns_behind(info, lag).unwrap_or_default();
        loss.map(|loss| Loss {
            seconds: loss.seconds.max(returns),
            ..loss
        })
    }

    /// The mirror snapshots of an image, oldest first.
    pub(in crate::serve) fn mirror_snapshots(&self, info: &ImageInfo) -> Vec<MirrorSnapshot> {
        if !by_snapshots(info) {
            return Vec::new();
        }
        let taken = self.shared(info.id);
        let primary = info.role == Role::Primary;
        let readers = if primary {
            self.mirror.readers(info.id)
        } else {
            Vec::new()
        };
        // What a peer has no newer one of, it would return to.
        let needs = |reader: &ImageReader, this: &SnapshotInfo| {
            let confirmed = reader.peer.confirmed.sequence;
            let newest = taken.iter().rev().find(|taken| taken.at <= confirmed);
            newest.is_none_or(|newest| newest.at <= this.at)
        };
        let last = taken.last().map(|last| last.id);
        let shown = taken.iter().filter_map(|this| {
            let peers = readers.iter().filter(|reader| needs(reader, this));
            Some(MirrorSnapshot {
                id: this.id,
                name: this.name.clone(),
                taken: MirrorPoint::of(&this.name)?.taken().0,
                primary,
                demoted: info.primary_demoted && Some(this.id) == last,
                peers: peers.filter_map(|reader| reader.peer.store).collect(),
                of: info.upstream,
            })
        });
        shown.collect()
    }
}

#[cfg(test)]
mod tests {
    use firebrick_edge::Timestamp;
    use firebrick_vocabulary::{Bytes, SnapshotName};

    use super::*;

    fn taken(at: u64, seconds_ago: u64) -> SnapshotInfo {
        SnapshotInfo {
            id: SnapshotId(at),
            name: SnapshotName::new("x").unwrap(),
            size: Bytes(0),
            divergent: false,
            protected: false,
            time: Timestamp(nanos() - seconds_ago * 1_000_000_000),
            at: Sequence(at),
        }
    }

    #[test]
    fn a_peer_is_as_far_behind_as_its_newest_mirror_snapshot() {
        let all = [taken(10, 3600), taken(20, 60)];
        let seconds = |confirmed, last_change| {
            behind(Lag::NONE, Sequence(confirmed), &all, Sequence(last_change)).seconds
        };
        // Nothing has changed since the newest one, which it has.
        assert!(seconds(25, 20) < 1.0);
        assert!((59.0..600.0).contains(&seconds(25, 24)));
        assert!(seconds(19, 20) > 3599.0);
        // Before the first there is nothing that it could return to.
        assert!(seconds(9, 20) < 1.0);
    }
}
