//! What must be true whenever nothing is to be done.

use std::collections::{BTreeMap, BTreeSet};

use firebrick_backend::ExportKey;
use firebrick_control::{Query, Volume};
use firebrick_db::{Column, Listing, attachments, backups, groups, snapshots};
use firebrick_state::{AttachmentStatus, ReplicationStatus, SnapshotStatus, VolumeStatus};
use firebrick_vocabulary::{Gibibytes, GroupId, ImageId, Role};

use super::{A, B, World, admin, member, until};

impl World {
    /// All volumes of the project.
    pub(crate) async fn volumes(&self) -> Vec<Volume> {
        let found = self.control.volumes(&member(), Query::default()).await;
        found.unwrap().into_iter().map(|it| it.volume).collect()
    }

    /// The site that serves now.
    pub(crate) async fn active(&self) -> &'static str {
        let active = self.service().await.active_backend_id;
        if active.is_some() { B } else { A }
    }

    /// Nothing is under way, and the site that serves has what the database says, nothing else.
    pub(crate) async fn consistent(&self, when: &str) {
        self.service_rests(when).await;
        let rows = self.volumes().await;
        let places = self.places().await;
        for volume in &rows {
            self.volume_rests(volume, places.of(volume), when).await;
        }
        self.nothing_is_leaked(&rows, when);
        self.quota_is_true(&rows, when).await;
        self.exports_agree(&rows, &places, when).await;
    }

    async fn places(&self) -> Places {
        let active = self.active().await;
        let connection = &mut *self.db.read().await.unwrap();
        let all = groups::list(connection, &Listing::default()).await;
        let all = all.unwrap().unwrap_or_default().into_iter();
        let apart = all.filter_map(|group| {
            let site = if group.site? == B { B } else { A };
            Some((group.id, site))
        });
        Places {
            active,
            apart: apart.collect(),
        }
    }

    async fn service_rests(&self, when: &str) {
        let service = self.service().await;
        let expected = if service.active_backend_id.is_some() {
            ReplicationStatus::FailedOver
        } else {
            ReplicationStatus::Enabled
        };
        assert_eq!(service.replication_status, expected, "service, {when}");
    }

    async fn volume_rests(&self, volume: &Volume, place: &'static str, when: &str) {
        let (id, status) = (volume.id, volume.status);
        let rows = {
            let connection = &mut *self.db.read().await.unwrap();
            attachments::of_volume(connection, id).await.unwrap()
        };
        let of_rows = AttachmentStatus::of_volume(rows.iter().map(|row| row.status));
        match status {
            VolumeStatus::Available
            | VolumeStatus::Reserved
            | VolumeStatus::Attaching
            | VolumeStatus::InUse => assert_eq!(status, of_rows, "{id}, {when}: {rows:?}"),
            VolumeStatus::Error | VolumeStatus::ErrorDeleting | VolumeStatus::ErrorExtending => {
                return;
            }
            other => panic!("{id} is {other} for ever, {when}"),
        }
        let image = self.site(place, |site| site.images.get(&volume.image()).cloned());
        let image = image.unwrap_or_else(|| panic!("{id} has no image at {place}, {when}"));
        assert_eq!(image.role, Role::Primary, "{id} at {place}, {when}");
        let size = Gibibytes(volume.size).bytes();
        assert_eq!(image.size, size, "size of {id}, {when}");
        let rows = {
            let connection = &mut *self.db.read().await.unwrap();
            snapshots::of_volume(connection, id).await.unwrap()
        };
        let mut wanted = BTreeSet::new();
        for row in rows {
            match row.status {
                SnapshotStatus::Available => assert!(wanted.insert(row.image_name())),
                SnapshotStatus::Error | SnapshotStatus::ErrorDeleting => {}
                other => panic!("snapshot {} is {other} for ever, {when}", row.id),
            }
        }
        let there: BTreeSet<_> = image.snapshots.into_iter().map(|(name, _)| name).collect();
        assert!(there.is_superset(&wanted), "snapshots of {id}, {when}");
        // Besides those, the newest backup of a volume keeps the state that it is of.
        let kept = self.state_of_newest_backup(id).await;
        let mut extra: Vec<_> = there.difference(&wanted).collect();
        extra.retain(|name| kept.as_deref() != Some(name.as_str()));
        assert!(extra.is_empty(), "leaked {extra:?} of {id}, {when}");
    }

    async fn state_of_newest_backup(&self, id: firebrick_vocabulary::VolumeId) -> Option<String> {
        let connection = &mut *self.db.read().await.unwrap();
        let listing = Listing::of(Column::Volume, &id);
        let rows = backups::list(connection, &listing).await.unwrap().unwrap();
        let whole = rows.into_iter().filter(|row| row.snapshot.is_none());
        let newest = whole.max_by_key(|row| row.data_timestamp)?;
        Some(format!("backup-{}", newest.id))
    }

    fn nothing_is_leaked(&self, rows: &[Volume], when: &str) {
        let known: BTreeSet<ImageId> = rows.iter().map(Volume::image).collect();
        for name in [A, B] {
            let there: BTreeSet<_> = self.site(name, |site| site.images.keys().copied().collect());
            let leaked: Vec<_> = there.difference(&known).collect();
            assert!(leaked.is_empty(), "leaked {leaked:?} at {name}, {when}");
        }
    }

    async fn quota_is_true(&self, rows: &[Volume], when: &str) {
        let used = self.control.limits(&member()).await.unwrap().used.unwrap();
        let found = self.control.snapshots(&member(), Query::default()).await;
        let snapshots = found.unwrap();
        let of_snapshots: i64 = snapshots.iter().map(|it| i64::from(it.snapshot.size)).sum();
        let of_volumes: i64 = rows.iter().map(|row| i64::from(row.size)).sum();
        assert_eq!(used.volumes, rows.len() as i64, "{when}");
        assert_eq!(used.snapshots, snapshots.len() as i64, "{when}");
        assert_eq!(used.gigabytes, of_volumes + of_snapshots, "{when}");
    }

    async fn exports_agree(&self, rows: &[Volume], places: &Places, when: &str) {
        let what = format!("exports agree, {when}");
        until(&what, || self.exports_do_agree(rows, places)).await;
    }

    async fn exports_do_agree(&self, rows: &[Volume], places: &Places) -> bool {
        let active = places.active;
        let mut wanted = BTreeSet::new();
        let (broken, usable): (Vec<_>, Vec<_>) = rows
            .iter()
            .partition(|row| row.status == VolumeStatus::Error);
        for volume in usable {
            let found = {
                let connection = &mut *self.db.read().await.unwrap();
                attachments::of_volume(connection, volume.id).await.unwrap()
            };
            for row in found.into_iter().filter(|row| row.connector.is_some()) {
                let place = places.of(volume);
                let info = row.connection_info.unwrap_or_default().to_string();
                if !info.contains(place) {
                    return false;
                }
                if place == active {
                    wanted.insert((volume.image(), ExportKey(row.id.to_string())));
                }
            }
        }
        // The other site may still export what moved away.
        let mut there = self.site(active, |site| site.exports.clone());
        there.retain(|(image, _)| broken.iter().all(|row| row.image() != *image));
        there == wanted
    }

    /// Services as operators see them.
    pub(crate) async fn shown(&self) -> firebrick_control::ServiceDetail {
        let found = self
            .control
            .services(&admin(), Some("cinder-volume"), None)
            .await;
        found.unwrap().pop().unwrap()
    }
}

