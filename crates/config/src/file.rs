//! A whole file.

use std::path::{Path, PathBuf};

use crate::error::{ConfigError, Unknown};
use crate::parse::{Refused, parse};
use crate::section::Section;

/// The largest file that is read, in bytes.
const SIZE_MAX: u64 = 4 << 20;

/// A configuration file, read but not yet understood.
#[derive(Debug)]
pub struct ConfigFile {
    path: PathBuf,
    sections: Vec<Section>,
}

impl ConfigFile {
    /// Reads the file at `path`.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let refuse = |reason: String| ConfigError {
            file: path.to_owned(),
            line: None,
            option: None,
            reason,
        };
        let size = std::fs::metadata(path)
            .map_err(|error| refuse(reason_of(&error)))?
            .len();
        if size > SIZE_MAX {
            return Err(refuse(format!(
                "the file has {size} bytes; the most is {SIZE_MAX}"
            )));
        }
        let text = std::fs::read_to_string(path).map_err(|error| refuse(reason_of(&error)))?;
        Self::parse(path, &text)
    }

    /// Reads `text` as the contents of `path`.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let parsed = parse(text).map_err(|Refused { line, reason }| ConfigError {
            file: path.to_owned(),
            line: Some(line),
            option: None,
            reason,
        })?;
        let defaults: Vec<_> = parsed
            .iter()
            .filter(|section| section.name.eq_ignore_ascii_case("default"))
            .flat_map(|section| section.assignments.clone())
            .collect();
        let sections = parsed
            .into_iter()
            .map(|section| Section::new(path, section, &defaults))
            .collect();
        Ok(Self {
            path: path.to_owned(),
            sections,
        })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The section `name`, where the file has it; upper and lower case are one.
    pub fn section(&self, name: &str) -> Option<&Section> {
        let section = self
            .sections
            .iter()
            .find(|section| section.name().eq_ignore_ascii_case(name));
        if let Some(section) = section {
            section.mark_used();
        }
        section
    }

    /// The section `name`, or an error that says that the file must have it.
    pub fn require(&self, name: &str) -> Result<&Section, ConfigError> {
        self.section(name).ok_or_else(|| ConfigError {
            file: self.path.clone(),
            line: None,
            option: None,
            reason: format!("the section [{name}] is missing"),
        })
    }

    /// The sections whose names begin with `prefix`, in the order of the file.
    pub fn sections_with_prefix(&self, prefix: &str) -> Vec<&Section> {
        let found: Vec<_> = self
            .sections
            .iter()
            .filter(|section| section.name().starts_with(prefix))
            .collect();
        for section in &found {
            section.mark_used();
        }
        found
    }

    /// What the file has and nobody has asked for.
    pub fn unknown(&self) -> Vec<Unknown> {
        self.sections.iter().flat_map(Section::unknown).collect()
    }
}

fn reason_of(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::InvalidData => "the file is not UTF-8 text".to_owned(),
        _ => format!("cannot be read: {error}"),
    }
}
