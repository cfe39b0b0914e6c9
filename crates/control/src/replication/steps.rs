//! Looking at the sites, and handing over from one that lives.

use firebrick_backend::{Backend, Fault, FaultKind, ImageInfo, PromoteMode, Reason};
use firebrick_state::MessageDetail;
use firebrick_vocabulary::{Epoch, ImageId, Position, Role, Sequence};
use tokio::time::timeout;
use tracing::{info, warn};

use super::catch_up::catch_up;
use super::switch::{Progress, Switch};
use crate::home::may_pass;
use crate::story::{Step, Stop};
use crate::why::Why;

/// Whether the site that is left takes part. Going back needs both: what the other site has written
/// must have arrived first, and it must stop writing.
pub(super) async fn look(step: &Switch<'_>) -> Step<bool> {
    let options = &step.inner.options.failover;
    // One that was just busy, or whose daemons begin, answers the second time.
    step.new.status().await?;
    let answers = if step.force {
        false
    } else {
        let old = timeout(options.probe, step.old.status()).await;
        matches!(old, Ok(Ok(_)))
    };
    if step.back && !answers {
        let why = format!(
            "{} does not answer, so nobody knows what it has written; to give that up, fail over to \
             {} by its name",
            step.old.name(),
            step.new.name()
        );
        return Err(Stop::later(
            Why::from(why).detail(MessageDetail::SiteUnreachable),
        ));
    }
    info!(
        from = step.old.name(),
        to = step.new.name(),
        planned = answers,
        "a failover begins"
    );
    if step.back {
        catch_up(step).await?;
    }
    if step.whole {
        complete(step).await?;
    }
    Ok(answers)
}

/// Nobody is stopped for a site that lacks an image, or has not all of it.
async fn complete(step: &Switch<'_>) -> Step {
    let there = step.new.images().await.map_err(Stop::later)?;
    let complete = |id: &ImageId| {
        let mut found = there.iter().filter(|image| image.id == *id);
        found.any(|image| image.sync.is_consistent())
    };
    match step.images.iter().find(|id| !complete(id)) {
        None => Ok(()),
        Some(id) => {
            let text = format!("{} has no complete copy of {id} yet", step.new.name());
            Err(Stop::never(
                Why::from(text).detail(MessageDetail::NotCaughtUp),
            ))
        }
    }
}

/// The record of the site to go to that was its newest at the time that is wanted.
pub(super) async fn earlier(step: &Switch<'_>) -> Step<Option<Sequence>> {
    let (Some(time), Some(image)) = (step.moment, step.images.first()) else {
        return Ok(None);
    };
    match step.new.record_at(*image, time).await {
        Ok(record) => Ok(Some(record)),
        Err(fault) if fault.is_transient() => Err(Stop::later(fault)),
        Err(fault) => {
            let note = format!("It cannot be had as it was then: {}.", fault.why);
            Err(Stop::never(Why::from(fault).noting(note)))
        }
    }
}

/// Returns the image to what is wanted of it, before anybody reaches it there. Why not, where that is for good:
/// it is there as it was at last.
pub(super) async fn go_back(step: &Switch<'_>) -> Step<Result<(), String>> {
    let mut progress = step.saved().await?;
    let (Some(record), Some(image)) = (progress.record, step.images.first()) else {
        return Ok(Ok(()));
    };
    if let Some(returned) = progress.returned {
        return Ok(returned);
    }
    step.at("returning to an earlier state").await?;
    let returned = match step.new.roll_back_to(*image, record).await {
        Err(fault) if may_pass(&fault) => return Err(Stop::always(fault)),
        done => done.map_err(|fault| fault.to_string()),
    };
    // Once it is exported, it must not be returned again.
    progress.returned = Some(returned.clone());
    step.save(&progress).await?;
    Ok(returned)
}

/// Demotes the site that is left and waits until that has arrived. `false`: it died meanwhile, and
/// the rest goes without it.
pub(super) async fn hand_over(step: &Switch<'_>, progress: &mut Progress) -> Step<bool> {
    if progress.arrived {
        return Ok(true);
    }
    let (store, position) = if let Some(demoted) = progress.demoted {
        demoted
    } else {
        let there = match known(&*step.old, &step.images).await {
            Ok(there) => there,
            Err(fault) => return lost(step, &fault),
        };
        if !progress.demoting {
            progress.staying = staying(&*step.new, &there).await;
        }
        let moves = there.iter().filter(|it| !progress.staying.contains(&it.id));
        let images: Vec<(ImageId, Epoch)> = moves.map(|it| (it.id, it.epoch)).collect();
        if !progress.demoting {
            if let Some(fault) = unready(step, &images).await? {
                return lost(step, &fault);
            }
            progress.demoting = true;
            step.save(progress).await?;
        }
        let demoted = async {
            Ok((
                step.old.status().await?.store,
                step.old.demote(&ids(&images)).await?,
            ))
        };
        match demoted.await {
            Ok(demoted) => {
                progress.demoted = Some(demoted);
                step.save(progress).await?;
                demoted
            }
            Err(fault) => return lost(step, &fault),
        }
    };
    let within = step.inner.options.failover.catch_up;
    let mut images = step.images.clone();
    images.retain(|image| !progress.staying.contains(image));
    match (step.new)
        .wait_applied(store, position, &images, within)
        .await
    {
        Ok(()) => {
            progress.arrived = true;
            step.save(progress).await?;
            Ok(true)
        }
        Err(fault) => {
            warn!(%fault, "the demotion has not arrived; the site that was left becomes primary again");
            match step.old.promote(&step.images, PromoteMode::Planned).await {
                Ok(_) => {
                    progress.demoted = None;
                    progress.demoting = false;
                    step.save(progress).await?;
                    let text = format!("{} does not catch up: {fault}", step.new.name());
                    Err(Stop::never(
                        Why::from(text).detail(MessageDetail::NotCaughtUp),
                    ))
                }
                Err(fault) => lost(step, &fault),
            }
        }
    }
}

