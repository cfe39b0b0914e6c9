//! Transfers in answers.

use firebrick_control::{AuthKey, Transfer};
use firebrick_vocabulary::{TransferId, VolumeId};
use serde::Serialize;

use super::shape::{LINKS, TIME};
use super::time::Moment;
use super::{Gated, since};
use crate::call::Call;
use crate::links::Both;
use crate::microversion::Microversion as V;
use crate::schema::{FLAG, ID, Schema, TEXT, TEXT_OR_NULL, array, object, only};

/// A transfer without details.
#[derive(Serialize)]
pub(crate) struct Brief<'a> {
    id: TransferId,
    volume_id: VolumeId,
    name: Option<&'a str>,
    links: Both<'a, TransferId>,
}

/// A transfer with details.
#[derive(Serialize)]
pub(crate) struct Full<'a> {
    #[serde(flatten)]
    brief: Brief<'a>,
    created_at: Moment,
    /// Only in the answer to whoever offers.
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    no_snapshots: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_project_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination_project_id: Gated<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted: Option<bool>,
}

/// A transfer without details.
pub(crate) fn brief<'a>(call: &'a Call, transfer: &'a Transfer) -> Brief<'a> {
    Brief {
        id: transfer.id,
        volume_id: transfer.volume,
        name: transfer.name.as_deref(),
        // As in Cinder, wherever it was asked for.
        links: call.links.of("os-volume-transfer", transfer.id),
    }
}

/// A transfer that is shown, or listed with details.
pub(crate) fn full<'a>(call: &'a Call, transfer: &'a Transfer) -> Full<'a> {
    let history = call.at(V::TRANSFER_HISTORY);
    let destination = transfer.destination.as_ref();
    Full {
        brief: brief(call, transfer),
        created_at: Moment(transfer.created_at),
        auth_key: None,
        no_snapshots: call
            .at(V::TRANSFER_SNAPSHOTS)
            .then_some(transfer.no_snapshots),
        source_project_id: history.then_some(transfer.project.as_str()),
        destination_project_id: since(
            call,
            V::TRANSFER_HISTORY,
            destination.map(firebrick_vocabulary::ProjectId::as_str),
        ),
        accepted: history.then_some(transfer.accepted),
    }
}

/// A transfer that was created.
pub(crate) fn created<'a>(call: &'a Call, transfer: &'a Transfer, key: &'a AuthKey) -> Full<'a> {
    Full {
        auth_key: Some(key.reveal()),
        ..full(call, transfer)
    }
}

const BRIEF: Schema = object(&[
    ("id", ID),
    ("volume_id", ID),
    ("name", TEXT_OR_NULL),
    ("links", LINKS),
])
.required(&["id", "volume_id", "name", "links"])
.closed();

const FULL: Schema = object(&[
    ("id", ID),
    ("volume_id", ID),
    ("name", TEXT_OR_NULL),
    ("links", LINKS),
    ("created_at", TIME),
    ("auth_key", TEXT),
    ("no_snapshots", FLAG.since(V::TRANSFER_SNAPSHOTS)),
    ("source_project_id", TEXT.since(V::TRANSFER_HISTORY)),
    (
        "destination_project_id",
        TEXT_OR_NULL.since(V::TRANSFER_HISTORY),
    ),
    ("accepted", FLAG.since(V::TRANSFER_HISTORY)),
])
.required(&[
    "id",
    "volume_id",
    "name",
    "links",
    "created_at",
    "no_snapshots",
    "source_project_id",
    "destination_project_id",
    "accepted",
])
.closed();

/// The shape of a transfer that was accepted.
pub(crate) const ACCEPTED: Schema = only(&["transfer"], &[("transfer", BRIEF)]);

/// The shape of a transfer that was created, or is shown.
pub(crate) const ONE: Schema = only(&["transfer"], &[("transfer", FULL)]);

const fn list(properties: &'static [(&'static str, Schema)]) -> Schema {
    object(properties).required(&["transfers"]).closed()
}

/// The shape of lists.
pub(crate) const LIST: Schema = list(&[("transfers", array(&BRIEF)), ("transfers_links", LINKS)]);

/// The shape of lists with details.
pub(crate) const LIST_DETAIL: Schema =
    list(&[("transfers", array(&FULL)), ("transfers_links", LINKS)]);
