//! `[oslo_policy]`: which rules hold instead of the defaults.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use firebrick_config::{ConfigError, ConfigFile, Section};
use firebrick_policy::{Defaults, Policy, PolicyError};

/// Where rules are looked for where nothing else is said, beside the configuration.
const FILE: &str = "policy.yaml";

/// The policy, and what should be said about its file. Without a file of the usual name the defaults
/// hold; one that is named must be there.
pub(super) fn policy(
    file: &ConfigFile,
    base: &Path,
) -> Result<(Arc<Policy>, Vec<String>), ConfigError> {
    let section = file.section("oslo_policy");
    let defaults = section.map_or(Ok(Defaults::New), defaults)?;
    let named = section
        .map(|s| s.text("policy_file"))
        .transpose()?
        .flatten();
    let path = base.join(named.as_deref().unwrap_or(FILE));
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound && named.is_none() => String::new(),
        Err(error) => {
            let error = refused(&path, None, &format!("cannot be read: {error}"));
            return Err(error);
        }
    };
    let parsed = Policy::parse(&text, defaults);
    let (policy, remarks) = parsed.map_err(|error| match &error {
        PolicyError::Line { line, reason } => refused(&path, u32::try_from(*line).ok(), reason),
        PolicyError::Check { .. }
        | PolicyError::Missing { .. }
        | PolicyError::Circle { .. }
        | PolicyError::Chain { .. }
        | PolicyError::Crowd => refused(&path, None, &error.to_string()),
    })?;
    let remarks = remarks
        .iter()
        .map(|remark| format!("{}: {remark}", path.display()));
    Ok((Arc::new(policy), remarks.collect()))
}

fn defaults(section: &Section) -> Result<Defaults, ConfigError> {
    // None of Cinder's rules has a scope, so that this one changes nothing there either.
    section.flag("enforce_scope", true)?;
    Ok(if section.flag("enforce_new_defaults", true)? {
        Defaults::New
    } else {
        Defaults::NewOrFormer
    })
}

fn refused(path: &Path, line: Option<u32>, reason: &str) -> ConfigError {
    ConfigError {
        file: path.to_owned(),
        line,
        option: None,
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use firebrick_policy::{Credentials, Rule, Target};

    use super::*;

    fn given(conf: &str, rules: Option<&str>) -> Result<(Arc<Policy>, Vec<String>), String> {
        let folder = tempfile::tempdir().unwrap();
        if let Some(rules) = rules {
            std::fs::write(folder.path().join(FILE), rules).unwrap();
        }
        let path = folder.path().join("cinder.conf");
        let file = ConfigFile::parse(&path, conf).unwrap();
        policy(&file, folder.path()).map_err(|error| {
            let text = error.to_string();
            text.replace(&format!("{}/", folder.path().display()), "")
        })
    }

    #[test]
    fn a_file_beside_the_configuration_counts() {
        let rules = "volume:create: role:maker\nnobody: role:x\n";
        let (policy, remarks) = given("[DEFAULT]\n", Some(rules)).unwrap();
        let maker = Credentials {
            roles: vec!["maker".into()],
            ..Credentials::default()
        };
        assert!(policy.allows(Rule::VolumeCreate, &maker, &Target::default()));
        assert_eq!(remarks.len(), 1);
        let (policy, remarks) = given("[DEFAULT]\n", None).unwrap();
        assert!(!policy.allows(Rule::VolumeCreate, &maker, &Target::default()));
        assert_eq!(remarks, Vec::<String>::new());
    }

    #[test]
    fn former_defaults_are_an_option() {
        let conf = "[oslo_policy]\nenforce_new_defaults = false\nenforce_scope = no\n";
        let (policy, _) = given(conf, None).unwrap();
        let anybody = Credentials {
            project_id: Some("p".into()),
            ..Credentials::default()
        };
        assert!(policy.allows(Rule::VolumeDelete, &anybody, &anybody.own()));
    }

    #[test]
    fn refusals_name_file_and_line() {
        let refusal = |conf: &str, rules| given(conf, rules).map(|_| ()).unwrap_err();
        assert_eq!(
            refusal("[DEFAULT]\n", Some("# mine\nvolume:get\n")),
            "policy.yaml:2: has no \": \" between a rule and its check"
        );
        assert_eq!(
            refusal("[DEFAULT]\n", Some("volume:get: role:a or\n")),
            "policy.yaml: the check of the rule \"volume:get\" ends where a check is missing"
        );
        let missing = refusal("[oslo_policy]\npolicy_file = mine.yaml\n", None);
        assert!(
            missing.starts_with("mine.yaml: cannot be read"),
            "{missing}"
        );
    }
}
