//! One QoS spec: `/qos-specs/{id}`, `POST /qos-specs` and `PUT …/delete_keys`.

use axum::extract::State;
use axum::http::StatusCode;
use firebrick_control::{Control, CreateQos, Metadata, QosConsumer, UpdateQos};
use serde_json::{Value, json};

use crate::body::{Body, Fields, Keys};
use crate::call::{Call, Named, empty, ok};
use crate::fault::{Answer, Fault};
use crate::ids;
use crate::query::boolean;
use crate::view::qos as view;

/// The longest name, key or value.
const MAX_TEXT: usize = 255;

/// `GET /qos-specs/{id}`.
pub(crate) async fn show(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
) -> Answer {
    let spec = control.qos_spec(&call.context, ids::qos(&id)?).await?;
    ok(view::alone(&call, &spec))
}

/// `POST /qos-specs`.
pub(crate) async fn create(State(control): State<Control>, call: Call, body: Body) -> Answer {
    let request = new(body.only("qos_specs")?)?;
    let spec = control.create_qos(&call.context, request).await?;
    ok(view::alone(&call, &spec))
}

fn new(fields: Fields<'_>) -> Result<CreateQos, Fault> {
    let name = match fields.trimmed(["name", "name"], "name")?.flatten() {
        Some(name) if !name.is_empty() => name,
        Some(_) | None => {
            return Err(Fault::bad_request(
                "An invalid 'name' value was provided. The 'name' can not be None.",
            ));
        }
    };
    let mut specs = Metadata::new();
    for (key, value) in fields.entries() {
        if key != "name" && key != "consumer" {
            specs.insert(key.clone(), text(key, value)?);
        }
    }
    Ok(CreateQos {
        name,
        consumer: consumer(&fields)?.unwrap_or(QosConsumer::BackEnd),
        specs,
    })
}

/// The value of a new key, by the rules that Cinder has in place of a schema here.
fn text(key: &str, value: &Value) -> Result<String, Fault> {
    if key.is_empty() {
        return Err(Fault::invalid_input("Metadata property key blank."));
    }
    if key.chars().count() > MAX_TEXT {
        return Err(Fault::invalid_input(
            "Metadata property key greater than 255 characters.",
        ));
    }
    let Value::String(text) = value else {
        return Err(Fault::invalid_input(format!(
            "Value for key \"{key}\" is not a string or unicode"
        )));
    };
    if text.chars().count() > MAX_TEXT {
        return Err(Fault::invalid_input(
            "Metadata property value greater than 255 characters.",
        ));
    }
    Ok(text.clone())
}

/// `consumer`, where it is there.
fn consumer(fields: &Fields<'_>) -> Result<Option<QosConsumer>, Fault> {
    let Some(value) = fields.get("consumer") else {
        return Ok(None);
    };
    let known = value.as_str().and_then(|text| text.parse().ok());
    known.map(Some).ok_or_else(|| {
        Fault::bad_request(
            "Invalid qos specs: Valid consumer of QoS specs are: QoSConsumerValues(default=<class \
             'oslo_versionedobjects.fields.UnspecifiedDefault'>,nullable=False,valid_values=\
             ('back-end', 'front-end', 'both'))",
        )
    })
}

/// `PUT /qos-specs/{id}`: other keys stay.
pub(crate) async fn update(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
    body: Body,
) -> Answer {
    let fields = body.only("qos_specs")?;
    let mut specs = fields.texts(Keys::NewExtraSpecs)?;
    specs.remove("consumer");
    let change = UpdateQos {
        consumer: consumer(&fields)?,
        specs,
    };
    control
        .update_qos(&call.context, ids::qos(&id)?, change)
        .await?;
    ok(json!({ "qos_specs": fields.entries() }))
}

/// `DELETE /qos-specs/{id}`.
pub(crate) async fn delete(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
) -> Answer {
    // As in Cinder, what is no boolean is false.
    let force = call.query.get("force").and_then(boolean).unwrap_or(false);
    control
        .delete_qos(&call.context, ids::qos(&id)?, force)
        .await?;
    empty(StatusCode::ACCEPTED)
}

/// `PUT /qos-specs/{id}/delete_keys`.
pub(crate) async fn delete_keys(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
    body: Body,
) -> Answer {
    let root = body.root()?;
    let keys = root.texts_of("keys")?;
    control
        .delete_qos_keys(&call.context, ids::qos(&id)?, &keys)
        .await?;
    empty(StatusCode::ACCEPTED)
}
