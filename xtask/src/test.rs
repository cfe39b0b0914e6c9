//! All tests, in the order in which a mistake is cheapest to find.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use clap::ValueEnum;

use crate::command::{Error, command, run as run_command, show, target};
use crate::{prepare, tidy};

/// Which tests to run.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Ring {
    /// Format, lints, tidy, and every test.
    All,
    /// Format, lints, tidy, and the tests beside the code.
    Unit,
    /// The tests that start the real binary and real clients.
    E2e,
}

/// The tests that start the real binary, and how they are run. Those with clusters wait for most of their time, so
/// more of them run at once than there are processors.
const SUITES: &[(&[&str], &[&str])] = &[
    (&["stories", "conformance"], &[]),
    (&["ceph"], &["--test-threads=4"]),
];

/// What a test runner counted.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    passed: u64,
    failed: u64,
}

/// Runs the ring and closes with the counts of the test runner.
pub(crate) fn run(ring: Ring, filter: Option<&str>) -> Result<(), Error> {
    if ring != Ring::E2e {
        run_checks()?;
    }
    // First: tests beside the code drive the tools too, and one that lacks them fails.
    let prepared = prepare::prepare()?;
    let mut counts = Counts::default();
    if ring != Ring::E2e {
        let mut cargo = cargo_test(&["--workspace", "--exclude", "firebrick_tests"]);
        count(&mut counts, cargo.args(runner(filter, &[])))?;
    }
    if ring != Ring::Unit {
        run_command(command("cargo").args(["build", "--locked", "--package", "firebrick"]))?;
        for (suites, how) in SUITES {
            let mut cargo = cargo_test(&["--package", "firebrick_tests"]);
            for suite in *suites {
                cargo.args(["--test", suite]);
            }
            let cargo = cargo
                .env("FIREBRICK_BIN", target().join("debug/firebrick"))
                .env("FIREBRICK_CLIENTS", &prepared.clients)
                .env("FIREBRICK_OPENSTACK", &prepared.openstack)
                .env("FIREBRICK_FUZZ", &prepared.fuzz)
                .args(runner(filter, how));
            count(&mut counts, cargo)?;
        }
    }
    println!("\n{} passed, {} failed", counts.passed, counts.failed);
    match (counts.failed, counts.passed) {
        (0, 0) => Err(Error::Found("no test ran".to_owned())),
        (0, _) => Ok(()),
        (failed, _) => Err(Error::Found(format!("{failed} tests failed"))),
    }
}

fn run_checks() -> Result<(), Error> {
    run_command(command("cargo").args(["fmt", "--all", "--check"]))?;
    tidy::run()?;
    run_command(command("cargo").args([
        "clippy",
        "--locked",
        "--workspace",
        "--all-targets",
        "--quiet",
        "--",
        "-D",
        "warnings",
    ]))
}

fn cargo_test(which: &[&str]) -> Command {
    let mut cargo = command("cargo");
    cargo.args(["test", "--locked", "--no-fail-fast"]);
    cargo.args(which);
    cargo
}

/// What the runner of the tests is told.
fn runner<'a>(filter: Option<&'a str>, how: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
    let told = filter.into_iter().chain(how.iter().copied());
    std::iter::once("--").chain(told)
}

/// Runs a test command, shows what it prints, and adds what it counted.
fn count(counts: &mut Counts, cargo: &mut Command) -> Result<(), Error> {
    let shown = show(cargo);
    println!("$ {shown}");
    let start = |source| Error::Start {
        program: shown.clone(),
        source,
    };
    let mut child = cargo.stdout(Stdio::piped()).spawn().map_err(start)?;
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line.map_err(start)?;
            println!("{line}");
            if let Some((passed, failed)) = parse_result(&line) {
                counts.passed += passed;
                counts.failed += failed;
            }
        }
    }
    let status = child.wait().map_err(start)?;
    // A build error or a crashed test binary fails without a count.
    if !status.success() && counts.failed == 0 {
        return Err(Error::Failed(shown));
    }
    Ok(())
}

/// The counts in a closing line of the test runner.
fn parse_result(line: &str) -> Option<(u64, u64)> {
    let rest = line.strip_prefix("test result: ")?;
    let number_before = |word: &str| {
        let end = rest.find(word)?;
        rest[..end].trim_end().rsplit(' ').next()?.parse().ok()
    };
    Some((number_before(" passed")?, number_before(" failed")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_counted() {
        let line =
            "test result: FAILED. 12 passed; 3 failed; 0 ignored; 0 measured; finished in 1s";
        assert_eq!(parse_result(line), Some((12, 3)));
        assert_eq!(parse_result("running 3 tests"), None);
    }
}
