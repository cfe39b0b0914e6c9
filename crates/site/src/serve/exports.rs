//! Which images guests can reach, and who holds each export.
//!
//! The holders are kept in the image's metadata, so that they survive a restart and go with the
//! image. What is published follows from them: an image that has a holder that writes is published
//! under its name, one that has a holder that reads under its name and `.ro`. Everything that changes
//! either happens under one lock, so that an image is never removed or rolled back under a guest.

mod address;
mod holders;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use firebrick_backend::{Access, ExportAddress, ExportInfo, ExportKey, Fault, FaultKind};
use firebrick_engine::{ImageInfo, Store};
use firebrick_export::ExportServer;
use firebrick_mirror::Mirror;
use firebrick_vocabulary::{ImageId, ImageName, Limits, Position, Role, SnapshotName};
use parking_lot::Mutex;

use super::device::ImageDevice;
use super::error::Error;
use super::fault::fault;
use super::limits::{LIMITS_KEY, Throttles, to_metadata};
use crate::admin::ToolWatcher;
use holders::{HOLDERS_KEY, Holders};

pub(super) use address::ExportPlan;

/// The exports of a site. All calls may block.
pub(super) struct Exports {
    store: Arc<Store>,
    mirror: Arc<Mirror>,
    plan: ExportPlan,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// `None` before the exports are open and after they were closed.
    server: Option<ExportServer>,
    /// What the server publishes: the name of each export with its image.
    published: BTreeMap<String, ImageId>,
    throttles: Throttles,
    /// Images that nobody may export at the moment.
    reserved: BTreeSet<ImageId>,
}

impl Exports {
    /// The exports of `store`; nothing is reachable before [`Self::open`].
    pub(super) fn new(store: Arc<Store>, mirror: Arc<Mirror>, plan: ExportPlan) -> Self {
        Self {
            store,
            mirror,
            plan,
            state: Mutex::default(),
        }
    }

    /// Opens the listeners and publishes what has holders.
    pub(super) fn open(&self) -> Result<(), Error> {
        let mut state = self.state.lock();
        if state.server.is_some() {
            return Ok(());
        }
        // Guests that come back meanwhile wait, and are not told that their export is unknown.
        let server = ExportServer::start_shut(self.plan.options()).map_err(Error::exports)?;
        state.server = Some(server);
        for image in self.store.images() {
            let info = image.info();
            if !info.metadata.contains_key(HOLDERS_KEY) {
                continue;
            }
            if info.role == Role::Secondary {
                self.end(&mut state, info.id);
            } else if let Err(error) = self.publish(&mut state, &info, &Holders::of(&info)) {
                tracing::error!(%error, image = %info.name, "an export did not come back");
            }
        }
        let opened = state.server.as_ref().map_or(Ok(()), ExportServer::open);
        if let Err(error) = opened {
            state.published.clear();
            state.server = None;
            return Err(Error::exports(error));
        }
        tracing::info!(exports = state.published.len(), "the exports are open");
        Ok(())
    }

