//! The simulation of sites on builds from which one rule was taken away: each must be missed by some seed.
//!
//! All rules are taken away in one copy of the source, each only where the environment names it while the
//! program runs. So nothing of this is in what is shipped, and one build serves all rules. `cargo xtask tidy`
//! holds that the source still says what a rule here is about.

mod rules;

use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::command::{Error, command, root, run as run_command, target};
use rules::{RULES, Rule};

/// Which rule is taken away, in the environment of a mutated program.
const WITHOUT: &str = "FIREBRICK_WITHOUT";
/// What a mutation says where its rule is to be taken away.
const PLACE: &str = "WITHOUT";
/// What the copy needs besides the tracked files that are named so.
const COPIED: [&str; 6] = [
    "Cargo.toml",
    "Cargo.lock",
    "rust-toolchain.toml",
    "crates",
    "tests",
    "xtask",
];

impl Rule {
    /// The source without the rule where the environment says so.
    fn apply(&self, text: &str) -> Result<String, Error> {
        if text.matches(self.text).count() != 1 {
            return Err(Error::Found(format!(
                "{}: what the rule {} is about is not there once",
                self.file, self.name
            )));
        }
        let named = format!(
            "std::env::var_os(\"{WITHOUT}\").is_some_and(|rule| rule == \"{}\")",
            self.name
        );
        Ok(text.replace(self.text, &self.mutant.replace(PLACE, &named)))
    }
}

/// The rules of which the source does not say any more what they are about.
pub(crate) fn unknown(read: impl Fn(&Path) -> Option<String>) -> Vec<String> {
    let said = |rule: &&Rule| {
        let text = read(Path::new(rule.file)).unwrap_or_default();
        rule.apply(&text).err().map(|error| error.to_string())
    };
    RULES.iter().filter_map(|rule| said(&rule)).collect()
}

/// Takes the rules away, one after the other, and fails where nobody misses one.
pub(crate) fn run(only: Option<&str>, seeds: u64) -> Result<(), Error> {
    let program = build()?;
    let chosen = RULES
        .iter()
        .filter(|rule| only.is_none_or(|only| only == rule.name));
    let mut survived = Vec::new();
    for rule in chosen {
        if let Some(seed) = missed(&program, rule, seeds)? {
            println!("{:<30} {seed}", rule.name);
        } else {
            println!("{:<30} NOBODY MISSES IT in {seeds} seeds", rule.name);
            survived.push(rule.name);
        }
    }
    if survived.is_empty() {
        Ok(())
    } else {
        Err(Error::Found(format!("nobody misses {survived:?}")))
    }
}

/// The seed that misses a rule, as its test named it.
fn missed(program: &Path, rule: &Rule, seeds: u64) -> Result<Option<String>, Error> {
    let mut simulation = command(program);
    simulation
        .args(["--exact", rule.test])
        .env(WITHOUT, rule.name)
        .env("FIREBRICK_SEED", rule.seed.to_string())
        .env("FIREBRICK_ROUNDS", seeds.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let output = simulation.output().map_err(|source| Error::Start {
        program: program.display().to_string(),
        source,
    })?;
    if output.status.success() {
        return Ok(None);
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let named = said.lines().find(|line| line.contains("FIREBRICK_SEED="));
    let named = named.ok_or_else(|| Error::Failed(rule.test.to_owned()))?;
    let named = named
        .split_once("FIREBRICK_SEED=")
        .map_or(named, |(_, rest)| rest);
    Ok(Some(named.trim().to_owned()))
}

/// Builds the simulation from the copy; its program.
fn build() -> Result<PathBuf, Error> {
    let home = target().join("mutants");
    let source = home.join("source");
    copy(&source)?;
    for rule in &RULES {
        let path = source.join(rule.file);
        let text = std::fs::read_to_string(&path).map_err(failed(&path))?;
        std::fs::write(&path, rule.apply(&text)?).map_err(failed(&path))?;
    }
    let mut cargo = command("cargo");
    cargo
        .current_dir(&source)
        .env("CARGO_TARGET_DIR", home.join("target"))
        .args(["test", "--locked", "--no-run", "--message-format", "json"])
        .args(["--package", "firebrick_mirror", "--test", "simulation"])
        .stdout(Stdio::piped());
    println!("building the simulation from {}", source.display());
    let output = cargo.output().map_err(|source| Error::Start {
        program: "cargo".to_owned(),
        source,
    })?;
    if !output.status.success() {
        print!("{}", String::from_utf8_lossy(&output.stderr));
        return Err(Error::Failed("cargo test --no-run".to_owned()));
    }
    let said = String::from_utf8_lossy(&output.stdout);
    let mut messages = said.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let simulation = message["target"]["name"] == "simulation";
        let program = message["executable"].as_str().filter(|_| simulation)?;
        Some(PathBuf::from(program))
    });
    messages
        .next()
        .ok_or_else(|| Error::Found("cargo names no program".to_owned()))
}

/// Copies what is tracked, as it is in the working tree.
fn copy(to: &Path) -> Result<(), Error> {
    let mut gone = Ok(());
    if to.exists() {
        gone = std::fs::remove_dir_all(to);
    }
    gone.and_then(|()| std::fs::create_dir_all(to))
        .map_err(failed(to))?;
    let names: Vec<&str> = COPIED
        .into_iter()
        .filter(|name| root().join(name).exists())
        .collect();
    run_command(command("cp").arg("--recursive").args(names).arg(to))
}

fn failed(path: &Path) -> impl Fn(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Read {
        path: path.clone(),
        source,
    }
}
