//! `firebrick rbd` for one site.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::dev::binary;
use crate::tools::{Ran, run};

/// The verbs of one site.
#[derive(Clone, Debug)]
pub struct Rbd {
    conf: PathBuf,
}

impl Rbd {
    /// For the site that `conf` describes.
    pub fn new(conf: &Path) -> Self {
        Self {
            conf: conf.to_owned(),
        }
    }

    /// `firebrick rbd ARGS`.
    pub fn run(&self, args: &[&str]) -> Ran {
        run(Command::new(binary())
            .arg("rbd")
            .args(args)
            .arg("--conf")
            .arg(&self.conf))
    }

    /// What it prints; it must succeed.
    pub fn ok(&self, args: &[&str]) -> String {
        self.run(args).ok().stdout
    }

    /// What it prints for programs; it must succeed.
    pub fn json(&self, args: &[&str]) -> Value {
        let printed = self.ok(&[args, &["--format", "json"]].concat());
        serde_json::from_str(&printed).unwrap_or_else(|_| panic!("no JSON: {printed}"))
    }

    /// What it complains about; it must end with `status`.
    pub fn refused(&self, status: i32, args: &[&str]) -> String {
        let ran = self.run(args);
        assert_eq!(ran.status, status, "{}: {}", ran.line, ran.stderr);
        ran.stderr
    }
}
