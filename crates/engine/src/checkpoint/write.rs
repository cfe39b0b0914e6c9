//! Writing a checkpoint.

use std::collections::HashMap;
use std::io::IoSlice;
use std::sync::Arc;

use firebrick_edge::DiskFile;

use super::{Document, HEADER_LEN, ImageDocument, MAGIC, MapDocument, VERSION};
use crate::error::{Error, ErrorKind};
use crate::map::{BlockMap, Leaf, Node};
use crate::state::State;

const DOING: &str = "write a checkpoint";
const BUFFER: usize = 1 << 20;

struct Writer<'a> {
    file: &'a dyn DiskFile,
    offset: u64,
    checksum: u32,
    buffer: Vec<u8>,
    /// The numbers of what has been written, by address; they count from 1.
    leaves: HashMap<*const Leaf, u32>,
    nodes: HashMap<*const Node, u32>,
    node_table: Vec<u8>,
}

/// Writes `state` and syncs it.
pub(super) fn write(file: &dyn DiskFile, state: &State) -> Result<(), Error> {
    let mut writer = Writer {
        file,
        offset: HEADER_LEN,
        checksum: 0,
        buffer: Vec::with_capacity(BUFFER),
        leaves: HashMap::new(),
        nodes: HashMap::new(),
        node_table: Vec::new(),
    };
    let mut images = Vec::new();
    for cell in state.images.values() {
        let image = cell.read();
        let mut snapshots = Vec::new();
        for snapshot in &image.snapshots {
            snapshots.push((snapshot.meta.clone(), writer.map(&snapshot.map)?));
        }
        let map = writer.map(&image.map)?;
        images.push(ImageDocument {
            meta: image.meta.clone(),
            map,
            snapshots,
        });
    }
    let document = Document {
        sequence: state.sequence,
        applied: state.applied.clone(),
        removed: state.removed.clone(),
        images,
    };
    let text = serde_json::to_vec(&document)
        .map_err(|error| Error::new(ErrorKind::Invalid, DOING, error.to_string()))?;
    let nodes = std::mem::take(&mut writer.node_table);
    writer.put(&nodes)?;
    writer.put(&text)?;
    writer.finish(text.len() as u64)
}

impl Writer<'_> {
    fn map(&mut self, map: &BlockMap) -> Result<MapDocument, Error> {
        let mut nodes = Vec::with_capacity(map.nodes.len());
        for node in map.nodes.iter() {
            nodes.push(match node {
                Some(node) => self.node(node)?,
                None => 0,
            });
        }
        Ok(MapDocument {
            mapped: map.mapped,
            nodes,
        })
    }

    fn node(&mut self, node: &Arc<Node>) -> Result<u32, Error> {
        if let Some(number) = self.nodes.get(&Arc::as_ptr(node)) {
            return Ok(*number);
        }
        for leaf in &node.leaves {
            let number = match leaf {
                Some(leaf) => self.leaf(leaf)?,
                None => 0,
            };
            self.node_table.extend_from_slice(&number.to_le_bytes());
        }
        let number = self.nodes.len() as u32 + 1;
        self.nodes.insert(Arc::as_ptr(node), number);
        Ok(number)
    }

    fn leaf(&mut self, leaf: &Arc<Leaf>) -> Result<u32, Error> {
        if let Some(number) = self.leaves.get(&Arc::as_ptr(leaf)) {
            return Ok(*number);
        }
        let mut bytes = Vec::with_capacity(leaf.entries.len() * 12);
        for entry in &leaf.entries {
            bytes.extend_from_slice(&entry.at.segment.to_le_bytes());
            bytes.extend_from_slice(&entry.at.unit.to_le_bytes());
            bytes.extend_from_slice(&entry.checksum.0.to_le_bytes());
        }
        self.put(&bytes)?;
        let number = self.leaves.len() as u32 + 1;
        self.leaves.insert(Arc::as_ptr(leaf), number);
        Ok(number)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER {
            self.drain()
        } else {
            Ok(())
        }
    }

    fn drain(&mut self) -> Result<(), Error> {
        self.checksum = crc32c::crc32c_append(self.checksum, &self.buffer);
        let written = self
            .file
            .write_at(&[IoSlice::new(&self.buffer)], self.offset);
        written.map_err(|error| Error::io(DOING, &error))?;
        self.offset += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    fn finish(mut self, text_len: u64) -> Result<(), Error> {
        self.drain()?;
        let mut header = [0; HEADER_LEN as usize];
        header[..4].copy_from_slice(MAGIC);
        header[4..8].copy_from_slice(&VERSION.to_le_bytes());
        header[8..12].copy_from_slice(&(self.leaves.len() as u32).to_le_bytes());
        header[12..16].copy_from_slice(&(self.nodes.len() as u32).to_le_bytes());
        header[16..24].copy_from_slice(&text_len.to_le_bytes());
        header[24..28].copy_from_slice(&self.checksum.to_le_bytes());
        let checksum = crc32c::crc32c(&header[..28]);
        header[28..32].copy_from_slice(&checksum.to_le_bytes());
        let io = |error| Error::io(DOING, &error);
        self.file
            .write_at(&[IoSlice::new(&header)], 0)
            .map_err(io)?;
        // Before the rename: a name must never stand for less than the whole.
        self.file.sync().map_err(io)
    }
}
