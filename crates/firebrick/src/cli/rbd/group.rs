//! `rbd group …`, `consistency-group …`.

use firebrick_backend::FaultKind;
use firebrick_site::admin::{
    GroupRequest, JournalSettings, ToolGroup, ToolGroupSnapshot, ToolReply, ToolRequest,
};
use firebrick_vocabulary::{ImageId, ImageName};

use super::args::{
    ConsistencyCommand, GroupArgs, GroupCommand, GroupImageCommand, GroupSnapCommand, MemberArgs,
    PoolArgs,
};
use super::at::ctime;
use super::doc::Doc;
use super::error::{EINVAL, ENOENT, ENOTEMPTY, failed, fault, refuse};
use super::look::short_id;
use super::progress::Progress;
use super::show;
use super::site::{Rbd, confused};
use super::spec::{POOL, Place, Words, full_name, image as full, snapshot as snapshot_name};
use crate::exit::Failure;
use crate::printer::Printer;

/// `rbd group …`
pub(super) async fn run(rbd: Rbd, command: &GroupCommand) -> Result<(), Failure> {
    match command {
        GroupCommand::Create(args) => create(rbd, args, None).await,
        GroupCommand::List(args) => list(rbd, args).await,
        GroupCommand::Rename(args) => rename(rbd, args).await,
        GroupCommand::Remove(args) => remove(rbd, args).await,
        GroupCommand::Info(args) => info(rbd, args).await,
        GroupCommand::Image(GroupImageCommand::Add(args)) => add(rbd, args).await,
        GroupCommand::Image(GroupImageCommand::List(args)) => images(rbd, args).await,
        GroupCommand::Image(GroupImageCommand::Remove(args)) => remove_image(rbd, args).await,
        GroupCommand::Snap(command) => snap(rbd, command).await,
    }
}

/// `rbd consistency-group …`
pub(super) async fn consistency(rbd: Rbd, command: &ConsistencyCommand) -> Result<(), Failure> {
    match command {
        ConsistencyCommand::Create(args) => {
            let journal = args.journal.settings()?.unwrap_or_default();
            create(rbd, &args.group, Some(journal)).await
        }
        ConsistencyCommand::Rename(args) => rename(rbd, args).await,
        ConsistencyCommand::Attach(args) => attach(rbd, args).await,
        ConsistencyCommand::Detach(args) => detach(rbd, args).await,
        ConsistencyCommand::Ls(args) => list(rbd, args).await,
        ConsistencyCommand::Info(args) => info(rbd, args).await,
        ConsistencyCommand::Rm(args) => remove(rbd, args).await,
    }
}

/// A group, and what follows its name.
pub(super) struct Named<'a> {
    group: ImageName,
    snapshot: Option<&'a str>,
    words: Words<'a>,
}

impl<'a> Named<'a> {
    /// What a verb names.
    pub(super) fn of(rbd: &Rbd, args: &'a GroupArgs) -> Result<Self, Failure> {
        let mut words = Words::new(&args.words);
        let spec = words.need(args.group.as_deref(), "group name")?;
        let (path, taken) = match spec.split_once('@') {
            Some((path, taken)) => (path, Some(taken)),
            None => (spec, None),
        };
        Ok(Self {
            group: full(rbd.common.place(), path)?,
            snapshot: taken.or(args.snap.as_deref()),
            words,
        })
    }

    /// Nothing but the group.
    pub(super) fn only(self) -> Result<ImageName, Failure> {
        self.words.end()?;
        match self.snapshot {
            None => Ok(self.group),
            Some(_) => Err(refuse(
                EINVAL,
                "rbd: snapshot name specified for a command that doesn't use it",
            )),
        }
    }

    fn snapshot(&self) -> Result<firebrick_vocabulary::SnapshotName, Failure> {
        let missing = || refuse(EINVAL, "rbd: group snapshot name was not specified");
        snapshot_name(self.snapshot.ok_or_else(missing)?)
    }
}

impl Rbd {
    /// All groups, by name.
    pub(super) async fn groups(&mut self) -> Result<Vec<ToolGroup>, Failure> {
        match self.call(ToolRequest::Groups).await {
            Ok(ToolReply::Groups(groups)) => Ok(groups),
            Ok(other) => Err(fault("listing groups failed", &confused(&other))),
            Err(error) => Err(fault("listing groups failed", &error)),
        }
    }

