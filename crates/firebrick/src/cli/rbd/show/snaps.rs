//! `snap ls`.

use firebrick_vocabulary::Bytes;

use crate::cli::rbd::args::Common;
use crate::cli::rbd::at::ctime;
use crate::cli::rbd::doc::Doc;
use crate::cli::rbd::size::human;
use crate::cli::rbd::table::{Lean, Table};

/// Who took a snapshot.
#[derive(Clone, Debug)]
pub(in crate::cli::rbd) enum Taker {
    /// The word says all that is known: `user`.
    Plain(&'static str),
    /// It belongs to one of a group.
    Group {
        pool: String,
        /// The group, with its namespace.
        group: String,
        /// The group, as RBD calls it without pool and namespace.
        base: String,
        snapshot: String,
    },
    /// Somebody removed it, and clones need it still.
    Trash { name: String },
    /// The mirroring.
    Mirror {
        state: &'static str,
        peers: Vec<String>,
        complete: bool,
        of: Option<MirrorOf>,
    },
}

/// Of which snapshot at which site one is the copy.
#[derive(Clone, Debug)]
pub(in crate::cli::rbd) struct MirrorOf {
    pub(in crate::cli::rbd) site: String,
    pub(in crate::cli::rbd) id: u64,
    /// How many objects were copied, where that is counted.
    pub(in crate::cli::rbd) copied: Option<u64>,
}

/// A snapshot in a list.
#[derive(Clone, Debug)]
pub(in crate::cli::rbd) struct Row {
    pub(in crate::cli::rbd) id: u64,
    pub(in crate::cli::rbd) name: String,
    pub(in crate::cli::rbd) size: Bytes,
    pub(in crate::cli::rbd) protected: bool,
    /// Nanoseconds since the Unix epoch; 0 where that is not known.
    pub(in crate::cli::rbd) time: u64,
    pub(in crate::cli::rbd) taker: Taker,
}

impl Taker {
    fn doc(&self) -> Doc {
        match self {
            Self::Plain(kind) => Doc::map([("type", (*kind).into())]),
            Self::Group {
                pool,
                base,
                snapshot,
                ..
            } => Doc::map([
                ("type", "group".into()),
                ("pool", pool.into()),
                ("group", base.into()),
                ("group snap", snapshot.into()),
            ]),
            Self::Trash { name } => {
                Doc::map([("type", "trash".into()), ("original_name", name.into())])
            }
            Self::Mirror {
                state,
                peers,
                complete,
                of,
            } => {
                let mut doc = Doc::map([
                    ("type", "mirror".into()),
                    ("state", (*state).into()),
                    ("mirror_peer_uuids", Doc::list("peer_uuid", peers)),
                    ("complete", (*complete).into()),
                ]);
                if let Some(of) = of {
                    doc.put("primary_mirror_uuid", &of.site);
                    doc.put("primary_snap_id", of.id);
                    if let Some(copied) = of.copied {
                        doc.put("last_copied_object_number", copied);
                    }
                }
                doc
            }
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Plain(kind) => (*kind).to_owned(),
            Self::Group {
                pool,
                group,
                snapshot,
                ..
            } => format!("group ({pool}/{group}@{snapshot})"),
            Self::Trash { name } => format!("trash ({name})"),
            Self::Mirror {
                state,
                peers,
                complete,
                of,
            } => {
                let of = of.as_ref().map(|of| {
                    let copied = if *complete { "copied" } else { "not copied" };
                    format!(" {}:{} {copied}", of.site, of.id)
                });
                let peers = peers.join(",");
                format!(
                    "mirror ({state} peer_uuids:[{peers}]{})",
                    of.unwrap_or_default()
                )
            }
        }
    }
}

/// `rbd snap ls`; with `all` it is said who took each.
pub(in crate::cli::rbd) fn list(common: &Common, rows: &[Row], all: bool) {
    if common.structured() {
        let row = |row: &Row| {
            let mut doc = Doc::map([
                ("id", row.id.into()),
                ("name", (&row.name).into()),
                ("size", row.size.into()),
                ("protected", row.protected.to_string().into()),
                ("timestamp", ctime(row.time).into()),
            ]);
            if all {
                doc.put("namespace", row.taker.doc());
            }
            doc
        };
        return common.print("snapshots", &Doc::list("snapshot", rows.iter().map(row)));
    }
    let mut columns = vec![
        ("SNAPID", Lean::Right),
        ("NAME", Lean::Left),
        ("SIZE", Lean::Right),
        ("PROTECTED", Lean::Left),
        ("TIMESTAMP", Lean::Right),
    ];
    if all {
        columns.push(("NAMESPACE", Lean::Left));
    }
    let mut table = Table::new(&columns);
    for row in rows {
        let mut cells = vec![
            row.id.to_string(),
            row.name.clone(),
            human(row.size),
            if row.protected { "yes" } else { "" }.to_owned(),
            ctime(row.time),
        ];
        if all {
            cells.push(row.taker.text());
        }
        table.row(cells);
    }
    table.print();
}
