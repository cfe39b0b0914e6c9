//! `rbd journal info`, `status`.

use firebrick_site::admin::{JournalClient, JournalReply, JournalRequest, ToolReply};

use super::args::JournalArgs;
use super::target::Target;
use crate::cli::rbd::error::fault;
use crate::cli::rbd::show::journal::{self as show, Client, Journal, Status};
use crate::cli::rbd::site::{Rbd, confused};
use crate::exit::Failure;

/// `rbd journal info`
pub(super) async fn info(mut rbd: Rbd, args: &JournalArgs) -> Result<(), Failure> {
    let Target { id, settings, .. } = Target::of(&mut rbd, args).await?;
    let journal = Journal {
        prefix: format!("journal_data.1.{id}."),
        id,
        order: settings.order,
        splay_width: settings.splay_width,
        pool: settings.pool,
    };
    show::info(&rbd.common, &journal);
    Ok(())
}

/// `rbd journal status`
pub(super) async fn status(mut rbd: Rbd, args: &JournalArgs) -> Result<(), Failure> {
    const DOING: &str = "journal status";
    let images = Target::of(&mut rbd, args).await?.ids();
    let status = match rbd
        .journal(JournalRequest::Status { images }, DOING)
        .await?
    {
        JournalReply::Status(status) => status,
        other => return Err(fault(DOING, &confused(&ToolReply::Journal(other)))),
    };
    let client = |client: JournalClient| {
        let position = client.position.map(|(position, segment)| {
            let (tag, entry) = (position.epoch.0, position.sequence.0);
            [u64::from(segment), tag, entry]
        });
        Client {
            id: client.id,
            data: client.name.into_bytes(),
            positions: position.into_iter().collect(),
            connected: client.connected,
        }
    };
    let status = Status {
        minimum_set: status.minimum_set.into(),
        active_set: status.active_set.into(),
        clients: status.clients.into_iter().map(client).collect(),
    };
    show::status(&rbd.common, &status);
    Ok(())
}
