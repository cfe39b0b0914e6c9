//! Sites that start again: what they find is what they had.

use firebrick_engine::Store;
use firebrick_vocabulary::{ImageMirrorMode, Role};
use rand::Rng as _;

use crate::site::{Running, store_id};
use crate::truth::View;
use crate::world::{Outcome, Promoted, World};

impl World {
    /// Starts a site, and looks at what it finds.
    pub(crate) fn start(&mut self, site: usize) -> Outcome {
        let (scheduler, cables) = (self.scheduler.clone(), self.cables.clone());
        let others = self.shape.peers(site, self.sites.len());
        self.unflip(site);
        let started = self.sites[site].start(&scheduler, &cables, others);
        if let Err(error) = started {
            if self.sites[site].is_on() {
                return Err(format!("{site} does not start: {error}"));
            }
            self.sites[site].running = None;
            let seed = self.random.random();
            self.crash(site, seed);
            return Ok(());
        }
        let Some(store) = self.store(site) else {
            return Ok(());
        };
        let head = store.head().sequence;
        let flushed = self.sites[site].flushed;
        self.say(format!("{site} starts, at {head}"));
        if head < flushed {
            return Err(format!(
                "{site} ends at {head}, and was durable up to {flushed}"
            ));
        }
        self.sites[site].flushed = head;
        self.check_confirmed(site, &store)?;
        self.check_together(site)?;
        let interrupted = std::mem::take(&mut self.interrupted[site]);
        for ((of, _), line) in &mut self.lines {
            if *of == site {
                line.truncate(head);
                line.open = false;
            }
        }
        for ((of, _), demotions) in &mut self.demotions {
            if *of == site {
                demotions.retain(|at| *at <= head);
            }
        }
        self.compared
            .retain(|(one, other), _| *one != site && *other != site);
        self.check_started(site, interrupted)?;
        self.learn_promotions(site);
        Ok(())
    }

    /// Promotions that were not answered, and were made.
    fn learn_promotions(&mut self, site: usize) {
        let tried = self.perhaps.iter().filter(|((of, _), _)| *of == site);
        let tried: Vec<_> = tried.map(|((_, id), at)| (*id, *at)).collect();
        for (id, at) in tried {
            self.perhaps.remove(&(site, id));
            let Some(info) = self.info(site, id).filter(|_| self.is_primary(site, id)) else {
                continue;
            };
            let mut known = self.promotions.get(&id).into_iter().flatten();
            if known.any(|it| it.site == site && it.epoch == info.epoch) {
                continue;
            }
            self.say(format!("{id} is primary at {site} in epoch {}", info.epoch));
            let origin = self.origin(&info);
            let promoted = Promoted {
                site,
                epoch: info.epoch,
                former: self.formers.get(&(site, id)).copied(),
                origin,
                at,
                found: None,
            };
            self.promotions.entry(id).or_default().push(promoted);
            if origin.is_some() {
                self.leads_anew(site, id);
            }
        }
    }

    /// What a site is primary of after a start is what it was before.
    fn check_started(&mut self, site: usize, interrupted: bool) -> Outcome {
        let Some(store) = self.store(site) else {
            return Ok(());
        };
        let head = store.head().sequence;
        for image in store.images() {
            let info = image.info();
            // A demotion that was interrupted may have been made, and a mirror snapshot with it.
            let by_snapshots = info.mode == ImageMirrorMode::Snapshot;
            let demoted = by_snapshots && interrupted && info.upstream.is_none();
            if !info.mirrored || info.role != Role::Primary && !demoted {
                continue;
            }
            let id = info.id;
            let Some(found) = self.blame(site, View::of(&store, id, None))? else {
                return Ok(());
            };
            let line = self.lines.entry((site, id)).or_default();
            line.open = true;
            match line.at(head) {
                Some(Some(expected)) if **expected == found => {}
                _ if interrupted => line.push(head, found),
                Some(Some(expected)) => {
                    return Err(format!(
                        "{id} at {site} is not what it was before the crash: {}",
                        found.difference(expected)
                    ));
                }
                Some(None) | None => {
                    return Err(format!(
                        "{id} is primary at {site} after a crash, and was not"
                    ));
                }
            }
        }
        Ok(())
    }

    /// What a site has told others that it holds, it still does.
    fn check_confirmed(&self, site: usize, store: &Store) -> Outcome {
        for (server, running) in self.others(site) {
            let peers = running.mirror.peers();
            let name = site.to_string();
            let Some(peer) = peers.iter().find(|peer| peer.name == name) else {
                continue;
            };
            let confirmed = peer.confirmed.sequence;
            let applied = store.applied(store_id(server));
            if applied >= confirmed {
                continue;
            }
            for image in store.images() {
                let info = image.info();
                if info.upstream != Some(store_id(server)) || !info.sync.is_consistent() {
                    continue;
                }
                if !self.is_certain(server, info.id, applied) {
                    continue;
                }
                let Some(line) = self.lines.get(&(server, info.id)) else {
                    continue;
                };
                if line.at(applied) != line.at(confirmed) {
                    return Err(format!(
                        "{site} confirmed {server}'s {confirmed} and holds it up to {applied}: {} differs",
                        info.id
                    ));
                }
            }
        }
        Ok(())
    }

    fn others(&self, site: usize) -> impl Iterator<Item = (usize, &Running)> {
        let others = self.sites.iter().filter(move |other| other.number != site);
        others.filter_map(|other| Some((other.number, other.running.as_ref()?)))
    }
}
