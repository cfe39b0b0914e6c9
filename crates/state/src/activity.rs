//! Activities: durable units of work.

use crate::text::texts;

texts!(
    /// What an activity does.
    ActivityKind, "activity", {
        /// Makes a volume.
        CreateVolume = "create_volume",
        /// Removes a volume.
        DeleteVolume = "delete_volume",
        /// Makes a volume larger.
        ExtendVolume = "extend_volume",
        /// Holds a volume to the limits of its type.
        LimitVolume = "limit_volume",
        /// Takes a snapshot.
        CreateSnapshot = "create_snapshot",
        /// Removes a snapshot.
        DeleteSnapshot = "delete_snapshot",
        /// Exports a volume for an attachment.
        Attach = "attach",
        /// Ends an export.
        Detach = "detach",
        /// Moves a backend to another site.
        Failover = "failover",
    }
);

texts!(
    /// How far an activity is.
    ActivityStatus, "activity status", {
        /// Somebody works on it, or will.
        Running = "running",
        /// It is done.
        Done = "done",
        /// It failed, and what it had done is undone.
        Failed = "failed",
    }
);
