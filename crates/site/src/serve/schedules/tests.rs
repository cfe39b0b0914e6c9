//! What a site takes as time passes, over restarts and roles.

use std::time::Duration;

use firebrick_edge::{Clock, Disk};
use firebrick_engine::{GROUP_KEY, MirrorPoint, NewImage, StoreOptions};
use firebrick_simulate::{SimulatedClock, SimulatedDisk};
use firebrick_vocabulary::{Bytes, ImageMirrorMode, ImageName, MIB, MirrorWay, StoreId};

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

struct Site {
    disk: SimulatedDisk,
    files: SimulatedDisk,
    clock: Arc<SimulatedClock>,
    scheduler: Scheduler,
}

fn open(disk: &SimulatedDisk, files: &SimulatedDisk, clock: &Arc<SimulatedClock>) -> Scheduler {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let clock: Arc<dyn Clock> = Arc::clone(clock) as _;
    let options = StoreOptions {
        segment_bytes: MIB,
        ..StoreOptions::DEFAULT
    };
    if Store::create(&disk, StoreId(uuid::Uuid::from_u128(1)), &options).is_err() {
        // It is there already.
    }
    let store = Store::open(disk, clock, options).unwrap();
    let keeper = Keeper(Arc::new(files.clone()));
    Scheduler {
        store,
        kept: Mutex::new(keeper.read().unwrap()),
        keeper,
        failed: Mutex::default(),
    }
}

impl Site {
    fn new() -> Self {
        let (disk, files) = (SimulatedDisk::new(), SimulatedDisk::new());
        let clock = Arc::new(SimulatedClock::new());
        // To the beginning of a minute, and a second more.
        let into = clock.now().0 % 60_000_000_000;
        clock.advance(Duration::from_nanos(60_000_000_000 - into) + Duration::from_secs(1));
        Self {
            scheduler: open(&disk, &files, &clock),
            disk,
            files,
            clock,
        }
    }

    /// After the power was cut.
    fn again(&mut self) {
        let (disk, files) = (self.disk.crash(1), self.files.crash(1));
        self.scheduler = open(&disk, &files, &self.clock);
        (self.disk, self.files) = (disk, files);
    }

    fn image(&self, name: &str) -> ImageId {
        let id = ImageId::random();
        let store = &self.scheduler.store;
        let new = NewImage {
            id,
            name: ImageName::new(name).unwrap(),
            size: Bytes(MIB),
            origin: None,
            mirrored: true,
        };
        store.create_image(new).unwrap();
        store.mirror_image(id, ImageMirrorMode::Snapshot).unwrap();
        store.flush().unwrap();
        id
    }

    fn add(&self, level: ScheduleLevel, interval: &str) -> Result<(), Fault> {
        let item = ScheduleItem {
            interval: interval.parse().unwrap(),
            start_time: None,
        };
        self.scheduler.add(level, item)
    }

    fn pass(&self, time: Duration) {
        self.clock.advance(time);
        self.scheduler.run();
    }

    fn taken(&self, id: ImageId) -> usize {
        let taken = self.scheduler.store.snapshots(id).unwrap().into_iter();
        taken
            .filter(|taken| MirrorPoint::of(&taken.name).is_some())
            .count()
    }
}

#[test]
fn a_schedule_is_kept_over_restarts_and_makes_up_for_what_was_missed_once() {
    let mut site = Site::new();
    let id = site.image("disk");
    site.add(ScheduleLevel::Image(id), "1m").unwrap();
    site.scheduler.run();
    assert_eq!(site.taken(id), 1, "that with which the mode began");
    site.pass(MINUTE);
    assert_eq!(site.taken(id), 2);
    site.pass(Duration::from_secs(30));
    assert_eq!(site.taken(id), 2);
    site.again();
    site.scheduler.run();
    assert_eq!(site.taken(id), 2, "it was taken before the crash");
    // An hour in which nobody ran.
    site.clock.advance(60 * MINUTE);
    site.again();
    let due = site.scheduler.list().next;
    assert!(due[0].time <= site.scheduler.store.now().0);
    site.scheduler.run();
    site.scheduler.run();
    assert_eq!(site.taken(id), 3);
    let next = site.scheduler.list().next;
    assert!(next[0].time > site.scheduler.store.now().0);
    site.scheduler
        .remove(&ScheduleLevel::Image(id), None)
        .unwrap();
    site.pass(60 * MINUTE);
    assert_eq!((site.taken(id), site.scheduler.list().next.len()), (3, 0));
}

