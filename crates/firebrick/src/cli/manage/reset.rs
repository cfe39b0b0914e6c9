//! `firebrick manage reset-active-backend`.

use firebrick_policy::Rule;

use super::args::HostArgs;
use super::{Desk, failed};
use crate::exit::Failure;
use crate::printer::Printer;

const DOING: &str = "reset the active backend";

pub(super) async fn run(desk: &Desk, asked: HostArgs) -> Result<(), Failure> {
    let Desk { control, context } = desk;
    let host = match (asked.host, asked.cluster) {
        (Some(host), _) => host,
        (None, Some(cluster)) => {
            let rule = Rule::FirebrickServiceResetActiveBackend;
            let host = control.host_of_cluster(context, rule, &cluster).await;
            host.map_err(failed(DOING))?
        }
        (None, None) => return Err(Failure::Usage("no host is named".to_owned())),
    };
    let done = control.reset_active_backend(context, &host).await;
    done.map_err(failed(DOING))?;
    Printer::line(&format!("{host}: the site of its configuration serves it"));
    Ok(())
}
