//! Tokens of users that outlive their requests: work that goes on needs them, and nobody else may.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf;
use ring::rand::{SecureRandom, SystemRandom};

/// The longest sealed text that is looked at.
const MAX: usize = 32 << 10;

/// A user's token, which is nowhere shown.
#[derive(Clone, Eq, PartialEq)]
pub struct UserToken(String);

impl UserToken {
    /// The token of an `X-Auth-Token`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the header of a request.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

/// Without the token.
impl fmt::Debug for UserToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserToken")
    }
}

/// What seals tokens, so that they may lie in a database: all processes with one secret open what one
/// of them has sealed, and nobody else does.
pub struct Seal(LessSafeKey);

/// Without the key.
impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal")
    }
}

impl Seal {
    /// One with a key that is derived from `secret`; `None` only where the cryptography fails.
    pub fn new(secret: &str) -> Option<Self> {
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"firebrick");
        let derived = salt.extract(secret.as_bytes());
        let info = [&b"tokens of users"[..]];
        let key = derived.expand(&info, &AES_256_GCM).ok()?;
        Some(Self(LessSafeKey::new(UnboundKey::from(key))))
    }

    /// The sealed `token`, which opens only with the same `purpose`; `None` where there is no chance.
    pub fn close(&self, token: &UserToken, purpose: &str) -> Option<String> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).ok()?;
        let mut bytes = token.0.clone().into_bytes();
        let unique = Nonce::assume_unique_for_key(nonce);
        let about = Aad::from(purpose.as_bytes());
        self.0
            .seal_in_place_append_tag(unique, about, &mut bytes)
            .ok()?;
        let mut whole = nonce.to_vec();
        whole.append(&mut bytes);
        Some(STANDARD.encode(whole))
    }

    /// The token in `sealed`; `None` where it is none of this secret and purpose.
    pub fn open(&self, sealed: &str, purpose: &str) -> Option<UserToken> {
        if sealed.len() > MAX {
            return None;
        }
        let whole = STANDARD.decode(sealed).ok()?;
        let (nonce, bytes) = whole.split_first_chunk::<NONCE_LEN>()?;
        let mut bytes = bytes.to_vec();
        let about = Aad::from(purpose.as_bytes());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let open = self.0.open_in_place(nonce, about, &mut bytes).ok()?;
        String::from_utf8(open.to_vec()).ok().map(UserToken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_opens_with_its_secret_and_purpose_alone() {
        let (seal, token) = (Seal::new("secret").unwrap(), UserToken::new("gAAAA-token"));
        let sealed = seal.close(&token, "image").unwrap();
        assert!(!sealed.contains("token") && sealed != seal.close(&token, "image").unwrap());
        assert_eq!(
            Seal::new("secret").unwrap().open(&sealed, "image"),
            Some(token.clone())
        );
        assert_eq!(seal.open(&sealed, "other"), None);
        assert_eq!(Seal::new("another").unwrap().open(&sealed, "image"), None);
        assert_eq!(seal.open("AAAA", "image"), None);
        assert_eq!(format!("{token:?} {seal:?}"), "UserToken Seal");
    }
}
