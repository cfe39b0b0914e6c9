//! Production files: median at most 150 lines, nine of ten at most 350, none over 600.

use super::{Finding, Source};

const MEDIAN_MOST: usize = 150;
const P90_MOST: usize = 350;
const LINES_MOST: usize = 600;
/// Tests in a file of production code; longer ones live in a file of their own.
const INLINE_TESTS_MOST: usize = 160;

/// Checks the sizes of all production files.
pub(crate) fn check(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut sizes = Vec::new();
    for source in sources.iter().filter(|source| source.is_production()) {
        let lines = source.production_text().lines().count();
        let tests = source.text.lines().count() - lines;
        let path = source.path.display();
        if lines > LINES_MOST {
            findings.push(Finding(format!(
                "{path} has {lines} lines; the most is {LINES_MOST}"
            )));
        }
        if tests > INLINE_TESTS_MOST {
            findings.push(Finding(format!(
                "{path} has {tests} lines of tests; beyond {INLINE_TESTS_MOST} they go in a file of \
                 their own"
            )));
        }
        sizes.push(lines);
    }
    sizes.sort_unstable();
    let at = |share: f64| {
        sizes
            .get((sizes.len() as f64 * share) as usize)
            .copied()
            .unwrap_or(0)
    };
    for (what, found, most) in [
        ("median", at(0.5), MEDIAN_MOST),
        ("90th percentile", at(0.9), P90_MOST),
    ] {
        if found > most {
            findings.push(Finding(format!(
                "the {what} of production files is {found} lines; the most is {most}"
            )));
        }
    }
    findings
}
