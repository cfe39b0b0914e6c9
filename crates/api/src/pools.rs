//! `GET /scheduler-stats/get_pools` and `GET /capabilities/{host}`.

use axum::extract::State;
use firebrick_control::{Control, Pool};
use serde_json::{Value, json};

use crate::call::{Call, Named, ok};
use crate::fault::Answer;
use crate::microversion::Microversion;

/// `GET /scheduler-stats/get_pools`.
pub(crate) async fn pools(State(control): State<Control>, call: Call) -> Answer {
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
pub(crate) async fn capabilities(
    State(control): State<Control>,
    Named(host): Named<String>,
    call: Call,
) -> Answer {
    ok(control.capabilities(&call.context, &host)?)
}
