//! `mirror image …`.

use firebrick_ceph::tool::{ImageMode, OpenImage};

use super::{at_once, plain, status};
use crate::cli::rbd::args::SpecArgs;
use crate::cli::rbd::ceph::site::{Ceph, Doing as _};
use crate::cli::rbd::ceph::spec::Spec;
use crate::cli::rbd::ceph::without;
use crate::cli::rbd::error::{EINVAL, refuse};
use crate::cli::rbd::mirror::args::{DisableArgs, MirrorImageCommand, PromoteArgs};
use crate::cli::rbd::spec::Words;
use crate::exit::Failure;
use crate::printer::Printer;

/// Does what the command line says.
pub(super) fn run(ceph: &Ceph, command: &MirrorImageCommand) -> Result<(), Failure> {
    match command {
        MirrorImageCommand::Enable(args) => enable(ceph, args),
        MirrorImageCommand::Disable(args) => disable(ceph, args),
        MirrorImageCommand::Promote(args) => promote(ceph, args),
        MirrorImageCommand::Demote(args) => {
            at_once(&args.how)?;
            let demoted = mirrored(ceph, &args.spec, Only::Any)?.demote();
            demoted.doing("error demoting image to non-primary")?;
            Printer::line("Image demoted to non-primary");
            Ok(())
        }
        MirrorImageCommand::Snapshot(args) => {
            let taken = mirrored(ceph, &args.spec, Only::Snapshots)?.take_mirror_snapshot();
            let id = taken.doing("error creating snapshot")?;
            Printer::line(&format!("Snapshot ID: {id}"));
            Ok(())
        }
        MirrorImageCommand::Resync(args) => {
            let flagged = mirrored(ceph, args, Only::Any)?.resync();
            flagged.doing("error flagging image resync")?;
            Printer::line("Flagged image for resync from primary");
            Ok(())
        }
        MirrorImageCommand::Status(args) => {
            let spec = Spec::of(&ceph.common, args)?;
            let image = ceph.look(&spec)?;
            is_mirrored(&image, Only::Any)?;
            status::image(ceph, &spec, &image)
        }
        MirrorImageCommand::Target(_) => Err(without(
            "rbd-mirror has no target; a volume type's `rpo_target_seconds` is for volumes on Ceph too",
        )),
        MirrorImageCommand::Sync(_) => Err(without("no write on Ceph waits for rbd-mirror")),
        MirrorImageCommand::Drill(_) => Err(without(
            "try a failover with a clone of a snapshot that has arrived; use `clone`",
        )),
    }
}

/// Which images a verb is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Only {
    /// All that are mirrored.
    Any,
    /// Those that are mirrored by snapshots.
    Snapshots,
}

/// The image that is named, to be changed; it must be mirrored.
fn mirrored(ceph: &Ceph, args: &SpecArgs, only: Only) -> Result<OpenImage, Failure> {
    let spec = Spec::of(&ceph.common, args)?;
    spec.only_image()?;
    let image = ceph.change(&spec)?;
    is_mirrored(&image, only)?;
    Ok(image)
}

fn is_mirrored(image: &OpenImage, only: Only) -> Result<(), Failure> {
    let found = image.mirroring().doing("failed to retrieve mirror info")?;
    let found = found.filter(|found| found.state == "enabled");
    let Some(found) = found else {
        return Err(refuse(EINVAL, "rbd: mirroring not enabled on the image"));
    };
    if only == Only::Snapshots && found.mode != ImageMode::Snapshot {
        let text = "rbd: snapshot based mirroring not enabled on the image";
        return Err(refuse(EINVAL, text));
    }
    Ok(())
}

fn enable(ceph: &Ceph, args: &SpecArgs) -> Result<(), Failure> {
    let mut words = Words::new(&args.words);
    let spec = Spec::first(&ceph.common, args, &mut words)?;
    spec.only_image()?;
    let image = ceph.change(&spec)?;
    let mode = match words.or_next(None) {
        None | Some("journal") => ImageMode::Journal,
        Some("snapshot") => ImageMode::Snapshot,
        Some(other) => {
            let text = format!("rbd: invalid mode name: {other}: it is journal or snapshot");
            return Err(refuse(EINVAL, text));
        }
    };
    words.end()?;
    let enabled = image.enable_mirroring(mode);
    enabled.doing("failed to enable mirroring")?;
    Printer::line("Mirroring enabled");
    Ok(())
}

fn disable(ceph: &Ceph, args: &DisableArgs) -> Result<(), Failure> {
    let spec = Spec::of(&ceph.common, &args.spec)?;
    spec.only_image()?;
    let disabled = ceph.change(&spec)?.disable_mirroring(args.force);
    disabled.doing("failed to disable mirroring")?;
    Printer::line("Mirroring disabled");
    Ok(())
}

fn promote(ceph: &Ceph, args: &PromoteArgs) -> Result<(), Failure> {
    plain(&args.how)?;
    let image = mirrored(ceph, &args.spec, Only::Any)?;
    let promoted = image.promote(args.how.force);
    promoted.doing("error promoting image to primary")?;
    Printer::line("Image promoted to primary");
    Ok(())
}
