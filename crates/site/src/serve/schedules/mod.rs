//! Schedules of mirror snapshots: what a site takes by itself of images that are primary here.
//!
//! Whether something is due follows from the schedule and from the newest mirror snapshot, which is in the log.
//! So nothing needs to be remembered of runs: after a start, or after a time as a secondary, what was missed is
//! made up for once.

mod due;
mod kept;
mod units;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use firebrick_backend::{Fault, FaultKind};
use firebrick_edge::RealDisk;
use firebrick_engine::{ImageInfo, MIRROR_INTERVAL_KEY, Store};
use firebrick_vocabulary::{ImageId, Role};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::background::every;
use super::error::Error;
use super::fault::fault;
use super::tools::{group_name, namespace_exists};
use crate::admin::{
    MirrorReply, NextRun, Schedule, ScheduleItem, ScheduleLevel, ScheduleRequest, Schedules,
};
use crate::conf::SiteConf;
use kept::{Keeper, Kept, KeptItem};
use units::{Unit, by_snapshots, group_of, units};

/// How often it is looked whether something is due.
const PERIOD: Duration = Duration::from_secs(1);
/// The most parts of all schedules.
const ITEMS_MAX: usize = 10_000;

/// The schedules of a site.
pub(super) struct Scheduler {
    store: Arc<Store>,
    keeper: Keeper,
    kept: Mutex<Kept>,
    /// What could not be taken, and for which moment that was said already.
    failed: Mutex<BTreeMap<ImageId, u64>>,
}

/// Takes what is due, again and again until `ending`.
pub(super) async fn errand(scheduler: Arc<Scheduler>, ending: CancellationToken) {
    every(PERIOD, ending, move || scheduler.run()).await;
}

impl Scheduler {
    /// Reads the schedules of the site that `conf` describes.
    pub(super) fn open(conf: &SiteConf, store: &Arc<Store>) -> Result<Self, Error> {
        let failed = |error| Error::io("read schedules in", &conf.dir, error);
        let keeper = Keeper(Arc::new(RealDisk::new(&conf.dir).map_err(failed)?));
        Ok(Self {
            store: Arc::clone(store),
            kept: Mutex::new(keeper.read().map_err(failed)?),
            keeper,
            failed: Mutex::default(),
        })
    }

    /// Answers a call about schedules.
    pub(super) fn answer(&self, request: ScheduleRequest) -> Result<MirrorReply, Fault> {
        match request {
            ScheduleRequest::Add { level, item } => self.add(level, item)?,
            ScheduleRequest::Remove { level, item } => self.remove(&level, item)?,
            ScheduleRequest::List => return Ok(MirrorReply::Schedules(self.list())),
        }
        Ok(MirrorReply::Done)
    }

    fn add(&self, level: ScheduleLevel, item: ScheduleItem) -> Result<(), Fault> {
        const DOING: &str = "add a schedule";
        self.check(DOING, &level)?;
        let since = self.store.now().0;
        self.change(DOING, |kept| {
            let items = kept.entry(level).or_default();
            if items.iter().all(|known| known.item != item) {
                items.push(KeptItem { item, since });
                items.sort_by_key(|kept| kept.item);
            }
        })
    }

    fn remove(&self, level: &ScheduleLevel, item: Option<ScheduleItem>) -> Result<(), Fault> {
        if let ScheduleLevel::Image(id) = level {
            self.forget(*id, item)?;
        }
        self.change("remove a schedule", |kept| {
            if let Some(items) = kept.get_mut(level) {
                items.retain(|known| item.is_some_and(|item| known.item != item));
            }
        })
    }

    /// Takes from an image that is primary here what it says itself, where that is meant.
    fn forget(&self, image: ImageId, item: Option<ScheduleItem>) -> Result<(), Fault> {
        let here = self.info(image).filter(|info| info.role == Role::Primary);
        let Some(interval) = here.and_then(|info| info.mirror_interval()) else {
            return Ok(());
        };
        let start_time = None;
        let own = ScheduleItem {
            interval,
            start_time,
        };
        if item.is_some_and(|item| item != own) {
            return Ok(());
        }
        let forgotten = self.store.set_metadata(image, MIRROR_INTERVAL_KEY, None);
        let forgotten = forgotten.and_then(|()| self.store.flush());
        forgotten.map(drop).map_err(|error| fault(&error))
    }

