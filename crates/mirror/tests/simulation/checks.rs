//! What must hold at every instant, whatever happens.

use std::sync::Arc;

use firebrick_engine::ImageInfo;
use firebrick_vocabulary::{ImageId, Role, StoreId};
use rand::Rng as _;

use crate::site::{GRACE, store_id};
use crate::truth::{self, View};
use crate::world::{Outcome, World};

impl World {
    /// A guest or a user has changed an image: nobody else may have in that epoch.
    pub(crate) fn written(&mut self, site: usize, id: ImageId) -> Outcome {
        let Some(info) = self.info(site, id).filter(|info| info.mirrored) else {
            return Ok(());
        };
        // Two sites that were forced without having heard of each other may have the same epoch.
        let leads = self.promotions.get(&id).into_iter().flatten();
        let mut leads = leads.filter(|promoted| promoted.epoch == info.epoch);
        let is_known = leads.clone().next().is_some();
        let others = is_known && leads.all(|promoted| promoted.site != site);
        if others && !self.may_lead(site, id) {
            return Err(format!(
                "{id} was changed at {site} in epoch {}, which is not its own",
                info.epoch
            ));
        }
        let now = self.scheduler.elapsed();
        let since = self.sites[site]
            .running
            .as_ref()
            .map(|running| running.since);
        let newer = self.promotions.get(&id).into_iter().flatten();
        // Only of its peers it can have heard.
        let peers = self.shape.peers(site, self.sites.len());
        let newer = newer.filter(|other| {
            peers.contains(&other.site)
                && other.epoch > info.epoch
                && since.is_some_and(|since| since > other.at)
        });
        // Whoever has been made primary since the start need not wait.
        let own = self.promotions.get(&id).into_iter().flatten();
        let mut own = own.filter(|own| own.site == site && own.epoch == info.epoch);
        let chosen = own.any(|own| since.is_some_and(|since| own.at >= since));
        let fenced = !chosen && since.is_some_and(|since| now < since + GRACE);
        // Nobody waits for those who are no peers any more.
        let unheard = &self.sites[site].unheard;
        let mut newer = newer.filter(|other| !unheard.contains(&other.site));
        if let Some(other) = newer.next().filter(|_| fenced) {
            return Err(format!(
                "{id} was changed at {site} in epoch {}, after a start behind the promotion at {} to epoch {}",
                info.epoch, other.site, other.epoch
            ));
        }
        Ok(())
    }

    /// Looks at everything that must hold at every instant.
    pub(crate) fn check(&mut self, deep: bool) -> Outcome {
        self.hear()?;
        for site in 0..self.sites.len() {
            self.note_following(site);
        }
        for site in 0..self.sites.len() {
            if self.sites[site].running.is_none() {
                continue;
            }
            if !self.sites[site].is_on() {
                let seed = self.random.random();
                self.crash(site, seed);
                continue;
            }
            self.check_returns(site)?;
            for server in 0..self.sites.len() {
                self.check_mirror(site, server, deep)?;
            }
        }
        Ok(())
    }

    /// What a site shows of images that follow a server is what these were there.
    fn check_mirror(&mut self, site: usize, server: usize, deep: bool) -> Outcome {
        let Some(store) = self.store(site).filter(|_| site != server) else {
            return Ok(());
        };
        let applied = store.applied(store_id(server));
        if let Some(there) = self.store(server) {
            let durable = there.durable().sequence;
            if applied > durable {
                return Err(format!(
                    "{site} has record {applied} of {server}, where it is durable up to {durable}"
                ));
            }
        }
        let now = (applied, store.head().sequence);
        let before = self.compared.insert((site, server), now);
        if before == Some(now) && !deep {
            return Ok(());
        }
        for image in store.images() {
            let info = image.info();
            let follows = info.role == Role::Secondary && info.upstream == Some(store_id(server));
            if !follows || !info.sync.is_consistent() {
                continue;
            }
            let id = info.id;
            if let Some(leader) = info.leader {
                self.check_told(site, &info, leader)?;
                continue;
            }
            if !self.is_certain(server, id, applied) {
                continue;
            }
            let expected = self.lines.get(&(server, id)).map(|line| line.at(applied));
            let Some(Some(Some(expected))) = expected.map(|at| at.map(Option::as_ref)) else {
                return Err(format!(
                    "{id} follows {server} at {site}, where it is not a mirrored primary at {applied}"
                ));
            };
            let expected = Arc::clone(expected);
            let known = (!deep).then_some(&*expected);
            let found = View::of(&store, id, known);
            let Some(found) = self.blame(site, found)? else {
                continue;
            };
            if found != *expected {
                return Err(format!(
                    "{id} at {site} is not what it was at {server} at {applied}: {}",
                    found.difference(&expected)
                ));
            }
        }
        Ok(())
    }

