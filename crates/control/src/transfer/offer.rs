//! A volume is offered, or not any more.

use firebrick_db::{Transfer, Tx, Volume, now, snapshots, transfers, volumes};
use firebrick_policy::Rule;
use firebrick_state::{SnapshotOperation, VolumeOperation, VolumeStatus};
use firebrick_vocabulary::{TransferId, VolumeId};

use super::key::{AuthKey, hash, random};
use super::look::{locked, no_transfer};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::freeze::refuse_frozen;
use crate::request::Context;
use crate::volume::hold;

/// `POST /volume-transfers`.
#[derive(Clone, Debug)]
pub struct CreateTransfer {
    /// `volume_id`.
    pub volume: VolumeId,
    /// `name`.
    pub name: Option<String>,
    /// `no_snapshots`, from 3.55: the snapshots stay with the project.
    pub no_snapshots: bool,
    /// Whether volumes that their hosts encrypt may be offered, from 3.70.
    pub encrypted: bool,
}

impl Control {
    /// `POST /volume-transfers`: the volume awaits its transfer. The key is told this once.
    pub async fn create_transfer(
        &self,
        context: &Context,
        request: CreateTransfer,
    ) -> Result<(Transfer, AuthKey)> {
        let mut tx = self.inner.db.begin().await?;
        let mut volume = hold(&mut tx, context, request.volume).await?;
        context.allow_for(Rule::VolumeCreateTransfer, &volume)?;
        check(&mut tx, &volume, &request).await?;
        let (salt, key) = (random(), AuthKey::random());
        let transfer = Transfer {
            id: TransferId::random(),
            volume: volume.id,
            project: volume.project.clone(),
            name: request.name,
            key_hash: hash(&salt, key.reveal()),
            salt,
            no_snapshots: request.no_snapshots,
            destination: None,
            accepted: false,
            created_at: now(),
            updated_at: None,
        };
        refuse_frozen(&mut tx, volume.host.as_ref()).await?;
        transfers::insert(&mut tx, &transfer).await?;
        volume.status = VolumeStatus::AwaitingTransfer;
        let from = VolumeOperation::OfferTransfer.sources();
        if !volumes::swap(&mut tx, from, &volume).await?.won() {
            return Err(Error::lost(format_args!("Volume {}", volume.id)));
        }
        tx.commit().await?;
        Ok((transfer, key))
    }

    /// `DELETE /volume-transfers/{id}`: the volume is as before.
    pub async fn delete_transfer(&self, context: &Context, id: TransferId) -> Result<()> {
        let mut tx = self.inner.db.begin().await?;
        let transfer = locked(&mut tx, id).await?;
        if !context.sees(&transfer.project) {
            return Err(no_transfer(id));
        }
        context.allow_for(Rule::VolumeDeleteTransfer, &transfer.project)?;
        transfers::remove(&mut tx, id).await?;
        // One that was deleted by force, or whose status was reset, awaits nothing.
        let volume = volumes::get_locked(&mut tx, transfer.volume).await?;
        let waits = |volume: &Volume| volume.status.allows(VolumeOperation::WithdrawTransfer);
        if let Some(mut volume) = volume.filter(waits) {
            volume.status = VolumeStatus::Available;
            let from = VolumeOperation::WithdrawTransfer.sources();
            if !volumes::swap(&mut tx, from, &volume).await?.won() {
                return Err(Error::lost(format_args!("Volume {}", volume.id)));
            }
        }
        Ok(tx.commit().await?)
    }
}

async fn check(tx: &mut Tx, volume: &Volume, request: &CreateTransfer) -> Result<()> {
    // A backup or an upload that runs is of the project that asked for it.
    if !volume.status.allows(VolumeOperation::OfferTransfer) || volume.shown.is_some() {
        return Err(Error::invalid_volume("status must be available"));
    }
    if volume.group.is_some() {
        return Err(Error::invalid_volume(format_args!(
            "Volume {} must not be part of a group.",
            volume.id
        )));
    }
    if volume.encryption_key.is_some() {
        if !request.encrypted {
            let text = "transferring encrypted volume is not supported";
            return Err(Error::invalid_volume(text));
        }
        if request.no_snapshots {
            let text = "transferring an encrypted volume without its snapshots is not supported";
            return Err(Error::invalid_volume(text));
        }
    }
    if request.no_snapshots {
        return Ok(());
    }
    for snapshot in snapshots::of_volume(tx, volume.id).await? {
        if !snapshot.status.allows(SnapshotOperation::OfferTransfer) {
            return Err(Error::invalid_snapshot(format_args!(
                "snapshot: {} status must be available",
                snapshot.id
            )));
        }
    }
    Ok(())
}
