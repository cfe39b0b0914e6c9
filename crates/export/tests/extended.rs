//! Requests and replies with extended headers, byte by byte; and what is new in the compact ones.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod support;

use std::io::Write;
use std::sync::atomic::Ordering;

use firebrick_export::DeviceError;
use support::client::{
    BLOCK_STATUS, CACHE, Chunk, Client, DF, DISCONNECT, FLUSH, FUA, OPT_SET_META_CONTEXT, READ,
    REQ_ONE, TRIM, WRITE, WRITE_ZEROES, extended_request, text,
};
use support::{MemoryDevice, Site, eventually};

const MIB: usize = 1 << 20;
const EINVAL: u32 = 22;
const ENOSPC: u32 = 28;
const EOVERFLOW: u32 = 75;
const ENOTSUP: u32 = 95;
const NO_HOLE: u16 = 2;
const FAST_ZERO: u16 = 1 << 4;
const PAYLOAD: u16 = 1 << 5;
const OPT_EXTENDED_HEADERS: u32 = 11;

fn extended(site: &Site) -> Client {
    let mut client = Client::greet(&site.socket());
    assert_eq!(client.option(OPT_EXTENDED_HEADERS, &[]), [(1, vec![])]);
    let mut query = text("disk");
    query.extend(1_u32.to_be_bytes());
    query.extend(text("base:allocation"));
    assert_eq!(client.option(OPT_SET_META_CONTEXT, &query).len(), 2);
    client.go("disk");
    client
}

/// The next reply, which has one chunk and tells `offset`.
fn reply(client: &mut Client, offset: u64) -> Chunk {
    let header = client.receive(32);
    assert_eq!(header[..4], 0x6e8a_278c_u32.to_be_bytes());
    assert_eq!(header[4..6], [0, 1]);
    assert_eq!(header[16..24], offset.to_be_bytes());
    let number =
        |range: std::ops::Range<usize>| u64::from_be_bytes(header[range].try_into().unwrap());
    Chunk {
        kind: u16::from_be_bytes(header[6..8].try_into().unwrap()),
        cookie: number(8..16),
        payload: client.receive(number(24..32) as usize),
    }
}

fn ask(client: &mut Client, kind: u16, flags: u16, offset: u64, len: u64) -> Chunk {
    let bytes = extended_request(kind, flags, 7, offset, len);
    client.stream.write_all(&bytes).unwrap();
    let chunk = reply(client, offset);
    assert_eq!(chunk.cookie, 7);
    chunk
}

fn write(client: &mut Client, flags: u16, offset: u64, data: &[u8]) -> Chunk {
    let mut bytes = extended_request(WRITE, flags, 7, offset, data.len() as u64);
    bytes.extend(data);
    client.stream.write_all(&bytes).unwrap();
    reply(client, offset)
}

fn done() -> Chunk {
    Chunk {
        kind: 0,
        cookie: 7,
        payload: Vec::new(),
    }
}

fn failed(error: u32) -> Chunk {
    let mut payload = error.to_be_bytes().to_vec();
    payload.extend([0, 0]);
    Chunk {
        kind: 0x8001,
        cookie: 7,
        payload,
    }
}

#[test]
fn every_reply_has_the_extended_header() {
    let (site, device) = Site::with_disk(MIB);
    let mut client = extended(&site);
    assert_eq!(client.flags & (1 << 12), 1 << 12);
    for cached in [true, false] {
        device.cached.store(cached, Ordering::SeqCst);
        for len in [5, 4096, 200_000] {
            let data: Vec<u8> = (0..len).map(|at| at as u8 | 1).collect();
            assert_eq!(write(&mut client, PAYLOAD, 4097, &data), done());
            assert_eq!(write(&mut client, PAYLOAD | FUA, 4097, &data), done());
            let read = ask(&mut client, READ, DF, 4097, len);
            assert_eq!(read.kind, 1);
            assert_eq!(read.payload[..8], 4097_u64.to_be_bytes());
            assert!(read.payload[8..] == data);
        }
    }
    assert_eq!(ask(&mut client, FLUSH, 0, 0, 0), done());
    assert_eq!(ask(&mut client, TRIM, FUA, 4096, 4096), done());
    assert_eq!(ask(&mut client, CACHE, 0, 0, MIB as u64), done());
    assert_eq!(ask(&mut client, READ, 0, 9, 0), done());
    assert_eq!(write(&mut client, PAYLOAD, 9, &[]), done());
    let hole = ask(&mut client, READ, 0, 512 << 10, 128 << 10);
    assert_eq!((hole.kind, hole.payload.len()), (2, 12));
    let leave = extended_request(DISCONNECT, 0, 1, 0, 0);
    client.stream.write_all(&leave).unwrap();
    client.expect_end();
}

