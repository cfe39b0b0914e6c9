//! What guests see when the process of their site ends, or hands over to the other site.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use firebrick_tests::{Dev, Guest, GuestError, tool, until};
use serde_json::json;

const SLOTS: usize = 2048;
const EPERM: u32 = 1;
/// How often an image is handed over, at least and at most.
const TURNS: usize = 6;
const TURNS_MAX: usize = 40;

/// A `qemu-io` that writes, with up to 16 writes at a time, until told to stop.
struct Writer {
    process: Child,
    said: PathBuf,
    stop: Arc<AtomicBool>,
    feeder: JoinHandle<Vec<u8>>,
}

impl Writer {
    /// Over a connection that may be away for `patience` seconds.
    fn start(uri: &str, said: PathBuf, patience: u32) -> Self {
        let (export, socket) = uri
            .strip_prefix("nbd+unix:///")
            .and_then(|rest| rest.split_once("?socket="))
            .unwrap();
        let image = format!(
            "driver=nbd,server.type=unix,server.path={socket},export={export},reconnect-delay={patience}"
        );
        let out = File::create(&said).unwrap();
        let mut process = tool("qemu-io")
            .args(["--image-opts", &image])
            .stdin(Stdio::piped())
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            .spawn()
            .unwrap();
        let mut steps = process.stdin.take().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let feeder = thread::spawn(move || {
            let mut newest = vec![0; SLOTS];
            let mut n = 0usize;
            while !stopped.load(Ordering::SeqCst) {
                for _ in 0..16 {
                    let (slot, pattern) = (n * 7 % SLOTS, (n % 251 + 1) as u8);
                    newest[slot] = pattern;
                    let _ = writeln!(steps, "aio_write -P {pattern} {} 4k", slot * 4096);
                    n += 1;
                }
                // Also it may be under way when the site ends.
                let _ = writeln!(
                    steps,
                    "aio_flush\n{}",
                    if n.is_multiple_of(64) { "flush" } else { "" }
                );
            }
            let _ = writeln!(steps, "flush\nquit");
            newest
        });
        Self {
            process,
            said,
            stop,
            feeder,
        }
    }

    /// How many writes have been answered.
    fn answered(&self) -> usize {
        let said = fs::read_to_string(&self.said).unwrap();
        said.matches("wrote 4096/4096").count()
    }

    fn wait_for_more(&mut self, what: &str) {
        let before = self.answered();
        until(what, 60, || {
            let ended = self.process.try_wait().unwrap();
            assert!(ended.is_none(), "qemu-io ended: {ended:?}: {}", self.tail());
            self.answered() >= before + 400
        });
    }

    fn tail(&self) -> String {
        let said = fs::read_to_string(&self.said).unwrap();
        let lines: Vec<&str> = said.lines().rev().take(10).collect();
        lines.join("\n")
    }

    /// Ends it, and says what each slot was written with last, and what it printed.
    fn end(mut self) -> (Vec<u8>, String) {
        self.stop.store(true, Ordering::SeqCst);
        let newest = self.feeder.join().unwrap();
        until("qemu-io ends", 60, || {
            self.process.try_wait().unwrap().is_some()
        });
        (newest, fs::read_to_string(&self.said).unwrap())
    }

    /// Ends it; fails where it had any error, or where something else can be read than it wrote.
    fn finish(self, uri: &str) {
        let (newest, said) = self.end();
        let wrong: Vec<&str> = said
            .lines()
            .filter(|line| {
                let words = ["rror", "failed", "shutdown", "not permitted"];
                words.iter().any(|word| line.contains(word))
            })
            .collect();
        assert!(wrong.is_empty(), "{wrong:?}");
        let mut disk = Guest::open(uri).unwrap();
        for (slot, pattern) in newest.iter().enumerate() {
            let read = disk.read(slot as u64 * 4096, 4096).unwrap();
            assert!(
                read == [*pattern; 4096],
                "slot {slot}: {} for {pattern}",
                read[0]
            );
        }
        disk.close();
    }
}

#[test]
fn a_site_that_ends_and_comes_back_is_a_stall() {
    let dev = Dev::start();
    let api = dev.api();
    api.make_replicated_type();
    let dir = tempfile::tempdir().unwrap();
    let volumes = [
        json!({"size": 1}),
        json!({"size": 1, "volume_type": "replicated"}),
    ];
    let uris = volumes.map(|volume| api.attach(&api.make_volume(&volume)).1);
    let mut number = 0;
    let mut writers: Vec<Writer> = uris
        .iter()
        .map(|uri| {
            number += 1;
            Writer::start(uri, dir.path().join(format!("said-{number}.txt")), 60)
        })
        .collect();
    for killed in [false, true, false, true] {
        for writer in &mut writers {
            writer.wait_for_more("some writes");
        }
        if killed {
            dev.kill_site("site-a");
        } else {
            dev.terminate_site("site-a");
        }
        until("the loss is known", 30, || {
            dev.sites().iter().all(|site| site.name != "site-a")
        });
        dev.start_site("site-a");
    }
    for writer in &mut writers {
        writer.wait_for_more("the guests go on");
    }
    for (writer, uri) in writers.into_iter().zip(&uris) {
        writer.finish(uri);
    }
}

/// Writes one block again and again; how that ended.
fn write_until_refused(uri: &str) -> JoinHandle<GuestError> {
    let mut disk = Guest::open(uri).unwrap();
    thread::spawn(move || {
        loop {
            if let Err(error) = disk.write(0, &[1; 4096]) {
                return error;
            }
        }
    })
}

#[test]
fn who_is_connected_when_an_image_is_handed_over_is_told_that_it_may_not_write() {
    let dev = Dev::start();
    let api = dev.api();
    api.make_replicated_type();
    let id = api.make_volume(&json!({"size": 1, "volume_type": "replicated"}));
    let (attachment, mut uri) = api.attach(&id);
    let connector = json!({"attachment": {"connector": {"host": "guest", "ip": "127.0.0.1"}}});
    let dir = tempfile::tempdir().unwrap();
    let (mut told, mut qemu_told) = (0, 0);
    let turns = [("site-b", "failed-over"), ("default", "enabled")].repeat(TURNS_MAX / 2);
    for (turn, (target, status)) in turns.into_iter().enumerate() {
        // Who has something under way when its connection ends is chance: it takes some turns until it
        // was some of both.
        if turn >= TURNS && told > 0 && qemu_told > 0 {
            break;
        }
        let writers: Vec<_> = (0..4).map(|_| write_until_refused(&uri)).collect();
        let mut qemu = Writer::start(&uri, dir.path().join("said.txt"), 0);
        qemu.wait_for_more("some writes");
        api.fail_over(Some(target), status);
        let (_, said) = qemu.end();
        assert!(said.contains("failed"), "it ended in time: {said}");
        qemu_told += usize::from(said.contains("failed: Operation not permitted"));
        for writer in writers {
            match writer.join().unwrap() {
                GuestError::Refused(EPERM) => told += 1,
                // It had nothing under way when its connection was ended.
                GuestError::Broken(_) => {}
                other => panic!("{other}"),
            }
        }
        let updated = api
            .put(&format!("/attachments/{attachment}"), &connector)
            .expect(200);
        uri = updated.body["attachment"]["connection_info"]["uri"]
            .as_str()
            .unwrap()
            .to_owned();
    }
    assert!(
        told > 0 && qemu_told > 0,
        "{told} and {qemu_told} were told"
    );
}
