//! Requests in any mixture and any number at once do to the device what they would do one by one, as
//! far as they do not overlap; and whatever a client sends, the server goes on serving others.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod support;

use std::io::Write;
use std::net::Shutdown;
use std::sync::atomic::Ordering;

use proptest::prelude::*;
use support::Site;
use support::client::{Chunk, Client, FLUSH, FUA, READ, TRIM, WRITE, WRITE_ZEROES, request};

/// Each request of a round has a part of the device to itself.
const PART: usize = 256 << 10;
const PARTS: usize = 12;

#[derive(Clone, Debug)]
struct Action {
    kind: u16,
    flags: u16,
    start: usize,
    len: usize,
    fill: u8,
}

fn action() -> impl Strategy<Value = Action> {
    let kind = prop_oneof![
        Just(READ),
        Just(WRITE),
        Just(WRITE),
        Just(FLUSH),
        Just(TRIM),
        Just(WRITE_ZEROES)
    ];
    // Lengths on both sides of what is treated as small.
    let len = prop_oneof![
        1..600_usize,
        Just(4096),
        60_000..70_000_usize,
        100_000..200_000_usize
    ];
    (
        kind,
        prop_oneof![Just(0), Just(FUA)],
        0..50_000_usize,
        len,
        any::<u8>(),
    )
        .prop_map(|(kind, flags, start, len, fill)| Action {
            kind,
            flags,
            start,
            len,
            fill,
        })
}

/// Sends the actions as one, and compares what comes back with `model`.
fn play(client: &mut Client, model: &mut [u8], actions: &[Action]) {
    let mut bytes = Vec::new();
    for (part, action) in actions.iter().enumerate() {
        let (offset, len) = if action.kind == FLUSH {
            (0, 0)
        } else {
            (part * PART + action.start, action.len)
        };
        bytes.extend(request(
            action.kind,
            action.flags,
            part as u64,
            offset as u64,
            len as u32,
        ));
        if action.kind == WRITE {
            bytes.extend(vec![action.fill; len]);
        }
    }
    let mut sender = client.stream.try_clone().unwrap();
    let sending = std::thread::spawn(move || sender.write_all(&bytes).unwrap());
    let mut answered = vec![false; actions.len()];
    for _ in actions {
        // Reads have structured replies, everything else has simple ones.
        let mut magic = [0; 4];
        let peek = rustix::net::RecvFlags::PEEK | rustix::net::RecvFlags::WAITALL;
        let (_, there) = rustix::net::recv(&client.stream, &mut magic, peek).unwrap();
        assert_eq!(there, magic.len(), "the server went away");
        let cookie = if magic == 0x6744_6698_u32.to_be_bytes() {
            let (cookie, error) = client.simple_reply();
            assert_eq!(error, 0);
            cookie
        } else {
            let Chunk {
                kind,
                cookie,
                payload,
            } = client.chunk();
            let Action { start, len, .. } = actions[cookie as usize];
            let offset = cookie as usize * PART + start;
            let expected = &model[offset..offset + len];
            if kind == 2 {
                assert!(expected.iter().all(|byte| *byte == 0));
            } else {
                assert!(payload[8..] == *expected);
            }
            cookie
        };
        assert!(!std::mem::replace(&mut answered[cookie as usize], true));
    }
    sending.join().unwrap();
    for (
        part,
        Action {
            kind,
            start,
            len,
            fill,
            ..
        },
    ) in actions.iter().enumerate()
    {
        let range = part * PART + start..part * PART + start + len;
        match *kind {
            WRITE => model[range].fill(*fill),
            TRIM | WRITE_ZEROES => model[range].fill(0),
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn requests_in_any_mixture_do_what_they_say(
        rounds in prop::collection::vec(
            (any::<bool>(), prop::collection::vec(action(), 1..PARTS)),
            1..8,
        ),
    ) {
        let (site, device) = Site::with_disk(PART * PARTS);
        let mut client = Client::structured(&site.socket());
        let mut model = vec![0; PART * PARTS];
        for (cached, actions) in rounds {
            device.cached.store(cached, Ordering::SeqCst);
            play(&mut client, &mut model, &actions);
        }
        prop_assert!(device.bytes() == model);
    }

    #[test]
    fn garbage_hurts_nobody_else(
        requests in prop::collection::vec(
            (0..9_u16, 0..32_u16, 0..2_000_000_u64, 0..100_000_u32),
            0..20,
        ),
        garbage in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let (site, _) = Site::with_disk(1 << 20);
        let mut other = Client::simple(&site.socket());
        let client = Client::structured(&site.socket());
        let mut bytes = Vec::new();
        for (kind, flags, offset, len) in requests {
            bytes.extend(request(kind, flags, 0, offset, len));
        }
        bytes.extend(garbage);
        // The server may have had enough before all is sent.
        let _ = (&client.stream).write_all(&bytes);
        let _ = client.stream.shutdown(Shutdown::Write);
        other.write(0, 1, 0, b"fine");
        prop_assert_eq!(other.simple_reply(), (1, 0));
        drop(client);
    }
}
