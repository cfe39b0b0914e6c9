//! What the demo shows while it plays.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::printer::Printer;

/// Steps as lines, and below them, on a terminal, what happens right now.
pub(super) struct Screen {
    bar: ProgressBar,
}

impl Screen {
    /// An empty screen.
    pub(super) fn new() -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("  {spinner} {wide_msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        Self { bar }
    }

    /// What happens next.
    pub(super) fn step(&self, text: &str) {
        let printer = Printer::new();
        self.bar.set_message("");
        self.bar
            .suspend(|| Printer::line(&printer.bold(&format!("* {text}"))));
    }

    /// A result.
    pub(super) fn say(&self, text: &str) {
        self.bar.suspend(|| Printer::line(&format!("  {text}")));
    }

    /// How it goes.
    pub(super) fn progress(&self, text: &str) {
        self.bar.set_message(text.to_owned());
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
