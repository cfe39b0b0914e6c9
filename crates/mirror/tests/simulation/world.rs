//! Sites, and what is known of what happened to them.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use firebrick_engine::{Error, ErrorKind, ImageInfo, Store};
use firebrick_simulate::Scheduler;
use firebrick_vocabulary::{Epoch, ImageId, Role, Sequence};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::groups::Together;
use crate::network::Cables;
use crate::site::{Lie, Site, store_id};
use crate::sync::Heard;
use crate::truth::{Line, View};

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

/// An epoch of an image, and the site that leads it in that. Of two the later one is the greater.
pub(crate) type Reign = (Epoch, usize);

/// What an image was at a site that was to be made primary of it.
#[derive(Clone, Copy)]
pub(crate) struct Former {
    pub(crate) reign: Reign,
    /// The site followed it by way of another one.
    pub(crate) by_way: bool,
}

/// A promotion that was answered.
pub(crate) struct Promoted {
    pub(crate) site: usize,
    pub(crate) epoch: Epoch,
    /// What it was there before.
    pub(crate) former: Option<Former>,
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
    /// By site and image: a promotion met the end of its process at that time, and may have been made.
    pub(crate) perhaps: BTreeMap<(usize, ImageId), Duration>,
    /// By site and image: it followed another one when it was seen last.
    follows: BTreeSet<(usize, ImageId)>,
    /// By site: what was being promoted together when its power went.
    pub(crate) halves: Vec<Together>,
    /// By site and image, where it was demoted.
    pub(crate) demotions: BTreeMap<(usize, ImageId), Vec<Sequence>>,
    /// What has been compared: by reader and server, up to which record of whose.
    pub(crate) compared: BTreeMap<(usize, usize), (Sequence, Sequence)>,
    trace: Vec<String>,
    /// What guests have heard of their flushes.
    pub(crate) heard: Heard,
    /// What images were at a site when it was last to be made primary of them.
    pub(crate) formers: BTreeMap<(usize, ImageId), Former>,
    /// Images whose mirroring was ended somewhere.
    pub(crate) ended: BTreeSet<ImageId>,
    /// Images that were removed somewhere.
    pub(crate) removed: BTreeSet<ImageId>,
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
            perhaps: BTreeMap::new(),
            follows: BTreeSet::new(),
            halves: vec![Together::new(); sites],
            demotions: BTreeMap::new(),
            compared: BTreeMap::new(),
            trace: Vec::new(),
            heard: Heard::default(),
            formers: BTreeMap::new(),
            ended: BTreeSet::new(),
            removed: BTreeSet::new(),
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

    /// Where the last promotion of an image followed on: site and record.
    pub(crate) fn origin(&self, info: &ImageInfo) -> Option<(usize, Sequence)> {
        let origin = info.origin?;
        let of = (0..self.sites.len()).find(|of| store_id(*of) == origin.peer)?;
        Some((of, origin.sequence))
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

    /// Notes what images are at a site, before it is made primary of them.
    pub(crate) fn note_formers(&mut self, site: usize, ids: &[ImageId]) {
        for id in ids {
            let Some(info) = self.info(site, *id) else {
                self.formers.remove(&(site, *id));
                continue;
            };
            let leader_id = info.leader.or(info.upstream).unwrap_or(store_id(site));
            let leader = (0..self.sites.len()).find(|leader| store_id(*leader) == leader_id);
            let former = Former {
                reign: (info.epoch, leader.unwrap()),
                by_way: info.leader.is_some(),
            };
            self.formers.insert((site, *id), former);
        }
    }

    /// A promotion of these failed in the middle.
    pub(crate) fn perhaps_promoted(&mut self, site: usize, ids: &[ImageId]) {
        let now = self.scheduler.elapsed();
        self.perhaps.extend(ids.iter().map(|id| ((site, *id), now)));
    }

    /// Whether a site may lead an image though no promotion of that was answered.
    pub(crate) fn may_lead(&self, site: usize, id: ImageId) -> bool {
        self.perhaps.contains_key(&(site, id))
    }

    /// A site that followed another one was made primary of an image: what peers have of it is certain from here on.
    pub(crate) fn leads_anew(&mut self, site: usize, id: ImageId) {
        let head = self.store(site).map(|store| store.head().sequence);
        if let Some(line) = self.lines.get_mut(&(site, id)) {
            line.certain_from = head.unwrap_or_default();
        }
    }

    /// Notes which images follow others at a site that runs.
    pub(crate) fn note_following(&mut self, site: usize) {
        let Some(store) = self.store(site) else {
            return;
        };
        for image in store.images() {
            let info = image.info();
            if info.upstream.is_some() {
                self.follows.insert((site, info.id));
            } else {
                self.follows.remove(&(site, info.id));
            }
        }
    }

    /// Whether it is known what a peer has that has everything of a site up to a record: where that has fallen back
    /// since, or perhaps leads anew, what it wrote before may have been sent or not.
    pub(crate) fn is_certain(&self, site: usize, id: ImageId, at: Sequence) -> bool {
        let line = self.lines.get(&(site, id));
        let certain = line.is_none_or(|line| at >= line.certain_from);
        certain && !self.follows.contains(&(site, id)) && !self.may_lead(site, id)
    }

    /// Whether a site followed an image by way of another one when it was made primary of it.
    pub(crate) fn came_by_way(&self, site: usize, id: ImageId) -> bool {
        let former = self.formers.get(&(site, id));
        former.is_some_and(|former| former.by_way)
    }

    /// The power of a site is cut.
    pub(crate) fn crash(&mut self, site: usize, seed: u64) {
        self.note_following(site);
        let store = self.store(site);
        let durable = store.map(|store| store.durable().sequence);
        self.say(format!(
            "the power of {site} is cut, durable up to {durable:?}"
        ));
        let (scheduler, cables) = (self.scheduler.clone(), self.cables.clone());
        self.sites[site].cut_power(&scheduler, &cables, seed);
    }

    pub(crate) fn kill(&mut self, site: usize) {
        self.note_following(site);
        self.say(format!("the process of {site} is killed"));
        let scheduler = self.scheduler.clone();
        self.sites[site].kill(&scheduler);
    }

    /// Time passes.
    pub(crate) fn pass(&mut self, time: Duration) -> Outcome {
        self.scheduler.run_for(time);
        self.check(false)
    }
}
