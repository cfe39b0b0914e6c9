//! TLS over TCP between sites.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use firebrick_edge::Task;
use rustls_pki_types::ServerName;
use tokio::io::BufReader;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::error::{Error, ErrorKind};
use crate::identity::{Fingerprint, Identity, SUBJECT};
use crate::known::Known;
use crate::mirror::PeerOptions;
use crate::network::{Arrival, Listener, Network, Wire};
use crate::tls;

const LISTENING: &str = "listen for peers";
const CONNECTING: &str = "connect to a peer";
const GREETING: &str = "greet a peer";
/// How much is taken from the system at once, in bytes: TLS asks for a few KiB each time.
const INPUT: usize = 256 << 10;

/// The way to other sites.
pub(crate) struct Tcp {
    identity: Identity,
}

/// Where this machine is reached.
pub(crate) struct Port {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Tcp {
    pub(crate) const fn new(identity: Identity) -> Self {
        Self { identity }
    }

    /// Listens at `address` for those of `known`; and where that is, as port 0 takes a free one.
    pub(crate) async fn listen(
        &self,
        address: SocketAddr,
        known: &Arc<Known>,
    ) -> Result<(Port, SocketAddr), Error> {
        let acceptor = tls::acceptor(&self.identity, known)?;
        let failed = |error| {
            let why = format!("{address}: {error}");
            Error::new(ErrorKind::Connection, LISTENING, why)
        };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok((Port { listener, acceptor }, address))
    }
}

impl Network for Tcp {
    fn connect<'a>(&'a self, peer: &'a PeerOptions) -> Task<'a, Result<Wire, Error>> {
        Box::pin(async move {
            let connector = tls::connector(&self.identity, peer.fingerprint)?;
            let failed = || Error::io(CONNECTING);
            let stream = TcpStream::connect(&peer.address).await.map_err(failed())?;
            let name = ServerName::try_from(SUBJECT)
                .map_err(|error| Error::new(ErrorKind::Identity, CONNECTING, error))?;
            let stream = connector.connect(name, buffered(stream).map_err(failed())?);
            Ok(Box::new(stream.await.map_err(unknown)?) as Wire)
        })
    }
}

impl Listener for Port {
    fn accept(&mut self) -> Task<'_, io::Result<Arrival>> {
        Box::pin(async move {
            let (stream, from) = self.listener.accept().await?;
            Ok(Arrival {
                from: from.to_string(),
                greeting: Box::pin(greet(self.acceptor.clone(), stream)),
            })
        })
    }
}

async fn greet(acceptor: TlsAcceptor, stream: TcpStream) -> Result<(Fingerprint, Wire), Error> {
    let stream = buffered(stream).map_err(Error::io(GREETING))?;
    let stream = acceptor.accept(stream).await.map_err(Error::io(GREETING))?;
    Ok((shown(&stream)?, Box::new(stream)))
}

/// Why TLS did not come about.
fn unknown(error: io::Error) -> Error {
    let tls = error.get_ref().and_then(|error| error.downcast_ref());
    if let Some(rustls::Error::InvalidCertificate(_)) = tls {
        let why = "it shows another certificate than the one by which it is known";
        return Error::new(ErrorKind::Identity, CONNECTING, why);
    }
    Error::io(CONNECTING)(error)
}

/// A connection whose every message is sent at once.
fn buffered(stream: TcpStream) -> io::Result<BufReader<TcpStream>> {
    stream.set_nodelay(true)?;
    Ok(BufReader::with_capacity(INPUT, stream))
}

/// The certificate of the other side. TLS has refused all that are not known.
fn shown(stream: &TlsStream<BufReader<TcpStream>>) -> Result<Fingerprint, Error> {
    let (_, connection) = stream.get_ref();
    let certificates = connection.peer_certificates();
    let shown = certificates.and_then(<[_]>::first).map(Fingerprint::of);
    shown.ok_or_else(|| Error::protocol(GREETING, "there is no certificate"))
}
