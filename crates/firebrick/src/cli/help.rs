//! The help of the verbs: examples for those that have none beside their options, and paragraphs that are as wide as
//! the terminal.

use clap::Command;

/// One example a line, without the `firebrick` before it.
const LINES: &str = "\
site fingerprint --conf /etc/firebrick/site-a.conf
dev site start site-a
dev site stop site-a
dev site kill site-a --dir /tmp/fb
dev site status --format json
manage failover node1@blocks --backend-id site-b --check --conf cinder.conf
manage failover node1@blocks --backend-id site-b --conf cinder.conf
manage failover node1@blocks --backend-id default --conf cinder.conf
manage report node1@blocks --conf cinder.conf
manage reset-active-backend node1@blocks --conf cinder.conf
manage reset-active-backend --cluster north@blocks --conf cinder.conf
manage replications --format json --conf cinder.conf
manage attachments --stale --conf cinder.conf
rbd ls -l
rbd ls volumes/tenant --format json
rbd info disk
rbd info disk@monday
rbd du disk
rbd status disk
rbd create disk --size 10G
rbd rm disk
rbd resize disk --size 20G
rbd resize disk --size 5G --allow-shrink
rbd rename disk other
rbd children disk@monday
rbd flatten other
rbd image-meta set disk retention 24h
rbd image-meta get disk retention
rbd image-meta list disk
rbd image-meta remove disk retention
rbd feature disable disk journaling
rbd lock add disk backup
rbd lock list disk
rbd lock remove disk backup client.1
rbd trash move disk
rbd trash list --long
rbd trash remove 04021c12de8e
rbd trash restore 04021c12de8e --image disk
rbd trash purge
rbd namespace create --namespace tenant
rbd namespace list
rbd namespace remove --namespace tenant
rbd group create shop
rbd group list
rbd group rename shop store
rbd group remove shop
rbd group info shop
rbd group image add shop disk
rbd group image list shop
rbd group image remove shop disk
rbd group snap create shop@monday
rbd group snap list shop
rbd group snap info shop@monday
rbd group snap rename shop@monday tuesday
rbd group snap rollback shop@monday
rbd group snap remove shop@monday
rbd consistency-group create shop
rbd consistency-group rename shop store
rbd consistency-group attach disk shop
rbd consistency-group detach disk
rbd consistency-group ls
rbd consistency-group info shop
rbd consistency-group rm shop
rbd device map disk --read-only
rbd device unmap disk
rbd device list
rbd map disk
rbd unmap disk
rbd showmapped
rbd window disk
rbd snap create disk@monday
rbd snap ls disk
rbd snap ls --all disk
rbd snap rm disk@monday
rbd snap purge disk
rbd snap rollback disk@monday
rbd snap protect disk@monday
rbd snap unprotect disk@monday
rbd snap rename disk@monday disk@tuesday
rbd snap limit set disk --limit 10
rbd snap limit clear disk
rbd diff disk@tuesday --from-snap monday
rbd import-diff tuesday.diff disk
rbd merge-diff tuesday.diff wednesday.diff both.diff
rbd export disk disk.raw
rbd export disk@monday - --export-format 2
rbd import disk.raw disk
rbd scrub --wait
rbd journal info disk
rbd journal status disk
rbd mirror image disable disk
rbd mirror image promote disk
rbd mirror image promote disk --force --dry-run
rbd mirror image promote disk --force --accept-loss 30s
rbd mirror image promote disk --force --at 2026-11-20T20:34:14Z
rbd mirror image demote disk
rbd mirror image demote disk --timeout 30s
rbd mirror image resync disk
rbd mirror image status disk
rbd mirror image target disk --seconds 10s
rbd mirror image target disk --seconds none
rbd mirror image drill ls
rbd mirror image drill rm disk
rbd mirror pool enable image
rbd mirror pool enable volumes pool --site-name site-a
rbd mirror pool disable
rbd mirror pool info --all
rbd mirror pool status --verbose
rbd mirror pool promote --force --dry-run
rbd mirror pool promote
rbd mirror pool demote --timeout 30s
rbd mirror pool peer remove 06aeda1f-22b6-52fc-a6ea-231f1249a143
rbd mirror pool peer set 06aeda1f-22b6-52fc-a6ea-231f1249a143 bandwidth 10MiB
rbd mirror pool peer set 06aeda1f-22b6-52fc-a6ea-231f1249a143 quiet-hours 22:00-06:00
rbd mirror pool peer bootstrap import token
rbd mirror pool peer bootstrap import - --direction rx-only
rbd mirror pool add site-b --remote-mon-host b.example:10909 --remote-key-file b.key
rbd mirror pool remove 06aeda1f-22b6-52fc-a6ea-231f1249a143
rbd mirror group enable shop
rbd mirror group disable shop
rbd mirror group promote shop
rbd mirror group promote shop --force --accept-loss 30s
rbd mirror group demote shop --timeout 30s
rbd mirror group resync shop
rbd mirror group status shop
rbd mirror group snapshot schedule add --group shop 15m
rbd mirror group snapshot schedule remove --group shop 15m
rbd mirror group snapshot schedule ls --group shop
rbd mirror group snapshot schedule status
rbd mirror snapshot schedule add --image disk 1d 14:00
rbd mirror snapshot schedule remove --image disk
rbd mirror snapshot schedule ls --recursive
rbd mirror snapshot schedule status
rbd mirror wait
rbd mirror wait disk --timeout 30s
rbd mirror explain disk
rbd background
rbd rebuild-index --conf /etc/firebrick/site-a.conf
completions bash > /etc/bash_completion.d/firebrick
completions bash --name rbd > /etc/bash_completion.d/rbd";

