//! `GET /limits`.

use axum::extract::State;
use firebrick_control::{Context, Control};
use firebrick_vocabulary::ProjectId;
use serde_json::json;

use crate::auth::is_project;
use crate::call::{Call, ok};
use crate::fault::{Answer, Fault};
use crate::microversion::Microversion;
use crate::route::{Route, get};
use crate::schema::{ANY, Schema, array, object, only};
use crate::view::shape::WHOLE;

const LIMITS: Schema = only(
    &["limits"],
    &[(
        "limits",
        object(&[("rate", array(&ANY)), ("absolute", ABSOLUTE)])
            .required(&["rate", "absolute"])
            .closed(),
    )],
);

const ABSOLUTE: Schema = object(&[
    ("maxTotalVolumes", WHOLE),
    ("maxTotalSnapshots", WHOLE),
    ("maxTotalVolumeGigabytes", WHOLE),
    ("maxTotalBackups", WHOLE),
    ("maxTotalBackupGigabytes", WHOLE),
    ("totalVolumesUsed", WHOLE),
    ("totalSnapshotsUsed", WHOLE),
    ("totalGigabytesUsed", WHOLE),
    ("totalBackupsUsed", WHOLE),
    ("totalBackupGigabytesUsed", WHOLE),
])
.required(&[
    "maxTotalVolumes",
    "maxTotalSnapshots",
    "maxTotalVolumeGigabytes",
    "maxTotalBackups",
    "maxTotalBackupGigabytes",
])
.closed();

/// `/limits`.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        get("/limits", limits)
            .answer(&LIMITS)
            .rules(&["limits_extension:used_limits"])
            .query(&["project_id", "tenant_id"]),
    ]
}

async fn limits(State(control): State<Control>, call: Call) -> Answer {
    let limits = control.limits(&of(&call)?).await?;
    let mut absolute = json!({
        "maxTotalVolumes": limits.volumes,
        "maxTotalSnapshots": limits.snapshots,
        "maxTotalVolumeGigabytes": limits.gigabytes,
        "maxTotalBackups": limits.backups,
        "maxTotalBackupGigabytes": limits.backup_gigabytes,
    });
    if let Some(used) = limits.used {
        absolute["totalVolumesUsed"] = json!(used.volumes);
        absolute["totalSnapshotsUsed"] = json!(used.snapshots);
        absolute["totalGigabytesUsed"] = json!(used.gigabytes);
        absolute["totalBackupsUsed"] = json!(used.backups);
        absolute["totalBackupGigabytesUsed"] = json!(used.backup_gigabytes);
    }
    ok(json!({ "limits": { "rate": [], "absolute": absolute } }))
}

/// Who is asked about: administrators may name another project.
fn of(call: &Call) -> Result<Context, Fault> {
    let named = call.query.get("project_id").or(call.query.get("tenant_id"));
    match named.filter(|_| call.at(Microversion::LIMITS_OF_PROJECT) && call.context.is_admin()) {
        None => Ok(call.context.clone()),
        Some(project) if is_project(project) => {
            let project = ProjectId(project.to_owned());
            Ok(Context {
                project,
                ..call.context.clone()
            })
        }
        Some(_) => Err(Fault::invalid_input("project_id is no project's id")),
    }
}
