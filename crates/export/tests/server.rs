//! What the server promises about many clients, and about exports that come and go.

mod support;

use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use firebrick_export::{Error, ExportServer, ExportServerOptions};
use support::client::{Client, FLUSH, OPT_GO, READ, WRITE, request, text};
use support::{MemoryDevice, Site, eventually};

const MIB: usize = 1 << 20;

#[test]
fn removing_an_export_drops_its_clients_and_waits_for_their_requests() {
    let (site, device) = Site::with_disk(MIB);
    device.cached.store(false, Ordering::SeqCst);
    let mut client = Client::simple(&site.socket());
    let mut second = Client::simple(&site.socket());
    eventually("both are counted", || site.server.clients("disk") == 2);
    device.hold();
    client.request(READ, 0, 1, 0, 4096);
    second.request(FLUSH, 0, 1, 0, 0);
    eventually("both run", || device.running() == 2);
    std::thread::scope(|scope| {
        let removing = scope.spawn(|| site.server.remove("disk"));
        client.expect_end();
        second.expect_end();
        assert!(!removing.is_finished(), "requests are still running");
        device.release();
        removing.join().unwrap();
    });
    assert_eq!(device.running(), 0);
    assert_eq!(site.server.clients("disk"), 0);
    let mut late = Client::greet(&site.socket());
    let mut data = text("disk");
    data.extend([0, 0]);
    assert_eq!(late.option(OPT_GO, &data)[0].0, 0x8000_0006);
}

#[test]
fn who_comes_before_the_exports_waits_for_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let server = ExportServer::start_shut(ExportServerOptions::new(&path)).unwrap();
    std::thread::scope(|scope| {
        let early = std::os::unix::net::UnixStream::connect(&path).unwrap();
        let waits = scope.spawn(|| Client::simple(&path));
        server.add("disk", MemoryDevice::new(MIB), false);
        server.open().unwrap();
        assert_eq!(waits.join().unwrap().size, MIB as u64);
        drop(early);
    });
    server.stop();
    let server = ExportServer::start_shut(ExportServerOptions::new(&path)).unwrap();
    assert!(path.exists());
    drop(server);
    assert!(!path.exists());
}

#[test]
fn an_export_is_replaced_by_name() {
    let (site, _) = Site::with_disk(MIB);
    let mut client = Client::simple(&site.socket());
    site.server.add("disk", MemoryDevice::new(2 * MIB), false);
    client.expect_end();
    assert_eq!(Client::simple(&site.socket()).size, 2 * MIB as u64);
}

#[test]
fn a_server_that_stops_drops_its_clients_without_an_answer() {
    let (site, device) = Site::with_disk(MIB);
    device.cached.store(false, Ordering::SeqCst);
    let mut haggling = Client::greet(&site.socket());
    let mut client = Client::simple(&site.socket());
    device.hold();
    client.request(READ, 0, 1, 0, 4096);
    eventually("the read runs", || device.running() == 1);
    std::thread::scope(|scope| {
        scope.spawn(|| site.server.stop());
        client.expect_end();
        haggling.expect_end();
        device.release();
    });
    assert!(!site.socket().exists());
    site.server.stop();
    // The name is free again.
    ExportServer::start(site.options.clone()).unwrap();
}

#[test]
fn the_socket_belongs_to_one_server_and_one_user() {
    let site = Site::new();
    let mode = std::fs::metadata(site.socket())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let second = ExportServer::start(site.options.clone());
    assert!(matches!(second, Err(Error::InUse(_))), "{second:?}");
    Client::greet(&site.socket());
}

#[test]
fn only_a_stale_socket_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stale");
    drop(UnixListener::bind(&path).unwrap());
    let server = ExportServer::start(ExportServerOptions::new(&path)).unwrap();
    Client::greet(&path);
    drop(server);
    std::fs::write(&path, "precious").unwrap();
    let refused = ExportServer::start(ExportServerOptions::new(&path));
    assert!(matches!(refused, Err(Error::NotASocket(_))), "{refused:?}");
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
}

