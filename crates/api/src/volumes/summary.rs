//! `GET /volumes/summary`, from 3.12.

use axum::extract::State;
use firebrick_control::Control;
use serde_json::{Map, json};

use super::list::VOLUMES;
use crate::call::{Call, ok};
use crate::fault::Answer;
use crate::list;
use crate::microversion::Microversion;

pub(crate) async fn summary(State(control): State<Control>, call: Call) -> Answer {
    let query = list::read(&call, &VOLUMES)?;
    let summary = control.volume_summary(&call.context, query).await?;
    let mut body = Map::new();
    body.insert("total_count".to_owned(), json!(summary.count));
    body.insert("total_size".to_owned(), json!(summary.gigabytes));
    if call.at(Microversion::SUMMARY_METADATA) {
        body.insert("metadata".to_owned(), json!(summary.metadata));
    }
    ok(json!({ "volume-summary": body }))
}
