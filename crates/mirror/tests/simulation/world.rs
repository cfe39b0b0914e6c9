//! Sites, what happens to them, and what must hold whatever happens.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use firebrick_engine::{Error, ErrorKind, ImageInfo, Store};
use firebrick_simulate::Scheduler;
use firebrick_vocabulary::{Epoch, ImageId, ImageMirrorMode, Role, Sequence, StoreId};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::groups::Together;
use crate::network::Cables;
use crate::site::{GRACE, Lie, Running, Site, store_id};
use crate::sync::Heard;
use crate::truth::{self, Line, View};

/// Who knows whom.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Shape {
    /// Each site all others.
    Mesh,
    /// Each site the one before and the one behind it.
    Chain,
}

impl Shape {
    /// The peers of a site.
    pub(crate) fn peers(self, site: usize, sites: usize) -> Vec<usize> {
        let others = (0..sites).filter(|other| *other != site);
        let knows = |other: &usize| self == Self::Mesh || other.abs_diff(site) == 1;
        others.filter(knows).collect()
    }
}

/// A promotion that was answered.
pub(crate) struct Promoted {
    pub(crate) site: usize,
    pub(crate) epoch: Epoch,
    /// Where it followed on: site and record.
    pub(crate) origin: Option<(usize, Sequence)>,
    pub(crate) at: Duration,
    /// What was there.
    pub(crate) found: Option<Arc<View>>,
}

pub(crate) struct World {
    pub(crate) shape: Shape,
    pub(crate) scheduler: Scheduler,
    pub(crate) cables: Cables,
    pub(crate) sites: Vec<Site>,
    pub(crate) random: StdRng,
    /// By site: an operation met the end of its process, and may have been done.
    pub(crate) interrupted: Vec<bool>,
    pub(crate) lines: BTreeMap<(usize, ImageId), Line>,
    pub(crate) promotions: BTreeMap<ImageId, Vec<Promoted>>,
    /// By site: what was being promoted together when its power went.
    pub(crate) halves: Vec<Together>,
    /// By site and image, where it was demoted.
    pub(crate) demotions: BTreeMap<(usize, ImageId), Vec<Sequence>>,
    /// What has been compared: by reader and server, up to which record of whose.
    compared: BTreeMap<(usize, usize), (Sequence, Sequence)>,
    trace: Vec<String>,
    /// What guests have heard of their flushes.
    pub(crate) heard: Heard,
    /// What a site followed by way of another one when it was last to be made primary.
    pub(crate) ways: BTreeSet<(usize, ImageId)>,
    /// The next number to write.
    pub(crate) number: u64,
}

impl Drop for World {
    fn drop(&mut self) {
        // Tasks hold the scheduler that holds them: without this no story would ever be forgotten.
        for site in &mut self.sites {
            site.running = None;
            self.scheduler.kill(site.process());
        }
    }
}

/// Whether what happens is printed: where one seed alone is run.
pub(crate) fn is_told() -> bool {
    firebrick_simulate::seeds(2).count() == 1
}

/// What is wrong.
pub(crate) type Outcome<T = ()> = Result<T, String>;

impl World {
    pub(crate) fn new(seed: u64, sites: usize, lie: Lie) -> Self {
        Self::shaped(seed, sites, Shape::Mesh, lie)
    }

    pub(crate) fn shaped(seed: u64, sites: usize, shape: Shape, lie: Lie) -> Self {
        let scheduler = Scheduler::new(seed);
        let mut random = StdRng::seed_from_u64(seed ^ 0x5eed_0000);
        let cables = Cables::new(scheduler.clone());
        let one = |number| {
            let ahead = Duration::from_millis(random.random_range(0..5000));
            Site::new(number, &scheduler, ahead, lie)
        };
        let made: Vec<Site> = (0..sites).map(one).collect();
        let mut world = Self {
            shape,
            interrupted: vec![false; sites],
            cables,
            sites: made,
            random,
            lines: BTreeMap::new(),
            promotions: BTreeMap::new(),
            halves: vec![Together::new(); sites],
            demotions: BTreeMap::new(),
            compared: BTreeMap::new(),
            trace: Vec::new(),
            heard: Heard::default(),
            ways: BTreeSet::new(),
            number: 0,
            scheduler,
        };
        for site in 0..sites {
            world.start(site).unwrap();
            // What a peer may return to can be had from the first one on.
            world.store(site).unwrap().checkpoint().unwrap();
        }
        world
    }

    pub(crate) fn chance(&mut self, of: f64) -> bool {
        self.random.random_bool(of)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.random.random_range(0..end)
    }

    pub(crate) fn say(&mut self, what: impl std::fmt::Display) {
        let now = self.scheduler.elapsed().as_secs_f64();
        if is_told() {
            println!("{now:9.4} {what}");
        }
        self.trace.push(format!("{now:9.4} {what}"));
    }

    /// The last things that happened.
    pub(crate) fn trace(&self) -> String {
        let from = self.trace.len().saturating_sub(60);
        self.trace[from..].join("\n")
    }

