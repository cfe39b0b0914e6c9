//! `rbd mirror image snapshot`, `rbd mirror group snapshot`.

use firebrick_backend::Fault;
use firebrick_site::admin::{MirrorReply, MirrorRequest, ToolReply};
use firebrick_vocabulary::{ImageId, ImageMirrorMode, Role, SnapshotId};

use super::args::MirrorSnapshotArgs;
use crate::cli::rbd::args::GroupArgs;
use crate::cli::rbd::error::{EINVAL, EROFS, fault, refuse};
use crate::cli::rbd::site::{Rbd, confused};
use crate::exit::Failure;
use crate::printer::Printer;

/// The mode that is named behind an image or a group, taken from its words. `named`: an option names the image.
pub(super) fn mode(
    words: &mut Vec<String>,
    named: bool,
) -> Result<Option<ImageMirrorMode>, Failure> {
    if words.len() + usize::from(named) != 2 {
        return Ok(None);
    }
    let Some(name) = words.pop() else {
        return Ok(None);
    };
    let invalid = |_| {
        let text = format!("rbd: invalid mode name: {name}: it is journal or snapshot");
        refuse(EINVAL, text)
    };
    name.parse().map(Some).map_err(invalid)
}

async fn take(rbd: &mut Rbd, images: Vec<ImageId>) -> Result<Vec<SnapshotId>, Fault> {
    match rbd.mirror(MirrorRequest::Snapshot { images }).await? {
        MirrorReply::Snapshots(taken) => Ok(taken),
        other => Err(confused(&ToolReply::Mirror(other))),
    }
}

/// `rbd mirror image snapshot`
pub(super) async fn image(mut rbd: Rbd, args: &MirrorSnapshotArgs) -> Result<(), Failure> {
    let image = rbd.mirrored(&args.spec).await?;
    if image.mode != ImageMirrorMode::Snapshot {
        let text = "rbd: snapshot based mirroring not enabled on the image";
        return Err(refuse(EINVAL, text));
    }
    if image.role != Role::Primary {
        let text = "rbd: mirrored image is not primary; take it at its primary";
        return Err(refuse(EROFS, text));
    }
    let taken = take(&mut rbd, vec![image.id]).await;
    print(&taken.map_err(|error| fault("error creating snapshot", &error))?);
    Ok(())
}

/// `rbd mirror group snapshot`
pub(super) async fn group(mut rbd: Rbd, args: &GroupArgs) -> Result<(), Failure> {
    let group = super::group::mirrored(&mut rbd, args).await?;
    if group.mode != ImageMirrorMode::Snapshot {
        let text = "rbd: snapshot based mirroring not enabled on the group";
        return Err(refuse(EINVAL, text));
    }
    if group.role != Role::Primary {
        let text = "rbd: mirrored group is not primary; take it at its primary";
        return Err(refuse(EROFS, text));
    }
    // That of what stands for the group comes first.
    let images = group.images.iter().map(|(id, _)| *id);
    let images = [group.id].into_iter().chain(images).collect();
    let taken = take(&mut rbd, images).await;
    print(&taken.map_err(|error| fault("error creating group snapshot", &error))?);
    Ok(())
}

fn print(taken: &[SnapshotId]) {
    if let Some(id) = taken.first() {
        Printer::line(&format!("Snapshot ID: {id}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_stands_behind_what_it_is_of() {
        let found = |words: &[&str], named| {
            let mut words: Vec<String> = words.iter().map(ToString::to_string).collect();
            let mode = mode(&mut words, named).map_err(|refused| refused.to_string());
            (mode, words.len())
        };
        let snapshot = Ok(Some(ImageMirrorMode::Snapshot));
        assert_eq!(found(&["disk", "snapshot"], false), (snapshot.clone(), 1));
        assert_eq!(found(&["snapshot"], true), (snapshot, 0));
        // That is an image.
        assert_eq!(found(&["snapshot"], false), (Ok(None), 1));
        let (refused, _) = found(&["disk", "other"], false);
        assert_eq!(
            refused.unwrap_err(),
            "rbd: invalid mode name: other: it is journal or snapshot"
        );
    }
}
