//! `rbd du`.

use firebrick_backend::Fault;
use firebrick_site::admin::{ToolImage, ToolReply, ToolRequest, ToolSnapshot, ViewOf};
use firebrick_vocabulary::Bytes;

use super::args::{Common, DuArgs};
use super::doc::Doc;
use super::error::{ENOENT, fault, refuse};
use super::look::short_id;
use super::site::{Rbd, confused};
use super::spec::{POOL, Spec};
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
    fn doc(&self) -> Doc {
        let mut row = Doc::map([("name", (&self.name).into()), ("id", (&self.id).into())]);
        if let Some(snapshot) = &self.snapshot {
            row.put("snapshot", &snapshot.name);
            row.put("snapshot_id", snapshot.id);
        }
        row.put("provisioned_size", self.provisioned);
        row.put("used_size", self.used);
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
    let (spec, namespace) = scope(&rbd.common, args)?;
    let images = match &spec.image {
        None => rbd.images_in(&namespace).await?,
        Some(name) => {
            let found = rbd
                .find(name)
                .await
                .map_err(|error| fault("du failed", &error))?;
            vec![found.ok_or_else(|| {
                let missing = format!("specified image {} is not found.", name.base());
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

/// What is measured: an image or snapshot, or all images of a namespace. `POOL/` names a pool, and so
/// does a word without a slash where there is an option for the image beside it.
fn scope(common: &Common, args: &DuArgs) -> Result<(Spec, String), Failure> {
    if let [word] = args.spec.words.as_slice()
        && (word.ends_with('/') || word == POOL)
        && args.spec.image.is_none()
    {
        return Ok((Spec::default(), common.pool_word(Some(word))?));
    }
    let spec = Spec::of(common, &args.spec)?;
    Ok((spec, common.pool_word(None)?))
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
    if rbd.structured() {
        let images = Doc::list("image", rows.iter().map(Row::doc));
        let mut stats = Doc::map([("images", images)]);
        if spec.image.is_none() {
            stats.put("total_provisioned_size", provisioned);
            stats.put("total_used_size", used);
        }
        return rbd.print("stats", &stats);
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
            name: image.name.base().to_owned(),
            id: short_id(image.id),
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
