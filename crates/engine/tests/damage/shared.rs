//! Rot in what images share: another site may have it as one of them alone.

use firebrick_engine::NewOrigin;

use super::*;

/// Another site, asked as a peer is.
struct Lender(Arc<Store>);

impl Source for Lender {
    fn fetch(&self, image: ImageId, block: u64, checksum: Checksum) -> Option<Vec<u8>> {
        self.0.lend(image, block, checksum).unwrap()
    }
}

fn of(number: u128, origin: Option<&Image>, mirrored: bool) -> NewImage {
    let origin = origin.map(|origin| NewOrigin {
        image: origin.id(),
        snapshot: None,
        at: None,
    });
    NewImage {
        origin,
        mirrored,
        ..new_image(number)
    }
}

/// Writes ten blocks.
fn fill(image: &Image, first: u64, byte: u8) {
    for block in first..first + 10 {
        let data = [byte; BLOCK];
        let offset = block * BLOCK as u64;
        let write = Write {
            offset,
            data: &data,
        };
        image.write(&[write]).unwrap();
    }
}

fn snapshot(store: &Store, image: &Image) {
    let name = SnapshotName::new("snapshot").unwrap();
    store.create_snapshot(image.id(), name).unwrap();
}

fn flip_all(disk: &SimulatedDisk, seen: &BTreeSet<Seen>) {
    let site = Site {
        disk: disk.clone(),
        elsewhere: Elsewhere::default(),
        dead: Vec::new(),
    };
    let places: BTreeSet<Location> = seen.iter().map(|seen| seen.2).collect();
    for place in places {
        site.flip(place, &mut StdRng::seed_from_u64(7));
    }
}

/// Flips a bit in all that an image wrote: the other site has all of it.
fn is_repaired((store, disk): (&Store, &SimulatedDisk), image: &Image, other: Arc<Store>) {
    let rotten: BTreeSet<Seen> = entries(&image.map(), image.id()).into_iter().collect();
    assert!(!rotten.is_empty());
    flip_all(disk, &rotten);
    let random = &mut StdRng::seed_from_u64(1);
    let rot = scrub(store, &Lender(other), random);
    assert_eq!(places(&rot), places_of(&rotten));
    assert!(rot.iter().all(|rot| rot.repaired), "{rot:?}");
    assert_eq!(scrub(store, &NoSource, random), Vec::new());
}

/// The origin is no image of the other site, which has got the clone as a copy: one half of what it had in the beginning
/// is in a snapshot alone by now.
#[test]
fn what_clones_share_is_asked_for_as_theirs() {
    let (here, there) = (SimulatedDisk::new(), SimulatedDisk::new());
    let (store, other) = (open(&here), open(&there));
    let origin = store.create_image(of(1, None, false)).unwrap();
    fill(&origin, 0, 1);
    fill(&origin, 10, 2);
    let clone = store.create_image(of(2, Some(&origin), true)).unwrap();
    let copy = other.create_image(of(2, None, true)).unwrap();
    fill(&copy, 0, 1);
    fill(&copy, 10, 2);
    snapshot(&store, &clone);
    snapshot(&other, &copy);
    fill(&clone, 10, 3);
    fill(&copy, 10, 3);
    store.flush().unwrap();
    is_repaired((&store, &here), &origin, other);
}

/// What overwrote it has not arrived there: the clone shows it there, and here its origin alone does.
#[test]
fn what_a_clone_has_overwritten_is_asked_for_as_its_own_too() {
    let (here, there) = (SimulatedDisk::new(), SimulatedDisk::new());
    let (store, other) = (open(&here), open(&there));
    let origin = store.create_image(of(1, None, false)).unwrap();
    fill(&origin, 0, 1);
    let clone = store.create_image(of(2, Some(&origin), true)).unwrap();
    let copy = other.create_image(of(2, None, true)).unwrap();
    fill(&copy, 0, 1);
    fill(&clone, 0, 3);
    store.flush().unwrap();
    is_repaired((&store, &here), &origin, other);
}

/// The clone was promoted there before that heard that it is mirrored no more.
#[test]
fn what_is_mirrored_no_more_here_may_be_elsewhere_nevertheless() {
    let (here, there) = (SimulatedDisk::new(), SimulatedDisk::new());
    let (store, other) = (open(&here), open(&there));
    let origin = store.create_image(of(1, None, false)).unwrap();
    fill(&origin, 0, 1);
    let clone = store.create_image(of(2, Some(&origin), true)).unwrap();
    let copy = other.create_image(of(2, None, true)).unwrap();
    fill(&copy, 0, 1);
    store.set_mirroring(clone.id(), false).unwrap();
    store.flush().unwrap();
    is_repaired((&store, &here), &origin, other);
}

/// Once an origin is gone, and nothing but its clone looked at what it was, that is the clone's: no branch says any more
/// that the origin wrote it.
#[test]
fn what_became_a_clones_is_lent_as_its_origins() {
    let store = open(&SimulatedDisk::new());
    let origin = store.create_image(of(1, None, true)).unwrap();
    fill(&origin, 0, 1);
    let clone = store.create_image(of(2, Some(&origin), true)).unwrap();
    fill(&clone, 5, 2);
    let wanted = Checksum::of(&[1; BLOCK]);
    let id = origin.id();
    drop(origin);
    store.remove_image(id).unwrap();
    for _ in 0..8 {
        store.checkpoint().unwrap();
        // Without a change there would be no other one.
        fill(&clone, 20, 3);
    }
    assert_eq!(store.lend(id, 0, wanted).unwrap(), Some(vec![1; BLOCK]));
    assert_eq!(
        store.lend(id, 7, wanted).unwrap(),
        None,
        "it is overwritten"
    );
}
