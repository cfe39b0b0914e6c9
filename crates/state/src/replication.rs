//! Replication of volumes and services.

use crate::text::texts;

texts!(
    /// Where replication of a volume, a group or a service stands: Cinder's `ReplicationStatus`.
    ReplicationStatus, "replication status", {
        /// It failed.
        Error = "error",
        /// On.
        Enabled = "enabled",
        /// Off.
        Disabled = "disabled",
        /// The volume was not replicated when its site was lost.
        NotCapable = "not-capable",
        /// A failover is running.
        FailingOver = "failing-over",
        /// A failover failed.
        FailoverError = "failover-error",
        /// It lives at the other site.
        FailedOver = "failed-over",
        /// Being turned on.
        Enabling = "enabling",
        /// Being turned off.
        Disabling = "disabling",
    }
);

impl ReplicationStatus {
    /// The statuses of a service in which a failover may begin.
    pub const FAILOVER_SOURCES: &'static [Self] =
        &[Self::Enabled, Self::FailedOver, Self::FailoverError];

    /// Whether an activity is about to change it, and ends that by itself.
    pub const fn is_changing(self) -> bool {
        match self {
            Self::Enabling | Self::Disabling | Self::FailingOver => true,
            Self::Error
            | Self::Enabled
            | Self::Disabled
            | Self::NotCapable
            | Self::FailoverError
            | Self::FailedOver => false,
        }
    }

    /// Whether a volume of this status goes along in a failover.
    pub const fn is_replicated(self) -> bool {
        match self {
            Self::Enabled
            | Self::Error
            | Self::FailingOver
            | Self::FailoverError
            | Self::FailedOver
            | Self::Enabling
            | Self::Disabling => true,
            Self::Disabled | Self::NotCapable => false,
        }
    }
}
