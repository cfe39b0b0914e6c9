//! What ranges hold, as `base:allocation` says it.

use firebrick_vocabulary::ByteRange;

use crate::device::{Device, DeviceError, Extent, ExtentState};

/// How many bytes an extent has in a reply.
pub(crate) const EXTENT_LEN: usize = 8;
/// The most extents in one reply; the client asks on from where they end.
const EXTENTS_MAX: usize = 2048;

const HOLE: u32 = 1 << 0;
const ZERO: u32 = 1 << 1;

/// Whether all of a range is a hole; `false` where that is not known.
pub(crate) fn is_hole(device: &dyn Device, range: ByteRange) -> bool {
    match device.extents(range, 1).as_deref() {
        Ok(
            [
                Extent {
                    len,
                    state: ExtentState::Hole,
                },
                ..,
            ],
        ) => *len >= range.len,
        Ok(_) | Err(_) => false,
    }
}

/// What a range holds, in the form of the reply: one extent or as many as fit. At least one, or an
/// error.
pub(crate) fn describe(
    device: &dyn Device,
    range: ByteRange,
    only_one: bool,
) -> Result<Vec<u8>, DeviceError> {
    let most = if only_one { 1 } else { EXTENTS_MAX };
    let extents = device.extents(range, most)?;
    let mut left = range.len;
    let mut bytes = Vec::with_capacity(extents.len().min(most) * EXTENT_LEN);
    for Extent { len, state } in extents.into_iter().take(most) {
        let len = len.min(left);
        left -= len;
        if len == 0 {
            break;
        }
        let state = match state {
            ExtentState::Data => 0,
            ExtentState::Hole => HOLE | ZERO,
        };
        // A range has no more bytes than a request's length can say.
        bytes.extend((len as u32).to_be_bytes());
        bytes.extend(u32::to_be_bytes(state));
    }
    // Without any extent a client could never go on.
    if bytes.is_empty() {
        Err(DeviceError::Io)
    } else {
        Ok(bytes)
    }
}
