//! How long calls go, as the `rbd` tool says it: a percentage on a terminal, one line otherwise.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::args::Common;
use crate::printer::Printer;

/// How long a call goes before one that is usually short says so.
const LATE: Duration = Duration::from_secs(2);

/// A call that takes its time.
pub(super) struct Progress {
    title: &'static str,
    quiet: bool,
    bar: ProgressBar,
    percent: u64,
    ended: bool,
    /// When something is said first; `None` where it is said in any case.
    from: Option<Instant>,
}

impl Progress {
    /// Begins, for example `Exporting image`.
    pub(super) fn new(common: &Common, title: &'static str) -> Self {
        let bar = if common.no_progress || !std::io::stderr().is_terminal() {
            ProgressBar::hidden()
        } else {
            ProgressBar::new(100)
        };
        if let Ok(style) = ProgressStyle::with_template("{msg}: {percent}% complete... {eta} left")
        {
            bar.set_style(style);
        }
        bar.set_message(title);
        Self {
            title,
            quiet: common.no_progress,
            bar,
            percent: 0,
            ended: false,
            from: None,
        }
    }

    /// As [`Self::new`], but says nothing of a call that takes no longer than two seconds.
    pub(super) fn late(common: &Common, title: &'static str) -> Self {
        let mut progress = Self::new(common, title);
        progress.from = Some(Instant::now() + LATE);
        progress
    }

    fn is_shown(&self) -> bool {
        self.from.is_none_or(|from| Instant::now() >= from)
    }

    /// So much of so much is done.
    pub(super) fn at(&mut self, done: u64, total: u64) {
        let share = u128::from(done) * 100 / u128::from(total.max(1));
        self.percent = u64::try_from(share).unwrap_or(100).min(100);
        if self.is_shown() {
            self.bar.set_position(self.percent);
        }
    }

    /// It is done.
    pub(super) fn done(mut self) {
        self.percent = 100;
        self.end("done");
    }

    fn end(&mut self, how: &str) {
        self.ended = true;
        self.bar.finish_and_clear();
        if !self.quiet && self.is_shown() {
            Printer::note(&format!(
                "{}: {}% complete...{how}.",
                self.title, self.percent
            ));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if !self.ended {
            self.end("failed");
        }
    }
}
