//! `mirror …` does, prints and refuses what the real `rbd` tool does.

use std::fs;

use firebrick_tests::{Ceph, CephPair, Ran, Rbd, until};
use serde_json::Value;

use super::{Tool, both_see, outcome};

/// Pools without a peer, and how they get one; what stays behind it is as before.
const POOL: &[&str] = &[
    "mirror pool info volumes",
    "mirror pool info volumes --format json",
    "mirror pool status volumes",
    "mirror pool disable volumes",
    "mirror pool enable volumes",
    "mirror pool enable volumes nonsense",
    "mirror pool enable --site-name one volumes image",
    "mirror pool enable volumes image",
    "mirror pool enable volumes pool",
    "mirror pool enable --pool volumes image",
    "mirror pool info volumes",
    "mirror pool info volumes --format xml --pretty-format",
    "mirror pool status volumes",
    "mirror pool status volumes --verbose",
    "mirror pool status volumes --verbose --format json",
    "mirror pool peer add volumes",
    "mirror pool peer add volumes nobody@there",
    "mirror pool peer add volumes client.x@there --remote-mon-host 10.0.0.1:3300",
    "mirror pool peer add volumes client.y@elsewhere",
    "mirror pool peer remove volumes",
    "mirror pool peer remove volumes nonsense",
    "mirror pool info --all volumes",
    "mirror pool info --all volumes --format json",
    "mirror pool peer set volumes PEER site-name here",
    "mirror pool peer set volumes PEER client client.z",
    "mirror pool peer set volumes PEER mon-host 10.0.0.2:3300",
    "mirror pool peer set volumes PEER direction tx-only",
    "mirror pool peer set volumes PEER direction nonsense",
    "mirror pool peer set volumes PEER nonsense 1",
    "mirror pool info --all volumes",
    "mirror pool peer set volumes PEER mon-host",
    "mirror pool promote volumes",
    "mirror pool demote volumes",
    "mirror pool peer remove volumes PEER",
    "mirror pool disable volumes",
    "mirror pool info nope",
    "mirror pool promote volumes",
];

/// Images of a tool's own on a pair, by journals and by snapshots.
const IMAGES: &[&str] = &[
    "create --size 8M --image-feature layering,exclusive-lock,journaling volumes/%j",
    "create --size 8M volumes/%s",
    "create --size 8M volumes/%plain",
    "mirror image status volumes/%plain",
    "mirror image promote volumes/%plain",
    "mirror image demote volumes/%plain",
    "mirror image resync volumes/%plain",
    "mirror image snapshot volumes/%plain",
    "mirror image enable volumes/%none",
    "mirror image enable volumes/%s nonsense",
    "mirror image enable volumes/%j",
    "mirror image enable volumes/%j journal",
    "mirror image enable volumes/%s snapshot",
    "mirror image snapshot volumes/%j",
    "mirror image snapshot volumes/%s",
];

/// Once the other cluster follows: of one that does not yet, a demotion would part the two.
const FOLLOWED: &[&str] = &[
    "mirror image promote volumes/%j",
    "mirror image resync volumes/%j",
    "mirror image demote volumes/%j",
    "mirror image demote volumes/%j",
    "mirror image promote volumes/%j",
    "mirror image promote --force volumes/%j",
    "mirror snapshot schedule ls --pool volumes",
    "mirror snapshot schedule ls --recursive",
    "mirror snapshot schedule add --pool volumes nonsense",
    "mirror snapshot schedule add --pool nope 1h",
    "mirror snapshot schedule add --pool volumes 1h",
    "mirror snapshot schedule add --pool volumes --image %s 1d 14:00:00",
    "mirror snapshot schedule ls --pool volumes",
    "mirror snapshot schedule ls --pool volumes --image %s",
    "mirror snapshot schedule ls --pool volumes --format json",
    "mirror snapshot schedule ls --recursive",
    "mirror snapshot schedule ls --pool volumes --recursive --format json",
    "mirror snapshot schedule ls --recursive --format xml --pretty-format",
    "mirror snapshot schedule remove --pool volumes 1h",
    "mirror snapshot schedule rm --pool volumes --image %s",
    "mirror snapshot schedule ls --recursive",
];