impl World {
    /// Whether no activity of any row runs.
    pub(crate) async fn all_rest(&self) -> bool {
        let context = member();
        let mut ids = vec![self.service().await.id.0];
        ids.extend(self.volumes().await.iter().map(|row| row.id.0));
        let found = self.control.snapshots(&context, Query::default()).await;
        ids.extend(found.unwrap().iter().map(|it| it.snapshot.id.0));
        let found = self.control.attachments(&context, Query::default()).await;
        ids.extend(found.unwrap().iter().map(|it| it.attachment.id.0));
        for id in ids {
            if !self.rests(id).await {
                return false;
            }
        }
        true
    }

    /// Everything can still be used: it is detached and deleted, and nothing is left.
    pub(crate) async fn emptied(&self, when: &str) {
        let context = member();
        let found = self.control.attachments(&context, Query::default()).await;
        for it in found.unwrap() {
            let id = it.attachment.id;
            self.control.delete_attachment(&context, id).await.unwrap();
        }
        let found = self.control.snapshots(&context, Query::default()).await;
        for it in found.unwrap() {
            let id = it.snapshot.id;
            self.control
                .delete_snapshot(&context, id, false)
                .await
                .unwrap();
            self.settled(id.0).await;
        }
        for volume in self.volumes().await {
            if volume.status == VolumeStatus::Attaching {
                self.control.unreserve(&context, volume.id).await.unwrap();
            }
            self.deleted(volume.id).await;
        }
        self.consistent(&format!("emptied after {when}")).await;
    }
}

impl World {
    /// Waits until what was left secondary at the site that serves is primary again.
    pub(crate) async fn healed(&self) {
        let active = self.active().await;
        let rows = self.volumes().await;
        let moving = rows
            .iter()
            .filter(|row| row.replication_status.unwrap().is_replicated());
        let ids: Vec<_> = moving.map(Volume::image).collect();
        let primary = |site: &mut super::State| {
            let role = |id| site.images.get(id).map(|image| image.role);
            ids.iter().all(|id| role(id) == Some(Role::Primary))
        };
        let what = format!("all are primary at {active}");
        until(&what, || async { self.site(active, primary) }).await;
    }

    /// No image is primary at both sites.
    pub(crate) fn one_primary(&self) {
        let primaries = |name| -> BTreeSet<ImageId> {
            let pick = |site: &mut super::State| {
                let all = site.images.iter();
                let primary = all.filter(|(_, image)| image.role == Role::Primary);
                primary.map(|(id, _)| *id).collect()
            };
            self.site(name, pick)
        };
        let both: Vec<_> = primaries(A).intersection(&primaries(B)).copied().collect();
        assert!(both.is_empty(), "primary at both sites: {both:?}");
    }
}

/// Where volumes must be.
struct Places {
    active: &'static str,
    /// Groups that have a site of their own.
    apart: BTreeMap<GroupId, &'static str>,
}

impl Places {
    /// Those that are not mirrored stay, but with their groups.
    fn of(&self, volume: &Volume) -> &'static str {
        let moves = volume.replication_status.unwrap().is_replicated();
        let own = volume.group.and_then(|id| self.apart.get(&id).copied());
        own.unwrap_or(if moves { self.active } else { A })
    }
}

impl World {
    /// The volume is gone, or can be used, or says why not.
    pub(crate) async fn rest_at_home(&self, id: firebrick_vocabulary::VolumeId, when: &str) {
        self.consistent(&format!("home, {when}")).await;
        let Some(volume) = self.volume(id).await else {
            return;
        };
        assert!(
            !volume.status.is_transient() || volume.status == VolumeStatus::Attaching,
            "{when}"
        );
        assert_eq!(
            volume.replication_status,
            Some(ReplicationStatus::Disabled),
            "{when}"
        );
        assert_ne!(volume.status, VolumeStatus::Error, "{when}");
    }
}
