//! `firebrick manage attachments`.

use firebrick_control::StaleAttachment;

use super::{Desk, cell, failed};
use crate::cli::rbd::table::{Lean, Table};
use crate::exit::Failure;
use crate::printer::{Format, Printer};

pub(super) async fn stale(desk: &Desk, format: Format) -> Result<(), Failure> {
    let found = desk.control.stale_attachments().await;
    let found = found.map_err(failed("look at attachments"))?;
    match format {
        Format::Json => Printer::json(&found),
        Format::Plain => Printer::line(&table(&found).text()),
    }
    Ok(())
}

fn table(found: &[StaleAttachment]) -> Table {
    let mut table = Table::new(&[
        ("ATTACHMENT", Lean::Left),
        ("VOLUME", Lean::Left),
        ("INSTANCE", Lean::Left),
        ("HOST", Lean::Left),
        ("LIVES AT", Lean::Left),
        ("ELSEWHERE", Lean::Right),
        ("CERTAIN", Lean::Left),
    ]);
    for it in found {
        table.row([
            it.attachment_id.to_string(),
            it.volume_id.to_string(),
            cell(it.instance.as_ref()),
            cell(it.attached_host.as_ref()),
            it.site.clone(),
            it.elsewhere.to_string(),
            if it.certain { "yes" } else { "no" }.to_owned(),
        ]);
    }
    table
}
