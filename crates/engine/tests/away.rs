//! A reader for which the log was not kept: what is known of what it lacks, and how it takes that over,
//! also over power cuts.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

use std::sync::Arc;
use std::time::Duration;

use firebrick_edge::{Disk, SystemClock};
use firebrick_engine::{
    Checksum, CopyImage, Error, NewImage, PeerRecord, Served, Store, StoreOptions, Target, Write,
    staged,
};
use firebrick_log::{Applied, Change, Promotion};
use firebrick_simulate::SimulatedDisk;
use firebrick_vocabulary::{
    Bytes, Epoch, ImageId, ImageName, MIB, Role, Sequence, StoreId, SyncMode, SyncPolicy, SyncState,
};

const BLOCK: usize = 4096;
const BLOCKS: u64 = 64;
const PEER: &str = "b";
const OPTIONS: StoreOptions = StoreOptions {
    segment_bytes: MIB,
    ..StoreOptions::DEFAULT
};

fn disk() -> SimulatedDisk {
    let disk = SimulatedDisk::new();
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    Store::create(&shared, StoreId::random(), &OPTIONS).unwrap();
    disk
}

fn open(disk: &SimulatedDisk) -> Arc<Store> {
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    Store::open(shared, Arc::new(SystemClock::new()), OPTIONS).unwrap()
}

fn mirrored(store: &Store, name: &str) -> ImageId {
    let id = ImageId::random();
    let new = NewImage {
        id,
        name: ImageName::new(name).unwrap(),
        size: Bytes(BLOCKS * BLOCK as u64),
        origin: None,
        mirrored: true,
    };
    store.create_image(new).unwrap();
    id
}

/// What the log of a site says that was made primary by force.
fn promoted(
    described: CopyImage,
    epoch: Epoch,
    origin: Option<Applied>,
) -> [PeerRecord<'static>; 2] {
    let promotion = Promotion {
        image: described.image,
        epoch,
        origin,
        forced: true,
        after: None,
    };
    let images = vec![promotion];
    [
        PeerRecord::Describe(described),
        PeerRecord::Change(Change::Promote { images }),
    ]
}

fn fill(store: &Store, image: ImageId, blocks: std::ops::Range<u64>, value: u8) {
    let image = store.image(image).unwrap();
    for block in blocks {
        let write = Write {
            offset: block * BLOCK as u64,
            data: &[value; BLOCK],
        };
        image.write(&[write]).unwrap();
    }
}

/// One byte of each block.
fn content(store: &Store, image: ImageId) -> Vec<u8> {
    let image = store.image(image).unwrap();
    let mut data = vec![0; image.size().0 as usize];
    image.read(0, &mut data).unwrap();
    data.chunks_exact(BLOCK).map(|block| block[0]).collect()
}

fn target(served: &Served) -> Target {
    Target {
        image: served.image.clone(),
        demoted: served.demoted,
        origin: served.origin,
        snapshots: Vec::new(),
    }
}

/// Takes over what differs, as a mirror does; how many blocks that were.
fn catch_up(from: &Store, to: &Store) -> Result<usize, Error> {
    let difference = from.difference(PEER, to.applied(from.id()))?;
    let targets: Vec<Target> = difference.images.iter().map(target).collect();
    let held = to.held(from.id())?;
    let mut copied = 0;
    for served in &difference.images {
        let id = served.image.image;
        let knows = held.iter().any(|held| held.image == id);
        let base = difference.base(served, None).filter(|_| knows);
        to.stage(from.id(), &served.image, None)?;
        let head = difference.head(served);
        for changed in head.changed_since(base.as_ref(), 0, usize::MAX)? {
            let mut data = vec![0; BLOCK];
            head.read_blocks(changed.block, &mut data)?;
            let record = PeerRecord::Data {
                image: staged(id),
                block: changed.block,
                data: &data,
                checksums: vec![Checksum::of(&data)],
            };
            to.copy_apply(from.id(), staged(id), &[record], None)?;
            copied += 1;
        }
    }
    let ended = (&difference.others[..], &difference.ended[..]);
    to.adopt(from.id(), difference.position, &targets, ended)?;
    to.flush()?;
    difference.complete();
    Ok(copied)
}

/// The log is let go of for a reader that has all that is there.
fn let_go(store: &Store) {
    let head = store.flush().unwrap().sequence;
    store.keep_from(PEER, head);
    store.checkpoint().unwrap();
    store.let_go(PEER, head).unwrap();
}

