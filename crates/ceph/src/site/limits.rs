//! What guests are held to: librbd does it, in whatever process opens the image.

use firebrick_backend::{Fault, FaultKind};
use firebrick_vocabulary::{ImageId, Limit, Limits};

use super::{Shared, part};
use crate::fault::Doing;
use crate::ffi::Opening;
use crate::link::Link;
use crate::notes::Notes;

/// Writes the limits where librbd and this site find them.
pub(super) fn set(
    shared: &Shared,
    link: &Link,
    id: ImageId,
    limits: &Limits,
    doing: &str,
) -> Result<(), Fault> {
    if limits.request_size.is_some() {
        let why = "librbd counts every request once: size_iops_sec cannot be held";
        return Err(Fault::new(FaultKind::Unsupported, doing, why));
    }
    let (image, _, notes) = shared.names.open(link, id, Opening::Changing, doing)?;
    part::primary(link, &image, &notes, doing)?;
    if notes.limits == *limits {
        return Ok(());
    }
    // The notes come last: where this ends in the middle, they differ still, and it is done again.
    for ((key, value), (_, known)) in options(limits).into_iter().zip(options(&notes.limits)) {
        match value {
            Some(value) => image.set_note(&key, &value.to_string()).doing(doing)?,
            None if known.is_some() => image.remove_note(&key).doing(doing)?,
            None => {}
        }
    }
    let now = Notes {
        limits: *limits,
        ..notes.clone()
    };
    now.replace(&notes, &image, doing)
}

/// The options of librbd that make up the limits.
fn options(limits: &Limits) -> Vec<(String, Option<u64>)> {
    let units = [("iops", &limits.requests), ("bps", &limits.bytes)];
    let mut all = Vec::new();
    for (unit, rates) in units {
        let kinds = [
            ("", rates.total),
            ("read_", rates.read),
            ("write_", rates.write),
        ];
        for (kind, limit) in kinds {
            let burst = limit.and_then(|limit: Limit| limit.burst);
            let values = [
                ("limit", limit.map(|limit| limit.average.get())),
                ("burst", burst.map(|burst| burst.rate.get())),
                (
                    "burst_seconds",
                    burst.map(|burst| u64::from(burst.seconds.get())),
                ),
            ];
            let named = values
                .into_iter()
                .map(|(end, value)| (format!("conf_rbd_qos_{kind}{unit}_{end}"), value));
            all.extend(named);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use firebrick_vocabulary::Gibibytes;

    use super::*;

    #[test]
    fn limits_are_options_of_librbd() {
        let spec = [
            ("total_iops_sec", "100"),
            ("total_iops_sec_max", "500"),
            ("total_iops_sec_max_length", "3"),
            ("read_bytes_sec", "1048576"),
        ];
        let spec: BTreeMap<String, String> = spec
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        let limits = Limits::of_spec(&spec, Gibibytes(1)).unwrap();
        let set: BTreeMap<_, _> = options(&limits)
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)))
            .collect();
        let expected = [
            ("conf_rbd_qos_iops_burst", 500),
            ("conf_rbd_qos_iops_burst_seconds", 3),
            ("conf_rbd_qos_iops_limit", 100),
            ("conf_rbd_qos_read_bps_limit", 1 << 20),
        ];
        let expected = expected.map(|(key, value)| (key.to_owned(), value));
        assert_eq!(set, BTreeMap::from(expected));
    }
}
