//! `GET /backups/{id}/export_record` and `POST /backups/import_record`.

use axum::extract::State;
use firebrick_control::{Control, Record};

use crate::body::Body;
use crate::call::{Call, Named, created, ok};
use crate::fault::{Answer, Fault};
use crate::view::backup as view;
use crate::{ids, view as views};

/// `GET`.
pub(super) async fn export(
    State(control): State<Control>,
    Named(id): Named<String>,
    call: Call,
) -> Answer {
    let id = ids::backup(&id)?;
    let record = control.export_backup(&call.context, id).await?;
    ok(views::one("backup-record", view::record(&record)))
}

/// `POST`.
pub(super) async fn import(State(control): State<Control>, call: Call, body: Body) -> Answer {
    let fields = body.only("backup-record")?;
    let record = Record {
        service: fields
            .text("backup_service", 0)?
            .ok_or_else(Fault::malformed)?,
        url: fields
            .long_text("backup_url")?
            .ok_or_else(Fault::malformed)?,
    };
    let detail = control.import_backup(&call.context, record).await?;
    let brief = views::one("backup", view::brief(&call, &detail));
    created(brief)
}
