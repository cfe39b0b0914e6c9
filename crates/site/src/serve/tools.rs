//! What a site does for tools.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use firebrick_backend::{Fault, FaultKind};
use firebrick_edge::Timestamp;
use firebrick_engine::{Error, Image, NewImage, NewOrigin, SnapshotInfo, Store, Write};
use firebrick_vocabulary::{Bytes, ImageId, ImageName, Sequence};

use super::exports::Exports;
use super::fault::blocking;
use super::local::LocalSite;
use super::rewrite::roll_back_to;
use super::scrub::Scrubber;
use super::views::{Session, View, is_temporary};
use super::work::Works;
use crate::admin::{Moment, ToolImage, ToolReply, ToolRequest, ToolSnapshot, Tools, ViewOf};

/// What tools can look at besides images.
pub(super) struct Desk {
    pub(super) works: Arc<Works>,
    pub(super) scrubber: Arc<Scrubber>,
}

#[async_trait]
impl Tools for LocalSite {
    type Session = Session;

    async fn tool(
        &self,
        session: &mut Session,
        request: ToolRequest,
        payload: Vec<u8>,
    ) -> Result<(ToolReply, Vec<u8>), Fault> {
        let reply = match request {
            ToolRequest::Changes {
                view,
                older,
                from_block,
                data,
            } => {
                let view = session.get(view)?;
                let older = older.map(|older| session.get(older)).transpose()?;
                let part = self.read(move |_| view.changes(older.as_deref(), from_block, data));
                let (part, bytes) = part.await?;
                return Ok((ToolReply::Changes(part), bytes));
            }
            ToolRequest::Used { view, older } => {
                let view = session.get(view)?;
                let older = older.map(|older| session.get(older)).transpose()?;
                let used = self.read(move |_| view.used(older.as_deref()));
                ToolReply::Size(used.await?)
            }
            ToolRequest::Open { image, state } => {
                session.room()?;
                let store = Arc::clone(&self.store);
                let view = blocking(move || View::open(&store, image, &state)).await?;
                let (number, size) = session.add(view);
                ToolReply::View(number, size)
            }
            ToolRequest::Close { view } => {
                let view = session.remove(view);
                // To remove an image for looking back waits for the disk.
                blocking(move || {
                    drop(view);
                    Ok(())
                })
                .await?;
                ToolReply::Done
            }
            request => self.answer(request, payload).await?,
        };
        Ok((reply, Vec::new()))
    }
}

impl LocalSite {
    async fn answer(&self, request: ToolRequest, payload: Vec<u8>) -> Result<ToolReply, Fault> {
        match request {
            ToolRequest::Images => {
                let exports = Arc::clone(&self.exports);
                let images = self.read(move |store| Ok(images(store, &exports)));
                images.await.map(ToolReply::Images)
            }
            ToolRequest::Image { name } => {
                let exports = Arc::clone(&self.exports);
                let image = self.read(move |store| Ok(image_named(store, &exports, &name)));
                let image = image.await?;
                image.map(|image| ToolReply::Images(vec![image]))
            }
            ToolRequest::Snapshots { image } => {
                let taken = self.read(move |store| store.snapshots(image)).await?;
                let taken = taken.into_iter().map(snapshot);
                Ok(ToolReply::Snapshots(taken.collect()))
            }
            ToolRequest::Window { image } => {
                let window = self.read(move |store| store.window(image)).await?;
                Ok(ToolReply::Window(
                    window.map(|(oldest, newest)| [moment(oldest), moment(newest)]),
                ))
            }
            ToolRequest::RecordAt { time } => {
                let record = self.read(move |store| store.position_at(Timestamp(time)));
                record.await.map(ToolReply::Record)
            }
            ToolRequest::ScrubStart => Ok(ToolReply::Scrub(self.desk.scrubber.start())),
            ToolRequest::ScrubStatus => Ok(ToolReply::Scrub(self.desk.scrubber.status())),
            ToolRequest::Background => Ok(ToolReply::Background(self.desk.works.list())),
            request => self.alter(request, payload).await.map(|()| ToolReply::Done),
        }
    }

