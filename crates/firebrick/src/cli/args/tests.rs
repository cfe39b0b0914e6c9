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

/// Lines of the help and of the documentation.
const LINES: &[&str] = &[
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
    "completions zsh --name rbd",
    "rbd journal export disk - --tag 4 --from 1.17",
    "rbd journal import shop.json --dest-group shop",
    "rbd mirror image drill ls",
    "rbd mirror image drill rm disk",
    "rbd mirror image drill disk --cleanup",
    "rbd mirror group promote shop --force --accept-loss 30s",
    "manage --conf cinder.conf failover n@b --backend-id site-b --check",
    "manage failover n@b --conf cinder.conf --format json",
    "manage report n@b --activity 00000000-0000-0000-0000-000000000000",
    "manage reset-active-backend n@b",
    "manage reset-active-backend --cluster north@blocks",
    "manage replications",
    "manage attachments --stale",
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
    "rbd ls volumes/tenant --format xml --pretty-format",
    "rbd --cluster site-a --id cinder -n client.x -m host -k ring ls",
    "rbd snap limit set --limit 3 disk",
    "rbd snap rename disk@a disk@b",
    "rbd snap add volumes/tenant/disk@a",
    "rbd snap remove disk@a --force",
    "rbd clone disk@a other --rbd-default-clone-format 2",
    "rbd cp --image disk --snap a --dest-pool volumes --dest other",
    "rbd deep cp disk other",
    "rbd image-meta set disk key value",
    "rbd feature enable disk journaling --journal-object-size 16M --journal-object-pool volumes",
    "rbd feature disable disk journaling --timeout 5",
    "rbd lock add --shared tag disk lid",
    "rbd trash mv disk --expires-at 2030-01-01",
    "rbd trash rm --image-id 0123 --force",
    "rbd namespace create volumes/tenant",
    "rbd group image add --group-pool volumes --group g --image-namespace n --image disk",
    "rbd group snap rename g@a b",
    "rbd consistency-group create g --object-pool volumes --splay-width 4 --object-size 4K",
    "rbd consistency-group attach disk g",
    "rbd map disk --read-only",
    "rbd device unmap -t nbd disk",
    "rbd export --export-format 2 disk -",
    "rbd import --export-format 2 - --dest disk",
    "rbd merge-diff a b -",
    "rbd bench --io-type rw --io-size 4K --io-threads 2 --io-total 1M --io-pattern full-seq disk",
];

#[test]
fn the_documented_lines_are_taken() {
    for line in LINES {
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
        "rbd bogus",
        "rbd snap bogus",
        "rbd create --size x disk",
        "rbd ls --format foo",
        "rbd feature enable disk journaling --journal-object-size 1K",
        "rbd clone disk other --rbd-default-clone-format 3",
        "rbd clone disk other --at yesterday",
        "rbd diff disk --from-snap a --from-position 1",
    ] {
        assert!(parse(line).is_err(), "{line} was taken");
    }
}

/// What a command line ends with that is not taken, and whether the rbd tool is meant.
fn refused(words: &[&str]) -> Option<bool> {
    let words = words.iter().map(std::ffi::OsString::from);
    super::parse(words).err().map(|refused| refused.rbd)
}

#[test]
fn a_link_called_rbd_takes_the_verbs_at_once() {
    assert_eq!(refused(&["/usr/local/bin/rbd", "ls"]), None);
    assert_eq!(refused(&["rbd", "bogus"]), Some(true));
    assert_eq!(refused(&["firebrick", "rbd", "bogus"]), Some(true));
    assert_eq!(refused(&["firebrick", "bogus"]), Some(false));
    assert_eq!(refused(&["firebrick", "ls"]), Some(false));
}

/// The help of each verb, and the words before it.
fn helps(command: &clap::Command, before: &str, into: &mut Vec<(String, String)>) {
    let path = format!("{before}{} ", command.get_name());
    let verbs: Vec<_> = command.get_subcommands().collect();
    if verbs.is_empty() {
        into.push((path.clone(), command.clone().render_long_help().to_string()));
    }
    for verb in verbs {
        helps(verb, &path, into);
    }
}

#[test]
fn the_help_of_each_verb_has_examples_that_are_taken_by_it() {
    let definitions = [Cli::command(), Rbd::command()];
    for definition in definitions {
        let called = definition.get_name().to_owned();
        let mut found = Vec::new();
        helps(&with_help(definition, &called), "", &mut found);
        assert!(found.len() > 100, "{}", found.len());
        for (path, help) in found {
            let (_, examples) = help.split_once("\nExamples:\n").unwrap_or_default();
            let lines: Vec<&str> = examples.lines().map(str::trim).collect();
            let lines = lines.split(|line| line.is_empty()).next().unwrap();
            assert!(!lines.is_empty(), "{path}has no examples");
            for line in lines {
                // What is too long is broken, and can be copied no more.
                let whole = line.starts_with("firebrick ") || line.starts_with("rbd ");
                assert!(whole, "{path}has in its examples: {line}");
                let words: Vec<&str> = line.split_whitespace().collect();
                let words = words.split(|word| ["|", ">"].contains(word)).next();
                assert_eq!(refused(words.unwrap()), None, "{line}");
            }
        }
    }
}
