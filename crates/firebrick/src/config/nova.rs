//! `[nova]`: which Nova is told when disks of its servers have changed.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use firebrick_cloud::{Keystone, Nova, NovaOptions};
use firebrick_config::{ConfigError, ConfigFile, Section};

use super::{keystone, limits, name};

/// The Nova, which is not asked anything yet. Without a user of its own in the section, that of
/// `[keystone_authtoken]` speaks to it; none without a Keystone.
pub(super) fn nova(
    file: &ConfigFile,
    defaults: &Section,
    base: &Path,
    usual: Option<&Arc<Keystone>>,
) -> Result<Option<Nova>, ConfigError> {
    let section = file.section("nova");
    let own = section.filter(|section| section.text("auth_url").is_ok_and(|url| url.is_some()));
    let keystone = match (own, usual) {
        (Some(section), Some(_)) => keystone::of(section, base)?,
        (None, Some(usual)) => Arc::clone(usual),
        (_, None) => return Ok(None),
    };
    let mut options = NovaOptions::new(keystone);
    let Some(section) = section else {
        let made = made(options).map_err(|error| defaults.refuse("nova", error))?;
        return Ok(Some(made));
    };
    read(section, base, &mut options)?;
    let made = made(options).map_err(|error| section.refuse("cafile", error))?;
    Ok(Some(made))
}

fn made(options: NovaOptions) -> Result<Nova, String> {
    Nova::new(options).map_err(|error| error.to_string())
}

fn read(section: &Section, base: &Path, options: &mut NovaOptions) -> Result<(), ConfigError> {
    match name(section, "interface")?.as_deref() {
        None => {}
        Some(known @ ("public" | "internal" | "admin")) => known.clone_into(&mut options.interface),
        Some(_) => {
            let why = "must be public, internal or admin";
            return Err(section.refuse("interface", why));
        }
    }
    options.region = name(section, "region_name")?;
    options.cafile = name(section, "cafile")?.map(|path| base.join(path));
    options.insecure = section.flag("insecure", false)?;
    let usual = options.timeout.as_secs();
    let seconds = limits::number(section, "timeout", usual, &(1..=3600))?;
    options.timeout = Duration::from_secs(seconds);
    Ok(())
}

#[cfg(test)]
mod tests {
    use firebrick_cloud::KeystoneOptions;

    use super::*;

    fn found(text: &str, with_keystone: bool) -> Result<bool, String> {
        let text = format!("[DEFAULT]\n{text}");
        let file = ConfigFile::parse(Path::new("/etc/cinder.conf"), &text).unwrap();
        let options = KeystoneOptions::new("http://k:5000", "cinder", "secret", "service");
        let usual = with_keystone.then(|| Arc::new(Keystone::new(options).unwrap()));
        let defaults = file.require("DEFAULT").unwrap();
        let found = nova(&file, defaults, Path::new("/etc"), usual.as_ref());
        let found = found.map_err(|error| error.to_string())?;
        if with_keystone {
            assert!(file.unknown().is_empty(), "{:?}", file.unknown());
        }
        Ok(found.is_some())
    }

    #[test]
    fn the_options_of_nova_are_understood() {
        assert_eq!(found("", true), Ok(true));
        let own = "[nova]\nauth_url = http://n:5000\nusername = nova\npassword = x\n\
                   project_name = service\ninterface = internal\nregion_name = A\ntimeout = 5\n\
                   insecure = true\n";
        assert_eq!(found(own, true), Ok(true));
        assert_eq!(found(own, false), Ok(false));
        for (wrong, why) in [
            ("[nova]\ninterface = private\n", "interface"),
            ("[nova]\ntimeout = 0\n", "timeout"),
            ("[nova]\ncafile = nowhere.pem\n", "cafile"),
            ("[nova]\nauth_url = http://n:5000\n", "username"),
        ] {
            let error = found(wrong, true).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
