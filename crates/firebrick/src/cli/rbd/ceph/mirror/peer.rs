//! `mirror pool peer …`.

use std::collections::BTreeMap;
use std::path::Path;

use firebrick_ceph::tool::{OpenPool, PeerDirection, Trouble};
use firebrick_site::Direction;

use super::mirrored;
use super::pool::call_site;
use crate::cli::rbd::ceph::site::{Ceph, Doing as _, trouble};
use crate::cli::rbd::ceph::spec::behind_pool;
use crate::cli::rbd::error::{EEXIST, EINVAL, ENOENT, EPERM, refuse};
use crate::cli::rbd::mirror::args::{
    AddPeerArgs, BootstrapCommand, CreateTokenArgs, ImportTokenArgs, PeerCommand, RemovePeerArgs,
    SetPeerArgs,
};
use crate::cli::rbd::mirror::peer::read;
use crate::cli::rbd::spec::Words;
use crate::exit::Failure;
use crate::printer::Printer;

/// `ENOSYS`, said by a peer whose pool is not mirrored.
const ENOSYS: u8 = 38;

/// Does what the command line says.
pub(super) fn run(ceph: &Ceph, command: &PeerCommand) -> Result<(), Failure> {
    match command {
        PeerCommand::Add(args) => add(ceph, args),
        PeerCommand::Remove(args) => remove(ceph, args),
        PeerCommand::Set(args) => set(ceph, args),
        PeerCommand::Bootstrap(BootstrapCommand::Create(args)) => create(ceph, args),
        PeerCommand::Bootstrap(BootstrapCommand::Import(args)) => import(ceph, args),
    }
}

const fn way(direction: Direction) -> PeerDirection {
    match direction {
        Direction::RxOnly => PeerDirection::Rx,
        Direction::TxOnly => PeerDirection::Tx,
        Direction::RxTx => PeerDirection::RxTx,
    }
}

fn create(ceph: &Ceph, args: &CreateTokenArgs) -> Result<(), Failure> {
    if args.expires.is_some() {
        let text = "rbd: a token of a Ceph cluster lasts for ever; leave --expires away";
        return Err(refuse(EINVAL, text));
    }
    let place = super::super::spec::Place::named(&ceph.common, args.pool.spec.as_deref())?;
    let pool = ceph.pool(&place)?;
    mirrored(&pool)?;
    if let Some(name) = &args.site_name {
        call_site(ceph, name)?;
    }
    let token = pool.bootstrap_token();
    let token = token.map_err(|error| match u8::try_from(error.errno()) {
        Ok(EEXIST) => refuse(
            EEXIST,
            "rbd: mismatch with pre-existing RBD mirroring peer user caps",
        ),
        _ => trouble("failed to create mirroring bootstrap token", &error),
    })?;
    Printer::line(&token);
    Ok(())
}

fn import(ceph: &Ceph, args: &ImportTokenArgs) -> Result<(), Failure> {
    let (place, mut words) = behind_pool(&ceph.common, &args.words)?;
    let file = words.need(args.token_path.as_deref(), "token path")?;
    words.end()?;
    let token = read(Path::new(file))?;
    let pool = ceph.pool(&place)?;
    if let Some(name) = &args.site_name {
        call_site(ceph, name)?;
    }
    let imported = pool.take_bootstrap_token(way(args.direction), &token);
    imported.map_err(|error| match u8::try_from(error.errno()) {
        Ok(ENOSYS) => refuse(ENOSYS, "rbd: mirroring is not enabled on remote peer"),
        _ => trouble("failed to import peer bootstrap token", &error),
    })
}

/// `mirror pool peer add`, `mirror pool add`
pub(super) fn add(ceph: &Ceph, args: &AddPeerArgs) -> Result<(), Failure> {
    let (place, mut words) = behind_pool(&ceph.common, &args.words)?;
    let spec = words.or_next(None).or(args.remote_cluster.as_deref());
    let spec = spec.filter(|spec| !spec.is_empty());
    words.end()?;
    let spec = spec.ok_or_else(|| refuse(EINVAL, "rbd: remote cluster was not specified"))?;
    let (client, site) = match spec.split_once('@') {
        Some((client, site)) => (Some(client), site),
        None => (None, spec),
    };
    let named = client.is_none_or(|client| client.len() > 7 && client.starts_with("client."));
    if !named || site.is_empty() || site.contains(['/', '@']) {
        return Err(refuse(EINVAL, format!("rbd: invalid spec '{spec}'")));
    }
    let own = ceph.user()?;
    let client = client.or(args.remote_client_name.as_deref());
    let client = client.map_or_else(|| format!("client.{own}"), str::to_owned);
    let mut kept = BTreeMap::new();
    if let Some(hosts) = &args.remote_mon_host {
        kept.insert("mon_host".to_owned(), hosts.clone());
    }
    if let Some(file) = &args.remote_key_file {
        kept.insert("key".to_owned(), key(file)?);
    }
    let pool = ceph.pool(&place)?;
    mirrored(&pool)?;
    only_reader(&pool, None)?;
    let added = pool.add_mirror_peer(way(args.direction), site, &client);
    let uuid = added.map_err(|error| match u8::try_from(error.errno()) {
        Ok(EEXIST) => refuse(EEXIST, "rbd: mirror peer already exists"),
        _ => trouble("error adding mirror peer", &error),
    })?;
    if !kept.is_empty() {
        keep(&pool, &uuid, &kept)?;
    }
    Printer::line(&uuid);
    Ok(())
}

