//! Digests of blocks, by which two sites find out what differs without sending it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as TEXT;
use sha2::{Digest as _, Sha256};

/// The bytes of a digest: so many that two blocks which differ have the same one never.
const LEN: usize = 16;

/// What stands for some bytes: the beginning of their SHA-256.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Digest([u8; LEN]);

impl Digest {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let whole = Sha256::digest(bytes);
        let mut digest = [0; LEN];
        digest.copy_from_slice(&whole[..LEN]);
        Self(digest)
    }
}

/// As they stand in messages.
pub(crate) fn encode(digests: &[Digest]) -> String {
    let bytes: Vec<u8> = digests.iter().flat_map(|digest| digest.0).collect();
    TEXT.encode(bytes)
}

/// Understands that; `None` where it makes no sense.
pub(crate) fn decode(text: &str) -> Option<Vec<Digest>> {
    let bytes = TEXT.decode(text).ok()?;
    let digests = bytes.chunks_exact(LEN);
    if !digests.remainder().is_empty() {
        return None;
    }
    digests
        .map(|bytes| bytes.try_into().ok().map(Digest))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_survive_the_way_through_a_message() {
        let digests = [Digest::of(b"one"), Digest::of(b"other"), Digest::of(b"")];
        assert_ne!(digests[0], digests[1]);
        assert_eq!(decode(&encode(&digests)).as_deref(), Some(&digests[..]));
        assert_eq!(decode("AAAA"), None, "too short for one");
        assert_eq!(decode("?"), None);
    }
}
