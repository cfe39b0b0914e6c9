//! `firebrick rbd journal …`.

mod act;
pub(in crate::cli::rbd) mod args;
mod entries;
pub(in crate::cli::rbd) mod event;
pub(in crate::cli::rbd) mod export;
mod import;
mod inspect;
mod look;
pub(in crate::cli::rbd) mod stream;
mod target;

use firebrick_site::admin::{JournalReply, JournalRequest, ToolReply, ToolRequest};

use super::error::{ENOENT, failed, fault};
use super::site::{Rbd, confused};
use crate::exit::Failure;
use crate::printer::Printer;
use args::{ClientCommand, DisconnectArgs, JournalCommand, ResetArgs};
use target::Target;

/// Does what the command line says.
pub(super) async fn run(rbd: Rbd, command: &JournalCommand) -> Result<(), Failure> {
    match command {
        JournalCommand::Info(args) => look::info(rbd, args).await,
        JournalCommand::Status(args) => look::status(rbd, args).await,
        JournalCommand::Inspect(args) => inspect::run(rbd, args).await,
        JournalCommand::Export(args) => export::run(rbd, args).await,
        JournalCommand::Import(args) => import::run(rbd, args).await,
        JournalCommand::Reset(args) => reset(rbd, args).await,
        JournalCommand::Client(ClientCommand::Disconnect(args)) => disconnect(rbd, args).await,
    }
}

/// `rbd journal reset`
async fn reset(mut rbd: Rbd, args: &ResetArgs) -> Result<(), Failure> {
    const DOING: &str = "journal reset";
    let target = Target::of(&mut rbd, &args.journal).await?;
    let request = JournalRequest::Reset {
        images: target.ids(),
        force: args.force,
    };
    match rbd.journal(request, DOING).await? {
        JournalReply::Done => Ok(()),
        other => Err(fault(DOING, &confused(&ToolReply::Journal(other)))),
    }
}

/// `rbd journal client disconnect`
async fn disconnect(mut rbd: Rbd, args: &DisconnectArgs) -> Result<(), Failure> {
    const DOING: &str = "journal client disconnect";
    let target = Target::of(&mut rbd, &args.journal).await?;
    let request = JournalRequest::Disconnect {
        images: target.ids(),
        client: args.client_id.clone(),
    };
    let gone = match rbd.journal(request, DOING).await? {
        JournalReply::Disconnected(gone) => gone,
        other => return Err(fault(DOING, &confused(&ToolReply::Journal(other)))),
    };
    if gone.is_empty() {
        match &args.client_id {
            Some(id) => Printer::note(&format!("warning: client {id} is not registered")),
            None => Printer::note("no registered clients to disconnect"),
        }
        return Err(failed(DOING, ENOENT));
    }
    for id in gone {
        Printer::line(&format!("client {id} disconnected"));
    }
    Ok(())
}

impl Rbd {
    /// Makes a call about journals without bytes.
    async fn journal(
        &mut self,
        request: JournalRequest,
        doing: &str,
    ) -> Result<JournalReply, Failure> {
        match self.call(ToolRequest::Journal { request }).await {
            Ok(ToolReply::Journal(reply)) => Ok(reply),
            Ok(other) => Err(fault(doing, &confused(&other))),
            Err(error) => Err(fault(doing, &error)),
        }
    }
}
