//! `create`, `rm`, `resize`, `rename`, `clone`, `flatten`, `copy`, `deep copy`.

use firebrick_ceph::tool::{ImageAt, NewImage, OpenPool, SnapOf, Trouble};
use firebrick_vocabulary::Bytes;

use super::site::{Ceph, Doing as _, trouble};
use super::spec::Spec;
use crate::cli::rbd::args::{CloneArgs, CopyArgs, CreateArgs, ResizeArgs, SpecArgs, TwoSpecs};
use crate::cli::rbd::change::{needed, refuse_snapshots};
use crate::cli::rbd::error::{EBUSY, EINVAL, EMLINK, ENOTEMPTY, refuse};
use crate::cli::rbd::progress::Progress;
use crate::cli::rbd::show;
use crate::exit::Failure;

/// `rbd create`
pub(super) fn create(ceph: &Ceph, args: &CreateArgs) -> Result<(), Failure> {
    let spec = Spec::of(&ceph.common, &args.spec)?;
    let name = spec.only_image()?;
    let size = needed(args.size)?.0;
    let like = args.layout.of_image()?;
    let pool = ceph.pool(&spec.place)?;
    pool.create(name, size, &like).doing("create error")
}

/// `rbd rm`
pub(super) fn remove(ceph: &Ceph, args: &SpecArgs) -> Result<(), Failure> {
    let spec = Spec::of(&ceph.common, args)?;
    let name = spec.only_image()?;
    let pool = ceph.pool(&spec.place)?;
    let mut progress = Progress::new(&ceph.common, "Removing image");
    let removed = pool.remove(name, &mut progress);
    match removed {
        Ok(()) => {
            progress.done();
            Ok(())
        }
        Err(error) => {
            drop(progress);
            let at = ImageAt::Name(name);
            Err(removal(&spec, &pool, at, &error, "delete error"))
        }
    }
}

/// Why an image cannot be removed, in the words of the tool.
pub(super) fn removal(
    spec: &Spec,
    pool: &std::sync::Arc<OpenPool>,
    at: ImageAt<'_>,
    error: &Trouble,
    doing: &str,
) -> Failure {
    let looked = pool.look(at);
    match u8::try_from(error.errno()) {
        Ok(ENOTEMPTY) => {
            let taken = looked.and_then(|image| image.snapshots());
            let taken = taken.unwrap_or_default();
            if taken
                .iter()
                .all(|taken| matches!(taken.of, SnapOf::Trash { .. }))
            {
                let text = "rbd: image has snapshots with linked clones - these must be deleted or flattened before \
                            the image can be removed.";
                return refuse(ENOTEMPTY, text);
            }
            refuse_snapshots()
        }
        Ok(EBUSY) => refuse(
            EBUSY,
            "rbd: error: image still has watchers\nThis means the image is still open or the client using it crashed. \
             Try again after closing/unmapping it or waiting 30s for the crashed client to timeout.",
        ),
        Ok(EMLINK) => {
            let facts = looked.and_then(|image| image.facts());
            let group = facts.ok().and_then(|facts| facts.group);
            let group = group.map(|(pool, group)| {
                let path = show::path(&pool, &spec.place.namespace, &group);
                format!(" {path}")
            });
            let text = format!(
                "rbd: error: image belongs to a group{}\nRemove the image from the group and try again.",
                group.unwrap_or_default()
            );
            refuse(EMLINK, text)
        }
        _ => trouble(doing, error),
    }
}

/// `rbd resize`
pub(super) fn resize(ceph: &Ceph, args: &ResizeArgs) -> Result<(), Failure> {
    const DOING: &str = "resize error";
    let spec = Spec::of(&ceph.common, &args.spec)?;
    spec.only_image()?;
    let size = needed(args.size)?;
    let image = ceph.change(&spec)?;
    let old = Bytes(image.size().doing(DOING)?);
    crate::cli::rbd::change::check_resize(old, size, args.allow_shrink)?;
    let mut progress = Progress::new(&ceph.common, "Resizing image");
    let resized = image.resize(size.0, args.allow_shrink, &mut progress);
    resized.doing(DOING)?;
    progress.done();
    Ok(())
}

/// `rbd rename`
pub(super) fn rename(ceph: &Ceph, args: &TwoSpecs) -> Result<(), Failure> {
    let (source, dest) = Spec::two(&ceph.common, args)?;
    let (from, to) = (source.only_image()?, dest.only_image()?);
    let other = |what: &str, from: &str, to: &str| {
        let text = format!(
            "rbd: mv/rename across {what}s not supported\nsource {what}: {from} dest {what}: {to}"
        );
        refuse(EINVAL, text)
    };
    // As in RBD, a destination that names no pool is in that of the source.
    let named =
        args.dest_pool.is_some() || args.words.get(1).is_some_and(|word| word.contains('/'));
    let there = if named { &dest.place } else { &source.place };
    if there.pool != source.place.pool {
        return Err(other("pool", &source.place.pool, &there.pool));
    }
    if there.namespace != source.place.namespace {
        let (from, to) = (&source.place.namespace, &there.namespace);
        return Err(other("namespace", from, to));
    }
    let pool = ceph.pool(&source.place)?;
    pool.rename(from, to).doing("rename error")
}

/// `rbd clone`
pub(super) fn clone(ceph: &Ceph, args: &CloneArgs) -> Result<(), Failure> {
    if args.at.is_some() {
        let text = "rbd: --at is for sites of Firebrick; on Ceph a clone begins at a snapshot";
        return Err(refuse(EINVAL, text));
    }
    let (source, dest) = Spec::two(&ceph.common, &args.specs)?;
    let (image, snapshot) = (source.image()?, source.snapshot()?);
    let name = dest.only_image()?;
    let mut like = args.layout.of_image()?;
    like.clone_format = args.rbd_default_clone_format.map(u64::from);
    let (pool, there) = (ceph.pool(&source.place)?, ceph.pool(&dest.place)?);
    let cloned = pool.clone_to((image, snapshot), &there, name, &like);
    cloned.doing("clone error")
}

/// `rbd flatten`
pub(super) fn flatten(ceph: &Ceph, args: &SpecArgs) -> Result<(), Failure> {
    let spec = Spec::of(&ceph.common, args)?;
    spec.only_image()?;
    let image = ceph.change(&spec)?;
    let mut progress = Progress::new(&ceph.common, "Image flatten");
    image.flatten(&mut progress).doing("flatten error")?;
    progress.done();
    Ok(())
}

/// `rbd copy`, `rbd deep copy`
pub(super) fn copy(ceph: &Ceph, args: &CopyArgs, deep: bool) -> Result<(), Failure> {
    let (source, dest) = Spec::two(&ceph.common, &args.specs)?;
    let name = dest.only_image()?;
    let (title, doing) = if deep {
        source.only_image()?;
        ("Image deep copy", "deep copy failed")
    } else {
        ("Image copy", "copy failed")
    };
    let image = ceph.look(&source)?;
    let there = ceph.pool(&dest.place)?;
    let mut progress = Progress::new(&ceph.common, title);
    let copied = image.copy_to(&there, name, &NewImage::default(), deep, &mut progress);
    copied.doing(doing)?;
    progress.done();
    Ok(())
}
