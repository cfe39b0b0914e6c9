//! `ls`, `info`, `status`, `children`.

use firebrick_ceph::tool::{ImageAt, ImageFacts, Link, OpenImage, Parent, SnapOf};
use firebrick_vocabulary::Bytes;

use super::names::{FEATURES, FLAGS, JOURNALING, OPERATIONS, STRIPING, names};
use super::site::{Ceph, Doing as _, trouble};
use super::spec::{Place, Spec};
use crate::cli::rbd::args::{ChildrenArgs, LsArgs, SpecArgs};
use crate::cli::rbd::error::{ENOENT, failed, refuse};
use crate::cli::rbd::show;
use crate::cli::rbd::show::Origin;
use crate::cli::rbd::show::images::{Child, Locked, Row};
use crate::cli::rbd::show::info::{Info, Mirroring};
use crate::cli::rbd::show::watchers::Watcher;
use crate::exit::Failure;

pub(super) fn origin(parent: &Parent) -> Origin {
    let Link {
        pool,
        namespace,
        name,
        id,
        trashed,
    } = parent.image.clone();
    Origin {
        pool,
        namespace,
        image: name,
        id,
        snapshot: parent.snapshot.clone(),
        trashed,
    }
}

/// `rbd ls`
pub(super) fn list(ceph: &Ceph, args: &LsArgs) -> Result<(), Failure> {
    const DOING: &str = "listing images failed";
    let pool = ceph.pool(&Place::of_pool(&ceph.common, &args.pool)?);
    // As in RBD, it is said twice.
    let pool = pool.map_err(|failure| match failure {
        Failure::Rbd { text, errno } => refuse(errno, format!("{text}\n{}", failed(DOING, errno))),
        other => other,
    })?;
    let images = pool.images().doing(DOING)?;
    if !args.long {
        show::images::names(&ceph.common, images.iter().map(|(name, _)| name.as_str()));
        return Ok(());
    }
    let mut rows = Vec::new();
    for (name, id) in &images {
        match pool.look(ImageAt::Name(name)) {
            Ok(image) => rows.extend(long(&image, name, id)?),
            // It was removed meanwhile.
            Err(error) if error.errno() == i32::from(ENOENT) => {}
            Err(error) => return Err(trouble(&format!("error opening {name}"), &error)),
        }
    }
    show::images::long(&ceph.common, &rows);
    Ok(())
}

/// An image and its snapshots.
fn long(image: &OpenImage, name: &str, id: &str) -> Result<Vec<Row>, Failure> {
    const DOING: &str = "listing images failed";
    let lock = image.locks().doing(DOING)?;
    let lock = (!lock.held.is_empty()).then_some(if lock.tag.is_some() {
        Locked::Shared
    } else {
        Locked::Exclusive
    });
    let format = if id.is_empty() { 1 } else { 2 };
    let row = |snapshot, size, parent: Option<Parent>, lock| Row {
        name: name.to_owned(),
        id: id.to_owned(),
        snapshot,
        size: Bytes(size),
        parent: parent.as_ref().map(origin),
        format,
        lock,
    };
    let parent = image.parent().doing(DOING)?;
    let mut rows = vec![row(None, image.size().doing(DOING)?, parent, lock)];
    for taken in image.snapshots().doing(DOING)? {
        if taken.of != SnapOf::User {
            continue;
        }
        image.look_at(Some(&taken.name)).doing(DOING)?;
        let parent = image.parent().doing(DOING)?;
        let snapshot = Some((taken.name, taken.id, taken.protected));
        rows.push(row(snapshot, taken.size, parent, None));
    }
    Ok(rows)
}

/// `rbd info`
pub(super) fn info(ceph: &Ceph, args: &SpecArgs) -> Result<(), Failure> {
    const DOING: &str = "info";
    let spec = Spec::of(&ceph.common, args)?;
    let image = ceph.look(&spec)?;
    let facts = image.facts().doing(DOING)?;
    let protected = match spec.maybe_snapshot() {
        Some(snapshot) => Some(image.is_protected(snapshot).doing(DOING)?),
        None => None,
    };
    let mirroring = image.mirroring().doing(DOING)?;
    let mirroring = match mirroring {
        Some(found) => Some(Mirroring::Enabled {
            mode: found.mode.to_string(),
            state: found.state,
            global_id: found.global_id,
            primary: found.primary,
        }),
        None => (facts.features & JOURNALING != 0).then_some(Mirroring::Disabled),
    };
    let snapshots = image.snapshot_count().doing(DOING)?;
    let info = info_of(&spec, facts, mirroring, (snapshots, protected))?;
    show::info::print(&ceph.common, &info);
    Ok(())
}

fn info_of(
    spec: &Spec,
    facts: ImageFacts,
    mirroring: Option<Mirroring>,
    (snapshots, protected): (u64, Option<bool>),
) -> Result<Info, Failure> {
    let striping = facts.striping;
    let group = facts.group.map(|(pool, group)| {
        let namespace = &spec.place.namespace;
        show::path(&pool, namespace, &group)
    });
    Ok(Info {
        name: spec.image()?.to_owned(),
        size: Bytes(facts.size),
        objects: facts.objects,
        order: facts.order,
        object_size: Bytes(facts.object_size),
        snapshots,
        data_pool: facts.data_pool,
        prefix: facts.prefix,
        format: facts.format,
        features: names(&FEATURES, facts.features),
        op_features: names(&OPERATIONS, facts.op_features),
        flags: names(&FLAGS, facts.flags),
        group,
        times: [facts.created, facts.accessed, facts.modified],
        snapshot_limit: facts.snapshot_limit,
        protected,
        parent: facts
            .parent
            .map(|parent| (origin(&parent), Bytes(parent.overlap))),
        striping: (facts.features & STRIPING != 0).then_some((striping.unit, striping.count)),
        journal: (facts.features & JOURNALING != 0).then(|| facts.id.clone()),
        mirroring,
        id: facts.id,
    })
}

/// `rbd status`
pub(super) fn status(ceph: &Ceph, args: &SpecArgs) -> Result<(), Failure> {
    let spec = Spec::of(&ceph.common, args)?;
    spec.only_image()?;
    let image = ceph.look(&spec)?;
    let watchers = image.watchers().doing("show status failed")?;
    let watchers = watchers.into_iter().map(|watcher| Watcher {
        address: watcher.address,
        client: watcher.client.cast_unsigned(),
        cookie: watcher.cookie,
    });
    let watchers: Vec<Watcher> = watchers.collect();
    show::watchers::print(&ceph.common, &watchers, None);
    Ok(())
}

/// `rbd children`
pub(super) fn children(ceph: &Ceph, args: &ChildrenArgs) -> Result<(), Failure> {
    let spec = Spec::of(&ceph.common, &args.spec)?;
    let image = ceph.look_head(&spec)?;
    if let Some(snapshot) = spec.maybe_snapshot() {
        let set = image.look_at(Some(snapshot));
        set.map_err(|error| match u8::try_from(error.errno()) {
            Ok(ENOENT) => refuse(ENOENT, "rbd: snapshot does not exist."),
            _ => trouble("failed to set snapshot", &error),
        })?;
    }
    let mut children = image.children().doing("listing children failed")?;
    children.retain(|child| args.all || !child.trashed);
    let child = |child: Link| Child {
        pool: child.pool,
        namespace: child.namespace,
        name: child.name,
        id: child.id,
        trashed: child.trashed,
    };
    let children: Vec<Child> = children.into_iter().map(child).collect();
    show::images::children(&ceph.common, &children, args.all);
    Ok(())
}
