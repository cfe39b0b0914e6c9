//! Attachments.

use crate::VolumeStatus;
use crate::text::texts;

texts!(
    /// The status of an attachment: Cinder's `VolumeAttachStatus`.
    AttachmentStatus, "attachment status", {
        /// Complete.
        Attached = "attached",
        /// The host knows how to connect.
        Attaching = "attaching",
        /// Over.
        Detached = "detached",
        /// No host yet.
        Reserved = "reserved",
        /// It could not be made.
        ErrorAttaching = "error_attaching",
        /// It could not be ended.
        ErrorDetaching = "error_detaching",
        /// Gone.
        Deleted = "deleted",
    }
);

impl AttachmentStatus {
    /// What the volume is as long as this is its strongest attachment.
    pub const fn volume_status(self) -> Option<VolumeStatus> {
        match self {
            Self::Attached => Some(VolumeStatus::InUse),
            Self::Attaching => Some(VolumeStatus::Attaching),
            Self::Reserved => Some(VolumeStatus::Reserved),
            Self::Detached | Self::ErrorAttaching | Self::ErrorDetaching | Self::Deleted => None,
        }
    }

    /// The status of a volume with such attachments: attached outweighs attaching outweighs
    /// reserved; what failed does not count.
    pub fn of_volume(attachments: impl IntoIterator<Item = Self>) -> VolumeStatus {
        let weight = |status: &VolumeStatus| match status {
            VolumeStatus::InUse => 3,
            VolumeStatus::Attaching => 2,
            _ => 1,
        };
        let strongest = attachments
            .into_iter()
            .filter_map(Self::volume_status)
            .max_by_key(weight);
        strongest.unwrap_or(VolumeStatus::Available)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_attachment_decides() {
        use AttachmentStatus as A;
        let cases: [(&[A], VolumeStatus); 4] = [
            (&[], VolumeStatus::Available),
            (&[A::Reserved, A::Attached], VolumeStatus::InUse),
            (&[A::ErrorAttaching, A::Reserved], VolumeStatus::Reserved),
            (&[A::Attaching, A::Reserved], VolumeStatus::Attaching),
        ];
        for (attachments, expected) in cases {
            assert_eq!(
                A::of_volume(attachments.iter().copied()),
                expected,
                "{attachments:?}"
            );
        }
    }
}
