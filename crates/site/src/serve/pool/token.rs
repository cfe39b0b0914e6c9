//! The text that one site's operator carries to another: where the site is, how it is known, and a
//! secret that lets one site in, once, for some time.
//!
//! The site itself keeps the SHA-256 of the secret alone.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use firebrick_mirror::{Fingerprint, Secret};
use firebrick_vocabulary::StoreId;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

/// Whom RBD's tokens name as asking.
const CLIENT_ID: &str = "rbd-mirror-peer";
/// More than any token has, in bytes.
const BYTES_MAX: usize = 4096;

/// What a token says. The first four are those of RBD's tokens.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Ticket {
    /// The site's store.
    pub(super) fsid: StoreId,
    client_id: String,
    /// What lets another site in.
    pub(super) key: Secret,
    /// Where the site is reached.
    pub(super) mon_host: String,
    /// The site's name.
    pub(super) site_name: String,
    /// The certificate that it shows.
    pub(super) fingerprint: String,
    /// Until when, in seconds since the Unix epoch.
    pub(super) expires: u64,
}

/// What is remembered of a token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::serve) struct KeptToken {
    /// The SHA-256 of its secret.
    hash: String,
    pub(super) expires: u64,
    /// The certificate of the site that it let in.
    #[serde(default)]
    pub(super) used_by: Option<String>,
}

impl Ticket {
    /// A new one for this site.
    pub(super) fn new(
        fsid: StoreId,
        site_name: String,
        mon_host: String,
        fingerprint: Fingerprint,
        expires: u64,
    ) -> Self {
        // Two of them have 244 random bits.
        let random = [Uuid::new_v4(), Uuid::new_v4()].map(Uuid::into_bytes);
        Self {
            fsid,
            client_id: CLIENT_ID.to_owned(),
            key: Secret(STANDARD.encode(random.as_flattened())),
            mon_host,
            site_name,
            fingerprint: fingerprint.to_string(),
            expires,
        }
    }

    /// As it is carried over.
    pub(super) fn encode(&self) -> Secret {
        // Texts and numbers are always JSON.
        Secret(STANDARD.encode(serde_json::to_vec(self).unwrap_or_default()))
    }

    /// Understands a token; `None` where it is none.
    pub(super) fn decode(token: &Secret) -> Option<Self> {
        let text = token.0.trim();
        if text.len() > BYTES_MAX {
            return None;
        }
        serde_json::from_slice(&STANDARD.decode(text).ok()?).ok()
    }

    /// What the site keeps of it.
    pub(super) fn kept(&self) -> KeptToken {
        KeptToken {
            hash: hash(&self.key),
            expires: self.expires,
            used_by: None,
        }
    }
}

impl KeptToken {
    /// Which of the tokens has that secret. All are compared, each in the same time.
    pub(super) fn find<'a>(tokens: &'a mut [Self], secret: &Secret) -> Option<&'a mut Self> {
        let wanted = hash(secret);
        let same = |token: &Self| bool::from(token.hash.as_bytes().ct_eq(wanted.as_bytes()));
        tokens.iter_mut().fold(
            None,
            |found, token| if same(token) { Some(token) } else { found },
        )
    }
}

fn hash(secret: &Secret) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(secret.0.as_bytes()) {
        _ = write!(text, "{byte:02x}");
    }
    text
}

/// Now, in seconds since the Unix epoch.
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket() -> Ticket {
        let fingerprint = "ab".repeat(32).parse().unwrap();
        Ticket::new(
            StoreId::random(),
            "site-a".to_owned(),
            "h:1".to_owned(),
            fingerprint,
            7,
        )
    }

    #[test]
    fn a_token_says_what_those_of_rbd_say_and_hides_its_secret() {
        let ticket = ticket();
        let token = ticket.encode();
        let read = Ticket::decode(&token).unwrap();
        assert_eq!((read.fsid, read.mon_host.as_str()), (ticket.fsid, "h:1"));
        assert!(read.key == ticket.key && read.key != super::tests::ticket().key);
        let json = STANDARD.decode(&token.0).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        for field in ["fsid", "client_id", "key", "mon_host"] {
            assert!(json[field].is_string(), "{json}");
        }
        assert!(!format!("{token:?}").contains(&token.0));
        assert!(
            !serde_json::to_string(&ticket.kept())
                .unwrap()
                .contains(&ticket.key.0)
        );
        for none in ["", "x", "e30=", &"A".repeat(5000)] {
            assert!(Ticket::decode(&Secret(none.to_owned())).is_none());
        }
    }

    #[test]
    fn only_its_own_secret_finds_a_token() {
        let (one, two) = (ticket(), ticket());
        let mut kept = [one.kept(), two.kept()];
        let found = KeptToken::find(&mut kept, &two.key).cloned();
        assert_eq!(found, Some(two.kept()));
        assert!(KeptToken::find(&mut kept, &ticket().key).is_none());
    }
}
