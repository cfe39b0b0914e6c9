//! The key of a transfer: told once, to whoever offers. What is kept is a hash of it with a salt.

use std::fmt::{self, Write as _};

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// What whoever accepts must know: 16 hex digits.
#[derive(Clone, Eq, PartialEq)]
pub struct AuthKey(String);

impl AuthKey {
    /// A key that nobody can guess.
    pub(super) fn random() -> Self {
        Self(random())
    }

    /// The key itself, for the answer that tells it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AuthKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthKey(…)")
    }
}

/// Sixteen hex digits at random.
pub(super) fn random() -> String {
    format!("{:016x}", rand::random::<u64>())
}

/// What is kept of a key.
pub(super) fn hash(salt: &str, key: &str) -> String {
    let digest = Sha256::new()
        .chain_update(salt.as_bytes())
        .chain_update(key.as_bytes())
        .finalize();
    digest.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Whether the key is the one of that hash. The time that takes does not depend on how much of it is.
pub(super) fn fits(salt: &str, kept: &str, key: &str) -> bool {
    hash(salt, key).as_bytes().ct_eq(kept.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_key_fits() {
        let (salt, key) = (random(), AuthKey::random());
        let kept = hash(&salt, key.reveal());
        assert_eq!((key.reveal().len(), kept.len()), (16, 64));
        assert!(!kept.contains(key.reveal()));
        assert!(fits(&salt, &kept, key.reveal()));
        for other in ["", AuthKey::random().reveal(), &kept] {
            assert!(!fits(&salt, &kept, other));
        }
        assert!(!fits(&random(), &kept, key.reveal()));
        assert_eq!(format!("{key:?}"), "AuthKey(…)");
    }
}
