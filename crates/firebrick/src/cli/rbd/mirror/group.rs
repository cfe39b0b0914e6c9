//! `rbd mirror group …`: what `rbd mirror image` does to one image, for all of a group in one record.

use firebrick_site::admin::{
    GroupRequest, Loss, MirrorReport, MirrorRequest, MirrorState, MirroredImage, Target, ToolGroup,
};
use firebrick_vocabulary::{Bytes, ImageId, ImageMirrorMode, Lag, Role, counted};
use serde_json::{Value, json};

use super::args::{GroupDemoteArgs, GroupPromoteArgs, MirrorGroupCommand, MirrorSnapshotCommand};
use super::promote::{demote, promote, show};
use super::snapshot::mode;
use super::sync::{group_text, group_value};
use super::text::{
    image_text, image_value, lag_text, lag_value, loss_text, loss_value, target_text, target_value,
};
use crate::cli::rbd::args::GroupArgs;
use crate::cli::rbd::error::{EINVAL, EROFS, fault, refuse};
use crate::cli::rbd::group::Named;
use crate::cli::rbd::site::Rbd;
use crate::exit::Failure;
use crate::printer::Printer;

/// Does what the command line says.
pub(super) async fn run(rbd: Rbd, command: &MirrorGroupCommand) -> Result<(), Failure> {
    match command {
        MirrorGroupCommand::Enable(args) => enable(rbd, args).await,
        MirrorGroupCommand::Disable(args) => disable(rbd, args).await,
        MirrorGroupCommand::Promote(args) => promote_group(rbd, args).await,
        MirrorGroupCommand::Demote(args) => demote_group(rbd, args).await,
        MirrorGroupCommand::Snapshot(args) => match &args.command {
            Some(MirrorSnapshotCommand::Schedule(command)) => {
                super::schedule::run(rbd, command).await
            }
            None => super::snapshot::group(rbd, &args.group).await,
        },
        MirrorGroupCommand::Resync(args) => resync(rbd, args).await,
        MirrorGroupCommand::Status(args) => status(rbd, args).await,
        MirrorGroupCommand::Sync(args) => super::sync::set_group(rbd, args).await,
        MirrorGroupCommand::Target(args) => {
            let mut rbd = rbd;
            let group = mirrored(&mut rbd, &args.group).await?;
            if group.role != Role::Primary {
                let text = "rbd: mirrored group is not primary; set it at its primary";
                return Err(refuse(EROFS, text));
            }
            super::image::set_target(&mut rbd, group.id, args.seconds).await
        }
        MirrorGroupCommand::Drill(args) => super::drill::group(rbd, args).await,
    }
}

async fn named(rbd: &mut Rbd, args: &GroupArgs) -> Result<ToolGroup, Failure> {
    let name = Named::of(rbd, args)?.only()?;
    let doing = format!("error opening group {}", name.base());
    rbd.group(&name, &doing).await
}

/// The group that a verb names, which must be mirrored.
pub(super) async fn mirrored(rbd: &mut Rbd, args: &GroupArgs) -> Result<ToolGroup, Failure> {
    let group = named(rbd, args).await?;
    if group.mirrored {
        return Ok(group);
    }
    Err(refuse(EINVAL, "rbd: mirroring not enabled on the group"))
}

/// The images of a group, and what stands for the group itself.
fn all(group: &ToolGroup) -> Vec<ImageId> {
    let images = group.images.iter().map(|(id, _)| *id);
    images.chain([group.id]).collect()
}

/// `rbd mirror group enable`
async fn enable(mut rbd: Rbd, args: &GroupArgs) -> Result<(), Failure> {
    let mut args = args.clone();
    let wanted = mode(&mut args.words, args.group.is_some())?;
    let group = named(&mut rbd, &args).await?;
    let mode = wanted.unwrap_or(if group.mirrored {
        group.mode
    } else {
        ImageMirrorMode::Journal
    });
    let what = GroupRequest::Mirror { mode: Some(mode) };
    rbd.alter(group.name, what, "failed to enable mirroring")
        .await?;
    Printer::line("Mirroring enabled");
    Ok(())
}

/// `rbd mirror group disable`
async fn disable(mut rbd: Rbd, args: &GroupArgs) -> Result<(), Failure> {
    let group = mirrored(&mut rbd, args).await?;
    if group.role != Role::Primary {
        let text =
            "rbd: mirrored group is not primary; disable it at its primary, or promote it here";
        return Err(refuse(EROFS, text));
    }
    let what = GroupRequest::Mirror { mode: None };
    rbd.alter(group.name, what, "failed to disable mirroring")
        .await?;
    Printer::line("Mirroring disabled");
    Ok(())
}

/// `rbd mirror group promote`
async fn promote_group(mut rbd: Rbd, args: &GroupPromoteArgs) -> Result<(), Failure> {
    let group = mirrored(&mut rbd, &args.group).await?;
    if group.role == Role::Primary && !args.how.force {
        let text = "group is already primary\nrbd: error promoting group to primary";
        return Err(refuse(EINVAL, text));
    }
    let mut promoted = promote(&mut rbd, all(&group), &args.how).await?;
    if args.how.dry_run {
        // What stands for the group loses nothing that anybody would miss.
        promoted.retain(|image| image.id != group.id);
        show(&rbd, &promoted);
        return Ok(());
    }
    Printer::line("Group promoted to primary");
    Ok(())
}

