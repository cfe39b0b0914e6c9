//! `rpo_target_seconds` of volume types: what it may be, and telling projects where it is missed.

use firebrick_db::{Column, Listing, Test};
use firebrick_db::{Message, Tx, Volume, VolumeType, messages, now, types, volumes};
use firebrick_state::{
    MessageAction as Action, MessageDetail as Detail, MessageResource as Resource, event_id,
};
use firebrick_vocabulary::MessageId;
use time::Duration;
use tracing::warn;

use super::relation::Relation;
use crate::control::Inner;
use crate::error::{Error, Result};
use crate::options::BackendOptions;
use crate::request::Metadata;

/// The extra spec: so many seconds of writes may be missing at the other site.
const KEY: &str = "rpo_target_seconds";
/// The longest: a week, in seconds.
const MOST: f64 = 7.0 * 86_400.0;

/// The target of the volumes of a type, in seconds.
pub(crate) fn rpo_target(kind: &VolumeType) -> Option<f64> {
    parsed(kind.extra_specs.get(KEY)?)
}

fn parsed(text: &str) -> Option<f64> {
    let seconds = text.trim().parse::<f64>().ok()?;
    (0.1..=MOST).contains(&seconds).then_some(seconds)
}

/// Refuses extra specs with a target that is none.
pub(crate) fn check_rpo_target(specs: &Metadata) -> Result<()> {
    match specs.get(KEY) {
        Some(text) if parsed(text).is_none() => {
            let shown: String = text.chars().take(64).collect();
            Err(Error::invalid_input(format_args!(
                "Extra spec {KEY} must be a number of seconds from 0.1 to {MOST}, not '{shown}'."
            )))
        }
        Some(_) | None => Ok(()),
    }
}

/// Tells the projects of those volumes of a backend whose copies are further behind than their types demand.
pub(crate) async fn watch(inner: &Inner, backend: &BackendOptions) -> Result<()> {
    if backend.targets.is_empty() {
        return Ok(());
    }
    let (kinds, rows) = {
        let connection = &mut *inner.db.read().await?;
        let mut kinds = types::all(connection).await?;
        kinds.retain(|kind| rpo_target(kind).is_some());
        if kinds.is_empty() {
            return Ok(());
        }
        let ids = kinds.iter().map(|kind| kind.id.to_string()).collect();
        let host = inner.host_of(backend);
        let listing = Listing::default()
            .and(Column::Host, Test::Begins(format!("{host}#")))
            .and(Column::VolumeType, Test::OneOf(ids));
        let rows = volumes::list(connection, &listing).await?;
        (kinds, rows.unwrap_or_default())
    };
    for relation in inner.relations(&rows, &kinds).await? {
        if relation.rpo_met() == Some(false) {
            tell(inner, &relation).await?;
        }
    }
    Ok(())
}

/// One message for each time that the target begins to be missed, whoever looks and however often.
async fn tell(inner: &Inner, relation: &Relation) -> Result<()> {
    let (Some(lag), Some(target)) = (relation.lag_seconds, relation.rpo_target) else {
        return Ok(());
    };
    let missed_for = Duration::checked_seconds_f64(lag - target).unwrap_or(Duration::ZERO);
    // What is measured twice is not the same to the second.
    let begun = now() - missed_for - Duration::SECOND;
    let mut tx = inner.db.begin().await?;
    // Of two that look at once, one tells.
    let Some(volume) = volumes::get_locked(&mut tx, relation.volume).await? else {
        return Ok(());
    };
    if told_since(&mut tx, &volume, begun).await? {
        return Ok(());
    }
    warn!(volume = %volume.id, site = relation.secondary, lag, target,
          "a copy lacks more seconds of writes than the volume's type allows");
    let note = format!("{lag:.1} s of writes are missing there, {target} s are allowed");
    let created_at = now();
    let message = Message {
        id: MessageId::random(),
        project: volume.project,
        request_id: format!("req-{}", uuid::Uuid::new_v4()),
        resource_type: Resource::Volume,
        resource: Some(volume.id.0),
        event_id: event_id(
            Resource::Volume,
            Action::ReplicateVolume,
            Detail::RpoTargetMissed,
        ),
        action: u32::from(Action::ReplicateVolume.number()),
        detail: u32::from(Detail::RpoTargetMissed.number()),
        note: Some(note),
        level: "ERROR".to_owned(),
        created_at,
        expires_at: created_at + inner.options.message_ttl,
    };
    messages::insert(&mut tx, &message).await?;
    Ok(tx.commit().await?)
}

async fn told_since(tx: &mut Tx, volume: &Volume, begun: time::OffsetDateTime) -> Result<bool> {
    let listing = Listing::of(Column::Resource, &volume.id);
    let told = messages::list(tx, &listing).await?.unwrap_or_default();
    let detail = u32::from(Detail::RpoTargetMissed.number());
    Ok(told
        .iter()
        .any(|it| it.detail == detail && it.created_at >= begun))
}
