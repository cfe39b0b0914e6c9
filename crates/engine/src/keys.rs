//! Keys of an image's metadata that mean something to the engine. Metadata is mirrored and kept like
//! everything else in the log, and releases that do not know a key hand it on.

use firebrick_vocabulary::SnapshotId;

/// Keys that begin so concern this store alone: they are not mirrored, and secondaries have them too.
pub(crate) const LOCAL_KEY: &str = "local.";
/// How many snapshots the image may have that somebody took, as a number.
pub const SNAPSHOT_LIMIT_KEY: &str = "snapshot.limit";
/// There where the image does not belong to what it was cloned from any more.
pub const FLATTENED_KEY: &str = "flattened";
/// How the image is mirrored: `snapshot`, or not there for the journal mode.
pub(crate) const MIRROR_MODE_KEY: &str = "mirror.mode";
/// How often the primary takes mirror snapshots of the image by itself: [`firebrick_vocabulary::Interval`] as it is
/// written. It ends with snapshot mode.
pub const MIRROR_INTERVAL_KEY: &str = "mirror.interval";
/// Whether flushes wait for peers: [`firebrick_vocabulary::SyncMode`] as it is written, or not there.
pub(crate) const SYNC_MODE_KEY: &str = "mirror.sync";
/// For which peers flushes wait by the policy to block, as this store notes it for itself.
pub const SYNC_HELD_KEY: &str = "local.sync.held";
/// The id of what stands for the group that the image belongs to.
pub const GROUP_KEY: &str = "group";

const SNAPSHOT: &str = "snapshot/";

/// The key under which it says that a snapshot must not be removed.
pub(crate) fn protected(id: SnapshotId) -> String {
    format!("{}{SNAPSHOT}{id}/protected", local(id))
}

/// The key that gives a snapshot another name.
pub(crate) fn snapshot_name(id: SnapshotId) -> String {
    format!("{}{SNAPSHOT}{id}/name", local(id))
}

/// The snapshot to which `key` gives a name.
pub(crate) fn renamed_snapshot(key: &str) -> Option<SnapshotId> {
    let key = key.strip_prefix(LOCAL_KEY).unwrap_or(key);
    let id = key.strip_prefix(SNAPSHOT)?.strip_suffix("/name")?;
    id.parse().ok().map(SnapshotId)
}

/// What of a snapshot concerns the one store that has it.
const fn local(id: SnapshotId) -> &'static str {
    if id.is_apart() { LOCAL_KEY } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_key_of_a_name_renames() {
        let id = SnapshotId(17);
        for id in [id, id.apart()] {
            assert_eq!(renamed_snapshot(&snapshot_name(id)), Some(id));
        }
        assert!(snapshot_name(id.apart()).starts_with(LOCAL_KEY));
        for key in [
            &protected(id),
            "snapshot//name",
            "snapshot/x/name",
            "retention",
        ] {
            assert_eq!(renamed_snapshot(key), None, "{key}");
        }
    }
}
