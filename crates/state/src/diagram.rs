//! Drawings of the state machines, for the documentation.

use std::fmt::Write as _;

use crate::{VolumeOperation, VolumeStatus};

/// The operations on volumes as a Mermaid state diagram. Operations that are allowed anywhere are
/// left out.
pub fn volume_diagram() -> String {
    let mut drawing = String::from("stateDiagram-v2\n");
    for operation in VolumeOperation::ALL {
        let (sources, target) = (operation.sources(), operation.target());
        if sources.len() == VolumeStatus::ALL.len() {
            continue;
        }
        for source in sources {
            let target = target.unwrap_or(*source);
            // Writing to a string cannot fail.
            let _ = writeln!(
                drawing,
                "    {} --> {}: {operation:?}",
                node(*source),
                node(target)
            );
        }
    }
    drawing
}

/// Mermaid takes no dashes in names.
fn node(status: VolumeStatus) -> String {
    status.as_str().replace('-', "_")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_drawing_has_each_way() {
        let drawing = super::volume_diagram();
        assert!(
            drawing.contains("    available --> deleting: Delete\n"),
            "{drawing}"
        );
        assert!(
            drawing.contains("    in_use --> detaching: BeginDetaching\n"),
            "{drawing}"
        );
        assert!(!drawing.contains("ForceDelete"), "{drawing}");
    }
}
