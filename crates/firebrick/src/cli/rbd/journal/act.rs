//! What replaying an entry does to an image, and what an entry is in RBD's words.

use std::collections::BTreeMap;

use firebrick_site::admin::{JournalEntry, JournalEvent, SnapshotEvent};
use firebrick_vocabulary::SnapshotId;

use super::event::{Event, Op};

/// What replaying an entry does.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Act {
    Write {
        offset: u64,
        data: Vec<u8>,
    },
    /// The same bytes again and again.
    Fill {
        offset: u64,
        length: u64,
        data: Vec<u8>,
    },
    /// Only where the image has these bytes.
    Exchange {
        offset: u64,
        compare: Vec<u8>,
        data: Vec<u8>,
    },
    Discard {
        offset: u64,
        length: u64,
    },
    Resize(u64),
    /// The image is as it was made: empty, and of this size.
    Begin(u64),
    Take(String),
    Remove(String),
    Rename {
        from: String,
        to: String,
    },
    Protect {
        name: String,
        protected: bool,
    },
    RollBack(String),
    Limit(Option<u64>),
    Flatten,
    Note {
        key: String,
        value: Option<String>,
    },
    /// Nothing that an image would show.
    Nothing,
    /// It cannot be replayed.
    Impossible(String),
}

impl Act {
    /// What an event of RBD does.
    pub(super) fn of_rbd(event: Event) -> Self {
        match event {
            Event::Discard { offset, length } => Self::Discard { offset, length },
            Event::Write { offset, data } => Self::Write { offset, data },
            Event::WriteSame {
                offset,
                length,
                data,
            } => Self::Fill {
                offset,
                length,
                data,
            },
            Event::CompareAndWrite {
                offset,
                compare,
                data,
            } => Self::Exchange {
                offset,
                compare,
                data,
            },
            Event::Op { what, .. } => Self::of_op(what),
            Event::Flush | Event::Finish { .. } | Event::DemotePromote => Self::Nothing,
            Event::Unknown { kind } => {
                Self::Impossible(format!("events of kind {kind} are not known"))
            }
        }
    }

    fn of_op(what: Op) -> Self {
        match what {
            Op::SnapCreate(name) => Self::Take(name),
            Op::SnapRemove(name) => Self::Remove(name),
            Op::SnapRename { from, to, .. } => Self::Rename { from, to },
            Op::SnapProtect(name) => Self::Protect {
                name,
                protected: true,
            },
            Op::SnapUnprotect(name) => Self::Protect {
                name,
                protected: false,
            },
            Op::SnapRollback(name) => Self::RollBack(name),
            Op::Resize(size) => Self::Resize(size),
            Op::Flatten => Self::Flatten,
            Op::SnapLimit(limit) => Self::Limit((limit != u64::MAX).then_some(limit)),
            Op::MetadataSet(key, value) => Self::Note {
                key,
                value: Some(value),
            },
            Op::MetadataRemove(key) => Self::Note { key, value: None },
            // The name stays, and features are those of the image.
            Op::Rename(_) | Op::UpdateFeatures { .. } => Self::Nothing,
        }
    }

    /// What an event of a site does.
    pub(super) fn of_site(event: JournalEvent, data: Vec<u8>) -> Self {
        match event {
            JournalEvent::Write { offset, .. } => Self::Write { offset, data },
            JournalEvent::Discard { offset, length } => Self::Discard { offset, length },
            JournalEvent::Resize { size } => Self::Resize(size),
            JournalEvent::Snapshot { name, what, .. } => match what {
                SnapshotEvent::Create => Self::Take(name),
                SnapshotEvent::Remove => Self::Remove(name),
                SnapshotEvent::Rename { from } => Self::Rename { from, to: name },
                SnapshotEvent::Protect => Self::Protect {
                    name,
                    protected: true,
                },
                SnapshotEvent::Unprotect => Self::Protect {
                    name,
                    protected: false,
                },
                SnapshotEvent::Rollback => Self::RollBack(name),
            },
            JournalEvent::SnapshotLimit { limit } => Self::Limit(limit),
            JournalEvent::Flatten => Self::Flatten,
            JournalEvent::Metadata { key, value } => Self::Note { key, value },
            JournalEvent::Other { change, essential } => match (made(&change), essential) {
                (Some(size), false) => Self::Begin(size),
                (_, true) => Self::Impossible(essential_text(&change)),
                (None, false) => Self::Nothing,
            },
            JournalEvent::Rename { .. } | JournalEvent::DemotePromote { .. } => Self::Nothing,
            JournalEvent::Unreadable => Self::Impossible("it cannot be read".to_owned()),
        }
    }
}

/// The size with which an image was made, where a change says so.
fn made(change: &serde_json::Value) -> Option<u64> {
    change.get("create")?.get("size")?.as_u64()
}

fn essential_text(change: &serde_json::Value) -> String {
    let what = change.as_object().and_then(|change| change.keys().next());
    let what = what.map_or("it", String::as_str);
    format!(
        "what the image was after '{what}' does not follow from entries; begin behind it with --from"
    )
}

/// Puts entries of a site into RBD's words.
#[derive(Debug)]
pub(super) struct Translator {
    /// What snapshots are called in the end: one cannot be renamed by RBD, whose ids are others.
    names: BTreeMap<SnapshotId, String>,
}

impl Translator {
    /// With the snapshots that are there now.
    pub(super) fn new(names: BTreeMap<SnapshotId, String>) -> Self {
        Self { names }
    }

