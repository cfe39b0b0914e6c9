//! What a volume must be to be moved.

use firebrick_db::{Tx, Volume, attachments, snapshots};

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
    Ok(None)
}
