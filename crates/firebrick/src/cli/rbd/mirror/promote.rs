//! `rbd mirror image promote`, `demote`, and the same of the pool.

use firebrick_backend::{Backend as _, Fault, FaultKind};
use firebrick_site::admin::{MirrorReply, MirrorRequest, PromotedImage, ToolReply, ViewOf};
use firebrick_vocabulary::{ImageId, ImageName, Role};
use serde_json::json;

use super::args::{
    DemoteArgs, HowToDemote, HowToPromote, PoolDemoteArgs, PoolPromoteArgs, PromoteArgs,
};
use super::text::{loss_text, loss_value};
use crate::cli::rbd::error::{EAGAIN, EBUSY, EINVAL, ENOENT, errno, refuse};
use crate::cli::rbd::site::{Rbd, confused};
use crate::cli::rbd::table::{Lean, Table};
use crate::exit::Failure;
use crate::printer::Printer;

const PROMOTING: &str = "rbd: error promoting image to primary";
const DEMOTING: &str = "rbd: error demoting image to non-primary";

/// `rbd mirror image promote`
pub(super) async fn image(mut rbd: Rbd, args: &PromoteArgs) -> Result<(), Failure> {
    let image = rbd.mirrored(&args.spec).await?;
    // With force this says that a promotion elsewhere, of which this site has not heard, does not count.
    if image.role == Role::Primary && !args.how.force {
        return Err(refuse(
            EINVAL,
            format!("image is already primary\n{PROMOTING}"),
        ));
    }
    let promoted = promote(&mut rbd, vec![image.id], &args.how).await?;
    if args.how.dry_run {
        show(&rbd, &promoted);
        return Ok(());
    }
    Printer::line("Image promoted to primary");
    Ok(())
}

/// `rbd mirror pool promote`
pub(super) async fn pool(mut rbd: Rbd, args: &PoolPromoteArgs) -> Result<(), Failure> {
    rbd.check_pool(&args.pool)?;
    let report = rbd.report(None).await?;
    let secondary = report
        .images
        .iter()
        .filter(|image| image.role == Role::Secondary);
    let ids: Vec<ImageId> = secondary.map(|image| image.id).collect();
    let mut promoted = promote(&mut rbd, ids, &args.how).await?;
    // What stands for groups is no image to users.
    let internal = |name: &ImageName| name.is_internal();
    promoted.retain(|image| !image.name.as_ref().is_some_and(internal));
    if args.how.dry_run {
        show(&rbd, &promoted);
        return Ok(());
    }
    Printer::line(&format!("Promoted {} mirrored images", promoted.len()));
    Ok(())
}

/// Promotes all of them, or fails and promotes none. With a time they are what they were here then before this
/// returns; where that ends early, the same again completes it.
pub(super) async fn promote(
    rbd: &mut Rbd,
    images: Vec<ImageId>,
    how: &HowToPromote,
) -> Result<Vec<PromotedImage>, Failure> {
    let Some(at) = how.at else {
        return promote_now(rbd, images, how, how.dry_run).await;
    };
    let mut wanted = promote_now(rbd, images.clone(), how, true).await?;
    // What stands for groups was never anything else.
    wanted.retain(|image| !image.name.as_ref().is_some_and(ImageName::is_internal));
    let at = rbd.record(at).await;
    let at = at.map_err(|error| failed(&error, PROMOTING))?;
    for image in &wanted {
        let held = rbd.view(image.id, ViewOf::At(at)).await;
        held.map_err(|error| failed(&error, PROMOTING))?;
    }
    let promoted = promote_now(rbd, images, how, false).await?;
    for image in &wanted {
        let back = rbd.backend.roll_back_to(image.id, at).await;
        back.map_err(|error| failed(&error, PROMOTING))?;
    }
    Ok(promoted)
}

async fn promote_now(
    rbd: &mut Rbd,
    images: Vec<ImageId>,
    how: &HowToPromote,
    dry_run: bool,
) -> Result<Vec<PromotedImage>, Failure> {
    let request = MirrorRequest::Promote {
        images,
        force: how.force,
        dry_run,
        accept_loss: how.accept_loss.map(|seconds| seconds.0),
    };
    let promoted = match rbd.mirror(request).await {
        Ok(MirrorReply::Promoted(promoted)) => promoted,
        Ok(other) => return Err(failed(&confused(&ToolReply::Mirror(other)), PROMOTING)),
        Err(error) => return Err(failed(&error, PROMOTING)),
    };
    let refused = promoted.iter().find_map(|image| {
        let reason = image.outcome.as_ref().err()?;
        Some((image, reason))
    });
    let Some((image, reason)) = refused else {
        return Ok(promoted);
    };
    if how.dry_run {
        show(rbd, &promoted);
    }
    let name = image
        .name
        .as_ref()
        .map_or_else(|| image.id.to_string(), ToString::to_string);
    let (errno, why) = why(reason);
    Err(refuse(errno, format!("{name}: {why}\n{PROMOTING}")))
}

