//! Images of the image service: volumes are made of them, written anew from them, and uploaded to them.
//!
//! Nothing in an image is believed: its format is the one that the image service names, never one that is
//! guessed, and an image that names other files is refused before any program opens it.

pub(crate) mod cache;
mod evict;
mod fill;
mod format;
mod mapping;
mod qemu;
mod refill;
pub(crate) mod reimage;
mod room;
mod sink;
pub(crate) mod upload;
mod wanted;

use firebrick_cloud::GlanceError;
use firebrick_state::MessageDetail;

use crate::control::Inner;
use crate::error::{Error, ErrorKind, Result};
use crate::options::ImageOptions;
use crate::story::Stop;
use crate::why::Why;

pub(crate) use fill::{fill, unless_cancelled};
pub(crate) use mapping::BootSnapshot;
pub(crate) use room::Room;
pub(crate) use wanted::{
    Pinned, check, check_image, is_encrypted, named, remembered, remembered_of_new, wanted,
};

impl Inner {
    /// The image service and what goes with it.
    pub(crate) fn images(&self) -> Result<&ImageOptions> {
        self.options.images.as_ref().ok_or_else(|| {
            let text = "Service glance could not be found.";
            Error::new(ErrorKind::Unavailable, text)
        })
    }
}

/// What the image service did not do for a request.
fn refused(error: GlanceError) -> Error {
    let kind = match &error {
        GlanceError::NotFound => ErrorKind::NotFound,
        GlanceError::Forbidden => ErrorKind::Forbidden,
        GlanceError::Conflict | GlanceError::TooLarge | GlanceError::Invalid => ErrorKind::Invalid,
        // The token was good a moment ago: it is the image service that has another Keystone.
        GlanceError::Refused
        | GlanceError::Unreachable(_)
        | GlanceError::Damaged(_)
        | GlanceError::Nonsense(_)
        | GlanceError::Options(_) => ErrorKind::Unavailable,
    };
    let text = format!("Image service: {error}.");
    Error::new(kind, text).because(error)
}

/// What it did not do for a story. Its words name no host, so that users may read them.
fn failed(error: &GlanceError) -> Stop {
    let cause = std::error::Error::source(error);
    let text = match cause {
        Some(cause) => format!("{error} ({cause})"),
        None => error.to_string(),
    };
    let why = Why::from(text).noting(error.to_string());
    let why = match error {
        GlanceError::Damaged(_) => why.detail(MessageDetail::DataDamaged),
        GlanceError::NotFound => why.detail(MessageDetail::SourceChanged),
        GlanceError::Forbidden
        | GlanceError::Refused
        | GlanceError::Conflict
        | GlanceError::TooLarge
        | GlanceError::Invalid
        | GlanceError::Unreachable(_)
        | GlanceError::Nonsense(_)
        | GlanceError::Options(_) => why,
    };
    if error.may_pass() {
        Stop::Later(why)
    } else {
        Stop::Never(why)
    }
}

/// An image of which no volume can be made, in words for the user.
fn unacceptable(why: impl std::fmt::Display) -> Stop {
    let text = format!("the image is unacceptable: {why}");
    let why = Why::from(text.as_str()).noting(text);
    Stop::Never(why.detail(MessageDetail::ImageFormatUnacceptable))
}
