//! `du`.

use std::sync::Arc;

use firebrick_ceph::tool::{ImageAt, OpenImage, OpenPool, SnapOf};
use firebrick_vocabulary::Bytes;

use super::names::FAST_DIFF;
use super::site::{Ceph, Doing as _, trouble};
use super::spec::{Place, Spec};
use crate::cli::rbd::args::{DuArgs, PoolArgs};
use crate::cli::rbd::error::{ENOENT, failed, refuse};
use crate::cli::rbd::show;
use crate::cli::rbd::show::usage::{Asked, Row, merged};
use crate::exit::Failure;
use crate::printer::Printer;

const DOING: &str = "du failed";

/// `rbd du`
pub(super) fn run(ceph: &Ceph, args: &DuArgs) -> Result<(), Failure> {
    let spec = scope(ceph, args)?;
    let pool = ceph.pool(&spec.place)?;
    let images = pool.images().doing(DOING)?;
    let named = images
        .into_iter()
        .filter(|(name, _)| spec.maybe_image().is_none_or(|named| named == name));
    let named: Vec<(String, String)> = named.collect();
    let missing = |what: String| {
        let failed = failed(DOING, ENOENT);
        refuse(ENOENT, format!("{what}\n{failed}"))
    };
    if let (true, Some(name)) = (named.is_empty(), spec.maybe_image()) {
        return Err(missing(format!("specified image {name} is not found.")));
    }
    let mut rows = Vec::new();
    for (name, id) in named {
        let Some(image) = opened(&pool, &name)? else {
            continue;
        };
        warn(&image, &name)?;
        let found = measure(&image, &name, &id, &spec, args.exact)?;
        let is_it = |row: &Row| {
            let snapshot = row.snapshot.as_ref().map(|(name, _)| name.as_str());
            snapshot == spec.maybe_snapshot()
        };
        if !found.iter().any(is_it) {
            return Err(missing("specified snapshot is not found.".to_owned()));
        }
        rows.extend(if args.merge_snapshots {
            merged(found)
        } else {
            found
        });
    }
    let asked = match (spec.maybe_image(), spec.maybe_snapshot()) {
        (None, _) => Asked::Pool,
        (Some(_), None) => Asked::Image,
        (Some(_), Some(_)) => Asked::Snapshot,
    };
    show::usage::print(&ceph.common, asked, &rows);
    Ok(())
}

/// What is measured: an image or snapshot, or with `POOL/` all of a pool.
fn scope(ceph: &Ceph, args: &DuArgs) -> Result<Spec, Failure> {
    if let [word] = args.spec.words.as_slice()
        && word.ends_with('/')
    {
        let word = Some(word.clone());
        let place = Place::of_pool(&ceph.common, &PoolArgs { word })?;
        return Spec::within(place, None, None);
    }
    Spec::of(&ceph.common, &args.spec)
}

/// The image; nothing where it was removed meanwhile.
fn opened(pool: &Arc<OpenPool>, name: &str) -> Result<Option<OpenImage>, Failure> {
    match pool.look(ImageAt::Name(name)) {
        Ok(image) => Ok(Some(image)),
        Err(error) if error.errno() == i32::from(ENOENT) => Ok(None),
        Err(error) => Err(trouble(&format!("error opening {name}"), &error)),
    }
}

/// Says what will take its time.
fn warn(image: &OpenImage, name: &str) -> Result<(), Failure> {
    const INVALID: u64 = 1 << 1;
    if image.features().doing(DOING)? & FAST_DIFF == 0 {
        Printer::note(&format!(
            "warning: fast-diff map is not enabled for {name}. operation may be slow."
        ));
    } else if image.flags().doing(DOING)? & INVALID != 0 {
        Printer::note(&format!(
            "warning: fast-diff map is invalid for {name}. operation may be slow."
        ));
    }
    Ok(())
}

/// The snapshots of an image, up to the one that is asked for, and without one the image itself.
fn measure(
    image: &OpenImage,
    name: &str,
    id: &str,
    spec: &Spec,
    exact: bool,
) -> Result<Vec<Row>, Failure> {
    let size = image.size().doing(DOING)?;
    let mut states: Vec<(Option<(String, u64)>, u64)> = Vec::new();
    let mut is_asked = false;
    for taken in image.snapshots().doing(DOING)? {
        if taken.of == SnapOf::User && !is_asked {
            is_asked = Some(taken.name.as_str()) == spec.maybe_snapshot();
            states.push((Some((taken.name, taken.id)), taken.size));
        }
    }
    if spec.maybe_snapshot().is_none() {
        states.push((None, size));
    }
    let mut rows = Vec::new();
    let mut since: Option<String> = None;
    for (snapshot, provisioned) in states {
        let here = snapshot.as_ref().map(|(name, _)| name.clone());
        image.look_at(here.as_deref()).doing(DOING)?;
        let used = image.used(since.as_deref(), exact).doing(DOING)?;
        since = here;
        rows.push(Row {
            name: name.to_owned(),
            id: id.to_owned(),
            snapshot,
            provisioned: Bytes(provisioned),
            used: Bytes(used),
        });
    }
    Ok(rows)
}