fn trim(store: &Store) {
    store.checkpoint().unwrap();
    while store.clean().unwrap().freed > 0 {}
}

#[test]
fn a_difference_is_there_as_a_whole_or_not_at_all_wherever_power_is_cut() {
    let a = open(&disk());
    let images = [mirrored(&a, "one"), mirrored(&a, "other")];
    for image in images {
        fill(&a, image, 0..BLOCKS, 1);
    }
    let (mut before, mut after) = (0, 0);
    for reach in (1..).step_by(3) {
        let disk = disk();
        let b = open(&disk);
        catch_up(&a, &b).unwrap();
        let first = b.applied(a.id());
        for image in images {
            fill(&a, image, 5..15, reach as u8);
        }
        disk.stop_after(reach);
        let done = catch_up(&a, &b);
        disk.heal();
        drop(b);
        let b = open(&disk.crash(reach));
        let now = images.map(|id| content(&b, id));
        let applied = b.applied(a.id());
        let whole = now.clone().map(|blocks| blocks[5..15].to_vec());
        if applied == first {
            assert!(done.is_err(), "what was flushed is there");
            before += 1;
        } else {
            assert_eq!(
                whole,
                [vec![reach as u8; 10], vec![reach as u8; 10]],
                "{reach}"
            );
            after += 1;
        }
        assert_eq!(whole[0], whole[1], "{reach}: one of two images");
        for id in images {
            let info = b.image(id).unwrap().info();
            assert!(info.sync.is_consistent() && info.role == Role::Secondary);
        }
        // Whatever was staged is of use, or of no harm.
        catch_up(&a, &b).unwrap();
        assert_eq!(
            images.map(|id| content(&b, id)),
            images.map(|id| content(&a, id))
        );
        assert_eq!(b.images().len(), 2, "nothing is left of it");
        if done.is_ok() {
            break;
        }
    }
    assert!(before > 10 && after > 0, "{before} before, {after} after");
}

#[test]
fn what_is_known_of_a_reader_survives_power_cuts_and_takes_bounded_room() {
    let disk = disk();
    let a = open(&disk);
    let image = mirrored(&a, "one");
    let b = open(&self::disk());
    fill(&a, image, 0..BLOCKS, 1);
    a.keep_for(PEER);
    catch_up(&a, &b).unwrap();
    let_go(&a);
    assert!(a.is_let_go(PEER));
    for round in 0..40 {
        fill(&a, image, 0..10, round);
        fill(&a, image, 0..BLOCKS, round);
        if round % 8 == 0 {
            trim(&a);
        }
    }
    fill(&a, image, 20..BLOCKS, 1);
    trim(&a);
    assert!(!a.log_reaches(b.applied(a.id()).next()), "the log is gone");
    let used = a.space().unwrap().used.0;
    assert!(used <= 8 * MIB, "{used}: much more was written");
    drop(a);
    for seed in 0..5 {
        let a = open(&disk.crash(seed));
        assert!(a.is_let_go(PEER));
        trim(&a);
        let b = open(&self::disk());
        catch_up(&a, &b).unwrap();
        assert_eq!(content(&a, image), content(&b, image));
    }
    let a = open(&disk.crash(9));
    assert_eq!(
        catch_up(&a, &b).unwrap(),
        BLOCKS as usize,
        "all were written since"
    );
    let_go(&a);
    fill(&a, image, 4..7, 78);
    trim(&a);
    assert_eq!(catch_up(&a, &b).unwrap(), 3);
    assert_eq!(content(&a, image)[4..7], [78; 3]);
    assert!(a.log_reaches(b.applied(a.id()).next()), "it is kept again");
}

#[test]
fn what_reached_a_reader_and_was_not_confirmed_is_named() {
    let a = open(&disk());
    let image = mirrored(&a, "one");
    fill(&a, image, 0..8, 1);
    let head = a.flush().unwrap().sequence;
    a.keep_from(PEER, head);
    a.checkpoint().unwrap();
    fill(&a, image, 30..33, 2);
    let reached = a.head().sequence;
    let whole = a.image(image).unwrap();
    whole.discard(30 * BLOCK as u64, 3 * BLOCK as u64).unwrap();
    a.let_go(PEER, reached).unwrap();
    trim(&a);
    let difference = a.difference(PEER, reached).unwrap();
    let served = &difference.images[0];
    assert_eq!(difference.loose(served), [(30, 3)]);
    let base = difference.base(served, None).unwrap();
    let head = difference.head(served);
    // They are holes again, as they were: only the log knew that they had been written.
    assert!(head.changed_since(Some(&base), 0, 9).unwrap().is_empty());
    drop(difference);
    a.keep_from(PEER, Sequence(1));
    assert!(a.is_let_go(PEER), "what was before is gone");
}

