//! The command line, by example.

use clap::CommandFactory as _;

use super::*;

fn parse(line: &str) -> Result<Cli, String> {
    let words = std::iter::once("firebrick").chain(line.split_whitespace());
    Cli::try_parse_from(words).map_err(|error| error.kind().to_string())
}

#[test]
fn the_definition_holds_together() {
    Cli::command().debug_assert();
}

#[test]
fn the_documented_lines_are_taken() {
    for line in [
        "dev",
        "dev --dir /tmp/x --listen 127.0.0.1:0 --nbd-port 0",
        "dev site start site-a --dir /tmp/x",
        "dev site stop site-a",
        "dev site kill site-b --format json",
        "dev site status --format json",
        "dev site status site-a",
        "site --conf site.conf",
        "site fingerprint --conf site.conf",
        "serve --conf cinder.conf --check",
        "demo",
        "completions bash",
    ] {
        assert!(parse(line).is_ok(), "{line}: {:?}", parse(line).err());
    }
}

#[test]
fn wrong_lines_are_refused() {
    for line in [
        "",
        "site",
        "dev --listen 8776",
        "dev --nbd-port 70000",
        "dev site burn site-a",
    ] {
        assert!(parse(line).is_err(), "{line} was taken");
    }
}
