//! `GET /scheduler-stats/get_pools` and `GET /capabilities/{host}`.

use axum::extract::State;
use firebrick_control::{Control, Pool, PoolQuery};
use serde_json::{Value, json};

use crate::call::{Call, Named, ok};
use crate::fault::{Answer, Fault};
use crate::microversion::Microversion;
use crate::route::{Route, get};
use crate::schema::{OBJECT, Schema, TEXT, array, object, only};

const POOLS: Schema = only(
    &["pools"],
    &[(
        "pools",
        array(
            &object(&[("name", TEXT), ("capabilities", OBJECT)])
                .required(&["name"])
                .closed(),
        ),
    )],
);

/// What operators ask about backends.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        get("/scheduler-stats/get_pools", pools)
            .answer(&POOLS)
            .rules(&["scheduler_extension:scheduler_stats:get_pools"])
            .query(&["detail", "name", "volume_type"]),
        get("/capabilities/{host}", capabilities)
            .answer(&OBJECT)
            .rules(&["volume_extension:capabilities"]),
    ]
}

/// Parameters that are no filters.
const DETAIL: &str = "detail";

/// `GET /scheduler-stats/get_pools`. Until general filters came, any capability is a filter.
async fn pools(State(control): State<Control>, call: Call) -> Answer {
    let detail = call.query.flag(DETAIL)?;
    let (mut name, mut volume_type, mut capabilities) = (None, None, Vec::new());
    let asked = call.query.pairs().filter(|(key, _)| *key != DETAIL);
    for (key, value) in asked.filter(|_| call.at(Microversion::POOL_FILTERS)) {
        match key {
            "name" => name = Some(value),
            "volume_type" if call.at(Microversion::POOL_TYPE_FILTER) => volume_type = Some(value),
            "volume_type" => {}
            other if call.at(Microversion::CHECKED_FILTERS) => {
                let other: String = other.chars().take(64).collect();
                let why = format!("Invalid filters {other} are found in query options.");
                return Err(Fault::bad_request(why));
            }
            other => capabilities.push((other, value)),
        }
    }
    let wanted = PoolQuery {
        name,
        volume_type,
        capabilities: &capabilities,
    };
    let pools = control.pools(&call.context, wanted).await?;
    let items: Vec<Value> = pools.iter().map(|pool| shown(pool, detail)).collect();
    ok(json!({ "pools": items }))
}

fn shown(pool: &Pool, detail: bool) -> Value {
    if detail {
        json!({ "name": &pool.name, "capabilities": &pool.capabilities })
    } else {
        json!({ "name": &pool.name })
    }
}

/// `GET /capabilities/{host}`.
async fn capabilities(
    State(control): State<Control>,
    Named(host): Named<String>,
    call: Call,
) -> Answer {
    ok(control.capabilities(&call.context, &host)?)
}
