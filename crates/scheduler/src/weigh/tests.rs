//! What each weigher likes.

use super::*;
use crate::fixture::{function, pool, request};
use crate::{Capacity, Handler, Ratio, Scheduler};

fn names(weigher: Weigher, multiplier: f64, pools: &[PoolState]) -> String {
    let scheduler = Scheduler {
        filters: Vec::new(),
        weighers: vec![Weighing {
            weigher,
            multiplier,
        }],
        handler: Handler::Ordered,
    };
    let mut draws = [0.2, 0.9, 0.4].into_iter();
    let chosen = scheduler.choose(&request(1, &[]), pools, &mut || draws.next().unwrap());
    chosen.unwrap().host.to_string()
}

const A: &str = "node@a#volumes";
const B: &str = "node@b#volumes";
const C: &str = "node@c#volumes";

fn three() -> [PoolState; 3] {
    let mut pools = [pool("a", 50.0), pool("b", 80.0), pool("c", 20.0)];
    for (pool, (allocated, volumes)) in pools.iter_mut().zip([(5.0, 9), (50.0, 2), (20.0, 1)]) {
        pool.allocated = allocated;
        pool.volumes = volumes;
    }
    pools
}

#[test]
fn volumes_are_spread_and_with_a_negative_multiplier_stacked() {
    let pools = three();
    assert_eq!(names(Weigher::Capacity, 1.0, &pools), B);
    assert_eq!(names(Weigher::Capacity, -1.0, &pools), C);
    assert_eq!(names(Weigher::AllocatedCapacity, -1.0, &pools), A);
    assert_eq!(names(Weigher::AllocatedCapacity, 1.0, &pools), B);
    assert_eq!(names(Weigher::VolumeNumber, -1.0, &pools), C);
    assert_eq!(names(Weigher::VolumeNumber, 1.0, &pools), A);
    assert_eq!(names(Weigher::Chance, 1.0, &pools), B);
}

#[test]
fn goodness_is_what_the_function_says_within_its_bounds() {
    let mut pools = three();
    assert_eq!(names(Weigher::Goodness, 1.0, &pools), A, "all are equal");
    let set = |pool: &mut PoolState, text| pool.goodness_function = Some(function(text));
    set(&mut pools[0], "101");
    set(&mut pools[1], "40");
    set(&mut pools[2], "stats.free_capacity_gb * 2.5");
    assert_eq!(names(Weigher::Goodness, 1.0, &pools), C);
    set(&mut pools[2], "1 / 0");
    assert_eq!(names(Weigher::Goodness, 1.0, &pools), B);
    set(&mut pools[0], "volume.size < 2");
    assert_eq!(names(Weigher::Goodness, 1.0, &pools), A, "yes is a hundred");
}

#[test]
fn pools_that_do_not_say_their_size_come_last_either_way() {
    let mut pools = three();
    for size in [Capacity::Infinite, Capacity::Unknown] {
        pools[1].free = size;
        assert_eq!(names(Weigher::Capacity, 1.0, &pools), A);
        assert_eq!(names(Weigher::Capacity, -1.0, &pools), C);
        pools[0].free = size;
        assert_eq!(names(Weigher::Capacity, -1.0, &pools), C);
        pools[0].free = Capacity::Gigabytes(50.0);
    }
    for pool in &mut pools {
        pool.free = Capacity::Infinite;
    }
    assert_eq!(names(Weigher::Capacity, -1.0, &pools), A);
}

#[test]
fn room_counts_what_is_promised() {
    let mut pools = three();
    for pool in &mut pools {
        pool.thin = true;
        pool.max_over_subscription_ratio = Ratio::Fixed(10.0);
    }
    pools[1].provisioned = 500.0;
    pools[0].provisioned = 400.0;
    assert_eq!(names(Weigher::Capacity, 1.0, &pools), C);
}

#[test]
fn weights_are_stretched_between_zero_and_one() {
    assert_eq!(normalized(&[2.0, 4.0, 3.0]), [0.0, 1.0, 0.5]);
    assert_eq!(normalized(&[7.0, 7.0]), [0.0, 0.0]);
    assert_eq!(normalized(&[]), Vec::<f64>::new());
}

#[test]
fn names_are_those_of_cinder() {
    for weigher in Weigher::ALL {
        assert_eq!(weigher.to_string().parse(), Ok(weigher));
    }
    let unknown = "HeavyWeigher".parse::<Weigher>().unwrap_err();
    assert_eq!(unknown.to_string(), "\"HeavyWeigher\" is not a weigher");
}
