//! Replications: how each volume is at each target of its backend. Not Cinder's: every version has them.

use axum::extract::State;
use axum::http::StatusCode;
use firebrick_control::{Column, Context, Control, FailoverVolume};
use firebrick_policy::Rule;
use firebrick_vocabulary::VolumeId;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::body::{Body, Fields};
use crate::call::{Call, Named, empty, ok};
use crate::fault::{Answer, Fault};
use crate::ids;
use crate::list::{self, Collection, Kind};
use crate::route::{Action, Route, get, post};
use crate::schema::replications as bodies;
use crate::view::one;
use crate::view::replication::{self as view, id, view};

/// How replications are listed: as their volumes are.
const REPLICATIONS: Kind = Kind {
    filters: &[
        ("group_id", Column::Group),
        ("project_id", Column::Project),
        ("replication_status", Column::ReplicationStatus),
        ("volume_id", Column::Id),
    ],
    sorts: &[("created_at", Column::CreatedAt), ("volume_id", Column::Id)],
    open: list::open::always(&["group_id", "replication_status", "volume_id"]),
    others: &[],
    late: false,
};

const QUERY: [&str; 11] = [
    "all_tenants",
    "group_id",
    "limit",
    "marker",
    "offset",
    "project_id",
    "replication_status",
    "sort",
    "sort_dir",
    "sort_key",
    "volume_id",
];

const CHECK: &str = "check";
const FAILOVER: &str = "failover";
const FAILBACK: &str = "failback";
const REVERSE: &str = "reverse";
const DRILL: &str = "drill";
const END_DRILL: &str = "end_drill";
const ENABLE: &str = "enable";
const DISABLE: &str = "disable";

const MOVE: &[&str] = &["firebrick:replication:failover"];

/// The actions, and what each must be.
const ACTIONS: &[Action] = &[
    Action::new(CHECK, &["firebrick:replication:check"], bodies::CHECK).answer(&view::CHECK),
    Action::new(FAILOVER, MOVE, bodies::MOVE),
    Action::new(FAILBACK, MOVE, bodies::MOVE),
    Action::new(REVERSE, MOVE, bodies::MOVE),
    Action::new(DRILL, &["firebrick:replication:drill"], bodies::DRILL).answer(&view::ONE),
    Action::new(END_DRILL, &["firebrick:replication:drill"], bodies::PLAIN),
    Action::new(ENABLE, &["firebrick:replication:enable"], bodies::PLAIN),
    Action::new(DISABLE, &["firebrick:replication:disable"], bodies::PLAIN),
];

/// What the site of the configuration is called, to which a volume comes back.
const HOME: &str = "default";

/// Everything below `/replications`.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        get("/replications", list_all)
            .answer(&view::LIST)
            .rules(&["firebrick:replication:get_all"])
            .query(&QUERY),
        get("/replications/{id}", show)
            .answer(&view::ONE)
            .rules(&["firebrick:replication:get"]),
        post("/replications/{id}/action", action).actions(ACTIONS),
    ]
}

async fn list_all(State(control): State<Control>, call: Call) -> Answer {
    let mut query = list::read(&call, &REPLICATIONS)?;
    if let Some(marker) = &mut query.listing.marker
        && let Some(at) = marker.find('@')
    {
        // Pages are of volumes.
        marker.truncate(at);
    }
    let found = control.replications(&call.context, query).await?;
    let last = found.last().map(id);
    let items = found.iter().map(view).collect();
    let (key, links) = ("replications", "replications_links");
    ok(Collection::new(&call, key, links, key, items, last)?)
}

async fn show(State(control): State<Control>, call: Call, Named(id): Named<String>) -> Answer {
    let (volume, target) = ids::replication(&id)?;
    let found = control.replication(&call.context, volume, target).await?;
    ok(one("replication", view(&found)))
}

/// What is done to one volume and its copy at one target.
async fn action(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
    body: Body,
) -> Answer {
    let (name, root) = body.action()?;
    let (volume, target) = ids::replication(&id)?;
    let context = &call.context;
    match name {
        CHECK | FAILOVER | FAILBACK | REVERSE => {
            let fields = root.object(name)?;
            return go(&control, context, (volume, target), name, &fields).await;
        }
        DRILL => {
            let at = moment(&root.object(name)?)?;
            let found = control.begin_drill(context, volume, target, at).await?;
            return ok(one("replication", view(&found)));
        }
        END_DRILL => control.end_drill(context, volume, target).await?,
        ENABLE => control.enable_replication(context, volume, target).await?,
        DISABLE => control.disable_replication(context, volume, target).await?,
        unknown => return Err(Fault::no_action(unknown)),
    }
    empty(StatusCode::ACCEPTED)
}

/// The volume of the relation goes to one of its two sites, alone, or is asked what that would lose.
async fn go(
    control: &Control,
    context: &Context,
    (volume, target): (VolumeId, &str),
    name: &str,
    fields: &Fields<'_>,
) -> Answer {
    let (force, at) = (fields.boolean("force")?.unwrap_or(false), moment(fields)?);
    // Whoever does not see the relation is not told more.
    let rule = match name {
        CHECK => Rule::FirebrickReplicationCheck,
        _ => Rule::FirebrickReplicationFailover,
    };
    let relation = control
        .replication_under(context, rule, volume, target)
        .await?;
    let other = if relation.away { HOME } else { target };
    let to = match name {
        FAILOVER => target,
        FAILBACK => HOME,
        _ => other,
    };
    let request = FailoverVolume {
        target: to.to_owned(),
        force,
        at,
    };
    if name == CHECK {
        let told = control.check_volume_failover(context, volume, &request);
        return ok(one("replication_check", view::check(&told.await?)));
    }
    control.failover_volume(context, volume, &request).await?;
    empty(StatusCode::ACCEPTED)
}

/// `at`.
fn moment(fields: &Fields<'_>) -> Result<Option<OffsetDateTime>, Fault> {
    let Some(text) = fields.text("at", 1)? else {
        return Ok(None);
    };
    let at = OffsetDateTime::parse(&text, &Rfc3339).map_err(|_| {
        let rule = "at must be a time such as 2026-11-20T20:34:14Z.";
        Fault::invalid_input(rule)
    })?;
    Ok(Some(at))
}
