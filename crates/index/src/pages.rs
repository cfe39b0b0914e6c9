//! The file below the database, with a checksum for each of its pages.
//!
//! The database sees pages of 4 KiB. In the file each group of 1024 of them has a page before it that
//! holds their CRC-32Cs (over number and bytes; 0 for a page that was never written), which are
//! compared whenever a page is read: a flipped bit is an error, and the database never sees garbage.
//!
//! Why page and checksum survive a crash together: a commit has two phases. All pages that it wrote,
//! and with them their checksums, which lie in the same file, are synced before the header that makes
//! them reachable is written. Until then a crash may tear page and checksum apart, but nothing leads
//! there, as no page is written in place while a commit reaches it. A torn sector of checksums does
//! not harm the other pages that share it either: what it held for them before and after is the same.
//!
//! The header (page 0) is written in place. It is 320 bytes and lives with a counter and its own
//! CRC-32C in one sector of 512 bytes, which a disk writes whole or not at all when the power goes. A
//! write that fails may leave half of it though, so there are two copies, written one behind the
//! other, and of those that are whole the one with the higher count holds. That is never an older
//! header than one that was synced, as the sync comes behind both writes. The one that holds is
//! written last, and not where the first write has failed: so one is whole, however often they fail.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use firebrick_edge::DiskFile;
use firebrick_edge::RwLock;
use firebrick_log::Checksum;
use redb::StorageBackend;

/// The size of a page, in bytes.
pub(crate) const PAGE: u64 = 4096;
/// How many pages share a page of checksums.
const GROUP: u64 = PAGE / 4;
const SECTOR: usize = 512;
/// How much of the first page the database may use, in bytes.
const HEADER: usize = 480;
const MAGIC: &[u8; 8] = b"fbindex\n";
/// The version of everything in the file. The first one is not read: its places were stored by
/// segment.
const VERSION: u8 = 2;
const VERSION_AT: usize = SECTOR - 5;
const COUNT_AT: usize = HEADER + MAGIC.len();
/// Where in the file the copies of the header are.
const COPIES: [u64; 2] = [PAGE + PAGE / 2, PAGE];

type Sector = [u8; SECTOR];

/// What the first sector says.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Header {
    Ours,
    Newer { found: u8 },
    Older { found: u8 },
    Damaged,
}

/// Shuts out a database that has been given up, and tells whether one ought to be.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    shut: RwLock<bool>,
    failed: AtomicBool,
}

impl Gate {
    /// No operation is under way when this returns, and none will be carried out.
    pub(crate) fn shut(&self) {
        *self.shut.write() = true;
        self.failed.store(true, Ordering::Release);
    }

    /// Whether an operation failed, so that the database refuses everything.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    fn pass<T>(&self, operation: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let shut = self.shut.read();
        if *shut {
            return Err(io::Error::other("the database was given up"));
        }
        let done = operation();
        if done.is_err() {
            self.failed.store(true, Ordering::Release);
        }
        done
    }
}

/// The file, as the database sees it.
pub(crate) struct Pages {
    file: Arc<dyn DiskFile>,
    gate: Arc<Gate>,
    /// How often the header was written.
    count: AtomicU64,
}

impl std::fmt::Debug for Pages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pages").finish_non_exhaustive()
    }
}

impl Pages {
    pub(crate) fn new(file: Arc<dyn DiskFile>, gate: Arc<Gate>) -> Self {
        Self {
            file,
            gate,
            count: AtomicU64::new(0),
        }
    }

    fn pages(&self) -> io::Result<u64> {
        let pages = self.file.len()? / PAGE;
        let rest = pages % (GROUP + 1);
        Ok(pages / (GROUP + 1) * GROUP + rest.saturating_sub(1))
    }

    fn read_header(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let (Header::Ours, sector, _) = newest_header(&*self.file)? else {
            return Err(damaged(0));
        };
        self.count.fetch_max(count_of(&sector), Ordering::AcqRel);
        let end = offset as usize + out.len();
        if end as u64 > PAGE {
            return Err(unaligned());
        }
        out.fill(0);
        if let Some(bytes) = sector.get(offset as usize..end.min(HEADER)) {
            out[..bytes.len()].copy_from_slice(bytes);
        }
        Ok(())
    }

