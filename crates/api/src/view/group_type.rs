//! Group types in answers.

use firebrick_control::{GroupType, Metadata};
use firebrick_policy::Rule;
use firebrick_vocabulary::GroupTypeId;
use serde::Serialize;

use super::shape::{LINKS, TEXTS};
use crate::call::Call;
use crate::schema::{FLAG, ID, Schema, TEXT, TEXT_OR_NULL, array, object, only};

/// A group type.
#[derive(Serialize)]
pub(crate) struct Full<'a> {
    id: GroupTypeId,
    name: &'a str,
    description: Option<&'a str>,
    is_public: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_specs: Option<&'a Metadata>,
}

pub(crate) fn full<'a>(call: &Call, kind: &'a GroupType) -> Full<'a> {
    let may = call.context.may(Rule::GroupAccessGroupTypesSpecs);
    Full {
        id: kind.id,
        name: &kind.name,
        description: kind.description.as_deref(),
        is_public: kind.is_public,
        group_specs: may.then_some(&kind.group_specs),
    }
}

const SHAPE: Schema = object(&[
    ("id", ID),
    ("name", TEXT),
    ("description", TEXT_OR_NULL),
    ("is_public", FLAG),
    ("group_specs", TEXTS),
])
.required(&["id", "name", "description", "is_public"])
.closed();

/// The shape of a group type.
pub(crate) const ONE: Schema = only(&["group_type"], &[("group_type", SHAPE)]);

/// The shape of lists.
pub(crate) const LIST: Schema =
    object(&[("group_types", array(&SHAPE)), ("group_type_links", LINKS)])
        .required(&["group_types"])
        .closed();

/// The shape of all specs.
pub(crate) const SPECS: Schema = only(&["group_specs"], &[("group_specs", TEXTS)]);

/// The shape of one of them.
pub(crate) const SPEC: Schema = TEXTS.entries(1, 1);
