//! Bits rot in the files of a site, and an index is lost: what is there again, and what is said of the rest.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use firebrick_tests::{Dev, Guest, GuestError, Rbd, run, tool, until, until_some};
use serde_json::{Value, json};

const BLOCK: usize = 4096;
const BLOCKS: usize = 2048;

/// What stands in block `n` of volume number `volume`: nothing else is like it.
fn content(volume: u8, n: usize) -> Vec<u8> {
    let mut block = vec![volume; BLOCK];
    for (i, byte) in block.iter_mut().enumerate().skip(16) {
        *byte = ((i * (n + 3)) >> 3) as u8 ^ volume;
    }
    block[..8].copy_from_slice(b"rottable");
    block[8..16].copy_from_slice(&(u64::from(volume) << 32 | n as u64).to_le_bytes());
    block
}

fn fill(uri: &str, volume: u8) {
    let mut guest = Guest::open(uri).unwrap();
    for first in (0..BLOCKS).step_by(16) {
        let data: Vec<u8> = (first..first + 16)
            .flat_map(|n| content(volume, n))
            .collect();
        guest.write((first * BLOCK) as u64, &data).unwrap();
    }
    guest.flush().unwrap();
    guest.close();
}

/// Where in the segments of a site the blocks of a volume lie.
fn places(site: &Path, volume: u8, wanted: &[usize]) -> Vec<(PathBuf, u64)> {
    let mut found = vec![None; wanted.len()];
    for entry in fs::read_dir(site.join("store/segments")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        for (i, n) in wanted.iter().enumerate() {
            let block = content(volume, *n);
            let at = (0..bytes.len())
                .step_by(512)
                .find(|at| bytes.get(*at..at + BLOCK) == Some(&block));
            if let Some(at) = at {
                found[i] = Some((path.clone(), at as u64));
            }
        }
    }
    found.into_iter().map(Option::unwrap).collect()
}

fn flip(places: &[(PathBuf, u64)]) {
    for (i, (path, at)) in places.iter().enumerate() {
        let file = File::options().read(true).write(true).open(path).unwrap();
        let at = at + (i as u64 * 997) % BLOCK as u64;
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 1 << (i % 8)], at).unwrap();
    }
}

/// Reads every block: what it was, or an I/O error for just those of `lost`.
fn check(uri: &str, volume: u8, lost: &[usize]) {
    let mut guest = until_some("the export is there", 60, || Guest::open(uri).ok());
    for n in 0..BLOCKS {
        match guest.read((n * BLOCK) as u64, BLOCK as u32) {
            Ok(read) => {
                assert!(!lost.contains(&n), "block {n} is damaged and was read");
                assert!(read == content(volume, n), "block {n}");
            }
            Err(GuestError::Refused(5)) => assert!(lost.contains(&n), "block {n} is lost"),
            Err(error) => panic!("block {n}: {error}"),
        }
    }
    guest.close();
}

/// Offset and whether it was repaired of what a scrub found in an image.
fn found(scrubbed: &Value, image: &str) -> Vec<(usize, bool)> {
    let rows = scrubbed["damaged"].as_array().unwrap().iter();
    let mut found: Vec<_> = rows
        .filter(|row| row["image"] == image)
        .map(|row| {
            assert_eq!(row["length"], BLOCK);
            let offset = row["offset"].as_u64().unwrap() as usize;
            (offset / BLOCK, row["repaired"].as_bool().unwrap())
        })
        .collect();
    found.sort_unstable();
    found
}

fn each(blocks: &[usize], repaired: bool) -> Vec<(usize, bool)> {
    blocks.iter().map(|n| (*n, repaired)).collect()
}

fn scrub(rbd: &Rbd, status: i32) -> Value {
    let ran = rbd.run(&["scrub", "--wait", "--format", "json"]);
    assert_eq!(ran.status, status, "{}{}", ran.stdout, ran.stderr);
    serde_json::from_str(&ran.stdout).unwrap()
}

