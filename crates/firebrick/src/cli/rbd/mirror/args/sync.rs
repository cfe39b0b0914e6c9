//! `firebrick rbd mirror image sync`: the command line as types.

use std::str::FromStr;

use clap::Args;
use firebrick_vocabulary::SyncPolicy;

use super::Seconds;
use crate::cli::rbd::args::{GroupArgs, SpecArgs};

/// `mirror image sync`
#[derive(Args, Debug)]
#[command(after_help = "\
A guest's flush is answered once all peers that keep up have what it covers, durably. Where one takes longer than --timeout,
`block` waits on, and `fall-back` answers without that peer until it has caught up; both say so. `mirror image status` shows it.

Examples:
  firebrick rbd mirror image sync disk --policy block
  firebrick rbd mirror image sync disk --policy fall-back --timeout 2s
  firebrick rbd mirror image sync disk --policy none")]
pub(crate) struct SyncArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    #[command(flatten)]
    pub(crate) how: HowToSync,
}

/// `mirror group sync`
#[derive(Args, Debug)]
#[command(after_help = "\
As `mirror image sync` for all images of the group, in one record. Images that join the group, or are mirrored with it later,
get it too.

Examples:
  firebrick rbd mirror group sync shop --policy block
  firebrick rbd mirror group sync shop --policy none")]
pub(crate) struct GroupSyncArgs {
    #[command(flatten)]
    pub(crate) group: GroupArgs,
    #[command(flatten)]
    pub(crate) how: HowToSync,
}

/// Whether flushes wait, and how long.
#[derive(Args, Debug)]
pub(crate) struct HowToSync {
    /// What becomes of flushes that take longer; none for flushes that wait for nobody
    #[arg(long, value_name = "block|fall-back|none")]
    pub(crate) policy: SyncWord,
    /// How long peers may take, from 100ms to 1h
    #[arg(long, value_name = "TIME", default_value = "5s")]
    pub(crate) timeout: Seconds,
}

/// A policy, or that there is none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct SyncWord(pub(crate) Option<SyncPolicy>);

impl FromStr for SyncWord {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "none" {
            return Ok(Self(None));
        }
        let policy = text.parse().map_err(|_| "must be block, fall-back or none");
        policy.map(|policy| Self(Some(policy)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_one_of_three_words() {
        assert_eq!("none".parse(), Ok(SyncWord(None)));
        assert_eq!("block".parse(), Ok(SyncWord(Some(SyncPolicy::Block))));
        assert_eq!(
            "fall-back".parse(),
            Ok(SyncWord(Some(SyncPolicy::FallBack)))
        );
        assert!("fallback".parse::<SyncWord>().is_err());
    }
}
