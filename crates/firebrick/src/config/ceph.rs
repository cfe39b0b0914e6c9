//! A backend on Ceph, in the options of Cinder's driver for RBD.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use firebrick_backend::SharedBackend;
use firebrick_ceph::{CephOptions, CephSite, Mirroring};
use firebrick_config::{ConfigError, Dict, Section};

use super::backend::{Sites, devices};
use super::limits::number;

/// The driver, as Cinder calls it.
pub(super) const DRIVER: &str = "cinder.volume.drivers.rbd.RBDDriver";
/// The user of targets that name none, where `rbd_user` is not given either, as in Cinder.
const TARGET_USER: &str = "cinder";
/// The longest time of an option, in seconds: a year.
const LONGEST: i64 = 31_536_000;

/// The sites of the backend of that name.
pub(super) fn sites(section: &Section, name: &str, base: &Path) -> Result<Sites, ConfigError> {
    let mut primary = options(section, name, base)?;
    let answer = seconds(section, "replication_connect_timeout", 5, -1)?;
    let known = ["conf", "user", "secret_uuid", "pool"];
    let targets = devices(section, &known, |id, device| {
        let mut target = primary.clone();
        target.has_target = true;
        target.connect = answer;
        of_device(&mut target, id, device, base);
        site(target)
    })?;
    primary.has_target = !targets.is_empty();
    let refuse = |why: String| section.refuse("volume_driver", why);
    let primary = site(primary).map_err(refuse)?;
    Ok(Sites { primary, targets })
}

fn site(options: CephOptions) -> Result<SharedBackend, String> {
    let site = CephSite::new(options).map_err(|missing| missing.to_string())?;
    Ok(Arc::new(site))
}

/// What a `replication_device` says of a target. Cinder looks for a pool of the same name everywhere; here a
/// device may say another one, as operators expect.
fn of_device(target: &mut CephOptions, id: &str, device: &Dict, base: &Path) {
    let said = |key: &str| device.get(key).filter(|value| !value.is_empty()).cloned();
    id.clone_into(&mut target.name);
    id.clone_into(&mut target.cluster);
    target.conf = match said("conf") {
        Some(conf) => base.join(conf),
        None => usual_conf(id),
    };
    let user = said("user").or_else(|| target.user.take());
    target.user = Some(user.unwrap_or_else(|| TARGET_USER.to_owned()));
    target.secret = said("secret_uuid");
    if let Some(pool) = said("pool") {
        target.pool = pool;
    }
}

/// Where Ceph looks for the configuration of a cluster.
fn usual_conf(cluster: &str) -> PathBuf {
    PathBuf::from(format!("/etc/ceph/{cluster}.conf"))
}

fn options(section: &Section, name: &str, base: &Path) -> Result<CephOptions, ConfigError> {
    let said = |option: &str| -> Result<Option<String>, ConfigError> {
        Ok(section.text(option)?.filter(|value| !value.is_empty()))
    };
    let cluster = said("rbd_cluster_name")?.unwrap_or_else(|| "ceph".to_owned());
    let conf = match said("rbd_ceph_conf")? {
        Some(conf) => base.join(conf),
        None => usual_conf(&cluster),
    };
    let pool = said("rbd_pool")?.unwrap_or_else(|| "rbd".to_owned());
    // Each call connects again where the connection is lost, so how often and when is no matter here.
    number(section, "rados_connection_retries", 3, &(0..=i64::MAX))?;
    number(section, "rados_connection_interval", 5, &(0..=i64::MAX))?;
    number(
        section,
        "rbd_concurrent_flatten_operations",
        3,
        &(0..=i64::MAX),
    )?;
    let usual = CephOptions::new(name, conf, pool);
    let delay = seconds(section, "deferred_deletion_delay", 0, 0)?;
    let is_deferred = section.flag("enable_deferred_deletion", false)?;
    let purge = number(
        section,
        "deferred_deletion_purge_interval",
        60,
        &(1..=LONGEST),
    )?;
    Ok(CephOptions {
        cluster,
        user: said("rbd_user")?,
        secret: said("rbd_secret_uuid")?,
        flatten: section.flag("rbd_flatten_volume_from_snapshot", usual.flatten)?,
        clone_depth: number(section, "rbd_max_clone_depth", usual.clone_depth, &(0..=16))?,
        order: order(section)?,
        connect: seconds(section, "rados_connect_timeout", -1, -1)?,
        dynamic_total: section.flag("report_dynamic_total_capacity", usual.dynamic_total)?,
        exclusive_pool: section.flag("rbd_exclusive_cinder_pool", usual.exclusive_pool)?,
        deferred: is_deferred.then(|| delay.unwrap_or_default()),
        purge: Duration::from_secs(purge.unsigned_abs()),
        mirroring: mirroring(section)?,
        ..usual
    })
}

/// A time of at least `least` seconds; `None` for one below 0.
fn seconds(
    section: &Section,
    option: &str,
    default: i64,
    least: i64,
) -> Result<Option<Duration>, ConfigError> {
    let seconds = number(section, option, default, &(least..=LONGEST))?;
    Ok(u64::try_from(seconds).ok().map(Duration::from_secs))
}

