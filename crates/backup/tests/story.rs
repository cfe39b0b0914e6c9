//! Random backups of a changing image against a model, on a disk that fails at any operation.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod common;

use std::collections::BTreeMap;

use common::{BLOCK, Image, back_up, container, on, plan, restore};
use firebrick_backend::FaultKind;
use firebrick_backup::{SharedRepository, remove, sweep};
use firebrick_simulate::{SimulatedDisk, every_seed};
use firebrick_vocabulary::BackupId;
use rand::rngs::StdRng;
use rand::seq::IteratorRandom;
use rand::{Rng, SeedableRng};

/// A backup that is there: the image then, and what builds upon what.
struct Kept {
    image: Image,
    parent: Option<BackupId>,
}

struct Shop {
    disk: SimulatedDisk,
    repository: SharedRepository,
    kept: BTreeMap<BackupId, Kept>,
    image: Image,
}

impl Shop {
    fn random(random: &mut StdRng) -> Self {
        let disk = SimulatedDisk::new();
        let mut image = Image {
            size: random.random_range(1..3000) * BLOCK,
            ..Image::default()
        };
        image.change(random);
        Self {
            repository: on(disk.clone()),
            disk,
            kept: BTreeMap::new(),
            image,
        }
    }

    /// A full or an incremental one; as differences, or by comparing with what the parent has. Where the
    /// power fails on the way it goes on afterwards, if it still wants to.
    async fn back_up(&mut self, random: &mut StdRng) -> Result<(), String> {
        let id = BackupId::random();
        let parent = self.kept.keys().copied().choose(random);
        let parent = parent.filter(|_| random.random_bool(0.7));
        let then = self.image.clone();
        loop {
            // Whoever goes on may have lost the older state meanwhile.
            let since = parent.filter(|_| random.random());
            let since = since.map(|id| &self.kept[&id].image);
            let plan = plan(id, &then, parent, since.is_some());
            if random.random_bool(0.7) {
                self.disk.stop_after(random.random_range(0..60));
            }
            let made = back_up(&self.repository, &then, plan, since).await;
            self.disk.restart();
            match made {
                Ok(_) => {
                    let image = then;
                    self.kept.insert(id, Kept { image, parent });
                    return Ok(());
                }
                Err(fault) if fault.kind == FaultKind::Io => {}
                Err(fault) => return Err(fault.to_string()),
            }
            self.power_cut(random);
            let seen = restore(&self.repository, id).await;
            match seen {
                // The manifest had got there.
                Ok(bytes) if bytes == then.bytes() => {
                    let image = then;
                    self.kept.insert(id, Kept { image, parent });
                    return Ok(());
                }
                Ok(_) => return Err("half a backup is seen as a whole one".into()),
                Err(fault) if fault.kind == FaultKind::NotFound => {}
                Err(fault) => return Err(format!("after a power cut: {fault}")),
            }
            if random.random_bool(0.2) {
                return Ok(());
            }
        }
    }

    fn power_cut(&mut self, random: &mut StdRng) {
        self.disk = self.disk.crash(random.random());
        self.repository = on(self.disk.clone());
    }

    async fn remove(&mut self, random: &mut StdRng) -> Result<(), String> {
        let upon = |id: &&BackupId| self.kept.values().all(|kept| kept.parent != Some(**id));
        let Some(id) = self.kept.keys().filter(upon).copied().choose(random) else {
            return Ok(());
        };
        self.disk.stop_after(random.random_range(0..20));
        let removed = remove(&*self.repository, &container(), id).await;
        self.disk.restart();
        if removed.is_err() {
            self.power_cut(random);
            match restore(&self.repository, id).await {
                Ok(bytes) if bytes == self.kept[&id].image.bytes() => return Ok(()),
                Err(fault) if fault.kind == FaultKind::NotFound => {}
                other => return Err(format!("half removed: {:?}", other.map(|_| "bytes"))),
            }
        }
        self.kept.remove(&id);
        Ok(())
    }

    async fn check(&self, sweeping: bool) -> Result<(), String> {
        if sweeping {
            let nobody = |_| async { Ok(false) };
            let swept = sweep(&*self.repository, &container(), nobody).await;
            swept.map_err(|fault| fault.to_string())?;
            let left = self.repository.list(&container()).await.unwrap();
            let ours = |name: &String| {
                let known = |id: &BackupId| name.starts_with(&id.to_string());
                self.kept.keys().any(known) || name.contains(".part")
            };
            if let Some(other) = left.iter().find(|name| !ours(name)) {
                return Err(format!("{other} stays"));
            }
        }
        for (id, kept) in &self.kept {
            let bytes = restore(&self.repository, *id).await;
            if bytes.map_err(|fault| fault.to_string())? != kept.image.bytes() {
                return Err(format!("{id} is not what the image was"));
            }
        }
        Ok(())
    }
}

fn story(seed: u64) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(async {
        let random = &mut StdRng::seed_from_u64(seed);
        let mut shop = Shop::random(random);
        for _ in 0..random.random_range(2..9) {
            match random.random_range(0..5) {
                0 => shop.remove(random).await?,
                1 => shop.check(true).await?,
                _ => shop.back_up(random).await?,
            }
            shop.image.change(random);
        }
        shop.check(random.random()).await
    })
}

#[test]
fn whatever_fails_a_backup_is_the_image_as_it_was_or_is_not_there() {
    every_seed(150, story);
}
