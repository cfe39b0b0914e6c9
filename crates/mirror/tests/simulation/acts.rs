//! What guests, users, operators and chance do.

use std::collections::BTreeMap;
use std::io::ErrorKind::{Other, StorageFull};
use std::sync::Arc;
use std::time::Duration;

use firebrick_engine::{NewImage, NewOrigin, Write};
use firebrick_vocabulary::{
    BLOCK_SIZE, Bytes, Epoch, ImageId, ImageMirrorMode, ImageName, Position, SnapshotName,
};
use rand::Rng as _;
use rand::seq::IteratorRandom as _;
use uuid::Uuid;

use crate::limits;
use crate::world::{Outcome, World};

const IMAGES_MAX: usize = 4;
const BLOCKS_MAX: usize = 12;

/// What happens in a story, and how often.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mood {
    pub(crate) acts: usize,
    /// How often something is done to the network, to a machine, by an operator: in a hundred acts.
    pub(crate) network: u32,
    pub(crate) machines: u32,
    pub(crate) operators: u32,
    /// The most blocks of a write.
    pub(crate) write_max: usize,
    /// Whether images may be in snapshot mode.
    pub(crate) snapshots: bool,
    /// Whether they may be in sync mode.
    pub(crate) sync: bool,
}

/// A planned switch that is under way.
pub(crate) struct Switch {
    pub(crate) images: Vec<ImageId>,
    pub(crate) from: usize,
    pub(crate) to: usize,
    /// Where the demotion is; nothing before that has been answered.
    pub(crate) demoted: Option<Position>,
    /// In which epochs they were demoted.
    pub(crate) epochs: BTreeMap<ImageId, Epoch>,
    pub(crate) tries: u32,
}

/// A story as it goes on.
pub(crate) struct Story {
    pub(crate) world: World,
    pub(crate) mood: Mood,
    pub(crate) switch: Option<Switch>,
}

/// An image of two blocks that is mirrored from its first record on.
pub(crate) fn create_mirrored(world: &mut World, site: usize) -> Outcome<ImageId> {
    let id = ImageId(Uuid::from_u128(world.random.random()));
    let new = NewImage {
        id,
        name: ImageName::new(format!("i{id}")).unwrap(),
        size: Bytes(2 * BLOCK_SIZE),
        origin: None,
        mirrored: true,
    };
    let store = world.store(site).unwrap();
    store.create_image(new).map_err(|error| error.to_string())?;
    world.note(site, id).map(|()| id)
}

/// Writes the first block of an image.
pub(crate) fn write_first(world: &mut World, site: usize, id: ImageId) -> Outcome {
    world.number += 1;
    let data = world.number.to_le_bytes().repeat(BLOCK_SIZE as usize / 8);
    let image = world.store(site).unwrap().image(id);
    let done = image.and_then(|image| {
        image.write(&[Write {
            offset: 0,
            data: &data,
        }])
    });
    done.map_err(|error| error.to_string())?;
    world.written(site, id)?;
    world.note(site, id)
}

impl Story {
    pub(crate) fn new(world: World, mood: Mood) -> Self {
        Self {
            world,
            mood,
            switch: None,
        }
    }

    /// One thing happens, and then some time passes or none.
    pub(crate) fn act(&mut self) -> Outcome {
        let (network, machines) = (self.mood.network, self.mood.machines);
        let operators = self.mood.operators;
        let dice = self.world.random.random_range(0..100);
        if dice < network {
            self.disturb();
        } else if dice < network + machines {
            self.hurt()?;
        } else if dice < network + machines + operators {
            self.operate()?;
        } else if dice < network + machines + operators + 10 {
            self.upkeep()?;
        } else {
            self.guest()?;
        }
        self.world.check(false)?;
        match self.world.below(8) {
            0..3 => {
                for _ in 0..self.world.below(30) {
                    self.world.scheduler.turn();
                }
                self.world.check(false)
            }
            3..5 => {
                let time = self.world.random.random_range(1..20);
                self.world.pass(Duration::from_millis(time))
            }
            5 | 6 => {
                let time = self.world.random.random_range(20..400);
                self.world.pass(Duration::from_millis(time))
            }
            _ if self.world.chance(0.1) => {
                let time = self.world.random.random_range(1..15);
                self.world.pass(Duration::from_secs(time))
            }
            _ => Ok(()),
        }
    }

