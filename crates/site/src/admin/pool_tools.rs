//! What tools ask about the pool: whether and with whom it is mirrored.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use firebrick_mirror::{Compression, Direction, Hours, Rate, Secret, Traffic};
use firebrick_vocabulary::{Bytes, StoreId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A call about the pool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "pool")]
pub enum PoolRequest {
    /// How the pool is mirrored, and with whom. Answered by [`super::MirrorReply::Pool`].
    Info,
    /// Mirrors the pool.
    Enable {
        /// Which of its images.
        mode: MirrorMode,
        /// What this site is called from here on; `None` for what it is called already.
        site_name: Option<String>,
    },
    /// Mirrors nothing any more. [`firebrick_backend::FaultKind::Busy`] while there are peers.
    Disable,
    /// Mirrors with another site too. Answered by [`super::MirrorReply::Peer`].
    AddPeer {
        /// Which.
        peer: NewPeer,
    },
    /// Makes a token that lets one site become a peer, once. Answered by [`super::MirrorReply::Token`].
    CreateToken {
        /// For how many seconds.
        lasts: f64,
    },
    /// Becomes a peer of the site that made the token. Answered by [`super::MirrorReply::Peer`].
    ImportToken {
        /// The token.
        token: Secret,
        /// Which way logs go.
        direction: Direction,
    },
    /// Mirrors with a site no longer, and frees what the log kept for it.
    RemovePeer {
        /// Which.
        uuid: Uuid,
    },
    /// Changes what is known of a peer.
    SetPeer {
        /// Which.
        uuid: Uuid,
        /// What.
        change: PeerChange,
    },
}

/// Which images of a pool are mirrored, in RBD's words.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MirrorMode {
    /// None.
    #[default]
    Disabled,
    /// Those that somebody chose.
    Image,
    /// All that have a journal, as those have that are made from here on.
    Pool,
}

impl MirrorMode {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Image => "image",
            Self::Pool => "pool",
        }
    }
}

impl FromStr for MirrorMode {
    type Err = &'static str;

    /// Understands the modes in which a pool is mirrored.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "image" => Ok(Self::Image),
            "pool" => Ok(Self::Pool),
            _ => Err("must specify 'image' or 'pool' mode"),
        }
    }
}

impl fmt::Display for MirrorMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A site to mirror with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewPeer {
    /// Its name.
    pub name: String,
    /// Where it serves its log, as `host:port`; empty where this site does not read it.
    pub address: String,
    /// The SHA-256 of its certificate in hexadecimal.
    pub fingerprint: String,
    /// Which way logs go.
    pub direction: Direction,
    /// Whom it is asked as, which is only kept and shown.
    pub client: String,
    /// How much may go to it.
    #[serde(default)]
    pub traffic: Traffic,
    /// How much of the log is kept for it while it is away; `None` for as much as for any other.
    #[serde(default)]
    pub log_limit: Option<Bytes>,
}

/// A change of what is known of a peer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PeerChange {
    /// Its name.
    Name(String),
    /// Where it serves its log.
    Address(String),
    /// The SHA-256 of its certificate in hexadecimal.
    Fingerprint(String),
    /// Which way logs go.
    Direction(Direction),
    /// Whom it is asked as.
    Client(String),
    /// The most that goes to it in a second.
    Bandwidth(Rate),
    /// When that is another amount.
    QuietHours(Hours),
    /// The most that goes to it in a second then.
    QuietBandwidth(Rate),
    /// In which form it goes, to a peer that understands it.
    Compression(Compression),
    /// How much of the log is kept for it while it is away; `None` for as much as for any other.
    LogLimit(Option<Bytes>),
}

/// How the pool is mirrored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PoolInfo {
    /// Which of its images.
    pub mode: MirrorMode,
    /// What this site is called.
    pub site_name: String,
    /// The id of its store.
    pub store: StoreId,
    /// The other sites.
    pub peers: Vec<PoolPeer>,
}

/// Another site, as this one knows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PoolPeer {
    /// What it is called in commands.
    pub uuid: Uuid,
    /// What it is, as somebody said.
    #[serde(flatten)]
    pub peer: NewPeer,
    /// The id of its store, once it has been met.
    pub store: Option<StoreId>,
}

impl PoolRequest {
    /// How long a site may take for it before the client gives up.
    pub(super) const fn patience(&self) -> Duration {
        match self {
            Self::Info => Duration::from_secs(30),
            Self::Enable { .. }
            | Self::Disable
            | Self::AddPeer { .. }
            | Self::CreateToken { .. }
            | Self::ImportToken { .. }
            | Self::RemovePeer { .. }
            | Self::SetPeer { .. } => Duration::from_secs(120),
        }
    }
}
