//! `qemu-img`: says what is in a file, and writes it in another format. It is told the format of what it
//! reads, may use only so much memory and time, and ends when nobody waits for it.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::time::timeout;

use super::format::DiskFormat;
use super::unacceptable;
use crate::options::ImageOptions;
use crate::story::{Step, Stop};

/// The most bytes of what it says that are read.
const SAID: u64 = 1 << 20;
/// How long it may look at a file.
const LOOK: Duration = Duration::from_secs(60);
/// How long it may convert one.
const CONVERT: Duration = Duration::from_secs(86_400);

/// What it says of a file.
#[derive(Deserialize)]
struct Info {
    format: String,
    #[serde(rename = "virtual-size")]
    virtual_size: u64,
    #[serde(rename = "backing-filename")]
    backing: Option<String>,
    #[serde(rename = "full-backing-filename")]
    full_backing: Option<String>,
    #[serde(rename = "format-specific")]
    specific: Option<Specific>,
}

#[derive(Deserialize)]
struct Specific {
    data: Option<Details>,
}

#[derive(Deserialize)]
struct Details {
    #[serde(rename = "data-file")]
    data_file: Option<String>,
}

/// The size of the disk in a file of `format`, in bytes. A file that refers to another is refused.
pub(super) async fn disk_size(
    options: &ImageOptions,
    format: DiskFormat,
    path: &Path,
) -> Step<u64> {
    let arguments = ["info", "--output", "json", "-f", format.qemu()].map(OsStr::new);
    let arguments = arguments.into_iter().chain([path.as_os_str()]);
    let said = run(options, arguments, LOOK).await?;
    let info: Info = serde_json::from_slice(&said)
        .map_err(|error| unacceptable(format_args!("it cannot be understood: {error}")))?;
    if info.format != format.qemu() {
        return Err(unacceptable(format_args!("it is not {format}")));
    }
    if info.backing.is_some() || info.full_backing.is_some() {
        return Err(unacceptable("it has a backing file"));
    }
    let details = info.specific.and_then(|specific| specific.data);
    if details.is_some_and(|details| details.data_file.is_some()) {
        return Err(unacceptable("it has a data file"));
    }
    Ok(info.virtual_size)
}

/// Writes what is in `from` to `to`.
pub(super) async fn convert(
    options: &ImageOptions,
    (from, path): (DiskFormat, &Path),
    (to, into): (DiskFormat, &Path),
) -> Step {
    let mut arguments = vec![OsStr::new("convert"), OsStr::new("-f")];
    arguments.extend([from.qemu(), "-O", to.qemu()].map(OsStr::new));
    match to {
        // A type that is one file, so that it can be read again.
        DiskFormat::Vmdk => arguments.extend(["-o", "subformat=streamOptimized"].map(OsStr::new)),
        // The size that was asked for, not the next one that old geometries have.
        DiskFormat::Vhd => arguments.extend(["-o", "force_size=on"].map(OsStr::new)),
        DiskFormat::Raw | DiskFormat::Qcow2 | DiskFormat::Vdi | DiskFormat::Vhdx => {}
    }
    arguments.extend([path.as_os_str(), into.as_os_str()]);
    run(options, arguments, CONVERT).await.map(drop)
}

async fn run(
    options: &ImageOptions,
    arguments: impl IntoIterator<Item = &OsStr>,
    within: Duration,
) -> Step<Vec<u8>> {
    let mut command = Command::new("qemu-img");
    command
        .args(arguments)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let started = command.spawn();
    let mut child = started.map_err(|why| Stop::never(format!("qemu-img cannot be run: {why}")))?;
    if let Some(pid) = child.id() {
        limit(pid, options);
    }
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let both = async { tokio::join!(read(out), read(err), child.wait()) };
    let Ok((said, complaint, ended)) = timeout(within, both).await else {
        return Err(unacceptable("it takes too long to read"));
    };
    let status = ended.map_err(|why| Stop::later(format!("qemu-img is lost: {why}")))?;
    if status.success() {
        return Ok(said);
    }
    let complaint = String::from_utf8_lossy(&complaint);
    let complaint = complaint.lines().next().unwrap_or_default();
    tracing::warn!(%status, complaint, "qemu-img failed");
    if complaint.contains("No space left") {
        return Err(super::room::full());
    }
    // The complaint names folders of this machine.
    Err(unacceptable("it cannot be read"))
}

fn limit(pid: u32, options: &ImageOptions) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    for (resource, most) in [
        (Resource::As, options.address_space),
        (Resource::Cpu, options.cpu_seconds),
    ] {
        let most = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        if let Err(error) = prlimit(pid, resource, most) {
            // It has ended already.
            tracing::debug!(%error, "qemu-img is not limited");
        }
    }
}

async fn read(from: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut said = Vec::new();
    if let Some(from) = from {
        let mut bounded = from.take(SAID);
        // What cannot be read is nothing said.
        let _ = bounded.read_to_end(&mut said).await;
    }
    said
}
