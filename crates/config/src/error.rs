//! What is wrong with a file, and where.

use std::fmt;
use std::path::PathBuf;

/// Why a configuration cannot be used: where, which option, and the reason in words for an operator.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub struct ConfigError {
    /// The file.
    pub file: PathBuf,
    /// Its line, from 1 on; `None` where the whole file is meant.
    pub line: Option<u32>,
    /// Section and option, where one is to blame.
    pub option: Option<(String, String)>,
    /// The reason.
    pub reason: String,
}

impl fmt::Display for ConfigError {
    /// Prints `FILE:LINE: [SECTION] OPTION: REASON`, without what is not known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        match &self.option {
            Some((section, option)) if option.is_empty() => write!(f, ": [{section}]")?,
            Some((section, option)) => write!(f, ": [{section}] {option}")?,
            None => {}
        }
        write!(f, ": {}", self.reason)
    }
}

/// An option or a section that means nothing here.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unknown {
    /// The file.
    pub file: PathBuf,
    /// Its line, from 1 on.
    pub line: u32,
    /// The section.
    pub section: String,
    /// The option; `None` where the whole section is unknown.
    pub option: Option<String>,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file.display(), self.line)?;
        match &self.option {
            Some(option) => write!(
                f,
                "[{}] {option} is not an option and is ignored",
                self.section
            ),
            None => write!(
                f,
                "[{}] is not a section in use and is ignored",
                self.section
            ),
        }
    }
}