/// Refuses a second peer that is read, as rbd-mirror reads one; `but` is not counted.
fn only_reader(pool: &OpenPool, but: Option<&str>) -> Result<(), Failure> {
    let peers = pool.mirror_peers().doing("failed to list mirror peers")?;
    let mut read = peers
        .iter()
        .filter(|peer| peer.direction != PeerDirection::Tx);
    if read.any(|peer| Some(peer.uuid.as_str()) != but) {
        let text = "rbd: multiple RX peers are not currently supported";
        return Err(refuse(EINVAL, text));
    }
    Ok(())
}

/// The first line of a file with a user's key.
fn key(file: &Path) -> Result<String, Failure> {
    let text = read(file)?;
    Ok(text.lines().next().unwrap_or_default().trim().to_owned())
}

/// Why what the monitors keep of a peer cannot be read.
pub(super) fn unread(error: &Trouble) -> Failure {
    match u8::try_from(error.errno()) {
        Ok(EPERM) => refuse(
            EPERM,
            "rbd: permission denied attempting to access peer config-key secrets from the monitor",
        ),
        Ok(EINVAL) => refuse(EINVAL, "rbd: corrupt mirroring peer config"),
        _ => trouble("error reading mirroring peer config", error),
    }
}

fn keep(pool: &OpenPool, uuid: &str, kept: &BTreeMap<String, String>) -> Result<(), Failure> {
    let set = pool.set_peer_attributes(uuid, kept);
    set.map_err(|error| match u8::try_from(error.errno()) {
        Ok(EPERM) => refuse(
            EPERM,
            "rbd: permission denied attempting to set peer config-key secrets in the monitor",
        ),
        _ => trouble("failed to update mirroring peer config", &error),
    })
}

fn uuid<'a>(words: &mut Words<'a>) -> Result<&'a str, Failure> {
    let missing = || refuse(EINVAL, "rbd: must specify peer uuid");
    let text = words.or_next(None).ok_or_else(missing)?;
    let valid = text.len() == 36 && uuid::Uuid::try_parse(text).is_ok();
    if valid {
        return Ok(text);
    }
    Err(refuse(EINVAL, format!("rbd: invalid uuid '{text}'")))
}

/// `mirror pool peer remove`, `mirror pool remove`
pub(super) fn remove(ceph: &Ceph, args: &RemovePeerArgs) -> Result<(), Failure> {
    let (place, mut words) = behind_pool(&ceph.common, &args.words)?;
    let uuid = uuid(&mut words)?;
    words.end()?;
    let pool = ceph.pool(&place)?;
    mirrored(&pool)?;
    let removed = pool.remove_mirror_peer(uuid);
    removed.doing("error removing mirror peer")
}

/// `mirror pool peer set`
fn set(ceph: &Ceph, args: &SetPeerArgs) -> Result<(), Failure> {
    let (place, mut words) = behind_pool(&ceph.common, &args.words)?;
    let uuid = uuid(&mut words)?;
    let key_word = words.or_next(None).unwrap_or_default();
    let value = words.or_next(None).unwrap_or_default();
    words.end()?;
    let change = match key_word {
        "client" | "cluster" | "site-name" if value.is_empty() => {
            let text = format!("rbd: must specify new {key_word} value.");
            return Err(refuse(EINVAL, text));
        }
        "client" => Change::Client(value),
        "cluster" | "site-name" => Change::Site(value),
        "direction" => {
            let direction: Result<Direction, _> = value.parse();
            let direction = direction.map_err(|_| refuse(EINVAL, "rbd: invalid direction"))?;
            Change::Direction(way(direction))
        }
        "key-file" => Change::Kept("key", key(Path::new(value))?),
        "mon-host" => Change::Kept("mon_host", value.to_owned()),
        _ => {
            let text = "rbd: must specify 'client', 'cluster', 'direction', 'key-file', 'mon-host', 'site-name' key.";
            return Err(refuse(EINVAL, text));
        }
    };
    let pool = ceph.pool(&place)?;
    mirrored(&pool)?;
    let set = match change {
        Change::Client(client) => pool.set_peer_client(uuid, client),
        Change::Site(site) => pool.set_peer_site(uuid, site),
        Change::Direction(way) => {
            if way != PeerDirection::Tx {
                only_reader(&pool, Some(uuid))?;
            }
            pool.set_peer_direction(uuid, way)
        }
        Change::Kept(key, value) => {
            let kept = pool.peer_attributes(uuid);
            let kept = kept.map_err(|error| unread(&error))?;
            let mut kept = kept.unwrap_or_default();
            if value.is_empty() {
                kept.remove(key);
            } else {
                kept.insert(key.to_owned(), value);
            }
            return keep(&pool, uuid, &kept);
        }
    };
    set.map_err(|error| match u8::try_from(error.errno()) {
        Ok(ENOENT) => refuse(ENOENT, format!("rbd: mirror peer {uuid} does not exist")),
        _ => trouble("error changing mirror peer", &error),
    })
}

/// What is changed of a peer.
enum Change<'a> {
    Client(&'a str),
    Site(&'a str),
    Direction(PeerDirection),
    /// What the monitors keep, under that key.
    Kept(&'static str, String),
}
