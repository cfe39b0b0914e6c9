//! Which pool a group goes to: one that takes volumes of all its types.

use firebrick_db::{Group, group_types, pairs, types};
use firebrick_scheduler::Request;
use firebrick_vocabulary::HostName;

use crate::control::Inner;
use crate::messages::unplaced;
use crate::place::of_type;
use crate::request::Metadata;
use crate::story::{Step, Stop};

/// The pool.
pub(super) async fn choose(inner: &Inner, group: &Group) -> Step<HostName> {
    let requests = requests(inner, group).await?;
    let Some((first, others)) = requests.split_first() else {
        return Err(Stop::never("its types are gone"));
    };
    let scheduler = &inner.options.scheduler;
    let mut pools = inner.pool_states().await?;
    // Where none is left that takes the others, the refusal is that of the first of these.
    let mut refused = None;
    for request in others {
        if pools
            .iter()
            .any(|pool| scheduler.refused(request, pool).is_none())
        {
            pools.retain(|pool| scheduler.refused(request, pool).is_none());
        } else {
            refused = Some(request);
        }
    }
    let request = refused.unwrap_or(first);
    let chosen = scheduler.choose(request, &pools, &mut rand::random::<f64>);
    chosen.map(|choice| choice.host).map_err(|refusal| {
        let why = unplaced(&refusal, &[]);
        if inner.awaits_backend() {
            Stop::later(why)
        } else {
            Stop::never(why)
        }
    })
}

/// One for each type: what the type asks for, and the group's type beside.
async fn requests(inner: &Inner, group: &Group) -> Step<Vec<Request>> {
    let connection = &mut *inner.db.read().await?;
    let kind = group_types::get(connection, group.group_type).await?;
    let asked = kind.map_or_else(Metadata::new, |kind| kind.group_specs);
    let mut requests = Vec::new();
    for id in pairs::types_of_group(connection, group.id).await? {
        let Some(mut kind) = types::get(connection, id).await? else {
            continue;
        };
        kind.extra_specs.extend(asked.clone());
        requests.push(Request {
            availability_zone: Some(group.availability_zone.clone()),
            ..of_type(kind.extra_specs)
        });
    }
    Ok(requests)
}
