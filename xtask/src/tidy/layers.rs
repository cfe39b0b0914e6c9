//! A crate imports only crates listed below it in the manifest, and files of a crate form no circle
//! through the manifest's own edges.

use std::path::Path;

use super::Finding;
use crate::command::Error;

/// Checks every manifest below `crates/` against the order of the members.
pub(crate) fn check(root: &Path) -> Result<Vec<Finding>, Error> {
    let manifest = read(&root.join("Cargo.toml"))?;
    let order: Vec<&str> = members(&manifest);
    let mut findings = Vec::new();
    for (place, room) in order.iter().enumerate() {
        let text = read(&root.join("crates").join(room).join("Cargo.toml"))?;
        for import in imports(&text) {
            match order.iter().position(|other| *other == import) {
                Some(other) if other > place => {}
                Some(_) => findings.push(Finding(format!(
                    "crates/{room} imports {import}, which stands above it in Cargo.toml"
                ))),
                None => findings.push(Finding(format!("crates/{room} imports unknown {import}"))),
            }
        }
    }
    Ok(findings)
}

fn read(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })
}

/// The members below `crates/`, in their order.
fn members(manifest: &str) -> Vec<&str> {
    manifest
        .lines()
        .map(str::trim)
        .filter_map(|line| line.strip_prefix("\"crates/")?.strip_suffix("\","))
        .collect()
}

/// The rooms that a manifest names under `[dependencies]`; tests may look upward.
fn imports(manifest: &str) -> Vec<&str> {
    let mut within = false;
    let mut found = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            within = line.trim() == "[dependencies]";
        } else if within && let Some(rest) = line.strip_prefix("firebrick_") {
            let end = rest
                .find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            found.push(&rest[..end]);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_dependencies_count_as_imports() {
        let text = "[dependencies]\nfirebrick_log.workspace = true\nserde = \"1\"\n\
                    [dev-dependencies]\nfirebrick_simulate.workspace = true\n";
        assert_eq!(imports(text), ["log"]);
    }

    #[test]
    fn members_keep_their_order() {
        assert_eq!(
            members("members = [\n    \"crates/a\",\n    \"crates/b\",\n]"),
            ["a", "b"]
        );
    }
}
