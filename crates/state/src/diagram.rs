//! Drawings of the state machines, for the documentation.

use std::fmt::Debug;

use crate::{SnapshotOperation, SnapshotStatus, VolumeOperation, VolumeStatus};

/// The operations on volumes as a Mermaid state diagram. Operations that are allowed anywhere are
/// left out.
pub fn volume_diagram() -> String {
    let ways = VolumeOperation::ALL.iter().filter_map(|operation| {
        let sources = operation.sources();
        let everywhere = sources.len() == VolumeStatus::ALL.len();
        let target = operation.target();
        (!everywhere).then(|| {
            sources.iter().map(move |source| {
                way(
                    source.as_str(),
                    target.unwrap_or(*source).as_str(),
                    operation,
                )
            })
        })
    });
    drawing(ways.flatten())
}

/// The same for snapshots.
pub fn snapshot_diagram() -> String {
    let ways = SnapshotOperation::ALL.iter().filter_map(|operation| {
        let sources = operation.sources();
        let everywhere = sources.len() == SnapshotStatus::ALL.len();
        let target = operation.target();
        (!everywhere).then(|| {
            sources.iter().map(move |source| {
                way(
                    source.as_str(),
                    target.unwrap_or(*source).as_str(),
                    operation,
                )
            })
        })
    });
    drawing(ways.flatten())
}

fn drawing(ways: impl Iterator<Item = String>) -> String {
    std::iter::once("stateDiagram-v2\n".to_owned())
        .chain(ways)
        .collect()
}

fn way(source: &str, target: &str, operation: &impl Debug) -> String {
    // Mermaid takes no dashes in names.
    let (source, target) = (source.replace('-', "_"), target.replace('-', "_"));
    format!("    {source} --> {target}: {operation:?}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drawing_of_volumes_has_each_way() {
        let drawing = volume_diagram();
        for way in [
            "    available --> deleting: Delete\n",
            "    in_use --> detaching: BeginDetaching\n",
            "    in_use --> extending: ExtendInUse\n",
            "    available --> reserved: Attach\n",
        ] {
            assert!(drawing.contains(way), "{way} is not in {drawing}");
        }
        assert!(!drawing.contains("ForceDelete"), "{drawing}");
    }

    #[test]
    fn the_drawing_of_snapshots_is_small_enough_to_compare() {
        let expected = "stateDiagram-v2\n    \
                        available --> deleting: Delete\n    \
                        error --> deleting: Delete\n    \
                        available --> available: Clone\n    \
                        available --> backing_up: Backup\n    \
                        available --> restoring: Revert\n    \
                        available --> unmanaging: Unmanage\n    \
                        error --> unmanaging: Unmanage\n    \
                        available --> available: OfferTransfer\n";
        assert_eq!(snapshot_diagram(), expected);
    }
}
