//! The reconciler: exports and attachments agree, whatever died between two steps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use firebrick_backend::{Access, ExportKey, FaultKind};
use firebrick_db::{AttachMode, Attachment, attachments, volumes};
use firebrick_vocabulary::{ImageId, VolumeId};
use tracing::{info, warn};

use crate::attachment::export_key;
use crate::control::Inner;
use crate::error::Result;
use crate::options::BackendOptions;

const PAUSE: Duration = Duration::from_secs(30);

/// Compares again and again.
pub(crate) async fn run(inner: Arc<Inner>) {
    loop {
        for backend in &inner.options.backends {
            if let Err(error) = agree(&inner, backend).await {
                warn!(backend = backend.name, %error, "exports could not be compared with attachments");
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn agree(inner: &Inner, backend: &BackendOptions) -> Result<()> {
    let host = inner.host_of(backend);
    let site = inner.site_of(&host).await?;
    // The exports first: an attachment that is made meanwhile has its row before its export.
    let exports = match site.exports().await {
        Ok(exports) => exports,
        Err(fault) if fault.kind == FaultKind::Unreachable => return Ok(()),
        Err(fault) => return Err(fault.into()),
    };
    let connection = &mut *inner.db.read().await?;
    let ids: Vec<VolumeId> = volumes::of_service(connection, &host)
        .await?
        .iter()
        .map(|volume| volume.id)
        .collect();
    let rows = attachments::of_volumes(connection, &ids).await?;
    let wanted: BTreeMap<(ImageId, ExportKey), &Attachment> = rows
        .iter()
        .filter(|row| row.connector.is_some())
        .map(|row| ((row.volume.image_id(), export_key(row)), row))
        .collect();
    let mut there = BTreeSet::new();
    for export in exports {
        let place = (export.image, export.key);
        if !wanted.contains_key(&place) {
            info!(image = %place.0, key = %place.1.0, "an export that no attachment wants is ended");
            site.unexport(place.0, place.1.clone()).await?;
        }
        there.insert(place);
    }
    for (place, row) in wanted {
        // Only complete ones: others have an activity that does it.
        if row.connection_info.is_some() && !there.contains(&place) {
            let access = match row.mode {
                AttachMode::ReadWrite => Access::ReadWrite,
                AttachMode::ReadOnly => Access::ReadOnly,
            };
            match site.export(place.0, place.1, access).await {
                Ok(_) => info!(volume = %row.volume, "an attachment got its export back"),
                Err(fault) => warn!(volume = %row.volume, %fault, "an attachment has no export"),
            }
        }
    }
    Ok(())
}
