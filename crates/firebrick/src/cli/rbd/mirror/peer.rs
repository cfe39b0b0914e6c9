//! `rbd mirror pool peer add`, `remove`, `set`.

use std::io::Read as _;
use std::path::Path;

use firebrick_backend::{Fault, FaultKind};
use firebrick_site::admin::{MirrorReply, NewPeer, PeerChange, PoolRequest, ToolReply};
use firebrick_site::{Rate, Traffic};
use firebrick_vocabulary::Bytes;
use uuid::Uuid;

use super::args::{AddPeerArgs, BootstrapCommand, PeerCommand, RemovePeerArgs, SetPeerArgs};
use super::bootstrap;
use crate::cli::rbd::error::{EEXIST, EINVAL, fault, io, refuse};
use crate::cli::rbd::site::{Rbd, confused};
use crate::cli::rbd::size::bytes;
use crate::cli::rbd::spec::check_pool;
use crate::exit::Failure;
use crate::printer::Printer;

/// Whom a peer is asked as where nobody says.
const CLIENT: &str = "client.rbd-mirror-peer";
/// More than any file with a fingerprint has, in bytes.
const KEY_FILE_MAX: u64 = 4096;

/// `rbd mirror pool peer …`
pub(super) async fn run(rbd: Rbd, command: PeerCommand) -> Result<(), Failure> {
    match command {
        PeerCommand::Add(args) => add(rbd, &args).await,
        PeerCommand::Remove(args) => remove(rbd, &args).await,
        PeerCommand::Set(args) => set(rbd, &args).await,
        PeerCommand::Bootstrap(BootstrapCommand::Create(args)) => {
            bootstrap::create(rbd, &args).await
        }
        PeerCommand::Bootstrap(BootstrapCommand::Import(args)) => {
            bootstrap::import(rbd, &args).await
        }
    }
}

/// `rbd mirror pool peer add`, `rbd mirror pool add`
pub(super) async fn add(mut rbd: Rbd, args: &AddPeerArgs) -> Result<(), Failure> {
    let most = if args.remote_cluster.is_some() { 1 } else { 2 };
    let mut words = rbd.behind_pool(&args.words, most)?;
    let spec = words.need(args.remote_cluster.as_deref(), "remote cluster")?;
    words.end()?;
    let (spec, pool) = match spec.split_once('/') {
        Some((spec, pool)) => (spec, Some(pool)),
        None => (spec, None),
    };
    // A pool is mirrored to the one of its name.
    check_pool(pool)?;
    let (client, name) = match spec.rsplit_once('@') {
        Some((client, name)) => (Some(client), name),
        None => (None, spec),
    };
    let client = args.remote_client_name.as_deref().or(client);
    let Some(file) = &args.remote_key_file else {
        let text = "rbd: --remote-key-file is missing: a site is known by what `firebrick site fingerprint` prints there";
        return Err(refuse(EINVAL, text));
    };
    let peer = NewPeer {
        name: name.to_owned(),
        address: args.remote_mon_host.clone().unwrap_or_default(),
        fingerprint: fingerprint(file)?,
        direction: args.direction,
        client: client.unwrap_or(CLIENT).to_owned(),
        traffic: Traffic::default(),
        log_limit: None,
    };
    match rbd.of_pool(PoolRequest::AddPeer { peer }).await {
        Ok(MirrorReply::Peer(uuid)) => {
            Printer::line(&uuid.to_string());
            Ok(())
        }
        Ok(other) => Err(failed(
            "error adding mirror peer",
            &confused(&ToolReply::Mirror(other)),
        )),
        Err(error) => Err(failed("error adding mirror peer", &error)),
    }
}

/// `rbd mirror pool peer remove`, `rbd mirror pool remove`
pub(super) async fn remove(mut rbd: Rbd, args: &RemovePeerArgs) -> Result<(), Failure> {
    let mut words = rbd.behind_pool(&args.words, 2)?;
    let uuid = uuid(words.need(None, "mirror peer uuid")?)?;
    words.end()?;
    let removed = rbd.pool_order(PoolRequest::RemovePeer { uuid }).await;
    removed.map_err(|error| failed("error removing mirror peer", &error))
}