/// `rbd mirror group demote`
async fn demote_group(mut rbd: Rbd, args: &GroupDemoteArgs) -> Result<(), Failure> {
    let group = mirrored(&mut rbd, &args.group).await?;
    if group.role != Role::Primary {
        let text = "group is not primary\nrbd: error demoting group to non-primary";
        return Err(refuse(EINVAL, text));
    }
    demote(&mut rbd, all(&group), &args.how).await?;
    Printer::line("Group demoted to non-primary");
    Ok(())
}

/// `rbd mirror group resync`
async fn resync(mut rbd: Rbd, args: &GroupArgs) -> Result<(), Failure> {
    let group = mirrored(&mut rbd, args).await?;
    if group.role == Role::Primary {
        return Err(refuse(
            EINVAL,
            "rbd: group is primary, cannot resync to itself",
        ));
    }
    let images = group.images.iter().map(|(id, _)| *id).collect();
    let flagged = rbd.mirror_order(MirrorRequest::Resync { images }).await;
    flagged.map_err(|error| fault("error flagging group resync", &error))?;
    Printer::line("Flagged group for resync from primary");
    Ok(())
}

/// `rbd mirror group status`
async fn status(mut rbd: Rbd, args: &GroupArgs) -> Result<(), Failure> {
    let group = mirrored(&mut rbd, args).await?;
    let report = rbd.report(Some(all(&group))).await?;
    let status = Status::of(&group, &report);
    if rbd.structured() {
        rbd.print_value("group", &status.value(&report));
    } else {
        Printer::line(&status.text(&report));
    }
    Ok(())
}

/// How a group is mirrored: as the worst off of its images is.
struct Status<'a> {
    group: &'a ToolGroup,
    state: MirrorState,
    lag: Option<Lag>,
    safe: bool,
    loss: Option<Loss>,
    images: Vec<&'a MirroredImage>,
    itself: Option<&'a MirroredImage>,
}

impl<'a> Status<'a> {
    fn of(group: &'a ToolGroup, report: &'a MirrorReport) -> Self {
        let (itself, images): (Vec<_>, Vec<_>) =
            report.images.iter().partition(|image| image.id == group.id);
        let every = || images.iter().chain(&itself);
        Self {
            group,
            state: every()
                .map(|image| image.state)
                .max()
                .unwrap_or(MirrorState::Unknown),
            lag: every().map(|image| image.lag).reduce(worse_lag).flatten(),
            safe: every().all(|image| image.safe_to_promote),
            loss: every().map(|image| image.loss).reduce(worse_loss).flatten(),
            itself: itself.first().copied(),
            images,
        }
    }

    fn description(&self) -> String {
        match self.state {
            MirrorState::Stopped => "local group is primary".to_owned(),
            state => {
                let many = counted(self.images.len() as u64, "image");
                format!("{} of {many}", state.as_str())
            }
        }
    }

    /// That of the group, and since when one of its images misses its own.
    fn target(&self) -> Option<Target> {
        let breached = self.images.iter().filter_map(|image| image.target);
        Some(Target {
            seconds: self.itself?.target?.seconds,
            breached_since: breached.filter_map(|target| target.breached_since).min(),
        })
    }

    fn value(&self, report: &MirrorReport) -> Value {
        let images = self.images.iter().map(|image| image_value(report, image));
        let own = self.itself.map(|itself| image_value(report, itself));
        let own = own.unwrap_or_default();
        let mut value = json!({
            "name": self.group.name,
            "global_id": self.group.id,
            "state": format!("up+{}", self.state.as_str()),
            "description": self.description(),
            "daemon_service": own["daemon_service"],
            "last_update": own["last_update"],
            "role": self.group.role.to_string(),
            "epoch": own["epoch"],
            "position": own["position"],
            "lag": lag_value(self.lag),
            "safe_to_promote": self.safe,
            "data_loss_if_promoted": loss_value(self.loss),
            "mirroring_mode": self.group.mode,
            "images": images.collect::<Vec<_>>(),
            "peer_sites": own["peer_sites"],
            "snapshots": own["snapshots"],
        });
        if let Some(target) = self.target() {
            value["rpo"] = target_value(target);
        }
        if let Some(mode) = self.group.sync {
            value["sync"] = group_value(mode, &self.images);
        }
        value
    }

    fn text(&self, report: &MirrorReport) -> String {
        let promotion = if self.safe {
            "safe".to_owned()
        } else {
            format!("would lose {}", loss_text(self.loss))
        };
        let mut lines = vec![
            format!("{}:", self.group.name),
            format!("  global_id:   {}", self.group.id),
            format!("  state:       up+{}", self.state.as_str()),
            format!("  description: {}", self.description()),
            format!("  role:        {}", self.group.role),
            format!("  lag:         {}", lag_text(self.lag)),
            format!("  promotion:   {promotion}"),
        ];
        if let Some(target) = self.target() {
            lines.push(format!("  target:      {}", target_text(target)));
        }
        if let Some(mode) = self.group.sync {
            let primary = self.group.role == Role::Primary;
            let text = group_text(mode, &self.images, primary);
            lines.push(format!("  sync:        {text}"));
        }
        lines.push("  images:".to_owned());
        for image in &self.images {
            let text = image_text(report, image);
            lines.extend(text.lines().map(|line| format!("    {line}")));
        }
        lines.join("\n")
    }
}

/// What is known of both; records and bytes together, and the longer time.
fn worse_lag(one: Option<Lag>, other: Option<Lag>) -> Option<Lag> {
    Some(one?.and(other?))
}

fn worse_loss(one: Option<Loss>, other: Option<Loss>) -> Option<Loss> {
    let (one, other) = (one?, other?);
    Some(Loss {
        seconds: one.seconds.max(other.seconds),
        bytes: Bytes(one.bytes.0 + other.bytes.0),
        as_of: one.as_of.max(other.as_of),
    })
}
