//! The text format of Prometheus (version 0.0.4).

use std::fmt::{Display, Write as _};

/// What all names begin with.
const PREFIX: &str = "firebrick_";

/// A page of figures.
#[derive(Default)]
pub(super) struct Text(String);

/// One figure of a page, by labels.
pub(super) struct Figure<'a> {
    text: &'a mut String,
    name: &'static str,
}

impl Text {
    /// Begins a figure that goes up and down.
    pub(super) fn gauge(&mut self, name: &'static str, help: &str) -> Figure<'_> {
        self.begin(name, help, "gauge")
    }

    /// Begins a figure that only grows.
    pub(super) fn counter(&mut self, name: &'static str, help: &str) -> Figure<'_> {
        self.begin(name, help, "counter")
    }

    fn begin(&mut self, name: &'static str, help: &str, kind: &str) -> Figure<'_> {
        let text = &mut self.0;
        text.extend(["# HELP ", PREFIX, name, " ", help, "\n"]);
        text.extend(["# TYPE ", PREFIX, name, " ", kind, "\n"]);
        Figure { text, name }
    }

    /// The whole page.
    pub(super) fn finish(self) -> String {
        self.0
    }
}

impl Figure<'_> {
    /// Its value for these labels.
    pub(super) fn add(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.text.extend([PREFIX, self.name, "{"]);
        for (i, (label, of)) in labels.iter().enumerate() {
            let before = if i == 0 { "" } else { "," };
            self.text.extend([before, label, "=\""]);
            for c in of.chars() {
                match c {
                    '\\' => self.text.push_str("\\\\"),
                    '"' => self.text.push_str("\\\""),
                    '\n' => self.text.push_str("\\n"),
                    c => self.text.push(c),
                }
            }
            self.text.push('"');
        }
        // Writing to a text does not fail.
        _ = writeln!(self.text, "}} {value}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_as_prometheus_reads_them() {
        let mut text = Text::default();
        let mut lag = text.gauge("lag_seconds", "How far it is behind.");
        lag.add(&[("image", "a \"b\" \\ c\nd"), ("peer", "b")], 0.25);
        lag.add(&[("image", "e")], 3);
        text.counter("breaches_total", "How often.").add(&[], 1);
        let golden = "# HELP firebrick_lag_seconds How far it is behind.\n\
             # TYPE firebrick_lag_seconds gauge\n\
             firebrick_lag_seconds{image=\"a \\\"b\\\" \\\\ c\\nd\",peer=\"b\"} 0.25\n\
             firebrick_lag_seconds{image=\"e\"} 3\n\
             # HELP firebrick_breaches_total How often.\n\
             # TYPE firebrick_breaches_total counter\n\
             firebrick_breaches_total{} 1\n";
        assert_eq!(text.finish(), golden);
    }
}
