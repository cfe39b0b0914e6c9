//! `ls`, `ls -l`, `children`.

use firebrick_vocabulary::Bytes;

use super::{Origin, path};
use crate::cli::rbd::args::Common;
use crate::cli::rbd::doc::Doc;
use crate::cli::rbd::size::human;
use crate::cli::rbd::table::{Lean, Table};
use crate::printer::Printer;

/// How an image is locked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::cli::rbd) enum Locked {
    Exclusive,
    Shared,
}

/// An image or a snapshot in a list.
#[derive(Clone, Debug)]
pub(in crate::cli::rbd) struct Row {
    pub(in crate::cli::rbd) name: String,
    pub(in crate::cli::rbd) id: String,
    /// Of a snapshot: its name and number, and whether it is protected.
    pub(in crate::cli::rbd) snapshot: Option<(String, u64, bool)>,
    pub(in crate::cli::rbd) size: Bytes,
    pub(in crate::cli::rbd) parent: Option<Origin>,
    pub(in crate::cli::rbd) format: u64,
    pub(in crate::cli::rbd) lock: Option<Locked>,
}

impl Row {
    fn cells(&self) -> [String; 6] {
        let name = match &self.snapshot {
            Some((snapshot, ..)) => format!("{}@{snapshot}", self.name),
            None => self.name.clone(),
        };
        let protected = matches!(self.snapshot, Some((_, _, true)));
        let lock = match self.lock {
            Some(Locked::Exclusive) => "excl",
            Some(Locked::Shared) => "shr",
            None => "",
        };
        [
            name,
            human(self.size),
            self.parent.as_ref().map(Origin::path).unwrap_or_default(),
            self.format.to_string(),
            if protected { "yes" } else { "" }.to_owned(),
            lock.to_owned(),
        ]
    }

    fn doc(&self) -> (&'static str, Doc) {
        let mut row = Doc::map([("image", (&self.name).into()), ("id", (&self.id).into())]);
        if let Some((snapshot, id, _)) = &self.snapshot {
            row.put("snapshot", snapshot);
            row.put("snapshot_id", *id);
        }
        row.put("size", self.size);
        if let Some(parent) = &self.parent {
            row.put("parent", parent.doc());
        }
        row.put("format", self.format);
        if let Some((.., protected)) = &self.snapshot {
            row.put("protected", protected.to_string());
        }
        match self.lock {
            Some(Locked::Exclusive) => row.put("lock_type", "exclusive"),
            Some(Locked::Shared) => row.put("lock_type", "shared"),
            None => {}
        }
        let element = if self.snapshot.is_some() {
            "snapshot"
        } else {
            "image"
        };
        (element, row)
    }
}

/// `rbd ls`
pub(in crate::cli::rbd) fn names<'a>(common: &Common, names: impl Iterator<Item = &'a str>) {
    if common.structured() {
        common.print("images", &Doc::list("name", names));
    } else {
        names.for_each(Printer::line);
    }
}

/// `rbd ls -l`
pub(in crate::cli::rbd) fn long(common: &Common, rows: &[Row]) {
    if common.structured() {
        let rows = rows.iter().map(Row::doc);
        return common.print("images", &Doc::List(rows.collect()));
    }
    let mut table = Table::new(&[
        ("NAME", Lean::Left),
        ("SIZE", Lean::Right),
        ("PARENT", Lean::Left),
        ("FMT", Lean::Right),
        ("PROT", Lean::Left),
        ("LOCK", Lean::Left),
    ]);
    for row in rows {
        table.row(row.cells());
    }
    table.print();
}

/// A clone.
#[derive(Clone, Debug)]
pub(in crate::cli::rbd) struct Child {
    pub(in crate::cli::rbd) pool: String,
    pub(in crate::cli::rbd) namespace: String,
    pub(in crate::cli::rbd) name: String,
    pub(in crate::cli::rbd) id: String,
    pub(in crate::cli::rbd) trashed: bool,
}

/// `rbd children`; with `all` those in the trash are among them.
pub(in crate::cli::rbd) fn children(common: &Common, children: &[Child], all: bool) {
    if common.structured() {
        let row = |child: &Child| {
            let mut row = Doc::map([
                ("pool", (&child.pool).into()),
                ("pool_namespace", (&child.namespace).into()),
                ("image", (&child.name).into()),
            ]);
            if all {
                row.put("id", &child.id);
                row.put("trash", child.trashed);
            }
            row
        };
        return common.print("children", &Doc::list("child", children.iter().map(row)));
    }
    for child in children {
        let trash = if child.trashed {
            format!(" (trash {})", child.id)
        } else {
            String::new()
        };
        let path = path(&child.pool, &child.namespace, &child.name);
        Printer::line(&format!("{path}{trash}"));
    }
}
