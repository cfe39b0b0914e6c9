//! Scrubbing: reading what is there to see whether it is what was written.

use firebrick_edge::DiskFile;
use firebrick_vocabulary::{BLOCK_SIZE, ImageId};

use crate::catalog::SegmentKind;
use crate::error::Error;
use crate::frame::HEADER_LEN;
use crate::log::Log;
use crate::moved::{DamagedBlock, Verified, WalkedBlock, WalkedRecord};
use crate::reader::read_head;
use crate::record::Checksum;
use crate::segment;
use crate::walk;

const DOING: &str = "verify a segment";
/// How many blocks are read at once.
const CHUNK: usize = 256;

impl Log {
    /// Reads the durable frames of a segment from `from_offset` on (0, or what the call before said)
    /// and checks heads and blocks: one frame at least, then until `budget_bytes` have been read. What
    /// cannot be read counts as damaged.
    pub fn verify_segment(
        &self,
        number: u32,
        from_offset: u64,
        budget_bytes: u64,
    ) -> Result<Verified, Error> {
        let segment = self.find(number, DOING)?;
        let durable = self.durable().sequence;
        let used = match segment.usage() {
            Some(usage) => usage.bytes,
            None => self.measure(number)?.bytes,
        };
        let end = match segment.kind {
            SegmentKind::Log => used,
            SegmentKind::Packed => used.min(self.shared.packer.lock().synced(number)),
        };
        let mut verified = Verified::default();
        let mut offset = from_offset.max(segment::HEADER_LEN);
        let mut bytes = Vec::new();
        let file = segment.file()?;
        while offset < end {
            if verified.bytes > 0 && verified.bytes >= budget_bytes {
                verified.next = Some(offset);
                return Ok(verified);
            }
            let head = read_head(&segment, offset, self.shared.store, &mut bytes);
            let found = head.ok().flatten().and_then(|header| {
                let table = &bytes[HEADER_LEN..header.head_len()];
                walk::records(&header, table, number, offset).map(|records| (header, records))
            });
            let Some((header, records)) = found else {
                verified.broken_at = Some(offset);
                return Ok(verified);
            };
            if !header.packed && header.next() > durable.next() {
                break;
            }
            for record in &records {
                if let WalkedRecord::Data { image, blocks } = record {
                    check_blocks(&*file, *image, blocks, &mut verified.damaged);
                }
            }
            verified.bytes += u64::from(header.frame_len);
            offset += u64::from(header.frame_len);
        }
        Ok(verified)
    }
}

/// Checks blocks that lie one behind the other.
fn check_blocks(
    file: &dyn DiskFile,
    image: ImageId,
    blocks: &[WalkedBlock],
    damaged: &mut Vec<DamagedBlock>,
) {
    const LEN: usize = BLOCK_SIZE as usize;
    let mut buffer = vec![0; CHUNK.min(blocks.len()) * LEN];
    for some in blocks.chunks(CHUNK) {
        let buffer = &mut buffer[..some.len() * LEN];
        let together = file.read_at(buffer, some[0].at.offset()).is_ok();
        for (bytes, block) in buffer.chunks_exact_mut(LEN).zip(some) {
            // Where the disk refuses some of it, only those blocks are lost.
            let read = together || file.read_at(bytes, block.at.offset()).is_ok();
            if !read || Checksum::of(bytes) != block.checksum {
                damaged.push(DamagedBlock {
                    name: block.name,
                    at: block.at,
                    image,
                    block: block.block,
                });
            }
        }
    }
}
