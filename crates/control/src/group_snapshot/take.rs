//! Snapshots of several images, at one position where the site can do that.

use std::sync::Arc;

use firebrick_backend::{Backend, FaultKind, SharedBackend};
use firebrick_db::Volume;
use firebrick_vocabulary::{ImageId, SnapshotName};
use tracing::info;

use crate::control::Inner;
use crate::home::Home;
use crate::story::{Step, Stop};

/// Takes them, and says where: the homes are in the order of `wanted`. `together`: they must be of one
/// moment.
pub(crate) async fn take(
    inner: &Inner,
    wanted: &[(Volume, SnapshotName)],
    together: bool,
) -> Step<Vec<Home>> {
    let mut homes = Vec::new();
    let mut sites: Vec<(SharedBackend, Vec<(ImageId, SnapshotName)>)> = Vec::new();
    for (volume, name) in wanted {
        let home = inner.home(volume).await?;
        let one = (volume.image(), name.clone());
        match (sites.iter_mut()).find(|(site, _)| Arc::ptr_eq(site, &home.site)) {
            Some((_, images)) => images.push(one),
            None => sites.push((Arc::clone(&home.site), vec![one])),
        }
        homes.push(home);
    }
    if together && sites.len() > 1 {
        return Err(Stop::never("its volumes live at different sites"));
    }
    for (site, images) in sites {
        at(&*site, &images, together).await?;
    }
    Ok(homes)
}

async fn at(site: &dyn Backend, images: &[(ImageId, SnapshotName)], together: bool) -> Step {
    if !site.capabilities().consistent_groups {
        if together {
            let text = "its site takes no snapshots of several images at one moment";
            return Err(Stop::never(text));
        }
        for (image, name) in images {
            site.create_snapshot(*image, name.clone()).await?;
        }
        return Ok(());
    }
    match site.create_snapshots(images).await {
        Ok(_) => Ok(()),
        Err(fault) if fault.kind == FaultKind::Exists => {
            // Some are of another moment: that of an earlier run, at a site that has failed over since.
            for (image, name) in images {
                gone(site, *image, name.clone()).await?;
            }
            Err(Stop::later(fault))
        }
        Err(fault) => Err(fault.into()),
    }
}

/// Removes a snapshot that may not be there.
pub(super) async fn gone(site: &dyn Backend, image: ImageId, name: SnapshotName) -> Step {
    match site.remove_snapshot(image, name).await {
        Ok(()) => Ok(()),
        Err(fault) if fault.kind == FaultKind::NotFound => Ok(()),
        Err(fault) => Err(fault.into()),
    }
}

/// Removes what may have been taken. What stays goes with its snapshot, or its volume.
pub(super) async fn give_up(inner: &Inner, wanted: &[(Volume, SnapshotName)]) -> Step {
    for (volume, name) in wanted {
        if volume.host.is_none() {
            continue;
        }
        let home = inner.home(volume).await?;
        let removed = gone(&*home.site, volume.image(), name.clone()).await;
        if let Err(Stop::Later(why) | Stop::Always(why) | Stop::Never(why)) = removed {
            info!(volume = %volume.id, %why, "a snapshot of a group stays for now");
        }
    }
    Ok(())
}
