//! What volume types say of the way in which their volumes are replicated: at every moment, with flushes that wait
//! for the other site, or at mirror snapshots.

use std::time::Duration;

use firebrick_backend::SharedBackend;
use firebrick_db::{Volume, VolumeType, types};
use firebrick_scheduler::{Capability, matches};
use firebrick_vocabulary::{Interval, MirrorWay, SyncMode, SyncPolicy};

use crate::control::Inner;
use crate::error::{Error, Result};
use crate::home::moves;
use crate::request::Metadata;
use crate::story::{Step, Stop};

/// The extra spec that chooses pools, and says whether copies are synchronous.
const TYPE: &str = "replication_type";
/// The extra spec that chooses pools, and says at which states the copies can be had.
const MODE: &str = "replication_mode";
/// The extra spec that says what becomes of flushes that are not confirmed in time. It asks nothing of pools.
const POLICY: &str = "firebrick:sync_policy";
/// The extra spec that says when that is, in seconds.
const TIMEOUT: &str = "firebrick:sync_timeout_seconds";
/// The extra spec that says how often mirror snapshots are taken.
const INTERVAL: &str = "firebrick:snapshot_interval";

/// What extra specs begin with that are this service's own. No pool is asked for them, so who mistypes one would
/// not be told otherwise that it says nothing.
const OWN: &str = "firebrick:";

/// The way in which volumes of a type are replicated.
pub(crate) fn mirror_way(kind: &VolumeType) -> std::result::Result<MirrorWay, String> {
    parsed(&kind.extra_specs)
}

/// Whether an extra spec takes that word of a pool, and would not take the other one.
fn demands(specs: &Metadata, key: &str, word: &str, other: &str) -> bool {
    let takes = |spec: &String, word: &str| matches(spec, &Capability::List(vec![word.to_owned()]));
    specs
        .get(key)
        .is_some_and(|spec| takes(spec, word) && !takes(spec, other))
}

fn parsed(specs: &Metadata) -> std::result::Result<MirrorWay, String> {
    let (sync, interval) = (sync_mode(specs)?, interval(specs)?);
    let synchronous = demands(specs, TYPE, "sync", "async");
    match (synchronous, demands(specs, MODE, "snapshot", "journal")) {
        (false, false) => Ok(MirrorWay::Journal),
        (true, false) => Ok(MirrorWay::Sync(sync)),
        (false, true) => Ok(MirrorWay::Snapshot(interval)),
        (true, true) => Err(format!(
            "{TYPE} cannot be sync where {MODE} is snapshot: a copy that returns to a mirror snapshot may lack \
             what flushes covered"
        )),
    }
}

fn sync_mode(specs: &Metadata) -> std::result::Result<SyncMode, String> {
    // Who wants to wait for good, whatever happens, has to say so.
    let policy = specs.get(POLICY).map_or(Ok(SyncPolicy::FallBack), |text| {
        text.trim().parse::<SyncPolicy>()
    });
    let policy = policy.map_err(|why| format!("{POLICY} {why}"))?;
    let timeout = specs.get(TIMEOUT).map_or(Some(SyncMode::TIMEOUT), |text| {
        let seconds = text.trim().parse::<f64>().ok()?;
        Duration::try_from_secs_f64(seconds).ok()
    });
    let mode = timeout.and_then(|timeout| SyncMode::new(policy, timeout).ok());
    mode.ok_or_else(|| format!("{TIMEOUT} must be a number from 0.1 to 3600"))
}

fn interval(specs: &Metadata) -> std::result::Result<Option<Interval>, String> {
    let said = specs.get(INTERVAL).map(|text| text.trim().parse());
    said.transpose()
        .map_err(|_| format!("{INTERVAL} must be a time from 1m to 366d, such as 90m, 12h or 1d"))
}

/// Refuses extra specs, all those that a type is to have, that say of that what makes no sense.
pub(crate) fn check_mirror_way(specs: &Metadata) -> Result<()> {
    parsed(specs)
        .map(drop)
        .map_err(|why| Error::invalid_input(format_args!("Extra spec {why}.")))
}

/// Refuses those of the extra specs that a type is given anew that look like this service's own, and are not.
pub(crate) fn check_own_names(specs: &Metadata) -> Result<()> {
    let known = [POLICY, TIMEOUT, INTERVAL];
    let strange = |key: &&String| key.starts_with(OWN) && !known.contains(&key.as_str());
    match specs.keys().find(strange) {
        None => Ok(()),
        Some(key) => Err(Error::invalid_input(format_args!(
            "Extra spec {key} is unknown; those that begin with {OWN} are {}.",
            known.join(", ")
        ))),
    }
}