#[test]
fn a_write_without_the_flag_is_understood() {
    // As QEMU sends it.
    let (site, device) = Site::with_disk(MIB);
    let mut client = extended(&site);
    assert_eq!(write(&mut client, 0, 3, b"data"), done());
    assert_eq!(device.bytes()[3..7], *b"data");
}

#[test]
fn errors_are_told_in_chunks() {
    let (site, device) = Site::with_disk(MIB);
    let mut client = extended(&site);
    let end = MIB as u64;
    assert_eq!(ask(&mut client, READ, 0, end, 1), failed(EINVAL));
    assert_eq!(ask(&mut client, READ, 0, 1, u64::MAX), failed(EINVAL));
    assert_eq!(ask(&mut client, TRIM, 0, 0, u64::MAX), failed(EINVAL));
    assert_eq!(ask(&mut client, WRITE_ZEROES, 0, end, 1), failed(ENOSPC));
    assert_eq!(write(&mut client, PAYLOAD, end, b"x"), failed(ENOSPC));
    assert_eq!(ask(&mut client, 8, 0, 0, 1), failed(EINVAL));
    assert_eq!(ask(&mut client, FLUSH, 0, 0, 1), failed(EINVAL));
    assert_eq!(ask(&mut client, READ, 1 << 9, 0, 1), failed(EINVAL));
    assert_eq!(
        ask(&mut client, BLOCK_STATUS, 0, 0, end + 1),
        failed(EINVAL)
    );
    *device.failure.lock() = Some(DeviceError::Io);
    device.cached.store(false, Ordering::SeqCst);
    for (kind, len) in [(READ, 4096), (FLUSH, 0), (TRIM, 4096), (CACHE, 4096)] {
        assert_eq!(ask(&mut client, kind, 0, 0, len), failed(5));
    }
}

#[test]
fn lengths_have_64_bits() {
    let size: u64 = 5 << 30;
    let site = Site::new();
    let device = MemoryDevice::sparse(size as usize);
    site.server.add("disk", device, false);
    let mut client = extended(&site);
    let status = ask(&mut client, BLOCK_STATUS, 0, 0, size);
    assert_eq!(status.kind, 6);
    let mut expected = 1_u32.to_be_bytes().to_vec();
    expected.extend(1_u32.to_be_bytes());
    expected.extend(size.to_be_bytes());
    expected.extend(3_u64.to_be_bytes());
    assert_eq!(status.payload, expected);
    assert_eq!(ask(&mut client, READ, 0, 0, size), failed(EOVERFLOW));
    assert_eq!(
        ask(&mut client, READ, DF, 0, (64 << 20) + 1),
        failed(EOVERFLOW)
    );
    assert_eq!(ask(&mut client, TRIM, 0, 0, size), done());
    assert_eq!(ask(&mut client, WRITE_ZEROES, FAST_ZERO, 0, size), done());
}

#[test]
fn a_payload_says_which_contexts_are_meant() {
    let (site, _) = Site::with_disk(MIB);
    let mut client = extended(&site);
    let status = |client: &mut Client, flags, payload: &[u8]| {
        let len = payload.len() as u64;
        let mut bytes = extended_request(BLOCK_STATUS, flags | PAYLOAD, 7, 4096, len);
        bytes.extend(payload);
        client.stream.write_all(&bytes).unwrap();
        reply(client, 4096)
    };
    let range = |len: u64, contexts: &[u32]| {
        let mut payload = len.to_be_bytes().to_vec();
        payload.extend(contexts.iter().flat_map(|context| context.to_be_bytes()));
        payload
    };
    let told = status(&mut client, REQ_ONE, &range(100, &[1]));
    assert_eq!(told.kind, 6);
    assert_eq!(told.payload[8..16], 100_u64.to_be_bytes());
    let wrong = [
        range(100, &[2]),
        range(100, &[1, 1]),
        range(100, &[]),
        range(0, &[1]),
        range(u64::MAX, &[1]),
        vec![0; 13],
        vec![1],
        vec![0; 100_000],
    ];
    for payload in wrong {
        assert_eq!(status(&mut client, 0, &payload), failed(EINVAL));
    }
    let told = status(&mut client, 0, &range(MIB as u64 - 4096, &[1]));
    assert_eq!(told.kind, 6);
}

