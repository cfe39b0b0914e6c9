//! The schedules as a site keeps them: one small file beside its identity.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use firebrick_edge::Disk;
use serde::{Deserialize, Serialize};

use crate::admin::{ScheduleItem, ScheduleLevel};
use crate::serve::whole_file::{self, invalid};

const FILE: &str = "schedules.json";
/// What is written here. A newer text is not understood, and the site does not start with it.
const VERSION: u32 = 1;

/// A part of a schedule, and since when it is one.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(super) struct KeptItem {
    #[serde(flatten)]
    pub(super) item: ScheduleItem,
    /// In nanoseconds since the Unix epoch: what was due before was nothing that anybody asked for.
    pub(super) since: u64,
}

/// The schedules by their levels; none of them is empty.
pub(super) type Kept = BTreeMap<ScheduleLevel, Vec<KeptItem>>;

#[derive(Serialize, Deserialize)]
struct Text {
    version: u32,
    schedules: Vec<(ScheduleLevel, Vec<KeptItem>)>,
}

/// Where they are kept.
pub(super) struct Keeper(pub(super) Arc<dyn Disk>);

impl Keeper {
    /// What is kept; nothing where nobody has said anything yet.
    pub(super) fn read(&self) -> io::Result<Kept> {
        let Some(text) = whole_file::read(&*self.0, FILE)? else {
            return Ok(Kept::new());
        };
        let text: Text =
            serde_json::from_slice(&text).map_err(|error| invalid(error.to_string()))?;
        if text.version != VERSION {
            let why = format!(
                "it has version {}, and {VERSION} is known here",
                text.version
            );
            return Err(invalid(why));
        }
        Ok(text.schedules.into_iter().collect())
    }

    /// Keeps all of that; durable on return, as whoever adds a schedule counts on it from then on.
    pub(super) fn write(&self, kept: &Kept) -> io::Result<()> {
        let schedules = kept.iter();
        let schedules = schedules.map(|(level, items)| (level.clone(), items.clone()));
        let text = Text {
            version: VERSION,
            schedules: schedules.collect(),
        };
        whole_file::write(&*self.0, FILE, &serde_json::to_vec_pretty(&text)?)
    }
}

#[cfg(test)]
mod tests {
    use std::io::IoSlice;

    use firebrick_simulate::SimulatedDisk;

    use super::*;

    fn kept(intervals: &[&str]) -> Kept {
        let item = |interval: &&str| KeptItem {
            item: ScheduleItem {
                interval: interval.parse().unwrap(),
                start_time: Some("14:00:00-05:00".parse().unwrap()),
            },
            since: 7,
        };
        let items = intervals.iter().map(item).collect();
        Kept::from([(ScheduleLevel::Namespace("ns".to_owned()), items)])
    }

    /// Keeps one thing and then another, with the power cut after `operations`; what a restart finds, and
    /// whether the second was acknowledged.
    fn story(seed: u64, operations: u64, lie: fn(&SimulatedDisk)) -> (Kept, bool) {
        let disk = SimulatedDisk::new();
        let keeper = Keeper(Arc::new(disk.clone()));
        keeper.write(&kept(&["1m"])).unwrap();
        lie(&disk);
        disk.stop_after(operations);
        let acknowledged = keeper.write(&kept(&["1m", "1d"]));
        let found = Keeper(Arc::new(disk.crash(seed))).read();
        (found.unwrap_or_default(), acknowledged.is_ok())
    }

    #[test]
    fn after_a_crash_there_are_the_old_schedules_or_the_new_ones() {
        let (old, new) = (kept(&["1m"]), kept(&["1m", "1d"]));
        let mut seen = [false; 2];
        for seed in 0..40 {
            for operations in 0..12 {
                let (found, acknowledged) = story(seed, operations, |_| {});
                assert!(found == new || (found == old && !acknowledged), "{found:?}");
                seen[usize::from(found == new)] = true;
            }
        }
        assert_eq!(seen, [true; 2]);
        let lost = |lie: fn(&SimulatedDisk)| {
            let lost = |seed| matches!(story(seed, 1000, lie), (found, true) if found != new);
            (0..40).any(lost)
        };
        assert!(!lost(|_| {}));
        assert!(lost(
            |disk| disk.ignore_sync(|name| name == "schedules.json.new")
        ));
        assert!(lost(|disk| disk.ignore_sync_dir(str::is_empty)));
    }

    #[test]
    fn a_text_of_another_release_is_not_guessed_at() {
        let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::new());
        let keeper = Keeper(Arc::clone(&disk));
        assert_eq!(keeper.read().unwrap(), Kept::new());
        for text in ["{", "{\"version\": 2, \"schedules\": []}", "[]"] {
            drop(disk.remove(FILE));
            let file = disk.create(FILE).unwrap();
            file.write_at(&[IoSlice::new(text.as_bytes())], 0).unwrap();
            assert!(keeper.read().is_err(), "{text}");
        }
    }
}
