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

    /// The highest id of those that all sites have.
    pub(crate) fn highest_shared(&self) -> Option<SnapshotId> {
        let mut ids = self.ids.keys().rev();
        ids.find(|id| !id.is_apart()).copied()
    }

    /// An id for a snapshot that only this site has from now on, and that no other one has.
    pub(crate) fn apart(&self, id: SnapshotId) -> SnapshotId {
        let mut apart = id.apart();
        while self.ids.contains_key(&apart) {
            apart = SnapshotId(apart.0 + 1);
        }
        apart
    }

    pub(crate) fn push(&mut self, snapshot: Snapshot) {
        let id = snapshot.meta.id;
        self.ids.insert(id, snapshot.at);
        self.call(snapshot.meta.name.clone(), id);
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
        self.call(name, id);
        true
    }

    pub(crate) fn remove(&mut self, id: SnapshotId) -> Option<Snapshot> {
        let place = self.place(id)?;
        let gone = self.all.remove(place);
        self.ids.remove(&id);
        let name = &gone.meta.name;
        if self.names.get(name) == Some(&id) {
            self.names.remove(name);
            let other = self.all.iter().find(|other| other.meta.name == *name);
            if let Some(other) = other {
                self.names.insert(name.clone(), other.meta.id);
            }
        }
        Some(gone)
    }

    /// The first of a name has it; but one that all sites have before one that only this one has.
    fn call(&mut self, name: SnapshotName, id: SnapshotId) {
        let holder = self.names.entry(name).or_insert(id);
        if holder.is_apart() && !id.is_apart() {
            *holder = id;
        }
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
