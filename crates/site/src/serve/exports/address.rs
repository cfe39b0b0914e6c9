//! Where exports listen, and what guests are told.

use std::net::SocketAddr;
use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

use firebrick_backend::{Access, ExportAddress};
use firebrick_export::{ExportServer, ExportServerOptions, Tls, TlsMode};
use firebrick_vocabulary::ImageName;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode, utf8_percent_encode};

use crate::conf::{ExportVia, SiteConf};
use crate::serve::error::Error;

/// Clients at one time.
const CONNECTIONS_MAX: usize = 1024;
/// How long a client may take to choose an export.
const HANDSHAKE_MAX: Duration = Duration::from_secs(30);
/// What the requests in flight of one client may take, in bytes.
const REQUEST_MEMORY_MAX: usize = 32 << 20;
/// What may stand in a URI as it is.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

/// Where the exports of a site are.
pub(in crate::serve) struct ExportPlan {
    unix: PathBuf,
    tcp: Option<SocketAddr>,
    tls_mode: TlsMode,
    tls: Option<Tls>,
    insecure: bool,
    advertise: Option<String>,
    via: ExportVia,
}

impl ExportPlan {
    /// What the configuration says, with the certificates that it names.
    pub(in crate::serve) fn of(conf: &SiteConf) -> Result<Self, Error> {
        let security = &conf.nbd_security;
        let tls = security.files.as_ref().map(Tls::load).transpose();
        Ok(Self {
            unix: conf.nbd_socket.clone(),
            tcp: conf.nbd_listen,
            tls_mode: security.mode,
            tls: tls.map_err(|error| Error::tls(&error))?,
            insecure: security.insecure,
            advertise: security.advertise.clone(),
            via: conf.export_address,
        })
    }

    pub(super) fn options(&self) -> ExportServerOptions {
        let cores = std::thread::available_parallelism().map_or(2, NonZero::get);
        ExportServerOptions {
            unix: self.unix.clone(),
            tcp: self.tcp,
            tls_mode: self.tls_mode,
            tls: self.tls.clone(),
            insecure: self.insecure,
            workers: (4 * cores).clamp(8, 32),
            max_connections: CONNECTIONS_MAX,
            max_handshake: HANDSHAKE_MAX,
            max_request_memory: REQUEST_MEMORY_MAX,
        }
    }

    /// How a guest reaches the export of `image` that allows `access`.
    pub(super) fn address(
        &self,
        server: Option<&ExportServer>,
        image: &ImageName,
        access: Access,
    ) -> ExportAddress {
        let export = export_name(image, access);
        let listening = server.and_then(ExportServer::tcp_address).or(self.tcp);
        let uri = match (self.via, listening) {
            (ExportVia::Tcp, Some(tcp)) => self.tcp_uri(tcp, &export),
            (ExportVia::Tcp, None) | (ExportVia::Unix, _) => self.unix_uri(&export),
        };
        ExportAddress {
            protocol: "nbd".to_owned(),
            uri,
            export,
            details: serde_json::Map::new(),
        }
    }

    fn unix_uri(&self, export: &str) -> String {
        let name = utf8_percent_encode(export, ESCAPED);
        let socket = percent_encode(self.unix.as_os_str().as_encoded_bytes(), ESCAPED);
        format!("nbd+unix:///{name}?socket={socket}")
    }

    fn tcp_uri(&self, listening: SocketAddr, export: &str) -> String {
        let scheme = match self.tls_mode {
            TlsMode::Off | TlsMode::Allowed => "nbd",
            TlsMode::Required => "nbds",
        };
        let host = match &self.advertise {
            None => listening.to_string(),
            Some(host) if has_port(host) => host.clone(),
            Some(host) => format!("{host}:{}", listening.port()),
        };
        let name = utf8_percent_encode(export, ESCAPED);
        format!("{scheme}://{host}/{name}")
    }
}

/// Whether a host comes with a port; the colons of an IPv6 address stand in brackets.
fn has_port(host: &str) -> bool {
    host.rsplit(']').next().is_some_and(|end| end.contains(':'))
}

/// The name of the export of `image` that allows `access`.
pub(super) fn export_name(image: &ImageName, access: Access) -> String {
    match access {
        Access::ReadWrite => image.as_str().to_owned(),
        Access::ReadOnly => format!("{image}.ro"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_uris() {
        let mut plan = ExportPlan {
            unix: PathBuf::from("/run/fire brick/a.nbd"),
            tcp: Some(SocketAddr::from(([127, 0, 0, 1], 10809))),
            tls_mode: TlsMode::Allowed,
            tls: None,
            insecure: false,
            advertise: None,
            via: ExportVia::Unix,
        };
        let image = ImageName::new("volume-1 ?").unwrap();
        let address = plan.address(None, &image, Access::ReadWrite);
        assert_eq!(
            address.uri,
            "nbd+unix:///volume-1%20%3F?socket=/run/fire%20brick/a.nbd"
        );
        assert_eq!(address.export, "volume-1 ?");
        plan.via = ExportVia::Tcp;
        let address = plan.address(None, &image, Access::ReadOnly);
        assert_eq!(address.uri, "nbd://127.0.0.1:10809/volume-1%20%3F.ro");
        plan.tls_mode = TlsMode::Required;
        let mut told = |advertise: &str| {
            plan.advertise = Some(advertise.to_owned());
            let uri = plan.address(None, &image, Access::ReadOnly).uri;
            uri.replace("/volume-1%20%3F.ro", "")
        };
        assert_eq!(told("a.example"), "nbds://a.example:10809");
        assert_eq!(told("a.example:1"), "nbds://a.example:1");
        assert_eq!(told("[::1]"), "nbds://[::1]:10809");
        assert_eq!(told("[::1]:1"), "nbds://[::1]:1");
    }
}
