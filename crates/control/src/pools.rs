//! Pools: what the scheduler and operators see of the backends.

use firebrick_db::Service;
use firebrick_policy::Rule;
use firebrick_scheduler::{Capability, PoolState};
use firebrick_vocabulary::{Bytes, GIB, Lag};
use serde_json::{Value, json};

use crate::control::{Control, Inner, VOLUME};
use crate::error::{Error, ErrorKind, Result};
use crate::options::{BackendOptions, POOL};
use crate::report::BackendView;
use crate::request::{Context, Object, Pool};

fn gigabytes(bytes: Bytes) -> f64 {
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
                pools.push(self.pool_state(backend, &service, &view));
            }
        }
        Ok(pools)
    }

    /// Whether some backend has not answered when it was last looked at, or never was.
    pub(crate) fn awaits_backend(&self) -> bool {
        let views = self.views.read();
        let silent = |backend: &BackendOptions| {
            let view = views.get(&backend.name);
            view.is_none_or(|view| view.why_down.is_some())
        };
        self.options.backends.iter().any(silent)
    }

    fn pool_state(
        &self,
        backend: &BackendOptions,
        service: &Service,
        view: &BackendView,
    ) -> PoolState {
        let closed = if service.frozen {
            Some("the backend is frozen".to_owned())
        } else if service.disabled {
            let reason = service
                .disabled_reason
                .as_deref()
                .unwrap_or("no reason given");
            Some(format!("the service is disabled ({reason})"))
        } else {
            view.why_down
                .as_ref()
                .map(|why| format!("the backend does not answer ({why})"))
        };
        let space = view.space;
        let capabilities = capabilities(backend, view)
            .into_iter()
            .filter_map(|(key, value)| Some((key, capability(&value)?)));
        PoolState {
            host: self.host_of(backend).with_pool(POOL),
            availability_zone: service.availability_zone.clone(),
            closed,
            total: space.map_or(0.0, |space| gigabytes(space.total)),
            free: space.map_or(0.0, |space| gigabytes(space.free)),
            provisioned: space.map_or(0.0, |space| gigabytes(space.provisioned)),
            reserved_percentage: backend.reserved_percentage,
            max_over_subscription_ratio: backend.max_over_subscription_ratio,
            thin: view.capabilities.thin_provisioning,
            capabilities: capabilities.collect(),
        }
    }
}

impl Control {
    /// `GET /scheduler-stats/get_pools`.
    pub async fn pools(&self, context: &Context) -> Result<Vec<Pool>> {
        context.allow(Rule::GetPools)?;
        let mut pools = Vec::new();
        for backend in &self.inner.options.backends {
            let view = self.inner.views.read().get(&backend.name).cloned();
            if let Some(view) = view {
                let name = self.inner.host_of(backend).with_pool(POOL).to_string();
                let service = self.inner.service_of(&self.inner.host_of(backend)).await?;
                let mut capabilities = capabilities(backend, &view);
                let active = service.active_backend_id;
                capabilities.insert("active_backend_id".to_owned(), json!(active));
                pools.push(Pool { name, capabilities });
            }
        }
        Ok(pools)
    }

    /// `GET /capabilities/{host}`: what extra specs can ask of a backend.
    pub fn capabilities(&self, context: &Context, host: &str) -> Result<Object> {
        context.allow(Rule::Capabilities)?;
        let missing = || Error::no_service(VOLUME, host);
        let name = host.parse().map_err(|_| missing())?;
        let backend = self.inner.backend_of(&name).map_err(|_| missing())?;
        let view = self.inner.views.read().get(&backend.name).cloned();
        let Some(view) = view else {
            let why = format!("The backend of {host} has not answered yet.");
            return Err(Error::new(ErrorKind::Unavailable, why));
        };
        let offered = &view.capabilities;
        let property = |title: &str, description: &str| json!({ "title": title, "description": description, "type": "boolean" });
        let value = json!({
            "namespace": format!("OS::Storage::Capabilities::{host}"),
            "vendor_name": "Firebrick",
            "volume_backend_name": backend.volume_backend_name,
            "pool_name": POOL,
            "driver_version": env!("CARGO_PKG_VERSION"),
            "storage_protocol": offered.storage_protocol,
            "display_name": backend.volume_backend_name,
            "description": "Log-structured images, mirrored to another site",
            "visibility": "public",
            "replication_targets": target_names(backend),
            "properties": {
                "thin_provisioning": property("Thin Provisioning", "Sets thin provisioning."),
                "replication_enabled": property("Replication", "Enables replication."),
                "compression": property("Compression", "Enables compression."),
                "qos": property("QoS", "Enables QoS."),
            },
        });
        match value {
            Value::Object(object) => Ok(object),
            _ => Ok(Object::new()),
        }
    }
}

fn target_names(backend: &BackendOptions) -> Vec<String> {
    backend
        .targets
        .iter()
        .map(|(name, _)| name.clone())
        .collect()
}

/// What Cinder shows of a pool, and how far its mirror is behind.
fn capabilities(backend: &BackendOptions, view: &BackendView) -> Object {
    let offered = &view.capabilities;
    let replicated = offered.mirroring && !backend.targets.is_empty();
    let space = view.space;
    let size = |pick: fn(&firebrick_backend::SpaceStats) -> Bytes| {
        space
            .as_ref()
            .map_or(json!("unknown"), |space| json!(gigabytes(pick(space))))
    };
    let lag = view
        .peers
        .iter()
        .map(|peer| peer.lag)
        .max_by(|a, b| a.seconds.total_cmp(&b.seconds));
    let lag = lag.unwrap_or(Lag::NONE);
    let value = json!({
        "volume_backend_name": backend.volume_backend_name,
        "vendor_name": "Firebrick",
        "driver_version": env!("CARGO_PKG_VERSION"),
        "storage_protocol": offered.storage_protocol,
        "pool_name": POOL,
        "total_capacity_gb": size(|space| space.total),
        "free_capacity_gb": size(|space| space.free),
        "allocated_capacity_gb": size(|space| space.provisioned),
        "provisioned_capacity_gb": size(|space| space.provisioned),
        "reclaimable_capacity_gb": size(|space| space.reclaimable),
        "reserved_percentage": backend.reserved_percentage,
        "max_over_subscription_ratio": backend.max_over_subscription_ratio.to_string(),
        "thin_provisioning_support": offered.thin_provisioning,
        "thick_provisioning_support": !offered.thin_provisioning,
        "multiattach": offered.multiattach,
        "online_extend_support": offered.online_extend,
        "QoS_support": true,
        "filter_function": null,
        "goodness_function": null,
        "location_info": null,
        "backend_state": if view.why_down.is_none() { "up" } else { "down" },
        "backend_state_reason": view.why_down,
        "timestamp": timestamp(view.seen),
        "replication_enabled": replicated,
        "replication_type": if replicated { vec!["async"] } else { vec![] },
        "replication_count": backend.targets.len(),
        "replication_targets": target_names(backend),
        "replication_lag_seconds": lag.seconds,
        "replication_lag_bytes": lag.bytes.0,
        "replication_lag_records": lag.records,
        "replication_connected": view.peers.iter().any(|peer| peer.reading),
    });
    match value {
        Value::Object(object) => object,
        _ => Object::new(),
    }
}

fn timestamp(time: time::OffsetDateTime) -> String {
    let format = time::macros::format_description!(
        "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]"
    );
    time.format(format).unwrap_or_default()
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
        Value::Null | Value::Object(_) => None,
    }
}
