//! The parts of which the shapes of answers are made.

use crate::schema::{
    Format, Kind, NULL, Pattern, Schema, TEXT, TEXT_OR_NULL, any_of, array, map, object, of, text,
};

/// A number without a fraction.
pub(crate) const WHOLE: Schema = of(&[Kind::Integer]);

/// The same, or null where it is not known.
pub(crate) const WHOLE_OR_NULL: Schema = of(&[Kind::Integer, Kind::Null]);

/// Seconds, or null where they are not known.
pub(crate) const SECONDS_OR_NULL: Schema = of(&[Kind::Number, Kind::Null]);

/// A time of UTC with microseconds and no zone.
const MOMENT: Format = Format {
    name: "utc-microseconds",
    matches: |text| {
        let form = b"0000-00-00T00:00:00.000000";
        text.len() == form.len()
            && (text.bytes().zip(form)).all(|(b, form)| match form {
                b'0' => b.is_ascii_digit(),
                other => b == *other,
            })
    },
};

/// A time.
pub(crate) const TIME: Schema = text().format(MOMENT);

/// A time, or null where it has not come.
pub(crate) const TIME_OR_NULL: Schema = any_of(&[TIME, NULL]);

/// Any key.
pub(crate) const ANY_KEY: Pattern = Pattern {
    expression: ".*",
    matches: |_| true,
};

/// Texts by their keys.
pub(crate) const TEXTS: Schema = map(ANY_KEY, &TEXT);

/// Texts or nulls by their keys.
pub(crate) const TEXTS_OR_NULLS: Schema = map(ANY_KEY, &TEXT_OR_NULL);

/// One link.
const LINK: Schema = object(&[("rel", TEXT), ("href", TEXT)])
    .required(&["rel", "href"])
    .closed();

/// The links of one thing, or to the next page.
pub(crate) const LINKS: Schema = array(&LINK);

/// `{"metadata": …}`.
pub(crate) const METADATA: Schema = object(&[("metadata", TEXTS)])
    .required(&["metadata"])
    .closed();

/// `{"meta": …}`.
pub(crate) const META: Schema = object(&[("meta", TEXTS.entries(1, 1))])
    .required(&["meta"])
    .closed();
