//! Flushes that wait for peers: what one acknowledged is at the peers that it named, wherever the image is promoted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use firebrick_mirror::{Rate, Settled, Traffic, Waiter};
use firebrick_vocabulary::{Epoch, ImageId, SyncMode, SyncPolicy};
use parking_lot::Mutex;
use rand::Rng as _;

use crate::acts::{Story, Switch, create_mirrored, write_first};
use crate::mood;
use crate::promised::Ack;
use crate::site::{Lie, store_id};
use crate::world::{Outcome, Promoted, Shape, World};

/// What guests have heard.
#[derive(Default)]
pub(crate) struct Heard {
    inbox: Arc<Mutex<Vec<Ack>>>,
    /// All of it.
    acks: BTreeMap<ImageId, Vec<Ack>>,
    /// Of an image that blocks: in which epoch of a site which peers held a flush. All later ones have to be there.
    strict: BTreeMap<(usize, ImageId), (Epoch, BTreeSet<usize>)>,
    /// Images of which a peer was told to get all anew: nobody waits for it until it has, nor knows here when that is.
    anew: BTreeSet<ImageId>,
    pub(crate) count: u64,
}

impl Heard {
    /// A site has `other` for a peer no longer: its flushes wait for that no more.
    pub(crate) fn part(&mut self, site: usize, other: usize) {
        for ((at, _), (_, peers)) in &mut self.strict {
            if *at == site {
                peers.remove(&other);
            }
        }
    }

    /// A peer gives up what it has of an image.
    pub(crate) fn resync(&mut self, id: ImageId) {
        self.anew.insert(id);
    }

    /// From here on nothing is known of whom flushes of an image wait for.
    pub(crate) fn forget(&mut self, id: ImageId) {
        self.strict.retain(|(_, of), _| *of != id);
    }
}

/// A guest that waits for a flush.
struct Guest {
    ack: Ack,
    inbox: Arc<Mutex<Vec<Ack>>>,
}

impl Waiter for Guest {
    fn is_there(&self) -> bool {
        true
    }

    fn settle(&self, outcome: Settled) {
        if let Settled::Held(names) = outcome {
            let peers = names.iter().map(|name| name.parse().unwrap()).collect();
            let ack = Ack {
                peers,
                ..self.ack.clone()
            };
            self.inbox.lock().push(ack);
        }
    }
}

impl World {
    /// Has all sites look after flushes that wait, as their own process does.
    pub(crate) fn synchronous(mut self) -> Self {
        for site in &mut self.sites {
            site.watches = true;
            if let Some(running) = &site.running {
                running.mirror.watch_flushes();
            }
        }
        self
    }

    /// What guests have heard by now is true.
    pub(crate) fn hear(&mut self) -> Outcome {
        let heard = std::mem::take(&mut *self.heard.inbox.lock());
        for ack in heard {
            let Ack { site, id, .. } = ack;
            self.say(format!("  flushed: {ack:?}"));
            self.heard.count += 1;
            let promotions = self.promotions.get(&id).map_or(&[][..], Vec::as_slice);
            for promoted in promotions {
                ack.is_kept_by(promoted, promotions)?;
            }
            self.heard.acks.entry(id).or_default().push(ack.clone());
            let peers: BTreeSet<usize> = ack.peers.iter().copied().collect();
            // Since the flush was asked for, an operator may have said something else.
            let now = self.info(site, id).and_then(|info| info.sync_mode);
            if now.is_none_or(|mode| mode.policy == SyncPolicy::FallBack) {
                self.heard.forget(id);
                continue;
            }
            let known = self.heard.strict.get(&(site, id));
            let known = known.filter(|(epoch, _)| *epoch == ack.epoch);
            let known = known.filter(|_| !self.heard.anew.contains(&id));
            // Who ends its mirroring waits for nobody any more.
            let known = known.filter(|_| !self.ended.contains(&id));
            // Nobody waits for those who are no peers any more.
            let stays =
                |peer: &usize| peers.contains(peer) || self.sites[site].without.contains(peer);
            if let Some((_, before)) = known.filter(|(_, before)| !before.iter().all(stays)) {
                return Err(format!(
                    "{ack:?} was acknowledged, and waited for {before:?} before"
                ));
            }
            self.heard.strict.insert((site, id), (ack.epoch, peers));
        }
        Ok(())
    }

