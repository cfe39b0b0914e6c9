//! Why Glance did not do what it was asked.

use std::error::Error;

use crate::keystone::KeystoneError;

/// Why Glance did not do what it was asked. The words name no host, so that users may read them.
#[derive(Debug, thiserror::Error)]
pub enum GlanceError {
    /// There is no such image, or not for this user (404), or it has no data (204).
    #[error("the image is not there, or not for this user")]
    NotFound,
    /// The user may not do this with the image (403).
    #[error("the image service does not allow that")]
    Forbidden,
    /// The token does not count any more (401).
    #[error("the image service does not accept the token")]
    Refused,
    /// Another thing of the same identity, or a status that does not fit (409, 410).
    #[error("the image is in a state that does not allow that")]
    Conflict,
    /// It is more than a quota or the store allows (413).
    #[error("the image is larger than the image service allows")]
    TooLarge,
    /// The request makes no sense to Glance (400, 415).
    #[error("the image service does not take such an image")]
    Invalid,
    /// It does not answer, or not in time, or that it cannot now.
    #[error("the image service does not answer")]
    Unreachable(#[source] Box<dyn Error + Send + Sync>),
    /// The bytes that came are not the image: too few, too many, or of another digest.
    #[error("the image did not arrive as it is: {0}")]
    Damaged(String),
    /// It answered something that no image service answers.
    #[error("the image service gave an answer that makes no sense")]
    Nonsense(#[source] Box<dyn Error + Send + Sync>),
    /// The options cannot be used.
    #[error("{0}")]
    Options(String),
}

impl GlanceError {
    /// Whether the same may work a little later.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Damaged(_) | Self::Nonsense(_) => true,
            Self::NotFound
            | Self::Forbidden
            | Self::Refused
            | Self::Conflict
            | Self::TooLarge
            | Self::Invalid
            | Self::Options(_) => false,
        }
    }

    /// What an answer with that status means that was to be another.
    pub(super) fn of_status(status: u16) -> Self {
        match status {
            204 | 404 => Self::NotFound,
            400 | 415 => Self::Invalid,
            401 => Self::Refused,
            403 => Self::Forbidden,
            409 | 410 => Self::Conflict,
            413 => Self::TooLarge,
            _ => Self::Unreachable(format!("it answered with status {status}").into()),
        }
    }

    /// A call that came to no answer.
    pub(super) fn unreachable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unreachable(source.into())
    }
}

impl From<KeystoneError> for GlanceError {
    fn from(error: KeystoneError) -> Self {
        Self::Unreachable(error.into())
    }
}
