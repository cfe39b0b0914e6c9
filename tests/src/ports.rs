//! Ports for the servers of one test.

use std::net::TcpListener;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering};

/// The first port for sites. From here to [`LAST`] Linux takes no port for an outgoing connection
/// by itself (`ip_local_port_range`), so one is still free when a site that was killed starts again.
const FIRST: u16 = 12_000;
/// The last port for sites, and some.
const LAST: u16 = 32_000;
/// How far the port of a site's mirror is behind the one of its exports.
const MIRROR_DISTANCE: u16 = 100;
/// A `dev` has this many sites.
const SITES: u16 = 2;

/// A port that nobody listens on.
///
/// Linux prefers odd ports here, and even ones for outgoing connections, so they seldom meet.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// The first of two ports in a row for the exports of a `dev`. They and those of the mirrors behind
/// them are free, and no other test of this process gets them.
pub(crate) fn dev_ports() -> u16 {
    const DEVS: u16 = MIRROR_DISTANCE / SITES;
    const TURNS: u16 = (LAST - FIRST) / (2 * MIRROR_DISTANCE) * DEVS;
    // Processes that run side by side begin at different places.
    static NEXT: LazyLock<AtomicU16> = LazyLock::new(|| AtomicU16::new(rand::random()));
    loop {
        let turn = NEXT.fetch_add(1, Ordering::Relaxed) % TURNS;
        let port = FIRST + turn / DEVS * 2 * MIRROR_DISTANCE + turn % DEVS * SITES;
        let mut wanted = (0..SITES).flat_map(|site| [port + site, port + site + MIRROR_DISTANCE]);
        if wanted.all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return port;
        }
    }
}
