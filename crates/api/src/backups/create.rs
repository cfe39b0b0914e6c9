//! `POST /backups` and `POST /backups/{id}/restore`.

use axum::extract::State;
use firebrick_control::{Control, CreateBackup, RestoreBackup};
use firebrick_vocabulary::{SnapshotUuid, VolumeId};

use crate::body::{Body, Fields, Keys};
use crate::call::{Call, Named, accepted};
use crate::fault::{Answer, Fault};
use crate::microversion::Microversion as V;
use crate::view::backup as view;
use crate::{ids, view as views};

/// `POST /backups`.
pub(super) async fn create(State(control): State<Control>, call: Call, body: Body) -> Answer {
    let request = read(&call, &body.only("backup")?)?;
    let detail = control.create_backup(&call.context, request).await?;
    accepted(views::one("backup", view::brief(&call, &detail)))
}

fn read(call: &Call, fields: &Fields<'_>) -> Result<CreateBackup, Fault> {
    let volume = fields.uuid("volume_id")?.ok_or_else(Fault::malformed)?;
    let metadata = if call.at(V::BACKUP_METADATA) {
        fields.map("metadata", Keys::Metadata, true)?
    } else {
        None
    };
    let zone = if call.at(V::BACKUP_ZONE) {
        fields.text_or_null("availability_zone", 0)?.flatten()
    } else {
        None
    };
    Ok(CreateBackup {
        volume: VolumeId(volume),
        snapshot: fields.uuid_or_null("snapshot_id")?.map(SnapshotUuid),
        incremental: fields.boolean("incremental")?.unwrap_or(false),
        force: fields.boolean("force")?.unwrap_or(false),
        name: fields.trimmed(["name", "name"], "name")?.flatten(),
        description: fields.description("description")?.flatten(),
        container: fields.text_or_null("container", 0)?.flatten(),
        availability_zone: zone.filter(|zone| !zone.is_empty()),
        metadata: metadata.unwrap_or_default(),
    })
}

/// `POST /backups/{id}/restore`.
pub(super) async fn restore(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
    body: Body,
) -> Answer {
    let root = body.root()?;
    let request = match root.object_or_null("restore")? {
        None => RestoreBackup::default(),
        Some(fields) => RestoreBackup {
            volume: fields.uuid_or_null("volume_id")?.map(VolumeId),
            name: fields.trimmed(["name", "name"], "name")?.flatten(),
        },
    };
    let id = ids::backup(&id)?;
    let restored = control.restore_backup(&call.context, id, request).await?;
    accepted(views::one("restore", view::restore(&restored)))
}
