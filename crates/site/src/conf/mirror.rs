//! The other sites, and what is watched of them.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use firebrick_config::{ConfigError, ConfigFile, Section};
use firebrick_vocabulary::{Bytes, GIB, MIB};

use super::PeerConf;

/// `rpo_target_seconds`: how far peers may be behind; 0 for any distance.
pub(super) fn rpo_target(section: &Section) -> Result<Option<Duration>, ConfigError> {
    let seconds = super::seconds(section, "rpo_target_seconds", 0.0)?;
    Ok((!seconds.is_zero()).then_some(seconds))
}

/// `metrics_listen`: a port of this machine alone, or an address with a port.
pub(super) fn metrics_listen(section: &Section) -> Result<Option<SocketAddr>, ConfigError> {
    let Some(text) = section.text("metrics_listen")? else {
        return Ok(None);
    };
    let port = text
        .parse()
        .map(|port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let address = port.or_else(|_| text.parse());
    address.map(Some).map_err(|_| {
        let why =
            format!("{text:?} is neither a port nor an address and port such as 127.0.0.1:9464");
        section.refuse("metrics_listen", why)
    })
}

/// `peer_log_limit`, or `log_limit` of one peer: a size.
pub(super) fn log_limit(section: &Section, option: &str) -> Result<Option<Bytes>, ConfigError> {
    let text = section.text(option)?;
    let limit = text.map(|text| super::size_of(section, option, &text, MIB, 1024 * 1024 * GIB));
    limit.transpose()
}

/// `[peer NAME]`: another site.
pub(super) fn peers(file: &ConfigFile) -> Result<Vec<PeerConf>, ConfigError> {
    let mut peers = Vec::new();
    for section in file.sections_with_prefix("peer ") {
        let name = section.name().trim_start_matches("peer ").trim().to_owned();
        let fingerprint = section.require("fingerprint")?.parse().map_err(|_| {
            section.refuse(
                "fingerprint",
                "must be the 64 hexadecimal digits that `firebrick site fingerprint` prints",
            )
        })?;
        peers.push(PeerConf {
            name,
            address: section.require("address")?,
            fingerprint,
            log_limit: log_limit(section, "log_limit")?,
        });
    }
    Ok(peers)
}
