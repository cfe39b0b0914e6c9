//! Thousands of clients that send anything, from a seed: the server neither panics nor grows, lets each
//! of them go in time, and serves others as if nothing had been.
//!
//! `FIREBRICK_FUZZ_ROUNDS` is how many clients there are, `FIREBRICK_FUZZ_SEED` where chance begins.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a helper that fails fails the test"
)]

mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use firebrick_export::{Tls, TlsMode};
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use support::certificates::Authority;
use support::client::{Client, FLUSH, READ, WRITE, extended_request, request, text};
use support::{MemoryDevice, Site, eventually};

const SIZE: usize = 1 << 20;
const ROUNDS: u64 = 3000;
const THREADS: u64 = 4;
/// How long the server may take to let a client go that has said all it will.
const LET_GO: Duration = Duration::from_secs(20);
/// How much the process may grow: the buffers that the server keeps, the device, and what each of the
/// few clients at one time may have.
const GROWTH_MAX: u64 = 512 << 20;

/// Chance from a seed (SplitMix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn one_in(&mut self, of: u64) -> bool {
        self.below(of) == 0
    }

    fn bytes(&mut self, len: u64) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}

fn option(number: u32, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"IHAVEOPT".to_vec();
    bytes.extend(number.to_be_bytes());
    bytes.extend((data.len() as u32).to_be_bytes());
    bytes.extend(data);
    bytes
}

fn some_option(chance: &mut Chance) -> Vec<u8> {
    let name = chance.pick(&["disk", "", "none", "disk\0", "ro"]);
    let data = match chance.below(6) {
        0 => {
            let len = chance.below(60);
            chance.bytes(len)
        }
        1 => vec![0; chance.pick(&[0, 1, 4096, 65_536, 65_537, 200_000])],
        2 | 3 => {
            let wanted = chance.below(6) as u16;
            let mut data = text(name);
            data.extend(wanted.to_be_bytes());
            data.extend((0..wanted).flat_map(u16::to_be_bytes));
            data
        }
        4 => {
            let queries = chance.below(4) as u32;
            let mut data = text(name);
            data.extend(queries.to_be_bytes());
            for _ in 0..queries {
                data.extend(text(chance.pick(&[
                    "base:allocation",
                    "base:",
                    "x:",
                    ":",
                    "",
                ])));
            }
            data
        }
        _ => Vec::new(),
    };
    let number = if chance.one_in(20) {
        chance.next() as u32
    } else {
        // To leave and to choose for good come seldom, so that there is more to haggle about.
        chance.pick(&[0, 3, 4, 5, 6, 6, 8, 8, 9, 9, 10, 10, 11, 11, 12, 1, 2, 7])
    };
    option(number, &data)
}

/// Which headers a client has agreed on.
#[derive(Clone, Copy, PartialEq)]
enum Style {
    Simple,
    Structured,
    Extended,
}

/// What leads to a session, without fail where nothing is changed.
fn good_handshake(chance: &mut Chance) -> (Vec<u8>, Style) {
    let style = chance.pick(&[Style::Simple, Style::Structured, Style::Extended]);
    let mut bytes = Vec::new();
    match style {
        Style::Simple => {}
        Style::Structured => bytes.extend(option(8, &[])),
        Style::Extended => bytes.extend(option(11, &[])),
    }
    if style != Style::Simple && chance.one_in(2) {
        let mut query = text("disk");
        query.extend(1_u32.to_be_bytes());
        query.extend(text("base:allocation"));
        bytes.extend(option(10, &query));
    }
    let mut go = text(chance.pick(&["disk", "disk", "ro"]));
    go.extend([0, 0]);
    bytes.extend(option(7, &go));
    (bytes, style)
}

