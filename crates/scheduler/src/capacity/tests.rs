//! What pools of every kind can promise.

use proptest::prelude::*;

use super::*;
use crate::fixture::pool;

fn thin(free: f64, provisioned: f64) -> PoolState {
    PoolState {
        thin: true,
        provisioned,
        ..pool("a", free)
    }
}

#[test]
fn thin_pools_promise_the_total_less_the_reserve_times_the_ratio() {
    assert_eq!(thin(50.0, 130.0).room(false), Ok(Room::Gigabytes(50.0)));
    assert_eq!(thin(50.0, 200.0).room(false), Ok(Room::Gigabytes(-20.0)));
    assert_eq!(thin(10.0, 0.0).room(false), Ok(Room::Gigabytes(0.0)));
    assert_eq!(thin(10.5, 0.0).room(false), Ok(Room::Gigabytes(180.0)));
}

#[test]
fn thick_pools_and_thick_types_promise_what_is_neither_written_nor_promised() {
    assert_eq!(thin(50.0, 20.0).room(true), Ok(Room::Gigabytes(50.0)));
    assert_eq!(thin(50.0, 60.0).room(true), Ok(Room::Gigabytes(30.0)));
    assert_eq!(pool("a", 95.0).room(false), Ok(Room::Gigabytes(90.0)));
}

#[test]
fn the_reserve_is_whole_gibibytes() {
    let mut odd = thin(50.0, 0.0);
    odd.total = Capacity::Gigabytes(59.0);
    assert_eq!(odd.room(false), Ok(Room::Gigabytes(54.0 * 2.0)));
}

#[test]
fn a_ratio_below_one_takes_nothing_thin() {
    let mut bad = thin(50.0, 0.0);
    bad.max_over_subscription_ratio = Ratio::Fixed(0.5);
    let why = bad.room(false).unwrap_err();
    assert_eq!(why, "its over-subscription ratio 0.5 is below 1");
    assert!(bad.room(true).is_ok());
}

#[test]
fn an_automatic_ratio_follows_what_volumes_really_write() {
    let mut auto = thin(51.0, 150.0);
    auto.max_over_subscription_ratio = Ratio::Auto;
    assert!((auto.ratio() - 4.0).abs() < 1e-9);
    assert_eq!(auto.room(false), Ok(Room::Gigabytes(90.0 * 4.0 - 150.0)));
    auto.provisioned = 0.0;
    assert!((auto.ratio() - 20.0).abs() < 1e-9);
    auto.free = Capacity::Unknown;
    auto.provisioned = 1.0;
    assert!((auto.ratio() - 20.0).abs() < 1e-9);
}

#[test]
fn unknown_and_infinite_sizes_pass_unless_a_part_of_them_is_reserved() {
    for size in [Capacity::Infinite, Capacity::Unknown] {
        let mut odd = pool("a", 1.0);
        odd.total = size;
        let why = odd.room(false).unwrap_err();
        assert_eq!(why, format!("10 % of {size} cannot be reserved"));
        odd.reserved_percentage = 0;
        assert_eq!(odd.room(false), Ok(Room::Unbounded));
        odd.reserved_percentage = 10;
        odd.free = size;
        assert_eq!(odd.room(false), Ok(Room::Unbounded));
    }
    let mut empty = pool("a", 0.0);
    empty.total = Capacity::Gigabytes(0.0);
    assert!(empty.room(false).is_err());
}

proptest! {
    #[test]
    fn what_is_placed_is_not_promised_again(
        free in 0.0..100.0,
        provisioned in 0.0..300.0,
        size in 0.0..100.0,
        thick: bool,
    ) {
        let before = thin(free, provisioned);
        let after = thin(free, provisioned + size);
        match (before.room(thick), after.room(thick)) {
            (Ok(Room::Gigabytes(before)), Ok(Room::Gigabytes(after))) => {
                prop_assert!(after <= before);
                prop_assert!(after >= before - size - 1e-9);
            }
            other => prop_assert!(false, "{other:?}"),
        }
    }
}
