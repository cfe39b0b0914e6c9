//! One large image.

use std::sync::Arc;
use std::time::{Duration, Instant};

use firebrick_engine::{Image, NewOrigin, Store, StoreOptions};
use firebrick_index::{Index, IndexOptions, Step, View};
use firebrick_vocabulary::{BLOCK_SIZE, ImageId, ImageName, Sequence};

use crate::make::BRANCH;
use crate::support::{
    self, BLOCK, Numbers, Times, disk, image, ms, preparing, say_memory, snapshot_name, timed,
    write, written,
};

fn opened(folder: &str) -> (Arc<Store>, Arc<Image>) {
    let (store, took) = timed(|| support::open(folder));
    println!("open: {:.0} ms", ms(took));
    let image = store.image_named(&ImageName::new("large").unwrap());
    let image = image.unwrap();
    (store, image)
}

pub(crate) fn open(folder: &str) {
    let (store, _image) = opened(folder);
    say_memory("after opening");
    store.close().unwrap();
}

/// Looks random blocks up for the first time, and again; and reads some.
pub(crate) fn lookups(folder: &str, count: u64) {
    const FEW: u64 = 5000;
    index_lookups(folder, count, FEW);
    let (_store, image) = opened(folder);
    let mut numbers = Numbers::new(3);
    let mut times = Times::default();
    let mut buffer = [1; BLOCK];
    for _ in 0..count / 10 {
        let block = numbers.below(image.size().0 / BLOCK_SIZE);
        times.add(|| image.read(block * BLOCK_SIZE, &mut buffer).unwrap());
        assert_eq!(buffer, [0; BLOCK]);
    }
    times.say("read of a block (of a hole in its segment), anywhere");
    say_memory("after reading");
}

fn index_lookups(folder: &str, count: u64, few: u64) {
    let default = StoreOptions::DEFAULT.cache_bytes;
    let options = IndexOptions {
        cache_bytes: default / 4 * 3,
        pages_bytes: default / 4,
    };
    let index = Index::open(&disk(folder), options).unwrap();
    let view = View::new([Step {
        branch: BRANCH,
        before: Sequence(u64::MAX),
        blocks: u64::MAX,
    }]);
    // It is a power of two, and nothing lies behind it.
    let mapped = |bits: &u32| {
        matches!(
            index.next_mapped(&view, (1 << bits) - 1, 1 << bits),
            Ok(Some(_))
        )
    };
    let blocks = 1u64 << (10..40).rev().find(mapped).unwrap();
    let mut found = Vec::new();
    let mut some = |seed, count, what: &str| {
        let mut numbers = Numbers::new(seed);
        let mut times = Times::default();
        for _ in 0..count {
            let block = numbers.below(blocks);
            found.clear();
            times.add(|| index.get(&view, block, 1, &mut found).unwrap());
            assert!(found[0].is_some(), "everything is mapped");
        }
        times.say(what);
    };
    some(1, few, "lookup, cold");
    some(1, few, "lookup, resident");
    some(2, count, "lookup, anywhere");
    some(1, few, "lookup, not resident, file in the system's cache");
    say_memory("of the index after them");
}

/// Overwrites random blocks while checkpoints are taken as a site takes them.
pub(crate) fn overwrite(folder: &str, seconds: u64) {
    let (store, image) = opened(folder);
    let prepares = preparing(&store);
    let checkpoints = {
        let store = Arc::clone(&store);
        support::Loop::new(move |taken: &mut Vec<Duration>| {
            if store.checkpoint_due() {
                let (done, took) = timed(|| store.checkpoint());
                done.unwrap();
                taken.push(took);
            } else {
                std::thread::sleep(Duration::from_millis(5));
            }
        })
    };
    let blocks = image.size().0 / BLOCK_SIZE;
    let mut numbers = Numbers::new(4);
    let mut times = Times::default();
    let before = written();
    let start = Instant::now();
    let mut count = 0u64;
    while start.elapsed().as_secs() < seconds {
        let block = numbers.below(blocks);
        times.add(|| write(&image, block));
        count += 1;
    }
    let rate = count as f64 / start.elapsed().as_secs_f64();
    let taken = checkpoints.end();
    prepares.end();
    let (done, last) = timed(|| store.checkpoint());
    done.unwrap();
    println!("random overwrites of 4 KiB: {rate:.0} a second");
    times.say("an overwrite");
    crate::locked::say("meanwhile");
    let taken: Vec<String> = taken
        .iter()
        .map(|took| format!("{:.1}", took.as_secs_f64()))
        .collect();
    println!(
        "checkpoints meanwhile: {} s; the last: {:.1} s",
        taken.join(", "),
        last.as_secs_f64()
    );
    println!(
        "written to the disk: {:.2} bytes for each of the guest's",
        (written() - before) as f64 / (count * BLOCK_SIZE) as f64
    );
    say_memory("after them");
    store.close().unwrap();
}

/// Snapshot, clone and rollback, and their end.
pub(crate) fn points(folder: &str) {
    const COUNT: u64 = 20;
    let (store, large) = opened(folder);
    let id: ImageId = large.id();
    let (mut snaps, mut clones, mut backs) = (Times::default(), Times::default(), Times::default());
    let (mut unsnaps, mut unclones) = (Times::default(), Times::default());
    let mut made = Vec::new();
    for number in 0..COUNT {
        write(&large, number);
        snaps.add(|| store.create_snapshot(id, snapshot_name(number)).unwrap());
        let origin = NewOrigin {
            image: id,
            snapshot: Some(snapshot_name(number)),
            at: None,
        };
        let size = large.size().0;
        made.push(clones.add(|| image(&store, &format!("clone{number}"), size, Some(origin))));
        write(&large, number);
        backs.add(|| store.roll_back(id, &snapshot_name(number)).unwrap());
    }
    let (done, took) = timed(|| store.checkpoint());
    done.unwrap();
    for (number, clone) in (0..).zip(made) {
        unclones.add(|| store.remove_image(clone.id()).unwrap());
        unsnaps.add(|| store.remove_snapshot(id, &snapshot_name(number)).unwrap());
    }
    let (done, again) = timed(|| store.checkpoint());
    done.unwrap();
    snaps.say("snapshot");
    clones.say("clone");
    backs.say("rollback");
    unclones.say("removal of a clone");
    unsnaps.say("removal of a snapshot");
    println!(
        "checkpoint after it: {:.0} ms, after the removals: {:.0} ms",
        ms(took),
        ms(again)
    );
    store.close().unwrap();
}
