//! Images, snapshots and clones over the log.