    /// Changes what is kept: durable before it holds.
    fn change(&self, doing: &str, change: impl FnOnce(&mut Kept)) -> Result<(), Fault> {
        let mut kept = self.kept.lock();
        let mut next = kept.clone();
        change(&mut next);
        next.retain(|level, items| !items.is_empty() && self.is_there(level));
        if next.values().map(Vec::len).sum::<usize>() > ITEMS_MAX {
            let why = format!("there are {ITEMS_MAX} schedules already");
            return Err(Fault::new(FaultKind::Limit, doing, why));
        }
        if next != *kept {
            let written = self.keeper.write(&next);
            written.map_err(|error| Fault::new(FaultKind::Io, doing, error))?;
            *kept = next;
        }
        Ok(())
    }

    fn info(&self, id: ImageId) -> Option<ImageInfo> {
        Some(self.store.image(id).ok()?.info())
    }

    fn is_there(&self, level: &ScheduleLevel) -> bool {
        match level {
            ScheduleLevel::Site | ScheduleLevel::Pool | ScheduleLevel::Namespace(_) => true,
            ScheduleLevel::Image(id) | ScheduleLevel::Group(id) => self.info(*id).is_some(),
        }
    }

    /// Refuses a level of which no mirror snapshots can be taken.
    fn check(&self, doing: &str, level: &ScheduleLevel) -> Result<(), Fault> {
        let refuse = |why: String| Err(Fault::new(FaultKind::Invalid, doing, why));
        match level {
            ScheduleLevel::Site | ScheduleLevel::Pool => Ok(()),
            ScheduleLevel::Namespace(name) => {
                namespace_exists(&self.store, name).map_err(|error| fault(&error))
            }
            ScheduleLevel::Image(id) | ScheduleLevel::Group(id) => {
                let Some(info) = self.info(*id) else {
                    return refuse(format!("image {id} does not exist"));
                };
                let (is_group, name) = match group_name(&info.name) {
                    Some(name) => (true, name),
                    None => (false, info.name.clone()),
                };
                let what = if is_group { "group" } else { "image" };
                if !by_snapshots(&info) {
                    return refuse(format!("{what} {name} is not in snapshot mirror mode"));
                }
                if is_group != matches!(level, ScheduleLevel::Group(_)) {
                    return refuse(format!("{name} is no such level"));
                }
                match group_of(&self.store, &info) {
                    Some(_) if !is_group => refuse(format!(
                        "image {name} belongs to a group: add it for the group"
                    )),
                    Some(_) | None => Ok(()),
                }
            }
        }
    }

    fn list(&self) -> Schedules {
        let mut kept = self.kept.lock().clone();
        let now = self.store.now().0;
        let units = units(&self.store);
        for unit in &units {
            if let Some(own) = unit.own {
                kept.entry(unit.level()).or_insert_with(|| vec![own]);
            }
        }
        let next = units.into_iter().filter_map(|unit| {
            let items = unit.schedule(&kept)?;
            let missed = due::due(items, unit.newest, now);
            Some(NextRun {
                time: missed.or_else(|| due::next(items, now))?,
                id: unit.id,
                group: unit.group,
                name: unit.name,
            })
        });
        let mut next: Vec<NextRun> = next.collect();
        next.sort_by(|one, other| (one.time, &one.name).cmp(&(other.time, &other.name)));
        let there = kept.into_iter().filter(|(level, _)| self.is_there(level));
        let schedules = there.map(|(level, items)| {
            let name = match &level {
                ScheduleLevel::Site | ScheduleLevel::Pool | ScheduleLevel::Namespace(_) => None,
                ScheduleLevel::Image(id) | ScheduleLevel::Group(id) => self.info(*id),
            };
            let name = name.map(|info| group_name(&info.name).unwrap_or(info.name));
            let items = items.into_iter().map(|kept| kept.item).collect();
            Schedule { level, name, items }
        });
        Schedules {
            schedules: schedules.collect(),
            next,
        }
    }

    /// Takes what is due.
    fn run(&self) {
        let kept = self.kept.lock().clone();
        if self.store.is_fenced() {
            return;
        }
        let now = self.store.now().0;
        let mut taken = false;
        for unit in units(&self.store) {
            let items = unit.schedule(&kept);
            if let Some(due) = items.and_then(|items| due::due(items, unit.newest, now)) {
                taken |= self.take(&unit, due);
            }
        }
        if taken && let Err(error) = self.store.flush() {
            tracing::error!(%error, "mirror snapshots that were due are not durable");
        }
    }

    fn take(&self, unit: &Unit, due: u64) -> bool {
        let done = self.store.take_mirror_snapshots(&unit.images);
        let mut failed = self.failed.lock();
        match done {
            Ok(_) => {
                failed.remove(&unit.id);
                true
            }
            Err(error) => {
                if failed.insert(unit.id, due) != Some(due) {
                    let name = &unit.name;
                    tracing::warn!(image = %name, %error, "a mirror snapshot that is due was not taken; it is tried again");
                }
                false
            }
        }
    }
}

#[cfg(test)]
mod tests;
