//! Who was told how to reach an image. Clients talk to the cluster themselves, so an export is no more than a
//! note of that: a key of one object of the pool.

use std::collections::BTreeMap;

use firebrick_backend::{Access, ExportAddress, ExportInfo, ExportKey, Fault, FaultKind};
use firebrick_vocabulary::ImageId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Shared, part, space};
use crate::fault::Doing;
use crate::ffi::Opening;
use crate::link::Link;

/// The object that keeps them.
const OBJECT: &str = "firebrick_exports";

/// One of them.
#[derive(Serialize, Deserialize)]
struct Noted {
    access: Access,
    /// The image's name then.
    name: String,
}

#[derive(Deserialize)]
struct MonMap {
    mons: Vec<Mon>,
}

#[derive(Deserialize)]
struct Mon {
    addr: String,
}

/// Asks for something that is always answered where the pool can be read.
pub(super) fn probe(link: &Link, doing: &str) -> Result<(), Fault> {
    link.pool
        .keys(OBJECT, "firebrick is there")
        .doing(doing)
        .map(drop)
}

fn noted(link: &Link, prefix: &str, doing: &str) -> Result<BTreeMap<String, Noted>, Fault> {
    let keys = link.pool.keys(OBJECT, prefix).doing(doing)?;
    let read = |(key, value): (String, Vec<u8>)| {
        let noted = serde_json::from_slice(&value)
            .map_err(|error| Fault::new(FaultKind::Internal, doing, format!("{key}: {error}")))?;
        Ok((key, noted))
    };
    keys.into_iter().map(read).collect()
}

fn of(link: &Link, image: ImageId, doing: &str) -> Result<BTreeMap<String, Noted>, Fault> {
    noted(link, &format!("{image}/"), doing)
}

/// Whether anybody was told how to reach the image.
pub(super) fn is_exported(link: &Link, image: ImageId, doing: &str) -> Result<bool, Fault> {
    Ok(!of(link, image, doing)?.is_empty())
}

/// Whether anybody was who may write to it.
pub(super) fn is_writable(link: &Link, image: ImageId, doing: &str) -> Result<bool, Fault> {
    let mut all = of(link, image, doing)?.into_values();
    Ok(all.any(|noted| noted.access == Access::ReadWrite))
}

/// How an image is reached by its name.
pub(super) fn reached(
    shared: &Shared,
    link: &Link,
    name: &str,
    doing: &str,
) -> Result<ExportAddress, Fault> {
    Ok(address(shared, link, name, &monitors(link, doing)?))
}

/// Notes the export and says how the image is reached.
pub(super) fn export(
    shared: &Shared,
    link: &Link,
    id: ImageId,
    (key, access): (&ExportKey, Access),
    doing: &str,
) -> Result<ExportAddress, Fault> {
    let (image, name, notes) = shared.names.open(link, id, Opening::Looking, doing)?;
    part::primary(link, &image, &notes, doing)?;
    let monitors = monitors(link, doing)?;
    let noted = Noted {
        access,
        name: name.clone(),
    };
    let value = serde_json::to_vec(&noted)
        .map_err(|error| Fault::new(FaultKind::Internal, doing, error))?;
    let key = format!("{id}/{}", key.0);
    link.pool.set_key(OBJECT, &key, &value).doing(doing)?;
    Ok(address(shared, link, &name, &monitors))
}

/// Forgets it.
pub(super) fn unexport(
    link: &Link,
    id: ImageId,
    key: &ExportKey,
    doing: &str,
) -> Result<(), Fault> {
    link.pool
        .remove_key(OBJECT, &format!("{id}/{}", key.0))
        .doing(doing)
}

/// Forgets all of an image.
pub(super) fn forget(link: &Link, id: ImageId, doing: &str) -> Result<(), Fault> {
    for key in of(link, id, doing)?.into_keys() {
        link.pool.remove_key(OBJECT, &key).doing(doing)?;
    }
    Ok(())
}

/// All of them.
pub(super) fn all(shared: &Shared, link: &Link, doing: &str) -> Result<Vec<ExportInfo>, Fault> {
    let noted = noted(link, "", doing)?;
    let monitors = if noted.is_empty() {
        Vec::new()
    } else {
        monitors(link, doing)?
    };
    let exports = noted.into_iter().filter_map(|(key, noted)| {
        let (image, key) = key.split_once('/')?;
        Some(ExportInfo {
            image: image.parse().ok()?,
            key: ExportKey(key.to_owned()),
            access: noted.access,
            address: address(shared, link, &noted.name, &monitors),
            // Clients are the cluster's, which does not say whose they are.
            clients: 0,
        })
    });
    Ok(exports.collect())
}

/// The monitors as hosts and ports.
fn monitors(link: &Link, doing: &str) -> Result<Vec<(String, String)>, Fault> {
    let map: MonMap = space::asked(
        link,
        &json!({ "prefix": "mon dump", "format": "json" }),
        doing,
    )?;
    Ok(map.mons.iter().filter_map(|mon| split(&mon.addr)).collect())
}

/// `10.0.0.1:6789/0` or `[2001:db8::1]:6789/0`.
fn split(addr: &str) -> Option<(String, String)> {
    let (host, port) = addr.rsplit_once(':')?;
    let port = port.split('/').next()?;
    Some((host.to_owned(), port.to_owned()))
}

/// What os-brick and Nova read to attach the image, as Cinder's driver says it.
fn address(
    shared: &Shared,
    link: &Link,
    name: &str,
    monitors: &[(String, String)],
) -> ExportAddress {
    let options = shared.options();
    let name = format!("{}/{name}", options.pool);
    let (hosts, ports): (Vec<_>, Vec<_>) = monitors.iter().cloned().unzip();
    let secret = options
        .secret
        .clone()
        .unwrap_or_else(|| link.fsid.to_string());
    let mut details = Map::new();
    let mut say = |key: &str, value: Value| details.insert(key.to_owned(), value);
    say("name", json!(name));
    say("hosts", json!(hosts));
    say("ports", json!(ports));
    say("cluster_name", json!(options.cluster));
    say("auth_enabled", json!(options.user.is_some()));
    say("auth_username", json!(options.user));
    say("secret_type", json!("ceph"));
    say("secret_uuid", json!(secret));
    ExportAddress {
        protocol: "rbd".to_owned(),
        uri: format!("rbd:{name}"),
        export: name,
        details,
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn monitors_have_hosts_and_ports() {
        let pair = |host: &str, port: &str| Some((host.to_owned(), port.to_owned()));
        assert_eq!(split("10.0.0.1:6789/0"), pair("10.0.0.1", "6789"));
        assert_eq!(split("[2001:db8::1]:3300/0"), pair("[2001:db8::1]", "3300"));
        assert_eq!(split("nobody"), None);
    }
}
