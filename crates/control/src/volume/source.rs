//! Where a new volume comes from, and what that means for it.

use firebrick_cloud::Image;
use firebrick_db::{Backup, Tx, VolumeType, volumes};
use firebrick_state::{SnapshotOperation, VolumeOperation};
use firebrick_vocabulary::{HostName, TypeId};

use super::look::locked;
use crate::error::{Error, ErrorKind, Result};
use crate::image::is_encrypted;
use crate::request::{Context, CreateVolume};
use crate::snapshot::look::locked as hold_snapshot;
use crate::types::look::by_id_or_name;

/// Where a new volume comes from.
pub(crate) struct Source {
    pub(super) size: u32,
    pub(super) volume_type: Option<TypeId>,
    pub(super) host: Option<HostName>,
    pub(super) bootable: bool,
    /// Whether its hosts encrypt what they write.
    pub(super) encrypted: bool,
    /// Where it is, and what is made of it.
    pub(super) zone: Option<String>,
    /// What it is, in words for users.
    pub(super) what: &'static str,
}

/// A request names one source at most.
pub(super) fn one_source(request: &CreateVolume) -> Result<()> {
    let given = [
        request.snapshot.is_some(),
        request.source.is_some(),
        request.image.is_some(),
        request.backup.is_some(),
    ];
    // A snapshot of the source is what older clients mean by both.
    let both = [true, true, false, false];
    if given == both || given.into_iter().filter(|given| *given).count() <= 1 {
        return Ok(());
    }
    Err(Error::invalid_input(
        "May specify only one of snapshot, imageRef, backup or source volume",
    ))
}

/// The size that is asked for, or that of the source, in GiB.
pub(super) fn size(request: &CreateVolume, source: Option<&Source>) -> Result<u32> {
    let least = source.map(|source| source.size);
    if request.size.is_none() && least.unwrap_or(0) == 0 {
        return Err(Error::invalid_input(
            "Invalid volume size provided for create request: None (size argument must be an \
             integer (or string representation of an integer) and greater than zero).",
        ));
    }
    let asked = request.size.or(least).filter(|size| *size > 0);
    let size = asked.ok_or_else(|| {
        Error::invalid_input("Volume size must be specified as an integer greater than 0.")
    })?;
    match least {
        Some(least) if size < least => Err(Error::invalid_input(too_small(request, size, least))),
        Some(_) | None => Ok(size),
    }
}

/// In Cinder's words, and with its spaces.
fn too_small(request: &CreateVolume, size: u32, least: u32) -> String {
    if request.backup.is_some() {
        format!(
            "Volume size {size}GB cannot be smaller than the backup size {least}GB. It must be >= \
             backup size."
        )
    } else if request.snapshot.is_some() {
        format!(
            "Volume size '{size}'GB cannot be smaller than the snapshot size {least}GB. They must be \
             >= original snapshot size."
        )
    } else {
        format!(
            "Volume size '{size}'GB cannot be smaller than original volume size  {least}GB. They \
             must be >= original volume size."
        )
    }
}

/// Whether a volume of that type, whose hosts encrypt what they write or do not, can have what is in the source.
pub(super) fn fits(source: Option<&Source>, kind: &VolumeType, encrypts: bool) -> Result<()> {
    if source.is_none_or(|source| source.encrypted == encrypts) {
        return Ok(());
    }
    Err(Error::invalid_input(format_args!(
        "Invalid volume_type provided: {} (requested type is not compatible; either match source \
         volume, or omit type argument).",
        kind.id
    )))
}

/// Bytes that hosts have encrypted are of use only in a volume whose hosts decrypt them: without a
/// word, its type is that of the volume that was backed up.
pub(super) async fn of_backup(tx: &mut Tx, backup: &Backup) -> Result<Source> {
    let encrypted = backup.encryption_key.is_some();
    let origin = if encrypted {
        volumes::get(tx, backup.volume).await?
    } else {
        None
    };
    Ok(Source {
        size: backup.size,
        volume_type: origin.map(|volume| volume.volume_type),
        host: None,
        bootable: false,
        encrypted,
        zone: None,
        what: "backup",
    })
}

/// The image says which type its volumes have where a request does not. How large they must be is checked
/// with the rest of what it says.
pub(super) async fn of_image(tx: &mut Tx, image: &Image) -> Result<Source> {
    let volume_type = match image.properties.get("cinder_img_volume_type") {
        Some(text) => {
            let missing = || {
                let text = format!("Volume type with name {text} could not be found.");
                Error::new(ErrorKind::NotFound, text)
            };
            let found = by_id_or_name(tx, text).await?;
            Some(found.ok_or_else(missing)?.id)
        }
        None => None,
    };
    Ok(Source {
        size: 0,
        volume_type,
        host: None,
        bootable: false,
        encrypted: is_encrypted(image),
        zone: None,
        what: "image",
    })
}

/// The snapshot or the volume of which it is made, held.
pub(super) async fn source(
    tx: &mut Tx,
    context: &Context,
    request: &CreateVolume,
) -> Result<Option<Source>> {
    if let Some(id) = request.snapshot {
        let snapshot = hold_snapshot(tx, context, id).await?;
        if !snapshot.status.allows(SnapshotOperation::Clone) {
            return Err(Error::invalid_snapshot(format!(
                "Originating snapshot status must be one of 'available' values; it is {}.",
                snapshot.status
            )));
        }
        let origin = volumes::get(tx, snapshot.volume).await?;
        return Ok(Some(Source {
            size: snapshot.size,
            encrypted: snapshot.encryption_key.is_some(),
            volume_type: origin.as_ref().map(|volume| volume.volume_type),
            bootable: origin.as_ref().is_some_and(|volume| volume.bootable),
            zone: (origin.as_ref()).map(|volume| volume.availability_zone.clone()),
            what: "snapshot",
            host: origin.and_then(|volume| volume.host),
        }));
    }
    let Some(id) = request.source else {
        return Ok(None);
    };
    let origin = locked(tx, context, id).await?;
    if !origin.status.allows(VolumeOperation::Clone) {
        return Err(Error::invalid_volume(format!(
            "Source volume status must be available or in-use; it is {}.",
            origin.status
        )));
    }
    Ok(Some(Source {
        size: origin.size,
        encrypted: origin.encryption_key.is_some(),
        volume_type: Some(origin.volume_type),
        bootable: origin.bootable,
        zone: Some(origin.availability_zone),
        what: "source volume",
        host: origin.host,
    }))
}
