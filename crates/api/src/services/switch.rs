//! `PUT /os-services/enable`, `disable` and `disable-log-reason`.

use axum::extract::State;
use firebrick_control::Control;

use super::replication::host;
use crate::body::{Body, Fields};
use crate::call::{Call, ok};
use crate::fault::{Answer, Fault};
use crate::view::service::switched;

/// Which service a body names.
struct Target {
    host: String,
    binary: String,
    /// The older name of `binary`, sent back as it came.
    service: String,
}

impl Target {
    fn read(fields: &Fields<'_>) -> Result<Self, Fault> {
        let host = host(fields)?;
        let host = host.ok_or_else(|| Fault::invalid_input("Host field is missing."))?;
        let service = fields.text("service", 1)?.unwrap_or_default();
        let binary = fields.text("binary", 1)?.unwrap_or_else(|| service.clone());
        Ok(Self {
            host,
            binary,
            service,
        })
    }
}

/// `PUT …/enable`.
pub(crate) async fn enable(State(control): State<Control>, call: Call, body: Body) -> Answer {
    let fields = body.root()?;
    let target = Target::read(&fields)?;
    let detail = control
        .enable_service(&call.context, &target.binary, &target.host)
        .await?;
    ok(switched(&detail, &target.service, false))
}

/// `PUT …/disable`.
pub(crate) async fn disable(State(control): State<Control>, call: Call, body: Body) -> Answer {
    let fields = body.root()?;
    let Target {
        host,
        binary,
        service,
    } = Target::read(&fields)?;
    let detail = control
        .disable_service(&call.context, &binary, &host, None)
        .await?;
    ok(switched(&detail, &service, false))
}

/// `PUT …/disable-log-reason`.
pub(crate) async fn disable_with_reason(
    State(control): State<Control>,
    call: Call,
    body: Body,
) -> Answer {
    let fields = body.root()?;
    let reason = fields.text("disabled_reason", 1)?;
    let Target {
        host,
        binary,
        service,
    } = Target::read(&fields)?;
    let detail = control
        .disable_service(&call.context, &binary, &host, reason.as_deref())
        .await?;
    ok(switched(&detail, &service, true))
}
