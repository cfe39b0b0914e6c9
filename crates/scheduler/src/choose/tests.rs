//! Decisions and refusals, one filter at a time, then whatever chance comes up with.

use proptest::prelude::*;

use super::*;
use crate::pool::Capability;

fn pool(name: &str, free: f64) -> PoolState {
    let backend = Capability::Text(name.to_owned());
    PoolState {
        host: HostName::service("node", name).with_pool("volumes"),
        availability_zone: "nova".into(),
        closed: None,
        total: 100.0,
        free,
        provisioned: 0.0,
        reserved_percentage: 10,
        max_over_subscription_ratio: 2.0,
        thin: false,
        capabilities: BTreeMap::from([
            ("volume_backend_name".to_owned(), backend),
            (
                "replication_enabled".to_owned(),
                Capability::Flag(name == "a"),
            ),
        ]),
    }
}

fn request(size: u32, specs: &[(&str, &str)]) -> Request {
    let extra_specs = specs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    Request {
        size,
        extra_specs,
        ..Request::default()
    }
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
                    node@a#volumes: 60 GiB asked, 40.0 GiB left; \
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
    assert_eq!(filters(&asked, &pools), [Filter::Affinity; 2]);
    asked.same_host.clear();
    assert_eq!(host(&asked, &pools), Some(b));
    asked.only = vec![a.clone()];
    assert_eq!(filters(&asked, &pools), [Filter::Affinity; 2]);
    asked.different_host.clear();
    assert_eq!(host(&asked, &pools), Some(a));
    asked.availability_zone = Some("elsewhere".into());
    assert_eq!(filters(&asked, &pools), [Filter::AvailabilityZone; 2]);
}

#[test]
fn a_capability_nobody_speaks_of_is_not_there() {
    let specs = [("multiattach", "<is> False")];
    let refused = filters(&request(1, &specs), &[pool("a", 50.0)]);
    assert_eq!(refused, [Filter::Capabilities]);
}

#[test]
fn thin_pools_promise_more_than_they_have_but_not_what_is_reserved() {
    let mut thin = pool("a", 50.0);
    thin.thin = true;
    thin.provisioned = 130.0;
    assert!(choose(&request(50, &[]), &[thin.clone()]).is_ok());
    assert!(choose(&request(51, &[]), &[thin.clone()]).is_err());
    thin.free = 10.0;
    assert!(choose(&request(1, &[]), &[thin]).is_err());
}

#[test]
fn thick_pools_do_not_promise_twice() {
    let mut thick = pool("a", 90.0);
    thick.provisioned = 85.0;
    assert!(choose(&request(5, &[]), &[thick.clone()]).is_ok());
    assert!(choose(&request(6, &[]), &[thick.clone()]).is_err());
    thick.total = f64::INFINITY;
    assert!(choose(&request(u32::MAX, &[]), &[thick]).is_ok());
}

fn any_pool() -> impl Strategy<Value = PoolState> {
    let sizes = (0.0..1000.0, 0.0..1.0, 0.0..3000.0);
    let rest = (0_u8..=100, 0.5..20.0, any::<bool>(), any::<bool>(), 0_u8..5);
    (sizes, rest).prop_map(|((total, free, provisioned), rest)| {
        let (reserved_percentage, max_over_subscription_ratio, thin, open, name) = rest;
        PoolState {
            total,
            provisioned,
            reserved_percentage,
            max_over_subscription_ratio,
            thin,
            closed: (!open).then(|| "closed".to_owned()),
            ..pool(&name.to_string(), total * free)
        }
    })
}

proptest! {
    #[test]
    fn a_choice_fits_and_has_the_most_room(
        pools in proptest::collection::vec(any_pool(), 0..8),
        size in 1_u32..500,
    ) {
        match choose(&request(size, &[]), &pools) {
            Ok(choice) => {
                let fits = |pool: &&PoolState| {
                    pool.closed.is_none() && pool.room() >= f64::from(size)
                };
                let most = pools
                    .iter()
                    .filter(fits)
                    .map(PoolState::room)
                    .fold(0.0, f64::max);
                let chosen = pools.iter().filter(fits).find(|pool| pool.host == choice.host);
                prop_assert!(chosen.is_some());
                let best = pools
                    .iter()
                    .filter(|pool| pool.host == choice.host)
                    .any(|pool| pool.room() >= most);
                prop_assert!(best);
            }
            Err(refusal) => prop_assert_eq!(refusal.pools.len(), pools.len()),
        }
    }

    #[test]
    fn a_larger_volume_never_fits_where_a_smaller_did_not(pool in any_pool(), size in 1_u32..500) {
        let small = choose(&request(size, &[]), std::slice::from_ref(&pool));
        let large = choose(&request(size + 1, &[]), std::slice::from_ref(&pool));
        prop_assert!(small.is_ok() || large.is_err());
    }
}
