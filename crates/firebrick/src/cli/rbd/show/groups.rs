//! `group …`.

use super::path;
use crate::cli::rbd::args::Common;
use crate::cli::rbd::doc::Doc;
use crate::cli::rbd::table::{Lean, Table};
use crate::printer::Printer;

/// `rbd group ls`
pub(in crate::cli::rbd) fn names<'a>(common: &Common, names: impl Iterator<Item = &'a str>) {
    if common.structured() {
        common.print("groups", &Doc::list("name", names));
    } else {
        names.for_each(Printer::line);
    }
}

/// An image of a group.
#[derive(Clone, Debug)]
pub(in crate::cli::rbd) struct Member {
    pub(in crate::cli::rbd) pool: String,
    pub(in crate::cli::rbd) namespace: String,
    pub(in crate::cli::rbd) name: String,
    /// Whether it is one yet.
    pub(in crate::cli::rbd) attached: bool,
}

/// `rbd group image ls`
pub(in crate::cli::rbd) fn members(common: &Common, members: &[Member]) {
    if common.structured() {
        let row = |member: &Member| {
            Doc::map([
                ("image", (&member.name).into()),
                ("pool", (&member.pool).into()),
                ("namespace", (&member.namespace).into()),
                ("state", u64::from(!member.attached).into()),
            ])
        };
        return common.print("images", &Doc::list("image", members.iter().map(row)));
    }
    for member in members {
        let path = path(&member.pool, &member.namespace, &member.name);
        let state = if member.attached { "" } else { "incomplete" };
        Printer::line(&format!("{path} {state}"));
    }
}

/// `rbd group snap ls`: names, and whether each is complete.
pub(in crate::cli::rbd) fn snapshots(common: &Common, taken: &[(String, bool)]) {
    let state = |complete: bool| if complete { "ok" } else { "incomplete" };
    if common.structured() {
        let row = |(name, complete): &(String, bool)| {
            Doc::map([
                ("snapshot", name.into()),
                ("state", state(*complete).into()),
            ])
        };
        return common.print(
            "group_snaps",
            &Doc::list("group_snap", taken.iter().map(row)),
        );
    }
    let mut table = Table::new(&[("NAME", Lean::Left), ("STATUS", Lean::Right)]);
    for (name, complete) in taken {
        table.row([name.clone(), state(*complete).to_owned()]);
    }
    table.print();
}
