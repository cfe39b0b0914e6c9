//! Making things and waiting for them.

use firebrick_control::{
    Attachment, Control, CreateAttachment, CreateSnapshot, CreateType, CreateVolume, DeleteVolume,
    Object, Service, Snapshot, Volume,
};
use firebrick_db::{Activity, activities, attachments, now, services, snapshots, volumes};
use firebrick_state::{
    ActivityKind, ActivityStatus, ReplicationStatus, SnapshotStatus, VolumeStatus,
};
use firebrick_vocabulary::{ActivityId, AttachmentId, SnapshotUuid, VolumeId};
use serde_json::json;
use uuid::Uuid;

use super::{HOST, World, admin, member, until};

/// The type of volumes that are mirrored.
pub(crate) const MIRRORED: &str = "mirrored";

/// A volume of `size` GiB.
pub(crate) fn sized(size: u32) -> CreateVolume {
    CreateVolume {
        size: Some(size),
        ..CreateVolume::default()
    }
}

/// The same, mirrored.
pub(crate) fn mirrored(size: u32) -> CreateVolume {
    CreateVolume {
        volume_type: Some(MIRRORED.to_owned()),
        ..sized(size)
    }
}

/// A snapshot of any volume.
pub(crate) fn snapshot_of(volume: VolumeId) -> CreateSnapshot {
    CreateSnapshot {
        volume,
        name: None,
        description: None,
        metadata: std::collections::BTreeMap::new(),
        in_use: true,
    }
}

/// An attachment, with its connector or only reserved.
pub(crate) fn attach_to(volume: VolumeId, connected: bool) -> CreateAttachment {
    CreateAttachment {
        volume,
        instance: Some(Uuid::new_v4().to_string()),
        connector: connected.then(connector),
        mode: None,
    }
}

/// What a host says of itself.
pub(crate) fn connector() -> Object {
    let value = json!({ "host": "compute1", "ip": "192.0.2.1", "mountpoint": "/dev/vdb" });
    value.as_object().unwrap().clone()
}

impl World {
    pub(super) async fn types(&self) {
        let request = CreateType {
            name: MIRRORED.to_owned(),
            description: None,
            is_public: true,
            extra_specs: [("replication_enabled".to_owned(), "<is> True".to_owned())].into(),
        };
        self.control.create_type(&admin(), request).await.unwrap();
    }

    /// The row.
    pub(crate) async fn volume(&self, id: VolumeId) -> Option<Volume> {
        let connection = &mut *self.db.read().await.unwrap();
        volumes::get(connection, id).await.unwrap()
    }

    /// The row's status.
    pub(crate) async fn status(&self, id: VolumeId) -> Option<VolumeStatus> {
        self.volume(id).await.map(|volume| volume.status)
    }

    /// The row's two statuses, as texts.
    pub(crate) async fn statuses(&self, id: VolumeId) -> (&'static str, &'static str) {
        let volume = self.volume(id).await.unwrap();
        (
            volume.status.as_str(),
            volume.replication_status.unwrap().as_str(),
        )
    }

    /// The row.
    pub(crate) async fn snapshot(&self, id: SnapshotUuid) -> Option<Snapshot> {
        let connection = &mut *self.db.read().await.unwrap();
        snapshots::get(connection, id).await.unwrap()
    }

    /// The row.
    pub(crate) async fn attachment(&self, id: AttachmentId) -> Option<Attachment> {
        let connection = &mut *self.db.read().await.unwrap();
        attachments::get(connection, id).await.unwrap()
    }

    /// The row of the backend's service, or of its cluster.
    pub(crate) async fn service(&self) -> Service {
        let own = self.service_at(HOST).await;
        match &own.cluster {
            Some(cluster) => self.service_at(cluster).await,
            None => own,
        }
    }

    /// The row of that host.
    pub(crate) async fn service_at(&self, host: &str) -> Service {
        let connection = &mut *self.db.read().await.unwrap();
        let host = host.parse().unwrap();
        let found = services::get(connection, "cinder-volume", &host).await;
        found.unwrap().unwrap()
    }

