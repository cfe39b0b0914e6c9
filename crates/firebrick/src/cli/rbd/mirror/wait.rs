//! `firebrick rbd mirror wait`, `explain`.

use firebrick_site::admin::{MirrorRequest, MirrorState};
use serde_json::json;

use super::args::WaitArgs;
use crate::cli::rbd::args::SpecArgs;
use crate::cli::rbd::error::fault;
use crate::cli::rbd::site::Rbd;
use crate::cli::rbd::spec::Spec;
use crate::exit::Failure;
use crate::printer::Printer;

/// `firebrick rbd mirror wait`
pub(super) async fn wait(mut rbd: Rbd, args: &WaitArgs) -> Result<(), Failure> {
    const DOING: &str = "waiting for the mirror failed";
    let images = match Spec::of(&rbd.common, &args.spec)?.image {
        Some(_) => Some(vec![rbd.mirrored(&args.spec).await?.id]),
        None => None,
    };
    let position = match args.position {
        Some(at) => Some(rbd.record(at).await.map_err(|error| fault(DOING, &error))?),
        None => None,
    };
    let request = MirrorRequest::Wait {
        images,
        position,
        within: args.timeout.0,
    };
    let waited = rbd.mirror_order(request).await;
    waited.map_err(|error| fault(DOING, &error))
}

/// `firebrick rbd mirror explain`
pub(super) async fn explain(mut rbd: Rbd, args: &SpecArgs) -> Result<(), Failure> {
    let image = rbd.named(args).await?;
    let (image, _) = rbd.one(image.id).await?;
    if rbd.structured() {
        let reasons = image.reasons.iter().map(|reason| {
            json!({"code": reason.code.as_str(), "text": reason.text, "remedy": reason.remedy})
        });
        let reasons: Vec<_> = reasons.collect();
        rbd.print_value(
            "image",
            &json!({
                "name": image.name, "global_id": image.id, "state": image.state.as_str(),
                "description": image.description, "reasons": reasons,
            }),
        );
        return Ok(());
    }
    let healthy = matches!(image.state, MirrorState::Stopped | MirrorState::Replaying);
    if image.reasons.is_empty() && healthy {
        Printer::line(&format!(
            "{}: {}; nothing is wrong",
            image.name, image.description
        ));
        return Ok(());
    }
    Printer::line(&format!("{}: {}", image.name, image.description));
    for reason in &image.reasons {
        Printer::line(&format!("  {}: {}", reason.code.as_str(), reason.text));
        Printer::line(&format!("    what to do: {}", reason.remedy));
    }
    Ok(())
}
