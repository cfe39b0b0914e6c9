//! `GET /os-services`.

use axum::extract::State;
use firebrick_control::Control;

use crate::call::{Call, ok};
use crate::fault::Answer;
use crate::view;

pub(crate) async fn list(State(control): State<Control>, call: Call) -> Answer {
    // `service` is the older name of the filter.
    let binary = call.query.get("binary").or(call.query.get("service"));
    let found = control
        .services(&call.context, binary, call.query.get("host"))
        .await?;
    let items: Vec<_> = found
        .iter()
        .map(|s| view::service::listed(&call, s))
        .collect();
    ok(view::one("services", items))
}
