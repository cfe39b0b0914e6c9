//! The availability zone in which a new volume must be.

use firebrick_db::VolumeType;

use super::source::Source;
use crate::error::{Error, ErrorKind, Result};
use crate::options::ControlOptions;

/// The zones that a type is bound to, with commas between.
const OF_TYPE: &str = "RESKEY:availability_zones";

/// The zone that was asked for, else that of the source, else the usual one. None is one of those that
/// the type is bound to, whichever has room.
pub(super) fn zone_for(
    options: &ControlOptions,
    asked: Option<String>,
    source: Option<&Source>,
    kind: &VolumeType,
) -> Result<Option<String>> {
    let bound = kind.extra_specs.get(OF_TYPE);
    let allowed = |zone: &str| {
        let fits = |list: &String| list.split(',').any(|one| one.trim() == zone);
        options.has_zone(zone) && bound.is_none_or(fits)
    };
    if let Some(list) = bound
        && !list.split(',').any(|zone| allowed(zone.trim()))
    {
        let text = format_args!(
            "Volume type is only supported in these availability zones: {}",
            shown(list)
        );
        return Err(Error::new(ErrorKind::Invalid, text));
    }
    let there = source.and_then(|source| source.zone.clone());
    let usual = || bound.is_none().then(|| options.usual_zone().to_owned());
    let mut zone = asked.or_else(|| there.clone()).or_else(usual);
    if let Some(wrong) = zone.as_ref().filter(|zone| !allowed(zone)) {
        if !options.zones_fall_back {
            let text = format_args!("Availability zone '{wrong}' is invalid.");
            return Err(Error::invalid_input(text));
        }
        zone = Some(options.usual_zone().to_owned());
    }
    // What is cloned stays in its pool, which is in one zone.
    match (&zone, there) {
        (Some(zone), Some(there)) if *zone != there => {
            let what = source.map_or("source volume", |source| source.what);
            let text = format_args!("Volume must be in the same availability zone as the {what}");
            Err(Error::invalid_input(text))
        }
        _ => Ok(zone),
    }
}

/// As Python shows a list of texts.
fn shown(list: &str) -> String {
    let all: Vec<String> = list
        .split(',')
        .map(|zone| format!("'{}'", zone.trim()))
        .collect();
    format!("[{}]", all.join(", "))
}