    async fn alter(&self, request: ToolRequest, payload: Vec<u8>) -> Result<(), Fault> {
        self.unfenced("change an image").await?;
        match request {
            ToolRequest::Resize { image, size } => {
                self.change(move |store| store.resize_image(image, size))
                    .await
            }
            ToolRequest::Clone {
                id,
                name,
                source,
                state,
            } => {
                self.change(move |store| clone(store, id, name, source, state))
                    .await
            }
            ToolRequest::RollBackTo { image, at } => {
                let (store, exports) = (Arc::clone(&self.store), Arc::clone(&self.exports));
                blocking(move || roll_back_to(&store, &exports, image, at)).await
            }
            ToolRequest::Write { image, offset, .. } => {
                let write = move |image: &Image| {
                    image.write(&[Write {
                        offset,
                        data: &payload,
                    }])
                };
                self.read(move |store| write(&*store.image(image)?)).await
            }
            ToolRequest::Discard { image, offset, len } => {
                self.read(move |store| store.image(image)?.discard(offset, len))
                    .await
            }
            ToolRequest::Flush => self.change(|_| Ok(())).await,
            ToolRequest::Images
            | ToolRequest::Image { .. }
            | ToolRequest::Snapshots { .. }
            | ToolRequest::Window { .. }
            | ToolRequest::RecordAt { .. }
            | ToolRequest::Open { .. }
            | ToolRequest::Close { .. }
            | ToolRequest::Changes { .. }
            | ToolRequest::Used { .. }
            | ToolRequest::ScrubStart
            | ToolRequest::ScrubStatus
            | ToolRequest::Background => Err(Fault::new(
                FaultKind::Internal,
                "answer a tool",
                "this changes nothing",
            )),
        }
    }
}

fn images(store: &Store, exports: &Exports) -> Vec<ToolImage> {
    let clients = exports.clients();
    let all = store.images().into_iter();
    let all = all.filter(|image| !is_temporary(&image.info().name));
    let mut images: Vec<ToolImage> = all.map(|image| describe(store, &clients, &image)).collect();
    images.sort_by(|a, b| a.name.cmp(&b.name));
    images
}

fn image_named(store: &Store, exports: &Exports, name: &ImageName) -> Result<ToolImage, Fault> {
    match store.image_named(name) {
        Some(image) => Ok(describe(store, &exports.clients(), &image)),
        None => Err(Fault::new(
            FaultKind::NotFound,
            format!("open {name}"),
            "there is no such image",
        )),
    }
}

fn describe(store: &Store, clients: &BTreeMap<ImageId, u32>, image: &Image) -> ToolImage {
    let info = image.info();
    let snapshots = store.snapshots(info.id).unwrap_or_default();
    let parent = info.parent.and_then(|parent| {
        let image = store.image(parent.image).ok()?;
        let taken = store.snapshots(parent.image).unwrap_or_default();
        let snapshot = taken
            .into_iter()
            .find(|taken| Some(taken.id) == parent.snapshot);
        Some((image.info().name, snapshot.map(|snapshot| snapshot.name)))
    });
    ToolImage {
        id: info.id,
        size: info.size,
        role: info.role,
        epoch: info.epoch,
        mirrored: info.mirrored,
        sync: info.sync,
        snapshots: snapshots.len() as u64,
        created: info.created.0,
        parent,
        clients: clients.get(&info.id).copied().unwrap_or_default(),
        name: info.name,
    }
}

fn snapshot(info: SnapshotInfo) -> ToolSnapshot {
    ToolSnapshot {
        id: info.id,
        name: info.name,
        size: info.size,
        time: info.time.0,
        divergent: info.divergent,
    }
}

fn moment(moment: firebrick_engine::Moment) -> Moment {
    Moment {
        sequence: moment.sequence,
        time: moment.time.0,
    }
}

fn clone(
    store: &Store,
    id: ImageId,
    name: ImageName,
    source: ImageId,
    state: ViewOf,
) -> Result<(), Error> {
    let (snapshot, at): (_, Option<Sequence>) = match state {
        ViewOf::Head => (None, None),
        ViewOf::Snapshot(name) => (Some(name), None),
        ViewOf::At(at) => (None, Some(at)),
    };
    let size: Bytes = match (&snapshot, at) {
        (Some(name), _) => {
            let taken = store.snapshots(source)?;
            let taken = taken.into_iter().find(|taken| taken.name == *name);
            // Where there is none, making the clone says so.
            taken.map_or(Bytes::ZERO, |taken| taken.size)
        }
        (None, Some(at)) => store.size_at(source, at)?,
        (None, None) => store.image(source)?.size(),
    };
    let origin = NewOrigin {
        image: source,
        snapshot,
        at,
    };
    let made = store.create_image(NewImage {
        id,
        name,
        size,
        origin: Some(origin),
        mirrored: false,
    });
    made.map(drop)
}
