//! The rbd-mirror daemons of a cluster, as the monitors know them.

use std::collections::BTreeMap;
use std::fmt;

use firebrick_ceph::tool::OpenPool;
use serde_json::Value;

use crate::cli::rbd::ceph::site::{Ceph, trouble};
use crate::cli::rbd::doc::Doc;
use crate::printer::Printer;

/// How well things are; the worst counts most.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Health {
    Ok,
    Unknown,
    Warning,
    Error,
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "OK",
            Self::Unknown => "UNKNOWN",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
        })
    }
}

/// A daemon.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Daemon {
    pub(super) service: String,
    /// By what images name it; empty where it does not mirror the pool.
    pub(super) instance: String,
    pub(super) client: String,
    pub(super) host: String,
    pub(super) version: String,
    pub(super) leader: bool,
    pub(super) health: Health,
    pub(super) callouts: Vec<String>,
}

/// All daemons, by the ids of their services.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Daemons {
    pub(super) all: Vec<Daemon>,
    /// That of all of them together, for one pool.
    pub(super) health: Health,
}

impl Daemons {
    /// Nobody was asked.
    pub(super) const NONE: Self = Self {
        all: Vec::new(),
        health: Health::Unknown,
    };

    /// Those that there are now. What cannot be found out is said, and no reason to end.
    pub(super) fn of(ceph: &Ceph, pool: &OpenPool) -> Self {
        let ask = |what: &str, doing: &str| {
            let command = serde_json::json!({"prefix": what, "format": "json"});
            let answer = ceph.connection.ask_monitors(&command.to_string());
            let answer = answer.map_err(|error| trouble(doing, &error).to_string())?;
            let value = serde_json::from_slice::<Value>(&answer);
            value.map_err(|_| format!("rbd: invalid {what} JSON received"))
        };
        let found = ask("service dump", "failed to query services").and_then(|services| {
            let known = known(&services);
            if known.is_empty() {
                return Ok(Self::NONE);
            }
            let status = ask("service status", "failed to query service status")?;
            let id = pool.id();
            let id = id.map_err(|error| trouble("failed to query services", &error).to_string())?;
            Ok(judge(known, &status, id))
        });
        found.unwrap_or_else(|said| {
            Printer::note(&said);
            Self::NONE
        })
    }

    /// The one that images name so.
    pub(super) fn by_instance(&self, instance: &str) -> Option<&Daemon> {
        let mut named = self.all.iter();
        named.find(|daemon| !instance.is_empty() && daemon.instance == instance)
    }
}

impl Daemon {
    /// As the status of an image names it to people.
    pub(super) fn described(&self) -> String {
        let name = if self.client.is_empty() {
            &self.service
        } else {
            &self.client
        };
        match self.host.as_str() {
            "" => name.clone(),
            host => format!("{name} on {host}"),
        }
    }

    /// The same for programs.
    pub(super) fn of_image(&self) -> Doc {
        Doc::map([
            ("service_id", (&self.service).into()),
            ("instance_id", (&self.instance).into()),
            ("daemon_id", (&self.client).into()),
            ("hostname", (&self.host).into()),
        ])
    }
}

/// What the monitors have been told of daemons when these started.
fn known(services: &Value) -> BTreeMap<String, Daemon> {
    let daemons = services["services"]["rbd-mirror"]["daemons"].as_object();
    let described = daemons.into_iter().flatten().filter_map(|(service, it)| {
        let told = it.get("metadata")?.as_object()?;
        let text = |key: &str| told.get(key).and_then(Value::as_str).unwrap_or_default();
        let daemon = Daemon {
            service: service.clone(),
            instance: String::new(),
            client: text("id").to_owned(),
            host: text("hostname").to_owned(),
            version: text("ceph_version_short").to_owned(),
            leader: false,
            health: Health::Unknown,
            callouts: Vec::new(),
        };
        Some((service.clone(), daemon))
    });
    described.collect()
}

