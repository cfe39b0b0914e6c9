//! The names in a folder tree: as programs see them, and as a power cut leaves them.

use std::collections::{BTreeMap, BTreeSet};

use rand::Rng;
use rand::rngs::StdRng;

/// The number of a file, whatever its name.
pub(crate) type FileId = usize;

/// The names of all files and folders.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    live: Tree,
    durable: Tree,
    /// What happened since the last sync of the folder concerned, in order.
    pending: Vec<Change>,
}

#[derive(Clone, Debug, Default)]
struct Tree {
    files: BTreeMap<String, FileId>,
    folders: BTreeSet<String>,
}

/// A change of the names in one folder; the names are whole paths.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// A file gets its first name.
    Create(String, FileId),
    /// A name goes away.
    Remove(String),
    /// A file moves from the first name to the second, within one folder.
    Rename(String, String, FileId),
    /// A folder comes into being.
    Folder(String),
}

impl Change {
    fn folder(&self) -> &str {
        match self {
            Self::Create(name, _)
            | Self::Remove(name)
            | Self::Rename(_, name, _)
            | Self::Folder(name) => folder_of(name),
        }
    }
}

impl Tree {
    fn apply(&mut self, change: &Change) {
        match change {
            Change::Create(name, file) => {
                self.files.insert(name.clone(), *file);
            }
            Change::Remove(name) => {
                self.files.remove(name);
            }
            Change::Rename(from, to, file) => {
                self.files.remove(from);
                self.files.insert(to.clone(), *file);
            }
            Change::Folder(name) => {
                self.folders.insert(name.clone());
            }
        }
    }

    fn has_folder(&self, name: &str) -> bool {
        name.is_empty() || self.folders.contains(name)
    }

    /// Drops what lies in folders that are not there.
    fn without_orphans(mut self) -> Self {
        // A folder sorts before what lies in it.
        for name in std::mem::take(&mut self.folders) {
            if self.has_folder(folder_of(&name)) {
                self.folders.insert(name);
            }
        }
        let folders = &self.folders;
        self.files.retain(|name, _| {
            let folder = folder_of(name);
            folder.is_empty() || folders.contains(folder)
        });
        self
    }
}

impl Names {
    pub(crate) fn file(&self, name: &str) -> Option<FileId> {
        self.live.files.get(name).copied()
    }

    pub(crate) fn has_folder(&self, name: &str) -> bool {
        self.live.has_folder(name)
    }

    /// The names of the files in a folder, without those of the folders above.
    pub(crate) fn list(&self, folder: &str) -> Vec<String> {
        let inside = |name: &&String| folder_of(name) == folder;
        let names = self.live.files.keys().filter(inside);
        names
            .map(|name| name[name.rfind('/').map_or(0, |at| at + 1)..].to_owned())
            .collect()
    }

    pub(crate) fn change(&mut self, change: Change) {
        self.live.apply(&change);
        self.pending.push(change);
    }

    /// The names in `folder` survive as they are from here on.
    pub(crate) fn sync(&mut self, folder: &str) {
        for change in std::mem::take(&mut self.pending) {
            if change.folder() == folder {
                self.durable.apply(&change);
            } else {
                self.pending.push(change);
            }
        }
    }

    /// One of the states in which a power cut may leave the names: any subset of what was not
    /// synced happened.
    pub(crate) fn crash(&self, random: &mut StdRng) -> Self {
        let share = [0.0, 0.5, 1.0][random.random_range(0..3)];
        let mut left = self.durable.clone();
        for change in &self.pending {
            if random.random_bool(share) {
                left.apply(change);
            }
        }
        let left = left.without_orphans();
        Self {
            live: left.clone(),
            durable: left,
            pending: Vec::new(),
        }
    }

    /// The files that have a name.
    pub(crate) fn files(&self) -> impl Iterator<Item = FileId> {
        self.live.files.values().copied()
    }
}

/// The folder in which a name lies, `""` for the top one.
pub(crate) fn folder_of(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn left(names: &Names, folder: &str) -> BTreeSet<Vec<String>> {
        let one = |seed| names.crash(&mut StdRng::seed_from_u64(seed)).list(folder);
        (0..100).map(one).collect()
    }

    fn set(expected: &[&[&str]]) -> BTreeSet<Vec<String>> {
        let one = |names: &&[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        expected.iter().map(one).collect()
    }

    #[test]
    fn a_synced_name_survives_and_another_may() {
        let mut names = Names::default();
        names.change(Change::Create("a".into(), 0));
        names.sync("");
        names.change(Change::Create("b".into(), 1));
        assert_eq!(left(&names, ""), set(&[&["a"], &["a", "b"]]));
        names.change(Change::Remove("a".into()));
        assert_eq!(left(&names, ""), set(&[&[], &["a"], &["b"], &["a", "b"]]));
    }

    #[test]
    fn a_rename_happens_whole_or_not() {
        let mut names = Names::default();
        names.change(Change::Create("new".into(), 0));
        names.sync("");
        names.change(Change::Rename("new".into(), "old".into(), 0));
        assert_eq!(left(&names, ""), set(&[&["new"], &["old"]]));
        names.sync("");
        assert_eq!(left(&names, ""), set(&[&["old"]]));
    }

    #[test]
    fn a_file_goes_with_its_folder() {
        let mut names = Names::default();
        names.change(Change::Folder("f".into()));
        names.change(Change::Create("f/a".into(), 0));
        names.sync("f");
        assert_eq!(left(&names, "f"), set(&[&[], &["a"]]));
        names.sync("");
        assert_eq!(left(&names, "f"), set(&[&["a"]]));
    }
}
