//! Where exports are reached, and how they are protected on the way.

use std::net::SocketAddr;
use std::path::Path;

use firebrick_config::{ConfigError, Section};
use firebrick_export::{TlsFile, TlsFiles, TlsMode};

use super::{ADDRESS, ExportVia};

/// What protects exports on their way by TCP.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct NbdSecurity {
    /// `nbd_tls`: whether guests encrypt.
    pub mode: TlsMode,
    /// `nbd_certificate`, `nbd_key` and `nbd_client_ca`; there unless the mode is off.
    pub files: Option<TlsFiles>,
    /// `nbd_insecure`: guests are served in clear text on addresses that other machines can reach.
    pub insecure: bool,
    /// `nbd_advertise`: the host, or host and port, that guests are told instead of the address that is
    /// listened on, as it stands in the certificate.
    pub advertise: Option<String>,
}

/// The option that names a file.
pub(crate) const fn option_of(file: TlsFile) -> &'static str {
    match file {
        TlsFile::Certificate => "nbd_certificate",
        TlsFile::Key => "nbd_key",
        TlsFile::ClientCa => "nbd_client_ca",
    }
}

pub(super) fn security(section: &Section, base: &Path) -> Result<NbdSecurity, ConfigError> {
    let mode = match section.text("nbd_tls")?.as_deref() {
        None | Some("off") => TlsMode::Off,
        Some("allowed") => TlsMode::Allowed,
        Some("required") => TlsMode::Required,
        Some(other) => {
            let reason = format!("{other:?} is neither off, allowed nor required");
            return Err(section.refuse("nbd_tls", reason));
        }
    };
    Ok(NbdSecurity {
        mode,
        files: files(section, base, mode)?,
        insecure: section.flag("nbd_insecure", false)?,
        advertise: advertise(section)?,
    })
}

fn files(section: &Section, base: &Path, mode: TlsMode) -> Result<Option<TlsFiles>, ConfigError> {
    let path = |file| {
        let text = section.text(option_of(file))?;
        Ok(text.map(|text| base.join(text)))
    };
    let certificate = path(TlsFile::Certificate)?;
    let key = path(TlsFile::Key)?;
    let client_ca = path(TlsFile::ClientCa)?;
    if mode == TlsMode::Off {
        let files = [
            (certificate, TlsFile::Certificate),
            (key, TlsFile::Key),
            (client_ca, TlsFile::ClientCa),
        ];
        return match files.into_iter().find(|(path, _)| path.is_some()) {
            None => Ok(None),
            Some((_, file)) => Err(section.refuse(
                option_of(file),
                "nbd_tls is off; set it to allowed or required",
            )),
        };
    }
    match (certificate, key) {
        (Some(certificate), Some(key)) => Ok(Some(TlsFiles {
            certificate,
            key,
            client_ca,
        })),
        (None, _) => Err(section.refuse("nbd_tls", "needs nbd_certificate")),
        (Some(_), None) => Err(section.refuse("nbd_tls", "needs nbd_key")),
    }
}

fn advertise(section: &Section) -> Result<Option<String>, ConfigError> {
    let Some(text) = section.text("nbd_advertise")? else {
        return Ok(None);
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':' | '[' | ']');
    if !text.is_empty() && text.chars().all(fits) {
        Ok(Some(text))
    } else {
        Err(section.refuse(
            "nbd_advertise",
            format!("{text:?} is not a host, or a host and port, such as blocks.example.org:10809"),
        ))
    }
}

/// Where exports listen by TCP, which other machines may reach only where `security` allows it.
pub(super) fn listen(
    section: &Section,
    security: &NbdSecurity,
) -> Result<Option<SocketAddr>, ConfigError> {
    let port: Option<u16> = section.value("nbd_port", "a port number")?;
    let listen: Option<SocketAddr> = section.value("nbd_listen", ADDRESS)?;
    let listen = match (listen, port) {
        (Some(_), Some(_)) => {
            return Err(section.refuse("nbd_port", "nbd_listen names the port already"));
        }
        (Some(listen), None) => Some(listen),
        (None, port) => port.map(|port| SocketAddr::from(([127, 0, 0, 1], port))),
    };
    let safe = security.insecure || security.mode == TlsMode::Required;
    match listen {
        Some(listen) if !safe && !listen.ip().is_loopback() => Err(section.refuse(
            "nbd_listen",
            format!(
                "{} is not a loopback address; set nbd_tls = required, or nbd_insecure = true to \
                 serve in clear text",
                listen.ip()
            ),
        )),
        listen => Ok(listen),
    }
}

/// Which address guests are told; there must be one that they can use.
pub(super) fn via(
    section: &Section,
    listen: Option<SocketAddr>,
    security: &NbdSecurity,
) -> Result<ExportVia, ConfigError> {
    let via = match section.text("export_address")?.as_deref() {
        None | Some("unix") => ExportVia::Unix,
        Some("tcp") => ExportVia::Tcp,
        Some(other) => {
            let reason = format!("{other:?} is neither unix nor tcp");
            return Err(section.refuse("export_address", reason));
        }
    };
    let reason = match (via, listen) {
        (ExportVia::Tcp, None) => "tcp needs nbd_listen or nbd_port".to_owned(),
        (ExportVia::Tcp, Some(listen))
            if listen.ip().is_unspecified() && security.advertise.is_none() =>
        {
            format!("nobody can connect to {}; set nbd_advertise", listen.ip())
        }
        (ExportVia::Unix, _) | (ExportVia::Tcp, Some(_)) => return Ok(via),
    };
    Err(section.refuse("export_address", reason))
}
