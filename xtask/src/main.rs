//! The one door: `cargo xtask test`, `cargo xtask tidy`, `cargo xtask torture`,
//! `cargo xtask mutants`, `cargo xtask fuzz-api`.
//!
//! CI runs `cargo xtask test` and nothing else, so whatever a test needs is installed here.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command speaks on its terminal"
)]

mod command;
mod fuzz;
mod mutants;
mod prepare;
mod test;
mod tidy;
mod torture;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Tests and checks of Firebrick")]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Installs what the tests need and runs them: all, or one ring.
    Test {
        /// Which ring of tests.
        #[arg(value_enum, default_value_t = test::Ring::All)]
        ring: test::Ring,
        /// Only tests whose name contains this.
        #[arg(long)]
        filter: Option<String>,
    },
    /// Checks the rules of the house that no compiler checks.
    Tidy,
    /// Runs the simulations of crashes with seeds that nobody has tried yet.
    Torture {
        /// For how long.
        #[arg(long, default_value_t = 10)]
        minutes: u64,
        /// Only the simulation of sites and the network between them.
        #[arg(long)]
        mirror: bool,
        /// The first seed, instead of one that nobody has tried.
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Takes rules of the mirror away, one by one: its simulation must miss each of them.
    Mutants {
        /// Only this rule.
        #[arg(long)]
        rule: Option<String>,
        /// In how many seeds it must be missed.
        #[arg(long, default_value_t = 2000)]
        seeds: u64,
    },
    /// Asks a service of its own what its description allows, and what it does not.
    FuzzApi {
        /// For how long.
        #[arg(long, default_value_t = 10)]
        minutes: u64,
    },
    /// Installs what the end-to-end tests need, and nothing else.
    Prepare,
}

fn main() -> ExitCode {
    let outcome = match Args::parse().task {
        Task::Test { ring, filter } => test::run(ring, filter.as_deref()),
        Task::Tidy => tidy::run(),
        Task::Torture {
            minutes,
            mirror,
            seed,
        } => torture::run(minutes, mirror, seed),
        Task::Mutants { rule, seeds } => mutants::run(rule.as_deref(), seeds),
        Task::FuzzApi { minutes } => fuzz::run(minutes),
        Task::Prepare => prepare::prepare().map(|_| ()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}
