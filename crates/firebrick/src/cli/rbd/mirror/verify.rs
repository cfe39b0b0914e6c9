//! `firebrick rbd mirror verify`.

use firebrick_site::admin::{MirrorReply, MirrorRequest, MirroredImage, ToolReply, VerifiedPeer};
use firebrick_vocabulary::{Bytes, ImageId, Role};
use serde_json::json;

use super::args::VerifyArgs;
use crate::cli::rbd::error::{EINVAL, EIO, EROFS, failed, fault, refuse};
use crate::cli::rbd::progress::Progress;
use crate::cli::rbd::site::{Rbd, confused};
use crate::exit::Failure;
use crate::printer::Printer;

const DOING: &str = "mirror verify";

/// `firebrick rbd mirror verify`
pub(super) async fn run(mut rbd: Rbd, args: &VerifyArgs) -> Result<(), Failure> {
    let images = images(&mut rbd, args).await?;
    let mut progress = Progress::late(&rbd.common, "Verifying mirrors");
    let mut rows = Vec::new();
    let mut differs = false;
    for (i, image) in images.iter().enumerate() {
        if let Some(waits) = waits(image).filter(|_| !rbd.common.no_progress) {
            Printer::note(&waits);
        }
        let name = image.name.to_string();
        for peer in verify(&mut rbd, image.id).await? {
            differs |= !peer.differs.is_empty();
            if !rbd.structured() {
                say(&name, &peer);
            }
            rows.push(value(&name, &peer));
        }
        progress.at(i as u64 + 1, images.len() as u64);
    }
    if rbd.structured() {
        rbd.print_value("images", &rows);
    }
    if differs {
        return Err(failed(DOING, EIO));
    }
    progress.done();
    Ok(())
}

/// The image that is named, or all that are primary here.
async fn images(rbd: &mut Rbd, args: &VerifyArgs) -> Result<Vec<MirroredImage>, Failure> {
    let named = args.spec.image.is_some() || !args.spec.words.is_empty();
    match (named, args.all) {
        (true, true) => Err(refuse(EINVAL, "rbd: an image is named beside --all")),
        (false, false) => Err(refuse(
            EINVAL,
            "rbd: image name was not specified; --all means all",
        )),
        (true, false) => {
            let image = rbd.mirrored(&args.spec).await?;
            if image.role != Role::Primary {
                let text = "rbd: mirrored image is not primary; verify it at its primary";
                return Err(refuse(EROFS, text));
            }
            Ok(vec![rbd.one(image.id).await?.0])
        }
        (false, true) => {
            let mut images = rbd.report(None).await?.images;
            images.retain(|image| image.role == Role::Primary && !image.name.is_internal());
            Ok(images)
        }
    }
}

/// For whom the comparison of an image has to wait before it begins.
fn waits(image: &MirroredImage) -> Option<String> {
    let away = image.peers.iter().filter(|peer| !peer.up);
    let names: Vec<&str> = away.map(|peer| peer.name.as_str()).collect();
    let verb = if names.len() == 1 { "does" } else { "do" };
    (!names.is_empty()).then(|| {
        let names = names.join(", ");
        format!(
            "{}: waiting for {names}, which {verb} not read this site's log",
            image.name
        )
    })
}

async fn verify(rbd: &mut Rbd, image: ImageId) -> Result<Vec<VerifiedPeer>, Failure> {
    match rbd.mirror(MirrorRequest::Verify { image }).await {
        Ok(MirrorReply::Verified(peers)) => Ok(peers),
        Ok(other) => Err(fault(DOING, &confused(&ToolReply::Mirror(other)))),
        Err(error) => Err(fault(DOING, &error)),
    }
}

fn say(name: &str, peer: &VerifiedPeer) {
    let VerifiedPeer {
        peer: site,
        position,
        compared,
        differs,
        more,
    } = peer;
    if differs.is_empty() {
        Printer::line(&format!(
            "{name}: {site} holds it at {position}: {compared} compared"
        ));
        return;
    }
    Printer::line(&format!(
        "{name}: {site} differs at {position}: {compared} compared"
    ));
    for (offset, len) in differs {
        Printer::line(&format!("  {} from byte {offset} on", Bytes(*len)));
    }
    if *more > 0 {
        Printer::line(&format!("  and {more} ranges more"));
    }
}

fn value(name: &str, peer: &VerifiedPeer) -> serde_json::Value {
    let ranges = peer.differs.iter();
    let ranges: Vec<_> = ranges
        .map(|(offset, length)| json!({"offset": offset, "length": length}))
        .collect();
    json!({
        "image": name, "site_name": peer.peer, "position": peer.position.to_string(),
        "compared_bytes": peer.compared, "holds": peer.differs.is_empty(),
        "differs": ranges, "more": peer.more,
    })
}
