//! Two clusters that mirror their pools with each other, for benchmarks: prints the configuration of each, and ends
//! both when standard input ends.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on fails")]

use std::io::{self, Read, Write};

fn main() {
    firebrick_tests::CephPair::with(|pair| {
        let mut out = io::stdout();
        for site in [&pair.a, &pair.b] {
            writeln!(out, "{}", site.conf().display()).unwrap();
        }
        out.flush().unwrap();
        io::stdin().read_to_end(&mut Vec::new()).unwrap();
    });
}
