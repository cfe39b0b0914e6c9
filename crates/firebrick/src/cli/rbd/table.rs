//! Tables as the `rbd` tool prints them: columns two spaces apart, every cell padded.

use crate::printer::Printer;

/// To which side the cells of a column lean; headings always lean to the left.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::cli) enum Lean {
    Left,
    Right,
}

/// A table.
pub(in crate::cli) struct Table {
    columns: Vec<(&'static str, Lean)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(in crate::cli) fn new(columns: &[(&'static str, Lean)]) -> Self {
        Self {
            columns: columns.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row, with a cell for each column.
    pub(in crate::cli) fn row(&mut self, cells: impl Into<Vec<String>>) {
        self.rows.push(cells.into());
    }

    pub(in crate::cli) const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Prints it, if it has rows.
    pub(in crate::cli) fn print(&self) {
        if !self.is_empty() {
            Printer::line(&self.text());
        }
    }

    /// The lines, without the last line's end.
    pub(in crate::cli) fn text(&self) -> String {
        let widths: Vec<usize> = self
            .columns
            .iter()
            .enumerate()
            .map(|(i, (heading, _))| {
                let cells = self.rows.iter().filter_map(|row| row.get(i));
                let cells = cells.map(|cell| cell.chars().count());
                cells.max().unwrap_or(0).max(heading.len())
            })
            .collect();
        let headings = self.columns.iter().zip(&widths);
        let headings: Vec<String> = headings
            .map(|((heading, _), width)| format!("{heading:<width$}"))
            .collect();
        let mut lines = vec![headings.join("  ")];
        for row in &self.rows {
            let cells = row.iter().zip(&self.columns).zip(&widths);
            let cells: Vec<String> = cells
                .map(|((cell, (_, lean)), width)| match lean {
                    Lean::Left => format!("{cell:<width$}"),
                    Lean::Right => format!("{cell:>width$}"),
                })
                .collect();
            lines.push(cells.join("  "));
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_look_as_those_of_rbd() {
        let mut table = Table::new(&[
            ("NAME", Lean::Left),
            ("PROVISIONED", Lean::Right),
            ("USED", Lean::Right),
        ]);
        for (name, used) in [("j1@s1", "1 GiB"), ("j1", "0 B"), ("<TOTAL>", "1 GiB")] {
            table.row([name.to_owned(), "1 GiB".to_owned(), used.to_owned()]);
        }
        let golden = "NAME     PROVISIONED  USED \n\
                      j1@s1          1 GiB  1 GiB\n\
                      j1             1 GiB    0 B\n\
                      <TOTAL>        1 GiB  1 GiB";
        assert_eq!(table.text(), golden);
    }
}
