//! The rules of the house that no compiler checks.
//!
//! The order of the crates is law: a room imports only rooms below it. Files stay small. Certain words
//! and calls stay out of certain rooms. Licences come from one list.

mod layers;
mod licences;
mod sizes;
mod words;

use std::path::{Path, PathBuf};

use crate::command::{Error, command, output, root};
use crate::mutants;

/// One broken rule.
#[derive(Debug)]
pub(crate) struct Finding(pub(crate) String);

/// A source file of the repository.
#[derive(Debug)]
pub(crate) struct Source {
    /// Relative to the root.
    pub(crate) path: PathBuf,
    /// What it says.
    pub(crate) text: String,
}

impl Source {
    /// The crate that the file belongs to, for files below `crates/`.
    pub(crate) fn room(&self) -> Option<&str> {
        let mut parts = self.path.components();
        (parts.next()?.as_os_str() == "crates").then_some(())?;
        parts.next()?.as_os_str().to_str()
    }

    /// Whether the file is part of what is shipped.
    pub(crate) fn is_production(&self) -> bool {
        let name = self
            .path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let folders_of_tests = ["tests", "benches", "examples", "fuzz"];
        self.room().is_some_and(|room| room != "simulate")
            && name != "tests.rs"
            && !name.ends_with("_tests.rs")
            && !self
                .path
                .iter()
                .any(|part| folders_of_tests.iter().any(|dir| part == *dir))
    }

    /// The text without the tests at its end.
    pub(crate) fn production_text(&self) -> &str {
        let end = self
            .text
            .find("\n#[cfg(test)]\nmod tests {")
            .unwrap_or(self.text.len());
        &self.text[..end]
    }
}

/// Runs every check and reports all that it found.
pub(crate) fn run() -> Result<(), Error> {
    let sources = sources(&root())?;
    let mut findings = Vec::new();
    findings.extend(layers::check(&root())?);
    findings.extend(sizes::check(&sources));
    findings.extend(words::check(&sources));
    findings.extend(licences::check(&root())?);
    let read = |path: &Path| {
        let mut known = sources.iter();
        Some(known.find(|source| source.path == path)?.text.clone())
    };
    findings.extend(mutants::unknown(read).into_iter().map(Finding));
    for Finding(text) in &findings {
        println!("tidy: {text}");
    }
    if findings.is_empty() {
        println!("tidy: {} files, nothing to find fault with", sources.len());
        Ok(())
    } else {
        Err(Error::Found(format!(
            "{} rules of the house are broken",
            findings.len()
        )))
    }
}

fn sources(root: &Path) -> Result<Vec<Source>, Error> {
    let listed = output(command("git").args(["ls-files", "--", "*.rs"]))?;
    let mut sources = Vec::new();
    for name in listed.lines() {
        let path = PathBuf::from(name);
        let full = root.join(&path);
        if !full.exists() {
            continue;
        }
        let text = std::fs::read_to_string(&full).map_err(|source| Error::Read {
            path: path.clone(),
            source,
        })?;
        sources.push(Source { path, text });
    }
    Ok(sources)
}
