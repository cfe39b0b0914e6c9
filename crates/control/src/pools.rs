//! Pools, as the scheduler sees them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use firebrick_db::{Column, Listing, Service, volumes};
use firebrick_scheduler::{Capability, Capacity, PoolState, variants};
use firebrick_vocabulary::{Bytes, GIB, HostName};
use serde_json::Value;

use crate::control::Inner;
use crate::error::Result;
use crate::options::{BackendOptions, POOL};
use crate::report::BackendView;
use crate::stats::capabilities;

/// How long what is placed in a pool is only added to, before its volumes are counted again.
const COUNTED_FOR: Duration = Duration::from_secs(60);

/// What this control plane has placed in a pool: its rows when they were counted, and what was placed
/// since.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed {
    pub(crate) volumes: u64,
    pub(crate) gigabytes: u64,
    counted: Instant,
}

pub(crate) fn gigabytes(bytes: Bytes) -> f64 {
    let exact = bytes.0 as f64 / GIB as f64;
    (exact * 100.0).round() / 100.0
}

impl Inner {
    /// Every pool with what closes it now.
    pub(crate) async fn pool_states(&self) -> Result<Vec<PoolState>> {
        let mut pools = Vec::new();
        for backend in &self.options.backends {
            let service = self.service_of(&self.host_of(backend)).await?;
            let view = self.views.read().get(&backend.name).cloned();
            if let Some(view) = view {
                let placed = self.placed(&self.host_of(backend).with_pool(POOL)).await?;
                let mut pool = self.pool_state(backend, &service, &view, placed);
                if pool.closed.is_none() {
                    pool.closed = self.cluster_closed(&service).await?;
                }
                pools.push(pool);
            }
        }
        Ok(pools)
    }

    /// Whether some backend has not answered when it was last looked at, or never was.
    pub(crate) fn awaits_backend(&self) -> bool {
        let views = self.views.read();
        let silent = |backend: &BackendOptions| {
            let view = views.get(&backend.name);
            view.is_none_or(|view| view.down.is_some())
        };
        self.options.backends.iter().any(silent)
    }

    /// What is placed in a pool, as far as this process knows.
    async fn placed(&self, pool: &HostName) -> Result<Placed> {
        let known = self.placed.lock().get(pool).copied();
        match known {
            Some(known) if known.counted.elapsed() < COUNTED_FOR => Ok(known),
            Some(_) | None => self.count(pool).await,
        }
    }

    /// Counts the volumes of a pool.
    pub(crate) async fn count(&self, pool: &HostName) -> Result<Placed> {
        let counted = Instant::now();
        let listing = Listing::of(Column::Host, pool);
        let (volumes, gigabytes) = volumes::total(&mut *self.db.read().await?, &listing).await?;
        let placed = Placed {
            volumes,
            gigabytes,
            counted,
        };
        self.placed.lock().insert(pool.clone(), placed);
        Ok(placed)
    }

    /// A volume goes to a pool: others that come at the same time see less room there.
    pub(crate) fn consume(&self, pool: &HostName, size: u32) {
        if let Some(placed) = self.placed.lock().get_mut(pool) {
            placed.volumes += 1;
            placed.gigabytes += u64::from(size);
        }
    }

    fn pool_state(
        &self,
        backend: &BackendOptions,
        service: &Service,
        view: &BackendView,
        placed: Placed,
    ) -> PoolState {
        let space = view.space;
        let size = |pick: fn(&firebrick_backend::SpaceStats) -> Bytes| {
            space.as_ref().map_or(Capacity::Unknown, |space| {
                Capacity::Gigabytes(gigabytes(pick(space)))
            })
        };
        let allocated = placed.gigabytes as f64;
        let reported = space.map_or(0.0, |space| gigabytes(space.provisioned));
        let mut capabilities: BTreeMap<_, _> = capabilities(backend, view, placed)
            .into_iter()
            .filter_map(|(key, value)| Some((key, capability(&value)?)))
            .collect();
        let names = variants(&view.capabilities.storage_protocol);
        if names.len() > 1 {
            capabilities.insert("storage_protocol".to_owned(), Capability::List(names));
        }
        PoolState {
            host: self.host_of(backend).with_pool(POOL),
            availability_zone: service.availability_zone.clone(),
            closed: closed(service, view),
            total: size(|space| space.total),
            free: size(|space| space.free),
            // What was placed since the backend was looked at is promised too.
            provisioned: reported.max(allocated),
            allocated,
            volumes: placed.volumes,
            reserved_percentage: backend.reserved_percentage,
            max_over_subscription_ratio: backend.max_over_subscription_ratio,
            thin: view.capabilities.thin_provisioning,
            online_extend: view.capabilities.online_extend,
            snapshot_schedules: view.capabilities.snapshot_schedules,
            filter_function: backend.filter_function.clone(),
            goodness_function: backend.goodness_function.clone(),
            capabilities,
        }
    }
}

/// Why nothing new may go to a backend.
fn closed(service: &Service, view: &BackendView) -> Option<String> {
    if service.frozen {
        return Some("the backend is frozen".to_owned());
    }
    if service.disabled {
        let reason = service.disabled_reason.as_deref();
        let reason = reason.unwrap_or("no reason given");
        return Some(format!("the service is disabled ({reason})"));
    }
    let why = view.down.as_ref().map(|down| &down.why);
    why.map(|why| format!("the backend does not answer ({why})"))
}

fn capability(value: &Value) -> Option<Capability> {
    match value {
        Value::Bool(flag) => Some(Capability::Flag(*flag)),
        Value::String(text) => Some(Capability::Text(text.clone())),
        Value::Number(number) => number.as_f64().map(Capability::Number),
        Value::Array(items) => {
            let texts = items
                .iter()
                .filter_map(|item| item.as_str().map(str::to_owned));
            Some(Capability::List(texts.collect()))
        }
        Value::Object(map) => {
            let inner = map
                .iter()
                .filter_map(|(key, value)| Some((key.clone(), capability(value)?)));
            Some(Capability::Map(inner.collect()))
        }
        Value::Null => None,
    }
}
