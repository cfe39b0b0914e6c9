//! `trash …`.

use firebrick_ceph::tool::{ImageAt, ThrownBy, Trouble};

use super::change::removal;
use super::look::origin;
use super::site::{Ceph, Doing as _, trouble};
use super::spec::{Place, Spec};
use crate::cli::rbd::args::{
    PoolArgs, PurgeArgs, ThrowArgs, TrashCommand, TrashIdArgs, TrashLsArgs, TrashRmArgs,
};
use crate::cli::rbd::error::{EEXIST, EINVAL, ENOENT, ENOTEMPTY, EPERM, refuse};
use crate::cli::rbd::progress::Progress;
use crate::cli::rbd::show;
use crate::cli::rbd::spec::Words;
use crate::cli::rbd::trash::{now, time};
use crate::exit::Failure;

const SECOND: u64 = 1_000_000_000;

/// Does what the command line says.
pub(super) fn run(ceph: &Ceph, command: &TrashCommand) -> Result<(), Failure> {
    match command {
        TrashCommand::Move(args) => throw(ceph, args),
        TrashCommand::List(args) => list(ceph, args),
        TrashCommand::Remove(args) => remove(ceph, args),
        TrashCommand::Restore(args) => restore(ceph, args),
        TrashCommand::Purge(args) => purge(ceph, args),
    }
}

fn throw(ceph: &Ceph, args: &ThrowArgs) -> Result<(), Failure> {
    let spec = Spec::of(&ceph.common, &args.spec)?;
    let name = spec.only_image()?;
    let (until, now) = (time(&args.expires_at)?, now());
    let pool = ceph.pool(&spec.place)?;
    let seconds = until.saturating_sub(now).div_ceil(SECOND);
    pool.throw(name, seconds).doing("deferred delete error")
}

fn list(ceph: &Ceph, args: &TrashLsArgs) -> Result<(), Failure> {
    const DOING: &str = "trash list";
    let pool = ceph.pool(&Place::of_pool(&ceph.common, &args.pool)?)?;
    let thrown = pool.thrown().doing(DOING)?;
    let mut rows = Vec::new();
    for thrown in thrown {
        // What a removal left there is nobody's to bring back.
        if thrown.by == ThrownBy::Removing {
            continue;
        }
        let parent = if args.long {
            let image = pool.look(ImageAt::Id(&thrown.id));
            image.and_then(|image| image.parent()).unwrap_or_default()
        } else {
            None
        };
        let source = match thrown.by {
            ThrownBy::User => "USER",
            ThrownBy::Mirroring => "MIRRORING",
            ThrownBy::Migration => "MIGRATION",
            ThrownBy::Removing => "REMOVING",
            ThrownBy::UserParent => "USER_PARENT",
        };
        rows.push(show::lists::Thrown {
            id: thrown.id,
            name: thrown.name,
            source: source.to_owned(),
            at: thrown.at,
            until: thrown.until,
            parent: parent.as_ref().map(origin),
        });
    }
    show::lists::trash(&ceph.common, &rows, args.long, now());
    Ok(())
}

/// Where an image in the trash is, and its id.
fn thrown(ceph: &Ceph, args: &TrashIdArgs) -> Result<(Place, String), Failure> {
    let mut words = Words::new(&args.words);
    let path = words.need(args.image_id.as_deref(), "image id")?;
    words.end()?;
    let (pool, id) = match path.rsplit_once('/') {
        Some((pool, id)) => (Some(pool.to_owned()), id),
        None => (None, path),
    };
    let place = Place::of_pool(&ceph.common, &PoolArgs { word: pool })?;
    Ok((place, id.to_owned()))
}

fn remove(ceph: &Ceph, args: &TrashRmArgs) -> Result<(), Failure> {
    let (place, id) = thrown(ceph, &args.id)?;
    let pool = ceph.pool(&place)?;
    let mut progress = Progress::new(&ceph.common, "Removing image");
    let Err(error) = pool.remove_thrown(&id, args.force, &mut progress) else {
        progress.done();
        return Ok(());
    };
    drop(progress);
    if error == Trouble::Errno(i32::from(EPERM)) {
        let text = "Deferment time has not expired, please use --force if you really want to remove the image";
        return Err(refuse(EPERM, text));
    }
    let spec = Spec::within(place, None, None)?;
    let at = ImageAt::Id(&id);
    Err(removal(&spec, &pool, at, &error, "remove error"))
}

fn restore(ceph: &Ceph, args: &TrashIdArgs) -> Result<(), Failure> {
    let (place, id) = thrown(ceph, args)?;
    let pool = ceph.pool(&place)?;
    let name = args.image.as_deref().unwrap_or_default();
    let restored = pool.restore(&id, name);
    restored.map_err(|error| match u8::try_from(error.errno()) {
        Ok(ENOENT) => refuse(ENOENT, "rbd: error: image does not exist in trash"),
        Ok(EEXIST) => refuse(
            EEXIST,
            "rbd: error: an image with the same name already exists, try again with a different name",
        ),
        _ => trouble("restore error", &error),
    })
}

fn purge(ceph: &Ceph, args: &PurgeArgs) -> Result<(), Failure> {
    let pool = ceph.pool(&Place::of_pool(&ceph.common, &args.pool)?)?;
    let before = args.expired_before.as_deref().map(time).transpose()?;
    let before = before.map_or_else(now, |before| before.min(now())) / SECOND;
    let before = i64::try_from(before).map_err(|_| refuse(EINVAL, "rbd: that time is too late"))?;
    let mut progress = Progress::new(&ceph.common, "Removing images");
    let purged = pool.purge_thrown(before, &mut progress);
    purged.map_err(|error| match u8::try_from(error.errno()) {
        Ok(ENOTEMPTY) => refuse(
            ENOTEMPTY,
            "rbd: some expired images could not be removed\nEnsure that they are closed/unmapped, do not have \
             snapshots (including trashed snapshots with linked clones), are not in a group and were moved to the \
             trash successfully.",
        ),
        _ => trouble("purge error", &error),
    })?;
    progress.done();
    Ok(())
}
