//! Snapshots of images that are no snapshots of the API: backups, images and copies of groups are made of
//! them.

use firebrick_backend::{Backend, Fault};
use firebrick_vocabulary::{ImageId, SnapshotName};

use crate::group::clone;
use crate::{backup, image};

/// Whether it is one that the API does not show.
pub(crate) fn is_hidden(name: &SnapshotName) -> bool {
    backup::is_hidden(name) || image::upload::is_hidden(name) || clone::is_hidden(name)
}

/// Removes all of them: the image goes.
pub(crate) async fn remove_hidden(
    site: &dyn Backend,
    image: ImageId,
) -> std::result::Result<(), Fault> {
    backup::remove_hidden(site, image).await?;
    image::upload::remove_hidden(site, image).await?;
    clone::remove_hidden(site, image).await
}
