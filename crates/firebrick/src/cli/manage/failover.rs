//! `firebrick manage failover` and `report`.

use std::time::Duration;

use firebrick_backend::PromoteMode;
use firebrick_control::{Activity, FailoverReport};
use firebrick_vocabulary::ActivityId;

use super::args::{FailoverArgs, ReportArgs};
use super::{Desk, cell, failed, seconds};
use crate::cli::rbd::table::{Lean, Table};
use crate::exit::Failure;
use crate::printer::{Format, Printer};

const FAILOVER: &str = "fail over";

/// How often it is looked whether a failover has ended.
const POLL: Duration = Duration::from_millis(100);

pub(super) async fn run(desk: &Desk, asked: FailoverArgs, format: Format) -> Result<(), Failure> {
    let to = asked.backend_id.as_deref();
    if asked.check {
        let told = desk.control.check_failover(&desk.context, &asked.host, to);
        let told = told.await.map_err(failed("look at a failover"))?;
        print(&told, format);
        return match told.refused {
            None => Ok(()),
            Some(why) => Err(Failure::new("it would change nothing now", why)),
        };
    }
    let begun = desk.control.failover(&desk.context, &asked.host, to).await;
    begun.map_err(failed(FAILOVER))?;
    let id = desk.context.began.activity();
    let id = id.ok_or_else(|| Failure::new(FAILOVER, "it was not begun"))?;
    Printer::note(&format!("activity {id}"));
    loop {
        let activity = desk.control.activity(&desk.context, id).await;
        let activity = activity.map_err(failed(FAILOVER))?;
        if activity.finished_at.is_some() {
            return tell(&activity, format);
        }
        tokio::time::sleep(POLL).await;
    }
}

pub(super) async fn report(desk: &Desk, asked: ReportArgs, format: Format) -> Result<(), Failure> {
    const DOING: &str = "look for a failover";
    let activity = if let Some(id) = asked.activity {
        let found = desk.control.activity(&desk.context, ActivityId(id)).await;
        Some(found.map_err(failed(DOING))?)
    } else {
        let found = desk.control.last_failover(&desk.context, &asked.host).await;
        found.map_err(failed(DOING))?
    };
    match activity {
        Some(activity) => tell(&activity, format),
        None => Err(Failure::new(DOING, "none is remembered")),
    }
}

fn tell(activity: &Activity, format: Format) -> Result<(), Failure> {
    match FailoverReport::of(activity) {
        Some(report) => {
            print(&report, format);
            Ok(())
        }
        None if activity.finished_at.is_none() => {
            let phase = activity.phase.as_deref().unwrap_or("waiting");
            Err(Failure::new("it has not ended", phase))
        }
        None => {
            let why = activity.error.as_deref().unwrap_or("no report was kept");
            Err(Failure::new("it did not take place", why))
        }
    }
}

fn print(report: &FailoverReport, format: Format) {
    match format {
        Format::Json => Printer::json(report),
        Format::Plain => {
            let mode = match report.mode {
                PromoteMode::Planned => "planned",
                PromoteMode::Forced => "forced",
            };
            let took = report.duration_seconds.map(|took| format!(", {took:.3} s"));
            Printer::line(&format!(
                "{}: {} -> {}, {mode}{}",
                report.host,
                report.from,
                report.to,
                took.unwrap_or_default()
            ));
            if !report.volumes.is_empty() {
                Printer::line(&table(report).text());
            }
        }
    }
}

fn table(report: &FailoverReport) -> Table {
    let mut table = Table::new(&[
        ("VOLUME", Lean::Left),
        ("OUTCOME", Lean::Left),
        ("POSITION", Lean::Right),
        ("SECONDS LOST", Lean::Right),
        ("BYTES LOST", Lean::Right),
        ("SECONDS", Lean::Right),
    ]);
    for volume in &report.volumes {
        table.row([
            volume.volume_id.to_string(),
            volume.outcome.as_str().to_owned(),
            cell(volume.position.as_ref()),
            seconds(volume.seconds_lost),
            cell(volume.bytes_lost),
            seconds(volume.duration_seconds),
        ]);
    }
    table
}