    /// The events for an entry, or why there are none.
    pub(super) fn events(
        &mut self,
        entry: &JournalEntry,
        data: Vec<u8>,
    ) -> Result<Vec<Event>, String> {
        let op = |what: Op| {
            let op = entry.position.sequence.0;
            Ok(vec![
                Event::Op { op, what },
                Event::Finish { op, result: 0 },
            ])
        };
        match &entry.event {
            JournalEvent::Write { offset, .. } => Ok(vec![Event::Write {
                offset: *offset,
                data,
            }]),
            JournalEvent::Discard { offset, length } => Ok(vec![Event::Discard {
                offset: *offset,
                length: *length,
            }]),
            JournalEvent::Resize { size } => op(Op::Resize(*size)),
            JournalEvent::Rename { name } => {
                let base = name.rsplit('/').next().unwrap_or(name);
                op(Op::Rename(base.to_owned()))
            }
            JournalEvent::Snapshot { id, name, what } => match self.snapshot(*id, name, what) {
                Some(what) => op(what),
                None => Ok(Vec::new()),
            },
            JournalEvent::SnapshotLimit { limit } => op(Op::SnapLimit(limit.unwrap_or(u64::MAX))),
            JournalEvent::Flatten => op(Op::Flatten),
            JournalEvent::Metadata { key, value } => op(match value {
                Some(value) => Op::MetadataSet(key.clone(), value.clone()),
                None => Op::MetadataRemove(key.clone()),
            }),
            JournalEvent::DemotePromote { .. } => Ok(vec![Event::DemotePromote]),
            JournalEvent::Other { change, essential } => match (made(change), essential) {
                (_, true) => Err(essential_text(change)),
                (Some(size), false) => Ok(begin(entry.position.sequence.0, size)),
                (None, false) => Ok(Vec::new()),
            },
            JournalEvent::Unreadable => Err("it cannot be read".to_owned()),
        }
    }

    fn snapshot(&mut self, id: SnapshotId, name: &str, what: &SnapshotEvent) -> Option<Op> {
        let name = self.names.entry(id).or_insert_with(|| name.to_owned());
        // Parts of a snapshot of a group are RBD's own to make.
        if name.starts_with(".group.") {
            return None;
        }
        let name = name.clone();
        match what {
            SnapshotEvent::Create => Some(Op::SnapCreate(name)),
            SnapshotEvent::Remove => {
                self.names.remove(&id);
                Some(Op::SnapRemove(name))
            }
            SnapshotEvent::Rename { .. } => None,
            SnapshotEvent::Protect => Some(Op::SnapProtect(name)),
            SnapshotEvent::Unprotect => Some(Op::SnapUnprotect(name)),
            SnapshotEvent::Rollback => Some(Op::SnapRollback(name)),
        }
    }
}

/// An image as it was made: empty, and of this size.
fn begin(op: u64, size: u64) -> Vec<Event> {
    let resize = |op: u64, size: u64| {
        [
            Event::Op {
                op,
                what: Op::Resize(size),
            },
            Event::Finish { op, result: 0 },
        ]
    };
    // Numbers of operations must differ; those of records leave the upper half free.
    [resize(op | 1 << 63, 0), resize(op, size)].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use firebrick_vocabulary::{Epoch, ImageId, Position, Sequence};

    fn entry(event: JournalEvent) -> JournalEntry {
        JournalEntry {
            image: Some(ImageId::random()),
            position: Position {
                epoch: Epoch(1),
                sequence: Sequence(17),
            },
            time: 0,
            event,
            continued: false,
            fault: None,
        }
    }

    fn snapshot(name: &str, what: SnapshotEvent) -> JournalEntry {
        let id = SnapshotId(7);
        let name = name.to_owned();
        entry(JournalEvent::Snapshot { id, name, what })
    }

    #[test]
    fn a_renamed_snapshot_has_its_last_name_from_the_beginning() {
        let names = BTreeMap::from([(SnapshotId(7), "two".to_owned())]);
        let mut translator = Translator::new(names);
        let mut op = |entry: JournalEntry| translator.events(&entry, Vec::new()).unwrap();
        let created = op(snapshot("one", SnapshotEvent::Create));
        let golden = Event::Op {
            op: 17,
            what: Op::SnapCreate("two".to_owned()),
        };
        assert_eq!(created, [golden, Event::Finish { op: 17, result: 0 }]);
        let from = "one".to_owned();
        assert_eq!(op(snapshot("two", SnapshotEvent::Rename { from })), []);
        let removed = op(snapshot("two", SnapshotEvent::Remove));
        assert_eq!(removed[0].kind().1, "SnapRemove");
    }

    #[test]
    fn what_does_not_follow_from_entries_is_said() {
        let change = serde_json::json!({"restore": {"to": 5}});
        let essential = true;
        let returned = entry(JournalEvent::Other { change, essential });
        let mut translator = Translator::new(BTreeMap::new());
        let why = translator.events(&returned, Vec::new()).unwrap_err();
        assert!(why.contains("restore"), "{why}");
        let act = Act::of_site(returned.event, Vec::new());
        assert!(matches!(act, Act::Impossible(_)));
    }

    #[test]
    fn an_image_begins_empty() {
        let change = serde_json::json!({"create": {"size": 4096, "origin": null}});
        let essential = false;
        let made = JournalEvent::Other { change, essential };
        let mut translator = Translator::new(BTreeMap::new());
        let events = translator.events(&entry(made.clone()), Vec::new()).unwrap();
        assert_eq!(events.len(), 4);
        assert_eq!(Act::of_site(made, Vec::new()), Act::Begin(4096));
    }
}
