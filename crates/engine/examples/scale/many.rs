//! Many images, many snapshots, long chains; and a guest that writes meanwhile.

use std::sync::Arc;

use firebrick_edge::SystemClock;
use firebrick_engine::{Image, NewOrigin, Retention, Store, StoreOptions};
use firebrick_vocabulary::{BLOCK_SIZE, Bytes, GIB, ImageName, MIB};

use crate::support::{
    Numbers, Times, create, disk, image, ms, open, preparing, say_memory, snapshot_name, timed,
    write, writing,
};

/// Takes some checkpoints while a guest writes.
fn checkpoints(store: &Arc<Store>, image: &Arc<Image>, when: &str) {
    const COUNT: usize = 10;
    crate::locked::say("before");
    let prepares = preparing(store);
    let writes = writing(image);
    let mut times = Times::default();
    for _ in 0..COUNT {
        times.add(|| store.checkpoint().unwrap());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let writes = writes.end();
    prepares.end();
    times.say(&format!("checkpoint {when}"));
    crate::locked::say(when);
    writes.say(&format!("a guest's write {when}, checkpoints all the time"));
}

pub(crate) fn images(folder: &str, count: u64) {
    let store = create(folder);
    let guest = image(&store, "guest", 64 * MIB, None);
    write(&guest, 0);
    checkpoints(&store, &guest, "with one image");
    let mut times = Times::default();
    let mut made = Vec::new();
    for number in 0..count {
        let name = format!("image{number}");
        let image = times.add(|| image(&store, &name, GIB, None));
        write(&image, number);
        made.push(image);
    }
    times.say("create an image");
    let (done, took) = timed(|| store.checkpoint());
    done.unwrap();
    println!("checkpoint after {count} images: {:.0} ms", ms(took));
    checkpoints(&store, &guest, "with all images");
    let (listed, took) = timed(|| store.images().len());
    println!("list {listed} images: {:.1} ms", ms(took));
    let (_, took) = timed(|| store.space().unwrap());
    println!("space: {:.1} ms", ms(took));
    store.close().unwrap();
    drop((store, guest, made));
    window(folder);
    let (store, took) = timed(|| open(folder));
    println!("open with {count} images: {:.0} ms", ms(took));
    say_memory("with all images");
    let mut times = Times::default();
    for image in store.images() {
        times.add(|| store.remove_image(image.id()).unwrap());
    }
    times.say("remove an image");
    let (done, took) = timed(|| store.checkpoint());
    done.unwrap();
    println!("checkpoint after the removals: {:.0} ms", ms(took));
    crate::locked::say("after the removals");
    store.close().unwrap();
}

/// Checkpoints are kept and let go of while all images idle.
fn window(folder: &str) {
    let options = StoreOptions {
        retention: Retention::Log(Bytes(MIB)),
        ..StoreOptions::DEFAULT
    };
    let clock = Arc::new(SystemClock::new());
    let store = Store::open(disk(folder), clock, options).unwrap();
    let guest = store
        .image_named(&ImageName::new("guest").unwrap())
        .unwrap();
    store.checkpoint().unwrap();
    crate::locked::say("that is the first to be kept, with all images");
    checkpoints(&store, &guest, "with all images and a window");
    store.close().unwrap();
}

pub(crate) fn snapshots(folder: &str, count: u64) {
    let store = create(folder);
    let guest = image(&store, "guest", GIB, None);
    let mut numbers = Numbers::new(1);
    let mut times = Times::default();
    let mut takes = Vec::new();
    for number in 0..count {
        for _ in 0..4 {
            write(&guest, numbers.below(GIB / BLOCK_SIZE));
        }
        let (_, took) = timed(|| {
            times.add(|| {
                store
                    .create_snapshot(guest.id(), snapshot_name(number))
                    .unwrap()
            })
        });
        takes.push(ms(took));
        if number % 1000 == 999 {
            store.checkpoint().unwrap();
        }
    }
    times.say("take a snapshot");
    let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
    let tenth = takes.len() / 10;
    println!(
        "the first tenth {:.4} ms each, the last tenth {:.4} ms each",
        mean(&takes[..tenth]),
        mean(&takes[takes.len() - tenth..])
    );
    checkpoints(&store, &guest, "with all snapshots");
    let mut times = Times::default();
    let mut buffer = [0; 4096];
    for _ in 0..1000 {
        let block = numbers.below(GIB / BLOCK_SIZE);
        times.add(|| guest.read(block * BLOCK_SIZE, &mut buffer).unwrap());
    }
    times.say("read of the head");
    let (listed, took) = timed(|| store.snapshots(guest.id()).unwrap().len());
    println!("list {listed} snapshots: {:.1} ms", ms(took));
    store.close().unwrap();
    let id = guest.id();
    drop((store, guest));
    let (store, took) = timed(|| open(folder));
    println!("open with {count} snapshots: {:.0} ms", ms(took));
    say_memory("with all snapshots");
    let mut times = Times::default();
    for number in 0..count {
        times.add(|| store.remove_snapshot(id, &snapshot_name(number)).unwrap());
    }
    times.say("remove a snapshot");
    let mut times = Times::default();
    times.add(|| store.checkpoint().unwrap());
    while store.checkpoint_due() {
        times.add(|| store.checkpoint().unwrap());
    }
    times.say("checkpoints until all of it is gone");
    crate::locked::say("after the removals");
    store.close().unwrap();
}

pub(crate) fn chain(folder: &str, depth: u64) {
    const BLOCKS: u64 = GIB / BLOCK_SIZE;
    let store = create(folder);
    let mut youngest = image(&store, "depth1", GIB, None);
    let mut numbers = Numbers::new(1);
    for block in (0..BLOCKS).step_by(16) {
        write(&youngest, block);
    }
    let first = Arc::clone(&youngest);
    let mut clones = Times::default();
    for number in 2..=depth {
        store
            .create_snapshot(youngest.id(), snapshot_name(0))
            .unwrap();
        let origin = NewOrigin {
            image: youngest.id(),
            snapshot: Some(snapshot_name(0)),
            at: None,
        };
        youngest = clones.add(|| image(&store, &format!("depth{number}"), GIB, Some(origin)));
        write(&youngest, numbers.below(BLOCKS));
    }
    clones.say("clone of a clone");
    let names = [first.info().name, youngest.info().name];
    store.close().unwrap();
    drop((store, first, youngest));
    let store = open(folder);
    for name in names {
        let image = store.image_named(&name).unwrap();
        for when in ["first", "again"] {
            let mut numbers = Numbers::new(2);
            let mut times = Times::default();
            let mut buffer = [0; 4096];
            for _ in 0..2000 {
                let block = numbers.below(BLOCKS / 16) * 16;
                times.add(|| image.read(block * BLOCK_SIZE, &mut buffer).unwrap());
            }
            times.say(&format!("read of {name}, {when}"));
        }
    }
    checkpoints(
        &store,
        &store.image_named(&names_last(depth)).unwrap(),
        "at the end of a chain",
    );
    store.close().unwrap();
}

fn names_last(depth: u64) -> firebrick_vocabulary::ImageName {
    firebrick_vocabulary::ImageName::new(format!("depth{depth}")).unwrap()
}
