//! Statuses of group snapshots.

use firebrick_db::group_snapshots;
use firebrick_policy::Rule;
use firebrick_state::GroupSnapshotStatus;
use firebrick_vocabulary::GroupSnapshotId;

use super::look::locked;
use crate::control::Control;
use crate::error::{Error, ErrorKind, Result};
use crate::group::Family;
use crate::request::Context;

impl Control {
    /// `reset_status` of a group snapshot.
    pub async fn reset_group_snapshot_status(
        &self,
        context: &Context,
        id: GroupSnapshotId,
        status: &str,
    ) -> Result<()> {
        let mut tx = self.inner.db.begin().await?;
        let mut taken = locked(&mut tx, context, Family::Groups, id).await?;
        context.allow_for(Rule::GroupResetGroupSnapshotStatus, &taken)?;
        let from = [taken.status];
        taken.status = parsed(status)?;
        if !group_snapshots::swap(&mut tx, &from, &taken).await?.won() {
            return Err(Error::lost(format_args!("GroupSnapshot {id}")));
        }
        Ok(tx.commit().await?)
    }
}

fn parsed(text: &str) -> Result<GroupSnapshotStatus> {
    text.to_lowercase().parse().map_err(|_| {
        let known: Vec<String> = (GroupSnapshotStatus::ALL.iter())
            .map(|status| format!("'{status}'"))
            .collect();
        let shown: String = text.chars().take(64).collect();
        Error::new(
            ErrorKind::Invalid,
            format_args!(
                "Invalid GroupSnapshot Status: Group snapshot status: {shown} is invalid, valid \
                 statuses are: ({}).",
                known.join(", ")
            ),
        )
    })
}
