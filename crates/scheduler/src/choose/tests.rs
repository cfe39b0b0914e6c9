//! Decisions and refusals over several pools, then whatever chance comes up with.

use proptest::prelude::*;

use super::*;
use crate::fixture::{function, pool, request};
use crate::{Capacity, Ratio, Room};

fn choose(request: &Request, pools: &[PoolState]) -> Result<Choice, Refusal> {
    Scheduler::default().choose(request, pools, &mut || 0.0)
}

fn filters(request: &Request, pools: &[PoolState]) -> Vec<Filter> {
    let refusal = choose(request, pools).err().unwrap_or_default();
    refusal.pools.iter().map(|(_, filter, _)| *filter).collect()
}

fn host(request: &Request, pools: &[PoolState]) -> Option<HostName> {
    choose(request, pools).ok().map(|choice| choice.host)
}

#[test]
fn the_pool_with_the_most_room_wins_among_those_that_fit() {
    let pools = [pool("a", 50.0), pool("b", 80.0)];
    assert_eq!(
        host(&request(1, &[]), &pools).as_ref(),
        Some(&pools[1].host)
    );
    let replicated = [("replication_enabled", "<is> True")];
    let found = host(&request(1, &replicated), &pools);
    assert_eq!(found.as_ref(), Some(&pools[0].host));
    let scoped = [("capabilities:volume_backend_name", "a")];
    let found = host(&request(1, &scoped), &pools);
    assert_eq!(found.as_ref(), Some(&pools[0].host));
}

#[test]
fn a_refusal_names_every_pool_and_reason() {
    let mut pools = [pool("a", 50.0), pool("b", 80.0), pool("c", 90.0)];
    pools[2].closed = Some("the service is disabled".into());
    let specs = [("volume_backend_name", "a"), ("other:scope", "ignored")];
    let refusal = choose(&request(60, &specs), &pools)
        .err()
        .unwrap_or_default();
    let expected = "No valid backend was found. \
                    node@a#volumes: 60 GiB asked, 50.0 GiB left; \
                    node@b#volumes: volume_backend_name is not a; \
                    node@c#volumes: the service is disabled";
    assert_eq!(refusal.to_string(), expected);
    let expected = [Filter::Capacity, Filter::Capabilities, Filter::Service];
    assert_eq!(filters(&request(60, &specs), &pools), expected);
    assert!(
        Refusal::default()
            .to_string()
            .contains("No backend has reported")
    );
}

#[test]
fn zones_hints_and_origins_bind() {
    let pools = [pool("a", 50.0), pool("b", 80.0)];
    let (a, b) = (pools[0].host.clone(), pools[1].host.clone());
    let mut asked = request(1, &[]);
    asked.same_host = vec![a.clone()];
    assert_eq!(host(&asked, &pools), Some(a.clone()));
    asked.different_host = vec![a.clone()];
    let expected = [Filter::DifferentBackend, Filter::SameBackend];
    assert_eq!(filters(&asked, &pools), expected);
    asked.same_host.clear();
    assert_eq!(host(&asked, &pools), Some(b));
    asked.only = vec![a.clone()];
    let expected = [Filter::DifferentBackend, Filter::Origin];
    assert_eq!(filters(&asked, &pools), expected);
    asked.different_host.clear();
    assert_eq!(host(&asked, &pools), Some(a));
    asked.availability_zone = Some("elsewhere".into());
    assert_eq!(
        filters(&asked, &pools),
        [Filter::AvailabilityZone, Filter::Origin]
    );
}

#[test]
fn only_the_chosen_filters_are_asked() {
    let pools = [pool("a", 50.0)];
    let asked = request(90, &[("volume_backend_name", "b")]);
    let with = |filters: &[Filter]| {
        let scheduler = Scheduler {
            filters: filters.to_vec(),
            ..Scheduler::default()
        };
        let refused = scheduler.choose(&asked, &pools, &mut || 0.0);
        refused.map_err(|refusal| refusal.counts())
    };
    assert!(with(&[]).is_ok());
    let counts = with(&[Filter::Capacity, Filter::Capabilities]);
    assert_eq!(counts, Err(BTreeMap::from([(Filter::Capacity, 1)])));
    let counts = with(&[Filter::Capabilities, Filter::Capacity]);
    assert_eq!(counts, Err(BTreeMap::from([(Filter::Capabilities, 1)])));
}

#[test]
fn weighers_add_up_by_their_multipliers() {
    let mut pools = [pool("a", 50.0), pool("b", 80.0)];
    pools[0].goodness_function = Some(function("100"));
    let heavy = |goodness: f64| Scheduler {
        weighers: vec![
            Weighing::new(Weigher::Capacity),
            Weighing {
                weigher: Weigher::Goodness,
                multiplier: goodness,
            },
        ],
        ..Scheduler::default()
    };
    let chosen = |goodness: f64| {
        let chosen = heavy(goodness).choose(&request(1, &[]), &pools, &mut || 0.0);
        chosen.unwrap().host
    };
    assert_eq!(chosen(2.0), pools[0].host);
    assert_eq!(chosen(0.5), pools[1].host);
    assert_eq!(chosen(1.0), pools[0].host, "of equals the first");
}

