//! What is packed, walked over and scrubbed, and what is synced of it.

use std::io::{self, IoSlice};

use firebrick_edge::Disk;
use firebrick_log::{ErrorKind, Log, OpenOptions, WalkedRecord};
use firebrick_vocabulary::Sequence;

use crate::common::{BLOCK, IMAGE, Wanted, append, blocks_of};
use crate::{begin, discard, fill, is_invalid, name_of, pack, walk};

#[test]
fn what_was_packed_is_found_by_place_and_by_walk() {
    let (machine, log) = begin(OpenOptions::default());
    fill(&log, 0, 1);
    let places = pack(&log, &[7, 9]).unwrap();
    let more = pack(&log, &(100..340).collect::<Vec<_>>()).unwrap();
    log.sync_packed().unwrap();
    log.flush().unwrap();
    let check = |log: &Log| {
        for (at, number) in places.iter().zip([7, 9]) {
            let mut bytes = vec![0; BLOCK];
            log.read(*at, &mut bytes).unwrap();
            assert_eq!(bytes, blocks_of(&[number]));
        }
        let frames = walk(log, places[0].segment);
        assert_eq!(frames.len(), 2);
        let WalkedRecord::Data { image, blocks } = &frames[0].records[0] else {
            panic!("no data");
        };
        assert_eq!((*image, blocks.len()), (IMAGE, 2));
        assert_eq!((blocks[1].block, blocks[1].at), (9, places[1]));
        assert_eq!(
            (blocks[1].name, blocks[1].birth),
            (name_of(9), Sequence(1009))
        );
        assert_eq!(frames[0].records[1], WalkedRecord::Discard(discard()));
        let usage = log.measure(places[0].segment).unwrap();
        assert_eq!((usage.blocks, usage.last), (242, Sequence(1339)));
        assert!(usage.bytes > 242 * BLOCK as u64);
    };
    assert_eq!(more[0].segment, places[0].segment);
    check(&log);
    assert!(
        is_invalid(log.free(places[0].segment)),
        "it is being written"
    );
    drop(log);
    let (log, _) = machine.crash(1).open().unwrap();
    check(&log);
    let other = pack(&log, &[1]).unwrap();
    assert_ne!(
        other[0].segment, places[0].segment,
        "a start begins a new one"
    );
    log.free(places[0].segment).unwrap();
    assert!(log.read(places[0], &mut vec![0; BLOCK]).is_err());
}

#[test]
fn a_walk_of_the_log_says_names_and_births() {
    let (_machine, log) = begin(OpenOptions::default());
    let records = [
        Wanted::Data(50, vec![1, 2]),
        Wanted::Discard(3, 4),
        Wanted::Note("n".into()),
        Wanted::Data(70, vec![3]),
    ];
    append(&log, &records).unwrap();
    let frames = walk(&log, 1);
    let [
        WalkedRecord::Data { blocks, .. },
        WalkedRecord::Discard(discard),
        WalkedRecord::Change { sequence, .. },
        WalkedRecord::Data { blocks: last, .. },
    ] = &frames[0].records[..]
    else {
        panic!("{frames:?}");
    };
    assert_eq!((blocks[1].block, blocks[1].birth), (51, Sequence(1)));
    assert_eq!(blocks[1].name, blocks[1].at);
    assert_eq!((discard.block, discard.birth), (3, Sequence(2)));
    assert_eq!((*sequence, last[0].birth), (Sequence(3), Sequence(4)));
    let mut bytes = vec![0; BLOCK];
    log.read(last[0].name, &mut bytes).unwrap();
    assert_eq!(bytes, blocks_of(&[3]));
}

