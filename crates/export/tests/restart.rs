//! A guest outlives its server: with QEMU's `reconnect-delay`, a server that is killed, or that stops in
//! order, and comes back is a stall and never an error.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod support;

use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use firebrick_export::{Device, ExportServer};
use support::{Site, eventually};

const MIB: usize = 1 << 20;

/// A guest that writes for a while, 16 requests at a time, with a flush now and then.
fn writer(socket: &Path, requests: u32) -> Child {
    let image = image(socket);
    Command::new("qemu-img")
        .args(["bench", "--image-opts", "-w", "--pattern=7", "-d", "16"])
        .args(["-s", "4096", "-S", "8192", "--flush-interval=64", "-c"])
        .args([&requests.to_string(), &image])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn image(socket: &Path) -> String {
    format!(
        "driver=nbd,server.type=unix,server.path={},export=disk,reconnect-delay=60",
        socket.display()
    )
}

#[track_caller]
fn succeeded(output: &Output) {
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    assert!(!complaint.contains("rror"), "{complaint}");
}

/// The guest sees what it wrote, with a connection of its own.
fn verify(socket: &Path, command: &str) {
    let output = Command::new("qemu-io")
        .args(["--image-opts", &image(socket), "-c", command])
        .output()
        .unwrap();
    succeeded(&output);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!printed.contains("failed"), "{printed}");
}

#[test]
fn a_server_that_stops_in_order_and_comes_back_is_a_stall() {
    let (site, device) = Site::with_disk(17 * MIB);
    let mut guest = writer(&site.socket(), 2_000);
    let writes = || device.batches.lock().len();
    let mut server: Option<ExportServer> = None;
    for round in 1..=2 {
        let before = writes();
        eventually("the guest writes", || writes() > before + 20);
        assert!(guest.try_wait().unwrap().is_none(), "it is done too soon");
        // Some of its requests are running, and one of them waits for the device.
        device.hold();
        eventually("a write runs", || device.running() > 0);
        let stopping = server.as_ref().unwrap_or(&site.server);
        std::thread::scope(|scope| {
            let stopping = scope.spawn(|| stopping.stop());
            eventually("the socket is gone", || !site.socket().exists());
            device.release();
            stopping.join().unwrap();
        });
        assert_eq!(device.running(), 0, "round {round}");
        let next = ExportServer::start(site.options.clone()).unwrap();
        next.add("disk", Arc::clone(&device) as Arc<dyn Device>, false);
        server = Some(next);
    }
    succeeded(&guest.wait_with_output().unwrap());
    assert!(device.flushes.load(Ordering::SeqCst) > 2_000 / 64);
    verify(&site.socket(), "read -P 7 0 4k");
}

/// The example that serves a file, in a process of its own.
struct Process(Child);

impl Process {
    fn start(disk: &Path, socket: &Path) -> Self {
        let tests = std::env::current_exe().unwrap();
        let example: PathBuf = tests
            .ancestors()
            .nth(2)
            .unwrap()
            .join("examples/file_device");
        let mut child = Command::new(example)
            .args([disk, socket])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // It says so once it serves.
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        Self(child)
    }

    /// `SIGKILL`: the process has no say.
    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// It stops in order when its input ends.
    fn stop(mut self) {
        drop(self.0.stdin.take());
        assert!(self.0.wait().unwrap().success());
    }
}

#[test]
fn a_process_that_is_killed_and_comes_back_is_a_stall() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, socket) = (folder.path().join("disk"), folder.path().join("socket"));
    let file = std::fs::File::create_new(&disk).unwrap();
    file.set_len(48 * MIB as u64).unwrap();
    let mut server = Process::start(&disk, &socket);
    let mut guest = writer(&socket, 6_000);
    for (round, at) in [500, 2_500].into_iter().enumerate() {
        let mut byte = [0];
        eventually("the guest has come so far", || {
            file.read_exact_at(&mut byte, at * 8192).unwrap();
            byte[0] == 7
        });
        assert!(guest.try_wait().unwrap().is_none(), "it is done too soon");
        if round % 2 == 0 {
            server.kill();
        } else {
            server.stop();
        }
        server = Process::start(&disk, &socket);
    }
    succeeded(&guest.wait_with_output().unwrap());
    for at in (0..6_000_u64).step_by(97) {
        let mut block = [0; 4096];
        file.read_exact_at(&mut block, at * 8192).unwrap();
        assert_eq!(block, [7; 4096], "request {at}");
    }
    verify(&socket, "read -P 7 0 4k");
    server.stop();
}