fn some_requests(chance: &mut Chance, style: Style) -> Vec<u8> {
    let mut bytes = Vec::new();
    for cookie in 0..chance.below(30) {
        let kind = if chance.one_in(30) {
            chance.next() as u16
        } else {
            chance.pick(&[0, 0, 1, 1, 1, 3, 4, 5, 6, 7, 7, 8, 9, 2])
        };
        // To leave comes seldom.
        let kind = if kind == 2 && !chance.one_in(3) {
            0
        } else {
            kind
        };
        let flags = match chance.below(8) {
            0 => chance.next() as u16,
            1..4 => 1 << chance.below(7),
            _ => 0,
        };
        let offset = match chance.below(10) {
            0 => chance.next(),
            1 => SIZE as u64 - chance.below(5000),
            // With a length of that kind, the end comes before the beginning.
            2 => u64::MAX - chance.below(5000),
            _ => chance.below(SIZE as u64),
        };
        let len = match chance.below(20) {
            0 => chance.next(),
            1 => u64::from(chance.next() as u32),
            2 => chance.pick(&[64 << 20, (64 << 20) + 1, 1 << 31, 1 << 32]),
            3..7 => chance.below(300_000),
            _ => chance.below(9000),
        };
        let extended = style == Style::Extended;
        if extended {
            bytes.extend(extended_request(kind, flags, cookie, offset, len));
        } else {
            bytes.extend(request(kind, flags, cookie, offset, len as u32));
        }
        let len = if extended { len } else { u64::from(len as u32) };
        if kind == WRITE || (extended && flags & (1 << 5) != 0) {
            // Sometimes less than what was promised: the rest is taken from what follows.
            let sent = if chance.one_in(20) { len / 2 } else { len };
            bytes.extend(vec![cookie as u8; sent.min(400_000) as usize]);
        }
    }
    bytes
}

/// Everything that one client says.
fn speech(chance: &mut Chance) -> Vec<u8> {
    let flags = if chance.one_in(20) {
        chance.next() as u32 & 7
    } else {
        3
    };
    let mut bytes = flags.to_be_bytes().to_vec();
    if chance.one_in(40) {
        let len = chance.below(3000);
        bytes = chance.bytes(len);
    }
    for _ in 0..chance.below(4) {
        bytes.extend(some_option(chance));
    }
    if !chance.one_in(5) {
        let (handshake, style) = good_handshake(chance);
        bytes.extend(handshake);
        bytes.extend(some_requests(chance, style));
    }
    for _ in 0..chance.below(3) * chance.below(3) {
        let at = chance.below(bytes.len().max(1) as u64) as usize;
        if let Some(byte) = bytes.get_mut(at) {
            *byte = chance.next() as u8;
        }
    }
    if chance.one_in(5) {
        bytes.truncate(chance.below(bytes.len() as u64 + 1) as usize);
    }
    bytes
}

/// One client, from beginning to end.
fn visit(site: &Site, chance: &mut Chance) {
    let mut stream = UnixStream::connect(site.socket()).unwrap();
    stream.set_read_timeout(Some(LET_GO)).unwrap();
    stream.set_write_timeout(Some(LET_GO)).unwrap();
    let bytes = speech(chance);
    let mut listener = stream.try_clone().unwrap();
    let listens = !chance.one_in(8);
    let hears = std::thread::spawn(move || {
        let mut heard = vec![0; 64 << 10];
        if !listens {
            return;
        }
        loop {
            match listener.read(&mut heard) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => {
                    let kind = error.kind();
                    assert_eq!(
                        kind,
                        ErrorKind::ConnectionReset,
                        "the server does not let go"
                    );
                    break;
                }
            }
        }
    });
    let mut rest = &bytes[..];
    while !rest.is_empty() && (listens || rest.len() > bytes.len() / 2) {
        let len = 1 + chance.below(100_000).min(rest.len() as u64 - 1) as usize;
        let (piece, more) = rest.split_at(len);
        if stream.write_all(piece).is_err() {
            // The server had enough.
            break;
        }
        rest = more;
    }
    if listens {
        // Fails where the server was quicker.
        let _ = stream.shutdown(Shutdown::Write);
    }
    hears.join().unwrap();
}

