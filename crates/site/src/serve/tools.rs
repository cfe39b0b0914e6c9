//! What a site does for tools.

mod describe;
mod features;
mod groups;
mod journal;
mod keys;
mod locks;
mod namespaces;
mod snapshots;
mod trash;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use firebrick_backend::{Fault, FaultKind};
use firebrick_edge::{Clock as _, SystemClock, Timestamp};
use firebrick_engine::{Error, Image, Store, Write};
use firebrick_vocabulary::ImageId;

pub(super) use describe::features as features_of;
pub(super) use groups::{id_of as group_id, name_of as group_name};

use super::fault::{blocking, fault};
use super::local::LocalSite;
use super::rewrite::roll_back_to;
use super::scrub::Scrubber;
use super::views::{Session, View};
use super::work::Works;
use crate::admin::{
    GroupRequest, Moment, NamespaceRequest, ToolReply, ToolRequest, Tools, TrashRequest,
};
pub(super) use journal::Cursors;
pub(super) use trash::{expire, keep_removed};

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
            ToolRequest::Journal { request } => {
                let (reply, bytes) = self.journal_tool(session, request).await?;
                return Ok((ToolReply::Journal(reply), bytes));
            }
            ToolRequest::Mirror { request } => ToolReply::Mirror(self.mirror_tool(request).await?),
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
                let images = self.read(move |store| Ok(describe::images(store, &exports)));
                images.await.map(ToolReply::Images)
            }
            ToolRequest::Image { name } => {
                let exports = Arc::clone(&self.exports);
                let image =
                    self.read(move |store| Ok(describe::image_named(store, &exports, &name)));
                let image = image.await?;
                image.map(|image| ToolReply::Images(vec![image]))
            }
            ToolRequest::Snapshots { image } => {
                let mirroring = Arc::clone(&self.mirroring);
                let taken = self.read(move |_| describe::snapshots(&mirroring, image));
                taken.await.map(ToolReply::Snapshots)
            }
            ToolRequest::Children { image } => {
                let children = self.read(move |store| {
                    store.image(image)?;
                    Ok(describe::children(store, image))
                });
                children.await.map(ToolReply::Children)
            }
            ToolRequest::Trash => {
                let thrown = self.read(|store| Ok(trash::list(store)));
                thrown.await.map(ToolReply::Trash)
            }
            ToolRequest::Namespaces => {
                let names = self.read(|store| Ok(namespaces::list(store)));
                names.await.map(ToolReply::Namespaces)
            }
            ToolRequest::Groups => {
                let groups = self.read(|store| Ok(groups::list(store)));
                groups.await.map(ToolReply::Groups)
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
                flat,
            } => {
                self.in_namespace(&name).await?;
                let mirrored = self.pool.mirrors_new(&name);
                let made = move |store: &Store| {
                    snapshots::clone(store, (id, name, mirrored), (source, state), flat)
                };
                self.change(made).await
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
            request => self.describe(request).await,
        }
    }

    /// Changes what is said of images, and of their snapshots.
    async fn describe(&self, request: ToolRequest) -> Result<(), Fault> {
        match request {
            ToolRequest::Protect {
                image,
                snapshot,
                protected,
            } => {
                let store = Arc::clone(&self.store);
                blocking(move || snapshots::protect(&store, image, &snapshot, protected)).await
            }
            ToolRequest::RenameSnapshot {
                image,
                snapshot,
                name,
            } => {
                self.change(move |store| snapshots::rename(store, image, &snapshot, &name))
                    .await
            }
            ToolRequest::LimitSnapshots { image, limit } => {
                self.change(move |store| snapshots::limit(store, image, limit))
                    .await
            }
            ToolRequest::Flatten { image } => {
                self.change(move |store| snapshots::flatten(store, image))
                    .await
            }
            ToolRequest::Note { image, key, value } => {
                let key = keys::note(&key, value.as_deref())?;
                self.change(move |store| store.set_metadata(image, &key, value.as_deref()))
                    .await
            }
            ToolRequest::Enable {
                image,
                features,
                journal,
            } => self.enable_features(image, features, journal).await,
            ToolRequest::Disable {
                image,
                features,
                within,
            } => {
                self.disable_features(image, features, Duration::from_secs(within))
                    .await
            }
            request => self.arrange(request).await,
        }
    }

    /// Changes what holds images, or keeps them.
    async fn arrange(&self, request: ToolRequest) -> Result<(), Fault> {
        match request {
            ToolRequest::Lock { image, lock, tag } => {
                self.change(move |store| locks::add(store, image, &lock, tag.as_deref()))
                    .await
            }
            ToolRequest::Unlock { image, lock } => {
                self.change(move |store| locks::remove(store, image, &lock))
                    .await
            }
            ToolRequest::Throw { image, what } => self.throw(image, what).await,
            ToolRequest::Namespace { name, what } => {
                let done = move |store: &Store| match what {
                    NamespaceRequest::Create => namespaces::create(store, &name),
                    NamespaceRequest::Remove => namespaces::remove(store, &name),
                };
                self.change(done).await
            }
            ToolRequest::Group { name, what } => {
                let mirrors = matches!(
                    what,
                    GroupRequest::Mirror { mode: Some(_) } | GroupRequest::Sync { mode: Some(_) }
                );
                if mirrors {
                    self.needs_mirroring("mirror a group")?;
                }
                let (store, exports) = (Arc::clone(&self.store), Arc::clone(&self.exports));
                blocking(move || groups::serve(&store, &exports, &name, &what)).await
            }
            request => {
                let why = format!("{request:?} changes nothing");
                Err(Fault::new(FaultKind::Internal, "answer a tool", why))
            }
        }
    }

    async fn throw(&self, image: ImageId, what: TrashRequest) -> Result<(), Fault> {
        let (store, exports) = (Arc::clone(&self.store), Arc::clone(&self.exports));
        let now = SystemClock::new().now().0;
        blocking(move || match what {
            TrashRequest::Move { until } => trash::throw(&store, &exports, image, (now, until)),
            TrashRequest::Restore { name } => trash::restore(&store, image, name.as_ref())
                .and_then(|()| store.flush().map(drop))
                .map_err(|error| fault(&error)),
            TrashRequest::Remove { force } => trash::remove(&store, &exports, image, (now, force)),
        })
        .await
    }
}

/// Refuses a namespace that is not there.
pub(super) fn namespace_exists(store: &Store, namespace: &str) -> Result<(), Error> {
    store.alter("look for a namespace", |alteration| {
        namespaces::exists(alteration, namespace)
    })
}

fn moment(moment: firebrick_engine::Moment) -> Moment {
    Moment {
        sequence: moment.sequence,
        time: moment.time.0,
    }
}
