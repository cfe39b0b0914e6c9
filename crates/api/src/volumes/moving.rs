//! The actions by which a volume gets another type or another place.

use axum::http::StatusCode;
use firebrick_control::{MigrateVolume, MigrationPolicy, RetypeVolume};
use firebrick_vocabulary::VolumeId;
use serde_json::{Value, json};

use super::action::Asked;
use crate::body::Fields;
use crate::call::{empty, ok};
use crate::fault::{Answer, Fault};
use crate::manage::one_of;
use crate::microversion::Microversion as V;
use crate::query::boolean;
use crate::route::Action;
use crate::schema::moving as bodies;
use crate::schema::{ID, Schema, only};

const SAVED: Schema = only(&["save_volume_id"], &[("save_volume_id", ID)]);

/// `os-retype`.
pub(super) const RETYPE: Action = Action::new(
    "os-retype",
    &["volume:retype", "volume:multiattach"],
    bodies::RETYPE,
);

/// `os-migrate_volume`.
pub(super) const MIGRATE: Action = Action::new(
    "os-migrate_volume",
    &["volume_extension:volume_admin_actions:migrate_volume"],
    bodies::MIGRATE,
);

/// `os-migrate_volume_completion`.
pub(super) const COMPLETE_MIGRATION: Action = Action::new(
    "os-migrate_volume_completion",
    &["volume_extension:volume_admin_actions:migrate_volume_completion"],
    bodies::COMPLETE_MIGRATION,
)
.answer(&SAVED);

/// `os-extend_volume_completion`.
pub(super) const COMPLETE_EXTENSION: Action = Action::new(
    "os-extend_volume_completion",
    &["volume_extension:volume_admin_actions:extend_volume_completion"],
    bodies::COMPLETE_EXTENSION,
)
.since(V::EXTEND_COMPLETION);

pub(super) async fn retype(asked: &Asked, fields: Fields<'_>) -> Answer {
    let fields = fields.object("os-retype")?;
    let new_type = fields.text("new_type", 0)?.ok_or_else(Fault::malformed)?;
    let policy = match fields.one_of("migration_policy", &["on-demand", "never"])? {
        Some("on-demand") => MigrationPolicy::OnDemand,
        Some(_) | None => MigrationPolicy::Never,
    };
    let request = RetypeVolume { new_type, policy };
    let context = &asked.call.context;
    asked
        .control
        .retype_volume(context, asked.id, request)
        .await?;
    empty(StatusCode::ACCEPTED)
}

pub(super) async fn migrate(asked: &Asked, fields: Fields<'_>) -> Answer {
    let fields = fields.object("os-migrate_volume")?;
    let text = |key| Ok::<_, Fault>(fields.text_or_null(key, 0)?.flatten());
    let (host, cluster) = (text("host")?, text("cluster")?);
    let clusters = asked.call.at(V::MIGRATE_TO_CLUSTER);
    // Every migration copies.
    fields.boolean("force_host_copy")?;
    let request = MigrateVolume {
        to: one_of(host.as_deref(), cluster.as_deref(), clusters)?,
        lock: fields.boolean("lock_volume")?.unwrap_or(false),
    };
    let context = &asked.call.context;
    asked
        .control
        .migrate_volume(context, asked.id, request)
        .await?;
    empty(StatusCode::ACCEPTED)
}

pub(super) async fn complete_migration(asked: &Asked, fields: Fields<'_>) -> Answer {
    let fields = fields.object("os-migrate_volume_completion")?;
    let new = fields.uuid("new_volume")?.ok_or_else(Fault::malformed)?;
    let context = &asked.call.context;
    let saved = asked
        .control
        .complete_migration(context, asked.id, VolumeId(new), failed(&fields))
        .await?;
    ok(json!({ "save_volume_id": saved }))
}

pub(super) async fn complete_extension(asked: &Asked, fields: Fields<'_>) -> Answer {
    fields.object("os-extend_volume_completion")?;
    let context = &asked.call.context;
    asked.control.complete_extension(context, asked.id).await?;
    empty(StatusCode::ACCEPTED)
}

/// `error`: a boolean, or a text that is one.
fn failed(fields: &Fields<'_>) -> bool {
    match fields.get("error") {
        Some(Value::Bool(flag)) => *flag,
        Some(Value::String(text)) => boolean(text).unwrap_or(!text.is_empty()),
        Some(Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_)) | None => false,
    }
}
