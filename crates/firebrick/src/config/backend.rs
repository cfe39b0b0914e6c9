//! The sections of backends: which sites keep the volumes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use firebrick_backend::SharedBackend;
use firebrick_config::{ConfigError, ConfigFile, Dict, Section};
use firebrick_control::BackendOptions;
use firebrick_site::SiteClient;

use super::ceph;
use super::limits::number;
use super::scheduler::{function, ratio};

/// The driver of sites on the embedded engine.
const DRIVER: &str = "firebrick";
/// The word for the site of the configuration itself in `failover-host --backend_id`.
const PRIMARY_ID: &str = "default";
/// The name of a target in `replication_device`.
const ID: &str = "backend_id";
/// The longest name of a backend: hosts like `node1@NAME#pool` must fit into 255 bytes.
const NAME_MAX: usize = 64;

/// The backends that `enabled_backends` names, in that order.
pub(super) fn all(
    file: &ConfigFile,
    defaults: &Section,
    base: &Path,
) -> Result<Vec<BackendOptions>, ConfigError> {
    const OPTION: &str = "enabled_backends";
    defaults.require(OPTION)?;
    let names = defaults.list(OPTION)?;
    let mut seen = BTreeSet::new();
    let mut backends = Vec::with_capacity(names.len());
    for name in &names {
        if !fits(name) {
            let why = format!("{name:?} is not a name of letters, digits, dashes and underscores");
            return Err(defaults.refuse(OPTION, why));
        }
        if !seen.insert(name) {
            return Err(defaults.refuse(OPTION, format!("{name} is named twice")));
        }
        let section = file
            .section(name)
            .ok_or_else(|| defaults.refuse(OPTION, format!("the section [{name}] is missing")))?;
        backends.push(one(section, defaults, name, base)?);
    }
    if backends.is_empty() {
        return Err(defaults.refuse(OPTION, "names no backend"));
    }
    Ok(backends)
}

fn fits(name: &str) -> bool {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    name.len() <= NAME_MAX && name.chars().all(is_fine)
}

fn one(
    section: &Section,
    defaults: &Section,
    name: &str,
    base: &Path,
) -> Result<BackendOptions, ConfigError> {
    let sites = match section.text("volume_driver")?.as_deref() {
        None | Some(DRIVER) => embedded(section, name, base)?,
        Some(ceph::DRIVER) => ceph::sites(section, name, base)?,
        Some(driver) => {
            let known = [DRIVER, ceph::DRIVER].join(" and ");
            let why = format!("{driver:?} is not a driver of this release; {known} are");
            return Err(section.refuse("volume_driver", why));
        }
    };
    let volume_backend_name = match super::name(section, "volume_backend_name")? {
        Some(volume_backend_name) => volume_backend_name,
        None => name.to_owned(),
    };
    Ok(BackendOptions {
        name: name.to_owned(),
        volume_backend_name,
        primary: sites.primary,
        targets: sites.targets,
        reserved_percentage: number(section, "reserved_percentage", 0, &(0..=100))?,
        max_over_subscription_ratio: ratio(section)?,
        filter_function: function(section, "filter_function")?,
        goodness_function: function(section, "goodness_function")?,
        availability_zone: super::name(section, "backend_availability_zone")?,
        cluster: cluster(section, defaults)?,
    })
}

/// The sites of a backend.
pub(super) struct Sites {
    pub(super) primary: SharedBackend,
    /// By their names in `replication_device`.
    pub(super) targets: Vec<(String, SharedBackend)>,
}

fn embedded(section: &Section, name: &str, base: &Path) -> Result<Sites, ConfigError> {
    let targets = targets(section, base)?;
    let admin = base.join(plain_path(&section.require("site_admin")?));
    let site_name = super::name(section, "site_name")?.unwrap_or_else(|| name.to_owned());
    let primary = client(&site_name, admin, !targets.is_empty());
    Ok(Sites { primary, targets })
}

/// The cluster, which the section or `[DEFAULT]` names.
fn cluster(section: &Section, defaults: &Section) -> Result<Option<String>, ConfigError> {
    const OPTION: &str = "cluster";
    let own = super::name(section, OPTION)?;
    let (named, section) = match own {
        Some(own) => (Some(own), section),
        None => (super::name(defaults, OPTION)?, defaults),
    };
    match named {
        Some(name) if !fits(&name) => {
            let why = format!("{name:?} is not a name of letters, digits, dashes and underscores");
            Err(section.refuse(OPTION, why))
        }
        named => Ok(named),
    }
}

/// The option that names other sites.
const DEVICE: &str = "replication_device";

/// Other sites, each made by `site` of its name and what is said of it; `known` are the keys that may be.
pub(super) fn devices(
    section: &Section,
    known: &[&str],
    mut site: impl FnMut(&str, &Dict) -> Result<SharedBackend, String>,
) -> Result<Vec<(String, SharedBackend)>, ConfigError> {
    let mut targets: Vec<(String, SharedBackend)> = Vec::new();
    for device in section.dicts(DEVICE)? {
        let refuse = |why: String| section.refuse(DEVICE, why);
        let mut keys = device.keys();
        if let Some(key) = keys.find(|key| *key != ID && !known.contains(&&***key)) {
            let known = known.join(" and ");
            return Err(refuse(format!(
                "{key} is unknown; {ID} and {known} are not"
            )));
        }
        let id = part(&device, ID).map_err(refuse)?;
        if id == PRIMARY_ID || !fits(id) {
            let why = format!("{ID} {id:?} is not a name of a replication target");
            return Err(refuse(why));
        }
        if targets.iter().any(|(other, _)| other == id) {
            return Err(refuse(format!("{ID} {id} is given to two devices")));
        }
        let made = site(id, &device).map_err(refuse)?;
        targets.push((id.to_owned(), made));
    }
    Ok(targets)
}

fn targets(section: &Section, base: &Path) -> Result<Vec<(String, SharedBackend)>, ConfigError> {
    devices(section, &["admin"], |id, device| {
        let admin = base.join(plain_path(part(device, "admin")?));
        Ok(client(id, admin, true))
    })
}

fn part<'a>(device: &'a Dict, key: &str) -> Result<&'a str, String> {
    match device.get(key).map(String::as_str) {
        None | Some("") => Err(format!("{key} is missing")),
        Some(value) => Ok(value),
    }
}

fn plain_path(text: &str) -> &str {
    text.strip_prefix("unix://").unwrap_or(text)
}

fn client(name: &str, admin: PathBuf, mirroring: bool) -> SharedBackend {
    Arc::new(SiteClient::at(name, admin, mirroring))
}
