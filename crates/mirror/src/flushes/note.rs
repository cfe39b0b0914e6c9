//! For whom flushes of an image wait, over a restart: metadata of this store alone.

use firebrick_engine::{Error, SYNC_HELD_KEY, Store};
use firebrick_vocabulary::{Epoch, ImageId};

/// The peers that were noted last, if nobody else has been primary since.
pub(super) fn read(store: &Store, image: ImageId, epoch: Epoch) -> Vec<String> {
    let Ok(image) = store.image(image) else {
        return Vec::new();
    };
    let info = image.info();
    let said = info.metadata.get(SYNC_HELD_KEY);
    said.and_then(|text| parse(text, epoch)).unwrap_or_default()
}

/// Whoever was demoted here and promoted here again is one epoch further; any other promotion leads to a later one.
fn parse(text: &str, epoch: Epoch) -> Option<Vec<String>> {
    let mut words = text.split(' ');
    let noted = Epoch(words.next()?.parse().ok()?);
    let same = noted == epoch || noted.next() == epoch;
    same.then(|| words.map(str::to_owned).collect())
}

/// Notes the peers durably; with none there is no note.
pub(super) fn write(
    store: &Store,
    image: ImageId,
    epoch: Epoch,
    held: &[String],
) -> Result<(), Error> {
    let words = [epoch.to_string()].into_iter();
    let text: Vec<String> = words.chain(held.iter().cloned()).collect();
    let text = (!held.is_empty()).then(|| text.join(" "));
    store.set_metadata(image, SYNC_HELD_KEY, text.as_deref())?;
    store.flush().map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_holds_as_long_as_nobody_else_was_primary() {
        let peers = Some(vec!["a".to_owned(), "b".to_owned()]);
        assert_eq!(parse("3 a b", Epoch(3)), peers);
        assert_eq!(parse("3 a b", Epoch(4)), peers);
        for epoch in [2, 5, 6] {
            assert_eq!(parse("3 a b", Epoch(epoch)), None);
        }
        assert_eq!(parse("", Epoch(0)), None);
    }
}
