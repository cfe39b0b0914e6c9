//! A site on the embedded engine: its process, its admin protocol and its client.
//!
//! What it is for: [`serve::SiteServer`] puts engine, mirror and exports into one process and answers
//! the admin protocol; [`SiteClient`] is the [`firebrick_backend::Backend`] that speaks it. What it
//! promises: exports and images survive a restart of the process; a mirrored image that was primary
//! accepts no write after a start before its peer has been heard or the grace time is over; a client
//! never waits for ever. What it leans on: `engine` for images, `mirror` for the peer, `export` for
//! guests, `config` for `site.conf`.

pub mod admin;
pub mod conf;
pub mod serve;

use firebrick_backend::Capabilities;
use firebrick_vocabulary::ImageMirrorMode;

pub use admin::SiteClient;
pub use conf::{ExportVia, NbdSecurity, PeerConf, SiteConf};
pub use firebrick_engine::Retention;
pub use firebrick_mirror::{
    Allowed, Compression, Direction, Fingerprint, Hours, Rate, Secret, Traffic,
};

/// What a site on the embedded engine can do, with a peer (`mirroring`) or without.
pub fn capabilities(mirroring: bool) -> Capabilities {
    Capabilities {
        storage_protocol: "nbd".to_owned(),
        thin_provisioning: true,
        multiattach: true,
        online_extend: true,
        mirroring,
        mirror_modes: vec![ImageMirrorMode::Journal, ImageMirrorMode::Snapshot],
        snapshot_schedules: true,
        synchronous: mirroring,
        consistent_groups: true,
        active_active: true,
        earlier_states: true,
        drills_of_snapshots: false,
        leaves_copies: false,
    }
}