    fn write_header(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let used = data
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |at| at + 1);
        if offset != 0 || used > HEADER {
            return Err(unaligned());
        }
        let mut sector = [0; SECTOR];
        sector[..used].copy_from_slice(&data[..used]);
        sector[HEADER..HEADER + MAGIC.len()].copy_from_slice(MAGIC);
        let count = self.count.fetch_add(1, Ordering::AcqRel) + 1;
        sector[COUNT_AT..COUNT_AT + 8].copy_from_slice(&count.to_be_bytes());
        sector[VERSION_AT] = VERSION;
        let sum = Checksum::of(&sector[..SECTOR - 4]).0;
        sector[SECTOR - 4..].copy_from_slice(&sum.to_be_bytes());
        let mut places = COPIES;
        match newest_header(&*self.file) {
            Ok((Header::Ours, _, holds)) if holds == places[0] => places.reverse(),
            Ok(_) => {}
            // There is none yet.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            Err(error) => return Err(error),
        }
        for place in places {
            self.file.write_at(&[IoSlice::new(&sector)], place)?;
        }
        Ok(())
    }

    fn read_pages(&self, mut page: u64, out: &mut [u8]) -> io::Result<()> {
        let mut rest = out;
        while !rest.is_empty() {
            let (part, behind) = rest.split_at_mut(in_group(page, rest.len()));
            let mut sums = vec![0; part.len() / PAGE as usize * 4];
            self.file.read_at(part, place_of(page))?;
            self.file.read_at(&mut sums, place_of_sum(page))?;
            for (bytes, sum) in part.chunks(PAGE as usize).zip(sums.as_chunks::<4>().0) {
                let found = match u32::from_be_bytes(*sum) {
                    0 => bytes.iter().all(|byte| *byte == 0),
                    sum => sum == sum_of(page, bytes),
                };
                if !found {
                    return Err(damaged(page));
                }
                page += 1;
            }
            rest = behind;
        }
        Ok(())
    }

    fn write_pages(&self, mut page: u64, data: &[u8]) -> io::Result<()> {
        let mut rest = data;
        while !rest.is_empty() {
            let (part, behind) = rest.split_at(in_group(page, rest.len()));
            let pages = (page..).zip(part.chunks(PAGE as usize));
            let sums: Vec<u8> = pages
                .flat_map(|(page, bytes)| sum_of(page, bytes).to_be_bytes())
                .collect();
            self.file.write_at(&[IoSlice::new(part)], place_of(page))?;
            self.file
                .write_at(&[IoSlice::new(&sums)], place_of_sum(page))?;
            page += (part.len() / PAGE as usize) as u64;
            rest = behind;
        }
        Ok(())
    }

    fn resize(&self, len: u64) -> io::Result<()> {
        if !len.is_multiple_of(PAGE) {
            return Err(unaligned());
        }
        let (had, pages) = (self.pages()?, len / PAGE);
        let room = match pages.checked_sub(1) {
            None => 0,
            Some(last) => place_of(last) + PAGE,
        };
        self.file.truncate(room)?;
        // The sums of pages that were cut off once are still there.
        let shared = had.next_multiple_of(GROUP).min(pages);
        if shared > had {
            let zeroes = vec![0; (shared - had) as usize * 4];
            self.file
                .write_at(&[IoSlice::new(&zeroes)], place_of_sum(had))?;
        }
        Ok(())
    }
}

