//! `group …`.

use super::site::{Ceph, Doing as _};
use super::spec::{Place, Spec};
use crate::cli::rbd::args::{
    GroupArgs, GroupCommand, GroupImageCommand, GroupSnapCommand, MemberArgs, PoolArgs,
};
use crate::cli::rbd::error::{EINVAL, EOPNOTSUPP, refuse};
use crate::cli::rbd::progress::Progress;
use crate::cli::rbd::show;
use crate::cli::rbd::spec::Words;
use crate::exit::Failure;

/// Does what the command line says.
pub(super) fn run(ceph: &Ceph, command: &GroupCommand) -> Result<(), Failure> {
    match command {
        GroupCommand::Create(args) => {
            let (place, group) = Named::of(ceph, args)?.only()?;
            ceph.pool(&place)?
                .create_group(&group)
                .doing("create error")
        }
        GroupCommand::List(args) => list(ceph, args),
        GroupCommand::Rename(args) => rename(ceph, args),
        GroupCommand::Remove(args) => {
            let (place, group) = Named::of(ceph, args)?.only()?;
            ceph.pool(&place)?
                .remove_group(&group)
                .doing("remove error")
        }
        GroupCommand::Info(_) | GroupCommand::Snap(GroupSnapCommand::Info(_)) => {
            let text = "rbd: librbd has no function for this; use `group image ls` and `group snap ls`: (95) Operation not supported";
            Err(refuse(EOPNOTSUPP, text))
        }
        GroupCommand::Image(GroupImageCommand::Add(args)) => member(ceph, args, true),
        GroupCommand::Image(GroupImageCommand::Remove(args)) => member(ceph, args, false),
        GroupCommand::Image(GroupImageCommand::List(args)) => images(ceph, args),
        GroupCommand::Snap(command) => snap(ceph, command),
    }
}

/// A group, and what follows its name.
struct Named<'a> {
    place: Place,
    group: String,
    snapshot: Option<String>,
    words: Words<'a>,
}

impl<'a> Named<'a> {
    fn of(ceph: &Ceph, args: &'a GroupArgs) -> Result<Self, Failure> {
        let mut words = Words::new(&args.words);
        let word = words.need(args.group.as_deref(), "group name")?;
        let place = Place::of(&ceph.common);
        let spec = Spec::within(place, Some(word), args.snap.as_deref())?;
        Ok(Self {
            group: spec.image()?.to_owned(),
            snapshot: spec.maybe_snapshot().map(str::to_owned),
            place: spec.place,
            words,
        })
    }

    /// Nothing but the group.
    fn only(self) -> Result<(Place, String), Failure> {
        self.words.end()?;
        match self.snapshot {
            None => Ok((self.place, self.group)),
            Some(_) => Err(refuse(
                EINVAL,
                "rbd: snapshot name specified for a command that doesn't use it",
            )),
        }
    }

    fn snapshot(&self) -> Result<&str, Failure> {
        let missing = || refuse(EINVAL, "rbd: snapshot name was not specified");
        self.snapshot.as_deref().ok_or_else(missing)
    }
}

fn list(ceph: &Ceph, args: &PoolArgs) -> Result<(), Failure> {
    let place = Place::of_pool(&ceph.common, args)?;
    let names = ceph.pool(&place)?.groups().doing("list error")?;
    show::groups::names(&ceph.common, names.iter().map(String::as_str));
    Ok(())
}

fn rename(ceph: &Ceph, args: &GroupArgs) -> Result<(), Failure> {
    let mut named = Named::of(ceph, args)?;
    let to = named
        .words
        .need(args.dest_group.as_deref(), "destination group name")?;
    let to = Spec::within(named.place.clone(), Some(to), None)?;
    let (place, group) = named.only()?;
    if to.place != place {
        let text = "rbd: group rename across pools not supported";
        return Err(refuse(EINVAL, text));
    }
    let renamed = ceph.pool(&place)?.rename_group(&group, to.only_image()?);
    renamed.doing("failed to rename group")
}