/// Gives each verb its help. `called` is how the binary is: `firebrick`, or `rbd` through a link.
pub(crate) fn with_help(command: Command, called: &str) -> Command {
    let lines = LINES.lines().map(|line| match called {
        "rbd" => line
            .strip_prefix("rbd ")
            .map(|rest| (line.to_owned(), rest)),
        called => Some((format!("{called} {line}"), line)),
    });
    give(command, &lines.flatten().collect::<Vec<_>>())
}

/// `lines` are examples as they are shown, and what of them stands behind the name of `command`.
fn give(command: Command, lines: &[(String, &str)]) -> Command {
    let mut own = Vec::new();
    let mut deeper = Vec::new();
    for (shown, rest) in lines {
        let (word, behind) = rest.split_once(' ').unwrap_or((rest, ""));
        match command.find_subcommand(word) {
            Some(verb) => deeper.push((verb.get_name().to_owned(), (shown.clone(), behind))),
            None => own.push(shown.as_str()),
        }
    }
    let command = command.mut_subcommands(|verb| {
        let of_it = deeper.iter().filter(|(name, _)| name == verb.get_name());
        let lines: Vec<_> = of_it.map(|(_, line)| line.clone()).collect();
        give(verb, &lines)
    });
    let said = command.get_after_help().map(ToString::to_string);
    let mut parts: Vec<String> = said.as_deref().map(flow).into_iter().collect();
    if !own.is_empty() {
        parts.push(format!("Examples:\n  {}", own.join("\n  ")));
    }
    if parts.is_empty() {
        return command;
    }
    command.after_help(parts.join("\n\n"))
}

/// One line for each paragraph, which clap breaks where the terminal ends; what is indented stays as it is.
fn flow(text: &str) -> String {
    let mut whole = String::new();
    let mut before = "";
    for line in text.lines() {
        let ends = before.is_empty() || before.ends_with(':') || before.starts_with(' ');
        let begins = line.is_empty() || line.starts_with(' ');
        if !whole.is_empty() {
            whole.push(if ends || begins { '\n' } else { ' ' });
        }
        whole.push_str(line);
        before = line;
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::flow;

    #[test]
    fn paragraphs_are_lines_and_examples_stay() {
        let text = "One\ntwo.\n\nThree\nfour.\n\nExamples:\n  a\n  b\n\nA file:\n  [site]";
        let flown = "One two.\n\nThree four.\n\nExamples:\n  a\n  b\n\nA file:\n  [site]";
        assert_eq!(flow(text), flown);
    }
}
