//! An image in memory that is backed up and restored.

use std::collections::BTreeMap;
use std::sync::Arc;

use firebrick_backend::{Content, Extent, Fault, Reader};
use firebrick_backup::{
    Chain, Container, Finished, Parent, Plan, Posix, SharedRepository, Writing,
};
use firebrick_edge::Disk;
use firebrick_vocabulary::{BackupId, Bytes};
use rand::Rng;
use rand::rngs::StdRng;

pub(crate) const BLOCK: u64 = 4096;

/// The blocks of an image that are no holes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Image {
    pub(crate) size: u64,
    pub(crate) blocks: BTreeMap<u64, Vec<u8>>,
}

impl Image {
    #[allow(dead_code, reason = "not every test that shares this changes one")]
    /// Some writes and discards, now and then a larger size.
    pub(crate) fn change(&mut self, random: &mut StdRng) {
        if random.random_bool(0.2) {
            self.size += random.random_range(1..300) * BLOCK;
        }
        let blocks = self.size / BLOCK;
        for _ in 0..random.random_range(0..8) {
            let first = random.random_range(0..blocks);
            let most = (blocks - first).min(*[3, 40, 1500].get(random.random_range(0..3)).unwrap());
            let fill = random.random_range(0..4_u8);
            for block in first..first + random.random_range(1..=most) {
                if fill == 0 {
                    self.blocks.remove(&block);
                } else {
                    // Few different ones, so that some are what was there before; zeroes among them.
                    let byte = random.random_range(0..4) * (fill - 1);
                    self.blocks.insert(block, vec![byte; BLOCK as usize]);
                }
            }
        }
    }

    /// What a site would read: all data, or what differs from `since`; from byte `from` on.
    pub(crate) fn read(&self, since: Option<&Self>, from: u64) -> Vec<Extent> {
        let none = Self::default();
        let older = since.unwrap_or(&none);
        let all = self.blocks.keys().chain(older.blocks.keys());
        let all: std::collections::BTreeSet<u64> = all.copied().collect();
        let differs = |block: &u64| {
            *block * BLOCK >= from && self.blocks.get(block) != older.blocks.get(block)
        };
        let extent = |block: u64| Extent {
            offset: block * BLOCK,
            content: match self.blocks.get(&block) {
                Some(data) => Content::Data(data.clone()),
                None => Content::Hole(BLOCK),
            },
        };
        all.into_iter().filter(differs).map(extent).collect()
    }

    /// The same as bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.size as usize];
        for (block, data) in &self.blocks {
            let at = (block * BLOCK) as usize;
            bytes[at..at + data.len()].copy_from_slice(data);
        }
        bytes
    }
}

pub(crate) fn container() -> Container {
    "shelf".parse().unwrap()
}

pub(crate) fn on(disk: impl Disk) -> SharedRepository {
    Arc::new(Posix::new(Arc::new(disk)))
}

/// The plan of a backup of `image`.
pub(crate) fn plan(id: BackupId, image: &Image, parent: Option<BackupId>, diff: bool) -> Plan {
    Plan {
        container: container(),
        id,
        parent: parent.map(|id| Parent {
            container: container(),
            id,
        }),
        differences: diff,
        size: Bytes(image.size),
        object_bytes: 64 * BLOCK,
        notes: serde_json::json!({"name": "mine"}),
    }
}

/// Makes a backup of `image`, upon `parent` where there is one.
pub(crate) async fn back_up(
    repository: &SharedRepository,
    image: &Image,
    plan: Plan,
    since: Option<&Image>,
) -> Result<Finished, Fault> {
    let mut writing = Writing::begin(repository, plan).await?;
    for extent in image.read(since, writing.next()) {
        writing.add(extent).await?;
    }
    writing.finish().await
}

/// The image that a backup has, as bytes.
pub(crate) async fn restore(repository: &SharedRepository, id: BackupId) -> Result<Vec<u8>, Fault> {
    let mut chain = Chain::open(repository, &container(), id).await?;
    let mut bytes = vec![0; chain.size().0 as usize];
    let mut at = 0;
    while let Some(extent) = chain.next().await? {
        assert!(extent.offset >= at, "each byte comes once");
        at = extent.end();
        if let Content::Data(data) = extent.content {
            bytes[extent.offset as usize..at as usize].copy_from_slice(&data);
        }
    }
    Ok(bytes)
}
