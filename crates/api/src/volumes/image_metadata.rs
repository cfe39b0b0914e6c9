//! The actions about what a volume remembers of its image.

use axum::http::StatusCode;
use firebrick_control::Metadata;

use super::action::Asked;
use crate::body::Fields;
use crate::call::empty;
use crate::fault::{Answer, Fault};
use crate::metadata;

/// `os-show_image_metadata`.
pub(super) async fn show(asked: &Asked) -> Answer {
    let Asked { control, call, id } = asked;
    metadata::all(&control.image_metadata(&call.context, *id).await?)
}

/// `os-set_image_metadata`.
pub(super) async fn set(asked: &Asked, fields: Fields<'_>) -> Answer {
    let Asked { control, call, id } = asked;
    let fields = fields.object("os-set_image_metadata")?.object("metadata")?;
    let texts = fields.entries().iter().map(|(key, value)| {
        let value = value.as_str().ok_or_else(Fault::malformed)?;
        Ok((key.clone(), value.to_owned()))
    });
    let change = texts.collect::<Result<Metadata, Fault>>()?;
    let set = control.set_image_metadata(&call.context, *id, change);
    metadata::all(&set.await?)
}

/// `os-unset_image_metadata`.
pub(super) async fn unset(asked: &Asked, fields: Fields<'_>) -> Answer {
    let Asked { control, call, id } = asked;
    let fields = fields.object("os-unset_image_metadata")?;
    let key = fields.text("key", 1)?.ok_or_else(Fault::malformed)?;
    control
        .unset_image_metadata(&call.context, *id, &key)
        .await?;
    empty(StatusCode::OK)
}
