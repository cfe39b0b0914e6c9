//! How much services write into their logs: all services of a process write into one.

use std::collections::BTreeMap;
use std::fmt;

use firebrick_policy::Rule;
use firebrick_vocabulary::HostName;

use crate::control::Control;
use crate::error::Result;
use crate::request::Context;

/// The program name of the API, which is no service of the list.
const API: &str = "cinder-api";

/// What is written: this and worse.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// What failed.
    Error,
    /// What an operator should look at.
    Warning,
    /// What happens.
    Info,
    /// How it happens.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// The level of that name, whatever its case, of those that Cinder knows.
    pub fn parse(text: &str) -> Option<Self> {
        let known = [Self::Error, Self::Warning, Self::Info, Self::Debug];
        let mut known = known.into_iter();
        known.find(|level| text.eq_ignore_ascii_case(level.as_str()))
    }

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "OFF",
            Self::Error => "ERROR",
            Self::Warning => "WARNING",
            Self::Info => "INFO",
            Self::Debug => "DEBUG",
            Self::Trace => "TRACE",
        }
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The log of this process.
pub trait LogLevels: Send + Sync {
    /// The parts of the program by their names, with their levels.
    fn levels(&self) -> BTreeMap<String, LogLevel>;

    /// Sets the level of all parts whose names begin with `prefix`.
    fn set(&self, prefix: &str, level: LogLevel);
}

/// Whose levels are asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogQuery<'a> {
    /// One service; `None` for all and the API.
    pub binary: Option<&'a str>,
    /// A host or a cluster.
    pub server: Option<&'a str>,
    /// What the names of the parts begin with.
    pub prefix: &'a str,
}

/// The levels of a service.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServiceLevels {
    /// Its host.
    pub host: HostName,
    /// Its binary.
    pub binary: String,
    /// The levels of its parts.
    pub levels: BTreeMap<String, LogLevel>,
}

impl Control {
    /// `PUT /os-services/get-log`: of the API and the services of this process that are up.
    pub async fn log_levels(
        &self,
        context: &Context,
        query: LogQuery<'_>,
    ) -> Result<Vec<ServiceLevels>> {
        context.allow(Rule::ServicesUpdate)?;
        let log = self.inner.options.log_levels.as_ref();
        let mut levels = log.map(|log| log.levels()).unwrap_or_default();
        levels.retain(|name, _| name.starts_with(query.prefix));
        let found = self.loggers(context, query).await?;
        let with_levels = found.into_iter().map(|(host, binary)| ServiceLevels {
            host,
            binary,
            levels: levels.clone(),
        });
        Ok(with_levels.collect())
    }

    /// `PUT /os-services/set-log`: the process keeps one log, so what is set for one of its services is
    /// set for all of them.
    pub async fn set_log_level(
        &self,
        context: &Context,
        query: LogQuery<'_>,
        level: LogLevel,
    ) -> Result<()> {
        context.allow(Rule::ServicesUpdate)?;
        let found = self.loggers(context, query).await?;
        if let Some(log) = &self.inner.options.log_levels
            && !found.is_empty()
        {
            log.set(query.prefix, level);
        }
        Ok(())
    }

    /// Whom a query is about.
    async fn loggers(
        &self,
        context: &Context,
        query: LogQuery<'_>,
    ) -> Result<Vec<(HostName, String)>> {
        let here = self.inner.node_host()?;
        let node = self.inner.options.node.as_str();
        let wanted = |binary: &str| query.binary.is_none_or(|wanted| wanted == binary);
        let mut found = Vec::new();
        if wanted(API) && query.server.is_none_or(|server| server == node) {
            found.push((here, API.to_owned()));
        }
        for detail in self.all_services(context).await? {
            let service = detail.service;
            let host = service.host.to_string();
            let is_here = host.split('@').next() == Some(node);
            let is_meant = query.server.is_none_or(|server| {
                server == host || server == node || service.cluster.as_deref() == Some(server)
            });
            if detail.up && is_here && is_meant && wanted(&service.binary) {
                found.push((service.host, service.binary));
            }
        }
        Ok(found)
    }
}
