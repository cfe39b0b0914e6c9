//! What is packed comes back, and garbage is refused before it costs anything.

use proptest::prelude::*;

use super::*;
use crate::message;

fn frame(kind: Kind, payload: &[u8]) -> Vec<u8> {
    let mut frame = wire::begin(kind);
    frame.extend_from_slice(payload);
    wire::seal(frame)
}

/// What a peer would make of a frame.
fn arrived(frame: &[u8]) -> Option<(Kind, Vec<u8>)> {
    unpack(frame.get(wire::HEAD..)?)
}

fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut word = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..len).map(|_| word()).collect()
}

#[test]
fn what_is_packed_comes_back_and_what_saves_too_little_is_not_packed() {
    let text = b"the same again and again, ".repeat(400);
    let plain = frame(Kind::Batch, &text);
    let packed = pack(&plain).unwrap();
    assert!(packed.len() < text.len() / 10);
    assert_eq!(plain_len(&packed), plain.len());
    assert_eq!(plain_len(&plain), plain.len());
    assert_eq!(arrived(&packed), Some((Kind::Batch, text)));
    assert_eq!(pack(&frame(Kind::Batch, &noise(100_000))), None);
    let mut half = noise(50_000);
    half.resize(100_000, 7);
    assert!(pack(&frame(Kind::Copy, &half)).is_some());
    assert_eq!(
        pack(&frame(Kind::Batch, &[0; LEAST - 1])),
        None,
        "too short"
    );
    assert_eq!(pack(&frame(Kind::Block, &[0; 4104])), None);
    assert_eq!(pack(&frame(Kind::Packed, &[0; 4104])), None, "not twice");
    assert_eq!(pack(&[]), None);
}

/// A packed frame's payload that says so.
fn saying(kind: u8, len: u32, packed: &[u8]) -> Vec<u8> {
    let mut payload = vec![kind];
    payload.extend_from_slice(&len.to_le_bytes());
    payload.extend_from_slice(packed);
    payload
}

#[test]
fn more_than_could_be_in_there_is_refused_before_memory_is_taken() {
    let zeroes = lz4_flex::block::compress(&vec![0; 100_000]);
    let good = saying(2, 100_000, &zeroes);
    assert_eq!(unpack(&good), Some((Kind::Batch, vec![0; 100_000])));
    for (what, bad) in [
        ("less than is in there", saying(2, 99_999, &zeroes)),
        ("more than is in there", saying(2, 100_001, &zeroes)),
        ("all the memory there is", saying(2, u32::MAX, &zeroes)),
        ("more than LZ4 can mean", saying(2, 160 << 20, &zeroes)),
        (
            "a longer message than there are",
            saying(1, (16 << 20) + 1, &vec![0; 1 << 20]),
        ),
        ("a block", saying(4, 4096, &zeroes)),
        ("a packed frame", saying(5, 100_000, &zeroes)),
        ("no kind", saying(0, 100_000, &zeroes)),
        ("an unknown kind", saying(77, 100_000, &zeroes)),
        ("nothing", Vec::new()),
        ("half a head", vec![2, 1, 0]),
        ("a head alone", saying(2, 1, &[])),
    ] {
        assert_eq!(unpack(&bad), None, "{what}");
    }
    assert_eq!(within(&saying(2, u32::MAX, &zeroes)), None);
    assert_eq!(within(&saying(2, 160 << 20, &zeroes)), None);
}

proptest! {
    #[test]
    fn whatever_is_packed_comes_back(
        parts in prop::collection::vec((any::<u8>(), 1_usize..3000, any::<bool>()), 1..20),
        kind in prop::sample::select(vec![Kind::Message, Kind::Batch, Kind::Copy]),
    ) {
        let mut payload = Vec::new();
        for (byte, len, is_noise) in parts {
            if is_noise {
                payload.extend(noise(len));
            } else {
                payload.extend(std::iter::repeat_n(byte, len));
            }
        }
        let plain = frame(kind, &payload);
        if let Some(packed) = pack(&plain) {
            prop_assert!(packed.len() <= plain.len() - plain.len() / WORTH);
            prop_assert_eq!(plain_len(&packed), plain.len());
            prop_assert_eq!(arrived(&packed), Some((kind, payload)));
        }
    }

    #[test]
    fn no_bytes_make_the_decoder_panic_or_mean_more_than_they_say(bytes: Vec<u8>) {
        if let Some((_, plain)) = unpack(&bytes) {
            prop_assert!(plain.len() <= bytes.len() * RATIO_MAX);
        }
        let _ = plain_len(&bytes);
    }

    #[test]
    fn garbage_behind_a_head_that_makes_sense_is_refused_or_as_long_as_it_says(
        kind in 1_u8..4,
        len in 0_u32..1 << 20,
        packed in prop::collection::vec(any::<u8>(), 0..4000),
    ) {
        if let Some((found, plain)) = unpack(&saying(kind, len, &packed)) {
            prop_assert_eq!((found as u8, plain.len()), (kind, len as usize));
            // What it means is looked at as if it had come plain.
            let _ = message::batch(&plain);
            let _ = message::copy_part(&plain);
        }
    }

    #[test]
    fn a_frame_that_was_changed_on_the_way_is_refused_or_as_long_as_it_says(
        at: prop::sample::Index,
        flip in 1_u8..,
        cut: prop::sample::Index,
    ) {
        let mut text = b"this and that, ".repeat(300);
        text.extend(noise(2000));
        let packed = pack(&frame(Kind::Batch, &text)).unwrap();
        let mut payload = packed[wire::HEAD..].to_vec();
        let at = at.index(payload.len());
        payload[at] ^= flip;
        if let Some((_, plain)) = unpack(&payload) {
            prop_assert_eq!(wire::HEAD + plain.len(), plain_len(&frame(Kind::Packed, &payload)));
        }
        let short = &packed[wire::HEAD..wire::HEAD + cut.index(packed.len() - wire::HEAD)];
        prop_assert_eq!(unpack(short), None, "a part of it is not all of it");
    }
}
