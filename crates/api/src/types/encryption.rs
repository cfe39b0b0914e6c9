//! How the volumes of a type are encrypted: `/types/{id}/encryption`.

use axum::extract::State;
use axum::http::StatusCode;
use firebrick_control::{Control, CreateEncryption, UpdateEncryption};
use serde_json::{Map, Value, json};

use crate::body::{Body, Fields};
use crate::call::{Call, Named, empty, ok};
use crate::fault::{Answer, Fault};
use crate::ids;
use crate::route::{self, Route, get, post, put};
use crate::schema::types as bodies;
use crate::view::encryption as view;

const ALL: &str = "/types/{id}/encryption";
const ONE: &str = "/types/{id}/encryption/{key}";

pub(super) fn routes() -> Vec<Route> {
    vec![
        get(ALL, list)
            .answer(&view::SPECS)
            .rules(&["volume_extension:volume_type_encryption:get"]),
        post(ALL, create)
            .answer(&view::GIVEN)
            .rules(&["volume_extension:volume_type_encryption:create"])
            .body(bodies::NEW_ENCRYPTION),
        get(ONE, show)
            .answer(&view::SPEC)
            .rules(&["volume_extension:volume_type_encryption:get"]),
        put(ONE, update)
            .answer(&view::GIVEN)
            .rules(&["volume_extension:volume_type_encryption:update"])
            .body(bodies::CHANGED_ENCRYPTION),
        route::delete(ONE, delete).rules(&["volume_extension:volume_type_encryption:delete"]),
    ]
}

async fn list(State(control): State<Control>, Named(id): Named<String>, call: Call) -> Answer {
    let id = ids::volume_type(&id)?;
    let found = control.type_encryption(&call.context, id).await?;
    ok(found.map_or_else(Map::new, |found| view::specs(&found)))
}

async fn show(
    State(control): State<Control>,
    Named((id, key)): Named<(String, String)>,
    call: Call,
) -> Answer {
    let id = ids::volume_type(&id)?;
    let found = control.type_encryption(&call.context, id).await?;
    let value = found.and_then(|found| view::specs(&found).remove(&key));
    let value = value.ok_or_else(|| {
        Fault::not_found(format!(
            "Volume type encryption for type {id} does not exist."
        ))
    })?;
    ok(json!({ key: value }))
}

async fn create(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
    body: Body,
) -> Answer {
    let fields = body.only("encryption")?;
    let change = read(&fields)?;
    let request = CreateEncryption {
        provider: change.provider.ok_or_else(Fault::malformed)?,
        cipher: change.cipher.flatten(),
        key_size: change.key_size.flatten(),
        control_location: change.control_location.ok_or_else(Fault::malformed)?,
    };
    let id = ids::volume_type(&id)?;
    let made = control
        .create_type_encryption(&call.context, id, request)
        .await?;
    let mut shown = view::given(&fields);
    shown.insert("volume_type_id".to_owned(), json!(id.to_string()));
    shown.insert("encryption_id".to_owned(), json!(made.id.to_string()));
    ok(json!({ "encryption": shown }))
}

/// A type has one encryption, so that as in Cinder its id is not looked at.
async fn update(
    State(control): State<Control>,
    Named((id, _)): Named<(String, String)>,
    call: Call,
    body: Body,
) -> Answer {
    let fields = body.only("encryption")?;
    let id = ids::volume_type(&id)?;
    let change = read(&fields)?;
    control
        .update_type_encryption(&call.context, id, change)
        .await?;
    ok(json!({ "encryption": view::given(&fields) }))
}

async fn delete(
    State(control): State<Control>,
    Named((id, _)): Named<(String, String)>,
    call: Call,
) -> Answer {
    let id = ids::volume_type(&id)?;
    control.delete_type_encryption(&call.context, id).await?;
    empty(StatusCode::ACCEPTED)
}

fn read(fields: &Fields<'_>) -> Result<UpdateEncryption, Fault> {
    Ok(UpdateEncryption {
        provider: fields.text("provider", 0)?,
        cipher: fields.text_or_null("cipher", 0)?,
        key_size: fields.get("key_size").map(view::key_size),
        control_location: fields
            .get("control_location")
            .and_then(Value::as_str)
            .map(str::to_owned),
    })
}
