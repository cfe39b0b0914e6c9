//! The server: what it publishes, where it listens, and how it ends.

use std::collections::BTreeMap;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use rustix::event::{PollFd, PollFlags, poll};
use rustls::ServerConfig;
use socket2::Socket;

use crate::client::Client;
use crate::connection::Shared;
use crate::device::Device;
use crate::error::Error;
use crate::listen::{UnixListener, bind_tcp};
use crate::pool::Pools;
use crate::registry::{Export, Registry};
use crate::tls::{Tls, TlsMode};

/// How long the server waits before it tries again to let a client in that the system refused.
const PAUSE: Duration = Duration::from_millis(100);

/// How long a client that was dropped may take to make room for the next.
const LEAVE_MAX: Duration = Duration::from_secs(1);

/// Where a server listens and what its clients may cost.
#[derive(Clone, Debug)]
pub struct ExportServerOptions {
    /// The Unix socket; a stale file is replaced, the new one has mode 0600.
    pub unix: PathBuf,
    /// An address to listen on as well; port 0 picks one.
    pub tcp: Option<SocketAddr>,
    /// Whether clients that come by TCP may or must encrypt.
    pub tls_mode: TlsMode,
    /// With what, unless the mode is off.
    pub tls: Option<Tls>,
    /// Has TCP clients served in clear text on addresses that other machines can reach.
    pub insecure: bool,
    /// Threads that perform reads which wait for the disk.
    pub workers: usize,
    /// Clients at one time; more are turned away.
    pub max_connections: usize,
    /// How long a client may take to choose an export, with TLS and all.
    pub max_handshake: Duration,
    /// What the requests in flight of one connection may take, in bytes; the server reads no further
    /// requests of a connection beyond it. A single request is always let through.
    pub max_request_memory: usize,
}

impl ExportServerOptions {
    /// The defaults, on the Unix socket `unix` alone.
    pub fn new(unix: impl Into<PathBuf>) -> Self {
        Self {
            unix: unix.into(),
            tcp: None,
            tls_mode: TlsMode::Off,
            tls: None,
            insecure: false,
            workers: 4,
            max_connections: 256,
            max_handshake: Duration::from_secs(30),
            max_request_memory: 64 << 20,
        }
    }
}

/// An NBD server; stops when dropped.
#[derive(Debug)]
pub struct ExportServer {
    inner: Arc<Inner>,
    tcp_address: Option<SocketAddr>,
    door: Mutex<Door>,
}

/// Whether clients are let in.
#[derive(Debug)]
enum Door {
    /// Not yet; they wait in front of these.
    Shut(UnixListener, Option<Socket>),
    /// By this thread, which is woken when the stream is closed.
    Open(UnixStream, JoinHandle<()>),
    /// Not any more.
    Gone,
}

#[derive(Debug)]
struct Inner {
    registry: Arc<Registry>,
    shared: Arc<Shared>,
    clients: Mutex<Clients>,
    left: Condvar,
    max_connections: usize,
    max_handshake: Duration,
    max_request_memory: usize,
    tls_mode: TlsMode,
    tls: Option<Arc<ServerConfig>>,
}

#[derive(Debug, Default)]
struct Clients {
    stopping: bool,
    last_id: u64,
    seats: BTreeMap<u64, Seated>,
}

/// A client that is served.
#[derive(Debug)]
struct Seated {
    socket: Arc<Socket>,
    state: SeatState,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum SeatState {
    /// It has not chosen an export yet.
    Haggling,
    /// It has.
    Served,
    /// It took too long to choose while others waited.
    Dropped,
}

impl ExportServer {
    /// Starts to listen, and lets clients in; nothing is exported yet.
    pub fn start(options: ExportServerOptions) -> Result<Self, Error> {
        let server = Self::start_shut(options)?;
        server.open()?;
        Ok(server)
    }

