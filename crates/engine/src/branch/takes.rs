//! Who shows what a record did: the branch to which it belongs, and those that took it over.

use firebrick_index::{BranchId, View};
use firebrick_vocabulary::{ImageId, Sequence};

use super::{Branches, Take};

impl Branches {
    /// What must show a block of `image` that was born with record `birth`, if anything still does:
    /// each is the first point behind the birth on a line that has it.
    pub(crate) fn witnesses(&self, image: ImageId, birth: Sequence) -> Vec<View> {
        let first = |mut id, mut behind| {
            // What was moved is to be seen by the child alone, and what was not, too.
            while let Some(child) = self.folds_into(id) {
                id = child;
                behind = self.get(id)?.since;
            }
            let at = self.lines.get(&id)?.first_from(&self.kept, behind)?;
            Some(self.view_at(id, at))
        };
        let own = self.of_record(image, birth);
        let own = own.and_then(|id| first(id, birth));
        let taken = self.takers_of(image, birth);
        let taken = taken.filter_map(|(id, _)| first(id, self.get(id)?.since));
        own.into_iter().chain(taken).collect()
    }

    /// The branches that took over record `birth` of `image`, and which of their takes each is.
    pub(crate) fn takers_of(
        &self,
        image: ImageId,
        birth: Sequence,
    ) -> impl Iterator<Item = (BranchId, usize)> {
        let takers = self.takers.get(&image).map(Vec::as_slice);
        let lines = takers
            .unwrap_or_default()
            .iter()
            .filter_map(|id| Some((*id, self.lines.get(id)?)));
        lines.flat_map(move |(id, line)| {
            let takes = line.branch.takes.iter().enumerate();
            let has =
                move |take: &Take| take.image == image && take.behind < birth && birth <= take.upto;
            takes.filter_map(move |(i, take)| has(take).then_some((id, i)))
        })
    }

    pub(super) fn note_takes(&mut self, id: BranchId, takes: &[Take]) {
        for take in takes {
            let takers = self.takers.entry(take.image).or_default();
            if !takers.contains(&id) {
                takers.push(id);
            }
        }
    }

    pub(super) fn forget_takes(&mut self, id: BranchId, takes: &[Take]) {
        for take in takes {
            if let Some(takers) = self.takers.get_mut(&take.image) {
                takers.retain(|taker| *taker != id);
                if takers.is_empty() {
                    self.takers.remove(&take.image);
                }
            }
        }
    }

    /// The record before the first that some branch took over which began behind the first kept
    /// checkpoint: who asks for what such a branch was before its own first point reads them again.
    pub(crate) fn taken_from(&self) -> Option<Sequence> {
        let first = *self.dense().first()?;
        let takers = self.takers.values().flatten();
        let lines = takers.filter_map(|id| self.lines.get(id));
        let asked_for = lines.filter(|line| line.branch.since > first);
        let takes = asked_for.flat_map(|line| &line.branch.takes);
        takes.map(|take| take.behind).min()
    }
}
