//! Quotas in answers.

use super::shape::{ANY_KEY, WHOLE};
use crate::schema::{Schema, TEXT, any_of, map, object, only};

/// A limit with what is used of it.
const USE: Schema = object(&[("limit", WHOLE), ("in_use", WHOLE), ("reserved", WHOLE)])
    .required(&["limit", "in_use", "reserved"])
    .closed();

const LIMITS: Schema = map(ANY_KEY, &WHOLE).with(&[("id", TEXT)]);

const LIMITS_OR_USES: Schema = map(ANY_KEY, &any_of(&[WHOLE, USE])).with(&[("id", TEXT)]);

/// The shape of limits of a project.
pub(crate) const SET: Schema = only(&["quota_set"], &[("quota_set", LIMITS)]);

/// The shape of limits of a project, with what is used of them where that is asked for.
pub(crate) const SET_OR_USE: Schema = only(&["quota_set"], &[("quota_set", LIMITS_OR_USES)]);

/// The shape of limits of a class.
pub(crate) const CLASS: Schema = only(&["quota_class_set"], &[("quota_class_set", LIMITS)]);
