//! The only door to standard output.

use std::io::{IsTerminal as _, Write as _};

use serde::Serialize;

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Plain,
    /// For programs.
    Json,
}

/// Prints results to standard output and failures to standard error; colours only on a terminal.
/// A closed pipe is no failure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Printer {
    colour: bool,
}

impl Printer {
    /// A printer for this process's output.
    pub(crate) fn new() -> Self {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { colour }
    }

    /// One line.
    pub(crate) fn line(text: &str) {
        let mut out = std::io::stdout().lock();
        drop(writeln!(out, "{text}").and_then(|()| out.flush()));
    }

    /// A text with the ends of its lines.
    pub(crate) fn text(text: &str) {
        let mut out = std::io::stdout().lock();
        drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
    }

    /// A line about something good.
    pub(crate) fn good(self, text: &str) {
        Self::line(&self.painted(text, "32"));
    }

    /// A line about something that needs a look.
    pub(crate) fn warning(self, text: &str) {
        Self::line(&self.painted(text, "33"));
    }

    /// The text in bold.
    pub(crate) fn bold(self, text: &str) -> String {
        self.painted(text, "1")
    }

    /// A value for programs, on one line.
    pub(crate) fn json<T: Serialize>(value: &T) {
        match serde_json::to_string(value) {
            Ok(text) => Self::line(&text),
            Err(error) => Self::failure(&error.to_string()),
        }
    }

    /// A value for programs, over several lines where that is wanted.
    pub(crate) fn json_as<T: Serialize>(value: &T, pretty: bool) {
        if !pretty {
            return Self::json(value);
        }
        let mut text = Vec::new();
        let format = serde_json::ser::PrettyFormatter::with_indent(b"    ");
        let mut out = serde_json::Serializer::with_formatter(&mut text, format);
        match value.serialize(&mut out) {
            Ok(()) => Self::line(&String::from_utf8_lossy(&text)),
            Err(error) => Self::failure(&error.to_string()),
        }
    }

    /// A line beside the results.
    pub(crate) fn note(text: &str) {
        let mut out = std::io::stderr().lock();
        drop(writeln!(out, "{text}"));
    }

    /// The reason why the command failed.
    pub(crate) fn failure(text: &str) {
        let mut out = std::io::stderr().lock();
        drop(writeln!(out, "firebrick: {text}"));
    }

    fn painted(self, text: &str, code: &str) -> String {
        if self.colour {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}
