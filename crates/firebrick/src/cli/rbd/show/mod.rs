//! What verbs print, in the form of the `rbd` tool, whatever kind of site the facts are from.

pub(super) mod bench;
pub(super) mod extents;
pub(super) mod groups;
pub(super) mod images;
pub(super) mod info;
pub(super) mod journal;
pub(super) mod lists;
pub(super) mod snaps;
pub(super) mod usage;
pub(super) mod watchers;

use super::doc::Doc;

/// What an image began as.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Origin {
    pub(super) pool: String,
    /// Empty for the one without a name.
    pub(super) namespace: String,
    pub(super) image: String,
    pub(super) id: String,
    /// Empty where it is no snapshot.
    pub(super) snapshot: String,
    pub(super) trashed: bool,
}

impl Origin {
    /// `POOL/[NAMESPACE/]IMAGE[@SNAPSHOT]`
    pub(super) fn path(&self) -> String {
        let image = path(&self.pool, &self.namespace, &self.image);
        match self.snapshot.as_str() {
            "" => image,
            snapshot => format!("{image}@{snapshot}"),
        }
    }

    /// For programs.
    fn doc(&self) -> Doc {
        Doc::map([
            ("pool", (&self.pool).into()),
            ("pool_namespace", (&self.namespace).into()),
            ("image", (&self.image).into()),
            ("snapshot", (&self.snapshot).into()),
        ])
    }
}

/// `POOL/[NAMESPACE/]NAME`
pub(super) fn path(pool: &str, namespace: &str, name: &str) -> String {
    match namespace {
        "" => format!("{pool}/{name}"),
        namespace => format!("{pool}/{namespace}/{name}"),
    }
}