#[test]
fn the_nearest_level_holds_and_secondaries_are_left_alone() {
    let site = Site::new();
    let (near, far) = (site.image("near"), site.image("far"));
    site.add(ScheduleLevel::Image(near), "1d").unwrap();
    site.add(ScheduleLevel::Pool, "1m").unwrap();
    site.pass(MINUTE);
    assert_eq!((site.taken(near), site.taken(far)), (1, 2));
    site.scheduler.store.demote(&[far]).unwrap();
    assert_eq!(site.taken(far), 3, "with the demotion");
    site.pass(10 * MINUTE);
    assert_eq!(site.taken(far), 3);
    site.scheduler.store.promote(&[far], false).unwrap();
    let own = site.taken(far);
    site.pass(MINUTE);
    assert_eq!(site.taken(far), own + 1);
}

#[test]
fn what_an_image_says_itself_holds_before_the_pool_and_behind_what_the_site_was_told() {
    let site = Site::new();
    let id = site.image("disk");
    let store = &site.scheduler.store;
    let often = MirrorWay::Snapshot("1m".parse().ok());
    store.set_mirror_way(id, often).unwrap();
    site.add(ScheduleLevel::Pool, "1d").unwrap();
    site.pass(MINUTE);
    assert_eq!(site.taken(id), 2);
    let shown = site.scheduler.list();
    assert_eq!(shown.schedules.len(), 2, "that of the pool and its own");
    assert_eq!(shown.next.len(), 1);
    site.add(ScheduleLevel::Image(id), "1h").unwrap();
    site.pass(MINUTE);
    assert_eq!(site.taken(id), 2);
    // Another part is no part of it.
    let part = |interval: &str| ScheduleItem {
        interval: interval.parse().unwrap(),
        start_time: None,
    };
    let level = ScheduleLevel::Image(id);
    site.scheduler.remove(&level, Some(part("1h"))).unwrap();
    site.pass(MINUTE);
    assert_eq!(site.taken(id), 3);
    site.scheduler.remove(&level, Some(part("1m"))).unwrap();
    site.pass(MINUTE);
    assert_eq!(site.taken(id), 3);
    let way = store.image(id).unwrap().info().mirror_way();
    assert_eq!(way, MirrorWay::Snapshot(None));
}

#[test]
fn a_group_is_taken_as_a_whole() {
    let site = Site::new();
    let group = site.image(".group/shop");
    let (one, other) = (site.image("one"), site.image("other"));
    for id in [one, other] {
        let set = site
            .scheduler
            .store
            .set_metadata(id, GROUP_KEY, Some(&group.to_string()));
        set.unwrap();
    }
    let refused = site.add(ScheduleLevel::Image(one), "1m").unwrap_err();
    assert_eq!(refused.kind, FaultKind::Invalid);
    site.add(ScheduleLevel::Group(group), "1m").unwrap();
    site.pass(MINUTE);
    let newest = [group, one, other].map(|id| {
        let (newest, _) = site.scheduler.store.newest_mirror_snapshot(id).unwrap();
        MirrorPoint::of(&newest.name)
    });
    assert_eq!(newest, [newest[0]; 3]);
    assert_eq!([group, one, other].map(|id| site.taken(id)), [2; 3]);
    let next = site.scheduler.list().next;
    assert_eq!((next.len(), next[0].group, next[0].id), (1, true, group));
}

#[test]
fn what_cannot_be_taken_has_no_schedule() {
    let site = Site::new();
    let id = site.image("disk");
    let store = &site.scheduler.store;
    store.mirror_image(id, ImageMirrorMode::Journal).unwrap();
    let kind = |level| site.add(level, "1m").unwrap_err().kind;
    assert_eq!(kind(ScheduleLevel::Image(id)), FaultKind::Invalid);
    assert_eq!(kind(ScheduleLevel::Group(id)), FaultKind::Invalid);
    assert_eq!(
        kind(ScheduleLevel::Image(ImageId::random())),
        FaultKind::Invalid
    );
    let nowhere = ScheduleLevel::Namespace("nowhere".to_owned());
    assert_eq!(kind(nowhere), FaultKind::NotFound);
    // One that ended with its image is neither listed nor kept.
    let gone = site.image("gone");
    site.add(ScheduleLevel::Image(gone), "1m").unwrap();
    store.remove_image(gone).unwrap();
    assert!(site.scheduler.list().schedules.is_empty());
    site.add(ScheduleLevel::Site, "1h").unwrap();
    assert_eq!(site.scheduler.kept.lock().len(), 1);
}
