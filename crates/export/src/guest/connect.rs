//! The way to an export, from its address to the choice of it.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};

use super::GuestError;
use crate::option::{
    CLIENT_FIXED_NEWSTYLE, CLIENT_NO_ZEROES, GREETING, INFO_EXPORT, OPTION_MAGIC, OPTION_MAX,
};

const OPTION_START_TLS: u32 = 5;
const OPTION_GO: u32 = 7;
const REPLY_ACK: u32 = 1;
const REPLY_INFO: u32 = 3;
const REPLY_ERROR: u32 = 1 << 31;
/// How long a server may take for one answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// A connection of any kind.
pub(super) trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// An address in its parts.
#[derive(Debug, Eq, PartialEq)]
struct Address {
    name: String,
    server: Server,
}

#[derive(Debug, Eq, PartialEq)]
enum Server {
    Unix(PathBuf),
    Plain {
        address: String,
    },
    Tls {
        address: String,
        /// A folder with `ca-cert.pem` and, for servers that ask for them, `client-cert.pem` and
        /// `client-key.pem`.
        certificates: PathBuf,
    },
}

/// Connects to the export that `uri` names; the connection, and the export's size in bytes.
pub(super) fn connect(uri: &str) -> Result<(Box<dyn Stream>, u64), GuestError> {
    let Address { name, server } = parse(uri).ok_or_else(|| GuestError::Address(uri.to_owned()))?;
    let mut stream: Box<dyn Stream> = match &server {
        Server::Unix(path) => {
            let mut stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(ANSWER_WITHIN))?;
            greet(&mut stream)?;
            Box::new(stream)
        }
        Server::Plain { address } => Box::new(tcp(address)?),
        Server::Tls {
            address,
            certificates,
        } => {
            let mut stream = tcp(address)?;
            option(&mut stream, OPTION_START_TLS, &[])?;
            Box::new(encrypt(stream, address, certificates)?)
        }
    };
    let name_len = super::length(name.as_bytes())?;
    let mut go = name_len.to_be_bytes().to_vec();
    go.extend(name.as_bytes());
    go.extend(0_u16.to_be_bytes());
    let size = option(&mut stream, OPTION_GO, &go)?;
    Ok((stream, size))
}

fn parse(uri: &str) -> Option<Address> {
    let decode = |text: &str| {
        let decoded = percent_decode_str(text).decode_utf8().ok();
        decoded.map(std::borrow::Cow::into_owned)
    };
    if let Some(rest) = uri.strip_prefix("nbd+unix:///") {
        let (name, path) = rest.split_once("?socket=")?;
        return Some(Address {
            name: decode(name)?,
            server: Server::Unix(decode(path)?.into()),
        });
    }
    if let Some(rest) = uri.strip_prefix("nbds://") {
        let (rest, certificates) = rest.split_once("?tls-certificates=")?;
        let (address, name) = rest.split_once('/')?;
        return Some(Address {
            name: decode(name)?,
            server: Server::Tls {
                address: address.to_owned(),
                certificates: decode(certificates)?.into(),
            },
        });
    }
    let (address, name) = uri.strip_prefix("nbd://")?.split_once('/')?;
    Some(Address {
        name: decode(name)?,
        server: Server::Plain {
            address: address.to_owned(),
        },
    })
}

fn tcp(address: &str) -> Result<TcpStream, GuestError> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    greet(&mut stream)?;
    Ok(stream)
}

fn greet(stream: &mut impl Stream) -> Result<(), GuestError> {
    if take(stream)? != GREETING {
        return Err(GuestError::Protocol("no greeting"));
    }
    let _flags: [u8; 2] = take(stream)?;
    let flags = CLIENT_FIXED_NEWSTYLE | CLIENT_NO_ZEROES;
    Ok(stream.write_all(&flags.to_be_bytes())?)
}

/// Sends an option and reads its answers; the size of the export, where one was told.
fn option(stream: &mut impl Stream, number: u32, data: &[u8]) -> Result<u64, GuestError> {
    let mut bytes = OPTION_MAGIC.to_vec();
    bytes.extend(number.to_be_bytes());
    bytes.extend(super::length(data)?.to_be_bytes());
    bytes.extend(data);
    stream.write_all(&bytes)?;
    let mut size = 0;
    loop {
        let _magic: [u8; 8] = take(stream)?;
        let _option: [u8; 4] = take(stream)?;
        let kind = u32::from_be_bytes(take(stream)?);
        let len = u32::from_be_bytes(take(stream)?);
        if len > OPTION_MAX {
            return Err(GuestError::Protocol("an option's reply is too long"));
        }
        let mut data = vec![0; len as usize];
        stream.read_exact(&mut data)?;
        match (kind, data.split_first_chunk::<2>()) {
            (REPLY_ACK, _) => return Ok(size),
            (refused, _) if refused & REPLY_ERROR != 0 => return Err(GuestError::Refused(refused)),
            (REPLY_INFO, Some((info, rest))) if u16::from_be_bytes(*info) == INFO_EXPORT => {
                let (told, _) = rest
                    .split_first_chunk()
                    .ok_or(GuestError::Protocol("an export without a size"))?;
                size = u64::from_be_bytes(*told);
            }
            // Other information is not needed here.
            (_, _) => {}
        }
    }
}

fn take<const N: usize>(stream: &mut impl Stream) -> Result<[u8; N], GuestError> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn encrypt(
    mut stream: TcpStream,
    address: &str,
    folder: &Path,
) -> Result<StreamOwned<ClientConnection, TcpStream>, GuestError> {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host.trim_matches(['[', ']']).to_owned();
    let name = ServerName::try_from(host).map_err(|_| GuestError::Address(address.to_owned()))?;
    let config = config(folder)?;
    let mut tls = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    while tls.is_handshaking() {
        tls.complete_io(&mut stream)?;
    }
    Ok(StreamOwned::new(tls, stream))
}

fn config(folder: &Path) -> io::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for issuer in certificates(&folder.join("ca-cert.pem"))? {
        roots.add(issuer).map_err(io::Error::other)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots);
    let certificate = folder.join("client-cert.pem");
    if !certificate.exists() {
        return Ok(builder.with_no_client_auth());
    }
    let key = PrivateKeyDer::from_pem_file(folder.join("client-key.pem")).map_err(not_pem)?;
    builder
        .with_client_auth_cert(certificates(&certificate)?, key)
        .map_err(io::Error::other)
}

fn certificates(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let found = CertificateDer::pem_file_iter(path).map_err(not_pem)?;
    found.collect::<Result<_, _>>().map_err(not_pem)
}

fn not_pem(error: rustls_pki_types::pem::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_understood() {
        let unix = parse("nbd+unix:///a%20b?socket=/run/x%3F").unwrap();
        assert_eq!(unix.name, "a b");
        assert_eq!(unix.server, Server::Unix("/run/x?".into()));
        let plain = parse("nbd://[::1]:10809/a").unwrap();
        let address = "[::1]:10809".to_owned();
        assert_eq!(plain.server, Server::Plain { address });
        let tls = parse("nbds://h:1/a?tls-certificates=/etc/pki").unwrap();
        let (address, certificates) = ("h:1".to_owned(), "/etc/pki".into());
        assert_eq!(
            tls.server,
            Server::Tls {
                address,
                certificates
            }
        );
        for wrong in ["", "nbd:///", "nbds://h:1/a", "http://h/", "nbd+unix:///a"] {
            assert!(
                parse(wrong).is_none_or(|parsed| wrong == "nbd:///" && parsed.name.is_empty()),
                "{wrong}"
            );
        }
    }
}
