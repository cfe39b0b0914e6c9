//! `firebrick rbd rebuild-index`.

use firebrick_site::serve::{ErrorKind, RebuildPhase, rebuild_index};
use firebrick_vocabulary::counted;

use super::args::{Common, RbdFormat};
use super::doc::Doc;
use super::error::{EBUSY, EIO, refuse};
use super::progress::Progress;
use super::site::conf;
use crate::exit::Failure;
use crate::printer::Printer;

/// Makes the index of a site that does not run anew.
pub(super) fn run(common: &Common) -> Result<(), Failure> {
    let conf = conf(common)?;
    let mut progress = Progress::new(common, "Rebuilding index");
    let report = rebuild_index(&conf, &mut |step| {
        // The phases take about as long as each other.
        let before = match step.phase {
            RebuildPhase::Log => 0,
            RebuildPhase::Segments => 25,
            RebuildPhase::Leaves => 50,
            RebuildPhase::Places => 75,
        };
        let share = (step.done * 25)
            .checked_div(step.total)
            .unwrap_or(0)
            .min(25);
        progress.at(before + share, 100);
    });
    let report = report.map_err(|error| match error.kind {
        ErrorKind::InUse => refuse(
            EBUSY,
            format!(
                "rbd: rebuild-index: stop the site {} first: {error}",
                conf.name
            ),
        ),
        ErrorKind::Io | ErrorKind::Store | ErrorKind::Mirror => {
            refuse(EIO, format!("rbd: rebuild-index: {error}"))
        }
    })?;
    progress.done();
    if common.format == RbdFormat::Plain {
        Printer::line(&format!(
            "{} and {} as of {}, {} from {}",
            counted(report.images, "image"),
            counted(report.snapshots, "snapshot"),
            report.position,
            counted(report.blocks, "block"),
            counted(report.segments, "segment")
        ));
    } else {
        let damaged = report.damaged.iter().map(|segment| u64::from(*segment));
        let doc = Doc::map([
            ("position", report.position.to_string().into()),
            ("segments", report.segments.into()),
            ("images", report.images.into()),
            ("snapshots", report.snapshots.into()),
            ("blocks", report.blocks.into()),
            ("damaged_segments", Doc::list("segment", damaged)),
        ]);
        common.print("index", &doc);
    }
    if report.damaged.is_empty() {
        return Ok(());
    }
    let damaged: Vec<String> = report.damaged.iter().map(ToString::to_string).collect();
    Err(refuse(
        EIO,
        format!(
            "rbd: what lay in the rest of these damaged segments is lost, and images may show what was \
             there before: {}",
            damaged.join(", ")
        ),
    ))
}
