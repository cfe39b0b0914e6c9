//! All tests, in the order in which a mistake is cheapest to find.

use std::io::{BufRead, BufReader};
use std::ops::AddAssign;
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

/// The tests of clusters, which wait for most of their time: more of them run at once than there are processors, and
/// all of them beside the others.
const CLUSTERS: Suite = Suite {
    which: &["--package", "firebrick_tests", "--test", "ceph"],
    how: &["--test-threads=6"],
    said_before: "ceph: ",
};
/// The tests beside the code.
const BESIDE_THE_CODE: Suite = Suite {
    which: &["--workspace", "--exclude", "firebrick_tests"],
    how: &[],
    said_before: "",
};
/// The other tests that start the real binary.
const WHOLE: Suite = Suite {
    which: &[
        "--package",
        "firebrick_tests",
        "--test",
        "stories",
        "--test",
        "conformance",
    ],
    how: &[],
    said_before: "",
};

/// Tests that one command runs.
#[derive(Clone, Copy, Debug)]
struct Suite {
    /// What cargo is told of which tests are meant.
    which: &'static [&'static str],
    /// What the runner of the tests is told.
    how: &'static [&'static str],
    /// What stands before each line that it prints.
    said_before: &'static str,
}

/// What a test runner counted.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    passed: u64,
    failed: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, more: Self) {
        self.passed += more.passed;
        self.failed += more.failed;
    }
}

/// Runs the ring and closes with the counts of the test runner.
pub(crate) fn run(ring: Ring, filter: Option<&str>) -> Result<(), Error> {
    let (first, beside): (&[Suite], Option<Suite>) = match ring {
        Ring::Unit => (&[BESIDE_THE_CODE], None),
        Ring::E2e => (&[WHOLE], Some(CLUSTERS)),
        Ring::All => (&[BESIDE_THE_CODE, WHOLE], Some(CLUSTERS)),
    };
    let prepared = std::thread::scope(|both| {
        // First: tests beside the code drive the tools too, and one that lacks them fails.
        let prepared = both.spawn(prepare::prepare);
        if ring != Ring::E2e {
            run_checks()?;
        }
        build(first.iter().chain(&beside))?;
        joined(prepared)
    })?;
    let told = |suite: &Suite| {
        let mut cargo = cargo_test(suite);
        cargo
            .env("FIREBRICK_BIN", target().join("debug/firebrick"))
            .env("FIREBRICK_CLIENTS", &prepared.clients)
            .env("FIREBRICK_OPENSTACK", &prepared.openstack)
            .env("FIREBRICK_FUZZ", &prepared.fuzz);
        count(suite, cargo.args(runner(filter, suite.how)))
    };
    let counts = std::thread::scope(|both| {
        let beside = beside.map(|suite| both.spawn(move || told(&suite)));
        let mut counts = Counts::default();
        for suite in first {
            counts += told(suite)?;
        }
        if let Some(beside) = beside {
            counts += joined(beside)?;
        }
        Ok::<_, Error>(counts)
    })?;
    println!("\n{} passed, {} failed", counts.passed, counts.failed);
    match (counts.failed, counts.passed) {
        (0, 0) => Err(Error::Found("no test ran".to_owned())),
        (0, _) => Ok(()),
        (failed, _) => Err(Error::Found(format!("{failed} tests failed"))),
    }
}

/// What a thread came to.
fn joined<T>(thread: std::thread::ScopedJoinHandle<'_, T>) -> T {
    thread
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Builds all that is run, so that nothing is built beside a test.
fn build<'a>(suites: impl Iterator<Item = &'a Suite>) -> Result<(), Error> {
    for suite in suites {
        run_command(cargo_test(suite).arg("--no-run"))?;
    }
    run_command(command("cargo").args(["build", "--locked", "--package", "firebrick"]))
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

fn cargo_test(suite: &Suite) -> Command {
    let mut cargo = command("cargo");
    cargo.args(["test", "--locked", "--no-fail-fast"]);
    cargo.args(suite.which);
    cargo
}

/// What the runner of the tests is told.
fn runner<'a>(filter: Option<&'a str>, how: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
    let told = filter.into_iter().chain(how.iter().copied());
    std::iter::once("--").chain(told)
}

/// Runs a test command, shows what it prints, and says what it counted.
fn count(suite: &Suite, cargo: &mut Command) -> Result<Counts, Error> {
    let mut counts = Counts::default();
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
            println!("{}{line}", suite.said_before);
            counts += parse_result(&line).unwrap_or_default();
        }
    }
    let status = child.wait().map_err(start)?;
    // A build error or a crashed test binary fails without a count.
    if !status.success() && counts.failed == 0 {
        return Err(Error::Failed(shown));
    }
    Ok(counts)
}

/// The counts in a closing line of the test runner.
fn parse_result(line: &str) -> Option<Counts> {
    let rest = line.strip_prefix("test result: ")?;
    let number_before = |word: &str| {
        let end = rest.find(word)?;
        rest[..end].trim_end().rsplit(' ').next()?.parse().ok()
    };
    Some(Counts {
        passed: number_before(" passed")?,
        failed: number_before(" failed")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_counted() {
        let line =
            "test result: FAILED. 12 passed; 3 failed; 0 ignored; 0 measured; finished in 1s";
        let counted = parse_result(line).map(|counts| (counts.passed, counts.failed));
        assert_eq!(counted, Some((12, 3)));
        assert!(parse_result("running 3 tests").is_none());
    }
}
