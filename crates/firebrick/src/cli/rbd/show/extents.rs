//! `diff`.

use crate::cli::rbd::args::Common;
use crate::cli::rbd::doc::Doc;
use crate::cli::rbd::table::{Lean, Table};

/// A range that differs.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli::rbd) struct Extent {
    pub(in crate::cli::rbd) offset: u64,
    pub(in crate::cli::rbd) len: u64,
    pub(in crate::cli::rbd) data: bool,
}

/// `rbd diff`
pub(in crate::cli::rbd) fn print(common: &Common, extents: &[Extent]) {
    if common.structured() {
        let row = |extent: &Extent| {
            Doc::map([
                ("offset", extent.offset.into()),
                ("length", extent.len.into()),
                ("exists", extent.data.to_string().into()),
            ])
        };
        return common.print("extents", &Doc::list("extent", extents.iter().map(row)));
    }
    let mut table = Table::new(&[
        ("Offset", Lean::Left),
        ("Length", Lean::Left),
        ("Type", Lean::Left),
    ]);
    for extent in extents {
        let kind = if extent.data { "data" } else { "zero" };
        table.row([
            extent.offset.to_string(),
            extent.len.to_string(),
            kind.to_owned(),
        ]);
    }
    table.print();
}
