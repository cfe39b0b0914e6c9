//! Which way logs go between this site and a peer.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Which way logs go between this site and a peer, in RBD's words.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// This site reads the peer's log.
    RxOnly,
    /// The peer reads this site's log.
    TxOnly,
    /// Both.
    #[default]
    RxTx,
}

impl Direction {
    /// Whether this site reads the peer's log.
    pub const fn receives(self) -> bool {
        matches!(self, Self::RxOnly | Self::RxTx)
    }

    /// Whether the peer may read this site's log.
    pub const fn sends(self) -> bool {
        matches!(self, Self::TxOnly | Self::RxTx)
    }

    /// The same as the peer sees it.
    #[must_use]
    pub const fn reversed(self) -> Self {
        match self {
            Self::RxOnly => Self::TxOnly,
            Self::TxOnly => Self::RxOnly,
            Self::RxTx => Self::RxTx,
        }
    }

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RxOnly => "rx-only",
            Self::TxOnly => "tx-only",
            Self::RxTx => "rx-tx",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Direction {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = [Self::RxOnly, Self::TxOnly, Self::RxTx];
        let named = known.into_iter().find(|known| known.as_str() == text);
        named.ok_or("must be rx-only, tx-only or rx-tx")
    }
}
