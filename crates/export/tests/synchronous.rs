//! Flushes that are answered once others have what they cover.

mod support;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;

use firebrick_export::{Device, DeviceError};
use support::client::{Client, DISCONNECT, FLUSH, FUA, READ};
use support::{MemoryDevice, Site, eventually};

const MIB: usize = 1 << 20;
const EPERM: u32 = 1;

fn held_disk() -> (Site, Arc<MemoryDevice>) {
    let (site, device) = Site::with_disk(MIB);
    device.synchronous.store(true, Ordering::SeqCst);
    (site, device)
}

fn waits(device: &MemoryDevice, count: usize) {
    eventually("the flush waits", || device.waiting.lock().len() == count);
}

#[test]
fn a_flush_waits_for_others_and_everything_else_goes_on() {
    let (site, device) = held_disk();
    let mut client = Client::simple(&site.socket());
    client.write(0, 1, 0, &[7; 4096]);
    assert_eq!(client.simple_reply(), (1, 0));
    client.request(FLUSH, 0, 2, 0, 0);
    waits(&device, 1);
    assert_eq!(device.flushes.load(Ordering::SeqCst), 1);
    // Reads, writes, and other clients.
    client.request(READ, 0, 3, 0, 4096);
    assert_eq!(client.simple_reply(), (3, 0));
    assert_eq!(client.receive(4096), [7; 4096]);
    client.write(0, 4, 4096, &[8; 4096]);
    assert_eq!(client.simple_reply(), (4, 0));
    let mut other = Client::simple(&site.socket());
    other.request(READ, 0, 1, 0, 1);
    assert_eq!(other.simple_reply(), (1, 0));
    assert_eq!(other.receive(1), [7]);
    // A write that is to be durable waits as well, and both are answered together.
    other.write(FUA, 2, 8192, &[9; 4096]);
    waits(&device, 2);
    assert_eq!(device.confirm(Ok(())), 2);
    assert_eq!(client.simple_reply(), (2, 0));
    assert_eq!(other.simple_reply(), (2, 0));
}

#[test]
fn where_the_device_is_lost_meanwhile_the_flush_fails() {
    let (site, device) = held_disk();
    let mut client = Client::simple(&site.socket());
    client.request(FLUSH, 0, 1, 0, 0);
    waits(&device, 1);
    assert_eq!(device.confirm(Err(DeviceError::NotWritable)), 1);
    assert_eq!(client.simple_reply(), (1, EPERM));
}

#[test]
fn nobody_waits_for_others_once_the_client_has_gone_or_the_export_ends() {
    let (site, device) = held_disk();
    let mut client = Client::simple(&site.socket());
    client.request(FLUSH, 0, 1, 0, 0);
    waits(&device, 1);
    drop(client);
    eventually("the client is counted out", || {
        site.server.clients("disk") == 0
    });
    assert_eq!(device.confirm(Ok(())), 0, "somebody was kept for nobody");

    let mut client = Client::simple(&site.socket());
    client.request(FLUSH, 0, 1, 0, 0);
    waits(&device, 1);
    site.server.remove("disk");
    client.expect_end();
    assert_eq!(device.confirm(Ok(())), 0);

    let device = MemoryDevice::new(MIB);
    device.synchronous.store(true, Ordering::SeqCst);
    let exported = Arc::clone(&device) as Arc<dyn Device>;
    site.server.add("disk", exported, false);
    let mut client = Client::simple(&site.socket());
    client.request(FLUSH, 0, 1, 0, 0);
    waits(&device, 1);
    // It says good-bye, and its answer never comes.
    client.request(DISCONNECT, 0, 2, 0, 0);
    site.server.stop();
    client.expect_end();
}

#[test]
fn who_has_used_up_its_room_with_flushes_does_not_keep_the_server_from_ending() {
    let site = Site::with(|options| options.max_request_memory = 4096);
    let device = MemoryDevice::new(MIB);
    device.synchronous.store(true, Ordering::SeqCst);
    let exported = Arc::clone(&device) as Arc<dyn Device>;
    site.server.add("disk", exported, false);
    let mut client = Client::simple(&site.socket());
    for cookie in 0..64 {
        client.request(FLUSH, 0, cookie, 0, 0);
        // Each by itself, so that each takes its part.
        thread::yield_now();
    }
    eventually("flushes wait", || !device.waiting.lock().is_empty());
    site.server.stop();
    client.expect_end();
}
