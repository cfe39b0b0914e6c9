//! `firebrick rbd mirror …`.

pub(super) mod args;
mod bootstrap;
mod doc;
mod drill;
mod group;
mod image;
pub(super) mod peer;
mod pool;
mod promote;
mod schedule;
mod snapshot;
mod status;
mod sync;
pub(super) mod text;
mod verify;
mod wait;

use firebrick_backend::Fault;
use firebrick_site::admin::{
    MirrorReply, MirrorReport, MirrorRequest, MirroredImage, ToolImage, ToolReply, ToolRequest,
};
use firebrick_vocabulary::ImageId;

use super::args::SpecArgs;
use super::error::{EINVAL, fault, refuse};
use super::site::{Rbd, confused};
use super::spec::{Spec, check_pool};
use crate::exit::Failure;
use args::{MirrorCommand, MirrorImageCommand, MirrorPoolCommand, MirrorSnapshotCommand, PoolArgs};

/// Does what the command line says.
pub(super) async fn run(rbd: Rbd, command: MirrorCommand) -> Result<(), Failure> {
    match command {
        MirrorCommand::Image(command) => of_image(rbd, command).await,
        MirrorCommand::Pool(command) => of_pool(rbd, command).await,
        MirrorCommand::Group(command) => group::run(rbd, &command).await,
        MirrorCommand::Snapshot(MirrorSnapshotCommand::Schedule(command)) => {
            schedule::run(rbd, &command).await
        }
        MirrorCommand::Verify(args) => verify::run(rbd, &args).await,
        MirrorCommand::Wait(args) => wait::wait(rbd, &args).await,
        MirrorCommand::Explain(args) => wait::explain(rbd, &args).await,
    }
}

async fn of_pool(rbd: Rbd, command: MirrorPoolCommand) -> Result<(), Failure> {
    match command {
        MirrorPoolCommand::Enable(args) => pool::enable(rbd, &args).await,
        MirrorPoolCommand::Disable(args) => pool::disable(rbd, &args).await,
        MirrorPoolCommand::Info(args) => pool::info(rbd, &args).await,
        MirrorPoolCommand::Status(args) => status::pool(rbd, &args).await,
        MirrorPoolCommand::Promote(args) => promote::pool(rbd, &args).await,
        MirrorPoolCommand::Demote(args) => promote::demote_pool(rbd, &args).await,
        MirrorPoolCommand::Peer(command) => peer::run(rbd, command).await,
        MirrorPoolCommand::Add(args) => peer::add(rbd, &args).await,
        MirrorPoolCommand::Remove(args) => peer::remove(rbd, &args).await,
    }
}

async fn of_image(rbd: Rbd, command: MirrorImageCommand) -> Result<(), Failure> {
    match command {
        MirrorImageCommand::Enable(args) => image::enable(rbd, &args).await,
        MirrorImageCommand::Disable(args) => image::disable(rbd, &args).await,
        MirrorImageCommand::Promote(args) => promote::image(rbd, &args).await,
        MirrorImageCommand::Demote(args) => promote::demote_image(rbd, &args).await,
        MirrorImageCommand::Snapshot(args) => snapshot::image(rbd, &args).await,
        MirrorImageCommand::Resync(args) => image::resync(rbd, &args).await,
        MirrorImageCommand::Status(args) => status::image(rbd, &args).await,
        MirrorImageCommand::Target(args) => image::target(rbd, &args).await,
        MirrorImageCommand::Sync(args) => sync::set(rbd, &args).await,
        MirrorImageCommand::Drill(args) => drill::image(rbd, &args).await,
    }
}

impl Rbd {
    /// Makes a call about mirroring.
    async fn mirror(&mut self, request: MirrorRequest) -> Result<MirrorReply, Fault> {
        match self.call(ToolRequest::Mirror { request }).await? {
            ToolReply::Mirror(reply) => Ok(reply),
            other => Err(confused(&other)),
        }
    }

    /// Makes a call about mirroring that answers nothing.
    async fn mirror_order(&mut self, request: MirrorRequest) -> Result<(), Fault> {
        match self.mirror(request).await? {
            MirrorReply::Done => Ok(()),
            other => Err(confused(&ToolReply::Mirror(other))),
        }
    }

    /// How mirroring goes.
    async fn report(&mut self, images: Option<Vec<ImageId>>) -> Result<MirrorReport, Failure> {
        const DOING: &str = "failed to get the status of mirroring";
        match self.mirror(MirrorRequest::Report { images }).await {
            Ok(MirrorReply::Report(report)) => Ok(report),
            Ok(other) => Err(fault(DOING, &confused(&ToolReply::Mirror(other)))),
            Err(error) => Err(fault(DOING, &error)),
        }
    }

    /// The image that a verb names.
    async fn named(&mut self, args: &SpecArgs) -> Result<ToolImage, Failure> {
        let spec = Spec::of(&self.common, args)?;
        self.open(spec.only_image()?).await
    }

    /// The image that a verb names, which must be mirrored.
    async fn mirrored(&mut self, args: &SpecArgs) -> Result<ToolImage, Failure> {
        let image = self.named(args).await?;
        if image.mirrored {
            Ok(image)
        } else {
            Err(refuse(EINVAL, "rbd: mirroring not enabled on the image"))
        }
    }

    /// How one image is mirrored, and the whole report.
    async fn one(&mut self, image: ImageId) -> Result<(MirroredImage, MirrorReport), Failure> {
        let mut report = self.report(Some(vec![image])).await?;
        match report.images.pop() {
            Some(image) => Ok((image, report)),
            None => Err(super::error::failed(
                "error opening image",
                super::error::ENOENT,
            )),
        }
    }

    /// Refuses other pools than the one there is.
    fn check_pool(&self, args: &PoolArgs) -> Result<(), Failure> {
        let pool = args.spec.as_deref().or(self.common.pool.as_deref());
        check_pool(pool.map(|pool| pool.trim_end_matches('/')))
    }
}
