//! Services: what operators look at and switch.

mod levels;
mod list;
mod replication;
mod switch;

use crate::microversion::Microversion as V;
use crate::route::{Route, get, put};
use crate::schema::services::{DISABLE, FAILOVER, FREEZE, GET_LOG, SET_LOG, SWITCH};
use crate::view::{failover, service as view};

/// Everything below `/os-services`.
pub(crate) fn routes() -> Vec<Route> {
    const UPDATE: &[&str] = &["volume_extension:services:update"];
    vec![
        get("/os-services", list::list)
            .answer(&view::LIST)
            .rules(&["volume_extension:services:index"])
            .query(&["binary", "service", "host"]),
        put("/os-services/enable", switch::enable)
            .answer(&view::SWITCHED)
            .rules(UPDATE)
            .body(SWITCH),
        put("/os-services/disable", switch::disable)
            .answer(&view::SWITCHED)
            .rules(UPDATE)
            .body(SWITCH),
        put(
            "/os-services/disable-log-reason",
            switch::disable_with_reason,
        )
        .answer(&view::SWITCHED)
        .rules(UPDATE)
        .body(DISABLE),
        put("/os-services/get-log", levels::get)
            .since(V::LOG_LEVELS)
            .answer(&view::LEVELS)
            .rules(UPDATE)
            .body(GET_LOG),
        put("/os-services/set-log", levels::set)
            .since(V::LOG_LEVELS)
            .rules(UPDATE)
            .body(SET_LOG)
            .ok(202),
        put("/os-services/freeze", replication::freeze)
            .rules(&["volume:freeze_host"])
            .body(FREEZE),
        put("/os-services/thaw", replication::thaw)
            .rules(&["volume:thaw_host"])
            .body(FREEZE),
        put("/os-services/failover_host", replication::failover_host)
            .rules(&["volume:failover_host"])
            .body(FAILOVER)
            .ok(202),
        // Known from 3.26 on, but see the handler.
        put("/os-services/failover", replication::failover)
            .rules(&["volume:failover_host"])
            .body(FAILOVER)
            .ok(202),
        // Not Cinder's: every version has them.
        put("/os-services/failover-check", replication::failover_check)
            .answer(&failover::CHECKS)
            .rules(&["volume:failover_host"])
            .body(FAILOVER),
        put(
            "/os-services/reset-active-backend",
            replication::reset_active_backend,
        )
        .rules(&["firebrick:service:reset_active_backend"])
        .body(FREEZE),
    ]
}
