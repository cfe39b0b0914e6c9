//! TLS on the connections of clients: certificates, keys, and who is believed.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// Whether clients that come by TCP encrypt. On the Unix socket, which only its owner can open, they
/// may wherever TLS is not off, and need never.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum TlsMode {
    /// They cannot.
    #[default]
    Off,
    /// They may.
    Allowed,
    /// They must: before, a client is told nothing.
    Required,
}

/// Where the server's identity lies, and the issuers of its clients', all in PEM.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TlsFiles {
    /// The server's certificate, and the chain behind it.
    pub certificate: PathBuf,
    /// The key of the certificate.
    pub key: PathBuf,
    /// The issuers of clients' certificates. With it, a client without a certificate of theirs is
    /// refused; without it, none is asked for one.
    pub client_ca: Option<PathBuf>,
}

/// Which of [`TlsFiles`] is not usable.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TlsFile {
    /// The certificate.
    Certificate,
    /// The key.
    Key,
    /// The issuers of clients' certificates.
    ClientCa,
}

impl fmt::Display for TlsFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certificate => "certificate",
            Self::Key => "key",
            Self::ClientCa => "client CA",
        })
    }
}

/// Why a file of [`TlsFiles`] is not usable. Says nothing of what a key holds.
#[derive(Debug, thiserror::Error)]
#[error("the {file} {}: {reason}", .path.display())]
pub struct TlsError {
    /// Which.
    pub file: TlsFile,
    /// Its path.
    pub path: PathBuf,
    /// Why.
    pub reason: String,
}

impl TlsError {
    fn new(file: TlsFile, path: &Path, reason: impl fmt::Display) -> Self {
        Self {
            file,
            path: path.to_owned(),
            reason: reason.to_string(),
        }
    }
}

/// What a server needs to speak TLS. Its key is never shown.
#[derive(Clone)]
pub struct Tls(Arc<ServerConfig>);

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads and checks the files.
    pub fn load(files: &TlsFiles) -> Result<Self, TlsError> {
        let TlsFiles {
            certificate,
            key,
            client_ca,
        } = files;
        let chain = certificates(TlsFile::Certificate, certificate)?;
        let secret = PrivateKeyDer::from_pem_file(key)
            .map_err(|error| TlsError::new(TlsFile::Key, key, reason(&error)))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::new(TlsFile::Certificate, certificate, error))?;
        let builder = match client_ca {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let failed =
                    |error: &dyn fmt::Display| TlsError::new(TlsFile::ClientCa, path, error);
                let mut roots = RootCertStore::empty();
                for issuer in certificates(TlsFile::ClientCa, path)? {
                    roots.add(issuer).map_err(|error| failed(&error))?;
                }
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                        .build()
                        .map_err(|error| failed(&error))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        // Fails where key and certificate do not belong together.
        let config = builder
            .with_single_cert(chain, secret)
            .map_err(|error| TlsError::new(TlsFile::Key, key, error))?;
        Ok(Self(Arc::new(config)))
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0)
    }
}

fn certificates(file: TlsFile, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |error| TlsError::new(file, path, reason(&error));
    let found: Vec<_> = CertificateDer::pem_file_iter(path)
        .map_err(failed)?
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    if found.is_empty() {
        return Err(TlsError::new(file, path, "there is no certificate in it"));
    }
    Ok(found)
}

fn reason(error: &rustls_pki_types::pem::Error) -> String {
    match error {
        rustls_pki_types::pem::Error::Io(error) => error.to_string(),
        rustls_pki_types::pem::Error::NoItemsFound => "there is none in it".to_owned(),
        // What it quotes may be a part of a key.
        _ => "it is not PEM".to_owned(),
    }
}
