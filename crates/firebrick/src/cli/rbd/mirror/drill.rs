//! `firebrick rbd mirror image drill`, and the same of a group.

use firebrick_backend::FaultKind;
use firebrick_site::admin::{Drill, DrillRequest, MirrorReply, MirrorRequest, ToolReply};
use firebrick_vocabulary::ImageId;
use serde_json::{Value, json};

use super::args::{DrillCommand, GroupDrillArgs, ImageDrillArgs};
use crate::cli::rbd::args::SpecArgs;
use crate::cli::rbd::at::{At, ctime, rfc3339};
use crate::cli::rbd::error::{ENOENT, failed, fault};
use crate::cli::rbd::site::{Rbd, confused};
use crate::cli::rbd::table::{Lean, Table};
use crate::exit::Failure;
use crate::printer::Printer;

const DOING: &str = "drill failed";

/// `firebrick rbd mirror image drill`
pub(super) async fn image(mut rbd: Rbd, args: &ImageDrillArgs) -> Result<(), Failure> {
    match &args.command {
        Some(DrillCommand::Ls) => list(rbd).await,
        Some(DrillCommand::Rm(spec)) => {
            let image = rbd.mirrored(spec).await?;
            end(rbd, vec![image.id]).await
        }
        None => {
            let spec = SpecArgs {
                words: args.words.clone(),
                image: args.image.clone(),
                snap: None,
            };
            let image = rbd.mirrored(&spec).await?;
            if args.how.cleanup {
                return end(rbd, vec![image.id]).await;
            }
            begin(rbd, vec![image.id], args.how.at).await
        }
    }
}

/// `firebrick rbd mirror group drill`
pub(super) async fn group(mut rbd: Rbd, args: &GroupDrillArgs) -> Result<(), Failure> {
    let group = super::group::mirrored(&mut rbd, &args.group).await?;
    let images: Vec<ImageId> = group.images.iter().map(|(id, _)| *id).collect();
    if args.how.cleanup {
        return end(rbd, images).await;
    }
    begin(rbd, images, args.how.at).await
}

async fn ask(rbd: &mut Rbd, request: DrillRequest) -> Result<Vec<Drill>, Failure> {
    match rbd.mirror(MirrorRequest::Drill { request }).await {
        Ok(MirrorReply::Drills(drills)) => Ok(drills),
        Ok(other) => Err(fault(DOING, &confused(&ToolReply::Mirror(other)))),
        Err(error) if error.kind == FaultKind::NotFound => Err(failed(DOING, ENOENT)),
        Err(error) => Err(fault(DOING, &error)),
    }
}

async fn begin(mut rbd: Rbd, images: Vec<ImageId>, at: Option<At>) -> Result<(), Failure> {
    let at = match at {
        Some(at) => Some(rbd.record(at).await.map_err(|error| fault(DOING, &error))?),
        None => None,
    };
    let drills = ask(&mut rbd, DrillRequest::Begin { images, at }).await?;
    if rbd.structured() {
        rbd.print_value("drills", &drills.iter().map(value).collect::<Vec<_>>());
        return Ok(());
    }
    for drill in &drills {
        Printer::line(&uri(drill));
    }
    Ok(())
}

async fn end(mut rbd: Rbd, images: Vec<ImageId>) -> Result<(), Failure> {
    let images = Some(images);
    ask(&mut rbd, DrillRequest::End { images }).await.map(drop)
}

/// `firebrick rbd mirror image drill ls`
async fn list(mut rbd: Rbd) -> Result<(), Failure> {
    let drills = ask(&mut rbd, DrillRequest::List).await?;
    if rbd.structured() {
        rbd.print_value("drills", &drills.iter().map(value).collect::<Vec<_>>());
        return Ok(());
    }
    let mut table = Table::new(&[
        ("IMAGE", Lean::Left),
        ("POSITION", Lean::Left),
        ("BEGAN", Lean::Left),
        ("CLIENTS", Lean::Right),
        ("DEVICE", Lean::Left),
    ]);
    for drill in &drills {
        table.row([
            name(drill),
            position(drill),
            ctime(drill.began),
            drill.clients.to_string(),
            uri(drill),
        ]);
    }
    if !table.is_empty() {
        Printer::line(&table.text());
    }
    Ok(())
}

fn name(drill: &Drill) -> String {
    let name = drill.name.as_ref();
    name.map_or_else(|| drill.of.to_string(), ToString::to_string)
}

/// Of the primary's log, or of this site's.
fn position(drill: &Drill) -> String {
    let position = drill.position.map(|position| position.to_string());
    position.unwrap_or_else(|| format!("at {}", drill.at))
}

fn uri(drill: &Drill) -> String {
    let address = drill.address.as_ref();
    address
        .map(|address| address.uri.clone())
        .unwrap_or_default()
}

fn value(drill: &Drill) -> Value {
    json!({
        "image": name(drill), "global_id": drill.of, "id": drill.id,
        "position": drill.position.map(|position| position.to_string()),
        "at": drill.at, "began": rfc3339(drill.began),
        "uri": uri(drill), "clients": drill.clients,
    })
}
