//! Requests and their replies, byte by byte.

mod support;

use std::io::Write;
use std::sync::atomic::Ordering;

use firebrick_export::{Device, DeviceError};
use support::client::{
    BLOCK_STATUS, Client, DF, DISCONNECT, FLUSH, FUA, READ, REQ_ONE, TRIM, WRITE, WRITE_ZEROES,
    request,
};
use support::{MemoryDevice, Site, eventually};

const MIB: usize = 1 << 20;
const EPERM: u32 = 1;
const EIO: u32 = 5;
const EINVAL: u32 = 22;
const ENOSPC: u32 = 28;

#[test]
fn what_was_written_is_read() {
    let (site, _) = Site::with_disk(MIB);
    let mut client = Client::simple(&site.socket());
    assert_eq!(client.size, MIB as u64);
    client.write(0, 1, 5000, b"hello");
    assert_eq!(client.simple_reply(), (1, 0));
    client.request(READ, 0, 2, 4999, 7);
    assert_eq!(client.simple_reply(), (2, 0));
    assert_eq!(client.receive(7), b"\0hello\0");
    client.request(WRITE_ZEROES, 0, 3, 5001, 2);
    assert_eq!(client.simple_reply(), (3, 0));
    client.request(READ, 0, 4, 5000, 5);
    assert_eq!(client.simple_reply(), (4, 0));
    assert_eq!(client.receive(5), b"h\0\0lo");
}

#[test]
fn reads_that_wait_are_answered_too() {
    for structured in [false, true] {
        let (site, device) = Site::with_disk(4 * MIB);
        let mut client = if structured {
            Client::structured(&site.socket())
        } else {
            Client::simple(&site.socket())
        };
        client.write(0, 1, 0, &vec![7; 2 * MIB]);
        assert_eq!(client.simple_reply(), (1, 0));
        device.cached.store(false, Ordering::SeqCst);
        for len in [1, 4096, MIB + 1] {
            client.request(READ, 0, 2, 1, len as u32);
            if structured {
                let chunk = client.chunk();
                assert_eq!((chunk.kind, chunk.cookie), (1, 2));
                assert_eq!(chunk.payload[..8], 1_u64.to_be_bytes());
                assert_eq!(chunk.payload[8..], vec![7; len]);
            } else {
                assert_eq!(client.simple_reply(), (2, 0));
                assert_eq!(client.receive(len), vec![7; len]);
            }
        }
    }
}

#[test]
fn writes_that_came_together_are_one_batch() {
    let (site, device) = Site::with_disk(MIB);
    let mut client = Client::simple(&site.socket());
    // The reader is busy with the first while the others arrive.
    device.hold();
    client.write(0, 0, 0, &[9; 512]);
    eventually("the first write runs", || device.running() == 1);
    let mut bytes = Vec::new();
    for cookie in 1..=20_u64 {
        bytes.extend(request(WRITE, 0, cookie, cookie * 512, 512));
        bytes.extend([cookie as u8; 512]);
    }
    client.stream.write_all(&bytes).unwrap();
    device.release();
    for cookie in 0..=20 {
        assert_eq!(client.simple_reply(), (cookie, 0));
    }
    assert_eq!(*device.batches.lock(), [1, 20]);
    for nth in 1..=20 {
        assert_eq!(device.bytes()[nth * 512..(nth + 1) * 512], [nth as u8; 512]);
    }
}

#[test]
fn one_bad_write_of_a_batch_fails_alone() {
    let (site, device) = Site::with_disk(MIB);
    let mut client = Client::simple(&site.socket());
    device.hold();
    client.write(0, 0, 0, &[9; 512]);
    eventually("the first write runs", || device.running() == 1);
    let mut bytes = Vec::new();
    for (cookie, offset) in [(1, 0), (2, MIB as u64 - 512), (3, 512)] {
        bytes.extend(request(WRITE, 0, cookie, offset, 512));
        bytes.extend([5; 512]);
    }
    client.stream.write_all(&bytes).unwrap();
    device.fill_from(MIB / 2);
    device.release();
    for reply in [(0, 0), (1, 0), (2, ENOSPC), (3, 0)] {
        assert_eq!(client.simple_reply(), reply);
    }
    assert_eq!(device.bytes()[..1024], [5; 1024]);
}

