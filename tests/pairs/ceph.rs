//! Two Ceph clusters that mirror their pools with each other, for benchmarks: they live until standard input ends.
//!
//! Prints one line of JSON with the configuration of each by its name. Then it does what each line says, a verb and the
//! name of a cluster, and answers `done`: `kill` (all its processes, by `kill -9`), `start` (all of them again),
//! `kill-mirror` and `start-mirror` (its `rbd-mirror` alone).

use std::io::{self, BufRead, Error, Write};

use firebrick_tests::CephPair;
use serde_json::json;

fn main() -> io::Result<()> {
    let pair = CephPair::start();
    let mut out = io::stdout();
    let sites = json!({ "site-a": pair.a.conf(), "site-b": pair.b.conf() });
    writeln!(out, "{sites}")?;
    for line in io::stdin().lock().lines() {
        let line = line?;
        let known = match line.split_once(' ') {
            Some((verb, "site-a")) => Some((verb, &pair.a)),
            Some((verb, "site-b")) => Some((verb, &pair.b)),
            _ => None,
        };
        match known {
            Some(("kill", site)) => site.kill(),
            Some(("start", site)) => site.start_again(),
            Some(("kill-mirror", site)) => site.kill_mirror(),
            Some(("start-mirror", site)) => site.start_mirror(),
            _ => return Err(Error::other(format!("no such line: {line}"))),
        }
        writeln!(out, "done")?;
    }
    Ok(())
}
