//! `/snapshots/{id}/metadata` and `/snapshots/{id}/metadata/{key}`.

use axum::extract::State;
use axum::http::StatusCode;
use firebrick_control::{Control, Metadata, MetadataWrite};

use crate::body::{Body, Keys};
use crate::call::{Call, Named, empty};
use crate::fault::{Answer, Fault};
use crate::{ids, metadata};

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
    let how = MetadataWrite::Merge;
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