/// Nobody is stopped before the other site can take over so that the one which is left follows it. What is wrong
/// with the site that is left, if it died while that was waited for.
async fn unready(step: &Switch<'_>, images: &[(ImageId, Epoch)]) -> Step<Option<Fault>> {
    let options = &step.inner.options.failover;
    let Err(fault) = step.new.wait_ready(images, options.catch_up).await else {
        return Ok(None);
    };
    let old = timeout(options.probe, step.old.status()).await;
    if let Ok(Ok(_)) = old {
        let text = format!("{} cannot take over yet: {fault}", step.new.name());
        return Err(Stop::never(
            Why::from(text).detail(MessageDetail::NotCaughtUp),
        ));
    }
    let silent = || {
        Fault::new(
            FaultKind::TimedOut,
            "ask the site that is left",
            "no answer",
        )
    };
    Ok(Some(old.ok().and_then(Result::err).unwrap_or_else(silent)))
}

/// Demotes those of the images that the site has.
async fn demote(site: &dyn Backend, images: &[ImageId]) -> Result<Position, Fault> {
    let known = known(site, images).await?;
    let ids: Vec<ImageId> = known.iter().map(|image| image.id).collect();
    site.demote(&ids).await
}

/// Those of the images that the site has: one may never have been made.
async fn known(site: &dyn Backend, images: &[ImageId]) -> Result<Vec<ImageInfo>, Fault> {
    let mut there = site.images().await?;
    there.retain(|image| image.mirrored && images.contains(&image.id));
    Ok(there)
}

/// Of what the site that is left has, what lives at the one to go to already: a forced failover could not take it
/// along. There is nothing to wait for.
async fn staying(new: &dyn Backend, there: &[ImageInfo]) -> Vec<ImageId> {
    let mut staying = Vec::new();
    for copy in there.iter().filter(|image| image.role == Role::Secondary) {
        let found = new.image(copy.id).await;
        if found.is_ok_and(|image| image.role == Role::Primary && image.mirrored) {
            staying.push(copy.id);
        }
    }
    staying
}

fn ids(images: &[(ImageId, Epoch)]) -> Vec<ImageId> {
    images.iter().map(|(id, _)| *id).collect()
}

/// The site that is left failed: going back must not go on without it, going away does.
fn lost(step: &Switch<'_>, fault: &Fault) -> Step<bool> {
    let dead = matches!(fault.kind, FaultKind::Unreachable | FaultKind::TimedOut);
    if step.back || !dead {
        return Err(Stop::never(fault));
    }
    warn!(site = step.old.name(), %fault, "the site died in the middle; the failover goes on without it");
    Ok(false)
}

/// Makes the site that should have been left primary again, once the other one is not (`promoted`:
/// it may be). Why not, where that fails.
pub(super) async fn take_back(step: &Switch<'_>, promoted: bool) -> Result<(), String> {
    let words = |fault: Fault| fault.to_string();
    if promoted {
        let store = step.new.status().await.map_err(words)?.store;
        let demoted = demote(&*step.new, &step.images).await.map_err(words)?;
        let within = step.inner.options.failover.catch_up;
        let arrived = (step.old)
            .wait_applied(store, demoted, &step.images, within)
            .await;
        arrived.map_err(words)?;
    }
    let promoted = step.old.promote(&step.images, PromoteMode::Planned).await;
    for outcome in promoted.map_err(words)? {
        match outcome.result {
            // What was not there before, or not complete, is no worse now.
            Ok(_) | Err(Reason::NotFound | Reason::Inconsistent | Reason::Leftover) => {}
            // It is only for a forced promotion that one is needed.
            Err(Reason::NotDemoted | Reason::NoMirrorSnapshot) => {
                return Err(format!("{} is primary at the other site", outcome.image));
            }
        }
    }
    Ok(())
}
