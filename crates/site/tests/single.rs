//! One site: guests, restarts, and who may have its folder and its socket.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod support;

use std::os::unix::fs::PermissionsExt as _;

use firebrick_backend::{Access, Backend as _, ExportKey, FaultKind};
use firebrick_site::serve::{ErrorKind, SiteServer, fingerprint};
use firebrick_site::{ExportVia, SiteClient};
use firebrick_vocabulary::{Bytes, MIB};
use support::nbd::Nbd;
use support::{Site, conf, new_image, snapshot};
use tempfile::TempDir;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_writes_and_a_restart_keeps_image_and_exports() {
    let dir = TempDir::new().unwrap();
    let mut site = Site::start(conf(dir.path(), "a")).await;
    let new = new_image(4 * MIB, false);
    let (id, key) = (new.id, ExportKey("attachment".into()));
    site.client.create_image(new).await.unwrap();
    let address = site
        .client
        .export(id, key.clone(), Access::ReadWrite)
        .await
        .unwrap();
    assert!(
        address
            .uri
            .starts_with(&format!("nbd+unix:///volume-{id}?socket=")),
        "{}",
        address.uri
    );
    let socket = site.conf.nbd_socket.clone();

    let mut guest = Nbd::connect(&socket, &address.export).unwrap();
    assert_eq!((guest.size, guest.read_only), (4 * MIB, false));
    guest.write(4096, b"what a guest wrote").unwrap();
    assert_eq!(site.client.exports().await.unwrap()[0].clients, 1);

    site.client.extend_image(id, Bytes(8 * MIB)).await.unwrap();
    site.stop().await;
    assert!(guest.read(0, 1).is_err(), "a stopped site still answers");
    let fault = site.client.status().await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unreachable);

    site.start_again().await;
    let mut guest = Nbd::connect(&socket, &address.export).unwrap();
    assert_eq!(guest.size, 8 * MIB);
    assert_eq!(guest.read(4096, 18).unwrap(), b"what a guest wrote");
    let exports = site.client.exports().await.unwrap();
    assert_eq!(exports.len(), 1);
    assert_eq!(
        (exports[0].key.clone(), exports[0].address.clone()),
        (key.clone(), address.clone())
    );

    site.client.unexport(id, key).await.unwrap();
    assert!(
        guest.read(0, 1).is_err(),
        "the connection outlived its export"
    );
    assert!(Nbd::connect(&socket, &address.export).is_err());
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_and_writers_have_exports_of_their_own() {
    let dir = TempDir::new().unwrap();
    let mut site = Site::start(conf(dir.path(), "a")).await;
    let new = new_image(4 * MIB, false);
    let id = new.id;
    site.client.create_image(new).await.unwrap();
    let (writes, also, reads) = (key("writes"), key("also"), key("reads"));
    let rw = site
        .client
        .export(id, writes.clone(), Access::ReadWrite)
        .await
        .unwrap();
    assert_eq!(
        site.client
            .export(id, also.clone(), Access::ReadWrite)
            .await
            .unwrap(),
        rw
    );
    let ro = site
        .client
        .export(id, reads.clone(), Access::ReadOnly)
        .await
        .unwrap();
    assert_eq!(ro.export, format!("volume-{id}.ro"));

    let socket = site.conf.nbd_socket.clone();
    let mut writer = Nbd::connect(&socket, &rw.export).unwrap();
    let mut reader = Nbd::connect(&socket, &ro.export).unwrap();
    writer.write(0, b"seen by both").unwrap();
    assert!(reader.read_only);
    assert_eq!(reader.read(0, 12).unwrap(), b"seen by both");
    assert!(reader.write(0, b"no").is_err());

    site.client.unexport(id, writes).await.unwrap();
    writer.write(0, b"held by another key").unwrap();
    site.client.unexport(id, also).await.unwrap();
    assert!(writer.read(0, 1).is_err());
    assert!(reader.read(0, 1).is_ok());
    let fault = site.client.rename_image(id, support::image_name(id)).await;
    fault.unwrap();
    let other = support::image_name(firebrick_vocabulary::ImageId::random());
    let fault = site.client.rename_image(id, other).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Busy);
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_shows_the_guest_the_snapshot() {
    let dir = TempDir::new().unwrap();
    let mut site = Site::start(conf(dir.path(), "a")).await;
    let new = new_image(4 * MIB, false);
    let id = new.id;
    site.client.create_image(new).await.unwrap();
    let address = site
        .client
        .export(id, key("k"), Access::ReadWrite)
        .await
        .unwrap();
    let mut guest = Nbd::connect(&site.conf.nbd_socket, &address.export).unwrap();
    guest.write(0, b"old").unwrap();
    site.client
        .create_snapshot(id, snapshot("s"))
        .await
        .unwrap();
    guest.write(0, b"new").unwrap();
    site.client.unexport(id, key("k")).await.unwrap();
    site.client.roll_back(id, snapshot("s")).await.unwrap();
    site.client
        .export(id, key("k"), Access::ReadWrite)
        .await
        .unwrap();
    let mut guest = Nbd::connect(&site.conf.nbd_socket, &address.export).unwrap();
    assert_eq!(guest.read(0, 3).unwrap(), b"old");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exports_by_tcp_have_the_port_that_listens() {
    let dir = TempDir::new().unwrap();
    let mut conf = conf(dir.path(), "a");
    conf.nbd_listen = Some(std::net::SocketAddr::from(([127, 0, 0, 1], 0)));
    conf.export_address = ExportVia::Tcp;
    let mut site = Site::start(conf).await;
    let new = new_image(4 * MIB, false);
    let id = new.id;
    site.client.create_image(new).await.unwrap();
    let address = site
        .client
        .export(id, key("k"), Access::ReadWrite)
        .await
        .unwrap();
    let place = address.uri.strip_prefix("nbd://").unwrap();
    let (listening, name) = place.split_once('/').unwrap();
    assert_eq!(name, format!("volume-{id}"));
    std::net::TcpStream::connect(listening).unwrap();
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_and_a_socket_have_one_owner() {
    let dir = TempDir::new().unwrap();
    let first = conf(dir.path(), "a");
    let mut site = Site::start(first.clone()).await;
    let mode = std::fs::metadata(&first.admin)
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);

    let same_folder = SiteServer::start(first.clone()).await.err().unwrap();
    assert_eq!(same_folder.kind, ErrorKind::InUse, "{same_folder}");
    let mut thief = conf(dir.path(), "b");
    thief.admin.clone_from(&first.admin);
    let same_socket = SiteServer::start(thief).await.err().unwrap();
    assert_eq!(same_socket.kind, ErrorKind::InUse, "{same_socket}");
    site.client.status().await.unwrap();
    site.stop().await;
    assert!(!first.admin.exists());

    // What a killed site leaves: a socket that nobody listens on.
    drop(std::os::unix::net::UnixListener::bind(&first.admin).unwrap());
    site.start_again().await;
    site.client.status().await.unwrap();
    site.stop().await;

    std::fs::write(&first.admin, "not a socket").unwrap();
    assert_eq!(
        SiteServer::start(first.clone()).await.err().unwrap().kind,
        ErrorKind::Io
    );
    assert_eq!(std::fs::read(&first.admin).unwrap(), b"not a socket");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_identity_stays() {
    let dir = TempDir::new().unwrap();
    let conf = conf(dir.path(), "a");
    let made = fingerprint(&conf).unwrap();
    assert_eq!(made.to_string().len(), 64);
    let mut site = Site::start(conf.clone()).await;
    let store = site.client.status().await.unwrap().store;
    assert_eq!(site.server().store(), store);
    site.stop().await;
    site.start_again().await;
    assert_eq!(site.client.status().await.unwrap().store, store);
    assert_eq!(fingerprint(&conf).unwrap(), made);
    let image = new_image(MIB, true);
    let fault = site.client.create_image(image).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unsupported);
    site.stop().await;
    let nobody = SiteClient::new(&conf);
    assert_eq!(
        nobody.images().await.unwrap_err().kind,
        FaultKind::Unreachable
    );
}

fn key(text: &str) -> ExportKey {
    ExportKey(text.to_owned())
}
