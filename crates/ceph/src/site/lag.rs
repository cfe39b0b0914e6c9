//! How far peers are behind, of what their rbd-mirror say of each image.
//!
//! In journal mode they say how many entries are missing, and not since when: that is counted from the first look
//! that found some missing. What they say is up to half a minute old.

use std::collections::HashMap;
use std::time::{Instant, UNIX_EPOCH};

use firebrick_vocabulary::{Bytes, Lag};
use parking_lot::Mutex;
use serde::Deserialize;

use crate::ffi::SiteReport;

/// Since when images are behind, by peer and librbd's own id.
#[derive(Default)]
pub(crate) struct Behind(Mutex<HashMap<(String, String), Instant>>);

/// What stands behind the words in a description.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Figures {
    entries_behind_primary: u64,
    /// The newest snapshot that is whole at the peer, and the newest there is, in seconds of the clock.
    local_snapshot_timestamp: Option<i64>,
    remote_snapshot_timestamp: Option<i64>,
}

fn figures(description: &str) -> Figures {
    let json = description
        .split_once('{')
        .map(|(_, rest)| format!("{{{rest}"));
    let read = json.and_then(|json| serde_json::from_str(&json).ok());
    read.unwrap_or_default()
}

impl Behind {
    /// How far a peer is behind with all images together: the entries of all, the seconds of the worst.
    pub(super) fn of(&self, peer: &str, images: &[(String, Vec<SiteReport>)]) -> Lag {
        let now = UNIX_EPOCH
            .elapsed()
            .map_or(0, |since| since.as_secs() as i64);
        let mut lag = Lag::NONE;
        let mut since = self.0.lock();
        since.retain(|(of, id), _| of != peer || images.iter().any(|(known, _)| known == id));
        for (id, reports) in images {
            let report = reports
                .iter()
                .find(|report| report.peer.as_deref() == Some(peer));
            let found = report
                .map(|report| figures(&report.description))
                .unwrap_or_default();
            let key = (peer.to_owned(), id.clone());
            let snapshots = (
                found.local_snapshot_timestamp,
                found.remote_snapshot_timestamp,
            );
            let seconds = if let (Some(whole), Some(newest)) = snapshots {
                // Of what was written after the newest nobody knows; that is the schedule's to bound.
                if newest > whole {
                    (now - whole).max(0) as f64
                } else {
                    0.0
                }
            } else if found.entries_behind_primary > 0 {
                since
                    .entry(key)
                    .or_insert_with(Instant::now)
                    .elapsed()
                    .as_secs_f64()
            } else {
                since.remove(&key);
                0.0
            };
            lag.records += found.entries_behind_primary;
            lag.seconds = lag.seconds.max(seconds);
        }
        lag.bytes = Bytes::ZERO;
        lag
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffi::Standing;

    fn said(description: &str) -> Vec<SiteReport> {
        vec![SiteReport {
            peer: Some("p".to_owned()),
            standing: Standing::Replaying,
            description: description.to_owned(),
            at: 0,
            up: true,
        }]
    }

    #[test]
    fn entries_of_all_images_are_missing() {
        let behind = Behind::default();
        let text = |entries| {
            format!(
                "replaying, {{\"bytes_per_second\":0.0,\"entries_behind_primary\":{entries},\"x\":{{}}}}"
            )
        };
        let images = |one, other| {
            let one = ("1".to_owned(), said(&text(one)));
            [
                one,
                ("2".to_owned(), said(&text(other))),
                ("3".to_owned(), said("stopped")),
            ]
        };
        let lag = behind.of("p", &images(3, 4));
        assert_eq!(lag.records, 7);
        assert_eq!(behind.0.lock().len(), 2);
        assert_eq!(behind.of("another", &images(3, 4)), Lag::NONE);
        assert_eq!(behind.of("p", &images(0, 4)).records, 4);
        assert_eq!(behind.of("p", &[]), Lag::NONE);
        assert_eq!(behind.0.lock().len(), 0);
    }

    #[test]
    fn a_snapshot_that_is_not_whole_is_as_old_as_the_last_that_is() {
        let behind = Behind::default();
        let of = |local: i64, remote: i64| {
            let text = format!(
                "replaying, {{\"local_snapshot_timestamp\":{local},\"remote_snapshot_timestamp\":{remote}}}"
            );
            behind.of("p", &[("1".to_owned(), said(&text))]).seconds
        };
        assert!(of(5, 5) < 1.0);
        assert!(of(5, 9) > 1000.0);
    }
}
