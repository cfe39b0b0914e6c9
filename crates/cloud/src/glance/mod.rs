//! Glance: images are shown, read, made, written and deleted.

mod digest;
mod download;
mod error;
mod image;
mod upload;
mod wire;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;
use uuid::Uuid;

pub use digest::Digest;
pub use download::Download;
pub use error::GlanceError;
pub use image::{Image, ImageStatus, NewImage, Visibility};
pub use upload::Upload;

use crate::keystone::Keystone;
use crate::seal::UserToken;
use wire::{Call, Wire};

/// Where the images are, by the options that Cinder has for it.
#[derive(Clone)]
pub struct GlanceOptions {
    /// `glance_api_servers`: addresses, one of which is asked; the catalogue says one without.
    pub servers: Vec<String>,
    /// The Keystone with the catalogue, and with this service's own token, which goes along with that
    /// of the user so that work may outlive the latter; `None` under `noauth`.
    pub keystone: Option<Arc<Keystone>>,
    /// `glance_catalog_info`: the interface of the service `image`, `public` by default.
    pub interface: String,
    /// `os_region_name` in the catalogue.
    pub region: Option<String>,
    /// `glance_ca_certificates_file`.
    pub cafile: Option<PathBuf>,
    /// `glance_api_insecure`: its certificate is not checked.
    pub insecure: bool,
    /// `glance_num_retries`: how often a call is made again that came to no answer; 3 by default.
    pub retries: u32,
    /// `glance_request_timeout`: how long it may be silent; 60 s by default.
    pub timeout: Duration,
}

impl Default for GlanceOptions {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            keystone: None,
            interface: "public".to_owned(),
            region: None,
            cafile: None,
            insecure: false,
            retries: 3,
            timeout: Duration::from_secs(60),
        }
    }
}

/// A Glance. Cheap to clone.
#[derive(Clone)]
pub struct Glance {
    wire: Arc<Wire>,
}

/// Without its options, which lead to a password.
impl fmt::Debug for Glance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Glance").finish_non_exhaustive()
    }
}

impl Glance {
    /// The one that the options name. Nothing is asked yet.
    ///
    /// # Errors
    ///
    /// [`GlanceError::Options`] where there is no way to it.
    pub fn new(options: GlanceOptions) -> Result<Self, GlanceError> {
        let wire = Arc::new(Wire::new(options)?);
        Ok(Self { wire })
    }

    /// The image, as the owner of `token` sees it.
    ///
    /// # Errors
    ///
    /// [`GlanceError::NotFound`] where there is none for them, and where Glance cannot say.
    pub async fn show(&self, token: Option<&UserToken>, id: Uuid) -> Result<Image, GlanceError> {
        let path = format!("/v2/images/{id}");
        let answer = self.wire.call(token, Call::Get, path).await?;
        answer.image(200)
    }

    /// Images of that name, as the owner of `token` sees them: two at most, as nobody who asks for one can
    /// choose between them.
    ///
    /// # Errors
    ///
    /// Where Glance cannot say.
    pub async fn named(
        &self,
        token: Option<&UserToken>,
        name: &str,
    ) -> Result<Vec<Image>, GlanceError> {
        let name = utf8_percent_encode(name, NON_ALPHANUMERIC);
        let path = format!("/v2/images?name={name}&limit=2");
        let answer = self.wire.call(token, Call::Get, path).await?;
        answer.images()
    }

    /// The data of `image`. Each step of the way must take less than the timeout.
    ///
    /// # Errors
    ///
    /// Where they cannot be had.
    pub async fn download(
        &self,
        token: Option<&UserToken>,
        image: &Image,
    ) -> Result<Download, GlanceError> {
        let path = format!("/v2/images/{}/file", image.id);
        let body = self.wire.open(token, path, image.size).await?;
        Ok(Download::of(body, Digest::of(image), self.wire.patience()))
    }

    /// Makes an image without data. A second call makes a second one.
    ///
    /// # Errors
    ///
    /// Where Glance makes none.
    pub async fn create(
        &self,
        token: Option<&UserToken>,
        image: &NewImage,
    ) -> Result<Image, GlanceError> {
        let call = Call::Post(image.body());
        let answer = self.wire.call(token, call, "/v2/images".to_owned());
        answer.await?.image(201)
    }

    /// Begins to write the data of an image that has none; `size` in bytes, where that is known.
    ///
    /// # Errors
    ///
    /// Where no way to Glance is found. Whether it takes the data the [`Upload`] says.
    pub async fn upload(
        &self,
        token: Option<&UserToken>,
        id: Uuid,
        size: Option<u64>,
    ) -> Result<Upload, GlanceError> {
        let path = format!("/v2/images/{id}/file");
        self.wire.put(token, path, size).await
    }

    /// Lets an image be deleted that was protected from that; one that is not there is no error.
    ///
    /// # Errors
    ///
    /// Where Glance does not.
    pub async fn unprotect(&self, token: Option<&UserToken>, id: Uuid) -> Result<(), GlanceError> {
        let change = json!([{ "op": "replace", "path": "/protected", "value": false }]);
        let path = format!("/v2/images/{id}");
        let answer = self.wire.call(token, Call::Patch(change), path).await?;
        match answer.status {
            200 | 404 => Ok(()),
            status => Err(GlanceError::of_status(status)),
        }
    }

    /// Deletes an image; one that is not there is no error.
    ///
    /// # Errors
    ///
    /// Where Glance does not.
    pub async fn delete(&self, token: Option<&UserToken>, id: Uuid) -> Result<(), GlanceError> {
        let path = format!("/v2/images/{id}");
        let answer = self.wire.call(token, Call::Delete, path).await?;
        match answer.status {
            204 | 200 | 404 => Ok(()),
            status => Err(GlanceError::of_status(status)),
        }
    }
}
