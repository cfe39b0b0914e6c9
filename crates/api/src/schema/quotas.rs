//! The bodies of requests about quotas. Which names there are depends on the types.

use super::{Kind, MAX_SIZE, OBJECT, Pattern, Schema, map, of, only};
use crate::microversion::Microversion as V;
use crate::route::Bodies;

/// The largest limit.
pub(crate) const MAX_LIMIT: i64 = MAX_SIZE;

/// `PUT /os-quota-sets/{project}`.
pub(crate) const UPDATE: Bodies = &[(
    V::MIN,
    &only(&["quota_set"], &[("quota_set", OBJECT.not_empty())]),
)];

const NAME: Pattern = Pattern {
    expression: "^[a-zA-Z0-9-_:. ]{1,300}$",
    matches: |text| {
        (1..=300).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_:. ".contains(&b))
    },
};

const DIGITS: Pattern = Pattern {
    expression: "^[0-9]*$",
    matches: |text| text.bytes().all(|b| b.is_ascii_digit()),
};

const LIMIT: Schema = of(&[Kind::Integer, Kind::Text])
    .pattern(DIGITS)
    .length(1, super::MAX_TEXT)
    .range(-1, MAX_LIMIT);

/// `PUT /os-quota-class-sets/{class}`.
pub(crate) const UPDATE_CLASS: Bodies = &[(
    V::MIN,
    &only(
        &["quota_class_set"],
        &[("quota_class_set", map(NAME, &LIMIT))],
    ),
)];
