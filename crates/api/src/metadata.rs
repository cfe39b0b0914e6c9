//! The metadata of volumes and of snapshots in requests and answers.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use firebrick_control::Metadata;
use serde_json::json;
use uuid::Uuid;

use crate::body::{Body, Keys};
use crate::fault::{Answer, Fault};

/// The keys and values of a `{"metadata": …}` body.
pub(crate) fn read(body: &Body, keys: Keys) -> Result<Metadata, Fault> {
    body.only("metadata")?.texts(keys)
}

/// The value of a `{"meta": {key: value}}` body.
pub(crate) fn read_one(body: &Body, key: &str, keys: Keys) -> Result<Metadata, Fault> {
    let value = body.only("meta")?.single(key, keys)?;
    Ok(Metadata::from([(key.to_owned(), value)]))
}

/// All of it.
pub(crate) fn all(metadata: &Metadata) -> Answer {
    crate::call::ok(json!({ "metadata": metadata }))
}

/// One entry, below its key.
pub(crate) fn one(metadata: &Metadata, key: &str, missing: impl FnOnce() -> Fault) -> Answer {
    let value = metadata.get(key).ok_or_else(missing)?;
    crate::call::ok(json!({ "meta": { key: value } }))
}

/// That `what` has no metadata with that key.
pub(crate) fn missing(what: impl std::fmt::Display, key: &str) -> Fault {
    let shown: String = key.chars().take(255).collect();
    Fault::not_found(format!("{what} has no metadata with key {shown}."))
}

/// A name for this content: the same exactly as long as the content is the same.
pub(crate) fn etag(metadata: &Metadata) -> String {
    let text = json!(metadata).to_string();
    Uuid::new_v5(&Uuid::NAMESPACE_OID, text.as_bytes())
        .simple()
        .to_string()
}

/// The answer with its content's name.
pub(crate) fn tagged(answer: Answer, metadata: &Metadata) -> Answer {
    let mut response = answer?;
    if let Ok(tag) = HeaderValue::from_str(&etag(metadata)) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}

/// The refusal of a request that is meant for other content than this.
pub(crate) fn refusal(headers: &HeaderMap, metadata: &Metadata) -> Option<Response> {
    let wanted = headers.get(header::IF_MATCH)?.to_str().ok()?;
    let etag = etag(metadata);
    let matches = |tag: &str| tag == "*" || tag.trim_matches('"') == etag;
    let meant = wanted.split(',').map(str::trim).any(matches);
    (!meant).then(|| StatusCode::PRECONDITION_FAILED.into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_names_one_content() {
        let one = Metadata::from([("k".to_owned(), "v".to_owned())]);
        let other = Metadata::from([("k".to_owned(), "w".to_owned())]);
        assert_eq!(etag(&one), etag(&one.clone()));
        assert_ne!(etag(&one), etag(&other));
        let mut headers = HeaderMap::new();
        assert!(refusal(&headers, &one).is_none());
        let tag = HeaderValue::from_str(&format!("\"{}\"", etag(&one))).expect("a tag");
        headers.insert(header::IF_MATCH, tag);
        assert!(refusal(&headers, &one).is_none());
        assert!(refusal(&headers, &other).is_some());
    }
}
