//! What the data of an image must be like.

use std::fmt::Write as _;

use md5::Md5;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::error::GlanceError;
use super::image::Image;

/// The digest and the size that an image's data must have.
#[derive(Clone, Debug)]
pub struct Digest {
    state: State,
    /// In hex digits.
    wanted: String,
    size: Option<u64>,
    seen: u64,
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        // Writing to a text does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[derive(Clone, Debug)]
enum State {
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
    Md5(Md5),
    /// Glance has said nothing about the bytes.
    Unknown,
}

impl Digest {
    /// What `image` says of its data: the hash where that is of a kind that is known here, else the
    /// checksum.
    pub fn of(image: &Image) -> Self {
        let known = image.hash.as_ref().and_then(|(algorithm, value)| {
            let state = match algorithm.as_str() {
                "sha256" => State::Sha256(Sha256::new()),
                "sha384" => State::Sha384(Sha384::new()),
                "sha512" => State::Sha512(Sha512::new()),
                _ => return None,
            };
            Some((state, value.clone()))
        });
        let checksum = || Some((State::Md5(Md5::new()), image.checksum.clone()?));
        let (state, wanted) = known
            .or_else(checksum)
            .unwrap_or((State::Unknown, String::new()));
        Self {
            state,
            wanted,
            size: image.size,
            seen: 0,
        }
    }

    /// Takes the next bytes; refused where there are more than the image has.
    pub(super) fn update(&mut self, data: &[u8]) -> Result<(), GlanceError> {
        self.seen += data.len() as u64;
        if let Some(size) = self.size.filter(|size| self.seen > *size) {
            let why = format!("there are more than its {size} bytes");
            return Err(GlanceError::Damaged(why));
        }
        match &mut self.state {
            State::Sha256(state) => state.update(data),
            State::Sha384(state) => state.update(data),
            State::Sha512(state) => state.update(data),
            State::Md5(state) => state.update(data),
            State::Unknown => {}
        }
        Ok(())
    }

    /// Whether all was there, and as it should be.
    pub(super) fn finish(&self) -> Result<(), GlanceError> {
        if let Some(size) = self.size.filter(|size| self.seen != *size) {
            let why = format!("it ended after {} of {size} bytes", self.seen);
            return Err(GlanceError::Damaged(why));
        }
        let found = match &self.state {
            State::Sha256(state) => hex(&state.clone().finalize()),
            State::Sha384(state) => hex(&state.clone().finalize()),
            State::Sha512(state) => hex(&state.clone().finalize()),
            State::Md5(state) => hex(&state.clone().finalize()),
            State::Unknown => return Ok(()),
        };
        if found.eq_ignore_ascii_case(&self.wanted) {
            return Ok(());
        }
        let why = "its checksum is another than the image service says";
        Err(GlanceError::Damaged(why.to_owned()))
    }
}
