//! What guests, users, operators and chance do.

use std::io::ErrorKind::{Other, StorageFull};
use std::time::Duration;

use firebrick_engine::{NewImage, NewOrigin, Write};
use firebrick_vocabulary::{BLOCK_SIZE, Bytes, ImageId, ImageName, Position, Role, SnapshotName};
use rand::Rng as _;
use rand::seq::IteratorRandom as _;
use uuid::Uuid;

use crate::site::store_id;
use crate::truth::View;
use crate::world::{Outcome, Promoted, World};

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
}

/// A planned switch that is under way.
pub(crate) struct Switch {
    images: Vec<ImageId>,
    from: usize,
    to: usize,
    /// Where the demotion is; nothing before that has been answered.
    demoted: Option<Position>,
    tries: u32,
}

/// A story as it goes on.
pub(crate) struct Story {
    pub(crate) world: World,
    pub(crate) mood: Mood,
    switch: Option<Switch>,
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
            let done = store.set_mirroring(id, true);
            self.world.say(format!("mirror {id} at {site}"));
            if self.world.may(site, done)?.is_none() {
                return Ok(());
            }
        }
        self.world.note(site, id)
    }

    fn changed(&mut self, site: usize, id: ImageId) -> Outcome {
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

    fn flush(&mut self, site: usize) -> Outcome {
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
        let world = &mut self.world;
        let store = world.store(site).unwrap();
        let name = format!("n{:x}", world.random.random::<u32>());
        let known = store.snapshots(id).unwrap_or_default();
        // Those of this site alone too: some of that is refused.
        let snapshot = known.into_iter().choose(&mut world.random);
        let snapshot = snapshot.map(|it| it.name);
        let (what, done) = match (world.below(12), snapshot) {
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
            (9, _) if world.random.random_bool(0.3) => ("unmirror", store.set_mirroring(id, false)),
            (10, None) if world.random.random_bool(0.3) => ("remove", store.remove_image(id)),
            (11, _) => return self.snapshot_group(site),
            _ => return Ok(()),
        };
        world.say(format!("{what} {id} at {site}"));
        if world.may(site, done)?.is_some() {
            if what == "remove" || what == "unmirror" {
                world.removed.insert(id);
            }
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
        let done = match world.below(4) {
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
        match world.below(12) {
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

    fn operate(&mut self) -> Outcome {
        if self.switch.is_some() {
            return self.go_on();
        }
        let world = &mut self.world;
        let Some(site) = world.running().into_iter().choose(&mut world.random) else {
            return Ok(());
        };
        let images = world.images().into_iter();
        let all = world.random.random_bool(0.4);
        let images: Vec<ImageId> = images
            .filter(|_| all || world.random.random_bool(0.4))
            .collect();
        if images.is_empty() {
            return Ok(());
        }
        match world.below(10) {
            0..6 => {
                let from = images.iter().find_map(|id| {
                    let mut running = world.running().into_iter();
                    running.find(|site| world.is_primary(*site, *id))
                });
                let Some(from) = from.filter(|from| *from != site) else {
                    return Ok(());
                };
                let images = images.into_iter();
                let images = images.filter(|id| world.is_primary(from, *id)).collect();
                self.switch = Some(Switch {
                    images,
                    from,
                    to: site,
                    demoted: None,
                    tries: 0,
                });
                self.go_on()
            }
            6..8 => self.force(site, &images),
            _ => {
                let store = world.store(site).unwrap();
                let id = images[0];
                let done = store.resync(&[id]);
                world.say(format!("resync {id} at {site}"));
                world.may(site, done).map(drop)
            }
        }
    }

    fn force(&mut self, site: usize, images: &[ImageId]) -> Outcome {
        let world = &mut self.world;
        let store = world.store(site).unwrap();
        world.say(format!("force {images:?} at {site}"));
        let together = world.chance(0.5);
        let done = if together {
            store.promote_together(images, true)
        } else {
            store.promote(images, true)
        };
        let Some(outcomes) = world.blame(site, done)? else {
            return Ok(());
        };
        if together && outcomes.iter().any(|(_, outcome)| outcome.is_err()) {
            return Ok(());
        }
        for (id, outcome) in outcomes {
            match outcome {
                Ok(_) => self.promoted(site, id, false)?,
                Err(why) => self.world.say(format!("  {id} is not: {why:?}")),
            }
        }
        Ok(())
    }

    /// A site has been made primary: what it has is what somebody had.
    fn promoted(&mut self, site: usize, id: ImageId, planned: bool) -> Outcome {
        let world = &mut self.world;
        let store = world.store(site).unwrap();
        let Some(info) = world.info(site, id).filter(|info| info.mirrored) else {
            return Ok(());
        };
        if info.role != Role::Primary {
            return Err(format!(
                "{id} was promoted at {site} and is {:?}",
                info.role
            ));
        }
        let known = world.promotions.get(&id).into_iter().flatten();
        if known
            .into_iter()
            .any(|it| it.site == site && it.epoch == info.epoch)
        {
            // It was primary already.
            return Ok(());
        }
        let sites = 0..world.sites.len();
        let origin = info.origin.and_then(|origin| {
            let of = sites.clone().find(|of| store_id(*of) == origin.peer)?;
            Some((of, origin.sequence))
        });
        world.say(format!(
            "{id} is primary at {site} in epoch {}, behind {origin:?}",
            info.epoch
        ));
        let Some(found) = world.blame(site, View::of(&store, id, None))? else {
            return Ok(());
        };
        if let Some((of, at)) = origin {
            let line = world.lines.get(&(of, id));
            let expected = line.and_then(|line| line.at(at)).and_then(Option::as_deref);
            match expected {
                Some(expected) if *expected == found => {}
                Some(expected) => {
                    return Err(format!(
                        "{id} was promoted at {site} and is not what it was at {of} at {at}: {}",
                        found.difference(expected)
                    ));
                }
                None => return Err(format!("{id} was promoted behind nothing")),
            }
            let newest = line.and_then(|line| line.newest_state());
            if planned && newest.and_then(Option::as_deref) != Some(&found) {
                return Err(format!(
                    "a planned promotion of {id} at {site} lost something"
                ));
            }
        }
        let at = world.scheduler.elapsed();
        world.promotions.entry(id).or_default().push(Promoted {
            site,
            epoch: info.epoch,
            origin,
            at,
        });
        world.note(site, id)
    }

    /// The next step of a planned switch.
    fn go_on(&mut self) -> Outcome {
        let Some(mut switch) = self.switch.take() else {
            return Ok(());
        };
        let world = &mut self.world;
        switch.tries += 1;
        let Switch {
            from, to, tries, ..
        } = switch;
        let Some(position) = switch.demoted else {
            let Some(store) = world.store(from) else {
                return Ok(());
            };
            world.say(format!("demote {:?} at {from}", switch.images));
            let done = store.demote(&switch.images);
            let Some(position) = world.may(from, done)? else {
                return Ok(());
            };
            for id in &switch.images {
                if let Some(line) = world.lines.get_mut(&(from, *id)) {
                    line.open = false;
                }
            }
            let flushed = &mut world.sites[from].flushed;
            *flushed = (*flushed).max(position.sequence);
            switch.demoted = Some(position);
            self.switch = Some(switch);
            return Ok(());
        };
        let ready = world.store(to).filter(|store| {
            let here = switch.images.iter().all(|id| {
                let info = store.image(*id).map(|image| image.info());
                info.is_ok_and(|info| info.primary_demoted && info.sync.is_consistent())
            });
            here && store.applied(store_id(from)) >= position.sequence
        });
        let (site, store) = match (ready, world.store(from)) {
            (Some(store), _) => (to, store),
            // It takes too long: all goes on where it was.
            (None, Some(store)) if tries > 6 => (from, store),
            _ => {
                if tries < 20 {
                    self.switch = Some(switch);
                }
                return Ok(());
            }
        };
        world.say(format!("promote {:?} at {site}", switch.images));
        let done = store.promote_together(&switch.images, false);
        let Some(outcomes) = world.blame(site, done)? else {
            return Ok(());
        };
        let all = outcomes.iter().all(|(_, outcome)| outcome.is_ok());
        for (id, outcome) in outcomes {
            match outcome {
                Ok(_) if all => self.promoted(site, id, true)?,
                outcome => self.world.say(format!("  {id}: {outcome:?}")),
            }
        }
        Ok(())
    }

    /// Everything heals, and all sites have to come to the same.
    pub(crate) fn settle(&mut self) -> Outcome {
        const PATIENCE: Duration = Duration::from_secs(240);
        self.world.say("everything heals");
        self.switch = None;
        let sites = self.world.sites.len();
        self.world.cables.heal(sites);
        for site in 0..sites {
            self.world.scheduler.stop(site as u32, false);
            let on = self.world.sites[site].is_on();
            if self.world.sites[site].ill && on && self.world.sites[site].running.is_some() {
                self.world.kill(site);
            }
            self.world.sites[site].disk.heal();
            self.world.sites[site].disk.restart();
        }
        self.world.check(false)?;
        let begun = self.world.scheduler.elapsed();
        let mut why = String::new();
        while self.world.scheduler.elapsed() < begun + PATIENCE {
            for site in 0..sites {
                if self.world.sites[site].running.is_none() {
                    self.world.start(site)?;
                }
            }
            self.world.pass(Duration::from_millis(700))?;
            match self.unsettled() {
                None => {
                    self.world.say("all is well");
                    return self.world.check(true);
                }
                Some(now) => why = now,
            }
            self.lead()?;
        }
        Err(format!("nobody comes to rest: {why}"))
    }

    /// An operator makes primary what is primary nowhere.
    fn lead(&mut self) -> Outcome {
        for id in self.world.images() {
            let running = self.world.running();
            if running.iter().any(|site| self.world.is_primary(*site, id)) {
                continue;
            }
            for forced in [false, true] {
                let able = running.iter().copied().find(|site| {
                    let store = self.world.store(*site);
                    store.is_some_and(|store| {
                        let would = store.examine_promotion(&[id], forced);
                        would.iter().all(|(_, outcome)| outcome.is_ok())
                    })
                });
                // Whoever has been demoted may still be heard.
                let waits = forced && self.world.chance(0.9);
                let Some(site) = able.filter(|_| !waits) else {
                    continue;
                };
                self.world
                    .say(format!("promote {id} at {site}, forced: {forced}"));
                let store = self.world.store(site).unwrap();
                let done = store.promote(&[id], forced);
                if self.world.blame(site, done)?.is_some() {
                    self.promoted(site, id, false)?;
                }
                break;
            }
        }
        Ok(())
    }

    /// What is not yet as it should be at the end.
    fn unsettled(&self) -> Option<String> {
        let world = &self.world;
        let sites = world.sites.len();
        if world.running().len() < sites {
            return Some("somebody does not run".to_owned());
        }
        for id in world.images() {
            let all = 0..sites;
            let primaries: Vec<usize> =
                all.clone().filter(|at| world.is_primary(*at, id)).collect();
            let [primary] = primaries[..] else {
                return Some(format!("{id} is primary at {primaries:?}"));
            };
            let store = world.store(primary)?;
            if store.is_fenced() {
                return Some(format!("{primary} is fenced"));
            }
            let there = View::of(&store, id, None).ok()?;
            for site in all.filter(|site| *site != primary) {
                let Some(info) = world.info(site, id) else {
                    return Some(format!(
                        "{id} is missing at {site}, and primary at {primary}"
                    ));
                };
                let follows = info.upstream == Some(store_id(primary));
                if !follows || info.role != Role::Secondary || !info.sync.is_consistent() {
                    return Some(format!(
                        "{id} at {site}, and primary at {primary}: {info:?}"
                    ));
                }
                let here = world.store(site)?;
                let here = View::of(&here, id, None).ok()?;
                if here != there {
                    return Some(format!("{id} at {site}: {}", here.difference(&there)));
                }
            }
        }
        None
    }
}
