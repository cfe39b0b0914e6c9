//! `rbd create`, `rm`, `resize`, `rename`, `clone`, `rollback`.

use firebrick_backend::{Backend as _, NewImage};
use firebrick_site::admin::{ToolRequest, ToolSnapshot, ViewOf};
use firebrick_vocabulary::{Bytes, ImageId};

use super::args::{CloneArgs, CreateArgs, ResizeArgs, RollbackArgs, SpecArgs, TwoSpecs};
use super::error::{EBUSY, EEXIST, EINVAL, EMLINK, ENOENT, ENOTEMPTY, failed, fault, refuse};
use super::progress::Progress;
use super::site::Rbd;
use super::size::{Size, whole_blocks};
use super::snap;
use super::snap::is_of_mirroring;
use super::spec::{Spec, full_name};
use crate::exit::Failure;

/// `rbd create`
pub(super) async fn create(mut rbd: Rbd, args: &CreateArgs) -> Result<(), Failure> {
    let spec = Spec::of(&rbd.common, &args.spec)?;
    let name = spec.only_image()?.clone();
    let size = whole_blocks(needed(args.size)?.0);
    args.layout.refuse()?;
    rbd.check_namespace(name.namespace()).await?;
    let found = rbd.find(&name).await;
    if found
        .map_err(|error| fault("create error", &error))?
        .is_some()
    {
        return Err(failed("create error", EEXIST));
    }
    let image = NewImage {
        id: ImageId::random(),
        name,
        size,
        origin: None,
        mirrored: false,
    };
    let made = rbd.backend.create_image(image).await;
    made.map(drop)
        .map_err(|error| fault("create error", &error))
}

pub(super) fn needed(size: Option<Size>) -> Result<Bytes, Failure> {
    let missing = || refuse(EINVAL, "rbd: must specify --size <M/G/T>");
    size.map(|size| size.0).ok_or_else(missing)
}

/// `rbd rm`
pub(super) async fn remove(mut rbd: Rbd, args: &SpecArgs) -> Result<(), Failure> {
    let spec = Spec::of(&rbd.common, args)?;
    let name = spec.only_image()?.clone();
    let progress = Progress::new(&rbd.common, "Removing image");
    let image = rbd.find(&name).await;
    let image = image.map_err(|error| fault("delete error", &error))?;
    let image = image.ok_or_else(|| failed("delete error", ENOENT))?;
    let taken = rbd.snapshots(image.id).await;
    let taken = taken.map_err(|error| fault("delete error", &error))?;
    check_snapshots(&taken)?;
    if let Some(group) = &image.group {
        let text = format!(
            "rbd: error: image belongs to a group {}\nRemove the image from the group and try again.",
            full_name(group)
        );
        return Err(refuse(EMLINK, text));
    }
    rbd.backend.remove_image(image.id).await.map_err(|error| {
        match super::error::errno(error.kind) {
            EBUSY => refuse(
                EBUSY,
                format!(
                    "rbd: error: image still has watchers\nThis means the image is still open or exported: {}.",
                    error.why
                ),
            ),
            _ => fault("delete error", &error),
        }
    })?;
    progress.done();
    Ok(())
}

/// Refuses to remove an image that has snapshots that somebody took.
pub(super) fn check_snapshots(taken: &[ToolSnapshot]) -> Result<(), Failure> {
    let own = |taken: &ToolSnapshot| taken.divergent || is_of_mirroring(&taken.name);
    if taken.iter().all(own) {
        Ok(())
    } else {
        Err(refuse_snapshots())
    }
}

/// The failure where there are some.
pub(super) fn refuse_snapshots() -> Failure {
    let text = "rbd: image has snapshots - these must be deleted with 'rbd snap purge' before the image can be removed.";
    refuse(ENOTEMPTY, text)
}

/// Refuses a new size that is the old one, or a smaller one that nobody allowed.
pub(super) fn check_resize(old: Bytes, new: Bytes, shrink: bool) -> Result<(), Failure> {
    if new < old && !shrink {
        let text = "rbd: shrinking an image is only allowed with the --allow-shrink flag";
        return Err(refuse(EINVAL, text));
    }
    if new == old {
        let text = format!("rbd: new size is equal to original size {new}");
        return Err(refuse(EINVAL, text));
    }
    Ok(())
}

