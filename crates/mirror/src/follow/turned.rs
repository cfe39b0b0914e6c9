//! Which images turn to a peer by what it sends.

use firebrick_engine::PeerRecord;
use firebrick_log::Change;
use firebrick_vocabulary::ImageId;

/// Images that may follow the peer from these records on: those that it promotes, and those that it hands on in
/// another reign.
pub(super) fn turned(records: &[PeerRecord<'_>]) -> Vec<ImageId> {
    let mut turned = Vec::new();
    for record in records {
        match record {
            PeerRecord::Change(Change::Promote { images }) => {
                turned.extend(images.iter().map(|promotion| promotion.image));
            }
            PeerRecord::Handover(handover) => turned.push(handover.image),
            PeerRecord::Change(_)
            | PeerRecord::Data { .. }
            | PeerRecord::Discard { .. }
            | PeerRecord::Describe(_)
            | PeerRecord::Ended(_) => {}
        }
    }
    turned
}
