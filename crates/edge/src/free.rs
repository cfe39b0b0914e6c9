//! Memory that nobody uses.
//!
//! The system fills what is free with what is read and written, at the price of a copy. Where nothing is
//! free it first has to take a page from somebody else, and that costs several times as much. So what is
//! large goes through the cache as long as memory is free, and past it from then on.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use crate::locks::Mutex;

/// For how long an answer holds: at the speed of memory some tens of megabytes are written meanwhile.
const HOLDS_FOR: Duration = Duration::from_millis(20);
/// What of all memory is left alone, so that who needs some at once gets it without waiting: a sixteenth.
const LEFT_ALONE: u64 = 16;

static LAST: LazyLock<Mutex<Option<(Instant, Memory)>>> = LazyLock::new(Mutex::default);

/// What is known of the memory of this machine and of the control groups of this process. Where the system does
/// not tell, none is free.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    /// More is free than is left alone.
    pub(crate) is_ample: bool,
    /// How much the system's cache may take at most, in bytes.
    pub(crate) room: u64,
}

/// As it is, or was a moment ago.
pub(crate) fn memory() -> Memory {
    let mut last = LAST.lock();
    if let Some((at, memory)) = *last
        && at.elapsed() < HOLDS_FOR
    {
        return memory;
    }
    let memory = look().map_or_else(Memory::default, |rooms| Memory {
        is_ample: rooms.iter().all(Room::is_ample),
        room: rooms.iter().map(|room| room.cache).min().unwrap_or(0),
    });
    *last = Some((Instant::now(), memory));
    memory
}

/// Some memory, in bytes.
#[derive(Debug, Eq, PartialEq)]
struct Room {
    total: u64,
    free: u64,
    /// What the system's cache may take of it.
    cache: u64,
}

impl Room {
    const fn is_ample(&self) -> bool {
        self.free > self.total / LEFT_ALONE
    }
}

/// The machine's memory, and what each control group above this process may have.
fn look() -> Option<Vec<Room>> {
    let mut rooms = vec![machine(&fs::read_to_string("/proc/meminfo").ok()?)?];
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    for (path, limit, used) in places(&groups) {
        rooms.extend(group(&path, limit, used));
    }
    Some(rooms)
}

/// `/proc/meminfo`: lines as `MemFree:  18769568 kB`.
fn machine(text: &str) -> Option<Room> {
    let kib = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    Some(Room {
        total: kib("MemTotal:")? << 10,
        free: kib("MemFree:")? << 10,
        cache: kib("MemAvailable:")? << 10,
    })
}

/// The folders of the groups that limit memory, with the names of the files that say how much there may be
/// and how much there is; of `/proc/self/cgroup`, for both versions of control groups.
fn places(groups: &str) -> Vec<(PathBuf, &'static str, &'static str)> {
    let mut places = Vec::new();
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(kinds), Some(path)) = (fields.next(), fields.next()) else {
            continue;
        };
        let (root, limit, used) = match kinds {
            "" => ("/sys/fs/cgroup", "memory.max", "memory.current"),
            kinds if kinds.split(',').any(|kind| kind == "memory") => (
                "/sys/fs/cgroup/memory",
                "memory.limit_in_bytes",
                "memory.usage_in_bytes",
            ),
            _ => continue,
        };
        let path = Path::new(path.trim_start_matches('/'));
        places.extend(
            path.ancestors()
                .map(|above| (Path::new(root).join(above), limit, used)),
        );
    }
    places
}

/// What a group may have; `None` where that is not limited, or the group is none of this view of the system.
fn group(folder: &Path, limit: &str, used: &str) -> Option<Room> {
    let read = |name| {
        let text = fs::read_to_string(folder.join(name)).ok()?;
        text.trim().parse::<u64>().ok()
    };
    let total = read(limit)?;
    let free = total.saturating_sub(read(used)?);
    let cache = total;
    Some(Room { total, free, cache })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_says_what_is_free() {
        let text =
            "MemTotal:  24102704 kB\nMemFree:  18769568 kB\nMemAvailable: 7 kB\nCached: 1 kB\n";
        let room = machine(text).unwrap();
        assert_eq!(room.total, 24_102_704 << 10);
        assert_eq!(room.free, 18_769_568 << 10);
        assert_eq!(room.cache, 7 << 10);
        assert_eq!(machine("MemTotal: 5 kB\n"), None);
        assert_eq!(machine("MemTotal: much\nMemFree: 1 kB\n"), None);
    }

    #[test]
    fn this_machine_says_it_too() {
        let rooms = look().unwrap();
        assert!(rooms[0].total > 0 && rooms[0].free < rooms[0].total);
    }

    #[test]
    fn a_sixteenth_is_left_alone() {
        let (total, cache) = (1600, 0);
        let ample = |free| Room { total, free, cache }.is_ample();
        assert!(ample(101));
        assert!(!ample(100));
        assert!(!ample(0));
    }

    #[test]
    fn groups_of_both_versions_and_all_above_them_are_asked() {
        let found = places("9:name=systemd:/\n4:cpu,memory:/a/b\n0::/c\nnonsense\n");
        let paths: Vec<_> = found
            .iter()
            .map(|(path, limit, _)| (path.to_str().unwrap(), *limit))
            .collect();
        let old = "memory.limit_in_bytes";
        let new = "memory.max";
        let wanted = [
            ("/sys/fs/cgroup/memory/a/b", old),
            ("/sys/fs/cgroup/memory/a", old),
            ("/sys/fs/cgroup/memory/", old),
            ("/sys/fs/cgroup/c", new),
            ("/sys/fs/cgroup/", new),
        ];
        assert_eq!(paths, wanted);
    }

    #[test]
    fn a_group_without_a_limit_is_no_limit() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name, text| fs::write(folder.path().join(name), text).unwrap();
        let room = || group(folder.path(), "max", "current");
        assert_eq!(room(), None);
        write("current", "300\n");
        write("max", "max\n");
        assert_eq!(room(), None);
        write("max", "1000\n");
        let with = |free| Room {
            total: 1000,
            free,
            cache: 1000,
        };
        assert_eq!(room(), Some(with(700)));
        write("current", "1300\n");
        assert_eq!(room(), Some(with(0)));
    }
}