/// The primary remembers what it knew at its last checkpoint alone, and its reader has more since.
#[test]
fn a_reader_that_has_more_than_is_remembered_is_compared_as_a_whole() {
    let disk = disk();
    let a = open(&disk);
    let image = mirrored(&a, "one");
    fill(&a, image, 0..4, 1);
    let has = a.flush().unwrap().sequence;
    a.keep_from(PEER, has);
    a.checkpoint().unwrap();
    a.let_go(PEER, has).unwrap();
    a.checkpoint().unwrap();
    fill(&a, image, 4..8, 2);
    let more = a.flush().unwrap().sequence;
    drop(a);
    let a = open(&disk.crash(1));
    for (has, known) in [(has, true), (more, false)] {
        let difference = a.difference(PEER, has).unwrap();
        let base = difference.base(&difference.images[0], None);
        assert_eq!(base.is_some(), known);
    }
}

#[test]
fn who_was_let_go_of_is_not_sent_a_log_of_which_it_is_forgotten_what_ended() {
    let disk = disk();
    let a = open(&disk);
    let (image, other) = (mirrored(&a, "one"), mirrored(&a, "other"));
    let has = a.flush().unwrap().sequence;
    a.keep_from(PEER, has);
    a.let_go(PEER, has).unwrap();
    a.remove_image(image).unwrap();
    fill(&a, other, 0..1, 1);
    let head = a.flush().unwrap().sequence;
    // Whoever reads on has all of that.
    a.keep_from("c", head);
    assert!(a.log_serves(has.next()), "nothing is forgotten yet");
    a.checkpoint().unwrap();
    assert!(!a.log_serves(has.next()), "nobody would be told of the end");
    assert!(a.log_serves(head.next()));
    a.close().unwrap();
    drop(a);
    let a = open(&disk);
    assert!(a.log_reaches(has.next()), "its records are there");
    assert!(!a.log_serves(has.next()));
}

#[test]
fn what_turned_to_another_site_while_a_difference_came_gives_way_where_that_is_newer() {
    let (a, b) = (open(&disk()), open(&disk()));
    let image = mirrored(&a, "one");
    fill(&a, image, 0..4, 1);
    let third = StoreId::random();
    let described = a.describe(image).unwrap();
    let follow = |peer, epoch: u64| {
        let records = promoted(described.clone(), Epoch(epoch), None);
        b.apply(peer, Sequence(epoch), &records).unwrap();
    };
    follow(third, 5);
    let target = |epoch: u64| {
        let mut image = described.clone();
        image.epoch = Epoch(epoch);
        let (demoted, origin, snapshots) = (false, None, Vec::new());
        vec![Target {
            image,
            demoted,
            origin,
            snapshots,
        }]
    };
    let upstream = || b.image(image).unwrap().info().upstream;
    b.adopt(a.id(), Sequence(8), &target(4), (&[], &[]))
        .unwrap();
    assert_eq!(upstream(), Some(third), "an older one is no news");
    b.adopt(a.id(), Sequence(9), &target(7), (&[], &[]))
        .unwrap();
    assert_eq!(upstream(), Some(a.id()));
    assert_eq!(b.copying(a.id()), vec![image]);
}

