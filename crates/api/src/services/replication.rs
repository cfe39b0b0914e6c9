//! `PUT /os-services/freeze`, `thaw`, `failover_host`, `failover-check`, `reset-active-backend`
//! and, from 3.26, `failover`.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use firebrick_control::{Control, Error, ErrorKind};
use firebrick_policy::Rule;

use crate::body::{Body, Fields};
use crate::call::{Call, empty, ok};
use crate::fault::{Answer, Fault};
use crate::microversion::{self, Microversion};
use crate::view::one;

/// `host` in a body.
pub(super) fn host(fields: &Fields<'_>) -> Result<Option<String>, Fault> {
    Ok(fields.text_or_null("host", 1)?.flatten())
}

/// The host that a body means: one, or from 3.26 on what stands for a cluster.
async fn target(
    control: &Control,
    call: &Call,
    rule: Rule,
    fields: &Fields<'_>,
) -> Result<String, Fault> {
    let clustered = call.at(Microversion::FAILOVER);
    let cluster = fields.text_or_null("cluster", 0)?.flatten();
    let cluster = cluster.filter(|name| clustered && !name.is_empty());
    match (host(fields)?, cluster) {
        (Some(host), None) => Ok(host),
        (None, Some(cluster)) => {
            let host = control.host_of_cluster(&call.context, rule, &cluster).await;
            host.map_err(missing("cluster", &cluster))
        }
        (None, None) | (Some(_), Some(_)) => Err(Fault::invalid_input(if clustered {
            "One and only one of cluster and host must be set."
        } else {
            "Host field is missing."
        })),
    }
}

/// A host that is not there is a wrong value here, not a wrong address.
fn missing(what: &str, name: &str) -> impl FnOnce(Error) -> Fault {
    move |error| match error.kind {
        ErrorKind::NotFound => Fault::bad_request(format!("No service found with {what}={name}")),
        ErrorKind::Invalid
        | ErrorKind::Conflict
        | ErrorKind::OverQuota
        | ErrorKind::Forbidden
        | ErrorKind::Unavailable
        | ErrorKind::Internal => error.into(),
    }
}

/// `PUT …/freeze`.
pub(crate) async fn freeze(State(control): State<Control>, call: Call, body: Body) -> Answer {
    let fields = body.root()?;
    let host = target(&control, &call, Rule::VolumeFreezeHost, &fields).await?;
    let done = control.freeze(&call.context, &host).await;
    done.map_err(missing("host", &host))?;
    empty(StatusCode::OK)
}

/// `PUT …/thaw`.
pub(crate) async fn thaw(State(control): State<Control>, call: Call, body: Body) -> Answer {
    let fields = body.root()?;
    let host = target(&control, &call, Rule::VolumeThawHost, &fields).await?;
    let done = control.thaw(&call.context, &host).await;
    done.map_err(missing("host", &host))?;
    empty(StatusCode::OK)
}

/// `backend_id` in a body; an empty one is none, as clients send it.
fn backend_id(fields: &Fields<'_>) -> Result<Option<String>, Fault> {
    let named = fields.text_or_null("backend_id", 0)?.flatten();
    Ok(named.filter(|id| !id.is_empty()))
}

/// `PUT …/failover_host`.
pub(crate) async fn failover_host(
    State(control): State<Control>,
    call: Call,
    body: Body,
) -> Answer {
    let fields = body.root()?;
    let to = backend_id(&fields)?;
    let host = target(&control, &call, Rule::VolumeFailoverHost, &fields).await?;
    let begun = control.failover(&call.context, &host, to.as_deref()).await;
    begun.map_err(missing("host", &host))?;
    empty(StatusCode::ACCEPTED)
}

/// `PUT …/reset-active-backend`: the site that serves does so for good.
pub(crate) async fn reset_active_backend(
    State(control): State<Control>,
    call: Call,
    body: Body,
) -> Answer {
    let fields = body.root()?;
    let rule = Rule::FirebrickServiceResetActiveBackend;
    let host = target(&control, &call, rule, &fields).await?;
    let done = control.reset_active_backend(&call.context, &host).await;
    done.map_err(missing("host", &host))?;
    empty(StatusCode::OK)
}

/// `PUT …/failover-check`: what `failover` with the same body would do now.
pub(crate) async fn failover_check(
    State(control): State<Control>,
    call: Call,
    body: Body,
) -> Answer {
    let fields = body.root()?;
    let to = backend_id(&fields)?;
    let host = target(&control, &call, Rule::VolumeFailoverHost, &fields).await?;
    let checked = control.check_failover(&call.context, &host, to.as_deref());
    let report = checked.await.map_err(missing("host", &host))?;
    ok(one("failover_checks", [report]))
}

/// `PUT …/failover`: `failover_host` under a newer name. The openstack client asks for it without a
/// version, and a disaster is no time to teach it: only who names an older version is refused.
pub(crate) async fn failover(
    control: State<Control>,
    headers: HeaderMap,
    call: Call,
    body: Body,
) -> Answer {
    if headers.contains_key(microversion::HEADER) {
        call.since(Microversion::FAILOVER)?;
    }
    failover_host(control, call, body).await
}
