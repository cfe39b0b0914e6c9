//! Messages in answers.

use firebrick_control::Message;
use firebrick_state::{MessageAction, MessageDetail, user_message};
use firebrick_vocabulary::MessageId;
use serde::Serialize;
use uuid::Uuid;

use super::shape::{LINKS, TIME};
use super::time::Moment;
use crate::call::Call;
use crate::links::Both;
use crate::schema::{ID, Schema, TEXT, array, object, only};

/// A message.
#[derive(Serialize)]
pub(crate) struct View<'a> {
    id: MessageId,
    event_id: &'a str,
    user_message: String,
    message_level: &'a str,
    created_at: Moment,
    guaranteed_until: Moment,
    request_id: &'a str,
    resource_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_uuid: Option<Uuid>,
    links: Both<'a, MessageId>,
}

/// A message.
pub(crate) fn view<'a>(call: &'a Call, message: &'a Message) -> View<'a> {
    View {
        id: message.id,
        event_id: &message.event_id,
        user_message: words(message),
        message_level: &message.level,
        created_at: Moment(message.created_at),
        guaranteed_until: Moment(message.expires_at),
        request_id: &message.request_id,
        resource_type: message.resource_type.as_str(),
        resource_uuid: message.resource,
        links: call.links.of("messages", message.id),
    }
}

/// What was being done, why it failed, and what there is to say besides. Numbers of a newer release
/// say what any release can.
fn words(message: &Message) -> String {
    let number = |number: u32| u16::try_from(number).ok();
    let action = number(message.action).and_then(MessageAction::of_number);
    let detail = number(message.detail).and_then(MessageDetail::of_number);
    let detail = detail.unwrap_or(MessageDetail::UnknownError);
    let text = match action {
        Some(action) => user_message(action, detail),
        None => detail.text().to_owned(),
    };
    match &message.note {
        Some(note) => format!("{text} ({note})"),
        None => text,
    }
}

const SHAPE: Schema = object(&[
    ("id", ID),
    ("event_id", TEXT),
    ("user_message", TEXT),
    ("message_level", TEXT),
    ("created_at", TIME),
    ("guaranteed_until", TIME),
    ("request_id", TEXT),
    ("resource_type", TEXT),
    ("resource_uuid", ID),
    ("links", LINKS),
])
.required(&[
    "id",
    "event_id",
    "user_message",
    "message_level",
    "created_at",
    "guaranteed_until",
    "request_id",
    "resource_type",
    "links",
])
.closed();

/// The shape of one.
pub(crate) const ONE: Schema = only(&["message"], &[("message", SHAPE)]);

/// The shape of lists.
pub(crate) const LIST: Schema = object(&[("messages", array(&SHAPE)), ("messages_links", LINKS)])
    .required(&["messages"])
    .closed();
