//! From where to where, and how far it is: what the activity remembers.

use firebrick_db::{Activity, Volume, activities};
use firebrick_vocabulary::{HostName, TypeId, VolumeId};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::control::Inner;
use crate::story::{Step, Stop};

/// What is to be done.
pub(super) struct Route {
    /// The volume as it was when this run began.
    pub(super) volume: Volume,
    /// The pool to which it goes.
    pub(super) to: HostName,
    /// The type that it will have.
    pub(super) kind: TypeId,
}

/// How far it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Way {
    /// The hidden volume, once it is there.
    pub(super) target: Option<VolumeId>,
    /// The pool that was chosen.
    pub(super) to: Option<HostName>,
    /// How many passes are done: each copied what had changed up to a snapshot of its own.
    pub(super) passes: u32,
    /// Up to which byte of the next pass the copy is durable.
    pub(super) next: u64,
    /// Nobody can write to the volume any more.
    pub(super) stopped: bool,
}

impl Way {
    pub(super) fn of(activity: &Activity) -> Self {
        serde_json::from_value(activity.state.clone()).unwrap_or_default()
    }

    /// As it was last written down, by whichever run.
    pub(super) async fn written(inner: &Inner, activity: &Activity) -> Step<Self> {
        let found = activities::get(&mut *inner.db.read().await?, activity.id).await?;
        Ok(Self::of(&found.ok_or(Stop::Lost)?))
    }

    /// Writes it down.
    pub(super) async fn save(&self, inner: &Inner, activity: &Activity) -> Step {
        let mut tx = inner.db.begin().await?;
        self.save_in(&mut tx, inner, activity).await?;
        Ok(tx.commit().await?)
    }

    /// The same in a transaction that does something else.
    pub(super) async fn save_in(
        &self,
        tx: &mut firebrick_db::Tx,
        inner: &Inner,
        activity: &Activity,
    ) -> Step {
        if activities::save(tx, activity.id, &inner.owner, &json!(self)).await? {
            Ok(())
        } else {
            Err(Stop::Lost)
        }
    }
}
