//! Servers are told that a disk of theirs has changed, each by an activity of its own: what is done to the
//! volume does not wait for them.

use firebrick_cloud::{DiskEvent, NovaError};
use firebrick_db::{Activity, Tx, Volume, attachments};
use firebrick_state::ActivityKind;
use firebrick_vocabulary::UserId;
use serde_json::json;
use uuid::Uuid;

use crate::access::Access;
use crate::control::Inner;
use crate::request::{Began, Context};
use crate::story::{Step, Stop};
use crate::why::Why;

/// Adds to the transaction that ends `activity` what tells the servers that have the volume. `kind` is one of
/// the two that do.
pub(crate) async fn notify(
    inner: &Inner,
    tx: &mut Tx,
    activity: &Activity,
    kind: ActivityKind,
    volume: &Volume,
) -> Step {
    if inner.options.nova.is_none() {
        return Ok(());
    }
    let user = activity.user.clone().unwrap_or(UserId(String::new()));
    let context = Context {
        access: Access::own(&user, &activity.project),
        project: activity.project.clone(),
        user,
        request_id: activity.request_id.clone(),
        began: Began::default(),
    };
    for attachment in attachments::of_volume(tx, volume.id).await? {
        let server = attachment.instance.as_deref().map(str::parse::<Uuid>);
        let Some(Ok(server)) = server else {
            continue;
        };
        inner
            .begin_for(tx, &context, kind, server, volume.id, json!({}))
            .await?;
    }
    Ok(())
}

/// The story: the server of that id is told.
pub(crate) async fn run(inner: &Inner, activity: &Activity, event: DiskEvent) -> Step {
    let (Some(nova), Some(volume)) = (&inner.options.nova, activity.volume) else {
        return inner.finish_alone(activity, Ok(())).await;
    };
    match nova.tell(activity.resource, volume.0, event).await {
        Ok(()) => inner.finish_alone(activity, Ok(())).await,
        Err(error) => Err(failed(&error)),
    }
}

/// What Nova did not do. Its words name no host.
fn failed(error: &NovaError) -> Stop {
    let text = match std::error::Error::source(error) {
        Some(cause) => format!("{error} ({cause})"),
        None => error.to_string(),
    };
    let why = Why::from(text).noting(error.to_string());
    if error.may_pass() {
        Stop::Later(why)
    } else {
        Stop::Never(why)
    }
}
