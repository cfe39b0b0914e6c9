//! An authority and what it certifies, in the files that the tools expect.

use std::fs;
use std::path::{Path, PathBuf};

use firebrick_export::TlsFiles;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

/// A folder with an authority's certificate, a server's and a client's.
pub struct Authority {
    folder: tempfile::TempDir,
}

impl Authority {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        let name = "an authority";
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let own = params.self_signed(&key).unwrap();
        fs::write(folder.path().join("ca-cert.pem"), own.pem()).unwrap();
        let issuer = Issuer::new(params, key);
        for (who, purpose) in [
            ("server", ExtendedKeyUsagePurpose::ServerAuth),
            ("client", ExtendedKeyUsagePurpose::ClientAuth),
        ] {
            let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
            let mut params = CertificateParams::new(names).unwrap();
            params.distinguished_name.push(DnType::CommonName, who);
            params.key_usages = vec![
                KeyUsagePurpose::DigitalSignature,
                KeyUsagePurpose::KeyEncipherment,
            ];
            params.extended_key_usages = vec![purpose];
            let key = KeyPair::generate().unwrap();
            let certificate = params.signed_by(&key, &issuer).unwrap();
            let path = |what| folder.path().join(format!("{who}-{what}.pem"));
            fs::write(path("cert"), certificate.pem()).unwrap();
            fs::write(path("key"), key.serialize_pem()).unwrap();
        }
        Self { folder }
    }

    /// Where the files are.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A folder with what a client has that belongs nowhere.
    pub fn without_client(&self) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::copy(self.file("ca-cert.pem"), folder.path().join("ca-cert.pem")).unwrap();
        folder
    }

    /// The server's files; with them it asks for certificates of clients, or does not.
    pub fn server(&self, asks: bool) -> TlsFiles {
        TlsFiles {
            certificate: self.file("server-cert.pem"),
            key: self.file("server-key.pem"),
            client_ca: asks.then(|| self.file("ca-cert.pem")),
        }
    }
}
