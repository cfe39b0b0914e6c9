//! What the environment says beside the command line.

use std::ffi::OsString;
use std::path::PathBuf;

/// Names the configuration where the command line names none.
const CONF: &str = "FIREBRICK_CONF";

/// The configuration that the environment names. An empty variable names none, as a script leaves it that has
/// nothing to say.
pub(crate) fn conf() -> Option<PathBuf> {
    named(std::env::var_os(CONF))
}

fn named(said: Option<OsString>) -> Option<PathBuf> {
    said.filter(|said| !said.is_empty()).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_names_nothing() {
        assert_eq!(named(None), None);
        assert_eq!(named(Some(OsString::new())), None);
        assert_eq!(named(Some("a.conf".into())), Some("a.conf".into()));
    }
}
