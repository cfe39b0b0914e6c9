//! Two stores without a network: what one of them gets of the other's log.

#![allow(
    clippy::unwrap_used,
    dead_code,
    reason = "a test that cannot go on fails, and not every one needs all of this"
)]

use std::sync::Arc;

use firebrick_edge::{Disk, RealDisk, SystemClock};
use firebrick_engine::{ErrorKind, NewImage, PeerRecord, Store, StoreOptions, Write};
use firebrick_log::{Change, FrameRecord};
use firebrick_vocabulary::{Bytes, ImageId, ImageName, MIB, Sequence, StoreId};
use tempfile::TempDir;

pub(crate) const BLOCK: usize = 4096;

pub(crate) fn open(folder: &TempDir) -> Arc<Store> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::new(folder.path()).unwrap());
    let options = StoreOptions {
        segment_bytes: MIB,
        checkpoint_bytes: 64 * MIB,
        ..StoreOptions::default()
    };
    if Store::create(&disk, StoreId::random(), &options).is_err() {
        // It is there already.
    }
    Store::open(disk, Arc::new(SystemClock::new()), options).unwrap()
}

/// Brings `to` up to what `from` has, one frame at a time, at most up to record `limit`.
pub(crate) fn pull(from: &Store, to: &Store, limit: Sequence) {
    let mut reader = from.reader(to.applied(from.id()).next()).unwrap();
    while let Some(frame) = reader.next_frame().unwrap() {
        if frame.position.sequence > limit {
            break;
        }
        let mut buffers = Vec::new();
        for record in &frame.records {
            if let FrameRecord::Data { blocks, at, .. } = record {
                let mut buffer = vec![0; *blocks as usize * BLOCK];
                from.read_log(*at, &mut buffer).unwrap();
                buffers.push(buffer);
            }
        }
        let mut data = buffers.iter();
        let mut records = Vec::new();
        for (i, record) in frame.records.iter().enumerate() {
            let sequence = frame.first.plus(i as u64);
            let sends = |image: ImageId| from.sends(image, sequence);
            match record {
                FrameRecord::Data {
                    image,
                    block,
                    checksums,
                    ..
                } => {
                    let data = data.next().unwrap();
                    if sends(*image) {
                        let (image, block, checksums) = (*image, *block, checksums.clone());
                        records.push(PeerRecord::Data {
                            image,
                            block,
                            data,
                            checksums,
                        });
                    }
                }
                FrameRecord::Discard {
                    image,
                    block,
                    blocks,
                } if sends(*image) => {
                    let (image, block, blocks) = (*image, *block, *blocks);
                    records.push(PeerRecord::Discard {
                        image,
                        block,
                        blocks,
                    });
                }
                FrameRecord::Discard { .. } => {}
                FrameRecord::Change(change) => records.extend(sent(from, sequence, change)),
            }
        }
        to.apply(from.id(), frame.position.sequence, &records)
            .unwrap();
    }
}

fn sent(from: &Store, sequence: Sequence, change: &Change) -> Vec<PeerRecord<'static>> {
    let sends = |image: &ImageId| from.sends(*image, sequence);
    let change = match change.clone() {
        Change::Promote { mut images } => {
            images.retain(|promotion| sends(&promotion.image));
            Change::Promote { images }
        }
        Change::Demote { mut images } => {
            images.retain(sends);
            Change::Demote { images }
        }
        Change::Create { image, .. }
        | Change::Remove { image }
        | Change::Mirroring { image, .. }
            if !sends(&image) =>
        {
            return Vec::new();
        }
        other => other,
    };
    let begun = match &change {
        Change::Promote { images } => images.iter().map(|promotion| promotion.image).collect(),
        Change::Mirroring { image, .. } => vec![*image],
        _ => Vec::new(),
    };
    let described = begun
        .into_iter()
        .filter_map(|image| from.describe(image).ok());
    let described = described.map(PeerRecord::Describe);
    described.chain([PeerRecord::Change(change)]).collect()
}

pub(crate) fn mirrored(store: &Store) -> ImageId {
    created(store, true)
}

pub(crate) fn created(store: &Store, mirrored: bool) -> ImageId {
    let id = ImageId::random();
    let name = ImageName::new(format!("volume-{id}")).unwrap();
    let new = NewImage {
        id,
        name,
        size: Bytes(4 * MIB),
        origin: None,
        mirrored,
    };
    store.create_image(new).unwrap();
    id
}

pub(crate) fn write(store: &Store, image: ImageId, block: u64, value: u8) -> Result<(), ErrorKind> {
    let image = store.image(image).unwrap();
    let writes = [Write {
        offset: block * BLOCK as u64,
        data: &[value; BLOCK],
    }];
    image.write(&writes).map_err(|error| error.kind)
}

pub(crate) fn read(store: &Store, image: ImageId, block: u64) -> u8 {
    let mut buffer = [0; BLOCK];
    store
        .image(image)
        .unwrap()
        .read(block * BLOCK as u64, &mut buffer)
        .unwrap();
    assert!(buffer.iter().all(|byte| *byte == buffer[0]));
    buffer[0]
}

pub(crate) const ALL: Sequence = Sequence(u64::MAX);
