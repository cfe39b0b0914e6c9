//! Which part an image plays at this cluster.
//!
//! rbd-mirror makes a copy in steps: its name, its header, its journal, and last of all the note in the pool that it is
//! mirrored; and it removes one in as many. In between librbd says of a copy what it says of an image that nobody
//! mirrors. But the first tag of its journal names its primary, and of a copy by snapshots the pool's note is there
//! before its name is. So nothing that may lack anything is taken for the image itself.

use firebrick_backend::{Fault, FaultKind};
use firebrick_vocabulary::Role;

use crate::fault::Doing;
use crate::ffi::{Image, MirrorInfo, MirrorState, feature};
use crate::journal::{Owner, newest_owner};
use crate::link::Link;
use crate::notes::Notes;

/// Which part an image plays.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Part {
    /// Nobody mirrors it.
    Alone,
    /// Others follow it.
    Primary,
    /// It is primary, and its mirroring is being ended; or rbd-mirror is about to put it into the trash.
    Ending,
    /// It follows another one, or was demoted.
    Copy,
    /// rbd-mirror makes it, as a copy, or removes it.
    Unfinished,
}

impl Part {
    /// That of an open image, whose notes are these.
    pub(super) fn of(
        link: &Link,
        image: &Image,
        notes: &Notes,
        doing: &str,
    ) -> Result<Self, Fault> {
        let mirroring = image.mirror_info().doing(doing)?;
        if mirroring.state != MirrorState::Off {
            return Ok(Self::noted(mirroring));
        }
        if image.features().doing(doing)? & feature::JOURNALING == 0 {
            return Ok(Self::Alone);
        }
        let owner = newest_owner(&link.pool, image, doing)?;
        Ok(Self::unnoted(owner.as_ref(), notes))
    }

    /// Of one that the pool has a note of.
    const fn noted(mirroring: MirrorInfo) -> Self {
        match (mirroring.state, mirroring.primary) {
            (MirrorState::On, true) => Self::Primary,
            (MirrorState::On, false) => Self::Copy,
            (MirrorState::Disabling, true) => Self::Ending,
            (MirrorState::Off | MirrorState::Creating, _) | (MirrorState::Disabling, false) => {
                Self::Unfinished
            }
        }
    }

    /// Of one that it has no note of, but that has a journal, or is to get one: whose it is by that.
    fn unnoted(owner: Option<&Owner>, notes: &Notes) -> Self {
        match owner {
            Some(Owner::Own) => Self::Alone,
            // The journal goes before the feature does, where this site ends the mirroring; a copy that has no
            // journal yet has no notes either.
            None if notes.borrowed.unwrap_or(0) & feature::JOURNALING != 0 => Self::Alone,
            Some(Owner::Nobody | Owner::Peer(_)) | None => Self::Unfinished,
        }
    }

    /// In the words of all kinds of site.
    pub(super) const fn role(self) -> Role {
        match self {
            Self::Alone | Self::Primary | Self::Ending => Role::Primary,
            Self::Copy | Self::Unfinished => Role::Secondary,
        }
    }

    /// Whether it has, or is, a copy.
    pub(super) const fn is_mirrored(self) -> bool {
        match self {
            Self::Primary | Self::Copy | Self::Unfinished => true,
            Self::Alone | Self::Ending => false,
        }
    }
}

/// Refuses an image that only the mirroring may change.
pub(super) fn primary(
    link: &Link,
    image: &Image,
    notes: &Notes,
    doing: &str,
) -> Result<Part, Fault> {
    let part = Part::of(link, image, notes, doing)?;
    match part.role() {
        Role::Primary => Ok(part),
        Role::Secondary => {
            let why = "the image is a copy here, and its original is at another site";
            Err(Fault::new(FaultKind::NotPrimary, doing, why))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(state: MirrorState, primary: bool) -> Part {
        Part::noted(MirrorInfo { state, primary })
    }

    #[test]
    fn who_is_noted_is_what_the_note_says() {
        assert_eq!(noted(MirrorState::On, true), Part::Primary);
        assert_eq!(noted(MirrorState::On, false), Part::Copy);
        assert_eq!(noted(MirrorState::Disabling, true), Part::Ending);
        for primary in [false, true] {
            assert_eq!(noted(MirrorState::Creating, primary), Part::Unfinished);
        }
        assert_eq!(noted(MirrorState::Disabling, false), Part::Unfinished);
    }

    #[test]
    fn a_journal_of_somebody_else_makes_no_image() {
        let (none, peer) = (Notes::default(), Owner::Peer("p".to_owned()));
        assert_eq!(Part::unnoted(Some(&Owner::Own), &none), Part::Alone);
        assert_eq!(Part::unnoted(Some(&peer), &none), Part::Unfinished);
        assert_eq!(Part::unnoted(Some(&Owner::Nobody), &none), Part::Unfinished);
        assert_eq!(Part::unnoted(None, &none), Part::Unfinished);
        let borrowed = Notes {
            borrowed: Some(feature::JOURNALING),
            ..Notes::default()
        };
        assert_eq!(Part::unnoted(None, &borrowed), Part::Alone);
        assert_eq!(Part::unnoted(Some(&peer), &borrowed), Part::Unfinished);
    }
}
