//! What operators see of the pools: `get_pools` and `capabilities`.

use firebrick_backend::SpaceStats;
use firebrick_policy::Rule;
use firebrick_scheduler::{Function, Ratio};
use firebrick_vocabulary::{Bytes, HostName, Lag};
use serde_json::{Value, json};

use crate::control::{Control, VOLUME};
use crate::error::{Error, ErrorKind, Result};
use crate::group_type::{REPLICATES, REPLICATES_AT_ONCE};
use crate::options::{BackendOptions, POOL};
use crate::place::of_type;
use crate::pools::{Placed, gigabytes};
use crate::report::BackendView;
use crate::request::{Context, Object, Pool, PoolQuery};
use crate::types::look::by_id_or_name;

const VENDOR: &str = "Firebrick";

impl Control {
    /// `GET /scheduler-stats/get_pools`: those that have all the `wanted` capabilities (or that `name`),
    /// and that would take a volume of that type, were there room.
    pub async fn pools(&self, context: &Context, wanted: PoolQuery<'_>) -> Result<Vec<Pool>> {
        context.allow(Rule::GetPools)?;
        let inner = &self.inner;
        let fitting = match wanted.volume_type {
            Some(text) => Some(self.taking(text).await?),
            None => None,
        };
        let mut pools = Vec::new();
        for backend in &inner.options.backends {
            let view = inner.views.read().get(&backend.name).cloned();
            let Some(view) = view else { continue };
            let host = inner.host_of(backend).with_pool(POOL);
            if fitting
                .as_ref()
                .is_some_and(|fitting| !fitting.contains(&host))
            {
                continue;
            }
            let service = inner.service_of(&host).await?;
            let placed = inner.count(&host).await?;
            let mut capabilities = capabilities(backend, &view, placed);
            let active = service.active_backend_id;
            capabilities.insert("active_backend_id".to_owned(), json!(active));
            let name = host.to_string();
            if wanted.fits(&name, &capabilities) {
                pools.push(Pool { name, capabilities });
            }
        }
        Ok(pools)
    }

    /// The pools that would take a volume of that type.
    async fn taking(&self, text: &str) -> Result<Vec<HostName>> {
        let inner = &self.inner;
        let kind = by_id_or_name(&mut *inner.db.read().await?, text).await?;
        let kind = kind.ok_or_else(|| {
            let message = format!("Volume type {text} could not be found.");
            Error::new(ErrorKind::NotFound, message)
        })?;
        let request = of_type(kind.extra_specs);
        let scheduler = &inner.options.scheduler;
        let mut pools = inner.pool_states().await?;
        pools.retain(|pool| scheduler.refused(&request, pool).is_none());
        Ok(pools.into_iter().map(|pool| pool.host).collect())
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
            "vendor_name": VENDOR,
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

/// What Cinder shows of a pool, why it is down, and how far its mirror is behind.
pub(crate) fn capabilities(backend: &BackendOptions, view: &BackendView, placed: Placed) -> Object {
    let value = [
        described(backend, view),
        measured(backend, view, placed),
        replication(backend, view),
        liveliness(view),
    ];
    let objects = value.into_iter().filter_map(|part| match part {
        Value::Object(object) => Some(object),
        _ => None,
    });
    objects.flatten().collect()
}

fn described(backend: &BackendOptions, view: &BackendView) -> Value {
    let offered = &view.capabilities;
    let text = |function: &Option<Function>| function.as_ref().map(|it| it.text().to_owned());
    json!({
        "volume_backend_name": backend.volume_backend_name,
        "vendor_name": VENDOR,
        "driver_version": env!("CARGO_PKG_VERSION"),
        "storage_protocol": offered.storage_protocol,
        "pool_name": POOL,
        "thin_provisioning_support": offered.thin_provisioning,
        "thick_provisioning_support": !offered.thin_provisioning,
        "multiattach": offered.multiattach,
        "online_extend_support": offered.online_extend,
        "consistent_group_snapshot_enabled": offered.consistent_groups,
        "QoS_support": true,
        "filter_function": text(&backend.filter_function),
        "goodness_function": text(&backend.goodness_function),
        "location_info": null,
    })
}

fn measured(backend: &BackendOptions, view: &BackendView, placed: Placed) -> Value {
    let size = |pick: fn(&SpaceStats) -> Bytes| {
        let space = view.space.as_ref();
        space.map_or(json!("unknown"), |space| json!(gigabytes(pick(space))))
    };
    let ratio = match backend.max_over_subscription_ratio {
        Ratio::Fixed(ratio) => ratio.to_string(),
        Ratio::Auto => "auto".to_owned(),
    };
    json!({
        "total_capacity_gb": size(|space| space.total),
        "free_capacity_gb": size(|space| space.free),
        "allocated_capacity_gb": placed.gigabytes,
        "provisioned_capacity_gb": size(|space| space.provisioned),
        "reclaimable_capacity_gb": size(|space| space.reclaimable),
        "total_volumes": placed.volumes,
        "reserved_percentage": backend.reserved_percentage,
        "max_over_subscription_ratio": ratio,
    })
}

fn replication(backend: &BackendOptions, view: &BackendView) -> Value {
    let replicated = view.capabilities.mirroring && !backend.targets.is_empty();
    let lag = view
        .peers
        .iter()
        .map(|peer| peer.lag)
        .max_by(|a, b| a.seconds.total_cmp(&b.seconds));
    let lag = lag.unwrap_or(Lag::NONE);
    let types: &[&str] = match (replicated, view.capabilities.synchronous) {
        (true, true) => &["async", "sync"],
        (true, false) => &["async"],
        (false, _) => &[],
    };
    let modes = view.capabilities.mirror_modes.iter();
    let modes = modes.filter(|_| replicated).map(|mode| mode.as_str());
    json!({
        "replication_enabled": replicated,
        REPLICATES: replicated,
        REPLICATES_AT_ONCE: replicated && view.capabilities.consistent_groups,
        "replication_type": types,
        "replication_mode": modes.collect::<Vec<_>>(),
        "replication_count": backend.targets.len(),
        "replication_targets": target_names(backend),
        "replication_lag_seconds": lag.seconds,
        "replication_lag_bytes": lag.bytes.0,
        "replication_lag_records": lag.records,
        "replication_connected": view.peers.iter().any(|peer| peer.reading),
    })
}

/// Whether it answers; if not, why, since when, and how often it was asked in vain.
fn liveliness(view: &BackendView) -> Value {
    let down = view.down.as_ref();
    json!({
        "backend_state": if down.is_none() { "up" } else { "down" },
        "backend_state_reason": down.map(|down| &down.why),
        "backend_state_since": down.map(|down| timestamp(down.since)),
        "backend_retries": down.map_or(0, |down| down.retries),
        "backend_last_ok": view.last_ok.map(timestamp),
        "timestamp": timestamp(view.seen),
    })
}

fn timestamp(time: time::OffsetDateTime) -> String {
    let format = time::macros::format_description!(
        "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]"
    );
    time.format(format).unwrap_or_default()
}
