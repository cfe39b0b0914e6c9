//! What is being written is read by a scrub, too, as far as it is durable.

use super::*;

#[test]
fn rot_in_the_newest_segment_is_found_once_what_lies_there_is_durable() {
    for seed in seeds(SEEDS) {
        let random = &mut StdRng::seed_from_u64(seed);
        let mut site = Site {
            disk: SimulatedDisk::new(),
            elsewhere: Elsewhere::default(),
            dead: Vec::new(),
        };
        let store = open(&site.disk);
        let image = store.create_image(new_image(1)).unwrap();
        site.write(&store, &image, 0, 20, random);
        let before = entries(&image.map(), image.id());
        // Of this nobody knows yet what a power cut leaves.
        let block = [7; BLOCK];
        let offset = 100 * BLOCK as u64;
        let data = &block;
        image.write(&[Write { offset, data }]).unwrap();
        let map = image.map();
        let all: BTreeSet<Seen> = entries(&map, image.id()).into_iter().collect();
        let new = all.iter().find(|seen| seen.1 == 100).unwrap();
        drop(map);
        let old = before.iter().choose(random).unwrap();
        site.flip(old.2, random);
        site.flip(new.2, random);
        let found = scrub(&store, &NoSource, random);
        assert_eq!(
            places(&found),
            places_of(&BTreeSet::from([*old])),
            "seed {seed}"
        );
        store.flush().unwrap();
        let found = scrub(&store, &NoSource, random);
        assert_eq!(
            places(&found),
            places_of(&BTreeSet::from([*old, *new])),
            "seed {seed}"
        );

        let repaired = scrub(&store, &site.elsewhere, random);
        assert_eq!(
            repaired.iter().filter(|rot| rot.repaired).count(),
            1,
            "seed {seed}"
        );
        // The copy lies in a packed segment that is still being written.
        let packed = Location {
            segment: new.2.segment + 1,
            unit: 2,
        };
        site.flip(packed, random);
        let found = scrub(&store, &NoSource, random);
        assert_eq!(
            places(&found),
            places_of(&BTreeSet::from([*old, *new])),
            "seed {seed}"
        );
    }
}
