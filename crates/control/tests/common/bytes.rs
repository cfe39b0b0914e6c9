//! The bytes of images without a disk.

use std::collections::{BTreeSet, VecDeque};

use async_trait::async_trait;
use firebrick_backend::{Content, Extent, Fault, FaultKind, Reader, ViewOf, Writer};
use firebrick_vocabulary::{BLOCK_SIZE, Bytes, ImageId};

use super::images::{Blocks, Image, State};
use super::site::Site;

const BLOCK: usize = BLOCK_SIZE as usize;

fn state_of(image: &Image, of: &ViewOf) -> Result<(Bytes, Blocks), Fault> {
    let missing = |why| Fault::new(FaultKind::NotFound, "fake", why);
    match of {
        ViewOf::Head => Ok((image.size, image.blocks.clone())),
        ViewOf::Snapshot(name) => {
            let size = image.snapshots.iter().find(|(it, _)| it == name);
            let (_, size) = size.ok_or_else(|| missing("there is no such snapshot"))?;
            Ok((*size, image.kept[name].clone()))
        }
        ViewOf::At(_) => Err(missing("a fake remembers no records")),
    }
}

/// The size of a state and what differs from an older one, block for block.
pub(super) fn read(
    state: &State,
    image: ImageId,
    of: &ViewOf,
    since: Option<&ViewOf>,
    from: u64,
) -> Result<(Bytes, VecDeque<Extent>), Fault> {
    let found = state.images.get(&image);
    let image = found.ok_or_else(|| Fault::new(FaultKind::NotFound, "fake", "there is none"))?;
    let (size, blocks) = state_of(image, of)?;
    let older = since.map_or(Ok(Blocks::new()), |since| {
        state_of(image, since).map(|(_, blocks)| blocks)
    })?;
    let numbers: BTreeSet<u64> = blocks.keys().chain(older.keys()).copied().collect();
    let differs =
        |block: &u64| *block >= from / BLOCK_SIZE && blocks.get(block) != older.get(block);
    let extents = numbers.into_iter().filter(differs).map(|block| Extent {
        offset: block * BLOCK_SIZE,
        content: match blocks.get(&block) {
            Some(bytes) => Content::Data(bytes.clone()),
            None => Content::Hole(BLOCK_SIZE),
        },
    });
    Ok((size, extents.collect()))
}

/// Reads a state, one call a block.
pub(super) struct FakeReader {
    pub(super) site: Site,
    pub(super) size: Bytes,
    pub(super) extents: VecDeque<Extent>,
}

#[async_trait]
impl Reader for FakeReader {
    fn size(&self) -> Bytes {
        self.size
    }

    async fn next(&mut self) -> Result<Option<Extent>, Fault> {
        let extents = &mut self.extents;
        self.site.call("read", |_| Ok(extents.pop_front())).await
    }
}

/// Writes an image.
pub(super) struct FakeWriter {
    pub(super) site: Site,
    pub(super) image: ImageId,
}

impl FakeWriter {
    async fn put(
        &self,
        name: &'static str,
        offset: u64,
        len: u64,
        byte: impl Fn(u64) -> u8,
    ) -> Result<(), Fault> {
        let act = |state: &mut State| {
            let image = state.primary(self.image)?;
            if offset.saturating_add(len) > image.size.0 {
                return Err(Fault::new(
                    FaultKind::Invalid,
                    "fake",
                    "it is not that large",
                ));
            }
            for at in offset..offset + len {
                let block = image.blocks.entry(at / BLOCK_SIZE);
                block.or_insert_with(|| vec![0; BLOCK])[at as usize % BLOCK] = byte(at - offset);
            }
            image
                .blocks
                .retain(|_, bytes| bytes.iter().any(|byte| *byte != 0));
            Ok(())
        };
        self.site.call(name, act).await
    }
}

#[async_trait]
impl Writer for FakeWriter {
    async fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), Fault> {
        let len = data.len() as u64;
        self.put("write", offset, len, |i| data[i as usize]).await
    }

    async fn discard(&mut self, offset: u64, len: u64) -> Result<(), Fault> {
        let act = |state: &mut State| {
            let image = state.primary(self.image)?;
            let whole = offset.div_ceil(BLOCK_SIZE)..(offset + len) / BLOCK_SIZE;
            image.blocks.retain(|block, _| !whole.contains(block));
            Ok(())
        };
        self.site.call("discard", act).await
    }

    async fn flush(&mut self) -> Result<(), Fault> {
        self.site.call("flush", |_| Ok(())).await
    }
}
