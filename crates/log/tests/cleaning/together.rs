//! Guests, the cleaner and readers at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use firebrick_edge::{Disk, RealDisk, SystemClock};
use firebrick_log::{Checksum, Error, ErrorKind, FrameRecord, Log, OpenOptions};
use firebrick_vocabulary::Sequence;

use crate::common::{self, BLOCK, Wanted};
use crate::{MIB, pack};

/// Reads frames and their data until `done`, from wherever the log begins by then.
fn read_along(log: &Log, done: &AtomicBool) -> u64 {
    let mut checked = 0;
    let mut buffer = vec![0; BLOCK];
    loop {
        let last = done.load(Ordering::SeqCst);
        let mut reader = match log.reader(log.contiguous_from()) {
            Ok(reader) => reader,
            Err(error) if matches!(error.kind, ErrorKind::Trimmed { .. }) => continue,
            Err(error) => panic!("{error}"),
        };
        loop {
            let frame = match reader.next_frame() {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(error) if matches!(error.kind, ErrorKind::Trimmed { .. }) => break,
                Err(error) => panic!("{error}"),
            };
            for record in &frame.records {
                if let FrameRecord::Data { at, checksums, .. } = record {
                    // Where it was freed meanwhile there is an error, and never another's bytes.
                    if log.read(*at, &mut buffer).is_ok() {
                        assert_eq!(Checksum::of(&buffer), checksums[0]);
                        checked += 1;
                    } else {
                        assert!(log.segment_info(at.segment).is_none());
                    }
                }
            }
        }
        if last {
            return checked;
        }
    }
}

#[test]
fn guests_cleaner_and_readers_do_not_hinder_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::new(dir.path()).unwrap());
    Log::create(&disk, common::STORE, common::OPTIONS).unwrap();
    let options = OpenOptions {
        capacity: Some(24 * MIB),
        open_files_max: 3,
        ..OpenOptions::default()
    };
    let clock = Arc::new(SystemClock::new());
    let recovery = Log::open_with(disk, clock, options, || None).unwrap();
    let tail = recovery
        .replay(Sequence(1), &mut |_| Ok::<_, Error>(()))
        .unwrap();
    let log = recovery.finish(&tail).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            for number in 0..1500 {
                while let Err(error) = common::append(&log, &[Wanted::Data(0, vec![number; 40])]) {
                    assert_eq!(error.kind, ErrorKind::NoSpace);
                    std::thread::yield_now();
                }
                if number % 20 == 0 {
                    log.flush().unwrap();
                    log.trim(log.durable().sequence);
                }
            }
            done.store(true, Ordering::SeqCst);
        });
        threads.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                for info in log.catalog().segments {
                    if log.free(info.number).is_ok() && info.number % 5 == 0 {
                        pack(&log, &[info.number.into()]).unwrap();
                    }
                }
                log.sync_packed().unwrap();
                drop(log.prepare_segment(Duration::ZERO));
                let room = log.room().unwrap();
                assert!(room.used + room.spare <= 24 * MIB, "{room:?}");
            }
        });
        assert!(read_along(&log, &done) > 0);
    });
    log.close().unwrap();
    assert_eq!(pack(&log, &[1]).unwrap_err().kind, ErrorKind::Closed);
}
