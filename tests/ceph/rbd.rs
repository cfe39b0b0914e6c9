//! `firebrick rbd --conf ceph.conf` does, prints and refuses what the real `rbd` tool does, on one cluster.

mod journal;
mod lines;
mod mirror;
mod streams;

use firebrick_tests::{Ceph, Ran, Rbd};
use serde_json::Value;

use lines::{GROUPED, GROUPED_SEEN, IMAGES, KEPT, KEPT_SEEN, REFUSED, REMOVED, SEEN, UNGROUPED};

/// One of the two tools.
#[derive(Clone, Copy)]
enum Tool<'a> {
    Here(&'a Rbd),
    Real(&'a Ceph),
}

impl Tool<'_> {
    fn run(&self, line: &str) -> Ran {
        let args: Vec<&str> = line.split(' ').collect();
        match self {
            Self::Here(rbd) => rbd.run(&args),
            // One time in four `du` of Ceph 16.2 falls over its own threads when it looks at many images.
            Self::Real(ceph) => (0..20)
                .map(|_| ceph.rbd(&args))
                .find(|ran| ran.status >= 0)
                .unwrap_or_else(|| panic!("rbd {line} ends by a signal")),
        }
    }

    fn ok(&self, line: &str) -> String {
        self.run(line).ok().stdout
    }

    fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.ok(&format!("{line} --format json"))).unwrap()
    }
}

/// What is said beside results without what librbd logs in between, which begins with a time and a thread.
fn without_logs(said: &str) -> String {
    const HEAD: usize = "2026-11-22T11:07:58.207+0000 7fc3d02f8380".len();
    let mut said = said.to_owned();
    while let Some(level) = said.find(" -1 ") {
        let end = said[level..]
            .find('\n')
            .map_or(said.len(), |end| level + end + 1);
        said.replace_range(level.saturating_sub(HEAD)..end, "");
    }
    said
}

/// How a command ended and what it printed; of progress only the last word, and nothing of logs.
fn outcome(ran: &Ran) -> (i32, String, Vec<String>) {
    let said = without_logs(&ran.stderr);
    let complaints = said.lines().filter_map(|line| {
        let line = line.rsplit('\r').next().unwrap_or_default().trim_end();
        let is_said = !line.is_empty() && !line.ends_with("% complete...");
        is_said.then(|| line.to_owned())
    });
    let mut complaints: Vec<String> = complaints.collect();
    // The real tool says now and then why before it says that, and now and then behind it.
    complaints.sort();
    (ran.status, ran.stdout.clone(), complaints)
}

/// Has each tool do the same to images of its own, whose names begin so.
fn both_do(here: &Rbd, real: &Ceph, lines: &[&str]) {
    for line in lines {
        let done = |tool: Tool<'_>, own: &str| {
            let (status, printed, complaints) = outcome(&tool.run(&line.replace('%', own)));
            let plain = |text: &str| text.replace(own, "%");
            (status, plain(&printed), plain(&complaints.join("\n")))
        };
        let ours = done(Tool::Here(here), "mine");
        let theirs = done(Tool::Real(real), "real");
        assert_eq!(ours, theirs, "rbd {line}");
    }
}

/// Has both tools look at the same: what they print is the same byte for byte.
fn both_see(here: &Rbd, real: &Ceph, lines: &[&str]) {
    for line in lines {
        for own in ["mine", "real"] {
            let is_own = line.contains('%');
            let line = line.replace('%', own);
            for format in [
                "plain",
                "json",
                "xml",
                "json --pretty-format",
                "xml --pretty-format",
            ] {
                let line = format!("{line} --format {format}");
                let ours = outcome(&Tool::Here(here).run(&line));
                let theirs = outcome(&Tool::Real(real).run(&line));
                assert_eq!(ours, theirs, "rbd {line}");
            }
            if !is_own {
                break;
            }
        }
    }
}

#[test]
fn images_and_snapshots() {
    let real = Ceph::start();
    let here = Rbd::new(&real.conf());
    both_do(&here, &real, IMAGES);
    both_see(&here, &real, SEEN);
    both_do(&here, &real, REFUSED);
    both_do(&here, &real, REMOVED);
    both_see(&here, &real, &["ls volumes", "ls -l volumes"]);
}

#[test]
fn what_is_kept_with_images() {
    let real = Ceph::start();
    let here = Rbd::new(&real.conf());
    both_do(&here, &real, KEPT);
    both_see(&here, &real, KEPT_SEEN);
    // Numbers of clients and ids of images differ, so they are asked for.
    for (tool, own) in [(Tool::Here(&here), "mine"), (Tool::Real(&real), "real")] {
        let locks = tool.json(&format!("lock ls volumes/{own}a"));
        let locker = locks[0]["locker"].as_str().unwrap();
        tool.ok(&format!("lock rm volumes/{own}a me {locker}"));
        let thrown = tool.json("trash ls volumes");
        let id = |name: &str| {
            let named = |thrown: &&Value| thrown["name"] == format!("{own}{name}");
            let thrown = thrown.as_array().unwrap().iter().find(named).unwrap();
            thrown["id"].as_str().unwrap().to_owned()
        };
        let (back, late) = (id("thrown"), id("late"));
        assert_eq!(
            tool.run(&format!("trash restore volumes/{back} --image {own}a"))
                .status,
            17
        );
        tool.ok(&format!("trash restore volumes/{back} --image {own}back"));
        let early = outcome(&tool.run(&format!("trash rm volumes/{late}")));
        assert_eq!(early.0, 1);
        let why = "Deferment time has not expired, please use --force if you really want to remove the image";
        assert!(early.2.iter().any(|line| line == why), "{early:?}");
        tool.ok(&format!("trash rm --force --no-progress volumes/{late}"));
    }
    both_see(
        &here,
        &real,
        &["ls -l volumes", "lock ls volumes/%a", "trash ls volumes"],
    );
}

#[test]
fn groups() {
    let real = Ceph::start();
    let here = Rbd::new(&real.conf());
    both_do(&here, &real, GROUPED);
    both_see(&here, &real, GROUPED_SEEN);
    both_do(&here, &real, UNGROUPED);
    both_see(&here, &real, &["group ls volumes", "ls -l volumes"]);
}

#[test]
fn a_cluster_that_does_not_answer_is_no_reason_to_wait() {
    let real = Ceph::start();
    let here = Rbd::new(&real.conf());
    here.ok(&["ls", "volumes"]);
    let refused = here.refused(95, &["map", "volumes/disk"]);
    assert!(refused.contains("rbd` tool of Ceph"), "{refused}");
    let denied = here.refused(13, &["ls", "volumes", "--id", "nobody"]);
    assert!(
        denied.contains("couldn't connect to the cluster"),
        "{denied}"
    );
    real.stop();
    here.refused(110, &["ls", "volumes"]);
    real.go_on();
}
