//! The other sites, and what is watched of them.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use firebrick_config::{ConfigError, ConfigFile, Section};
use firebrick_engine::Retention;
use firebrick_mirror::{Compression, Direction, Rate, Traffic};
use firebrick_vocabulary::{Bytes, GIB, MIB};

use super::PeerConf;

/// `rpo_target_seconds`: how far peers may be behind; 0 for any distance.
pub(super) fn rpo_target(section: &Section) -> Result<Option<Duration>, ConfigError> {
    let seconds = super::seconds(section, "rpo_target_seconds", 0.0)?;
    Ok((!seconds.is_zero()).then_some(seconds))
}

/// `verify_interval`: the time for one comparison of each image; 0, the default, for none.
pub(super) fn verify_interval(section: &Section) -> Result<Option<Duration>, ConfigError> {
    time(section, "verify_interval")
}

/// `mirror_delete_delay`: how long what its primary removed is kept here; 0, the default, for not at all.
pub(super) fn delete_delay(section: &Section) -> Result<Option<Duration>, ConfigError> {
    time(section, "mirror_delete_delay")
}

fn time(section: &Section, option: &str) -> Result<Option<Duration>, ConfigError> {
    let Some(text) = section.text(option)? else {
        return Ok(None);
    };
    match text.parse() {
        Ok(Retention::None) => Ok(None),
        Ok(Retention::Time(time)) => Ok(Some(time)),
        Ok(Retention::Log(_)) | Err(_) => {
            let why = format!("{text:?} is not a time such as 7d or 12h, or 0");
            Err(section.refuse(option, why))
        }
    }
}

/// `mirroring_max_mirroring_snapshots`: as many mirror snapshots of an image stay.
pub(super) fn snapshots(section: &Section) -> Result<u8, ConfigError> {
    const OPTION: &str = "mirroring_max_mirroring_snapshots";
    let most = section.value_or(OPTION, "a number from 3 to 100", 5)?;
    if (3..=100).contains(&most) {
        return Ok(most);
    }
    Err(section.refuse(OPTION, format!("{most} is not between 3 and 100")))
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

/// `mirror_address`: by which peers reach the log.
pub(super) fn mirror_address(section: &Section) -> Result<Option<String>, ConfigError> {
    let Some(text) = section.text("mirror_address")? else {
        return Ok(None);
    };
    if is_address(&text) {
        return Ok(Some(text));
    }
    let why = format!("{text:?} is not HOST:PORT");
    Err(section.refuse("mirror_address", why))
}

/// Whether that is `HOST:PORT`.
pub(crate) fn is_address(text: &str) -> bool {
    let fits =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']' | '%');
    text.rsplit_once(':').is_some_and(|(host, port)| {
        let named = (1..=255).contains(&host.len()) && host.chars().all(fits);
        named && port.parse::<u16>().is_ok_and(|port| port > 0)
    })
}

/// `direction`: which way logs go.
fn direction(section: &Section) -> Result<Direction, ConfigError> {
    let Some(text) = section.text("direction")? else {
        return Ok(Direction::RxTx);
    };
    text.parse()
        .map_err(|rule| section.refuse("direction", format!("{text:?} {rule}")))
}

/// `bandwidth` and `quiet_bandwidth`: a size that goes in a second, `unlimited`, or 0 for nothing.
fn rate(section: &Section, option: &str) -> Result<Option<Rate>, ConfigError> {
    match section.text(option)?.as_deref() {
        None => Ok(None),
        Some("unlimited") => Ok(Some(Rate::UNLIMITED)),
        Some(text) => {
            let bytes = super::size_of(section, option, text, 0, 1024 * GIB)?;
            let rate =
                Rate::of(bytes.0).map_err(|rule| section.refuse(option, format!("{text} {rule}")));
            rate.map(Some)
        }
    }
}

/// `compression`: in which form it goes.
fn compression(section: &Section) -> Result<Option<Compression>, ConfigError> {
    let Some(text) = section.text("compression")? else {
        return Ok(None);
    };
    let form = text.parse().map(Some);
    form.map_err(|rule| section.refuse("compression", format!("{text:?} {rule}")))
}

/// `bandwidth`, `quiet_hours`, `quiet_bandwidth` and `compression`: how much goes to it, when, and in which form.
fn traffic(section: &Section) -> Result<Traffic, ConfigError> {
    let usual = Traffic::default();
    let hours = section.text("quiet_hours")?.unwrap_or_default();
    let refuse = |rule| section.refuse("quiet_hours", format!("{hours:?} {rule}"));
    Ok(Traffic {
        bandwidth: rate(section, "bandwidth")?.unwrap_or(usual.bandwidth),
        quiet_hours: hours.parse().map_err(refuse)?,
        quiet_bandwidth: rate(section, "quiet_bandwidth")?.unwrap_or(usual.quiet_bandwidth),
        compression: compression(section)?.unwrap_or(usual.compression),
    })
}

/// `address`: where its log is read, if it is.
fn address(section: &Section, direction: Direction) -> Result<String, ConfigError> {
    if direction.receives() {
        section.require("address")
    } else {
        Ok(section.text("address")?.unwrap_or_default())
    }
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
        let direction = direction(section)?;
        peers.push(PeerConf {
            name,
            address: address(section, direction)?,
            fingerprint,
            log_limit: log_limit(section, "log_limit")?,
            direction,
            traffic: traffic(section)?,
        });
    }
    Ok(peers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_host_and_a_port() {
        for good in ["127.0.0.1:10909", "site-b.example:1", "[::1]:10909"] {
            assert!(is_address(good), "{good}");
        }
        for bad in [
            "",
            ":1",
            "host",
            "host:0",
            "host:65536",
            "a b:1",
            "host:1:",
            "ho/st:1",
        ] {
            assert!(!is_address(bad), "{bad}");
        }
    }
}
