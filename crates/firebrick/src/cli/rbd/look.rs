//! `rbd ls`, `info`, `status`, `children`, `window`.

use firebrick_site::admin::{
    ToolChild, ToolImage, ToolParent, ToolReply, ToolRequest, ToolSnapshot, ToolWatcher,
};
use firebrick_vocabulary::{Feature, ImageId, MIB, Role, SnapshotName};

use super::args::{ChildrenArgs, LsArgs, SpecArgs};
use super::at::{ctime, rfc3339};
use super::doc::Doc;
use super::error::{ENOENT, failed, fault};
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
    if args.long {
        return list_long(rbd, images).await;
    }
    if rbd.structured() {
        let names = images.iter().map(|image| &image.name);
        rbd.print("images", &Doc::list("name", names));
    } else {
        let names = images.iter().map(|image| image.name.base());
        names.for_each(Printer::line);
    }
    Ok(())
}

async fn list_long(mut rbd: Rbd, images: Vec<ToolImage>) -> Result<(), Failure> {
    let mut rows = Vec::new();
    let mut table = Table::new(&[
        ("NAME", Lean::Left),
        ("SIZE", Lean::Right),
        ("PARENT", Lean::Left),
        ("FMT", Lean::Right),
        ("PROT", Lean::Left),
        ("LOCK", Lean::Left),
    ]);
    for image in images {
        table.row(long_cells(&image, None));
        rows.push(("image", long_doc(&image, None)));
        if image.snapshots == 0 {
            continue;
        }
        let taken = rbd.snapshots(image.id).await;
        for taken in taken.map_err(|error| fault("list snapshots", &error))? {
            if !is_hidden(&taken.name) {
                table.row(long_cells(&image, Some(&taken)));
                rows.push(("snapshot", long_doc(&image, Some(&taken))));
            }
        }
    }
    if rbd.structured() {
        rbd.print("images", &Doc::List(rows));
    } else if !table.is_empty() {
        Printer::line(&table.text());
    }
    Ok(())
}

/// An image, or a snapshot of it, as a row for people.
fn long_cells(image: &ToolImage, taken: Option<&ToolSnapshot>) -> [String; 6] {
    let name = image.name.base();
    let (name, size, protected, lock) = match taken {
        Some(taken) => (
            format!("{name}@{}", taken.name),
            taken.size,
            taken.protected,
            false,
        ),
        None => (
            name.to_owned(),
            image.size,
            false,
            !image.watchers.is_empty(),
        ),
    };
    let parent = image.parent.as_ref().map(parent_name).unwrap_or_default();
    let said = |is: bool, word: &str| if is { word } else { "" }.to_owned();
    let (protected, lock) = (said(protected, "yes"), said(lock, "excl"));
    [
        name,
        size.to_string(),
        parent,
        "2".to_owned(),
        protected,
        lock,
    ]
}

