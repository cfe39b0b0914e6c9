//! What an image says of itself beyond what RBD knows: one value of its metadata, which is mirrored with it.

use firebrick_backend::Fault;
use firebrick_vocabulary::{Epoch, ImageId, Limits, Sequence, StoreId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::fault::Doing;
use crate::ffi::Image;

/// The key of the value.
const KEY: &str = "firebrick";

/// The value. All of it may be missing: images that others made have none.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Notes {
    /// Its id, where its name does not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<ImageId>,
    /// How often it has been promoted, and one; [`Epoch::FIRST`] where nobody has counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) epoch: Option<Epoch>,
    /// What guests are held to.
    #[serde(skip_serializing_if = "Limits::is_none")]
    pub(crate) limits: Limits,
    /// The site that is primary of it, noted by that one as soon as it could write to it. An image that is primary
    /// where this does not say so may not be written to yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) primary: Option<StoreId>,
    /// Its last demotion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) demoted: Option<Demoted>,
    /// Features that mirroring needed and that it did not have before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) borrowed: Option<u64>,
    /// Of a drill: when it began, in nanoseconds since the Unix epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) drill: Option<u64>,
}

/// A demotion, written before it is done: whoever can read it has everything that came before.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(crate) struct Demoted {
    /// The site that was primary.
    pub(crate) by: StoreId,
    /// Which of its demotions: a later one has a larger number.
    pub(crate) at: Sequence,
}

impl Notes {
    /// Those of an image.
    pub(crate) fn of(image: &Image, doing: &str) -> Result<Self, Fault> {
        let text = image.note(KEY).doing(doing)?;
        // What somebody else wrote there is nothing that this one knows.
        Ok(text.map_or_else(Self::default, |text| {
            serde_json::from_str(&text).unwrap_or_default()
        }))
    }

    /// Writes them where they differ from `known`.
    pub(crate) fn replace(&self, known: &Self, image: &Image, doing: &str) -> Result<(), Fault> {
        if self == known {
            return Ok(());
        }
        if *self == Self::default() {
            return image.remove_note(KEY).doing(doing);
        }
        let text = serde_json::to_string(self)
            .map_err(|error| Fault::new(firebrick_backend::FaultKind::Internal, doing, error))?;
        image.set_note(KEY, &text).doing(doing)
    }

    /// The epoch.
    pub(crate) fn epoch(&self) -> Epoch {
        self.epoch.unwrap_or(Epoch::FIRST)
    }

    /// The id of an image with these notes and that name.
    pub(crate) fn id(&self, name: &str) -> ImageId {
        self.id.unwrap_or_else(|| derived(name))
    }
}

/// The id that a name says: of a volume its own, else one that is made of the name.
pub(crate) fn derived(name: &str) -> ImageId {
    let own = name
        .strip_prefix("volume-")
        .and_then(|id| Uuid::parse_str(id).ok());
    ImageId(own.unwrap_or_else(|| Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_of_cinder_is_known_by_its_name() {
        let id = "1f0ee2ab-5e0f-4ffb-8b6c-0a1f6c1e6a3c";
        assert_eq!(derived(&format!("volume-{id}")).to_string(), id);
        assert_eq!(derived("disk"), derived("disk"));
        assert_ne!(derived("disk"), derived("disk2"));
        let noted = Notes {
            id: Some(derived("disk")),
            ..Notes::default()
        };
        assert_eq!(noted.id(&format!("volume-{id}")), derived("disk"));
    }

    #[test]
    fn notes_survive_their_text() {
        let notes = Notes {
            epoch: Some(Epoch(3)),
            demoted: Some(Demoted {
                by: StoreId(Uuid::from_u128(7)),
                at: Sequence(9),
            }),
            ..Notes::default()
        };
        let text = serde_json::to_string(&notes).unwrap();
        assert_eq!(serde_json::from_str::<Notes>(&text).unwrap(), notes);
        assert_eq!(serde_json::to_string(&Notes::default()).unwrap(), "{}");
    }
}
