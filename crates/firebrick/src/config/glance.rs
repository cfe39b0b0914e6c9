//! `glance_*` and `image_*`: where images come from and go to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use firebrick_api::AuthStrategy;
use firebrick_cloud::{Glance, GlanceError, GlanceOptions};
use firebrick_config::{ConfigError, ConfigFile, Section};
use firebrick_control::{CacheOptions, ImageOptions};
use firebrick_vocabulary::{ProjectId, UserId};

use super::limits::number;
use super::name;

/// What of the catalogue is meant where the file says nothing.
const CATALOG: &str = "image:glance:publicURL";

/// The image service; `None` where neither the file nor a Keystone says where one is.
pub(super) fn images(
    file: &ConfigFile,
    defaults: &Section,
    base: &Path,
    auth: &AuthStrategy,
) -> Result<Option<ImageOptions>, ConfigError> {
    let keystone = match auth {
        AuthStrategy::Keystone(keystone) => Some(Arc::clone(keystone)),
        AuthStrategy::NoAuth => None,
    };
    let seal = keystone.as_ref().and_then(|keystone| keystone.seal());
    let options = GlanceOptions {
        keystone,
        ..options(defaults, base)?
    };
    let nowhere = options.keystone.is_none() && options.servers.is_empty();
    let mut images = if nowhere {
        None
    } else {
        let made = Glance::new(options).map_err(|error| refuse(defaults, &error))?;
        Some(ImageOptions::new(made, PathBuf::new()))
    };
    let dir = name(defaults, "image_conversion_dir")?;
    let state = defaults.text("state_path")?;
    let state = base.join(state.as_deref().unwrap_or(super::STATE_PATH));
    let dir = dir.map_or_else(|| state.join("conversion"), |dir| base.join(dir));
    let gib = number(
        defaults,
        "image_conversion_address_space_limit",
        1,
        &(1..=1 << 20),
    )?;
    let seconds = number(defaults, "image_conversion_cpu_limit", 60, &(1..=86_400))?;
    let types = defaults.list("vmdk_allowed_types")?;
    let verify = signatures(defaults)?;
    let force = defaults.flag("enable_force_upload", false)?;
    let project = name(defaults, "cinder_internal_tenant_project_id")?;
    let user = name(defaults, "cinder_internal_tenant_user_id")?;
    let caches = caches(file, defaults)?;
    if let Some(images) = &mut images {
        images.internal = project.map(ProjectId).zip(user.map(UserId));
        images.caches = caches;
        images.seal = seal.map(Arc::new);
        images.conversion_dir = dir;
        images.address_space = gib << 30;
        images.cpu_seconds = seconds;
        images.force_upload = force;
        images.verify_signatures = verify;
        if !types.is_empty() {
            images.vmdk_types = types;
        }
    }
    Ok(images)
}

/// Whether signatures of images are to be checked, which nothing here can.
fn signatures(defaults: &Section) -> Result<bool, ConfigError> {
    const OPTION: &str = "verify_glance_signatures";
    match name(defaults, OPTION)?.as_deref() {
        None | Some("enabled") => Ok(true),
        Some("disabled") => Ok(false),
        Some(other) => {
            let why = format!("{other:?} is neither enabled nor disabled");
            Err(defaults.refuse(OPTION, why))
        }
    }
}

/// The caches of the backends: what their sections do not say, `[DEFAULT]` does.
fn caches(
    file: &ConfigFile,
    defaults: &Section,
) -> Result<BTreeMap<String, CacheOptions>, ConfigError> {
    let any = 0..=u64::from(u32::MAX);
    let read = |section: &Section, enabled, usual: CacheOptions| {
        let most = |option, usual| number(section, option, usual, &any);
        let options = CacheOptions {
            max_gigabytes: most("image_volume_cache_max_size_gb", usual.max_gigabytes)?,
            max_count: most("image_volume_cache_max_count", usual.max_count)?,
        };
        let enabled = section.flag("image_volume_cache_enabled", enabled)?;
        Ok::<_, ConfigError>((enabled, options))
    };
    let (enabled, usual) = read(defaults, false, CacheOptions::default())?;
    let mut caches = BTreeMap::new();
    for backend in defaults.list("enabled_backends")? {
        let Some(section) = file.section(&backend) else {
            continue;
        };
        let (enabled, options) = read(section, enabled, usual)?;
        if enabled {
            caches.insert(backend, options);
        }
    }
    Ok(caches)
}