    /// Drops all connections and closes the listeners. The holders stay for the next start.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        state.published.clear();
        if let Some(server) = state.server.take() {
            server.stop();
        }
    }

    /// Adds a holder, or changes what it may do.
    pub(super) fn export(
        &self,
        image: ImageId,
        key: ExportKey,
        access: Access,
    ) -> Result<ExportAddress, Fault> {
        let doing = format!("export image {image}");
        let mut state = self.state.lock();
        let info = self.info(image)?;
        if info.role == Role::Secondary {
            let why = "it is a secondary here; guests reach it where it is primary";
            return Err(Fault::new(FaultKind::NotPrimary, doing, why));
        }
        if state.reserved.contains(&image) {
            return Err(reserved(doing));
        }
        let mut holders = Holders::of(&info);
        if holders.insert(key, access, &doing)? {
            // Published first: a name that is taken must not come back with each start.
            self.publish(&mut state, &info, &holders)?;
            self.remember(image, &holders)?;
        } else {
            self.publish(&mut state, &info, &holders)?;
        }
        Ok(self.plan.address(state.server.as_ref(), &info.name, access))
    }

    /// Removes a holder; `NotFound` where there is no such image.
    pub(super) fn unexport(&self, image: ImageId, key: &ExportKey) -> Result<(), Fault> {
        let mut state = self.state.lock();
        let info = self.info(image)?;
        let mut holders = Holders::of(&info);
        if holders.remove(key) {
            self.remember(image, &holders)?;
        }
        self.publish(&mut state, &info, &holders)
    }

    /// Every holder of every image.
    pub(super) fn list(&self) -> Vec<ExportInfo> {
        let state = self.state.lock();
        let mut exports = Vec::new();
        for image in self.store.images() {
            let info = image.info();
            for (key, access) in Holders::of(&info) {
                let address = self.plan.address(state.server.as_ref(), &info.name, access);
                let clients = state
                    .server
                    .as_ref()
                    .map_or(0, |server| server.clients(&address.export));
                exports.push(ExportInfo {
                    image: info.id,
                    key,
                    access,
                    address,
                    clients,
                });
            }
        }
        exports
    }

    /// Renames an image; `Busy` while it is exported, because guests come back by its name.
    pub(super) fn rename_image(&self, image: ImageId, name: ImageName) -> Result<(), Fault> {
        let _state = self.state.lock();
        let info = self.info(image)?;
        if info.name == name {
            return Ok(());
        }
        refuse_exported(&info, "rename", &Holders::of(&info))?;
        self.store
            .rename_image(image, name)
            .map_err(|error| fault(&error))?;
        self.flush()
    }

    /// Removes an image; `Busy` while it is exported.
    pub(super) fn remove_image(&self, image: ImageId) -> Result<(), Fault> {
        let _state = self.state.lock();
        let info = self.info(image)?;
        refuse_exported(&info, "remove", &Holders::of(&info))?;
        self.store
            .remove_image(image)
            .map_err(|error| fault(&error))?;
        self.flush()
    }

    /// Returns an image to a snapshot; `Busy` while somebody may write to it.
    pub(super) fn roll_back(&self, image: ImageId, name: &SnapshotName) -> Result<(), Fault> {
        let _state = self.state.lock();
        let info = self.info(image)?;
        refuse_exported(&info, "roll back", &Holders::of(&info).writing())?;
        self.store
            .roll_back(image, name)
            .map_err(|error| fault(&error))?;
        self.flush()
    }

    /// Does something to an image that nobody has exported, durably; `Busy` where somebody has.
    pub(super) fn unexported(
        &self,
        image: ImageId,
        verb: &str,
        act: impl FnOnce() -> Result<(), firebrick_engine::Error>,
    ) -> Result<(), Fault> {
        let _state = self.state.lock();
        let info = self.info(image)?;
        refuse_exported(&info, verb, &Holders::of(&info))?;
        act().map_err(|error| fault(&error))?;
        self.flush()
    }

    /// Does something to images that nobody may write to through an export, durably.
    pub(super) fn unwritten(
        &self,
        images: &[ImageId],
        verb: &str,
        act: impl FnOnce() -> Result<(), firebrick_engine::Error>,
    ) -> Result<(), Fault> {
        let _state = self.state.lock();
        for image in images {
            let info = self.info(*image)?;
            refuse_exported(&info, verb, &Holders::of(&info).writing())?;
        }
        act().map_err(|error| fault(&error))?;
        self.flush()
    }

    /// Keeps everybody from exporting an image, until what is returned is dropped; `Busy` while somebody
    /// may write to it, or somebody else has reserved it.
    pub(super) fn reserve(&self, image: ImageId, verb: &str) -> Result<Reserved<'_>, Fault> {
        let mut state = self.state.lock();
        let info = self.info(image)?;
        refuse_exported(&info, verb, &Holders::of(&info).writing())?;
        if !state.reserved.insert(image) {
            return Err(reserved(format!("{verb} {}", info.name)));
        }
        Ok(Reserved {
            exports: self,
            image,
        })
    }

    /// The clients of each exported image.
    pub(super) fn clients(&self) -> BTreeMap<ImageId, Vec<ToolWatcher>> {
        let state = self.state.lock();
        let mut clients: BTreeMap<ImageId, Vec<ToolWatcher>> = BTreeMap::new();
        let Some(server) = &state.server else {
            return clients;
        };
        for (name, image) in &state.published {
            let connected = server.watchers(name).into_iter();
            let connected = connected.map(|(client, address)| ToolWatcher { client, address });
            clients.entry(*image).or_default().extend(connected);
        }
        clients
    }

    /// Changes the limits of an image, durably and for its clients at once.
    pub(super) fn set_limits(&self, image: ImageId, limits: &Limits) -> Result<(), Fault> {
        let state = self.state.lock();
        let text = to_metadata(limits);
        let set = self.store.set_metadata(image, LIMITS_KEY, text.as_deref());
        set.map_err(|error| fault(&error))?;
        self.flush()?;
        state.throttles.set(image, limits);
        Ok(())
    }

    /// Demotes images and ends their exports: their holders are exported anew where the images are
    /// promoted.
    pub(super) fn demote(&self, images: &[ImageId]) -> Result<Position, Fault> {
        let mut state = self.state.lock();
        let position = self.store.demote(images).map_err(|error| fault(&error))?;
        for image in images {
            self.end(&mut state, *image);
        }
        Ok(position)
    }

    /// Ends the exports of published images that are primary elsewhere by now, or gone.
    pub(super) fn withdraw_lost(&self) {
        let mut state = self.state.lock();
        let images: BTreeSet<ImageId> = state.published.values().copied().collect();
        for id in images {
            let lost = self.store.image(id).map_or(true, |image| {
                !image.is_writable() && image.info().role == Role::Secondary
            });
            if lost {
                tracing::warn!(image = %id, "the image is not primary here any more; its exports end");
                self.end(&mut state, id);
            }
        }
    }

    fn info(&self, image: ImageId) -> Result<ImageInfo, Fault> {
        self.store
            .image(image)
            .map(|image| image.info())
            .map_err(|error| fault(&error))
    }

    /// Makes what the server publishes of an image what its holders need. Does nothing while the
    /// exports are not open.
    fn publish(&self, state: &mut State, info: &ImageInfo, holders: &Holders) -> Result<(), Fault> {
        let State {
            server: Some(server),
            published,
            throttles,
            ..
        } = state
        else {
            return Ok(());
        };
        let wanted: BTreeMap<String, Access> = holders
            .accesses()
            .map(|access| (address::export_name(&info.name, access), access))
            .collect();
        published.retain(|name, image| {
            let stays = *image != info.id || wanted.contains_key(name);
            if !stays {
                server.remove(name);
            }
            stays
        });
        for (name, access) in wanted {
            match published.get(&name) {
                Some(image) if *image == info.id => {}
                Some(image) => {
                    let why = format!("image {image} is exported as {name}");
                    return Err(Fault::new(FaultKind::Exists, format!("export {name}"), why));
                }
                None => {
                    let image = self.store.image(info.id).map_err(|error| fault(&error))?;
                    let mirror = Arc::clone(&self.mirror);
                    let device = ImageDevice::new(image, throttles.of(info), mirror);
                    server.add(&name, Arc::new(device), access == Access::ReadOnly);
                    published.insert(name, info.id);
                }
            }
        }
        Ok(())
    }

    /// Ends all exports of an image and forgets their holders.
    fn end(&self, state: &mut State, image: ImageId) {
        let State {
            server, published, ..
        } = state;
        published.retain(|name, of| {
            if *of != image {
                return true;
            }
            if let Some(server) = server {
                server.remove(name);
            }
            false
        });
        // An image that is gone took its holders with it.
        let Ok(info) = self.info(image) else { return };
        if !info.metadata.contains_key(HOLDERS_KEY) {
            return;
        }
        if let Err(error) = self.remember(image, &Holders::default()) {
            tracing::error!(%error, %image, "the holders of an export were not forgotten");
        }
    }

    fn remember(&self, image: ImageId, holders: &Holders) -> Result<(), Fault> {
        let text = holders.to_metadata();
        let set = self.store.set_metadata(image, HOLDERS_KEY, text.as_deref());
        set.map_err(|error| fault(&error))?;
        self.flush()
    }

    fn flush(&self) -> Result<(), Fault> {
        self.store
            .flush()
            .map(|_| ())
            .map_err(|error| fault(&error))
    }
}

fn refuse_exported(info: &ImageInfo, verb: &str, holders: &Holders) -> Result<(), Fault> {
    match holders.first() {
        None => Ok(()),
        Some(key) => {
            let why = format!("it is exported for {}", key.0);
            Err(Fault::new(
                FaultKind::Busy,
                format!("{verb} {}", info.name),
                why,
            ))
        }
    }
}

/// An image that nobody can export.
pub(super) struct Reserved<'a> {
    exports: &'a Exports,
    image: ImageId,
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        self.exports.state.lock().reserved.remove(&self.image);
    }
}

fn reserved(doing: String) -> Fault {
    let why = "it is being returned to an earlier state";
    Fault::new(FaultKind::Busy, doing, why)
}
