//! `rbd du`.

use firebrick_backend::Fault;
use firebrick_site::admin::{ToolImage, ToolReply, ToolRequest, ToolSnapshot, ViewOf};
use firebrick_vocabulary::Bytes;
use serde_json::{Value, json};

use super::args::DuArgs;
use super::error::{ENOENT, fault, refuse};
use super::look::short_id;
use super::site::{Rbd, confused};
use super::spec::Spec;
use super::table::{Lean, Table};
use crate::exit::Failure;
use crate::printer::Printer;

/// An image or a snapshot, and what it takes beyond the snapshot before it.
struct Row {
    name: String,
    id: String,
    snapshot: Option<ToolSnapshot>,
    provisioned: Bytes,
    used: Bytes,
}

impl Row {
    fn json(&self) -> Value {
        let mut row = json!({"name": self.name, "id": self.id});
        if let Some(snapshot) = &self.snapshot {
            row["snapshot"] = json!(snapshot.name);
            row["snapshot_id"] = json!(snapshot.id);
        }
        row["provisioned_size"] = json!(self.provisioned);
        row["used_size"] = json!(self.used);
        row
    }

    fn cells(&self) -> [String; 3] {
        let name = match &self.snapshot {
            Some(snapshot) => format!("{}@{}", self.name, snapshot.name),
            None => self.name.clone(),
        };
        [name, self.provisioned.to_string(), self.used.to_string()]
    }
}

/// `rbd du`
pub(super) async fn run(mut rbd: Rbd, args: &DuArgs) -> Result<(), Failure> {
    let spec = Spec::of(&rbd.common, &args.spec)?;
    let images = match &spec.image {
        None => rbd.images().await?,
        Some(name) => {
            let found = rbd
                .find(name)
                .await
                .map_err(|error| fault("du failed", &error))?;
            vec![found.ok_or_else(|| {
                let missing = format!("specified image {name} is not found.");
                refuse(
                    ENOENT,
                    format!("{missing}\nrbd: du failed: (2) No such file or directory"),
                )
            })?]
        }
    };
    let mut rows = Vec::new();
    for image in images {
        let found = measure(&mut rbd, &image, &spec).await;
        let mut found = found.map_err(|error| fault("du failed", &error))?;
        let named = |row: &Row| row.snapshot.as_ref().map(|taken| taken.name.clone());
        if spec.snapshot.is_some() && !found.iter().any(|row| named(row) == spec.snapshot) {
            let text =
                "specified snapshot is not found.\nrbd: du failed: (2) No such file or directory";
            return Err(refuse(ENOENT, text));
        }
        if args.merge_snapshots
            && let Some(mut last) = found.pop()
        {
            last.used.0 += found.iter().map(|row| row.used.0).sum::<u64>();
            found = vec![last];
        }
        rows.extend(found);
    }
    print(&rbd, &spec, &rows);
    Ok(())
}

fn print(rbd: &Rbd, spec: &Spec, rows: &[Row]) {
    // Snapshots share the room that is promised with their image.
    let counts = |row: &&Row| row.snapshot.is_none() || spec.snapshot.is_some();
    let provisioned: u64 = rows
        .iter()
        .filter(counts)
        .map(|row| row.provisioned.0)
        .sum();
    let used: u64 = rows.iter().map(|row| row.used.0).sum();
    if rbd.json() {
        let images: Vec<Value> = rows.iter().map(Row::json).collect();
        let mut value = json!({"images": images});
        if spec.image.is_none() {
            value["total_provisioned_size"] = json!(provisioned);
            value["total_used_size"] = json!(used);
        }
        return rbd.print_json(&value);
    }
    let mut table = Table::new(&[
        ("NAME", Lean::Left),
        ("PROVISIONED", Lean::Right),
        ("USED", Lean::Right),
    ]);
    for row in rows {
        table.row(row.cells());
    }
    if rows.len() > 1 {
        let total = [Bytes(provisioned).to_string(), Bytes(used).to_string()];
        let [provisioned, used] = total;
        table.row(["<TOTAL>".to_owned(), provisioned, used]);
    }
    if !table.is_empty() {
        Printer::line(&table.text());
    }
}

/// The snapshots of an image, up to the one that is asked for, and without one the image itself.
async fn measure(rbd: &mut Rbd, image: &ToolImage, spec: &Spec) -> Result<Vec<Row>, Fault> {
    let mut states: Vec<Option<ToolSnapshot>> = if image.snapshots == 0 {
        Vec::new()
    } else {
        let taken = rbd.snapshots(image.id).await?;
        taken.into_iter().map(Some).collect()
    };
    let named = |taken: &ToolSnapshot| Some(&taken.name) == spec.snapshot.as_ref();
    match states
        .iter()
        .position(|taken| taken.as_ref().is_some_and(named))
    {
        Some(last) => states.truncate(last + 1),
        None => states.push(None),
    }
    let mut rows = Vec::new();
    let mut older = None;
    for snapshot in states {
        let state = match &snapshot {
            Some(snapshot) => ViewOf::Snapshot(snapshot.name.clone()),
            None => ViewOf::Head,
        };
        let (view, provisioned) = rbd.view(image.id, state).await?;
        let used = match rbd.call(ToolRequest::Used { view, older }).await? {
            ToolReply::Size(used) => used,
            other => return Err(confused(&other)),
        };
        if let Some(older) = older.replace(view) {
            rbd.order(ToolRequest::Close { view: older }).await?;
        }
        rows.push(Row {
            name: image.name.to_string(),
            id: short_id(image),
            snapshot,
            provisioned,
            used,
        });
    }
    if let Some(view) = older {
        rbd.order(ToolRequest::Close { view }).await?;
    }
    Ok(rows)
}
