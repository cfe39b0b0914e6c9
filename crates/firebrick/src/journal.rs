//! The log of a process: lines on standard error.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::sync::{Arc, Mutex, PoisonError};

use firebrick_control::{LogLevel, LogLevels};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Registry, fmt};

/// The variable that sets what is logged, for example `info,firebrick_mirror=debug`.
pub(crate) const FILTER_VARIABLE: &str = "FIREBRICK_LOG";

/// The parts of the program that have levels of their own.
const PARTS: [&str; 17] = [
    "firebrick",
    "firebrick_api",
    "firebrick_backend",
    "firebrick_backup",
    "firebrick_cloud",
    "firebrick_config",
    "firebrick_control",
    "firebrick_db",
    "firebrick_edge",
    "firebrick_engine",
    "firebrick_export",
    "firebrick_index",
    "firebrick_log",
    "firebrick_mirror",
    "firebrick_policy",
    "firebrick_scheduler",
    "firebrick_site",
];

/// How many names may have levels of their own beside those.
const MOST: usize = 64;

/// What is logged now, and may be changed while the process runs.
pub(crate) struct Journal {
    known: Mutex<Known>,
    filter: reload::Handle<Targets, Registry>,
}

/// What is logged where nothing is said about a name, and the names about which something is.
struct Known {
    usual: LevelFilter,
    named: BTreeMap<String, LevelFilter>,
}

impl Known {
    fn read(level: &str) -> Self {
        let said = std::env::var(FILTER_VARIABLE).ok();
        let said = said.and_then(|text| text.parse::<Targets>().ok());
        let targets = said.or_else(|| level.parse().ok()).unwrap_or_default();
        Self {
            usual: targets.default_level().unwrap_or(LevelFilter::ERROR),
            named: (targets.iter())
                .map(|(name, level)| (name.to_owned(), level))
                .collect(),
        }
    }

    fn targets(&self) -> Targets {
        let named = self
            .named
            .iter()
            .map(|(name, level)| (name.clone(), *level));
        Targets::new().with_default(self.usual).with_targets(named)
    }

    /// The level of a name: that of the longest beginning about which something is said.
    fn of(&self, name: &str) -> LevelFilter {
        let said = self
            .named
            .iter()
            .filter(|(begin, _)| name.starts_with(*begin));
        let longest = said.max_by_key(|(begin, _)| begin.len());
        longest.map_or(self.usual, |(_, level)| *level)
    }

    fn set(&mut self, prefix: &str, level: LevelFilter) {
        self.named.retain(|name, _| !name.starts_with(prefix));
        if prefix.is_empty() {
            self.usual = level;
            return;
        }
        for part in PARTS.iter().filter(|part| part.starts_with(prefix)) {
            self.named.insert((*part).to_owned(), level);
        }
        let is_within = |part: &&str| {
            let below = prefix.strip_prefix(*part);
            below.is_some_and(|below| below.starts_with("::"))
        };
        if PARTS.iter().any(is_within) && self.named.len() < PARTS.len() + MOST {
            self.named.insert(prefix.to_owned(), level);
        }
    }
}

/// Starts logging at `level` and above, or as [`FILTER_VARIABLE`] says.
pub(crate) fn start(level: &str) -> Arc<Journal> {
    let known = Known::read(level);
    let (filter, handle) = reload::Layer::new(known.targets());
    let lines = fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_filter(filter);
    let started = tracing_subscriber::registry().with(lines).try_init();
    drop(started);
    Arc::new(Journal {
        known: Mutex::new(known),
        filter: handle,
    })
}

impl LogLevels for Journal {
    fn levels(&self) -> BTreeMap<String, LogLevel> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let names = PARTS
            .iter()
            .copied()
            .chain(known.named.keys().map(String::as_str));
        names
            .map(|name| (name.to_owned(), told(known.of(name))))
            .collect()
    }

    fn set(&self, prefix: &str, level: LogLevel) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.set(prefix, meant(level));
        // It fails only where nothing is logged any more.
        drop(self.filter.reload(known.targets()));
        tracing::info!(prefix, %level, "the log has another level");
    }
}

fn told(level: LevelFilter) -> LogLevel {
    match level.into_level() {
        None => LogLevel::Off,
        Some(tracing::Level::ERROR) => LogLevel::Error,
        Some(tracing::Level::WARN) => LogLevel::Warning,
        Some(tracing::Level::INFO) => LogLevel::Info,
        Some(tracing::Level::DEBUG) => LogLevel::Debug,
        Some(tracing::Level::TRACE) => LogLevel::Trace,
    }
}

fn meant(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Off => LevelFilter::OFF,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warning => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_set_by_beginnings_of_names() {
        let mut known = Known {
            usual: LevelFilter::INFO,
            named: BTreeMap::from([("firebrick_mirror".to_owned(), LevelFilter::DEBUG)]),
        };
        assert_eq!(known.of("firebrick_mirror::reader"), LevelFilter::DEBUG);
        assert_eq!(known.of("firebrick_control"), LevelFilter::INFO);
        known.set("firebrick_c", LevelFilter::WARN);
        assert_eq!(known.of("firebrick_control"), LevelFilter::WARN);
        assert_eq!(known.of("firebrick_cloud"), LevelFilter::WARN);
        known.set("firebrick_control::volume", LevelFilter::TRACE);
        assert_eq!(
            known.of("firebrick_control::volume::create"),
            LevelFilter::TRACE
        );
        assert_eq!(known.of("firebrick_control::snapshot"), LevelFilter::WARN);
        known.set("cinder.volume", LevelFilter::DEBUG);
        assert!(!known.named.contains_key("cinder.volume"));
        known.set("", LevelFilter::ERROR);
        assert_eq!(known.of("firebrick_control::volume"), LevelFilter::ERROR);
        assert_eq!(known.of("firebrick_mirror"), LevelFilter::ERROR);
    }

    #[test]
    fn names_within_parts_are_few() {
        let mut known = Known {
            usual: LevelFilter::INFO,
            named: BTreeMap::new(),
        };
        for i in 0..1000 {
            known.set(&format!("firebrick_api::m{i:04}"), LevelFilter::DEBUG);
        }
        assert!(known.named.len() <= PARTS.len() + MOST);
    }
}