    /// Starts to listen. Clients may come, and wait until [`Self::open`]: so those who return after a
    /// restart are not told that the export they look for is unknown, only because it was not added yet.
    pub fn start_shut(options: ExportServerOptions) -> Result<Self, Error> {
        let ExportServerOptions {
            unix: path,
            tcp,
            tls_mode,
            tls,
            insecure,
            workers,
            max_connections,
            max_handshake,
            max_request_memory,
        } = options;
        if tls_mode != TlsMode::Off && tls.is_none() {
            return Err(Error::NoCertificate);
        }
        let safe = insecure || tls_mode == TlsMode::Required;
        let unix = UnixListener::bind(&path)?;
        let tcp = tcp.map(|address| bind_tcp(address, safe)).transpose()?;
        let tcp_address = match &tcp {
            Some(socket) => {
                let address = socket.local_addr();
                address
                    .map_err(|error| Error::io("learn the port", error))?
                    .as_socket()
            }
            None => None,
        };
        let pools =
            Pools::start(workers).map_err(|error| Error::io("start the worker threads", error))?;
        let inner = Arc::new(Inner {
            registry: Arc::default(),
            shared: Arc::new(Shared {
                buffers: Arc::default(),
                pools,
            }),
            clients: Mutex::default(),
            left: Condvar::new(),
            max_connections,
            max_handshake,
            max_request_memory,
            tls_mode,
            tls: tls.map(|tls| tls.config()),
        });
        tracing::debug!(unix = %path.display(), tcp = ?tcp_address, "exports are listened for");
        Ok(Self {
            inner,
            tcp_address,
            door: Mutex::new(Door::Shut(unix, tcp)),
        })
    }

    /// Lets clients in, where they were not yet.
    pub fn open(&self) -> Result<(), Error> {
        let mut door = self.door.lock();
        *door = match std::mem::replace(&mut *door, Door::Gone) {
            Door::Shut(unix, tcp) => {
                let (wake, thread) = open_door(&self.inner, unix, tcp)
                    .map_err(|error| Error::io("start the thread that listens", error))?;
                Door::Open(wake, thread)
            }
            other @ (Door::Open(..) | Door::Gone) => other,
        };
        Ok(())
    }

    /// Exports `device` as `name`. An export of that name is replaced as if by [`Self::remove`].
    pub fn add(&self, name: &str, device: Arc<dyn Device>, read_only: bool) {
        self.inner
            .registry
            .add(name, Export::new(device, read_only));
    }

    /// Ends the export `name` and drops its connections; returns once no request of theirs is running.
    pub fn remove(&self, name: &str) {
        self.inner.registry.remove(name);
    }

    /// How many clients the export `name` has.
    pub fn clients(&self, name: &str) -> u32 {
        self.inner.registry.clients(name) as u32
    }

    /// The clients of the export `name`: the number of each, which no other one gets, and where it is, as an
    /// address and a port or as the number of a process on this machine.
    pub fn watchers(&self, name: &str) -> Vec<(u64, String)> {
        self.inner.registry.watchers(name)
    }

    /// Where TCP clients are heard, with the port that was picked.
    pub fn tcp_address(&self) -> Option<SocketAddr> {
        self.tcp_address
    }

    /// Stops listening and drops all connections, without an answer, so that clients reconnect.
    /// Returns once no request is running.
    pub fn stop(&self) {
        match std::mem::replace(&mut *self.door.lock(), Door::Gone) {
            Door::Shut(unix, _) => unix.unlink(),
            Door::Open(wake, listener) => {
                drop(wake);
                // The thread catches nothing, and has nothing to say.
                let _ = listener.join();
            }
            // Where it never opened, the pools end all the same.
            Door::Gone => {}
        }
        let mut clients = self.inner.clients.lock();
        clients.stopping = true;
        for seat in clients.seats.values() {
            seat.shut();
        }
        // Who waits for others may hold all that its connection may have, and its thread waits for that.
        self.inner.registry.end_gates();
        while !clients.seats.is_empty() {
            self.inner.left.wait(&mut clients);
        }
        drop(clients);
        self.inner.shared.pools.stop();
    }
}

impl Drop for ExportServer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn open_door(
    inner: &Arc<Inner>,
    unix: UnixListener,
    tcp: Option<Socket>,
) -> io::Result<(UnixStream, JoinHandle<()>)> {
    let (wake, woken) = UnixStream::pair()?;
    let inner = Arc::clone(inner);
    let thread = std::thread::Builder::new()
        .name("nbd-listen".to_owned())
        .spawn(move || {
            while let Err(error) = inner.listen(&unix.socket, tcp.as_ref(), &woken) {
                tracing::warn!(%error, "a client could not be let in");
                std::thread::sleep(PAUSE);
            }
            unix.unlink();
        })?;
    Ok((wake, thread))
}

impl Inner {
    /// Lets clients in until it is woken.
    fn listen(
        self: &Arc<Self>,
        unix: &Socket,
        tcp: Option<&Socket>,
        woken: &UnixStream,
    ) -> io::Result<()> {
        loop {
            let mut ready = vec![
                PollFd::new(woken, PollFlags::IN),
                PollFd::new(unix, PollFlags::IN),
            ];
            ready.extend(tcp.map(|tcp| PollFd::new(tcp, PollFlags::IN)));
            match poll(&mut ready, None) {
                Err(rustix::io::Errno::INTR) => continue,
                other => other?,
            };
            let ready: Vec<bool> = ready.iter().map(|fd| !fd.revents().is_empty()).collect();
            if let [true, ..] = ready.as_slice() {
                return Ok(());
            }
            // Only its owner can open the Unix socket: nobody has to encrypt there.
            let local = match self.tls_mode {
                TlsMode::Required => TlsMode::Allowed,
                mode @ (TlsMode::Off | TlsMode::Allowed) => mode,
            };
            let listeners = [(Some(unix), local), (tcp, self.tls_mode)];
            for ((listener, mode), ready) in listeners.into_iter().zip(&ready[1..]) {
                if let (Some(listener), true) = (listener, ready) {
                    self.let_in(listener, mode)?;
                }
            }
        }
    }

