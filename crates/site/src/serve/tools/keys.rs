//! Keys of images' metadata that mean something to tools. Metadata is mirrored.

use std::collections::BTreeMap;

use firebrick_backend::{Fault, FaultKind};
use firebrick_engine::{RETENTION_KEY, Retention};
use firebrick_vocabulary::SnapshotId;

/// The features, where they are not those of every image.
pub(super) const FEATURES: &str = "features";
/// What was said of the journal, as JSON.
pub(super) const JOURNAL: &str = "journal";
/// The id of the group that the image belongs to.
pub(super) const GROUP: &str = firebrick_engine::GROUP_KEY;
/// Whether flushes of a group's images wait for peers.
pub(super) const GROUP_SYNC: &str = "group.sync";
/// What the image was called before it came into the trash, as JSON.
pub(super) const TRASH: &str = "trash";
/// What concerns this site alone is called so.
pub(super) const LOCAL: &str = "local.";
/// The locks, as JSON; `local.`: a peer does not get them.
pub(super) const LOCKS: &str = "local.locks";
/// The first record of the journal, where somebody let it begin anew.
pub(super) const JOURNAL_FROM: &str = "local.journal.from";
/// What users note stands behind this.
const NOTE: &str = "note/";
/// The longest key and value of a note, in bytes.
const NOTE_MAX: usize = 64 << 10;

/// The key of a group's metadata that says which images a snapshot was taken of.
pub(super) fn group_snapshot(id: SnapshotId) -> String {
    format!("snapshot-of/{id}")
}

/// The key of the metadata for what users call `key`.
///
/// `retention` is the one that users and the site share: how far back the image can be had.
pub(super) fn note(key: &str, value: Option<&str>) -> Result<String, Fault> {
    let invalid = |why: String| Fault::new(FaultKind::Invalid, "note metadata", why);
    if key.is_empty() {
        return Err(invalid("the key is empty".to_owned()));
    }
    if key.len() + value.map_or(0, str::len) > NOTE_MAX {
        return Err(invalid(format!(
            "key and value have more than {NOTE_MAX} bytes"
        )));
    }
    if key != RETENTION_KEY {
        return Ok(format!("{NOTE}{key}"));
    }
    let sensible = value.map(str::parse::<Retention>).transpose();
    sensible.map_err(|error| invalid(error.to_string()))?;
    Ok(RETENTION_KEY.to_owned())
}

/// What users call the key of the metadata; `None` for those that are not theirs.
pub(super) fn noted(key: &str) -> Option<&str> {
    match key.strip_prefix(NOTE) {
        Some(key) => Some(key),
        None if key == RETENTION_KEY => Some(key),
        None => None,
    }
}

/// The snapshot that a key of the metadata is about, and what it says of it.
pub(super) fn of_snapshot(key: &str) -> Option<(SnapshotId, &str)> {
    let (id, what) = key.strip_prefix("snapshot/")?.split_once('/')?;
    Some((SnapshotId(id.parse().ok()?), what))
}

/// What users noted.
pub(super) fn notes(metadata: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let noted = metadata
        .iter()
        .filter_map(|(key, value)| Some((noted(key)?.to_owned(), value.clone())));
    noted.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_keep_to_themselves() {
        let key = note("features", Some("x")).unwrap();
        let metadata = BTreeMap::from([
            (key, "x".to_owned()),
            (FEATURES.to_owned(), "layering".to_owned()),
            ("retention".to_owned(), "24h".to_owned()),
        ]);
        let golden = BTreeMap::from([
            ("features".to_owned(), "x".to_owned()),
            ("retention".to_owned(), "24h".to_owned()),
        ]);
        assert_eq!(notes(&metadata), golden);
        assert_eq!(note("retention", Some("24h")).unwrap(), "retention");
        assert!(note("retention", Some("soon")).is_err());
        assert!(note("", None).is_err());
    }
}
