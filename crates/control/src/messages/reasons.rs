//! Why no pool was found, in words that name none.

use firebrick_scheduler::{Filter, Refusal};
use firebrick_state::MessageDetail;

use crate::why::Why;

/// Operators are told of each pool, and of the `failures` in pools where it was tried; users of each
/// reason.
pub(crate) fn unplaced(refusal: &Refusal, failures: &[String]) -> Why {
    let mut text = refusal.to_string();
    for failure in failures {
        text.push_str("; ");
        text.push_str(failure);
    }
    let why = Why::from(text).detail(MessageDetail::NoBackendAvailable);
    let mut counted: Vec<(&str, usize)> = Vec::new();
    for (_, filter, _) in &refusal.pools {
        let reason = reason(*filter);
        match counted.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, number)) => *number += 1,
            None => counted.push((reason, 1)),
        }
    }
    let all = refusal.pools.len();
    let reasons = counted
        .iter()
        .map(|(reason, number)| format!("{number} of {all} pools: {reason}"));
    let note = reasons.collect::<Vec<_>>().join("; ");
    if note.is_empty() {
        why.noting("no backend has reported yet")
    } else {
        why.noting(note)
    }
}

const fn reason(filter: Filter) -> &'static str {
    match filter {
        Filter::Service => "the service is down, disabled or frozen",
        Filter::AvailabilityZone => "another availability zone",
        Filter::Capacity => "not enough room",
        Filter::Capabilities => "an extra spec of the type does not fit",
        Filter::Origin | Filter::SameBackend | Filter::DifferentBackend => {
            "a scheduler hint, or the place of the source"
        }
        Filter::InstanceLocality | Filter::Json => "a scheduler hint",
        Filter::Driver => "the backend does not take such volumes",
        Filter::Retry => "the volume could not be made there",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_told_reasons_and_no_hosts() {
        let pool = |host: &str, filter, why: &str| (host.parse().unwrap(), filter, why.to_owned());
        let refusal = Refusal {
            pools: vec![
                pool("rack7@a#x", Filter::Capacity, "rack7 is full"),
                pool("rack8@a#x", Filter::Service, "rack8 is down"),
                pool("rack9@a#x", Filter::Capacity, "rack9 is full"),
            ],
        };
        let why = unplaced(&refusal, &["rack6@a#x failed: worn out".to_owned()]);
        assert_eq!(
            why.note(),
            Some(
                "2 of 3 pools: not enough room; 1 of 3 pools: the service is down, disabled or \
                 frozen"
            )
        );
        assert!(why.to_string().contains("rack8@a#x"));
        assert!(why.to_string().ends_with("; rack6@a#x failed: worn out"));
        assert!(why.is(MessageDetail::NoBackendAvailable));
        let none = unplaced(&Refusal::default(), &[]);
        assert_eq!(none.note(), Some("no backend has reported yet"));
    }
}