    fn let_in(self: &Arc<Self>, listener: &Socket, mode: TlsMode) -> io::Result<()> {
        let socket = match listener.accept() {
            Ok((socket, _)) => Arc::new(socket),
            Err(error) => {
                return match error.kind() {
                    // It is gone already.
                    io::ErrorKind::WouldBlock
                    | io::ErrorKind::ConnectionAborted
                    | io::ErrorKind::Interrupted => Ok(()),
                    _ => Err(error),
                };
            }
        };
        let Some(id) = self.seat(&socket) else {
            tracing::warn!(
                most = self.max_connections,
                "too many clients; one was turned away"
            );
            return Ok(());
        };
        let seat = Seat {
            inner: Arc::clone(self),
            id,
        };
        let client = Client {
            id,
            socket,
            registry: Arc::clone(&self.registry),
            shared: Arc::clone(&self.shared),
            memory: self.max_request_memory,
            patience: self.max_handshake,
            mode,
            tls: self.tls.clone(),
        };
        std::thread::Builder::new()
            .name("nbd-client".to_owned())
            .spawn(move || {
                let seat = seat;
                client.serve(|| seat.served());
                drop(seat);
            })?;
        Ok(())
    }
}

impl Inner {
    /// A seat for a client. Where all are taken, whoever has been choosing an export for longest loses
    /// its one: those who connect and say nothing must not keep out those who have something to say.
    /// `None` where nobody is choosing.
    fn seat(&self, socket: &Arc<Socket>) -> Option<u64> {
        let mut clients = self.clients.lock();
        if clients.seats.len() >= self.max_connections {
            let mut seats = clients.seats.values_mut();
            let idle = seats.find(|seat| seat.state == SeatState::Haggling)?;
            idle.state = SeatState::Dropped;
            idle.shut();
            let until = Instant::now() + LEAVE_MAX;
            while clients.seats.len() >= self.max_connections {
                if self.left.wait_until(&mut clients, until).timed_out() {
                    return None;
                }
            }
        }
        clients.last_id += 1;
        let seated = Seated {
            socket: Arc::clone(socket),
            state: SeatState::Haggling,
        };
        let id = clients.last_id;
        clients.seats.insert(id, seated);
        Some(id)
    }
}

impl Seated {
    fn shut(&self) {
        // Fails where the client was quicker.
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

/// A client's place among those that are served; freed however its thread ends.
struct Seat {
    inner: Arc<Inner>,
    id: u64,
}

impl Seat {
    /// The client has chosen an export.
    fn served(&self) {
        if let Some(seat) = self.inner.clients.lock().seats.get_mut(&self.id) {
            // Where it was dropped meanwhile, it will find out.
            if seat.state == SeatState::Haggling {
                seat.state = SeatState::Served;
            }
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let socket = self.inner.clients.lock().seats.remove(&self.id);
        self.inner.left.notify_all();
        drop(socket);
    }
}