    /// The sites that follow another one with an image, and nobody in between.
    fn followers(&self, of: usize, id: ImageId) -> BTreeSet<usize> {
        let infos = self.running().into_iter();
        let infos = infos.filter_map(|site| Some((site, self.info(site, id)?)));
        let follows = infos.filter(|(_, info)| info.upstream == Some(store_id(of)));
        let direct = follows.filter(|(_, info)| info.leader.is_none());
        direct.map(|(site, _)| site).collect()
    }

    /// A site has been made primary: it has what it was said to have.
    pub(crate) fn check_promised(&self, id: ImageId, promoted: &Promoted) -> Outcome {
        let known = self.promotions.get(&id).map_or(&[][..], Vec::as_slice);
        let mut acks = self.heard.acks.get(&id).into_iter().flatten();
        acks.try_for_each(|ack| ack.is_kept_by(promoted, known))
    }
}

impl Story {
    /// A guest flushes an image, or an operator says whether flushes wait.
    pub(crate) fn synchronize(&mut self, site: usize, id: ImageId) -> Outcome {
        if self.world.chance(0.1) {
            return self.choose_sync(site, id);
        }
        self.flush_image(site, id)
    }

    pub(crate) fn choose_sync(&mut self, site: usize, id: ImageId) -> Outcome {
        let world = &mut self.world;
        let policy = match world.below(4) {
            0 => SyncPolicy::FallBack,
            _ => SyncPolicy::Block,
        };
        let timeout = Duration::from_millis(world.random.random_range(100..6000));
        let mode = SyncMode::new(policy, timeout).unwrap();
        let mode = (world.below(8) > 0).then_some(mode);
        self.set_sync(site, id, mode)
    }

    fn set_sync(&mut self, site: usize, id: ImageId, mode: Option<SyncMode>) -> Outcome {
        let world = &mut self.world;
        let done = world.store(site).unwrap().set_sync_mode(id, mode);
        world.say(format!("sync mode of {id} at {site}: {mode:?}"));
        world.heard.forget(id);
        if world.may(site, done)?.is_some() {
            world.written(site, id)?;
            world.note(site, id)?;
        }
        Ok(())
    }

    /// As the export of an image does it.
    pub(crate) fn flush_image(&mut self, site: usize, id: ImageId) -> Outcome {
        self.flush(site)?;
        let world = &mut self.world;
        let store = world.store(site).unwrap();
        let Some(point) = store.image(id).ok().and_then(|image| image.sync_point()) else {
            return Ok(());
        };
        let others = (0..world.sites.len()).filter(|other| *other != site);
        let ack = Ack {
            site,
            id,
            epoch: point.epoch,
            upto: point.upto,
            peers: others.collect(),
        };
        let inbox = Arc::clone(&world.heard.inbox);
        world.say(format!(
            "a guest flushes {id} at {site} up to {}",
            point.upto
        ));
        if world.sites[site].lie == Lie::Unconfirmed {
            inbox.lock().push(ack);
            return Ok(());
        }
        let running = world.sites[site].running.as_ref().unwrap();
        let guest = Box::new(Guest { ack, inbox });
        running.mirror.hold_flush(id, point, guest);
        Ok(())
    }

