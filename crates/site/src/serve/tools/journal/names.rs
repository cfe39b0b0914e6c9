//! What records mean to users: events, and snapshots by their names.

use std::collections::BTreeMap;

use firebrick_engine::{FLATTENED_KEY, SNAPSHOT_LIMIT_KEY, Store};
use firebrick_log::Change;
use firebrick_vocabulary::{ImageId, SnapshotId};

use super::super::keys;
use crate::admin::{JournalEvent, SnapshotEvent};

/// The names of snapshots, as far as they are known.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeMap<(ImageId, SnapshotId), String>);

impl Names {
    /// Those that the images have now; others are learned from the records that made them.
    pub(super) fn now(store: &Store, images: &[ImageId]) -> Self {
        let mut names = BTreeMap::new();
        for image in images {
            for taken in store.snapshots(*image).unwrap_or_default() {
                names.insert((*image, taken.id), taken.name.to_string());
            }
        }
        Self(names)
    }

    fn of(&self, image: ImageId, id: SnapshotId) -> String {
        let known = self.0.get(&(image, id));
        known.map_or_else(|| id.to_string(), String::clone)
    }

    /// What a change of an image means; `None` for what concerns this store alone, such as its exports.
    pub(super) fn event(&mut self, image: ImageId, change: &Change) -> Option<JournalEvent> {
        Some(match change {
            Change::Metadata { key, .. } if key.starts_with("local.") => return None,
            Change::Resize { size, .. } => JournalEvent::Resize { size: size.0 },
            Change::Rename { name, .. } => JournalEvent::Rename {
                name: name.to_string(),
            },
            Change::SnapshotCreate { snapshot, name, .. } => {
                self.0.insert((image, *snapshot), name.to_string());
                self.snapshot(image, *snapshot, SnapshotEvent::Create)
            }
            Change::SnapshotRemove { snapshot, .. } => {
                self.snapshot(image, *snapshot, SnapshotEvent::Remove)
            }
            Change::Rollback { snapshot, .. } => {
                self.snapshot(image, *snapshot, SnapshotEvent::Rollback)
            }
            Change::Metadata { key, value, .. } => self.metadata(image, key, value.as_deref()),
            Change::Promote { .. } | Change::Demote { .. } => JournalEvent::DemotePromote {
                change: json(change),
            },
            Change::Create { origin, .. } => JournalEvent::Other {
                change: json(change),
                essential: origin.is_some(),
            },
            Change::Restore { .. }
            | Change::FallBack { .. }
            | Change::Yield { .. }
            | Change::Adopt { .. } => JournalEvent::Other {
                change: json(change),
                essential: true,
            },
            Change::Remove { .. }
            | Change::Mirroring { .. }
            | Change::Sync { .. }
            | Change::Base { .. }
            | Change::Follow { .. } => JournalEvent::Other {
                change: json(change),
                essential: false,
            },
        })
    }

    fn snapshot(&self, image: ImageId, id: SnapshotId, what: SnapshotEvent) -> JournalEvent {
        let name = self.of(image, id);
        JournalEvent::Snapshot { id, name, what }
    }

    fn metadata(&mut self, image: ImageId, key: &str, value: Option<&str>) -> JournalEvent {
        if let Some((id, what)) = keys::of_snapshot(key) {
            match (what, value) {
                ("name", Some(name)) => {
                    let from = self.of(image, id);
                    self.0.insert((image, id), name.to_owned());
                    return self.snapshot(image, id, SnapshotEvent::Rename { from });
                }
                ("protected", Some(_)) => {
                    return self.snapshot(image, id, SnapshotEvent::Protect);
                }
                ("protected", None) => {
                    return self.snapshot(image, id, SnapshotEvent::Unprotect);
                }
                _ => {}
            }
        }
        let value = value.map(str::to_owned);
        match (key, keys::noted(key)) {
            (SNAPSHOT_LIMIT_KEY, _) => JournalEvent::SnapshotLimit {
                limit: value.and_then(|value| value.parse().ok()),
            },
            (FLATTENED_KEY, _) if value.is_some() => JournalEvent::Flatten,
            (_, Some(key)) => JournalEvent::Metadata {
                key: key.to_owned(),
                value,
            },
            (key, None) => JournalEvent::Other {
                change: serde_json::json!({"metadata": {"key": key, "value": value}}),
                essential: false,
            },
        }
    }
}

fn json(change: &Change) -> serde_json::Value {
    serde_json::to_value(change).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use firebrick_vocabulary::SnapshotName;

    fn id() -> ImageId {
        ImageId::random()
    }

    fn set(image: ImageId, key: &str, value: Option<&str>) -> Change {
        Change::Metadata {
            image,
            key: key.to_owned(),
            value: value.map(str::to_owned),
        }
    }

    #[test]
    fn snapshots_are_named_as_they_were_then() {
        let (image, mut names) = (id(), Names::default());
        let (snapshot, other) = (SnapshotId(7), SnapshotId(8));
        let gone = Change::SnapshotRemove {
            image,
            snapshot: other,
        };
        let unknown = JournalEvent::Snapshot {
            id: other,
            name: other.to_string(),
            what: SnapshotEvent::Remove,
        };
        assert_eq!(names.event(image, &gone), Some(unknown));
        let taken = Change::SnapshotCreate {
            image,
            snapshot,
            name: SnapshotName::new("one").unwrap(),
            taken: None,
        };
        names.event(image, &taken);
        let renamed = names.event(image, &set(image, "snapshot/7/name", Some("two")));
        let from = "one".to_owned();
        let golden = JournalEvent::Snapshot {
            id: snapshot,
            name: "two".to_owned(),
            what: SnapshotEvent::Rename { from },
        };
        assert_eq!(renamed, Some(golden));
        let gone = Change::SnapshotRemove { image, snapshot };
        let Some(JournalEvent::Snapshot { name, .. }) = names.event(image, &gone) else {
            panic!("no event of a snapshot");
        };
        assert_eq!(name, "two");
    }

    #[test]
    fn metadata_means_what_users_call_it() {
        let (image, mut names) = (id(), Names::default());
        let noted = names.event(image, &set(image, "note/color", Some("blue")));
        let golden = JournalEvent::Metadata {
            key: "color".to_owned(),
            value: Some("blue".to_owned()),
        };
        assert_eq!(noted, Some(golden));
        let limit = names.event(image, &set(image, SNAPSHOT_LIMIT_KEY, None));
        assert_eq!(limit, Some(JournalEvent::SnapshotLimit { limit: None }));
        let inner = names.event(image, &set(image, "local.locks", Some("{}")));
        assert_eq!(inner, None);
        let other = names.event(image, &set(image, "features", Some("layering")));
        assert!(matches!(other, Some(JournalEvent::Other { .. })));
    }
}