/// One client that says the same kind of things through TLS, and listens to nothing.
fn visit_with_tls(site: &Site, config: &Arc<ClientConfig>, chance: &mut Chance) {
    let mut stream = UnixStream::connect(site.socket()).unwrap();
    stream.set_read_timeout(Some(LET_GO)).unwrap();
    stream
        .set_write_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    stream.write_all(&3_u32.to_be_bytes()).unwrap();
    stream.write_all(&option(5, &[])).unwrap();
    stream.read_exact(&mut [0; 18 + 20]).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let tls = ClientConnection::new(Arc::clone(config), name).unwrap();
    let mut stream = StreamOwned::new(tls, stream);
    let mut bytes = speech(chance);
    let flags = bytes.len().min(4);
    bytes.drain(..flags);
    bytes.truncate(50_000);
    // The server may have had enough, or waits for somebody to listen.
    let _ = stream.write_all(&bytes);
    if chance.one_in(2) {
        stream.conn.send_close_notify();
    } else {
        let _ = stream.sock.write_all(&chance.bytes(100));
    }
    let _ = stream.flush();
}

/// How much memory this process has, in bytes.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS"))
        .unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib << 10
}

fn from_environment<T: FromStr>(name: &str, default: T) -> T {
    let value = std::env::var(name).ok();
    value
        .and_then(|value| value.parse().ok())
        .unwrap_or(default)
}

/// Counts the panics of the server's threads.
fn count_panics() -> Arc<AtomicUsize> {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let thread = std::thread::current();
        if thread.name().is_some_and(|name| name.starts_with("nbd-")) {
            counted.fetch_add(1, Ordering::SeqCst);
        }
        before(info);
    }));
    count
}

#[test]
fn whatever_clients_send_the_server_serves_on() {
    let rounds: u64 = from_environment("FIREBRICK_FUZZ_ROUNDS", ROUNDS);
    let seed: u64 = from_environment("FIREBRICK_FUZZ_SEED", 1);
    let authority = Authority::new();
    let site = Site::with(|options| {
        options.tls_mode = TlsMode::Allowed;
        options.tls = Some(Tls::load(&authority.server(false)).unwrap());
        options.max_connections = 64;
    });
    let device = MemoryDevice::new(SIZE);
    site.server.add("disk", Arc::clone(&device) as _, false);
    site.server.add("ro", Arc::clone(&device) as _, true);
    let mut roots = RootCertStore::empty();
    let issuer = CertificateDer::from_pem_file(authority.file("ca-cert.pem")).unwrap();
    roots.add(issuer).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let (config, panics) = (Arc::new(config), count_panics());
    let before = memory();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (site, device, config) = (&site, &device, &config);
            scope.spawn(move || {
                for round in (thread..rounds).step_by(THREADS as usize) {
                    let mut chance = Chance(seed.wrapping_mul(1_000_003).wrapping_add(round));
                    device.cached.store(chance.one_in(2), Ordering::SeqCst);
                    if chance.one_in(10) {
                        visit_with_tls(site, config, &mut chance);
                    } else {
                        visit(site, &mut chance);
                    }
                }
            });
        }
    });
    assert_eq!(panics.load(Ordering::SeqCst), 0, "seed {seed}");
    let began = Instant::now();
    for name in ["disk", "ro"] {
        eventually("all clients are gone", || site.server.clients(name) == 0);
    }
    assert!(began.elapsed() < LET_GO);
    let grown = memory().saturating_sub(before);
    assert!(grown < GROWTH_MAX, "grown by {grown} bytes, seed {seed}");
    let mut client = Client::structured(&site.socket());
    client.write(0, 1, 4096, b"as before");
    assert_eq!(client.simple_reply(), (1, 0));
    client.request(READ, 0, 2, 4096, 9);
    assert_eq!(client.chunk().payload[8..], *b"as before");
    client.request(FLUSH, 0, 3, 0, 0);
    assert_eq!(client.simple_reply(), (3, 0));
    println!(
        "{rounds} clients from seed {seed}; grown by {} KiB",
        grown >> 10
    );
}
