//! `/snapshots/{id}/metadata` and `/snapshots/{id}/metadata/{key}`.

use axum::extract::State;
use axum::http::StatusCode;
use firebrick_control::{Control, Metadata, MetadataWrite};

use crate::body::{Body, Keys};
use crate::call::{Call, Named, empty};
use crate::fault::{Answer, Fault};
use crate::route::{self, Route, get, post, put};
use crate::schema::snapshots::{META_BODY, METADATA_BODY};
use crate::view::shape::{META, METADATA};
use crate::{ids, metadata};

const ALL: &str = "/snapshots/{id}/metadata";
const ONE: &str = "/snapshots/{id}/metadata/{key}";

pub(super) fn routes() -> Vec<Route> {
    const GET: &[&str] = &["volume:get_snapshot_metadata"];
    const UPDATE: &[&str] = &["volume:update_snapshot_metadata"];
    vec![
        get(ALL, list).answer(&METADATA).rules(GET),
        post(ALL, merge)
            .answer(&METADATA)
            .rules(UPDATE)
            .body(METADATA_BODY),
        put(ALL, replace)
            .answer(&METADATA)
            .rules(UPDATE)
            .body(METADATA_BODY),
        get(ONE, show).answer(&META).rules(GET),
        put(ONE, set).answer(&META).rules(UPDATE).body(META_BODY),
        route::delete(ONE, delete)
            .rules(&["volume:delete_snapshot_metadata"])
            .ok(200),
    ]
}

/// `GET`.
pub(crate) async fn list(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
) -> Answer {
    let found = control
        .snapshot_metadata(&call.context, ids::snapshot(&id)?)
        .await?;
    metadata::all(&found)
}

/// `POST`: other keys stay.
pub(crate) async fn merge(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
    body: Body,
) -> Answer {
    let change = metadata::read(&body, Keys::SnapshotMetadata)?;
    let id = ids::snapshot(&id)?;
    let how = MetadataWrite::Merge;
    metadata::all(
        &control
            .set_snapshot_metadata(&call.context, id, change, how)
            .await?,
    )
}

/// `PUT`: other keys go.
pub(crate) async fn replace(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
    body: Body,
) -> Answer {
    let id = ids::snapshot(&id)?;
    let change = metadata::read(&body, Keys::SnapshotMetadata)?;
    let how = MetadataWrite::Replace;
    metadata::all(
        &control
            .set_snapshot_metadata(&call.context, id, change, how)
            .await?,
    )
}

/// `GET …/{key}`.
pub(crate) async fn show(
    State(control): State<Control>,
    Named((id, key)): Named<(String, String)>,
    call: Call,
) -> Answer {
    let id = ids::snapshot(&id)?;
    let found = control.snapshot_metadata(&call.context, id).await?;
    metadata::one(&found, &key, || {
        metadata::missing(format_args!("Snapshot {id}"), &key)
    })
}

/// `PUT …/{key}`.
pub(crate) async fn set(
    State(control): State<Control>,
    Named((id, key)): Named<(String, String)>,
    call: Call,
    body: Body,
) -> Answer {
    let id = ids::snapshot(&id)?;
    let change = metadata::read_one(&body, &key, Keys::SnapshotMetadata)?;
    let how = MetadataWrite::One;
    let all: Metadata = control
        .set_snapshot_metadata(&call.context, id, change, how)
        .await?;
    metadata::one(&all, &key, Fault::internal)
}

/// `DELETE …/{key}`.
pub(crate) async fn delete(
    State(control): State<Control>,
    Named((id, key)): Named<(String, String)>,
    call: Call,
) -> Answer {
    control
        .delete_snapshot_metadata(&call.context, ids::snapshot(&id)?, &key)
        .await?;
    empty(StatusCode::OK)
}
