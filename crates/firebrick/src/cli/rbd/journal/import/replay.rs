//! Replaying entries into an image.

use firebrick_backend::{Backend as _, Fault, FaultKind};
use firebrick_site::admin::{TRANSFER_MAX, ToolImage, ToolRequest, ViewOf};
use firebrick_vocabulary::{BLOCK_SIZE, Bytes, SnapshotName};

use super::DOING;
use crate::cli::rbd::error::{EINVAL, fault, refuse};
use crate::cli::rbd::journal::act::Act;
use crate::cli::rbd::site::Rbd;
use crate::cli::rbd::size::whole_blocks;
use crate::exit::Failure;

/// An entry on its way into an image.
pub(super) struct Replay<'a> {
    pub(super) rbd: &'a mut Rbd,
    /// With the size that it has by now.
    pub(super) image: &'a mut ToolImage,
    pub(super) number: u64,
}

impl Replay<'_> {
    /// Does what the entry does. What is there already is not done again.
    pub(super) async fn act(&mut self, act: Act) -> Result<(), Failure> {
        let image = self.image.id;
        match act {
            Act::Write { offset, data } => self.write(offset, &data).await,
            Act::Fill {
                offset,
                length,
                data,
            } => self.fill(offset, length, &data).await,
            Act::Exchange {
                offset,
                compare,
                data,
            } => self.exchange(offset, &compare, &data).await,
            Act::Discard { offset, length } => {
                // Discards may reach beyond the end.
                let len = length.min(self.image.size.0.saturating_sub(offset));
                if len == 0 {
                    return Ok(());
                }
                self.order(ToolRequest::Discard { image, offset, len })
                    .await
            }
            Act::Resize(size) => self.resize(whole_blocks(size)).await,
            Act::Begin(size) => {
                self.resize(Bytes::ZERO).await?;
                self.resize(whole_blocks(size)).await
            }
            Act::Take(name) => {
                let taken = self.rbd.backend.create_snapshot(image, self.name(&name)?);
                match taken.await {
                    Err(error) if error.kind != FaultKind::Exists => Err(self.failed(&error)),
                    Ok(_) | Err(_) => Ok(()),
                }
            }
            Act::Remove(name) => {
                let name = self.name(&name)?;
                let removed = self.rbd.backend.remove_snapshot(image, name).await;
                removed.map_err(|error| self.failed(&error))
            }
            Act::RollBack(name) => self.roll_back(&name).await,
            Act::Rename { from, to } => {
                let (snapshot, name) = (self.name(&from)?, self.name(&to)?);
                let request = ToolRequest::RenameSnapshot {
                    image,
                    snapshot,
                    name,
                };
                self.order(request).await
            }
            Act::Protect { name, protected } => {
                let snapshot = self.name(&name)?;
                let request = ToolRequest::Protect {
                    image,
                    snapshot,
                    protected,
                };
                self.order(request).await
            }
            Act::Limit(limit) => {
                self.order(ToolRequest::LimitSnapshots { image, limit })
                    .await
            }
            Act::Flatten => self.order(ToolRequest::Flatten { image }).await,
            Act::Note { key, value } => self.order(ToolRequest::Note { image, key, value }).await,
            Act::Nothing => Ok(()),
            Act::Impossible(why) => Err(self.refuse(&why)),
        }
    }

    async fn roll_back(&mut self, name: &str) -> Result<(), Failure> {
        let name = self.name(name)?;
        let done = self.rbd.backend.roll_back(self.image.id, name).await;
        done.map_err(|error| self.failed(&error))?;
        self.look_again().await
    }

    fn failed(&self, error: &Fault) -> Failure {
        fault(&format!("{DOING}: entry {}", self.number), error)
    }

    fn refuse(&self, why: &str) -> Failure {
        let number = self.number;
        let text = format!("rbd: entry {number}: {why}\nrbd: {DOING}: (22) Invalid argument");
        refuse(EINVAL, text)
    }

    fn name(&self, text: &str) -> Result<SnapshotName, Failure> {
        SnapshotName::new(text).map_err(|error| self.refuse(&error.to_string()))
    }

    async fn order(&mut self, request: ToolRequest) -> Result<(), Failure> {
        let done = self.rbd.order(request).await;
        done.map_err(|error| self.failed(&error))
    }

    async fn resize(&mut self, size: Bytes) -> Result<(), Failure> {
        if size != self.image.size {
            let image = self.image.id;
            self.order(ToolRequest::Resize { image, size }).await?;
            self.image.size = size;
        }
        Ok(())
    }

    /// What a rollback made of the size.
    async fn look_again(&mut self) -> Result<(), Failure> {
        let now = self.rbd.open(&self.image.name).await?;
        *self.image = now;
        Ok(())
    }

    fn within(&self, offset: u64, len: u64) -> Result<(), Failure> {
        match offset.checked_add(len) {
            Some(end) if end <= self.image.size.0 => Ok(()),
            Some(_) | None => {
                let size = self.image.size;
                let why = format!(
                    "{len} bytes from {offset} on are beyond the end of the image, which has {size}"
                );
                Err(self.refuse(&why))
            }
        }
    }

    async fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), Failure> {
        self.within(offset, data.len() as u64)?;
        let mut at = offset;
        for part in data.chunks(TRANSFER_MAX) {
            let written = self.rbd.write(self.image, at, part).await;
            written.map_err(|error| self.failed(&error))?;
            at += part.len() as u64;
        }
        Ok(())
    }

    /// Writes the same bytes again and again.
    async fn fill(&mut self, offset: u64, length: u64, data: &[u8]) -> Result<(), Failure> {
        self.within(offset, length)?;
        if data.is_empty() || !length.is_multiple_of(data.len() as u64) {
            return Err(self.refuse("it repeats bytes that do not fit its length"));
        }
        let times = (TRANSFER_MAX / data.len()).max(1);
        let many = data.repeat(times.min((length / data.len() as u64) as usize));
        let mut at = offset;
        while at < offset + length {
            let len = many.len().min((offset + length - at) as usize);
            self.write(at, many.get(..len).unwrap_or_default()).await?;
            at += len as u64;
        }
        Ok(())
    }

    /// Writes where the image has the bytes that the entry says.
    async fn exchange(&mut self, offset: u64, compare: &[u8], data: &[u8]) -> Result<(), Failure> {
        self.within(offset, compare.len() as u64)?;
        let read = self.read(offset, compare.len()).await;
        let read = read.map_err(|error| self.failed(&error))?;
        if read == compare {
            self.write(offset, data).await?;
        }
        Ok(())
    }

    async fn read(&mut self, offset: u64, len: usize) -> Result<Vec<u8>, Fault> {
        let mut bytes = vec![0; len];
        let end = offset + len as u64;
        let (view, _) = self.rbd.view(self.image.id, ViewOf::Head).await?;
        let mut next = Some(offset / BLOCK_SIZE);
        while let Some(from) = next.filter(|block| block * BLOCK_SIZE < end) {
            let (part, data) = self.rbd.changes(view, None, from, true).await?;
            let mut rest = data.as_slice();
            for run in part.runs.iter().filter(|run| run.data) {
                let (here, behind) = rest.split_at((run.blocks * BLOCK_SIZE) as usize);
                rest = behind;
                overlay(&mut bytes, offset, run.block * BLOCK_SIZE, here);
            }
            next = part.next;
        }
        self.rbd.order(ToolRequest::Close { view }).await?;
        Ok(bytes)
    }
}

/// Puts what `data`, which begins at byte `at`, has of the bytes from `offset` on into `bytes`.
fn overlay(bytes: &mut [u8], offset: u64, at: u64, data: &[u8]) {
    let (start, end) = (
        at.max(offset),
        (at + data.len() as u64).min(offset + bytes.len() as u64),
    );
    if start < end {
        let to = (start - offset) as usize..(end - offset) as usize;
        let from = (start - at) as usize..(end - at) as usize;
        bytes[to].copy_from_slice(&data[from]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_within_is_put_there() {
        let mut bytes = [0; 4];
        overlay(&mut bytes, 10, 8, &[1, 2, 3]);
        assert_eq!(bytes, [3, 0, 0, 0]);
        overlay(&mut bytes, 10, 12, &[4, 5, 6, 7]);
        assert_eq!(bytes, [3, 0, 4, 5]);
        overlay(&mut bytes, 10, 14, &[9]);
        assert_eq!(bytes, [3, 0, 4, 5]);
    }
}