#[test]
fn rot_is_repaired_from_the_mirror_and_reported_where_there_is_none() {
    let dev = Dev::start();
    let (api, rbd) = (dev.api(), dev.rbd("site-a"));
    api.make_replicated_type();
    let plain = api.make_volume(&json!({"size": 1}));
    let mirrored = api.make_volume(&json!({"size": 1, "volume_type": "replicated"}));
    let (_, plain_uri) = api.attach(&plain);
    let (_, mirrored_uri) = api.attach(&mirrored);
    fill(&plain_uri, 1);
    fill(&mirrored_uri, 2);
    // So that all of that lies in a segment that is full.
    let more = api.make_volume(&json!({"size": 1}));
    let (_, more_uri) = api.attach(&more);
    for volume in 3..10 {
        fill(&more_uri, volume);
    }
    let (plain, mirrored) = (format!("volume-{plain}"), format!("volume-{mirrored}"));
    let site = dev.site("site-a").dir;

    let (cold, warm) = ([7, 512, 513, 1400], [3, 900]);
    dev.stop_site("site-a");
    flip(&places(&site, 1, &cold));
    flip(&places(&site, 2, &cold));
    dev.start_site("site-a");
    check(&plain_uri, 1, &cold);
    // And while it runs.
    flip(&places(&site, 2, &warm));
    until("the peers have each other again", 60, || {
        let pools = api.get("/scheduler-stats/get_pools?detail=true");
        pools.body["pools"][0]["capabilities"]["replication_connected"] == true
    });
    let mut all = [cold.as_slice(), &warm].concat();
    all.sort_unstable();
    let scrubbed = scrub(&rbd, 5);
    assert_eq!(found(&scrubbed, &plain), each(&cold, false), "{scrubbed}");
    assert_eq!(found(&scrubbed, &mirrored), each(&all, true), "{scrubbed}");
    check(&mirrored_uri, 2, &[]);
    check(&plain_uri, 1, &cold);

    let ran = rbd.run(&["scrub", "--wait"]);
    assert_eq!(ran.status, 5, "{}", ran.stderr);
    assert!(
        ran.stderr
            .contains("4 damaged blocks could not be repaired"),
        "{}",
        ran.stderr
    );
    for n in cold {
        let row = [
            plain.clone(),
            (n * BLOCK).to_string(),
            BLOCK.to_string(),
            "damaged".to_owned(),
        ];
        let there = ran
            .stdout
            .lines()
            .any(|line| line.split_whitespace().eq(&row));
        assert!(there, "{}", ran.stdout);
    }
    assert!(
        !ran.stdout.contains(&mirrored),
        "it is repaired for good: {}",
        ran.stdout
    );
    let qemu = |step: &str| {
        run(tool("qemu-io")
            .args(["-f", "raw", "-c", step])
            .arg(&plain_uri))
    };
    assert!(qemu("read 28k 4k").stdout.contains("Input/output error"));
    let _ = qemu("read 0 28k").ok();
    // Who writes it anew has it again.
    let mut guest = Guest::open(&plain_uri).unwrap();
    for n in cold {
        guest.write((n * BLOCK) as u64, &content(1, n)).unwrap();
    }
    guest.flush().unwrap();
    check(&plain_uri, 1, &[]);
    // What was repaired is so after a crash, too.
    dev.kill_site("site-a");
    dev.start_site("site-a");
    check(&mirrored_uri, 2, &[]);
    check(&plain_uri, 1, &[]);
}

/// All that a site shows of its images.
fn shown(rbd: &Rbd, images: &[&str], dir: &Path) -> (Vec<Value>, Vec<PathBuf>) {
    let mut shown = vec![rbd.json(&["ls", "-l"]), rbd.json(&["du"])];
    let mut files = Vec::new();
    for image in images {
        for verb in [
            ["info", image].as_slice(),
            &["snap", "ls", image],
            &["diff", image],
        ] {
            shown.push(rbd.json(verb));
        }
        for taken in rbd.json(&["snap", "ls", image]).as_array().unwrap() {
            let spec = format!("{image}@{}", taken["name"].as_str().unwrap());
            files.push(dir.join(&spec));
            rbd.ok(&["export", &spec, dir.join(&spec).to_str().unwrap()]);
        }
        files.push(dir.join(image));
        rbd.ok(&["export", image, dir.join(image).to_str().unwrap()]);
    }
    (shown, files)
}