/// `rbd_store_chunk_size`: the size of an image's objects in MiB, a power of two that RBD takes.
fn order(section: &Section) -> Result<u32, ConfigError> {
    const OPTION: &str = "rbd_store_chunk_size";
    let size: u32 = number(section, OPTION, 4, &(1..=32))?;
    if size.is_power_of_two() {
        Ok(20 + size.ilog2())
    } else {
        let why = format!("{size} is none of 1, 2, 4, 8, 16 and 32 MiB");
        Err(section.refuse(OPTION, why))
    }
}

/// How images are mirrored, of which Cinder knows one way.
fn mirroring(section: &Section) -> Result<Mirroring, ConfigError> {
    const OPTION: &str = "firebrick_rbd_mirroring";
    match section.text(OPTION)?.as_deref() {
        None | Some("journal") => Ok(Mirroring::Journal),
        Some("snapshot") => Ok(Mirroring::Snapshot),
        Some(other) => {
            Err(section.refuse(OPTION, format!("{other:?} is neither journal nor snapshot")))
        }
    }
}

#[cfg(test)]
mod tests {
    use firebrick_config::ConfigFile;

    use super::*;

    fn section(text: &str) -> ConfigFile {
        ConfigFile::parse(
            Path::new("/etc/cinder/cinder.conf"),
            &format!("[ceph]\n{text}"),
        )
        .unwrap()
    }

    fn understand(text: &str) -> Result<CephOptions, ConfigError> {
        let file = section(text);
        options(
            file.section("ceph").unwrap(),
            "ceph",
            Path::new("/etc/cinder"),
        )
    }

    #[test]
    fn an_empty_section_gets_the_defaults_of_cinder() {
        let expected = CephOptions::new("ceph", "/etc/ceph/ceph.conf", "rbd");
        assert_eq!(understand("").unwrap(), expected);
    }

    #[test]
    fn every_option_of_cinder_is_taken() {
        let text = "rbd_cluster_name = east\nrbd_pool = volumes\nrbd_user = cinder\n\
             rbd_ceph_conf = east.conf\nrbd_secret_uuid = 1234\n\
             rbd_flatten_volume_from_snapshot = true\nrbd_max_clone_depth = 2\n\
             rbd_store_chunk_size = 8\nrados_connect_timeout = 7\nrados_connection_retries = 9\n\
             rados_connection_interval = 2\nreport_dynamic_total_capacity = false\n\
             rbd_exclusive_cinder_pool = false\nenable_deferred_deletion = true\n\
             deferred_deletion_delay = 30\ndeferred_deletion_purge_interval = 10\n\
             rbd_concurrent_flatten_operations = 4\nfirebrick_rbd_mirroring = snapshot\n";
        let expected = CephOptions {
            cluster: "east".to_owned(),
            user: Some("cinder".to_owned()),
            secret: Some("1234".to_owned()),
            flatten: true,
            clone_depth: 2,
            order: 23,
            connect: Some(Duration::from_secs(7)),
            dynamic_total: false,
            exclusive_pool: false,
            deferred: Some(Duration::from_secs(30)),
            purge: Duration::from_secs(10),
            mirroring: Mirroring::Snapshot,
            ..CephOptions::new("ceph", "/etc/cinder/east.conf", "volumes")
        };
        assert_eq!(understand(text).unwrap(), expected);
        let file = section(text);
        options(file.section("ceph").unwrap(), "ceph", Path::new("/")).unwrap();
        assert_eq!(file.unknown().len(), 0);
    }

    #[test]
    fn a_device_says_cluster_user_secret_and_pool() {
        let given = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter();
            let device = pairs.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
            let mut target = understand("rbd_pool = volumes\nrbd_secret_uuid = 1").unwrap();
            of_device(
                &mut target,
                "west",
                &device.collect(),
                Path::new("/etc/cinder"),
            );
            let pool = target.pool;
            (target.conf, target.user, target.secret, pool)
        };
        let some = |text: &str| Some(text.to_owned());
        let expected = (
            "/etc/ceph/west.conf".into(),
            some("cinder"),
            None,
            "volumes".to_owned(),
        );
        assert_eq!(given(&[]), expected);
        let said = [
            ("conf", "/etc/ceph/w.conf"),
            ("user", "backup"),
            ("secret_uuid", "2"),
            ("pool", "far"),
        ];
        let expected = (
            "/etc/ceph/w.conf".into(),
            some("backup"),
            some("2"),
            "far".to_owned(),
        );
        assert_eq!(given(&said), expected);
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_its_name() {
        for (text, why) in [
            (
                "rbd_store_chunk_size = 3",
                "rbd_store_chunk_size: 3 is none of",
            ),
            ("rbd_max_clone_depth = -1", "rbd_max_clone_depth"),
            (
                "deferred_deletion_delay = -1",
                "deferred_deletion_delay: -1 is not between",
            ),
            (
                "enable_deferred_deletion = maybe",
                "enable_deferred_deletion",
            ),
            (
                "firebrick_rbd_mirroring = wish",
                "is neither journal nor snapshot",
            ),
        ] {
            let refused = understand(text).unwrap_err().to_string();
            assert!(refused.contains(why), "{text}: {refused}");
        }
    }
}
