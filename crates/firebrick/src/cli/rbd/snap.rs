//! `rbd snap …`.

use firebrick_backend::Backend as _;
use serde_json::{Value, json};

use super::args::{SnapLsArgs, SpecArgs};
use super::at::ctime;
use super::error::{EEXIST, ENOENT, failed, fault};
use super::progress::Progress;
use super::site::Rbd;
use super::spec::Spec;
use super::table::{Lean, Table};
use crate::exit::Failure;
use crate::printer::Printer;

/// `rbd snap create`
pub(super) async fn create(mut rbd: Rbd, args: &SpecArgs) -> Result<(), Failure> {
    const DOING: &str = "failed to create snapshot";
    let spec = Spec::of(&rbd.common, args)?;
    let name = spec.snapshot()?.clone();
    let image = rbd.open(spec.image()?).await?;
    let progress = Progress::new(&rbd.common, "Creating snap");
    let there = rbd.snapshot(image.id, &name).await;
    if there.map_err(|error| fault(DOING, &error))?.is_some() {
        return Err(failed(DOING, EEXIST));
    }
    let taken = rbd.backend.create_snapshot(image.id, name).await;
    taken.map_err(|error| fault(DOING, &error))?;
    progress.done();
    Ok(())
}

/// `rbd snap rm`
pub(super) async fn remove(mut rbd: Rbd, args: &SpecArgs) -> Result<(), Failure> {
    const DOING: &str = "failed to remove snapshot";
    let spec = Spec::of(&rbd.common, args)?;
    let name = spec.snapshot()?.clone();
    let image = rbd.open(spec.image()?).await?;
    let progress = Progress::new(&rbd.common, "Removing snap");
    let there = rbd.snapshot(image.id, &name).await;
    if there.map_err(|error| fault(DOING, &error))?.is_none() {
        return Err(failed(DOING, ENOENT));
    }
    let removed = rbd.backend.remove_snapshot(image.id, name).await;
    removed.map_err(|error| fault(DOING, &error))?;
    progress.done();
    Ok(())
}

/// `rbd snap purge`
pub(super) async fn purge(mut rbd: Rbd, args: &SpecArgs) -> Result<(), Failure> {
    const DOING: &str = "removing snaps failed";
    let spec = Spec::of(&rbd.common, args)?;
    let image = rbd.open(spec.only_image()?).await?;
    let taken = rbd.snapshots(image.id).await;
    let taken = taken.map_err(|error| fault(DOING, &error))?;
    if taken.is_empty() {
        return Ok(());
    }
    let mut progress = Progress::new(&rbd.common, "Removing all snapshots");
    let total = taken.len() as u64;
    for (i, snapshot) in taken.into_iter().enumerate() {
        let removed = rbd.backend.remove_snapshot(image.id, snapshot.name).await;
        removed.map_err(|error| fault(DOING, &error))?;
        progress.at(i as u64 + 1, total);
    }
    progress.done();
    Ok(())
}

/// `rbd snap rollback`
pub(super) async fn roll_back(mut rbd: Rbd, args: &SpecArgs) -> Result<(), Failure> {
    const DOING: &str = "rollback failed";
    let spec = Spec::of(&rbd.common, args)?;
    let name = spec.snapshot()?.clone();
    let image = rbd.open(spec.image()?).await?;
    let progress = Progress::new(&rbd.common, "Rolling back to snapshot");
    let done = rbd.backend.roll_back(image.id, name).await;
    done.map_err(|error| fault(DOING, &error))?;
    progress.done();
    Ok(())
}

/// `rbd snap ls`
pub(super) async fn list(mut rbd: Rbd, args: &SnapLsArgs) -> Result<(), Failure> {
    let spec = Spec::of(&rbd.common, &args.spec)?;
    let image = rbd.open(spec.only_image()?).await?;
    let taken = rbd.snapshots(image.id).await;
    let taken = taken.map_err(|error| fault("failed to list snapshots", &error))?;
    let namespace = |divergent: bool| if divergent { "divergent" } else { "user" };
    if rbd.json() {
        let row = |taken: &firebrick_site::admin::ToolSnapshot| {
            let mut row = json!({
                "id": taken.id, "name": taken.name, "size": taken.size,
                "protected": "false", "timestamp": ctime(taken.time),
            });
            if args.all {
                row["namespace"] = json!({"type": namespace(taken.divergent)});
            }
            row
        };
        let rows: Vec<Value> = taken.iter().map(row).collect();
        rbd.print_json(&rows);
        return Ok(());
    }
    let mut columns = vec![
        ("SNAPID", Lean::Right),
        ("NAME", Lean::Left),
        ("SIZE", Lean::Right),
        ("PROTECTED", Lean::Left),
        ("TIMESTAMP", Lean::Left),
    ];
    if args.all {
        columns.push(("NAMESPACE", Lean::Left));
    }
    let mut table = Table::new(&columns);
    for taken in taken {
        let cells = [
            taken.id.to_string(),
            taken.name.to_string(),
            taken.size.to_string(),
            String::new(),
            ctime(taken.time),
        ];
        if args.all {
            let [id, name, size, protected, time] = cells;
            let namespace = namespace(taken.divergent).to_owned();
            table.row([id, name, size, protected, time, namespace]);
        } else {
            table.row(cells);
        }
    }
    if !table.is_empty() {
        Printer::line(&table.text());
    }
    Ok(())
}