#[test]
fn tcp_is_for_this_machine() {
    let site = Site::with(|options| options.tcp = Some(SocketAddr::from(([127, 0, 0, 1], 0))));
    let address = site.server.tcp_address().unwrap();
    assert_ne!(address.port(), 0);
    std::net::TcpStream::connect(address).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut options = ExportServerOptions::new(folder.path().join("socket"));
    options.tcp = Some(SocketAddr::from(([0, 0, 0, 0], 0)));
    let refused = ExportServer::start(options);
    assert!(matches!(refused, Err(Error::NotLoopback(_))), "{refused:?}");
}

#[test]
fn too_many_clients_are_turned_away() {
    let site = Site::with(|options| options.max_connections = 2);
    site.server.add("disk", MemoryDevice::new(MIB), false);
    let first = Client::simple(&site.socket());
    let _second = Client::simple(&site.socket());
    eventually("both are served", || site.server.clients("disk") == 2);
    let mut third = std::os::unix::net::UnixStream::connect(site.socket()).unwrap();
    assert_eq!(std::io::Read::read(&mut third, &mut [0; 18]).unwrap(), 0);
    drop(first);
    eventually("a place is free", || {
        let mut stream = std::os::unix::net::UnixStream::connect(site.socket()).unwrap();
        std::io::Read::read(&mut stream, &mut [0; 18]).is_ok_and(|len| len == 18)
    });
}

