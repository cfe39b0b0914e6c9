//! The image that a request names: whether it will do, and what of it the story must know.

use firebrick_cloud::{Image, ImageStatus};
use firebrick_db::Activity;
use firebrick_vocabulary::GIB;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::format::DiskFormat;
use super::refused;
use crate::control::Inner;
use crate::error::{Error, ErrorKind, Result};
use crate::options::{FIXED_KEY, ImageOptions};
use crate::request::{Context, Metadata};
use crate::story::{Step, Stop};

/// Where the image stands in the input of an activity.
const KEY: &str = "image";
/// The property of images whose data are encrypted.
const KEY_ID: &str = "cinder_encryption_key_id";
/// The longest key that is remembered.
const MAX_KEY: usize = 255;
/// Keys that are about one image alone, by their beginnings.
const RESERVED: [&str; 4] = [
    "os_glance",
    "img_signature",
    "signature_verified",
    "cinder_encryption_key",
];
/// `glance_core_properties`: what images have of their own.
const CORE: [&str; 9] = [
    "checksum",
    "container_format",
    "disk_format",
    "image_id",
    "image_name",
    "min_disk",
    "min_ram",
    "name",
    "size",
];

/// The image as the request found it, and the user's token, sealed: the story reads just that.
#[derive(Deserialize, Serialize)]
pub(crate) struct Pinned {
    /// The image.
    pub(crate) image: Image,
    token: Option<String>,
}

impl Pinned {
    /// For the story that `context` begins.
    pub(crate) fn new(inner: &Inner, context: &Context, image: Image) -> Result<Self> {
        let token = match context.access.token() {
            None => None,
            Some(token) => {
                let seal = inner.images()?.seal.as_ref();
                let sealed = seal.and_then(|seal| seal.close(token, &image.id.to_string()));
                let none = || Error::new(ErrorKind::Internal, "A token could not be sealed.");
                Some(sealed.ok_or_else(none)?)
            }
        };
        Ok(Self { image, token })
    }

    /// What goes into the input of an activity.
    pub(crate) fn to_json(&self) -> Result<Value> {
        serde_json::to_value(self).map_err(|error| Error::internal("An image", error))
    }

    /// What [`Self::to_json`] put into the input of the activity, if it is about an image.
    pub(crate) fn of(activity: &Activity) -> Step<Option<Self>> {
        match activity.input.get(KEY) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => serde_json::from_value(value.clone())
                .map(Some)
                .map_err(|error| Stop::never(format!("its image is not known: {error}"))),
        }
    }

    /// The user's token.
    pub(crate) fn token(&self, options: &ImageOptions) -> Step<Option<firebrick_cloud::UserToken>> {
        let Some(sealed) = &self.token else {
            return Ok(None);
        };
        let seal = options.seal.as_ref();
        let open = seal.and_then(|seal| seal.open(sealed, &self.image.id.to_string()));
        // The password of this service has changed meanwhile.
        open.map(Some)
            .ok_or_else(|| Stop::never("the token of the request cannot be read any more"))
    }
}

/// The image, if there is one for whoever asks.
pub(crate) async fn wanted(inner: &Inner, context: &Context, id: Uuid) -> Result<Image> {
    let invalid = || {
        let text = "Invalid image identifier or unable to access requested image.";
        Error::new(ErrorKind::Invalid, text)
    };
    let Some(options) = &inner.options.images else {
        return Err(invalid());
    };
    let found = options.glance.show(context.access.token(), id).await;
    found.map_err(|error| match refused(error) {
        error if error.kind == ErrorKind::Unavailable => error,
        error => invalid().because(error),
    })
}

/// Whether a volume of `size` GiB can be made of it.
pub(crate) fn check(image: &Image, size: u32) -> Result<()> {
    let id = image.id;
    if image.status != ImageStatus::Active {
        return Err(Error::invalid_input(format_args!(
            "Image {id} is not active."
        )));
    }
    let size = u64::from(size);
    let bytes = image.size.unwrap_or(0).div_ceil(GIB);
    if bytes > size {
        return Err(Error::invalid_input(format_args!(
            "Size of specified image {bytes}GB is larger than volume size {size}GB."
        )));
    }
    if image.min_disk > size {
        return Err(Error::invalid_input(format_args!(
            "Volume size {size}GB cannot be smaller than the image minDisk size {}GB.",
            image.min_disk
        )));
    }
    let wide = image.virtual_size.unwrap_or(0).div_ceil(GIB);
    if wide > size {
        return Err(unacceptable(
            image,
            format_args!(
                "Image virtual size is {wide}GB and doesn't fit in a volume of size {size}GB."
            ),
        ));
    }
    match image.container_format.as_deref() {
        None | Some("bare" | "ami" | "aki" | "ari") => {}
        Some(other) => {
            let why = format!("container_format {other} is none that is read");
            return Err(unacceptable(image, why));
        }
    }
    let format = image.disk_format.as_deref().unwrap_or_default();
    if DiskFormat::of_image(format).is_none() {
        let why = format!("disk_format {format:?} is none that is read");
        return Err(unacceptable(image, why));
    }
    if let Some(key) = image.properties.get(KEY_ID)
        && (*key != FIXED_KEY.to_string() || format != "raw")
    {
        let why = "its data are encrypted, and there is no key manager";
        return Err(unacceptable(image, why));
    }
    Ok(())
}

/// Whether its data are what hosts with the one fixed key have encrypted.
pub(crate) fn is_encrypted(image: &Image) -> bool {
    image.properties.contains_key(KEY_ID)
}

fn unacceptable(image: &Image, why: impl std::fmt::Display) -> Error {
    let text = format!("Image {} is unacceptable: {why}", image.id);
    Error::new(ErrorKind::Invalid, text)
}

fn is_reserved(key: &str) -> bool {
    RESERVED.iter().any(|start| key.starts_with(start))
}

/// What an image that is made of a volume has of what the volume remembers.
pub(crate) fn custom(mut known: Metadata) -> Metadata {
    known.retain(|key, _| !CORE.contains(&key.as_str()) && !is_reserved(key));
    known
}

/// `volume_image_metadata`: what a volume remembers of its image.
pub(crate) fn remembered(image: &Image) -> Metadata {
    let mut all = Metadata::new();
    for (key, value) in &image.properties {
        if !is_reserved(key) && key.len() <= MAX_KEY {
            all.insert(key.clone(), value.clone());
        }
    }
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let own = [
        ("image_id", image.id.to_string()),
        ("image_name", text(&image.name)),
        ("checksum", text(&image.checksum)),
        ("container_format", text(&image.container_format)),
        ("disk_format", text(&image.disk_format)),
        ("min_disk", image.min_disk.to_string()),
        ("min_ram", image.min_ram.to_string()),
        ("size", image.size.unwrap_or(0).to_string()),
    ];
    all.extend(own.map(|(key, value)| (key.to_owned(), value)));
    all
}
