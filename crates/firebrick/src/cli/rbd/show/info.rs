//! `info`.

use firebrick_vocabulary::Bytes;

use super::Origin;
use crate::cli::rbd::args::Common;
use crate::cli::rbd::at::ctime;
use crate::cli::rbd::doc::Doc;
use crate::cli::rbd::size::human;
use crate::printer::Printer;

/// How an image is mirrored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::cli::rbd) enum Mirroring {
    /// Its journal could be read, but is not.
    Disabled,
    /// It is.
    Enabled {
        mode: String,
        state: &'static str,
        global_id: String,
        primary: bool,
    },
}

/// What is printed of an image or a snapshot.
#[derive(Clone, Debug)]
pub(in crate::cli::rbd) struct Info {
    pub(in crate::cli::rbd) name: String,
    pub(in crate::cli::rbd) id: String,
    pub(in crate::cli::rbd) size: Bytes,
    pub(in crate::cli::rbd) objects: u64,
    pub(in crate::cli::rbd) order: u32,
    pub(in crate::cli::rbd) object_size: Bytes,
    pub(in crate::cli::rbd) snapshots: u64,
    /// The pool of the data, where that is another one.
    pub(in crate::cli::rbd) data_pool: Option<String>,
    pub(in crate::cli::rbd) prefix: String,
    pub(in crate::cli::rbd) format: u64,
    pub(in crate::cli::rbd) features: Vec<&'static str>,
    pub(in crate::cli::rbd) op_features: Vec<&'static str>,
    pub(in crate::cli::rbd) flags: Vec<&'static str>,
    /// The group that it belongs to, with its pool.
    pub(in crate::cli::rbd) group: Option<String>,
    /// When it was made, read and written, in nanoseconds since the Unix epoch; 0 where that is not known.
    pub(in crate::cli::rbd) times: [u64; 3],
    pub(in crate::cli::rbd) snapshot_limit: Option<u64>,
    /// Of a snapshot: whether it is protected.
    pub(in crate::cli::rbd) protected: Option<bool>,
    /// What it began as, and how much of it may still be read from there.
    pub(in crate::cli::rbd) parent: Option<(Origin, Bytes)>,
    /// Unit and count, where blocks are spread in another way than one object after the other.
    pub(in crate::cli::rbd) striping: Option<(u64, u64)>,
    /// The id of its journal.
    pub(in crate::cli::rbd) journal: Option<String>,
    pub(in crate::cli::rbd) mirroring: Option<Mirroring>,
}

/// `rbd info`
pub(in crate::cli::rbd) fn print(common: &Common, info: &Info) {
    if common.structured() {
        common.print("image", &info.doc());
    } else {
        Printer::line(info.text().trim_end_matches('\n'));
    }
}