#[test]
fn packing_on_a_full_disk_leaves_nothing_and_goes_on_later() {
    for count in [5, 200] {
        for step in 0..4 {
            let (machine, log) = begin(OpenOptions::default());
            pack(&log, &(0..100).collect::<Vec<_>>()).unwrap();
            let full = io::ErrorKind::StorageFull;
            machine.disk.fail_writes_after(step, full);
            let next = (100..100 + count).collect::<Vec<_>>();
            let refused = pack(&log, &next).and_then(|_| pack(&log, &next));
            if let Err(error) = refused {
                assert_eq!(error.kind, ErrorKind::NoSpace, "{error}");
            }
            machine.disk.heal();
            let places = pack(&log, &[1000]).unwrap();
            log.sync_packed().unwrap();
            for machine in [machine.crash(1), machine] {
                let (log, _) = machine.crash(2).open().unwrap();
                for info in log.segments() {
                    let verified = log.verify_segment(info.number, 0, u64::MAX).unwrap();
                    assert_eq!((verified.damaged.len(), verified.broken_at), (0, None));
                }
                let mut bytes = vec![0; BLOCK];
                log.read(places[0], &mut bytes).unwrap();
                assert_eq!(bytes, blocks_of(&[1000]));
            }
        }
    }
}

#[test]
fn a_scrub_finds_flipped_bits_and_says_whose_they_are() {
    let (machine, log) = begin(OpenOptions::default());
    append(&log, &[Wanted::Data(10, vec![1; 3])]).unwrap();
    append(&log, &[Wanted::Data(20, vec![2; 3])]).unwrap();
    let places = pack(&log, &[5, 6]).unwrap();
    log.sync_packed().unwrap();
    log.flush().unwrap();
    let flip = |number: u32, at: u64| {
        let file = machine
            .disk
            .open(&format!("segments/{number:010}.seg"))
            .unwrap();
        let mut byte = [0];
        file.read_at(&mut byte, at).unwrap();
        file.write_at(&[IoSlice::new(&[byte[0] ^ 1])], at).unwrap();
    };
    let first = log.verify_segment(1, 0, 1).unwrap();
    assert_eq!((first.damaged.len(), first.next.is_some()), (0, true));
    let second = log.verify_segment(1, first.next.unwrap(), 1).unwrap();
    assert_eq!((second.next, second.broken_at), (None, None));
    let block = walk(&log, 1)[1].records[0].clone();
    let WalkedRecord::Data { blocks, .. } = block else {
        panic!("no data");
    };
    flip(1, blocks[1].at.offset() + 100);
    flip(places[1].segment, places[1].offset());
    let found = log.verify_segment(1, 0, u64::MAX).unwrap();
    assert_eq!(found.damaged.len(), 1);
    assert_eq!(
        (found.damaged[0].block, found.damaged[0].name),
        (21, blocks[1].name)
    );
    let found = log.verify_segment(places[1].segment, 0, u64::MAX).unwrap();
    assert_eq!(
        (found.damaged[0].block, found.damaged[0].name),
        (6, name_of(6))
    );
    assert_eq!(found.damaged[0].at, places[1]);
    let second = first.next.unwrap();
    flip(1, second + 20);
    assert_eq!(
        log.verify_segment(1, 0, u64::MAX).unwrap().broken_at,
        Some(second)
    );
}

#[test]
fn a_flush_syncs_only_what_is_new() {
    let (machine, log) = begin(OpenOptions::default());
    fill(&log, 0, 3);
    log.flush().unwrap();
    // Some zeroes ahead come with the first small flush, and last for many.
    append(&log, &[Wanted::Discard(1, 1)]).unwrap();
    log.flush().unwrap();
    let before = machine.disk.operations();
    log.flush().unwrap();
    log.sync_packed().unwrap();
    assert_eq!(machine.disk.operations(), before);
    append(&log, &[Wanted::Discard(1, 1)]).unwrap();
    log.flush().unwrap();
    assert_eq!(machine.disk.operations(), before + 2, "one write, one sync");
    pack(&log, &[1]).unwrap();
    let before = machine.disk.operations();
    log.flush().unwrap();
    assert_eq!(machine.disk.operations(), before);
    log.sync_packed().unwrap();
    log.sync_packed().unwrap();
    assert_eq!(machine.disk.operations(), before + 1);
}
