//! Who a site is: a key of its own and a certificate that nobody signed but itself.

use std::fmt;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::str::FromStr;

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::error::{Error, ErrorKind};

const CERTIFICATE: &str = "identity.crt";
const KEY: &str = "identity.key";
/// The name in every certificate; identity is the fingerprint alone.
pub(crate) const SUBJECT: &str = "firebrick";

/// A site's certificate and key.
pub struct Identity {
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) key: PrivateKeyDer<'static>,
}

impl Identity {
    /// Reads the identity in `dir`, or makes one there: `identity.crt` and, for the owner alone,
    /// `identity.key`.
    pub fn load_or_create(dir: &Path) -> Result<Self, Error> {
        let (certificate, key) = (dir.join(CERTIFICATE), dir.join(KEY));
        if !certificate.exists() {
            make(dir)?;
        }
        let fail = |error: rustls_pki_types::pem::Error| {
            Error::new(ErrorKind::Identity, "read the identity", error)
        };
        Ok(Self {
            certificate: CertificateDer::from_pem_file(certificate).map_err(fail)?,
            key: PrivateKeyDer::from_pem_file(key).map_err(fail)?,
        })
    }

    /// By what peers know this site.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.certificate)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("fingerprint", &self.fingerprint())
            .finish_non_exhaustive()
    }
}

fn make(dir: &Path) -> Result<(), Error> {
    const DOING: &str = "make the identity";
    let fail = |error: rcgen::Error| Error::new(ErrorKind::Identity, DOING, error);
    let mut params = CertificateParams::new(vec![SUBJECT.to_owned()]).map_err(fail)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, SUBJECT);
    let key = KeyPair::generate().map_err(fail)?;
    let certificate = params.self_signed(&key).map_err(fail)?;
    // The key first: a certificate without its key would never be made again.
    write(dir, KEY, &key.serialize_pem(), 0o600)?;
    write(dir, CERTIFICATE, &certificate.pem(), 0o644)
}

/// Writes a file whole or not at all.
fn write(dir: &Path, name: &str, text: &str, mode: u32) -> Result<(), Error> {
    let path = dir.join(name);
    let beside = dir.join(format!("{name}.new"));
    let write = || {
        drop(fs::remove_file(&beside));
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, &path)?;
        fs::File::open(dir)?.sync_all()
    };
    write().map_err(|error| {
        Error::new(
            ErrorKind::Identity,
            "write the identity",
            format!("{}: {error}", path.display()),
        )
    })
}

/// The SHA-256 of a certificate, written as 64 hexadecimal digits.
#[derive(Clone, Copy, Debug)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Self {
        Self(Sha256::digest(certificate).into())
    }
}

impl PartialEq for Fingerprint {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Fingerprint {}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Fingerprint {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refuse = || {
            Error::new(
                ErrorKind::Identity,
                "read a fingerprint",
                "it is not 64 hexadecimal digits",
            )
        };
        let digits = text.as_bytes();
        if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(refuse());
        }
        let mut bytes = [0; 32];
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).map_err(|_| refuse())?;
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_stays_and_its_key_is_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let one = Identity::load_or_create(dir.path()).unwrap().fingerprint();
        let again = Identity::load_or_create(dir.path()).unwrap().fingerprint();
        assert_eq!(one, again);
        assert_eq!(one.to_string().parse::<Fingerprint>().unwrap(), one);
        let mode = fs::metadata(dir.path().join(KEY))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        let other = tempfile::tempdir().unwrap();
        assert_ne!(
            Identity::load_or_create(other.path())
                .unwrap()
                .fingerprint(),
            one
        );
        assert!("12".parse::<Fingerprint>().is_err());
    }
}