    /// An image that is primary somewhere, and where.
    fn some_primary(&mut self) -> Option<(usize, ImageId)> {
        let world = &mut self.world;
        let mut found = Vec::new();
        for site in world.running() {
            for id in world.images() {
                if world.is_primary(site, id) {
                    found.push((site, id));
                }
            }
        }
        found.into_iter().choose(&mut world.random)
    }

    fn guest(&mut self) -> Outcome {
        let images = self.world.images();
        if images.len() < IMAGES_MAX && (images.is_empty() || self.world.chance(0.05)) {
            return self.create();
        }
        let mut chosen = self.some_primary();
        if self.world.chance(0.1) {
            let site = self.world.running().into_iter();
            let site = site.choose(&mut self.world.random);
            let id = images.into_iter().choose(&mut self.world.random);
            chosen = site.zip(id);
        }
        let Some((site, id)) = chosen else {
            return Ok(());
        };
        if self.mood.sync && self.world.chance(0.4) {
            return self.synchronize(site, id);
        }
        match self.world.below(20) {
            0..12 => self.write(site, id),
            12 | 13 => self.flush(site),
            14 => self.discard(site, id),
            _ => self.use_image(site, id),
        }
    }

    fn create(&mut self) -> Outcome {
        let world = &mut self.world;
        let Some(site) = world.running().into_iter().choose(&mut world.random) else {
            return Ok(());
        };
        let id = ImageId(Uuid::from_u128(world.random.random()));
        let store = world.store(site).unwrap();
        let origin = world.images().into_iter().choose(&mut world.random);
        let origin = origin.filter(|_| world.random.random_bool(0.3));
        let origin = origin.filter(|origin| store.image(*origin).is_ok());
        let snapshot = origin.and_then(|origin| {
            let known = store.snapshots(origin).unwrap_or_default();
            let known = known.into_iter().filter(|snapshot| !snapshot.divergent);
            known.choose(&mut world.random)
        });
        let mirrored = world.chance(0.7);
        let blocks = world
            .random
            .random_range(1..=BLOCKS_MAX.max(self.mood.write_max)) as u64;
        let new = NewImage {
            id,
            name: ImageName::new(format!("i{:x}", world.random.random::<u32>())).unwrap(),
            size: Bytes(blocks * BLOCK_SIZE),
            origin: origin.map(|image| NewOrigin {
                image,
                snapshot: snapshot.map(|snapshot| snapshot.name),
                at: None,
            }),
            mirrored,
        };
        let of = origin.map(|of| format!(" of {of}")).unwrap_or_default();
        world.say(format!(
            "create {id} at {site}, {blocks} blocks{of}, mirrored: {mirrored}"
        ));
        let done = store.create_image(new);
        if world.may(site, done)?.is_none() {
            return Ok(());
        }
        if !mirrored {
            self.write(site, id)?;
            let mode = self.some_mode();
            let done = store.mirror_image(id, mode);
            self.world.say(format!("mirror {id} at {site} by {mode}"));
            if self.world.may(site, done)?.is_none() {
                return Ok(());
            }
        }
        self.world.note(site, id)?;
        if self.mood.sync {
            self.choose_sync(site, id)?;
        }
        Ok(())
    }

    fn some_mode(&mut self) -> ImageMirrorMode {
        if self.mood.snapshots && self.world.random.random_bool(0.5) {
            ImageMirrorMode::Snapshot
        } else {
            ImageMirrorMode::Journal
        }
    }

    pub(crate) fn changed(&mut self, site: usize, id: ImageId) -> Outcome {
        self.world.written(site, id)?;
        self.world.note(site, id)
    }

    fn write(&mut self, site: usize, id: ImageId) -> Outcome {
        let world = &mut self.world;
        let store = world.store(site).unwrap();
        let Ok(image) = store.image(id) else {
            return Ok(());
        };
        let blocks = (image.size().0 / BLOCK_SIZE) as usize;
        if blocks == 0 {
            return Ok(());
        }
        let first = world.below(blocks);
        let most = (blocks - first).min(self.mood.write_max);
        let count = world.random.random_range(1..=most);
        world.number += 1;
        let number = world.number;
        let data = number.to_le_bytes().repeat(count * BLOCK_SIZE as usize / 8);
        let done = image.write(&[Write {
            offset: first as u64 * BLOCK_SIZE,
            data: &data,
        }]);
        world.say(format!(
            "write {number} to {id} at {site}, {count} from {first}"
        ));
        if world.may(site, done)?.is_some() {
            self.changed(site, id)?;
        }
        Ok(())
    }

