//! Who waits for the disk: the reader of a connection, or a worker.

mod support;

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use firebrick_export::DeviceError;
use support::client::{Client, READ, request};
use support::{MemoryDevice, Site, eventually};

const MIB: usize = 1 << 20;
const EIO: u32 = 5;
const BLOCK: u32 = 4096;
const WORKER: &str = "nbd-work";
const AT_ONCE: u64 = 4;

fn read(client: &mut Client, cookie: u64) {
    client.request(READ, 0, cookie, cookie % 100 * u64::from(BLOCK), BLOCK);
    assert_eq!(client.simple_reply(), (cookie, 0));
    assert_eq!(client.receive(BLOCK as usize)[0], (cookie % 100) as u8);
}

/// Reads one by one until nobody but the reader of the connection has waited for the last ones.
fn read_alone(client: &mut Client, device: &MemoryDevice) {
    let mut cookie = 0;
    eventually("the reader waits itself", || {
        device.readers.lock().clear();
        for _ in 0..8 {
            read(client, cookie);
            cookie += 1;
        }
        !device.readers.lock().contains(WORKER)
    });
}

fn slow_disk() -> (Site, Arc<MemoryDevice>, Client) {
    let (site, device) = Site::with_disk(MIB);
    let mut client = Client::simple(&site.socket());
    for block in 0..100 {
        client.write(
            0,
            1,
            block * u64::from(BLOCK),
            &[block as u8; BLOCK as usize],
        );
        assert_eq!(client.simple_reply(), (1, 0));
    }
    device.cached.store(false, Ordering::SeqCst);
    (site, device, client)
}

#[test]
fn reads_one_by_one_need_no_worker_and_those_together_run_side_by_side() {
    let (_site, device, mut client) = slow_disk();
    read_alone(&mut client, &device);
    device.hold();
    let together: Vec<u8> = (0..AT_ONCE)
        .flat_map(|cookie| request(READ, 0, cookie, cookie * u64::from(BLOCK), BLOCK))
        .collect();
    client.stream.write_all(&together).unwrap();
    eventually("all of them run", || device.running() == AT_ONCE as usize);
    device.release();
    let mut cookies: Vec<u64> = (0..AT_ONCE)
        .map(|_| {
            let (cookie, error) = client.simple_reply();
            assert_eq!(error, 0);
            assert_eq!(
                client.receive(BLOCK as usize),
                [cookie as u8; BLOCK as usize]
            );
            cookie
        })
        .collect();
    cookies.sort_unstable();
    assert_eq!(cookies, [0, 1, 2, 3]);
    read(&mut client, 5);
}

#[test]
fn a_read_of_the_reader_that_fails_costs_the_client_nothing_else() {
    let (_site, device, mut client) = slow_disk();
    read_alone(&mut client, &device);
    *device.failure.lock() = Some(DeviceError::Io);
    for cookie in 0..4 {
        client.request(READ, 0, cookie, 0, BLOCK);
        assert_eq!(client.simple_reply(), (cookie, EIO));
    }
    *device.failure.lock() = None;
    read(&mut client, 7);
}
