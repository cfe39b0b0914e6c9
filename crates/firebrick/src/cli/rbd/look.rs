//! `rbd ls`, `info`, `status`, `children`, `window`.

use firebrick_site::admin::{
    ToolChild, ToolImage, ToolParent, ToolReply, ToolRequest, ToolSnapshot, ToolWatcher,
};
use firebrick_vocabulary::{Bytes, Feature, ImageId, MIB, Role};

use super::args::{ChildrenArgs, LsArgs, SpecArgs};
use super::at::rfc3339;
use super::doc::Doc;
use super::error::{ENOENT, failed, fault};
use super::show;
use super::show::Origin;
use super::show::info::{Info, Mirroring};
use super::site::{Rbd, confused};
use super::snap::is_hidden;
use super::spec::{POOL, Spec, full_name};
use super::table::{Lean, Table};
use crate::exit::Failure;
use crate::printer::Printer;

/// The unit in which the `rbd` tool thinks, in bytes.
pub(super) const OBJECT: u64 = 4 * MIB;

/// What stands for an image's id where RBD has a short one.
pub(super) fn short_id(id: ImageId) -> String {
    id.0.simple().to_string().chars().take(12).collect()
}

/// `rbd ls`
pub(super) async fn list(mut rbd: Rbd, args: &LsArgs) -> Result<(), Failure> {
    let namespace = rbd.common.pool_word(args.pool.word.as_deref())?;
    rbd.check_namespace(&namespace).await?;
    let images = rbd.images_in(&namespace).await?;
    if !args.long {
        show::images::names(&rbd.common, images.iter().map(|image| image.name.base()));
        return Ok(());
    }
    let mut rows = Vec::new();
    for image in images {
        rows.push(row(&image, None));
        if image.snapshots == 0 {
            continue;
        }
        let taken = rbd.snapshots(image.id).await;
        for taken in taken.map_err(|error| fault("list snapshots", &error))? {
            if !is_hidden(&taken.name) {
                rows.push(row(&image, Some(&taken)));
            }
        }
    }
    show::images::long(&rbd.common, &rows);
    Ok(())
}

/// An image, or a snapshot of it.
fn row(image: &ToolImage, taken: Option<&ToolSnapshot>) -> show::images::Row {
    let locked = taken.is_none() && !image.watchers.is_empty();
    show::images::Row {
        name: image.name.base().to_owned(),
        id: short_id(image.id),
        snapshot: taken.map(|taken| (taken.name.to_string(), taken.id.0, taken.protected)),
        size: taken.map_or(image.size, |taken| taken.size),
        parent: image.parent.as_ref().map(origin),
        format: 2,
        lock: locked.then_some(show::images::Locked::Exclusive),
    }
}

impl Rbd {
    /// All images, by name.
    pub(super) async fn images(&mut self) -> Result<Vec<ToolImage>, Failure> {
        match self.call(ToolRequest::Images).await {
            Ok(ToolReply::Images(images)) => Ok(images),
            Ok(other) => Err(fault("listing images failed", &confused(&other))),
            Err(error) => Err(fault("listing images failed", &error)),
        }
    }

    /// The images of a namespace, by name.
    pub(super) async fn images_in(&mut self, namespace: &str) -> Result<Vec<ToolImage>, Failure> {
        let mut images = self.images().await?;
        images.retain(|image| image.name.namespace() == namespace);
        Ok(images)
    }

    /// The images that started as an image or its snapshots, by name.
    pub(super) async fn children(&mut self, of: ImageId) -> Result<Vec<ToolChild>, Failure> {
        const DOING: &str = "listing children failed";
        match self.call(ToolRequest::Children { image: of }).await {
            Ok(ToolReply::Children(children)) => Ok(children),
            Ok(other) => Err(fault(DOING, &confused(&other))),
            Err(error) => Err(fault(DOING, &error)),
        }
    }
}

pub(super) fn origin(parent: &ToolParent) -> Origin {
    let snapshot = parent.snapshot.as_ref().map(ToString::to_string);
    Origin {
        pool: POOL.to_owned(),
        namespace: parent.image.namespace().to_owned(),
        image: parent.image.base().to_owned(),
        id: short_id(parent.id),
        snapshot: snapshot.unwrap_or_default(),
        trashed: parent.image.is_internal(),
    }
}

/// `rbd info`
pub(super) async fn info(mut rbd: Rbd, args: &SpecArgs) -> Result<(), Failure> {
    let spec = Spec::of(&rbd.common, args)?;
    let mut image = rbd.open(spec.image()?).await?;
    let mut protected = None;
    if let Some(name) = &spec.snapshot {
        let doing = format!("error setting snapshot context: {name}");
        let taken = rbd.snapshot(image.id, name).await;
        let taken = taken.map_err(|error| fault(&doing, &error))?;
        let taken = taken.ok_or_else(|| failed(&doing, ENOENT))?;
        image.size = taken.size;
        protected = Some(taken.protected);
    }
    show::info::print(&rbd.common, &info_of(&image, protected));
    Ok(())
}

