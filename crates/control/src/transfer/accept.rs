//! A project takes over what it was offered.

use firebrick_db::{Transfer, Tx, Volume, snapshots, transfers, volumes};
use firebrick_policy::Rule;
use firebrick_state::{VolumeOperation, VolumeStatus};
use firebrick_vocabulary::TransferId;

use super::key::fits;
use super::look::{locked, offered};
use crate::control::Control;
use crate::error::{Error, ErrorKind, Result};
use crate::freeze::refuse_frozen;
use crate::options::Quotas;
use crate::quota::{self, Wanted};
use crate::request::Context;

impl Control {
    /// `POST /volume-transfers/{id}/accept`: volume and snapshots are the asking project's, all at once.
    pub async fn accept_transfer(
        &self,
        context: &Context,
        id: TransferId,
        key: &str,
    ) -> Result<Transfer> {
        context.allow(Rule::VolumeAcceptTransfer)?;
        let project = context.owner()?;
        let inner = &self.inner;
        let mut tx = inner.db.begin().await?;
        let transfer = offered(transfers::get(&mut tx, id).await?, id)?;
        if !fits(&transfer.salt, &transfer.key_hash, key) {
            let text = format!("Invalid auth key: Attempt to transfer {id} with invalid auth key.");
            return Err(Error::new(ErrorKind::Invalid, text));
        }
        // The project comes before its volumes: whoever adds to it takes the same way.
        tx.lock_project(project).await?;
        let transfer = locked(&mut tx, id).await?;
        let found = volumes::get_locked(&mut tx, transfer.volume).await?;
        let mut volume = found.ok_or_else(|| Error::no_volume(transfer.volume))?;
        if !volume.status.allows(VolumeOperation::AcceptTransfer) {
            return Err(Error::invalid_volume("status must be awaiting-transfer"));
        }
        if volume.group.is_some() {
            // An operator may have said meanwhile that it is free, and it joined one.
            return Err(Error::invalid_volume(format_args!(
                "Volume {} must not be part of a group.",
                volume.id
            )));
        }
        if volume.project != *project {
            let quotas = &inner.options.quotas;
            let wanted = wanted(&mut tx, quotas, &transfer, &volume).await?;
            quota::check(&mut tx, quotas, project, wanted).await?;
            // What served the cache of images is a volume like others from now on.
            volume.consumes_quota = true;
        }
        refuse_frozen(&mut tx, volume.host.as_ref()).await?;
        volume.status = VolumeStatus::Available;
        let from = VolumeOperation::AcceptTransfer.sources();
        let won = volumes::swap(&mut tx, from, &volume).await?.won()
            && volumes::give(&mut tx, volume.id, project, &context.user)
                .await?
                .won()
            && transfers::accept(&mut tx, id, project).await?.won();
        if !won {
            return Err(Error::lost(format_args!("Transfer {id}")));
        }
        if !transfer.no_snapshots {
            snapshots::give(&mut tx, volume.id, project, &context.user).await?;
        }
        tx.commit().await?;
        Ok(transfer)
    }
}

/// What comes to the project that accepts.
async fn wanted(
    tx: &mut Tx,
    quotas: &Quotas,
    transfer: &Transfer,
    volume: &Volume,
) -> Result<Wanted> {
    let mut wanted = Wanted::volume(volume.size, volume.volume_type);
    if !transfer.no_snapshots {
        let of_volume = snapshots::of_volume(tx, volume.id).await?;
        for snapshot in of_volume.iter().filter(|snapshot| snapshot.consumes_quota) {
            let one = Wanted::snapshot(snapshot.size, volume.volume_type, quotas);
            wanted.snapshots += one.snapshots;
            wanted.gigabytes += one.gigabytes;
        }
    }
    Ok(wanted)
}
