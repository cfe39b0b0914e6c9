//! What `cinder.conf` says about the control plane.

mod backend;
mod backup;
mod ceph;
mod glance;
mod keystone;
mod limits;
mod nova;
mod policy;
mod scheduler;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use firebrick_api::{ApiOptions, AuthStrategy, OptionsError, ResourceFilters};
use firebrick_config::{ConfigError, ConfigFile, Section, Unknown};
use firebrick_control::ControlOptions;
use firebrick_vocabulary::HostName;

/// The port of the Block Storage API in every OpenStack.
const PORT: u16 = 8776;
/// Cinder's default of `state_path`.
const STATE_PATH: &str = "/var/lib/cinder";

/// Everything that `firebrick serve` must know.
pub(crate) struct ServeConf {
    /// `osapi_volume_listen` and `osapi_volume_listen_port`.
    pub(crate) listen: SocketAddr,
    /// `[database] connection`.
    pub(crate) database: String,
    /// The API's part.
    pub(crate) api: ApiOptions,
    /// The part of what works behind it.
    pub(crate) control: ControlOptions,
    /// What should be said about the policy.
    pub(crate) remarks: Vec<String>,
}

impl ServeConf {
    /// Reads the file at `path`; what it has and nobody knows comes along for a warning.
    pub(crate) fn read(path: &Path) -> Result<(Self, Vec<Unknown>), ConfigError> {
        let file = ConfigFile::read(path)?;
        let conf = Self::from_file(&file)?;
        if is_in_no_folder(&conf.database) {
            let section = file.section("database");
            let given = |section: &&Section| matches!(section.text("connection"), Ok(Some(_)));
            return Err(match section.filter(given) {
                Some(section) => {
                    section.refuse("connection", "names a file in a folder that is not there")
                }
                None => file.require("DEFAULT")?.refuse(
                    "state_path",
                    format!("the folder of {} is not there", conf.database),
                ),
            });
        }
        Ok((conf, file.unknown()))
    }

    /// Understands `file`. Relative paths in it start at its folder.
    pub(crate) fn from_file(file: &ConfigFile) -> Result<Self, ConfigError> {
        let defaults = file.require("DEFAULT")?;
        let base = file.path().parent().unwrap_or(Path::new(""));
        let mut api = api_options(file, defaults, base)?;
        let (policy, remarks) = policy::policy(file, base)?;
        api.policy = policy;
        let listen = listen(defaults, &api)?;
        let database = database(file, defaults, base)?;
        let mut control = ControlOptions::new(node(defaults)?, backend::all(file, defaults, base)?);
        control.backup = backup::backup(defaults, base)?;
        control.images = glance::images(file, defaults, base, &api.auth)?;
        control.identity = match &api.auth {
            AuthStrategy::Keystone(keystone) => Some(Arc::clone(keystone)),
            AuthStrategy::NoAuth => None,
        };
        control.quotas = limits::quotas(defaults, control.quotas)?;
        control.has_fixed_key = match file.section("key_manager") {
            Some(section) => section
                .text("fixed_key")?
                .is_some_and(|key| !key.is_empty()),
            None => false,
        };
        if let Some(zone) = name(defaults, "storage_availability_zone")? {
            control.availability_zone = zone;
        }
        control.nova = nova::nova(file, defaults, base, control.identity.as_ref())?;
        control.default_availability_zone = name(defaults, "default_availability_zone")?;
        control.zones_fall_back = defaults.flag("allow_availability_zone_fallback", false)?;
        control.default_group_type = name(defaults, "default_group_type")?;
        if let Some(volume_type) = name(defaults, "default_volume_type")? {
            control.default_volume_type = volume_type;
        }
        control.scheduler = scheduler::scheduler(defaults)?;
        control.scheduler_max_attempts =
            scheduler::attempts(defaults, control.scheduler_max_attempts)?;
        times(defaults, &mut control)?;
        Ok(Self {
            listen,
            database,
            api,
            control,
            remarks,
        })
    }
}

fn api_options(
    file: &ConfigFile,
    defaults: &Section,
    base: &Path,
) -> Result<ApiOptions, ConfigError> {
    // Cinder's own default is Keystone, so a file that says nothing means Keystone.
    let auth = match defaults.text("auth_strategy")?.as_deref() {
        Some("noauth") => AuthStrategy::NoAuth,
        None | Some("keystone") => AuthStrategy::Keystone(keystone::keystone(file, base)?),
        Some(other) => {
            let why = format!("{other:?} is neither noauth nor keystone");
            return Err(defaults.refuse("auth_strategy", why));
        }
    };
    let usual = ApiOptions::default();
    Ok(ApiOptions {
        auth,
        public_endpoint: name(defaults, "public_endpoint")?,
        filters: filters(defaults, base)?,
        max_limit: defaults.value_or("osapi_max_limit", "a number", usual.max_limit)?,
        ..usual
    })
}

