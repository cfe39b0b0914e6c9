//! The snapshots of one image: found by id and by name however many there are.

use std::collections::BTreeMap;
use std::ops::Deref;

use firebrick_vocabulary::{Sequence, SnapshotId, SnapshotName};

use super::Snapshot;

/// The snapshots of an image; as a slice, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshots {
    all: Vec<Snapshot>,
    ids: BTreeMap<SnapshotId, Sequence>,
    names: BTreeMap<SnapshotName, SnapshotId>,
}

impl Snapshots {
    fn place(&self, id: SnapshotId) -> Option<usize> {
        let at = self.ids.get(&id)?;
        let likely = self.all.partition_point(|snapshot| snapshot.at < *at);
        let is_it = |snapshot: &Snapshot| snapshot.meta.id == id;
        if self.all.get(likely).is_some_and(is_it) {
            return Some(likely);
        }
        // Those that a former primary kept come behind all that were there before.
        self.all.iter().position(is_it)
    }

    pub(crate) fn with_id(&self, id: SnapshotId) -> Option<&Snapshot> {
        self.place(id).map(|place| &self.all[place])
    }

    pub(crate) fn named(&self, name: &SnapshotName) -> Option<&Snapshot> {
        self.with_id(*self.names.get(name)?)
    }

    /// The highest id of all.
    pub(crate) fn highest(&self) -> Option<SnapshotId> {
        self.ids.last_key_value().map(|(id, _)| *id)
    }

    pub(crate) fn push(&mut self, snapshot: Snapshot) {
        let id = snapshot.meta.id;
        self.ids.insert(id, snapshot.at);
        self.names.entry(snapshot.meta.name.clone()).or_insert(id);
        self.all.push(snapshot);
    }

    /// Gives a snapshot another name; returns whether it is there.
    pub(crate) fn rename(&mut self, id: SnapshotId, name: SnapshotName) -> bool {
        let Some(place) = self.place(id) else {
            return false;
        };
        let former = std::mem::replace(&mut self.all[place].meta.name, name.clone());
        if self.names.get(&former) == Some(&id) {
            self.names.remove(&former);
        }
        self.names.entry(name).or_insert(id);
        true
    }

    pub(crate) fn remove(&mut self, id: SnapshotId) -> Option<Snapshot> {
        let place = self.place(id)?;
        let gone = self.all.remove(place);
        self.ids.remove(&id);
        if self.names.get(&gone.meta.name) == Some(&id) {
            self.names.remove(&gone.meta.name);
        }
        Some(gone)
    }

    /// All of them; none is left.
    pub(crate) fn take(&mut self) -> Vec<Snapshot> {
        std::mem::take(self).all
    }
}

impl Deref for Snapshots {
    type Target = [Snapshot];

    fn deref(&self) -> &[Snapshot] {
        &self.all
    }
}

impl From<Vec<Snapshot>> for Snapshots {
    fn from(all: Vec<Snapshot>) -> Self {
        let mut snapshots = Self::default();
        for snapshot in all {
            snapshots.push(snapshot);
        }
        snapshots
    }
}
