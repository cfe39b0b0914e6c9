//! How a command ends.

use std::fmt;
use std::process::ExitCode;

/// Why a command failed, in words for the person at the terminal, and with which status it ends.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It did not work: exit status 1.
    Failed(String),
    /// The command line or a configuration is wrong: exit status 2, as clap itself does.
    Usage(String),
    /// A verb of `firebrick rbd`: text and exit status are those of the `rbd` tool.
    Rbd {
        /// The whole text.
        text: String,
        /// The exit status.
        errno: u8,
    },
}

impl Failure {
    /// A failure while `doing`, because `why`.
    pub(crate) fn new(doing: impl fmt::Display, why: impl fmt::Display) -> Self {
        Self::Failed(format!("{doing}: {why}"))
    }

    /// The exit status.
    pub(crate) fn code(&self) -> ExitCode {
        match self {
            Self::Failed(_) => ExitCode::from(1),
            Self::Usage(_) => ExitCode::from(2),
            Self::Rbd { errno, .. } => ExitCode::from(*errno),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(text) | Self::Usage(text) | Self::Rbd { text, .. } => f.write_str(text),
        }
    }
}

impl From<firebrick_config::ConfigError> for Failure {
    fn from(error: firebrick_config::ConfigError) -> Self {
        Self::Usage(error.to_string())
    }
}