#[test]
fn large_writes_follow_each_other_closely() {
    let (site, device) = Site::with_disk(16 * MIB);
    let mut client = Client::simple(&site.socket());
    let mut sender = client.stream.try_clone().unwrap();
    let sending = std::thread::spawn(move || {
        for nth in 0..16_u64 {
            let flags = if nth % 2 == 0 { FUA } else { 0 };
            sender
                .write_all(&request(WRITE, flags, nth, nth << 20, 1 << 20))
                .unwrap();
            sender.write_all(&vec![nth as u8 + 1; MIB]).unwrap();
        }
    });
    let mut cookies: Vec<_> = (0..16).map(|_| client.simple_reply()).collect();
    cookies.sort_unstable();
    assert_eq!(
        cookies,
        (0..16).map(|cookie| (cookie, 0)).collect::<Vec<_>>()
    );
    sending.join().unwrap();
    for (nth, mebibyte) in device.bytes().chunks(MIB).enumerate() {
        assert!(mebibyte.iter().all(|byte| *byte == nth as u8 + 1));
    }
    assert!(device.flushes.load(Ordering::SeqCst) >= 1);
}

#[test]
fn ranges_beyond_the_end_are_refused() {
    let (site, _) = Site::with_disk(MIB);
    let mut client = Client::simple(&site.socket());
    let end = MIB as u64;
    client.request(READ, 0, 1, end - 1, 2);
    assert_eq!(client.simple_reply(), (1, EINVAL));
    client.request(READ, 0, 2, u64::MAX, 2);
    assert_eq!(client.simple_reply(), (2, EINVAL));
    client.write(0, 3, end - 1, b"ab");
    assert_eq!(client.simple_reply(), (3, ENOSPC));
    client.write(0, 4, end, &vec![0; 300_000]);
    assert_eq!(client.simple_reply(), (4, ENOSPC));
    client.request(TRIM, 0, 5, end, 1);
    assert_eq!(client.simple_reply(), (5, EINVAL));
    client.request(WRITE_ZEROES, 0, 6, end, 1);
    assert_eq!(client.simple_reply(), (6, ENOSPC));
    client.request(READ, 0, 7, end, 0);
    assert_eq!(client.simple_reply(), (7, 0));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let (site, _) = Site::with_disk(MIB);
    let mut client = Client::simple(&site.socket());
    client.request(8, 0, 1, 0, 4096);
    assert_eq!(client.simple_reply(), (1, EINVAL));
    client.request(99, 0, 2, 0, 4096);
    assert_eq!(client.simple_reply(), (2, EINVAL));
    client.request(READ, DF, 3, 0, 1);
    assert_eq!(client.simple_reply(), (3, EINVAL));
    client.write(1 << 9, 4, 0, b"x");
    assert_eq!(client.simple_reply(), (4, EINVAL));
    client.request(BLOCK_STATUS, 0, 5, 0, 4096);
    assert_eq!(client.simple_reply(), (5, EINVAL));
    client.request(READ, 0, 6, 0, (64 << 20) + 1);
    assert_eq!(client.simple_reply(), (6, EINVAL));
    client.request(FLUSH, 0, 7, 0, 0);
    assert_eq!(client.simple_reply(), (7, 0));
}

#[test]
fn a_write_that_is_too_long_ends_the_session() {
    let (site, _) = Site::with_disk(MIB);
    let mut client = Client::simple(&site.socket());
    client.request(WRITE, 0, 1, 0, (64 << 20) + 1);
    client.expect_end();
}