const GONE: &[&str] = &[
    "mirror image disable volumes/%j",
    "mirror image disable volumes/%s",
    "mirror image disable --force volumes/%plain",
    "rm --no-progress volumes/%j",
    "rm --no-progress volumes/%s",
    "rm --no-progress volumes/%plain",
];

/// An outcome without what no two calls have in common: UUIDs and numbers of snapshots.
fn plain(ran: &Ran, own: &str) -> (i32, String, String) {
    let (status, printed, complaints) = outcome(ran);
    let plain = |text: &str| {
        let mut text = text.replace(own, "%");
        let is_uuid = |part: &&str| {
            let hyphens = part.match_indices('-').map(|(at, _)| at);
            hyphens.eq([8, 13, 18, 23]) && part.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
        };
        let parts = (0..text.len()).filter_map(|at| text.get(at..at + 36));
        let uuids: Vec<String> = parts.filter(is_uuid).map(str::to_owned).collect();
        for uuid in uuids {
            text = text.replace(&uuid, "UUID");
        }
        match text.strip_prefix("Snapshot ID: ") {
            Some(id) if id.trim_end().parse::<u64>().is_ok() => "Snapshot ID: N\n".to_owned(),
            _ => text,
        }
    };
    (status, plain(&printed), plain(&complaints.join("\n")))
}

/// What librbd refuses without a word of the real tool is said here; all else is the same.
fn is_same(ours: &(i32, String, String), theirs: &(i32, String, String)) -> bool {
    let silent = theirs.0 != 0 && theirs.2.is_empty() && !ours.2.is_empty();
    // A number and its name stand behind what the real tool says of some failures.
    let begins = theirs.0 != 0 && !theirs.2.is_empty() && ours.2.starts_with(&theirs.2);
    (ours.0, &ours.1) == (theirs.0, &theirs.1) && (ours.2 == theirs.2 || silent || begins)
}

/// Each tool runs all lines, one tool after the other, and comes to the same.
fn both_run(here: &Rbd, real: &Ceph, lines: &[&str]) {
    let all = |tool: Tool<'_>, own: &str| {
        let one = |line: &&str| {
            let peer = || {
                let info = tool.json("mirror pool info volumes");
                info["peers"][0]["uuid"].as_str().unwrap().to_owned()
            };
            let mut line = line.replace('%', own);
            if line.contains("PEER") {
                line = line.replace("PEER", &peer());
            }
            plain(&tool.run(&line), own)
        };
        lines.iter().map(one).collect::<Vec<_>>()
    };
    let (ours, theirs) = (all(Tool::Here(here), "mine"), all(Tool::Real(real), "real"));
    for (line, (ours, theirs)) in lines.iter().zip(ours.iter().zip(&theirs)) {
        assert!(is_same(ours, theirs), "rbd {line}\n{ours:#?}\n{theirs:#?}");
    }
}

/// Both tools say the same of what goes on, once nothing has changed between the calls of one of them.
fn both_say(here: &Rbd, real: &Ceph, line: &str) {
    for format in ["plain", "json", "xml", "json --pretty-format"] {
        let line = format!("{line} --format {format}");
        until(&format!("both say the same to {line}"), 60, || {
            let before = outcome(&Tool::Real(real).run(&line));
            let ours = outcome(&Tool::Here(here).run(&line));
            let behind = outcome(&Tool::Real(real).run(&line));
            assert!(
                before != behind || ours == before,
                "rbd {line}\n{ours:#?}\n{before:#?}"
            );
            before == behind
        });
    }
}

#[test]
fn a_pool_and_its_peers() {
    let real = Ceph::with_manager();
    both_run(&Rbd::new(&real.conf()), &real, POOL);
}