    /// Where all is well, every image that is in sync mode has all peers confirm its flushes, but those that follow it
    /// by way of another site.
    pub(crate) fn all_in_sync(&mut self) -> Outcome {
        const PATIENCE: Duration = Duration::from_secs(60);
        let mut wanted = Vec::new();
        for site in self.world.running() {
            for id in self.world.images() {
                let info = self.world.info(site, id);
                let synced = info.is_some_and(|info| info.sync_mode.is_some());
                if synced && self.world.is_primary(site, id) {
                    wanted.push((site, id));
                }
            }
        }
        let begun = self.world.scheduler.elapsed();
        loop {
            wanted.retain(|(site, id)| {
                // It may end where it is read of late that it was taken over, and has ended.
                if !self.world.is_primary(*site, *id) {
                    return false;
                }
                let running = self.world.sites[*site].running.as_ref().unwrap();
                let seen = running.mirror.synchrony(*id);
                seen.is_none_or(|seen| {
                    let held = seen.peers.iter();
                    let held = held.filter(|peer| peer.place == firebrick_mirror::SyncPlace::Held);
                    let held: BTreeSet<usize> =
                        held.map(|peer| peer.name.parse().unwrap()).collect();
                    held != self.world.followers(*site, *id) || seen.waiting.is_some()
                })
            });
            let Some((site, id)) = wanted.first().copied() else {
                return self.world.hear();
            };
            if self.world.scheduler.elapsed() > begun + PATIENCE {
                let running = self.world.sites[site].running.as_ref().unwrap();
                let seen = running.mirror.synchrony(id);
                return Err(format!(
                    "flushes of {id} at {site} are not in sync: {seen:?}"
                ));
            }
            self.world.add_all_peers();
            self.world.pass(Duration::from_millis(500))?;
        }
    }
}

#[test]
fn a_difference_is_no_confirmation_by_a_site_that_was_promoted_meanwhile() {
    let world = World::new(5, 2, Lie::None).synchronous();
    let mut story = Story::new(world, mood(5));
    let id = create_mirrored(&mut story.world, 0).unwrap();
    let mode = SyncMode::new(SyncPolicy::Block, Duration::from_secs(1));
    story.set_sync(0, id, mode.ok()).unwrap();
    story.world.pass(Duration::from_secs(3)).unwrap();
    story.flush_image(0, id).unwrap();
    story.world.pass(Duration::from_secs(3)).unwrap();
    let heard = story.world.heard.count;
    assert!(heard > 0, "it is in sync mode");
    story.world.cables.block((0, 1), true);
    story.world.cables.block((1, 0), true);
    story.world.pass(Duration::from_secs(10)).unwrap();
    story.force(1, &[id]).unwrap();
    let running = story.world.sites[0].running.as_ref().unwrap();
    let confirmed = running.mirror.peers()[0].confirmed.sequence;
    assert!(running.mirror.let_go("1").unwrap());
    let store = story.world.store(0).unwrap();
    // More than a few segments, so that some can go.
    for _ in 0..4 {
        for _ in 0..300 {
            write_first(&mut story.world, 0, id).unwrap();
        }
        store.checkpoint().unwrap();
        store.clean().unwrap();
    }
    assert!(!store.log_reaches(confirmed.next()), "it would get the log");
    drop(store);
    story.flush_image(0, id).unwrap();
    // So that it is the difference that is confirmed, and the former primary knows of no other one.
    let nothing = Traffic {
        bandwidth: Rate::NOTHING,
        ..Traffic::default()
    };
    let running = story.world.sites[1].running.as_ref().unwrap();
    assert!(running.mirror.set_traffic("0", &nothing));
    story.world.cables.heal(2);
    // What is heard here is held against the promotion.
    story.world.pass(Duration::from_secs(10)).unwrap();
    assert_eq!(
        story.world.heard.count, heard,
        "who lost it acknowledged it"
    );
    assert!(story.world.is_primary(0, id) && story.world.is_primary(1, id));
    story.settle().unwrap();
}

