//! `rbd flatten`, `copy`, `deep copy`.

use firebrick_backend::{Backend as _, FaultKind, NewImage};
use firebrick_site::admin::{ToolImage, ToolRequest, ViewOf};
use firebrick_vocabulary::{BLOCK_SIZE, Bytes, ImageId, ImageName, SnapshotName};

use super::args::{CopyArgs, SpecArgs};
use super::error::{EEXIST, ENOENT, failed, fault};
use super::meta::note;
use super::progress::Progress;
use super::site::Rbd;
use super::snap::is_of_mirroring;
use super::spec::Spec;
use super::transfer::discard_half;
use crate::exit::Failure;

/// `rbd flatten`
pub(super) async fn flatten(mut rbd: Rbd, args: &SpecArgs) -> Result<(), Failure> {
    let spec = Spec::of(&rbd.common, args)?;
    let image = rbd.open(spec.only_image()?).await?.id;
    let progress = Progress::new(&rbd.common, "Image flatten");
    let done = rbd.order(ToolRequest::Flatten { image }).await;
    done.map_err(|error| fault("flatten error", &error))?;
    progress.done();
    Ok(())
}

/// The state of an image that a spec means.
async fn state(rbd: &mut Rbd, image: &ToolImage, spec: &Spec) -> Result<ViewOf, Failure> {
    let Some(name) = &spec.snapshot else {
        return Ok(ViewOf::Head);
    };
    let doing = format!("error setting snapshot context: {name}");
    let found = rbd.snapshot(image.id, name).await;
    let found = found.map_err(|error| fault(&doing, &error))?;
    Ok(ViewOf::Snapshot(
        found.ok_or_else(|| failed(&doing, ENOENT))?.name,
    ))
}

async fn free(rbd: &mut Rbd, name: &ImageName, doing: &str) -> Result<(), Failure> {
    let found = rbd.find(name).await;
    match found.map_err(|error| fault(doing, &error))? {
        None => Ok(()),
        Some(_) => Err(failed(doing, EEXIST)),
    }
}

/// `rbd copy`
pub(super) async fn copy(mut rbd: Rbd, args: &CopyArgs) -> Result<(), Failure> {
    const DOING: &str = "error: copy failed";
    let (source, dest) = Spec::two(&rbd.common, &args.specs)?;
    let name = dest.only_image()?.clone();
    let image = rbd.open(source.image()?).await?;
    let state = state(&mut rbd, &image, &source).await?;
    let progress = Progress::new(&rbd.common, "Image copy");
    free(&mut rbd, &name, "Copy failed").await?;
    let request = ToolRequest::Clone {
        id: ImageId::random(),
        name: name.clone(),
        source: image.id,
        state,
        flat: true,
    };
    let done = rbd.order(request).await;
    done.map_err(|error| fault(DOING, &error))?;
    copy_notes(&mut rbd, &image, &name, DOING).await?;
    progress.done();
    Ok(())
}

async fn copy_notes(
    rbd: &mut Rbd,
    image: &ToolImage,
    to: &ImageName,
    doing: &str,
) -> Result<(), Failure> {
    let made = rbd.open(to).await?;
    for (key, value) in &image.metadata {
        note(rbd, &made, key, Some(value.clone()), doing).await?;
    }
    Ok(())
}

