//! `PUT /os-services/freeze`, `thaw`, `failover_host` and, from 3.26, `failover`.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use firebrick_control::{Control, Error, ErrorKind};

use crate::body::{Body, Fields};
use crate::call::{Call, empty};
use crate::fault::{Answer, Fault};
use crate::microversion::{self, Microversion};

/// `host` in a body.
pub(super) fn host(fields: &Fields<'_>) -> Result<Option<String>, Fault> {
    Ok(fields.text_or_null("host", 1)?.flatten())
}

/// The host that a body names. Clusters, which it could name instead, are not here.
fn target(fields: &Fields<'_>) -> Result<String, Fault> {
    let cluster = fields.text_or_null("cluster", 0)?.flatten();
    match (host(fields)?, cluster) {
        (Some(host), None) => Ok(host),
        (None, Some(cluster)) => Err(Fault::bad_request(format!(
            "No service found with cluster={cluster}"
        ))),
        (None, None) | (Some(_), Some(_)) => Err(Fault::invalid_input(
            "One and only one of cluster and host must be set.",
        )),
    }
}

/// A host that is not there is a wrong value here, not a wrong address.
fn of_host(host: &str) -> impl FnOnce(Error) -> Fault {
    move |error| match error.kind {
        ErrorKind::NotFound => Fault::bad_request(format!("No service found with host={host}")),
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
    let host = target(&fields)?;
    control
        .freeze(&call.context, &host)
        .await
        .map_err(of_host(&host))?;
    empty(StatusCode::OK)
}

/// `PUT …/thaw`.
pub(crate) async fn thaw(State(control): State<Control>, call: Call, body: Body) -> Answer {
    let fields = body.root()?;
    let host = target(&fields)?;
    control
        .thaw(&call.context, &host)
        .await
        .map_err(of_host(&host))?;
    empty(StatusCode::OK)
}

/// `PUT …/failover_host`.
pub(crate) async fn failover_host(
    State(control): State<Control>,
    call: Call,
    body: Body,
) -> Answer {
    let fields = body.root()?;
    let host = target(&fields)?;
    let to = fields
        .text_or_null("backend_id", 0)?
        .flatten()
        .filter(|id| !id.is_empty());
    control
        .failover(&call.context, &host, to.as_deref())
        .await
        .map_err(of_host(&host))?;
    empty(StatusCode::ACCEPTED)
}

/// `PUT …/failover`: the same under a newer name. The openstack client asks for it without a
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
