//! `[keystone_authtoken]`: which Keystone says whose token a request has.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use firebrick_cloud::{Domain, Keystone, KeystoneOptions};
use firebrick_config::{ConfigError, ConfigFile, Section};

use super::{limits, name};

/// The Keystone, which is not asked anything yet.
pub(super) fn keystone(file: &ConfigFile, base: &Path) -> Result<Arc<Keystone>, ConfigError> {
    of(file.require("keystone_authtoken")?, base)
}

/// The one that a section with the options of a user says.
pub(super) fn of(section: &Section, base: &Path) -> Result<Arc<Keystone>, ConfigError> {
    let options = options(section, base)?;
    let made = Keystone::new(options);
    let made = made.map_err(|error| {
        let text = error.to_string();
        let option = if text.starts_with("cafile") {
            "cafile"
        } else {
            "auth_url"
        };
        section.refuse(option, text)
    })?;
    Ok(Arc::new(made))
}

fn options(section: &Section, base: &Path) -> Result<KeystoneOptions, ConfigError> {
    match name(section, "auth_type")?.as_deref() {
        None | Some("password" | "v3password") => {}
        Some(_) => return Err(section.refuse("auth_type", "must be password")),
    }
    let mut options = KeystoneOptions::new(
        &section.require("auth_url")?,
        &section.require("username")?,
        &section.require("password")?,
        &section.require("project_name")?,
    );
    options.user_domain = domain(section, "user_domain_name", "user_domain_id")?;
    options.project_domain = domain(section, "project_domain_name", "project_domain_id")?;
    options.public_url = name(section, "www_authenticate_uri")?;
    options.cafile = name(section, "cafile")?.map(|path| base.join(path));
    options.insecure = section.flag("insecure", options.insecure)?;
    let roles = section.list("service_token_roles")?;
    if !roles.is_empty() {
        options.service_token_roles = roles;
    }
    let required = options.service_token_roles_required;
    options.service_token_roles_required =
        section.flag("service_token_roles_required", required)?;
    let seconds = |option, default: Duration, range| {
        limits::number(section, option, default.as_secs(), &range).map(Duration::from_secs)
    };
    options.cache_time = seconds("token_cache_time", options.cache_time, 0..=86_400)?;
    options.timeout = seconds("http_connect_timeout", options.timeout, 1..=600)?;
    Ok(options)
}

fn domain(section: &Section, by_name: &str, by_id: &str) -> Result<Domain, ConfigError> {
    match (name(section, by_name)?, name(section, by_id)?) {
        (Some(_), Some(_)) => {
            let why = format!("is given twice, by {by_name} too");
            Err(section.refuse(by_id, why))
        }
        (Some(name), None) => Ok(Domain::Name(name)),
        (None, Some(id)) => Ok(Domain::Id(id)),
        (None, None) => Ok(Domain::default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: &str = "auth_url = https://keystone:5000\nusername = cinder\npassword = secret\n\
                         project_name = service\n";

    fn read(more: &str) -> Result<KeystoneOptions, String> {
        let text = format!("[keystone_authtoken]\n{GIVEN}{more}\n");
        let file = ConfigFile::parse(Path::new("/etc/cinder.conf"), &text).unwrap();
        let read = options(
            file.require("keystone_authtoken").unwrap(),
            Path::new("/etc"),
        );
        assert!(
            read.is_err() || file.unknown().is_empty(),
            "{:?}",
            file.unknown()
        );
        read.map_err(|error| error.to_string())
    }

    #[test]
    fn the_options_of_keystonemiddleware_are_understood() {
        let given = read("").unwrap();
        assert_eq!(given.cache_time.as_secs(), 300);
        assert_eq!(given.service_token_roles, ["service"]);
        assert!(matches!(given.user_domain, Domain::Name(name) if name == "Default"));
        let given = read(
            "auth_type = v3password\nuser_domain_id = default\nproject_domain_name = Services\n\
             cafile = ca.pem\nservice_token_roles = service, admin\ntoken_cache_time = 0\n\
             service_token_roles_required = false\ninsecure = yes\nhttp_connect_timeout = 3\n\
             www_authenticate_uri = https://example.org",
        );
        let given = given.unwrap();
        assert!(matches!(given.user_domain, Domain::Id(id) if id == "default"));
        assert!(matches!(given.project_domain, Domain::Name(name) if name == "Services"));
        assert_eq!(given.cafile.as_deref(), Some(Path::new("/etc/ca.pem")));
        assert_eq!(given.service_token_roles, ["service", "admin"]);
        assert!(given.insecure && !given.service_token_roles_required);
        assert_eq!(
            (given.cache_time.as_secs(), given.timeout.as_secs()),
            (0, 3)
        );
        assert_eq!(given.public_url.as_deref(), Some("https://example.org"));
    }

    #[test]
    fn refusals_name_the_option_and_never_the_password() {
        for (more, expected) in [
            ("auth_type = v3token", "auth_type: must be password"),
            ("token_cache_time = -1", "token_cache_time: \"-1\" is not"),
            (
                "http_connect_timeout = 0",
                "http_connect_timeout: 0 is not between",
            ),
            (
                "user_domain_id = a\nuser_domain_name = b",
                "user_domain_id: is given twice",
            ),
            ("password =", "password: must not be empty"),
        ] {
            let refusal = read(more).err().unwrap();
            assert!(refusal.contains(expected), "{refusal}");
            assert!(!refusal.contains("secret"), "{refusal}");
        }
    }

    #[test]
    fn an_address_or_certificates_that_cannot_be_used_are_refused() {
        for (more, expected) in [
            (
                "auth_url = keystone",
                "[keystone_authtoken] auth_url: auth_url must begin",
            ),
            (
                "cafile = /nowhere.pem",
                "[keystone_authtoken] cafile: cafile /nowhere.pem",
            ),
        ] {
            let text = format!("[keystone_authtoken]\n{GIVEN}{more}\n");
            let file = ConfigFile::parse(Path::new("/etc/cinder.conf"), &text).unwrap();
            let refusal = keystone(&file, Path::new("/etc")).unwrap_err().to_string();
            assert!(refusal.contains(expected), "{refusal}");
        }
        let file = ConfigFile::parse(Path::new("/etc/cinder.conf"), "[DEFAULT]\n").unwrap();
        let refusal = keystone(&file, Path::new("/etc")).unwrap_err().to_string();
        assert!(
            refusal.contains("[keystone_authtoken] is missing"),
            "{refusal}"
        );
    }
}