/// An image that turns to another peer while its former one sends what differs.
#[test]
fn what_one_peer_stages_is_none_of_another_ones() {
    let (former, peer) = (open(&disk()), open(&disk()));
    let site = open(&disk());
    let image = mirrored(&former, "disk");
    fill(&former, image, 0..BLOCKS, 1);
    for follower in [&peer, &site] {
        catch_up(&former, follower).unwrap();
    }
    let difference = former.difference(PEER, site.applied(former.id())).unwrap();
    let late: Vec<Target> = difference.images.iter().map(target).collect();
    // The former primary has begun, too.
    site.stage(former.id(), &late[0].image, None).unwrap();
    peer.promote(&[image], true).unwrap().remove(0).1.unwrap();
    fill(&peer, image, 0..1, 2);

    let difference = peer.difference(PEER, Sequence::ZERO).unwrap();
    let served = &difference.images[0];
    let target = target(served);
    site.give_way(peer.id(), std::slice::from_ref(&target), &[])
        .unwrap();
    site.stage(peer.id(), &served.image, None).unwrap();
    let data = [2; BLOCK];
    let record = PeerRecord::Data {
        image: staged(image),
        block: 0,
        data: &data,
        checksums: vec![Checksum::of(&data)],
    };
    site.copy_apply(peer.id(), staged(image), &[record], None)
        .unwrap();
    site.adopt(former.id(), former.head().sequence, &late, (&[], &[]))
        .unwrap();
    let adopted = site.adopt_one(peer.id(), &target, difference.position);
    assert!(adopted.unwrap());
    assert_eq!(content(&site, image), content(&peer, image));
}

/// Two sites were primary, and the later one removed the image before it heard of the other.
#[test]
fn what_ended_in_a_later_reign_does_not_come_back() {
    let (a, b) = (open(&disk()), open(&disk()));
    let image = mirrored(&a, "one");
    fill(&a, image, 0..4, 1);
    catch_up(&a, &b).unwrap();
    for site in [&b, &a] {
        site.promote(&[image], true).unwrap()[0].1.unwrap();
    }
    a.remove_image(image).unwrap();

    // By what the log of the other one says,
    let described = b.describe(image).unwrap();
    let epoch = described.epoch;
    let records = promoted(described, epoch, None);
    let followed = a.apply(b.id(), Sequence(1), &records).unwrap();
    assert!(a.image(image).is_err());
    assert!(followed.passed_over.contains(&image));
    // or by a difference.
    let difference = b.difference(PEER, a.applied(b.id())).unwrap();
    let targets: Vec<Target> = difference.images.iter().map(target).collect();
    let held = a.held_elsewhere(b.id(), &targets);
    assert!(
        held.len() == 1 && held[0].elsewhere,
        "nothing of it is sent"
    );
    let ended = (&difference.others[..], &difference.ended[..]);
    a.adopt(b.id(), difference.position, &targets, ended)
        .unwrap();
    assert!(a.image(image).is_err());

    // It is the other one where it ends.
    let ended = a.ended_behind(b.applied(a.id()));
    b.adopt(a.id(), a.head().sequence, &[], (&[], &ended))
        .unwrap();
    assert!(b.image(image).is_err());
}

/// An image that turned to an older primary, of which it heard late, while the newer one sent what differs.
#[test]
fn what_is_staged_of_a_newer_primary_is_wanted_again_by_who_turned_away() {
    let (primary, former, site) = (open(&disk()), open(&disk()), open(&disk()));
    let image = mirrored(&primary, "disk");
    fill(&primary, image, 0..BLOCKS, 1);
    for follower in [&former, &site] {
        catch_up(&primary, follower).unwrap();
    }
    for site in [&former, &primary] {
        site.promote(&[image], true).unwrap()[0].1.unwrap();
    }
    assert!(site.copy_again(primary.id(), image).unwrap());
    let difference = primary.difference(PEER, Sequence::ZERO).unwrap();
    let served = &difference.images[0];
    site.stage(primary.id(), &served.image, None).unwrap();

    let heard = former.difference("site", Sequence::ZERO).unwrap();
    site.give_way(former.id(), &[target(&heard.images[0])], &[])
        .unwrap();
    let follows = || site.image(image).unwrap().info().upstream;
    let sync = || site.image(image).unwrap().info().sync;
    assert_eq!(follows(), Some(former.id()));
    let at = difference.position;
    let far = SyncState::Copying { next_block: 9, at };
    site.copy_apply(primary.id(), image, &[], Some(far))
        .unwrap();
    assert_eq!(sync(), SyncState::NOTHING_COPIED, "that is no copy of it");
    let adopted = site.adopt_one(primary.id(), &target(served), at).unwrap();
    assert!(!adopted, "it was no copy of what follows that one");
    assert_eq!(follows(), Some(primary.id()));
    assert_eq!(site.copying(primary.id()), [image]);
    assert_eq!(sync(), SyncState::NOTHING_COPIED);
    assert!(site.staged_map(image).is_err(), "nothing is left of it");
}

