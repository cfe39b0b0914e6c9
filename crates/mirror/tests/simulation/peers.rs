//! Sites that are peers no longer, and are again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::acts::Story;
use crate::world::World;

impl Story {
    /// An operator removes a peer of a site, or adds it again.
    pub(crate) fn change_peers(&mut self) {
        let world = &mut self.world;
        let sites = world.sites.len();
        let site = world.below(sites);
        let other = (site + 1 + world.below(sites - 1)) % sites;
        if !world.shape.peers(site, sites).contains(&other) {
            return;
        }
        if world.sites[site].without.contains(&other) {
            world.add_peer(site, other);
        } else {
            world.remove_peer(site, other);
        }
    }
}

impl World {
    fn remove_peer(&mut self, site: usize, other: usize) {
        let process = self.sites[site].process();
        let runtime = self.scheduler.runtime(process);
        let here = &mut self.sites[site];
        let Some(running) = here.running.as_ref().filter(|_| !here.is_leaving()) else {
            return;
        };
        let mirror = Arc::clone(&running.mirror);
        let left = Arc::new(AtomicBool::new(false));
        here.leaving = Some(Arc::clone(&left));
        here.without.insert(other);
        here.unheard.insert(other);
        runtime.spawn(Box::pin(async move {
            mirror.remove_peer(&other.to_string()).await;
            left.store(true, Ordering::Release);
        }));
        self.heard.part(site, other);
        self.say(format!("{other} is no peer of {site} any more"));
    }

    fn add_peer(&mut self, site: usize, other: usize) {
        let here = &mut self.sites[site];
        let Some(running) = here.running.as_ref().filter(|_| !here.is_leaving()) else {
            return;
        };
        running.mirror.add_peer(crate::site::peer(other));
        here.without.remove(&other);
        self.say(format!("{other} is a peer of {site} again"));
    }

    /// All sites are peers of each other again, as soon as those that were removed have left.
    pub(crate) fn add_all_peers(&mut self) {
        for site in 0..self.sites.len() {
            for other in self.sites[site].without.clone() {
                self.add_peer(site, other);
            }
        }
    }
}
