//! `GET /scheduler-stats/get_pools` and `GET /capabilities/{host}`.

use axum::extract::State;
use firebrick_control::{Control, Pool};
use serde_json::{Value, json};

use crate::call::{Call, Named, ok};
use crate::fault::Answer;
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
            .query(&["detail", "name"]),
        get("/capabilities/{host}", capabilities)
            .answer(&OBJECT)
            .rules(&["volume_extension:capabilities"]),
    ]
}

/// `GET /scheduler-stats/get_pools`.
async fn pools(State(control): State<Control>, call: Call) -> Answer {
    let detail = call.query.flag("detail")?;
    let name = call
        .query
        .get("name")
        .filter(|_| call.at(Microversion::POOL_FILTERS));
    let mut pools = control.pools(&call.context).await?;
    pools.retain(|pool| name.is_none_or(|name| pool.name == name));
    let items: Vec<Value> = pools.into_iter().map(|pool| shown(&pool, detail)).collect();
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