#[test]
fn mirrored_images() {
    CephPair::with(|pair| {
        let (here, there) = (Rbd::new(&pair.a.conf()), Rbd::new(&pair.b.conf()));
        for lines in [IMAGES, FOLLOWED] {
            both_run(&here, &pair.a, lines);
            for image in ["minej", "realj", "mines", "reals"] {
                super::super::pair::follows(&pair.b, image);
            }
        }
        for (tool, real) in [(&here, &pair.a), (&there, &pair.b)] {
            both_say(tool, real, "mirror pool info volumes");
            both_say(tool, real, "mirror pool info --all volumes");
            both_say(tool, real, "mirror pool status volumes");
            both_say(tool, real, "mirror pool status --verbose volumes");
            both_say(tool, real, "mirror image status volumes/minej");
            both_say(tool, real, "mirror image status volumes/mines");
            both_see(tool, real, &["info volumes/%j", "snap ls --all volumes/%s"]);
            both_see(tool, real, &["journal info --image volumes/%j"]);
        }
        // There they are secondary.
        both_run(&there, &pair.b, &["mirror image demote volumes/%j"]);
        let id = |image: &str| {
            let info = pair
                .b
                .rbd(&["info", "--format", "json", &format!("volumes/{image}")]);
            serde_json::from_str::<Value>(&info.stdout).map_or(Value::Null, |it| it["id"].clone())
        };
        let former = ["minej", "realj"].map(|image| (image, id(image)));
        both_run(&there, &pair.b, &["mirror image resync volumes/%j"]);
        for (image, former) in former {
            until("there is another copy", 120, || {
                let now = id(image);
                !now.is_null() && now != former
            });
            super::super::pair::follows(&pair.b, image);
        }
        // All of the pool, and back.
        let pool = ["mirror pool demote volumes", "mirror pool promote volumes"];
        both_run(&here, &pair.a, &pool);
        both_run(&here, &pair.a, GONE);
    });
}

#[test]
fn clusters_become_peers_by_a_token() {
    CephPair::with(|pair| {
        let (here, there) = (Rbd::new(&pair.a.conf()), Rbd::new(&pair.b.conf()));
        for site in [&pair.a, &pair.b] {
            site.make_pool("extra");
        }
        here.ok(&["mirror", "pool", "enable", "extra", "image"]);
        there.ok(&["mirror", "pool", "enable", "extra", "image"]);
        let create = ["mirror", "pool", "peer", "bootstrap", "create"];
        let token = here.ok(&[&create[..], &["extra"]].concat());
        let theirs = pair.a.rbd(&[&create[..], &["extra"]].concat()).ok().stdout;
        assert_eq!(token, theirs);
        let file = pair.b.dir().join("extra-token");
        fs::write(&file, token).unwrap();
        let file = file.display().to_string();
        let import = [
            "mirror",
            "pool",
            "peer",
            "bootstrap",
            "import",
            "extra",
            &file,
        ];
        there.ok(&import);
        for (tool, real, other) in [(&here, &pair.a, "site-b"), (&there, &pair.b, "site-a")] {
            both_say(tool, real, "mirror pool info --all extra");
            let info = tool.json(&["mirror", "pool", "info", "extra"]);
            assert_eq!(info["peers"][0]["site_name"], other, "{info}");
            assert_eq!(info["peers"][0]["direction"], "rx-tx", "{info}");
        }
        let nowhere = [&import[..6], &["/nowhere"]].concat();
        let refused = there.refused(2, &nowhere);
        assert!(refused.contains("/nowhere"), "{refused}");
        for site in [&here, &there] {
            let info = site.json(&["mirror", "pool", "info", "extra"]);
            let uuid = info["peers"][0]["uuid"].as_str().unwrap();
            site.ok(&["mirror", "pool", "peer", "remove", "extra", uuid]);
            site.ok(&["mirror", "pool", "disable", "extra"]);
        }
    });
}

#[test]
fn what_only_a_site_of_firebrick_can_do_is_refused() {
    let real = Ceph::start();
    let here = Rbd::new(&real.conf());
    for line in [
        "mirror image drill disk",
        "mirror image sync disk --policy block",
        "mirror image target disk --seconds 5",
        "mirror image promote disk --dry-run",
        "mirror pool promote volumes --accept-loss 5s",
        "mirror group enable shop",
        "mirror verify disk",
        "mirror wait disk",
        "mirror explain disk",
        "journal import file disk",
        "journal status --group shop",
        "journal inspect disk --from 1.5",
    ] {
        let args: Vec<&str> = line.split(' ').collect();
        let refused = here.refused(95, &args);
        assert!(
            refused.contains("not on a Ceph cluster: "),
            "{line}: {refused}"
        );
    }
}