    fn discard(&mut self, site: usize, id: ImageId) -> Outcome {
        let world = &mut self.world;
        let store = world.store(site).unwrap();
        let Ok(image) = store.image(id) else {
            return Ok(());
        };
        let blocks = (image.size().0 / BLOCK_SIZE) as usize;
        if blocks == 0 {
            return Ok(());
        }
        let first = world.below(blocks);
        let count = world.random.random_range(1..=blocks - first) as u64;
        let done = image.discard(first as u64 * BLOCK_SIZE, count * BLOCK_SIZE);
        world.say(format!("discard {id} at {site}, {count} from {first}"));
        if world.may(site, done)?.is_some() {
            self.changed(site, id)?;
        }
        Ok(())
    }

    pub(crate) fn flush(&mut self, site: usize) -> Outcome {
        let world = &mut self.world;
        let store = world.store(site).unwrap();
        let done = store.flush();
        if let Some(position) = world.may(site, done)? {
            let flushed = &mut world.sites[site].flushed;
            *flushed = (*flushed).max(position.sequence);
            world.say(format!("flush {site} up to {}", position.sequence));
        }
        Ok(())
    }

    /// What users do besides writing.
    fn use_image(&mut self, site: usize, id: ImageId) -> Outcome {
        let kinds = if self.mood.snapshots { 18 } else { 12 };
        let world = &mut self.world;
        let store = world.store(site).unwrap();
        let name = format!("n{:x}", world.random.random::<u32>());
        let known = store.snapshots(id).unwrap_or_default();
        // Those of this site alone too: some of that is refused.
        let snapshot = known.into_iter().choose(&mut world.random);
        let snapshot = snapshot.map(|it| it.name);
        let (what, done) = match (world.below(kinds), snapshot) {
            (0..3, _) => {
                let named = SnapshotName::new(name).unwrap();
                ("snapshot", store.create_snapshot(id, named).map(drop))
            }
            (3, Some(snapshot)) => ("unsnapshot", store.remove_snapshot(id, &snapshot)),
            (4 | 5, Some(snapshot)) => ("roll back", store.roll_back(id, &snapshot)),
            (6, _) => {
                let blocks = world.random.random_range(1..=BLOCKS_MAX) as u64;
                ("resize", store.resize_image(id, Bytes(blocks * BLOCK_SIZE)))
            }
            (7, _) => ("set", store.set_metadata(id, "key", Some(&name))),
            (8, _) => {
                let named = ImageName::new(name).unwrap();
                ("rename", store.rename_image(id, named))
            }
            (9, _) if world.random.random_bool(0.3) => {
                world.ended.insert(id);
                ("unmirror", store.set_mirroring(id, false))
            }
            (10, None) if world.random.random_bool(0.3) => {
                world.removed.insert(id);
                ("remove", store.remove_image(id))
            }
            (11, _) => return self.snapshot_group(site),
            (12..16, _) => {
                let done = store.take_mirror_snapshots(&[id]);
                ("mirror snapshot", done.map(drop))
            }
            (16, _) => {
                let mode = self.some_mode();
                return self.mirror(site, id, mode);
            }
            (17, _) => return self.group(site),
            _ => return Ok(()),
        };
        world.say(format!("{what} {id} at {site}"));
        if world.may(site, done)?.is_some() {
            self.changed(site, id)?;
        }
        Ok(())
    }

    /// An image that is mirrored goes on in that mode.
    fn mirror(&mut self, site: usize, id: ImageId, mode: ImageMirrorMode) -> Outcome {
        let world = &mut self.world;
        if !world.is_primary(site, id) {
            return Ok(());
        }
        let done = world.store(site).unwrap().mirror_image(id, mode);
        world.say(format!("mirror {id} at {site} by {mode}"));
        if world.may(site, done)?.is_some() {
            self.changed(site, id)?;
        }
        Ok(())
    }

    /// Snapshots of all images that are primary at a site.
    fn snapshot_group(&mut self, site: usize) -> Outcome {
        let world = &mut self.world;
        let store = world.store(site).unwrap();
        let images = world.images().into_iter();
        let images: Vec<_> = images.filter(|id| world.is_primary(site, *id)).collect();
        let name = SnapshotName::new(format!("g{:x}", world.random.random::<u32>())).unwrap();
        let wanted: Vec<_> = images.iter().map(|id| (*id, name.clone())).collect();
        let done = store.create_snapshots(&wanted);
        world.say(format!("snapshot a group at {site}"));
        if world.may(site, done)?.is_some() {
            for id in images {
                self.changed(site, id)?;
            }
        }
        Ok(())
    }