impl StorageBackend for Pages {
    fn len(&self) -> io::Result<u64> {
        self.gate.pass(|| Ok(self.pages()? * PAGE))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.gate.pass(|| {
            if offset < PAGE {
                return self.read_header(offset, out);
            }
            aligned(offset, out.len())?;
            self.read_pages(offset / PAGE, out)
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.gate.pass(|| self.resize(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.gate.pass(|| self.file.sync())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.gate.pass(|| {
            if offset < PAGE {
                return self.write_header(offset, data);
            }
            aligned(offset, data.len())?;
            self.write_pages(offset / PAGE, data)
        })
    }
}

/// Looks at a file before a database does.
pub(crate) fn look(file: &dyn DiskFile) -> io::Result<Header> {
    match newest_header(file) {
        Ok((header, ..)) => Ok(header),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Header::Damaged),
        Err(error) => Err(error),
    }
}

/// The copy of the header that holds and its place, or a damaged one where none does.
fn newest_header(file: &dyn DiskFile) -> io::Result<(Header, Sector, u64)> {
    let mut newest = (Header::Damaged, [0; SECTOR], COPIES[1]);
    for place in COPIES {
        let mut sector = [0; SECTOR];
        file.read_at(&mut sector, place)?;
        let header = header_of(&sector);
        let is_newer = newest.0 == Header::Damaged || count_of(&sector) > count_of(&newest.1);
        if header != Header::Damaged && is_newer {
            newest = (header, sector, place);
        }
    }
    Ok(newest)
}

fn count_of(sector: &Sector) -> u64 {
    u64::from_be_bytes(std::array::from_fn(|index| sector[COUNT_AT + index]))
}

fn header_of(sector: &Sector) -> Header {
    let sum = Checksum::of(&sector[..SECTOR - 4]).0.to_be_bytes();
    let version = sector[VERSION_AT];
    if sector[SECTOR - 4..] != sum || !sector[HEADER..].starts_with(MAGIC) || version == 0 {
        Header::Damaged
    } else if version > VERSION {
        Header::Newer { found: version }
    } else if version < VERSION {
        Header::Older { found: version }
    } else {
        Header::Ours
    }
}

/// Where in the file a page is.
fn place_of(page: u64) -> u64 {
    (page + page / GROUP + 1) * PAGE
}

/// Where in the file its checksum is.
fn place_of_sum(page: u64) -> u64 {
    page / GROUP * (GROUP + 1) * PAGE + page % GROUP * 4
}

/// How many of `len` bytes from `page` on are in its group.
fn in_group(page: u64, len: usize) -> usize {
    len.min(((GROUP - page % GROUP) * PAGE) as usize)
}

/// Never 0, which stands for a page that was not written. With the page's number, so that a page
/// that was written to a wrong place is not taken for the one that belongs there.
fn sum_of(page: u64, bytes: &[u8]) -> u32 {
    let number = Checksum::of(&page.to_be_bytes());
    number.and(bytes).0.max(1)
}

fn aligned(offset: u64, len: usize) -> io::Result<()> {
    if offset.is_multiple_of(PAGE) && (len as u64).is_multiple_of(PAGE) {
        Ok(())
    } else {
        Err(unaligned())
    }
}

fn unaligned() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        "the database asked for something other than pages",
    )
}

fn damaged(page: u64) -> io::Error {
    let text = format!("page {page} is not what was written");
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use firebrick_edge::Disk;
    use firebrick_simulate::SimulatedDisk;

    use super::*;

    #[test]
    fn however_often_writes_fail_one_header_is_whole() -> io::Result<()> {
        for first in 0..2 {
            let disk = SimulatedDisk::new();
            let file = disk.create("pages")?;
            let pages = Pages::new(Arc::clone(&file), Arc::default());
            pages.set_len(4 * PAGE)?;
            pages.write(0, &[7; 320])?;
            for (byte, after) in (10..).zip([first, 0, 1, 0, 0, 1, 1]) {
                disk.fail_writes_after(after, io::ErrorKind::StorageFull);
                assert!(pages.write(0, &[byte; 320]).is_err());
                assert_eq!(look(&*file)?, Header::Ours, "{first} {after}");
            }
            disk.heal();
            pages.write(0, &[9; 320])?;
            let mut read = [0; 320];
            pages.read(0, &mut read)?;
            assert_eq!(read, [9; 320]);
        }
        Ok(())
    }
}