    /// The group of that name.
    pub(super) async fn group(
        &mut self,
        name: &ImageName,
        doing: &str,
    ) -> Result<ToolGroup, Failure> {
        let groups = self.groups().await?;
        let found = groups.into_iter().find(|group| group.name == *name);
        found.ok_or_else(|| failed(doing, ENOENT))
    }

    /// Changes a group.
    pub(super) async fn alter(
        &mut self,
        name: ImageName,
        what: GroupRequest,
        doing: &str,
    ) -> Result<(), Failure> {
        let done = self.order(ToolRequest::Group { name, what }).await;
        done.map_err(|error| fault(doing, &error))
    }
}

async fn create(
    mut rbd: Rbd,
    args: &GroupArgs,
    journal: Option<JournalSettings>,
) -> Result<(), Failure> {
    let group = Named::of(&rbd, args)?.only()?;
    rbd.check_namespace(group.namespace()).await?;
    let what = GroupRequest::Create { journal };
    rbd.alter(group, what, "create error").await
}

async fn list(mut rbd: Rbd, args: &PoolArgs) -> Result<(), Failure> {
    let namespace = rbd.common.pool_word(args.word.as_deref())?;
    rbd.check_namespace(&namespace).await?;
    let mut groups = rbd.groups().await?;
    groups.retain(|group| group.name.namespace() == namespace);
    let names = groups.iter().map(|group| group.name.base());
    show::groups::names(&rbd.common, names);
    Ok(())
}

async fn rename(mut rbd: Rbd, args: &GroupArgs) -> Result<(), Failure> {
    let mut named = Named::of(&rbd, args)?;
    let to = named
        .words
        .need(args.dest_group.as_deref(), "destination group name")?;
    let to = full(rbd.common.place(), to)?;
    let group = named.only()?;
    let what = GroupRequest::Rename { to };
    rbd.alter(group, what, "failed to rename group").await
}

async fn remove(mut rbd: Rbd, args: &GroupArgs) -> Result<(), Failure> {
    let name = Named::of(&rbd, args)?.only()?;
    let done = rbd
        .order(ToolRequest::Group {
            name,
            what: GroupRequest::Remove,
        })
        .await;
    done.map_err(|error| match error.kind {
        FaultKind::Busy => {
            let text = format!("{}\nrbd: remove error: (39) Directory not empty", error.why);
            refuse(ENOTEMPTY, text)
        }
        _ => fault("remove error", &error),
    })
}

async fn info(mut rbd: Rbd, args: &GroupArgs) -> Result<(), Failure> {
    let name = Named::of(&rbd, args)?.only()?;
    let group = rbd.group(&name, "group info failed").await?;
    let id = short_id(group.id);
    if rbd.structured() {
        let mut doc = Doc::map([
            ("group_name", (&group.name).into()),
            ("group_id", (&id).into()),
        ]);
        doc.put("create_timestamp", ctime(group.created));
        doc.put("mirrored", group.mirrored);
        if let Some(journal) = &group.journal {
            doc.put("journal", journal_doc(&id, journal));
        }
        let images = group.images.iter().map(|(id, name)| member_doc(*id, name));
        doc.put("images", Doc::list("image", images));
        rbd.print("group", &doc);
        return Ok(());
    }
    Printer::line(&format!("rbd group '{}':", group.name.base()));
    Printer::line(&format!("\tid: {id}"));
    Printer::line(&format!("\tcreate_timestamp: {}", ctime(group.created)));
    if let Some(journal) = &group.journal {
        Printer::line(&format!("\tjournal: {id}"));
        let size = firebrick_vocabulary::Bytes(1 << journal.order);
        Printer::line(&format!("\torder: {} ({size} objects)", journal.order));
        Printer::line(&format!("\tsplay_width: {}", journal.splay_width));
        if let Some(pool) = &journal.pool {
            Printer::line(&format!("\tobject_pool: {pool}"));
        }
    }
    let mirroring = if group.mirrored {
        "enabled"
    } else {
        "disabled"
    };
    Printer::line(&format!("\tmirroring state: {mirroring}"));
    Printer::line(&format!("\timages: {}", group.images.len()));
    for (_, name) in &group.images {
        Printer::line(&format!("\t\t{}", full_name(name)));
    }
    Ok(())
}

fn journal_doc(id: &str, journal: &JournalSettings) -> Doc {
    let mut doc = Doc::map([
        ("journal_id", id.into()),
        ("order", u64::from(journal.order).into()),
        ("splay_width", journal.splay_width.into()),
    ]);
    if let Some(pool) = &journal.pool {
        doc.put("object_pool", pool);
    }
    doc
}