/// Should that not be completed now, the peer must hear that the image goes on by way of it.
#[test]
fn what_is_staged_by_way_of_another_site_says_so_at_once() {
    let (primary, between, end) = (open(&disk()), open(&disk()), open(&disk()));
    let image = mirrored(&primary, "disk");
    catch_up(&primary, &between).unwrap();
    let described = between.describe(image).unwrap();
    end.stage(between.id(), &described, None).unwrap();
    let info = end.image(image).unwrap().info();
    assert_eq!(info.upstream, Some(between.id()));
    assert_eq!(info.leader, Some(primary.id()));
}

/// A difference made a point of the newest record. A former primary returned to that, and its power went before any
/// checkpoint told of it; the log that leads there from the beginning is gone.
#[test]
fn a_return_to_a_point_that_no_checkpoint_knows_is_made_again_after_a_crash() {
    let disk = disk();
    let a = open(&disk);
    let image = mirrored(&a, "one");
    for value in 0..12 {
        fill(&a, image, 0..BLOCKS, value);
    }
    trim(&a);
    assert!(a.log_begins() > Sequence(100), "its beginning is freed");
    fill(&a, image, 0..4, 20);
    let at = a.flush().unwrap().sequence;
    let then = content(&a, image);
    let difference = a.difference(PEER, Sequence::ZERO).unwrap();
    fill(&a, image, 2..8, 30);
    let described = a.describe(image).unwrap();
    let origin = Applied {
        peer: a.id(),
        sequence: at,
    };
    let epoch = described.epoch.next().next();
    let records = promoted(described, epoch, Some(origin));
    a.apply(StoreId::random(), Sequence(1), &records).unwrap();
    assert_eq!(content(&a, image), then);
    a.flush().unwrap();
    drop(difference);
    drop(a);
    let a = open(&disk.crash(1));
    assert_eq!(content(&a, image), then);
}

/// Once this site reads the primary itself, flushes there wait for it: nobody between them says what is here.
#[test]
fn an_image_in_sync_mode_that_came_by_way_turns_to_a_primary_that_is_read() {
    let (primary, between, end) = (open(&disk()), open(&disk()), open(&disk()));
    let images = ["waits", "goes on"].map(|name| mirrored(&primary, name));
    let mode = SyncMode::new(SyncPolicy::Block, Duration::from_secs(1)).unwrap();
    primary.set_sync_mode(images[0], Some(mode)).unwrap();
    catch_up(&primary, &between).unwrap();
    let difference = between.difference_of(PEER, Sequence::ZERO, None, &|_, _| true);
    let targets: Vec<Target> = difference.unwrap().images.iter().map(target).collect();
    for target in &targets {
        end.stage(between.id(), &target.image, None).unwrap();
    }
    end.adopt(between.id(), Sequence(1), &targets, (&[], &[]))
        .unwrap();
    let of = |image| end.image(image).unwrap().info();
    for image in images {
        assert_eq!(of(image).upstream, Some(between.id()));
    }
    end.follow_directly(primary.id()).unwrap();
    let [waits, goes_on] = images.map(of);
    assert_eq!((waits.upstream, waits.leader), (Some(primary.id()), None));
    assert_eq!(end.copying(primary.id()), [images[0]]);
    assert_eq!(goes_on.upstream, Some(between.id()));
    assert!(goes_on.sync.is_consistent());
}

/// A peer that does not read this log never hears that: what it mirrors anew comes again.
#[test]
fn what_ended_here_comes_again_from_a_peer_that_hears_nothing() {
    let (a, b) = (open(&disk()), open(&disk()));
    let image = mirrored(&a, "one");
    catch_up(&a, &b).unwrap();
    b.promote(&[image], true).unwrap()[0].1.unwrap();
    b.remove_image(image).unwrap();
    let records = [
        PeerRecord::Describe(a.describe(image).unwrap()),
        PeerRecord::Change(Change::Mirroring {
            image,
            enabled: true,
        }),
    ];
    let at = b.applied(a.id());
    let mirrors = |hears, at| {
        b.set_hearing(a.id(), hears);
        b.apply(a.id(), at, &records).unwrap();
        b.image(image).is_ok()
    };
    assert!(!mirrors(true, at.next()));
    assert!(mirrors(false, at.next().next()));
}
