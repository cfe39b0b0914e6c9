//! Guests of a site: with TLS, and across restarts.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod support;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use firebrick_backend::{Access, Backend as _, ExportKey};
use firebrick_export::{Guest, GuestError, TlsFiles, TlsMode};
use firebrick_site::serve::{ErrorKind, SiteServer};
use firebrick_site::{ExportVia, NbdSecurity, SiteConf};
use firebrick_vocabulary::{Bytes, GIB, ImageId, MIB};
use support::{Site, conf, new_image, until};
use tempfile::TempDir;

/// A site whose guests must encrypt, with a certificate that it signed itself.
fn with_tls(dir: &Path) -> SiteConf {
    let names = vec!["localhost".to_owned()];
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(names).unwrap();
    std::fs::write(dir.join("ca-cert.pem"), cert.pem()).unwrap();
    std::fs::write(dir.join("key.pem"), signing_key.serialize_pem()).unwrap();
    let mut conf = conf(dir, "a");
    conf.nbd_listen = Some(([0, 0, 0, 0], 0).into());
    conf.export_address = ExportVia::Tcp;
    conf.nbd_security = NbdSecurity {
        mode: TlsMode::Required,
        files: Some(TlsFiles {
            certificate: dir.join("ca-cert.pem"),
            key: dir.join("key.pem"),
            client_ca: None,
        }),
        insecure: false,
        advertise: Some("localhost".to_owned()),
    };
    conf
}

async fn export(site: &Site, size: u64) -> (ImageId, String) {
    let new = new_image(size, false);
    let (id, key) = (new.id, ExportKey("attachment".into()));
    site.client.create_image(new).await.unwrap();
    let address = site
        .client
        .export(id, key, Access::ReadWrite)
        .await
        .unwrap();
    (id, address.uri)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guests_are_told_to_encrypt_and_must() {
    let dir = TempDir::new().unwrap();
    let mut site = Site::start(with_tls(dir.path())).await;
    let (id, uri) = export(&site, 4 * MIB).await;
    assert!(uri.starts_with("nbds://localhost:"), "{uri}");
    assert!(uri.ends_with(&format!("/volume-{id}")), "{uri}");
    let folder = dir.path().display();
    let mut guest = Guest::open(&format!("{uri}?tls-certificates={folder}")).unwrap();
    guest.write(5, b"secret").unwrap();
    guest.flush().unwrap();
    assert_eq!(guest.read(4, 8).unwrap(), b"\0secret\0");
    let plain = Guest::open(&uri.replace("nbds://", "nbd://")).unwrap_err();
    assert!(matches!(plain, GuestError::Refused(0x8000_0005)), "{plain}");
    drop(guest);
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_cannot_be_read_is_named_with_its_option() {
    let dir = TempDir::new().unwrap();
    let conf = with_tls(dir.path());
    std::fs::remove_file(dir.path().join("key.pem")).unwrap();
    let refused = SiteServer::start(conf).await.err().unwrap();
    assert_eq!(refused.kind, ErrorKind::Io);
    let text = refused.to_string();
    let option = format!("nbd_key = {}", dir.path().join("key.pem").display());
    assert!(
        text.contains(&option) && text.contains("No such file"),
        "{text}"
    );
}

/// A guest that writes for a while, and whose connection may be away for a minute.
fn writer(socket: &Path, export: &str) -> Child {
    let image = format!(
        "driver=nbd,server.type=unix,server.path={},export={export},reconnect-delay=60",
        socket.display()
    );
    Command::new("qemu-img")
        .args(["bench", "--image-opts", "-w", "--pattern=7", "-d", "16"])
        .args(["-s", "4096", "-S", "8192", "--flush-interval=64"])
        .args(["-c", "20000", &image])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_that_restarts_under_a_guest_is_a_stall() {
    let dir = TempDir::new().unwrap();
    let mut site = Site::start(conf(dir.path(), "a")).await;
    let (id, uri) = export(&site, GIB).await;
    let mut guest = writer(&site.conf.nbd_socket, &format!("volume-{id}"));
    for requests in [1_000, 9_000] {
        let mut reader = Guest::open(&uri).unwrap();
        until("the guest has come so far", async || {
            reader.read(requests * 8192, 1).unwrap() == [7]
        })
        .await;
        assert!(guest.try_wait().unwrap().is_none(), "it is done too soon");
        site.stop().await;
        site.start_again().await;
    }
    // A new size, too, is nothing that a guest need know.
    site.client.extend_image(id, Bytes(2 * GIB)).await.unwrap();
    until("the guest is done", async || {
        tokio::time::sleep(Duration::from_millis(20)).await;
        guest.try_wait().unwrap().is_some()
    })
    .await;
    let output = guest.wait_with_output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && complaint.is_empty(),
        "{complaint}"
    );
    let mut reader = Guest::open(&uri).unwrap();
    assert_eq!(reader.size(), 2 * GIB);
    for at in (0..20_000_u64).step_by(211) {
        assert_eq!(reader.read(at * 8192, 4096).unwrap(), [7; 4096]);
    }
    site.stop().await;
}
