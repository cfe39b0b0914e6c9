//! The parts of which many schemas are made.

use uuid::Uuid;

use super::{Format, Kind, Pattern, Schema, Word, map, of, text};

/// The longest name, description, key or value.
pub(crate) const MAX_TEXT: u32 = 255;

/// The largest size, in GiB.
pub(crate) const MAX_SIZE: i64 = 2_147_483_647;

/// Null and nothing else.
pub(crate) const NULL: Schema = of(&[Kind::Null]);

/// A boolean.
pub(crate) const FLAG: Schema = of(&[Kind::Boolean]);

/// A text, whatever it is.
pub(crate) const TEXT: Schema = text();

/// A text or null.
pub(crate) const TEXT_OR_NULL: Schema = of(&[Kind::Text, Kind::Null]);

/// A text of up to 255 characters.
pub(crate) const SHORT: Schema = text().length(0, MAX_TEXT);

/// A text of 1 to 255 characters.
pub(crate) const NAME: Schema = text().length(1, MAX_TEXT);

/// A text of up to 255 characters, or null.
pub(crate) const SHORT_OR_NULL: Schema = TEXT_OR_NULL.length(0, MAX_TEXT);

/// A text of 1 to 255 characters, or null.
pub(crate) const NAME_OR_NULL: Schema = TEXT_OR_NULL.length(1, MAX_TEXT);

/// A UUID.
pub(crate) const ID: Schema = text().format(UUID);

/// A UUID or null.
pub(crate) const ID_OR_NULL: Schema = super::any_of(&[ID, NULL]);

/// An object, whatever is in it.
pub(crate) const OBJECT: Schema = of(&[Kind::Object]);

/// A UUID, in any of the forms that Cinder takes.
pub(crate) const UUID: Format = Format {
    name: "uuid",
    matches: |text| Uuid::parse_str(text).is_ok(),
};

/// A whole number in digits.
pub(crate) const DIGITS: Pattern = Pattern {
    expression: "^[0-9]+$",
    matches: |text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()),
};

/// A size in GiB, as a number or in digits.
pub(crate) const SIZE: Schema = of(&[Kind::Integer, Kind::Text])
    .pattern(DIGITS)
    .range(1, MAX_SIZE);

/// A boolean, or one of the words for it.
pub(crate) const SAID: Schema = of(&[Kind::Boolean, Kind::Text]).words(&[
    Word::True,
    Word::Text("True"),
    Word::Text("TRUE"),
    Word::Text("true"),
    Word::Text("1"),
    Word::Text("ON"),
    Word::Text("On"),
    Word::Text("on"),
    Word::Text("YES"),
    Word::Text("Yes"),
    Word::Text("yes"),
    Word::Text("y"),
    Word::Text("t"),
    Word::False,
    Word::Text("False"),
    Word::Text("FALSE"),
    Word::Text("false"),
    Word::Text("0"),
    Word::Text("OFF"),
    Word::Text("Off"),
    Word::Text("off"),
    Word::Text("NO"),
    Word::Text("No"),
    Word::Text("no"),
    Word::Text("n"),
    Word::Text("f"),
]);

fn key(text: &str, other: &str) -> bool {
    (1..=MAX_TEXT as usize).contains(&text.len())
        && (text.chars()).all(|c| c.is_ascii_alphanumeric() || other.contains(c))
}

/// The keys of metadata.
pub(crate) const METADATA_KEY: Pattern = Pattern {
    expression: "^[a-zA-Z0-9-_:. /]{1,255}$",
    matches: |text| key(text, "-_:. /"),
};

/// The keys of a snapshot's metadata, where they are a resource: no slash.
pub(crate) const SNAPSHOT_METADATA_KEY: Pattern = Pattern {
    expression: "^[a-zA-Z0-9-_:. ]{1,255}$",
    matches: |text| key(text, "-_:. "),
};

/// The keys of extra specs: no blank, no slash.
pub(crate) const EXTRA_SPEC_KEY: Pattern = Pattern {
    expression: "^[a-zA-Z0-9-_:.]{1,255}$",
    matches: |text| key(text, "-_:."),
};

/// The characters of hosts.
pub(crate) const HOST: Pattern = Pattern {
    expression: r"^[a-zA-Z0-9-._#@:/+\[\]]*$",
    matches: |text| (text.chars()).all(|c| c.is_ascii_alphanumeric() || "-._#@:/+[]".contains(c)),
};

/// The characters of descriptions.
const PRINTABLE: Pattern = Pattern {
    expression: r"^[^\x00-\x1f\x7f-\x9f]*$",
    matches: |text| !text.chars().any(char::is_control),
};

/// A description, or null.
pub(crate) const DESCRIPTION: Schema = SHORT_OR_NULL.pattern(PRINTABLE);

/// Metadata.
pub(crate) const METADATA: Schema = map(METADATA_KEY, &SHORT);

/// Metadata or null.
pub(crate) const METADATA_OR_NULL: Schema = METADATA.kinds(&[Kind::Object, Kind::Null]);

/// How a volume is attached.
pub(crate) const MODE: Schema = text().words(&[Word::Text("rw"), Word::Text("ro")]);
