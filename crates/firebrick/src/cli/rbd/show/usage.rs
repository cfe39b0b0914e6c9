//! `du`.

use firebrick_vocabulary::Bytes;

use crate::cli::rbd::args::Common;
use crate::cli::rbd::doc::Doc;
use crate::cli::rbd::size::human;
use crate::cli::rbd::table::{Lean, Table};

/// An image or a snapshot, and what it takes beyond the snapshot before it.
#[derive(Clone, Debug)]
pub(in crate::cli::rbd) struct Row {
    pub(in crate::cli::rbd) name: String,
    pub(in crate::cli::rbd) id: String,
    /// Of a snapshot: its name and number.
    pub(in crate::cli::rbd) snapshot: Option<(String, u64)>,
    pub(in crate::cli::rbd) provisioned: Bytes,
    pub(in crate::cli::rbd) used: Bytes,
}

impl Row {
    fn doc(&self) -> Doc {
        let mut row = Doc::map([("name", (&self.name).into()), ("id", (&self.id).into())]);
        if let Some((snapshot, id)) = &self.snapshot {
            row.put("snapshot", snapshot);
            row.put("snapshot_id", *id);
        }
        row.put("provisioned_size", self.provisioned);
        row.put("used_size", self.used);
        row
    }

    fn cells(&self) -> [String; 3] {
        let name = match &self.snapshot {
            Some((snapshot, _)) => format!("{}@{snapshot}", self.name),
            None => self.name.clone(),
        };
        [name, human(self.provisioned), human(self.used)]
    }
}

/// Has the newest state of an image stand for it and all its snapshots.
pub(in crate::cli::rbd) fn merged(mut rows: Vec<Row>) -> Vec<Row> {
    let Some(mut last) = rows.pop() else {
        return rows;
    };
    last.used.0 += rows.iter().map(|row| row.used.0).sum::<u64>();
    vec![last]
}

/// What was asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::cli::rbd) enum Asked {
    /// All images of a pool.
    Pool,
    /// An image.
    Image,
    /// A snapshot.
    Snapshot,
}

/// `rbd du`
pub(in crate::cli::rbd) fn print(common: &Common, asked: Asked, rows: &[Row]) {
    // Snapshots share the room that is promised with their image.
    let counts = |row: &&Row| row.snapshot.is_none() || asked == Asked::Snapshot;
    let provisioned: u64 = rows
        .iter()
        .filter(counts)
        .map(|row| row.provisioned.0)
        .sum();
    let used: u64 = rows.iter().map(|row| row.used.0).sum();
    if common.structured() {
        let images = Doc::list("image", rows.iter().map(Row::doc));
        let mut stats = Doc::map([("images", images)]);
        if asked == Asked::Pool {
            stats.put("total_provisioned_size", provisioned);
            stats.put("total_used_size", used);
        }
        return common.print("stats", &stats);
    }
    let mut table = Table::new(&[
        ("NAME", Lean::Left),
        ("PROVISIONED", Lean::Right),
        ("USED", Lean::Right),
    ]);
    for row in rows {
        table.row(row.cells());
    }
    if rows.len() > 1 {
        let [provisioned, used] = [Bytes(provisioned), Bytes(used)];
        table.row(["<TOTAL>".to_owned(), human(provisioned), human(used)]);
    }
    table.print();
}
