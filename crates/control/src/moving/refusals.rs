//! What a volume must be to be moved.

use firebrick_db::{Column, Listing, Test, Tx, Volume, attachments, snapshots, volumes};
use firebrick_state::VolumeStatus;

use crate::error::Result;

/// Why a volume cannot change places now, in words for users.
pub(super) async fn immovable(tx: &mut Tx, volume: &Volume) -> Result<Option<&'static str>> {
    if !attachments::of_volume(tx, volume.id).await?.is_empty() {
        return Ok(Some(
            "the volume is attached, and the way of its server's data cannot be changed from here",
        ));
    }
    if !snapshots::of_volume(tx, volume.id).await?.is_empty() {
        return Ok(Some("the volume has snapshots"));
    }
    if crate::home::moves(volume) {
        return Ok(Some("the volume is replicated"));
    }
    if volume.group.is_some() {
        return Ok(Some("the volume is in a group"));
    }
    if volume.shown.is_some() {
        return Ok(Some("a backup or an upload of the volume is running"));
    }
    if is_being_cloned(tx, volume).await? {
        return Ok(Some("another volume is being made of it"));
    }
    Ok(None)
}

/// Whoever makes the other one looks for the image where it is now.
async fn is_being_cloned(tx: &mut Tx, volume: &Volume) -> Result<bool> {
    let creating = Test::OneOf(vec![VolumeStatus::Creating.as_str().to_owned()]);
    let listing = Listing::of(Column::Source, &volume.id).and(Column::Status, creating);
    Ok(volumes::total(tx, &listing).await?.0 > 0)
}
