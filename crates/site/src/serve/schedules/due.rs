//! When a schedule is due. Its moments lie an interval apart, counted from a time of the day, so that
//! they are the same whenever somebody looks, and after every start.

use super::kept::KeptItem;
use crate::admin::{ScheduleItem, StartTime};

const MINUTE: i128 = 60_000_000_000;

/// The last moment of a part of a schedule at or before `now`, and the first behind it; in nanoseconds since the
/// Unix epoch.
fn around(item: &ScheduleItem, now: u64) -> (u64, u64) {
    let start = i128::from(item.start_time.map_or(0, StartTime::utc_minutes)) * MINUTE;
    let period = i128::from(item.interval.minutes()) * MINUTE;
    let last = start + (i128::from(now) - start).div_euclid(period) * period;
    let moment = |time: i128| u64::try_from(time.max(0)).unwrap_or(u64::MAX);
    (moment(last), moment(last + period))
}

/// The moment for which a mirror snapshot has yet to be taken, where the newest is of `newest`; however many
/// were missed, it is one. `None`: nothing is due.
pub(super) fn due(items: &[KeptItem], newest: u64, now: u64) -> Option<u64> {
    let missed = items.iter().filter_map(|kept| {
        let (last, _) = around(&kept.item, now);
        (last > newest.max(kept.since)).then_some(last)
    });
    missed.max()
}

/// When a schedule is due next behind `now`.
pub(super) fn next(items: &[KeptItem], now: u64) -> Option<u64> {
    items.iter().map(|kept| around(&kept.item, now).1).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const DAY: u64 = 86_400 * SECOND;

    fn item(interval: &str, start: Option<&str>, since: u64) -> KeptItem {
        KeptItem {
            item: ScheduleItem {
                interval: interval.parse().unwrap(),
                start_time: start.map(|start| start.parse().unwrap()),
            },
            since,
        }
    }

    #[test]
    fn moments_do_not_depend_on_who_looks() {
        let hourly = item("1h", None, 0).item;
        let at = DAY + 2 * 3600 * SECOND;
        assert_eq!(around(&hourly, at), (at, at + 3600 * SECOND));
        assert_eq!(
            around(&hourly, at + 3599 * SECOND),
            (at, at + 3600 * SECOND)
        );
        let daily = item("1d", Some("14:00:00-05:00"), 0).item;
        let (last, next) = around(&daily, 10 * DAY);
        assert_eq!(next, 10 * DAY + 19 * 3600 * SECOND);
        assert_eq!(last, next - DAY);
        // By a clock that is before UTC, the day before.
        let early = item("1d", Some("00:30+01:00"), 0).item;
        assert_eq!(
            around(&early, 10 * DAY).1,
            10 * DAY + 23 * 3600 * SECOND + 1800 * SECOND
        );
        assert_eq!(around(&early, 0), (0, 23 * 3600 * SECOND + 1800 * SECOND));
    }

    #[test]
    fn what_was_missed_is_made_up_for_once() {
        let now = 10 * DAY + 90 * SECOND;
        let items = [item("1m", None, 0), item("1d", None, 0)];
        // Nine days were missed, and thousands of minutes.
        let missed = due(&items, DAY, now);
        assert_eq!(missed, Some(10 * DAY + 60 * SECOND));
        assert_eq!(due(&items, missed.unwrap(), now), None);
        assert_eq!(next(&items, now), Some(10 * DAY + 120 * SECOND));
    }

    #[test]
    fn what_lies_before_a_schedule_was_not_missed() {
        let now = 10 * DAY + 90 * SECOND;
        let items = [item("1d", None, 10 * DAY + SECOND)];
        assert_eq!(due(&items, 0, now), None);
        assert_eq!(due(&items, 0, 11 * DAY), Some(11 * DAY));
        assert_eq!((due(&[], 0, now), next(&[], now)), (None, None));
    }
}
