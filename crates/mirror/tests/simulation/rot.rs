//! Bits that flip on a disk: nobody gets what they made of a block, and another site brings it back.

use std::io::IoSlice;
use std::sync::Arc;

use firebrick_edge::Disk as _;
use firebrick_engine::{Checksum, Entry, ErrorKind, ScrubCursor, Source, Store};
use firebrick_vocabulary::{BLOCK_SIZE, Bytes, ImageId, MIB};
use rand::Rng as _;
use rand::seq::IteratorRandom as _;

use crate::acts::Story;
use crate::world::{Outcome, World};

const BLOCK: usize = BLOCK_SIZE as usize;

/// Where a bit was flipped, and what stood there.
#[derive(Clone, Debug)]
pub(crate) struct Flipped {
    file: String,
    at: u64,
    byte: u8,
}

/// The other sites, which have good copies.
struct Others(Vec<Arc<Store>>);

impl Source for Others {
    fn fetch(&self, image: ImageId, block: u64, checksum: Checksum) -> Option<Vec<u8>> {
        let mut others = self.0.iter();
        others.find_map(|store| store.lend(image, block, checksum).ok()?)
    }
}

impl Story {
    /// A bit of a block flips at a site where another one has a good copy, and the site reads all that it has.
    pub(crate) fn flip(&mut self) -> Outcome {
        let world = &mut self.world;
        let Some(site) = world.running().into_iter().choose(&mut world.random) else {
            return Ok(());
        };
        if world.sites[site].ill {
            return Ok(());
        }
        let others = world.running().into_iter().filter(|other| *other != site);
        let others = Others(others.filter_map(|other| world.store(other)).collect());
        let Some((id, block, entry)) = world.some_block(site, &others)? else {
            return Ok(());
        };
        if !world.flip_in(site, entry) {
            return Ok(());
        }
        world.say(format!("a bit of block {block} of {id} flips at {site}"));
        let store = world.store(site).unwrap();
        let mut bytes = vec![0; BLOCK];
        let read = store
            .image(id)
            .and_then(|image| image.read(block * BLOCK_SIZE, &mut bytes));
        match read {
            Err(error) if error.kind == ErrorKind::Damaged || !world.sites[site].is_on() => {}
            // It lies elsewhere by now.
            Ok(()) if Checksum::of(&bytes) == entry.checksum => {
                world.unflip(site);
                return Ok(());
            }
            other => {
                return Err(format!(
                    "a flipped bit of {id} was read at {site}: {other:?}"
                ));
            }
        }
        let mut cursor = Some(ScrubCursor::default());
        while let Some(at) = cursor {
            let scrubbed = store.scrub(at, Bytes(MIB), &others);
            let Some(scrubbed) = world.blame(site, scrubbed)? else {
                return Ok(());
            };
            cursor = scrubbed.next;
        }
        let read = store
            .image(id)
            .and_then(|image| image.read(block * BLOCK_SIZE, &mut bytes));
        if world.blame(site, read)?.is_some() {
            if Checksum::of(&bytes) != entry.checksum {
                return Err(format!(
                    "block {block} of {id} was repaired wrongly at {site}"
                ));
            }
            // A start would take what rotted at the end of the log for what was never written.
            world.unflip(site);
        }
        Ok(())
    }
}

impl World {
    /// A block of an image at a site that another one has too.
    fn some_block(
        &mut self,
        site: usize,
        others: &Others,
    ) -> Outcome<Option<(ImageId, u64, Entry)>> {
        let store = self.store(site).unwrap();
        let images = self.images().into_iter();
        let here = images.filter(|id| store.image(*id).is_ok());
        let Some(id) = here.choose(&mut self.random) else {
            return Ok(None);
        };
        // Up to here everything is durable, so that nothing of it is written again.
        let source = store.copy_source(id);
        let Some(source) = self.blame(site, source)? else {
            return Ok(None);
        };
        let changed = source.head.changed_since(None, 0, usize::MAX);
        let Some(changed) = self.blame(site, changed)? else {
            return Ok(None);
        };
        let blocks = changed
            .into_iter()
            .filter_map(|it| Some((it.block, it.entry?)));
        let elsewhere =
            |(block, entry): &(u64, Entry)| others.fetch(id, *block, entry.checksum).is_some();
        let chosen = blocks.filter(elsewhere).choose(&mut self.random);
        Ok(chosen.map(|(block, entry)| (id, block, entry)))
    }

    /// Flips a bit of a block where it was first written; `false` where it lies elsewhere by now.
    fn flip_in(&mut self, site: usize, entry: Entry) -> bool {
        let bit = self.random.random_range(0..BLOCK * 8);
        let disk = &self.sites[site].disk;
        let name = format!("segments/{:010}.seg", entry.at.segment);
        let Ok(file) = disk.open(&name) else {
            return false;
        };
        let mut bytes = vec![0; BLOCK];
        let there = file.read_at(&mut bytes, entry.at.offset()).is_ok();
        if !there || Checksum::of(&bytes) != entry.checksum {
            return false;
        }
        let (at, byte) = (entry.at.offset() + bit as u64 / 8, bytes[bit / 8]);
        let flipped = Flipped {
            file: name,
            at,
            byte,
        };
        self.sites[site].flipped = Some(flipped);
        let other = byte ^ (1 << (bit % 8));
        let flipped = file.write_at(&[IoSlice::new(&[other])], at);
        flipped.and_then(|()| file.sync()).is_ok()
    }

    /// Puts back what stood where a bit was flipped, as far as it was not repaired before the power went.
    pub(crate) fn unflip(&mut self, site: usize) {
        let Some(flipped) = self.sites[site].flipped.take() else {
            return;
        };
        let Ok(file) = self.sites[site].disk.open(&flipped.file) else {
            return;
        };
        let back = file.write_at(&[IoSlice::new(&[flipped.byte])], flipped.at);
        if back.and_then(|()| file.sync()).is_err() {
            self.sites[site].flipped = Some(flipped);
        }
    }
}
