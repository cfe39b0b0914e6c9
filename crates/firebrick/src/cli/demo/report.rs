//! The table at the end.

use std::time::Duration;

use super::history::{BLOCK, Lost};
use super::watch::mebibytes;
use crate::exit::Failure;
use crate::printer::Printer;

/// What the demo measured.
#[derive(Debug)]
pub(super) struct Report {
    /// Bytes that the guest wrote in both lives.
    pub(super) written: u64,
    /// Writes that the other site had confirmed for certain when the first was lost.
    pub(super) confirmed: u64,
    /// Writes that were there after the failover.
    pub(super) held: u64,
    /// What the loss cost.
    pub(super) rpo: Lost,
    /// From the command to the first read at the other site.
    pub(super) rto: Duration,
    /// Bytes that the lost site received when it came back.
    pub(super) copied: u64,
    /// Size of the image in bytes.
    pub(super) image: u64,
    /// Writes that are there after the failback.
    pub(super) home: u64,
    /// Writes that must be there.
    pub(super) expected: u64,
}

impl Report {
    /// Prints the table.
    pub(super) fn print(&self) {
        let rpo = format!(
            "{:.2} s, {} lost",
            self.rpo.age.as_secs_f64(),
            mebibytes(self.rpo.bytes)
        );
        let copied = format!(
            "{} of {} ({:.1} %)",
            mebibytes(self.copied),
            mebibytes(self.image),
            percent(self.copied, self.image)
        );
        let rows = [
            ("bytes written", mebibytes(self.written)),
            ("RPO", rpo),
            ("RTO", format!("{:.2} s", self.rto.as_secs_f64())),
            ("copied at failback", copied),
            ("data", self.data().to_owned()),
        ];
        Printer::line("");
        for (name, value) in rows {
            Printer::line(&format!("  {name:<20} {value}"));
        }
    }

    const fn data(&self) -> &'static str {
        if self.held >= self.confirmed && self.home == self.expected {
            "matched, in write order"
        } else {
            "DID NOT MATCH"
        }
    }

    /// A failure unless all that had to be there was.
    pub(super) fn verdict(&self) -> Result<(), Failure> {
        if self.held < self.confirmed {
            let missing = mebibytes((self.confirmed - self.held) * BLOCK);
            return Err(Failure::Failed(format!(
                "{missing} that the other site had confirmed were not there"
            )));
        }
        if self.home != self.expected {
            return Err(Failure::Failed(format!(
                "{} of {} writes were there after the failback",
                self.home, self.expected
            )));
        }
        Ok(())
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(confirmed: u64, held: u64, home: u64) -> Report {
        Report {
            written: 0,
            confirmed,
            held,
            rpo: Lost {
                bytes: 0,
                age: Duration::ZERO,
            },
            rto: Duration::ZERO,
            copied: 0,
            image: 1,
            home,
            expected: 12,
        }
    }

    #[test]
    fn only_what_is_whole_is_a_success() {
        assert!(report(5, 7, 12).verdict().is_ok());
        assert!(report(8, 7, 12).verdict().is_err());
        assert!(report(5, 7, 11).verdict().is_err());
        assert_eq!(report(8, 7, 12).data(), "DID NOT MATCH");
    }
}
