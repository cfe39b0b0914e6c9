//! `firebrick manage replications`.

use firebrick_control::{Query, Relation};
use firebrick_vocabulary::MirrorWay;
use serde_json::{Value, json};

use super::{Desk, cell, failed, seconds};
use crate::cli::rbd::table::{Lean, Table};
use crate::exit::Failure;
use crate::printer::{Format, Printer};

pub(super) async fn run(desk: &Desk, format: Format) -> Result<(), Failure> {
    let query = Query {
        all_projects: true,
        ..Query::default()
    };
    let found = desk.control.replications(&desk.context, query).await;
    let found = found.map_err(failed("look at replications"))?;
    match format {
        Format::Json => Printer::json(&found.iter().map(value).collect::<Vec<_>>()),
        Format::Plain => Printer::line(&table(&found).text()),
    }
    Ok(())
}

fn value(relation: &Relation) -> Value {
    json!({
        "volume_id": relation.volume,
        "target": relation.target,
        "primary_site": relation.primary,
        "secondary_site": relation.secondary,
        "state": relation.state.as_str(),
        "position": relation.position.map(|at| at.to_string()),
        "lag_seconds": relation.lag_seconds,
        "lag_bytes": relation.lag_bytes,
        "rpo_target_seconds": relation.rpo_target,
        "rpo_met": relation.rpo_met(),
        "replication_type": relation.replication_type(),
        "in_sync": relation.in_sync,
        "replication_mode": relation.way.map(|way| way.mode().as_str()),
        "snapshot_interval": relation.way.and_then(MirrorWay::interval),
    })
}

fn table(found: &[Relation]) -> Table {
    let mut table = Table::new(&[
        ("VOLUME", Lean::Left),
        ("TARGET", Lean::Left),
        ("LIVES AT", Lean::Left),
        ("STATE", Lean::Left),
        ("LAG SECONDS", Lean::Right),
        ("LAG BYTES", Lean::Right),
        ("RPO", Lean::Left),
    ]);
    for relation in found {
        let rpo = relation
            .rpo_met()
            .map(|met| if met { "met" } else { "missed" });
        table.row([
            relation.volume.to_string(),
            relation.target.clone(),
            relation.primary.clone(),
            relation.state.as_str().to_owned(),
            seconds(relation.lag_seconds),
            cell(relation.lag_bytes),
            cell(rpo),
        ]);
    }
    table
}
