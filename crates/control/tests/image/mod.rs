//! Volumes and images of an image service in this process.

mod boot;
mod cache;
mod cache_trouble;
mod create;
mod frozen;
mod trouble;
mod upload;

use std::path::{Path, PathBuf};
use std::process::Command;

use firebrick_cloud::{Glance, Seal};
use firebrick_control::{Context, ControlOptions, CreateVolume, ImageOptions};
use firebrick_db::image_properties;
use firebrick_state::VolumeStatus;
use firebrick_vocabulary::VolumeId;
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use crate::common::{A, World, member, sized};
use crate::glance::{FakeGlance, Fault, impatient};
use crate::place::Place;

const MIB: usize = 1 << 20;

/// An image service, a control plane that uses it, and where that converts images.
struct Cloud {
    glance: FakeGlance,
    world: World,
    /// It is removed at the end.
    folder: TempDir,
}

impl Cloud {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut ControlOptions)) -> Self {
        Self::made(Place::asked_for(), false, change).await
    }

    /// With another backend beside.
    async fn of_two() -> Self {
        Self::made(Place::asked_for(), true, |_| {}).await
    }

    async fn made(place: Place, two: bool, change: impl FnOnce(&mut ControlOptions)) -> Self {
        let (glance, folder) = (FakeGlance::default(), TempDir::new().unwrap());
        let client = Glance::new(impatient(glance.serve().await)).unwrap();
        let mut images = ImageOptions::new(client, folder.path().join("conversion"));
        images.verify_signatures = false;
        images.seal = Seal::new("secret").map(std::sync::Arc::new);
        let change = |options: &mut ControlOptions| {
            options.images = Some(images);
            change(options);
        };
        let world = if two {
            World::of_two(place, change).await
        } else {
            World::on(place, change).await
        };
        Self {
            glance,
            world,
            folder,
        }
    }

    fn conversion(&self) -> PathBuf {
        self.folder.path().join("conversion")
    }

    /// The files of images that are being converted.
    fn files(&self) -> usize {
        std::fs::read_dir(self.conversion()).map_or(0, Iterator::count)
    }

    /// A volume of 1 GiB of that image, not yet made.
    async fn begun(&self, image: Uuid) -> VolumeId {
        let asked = self.world.control.create_volume(&member(), of(image)).await;
        asked.unwrap().volume.id
    }

    /// What becomes of it.
    async fn ended(&self, image: Uuid) -> (VolumeId, VolumeStatus) {
        let id = self.begun(image).await;
        self.world.settled(id.0).await;
        (id, self.world.status(id).await.unwrap())
    }

    /// What the volume's image has, up to the last byte that is not zero, and how many blocks.
    fn bytes(&self, id: VolumeId) -> (Vec<u8>, usize) {
        self.world.site(A, |state| {
            let image = &state.images[&id.image_id()];
            let mut all = Vec::new();
            for (block, bytes) in &image.blocks {
                all.resize(*block as usize * 4096, 0);
                all.extend(bytes);
            }
            (all, image.blocks.len())
        })
    }

    async fn remembered(&self, id: VolumeId) -> std::collections::BTreeMap<String, String> {
        let connection = &mut *self.world.db.read().await.unwrap();
        image_properties::of(connection, id.0).await.unwrap()
    }

    /// What was last said to users.
    async fn note(&self, volume: VolumeId) -> String {
        let query = firebrick_control::Query::default();
        let messages = self.world.control.messages(&member(), query).await.unwrap();
        let mut about = messages.iter().filter(|it| it.resource == Some(volume.0));
        about
            .next()
            .and_then(|it| it.note.clone())
            .unwrap_or_default()
    }
}

fn of(image: Uuid) -> CreateVolume {
    CreateVolume {
        image: Some(image.into()),
        ..sized(1)
    }
}

/// A disk with something at its beginning, in its middle, and little at its end.
fn disk() -> Vec<u8> {
    let mut disk = vec![0; 2 * MIB];
    for (at, byte) in disk.iter_mut().enumerate().take(5000) {
        *byte = (at % 250) as u8 + 1;
    }
    disk[MIB..MIB + 100].fill(7);
    disk[2 * MIB - 1] = 9;
    disk
}

/// The disk in that format, as `qemu-img` writes it.
fn converted(folder: &Path, disk: &[u8], format: &str, options: &[&str]) -> Vec<u8> {
    let (raw, out) = (folder.join("made.raw"), folder.join("made.out"));
    std::fs::write(&raw, disk).unwrap();
    let mut command = Command::new("qemu-img");
    command.args(["convert", "-f", "raw", "-O", format]);
    command.args(options).arg(&raw).arg(&out);
    assert!(command.output().unwrap().status.success());
    std::fs::read(&out).unwrap()
}

fn with_token(token: &str) -> Context {
    let context = member();
    Context {
        access: context
            .access
            .with_token(firebrick_cloud::UserToken::new(token)),
        ..context
    }
}

/// More about an image, none.
fn nothing() -> Value {
    json!({})
}
