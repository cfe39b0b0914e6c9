//! A map against a plain tree of blocks.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn entry(n: u64) -> Entry {
    Entry {
        at: Location {
            segment: 1,
            unit: n as u32,
        },
        checksum: Checksum(n as u32),
    }
}

#[derive(Clone, Debug)]
enum Step {
    Set(u64, u64),
    Clear(u64, u64),
}

fn step() -> impl Strategy<Value = Step> {
    let block = 0..(NODE_BLOCKS + 2000);
    prop_oneof![
        (block.clone(), 1..1_000_000_u64).prop_map(|(block, n)| Step::Set(block, n)),
        (block, 1..3000_u64).prop_map(|(block, len)| Step::Clear(block, len)),
    ]
}

proptest! {
    #[test]
    fn a_map_is_what_was_set(before in prop::collection::vec(step(), 0..60),
                             after in prop::collection::vec(step(), 0..60)) {
        let mut map = BlockMap::default();
        let mut model = BTreeMap::new();
        let mut run = |map: &mut BlockMap, steps: &[Step]| {
            for step in steps {
                match *step {
                    Step::Set(block, n) => {
                        map.set(block, entry(n));
                        model.insert(block, n);
                    }
                    Step::Clear(block, len) => {
                        map.clear(block, block + len);
                        model.retain(|at, _| !(block..block + len).contains(at));
                    }
                }
            }
            model.clone()
        };
        let older_model = run(&mut map, &before);
        let older = MapView { map: map.clone(), blocks: 0 };
        let model = run(&mut map, &after);
        let newer = MapView { map: map.clone(), blocks: 0 };

        prop_assert_eq!(map.mapped, model.len() as u64);
        let mapped: Vec<u64> = {
            let mut found = Vec::new();
            let mut from = 0;
            while let Some(block) = map.next_mapped(from, u64::MAX >> 1) {
                found.push(block);
                from = block + 1;
            }
            found
        };
        prop_assert_eq!(mapped, model.keys().copied().collect::<Vec<_>>());
        let mut changed = BTreeMap::new();
        let mut from = 0;
        loop {
            let some = newer.changed_since(Some(&older), from, 7);
            let Some(last) = some.last() else { break };
            from = last.block + 1;
            changed.extend(some.iter().map(|c| (c.block, c.entry)));
        }
        for block in older_model.keys().chain(model.keys()) {
            let now = model.get(block).map(|n| entry(*n));
            let then = older_model.get(block).map(|n| entry(*n));
            prop_assert_eq!(changed.get(block).copied(), (now != then).then_some(now));
            prop_assert_eq!(map.get(*block).some(), now);
        }
    }
}