/// Whether these extra specs say how often mirror snapshots of a volume are taken.
pub(crate) fn is_scheduled(specs: &Metadata) -> bool {
    matches!(parsed(specs), Ok(MirrorWay::Snapshot(Some(_))))
}

/// Has the image of a volume, which is mirrored since a moment ago, be so in the way that its type says.
pub(crate) async fn set_way(inner: &Inner, site: &SharedBackend, volume: &Volume) -> Step {
    let way = way_for(inner, volume).await?;
    if way != MirrorWay::Journal {
        site.set_mirror_way(volume.image(), way).await?;
    }
    Ok(())
}

/// The same of a volume that was another one before. What somebody said of the image itself stays where no type
/// says anything.
pub(crate) async fn change_way(
    inner: &Inner,
    site: &SharedBackend,
    before: &Volume,
    volume: &Volume,
) -> Step {
    // It ends with the mirroring.
    if !moves(volume) {
        return Ok(());
    }
    let way = way_for(inner, volume).await?;
    let before = kind_of(inner, before).await?.map(|kind| mirror_way(&kind));
    if way != MirrorWay::Journal || before != Some(Ok(MirrorWay::Journal)) {
        site.set_mirror_way(volume.image(), way).await?;
    }
    Ok(())
}

async fn way_for(inner: &Inner, volume: &Volume) -> Step<MirrorWay> {
    match kind_of(inner, volume).await? {
        Some(kind) => mirror_way(&kind).map_err(Stop::never),
        None => Ok(MirrorWay::Journal),
    }
}

async fn kind_of(inner: &Inner, volume: &Volume) -> Step<Option<VolumeType>> {
    let connection = &mut *inner.db.read().await?;
    Ok(types::get(connection, volume.volume_type).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(pairs: &[(&str, &str)]) -> std::result::Result<MirrorWay, String> {
        let pairs = pairs.iter();
        parsed(
            &pairs
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
        )
    }

    fn sync(policy: SyncPolicy, millis: u64) -> MirrorWay {
        MirrorWay::Sync(SyncMode::new(policy, Duration::from_millis(millis)).unwrap())
    }

    #[test]
    fn a_type_says_which_way() {
        let fall_back = sync(SyncPolicy::FallBack, 5000);
        let block = sync(SyncPolicy::Block, 500);
        let hourly = MirrorWay::Snapshot("1h".parse().ok());
        let cases: [(&[(&str, &str)], MirrorWay); 10] = [
            (&[], MirrorWay::Journal),
            (&[(TYPE, "<in> async")], MirrorWay::Journal),
            // A pool that has one of the two would do.
            (&[(TYPE, "<or> async <or> sync")], MirrorWay::Journal),
            (&[(TYPE, "<in> sync")], fall_back),
            (&[(TYPE, "sync")], fall_back),
            (
                &[(TYPE, "<in> sync"), (POLICY, "block"), (TIMEOUT, "0.5")],
                block,
            ),
            (&[(POLICY, "block")], MirrorWay::Journal),
            (&[(MODE, "<in> journal")], MirrorWay::Journal),
            (&[(MODE, "<in> snapshot")], MirrorWay::Snapshot(None)),
            (&[(MODE, "snapshot"), (INTERVAL, "60m")], hourly),
        ];
        for (specs, wanted) in cases {
            assert_eq!(way(specs), Ok(wanted), "{specs:?}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (key, value) in [
            (POLICY, "never"),
            (TIMEOUT, "0"),
            (TIMEOUT, "x"),
            (TIMEOUT, "nan"),
            (TIMEOUT, "3601"),
            (INTERVAL, ""),
            (INTERVAL, "1s"),
            (INTERVAL, "400d"),
        ] {
            let why = way(&[(key, value)]).unwrap_err();
            assert!(why.starts_with(key), "{key} {value}: {why}");
        }
        let names = |key: &str| check_own_names(&[(key.to_owned(), "1".to_owned())].into());
        for key in [POLICY, TIMEOUT, INTERVAL, "sync_polcy", "other:sync_polcy"] {
            assert!(names(key).is_ok(), "{key}");
        }
        let why = names("firebrick:sync_polcy").unwrap_err().to_string();
        assert!(why.contains("sync_polcy") && why.contains(POLICY), "{why}");
        let why = way(&[(TYPE, "<in> sync"), (MODE, "snapshot")]).unwrap_err();
        assert!(why.contains(MODE), "{why}");
    }
}
