//! Reading a checkpoint.

use std::sync::Arc;

use firebrick_edge::DiskFile;
use firebrick_log::{Checksum, Location};
use parking_lot::RwLock;

use super::{Document, HEADER_LEN, MAGIC, MapDocument, VERSION};
use crate::error::{Error, ErrorKind};
use crate::map::{BlockMap, Entry, FANOUT, Leaf, Node};
use crate::state::{ImageState, Snapshot, State};

const DOING: &str = "read a checkpoint";
const LEAF_LEN: usize = FANOUT * 12;
const NODE_LEN: usize = FANOUT * 4;

/// Reads a whole checkpoint, or says why it is none.
pub(super) fn read(file: &dyn DiskFile) -> Result<State, Error> {
    let io = |error| Error::io(DOING, &error);
    let len = file.len().map_err(io)?;
    if len < HEADER_LEN {
        return Err(damaged("it is too short"));
    }
    let mut header = [0; HEADER_LEN as usize];
    file.read_at(&mut header, 0).map_err(io)?;
    if &header[..4] != MAGIC || number(&header, 28) != crc32c::crc32c(&header[..28]) {
        return Err(damaged("its header is not whole"));
    }
    if number(&header, 4) != VERSION {
        return Err(damaged("it was written by another release"));
    }
    let mut body = vec![0; (len - HEADER_LEN) as usize];
    file.read_at(&mut body, HEADER_LEN).map_err(io)?;
    if number(&header, 24) != crc32c::crc32c(&body) {
        return Err(damaged("its checksum does not fit"));
    }
    let leaves_len = number(&header, 8) as usize * LEAF_LEN;
    let nodes_len = number(&header, 12) as usize * NODE_LEN;
    let Some((leaves, rest)) = body.split_at_checked(leaves_len) else {
        return Err(damaged("leaves are missing"));
    };
    let Some((nodes, text)) = rest.split_at_checked(nodes_len) else {
        return Err(damaged("nodes are missing"));
    };
    let leaves: Vec<Arc<Leaf>> = leaves.chunks_exact(LEAF_LEN).map(leaf).collect();
    let nodes: Result<Vec<_>, _> = nodes
        .chunks_exact(NODE_LEN)
        .map(|n| node(n, &leaves))
        .collect();
    let document: Document = serde_json::from_slice(text)
        .map_err(|error| Error::new(ErrorKind::Damaged, DOING, error.to_string()))?;
    state(document, &nodes?)
}

fn state(document: Document, nodes: &[Arc<Node>]) -> Result<State, Error> {
    let mut state = State {
        sequence: document.sequence,
        applied: document.applied,
        removed: document.removed,
        images: std::collections::BTreeMap::new(),
    };
    for image in document.images {
        let mut snapshots = Vec::new();
        for (meta, map) in image.snapshots {
            snapshots.push(Snapshot {
                meta,
                map: block_map(&map, nodes)?,
            });
        }
        let map = block_map(&image.map, nodes)?;
        let id = image.meta.id;
        let image = ImageState {
            meta: image.meta,
            map,
            snapshots,
            removed: false,
        };
        state.images.insert(id, Arc::new(RwLock::new(image)));
    }
    Ok(state)
}

fn block_map(document: &MapDocument, nodes: &[Arc<Node>]) -> Result<BlockMap, Error> {
    let nodes: Result<Vec<_>, Error> = document
        .nodes
        .iter()
        .map(|number| pick(*number, nodes))
        .collect();
    Ok(BlockMap {
        nodes: Arc::new(nodes?),
        mapped: document.mapped,
    })
}

fn leaf(bytes: &[u8]) -> Arc<Leaf> {
    let mut leaf = Leaf::EMPTY;
    for (i, raw) in bytes.chunks_exact(12).enumerate() {
        let at = Location {
            segment: number(raw, 0),
            unit: number(raw, 4),
        };
        leaf.entries[i] = Entry {
            at,
            checksum: Checksum(number(raw, 8)),
        };
    }
    leaf.mapped = leaf.entries.iter().filter(|entry| entry.is_some()).count() as u32;
    Arc::new(leaf)
}

fn node(bytes: &[u8], leaves: &[Arc<Leaf>]) -> Result<Arc<Node>, Error> {
    let mut node = Node::EMPTY;
    for (i, raw) in bytes.chunks_exact(4).enumerate() {
        node.leaves[i] = pick(number(raw, 0), leaves)?;
    }
    Ok(Arc::new(node))
}

/// What has that number, counted from 1; nothing for 0.
fn pick<T>(number: u32, all: &[Arc<T>]) -> Result<Option<Arc<T>>, Error> {
    match number.checked_sub(1) {
        None => Ok(None),
        Some(index) => match all.get(index as usize) {
            Some(found) => Ok(Some(Arc::clone(found))),
            None => Err(damaged("it refers to what it does not hold")),
        },
    }
}

fn number(bytes: &[u8], at: usize) -> u32 {
    let mut raw = [0; 4];
    raw.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(raw)
}

fn damaged(why: &str) -> Error {
    Error::new(ErrorKind::Damaged, DOING, why)
}
