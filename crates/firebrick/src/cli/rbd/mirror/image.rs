//! `rbd mirror image enable`, `disable`, `resync`, `target`.

use firebrick_backend::Backend as _;
use firebrick_site::admin::{MirrorMode, MirrorRequest};
use firebrick_vocabulary::{ImageId, Role};

use super::args::{DisableArgs, TargetArgs, TargetWord};
use super::snapshot::mode;
use crate::cli::rbd::args::SpecArgs;
use crate::cli::rbd::error::{EINVAL, EROFS, fault, refuse};
use crate::cli::rbd::site::Rbd;
use crate::exit::Failure;
use crate::printer::Printer;

/// `rbd mirror image enable`
pub(super) async fn enable(mut rbd: Rbd, args: &SpecArgs) -> Result<(), Failure> {
    let mut args = args.clone();
    let wanted = mode(&mut args.words, args.image.is_some())?;
    let image = rbd.named(&args).await?;
    if rbd.pool_info().await?.mode != MirrorMode::Image {
        let text = "rbd: cannot enable mirroring in the current pool mirroring mode";
        return Err(refuse(EINVAL, text));
    }
    // What is mirrored already stays so, wherever it is primary.
    if !image.mirrored || wanted.is_some_and(|wanted| wanted != image.mode) {
        let enabled = rbd.mirror_order(MirrorRequest::Enable {
            image: image.id,
            mode: wanted.unwrap_or_default(),
        });
        let enabled = enabled.await;
        enabled.map_err(|error| fault("failed to enable mirroring", &error))?;
    }
    Printer::line("Mirroring enabled");
    Ok(())
}

/// `rbd mirror image disable`
pub(super) async fn disable(mut rbd: Rbd, args: &DisableArgs) -> Result<(), Failure> {
    if args.force {
        let text = "rbd: --force is for images on a Ceph cluster; promote the image here, or disable it at its primary";
        return Err(refuse(EINVAL, text));
    }
    let image = rbd.mirrored(&args.spec).await?;
    if image.role != Role::Primary {
        let text =
            "rbd: mirrored image is not primary; disable it at its primary, or promote it here";
        return Err(refuse(EROFS, text));
    }
    if rbd.pool_info().await?.mode == MirrorMode::Pool {
        let text = "rbd: cannot disable mirroring in the current pool mirroring mode";
        return Err(refuse(EINVAL, text));
    }
    let disabled = rbd.backend.set_mirroring(image.id, false).await;
    disabled.map_err(|error| fault("failed to disable mirroring", &error))?;
    Printer::line("Mirroring disabled");
    Ok(())
}

/// `rbd mirror image resync`
pub(super) async fn resync(mut rbd: Rbd, args: &SpecArgs) -> Result<(), Failure> {
    let image = rbd.mirrored(args).await?;
    if image.role == Role::Primary {
        let text = "rbd: image is primary, cannot resync to itself";
        return Err(refuse(EINVAL, text));
    }
    let flagged = rbd.mirror_order(MirrorRequest::Resync {
        images: vec![image.id],
    });
    let flagged = flagged.await;
    flagged.map_err(|error| fault("error flagging image resync", &error))?;
    Printer::line("Flagged image for resync from primary");
    Ok(())
}

/// `firebrick rbd mirror image target`
pub(super) async fn target(mut rbd: Rbd, args: &TargetArgs) -> Result<(), Failure> {
    let image = rbd.mirrored(&args.spec).await?;
    if image.role != Role::Primary {
        let text = "rbd: mirrored image is not primary; set it at its primary";
        return Err(refuse(EROFS, text));
    }
    set_target(&mut rbd, image.id, args.seconds).await
}

/// Gives an image a target, or a group by what stands for it.
pub(super) async fn set_target(
    rbd: &mut Rbd,
    image: ImageId,
    seconds: TargetWord,
) -> Result<(), Failure> {
    let seconds = seconds.0.map(|seconds| seconds.0);
    let request = MirrorRequest::SetTarget { image, seconds };
    let set = rbd.mirror_order(request).await;
    set.map_err(|error| fault("failed to set the target", &error))?;
    match seconds {
        Some(seconds) => Printer::line(&format!("Peers may be {seconds} s behind")),
        None => Printer::line("The target of the site holds"),
    }
    Ok(())
}
