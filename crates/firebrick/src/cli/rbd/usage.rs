//! `rbd du`.

use firebrick_backend::Fault;
use firebrick_site::admin::{ToolImage, ToolReply, ToolRequest, ToolSnapshot, ViewOf};
use firebrick_vocabulary::SnapshotName;

use super::args::{Common, DuArgs};
use super::error::{ENOENT, fault, refuse};
use super::look::short_id;
use super::show;
use super::show::usage::{Asked, Row, merged};
use super::site::{Rbd, confused};
use super::spec::{POOL, Spec};
use crate::exit::Failure;

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
        let wanted = spec.snapshot.as_ref().map(SnapshotName::as_str);
        let is_it = |row: &Row| row.snapshot.as_ref().map(|(name, _)| name.as_str()) == wanted;
        if wanted.is_some() && !found.iter().any(is_it) {
            let text =
                "specified snapshot is not found.\nrbd: du failed: (2) No such file or directory";
            return Err(refuse(ENOENT, text));
        }
        if args.merge_snapshots {
            found = merged(found);
        }
        rows.extend(found);
    }
    let asked = match (&spec.image, &spec.snapshot) {
        (None, _) => Asked::Pool,
        (Some(_), None) => Asked::Image,
        (Some(_), Some(_)) => Asked::Snapshot,
    };
    show::usage::print(&rbd.common, asked, &rows);
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
            snapshot: snapshot.map(|taken| (taken.name.to_string(), taken.id.0)),
            provisioned,
            used,
        });
    }
    if let Some(view) = older {
        rbd.order(ToolRequest::Close { view }).await?;
    }
    Ok(rows)
}