/// `resource_filters_file`, of which a relative path starts at the folder of the configuration.
fn filters(defaults: &Section, base: &Path) -> Result<Arc<ResourceFilters>, ConfigError> {
    const OPTION: &str = "resource_filters_file";
    let Some(named) = name(defaults, OPTION)? else {
        return Ok(Arc::default());
    };
    let path = base.join(named);
    let refuse = |why: String| defaults.refuse(OPTION, format!("{}: {why}", path.display()));
    let text = std::fs::read_to_string(&path).map_err(|error| refuse(error.to_string()))?;
    let read = ResourceFilters::parse(&text).map_err(|error| refuse(error.to_string()))?;
    Ok(Arc::new(read))
}

fn listen(defaults: &Section, api: &ApiOptions) -> Result<SocketAddr, ConfigError> {
    let what = "an IP address such as 127.0.0.1";
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let ip = defaults.value_or("osapi_volume_listen", what, loopback)?;
    let port = defaults.value_or("osapi_volume_listen_port", "a port number", PORT)?;
    if port == 0 {
        return Err(defaults.refuse("osapi_volume_listen_port", "must be between 1 and 65535"));
    }
    let listen = SocketAddr::new(ip, port);
    match api.check(listen) {
        Ok(()) => Ok(listen),
        Err(why) => {
            let option = match why {
                OptionsError::NoAuthBeyondLoopback(_) => "osapi_volume_listen",
                OptionsError::NoPages => "osapi_max_limit",
                OptionsError::Endpoint(_) => "public_endpoint",
            };
            Err(defaults.refuse(option, why.to_string()))
        }
    }
}

fn database(file: &ConfigFile, defaults: &Section, base: &Path) -> Result<String, ConfigError> {
    let state = defaults
        .text("state_path")?
        .unwrap_or_else(|| STATE_PATH.to_owned());
    let state = base.join(state);
    let section = file.section("database");
    let Some(url) = section
        .map(|section| name(section, "connection"))
        .transpose()?
        .flatten()
    else {
        return Ok(format!(
            "sqlite://{}",
            state.join("firebrick.sqlite").display()
        ));
    };
    let known = ["sqlite:///", "postgres://", "postgresql://"];
    match section {
        Some(section) if !known.iter().any(|start| url.starts_with(start)) => {
            // The value may hold a password, so it is not repeated.
            let why = "begins with neither sqlite:/// nor postgresql://";
            Err(section.refuse("connection", why))
        }
        Some(_) | None => Ok(url),
    }
}

/// Whether the URL is that of an SQLite file in a folder that does not exist.
fn is_in_no_folder(url: &str) -> bool {
    // As `Db::open` does: what stands behind two slashes is the path.
    let file = url.strip_prefix("sqlite://").map(Path::new);
    let folder = file.and_then(Path::parent);
    folder.is_some_and(|folder| !folder.as_os_str().is_empty() && !folder.is_dir())
}

fn node(defaults: &Section) -> Result<String, ConfigError> {
    let node = match name(defaults, "host")? {
        Some(node) => node,
        None => host_name()
            .ok_or_else(|| defaults.refuse("host", "is missing, and the machine has no name"))?,
    };
    match node.parse::<HostName>() {
        Ok(HostName {
            backend: None,
            pool: None,
            ..
        }) if node.len() <= 64 => Ok(node),
        Ok(_) | Err(_) => {
            let why = format!("{node:?} is not a name of at most 64 bytes without @, # and blanks");
            Err(defaults.refuse("host", why))
        }
    }
}

fn host_name() -> Option<String> {
    let text = std::fs::read_to_string(PathBuf::from("/proc/sys/kernel/hostname")).ok()?;
    let name = text.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

/// A text that may be missing, but not be empty or longer than a column of the database.
fn name(section: &Section, option: &str) -> Result<Option<String>, ConfigError> {
    match section.text(option)? {
        Some(text) if text.is_empty() => Err(section.refuse(option, "must not be empty")),
        Some(text) if text.len() > 255 && option != "connection" => {
            Err(section.refuse(option, format!("has {} bytes; the most is 255", text.len())))
        }
        text => Ok(text),
    }
}

fn times(defaults: &Section, control: &mut ControlOptions) -> Result<(), ConfigError> {
    let seconds = |option, default: Duration| {
        let range = 1..=86_400;
        limits::number(defaults, option, default.as_secs(), &range).map(Duration::from_secs)
    };
    control.report_interval = seconds("report_interval", control.report_interval)?;
    control.service_down_time = seconds("service_down_time", control.service_down_time)?;
    let ten_years = 1..=315_360_000;
    let ttl = limits::number(
        defaults,
        "message_ttl",
        control.message_ttl.as_secs(),
        &ten_years,
    )?;
    control.message_ttl = Duration::from_secs(ttl);
    if control.service_down_time <= control.report_interval {
        let why = format!(
            "must be more than report_interval, which is {} s",
            control.report_interval.as_secs()
        );
        return Err(defaults.refuse("service_down_time", why));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
