//! Words and calls that stay out of certain rooms.

use super::{Finding, Source};

/// The rooms that know images and bytes and have never heard of OpenStack.
const DATA_PLANE: &[&str] = &["export", "mirror", "engine", "log", "simulate", "edge"];
/// The rooms in which time, disk and chance come through `edge` alone.
const SIMULATED: &[&str] = &["engine", "log"];
/// The rooms that have no I/O and no runtime.
const PURE: &[&str] = &["policy", "scheduler", "state", "vocabulary"];

struct Rule {
    rooms: Option<&'static [&'static str]>,
    needle: &'static str,
    reason: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        rooms: Some(DATA_PLANE),
        needle: "volume_type",
        reason: "the data plane knows images",
    },
    Rule {
        rooms: Some(DATA_PLANE),
        needle: "keystone",
        reason: "the data plane knows no OpenStack",
    },
    Rule {
        rooms: Some(DATA_PLANE),
        needle: "Cinder",
        reason: "the data plane knows no OpenStack",
    },
    Rule {
        rooms: Some(SIMULATED),
        needle: "std::fs",
        reason: "the disk comes through edge",
    },
    Rule {
        rooms: Some(SIMULATED),
        needle: "Instant::now",
        reason: "time comes through edge",
    },
    Rule {
        rooms: Some(SIMULATED),
        needle: "SystemTime::now",
        reason: "time comes through edge",
    },
    Rule {
        rooms: Some(PURE),
        needle: "tokio::",
        reason: "this room has no I/O",
    },
    Rule {
        rooms: Some(PURE),
        needle: "std::fs",
        reason: "this room has no I/O",
    },
    Rule {
        rooms: None,
        needle: "todo!(",
        reason: "nothing unfinished is called done",
    },
    Rule {
        rooms: None,
        needle: "unimplemented!(",
        reason: "nothing unfinished is called done",
    },
    Rule {
        rooms: None,
        needle: "FIXME",
        reason: "nothing unfinished is called done",
    },
    Rule {
        rooms: None,
        needle: "TODO",
        reason: "nothing unfinished is called done",
    },
    Rule {
        rooms: None,
        needle: "#[ignore",
        reason: "a test that cannot run fails, it is not skipped",
    },
];

/// Checks all sources against the rules.
pub(crate) fn check(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources
        .iter()
        .filter(|source| !source.path.starts_with("xtask"))
    {
        for rule in RULES {
            let applies = match rule.rooms {
                None => true,
                Some(rooms) => {
                    source.is_production()
                        && source.room().is_some_and(|room| rooms.contains(&room))
                }
            };
            if !applies {
                continue;
            }
            let text = if rule.rooms.is_some() {
                source.production_text()
            } else {
                &source.text
            };
            for (number, _) in text
                .lines()
                .enumerate()
                .filter(|(_, line)| line.contains(rule.needle))
            {
                findings.push(Finding(format!(
                    "{}:{}: {:?}: {}",
                    source.path.display(),
                    number + 1,
                    rule.needle,
                    rule.reason
                )));
            }
        }
        if !source.text.starts_with("//!") && source.path.extension().is_some() {
            findings.push(Finding(format!(
                "{}: opens without a line that says what the file is for",
                source.path.display()
            )));
        }
    }
    findings
}
