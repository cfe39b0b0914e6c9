//! Traffic: hours, rates and what holds at a moment, by example and by chance.

use proptest::prelude::*;

use super::*;

fn at(hour: u64, minute: u64) -> Timestamp {
    Timestamp(((20_000 * 24 + hour) * 60 + minute) * MINUTE)
}

#[test]
fn hours_may_go_over_midnight() {
    let hours: Hours = "22:00-06:30, 12:00-13:00".parse().unwrap();
    for (hour, minute) in [(22, 0), (23, 59), (0, 0), (6, 29), (12, 0), (12, 59)] {
        assert!(hours.have(at(hour, minute)), "{hour}:{minute}");
    }
    for (hour, minute) in [(21, 59), (6, 30), (11, 59), (13, 0)] {
        assert!(!hours.have(at(hour, minute)), "{hour}:{minute}");
    }
    assert_eq!(hours.to_string(), "22:00-06:30, 12:00-13:00");
    assert!("".parse::<Hours>().unwrap().is_empty());
    let always: Hours = "0:00-24:00".parse().unwrap();
    assert!((0..24).all(|hour| always.have(at(hour, 59))));
}

#[test]
fn what_is_no_time_of_the_day_is_refused() {
    for bad in [
        "22",
        "22:00",
        "22:00-",
        "24:00-06:00",
        "23:00-24:01",
        "1:5-2:00",
        "+1:00-2:00",
        "06:00-06:00",
        "a-b",
        "06:00-07:00;08:00-09:00",
    ] {
        assert!(bad.parse::<Hours>().is_err(), "{bad}");
    }
    let many = ["06:00-07:00"; WINDOWS_MAX].join(",");
    assert!(many.parse::<Hours>().is_ok());
    assert!(format!("{many},08:00-09:00").parse::<Hours>().is_err());
}

#[test]
fn another_rate_holds_in_quiet_hours() {
    let (day, quiet) = (Rate::of(1 << 20).unwrap(), Rate::of(2048).unwrap());
    let traffic = Traffic {
        bandwidth: day,
        quiet_hours: "12:00-13:00".parse().unwrap(),
        quiet_bandwidth: quiet,
        ..Traffic::default()
    };
    let noon = Allowed {
        rate: quiet,
        quiet: true,
    };
    assert_eq!(traffic.at(at(12, 30)), noon);
    let later = Allowed {
        rate: day,
        quiet: false,
    };
    assert_eq!(traffic.at(at(13, 0)), later);
    assert_eq!(Traffic::default().at(at(1, 1)).rate, Rate::UNLIMITED);
    let quiet = Traffic {
        quiet_hours: "01:00-02:00".parse().unwrap(),
        ..Traffic::default()
    };
    assert_eq!(quiet.at(at(1, 1)).rate, Rate::NOTHING);
}

#[test]
fn a_rate_is_none_all_or_enough_for_something() {
    assert!(Rate::of(1).is_err() && Rate::of(1023).is_err());
    assert_eq!(Rate::of(0), Ok(Rate::NOTHING));
    assert_eq!(Rate::of(1024).unwrap().bytes(), Some(1024));
    assert!(serde_json::from_str::<Rate>("7").is_err());
    for rate in [Rate::UNLIMITED, Rate::NOTHING, Rate::of(4096).unwrap()] {
        let text = serde_json::to_string(&rate).unwrap();
        assert_eq!(serde_json::from_str::<Rate>(&text).unwrap(), rate, "{text}");
    }
}

proptest! {
    #[test]
    fn hours_are_understood_as_they_are_written(windows in prop::collection::vec((0..DAY, 0..=DAY), 0..8)) {
        let windows = windows.into_iter().filter(|(from, to)| from != to);
        let hours = Hours(windows.map(|(from, to)| Window { from, to }).collect());
        prop_assert_eq!(hours.to_string().parse::<Hours>(), Ok(hours));
    }
}
