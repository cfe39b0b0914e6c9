//! What a flush that was acknowledged promises: wherever one of the peers that it named begins a line, that holds it.

use std::time::Duration;

use firebrick_vocabulary::{Epoch, ImageId, Sequence};
use uuid::Uuid;

use crate::world::{Former, Outcome, Promoted, Reign};

/// A flush that was acknowledged.
#[derive(Clone, Debug)]
pub(crate) struct Ack {
    pub(crate) site: usize,
    pub(crate) id: ImageId,
    pub(crate) epoch: Epoch,
    pub(crate) upto: Sequence,
    /// Where it is, besides.
    pub(crate) peers: Vec<usize>,
}

impl Ack {
    /// Whether what was promoted holds the flush, as far as the flush promised that. It may not where the line of
    /// promotions that leads there left that of the flush at a site that the flush had not waited for: whoever
    /// forced that one was told what it lacks, and all that follow it keep the rest aside.
    pub(crate) fn is_kept_by(&self, promoted: &Promoted, known: &[Promoted]) -> Outcome {
        let own = (self.epoch, self.site);
        let mut one = promoted;
        if (one.epoch, one.site) <= own {
            return Ok(());
        }
        // The first promotion of that line behind the flush's reign.
        let holds = loop {
            let Some(former) = one.former else {
                return Ok(());
            };
            if former.reign > own {
                // One that was made when the power went may be none that is known.
                let is_it = |other: &&Promoted| (other.epoch, other.site) == former.reign;
                let Some(before) = known.iter().find(is_it) else {
                    return Ok(());
                };
                one = before;
                continue;
            }
            // What came by way of another site, no position says.
            if former.by_way {
                return Ok(());
            }
            let there = one.origin.map(|(_, at)| at);
            let all = one.site == self.site || there.is_some_and(|at| at >= self.upto);
            break former.reign == own && all;
        };
        if holds || one.site != self.site && !self.peers.contains(&one.site) {
            return Ok(());
        }
        Err(format!(
            "{self:?} was acknowledged, and {} was made primary in epoch {} behind {:?}, without it",
            one.site, one.epoch, one.origin
        ))
    }
}

const EARLIER: Reign = (Epoch(1), 2);
const FIRST: Reign = (Epoch(2), 0);

/// Of the first site, which waited for the second one.
fn flush() -> Ack {
    Ack {
        site: 0,
        id: ImageId(Uuid::from_u128(1)),
        epoch: FIRST.0,
        upto: Sequence(10),
        peers: vec![1],
    }
}

fn promotion((epoch, site): Reign, former: Reign, behind: u64) -> Promoted {
    let former = Former {
        reign: former,
        by_way: false,
    };
    Promoted {
        site,
        epoch,
        former: Some(former),
        origin: Some((former.reign.1, Sequence(behind))),
        at: Duration::ZERO,
        found: None,
    }
}

#[test]
fn a_line_that_a_peer_began_which_was_waited_for_has_to_hold_a_flush() {
    let second = (Epoch(4), 1);
    let with = promotion(second, FIRST, 10);
    assert!(flush().is_kept_by(&with, &[]).is_ok());
    for without in [promotion(second, FIRST, 9), promotion(second, EARLIER, 50)] {
        assert!(flush().is_kept_by(&without, &[]).is_err());
        let on = promotion((Epoch(5), 2), second, 90);
        assert!(flush().is_kept_by(&on, &[without]).is_err());
    }
    let on = promotion((Epoch(5), 2), second, 90);
    assert!(flush().is_kept_by(&on, &[with]).is_ok());
}

#[test]
fn a_line_that_another_site_began_need_not_hold_it_whoever_leads_it_on() {
    let third = (Epoch(4), 2);
    let without = promotion(third, FIRST, 9);
    assert!(flush().is_kept_by(&without, &[]).is_ok());
    let on = promotion((Epoch(5), 1), third, 90);
    assert!(flush().is_kept_by(&on, &[without]).is_ok());
}