    /// Whether nothing is to be done for it any more.
    pub(crate) async fn rests(&self, resource: Uuid) -> bool {
        let connection = &mut *self.db.read().await.unwrap();
        let running = activities::running_for(connection, resource).await.unwrap();
        running.is_none()
    }

    /// Waits for that.
    pub(crate) async fn settled(&self, resource: Uuid) {
        let what = format!("{resource} has nothing to do");
        until(&what, || self.rests(resource)).await;
    }

    /// Makes a volume, which must become available.
    pub(crate) async fn made(&self, request: CreateVolume) -> VolumeId {
        let detail = self.control.create_volume(&member(), request).await;
        let id = detail.unwrap().volume.id;
        self.settled(id.0).await;
        assert_eq!(self.status(id).await, Some(VolumeStatus::Available));
        id
    }

    /// Makes a snapshot, which must become available.
    pub(crate) async fn snapped(&self, volume: VolumeId) -> SnapshotUuid {
        let request = snapshot_of(volume);
        let detail = self.control.create_snapshot(&member(), request).await;
        let id = detail.unwrap().snapshot.id;
        self.settled(id.0).await;
        let status = self.snapshot(id).await.unwrap().status;
        assert_eq!(status, SnapshotStatus::Available);
        id
    }

    /// Attaches the volume completely.
    pub(crate) async fn attached(&self, volume: VolumeId) -> AttachmentId {
        let (control, context) = (&self.control, member());
        let made = control.create_attachment(&context, attach_to(volume, true));
        let id = made.await.unwrap().attachment.id;
        control.complete_attachment(&context, id).await.unwrap();
        assert_eq!(self.status(volume).await, Some(VolumeStatus::InUse));
        id
    }

    /// Somebody elsewhere uploads the volume, for as long as the test takes.
    pub(crate) async fn is_read(&self, volume: VolumeId) {
        let upload = upload(volume);
        let mut tx = self.db.begin().await.unwrap();
        activities::insert(&mut tx, &upload).await.unwrap();
        let hour = std::time::Duration::from_secs(3600);
        let claimed = activities::claim(&mut tx, "elsewhere/1", hour).await;
        assert_eq!(claimed.unwrap().map(|it| it.id), Some(upload.id));
        let shown = Some(VolumeStatus::Uploading);
        assert!(volumes::show(&mut tx, volume, shown).await.unwrap().won());
        tx.commit().await.unwrap();
    }

    /// Deletes a volume, which must go.
    pub(crate) async fn deleted(&self, id: VolumeId) {
        let how = DeleteVolume::default();
        self.control
            .delete_volume(&member(), id, how)
            .await
            .unwrap();
        self.settled(id.0).await;
        assert_eq!(self.status(id).await, None);
    }

    /// Fails over to that site (`default` goes back) and waits for the end.
    pub(crate) async fn failed_over(&self, to: &str) -> Service {
        let asked = self.control.failover(&admin(), HOST, Some(to)).await;
        asked.unwrap();
        self.moved().await
    }

    /// Waits until no failover runs.
    pub(crate) async fn moved(&self) -> Service {
        let service = self.service().await.id;
        self.settled(service.0).await;
        let service = self.service().await;
        assert_ne!(service.replication_status, ReplicationStatus::FailingOver);
        service
    }

    /// The control plane, for a request that a test leaves alone.
    pub(crate) fn handle(&self) -> Control {
        self.control.clone()
    }
}

/// An activity that leaves its volume free and may be cancelled, as a request begins it.
pub(crate) fn upload(volume: VolumeId) -> Activity {
    let context = member();
    Activity {
        id: ActivityId::random(),
        kind: ActivityKind::UploadVolume,
        resource: Uuid::new_v4(),
        volume: Some(volume),
        parent: None,
        project: context.project,
        user: Some(context.user),
        request_id: context.request_id,
        input: json!({}),
        state: json!({}),
        status: ActivityStatus::Running,
        phase: None,
        done: None,
        total: None,
        cancel: false,
        node: None,
        attempts: 0,
        error: None,
        created_at: now(),
        updated_at: now(),
        finished_at: None,
    }
}