#[test]
fn garbage_ends_the_session_behind_the_answers() {
    let (site, device) = Site::with_disk(MIB);
    let mut client = Client::simple(&site.socket());
    let mut bytes = request(WRITE, 0, 1, 0, 4);
    bytes.extend(b"data");
    bytes.extend([0xff; 28]);
    client.stream.write_all(&bytes).unwrap();
    assert_eq!(client.simple_reply(), (1, 0));
    client.expect_end();
    assert_eq!(device.bytes()[..4], *b"data");
    eventually("the client is counted out", || {
        site.server.clients("disk") == 0
    });
}

#[test]
fn the_largest_requests_pass() {
    let len = 64 * MIB;
    let (site, device) = Site::with_disk(len);
    let mut client = Client::structured(&site.socket());
    let data: Vec<u8> = (0..len).map(|at| (at / 977) as u8).collect();
    client.write(FUA, 1, 0, &data);
    assert_eq!(client.simple_reply(), (1, 0));
    assert_eq!(device.flushes.load(Ordering::SeqCst), 1);
    assert!(device.bytes() == data);
    client.request(READ, DF, 2, 0, len as u32);
    let chunk = client.chunk();
    assert_eq!((chunk.kind, chunk.cookie), (1, 2));
    assert!(chunk.payload[8..] == data);
}

#[test]
fn read_only_clients_cannot_write() {
    let site = Site::new();
    let device = MemoryDevice::new(MIB);
    site.server.add("disk", device.clone() as _, true);
    let mut client = Client::simple(&site.socket());
    assert_eq!(client.flags & 2, 2);
    client.write(0, 1, 0, b"no");
    assert_eq!(client.simple_reply(), (1, EPERM));
    client.request(TRIM, 0, 2, 0, 4096);
    assert_eq!(client.simple_reply(), (2, EPERM));
    client.request(WRITE_ZEROES, 0, 3, 0, 4096);
    assert_eq!(client.simple_reply(), (3, EPERM));
    assert!(device.batches.lock().is_empty());
}

#[test]
fn a_device_that_is_not_writable_is_exported_read_only() {
    let (site, device) = Site::with_disk(MIB);
    let mut before = Client::simple(&site.socket());
    assert_eq!(before.flags & 2, 0);
    device.writable.store(false, Ordering::SeqCst);
    assert_eq!(Client::simple(&site.socket()).flags & 2, 2);
    before.write(0, 1, 0, b"no");
    assert_eq!(before.simple_reply(), (1, EPERM));
}

#[test]
fn errors_of_the_device_reach_the_client() {
    let (site, device) = Site::with_disk(MIB);
    let mut client = Client::structured(&site.socket());
    for cached in [true, false] {
        device.cached.store(cached, Ordering::SeqCst);
        *device.failure.lock() = Some(DeviceError::Io);
        client.request(READ, 0, 1, 0, 4096);
        let chunk = client.chunk();
        assert_eq!(
            (chunk.kind, chunk.payload),
            (0x8001, vec![0, 0, 0, EIO as u8, 0, 0])
        );
        client.request(FLUSH, 0, 2, 0, 0);
        assert_eq!(client.chunk().payload, [0, 0, 0, EIO as u8, 0, 0]);
        *device.failure.lock() = Some(DeviceError::NoSpace);
        client.write(FUA, 3, 0, b"x");
        assert_eq!(client.chunk().payload, [0, 0, 0, ENOSPC as u8, 0, 0]);
    }
    *device.failure.lock() = Some(DeviceError::Gone);
    client.request(FLUSH, 0, 4, 0, 0);
    client.expect_end();
}

#[test]
fn nothing_waits_behind_a_flush() {
    let (site, device) = Site::with_disk(MIB);
    let mut client = Client::simple(&site.socket());
    device.hold();
    client.request(FLUSH, 0, 1, 0, 0);
    eventually("the flush runs", || device.running() == 1);
    // Refusals need no device.
    client.request(99, 0, 2, 0, 0);
    assert_eq!(client.simple_reply(), (2, EINVAL));
    device.release();
    assert_eq!(client.simple_reply(), (1, 0));
}

