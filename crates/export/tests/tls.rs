//! TLS: who may come in, with real clients and by hand.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use firebrick_export::{
    Error, ExportServer, ExportServerOptions, Guest, GuestError, Tls, TlsFile, TlsMode,
};
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use support::certificates::Authority;
use support::client::{READ, request, text};
use support::{MemoryDevice, Site, eventually};

const MIB: usize = 1 << 20;
const TLS_REQUIRED: u32 = 0x8000_0005;

/// A server by TCP with an authority's certificate, and its one disk.
fn site(authority: &Authority, mode: TlsMode, asks: bool) -> (Site, Arc<MemoryDevice>) {
    let site = Site::with(|options| {
        options.tcp = Some(([127, 0, 0, 1], 0).into());
        options.tls_mode = mode;
        options.tls = Some(Tls::load(&authority.server(asks)).unwrap());
    });
    let device = MemoryDevice::new(8 * MIB);
    site.server.add("disk", Arc::clone(&device) as _, false);
    (site, device)
}

fn uri(site: &Site, certificates: &Path) -> String {
    format!(
        "nbds://{}/disk?tls-certificates={}",
        site.server.tcp_address().unwrap(),
        certificates.display()
    )
}

fn plain(site: &Site) -> String {
    format!("nbd://{}/disk", site.server.tcp_address().unwrap())
}

fn run(tool: &str, arguments: &[&str]) -> Output {
    Command::new(tool).args(arguments).output().unwrap()
}

