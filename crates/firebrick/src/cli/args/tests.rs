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
        "rbd ls -l --conf site.conf",
        "rbd --conf site.conf du volumes/disk --format json",
        "rbd info disk@monday --pretty-format",
        "rbd create --size 10G disk",
        "rbd resize disk --size 5G --allow-shrink",
        "rbd snap create disk@monday",
        "rbd snap ls --all disk",
        "rbd snap rollback --image disk --snap monday",
        "rbd clone disk other --at 2026-11-20T20:34:14Z",
        "rbd rollback disk --at 1.48213",
        "rbd window disk",
        "rbd diff disk@monday --from-snap sunday --whole-object",
        "rbd diff disk --from-position 17",
        "rbd export-diff disk@monday - --from-snap sunday",
        "rbd import-diff - disk",
        "rbd export disk",
        "rbd import disk.raw",
        "rbd scrub --wait",
        "rbd background",
        "rbd rebuild-index --conf site.conf",
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
        "rbd",
        "rbd create disk",
        "rbd clone disk",
        "rbd clone disk other --at yesterday",
        "rbd diff disk --from-snap a --from-position 1",
    ] {
        assert!(parse(line).is_err(), "{line} was taken");
    }
}