    /// What a site does on its own.
    fn upkeep(&mut self) -> Outcome {
        let world = &mut self.world;
        let Some(site) = world.running().into_iter().choose(&mut world.random) else {
            return Ok(());
        };
        let store = world.store(site).unwrap();
        let done = match world.below(6) {
            4 | 5 => return self.let_go(site),
            0 | 1 => {
                world.say(format!("checkpoint of {site}"));
                store.checkpoint().map(drop)
            }
            2 => {
                world.say(format!("clean {site}"));
                store.clean().map(drop)
            }
            _ => store.prepare_segment(Duration::ZERO).map(drop),
        };
        world.blame(site, done).map(drop)
    }

    /// The log is kept no longer for a peer that is away.
    fn let_go(&mut self, site: usize) -> Outcome {
        let world = &mut self.world;
        let sites = world.sites.len();
        let other = (site + 1 + world.below(sites - 1)) % sites;
        let running = world.sites[site].running.as_ref();
        let Some(mirror) = running.map(|running| Arc::clone(&running.mirror)) else {
            return Ok(());
        };
        let let_go = mirror.let_go(&other.to_string());
        let gone = world.blame(site, let_go)? == Some(true);
        // The room is won with the next checkpoint.
        if gone && world.chance(0.8) {
            world.say(format!("{site} keeps nothing for {other} any more"));
            let done = world.store(site).unwrap().checkpoint();
            world.blame(site, done)?;
        }
        Ok(())
    }

    fn disturb(&mut self) {
        let world = &mut self.world;
        let sites = world.sites.len();
        let one = world.below(sites);
        let other = (one + 1 + world.below(sites - 1)) % sites;
        match world.below(8) {
            0 => {
                world.say(format!("nothing gets from {one} to {other}"));
                world.cables.block((one, other), true);
            }
            1 => {
                world.say(format!("{one} and {other} are parted"));
                world.cables.block((one, other), true);
                world.cables.block((other, one), true);
            }
            2..4 => {
                world.say("the network is whole");
                world.cables.heal(sites);
            }
            4 => {
                let delay = Duration::from_millis(world.random.random_range(1..800));
                let rate = 1 << world.random.random_range(11..22);
                world.say(format!("everything takes {delay:?}, {rate} bytes a second"));
                world.cables.slow(delay, rate);
            }
            5 => {
                let traffic = limits::some(&mut world.random);
                let (rate, form) = (traffic.bandwidth, traffic.compression);
                world.say(format!("{one} sends {other} {rate}, {form:?}"));
                if let Some(running) = &world.sites[one].running {
                    running.mirror.set_traffic(&other.to_string(), &traffic);
                }
            }
            _ => {
                world.say(format!("the connections of {one} break"));
                world.cables.cut(one);
            }
        }
    }

    fn hurt(&mut self) -> Outcome {
        let world = &mut self.world;
        let site = world.below(world.sites.len());
        if world.sites[site].running.is_none() {
            return world.start(site);
        }
        match world.below(13) {
            12 => return self.flip(),
            0 | 1 => {
                let seed = world.random.random();
                world.crash(site, seed);
            }
            2..4 => {
                let after = world.random.random_range(0..60);
                world.say(format!(
                    "{site} will lose its power after {after} operations"
                ));
                world.sites[site].disk.stop_after(after);
            }
            4 | 5 => world.kill(site),
            6 => {
                world.say(format!("syncs fail at {site}"));
                let after = world.random.random_range(0..3);
                world.sites[site].disk.fail_syncs_after(after, Other);
                world.sites[site].ill = true;
            }
            7 => {
                world.say(format!("the disk of {site} is full"));
                let after = world.random.random_range(0..3);
                world.sites[site].disk.fail_writes_after(after, StorageFull);
                world.sites[site].ill = true;
            }
            8 => {
                world.say(format!("{site} is stopped"));
                world.scheduler.stop(site as u32, true);
            }
            _ => {
                for site in 0..world.sites.len() {
                    world.scheduler.stop(site as u32, false);
                    if world.sites[site].ill && world.sites[site].running.is_some() {
                        world.kill(site);
                    }
                }
                world.say("nobody is stopped or ill");
            }
        }
        Ok(())
    }
}
