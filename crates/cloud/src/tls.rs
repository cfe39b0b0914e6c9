//! Whose certificates count.

use std::path::Path;

use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

/// What is checked of a server: certificates that descend from those in the PEM file `cafile` (from those
/// of the web without), or nothing where it is `insecure`.
///
/// # Errors
///
/// In words that begin with `cafile`, where the file cannot be used.
pub(crate) fn checks(cafile: Option<&Path>, insecure: bool) -> Result<TlsConfig, String> {
    let mut tls = TlsConfig::builder().disable_verification(insecure);
    if let Some(path) = cafile {
        let refused = |why: String| format!("cafile {}: {why}", path.display());
        let pem = std::fs::read(path).map_err(|why| refused(why.to_string()))?;
        let mut roots: Vec<Certificate<'static>> = Vec::new();
        for item in parse_pem(&pem) {
            match item.map_err(|why| refused(why.to_string()))? {
                PemItem::Certificate(certificate) => roots.push(certificate),
                _ => return Err(refused("holds something else than certificates".into())),
            }
        }
        if roots.is_empty() {
            return Err(refused("holds no certificate".into()));
        }
        tls = tls.root_certs(RootCerts::new_with_certs(&roots));
    }
    Ok(tls.build())
}
