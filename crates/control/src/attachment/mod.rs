//! Attachments: a volume is made reachable for a host, by the newer and the older ways.

mod complete;
mod ending;
pub(crate) mod export;
mod legacy;
mod look;
mod request;
mod stale;
pub(crate) mod unexport;

use std::collections::BTreeMap;

use firebrick_backend::ExportKey;
use firebrick_db::{Attachment, Connection, Swapped, Tx, Volume, attachments, volumes};
use firebrick_state::{AttachStatus, AttachmentStatus, VolumeStatus};
use firebrick_vocabulary::{ImageId, VolumeId};

use crate::error::Result;

pub use export::bare_info;
pub use stale::StaleAttachment;

/// Under which key a site exports a volume for an attachment.
pub(crate) fn export_key(attachment: &Attachment) -> ExportKey {
    ExportKey(attachment.id.to_string())
}

/// Whether an export may be that of an attachment. Others are made at the site, by operators.
pub(crate) fn is_export_key(key: &ExportKey) -> bool {
    uuid::Uuid::try_parse(&key.0).is_ok()
}

/// The attachments of these volumes, each with the image that it exports.
pub(crate) async fn with_images(
    connection: &mut Connection,
    of: &[Volume],
) -> Result<Vec<(ImageId, Attachment)>> {
    let images: BTreeMap<VolumeId, ImageId> = of
        .iter()
        .map(|volume| (volume.id, volume.image()))
        .collect();
    let ids: Vec<VolumeId> = images.keys().copied().collect();
    let rows = attachments::of_volumes(connection, &ids).await?;
    let known = |row: Attachment| Some((*images.get(&row.volume)?, row));
    Ok(rows.into_iter().filter_map(known).collect())
}

/// The statuses of a volume that follow its attachments.
const FOLLOWING: &[VolumeStatus] = &[
    VolumeStatus::Available,
    VolumeStatus::Reserved,
    VolumeStatus::Attaching,
    VolumeStatus::InUse,
    VolumeStatus::Detaching,
];

/// Gives the volume the status that its attachments make. Other statuses (an extension that runs, an
/// error) stay.
pub(crate) async fn settle(tx: &mut Tx, id: VolumeId) -> Result<()> {
    let Some(mut volume) = volumes::get_locked(tx, id).await? else {
        return Ok(());
    };
    let rows = attachments::of_volume(tx, id).await?;
    set_status(&mut volume, &rows);
    match volumes::swap(tx, FOLLOWING, &volume).await? {
        Swapped::Won | Swapped::Lost => Ok(()),
    }
}

fn set_status(volume: &mut Volume, rows: &[Attachment]) {
    volume.status = AttachmentStatus::of_volume(rows.iter().map(|row| row.status));
    let attached = rows
        .iter()
        .any(|row| row.status == AttachmentStatus::Attached);
    volume.attach_status = if attached {
        AttachStatus::Attached
    } else if rows.is_empty() {
        AttachStatus::Detached
    } else {
        AttachStatus::Attaching
    };
}
