//! What may be found after a crash.

use firebrick_vocabulary::Sequence;

use crate::common::Model;

/// The most records of one operation, those of cleaning that it may need included.
const RECORDS_MAX: u64 = 16;
/// How many earlier states are remembered.
const PAST_MAX: usize = 60;

/// What may be found after a crash: one of the states from the last durable one on.
pub(crate) struct History {
    /// Each with the last record when it had been reached. An operation of several records adds
    /// several, all with its last one.
    states: Vec<(Sequence, Model)>,
    pub(crate) durable: Sequence,
    cut: Vec<Cut>,
    /// What was there at some records, oldest first: of lives before this one.
    past: Vec<(Sequence, Model)>,
}

/// An operation that was cut by the crash, or refused for want of room: one of its states may be the
/// last thing that is there.
struct Cut {
    /// The last record before it.
    before: Sequence,
    /// The last record that may belong to it.
    last: Sequence,
    states: Vec<Model>,
}

impl History {
    pub(crate) fn new() -> Self {
        Self {
            states: vec![(Sequence::ZERO, Model::default())],
            durable: Sequence::ZERO,
            cut: Vec::new(),
            past: Vec::new(),
        }
    }

    pub(crate) fn newest(&self) -> &Model {
        &self.states.last().unwrap().1
    }

    /// The last record that an operation is known to have made.
    pub(crate) fn last(&self) -> Sequence {
        self.states.last().unwrap().0
    }

    /// An operation has been done, the last record of which is `head`.
    pub(crate) fn reached(&mut self, head: Sequence, states: Vec<Model>) {
        self.states
            .extend(states.into_iter().map(|model| (head, model)));
    }

    /// Records were added that change no image.
    pub(crate) fn same(&mut self, head: Sequence) {
        if self.states.last().unwrap().0 < head {
            let same = self.newest().clone();
            self.states.push((head, same));
        }
    }

    /// An operation was refused at record `head`, and what it did may be there after a crash.
    pub(crate) fn refused(&mut self, before: Sequence, head: Sequence, states: Vec<Model>) {
        let last = head.plus(RECORDS_MAX);
        self.cut.push(Cut {
            before,
            last,
            states,
        });
    }

    /// An operation met the end of this life.
    pub(crate) fn cut(&mut self, before: Sequence, mut states: Vec<Model>) {
        states.push(self.newest().clone());
        self.refused(before, before, states);
    }

    /// What was there at some records, oldest first.
    pub(crate) fn past(&self) -> Vec<(Sequence, Model)> {
        let mut past = self.past.clone();
        for (at, model) in &self.states {
            // Only the last of several has all of its operation.
            if past.last().is_some_and(|(known, _)| known == at) {
                past.pop();
            }
            past.push((*at, model.clone()));
        }
        let more = past.len().saturating_sub(PAST_MAX);
        past.drain(..more);
        past
    }

    /// Whether a store may be so, with `head` as its last record; what comes then follows on that.
    pub(crate) fn accept(&mut self, head: Sequence, found: &Model) -> Result<(), String> {
        if head < self.durable {
            return Err(format!("it ends at {head}, before {}", self.durable));
        }
        let before = self.states.partition_point(|(at, _)| *at < head);
        // The first at or behind `head` is the same, or its operation was cut in two.
        let until = self.states.get(before).map(|(at, _)| *at);
        let same = self.states[before..]
            .iter()
            .take_while(|(at, _)| Some(*at) == until)
            .map(|(_, model)| model);
        // Only the last of them has all of its records.
        let first = if until == Some(head) {
            same.clone().count() - 1
        } else {
            0
        };
        // What was cut in two may have changed nothing yet.
        let former = self.states[..before].last();
        let former = former.filter(|_| until.is_some_and(|until| head < until));
        let durable = self.durable;
        let cut = self
            .cut
            .iter()
            .filter(|cut| durable < head && cut.before < head && head <= cut.last);
        let mut possible = same
            .skip(first)
            .chain(former.map(|(_, model)| model))
            .chain(cut.flat_map(|cut| &cut.states));
        let fits = possible.any(|model| model == found);
        if !fits {
            return Err(format!("at record {head} it is something else"));
        }
        let mut past = self.past();
        past.retain(|(at, _)| *at < head);
        *self = Self {
            states: vec![(head, found.clone())],
            durable: head,
            cut: Vec::new(),
            past,
        };
        Ok(())
    }
}
