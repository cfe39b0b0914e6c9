//! `DELETE /volumes/{id}`.

use axum::extract::State;
use axum::http::StatusCode;
use firebrick_control::{Control, DeleteVolume};

use crate::call::{Call, Named, empty};
use crate::fault::Answer;
use crate::ids;
use crate::microversion::Microversion;

pub(crate) async fn delete(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
) -> Answer {
    let id = ids::volume(&id)?;
    let cascade = call.query.flag("cascade")?;
    let force = call.at(Microversion::FORCED_DELETE) && call.query.flag("force")?;
    control
        .delete_volume(&call.context, id, DeleteVolume { cascade, force })
        .await?;
    empty(StatusCode::ACCEPTED)
}
