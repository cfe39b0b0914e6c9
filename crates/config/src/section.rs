//! The options of one section.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::error::{ConfigError, Unknown};
use crate::parse::{Assignment, Parsed};

/// The value of a dict-valued option: `a:b, c:d`.
pub type Dict = BTreeMap<String, String>;

/// How deep `$name` may lead to another `$name`.
const SUBSTITUTIONS_MAX: u32 = 8;

/// One section. Remembers which options were asked for, so that the others can be named in a
/// warning.
#[derive(Debug)]
pub struct Section {
    file: PathBuf,
    name: String,
    line: u32,
    assignments: Vec<Assignment>,
    /// Those of `[DEFAULT]`, to which `$name` may refer, too.
    defaults: Vec<Assignment>,
    used: Cell<bool>,
    asked: RefCell<BTreeSet<String>>,
}

impl Section {
    pub(crate) fn new(file: &Path, parsed: Parsed, defaults: &[Assignment]) -> Self {
        Self {
            file: file.to_owned(),
            name: parsed.name,
            line: parsed.line,
            assignments: parsed.assignments,
            defaults: defaults.to_vec(),
            used: Cell::new(false),
            asked: RefCell::default(),
        }
    }

    /// Its name, without brackets.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn mark_used(&self) {
        self.used.set(true);
    }

    /// An error about `option` at its line (or at the section's, where it is not given).
    pub fn refuse(&self, option: &str, reason: impl Into<String>) -> ConfigError {
        let line = self.find(option).map_or(self.line, |found| found.line);
        self.error(line, option, reason)
    }

    /// The text of `option`; of several the last, as oslo.config takes it. `None` where it is not
    /// given.
    pub fn text(&self, option: &str) -> Result<Option<String>, ConfigError> {
        self.ask(option);
        let found = self.find(option);
        found
            .map(|found| self.substitute(found, &found.value, 0))
            .transpose()
    }

    /// The text of `option`, which must be given and not be empty.
    pub fn require(&self, option: &str) -> Result<String, ConfigError> {
        match self.text(option)? {
            Some(text) if !text.is_empty() => Ok(text),
            Some(_) => Err(self.refuse(option, "must not be empty")),
            None => Err(self.refuse(option, "is missing")),
        }
    }

    /// The value of `option`; `what` says what it must be, for example `a port number`.
    pub fn value<T: FromStr>(&self, option: &str, what: &str) -> Result<Option<T>, ConfigError> {
        let Some(text) = self.text(option)? else {
            return Ok(None);
        };
        match text.parse() {
            Ok(value) => Ok(Some(value)),
            Err(_) => Err(self.refuse(option, format!("{text:?} is not {what}"))),
        }
    }

    /// The value of `option`, or `default`.
    pub fn value_or<T: FromStr>(
        &self,
        option: &str,
        what: &str,
        default: T,
    ) -> Result<T, ConfigError> {
        Ok(self.value(option, what)?.unwrap_or(default))
    }

    /// A truth value in oslo.config's words: `true`, `1`, `on`, `yes` and their opposites.
    pub fn flag(&self, option: &str, default: bool) -> Result<bool, ConfigError> {
        let Some(text) = self.text(option)? else {
            return Ok(default);
        };
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "on" | "yes" => Ok(true),
            "false" | "0" | "off" | "no" => Ok(false),
            _ => Err(self.refuse(option, format!("{text:?} is neither true nor false"))),
        }
    }

    /// A list parted by commas, without empty entries.
    pub fn list(&self, option: &str) -> Result<Vec<String>, ConfigError> {
        let text = self.text(option)?.unwrap_or_default();
        let entries = text
            .split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty());
        Ok(entries.map(str::to_owned).collect())
    }

    /// All values of an option that may be given more than once, each a dict.
    pub fn dicts(&self, option: &str) -> Result<Vec<Dict>, ConfigError> {
        self.ask(option);
        self.all(option)
            .map(|found| self.dict(found, &self.substitute(found, &found.value, 0)?))
            .collect()
    }

    fn dict(&self, found: &Assignment, text: &str) -> Result<Dict, ConfigError> {
        let mut dict = Dict::new();
        for pair in text
            .split(',')
            .map(str::trim)
            .filter(|pair| !pair.is_empty())
        {
            let (key, value) = pair.split_once(':').ok_or_else(|| {
                let reason = format!("{pair:?} is not written name:value");
                self.error(found.line, &found.key, reason)
            })?;
            let key = key.trim().to_owned();
            if dict.insert(key.clone(), value.trim().to_owned()).is_some() {
                let reason = format!("{key} is given twice");
                return Err(self.error(found.line, &found.key, reason));
            }
        }
        Ok(dict)
    }

    /// Replaces `$name` and `${name}` by options of this section or of `[DEFAULT]`, `$$` by `$`.
    fn substitute(&self, at: &Assignment, text: &str, depth: u32) -> Result<String, ConfigError> {
        let refuse = |reason: String| self.error(at.line, &at.key, reason);
        if depth > SUBSTITUTIONS_MAX {
            return Err(refuse("$name leads in a circle".to_owned()));
        }
        let mut result = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(dollar) = rest.find('$') {
            result.push_str(&rest[..dollar]);
            rest = &rest[dollar + 1..];
            if let Some(behind) = rest.strip_prefix('$') {
                result.push('$');
                rest = behind;
                continue;
            }
            let (name, behind) = reference(rest);
            if name.is_empty() {
                result.push('$');
                continue;
            }
            let target = self.all(name).last().or_else(|| {
                self.defaults
                    .iter()
                    .rfind(|default| default.key.eq_ignore_ascii_case(name))
            });
            let target = target
                .ok_or_else(|| refuse(format!("${name} stands for an option that is not given")))?;
            self.ask(name);
            result.push_str(&self.substitute(at, &target.value, depth + 1)?);
            rest = behind;
        }
        result.push_str(rest);
        Ok(result)
    }

    fn error(&self, line: u32, option: &str, reason: impl Into<String>) -> ConfigError {
        ConfigError {
            file: self.file.clone(),
            line: Some(line),
            option: Some((self.name.clone(), option.to_owned())),
            reason: reason.into(),
        }
    }

    fn ask(&self, option: &str) {
        self.asked.borrow_mut().insert(option.to_ascii_lowercase());
    }

    fn all(&self, option: &str) -> impl DoubleEndedIterator<Item = &Assignment> {
        self.assignments
            .iter()
            .filter(move |found| found.key.eq_ignore_ascii_case(option))
    }

    fn find(&self, option: &str) -> Option<&Assignment> {
        self.all(option).next_back()
    }

    pub(crate) fn unknown(&self) -> Vec<Unknown> {
        let unknown = |line, option| Unknown {
            file: self.file.clone(),
            line,
            section: self.name.clone(),
            option,
        };
        if !self.used.get() {
            return vec![unknown(self.line, None)];
        }
        let asked = self.asked.borrow();
        self.assignments
            .iter()
            .filter(|found| !asked.contains(&found.key.to_ascii_lowercase()))
            .map(|found| unknown(found.line, Some(found.key.clone())))
            .collect()
    }
}

/// The name that a `$` refers to, and what stands behind it.
fn reference(text: &str) -> (&str, &str) {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if let Some(braced) = text.strip_prefix('{') {
        return match braced.split_once('}') {
            Some((name, behind)) if name.chars().all(is_name) => (name, behind),
            _ => ("", text),
        };
    }
    let end = text.find(|c| !is_name(c)).unwrap_or(text.len());
    text.split_at(end)
}
