//! Checkpoints: the whole state at one position, so that recovery need not read all of the log.
//!
//! A file is a header block, then the maps' leaves and nodes, each once however many maps share it,
//! then everything else as JSON. It is written under another name, synced, renamed, and its folder
//! synced, before an older one may go. A checkpoint that does not load is passed over for the one
//! before: the log still has everything.

mod read;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;

use firebrick_edge::Disk;
use firebrick_vocabulary::{ImageId, Sequence, StoreId};
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::error::Error;
use crate::state::{ImageMeta, SnapshotMeta, State, Window};

const FOLDER: &str = "checkpoints";
const SUFFIX: &str = ".ckpt";
const MAGIC: &[u8; 4] = b"FBCK";
const VERSION: u32 = 1;
const HEADER_LEN: u64 = 512;
/// Checkpoints that stay in any case.
const NEWEST: usize = 2;

/// What of a state is no leaf and no node.
#[derive(Serialize, Deserialize)]
struct Document {
    sequence: Sequence,
    applied: BTreeMap<StoreId, Sequence>,
    removed: BTreeMap<ImageId, Window>,
    images: Vec<ImageDocument>,
}

#[derive(Serialize, Deserialize)]
struct ImageDocument {
    meta: ImageMeta,
    map: MapDocument,
    snapshots: Vec<(SnapshotMeta, MapDocument)>,
}

/// A map: its mapped blocks and its nodes, 0 for none.
#[derive(Serialize, Deserialize)]
struct MapDocument {
    mapped: u64,
    nodes: Vec<u32>,
}

/// Makes the folder, durably.
pub(crate) fn prepare(disk: &Arc<dyn Disk>) -> Result<(), Error> {
    const DOING: &str = "make the folder of checkpoints";
    disk.create_dir(FOLDER)
        .map_err(|error| Error::io(DOING, &error))?;
    disk.sync_dir("").map_err(|error| Error::io(DOING, &error))
}

/// Writes a checkpoint of `state`; everything in it is durable in the log already.
pub(crate) fn save(disk: &Arc<dyn Disk>, state: &State) -> Result<(), Error> {
    let io = |error| Error::io("write a checkpoint", &error);
    let beside = format!("{FOLDER}/new");
    let written = match disk.create(&beside) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            disk.remove(&beside).and_then(|()| disk.create(&beside))
        }
        other => other,
    };
    write::write(&*written.map_err(io)?, state)?;
    disk.rename(&beside, &path(state.sequence)).map_err(io)?;
    disk.sync_dir(FOLDER).map_err(io)
}

/// The newest checkpoint that loads, of those at or before `upto`.
pub(crate) fn newest(disk: &Arc<dyn Disk>, upto: Option<Sequence>) -> Result<Option<State>, Error> {
    for sequence in list(disk)?.into_iter().rev() {
        if upto.is_some_and(|upto| sequence > upto) {
            continue;
        }
        let io = |error| Error::io("read a checkpoint", &error);
        let file = disk.open(&path(sequence)).map_err(io)?;
        match read::read(&*file) {
            Ok(state) => return Ok(Some(state)),
            Err(error) => {
                warn!(%sequence, %error, "a checkpoint does not load; taking the one before");
            }
        }
    }
    Ok(None)
}

/// Removes checkpoints that nobody needs: all but the newest ones and the one from which a state at
/// `keep` is built.
pub(crate) fn retire(disk: &Arc<dyn Disk>, keep: Option<Sequence>) -> Result<(), Error> {
    let all = list(disk)?;
    let base = all
        .iter()
        .rev()
        .find(|sequence| keep.is_some_and(|keep| **sequence <= keep));
    let old = &all[..all.len().saturating_sub(NEWEST)];
    for sequence in old.iter().filter(|sequence| Some(*sequence) != base) {
        let removed = disk.remove(&path(*sequence));
        removed.map_err(|error| Error::io("remove an old checkpoint", &error))?;
    }
    Ok(())
}

fn path(sequence: Sequence) -> String {
    format!("{FOLDER}/{:020}{SUFFIX}", sequence.0)
}

fn list(disk: &Arc<dyn Disk>) -> Result<Vec<Sequence>, Error> {
    let names = disk
        .list(FOLDER)
        .map_err(|error| Error::io("list checkpoints", &error))?;
    let mut found: Vec<Sequence> = names
        .iter()
        .filter_map(|name| name.strip_suffix(SUFFIX)?.parse().ok())
        .map(Sequence)
        .collect();
    found.sort_unstable();
    Ok(found)
}
