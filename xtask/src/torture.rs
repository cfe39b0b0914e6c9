//! The simulations of log, index, engine and mirror, with seeds that nobody has tried, and a real site that is
//! killed under load, for as long as one wants.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::command::{Error, command, run as run_command, target};

/// A simulation that takes its seeds from the environment; or a story that takes from there how often
/// it kills.
struct Simulation {
    package: &'static str,
    /// The program of its tests.
    file: &'static str,
    test: &'static str,
    /// How many seeds are run at once: some seconds of work.
    rounds: u64,
}

const SIMULATIONS: [Simulation; 12] = [
    Simulation {
        package: "firebrick_log",
        file: "crash",
        test: "after_any_crash_the_log_is_a_prefix_that_holds_all_that_was_flushed",
        rounds: 200,
    },
    Simulation {
        package: "firebrick_log",
        file: "cleaning_crash",
        test: "after_any_crash_the_store_holds_what_was_made_durable_and_not_freed",
        rounds: 100,
    },
    Simulation {
        package: "firebrick_index",
        file: "model",
        test: "an_index_is_what_was_done_to_it",
        rounds: 50,
    },
    Simulation {
        package: "firebrick_engine",
        file: "crash",
        test: "after_any_crash_all_images_are_as_at_one_position_from_the_last_flush_on",
        rounds: 400,
    },
    Simulation {
        package: MIRROR,
        file: "simulation",
        test: "two_sites_agree_whatever_happens_to_them",
        rounds: 400,
    },
    Simulation {
        package: MIRROR,
        file: "simulation",
        test: "three_sites_agree_whatever_happens_to_them",
        rounds: 200,
    },
    Simulation {
        package: MIRROR,
        file: "simulation",
        test: "a_chain_of_sites_agrees_whatever_happens_to_it",
        rounds: 200,
    },
    Simulation {
        package: MIRROR,
        file: "simulation",
        test: "sites_agree_on_images_in_snapshot_mode",
        rounds: 200,
    },
    Simulation {
        package: MIRROR,
        file: "simulation",
        test: "what_a_flush_in_sync_mode_acknowledged_is_at_the_peers",
        rounds: 200,
    },
    Simulation {
        package: MIRROR,
        file: "simulation",
        test: "what_a_flush_acknowledged_in_a_chain_is_at_the_neighbours",
        rounds: 200,
    },
    Simulation {
        package: TESTS,
        file: "stories",
        test: "torture::what_was_flushed_survives_a_hundred_kills",
        rounds: 20,
    },
    Simulation {
        package: TESTS,
        file: "stories",
        test: "torture::blocks_are_whole_after_kills_under_fio",
        rounds: 20,
    },
];
const TESTS: &str = "firebrick_tests";
const MIRROR: &str = "firebrick_mirror";

/// Runs them, or that of the mirror alone, in turn until the time is over; fails where one of them has
/// failed.
pub(crate) fn run(minutes: u64, mirror: bool, seed: Option<u64>) -> Result<(), Error> {
    let all = SIMULATIONS.iter();
    let chosen: Vec<_> = all.filter(|it| !mirror || it.package == MIRROR).collect();
    let mut build = command("cargo");
    build.args(["test", "--locked", "--no-run", "--tests"]);
    let packages: BTreeSet<&str> = chosen.iter().map(|it| it.package).collect();
    for package in &packages {
        build.args(["--package", package]);
    }
    run_command(&mut build)?;
    if packages.contains(TESTS) {
        run_command(command("cargo").args(["build", "--locked", "--package", "firebrick"]))?;
    }
    let until = Instant::now() + Duration::from_secs(minutes.saturating_mul(60));
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    // Far from the seeds of the default runs, and from those of a moment ago.
    let mut seed = seed.unwrap_or(now.map_or(0, |now| now.as_secs()) << 20);
    let mut done: BTreeMap<&str, u64> = BTreeMap::new();
    let mut failed = Vec::new();
    'time: loop {
        for simulation in &chosen {
            if Instant::now() >= until {
                break 'time;
            }
            if let Some(why) = simulation.run(seed)? {
                println!("{why}");
                failed.push(why);
            }
            *done.entry(simulation.test).or_default() += simulation.rounds;
            seed += simulation.rounds;
        }
    }
    println!();
    for (test, rounds) in done {
        println!("{rounds:>9} rounds of {test}");
    }
    println!("{} failures", failed.len());
    for why in &failed {
        println!("  {why}");
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(Error::Found(format!("{} runs failed", failed.len())))
    }
}

impl Simulation {
    /// Runs the next seeds; what failed, and how to see it again.
    fn run(&self, seed: u64) -> Result<Option<String>, Error> {
        let mut cargo = command("cargo");
        cargo
            .args(["test", "--locked", "--quiet", "--package", self.package])
            .args(["--test", self.file, "--", "--exact", self.test])
            .env("FIREBRICK_BIN", target().join("debug/firebrick"))
            .env("FIREBRICK_SEED", seed.to_string())
            .env("FIREBRICK_ROUNDS", self.rounds.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let output = cargo.output().map_err(|source| Error::Start {
            program: "cargo".to_owned(),
            source,
        })?;
        if output.status.success() {
            return Ok(None);
        }
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        let named = said.lines().find(|line| line.contains("FIREBRICK_SEED="));
        let named = named.map_or_else(
            || format!("one of {} seeds from {seed} on", self.rounds),
            |line| line.trim().to_owned(),
        );
        Ok(Some(format!(
            "{named} (cargo test -p {} --test {} {})",
            self.package, self.file, self.test
        )))
    }
}
