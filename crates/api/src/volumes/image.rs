//! The actions that move bytes between volumes and images.

use axum::http::StatusCode;
use firebrick_control::{UploadImage, Visibility};

use super::action::Asked;
use crate::body::Fields;
use crate::call::{accepted, empty};
use crate::fault::{Answer, Fault};
use crate::microversion::Microversion as V;
use crate::view;

/// `os-volume_upload_image`.
pub(super) async fn upload(asked: &Asked, fields: Fields<'_>) -> Answer {
    let Asked { control, call, id } = asked;
    let fields = fields.object("os-volume_upload_image")?;
    let text = |key| Ok::<_, Fault>(fields.text(key, 1)?.filter(|text| !text.is_empty()));
    let name = text("image_name")?.ok_or_else(Fault::malformed)?;
    let (visibility, protected) = if call.at(V::UPLOAD_OPTIONS) {
        let visibility = match text("visibility")? {
            None => Visibility::Private,
            Some(given) => {
                let mut known = Visibility::ALL.into_iter();
                let found = known.find(|known| known.name() == given);
                found.ok_or_else(Fault::malformed)?
            }
        };
        let protected = fields.boolean("protected")?.unwrap_or(false);
        (Some(visibility), Some(protected))
    } else {
        (None, None)
    };
    let request = UploadImage {
        name,
        force: fields.boolean("force")?.unwrap_or(false),
        disk_format: text("disk_format")?.unwrap_or_else(|| "raw".to_owned()),
        container_format: text("container_format")?.unwrap_or_else(|| "bare".to_owned()),
        visibility,
        protected,
    };
    let uploading = control.upload_volume(&call.context, *id, request).await?;
    let shown = view::image::uploading(&uploading);
    accepted(view::one("os-volume_upload_image", shown))
}

/// `os-reimage`.
pub(super) async fn reimage(asked: &Asked, fields: Fields<'_>) -> Answer {
    let Asked { control, call, id } = asked;
    let fields = fields.object("os-reimage")?;
    let image = fields.uuid_or_null("image_id")?;
    let image = image.ok_or_else(Fault::malformed)?;
    let reserved = fields.boolean("reimage_reserved")?.unwrap_or(false);
    control
        .reimage_volume(&call.context, *id, image, reserved)
        .await?;
    empty(StatusCode::ACCEPTED)
}
