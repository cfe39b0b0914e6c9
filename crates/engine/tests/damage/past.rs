//! Rot in what only earlier states show: those of kept checkpoints, and those in between, which are made
//! of the records of that time.

use firebrick_engine::NewOrigin;
use firebrick_vocabulary::Sequence;

use super::*;

const WINDOW: Retention = Retention::Log(Bytes(64 * MIB));

/// What an image was at some record.
struct Then {
    at: Sequence,
    entries: BTreeSet<Seen>,
}

/// An image with four states of which only the newest is there now: those of two kept checkpoints, and
/// one between them.
fn lives(site: &mut Site, store: &Store, random: &mut StdRng) -> (ImageId, Vec<Then>) {
    let image = store.create_image(new_image(1)).unwrap();
    let mut states = Vec::new();
    for (blocks, kept) in [(100, true), (50, false), (50, true), (100, false)] {
        site.write(store, &image, 0, blocks, random);
        let map = image.map();
        states.push(Then {
            at: store.head().sequence,
            entries: entries(&map, image.id()).into_iter().collect(),
        });
        drop(map);
        if kept {
            store.checkpoint().unwrap();
        }
    }
    store.flush().unwrap();
    (image.id(), states)
}

/// The blocks of an earlier state that cannot be read; all others are what they were.
fn unreadable_then(store: &Store, site: &Site, image: ImageId, then: &Then) -> BTreeSet<Seen> {
    let id = ImageId::random();
    let new = NewImage {
        id,
        name: ImageName::new(format!("clone-{id}")).unwrap(),
        origin: Some(NewOrigin {
            image,
            snapshot: None,
            at: Some(then.at),
        }),
        ..new_image(1)
    };
    let clone = store.create_image(new).unwrap();
    let mut lost = BTreeSet::new();
    for seen in &then.entries {
        let mut read = vec![0; BLOCK];
        match clone.read(seen.1 * BLOCK as u64, &mut read) {
            Ok(()) => assert_eq!(site.elsewhere.0.get(&seen.3), Some(&read)),
            Err(error) => {
                assert_eq!(error.kind, ErrorKind::Damaged, "{error}");
                lost.insert(*seen);
            }
        }
    }
    drop(clone);
    store.remove_image(id).unwrap();
    lost
}

#[test]
fn rot_that_only_an_earlier_state_shows_is_found_and_repaired() {
    for seed in seeds(SEEDS) {
        let random = &mut StdRng::seed_from_u64(seed);
        let mut site = Site {
            disk: SimulatedDisk::new(),
            elsewhere: Elsewhere::default(),
            dead: Vec::new(),
        };
        let store = open_with(&site.disk, WINDOW);
        let (id, states) = lives(&mut site, &store, random);
        let of_each = states.iter().map(|then| then.entries.iter().copied());
        let hit: BTreeSet<Seen> = of_each
            .flat_map(|entries| entries.choose_multiple(random, 3))
            .collect();
        for (_, _, name, _) in &hit {
            site.flip(*name, random);
        }
        let found = scrub(&store, &NoSource, random);
        assert_eq!(places(&found), places_of(&hit), "seed {seed}");
        for then in &states {
            let lost: BTreeSet<Seen> = then.entries.intersection(&hit).copied().collect();
            assert_eq!(
                unreadable_then(&store, &site, id, then),
                lost,
                "seed {seed}"
            );
        }
        let repaired = scrub(&store, &site.elsewhere, random);
        assert!(repaired.iter().all(|rot| rot.repaired));
        assert_eq!(scrub(&store, &NoSource, random), Vec::new(), "seed {seed}");
        drop(store);

        // The copies stay while the states can be had: also where the cleaner comes along.
        site.disk = site.disk.crash(random.random());
        let store = open_with(&site.disk, WINDOW);
        let mut freed = 0;
        for _ in 0..8 {
            store.checkpoint().unwrap();
            freed += store.clean().unwrap().freed;
        }
        assert!(freed > 0, "seed {seed}: nothing was cleaned");
        for then in &states {
            let lost = unreadable_then(&store, &site, id, then);
            assert_eq!(lost, BTreeSet::new(), "seed {seed}");
        }
        assert_eq!(scrub(&store, &NoSource, random), Vec::new(), "seed {seed}");
    }
}