fn member_doc(id: ImageId, name: &ImageName) -> Doc {
    Doc::map([
        ("image", name.into()),
        ("pool", POOL.into()),
        ("namespace", name.namespace().into()),
        ("id", short_id(id).into()),
    ])
}

async fn images(mut rbd: Rbd, args: &GroupArgs) -> Result<(), Failure> {
    let name = Named::of(&rbd, args)?.only()?;
    let group = rbd
        .group(&name, "listing images of the group failed")
        .await?;
    let member = |(_, name): &(ImageId, ImageName)| show::groups::Member {
        pool: POOL.to_owned(),
        namespace: name.namespace().to_owned(),
        name: name.base().to_owned(),
        attached: true,
    };
    let members: Vec<_> = group.images.iter().map(member).collect();
    show::groups::members(&rbd.common, &members);
    Ok(())
}

/// Where a group is, and where an image is.
fn places<'a>(rbd: &'a Rbd, args: &'a MemberArgs) -> (Place<'a>, Place<'a>) {
    let here = rbd.common.place();
    let place = |pool: &'a Option<String>, namespace: &'a Option<String>| Place {
        pool: pool.as_deref().or(here.pool),
        namespace: namespace.as_deref().or(here.namespace),
    };
    (
        place(&args.group_pool, &args.group_namespace),
        place(&args.image_pool, &args.image_namespace),
    )
}

async fn member(rbd: &mut Rbd, image: &ImageName, doing: &str) -> Result<ImageId, Failure> {
    let found = rbd
        .find(image)
        .await
        .map_err(|error| fault(doing, &error))?;
    found
        .map(|found| found.id)
        .ok_or_else(|| failed(doing, ENOENT))
}

/// The group and the image of a verb that has them in this order.
async fn group_and_image(
    rbd: &mut Rbd,
    args: &MemberArgs,
    doing: &str,
) -> Result<(ImageName, ImageId), Failure> {
    let (group_place, image_place) = places(rbd, args);
    let mut words = Words::new(&args.words);
    let group = full(
        group_place,
        words.need(args.group.as_deref(), "group name")?,
    )?;
    let image = full(
        image_place,
        words.need(args.image.as_deref(), "image name")?,
    )?;
    words.end()?;
    let image = member(rbd, &image, doing).await?;
    Ok((group, image))
}

async fn add(mut rbd: Rbd, args: &MemberArgs) -> Result<(), Failure> {
    const DOING: &str = "add image error";
    let (group, image) = group_and_image(&mut rbd, args, DOING).await?;
    let what = GroupRequest::Add {
        image,
        without_journal: false,
    };
    rbd.alter(group, what, DOING).await
}

async fn attach(mut rbd: Rbd, args: &MemberArgs) -> Result<(), Failure> {
    const DOING: &str = "attach error";
    let (group_place, image_place) = places(&rbd, args);
    let mut words = Words::new(&args.words);
    let image = full(
        image_place,
        words.need(args.image.as_deref(), "image name")?,
    )?;
    let group = full(
        group_place,
        words.need(args.group.as_deref(), "group name")?,
    )?;
    words.end()?;
    let image = member(&mut rbd, &image, DOING).await?;
    let what = GroupRequest::Add {
        image,
        without_journal: true,
    };
    rbd.alter(group, what, DOING).await
}

async fn remove_image(mut rbd: Rbd, args: &MemberArgs) -> Result<(), Failure> {
    const DOING: &str = "remove image error";
    let (group, image) = group_and_image(&mut rbd, args, DOING).await?;
    rbd.alter(group, GroupRequest::Detach { image }, DOING)
        .await
}

async fn detach(mut rbd: Rbd, args: &MemberArgs) -> Result<(), Failure> {
    const DOING: &str = "detach error";
    let (_, image_place) = places(&rbd, args);
    let mut words = Words::new(&args.words);
    let name = full(
        image_place,
        words.need(args.image.as_deref(), "image name")?,
    )?;
    words.end()?;
    let image = rbd.open(&name).await?;
    let Some(group) = image.group else {
        let text = format!(
            "{} belongs to no group\nrbd: {DOING}: (22) Invalid argument",
            name.base()
        );
        return Err(refuse(EINVAL, text));
    };
    let image = image.id;
    rbd.alter(group, GroupRequest::Detach { image }, DOING)
        .await
}