#[track_caller]
fn succeeds(tool: &str, arguments: &[&str]) -> String {
    let output = run(tool, arguments);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{tool} {arguments:?}: {complaint}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn what_was_written_with_tls_is_read_with_tls() {
    let authority = Authority::new();
    for mode in [TlsMode::Allowed, TlsMode::Required] {
        for asks in [false, true] {
            let (site, device) = site(&authority, mode, asks);
            for cached in [true, false] {
                device.cached.store(cached, Ordering::SeqCst);
                let mut guest = Guest::open(&uri(&site, authority.path())).unwrap();
                assert_eq!(guest.size(), 8 * MIB as u64);
                let data: Vec<u8> = (0..5 * MIB).map(|at| (at / 333) as u8).collect();
                guest.write(4097, &data).unwrap();
                guest.flush().unwrap();
                assert!(guest.read(4097, data.len() as u32).unwrap() == data);
                guest.write(1, b"small").unwrap();
                assert_eq!(guest.read(0, 7).unwrap(), b"\0small\0");
                guest.close();
            }
            eventually("all have left", || site.server.clients("disk") == 0);
        }
    }
}

#[test]
fn where_tls_is_required_nobody_comes_without() {
    let authority = Authority::new();
    let (site, _) = site(&authority, TlsMode::Required, false);
    let refused = Guest::open(&plain(&site)).unwrap_err();
    assert!(
        matches!(refused, GuestError::Refused(TLS_REQUIRED)),
        "{refused}"
    );
    // The Unix socket is its owner's alone.
    Guest::open(&site.uri("disk")).unwrap();
}

#[test]
fn where_tls_is_allowed_anybody_may_come_without() {
    let authority = Authority::new();
    let (site, _) = site(&authority, TlsMode::Allowed, true);
    Guest::open(&plain(&site)).unwrap();
}

#[test]
fn where_clients_are_asked_for_certificates_they_need_the_right_ones() {
    let authority = Authority::new();
    let (site, device) = site(&authority, TlsMode::Required, true);
    let nobody = authority.without_client();
    let stranger = Authority::new();
    std::fs::copy(authority.file("ca-cert.pem"), stranger.file("ca-cert.pem")).unwrap();
    for folder in [nobody.path(), stranger.path()] {
        let refused = Guest::open(&uri(&site, folder)).unwrap_err();
        assert!(matches!(refused, GuestError::Broken(_)), "{refused}");
    }
    assert!(device.batches.lock().is_empty());
    Guest::open(&uri(&site, authority.path())).unwrap();
}

#[test]
fn a_client_refuses_a_server_that_it_does_not_know() {
    let (known, other) = (Authority::new(), Authority::new());
    let (site, _) = site(&known, TlsMode::Required, false);
    assert!(Guest::open(&uri(&site, other.path())).is_err());
}

#[test]
fn garbage_instead_of_a_tls_handshake_ends_the_connection() {
    let authority = Authority::new();
    let (site, _) = site(&authority, TlsMode::Required, false);
    // The last one speaks on in clear text, as somebody between both might.
    let on = [b"IHAVEOPT\0\0\0\x07\0\0\0\x0a\0\0\0\x04disk\0\0".as_slice()];
    for garbage in [&[0xff; 500][..], &[0; 5], &[0x16, 3, 1, 0xff, 0xff], on[0]] {
        let mut stream = TcpStream::connect(site.server.tcp_address().unwrap()).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        stream.write_all(&[0, 0, 0, 3]).unwrap();
        let mut hello = b"IHAVEOPT\0\0\0\x05\0\0\0\0".to_vec();
        hello.extend(garbage);
        stream.write_all(&hello).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut heard = Vec::new();
        // What it sent may have been thrown away unread.
        let _ = stream.read_to_end(&mut heard);
        // The greeting, the consent, and at most an alert.
        assert!(heard.len() <= 18 + 20 + 7, "{heard:?}");
    }
    Guest::open(&uri(&site, authority.path())).unwrap();
}

#[test]
fn a_stopped_server_drops_tls_clients_too() {
    let authority = Authority::new();
    let (site, device) = site(&authority, TlsMode::Required, false);
    device.cached.store(false, Ordering::SeqCst);
    let mut guest = Guest::open(&uri(&site, authority.path())).unwrap();
    device.hold();
    std::thread::scope(|scope| {
        let reading = scope.spawn(move || guest.read(0, 4096));
        eventually("the read runs", || device.running() == 1);
        let stopping = scope.spawn(|| site.server.stop());
        let dropped = reading.join().unwrap().unwrap_err();
        assert!(matches!(dropped, GuestError::Broken(_)), "{dropped}");
        device.release();
        stopping.join().unwrap();
    });
}

/// A client of the Unix socket, with TLS, that has chosen the disk.
fn local(site: &Site, authority: &Authority) -> StreamOwned<ClientConnection, UnixStream> {
    let mut stream = UnixStream::connect(site.socket()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream.write_all(&3_u32.to_be_bytes()).unwrap();
    stream.write_all(b"IHAVEOPT\0\0\0\x05\0\0\0\0").unwrap();
    stream.read_exact(&mut [0; 18 + 20]).unwrap();
    let mut roots = RootCertStore::empty();
    let issuer = CertificateDer::from_pem_file(authority.file("ca-cert.pem")).unwrap();
    roots.add(issuer).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let tls = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(tls, stream);
    let go = [
        b"IHAVEOPT\0\0\0\x07\0\0\0\x0a".as_slice(),
        &text("disk"),
        &[0, 0],
    ]
    .concat();
    stream.write_all(&go).unwrap();
    stream.read_exact(&mut [0; 20 + 12 + 20]).unwrap();
    stream
}

#[test]
fn a_slow_client_gets_all_of_its_reply() {
    let authority = Authority::new();
    let (site, device) = site(&authority, TlsMode::Allowed, false);
    device.cached.store(false, Ordering::SeqCst);
    let mut client = local(&site, &authority);
    // In one of these, the system is full when little is left.
    for len in (64..3000_u32).step_by(16).map(|kib| kib << 10) {
        client.write_all(&request(READ, 0, 1, 0, len)).unwrap();
        let mut queued = 0;
        eventually("the server sends no more", || {
            let before = queued;
            std::thread::sleep(Duration::from_millis(2));
            queued = rustix::io::ioctl_fionread(&client.sock).unwrap();
            queued > 0 && queued == before
        });
        let mut reply = vec![1; 16 + len as usize];
        client.read_exact(&mut reply).unwrap();
        assert!(reply[16..].iter().all(|byte| *byte == 0), "{len}");
    }
}

#[test]
fn a_server_does_not_start_without_its_files() {
    let authority = Authority::new();
    let mut files = authority.server(true);
    files.key = authority.file("client-key.pem");
    let mismatch = Tls::load(&files).unwrap_err();
    assert_eq!(mismatch.file, TlsFile::Key);
    files.key = authority.file("none.pem");
    let missing = Tls::load(&files).unwrap_err();
    assert_eq!(missing.file, TlsFile::Key);
    assert!(missing.reason.contains("No such file"), "{missing}");
    files.key = authority.file("server-key.pem");
    files.client_ca = Some(authority.file("server-key.pem"));
    let no_certificate = Tls::load(&files).unwrap_err();
    assert_eq!(no_certificate.file, TlsFile::ClientCa);
    let secret = std::fs::read_to_string(authority.file("server-key.pem")).unwrap();
    let line = secret.lines().nth(1).unwrap();
    let shown = format!("{no_certificate} {no_certificate:?}");
    assert!(!shown.contains(line), "{shown}");
    let tls = Tls::load(&authority.server(true)).unwrap();
    assert_eq!(format!("{tls:?}"), "Tls { .. }");
    let folder = tempfile::tempdir().unwrap();
    let mut options = ExportServerOptions::new(folder.path().join("socket"));
    options.tls_mode = TlsMode::Required;
    let refused = ExportServer::start(options.clone());
    assert!(matches!(refused, Err(Error::NoCertificate)), "{refused:?}");
    options.tls = Some(tls);
    options.tls_mode = TlsMode::Allowed;
    options.tcp = Some(([0, 0, 0, 0], 0).into());
    let refused = ExportServer::start(options.clone());
    assert!(matches!(refused, Err(Error::NotLoopback(_))), "{refused:?}");
    options.tls_mode = TlsMode::Required;
    ExportServer::start(options.clone()).unwrap();
    options.tls_mode = TlsMode::Off;
    options.insecure = true;
    ExportServer::start(options).unwrap();
}

#[test]
fn libnbd_speaks_tls() {
    let authority = Authority::new();
    let (site, device) = site(&authority, TlsMode::Required, true);
    let uri = uri(&site, authority.path());
    let info = succeeds("nbdinfo", &["--json", &uri]);
    assert!(info.contains("\"TLS\": true"), "{info}");
    assert!(succeeds("nbdinfo", &["--list", "--json", &uri]).contains("\"disk\""));
    assert!(!run("nbdinfo", &[&plain(&site)]).status.success());
    let folder = tempfile::tempdir().unwrap();
    let (there, back) = (folder.path().join("there"), folder.path().join("back"));
    let data: Vec<u8> = (0..8 * MIB).map(|at| (at / 511) as u8).collect();
    std::fs::write(&there, &data).unwrap();
    for cached in ["true", "false"] {
        device.cached.store(cached == "true", Ordering::SeqCst);
        let copy = ["--connections=4", "--requests=32", "--flush"];
        let to = [there.to_str().unwrap(), &uri];
        succeeds("nbdcopy", &[&copy[..], &to].concat());
        assert!(device.bytes() == data);
        let from = [&uri, back.to_str().unwrap()];
        succeeds("nbdcopy", &[&copy[..], &from].concat());
        assert!(std::fs::read(&back).unwrap() == data);
        std::fs::remove_file(&back).unwrap();
    }
}

#[test]
fn qemu_speaks_tls() {
    let authority = Authority::new();
    let (site, device) = site(&authority, TlsMode::Required, true);
    let credentials = format!(
        "tls-creds-x509,id=tls,endpoint=client,verify-peer=on,dir={}",
        authority.path().display()
    );
    let port = site.server.tcp_address().unwrap().port();
    let image = format!(
        "driver=nbd,server.type=inet,server.host=127.0.0.1,server.port={port},export=disk,tls-creds=tls"
    );
    let printed = succeeds(
        "qemu-io",
        &[
            "--object",
            &credentials,
            "--image-opts",
            &image,
            "-c",
            "write -P 5 64k 3M",
            "-c",
            "read -P 5 64k 3M",
            "-c",
            "flush",
            "-c",
            "read -P 0 4M 4M",
        ],
    );
    assert!(
        !printed.contains("failed") && !printed.contains("mismatch"),
        "{printed}"
    );
    assert_eq!(device.bytes()[64 << 10], 5);
    let info = ["info", "--object", &credentials, "--image-opts", &image];
    assert!(succeeds("qemu-img", &info).contains("8 MiB"));
    let plain = run("qemu-img", &["info", &plain(&site)]);
    let complaint = String::from_utf8_lossy(&plain.stderr);
    assert!(
        !plain.status.success() && complaint.contains("TLS"),
        "{complaint}"
    );
}
