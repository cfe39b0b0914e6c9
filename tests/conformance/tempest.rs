//! Tempest, set up for one cloud.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use firebrick_tests::{Openstack, PASSWORD, run, run_within};

use crate::report::{self, Outcome};

/// Makes types and images and prints the ids of the images.
const SEED: &str = include_str!("seed.py");

/// Answers for the network service, which some tests look for and none needs.
const NO_NETWORKS: &str = include_str!("no_networks.py");

/// The suite's configuration; `{}` marks what differs from run to run.
const CONF: &str = include_str!("tempest.conf");

/// How many tests run side by side.
const WORKERS: &str = "3";

/// How long all of them may take.
const ALL: Duration = Duration::from_secs(7200);

/// The suite for one cloud.
pub(crate) struct Tempest<'a> {
    cloud: &'a Openstack,
    dir: PathBuf,
}

impl<'a> Tempest<'a> {
    /// Makes what the suite expects in the cloud, and its configuration.
    pub(crate) fn prepare(cloud: &'a mut Openstack) -> Self {
        let dir = cloud.dir().join("tempest");
        fs::create_dir_all(dir.join("logs")).unwrap();
        cloud.serve_python("network", NO_NETWORKS);
        let seeded = cloud.python("admin", "admin", SEED).ok();
        let images: Vec<&str> = seeded.stdout.split_whitespace().collect();
        let [image, other] = images[..] else {
            panic!("no two images: {}", seeded.stdout);
        };
        let at = dir.display().to_string();
        let conf = CONF
            .replace("{dir}", &at)
            .replace("{password}", PASSWORD)
            .replace("{keystone}", &cloud.keystone_url())
            .replace("{image}", image)
            .replace("{other}", other);
        fs::write(dir.join("tempest.conf"), conf).unwrap();
        let found = run(firebrick_tests::program("python3").args([
            "-c",
            "import os, tempest; print(os.path.dirname(tempest.__file__))",
        ]))
        .ok();
        let package = found.stdout.trim();
        let runner = format!(
            "[DEFAULT]\ntest_path={package}/test_discover\ntop_dir={package}/..\n\
             group_regex=([^\\.]*\\.)*\n"
        );
        fs::write(dir.join(".stestr.conf"), runner).unwrap();
        let suite = Self { cloud, dir };
        let _ = run(suite.stestr().arg("init")).ok();
        suite
    }

    /// The names of all tests.
    pub(crate) fn list(&self) -> Vec<String> {
        let listed = run(self.stestr().args(["list", "tempest.api.volume"])).ok();
        let lines = listed.stdout.lines();
        let names = lines.filter(|line| line.starts_with("tempest."));
        names.map(|name| report::plain(name).to_owned()).collect()
    }

    /// Runs all but the excluded and returns what became of each.
    pub(crate) fn run(&self, excluded: &[&str]) -> BTreeMap<String, Outcome> {
        let out = self.dir.join("excluded.txt");
        let lines: Vec<String> = excluded
            .iter()
            .map(|name| format!("^{}\\[", name.replace('.', "\\.")))
            .collect();
        fs::write(&out, lines.join("\n")).unwrap();
        // It fails where a test fails; the report says which.
        let mut all = self.stestr();
        all.args(["run", "--concurrency", WORKERS, "--exclude-list"])
            .arg(&out)
            .arg("tempest.api.volume");
        let _ = run_within(&mut all, ALL);
        let last = self.dir.join("last.subunit");
        let stream = self.stestr().args(["last", "--subunit"]).output().unwrap();
        fs::write(&last, stream.stdout).unwrap();
        let csv = run(self.program("subunit2csv").arg(&last));
        report::read(&csv.stdout)
    }

    /// The ends of the traces of what failed.
    pub(crate) fn failures(&self) -> String {
        let shown = run(self.stestr().args(["last"])).stdout;
        let lines: Vec<&str> = shown
            .lines()
            .filter(|line| !line.contains("tempest.lib.common.rest_client"))
            .filter(|line| line.len() < 400)
            .collect();
        let from = lines.len().saturating_sub(1500);
        lines[from..].join("\n")
    }

    fn program(&self, name: &str) -> Command {
        let mut command = self.cloud.command("admin", "admin", name);
        command
            .current_dir(&self.dir)
            .env("TEMPEST_CONFIG_DIR", &self.dir)
            .env("TEMPEST_CONFIG", "tempest.conf");
        command
    }

    fn stestr(&self) -> Command {
        self.program("stestr")
    }
}
