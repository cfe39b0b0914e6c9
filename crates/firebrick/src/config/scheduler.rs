//! How volumes are placed: filters, weighers, and what backends say of themselves.

use std::str::FromStr;

use firebrick_config::{ConfigError, Section};
use firebrick_control::{Function, Handler, Ratio, Scheduler, Weigher, Weighing};

use super::limits::number;

/// The module of the handler in which the heaviest pool wins, and of the lottery.
const HANDLERS: [(&str, Handler); 2] = [
    (
        "cinder.scheduler.weights.OrderedHostWeightHandler",
        Handler::Ordered,
    ),
    (
        "cinder.scheduler.weights.stochastic.StochasticHostWeightHandler",
        Handler::Stochastic,
    ),
];

/// The scheduler that the file describes.
pub(super) fn scheduler(section: &Section) -> Result<Scheduler, ConfigError> {
    let usual = Scheduler::default();
    let weighers = match named::<Weigher>(section, "scheduler_default_weighers")? {
        Some(weighers) => weighers.into_iter().map(Weighing::new).collect(),
        None => usual.weighers,
    };
    let weighers = weighers
        .into_iter()
        .map(|weighing: Weighing| multiplied(section, weighing));
    Ok(Scheduler {
        filters: named(section, "scheduler_default_filters")?.unwrap_or(usual.filters),
        weighers: weighers.collect::<Result<_, _>>()?,
        handler: handler(section)?,
    })
}

/// In how many pools a volume is tried.
pub(super) fn attempts(section: &Section, usual: u32) -> Result<u32, ConfigError> {
    number(section, "scheduler_max_attempts", usual, &(1..=100))
}

/// `max_over_subscription_ratio`: a number from 1 on, or `auto`.
pub(super) fn ratio(section: &Section) -> Result<Ratio, ConfigError> {
    const OPTION: &str = "max_over_subscription_ratio";
    let Some(text) = section.text(OPTION)? else {
        return Ok(Ratio::default());
    };
    if text == "auto" {
        return Ok(Ratio::Auto);
    }
    number(section, OPTION, 1.0, &(1.0..=1e9)).map(Ratio::Fixed)
}

/// A function, where there is one.
pub(super) fn function(section: &Section, option: &str) -> Result<Option<Function>, ConfigError> {
    let text = section.text(option)?.filter(|text| !text.is_empty());
    text.map(|text| Function::parse(&text))
        .transpose()
        .map_err(|error| section.refuse(option, error.to_string()))
}

/// A list of names; `None` where the option is not set.
fn named<T: FromStr>(section: &Section, option: &str) -> Result<Option<Vec<T>>, ConfigError>
where
    T::Err: ToString,
{
    if section.text(option)?.is_none() {
        return Ok(None);
    }
    let names = section.list(option)?;
    let parsed = names.iter().map(|name| {
        let parsed = name.parse::<T>();
        parsed.map_err(|error| section.refuse(option, error.to_string()))
    });
    parsed.collect::<Result<_, _>>().map(Some)
}

fn multiplied(section: &Section, weighing: Weighing) -> Result<Weighing, ConfigError> {
    let option = match weighing.weigher {
        Weigher::Capacity => "capacity_weight_multiplier",
        Weigher::AllocatedCapacity => "allocated_capacity_weight_multiplier",
        Weigher::VolumeNumber => "volume_number_multiplier",
        // As in Cinder, these have none.
        Weigher::Goodness | Weigher::Chance => return Ok(weighing),
    };
    let multiplier = number(section, option, weighing.multiplier, &(-1e9..=1e9))?;
    Ok(Weighing {
        multiplier,
        ..weighing
    })
}

fn handler(section: &Section) -> Result<Handler, ConfigError> {
    const OPTION: &str = "scheduler_weight_handler";
    let Some(name) = section.text(OPTION)? else {
        return Ok(Handler::default());
    };
    let known = HANDLERS.iter().find(|(known, _)| *known == name);
    known.map(|(_, handler)| *handler).ok_or_else(|| {
        let why = format!(
            "{name:?} is neither {} nor {}",
            HANDLERS[0].0, HANDLERS[1].0
        );
        section.refuse(OPTION, why)
    })
}
