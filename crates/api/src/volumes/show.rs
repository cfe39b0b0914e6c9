//! `GET /volumes/{id}`.

use axum::extract::State;
use firebrick_control::Control;

use crate::call::{Call, Named, ok};
use crate::fault::Answer;
use crate::{ids, view};

pub(crate) async fn show(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
) -> Answer {
    let detail = control.volume(&call.context, ids::volume(&id)?).await?;
    ok(view::one("volume", view::volume::full(&call, &detail)))
}