fn info_of(image: &ToolImage, protected: Option<bool>) -> Info {
    let id = short_id(image.id);
    let mut features: Vec<&str> = image.features.iter().map(Feature::name).collect();
    let mut op_features = Vec::new();
    if image.group.is_some() {
        features.push("operations");
        op_features.push("group");
    }
    let has_journal = image.features.has(Feature::Journaling);
    let mirroring = if image.mirrored {
        Some(Mirroring::Enabled {
            mode: image.mode.to_string(),
            state: "enabled",
            global_id: image.id.to_string(),
            primary: image.role == Role::Primary,
        })
    } else {
        has_journal.then_some(Mirroring::Disabled)
    };
    Info {
        name: image.name.base().to_owned(),
        size: image.size,
        objects: image.size.0.div_ceil(OBJECT),
        order: 22,
        object_size: Bytes(OBJECT),
        snapshots: image.snapshots,
        data_pool: None,
        prefix: format!("rbd_data.{id}"),
        format: 2,
        features,
        op_features,
        flags: Vec::new(),
        group: image.group.as_ref().map(full_name),
        times: [image.created; 3],
        snapshot_limit: image.snapshot_limit,
        protected,
        parent: image
            .parent
            .as_ref()
            .map(|parent| (origin(parent), image.size)),
        striping: None,
        journal: has_journal.then(|| id.clone()),
        mirroring,
        id,
    }
}

/// `rbd status`
pub(super) async fn status(mut rbd: Rbd, args: &SpecArgs) -> Result<(), Failure> {
    let spec = Spec::of(&rbd.common, args)?;
    let image = rbd.open(spec.only_image()?).await?;
    let watcher = |watcher: &ToolWatcher| show::watchers::Watcher {
        address: watcher.address.clone(),
        client: watcher.client,
        cookie: watcher.client,
    };
    let watchers: Vec<_> = image.watchers.iter().map(watcher).collect();
    let mirroring = if image.mirrored {
        Some(rbd.mirroring(image.id).await?)
    } else {
        None
    };
    show::watchers::print(&rbd.common, &watchers, mirroring);
    Ok(())
}

/// `rbd children`
pub(super) async fn children(mut rbd: Rbd, args: &ChildrenArgs) -> Result<(), Failure> {
    let spec = Spec::of(&rbd.common, &args.spec)?;
    let image = rbd.open(spec.image()?).await?;
    let wanted = match &spec.snapshot {
        None => None,
        Some(name) => {
            let doing = format!("error setting snapshot context: {name}");
            let taken = rbd.snapshot(image.id, name).await;
            let taken = taken.map_err(|error| fault(&doing, &error))?;
            Some(taken.ok_or_else(|| failed(&doing, ENOENT))?.id)
        }
    };
    let mut children = rbd.children(image.id).await?;
    children.retain(|child| {
        let shown = args.all || !child.name.is_internal();
        shown && (wanted.is_none() || child.snapshot == wanted)
    });
    let child = |child: &ToolChild| show::images::Child {
        pool: POOL.to_owned(),
        namespace: child.name.namespace().to_owned(),
        name: child.name.base().to_owned(),
        id: short_id(child.id),
        trashed: child.name.is_internal(),
    };
    let children: Vec<_> = children.iter().map(child).collect();
    show::images::children(&rbd.common, &children, args.all);
    Ok(())
}

/// `firebrick rbd window`
pub(super) async fn window(mut rbd: Rbd, args: &SpecArgs) -> Result<(), Failure> {
    let spec = Spec::of(&rbd.common, args)?;
    let image = rbd.open(spec.only_image()?).await?;
    let window = match rbd.call(ToolRequest::Window { image: image.id }).await {
        Ok(ToolReply::Window(window)) => window,
        Ok(other) => return Err(fault("window", &confused(&other))),
        Err(error) => return Err(fault("window", &error)),
    };
    if rbd.structured() {
        let mut doc = Doc::map([("image", (&image.name).into())]);
        for (i, bound) in ["oldest", "newest"].into_iter().enumerate() {
            let moment = window.map(|bounds| bounds[i]);
            let moment = moment.map_or(Doc::Null, |moment| {
                let time = rfc3339(moment.time).into();
                Doc::map([("position", moment.sequence.0.into()), ("time", time)])
            });
            doc.put(bound, moment);
        }
        rbd.print("window", &doc);
        return Ok(());
    }
    let Some([oldest, newest]) = window else {
        Printer::line("nothing is retained; set `retention` in site.conf");
        return Ok(());
    };
    let mut table = Table::new(&[
        ("BOUND", Lean::Left),
        ("POSITION", Lean::Right),
        ("TIME", Lean::Left),
    ]);
    for (bound, moment) in [("oldest", oldest), ("newest", newest)] {
        let position = moment.sequence.to_string();
        table.row([bound.to_owned(), position, rfc3339(moment.time)]);
    }
    Printer::line(&table.text());
    Ok(())
}

#[cfg(test)]
mod tests;
