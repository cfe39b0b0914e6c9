//! Readers and writers.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use firebrick_backend::{Content, Extent, Fault, FaultKind, Reader, TRANSFER_MAX, ViewOf, Writer};
use firebrick_vocabulary::{BLOCK_SIZE, Bytes, ImageId, Role};
use uuid::Uuid;

use super::Shared;
use super::part::{self, Part};
use super::snapshots::{self, OF_READERS};
use crate::fault::Doing;
use crate::ffi::{Difference, Grain, Image, Opening};
use crate::link::{Link, Pace};

/// How much of an image is asked for differences at once, in bytes.
const WINDOW: u64 = 256 << 20;

/// A state that is read.
pub(super) struct CephReader {
    shared: Arc<Shared>,
    /// `None` while a call has it, and for good once one has failed.
    state: Option<State>,
    size: u64,
    /// A snapshot that only this reader needs.
    held: Option<(String, String)>,
    ready: VecDeque<Extent>,
}

struct State {
    image: Image,
    since: Option<String>,
    size: u64,
    /// From where on differences have not been asked for.
    next: u64,
    /// Those that have, and that have not been read.
    found: VecDeque<Difference>,
}

/// Opens a reader. The newest state is held by a snapshot of the reader's own, but of a copy, which nobody here
/// can take snapshots of: that is read as it is.
pub(super) async fn read(
    shared: &Arc<Shared>,
    id: ImageId,
    of: ViewOf,
    since: Option<ViewOf>,
    from: u64,
) -> Result<CephReader, Fault> {
    let doing = format!("read image {id}");
    let (all, what) = (Arc::clone(shared), doing.clone());
    let open = move |link: &Link, _: &_| {
        let (image, name, notes) = all.names.open(link, id, Opening::Changing, &what)?;
        let known = |view: ViewOf| named(&image, view, &what);
        let since = match since {
            Some(since) => Some(known(since)?.ok_or_else(|| {
                let why = "nothing differs from the newest state";
                Fault::new(FaultKind::Invalid, what.as_str(), why)
            })?),
            None => None,
        };
        let mut held = None;
        let view = match known(of)? {
            Some(view) => Some(view),
            None => match Part::of(link, &image, &notes, &what)?.role() {
                Role::Secondary => None,
                Role::Primary => {
                    let own = format!("{OF_READERS}{}", Uuid::new_v4());
                    image.take(&own).doing(&what)?;
                    held = Some((name, own.clone()));
                    Some(own)
                }
            },
        };
        image.look_at(view.as_deref()).doing(&what)?;
        let size = image.size().doing(&what)?;
        let state = State {
            image,
            since,
            size,
            next: from,
            found: VecDeque::new(),
        };
        Ok((state, size, held))
    };
    let (state, size, held) = shared.line.call(Pace::Quick, doing, open).await?;
    Ok(CephReader {
        shared: Arc::clone(shared),
        state: Some(state),
        size,
        held,
        ready: VecDeque::new(),
    })
}

/// The snapshot that a view is; `None` for the newest state.
fn named(image: &Image, view: ViewOf, doing: &str) -> Result<Option<String>, Fault> {
    match view {
        ViewOf::Head => Ok(None),
        ViewOf::Snapshot(name) => match snapshots::find(image, name.as_str(), doing)? {
            Some(snap) => Ok(Some(snap.name)),
            None => Err(snapshots::missing(name.as_str(), doing)),
        },
        ViewOf::At(_) => {
            let why = "a Ceph site keeps no state but its snapshots";
            Err(Fault::new(FaultKind::Unsupported, doing, why))
        }
    }
}

impl State {
    /// The next extents, at most one transfer of them; none at the end.
    fn advance(&mut self, doing: &str) -> Result<VecDeque<Extent>, Fault> {
        let mut extents = VecDeque::new();
        while extents.is_empty() {
            let Some(difference) = self.found.pop_front() else {
                if self.next >= self.size {
                    break;
                }
                let len = WINDOW.min(self.size - self.next);
                let range = (self.next, len);
                let since = self.since.as_deref();
                let found = self.image.differences(since, range, Grain::Written);
                self.found = found.doing(doing)?.into();
                self.next += len;
                continue;
            };
            if difference.exists {
                self.read(difference, &mut extents, doing)?;
            } else if self.since.is_some() {
                extents.push_back(Extent {
                    offset: difference.offset,
                    content: Content::Hole(difference.len),
                });
            }
        }
        Ok(extents)
    }

    /// Reads one transfer of it; the rest of it comes next.
    fn read(
        &mut self,
        difference: Difference,
        extents: &mut VecDeque<Extent>,
        doing: &str,
    ) -> Result<(), Fault> {
        let Difference { offset, len, .. } = difference;
        let now = len.min(TRANSFER_MAX as u64);
        if now < len {
            self.found.push_front(Difference {
                offset: offset + now,
                len: len - now,
                exists: true,
            });
        }
        let mut data = vec![0; now as usize];
        let got = self.image.read(offset, &mut data).doing(doing)?;
        data.truncate(got);
        split(offset, &data, self.since.is_some(), extents);
        Ok(())
    }
}

