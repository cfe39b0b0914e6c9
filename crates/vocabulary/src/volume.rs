//! Ids of what users own and of what works on it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::image::{ImageId, ImageName, SnapshotName, uuid_id};

uuid_id!(
    /// The id of a volume.
    VolumeId
);
uuid_id!(
    /// The id of a volume's snapshot.
    SnapshotUuid
);
uuid_id!(
    /// The id of an attachment of a volume.
    AttachmentId
);
uuid_id!(
    /// The id of a volume type.
    TypeId
);
uuid_id!(
    /// The id of a QoS spec.
    QosId
);
uuid_id!(
    /// The id of a backup.
    BackupId
);
uuid_id!(
    /// The id of a group of volumes.
    GroupId
);
uuid_id!(
    /// The id of a group type.
    GroupTypeId
);
uuid_id!(
    /// The id of a snapshot of a group.
    GroupSnapshotId
);
uuid_id!(
    /// The id of a volume's transfer to another project.
    TransferId
);
uuid_id!(
    /// The id of a message to a user.
    MessageId
);
uuid_id!(
    /// The id of an activity: a durable, resumable unit of control-plane work.
    ActivityId
);
uuid_id!(
    /// The id of a service: one role of the control plane on one host.
    ServiceId
);

impl VolumeId {
    /// The image in which the volume lives: `volume-<uuid>`, Cinder's default template.
    pub fn image_name(self) -> ImageName {
        // The text is 43 characters of letters, digits and dashes.
        ImageName::new(format!("volume-{self}")).unwrap_or_else(|_| unreachable!())
    }

    /// The id of that image: the volume's own, but where the volume took over another one.
    pub const fn image_id(self) -> ImageId {
        ImageId(self.0)
    }
}

impl SnapshotUuid {
    /// The name of the image snapshot: `snapshot-<uuid>`, Cinder's default template, but where the
    /// snapshot took over another one.
    pub fn snapshot_name(self) -> SnapshotName {
        SnapshotName::new(format!("snapshot-{self}")).unwrap_or_else(|_| unreachable!())
    }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

text_id!(
    /// The id of a project (tenant), as Keystone gave it: usually 32 hex digits.
    ProjectId
);
text_id!(
    /// The id of a user, as Keystone gave it.
    UserId
);
