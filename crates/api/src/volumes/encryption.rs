//! What the hosts of a volume must know to read it: `/volumes/{id}/encryption`.

use axum::extract::State;
use axum::response::{Html, IntoResponse};
use firebrick_control::Control;
use serde_json::{Map, Value};

use crate::call::{Call, Named, ok};
use crate::fault::{Answer, Fault};
use crate::ids;
use crate::route::{Route, get};
use crate::schema::TEXT;
use crate::view::encryption as view;

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/volumes/{id}/encryption", list)
            .answer(&view::OF_VOLUME)
            .rules(&["volume_extension:volume_encryption_metadata"]),
        get("/volumes/{id}/encryption/{key}", show)
            .plain(&TEXT)
            .rules(&["volume_extension:volume_encryption_metadata"]),
    ]
}

async fn list(State(control): State<Control>, Named(id): Named<String>, call: Call) -> Answer {
    ok(read(&control, &call, &id).await?)
}

/// One value, as it is: Cinder sends no JSON here.
async fn show(
    State(control): State<Control>,
    Named((id, key)): Named<(String, String)>,
    call: Call,
) -> Answer {
    let value = read(&control, &call, &id).await?.remove(&key);
    let text = match value {
        Some(Value::String(text)) => text,
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) | None => {
            return Err(Fault::no_route());
        }
    };
    Ok(Html(text).into_response())
}

async fn read(control: &Control, call: &Call, id: &str) -> Result<Map<String, Value>, Fault> {
    let id = ids::volume(id)?;
    let (key, encryption) = control.volume_encryption(&call.context, id).await?;
    Ok(view::of_volume(key, encryption.as_ref()))
}