    /// What happened, as a number.
    pub(crate) fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for line in &self.trace {
            hasher.write(line.as_bytes());
        }
        for site in &self.sites {
            hasher.write_u64(site.disk.operations());
        }
        hasher.finish()
    }

    pub(crate) fn store(&self, site: usize) -> Option<Arc<Store>> {
        self.sites[site].store().map(Arc::clone)
    }

    pub(crate) fn running(&self) -> Vec<usize> {
        let on = self.sites.iter().filter(|site| site.running.is_some());
        on.map(|site| site.number).collect()
    }

    pub(crate) fn info(&self, site: usize, id: ImageId) -> Option<ImageInfo> {
        Some(self.store(site)?.image(id).ok()?.info())
    }

    pub(crate) fn is_primary(&self, site: usize, id: ImageId) -> bool {
        self.info(site, id)
            .is_some_and(|info| info.role == Role::Primary && info.mirrored)
    }

    /// All images that are mirrored at some site that runs.
    pub(crate) fn images(&self) -> BTreeSet<ImageId> {
        let stores = self.sites.iter().filter_map(Site::store);
        let images = stores.flat_map(|store| store.images());
        let mirrored = images
            .map(|image| image.info())
            .filter(|info| info.mirrored);
        mirrored.map(|info| info.id).collect()
    }

    /// What became of something at a site: `None` where the site is not well, and that is the reason.
    pub(crate) fn blame<T>(&mut self, site: usize, done: Result<T, Error>) -> Outcome<Option<T>> {
        match done {
            Ok(done) => Ok(Some(done)),
            Err(error) if !self.sites[site].is_on() || self.sites[site].ill => {
                self.say(format!("  fails at {site}: {error}"));
                self.interrupted[site] = true;
                Ok(None)
            }
            Err(error) => Err(format!("at site {site}: {error}")),
        }
    }

    /// As [`Self::blame`], of what a site may refuse.
    pub(crate) fn may<T>(&mut self, site: usize, done: Result<T, Error>) -> Outcome<Option<T>> {
        match done {
            Err(error)
                if matches!(
                    error.kind,
                    ErrorKind::NotPrimary
                        | ErrorKind::Fenced
                        | ErrorKind::NotFound
                        | ErrorKind::Busy
                        | ErrorKind::Exists
                        | ErrorKind::Inconsistent
                        | ErrorKind::Invalid
                ) =>
            {
                self.say(format!("  refused at {site}: {error}"));
                Ok(None)
            }
            done => self.blame(site, done),
        }
    }

    /// A site has changed an image itself.
    pub(crate) fn note(&mut self, site: usize, id: ImageId) -> Outcome {
        let Some(store) = self.store(site) else {
            return Ok(());
        };
        let line = self.lines.entry((site, id)).or_default();
        let head = store.head().sequence;
        let is_mirrored = store.image(id).is_ok_and(|image| image.info().mirrored);
        if !is_mirrored {
            if line.open {
                line.end(head);
            }
            return Ok(());
        }
        let known = line.newest().cloned();
        let view = View::of(&store, id, known.as_deref());
        if let Some(view) = self.blame(site, view)? {
            let line = self.lines.entry((site, id)).or_default();
            line.push(head, view);
        }
        Ok(())
    }

    /// A guest or a user has changed an image: nobody else may have in that epoch.
    pub(crate) fn written(&mut self, site: usize, id: ImageId) -> Outcome {
        let Some(info) = self.info(site, id).filter(|info| info.mirrored) else {
            return Ok(());
        };
        // Two sites that were forced without having heard of each other may have the same epoch.
        let leads = self.promotions.get(&id).into_iter().flatten();
        let mut leads = leads.filter(|promoted| promoted.epoch == info.epoch);
        let is_known = leads.clone().next().is_some();
        if is_known && leads.all(|promoted| promoted.site != site) {
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
            // Where the server has fallen back, what it wrote behind that may have been sent or not.
            let there = self.info(server, id);
            if there.is_some_and(|there| there.upstream.is_some()) {
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

    /// Notes which images a site follows by way of another one, before it is made primary of them.
    pub(crate) fn note_ways(&mut self, site: usize, ids: &[ImageId]) {
        for id in ids {
            let info = self.info(site, *id);
            if info.is_some_and(|info| info.leader.is_some()) {
                self.ways.insert((site, *id));
            } else {
                self.ways.remove(&(site, *id));
            }
        }
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
            if !kept.contains(&*newest.blocks) {
                return Err(format!(
                    "{id} fell back at {site}, and what was there is kept nowhere"
                ));
            }
        }
        Ok(())
    }

    /// The power of a site is cut.
    pub(crate) fn crash(&mut self, site: usize, seed: u64) {
        let store = self.store(site);
        let durable = store.map(|store| store.durable().sequence);
        self.say(format!(
            "the power of {site} is cut, durable up to {durable:?}"
        ));
        let (scheduler, cables) = (self.scheduler.clone(), self.cables.clone());
        self.sites[site].cut_power(&scheduler, &cables, seed);
    }

    pub(crate) fn kill(&mut self, site: usize) {
        self.say(format!("the process of {site} is killed"));
        let scheduler = self.scheduler.clone();
        self.sites[site].kill(&scheduler);
    }

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
        self.check_started(site, interrupted)
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

    /// Time passes.
    pub(crate) fn pass(&mut self, time: Duration) -> Outcome {
        self.scheduler.run_for(time);
        self.check(false)
    }
}
