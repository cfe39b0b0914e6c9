//! Which site a failover goes to.

use crate::home::SiteId;
use crate::options::BackendOptions;

/// The site to go to, of those that what lives at `active` can go to, or why there is none. `whose` begins
/// the sentences: it is the backend, or a group of its volumes.
pub(crate) fn target(
    backend: &BackendOptions,
    whose: &str,
    active: Option<&str>,
    asked: Option<&str>,
) -> Result<SiteId, String> {
    if backend.targets.is_empty() {
        return Err(format!(
            "The backend {} has no replication_device.",
            backend.name
        ));
    }
    let names = || backend.targets.iter().map(|(name, _)| name.as_str());
    match asked {
        Some("default") if active.is_none() => Err(format!("{whose} is at its own site already.")),
        Some("default") => Ok(None),
        Some(id) if id == backend.primary.name() && active.is_some() => Ok(None),
        Some(id) if active.unwrap_or(backend.primary.name()) == id => {
            Err(format!("{whose} is at {id} already."))
        }
        Some(id) if names().any(|name| name == id) => Ok(Some(id.to_owned())),
        Some(id) => {
            let known: Vec<&str> = names().collect();
            // A request may say anything.
            let shown: String = id.chars().take(64).collect();
            Err(format!(
                "{whose} has no replication target {shown}; it has {}.",
                known.join(", ")
            ))
        }
        None => match names().find(|name| active != Some(*name)) {
            Some(name) => Ok(Some(name.to_owned())),
            None => Err(format!(
                "{whose} has failed over already; `default` brings it back."
            )),
        },
    }
}