/// Whole objects are said to differ where little of them was written: blocks of zeroes are holes.
fn split(offset: u64, data: &[u8], holes: bool, extents: &mut VecDeque<Extent>) {
    let mut at = offset;
    let mut rest = data;
    while !rest.is_empty() {
        let to_border = (BLOCK_SIZE - at % BLOCK_SIZE) as usize;
        let (block, behind) = rest.split_at(to_border.min(rest.len()));
        let is_zero = block.iter().all(|byte| *byte == 0);
        match (extents.back_mut(), is_zero) {
            (Some(last), false) if last.end() == at && matches!(last.content, Content::Data(_)) => {
                if let Content::Data(data) = &mut last.content {
                    data.extend_from_slice(block);
                }
            }
            (Some(last), true) if last.end() == at && matches!(last.content, Content::Hole(_)) => {
                last.content = Content::Hole(at + block.len() as u64 - last.offset);
            }
            (_, true) if !holes => {}
            (_, true) => extents.push_back(Extent {
                offset: at,
                content: Content::Hole(block.len() as u64),
            }),
            (_, false) => extents.push_back(Extent {
                offset: at,
                content: Content::Data(block.to_vec()),
            }),
        }
        at += block.len() as u64;
        rest = behind;
    }
}

#[async_trait]
impl Reader for CephReader {
    fn size(&self) -> Bytes {
        Bytes(self.size)
    }

    async fn next(&mut self) -> Result<Option<Extent>, Fault> {
        if let Some(extent) = self.ready.pop_front() {
            return Ok(Some(extent));
        }
        let doing = "read an image";
        let mut state = self.state.take().ok_or_else(|| spent(doing))?;
        let read = move |_: &Link, _: &_| {
            let extents = state.advance(doing)?;
            Ok((state, extents))
        };
        let (state, extents) = self.shared.line.call(Pace::Quick, doing, read).await?;
        self.state = Some(state);
        self.ready = extents;
        Ok(self.ready.pop_front())
    }
}

fn spent(doing: &str) -> Fault {
    Fault::new(FaultKind::Internal, doing, "an earlier call has failed")
}

impl Drop for CephReader {
    fn drop(&mut self) {
        let (state, held) = (self.state.take(), self.held.take());
        self.shared.line.later("close an image", move |link| {
            drop(state);
            let Some((name, own)) = held else {
                return Ok(());
            };
            let doing = "remove the snapshot of a reader";
            let image = crate::names::open(link, &name, Opening::Changing, doing)?;
            match image {
                Some(image) => crate::fault::gone_is_fine(image.remove_snap(&own).doing(doing)),
                None => Ok(()),
            }
        });
    }
}

/// An image that is written.
pub(super) struct CephWriter {
    shared: Arc<Shared>,
    image: Option<Image>,
}

/// Opens a writer.
pub(super) async fn write(shared: &Arc<Shared>, id: ImageId) -> Result<CephWriter, Fault> {
    let doing = format!("write image {id}");
    let (all, what) = (Arc::clone(shared), doing.clone());
    let open = move |link: &Link, _: &_| {
        let (image, _, notes) = all.names.open(link, id, Opening::Changing, &what)?;
        part::primary(link, &image, &notes, &what)?;
        Ok(image)
    };
    let image = shared.line.call(Pace::Quick, doing, open).await?;
    Ok(CephWriter {
        shared: Arc::clone(shared),
        image: Some(image),
    })
}

impl CephWriter {
    async fn call(
        &mut self,
        work: impl FnOnce(&Image, &str) -> Result<(), Fault> + Send + 'static,
    ) -> Result<(), Fault> {
        let doing = "write an image";
        let image = self.image.take().ok_or_else(|| spent(doing))?;
        let write = move |_: &Link, _: &_| {
            let result = work(&image, doing);
            Ok((image, result))
        };
        let (image, result) = self.shared.line.call(Pace::Quick, doing, write).await?;
        self.image = Some(image);
        result
    }
}

#[async_trait]
impl Writer for CephWriter {
    async fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), Fault> {
        if data.len() > TRANSFER_MAX {
            let why = format!("{} bytes are more than {TRANSFER_MAX}", data.len());
            return Err(Fault::new(FaultKind::Invalid, "write an image", why));
        }
        let data = data.to_vec();
        self.call(move |image, doing| image.write(offset, &data).doing(doing))
            .await
    }

    async fn discard(&mut self, offset: u64, len: u64) -> Result<(), Fault> {
        self.call(move |image, doing| {
            // Some versions take no more than this at once.
            let mut done = 0;
            while done < len {
                let some = (len - done).min(1 << 30);
                image.zero(offset + done, some as usize).doing(doing)?;
                done += some;
            }
            Ok(())
        })
        .await
    }

    async fn flush(&mut self) -> Result<(), Fault> {
        self.call(|image, doing| image.flush().doing(doing)).await
    }
}

impl Drop for CephWriter {
    fn drop(&mut self) {
        if let Some(image) = self.image.take() {
            self.shared.line.later("close an image", move |_| {
                drop(image);
                Ok(())
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_zeroes_are_holes() {
        let mut data = vec![0; 3 * 4096];
        data[4096..8192].fill(7);
        let found = |holes| {
            let mut extents = VecDeque::new();
            split(8192, &data, holes, &mut extents);
            let all = extents
                .iter()
                .map(|it| (it.offset, it.end(), matches!(it.content, Content::Hole(_))));
            all.collect::<Vec<_>>()
        };
        let data_at = (12288, 16384, false);
        assert_eq!(found(false), [data_at]);
        assert_eq!(
            found(true),
            [(8192, 12288, true), data_at, (16384, 20480, true)]
        );
    }
}
