//! A disk is written into a volume's image, and what is zero in it is left out.

use firebrick_backend::{TRANSFER_MAX, Writer};
use firebrick_vocabulary::{BLOCK_SIZE, Bytes};

use super::unacceptable;
use crate::story::Step;

/// Zeroes are looked for in pieces of so many bytes.
const GRAIN: usize = 64 << 10;
/// What of an image is freed at once.
const DISCARD: u64 = 1 << 30;

/// Frees all of an image of `size`.
pub(super) async fn free(writer: &mut dyn Writer, size: Bytes) -> Step {
    let mut from = 0;
    while from < size.0 {
        let len = DISCARD.min(size.0 - from);
        writer.discard(from, len).await?;
        from += len;
    }
    Ok(())
}

/// An image that is being written from its beginning on.
pub(super) struct Sink {
    writer: Box<dyn Writer>,
    size: u64,
    at: u64,
    /// What does not fill a piece yet.
    rest: Vec<u8>,
}

impl Sink {
    /// Writes an image of `size` with `writer`. One that is not `new` is freed first.
    pub(super) async fn new(mut writer: Box<dyn Writer>, size: Bytes, new: bool) -> Step<Self> {
        if !new {
            free(&mut *writer, size).await?;
        }
        Ok(Self {
            writer,
            size: size.0,
            at: 0,
            rest: Vec::new(),
        })
    }

    /// How many bytes have come.
    pub(super) fn came(&self) -> u64 {
        self.at + self.rest.len() as u64
    }

    /// Takes the next bytes.
    pub(super) async fn add(&mut self, data: &[u8]) -> Step {
        if self.came().saturating_add(data.len() as u64) > self.size {
            return Err(unacceptable("it is larger than the volume"));
        }
        self.rest.extend_from_slice(data);
        let whole = self.rest.len() / GRAIN * GRAIN;
        if whole < TRANSFER_MAX {
            return Ok(());
        }
        let rest = self.rest.split_off(whole);
        let full = std::mem::replace(&mut self.rest, rest);
        self.put(&full).await
    }

    /// Writes what is not zero in `data`, in runs of pieces.
    async fn put(&mut self, data: &[u8]) -> Step {
        let (mut run, from) = (Vec::new(), self.at);
        let mut at = from;
        for piece in data.chunks(GRAIN) {
            let zero = piece.iter().all(|byte| *byte == 0);
            if (zero || run.len() + piece.len() > TRANSFER_MAX) && !run.is_empty() {
                self.writer.write(at - run.len() as u64, &run).await?;
                run.clear();
            }
            if !zero {
                run.extend_from_slice(piece);
            }
            at += piece.len() as u64;
        }
        if !run.is_empty() {
            self.writer.write(at - run.len() as u64, &run).await?;
        }
        self.at = at;
        Ok(())
    }

    /// Writes the rest, and makes all of it durable.
    pub(super) async fn finish(mut self) -> Step {
        let mut rest = std::mem::take(&mut self.rest);
        rest.resize(rest.len().next_multiple_of(BLOCK_SIZE as usize), 0);
        self.put(&rest).await?;
        Ok(self.writer.flush().await?)
    }
}