/// Moves an image to another site, as planned.
fn move_to(story: &mut Story, id: ImageId, (from, to): (usize, usize)) {
    story.switch = Some(Switch {
        images: vec![id],
        from,
        to,
        demoted: None,
        epochs: BTreeMap::new(),
        tries: 0,
    });
    while story.switch.is_some() {
        story.operate().unwrap();
        story.world.pass(Duration::from_secs(2)).unwrap();
    }
    assert!(story.world.is_primary(to, id));
}

/// The site between the two others has the image of one of them, and reads the other's log only when that is primary again.
#[test]
fn who_passes_over_an_earlier_reign_has_what_came_behind_it() {
    let world = World::new(6, 3, Lie::None).synchronous();
    let mut story = Story::new(world, mood(6));
    story.world.cables.block((1, 2), true);
    story.world.cables.block((2, 1), true);
    let id = create_mirrored(&mut story.world, 2).unwrap();
    let mode = SyncMode::new(SyncPolicy::Block, Duration::from_secs(1));
    story.set_sync(2, id, mode.ok()).unwrap();
    write_first(&mut story.world, 2, id).unwrap();
    story.world.pass(Duration::from_secs(2)).unwrap();
    move_to(&mut story, id, (2, 0));
    move_to(&mut story, id, (0, 2));
    story.world.cables.heal(3);
    story.world.pass(Duration::from_secs(10)).unwrap();
    assert_eq!(story.world.followers(2, id), BTreeSet::from([0, 1]));
    story.all_in_sync().unwrap();
}

/// The last flush of an image that was acknowledged: where it is.
fn last_ack(story: &Story, id: ImageId) -> Option<Ack> {
    story.world.heard.acks.get(&id)?.last().cloned()
}

/// Those behind the neighbours are not waited for, and are named by no answer.
#[test]
fn a_flush_in_a_chain_waits_for_the_neighbour_and_for_nobody_behind_it() {
    let world = World::shaped(7, 3, Shape::Chain, Lie::None).synchronous();
    let mut story = Story::new(world, mood(7));
    let id = create_mirrored(&mut story.world, 0).unwrap();
    let mode = SyncMode::new(SyncPolicy::Block, Duration::from_secs(1));
    story.set_sync(0, id, mode.ok()).unwrap();
    story.world.pass(Duration::from_secs(10)).unwrap();
    let end = story.world.info(2, id).unwrap();
    assert!(end.sync.is_consistent() && end.leader.is_some());

    // The end of the chain is away, and nobody misses it.
    cut(&mut story, (1, 2), true);
    write_first(&mut story.world, 0, id).unwrap();
    story.flush_image(0, id).unwrap();
    story.world.pass(Duration::from_secs(3)).unwrap();
    let with_neighbour = last_ack(&story, id).unwrap();
    assert_eq!(with_neighbour.peers, [1]);

    // The neighbour is away too: who blocks waits for it.
    cut(&mut story, (0, 1), true);
    write_first(&mut story.world, 0, id).unwrap();
    story.flush_image(0, id).unwrap();
    story.world.pass(Duration::from_secs(20)).unwrap();
    let last = last_ack(&story, id).unwrap();
    assert_eq!(last.upto, with_neighbour.upto);

    // What was answered is there, wherever the chain is led on from the neighbour.
    story.force(1, &[id]).unwrap();
    let origin = story.world.promotions[&id].last().unwrap().origin;
    let held = origin.map(|(_, at)| at);
    assert!(held >= Some(with_neighbour.upto), "{origin:?}");
    cut(&mut story, (1, 2), false);
    story.world.pass(Duration::from_secs(10)).unwrap();
    move_to(&mut story, id, (1, 2));
    story.settle().unwrap();
    story.all_in_sync().unwrap();
}

/// Parts two sites, or joins them again.
fn cut(story: &mut Story, (one, other): (usize, usize), parted: bool) {
    story.world.cables.block((one, other), parted);
    story.world.cables.block((other, one), parted);
}