async fn snap(mut rbd: Rbd, command: &GroupSnapCommand) -> Result<(), Failure> {
    match command {
        GroupSnapCommand::Create(args) => {
            let named = Named::of(&rbd, args)?;
            let snapshot = named.snapshot()?;
            named.words.end()?;
            let what = GroupRequest::TakeSnapshot { snapshot };
            rbd.alter(named.group, what, "failed to create group snapshot")
                .await
        }
        GroupSnapCommand::Remove(args) => {
            let named = Named::of(&rbd, args)?;
            let snapshot = named.snapshot()?;
            named.words.end()?;
            let what = GroupRequest::RemoveSnapshot { snapshot };
            rbd.alter(named.group, what, "failed to remove group snapshot")
                .await
        }
        GroupSnapCommand::Rename(args) => {
            let mut named = Named::of(&rbd, args)?;
            let snapshot = named.snapshot()?;
            let to = named
                .words
                .need(args.dest_group.as_deref(), "destination snapshot name")?;
            named.words.end()?;
            if to.contains(['/', '@']) {
                return Err(refuse(EINVAL, format!("rbd: invalid snap name '{to}'")));
            }
            let to = snapshot_name(to)?;
            let what = GroupRequest::RenameSnapshot { snapshot, to };
            rbd.alter(named.group, what, "failed to rename group snapshot")
                .await
        }
        GroupSnapCommand::Rollback(args) => {
            let named = Named::of(&rbd, args)?;
            let snapshot = named.snapshot()?;
            named.words.end()?;
            let progress = Progress::new(&rbd.common, "Rolling back to group snapshot");
            let what = GroupRequest::RollBack { snapshot };
            rbd.alter(named.group, what, "rollback group to snapshot failed")
                .await?;
            progress.done();
            Ok(())
        }
        GroupSnapCommand::List(args) => list_snapshots(rbd, args).await,
        GroupSnapCommand::Info(args) => snapshot_info(rbd, args).await,
    }
}

const fn state(snapshot: &ToolGroupSnapshot) -> &'static str {
    if snapshot.complete {
        "ok"
    } else {
        "incomplete"
    }
}

async fn list_snapshots(mut rbd: Rbd, args: &GroupArgs) -> Result<(), Failure> {
    let name = Named::of(&rbd, args)?.only()?;
    let group = rbd.group(&name, "listing group snapshots failed").await?;
    let taken = group.snapshots.iter();
    let taken = taken.map(|taken| (taken.name.to_string(), taken.complete));
    let taken: Vec<(String, bool)> = taken.collect();
    show::groups::snapshots(&rbd.common, &taken);
    Ok(())
}

async fn snapshot_info(mut rbd: Rbd, args: &GroupArgs) -> Result<(), Failure> {
    const DOING: &str = "failed to show group snapshot";
    let named = Named::of(&rbd, args)?;
    let wanted = named.snapshot()?;
    named.words.end()?;
    let group = rbd.group(&named.group, DOING).await?;
    let found = group.snapshots.iter().find(|taken| taken.name == wanted);
    let taken = found.ok_or_else(|| failed(DOING, ENOENT))?;
    let known = |id: &ImageId| group.images.iter().find(|(member, _)| member == id);
    let mut images: Vec<(ImageId, String)> = taken
        .images
        .iter()
        .map(|id| {
            (
                *id,
                known(id).map_or_else(|| short_id(*id), |(_, name)| full_name(name)),
            )
        })
        .collect();
    images.sort_by(|one, other| one.1.cmp(&other.1));
    if rbd.structured() {
        let row = |(id, name): &(ImageId, String)| {
            Doc::map([("image", name.into()), ("id", short_id(*id).into())])
        };
        let doc = Doc::map([
            ("name", (&taken.name).into()),
            ("id", taken.id.to_string().into()),
            ("state", state(taken).into()),
            ("timestamp", ctime(taken.time).into()),
            ("images", Doc::list("image", images.iter().map(row))),
        ]);
        rbd.print("group_snapshot", &doc);
        return Ok(());
    }
    Printer::line(&format!("rbd group snapshot '{}':", taken.name));
    Printer::line(&format!("\tid: {}", taken.id));
    Printer::line(&format!("\tstate: {}", state(taken)));
    Printer::line(&format!("\ttimestamp: {}", ctime(taken.time)));
    Printer::line("\timages:");
    for (_, name) in images {
        Printer::line(&format!("\t\t{name}"));
    }
    Ok(())
}