    /// What a site shows of an image that it follows by way of another one is what it was at its primary once.
    fn check_told(&mut self, site: usize, info: &ImageInfo, leader: StoreId) -> Outcome {
        let id = info.id;
        let Some(store) = self.store(site) else {
            return Ok(());
        };
        let Some(found) = self.blame(site, View::of(&store, id, None))? else {
            return Ok(());
        };
        let mut lines = self.lines.iter();
        let line = lines.find(|((of, image), _)| store_id(*of) == leader && *image == id);
        if line.is_some_and(|(_, line)| line.has(&found)) {
            return Ok(());
        }
        let newest = line.and_then(|(_, line)| line.newest());
        let why = newest.map(|newest| found.difference(newest));
        Err(format!(
            "{id} at {site} was never so at its primary, which is now: {why:?}"
        ))
    }

    /// What a former primary had written and the new one had not is kept.
    fn check_returns(&mut self, site: usize) -> Outcome {
        let Some(store) = self.store(site) else {
            return Ok(());
        };
        let lines = self.lines.iter();
        let open = lines.filter(|((of, _), line)| *of == site && line.open);
        let open: Vec<ImageId> = open.map(|((_, id), _)| *id).collect();
        for id in open {
            if self.is_primary(site, id) {
                continue;
            }
            let line = self.lines.get_mut(&(site, id)).unwrap();
            line.open = false;
            let Some(Some(newest)) = line.newest_state().cloned() else {
                continue;
            };
            let newest_of = Some(&newest);
            let Some(info) = self.info(site, id) else {
                self.say(format!("{id} is gone at {site}"));
                continue;
            };
            self.say(format!(
                "{id} is secondary at {site} now, in epoch {}",
                info.epoch
            ));
            if info.upstream.is_none() {
                // It was demoted here, and is what it was.
                continue;
            }
            // Whoever was promoted at the last of its states lost nothing.
            let promotions = self.promotions.get(&id).into_iter().flatten();
            let line = &self.lines[&(site, id)];
            let mut covered =
                promotions
                    .filter_map(|promoted| promoted.origin)
                    .filter(|(of, at)| {
                        *of == site
                            && line
                                .at(*at)
                                .is_some_and(|state| state.as_ref() == Some(&newest))
                    });
            let known = self.promotions.get(&id).into_iter().flatten();
            let mut founds = known.filter_map(|promoted| promoted.found.as_ref());
            let told = founds.any(|found| Some(found) == newest_of);
            if covered.next().is_some() || told {
                continue;
            }
            let kept = truth::divergent(&store, id);
            let Some(mut kept) = self.blame(site, kept)? else {
                continue;
            };
            for other in store.images() {
                let info = other.info();
                if !info.mirrored && info.name.as_str().starts_with("divergent-") {
                    let blocks = truth::blocks(&store, info.id);
                    kept.extend(self.blame(site, blocks)?);
                }
            }
            // With the end of an image at its new primary goes what was kept beside the copies of that.
            let ended = self.ended.contains(&id) || self.removed.contains(&id);
            if !kept.contains(&*newest.blocks) && !ended {
                return Err(format!(
                    "{id} fell back at {site}, and what was there is kept nowhere"
                ));
            }
        }
        Ok(())
    }
}
