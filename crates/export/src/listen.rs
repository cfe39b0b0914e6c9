//! The sockets on which clients are heard.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, TcpKeepalive, Type};

use crate::error::Error;

/// How many clients may wait to be let in.
const BACKLOG: i32 = 128;
/// What a socket may hold of data that the other side has not taken, in bytes.
const SOCKET_BUFFER: usize = 1 << 20;
/// When a silent client is asked whether it is still there, and how often.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// A Unix socket that listens, and its file.
#[derive(Debug)]
pub(crate) struct UnixListener {
    pub(crate) socket: Socket,
    path: PathBuf,
    /// Device and inode of the file, so that another one's is left alone.
    file: Option<(u64, u64)>,
}

impl UnixListener {
    /// Listens on `path`. A file that nobody listens on is replaced.
    pub(crate) fn bind(path: &Path) -> Result<Self, Error> {
        let failed = |error| Error::io(format!("listen on {}", path.display()), error);
        let address = SockAddr::unix(path).map_err(failed)?;
        make_way(path, &address)?;
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(failed)?;
        socket.bind(&address).map_err(failed)?;
        // Nobody can connect before the socket listens, so nobody comes before the mode is right.
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        listen(&socket).map_err(failed)?;
        let file = identity(path);
        Ok(Self {
            socket,
            path: path.to_owned(),
            file,
        })
    }

    /// Removes the file, unless another server has replaced it.
    pub(crate) fn unlink(&self) {
        if self.file.is_some() && identity(&self.path) == self.file {
            // Left behind, it is replaced by the next server.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(path)
        .ok()
        .map(|metadata| (metadata.dev(), metadata.ino()))
}

fn make_way(path: &Path, address: &SockAddr) -> Result<(), Error> {
    let failed = |error| Error::io(format!("replace {}", path.display()), error);
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => {}
        Ok(_) => return Err(Error::NotASocket(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    }
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(failed)?;
    probe.set_nonblocking(true).map_err(failed)?;
    match probe.connect(address) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(failed)
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            Err(Error::InUse(path.to_owned()))
        }
        Ok(()) => Err(Error::InUse(path.to_owned())),
        Err(error) => Err(failed(error)),
    }
}

/// Listens for TCP; where clients are not `safe` from those who listen in, only on a loopback address.
pub(crate) fn bind_tcp(address: SocketAddr, safe: bool) -> Result<Socket, Error> {
    if !safe && !address.ip().is_loopback() {
        return Err(Error::NotLoopback(address));
    }
    let failed = |error| Error::io(format!("listen on {address}"), error);
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).map_err(failed)?;
    socket.set_reuse_address(true).map_err(failed)?;
    socket.bind(&address.into()).map_err(failed)?;
    listen(&socket).map_err(failed)?;
    Ok(socket)
}

fn listen(socket: &Socket) -> io::Result<()> {
    // Who was heard may be gone before it is let in; the next must not be waited for.
    socket.set_nonblocking(true)?;
    socket.listen(BACKLOG)
}

/// Prepares the socket of a client.
pub(crate) fn prepare(socket: &Socket) -> io::Result<()> {
    socket.set_nonblocking(false)?;
    // The system may grant less.
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
    if socket.domain()? != Domain::UNIX {
        socket.set_tcp_nodelay(true)?;
        let keepalive = TcpKeepalive::new()
            .with_time(KEEPALIVE)
            .with_interval(KEEPALIVE)
            .with_retries(3);
        socket.set_tcp_keepalive(&keepalive)?;
    }
    Ok(())
}
