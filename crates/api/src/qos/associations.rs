//! Which types have a QoS spec: `/qos-specs/{id}/associations` and what changes it.

use axum::extract::State;
use axum::http::StatusCode;
use firebrick_control::Control;
use firebrick_vocabulary::TypeId;

use crate::call::{Call, Named, empty, ok};
use crate::fault::{Answer, Fault};
use crate::ids;
use crate::view::{one, qos as view};

/// `GET …/associations`.
pub(crate) async fn list(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
) -> Answer {
    let kinds = control.qos_types(&call.context, ids::qos(&id)?).await?;
    let shown: Vec<_> = kinds.iter().map(view::association).collect();
    ok(one("qos_associations", shown))
}

/// `GET …/associate?vol_type_id=`.
pub(crate) async fn associate(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
) -> Answer {
    let kind = kind(&call)?;
    control
        .associate_qos(&call.context, ids::qos(&id)?, kind)
        .await?;
    empty(StatusCode::ACCEPTED)
}

/// `GET …/disassociate?vol_type_id=`.
pub(crate) async fn disassociate(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
) -> Answer {
    let kind = kind(&call)?;
    control
        .disassociate_qos(&call.context, ids::qos(&id)?, kind)
        .await?;
    empty(StatusCode::ACCEPTED)
}

/// `GET …/disassociate_all`.
pub(crate) async fn disassociate_all(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
) -> Answer {
    control
        .disassociate_qos_from_all(&call.context, ids::qos(&id)?)
        .await?;
    empty(StatusCode::ACCEPTED)
}

fn kind(call: &Call) -> Result<TypeId, Fault> {
    match call.query.get("vol_type_id") {
        None | Some("") => Err(Fault::bad_request("Volume Type id must not be None.")),
        Some(text) => ids::volume_type(text),
    }
}