#[test]
fn an_index_that_is_gone_is_made_again_from_the_log() {
    let dev = Dev::start();
    let (api, rbd) = (dev.api(), dev.rbd("site-a"));
    dev.configure("site-a", &["segment_size = 1MiB"]);
    api.make_replicated_type();
    until("the backend is up", 60, || {
        api.volume_service()["state"] == "up"
    });
    let plain = api.make_volume(&json!({"size": 1}));
    let mirrored = api.make_volume(&json!({"size": 1, "volume_type": "replicated"}));
    let (attachment, plain_uri) = api.attach(&plain);
    let (_, mirrored_uri) = api.attach(&mirrored);
    let (plain_image, mirrored_image) = (format!("volume-{plain}"), format!("volume-{mirrored}"));
    fill(&plain_uri, 1);
    fill(&mirrored_uri, 2);
    rbd.ok(&["snap", "create", &format!("{plain_image}@one")]);
    rbd.ok(&["clone", &format!("{plain_image}@one"), "copy"]);
    fill(&plain_uri, 3);
    api.detach(&attachment);
    rbd.ok(&["snap", "create", &format!("{plain_image}@two")]);
    rbd.ok(&["snap", "rollback", &format!("{plain_image}@one")]);
    rbd.ok(&["resize", "copy", "--size", "4", "--allow-shrink"]);
    rbd.ok(&["create", "gone", "--size", "4"]);
    rbd.ok(&["rm", "gone"]);
    let images = [plain_image.as_str(), &mirrored_image, "copy"];
    let (before, after) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (mut was, files) = shown(&rbd, &images, before.path());

    assert!(
        rbd.refused(16, &["rebuild-index"])
            .contains("stop the site site-a first")
    );
    dev.stop_site("site-a");
    fs::remove_dir_all(dev.dir().join("site-a/store/index")).unwrap();
    let report = rbd.json(&["rebuild-index"]);
    assert_eq!(
        (&report["images"], &report["snapshots"]),
        (&json!(3), &json!(2)),
        "{report}"
    );
    assert_eq!(report["damaged_segments"], json!([]), "{report}");
    // Once more, over what is there, and plainly.
    let said = rbd.ok(&["rebuild-index"]);
    assert!(
        said.starts_with("3 images and 2 snapshots as of "),
        "{said}"
    );
    dev.start_site("site-a");
    until("the exports are there", 60, || {
        Guest::open(&mirrored_uri).is_ok()
    });
    let (mut is, again) = shown(&rbd, &images, after.path());
    for shown in [&mut was, &mut is] {
        // Whether somebody has it open.
        for row in shown[0].as_array_mut().unwrap() {
            row.as_object_mut().unwrap().remove("lock_type");
        }
    }
    assert_eq!(was, is);
    for (was, is) in files.iter().zip(&again) {
        let _ = run(tool("qemu-img")
            .args(["compare", "-f", "raw", "-F", "raw"])
            .args([was, is]))
        .ok();
    }
    check(&mirrored_uri, 2, &[]);
    let (_, plain_uri) = api.attach(&plain);
    check(&plain_uri, 1, &[]);
    // The site goes on, also with its mirror.
    fill(&mirrored_uri, 4);
    check(&mirrored_uri, 4, &[]);
    api.fail_over(None, "failed-over");
    let other = dev.rbd("site-b");
    let there = after.path().join("there");
    other.ok(&["export", &mirrored_image, there.to_str().unwrap()]);
    let bytes = fs::read(&there).unwrap();
    for n in 0..BLOCKS {
        assert!(
            bytes[n * BLOCK..(n + 1) * BLOCK] == content(4, n),
            "block {n} at the other site"
        );
    }
}