fn why(reason: &firebrick_backend::Reason) -> (u8, &'static str) {
    match reason {
        firebrick_backend::Reason::NotFound => (ENOENT, "there is no such image"),
        firebrick_backend::Reason::Inconsistent => (EAGAIN, "its first copy is not complete"),
        firebrick_backend::Reason::NotDemoted => (
            EBUSY,
            "image is primary within a remote cluster or demotion is not propagated yet",
        ),
        firebrick_backend::Reason::Leftover => (EINVAL, "it is left of a mirroring that has ended"),
        firebrick_backend::Reason::NoMirrorSnapshot => (
            EINVAL,
            "no mirror snapshot has all images of its group at one position; promote them one by one",
        ),
    }
}

/// What would become of images.
pub(super) fn show(rbd: &Rbd, promoted: &[PromotedImage]) {
    if rbd.structured() {
        let row = |image: &PromotedImage| {
            json!({
                "name": image.name, "global_id": image.id,
                "promotable": image.outcome.is_ok(),
                "reason": image.outcome.as_ref().err().map(|reason| why(reason).1),
                "epoch": image.outcome.as_ref().ok(),
                "position": image.position.map(|position| position.to_string()),
                "data_loss_if_promoted": loss_value(image.loss),
            })
        };
        let rows: Vec<_> = promoted.iter().map(row).collect();
        return rbd.print_value("images", &rows);
    }
    let mut table = Table::new(&[
        ("IMAGE", Lean::Left),
        ("POSITION", Lean::Right),
        ("LOSES", Lean::Left),
        ("RESULT", Lean::Left),
    ]);
    for image in promoted {
        let result = match &image.outcome {
            Ok(epoch) => format!("primary, epoch {epoch}"),
            Err(reason) => why(reason).1.to_owned(),
        };
        table.row([
            image
                .name
                .as_ref()
                .map_or_else(|| image.id.to_string(), ToString::to_string),
            image
                .position
                .map(|position| position.to_string())
                .unwrap_or_default(),
            loss_text(image.loss),
            result,
        ]);
    }
    if !table.is_empty() {
        Printer::line(&table.text());
    }
}

/// `rbd mirror image demote`
pub(super) async fn demote_image(mut rbd: Rbd, args: &DemoteArgs) -> Result<(), Failure> {
    let image = rbd.mirrored(&args.spec).await?;
    if image.role != Role::Primary {
        return Err(refuse(EINVAL, format!("image is not primary\n{DEMOTING}")));
    }
    demote(&mut rbd, vec![image.id], &args.how).await?;
    Printer::line("Image demoted to non-primary");
    Ok(())
}

/// `rbd mirror pool demote`
pub(super) async fn demote_pool(mut rbd: Rbd, args: &PoolDemoteArgs) -> Result<(), Failure> {
    rbd.check_pool(&args.pool)?;
    let report = rbd.report(None).await?;
    let mut primary = report.images;
    primary.retain(|image| image.role == Role::Primary);
    let ids = primary.iter().map(|image| image.id).collect();
    let shown = primary.iter().filter(|image| !image.name.is_internal());
    let count = shown.count();
    demote(&mut rbd, ids, &args.how).await?;
    Printer::line(&format!("Demoted {count} mirrored images"));
    Ok(())
}

/// Demotes all of them, or none.
pub(super) async fn demote(
    rbd: &mut Rbd,
    images: Vec<ImageId>,
    how: &HowToDemote,
) -> Result<(), Failure> {
    let within = how.timeout.map(|seconds| seconds.0);
    match rbd.mirror(MirrorRequest::Demote { images, within }).await {
        Ok(MirrorReply::Position(_)) => Ok(()),
        Ok(other) => Err(failed(&confused(&ToolReply::Mirror(other)), DEMOTING)),
        Err(error) => Err(failed(&error, DEMOTING)),
    }
}

/// What the site said, above what the `rbd` tool says.
fn failed(fault: &Fault, line: &str) -> Failure {
    let errno = match fault.kind {
        // Asked for what nobody is to lose.
        FaultKind::Busy => EBUSY,
        kind => errno(kind),
    };
    refuse(errno, format!("{}\n{line}", fault.why))
}
