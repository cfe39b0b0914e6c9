//! What a simulated disk keeps and what it loses.

use std::io::{ErrorKind, IoSlice};

use super::*;

fn write(file: &Arc<dyn DiskFile>, offset: u64, bytes: &[u8]) -> io::Result<()> {
    file.write_at(&[IoSlice::new(bytes)], offset)
}

fn read(disk: &SimulatedDisk, name: &str) -> io::Result<Vec<u8>> {
    let file = disk.open(name)?;
    let mut bytes = vec![0; file.len()? as usize];
    file.read_at(&mut bytes, 0)?;
    Ok(bytes)
}

/// A disk with one durable file of zeroes.
fn with_file() -> (SimulatedDisk, Arc<dyn DiskFile>) {
    let disk = SimulatedDisk::new();
    let file = disk.create("f").unwrap();
    file.truncate(1024).unwrap();
    file.sync().unwrap();
    disk.sync_dir("").unwrap();
    (disk, file)
}

#[test]
fn the_same_seed_leaves_the_same_bytes() {
    let (disk, file) = with_file();
    for value in 1..20 {
        write(&file, 0, &[value; 1024]).unwrap();
        drop(disk.create(&format!("{value}")).unwrap());
    }
    for seed in 0..20 {
        let (one, other) = (disk.crash(seed), disk.crash(seed));
        assert_eq!(one.list("").unwrap(), other.list("").unwrap());
        assert_eq!(read(&one, "f").unwrap(), read(&other, "f").unwrap());
    }
}

#[test]
fn a_synced_file_whose_name_is_not_synced_may_be_gone() {
    let disk = SimulatedDisk::new();
    let file = disk.create("f").unwrap();
    write(&file, 0, &[1; 10]).unwrap();
    file.sync().unwrap();
    let found: Vec<_> = (0..50).map(|seed| read(&disk.crash(seed), "f")).collect();
    assert!(found.iter().any(Result::is_err));
    assert!(found.iter().flatten().any(|bytes| *bytes == [1; 10]));
    disk.sync_dir("").unwrap();
    assert!((0..50).all(|seed| read(&disk.crash(seed), "f").unwrap() == [1; 10]));
}

#[test]
fn an_ignored_sync_may_lose_what_a_true_one_keeps() {
    let lost = |disk: &SimulatedDisk| {
        (0..50).any(|seed| read(&disk.crash(seed), "f").map_or(true, |bytes| bytes[0] != 1))
    };
    for lies in [false, true] {
        let (disk, file) = with_file();
        disk.ignore_sync(move |name| lies && name == "f");
        write(&file, 0, &[1; 1024]).unwrap();
        file.sync().unwrap();
        assert_eq!(lost(&disk), lies);
    }
    let disk = SimulatedDisk::new();
    disk.ignore_sync_dir(str::is_empty);
    let file = disk.create("f").unwrap();
    write(&file, 0, &[1; 1024]).unwrap();
    file.sync().unwrap();
    disk.sync_dir("").unwrap();
    assert!(lost(&disk));
}

#[test]
fn after_the_stop_everything_fails_and_the_cut_operation_may_have_happened() {
    let (disk, file) = with_file();
    disk.stop_after(1);
    write(&file, 0, &[1; 512]).unwrap();
    assert!(write(&file, 512, &[2; 512]).is_err());
    assert!(file.sync().is_err());
    assert!(file.read_at(&mut [0; 1], 0).is_err());
    assert!(disk.open("f").is_err());
    let left: Vec<_> = (0..50)
        .map(|seed| read(&disk.crash(seed), "f").unwrap())
        .collect();
    assert!(left.iter().any(|bytes| bytes[512] == 2));
    assert!(left.iter().any(|bytes| bytes[512] == 0));
}

#[test]
fn a_restarted_process_sees_what_is_not_durable_yet() {
    let (disk, file) = with_file();
    disk.stop_after(0);
    assert!(write(&file, 0, &[1; 1024]).is_err());
    disk.restart();
    assert_eq!(read(&disk, "f").unwrap(), [1; 1024]);
    assert!((0..50).any(|seed| read(&disk.crash(seed), "f").unwrap()[0] == 0));
}

#[test]
fn writes_fail_from_the_one_on_that_was_asked_for() {
    let (disk, file) = with_file();
    disk.fail_writes_after(1, ErrorKind::StorageFull);
    write(&file, 0, &[1; 8]).unwrap();
    let failed = write(&file, 8, &[2; 8]).unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::StorageFull);
    assert_eq!(
        read(&disk, "f").unwrap()[..16],
        [1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 0, 0, 0, 0]
    );
    disk.heal();
    write(&file, 8, &[3; 8]).unwrap();
}

#[test]
fn what_a_failed_sync_lost_no_later_sync_brings_back() {
    let (disk, file) = with_file();
    disk.fail_syncs_after(0, ErrorKind::Other);
    write(&file, 0, &[1; 512]).unwrap();
    assert!(file.sync().is_err());
    disk.heal();
    file.sync().unwrap();
    assert_eq!(read(&disk, "f").unwrap()[0], 1);
    assert!((0..20).all(|seed| read(&disk.crash(seed), "f").unwrap()[0] == 0));
}

#[test]
fn a_full_disk_takes_what_needs_no_room() {
    let (disk, file) = with_file();
    disk.set_capacity(1024);
    write(&file, 0, &[1; 1024]).unwrap();
    let failed = write(&file, 1, &[1; 1024]).unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::StorageFull);
    let other = disk.create("g").unwrap();
    assert_eq!(
        other.allocate(1).unwrap_err().kind(),
        ErrorKind::StorageFull
    );
    disk.remove("f").unwrap();
    other.allocate(1024).unwrap();
    assert_eq!(disk.space().unwrap().free, 0);
}

#[test]
fn a_lock_is_held_once_and_not_beyond_a_crash() {
    let disk = SimulatedDisk::new();
    let held = disk.lock("lock").unwrap();
    assert!(disk.lock("lock").is_err());
    drop(disk.crash(1).lock("lock").unwrap());
    drop(held);
    drop(disk.lock("lock").unwrap());
}