/// Adds what they say now, of the pool of that number.
fn judge(mut known: BTreeMap<String, Daemon>, status: &Value, pool: i64) -> Daemons {
    let Some(said) = status["rbd-mirror"].as_object() else {
        let all = known.into_values().collect();
        let health = Health::Unknown;
        return Daemons { all, health };
    };
    let (mut leads, mut any) = (false, false);
    for (service, it) in said {
        let Some(daemon) = known.get_mut(service) else {
            continue;
        };
        let told = it["status"]["json"].as_str();
        let told = told.and_then(|told| serde_json::from_str::<Value>(told).ok());
        let silent = |why: &str| (Health::Warning, vec![why.to_owned()]);
        (daemon.health, daemon.callouts) = match told {
            None => silent("not reporting status"),
            Some(told) => match told.get(pool.to_string()) {
                None => silent("not reporting status for pool"),
                Some(told) => {
                    any = true;
                    told["instance_id"]
                        .as_str()
                        .unwrap_or_default()
                        .clone_into(&mut daemon.instance);
                    daemon.leader = told["leader"] == true;
                    leads |= daemon.leader;
                    callouts(told)
                }
            },
        };
    }
    let own = match (any, leads) {
        (false, _) => Health::Error,
        (true, false) => Health::Warning,
        (true, true) => Health::Ok,
    };
    let all: Vec<Daemon> = known.into_values().collect();
    let health = all.iter().map(|daemon| daemon.health).fold(own, Ord::max);
    Daemons { all, health }
}

/// What a daemon complains about.
fn callouts(told: &Value) -> (Health, Vec<String>) {
    let mut health = Health::Ok;
    let mut texts = Vec::new();
    for callout in told["callouts"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(_, it)| it)
    {
        let level = match callout["level"].as_str() {
            Some("error") => Health::Error,
            Some("warning") => Health::Warning,
            Some(_) => Health::Ok,
            None => continue,
        };
        health = health.max(level);
        texts.extend(callout["text"].as_str().map(str::to_owned));
    }
    (health, texts)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn services() -> BTreeMap<String, Daemon> {
        let told = json!({"id": "m", "hostname": "node", "ceph_version_short": "16.2.15"});
        known(&json!({"services": {"rbd-mirror": {"daemons": {
            "summary": "", "4113": {"metadata": told}, "99": {"metadata": {}},
        }}}}))
    }

    fn judged(said: &Value) -> Daemons {
        judge(services(), &json!({"rbd-mirror": said}), 2)
    }

    #[test]
    fn the_worst_of_all_daemons_counts() {
        let told = |text: &str| json!({"status": {"json": text}});
        let leads = told(r#"{"2": {"instance_id": "4118", "leader": true}}"#);
        let found = judged(&json!({"4113": leads}));
        let daemon = found.by_instance("4118").unwrap();
        assert_eq!(
            (daemon.described().as_str(), daemon.leader),
            ("m on node", true)
        );
        // The other one has said nothing yet.
        assert_eq!(found.health, Health::Unknown);
        let found = judged(&json!({"4113": leads, "99": {"status": {}}}));
        assert_eq!(found.health, Health::Warning);
        assert_eq!(found.all[1].callouts, ["not reporting status"]);
        assert_eq!(found.by_instance(""), None);

        let complains = told(
            r#"{"2": {"instance_id": "7", "leader": true, "callouts":
                {"1": {"level": "error", "text": "unable to connect to remote cluster"}}}}"#,
        );
        let found = judged(&json!({"4113": complains, "99": leads}));
        assert_eq!(found.health, Health::Error);
        let elsewhere = told(r#"{"3": {"leader": true}}"#);
        let found = judged(&json!({"4113": elsewhere}));
        assert_eq!(found.health, Health::Error);
        assert_eq!(found.all[0].callouts, ["not reporting status for pool"]);
        assert_eq!(judge(services(), &json!({}), 2).health, Health::Unknown);
    }
}