/// `rbd resize`
pub(super) async fn resize(mut rbd: Rbd, args: &ResizeArgs) -> Result<(), Failure> {
    let spec = Spec::of(&rbd.common, &args.spec)?;
    let size = whole_blocks(needed(args.size)?.0);
    let image = rbd.open(spec.only_image()?).await?;
    check_resize(image.size, size, args.allow_shrink)?;
    let progress = Progress::new(&rbd.common, "Resizing image");
    let request = ToolRequest::Resize {
        image: image.id,
        size,
    };
    let resized = rbd.order(request).await;
    resized.map_err(|error| fault("resize error", &error))?;
    progress.done();
    Ok(())
}

/// `rbd rename`
pub(super) async fn rename(mut rbd: Rbd, args: &TwoSpecs) -> Result<(), Failure> {
    let (source, dest) = Spec::two(&rbd.common, args)?;
    let (source, dest) = (source.only_image()?, dest.only_image()?);
    let failed_with = |error: &_| fault("rename error", error);
    let image = rbd
        .find(source)
        .await
        .map_err(|error| failed_with(&error))?;
    let image = image.ok_or_else(|| failed("rename error", ENOENT))?;
    if rbd
        .find(dest)
        .await
        .map_err(|error| failed_with(&error))?
        .is_some()
    {
        return Err(failed("rename error", EEXIST));
    }
    let renamed = rbd.backend.rename_image(image.id, dest.clone()).await;
    renamed.map_err(|error| failed_with(&error))
}

/// `rbd clone`
pub(super) async fn clone(mut rbd: Rbd, args: &CloneArgs) -> Result<(), Failure> {
    args.layout.refuse()?;
    let (source, dest) = Spec::two(&rbd.common, &args.specs)?;
    let name = dest.only_image()?.clone();
    let failed_with = |error: &_| fault("clone error", error);
    let image = rbd.open(source.image()?).await?;
    if rbd
        .find(&name)
        .await
        .map_err(|error| failed_with(&error))?
        .is_some()
    {
        return Err(failed("clone error", EEXIST));
    }
    let state = match (&source.snapshot, args.at) {
        (Some(_), Some(_)) => {
            return Err(refuse(
                EINVAL,
                "rbd: a snapshot and --at cannot both be given",
            ));
        }
        (Some(snapshot), None) => {
            let doing = format!("error setting snapshot context: {snapshot}");
            let taken = rbd.snapshot(image.id, snapshot).await;
            let taken = taken.map_err(|error| failed_with(&error))?;
            let taken = taken.ok_or_else(|| failed(&doing, ENOENT))?;
            if args.rbd_default_clone_format == Some(1) && !taken.protected {
                return Err(failed(
                    "clone error: parent snapshot must be protected",
                    EINVAL,
                ));
            }
            ViewOf::Snapshot(taken.name)
        }
        (None, None) => ViewOf::Head,
        (None, Some(at)) => {
            let record = rbd.record(at).await;
            ViewOf::At(record.map_err(|error| failed_with(&error))?)
        }
    };
    let request = ToolRequest::Clone {
        id: ImageId::random(),
        name,
        source: image.id,
        state,
        flat: false,
    };
    rbd.order(request)
        .await
        .map_err(|error| failed_with(&error))
}

/// `firebrick rbd rollback`
pub(super) async fn roll_back(mut rbd: Rbd, args: &RollbackArgs) -> Result<(), Failure> {
    let Some(at) = args.at else {
        return snap::roll_back(rbd, &args.spec).await;
    };
    let spec = Spec::of(&rbd.common, &args.spec)?;
    let image = rbd.open(spec.only_image()?).await?;
    let progress = Progress::new(&rbd.common, "Rolling back");
    let at = rbd.record(at).await;
    let at = at.map_err(|error| fault("rollback failed", &error))?;
    let request = ToolRequest::RollBackTo {
        image: image.id,
        at,
    };
    let done = rbd.order(request).await;
    done.map_err(|error| fault("rollback failed", &error))?;
    progress.done();
    Ok(())
}
