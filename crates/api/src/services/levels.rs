//! `PUT /os-services/get-log` and `set-log`, from 3.32.

use axum::extract::State;
use axum::http::StatusCode;
use firebrick_control::{Control, LogLevel, LogQuery, ServiceLevels};
use serde_json::{Map, Value, json};

use crate::body::{Body, Fields};
use crate::call::{Call, empty, ok};
use crate::fault::{Answer, Fault};

/// What a body asks for.
struct Asked {
    binary: Option<String>,
    server: Option<String>,
    prefix: String,
}

impl Asked {
    fn read(fields: &Fields<'_>) -> Result<Self, Fault> {
        let text = |key| -> Result<Option<String>, Fault> {
            let text = fields.text_or_null(key, 0)?.flatten();
            Ok(text.filter(|text| !text.is_empty()))
        };
        Ok(Self {
            binary: text("binary")?.filter(|binary| binary != "*"),
            server: text("server")?,
            prefix: text("prefix")?.unwrap_or_default(),
        })
    }

    fn query(&self) -> LogQuery<'_> {
        LogQuery {
            binary: self.binary.as_deref(),
            server: self.server.as_deref(),
            prefix: &self.prefix,
        }
    }
}

/// `PUT …/get-log`.
pub(crate) async fn get(State(control): State<Control>, call: Call, body: Body) -> Answer {
    let asked = Asked::read(&body.root()?)?;
    let found = control.log_levels(&call.context, asked.query()).await?;
    let items: Vec<Value> = found.iter().map(shown).collect();
    ok(json!({ "log_levels": items }))
}

fn shown(found: &ServiceLevels) -> Value {
    let levels = found.levels.iter();
    let levels: Map<String, Value> = levels
        .map(|(name, level)| (name.clone(), json!(level.as_str())))
        .collect();
    json!({ "host": found.host, "binary": found.binary, "levels": levels })
}

/// `PUT …/set-log`.
pub(crate) async fn set(State(control): State<Control>, call: Call, body: Body) -> Answer {
    let fields = body.root()?;
    let asked = Asked::read(&fields)?;
    let level = fields.text_or_null("level", 0)?.flatten();
    let level = level.unwrap_or_default();
    let known = LogLevel::parse(&level).ok_or_else(|| {
        let shown: String = level.chars().take(64).collect();
        Fault::invalid_input(format!("{shown} is not a valid log level."))
    })?;
    control
        .set_log_level(&call.context, asked.query(), known)
        .await?;
    empty(StatusCode::ACCEPTED)
}
