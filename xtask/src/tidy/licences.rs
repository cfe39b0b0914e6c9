//! Every dependency has a licence from the list in `deny.toml`.

use std::path::Path;

use super::Finding;
use crate::command::{Error, command, output};

/// Checks the licences that the lock file's packages declare.
pub(crate) fn check(root: &Path) -> Result<Vec<Finding>, Error> {
    let path = root.join("deny.toml");
    let list = std::fs::read_to_string(&path).map_err(|source| Error::Read {
        path: path.clone(),
        source,
    })?;
    let allowed = allowed(&list);
    let text = output(command("cargo").args(["metadata", "--format-version", "1", "--locked"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&text)
        .map_err(|error| Error::Found(format!("cargo metadata printed no JSON: {error}")))?;
    let mut findings = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().unwrap_or("?");
        match package["license"].as_str() {
            Some(licence) if is_allowed(licence, &allowed) => {}
            Some(licence) => findings.push(Finding(format!(
                "{name} has the licence {licence:?}, which deny.toml does not allow"
            ))),
            None => findings.push(Finding(format!("{name} declares no licence"))),
        }
    }
    Ok(findings)
}

/// The names in the `allow` list.
fn allowed(list: &str) -> Vec<&str> {
    list.lines()
        .skip_while(|line| line.trim() != "allow = [")
        .skip(1)
        .take_while(|line| line.trim() != "]")
        .filter_map(|line| line.trim().strip_prefix('"')?.strip_suffix("\","))
        .collect()
}

/// Whether the SPDX expression can be met: every `AND` part has an allowed `OR` choice.
fn is_allowed(expression: &str, allowed: &[&str]) -> bool {
    let flat = expression.replace(['(', ')'], " ").replace('/', " OR ");
    flat.split(" AND ").all(|part| {
        part.split(" OR ")
            .any(|name| allowed.contains(&name.trim()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_allowed_choice_is_enough_and_every_part_counts() {
        let allowed = ["MIT", "Unicode-3.0"];
        assert!(is_allowed("MIT OR GPL-3.0", &allowed));
        assert!(is_allowed("(MIT OR Apache-2.0) AND Unicode-3.0", &allowed));
        assert!(is_allowed("MIT/Apache-2.0", &allowed));
        assert!(!is_allowed("GPL-3.0", &allowed));
        assert!(!is_allowed("MIT AND GPL-3.0", &allowed));
    }
}
