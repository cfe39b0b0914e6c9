//! Lists that say little of much: notes, locks, namespaces, the trash.

use std::collections::BTreeMap;

use crate::cli::rbd::args::Common;
use crate::cli::rbd::at::ctime;
use crate::cli::rbd::doc::Doc;
use crate::cli::rbd::table::{Lean, Table};
use crate::printer::Printer;

/// `rbd image-meta list`
pub(in crate::cli::rbd) fn notes(common: &Common, noted: BTreeMap<String, String>) {
    if common.structured() {
        if noted.is_empty() {
            // As the rbd tool does.
            return;
        }
        let entries = noted.into_iter().map(|(key, value)| (key, value.into()));
        return common.print("metadatas", &Doc::Map(entries.collect()));
    }
    match noted.len() {
        0 => return Printer::line("There are 0 metadata on this image."),
        1 => Printer::line("There is 1 metadatum on this image:\n"),
        count => Printer::line(&format!("There are {count} metadata on this image:\n")),
    }
    let mut table = Table::new(&[("Key", Lean::Left), ("Value", Lean::Left)]);
    for (key, value) in noted {
        table.row([key, value]);
    }
    table.print();
}

/// A lock that somebody holds.
#[derive(Clone, Debug)]
pub(in crate::cli::rbd) struct Lock {
    pub(in crate::cli::rbd) id: String,
    pub(in crate::cli::rbd) locker: String,
    pub(in crate::cli::rbd) address: String,
}

/// `rbd lock ls`; the tag is that of those who share the image.
pub(in crate::cli::rbd) fn locks(common: &Common, tag: Option<&str>, held: Vec<Lock>) {
    if common.structured() {
        let row = |lock: &Lock| {
            Doc::map([
                ("id", (&lock.id).into()),
                ("locker", (&lock.locker).into()),
                ("address", (&lock.address).into()),
            ])
        };
        return common.print("locks", &Doc::list("lock", held.iter().map(row)));
    }
    if held.is_empty() {
        return;
    }
    let kind = if tag.is_some() { "shared" } else { "exclusive" };
    Printer::line(&match held.len() {
        1 => format!("There is 1 {kind} lock on this image."),
        count => format!("There are {count} {kind} locks on this image."),
    });
    if let Some(tag) = tag {
        Printer::line(&format!("Lock tag: {tag}"));
    }
    let mut table = Table::new(&[
        ("Locker", Lean::Left),
        ("ID", Lean::Left),
        ("Address", Lean::Left),
    ]);
    for lock in held {
        table.row([lock.locker, lock.id, lock.address]);
    }
    table.print();
}

/// `rbd namespace ls`
pub(in crate::cli::rbd) fn namespaces(common: &Common, names: Vec<String>) {
    if common.structured() {
        let row = |name: &String| Doc::map([("name", name.into())]);
        return common.print("namespaces", &Doc::list("namespace", names.iter().map(row)));
    }
    let mut table = Table::new(&[("NAME", Lean::Left)]);
    for name in names {
        table.row([name]);
    }
    table.print();
}

/// An image in the trash.
#[derive(Clone, Debug)]
pub(in crate::cli::rbd) struct Thrown {
    pub(in crate::cli::rbd) id: String,
    pub(in crate::cli::rbd) name: String,
    pub(in crate::cli::rbd) source: String,
    /// When it came there, in nanoseconds since the Unix epoch.
    pub(in crate::cli::rbd) at: u64,
    /// Until when it is protected.
    pub(in crate::cli::rbd) until: u64,
    /// What it began as.
    pub(in crate::cli::rbd) parent: Option<super::Origin>,
}

impl Thrown {
    fn status(&self, now: u64) -> String {
        let until = ctime(self.until);
        if now < self.until {
            format!("protected until {until}")
        } else {
            format!("expired at {until}")
        }
    }
}

/// `rbd trash ls`, with `long` all of it, as of `now`.
pub(in crate::cli::rbd) fn trash(common: &Common, thrown: &[Thrown], long: bool, now: u64) {
    if common.structured() {
        let row = |thrown: &Thrown| {
            let mut row = Doc::map([("id", (&thrown.id).into()), ("name", (&thrown.name).into())]);
            if long {
                row.put("source", &thrown.source);
                row.put("deleted_at", ctime(thrown.at));
                row.put("status", thrown.status(now));
                if let Some(parent) = &thrown.parent {
                    row.put("parent", parent.doc());
                }
            }
            row
        };
        return common.print("trash", &Doc::list("image", thrown.iter().map(row)));
    }
    if !long {
        let lines = thrown
            .iter()
            .map(|thrown| format!("{} {}", thrown.id, thrown.name));
        return lines.for_each(|line| Printer::line(&line));
    }
    let mut table = Table::new(&[
        ("ID", Lean::Left),
        ("NAME", Lean::Left),
        ("SOURCE", Lean::Left),
        ("DELETED_AT", Lean::Left),
        ("STATUS", Lean::Left),
        ("PARENT", Lean::Left),
    ]);
    for thrown in thrown {
        let parent = thrown.parent.as_ref().map(super::Origin::path);
        table.row([
            thrown.id.clone(),
            thrown.name.clone(),
            thrown.source.clone(),
            ctime(thrown.at),
            thrown.status(now),
            parent.unwrap_or_default(),
        ]);
    }
    table.print();
}
