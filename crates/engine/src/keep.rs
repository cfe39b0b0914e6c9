//! What is kept of the log and of earlier states for those who read the log.
//!
//! Who reads gets the log behind what he has. Who is away for so long that the log grows too much is
//! *let go of*: the log goes, and what stays is the last kept checkpoint before what he has, as a
//! point of all branches. It shows what was there then, so the index can say what has changed since
//! (`difference`). It holds what has been overwritten since once, however often that happened.

use std::collections::BTreeMap;

use firebrick_log::{FrameRecord, SegmentKind};
use firebrick_vocabulary::{Bytes, Sequence};
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::commit::Core;
use crate::error::Error;
use crate::past::Frames as _;
use crate::spans::Spans;
use crate::state::State;
use crate::store::Store;

/// What is kept for somebody.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub(crate) struct Keep {
    /// Up to here he has said that he has everything.
    pub(crate) from: Sequence,
    /// Where the log behind that is not kept for him any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) let_go: Option<LetGo>,
    /// The difference for which it is kept, by number: another one may have begun before the former has ended.
    #[serde(skip)]
    pub(crate) difference: u64,
}

/// What is known of the place where the log was let go.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub(crate) struct LetGo {
    /// The checkpoint that is kept for him; none where there was none before what he has.
    pub(crate) base: Option<Sequence>,
    /// The last record that may have reached him. Who has more has read on where nobody remembers it: a crash of
    /// this store took that back.
    #[serde(default)]
    pub(crate) reached: Sequence,
    /// What was written behind that checkpoint and may have reached him. All else that differs from what he has
    /// differs from what was there at the checkpoint, too.
    pub(crate) loose: Spans,
}

impl Keep {
    /// Of the kept checkpoints, oldest first, the one that is kept for him.
    pub(crate) fn base(&self, kept: impl DoubleEndedIterator<Item = Sequence>) -> Option<Sequence> {
        let known = self.let_go.as_ref().and_then(|let_go| let_go.base);
        let mut kept = kept.rev();
        match known {
            Some(known) => kept.find(|at| *at == known),
            None => kept.find(|at| *at <= self.from),
        }
    }
}

/// Up to where those have everything for whom the log is kept.
pub(crate) fn readers(keep: &BTreeMap<String, Keep>) -> impl Iterator<Item = Sequence> {
    let readers = keep.values().filter(|keep| keep.let_go.is_none());
    readers.map(|keep| keep.from)
}

impl Store {
    /// Keeps older states reachable from record `sequence` on, for `who`, and the log behind it where
    /// that is still there.
    pub fn keep_from(&self, who: &str, sequence: Sequence) {
        // The commit lock comes first, as at a checkpoint, which must not let anything go in between.
        let state = self.is_let_go(who).then(|| self.core.glance());
        let reaches = state
            .as_ref()
            .is_some_and(|state| self.serves(state, sequence.next()));
        let mut keep = self.core.keep.lock();
        let known = keep.entry(who.to_owned()).or_default();
        known.from = sequence;
        if reaches {
            known.let_go = None;
        }
        drop(keep);
        drop(state);
        self.core.confirmed.notify_all();
    }

    /// Keeps what is needed for `who`: what was kept for him before the store was opened, or else all that
    /// is there.
    pub fn keep_for(&self, who: &str) {
        self.core.keep.lock().entry(who.to_owned()).or_default();
    }

    /// Keeps nothing for `who` any more; what is freed by that goes with the next checkpoint.
    pub fn keep_no_more(&self, who: &str) {
        self.core.keep.lock().remove(who);
    }

    /// Keeps nothing for anybody but those for whom `is_known` is true.
    pub fn keep_only(&self, is_known: impl Fn(&str) -> bool) {
        self.core.keep.lock().retain(|who, _| is_known(who));
    }

    /// Whether the log can be read from record `from` on, and stays for whom it is kept.
    pub fn log_reaches(&self, from: Sequence) -> bool {
        self.log_begins() <= from
    }

    /// Whether a peer that has everything before record `from` can go on with the log: that can be read from
    /// there on, and it is known of all images that ended since that they did.
    pub fn log_serves(&self, from: Sequence) -> bool {
        self.serves(&self.core.glance(), from)
    }

    fn serves(&self, state: &State, from: Sequence) -> bool {
        // Who has nothing yet lacks the end of nothing.
        let begins = from <= Sequence::ZERO.next();
        self.log_reaches(from) && (begins || from > state.ended_to)
    }

    /// The first record from which on the log is sure to be readable.
    pub fn log_begins(&self) -> Sequence {
        let log = &self.core.log;
        log.kept_from().max(log.contiguous_from())
    }

    /// Whether the log is not kept for `who` any more, so that he gets the difference.
    pub fn is_let_go(&self, who: &str) -> bool {
        let keep = self.core.keep.lock();
        keep.get(who).is_some_and(|keep| keep.let_go.is_some())
    }

    /// Up to where `who` is known to have everything.
    pub fn kept_for(&self, who: &str) -> Sequence {
        let keep = self.core.keep.lock();
        keep.get(who).map_or(Sequence::ZERO, |keep| keep.from)
    }

    /// What the log holds that is kept for `who`, in whole segments; nothing where it was let go.
    pub fn held_for(&self, who: &str) -> Bytes {
        let from = match self.core.keep.lock().get(who) {
            Some(Keep {
                from, let_go: None, ..
            }) => *from,
            Some(_) | None => return Bytes::ZERO,
        };
        let segments = self.core.log.segments();
        let log = segments.iter().filter(|it| it.kind == SegmentKind::Log);
        Bytes(log.filter(|it| it.first > from).map(|it| it.len).sum())
    }

    /// Keeps the log for `who` no longer. `reached` is the last record that may have reached him.
    /// The room is won with the next checkpoint.
    pub fn let_go(&self, who: &str, reached: Sequence) -> Result<(), Error> {
        let core = &*self.core;
        // The log behind what he has may be gone by now.
        if self.is_let_go(who) {
            return Ok(());
        }
        let from = self.kept_for(who);
        let base = {
            let state = core.glance();
            let before = state.kept.iter().rev().find(|kept| kept.at <= from);
            before.map(|kept| kept.at)
        };
        let loose = match base {
            Some(base) => core.written_between(base, reached)?,
            None => Spans::default(),
        };
        {
            let mut keep = core.keep.lock();
            let Some(keep) = keep.get_mut(who) else {
                return Ok(());
            };
            // He may have come back meanwhile, and has more.
            if keep.from != from || keep.let_go.is_some() {
                return Ok(());
            }
            keep.let_go = Some(LetGo {
                base,
                reached,
                loose,
            });
        }
        warn!(peer = who, %from, "the log is not kept for a peer any more, which gets the difference");
        core.progress.ask();
        Ok(())
    }
}

impl Core {
    /// The blocks that the records behind `from` and up to `upto` wrote.
    fn written_between(&self, from: Sequence, upto: Sequence) -> Result<Spans, Error> {
        let mut spans = Spans::default();
        self.log.scan(from.next(), upto, &mut |frame| {
            for record in &frame.records {
                // What was discarded, and is what it was before, has been written since.
                if let FrameRecord::Data {
                    image,
                    block,
                    checksums,
                    ..
                } = record
                {
                    spans.add(*image, *block, checksums.len() as u64);
                }
            }
            Ok(())
        })?;
        Ok(spans)
    }
}
