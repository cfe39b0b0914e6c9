//! The image that a request names: whether it will do, and what of it the story must know.

use firebrick_cloud::{GlanceError, Image, ImageStatus};
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
use crate::request::{Context, ImageRef, Metadata};
use crate::story::{Step, Stop};

/// Where the image stands in the input of an activity.
const KEY: &str = "image";
/// The property of images whose data are encrypted.
const KEY_ID: &str = "cinder_encryption_key_id";
/// Any of these says that an image is signed.
const SIGNATURE: [&str; 4] = [
    "img_signature",
    "img_signature_certificate_uuid",
    "img_signature_hash_method",
    "img_signature_key_type",
];
/// What a volume remembers of whether the signature of its image was checked.
const VERIFIED: &str = "signature_verified";
/// The longest key that is remembered.
const MAX_KEY: usize = 255;
/// Keys that are about one image alone, by their beginnings.
const RESERVED: [&str; 4] = [
    "os_glance",
    "img_signature",
    VERIFIED,
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

/// The image of that id, if there is one for whoever asks.
pub(crate) async fn wanted(inner: &Inner, context: &Context, id: Uuid) -> Result<Image> {
    let options = inner.options.images.as_ref().ok_or_else(invalid)?;
    let found = options.glance.show(context.access.token(), id).await;
    found.map_err(unusable)
}

/// The image that a request names, if there is one for whoever asks, and no other of that name.
pub(crate) async fn named(inner: &Inner, context: &Context, image: &ImageRef) -> Result<Image> {
    if let Some(id) = image.id() {
        match wanted(inner, context, id).await {
            Err(error) if error.kind == ErrorKind::Invalid => {}
            found => return found,
        }
    }
    let options = inner.options.images.as_ref().ok_or_else(invalid)?;
    let (token, name) = (context.access.token(), image.name());
    let found = options.glance.named(token, name).await;
    let mut found = found.map_err(unusable)?.into_iter();
    match (found.next(), found.next()) {
        (None, _) => Err(invalid()),
        (Some(image), None) => Ok(image),
        (Some(_), Some(_)) => {
            let text =
                format_args!("Multiple matches found for '{name}', use an ID to be more specific.");
            Err(Error::new(ErrorKind::Conflict, text))
        }
    }
}

fn invalid() -> Error {
    let text = "Invalid image identifier or unable to access requested image.";
    Error::new(ErrorKind::Invalid, text)
}

fn unusable(error: GlanceError) -> Error {
    match refused(error) {
        error if error.kind == ErrorKind::Unavailable => error,
        error => invalid().because(error),
    }
}

/// Whether a volume of `size` GiB can be made of it, or of the snapshot for which it stands.
pub(crate) fn check_image(image: &Image, size: u32) -> Result<()> {
    if image.status != ImageStatus::Active {
        let text = format_args!("Image {} is not active.", image.id);
        return Err(Error::invalid_input(text));
    }
    let size = u64::from(size);
    if image.min_disk > size {
        return Err(Error::invalid_input(format_args!(
            "Volume size {size}GB cannot be smaller than the image minDisk size {}GB.",
            image.min_disk
        )));
    }
    Ok(())
}

/// Whether a volume of `size` GiB can be made of its data.
pub(crate) fn check(image: &Image, size: u32) -> Result<()> {
    check_image(image, size)?;
    let size = u64::from(size);
    let bytes = image.size.unwrap_or(0).div_ceil(GIB);
    if bytes > size {
        return Err(Error::invalid_input(format_args!(
            "Size of specified image {bytes}GB is larger than volume size {size}GB."
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

/// Whether it has a signature, or a part of one.
pub(super) fn is_signed(image: &Image) -> bool {
    SIGNATURE
        .iter()
        .any(|key| image.properties.contains_key(*key))
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

/// What a volume that was made of an image remembers: as below, and that no signature was checked where one
/// would have been.
pub(crate) fn remembered_of_new(options: &ImageOptions, image: &Image) -> Metadata {
    let mut all = remembered(image);
    if options.verify_signatures {
        all.insert(VERIFIED.to_owned(), "False".to_owned());
    }
    all
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