#[test]
fn payloads_that_nobody_wants_are_passed_over() {
    let (site, device) = Site::with_disk(MIB);
    let mut client = extended(&site);
    for kind in [READ, TRIM, WRITE_ZEROES, FLUSH, CACHE, 99] {
        for len in [1_usize, 5000, 70_000, 2 * MIB] {
            let mut bytes = extended_request(kind, PAYLOAD, 7, 0, len as u64);
            bytes.extend(vec![0x5a; len]);
            client.stream.write_all(&bytes).unwrap();
            assert_eq!(reply(&mut client, 0), failed(EINVAL));
        }
    }
    assert_eq!(ask(&mut client, FLUSH, 0, 0, 0), done());
    assert!(device.bytes().iter().all(|byte| *byte == 0));
    let long = extended_request(99, PAYLOAD, 7, 0, (64 << 20) + 1);
    client.stream.write_all(&long).unwrap();
    client.expect_end();
}

#[test]
fn compact_requests_are_garbage_once_headers_are_extended() {
    let (site, _) = Site::with_disk(MIB);
    let mut client = extended(&site);
    client.request(READ, 0, 1, 0, 4096);
    client.stream.write_all(&[0; 4]).unwrap();
    client.expect_end();
}

#[test]
fn zeroes_are_quick_where_whole_blocks_are_among_them() {
    let (site, device) = Site::with_disk(MIB);
    let mut client = Client::simple(&site.socket());
    client.write(0, 1, 0, &[7; 16384]);
    assert_eq!(client.simple_reply(), (1, 0));
    for (offset, len) in [(1, 4095), (4095, 4096), (100, 10)] {
        client.request(WRITE_ZEROES, FAST_ZERO, 2, offset, len);
        assert_eq!(client.simple_reply(), (2, ENOTSUP));
        client.request(WRITE_ZEROES, FAST_ZERO | NO_HOLE, 2, offset, len);
        assert_eq!(client.simple_reply(), (2, ENOTSUP));
    }
    assert!(device.bytes()[..16384].iter().all(|byte| *byte == 7));
    client.request(WRITE_ZEROES, FAST_ZERO | NO_HOLE | FUA, 3, 4095, 4097);
    assert_eq!(client.simple_reply(), (3, 0));
    client.request(WRITE_ZEROES, FAST_ZERO, 3, 0, 0);
    assert_eq!(client.simple_reply(), (3, 0));
    assert!(device.bytes()[4095..8192].iter().all(|byte| *byte == 0));
    assert_eq!(device.bytes()[4094], 7);
}

#[test]
fn cache_requests_read_and_say_nothing() {
    let (site, device) = Site::with_disk(MIB);
    device.cached.store(false, Ordering::SeqCst);
    let mut client = Client::simple(&site.socket());
    assert_eq!(client.flags & (1 << 10), 1 << 10);
    device.hold();
    client.request(CACHE, 0, 1, 0, MIB as u32);
    eventually("it reads", || device.running() == 1);
    device.release();
    assert_eq!(client.simple_reply(), (1, 0));
    client.request(CACHE, 0, 2, 1, MIB as u32);
    assert_eq!(client.simple_reply(), (2, EINVAL));
    client.request(CACHE, DF, 3, 0, 1);
    assert_eq!(client.simple_reply(), (3, EINVAL));
    client.request(CACHE, FUA, 4, 0, 0);
    assert_eq!(client.simple_reply(), (4, 0));
}

#[test]
fn a_new_size_is_seen_by_whoever_connects() {
    let (site, device) = Site::with_disk(MIB);
    let mut before = Client::simple(&site.socket());
    device.resize(2 * MIB);
    let mut after = Client::simple(&site.socket());
    assert_eq!((before.size, after.size), (MIB as u64, 2 * MIB as u64));
    after.write(0, 1, MIB as u64, b"new");
    assert_eq!(after.simple_reply(), (1, 0));
    before.request(READ, 0, 1, 0, 4);
    assert_eq!(before.simple_reply(), (1, 0));
}
