//! A group is made: empty, or (see [`super::clone`]) of something.

use std::collections::BTreeSet;

use firebrick_db::{Activity, Group, Tx, groups, now, pairs, types};
use firebrick_policy::Rule;
use firebrick_state::{ActivityKind, GroupStatus, ReplicationStatus};
use firebrick_vocabulary::{GroupId, TypeId};
use serde_json::json;

use super::look::reserved;
use super::replication::check_types;
use super::{CreateGroup, clone, place};
use crate::control::{Control, Inner};
use crate::error::{Error, ErrorKind, Result};
use crate::group_type::CONSISTENCY;
use crate::group_type::look::{consistency, for_new};
use crate::quota::{self, Wanted};
use crate::request::Context;
use crate::story::{Step, noted};
use crate::types::look::{by_id_or_name, sees};
use crate::why::Why;

impl Control {
    /// `POST /groups`: the group is `creating` until it has its place.
    pub async fn create_group(&self, context: &Context, request: CreateGroup) -> Result<Group> {
        let inner = &self.inner;
        context.allow(Rule::GroupCreate)?;
        let mut tx = inner.db.begin().await?;
        tx.lock_project(context.owner()?).await?;
        let kind = match &request.group_type {
            Some(text) => {
                let kind = for_new(&mut tx, context, text).await?;
                if consistency(&mut tx).await? == Some(kind.id) {
                    return Err(reserved(kind.id));
                }
                kind
            }
            None => for_new(&mut tx, context, CONSISTENCY).await?,
        };
        let types = types_for(&mut tx, context, &request.volume_types).await?;
        check_types(&mut tx, &kind, &types).await?;
        self.check_zone(request.availability_zone.as_deref())?;
        let quotas = &inner.options.quotas;
        quota::check(&mut tx, quotas, &context.project, Wanted::group()).await?;
        let zone = request.availability_zone;
        let group = Group {
            id: GroupId::random(),
            project: context.project.clone(),
            user: context.user.clone(),
            name: request.name,
            description: request.description,
            status: GroupStatus::Creating,
            replication_status: ReplicationStatus::Disabled,
            host: None,
            availability_zone: zone.unwrap_or_else(|| inner.options.availability_zone.clone()),
            group_type: kind.id,
            group_snapshot: None,
            source: None,
            site: None,
            cluster: None,
            created_at: now(),
            updated_at: None,
        };
        groups::insert(&mut tx, &group).await?;
        for kind in types {
            pairs::add_group_type(&mut tx, group.id, kind).await?;
        }
        let story = ActivityKind::CreateGroup;
        inner
            .begin(&mut tx, context, story, group.id.0, json!({}))
            .await?;
        tx.commit().await?;
        inner.work.notify_one();
        Ok(group)
    }
}

/// The types that are named, which nobody removes before the group is there.
async fn types_for(tx: &mut Tx, context: &Context, named: &[String]) -> Result<BTreeSet<TypeId>> {
    let mut ids = BTreeSet::new();
    for text in named {
        let missing = || {
            let shown: String = text.chars().take(255).collect();
            Error::new(
                ErrorKind::NotFound,
                format_args!("Volume type {shown} could not be found."),
            )
        };
        let kind = by_id_or_name(tx, text).await?.ok_or_else(missing)?;
        if !sees(tx, context, &kind).await? {
            return Err(missing());
        }
        ids.insert(kind.id);
    }
    // In the order of their ids, as everybody locks several of a kind.
    for id in &ids {
        let held = types::get_shared(tx, *id).await?;
        held.ok_or_else(|| Error::no_type(id))?;
    }
    Ok(ids)
}

/// The story: a place, then the row.
pub(crate) async fn run(inner: &Inner, activity: &Activity) -> Step {
    let id = GroupId(activity.resource);
    let found = groups::get(&mut *inner.db.read().await?, id).await?;
    let Some(group) = found.filter(|group| group.status == GroupStatus::Creating) else {
        return inner.finish_alone(activity, Ok(())).await;
    };
    if group.group_snapshot.is_some() || group.source.is_some() {
        return clone::run(inner, activity, group).await;
    }
    inner.progress(activity, "choosing a pool", 0, 0).await?;
    let host = place::choose(inner, &group).await?;
    let service = inner.service_of(&host).await?;
    let mut tx = inner.db.begin().await?;
    if let Some(mut group) = groups::get_locked(&mut tx, id).await? {
        group.status = GroupStatus::Available;
        group.cluster = service.cluster_of(&host);
        group.host = Some(host);
        group.availability_zone = service.availability_zone;
        let from = [GroupStatus::Creating];
        noted(groups::swap(&mut tx, &from, &group).await?, id);
    }
    inner.finish(&mut tx, activity, Ok(())).await?;
    Ok(tx.commit().await?)
}

/// The group is an error, and so are volumes that were to be made with it.
pub(crate) async fn undo(inner: &Inner, activity: &Activity, why: &Why) -> Step {
    let id = GroupId(activity.resource);
    let found = groups::get(&mut *inner.db.read().await?, id).await?;
    if let Some(group) = found.filter(|group| group.status == GroupStatus::Creating) {
        clone::tidy(inner, &group).await?;
    }
    let mut tx = inner.db.begin().await?;
    if let Some(mut group) = groups::get_locked(&mut tx, id).await? {
        clone::fail_volumes(&mut tx, &group).await?;
        group.status = GroupStatus::Error;
        let from = [GroupStatus::Creating];
        noted(groups::swap(&mut tx, &from, &group).await?, id);
    }
    inner.finish(&mut tx, activity, Err(why)).await?;
    Ok(tx.commit().await?)
}
