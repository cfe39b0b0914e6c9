//! What operators do: planned and forced switches, and the end of a story, when all is put right.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use firebrick_engine::MirrorPoint;
use firebrick_vocabulary::{ImageId, Role};
use rand::Rng as _;
use rand::seq::IteratorRandom as _;

use crate::acts::{Story, Switch};
use crate::limits;
use crate::site::store_id;
use crate::truth::{Line, View};
use crate::world::{Outcome, Promoted, World};

impl Story {
    pub(crate) fn operate(&mut self) -> Outcome {
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
        match world.below(11) {
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
                    epochs: BTreeMap::new(),
                    tries: 0,
                });
                self.go_on()
            }
            6..8 => self.force(site, &images),
            8 => {
                self.change_peers();
                Ok(())
            }
            _ => {
                let store = world.store(site).unwrap();
                let id = images[0];
                let done = store.resync(&[id]);
                world.say(format!("resync {id} at {site}"));
                world.heard.resync(id);
                world.may(site, done).map(drop)
            }
        }
    }

    pub(crate) fn force(&mut self, site: usize, images: &[ImageId]) -> Outcome {
        let world = &mut self.world;
        let store = world.store(site).unwrap();
        world.say(format!("force {images:?} at {site}"));
        let together = world.chance(0.5);
        let returning = world.returning(site, images);
        world.note_formers(site, images);
        if together {
            world.halves[site] = world.together(site, images, true);
        }
        let done = if together {
            store.promote_together(images, true)
        } else {
            store.promote(images, true)
        };
        let Some(outcomes) = world.blame(site, done)? else {
            world.forget_half(site);
            world.perhaps_promoted(site, images);
            return Ok(());
        };
        world.halves[site].clear();
        if together && outcomes.iter().any(|(_, outcome)| outcome.is_err()) {
            return Ok(());
        }
        for (id, outcome) in outcomes {
            match outcome {
                Ok(_) => self.promoted(site, id, (false, returning.get(&id).copied()))?,
                Err(why) => self.world.say(format!("  {id} is not: {why:?}")),
            }
        }
        Ok(())
    }

    /// A site has been made primary: what it has is what somebody had.
    fn promoted(
        &mut self,
        site: usize,
        id: ImageId,
        (planned, returns): (bool, Option<MirrorPoint>),
    ) -> Outcome {
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
        let origin = world.origin(&info);
        world.say(format!(
            "{id} is primary at {site} in epoch {}, behind {origin:?}",
            info.epoch
        ));
        let Some(found) = world.blame(site, View::of(&store, id, None))? else {
            return Ok(());
        };
        world.hear()?;
        let mut before = None;
        if origin.is_some() && world.came_by_way(site, id) {
            before = Some(Self::was(world, id, &found, (planned, returns))?);
        } else if let Some((of, at)) = origin {
            world.note_following(of);
            let line = world.lines.get(&(of, id));
            let expected = line.and_then(|line| line.at(at)).and_then(Option::as_deref);
            let Some(there) = expected else {
                return Err(format!("{id} was promoted behind nothing"));
            };
            let certain = world.is_certain(of, id, at);
            let expected = there.promoted(&found, returns);
            let expected =
                expected.or_else(|why| if certain { Err(why) } else { Ok(found.clone()) })?;
            if expected != found && certain {
                return Err(format!(
                    "{id} was promoted at {site} and is not what it was at {of} at {at}: {}",
                    found.difference(&expected)
                ));
            }
            let newest = line.and_then(|line| line.newest_state());
            if planned && newest.and_then(Option::as_deref) != Some(there) {
                return Err(format!(
                    "a planned promotion of {id} at {site} lost something"
                ));
            }
        }
        let promoted = Promoted {
            site,
            epoch: info.epoch,
            former: world.formers.get(&(site, id)).copied(),
            origin,
            at: world.scheduler.elapsed(),
            found: before,
        };
        world.check_promised(id, &promoted)?;
        world.promotions.entry(id).or_default().push(promoted);
        world.note(site, id)?;
        if origin.is_some() {
            world.leads_anew(site, id);
        }
        Ok(())
    }

    /// What an image was at some primary that is `found` where it was promoted.
    fn was(
        world: &World,
        id: ImageId,
        found: &View,
        (planned, returns): (bool, Option<MirrorPoint>),
    ) -> Outcome<Arc<View>> {
        let lines = world.lines.iter().filter(|((_, of), _)| *of == id);
        let is_it = |state: &&Arc<View>| {
            let expected = state.promoted(found, returns);
            expected.is_ok_and(|expected| expected == *found)
        };
        let mut lines: Vec<_> = lines.map(|(_, line)| line).collect();
        if planned {
            // It was demoted with the last of its states.
            lines.retain(|line| line.newest().is_some_and(|newest| is_it(&newest)));
        }
        let mut states = lines.into_iter().flat_map(Line::all);
        states.find(is_it).cloned().ok_or_else(|| {
            format!("{id} is promoted, planned: {planned}, and is what it was nowhere")
        })
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
            return self.demote(switch);
        };
        // An operator who does not look first is to be refused.
        let hasty = world.chance(0.2);
        let ready = world.store(to).filter(|store| {
            let near = world.shape.peers(to, world.sites.len()).contains(&from);
            let here = switch.images.iter().all(|id| {
                let info = store.image(*id).map(|image| image.info());
                info.is_ok_and(|info| {
                    // How far a site is that reads by way of others, no position says. An earlier demotion, such as
                    // its own when it was primary itself, is not this one.
                    let of = info.leader.or(info.upstream).unwrap_or(store_id(to));
                    let heard = Some(&info.epoch) == switch.epochs.get(id) && of == store_id(from);
                    info.primary_demoted && info.sync.is_consistent() && (near || heard)
                })
            });
            here && (!near || store.applied(store_id(from)) >= position.sequence)
        });
        let all_here = ready.is_some();
        let ready = if hasty { world.store(to) } else { ready };
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
        world.say(format!(
            "promote {:?} at {site}, hasty: {hasty}",
            switch.images
        ));
        world.halves[site] = world.together(site, &switch.images, false);
        let returning = world.returning(site, &switch.images);
        world.note_formers(site, &switch.images);
        let done = store.promote_together(&switch.images, false);
        let Some(outcomes) = world.blame(site, done)? else {
            world.forget_half(site);
            world.perhaps_promoted(site, &switch.images);
            return Ok(());
        };
        world.halves[site].clear();
        let all = outcomes.iter().all(|(_, outcome)| outcome.is_ok());
        if !all && hasty && tries < 20 {
            self.switch = Some(switch);
        }
        for (id, outcome) in outcomes {
            match outcome {
                Ok(_) if all => {
                    self.check_demoted(site, id)?;
                    let returns = returning.get(&id).copied();
                    let planned = all_here || site == from;
                    self.promoted(site, id, (planned, returns))?;
                }
                outcome => self.world.say(format!("  {id}: {outcome:?}")),
            }
        }
        Ok(())
    }

    /// The first step of a planned switch.
    fn demote(&mut self, mut switch: Switch) -> Outcome {
        let (world, from) = (&mut self.world, switch.from);
        let Some(store) = world.store(from) else {
            return Ok(());
        };
        world.say(format!("demote {:?} at {from}", switch.images));
        let next = store.head().sequence.next();
        let done = store.demote(&switch.images);
        let position = world.may(from, done)?;
        // One that was interrupted may have been made.
        if position.is_some() || world.interrupted[from] {
            for id in &switch.images {
                world.demotions.entry((from, *id)).or_default().push(next);
            }
        }
        let Some(position) = position else {
            return Ok(());
        };
        for id in &switch.images {
            if self.mood.snapshots {
                // A mirror snapshot was taken with it.
                world.note(from, *id)?;
            }
            if let Some(line) = world.lines.get_mut(&(from, *id)) {
                line.open = false;
            }
        }
        let flushed = &mut world.sites[from].flushed;
        *flushed = (*flushed).max(position.sequence);
        switch.demoted = Some(position);
        let epoch = |id: &ImageId| Some((*id, world.info(from, *id)?.epoch));
        switch.epochs = switch.images.iter().filter_map(epoch).collect();
        self.switch = Some(switch);
        Ok(())
    }

    /// Without force nobody is promoted who has not heard that the primary was demoted.
    fn check_demoted(&self, site: usize, id: ImageId) -> Outcome {
        let world = &self.world;
        let Some(info) = world.info(site, id) else {
            return Ok(());
        };
        let known = world.promotions.get(&id).into_iter().flatten();
        let mut known = known.filter(|it| it.site == site && it.epoch == info.epoch);
        let Some(origin) = info.origin.filter(|_| known.next().is_none()) else {
            return Ok(());
        };
        let mut sites = 0..world.sites.len();
        let of = sites.find(|of| store_id(*of) == origin.peer);
        let demotions = of.and_then(|of| world.demotions.get(&(of, id)));
        let mut demotions = demotions.into_iter().flatten();
        // The origin names who handed the demotion on.
        let handed_on = || world.demotions.keys().any(|(_, demoted)| *demoted == id);
        if world.came_by_way(site, id) && handed_on() {
            return Ok(());
        }
        if demotions.any(|at| *at <= origin.sequence) {
            return Ok(());
        }
        Err(format!(
            "{id} was promoted at {site} without force, and no demotion had arrived there"
        ))
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
            limits::lift(&self.world, site);
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
            self.world.add_all_peers();
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
                    let info = self.world.info(*site, id);
                    let mirrored = info.is_some_and(|info| info.mirrored);
                    let store = self.world.store(*site).filter(|_| mirrored);
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
                let returns = self.world.returning(site, &[id]).get(&id).copied();
                self.world.note_formers(site, &[id]);
                let store = self.world.store(site).unwrap();
                let done = store.promote(&[id], forced);
                match self.world.blame(site, done)? {
                    Some(_) => self.promoted(site, id, (false, returns))?,
                    None => self.world.perhaps_promoted(site, &[id]),
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
                let info = world.info(site, id);
                // A copy that was promoted before it heard of the end goes on by itself.
                let apart = !info.as_ref().is_some_and(|info| info.mirrored);
                if apart && world.ended.contains(&id) {
                    continue;
                }
                let Some(info) = info else {
                    return Some(format!(
                        "{id} is missing at {site}, and primary at {primary}"
                    ));
                };
                let follows = info.leader.or(info.upstream) == Some(store_id(primary));
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