fn options(defaults: &Section, base: &Path) -> Result<GlanceOptions, ConfigError> {
    let usual = GlanceOptions::default();
    let catalog = name(defaults, "glance_catalog_info")?;
    let catalog = catalog.unwrap_or_else(|| CATALOG.to_owned());
    let interface = match catalog.split(':').collect::<Vec<_>>()[..] {
        ["image", _, "publicURL"] => "public",
        ["image", _, "internalURL"] => "internal",
        ["image", _, "adminURL"] => "admin",
        _ => {
            let why = format!("{catalog:?} is not like {CATALOG}");
            return Err(defaults.refuse("glance_catalog_info", why));
        }
    };
    let cafile = name(defaults, "glance_ca_certificates_file")?;
    let seconds = number(
        defaults,
        "glance_request_timeout",
        usual.timeout.as_secs(),
        &(1..=86_400),
    )?;
    let retries = number(
        defaults,
        "glance_num_retries",
        u64::from(usual.retries),
        &(0..=100),
    )?;
    Ok(GlanceOptions {
        servers: defaults.list("glance_api_servers")?,
        interface: interface.to_owned(),
        region: name(defaults, "os_region_name")?,
        cafile: cafile.map(|path| base.join(path)),
        insecure: defaults.flag("glance_api_insecure", usual.insecure)?,
        retries: u32::try_from(retries).unwrap_or(usual.retries),
        timeout: Duration::from_secs(seconds),
        keystone: None,
    })
}

fn refuse(defaults: &Section, error: &GlanceError) -> ConfigError {
    let text = error.to_string();
    let of = ["glance_ca_certificates_file", "glance_api_servers"];
    let option = of.into_iter().find(|option| text.starts_with(option));
    defaults.refuse(option.unwrap_or("glance_api_servers"), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<ImageOptions>, String> {
        let file = ConfigFile::parse(Path::new("/etc/cinder.conf"), text).unwrap();
        let defaults = file.require("DEFAULT").unwrap();
        let read = images(&file, defaults, Path::new("/etc"), &AuthStrategy::NoAuth);
        assert!(
            read.is_err() || file.unknown().is_empty(),
            "{:?}",
            file.unknown()
        );
        read.map_err(|error| error.to_string())
    }

    #[test]
    fn the_options_of_cinder_are_understood() {
        assert!(read("[DEFAULT]\n").unwrap().is_none());
        let images =
            read("[DEFAULT]\nstate_path = /srv\nglance_api_servers = http://a, http://b/v2\n");
        let images = images.unwrap().unwrap();
        assert_eq!(images.conversion_dir, Path::new("/srv/conversion"));
        assert_eq!((images.address_space, images.cpu_seconds), (1 << 30, 60));
        assert_eq!(images.vmdk_types, ["streamOptimized", "monolithicSparse"]);
        assert!(!images.force_upload);
        let images = read(
            "[DEFAULT]\nglance_api_servers = https://a\nglance_num_retries = 0\n\
             glance_request_timeout = 5\nglance_api_insecure = true\nos_region_name = north\n\
             glance_catalog_info = image:glance:internalURL\nimage_conversion_dir = tmp\n\
             image_conversion_address_space_limit = 2\nimage_conversion_cpu_limit = 9\n\
             vmdk_allowed_types = monolithicSparse\nenable_force_upload = yes\n",
        );
        let images = images.unwrap().unwrap();
        assert_eq!(images.conversion_dir, Path::new("/etc/tmp"));
        assert_eq!((images.address_space, images.cpu_seconds), (2 << 30, 9));
        assert_eq!(images.vmdk_types, ["monolithicSparse"]);
        assert!(images.force_upload);
    }

    #[test]
    fn backends_have_caches_of_their_own() {
        let images = read(
            "[DEFAULT]\nglance_api_servers = http://a\nenabled_backends = x, y, z\n\
             cinder_internal_tenant_project_id = p\ncinder_internal_tenant_user_id = u\n\
             image_volume_cache_enabled = true\nimage_volume_cache_max_count = 7\n\
             [x]\nimage_volume_cache_max_size_gb = 5\n[y]\nimage_volume_cache_enabled = false\n\
             [z]\nimage_volume_cache_max_count = 0\n",
        );
        let images = images.unwrap().unwrap();
        assert_eq!(
            images.internal,
            Some((ProjectId("p".into()), UserId("u".into())))
        );
        let cache = |max_gigabytes, max_count| CacheOptions {
            max_gigabytes,
            max_count,
        };
        let expected = [("x".to_owned(), cache(5, 7)), ("z".to_owned(), cache(0, 0))];
        assert_eq!(images.caches, BTreeMap::from(expected));
    }

    #[test]
    fn refusals_name_the_option() {
        for (more, expected) in [
            ("glance_api_servers = glance:9292", "glance_api_servers"),
            (
                "glance_catalog_info = volume:cinder:publicURL",
                "glance_catalog_info",
            ),
            ("glance_request_timeout = 0", "glance_request_timeout"),
            (
                "glance_api_servers = https://a\nglance_ca_certificates_file = /nowhere.pem",
                "glance_ca_certificates_file",
            ),
        ] {
            let refusal = read(&format!("[DEFAULT]\n{more}\n")).err().unwrap();
            assert!(refusal.contains(expected), "{refusal}");
        }
    }
}