impl Info {
    /// What of it is mere names: each with the element of its list.
    fn lists(&self) -> [(&'static str, &'static str, &[&'static str]); 3] {
        [
            ("features", "feature", &self.features),
            ("op_features", "op_feature", &self.op_features),
            ("flags", "flag", &self.flags),
        ]
    }

    fn times(&self) -> impl Iterator<Item = (&'static str, String)> {
        let names = ["create_timestamp", "access_timestamp", "modify_timestamp"];
        let times = names.into_iter().zip(self.times.map(ctime));
        times.filter(|(_, time)| !time.is_empty())
    }

    /// For programs.
    pub(in crate::cli::rbd) fn doc(&self) -> Doc {
        let mut info = Doc::map([
            ("name", (&self.name).into()),
            ("id", (&self.id).into()),
            ("size", self.size.into()),
            ("objects", self.objects.into()),
            ("order", self.order.into()),
            ("object_size", self.object_size.into()),
            ("snapshot_count", self.snapshots.into()),
        ]);
        if let Some(pool) = &self.data_pool {
            info.put("data_pool", pool);
        }
        info.put("block_name_prefix", &self.prefix);
        info.put("format", self.format);
        if self.format > 1 {
            for (key, item, names) in self.lists() {
                info.put(key, Doc::list(item, names.iter().copied()));
            }
        }
        if let Some(group) = &self.group {
            info.put("group", group);
        }
        for (key, time) in self.times() {
            info.put(key, time);
        }
        if let Some(protected) = self.protected {
            info.put("protected", protected.to_string());
        }
        if let Some(limit) = self.snapshot_limit {
            info.put("snapshot_limit", limit);
        }
        self.put_relations(&mut info);
        info
    }

    fn put_relations(&self, info: &mut Doc) {
        if let Some((parent, overlap)) = &self.parent {
            let parent = Doc::map([
                ("pool", (&parent.pool).into()),
                ("pool_namespace", (&parent.namespace).into()),
                ("image", (&parent.image).into()),
                ("id", (&parent.id).into()),
                ("snapshot", (&parent.snapshot).into()),
                ("trash", parent.trashed.into()),
                ("overlap", (*overlap).into()),
            ]);
            info.put("parent", parent);
        }
        if let Some((unit, count)) = self.striping {
            info.put("stripe_unit", unit);
            info.put("stripe_count", count);
        }
        if let Some(journal) = &self.journal {
            info.put("journal", journal);
        }
        match &self.mirroring {
            Some(Mirroring::Enabled {
                mode,
                state,
                global_id,
                primary,
            }) => {
                let mirroring = Doc::map([
                    ("mode", mode.into()),
                    ("state", (*state).into()),
                    ("global_id", global_id.into()),
                    ("primary", (*primary).into()),
                ]);
                info.put("mirroring", mirroring);
            }
            Some(Mirroring::Disabled) => {
                let state = [("mode", "journal".into()), ("state", "disabled".into())];
                info.put("mirroring", Doc::map(state));
            }
            None => {}
        }
    }

    /// For people.
    pub(in crate::cli::rbd) fn text(&self) -> String {
        let mut text = format!("rbd image '{}':\n", self.name);
        let mut line = |line: String| text.extend(["\t", &line, "\n"]);
        line(format!(
            "size {} in {} objects",
            human(self.size),
            self.objects
        ));
        line(format!(
            "order {} ({} objects)",
            self.order,
            human(self.object_size)
        ));
        line(format!("snapshot_count: {}", self.snapshots));
        if !self.id.is_empty() {
            line(format!("id: {}", self.id));
        }
        if let Some(pool) = &self.data_pool {
            line(format!("data_pool: {pool}"));
        }
        line(format!("block_name_prefix: {}", self.prefix));
        line(format!("format: {}", self.format));
        if self.format > 1 {
            for (key, _, names) in self.lists() {
                line(format!("{key}: {}", names.join(", ")));
            }
        }
        if let Some(group) = &self.group {
            line(format!("group: {group}"));
        }
        for (key, time) in self.times() {
            line(format!("{key}: {time}"));
        }
        if let Some(protected) = self.protected {
            let protected = if protected { "True" } else { "False" };
            line(format!("protected: {protected}"));
        }
        if let Some(limit) = self.snapshot_limit {
            line(format!("snapshot_limit: {limit}"));
        }
        self.relations().into_iter().for_each(line);
        text
    }

    fn relations(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some((parent, overlap)) = &self.parent {
            let trash = if parent.trashed {
                format!(" (trash {})", parent.id)
            } else {
                String::new()
            };
            lines.push(format!("parent: {}{trash}", parent.path()));
            lines.push(format!("overlap: {}", human(*overlap)));
        }
        if let Some((unit, count)) = self.striping {
            lines.push(format!("stripe unit: {}", human(Bytes(unit))));
            lines.push(format!("stripe count: {count}"));
        }
        if let Some(journal) = &self.journal {
            lines.push(format!("journal: {journal}"));
        }
        match &self.mirroring {
            Some(Mirroring::Enabled {
                mode,
                state,
                global_id,
                primary,
            }) => lines.extend([
                format!("mirroring state: {state}"),
                format!("mirroring mode: {mode}"),
                format!("mirroring global id: {global_id}"),
                format!("mirroring primary: {primary}"),
            ]),
            Some(Mirroring::Disabled) => lines.push("mirroring state: disabled".to_owned()),
            None => {}
        }
        lines
    }
}
