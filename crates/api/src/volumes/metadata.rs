//! `/volumes/{id}/metadata` and `/volumes/{id}/metadata/{key}`.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use firebrick_control::{Control, Metadata, MetadataWrite};
use firebrick_vocabulary::VolumeId;

use crate::body::{Body, Keys};
use crate::call::{Call, Named, empty};
use crate::fault::{Answer, Fault};
use crate::microversion::Microversion;
use crate::route::{self, Route, get, post, put};
use crate::schema::volumes::{META_BODY, METADATA_BODY};
use crate::view::shape::{META, METADATA};
use crate::{ids, metadata};

const ALL: &str = "/volumes/{id}/metadata";
const ONE: &str = "/volumes/{id}/metadata/{key}";

pub(super) fn routes() -> Vec<Route> {
    const GET: &[&str] = &["volume:get_volume_metadata"];
    const UPDATE: &[&str] = &["volume:update_volume_metadata"];
    vec![
        get(ALL, list).answer(&METADATA).rules(GET),
        post(ALL, merge)
            .answer(&METADATA)
            .rules(&["volume:create_volume_metadata"])
            .body(METADATA_BODY),
        put(ALL, replace)
            .answer(&METADATA)
            .rules(UPDATE)
            .body(METADATA_BODY),
        get(ONE, show).answer(&META).rules(GET),
        put(ONE, set).answer(&META).rules(UPDATE).body(META_BODY),
        route::delete(ONE, delete)
            .rules(&["volume:delete_volume_metadata"])
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
        .volume_metadata(&call.context, ids::volume(&id)?)
        .await?;
    let answer = metadata::all(&found);
    if call.at(Microversion::METADATA_ETAG) {
        metadata::tagged(answer, &found)
    } else {
        answer
    }
}

/// `POST`: other keys stay.
pub(crate) async fn merge(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
    body: Body,
) -> Answer {
    let change = metadata::read(&body, Keys::Metadata)?;
    let id = ids::volume(&id)?;
    let how = MetadataWrite::Merge;
    metadata::all(
        &control
            .set_volume_metadata(&call.context, id, change, how)
            .await?,
    )
}

/// `PUT`: other keys go.
pub(crate) async fn replace(
    State(control): State<Control>,
    Named(id): Named<String>,
    headers: HeaderMap,
    call: Call,
    body: Body,
) -> Answer {
    let id = ids::volume(&id)?;
    let change = metadata::read(&body, Keys::Metadata)?;
    if let Some(refusal) = changed(&control, &call, id, &headers).await? {
        return Ok(refusal);
    }
    let how = MetadataWrite::Replace;
    metadata::all(
        &control
            .set_volume_metadata(&call.context, id, change, how)
            .await?,
    )
}

/// `GET …/{key}`.
pub(crate) async fn show(
    State(control): State<Control>,
    Named((id, key)): Named<(String, String)>,
    call: Call,
) -> Answer {
    let id = ids::volume(&id)?;
    let found = control.volume_metadata(&call.context, id).await?;
    metadata::one(&found, &key, || {
        metadata::missing(format_args!("Volume {id}"), &key)
    })
}

/// `PUT …/{key}`.
pub(crate) async fn set(
    State(control): State<Control>,
    Named((id, key)): Named<(String, String)>,
    headers: HeaderMap,
    call: Call,
    body: Body,
) -> Answer {
    let id = ids::volume(&id)?;
    let change = metadata::read_one(&body, &key, Keys::Metadata)?;
    if let Some(refusal) = changed(&control, &call, id, &headers).await? {
        return Ok(refusal);
    }
    let how = MetadataWrite::One;
    let all: Metadata = control
        .set_volume_metadata(&call.context, id, change, how)
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
        .delete_volume_metadata(&call.context, ids::volume(&id)?, &key)
        .await?;
    empty(StatusCode::OK)
}

/// The refusal, where the request says `If-Match` and the metadata is another by now.
async fn changed(
    control: &Control,
    call: &Call,
    id: VolumeId,
    headers: &HeaderMap,
) -> Result<Option<Response>, Fault> {
    if !call.at(Microversion::METADATA_ETAG) {
        return Ok(None);
    }
    let found = control.volume_metadata(&call.context, id).await?;
    Ok(metadata::refusal(headers, &found))
}