#[test]
fn who_takes_too_long_to_choose_is_dropped() {
    let site = Site::with(|options| options.max_handshake = Duration::from_millis(300));
    site.server.add("disk", MemoryDevice::new(MIB), false);
    let mut served = Client::simple(&site.socket());
    let mut silent = std::os::unix::net::UnixStream::connect(site.socket()).unwrap();
    let mut busy = Client::greet(&site.socket());
    let began = Instant::now();
    // It does say something, again and again, and chooses nothing.
    let list = [b"IHAVEOPT".as_slice(), &[0, 0, 0, 3, 0, 0, 0, 0]].concat();
    while busy.stream.write_all(&list).is_ok() && began.elapsed() < Duration::from_secs(20) {
        if std::io::Read::read(&mut busy.stream, &mut [0; 20]).unwrap_or(0) == 0 {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(began.elapsed() < Duration::from_secs(20));
    let mut heard = Vec::new();
    std::io::Read::read_to_end(&mut silent, &mut heard).unwrap();
    assert_eq!(heard.len(), 18);
    // Whoever has chosen may be silent for as long as it likes.
    served.request(READ, 0, 1, 0, 4);
    assert_eq!(served.simple_reply(), (1, 0));
}

#[test]
fn who_connects_and_says_nothing_keeps_nobody_out() {
    let site = Site::with(|options| options.max_connections = 4);
    site.server.add("disk", MemoryDevice::new(MIB), false);
    let mut served = Client::simple(&site.socket());
    // Its answer says that it has chosen: until the server knows, it is one of those who choose.
    served.request(FLUSH, 0, 7, 0, 0);
    assert_eq!(served.simple_reply(), (7, 0));
    let mut silent: Vec<_> = (0..20)
        .map(|_| std::os::unix::net::UnixStream::connect(site.socket()).unwrap())
        .collect();
    let mut late = Client::simple(&site.socket());
    for client in [&mut served, &mut late] {
        client.request(READ, 0, 1, 0, 4);
        assert_eq!(client.simple_reply(), (1, 0));
        client.receive(4);
    }
    // Those that came first were dropped, after the greeting.
    let mut heard = Vec::new();
    std::io::Read::read_to_end(&mut silent[0], &mut heard).unwrap();
    assert!(heard.is_empty() || heard.len() == 18, "{heard:?}");
}

#[test]
fn a_client_that_does_not_read_hinders_nobody() {
    let site = Site::with(|options| {
        options.workers = 1;
        options.max_request_memory = 8 * MIB;
    });
    let device = MemoryDevice::new(MIB);
    device.cached.store(false, Ordering::SeqCst);
    site.server.add("disk", device.clone() as _, false);
    let mut slow = Client::simple(&site.socket());
    for cookie in 0..200 {
        slow.request(READ, 0, cookie, 0, MIB as u32);
    }
    let mut quick = Client::simple(&site.socket());
    for cookie in 0..20 {
        quick.request(READ, 0, cookie, 0, 4096);
        assert_eq!(quick.simple_reply(), (cookie, 0));
        quick.receive(4096);
        quick.request(FLUSH, 0, cookie, 0, 0);
        assert_eq!(quick.simple_reply(), (cookie, 0));
    }
    // What was not asked of the device yet waits in the socket.
    for cookie in 0..200 {
        assert_eq!(slow.simple_reply(), (cookie, 0));
        slow.receive(MIB);
    }
}

#[test]
fn a_client_that_does_not_read_can_be_dropped() {
    for cached in [true, false] {
        let (site, device) = Site::with_disk(MIB);
        device.cached.store(cached, Ordering::SeqCst);
        let mut slow = Client::simple(&site.socket());
        for cookie in 0..100 {
            slow.request(READ, 0, cookie, 0, MIB as u32);
        }
        slow.write(0, 100, 0, b"x");
        site.server.remove("disk");
        assert_eq!(device.running(), 0);
    }
}

#[test]
fn memory_in_flight_is_bounded() {
    let site = Site::with(|options| options.max_request_memory = MIB);
    let device = MemoryDevice::new(4 * MIB);
    device.cached.store(false, Ordering::SeqCst);
    site.server.add("disk", device.clone() as _, false);
    let mut client = Client::simple(&site.socket());
    // Larger than the limit, but alone.
    client.request(READ, 0, 1, 0, 4 << 20);
    assert_eq!(client.simple_reply(), (1, 0));
    client.receive(4 * MIB);
    // Many at once: all are answered, however few run at a time.
    let mut bytes = Vec::new();
    for cookie in 0..1000_u64 {
        bytes.extend(request(READ, 0, cookie, 0, 60 << 10));
        if cookie % 10 == 0 {
            bytes.extend(request(FLUSH, 0, cookie, 0, 0));
            bytes.extend(request(WRITE, 0, cookie, 0, 4));
            bytes.extend([0; 4]);
        }
    }
    let mut sender = client.stream.try_clone().unwrap();
    let sending = std::thread::spawn(move || sender.write_all(&bytes).unwrap());
    let len = 1000 * (16 + (60 << 10)) + 2 * 100 * 16;
    assert_eq!(client.receive(len).len(), len);
    sending.join().unwrap();
}

#[test]
fn many_clients_share_an_export() {
    let (site, device) = Site::with_disk(8 * MIB);
    let site = Arc::new(site);
    let clients: Vec<_> = (0..8_u64)
        .map(|nth| {
            let site = Arc::clone(&site);
            std::thread::spawn(move || {
                let mut client = Client::simple(&site.socket());
                for round in 0..100 {
                    let offset = nth * MIB as u64 + round * 4096;
                    client.write(0, round, offset, &[nth as u8 + 1; 4096]);
                    assert_eq!(client.simple_reply(), (round, 0));
                    client.request(READ, 0, round, offset, 4096);
                    assert_eq!(client.simple_reply(), (round, 0));
                    assert_eq!(client.receive(4096), [nth as u8 + 1; 4096]);
                }
            })
        })
        .collect();
    for client in clients {
        client.join().unwrap();
    }
    for (nth, mebibyte) in device.bytes().chunks(MIB).enumerate() {
        assert!(
            mebibyte[..100 * 4096]
                .iter()
                .all(|byte| *byte == nth as u8 + 1)
        );
    }
}