#[test]
fn flushes_that_came_meanwhile_share_the_next_one() {
    let (site, device) = Site::with_disk(MIB);
    let mut client = Client::simple(&site.socket());
    let mut other = Client::simple(&site.socket());
    device.hold();
    client.request(FLUSH, 0, 1, 0, 0);
    eventually("the flush runs", || device.running() == 1);
    for cookie in 2..10 {
        client.request(FLUSH, 0, cookie, 0, 0);
        other.request(FLUSH, 0, cookie, 0, 0);
    }
    // Refused in its turn: by then the flushes before it stand at the gate.
    for client in [&mut client, &mut other] {
        client.request(99, 0, 99, 0, 0);
        assert_eq!(client.simple_reply(), (99, EINVAL));
    }
    client.request(99, 0, 99, 0, 0);
    assert_eq!(client.simple_reply(), (99, EINVAL));
    device.release();
    for cookie in 1..10 {
        assert_eq!(client.simple_reply(), (cookie, 0));
    }
    for cookie in 2..10 {
        assert_eq!(other.simple_reply(), (cookie, 0));
    }
    assert!(device.flushes.load(Ordering::SeqCst) <= 4);
}

#[test]
fn fua_is_answered_behind_a_flush() {
    let (site, device) = Site::with_disk(MIB);
    let mut client = Client::simple(&site.socket());
    client.write(FUA, 1, 0, b"durable");
    assert_eq!(client.simple_reply(), (1, 0));
    assert_eq!(device.flushes.load(Ordering::SeqCst), 1);
    client.request(WRITE_ZEROES, FUA, 2, 0, 4096);
    assert_eq!(client.simple_reply(), (2, 0));
    client.request(TRIM, FUA, 3, 0, 4096);
    assert_eq!(client.simple_reply(), (3, 0));
    assert_eq!(device.flushes.load(Ordering::SeqCst), 3);
}

#[test]
fn holes_are_read_and_told_as_such() {
    let (site, device) = Site::with_disk(MIB);
    let mut client = Client::structured(&site.socket());
    client.write(0, 1, 64 << 10, &[1; 4096]);
    assert_eq!(client.simple_reply(), (1, 0));
    client.request(READ, 0, 2, 512 << 10, 64 << 10);
    let chunk = client.chunk();
    assert_eq!(chunk.kind, 2);
    assert_eq!(chunk.payload[..8], (512_u64 << 10).to_be_bytes());
    assert_eq!(chunk.payload[8..], (64_u32 << 10).to_be_bytes());
    client.request(BLOCK_STATUS, 0, 3, 0, MIB as u32);
    let chunk = client.chunk();
    assert_eq!(chunk.kind, 5);
    let numbers: Vec<_> = chunk
        .payload
        .chunks(4)
        .map(|number| u32::from_be_bytes(number.try_into().unwrap()))
        .collect();
    assert_eq!(
        numbers,
        [1, 64 << 10, 3, 4096, 0, (1 << 20) - (68 << 10), 3]
    );
    client.request(BLOCK_STATUS, REQ_ONE, 4, 4096, 100);
    assert_eq!(
        client.chunk().payload,
        [0, 0, 0, 1, 0, 0, 0, 100, 0, 0, 0, 3]
    );
    client.request(BLOCK_STATUS, 0, 5, 0, 0);
    assert_eq!(client.chunk().kind, 0x8001);
    client.request(READ, 0, 6, 0, 0);
    assert_eq!(client.chunk().kind, 0);
    assert_eq!(device.size().get(), MIB as u64);
}

#[test]
fn who_leaves_in_order_still_gets_its_answers() {
    let (site, device) = Site::with_disk(MIB);
    device.cached.store(false, Ordering::SeqCst);
    device.hold();
    let mut client = Client::simple(&site.socket());
    client.request(READ, 0, 1, 0, 4096);
    client.request(FLUSH, 0, 2, 0, 0);
    client.request(DISCONNECT, 0, 3, 0, 0);
    eventually("both run", || device.running() == 2);
    device.release();
    let mut bytes = client.receive(2 * 16 + 4096);
    bytes.retain(|byte| *byte != 0);
    assert!(!bytes.is_empty());
    client.expect_end();
}
