//! Readers and writers of the site's own process: what tools get over the socket, without it.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use firebrick_backend::{Extent, Fault, Reader, ViewOf, Writer};
use firebrick_engine::{Error, Store, Write};
use firebrick_vocabulary::{BLOCK_SIZE, Bytes, ImageId};

use super::fault::{blocking, fault};
use super::views::View;
use crate::admin::{extents, one_transfer};

/// A state that is read.
pub(super) struct LocalReader {
    view: Arc<View>,
    older: Option<Arc<View>>,
    ready: VecDeque<Extent>,
    next: Option<u64>,
}

impl LocalReader {
    pub(super) fn open(
        store: &Arc<Store>,
        image: ImageId,
        of: &ViewOf,
        since: Option<&ViewOf>,
        from: u64,
    ) -> Result<Self, Fault> {
        let view = Arc::new(View::open(store, image, of)?);
        let older = since.map(|since| View::open(store, image, since).map(Arc::new));
        Ok(Self {
            view,
            older: older.transpose()?,
            ready: VecDeque::new(),
            next: Some(from / BLOCK_SIZE),
        })
    }
}

#[async_trait]
impl Reader for LocalReader {
    fn size(&self) -> Bytes {
        self.view.size()
    }

    async fn next(&mut self) -> Result<Option<Extent>, Fault> {
        loop {
            if let Some(extent) = self.ready.pop_front() {
                return Ok(Some(extent));
            }
            let Some(from) = self.next else {
                return Ok(None);
            };
            let (view, older) = (Arc::clone(&self.view), self.older.clone());
            let part = blocking(move || {
                let part = view.changes(older.as_deref(), from, true);
                part.map_err(|error| fault(&error))
            });
            let (part, bytes) = part.await?;
            self.next = part.next;
            self.ready = extents(&part, &bytes)?;
        }
    }
}

/// An image that is written.
pub(super) struct LocalWriter {
    pub(super) store: Arc<Store>,
    pub(super) image: ImageId,
}

impl LocalWriter {
    async fn change(
        &self,
        work: impl FnOnce(&Store, ImageId) -> Result<(), Error> + Send + 'static,
    ) -> Result<(), Fault> {
        let (store, image) = (Arc::clone(&self.store), self.image);
        blocking(move || work(&store, image).map_err(|error| fault(&error))).await
    }
}

#[async_trait]
impl Writer for LocalWriter {
    async fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), Fault> {
        one_transfer(data.len())?;
        let data = data.to_vec();
        self.change(move |store, image| {
            let data = data.as_slice();
            store.image(image)?.write(&[Write { offset, data }])
        })
        .await
    }

    async fn discard(&mut self, offset: u64, len: u64) -> Result<(), Fault> {
        self.change(move |store, image| store.image(image)?.discard(offset, len))
            .await
    }

    async fn flush(&mut self) -> Result<(), Fault> {
        self.change(|store, _| store.flush().map(drop)).await
    }
}
