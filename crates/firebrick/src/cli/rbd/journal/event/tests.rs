//! Events against what the real tool exported, and there and back.

use super::*;

/// What the real tool exported of an image.
const FLUSH: &str = "05010400000002000000010108000000edbd006bf40d2910";
const TIME: u64 = 1_795_210_733_271_126_004;

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

#[test]
fn entries_are_those_of_the_real_tool() {
    assert_eq!(Event::Flush.encode(TIME), bytes(FLUSH));
    assert_eq!(Event::decode(&bytes(FLUSH)).unwrap(), (Event::Flush, TIME));
    let head = bytes("0501181000000100000000100000000000000010000000000000");
    let write = Event::Write {
        offset: 4096,
        data: vec![b'g'; 4096],
    };
    let encoded = write.encode(TIME);
    assert_eq!(encoded[..head.len()], head);
    assert_eq!(encoded.len(), 4140);
}

fn all() -> Vec<Event> {
    let name = || "one".to_owned();
    let ops = [
        Op::SnapCreate(name()),
        Op::SnapRemove(name()),
        Op::SnapRename {
            id: 4,
            from: name(),
            to: "two".to_owned(),
        },
        Op::SnapProtect(name()),
        Op::SnapUnprotect(name()),
        Op::SnapRollback(name()),
        Op::Rename(name()),
        Op::Resize(1 << 40),
        Op::Flatten,
        Op::SnapLimit(u64::MAX),
        Op::UpdateFeatures {
            features: 127,
            enabled: true,
        },
        Op::MetadataSet(name(), "value".to_owned()),
        Op::MetadataRemove(name()),
    ];
    let mut events = vec![
        Event::Discard {
            offset: 5,
            length: 7,
        },
        Event::Finish { op: 3, result: -2 },
        Event::DemotePromote,
        Event::WriteSame {
            offset: 1,
            length: 8,
            data: vec![1, 2],
        },
        Event::CompareAndWrite {
            offset: 1,
            compare: vec![1, 2],
            data: vec![3, 4],
        },
    ];
    events.extend(ops.map(|what| Event::Op { op: 9, what }));
    events
}

#[test]
fn what_is_encoded_is_decoded() {
    for event in all() {
        let encoded = event.encode(TIME);
        assert_eq!(Event::decode(&encoded).unwrap(), (event.clone(), TIME));
        for len in 0..encoded.len() {
            assert!(Event::decode(&encoded[..len]).is_err(), "{event:?} {len}");
        }
    }
}

#[test]
fn events_are_printed_in_rbds_words() {
    let resize = Event::Op {
        op: 1,
        what: Op::Resize(33_554_432),
    };
    let text = serde_json::to_string(&resize.doc(TIME)).unwrap();
    let golden = r#"{"event_type":"Resize","op_tid":1,"size":33554432,"timestamp":"2026-11-20T21:38:53.271126+0000"}"#;
    assert_eq!(text, golden);
}
