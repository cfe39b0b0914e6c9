//! What ranges hold, as `base:allocation` says it.

use firebrick_vocabulary::ByteRange;

use crate::device::{Device, DeviceError, Extent, ExtentState};
use crate::fields::Fields;
use crate::wire::{ALLOCATION_ID, ReplyStyle, extent_len};

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
    style: ReplyStyle,
) -> Result<Vec<u8>, DeviceError> {
    let most = if only_one { 1 } else { EXTENTS_MAX };
    let extents = device.extents(range, most)?;
    let mut left = range.len;
    let mut bytes = Vec::with_capacity(extents.len().min(most) * extent_len(style));
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
        match style {
            // A range has no more bytes than a request's length can say.
            ReplyStyle::Simple | ReplyStyle::Structured => {
                bytes.extend((len as u32).to_be_bytes());
                bytes.extend(u32::to_be_bytes(state));
            }
            ReplyStyle::Extended => {
                bytes.extend(len.to_be_bytes());
                bytes.extend(u64::from(state).to_be_bytes());
            }
        }
    }
    // Without any extent a client could never go on.
    if bytes.is_empty() {
        Err(DeviceError::Io)
    } else {
        Ok(bytes)
    }
}

/// The length of the range that the payload of a request names; `None` where it asks for anything but
/// `base:allocation`, once.
pub(crate) fn wanted(payload: &[u8]) -> Option<u64> {
    let mut fields = Fields(payload);
    let len = fields.u64().ok()?;
    let context = fields.u32().ok()?;
    fields.end().ok()?;
    (context == ALLOCATION_ID).then_some(len)
}