/// The same for programs.
fn long_doc(image: &ToolImage, taken: Option<&ToolSnapshot>) -> Doc {
    let mut row = Doc::map([
        ("image", (&image.name).into()),
        ("id", short_id(image.id).into()),
    ]);
    if let Some(taken) = taken {
        row.put("snapshot", &taken.name);
        row.put("snapshot_id", taken.id);
    }
    row.put("size", taken.map_or(image.size, |taken| taken.size));
    if let Some(parent) = &image.parent {
        row.put("parent", parent_doc(parent));
    }
    row.put("format", 2_u64);
    match taken {
        Some(taken) => row.put("protected", taken.protected.to_string()),
        None if !image.watchers.is_empty() => row.put("lock_type", "exclusive"),
        None => {}
    }
    row
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

pub(super) fn parent_name(parent: &ToolParent) -> String {
    let image = full_name(&parent.image);
    match &parent.snapshot {
        Some(snapshot) => format!("{image}@{snapshot}"),
        None => image,
    }
}

pub(super) fn parent_doc(parent: &ToolParent) -> Doc {
    let snapshot = parent.snapshot.as_ref().map_or("", SnapshotName::as_str);
    Doc::map([
        ("pool", POOL.into()),
        ("pool_namespace", parent.image.namespace().into()),
        ("image", (&parent.image).into()),
        ("snapshot", snapshot.into()),
    ])
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
    if rbd.structured() {
        rbd.print("image", &info_doc(&image, protected));
    } else {
        Printer::line(info_text(&image, protected).trim_end_matches('\n'));
    }
    Ok(())
}

/// What of an image is mere names: each with the element of its list.
fn lists(image: &ToolImage) -> [(&'static str, &'static str, Vec<&'static str>); 3] {
    let mut features: Vec<&str> = image.features.iter().map(Feature::name).collect();
    let mut operations = Vec::new();
    if image.group.is_some() {
        features.push("operations");
        operations.push("group");
    }
    [
        ("features", "feature", features),
        ("op_features", "op_feature", operations),
        ("flags", "flag", Vec::new()),
    ]
}

fn info_doc(image: &ToolImage, protected: Option<bool>) -> Doc {
    let id = short_id(image.id);
    let mut info = Doc::map([
        ("name", (&image.name).into()),
        ("id", (&id).into()),
        ("size", image.size.into()),
        ("objects", image.size.0.div_ceil(OBJECT).into()),
        ("order", 22_u64.into()),
        ("object_size", OBJECT.into()),
        ("snapshot_count", image.snapshots.into()),
        ("block_name_prefix", format!("rbd_data.{id}").into()),
        ("format", 2_u64.into()),
    ]);
    for (key, item, names) in lists(image) {
        info.put(key, Doc::list(item, names));
    }
    if let Some(group) = &image.group {
        info.put("group", full_name(group));
    }
    for key in ["create_timestamp", "access_timestamp", "modify_timestamp"] {
        info.put(key, ctime(image.created));
    }
    if let Some(limit) = image.snapshot_limit {
        info.put("snapshot_limit", limit);
    }
    if let Some(protected) = protected {
        info.put("protected", protected.to_string());
    }
    if let Some(parent) = &image.parent {
        let snapshot = parent.snapshot.as_ref().map_or("", SnapshotName::as_str);
        let parent = Doc::map([
            ("pool", POOL.into()),
            ("pool_namespace", parent.image.namespace().into()),
            ("image", (&parent.image).into()),
            ("id", short_id(parent.id).into()),
            ("snapshot", snapshot.into()),
            ("trash", parent.image.is_internal().into()),
            ("overlap", image.size.into()),
        ]);
        info.put("parent", parent);
    }
    if image.features.has(Feature::Journaling) {
        info.put("journal", id);
    }
    if image.mirrored {
        let mirroring = Doc::map([
            ("mode", image.mode.as_str().into()),
            ("state", "enabled".into()),
            ("global_id", image.id.into()),
            ("primary", (image.role == Role::Primary).into()),
        ]);
        info.put("mirroring", mirroring);
    } else if image.features.has(Feature::Journaling) {
        let mirroring = Doc::map([("mode", "journal".into()), ("state", "disabled".into())]);
        info.put("mirroring", mirroring);
    }
    info
}

fn info_text(image: &ToolImage, protected: Option<bool>) -> String {
    let id = short_id(image.id);
    let mut text = format!("rbd image '{}':\n", image.name.base());
    let mut line = |line: String| text.extend(["\t", &line, "\n"]);
    let objects = image.size.0.div_ceil(OBJECT);
    line(format!("size {} in {objects} objects", image.size));
    line("order 22 (4 MiB objects)".to_owned());
    line(format!("snapshot_count: {}", image.snapshots));
    line(format!("id: {id}"));
    line(format!("block_name_prefix: rbd_data.{id}"));
    line("format: 2".to_owned());
    for (key, _, names) in lists(image) {
        line(format!("{key}: {}", names.join(", ")));
    }
    if let Some(group) = &image.group {
        line(format!("group: {}", full_name(group)));
    }
    for key in ["create_timestamp", "access_timestamp", "modify_timestamp"] {
        line(format!("{key}: {}", ctime(image.created)));
    }
    if let Some(limit) = image.snapshot_limit {
        line(format!("snapshot_limit: {limit}"));
    }
    if let Some(protected) = protected {
        let protected = if protected { "True" } else { "False" };
        line(format!("protected: {protected}"));
    }
    if let Some(parent) = &image.parent {
        line(format!("parent: {}", parent_name(parent)));
        line(format!("overlap: {}", image.size));
    }
    if image.features.has(Feature::Journaling) {
        line(format!("journal: {id}"));
    }
    if image.mirrored {
        line("mirroring state: enabled".to_owned());
        line(format!("mirroring mode: {}", image.mode));
        line(format!("mirroring global id: {}", image.id));
        let primary = image.role == Role::Primary;
        line(format!("mirroring primary: {primary}"));
    } else if image.features.has(Feature::Journaling) {
        line("mirroring state: disabled".to_owned());
    }
    text
}

/// `rbd status`
pub(super) async fn status(mut rbd: Rbd, args: &SpecArgs) -> Result<(), Failure> {
    let spec = Spec::of(&rbd.common, args)?;
    let image = rbd.open(spec.only_image()?).await?;
    if rbd.structured() {
        let watcher = |watcher: &ToolWatcher| {
            Doc::map([
                ("address", (&watcher.address).into()),
                ("client", watcher.client.into()),
                ("cookie", watcher.client.into()),
            ])
        };
        let watchers = Doc::list("watcher", image.watchers.iter().map(watcher));
        rbd.print("status", &Doc::map([("watchers", watchers)]));
    } else if image.watchers.is_empty() {
        Printer::line("Watchers: none");
    } else {
        Printer::line("Watchers:");
        for ToolWatcher { client, address } in &image.watchers {
            Printer::line(&format!(
                "\twatcher={address} client.{client} cookie={client}"
            ));
        }
    }
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
    if !rbd.structured() {
        for child in &children {
            let trash = if child.name.is_internal() {
                format!(" (trash {})", short_id(child.id))
            } else {
                String::new()
            };
            Printer::line(&format!("{}{trash}", full_name(&child.name)));
        }
        return Ok(());
    }
    let row = |child: &ToolChild| {
        let mut row = Doc::map([
            ("pool", POOL.into()),
            ("pool_namespace", child.name.namespace().into()),
            ("image", (&child.name).into()),
        ]);
        if args.all {
            row.put("id", short_id(child.id));
            row.put("trash", child.name.is_internal());
        }
        row
    };
    rbd.print("children", &Doc::list("child", children.iter().map(row)));
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
