//! The query of an address.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::fault::Fault;

/// The most parameters of one query.
const MOST: usize = 100;

/// What stays as it is in a link.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// Parameters in their order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// What stands behind the question mark.
    pub(crate) fn parse(text: Option<&str>) -> Result<Self, Fault> {
        let mut pairs = Vec::new();
        for pair in text
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty())
        {
            if pairs.len() == MOST {
                return Err(Fault::bad_request(format!(
                    "More than {MOST} query parameters"
                )));
            }
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            pairs.push((decoded(key)?, decoded(value)?));
        }
        Ok(Self(pairs))
    }

    /// All parameters.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The value of `key`; where it is there twice, the last.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.0
            .iter()
            .rfind(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }

    /// The boolean of `key`; false without.
    pub(crate) fn flag(&self, key: &str) -> Result<bool, Fault> {
        let Some(value) = self.get(key) else {
            return Ok(false);
        };
        boolean(value).ok_or_else(|| {
            let shown: String = value.chars().take(64).collect();
            Fault::bad_request(format!("Value '{shown}' for '{key}' is not a boolean."))
        })
    }

    /// This query with another marker.
    pub(crate) fn with_marker(&self, marker: &str) -> String {
        let kept = self.pairs().filter(|(key, _)| *key != "marker");
        let pairs = kept.chain([("marker", marker)]).map(|(key, value)| {
            format!(
                "{}={}",
                utf8_percent_encode(key, ENCODED),
                utf8_percent_encode(value, ENCODED)
            )
        });
        pairs.collect::<Vec<_>>().join("&")
    }
}

/// The words for true and false, whatever their case.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "t" | "true" | "on" | "y" | "yes" => Some(true),
        "0" | "f" | "false" | "off" | "n" | "no" => Some(false),
        _ => None,
    }
}

fn decoded(text: &str) -> Result<String, Fault> {
    let text = text.replace('+', " ");
    let decoded = percent_decode_str(&text)
        .decode_utf8()
        .map_err(|_| Fault::malformed())?;
    Ok(decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_found() {
        let query =
            Query::parse(Some("name~=a+b&limit=2&x=%7Bk%7D&limit=3&&flag")).expect("a query");
        assert_eq!(query.get("name~"), Some("a b"));
        assert_eq!(query.get("limit"), Some("3"));
        assert_eq!(query.get("x"), Some("{k}"));
        assert_eq!(query.get("flag"), Some(""));
        assert_eq!(query.get("none"), None);
    }

    #[test]
    fn links_replace_the_marker_and_encode_the_rest() {
        let query = Query::parse(Some("limit=2&marker=old&sort=name:asc")).expect("a query");
        assert_eq!(
            query.with_marker("new"),
            "limit=2&sort=name%3Aasc&marker=new"
        );
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(Query::parse(Some("a=%ff")).is_err());
        assert!(Query::parse(Some(&"a=b&".repeat(101))).is_err());
        let query = Query::parse(Some("all_tenants=junk")).expect("a query");
        assert!(query.flag("all_tenants").is_err());
    }
}