/// `group image add`, `rm`
fn member(ceph: &Ceph, args: &MemberArgs, add: bool) -> Result<(), Failure> {
    let place = |pool: &Option<String>, namespace: &Option<String>| {
        let mut place = Place::of(&ceph.common);
        if let Some(pool) = pool {
            place.pool.clone_from(pool);
        }
        if let Some(namespace) = namespace {
            place.namespace.clone_from(namespace);
        }
        place
    };
    let group_place = place(&args.group_pool, &args.group_namespace);
    let image_place = place(&args.image_pool, &args.image_namespace);
    let mut words = Words::new(&args.words);
    let group = words.need(args.group.as_deref(), "group name")?;
    let group = Spec::within(group_place, Some(group), None)?;
    let image = words.need(args.image.as_deref(), "image name")?;
    let image = Spec::within(image_place, Some(image), None)?;
    words.end()?;
    let (groups, images) = (ceph.pool(&group.place)?, ceph.pool(&image.place)?);
    let (group, image) = (group.only_image()?, image.only_image()?);
    if add {
        let added = groups.add_member(group, &images, image);
        added.doing("add image error")
    } else {
        let removed = groups.remove_member(group, &images, image);
        removed.doing("remove image error")
    }
}

fn images(ceph: &Ceph, args: &GroupArgs) -> Result<(), Failure> {
    let (place, group) = Named::of(ceph, args)?.only()?;
    let members = ceph.pool(&place)?.members(&group);
    // As with the real tool, a group that is not there has none.
    let members = members.or_else(|error| match error.errno() {
        2 => Ok(Vec::new()),
        _ => Err(error),
    });
    let members = members.doing("list error")?;
    let member = |member: firebrick_ceph::tool::Member| show::groups::Member {
        pool: member.pool,
        namespace: place.namespace.clone(),
        name: member.name,
        attached: member.attached,
    };
    let members: Vec<_> = members.into_iter().map(member).collect();
    show::groups::members(&ceph.common, &members);
    Ok(())
}

fn snap(ceph: &Ceph, command: &GroupSnapCommand) -> Result<(), Failure> {
    match command {
        GroupSnapCommand::Create(args) => {
            let named = Named::of(ceph, args)?;
            let taken = ceph.pool(&named.place)?;
            let taken = taken.take_group(&named.group, named.snapshot()?);
            taken.doing("failed to create group snapshot")
        }
        GroupSnapCommand::Remove(args) => {
            let named = Named::of(ceph, args)?;
            let pool = ceph.pool(&named.place)?;
            let removed = pool.remove_group_snapshot(&named.group, named.snapshot()?);
            removed.doing("failed to remove group snapshot")
        }
        GroupSnapCommand::Rename(args) => {
            let mut named = Named::of(ceph, args)?;
            let to = args.dest_group.as_deref();
            let to = named.words.need(to, "destination snapshot name")?;
            let pool = ceph.pool(&named.place)?;
            let renamed = pool.rename_group_snapshot(&named.group, named.snapshot()?, to);
            renamed.doing("failed to rename group snapshot")
        }
        GroupSnapCommand::Rollback(args) => {
            let named = Named::of(ceph, args)?;
            let snapshot = named.snapshot()?;
            let pool = ceph.pool(&named.place)?;
            let mut progress = Progress::new(&ceph.common, "Rolling back to group snapshot");
            let done = pool.roll_back_group(&named.group, snapshot, &mut progress);
            done.doing("rollback group to snapshot failed")?;
            progress.done();
            Ok(())
        }
        GroupSnapCommand::List(args) | GroupSnapCommand::Info(args) => snapshots(ceph, args),
    }
}

fn snapshots(ceph: &Ceph, args: &GroupArgs) -> Result<(), Failure> {
    let (place, group) = Named::of(ceph, args)?.only()?;
    let taken = ceph.pool(&place)?.group_snapshots(&group);
    let taken = taken.or_else(|error| match error.errno() {
        2 => Ok(Vec::new()),
        _ => Err(error),
    });
    let taken = taken.doing("list error")?.into_iter();
    let taken: Vec<(String, bool)> = taken.map(|taken| (taken.name, taken.complete)).collect();
    show::groups::snapshots(&ceph.common, &taken);
    Ok(())
}
