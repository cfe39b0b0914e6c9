//! `firebrick rbd scrub`, `background`.

use std::time::Duration;

use firebrick_site::admin::{RotReport, ScrubStatus, ToolReply, ToolRequest, Work, WorkState};

use super::args::ScrubArgs;
use super::doc::Doc;
use super::error::{EIO, fault, refuse};
use super::progress::Progress;
use super::site::{Rbd, confused};
use super::table::{Lean, Table};
use crate::exit::Failure;
use crate::printer::Printer;

/// How often it is asked how far a scrub is.
const POLL: Duration = Duration::from_millis(100);

/// `firebrick rbd scrub`
pub(super) async fn run(mut rbd: Rbd, args: &ScrubArgs) -> Result<(), Failure> {
    let began = ask(&mut rbd, ToolRequest::ScrubStart).await?;
    if !args.wait {
        if rbd.structured() {
            rbd.print("scrub", &Doc::map([("pass", began.pass.into())]));
        } else {
            Printer::line(&format!(
                "pass {} began; `firebrick rbd background` says how far it is",
                began.pass
            ));
        }
        return Ok(());
    }
    let mut progress = Progress::new(&rbd.common, "Scrubbing");
    let status = loop {
        let status = ask(&mut rbd, ToolRequest::ScrubStatus).await?;
        if status.completed >= began.pass {
            break status;
        }
        progress.at(status.done.0, status.total.0);
        tokio::time::sleep(POLL).await;
    };
    if let Some(why) = &status.failed {
        return Err(refuse(EIO, format!("rbd: scrub failed: {why}")));
    }
    progress.done();
    report(&rbd, &status);
    let lost = status.rot.iter().filter(|rot| !rot.repaired).count() as u64 + status.more;
    if lost > 0 {
        let text = format!("rbd: {lost} damaged blocks could not be repaired");
        return Err(refuse(EIO, text));
    }
    Ok(())
}

async fn ask(rbd: &mut Rbd, request: ToolRequest) -> Result<ScrubStatus, Failure> {
    match rbd.call(request).await {
        Ok(ToolReply::Scrub(status)) => Ok(status),
        Ok(other) => Err(fault("scrub failed", &confused(&other))),
        Err(error) => Err(fault("scrub failed", &error)),
    }
}

fn report(rbd: &Rbd, status: &ScrubStatus) {
    if rbd.structured() {
        let row = |rot: &RotReport| {
            let name = rot.name.as_ref();
            Doc::map([
                ("image", name.map_or(Doc::Null, |name| name.as_str().into())),
                ("id", rot.image.into()),
                ("offset", rot.offset.into()),
                ("length", rot.len.into()),
                ("repaired", rot.repaired.into()),
            ])
        };
        let damaged = Doc::list("range", status.rot.iter().map(row));
        let (bytes, more) = (status.done.into(), status.more.into());
        let report = Doc::map([("bytes", bytes), ("damaged", damaged), ("more", more)]);
        return rbd.print("scrub", &report);
    }
    if status.rot.is_empty() {
        return Printer::line(&format!("{} read, nothing damaged", status.done));
    }
    let mut table = Table::new(&[
        ("IMAGE", Lean::Left),
        ("OFFSET", Lean::Right),
        ("LENGTH", Lean::Right),
        ("STATE", Lean::Left),
    ]);
    for rot in &status.rot {
        let name = rot
            .name
            .as_ref()
            .map_or(rot.image.to_string(), ToString::to_string);
        let state = if rot.repaired { "repaired" } else { "damaged" };
        table.row([
            name,
            rot.offset.to_string(),
            rot.len.to_string(),
            state.to_owned(),
        ]);
    }
    Printer::line(&table.text());
    if status.more > 0 {
        Printer::line(&format!("and {} more", status.more));
    }
}

/// `firebrick rbd background`
pub(super) async fn background(mut rbd: Rbd) -> Result<(), Failure> {
    let works = match rbd.call(ToolRequest::Background).await {
        Ok(ToolReply::Background(works)) => works,
        Ok(other) => return Err(fault("background", &confused(&other))),
        Err(error) => return Err(fault("background", &error)),
    };
    if rbd.structured() {
        let row = |work: &Work| {
            let error = work.last_error.as_deref();
            Doc::map([
                ("name", (&work.name).into()),
                ("state", state(work.state).into()),
                ("progress", (&work.progress).into()),
                ("last_error", error.map_or(Doc::Null, Doc::from)),
            ])
        };
        rbd.print("background", &Doc::list("work", works.iter().map(row)));
        return Ok(());
    }
    let mut table = Table::new(&[
        ("NAME", Lean::Left),
        ("STATE", Lean::Left),
        ("PROGRESS", Lean::Left),
        ("LAST ERROR", Lean::Left),
    ]);
    for work in works {
        let state = state(work.state).to_owned();
        let error = work.last_error.unwrap_or_default();
        table.row([work.name, state, work.progress, error]);
    }
    Printer::line(&table.text());
    Ok(())
}

const fn state(state: WorkState) -> &'static str {
    match state {
        WorkState::Busy => "busy",
        WorkState::Throttled => "throttled",
        WorkState::Idle => "idle",
    }
}