/// `rbd deep copy`
pub(super) async fn deep_copy(mut rbd: Rbd, args: &CopyArgs) -> Result<(), Failure> {
    const DOING: &str = "deep copy failed";
    let (source, dest) = Spec::two(&rbd.common, &args.specs)?;
    let name = dest.only_image()?.clone();
    let image = rbd.open(source.image()?).await?;
    let last = state(&mut rbd, &image, &source).await?;
    let progress = Progress::new(&rbd.common, "Image deep copy");
    free(&mut rbd, &name, DOING).await?;
    let taken = rbd.snapshots(image.id).await;
    let mut taken = taken.map_err(|error| fault(DOING, &error))?;
    taken
        .retain(|taken| !taken.divergent && taken.group.is_none() && !is_of_mirroring(&taken.name));
    let protected: Vec<SnapshotName> = taken
        .iter()
        .filter(|taken| taken.protected)
        .map(|taken| taken.name.clone())
        .collect();
    let mut states: Vec<ViewOf> = taken
        .into_iter()
        .map(|taken| ViewOf::Snapshot(taken.name))
        .collect();
    match states.iter().position(|state| *state == last) {
        Some(place) => states.truncate(place + 1),
        None => states.push(last),
    }
    let id = ImageId::random();
    let made = make_deep(&mut rbd, &image, (id, &name), states).await;
    if made.is_err() {
        discard_half(&mut rbd, id).await;
    }
    made?;
    for snapshot in protected {
        let request = ToolRequest::Protect {
            image: id,
            snapshot,
            protected: true,
        };
        match rbd.order(request).await {
            // It lies behind the snapshot that was copied.
            Err(error) if error.kind == FaultKind::NotFound => {}
            done => done.map_err(|error| fault(DOING, &error))?,
        }
    }
    copy_notes(&mut rbd, &image, &name, DOING).await?;
    progress.done();
    Ok(())
}

/// The states of an image one after the other, each with a snapshot where it is one.
async fn make_deep(
    rbd: &mut Rbd,
    image: &ToolImage,
    (id, name): (ImageId, &ImageName),
    states: Vec<ViewOf>,
) -> Result<(), Failure> {
    let failed_with = |error| fault("deep copy failed", &error);
    let new = NewImage {
        id,
        name: name.clone(),
        size: Bytes::ZERO,
        origin: None,
        mirrored: false,
    };
    rbd.backend.create_image(new).await.map_err(failed_with)?;
    let mut older = None;
    let mut known = Bytes::ZERO;
    for state in states {
        let snapshot = match &state {
            ViewOf::Snapshot(name) => Some(name.clone()),
            ViewOf::Head | ViewOf::At(_) => None,
        };
        let (view, size) = rbd.view(image.id, state).await.map_err(failed_with)?;
        if size != known {
            let request = ToolRequest::Resize { image: id, size };
            rbd.order(request).await.map_err(failed_with)?;
            known = size;
        }
        difference(rbd, (view, older), (id, size)).await?;
        if let Some(view) = older.replace(view) {
            rbd.order(ToolRequest::Close { view })
                .await
                .map_err(failed_with)?;
        }
        if let Some(name) = snapshot {
            let taken = rbd.backend.create_snapshot(id, name).await;
            taken.map_err(failed_with)?;
        }
    }
    rbd.order(ToolRequest::Flush).await.map_err(failed_with)
}

/// Writes what differs between two views into an image.
async fn difference(
    rbd: &mut Rbd,
    (view, older): (u32, Option<u32>),
    (image, size): (ImageId, Bytes),
) -> Result<(), Failure> {
    let failed_with = |error| fault("deep copy failed", &error);
    let mut next = Some(0);
    while let Some(from) = next {
        let part = rbd.changes(view, older, from, true).await;
        let (part, bytes) = part.map_err(failed_with)?;
        let mut rest = bytes.as_slice();
        for run in part.runs {
            let (offset, len) = (run.block * BLOCK_SIZE, run.blocks * BLOCK_SIZE);
            if offset >= size.0 {
                continue;
            }
            if !run.data {
                let len = len.min(size.0 - offset);
                let request = ToolRequest::Discard { image, offset, len };
                rbd.order(request).await.map_err(failed_with)?;
                continue;
            }
            let (data, behind) = rest.split_at(len as usize);
            rest = behind;
            let len = data.len();
            let request = ToolRequest::Write { image, offset, len };
            rbd.transfer(request, data).await.map_err(failed_with)?;
        }
        next = part.next;
    }
    Ok(())
}
