//! Memory that lies together, as far as the system can have it so.
//!
//! A disk that is handed a buffer past the system's cache takes it page by page: where a buffer is one page of
//! 2 MiB instead of hundreds of 4 KiB, one part of a request is enough for all of it.

#![expect(unsafe_code, reason = "no safe wrapper has this system call")]

/// Says that the memory of `bytes` is best made of huge pages, where it is not there yet
/// (`MADV_HUGEPAGE`, <https://man7.org/linux/man-pages/man2/madvise.2.html>). Changes nothing of what it
/// holds. A system that has none goes on with the pages that it has.
pub fn prefer_huge_pages(bytes: &mut [u8]) {
    const PAGE: usize = crate::PAGE as usize;
    let skipped = bytes.as_ptr().align_offset(PAGE);
    let Some(whole) = bytes.get_mut(skipped..).filter(|rest| !rest.is_empty()) else {
        return;
    };
    // SAFETY: the range is memory of this process that stays mapped for as long as `bytes` is borrowed, and the
    // call changes by what pages it is backed, not what it holds.
    unsafe {
        libc::madvise(whole.as_mut_ptr().cast(), whole.len(), libc::MADV_HUGEPAGE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_memory_holds_stays() {
        for len in [0, 1, 5000, 8 << 20] {
            let mut bytes: Vec<u8> = (0..len).map(|at| at as u8).collect();
            prefer_huge_pages(&mut bytes);
            assert!(bytes.iter().zip(0..len).all(|(byte, at)| *byte == at as u8));
        }
    }
}
