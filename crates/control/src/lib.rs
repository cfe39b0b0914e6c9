//! What happens to a volume: activities, driver semantics, replication.