/// `rbd mirror pool peer set`
pub(super) async fn set(mut rbd: Rbd, args: &SetPeerArgs) -> Result<(), Failure> {
    let mut words = rbd.behind_pool(&args.words, 4)?;
    let uuid = uuid(words.need(None, "mirror peer uuid")?)?;
    let key = words.need(None, "mirror peer key")?;
    let value = words.need(None, "mirror peer value")?;
    words.end()?;
    let change = change(key, value)?;
    let set = rbd.pool_order(PoolRequest::SetPeer { uuid, change }).await;
    set.map_err(|error| failed("error changing mirror peer", &error))
}

fn change(key: &str, value: &str) -> Result<PeerChange, Failure> {
    let text = || value.to_owned();
    Ok(match key {
        "site-name" => PeerChange::Name(text()),
        "client" => PeerChange::Client(text()),
        "mon-host" => PeerChange::Address(text()),
        "key-file" => PeerChange::Fingerprint(fingerprint(Path::new(value))?),
        "direction" => PeerChange::Direction(value.parse().map_err(|rule| wrong(key, rule))?),
        "bandwidth" => PeerChange::Bandwidth(rate(key, value)?),
        "quiet-bandwidth" => PeerChange::QuietBandwidth(rate(key, value)?),
        "quiet-hours" => {
            let hours = if value == "none" { "" } else { value };
            PeerChange::QuietHours(hours.parse().map_err(|rule| wrong(key, rule))?)
        }
        "compression" => PeerChange::Compression(value.parse().map_err(|rule| wrong(key, rule))?),
        "log-limit" if value == "none" => PeerChange::LogLimit(None),
        "log-limit" => {
            let takes = "must be such as 8G, a number of MiB, or none";
            let most = bytes(value).map_err(|rule| wrong(key, &format!("{takes}: {rule}")))?;
            PeerChange::LogLimit(Some(Bytes(most)))
        }
        _ => {
            let text = "rbd: must specify 'direction', 'site-name', 'client', 'mon-host', 'key-file', 'bandwidth', \
                        'quiet-hours', 'quiet-bandwidth', 'compression', or 'log-limit' key.";
            return Err(refuse(EINVAL, text));
        }
    })
}

fn wrong(key: &str, rule: &str) -> Failure {
    refuse(EINVAL, format!("rbd: {key} {rule}"))
}

/// What may go in a second.
fn rate(key: &str, value: &str) -> Result<Rate, Failure> {
    if value == "unlimited" {
        return Ok(Rate::UNLIMITED);
    }
    let takes = "must be such as 10MiB, a number of MiB, 0 or unlimited";
    let bytes = bytes(value).map_err(|rule| wrong(key, &format!("{takes}: {rule}")))?;
    Rate::of(bytes).map_err(|rule| wrong(key, rule))
}

fn uuid(text: &str) -> Result<Uuid, Failure> {
    let hyphened = text.len() == 36;
    let uuid = text.parse().ok().filter(|_| hyphened);
    uuid.ok_or_else(|| refuse(EINVAL, "rbd: invalid uuid"))
}

/// What the file holds, or standard input.
pub(in crate::cli::rbd) fn read(file: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin()
            .take(KEY_FILE_MAX)
            .read_to_string(&mut text)
    } else {
        let opened = std::fs::File::open(file);
        opened.and_then(|file| file.take(KEY_FILE_MAX).read_to_string(&mut text))
    };
    let failed = |error| io(&format!("failed to read {}", file.display()), &error);
    read.map_err(failed)?;
    Ok(text.trim().to_owned())
}

fn fingerprint(file: &Path) -> Result<String, Failure> {
    read(file).map(|text| text.to_ascii_lowercase())
}

/// A failure whose reason helps more than its number.
pub(super) fn failed(doing: &str, error: &Fault) -> Failure {
    match error.kind {
        FaultKind::Exists => refuse(EEXIST, format!("rbd: {doing}: {}", error.why)),
        FaultKind::Invalid => refuse(EINVAL, format!("rbd: {doing}: {}", error.why)),
        _ => fault(doing, error),
    }
}