#[test]
fn a_lottery_is_won_in_proportion_to_the_weight() {
    let pools = [pool("a", 10.0), pool("b", 30.0), pool("c", 60.0)];
    let scheduler = Scheduler {
        handler: Handler::Stochastic,
        ..Scheduler::default()
    };
    let wins = (0..100).map(|draw| {
        let mut chance = || f64::from(draw) / 100.0;
        let chosen = scheduler.choose(&request(1, &[]), &pools, &mut chance);
        chosen.unwrap().host
    });
    let mut counts = [0; 3];
    for host in wins {
        counts[pools.iter().position(|pool| pool.host == host).unwrap()] += 1;
    }
    assert_eq!(counts, [10, 30, 60]);
    assert_eq!(drawn(&[0.0, 0.0], 0.7), Some(1));
    assert_eq!(drawn(&[-5.0, 0.0], 0.1), Some(1), "the least has no chance");
    assert_eq!(drawn(&[1.0], 1.0), Some(0));
    assert_eq!(drawn(&[], 0.5), None);
}

fn any_pool() -> impl Strategy<Value = PoolState> {
    let sizes = (0.0..1000.0, 0.0..1.0, 0.0..3000.0, 0_u8..8);
    let rest = (0_u8..=100, 0.5..20.0, any::<bool>(), any::<bool>(), 0_u8..5);
    (sizes, rest).prop_map(|((total, free, provisioned, odd), rest)| {
        let (reserved_percentage, ratio, thin, open, name) = rest;
        let size = |said: bool, size| match (said, odd % 2 == 0) {
            (true, _) => Capacity::Gigabytes(size),
            (false, true) => Capacity::Infinite,
            (false, false) => Capacity::Unknown,
        };
        PoolState {
            total: size(odd > 1, total),
            free: size(odd > 3, total * free),
            provisioned,
            reserved_percentage,
            max_over_subscription_ratio: if odd == 7 {
                Ratio::Auto
            } else {
                Ratio::Fixed(ratio)
            },
            thin,
            closed: (!open).then(|| "closed".to_owned()),
            ..pool(&name.to_string(), 0.0)
        }
    })
}

fn any_scheduler() -> impl Strategy<Value = Scheduler> {
    let weighers = proptest::sample::subsequence(Weigher::ALL.to_vec(), 0..=5);
    let filters = proptest::sample::subsequence(Filter::ALL.to_vec(), 0..=9);
    (filters, weighers, -3.0..3.0, any::<bool>()).prop_map(
        |(filters, weighers, multiplier, stochastic)| Scheduler {
            filters,
            weighers: weighers
                .into_iter()
                .map(|weigher| Weighing {
                    weigher,
                    multiplier,
                })
                .collect(),
            handler: if stochastic {
                Handler::Stochastic
            } else {
                Handler::Ordered
            },
        },
    )
}

proptest! {
    #[test]
    fn a_choice_passes_every_filter_and_a_refusal_speaks_of_every_pool(
        pools in proptest::collection::vec(any_pool(), 0..8),
        scheduler in any_scheduler(),
        size in 0_u32..500,
        draw in 0.0..1.0,
    ) {
        let request = request(size, &[]);
        let fits = |pool: &&PoolState| scheduler.refused(&request, pool).is_none();
        match scheduler.choose(&request, &pools, &mut || draw) {
            Ok(choice) => {
                let mut chosen = pools.iter().filter(fits);
                prop_assert!(chosen.any(|pool| pool.host == choice.host));
            }
            Err(refusal) => {
                prop_assert_eq!(refusal.counts().values().sum::<usize>(), pools.len());
                prop_assert_eq!(pools.iter().filter(fits).count(), 0);
            }
        }
    }

    #[test]
    fn by_default_the_most_room_wins(
        pools in proptest::collection::vec(any_pool(), 1..8),
        size in 1_u32..500,
    ) {
        let room = |pool: &PoolState| match pool.room(false) {
            Ok(Room::Gigabytes(room)) => room,
            Ok(Room::Unbounded) | Err(_) => -1.0,
        };
        let request = request(size, &[]);
        let scheduler = Scheduler::default();
        let fitting = pools.iter().filter(|pool| scheduler.refused(&request, pool).is_none());
        let most = fitting.clone().map(room).fold(f64::NEG_INFINITY, f64::max);
        if let Ok(choice) = choose(&request, &pools) {
            let mut chosen = fitting.filter(|pool| pool.host == choice.host);
            prop_assert!(chosen.any(|pool| room(pool) >= most - 1e-6 || room(pool) < 0.0 && most < 0.0));
        }
    }

    #[test]
    fn a_larger_volume_never_fits_where_a_smaller_did_not(pool in any_pool(), size in 1_u32..500) {
        let small = choose(&request(size, &[]), std::slice::from_ref(&pool));
        let large = choose(&request(size + 1, &[]), std::slice::from_ref(&pool));
        prop_assert!(small.is_ok() || large.is_err());
    }
}
